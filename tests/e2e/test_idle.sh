#!/bin/bash
# Ten thousand kept connections that are idle cost a worker little memory, and each serves on. They
# are idle.c's, on the worker's own socket.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

readonly most_kib=65536
count=10000
# a descriptor for each, in the worker as here; where fewer are allowed there are fewer
allowed=$(ulimit -Hn)
[ "$allowed" = unlimited ] || ((allowed > count + 200)) || count=$((allowed - 200))
if ! compile "$work/idle" tests/e2e/idle.c -lcmocka; then
	fail "idle.c" "$(<"$work/idle.log")" "compiled"
	finish
fi
start_stack

pid=$(cat "$run/worker.pid")
child=$(ps -o pid= --ppid "$pid" | head -n 1) # of a master
worker_pid=${child:-$pid}
worker_pid=${worker_pid// /}
resident() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$worker_pid/status"; }

# What the program says of them, behind the lines of its frame.
hear() {
	while read -r -t "$patience" -u "${idle[0]}" line; do
		[[ $line == "$1 "* ]] && return
	done
	line=$(<"$work/idle.err")
}

request GET /users/1 ''
before=$(resident)
coproc idle { exec timeout "$patience" "$work/idle" "$run/app.sock" "$count" /users/1 2>"$work/idle.err"; }
hear kept
check "they are kept" "$line" "kept $count"
after=$(resident)
echo "$count idle connections: $after KiB, $before KiB without them, $(((after - before) * 1024 / count)) bytes each"
is_sanitized || check_that "in less than 64 MiB" test "$after" -lt $most_kib
request GET /users/1 ''
expect "somebody else is served beside them" 200
echo >&"${idle[1]}"
hear served
check "each serves on" "$line" "served $count"
wait "${idle_PID-}" 2>/dev/null
finish
