#!/bin/bash
# A private PostgreSQL in a directory, reached by a unix socket only. Nothing of the machine's
# own services is touched, and clusters in different directories know nothing of each other.
#
#   cluster.sh start  DIR [-c NAME=VALUE]...  make it if it is new, start it, wait for it
#   cluster.sh stop   DIR                     disconnect everybody and shut down cleanly
#   cluster.sh kill   DIR                     end it at once, as in a crash
#   cluster.sh remove DIR                     end it and delete it
#   cluster.sh url    DIR [DATABASE]          its URL; the database is postgres unless given
#   cluster.sh status DIR                     exit 1 unless it accepts connections
#
#   cluster.sh standby DIR PRIMARY_DIR [-c NAME=VALUE]...  copy that one, and follow it from now on
#   cluster.sh promote DIR                                 make a standby a primary
#
# What is so already is no error. The superuser is postgres, without a password. Started by root
# the server runs as the user postgres, and root and DIR's group may connect; otherwise it runs
# as the caller, who alone may. DIR holds data/, pg/ (the socket) and postgres.log, or a link,
# place, to where these are: a directory of /tmp when DIR's own path does not do.
set -euo pipefail
umask 022

die() {
	printf 'cluster: %s\n' "$*" >&2
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
as_owner() { # COMMAND...: the server refuses root, and minds a directory it may not enter
	[ "$EUID" != 0 ] || set -- setpriv --reuid postgres --regid postgres --init-groups "$@"
	(cd / && exec "$@" 9>&-)
}
fits() { # a socket's path has 107 bytes, a URL minds odd characters, and the server must get in
	local LC_ALL=C
	[ ${#1} -le 90 ] && [[ $1 =~ ^[A-Za-z0-9/._-]+$ ]] && as_owner test -x "$1"
}
place_of() { # DIR
	local dir=$1
	[ ! -L "$dir/place" ] || dir=$dir/place
	realpath -m -- "$dir"
}
find_place() {
	dir=$(realpath -m -- "$dir")
	place=$(place_of "$dir")
}
make_place() {
	mkdir -p -- "$dir"
	[ -O "$dir" ] || die "$dir belongs to somebody else"
	find_place
	exec 9<"$dir"
	flock -w 120 9 || die "somebody else has been starting $dir for two minutes"
	[ "$EUID" != 0 ] || chmod a+x -- "$dir"
	[ -d "$place" ] && [ -O "$place" ] && fits "$place" && return
	place=$(mktemp -d /tmp/cluster.XXXXXX)
	[ "$EUID" != 0 ] || chmod a+x "$place"
	ln -sfn "$place" "$dir/place"
}
find_programs() {
	bin=$(find /usr/lib/postgresql/*/bin -maxdepth 0 2>/dev/null | sort -V | tail -n 1 || true)
	[ -x "$bin/initdb" ] || bin=$(dirname "$(command -v initdb || true)") # not Debian
	[ -x "$bin/initdb" ] || die "PostgreSQL's server programs are not installed"
	[ "$EUID" != 0 ] || id postgres >/dev/null 2>&1 || die "as root this needs a user postgres"
	unset "${!PG@}" # PGPORT, PGHOST ... would lead elsewhere
}

# The number in the pid file may have become another process's.
pid_of_server() {
	local pid
	{ read -r pid <"$place/data/postmaster.pid"; } 2>/dev/null || return 1
	tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxsF -- "$place/data" || return 1
	echo "$pid"
}
gone() { ! pid_of_server >/dev/null; }
end() { # SIGNAL SECONDS
	local pid
	pid=$(pid_of_server) || return 0
	kill -s "$1" "$pid" 2>/dev/null || true
	within "$2" gone
}
accepts() { "$bin/pg_isready" -q -h "$place/pg" -U postgres -d postgres; }

# After a crash the pid file stays, and PostgreSQL refuses to start while any process, a zombie too,
# has that number. Whether a server still lives is known by its shared memory being attached.
detached() {
	awk 'NR == FNR { if (FNR == 7) id = $2; next } $2 == id && $7 > 0 { exit 1 }' \
		"$place/data/postmaster.pid" /proc/sysvipc/shm 2>/dev/null
}
fill() { # DIRECTORY: with a new cluster, or a copy of the primary's
	local make=("$bin/initdb" -D "$1" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync)
	[ -z "$primary" ] || make=("$bin/pg_basebackup" -D "$1" -h "$primary/pg" -U postgres
		-R -c fast --no-sync)
	as_owner timeout 120 "${make[@]}" >"$place/initdb.log" 2>&1 ||
		die "${make[0]##*/} failed: $(tail -n 1 "$place/initdb.log")"
}
forget_dead_server() {
	[ -f "$place/data/postmaster.pid" ] || return 0
	! within 10 detached || rm -f "$place"/data/postmaster.pid "$place"/pg/.s.PGSQL.*
}
start() {
	local owner=() mode=0700 options='' option
	make_place
	if gone; then
		[ "$EUID" != 0 ] || { owner=(-o postgres -g postgres) && mode=0750; }
		if [ ! -d "$place/data" ]; then
			rm -rf "$place/data.new"
			install -d -m 0700 "${owner[@]}" "$place/data.new"
			fill "$place/data.new"
			mv "$place/data.new" "$place/data" # whole or not at all
		fi
		forget_dead_server
		# whoever can enter this directory is let in
		[ "$EUID" != 0 ] || owner=(-o postgres -g "$(stat -c %g "$dir")")
		install -d -m "$mode" "${owner[@]}" "$place/pg"
		touch "$place/postgres.log"
		[ "$EUID" != 0 ] || chown postgres: "$place/postgres.log"
		for option in listen_addresses= unix_socket_directories="$place/pg" "$@"; do
			options+=" -c ${option@Q}"
		done
		as_owner "$bin/pg_ctl" start -w -t 60 -D "$place/data" -l "$place/postgres.log" \
			-o "$options" >/dev/null 2>&1 ||
			die "PostgreSQL did not start: $(tail -n 1 "$place/postgres.log")"
	fi
	within 60 accepts || die "PostgreSQL does not answer: $place/postgres.log"
}
follows() {
	[ "$(as_owner "$bin/psql" -X -A -t -h "$place/pg" -U postgres -d postgres \
		-c "select status from pg_stat_wal_receiver")" = streaming ]
}
end_at_once() { end QUIT 10 || end KILL 5 || die "PostgreSQL in $place does not end"; }

if [ -z "${2-}" ]; then
	sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
verb=$1 dir=$2
shift 2
find_place
primary='' settings=()
case $verb in
start | standby)
	find_programs
	if [ "$verb" = standby ]; then
		[ -n "${1-}" ] || die "standby takes the primary's directory"
		primary=$(place_of "$1")
		shift
		[ ! -d "$place/data" ] || [ -f "$place/data/standby.signal" ] ||
			die "$dir holds a cluster that is no standby"
	fi
	while [ $# != 0 ]; do
		[[ $1 == -c && ${2-} == *=* ]] || die "$verb takes -c NAME=VALUE, not '$1'"
		settings+=("$2")
		shift 2
	done
	start "${settings[@]}"
	[ -z "$primary" ] || within 60 follows || die "$dir does not follow: $place/postgres.log"
	;;
promote)
	find_programs
	[ -d "$place/data" ] || die "$dir holds no cluster"
	[ ! -f "$place/data/standby.signal" ] ||
		as_owner "$bin/pg_ctl" promote -w -t 60 -D "$place/data" >/dev/null 2>&1 ||
		die "PostgreSQL was not promoted: $(tail -n 1 "$place/postgres.log")"
	;;
stop) end INT 30 || end_at_once ;;
kill) end_at_once ;;
remove)
	[ -f "$place/data/PG_VERSION" ] || exit 0
	end_at_once
	rm -rf "$place"/{data,pg,postgres.log,initdb.log} "$dir/place"
	rmdir -- "$place" "$dir" 2>/dev/null || true # whatever else is there stays
	;;
url)
	[ -d "$place/data" ] || die "$dir holds no cluster"
	echo "postgresql:///${1:-postgres}?host=$place/pg&user=postgres"
	;;
status)
	find_programs
	accepts || exit 1
	;;
*) die "no such command: $verb" ;;
esac
