#!/bin/bash
#
# bench.sh - one row by primary key, as JSON, behind nginx from PostgreSQL: how many requests
# a second, and what each costs. Targets:
#
#   athanor  the application (--users)
#   threads  tests/bench/threads.c: thread per request, libfcgi and libpq
#   spike    ../shared/spike/worker.c, a reference worker beside the checkout, when there is one
#
# All get the same private PostgreSQL, the same nginx configuration and the same load, in
# rotation, so that the drift of the machine meets each of them alike: only the ratios of one
# run mean anything. Everything lives in a private directory under /tmp and ends with the script.
#
# The table goes to stdout, progress to stderr. A missed goal is printed, and is no failure: the
# exit status is 1 when answers were wrong or something did not start, 2 for a wrong call.

set -euo pipefail
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

runs=5
seconds=5
connections="32 128"
targets="athanor threads spike"
users=build/users
threads=16
memory=false

readonly rows=10000
readonly memory_connections=128 memory_step=250000 memory_steps=4 memory_limit_mib=12
readonly ready_seconds=20 end_seconds=10

usage()
{
	cat <<-END
	usage: tests/bench/bench.sh [options]
	  --runs N            runs of each target and number of connections ($runs)
	  --seconds N         length of a run ($seconds)
	  --connections LIST  numbers of connections ("$connections")
	  --targets LIST      what to measure ("$targets")
	  --users PROGRAM     the application, from the root of the repository ($users)
	  --threads N         threads of the thread-per-request program ($threads)
	  --memory            instead: the application's memory over a million requests
	END
}

say()
{
	printf 'bench: %s\n' "$*" >&2
}

die()
{
	say "$@"
	exit 1
}

wrong_call()
{
	say "$@"
	usage >&2
	exit 2
}

number()
{
	[[ $2 =~ ^[1-9][0-9]{0,5}$ ]] || wrong_call "$1 takes a whole number above 0, not '$2'"
}

while (($# > 0)); do
	case $1 in
	--help)
		usage
		exit
		;;
	--memory)
		memory=true
		shift
		continue
		;;
	--runs | --seconds | --connections | --targets | --users | --threads) ;;
	*) wrong_call "unknown option '$1'" ;;
	esac
	[[ -n ${2-} ]] || wrong_call "$1 needs a value"
	case $1 in
	--runs | --seconds | --threads) number "$1" "$2" ;;
	--connections) for n in $2; do number "$1" "$n"; done ;;
	--targets)
		for t in $2; do
			[[ $t =~ ^(athanor|threads|spike)$ ]] || wrong_call "unknown target '$t'"
		done
		;;
	esac
	printf -v "${1#--}" %s "$2"
	shift 2
done
$memory && targets=athanor

root=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
cd "$root"

for tool in cc nginx pg_config setpriv spawn-fcgi timeout wrk; do
	type "$tool" >/dev/null 2>&1 || die "$tool is not installed"
done
pg_bin=$(pg_config --bindir)
[[ -x $pg_bin/initdb ]] || die "PostgreSQL's server programs are not in $pg_bin"

# PostgreSQL refuses root, and nginx needs no more: root gives both to another user.
owner=$(id -un)
as_owner=()
if ((EUID == 0)); then
	owner=postgres
	id "$owner" >/dev/null 2>&1 || die "as root this needs a user named $owner"
	as_owner=(setpriv "--reuid=$owner" "--regid=$owner" --init-groups --)
fi

# ---- what was started, and its end ---------------------------------------------------------

dir=
postmaster=
nginx=
load=
declare -A worker # by target

# wait_until SECONDS COMMAND...: until the command succeeds
wait_until()
{
	local deadline=$((SECONDS + $1))

	shift
	until "$@"; do
		((SECONDS < deadline)) || return 1
		sleep 0.05 # between two looks, not instead of one
	done
}

gone()
{
	! kill -0 "$1" 2>/dev/null
}

