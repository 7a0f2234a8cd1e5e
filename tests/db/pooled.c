/*
 * pooled.c - more connections at work than the pooler has to the server, so that they change
 * hands all the time: each answer comes to the one who asked, and each transaction is whole.
 * run.sh runs it, with ATHANOR_TEST_POOLER.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine_fixture.h"

enum { PIPELINES = 32, POOL = 32, READERS = 100, WRITERS = 50, ROUNDS = 30 };

static int wrong; /* answers */
static char first_wrong[512];

static void compare(int64_t value, int64_t expected, const struct ath_error *error)
{
	if (value == expected)
		return;
	if (wrong++ == 0)
		snprintf(first_wrong, sizeof first_wrong, "%lld, not %lld: %s", (long long)value,
			 (long long)expected, error->message);
}

/* One in ten fails, in the middle of its batch. */
static void read_many(void *arg)
{
	const int64_t *number = arg;

	for (int64_t i = 0; i < ROUNDS; i++) {
		int64_t expected = *number * ROUNDS + i;
		struct ath_value value = ath_value_int64(expected);
		struct ath_batch *batch = one_statement("select $1::int8", &value, 1);
		struct ath_batch *failing = read_now(i % 10 == 0 ? "select 1 / 0" : "select");

		(void)!ath_engine_read(engine, batch, ath_now() + PATIENCE_MS);
		compare(integer_of(batch), expected, &batch->error);
		compare(failing->error.status == ATH_OK, i % 10 != 0, &failing->error);
		ath_batch_clear(failing);
	}
}

static struct ath_batch *run_on(struct ath_connection *connection, const char *text,
				const struct ath_value *params, size_t count)
{
	struct ath_batch *batch = one_statement(text, params, count);

	(void)!ath_engine_run(engine, connection, batch, ath_now() + PATIENCE_MS, false);
	return batch;
}

/* What a transaction has inserted it sees, and nobody else until it is committed. */
static void write_many(void *arg)
{
	const int64_t *number = arg;
	struct ath_value values[] = { ath_value_int64(*number) };
	struct ath_connection *connection;
	struct ath_error error = { 0 };

	for (int64_t i = 0; i < ROUNDS; i++) {
		bool commits = i % 3 != 0;
		struct ath_batch *batch;

		if (ath_engine_checkout(engine, &connection, ath_now() + PATIENCE_MS, &error) !=
		    ATH_OK) {
			compare(0, 1, &error);
			return;
		}
		ath_batch_clear(run_on(connection, "begin", NULL, 0));
		ath_batch_clear(run_on(connection, "insert into lines values ($1)", values, 1));
		ath_batch_clear(run_on(connection, "insert into lines values ($1)", values, 1));
		batch = run_on(connection, "select count(*) from lines where writer = $1", values,
			       1);
		compare(integer_of(batch), 2 * (i * 2 / 3) + 2, &batch->error);
		ath_batch_clear(run_on(connection, commits ? "commit" : "rollback", NULL, 0));
		ath_engine_give_back(engine, &connection);
	}
}

static void test_connections_change_hands(void **state)
{
	static int64_t numbers[READERS > WRITERS ? READERS : WRITERS];

	(void)state;
	run_sql("create table lines (writer int8)");
	for (size_t i = 0; i < ATH_COUNT(numbers); i++)
		numbers[i] = (int64_t)i;
	for (int i = 0; i < READERS; i++)
		start(read_many, &numbers[i], ATH_NEVER);
	for (int i = 0; i < WRITERS; i++)
		start(write_many, &numbers[i], ATH_NEVER);
	run_fibers();
	if (wrong > 0)
		fail_msg("%d wrong, the first: %s", wrong, first_wrong);
	assert_int_equal(ask_number("select count(*) from lines"), WRITERS * (2 * ROUNDS / 3) * 2);
}

static int setup(void **state)
{
	if (pooler() == NULL)
		die_of("ATHANOR_TEST_POOLER", "is not set");
	return create_database(state) || open_loop(state) ||
	       open_engine_with(database_url,
				(struct ath_engine_options){ .pipelines = PIPELINES,
							     .pool_size = POOL,
							     .pool_timeout_ms = PATIENCE_MS });
}

static int teardown(void **state)
{
	return close_engine(state) || drop_database(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_change_hands),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
