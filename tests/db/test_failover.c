/*
 * test_failover.c - a server that takes no writes any more: what is let go of, and what is not.
 * A database that is read-only for new sessions stands for a standby.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"
#include "hand_clock.h"

enum { RECENT_MS = 1000 };

static void accept_writes(bool accept)
{
	char sql[128];

	snprintf(sql, sizeof sql, "alter database %s set default_transaction_read_only = %s",
		 database_name, accept ? "off" : "on");
	run_sql("set default_transaction_read_only = off");
	run_sql(sql);
	if (pooler() != NULL) /* its sessions would stay as they are */
		terminate_backends();
}

static int setup(void **state)
{
	ended = 0;
	accept_writes(true);
	run_sql("create table if not exists written (id int)");
	return open_engine(state);
}

static struct ath_connection *checkout(void)
{
	struct ath_connection *connection;
	struct ath_error error = { 0 };

	if (ath_engine_checkout(engine, &connection, ATH_NEVER, &error) != ATH_OK)
		fail_msg("%s", error.message);
	return connection;
}

static enum ath_status write_on(struct ath_connection *connection, bool read_only)
{
	struct ath_batch *batch = one_statement("insert into written values (1)", NULL, 0);
	enum ath_status status;

	batch->read_only = read_only;
	status = ath_engine_run(engine, connection, batch, ATH_NEVER, false);
	ath_batch_clear(batch);
	return status;
}

static bool no_pipeline(void)
{
	return engine->pipeline_count == 0;
}

static void test_a_refused_write_lets_go_of_all(void **state)
{
	struct ath_connection *first, *second, *lent;

	(void)state;
	accept_writes(false);
	assert_int_equal(read_integer("select 1::int8"), 1);
	first = checkout();
	second = checkout();
	lent = checkout();
	hand_now += RECENT_MS;
	ath_engine_give_back(engine, &second);
	assert_int_equal(engine->idle_count, 1);
	assert_int_equal(write_on(first, false), ATH_EREADONLY);
	assert_int_equal(engine->idle_count, 0);
	accept_writes(true); /* the new primary */
	ath_engine_give_back(engine, &first);
	ath_engine_give_back(engine, &lent);
	assert_int_equal(engine->pool_count, 0);
	assert_true(turn_until(no_pipeline));
	first = checkout();
	assert_int_equal(write_on(first, false), ATH_OK);
	ath_engine_give_back(engine, &first);
	assert_int_equal(engine->idle_count, 1);
	assert_int_equal(read_integer("select 2::int8"), 2);
}

/* Two connections, one of which meets it: how many are left? */
static size_t left_by_a_refused_write(void)
{
	struct ath_connection *connection = checkout(), *other = checkout();

	ath_engine_give_back(engine, &other);
	assert_int_equal(write_on(connection, false), ATH_EREADONLY);
	ath_engine_give_back(engine, &connection);
	return engine->pool_count;
}

/* Otherwise each write would cost all connections while the server stays so. */
static void test_the_others_are_let_go_of_once_in_a_while(void **state)
{
	(void)state;
	accept_writes(false);
	hand_now++; /* the clock may stand at zero */
	assert_int_equal(left_by_a_refused_write(), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(left_by_a_refused_write(), 1);
	hand_now += RECENT_MS;
	assert_int_equal(left_by_a_refused_write(), 0);
}

static void test_a_read_only_transaction_means_nothing(void **state)
{
	struct ath_connection *connection;

	(void)state;
	accept_writes(false);
	connection = checkout();
	hand_now += RECENT_MS;
	assert_int_equal(write_on(connection, true), ATH_EREADONLY);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(engine->idle_count, 1);
}

/* Reads that are under way end where they are; the next ones go elsewhere. */
static void test_a_pipeline_leaves_when_it_is_free(void **state)
{
	struct reader slow = { .text = "select 1::int8 from (select pg_advisory_xact_lock(7)) s" };
	struct ath_connection *connection, *old;

	(void)state;
	accept_writes(false);
	assert_int_equal(read_integer("select 1::int8"), 1);
	old = engine->pipelines[0];
	connection = checkout();
	run_sql("select pg_advisory_lock(7)");
	start_reader(&slow);
	ath_loop_turn(loop, ath_now());
	hand_now += RECENT_MS;
	assert_int_equal(write_on(connection, false), ATH_EREADONLY);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(read_integer("select 2::int8"), 2);
	assert_false(slow.ended);
	assert_ptr_equal(engine->pipelines[0], old);
	run_sql("select pg_advisory_unlock(7)");
	run_fibers();
	assert_int_equal(slow.value, 1);
	hand_now += 1000;
	while (engine->pipelines[0] == old)
		ath_loop_turn(loop, ath_now());
	assert_int_equal(read_integer("select 3::int8"), 3);
}

/* ---- pipelines are read-only --------------------------------------------------------------- */

static void test_a_pipeline_takes_no_writes(void **state)
{
	struct ath_batch *batch;

	(void)state;
	NOT_POOLED("the session of a pipeline is another's as well");
	assert_int_equal(read_integer("select 1::int8"), 1);
	hand_now += RECENT_MS;
	batch = read_now("insert into written values (2)");
	assert_int_equal(batch->error.status, ATH_EREADONLY);
	assert_int_equal(ask_number("select count(*) from written where id = 2"), 0);
	assert_int_equal(read_integer("select 1::int8"), 1);
	assert_int_equal(engine->connections, 1); /* which says nothing of the server */
}

static void test_hosts_that_must_take_writes(void **state)
{
	struct ath_connection *connection;
	char url[1100];

	(void)state;
	NOT_POOLED("the session of a pipeline is another's as well");
	ath_engine_close(&engine);
	snprintf(url, sizeof url, "%.1000s&target_session_attrs=read-write", database_url);
	assert_int_equal(open_engine_with(url, (struct ath_engine_options){ 0 }), 0);
	assert_int_equal(read_integer("select 1::int8"), 1);
	assert_int_equal(read_now("insert into written values (2)")->error.status, ATH_EREADONLY);
	connection = checkout();
	assert_int_equal(write_on(connection, false), ATH_OK);
	ath_engine_give_back(engine, &connection);
	accept_writes(false);
	terminate_backends();
	assert_int_equal(read_now("select 1::int8")->error.status, ATH_EUNAVAILABLE);
	accept_writes(true);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_refused_write_lets_go_of_all),
		CASE(test_the_others_are_let_go_of_once_in_a_while),
		CASE(test_a_read_only_transaction_means_nothing),
		CASE(test_a_pipeline_leaves_when_it_is_free),
		CASE(test_a_pipeline_takes_no_writes),
		CASE(test_hosts_that_must_take_writes),
	};

	return cmocka_run_group_tests(tests, create_database, drop_database);
}
