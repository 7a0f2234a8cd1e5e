# shellcheck shell=bash
# streams.sh - answers that leave while they are made, and bodies that are read as they come.

streams_rows() {
	streamed_answers
	broken_answers
	events
	streamed_bodies
	both_at_once
}

streamed_answers() {
	local lines
	for lines in 0 1 1024 60000; do
		numbered "$lines" >"$work/wanted"
		request GET "/streams/lines?lines=$lines"
		check "a stream of $lines lines" "$status" 200
		check_that "all of them" cmp -s "$work/body" "$work/wanted"
	done
	check "the length of a stream" "$(header Content-Length)" ''
	row HEAD /streams/lines '' 200 'H:Content-Type: text/plain' =
	# what has not left yet is an answer as any other
	row GET '/streams/lines?lines=1' '' 200 'H:Content-Length: 64'
	row GET '/streams/broken?lines=10' '' 500 'it broke'
}

# The client must not take half an answer for a whole one.
broken_answers() {
	local got
	got=$(curl --noproxy '*' -s -m "$patience" -o "$work/body" -w '%{http_code} %{exitcode}' \
		"$url/streams/broken?lines=20000")
	if like_others breaks; then
		check "a stream that breaks" "$got" '200 18'
	else
		check "a stream that breaks" "$got" '200 0'
	fi
	check_like "a part of it came" "$(wc -c <"$work/body")" '1??????'
}

# The second event waits until the client has seen the first.
events() {
	local line got=''
	rm -f "$work/seen"
	while read -r line; do
		got+="$line,"
		[ "$line" != 'data: second' ] || touch "$work/seen"
	done < <(curl --noproxy '*' -s -N -m "$patience" -D "$work/head" \
		-H 'Last-Event-ID: 6' "$url/streams/events?file=$work/seen")
	check "events" "$got" 'event: one,id: 6,data: first,data: second,,data: seen,,'
	head=$(tr -d '\r' <"$work/head")
	check "their type" "$(header Content-Type)" text/event-stream
	check "no cache keeps them" "$(header Cache-Control)" no-cache
}

streamed_bodies() {
	local got
	media_type=application/octet-stream
	request POST /streams/upload "@$work/random"
	expect "an upload of 32 MiB" 200 "33554432 $(checksum "$work/random") "
	# an allocator that looks for errors keeps for a while what was freed
	is_sanitized || check_that "its memory: ${body##* } KiB" between 1000 "${body##* }" 32768
	options=(-H 'Content-Length: 0')
	row POST /streams/upload '' 200 '0 0 '
	options=()
	head -c 100001 /dev/zero >"$work/more"
	row POST /streams/limited "@$work/more" 413 'at most 100000 bytes'
	# what nobody has read is not in the way of the next
	head -c 4000000 "$work/random" >"$work/some"
	got=$(curl --noproxy '*' -s -m "$patience" -w '[%{http_code}]' -H Expect: \
		--data-binary "@$work/some" "$url/streams/unread" "$url/streams/limited" \
		"$url/streams/unread")
	check_like "bodies that were not read" "$got" 'unread\[200]{*}\[413]unread\[200]'
	options=(-H 'Transfer-Encoding: chunked')
	if like_others chunks; then
		row POST /streams/upload "@$work/more" 200 '100001 '
	else
		row POST /streams/upload "@$work/more" 411 'send a Content-Length'
	fi
	options=()
	media_type=application/json
}

between() { [ "$1" -lt "$2" ] && [ "$2" -lt "$3" ]; }
checksum() { sum -r "$1" | sed 's/^0*\([0-9]*\) .*/\1/'; } # FILE

# What comes is sent back at once.
both_at_once() {
	media_type=application/octet-stream
	row POST /streams/echo 'a few bytes' 200 '=a few bytes'
	head -c 1000000 "$work/random" >"$work/some"
	if like_others duplex; then
		request POST /streams/echo "@$work/some"
		check "an echo as it comes" "$status" 200
		check_that "all of it" cmp -s "$work/body" "$work/some"
	else
		request POST /streams/briefly "@$work/random"
		check_that "it is not all of it" test "$(wc -c <"$work/body")" -lt 33554432
	fi
	media_type=application/json
}
