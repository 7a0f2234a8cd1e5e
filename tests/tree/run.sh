#!/bin/bash
# What the tree itself promises: headers that stand alone, the direction of includes, the
# symbols of the library, the entries at the top, the README's code, the form of the files.
#
# BUILD (build) is where the library was built, without sanitizers.
#
# The C blocks of README.md say where they belong (readme.awk). All of them together are one
# program, but for the application's test: with -Ilib and -Iapp each .c file compiles, and when one
# has a main() they link with libathanor.a. tests/e2e/test_readme.sh runs both.
set -uo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C
build=${BUILD:-build}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
exec 2>"$dir/errors" # a check that breaks must not look like one that found nothing
passed=0 failed=0

# check NAME [FILE]: passes when FILE ($dir/found when not given) is empty, else shows it
check() {
	if [ -s "${2:-$dir/found}" ]; then
		failed=$((failed + 1))
		echo "$1:"
		sed 's/^/  /' "${2:-$dir/found}"
	else
		passed=$((passed + 1))
	fi
}

# ---- public headers: each alone, twice, as C17 and as C++17 -----------------------------------

# ROOM/HEADER, one a line: what lib/athanor.h includes, and what these include in turn
public_headers() {
	local new=athanor.h all='' header
	while [ -n "$new" ]; do
		all="$all $new"
		new=$(for header in $new; do
			sed -n 's/^#include "\(.*\)"$/\1/p' "lib/$header"
		done | sort -u | grep -vxF "$(tr ' ' '\n' <<<"$all")")
	done
	tr ' ' '\n' <<<"$all" | sed '/^$/d' | sort -u
}

alone() { # COMPILER LANGUAGE STANDARD HEADER
	printf '#include "%s"\n#include "%s"\nextern int something;\n' "$4" "$4" >"$dir/alone"
	"$1" -x "$2" -std="$3" -Wall -Wextra -Wpedantic -Werror -Ilib -fsyntax-only \
		"$dir/alone" >"$dir/found" 2>&1
	check "lib/$4 alone, $1 -std=$3"
}

for header in $(public_headers); do
	alone gcc c c17 "$header"
	alone clang c c17 "$header"
	alone g++ c++ c++17 "$header"
	command -v clang++ >"$dir/path" && alone clang++ c++ c++17 "$header"
done
# what an application declares with them, too
for header in app/*.h; do
	g++ -x c++ -std=c++17 -Wall -Wextra -Werror -Ilib -fsyntax-only "$header" \
		>"$dir/found" 2>&1
	check "$header alone, g++ -std=c++17"
done

# ---- who includes whom ------------------------------------------------------------------------

# FILE:LINE, tab, <, or ", tab, header
includes() {
	awk -v OFS='\t' '/^[ \t]*#[ \t]*include/ {
			mark = match($0, /[<"]/) ? substr($0, RSTART, 1) : "?"
			name = substr($0, RSTART + 1)
			sub(/[>"].*/, "", name)
			print FILENAME ":" FNR, mark, name
		}' "$@"
}

# A room may include itself and what lies below it.
includes lib/*.h lib/*/*.[ch] | awk -F'\t' '
	BEGIN {
		below["base"] = " "
		below["loop"] = " base "
		below["db"] = " loop base "
		below["orm"] = " db loop base "
		below["web"] = " loop base "
		below["rest"] = " orm web db loop base "
		below["serve"] = " rest orm web db loop base "
	}
	{
		split($1, part, "/")
		split($3, wanted, "/")
		room = part[2]; target = wanted[1]
		if ($2 == "?")
			print $1 ": an include that is neither <> nor \"\""
		else if (room ~ /^athanor\.h/ ? $3 ~ /internal\.h$/ : !(room in below))
			print $1 ": " $3 ": a room that has no place in the order"
		else if ($2 == "\"" && !(target in below))
			print $1 ": \"" $3 "\" is in no room"
		else if ($2 == "\"" && room in below && room != target &&
			 !index(below[room], " " target " "))
			print $1 ": " room " must not include " $3
	}' >"$dir/found"
check "include direction in lib"

public_headers | while read -r header; do
	includes "lib/$header" | awk -F'\t' '$3 ~ /(^|\/)internal\.h$/ { print $1 ": " $3 }'
done >"$dir/found"
check "public headers that include an internal.h"

