#!/bin/bash
# What a deployment is made of: the units of systemd, their hardening and what the program is under
# it, accounts and directories, the example of a configuration, and logs that are rotated.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

read -r compiler _ <"$build/flags" # as it was built, or all of it would be built anew
sanitizer=''
! is_sanitized || sanitizer=address
prefix=$work/prefix root=$work/root
install_to() { # DESTDIR PREFIX
	make -s install BUILD="${BUILD:-build}" CC="$compiler" SAN="$sanitizer" DESTDIR="$1" \
		PREFIX="$2" >"$work/make.out" 2>&1 || fail "make install" "$(cat "$work/make.out")" ''
}
install_to '' "$prefix"
install_to "$root" /usr/local
units=$prefix/lib/systemd/system unit=$units/users.service
chmod -R a+rX "$work"

# ---- units ---------------------------------------------------------------------------------------

said() { sed -n "s/^$2=//p" "$units/$1"; } # UNIT NAME
check "systemd-analyze verify" "$(systemd-analyze verify --man=no "$unit" "$units/users.socket" \
	"$units/users-status.socket" 2>&1 | grep -i users)" ''
exposure=$(systemd-analyze security --offline=true --threshold=19 "$unit" 2>&1)
check "systemd-analyze security: below 2.0" "$? $(tail -n 1 <<<"$exposure" | grep -o exposure)" \
	'0 exposure'
for pair in NotifyAccess=main Type=notify 'ExecReload=/bin/kill -HUP $MAINPID' KillMode=mixed \
	Restart=on-failure RestartPreventExitStatus=2 OOMPolicy=continue UMask=0027 LimitCORE=0; do
	check "users.service" "${pair%%=*}=$(said users.service "${pair%%=*}")" "$pair"
done
export DATABASE_URL=postgresql:///users
for pair in TimeoutStopSec=stop_timeout TimeoutStartSec=start_timeout; do
	of_systemd=$(said users.service "${pair%=*}")
	of_program=$("$program" serve --print-config | awk -v n="${pair#*=}" '$1 == n { print $3 }')
	check_that "${pair%=*} is above ${pair#*=}" [ "${of_systemd%s}" -gt "${of_program%s}" ]
done
for socket in users users-status; do
	check "$socket.socket: who may connect" "$(said $socket.socket SocketMode) $(
		said $socket.socket SocketUser):$(said $socket.socket SocketGroup)" '0660 root:www-data'
	check_like "$socket.socket: where nginx/production.conf looks" "$(cat nginx/production.conf)" \
		"*server unix:$(said $socket.socket ListenStream)[; ]*"
done
check "the name that tells the status socket" "$(said users-status.socket FileDescriptorName)" status

# ---- accounts and directories, in a root of their own --------------------------------------------

if [ "$EUID" = 0 ]; then
	mkdir -p "$root/etc"
	echo 'adm:x:4:' >"$root/etc/group"
	systemd-sysusers --root="$root" 2>"$work/sysusers.out" ||
		fail "systemd-sysusers" "$(cat "$work/sysusers.out")" ''
	check_like "an account that nobody logs in with" "$(cat "$root/etc/passwd")" \
		"$(said users.service User):x:*:/usr/sbin/nologin"
	check_like "its shadow" "$(cat "$root/etc/shadow")" "users_app:!*"
	account=$(sed 's/^users_app:x:\([0-9]*\):\([0-9]*\):.*/\1 \2/' "$root/etc/passwd")
	systemd-tmpfiles --root="$root" --create >"$work/tmpfiles.out" 2>&1
	check "systemd-tmpfiles" "$? $(cat "$work/tmpfiles.out")" '0 '
	owners() { stat -c '%a %u %g' "$root$1"; }
	check "/run/users: root's, where the sockets are" "$(owners /run/users)" '755 0 0'
	check "/run/users_app: the account's" "$(owners /run/users_app)" "755 $account"
	check "/var/log/users: not for everybody" "$(owners /var/log/users)" "750 ${account% *} 4"
fi

# ---- the example of a configuration --------------------------------------------------------------

example=$root/etc/users/users.conf
said_by() { "$program" serve --config "$1" --print-config 2>&1 | sed 's/ *#.*//'; }
check "it is as the defaults are, but for these" \
	"$(diff <("$program" serve --print-config | sed 's/ *#.*//') <(said_by "$example") |
		sed -n 's/^> *//p' | sed 's/  */ /g')" \
	"migrations = /usr/local/share/users/migrations
workers = auto
pid_file = /run/users_app/users.pid"
sed -E 's/^#([a-z_]+ = .+)/\1/' "$example" >"$work/all.conf"
check "what stands behind a # is the default" "$(said_by "$work/all.conf")" \
	"$(said_by "$example")"
