#!/bin/bash
# The whole stack, private to one directory: PostgreSQL (sql/cluster.sh), the worker under
# spawn-fcgi, nginx before it. Nothing of the machine's own services is touched.
#
#   stack.sh start  [DIR] [--port N]  start what does not run yet, wait until it answers
#   stack.sh run    [DIR] [--port N]  the same, then wait for Ctrl-C and stop it
#   stack.sh stop   [DIR]
#   stack.sh status [DIR]             exit 1 unless all of it runs
#   stack.sh remove [DIR]             stop, and delete DIR with its database
#   stack.sh packages [test]          install the Debian packages that are missing
#
#   DIR      build/run unless given; DIR/port holds the port, DIR/database the URL
#   --port   $PORT or 8080 unless given; 0 takes a free one
#
# $WORKER_PROGRAM is the worker, build/users unless given. With $DATABASE_URL there is no private
# PostgreSQL: that database is migrated and used, but not seeded. Started by root, PostgreSQL
# runs as postgres, nginx and the worker as www-data.
set -euo pipefail
umask 022
PATH=$PATH:/usr/sbin:/sbin

say() { printf '%s\n' "$*"; }
die() {
	printf 'stack: %s\n' "$*" >&2
	exit 1
}
within() { # SECONDS COMMAND...: true as soon as COMMAND is, false when the time is over
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS <= end)) || return 1
		sleep 0.02
	done
}
as() { # USER COMMAND...: COMMAND as USER if we are root, else as ourselves
	local user=$1
	shift
	[ "$EUID" != 0 ] ||
		set -- setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
	"$@"
}

# ---- the directory -------------------------------------------------------------------

fits() { # a socket's path has 107 bytes, nginx and URLs mind odd characters, www-data must get in
	local LC_ALL=C
	[ ${#1} -le 90 ] && [[ $1 =~ ^[A-Za-z0-9/._-]+$ ]] && as "$web_user" test -x "$1"
}
share() { # let nginx and a worker write to DIR although they are not root
	[ -O "$dir" ] || die "$dir belongs to somebody else"
	[ -f "$dir/database" ] || [ -z "$(ls -A "$dir")" ] ||
		die "$dir holds other files: take a new directory"
	[ "$EUID" != 0 ] || { chgrp "$web_group" "$dir" && chmod 0775 "$dir"; }
}
make_directory() {
	[ ! -L "$given" ] || [ -d "$given" ] || rm "$given" # what it pointed to is gone
	mkdir -p "$given"
	dir=$(realpath "$given")
	share
	fits "$dir" && touch "$dir/database" && return
	rmdir "$given" 2>/dev/null || die "$given cannot be used: its path is long, odd or closed"
	dir=$(mktemp -d /tmp/athanor.XXXXXX)
	ln -s "$dir" "$given"
	share
	touch "$dir/database"
	say "$given is in $dir: its own path is long, odd or closed"
}

# ---- processes -----------------------------------------------------------------------

# The process of NAME's pid file, if it is still the one started here: the number may have become
# another's. nginx is known by its command line, the worker by when it began. (Both can be read
# without privileges; in a container root may not read more than that of another user's process.)
began() { # PID: in clock ticks since the machine started; nothing for a zombie
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'
}
pid_of() {
	local pid
	pid=$(cat "$dir/$1.pid" 2>/dev/null) && [ -n "$pid" ] || return 1
	case $1 in
	worker) [ "$(began "$pid")" = "$(cat "$dir/worker.began" 2>/dev/null || echo never)" ] ;;
	nginx) grep -qsF -- "-c $dir/nginx.conf" "/proc/$pid/cmdline" ;;
	esac && echo "$pid"
}
runs() { pid_of "$1" >/dev/null; }
gone() { ! runs "$1"; }
end() { # NAME SIGNAL SECONDS
	local pid
	pid=$(pid_of "$1") || return 0
	kill -s "$2" "$pid" 2>/dev/null || true
	within "$3" gone "$1"
}
# ---- the database --------------------------------------------------------------------

start_database() {
	local psql=(psql -X -q -A -t -v ON_ERROR_STOP=1)
	if [ -n "${DATABASE_URL-}" ]; then
		echo "from the environment" >"$dir/database" # it may hold a password
		migrate
		return
	fi
	sql/cluster.sh status "$dir" || started+=(database)
	sql/cluster.sh start "$dir"
	unset "${!PG@}" # PGPORT, PGHOST ... would lead elsewhere
	DATABASE_URL=$(sql/cluster.sh url "$dir" users)
	export DATABASE_URL
	echo "$DATABASE_URL" >"$dir/database"
	"${psql[@]}" -c 'select' "$DATABASE_URL" >/dev/null 2>&1 ||
		"${psql[@]}" -c 'create database users' "$(sql/cluster.sh url "$dir")"
	migrate
	if [ "$("${psql[@]}" -c 'select not exists (select from users)' "$DATABASE_URL")" = t ]; then
		"${psql[@]}" -1 -f sql/seed.sql "$DATABASE_URL"
	fi
}
stop_database() { sql/cluster.sh stop "$dir"; }
migrate() {
	[ -x "$worker" ] || die "$worker is not built: make"
	"$worker" migrate >"$dir/migrate.log" || die "$worker migrate failed"
}

