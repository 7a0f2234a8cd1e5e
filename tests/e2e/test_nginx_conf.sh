#!/bin/bash
# Both nginx configurations pass `nginx -t`, with their paths moved into a temporary directory; and
# what production.conf keeps to those who watch the workers is not to be had by others.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin

dir=$(mktemp -d)
port=$((20000 + RANDOM % 10000))
clean_up() {
	[ ! -s "$dir/nginx.pid" ] || kill -TERM "$(cat "$dir/nginx.pid")"
	rm -rf "$dir"
}
trap clean_up EXIT
passed=0 failed=0

check() { # NAME: is DIR/NAME a configuration?
	if nginx -t -q -p "$dir" -e "$dir/error.log" -c "$dir/$1" >"$dir/output" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$1: nginx -t refuses it"
		sed 's/^/  /' "$dir/output"
	fi
}

cp nginx/fastcgi_athanor.conf "$dir"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 \
	-subj /CN=api.example.org -keyout "$dir/privkey.pem" -out "$dir/fullchain.pem" 2>/dev/null

sed "s|@DIR@|$dir|g; s|@PORT@|18080|g; s|@SOCKET@|$dir/app.sock|g" \
	nginx/development.conf.in >"$dir/development.conf"

# High ports and no "user", so that it can be asked without privileges; the directories of temporary
# files are Debian's by default. Without IPv6 (a container) nginx cannot even test [::].
sed "s|/etc/ssl/athanor|$dir|; s|/run/users|$dir|; s|/run/nginx.pid|$dir/nginx.pid|
	s|/var/log/nginx|$dir|; s|/var/www|$dir|; /^user /d
	s|\(listen .*\)443|\1$port|; s|\(listen .*\)80\([ ;]\)|\1$((port + 1))\2|
	s|\(listen .*\)8081|\1$((port + 2))|
	s|^http {|&\nclient_body_temp_path $dir/b; fastcgi_temp_path $dir/f;|
	s|^http {|&\nproxy_temp_path $dir/p; scgi_temp_path $dir/s; uwsgi_temp_path $dir/u;|" \
	nginx/production.conf >"$dir/production.conf"
[ -s /proc/net/if_inet6 ] || sed -i '/listen \[::\]/d' "$dir/production.conf"

check development.conf
check production.conf
if grep -nE '@[A-Z]+@' "$dir/development.conf" ||
	grep -nE '(/etc/|/run/|/var/)' "$dir/production.conf" | grep -v '^[0-9]*:#'; then
	echo "paths were left as they are"
	failed=$((failed + 1))
fi

# ---- /-/, by an nginx without workers: 502 is what would have reached one ---------------------

reach() { # STATUS METHOD URL
	local got
	got=$(curl --noproxy '*' -sk -m 60 --path-as-is -o "$dir/body" -w '%{http_code}' -X "$2" \
		--resolve "api.example.org:$port:127.0.0.1" "$3")
	if [ "$got" = "$1" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$2 $3: $got, not $1: $(cat "$dir/body")"
	fi
}
nginx -p "$dir" -e "$dir/error.log" -c "$dir/production.conf" 2>"$dir/output" || cat "$dir/output"
public=https://api.example.org:$port private=http://127.0.0.1:$((port + 2))
reach 502 GET "$public/users"
for path in /-/live /-/ready /-/status /-/metrics '/-/status?json&full' /-/ /-/live/ //-/live /%2D/live /users/../-/live; do
	reach 404 GET "$public$path"
	reach 404 POST "$public$path"
done
for path in live ready status metrics 'status?json&full'; do
	reach 502 GET "$private/-/$path"
done
for path in /users /-/ /-/other /-/status/ /-/metrics/x; do
	reach 404 GET "$private$path"
done

that() { # NAME COMMAND...
	if "${@:2}"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$1"
	fi
}
# live and ready are the workers' to say, the others the process's beside them
for pair in live:app ready:app status:status metrics:status; do
	: >"$dir/error.log" # nginx writes to its end
	reach 502 GET "$private/-/${pair%:*}"
	that "/-/${pair%:*} goes to ${pair#*:}.sock" \
		grep -q "unix:$dir/${pair#*:}.sock" "$dir/error.log"
done

# A kept connection ends before a worker that leaves has to (15 s), however busy it is.
for conf in development production; do
	that "$conf.conf: keepalive_time is below 15 s" \
		grep -qE '^\s+keepalive_time ([1-9]|1[0-4])s;' "$dir/$conf.conf"
done

echo "nginx configuration: $passed passed, $failed failed"
[ "$failed" = 0 ]
