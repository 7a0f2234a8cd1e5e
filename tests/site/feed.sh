# shellcheck shell=bash
# feed.sh - notifications of the database as events.

# The second is sent when the client has seen the first.
feed_rows() {
	local line got=''
	while read -r line; do
		got+="$line,"
		case $line in
		: | data:*first) ;;
		*second) break ;;
		esac
		[ "$line" != 'data: first' ] || publish second
	done < <(curl --noproxy '*' -s -N -m "$patience" "$url/feed/news_$front" &
		within "$patience" listens && publish first
		wait)
	check "what was heard" "$got" 'data: first,,data: second,'
	row GET '/feed/no%20channel' '' 500
}
listens() {
	[ "$(query "select count(*) from pg_stat_activity
		where query ilike 'listen \"news_$front\"%'")" != 0 ]
}
publish() {
	curl --noproxy '*' -s -m "$patience" -X POST -H 'Content-Length: 0' "$url/feed/news_$front?text=$1"
}
