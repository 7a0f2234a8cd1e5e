#!/bin/bash
# What running it costs: the application under its master, as in production, behind nginx.
#
#   operations.sh [--runs 5] [--seconds 4] [PART...]
#
#   start      from the start of the program to its first answer, the database being up
#   reload     four workers are replaced one by one, under load; the slowest request meanwhile
#   observe    access log to a file and /-/metrics read once a second, beside neither
#   workers    two workers beside one
#   idle       10,000 connections with one worker that do nothing
#   overload   five times as many requests as four connections of a pool can serve, or the CPU
#
# PostgreSQL is private; nginx keeps connections as in production.conf. What is compared takes
# turns, so that the drift of the machine meets both alike: only the ratios of one run mean
# anything. Load, nginx and PostgreSQL have the same CPUs as the workers. A missed goal is printed,
# and is no failure: the exit status is 1 when a request was lost or something did not start.
set -euo pipefail
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
cd "$(dirname "$0")/../.."
unset "${!ATHANOR_@}"

readonly all=(start reload observe workers idle overload) rows=10000 idle=10000 times=20

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

# ---- figures -------------------------------------------------------------------------------

milliseconds_since() { # EPOCHREALTIME
	awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", (to - from) * 1000 }'
}
# Of the numbers on standard input: the median, the least and the most.
spread() {
	sort -g | awk '{ value[NR] = $1 }
		END {
			low = value[int((NR + 1) / 2)]
			middle = (low + value[int(NR / 2) + 1]) / 2
			print middle, value[1], value[NR]
		}'
}
goal() { # VALUE <=|>= GOAL
	awk -v value="$1" -v sign="$2" -v goal="$3" 'BEGIN {
		met = sign == "<=" ? value <= goal : value >= goal
		printf "goal %s %s %s", sign, goal, met ? "met" : "MISSED"
	}'
}
table() { printf '\n%s\n\n%-44s %10s %10s %10s\n' "$1" '' median least most; }
# line NAME FILE [SIGN GOAL]: a column of numbers
line() {
	local median least most
	read -r median least most < <(spread <"$2")
	printf '%-44s %10.2f %10.2f %10.2f  %s\n' "$1" "$median" "$least" "$most" \
		"${3:+$(goal "$median" "$3" "$4")}"
}

# ---- what is measured ----------------------------------------------------------------------

ended() { [ -z "$(jobs -pr)" ]; }
clean_up() {
	trap '' HUP INT TERM
	jobs -p | xargs -r kill 2>/dev/null || true
	within 20 ended || { jobs -p | xargs -r kill -KILL 2>/dev/null || true; }
	sql/cluster.sh remove "$dir" || true
	rm -rf "$dir"
}

