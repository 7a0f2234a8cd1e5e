/* test_pipeline.c - reads that share connections: order, errors, time-outs, loss, repair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"
#include "proxy.h"

enum { MANY = 100 };

static int setup_with(const char *url, int pipelines)
{
	ended = 0;
	return open_loop(NULL) ||
	       open_engine_with(url, (struct ath_engine_options){ .pipelines = pipelines });
}

static int setup(void **state)
{
	(void)state;
	return setup_with(database_url, 0);
}

static int setup_single(void **state)
{
	(void)state;
	return setup_with(database_url, 1);
}

/* The proxy's counts start when the connection stands. */
static int setup_proxy(void **state)
{
	(void)state;
	tell_proxy(PROXY_UP);
	if (setup_with(proxy_url, 1) != 0)
		return -1;
	if (read_integer("select 1::int8") != 1)
		return -1;
	tell_proxy(PROXY_RESET);
	return 0;
}

/* ---- what crosses -------------------------------------------------------------------------- */

static void test_a_read_is_one_round_trip(void **state)
{
	(void)state;
	assert_int_equal(read_integer("select 7::int8"), 7);
	assert_int_equal(proxy_counts->round_trips, 1);
	assert_int_equal(proxy_counts->syncs, 1);
	assert_int_equal(proxy_counts->parses, pooler() == NULL ? 1 : 2);
	assert_int_equal(read_integer("select 7::int8"), 7);
	assert_int_equal(proxy_counts->round_trips, 2);
	/* prepared once; for a pooler each time, and the time limits before it */
	assert_int_equal(proxy_counts->parses, pooler() == NULL ? 1 : 4);
	assert_int_equal(proxy_counts->connections, 0);
}

/* All that is asked in one turn goes out together; each has its own sync. */
static void test_reads_of_one_turn_share_a_connection(void **state)
{
	static struct reader readers[MANY];

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		readers[i] = (struct reader){ .text = "select 1::int8" };
		start_reader(&readers[i]);
	}
	run_fibers();
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(readers[i].value, 1);
	assert_int_equal(proxy_counts->syncs, MANY);
	assert_int_equal(proxy_counts->parses, pooler() == NULL ? 0 : 2 * MANY);
	assert_int_equal(proxy_counts->connections, 0);
}

static void test_statements_beyond_the_table_are_prepared_again(void **state)
{
	enum { TABLE = 256, TEXTS = 300 };
	static char texts[TEXTS][40];

	(void)state;
	NOT_POOLED("nothing is kept prepared");
	for (int i = 0; i < TEXTS; i++)
		snprintf(texts[i], sizeof texts[i], "select %d::int8", i + 100);
	for (int i = 0; i < TEXTS; i++)
		assert_int_equal(read_integer(texts[i]), i + 100);
	assert_int_equal(read_integer("select count(*) from pg_prepared_statements"), TABLE);
	tell_proxy(PROXY_RESET);
	/* the newest are there, the oldest went first */
	assert_int_equal(read_integer(texts[TEXTS - 1]), TEXTS + 99);
	assert_int_equal(read_integer(texts[TEXTS - 200]), TEXTS - 200 + 100);
	assert_int_equal(proxy_counts->parses, 0);
	assert_int_equal(read_integer(texts[0]), 100);
	assert_true(proxy_counts->parses > 0);
	assert_int_equal(read_integer("select count(*) from pg_prepared_statements"), TABLE);
}

/* One batch may hold more statements than the table. */
static void test_a_batch_larger_than_the_table(void **state)
{
	enum { TEXTS = 600 };
	static char texts[TEXTS][40];
	struct ath_batch *batch = new_batch(TEXTS);

	(void)state;
	for (int i = 0; i < TEXTS; i++) {
		snprintf(texts[i], sizeof texts[i], "select %d::int8", i);
		set_statement(batch, (size_t)i, texts[i], NULL, 0);
	}
	assert_int_equal(ath_engine_read(engine, batch, ATH_NEVER), ATH_OK);
	for (size_t i = 0; i < TEXTS; i++) {
		assert_non_null(batch->results[i]);
		assert_int_equal(batch->driver->rows(batch->results[i]), 1);
	}
	ath_batch_clear(batch);
	assert_int_equal(read_integer("select 5::int8"), 5);
}

/* ---- errors -------------------------------------------------------------------------------- */

