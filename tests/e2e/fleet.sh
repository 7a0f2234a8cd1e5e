# shellcheck shell=bash
# fleet.sh - what the tests of the master share: the application fleet.c behind nginx, and masters
# of our own. Sourced first; see common.sh.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

users=$program
export program=$work/fleet
for version in 1 2; do
	compile "$work/fleet$version" tests/e2e/fleet.c "-DVERSION=\"$version\"" ||
		fail "fleet.c" "$(<"$work/fleet$version.log")" compiled
done
compile "$work/manager" tests/e2e/manager.c || fail "manager.c" "$(<"$work/manager.log")" compiled
((failed == 0)) || finish
cp "$work/fleet1" "$program"

# the stack is nginx and the database alone: its worker makes room for the masters
WORKER_PROGRAM=$users start_stack
kill -TERM "$(cat "$run/worker.pid")"
within "$patience" gone "$(cat "$run/worker.pid")" || fail "the stack's worker" there gone
rm -f "$run/app.sock"

export DATABASE_URL=$database ATHANOR_LISTEN=unix:$run/app.sock ATHANOR_LISTEN_MODE=0666 \
	FLEET_START=$work/how
log=$work/master.log

# ---- what the tests look at ----------------------------------------------------------------

# start [NAME=VALUE...]: a master of our own; master is its pid
start() {
	: >"$log"
	env "$@" "$program" serve >/dev/null 2>>"$log" </dev/null &
	master=$!
}
serves() { # COUNT: so many workers have begun to serve since the start
	(($(grep -c '"worker serves"' "$log") >= $1))
}
started() { # COUNT [NAME=VALUE...]
	start "ATHANOR_WORKERS=$1" "${@:2}"
	within "$patience" serves "$1" || fail "$1 workers" "$(<"$log")" serve
}
# run [NAME=VALUE...]: a start that fails; sets code and err
run() {
	env "$@" timeout "$patience" "$program" serve >"$work/out" 2>"$work/err" </dev/null
	code=$?
	err=$(sed '/ASan doesn.t fully support makecontext/d' "$work/err")
}
# The lines of an error are those that are no log's.
refused() { # NAME CODE PATTERN
	check_like "$1" "$code $(grep -v '^{' <<<"$err")" "$2 fleet: $3"
	check "$1: there is no socket" "$(ls "$run"/app.sock "$run"/.[0-9a-f]* 2>/dev/null)" ''
}
has_ended() { # CODE
	local code
	within "$patience" gone "$master" || kill -KILL "$master"
	wait "$master" 2>/dev/null
	code=$?
	check "the master's exit status" "$code" "$1"
	check "it leaves no process" "$(children "$master")" ''
}
end() {
	kill -TERM "$master"
	has_ended 0
}
children() { # PID: of its children
	grep -sl "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status | sed 's|/proc/\([0-9]*\)/.*|\1|'
}
workers() { # the pids of those that serve, in the order of their numbers; N: of that one
	local pid
	for pid in $(children "$master"); do
		echo "$(cat "/proc/$pid/comm" 2>/dev/null) $pid"
	done | sort | sed -n "s/^fleet: worker ${1:-[0-9]*} //p"
}
logged() { grep -q -- "$1" "$log"; } # PATTERN
says() { # PATTERN: a line of the log comes that has it
	within "$patience" logged "$1" || fail "the log" "$(tail -n 5 "$log")" "$1"
}
# The body, or what went wrong. Several may be under way, so each has files of its own.
get() ( # PATH
	work=$(mktemp -d "$work/get.XXXXXX")
	request GET "$1" ''
	[ "$status" = 200 ] && echo "$body" || echo "status $status"
	rm -rf "$work"
)
at_work() { # [VERSION]
	# shellcheck disable=SC2053
	[[ $(get /who) == ${1:-*}" "* ]]
}
of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status" | tr '\t' ' '; } # PID NAME: in its status
there() { [ -e "$1" ]; }
number_of_workers() { [ "$(workers | wc -l)" = "$1" ]; }
others() { # PID...: none of them is a child any more
	[ -z "$(comm -12 <(printf '%s\n' "$@" | sort) <(children "$master" | sort))" ]
}
# A request that waits so long, in the background as $client; a worker has it. Its answer is in
# $work/long.
long_request() { # MILLISECONDS
	rm -f "$work/waits" "$work/long"
	get "/wait?ms=$1&file=$work/waits" >"$work/long" &
	client=$!
	within "$patience" there "$work/waits" || fail "a request that waits" none one
}
