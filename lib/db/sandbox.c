/*
 * sandbox.c - an engine whose transactions all happen inside another one, which is never
 * committed: for tests.
 *
 * There is one connection. The first batch on it begins the outer transaction. A session's own
 * becomes a savepoint in that, and a batch that would have been a transaction by itself is put
 * between SAVEPOINT and RELEASE:
 *
 *	BEGIN ...      SAVEPOINT
 *	COMMIT         check deferred constraints, end what a transaction ends, RELEASE
 *	ROLLBACK       ROLLBACK TO, RELEASE
 *	other batches  SAVEPOINT, the batch, what COMMIT becomes
 *
 * The statements are added when a batch is sent (connection.c), so that whoever made the batch
 * knows nothing of it.
 */
#include <stdlib.h>

#include "db/engine_parts.h"

#define OPEN    "SAVEPOINT ath_sandbox"
#define BACK    "ROLLBACK TO SAVEPOINT ath_sandbox"
#define RELEASE "RELEASE SAVEPOINT ath_sandbox"

/* ---- which statements are sent: pure --------------------------------------------------------- */

static bool is(const struct ath_batch *batch, size_t i, const char *text)
{
	return i < batch->count && strcmp(batch->statements[i].text, text) == 0;
}

static bool begins(const struct ath_batch *batch)
{
	return batch->count > 0 && strncmp(batch->statements[0].text, "BEGIN", 5) == 0;
}

static bool ends(const struct ath_batch *batch)
{
	return is(batch, batch->count - 1, "COMMIT") || is(batch, batch->count - 1, "ROLLBACK");
}

/* Would it have been a transaction by itself? */
static bool is_alone(const struct ath_sandbox *sandbox, const struct ath_batch *batch)
{
	return sandbox->state != ATH_SANDBOX_TAKEN && !begins(batch) && !ends(batch);
}

/* A savepoint that failed is there still. */
static const char *opening(const struct ath_sandbox *sandbox)
{
	return sandbox->state == ATH_SANDBOX_FREE ? OPEN : BACK;
}

/*
 * What the end of a transaction does and the end of a savepoint does not. SET CONSTRAINTS holds
 * for the whole outer transaction, so those that are deferred are made so again, by name: ALL
 * would take in those that are deferrable and are not deferred. A name may stand for several.
 */
static size_t put_ending(const struct ath_batch *batch, const char **texts)
{
	static const char defer[] =
		"DO $$DECLARE names text; BEGIN "
		"SELECT string_agg(format('%I.%I', space, name), ', ') INTO names FROM ("
		"SELECT n.nspname AS space, c.conname AS name FROM pg_catalog.pg_constraint c "
		"JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace "
		"GROUP BY 1, 2 HAVING bool_and(c.condeferred)) deferred; "
		"IF names IS NOT NULL THEN EXECUTE 'SET CONSTRAINTS ' || names || ' DEFERRED'; "
		"END IF; END$$";
	size_t count = 0;

	if (!batch->read_only)
		texts[count++] = "SET CONSTRAINTS ALL IMMEDIATE";
	texts[count++] = "CLOSE ALL";
	texts[count++] = "RESET ALL"; /* what was set for the transaction */
	if (!batch->read_only)
		texts[count++] = defer;
	return count;
}

size_t ath_sandbox_before(const struct ath_sandbox *sandbox, const struct ath_batch *batch,
			  size_t i, bool begun, const char *texts[ATH_SANDBOX_TEXTS])
{
	bool alone = is_alone(sandbox, batch);
	size_t count = 0;

	if (!sandbox->on || batch->count == 0)
		return 0;
	if (i == 0 && !begun)
		texts[count++] = "BEGIN";
	if (i == 0 && alone)
		texts[count++] = opening(sandbox);
	if (batch->read_only && (alone ? i == 0 : i == 1 && begins(batch)))
		texts[count++] = "SET TRANSACTION READ ONLY";
	if (is(batch, i, "ROLLBACK"))
		texts[count++] = BACK;
	if (is(batch, i, "COMMIT") || (alone && i == batch->count))
		count += put_ending(batch, texts + count);
	if (alone && i == batch->count)
		texts[count++] = RELEASE;
	return count;
}

struct ath_statement ath_sandbox_instead(const struct ath_sandbox *sandbox,
					 const struct ath_batch *batch, size_t i)
{
	if (sandbox->on && i == 0 && begins(batch))
		return ath_statement_of(opening(sandbox));
	if (sandbox->on && (is(batch, i, "COMMIT") || is(batch, i, "ROLLBACK")))
		return ath_statement_of(RELEASE);
	return batch->statements[i];
}

