# shellcheck shell=bash
# exports.sh - NDJSON and CSV of any number of rows.

exports_rows() {
	local got wanted before
	query "create or replace view fractions as select n as id, (1000000 / (100000 - n))::bigint
		as value from generate_series(1, 200000) as n" >/dev/null
	row GET '/exports/lines?before=3' '' 200 'H:Content-Type: application/x-ndjson' \
		$'={"id":1,"value":10}\n{"id":2,"value":10}'
	row GET '/exports/table?before=1' '' 200 'H:Content-Type: text/csv; charset=utf-8; header=present' \
		"H:Content-Disposition: attachment; filename*=UTF-8''fractions.csv" $'=id,value\r'
	request GET /exports/table
	wanted=$(seq 1 99999 | awk '{ printf "%d,%d\r\n", $1, int(1000000 / (100000 - $1)) }' | cksum)
	check "a table of 99,999 rows" "$(tail -n +2 "$work/body" | awk -F, '{
		printf "%d,%d\r\n", $1, $2 }' | cksum)" "$wanted"
	check "its lines" "$(wc -l <"$work/body")" 100000
	row GET '/exports/lines?before=x' '' 422
	before=$(logged 'division by zero')
	got=$(curl --noproxy '*' -s -m "$patience" -o "$work/body" -w '%{http_code} %{exitcode}' \
		"$url/exports/lines?before=100002")
	if like_others breaks; then
		check "an export that fails on the way" "$got" '200 18'
	else
		check "an export that fails on the way" "$got" '200 0'
	fi
	check_that "it is told in a log" within "$patience" is_logged_again "$before" 'division by zero'
}
# logged TEXT: how often, in the log of the worker or of the web server that runs it
logged() { cat "$run"/*.log "$work"/*.log "$work"/front/*.log 2>/dev/null | grep -cF "$1"; }
is_logged_again() { [ "$(logged "$2")" -gt "$1" ]; } # COUNT_BEFORE TEXT
