#!/bin/bash
# What `make install` installs: where, as whom, again, elsewhere, and gone again; manual pages; and
# a second application, which is built with pkg-config alone and served.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

# As it was built: with other flags make would build all of it anew.
read -r compiler _ <"$build/flags"
sanitizer=''
! is_sanitized || sanitizer=address
install_to() { # DESTDIR VERB [VARIABLE=VALUE...]
	make -s "$2" BUILD="${BUILD:-build}" CC="$compiler" SAN="$sanitizer" DESTDIR="$1" "${@:3}" \
		>"$work/make.out" 2>&1 || fail "make $2 ${*:3}" "$(cat "$work/make.out")" ''
}
files() { (cd "$1" && find . ! -type d | sort); } # DIRECTORY
contents() { (cd "$1" && find . ! -type d -exec sha256sum {} + | sort -k 2); }
holds() { grep -rIl -- "$2" "$1" | sort; } # DIRECTORY TEXT: the files that do

# ---- where ------------------------------------------------------------------------------------

wanted() {
	local header migration
	cat <<-END
		./etc/logrotate.d/users
		./etc/users/users.conf
		./usr/local/bin/users
		./usr/local/lib/libathanor.a
		./usr/local/lib/libathanor.so
		./usr/local/lib/libathanor.so.1
		./usr/local/lib/libathanor.so.1.0.0
		./usr/local/lib/pkgconfig/athanor-static.pc
		./usr/local/lib/pkgconfig/athanor.pc
		./usr/local/lib/systemd/system/users-status.socket
		./usr/local/lib/systemd/system/users.service
		./usr/local/lib/systemd/system/users.socket
		./usr/local/lib/sysusers.d/users.conf
		./usr/local/lib/tmpfiles.d/users.conf
		./usr/local/share/doc/athanor/README.md
		./usr/local/share/doc/athanor/nginx/fastcgi_athanor.conf
		./usr/local/share/doc/athanor/nginx/production.conf
		./usr/local/share/doc/athanor/users.conf
		./usr/local/share/man/man1/users.1
		./usr/local/share/man/man5/users.conf.5
		./usr/local/share/man/man7/athanor.7
	END
	for header in athanor base/base base/log db/db loop/loop orm/orm orm/orm_macros rest/rest \
		serve/serve serve/test web/web; do
		echo "./usr/local/include/athanor/$header.h"
		[[ $header != */* ]] || echo "./usr/local/share/man/man3/athanor_${header#*/}.3"
	done
	for migration in sql/[0-9]*.sql; do
		echo "./usr/local/share/users/migrations/${migration#sql/}"
	done
}
root=$work/root man=$work/root/usr/local/share/man
install_to "$root" install
check "what is installed, pages of functions aside" \
	"$(files "$root" | grep -v '/man3/[^a]\|/man3/at[^h]\|/man3/ath_')" "$(wanted | sort)"
check "no file speaks of where it was built, or of DESTDIR" \
	"$(holds "$root" "$PWD/" && holds "$root" "$work")" ''
check "nothing is left to be filled in" "$(holds "$root" '@[A-Z_][A-Z_]*@')" ''
check "modes" "$(find "$root" ! -type l -printf '%m %y\n' | sort -u | tr '\n' ,)" \
	'644 f,755 d,755 f,'
check "the soname" libathanor.so.1 \
	"$(objdump -p "$root/usr/local/lib/libathanor.so" | awk '/SONAME/ { print $2 }')"
check "the program starts" "$("$root/usr/local/bin/users" --version | head -n 1)" 'users 1.0.0'
check "the migrations are those that the configuration speaks of" \
	"$(sed -n 's/^migrations = //p' "$root/etc/users/users.conf")" \
	/usr/local/share/users/migrations

# ---- again, elsewhere, and away -----------------------------------------------------------------

contents "$root" >"$work/first"
install_to "$root" install
check "a second time changes nothing" "$(contents "$root" | diff "$work/first" - 2>&1)" ''

echo 'workers = 7' >>"$root/etc/users/users.conf"
install_to "$root" install
check "a configuration that was changed stays" \
	"$(tail -n 1 "$root/etc/users/users.conf")" 'workers = 7'
install_to "$root" uninstall
check "what uninstall leaves: that" "$(files "$root")" ./etc/users/users.conf
check "and no directory of ours" "$(find "$root" -type d -name 'athanor*')" ''

install_to "$work/opt" install PREFIX=/opt/athanor
check "another PREFIX" \
	"$(cd "$work/opt/opt/athanor" && echo *)" 'bin etc include lib share'
check "then nothing speaks of the usual one" "$(holds "$work/opt/opt/athanor" /usr/local |
	grep -v '/share/man/\|/share/doc/\|/sysusers')" ''