/* Every tenth fails, in the preparing or in the executing; nobody else notices. */
static void test_an_error_touches_no_other_batch(void **state)
{
	static struct reader readers[MANY];
	static char texts[MANY][64];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++) {
			snprintf(texts[i], sizeof texts[i],
				 i % 20 == 0   ? "select broken_%d"
				 : i % 10 == 0 ? "select 1 / ((%d)::int8 * 0)"
					       : "select %d::int8",
				 i);
			readers[i] = (struct reader){ .text = texts[i] };
			start_reader(&readers[i]);
		}
		run_fibers();
		for (int i = 0; i < MANY; i++) {
			const struct ath_error *error = &readers[i].batch->error;

			if (i % 10 != 0)
				assert_int_equal(readers[i].value, i);
			else
				assert_string_equal(error->sqlstate,
						    i % 20 == 0 ? "42703" : "22012");
		}
	}
	assert_int_equal(engine->pipeline_count, 1);
}

/* A statement behind one that failed was never prepared: the next use finds that out. */
static void test_statements_skipped_by_an_error_work_later(void **state)
{
	struct ath_batch *batch = new_batch(3);

	(void)state;
	set_statement(batch, 0, "select 1::int8", NULL, 0);
	set_statement(batch, 1, "select 1 / 0", NULL, 0);
	set_statement(batch, 2, "select 33::int8", NULL, 0);
	assert_int_equal(ath_engine_read(engine, batch, ATH_NEVER), ATH_ERULE);
	assert_string_equal(batch->error.sqlstate, "22012");
	assert_null(batch->results[1]);
	assert_null(batch->results[2]);
	ath_batch_clear(batch);
	assert_int_equal(read_integer("select 33::int8"), 33);
	assert_int_equal(read_integer("select 1::int8"), 1);
}

static void test_a_statement_that_returns_nothing_is_no_error(void **state)
{
	struct ath_batch *batch = read_now("select where false");

	(void)state;
	assert_int_equal(batch->error.status, ATH_OK);
	assert_int_equal(batch->driver->rows(batch->results[0]), 0);
	ath_batch_clear(batch);
	batch = read_now("");
	assert_int_equal(batch->error.status, ATH_ESQL);
	assert_int_equal(read_integer("select 2::int8"), 2);
}

/* ---- staleness ------------------------------------------------------------------------------ */

static void test_deallocated_behind_its_back(void **state)
{
	(void)state;
	assert_int_equal(read_integer("select 4::int8"), 4);
	ath_batch_clear(read_now("deallocate all"));
	assert_int_equal(read_integer("select 4::int8"), 4);
	assert_int_equal(read_integer("select 4::int8"), 4);
}

/* How many columns come; -1: an error. */
static int read_columns(const char *text)
{
	struct ath_batch *batch = read_now(text);
	int columns = batch->error.status == ATH_OK ? PQnfields(batch->results[0]) : -1;

	ath_batch_clear(batch);
	return columns;
}

static void test_a_table_that_changed_shape(void **state)
{
	(void)state;
	run_sql("drop table if exists shape; create table shape (id int8); "
		"insert into shape values (1)");
	assert_int_equal(read_integer("select * from shape"), 1);
	run_sql("alter table shape add column more text, alter column id type int4");
	assert_int_equal(read_columns("select * from shape"), 2);
	run_sql("alter table shape drop column more");
	assert_int_equal(read_integer("select * from shape"), 1);
	assert_int_equal(engine->pipeline_count, 1);
}

/* ---- slowness ------------------------------------------------------------------------------- */

static bool second_pipeline(void)
{
	return engine->pipeline_count >= 2;
}

/* Reads until the slow one has made the engine open a companion. */
static void keep_reading(void *arg)
{
	struct reader *reader = arg;

	while (!second_pipeline() && !reader->ended) {
		struct reader fast = { .text = "select 1::int8" };

		fast.fiber = start(read_task, ath_arena_copy(arena, (char *)&fast, sizeof fast),
				   ATH_NEVER);
		ath_sleep(2);
	}
}

