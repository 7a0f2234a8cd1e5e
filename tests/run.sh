#!/bin/bash
#
# run.sh BUILD... - every test against each build, with one private PostgreSQL for all of them.
#
# Test programs are cmocka's (BUILD/tests/*/test_*); scripts end in "NAME: N passed, N failed".
# What neither counts nor ends well is one failure. The last line is the sum.

set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

readonly limit=600 # seconds for one runner
work=$(mktemp -d /tmp/ath-test.XXXXXX)
chmod 755 "$work" # the server is another user when root runs this
passed=0
failed=0
failures=()

finish()
{
	sql/cluster.sh remove "$work/cluster"
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The last number before the word in lines that hold the mark, or nothing.
count()
{
	sed -nE "s/$1/\\1/p" "$work/output" | tail -n 1
}

# take NAME STATUS PASSED FAILED
take()
{
	local good=${3:-0} bad=${4:-0}

	if [[ $2 != 0 && $bad == 0 ]] || ((good + bad == 0)); then
		bad=$((bad + 1)) # it crashed, or counted nothing
	fi
	if ((bad > 0)); then
		cat "$work/output"
		failures+=("$1")
	fi
	printf '%-52s %5d passed, %d failed\n' "$1" "$good" "$bad"
	passed=$((passed + good))
	failed=$((failed + bad))
}

run_program()
{
	timeout "$limit" "$1" >"$work/output" 2>&1 </dev/null
	take "$1" $? "$(count '^\[  PASSED  \] ([0-9]+) test.*')" \
		"$(count '^\[  FAILED  \] ([0-9]+) test.*')"
}

# run_script SCRIPT BUILD
run_script()
{
	BUILD=$2 timeout "$limit" "$1" >"$work/output" 2>&1 </dev/null
	take "$1 ($2)" $? "$(count '^[^:]+: ([0-9]+) passed, [0-9]+ failed$')" \
		"$(count '^[^:]+: [0-9]+ passed, ([0-9]+) failed$')"
}

sql/cluster.sh start "$work/cluster" || exit 1
ATHANOR_TEST_URL=$(sql/cluster.sh url "$work/cluster")
DATABASE_URL=$ATHANOR_TEST_URL # of the application's own tests, which commit nothing
export ATHANOR_TEST_URL DATABASE_URL

for build in "$@"; do
	for source in tests/*/test_*.c; do
		run_program "$build/${source%.c}"
	done
	for script in tests/e2e/test_*.sh; do
		run_script "$script" "$build"
	done
done
# these look at the tree, whatever the build
for script in tests/*/run.sh; do
	run_script "$script" "$1"
done

((${#failures[@]} == 0)) || printf 'failed: %s\n' "${failures[@]}"
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
