# shellcheck shell=bash
# old.sh - handlers of libfcgi's kind.

old_rows() {
	local before
	media_type=text/plain
	row POST /old/echo 'some bytes' 203 'H:X-Old: yes' '=some bytes'
	head -c 2000000 /dev/urandom >"$work/sent"
	request POST /old/echo "@$work/sent"
	check "a long echo" "$status" 203
	check_that "all of it" cmp -s "$work/body" "$work/sent"
	media_type=application/json
	before=$(logged 'old complaint of GET')
	row GET /old/complaint '' 302 'H:Location: /elsewhere'
	check_that "what it says is in a log" within "$patience" is_logged_again "$before" \
		'old complaint of GET'
	row GET /old/silent '' 500
	if like_others duplex; then
		request POST /old/stream "@$work/sent"
		check_that "an echo as it comes" cmp -s "$work/body" "$work/sent"
	fi
}
