#!/bin/bash
# What can be wrong with a command line, an environment, a file, a machine: for each mistake one
# line that says what to do, and the exit status of its kind, 2 where somebody must change what he
# has written, 1 where something else failed. And what only looks like a mistake: it serves.
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"

unset TMPDIR CREDENTIALS_DIRECTORY LISTEN_FDS LISTEN_PID GATEWAY_INTERFACE
umask 022
mkdir "$run" "$work/dir"
sql/cluster.sh start "$run" -c max_connections=30 || finish
: >"$run/database" # has it removed at the end
postgres=$(sql/cluster.sh url "$run")
database=$(sql/cluster.sh url "$run" users)
psql -X -q -c 'create database users' -c 'create database empty' "$postgres"
DATABASE_URL=$database "$program" migrate >/dev/null || fail "migrate" failed ''
export DATABASE_URL=$database
socket=unix:$work/app.sock

# run COMMAND...: sets code, out and err
run() {
	timeout 20 "$@" >"$work/out" 2>"$work/err" # what serves is none that was refused
	code=$?
	# gcc's AddressSanitizer says this of every program with fibers; and one that has begun to
	# serve has a log as well, which goes the same way here
	out=$(<"$work/out") err=$(sed '/ASan doesn.t fully support makecontext/d; /^{"time":/d' \
		"$work/err")
}
lines() { [ -z "$1" ] || wc -l <<<"$1"; }
# mistake NAME CODE PATTERN [VARIABLE=VALUE]... [ARGUMENT]...: of the program
mistake() {
	local name=$1 code_wanted=$2 pattern=$3
	shift 3
	local variables=()
	while [[ ${1-} == [A-Z]*([A-Z_])=* ]]; do
		variables+=("$1")
		shift
	done
	run env "${variables[@]}" "${as[@]}" "$program" "$@" </dev/null
	check_like "$name" "$code $(lines "$err") $err${out:+ $out}" "$code_wanted 1 users: $pattern"
	check_like "$name: no secret is told" "$err" '!(*secret*)'
}
as=()
# Of serve, on a socket that it makes.
wrong() { mistake "$1" 2 "$2" "${@:3}" serve --listen "$socket"; }
# serves NAME URL [ARGUMENT]...: it starts, and ends when it is told
serves() {
	start_server "${@:2}"
	within "$patience" is_up
	check_like "$1: it serves" "$(<"$work/server.log")" '*worker serves*'
	stop_server
	check "$1: it ends" "$code" 0
}
start_server() { # URL [ARGUMENT]...
	: >"$work/server.log"
	DATABASE_URL=$1 "$program" serve "${@:2}" >/dev/null 2>>"$work/server.log" </dev/null &
	server=$!
}
is_up() { gone "$server" || grep -q 'worker serves' "$work/server.log"; }
stop_server() {
	kill -TERM "$server" 2>/dev/null
	within "$patience" gone "$server" || kill -KILL "$server"
	wait "$server"
	code=$?
}
children() { cat "/proc/$server/task/$server/children"; }
old=''
replaced() { # those that were children
	local child
	for child in $old; do ! kill -0 "$child" 2>/dev/null || return 1; done
}
conf() { printf '%s\n' "$@" >"$work/users.conf"; }

# ---- the command line --------------------------------------------------------------------------

run "$program" --help </dev/null
check_like "--help" "$code $err$out" '0 Usage: users COMMAND*serve*migrate*DATABASE_URL*'
help=$out
run "$program" </dev/null
check "without a command, at a terminal: help" "$code $err$out" "0 $help"
run "$program" --version </dev/null
check_like "--version" "$code $err$out" '0 users [0-9]*.[0-9]*athanor [0-9]*libpq [0-9]*'
for command in serve migrate routes check help; do
	run "$program" "$command" --help </dev/null
	check_like "$command --help" "$code $err$out" '0 Usage: users *'
	check "$command --help fits 80 columns" "$(awk 'length > 80' "$work/out")" ''
	run "$program" help "$command" </dev/null
	check_like "help $command" "$code $err$out" '0 Usage: users *'
done
check "--help fits 80 columns" "$(awk 'length > 80' <<<"$help")" ''
"$program" --help >/dev/full 2>"$work/err" </dev/null
check_like "standard output is full" "$? $(<"$work/err")" '1 users: standard output: *'

