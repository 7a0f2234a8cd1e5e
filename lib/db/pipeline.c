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
	MOST_HITS = 16,               /* on one read: then it is given up */
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

/* It finishes what it has and takes nothing more: see ath_engine_demoted. */
static bool is_leaving(const struct ath_engine *engine, const struct ath_connection *connection)
{
	return ath_connection_number(connection) < engine->first_good;
}

static size_t count_staying(const struct ath_engine *engine)
{
	size_t staying = 0;

	for (size_t i = 0; i < engine->pipeline_count; i++)
		staying += !is_leaving(engine, engine->pipelines[i]);
	return staying;
}

/* One that is not stuck is kept in any case; two where reads have had to move. */
static size_t kept(const struct ath_engine *engine, int64_t now)
{
	return (engine->moves > 1 ? 2 : 1) + count_stuck(engine, now);
}

/* When to look again whether one can be closed; 0: it can. */
static int64_t stays_until(const struct ath_engine *engine, const struct ath_connection *each,
			   int64_t now)
{
	enum { LEAVING_MS = 1000 };
	int64_t end = ath_connection_used_at(each) + engine->pipeline_idle_ms;
	bool busy = ath_connection_outstanding(each) > 0;

	if (is_leaving(engine, each))
		return busy ? now + LEAVING_MS : 0;
	if (count_staying(engine) <= kept(engine, now))
		return ATH_NEVER;
	if (end > now)
		return end;
	return busy ? now + engine->pipeline_idle_ms : 0;
}

/* At that time, or earlier. */
static void start_timer(struct ath_engine *engine, struct ath_timer *timer, int64_t at)
{
	if (timer->link == NULL || timer->at > at)
		ath_timer_start(engine->loop, timer, at);
}

/* Closes those that are leaving, and those that nothing was submitted to for a while. */
static void tidy(struct ath_timer *timer)
{
	struct ath_engine *engine = container_of(timer, struct ath_engine, tidy);
	int64_t now = ath_now(), next = ATH_NEVER;

	for (size_t i = engine->pipeline_count; i-- > 0;) {
		int64_t until = stays_until(engine, engine->pipelines[i], now);

		if (until == 0)
			remove_at(engine, i);
		else if (until < next)
			next = until;
	}
	if (next != ATH_NEVER)
		start_timer(engine, &engine->tidy, next);
}

void ath_pipeline_leave(struct ath_engine *engine)
{
	/* so many that the next ones would have no place: they are lost, and their reads repeated
	 */
	while (engine->pipeline_count > ATH_MAX_PIPELINES)
		remove_at(engine, 0);
	start_timer(engine, &engine->tidy, ath_now());
}

/*
 * Only reads come here, and SQL that pretends to be one is refused. It is not said at the start of
 * the connection, where target_session_attrs would take the server for a standby.
 */
static void declare_read_only(struct ath_engine *engine, struct ath_connection *connection)
{
	if (!engine->url.pooler)
		ath_connection_tell(connection, "set default_transaction_read_only = on");
}

static void pipeline_opened(struct ath_engine *engine, struct ath_connection *connection)
{
	struct ath_pool_wait *wait = engine->pipeline_waits;

	engine->pipelines_opening--;
	if (connection != NULL) {
		engine->pipelines[engine->pipeline_count++] = connection;
		start_timer(engine, &engine->tidy, ath_now() + engine->pipeline_idle_ms);
		ath_pipeline_watch(engine, ath_now());
		declare_read_only(engine, connection);
	} else if (engine->pipelines_opening > 0) {
		return; /* another one may come */
	}
	engine->pipeline_waits = NULL;
	for (; wait != NULL; wait = wait->next) {
		if (connection == NULL)
			*wait->error = engine->retry.error;
		ath_wake(&wait->waiter, connection == NULL ? ATH_EUNAVAILABLE : ATH_OK);
	}
}

static enum ath_status open_pipeline(struct ath_engine *engine)
{
	enum ath_status status =
		ath_engine_connect(engine, &engine->url, &engine->retry, pipeline_opened);

	engine->pipelines_opening += status == ATH_OK;
	return status;
}

/* Has so many, opened or opening, if that is allowed. Without them we go on with what we have. */
static void want(struct ath_engine *engine, size_t count)
{
	size_t most = (size_t)engine->options.pipelines;

	if (engine->retry.at > ath_now())
		return;
	while (count_staying(engine) + engine->pipelines_opening < (count < most ? count : most))
		if (open_pipeline(engine) != ATH_OK)
			return;
}

static enum ath_status wait_for_pipeline(struct ath_engine *engine, int64_t deadline,
					 struct ath_error *error)
{
	struct ath_pool_wait wait = { .error = error };
	enum ath_status status = ath_engine_may_connect(&engine->retry, error);

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

		if (is_leaving(engine, each))
			continue;
		if (keeps_up(engine, each, now))
			return each;
		if (!is_stuck(each, now) &&
		    (best == NULL ||
		     ath_connection_outstanding(each) < ath_connection_outstanding(best)))
			best = each;
	}
	return best;
}

