/* test_pool_options.c - overflow, age, and the state in which a lent connection comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"
#include "hand_clock.h"
#include "proxy.h"

enum { SIZE = 1, OVERFLOW = 2, RECYCLE_S = 60 };

static int setup_with(const char *url)
{
	return open_loop(NULL) ||
	       open_engine_with(url, (struct ath_engine_options){ .pool_size = SIZE,
								  .max_overflow = OVERFLOW,
								  .pool_recycle_s = RECYCLE_S,
								  .statement_timeout_ms = 20000,
								  .lock_timeout_ms = 7000,
								  .idle_timeout_ms = 9000 });
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

static struct ath_connection *checkout(void)
{
	struct ath_connection *connection;
	struct ath_error error = { 0 };

	if (ath_engine_checkout(engine, &connection, ATH_NEVER, &error) != ATH_OK)
		fail_msg("%s", error.message);
	return connection;
}

static enum ath_status run_on(struct ath_connection *connection, const char *text)
{
	struct ath_batch *batch = one_statement(text, NULL, 0);
	enum ath_status status = ath_engine_run(engine, connection, batch, ATH_NEVER, false);

	if (status != ATH_OK)
		print_message("%s: %s\n", text, batch->error.message);
	ath_batch_clear(batch);
	return status;
}

static int64_t integer_on(struct ath_connection *connection, const char *text)
{
	struct ath_batch *batch = one_statement(text, NULL, 0);

	(void)!ath_engine_run(engine, connection, batch, ATH_NEVER, false);
	return integer_of(batch);
}

/* ---- how many ------------------------------------------------------------------------------- */

struct borrower {
	struct ath_connection *connection;
	bool keep, has;
};

static void borrow(void *arg)
{
	struct borrower *borrower = arg;

	borrower->connection = checkout();
	borrower->has = true;
	while (borrower->keep)
		(void)ath_sleep(0);
	ath_engine_give_back(engine, &borrower->connection);
}

/* A pooler keeps those of the server. */
static bool one_backend(void)
{
	return pooler() != NULL || backends() == 1;
}

static void test_overflow(void **state)
{
	static struct borrower borrowers[SIZE + OVERFLOW + 1];
	size_t last = SIZE + OVERFLOW;

	(void)state;
	for (size_t i = 0; i <= last; i++) {
		borrowers[i] = (struct borrower){ .keep = true };
		start(borrow, &borrowers[i], ATH_NEVER);
	}
	for (size_t i = 0; i < last; i++)
		while (!borrowers[i].has)
			ath_loop_turn(loop, ATH_NEVER);
	assert_false(borrowers[last].has);
	assert_int_equal(engine->pool_count, SIZE + OVERFLOW);
	/* somebody waits: it goes to him, and is not closed */
	borrowers[0].keep = false;
	while (!borrowers[last].has)
		ath_loop_turn(loop, ATH_NEVER);
	assert_int_equal(engine->pool_count, SIZE + OVERFLOW);
	for (size_t i = 0; i <= last; i++)
		borrowers[i].keep = false;
	run_fibers();
	assert_int_equal(engine->pool_count, SIZE);
	assert_int_equal(engine->idle_count, SIZE);
	assert_true(turn_until(one_backend));
}

/* ---- how old -------------------------------------------------------------------------------- */

static void test_an_old_one_is_not_lent_again(void **state)
{
	struct ath_connection *connection;
	int64_t backend;

	(void)state;
	NOT_POOLED("a backend's number does not tell connections apart");
	connection = checkout();
	backend = integer_on(connection, "select pg_backend_pid()::int8");
	hand_now += RECYCLE_S * 1000;
	ath_engine_give_back(engine, &connection);
	connection = checkout();
	assert_int_equal(integer_on(connection, "select pg_backend_pid()::int8"), backend);
	ath_engine_give_back(engine, &connection);
	hand_now++;
	connection = checkout();
	assert_int_not_equal(integer_on(connection, "select pg_backend_pid()::int8"), backend);
	assert_int_equal(engine->pool_count, 1);
	/* nor is it kept when it has become old while it was lent */
	hand_now += RECYCLE_S * 1000 + 1;
	ath_engine_give_back(engine, &connection);
	assert_int_equal(engine->pool_count, 0);
}

/* ---- in what state -------------------------------------------------------------------------- */