mistake "no such command" 2 'there is no command "nothing": see users --help' nothing
mistake "nearly a command" 2 '*"migrat" (did you mean migrate?)*' migrat
mistake "an empty command" 2 'there is no command "": *' ''
mistake "no command" 2 'there is no command: see *' --workers 2
mistake "an unknown option" 2 '--unknown is no option: see users --help' --unknown
mistake "nearly an option" 2 '--wrokers is no option (did you mean --workers?)*' serve --wrokers 3
mistake "a short option" 2 '-p is no option: *' serve -p 80
mistake "another command's flag" 2 '--json is no option: *' serve --json
mistake "an option without its value" 2 '--backlog needs a value: --backlog N' serve --backlog
mistake "a password as an argument" 2 '*did you mean --database-password-file?*' \
	serve --database-password secret
mistake "an argument too many" 2 'serve takes no arguments: see *' serve now
mistake "a direction there is none" 2 'migrate takes *up*down*: see *' migrate sideways
mistake "two directions" 2 'migrate takes *up*down*: see *' migrate up down
mistake "a language there is none" 2 '--print-options is man or markdown, not "html": *' \
	--print-options=html
mistake "help for nothing" 2 'there is no command "nothing"*' help nothing

# ---- what is printed ---------------------------------------------------------------------------

# prints NAME PATTERN [VARIABLE=VALUE]... ARGUMENT...: and nothing else happens
prints() {
	run env "${@:3}" </dev/null
	check_like "$1" "$code $err$out" "0 $2"
}
prints "all options" "*
listen  *= $socket *# --listen
*
workers  *= 3 *# environment ATHANOR_WORKERS
*
slow  *= 2s *# /dev/fd/9:1
*" ATHANOR_WORKERS=3 ATHANOR_CONFIG=/dev/fd/9 "$program" serve \
	--listen "$socket" --print-config 9<<<'slow = 2s'
prints "a password in a URL is none of them" 'database_url *://u:\*\*\*\*@h/x *# environment DATABASE_URL
*' \
	DATABASE_URL=postgresql://u:secret@h/x "$program" check --print-config
prints "options for the manual" '.SS The database
.TP
*.SS Logs
*' "$program" --print-options=man
prints "options for the README" '\*\*The database\*\**| `--workers N\\|auto` | `ATHANOR_WORKERS` | `1` |*' \
	"$program" --print-options=markdown
prints "metrics" '| metric | type | labels | what it is |*' "$program" help metrics
prints "routes" 'METHOD  PATH *
PATCH   /users/<id:int>        change_user      deadline=2s
*' DATABASE_URL= "$program" routes
prints "routes for a program" '\[
{"method":"GET","path":"/users","name":"list_users"},
*"name":"create_post","idempotency":"optional"},
*"name":"delete_post"}
\]' DATABASE_URL= "$program" routes --json
run "$program" routes --json </dev/null
check "it is JSON" "$(query "select json_array_length('$out')")" 10

# ---- values ------------------------------------------------------------------------------------

wrong "a number of workers" '--workers is a number from 0 to 512, or auto, not "many"' --workers many
wrong "a number that is too large" '--backlog is a number from 1 to 65535, not "99999"' --backlog 99999
wrong "a time without a unit" '--stop-timeout is a time such as 15s *, not "15"' --stop-timeout 15
wrong "a time that is too long" '--deadline is a time * to 1d, not "2d"' --deadline 2d
wrong "a size" '--max-body is a size such as 512M, from 1 to 1G, not "lots"' --max-body lots
wrong "a mode" '--listen-mode is an octal mode from 0000 to 0777, not "rw"' --listen-mode rw
wrong "a switch" '--reload is off or on, not "maybe"' --reload=maybe
wrong "a word" 'ATHANOR_LOG_LEVEL is error, warning, info or debug, not "loud"' ATHANOR_LOG_LEVEL=loud
wrong "an output" 'ATHANOR_ACCESS_LOG is off, on or a path with a / in it, not "yes"' \
	ATHANOR_ACCESS_LOG=yes
wrong "a value with a new line" 'user: there is no user "no?body"' --user=$'no\nbody'

# ---- the environment and the file ----------------------------------------------------------------

wrong "a variable there is none" 'ATHANOR_WORKER in the environment is no option (did you mean*' \
	ATHANOR_WORKER=3
wrong "a secret twice" 'DATABASE_URL and ATHANOR_DATABASE_URL_FILE *: unset one' \
	ATHANOR_DATABASE_URL_FILE=/dev/null
