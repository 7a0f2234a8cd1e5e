/* test_pool.c - connections lent to transactions: how many, to whom first, and in what state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"
#include "proxy.h"

enum { SIZE = 2, MANY = 12 };

/* A fiber that borrows a connection and keeps it until it is told to give it back. */
struct borrower {
	int64_t deadline;
	bool keep;
	struct ath_connection *connection;
	struct ath_error error;
	enum ath_status status;
	struct ath_fiber *fiber;
	int place; /* in the order of getting one, from one */
	bool has, ended;
};

static int served, holders, most_holders;

static void borrow(void *arg)
{
	struct borrower *borrower = arg;

	borrower->status = ath_engine_checkout(engine, &borrower->connection, borrower->deadline,
					       &borrower->error);
	borrower->has = borrower->connection != NULL;
	if (borrower->has) {
		borrower->place = ++served;
		holders++;
		most_holders = holders > most_holders ? holders : most_holders;
	}
	while (borrower->keep)
		(void)ath_sleep(1);
	holders -= borrower->has;
	ath_engine_give_back(engine, &borrower->connection);
	borrower->ended = true;
}

static void start_borrower(struct borrower *borrower, bool keep, int64_t deadline)
{
	*borrower = (struct borrower){ .keep = keep, .deadline = deadline };
	borrower->fiber = start(borrow, borrower, ATH_NEVER);
}

static void turn_while(const bool *flag, bool value)
{
	while (*flag == value)
		ath_loop_turn(loop, ATH_NEVER);
}

static int setup_with(const char *url)
{
	served = holders = most_holders = 0;
	return open_loop(NULL) ||
	       open_engine_with(url, (struct ath_engine_options){ .pool_size = SIZE,
								  .pool_timeout_ms = PATIENCE_MS,
								  .statement_timeout_ms = -1 });
}

static int setup(void **state)
{
	(void)state;
	return setup_with(database_url);
}

static int setup_proxy(void **state)
{
	(void)state;
	tell_proxy(PROXY_UP);
	return setup_with(proxy_url);
}

/* A statement on a lent connection; its status. */
static enum ath_status run_on(struct ath_connection *connection, const char *text, int64_t deadline)
{
	struct ath_batch *batch = one_statement(text, NULL, 0);
	enum ath_status status = ath_engine_run(engine, connection, batch, deadline, false);

	ath_batch_clear(batch);
	return status;
}

static struct ath_connection *checkout(void)
{
	struct ath_connection *connection;
	struct ath_error error = { 0 };

	if (ath_engine_checkout(engine, &connection, ath_now() + PATIENCE_MS, &error) != ATH_OK)
		fail_msg("%s", error.message);
	return connection;
}

/* ---- size and order ------------------------------------------------------------------------- */

static bool no_jobs(void)
{
	return engine->jobs == 0;
}

static void test_no_more_than_its_size(void **state)
{
	static struct borrower borrowers[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++)
		start_borrower(&borrowers[i], false, ATH_NEVER);
	run_fibers();
	assert_int_equal(served, MANY);
	assert_true(most_holders <= SIZE);
	assert_true(engine->pool_count <= SIZE);
	assert_true(turn_until(no_jobs));
	assert_int_equal(engine->pool_count, engine->idle_count);
	assert_true(backends() <= SIZE);
}

static void test_first_come_first_served(void **state)
{
	static struct borrower holder[SIZE], borrowers[MANY];

	(void)state;
	for (int i = 0; i < SIZE; i++)
		start_borrower(&holder[i], true, ATH_NEVER);
	for (int i = 0; i < SIZE; i++)
		turn_while(&holder[i].has, false);
	for (int i = 0; i < MANY; i++)
		start_borrower(&borrowers[i], false, ATH_NEVER);
	ath_loop_turn(loop, ath_now());
	assert_int_equal(served, SIZE);
	for (int i = 0; i < SIZE; i++)
		holder[i].keep = false;
	run_fibers();
	for (int i = 0; i < MANY; i++)
		assert_int_equal(borrowers[i].place, SIZE + i + 1);
	assert_int_equal(pooler() == NULL ? backends() : (long long)engine->pool_count, SIZE);
}

