/* test_url.c - database URLs: which driver, whose options, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/url.h"

static void test_what_is_left_for_the_driver(void **state)
{
	static const struct {
		const char *url, *rest;
		int pipelines, pool_size, pool_timeout_ms;
	} rows[] = {
		{ "postgresql://u:p@h:5433/db", "postgresql://u:p@h:5433/db", 0, 0, 0 },
		{ "postgres://h", "postgres://h", 0, 0, 0 },
		{ "postgresql://", "postgresql://", 0, 0, 0 },
		{ "postgresql:///db?host=/run/x&user=me", "postgresql:///db?host=/run/x&user=me", 0,
		  0, 0 },
		{ "postgresql+psycopg2://h/db", "postgresql://h/db", 0, 0, 0 },
		{ "postgresql+asyncpg:///db?host=/x", "postgresql:///db?host=/x", 0, 0, 0 },
		{ "postgresql://h/db?pool_size=7", "postgresql://h/db", 0, 7, 0 },
		{ "postgresql://h?pool_size=7&host=/x", "postgresql://h?host=/x", 0, 7, 0 },
		{ "postgresql://h?host=/x&pool_size=1", "postgresql://h?host=/x", 0, 1, 0 },
		{ "postgresql://h?a=1&pool_timeout=3&b=2", "postgresql://h?a=1&b=2", 0, 0, 3000 },
		{ "postgresql://h?pipelines=64&pool_size=1000&pool_timeout=3600", "postgresql://h",
		  64, 1000, 3600000 },
		{ "postgresql://h?pool_size=2&pool_size=3", "postgresql://h", 0, 3, 0 },
		{ "postgresql://h?pool_sizes=2", "postgresql://h?pool_sizes=2", 0, 0, 0 },
		{ "postgresql://h?", "postgresql://h", 0, 0, 0 },
		{ "postgresql://u:a+b@h/db", "postgresql://u:a+b@h/db", 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_engine_options options = { 0 };
		struct ath_error error = { 0 };
		const struct ath_driver *driver;
		char *rest;

		if (ath_url_read(rows[i].url, &driver, &options, &rest, &error) != ATH_OK)
			fail_msg("%s: %s", rows[i].url, error.message);
		assert_ptr_equal(driver, &ath_postgresql);
		if (strcmp(rest, rows[i].rest) != 0)
			fail_msg("%s: %s", rows[i].url, rest);
		assert_int_equal(options.pipelines, rows[i].pipelines);
		assert_int_equal(options.pool_size, rows[i].pool_size);
		assert_int_equal(options.pool_timeout_ms, rows[i].pool_timeout_ms);
		free(rest);
	}
}

static void test_the_engines_options(void **state)
{
	static const struct {
		const char *query;
		struct ath_engine_options options;
	} rows[] = {
		{ "max_overflow=0", { .max_overflow = 0 } },
		{ "max_overflow=1000", { .max_overflow = 1000 } },
		{ "pool_recycle=0", { .pool_recycle_s = 0 } },
		{ "pool_recycle=31536000", { .pool_recycle_s = 31536000 } },
		{ "statement_timeout=0", { .statement_timeout_ms = -1 } },
		{ "statement_timeout=1", { .statement_timeout_ms = 1 } },
		{ "lock_timeout=0&idle_timeout=0",
		  { .lock_timeout_ms = -1, .idle_timeout_ms = -1 } },
		{ "lock_timeout=2147483647", { .lock_timeout_ms = INT32_MAX } },
		{ "idle_timeout=70", { .idle_timeout_ms = 70 } },
		{ "echo=off", { .echo = ATH_ECHO_OFF } },
		{ "echo=on", { .echo = ATH_ECHO_ON } },
		{ "echo=values", { .echo = ATH_ECHO_VALUES } },
		{ "prepared_statements=on", { .prepared_statements = ATH_PREPARED_ON } },
		{ "prepared_statements=off", { .prepared_statements = ATH_PREPARED_OFF } },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_engine_options options = { 0 };
		struct ath_error error = { 0 };
		const struct ath_driver *driver;
		char url[100], *rest;

		snprintf(url, sizeof url, "postgresql://h?%s", rows[i].query);
		if (ath_url_read(url, &driver, &options, &rest, &error) != ATH_OK)
			fail_msg("%s: %s", url, error.message);
		assert_string_equal(rest, "postgresql://h");
		if (memcmp(&options, &rows[i].options, sizeof options) != 0)
			fail_msg("%s", url);
		free(rest);
	}
}

/* What the URL says goes before what the program says, zero included. */
static void test_the_url_goes_first(void **state)
{
	struct ath_engine_options options = { .max_overflow = 3,
					      .lock_timeout_ms = 5,
					      .echo = ATH_ECHO_VALUES };
	struct ath_error error = { 0 };
	const struct ath_driver *driver;
	char *rest;

	(void)state;
	assert_int_equal(ath_url_read("postgresql://h?max_overflow=0&lock_timeout=0&echo=off",
				      &driver, &options, &rest, &error),
			 ATH_OK);
	assert_int_equal(options.max_overflow, 0);
	assert_int_equal(options.lock_timeout_ms, -1);
	assert_int_equal(options.echo, ATH_ECHO_OFF);
	free(rest);
}