wrong "no such file" "the configuration: $work/none.conf cannot be read: No such file*" \
	ATHANOR_CONFIG="$work/none.conf"
wrong "a directory for a file" "the configuration: $work cannot be read: Is a directory" \
	ATHANOR_CONFIG="$work"
conf 'workers = 2' '' 'worker = 3'
mistake "a line for no option" 2 "$work/users.conf:3: worker is no option (did you mean workers?)" \
	serve --config "$work/users.conf"
export ATHANOR_CONFIG=$work/users.conf
conf 'workers 2'
wrong "a line that is none" "$work/users.conf:1: a line is name = value, or a comment*"
conf 'workers = 2' 'workers = 3'
wrong "a line twice" "$work/users.conf:2: workers is said in line 1 already"
conf '# mine' 'user = "me'
wrong "a quote without an end" "$work/users.conf:2: a value that begins with \" ends with one"
conf 'backlog = 0'
wrong "a wrong value in a file" "$work/users.conf:1: backlog is a number from 1 to 65535, not \"0\""
conf 'config = /etc/other.conf'
wrong "a file in a file" "$work/users.conf:1: a file names no other file"
head -c 2000 /dev/zero >"$work/users.conf"
wrong "a file that is no text" "the configuration: $work/users.conf is no text*"
head -c 2000000 /dev/zero | tr '\0' '#' >"$work/users.conf"
wrong "a file that is too large" "the configuration: $work/users.conf is larger than 1024 KiB"
if [ "$EUID" = 0 ]; then
	conf 'workers = 2'
	chmod 0600 "$work/users.conf"
	as=(setpriv --reuid nobody --regid nogroup --clear-groups)
	wrong "a file that may not be read" "the configuration: *users.conf cannot be read: Permission*"
	as=()
fi
unset ATHANOR_CONFIG

# ---- secrets -----------------------------------------------------------------------------------

password() { mistake "$1" 2 "--database-password-file: $2" serve --database-password-file "$work/pw"; }
password "a password's file is missing" "$work/pw cannot be read: No such file*"
: >"$work/pw"
password "it is empty" "$work/pw is empty"
printf 'secret\nsecret\n' >"$work/pw"
password "it has two lines" "$work/pw holds more than one line"
head -c 70000 /dev/zero | tr '\0' s >"$work/pw"
password "it is too large" "$work/pw is larger than 64 KiB"
echo secret >"$work/pw"
mistake "two passwords" 2 'there are two passwords, *: take one away' \
	DATABASE_URL='postgresql://u:secret@h/users' migrate --database-password-file "$work/pw"
mkdir "$work/credentials"
: >"$work/credentials/database_password"
wrong "an empty credential" 'credential database_password: *is empty' \
	CREDENTIALS_DIRECTORY="$work/credentials"

# ---- the database's URL --------------------------------------------------------------------------

wrong_url() { # NAME PATTERN URL
	wrong "$1" "$2" DATABASE_URL="$3"
	mistake "$1 (migrate)" 2 "$2" DATABASE_URL="$3" migrate
	mistake "$1 (CGI)" 2 "$2" GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET REQUEST_URI=/users \
		DATABASE_URL="$3"
}
wrong_url "no URL" 'DATABASE_URL is not set: postgresql://*' ''
wrong_url "no scheme" 'a database URL starts with postgresql://, not "nonsense"' nonsense
wrong_url "another database" 'a database URL starts with postgresql://, not "mysql"' mysql://u@h/db
wrong_url "an unknown parameter" 'the database URL: *"no_such_option"' postgresql:///x?no_such_option=1
wrong_url "a port that is none" 'the database URL: a port is from 1 to 65535*' \
	postgresql://u:secret@h:port/x
wrong_url "a / in a password" 'the database URL: a port is from 1 to 65535, and a / in a password*' \
	postgresql://u:secret/2@h/x
wrong_url "an open bracket" 'the database URL: *IPv6*' 'postgresql://u:secret@[::1/x'
wrong_url "a wrong percent" 'the database URL: *"%zz"' postgresql://u:secret@h/%zz
wrong_url "a pool that is too small" 'pool_size must be from 1 to 1000, not "0"' \
	postgresql:///x?pool_size=0
wrong_url "a pool that is no number" 'pool_size must be from 1 to 1000, not "many"' \
	postgresql:///x?pool_size=many
wrong "a URL to listen" 'listen_url: *postgresql://*"mysql"' DATABASE_LISTEN_URL=mysql://u@h/db


