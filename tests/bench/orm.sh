#!/bin/bash
# The ORM in a plain program beside one written by hand on libpq, doing the same work: CPU time of
# the process for each operation, round trips, allocations, memory.
#
#   orm.sh [--runs 5]
#
# Both work on one private PostgreSQL in rotation, so that the drift of the machine meets each of
# them alike: only the ratios of one run mean anything. A missed goal is printed, and is no
# failure: the exit status is 1 when the two did not read or write the same.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."

readonly most_cpu=1.25 most_growth=1024 programs=(orm libpq)
runs=5
[ "${1-}" != --runs ] || runs=$2
dir=$(mktemp -d /tmp/ath-bench.XXXXXX)
chmod a+x "$dir"

clean_up() {
	sql/cluster.sh remove "$dir/cluster" || true
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM

sql/cluster.sh start "$dir/cluster"
DATABASE_URL=$(sql/cluster.sh url "$dir/cluster")
export DATABASE_URL
psql -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" <tests/bench/tables.sql >"$dir/psql" 2>&1 || {
	cat "$dir/psql" >&2
	exit 1
}

field() { awk -v n="$1" '{ print $n }'; }
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# compare WORKLOAD COUNT COUNT_OF_ROUND_TRIPS
compare() {
	local workload=$1 count=$2 trips=$3 program run verdict='' ratio
	for program in "${programs[@]}"; do
		: >"$dir/$program"
		build/tests/bench/"$program" "$workload" "${trips}t" >"$dir/$program.trips"
	done
	for ((run = 0; run < runs; run++)); do
		for program in "${programs[@]}"; do
			build/tests/bench/"$program" "$workload" "$count" >>"$dir/$program"
		done
	done
	[ "$(field 10 <"$dir/orm" | sort -u)" = "$(field 10 <"$dir/libpq" | sort -u)" ] || {
		echo "bench: the two programs did not do the same in $workload" >&2
		exit 1
	}
	local ours hand our_trips hand_trips growth own
	ours=$(field 4 <"$dir/orm" | median)
	hand=$(field 4 <"$dir/libpq" | median)
	our_trips=$(field 5 <"$dir/orm.trips")
	hand_trips=$(field 5 <"$dir/libpq.trips")
	growth=$(awk '{ print $7 - $6 }' "$dir/orm" | median)
	own=$(field 8 <"$dir/orm" | median)
	ratio=$(awk -v a="$ours" -v b="$hand" 'BEGIN { printf "%.2f", a / b }')
	awk -v a="$ratio" -v b="$most_cpu" 'BEGIN { exit !(a > b) }' && verdict+=" CPU>$most_cpu"
	awk -v a="$our_trips" -v b="$hand_trips" 'BEGIN { exit !(a > b) }' && verdict+=' more-trips'
	[ "$workload" != each ] || [ "${growth%.*}" -le "$most_growth" ] || verdict+=' grows'
	printf '%-10s %12.1f %12.1f %7s %9s %9s %10s %9s  %s\n' "$workload" "$ours" "$hand" \
		"$ratio" "$our_trips" "$hand_trips" "$growth" "$own" "${verdict:-met}"
}

echo "CPU in microseconds an operation, medians of $runs runs; goal: at most $most_cpu of libpq's,"
echo "never more round trips, and over a million rows (each) at most $most_growth KiB more memory"
printf '%-10s %12s %12s %7s %9s %9s %10s %9s\n' '' athanor libpq ratio trips trips grown-KiB mallocs
compare get 20000 200
compare 20-rows 10000 200
compare 1000-rows 400 20
compare relation 2000 100
compare insert 2000 100
compare insert-all 8 2
compare update 2000 100
compare each 1 1
echo
echo 'reads by primary key beside slow ones, in milliseconds'
build/tests/bench/pipelines
