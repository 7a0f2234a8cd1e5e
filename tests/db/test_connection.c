/*
 * test_connection.c - values to the server and back at the edges of their types, results that
 * do not fit, and what becomes of batches that fail at their various ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"

#define FIRST_SECOND INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_SECOND  INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define ALWAYS       (ath_now() + PATIENCE_MS)

/* What one value can be read into. */
struct cell {
	union {
		bool boolean;
		int16_t int16;
		int32_t int32;
		int64_t int64;
		double real;
		const char *text;
		struct ath_timestamp timestamp;
		struct ath_uuid uuid;
		struct ath_null_int32 null_int32;
	} as;
};

static struct ath_batch *batch;

static int clear_and_close(void **state)
{
	if (batch != NULL && batch->driver != NULL)
		ath_batch_clear(batch);
	batch = NULL;
	return close_engine(state);
}

static void run(const char *text, const struct ath_value *params, size_t count)
{
	if (batch != NULL)
		ath_batch_clear(batch);
	batch = one_statement(text, params, count);
	if (ath_engine_read(engine, batch, ALWAYS) != ATH_OK)
		fail_msg("%s: %s", text, batch->error.message);
}

static enum ath_status read_cell(const struct ath_target *target, struct cell *cell,
				 struct ath_error *error)
{
	void *object = cell;

	ath_error_clear(error);
	return batch->driver->read(batch->results[0], 0, 1, target, 1, &object, arena, error);
}

static struct cell get_cell(enum ath_type type)
{
	const struct ath_target target = { .type = type, .name = "cell" };
	struct ath_error error;
	struct cell cell;

	memset(&cell, 0x5a, sizeof cell);
	if (read_cell(&target, &cell, &error) != ATH_OK)
		fail_msg("%s", error.message);
	return cell;
}

/* Does the server show the value as this text? Leaves the value itself to be read. */
static void send(const char *cast, struct ath_value value, const char *text)
{
	char sql[128];

	snprintf(sql, sizeof sql, "select ($1::%s)::text", cast);
	run(sql, &value, 1);
	assert_string_equal(get_cell(ATH_TYPE_TEXT).as.text, text);
	snprintf(sql, sizeof sql, "select $1::%s", cast);
	run(sql, &value, 1);
}

/* ---- every type ----------------------------------------------------------------------------- */

static void test_booleans(void **state)
{
	(void)state;
	send("bool", ath_value_bool(true), "true");
	assert_true(get_cell(ATH_TYPE_BOOL).as.boolean);
	send("bool", ath_value_bool(false), "false");
	assert_false(get_cell(ATH_TYPE_BOOL).as.boolean);
}

static void test_integers(void **state)
{
	static const int64_t values[] = { 0,         1,         -1,        INT16_MIN, INT16_MAX,
					  INT32_MIN, INT32_MAX, INT64_MIN, INT64_MAX };
	char text[32];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(values); i++) {
		snprintf(text, sizeof text, "%lld", (long long)values[i]);
		send("int8", ath_value_int64(values[i]), text);
		assert_true(get_cell(ATH_TYPE_INT64).as.int64 == values[i]);
		if (values[i] == (int32_t)values[i]) {
			send("int4", ath_value_int32((int32_t)values[i]), text);
			assert_int_equal(get_cell(ATH_TYPE_INT32).as.int32, values[i]);
			assert_true(get_cell(ATH_TYPE_INT64).as.int64 == values[i]);
		}
		if (values[i] == (int16_t)values[i]) {
			send("int2", ath_value_int16((int16_t)values[i]), text);
			assert_int_equal(get_cell(ATH_TYPE_INT16).as.int16, values[i]);
			assert_int_equal(get_cell(ATH_TYPE_INT32).as.int32, values[i]);
		}
	}
}