own=$(cd app && echo *.h)
includes app/*.[ch] | awk -F'\t' -v own=" $own " '
	!($2 == "<" && $3 == "athanor.h") && !($2 == "\"" && index(own, " " $3 " ")) {
		print $1 ": an application includes <athanor.h> and its own headers, not " $3
	}' >"$dir/found"
check "includes in app"

# Behind <> stand C, POSIX and Linux, for everyone, and foreign libraries, each for one file.
includes lib/*.h lib/*/*.[ch] | awk -F'\t' '
	BEGIN {
		known = " assert ctype errno fenv float inttypes iso646 limits locale math" \
			" setjmp signal spawn stdalign stdarg stdatomic stdbool stddef stdint stdio" \
			" stdlib stdnoreturn string tgmath time uchar wchar wctype" \
			" arpa/inet dirent endian fcntl fnmatch getopt glob grp linux/futex" \
			" linux/netlink linux/sock_diag linux/unix_diag netdb" \
			" netinet/in netinet/tcp poll pthread pwd regex sched semaphore strings" \
			" sys/epoll sys/eventfd sys/file sys/inotify sys/ioctl sys/mman sys/prctl sys/random" \
			" sys/resource sys/select sys/sendfile sys/signalfd sys/socket sys/stat" \
			" sys/syscall sys/time sys/timerfd sys/types sys/uio sys/un sys/wait" \
			" syslog termios ucontext unistd "
		home["libpq-fe.h"] = "lib/db/postgresql.c"
		home["cjson/cJSON.h"] = "lib/web/json.c"
		home["fcgiapp.h"] = "lib/web/fcgx.c"
		home["fastcgi.h"] = "lib/web/fcgi_records.c"
		home["emmintrin.h"] = "lib/base/json_text.c"
		home["valgrind/valgrind.h"] = "lib/loop/fiber.c"
		home["sanitizer/common_interface_defs.h"] = "lib/loop/fiber.c"
	}
	$2 == "<" {
		file = $1; sub(/:[0-9]+$/, "", file)
		name = $3; sub(/\.h$/, "", name)
		if ($3 in home && file != home[$3])
			print $1 ": <" $3 "> is known to " home[$3] " only"
		if (!($3 in home) && !index(known, " " name " "))
			print $1 ": <" $3 "> is foreign: give it one file, and a line in this test"
	}' >"$dir/found"
check "foreign headers"

# ---- symbols -----------------------------------------------------------------------------------

objects=()
for source in lib/*/*.c; do
	object=$build/${source%.c}.o
	if [ -e "$object" ]; then
		objects+=("$object")
	else
		echo "$object: run make first"
	fi
done >"$dir/missing"
[ -e "$build/libathanor.so" ] || echo "$build/libathanor.so: run make first" >>"$dir/missing"
check "the build" "$dir/missing"

# of_objects COMMAND...: what it says of each object, behind the object's source and a tab
of_objects() {
	local object
	for object in "${objects[@]}"; do
		"$@" "$object" | sed "s|^|${object#"$build"/}	|"
	done
}

symbols() {
	nm -D --defined-only "$build/libathanor.so" | awk '{ print $3 }' | sort >"$dir/exported"
	grep -v '^ath_' "$dir/exported" >"$dir/found"
	check "exported symbols that do not start with ath_"

	# Between the visibility that ATH_API is and the semicolon stands one declaration; its name
	# is the first ath_ that an opening parenthesis follows, or, of an object, the last word.
	gcc -E -P -Ilib lib/athanor.h | tr '\n' ' ' | tr ';' '\n' |
		sed -n 's/.*visibility("default")//p' |
		awk 'match($0, /ath_[a-z0-9_]+ *\(/) || match($0, /ath_[a-z0-9_]+ *$/) {
				name = substr($0, RSTART, RLENGTH)
				sub(/ *\(?$/, "", name)
				print name
			}' | sort -u >"$dir/declared"
	{
		comm -13 "$dir/declared" "$dir/exported" | sed 's/$/: exported, and not in athanor.h/'
		comm -23 "$dir/declared" "$dir/exported" | sed 's/$/: in athanor.h, and not exported/'
		[ -s "$dir/declared" ] || echo "no ATH_API was found"
	} >"$dir/found"
	check "exported symbols and ATH_API"

	# A static archive hides nothing.
	of_objects nm -g --defined-only | awk '$NF !~ /^ath_/ { print $1 ": " $NF }' >"$dir/found"
	check "global symbols that do not start with ath_"

	of_objects nm -u | awk '{ print $1, $3 }' | sed 's/@.*//' >"$dir/used"
	awk '$2 ~ /^(exit|_exit|_Exit|quick_exit|abort|__assert_fail|__assert|err|errx|verr|verrx)$/ {
			print $1 ": " $2
		}' "$dir/used" >"$dir/found"
	check "lib never ends the process"

	# The command line is what prints. (__printf_chk and the like: what _FORTIFY_SOURCE makes of it)
	awk '$1 != "lib/serve/main.o" {
			name = $2
			sub(/^__/, "", name); sub(/_chk$/, "", name); sub(/_unlocked$/, "", name)
			if (name ~ /^(v?f?w?printf|v?dprintf|puts|fputs|putw?c|putw?char|fputw?c|fwrite)$/ ||
			    name ~ /^(fputws|perror|psignal|psiginfo|stdin|stdout|stderr|_IO_putc|warnx?)$/)
				print $1 ": " $2
		}' "$dir/used" >"$dir/found"
	check "lib prints nothing"

	# Objects in sections that can be written to after the start: all state lives in handles.
	#	lib/loop/fiber.o current: which fiber runs is a fact of the thread
	#	lib/loop/offload.o running: and so is which job does
	of_objects objdump -t | awk -F'\t' '
		{
			# source, tab, address, flags in 7 columns, section, tab, size, name
			flags = substr($2, index($2, " ") + 1, 7)
			section = substr($2, index($2, " ") + 9)
			words = split($3, word, " ")
			object = flags ~ /O/ || (section ~ /^\.t/ && section !~ /^\.text/)
			if (object && flags !~ /d/ && section !~ /^\.data\.rel\.ro/ &&
			    (section ~ /^\.(t?data|t?bss)/ || section == "*COM*"))
				print $1 ": " word[words]
		}' | grep -vE '^lib/loop/(fiber\.o: current|offload\.o: running)$' \
		>"$dir/found"
	check "state outside the handles"
}
[ -s "$dir/missing" ] || symbols

