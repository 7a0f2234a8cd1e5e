/*
 * check.c - the command check: is all there that serving needs? A line for each question, and the
 * next is asked although one was answered badly, unless it makes no sense without.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/options.h"

enum { PATIENCE_MS = 10000 };

struct checking {
	const struct ath_configuration *configuration;
	struct ath_worker worker;
	struct ath_buffer *out;
	struct ath_error error;
	size_t migrations, differences;
	bool wrong;
};

static void say(struct checking *checking, bool good, const char *what, const char *more)
{
	checking->wrong = checking->wrong || !good;
	ath_buffer_printf(checking->out, "%s  %-13s  %s\n", good ? "ok   " : "wrong", what, more);
}

/* What the last error says, which is cleared. */
static void say_error(struct checking *checking, const char *what)
{
	say(checking, false, what, checking->error.message);
	ath_error_clear(&checking->error);
}

/* ---- directories ----------------------------------------------------------------------------- */

static enum ath_status check_directory(const char *option, const char *path, int mode,
				       struct ath_error *error)
{
	struct stat about;

	if (stat(path, &about) == 0 && !S_ISDIR(about.st_mode))
		errno = ENOTDIR;
	else if (access(path, mode) == 0)
		return ATH_OK;
	return ath_error_set(error, ATH_EINVAL,
			     "%s: %s: %s: name a directory that this user may enter", option, path,
			     strerror(errno));
}

enum ath_status ath_check_spool(const struct ath_configuration *configuration,
				struct ath_error *error)
{
	return check_directory("spool", configuration->spool, W_OK | X_OK, error);
}

enum ath_status ath_check_migrations(const struct ath_configuration *configuration,
				     struct ath_error *error)
{
	return check_directory("migrations", configuration->migrations, R_OK | X_OK, error);
}

/* ---- what needs no database ------------------------------------------------------------------ */

/* Whatever makes no sense has been refused before. */
static void check_configuration(struct checking *checking)
{
	const struct ath_configuration *configuration = checking->configuration;
	size_t count = 0;
	char text[300];

	if (ath_check_spool(configuration, &checking->error) != ATH_OK) {
		say_error(checking, "configuration");
		return;
	}
	for (size_t i = 0; i < ath_option_count; i++)
		count += configuration->sources[i] != NULL;
	snprintf(text, sizeof text, "%zu option%s, %s%s", count, count == 1 ? "" : "s",
		 configuration->config == NULL ? "no file" : "with the file ",
		 configuration->config == NULL ? "" : configuration->config);
	say(checking, true, "configuration", text);
}

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

/* ---- the connection -------------------------------------------------------------------------- */

struct server {
	const char *version, *user, *database;
};

/* Says it in text; what the server's texts point to goes with the result. */
static enum ath_status ask_server(struct checking *checking, struct ath_arena *arena, char *text,
				  size_t size)
{
	static const struct ath_target targets[] = {
		{ .offset = offsetof(struct server, version), .name = "version" },
		{ .offset = offsetof(struct server, user), .name = "user" },
		{ .offset = offsetof(struct server, database), .name = "database" },
	};
	struct ath_statement statement =
		ath_statement_of("select current_setting('server_version'), current_user::text, "
				 "current_database()::text");
	struct server server = { 0 };
	void *result = NULL, *object = &server;
	struct ath_batch batch = {
		.statements = &statement, .count = 1, .results = &result, .arena = arena
	};

	if (ath_engine_read(checking->worker.rest.engine, &batch, ath_now() + PATIENCE_MS) !=
	    ATH_OK)
		checking->error = batch.error;
	else if (batch.driver->read(result, 0, 1, targets, ATH_COUNT(targets), &object, arena,
				    &checking->error) == ATH_OK)
		snprintf(text, size, "PostgreSQL %s, user %s, database %s", server.version,
			 server.user, server.database);
	ath_batch_clear(&batch);
	return checking->error.status;
}

static bool check_connection(struct checking *checking)
{
	struct ath_arena *arena = NULL;
	char text[300];
	bool good;

	if (ath_arena_open(&arena, 0) != ATH_OK)
		ath_error_set(&checking->error, ATH_ENOMEM, "out of memory");
	good = arena != NULL && ask_server(checking, arena, text, sizeof text) == ATH_OK;
	ath_arena_close(&arena);
	if (good)
		say(checking, true, "connection", text);
	else
		say_error(checking, "connection");
	return good;
}

/* ---- what is in the database ----------------------------------------------------------------- */

static void take_migration(const char *migration, enum ath_migration_state state, void *arg)
{
	struct checking *checking = arg;
	char text[300];

	if (state == ATH_MIGRATION_APPLIED) {
		checking->migrations++;
		return;
	}
	checking->differences++;
	if (state == ATH_MIGRATION_PENDING)
		snprintf(text, sizeof text, "%s is not applied: %s migrate", migration,
			 checking->worker.app->name);
	else
		snprintf(text, sizeof text,
			 "%s is applied, and there is no file of it: is this release older than "
			 "the database?",
			 migration);
	say(checking, false, "migrations", text);
}

static void check_migrations(struct checking *checking)
{
	char text[64];

	if (ath_migrations_list(checking->worker.rest.engine, checking->configuration->migrations,
				take_migration, checking, &checking->error) != ATH_OK) {
		say_error(checking, "migrations");
	} else if (checking->differences == 0) {
		snprintf(text, sizeof text, "%zu applied", checking->migrations);
		say(checking, true, "migrations", text);
	}
	checking->differences = 0;
}

static void take_difference(const char *difference, void *arg)
{
	struct checking *checking = arg;

	checking->differences++;
	say(checking, false, "models", difference);
}

static void check_models(struct checking *checking)
{
	if (ath_models_compare(checking->worker.rest.engine, checking->worker.rest.models,
			       take_difference, checking, &checking->error) != ATH_OK)
		say_error(checking, "models");
	else if (checking->differences == 0)
		say(checking, true, "models", "the tables are as they say");
}

static void check_limits(struct checking *checking)
{
	int64_t workers = checking->configuration->workers;
	char text[200];

	if (workers < 0)
		workers = sysconf(_SC_NPROCESSORS_ONLN);
	if (ath_engine_check_limits(checking->worker.rest.engine,
				    workers == 0 ? 1 : (size_t)workers, text, sizeof text,
				    &checking->error) == ATH_OK)
		say(checking, true, "connections", text);
	else
		say_error(checking, "connections");
}

/* ---- all of it ------------------------------------------------------------------------------- */

bool ath_check_command(const struct ath_app *app, const struct ath_configuration *configuration,
		       struct ath_buffer *out)
{
	/* the lines here say what is wrong, and the log would say it again */
	struct ath_configuration quiet = *configuration;
	struct checking checking = { .configuration = configuration, .out = out };

	check_configuration(&checking);
	quiet.log.fd = quiet.access.fd = quiet.slow.fd = -1;
	if (ath_worker_open(&checking.worker, app, &quiet, &checking.error) != ATH_OK) {
		say_error(&checking, "application");
	} else {
		say_application(&checking);
		if (check_connection(&checking)) {
			check_migrations(&checking);
			check_models(&checking);
			check_limits(&checking);
		}
	}
	ath_worker_close(&checking.worker);
	return !checking.wrong;
}