static void test_the_newest_idle_one_is_lent_again(void **state)
{
	struct ath_connection *first = checkout(), *second = checkout(), *again;

	(void)state;
	ath_engine_give_back(engine, &first);
	assert_null(first);
	again = second;
	ath_engine_give_back(engine, &second);
	second = checkout();
	assert_ptr_equal(second, again);
	ath_engine_give_back(engine, &second);
	ath_engine_give_back(engine, &second);
	assert_int_equal(engine->idle_count, 2);
}

/* ---- waits that end early ------------------------------------------------------------------- */

static void test_nobody_waits_longer_than_the_time_out(void **state)
{
	static struct borrower holder[SIZE], late;

	(void)state;
	for (int i = 0; i < SIZE; i++) {
		start_borrower(&holder[i], true, ATH_NEVER);
		turn_while(&holder[i].has, false);
	}
	engine->options.pool_timeout_ms = 30;
	start_borrower(&late, false, ATH_NEVER);
	turn_while(&late.ended, false);
	assert_false(late.has);
	assert_int_equal(late.status, ATH_EUNAVAILABLE);
	assert_int_equal(late.error.status, ATH_EUNAVAILABLE);
	assert_non_null(strstr(late.error.message, "all 2 connections"));
	assert_true(ath_engine_retry_after(engine) >= 1);
	/* who left the queue is not served: the next one is */
	holder[0].keep = holder[1].keep = false;
	run_fibers();
	start_borrower(&late, false, ATH_NEVER);
	run_fibers();
	assert_true(late.has);
	assert_int_equal(engine->idle_count, SIZE);
}

static void test_a_deadline_and_a_cancelled_fiber_leave_the_queue(void **state)
{
	static struct borrower holder[SIZE], late, cancelled, patient;

	(void)state;
	for (int i = 0; i < SIZE; i++) {
		start_borrower(&holder[i], true, ATH_NEVER);
		turn_while(&holder[i].has, false);
	}
	start_borrower(&cancelled, false, ATH_NEVER);
	start_borrower(&late, false, ath_now() + 10);
	start_borrower(&patient, false, ATH_NEVER);
	ath_loop_turn(loop, ath_now());
	ath_fiber_cancel(cancelled.fiber);
	turn_while(&cancelled.ended, false);
	turn_while(&late.ended, false);
	assert_int_equal(cancelled.error.status, ATH_ECANCELED);
	assert_int_equal(late.error.status, ATH_ETIMEDOUT);
	assert_false(cancelled.has || late.has || patient.has);
	holder[0].keep = false;
	turn_while(&patient.ended, false);
	assert_true(patient.has);
	holder[1].keep = false;
	run_fibers();
	assert_int_equal(engine->idle_count, SIZE);
}

/* The connection and the deadline come together: it is either given or kept, never lost. */
static void test_deadlines_around_the_giving_back(void **state)
{
	static struct borrower holder[SIZE], late;

	(void)state;
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < SIZE; i++) {
			start_borrower(&holder[i], true, ATH_NEVER);
			turn_while(&holder[i].has, false);
		}
		start_borrower(&late, false, ath_now() + 1 + round % 4);
		ath_loop_turn(loop, ath_now() + 1);
		holder[0].keep = holder[1].keep = false;
		run_fibers();
		assert_int_equal(late.has, late.status == ATH_OK);
		assert_int_equal(engine->idle_count, SIZE);
		assert_int_equal(engine->pool_count, SIZE);
	}
}

/* ---- in what state -------------------------------------------------------------------------- */

static void test_an_idle_one_that_was_killed_is_found(void **state)
{
	struct ath_connection *connection = checkout();

	(void)state;
	ath_engine_give_back(engine, &connection);
	terminate_backends();
	connection = checkout();
	assert_int_equal(run_on(connection, "select 1", ATH_NEVER), ATH_OK);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(engine->pool_count, 1);
}

