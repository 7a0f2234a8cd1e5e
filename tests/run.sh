#!/bin/bash
#
# run.sh BUILD... - every test against each build. The builds are tested side by side, each with a
# private PostgreSQL of its own.
#
# Test programs are cmocka's (BUILD/tests/*/test_*); scripts end in "NAME: N passed, N failed".
# What neither counts nor ends well is one failure. The last line is the sum.

set -uo pipefail
set -m # or what runs in the background would ignore INT, which some tests send
cd "$(dirname "$0")/.." || exit 1

readonly limit=600 # seconds for one runner
work=$(mktemp -d /tmp/ath-test.XXXXXX)
chmod 755 "$work" # the server is another user when root runs this
lanes=()

finish()
{
	local cluster

	trap '' INT TERM
	((${#lanes[@]} == 0)) || kill "${lanes[@]}" 2>/dev/null
	wait
	for cluster in "$work"/*/cluster; do
		[ ! -d "$cluster" ] || sql/cluster.sh remove "$cluster"
	done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# The last number before the word in lines that hold the mark, or nothing.
count()
{
	sed -nE "s/$1/\\1/p" "$lane/output" | tail -n 1
}

# take NAME STATUS PASSED FAILED
take()
{
	local good=${3:-0} bad=${4:-0}

	if [[ $2 != 0 && $bad == 0 ]] || ((good + bad == 0)); then
		bad=$((bad + 1)) # it crashed, or counted nothing
	fi
	if ((bad > 0)); then
		cat "$lane/output"
		failures+=("$1")
	fi
	printf '%-52s %5d passed, %d failed\n' "$1" "$good" "$bad"
	passed=$((passed + good))
	failed=$((failed + bad))
}

# In the background, so that a signal finds us waiting, and is handed on.
within_limit()
{
	timeout "$limit" "$1" >"$lane/output" 2>&1 </dev/null &
	runner=$!
	wait "$runner"
}

run_program()
{
	within_limit "$1"
	take "$1" $? "$(count '^\[  PASSED  \] ([0-9]+) test.*')" \
		"$(count '^\[  FAILED  \] ([0-9]+) test.*')"
}

# run_script SCRIPT BUILD
run_script()
{
	BUILD=$2 within_limit "$1"
	take "$1 ($2)" $? "$(count '^[^:]+: ([0-9]+) passed, [0-9]+ failed$')" \
		"$(count '^[^:]+: [0-9]+ passed, ([0-9]+) failed$')"
}

# test_build BUILD [SCRIPT...]: all that is tested of a build, and then the scripts; what came of
# it is left in $lane/sums
test_build()
{
	local build=$1 source script

	trap - EXIT # that is for who waits for us
	trap 'kill "$runner" 2>/dev/null; wait; exit 130' TERM
	mkdir -m 755 "$lane"
	sql/cluster.sh start "$lane/cluster" || return 1
	ATHANOR_TEST_URL=$(sql/cluster.sh url "$lane/cluster")
	DATABASE_URL=$ATHANOR_TEST_URL # of the application's own tests, which commit nothing
	export ATHANOR_TEST_URL DATABASE_URL
	for source in tests/*/test_*.c; do
		run_program "$build/${source%.c}"
	done
	for script in tests/e2e/test_*.sh; do
		run_script "$script" "$build"
	done
	for script in "${@:2}"; do
		run_script "$script" "$build"
	done
	printf '%d %d\n' "$passed" "$failed" >"$lane/sums"
	printf '%s\n' "${failures[@]}" >"$lane/failures"
}

scripts=(tests/*/run.sh) # these look at the tree, whatever the build
for build in "$@"; do
	lane=$work/${#lanes[@]} passed=0 failed=0 failures=() runner=''
	test_build "$build" "${scripts[@]}" &
	lanes+=($!)
	scripts=()
done
passed=0 failed=0
for i in "${!lanes[@]}"; do
	wait "${lanes[i]}"
	if ! read -r good bad <"$work/$i/sums"; then
		good=0 bad=1 # it did not come to its end
	fi
	passed=$((passed + good)) failed=$((failed + bad))
done
lanes=()
((failed == 0)) || printf 'failed: %s\n' "$(cat "$work"/*/failures | paste -sd ' ')"
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
