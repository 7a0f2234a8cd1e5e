/* test_load.c - pipelines that are stuck: who leaves them, and how many there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"
#include "hand_clock.h"

enum { SLOW_MS = 4, FEW = 5, PIPELINES = 4 };

/* Waits at the server until we give back the lock of that number. */
#define SLOW(number) "select 1::int8 from (select pg_advisory_xact_lock(" #number ")) s"

static struct reader slow[PIPELINES + 1], fast[FEW];

static int setup(void **state)
{
	ended = 0;
	if (open_loop(state) != 0 ||
	    open_engine_with(database_url, (struct ath_engine_options){ .pipelines = PIPELINES }) !=
		    0)
		return -1;
	run_sql("select pg_advisory_unlock_all()");
	for (int i = 0; i <= PIPELINES; i++)
		slow[i] = (struct reader){ .text = NULL };
	return read_integer("select 2::int8") == 2 ? 0 : -1;
}

static void start_slow(int i)
{
	static const char *const texts[] = { SLOW(0), SLOW(1), SLOW(2), SLOW(3), SLOW(4) };
	char lock[64];

	snprintf(lock, sizeof lock, "select pg_advisory_lock(%d)", i);
	run_sql(lock);
	slow[i] = (struct reader){ .text = texts[i] };
	start_reader(&slow[i]);
}

static void unlock(int i)
{
	char sql[64];

	snprintf(sql, sizeof sql, "select pg_advisory_unlock(%d)", i);
	run_sql(sql);
}

static void start_fast(void)
{
	for (int i = 0; i < FEW; i++) {
		fast[i] = (struct reader){ .text = "select 2::int8" };
		start_reader(&fast[i]);
	}
}

/* They are sent in this turn. */
static void turn(void)
{
	ath_loop_turn(loop, ath_now());
}

/* Until so many are under way and all else has been answered. */
static void settle(size_t count)
{
	size_t under_way;

	do {
		turn();
		under_way = engine->pipelines_opening;
		for (size_t i = 0; i < engine->pipeline_count; i++)
			under_way += ath_connection_outstanding(engine->pipelines[i]);
	} while (under_way != count);
}

static void turn_until_ended(const struct reader *reader)
{
	while (!reader->ended)
		ath_loop_turn(loop, ATH_NEVER);
}

static void check_fast(void)
{
	for (int i = 0; i < FEW; i++)
		turn_until_ended(&fast[i]);
	for (int i = 0; i < FEW; i++)
		assert_int_equal(fast[i].value, 2);
}

static void finish(void)
{
	run_sql("select pg_advisory_unlock_all()");
	run_fibers();
}

static bool has_three(void)
{
	return engine->pipeline_count == 3;
}

static void test_those_behind_a_stuck_one_leave(void **state)
{
	(void)state;
	start_slow(0);
	start_fast();
	turn();
	assert_int_equal(engine->pipeline_count, 1);
	hand_now += SLOW_MS;
	check_fast();
	assert_false(slow[0].ended);
	assert_int_equal(engine->moves, FEW);
	finish();
	assert_int_equal(slow[0].value, 1);
	/* what they left behind was answered too, and is in nobody's way */
	assert_int_equal(read_integer("select 3::int8"), 3);
}

/* Who is alone needs no reserve; from the second on there is one. */
static void test_a_slow_read_that_is_alone(void **state)
{
	(void)state;
	start_slow(0);
	settle(1);
	hand_now += SLOW_MS;
	settle(1);
	assert_int_equal(engine->connections, 1);
	start_fast();
	check_fast();
	assert_true(turn_until(has_three));
	finish();
}

/* Each is the head for less than that, while the last waits for many times as long. */
static void test_heads_that_change_are_not_stuck(void **state)
{
	(void)state;
	NOT_POOLED("a busy connection is a reason for another one");
	for (int i = 0; i <= PIPELINES; i++)
		start_slow(i);
	start_fast();
	turn();
	for (int i = 0; i <= PIPELINES; i++) {
		hand_now += SLOW_MS - 1;
		turn();
		unlock(i);
		turn_until_ended(&slow[i]);
	}
	check_fast();
	assert_int_equal(engine->moves, 0);
	assert_int_equal(engine->pipeline_count, 1);
}

static bool has_all(void)
{
	return engine->pipeline_count == PIPELINES;
}

/* The next one is there before it is needed, and no other is made of it. */
static void test_one_is_kept_in_reserve(void **state)
{
	(void)state;
	engine->crowded = true;
	start_slow(0);
	turn();
	hand_now += SLOW_MS;
	assert_true(turn_until(has_three));
	settle(1);
	assert_true(has_three());
	start_slow(1);
	start_fast();
	turn();
	hand_now += SLOW_MS;
	check_fast();
	assert_false(slow[0].ended || slow[1].ended);
	assert_true(turn_until(has_all));
	finish();
}

