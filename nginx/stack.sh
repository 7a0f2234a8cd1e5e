#!/bin/bash
# The whole stack, private to one directory: PostgreSQL on a unix socket, the worker under
# spawn-fcgi, nginx before it. Nothing of the machine's own services is touched.
#
#   stack.sh start  [DIR] [options]   start what does not run yet, wait until it answers
#   stack.sh run    [DIR] [options]   the same, then wait for Ctrl-C and stop it
#   stack.sh stop   [DIR]
#   stack.sh status [DIR]             exit 1 unless all of it runs
#   stack.sh remove [DIR]             stop, and delete DIR with its database
#   stack.sh packages [test]          install the Debian packages that are missing
#
#   DIR             build/run unless given; DIR/port holds the port, DIR/database the URL
#   --port N        $PORT or 8080 unless given; 0 takes a free one
#   --worker CMD    $WORKER_PROGRAM or build/users unless given; started in the top folder
#   --conf FILE     nginx/development.conf.in unless given
#   --no-database   no PostgreSQL and no migrations. With $DATABASE_URL set there is no private
#                   PostgreSQL either: that database is migrated and used, but not seeded.
#
# Started by root, PostgreSQL runs as postgres, nginx and the worker as www-data.
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
	[ "$EUID" != 0 ] || set -- setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
	"$@"
}

# ---- the directory -------------------------------------------------------------------

fits() { # a socket's path has 107 bytes, nginx and URLs mind odd characters, www-data must get in
	local LC_ALL=C
	[ ${#1} -le 90 ] && [[ $1 =~ ^[A-Za-z0-9/._-]+$ ]] && as "$web_user" test -x "$1"
}
share() { # let nginx and a worker write to DIR although they are not root
	[ -O "$dir" ] || die "$dir belongs to somebody else"
	[ -f "$dir/database" ] || [ -z "$(ls -A "$dir")" ] || die "$dir holds other files: take a new directory"
	[ "$EUID" != 0 ] || { chgrp "$web_group" "$dir" && chmod 0775 "$dir"; }
}
make_directory() {
	[ ! -L "$given" ] || [ -d "$given" ] || rm "$given" # what it pointed to is gone
	mkdir -p "$given"
	dir=$(realpath "$given")
	share
	fits "$dir" && return
	rmdir "$given" 2>/dev/null || die "$given cannot be used: its path is too long, odd or closed"
	dir=$(mktemp -d /tmp/athanor.XXXXXX)
	ln -s "$dir" "$given"
	share
	say "$given is in $dir: its own path is too long, odd or closed"
}

# ---- processes -----------------------------------------------------------------------

# The process of NAME's pid file, if it lives and is the one started here: the number may have
# become another's. The worker is known by its log, the others by their command line.
pid_of() {
	local pid file=$dir/$1.pid
	[ "$1" != postgres ] || file=$dir/data/postmaster.pid
	pid=$(head -n 1 "$file" 2>/dev/null) && [ -n "$pid" ] || return 1
	case $1:$(readlink "/proc/$pid/fd/2"):$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) in
	worker:"$dir/worker.log"*) ;;
	nginx:*" -c $dir/nginx.conf"*) ;;
	postgres:*" -D $dir/data"*) ;;
	*) return 1 ;;
	esac
	echo "$pid"
}
runs() { pid_of "$1" >/dev/null; }
gone() { ! runs "$1"; }
end() { # NAME SIGNAL SECONDS
	local pid
	pid=$(pid_of "$1") || return 0
	kill -s "$2" "$pid" 2>/dev/null || true
	within "$3" gone "$1"
}
needed() { # what belongs to the stack in this directory
	[[ $(cat "$dir/database" 2>/dev/null) != postgresql:* ]] || echo postgres
	echo worker
	echo nginx
}
all_run() {
	local name
	for name in $(needed); do runs "$name" || return 1; done
}

# ---- PostgreSQL ----------------------------------------------------------------------

