#!/bin/bash
# A worker from its start to its end: TERM with a request in flight, a database that goes away and
# comes back, a worker that is killed; and the same program as plain CGI.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

# run COMMAND...: sets code, out and err
run() {
	timeout "$patience" "$@" >"$work/out" 2>"$work/err"
	code=$?
	# gcc's AddressSanitizer says this of every program with fibers
	out=$(<"$work/out") err=$(sed '/ASan doesn.t fully support makecontext/d' "$work/err")
}

# ---- plain CGI -------------------------------------------------------------------------------

start_stack
export DATABASE_URL=$database
# cgi METHOD URI [BODY]: sets head and body
cgi() {
	local -x GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=$1 REQUEST_URI=$2 QUERY_STRING='' \
		SERVER_PROTOCOL=HTTP/1.1 CONTENT_LENGTH
	CONTENT_LENGTH=$(printf %s "${3-}" | wc -c)
	[[ $2 != *\?* ]] || QUERY_STRING=${2#*\?}
	run "$program" < <(printf %s "${3-}")
	head=$(sed '/^\r*$/,$d; s/\r$//' "$work/out") body=$(sed '1,/^\r*$/d' "$work/out")
}
cgi GET '/users?limit=1'
check "CGI: a GET" "$code $err$body" \
	'0 [{"id":1,"name":"Ada Lovelace","email":"ada@example.org","age":36}]'
check_like "CGI: its head" "$head" "Status: 200 OK*Content-Length: ${#body}*"
cgi POST /users '{"name":"C. G. I.","email":"cgi@example.org"}'
check_like "CGI: a POST" "$code $err$head $body" \
	'0 Status: 201 *Location: /users/*"name":"C. G. I."*'
cgi POST /users '{"name":"C. G. I.","email":"cgi@example.org"}'
check_like "CGI: a conflict" "$code $head $body" '0 Status: 409 *"pointer":"/email"*'
cgi DELETE /users
check_like "CGI: 405" "$code $head" '0 Status: 405 *Allow: *'
cgi GET /nothing
check_like "CGI: 404" "$code $head $body" '0 Status: 404 *problem+json*"status":404*'
DATABASE_URL='postgresql:///x?host=/nonexistent' cgi GET /users
check_like "CGI: no database" "$code $head" '0 Status: 503 *Retry-After: *'
unset DATABASE_URL

# ---- a worker of our own, to see how it ends ---------------------------------------------------

kill -TERM "$(cat "$run/worker.pid")"
check_that "TERM ends the stack's worker" within "$patience" gone "$(cat "$run/worker.pid")"
rm -f "$run/app.sock"
start_worker

row_of() { echo "do 'begin perform from users where id = $1 for update; end'"; }
# in_flight NAME METHOD PATH BODY: in the background; its answer is in $work/NAME
in_flight() {
	(
		answer=$work/$1 work=$work/$1.files
		mkdir -p "$work"
		request "${@:2}"
		printf '%s %s\n%s\n' "$status" "$(header Retry-After)" "$body" >"$answer"
	) &
	flights+=($!)
}
flights=()
land() {
	wait "${flights[@]}"
	flights=()
}

# ---- TERM ------------------------------------------------------------------------------------

hold "$(row_of 1)"
in_flight slow POST /posts '{"user_id":1,"title":"Held up"}'
within "$patience" waiting 1 || fail "a request that waits" none one
kill -TERM "$worker"
leaves() { grep -q 'worker leaves' "$work/worker.log"; }
check_that "TERM is noticed" within "$patience" leaves
check_that "a worker with a request in flight stays" kill -0 "$worker"
let_go
land
check_like "it is answered" "$(<"$work/slow")" '201 *"title":"Held up"*'
ended
check "and the worker exits" "$code" 0
check "what was answered is stored" \
	"$(query "select count(*) from posts where title = 'Held up'")" 1

# many at once: each is answered whole by the worker that leaves, or refused by nginx
start_worker
for i in {1..5}; do
	in_flight "leaving$i" POST /posts "{\"user_id\":2,\"title\":\"Leaving $i\"}"
done
kill -TERM "$worker"
land
ended
check "a worker that leaves exits" "$code" 0
stored=0
for i in {1..5}; do
	case $(<"$work/leaving$i") in
	201*"Leaving $i"*) stored=$((stored + 1)) ;;
	502*) ;;
	*) fail "request $i to a worker that leaves" "$(<"$work/leaving$i")" "201 or 502" ;;
	esac
done
check "all that is stored was answered so" \
	"$(query "select count(*) from posts where title like 'Leaving%'")" "$stored"
start_worker
kill -INT "$worker"
ended
check "INT ends it, too" "$code" 0

# a second TERM does not wait for what is in flight, unless it is being committed
start_worker
hold 'lock table users'
in_flight slow GET /users/1 ''
within "$patience" waiting 1 || fail "a request that waits" none one
kill -TERM "$worker"
left() { [ "$(grep -c 'worker leaves' "$work/worker.log")" = 4 ]; }
within "$patience" left || fail "a worker that leaves" no yes
kill -TERM "$worker"
ended
check "a second TERM ends it at once" "$code" 0
land
let_go
check_like "the request in flight then is not answered with success" "$(<"$work/slow")" '50[234] *'