/* What the loop notices by itself, it throws away by itself. */
static bool pool_is_empty(void)
{
	return engine->pool_count == 0;
}

static void test_the_loop_drops_an_idle_one_that_died(void **state)
{
	struct ath_connection *connection;

	(void)state;
	NOT_POOLED("the pooler's connections outlive the server's");
	connection = checkout();
	ath_engine_give_back(engine, &connection);
	terminate_backends();
	assert_true(turn_until(pool_is_empty));
	assert_int_equal(engine->idle_count, 0);
}

/* A remark of the server makes an idle connection readable, and is no reason to drop it. */
static void test_a_notice_is_no_death(void **state)
{
	struct ath_connection *connection = checkout(), *same = connection;

	(void)state;
	assert_int_equal(run_on(connection, "set client_min_messages to debug1", ATH_NEVER),
			 ATH_OK);
	assert_int_equal(run_on(connection, "listen remarks", ATH_NEVER), ATH_OK);
	ath_engine_give_back(engine, &connection);
	run_sql("notify remarks");
	connection = checkout();
	assert_ptr_equal(connection, same);
	ath_engine_give_back(engine, &connection);
}

/* What asked for the cancelling may stay; a pooler keeps those of the server. */
static bool nothing_left(void)
{
	return engine->jobs == 0 &&
	       (pooler() != NULL || backends() == (long long)engine->pipeline_count);
}

static void check_is_closed(struct ath_connection *connection)
{
	ath_engine_give_back(engine, &connection);
	assert_int_equal(engine->idle_count, 0);
	assert_int_equal(engine->pool_count, 0);
	assert_true(turn_until(nothing_left));
}

static void test_a_spoilt_one_is_closed(void **state)
{
	struct ath_connection *connection = checkout();

	(void)state;
	ath_connection_spoil(connection);
	check_is_closed(connection);
}

static void test_one_in_a_transaction_is_closed(void **state)
{
	struct ath_connection *connection = checkout();

	(void)state;
	assert_int_equal(run_on(connection, "begin", ATH_NEVER), ATH_OK);
	assert_true(ath_connection_in_transaction(connection));
	check_is_closed(connection);
}

/* It is at work for ever: it is cancelled, and nobody waits for it. */
static void test_one_at_work_is_cancelled_and_closed(void **state)
{
	struct ath_connection *connection = checkout();

	(void)state;
	assert_int_equal(run_on(connection, "select pg_sleep(3600)", ath_now() + 10),
			 ATH_ETIMEDOUT);
	check_is_closed(connection);
}

static void test_a_dead_one_makes_room_for_those_who_wait(void **state)
{
	static struct borrower borrowers[MANY];
	struct ath_connection *first, *second;

	(void)state;
	NOT_POOLED("the pooler's connections outlive the server's");
	first = checkout();
	second = checkout();
	for (int i = 0; i < MANY; i++)
		start_borrower(&borrowers[i], false, ATH_NEVER);
	ath_loop_turn(loop, ath_now());
	assert_int_equal(served, 0);
	terminate_backends();
	assert_int_equal(run_on(first, "select 1", ATH_NEVER), ATH_EUNAVAILABLE);
	assert_true(ath_connection_is_dead(first));
	ath_engine_give_back(engine, &first);
	ath_engine_give_back(engine, &second);
	run_fibers();
	assert_int_equal(served, MANY);
}

/* A write is sent once: the second half of the pair shows that the first was not repeated. */
static void test_a_write_is_not_sent_again(void **state)
{
	struct ath_connection *connection = checkout();

	(void)state;
	run_sql("drop sequence if exists writes; create sequence writes");
	assert_int_equal(run_on(connection, "select nextval('writes')", ATH_NEVER), ATH_OK);
	tell_proxy(PROXY_LOSE_ANSWER);
	assert_int_equal(run_on(connection, "select nextval('writes')", ATH_NEVER),
			 ATH_EUNAVAILABLE);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(ask_number("select last_value from writes"), 2);
}