start_database() {
	local psql=(psql -X -q -v ON_ERROR_STOP=1)
	say "starting a private PostgreSQL in $dir"
	sql/cluster.sh start "$dir"
	unset "${!PG@}"
	DATABASE_URL=$(sql/cluster.sh url "$dir" bench)
	export DATABASE_URL
	"${psql[@]}" "$(sql/cluster.sh url "$dir")" <<<'create database bench'
	build/users migrate >&2
	"${psql[@]}" "$DATABASE_URL" <<-END
	insert into users (name, email, age)
	select 'User Number ' || i, 'user' || i || '@example.com', 18 + i % 60
	from generate_series(1, $rows) as i order by i;
	vacuum analyze users;
	checkpoint;
	END
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# One port for each of the two sockets, a and b.
start_nginx() {
	local target next=$((20000 + RANDOM % 10000))
	{
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
			include $PWD/nginx/fastcgi_athanor.conf;
		END
		for target in a b; do
			while listening $((++next)); do :; done
			port[$target]=$next
			cat <<-END
			upstream $target {
				server unix:$dir/$target.sock;
				keepalive 32;
				keepalive_timeout 1s;
				keepalive_time 10s;
				keepalive_requests 1000;
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
	} >"$dir/nginx.conf"
	nginx -p "$dir" -e "$dir/nginx.log" -c "$dir/nginx.conf" </dev/null >"$dir/nginx.out" 2>&1 &
	within 20 listening "${port[b]}" || die "nginx: $(tail -n 5 "$dir/nginx.log")"
}

# start_master TARGET WORKERS [NAME=VALUE...]: until it answers
start_master() {
	env ATHANOR_LISTEN="unix:$dir/$1.sock" ATHANOR_WORKERS="$2" "${@:3}" \
		"$program" serve </dev/null >/dev/null 2>>"$dir/$1.log" &
	master[$1]=$!
	"$load_program" first "${port[$1]}" "$ready" ||
		die "$1: $(tail -n 5 "$dir/$1.log" "$dir/nginx.log")"
}
gone() { ! kill -0 "$1" 2>/dev/null; }
stop_master() { # TARGET
	kill "${master[$1]}"
	within 30 gone "${master[$1]}" || die "$1 does not end"
	wait "${master[$1]}" || die "$1: $(tail -n 5 "$dir/$1.log")"
}

# The CPU time of the process and its children, also of those that are gone, in clock ticks.
ticks() { # PID
	local pid
	for pid in "$1" $(pgrep -P "$1"); do
		sed 's/^.*) //' "/proc/$pid/stat"
	done | awk 'NR == 1 { sum = $14 + $15 } { sum += $12 + $13 } END { print sum }'
}

write_load() {
	cat >"$dir/row.lua" <<-END
	function init(args)
	   math.randomseed(os.time())
	end
	function request()
	   return wrk.format("GET", "/users/" .. math.random($rows))
	end
	function done(summary, latency, requests)
	   local e = summary.errors
	   io.write(string.format("result %d %d %.1f %d %d\n", summary.requests, summary.duration,
	      latency:percentile(99), e.status, e.connect + e.read + e.write + e.timeout))
	end
	END
}
# run_load TARGET: requests a second, what each costs its processes in microseconds of CPU, the 99th
# of 100 in milliseconds, those that were not answered with 2xx, and not at all or not within 2 s
run_load() {
	local before after
	before=$(ticks "${master[$1]}")
	timeout $((seconds + 20)) wrk -t 1 -c 32 -d "${seconds}s" --latency -s "$dir/row.lua" \
		"http://127.0.0.1:${port[$1]}/" >"$dir/wrk.log" 2>&1 </dev/null ||
		die "wrk: $(tail -n 5 "$dir/wrk.log")"
	after=$(ticks "${master[$1]}")
	awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '/^result / {
		printf "%.0f %.2f %.2f %d %d\n", $2 / $3 * 1e6, ticks / hz * 1e6 / $2, $4 / 1e3, $5, $6
	}' "$dir/wrk.log"
}
# compare NAME_A NAME_B MEANWHILE_B: a and b take turns; MEANWHILE_B runs beside b
compare() {
	local run target order
	rm -f "$dir/a" "$dir/b"
	run_load a >/dev/null # fills the caches, opens the kept connections
	run_load b >/dev/null
	for ((run = 1; run <= runs; run++)); do
		order=(a b)
		((run % 2)) || order=(b a)
		for target in "${order[@]}"; do
			[ "$target" = a ] || $3 &
			meanwhile=$!
			run_load "$target" >>"$dir/$target"
			[ "$target" = a ] || kill "$meanwhile" 2>/dev/null || true
			wait "$meanwhile" 2>/dev/null || true
			say "$1, $2: run $run of $runs, $target: $(tail -n 1 "$dir/$target")"
		done
	done
	[ "$(cut -d ' ' -f 4,5 "$dir/a" "$dir/b" | sort -u)" = '0 0' ] ||
		die "requests were lost: $(tail -n 3 "$dir"/[ab].log "$dir/nginx.log")"
	for target in a b; do
		name=$1
		[ $target = a ] || name=$2
		line "$name, requests/s" <(cut -d ' ' -f 1 "$dir/$target")
		line "$name, CPU of its processes, us a request" <(cut -d ' ' -f 2 "$dir/$target")
		line "$name, 99th of 100 requests, ms" <(cut -d ' ' -f 3 "$dir/$target")
	done
}
ratios() { # COLUMN: of b by a, run by run
	paste -d ' ' "$dir/b" "$dir/a" | awk -v column="$1" '{ print $column / $(column + 5) }'
}

# ---- the parts -----------------------------------------------------------------------------

measure_start() {
	local i start
	for ((i = 0; i < times; i++)); do
		start=$EPOCHREALTIME
		start_master a "$1"
		milliseconds_since "$start"
		stop_master a
	done >"$dir/start"
	line "first answer through nginx, workers: $1" "$dir/start" '<=' 50
}
part_start() {
	table "The start, in milliseconds, of $times."
	measure_start 1
	measure_start 4
}

# tell: sets told to what has happened since the last time
tell() {
	kill -USR1 "$load"
	read -r -t 30 -u "$told_fd" told || die "the load says nothing"
}
follow() { # TEXT: reads the log up to a line with it
	local said
	while read -r -t 60 -u "$log_fd" said; do
		[[ $said != *"$1"* ]] || return 0
	done
	die "no $1: $(tail -n 5 "$dir/a.log")"
}
slowest() { awk '{ printf "%.2f\n", $10 / 1000 }' "$1"; }
part_reload() {
	local i start
	: >"$dir/a.log"
	start_master a 4
	mkfifo "$dir/told"
	"$load_program" load "${port[a]}" 16 600 "$dir/load" >"$dir/told" &
	load=$!
	exec {told_fd}<"$dir/told" {log_fd}< <(exec tail -n +1 -f "$dir/a.log")
	sleep 2 # the caches of new workers and of PostgreSQL
	for ((i = 0; i < times; i++)); do
		tell
		start=$EPOCHREALTIME
		kill -HUP "${master[a]}"
		follow 'reload ended'
		milliseconds_since "$start" >>"$dir/reloads"
		sleep 1 # those that leave are in the same part of the figures
		tell && echo "$told" >>"$dir/during"
		sleep "$(awk -v ms="$(tail -n 1 "$dir/reloads")" 'BEGIN { print 1 + ms / 1000 }')"
		tell && echo "$told" >>"$dir/beside"
		say "reload $((i + 1)) of $times: $(tail -n 1 "$dir/reloads") ms; $told"
	done
	kill "$load"
	wait "$load"
	exec {told_fd}<&- {log_fd}<&-
	[ ! -s "$dir/load.failures" ] || die "requests were lost: $(head -n 3 "$dir/load.failures")"
	stop_master a
	table "Reloads of 4 workers under 600 requests a second, in milliseconds, of $times."
	line "a reload" "$dir/reloads" '<=' 1000
	line "slowest request until a second after it" <(slowest "$dir/during") '<=' 50
	line "slowest request of as long without one" <(slowest "$dir/beside")
}

scrape() {
	while sleep 1; do
		curl --noproxy '*' -sf -m 5 -o "$dir/metrics" \
			"http://127.0.0.1:${port[b]}/-/metrics"
	done
}
part_observe() {
	start_master a 1 ATHANOR_ACCESS_LOG=off ATHANOR_SLOW_FILE=off
	start_master b 1 ATHANOR_ACCESS_LOG="$dir/access.log" \
		ATHANOR_SLOW_FILE="$dir/slow.log"
	table "One row by primary key from 32 connections, medians of $runs runs of $seconds s."
	compare "not observed" "observed" scrape
	line "observed / not, requests/s" <(ratios 1) '>=' 0.95
	line "observed / not, CPU" <(ratios 2)
	[ -s "$dir/metrics" ] || die "no metrics were read"
	[ -s "$dir/access.log" ] || die "no access log was written"
	stop_master a
	stop_master b
}

part_workers() {
	start_master a 1
	start_master b 2
	table "The same of one worker and of two, $(nproc) CPUs."
	compare "1 worker" "2 workers" :
	line "2 / 1, requests/s" <(ratios 1) '>=' 1
	line "2 / 1, CPU" <(ratios 2) '<=' 1.15
	stop_master a
	stop_master b
}

memory() { # of the master's worker, in MiB
	awk '/^VmRSS:/ { print $2 / 1024 }' "/proc/$(pgrep -P "${master[a]}")/status"
}
part_idle() {
	local opened='' before after
	start_master a 1
	run_load a >/dev/null
	before=$(memory)
	coproc idlers { exec build/tests/e2e/idle "$dir/a.sock" "$idle" /users/1 2>&1; }
	until [[ $opened == "kept $idle" ]]; do
		read -r -t 120 -u "${idlers[0]}" opened || die "idle: $opened"
	done
	after=$(memory)
	table "A worker with $idle connections that are idle, in MiB."
	line "memory before" <(echo "$before")
	line "memory with them" <(echo "$after") '<=' 64
	echo >&"${idlers[1]}" # each is asked once more, and then it ends
	wait "${idlers_PID?}" || die "idle: not all were served"
	stop_master a
}

# measure_overload NAME PATH RATE: RATE is a little less than can be served
measure_overload() {
	local phase=0 name
	build/tests/e2e/offer "${port[a]}" "$2" "$3:4" "$((5 * $3)):8" "$(($3 / 2)):4" \
		>"$dir/offered" || die "$1: a request was not answered"
	# shellcheck disable=SC2086
	while read -r line; do
		name=("as many as can be served" "five times as many" "half as many, after that")
		printf '%-44s %8d %7d %7d %5d %5d %8.1f %8.1f %8.1f\n' "$1, ${name[phase++]}" \
			${line% * *}
	done <"$dir/offered"
	printf '%s, served at five times / as many as can be: %s\n' "$1" \
		"$(ratio_of_lines 2 1 6 6 0.8)"
	printf '%s, served / sent in the first second after it: %s\n' "$1" \
		"$(ratio_of_lines 3 3 10 9 0.9)"
}
# ratio_of_lines LINE BY_LINE COLUMN BY_COLUMN GOAL
ratio_of_lines() {
	local ratio
	ratio=$(awk -v over="$1" -v under="$2" -v column="$3" -v by="$4" '
		NR == under { below = $by }
		NR == over { above = $column }
		END { printf "%.2f", above / below }' "$dir/offered")
	echo "$ratio  $(goal "$ratio" '>=' "$5")"
}
part_overload() {
	program=build/tests/e2e/overload ready=/-/live start_master a 1
	printf '\n%s\n\n%-44s %8s %7s %7s %5s %5s %8s %8s %8s\n' \
		"Overload, one worker: requests, and milliseconds of those that were served." \
		'' sent served 503 504 wrong 'served/s' median '99th'
	measure_overload held /held 190
	measure_overload busy /busy 160
	stop_master a
}

# --------------------------------------------------------------------------------------------

runs=5 seconds=4 parts=()
while (($# > 0)); do
	case $1:${2-} in
	--runs:[1-9]*) runs=$2 ;;
	--seconds:[1-9]*) seconds=$2 ;;
	start:* | reload:* | observe:* | workers:* | idle:* | overload:*)
		parts+=("$1")
		shift
		continue
		;;
	*)
		sed -n '2,/^set/s/^# \{0,1\}//p' tests/bench/operations.sh >&2
		exit 2
		;;
	esac
	shift 2
done
program=build/users ready=/users/1 load_program=build/tests/e2e/releases
for name in "$program" build/tests/e2e/{idle,offer,overload,releases}; do
	[ -x "$name" ] || die "$name is not built: make bench"
done
type curl nginx wrk >/dev/null || die "packages are missing: nginx/stack.sh packages test"

declare -A master port # by target
dir=$(mktemp -d /tmp/ath-bench.XXXXXX)
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
start_database
start_nginx
write_load
for part in "${parts[@]:-${all[@]}}"; do
	"part_$part"
done