void ath_sandbox_sent(struct ath_sandbox *sandbox, const struct ath_batch *batch)
{
	bool alone = is_alone(sandbox, batch);

	if (batch->count == 0)
		return;
	sandbox->state = alone ? ATH_SANDBOX_FAILED : ATH_SANDBOX_TAKEN;
	sandbox->after = alone || ends(batch) ? ATH_SANDBOX_FREE : ATH_SANDBOX_TAKEN;
}

void ath_sandbox_synced(struct ath_sandbox *sandbox)
{
	if (sandbox->failed)
		sandbox->after = sandbox->state;
	else
		sandbox->state = sandbox->after;
	sandbox->failed = false;
}

/* ---- running ------------------------------------------------------------------------------- */

/* Once more when it is stale. A connection that was lost has taken all there was with it. */
enum ath_status ath_sandbox_read(struct ath_engine *engine, struct ath_batch *batch,
				 int64_t deadline)
{
	struct ath_connection *connection;
	enum ath_status status = ath_engine_checkout(engine, &connection, deadline, &batch->error);

	if (status != ATH_OK)
		return status;
	batch->read_only = true;
	status = ath_engine_run(engine, connection, batch, deadline, false);
	if (status != ATH_OK && !batch->lost && ath_batch_is_stale(batch)) {
		ath_batch_clear(batch);
		ath_error_clear(&batch->error);
		batch->waiter = (struct ath_waiter){ 0 };
		status = ath_engine_run(engine, connection, batch, deadline, false);
	}
	ath_engine_give_back(engine, &connection);
	return status;
}

struct settling {
	struct ath_engine *engine;
	struct ath_connection *connection;
};

/* Runs SQL without parameters, or with the one, on the pool's connection or on a pipeline. */
static bool run(struct settling *settling, const char *text, const struct ath_value *param)
{
	enum { PATIENCE_MS = 5000 };
	int64_t deadline = ath_now() + PATIENCE_MS;
	struct ath_statement statement = ath_statement_of(text);
	void *result = NULL;
	struct ath_batch batch = { .statements = &statement, .results = &result };
	enum ath_status status;

	batch.count = statement.length > 0;
	statement.params = param;
	statement.param_count = param != NULL;
	if (ath_arena_open(&batch.arena, 0) != ATH_OK)
		return false;
	if (param != NULL)
		status = ath_pipeline_read(settling->engine, &batch, deadline);
	else
		status = ath_engine_run(settling->engine, settling->connection, &batch, deadline,
					true);
	ath_batch_clear(&batch);
	ath_arena_close(&batch.arena);
	return status == ATH_OK;
}

/* The cancel is over before anything else is sent that it could hit; an empty batch ends behind
 * what was cancelled. */
static void settle(void *arg)
{
	struct settling *settling = arg;
	struct ath_engine *engine = settling->engine;
	struct ath_value backend = ath_value_int32(ath_connection_backend(settling->connection));

	if (!run(settling, "select pg_cancel_backend($1)", &backend) || !run(settling, "", NULL) ||
	    (ath_connection_in_transaction(settling->connection) &&
	     !run(settling, "ROLLBACK", NULL)))
		ath_connection_spoil(settling->connection);
	else
		ath_connection_sandbox(settling->connection)->settling = false;
	engine->jobs--;
	ath_engine_give_back(engine, &settling->connection);
	free(settling);
}

bool ath_sandbox_settle(struct ath_engine *engine, struct ath_connection *connection)
{
	struct ath_sandbox *sandbox = ath_connection_sandbox(connection);
	struct settling *settling;

	if (!sandbox->on || sandbox->settling || ath_connection_outstanding(connection) == 0)
		return false;
	settling = calloc(1, sizeof *settling);
	if (settling == NULL)
		return false;
	*settling = (struct settling){ .engine = engine, .connection = connection };
	if (ath_loop_spawn(engine->loop, settle, settling, ATH_NEVER, NULL) != ATH_OK) {
		free(settling);
		return false;
	}
	sandbox->settling = true;
	engine->jobs++;
	return true;
}

enum ath_status ath_engine_sandbox_reset(struct ath_engine *engine, struct ath_error *error)
{
	struct ath_connection *connection;
	struct ath_sandbox *sandbox;

	ath_error_clear(error);
	if (!engine->options.sandbox)
		return ath_error_set(error, ATH_EINVAL, "the engine is no sandbox");
	if (ath_engine_checkout(engine, &connection, ATH_NEVER, error) != ATH_OK)
		return error->status;
	sandbox = ath_connection_sandbox(connection);
	if (ath_connection_script(connection, "ROLLBACK", error) != ATH_OK)
		ath_connection_spoil(connection); /* which rolls back, too */
	(void)ath_connection_take_touched(connection);
	sandbox->state = sandbox->after = ATH_SANDBOX_FREE;
	ath_engine_give_back(engine, &connection);
	ath_error_clear(error);
	return ATH_OK;
}