/* The slow one waits for a lock that only we give back: no time is measured. */
static void test_fast_reads_overtake_a_slow_one(void **state)
{
	struct reader slow = { .text = "select 1::int8 from (select pg_advisory_xact_lock(7)) s" };
	struct reader fast = { .text = "select 2::int8" };

	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	run_sql("select pg_advisory_lock(7)");
	start_reader(&slow);
	start(keep_reading, &slow, ATH_NEVER);
	assert_true(turn_until(second_pipeline));
	start_reader(&fast);
	while (!fast.ended)
		ath_loop_turn(loop, ATH_NEVER);
	assert_false(slow.ended);
	run_sql("select pg_advisory_unlock(7)");
	run_fibers();
	assert_int_equal(slow.value, 1);
	assert_int_equal(fast.value, 2);
	assert_true(slow.place > fast.place);
}

static void test_there_are_never_more_than_allowed(void **state)
{
	struct reader slow = { .text = "select 1::int8 from pg_sleep(0.05)" };
	static struct reader readers[MANY];

	(void)state;
	start_reader(&slow);
	for (int i = 0; i < MANY; i++) {
		readers[i] = (struct reader){ .text = "select 3::int8 from pg_sleep(0.001)" };
		start_reader(&readers[i]);
		ath_loop_turn(loop, ath_now() + 1);
	}
	run_fibers();
	for (int i = 0; i < MANY; i++)
		assert_int_equal(readers[i].value, 3);
	assert_int_equal(engine->pipeline_count, 1);
}

/* ---- waits that end early ------------------------------------------------------------------- */

static void test_a_deadline_passes(void **state)
{
	struct reader slow = { .text = "select 1::int8 from pg_sleep(0.2)", .timeout = 20 };
	struct reader after = { .text = "select 5::int8" };

	(void)state;
	start_reader(&slow);
	run_fibers();
	assert_int_equal(slow.batch->error.status, ATH_ETIMEDOUT);
	/* its result comes later and is dropped; what it was for is no more */
	memset(slow.batch, 0xa5, sizeof *slow.batch);
	start_reader(&after);
	run_fibers();
	assert_int_equal(after.value, 5);
}

static void test_a_deadline_passes_outside_fibers(void **state)
{
	struct ath_batch *batch = one_statement("select 1::int8 from pg_sleep(0.2)", NULL, 0);

	(void)state;
	assert_int_equal(ath_engine_read(engine, batch, ath_now() + 20), ATH_ETIMEDOUT);
	memset(batch, 0xa5, sizeof *batch);
	assert_int_equal(read_integer("select 6::int8"), 6);
}

/* The fiber's own deadline holds as well, and a stack that is gone is not written to. */
static void test_the_fibers_deadline_passes(void **state)
{
	struct reader slow = { .text = "select 1::int8 from pg_sleep(0.2)" };
	struct reader after = { .text = "select 5::int8" };

	(void)state;
	start(read_task, &slow, ath_now() + 20);
	run_fibers();
	assert_int_equal(slow.batch->error.status, ATH_ETIMEDOUT);
	memset(slow.batch, 0xa5, sizeof *slow.batch);
	start_reader(&after);
	run_fibers();
	assert_int_equal(after.value, 5);
}

static void test_a_cancelled_fiber(void **state)
{
	struct reader slow = { .text = "select 1::int8 from pg_sleep(0.1)" };
	struct reader after = { .text = "select 5::int8" };

	(void)state;
	assert_int_equal(read_integer("select 5::int8"), 5);
	start_reader(&slow);
	ath_loop_turn(loop, ath_now());
	ath_fiber_cancel(slow.fiber);
	run_fibers();
	assert_int_equal(slow.batch->error.status, ATH_ECANCELED);
	memset(slow.batch, 0xa5, sizeof *slow.batch);
	start_reader(&after);
	run_fibers();
	assert_int_equal(after.value, 5);
}

/* No connection comes in time: the first one of all is still on its way. */
static void test_a_deadline_passes_while_connecting(void **state)
{
	static struct reader readers[10];

	(void)state;
	tell_proxy(PROXY_HOLD);
	for (size_t i = 0; i < ATH_COUNT(readers); i++) {
		readers[i] =
			(struct reader){ .text = "select 1::int8", .timeout = i % 2 == 0 ? 10 : 0 };
		start_reader(&readers[i]);
	}
	while (ended < (int)ATH_COUNT(readers) / 2)
		ath_loop_turn(loop, ATH_NEVER);
	tell_proxy(PROXY_RELEASE);
	run_fibers();
	for (size_t i = 0; i < ATH_COUNT(readers); i++)
		if (i % 2 == 0)
			assert_int_equal(readers[i].batch->error.status, ATH_ETIMEDOUT);
		else
			assert_int_equal(readers[i].value, 1);
}