/* ---- away ----------------------------------------------------------------------------------- */

static void test_everyone_is_told_that_it_is_away(void **state)
{
	static struct borrower borrowers[MANY];

	(void)state;
	tell_proxy(PROXY_DOWN);
	for (int i = 0; i < MANY; i++)
		start_borrower(&borrowers[i], false, ATH_NEVER);
	run_fibers();
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(borrowers[i].status, ATH_EUNAVAILABLE);
		assert_int_equal(borrowers[i].error.status, ATH_EUNAVAILABLE);
		assert_true(borrowers[i].error.message[0] != '\0');
	}
	assert_true(turn_until(no_jobs));
	assert_int_equal(engine->pool_count, 0);
	/* at once now, without another try */
	engine->retry.at = ath_now() + 1000000;
	start_borrower(&borrowers[0], false, ATH_NEVER);
	run_fibers();
	assert_int_equal(borrowers[0].status, ATH_EUNAVAILABLE);
	assert_true(ath_engine_retry_after(engine) > 900);
	tell_proxy(PROXY_UP);
	engine->retry.at = 0;
	start_borrower(&borrowers[0], false, ATH_NEVER);
	run_fibers();
	assert_int_equal(borrowers[0].status, ATH_OK);
}

static void test_close_with_connects_under_way(void **state)
{
	static struct borrower borrowers[SIZE];

	(void)state;
	tell_proxy(PROXY_HOLD);
	for (int i = 0; i < SIZE; i++)
		start_borrower(&borrowers[i], false, ath_now() + 1);
	run_fibers();
	assert_int_equal(engine->jobs, SIZE);
	for (int i = 0; i < SIZE; i++)
		assert_int_equal(borrowers[i].status, ATH_ETIMEDOUT);
	tell_proxy(PROXY_RELEASE);
	ath_engine_close(&engine);
	assert_null(engine);
}

/* ---- after a fork --------------------------------------------------------------------------- */

static int borrow_in_child(void)
{
	struct ath_connection *connection;
	struct ath_error error = { 0 };

	return ath_engine_checkout(engine, &connection, ATH_NEVER, &error) == ATH_EINVAL &&
			       connection == NULL
		       ? 0
		       : 1;
}

static void test_refused_after_a_fork(void **state)
{
	struct ath_connection *connection = checkout();
	pid_t child;
	int status;

	(void)state;
	ath_engine_give_back(engine, &connection);
	child = fork();
	if (child == 0)
		_exit(borrow_in_child());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	connection = checkout();
	assert_int_equal(run_on(connection, "select 1", ATH_NEVER), ATH_OK);
	ath_engine_give_back(engine, &connection);
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
#define PROXIED(test) cmocka_unit_test_setup_teardown(test, setup_proxy, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRECT(test_no_more_than_its_size),
		DIRECT(test_first_come_first_served),
		DIRECT(test_the_newest_idle_one_is_lent_again),
		DIRECT(test_nobody_waits_longer_than_the_time_out),
		DIRECT(test_a_deadline_and_a_cancelled_fiber_leave_the_queue),
		DIRECT(test_deadlines_around_the_giving_back),
		DIRECT(test_an_idle_one_that_was_killed_is_found),
		DIRECT(test_the_loop_drops_an_idle_one_that_died),
		DIRECT(test_a_notice_is_no_death),
		DIRECT(test_a_spoilt_one_is_closed),
		DIRECT(test_one_in_a_transaction_is_closed),
		DIRECT(test_one_at_work_is_cancelled_and_closed),
		DIRECT(test_a_dead_one_makes_room_for_those_who_wait),
		PROXIED(test_a_write_is_not_sent_again),
		PROXIED(test_everyone_is_told_that_it_is_away),
		PROXIED(test_close_with_connects_under_way),
		DIRECT(test_refused_after_a_fork),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
