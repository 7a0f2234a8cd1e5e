#!/bin/bash
# The users application through nginx and spawn-fcgi: what it answers, row by row.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

ada='{"id":1,"name":"Ada Lovelace","email":"ada@example.org","age":36}'
start_stack
worker=$(cat "$run/worker.pid")

created() { # the id in the Location of the last answer
	local location
	location=$(header Location)
	echo "${location##*/}"
}

# ---- reading ---------------------------------------------------------------------------

row GET /users/1 '' 200 "=$ada" 'H:Content-Type: application/json' "H:Content-Length: ${#ada}"
row GET /users/1/ '' 200 "=$ada"
row GET /%75sers/%31 '' 200 "=$ada"
row GET '/users/1?' '' 200 "=$ada"
row GET /users/4 '' 200 '"age":null'
row HEAD /users/1 '' 200 "H:Content-Length: ${#ada}" 'H:Content-Type: application/json'
row HEAD /users/99 '' 404 'H:Content-Type: application/problem+json'
row GET '/users/1?with=posts' '' 200 '"posts":[{"id":1,"user_id":1,"title":"Notes on' '"},{"id":2,'
row GET '/users/1?with=nothing' '' 200 "=$ada"
row GET '/users/1?with' '' 200 "=$ada"
row GET /users '' 200 "[$ada," '"id":5'
row GET '/users?limit=2' '' 200 '"id":1' '"id":2' '!"id":3'
row GET '/users?limit=2&offset=2' '' 200 '!"id":2' '"id":3' '"id":4' '!"id":5'
row GET '/users?limit=1&limit=5' '' 200 "=[$ada]"
row GET '/users?offset=9223372036854775807' '' 200 '=[]'
row GET '/users?name=Ada%20Lovelace' '' 200 "=[$ada]"
row GET '/users?name=Ada+Lovelace' '' 200 "=[$ada]"
row GET '/users?name=Ada%2BLovelace' '' 200 '=[]'
row GET '/users?name=ada' '' 200 '=[]'
row GET '/users?name=' '' 200 '=[]'
row GET "/users?name='%20or%201=1%20--" '' 200 '=[]'
row GET '/users?unknown=1&&=' '' 200 "[$ada,"
row GET /users/1/posts '' 200 '[{"id":2,"user_id":1,' '},{"id":1,' '"created_at":"20' 'Z"}]'
row GET '/users/1/posts?limit=1' '' 200 '[{"id":2' '!"id":1,'
row GET /users/99/posts '' 404
row GET /posts '' 200 '[{"id":7,' '"id":1,'
row GET '/posts?title=MOTH' '' 200 '[{"id":5,' '!},{'
row GET '/posts?title=nothing' '' 200 '=[]'
row GET "/posts?title='" '' 200 '=[]'
row GET /posts/5 '' 200 '"title":"A moth in relay 70"'
row GET /posts/1 '' 200 '!"author"'
row GET '/posts/1?with=author' '' 200 '{"id":1,"user_id":1,' "\"author\":$ada}"
row GET '/posts/99?with=author' '' 404
row GET /posts/99 '' 404
row GET /users/1 '' 200 "=$ada"
check "who asks, as the server sees it" "$(query "select distinct substr(query, strpos(query, '/*'))
	from pg_stat_activity where application_name = 'users worker 1' and query like '%<id:int>%'")" \
	"/*application='users',method='GET',route='/users/<id:int>'*/"
row OPTIONS /users '' 204 'H:Allow: GET, HEAD, POST, OPTIONS' =
row OPTIONS /users/1 '' 204 'H:Allow: GET, HEAD, PATCH, DELETE, OPTIONS'

# ---- creating --------------------------------------------------------------------------

row POST /users '{"name":"Edsger","email":"edsger@example.org","age":42}' 201 \
	'"name":"Edsger","email":"edsger@example.org","age":42}'
id=$(created)
check_like "Location of a new user" "$(header Location)" '/users/[1-9]*'
row GET "/users/$id" '' 200 \
	"={\"id\":$id,\"name\":\"Edsger\",\"email\":\"edsger@example.org\",\"age\":42}"
row POST /users ' { "email" : "barbara2@example.org" , "name" : "B" } ' 201 '"age":null'
row POST /users '{"name":"N","email":"n1@example.org","age":null}' 201 '"age":null'
row POST /users '{"name":"N","email":"n2@example.org","age":0}' 201 '"age":0'
row POST /users '{"\u006eame":"N","email":"n3@example.org"}' 201 '"name":"N"'
row POST /users "{\"name\":\"$(repeat 200 $'\xf0\x9f\x98\x80')\",\"email\":\"n4@example.org\"}" 201
row POST /posts "{\"user_id\":$id,\"title\":\"On go to\"}" 201 \
	"\"user_id\":$id,\"title\":\"On go to\"" '"created_at":"20'