# ---- the database ------------------------------------------------------------------------------

# answer NAME CODE PATTERN [VARIABLE=VALUE]... ARGUMENT...: what check says on standard output
answer() {
	run env "${@:4}" </dev/null
	check_like "$1" "$code $err$out" "$2 $3"
}
database_is() { # NAME URL CODE PATTERN REMEDY: of check, and of migrate, which fails with that
	answer "$1 (check)" 1 "ok *wrong  connection *$4" DATABASE_URL="$2" "$program" check
	mistake "$1 (migrate)" "$3" "*$4$5" DATABASE_URL="$2" migrate
}
cat - "$run/data/pg_hba.conf" >"$work/pg_hba.conf" <<<'local all locked scram-sha-256'
cat "$work/pg_hba.conf" >"$run/data/pg_hba.conf"
psql -X -q -c "create role locked login superuser password 'secret'" -c 'select pg_reload_conf()' \
	"$postgres" >/dev/null
database_is "no such database" "$(sql/cluster.sh url "$run" nowhere)" 2 \
	'database "nowhere" does not exist' ': create it, or *'
url_of() { echo "${database%user=postgres}user=$1"; }
database_is "no such role" "$(url_of nobody)" 2 'role "nobody" does not exist' \
	': create the role *'
database_is "no password" "$(url_of locked)" 1 'no password supplied' ''
database_is "a wrong password" "$(url_of 'locked&password=secrets')" 2 \
	'password authentication failed for user "locked"' ': correct the password'
database_is "no server" 'postgresql:///users?host=/nonexistent' 1 'No such file or directory' ''
database_is "no server at a port" 'postgresql://127.0.0.1:1/users' 1 'Connection refused' ''
echo secret >"$work/pw"
answer "a password from a file" 0 'ok *user locked*' DATABASE_URL="$(url_of locked)" \
	"$program" check --database-password-file "$work/pw"
for url in "$(sql/cluster.sh url "$run" nowhere)" "$(url_of nobody)" \
	"$(url_of 'locked&password=secrets')"; do
	wrong "serve refuses it" 'connection to server * failed: *: c*' DATABASE_URL="$url"
done
serves "a database that is away" 'postgresql:///users?host=/nonexistent' --listen "$socket"
too_many='4 workers may open 36 connections, the server allows 30: lower workers, or *'
wrong "more connections than the server allows" "$too_many" --workers 4
answer "more connections (check)" 1 "ok *wrong  connections    $too_many" "$program" check --workers 4
answer "all is well" 0 'ok     configuration *ok     application    10 routes*ok     connection *ok     migrations     2 applied
ok     models *ok     connections *' "$program" check --workers 3
answer "nothing is migrated" 1 '*wrong  migrations     20260101000000*wrong  models *' \
	DATABASE_URL="$(sql/cluster.sh url "$run" empty)" "$program" check
answer "migrate status" 0 'pending  20260101000000_users*pending*' \
	DATABASE_URL="$(sql/cluster.sh url "$run" empty)" "$program" migrate status
query "insert into schema_migrations values ('1999'); delete from schema_migrations
	where version = '20260101120000'; alter table users alter age type bigint"
answer "migrations are missing, and unknown" 1 "*wrong  migrations     1999 is applied, and there is*
wrong  migrations     20260101120000*is not applied: users migrate
wrong  models         user.age: *" "$program" check
answer "migrate status" 0 'unknown  1999
applied  2026*
pending  2026*' "$program" migrate status
start_server "$database" --listen "$socket"
check_that "serve warns of it" within "$patience" grep -q \
	'"warning","message":"migrations are not applied: .*"first":"20260101120000_' "$work/server.log"
stop_server
mistake "a migration that fails" 1 '20260101120000_*: *already exists' migrate
answer "no directory of migrations (check)" 1 "*wrong  migrations     *$work/none*" \
	"$program" check --migrations "$work/none"
mistake "no directory of migrations" 2 "migrations: $work/none: No such file*: name a directory *" \
	migrate --migrations "$work/none"
mistake "a file for it" 2 "migrations: $program: Not a directory: *" migrate --migrations "$program"

# ---- sockets -----------------------------------------------------------------------------------

# somewhere NAME CODE PATTERN ARGUMENT...: of serve
somewhere() { mistake "$1" "$2" "$3" serve "${@:4}"; }
somewhere "no socket" 2 'no listening socket: *'
somewhere "no path" 2 '--listen: unix: needs the path of a socket*' --listen unix:
somewhere "a path without unix:" 2 '--listen is unix:PATH or HOST:PORT, not "/run/app.sock"' \
	--listen /run/app.sock
