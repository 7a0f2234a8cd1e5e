#!/bin/bash
# The ORM beside the same work written by hand on libpq: what an operation costs the process in CPU
# time, how many round trips it makes, and what memory.
#
#   orm.sh [--rounds 9] [WORKLOAD...]
#
#   get         one row by primary key, a session for each, as a request has
#   20-rows     a page of rows
#   1000-rows   a larger one
#   relation    20 rows, and the 10 that belong to each: two SELECTs
#   insert      one row, and the commit
#   insert-all  10,000 rows in one statement, and the commit
#   update      one row is read, one column of it changed, and committed
#   each        a million rows, some at a time
#   pipelines   reads beside a query that takes a second (tests/bench/pipelines.c)
#
# Both programs (tests/bench/orm.c and libpq.c) get the same private PostgreSQL, whose commits do not
# wait for the disk, and take turns, so that the drift of the machine meets each of them alike: only
# the ratios of one round mean anything. A missed goal is printed, and is no failure: the exit
# status is 1 when the two did not do the same, or something did not run.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."

say() { printf 'bench: %s\n' "$*" >&2; }
die() {
	say "$@"
	exit 1
}

# operations of a round, and of the one that counts round trips
declare -Ar counts=([get]=4000 [20-rows]=2000 [1000-rows]=200 [relation]=400 [insert]=3000
	[insert-all]=10 [update]=2000 [each]=1)
declare -Ar few=([get]=200 [20-rows]=100 [1000-rows]=20 [relation]=50 [insert]=200
	[insert-all]=5 [update]=100 [each]=1)
readonly all=(get 20-rows 1000-rows relation insert insert-all update each)

clean_up() {
	trap '' HUP INT TERM
	sql/cluster.sh remove "$dir" || true
	rm -rf "$dir"
}

start_database() {
	say "starting a private PostgreSQL in $dir"
	sql/cluster.sh start "$dir" -c fsync=off -c synchronous_commit=off -c autovacuum=off
	unset "${!PG@}"
	DATABASE_URL=$(sql/cluster.sh url "$dir" bench)
	export DATABASE_URL
	psql -X -q -v ON_ERROR_STOP=1 "$(sql/cluster.sh url "$dir")" <<<'create database bench'
	psql -X -q -v ON_ERROR_STOP=1 -f tests/bench/tables.sql "$DATABASE_URL"
}

# Every run finds the tables as the others do.
tidy() {
	psql -X -q -v ON_ERROR_STOP=1 "$DATABASE_URL" <<-'END'
	truncate entries;
	vacuum people;
	END
}

# run PROGRAM WORKLOAD COUNT: program, workload and the figures that the program prints
run() {
	local line
	line=$("build/tests/bench/$1" "$2" "$3") || die "$1 $2 failed"
	echo "$1 $line"
}

measure() { # WORKLOAD
	local round program order
	for program in libpq orm; do
		run "$program" "$1" "${few[$1]}t" >>"$dir/trips"
	done
	for ((round = 1; round <= rounds; round++)); do
		order=(libpq orm)
		((round % 2)) || order=(orm libpq)
		[[ $1 != insert* && $1 != update ]] || tidy
		for program in "${order[@]}"; do
			run "$program" "$1" "${counts[$1]}" >>"$dir/figures"
		done
	done
	say "$1: $rounds rounds"
}

