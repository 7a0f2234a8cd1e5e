#!/bin/bash
# Nothing is lost: rolling reloads and new binaries, a hundred of each, binaries that are broken,
# and workers that are killed, all under the load of releases.c through nginx. Each of its requests
# has to be answered with what it asked for, and each POST that was acknowledged is stored once and
# no other is. Only where a worker is killed may requests fail: those inside it, and visibly.
#
# Everything is as in production.conf, but for nginx' keeping of connections: its times are a tenth,
# so that a worker which leaves has left in a second, and a hundred releases fit into a test.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

rounds=100 kill_rounds=3
! is_sanitized || rounds=20 kill_rounds=1
readonly workers=4 connections=32 rate=1000 # requests a second

# ---- the program, in two versions --------------------------------------------------------------

# Each answer says by which of them it was made.
cat >"$work/application.c" <<-'C'
	#include "app.c"
	#include "models.c"
	#include "posts.c"
	#include "users.c"

	static struct ath_response *mark(struct ath_request *req, struct ath_response *response)
	{
		(void)req;
		ath_response_header(response, "X-Version", VERSION);
		return response;
	}

	int main(int argc, char **argv)
	{
		struct ath_app versioned = app;

		versioned.version = VERSION;
		versioned.after = mark;
		return ath_main(&versioned, argc, argv);
	}
C
load_program=$work/load program=$work/bin/users
mkdir "$work/bin"
for version in 1 2; do
	compile "$work/users.$version" "$work/application.c" -Iapp "-DVERSION=\"$version\"" ||
		cat "$work/users.$version.log"
done
compile "$load_program" tests/e2e/releases.c || cat "$load_program.log"
# As a package manager does it: the file is never half there, and the old one lives while it runs.
install_program() { # FILE
	cp "$1" "$program.new" && chmod 755 "$program.new" && mv "$program.new" "$program"
}
install_program "$work/users.1"
export WORKER_PROGRAM=$program

# ---- the load ----------------------------------------------------------------------------------

# begin_load NAME: its posts have titles that begin with it
begin_load() {
	name=$1 told=0
	"$load_program" load "$(cat "$run/port")" "$connections" "$rate" "$work/$name" \
		>"$work/$name.out" &
	load=$!
	within "$patience" exists "$work/$name.failures" || fail "the load" none some
	go_on 1
}
exists() { [ -e "$1" ]; }
# tell: sets requests, failures and slowest to what they were since the last time
tell() {
	local line
	told=$((told + 1))
	kill -USR1 "$load"
	within "$patience" has_told "$told"
	line=$(sed -n "${told}p" "$work/$name.out")
	read -r _ requests _ _ _ failures _ _ _ slowest <<<"$line"
	all=$((all + requests))
}
has_told() { (($(wc -l <"$work/$name.out") >= $1)); }
all=0
goes_on() {
	tell
	((all >= $1))
}
# go_on COUNT: so many more requests are answered
go_on() { within "$patience" goes_on $((all + $1)) || fail "the load goes on" "$all" "$1 more"; }
end_load() {
	kill -TERM "$load"
	wait "$load" || fail "the load of $name" "$?" 0
	read -r _ _ requests _ posts _ failures _ slow _ slowest < <(tail -n 1 "$work/$name.out")
	all=0
	query "select id || ' ' || title from posts where title like '$name.%'" |
		sort >"$work/stored"
	sort "$work/$name.acknowledged" >"$work/acknowledged"
	sort "$work/$name.unknown" >"$work/unknown"
}
# How the requests of the last load failed, each kind once.
kinds() { sed 's/:.*//' "$work/$name.failures" | sort -u; }
nothing_lost() {
	check "$name: every request is answered" \
		"$failures $(head -n 3 "$work/$name.failures")" '0 '
	check "$name: what is stored was acknowledged, and the other way round" \
		"$(comm -3 "$work/stored" "$work/acknowledged" | head -n 3)" ''
	check "$name: no POST was forgotten" "$(wc -l <"$work/stored")" "$posts"
}

# ---- the master --------------------------------------------------------------------------------