# ---- the worker ----------------------------------------------------------------------

start_worker() {
	local options=(-s "$dir/app.sock" -M 0660 -b 1024 -P "$dir/worker.pid") wanted
	wanted=$(printf '%s\n' "$worker" "${DATABASE_URL-}" | sha256sum)
	if runs worker; then
		[ "$(cat "$dir/worker.sum")" != "$wanted" ] || [ "$worker" -nt "$dir/worker.pid" ] ||
			return 0
		say "the worker that runs is another or an older one: it is replaced"
		stop_worker
	fi
	touch "$dir/worker.log"
	if [ "$EUID" = 0 ]; then
		options+=(-G "$web_group") # nginx can connect, whoever the worker is
		if as "$web_user" test -x "$worker"; then
			options+=(-u "$web_user" -g "$web_group")
			chown "$web_user" "$dir/worker.log"
		else
			say "$web_user cannot execute $worker: the worker runs as root"
		fi
	fi
	echo "$wanted" >"$dir/worker.sum"
	rm -f "$dir/worker.pid" "$dir/worker.began"
	started+=(worker)
	# spawn-fcgi sends what a worker says to /dev/null
	# shellcheck disable=SC2016
	spawn-fcgi "${options[@]}" -- \
		/bin/sh -c 'exec "$0" 2>>"$1"' "$worker" "$dir/worker.log" >/dev/null ||
		worker_ended
	began "$(cat "$dir/worker.pid")" >"$dir/worker.began" || worker_ended
}
stop_worker() {
	end worker TERM 20 || { say "the worker did not end in 20 s: killed" && end worker KILL 5; }
	rm -f "$dir/app.sock"
}
worker_ended() {
	tail -n 5 "$dir/worker.log" >&2
	die "the worker ended: $dir/worker.log"
}

# ---- nginx ---------------------------------------------------------------------------

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
start_nginx() {
	if runs nginx; then
		port=$(cat "$dir/port")
		return
	fi
	if [ "$port" = 0 ]; then
		until port=$((20000 + RANDOM % 10000)) && ! taken "$port"; do :; done
	fi
	cp nginx/fastcgi_athanor.conf "$dir"
	sed "s|@DIR@|$dir|g; s|@PORT@|$port|g; s|@SOCKET@|$dir/app.sock|g" \
		nginx/development.conf.in >"$dir/nginx.conf"
	rm -f "$dir/nginx.pid"
	started+=(nginx)
	as "$web_user" nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/nginx-error.log" 2>/dev/null ||
		die "nginx did not start: $(tail -n 1 "$dir/nginx-error.log")"
	within 5 runs nginx || die "nginx ended: $dir/nginx-error.log"
	echo "$port" >"$dir/port"
}
stop_nginx() {
	end nginx QUIT 5 || end nginx TERM 5 || end nginx KILL 5
}

# ---- the whole -----------------------------------------------------------------------

answers() {
	runs worker || worker_ended
	status=$(curl --noproxy '*' -s -m 2 -o /dev/null -w '%{http_code}' "$url/users?limit=1") &&
		[[ $status != 5* ]]
}
start() {
	local asked=$port
	port=${port:-8080}
	[[ $port =~ ^[0-9]{1,5}$ ]] || die "--port $port: not a number"
	make_directory
	if runs nginx; then
		[ -z "$asked" ] || [ "$asked" = 0 ] || [ "$asked" = "$(cat "$dir/port")" ] ||
			die "already running on port $(cat "$dir/port"), not $asked: stop it first"
	elif [ "$port" != 0 ] && taken "$port"; then
		die "port $port is taken: choose another with PORT=... or --port"
	fi
	start_database
	start_worker
	start_nginx
	url=http://127.0.0.1:$port
	within 10 answers || die "no answer from $url (status $status): see $dir/worker.log"
}
stop() {
	# from the outside in: nginx finishes its requests, then the worker has none left
	[ -d "$dir" ] || return 0
	stop_nginx
	stop_worker
	stop_database
}
clean_up() { # a start that failed or a run that ended leaves nothing behind that it started
	local code=$? name
	trap '' INT TERM HUP
	for name in nginx worker database; do
		[[ " ${started[*]} " != *" $name "* ]] || "stop_$name" || true
	done
	exit "$code"
}
summary() {
	cat <<-END
		Athanor answers at $url

		  curl $url/users
		  curl $url/users/1
		  curl $url/users/1/posts
		  curl --json '{"name":"Edsger Dijkstra","email":"edsger@example.org","age":42}' $url/users
		  curl -X PATCH --json '{"age":37}' $url/users/1
		  curl --json '{"user_id":1,"title":"A new post"}' $url/posts
		  curl -X DELETE $url/users/1

		Logs: $dir/worker.log, nginx-access.log, nginx-error.log, postgres.log
	END
}
status_of_all() {
	local name pid code=0
	if [[ $(cat "$dir/database" 2>/dev/null) == postgresql:* ]]; then
		sql/cluster.sh status "$dir" || code=1
		say "database: $( ((code)) && echo stopped || echo running)"
	fi
	for name in worker nginx; do
		if pid=$(pid_of "$name"); then
			say "$name: running, process $pid"
		else
			say "$name: stopped"
			code=1
		fi
	done
	[ "$code" != 0 ] || say "http://127.0.0.1:$(cat "$dir/port"), database: $(cat "$dir/database")"
	return "$code"
}

