#!/bin/bash
# What an operator sees of a master with two workers: logs and how they are opened anew, metrics,
# the status as a page, as JSON and at a terminal, all of it also while every worker is kept busy;
# with the application observed.c, through nginx.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

program=$work/observed
if ! compile "$program" tests/e2e/observed.c; then
	fail "observed.c" "$(<"$program.log")" "compiled"
	finish
fi
chmod 755 "$program"
start_stack
stack_worker=$(cat "$run/worker.pid")
kill -TERM "$stack_worker"
check_that "the stack's worker ends" within "$patience" gone "$stack_worker"
rm -f "$run/app.sock"

mkdir "$work/logs"
errors=$work/logs/error.log accesses=$work/logs/access.log slows=$work/logs/slow.log
gate=$work/gate status_socket=unix:$work/status.sock
ATHANOR_TEST_GATE=$gate DATABASE_URL=$database "$program" serve --listen "unix:$run/app.sock" \
	--listen-mode 0666 --status-listen "$status_socket" --workers 2 --blocked 50ms \
	--log-file "$errors" --access-file "$accesses" --slow-file "$slows" --slow 150ms \
	--server-timing --stop-timeout 5s </dev/null >/dev/null 2>>"$work/worker.log" &
master=$!
check_that "two workers serve" within "$patience" answers /-/ready 200

# ---- asking ------------------------------------------------------------------------------------

metrics() { curl --noproxy '*' -s -m "$patience" "$url/-/metrics"; }
# metric NAME{LABELS}: its value, or nothing
metric() { metrics | grep -v '^#' | grep -F -- "$1 " | sed 's/.* //'; }
has_metric() { [ "$(metric "$1")" = "$2" ]; }
told() { # the status process, as JSON
	"$program" status "$status_socket" --json 2>"$work/told.err"
}
# told_times PATTERN COUNT: so many places of what it says fit
told_times() { [ "$(told | grep -oE "$1" | wc -l)" -ge "$2" ]; }
logged() { # FILE PATTERN...: one line has all of them
	local lines
	lines=$(<"$1")
	shift
	for part in "$@"; do lines=$(grep -F -- "$part" <<<"$lines"); done
	[ -n "$lines" ]
}
check_logged() { # NAME FILE PATTERN...
	within "$patience" logged "${@:2}" ||
		fail "$1" "$(tail -n 5 "$2")" "a line with ${*:3}" && passed=$((passed + 1))
}
in_background() { # PATH
	curl --noproxy '*' -s -m "$patience" -o /dev/null "$url$1" &
}

# ---- requests that have happened ---------------------------------------------------------------

quick='athanor_requests_total{method="GET",route="/quick",status="200"}'
for _ in {1..20}; do request GET /quick; done
check "a request" "$status $body" "200 quick"
check_like "Server-Timing" "$(header Server-Timing)" 'total;dur=+([0-9]).[0-9][0-9][0-9]'
check_that "both workers' requests are in one page" within "$patience" has_metric "$quick" 20
last=0 back=0
for _ in {1..20}; do
	now=$(metric "$quick")
	((now >= last)) || back=$((back + 1))
	last=$now
done
check "whoever answers, no number goes back" "$back $last" '0 20'
request GET "/quick/someone?password=secret"
id=$(header X-Request-Id)
check_logged "a line of the access log" "$accesses" "\"id\":\"$id\"" '"client":"127.0.0.1"' \
	'"method":"GET"' '"path":"/quick/someone"' '"route":"/quick/<name>"' '"status":200' \
	'"bytes":5' '"statements":0' '"level":"info"'
check "it keeps the query to itself" "$(grep -c secret "$accesses")" 0

request GET /slow
id=$(header X-Request-Id)
check_like "Server-Timing of statements" "$(header Server-Timing)" \
	'total;dur=*, db;dur=+([0-9]).[0-9][0-9][0-9];desc="4 statements"'
check_logged "a slow request" "$slows" '"message":"slow request"' "\"id\":\"$id\"" \
	'"route":"/slow"' '"statements":4' 'from pg_sleep(0.2)"}' '"slowest":[{"ms":2'
check "no other one" "$(grep -vc '"route":"/slow"' "$slows")" 0
check_that "it is counted" within "$patience" has_metric athanor_requests_slow_total 1

request GET /repeat
id=$(header X-Request-Id)
check_logged "a query in a loop" "$errors" '"level":"warning"' 'the same statement many times' \
	"\"id\":\"$id\"" '"route":"/repeat"' '"times":30'

request GET /broken
check_logged "an error of the server" "$errors" '"level":"error"' '"route":"/broken"' '"status":500'
check_that "errors are counted by SQLSTATE" within "$patience" \
	has_metric 'athanor_database_errors_total{sqlstate="42P01"}' 1
check_that "statements are counted" within "$patience" \
	eval '[ "$(metric athanor_database_statements_total)" -ge 33 ] 2>/dev/null'

request GET /-/metrics
check "the metrics" "$status $(header Content-Type) $(header Cache-Control)" \
	'200 text/plain; version=0.0.4; charset=utf-8 no-store'
