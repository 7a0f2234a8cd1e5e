/*
 * engine_fixture.h - a loop, an engine and an arena for every test, and batches in one line.
 *
 * Fibers leave what they met in structs of their own; assertions come when all have ended.
 */
#ifndef TESTS_DB_ENGINE_FIXTURE_H
#define TESTS_DB_ENGINE_FIXTURE_H

#include <fcntl.h>

#include "database.h"
#include "db/internal.h"

enum { PATIENCE_MS = 60000 }; /* for what must happen: no test waits for it to pass */

static struct ath_loop *loop;
static struct ath_engine *engine;
static struct ath_arena *arena;
static struct ath_log silence;

static inline int open_loop(void **state)
{
	(void)state;
	if (silence.fd == 0)
		silence.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return ath_arena_open(&arena, 256 << 20) != ATH_OK ||
	       ath_loop_open(&loop, &silence) != ATH_OK;
}

/* For fixtures: options without a loop get this test's. */
static inline int open_engine_with(const char *url, struct ath_engine_options options)
{
	struct ath_error error;

	options.loop = loop;
	if (ath_engine_open(&engine, url, &options, &error) == ATH_OK)
		return 0;
	fprintf(stderr, "%s\n", error.message);
	return -1;
}

static inline int open_engine(void **state)
{
	return open_loop(state) || open_engine_with(database_url, (struct ath_engine_options){ 0 });
}

static inline int close_engine(void **state)
{
	(void)state;
	ath_engine_close(&engine);
	ath_loop_close(&loop);
	ath_arena_close(&arena);
	return engine != NULL;
}

static inline struct ath_fiber *start(void (*task)(void *arg), void *arg, int64_t deadline)
{
	struct ath_fiber *fiber = NULL;

	if (ath_loop_spawn(loop, task, arg, deadline, &fiber) != ATH_OK)
		die_of("spawn", "no fiber");
	return fiber;
}

/* Turns until all fibers have ended. */
static inline void run_fibers(void)
{
	while (ath_loop_fibers(loop) > 0)
		ath_loop_turn(loop, ATH_NEVER);
}

/* Turns until it is so; false: not within a minute. */
static inline bool turn_until(bool (*so)(void))
{
	int64_t end = ath_now() + PATIENCE_MS;

	while (!so()) {
		if (ath_now() > end)
			return false;
		ath_loop_turn(loop, ath_now() + 1);
	}
	return true;
}

/* ---- batches ----------------------------------------------------------------------------- */

static inline struct ath_batch *new_batch(size_t count)
{
	struct ath_batch *batch = ath_new(arena, struct ath_batch, 1);

	batch->arena = arena;
	batch->count = count;
	batch->statements = ath_new(arena, struct ath_statement, count);
	batch->results = ath_new(arena, void *, count);
	return batch;
}

static inline void set_statement(struct ath_batch *batch, size_t i, const char *text,
				 const struct ath_value *params, size_t param_count)
{
	batch->statements[i] = (struct ath_statement){ .text = text,
						       .length = strlen(text),
						       .hash = ath_hash(text, strlen(text)),
						       .params = params,
						       .param_count = param_count };
}

static inline struct ath_batch *one_statement(const char *text, const struct ath_value *params,
					      size_t param_count)
{
	struct ath_batch *batch = new_batch(1);

	set_statement(batch, 0, text, params, param_count);
	return batch;
}

/* Reads on a pipeline; the batch keeps result and error. */
static inline struct ath_batch *read_now(const char *text)
{
	struct ath_batch *batch = one_statement(text, NULL, 0);

	(void)!ath_engine_read(engine, batch, ath_now() + PATIENCE_MS);
	return batch;
}

/* The one integer a batch brought; INT64_MIN: it did not. Clears the batch. */
static inline int64_t integer_of(struct ath_batch *batch)
{
	static const struct ath_target target = { .type = ATH_TYPE_INT64, .name = "integer" };
	int64_t value = INT64_MIN;
	void *object = &value;
	struct ath_error error = { 0 };

	if (batch->error.status == ATH_OK && batch->results[0] != NULL &&
	    batch->driver->rows(batch->results[0]) == 1 &&
	    batch->driver->read(batch->results[0], 0, 1, &target, 1, &object, arena, &error) !=
		    ATH_OK)
		value = INT64_MIN;
	if (batch->driver != NULL)
		ath_batch_clear(batch);
	return value;
}

static inline int64_t read_integer(const char *text)
{
	return integer_of(read_now(text));
}

/* ---- readers ----------------------------------------------------------------------------- */

/* A fiber that reads one integer. */
struct reader {
	const char *text;
	int64_t timeout; /* 0: none */
	int64_t value;
	struct ath_batch *batch;
	struct ath_fiber *fiber;
	int place; /* in the order of ending, from one */
	bool ended;
};

static int ended;

static inline void read_task(void *arg)
{
	struct reader *reader = arg;
	int64_t deadline = reader->timeout == 0 ? ATH_NEVER : ath_now() + reader->timeout;

	reader->batch = one_statement(reader->text, NULL, 0);
	(void)!ath_engine_read(engine, reader->batch, deadline);
	reader->value = integer_of(reader->batch);
	reader->place = ++ended;
	reader->ended = true;
}

static inline void start_reader(struct reader *reader)
{
	reader->fiber = start(read_task, reader, ATH_NEVER);
}

#endif