# ---- the top -------------------------------------------------------------------------------------

for entry in *; do
	case $entry in
	app | lib | sql | nginx | tests | Makefile | README.md) ;;
	build) ;; # what make makes
	*) echo "$entry" ;;
	esac
done >"$dir/found"
check "entries that do not belong at the top"

# ---- the README's code ---------------------------------------------------------------------------

mkdir "$dir/readme"
: >"$dir/found"
[ -e README.md ] || echo "README.md is not there" >"$dir/found"
[ -e README.md ] && awk -v dir="$dir/readme/" -f tests/tree/readme.awk README.md >"$dir/found"
check "the C blocks of README.md"

for file in "$dir"/readme/*.c; do
	[ -e "$file" ] || continue
	for compiler in clang gcc; do
		$compiler -std=c17 -Wall -Wextra -Werror -Ilib -Iapp -c -o "${file%.c}.o" "$file" \
			>"$dir/found" 2>&1
		check "README.md: ${file##*/} compiles, $compiler"
	done
done
rm -f "$dir"/readme/test_*
if grep -qsE '^int main\(' "$dir"/readme/*.c; then
	{
		gcc -pthread -o "$dir/readme/program" "$dir"/readme/*.o "$build/libathanor.a" \
			$(pkg-config --libs libpq libcjson fcgi) -lm
	} >"$dir/found" 2>&1
	check "README.md: its program links"
fi

# What the program says of its options and its metrics is in the README word by word.
for document in --print-options=markdown "help metrics"; do
	# shellcheck disable=SC2086
	"$build/users" $document 2>&1 | grep '^|' | grep -vxFf README.md >"$dir/found"
	check "README.md lacks, of users $document"
done

# ---- the form of the files -----------------------------------------------------------------------

# Tabs are 8 columns wide, a character of UTF-8 is one.
find app lib tests -name '*.[ch]' -exec awk '
	{
		width = 0
		line = $0
		gsub(/[\200-\277]/, "", line)
		count = split(line, part, "\t")
		for (i = 1; i < count; i++)
			width += length(part[i]) + 8 - (width + length(part[i])) % 8
		width += length(part[count])
		if (width > 100)
			print FILENAME ":" FNR ": " width " columns"
	}' {} + | sort -t: -k1,1 -k2,2n >"$dir/found"
check "lines of C above 100 columns"

# Behind the #! of a script.
find app lib sql nginx tests Makefile -type f \( -name '*.[ch]' -o -name '*.sh' -o \
	-name '*.sql' -o -name '*.conf' -o -name '*.in' -o -name Makefile \) -exec awk '
	FNR == 1 && /^#!/ { next }
	!(FILENAME in seen) {
		seen[FILENAME]
		if ($0 !~ /^(\/\*|#( |$)|--)/)
			print FILENAME ": does not start with a comment"
	}' {} + | sort >"$dir/found"
check "files that start with a comment"

check "the checks themselves" "$dir/errors"
echo "tree: $passed passed, $failed failed"
[ "$failed" = 0 ]
