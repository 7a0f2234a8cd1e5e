#!/bin/bash
# One row by primary key, as JSON, behind nginx from PostgreSQL: how many requests a second, and
# what each costs.
#
#   bench.sh [--runs 5] [--seconds 5]   the table, at 32 and 128 connections
#   bench.sh --memory                   the application's memory over a million requests
#
#   athanor   build/users
#   threads   tests/bench/threads.c: thread per request, libfcgi and libpq
#   spike     ../shared/spike/worker.c, a reference worker beside the checkout, when there is one
#
# All get the same private PostgreSQL, the same nginx and the same load, in rotation, so that the
# drift of the machine meets each of them alike: only the ratios of one run mean anything. A
# missed goal is printed, and is no failure: the exit status is 1 when answers were wrong or
# something did not start.
set -euo pipefail
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/../.."

readonly rows=10000 spike=../shared/spike/worker.c

say() { printf 'bench: %s\n' "$*" >&2; }
die() {
	say "$@"
	exit 1
}
within() { # SECONDS COMMAND...: true as soon as COMMAND is, false when the time is over
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS <= end)) || return 1
		sleep 0.02
	done
}

# ---- what is measured ----------------------------------------------------------------------

ended() { [ -z "$(jobs -pr)" ]; }
clean_up() {
	trap '' HUP INT TERM
	jobs -p | xargs -r kill 2>/dev/null || true
	within 10 ended || { jobs -p | xargs -r kill -KILL 2>/dev/null || true; }
	sql/cluster.sh remove "$dir" || true
	rm -rf "$dir"
}

# Some names need escaping, and some ages are NULL. The spike knows only 4-byte ids: it has a
# table of its own, with the same rows.
start_database() {
	local psql=(psql -X -q -v ON_ERROR_STOP=1)
	say "starting a private PostgreSQL in $dir"
	sql/cluster.sh start "$dir"
	unset "${!PG@}"
	postmaster=$(head -n 1 "$dir/data/postmaster.pid")
	DATABASE_URL=$(sql/cluster.sh url "$dir" bench)
	export DATABASE_URL
	"${psql[@]}" "$(sql/cluster.sh url "$dir")" <<<'create database bench'
	build/users migrate >&2
	"${psql[@]}" "$DATABASE_URL" <<-END
	insert into users (name, email, age)
	select case i % 100 when 2 then 'Ada "Countess" King' when 3 then e'back\\\\slash\ttab'
	                    when 4 then 'Zoë Ångström' else 'User Number ' || i end,
	       'user' || i || '@example.com',
	       case when i % 10 = 0 then null else 18 + i % 60 end
	from generate_series(1, $rows) as i order by i;
	create schema spike;
	create table spike.users (id integer primary key, name text not null,
	                          email text not null unique, age integer);
	insert into spike.users select id, name, email, age from users order by id;
	vacuum analyze users;
	vacuum analyze spike.users;
	checkpoint;
	END
}