# end PID SIGNAL: asks, waits, and kills what does not listen
end()
{
	if [[ -z $1 ]] || gone "$1"; then
		return 0
	fi
	kill "-$2" "$1" 2>/dev/null
	if wait_until "$end_seconds" gone "$1"; then
		return 0
	fi
	say "process $1 did not end on SIG$2"
	kill -KILL "$1" 2>/dev/null
	wait_until "$end_seconds" gone "$1"
}

cleanup()
{
	local target

	set +e # whatever fails, the rest is ended too
	trap '' HUP INT TERM
	end "$load" TERM
	end "$nginx" TERM
	for target in "${!worker[@]}"; do
		end "${worker[$target]}" TERM
	done
	end "$postmaster" INT # fast shutdown: does not wait for clients
	[[ -z $dir ]] || rm -rf "$dir"
}

trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

dir=$(mktemp -d /tmp/ath-bench.XXXXXX)
((EUID != 0)) || chown "$owner:" "$dir" # mode 0700: of root and this user alone

# log_of NAME: the last lines of a log, for a message
log_of()
{
	tail -n 5 "$dir/$1.log" 2>/dev/null || true
}

# ---- the database --------------------------------------------------------------------------

start_postgres()
{
	say "starting a private PostgreSQL in $dir"
	(cd "$dir" && exec "${as_owner[@]}" "$pg_bin/initdb" -D "$dir/pg" -U bench -A trust \
		--no-locale -E UTF8 --no-sync) >"$dir/initdb.log" 2>&1 ||
		die "initdb failed:" "$(log_of initdb)"
	cat >>"$dir/pg/postgresql.conf" <<-END
	listen_addresses = ''
	unix_socket_directories = '$dir/pg'
	shared_buffers = 128MB
	max_connections = 100
	END
	(cd "$dir" && exec "${as_owner[@]}" "$pg_bin/postgres" -D "$dir/pg") \
		</dev/null >"$dir/postgres.log" 2>&1 &
	postmaster=$!
	wait_until "$ready_seconds" postgres_ready ||
		die "PostgreSQL did not start:" "$(log_of postgres)"
}

postgres_ready()
{
	! gone "$postmaster" || die "PostgreSQL ended:" "$(log_of postgres)"
	"$pg_bin/pg_isready" -q -h "$dir/pg" -U bench -d postgres
}

# sql DATABASE: statements from stdin
sql()
{
	psql -X -q -At -v ON_ERROR_STOP=1 -h "$dir/pg" -U bench -d "$1"
}

# The tables are the application's own. Without its program they come from the same file.
make_tables()
{
	local file=sql/20260101000000_users_and_posts.sql

	sql postgres <<<'create database bench'
	if [[ -x $users ]] && DATABASE_URL=$url "$users" migrate >"$dir/migrate.log" 2>&1; then
		return
	fi
	[[ ! -x $users ]] || say "$users migrate failed, taking $file:" "$(log_of migrate)"
	[[ -r $file ]] || die "there is neither a program $users nor a file $file"
	sed -n '/^-- migrate:up/,/^-- migrate:down/p' "$file" | sql bench
}

# Some names need escaping, and some ages are NULL. The spike knows only 4-byte ids: it has a
# table of its own, with the same rows.
fill_tables()
{
	sql bench <<-END
	set client_min_messages = warning;
	truncate users restart identity cascade;
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
	[[ $(sql bench <<<'select min(id), max(id) from users') == "1|$rows" ]] ||
		die "the users do not have the ids 1 to $rows"
}

# ---- the workers and nginx -----------------------------------------------------------------

# spawn TARGET COMMAND...: -n keeps the process our child, so its id is known and its stderr kept
spawn()
{
	local target=$1 socket_owner=()

	shift
	((EUID != 0)) || socket_owner=(-U "$owner")
	spawn-fcgi -n -s "$dir/$target.sock" -b 1024 -M 0600 "${socket_owner[@]}" -- "$@" \
		>"$dir/$target.log" 2>&1 &
	worker[$target]=$!
}