check "but of this" "$(grep ExecStart= "$work/opt/opt/athanor/lib/systemd/system/users.service")" \
	'ExecStart=/opt/athanor/bin/users serve --config /opt/athanor/etc/users/users.conf'
install_to "$work/opt" uninstall PREFIX=/opt/athanor
check "all of it goes" "$(files "$work/opt")" ''

install_to "$work/lib" install LIBDIR=/usr/lib/x86_64-linux-gnu PREFIX=/usr
check "LIBDIR has the library, systemd its units" \
	"$(cd "$work/lib/usr/lib" && find . -name '*.so' -o -name '*.pc' -o -name '*.socket' |
		sort | xargs)" \
	'./systemd/system/users-status.socket ./systemd/system/users.socket'\
' ./x86_64-linux-gnu/libathanor.so ./x86_64-linux-gnu/pkgconfig/athanor-static.pc'\
' ./x86_64-linux-gnu/pkgconfig/athanor.pc'

mkdir -p "$work/other/usr/bin"
echo "who is here" >"$work/other/usr/bin/users"
make -s install BUILD="${BUILD:-build}" CC="$compiler" SAN="$sanitizer" DESTDIR="$work/other" \
	PREFIX=/usr >"$work/make.out" 2>&1
check "another program of that name stays" "$(cat "$work/other/usr/bin/users")" "who is here"
check_like "and that is said" "$(cat "$work/make.out")" \
	"*/usr/bin/users is another program: choose another BINDIR or PREFIX*"

if [ "$EUID" = 0 ] && setpriv --reuid nobody --regid nogroup --clear-groups test -w "$work"; then
	fail "nobody" "can write to $work" ''
fi
mkdir -m 777 "$work/nobody"
if [ "$EUID" = 0 ] && setpriv --reuid nobody --regid nogroup --clear-groups test -x "$PWD"; then
	setpriv --reuid nobody --regid nogroup --clear-groups make -s install \
		BUILD="${BUILD:-build}" CC="$compiler" SAN="$sanitizer" DESTDIR="$work/nobody/root" \
		>"$work/make.out" 2>&1
	check "as another user than root" "$? $(cat "$work/make.out")" '0 '
	check "he gets the same" "$(files "$work/nobody/root" | wc -l)" "$(wc -l <"$work/first")"
fi

# ---- manual pages -------------------------------------------------------------------------------

prefix=$work/prefix
install_to '' install PREFIX="$prefix"
man=$prefix/share/man
check "mandoc has nothing to say" \
	"$(mandoc -Tlint -W warning "$man"/man[157]/* "$man"/man3/athanor_*.3 2>&1)" ''
check "each function has a page" "$(nm -D --defined-only "$prefix/lib/libathanor.so" |
	awk '$3 ~ /^ath_/ { print $3 }' | while read -r name; do
		[ -e "$man/man3/$name.3" ] || echo "$name"
	done)" ''
check "and no page leads nowhere" "$(cd "$man" && sed -n 's/^\.so //p' man3/* | sort -u |
	while read -r page; do [ -e "$page" ] || echo "$page"; done)" ''