# start_worker TARGET COMMAND...: -n keeps the process our child, so its id is known
start_worker() {
	spawn-fcgi -n -s "$dir/$1.sock" -b 1024 -M 0600 -- "${@:2}" >"$dir/$1.log" 2>&1 &
	worker[$1]=$!
	targets+=("$1")
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Each target has a port, below the range that the kernel gives to clients, and is otherwise
# configured like the others.
nginx_configuration() {
	local target next=$((20000 + RANDOM % 10000))
	((EUID != 0)) || echo 'user root;'
	cat <<-END
	daemon off;
	worker_processes auto;
	worker_rlimit_nofile 8192;
	pid $dir/nginx.pid;
	error_log $dir/nginx.log;
	events {
		worker_connections 4096;
	}
	http {
		access_log off;
		client_body_temp_path $dir/nginx.body;
		fastcgi_temp_path $dir/nginx.fastcgi;
		proxy_temp_path $dir/nginx.proxy;
		scgi_temp_path $dir/nginx.scgi;
		uwsgi_temp_path $dir/nginx.uwsgi;
		keepalive_requests 1000000000;
		fastcgi_keep_conn on;
		include $PWD/nginx/fastcgi_athanor.conf;
	END
	for target in "${targets[@]}"; do
		while listening $((++next)); do :; done
		port[$target]=$next
		cat <<-END
		upstream $target {
			server unix:$dir/$target.sock;
			keepalive 128;
			keepalive_requests 1000;
			keepalive_timeout 1s;
		}
		server {
			listen 127.0.0.1:$next backlog=1024;
			location / {
				fastcgi_pass $target;
			}
		}
		END
	done
	echo '}'
}

get() { curl --noproxy '*' -sf -m 5 "http://127.0.0.1:${port[$1]}$2"; } # TARGET PATH
alive() { kill -0 "$2" 2>/dev/null || die "$1 ended: $(tail -n 5 "$dir/$1.log")"; } # NAME PID
ready() { # TARGET
	alive nginx "$nginx"
	alive "$1" "${worker[$1]}"
	get "$1" /users/1 >/dev/null
}

# The same answers are measured, or the figures mean nothing. (The spike escapes nothing and
# leaves out the age; it is a floor.)
compare_answers() {
	local id mine rival
	for id in 1 2 3 4 10 "$rows"; do
		mine=$(get athanor "/users/$id") rival=$(get threads "/users/$id")
		[ "$mine" = "$rival" ] || die "/users/$id: athanor says $mine, threads $rival"
	done
}

# ---- measuring -----------------------------------------------------------------------------

# ticks PID...: for each the CPU time of the process, its threads and all its descendants, the
# reaped ones included, in clock ticks
ticks() {
	{ cat /proc/[0-9]*/stat 2>/dev/null || true; } | awk -v roots="$*" '
	{
		pid = $1
		sub(/^.*\) /, "") # the name may hold anything
		parent[pid] = $2
		own[pid] = $12 + $13 + $14 + $15
	}
	END {
		n = split(roots, root, " ")
		for (pid in own)
			for (p = pid; p in own; p = parent[p])
				sum[p] += own[pid]
		for (i = 1; i <= n; i++)
			printf "%d%s", sum[root[i]], i < n ? " " : "\n"
	}'
}

# all_ticks TARGET: worker, PostgreSQL, nginx, this script with all but PostgreSQL below it, and
# the whole machine with what its host took from it
all_ticks() {
	echo "$(ticks "${worker[$1]}" "$postmaster" "$nginx" $$)" \
		"$(awk '$1 == "cpu" { print $2 + $3 + $4 + $9 }' /proc/stat)"
}

write_load() {
	cat >"$dir/load.lua" <<-END
	local queue = {}

	function init(args)
	   math.randomseed(os.time())
	   for id = 1, $rows do
	      queue[id] = wrk.format("GET", "/users/" .. id)
	   end
	end

	function request()
	   return queue[math.random($rows)]
	end

	function done(summary, latency, requests)
	   local e = summary.errors
	   io.write(string.format("result %d %d %d %d %.1f %.1f\n", summary.requests,
	      summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
	      latency.mean, latency:percentile(99)))
	end
	END
}

# run_load TARGET CONNECTIONS SECONDS: sets requests, duration (us), socket_errors, mean_us, p99_us
run_load() {
	local non_2xx
	timeout $(($3 + 20)) wrk -t 1 -c "$2" -d "${3}s" --latency -s "$dir/load.lua" \
		"http://127.0.0.1:${port[$1]}/" </dev/null >"$dir/wrk.log" 2>&1 &
	wait $! || die "wrk failed: $(tail -n 5 "$dir/wrk.log")"
	read -r requests duration non_2xx socket_errors mean_us p99_us \
		< <(sed -n 's/^result //p' "$dir/wrk.log")
	((requests > 0)) || die "$1 answered nothing at $2 connections"
	((non_2xx == 0)) || die "$1: $non_2xx of $requests answers at $2 connections were not 2xx"
	alive "$1" "${worker[$1]}"
}

# measure TARGET CONNECTIONS RUN: one line of figures
measure() {
	local before after
	before=$(all_ticks "$1")
	run_load "$1" "$2" "$seconds"
	after=$(all_ticks "$1")
	awk -v line="$1 $2 $3" -v before="$before" -v after="$after" -v requests="$requests" \
		-v duration="$duration" -v errors="$socket_errors" -v mean="$mean_us" \
		-v p99="$p99_us" -v hz="$(getconf CLK_TCK)" -v cpus="$(nproc)" 'BEGIN {
		split(before, b, " ")
		split(after, a, " ")
		rate = requests / duration * 1e6
		printf "%s %.0f", line, rate
		for (i = 1; i <= 3; i++)
			printf " %.2f", (a[i] - b[i]) / hz * 1e6 / requests
		ours = a[4] - b[4] + a[2] - b[2]
		others = (a[5] - b[5] - ours) / hz / (duration / 1e6) / cpus
		printf " %.2f %.1f %d %.3f\n", p99 / 1e3, rate * mean / 1e6, errors, others
	}' >>"$dir/figures"
	say "$1, $2 connections, run $3 of $runs: $((requests * 1000000 / duration)) requests/s"
}

