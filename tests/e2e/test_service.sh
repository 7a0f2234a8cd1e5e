#!/bin/bash
# A master among the services of a machine: sockets that systemd and spawn-fcgi hand over, those it
# makes itself, another user, what the service manager is told, and logs that are moved away.
# shellcheck source=tests/e2e/fleet.sh
. "$(dirname "$0")/fleet.sh"

# ---- sockets that are made -----------------------------------------------------------------

free_port() {
	until port=$((20000 + RANDOM % 10000)) && ! (exec 3<>"/dev/tcp/127.0.0.1/$port"); do :; done
}
connects() { (exec 3<>"/dev/tcp/$1/$2"); } # HOST PORT
free_port 2>/dev/null
started 1 "ATHANOR_LISTEN=127.0.0.1:$port"
check_that "a port is listened on" connects 127.0.0.1 "$port" 2>/dev/null
run "ATHANOR_LISTEN=127.0.0.1:$port"
check_like "a port that is taken" "$code $err" "1 fleet: listen: 127.0.0.1:$port: another server*"
end
check_that "nobody listens there any more" eval '! connects 127.0.0.1 $port' 2>/dev/null
if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
	started 1 "ATHANOR_LISTEN=[::1]:$port"
	check_that "an address of IPv6" connects ::1 "$port" 2>/dev/null
	end
fi

mode_of() { stat -c '%a %G' "$run/app.sock"; }
started 1 ATHANOR_LISTEN_MODE=0600
check "a mode" "$(mode_of)" "600 $(id -gn)"
end
if [ "$EUID" = 0 ]; then
	started 1 ATHANOR_LISTEN_MODE=0660 ATHANOR_LISTEN_GROUP=www-data
	check "a group" "$(mode_of)" '660 www-data'
	check_that "nginx may connect" within "$patience" at_work
	end
fi
run ATHANOR_LISTEN_GROUP=no-such-group
refused "no such group" 2 'listen-group: there is no group "no-such-group"'
run ATHANOR_LISTEN="unix:$work/nowhere/app.sock"
refused "no such directory" 1 'listen: *make its directory first'
touch "$work/file"
run ATHANOR_LISTEN="unix:$work/file"
refused "a file" 1 "listen: $work/file is there and is no socket*"
check_that "it is still there" there "$work/file"
run ATHANOR_LISTEN="unix:$run/$(repeat 100 s).sock"
refused "a path that is too long" 2 '*: the path of a unix socket has *107 bytes*'
run ATHANOR_LISTEN=nonsense
check_like "no address" "$code $err" '2 fleet: *'

# ---- sockets that are given ------------------------------------------------------------------

unset ATHANOR_LISTEN
: >"$log"
spawn-fcgi -n -s "$run/app.sock" -M 0666 -- "$program" serve >/dev/null 2>>"$log" </dev/null &
master=$!
within "$patience" serves 1 || fail "spawn-fcgi" "$(<"$log")" "a worker"
check_that "spawn-fcgi's socket is served" within "$patience" at_work 1
cp "$work/fleet2" "$work/new" && mv "$work/new" "$program"
kill -USR2 "$master"
check_that "after an upgrade, too" within "$patience" at_work 2
end
check_that "what was given is left alone" there "$run/app.sock"
rm "$run/app.sock"
ATHANOR_LISTEN=unix:$work/other.sock timeout "$patience" \
	spawn-fcgi -n -s "$run/app.sock" -- "$program" serve >"$work/out" 2>"$work/err" </dev/null
check_like "two sockets" "$? $(sed '/ASan doesn.t/d' "$work/err")" '2 fleet: two sockets: one was given, and listen is unix:*'
rm "$run/app.sock"