/* What each is told of. */
static void test_what_is_refused(void **state)
{
	static const struct {
		const char *url, *named;
	} rows[] = {
		{ "", "postgresql://" },
		{ "postgresql", "postgresql://" },
		{ "postgresql:", "postgresql://" },
		{ "postgresql:/h/db", "postgresql://" },
		{ "://h/db", "postgresql://" },
		{ "host=/tmp dbname=x", "postgresql://" },
		{ "oracle://h/db", "oracle" },
		{ "mongodb+srv://h/db", "mongodb" },
		{ "postgresqlx://h/db", "postgresqlx" },
		{ "PostgreSQL://h/db", "PostgreSQL" },
		{ " postgresql://h/db", "\" postgresql\"" },
		{ "x?a=postgresql://h", "postgresql://" },
		{ "postgresql://h?pool_size=0", "pool_size" },
		{ "postgresql://h?pool_size=1001", "pool_size" },
		{ "postgresql://h?pool_size=-1", "pool_size" },
		{ "postgresql://h?pool_size=x", "\"x\"" },
		{ "postgresql://h?pool_size=", "pool_size" },
		{ "postgresql://h?pool_size", "pool_size" },
		{ "postgresql://h?pool_size=1.5", "\"1.5\"" },
		{ "postgresql://h?pool_size=99999999999999999999", "pool_size" },
		{ "postgresql://h?pipelines=65", "from 1 to 64" },
		{ "postgresql://h?a=1&pool_timeout=3601", "pool_timeout" },
		{ "postgresql://h?max_overflow=1001", "from 0 to 1000" },
		{ "postgresql://h?max_overflow=-1", "max_overflow" },
		{ "postgresql://h?pool_recycle=31536001", "pool_recycle" },
		{ "postgresql://h?statement_timeout=-1", "statement_timeout" },
		{ "postgresql://h?statement_timeout=30s", "\"30s\"" },
		{ "postgresql://h?lock_timeout=2147483648", "lock_timeout" },
		{ "postgresql://h?idle_timeout=", "idle_timeout" },
		{ "postgresql://h?echo=maybe", "echo is off, on or values, not \"maybe\"" },
		{ "postgresql://h?echo=", "off, on or values" },
		{ "postgresql://h?echo=On", "\"On\"" },
		{ "postgresql://h?prepared_statements=no",
		  "prepared_statements is on or off, not \"no\"" },
		{ "postgresql://h?prepared_statements", "on or off" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_engine_options options = { 0 };
		struct ath_error error = { 0 };
		const struct ath_driver *driver;
		char *rest;

		if (ath_url_read(rows[i].url, &driver, &options, &rest, &error) != ATH_EINVAL)
			fail_msg("not refused: %s", rows[i].url);
		assert_null(rest);
		if (strstr(error.message, rows[i].named) == NULL)
			fail_msg("%s: %s", rows[i].url, error.message);
	}
}

/* A question mark in front of the colon once made the middle of the URL negatively long. */
static void test_a_query_before_the_middle(void **state)
{
	static const char *const urls[] = { "postgresql+a?b://h", "postgresql+?://", "?://" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(urls); i++) {
		struct ath_engine_options options = { 0 };
		struct ath_error error = { 0 };
		const struct ath_driver *driver;
		char *rest;

		(void)!ath_url_read(urls[i], &driver, &options, &rest, &error);
		free(rest);
	}
}

/* The rest is the driver's to judge, at the opening and without a connection. */
static void test_an_engine_does_not_open_with_a_wrong_url(void **state)
{
	static const char *const urls[] = {
		"sqlite:///x.db",
		"postgresql://h?sslmod=require",
		"postgresql://h:port/db",
		"postgresql://h:0/db",
		"postgresql://h:65536/db",
		"postgresql://h:1,i:x/db",
		"postgresql://h?port=5432x",
		"postgresql://[::1/db",
		"postgresql://h/%zz",
		"postgresql://h?pool_size=0",
		"postgresql://h?host",
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(urls); i++) {
		struct ath_engine *engine = (struct ath_engine *)(uintptr_t)1;
		struct ath_error error;

		if (ath_engine_open(&engine, urls[i], NULL, &error) != ATH_EINVAL)
			fail_msg("not refused: %s", urls[i]);
		assert_null(engine);
		assert_true(error.message[0] != '\0');
		assert_null(strchr(error.message, '\n'));
	}
}

static void test_options_out_of_bounds(void **state)
{
	static const struct ath_engine_options rows[] = {
		{ .pipelines = 65 },
		{ .pipelines = -1 },
		{ .pool_size = 1001 },
		{ .pool_size = -1 },
		{ .pool_timeout_ms = -1 },
		{ .connect_timeout_s = -1 },
		{ .max_overflow = 1001 },
		{ .max_overflow = -1 },
		{ .pool_recycle_s = -1 },
		{ .echo = (enum ath_echo)3 },
		{ .prepared_statements = (enum ath_prepared_statements)2 },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_engine *engine;
		struct ath_error error;

		assert_int_equal(ath_engine_open(&engine, "postgresql:///x", &rows[i], &error),
				 ATH_EINVAL);
		assert_null(engine);
	}
}

static void test_an_engine_opens_without_a_server(void **state)
{
	struct ath_engine_options options = { .pipelines = 64,
					      .pool_size = 1000,
					      .statement_timeout_ms = -1 };
	struct ath_engine *engine;
	struct ath_error error;

	(void)state;
	assert_int_equal(
		ath_engine_open(&engine, "postgresql:///x?host=/nowhere", &options, &error),
		ATH_OK);
	assert_true(ath_engine_retry_after(engine) >= 1);
	ath_engine_close(&engine);
	assert_null(engine);
	ath_engine_close(&engine);
	ath_engine_close(NULL);
}

static void test_one_password(void **state)
{
	static const struct {
		const char *url, *listen_url, *message;
	} rows[] = {
		{ "postgresql://u@h/x", NULL, NULL },
		{ "postgresql://u@h/x", "postgresql://u@h/y", NULL },
		{ "postgresql://u:secret@h/x", NULL, "there are two passwords" },
		{ "postgresql://u@h/x?password=secret", NULL, "there are two passwords" },
		{ "postgresql://u@h/x", "postgresql://u:secret@h/y",
		  "listen_url: there are two passwords" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_engine_options options = { .listen_url = rows[i].listen_url,
						      .password = "other" };
		struct ath_engine *engine;
		struct ath_error error;

		assert_int_equal(ath_engine_open(&engine, rows[i].url, &options, &error),
				 rows[i].message == NULL ? ATH_OK : ATH_EINVAL);
		if (rows[i].message != NULL)
			assert_ptr_equal(strstr(error.message, rows[i].message), error.message);
		assert_null(strstr(error.message, "secret"));
		ath_engine_close(&engine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_left_for_the_driver),
		cmocka_unit_test(test_the_engines_options),
		cmocka_unit_test(test_the_url_goes_first),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_a_query_before_the_middle),
		cmocka_unit_test(test_an_engine_does_not_open_with_a_wrong_url),
		cmocka_unit_test(test_options_out_of_bounds),
		cmocka_unit_test(test_an_engine_opens_without_a_server),
		cmocka_unit_test(test_one_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
