/*
 * test_pool_load.c - whether it makes sense to wait for a connection: in a burst it does, behind
 * others that have been waiting all the time it may not. What the pool remembers is set where a
 * test would have to wait for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"

enum { SIZE = 2 };

static struct ath_connection *lent[SIZE];

/* Waits for a connection, and gives it back when the test says so. */
struct waiter {
	int64_t left; /* of its deadline; 0: it has none */
	struct ath_error error;
	enum ath_status status;
	struct ath_connection *connection;
	bool ended;
};

static void wait_task(void *arg)
{
	struct waiter *waiter = arg;
	int64_t deadline = waiter->left == 0 ? ATH_NEVER : ath_now() + waiter->left;

	waiter->status = ath_engine_checkout(engine, &waiter->connection, deadline, &waiter->error);
	ath_engine_give_back(engine, &waiter->connection);
	waiter->ended = true;
}

static void start_waiter(struct waiter *waiter, int64_t left)
{
	*waiter = (struct waiter){ .left = left };
	start(wait_task, waiter, ATH_NEVER);
	ath_loop_turn(loop, ath_now());
}

/* All connections are lent. */
static int setup(void **state)
{
	struct ath_error error = { 0 };

	if (open_loop(state) != 0 ||
	    open_engine_with(database_url,
			     (struct ath_engine_options){ .pool_size = SIZE,
							  .pool_timeout_ms = PATIENCE_MS }) != 0)
		return -1;
	for (int i = 0; i < SIZE; i++)
		if (ath_engine_checkout(engine, &lent[i], ATH_NEVER, &error) != ATH_OK)
			return -1;
	return 0;
}

static void give_all_back(void)
{
	for (int i = 0; i < SIZE; i++)
		ath_engine_give_back(engine, &lent[i]);
	run_fibers();
}

/* One waits, and somebody has for so long; a connection is usually lent for so long. */
static void let_one_wait(struct waiter *waiter, int64_t since_ms, int64_t lease_ms)
{
	start_waiter(waiter, 0);
	assert_int_equal(engine->load.waiting, 1);
	engine->load.waited_since = ath_now() - since_ms;
	engine->load.lease_us = lease_ms * 1000;
	engine->load.unshared_ms = 0;
	engine->load.at = ath_now();
}

static void test_a_burst_waits(void **state)
{
	struct waiter first, second;

	(void)state;
	let_one_wait(&first, 0, 4 * PATIENCE_MS);
	start_waiter(&second, 0);
	assert_int_equal(engine->load.waiting, 2);
	give_all_back();
	assert_int_equal(first.status, ATH_OK);
	assert_int_equal(second.status, ATH_OK);
	assert_int_equal(engine->load.waiting, 0);
	assert_int_equal(engine->load.lent, 0);
}

/* 100 ms each: 50 ms for each that waits before. */
static void test_behind_a_queue_that_stands_few_may_wait(void **state)
{
	enum { MOST = ATH_STANDING_MS / 50 };
	static struct waiter waiters[3 * MOST];
	struct ath_engine_stats stats;
	size_t refused = 0;

	(void)state;
	let_one_wait(&waiters[0], ATH_STANDING_MS, 100);
	for (size_t i = 1; i < ATH_COUNT(waiters); i++) {
		engine->load.unshared_ms = 0; /* the test may be slow */
		start_waiter(&waiters[i], 0);
		refused += waiters[i].ended;
	}
	assert_int_equal(engine->load.waiting, MOST);
	assert_int_equal(refused, ATH_COUNT(waiters) - MOST);
	assert_int_equal(waiters[MOST].status, ATH_EUNAVAILABLE);
	assert_string_equal(waiters[MOST].error.message,
			    "10 wait for a connection already: it would take 550 ms");
	ath_engine_get_stats(engine, &stats);
	assert_int_equal(stats.pool_refused, refused);
	assert_int_equal(stats.pool_waiting, MOST);
	assert_int_equal(stats.pool_lent, SIZE);
	give_all_back();
	for (size_t i = 0; i < MOST; i++)
		assert_int_equal(waiters[i].status, ATH_OK);
	/* and it is over */
	assert_int_equal(engine->load.waited_since, ATH_NEVER);
}

/* 2 s for the one before, and 2 s for its own work. */
static void test_a_deadline_counts(void **state)
{
	struct waiter first, late, early;

	(void)state;
	let_one_wait(&first, ATH_STANDING_MS, 2000);
	start_waiter(&late, 3500);
	assert_true(late.ended);
	assert_int_equal(late.status, ATH_EUNAVAILABLE);
	start_waiter(&early, PATIENCE_MS);
	assert_false(early.ended);
	give_all_back();
	assert_int_equal(early.status, ATH_OK);
}

/* Nothing has been given back for so long that it cannot be soon. */
static void test_leases_that_do_not_end_count(void **state)
{
	struct waiter first, second;

	(void)state;
	let_one_wait(&first, ATH_STANDING_MS, 0);
	engine->load.at -= 2 * PATIENCE_MS;
	start_waiter(&second, 0);
	assert_true(second.ended);
	assert_int_equal(second.status, ATH_EUNAVAILABLE);
	give_all_back();
}

static void test_the_time_of_a_lease_is_learnt(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		engine->load.at = ath_now() - 40; /* so long since the last change */
		ath_engine_give_back(engine, &lent[0]);
		lent[0] = NULL;
		assert_int_equal(
			ath_engine_checkout(engine, &lent[0], ATH_NEVER, &(struct ath_error){ 0 }),
			ATH_OK);
	}
	/* two were lent all the time, and one of them was given back every 40 ms */
	assert_in_range(engine->load.lease_us, 79000, 200000);
	give_all_back();
}

static void test_there_is_a_bound_in_any_case(void **state)
{
	enum { MOST = 1000 };
	struct waiter *waiters = calloc(MOST + 1, sizeof *waiters);

	(void)state;
	for (int i = 0; i <= MOST; i++)
		start_waiter(&waiters[i], 0);
	assert_int_equal(engine->load.waiting, MOST);
	assert_true(waiters[MOST].ended);
	assert_string_equal(waiters[MOST].error.message, "1000 wait for a connection already");
	give_all_back();
	for (int i = 0; i < MOST; i++)
		assert_int_equal(waiters[i].status, ATH_OK);
	free(waiters);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_burst_waits),
		CASE(test_behind_a_queue_that_stands_few_may_wait),
		CASE(test_a_deadline_counts),
		CASE(test_leases_that_do_not_end_count),
		CASE(test_the_time_of_a_lease_is_learnt),
		CASE(test_there_is_a_bound_in_any_case),
	};

	return cmocka_run_group_tests(tests, create_database, drop_database);
}
