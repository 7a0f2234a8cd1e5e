#!/bin/bash
#
# run.sh - the loop's tests under valgrind, which knows the fibers' stacks: no error, no leak.
# (test_memory refuses calls of the system on purpose and is left to AddressSanitizer.)

set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
passed=0
failed=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

for name in fiber loop descriptor timer offload; do
	if valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
		"${BUILD:-build}/tests/loop/test_$name" >"$output" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		cat "$output"
	fi
done
echo "loop under valgrind: $passed passed, $failed failed"
((failed == 0))