masters=0 log=$run/worker.log # of the one that runs
start_master() { # [NAME=VALUE...]
	local start=$EPOCHREALTIME
	masters=$((masters + 1)) log=$work/master$masters.log
	env DATABASE_URL="$database" ATHANOR_WORKERS="$workers" \
		ATHANOR_LISTEN="unix:$run/app.sock" ATHANOR_LISTEN_MODE=0666 "$@" \
		"$program" serve 2>>"$log" </dev/null &
	master=$!
	"$load_program" first "$(cat "$run/port")" /users/1 ||
		fail "a master" "no answer" "$(tail -n 5 "$log")"
	took=$(milliseconds_since "$start")
}
stop_master() {
	kill -TERM "$master"
	within "$patience" gone "$master" || { fail "TERM ends the master" "it runs" "it ends" &&
		kill -KILL "$master"; }
	wait "$master" 2>/dev/null
}
milliseconds_since() { # EPOCHREALTIME
	awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", (to - from) * 1000 }'
}
median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }
serving() { pgrep -P "$master" | sort; } # the workers, those that leave as well
# Of those that accept: on a connection that was not kept (see nginx.conf below).
version() {
	request GET /users/1 ''
	header X-Version
}
is_version() { [ "$(version)" = "$1" ]; }
# has_logged COUNT TEXT
has_logged() { (($(grep -c "$2" "$log") >= $1)); }
readonly renewed='"reload ended"' refused='"the upgrade is refused'

# release SIGNAL COUNT: one after the other, each waited for until the log says that it has ended
release() {
	local i start before
	before=$(grep -c "$renewed" "$log")
	for ((i = 1; i <= $2; i++)); do
		[ "$1" = HUP ] || install_program "$work/users.$((i % 2 + 1))"
		start=$EPOCHREALTIME
		kill "-$1" "$master"
		if ! within "$patience" has_logged $((before + i)) "$renewed"; then
			fail "$1 number $i" "$(tail -n 3 "$log")" "$renewed"
			break
		fi
		milliseconds_since "$start" >>"$work/$name.ms" && echo >>"$work/$name.ms"
		[ "$1" = HUP ] || check_that "$1 number $i: the new one serves" \
			within "$patience" is_version $((i % 2 + 1))
	done
	go_on 20
}
# Each worker has four connections for writes: when nine wait for a lock, three workers have some.
hold_posts() {
	hold 'do $$ begin perform from users where id = 1 for update; end $$'
	within "$patience" many_wait || fail "posts that wait" few many
}
many_wait() {
	(($(query "select count(*) from pg_stat_activity where wait_event_type = 'Lock'") >= 9))
}
# release_held SIGNAL: two more, which leave posts in flight behind. A worker that is asked to leave
# twice gives these up, and a master that was just executed must know whom the old one has asked.
release_held() {
	local i before
	before=$(grep -c "$renewed" "$log")
	begin_load "held$1"
	hold_posts
	for i in 1 2; do
		kill "-$1" "$master"
		check_that "$1 does not wait for what is in flight" \
			within "$patience" has_logged $((before + i)) "$renewed"
	done
	let_go
	go_on 100
	end_load
	nothing_lost
}
measured() {
	printf '%s: %d requests, %d slower than 50 ms, the slowest %.1f ms; %s ms each (median)\n' \
		"$name" "$requests" "$slow" "$(awk -v us="$slowest" 'BEGIN { print us / 1000 }')" \
		"$(median <"$work/$name.ms")"
}

export ATHANOR_WORKERS=$workers
start_stack
unset ATHANOR_WORKERS
query "insert into users (name, email) select 'Many', 'many' || i || '@example.org'
	from generate_series(1, 300) i" >/dev/null
nginx=$(cat "$run/nginx.pid")
old=$(pgrep -P "$nginx")
sed -i -e '/keepalive_time /d' \
	-e 's/keepalive_timeout 1s;/keepalive_timeout 100ms; keepalive_time 1s;/' \
	-e "s|location / {|location = /users/1 {\n\
			include fastcgi_athanor.conf;\n\
			fastcgi_pass unix:$run/app.sock;\n\
		}\n&|" "$run/nginx.conf"
kill -HUP "$nginx"
for pid in $old; do
	within "$patience" gone "$pid" || fail "nginx reads its configuration" "$pid stays" gone
done

# ---- 100 reloads, of the stack's own master, which has its socket from spawn-fcgi ---------------

