/*
 * pending.c - a program that serves a database which lacks its migrations says so. It is a warning
 * alone: an old database may do for most requests, and the migrations may be on their way.
 */
#include <stdio.h>
#include <unistd.h>

#include "serve/internal.h"

struct pending {
	size_t count;
	char first[200];
};

static void take(const char *migration, enum ath_migration_state state, void *arg)
{
	struct pending *pending = arg;

	if (state == ATH_MIGRATION_PENDING && pending->count++ == 0)
		snprintf(pending->first, sizeof pending->first, "%s", migration);
}

static void look(struct ath_worker *worker, void *arg)
{
	struct pending pending = { 0 };
	struct ath_error error = { 0 };
	struct ath_log_line line;

	(void)arg;
	/* a database that is away has been logged, and is asked for what is pending no more */
	if (ath_migrations_list(worker->rest.engine, worker->configuration->migrations, take,
				&pending, &error) != ATH_OK ||
	    pending.count == 0)
		return;
	ath_log_begin(&line, worker->log, ATH_LOG_WARNING,
		      "migrations are not applied: run migrate");
	ath_log_int(&line, "count", (int64_t)pending.count);
	ath_log_text(&line, "first", pending.first);
	ath_log_end(&line);
}

void ath_pending_look(struct ath_worker *worker)
{
	struct ath_log_line line;

	/* where the program is deployed without them there is nothing to compare with */
	if (worker->seat->number > 1 || access(worker->configuration->migrations, F_OK) != 0 ||
	    ath_add_task(worker, look, NULL, 0) == ATH_OK)
		return;
	ath_log_begin(&line, worker->log, ATH_LOG_ERROR, "the migrations were not looked at");
	ath_log_end(&line);
}
