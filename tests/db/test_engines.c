/* test_engines.c - several engines in one program: in one loop, and in plain code without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"

enum { ENGINES = 2, ROUNDS = 50, FIBERS = 10 };

static struct ath_engine *engines[ENGINES];
static char other_name[80], other_url[1024];
static const char *const names[ENGINES] = { database_name, other_name };

static int create_both(void **state)
{
	char sql[128];

	if (create_database(state) != 0)
		return -1;
	snprintf(other_name, sizeof other_name, "%s_other", database_name);
	snprintf(sql, sizeof sql, "create database %s", other_name);
	run_sql(sql);
	make_url(other_url, sizeof other_url, other_name, database_socket, database_port);
	return 0;
}

static int drop_both(void **state)
{
	char sql[128];

	snprintf(sql, sizeof sql, "drop database if exists %s with (force)", other_name);
	run_sql(sql);
	return drop_database(state);
}

static void open_both(struct ath_loop *in)
{
	const char *const urls[ENGINES] = { database_url, other_url };
	struct ath_engine_options options = { .loop = in, .log = &silence };
	struct ath_error error;

	for (int i = 0; i < ENGINES; i++)
		if (ath_engine_open(&engines[i], urls[i], &options, &error) != ATH_OK)
			fail_msg("%s", error.message);
}

/* Is what answers the database of that engine? */
static bool reads_its_own(int i, struct ath_arena *memory)
{
	struct ath_statement statement = ath_statement_of("select (current_database() = $1)::int");
	struct ath_value name = ath_value_text(names[i]);
	void *result = NULL;
	struct ath_batch batch = {
		.statements = &statement, .count = 1, .results = &result, .arena = memory
	};

	statement.params = &name;
	statement.param_count = 1;
	return ath_engine_read(engines[i], &batch, ATH_NEVER) == ATH_OK && integer_of(&batch) == 1;
}

static bool writes_its_own(int i, struct ath_arena *memory)
{
	struct ath_statement statement = ath_statement_of("select (current_database() = $1)::int");
	struct ath_value name = ath_value_text(names[i]);
	void *result = NULL;
	struct ath_batch batch = {
		.statements = &statement, .count = 1, .results = &result, .arena = memory
	};
	struct ath_connection *connection;
	struct ath_error error = { 0 };
	bool good;

	statement.params = &name;
	statement.param_count = 1;
	if (ath_engine_checkout(engines[i], &connection, ATH_NEVER, &error) != ATH_OK)
		return false;
	good = ath_engine_run(engines[i], connection, &batch, ATH_NEVER, false) == ATH_OK &&
	       integer_of(&batch) == 1;
	ath_engine_give_back(engines[i], &connection);
	return good;
}

static int mistakes;

static void use_both(void *arg)
{
	struct ath_arena *memory;

	(void)arg;
	if (ath_arena_open(&memory, 0) != ATH_OK)
		die_of("arena", "no memory");
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < ENGINES; i++)
			mistakes += !reads_its_own(i, memory) || !writes_its_own(i, memory);
	ath_arena_close(&memory);
}

static void test_in_one_loop(void **state)
{
	(void)state;
	for (int first = 0; first < ENGINES; first++) {
		mistakes = 0;
		open_both(loop);
		for (int i = 0; i < FIBERS; i++)
			start(use_both, NULL, ATH_NEVER);
		run_fibers();
		assert_int_equal(mistakes, 0);
		ath_engine_close(&engines[first]);
		assert_true(reads_its_own(1 - first, arena));
		assert_true(writes_its_own(1 - first, arena));
		ath_engine_close(&engines[1 - first]);
	}
}

/* Each turns a loop of its own, and only while it waits. */
static void test_without_a_loop(void **state)
{
	(void)state;
	for (int first = 0; first < ENGINES; first++) {
		mistakes = 0;
		open_both(NULL);
		assert_ptr_not_equal(engines[0]->loop, engines[1]->loop);
		use_both(NULL);
		assert_int_equal(mistakes, 0);
		ath_engine_close(&engines[first]);
		assert_true(reads_its_own(1 - first, arena));
		assert_true(writes_its_own(1 - first, arena));
		ath_engine_close(&engines[1 - first]);
	}
}

/* One whose server is away tells so, and the other does not care. */
static void test_one_is_away(void **state)
{
	struct ath_engine_options options = { .loop = loop };
	struct ath_error error;

	(void)state;
	open_both(loop);
	ath_engine_close(&engines[0]);
	assert_int_equal(
		ath_engine_open(&engines[0], "postgresql:///x?host=/nowhere", &options, &error),
		ATH_OK);
	for (int i = 0; i < 3; i++) {
		assert_false(reads_its_own(0, arena));
		assert_true(reads_its_own(1, arena));
		assert_true(writes_its_own(1, arena));
	}
	assert_int_equal(engines[1]->retry.at, 0);
	ath_engine_close(&engines[0]);
	ath_engine_close(&engines[1]);
}

static int close_loop(void **state)
{
	(void)state;
	ath_loop_close(&loop);
	ath_arena_close(&arena);
	return 0;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_in_one_loop),
		CASE(test_without_a_loop),
		CASE(test_one_is_away),
	};

	return cmocka_run_group_tests(tests, create_both, drop_both);
}
