# shellcheck shell=bash
# requests.sh - what requests.c is told: the path, the arguments, headers, bodies, and by whom.

requests_rows() {
	paths
	encoded_paths
	arguments
	headers
	names_that_could_be_mistaken
	forms
	bodies
	limits
	who_asks
	accepts
	hooks
}

paths() {
	row GET /requests/part/-7 '' 200 '=int -7'
	row GET /requests/part/-1.5 '' 200 '=float -1.5'
	row GET /requests/part/1970-01-11 '' 200 '=ymd 10'
	row GET /requests/part/6BA7B810-9DAD-11D1-80B4-00C04FD430C8 '' 200 \
		'=uuid 6ba7b810-9dad-11d1-80b4-00c04fd430c8'
	row GET /requests/part/Abc '' 200 '=alpha Abc'
	row GET /requests/part/a-b2 '' 200 '=slug a-b2'
	row GET /requests/part/AB12 '' 200 '=code AB12'
	row GET /requests/part/a_b '' 200 '=str a_b'
	row GET /requests/path/a/b/c '' 200 '=path a/b/c'
	row GET /requests/part/Abc/ '' 200 '=alpha Abc'
	row GET /requests/part/a/b '' 404
	row GET "/requests/part/$(repeat 3000 x)" '' 200 "=alpha $(repeat 3000 x)"
}

# A path is decoded once, and a slash that was encoded is none.
encoded_paths() {
	row GET /requests/p%61rt/%41bc '' 200 '=alpha Abc'
	row GET /requests/part/a+b%20c '' 200 '=str a+b c'
	row GET /requests/part/%C3%A4%22%3C '' 200 $'=str \xc3\xa4"<'
	row GET /requests/part/100%25 '' 200 '=str 100%'
	row GET /requests/part/%2541 '' 200 '=str %41'
	row GET /requests/part/a%3Fb%23c '' 200 '=str a?b#c'
	row GET /requests/part/a%3Bb '' 200 '=str a;b'
	row GET /requests/part/a%5Cb '' 200 '=str a\b'
	row GET /requests/part/a%2Fb '' 200 '=str a/b'
	row GET /requests/part/a%252Fb '' 200 '=str a%2Fb'
	row GET /requests/path/a%2Fb/c%2f '' 200 '=path a/b/c/'
	row GET /requests%2Fpart/x '' 404
	if like_others raw-slashes; then
		row GET /requests/path/a//b '' 200 '=path a//b'
		row GET /requests//part/x '' 404
		row GET /requests/./part/x '' 404
		row GET /requests/x/../part/x '' 404
	else
		row GET /requests//part/x '' 200 '=alpha x'
		row GET /requests/./part/x '' 200 '=alpha x'
		row GET /requests/x/../part/x '' 200 '=alpha x'
	fi
	if like_others strict-urls; then
		row GET /requests/part/%ff '' 400 'not well encoded'
		row GET '/requests/arguments?a=%ff' '' 400 'not well encoded'
	else
		refused /requests/part/%ff
		refused '/requests/arguments?a=%ff'
	fi
	refused /requests/part/a%00b
	refused /requests/part/a%zz
	refused /requests/part/../../../etc/passwd
}

arguments() {
	row GET /requests/arguments '' 200 '=- 0'
	row GET '/requests/arguments?' '' 200 '=- 0'
	row GET '/requests/arguments?a=1&b=2&a=%33' '' 200 '=1 2 [1] [3]'
	row GET '/requests/arguments?a=a+b%2B%26%3D%25' '' 200 '=a b+&=% 1 [a b+&=%]'
	row GET '/requests/arguments?a=%C3%A4&%61=%e2%82%ac' '' 200 $'=\xc3\xa4 2 [\xc3\xa4] [\xe2\x82\xac]'
	row GET '/requests/arguments?a=/x//y/../z?a=2' '' 200 '=/x//y/../z?a=2 1 [/x//y/../z?a=2]'
	row GET '/requests/arguments?a' '' 200 '= 1 []'
	row GET '/requests/number?n=100' '' 200 =100
	row GET '/requests/number?n=101' '' 422
	# a web server may make a command line of these, and a program obey it (RFC 3875, 4.4)
	row GET '/requests/arguments?migrate+down' '' 200 '=- 0'
	row GET '/requests/arguments?--version' '' 200 '=- 0'
}

headers() {
	options=(-H 'X-One: some; thing="1"' -H 'X-Empty;' -H 'User-Agent: test/1')
	row GET /requests/header/x-one '' 200 '=some; thing="1" 1 [some; thing="1"]'
	row GET /requests/header/User-Agent '' 200 '=test/1 1 [test/1]'
	row GET /requests/header/X-None '' 200 '=- 0'
	options=(-H 'Authorization: Bearer abc')
	row GET /requests/header/Authorization '' 200 '=Bearer abc 1 [Bearer abc]'
	options=(-H "X-Long: $(repeat 6000 v)")
	row GET /requests/header/X-Long '' 200 "=$(repeat 6000 v) 1 [$(repeat 6000 v)]"
	options=(-H 'X-Many: 1' -H 'X-Many: 2')
	if like_others doubles; then
		row GET /requests/header/X-Many '' 200 '=1 2 [1] [2]'
	else
		row GET /requests/header/X-Many '' 200 '=1, 2 1 [1, 2]'
	fi
	options=(-H 'Idempotency-Key: a' -H 'Idempotency-Key: b')
	if like_others doubles; then
		row GET /requests/header/Idempotency-Key '' 400 'may stand once'
	else
		row GET /requests/header/Idempotency-Key '' 200 '=a, b 1 [a, b]'
	fi
	options=(-H 'Cookie: ab=1; a="two"; b=3=4')
	row GET /requests/cookie '' 200 '=two 3=4'
	options=()
	row GET /requests/cookie '' 200 '=- -'
}