measure_all() {
	local count run target
	for count in 32 128; do
		for target in "${targets[@]}"; do # fills the caches, opens the kept connections
			run_load "$target" "$count" 1
		done
		for ((run = 1; run <= runs; run++)); do
			for target in "${targets[@]}"; do
				measure "$target" "$count" "$run"
			done
		done
	done
}

# Rate times mean latency is the number of requests under way. What is not near the number of
# connections tells of connections that nobody serves: it is too small when they never got an
# answer, and too large when they got it late, since wrk adds the samples that a stall swallowed.
report() {
	awk -v order="${targets[*]}" -v runs="$runs" -v seconds="$seconds" -v rows="$rows" \
		-v cpus="$(nproc)" '
	function sort(list, n,   i, j, value) {
		for (i = 2; i <= n; i++) {
			value = list[i]
			for (j = i - 1; j > 0 && list[j] > value; j--)
				list[j + 1] = list[j]
			list[j + 1] = value
		}
	}
	function middle(list, n) {
		sort(list, n)
		return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
	}
	function median(target, count, column,   i, list) {
		for (i = 1; i <= runs; i++)
			list[i] = figure[target, count, column, i]
		return middle(list, runs)
	}
	function ratio(ours, theirs, column, what, sign, goal,   c, i, list, value, met) {
		if (!(ours in present) || !(theirs in present))
			return
		if (!ratios++)
			printf "\n%-32s %11s  %6s  %-13s  %s\n", "ratio of medians",
				"connections", "", "in rotations", "goal"
		for (c = 1; c <= counts; c++) {
			value = median(ours, count[c], column) / median(theirs, count[c], column)
			for (i = 1; i <= runs; i++)
				list[i] = figure[ours, count[c], column, i] \
					/ figure[theirs, count[c], column, i]
			sort(list, runs)
			met = sign == ">=" ? value >= goal : value <= goal
			printf "%-32s %11d  %6.2f  %5.2f - %5.2f  %s %.2f %s\n",
				ours " / " theirs ", " what, count[c], value, list[1],
				list[runs], sign, goal, met ? "met" : "MISSED"
		}
	}
	{
		if (!($2 in seen)) {
			seen[$2]
			count[++counts] = $2
		}
		for (i = 4; i <= NF; i++)
			figure[$1, $2, i, $3] = $i
	}
	END {
		targets = split(order, target, " ")
		for (t = 1; t <= targets; t++)
			present[target[t]]
		printf "One row of %d by primary key: medians of %d runs of %d s, %d CPUs.\n",
			rows, runs, seconds, cpus
		printf "CPU time is in microseconds a request.\n\n"
		printf "%11s  %-8s %10s %10s %10s %9s %9s %9s\n", "connections", "target",
			"requests/s", "worker CPU", "PostgreSQL", "nginx", "p99 ms", "under way"
		for (c = 1; c <= counts; c++)
			for (t = 1; t <= targets; t++) {
				way = median(target[t], count[c], 9)
				printf "%11d  %-8s %10.0f %10.1f %10.1f %9.1f %9.2f %9.1f\n",
					count[c], target[t], median(target[t], count[c], 4),
					median(target[t], count[c], 5),
					median(target[t], count[c], 6),
					median(target[t], count[c], 7),
					median(target[t], count[c], 8), way
				if (way < count[c] * 0.8 || way > count[c] * 1.25)
					warning[++warnings] = sprintf("%s: rate x latency is %.0f " \
						"at %d connections: some were starved",
						target[t], way, count[c])
				errors = median(target[t], count[c], 10)
				if (errors > 0)
					warning[++warnings] = sprintf("%s: %d time-outs or " \
						"broken connections a run at %d connections",
						target[t], errors, count[c])
				others = median(target[t], count[c], 11)
				if (others > 0.05)
					warning[++warnings] = sprintf("%s: other programs took " \
						"%.0f %% of the CPUs at %d connections",
						target[t], others * 100, count[c])
			}
		ratio("athanor", "spike", 4, "requests/s", ">=", 0.90)
		ratio("athanor", "spike", 5, "worker CPU", "<=", 1.35)
		ratio("athanor", "threads", 4, "requests/s", ">=", 1.40)
		if (warnings)
			print ""
		for (w = 1; w <= warnings; w++)
			print "warning: " warning[w]
	}' "$dir/figures"
}