# The columns of both files: program workload operations seconds cpu_us round_trips hwm_before
# hwm_after own all check.
report() {
	awk -v order="$*" '
	function sort(list, n,   i, j, value) {
		for (i = 2; i <= n; i++) {
			value = list[i]
			for (j = i - 1; j > 0 && list[j] > value; j--)
				list[j + 1] = list[j]
			list[j + 1] = value
		}
	}
	function median(what, program, workload,   i, n, list) {
		n = runs[program, workload]
		for (i = 1; i <= n; i++)
			list[i] = figure[what, program, workload, i]
		sort(list, n)
		return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
	}
	function verdict(met) {
		return met ? "met" : "MISSED"
	}
	FILENAME ~ /trips$/ {
		trips[$1, $2] = $6
		next
	}
	{
		i = ++runs[$1, $2]
		figure["cpu", $1, $2, i] = $5
		figure["wall", $1, $2, i] = $4 * 1e6 / $3
		figure["own", $1, $2, i] = $9
		figure["all", $1, $2, i] = $10
		grown = $8 - $7
		if (grown > growth[$1, $2])
			growth[$1, $2] = grown
		if (($2 in check) && check[$2] != $11) {
			printf "%s: the two did not read or write the same\n", $2
			wrong = 1
		}
		check[$2] = $11
	}
	END {
		if (wrong)
			exit 1
		n = split(order, workload, " ")
		printf "CPU time of the process, user and system, in microseconds an operation: " \
			"medians of %d rounds.\n\n", runs["orm", workload[1]]
		printf "%-11s %10s %10s  %5s %15s  %s\n", "workload", "by hand", "Athanor",
			"ratio", "in rounds", "goal: <= 1.25"
		for (w = 1; w <= n; w++) {
			name = workload[w]
			rounds = runs["orm", name]
			for (i = 1; i <= rounds; i++)
				figure["ratio", "both", name, i] = figure["cpu", "orm", name, i] \
					/ figure["cpu", "libpq", name, i]
			runs["both", name] = rounds
			ratio = median("ratio", "both", name)
			least = most = figure["ratio", "both", name, 1]
			for (i = 2; i <= rounds; i++) {
				value = figure["ratio", "both", name, i]
				least = value < least ? value : least
				most = value > most ? value : most
			}
			printf "%-11s %10.1f %10.1f  %5.2f %7.2f - %5.2f  %s\n", name,
				median("cpu", "libpq", name), median("cpu", "orm", name), ratio,
				least, most, verdict(ratio <= 1.25)
		}
		printf "\n%-11s %21s   %-28s %s\n", "", "round trips", "calls of malloc, all (own)",
			"goal: no more round trips"
		printf "%-11s %10s %10s   %13s  %13s\n", "workload", "by hand", "Athanor",
			"by hand", "Athanor"
		for (w = 1; w <= n; w++) {
			name = workload[w]
			printf "%-11s %10.6g %10.6g   %13s  %13s  %s\n", name,
				trips["libpq", name], trips["orm", name],
				sprintf("%.6g (%.4g)", median("all", "libpq", name),
					median("own", "libpq", name)),
				sprintf("%.6g (%.4g)", median("all", "orm", name),
					median("own", "orm", name)),
				verdict(trips["orm", name] <= trips["libpq", name])
		}
		print ""
		if (("orm", "20-rows") in runs && ("orm", "1000-rows") in runs) {
			value = (median("own", "orm", "1000-rows") - median("own", "orm", "20-rows")) / 980
			printf "calls of malloc of its own for a row more: %.4f, goal none, < 0.01 %s\n",
				value, verdict(value < 0.01)
		}
		if (("orm", "each") in runs)
			printf "each: %d KiB more behind a million rows than behind ten thousand, " \
				"goal <= 1024 %s\n", growth["orm", "each"],
				verdict(growth["orm", "each"] <= 1024)
	}' "$dir/trips" "$dir/figures"
}

# Twenty seconds, half of them with a slow query beside the reads.
report_pipelines() {
	build/tests/bench/pipelines 20 >"$dir/pipelines" || die "pipelines failed"
	awk '
	BEGIN {
		printf "\nReads by primary key in 16 fibers, in milliseconds, beside a query that takes a " \
			"second and without.\n\n"
		printf "%-8s %8s %8s %8s %8s %8s\n", "", "reads", "p50", "p99", "p99.9", "largest"
	}
	{
		name = $1 == "slow" ? "with" : "without"
		printf "%-8s %8d %8.2f %8.2f %8.2f %8.2f\n", name, $2, $3, $4, $5, $6
		largest[$1] = $6
	}
	END {
		delay = largest["slow"] - largest["quiet"]
		delay = delay > 0 ? delay : 0
		verdict = delay <= 10 ? "met" : "MISSED"
		printf "\nthe largest delayed by %.2f ms: goal <= 10 %s\n", delay, verdict
	}' "$dir/pipelines"
}

# --------------------------------------------------------------------------------------------

rounds=9 workloads=() pipelines=false
while (($# > 0)); do
	case $1 in
	--rounds)
		[[ ${2-} == [1-9]* ]] || die "--rounds takes a number"
		rounds=$2
		shift
		;;
	pipelines) pipelines=true ;;
	*)
		if [ -z "${counts[$1]-}" ]; then
			sed -n '2,/^set/s/^# \{0,1\}//p' tests/bench/orm.sh >&2
			exit 2
		fi
		workloads+=("$1")
		;;
	esac
	shift
done
if ((${#workloads[@]} == 0)) && ! $pipelines; then
	workloads=("${all[@]}") pipelines=true
fi
for program in orm libpq pipelines; do
	[ -x "build/tests/bench/$program" ] || die "$program is not built: make bench"
done

dir=$(mktemp -d /tmp/ath-bench.XXXXXX)
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
start_database
for workload in "${workloads[@]}"; do
	measure "$workload"
done
((${#workloads[@]} == 0)) || report "${workloads[@]}"
! $pipelines || report_pipelines