static void test_doubles(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{ 0.0, "0" },
		{ -0.0, "-0" },
		{ 0.1, "0.1" },
		{ 5e-324, "5e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ __builtin_inf(), "Infinity" },
		{ -__builtin_inf(), "-Infinity" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		double back;

		send("float8", ath_value_double(rows[i].value), rows[i].text);
		back = get_cell(ATH_TYPE_DOUBLE).as.real;
		assert_memory_equal(&back, &rows[i].value, sizeof back);
	}
	send("float8", ath_value_double(__builtin_nan("")), "NaN");
	assert_true(__builtin_isnan(get_cell(ATH_TYPE_DOUBLE).as.real));
	run("select 1.5::float4", NULL, 0);
	assert_true(get_cell(ATH_TYPE_DOUBLE).as.real == 1.5);
}

static void test_timestamps(void **state)
{
	static const struct {
		int64_t microseconds;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01 00:00:00+00" },
		{ 1, "1970-01-01 00:00:00.000001+00" },
		{ -1, "1969-12-31 23:59:59.999999+00" },
		{ 946684800000000, "2000-01-01 00:00:00+00" },
		{ 946684799999999, "1999-12-31 23:59:59.999999+00" },
		{ FIRST_SECOND * 1000000, "0001-01-01 00:00:00+00" },
		{ LAST_SECOND * 1000000 + 999999, "9999-12-31 23:59:59.999999+00" },
		{ INT64_MAX, "infinity" },
		{ INT64_MIN, "-infinity" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_timestamp moment = { rows[i].microseconds };

		run("select set_config('timezone', 'UTC', false)", NULL, 0);
		send("timestamptz", ath_value_timestamp(moment), rows[i].text);
		assert_true(get_cell(ATH_TYPE_TIMESTAMP).as.timestamp.microseconds ==
			    moment.microseconds);
	}
}

static void test_texts(void **state)
{
	static const char *const texts[] = { "", "a", "\xc3\xa4\xf0\x9f\x90\x98", "'\\$1\"",
					     "\x01\x7f" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(texts); i++) {
		send("text", ath_value_text(texts[i]), texts[i]);
		send("varchar", ath_value_text(texts[i]), texts[i]);
	}
	run("select 'name'::name", NULL, 0);
	assert_string_equal(get_cell(ATH_TYPE_TEXT).as.text, "name");
	run("select '{\"a\": 1}'::json", NULL, 0);
	assert_string_equal(get_cell(ATH_TYPE_TEXT).as.text, "{\"a\": 1}");
}

/* More than any buffer holds, there and back. */
static void test_a_text_of_ten_megabytes(void **state)
{
	enum { LENGTH = 10 << 20 };
	char *text = malloc(LENGTH + 1);
	const char *back;

	(void)state;
	memset(text, 'x', LENGTH);
	text[LENGTH] = '\0';
	run("select $1::text", &(struct ath_value){ .type = ATH_TYPE_TEXT, .as.text = text }, 1);
	back = get_cell(ATH_TYPE_TEXT).as.text;
	assert_int_equal(strlen(back), LENGTH);
	assert_memory_equal(back, text, LENGTH);
	free(text);
}

static void test_uuids(void **state)
{
	static const char *const texts[] = { "00000000-0000-0000-0000-000000000000",
					     "ffffffff-ffff-ffff-ffff-ffffffffffff",
					     "01234567-89ab-cdef-0123-456789abcdef" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(texts); i++) {
		struct ath_uuid uuid, back;

		assert_true(ath_uuid_parse(ath_text(texts[i]), &uuid));
		send("uuid", ath_value_uuid(uuid), texts[i]);
		back = get_cell(ATH_TYPE_UUID).as.uuid;
		assert_memory_equal(&back, &uuid, sizeof uuid);
	}
}

/* ---- arrays --------------------------------------------------------------------------------- */

static void send_array(const char *cast, struct ath_value value, const char *text)
{
	char sql[128];

	snprintf(sql, sizeof sql, "select ($1::%s[])::text", cast);
	run(sql, &value, 1);
	assert_string_equal(get_cell(ATH_TYPE_TEXT).as.text, text);
}

static void test_arrays(void **state)
{
	static const bool booleans[] = { true, false };
	static const int16_t small[] = { INT16_MIN, INT16_MAX };
	static const int32_t medium[] = { INT32_MIN, 0, INT32_MAX };
	static const int64_t large[] = { INT64_MIN, INT64_MAX };
	static const double reals[] = { 0.5, -1e300 };
	static const char *const texts[] = { "a", "", NULL, "b,\"c\"", "NULL" };
	static const struct ath_timestamp moments[] = { { 946684800000000 }, { INT64_MAX } };
	static const struct ath_uuid uuids[] = { { { 1 } } };

	(void)state;
	run("select set_config('timezone', 'UTC', false)", NULL, 0);
	send_array("bool", ath_array_bool(booleans, 2), "{t,f}");
	send_array("int2", ath_array_int16(small, 2), "{-32768,32767}");
	send_array("int4", ath_array_int32(medium, 3), "{-2147483648,0,2147483647}");
	send_array("int8", ath_array_int64(large, 2), "{-9223372036854775808,9223372036854775807}");
	send_array("float8", ath_array_double(reals, 2), "{0.5,-1e+300}");
	send_array("text", ath_array_text(texts, 5), "{a,\"\",NULL,\"b,\\\"c\\\"\",\"NULL\"}");
	send_array("timestamptz", ath_array_timestamp(moments, 2),
		   "{\"2000-01-01 00:00:00+00\",infinity}");
	send_array("uuid", ath_array_uuid(uuids, 1), "{01000000-0000-0000-0000-000000000000}");
}

static void test_empty_arrays(void **state)
{
	(void)state;
	send_array("bool", ath_array_bool(NULL, 0), "{}");
	send_array("int8", ath_array_int64(NULL, 0), "{}");
	send_array("text", ath_array_text(NULL, 0), "{}");
	send_array("uuid", ath_array_uuid(NULL, 0), "{}");
}

static void test_a_large_array(void **state)
{
	enum { COUNT = 200000 };
	int64_t *items = calloc(COUNT, sizeof *items);
	struct ath_value value = ath_array_int64(items, COUNT);

	(void)state;
	for (int64_t i = 0; i < COUNT; i++)
		items[i] = i;
	run("select sum(n)::int8 from unnest($1::int8[]) n", &value, 1);
	assert_int_equal(get_cell(ATH_TYPE_INT64).as.int64, (int64_t)COUNT * (COUNT - 1) / 2);
	free(items);
}

/* ---- NULL ----------------------------------------------------------------------------------- */

static void test_nulls_as_parameters(void **state)
{
	struct ath_value nulls[] = { ath_value_text(NULL), ath_value_int64(1) };

	(void)state;
	nulls[1].null = true;
	run("select ($1::text is null and $2::int8 is null)", nulls, 2);
	assert_true(get_cell(ATH_TYPE_BOOL).as.boolean);
}

static void test_nulls_as_results(void **state)
{
	const struct ath_target strict = { .type = ATH_TYPE_INT32, .name = "strict" };
	const struct ath_target strict_text = { .type = ATH_TYPE_TEXT, .name = "strict" };
	const struct ath_target loose = { .type = ATH_TYPE_INT32,
					  .flag = offsetof(struct ath_null_int32, valid),
					  .name = "loose" };
	const struct ath_target loose_text = { .type = ATH_TYPE_TEXT,
					       .null_allowed = true,
					       .name = "loose" };
	struct ath_error error;
	struct cell cell;

	(void)state;
	run("select null::int4", NULL, 0);
	assert_int_equal(read_cell(&strict, &cell, &error), ATH_ESQL);
	assert_non_null(strstr(error.message, "column strict is NULL"));
	cell.as.null_int32.valid = true;
	assert_int_equal(read_cell(&loose, &cell, &error), ATH_OK);
	assert_false(cell.as.null_int32.valid);
	run("select null::text", NULL, 0);
	assert_int_equal(read_cell(&strict_text, &cell, &error), ATH_ESQL);
	cell.as.text = "x";
	assert_int_equal(read_cell(&loose_text, &cell, &error), ATH_OK);
	assert_null(cell.as.text);
	run("select 5::int4", NULL, 0);
	assert_int_equal(read_cell(&loose, &cell, &error), ATH_OK);
	assert_true(cell.as.null_int32.valid && cell.as.null_int32.value == 5);
}

/* ---- what does not fit ---------------------------------------------------------------------- */

static void test_another_type_in_the_database(void **state)
{
	static const struct {
		const char *sql;
		enum ath_type type;
	} rows[] = {
		{ "select 'x'", ATH_TYPE_INT64 },
		{ "select 1", ATH_TYPE_TEXT },
		{ "select 1.5::float8", ATH_TYPE_INT64 },
		{ "select 1", ATH_TYPE_DOUBLE },
		{ "select 1.5::numeric", ATH_TYPE_DOUBLE },
		{ "select now()::timestamp", ATH_TYPE_TIMESTAMP },
		{ "select current_date", ATH_TYPE_TIMESTAMP },
		{ "select 'x'", ATH_TYPE_UUID },
		{ "select 1", ATH_TYPE_BOOL },
		{ "select true", ATH_TYPE_INT16 },
		{ "select array[1]", ATH_TYPE_INT32 },
		{ "select '\\x00'::bytea", ATH_TYPE_TEXT },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const struct ath_target target = { .type = rows[i].type, .name = "the_column" };
		struct ath_error error;
		struct cell cell;

		run(rows[i].sql, NULL, 0);
		if (read_cell(&target, &cell, &error) != ATH_ESQL)
			fail_msg("read: %s", rows[i].sql);
		assert_non_null(strstr(error.message, "the_column has another type"));
	}
}

static void test_values_that_do_not_fit(void **state)
{
	static const struct {
		const char *sql;
		enum ath_type type;
	} rows[] = {
		{ "select 32768::int4", ATH_TYPE_INT16 },
		{ "select -32769::int8", ATH_TYPE_INT16 },
		{ "select 2147483648::int8", ATH_TYPE_INT32 },
		{ "select (-2147483649)::int8", ATH_TYPE_INT32 },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const struct ath_target target = { .type = rows[i].type, .name = "narrow" };
		struct ath_error error;
		struct cell cell;

		run(rows[i].sql, NULL, 0);
		assert_int_equal(read_cell(&target, &cell, &error), ATH_ESQL);
		assert_non_null(strstr(error.message, "column narrow does not fit"));
	}
}

static void test_another_number_of_columns(void **state)
{
	const struct ath_target target = { .type = ATH_TYPE_INT32, .name = "one" };
	struct ath_error error;
	struct cell cell;

	(void)state;
	run("select 1, 2", NULL, 0);
	assert_int_equal(read_cell(&target, &cell, &error), ATH_ESQL);
	assert_non_null(strstr(error.message, "2 columns came where 1"));
}

/* Rows from the middle, several columns each, into structs of their own. */
static void test_many_rows(void **state)
{
	struct pair {
		const char *text;
		int64_t number;
	} pairs[3];
	const struct ath_target targets[] = {
		{ .offset = offsetof(struct pair, number), .type = ATH_TYPE_INT64, .name = "n" },
		{ .offset = offsetof(struct pair, text), .type = ATH_TYPE_TEXT, .name = "t" },
	};
	void *objects[] = { &pairs[0], &pairs[1], &pairs[2] };
	struct ath_error error = { 0 };

	(void)state;
	run("select n::int8, 'row ' || n from generate_series(0, 99) n", NULL, 0);
	assert_int_equal(batch->driver->rows(batch->results[0]), 100);
	assert_true(batch->driver->memory(batch->results[0]) > 0);
	assert_int_equal(
		batch->driver->read(batch->results[0], 50, 3, targets, 2, objects, arena, &error),
		ATH_OK);
	assert_int_equal(pairs[2].number, 52);
	assert_string_equal(pairs[2].text, "row 52");
}

/* ---- batches on a connection of one's own --------------------------------------------------- */

static struct ath_connection *connection;

static int open_connection(void **state)
{
	struct ath_error error = { 0 };

	if (open_engine(state) != 0)
		return -1;
	return ath_engine_checkout(engine, &connection, ALWAYS, &error) != ATH_OK;
}

static int close_connection(void **state)
{
	ath_engine_give_back(engine, &connection);
	return clear_and_close(state);
}

static enum ath_status run_all(const char *const *texts, size_t count)
{
	if (batch != NULL)
		ath_batch_clear(batch);
	batch = new_batch(count);
	for (size_t i = 0; i < count; i++)
		set_statement(batch, i, texts[i], NULL, 0);
	return ath_engine_run(engine, connection, batch, ALWAYS, false);
}

/* A batch is a transaction: what stands before the error is undone as well. */
static void test_a_batch_is_all_or_nothing(void **state)
{
	static const char *const good[] = { "insert into items values (1)",
					    "insert into items values (2)" };
	static const char *const bad[] = { "insert into items values (3)",
					   "insert into items values (1)",
					   "insert into items values (4)" };

	(void)state;
	run_sql("drop table if exists items; create table items (id int constraint pk primary "
		"key)");
	assert_int_equal(run_all(good, 2), ATH_OK);
	assert_int_equal(batch->driver->affected(batch->results[1]), 1);
	assert_string_equal(batch->driver->tag(batch->results[1]), "INSERT 0 1");
	assert_int_equal(run_all(bad, 3), ATH_EUNIQUE);
	assert_string_equal(batch->error.constraint, "pk");
	assert_string_equal(batch->error.table, "items");
	assert_null(batch->results[1]);
	assert_null(batch->results[2]);
	assert_int_equal(ask_number("select count(*) from items"), 2);
	assert_false(ath_connection_in_transaction(connection));
	assert_int_equal(run_all(good, 1), ATH_EUNIQUE);
}

/* The error comes with the sync, behind all results. */
static void test_an_error_at_the_end_of_the_transaction(void **state)
{
	static const char *const texts[] = { "insert into late values (1)",
					     "insert into late values (1)" };
	static const char *const one[] = { "insert into late values (2)" };

	(void)state;
	run_sql("drop table if exists late; create table late (id int constraint late_id unique "
		"deferrable initially deferred)");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_all(texts, 2), ATH_EUNIQUE);
		assert_string_equal(batch->error.constraint, "late_id");
		assert_int_equal(ath_connection_outstanding(connection), 0);
	}
	assert_int_equal(run_all(one, 1), ATH_OK);
	assert_int_equal(ask_number("select count(*) from late"), 1);
}