/* The answer and the deadline come in one turn of the loop: either may win, nothing is lost. */
static void test_deadlines_around_the_answer(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		struct reader reader = { .text = "select 8::int8 from pg_sleep(0.002)",
					 .timeout = 1 + i % 5 };

		start_reader(&reader);
		run_fibers();
		if (reader.batch->error.status == ATH_OK)
			assert_int_equal(reader.value, 8);
		else
			assert_int_equal(reader.batch->error.status, ATH_ETIMEDOUT);
	}
	assert_int_equal(read_integer("select 5::int8"), 5);
}

/* ---- loss ----------------------------------------------------------------------------------- */

static void test_an_idle_pipeline_was_terminated(void **state)
{
	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	terminate_backends();
	assert_int_equal(read_integer("select 2::int8"), 2);
	assert_int_equal(backends(), 1);
}

static void test_terminated_under_way(void **state)
{
	static struct reader readers[MANY];

	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	/* waits at the server for what we hold, so that it is met at work */
	run_sql("select pg_advisory_lock(8)");
	for (int i = 0; i < MANY; i++) {
		readers[i] = (struct reader){
			.text = i > 0 ? "select 1::int8"
				      : "select 1::int8 from (select pg_advisory_xact_lock(8)) s"
		};
		start_reader(&readers[i]);
	}
	ath_loop_turn(loop, ath_now());
	while (ask_number("select count(*) from pg_locks where locktype = 'advisory' "
			  "and not granted") == 0)
		ath_loop_turn(loop, ath_now() + 1);
	terminate_backends();
	run_sql("select pg_advisory_unlock(8)");
	run_fibers();
	for (int i = 0; i < MANY; i++)
		assert_int_equal(readers[i].value, 1);
}

static void test_a_lost_query_is_sent_again_once(void **state)
{
	(void)state;
	tell_proxy(PROXY_LOSE_QUERY);
	assert_int_equal(read_integer("select 9::int8"), 9);
	assert_int_equal(proxy_counts->connections, 1);
	tell_proxy(PROXY_LOSE_ANSWER);
	assert_int_equal(read_integer("select 9::int8"), 9);
	assert_int_equal(proxy_counts->connections, 2);
}

/* The second loss is told: the statement kills its own backend each time. */
static void test_a_read_is_not_tried_three_times(void **state)
{
	struct ath_batch *batch;

	(void)state;
	batch = read_now("select pg_terminate_backend(pg_backend_pid())");
	assert_int_equal(batch->error.status, ATH_EUNAVAILABLE);
	assert_true(batch->lost);
	assert_int_equal(engine->connections, 2);
	assert_int_equal(read_integer("select 3::int8"), 3);
}

static bool proxied_pipeline_is_gone(void)
{
	return engine->pipeline_count == 0;
}

/* Away: the first to try waits for the refusal, the others are told at once. */
static void test_away_and_back(void **state)
{
	struct ath_batch *batch;

	(void)state;
	tell_proxy(PROXY_DOWN);
	assert_true(turn_until(proxied_pipeline_is_gone));
	batch = read_now("select 1::int8");
	assert_int_equal(batch->error.status, ATH_EUNAVAILABLE);
	assert_true(ath_engine_retry_after(engine) >= 1);
	assert_true(engine->retry.at > 0);
	engine->retry.at = ath_now() + 1000000; /* the pause is long: nobody tries meanwhile */
	batch = read_now("select 1::int8");
	assert_int_equal(batch->error.status, ATH_EUNAVAILABLE);
	assert_int_equal(engine->jobs, 0);
	assert_true(ath_engine_retry_after(engine) >= 1);
	tell_proxy(PROXY_UP);
	engine->retry.at = ath_now(); /* the pause is over */
	assert_int_equal(read_integer("select 1::int8"), 1);
	assert_int_equal(engine->retry.delay, 0);
}