start_worker()
{
	local source=../shared/spike/worker.c conninfo

	case $1 in
	athanor)
		if [[ ! -x $users ]]; then
			say "athanor is skipped: there is no program $users"
			return
		fi
		DATABASE_URL=$url spawn athanor "$(realpath "$users")"
		;;
	threads)
		if [[ ! -x build/tests/bench/threads ]]; then
			say "threads is skipped: there is no program build/tests/bench/threads"
			return
		fi
		DATABASE_URL=$url spawn threads "$root/build/tests/bench/threads" "$threads"
		;;
	spike)
		if [[ ! -r $source ]]; then
			say "spike is skipped: there is no file $source"
			return
		fi
		cc -O2 -w "-I$(pg_config --includedir)" "$source" -lpq -o "$dir/spike" ||
			die "the spike does not compile"
		conninfo="host=$dir/pg user=bench dbname=bench options='-c search_path=spike'"
		spawn spike "$dir/spike" "$conninfo"
		;;
	esac
}

parameters()
{
	if [[ -r nginx/fastcgi_athanor.conf ]]; then
		cat nginx/fastcgi_athanor.conf
		return
	fi
	cat <<-'END'
	fastcgi_param GATEWAY_INTERFACE CGI/1.1;
	fastcgi_param REQUEST_METHOD    $request_method;
	fastcgi_param REQUEST_SCHEME    $scheme;
	fastcgi_param REQUEST_URI       $request_uri;
	fastcgi_param SCRIPT_NAME       $fastcgi_script_name;
	fastcgi_param QUERY_STRING      $query_string;
	fastcgi_param CONTENT_TYPE      $content_type;
	fastcgi_param CONTENT_LENGTH    $content_length;
	fastcgi_param SERVER_PROTOCOL   $server_protocol;
	fastcgi_param SERVER_SOFTWARE   nginx;
	fastcgi_param SERVER_NAME       $server_name;
	fastcgi_param SERVER_ADDR       $server_addr;
	fastcgi_param SERVER_PORT       $server_port;
	fastcgi_param REMOTE_ADDR       $remote_addr;
	fastcgi_param REMOTE_PORT       $remote_port;
	fastcgi_param HTTP_PROXY        "";
	END
}

# nginx_configuration: the same for each target; its port is the only difference
nginx_configuration()
{
	local target

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
		default_type application/octet-stream;
		keepalive_requests 1000000000;
		fastcgi_keep_conn on;
	END
	for target in "${!worker[@]}"; do
		cat <<-END
		upstream $target {
			server unix:$dir/$target.sock;
			keepalive 128;
			keepalive_requests 1000;
			keepalive_timeout 1s;
		}
		server {
			listen 127.0.0.1:${port[$target]} backlog=1024;
			location / {
				include $dir/parameters.conf;
				fastcgi_pass $target;
			}
		}
		END
	done
	echo '}'
}

