/*
 * test_engine_stats.c - what an engine tells of itself, and whether a server allows as many
 * connections as its processes may open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"

static struct ath_engine_stats stats;

static const struct ath_engine_stats *look(void)
{
	ath_engine_get_stats(engine, &stats);
	return &stats;
}

static uint64_t errors_of(const char *sqlstate)
{
	look();
	for (size_t i = 0; i < stats.sqlstate_count; i++)
		if (strcmp(stats.sqlstates[i].sqlstate, sqlstate) == 0)
			return stats.sqlstates[i].count;
	return 0;
}

/* ---- stats ---------------------------------------------------------------------------------- */

static void test_a_new_engine_has_done_nothing(void **state)
{
	(void)state;
	look();
	assert_int_equal(stats.pipelines_most, 4);
	assert_int_equal(stats.pool_most, 4);
	assert_int_equal(stats.connections_most, 9);
	assert_int_equal(stats.connects + stats.batches + stats.statements + stats.lost, 0);
	assert_int_equal(stats.pipelines + stats.pool_open + stats.sqlstate_count, 0);
}

static void test_reads_are_counted(void **state)
{
	uint64_t before;

	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	before = look()->batches; /* the pipeline's own first one too */
	for (int i = 0; i < 10; i++)
		assert_int_equal(read_integer("select 1::int8"), 1);
	look();
	assert_int_equal(stats.batches - before, 10);
	assert_true(stats.statements >= stats.batches);
	assert_int_equal(stats.connects, 1);
	assert_int_equal(stats.pipelines, 1);
	assert_int_equal(stats.outstanding, 0);
}

/* ended is the number of errors */
static void fail_a_read(void *arg)
{
	ended += read_now(arg)->error.status != ATH_OK;
}

static void test_errors_are_counted_by_sqlstate(void **state)
{
	static char divide[] = "select 1/0", missing[] = "select * from nowhere";

	(void)state;
	ended = 0;
	for (int i = 0; i < 3; i++)
		start(fail_a_read, divide, ATH_NEVER);
	start(fail_a_read, missing, ATH_NEVER);
	run_fibers();
	assert_int_equal(ended, 4);
	assert_int_equal(errors_of("22012"), 3);
	assert_int_equal(errors_of("42P01"), 1);
	assert_int_equal(errors_of("00000"), 0);
}

/* More kinds than there is room for end in the last row. */
static void test_there_is_a_row_for_all_others(void **state)
{
	struct ath_error error = { .status = ATH_ESQL };

	(void)state;
	for (int i = 0; i < 2 * ATH_SQLSTATES; i++) {
		snprintf(error.sqlstate, sizeof error.sqlstate, "X%04d", i);
		ath_engine_count_error(engine, &error);
	}
	assert_int_equal(errors_of("X0062"), 1);
	assert_int_equal(stats.sqlstate_count, ATH_SQLSTATES);
	assert_int_equal(errors_of("X0063"), 0);
	assert_int_equal(errors_of("other"), ATH_SQLSTATES + 1);
}

static void test_what_is_lent_is_counted(void **state)
{
	struct ath_connection *connections[2];
	struct ath_error error = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(ath_engine_checkout(engine, &connections[i], ATH_NEVER, &error),
				 ATH_OK);
	look();
	assert_int_equal(stats.pool_open, 2);
	assert_int_equal(stats.pool_lent, 2);
	ath_engine_give_back(engine, &connections[0]);
	look();
	assert_int_equal(stats.pool_lent, 1);
	assert_int_equal(stats.pool_idle, 1);
	ath_engine_give_back(engine, &connections[1]);
}

static void test_a_loss_is_counted(void **state)
{
	(void)state;
	NOT_POOLED("the pooler keeps the connection");
	assert_int_equal(read_integer("select 1::int8"), 1);
	terminate_backends();
	assert_int_equal(read_integer("select 2::int8"), 2);
	assert_int_equal(look()->lost, 1);
	assert_int_equal(stats.connects, 2);
	assert_int_equal(errors_of("57P01"), 1);
}

/* ---- the server's limit --------------------------------------------------------------------- */

static char text[512];

static enum ath_status check(size_t processes, struct ath_error *error)
{
	*error = (struct ath_error){ 0 };
	return ath_engine_check_limits(engine, processes, text, sizeof text, error);
}

static void open_as(const char *role, const char *options)
{
	char url[1200];

	ath_engine_close(&engine);
	snprintf(url, sizeof url, "postgresql:///%s?host=%s&port=%s&user=%s%s", database_name,
		 database_socket, database_port, role, options);
	assert_int_equal(open_engine_with(url, (struct ath_engine_options){ 0 }), 0);
}

