/*
 * pool.c - connections lent to one transaction at a time. Who finds none waits in a queue,
 * first come first served, no longer than the pool's time-out.
 *
 * What is given back is like new but for its prepared statements. The library's own statements
 * leave no trace; after others the state of the session is reset, which is one round trip.
 */
#include "db/engine_parts.h"

static void pool_opened(struct ath_engine *engine, struct ath_connection *connection);

size_t ath_pool_limit(const struct ath_engine *engine)
{
	return (size_t)engine->options.pool_size + (size_t)engine->options.max_overflow;
}

static struct ath_pool_wait *first_wait(struct ath_engine *engine)
{
	struct ath_pool_wait *wait = engine->pool_waits;

	if (wait != NULL) {
		engine->pool_waits = wait->next;
		if (engine->pool_waits == NULL)
			engine->pool_waits_tail = &engine->pool_waits;
		ath_pool_waits(engine, false);
	}
	return wait;
}

static void fail_waits(struct ath_engine *engine)
{
	struct ath_pool_wait *wait;

	while ((wait = first_wait(engine)) != NULL) {
		*wait->error = engine->retry.error;
		ath_wake(&wait->waiter, ATH_EUNAVAILABLE);
	}
}

/*
 * As many connections are being opened as are waited for, within the pool's limit. While opening
 * makes no sense, those who wait have the ones that are lent to hope for, or nothing.
 */
static enum ath_status open_wanted(struct ath_engine *engine)
{
	enum ath_status status = ATH_OK;

	if (engine->retry.at > ath_now()) {
		if (engine->pool_count == 0)
			fail_waits(engine);
		return ATH_OK;
	}
	while (status == ATH_OK && engine->pool_opening < engine->load.waiting &&
	       engine->pool_count < ath_pool_limit(engine)) {
		status = ath_engine_connect(engine, &engine->url, &engine->retry, pool_opened);
		if (status == ATH_OK) {
			engine->pool_opening++;
			engine->pool_count++;
		}
	}
	return status;
}

static void leave_queue(struct ath_engine *engine, struct ath_pool_wait *wait)
{
	struct ath_pool_wait **at = &engine->pool_waits;

	while (*at != NULL && *at != wait)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = wait->next;
	if (*at == NULL)
		engine->pool_waits_tail = at;
	ath_pool_waits(engine, false);
}

static void close_one(struct ath_engine *engine, struct ath_connection *connection)
{
	engine->pool_count--;
	ath_engine_discard(engine, connection);
}

/* To the first who waits, or to the idle ones if the pool is not larger than its size. */
static void offer(struct ath_engine *engine, struct ath_connection *connection)
{
	struct ath_pool_wait *wait = first_wait(engine);

	if (wait != NULL) {
		ath_pool_lends(engine);
		wait->connection = connection;
		ath_wake(&wait->waiter, ATH_OK);
	} else if (engine->pool_count > (size_t)engine->options.pool_size) {
		close_one(engine, connection);
	} else {
		engine->idle[engine->idle_count++] = connection;
	}
}

static void pool_opened(struct ath_engine *engine, struct ath_connection *connection)
{
	engine->pool_opening--;
	if (connection != NULL) {
		ath_connection_sandbox(connection)->on = engine->options.sandbox;
		offer(engine, connection);
		return;
	}
	engine->pool_count--;
	if (engine->pool_count == 0)
		fail_waits(engine);
}

static enum ath_status wait_in_queue(struct ath_engine *engine, struct ath_pool_wait *wait,
				     int64_t deadline)
{
	int64_t patience;
	enum ath_status status = ath_pool_patience(engine, deadline, &patience, wait->error);

	if (status != ATH_OK)
		return status;
	wait->next = NULL;
	*engine->pool_waits_tail = wait;
	engine->pool_waits_tail = &wait->next;
	ath_pool_waits(engine, true);
	status = open_wanted(engine);
	if (status == ATH_OK)
		status = ath_wait(engine->loop, &wait->waiter,
				  deadline < patience ? deadline : patience);
	if (!wait->waiter.done)
		leave_queue(engine, wait);
	if (status == ATH_ETIMEDOUT && ath_now() >= patience) {
		engine->counts.pool_timeouts++;
		return ath_error_set(wait->error, ATH_EUNAVAILABLE,
				     "all %zu connections were busy for %d ms",
				     ath_pool_limit(engine), engine->options.pool_timeout_ms);
	}
	if (status != ATH_OK)
		ath_error_set(wait->error, status, "waiting for a connection: %s",
			      ath_status_text(status));
	return status;
}