# ---- memory --------------------------------------------------------------------------------

# Over a million requests in four parts: the memory after each. wrk counts seconds, not requests,
# so a part ends with the run that completes it.
measure_memory() {
	local part total=0
	for part in 1 2 3 4; do
		while ((total < part * 250000)); do
			run_load athanor 128 5
			total=$((total + requests))
			say "$total requests"
		done
		awk -v total="$total" '/^VmRSS:/ { rss = $2 / 1024 }
			/^VmHWM:/ { high = $2 / 1024 }
			END { print total, rss, high }' "/proc/${worker[athanor]}/status"
	done >"$dir/figures"
}

# Flat: what the first quarter reached is not passed by more than a twentieth.
report_memory() {
	awk '
	BEGIN {
		printf "Memory of the worker at 128 connections, in MiB.\n\n"
		printf "%10s %8s %8s\n", "requests", "VmRSS", "VmHWM"
	}
	NR == 1 { first = $2 }
	{ printf "%10d %8.1f %8.1f\n", $1, $2, $3 }
	END {
		printf "\nat most %.1f: goal < 12 %s\n", $3, $3 < 12 ? "met" : "MISSED"
		printf "after the first quarter x %.3f: goal flat, <= 1.05 %s\n", $2 / first,
			$2 / first <= 1.05 ? "met" : "MISSED"
	}' "$dir/figures"
}

# --------------------------------------------------------------------------------------------

runs=5 seconds=5 memory=false
while (($# > 0)); do
	case $1:${2-} in
	--memory:*) memory=true && shift && continue ;;
	--runs:[1-9]*) runs=$2 ;;
	--seconds:[1-9]*) seconds=$2 ;;
	*)
		sed -n '2,/^set/s/^# \{0,1\}//p' tests/bench/bench.sh >&2
		exit 2
		;;
	esac
	shift 2
done
for program in build/users build/tests/bench/threads; do
	[ -x "$program" ] || die "$program is not built: make bench"
done
type curl nginx spawn-fcgi wrk >/dev/null ||
	die "packages are missing: nginx/stack.sh packages test"

declare -A worker port # by target
targets=()
dir=$(mktemp -d /tmp/ath-bench.XXXXXX)
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
start_database
start_worker athanor build/users
start_worker threads build/tests/bench/threads
if ! $memory && [ -r $spike ]; then
	"${CC:-gcc}" -O2 -w "-I$(pg_config --includedir)" $spike -lpq -o "$dir/spike"
	start_worker spike "$dir/spike" \
		"host=$dir/pg user=postgres dbname=bench options='-c search_path=spike'"
fi
nginx_configuration >"$dir/nginx.conf"
nginx -p "$dir" -e "$dir/nginx.log" -c "$dir/nginx.conf" </dev/null >"$dir/nginx.out" 2>&1 &
nginx=$!
for target in "${targets[@]}"; do
	within 20 ready "$target" || die "$target does not answer: $(tail -n 5 "$dir/$target.log")"
done
compare_answers
write_load
if $memory; then
	measure_memory
	report_memory
else
	measure_all
	report
fi
