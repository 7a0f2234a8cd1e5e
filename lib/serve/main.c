/* main.c - the command line of every application. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve/internal.h"

enum { FAILED = 1, USAGE = 2, FIRST_LISTEN_FD = 3 };

struct invocation {
	const struct ath_app *app;
	int argc;
	char **argv; /* behind the command */
	struct ath_configuration configuration;
	struct ath_error error;
};

static int failed(const struct invocation *invocation)
{
	fprintf(stderr, "%s: %s\n", invocation->app->name, invocation->error.message);
	return FAILED;
}

/* ---- which socket --------------------------------------------------------------------------- */

static bool is_listening(int fd)
{
	int listening = 0;
	socklen_t length = sizeof listening;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening;
}

/* systemd says how many sockets it passes, from 3 on, and to which process. */
static int given_socket(void)
{
	const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	int64_t number;

	if (count != NULL && pid != NULL && ath_text_int64(ath_text(pid), &number) &&
	    number == getpid() && ath_text_int64(ath_text(count), &number) && number >= 1)
		return FIRST_LISTEN_FD;
	return is_listening(STDIN_FILENO) ? STDIN_FILENO : -1;
}

/* ---- commands ------------------------------------------------------------------------------- */

static int usage_error(const struct invocation *invocation, const char *what)
{
	fprintf(stderr, "%s: %s: see %s --help\n", invocation->app->name, what,
		invocation->app->name);
	return USAGE;
}

static int serve(struct invocation *invocation)
{
	int fd = given_socket();

	if (invocation->argc > 0)
		return usage_error(invocation, "serve takes no arguments");
	if (fd < 0) {
		ath_error_set(&invocation->error, ATH_EINVAL,
			      "no listening socket: start it with spawn-fcgi or systemd");
		return failed(invocation);
	}
	if (ath_configuration_read(&invocation->configuration, &invocation->error) != ATH_OK ||
	    ath_worker_serve(invocation->app, &invocation->configuration, fd, &invocation->error) !=
		    ATH_OK)
		return failed(invocation);
	return 0;
}

static void migrated(const char *file)
{
	printf("%s\n", file);
}

static int migrate(struct invocation *invocation)
{
	/* one line says what failed: failed()'s, and not the engine's log beside it */
	static const struct ath_log silent = { .fd = -1 };
	/* a migration may take long, and so may the one that another process runs before it */
	struct ath_engine_options options = { .statement_timeout_ms = -1,
					      .lock_timeout_ms = -1,
					      .log = &silent };
	bool down = invocation->argc == 1 && strcmp(invocation->argv[0], "down") == 0;
	bool up = invocation->argc == 0 ||
		  (invocation->argc == 1 && strcmp(invocation->argv[0], "up") == 0);
	struct ath_error *error = &invocation->error;
	struct ath_engine *engine = NULL;
	enum ath_status status;

	if (!up && !down)
		return usage_error(invocation, "migrate takes up or down");
	status = ath_configuration_read(&invocation->configuration, error);
	if (status == ATH_OK)
		status = ath_engine_open(&engine, invocation->configuration.database_url, &options,
					 error);
	if (status == ATH_OK)
		status = (down ? ath_migrate_down : ath_migrate_up)(
			engine, invocation->configuration.migrations, migrated, error);
	ath_engine_close(&engine);
	return status == ATH_OK ? 0 : failed(invocation);
}

static int version(struct invocation *invocation)
{
	printf("%s %s\n", invocation->app->name, invocation->app->version);
	return 0;
}

static int help(struct invocation *invocation);

static const struct command {
	const char *name, *text;
	int (*run)(struct invocation *invocation);
} commands[] = {
	{ "serve", "serve FastCGI on the socket that spawn-fcgi or systemd gives", serve },
	{ "migrate", "[up|down]: bring the database to the newest migration, or one back",
	  migrate },
	{ "--help", "print this", help },
	{ "--version", "print the version", version },
};

static int help(struct invocation *invocation)
{
	printf("Usage: %s COMMAND\n\n", invocation->app->name);
	for (size_t i = 0; i < ATH_COUNT(commands); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].text);
	printf("\nThe environment:\n\n"
	       "  DATABASE_URL         postgresql://user:password@host:port/database\n"
	       "  DATABASE_LISTEN_URL  the same past a pooler, for notifications (DATABASE_URL)\n"
	       "  ATHANOR_MIGRATIONS   the directory of the migrations (sql)\n"
	       "  ATHANOR_LOG_LEVEL    error, warning, info or debug (info)\n"
	       "  ATHANOR_ACCESS_LOG   on: a log line for each request (off)\n"
	       "  TMPDIR               the directory of large uploads (/var/tmp)\n");
	return 0;
}

/* Without a command: a socket is served, a CGI request answered, a person helped. */
static int run_without_command(struct invocation *invocation)
{
	if (given_socket() >= 0)
		return serve(invocation);
	if (getenv("GATEWAY_INTERFACE") == NULL)
		return help(invocation);
	if (ath_configuration_read(&invocation->configuration, &invocation->error) != ATH_OK ||
	    ath_worker_cgi(invocation->app, &invocation->configuration, &invocation->error) !=
		    ATH_OK)
		return failed(invocation);
	return 0;
}

int ath_main(const struct ath_app *app, int argc, char **argv)
{
	struct invocation invocation = { .app = app };

	/* web servers make arguments of a query such as "?migrate+down" (RFC 3875, 4.4) */
	if (argc < 2 || getenv("GATEWAY_INTERFACE") != NULL)
		return run_without_command(&invocation);
	invocation.argc = argc - 2;
	invocation.argv = argv + 2;
	for (size_t i = 0; i < ATH_COUNT(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(&invocation);
	return usage_error(&invocation, "no such command");
}
