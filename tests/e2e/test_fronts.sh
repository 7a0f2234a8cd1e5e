#!/bin/bash
#
# test_fronts.sh [FRONT...] - the site (tests/site) behind each web server: the same rows for all.
#
#   nginx         FastCGI over kept connections (nginx/development.conf.in)
#   nginx_cgi     fcgiwrap, a process for each request
#   lighttpd      FastCGI, a connection for each request
#   lighttpd_cgi  mod_cgi, a process for each request
#   apache        mod_proxy_fcgi, a connection for each request
#   apache_cgi    mod_cgid, a process for each request
#
# The web servers use the configurations that lie in nginx/, with their paths moved into the run's
# directory; they run as stack.sh's nginx does, without privileges. Each is started in the
# foreground, known by its process id, and ended by it.
#
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

PATH=$PATH:/usr/sbin:/sbin
program=$work/users # the name that the configurations have for it; nginx's user may run it here
export WORKER_PROGRAM=$program
export ATHANOR_CORE_DUMPS=on # else a process may not ask the system for the most memory it had
fronts=(nginx nginx_cgi lighttpd lighttpd_cgi apache apache_cgi)
front='' host=api.example.org servers=()
for rows in tests/site/*.sh; do
	# shellcheck source=/dev/null
	. "$rows"
done

# ---- what a web server does otherwise ----------------------------------------------------

# NAME|FRONTS|REASON: the rows ask "like_others NAME", and say what these do instead.
readonly otherwise=(
	'accel|lighttpd lighttpd_cgi apache apache_cgi|X-Accel-Redirect is for nginx'
	'breaks|nginx_cgi lighttpd_cgi apache_cgi|a CGI program that ends early has ended'
	'chunks|apache_cgi|hands on a body of chunks without its length'
	'doubles|lighttpd lighttpd_cgi apache apache_cgi|joins the lines of a header with a comma'
	'duplex|nginx nginx_cgi apache_cgi|the answer has to begin behind the end of the body'
	'joined-answers|apache apache_cgi|joins the lines of an answer'"'"'s header as well'
	'lengths|lighttpd lighttpd_cgi|a POST without Content-Length is a 411'
	'raw-slashes|lighttpd lighttpd_cgi apache_cgi|PATH_INFO has no // and no dots'
	'strict-urls|lighttpd lighttpd_cgi|refuses what is no UTF-8, and control characters'
	'underscores|lighttpd lighttpd_cgi|X_Role and X-Role are one parameter'
)
declare -A asked=()
like_others() { # NAME: does this front as most do?
	local row name those known=''
	for row in "${otherwise[@]}"; do
		IFS='|' read -r name those _ <<<"$row"
		[ "$name" = "$1" ] || continue
		known=yes asked[$name]=yes
		[[ " $those " != *" $front "* ]] || return 1
	done
	[ -n "$known" ] || fail "the exception $1" "unknown" "a line in test_fronts.sh"
}
every_exception_was_asked_for() {
	local row name those
	for row in "${otherwise[@]}"; do
		IFS='|' read -r name those _ <<<"$row"
		[[ " $those " != *" $front "* ]] || check "exception $name" "${asked[$name]-}" yes
	done
}

# ---- starting and ending -----------------------------------------------------------------

trap 'end_servers; clean_up' EXIT
end_servers() { # what is in front first
	while [ ${#servers[@]} != 0 ]; do
		end_server
	done
}
end_server() { # the last that was started, and its processes: fcgiwrap leaves them behind
	local pid=${servers[-1]} each children=()
	unset 'servers[-1]'
	gone "$pid" || read -ra children <"/proc/$pid/task/$pid/children"
	kill "$pid" "${children[@]}" 2>/dev/null
	for each in "$pid" "${children[@]}"; do
		within 10 gone "$each" || kill -KILL "$each"
	done
}
gone() { ! kill -0 "$1" 2>/dev/null; }
# unprivileged LOG COMMAND...: in the background; its process id is the last of servers
unprivileged() {
	local log=$1
	shift
	[ "$EUID" != 0 ] ||
		set -- setpriv --reuid www-data --regid "$(id -g www-data)" --init-groups "$@"
	"$@" >>"$log" 2>&1 </dev/null &
	servers+=($!)
}

# The database, the worker, and nginx before it; in the database a row that no other run has.
start_site() {
	cp "$build/tests/site/site" "$program"
	start_stack
	query "insert into users (id, name, email) values (1000000, '$work', 'work@example.org')" \
		>/dev/null
	mkdir "$work/front" "$run/files"
	: >"$work/apache.log"
	chmod 777 "$work/front" "$work/apache.log"
	printf 'the letter' >"$run/files/letter.pdf"
	head -c 33554432 /dev/urandom >"$work/random"
}
is_ours() { [[ $(curl --noproxy '*' -s -m 5 "$url/people/1000000") == *"\"$work\""* ]]; }
# A configuration of nginx/ as it is for this run; what it says of bodies is above the site's.
adapted() { # FILE
	sed "s|/run/users/app.sock|$run/app.sock|; s|/usr/local/bin/users|$program|
		s|/var/www/files|$run/files|; s|/run/fcgiwrap.socket|$work/front/fcgiwrap.sock|
		s|postgresql:///users|${database//&/\\&}|
		s|client_max_body_size 8m|client_max_body_size 64m|
		s|max-request-size = 8192|max-request-size = 65536|
		s|\*:80|127.0.0.1:$port|; s|listen 80|listen 127.0.0.1:$port|" "$1"
}
# start_server BASE FILE COMMAND...: BASE is a function that writes what the configuration FILE of
# nginx/ is included by; tried again when somebody else was quicker to take the port.
start_server() {
	local base=$1 file=$2 port
	shift 2
	for _ in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 10000)) url=http://127.0.0.1:$port
		adapted "$file" >"$work/included.conf"
		"$base" "$port" >"$work/front.conf"
		unprivileged "$work/front.log" "$@"
		within "$patience" is_ours_or_gone "${servers[-1]}"
		is_ours && ! gone "${servers[-1]}" && return
		end_server
	done
	cat "$work/front.log"
	fail "$front" "did not start" "to be started with $file"
	finish
}
is_ours_or_gone() { is_ours || gone "$1"; }

# ---- the web servers ---------------------------------------------------------------------

start_nginx() { # stack.sh has started it
	url=http://127.0.0.1:$(cat "$run/port")
}

start_nginx_cgi() {
	DATABASE_URL=$database unprivileged "$work/fcgiwrap.log" \
		fcgiwrap -c 8 -s "unix:$work/front/fcgiwrap.sock"
	cp nginx/fastcgi_athanor.conf "$work"
	start_server nginx_base nginx/other/nginx_cgi.conf nginx -c "$work/front.conf" \
		-e "$work/front/nginx.log" -g 'daemon off;'
}
nginx_base() { # PORT
	cat <<-END
		pid $work/front/nginx.pid;
		events { }
		http {
			client_body_temp_path $work/front/body;
			fastcgi_temp_path $work/front/fastcgi;
			proxy_temp_path $work/front/proxy;
			scgi_temp_path $work/front/scgi;
			uwsgi_temp_path $work/front/uwsgi;
			access_log off;
			include $work/included.conf;
		}
	END
}

start_lighttpd() { # [FILE]
	start_server lighttpd_base "${1-nginx/other/lighttpd.conf}" lighttpd -D -f "$work/front.conf"
}
start_lighttpd_cgi() { start_lighttpd nginx/other/lighttpd_cgi.conf; }
lighttpd_base() { # PORT
	cat <<-END
		server.document-root = "$work/front"
		server.bind = "127.0.0.1"
		server.port = $1
		server.upload-dirs = ( "$work/front" )
		include "$work/included.conf"
	END
}

start_apache() { # [FILE]
	start_server apache_base "${1-nginx/other/apache.conf}" \
		apache2 -f "$work/front.conf" -DFOREGROUND
}
start_apache_cgi() { start_apache nginx/other/apache_cgi.conf; }
apache_base() { # PORT
	local module
	# a client sees that an answer breaks off when its connection ends: after this many seconds
	cat <<-END
		KeepAliveTimeout 1
		ServerRoot "$work/front"
		DefaultRuntimeDir "$work/front"
		ServerName localhost
		PidFile "$work/front/apache.pid"
		ScriptSock "$work/front/cgid.sock"
		ErrorLog "$work/apache.log"
		Listen 127.0.0.1:$1
	END
	for module in mpm_event authz_core alias env headers unique_id proxy proxy_fcgi cgid; do
		echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
	done
	echo "Include \"$work/included.conf\""
}

# ---- the rows ------------------------------------------------------------------------------

# refused PATH: by the web server in its own words, or by the worker
refused() {
	request GET "$1"
	check_like "GET $1 is refused" "$status" '40[04]'
}
# at_once PATH OPTION...: 64 requests, 8 at a time; the answers are in $work/many.NUMBER
at_once() {
	local got
	got=$(curl --noproxy '*' -s -m "$patience" --parallel --parallel-max 8 -w '%{http_code}\n' \
		-o "$work/many.#1" "${@:2}" "$url$1[1-64]" 2>/dev/null | sort | uniq -c)
	check_like "$1: 64 requests, 8 at once" "$got" '*([ ])64 200'
}
# No 502 and no 503, and every answer is its own request's.
many_at_once() {
	local number wrong=''
	at_once '/answers/text?text='
	for number in {1..64}; do
		[ "$(<"$work/many.$number")" = "$number" ] || wrong+=" $number"
	done
	check "requests that got another's answer" "$wrong" ''
	head -c 50000 "$work/random" >"$work/sent"
	at_once '/requests/echo?' --data-binary "@$work/sent"
	check "bodies that came back otherwise" \
		"$(for number in {1..64}; do cmp "$work/sent" "$work/many.$number" 2>&1; done)" ''
	at_once '/people/1?'
	check "other people" "$(cat "$work"/many.* | grep -vo '{"id":1,"name":"Ada Lovelace",.*}')" ''
}

ask_everything() {
	local rows
	for rows in tests/site/*.sh; do
		rows=${rows##*/}
		"${rows%.sh}_rows"
	done
	many_at_once
	every_exception_was_asked_for
}
ask() { # FRONT
	local before=$passed
	front=$1 asked=() host=api.example.org
	[ "$front" != nginx ] || host=localhost # of nginx/development.conf.in
	"start_$front"
	ask_everything
	end_servers
	echo "$front: $((passed - before)) as expected"
}

# with sanitizers each process of a CGI program takes its time: one of each way to be asked
! is_sanitized || fronts=(nginx lighttpd_cgi apache)
[ $# = 0 ] || fronts=("$@")
start_site
for each in "${fronts[@]}"; do
	ask "$each"
done
finish
