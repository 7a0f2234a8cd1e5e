/*
 * test_pooler.c - what crosses to a pooler of transactions: nothing that outlives one, and one
 * batch at a time. The proxy counts; that a real pooler bears it is another test's matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"
#include "proxy.h"

enum { MANY = 50 };

static int setup_with(int pipelines)
{
	char url[1200];

	ended = 0;
	tell_proxy(PROXY_UP);
	snprintf(url, sizeof url,
		 "%s&prepared_statements=off&statement_timeout=20000&"
		 "lock_timeout=7000&idle_timeout=9000",
		 proxy_url);
	if (open_loop(NULL) != 0 ||
	    open_engine_with(url, (struct ath_engine_options){ .pipelines = pipelines }) != 0)
		return -1;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_with(1);
}

static int setup_four(void **state)
{
	(void)state;
	return setup_with(4);
}

static const char limits[] = "select (current_setting('statement_timeout') = '20s')::int + "
			     "(current_setting('lock_timeout') = '7s')::int + "
			     "(current_setting('idle_in_transaction_session_timeout') = '9s')::int";

static struct ath_connection *checkout(void)
{
	struct ath_connection *connection;
	struct ath_error error = { 0 };

	if (ath_engine_checkout(engine, &connection, ATH_NEVER, &error) != ATH_OK)
		fail_msg("%s", error.message);
	return connection;
}

static struct ath_batch *run_all(struct ath_connection *connection, const char *const *texts,
				 size_t count)
{
	struct ath_batch *batch = new_batch(count);

	for (size_t i = 0; i < count; i++)
		set_statement(batch, i, texts[i], NULL, 0);
	if (ath_engine_run(engine, connection, batch, ATH_NEVER, false) != ATH_OK)
		print_message("%s\n", batch->error.message);
	return batch;
}

static int64_t run_one(struct ath_connection *connection, const char *text)
{
	return integer_of(run_all(connection, &text, 1));
}

static void test_nothing_is_prepared(void **state)
{
	static const char prepared[] = "select count(*) from pg_prepared_statements";
	struct ath_connection *connection = checkout();

	(void)state;
	assert_int_equal(read_integer(prepared), 0);
	assert_int_equal(read_integer(prepared), 0);
	assert_int_equal(run_one(connection, prepared), 0);
	assert_int_equal(run_one(connection, prepared), 0);
	ath_engine_give_back(engine, &connection);
}

static void test_parameters_keep_their_types(void **state)
{
	struct ath_value values[] = { ath_value_int64(40), ath_value_text("2") };
	struct ath_batch *batch = one_statement("select $1 + $2", values, 2);

	(void)state;
	assert_int_equal(ath_engine_read(engine, batch, ATH_NEVER), ATH_OK);
	assert_int_equal(integer_of(batch), 42);
}

/* Each transaction begins with them, in the same round trip. */
static void test_the_limits_go_with_the_transaction(void **state)
{
	static const char *const begin[] = { "BEGIN ISOLATION LEVEL SERIALIZABLE", limits };
	struct ath_connection *connection = checkout();
	struct ath_batch *batch;

	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	tell_proxy(PROXY_RESET);
	assert_int_equal(read_integer(limits), 3);
	assert_int_equal(proxy_counts->round_trips, 1);
	assert_int_equal(run_one(connection, limits), 3);
	assert_int_equal(proxy_counts->executes, 4);
	/* behind BEGIN, and not again in the same transaction */
	batch = run_all(connection, begin, 2);
	assert_string_equal(batch->driver->tag(batch->results[0]), "BEGIN");
	assert_int_equal(batch->driver->rows(batch->results[1]), 1);
	ath_batch_clear(batch);
	tell_proxy(PROXY_RESET);
	assert_int_equal(run_one(connection, limits), 3);
	assert_int_equal(proxy_counts->executes, 1);
	(void)run_one(connection, "ROLLBACK");
	assert_int_equal(proxy_counts->executes, 2);
	assert_int_equal(run_one(connection, limits), 3);
	assert_int_equal(proxy_counts->executes, 4);
	ath_engine_give_back(engine, &connection);
}

/* Nor with the start of the connection, which a pooler refuses. */
static void test_the_session_has_no_limits(void **state)
{
	(void)state;
	assert_int_equal(read_integer("select reset_val::int8 from pg_settings "
				      "where name = 'lock_timeout'"),
			 0);
}

