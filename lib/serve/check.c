/*
 * check.c - the command check: is all there that serving needs? A line for each question, and the
 * next is asked although one was answered badly, unless it makes no sense without.
 */
#include <stdio.h>

#include "serve/options.h"

enum { PATIENCE_MS = 10000 };

struct checking {
	struct ath_worker worker;
	struct ath_buffer *out;
	struct ath_error error;
	bool wrong;
};

static void say(struct checking *checking, bool good, const char *what, const char *more)
{
	checking->wrong = checking->wrong || !good;
	ath_buffer_printf(checking->out, "%s  %-12s %s\n", good ? "ok   " : "wrong", what, more);
}

/* What the last error says, which is cleared. */
static void say_error(struct checking *checking, const char *what)
{
	say(checking, false, what, checking->error.message);
	ath_error_clear(&checking->error);
}

/* ---- what needs no database ---------------------------------------------------------------------
 */

static void say_application(struct checking *checking)
{
	const struct ath_leaf *leaf = ath_router_first(checking->worker.web.router);
	size_t routes = 0, models = 0;
	char text[64];

	for (; leaf != NULL; leaf = leaf->next)
		routes += !leaf->own;
	while (checking->worker.rest.models[models] != NULL)
		models++;
	snprintf(text, sizeof text, "%zu routes, %zu models", routes, models);
	say(checking, true, "application", text);
}

/* ---- the connection ---------------------------------------------------------------------------
 */

struct server {
	const char *version, *user, *database;
};

static enum ath_status ask_server(struct checking *checking, struct ath_arena *arena,
				  struct server *server)
{
	static const struct ath_target targets[] = {
		{ .offset = offsetof(struct server, version), .name = "version" },
		{ .offset = offsetof(struct server, user), .name = "user" },
		{ .offset = offsetof(struct server, database), .name = "database" },
	};
	struct ath_statement statement =
		ath_statement_of("select current_setting('server_version'), current_user::text, "
				 "current_database()::text");
	void *result = NULL, *object = server;
	struct ath_batch batch = {
		.statements = &statement, .count = 1, .results = &result, .arena = arena
	};

	if (ath_engine_read(checking->worker.rest.engine, &batch, ath_now() + PATIENCE_MS) ==
	    ATH_OK)
		(void)batch.driver->read(result, 0, 1, targets, ATH_COUNT(targets), &object, arena,
					 &checking->error);
	else
		checking->error = batch.error;
	ath_batch_clear(&batch);
	return checking->error.status;
}

static bool check_connection(struct checking *checking)
{
	struct ath_arena *arena = NULL;
	struct server server = { 0 };
	char text[300];
	bool good = ath_arena_open(&arena, 0) == ATH_OK &&
		    ask_server(checking, arena, &server) == ATH_OK;

	if (good) {
		snprintf(text, sizeof text, "PostgreSQL %s, user %s, database %s", server.version,
			 server.user, server.database);
		say(checking, true, "connection", text);
	} else {
		say_error(checking, "connection");
	}
	ath_arena_close(&arena);
	return good;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

bool ath_check_command(const struct ath_app *app, const struct ath_configuration *configuration,
		       struct ath_buffer *out)
{
	/* the lines here say what is wrong, and the log would say it again */
	struct ath_configuration quiet = *configuration;
	struct checking checking = { .out = out };

	quiet.log.fd = quiet.access.fd = quiet.slow.fd = -1;
	if (ath_worker_open(&checking.worker, app, &quiet, &checking.error) != ATH_OK) {
		say_error(&checking, "application");
	} else {
		say_application(&checking);
		(void)check_connection(&checking);
	}
	ath_worker_close(&checking.worker);
	return !checking.wrong;
}