somewhere "a path that is too long" 2 '--listen: the path of a unix socket has at most 107 bytes*' \
	--listen "unix:/$(printf '%0110d' 0)"
somewhere "no such directory" 1 "listen: $work/none/app.sock cannot be made: No such file*" \
	--listen "unix:$work/none/app.sock"
: >"$work/file"
somewhere "a file where the socket should be" 1 "listen: $work/file is there and is no socket*" \
	--listen "unix:$work/file"
check_that "and it stays" [ -f "$work/file" ]
somewhere "a port that is none" 2 '--listen: a port is a number from 1 to 65535, not "0"' \
	--listen localhost:0
somewhere "IPv6 without brackets" 2 '--listen: an IPv6 address stands in brackets*' --listen ::1:9000
somewhere "no such host" 1 'listen: no.such.host.invalid:9000: *' --listen no.such.host.invalid:9000
somewhere "another machine's address" 1 'listen: 192.0.2.1:9000: *' --listen 192.0.2.1:9000
somewhere "one socket for both" 1 "status-listen: another server serves on $work/app.sock*" \
	--listen "$socket" --status-listen "$socket"
check "nothing is left behind" "$(ls "$work"/app.sock* 2>/dev/null)" ''
somewhere "no such group for it" 2 'listen-group: there is no group "nobodies"' \
	--listen "$socket" --listen-group nobodies
run sh -c 'LISTEN_PID=$$ LISTEN_FDS=some exec "$0" serve' "$program" </dev/null
check_like "LISTEN_FDS is no number" "$code $err" '2 users: LISTEN_FDS *"some"'
run sh -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve 3</dev/null' "$program" </dev/null
check_like "LISTEN_FDS without a socket" "$code $err" '2 users: LISTEN_FDS: descriptor 3 is no socket*'
run spawn-fcgi -n -s "$work/given.sock" -- "$program" serve --listen "$socket" </dev/null
check_like "two sockets" "$code $err" '2 users: two sockets: *'

start_server "$database" --listen "$socket" --pid-file "$work/pid"
within "$patience" is_up
somewhere "a live server's socket" 1 "listen: another server serves on $work/app.sock: *" \
	--listen "$socket"
somewhere "a live server's pid file" 1 "pid-file: $work/pid *" --listen "unix:$work/other.sock" \
	--pid-file "$work/pid"
old=$(children)
kill -KILL "$server"
wait "$server" 2>/dev/null
check_that "workers end with their master" within "$patience" replaced
check_that "a socket that nobody serves any more is there" [ -S "$work/app.sock" ]
serves "it is replaced, and the pid file as well" "$database" --listen "$socket" --pid-file "$work/pid"

for try in {1..5}; do # it may be somebody else's
	start_server "$database" --listen 127.0.0.1:"$((port = 20000 + RANDOM % 12000))"
	within "$patience" is_up
	! grep -q 'worker serves' "$work/server.log" || break
done
somewhere "a port that is taken" 1 "listen: 127.0.0.1:$port: *" --listen "127.0.0.1:$port"
stop_server

# ---- a file that is read again -------------------------------------------------------------------

says() { grep -q "$1" "$work/server.log"; }
conf "listen = $socket" 'workers = 2' 'log_level = info'
start_server "$database" --config "$work/users.conf"
both_serve() { [ "$(grep -c 'worker serves' "$work/server.log")" = 2 ]; }
within "$patience" both_serve || fail "two workers" "$(<"$work/server.log")" ''
old=$(children)
conf "listen = $socket" 'workers = 2' 'log_level = loud'
kill -HUP "$server"
check_that "HUP with a mistake in the file: it is refused, and why" within "$patience" \
	says "configuration is refused.*users.conf:3: log_level is error, .*loud"
check "its workers serve on" "$(children)" "$old"
conf "listen = unix:$work/elsewhere.sock" 'workers = 2' 'log_level = warning'
kill -HUP "$server"
check_that "HUP with a file that is right: other workers" within "$patience" replaced
check "two of them" "$(children | wc -w)" 2
check "which have what it says now" "$(grep -c 'worker serves' "$work/server.log")" 2
check "a socket counts at a start alone" "$(ls "$work"/{app,elsewhere}.sock 2>/dev/null)" \
	"$work/app.sock"