post=$(created)
check_like "Location of a new post" "$(header Location)" '/posts/[1-9]*'
row GET "/posts/$post" '' 200 "\"id\":$post,"
row GET "/users/$id/posts" '' 200 "[{\"id\":$post,"

# ---- changing ----------------------------------------------------------------------------

row PATCH "/users/$id" '{}' 200 '"age":42'
row PATCH "/users/$id" '{"age":43}' 200 '"name":"Edsger","email":"edsger@example.org","age":43'
row PATCH "/users/$id" '{"age":null}' 200 '"age":null'
row PATCH "/users/$id" '{"name":"E. W. D."}' 200 '"name":"E. W. D."' '"age":null'
row PATCH "/users/$id" '{"email":"edsger@example.org"}' 200
row GET "/users/$id" '' 200 '"name":"E. W. D.","email":"edsger@example.org","age":null'
row PATCH "/users/$id" '{"email":"ada@example.org"}' 409 "$(at /email 'exists already')"
row PATCH "/users/$id" '{"name":null}' 422 "$(at /name 'must not be null')"
row PATCH "/users/$id" '{"id":7}' 422 "$(at /id 'cannot be set')"
row PATCH "/users/$id" '{"age":7,"name":7}' 422 "$(at /name 'must be a string')"
row PATCH "/users/$id" '{"posts":[]}' 422 "$(at /posts 'is not known here')"
row PATCH "/users/$id" '' 400
row PATCH /users/99 '{"age":1}' 404
row GET "/users/$id" '' 200 '"name":"E. W. D.","email":"edsger@example.org","age":null'
media_type=application/merge-patch+json
row PATCH "/users/$id" '{"age":44}' 200 '"age":44'
media_type=application/json

# ---- bad input: a clear problem, and nothing is lost --------------------------------------

users=$(query 'select count(*), sum(hashtext(name || email || coalesce(age, -1))) from users')
posts=$(query 'select count(*), sum(hashtext(title)) from posts')
good='"name":"N","email":"bad@example.org"'

# JSON that is none
for text in '{' '{"name":"N"' '[' '{"name":"N",}' "{$good}x" "{$good}{}" '{name:"N"}' \
	"{'name':'N'}" 'nul' 'NaN' '{"age":01}' '{"age":+1}' '{"age":.5}' '{"age":1.}' '"' $'{"name":"a\nb"}' \
	$'\xef\xbb\xbf{}' $'{"name":"\xff"}' $'{"name":"\xc0\x80"}' $'{"name":"\xed\xa0\x80"}' \
	'{"name":"\ud800"}' '{"name":"\x41"}' "{$good,\"name\":\"M\"}" "{$good,\"n\\u0061me\":\"M\"}" \
	"$(repeat 33 '[')$(repeat 33 ']')" "$(repeat 100000 '[')" ' '; do
	row POST /users "$text" 400 '"detail":"the body is no JSON: at byte '
done
row POST /users '' 400
row POST /posts '' 400
printf '{"name":"a\0b","email":"nul@example.org"}' >"$work/nul"
row POST /users "@$work/nul" 400
# no object
for text in '[]' 'null' '1' '"text"' 'true' "[{$good}]"; do
	row POST /users "$text" 422 "$(at '' 'must be an object')"
done
# wrong types and values
row POST /users '{}' 422 "$(at /name 'is required')" "$(at /email 'is required')" '!/age' '!/id'
row POST /users '{"name":1,"email":true,"age":"x","more":{}}' 422 "$(at /name 'must be a string')" \
	"$(at /email 'must be a string')" "$(at /age 'must be an integer from 0 to 150')" \
	"$(at /more 'is not known here')"
for age in -1 151 36.0 3.6e1 2147483648 9223372036854775808 1e400 -0.5 '"36"' true '[]' '{}'; do
	row POST /users "{$good,\"age\":$age}" 422 "$(at /age 'must be an integer from 0 to 150')" \
		'!/name' '!/email'
done
row POST /users '{"name":"","email":"bad@example.org"}' 422 "$(at /name 'must be at least 1 ')"
row POST /users "{\"name\":\"$(repeat 201 $'\xc3\xa9')\",\"email\":\"bad@example.org\"}" 422 \
	"$(at /name 'must be at most 200 ')"