pg() { # PROGRAM ARGUMENT...: PostgreSQL refuses root, and minds a directory it may not enter
	(cd / && as postgres "$pg_bin/$1" "${@:2}")
}
start_postgres() {
	local owner=() mode=0700 psql=("$pg_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1)
	[ -x "$pg_bin/initdb" ] || die "PostgreSQL is not installed: nginx/stack.sh packages"
	[ "$EUID" != 0 ] || { owner=(-o postgres -g "$web_group") && mode=0750; }
	if ! runs postgres; then
		if [ ! -d "$dir/data" ]; then
			say "making the database in $dir/data"
			rm -rf "$dir/data.new"
			install -d -m 0700 "${owner[@]}" "$dir/data.new"
			pg initdb -D "$dir/data.new" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
				>"$dir/initdb.log" 2>&1 || die "initdb failed: $(tail -n 1 "$dir/initdb.log")"
			mv "$dir/data.new" "$dir/data" # whole or not at all
		fi
		# whoever can enter this directory is let in without a password
		install -d -m "$mode" "${owner[@]}" "$dir/pg"
		touch "$dir/postgres.log"
		[ "$EUID" != 0 ] || chown postgres "$dir/postgres.log"
		started+=(postgres)
		pg pg_ctl start -w -t 60 -D "$dir/data" -l "$dir/postgres.log" \
			-o "-k $dir/pg -c listen_addresses='' -c max_connections=100 -c fsync=on" >/dev/null ||
			die "PostgreSQL did not start: $(tail -n 1 "$dir/postgres.log")"
	fi
	if [ -z "$("${psql[@]}" -c "select 1 from pg_database where datname = 'users'" \
		"${DATABASE_URL/users/postgres}")" ]; then
		"${psql[@]}" -c 'create database users' "${DATABASE_URL/users/postgres}"
	fi
	migrate
	if [ "$("${psql[@]}" -c 'select not exists (select from users)' "$DATABASE_URL")" = t ]; then
		"${psql[@]}" -1 -f sql/seed.sql "$DATABASE_URL"
	fi
}
stop_postgres() {
	end postgres INT 30 || end postgres QUIT 5 # "fast", then "immediate"
}
migrate() {
	[ -x "$program" ] || die "$program is not built: make"
	"$program" migrate >"$dir/migrate.log" || die "$program migrate failed"
}

# ---- the worker ----------------------------------------------------------------------

start_worker() {
	local options=(-s "$dir/app.sock" -M 0660 -b 1024 -P "$dir/worker.pid") file=${worker%% *} wanted
	wanted=$(printf '%s\n' "$worker" "${DATABASE_URL-}" | sha256sum)
	if runs worker; then
		if [ "$(cat "$dir/worker.sum")" = "$wanted" ] && [ ! "$file" -nt "$dir/worker.pid" ]; then
			return
		fi
		say "the worker that runs is another or an older one: it is replaced"
		stop_worker
	fi
	touch "$dir/worker.log"
	if [ "$EUID" = 0 ]; then
		options+=(-G "$web_group") # nginx can connect, whoever the worker is
		if as "$web_user" test -x "$file" || [[ $file != */* ]]; then
			options+=(-u "$web_user" -g "$web_group")
			chown "$web_user" "$dir/worker.log"
		else
			say "$web_user cannot execute $file: the worker runs as root"
		fi
	fi
	echo "$wanted" >"$dir/worker.sum"
	rm -f "$dir/worker.pid"
	started+=(worker)
	# spawn-fcgi sends what a worker says to /dev/null
	spawn-fcgi "${options[@]}" -- /bin/sh -c "exec $worker 2>>'$dir/worker.log'" >/dev/null ||
		worker_ended
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
	sed "s|@DIR@|$dir|g; s|@PORT@|$port|g; s|@SOCKET@|$dir/app.sock|g" "$conf" >"$dir/nginx.conf"
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
	status=$(curl --noproxy '*' -s -m 2 -o /dev/null -w '%{http_code}' "$url/users?limit=1") || return 1
	case $status:$database in
	502:* | 504:*) return 1 ;;
	5*:none) ;; # a worker that misses its database is up all the same
	5*) return 1 ;;
	esac
}
start() {
	local asked=$port
	port=${port:-8080}
	[[ $port =~ ^[0-9]{1,5}$ ]] || die "--port $port: not a number"
	make_directory
	if runs nginx; then
		[ -z "$asked" ] || [ "$asked" = 0 ] || [ "$asked" = "$(cat "$dir/port")" ] ||
			die "already running on port $(cat "$dir/port"), not $asked: stop it first"
		! all_run || say "already running"
	elif [ "$port" != 0 ] && taken "$port"; then
		die "port $port is taken: choose another with PORT=... or --port"
	fi
	case $database in
	private)
		unset "${!PG@}" # PGPORT, PGHOST ... would lead elsewhere
		export DATABASE_URL="postgresql:///users?host=$dir/pg&user=postgres"
		echo "$DATABASE_URL" >"$dir/database"
		start_postgres
		;;
	given)
		echo "from the environment" >"$dir/database" # it may hold a password
		migrate
		;;
	none) echo "none" >"$dir/database" ;;
	esac
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
	stop_postgres
}
clean_up() { # a start that failed or a run that ended leaves nothing behind that it started
	local code=$? name
	trap '' INT TERM HUP
	for name in nginx worker postgres; do
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
	for name in $(needed); do
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
	local wanted missing=() name have root=(env)
	wanted=(gcc libc6-dev make pkg-config libpq-dev libfcgi-dev libcjson-dev spawn-fcgi curl)
	if [ "${1-}" = test ]; then
		wanted+=(clang libclang-rt-dev libcmocka-dev libcurl4-openssl-dev valgrind wrk openssl)
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
		# nginx's package counts as failed when its service does not start: none is needed here
		[[ " ${missing[*]} " == *" nginx-light "* ]] && command -v nginx && command -v spawn-fcgi
	} >/dev/null || die "apt-get failed. As root: apt-get install ${missing[*]}"
}

# ---- command line --------------------------------------------------------------------

verb=${1-} top=$(realpath "$(dirname "$0")/..")
[ $# = 0 ] || shift
if [ "$verb" = packages ]; then
	packages "$@"
	exit
fi
dir=$top/build/run port=${PORT-} program=${WORKER_PROGRAM:-build/users} worker='' conf=''
database=private started=() status=none url=''
[ -z "${DATABASE_URL-}" ] || database=given
if [ $# != 0 ] && [[ $1 != --* ]]; then
	dir=$(realpath -sm "$1")
	shift
fi
while [ $# != 0 ]; do
	case $1 in
	--no-database) database=none ;;
	--port | --worker | --conf)
		[ $# -ge 2 ] || die "$1 needs a value"
		case $1 in
		--port) port=$2 ;;
		--worker) worker=$2 ;;
		--conf) conf=$(realpath "$2") ;;
		esac
		shift
		;;
	*) die "unknown option $1" ;;
	esac
	shift
done
cd "$top"
pg_bin=$(find /usr/lib/postgresql/*/bin -maxdepth 0 2>/dev/null | sort -V | tail -n 1 || true)
[ -n "$pg_bin" ] || pg_bin=$(dirname "$(command -v initdb || true)") # not Debian
worker=${worker:-$program} conf=${conf:-nginx/development.conf.in}
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
	started=(postgres worker nginx)
	trap 'exit 0' INT TERM HUP
	summary
	printf '\nCtrl-C ends it.\n'
	while all_run; do # spawn-fcgi does not start a dead worker again
		sleep 1 &
		wait $! || true
	done
	for name in $(needed); do runs "$name" || die "$name ended: see the logs"; done
	;;
stop) stop ;;
status) status_of_all ;;
remove)
	[ -f "$dir/database" ] || die "$dir was not made by this program"
	stop
	rm -rf "$dir" "$given"
	;;
*)
	sed -n '2,/^set/s/^# \{0,1\}//p' "$top/nginx/stack.sh" >&2
	exit 2
	;;
esac