static void test_where_all_are_stuck_one_waits_for_the_first(void **state)
{
	(void)state;
	engine->crowded = true;
	for (int i = 0; i < PIPELINES; i++) {
		start_slow(i);
		settle((size_t)i + 1);
		hand_now += SLOW_MS;
		while (engine->pipeline_count < (size_t)(i + 2 < PIPELINES ? i + 2 : PIPELINES))
			ath_loop_turn(loop, ATH_NEVER);
	}
	start_fast();
	turn();
	hand_now += SLOW_MS;
	turn();
	assert_int_equal(engine->moves, 0);
	assert_int_equal(engine->pipeline_count + engine->pipelines_opening, PIPELINES);
	unlock(3);
	turn_until_ended(&slow[3]);
	hand_now += SLOW_MS;
	check_fast();
	assert_false(slow[0].ended || slow[1].ended || slow[2].ended);
	finish();
}

/* The server has to do twice what is moved: beyond a part of all reads nothing is. */
static void test_moving_is_bounded(void **state)
{
	(void)state;
	engine->move_credit = 0;
	start_slow(0);
	start_fast();
	turn();
	hand_now += SLOW_MS;
	assert_true(turn_until(has_three));
	turn();
	assert_int_equal(engine->moves, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(read_integer("select 3::int8"), 3);
	hand_now += SLOW_MS;
	check_fast();
	assert_int_equal(engine->moves, FEW);
	finish();
}

static void test_a_moved_read_is_lost_and_repeated(void **state)
{
	(void)state;
	start_slow(0);
	start_fast();
	turn();
	hand_now += SLOW_MS;
	while (engine->moves < FEW || !has_three())
		ath_loop_turn(loop, ATH_NEVER);
	run_sql("select pg_advisory_unlock_all()");
	terminate_backends();
	check_fast();
	run_fibers();
	assert_int_equal(slow[0].value, 1);
}

/* It is let go of where it is, not where it was. */
static void test_a_moved_read_is_given_up(void **state)
{
	(void)state;
	start_slow(0);
	start_slow(1);
	slow[1].timeout = 100;
	turn();
	hand_now += SLOW_MS;
	while (engine->moves < 1)
		ath_loop_turn(loop, ATH_NEVER);
	hand_now += 100;
	turn_until_ended(&slow[1]);
	assert_int_equal(slow[1].batch->error.status, ATH_ETIMEDOUT);
	memset(slow[1].batch, 0xa5, sizeof *slow[1].batch);
	finish();
	assert_int_equal(read_integer("select 3::int8"), 3);
}

static bool has_one(void)
{
	return engine->pipeline_count == 1;
}

static bool has_two(void)
{
	return engine->pipeline_count == 2;
}

static void test_idle_ones_are_closed(void **state)
{
	(void)state;
	engine->crowded = true;
	start_slow(0);
	turn();
	hand_now += SLOW_MS;
	assert_true(turn_until(has_three));
	finish();
	settle(0);
	assert_int_equal(engine->moves, 0);
	hand_now += engine->pipeline_idle_ms - 2 * SLOW_MS;
	turn();
	assert_true(has_three());
	hand_now += 2 * SLOW_MS;
	assert_true(turn_until(has_one));
	assert_int_equal(read_integer("select 3::int8"), 3);
}

/* Once reads have had to move, the second one stays. */
static void test_two_stay_where_reads_were_slow(void **state)
{
	(void)state;
	start_slow(0);
	start_fast();
	turn();
	hand_now += SLOW_MS;
	check_fast();
	assert_true(turn_until(has_three));
	finish();
	settle(0);
	hand_now += engine->pipeline_idle_ms;
	assert_true(turn_until(has_two));
	hand_now += engine->pipeline_idle_ms;
	turn();
	assert_true(has_two());
}

static void test_one_at_work_is_not_idle(void **state)
{
	(void)state;
	engine->crowded = true;
	start_slow(0);
	turn();
	hand_now += SLOW_MS;
	assert_true(turn_until(has_three));
	settle(1);
	hand_now += engine->pipeline_idle_ms;
	turn();
	assert_true(has_two()); /* it, and one to read on */
	finish();
	assert_int_equal(slow[0].value, 1);
	assert_int_equal(engine->connections, 3); /* it was not lost and repeated */
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_those_behind_a_stuck_one_leave),
		CASE(test_a_slow_read_that_is_alone),
		CASE(test_heads_that_change_are_not_stuck),
		CASE(test_one_is_kept_in_reserve),
		CASE(test_where_all_are_stuck_one_waits_for_the_first),
		CASE(test_moving_is_bounded),
		CASE(test_a_moved_read_is_lost_and_repeated),
		CASE(test_a_moved_read_is_given_up),
		CASE(test_idle_ones_are_closed),
		CASE(test_two_stay_where_reads_were_slow),
		CASE(test_one_at_work_is_not_idle),
	};

	return cmocka_run_group_tests(tests, create_database, drop_database);
}