static const char leftovers[] =
	"select count(*) + (select count(*) from pg_listening_channels()) + "
	"(select count(*) from pg_cursors where name = 'c') + "
	"(select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) + "
	"(session_user = 'stranger')::int + "
	"(current_setting('search_path') = 'elsewhere')::int "
	"from pg_class where relname = 'scratch'";

static void make_a_mess(struct ath_connection *connection)
{
	static const char *const mess[] = {
		"set search_path to elsewhere",
		"set statement_timeout to 1234",
		"set lock_timeout to 1234",
		"listen remarks",
		"select pg_advisory_lock(77)",
		"create temp table scratch (id int)",
		"declare c cursor with hold for select 1",
		"set session authorization stranger",
	};

	for (size_t i = 0; i < ATH_COUNT(mess); i++)
		assert_int_equal(run_on(connection, mess[i]), ATH_OK);
	ath_connection_touch(connection);
}

static void test_the_state_of_a_touched_one_is_reset(void **state)
{
	struct ath_connection *connection, *same;

	(void)state;
	NOT_POOLED("the state is in a session of the pooler's, and is not reset");
	connection = same = checkout();
	run_sql("drop role if exists stranger; create role stranger");
	make_a_mess(connection);
	assert_int_equal(integer_on(connection, leftovers), 6);
	ath_engine_give_back(engine, &connection);
	connection = checkout();
	assert_ptr_equal(connection, same);
	assert_int_equal(integer_on(connection, leftovers), 0);
	assert_int_equal(integer_on(connection, "select count(*) from pg_prepared_statements "
						"where statement like 'listen%'"),
			 1);
	assert_int_equal(
		integer_on(connection,
			   "select (current_setting('statement_timeout') = '20s')::int + "
			   "(current_setting('lock_timeout') = '7s')::int + "
			   "(current_setting('idle_in_transaction_session_timeout') = '9s')::int"),
		3);
	ath_engine_give_back(engine, &connection);
	run_sql("drop role stranger");
}

static void test_only_a_touched_one_pays_for_it(void **state)
{
	struct ath_connection *connection;
	struct ath_error error = { 0 };

	(void)state;
	NOT_POOLED("the state is in a session of the pooler's, and is not reset");
	connection = checkout();
	assert_int_equal(run_on(connection, "select 1"), ATH_OK);
	tell_proxy(PROXY_RESET);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(proxy_counts->round_trips, 0);
	connection = checkout();
	ath_connection_touch(connection);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(proxy_counts->round_trips, 1);
	connection = checkout();
	ath_engine_give_back(engine, &connection); /* once is enough */
	assert_int_equal(proxy_counts->round_trips, 1);
	connection = checkout();
	assert_int_equal(ath_connection_script(connection, "set search_path to elsewhere", &error),
			 ATH_OK);
	tell_proxy(PROXY_RESET);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(proxy_counts->round_trips, 1);
	assert_int_equal(proxy_counts->connections, 0);
}

static void test_one_that_cannot_be_reset_is_closed(void **state)
{
	struct ath_connection *connection;

	(void)state;
	NOT_POOLED("the state is in a session of the pooler's, and is not reset");
	connection = checkout();
	ath_connection_touch(connection);
	tell_proxy(PROXY_LOSE_QUERY);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(engine->pool_count, 0);
	connection = checkout();
	assert_int_equal(run_on(connection, "select 1"), ATH_OK);
	ath_engine_give_back(engine, &connection);
}

/* ---- for how long --------------------------------------------------------------------------- */

static void test_a_lock_is_not_waited_for_longer_than_that(void **state)
{
	struct ath_engine_options options = { .lock_timeout_ms = 20 };
	struct ath_batch *batch = one_statement("select pg_advisory_xact_lock(9)", NULL, 0);
	struct ath_connection *connection;

	(void)state;
	ath_engine_close(&engine);
	assert_int_equal(open_engine_with(database_url, options), 0);
	run_sql("select pg_advisory_lock(9)");
	connection = checkout();
	assert_int_equal(ath_engine_run(engine, connection, batch, ATH_NEVER, false), ATH_ELOCKED);
	ath_engine_give_back(engine, &connection);
	run_sql("select pg_advisory_unlock(9)");
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
		DIRECT(test_overflow),
		DIRECT(test_an_old_one_is_not_lent_again),
		DIRECT(test_the_state_of_a_touched_one_is_reset),
		PROXIED(test_only_a_touched_one_pays_for_it),
		PROXIED(test_one_that_cannot_be_reset_is_closed),
		DIRECT(test_a_lock_is_not_waited_for_longer_than_that),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
