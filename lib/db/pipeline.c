/*
 * pipeline.c - the connections that the reads of all sessions share. There is one, until it
 * answers too slowly: then another is opened beside it, up to a number.
 */
#include "db/engine_parts.h"

enum { SLOW_MS = 5 };

void ath_pipeline_lost(struct ath_engine *engine, struct ath_connection *connection)
{
	for (size_t i = 0; i < engine->pipeline_count; i++) {
		if (engine->pipelines[i] == connection) {
			engine->pipelines[i] = engine->pipelines[--engine->pipeline_count];
			ath_engine_discard(engine, connection);
			return;
		}
	}
}

static bool is_pipeline(const struct ath_engine *engine, const struct ath_connection *connection)
{
	for (size_t i = 0; i < engine->pipeline_count; i++)
		if (engine->pipelines[i] == connection)
			return true;
	return false;
}

static void pipeline_opened(struct ath_engine *engine, struct ath_connection *connection)
{
	struct ath_pool_wait *wait = engine->pipeline_waits;

	engine->pipeline_opening = false;
	engine->pipeline_waits = NULL;
	if (connection != NULL)
		engine->pipelines[engine->pipeline_count++] = connection;
	for (; wait != NULL; wait = wait->next) {
		if (connection == NULL)
			*wait->error = engine->connect_error;
		ath_wake(&wait->waiter, connection == NULL ? ATH_EUNAVAILABLE : ATH_OK);
	}
}

static enum ath_status open_pipeline(struct ath_engine *engine)
{
	enum ath_status status;

	if (engine->pipeline_opening)
		return ATH_OK;
	status = ath_engine_connect(engine, pipeline_opened);
	engine->pipeline_opening = status == ATH_OK;
	return status;
}

static enum ath_status wait_for_pipeline(struct ath_engine *engine, int64_t deadline,
					 struct ath_error *error)
{
	struct ath_pool_wait wait = { .error = error };
	enum ath_status status = ath_engine_may_connect(engine, error);

	if (status == ATH_OK)
		status = open_pipeline(engine);
	if (status != ATH_OK)
		return ath_error_set(error, status, "no connection can be opened");
	wait.next = engine->pipeline_waits;
	engine->pipeline_waits = &wait;
	status = ath_wait(engine->loop, &wait.waiter, deadline);
	if (!wait.waiter.done)
		for (struct ath_pool_wait **at = &engine->pipeline_waits; *at != NULL;
		     at = &(*at)->next)
			if (*at == &wait) {
				*at = wait.next;
				break;
			}
	if (status != ATH_OK)
		ath_error_set(error, status, "waiting for a connection: %s",
			      ath_status_text(status));
	return status;
}

/* The least busy pipeline; NULL: there is none. A slow one gets a companion. */
static struct ath_connection *choose(struct ath_engine *engine)
{
	struct ath_connection *best = NULL;
	int64_t best_delay = 0;

	for (size_t i = 0; i < engine->pipeline_count; i++) {
		struct ath_connection *each = engine->pipelines[i];
		int64_t delay =
			ath_connection_outstanding(each) == 0 ? 0 : ath_connection_delay(each);

		if (delay <= SLOW_MS)
			return each;
		if (best == NULL || delay < best_delay) {
			best = each;
			best_delay = delay;
		}
	}
	if (best != NULL && engine->pipeline_count < (size_t)engine->options.pipelines &&
	    engine->retry_at <= ath_now())
		(void)open_pipeline(engine); /* without it we go on with what we have */
	return best;
}

static enum ath_status run_once(struct ath_engine *engine, struct ath_batch *batch,
				int64_t deadline)
{
	struct ath_connection *connection;
	enum ath_status status = ath_engine_may_use(engine, &batch->error);

	if (status != ATH_OK)
		return status;
	connection = choose(engine);
	if (connection == NULL) {
		status = wait_for_pipeline(engine, deadline, &batch->error);
		connection = status == ATH_OK ? choose(engine) : NULL;
		if (connection == NULL)
			return ath_error_set(&batch->error, ATH_EUNAVAILABLE,
					     "the connection was lost at once");
	}
	status = ath_connection_submit(connection, batch);
	if (status != ATH_OK) {
		batch->lost = status == ATH_EUNAVAILABLE;
		return status;
	}
	status = ath_wait(engine->loop, &batch->waiter, deadline);
	if (!batch->waiter.done) { /* the connection lives: its death would have woken us */
		ath_connection_abandon(connection, batch);
		return ath_error_set(&batch->error, status, "%s", ath_status_text(status));
	}
	/* it may have died behind its answer, before this fiber ran */
	if (!batch->lost && ath_batch_is_stale(batch) && is_pipeline(engine, connection))
		ath_connection_forget(connection, batch);
	return status;
}

enum ath_status ath_engine_read(struct ath_engine *engine, struct ath_batch *batch,
				int64_t deadline)
{
	enum ath_status status = run_once(engine, batch, deadline);

	if (status == ATH_OK || !(batch->lost || ath_batch_is_stale(batch)))
		return status;
	ath_batch_clear(batch);
	ath_error_clear(&batch->error);
	batch->lost = false;
	batch->waiter = (struct ath_waiter){ 0 };
	return run_once(engine, batch, deadline);
}