master=$(cat "$run/worker.pid")
begin_load reloads
release HUP "$rounds"
end_load
nothing_lost
measured
release_held HUP
check_that "the same master" kill -0 "$master"
kill -TERM "$master"
check_that "TERM ends the stack's master" within "$patience" gone "$master"
rm -f "$run/app.sock"

# ---- 100 new binaries, of a master with a socket of its own --------------------------------------

start_master
echo "start to first answer: $took ms"
check "it is the first version" "$(version)" 1
begin_load upgrades
release USR2 "$rounds"
end_load
nothing_lost
measured
release_held USR2
check_that "the same master" kill -0 "$master"

# ---- many at once: none waits for the one before -------------------------------------------------

begin_load hasty
for ((i = 1; i <= rounds / 2; i++)); do
	install_program "$work/users.$((RANDOM % 2 + 1))"
	kill "-$(shuf -n 1 -e HUP USR2)" "$master"
	go_on $((RANDOM % 100))
done
install_program "$work/users.2"
kill -USR2 "$master"
kill -HUP "$master"
check_that "the last one is served in the end" within "$patience" is_version 2
# Where nothing leaves any more there are as many workers as there have to be.
is_whole() { (($(serving | wc -l) == workers)); }
check_that "those before have left" within "$patience" is_whole
end_load
nothing_lost

# ---- binaries that are broken --------------------------------------------------------------------

stop_master
install_program "$work/users.1"
start_master ATHANOR_START_TIMEOUT=5s
begin_load broken
before=$(serving)
# refuse NAME: with the program as it is now
times=0
refuse() {
	times=$((times + 1))
	kill -USR2 "$master"
	check_that "$1 is refused, and that is logged" \
		within "$patience" has_logged "$times" "$refused"
	go_on 50
	check "$1: the old one goes on, in the same processes" "$(version) $(serving)" "1 $before"
}
printf '#!/bin/sh\nexit 1\n' >"$work/broken"
install_program "$work/broken" && refuse "a binary that fails"
printf '#!/bin/sh\nexec sleep 3600\n' >"$work/broken"
install_program "$work/broken" && refuse "a binary that hangs"
printf '\177ELFnonsense' >"$work/broken"
install_program "$work/broken" && refuse "a binary that is none"
rm "$program" && refuse "no binary at all"
install_program "$work/users.2"
kill -USR2 "$master"
check_that "one that works is taken after that" within "$patience" is_version 2
end_load
nothing_lost
stop_master

# ---- workers that are killed ---------------------------------------------------------------------

# Not the same as before, and as many as there have to be.
is_replaced() { is_whole && ! serving | grep -qx "$1"; }
replaced() { check_that "a killed worker is replaced" within "$patience" is_replaced "$1"; }
kill_and_wait() {
	local pid
	pid=$(serving | shuf -n 1)
	kill -KILL "$pid"
	replaced "$pid"
	go_on 100
}
# Two that die have one at least of those that wait.
kill_two_with_posts() {
	local pids
	hold_posts
	mapfile -t pids < <(serving | shuf -n 2)
	kill -KILL "${pids[@]}"
	let_go
	for pid in "${pids[@]}"; do replaced "$pid"; done
}

install_program "$work/users.1"
# A master each, which ten deaths within a minute would end.
for ((round = 1; round <= kill_rounds; round++)); do
	start_master
	within "$patience" is_whole || fail "workers" "$(serving)" "$workers"
	begin_load "kills$round"
	for i in {1..7}; do kill_and_wait; done
	kill_two_with_posts
	go_on 100
	end_load
	check_that "$name: what was inside fails" test "$failures" -gt 0
	check_that "$name: and nothing else" test "$failures" -le $((9 * connections))
	check "$name: visibly" "$(kinds | grep -vE '^(502|cut short)$')" ''
	check "$name: every acknowledged POST is stored" \
		"$(comm -13 "$work/stored" "$work/acknowledged" | head -n 3)" ''
	check "$name: and besides only such whose end is not known" \
		"$(comm -23 "$work/stored" "$work/acknowledged" | cut -d ' ' -f 2 | sort |
			comm -23 - "$work/unknown" | head -n 3)" ''
	check "$name: none twice" "$(cut -d ' ' -f 2 "$work/stored" | uniq -d | head -n 3)" ''
	begin_load "after$round"
	go_on 100
	end_load
	nothing_lost
	stop_master
done
finish
