#!/bin/bash
#
# run.sh - the library in the company that production keeps: its tests of tests/db and tests/orm,
# and what it tells the server of requests, once more by way of PgBouncer in transaction mode, with
# prepared_statements=off, and failover.c, where a standby takes over from its primary.

set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
unset "${!PG@}"

build=${BUILD:-build}
work=$(mktemp -d /tmp/ath-db.XXXXXX)
chmod 755 "$work" # the servers are another user when root runs this
export TMPDIR=$work
passed=0
failed=0
children=() # PgBouncer, and the program under way

finish()
{
	trap - EXIT
	[ ${#children[@]} = 0 ] || kill "${children[@]}" 2>/dev/null
	wait
	for cluster in "$work"/cluster.*; do
		sql/cluster.sh remove "$cluster"
	done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

within() # SECONDS COMMAND...: true as soon as COMMAND is, false when the time is over
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS <= end)) || return 1
		sleep 0.02
	done
}

fail() # WHAT [FILE]: with the FILE's last lines
{
	failed=$((failed + 1))
	echo "failed: $1"
	[ -z "${2-}" ] || tail -n 40 "$2"
}

# run PROGRAM [ARGUMENT...]: takes cmocka's sums; what it skips is told, and not counted
run()
{
	local output=$work/output code good bad

	timeout 300 "$@" >"$output" 2>&1 </dev/null &
	children[1]=$!
	wait "${children[1]}" # and not in the foreground: a signal is to end it at once
	code=$?
	unset 'children[1]'
	good=$(sed -nE 's/^\[  PASSED  \] ([0-9]+) test.*/\1/p' "$output" | tail -n 1)
	bad=$(sed -nE 's/^\[  FAILED  \] ([0-9]+) test.*/\1/p' "$output" | tail -n 1)
	passed=$((passed + ${good:-0}))
	if [ "$code" != 0 ] || [ -n "$bad" ] || [ -z "$good" ]; then
		fail "$* ($code)" "$output"
		failed=$((failed + ${bad:-1} - 1))
	fi
	sed -nE 's/^(skipped: .*)/  \1/p' "$output"
}

# ---- by way of PgBouncer -----------------------------------------------------------------

if [ -z "${ATHANOR_TEST_URL-}" ]; then
	sql/cluster.sh start "$work/cluster.own" || exit 1
	ATHANOR_TEST_URL=$(sql/cluster.sh url "$work/cluster.own")
	export ATHANOR_TEST_URL
fi

# It refuses root, and whoever gets to its socket is the superuser: only we and the server's user.
start_pooler() # SIZE: its connections to the server, for each database
{
	local owner=() as=() server

	if [ "$EUID" = 0 ]; then
		owner=(-o postgres -g "$(id -g)")
		as=(--reuid postgres --regid postgres --init-groups)
	fi
	install -d -m 0750 "${owner[@]}" "$work/pooler"
	server=$(psql -X -q -A -t -c '\echo host=:HOST port=:PORT user=:USER' "$ATHANOR_TEST_URL") ||
		return 1
	cat >"$work/pgbouncer.ini" <<-END
		[databases]
		* = $server
		[pgbouncer]
		unix_socket_dir = $work/pooler
		listen_port = 5432
		auth_type = any
		pool_mode = transaction
		default_pool_size = $1
		max_client_conn = 500
	END
	setpriv --pdeathsig TERM "${as[@]}" pgbouncer "$work/pgbouncer.ini" \
		>"$work/pgbouncer.log" 2>&1 </dev/null &
	children[0]=$!
	export ATHANOR_TEST_POOLER=$work/pooler
	within 20 psql -X -q -c 'select' "postgresql:///postgres?host=$work/pooler" \
		>/dev/null 2>"$work/output"
}

stop_pooler()
{
	kill "${children[0]}"
	wait "${children[0]}"
	unset 'children[0]' ATHANOR_TEST_POOLER
}

run_suite()
{
	local source

	for source in tests/db/test_*.c tests/orm/test_*.c tests/rest/test_statements.c; do
		grep -q create_database "$source" || continue # it has none in that server
		run "$build/${source%.c}"
	done
}

run_pooled() # SIZE COMMAND...
{
	if start_pooler "$1"; then
		"${@:2}"
	else
		cat "$work/output"
		fail "PgBouncer" "$work/pgbouncer.log"
	fi
	stop_pooler
}
run_pooled 20 run_suite
run_pooled 2 run "$build/tests/db/pooled"

# ---- a standby takes over ----------------------------------------------------------------

run_failover() # SCENARIO
{
	local primary=$work/cluster.primary standby=$work/cluster.standby

	if sql/cluster.sh start "$primary" -c synchronous_standby_names='*' \
		-c synchronous_commit=remote_apply && sql/cluster.sh standby "$standby" "$primary"; then
		run "$build/tests/db/failover" "$1" "$primary" "$standby"
	else
		fail "the servers for $1"
	fi
	sql/cluster.sh remove "$primary"
	sql/cluster.sh remove "$standby"
}
run_failover test_the_primary_dies
run_failover test_the_primary_becomes_read_only
run_failover test_the_address_led_to_the_standby

echo "db: $passed passed, $failed failed"
((failed == 0))