# Header lines that would become the parameters of others.
names_that_could_be_mistaken() {
	options=(-H 'Proxy: http://evil:1')
	request GET /requests/parameter/HTTP_PROXY
	check_like "a header line Proxy" "$status $body" '200 ?(-)'
	options=(-H 'X_Role: admin')
	if like_others underscores; then
		row GET /requests/header/X-Role '' 200 '=- 0'
	else
		row GET /requests/header/X-Role '' 200 '=admin 1 [admin]'
	fi
	options=()
	row GET /requests/parameter/GATEWAY_INTERFACE '' 200
}

forms() {
	media_type=application/x-www-form-urlencoded
	row POST /requests/form 'name=a+b%21&tag=1&tag=%C3%A4' 200 $'=a b! 2 [1] [\xc3\xa4]'
	row POST /requests/form 'name=%f' 400
	media_type=application/json
	row POST /requests/form '{}' 415
	head -c 70000 "$work/random" >"$work/upload"
	options=(-F title=Title -F "file=@$work/upload;filename=a b.bin;type=image/x-test")
	request POST /requests/file '' "${options[@]}"
	expect "a file in a form" 200 'H:X-Name: a b.bin' 'H:X-Type: image/x-test' \
		'H:X-Title: Title'
	check_that "the file's bytes" cmp -s "$work/body" "$work/upload"
	options=(-F title=Title)
	row POST /requests/file '' 422 'send a file'
	options=()
}

# echoes METHOD FILE: does the body come back?
echoes() {
	request "$1" /requests/echo "@$2" "${options[@]}"
	check "$1 of $(wc -c <"$2") bytes ${options[*]}" "$status" 200
	check_that "they come back" cmp -s "$work/body" "$2"
}
bodies() {
	local bytes
	row POST /requests/document '{"a":[1,2.5,"\u00e4",null]}' 200 $'={"a":[1,2.5,"\xc3\xa4",null]}'
	row POST /requests/document '{"a"' 400
	if like_others lengths; then
		row POST /requests/echo '' 200 =
	else
		request POST /requests/echo
		check "a POST without a length" "$status" 411
	fi
	media_type=application/octet-stream
	for bytes in 1 4096 16385 65536 300000 1048576; do
		head -c "$bytes" "$work/random" >"$work/some"
		echoes POST "$work/some"
	done
	options=(-H 'Transfer-Encoding: chunked')
	if like_others chunks; then
		echoes PUT "$work/some"
	else
		row PUT /requests/echo "@$work/some" 411 'send a Content-Length'
	fi
	options=(-H 'Expect: 100-continue')
	echoes PUT "$work/some"
	options=()
	media_type=application/json
}

# The worker's ceilings; those of the web server are set above them.
limits() {
	media_type=application/octet-stream
	head -c 1048577 /dev/zero >"$work/more"
	row POST /requests/echo "@$work/more" 413 'at most 1048576 bytes'
	head -c 4000000 /dev/zero >"$work/more"
	row POST /requests/echo "@$work/more" 413 'at most 1048576 bytes'
	row POST /nothing "@$work/more" 413
	media_type=application/json
	row GET "/requests/arguments?$(repeat 1001 'a&')" '' 400 'more than'
}

who_asks() {
	local first
	row GET /requests/who '' 200 "=127.0.0.1 http $host"
	options=(-H 'Host: evil.example.com')
	row GET /requests/who '' 200 "=127.0.0.1 http $host"
	options=(-H 'X-Forwarded-For: 1.2.3.4' -H 'X-Forwarded-Proto: https' -H 'Forwarded: for=1.2.3.4')
	row GET /requests/who '' 200 "=127.0.0.1 http $host"
	options=()
	row GET /requests/what '' 200 '=0 /requests/what'
	row PATCH /requests/what '' 200 '=4 /requests/what'

	request GET /requests/id
	first=$body
	check_that "an id" [ "${#first}" -ge 16 ]
	check "the id of the answer" "$(header X-Request-Id)" "$first"
	options=(-H 'X-Request-Id: mine' -H 'Request-Id: mine')
	row GET /requests/id '' 200 '!mine' "!$first"
	options=(-H 'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')
	row GET /requests/trace '' 200 '=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
	options=(-H 'traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01')
	row GET /requests/trace '' 200 =-
	options=()
}

accepts() {
	row GET /requests/accepted '' 200 =application/json
	options=(-H 'Accept: text/*;q=0.5, text/csv')
	row GET /requests/accepted '' 200 =text/csv
	options=(-H 'Accept: image/png')
	row GET /requests/accepted '' 406
	options=()
}

hooks() {
	row GET /v2/requests/hooked/3 '' 200 "=the group's hook, then 3" "H:X-After: the group's hook"
	row GET '/v2/requests/hooked/3?stop' '' 403 stopped 'H:X-After: -'
	row GET /requests/hooked/3 '' 404
	row GET /requests/urls '' 200 \
		'=/requests/part/a%20b%2Fc /v2/requests/hooked/-7?q=a%26b /requests/urls'
}