# ---- the deadline -----------------------------------------------------------------------------

start_worker
hold "$(row_of 2)"
in_flight late PATCH /users/2 '{"age":42}'
land
check_like "a PATCH that waits past its deadline" "$(<"$work/late")" '504 *'
let_go
check "it stored nothing" "$(query 'select age from users where id = 2')" 41
request PATCH /users/2 '{"age":42}'
expect "the next one" 200 '"age":42'

# ---- the database goes away, and comes back -----------------------------------------------------

hold "$(row_of 1)"
in_flight unknown POST /posts '{"user_id":1,"title":"Unknown"}'
within "$patience" waiting 1 || fail "a request that waits" none one
sql/cluster.sh kill "$run"
land
let_go 2>/dev/null
check_like "a crash while committing" "$(<"$work/unknown")" '503 *outcome-unknown*'
unavailable() { # NAME METHOD PATH BODY
	request "${@:2}"
	expect "$1" 503 '"type":"urn:athanor:problem:unavailable"'
	check_like "$1: Retry-After" "$(header Retry-After)" '[1-9]*'
}
unavailable "a read without a database" GET /users/1 ''
unavailable "a write without a database" POST /users '{"name":"N","email":"away@example.org"}'
unavailable "a change without a database" PATCH /users/1 '{"age":1}'
request GET /nothing
expect "404 needs no database" 404
request POST /users '{'
expect "nor does 400" 400
request POST /users '{}'
expect "nor does 422" 422
sql/cluster.sh start "$run"
check_that "the worker is back by itself" within "$patience" answers /users/1 200
request POST /users '{"name":"N","email":"back@example.org"}'
expect "and writes" 201
check "nothing of what was refused is stored" \
	"$(query "select count(*) from users where email = 'away@example.org'")" 0

# a clean shutdown: the connections are idle, and are found dead when they are needed
sql/cluster.sh stop "$run"
unavailable "a read after a shutdown" GET /users/1 ''
unavailable "a write after a shutdown" POST /users '{"name":"N","email":"away@example.org"}'
sql/cluster.sh start "$run"
check_that "back again" within "$patience" answers /users/1 200
# a restart between two requests is not seen at all by a read
sql/cluster.sh stop "$run" && sql/cluster.sh start "$run"
request GET /users/1 ''
expect "a read after a restart" 200
check_that "the same worker all the time" kill -0 "$worker"

# a database that is not there when the worker starts
kill -TERM "$worker"
ended
sql/cluster.sh stop "$run"
ATHANOR_WORKERS=0 DATABASE_URL=$database spawn-fcgi -n -s "$run/app.sock" -M 0666 -- "$program" \
	>/dev/null 2>>"$work/worker.log" </dev/null &
worker=$!
check_that "a worker starts without its database" within "$patience" answers /users/1 503
sql/cluster.sh start "$run"
check_that "and finds it later" within "$patience" answers /users/1 200

# ---- killed -----------------------------------------------------------------------------------

query "insert into users (name, email) select 'Many', 'many' || i || '@example.org'
	from generate_series(1, 990) i" >/dev/null
request GET '/users?limit=1000' ''
whole=$(md5sum <"$work/body")
# Each answer that curl calls good has to be whole: "good", "502", or curl's error.
reader() {
	local file=$work/reader$1 answer
	while [ ! -e "$work/enough" ]; do
		answer=$(curl --noproxy '*' -s -m "$patience" -o "$file" -w '%{http_code}' \
			"$url/users?limit=1000") || answer="curl $?"
		[ "$answer" != 200 ] || [ "$(md5sum <"$file")" = "$whole" ] || answer="half an answer"
		echo "$answer" >>"$file.log"
	done
}
has_read() { grep -qs "$1" "$work"/reader*.log; }
for i in {1..4}; do
	reader "$i" &
	flights+=($!)
done
within "$patience" has_read 200 || fail "readers" none some
hold "$(row_of 1)"
in_flight killed POST /posts '{"user_id":1,"title":"Killed"}'
within "$patience" waiting 1 || fail "a request that waits" none one
kill -KILL "$worker"
check_that "nginx answers 502" within "$patience" has_read 502
: >"$work/enough"
land
let_go
check_like "the request in flight gets 502" "$(<"$work/killed")" '502*'
check "no half answer passed for a whole one" "$(cat "$work"/reader*.log | grep -c half)" 0
check "no other status" "$(cat "$work"/reader*.log | grep -vcE '^(200|502|curl (18|52|56))$')" 0
request GET /users/1 ''
check "502 while there is no worker" "$status" 502
ended
check "it was the KILL" "$code" 137
start_worker
request GET '/users?limit=1000' ''
check "a new worker serves" "$status $(md5sum <"$work/body")" "200 $whole"
kill -TERM "$worker"
ended
check "and leaves" "$code" 0
finish