/* The least that is refused is just above what is allowed: 9 connections a process. */
static void assert_limit(long long allowed, const char *whose, const char *raise)
{
	size_t fits = (size_t)allowed / 9;
	struct ath_error error;
	char wanted[512];

	if (check(fits, &error) != ATH_OK)
		fail_msg("%s", error.message);
	snprintf(wanted, sizeof wanted, "%zu worker%s may open %zu connections, %s allows %lld",
		 fits, fits == 1 ? "" : "s", 9 * fits, whose, allowed);
	assert_string_equal(text, wanted);
	assert_int_equal(check(fits + 1, &error), ATH_EINVAL);
	snprintf(wanted, sizeof wanted,
		 "%zu workers may open %zu connections, %s allows %lld: lower workers, or "
		 "pipelines and pool_size in the URL, or raise %s",
		 fits + 1, 9 * (fits + 1), whose, allowed, raise);
	assert_string_equal(error.message, wanted);
}

static void test_the_narrowest_limit_counts(void **state)
{
	long long most = ask_number("select current_setting('max_connections')");
	long long kept = ask_number("select current_setting('superuser_reserved_connections')");
	char sql[160];

	(void)state;
	NOT_POOLED("the pooler has limits of its own");
	assert_limit(most, "the server", "max_connections of the server");
	snprintf(sql, sizeof sql, "create role %.40s_few login", database_name);
	run_sql(sql);
	snprintf(sql, sizeof sql, "%.40s_few", database_name);
	open_as(sql, "");
	assert_limit(most - kept, "the server", "max_connections of the server");
	snprintf(sql, sizeof sql, "alter database %s connection limit 40", database_name);
	run_sql(sql);
	assert_limit(40, "the database", "the database's connection limit");
	snprintf(sql, sizeof sql, "alter role %.40s_few connection limit 17", database_name);
	run_sql(sql);
	assert_limit(17, "the role", "the role's connection limit");
	ath_engine_close(&engine);
	snprintf(sql, sizeof sql, "drop role %.40s_few", database_name);
	run_sql(sql);
	snprintf(sql, sizeof sql, "alter database %s connection limit -1", database_name);
	run_sql(sql);
}

static void test_what_the_url_says_counts(void **state)
{
	struct ath_error error;

	(void)state;
	open_as(database_user, "&pipelines=2&pool_size=3&max_overflow=5");
	(void)check(2, &error);
	assert_int_equal(strncmp(text, "2 workers may open 22 connections", 33), 0);
}

static void test_behind_a_pooler_it_is_not_asked(void **state)
{
	struct ath_error error;

	(void)state;
	open_as(database_user, "&prepared_statements=off");
	assert_int_equal(check(100000, &error), ATH_OK);
	assert_string_equal(text, "100000 workers may open 900000 connections to the pooler");
	assert_int_equal(look()->connects, 0);
}

static void check_task(void *arg)
{
	struct ath_error error;

	*(enum ath_status *)arg = check(1, &error);
}

static void test_it_may_be_asked_in_a_fiber(void **state)
{
	enum ath_status status = ATH_EIO;

	(void)state;
	NOT_POOLED("it is not asked");
	start(check_task, &status, ATH_NEVER);
	run_fibers();
	assert_int_equal(status, ATH_OK);
	assert_int_equal(look()->connects, 1);
}

static void test_a_refusal_has_its_sqlstate(void **state)
{
	struct ath_error error;

	(void)state;
	NOT_POOLED("it would be the pooler's");
	open_as("nobody_of_this_name", "");
	assert_int_equal(check(1, &error), ATH_EUNAVAILABLE);
	assert_string_equal(error.sqlstate, "28000");
	assert_non_null(strstr(error.message, "nobody_of_this_name"));
	assert_int_equal(errors_of("28000"), 1);
	assert_int_equal(stats.failed_connects, 1);
	open_as(database_user, "&dbname=no_such_database");
	assert_int_equal(check(1, &error), ATH_EUNAVAILABLE);
	assert_string_equal(error.sqlstate, "3D000");
}

static void test_a_server_that_is_away_has_none(void **state)
{
	struct ath_error error;

	(void)state;
	ath_engine_close(&engine);
	assert_int_equal(
		open_engine_with("postgresql:///x?host=/nowhere", (struct ath_engine_options){ 0 }),
		0);
	assert_int_equal(check(1, &error), ATH_EUNAVAILABLE);
	assert_string_equal(error.sqlstate, "");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_engine, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_new_engine_has_done_nothing),
		CASE(test_reads_are_counted),
		CASE(test_errors_are_counted_by_sqlstate),
		CASE(test_there_is_a_row_for_all_others),
		CASE(test_what_is_lent_is_counted),
		CASE(test_a_loss_is_counted),
		CASE(test_the_narrowest_limit_counts),
		CASE(test_what_the_url_says_counts),
		CASE(test_behind_a_pooler_it_is_not_asked),
		CASE(test_it_may_be_asked_in_a_fiber),
		CASE(test_a_refusal_has_its_sqlstate),
		CASE(test_a_server_that_is_away_has_none),
	};

	return cmocka_run_group_tests(tests, create_database, drop_database);
}
