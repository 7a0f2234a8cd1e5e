/* option_table.c - what an application can be told: one row an option. */
#include "serve/options.h"

static const char *const levels[] = { "error", "warning", "info", "debug", NULL };
static const char *const formats[] = { "auto", "json", "text", NULL };
static const char *const comments[] = { "off", "route", "request", NULL };

_Static_assert(ATH_LOG_ERROR == 0 && ATH_LOG_DEBUG == 3, "levels are in the order of the enum");
_Static_assert(ATH_LOG_FORMAT_AUTO == 0 && ATH_LOG_FORMAT_TEXT == 2, "so are formats");
_Static_assert(ATH_SQL_COMMENTS_OFF == 0 && ATH_SQL_COMMENTS_ROUTE == 1 &&
		       ATH_SQL_COMMENTS_REQUEST == 2,
	       "and so are comments");

const char *const ath_option_groups[ATH_GROUPS] = {
	[ATH_GROUP_DATABASE] = "The database",
	[ATH_GROUP_SOCKETS] = "Sockets",
	[ATH_GROUP_PROCESSES] = "Processes",
	[ATH_GROUP_REQUESTS] = "Requests",
	[ATH_GROUP_LOGS] = "Logs",
	[ATH_GROUP_GENERAL] = "In general",
};

enum {
	SECOND = 1000,
	HOUR = 3600 * SECOND,
	DAY = 24 * HOUR,
	KIB = 1024,
	MIB = 1024 * KIB,
};
#define GIB         (1024 * (int64_t)MIB)

#define AT(member_) .offset = offsetof(struct ath_configuration, member_)