static void test_the_status_of_errors(void **state)
{
	static const struct {
		const char *sqlstate;
		enum ath_status status;
	} rows[] = {
		{ "08006", ATH_EUNAVAILABLE },   { "08007", ATH_EUNKNOWN },
		{ "53300", ATH_EUNAVAILABLE },   { "57014", ATH_ETIMEDOUT },
		{ "57P03", ATH_EUNAVAILABLE },   { "23505", ATH_EUNIQUE },
		{ "23P01", ATH_EUNIQUE },        { "23503", ATH_EREFERENCE },
		{ "23001", ATH_EREFERENCE },     { "23502", ATH_ERULE },
		{ "23514", ATH_ERULE },          { "22003", ATH_ERULE },
		{ "40001", ATH_ESERIALIZATION }, { "40P01", ATH_ESERIALIZATION },
		{ "55P03", ATH_ELOCKED },        { "42501", ATH_EFORBIDDEN },
		{ "25006", ATH_EREADONLY },      { "42P01", ATH_ESQL },
		{ "P0001", ATH_ESQL },           { "57000", ATH_ESQL },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		char text[128];
		const char *const texts[] = { text };

		snprintf(text, sizeof text,
			 "do $$ begin raise sqlstate '%s' using message = E'a\\nb'; "
			 "end $$",
			 rows[i].sqlstate);
		if (run_all(texts, 1) != rows[i].status)
			fail_msg("%s: %d", rows[i].sqlstate, (int)batch->error.status);
		assert_string_equal(batch->error.sqlstate, rows[i].sqlstate);
		assert_string_equal(batch->error.message, "a");
	}
}