check "promtool" "$(promtool check metrics <"$work/body" 2>&1)" ''
for name in $(grep -oE '^athanor_[a-z_]+' "$work/body" | sort -u); do
	case $name in *_bucket | *_sum | *_count) continue ;; esac
	grep -q "^# TYPE $name " "$work/body" || fail "a metric" "$name" "one with a type"
done

# ---- the page of the status -------------------------------------------------------------------

request GET /-/status '' -H 'Accept: text/html,*/*;q=0.8'
check_like "a browser" "$status $(header Content-Type) $body" '200 text/html*<h2>Workers</h2>*'
check_like "its own policy" "$(header Content-Security-Policy)" "*style-src 'unsafe-inline'*"
request GET '/-/status?json'
check_like "php-fpm's names" "$body" \
	'{"pool":"observed","process manager":"static","start time":*"total processes":2*'

# ---- while every worker is kept from its loop -------------------------------------------------

in_background /wait
check_that "one waits" within "$patience" told_times '"route":"/wait"' 1
# each takes whatever comes to its worker with it: enough of them for both
blockers=()
blocks() { told_times '"request uri":"/block","content length"' 2; }
two_block() {
	[ "$(told | grep -oE '"pid":[0-9]+,"state":"Running"' | wc -l)" = 2 ] &&
		[ "$(told | grep -o '"request uri":"/block","route"' | wc -l)" -ge 2 ]
}
for _ in {1..40}; do
	two_block && break
	in_background /block
	blockers+=($!)
	within 1 eval '(($(told | grep -o "\"request uri\":\"/block\",\"route\"" | wc -l) >= ${#blockers[@]}))'
done
check_that "both are blocked, and the status tells of it" two_block
check_like "at a terminal" "$("$program" status "$status_socket")" \
	*"observed 1.0, pid $master, up "*"worker "*"Running "*"GET /block "*
touch "$gate"
wait "${blockers[@]}"
check_logged "a handler that kept the loop" "$errors" '"message":"a handler kept the loop"' \
	'"route":"/block"' '"level":"warning"' '"id":"'
check_that "it is counted" within "$patience" \
	eval '[ "$(metric athanor_loop_blocked_total)" -ge 2 ] 2>/dev/null'
check_that "nothing is in flight" within "$patience" \
	eval '! told | grep -q "\"state\":\"Running\""'

# ---- at a terminal ---------------------------------------------------------------------------------

watch_it() { # what it writes, with a key after two looks
	{
		within "$patience" eval '[ "$(grep -c "req/s" "$work/watched")" -ge 2 ]'
		printf q
	} | script -qfec "$program status $status_socket --watch" "$work/watched" >/dev/null 2>&1
}
: >"$work/watched"
watch_it
check_that "--watch shows it again and again" eval '[ "$(grep -c "req/s" "$work/watched")" -ge 2 ]'
check_that "and leaves the terminal as it was" grep -q $'\033\\[?25h\033\\[?1049l' "$work/watched"
"$program" status "unix:$work/nobody.sock" >"$work/out" 2>"$work/err"
check_like "nothing there" "$? $(wc -l <"$work/err") $(<"$work/err")$(<"$work/out")" \
	"3 1 observed: nothing answers on unix:$work/nobody.sock: *"

# ---- a worker that is killed ---------------------------------------------------------------------

rm "$gate"
in_background /wait
check_that "one waits again" within "$patience" told_times '"route":"/wait"' 1
victim=$(told | grep -oE '"pid":[0-9]+,"state":"Running"' | grep -oE '[0-9]+' | head -n 1)
kill -KILL "$victim"
check_that "its request is lost, and counted" within "$patience" \
	has_metric athanor_requests_lost_total 1
check_that "so is its successor" within "$patience" has_metric athanor_worker_restarts_total 1
check "what it had counted stays" "$(metric "$quick")" 20
touch "$gate"

# ---- reload, and logs that are moved away -----------------------------------------------------------

kill -HUP "$master"
check_that "a reload is counted" within "$patience" has_metric athanor_reloads_total 1
check "what the old ones had counted stays" "$(metric "$quick")" 20
settled() { [ "$(told | grep -o '"state":"\(Idle\|Running\)"' | wc -l) $(told | grep -c Finishing)" = '2 0' ]; }
check_that "two workers again" within "$patience" settled

for log in error access slow; do mv "$work/logs/$log.log" "$work/logs/$log.old"; done
kill -USR1 "$master"
arrived() { request GET /quick/again && [ -s "$accesses" ] && grep -q again "$accesses"; }
check_that "a new file is written to" within "$patience" arrived
count=$(grep -cs again "$accesses")
for _ in {1..20}; do request GET /quick/again; done
check_that "by both workers" within "$patience" \
	eval '[ "$(grep -cs again "$accesses")" -ge $((count + 20)) ]'
check "all three are there" "$(stat -c '%n %a' "$errors" "$accesses" "$slows" 2>&1 | sed 's|.*/||' | xargs)" \
	'error.log 640 access.log 640 slow.log 640'

kill -TERM "$master"
check_that "TERM ends it" within "$patience" gone "$master"
wait "$master"
check "its exit status" "$?" 0
finish
