#!/bin/bash
# The master and its workers: a start and what it leaves behind when it fails, workers that die,
# HUP, TERM and QUIT.
# shellcheck source=tests/e2e/fleet.sh
. "$(dirname "$0")/fleet.sh"

# ---- a start, and the end --------------------------------------------------------------------

started 3 "ATHANOR_STATUS_LISTEN=unix:$run/status.sock" "ATHANOR_PID_FILE=$work/pid"
check_that "it answers" within "$patience" at_work 1
check "three workers" "$(workers | wc -l)" 3
check "their names" "$(for pid in $(children "$master"); do cat "/proc/$pid/comm"; done | sort)" \
	$'fleet: status\nfleet: worker 1\nfleet: worker 2\nfleet: worker 3'
check "the master's name" "$(<"/proc/$master/comm")" 'fleet: master'
check "the pid file" "$(<"$work/pid")" "$master"
check "the mode of a socket" "$(stat -c %a "$run/app.sock" "$run/status.sock")" $'666\n666'
for pid in "$master" $(workers); do
	check "the umask of $pid" "$(of "$pid" Umask)" 0027
	is_sanitized || check_like "no core of $pid" "$(grep 'core file' "/proc/$pid/limits")" \
		'Max core file size * 0 * 0 *'
done
before=$(workers)
run "ATHANOR_PID_FILE=$work/other"
check_like "a socket that is in use" "$code $err" '1 fleet: listen: another server serves on *'
check "it leaves no pid file" "$(ls "$work/other" 2>/dev/null)" ''
run "ATHANOR_LISTEN=unix:$work/other.sock" "ATHANOR_PID_FILE=$work/pid"
check_like "a pid file that is held" "$code $err" "1 fleet: pid-file: $work/pid * process $master*"
check "it leaves no socket" "$(ls "$work/other.sock" 2>/dev/null)" ''
check "the workers are the same" "$(workers)" "$before"
end
check "the sockets are gone" "$(ls "$run"/*.sock 2>/dev/null)" ''
check "so is the pid file" "$(ls "$work/pid" 2>/dev/null)" ''

# ---- workers that die, and are replaced ---------------------------------------------------------

started 2
first=$(workers 1) second=$(workers 2)
kill -KILL "$first"
says '"a worker has died","worker":1,.*"signal":"Killed"'
replaced() { serves 3 && [ -n "$(workers 1)" ]; }
check_that "there is another first one" within "$patience" replaced
check_that "with another pid" [ "$(workers 1)" != "$first" ]
check "and the same second" "$(workers 2)" "$second"
check_that "it answers" within "$patience" at_work
check "the request that a worker died of" "$(get '/die?signal=6')" 'status 502'
says '"signal":"Aborted"'
check_that "the others are answered" within "$patience" at_work

check_that "all of them serve again" within "$patience" serves 4

# one that cannot start is tried again, as long as it takes
echo fails >"$work/how"
second=$(workers 2)
kill -KILL "$(workers 1)"
says '"a worker could not start","worker":1,.*"reason":"before_start failed: '
check "the second goes on" "$(workers 2)" "$second"
: >"$log"
echo well >"$work/how"
says '"worker serves","worker":1'

# the master is killed: its workers leave, too
pids=$(workers)
kill -KILL "$master"
wait "$master" 2>/dev/null
for pid in $pids; do
	check_that "worker $pid leaves without its master" within "$patience" gone "$pid"
done

# a socket that was left behind is no obstacle; nor is a worker that has to be killed nine times
check_that "a socket is left behind" there "$run/app.sock"
started 1
for i in {1..10}; do
	kill -KILL "$(workers 1)"
	((i == 10)) || within "$patience" serves $((i + 1)) || fail "worker $i" none one
done
has_ended 1
check_like "too many deaths" "$(grep -v '^{' "$log")" \
	'*fleet: 10 workers have died within a minute*'

# ---- a start that fails -----------------------------------------------------------------------

echo fails >"$work/how"
run ATHANOR_WORKERS=2
refused "no worker starts" 1 'before_start failed: *'
echo dies >"$work/how"
run ATHANOR_WORKERS=2
refused "every worker dies" 1 'no worker could start: *'
echo hangs >"$work/how"
run ATHANOR_WORKERS=2 ATHANOR_START_TIMEOUT=500ms
refused "no worker starts in time" 1 'no worker could start: *in time'
run ATHANOR_LISTEN=
refused "no socket" 2 'no listening socket*'
echo well >"$work/how"

# ---- HUP ---------------------------------------------------------------------------------------

started 3 "ATHANOR_STATUS_LISTEN=unix:$run/status.sock"
before=$(children "$master")
(
	until there "$work/enough"; do get /who; done >"$work/answers"
) &
client=$!
for i in 1 2; do
	kill -HUP "$master"
	says "\"reload ended\",\"generation\":$((i + 1))"
done
: >"$work/enough"
wait "$client"
check "every request meanwhile is answered" "$(grep -cv '^1 ' "$work/answers")" 0
# shellcheck disable=SC2086
check_that "all processes are others" within "$patience" others $before
check_that "as many workers as before" within "$patience" number_of_workers 3

# a new worker that cannot start: the reload is given up
before=$(workers)
for how in fails dies; do
	echo "$how" >"$work/how"
	: >"$log"
	kill -HUP "$master"
	says 'the reload is given up'
	check "the workers stay: $how" "$(workers)" "$before"
done
: >"$log"
echo well >"$work/how"
kill -HUP "$master"
says '"reload ended"'
# shellcheck disable=SC2086
check_that "a reload after that replaces all" within "$patience" others $before

# one that was asked for while requests run: the old workers finish them
long_request 1500
: >"$log"
kill -HUP "$master"
says '"reload ended"'
wait "$client"
check_like "what was in flight is answered" "$(<"$work/long")" '1 *'
end

# ---- TERM and QUIT with requests in flight --------------------------------------------------------

started 2
long_request 1000
kill -TERM "$master"
wait "$client"
check_like "TERM: what is in flight is answered" "$(<"$work/long")" '1 *'
has_ended 0
for second in TERM QUIT; do
	started 2
	long_request 50000
	kill -TERM "$master"
	says '"worker leaves"'
	kill "-$second" "$master"
	has_ended 0
	wait "$client"
	check_like "$second behind TERM: it ends at once" "$(<"$work/long")" 'status 50[0-9]'
done
finish
