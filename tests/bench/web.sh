#!/bin/bash
# The web side by itself, in one process, without sockets: what a match of the router costs among
# few routes and many, what a thousand rows cost as JSON, beside cJSON's tree and printer, and what
# the framework takes of a request.
#
#   web.sh
#
# Nanoseconds are medians of rounds on a machine that does other things too. Instructions are
# counted by valgrind where it is installed: of a long run less those of a short one. A missed goal
# is printed, and is no failure: the exit status is 1 when something did not run.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../../build/tests/bench"

count() { # PROGRAM ARGUMENT...: instructions
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null |
		sed -n 's/.*Collected : //p'
}

# instructions TIMES PROGRAM [ARGUMENT]: of one of them
instructions() {
	local few many
	type valgrind >/dev/null 2>&1 || { echo - && return; }
	few=$(count "./$2" ${3+"$3"} "$1")
	many=$(count "./$2" ${3+"$3"} "$((3 * $1))")
	echo $(((many - few) / (2 * $1)))
}

goal() { # VALUE <=|>= GOAL
	awk -v value="$1" -v sign="$2" -v goal="$3" 'BEGIN {
		met = sign == "<=" ? value <= goal : value >= goal
		printf "goal %s %s %s", sign, goal, met ? "met" : "MISSED"
	}'
}

measure_routes() {
	local routes all few name build count ten
	printf 'A match of the router, the router built and a name looked up.\n\n'
	printf '%7s %12s %14s %13s %10s %17s\n' routes 'ns, of all' 'ns, of ten' instructions \
		'ns a name' 'us a route, built'
	for routes in 10 100 1000 10000; do
		read -r routes all few name build <<<"$(./routes "$routes")"
		count=$(instructions 20000 routes "$routes")
		printf '%7d %12.1f %14.1f %13s %10.1f %17.3f\n' "$routes" "$all" "$few" "$count" \
			"$name" "$build"
		((routes > 10)) || ten=$few
	done
	awk -v many="$few" -v ten="$ten" 'BEGIN {
		printf "\nten routes of 10,000 / ten of 10, ns: %.2f  ", many / ten }'
	goal "$(awk -v a="$few" -v b="$ten" 'BEGIN { print a / b }')" '<=' 1.1
	echo
}

measure_json() {
	local ours theirs ratio bytes
	read -r ours theirs ratio bytes <<<"$(./json_rows)"
	printf '\nA thousand rows of seven columns as JSON, %d bytes each: nanoseconds a row.\n\n' \
		"$bytes"
	printf '%-28s %8s\n' ath_row_to_json "$ours" "cJSON's tree and printer" "$theirs"
	printf '%-28s %8s  %s\n' 'ratio, median of the rounds' "$ratio" "$(goal "$ratio" '>=' 10)"
	printf '%-28s %8s\n' 'instructions a row, ours' \
		"$(awk -v a="$(instructions 20 json_rows)" 'BEGIN { print a == "-" ? a : a / 1000 }')"
}

measure_framework() {
	local kind ns bytes
	printf '\nA request from the records of nginx to those of the answer, no socket, no database.\n\n'
	printf '%-6s %8s %13s %16s\n' kind ns instructions 'bytes of answer'
	for kind in text row rows bind form; do
		read -r ns bytes <<<"$(./framework "$kind")"
		printf '%-6s %8d %13s %16d  %s\n' "$kind" "$ns" \
			"$(instructions 3200 framework "$kind")" "$bytes" "$(goal "$ns" '<=' 4000)"
	done
}

measure_routes
measure_json
measure_framework
