#!/bin/bash
# pages.sh PROGRAM VERSION DIRECTORY - all manual pages, under DIRECTORY/man1 and so on, and an
# example of the configuration file.
#
# Those of section 3 are made of the public headers (header.awk), and each name in one leads to it.
# What options and metrics there are the program says itself: that goes to where a page has a line
# "@OPTIONS@" or "@METRICS@".
set -euo pipefail
program=$1 version=$2 top=$3
mkdir -p "$top"
work=$(mktemp -d "$top/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
rm -rf "$top"/man?
mkdir -p "$top"/man{1,3,5,7}

day() { date -u -r "$1" +%Y-%m-%d; } # when a page last changed
page() { # FILE TO [OPTIONS]
	sed "s|@VERSION@|$version|g; s|@DAY@|$(day "$1")|g
		/^@OPTIONS@\$/{
			r ${3-/dev/null}
			d
		}
		/^@METRICS@\$/{
			r $work/metrics
			d
		}" "$1" >"$2"
}
pages_of_header() { # HEADER
	local name title
	title=athanor_$(basename "$1" .h)
	: >"$work/aliases"
	awk -v title="$title" -v version="$version" -v day="$(day "$1")" -v aliases="$work/aliases" \
		-f lib/man/header.awk "$1" >"$top/man3/$title.3"
	while read -r name; do
		echo ".so man3/$title.3" >"$top/man3/$name.3"
	done <"$work/aliases"
}

"$program" --print-options=man >"$work/flags"
"$program" help metrics | awk -f lib/man/metrics.awk >"$work/metrics"
awk -v form=file -f lib/man/options.awk "$work/flags" >"$work/lines"
awk -v form=example -f lib/man/options.awk app/deploy/users.conf.in "$work/flags" \
	>"$top/users.conf.in"
page app/man/users.1 "$top/man1/users.1" "$work/flags"
page app/man/users.conf.5 "$top/man5/users.conf.5" "$work/lines"
page lib/man/athanor.7 "$top/man7/athanor.7"
for header in $("${CC:-cc}" -MM -Ilib lib/athanor.h); do
	[[ $header != lib/*/*.h ]] || pages_of_header "$header"
done
