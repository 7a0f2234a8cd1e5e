/* test_echo.c - statements in the log: what a line says, and what it must not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"

enum { LOG_BYTES = 64 * 1024 };

static struct ath_log output; /* errors only, of a file without a name */
static char written[LOG_BYTES];

static int setup_with(enum ath_echo echo)
{
	char path[] = "/tmp/athanor.XXXXXX";

	output = (struct ath_log){ .fd = mkstemp(path) };
	unlink(path);
	return open_loop(NULL) ||
	       open_engine_with(database_url,
				(struct ath_engine_options){ .echo = echo, .log = &output });
}

static int setup_off(void **state)
{
	(void)state;
	return setup_with(ATH_ECHO_OFF);
}

static int setup_on(void **state)
{
	(void)state;
	return setup_with(ATH_ECHO_ON);
}

static int setup_values(void **state)
{
	(void)state;
	return setup_with(ATH_ECHO_VALUES);
}

static int teardown(void **state)
{
	int failed = close_engine(state);

	close(output.fd);
	return failed;
}

/* All that has been logged since it was asked last. */
static const char *logged(void)
{
	ssize_t length = pread(output.fd, written, sizeof written - 1, 0);

	written[length < 0 ? 0 : length] = '\0';
	if (ftruncate(output.fd, 0) != 0 || lseek(output.fd, 0, SEEK_SET) != 0)
		die_of("the log", strerror(errno));
	return written;
}

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;

	for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part))
		count++;
	return count;
}

static void check_has(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("no %s in: %s", part, text);
}

static void read_values(const char *text, const struct ath_value *values, size_t count)
{
	struct ath_batch *batch = one_statement(text, values, count);

	(void)!ath_engine_read(engine, batch, ATH_NEVER);
	ath_batch_clear(batch);
}

/* Statements in one batch on a lent connection. */
static void run_all(const char *const *texts, size_t count)
{
	struct ath_connection *connection;
	struct ath_error error = { 0 };
	struct ath_batch *batch = new_batch(count);

	for (size_t i = 0; i < count; i++)
		set_statement(batch, i, texts[i], NULL, 0);
	assert_int_equal(ath_engine_checkout(engine, &connection, ATH_NEVER, &error), ATH_OK);
	(void)!ath_engine_run(engine, connection, batch, ATH_NEVER, false);
	ath_batch_clear(batch);
	ath_engine_give_back(engine, &connection);
}

static void test_nothing_is_logged_unless_asked_for(void **state)
{
	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	assert_string_equal(logged(), "");
}

static void test_a_line_has_text_time_and_rows(void **state)
{
	const char *text;

	(void)state;
	ath_batch_clear(read_now("select generate_series(1, 3)"));
	text = logged();
	assert_int_equal(count_of(text, "\n"), 1);
	check_has(text, "\"level\":\"info\"");
	check_has(text, "\"sql\":\"select generate_series(1, 3)\"");
	check_has(text, "\"rows\":3");
	check_has(text, "\"ms\":");
	assert_null(strstr(text, "error"));
}

static void test_each_statement_of_a_batch_has_a_line(void **state)
{
	static const char *const texts[] = { "create temp table t (id int unique)",
					     "insert into t select generate_series(1, 7)",
					     "delete from t where id < 3" };
	const char *text;

	(void)state;
	run_all(texts, ATH_COUNT(texts));
	text = logged();
	assert_int_equal(count_of(text, "\"sql\":"), 3);
	check_has(text, "\"rows\":7");
	check_has(text, "\"rows\":2");
}

static void test_the_one_that_failed_has_its_sqlstate(void **state)
{
	static const char *const texts[] = { "select 1", "select 1 / 0", "select 2" };
	static const char *const late[] = {
		"create temp table parent (id int primary key)",
		"create temp table child (id int references parent deferrable initially deferred)",
		"insert into child values (5)",
	};
	const char *text;

	(void)state;
	run_all(texts, ATH_COUNT(texts));
	text = logged();
	assert_int_equal(count_of(text, "\"sqlstate\":\"22012\""), 1);
	check_has(strstr(text, "22012"), "\"sql\":\"select 1 / 0\"");
	check_has(strstr(text, "skipped"), "\"sql\":\"select 2\"");
	assert_int_equal(count_of(text, "\"rows\":1"), 1);
	/* the commit fails: the last line says so */
	run_all(late, ATH_COUNT(late));
	text = logged();
	assert_int_equal(count_of(text, "sqlstate"), 1);
	check_has(strstr(text, "23503"), "insert into child");
}

