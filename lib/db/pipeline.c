/*
 * pipeline.c - the connections that the reads of all sessions share. They open and close with
 * the load.
 *
 * The first pipeline that keeps up takes every read, because what shares a connection shares
 * its round trips. While none keeps up another is opened, up to a number.
 *
 * A pipeline is stuck when the batch at its head has been there for SLOW_MS. Those behind it
 * are moved: sent again on one that is not stuck, and waited for there. Under plain
 * saturation the heads change all the time, and nothing is moved. The first connection still
 * runs what was moved, so moving is bounded to a part of all reads: a server that is slow for
 * everybody does not get its work twice.
 */
#include "db/engine_parts.h"

enum {
	SLOW_MS = 4,
	RESERVE = 2, /* pipelines wanted beside the stuck ones: one to read on, and the next one */
	MOVE_COST = 16,
	MAX_CREDIT = 512 * MOVE_COST, /* a read brings 1 */
};

/* ---- opening and closing ------------------------------------------------------------------ */

static void remove_at(struct ath_engine *engine, size_t i)
{
	struct ath_connection *connection = engine->pipelines[i];

	engine->pipelines[i] = engine->pipelines[--engine->pipeline_count];
	ath_engine_discard(engine, connection);
}

void ath_pipeline_lost(struct ath_engine *engine, struct ath_connection *connection)
{
	for (size_t i = 0; i < engine->pipeline_count; i++) {
		if (engine->pipelines[i] == connection) {
			remove_at(engine, i);
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

static bool is_stuck(const struct ath_connection *connection, int64_t now)
{
	return ath_connection_head_since(connection) <= now - SLOW_MS;
}

static size_t count_stuck(const struct ath_engine *engine, int64_t now)
{
	size_t stuck = 0;

	for (size_t i = 0; i < engine->pipeline_count; i++)
		stuck += is_stuck(engine->pipelines[i], now);
	return stuck;
}

/* One that is not stuck is kept in any case; two where reads have had to move. */
static size_t kept(const struct ath_engine *engine, int64_t now)
{
	return (engine->moves > 1 ? 2 : 1) + count_stuck(engine, now);
}

/* Closes those that nothing was submitted to for a while, and returns when to look again. */
static int64_t close_idle(struct ath_engine *engine)
{
	int64_t now = ath_now(), next = ATH_NEVER;

	for (size_t i = engine->pipeline_count; i-- > 0;) {
		const struct ath_connection *each = engine->pipelines[i];
		int64_t end = ath_connection_used_at(each) + engine->pipeline_idle_ms;

		if (engine->pipeline_count <= kept(engine, now))
			return ATH_NEVER;
		if (end <= now && ath_connection_outstanding(each) == 0)
			remove_at(engine, i);
		else if (end <= now) /* at work still */
			next = now + engine->pipeline_idle_ms;
		else if (end < next)
			next = end;
	}
	return engine->pipeline_count > kept(engine, now) ? next : ATH_NEVER;
}

static void tidy(struct ath_timer *timer)
{
	struct ath_engine *engine = container_of(timer, struct ath_engine, tidy);
	int64_t next = close_idle(engine);

	if (next != ATH_NEVER)
		ath_timer_start(engine->loop, &engine->tidy, next);
}

static void pipeline_opened(struct ath_engine *engine, struct ath_connection *connection)
{
	struct ath_pool_wait *wait = engine->pipeline_waits;

	engine->pipelines_opening--;
	if (connection != NULL) {
		engine->pipelines[engine->pipeline_count++] = connection;
		ath_timer_start(engine->loop, &engine->tidy, ath_now() + engine->pipeline_idle_ms);
		ath_pipeline_watch(engine, ath_now());
	} else if (engine->pipelines_opening > 0) {
		return; /* another one may come */
	}
	engine->pipeline_waits = NULL;
	for (; wait != NULL; wait = wait->next) {
		if (connection == NULL)
			*wait->error = engine->connect_error;
		ath_wake(&wait->waiter, connection == NULL ? ATH_EUNAVAILABLE : ATH_OK);
	}
}

static enum ath_status open_pipeline(struct ath_engine *engine)
{
	enum ath_status status = ath_engine_connect(engine, pipeline_opened);

	engine->pipelines_opening += status == ATH_OK;
	return status;
}

/* Has so many, opened or opening, if that is allowed. Without them we go on with what we have. */
static void want(struct ath_engine *engine, size_t count)
{
	size_t most = (size_t)engine->options.pipelines;

	if (engine->retry_at > ath_now())
		return;
	while (engine->pipeline_count + engine->pipelines_opening < (count < most ? count : most))
		if (open_pipeline(engine) != ATH_OK)
			return;
}

static enum ath_status wait_for_pipeline(struct ath_engine *engine, int64_t deadline,
					 struct ath_error *error)
{
	struct ath_pool_wait wait = { .error = error };
	enum ath_status status = ath_engine_may_connect(engine, error);

	if (status == ATH_OK && engine->pipelines_opening == 0)
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

/* ---- choosing ------------------------------------------------------------------------------ */

/* Behind a pooler a connection does one thing at a time. */
static bool keeps_up(const struct ath_engine *engine, const struct ath_connection *connection,
		     int64_t now)
{
	if (engine->url.pooler)
		return ath_connection_outstanding(connection) == 0;
	return ath_connection_waits_since(connection) > now - SLOW_MS;
}

/* The first that keeps up, or the least busy that is not stuck, or NULL. */
static struct ath_connection *find_moving(const struct ath_engine *engine, int64_t now)
{
	struct ath_connection *best = NULL;

	for (size_t i = 0; i < engine->pipeline_count; i++) {
		struct ath_connection *each = engine->pipelines[i];

		if (keeps_up(engine, each, now))
			return each;
		if (!is_stuck(each, now) &&
		    (best == NULL ||
		     ath_connection_outstanding(each) < ath_connection_outstanding(best)))
			best = each;
	}
	return best;
}

/* Where a read goes; NULL: there is no pipeline. */
static struct ath_connection *choose(struct ath_engine *engine)
{
	int64_t now = ath_now();
	struct ath_connection *best = find_moving(engine, now);

	if (best != NULL && keeps_up(engine, best, now))
		return best;
	if (engine->pipeline_count > 0 && engine->pipelines_opening == 0)
		want(engine, engine->pipeline_count + 1);
	for (size_t i = 0; best == NULL && i < engine->pipeline_count; i++)
		best = engine->pipelines[i];
	return best;
}

/* ---- moving -------------------------------------------------------------------------------- */

/* Sends those that wait behind a stuck head to a pipeline that is not stuck. */
static void relieve(struct ath_engine *engine, struct ath_connection *stuck, int64_t now)
{
	struct ath_connection *to = find_moving(engine, now);
	size_t moved;

	if (to == NULL)
		return;
	moved = ath_connection_move(stuck, to, (size_t)(engine->move_credit / MOVE_COST));
	engine->move_credit -= (int)moved * MOVE_COST;
	engine->moves += moved;
}

/* Looks after one pipeline and returns when to look again. */
static int64_t look_after(struct ath_engine *engine, struct ath_connection *each, int64_t now)
{
	if (ath_connection_outstanding(each) == 0)
		return ATH_NEVER;
	if (!is_stuck(each, now))
		return ath_connection_head_since(each) + SLOW_MS;
	if (ath_connection_outstanding(each) == 1)
		return ATH_NEVER; /* whoever is sent behind it starts the watch again */
	relieve(engine, each, now);
	return now + SLOW_MS;
}

static void watch(struct ath_timer *timer)
{
	struct ath_engine *engine = container_of(timer, struct ath_engine, watch);
	int64_t now = ath_now(), next = ATH_NEVER;
	size_t stuck = count_stuck(engine, now);

	if (stuck > 0)
		want(engine, stuck + RESERVE);
	/* a pipeline that dies in this is replaced by the last: then one is looked at next time */
	for (size_t i = 0; i < engine->pipeline_count; i++) {
		int64_t at = look_after(engine, engine->pipelines[i], now);

		next = at < next ? at : next;
	}
	if (next != ATH_NEVER)
		ath_pipeline_watch(engine, next);
}

void ath_pipeline_watch(struct ath_engine *engine, int64_t at)
{
	if (engine->watch.link == NULL || engine->watch.at > at)
		ath_timer_start(engine->loop, &engine->watch, at);
}

void ath_pipeline_open(struct ath_engine *engine)
{
	engine->watch.fire = watch;
	engine->tidy.fire = tidy;
	engine->pipeline_idle_ms = 30000;
	engine->move_credit = MAX_CREDIT;
}

void ath_pipeline_close(struct ath_engine *engine)
{
	ath_timer_stop(engine->loop, &engine->watch);
	ath_timer_stop(engine->loop, &engine->tidy);
	for (size_t i = 0; i < engine->pipeline_count; i++)
		ath_connection_free(engine->pipelines[i]);
}

/* ---- reading ------------------------------------------------------------------------------- */

static enum ath_status submit_and_wait(struct ath_engine *engine, struct ath_batch *batch,
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
	engine->move_credit += engine->move_credit < MAX_CREDIT;
	ath_pipeline_watch(engine, ath_now() + SLOW_MS);
	status = ath_wait(engine->loop, &batch->waiter, deadline);
	connection = batch->connection; /* where it was moved to */
	if (!batch->waiter.done) {      /* the connection lives: its death would have woken us */
		ath_connection_abandon(connection, batch);
		return ath_error_set(&batch->error, status, "%s", ath_status_text(status));
	}
	/* it may have died behind its answer, before this fiber ran */
	if (!batch->lost && ath_batch_is_stale(batch) && is_pipeline(engine, connection))
		ath_connection_forget(connection, batch);
	return status;
}

static enum ath_status run_once(struct ath_engine *engine, struct ath_batch *batch,
				int64_t deadline)
{
	enum ath_status status;

	batch->sent = false;
	status = submit_and_wait(engine, batch, deadline);
	ath_echo(engine, batch);
	return status;
}

enum ath_status ath_engine_read(struct ath_engine *engine, struct ath_batch *batch,
				int64_t deadline)
{
	enum ath_status status = run_once(engine, batch, deadline);

	if (status == ATH_OK || batch->at_fault || !(batch->lost || ath_batch_is_stale(batch)))
		return status;
	ath_batch_clear(batch);
	ath_error_clear(&batch->error);
	batch->lost = false;
	batch->waiter = (struct ath_waiter){ 0 };
	return run_once(engine, batch, deadline);
}