row POST /users '{"name":"a\u0000b","email":"bad@example.org"}' 422 "$(at /name 'must not hold')"
row POST /users '{"name":null,"email":null}' 422 "$(at /name 'must not be null')" \
	"$(at /email 'must not be null')"
row POST /users '{"name":"N","email":"no address"}' 422 "$(at /email 'must be an email address')"
row POST /posts '{"user_id":"1","title":"T"}' 422 "$(at /user_id 'must be an integer')"
row POST /posts '{"user_id":9223372036854775808,"title":"T"}' 422 \
	"$(at /user_id 'must be an integer')"
row POST /posts '{"user_id":1,"title":"T","created_at":"2024-01-01T00:00:00Z"}' 422 \
	"$(at /created_at 'cannot be set')"
# members nobody knows
row POST /users "{$good,\"id\":7}" 422 "$(at /id 'cannot be set')"
row POST /users "{$good,\"posts\":[]}" 422 "$(at /posts 'is not known here')"
row POST /users "{$good,\"a/b~c\":1}" 422 "$(at /a~1b~0c 'is not known here')"
row POST /users "{$good,\"\":1,\"NAME\":1}" 422 "$(at / 'is not known here')" "$(at /NAME)"
row POST /users "{$good,\"$(printf '\xf0\x9f\x98\x80')\\\"\":1}" 422 "$(at $'/\xf0\x9f\x98\x80\\"')"
# more of them than could be told
for i in {1..60000}; do printf '"u%d":%d,' "$i" "$i"; done >"$work/members"
printf '{%s%s}' "$(<"$work/members")" "$good" >"$work/many"
row POST /users "@$work/many" 422 "$(at /u1 'is not known here')"
# as many values as a body can hold
printf '[%s1]' "$(repeat 500000 1,)" >"$work/values"
row POST /users "@$work/values" 422
# what is taken already, or not there
row POST /users '{"name":"N","email":"ada@example.org"}' 409 "$(at /email 'exists already')"
row POST /posts '{"user_id":99,"title":"T"}' 409 "$(at /user_id)"
row POST /posts '{"user_id":9223372036854775807,"title":"T"}' 409 "$(at /user_id)"
# media types
media_type=text/plain
row POST /users "{$good}" 415
media_type=application/x-www-form-urlencoded
row POST /users 'name=N' 415
media_type=application/json
# paths
row GET / '' 404
row GET /nothing '' 404
row GET /usersx '' 404
row GET /users/1/posts/1 '' 404
row GET /users%2F1 '' 404
row GET /users/abc '' 404
row GET /users/1.0 '' 404
row GET /users/+1 '' 404
row GET /users/01 '' 404
row GET /users/1%20 '' 404
row GET /users/0 '' 404
row GET /users/-1 '' 404
row GET /users/9223372036854775807 '' 404 'no such user'
row GET /users/-9223372036854775808 '' 404 'no such user'
row GET /users/9223372036854775808 '' 404 'nothing is served'
row GET /users/99999999999999999999999999 '' 404 'nothing is served'
row DELETE /users/9223372036854775808 '' 404
row GET /users/%ff '' 400
row GET /users/%c0%80 '' 400
row GET "/users/$(repeat 3000 x)" '' 404
row GET "/$(repeat 100 a/)" '' 404
# nginx itself refuses these with its own page: no worker hears of them
request GET /users/%00 && check "GET /users/%00" "$status" 400
request GET /users/1%00 && check "GET /users/1%00" "$status" 400
request GET /users/%zz && check "GET /users/%zz" "$status" 400
# arguments
row GET '/users?name=%00' '' 400
row GET '/users?name=a%00b' '' 400
row GET '/users?%00=1' '' 400
row GET '/users?name=%' '' 400
row GET '/users?name=%2' '' 400
row GET '/users?name=%zz' '' 400
row GET '/users?name=%ff' '' 400
row GET '/users?name=%ed%a0%80' '' 400
row GET "/users?$(repeat 1001 'a&')" '' 400
for argument in limit=0 limit=1001 limit=-1 limit= limit=a limit=1.0 limit=9223372036854775808 \
	'limit=%201' offset=-1 offset=a offset=9223372036854775808 'limit=1&offset=x'; do
	row GET "/users?$argument" '' 422
	row GET "/users/1/posts?$argument" '' 422
	row GET "/posts?$argument" '' 422