enum ath_status ath_engine_checkout(struct ath_engine *engine, struct ath_connection **connection,
				    int64_t deadline, struct ath_error *error)
{
	struct ath_pool_wait wait = { .error = error };
	enum ath_status status = ath_engine_may_use(engine, error);

	*connection = NULL;
	if (status != ATH_OK)
		return status;
	while (engine->idle_count > 0) {
		struct ath_connection *newest = engine->idle[--engine->idle_count];

		if (ath_connection_is_usable(newest)) {
			ath_pool_lends(engine);
			*connection = newest;
			return ATH_OK;
		}
		close_one(engine, newest);
	}
	status = ath_engine_may_connect(&engine->retry, error);
	/* while others are lent, waiting for one of them still makes sense */
	if (status != ATH_OK && (status != ATH_EUNAVAILABLE || engine->pool_count == 0))
		return status;
	ath_error_clear(error);
	status = wait_in_queue(engine, &wait, deadline);
	*connection = wait.connection;
	return status;
}

/*
 * As DISCARD ALL, which may not run in a batch and forgets the prepared statements. What was
 * given at the start of the connection, such as the time limits, is what RESET returns to.
 */
static bool reset(struct ath_engine *engine, struct ath_connection *connection)
{
	enum { PATIENCE_MS = 5000, COUNT = 7 };
	struct ath_statement statements[COUNT] = {
		ath_statement_of("set session authorization default"),
		ath_statement_of("reset all"),
		ath_statement_of("close all"),
		ath_statement_of("unlisten *"),
		ath_statement_of("select pg_advisory_unlock_all()"),
		ath_statement_of("discard temp"),
		ath_statement_of("discard sequences"),
	};
	void *results[COUNT] = { NULL };
	struct ath_batch batch = { .statements = statements, .count = COUNT, .results = results };
	enum ath_status status;

	if (ath_arena_open(&batch.arena, 0) != ATH_OK)
		return false;
	status = ath_engine_run(engine, connection, &batch, ath_now() + PATIENCE_MS, true);
	ath_batch_clear(&batch);
	ath_arena_close(&batch.arena);
	return status == ATH_OK;
}

void ath_engine_give_back(struct ath_engine *engine, struct ath_connection **connection)
{
	struct ath_connection *back = *connection;
	bool clean;

	if (back == NULL)
		return;
	*connection = NULL;
	if (ath_sandbox_settle(engine, back))
		return;
	clean = ath_connection_is_clean(back) &&
		(!ath_connection_take_touched(back) ||
		 (reset(engine, back) && ath_connection_is_clean(back)));
	ath_pool_takes_back(engine);
	if (clean) {
		offer(engine, back);
		return;
	}
	close_one(engine, back);
	(void)open_wanted(engine); /* those who wait for one have a time-out of their own */
}

void ath_pool_leave(struct ath_engine *engine)
{
	while (engine->idle_count > 0)
		close_one(engine, engine->idle[--engine->idle_count]);
}

void ath_pool_lost(struct ath_engine *engine, struct ath_connection *connection)
{
	for (size_t i = 0; i < engine->idle_count; i++) {
		if (engine->idle[i] == connection) {
			engine->idle[i] = engine->idle[--engine->idle_count];
			close_one(engine, connection);
			return;
		}
	}
}

static enum ath_status submit_and_wait(struct ath_engine *engine, struct ath_connection *connection,
				       struct ath_batch *batch, int64_t deadline, bool finish)
{
	enum ath_status status = ath_connection_submit(connection, batch);

	if (status != ATH_OK)
		return status;
	batch->waiter.finish = finish;
	status = ath_wait(engine->loop, &batch->waiter, deadline);
	if (!batch->waiter.done) {
		ath_connection_abandon(connection, batch);
		return ath_error_set(&batch->error, status, "%s", ath_status_text(status));
	}
	if (!batch->lost && ath_batch_is_stale(batch))
		ath_connection_forget(connection, batch);
	return status;
}

/* What the error says of the connection. */
static void judge(struct ath_engine *engine, struct ath_connection *connection,
		  const struct ath_batch *batch)
{
	const char *sqlstate = batch->error.sqlstate;

	if (strcmp(sqlstate, "25006") == 0 && !batch->read_only) {
		ath_connection_spoil(connection); /* whatever becomes of the others */
		ath_engine_demoted(engine, connection);
	}
	if (strncmp(sqlstate, "57P0", 4) == 0 || strncmp(sqlstate, "08", 2) == 0)
		ath_connection_spoil(connection);
}

enum ath_status ath_engine_run(struct ath_engine *engine, struct ath_connection *connection,
			       struct ath_batch *batch, int64_t deadline, bool finish)
{
	enum ath_status status = submit_and_wait(engine, connection, batch, deadline, finish);

	ath_echo(engine, batch);
	judge(engine, connection, batch);
	return status;
}
