#!/bin/bash
# What `make install` puts where, and what `make uninstall` takes away again: one list for both.
# The Makefile says the directories; DESTDIR stands in front of each, and in none of the files.
set -euo pipefail
verb=$1
umask 022

# put MODE FILE TO
put() {
	case $verb in
	install) install -D -m "$1" "$2" "$DESTDIR$3" ;;
	uninstall) rm -f "$DESTDIR$3" ;;
	esac
}
put_all() { # DIRECTORY FILE...
	case $verb in
	install) install -D -m 644 -t "$DESTDIR$1" "${@:2}" ;;
	uninstall) (cd "$DESTDIR$1" 2>/dev/null && rm -f "${@##*/}") || true ;;
	esac
}
link() { # TARGET NAME
	case $verb in
	install) ln -sfn "$1" "$DESTDIR$2" ;;
	uninstall) rm -f "$DESTDIR$2" ;;
	esac
}
# The same of a file that speaks of directories.
filled=$(mktemp)
trap 'rm -f "$filled"' EXIT
fill() { # FILE
	# shellcheck disable=SC2016
	local exec_prefix=${EXEC_PREFIX/#"$PREFIX"/'${prefix}'} # as pkg-config has them
	local libdir=${LIBDIR/#"$EXEC_PREFIX"/'${exec_prefix}'}
	local includedir=${INCLUDEDIR/#"$PREFIX"/'${prefix}'}
	sed "s|@VERSION@|$VERSION|; s|@PREFIX@|$PREFIX|; s|@EXEC_PREFIX@|$exec_prefix|
		s|@LIBDIR@|$libdir|; s|@INCLUDEDIR@|$includedir|; s|@BINDIR@|$BINDIR|
		s|@DATADIR@|$DATADIR|; s|@SYSCONFDIR@|$SYSCONFDIR|" "$1" >"$filled"
}
put_filled() { # FILE TO
	fill "$1"
	put 644 "$filled" "$2"
}
# What an administrator may have changed stays as it is; beside the manual it is as it comes.
put_once() { # FILE TO
	fill "$1"
	case $verb in
	install) [ -e "$DESTDIR$2" ] || put 644 "$filled" "$2" ;;
	uninstall) ! cmp -s "$filled" "$DESTDIR$2" || put 644 "$filled" "$2" ;;
	esac
}
# Directories that are nobody else's, from the inside out.
remove_directories() {
	local directory
	for directory; do
		[ ! -d "$DESTDIR$directory" ] ||
			find "$DESTDIR$directory" -depth -type d -empty -delete
	done
}

# ---- the library ---------------------------------------------------------------------------

put 644 "$BUILD/libathanor.a" "$LIBDIR/libathanor.a"
put 644 "$BUILD/libathanor.so.$VERSION" "$LIBDIR/libathanor.so.$VERSION"
link "libathanor.so.$VERSION" "$LIBDIR/$SONAME"
link "$SONAME" "$LIBDIR/libathanor.so"
# what an application includes, and what that includes
for header in $($CC -MM -Ilib lib/athanor.h); do
	[[ $header != lib/*.h ]] || put 644 "$header" "$INCLUDEDIR/athanor/${header#lib/}"
done
put_filled lib/athanor.pc.in "$PKGCONFIGDIR/athanor.pc"
put_filled lib/athanor-static.pc.in "$PKGCONFIGDIR/athanor-static.pc"
for section in "$BUILD"/man/man?; do
	put_all "$MANDIR/${section##*/}" "$section"/*
done
put 644 README.md "$DOCDIR/README.md"
put 644 nginx/production.conf "$DOCDIR/nginx/production.conf"
put 644 nginx/fastcgi_athanor.conf "$DOCDIR/nginx/fastcgi_athanor.conf"

# ---- the application -----------------------------------------------------------------------

# coreutils has a program of that name in /usr/bin
if [ -e "$DESTDIR$BINDIR/users" ] && ! grep -q urn:athanor "$DESTDIR$BINDIR/users"; then
	echo "$DESTDIR$BINDIR/users is another program: choose another BINDIR or PREFIX" >&2
	exit 1
fi
put 755 "$BUILD/users" "$BINDIR/users"
put_all "$DATADIR/users/migrations" sql/[0-9]*.sql
put_filled app/deploy/users.service.in "$UNITDIR/users.service"
put 644 app/deploy/users.socket "$UNITDIR/users.socket"
put 644 app/deploy/users-status.socket "$UNITDIR/users-status.socket"
put 644 app/deploy/sysusers.conf "$SYSUSERSDIR/users.conf"
put 644 app/deploy/tmpfiles.conf "$TMPFILESDIR/users.conf"
put_filled "$BUILD/man/users.conf.in" "$DOCDIR/users.conf"
put_once "$BUILD/man/users.conf.in" "$SYSCONFDIR/users/users.conf"
put_once app/deploy/logrotate.conf "$SYSCONFDIR/logrotate.d/users"

if [ "$verb" = uninstall ]; then
	remove_directories "$INCLUDEDIR/athanor" "$DOCDIR" "$DATADIR/users" "$SYSCONFDIR/users"
elif [ -z "$DESTDIR" ]; then
	echo "Installed to $PREFIX. As root, where it is the machine's: ldconfig; systemd-sysusers;" \
		"systemd-tmpfiles --create; systemctl daemon-reload"
fi