const struct ath_option ath_options[] = {
	/* ---- the database -------------------------------------------------------------------- */
	{ "database_url", ATH_GROUP_DATABASE, ATH_OPTION_TEXT, ATH_SECRET, AT(database_url),
	  .variable = "DATABASE_URL", .argument = "URL",
	  .text = "its URL: postgresql://user@host:port/database",
	  .more = "With ?host=DIRECTORY it is a unix socket. The engine's options, such as "
		  "pool_size and pipelines, stand in the query as well." },
	{ "database_password", ATH_GROUP_DATABASE, ATH_OPTION_TEXT, ATH_SECRET_FILE,
	  AT(database_password), .argument = "FILE", .text = "the password, where the URL has none",
	  .more = "No command line and no environment holds it: both can be seen by others." },
	{ "listen_url", ATH_GROUP_DATABASE, ATH_OPTION_TEXT, ATH_SECRET, AT(listen_url),
	  .variable = "DATABASE_LISTEN_URL", .argument = "URL",
	  .text = "another way to it, for notifications",
	  .more = "A pooler of transactions passes none on: where the URL leads to one, this leads "
		  "to the server itself." },
	{ "migrations", ATH_GROUP_DATABASE, ATH_OPTION_FILE, ATH_OPEN, AT(migrations),
	  .usual = "sql", .argument = "DIRECTORY", .text = "where the migrations are" },
	{ "sql_comments", ATH_GROUP_DATABASE, ATH_OPTION_WORD, ATH_OPEN, AT(sql_comments),
	  .words = comments, .usual = "route", .argument = "off|route|request",
	  .text = "what statements tell the server of their request",
	  .more = "With route each statement ends in a comment that names the application and the "
		  "route, for pg_stat_activity and the server's log. It is one text a route, so "
		  "that plans stay shared. With request the id of the request is application_name "
		  "in "
		  "transactions as well, which makes a transaction that only reads half as dear "
		  "again." },

	/* ---- sockets ------------------------------------------------------------------------- */
	{ "listen", ATH_GROUP_SOCKETS, ATH_OPTION_SOCKET, ATH_OPEN, AT(listen), .once = true,
	  .argument = "SOCKET", .text = "where: unix:PATH or HOST:PORT",
	  .more = "Without it the socket is descriptor 0, as spawn-fcgi passes it, or LISTEN_FDS, "
		  "as systemd does. [::1]:9000 is IPv6. A socket that nobody serves any more is "
		  "replaced." },
	{ "status_listen", ATH_GROUP_SOCKETS, ATH_OPTION_SOCKET, ATH_OPEN, AT(status_listen),
	  .once = true, .argument = "SOCKET", .text = "the same for /-/status and /-/metrics alone",
	  .more = "A process of its own answers there, even when every worker is busy." },
	{ "backlog", ATH_GROUP_SOCKETS, ATH_OPTION_COUNT, ATH_OPEN, AT(backlog), 1, 65535,
	  .once = true, .usual = "1024", .argument = "N",
	  .text = "connections that may wait to be accepted",
	  .more = "The system has a limit as well: net.core.somaxconn." },
	{ "listen_mode", ATH_GROUP_SOCKETS, ATH_OPTION_MODE, ATH_OPEN, AT(listen_mode), 0, 0777,
	  .once = true, .usual = "0660", .argument = "MODE",
	  .text = "of unix sockets that are made",
	  .more = "It is the authentication: who can connect can be anyone to the application." },
	{ "listen_group", ATH_GROUP_SOCKETS, ATH_OPTION_TEXT, ATH_OPEN, AT(listen_group),
	  .once = true, .argument = "GROUP", .text = "their group: that of the web server" },

	/* ---- processes ----------------------------------------------------------------------- */
	{ "workers", ATH_GROUP_PROCESSES, ATH_OPTION_COUNT, ATH_OPEN, AT(workers), 0, 512,
	  .once = true, .automatic = true, .usual = "1", .argument = "N|auto",
	  .text = "processes that serve; auto: one for each CPU",
	  .more = "0: this process serves by itself, without a master, for a debugger." },
	{ "user", ATH_GROUP_PROCESSES, ATH_OPTION_TEXT, ATH_OPEN, AT(user), .once = true,
	  .argument = "USER", .text = "who the processes are, when root starts them",
	  .more = "Sockets, logs and the pid file are opened before." },
	{ "group", ATH_GROUP_PROCESSES, ATH_OPTION_TEXT, ATH_OPEN, AT(group), .once = true,
	  .argument = "GROUP", .text = "and their group; that of the user" },
	{ "pid_file", ATH_GROUP_PROCESSES, ATH_OPTION_FILE, ATH_OPEN, AT(pid_file), .once = true,
	  .argument = "FILE", .text = "where the master's number is written" },
	{ "start_timeout", ATH_GROUP_PROCESSES, ATH_OPTION_TIME, ATH_OPEN, AT(start_timeout_ms),
	  100, HOUR, .usual = "30s", .argument = "TIME",
	  .text = "a new worker serves within it, or a reload is given up" },
	{ "stop_timeout", ATH_GROUP_PROCESSES, ATH_OPTION_TIME, ATH_OPEN, AT(stop_timeout_ms), 100,
	  HOUR, .usual = "15s", .argument = "TIME",
	  .text = "what is in flight may take so long to its end",
	  .more = "The web server must not keep an idle connection for longer: see keepalive_time "
		  "in nginx/production.conf." },
	{ "hang_timeout", ATH_GROUP_PROCESSES, ATH_OPTION_TIME, ATH_OPEN, AT(hang_timeout_ms), 100,
	  HOUR, .zero = true, .usual = "60s", .argument = "TIME",
	  .text = "a worker whose loop stands for so long is replaced", .more = "0: never." },
	{ "blocked", ATH_GROUP_PROCESSES, ATH_OPTION_TIME, ATH_OPEN, AT(blocked_ms), 1, HOUR,
	  .zero = true, .usual = "100ms", .argument = "TIME",
	  .text = "a handler that keeps the loop for so long is logged",
	  .more = "With its route and the id of the request. 0: none is." },
	{ "max_requests", ATH_GROUP_PROCESSES, ATH_OPTION_COUNT, ATH_OPEN, AT(max_requests), 0,
	  1000000000, .usual = "0", .argument = "N",
	  .text = "a worker is replaced after so many; 0: never",
	  .more = "Give or take a tenth, so that not all are replaced at once." },
	{ "worker_memory", ATH_GROUP_PROCESSES, ATH_OPTION_SIZE, ATH_OPEN, AT(worker_memory), MIB,
	  1024 * GIB, .zero = true, .usual = "0", .argument = "SIZE",
	  .text = "a worker that grows above it is replaced; 0: never",
	  .more = "It leaves as in a reload; above twice the size it is killed." },
	{ "reload", ATH_GROUP_PROCESSES, ATH_OPTION_SWITCH, ATH_OPEN, AT(reload), .once = true,
	  .usual = "off", .text = "start anew when the program's file changes",
	  .more = "For development; in production that is what the signal USR2 is for." },
	{ "core_dumps", ATH_GROUP_PROCESSES, ATH_OPTION_SWITCH, ATH_OPEN, AT(core_dumps),
	  .once = true, .usual = "off", .text = "a crash may leave one",
	  .more = "It holds what was in memory: passwords and the data of users." },

	/* ---- requests ------------------------------------------------------------------------ */
	{ "deadline", ATH_GROUP_REQUESTS, ATH_OPTION_TIME, ATH_OPEN, AT(deadline_ms), 1, DAY,
	  .usual = "30s", .argument = "TIME", .text = "until a request must be answered",
	  .more = "From its arrival; waits for the database end with it. A route may have one of "
		  "its own." },
	{ "max_body", ATH_GROUP_REQUESTS, ATH_OPTION_SIZE, ATH_OPEN, AT(max_body), 1, 1024 * MIB,
	  .usual = "1M", .argument = "SIZE", .text = "of a request, where its route says nothing" },
	{ "requests_in_flight", ATH_GROUP_REQUESTS, ATH_OPTION_COUNT, ATH_OPEN,
	  AT(requests_in_flight), 1, 65536, .usual = "1024", .argument = "N",
	  .text = "at once, in one worker" },
	{ "streams", ATH_GROUP_REQUESTS, ATH_OPTION_COUNT, ATH_OPEN, AT(streams), 1, 1000000,
	  .usual = "16384", .argument = "N", .text = "event streams at once, in one worker" },
	{ "spool", ATH_GROUP_REQUESTS, ATH_OPTION_FILE, ATH_OPEN, AT(spool), .variable = "TMPDIR",
	  .usual = "/var/tmp", .argument = "DIRECTORY",
	  .text = "where large uploads are kept meanwhile" },
	{ "server_timing", ATH_GROUP_REQUESTS, ATH_OPTION_SWITCH, ATH_OPEN, AT(server_timing),
	  .usual = "off", .text = "answers tell how long they took, and the database",
	  .more = "In the header Server-Timing, which browsers show. Who is not to know leaves it "
		  "off." },

	/* ---- logs ---------------------------------------------------------------------------- */
	{ "log_file", ATH_GROUP_LOGS, ATH_OPTION_FILE, ATH_OPEN, AT(log_file), .once = true,
	  .argument = "FILE", .text = "where errors go (standard error)",
	  .more = "The files of all logs are opened anew by the signal USR1." },
	{ "log_level", ATH_GROUP_LOGS, ATH_OPTION_WORD, ATH_OPEN, AT(log.level), .words = levels,
	  .usual = "info", .argument = "LEVEL",
	  .text = "the least urgent: error, warning, info or debug" },
	{ "log_format", ATH_GROUP_LOGS, ATH_OPTION_WORD, ATH_OPEN, AT(log_format), .once = true,
	  .words = formats, .usual = "auto", .argument = "auto|json|text",
	  .text = "lines for machines, or for people",
	  .more = "With auto they are text where they go to a terminal, in colours unless NO_COLOR "
		  "is set, and JSON elsewhere." },
	{ "access_file", ATH_GROUP_LOGS, ATH_OPTION_OUTPUT, ATH_OPEN, AT(access_file), .once = true,
	  .variable = "ATHANOR_ACCESS_LOG", .usual = "off", .argument = "off|on|FILE",
	  .text = "a line for each request; on: where errors go" },
	{ "slow_file", ATH_GROUP_LOGS, ATH_OPTION_OUTPUT, ATH_OPEN, AT(slow_file), .once = true,
	  .usual = "on", .argument = "off|on|FILE",
	  .text = "slow requests, with their statements" },
	{ "slow", ATH_GROUP_LOGS, ATH_OPTION_TIME, ATH_OPEN, AT(slow_ms), 1, DAY, .zero = true,
	  .usual = "1s", .argument = "TIME",
	  .text = "a request that takes longer is slow; 0: none" },

	/* ---- in general ---------------------------------------------------------------------- */
	{ "config", ATH_GROUP_GENERAL, ATH_OPTION_FILE, ATH_OPEN, AT(config), .once = true,
	  .argument = "FILE", .text = "options from a file: lines of name = value",
	  .more = "Flags win over the environment, and that over the file. Text behind # is a "
		  "comment; a value with spaces at its ends or # stands in double quotes. The "
		  "signal HUP has the file read again." },
};

const size_t ath_option_count = ATH_COUNT(ath_options);