stop_server
check "it ends" "$code" 0

# ---- processes and files -------------------------------------------------------------------------

wrong "no such user" 'user: there is no user "nobodies"' --user nobodies
wrong "no such group" 'group: there is no group "nobodies"' --group nobodies
if [ "$EUID" = 0 ]; then
	as=(setpriv --reuid nobody --regid nogroup --clear-groups)
	wrong "another user without being root" 'user, group: only root can become another*' \
		--user www-data
	somewhere "a directory that may not be written" 1 \
		"listen: $work/app.sock cannot be made: Permission denied: *" --listen "$socket"
	as=()
fi
mistake "a pid file in no directory" 1 "pid-file: $work/none/pid cannot be written: No such file*" \
	serve --listen "$socket" --pid-file "$work/none/pid"
for file in log access slow; do
	mistake "$file-file in no directory" 1 "*${file}_file $work/none/log cannot be written: *" \
		serve --listen "$socket" --$file-file "$work/none/log"
done
wrong "no directory for uploads" "spool: $work/none: No such file*: name a directory *" \
	TMPDIR="$work/none"
answer "no directory for uploads (check)" 1 "wrong  configuration  spool: $work/none: No such file*" \
	TMPDIR="$work/none" "$program" check
mistake "no directory for uploads (CGI)" 2 "spool: $work/none: No such file*" TMPDIR="$work/none" \
	GATEWAY_INTERFACE=CGI/1.1
mistake "a log in no directory (CGI)" 1 "log_file $work/none/log cannot be written: *" \
	ATHANOR_LOG_FILE="$work/none/log" GATEWAY_INTERFACE=CGI/1.1
wrong "a file for it" "spool: $work/file: Not a directory: *" --spool "$work/file"
check "nothing is left behind" "$(ls "$work"/app.sock* "$work"/.app* 2>/dev/null)" ''

# ---- the application -----------------------------------------------------------------------------

# broken NAME PATTERN MEMBERS ROUTES [MORE]: a program of these
broken() {
	cat >"$work/broken.c" <<-C
		#include <athanor.h>
		struct thing {
			int64_t id;
			const char *name;
			int32_t size;
		};
		ATH_DECLARE(thing);
		ATH_MODEL(thing, "things", $3);
		static struct ath_response *hello(struct ath_request *request)
		{
			return ath_response_text(request, 200, "hello");
		}
		static enum ath_status refuse(struct ath_worker *worker)
		{
			(void)worker;
			return ATH_EIO;
		}
		int main(int argc, char **argv)
		{
			static const struct ath_model *const models[] = { &thing_model, NULL };
			static const struct ath_route routes[] = { ${4-} { 0 } };
			static const struct ath_app app = {
				.name = "users", .version = "1", .routes = routes, .models = models,
				${5-}
			};
			(void)refuse;
			(void)hello;
			return ath_main(&app, argc, argv);
		}
	C
	compile "$work/broken" "$work/broken.c" || cat "$work/broken.log"
	program=$work/broken mistake "$1" "${6-2}" "$2" serve --listen "$socket"
	program=$work/broken mistake "$1 (CGI)" "${6-2}" "$2" GATEWAY_INTERFACE=CGI/1.1
}
id='ATH_COLUMN(thing, id, .primary_key = true)' name='ATH_COLUMN(thing, name)'
size='ATH_COLUMN(thing, size)'
broken "a length for a number" 'model thing, member size: *length*' \
	"$id, $name, ATH_COLUMN(thing, size, .max_length = 3)"
broken "no primary key" 'model thing: *primary key' "ATH_COLUMN(thing, id), $name, $size"
broken "a member left out" 'model thing, member size: *' "$id, $size"
broken "min above max" 'model thing, member size: min is above max' \
	"$id, $name, ATH_COLUMN(thing, size, .min = 2, .max = 1)"
broken "a route twice" 'route /x: the same as route /x' "$id, $name, $size" \
	'ATH_ROUTE(GET, "/x", hello), ATH_ROUTE(GET, "/x", hello),'
broken "a path without its slash" 'route x: a path starts with /' "$id, $name, $size" 'ATH_ROUTE(GET, "x", hello),'
program=$work/broken mistake "a path without its slash (routes)" 2 'route x: a path starts with /' routes
broken "a start that is refused" 'before_start failed: *' "$id, $name, $size" '' \
	'.before_start = refuse,' 1
finish