done
# methods
row POST /users/1 "{$good}" 405 'H:Allow: GET, HEAD, PATCH, DELETE, OPTIONS'
row PUT /users/1 "{$good}" 405
row PATCH /users '{}' 405 'H:Allow: GET, HEAD, POST, OPTIONS'
row DELETE /users '' 405
row PATCH /posts/1 '{}' 405 'H:Allow: GET, HEAD, DELETE, OPTIONS'
row POST /users/1/posts '{}' 405 'H:Allow: GET, HEAD, OPTIONS'
row BREW /users '' 405
row PROPFIND /users/1 '' 405
row BREW /nothing '' 404

check "no user lost or changed by bad input" \
	"$(query 'select count(*), sum(hashtext(name || email || coalesce(age, -1))) from users')" \
	"$users"
check "no post lost or changed by bad input" \
	"$(query 'select count(*), sum(hashtext(title)) from posts')" "$posts"

# ---- deleting ----------------------------------------------------------------------------

row DELETE "/posts/$post" '' 204 =
row DELETE "/posts/$post" '' 404
row POST /posts "{\"user_id\":$id,\"title\":\"Goes with its author\"}" 201
post=$(created)
row DELETE "/users/$id" '' 204 =
row GET "/users/$id" '' 404
row DELETE "/users/$id" '' 404
row GET "/posts/$post" '' 404
row POST /users '{"name":"N","email":"edsger@example.org"}' 201
# a relation that was loaded and has no rows is a list all the same
row GET "/users/$(created)?with=posts" '' 200 '"posts":[]'

# ---- exact int64, exact Unicode -------------------------------------------------------------

random() { echo $((RANDOM << 45 ^ RANDOM << 30 ^ RANDOM << 15 ^ RANDOM)); }
RANDOM=1 # the same numbers in every run
big_ids=(2147483648 9007199254740991 9007199254740993 9223372036854775807)
for i in {1..20}; do big_ids+=($(($(random) & 0x7fffffffffffffff))); done
for i in "${!big_ids[@]}"; do
	big=${big_ids[i]}
	query "insert into users (id, name, email) values ($big, 'Big', 'big$i@example.org')" >/dev/null
	row POST /posts "{\"user_id\":$big,\"title\":\"T\"}" 201 "\"user_id\":$big,"
	row GET "/users/$big" '' 200 "{\"id\":$big,"
	row GET "/users/$big/posts" '' 200 "\"user_id\":$big,"
done

# A code point as its UTF-8 bytes, and as JSON may write it.
utf8() {
	local LC_ALL=C.UTF-8
	printf '%b' "\\U$(printf %08x "$1")"
}
escaped() {
	if (($1 < 0x10000)); then
		printf '\\u%04x' "$1"
	else
		printf '\\u%04x\\u%04X' $((0xd7c0 + ($1 >> 10))) $((0xdc00 + ($1 & 0x3ff)))
	fi
}
# What the worker writes: escapes where JSON wants them, and nowhere else.
written() {
	case $1 in
	8) printf '\\b' ;; 9) printf '\\t' ;; 10) printf '\\n' ;; 12) printf '\\f' ;; 13) printf '\\r' ;;
	34) printf '\\"' ;; 92) printf '\\\\' ;;
	*) if (($1 < 32)); then printf '\\u%04x' "$1"; else utf8 "$1"; fi ;;
	esac
}
code_point() { # one of each width alike; no NUL, no surrogates
	local ranges=(1 0x7f 0x80 0x7ff 0x800 0xd7ff 0xe000 0xffff 0x10000 0x10ffff) i
	i=$((2 * (RANDOM % 5)))
	echo $((ranges[i] + (RANDOM << 15 ^ RANDOM) % (ranges[i + 1] - ranges[i] + 1)))
}
for i in {1..60}; do
	sent='' wanted=''
	for ((j = RANDOM % 12; j >= 0; j--)); do
		point=$(code_point)
		if ((RANDOM % 2 || point < 32 || point == 34 || point == 92)); then
			sent+=$(escaped "$point")
		else
			sent+=$(utf8 "$point")
		fi
		wanted+=$(written "$point")
	done
	row POST /users "{\"name\":\"$sent\",\"email\":\"text$i@example.org\"}" 201 "\"name\":\"$wanted\","
	row GET "/users/$(created)" '' 200 "\"name\":\"$wanted\","
done

check "the same worker to the end" "$(cat "$run/worker.pid")$(kill -0 "$worker" && echo ' lives')" \
	"$worker lives"
finish
