#!/bin/bash
# What renews workers and the master while requests go on: a new program (USR2, and --reload), and
# workers that have served enough requests, take too much memory, or hang.
# shellcheck source=tests/e2e/fleet.sh
. "$(dirname "$0")/fleet.sh"

put() { cp "$1" "$work/new" && chmod 755 "$work/new" && mv "$work/new" "$program"; } # FILE
broken() { # STATEMENT: a program that does this takes the place
	printf '#include <signal.h>\n#include <stdio.h>\n#include <unistd.h>\n' >"$work/broken.c"
	printf 'int main(void) { %s; }\n' "$1" >>"$work/broken.c"
	compile "$work/broken" "$work/broken.c" || fail "a program" "$(<"$work/broken.log")" compiled
	put "$work/broken"
}
upgrade() {
	: >"$log"
	kill -USR2 "$master"
}

# ---- USR2 -----------------------------------------------------------------------------------

started 2 "ATHANOR_STATUS_LISTEN=unix:$run/status.sock" "ATHANOR_PID_FILE=$work/pid" \
	ATHANOR_START_TIMEOUT=5s
before=$(children "$master")
(
	until there "$work/enough"; do get /who; done >"$work/answers"
) &
reader=$!
long_request 3000
put "$work/fleet2"
upgrade
says '"reload ended","generation":2'
check_that "the new program answers" within "$patience" at_work 2
put "$work/fleet1"
upgrade
says '"reload ended","generation":3'
wait "$client"
check_like "what was in flight before both is answered by the old one" "$(<"$work/long")" '1 *'
: >"$work/enough"
check_that "and the first one again" within "$patience" at_work 1
wait "$reader"
check "every request meanwhile is answered" "$(grep -v '^[12] ' "$work/answers")" ''
check_that "the master is the same process" kill -0 "$master"
check "as the file says" "$(<"$work/pid")" "$master"
# shellcheck disable=SC2086
check_that "its children are others" within "$patience" others $before
check_that "as many as before" within "$patience" number_of_workers 2

before=$(workers)
refuses() { # NAME PATTERN: of the log
	upgrade
	says "the upgrade is refused.*$2"
	check "the workers stay: $1" "$(workers)" "$before"
	check_that "and answer: $1" at_work 1
}
echo nonsense >"$work/nonsense"
put "$work/nonsense"
refuses "nonsense" '"reason":"Exec format error"'
broken 'fputs("this release is broken\n", stderr); return 1'
refuses "a program that fails" '"reason":"this release is broken"'
broken 'raise(SIGTERM); return 0'
refuses "a program that dies" '"reason":"Terminated"'
broken 'close(2); sleep(3600); return 0'
refuses "a program that hangs" '"reason":"its trial does not end in time"'
rm "$program"
refuses "no program" '"reason":"No such file or directory"'
put "$work/fleet2"
echo fails >"$work/how"
refuses "a worker that cannot start" '"reason":"fleet: before_start failed: .*"'
echo well >"$work/how"

# signals that come too fast are none too many
: >"$log"
for signal in HUP USR2 HUP USR2 HUP; do kill "-$signal" "$master"; done
says '"reload ended"'
check_that "signals upon signals: the new program" within "$patience" at_work 2
check_that "and so many workers" within "$patience" number_of_workers 2
end
check "no socket is left" "$(ls "$run"/*.sock "$work/pid" 2>/dev/null)" ''

# ---- a program that is built again ----------------------------------------------------------------

put "$work/fleet1"
started 1 ATHANOR_RELOAD=on
check_that "the first program" within "$patience" at_work 1
put "$work/fleet2"
check_that "another is taken by itself" within "$patience" at_work 2
rm "$program"
cat "$work/fleet1" >"$program" # as a linker does
chmod 755 "$program"
check_that "one that is written in place, too" within "$patience" at_work 1
end

# ---- enough is enough ---------------------------------------------------------------------------------

started 1 ATHANOR_MAX_REQUESTS=20
within "$patience" at_work || fail "a worker" none one
first=$(workers 1)
for _ in {1..30}; do get /who; done >"$work/answers"
# shellcheck disable=SC2086
check_that "a worker that has served its requests leaves" within "$patience" others $first
check "every request is answered" "$(grep -cv '^1 ' "$work/answers")" 0
check_that "another serves" within "$patience" number_of_workers 1
end

# so much as a worker of this build has, and more
started 1
within "$patience" at_work || fail "a worker" none one
memory=$(of "$(workers 1)" VmRSS)
end
most=$((${memory% kB} * 1024 + (64 << 20)))
started 1 "ATHANOR_WORKER_MEMORY=$most"
within "$patience" at_work || fail "a worker" none one
first=$(workers 1)
get '/grow?mib=80' >/dev/null
# shellcheck disable=SC2086
check_that "a worker with too much memory is replaced" within "$patience" others $first
check_that "it leaves by itself" logged '"a worker has left","worker":1'
check_that "another answers" within "$patience" at_work
get "/grow?mib=$((most * 2 / (1 << 20)))" >/dev/null
says '"a worker has died","worker":1,.*"signal":"Killed","reason":"it takes too much memory"'
check_that "so it goes on" within "$patience" at_work
end

started 2 ATHANOR_HANG_TIMEOUT=1s ATHANOR_CORE_DUMPS=off
within "$patience" at_work || fail "a worker" none one
before=$(workers)
get '/block?ms=50000' >"$work/blocked" &
client=$!
says '"a worker hangs",.*"busy_with":"GET /block, request [^"]*"'
says '"a worker has died",.*"signal":"Aborted","reason":"it hangs"'
wait "$client"
check "its request fails" "$(<"$work/blocked")" 'status 502'
check_that "the others go on" within "$patience" at_work
check_that "and there are two again" within "$patience" number_of_workers 2
check "one of them is the same" "$(comm -12 <(sort <<<"$before") <(workers | sort) | wc -l)" 1
end
finish
