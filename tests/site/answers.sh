# shellcheck shell=bash
# answers.sh - what answers.c sends, as it reaches the client.

answers_rows() {
	local tag number

	row GET '/answers/text?text=hello' '' 200 =hello 'H:Content-Type: text/plain; charset=utf-8' \
		'H:Content-Length: 5'
	row GET '/answers/text?text=' '' 200 = 'H:Content-Length: 0'
	row GET '/answers/text?text=%C3%A4%F0%9F%98%80' '' 200 $'=\xc3\xa4\xf0\x9f\x98\x80'
	row HEAD '/answers/text?text=hello' '' 200 = 'H:Content-Length: 5'
	row GET '/answers/page?text=%3Cb%3E%26%22%27' '' 200 'H:Content-Type: text/html; charset=utf-8' \
		'=<p title="&lt;b&gt;&amp;&quot;&#39;">&lt;b&gt;&amp;&quot;&#39;</p> -9223372036854775808 %'
	row GET /answers/document '' 201 'H:Content-Type: application/json' \
		$'={"name":"Zo\xc3\xab \\"\\n","half":0.5,"inner":{"nothing":null}}'
	row GET /answers/wait '' 200 =ok
	row GET /answers/late '' 504 'it took too long'
	request GET /answers/nothing
	check "GET /answers/nothing" "$status $(header Content-Type)" '500 application/problem+json'

	# without a body: the next answer of a kept connection begins where it must
	row GET /answers/empty/204 '' 204 = '!Content-Length' '!Content-Type'
	row DELETE /answers/empty/204 '' 204 =
	row GET /answers/empty/404 '' 404 =
	row HEAD /answers/problem/404 '' 404 = 'H:Content-Type: application/problem+json'
	one_after_another

	# problems are the worker's, not a page of the web server's
	for number in 400 401 403 404 405 406 409 411 412 413 415 422 428 429 500 501 503 504; do
		row GET "/answers/problem/$number" '' "$number" '"detail":"it is \"so\""'
	done
	row GET /nothing '' 404 'nothing is served'
	row OPTIONS /nothing '' 404
	row OPTIONS /answers/text '' 204 'H:Allow: GET, HEAD, OPTIONS' =
	row OPTIONS /answers/tagged '' 204 'H:Allow: GET, HEAD, POST, OPTIONS'
	row DELETE /answers/text '' 405 'H:Allow: GET, HEAD, OPTIONS'
	row PROPFIND /answers/text '' 405 'H:Allow: GET, HEAD, OPTIONS'

	row GET '/answers/redirect?to=/answers/text' '' 303 'H:Location: /answers/text' =
	row GET '/answers/redirect?to=/a%20b&status=308' '' 308 'H:Location: /a b'
	row GET '/answers/redirect?to=https://example.org/&status=302' '' 302 \
		'H:Location: https://example.org/'
	row GET '/answers/headers?value=v' '' 200 \
		'H:Cache-Control: max-age=60, private' 'H:X-Sent: v'
	if like_others joined-answers; then
		check "two lines of a name" "$(header X-Twice)" $'one\ntwo'
	else
		check "two lines of a name" "$(header X-Twice)" 'one, two'
	fi
	if like_others strict-urls; then
		row GET '/answers/redirect?to=/%0d%0aX:1' '' 500 '!X:1'
		row GET '/answers/headers?value=%0aX:1' '' 500 '!X:1'
		row GET '/answers/text?text=a%0ab' '' 200 $'=a\nb'
	else
		refused '/answers/text?text=a%0ab'
	fi
	row GET "/answers/headers?value=$(repeat 4000 v)" '' 200 "H:X-Sent: $(repeat 4000 v)"
	row GET /answers/cookies '' 200 \
		'H:Set-Cookie: plain=1; Path=/; HttpOnly; Secure; SameSite=Lax' \
		'H:Set-Cookie: full=a=b; Path=/answers; Max-Age=60; HttpOnly; Secure; SameSite=Strict'

	conditions
	large_answers
	files
}

# Two answers without a body and one with, on one connection.
one_after_another() {
	local got
	got=$(curl --noproxy '*' -s -m "$patience" -w '[%{http_code} %{num_connects}]' \
		"$url/answers/empty/204" "$url/answers/tagged?tag=1" -H 'If-None-Match: "1"' \
		"$url/answers/text?text=third")
	check "answers without a body on a kept connection" "$got" '[204 1][304 0]third[200 0]'
}

conditions() {
	row GET '/answers/tagged?tag=7' '' 200 'H:ETag: "7"' =tagged
	row GET /answers/tagged '' 200 =tagged
	tag=$(header ETag)
	check_like "a tag made of the body" "$tag" '"*"'
	options=(-H "If-None-Match: $tag")
	row GET /answers/tagged '' 304 = "H:ETag: $tag"
	row HEAD /answers/tagged '' 304 = "H:ETag: $tag"
	row POST /answers/tagged '{}' 200 =tagged
	options=(-H 'If-None-Match: "6", W/"7"')
	row GET '/answers/tagged?tag=7' '' 304 =
	options=(-H 'If-None-Match: *')
	row GET '/answers/tagged?tag=7' '' 304 =
	options=(-H 'If-None-Match: "8"')
	row GET '/answers/tagged?tag=7' '' 200 =tagged
	options=()
	row PUT /answers/guarded '' 428 'If-Match'
	options=(-H 'If-Match: "8"')
	row PUT /answers/guarded '' 412 'changed meanwhile'
	options=(-H 'If-Match: "8", "7"')
	row PUT /answers/guarded '' 200 =changed
	options=()
}

numbered() { seq -f '%063.0f' "$1"; } # LINES
# More than a pipe, a socket or a FastCGI record holds; each line has its number.
large_answers() {
	local lines
	for lines in 0 1 127 128 1023 1024 16384 32768; do
		numbered "$lines" >"$work/wanted"
		request GET "/answers/large?lines=$lines"
		check "the head of an answer of $lines lines" \
			"$status $(header Content-Length)" "200 $((lines * 64))"
		check_that "an answer of $lines lines" cmp -s "$work/body" "$work/wanted"
	done
	row HEAD /answers/large '' 200 'H:Content-Length: 1048576' =
}

files() {
	if like_others accel; then
		row GET /answers/file '' 200 '=the letter' 'H:Content-Type: application/pdf' \
			'H:Content-Length: 10' '!X-Accel-Redirect'
		row GET '/answers/file?as=a%22%C3%A4.pdf' '' 200 '=the letter' \
			"H:Content-Disposition: attachment; filename*=UTF-8''a%22%C3%A4.pdf"
		row HEAD /answers/file '' 200 = 'H:Content-Length: 10'
		options=(-r 4-)
		row GET /answers/file '' 206 =letter
		options=()
	else
		row GET /answers/file '' 200 = 'H:X-Accel-Redirect: /files/letter.pdf'
	fi
	request GET /files/letter.pdf
	check "a file that is not the client's to ask for" "$status" 404
}