/* Where a read goes; NULL: there is no pipeline that stays. */
static struct ath_connection *choose(struct ath_engine *engine)
{
	struct ath_connection *best;
	size_t staying;
	int64_t now;

	if (engine->pipeline_count > 0 && ath_connection_outstanding(engine->pipelines[0]) == 0 &&
	    !is_leaving(engine, engine->pipelines[0]))
		return engine->pipelines[0]; /* whatever the time is */
	now = ath_now();
	best = find_moving(engine, now);
	if (best != NULL && keeps_up(engine, best, now))
		return best;
	staying = count_staying(engine);
	engine->crowded = engine->crowded || (best == NULL && staying > 0);
	if (staying > 0 && engine->pipelines_opening == 0)
		want(engine, staying + 1);
	for (size_t i = 0; best == NULL && i < engine->pipeline_count; i++)
		if (!is_leaving(engine, engine->pipelines[i]))
			best = engine->pipelines[i];
	return best;
}

bool ath_pipeline_can_take(const struct ath_engine *engine)
{
	return count_staying(engine) < (size_t)engine->options.pipelines ||
	       find_moving(engine, ath_now()) != NULL;
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

/* Nobody waits for what it does, but others do behind it, or will. */
static void cancel_head(struct ath_engine *engine, struct ath_connection *stuck)
{
	if (!ath_connection_take_abandoned(stuck) ||
	    !ath_engine_cancel(engine, ath_connection_backend(stuck), ath_connection_number(stuck)))
		return;
	ath_connection_expect_cancel(stuck);
}

void ath_pipeline_cancelled(struct ath_engine *engine, unsigned number)
{
	for (size_t i = 0; i < engine->pipeline_count; i++)
		if (ath_connection_number(engine->pipelines[i]) == number)
			ath_connection_cancelled(engine->pipelines[i]);
}

/* Looks after one pipeline and returns when to look again. */
static int64_t look_after(struct ath_engine *engine, struct ath_connection *each, int64_t now)
{
	if (ath_connection_outstanding(each) == 0)
		return ATH_NEVER;
	if (!is_stuck(each, now))
		return ath_connection_head_since(each) + SLOW_MS;
	cancel_head(engine, each);
	if (ath_connection_outstanding(each) == 1)
		return ATH_NEVER; /* whoever is sent behind it starts the watch again */
	relieve(engine, each, now);
	return now + SLOW_MS;
}

/* Does a read wait behind a stuck head? A connection that is new is slow by nature. */
static bool is_crowded(const struct ath_engine *engine, int64_t now)
{
	for (size_t i = 0; i < engine->pipeline_count; i++) {
		const struct ath_connection *each = engine->pipelines[i];

		if (is_stuck(each, now) && ath_connection_outstanding(each) > 1 &&
		    ath_connection_is_used(each))
			return true;
	}
	return false;
}

static void watch(struct ath_timer *timer)
{
	struct ath_engine *engine = container_of(timer, struct ath_engine, watch);
	int64_t now = ath_now(), next = ATH_NEVER;
	size_t stuck = count_stuck(engine, now);

	engine->crowded = engine->crowded || is_crowded(engine, now);
	if (stuck > 0 && engine->crowded)
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
	start_timer(engine, &engine->watch, at);
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
	ath_pipeline_watch(engine, batch->submitted_at + SLOW_MS);
	status = ath_wait(engine->loop, &batch->waiter, deadline);
	connection = batch->connection; /* where it was moved to */
	if (!batch->waiter.done) {      /* the connection lives: its death would have woken us */
		ath_connection_abandon(connection, batch);
		ath_pipeline_watch(engine, ath_now());
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

static bool may_be_repeated(const struct ath_batch *batch)
{
	return !batch->at_fault && (batch->lost || batch->hit || ath_batch_is_stale(batch));
}

enum ath_status ath_pipeline_read(struct ath_engine *engine, struct ath_batch *batch,
				  int64_t deadline)
{
	enum ath_status status = run_once(engine, batch, deadline);
	unsigned newest = engine->connections;
	bool again = true;
	int hits = 0;

	while (status != ATH_OK && again && may_be_repeated(batch)) {
		hits += batch->hit;
		ath_batch_clear(batch);
		ath_error_clear(&batch->error);
		batch->lost = batch->hit = false;
		batch->waiter = (struct ath_waiter){ 0 };
		status = run_once(engine, batch, deadline);
		again = (batch->lost && batch->connection_number <= newest) ||
			(batch->hit && hits < MOST_HITS);
	}
	return status;
}

enum ath_status ath_engine_read(struct ath_engine *engine, struct ath_batch *batch,
				int64_t deadline)
{
	return (engine->options.sandbox ? ath_sandbox_read : ath_pipeline_read)(engine, batch,
										deadline);
}
