#!/bin/bash
# Behind nginx, from PostgreSQL: how many requests a second, and what each costs.
#
#   bench.sh [--runs 5] [--seconds 5] [WORKLOAD...]   the tables
#   bench.sh --memory                                 the application's memory over a million requests
#
#   json        a JSON answer that needs no database
#   row         one row by primary key
#   20-rows     a page of them
#   1000-rows   a larger one, of some 80 KB
#   post        one row from a JSON body, and the commit
#   upload      a body of 1,000,000 bytes, of which the length is told
#
#   athanor   tests/bench/application.c: the users of app/, with the ORM
#   threads   tests/bench/threads.c: thread per request, libfcgi and libpq by hand
#   bare      tests/bench/bare.c: one thread, epoll and libpq's pipelines by hand; the floor
#
# All give the same answers, get the same private PostgreSQL, the same nginx and the same load, from
# 32 connections, and one row from 128 as well. They take turns, so that the drift of the machine
# meets each of them alike: only the ratios of one run mean anything. A missed goal is printed, and
# is no failure: the exit status is 1 when answers were wrong or something did not start.
set -euo pipefail
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/../.."

readonly rows=10000 upload=1000000 all=(json row 20-rows 1000-rows post upload)

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

# Some names need escaping, and some ages are NULL.
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
	vacuum analyze users;
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
		fastcgi_buffer_size 16k;
		fastcgi_buffers 32 16k;
		client_max_body_size 2m;
		client_body_buffer_size 1m;
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

# get TARGET PATH [OPTION_OF_CURL...]
get() { curl --noproxy '*' -sf -m 5 "${@:3}" "http://127.0.0.1:${port[$1]}$2"; }
alive() { kill -0 "$2" 2>/dev/null || die "$1 ended: $(tail -n 5 "$dir/$1.log")"; } # NAME PID
ready() { # TARGET
	alive nginx "$nginx"
	alive "$1" "${worker[$1]}"
	get "$1" /users/1 >/dev/null
}

