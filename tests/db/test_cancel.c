/* test_cancel.c - reads that nobody waits for any more, and what their cancelling may hit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"
#include "proxy.h"

enum { FEW = 20 };

#define LOCKED "select 1::int8 from (select pg_advisory_xact_lock(7)) s"

static struct reader slow, fast[FEW];

/* Nothing but a cancel ends a statement. */
static int setup_with(const char *url, int pipelines)
{
	ended = 0;
	slow = (struct reader){ .text = "select 1::int8 from pg_sleep(3600)" };
	if (open_loop(NULL) != 0 ||
	    open_engine_with(url, (struct ath_engine_options){ .pipelines = pipelines,
							       .lock_timeout_ms = -1,
							       .statement_timeout_ms = -1 }) != 0)
		return -1;
	return read_integer("select 2::int8") == 2 ? 0 : -1;
}

static int setup(void **state)
{
	(void)state;
	return setup_with(database_url, 4);
}

static int setup_single(void **state)
{
	(void)state;
	return setup_with(database_url, 1);
}

static int setup_proxy(void **state)
{
	(void)state;
	tell_proxy(PROXY_UP);
	return setup_with(proxy_url, 1);
}

static bool somebody_waits(void)
{
	return ask_number("select count(*) from pg_stat_activity where state = 'active' and "
			  "datname = current_database() and pid <> pg_backend_pid()") > 0;
}

static bool nobody_waits(void)
{
	return !somebody_waits();
}

static void start_fast(void)
{
	for (int i = 0; i < FEW; i++) {
		fast[i] = (struct reader){ .text = "select 2::int8" };
		start_reader(&fast[i]);
	}
}

static void check_fast(void)
{
	for (int i = 0; i < FEW; i++)
		assert_int_equal(fast[i].value, 2);
}

/* The client leaves: the server stops, and whoever shares the connection gets its answer. */
static void leave_with_neighbours(void)
{
	start_reader(&slow);
	start_fast();
	assert_true(turn_until(somebody_waits));
	ath_fiber_cancel(slow.fiber);
	assert_true(turn_until(nobody_waits));
	run_fibers();
	assert_int_equal(slow.batch->error.status, ATH_ECANCELED);
	check_fast();
	start_fast(); /* a cancel that came late would hit these */
	run_fibers();
	check_fast();
	assert_true(engine->cancels > 0);
}

static void test_a_client_that_leaves(void **state)
{
	(void)state;
	NOT_POOLED("behind a pooler nothing is cancelled");
	leave_with_neighbours();
}

/* The one pipeline is stuck, so the pool has to do it. */
static void test_a_client_that_leaves_a_single_pipeline(void **state)
{
	(void)state;
	NOT_POOLED("behind a pooler nothing is cancelled");
	leave_with_neighbours();
	assert_int_equal(engine->pipeline_count, 1);
	assert_int_equal(engine->pool_count, 1);
}

static void test_a_deadline_that_passes(void **state)
{
	(void)state;
	NOT_POOLED("behind a pooler nothing is cancelled");
	slow.timeout = 10;
	start_reader(&slow);
	run_fibers();
	assert_int_equal(slow.batch->error.status, ATH_ETIMEDOUT);
	assert_true(turn_until(nobody_waits));
	assert_int_equal(read_integer("select 2::int8"), 2);
}

/* Closing waits for a cancel that is under way. */
static void test_closed_meanwhile(void **state)
{
	(void)state;
	NOT_POOLED("behind a pooler nothing is cancelled");
	slow.timeout = 10;
	start_reader(&slow);
	while (!slow.ended || ath_loop_fibers(loop) == 0)
		ath_loop_turn(loop, ATH_NEVER);
	ath_engine_close(&engine);
	assert_null(engine);
	assert_true(turn_until(nobody_waits));
}

static bool cancelled(void)
{
	return engine->cancels > 0 && engine->jobs == 0;
}

static bool one_waits(void)
{
	return ask_number("select count(*) from pg_locks where locktype = 'advisory' and "
			  "not granted and objid = 8") == 1;
}