shown() { MANPAGER=cat MANWIDTH=80 man -M "$man" "$@" 2>&1 | col -b; }
check_like "man ath_commit" "$(shown ath_commit)" '*athanor_orm - models, queries and sessions*'
check_like "man 3 ATH_ROUTE" "$(shown 3 ATH_ROUTE)" '*athanor_web - routes, requests and*'
check_like "man athanor" "$(shown athanor)" '*ath_main(&app, argc, argv)*'
commands() { # as --help lists them: NAME ARGUMENTS
	"$program" --help | sed -nE '/^Commands:/,/^$/s/^  ([a-z]+) +(\[[^]]*\])?.*/\1 \2/p'
}
synopsis=$(shown 1 users | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p')
while read -r name arguments; do
	check_like "users(1): $name" "$synopsis" "*users $name ${arguments//[/\\[}*"
done < <(commands)
check_that "which are all" [ "$(commands | wc -l)" -ge 5 ]
all_options=$("$program" serve --print-config | awk '/^[a-z]/ { print $1 }')
pages=$(shown 1 users) pages_5=$(shown users.conf)
for option in $all_options; do
	check_like "users(1): $option" "$pages" "*--${option//_/-}*"
	[ "$option" = config ] ||
		check_like "users.conf(5): $option" "$pages_5" "*[[:space:]]$option*=*"
done
metrics=$("$program" help metrics | grep -o '^| `athanor_[a-z_]*' | cut -c 4-)
check_that "there are metrics" [ "$(wc -w <<<"$metrics")" -gt 20 ]
for metric in $metrics; do
	check_like "users(1): $metric" "$pages" "*$metric (*)*"
done

# ---- a second application ------------------------------------------------------------------------

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
check "pkg-config: the files are good" "$(pkg-config --validate athanor athanor-static 2>&1)" ''
check "and have the version" "$(pkg-config --modversion athanor)" 1.0.0
install_to "$work/sysroot" install
check_like "a sysroot" "$(PKG_CONFIG_PATH=$work/sysroot/usr/local/lib/pkgconfig \
	PKG_CONFIG_SYSROOT_DIR=$work/sysroot pkg-config --cflags --libs athanor | xargs)" \
	"-I$work/sysroot/usr/local/include/athanor *-L$work/sysroot/usr/local/lib -lathanor"

mkdir "$work/second"
cp -r tests/e2e/second/* "$work/second"
chmod -R a+rX "$work"
# what another who has only this would type
build_second() { # MODULE PROGRAM
	(
		cd "$work/second" || exit
		# shellcheck disable=SC2046
		$compiler -std=c17 -Wall -Wextra -Werror ${sanitizer:+-fsanitize=address,undefined} \
			books.c $(pkg-config --cflags --libs "$1") -o "$2"
	) 2>&1
}
check "cc books.c with athanor" "$(build_second athanor shared)" ''
check "and with athanor-static" "$(build_second athanor-static static)" ''
sed -n '/^\.nf$/,/^\.fi$/{ /^\.[nf]/d; s/\\e/\\/g; p }' "$man/man7/athanor.7" >"$work/second/notes.c"
# shellcheck disable=SC2046
check "and what athanor(7) shows" "$(cd "$work/second" &&
	$compiler -std=c17 -Wall -Wextra -Werror ${sanitizer:+-fsanitize=address,undefined} notes.c \
		$(pkg-config --cflags --libs athanor) -o notes 2>&1 && ./notes --version | head -n 1)" \
	'notes 1.0.0'
libraries() { readelf -d "$1" | awk '/NEEDED/ { print $NF }' | grep -c libathanor.so.1; }
check "one needs the library" "$(libraries "$work/second/shared")" 1
check "one has it in it" "$(libraries "$work/second/static")" 0
g++ -x c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only \
	-I"$prefix/include/athanor" - <<<'#include <athanor.h>' >"$work/cxx.out" 2>&1
check "the headers alone, as C++" "$(cat "$work/cxx.out")" ''

start_front
export DATABASE_URL=$database ATHANOR_MIGRATIONS=$work/second/migrations
for kind in shared static; do
	books=$work/second/$kind
	check "$kind: migrate" "$("$books" migrate 2>&1)" 20260101000000_books.sql
	"$books" serve --listen "unix:$run/app.sock" --listen-mode 0666 2>>"$work/books.log" \
		</dev/null &
	worker=$!
	within "$patience" answers /-/ready 200 || fail "$kind: ready" "$status" 200
	row POST /books '{"isbn":"9780131103627","title":"The C Programming Language","year":1988}' \
		201 '"id":1,' 'H:Location: /books/1'
	row POST /books '{"isbn":"9780131103627","title":"Again","year":1988}' 409 "$(at /isbn)"
	row POST /books '{"isbn":"1","title":"","year":1000,"of":2}' 422 "$(at /isbn)" "$(at /title)" \
		"$(at /year)" "$(at /of)"
	row GET '/books?title=programming' '' 200 '"title":"The C Programming Language"'
	row POST /books/1/loan '' 204
	row POST /books/1/loan '' 409
	row GET /books/1 '' 200 '"lent":true'
	row GET /books/2 '' 404
	kill -TERM "$worker"
	ended
	check "$kind: its end" "$code" 0
	check "$kind: migrate down" "$("$books" migrate down 2>&1)" 20260101000000_books.sql
done
finish
