/*
 * cancel.c - stopping what nobody waits for any more. libpq's own cancel waits without a limit,
 * so the server is asked by way of another connection, in a fiber of its own.
 */
#include <stdlib.h>

#include "db/engine_parts.h"

enum { PATIENCE_MS = 5000, PAUSE_MS = 30000 };

struct ath_cancel {
	struct ath_engine *engine;
	struct ath_fiber *fiber;
	int backend;
	unsigned pipeline; /* its number; 0: it is none */
	struct ath_cancel *next;
};

/*
 * Where a cancel gets no answer the next one would not either, and would itself be one more
 * statement that nobody waits for.
 */
static void give_up(struct ath_engine *engine)
{
	engine->cancel_at = ath_now() + PAUSE_MS;
}

/* On a pipeline that is not stuck, or else on a connection of the pool. */
static void run_cancel(struct ath_engine *engine, struct ath_batch *batch)
{
	int64_t deadline = ath_now() + PATIENCE_MS;
	struct ath_connection *connection;

	if (ath_pipeline_can_take(engine)) {
		if (ath_pipeline_read(engine, batch, deadline) != ATH_OK)
			give_up(engine);
		return;
	}
	if (ath_engine_checkout(engine, &connection, deadline, &batch->error) != ATH_OK)
		return;
	if (ath_engine_run(engine, connection, batch, deadline, false) != ATH_OK)
		give_up(engine);
	ath_engine_give_back(engine, &connection);
}

static void leave_list(struct ath_cancel *cancel)
{
	struct ath_cancel **at = &cancel->engine->cancels_under_way;

	while (*at != cancel)
		at = &(*at)->next;
	*at = cancel->next;
}

static void cancel_task(void *arg)
{
	struct ath_cancel *cancel = arg;
	struct ath_engine *engine = cancel->engine;
	struct ath_statement statement = ath_statement_of("select pg_cancel_backend($1)");
	struct ath_value number = ath_value_int32(cancel->backend);
	void *result = NULL;
	struct ath_batch batch = { .statements = &statement, .count = 1, .results = &result };

	statement.params = &number;
	statement.param_count = 1;
	if (ath_arena_open(&batch.arena, 0) == ATH_OK) {
		run_cancel(engine, &batch);
		ath_batch_clear(&batch);
		ath_arena_close(&batch.arena);
	}
	ath_pipeline_cancelled(engine, cancel->pipeline);
	engine->jobs--;
	leave_list(cancel);
	free(cancel);
}

bool ath_engine_cancel(struct ath_engine *engine, int backend, unsigned pipeline)
{
	struct ath_cancel *cancel;

	if (engine->url.pooler || engine->cancel_at > ath_now())
		return false;
	cancel = calloc(1, sizeof *cancel);
	if (cancel == NULL)
		return false;
	*cancel = (struct ath_cancel){ .engine = engine,
				       .backend = backend,
				       .pipeline = pipeline,
				       .next = engine->cancels_under_way };
	if (ath_loop_spawn(engine->loop, cancel_task, cancel, ATH_NEVER, &cancel->fiber) !=
	    ATH_OK) {
		free(cancel);
		return false;
	}
	engine->cancels_under_way = cancel;
	engine->jobs++;
	engine->cancels++;
	return true;
}

void ath_engine_end_cancels(struct ath_engine *engine)
{
	int64_t end = ath_now() + 1000;

	while (engine->cancels_under_way != NULL && ath_now() < end)
		ath_loop_turn(engine->loop, end);
	engine->cancel_at = ATH_NEVER;
	for (struct ath_cancel *each = engine->cancels_under_way; each != NULL; each = each->next)
		ath_fiber_cancel(each->fiber);
}