if command -v systemd-socket-activate >/dev/null; then
	: >"$log"
	systemd-socket-activate -l "$run/app.sock" -l "$run/status.sock" --fdname=web:status \
		-E "DATABASE_URL=$DATABASE_URL" -E ATHANOR_CORE_DUMPS=on -E "FLEET_START=$work/how" \
		"$program" serve >/dev/null 2>>"$log" </dev/null &
	master=$!
	within "$patience" there "$run/app.sock" || fail "systemd's socket" none one
	chmod 666 "$run/app.sock" # systemd-socket-activate has no option for it
	check_that "systemd's socket is served" within "$patience" at_work
	within "$patience" serves 1 || fail "systemd" "$(<"$log")" "a worker"
	check "with a status process" \
		"$(for pid in $(children "$master"); do cat "/proc/$pid/comm"; done | sort)" \
		$'fleet: status\nfleet: worker 1'
	kill -USR2 "$master"
	says '"reload ended"'
	check_that "after an upgrade, too" within "$patience" at_work
	end
	check_that "what was given is left alone" there "$run/app.sock"
	rm "$run"/*.sock
fi
for wrong in 'LISTEN_FDS=0' 'LISTEN_FDS=many' 'LISTEN_FDS=1'; do
	# the shell's number is the program's
	# shellcheck disable=SC2016
	env "$wrong" timeout "$patience" sh -c 'LISTEN_PID=$$ exec "$0" serve' "$program" \
		>"$work/out" 2>"$work/err" </dev/null
	check_like "$wrong" "$? $(sed '/ASan doesn.t/d' "$work/err")" '2 fleet: LISTEN_FDS*'
done
export ATHANOR_LISTEN=unix:$run/app.sock

# ---- another user ------------------------------------------------------------------------------

if [ "$EUID" = 0 ]; then
	mkdir "$work/logs" && chmod 777 "$work/logs" "$work" "$run"
	log=$work/logs/errors
	started 2 ATHANOR_USER=www-data "ATHANOR_PID_FILE=$work/pid" "ATHANOR_LOG_FILE=$log"
	ids=$(id -u www-data) groups=$(id -G www-data)
	for pid in "$master" $(workers); do
		check "the user of $pid" "$(of "$pid" Uid)" "$ids $ids $ids $ids"
		check "the group of $pid" "$(of "$pid" Gid)" "$ids $ids $ids $ids"
		check "all groups of $pid" "$(of "$pid" Groups)" "$groups "
	done
	check "of whom the socket is" "$(stat -c '%U %G' "$run/app.sock")" 'www-data www-data'
	check "and the pid file" "$(stat -c %U "$work/pid")" www-data
	check "and the log" "$(stat -c %U "$log")" www-data
	check_that "it answers" within "$patience" at_work
	: >"$log"
	kill -USR2 "$master"
	says '"reload ended"'
	check_that "an upgrade needs no root" within "$patience" at_work
	check_that "so many workers" within "$patience" number_of_workers 2
	check "the user afterwards" "$(of "$(workers 1)" Uid)" "$ids $ids $ids $ids"
	end
	log=$work/master.log
	check "its files are removed" "$(ls "$run/app.sock" "$work/pid" 2>/dev/null)" ''
	(
		cd / && exec setpriv --reuid www-data --regid www-data --clear-groups \
			env ATHANOR_USER=root timeout "$patience" "$program" serve
	) >"$work/out" 2>"$work/err" </dev/null
	check_like "only root can be another" "$? $(sed '/ASan doesn.t/d' "$work/err")" \
		'2 fleet: user, group: only root can become another*'
fi
run ATHANOR_USER=no-such-user
refused "no such user" 2 'user: there is no user "no-such-user"'
run ATHANOR_GROUP=no-such-group
refused "no such group" 2 'group: there is no group "no-such-group"'

# ---- the service manager -------------------------------------------------------------------------

tells() { grep -q -- "$1" "$work/told"; }
told() { within "$patience" tells "$1" || fail "the service manager" "$(<"$work/told")" "$1"; }
for name in "$work/notify" "@ath-test-$$"; do
	rm -f "$work/told"
	"$work/manager" "$name" "$work/told" &
	manager=$!
	within "$patience" there "$work/told" || fail "a service manager" none one
	started 2 "NOTIFY_SOCKET=$name" WATCHDOG_USEC=200000
	told '^READY=1'
	told '^WATCHDOG=1'
	: >"$work/told"
	kill -HUP "$master"
	told '^RELOADING=1 MONOTONIC_USEC=[0-9]*$'
	told '^READY=1'
	: >"$work/told"
	kill -USR2 "$master"
	told '^RELOADING=1'
	told '^READY=1'
	told '^WATCHDOG=1'
	end
	told '^STOPPING=1'
	kill "$manager"
	wait "$manager" 2>/dev/null
done

# ---- logs that are moved away ---------------------------------------------------------------------

log=$work/errors
started 2 "ATHANOR_LOG_FILE=$log" "ATHANOR_ACCESS_FILE=$work/access" \
	"ATHANOR_STATUS_LISTEN=unix:$run/status.sock"
check_that "it answers" within "$patience" at_work
check "the mode of a log" "$(stat -c %a "$work/access")" 640
check_that "a request is logged" grep -q '"route":"/who"' "$work/access"
mv "$log" "$log.1" && mv "$work/access" "$work/access.1"
kill -USR1 "$master"
# the master's own, and those of each child
new_logs() {
	local pid
	for pid in "$master" $(children "$master"); do
		[ "$(readlink -f /proc/"$pid"/fd/* | grep -cxF -e "$log" -e "$work/access")" = 2 ] ||
			return 1
	done
}
check_that "all processes have the new files" within "$patience" new_logs
check_that "it answers" at_work
check_that "requests are logged to the new one" grep -q '"route":"/who"' "$work/access"
kill -HUP "$master"
says '"reload ended"'
check_that "new workers have them, too" within "$patience" new_logs
end

# ---- a configuration that is read again -------------------------------------------------------------

log=$work/master.log
echo 'max_requests = 1000' >"$work/fleet.conf"
started 1 "ATHANOR_CONFIG=$work/fleet.conf"
before=$(workers)
echo 'max_requests = many' >"$work/fleet.conf"
kill -HUP "$master"
says '"the configuration is refused: the old one stays","reason":".*fleet.conf:1.*"'
check "the worker stays" "$(workers)" "$before"
printf 'max_requests = 2\nworkers = 7\n' >"$work/fleet.conf"
: >"$log"
kill -HUP "$master"
says '"reload ended"'
# shellcheck disable=SC2086
check_that "the worker is another" within "$patience" others $before
check_that "as many as before" within "$patience" number_of_workers 1
before=$(workers)
for _ in 1 2 3; do get /who; done >"$work/answers"
# shellcheck disable=SC2086
check_that "what is new counts" within "$patience" others $before
end

# ---- alone ------------------------------------------------------------------------------------------

log=$work/master.log
for signal in TERM INT HUP; do
	start ATHANOR_WORKERS=0 "ATHANOR_PID_FILE=$work/pid"
	within "$patience" serves 1 || fail "a process alone" "$(<"$log")" serves
	check_that "a process alone answers" within "$patience" at_work
	check "it has no children" "$(children "$master")" ''
	check "$signal: it is the one of the pid file" "$(<"$work/pid")" "$master"
	kill "-$signal" "$master"
	has_ended 0
	check "$signal: nothing is left" "$(ls "$run/app.sock" "$work/pid" 2>/dev/null)" ''
done
finish
