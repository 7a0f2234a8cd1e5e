/*
 * engine_stats.c - what an engine is at, what it has done, and whether the server allows as many
 * connections as its processes may open.
 */
#include <stdio.h>

#include "db/engine_parts.h"

/* The last row takes all that find none. */
void ath_engine_count_error(struct ath_engine *engine, const struct ath_error *error)
{
	struct ath_engine_counts *counts = &engine->counts;
	const char *sqlstate = error->sqlstate;
	size_t i = 0;

	if (sqlstate[0] == '\0')
		return;
	while (i < counts->sqlstate_count && strcmp(counts->sqlstates[i].sqlstate, sqlstate) != 0)
		i++;
	if (i >= ATH_SQLSTATES - 1) {
		i = ATH_SQLSTATES - 1;
		sqlstate = "other";
	}
	if (i >= counts->sqlstate_count) {
		memcpy(counts->sqlstates[i].sqlstate, sqlstate, strlen(sqlstate) + 1);
		counts->sqlstate_count = i + 1;
	}
	counts->sqlstates[i].count++;
}

/* One more listens. Cancels have no connection of their own. */
static size_t connections_most(const struct ath_engine *engine)
{
	return (size_t)engine->options.pipelines + ath_pool_limit(engine) + 1;
}

void ath_engine_get_stats(const struct ath_engine *engine, struct ath_engine_stats *stats)
{
	const struct ath_engine_counts *counts = &engine->counts;

	*stats = (struct ath_engine_stats){
		.pipelines = engine->pipeline_count,
		.pipelines_most = (size_t)engine->options.pipelines,
		.pool_most = ath_pool_limit(engine),
		.pool_open = engine->pool_count - engine->pool_opening,
		.pool_idle = engine->idle_count,
		.pool_lent = engine->load.lent,
		.pool_waiting = engine->load.waiting,
		.connections_most = connections_most(engine),
		.statements = counts->statements,
		.batches = counts->batches,
		.connects = counts->connects,
		.failed_connects = counts->failed_connects,
		.lost = counts->lost,
		.cancels = engine->cancels,
		.pool_timeouts = counts->pool_timeouts,
		.pool_refused = counts->pool_refused,
		.sqlstate_count = counts->sqlstate_count,
	};
	for (size_t i = 0; i < engine->pipeline_count; i++)
		stats->outstanding += ath_connection_outstanding(engine->pipelines[i]);
	memcpy(stats->sqlstates, counts->sqlstates,
	       counts->sqlstate_count * sizeof *counts->sqlstates);
}

/* ---- the server's limit ------------------------------------------------------------------ */

/* A superuser may have them all, and a limit of -1 is none. */
static const char limits_sql[] =
	"select (current_setting('max_connections')::int - case when r.rolsuper then 0 else"
	" current_setting('superuser_reserved_connections')::int +"
	" coalesce(current_setting('reserved_connections', true)::int, 0) end)::int8,"
	" case when r.rolsuper then -1 else r.rolconnlimit end::int8,"
	" case when r.rolsuper then -1 else d.datconnlimit end::int8"
	" from pg_catalog.pg_roles r, pg_catalog.pg_database d"
	" where r.rolname = session_user and d.datname = current_database()";

/* Each may be the narrowest. */
struct limits {
	int64_t server, role, database;
};

static enum ath_status read_limits(struct ath_batch *batch, struct limits *limits)
{
	static const struct ath_target targets[] = {
		{ offsetof(struct limits, server), .type = ATH_TYPE_INT64, .name = "server" },
		{ offsetof(struct limits, role), .type = ATH_TYPE_INT64, .name = "role" },
		{ offsetof(struct limits, database), .type = ATH_TYPE_INT64, .name = "database" },
	};
	void *object = limits;

	if (batch->driver->rows(batch->results[0]) != 1)
		return ath_error_set(&batch->error, ATH_ESQL,
				     "the server does not tell its limits");
	return batch->driver->read(batch->results[0], 0, 1, targets, ATH_COUNT(targets), &object,
				   batch->arena, &batch->error);
}

static enum ath_status ask_limits(struct ath_engine *engine, struct limits *limits,
				  struct ath_error *error)
{
	enum { PATIENCE_MS = 1000 };
	struct ath_statement statement = ath_statement_of(limits_sql);
	void *result = NULL;
	struct ath_batch batch = { .statements = &statement, .count = 1, .results = &result };

	if (ath_arena_open(&batch.arena, 0) != ATH_OK)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	if (ath_engine_read(engine, &batch, ath_now() + PATIENCE_MS) == ATH_OK)
		(void)read_limits(&batch, limits);
	ath_batch_clear(&batch);
	ath_arena_close(&batch.arena);
	if (batch.error.status != ATH_OK && error->status == ATH_OK)
		*error = batch.error;
	return error->status;
}

/* The narrowest, and what to do about it. */
static int64_t narrowest(const struct limits *limits, const char **whose, const char **raise)
{
	int64_t least = limits->server;

	*whose = "the server";
	*raise = "max_connections of the server";
	if (limits->role >= 0 && limits->role < least) {
		least = limits->role;
		*whose = "the role";
		*raise = "the role's connection limit";
	}
	if (limits->database >= 0 && limits->database < least) {
		least = limits->database;
		*whose = "the database";
		*raise = "the database's connection limit";
	}
	return least;
}

enum ath_status ath_engine_check_limits(struct ath_engine *engine, size_t processes, char *text,
					size_t size, struct ath_error *error)
{
	size_t most = processes * connections_most(engine);
	const char *plural = processes == 1 ? "" : "s", *whose, *raise;
	struct limits limits = { 0 };
	int64_t allowed;

	if (engine->url.pooler) {
		snprintf(text, size, "%zu worker%s may open %zu connections to the pooler",
			 processes, plural, most);
		return ATH_OK;
	}
	snprintf(text, size, "%zu worker%s may open %zu connections", processes, plural, most);
	if (ask_limits(engine, &limits, error) != ATH_OK)
		return error->status;
	allowed = narrowest(&limits, &whose, &raise);
	snprintf(text, size, "%zu worker%s may open %zu connections, %s allows %" PRId64, processes,
		 plural, most, whose, allowed);
	if (allowed >= 0 && most <= (size_t)allowed)
		return ATH_OK;
	return ath_error_set(
		error, ATH_EINVAL,
		"%s: lower workers, or pipelines and pool_size in the URL, or raise %s", text,
		raise);
}