# ---- packages ------------------------------------------------------------------------

packages() {
	local wanted missing=() name have root=(env) programs=(nginx spawn-fcgi)
	wanted=(gcc libc6-dev make pkg-config libpq-dev libfcgi-dev libcjson-dev spawn-fcgi curl)
	if [ "${1-}" = test ]; then
		wanted+=(clang libclang-rt-dev libcmocka-dev libcurl4-openssl-dev valgrind wrk openssl)
		wanted+=(lighttpd apache2-bin fcgiwrap procps)
		wanted+=(systemd logrotate man-db mandoc) # of the deployment
		programs+=(lighttpd apache2 fcgiwrap)
		command -v pgbouncer >/dev/null || wanted+=(pgbouncer)
		command -v promtool >/dev/null || wanted+=(prometheus) programs+=(promtool)
	fi
	# whichever package these came from will do
	command -v nginx >/dev/null || wanted+=(nginx-light)
	[ -n "$(command -v initdb /usr/lib/postgresql/*/bin/initdb)" ] || wanted+=(postgresql)
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		say "not Debian, so nothing is installed. Needed, by Debian's names: ${wanted[*]}"
		return
	fi
	have=$(dpkg-query -W -f '${Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
	for name in "${wanted[@]}"; do
		grep -qx "install ok installed $name" <<<"$have" || missing+=("$name")
	done
	[ ${#missing[@]} != 0 ] || return 0
	say "installing: ${missing[*]}"
	if [ "$EUID" != 0 ]; then
		command -v sudo >/dev/null ||
			die "cannot install without root or sudo. As root: apt-get install ${missing[*]}"
		root=(sudo env)
	fi
	# RUNLEVEL=1: services are not started on the way, where the init system listens to it
	root+=(DEBIAN_FRONTEND=noninteractive RUNLEVEL=1)
	"${root[@]}" apt-get update -q || true
	"${root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}" || {
		# a web server's package counts as failed when its service does not start: none is needed
		[[ " ${missing[*]} " =~ \ (nginx-light|lighttpd|fcgiwrap|prometheus)\  ]] && type "${programs[@]}"
	} >/dev/null || die "apt-get failed. As root: apt-get install ${missing[*]}"
}

# ---- command line --------------------------------------------------------------------

verb=${1-} top=$(realpath "$(dirname "$0")/..")
[ $# = 0 ] || shift
if [ "$verb" = packages ]; then
	packages "$@"
	exit
fi
dir=$top/build/run port=${PORT-} worker=$(realpath -m "${WORKER_PROGRAM:-$top/build/users}")
started=() status=none
if [ $# != 0 ] && [[ $1 != --* ]]; then
	dir=$(realpath -sm "$1")
	shift
fi
if [ $# != 0 ]; then
	[[ $# == 2 && $1 == --port ]] || die "unknown: $*"
	port=$2
fi
cd "$top"
web_user=$(id -un) web_group=$(id -gn)
if [ "$EUID" = 0 ]; then
	web_user=www-data
	id "$web_user" >/dev/null 2>&1 || web_user=nobody
	web_group=$(id -gn "$web_user")
fi
given=$dir
[ ! -d "$dir" ] || dir=$(realpath "$dir")
case $verb in
start | run)
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	start
	if [ "$verb" = start ] || [ ${#started[@]} = 0 ]; then
		started=() # it goes on, or it was all running before
		summary
		exit
	fi
	started=(database worker nginx)
	trap 'exit 0' INT TERM HUP
	summary
	printf '\nCtrl-C ends it.\n'
	while runs worker && runs nginx; do # spawn-fcgi does not start a dead worker again
		sleep 1 &
		wait $! || true
	done
	die "the worker or nginx ended: see the logs"
	;;
stop) stop ;;
status) status_of_all ;;
remove)
	[ -f "$dir/database" ] || die "$dir was not made by this program"
	stop
	sql/cluster.sh remove "$dir"
	rm -rf "$dir" "$given"
	;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$top/nginx/stack.sh" >&2
	exit 2
	;;
esac
