# shellcheck shell=bash
# common.sh - what the end-to-end tests share. Sourced first; the test ends in "finish".
#
# The whole stack runs in a directory of its own, on a free port: $url is nginx, $run/app.sock
# the worker, $database PostgreSQL. Nothing here waits for a fixed time: what takes a while is
# asked for until it is there, and given up only when something must be broken.

set -uo pipefail
shopt -s extglob
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export LC_ALL=C
unset "${!PG@}" "${!ATHANOR_@}" DATABASE_URL PORT

readonly patience=${PATIENCE:-60} # seconds until something is called broken
test_name=$(basename "$0" .sh)
work=$(mktemp -d /tmp/ath-e2e.XXXXXX)
chmod 755 "$work" # nginx's user must get in
run=$work/run
build=$(realpath "${BUILD:-build}")
program=$build/users
export WORKER_PROGRAM=$program
# the sanitizers look into a process at its end, as into one whose core may be dumped
[ ! -e "$build/flags" ] || ! grep -q fsanitize "$build/flags" || export ATHANOR_CORE_DUMPS=on
passed=0 failed=0 url='' database='' status='' head='' body=''

clean_up() {
	local child
	trap - EXIT
	for child in $(jobs -p); do kill -KILL "$child" 2>/dev/null; done
	[ ! -f "$run/database" ] || nginx/stack.sh remove "$run" >/dev/null
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# ---- counting --------------------------------------------------------------------------

# One line for the row, and what was got and wanted under it; long texts are cut.
fail() { # NAME GOT WANTED
	failed=$((failed + 1))
	printf 'failed: %s\n  got:    %.1500s\n  wanted: %.1500s\n' "$1" "$2" "$3"
}
check() { # NAME GOT WANTED: they are equal
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		fail "$@"
	fi
}
check_like() { # NAME GOT PATTERN: a pattern of [[ ]]
	# shellcheck disable=SC2053
	if [[ $2 == $3 ]]; then
		passed=$((passed + 1))
	else
		fail "$@"
	fi
}
check_that() { # NAME COMMAND...
	if "${@:2}"; then
		passed=$((passed + 1))
	else
		fail "$1" "false: ${*:2}" true
	fi
}
within() { # SECONDS COMMAND...: true as soon as COMMAND is, false when the time is over
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS <= end)) || return 1
		sleep 0.02
	done
}
repeat() { # COUNT TEXT
	local text
	printf -v text '%*s' "$1" ''
	echo "${text// /"$2"}"
}
is_sanitized() { [ "$(nm "$build/libathanor.a" 2>/dev/null | grep -c __asan_init)" != 0 ]; }
finish() {
	local complaints
	# a build with sanitizers says there what it found
	complaints=$(grep -hE 'Sanitizer|runtime error' "$run"/*.log "$work"/*.log 2>/dev/null)
	[ -z "$complaints" ] || fail "the worker's sanitizers" "$complaints" ''
	echo "$test_name: $passed passed, $failed failed"
	[ "$failed" = 0 ]
	exit
}

# ---- the stack -------------------------------------------------------------------------

start_stack() {
	if ! nginx/stack.sh start "$run" --port 0 >"$work/stack.out" 2>&1; then
		cat "$work/stack.out"
		fail "the stack" "did not start" "to be started by nginx/stack.sh"
		finish
	fi
	url=http://127.0.0.1:$(cat "$run/port")
	database=$(sql/cluster.sh url "$run" users)
}
# PostgreSQL, empty, and nginx; who serves $run/app.sock is the test's own business.
start_front() {
	local port as_web_user=()
	[ "$EUID" != 0 ] || as_web_user=(setpriv --reuid www-data --regid www-data --init-groups)
	mkdir -p "$run"
	[ "$EUID" != 0 ] || { chgrp www-data "$run" && chmod 775 "$run"; }
	touch "$run/database" # nginx/stack.sh removes it at the end
	sql/cluster.sh start "$run" || fail "PostgreSQL" "did not start" "to be started"
	database=$(sql/cluster.sh url "$run")
	until port=$((20000 + RANDOM % 10000)) && ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
	do
		:
	done
	url=http://127.0.0.1:$port
	cp nginx/fastcgi_athanor.conf "$run"
	sed "s|@DIR@|$run|g; s|@PORT@|$port|g; s|@SOCKET@|$run/app.sock|g" \
		nginx/development.conf.in >"$run/nginx.conf"
	"${as_web_user[@]}" nginx -p "$run" -c "$run/nginx.conf" -e "$run/nginx-error.log" 2>/dev/null ||
		fail "nginx" "$(tail -n 1 "$run/nginx-error.log")" "to be started"
}
# compile PROGRAM SOURCE [OPTION...]: against the library, as that was built; complaints: PROGRAM.log
compile() {
	local compiler flags
	read -r compiler _ flags <"$build/flags"
	# shellcheck disable=SC2086
	"$compiler" $flags -o "$1" "$2" "$build/libathanor.a" -lpq -lcjson -lm -pthread "${@:3}" \
		2>"$1.log"
}
query() { psql -X -q -A -t -v ON_ERROR_STOP=1 -c "$1" "$database" 2>&1; }

# ---- requests ----------------------------------------------------------------------------

media_type=application/json # of the bodies that follow
# request METHOD PATH [BODY [OPTION...]]: sets status, head and body. A BODY that is empty is
# none; one of @FILE is the file's content.
request() {
	local method=(-X "$1") data=()
	[ "$1" != HEAD ] || method=(-I)
	if [ -n "${3-}" ]; then
		case $3 in
		@*) data=(--data-binary "$3") ;;
		*) printf '%s' "$3" >"$work/sent" && data=(--data-binary "@$work/sent") ;;
		esac
		data+=(-H "Content-Type: $media_type")
	fi
	: >"$work/head" >"$work/body" # curl makes none for an answer without a body
	status=$(curl --noproxy '*' -s -m "$patience" --path-as-is -g -D "$work/head" \
		-o "$work/body" -w '%{http_code}' "${method[@]}" -H 'Expect:' "${data[@]}" \
		"${@:4}" "$url$2" 2>/dev/null)
	head=$(<"$work/head") head=${head//$'\r'/}
	{ body=$(<"$work/body"); } 2>/dev/null # a complaint about NULs, which it leaves out
	[ "$1" != HEAD ] || body=''
}
header() { # NAME: the values of its lines
	local line
	while read -r line; do
		[[ ${line,,} != "${1,,}: "* ]] || echo "${line#*: }"
	done <<<"$head"
}

# What every error answer has: its own media type, its status, and the id that nginx made.
problem_fault() {
	[ "$(header Content-Type)" = application/problem+json ] || echo "no problem+json"
	[[ $body == '{"type":"urn:athanor:problem:'* ]] || echo "no type"
	[[ $body == *'"title":"'* && $body == *"\"status\":$status,"* ]] || echo "no title or status"
	[[ $body == *"\"instance\":\"$(header X-Request-Id)\""* ]] || echo "not the request's id"
	# neither SQL, nor names of the server's, nor paths
	[[ $body != *[Ss][Ee][Ll][Ee][Cc][Tt]* && $body != *uq_users* && $body != */tmp/* ]] ||
		echo "tells too much"
}
part_fault() { # PART: see row
	case $1 in
	H:*) [[ $'\n'$head$'\n' == *$'\n'"${1#H:}"$'\n'* ]] || echo "no such line" ;;
	=*) [ "$body" = "${1#=}" ] || echo "another body" ;;
	!*) [[ $body != *"${1#!}"* ]] || echo "has it" ;;
	*) [[ $body == *"$1"* ]] || echo "has it not" ;;
	esac
}
# row METHOD PATH BODY STATUS [PART...]: one request. A PART is text that the body holds, and
# =text the whole of it, !text what it must not hold, H:line a line of the head.
row() {
	local part fault name="$1 $2 ${3:0:100}"
	request "$1" "$2" "$3" "${options[@]}"
	expect "$name" "$4" "${@:5}"
}
options=() # of curl, for the rows that follow
expect() { # NAME STATUS [PART...]: of the answer that request got
	local part fault
	if [ "$status" != "$2" ]; then
		fail "$1" "$status $body" "$2"
		return
	fi
	if ((status >= 400)) && [ -n "$body" ]; then
		fault=$(problem_fault)
		[ -z "$fault" ] || { fail "$1" "$head $body" "a problem, but: $fault" && return; }
	fi
	for part in "${@:3}"; do
		fault=$(part_fault "$part")
		[ -z "$fault" ] || { fail "$1" "$head"$'\n'"$body" "$part ($fault)" && return; }
	done
	passed=$((passed + 1))
}
at() { echo "{\"pointer\":\"$1\",\"detail\":\"${2-}"; } # POINTER [DETAIL]: an entry of "errors"

# ---- a worker of our own, to see how it ends -----------------------------------------------

gone() { ! kill -0 "$1" 2>/dev/null; }
answers() { # PATH STATUS
	request GET "$1" ''
	[ "$status" = "$2" ]
}
# One process without a master, so that its id is that of what serves.
start_worker() {
	ATHANOR_WORKERS=0 DATABASE_URL=$database \
		spawn-fcgi -n -s "$run/app.sock" -M 0666 -b 1024 -- "$program" \
		>/dev/null 2>>"$work/worker.log" </dev/null &
	worker=$!
	within "$patience" answers /-/ready 200 || fail "a new worker" "$status" 200
}
# The exit status of the worker, which has to end now.
ended() {
	within "$patience" gone "$worker" || kill -KILL "$worker"
	wait "$worker" 2>/dev/null
	code=$?
	rm -f "$run/app.sock"
}

# A transaction of ours that holds a lock: what needs it waits until we let go.
hold() { # STATEMENT
	coproc holder { exec psql -X -q -A -t "$database" 2>&1; }
	echo "begin; $1; select 'held';" >&"${holder[1]}"
	read -r -t "$patience" -u "${holder[0]}" line && [ "$line" = held ] || fail "a lock" "$line" held
}
let_go() {
	local pid=${holder_PID:?}
	echo 'rollback; \q' >&"${holder[1]}"
	wait "$pid"
}
waiting() { # COUNT: so many wait for a lock
	[ "$(query "select count(*) from pg_stat_activity where wait_event_type = 'Lock'")" = "$1" ]
}