# The same answers are measured, or the figures mean nothing. A stored row has another id each time.
compare_answers() {
	local path target mine rival
	for path in /hello /users/{1,2,3,4,10,$rows} '/users?limit=20&offset=40' '/users?limit=1000'; do
		mine=$(get athanor "$path")
		for target in threads bare; do
			rival=$(get "$target" "$path")
			[ "$mine" = "$rival" ] ||
				die "$path: athanor says ${mine:0:500}, $target ${rival:0:500}"
		done
	done
	for target in "${targets[@]}"; do
		rival=$(get "$target" /upload --data-binary "@$dir/upload")
		[ "$rival" = $upload ] || die "/upload: $target says $rival"
		rival=$(get "$target" /users -H 'Content-Type: application/json' -d \
			"{\"name\":\"A \\\"B\\\"\",\"email\":\"$target@example.org\",\"age\":null}")
		[[ $rival =~ ^\{\"id\":[0-9]+,\"name\":\"A\ \\\"B\\\"\",\"email\":\"$target@example.org\",\"age\":null\}$ ]] ||
			die "POST /users: $target says $rival"
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

# One script of wrk's for each workload. Stored rows have a name that no other run has, since an email
# is there only once.
write_loads() {
	local workload
	head -c $upload /dev/zero | tr '\0' x >"$dir/upload"
	for workload in "${all[@]}"; do
		cat >"$dir/$workload.lua" <<-END
		local workload = "$workload"
		local queue, serial, stamp = {}, 0, ""

		function init(args)
		   local file
		   math.randomseed(os.time())
		   stamp = args[1]
		   if workload == "json" then
		      queue[1] = wrk.format("GET", "/hello")
		   elseif workload == "row" then
		      for id = 1, $rows do
		         queue[id] = wrk.format("GET", "/users/" .. id)
		      end
		   elseif workload == "20-rows" then
		      for page = 1, 10 do
		         queue[page] = wrk.format("GET", "/users?limit=20&offset=" .. 20 * page)
		      end
		   elseif workload == "1000-rows" then
		      queue[1] = wrk.format("GET", "/users?limit=1000")
		   elseif workload == "upload" then
		      file = io.open("$dir/upload")
		      queue[1] = wrk.format("POST", "/upload", {}, file:read("*a"))
		      file:close()
		   end
		end

		function request()
		   if workload ~= "post" then
		      return queue[math.random(#queue)]
		   end
		   serial = serial + 1
		   return wrk.format("POST", "/users", { ["Content-Type"] = "application/json" },
		      string.format('{"name":"User Number %d","email":"%s.%d@example.com","age":36}',
		         serial, stamp, serial))
		end

		function done(summary, latency, requests)
		   local e = summary.errors
		   io.write(string.format("result %d %d %d %d %.1f %.1f\n", summary.requests,
		      summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
		      latency.mean, latency:percentile(99)))
		end
		END
	done
}

# run_load TARGET WORKLOAD CONNECTIONS SECONDS: sets requests, duration (us), socket_errors, mean_us,
# p99_us
run_load() {
	local non_2xx
	loads=$((loads + 1))
	timeout $(($4 + 20)) wrk -t 1 -c "$3" -d "${4}s" --latency -s "$dir/$2.lua" \
		"http://127.0.0.1:${port[$1]}/" "$1.$loads" </dev/null >"$dir/wrk.log" 2>&1 &
	wait $! || die "wrk failed: $(tail -n 5 "$dir/wrk.log")"
	read -r requests duration non_2xx socket_errors mean_us p99_us \
		< <(sed -n 's/^result //p' "$dir/wrk.log")
	((requests > 0)) || die "$1 answered nothing: $2 at $3 connections"
	((non_2xx == 0)) || die "$1: $non_2xx of $requests answers were not 2xx: $2 at $3 connections:" \
		"$(tail -n 3 "$dir/$1.log" "$dir/nginx.log")"
	alive "$1" "${worker[$1]}"
}

# measure TARGET WORKLOAD CONNECTIONS RUN: one line of figures
measure() {
	local before after
	before=$(all_ticks "$1")
	run_load "$1" "$2" "$3" "$seconds"
	after=$(all_ticks "$1")
	awk -v line="$1 $2@$3 $4" -v before="$before" -v after="$after" -v requests="$requests" \
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
	say "$2, $1, $3 connections, run $4 of $runs: $((requests * 1000000 / duration)) requests/s"
}

# measure_all WORKLOAD CONNECTIONS
measure_all() {
	local run target
	for target in "${targets[@]}"; do # fills the caches, opens the kept connections
		run_load "$target" "$1" "$2" 1
	done
	for ((run = 1; run <= runs; run++)); do
		for target in "${targets[@]}"; do
			measure "$target" "$1" "$2" "$run"
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
	function ratio(ours, theirs, column, what, sign, goal,   c, i, list, value, met, text) {
		if (!(ours in present) || !(theirs in present))
			return
		if (!ratios++)
			printf "\n%-32s %13s  %6s  %-13s  %s\n", "ratio of medians",
				"", "", "in rotations", "goal"
		for (c = 1; c <= counts; c++) {
			value = median(ours, count[c], column) / median(theirs, count[c], column)
			for (i = 1; i <= runs; i++)
				list[i] = figure[ours, count[c], column, i] \
					/ figure[theirs, count[c], column, i]
			sort(list, runs)
			met = sign == ">=" ? value >= goal : value <= goal
			text = sprintf("%s %.2f %s", sign, goal, met ? "met" : "MISSED")
			printf "%-32s %13s  %6.2f  %5.2f - %5.2f  %s\n",
				ours " / " theirs ", " what, count[c], value, list[1],
				list[runs], count[c] ~ /^row@/ ? text : ""
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
		printf "%d rows, 32 connections or 128: medians of %d runs of %d s, %d CPUs.\n",
			rows, runs, seconds, cpus
		printf "CPU time is in microseconds a request.\n\n"
		printf "%13s  %-8s %10s %10s %10s %9s %9s %9s\n", "workload", "target",
			"requests/s", "worker CPU", "PostgreSQL", "nginx", "p99 ms", "under way"
		for (c = 1; c <= counts; c++)
			for (t = 1; t <= targets; t++) {
				way = median(target[t], count[c], 9)
				printf "%13s  %-8s %10.0f %10.1f %10.1f %9.1f %9.2f %9.1f\n",
					count[c], target[t], median(target[t], count[c], 4),
					median(target[t], count[c], 5),
					median(target[t], count[c], 6),
					median(target[t], count[c], 7),
					median(target[t], count[c], 8), way
				split(count[c], part, "@")
				if (way < part[2] * 0.8 || way > part[2] * 1.25)
					warning[++warnings] = sprintf("%s: rate x latency is %.0f " \
						"at %s: some were starved",
						target[t], way, count[c])
				errors = median(target[t], count[c], 10)
				if (errors > 0)
					warning[++warnings] = sprintf("%s: %d time-outs or " \
						"broken connections a run at %s",
						target[t], errors, count[c])
				others = median(target[t], count[c], 11)
				if (others > 0.05)
					warning[++warnings] = sprintf("%s: other programs took " \
						"%.0f %% of the CPUs at %s",
						target[t], others * 100, count[c])
			}
		ratio("athanor", "bare", 4, "requests/s", ">=", 0.90)
		ratio("athanor", "bare", 5, "worker CPU", "<=", 1.35)
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
			run_load athanor row 128 5
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

runs=5 seconds=5 memory=false loads=0
workloads=()
while (($# > 0)); do
	case $1:${2-} in
	--memory:*) memory=true && shift && continue ;;
	--runs:[1-9]*) runs=$2 ;;
	--seconds:[1-9]*) seconds=$2 ;;
	json:* | row:* | 20-rows:* | 1000-rows:* | post:* | upload:*)
		workloads+=("$1")
		shift
		continue
		;;
	*)
		sed -n '2,/^set/s/^# \{0,1\}//p' tests/bench/bench.sh >&2
		exit 2
		;;
	esac
	shift 2
done
for program in build/users build/tests/bench/{application,threads,bare}; do
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
start_worker athanor build/tests/bench/application
start_worker threads build/tests/bench/threads
start_worker bare build/tests/bench/bare
nginx_configuration >"$dir/nginx.conf"
nginx -p "$dir" -e "$dir/nginx.log" -c "$dir/nginx.conf" </dev/null >"$dir/nginx.out" 2>&1 &
nginx=$!
for target in "${targets[@]}"; do
	within 20 ready "$target" || die "$target does not answer: $(tail -n 5 "$dir/$target.log")"
done
write_loads
compare_answers
if $memory; then
	measure_memory
	report_memory
else
	for workload in "${workloads[@]:-${all[@]}}"; do
		measure_all "$workload" 32
		[ "$workload" != row ] || measure_all row 128
	done
	report
fi