/* Each failure doubles the pause up to its ceiling. */
static void test_the_pause_grows(void **state)
{
	static const int64_t pauses[] = { 100,  200,   400,   800,   1600, 3200,
					  6400, 12800, 25600, 32000, 32000 };

	(void)state;
	tell_proxy(PROXY_DOWN);
	assert_true(turn_until(proxied_pipeline_is_gone));
	for (size_t i = 0; i < ATH_COUNT(pauses); i++) {
		engine->retry.at = 0;
		assert_int_equal(read_now("select 1::int8")->error.status, ATH_EUNAVAILABLE);
		assert_int_equal(engine->retry.delay, pauses[i]);
	}
	tell_proxy(PROXY_UP);
}

/* ---- the engine's ends ---------------------------------------------------------------------- */

/* Nobody waits for the connection any more when the engine is closed. */
static void test_close_while_connecting(void **state)
{
	struct reader reader = { .text = "select 1::int8", .timeout = 1 };

	(void)state;
	tell_proxy(PROXY_HOLD);
	start_reader(&reader);
	run_fibers();
	assert_int_equal(reader.batch->error.status, ATH_ETIMEDOUT);
	assert_int_equal(engine->jobs, 1);
	tell_proxy(PROXY_RELEASE);
	ath_engine_close(&engine);
	assert_null(engine);
}

static int read_in_child(void)
{
	struct ath_batch *batch = read_now("select 1::int8");

	return batch->error.status == ATH_EINVAL ? 0 : 1;
}

static void test_refused_after_a_fork(void **state)
{
	pid_t child;
	int status;

	(void)state;
	for (int used = 0; used < 2; used++) {
		child = fork();
		if (child == 0)
			_exit(read_in_child());
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		assert_int_equal(read_integer("select 2::int8"), 2);
	}
}

/* What the child closes is its own: the parent's connection lives. */
static void test_closed_in_a_child(void **state)
{
	pid_t child;
	int status;

	(void)state;
	assert_int_equal(read_integer("select 2::int8"), 2);
	child = fork();
	if (child == 0) {
		ath_engine_close(&engine);
		_exit(engine == NULL ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read_integer("select 3::int8"), 3);
	assert_int_equal(proxy_counts->connections, 0);
}

static int setup_unconnected_proxy(void **state)
{
	(void)state;
	tell_proxy(PROXY_UP);
	return setup_with(proxy_url, 1);
}

static int start_all(void **state)
{
	if (create_database(state) != 0)
		return -1;
	start_proxy();
	return 0;
}

static int stop_all(void **state)
{
	stop_proxy();
	return drop_database(state);
}

#define DIRECT(test)  cmocka_unit_test_setup_teardown(test, setup, close_engine)
#define SINGLE(test)  cmocka_unit_test_setup_teardown(test, setup_single, close_engine)
#define PROXIED(test) cmocka_unit_test_setup_teardown(test, setup_proxy, close_engine)
#define UNCONNECTED(test)                                                                          \
	cmocka_unit_test_setup_teardown(test, setup_unconnected_proxy, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXIED(test_a_read_is_one_round_trip),
		PROXIED(test_reads_of_one_turn_share_a_connection),
		PROXIED(test_statements_beyond_the_table_are_prepared_again),
		DIRECT(test_a_batch_larger_than_the_table),
		SINGLE(test_an_error_touches_no_other_batch),
		SINGLE(test_statements_skipped_by_an_error_work_later),
		SINGLE(test_a_statement_that_returns_nothing_is_no_error),
		SINGLE(test_deallocated_behind_its_back),
		SINGLE(test_a_table_that_changed_shape),
		DIRECT(test_fast_reads_overtake_a_slow_one),
		SINGLE(test_there_are_never_more_than_allowed),
		SINGLE(test_a_deadline_passes),
		SINGLE(test_a_deadline_passes_outside_fibers),
		SINGLE(test_the_fibers_deadline_passes),
		SINGLE(test_a_cancelled_fiber),
		UNCONNECTED(test_a_deadline_passes_while_connecting),
		SINGLE(test_deadlines_around_the_answer),
		SINGLE(test_an_idle_pipeline_was_terminated),
		SINGLE(test_terminated_under_way),
		PROXIED(test_a_lost_query_is_sent_again_once),
		SINGLE(test_a_read_is_not_tried_three_times),
		PROXIED(test_away_and_back),
		PROXIED(test_the_pause_grows),
		UNCONNECTED(test_close_while_connecting),
		DIRECT(test_refused_after_a_fork),
		PROXIED(test_closed_in_a_child),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