/* What was moved is run where it was as well; as soon as it holds that up it is cancelled. */
static void test_what_a_moved_read_left_behind(void **state)
{
	struct reader moved = { .text = "select 1::int8 from (select pg_advisory_xact_lock(8)) s" };

	(void)state;
	NOT_POOLED("behind a pooler nothing is cancelled");
	run_sql("select pg_advisory_lock(7), pg_advisory_lock(8)");
	slow.text = LOCKED;
	start_reader(&slow);
	start_reader(&moved);
	while (engine->moves == 0)
		ath_loop_turn(loop, ATH_NEVER);
	assert_true(turn_until(one_waits));
	run_sql("select pg_advisory_unlock(7)");
	while (!slow.ended)
		ath_loop_turn(loop, ATH_NEVER);
	assert_true(turn_until(cancelled));
	assert_true(turn_until(one_waits));
	run_sql("select pg_advisory_unlock(8)");
	run_fibers();
	assert_int_equal(slow.value, 1);
	assert_int_equal(moved.value, 1);
}

/* ---- what it hits -------------------------------------------------------------------------- */

static void cancel_all(void)
{
	run_sql("select pg_cancel_backend(pid) from pg_stat_activity where state = 'active' and "
		"datname = current_database() and pid <> pg_backend_pid()");
}

static void hit_one_that_waits(void)
{
	run_sql("select pg_advisory_lock(7)");
	slow.text = LOCKED;
	start_reader(&slow);
	assert_true(turn_until(somebody_waits));
	cancel_all();
}

/* Cancels that were meant for those before it come late: many clients have left at once. */
static void test_one_that_is_hit_is_repeated(void **state)
{
	enum { HITS = 4 };

	(void)state;
	NOT_POOLED("behind a pooler nothing is cancelled");
	tell_proxy(PROXY_RESET);
	ath_connection_expect_cancel(engine->pipelines[0]);
	hit_one_that_waits();
	for (int hits = 1; hits <= HITS; hits++) {
		while (proxy_counts->syncs < hits + 1)
			ath_loop_turn(loop, ath_now() + 1);
		assert_false(slow.ended);
		assert_true(turn_until(somebody_waits));
		if (hits < HITS)
			cancel_all();
	}
	run_sql("select pg_advisory_unlock(7)");
	run_fibers();
	assert_int_equal(slow.value, 1);
	ath_connection_cancelled(engine->pipelines[0]);
	/* since it has been idle, a cancel is somebody's will */
	tell_proxy(PROXY_RESET);
	hit_one_that_waits();
	run_fibers();
	run_sql("select pg_advisory_unlock(7)");
	assert_string_equal(slow.batch->error.sqlstate, "57014");
	assert_int_equal(proxy_counts->syncs, 1);
}

/* The server's own limit has the same SQLSTATE, and is no hit. */
static void test_a_time_limit_is_no_hit(void **state)
{
	(void)state;
	ath_engine_close(&engine);
	assert_int_equal(open_engine_with(proxy_url,
					  (struct ath_engine_options){
						  .pipelines = 1, .statement_timeout_ms = 50 }),
			 0);
	assert_int_equal(read_integer("select 2::int8"), 2);
	ath_connection_expect_cancel(engine->pipelines[0]);
	tell_proxy(PROXY_RESET);
	start_reader(&slow);
	run_fibers();
	assert_string_equal(slow.batch->error.sqlstate, "57014");
	assert_int_equal(proxy_counts->syncs, 1);
	ath_connection_cancelled(engine->pipelines[0]);
}

/* Whoever leaves at whatever moment, nobody else notices. */
static void test_many_that_leave(void **state)
{
	static struct reader leaving[FEW];

	(void)state;
	NOT_POOLED("behind a pooler nothing is cancelled");
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < FEW; i++) {
			leaving[i] = (struct reader){ .text = "select 3::int8 from pg_sleep(0.01)",
						      .timeout = 1 + (i + round) % 15 };
			start_reader(&leaving[i]);
			fast[i] = (struct reader){ .text = "select 2::int8" };
			start_reader(&fast[i]);
		}
		run_fibers();
		check_fast();
		for (int i = 0; i < FEW; i++)
			if (leaving[i].batch->error.status == ATH_OK)
				assert_int_equal(leaving[i].value, 3);
			else
				assert_int_equal(leaving[i].batch->error.status, ATH_ETIMEDOUT);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRECT(test_a_client_that_leaves),
		SINGLE(test_a_client_that_leaves_a_single_pipeline),
		DIRECT(test_a_deadline_that_passes),
		DIRECT(test_closed_meanwhile),
		DIRECT(test_what_a_moved_read_left_behind),
		PROXIED(test_one_that_is_hit_is_repeated),
		PROXIED(test_a_time_limit_is_no_hit),
		DIRECT(test_many_that_leave),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