listening()
{
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# choose_ports: one after the other, below the range that the kernel gives to clients
choose_ports()
{
	local next=$((20000 + RANDOM % 10000)) target

	for target in "${!worker[@]}"; do
		while listening $((++next)); do :; done
		port[$target]=$next
	done
}

nginx_ready()
{
	local target

	gone "$nginx" && return
	for target in "${!worker[@]}"; do
		listening "${port[$target]}" || return
	done
}

# Another program may take a port between our look and nginx's: then others are tried.
start_nginx()
{
	local attempt

	parameters >"$dir/parameters.conf"
	for attempt in 1 2 3 4 5; do
		choose_ports
		nginx_configuration >"$dir/nginx.conf"
		(cd "$dir" && exec "${as_owner[@]}" nginx -p "$dir" -e "$dir/nginx.log" \
			-c "$dir/nginx.conf") </dev/null >"$dir/nginx.out" 2>&1 &
		nginx=$!
		wait_until "$ready_seconds" nginx_ready || true
		! gone "$nginx" && return
		grep -q 'Address already in use' "$dir/nginx.log" || break
		say "attempt $attempt: a port was taken in the meantime"
	done
	die "nginx did not start:" "$(log_of nginx)"
}

# get TARGET PATH: the whole answer
get()
{
	local answer

	exec 3<>"/dev/tcp/127.0.0.1/${port[$1]}" || return
	printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
	answer=$(timeout 5 cat <&3) || answer=
	exec 3>&-
	printf %s "$answer"
}

worker_ready()
{
	! gone "${worker[$1]}" || die "$1 ended:" "$(log_of "$1")"
	[[ $(get "$1" /users/1) == HTTP/1.?' 200 '* ]]
}

# The same answers are measured, or the figures mean nothing. (The spike escapes nothing and
# leaves out the age; it is a floor.)
compare_answers()
{
	local id mine rival

	[[ -n ${worker[athanor]-} && -n ${worker[threads]-} ]] || return 0
	for id in 1 2 3 4 10 "$rows"; do
		mine=$(get athanor "/users/$id")
		rival=$(get threads "/users/$id")
		mine=${mine#*$'\r\n\r\n'}
		rival=${rival#*$'\r\n\r\n'}
		[[ $mine == "$rival" ]] ||
			die "answers to /users/$id differ: athanor: $mine threads: $rival"
	done
}

# ---- measuring -----------------------------------------------------------------------------

# ticks PID...: for each the CPU time of the process, its threads and all its descendants, the
# reaped ones included, in clock ticks
ticks()
{
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

# machine_ticks: what all CPUs did for anybody, and what the host took from them
machine_ticks()
{
	awk '$1 == "cpu" { print $2 + $3 + $4 + $9 }' /proc/stat
}

# all_ticks TARGET: worker, PostgreSQL, nginx, everything of ours with the load, the machine
all_ticks()
{
	echo "$(ticks "${worker[$1]}" "$postmaster" "$nginx" $$) $(machine_ticks)"
}

write_load()
{
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

# run_load TARGET CONNECTIONS SECONDS: sets requests, duration (us), non_2xx, socket_errors,
# mean_us, p99_us
run_load()
{
	timeout $(($3 + 20)) wrk -t 1 -c "$2" -d "${3}s" --latency -s "$dir/load.lua" \
		"http://127.0.0.1:${port[$1]}/" </dev/null >"$dir/wrk.log" 2>&1 &
	load=$!
	wait "$load" || die "wrk failed:" "$(log_of wrk)"
	load=
	read -r requests duration non_2xx socket_errors mean_us p99_us \
		< <(sed -n 's/^result //p' "$dir/wrk.log") || die "wrk gave no result:" "$(log_of wrk)"
	((requests > 0)) || die "$1 answered nothing at $2 connections"
	if ((non_2xx > 0)); then
		say "$1: $non_2xx of $requests answers at $2 connections were not 2xx"
		failed=true
	fi
	! gone "${worker[$1]}" || die "$1 ended:" "$(log_of "$1")"
}

# measure TARGET CONNECTIONS RUN: one line of figures
measure()
{
	local before after

	before=$(all_ticks "$1")
	run_load "$1" "$2" "$seconds"
	after=$(all_ticks "$1")
	awk -v target="$1" -v connections="$2" -v run="$3" -v before="$before" -v after="$after" \
		-v requests="$requests" -v duration="$duration" -v errors="$socket_errors" \
		-v mean="$mean_us" -v p99="$p99_us" -v hz="$(getconf CLK_TCK)" \
		-v cpus="$(nproc)" 'BEGIN {
		split(before, b, " ")
		split(after, a, " ")
		rate = requests / duration * 1e6
		printf "%s %d %d %.0f", target, connections, run, rate
		for (i = 1; i <= 3; i++)
			printf " %.2f", (a[i] - b[i]) / hz * 1e6 / requests
		others = (a[5] - b[5] - (a[4] - b[4])) / hz / (duration / 1e6) / cpus
		printf " %.2f %.1f %d %.3f\n", p99 / 1e3, rate * mean / 1e6, errors, others
	}'
}

measure_all()
{
	local count run target line done=0 total

	total=$(($(wc -w <<<"$connections") * runs * ${#worker[@]}))
	for count in $connections; do
		for target in $present; do # fills the caches, opens the kept connections
			run_load "$target" "$count" 1
		done
		for ((run = 1; run <= runs; run++)); do
			for target in $present; do
				measure "$target" "$count" "$run" >"$dir/line"
				cat "$dir/line" >>"$dir/figures"
				line=$(cut -d ' ' -f 4 "$dir/line")
				say "$((++done))/$total: $target, $count connections: $line requests/s"
			done
		done
	done
}

# Rate times mean latency is the number of requests under way. What is not near the number of
# connections tells of connections that nobody serves: it is too small when they never got an
# answer, and too large when they got it late, since wrk adds the samples that a stall swallowed.
report()
{
	awk -v order="$present" -v runs="$runs" -v seconds="$seconds" -v rows="$rows" \
		-v threads="$threads" -v cpus="$(nproc)" '
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
		printf "One row of %d by primary key: medians of %d runs of %d s, %d CPUs",
			rows, runs, seconds, cpus
		printf "%s.\n", "threads" in present ? ", " threads " threads" : ""
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

# memory_of PID: VmRSS and VmHWM in KiB, of the largest when the process has workers below it
memory_of()
{
	{ cat /proc/[0-9]*/status 2>/dev/null || true; } | awk -v root="$1" '
	$1 == "Pid:" { pid = $2 }
	$1 == "PPid:" { parent[pid] = $2 }
	$1 == "VmHWM:" { high[pid] = $2 }
	$1 == "VmRSS:" { resident[pid] = $2 }
	END {
		for (pid in resident) {
			for (p = pid; p != root && p in parent; p = parent[p])
				;
			if (p == root && resident[pid] > most) {
				most = resident[pid]
				peak = high[pid]
			}
		}
		print most + 0, peak + 0
	}'
}

# wrk counts seconds, not requests: each run is as long as what is missing took before
measure_memory()
{
	local step total=0 length rate=0

	echo "0 $(memory_of "${worker[athanor]}")" >"$dir/figures"
	for ((step = 1; step <= memory_steps; step++)); do
		while ((total < step * memory_step)); do
			length=2
			((rate == 0)) || length=$(((step * memory_step - total) / rate + 1))
			run_load athanor "$memory_connections" $((length < 60 ? length : 60))
			total=$((total + requests))
			rate=$((requests * 1000000 / duration + 1))
			say "$total requests, $rate a second"
		done
		echo "$total $(memory_of "${worker[athanor]}")" >>"$dir/figures"
	done
}

# Flat: what the first quarter reached is not passed by more than a twentieth.
report_memory()
{
	awk -v connections="$memory_connections" -v limit="$memory_limit_mib" '
	BEGIN {
		printf "Memory of the worker at %d connections, in MiB.\n\n", connections
		printf "%10s %8s %8s\n", "requests", "VmRSS", "VmHWM"
	}
	{
		printf "%10d %8.1f %8.1f\n", $1, $2 / 1024, $3 / 1024
		resident[NR] = $2
		high = $3 / 1024
	}
	END {
		printf "\nat most %.1f MiB: goal < %d %s\n", high, limit,
			high < limit ? "met" : "MISSED"
		growth = resident[NR] / resident[2]
		printf "after the first quarter x %.3f: goal flat, <= 1.05 %s\n", growth,
			growth <= 1.05 ? "met" : "MISSED"
	}' "$dir/figures"
}

# --------------------------------------------------------------------------------------------

declare -A port # by target
failed=false
url="postgresql://bench@/bench?host=$dir/pg"

start_postgres
make_tables
fill_tables
write_load
for target in $targets; do
	start_worker "$target"
done
((${#worker[@]} > 0)) || die "nothing to measure"
start_nginx
present=
for target in $targets; do
	[[ -n ${worker[$target]-} ]] || continue
	wait_until "$ready_seconds" worker_ready "$target" ||
		die "$target does not answer:" "$(log_of "$target")"
	present+="${present:+ }$target"
done
compare_answers

if $memory; then
	measure_memory
	report_memory
else
	measure_all
	report
fi
! $failed || die "not all answers were 2xx: the figures mean nothing"