static void test_a_limit_ends_a_statement(void **state)
{
	struct ath_engine_options options = { .prepared_statements = ATH_PREPARED_OFF,
					      .statement_timeout_ms = 20 };

	(void)state;
	ath_engine_close(&engine);
	assert_int_equal(open_engine_with(database_url, options), 0);
	assert_string_equal(read_now("select pg_sleep(60)")->error.sqlstate, "57014");
	assert_int_equal(read_integer("select 1::int8"), 1);
}

/* While no answer passes, nothing more goes out; then each gets its own. */
static void test_one_batch_at_a_time(void **state)
{
	static struct reader readers[MANY];
	static char texts[MANY][40];

	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	tell_proxy(PROXY_RESET);
	tell_proxy(PROXY_HOLD);
	for (int i = 0; i < MANY; i++) {
		snprintf(texts[i], sizeof texts[i],
			 i % 10 == 3 ? "select %d / 0" : "select %d::int8", i);
		readers[i] = (struct reader){ .text = texts[i] };
		start_reader(&readers[i]);
	}
	for (int i = 0; i < 20; i++)
		ath_loop_turn(loop, ath_now() + 1);
	assert_int_equal(proxy_counts->syncs, 1);
	tell_proxy(PROXY_RELEASE);
	run_fibers();
	for (int i = 0; i < MANY; i++)
		if (i % 10 == 3)
			assert_string_equal(readers[i].batch->error.sqlstate, "22012");
		else
			assert_int_equal(readers[i].value, i);
	assert_int_equal(proxy_counts->syncs, MANY);
	assert_int_equal(proxy_counts->executes, 2 * MANY);
}

static void test_leaving_the_queue(void **state)
{
	static struct reader readers[6];

	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	tell_proxy(PROXY_HOLD);
	for (int i = 0; i < 6; i++) {
		readers[i] =
			(struct reader){ .text = "select 5::int8", .timeout = i % 2 == 1 ? 10 : 0 };
		start_reader(&readers[i]);
	}
	while (ended < 3)
		ath_loop_turn(loop, ATH_NEVER);
	for (int i = 1; i < 6; i += 2)
		memset(readers[i].batch, 0xa5, sizeof *readers[i].batch);
	tell_proxy(PROXY_RELEASE);
	run_fibers();
	for (int i = 0; i < 6; i += 2)
		assert_int_equal(readers[i].value, 5);
}

/* Those in the queue are lost with the connection, and repeated. */
static void test_the_connection_is_lost(void **state)
{
	static struct reader readers[6];

	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	tell_proxy(PROXY_LOSE_ANSWER);
	for (int i = 0; i < 6; i++) {
		readers[i] = (struct reader){ .text = "select 5::int8" };
		start_reader(&readers[i]);
	}
	run_fibers();
	for (int i = 0; i < 6; i++)
		assert_int_equal(readers[i].value, 5);
}

/* Those behind a slow one are not sent twice, because they were not sent yet. */
static void test_those_in_the_queue_move(void **state)
{
	struct reader slow = { .text = "select 1::int8 from (select pg_advisory_xact_lock(7)) s" };
	static struct reader fast[6];

	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	run_sql("select pg_advisory_lock(7)");
	tell_proxy(PROXY_RESET);
	start_reader(&slow);
	ath_loop_turn(loop, ath_now());
	for (int i = 0; i < 6; i++) {
		fast[i] = (struct reader){ .text = "select 5::int8" };
		start_reader(&fast[i]);
	}
	while (ended < 6)
		ath_loop_turn(loop, ATH_NEVER);
	assert_false(slow.ended);
	assert_int_equal(proxy_counts->syncs, 7);
	run_sql("select pg_advisory_unlock(7)");
	run_fibers();
	for (int i = 0; i < 6; i++)
		assert_int_equal(fast[i].value, 5);
	assert_int_equal(slow.value, 1);
}

/* It may be another's session by now. */
static void test_no_state_is_reset(void **state)
{
	struct ath_connection *connection = checkout();

	(void)state;
	assert_int_equal(run_one(connection, "select 1::int8"), 1);
	ath_connection_touch(connection);
	tell_proxy(PROXY_RESET);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(proxy_counts->round_trips, 0);
	assert_int_equal(engine->idle_count, 1);
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

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, close_engine)
#define FOUR(test) cmocka_unit_test_setup_teardown(test, setup_four, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_nothing_is_prepared),
		CASE(test_parameters_keep_their_types),
		CASE(test_the_limits_go_with_the_transaction),
		CASE(test_the_session_has_no_limits),
		CASE(test_a_limit_ends_a_statement),
		CASE(test_one_batch_at_a_time),
		CASE(test_leaving_the_queue),
		CASE(test_the_connection_is_lost),
		FOUR(test_those_in_the_queue_move),
		CASE(test_no_state_is_reset),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