check "every option is in it, and those that a file may hold" \
	"$(sed -nE 's/^#?([a-z_]+) =.*/\1/p' "$example" | sort)" \
	"$("$program" serve --print-config | awk '/^#? ?[a-z]/ { print $1 == "#" ? $2 : $1 }' |
		sed 's/^database_password$/&_file/; s/.*_url$/&\n&_file/; /^config$/d' | sort)"

# ---- the program, as the unit starts it ----------------------------------------------------------

start_front
DATABASE_URL=$database "$program" migrate >/dev/null || fail "migrate" "it failed" ''
unset DATABASE_URL
user=$(id -u) group=$(id -g) restricted=()
if [ "$EUID" = 0 ]; then
	user=$(id -u www-data) group=$(id -g www-data)
	restricted=(--reuid "$user" --regid "$group" --clear-groups --bounding-set=-all)
fi
mkdir -m 750 "$work/own" "$work/log" "$work/credentials"
echo "$database" >"$work/credentials/database_url" # what LoadCredential= puts there
chown -R "$user:$group" "$work/own" "$work/log" "$work/credentials"
# /proc as the unit has it, where we may: then the service is in a namespace of mounts of its own
proc_options=hidepid=$(said users.service ProtectProc),subset=$(said users.service ProcSubset)
proc_options=${proc_options/hidepid=,/}
own_proc=(unshare -m sh -c 'mount -t proc -o "$0" proc /proc && exec "$@"' "$proc_options")
"${own_proc[@]}" true 2>/dev/null || own_proc=()
# the service's settings, as the unit has them, on the sockets of the socket units
as_service() {
	local command
	command=$(said users.service ExecStart)
	command=${command/"$prefix/etc/users/users.conf"/"$service_conf"}
	# shellcheck disable=SC2086
	(
		umask "$(said users.service UMask)"
		exec env -i PATH="$PATH" "${own_proc[@]}" prlimit --core="$(said users.service LimitCORE)" \
			setpriv "${restricted[@]}" --inh-caps=-all --no-new-privs "$@" $command
	) </dev/null >>"$work/service.log" 2>&1
}
end_service() {
	kill -TERM "$master"
	within "$patience" gone "$master" || fail "TERM" "it does not end" "it ends"
}
sed "s|/run/users_app|$work/own|; s|^workers = .*|workers = 2|
	s|^migrations = .*|migrations = sql|
	s|^#log_file =.*|log_file = $work/log/error.log|
	s|^#access_file =.*|access_file = $work/log/access.log|
	s|^#listen =.*|listen = unix:$run/app.sock|
	s|^#status_listen =.*|status_listen = unix:$run/status.sock|" "$example" >"$work/users.conf"
# the sanitizers, and who is not root, look into such a process alone
{ [ "$EUID" = 0 ] && ! is_sanitized; } ||
	sed -i 's|^#core_dumps = .*|core_dumps = on|' "$work/users.conf"
service_conf=$work/users.conf
as_service env CREDENTIALS_DIRECTORY="$work/credentials" &
within "$patience" answers /-/ready 200 ||
	fail "the service" "$status $(cat "$work/service.log" "$work/log/error.log")" 200
master='' && read -r master <"$work/own/users.pid"
check "sockets that it makes itself" "$(stat -c '%a %u %g' "$run/app.sock" "$run/status.sock" |
	sort -u)" "660 $user $group"
check "files that it makes" "$(stat -c '%a %u' "$work"/log/*.log | sort -u)" "640 $user"
read -ra processes <"/proc/$master/task/$master/children"
processes=("$master" "${processes[@]}")
check "the master, two workers, the status process" "${#processes[@]}" 4
for pid in "${processes[@]}"; do
	facts=$(awk '/^(Uid|Gid|Groups|CapEff|CapPrm|NoNewPrivs|Umask):/ { $1 = $1; print }' \
		"/proc/$pid/status" | sort | tr '\n' ,)
	cores=$(awk '/^Max core file size/ { print $(NF - 2), $(NF - 1) }' "/proc/$pid/limits")
	if [ "$EUID" = 0 ]; then
		check "process $pid: who it is" "$facts" "CapEff: 0000000000000000,CapPrm: $(
		)0000000000000000,Gid: $group $group $group $group,Groups:,NoNewPrivs: 1,$(
		)Uid: $user $user $user $user,Umask: 0027,"
	fi
	check "process $pid: no core" "$cores" '0 0'
done

# ---- logs ----------------------------------------------------------------------------------------

sed "s|/var/log/users|$work/log|; s|/run/users_app|$work/own|g
	s|users_app adm|$(id -nu "$user") $(getent group "$group" | cut -d: -f1)|" \
	"$root/etc/logrotate.d/users" >"$work/logrotate.conf"
