#!/bin/bash
# Each slip in slips.c is refused by gcc and by clang, with the words that its comments ask for;
# right_forms.c is accepted by both, and so is slips.c with no slip in it.
#
# The warnings are fewer than the project's own: what an application is sure to have.
set -uo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C # plain quotes in gcc's diagnostics

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

# All the way to assembly: gcc tells of an ignored status only behind its front end.
compile() { # COMPILER FILE [OPTION...]: its diagnostics are in $dir/output
	"$1" -std=c17 -Wall -Wextra -Werror -O1 -Ilib -S -o "$dir/code.s" "${@:3}" \
		"tests/reject/$2" >"$dir/output" 2>&1
}

accept() { # COMPILER FILE
	if compile "$1" "$2"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$1: $2"
		echo "  got:    it does not compile"
		sed 's/^/    /' "$dir/output"
		echo "  wanted: that it compiles"
	fi
}

refuse() { # COMPILER SLIP WORDS
	if compile "$1" slips.c "-D$2"; then
		failed=$((failed + 1))
		echo "$1: $2"
		echo "  got:    it compiles"
		echo "  wanted: $3"
	elif ! grep -q 'error:' "$dir/output" || ! grep -qF -- "$3" "$dir/output"; then
		failed=$((failed + 1))
		echo "$1: $2"
		echo "  got:"
		grep -E '(error|fatal|not found):?' "$dir/output" | sed 's/^/    /'
		echo "  wanted: $3"
	else
		passed=$((passed + 1))
	fi
}

# SLIP, tab, COMPILER, tab, WORDS; a slip that lacks the words for a compiler has none
slips() {
	awk '/^#ifdef/ { slip = $2; gcc = clang = "" }
		/^\/\* (gcc|clang): .* \*\/$/ {
			words = $0
			sub(/^\/\* [a-z]+: /, "", words)
			sub(/ \*\/$/, "", words)
			if ($2 == "gcc:") gcc = words; else clang = words
		}
		/^#endif/ { print slip "\tgcc\t" gcc; print slip "\tclang\t" clang }' \
		tests/reject/slips.c
}

for compiler in gcc clang; do
	if ! command -v "$compiler" >"$dir/output"; then
		failed=$((failed + 1))
		echo "$compiler: not installed"
		continue
	fi
	accept "$compiler" right_forms.c
	accept "$compiler" slips.c
	while IFS=$'\t' read -r slip of words; do
		[ "$of" = "$compiler" ] || continue
		if [ -n "$words" ]; then
			refuse "$compiler" "$slip" "$words"
		else
			failed=$((failed + 1))
			echo "$compiler: $slip: slips.c does not say what the diagnostic must hold"
		fi
	done < <(slips)
done

echo "reject: $passed passed, $failed failed"
[ "$failed" = 0 ]
