#!/bin/bash
# Thousands of open streams in one worker, all of them fed by one notification of the database:
# on the worker's socket, with streams.c.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

count=5000 most=204800 # KiB
is_sanitized && count=500
export WORKER_PROGRAM=$build/tests/site/site
start_stack
worker=$(cat "$run/worker.pid")
read -r compiler _ flags <"$build/flags"
# shellcheck disable=SC2086
if ! "$compiler" $flags -o "$work/streams" tests/e2e/streams.c "$build/libathanor.a" -lpq -lcjson \
	-lm -lcmocka -pthread 2>"$work/streams.log"; then
	fail "streams.c" "$(<"$work/streams.log")" "compiled"
	finish
fi

memory() { sed -n 's/^VmRSS:\s*\([0-9]*\) kB/\1/p' "/proc/$worker/status"; }
said() { grep -qx "$1" "$work/said"; }
said_or_ended() { said "$1" || ! kill -0 "$client" 2>/dev/null; }
connections() { query "select count(*) from pg_stat_activity where datname = 'users'"; }

before=$(memory)
: >"$work/said"
"$work/streams" "$run/app.sock" /feed/all "$count" >"$work/said" 2>"$work/streams.log" &
client=$!
check_that "$count streams open" within "$patience" said_or_ended open
check_that "all of them are open" said open
open=$(memory)
is_sanitized || check_that "$open KiB with $count streams, $before before" [ "$open" -lt "$most" ]
check_like "connections to the database" "$(connections)" '[1-9]'
row GET /people/1 '' 200 'Ada Lovelace' # others are served as ever

check "a notification" "$(query "notify \"all\", 'to everybody'")" ''
check_that "they hear it" within "$patience" said_or_ended heard
check_that "all of them have heard it" said heard
wait "$client"
check "the clients" "$? $(grep -v '^\[' "$work/streams.log")" '0 '
row GET /people/1 '' 200 'Ada Lovelace'
echo "$count streams: $((open - before)) KiB, $(((open - before) * 1024 / count)) bytes for each"

# ---- the end of the worker -------------------------------------------------------------------

ASAN_OPTIONS=detect_leaks=0 "$work/streams" "$run/app.sock" /feed/all 50 >"$work/said" 2>"$work/streams.log" &
client=$!
check_that "streams are open" within "$patience" said_or_ended open
kill -TERM "$worker"
worker_gone() { ! kill -0 "$worker" 2>/dev/null; }
check_that "the worker does not wait for open streams" within "$patience" worker_gone
wait "$client"
check "streams that ended without an event" "$?" 1
finish
