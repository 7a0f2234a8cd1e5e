#!/bin/bash
# Hostile and unlucky peers: bodies that hold FastCGI records of another request, ceilings,
# clients that leave; through nginx with curl, and on the worker's socket with wire.c.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

start_stack
worker=$(cat "$run/worker.pid")
if ! compile "$work/wire" tests/e2e/wire.c -lcmocka; then
	fail "wire.c" "$(<"$work/wire.log")" "compiled"
	finish
fi
facts() { query "select count(*), sum(id), (select count(*) from posts) from users"; }
before=$(facts)

# ---- on the worker's socket ----------------------------------------------------------------

timeout $((5 * patience)) "$work/wire" "$run/app.sock" >"$work/wire.log" 2>&1
code=$?
passed=$((passed + $(grep -c '^\[       OK \]' "$work/wire.log")))
[ "$code" = 0 ] || fail "wire.c" "$code $(grep -v '^\[ *\(RUN\|OK\)' "$work/wire.log")" 0
check "nobody was deleted, nothing half stored" "$(facts)" "$before"

# ---- smuggling through nginx, whose kept connections all share -------------------------------

ada='{"id":1,"name":"Ada Lovelace","email":"ada@example.org","age":36}'
# smuggle METHOD PATH STATUS: with bodies of several sizes; the next answers are the right ones
smuggle() {
	local size wanted
	for size in 200 100000 1048576 1048577 3000000; do
		wanted=$3
		# a query that is wrong is refused first
		((size <= 1048576)) || [[ $2 == *%00* ]] || wanted=413
		request "$1" "$2" "@$work/records$size"
		expect "$1 $2 with $size bytes of records" "$wanted"
		row GET /users/1 '' 200 "=$ada"
		row GET /posts/5 '' 200 '{"id":5,'
		row GET /nothing '' 404
	done
}
for size in 200 100000 1048576 1048577 3000000; do
	"$work/wire" records "$size" >"$work/records$size"
done
smuggle POST /users 400
smuggle POST /nothing 404
smuggle POST /users/1 405
smuggle BREW /users 405
smuggle PATCH /users/99 404
smuggle PATCH /users/1 400
smuggle GET /users/2 200
smuggle GET '/users?limit=0' 422
smuggle GET '/users?name=%00' 400
media_type=text/plain
smuggle POST /users 415
media_type=application/json
check "nobody was smuggled away" "$(facts)" "$before"

# ---- ceilings --------------------------------------------------------------------------------

padded() { # SIZE NAME: a user whose JSON has this size
	local user="{\"name\":\"$2\",\"email\":\"$2@example.org\""
	printf '%s%*s}' "$user" $(($1 - ${#user} - 1)) '' >"$work/padded"
}
padded 1048576 largest
row POST /users "@$work/padded" 201 '"name":"largest"'
padded 1048577 larger
row POST /users "@$work/padded" 413 '"detail":"at most 1048576 bytes"'
padded 1048576 largest2
options=(-H 'Transfer-Encoding: chunked')
row POST /users "@$work/padded" 201 '"name":"largest2"'
padded 1048577 larger
row POST /users "@$work/padded" 413
row POST /users '{"name":"chunked","email":"chunked@example.org"}' 201
row POST /users '{' 400
options=(-H 'Expect: 100-continue')
padded 1000000 expected
row POST /users "@$work/padded" 201 '"name":"expected"'
printf -v seven '%7000s' ''
seven=${seven// /h}
options=(-H "X-One: $seven" -H "X-Two: $seven" -H "X-Three: $seven")
row GET /users/1 '' 200 "=$ada"
options=(-H 'Proxy: evil' -H 'X-Empty;' -H 'Cookie: a=b' -H 'Cookie: c=d' -H $'X-Bytes: \xff\xfe')
row GET /users/1 '' 200 "=$ada"
options=()
row GET "/users?name=$seven" '' 200 '=[]'
row GET "/$seven" '' 404
# beyond these nginx answers by itself
request GET "/$seven$seven"
check "a URI that nginx finds too long" "$status" 414
request GET /users/1 '' -H "X-Long: $seven$seven"
check "a header line that nginx finds too long" "$status" 400
row GET /users/1 '' 200 "=$ada"

# ---- made to hurt ------------------------------------------------------------------------------

many() { # NUMBER FORMAT: the format with each number up to it
	seq -f "$2" "$1" | tr -d '\n'
}
options=(-H 'X-Long:')
many 1001 '&a%g=1' >"$work/arguments"
row GET "/users?x$(<"$work/arguments")" '' 400
many 10000 '&a%g' >"$work/arguments"
request GET "/users?x$(<"$work/arguments")"
check "ten thousand arguments" "$status" 414
row GET '/users?name=%0d%0aSet-Cookie:%20a=b' '' 200 '=[]'
row GET '/users/1%0d%0aSet-Cookie:%20a=b' '' 404
row GET '/users?limit=1%0d%0aInjected:%201' '' 422 '!Injected: 1'$'\n'
printf '%90000s' '' | tr ' ' '[' >"$work/deep"
row POST /users "@$work/deep" 400 'nested too deep'
{ echo '{"a":0' && many 70000 ',"a%g":1' && echo '}'; } >"$work/wide"
row POST /users "@$work/wide" 422
{ echo '[0' && many 100000 ',%g' && echo ']'; } >"$work/wide"
row POST /users "@$work/wide" 422
{ echo '{"name":"' && printf '%0900000d' 0 && echo '","email":"a@b.c"}'; } >"$work/wide"
row POST /users "@$work/wide" 400
{ printf '{"name":"%0900000d' 0 && echo '","email":"a@b.c"}'; } >"$work/wide"
row POST /users "@$work/wide" 422
options=()
many 200 'X-Line-%g: x\n' | sed 's/\\n/\n/g' >"$work/lines"
request GET /users/1 '' -H "@$work/lines"
check "two hundred header lines" "$status" 200
memory=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$worker/status")
[[ $build == */address ]] || check_that "bounded memory: $memory KiB" [ "$memory" -lt 65536 ]

# ---- clients that leave ------------------------------------------------------------------------

port=${url##*:}
leave() { # TEXT: connects, sends it and is gone
	{ printf '%b' "$1" >&3; } 3<>"/dev/tcp/127.0.0.1/$port"
}
for i in {1..30}; do
	leave 'GET /use'
	leave 'GET /users?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n'
	leave 'GET /users HTTP/1.1\r\nHost: x\r\n\r\nGET /posts HTTP/1.1\r\nHost: x\r\n\r\n'
	leave 'POST /posts HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"user_id":1,'
	leave 'POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"nam'
done
for i in {1..20}; do
	row GET /users/1 '' 200 "=$ada"
done
check "a POST that never came whole stored nothing" "$(facts | cut -d '|' -f 3)" \
	"$(cut -d '|' -f 3 <<<"$before")"

check "the same worker to the end" "$(cat "$run/worker.pid")$(kill -0 "$worker" && echo ' lives')" \
	"$worker lives"
finish