[ "$EUID" = 0 ] || sed -i '/^\tsu /d' "$work/logrotate.conf"
rotate() { # OPTION...
	logrotate -s "$work/state" "$@" "$work/logrotate.conf" >"$work/logrotate.out" 2>&1 ||
		fail "logrotate $*" "$(cat "$work/logrotate.out")" ''
}
sent=$(grep -c '"status"' "$work/log/access.log") # by those that have waited until it was ready
send() { # COUNT
	local i
	for ((i = 0; i < $1; i++)); do
		request GET /users ''
		[ "$status" = 200 ] || fail "a request beside a rotation" "$status" 200
		sent=$((sent + 1))
	done
}
opened_anew() { # each process has the new files, and no other
	local pid
	for pid in "${processes[@]}"; do
		[ "$(readlink "/proc/$pid"/fd/* | grep -c "^$work/log/[a-z]*\.log$")" -ge 2 ] || return 1
		! readlink "/proc/$pid"/fd/* | grep -q "^$work/log/.*\.log\(\.1\| (deleted)\)" ||
			return 1
	done
}
lines() { { cat "$@" | grep -c '"status"'; } 2>/dev/null; }
rotate -d
send 5
check "a log before it is rotated" "$(lines "$work/log/access.log")" "$sent"
rotate -f
check_that "USR1: all processes open the new files" within "$patience" opened_anew
check "the new file" "$(stat -c '%a %u %g' "$work/log/access.log")" "640 $user $group"
check "the old one is whole" "$(lines "$work/log/access.log.1")" "$sent"
send 5
check "what comes then is in the new" "$(lines "$work/log/access.log")" 5
rotate -f
check_that "a second time" within "$patience" opened_anew
send 3
check "nothing is lost, compressed files counted" \
	"$(lines "$work/log/access.log" "$work/log/access.log.1" <(zcat "$work/log/access.log.2.gz"))" \
	"$sent"
end_service
check_that "its pid file goes with it" [ ! -e "$work/own/users.pid" ]
check "nor are its sockets left" "$(ls "$run"/*.sock 2>/dev/null)" ''

# ---- sockets that are systemd's, by the names that the units give them ---------------------------

sed -i '/^listen = /d; /^status_listen = /d' "$work/users.conf"
sed -i "s|location / {|location /-/metrics { include fastcgi_athanor.conf;$(
	) fastcgi_pass unix:$run/status.sock; } &|" "$run/nginx.conf"
kill -HUP "$(cat "$run/nginx.pid")"
as_service systemd-socket-activate -l "$run/app.sock" -l "$run/status.sock" \
	--fdname="$(said users.socket FileDescriptorName):$(said users-status.socket FileDescriptorName)" \
	-E CREDENTIALS_DIRECTORY="$work/credentials" &
check_that "by the first the application is served" within "$patience" answers /users 200
check_that "by the second the metrics" within "$patience" answers /-/metrics 200
check_like "they are" "$body" '*# TYPE *'
read -r master <"$work/own/users.pid"
read -ra processes <"/proc/$master/task/$master/children"
check "two workers, and the process that answers there" "${#processes[@]}" 3
end_service

# ---- what the master sees of its workers, in /proc as the unit has it ---------------------------

rm -f "$run/app.sock"
sed "s|^#worker_memory = .*|worker_memory = 1M|; \$a listen = unix:$run/app.sock
	s|^log_file = .*|log_file = $work/log/memory.log|" "$work/users.conf" >"$work/memory.conf"
service_conf=$work/memory.conf
as_service env CREDENTIALS_DIRECTORY="$work/credentials" &
tells() { grep -q "$1" "$work/log/memory.log" 2>/dev/null; }
check_that "worker_memory" within "$patience" tells 'it takes too much memory'
read -r master <"$work/own/users.pid"
end_service

# ---- spawn-fcgi ----------------------------------------------------------------------------------

# In a directory as tmpfiles.d/users.conf makes it; the socket is the account's, for nginx's group.
sed "s|^#database_url_file =.*|database_url_file = $work/credentials/database_url|" \
	"$work/users.conf" >"$work/spawn.conf"
rm -f "$run/app.sock"
owner=()
[ "$EUID" != 0 ] || owner=(-G "$group" -u "$user" -g "$group")
env -i PATH="$PATH" spawn-fcgi -n -s "$run/app.sock" -M 0660 -b 4096 "${owner[@]}" -- \
	"$program" serve --config "$work/spawn.conf" \
	>/dev/null 2>&1 </dev/null &
check_that "spawn-fcgi" within "$patience" answers /users 200
check "its socket" "$(stat -c '%a %u %g' "$run/app.sock")" "660 $user $group"
read -r master <"$work/own/users.pid"
check "who serves it" "$(awk '/^(Uid|Umask):/ { print $2 }' "/proc/$master/status" | tr '\n' ' ')" \
	"0027 $user "
end_service
check_that "a socket that was given stays" [ -S "$run/app.sock" ]
finish