/* Neither as a parameter nor in a message of the server's. */
static void test_values_are_hidden(void **state)
{
	struct ath_value secret = ath_value_text("hunter2");
	const char *text;

	(void)state;
	read_values("select $1::text", &secret, 1);
	read_values("select $1::int4", &secret, 1);
	text = logged();
	check_has(text, "\"sqlstate\":\"22P02\"");
	assert_null(strstr(text, "hunter2"));
}

static void test_values_that_are_asked_for(void **state)
{
	static const int32_t numbers[] = { 1, -2 };
	static const char *const texts[] = { "a", NULL };
	static char long_text[301];
	struct ath_value values[] = {
		ath_value_text("it's"),
		ath_value_text(NULL),
		ath_value_bool(true),
		ath_value_int64(INT64_MIN),
		ath_value_double(0.5),
		ath_value_timestamp((struct ath_timestamp){ 0 }),
		ath_value_uuid((struct ath_uuid){ { 0xab } }),
		ath_array_int32(numbers, 2),
		ath_array_text(texts, 2),
		ath_value_text(long_text),
	};
	const char *text;

	(void)state;
	for (size_t i = 0; i < 300; i += 2)
		memcpy(long_text + i, "\xc3\xa9", 2); /* one character */
	read_values("select $1::text, $2::text, $3, $4, $5, $6, $7, $8, $9, $10::text", values,
		    ATH_COUNT(values));
	text = logged();
	check_has(text, "\"$1\":\"'it's'\",\"$2\":\"NULL\",\"$3\":\"true\"");
	check_has(text, "\"$4\":\"-9223372036854775808\",\"$5\":\"0.5\"");
	check_has(text, "\"$6\":\"1970-01-01T00:00:00Z\"");
	check_has(text, "\"$7\":\"ab000000-0000-0000-0000-000000000000\"");
	check_has(text, "\"$8\":\"{1,-2}\",\"$9\":\"{'a',NULL}\"");
	/* the quote is the first of its hundred characters */
	assert_int_equal(count_of(text, "\xc3\xa9"), 99);
	check_has(text, "\xc3\xa9...\"");
}

/* The line keeps its form however long they are. */
static void test_long_values_and_texts(void **state)
{
	static struct ath_value values[100];
	static const int64_t numbers[1000];
	static char sql[5000];
	const char *text;

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(values); i++)
		values[i] = ath_array_int64(numbers, ATH_COUNT(numbers));
	strcpy(sql, "select $1");
	for (size_t i = 1; i < ATH_COUNT(values); i++)
		snprintf(sql + strlen(sql), 20, ", $%zu", i + 1);
	memset(sql + strlen(sql), ' ', sizeof sql - 1 - strlen(sql));
	read_values(sql, values, ATH_COUNT(values));
	text = logged();
	assert_true(strlen(text) <= 2048);
	check_has(text, "...\"");
	check_has(text, "\"$1\":\"{0,0,");
	assert_string_equal(text + strlen(text) - 2, "}\n");
}

static void test_one_that_is_given_up_is_logged_too(void **state)
{
	struct ath_batch *batch = one_statement("select pg_sleep(0.1)", NULL, 0);
	const char *text;

	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	(void)logged();
	assert_int_equal(ath_engine_read(engine, batch, ath_now() + 1), ATH_ETIMEDOUT);
	text = logged();
	check_has(text, "pg_sleep");
	check_has(text, "\"error\":");
	assert_null(strstr(text, "\"rows\""));
}

#define CASE(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_nothing_is_logged_unless_asked_for, setup_off),
		CASE(test_a_line_has_text_time_and_rows, setup_on),
		CASE(test_each_statement_of_a_batch_has_a_line, setup_on),
		CASE(test_the_one_that_failed_has_its_sqlstate, setup_on),
		CASE(test_values_are_hidden, setup_on),
		CASE(test_values_that_are_asked_for, setup_values),
		CASE(test_long_values_and_texts, setup_values),
		CASE(test_one_that_is_given_up_is_logged_too, setup_on),
	};

	return cmocka_run_group_tests(tests, create_database, drop_database);
}
