#!/bin/bash
# Both nginx configurations pass `nginx -t`, with their paths moved into a temporary directory.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
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
sed "s|/etc/ssl/athanor|$dir|; s|/run/athanor|$dir|; s|/run/nginx.pid|$dir/nginx.pid|
	s|/var/log/nginx|$dir|; s|/var/www|$dir|; /^user /d
	s|\(listen .*\)443|\118443|; s|\(listen .*\)80\([ ;]\)|\118080\2|
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

echo "nginx configuration: $passed passed, $failed failed"
[ "$failed" = 0 ]
