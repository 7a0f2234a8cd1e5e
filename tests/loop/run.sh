#!/bin/bash
#
# run.sh - the loop's tests under valgrind, which knows the fibers' stacks: no error, no leak
# (test_memory refuses calls of the system on purpose and is left to AddressSanitizer); and the
# fibers once more with ucontext, which other processors than x86-64 change stacks with.

set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
passed=0
failed=0
work=$(mktemp -d)
output=$work/output
trap 'rm -rf "$work"' EXIT

take()
{
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		cat "$output"
	fi
}

for name in fiber loop descriptor timer offload; do
	valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
		"${BUILD:-build}/tests/loop/test_$name" >"$output" 2>&1
	take $?
done

gcc -std=c17 -O2 -D_GNU_SOURCE -DATH_UCONTEXT -Ilib -pthread -o "$work/test_fiber" \
	tests/loop/test_fiber.c lib/base/*.c lib/loop/*.c -lcmocka -lm >"$output" 2>&1 &&
	nm "$work/test_fiber" | grep swapcontext >/dev/null &&
	"$work/test_fiber" >>"$output" 2>&1
take $?

echo "loop: $passed passed, $failed failed"
((failed == 0))