static void test_copy_is_refused_and_harmless(void **state)
{
	static const char *const copy[] = { "copy (select 1) to stdout" };
	static const char *const one[] = { "select 1" };

	(void)state;
	assert_int_not_equal(run_all(copy, 1), ATH_OK);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(ath_engine_checkout(engine, &connection, ALWAYS, &(struct ath_error){ 0 }),
			 ATH_OK);
	assert_int_equal(run_all(one, 1), ATH_OK);
}

static void test_scripts(void **state)
{
	struct ath_error error = { 0 };

	(void)state;
	run_sql("drop table if exists script");
	assert_int_equal(ath_connection_script(connection,
					       "create table script (id int); "
					       "insert into script values (1), (2)",
					       &error),
			 ATH_OK);
	assert_int_equal(ask_number("select count(*) from script"), 2);
	assert_int_equal(ath_connection_script(connection, "", &error), ATH_OK);
	assert_int_equal(ath_connection_script(connection,
					       "insert into script values (3); "
					       "select 1 / 0; select broken",
					       &error),
			 ATH_ERULE);
	assert_string_equal(error.sqlstate, "22012");
	assert_int_equal(ask_number("select count(*) from script"), 2);
	assert_int_equal(run_all((const char *const[]){ "select 1" }, 1), ATH_OK);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_engine, clear_and_close)
#define OWN(test)  cmocka_unit_test_setup_teardown(test, open_connection, close_connection)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_booleans),
		CASE(test_integers),
		CASE(test_doubles),
		CASE(test_timestamps),
		CASE(test_texts),
		CASE(test_a_text_of_ten_megabytes),
		CASE(test_uuids),
		CASE(test_arrays),
		CASE(test_empty_arrays),
		CASE(test_a_large_array),
		CASE(test_nulls_as_parameters),
		CASE(test_nulls_as_results),
		CASE(test_another_type_in_the_database),
		CASE(test_values_that_do_not_fit),
		CASE(test_another_number_of_columns),
		CASE(test_many_rows),
		OWN(test_a_batch_is_all_or_nothing),
		OWN(test_an_error_at_the_end_of_the_transaction),
		OWN(test_the_status_of_errors),
		OWN(test_copy_is_refused_and_harmless),
		OWN(test_scripts),
	};

	return cmocka_run_group_tests(tests, create_database, drop_database);
}
