/* test_outage.c - the server itself dies and comes back: a cluster of this test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"

static char directory[64];

/* sql/cluster.sh VERB DIR; its output, if there is one, goes to answer. */
static void cluster(const char *verb, char *answer, size_t size)
{
	char command[256];
	FILE *output;

	snprintf(command, sizeof command, "sql/cluster.sh %s %s", verb, directory);
	output = popen(command, "r");
	if (output == NULL)
		die_of(command, strerror(errno));
	if (answer != NULL && fgets(answer, (int)size, output) == NULL)
		die_of(command, "no answer");
	if (answer != NULL)
		answer[strcspn(answer, "\n")] = '\0';
	if (pclose(output) != 0)
		die_of(command, "failed");
}

static int start_cluster(void **state)
{
	(void)state;
	if (access("sql/cluster.sh", X_OK) != 0)
		die_of("sql/cluster.sh", "is not here: run the tests from the project's directory");
	make_directory(directory, sizeof directory);
	cluster("start", NULL, 0);
	cluster("url", database_url, sizeof database_url);
	return 0;
}

static int remove_cluster(void **state)
{
	(void)state;
	cluster("remove", NULL, 0);
	return 0;
}

/* Tries until the server answers again: the pauses between are the engine's own. */
static int64_t read_patiently(const char *text)
{
	int64_t end = ath_now() + PATIENCE_MS, value;

	do {
		if (engine->retry.at > ath_now())
			ath_loop_turn(loop, engine->retry.at);
		value = read_integer(text);
	} while (value == INT64_MIN && ath_now() < end);
	return value;
}

static void go_down_and_come_back(const char *verb)
{
	struct ath_connection *connection;
	struct ath_error error = { 0 };

	assert_int_equal(read_integer("select 1::int8"), 1);
	assert_int_equal(ath_engine_checkout(engine, &connection, ATH_NEVER, &error), ATH_OK);
	ath_engine_give_back(engine, &connection);
	cluster(verb, NULL, 0);
	/* the first finds out, the next is told so at once */
	for (int i = 0; i < 3; i++) {
		struct ath_batch *batch = read_now("select 1::int8");

		assert_int_equal(batch->error.status, ATH_EUNAVAILABLE);
		assert_true(ath_engine_retry_after(engine) >= 1);
		assert_int_not_equal(ath_engine_checkout(engine, &connection, ATH_NEVER, &error),
				     ATH_OK);
		assert_null(connection);
	}
	assert_int_equal(engine->pipeline_count, 0);
	cluster("start", NULL, 0);
	assert_int_equal(read_patiently("select 2::int8"), 2);
	ath_error_clear(&error);
	assert_int_equal(ath_engine_checkout(engine, &connection, ATH_NEVER, &error), ATH_OK);
	ath_engine_give_back(engine, &connection);
}

static void test_a_crash(void **state)
{
	(void)state;
	go_down_and_come_back("kill");
}

static void test_a_shutdown(void **state)
{
	(void)state;
	go_down_and_come_back("stop");
}

/* The crash comes while they wait: everyone is told, once. */
static void wait_in_vain(void *arg)
{
	enum ath_status *status = arg;
	struct ath_batch *batch = one_statement("select pg_sleep(3600)", NULL, 0);

	*status = ath_engine_read(engine, batch, ATH_NEVER);
}

static bool somebody_sleeps(void)
{
	return ask_number("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") > 0;
}

static void test_a_crash_under_way(void **state)
{
	enum ath_status statuses[2] = { ATH_OK, ATH_OK };

	(void)state;
	connect_control(database_url);
	for (size_t i = 0; i < ATH_COUNT(statuses); i++)
		start(wait_in_vain, &statuses[i], ATH_NEVER);
	assert_true(turn_until(somebody_sleeps));
	PQfinish(control);
	control = NULL;
	cluster("kill", NULL, 0);
	run_fibers();
	for (size_t i = 0; i < ATH_COUNT(statuses); i++)
		assert_int_equal(statuses[i], ATH_EUNAVAILABLE);
	cluster("start", NULL, 0);
	assert_int_equal(read_patiently("select 2::int8"), 2);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_engine, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_crash),
		CASE(test_a_shutdown),
		CASE(test_a_crash_under_way),
	};

	return cmocka_run_group_tests(tests, start_cluster, remove_cluster);
}
