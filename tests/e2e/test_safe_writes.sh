#!/bin/bash
# What a client that is not sure, and a browser, see through nginx: writes that are sent again
# under one Idempotency-Key, pages of other origins, the lines that every answer has.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

# ---- the application, for the pages of one more origin --------------------------------------------

cp -r app "$work/app"
sed -i 's|^\t\.models = models,$|&\n\t.cors = { .origins = origins, .exposed_headers = exposed,\
	\t\t  .credentials = true },|; s|^static const struct ath_route routes|\
static const char *const origins[] = { "https://app.example.org", NULL };\
static const char *const exposed[] = { "Location", "Idempotency-Replayed", NULL };\n&|' \
	"$work/app/app.c"
read -r compiler _ flags <"$build/flags"
# shellcheck disable=SC2086
if ! "$compiler" $flags -o "$work/users" "$work"/app/*.c "$build/libathanor.a" -lpq -lcjson -lm \
	2>"$work/users.log"; then
	fail "the application" "$(<"$work/users.log")" "compiled"
	finish
fi
export WORKER_PROGRAM=$work/users
start_stack

# ---- writes that are sent again ---------------------------------------------------------------

count() { query "select count(*) from $1"; }
keyed() { options=(-H "Idempotency-Key: $1"); }

# twenty equal requests at once: one effect, one answer
users=$(count users)
twin='{"name":"Twin","email":"twin@example.org"}'
sent=()
for i in {1..20}; do
	curl --noproxy '*' -s -m "$patience" -D "$work/head.$i" -o "$work/body.$i" \
		-H 'Content-Type: application/json' -H 'Idempotency-Key: twenty' -d "$twin" \
		"$url/users" &
	sent+=($!)
done
wait "${sent[@]}"
heads() { cat "$work"/head.{1..20} | tr -d '\r'; }
check "20 at once: their status" "$(heads | grep -c '^HTTP/1.1 201 ')" 20
check "20 at once: replayed" "$(heads | grep -c '^Idempotency-Replayed: true$')" 19
check "20 at once: different places" "$(heads | grep '^Location: /users/' | sort -u | wc -l)" 1
check "20 at once: different bodies" "$(cat "$work"/body.{1..20} | sed 's/}{/}\n{/g' | sort -u | wc -l)" 1
check "20 at once: users" "$(count users)" $((users + 1))
check "20 at once: keys" "$(count idempotency_keys)" 1
check "20 at once: transactions that are left open" "$(query "select count(*) from pg_stat_activity
	where state like 'idle in transaction%'")" 0

keyed twenty
row POST /users "$twin" 201 'H:Idempotency-Replayed: true' '"name":"Twin"'
row POST /users '{"name":"Twin","email":"other@example.org"}' 422 'another request'
row POST /posts '{"user_id":1,"title":"T"}' 201 # another route: another key
row POST '/users?x=1' "$twin" 422
options=(-H 'Idempotency-Key: twenty' -H 'Authorization: Bearer other')
row POST /users "$twin" 409 "$(at /email)" # somebody else's key, who is not given the answer
options=(-H 'Idempotency-Key: a' -H 'Idempotency-Key: b')
row POST /users "$twin" 400
keyed 'with blank'
row POST /users "$twin" 400 Idempotency-Key
# what failed may be tried again with the same key
keyed again
row POST /users '{"name":"","email":"again@example.org"}' 422 "$(at /name)"
row POST /users '{"name":"Again","email":"twin@example.org"}' 409
row POST /users '{"name":"Again","email":"again@example.org"}' 201 '!Replayed'
row POST /users '{"name":"Again","email":"again@example.org"}' 201 'H:Idempotency-Replayed: true'
options=()
row POST /users "$twin" 409 "$(at /email 'exists already')"
check "users in the end" "$(count users)" $((users + 2))
query "update idempotency_keys set created_at = now() - interval '25 hours'" >/dev/null
keyed twenty
row POST /users "$twin" 409 "$(at /email 'exists already')" # after a day it is a new key
options=()

# ---- pages of other origins -----------------------------------------------------------------------

app=https://app.example.org
options=(-H "Origin: $app" -H 'Access-Control-Request-Method: PATCH'
	-H 'Access-Control-Request-Headers: content-type')
row OPTIONS /users/1 '' 204 = "H:Access-Control-Allow-Origin: $app" \
	'H:Access-Control-Allow-Credentials: true' 'H:Vary: Origin' \
	'H:Access-Control-Allow-Methods: GET, HEAD, PATCH, DELETE, OPTIONS' \
	'H:Access-Control-Max-Age: 600'
check_like "preflight: the headers" "$(header Access-Control-Allow-Headers)" \
	'*Content-Type, Idempotency-Key*'
options=(-H "Origin: $app")
row GET /users/1 '' 200 "H:Access-Control-Allow-Origin: $app" 'H:Vary: Origin' \
	'H:Access-Control-Expose-Headers: Location, Idempotency-Replayed'
row GET /users/99 '' 404 "H:Access-Control-Allow-Origin: $app"
row POST /users '{"name":1}' 422 "H:Access-Control-Allow-Origin: $app"
for other in https://evil.example null "$app.evil.example" "http://app.example.org"; do
	options=(-H "Origin: $other")
	row GET /users/1 '' 200 'H:Vary: Origin'
	check "$other may read" "$(header Access-Control-Allow-Origin)" ''
done
options=()

# ---- what every answer has --------------------------------------------------------------------------

for path in /users/1 /users/99 /nothing '/users?limit=0'; do
	request GET "$path" ''
	check "$path: Cache-Control" "$(header Cache-Control)" no-store
	check "$path: Content-Security-Policy" "$(header Content-Security-Policy)" \
		"default-src 'none'; frame-ancestors 'none'"
	check "$path: Cross-Origin-Resource-Policy" "$(header Cross-Origin-Resource-Policy)" same-origin
	check "$path: Referrer-Policy" "$(header Referrer-Policy)" no-referrer
	check "$path: X-Content-Type-Options" "$(header X-Content-Type-Options)" nosniff
	check "$path: X-Frame-Options" "$(header X-Frame-Options)" DENY
done
finish
