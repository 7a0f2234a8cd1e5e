/*
 * test_unfit.c - values that have no place: those that are refused before anything is sent, those
 * that the server refuses, and what stands in a table and cannot be read into its member.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <athanor.h>
#include <limits.h>

#include "scenario.h"

struct tight {
	int64_t id;
	const char *name;
	unsigned mood;
	struct ath_null_enum null_mood;
	struct ath_decimal price;
	struct ath_null_decimal null_price;
	struct ath_decimal large; /* numeric(38, 2) */
	int32_t small;            /* smallint in the table */
	int32_t bounded;
	struct ath_timestamp moment;
};
ATH_DECLARE(tight);

ATH_MODEL(tight, "tights", ATH_COLUMN(tight, id, .primary_key = true),
	  ATH_COLUMN(tight, name, .varchar = true, .max_length = 5),
	  ATH_COLUMN(tight, mood, .column = "humour", .values = ATH_VALUES("good", "bad")),
	  ATH_COLUMN(tight, null_mood, .values = ATH_VALUES("good", "bad")),
	  ATH_COLUMN(tight, price, .precision = 6, .scale = 2),
	  ATH_COLUMN(tight, null_price, .precision = 6, .scale = 2),
	  ATH_COLUMN(tight, large, .precision = 38, .scale = 2), ATH_COLUMN(tight, small),
	  ATH_COLUMN(tight, bounded, .min = -1, .max = 9), ATH_COLUMN(tight, moment));

/* The tables' columns are wider than the members. */
struct loose {
	int64_t id;
	struct ath_null_decimal number;
	struct ath_int64_array numbers;
	struct ath_text_array texts;
	struct ath_uuid_array uuids;
	struct ath_null_enum mood;
	struct ath_null_int16 small;
	const char *text;
};
ATH_DECLARE(loose);

ATH_MODEL(loose, "looses", ATH_COLUMN(loose, id, .primary_key = true),
	  ATH_COLUMN(loose, number, .precision = 38, .scale = 10),
	  ATH_COLUMN(loose, numbers, .nullable = true), ATH_COLUMN(loose, texts, .nullable = true),
	  ATH_COLUMN(loose, uuids, .nullable = true),
	  ATH_COLUMN(loose, mood, .values = ATH_VALUES("good", "bad")), ATH_COLUMN(loose, small),
	  ATH_COLUMN(loose, text));

#define NINES_36 "999999999999999999999999999999999999"

static struct ath_decimal decimal_of(const char *text)
{
	struct ath_decimal value;

	if (!ath_decimal_parse(ath_text(text), &value))
		die_of(text, "no decimal");
	return value;
}

/* ---- refused before anything is sent
 * ---------------------------------------------------------------- */

static const struct tight right = { .name = "name" };

static void wrong_enum(struct tight *row)
{
	row->mood = 2;
}

static void wrong_null_enum(struct tight *row)
{
	row->null_mood = (struct ath_null_enum){ UINT_MAX, true };
}

static void wrong_price(struct tight *row)
{
	row->price = decimal_of("1.005");
}

static void wrong_null_price(struct tight *row)
{
	row->null_price = (struct ath_null_decimal){ decimal_of("-0.001"), true };
}

static void no_decimal(struct tight *row)
{
	row->price = ath_decimal_of(1, 99);
}

static const struct {
	void (*spoil)(struct tight *row);
	const char *column, *message;
} refused[] = {
	{ wrong_enum, "humour", "mood is none of the values of its enum" },
	{ wrong_null_enum, "null_mood", "null_mood is none of the values of its enum" },
	{ wrong_price, "price", "price has more digits behind the point than its scale of 2" },
	{ wrong_null_price, "null_price",
	  "null_price has more digits behind the point than its scale of 2" },
	{ no_decimal, "price", "price has more digits behind the point than its scale of 2" },
};

static bool is_refused(struct ath_session *db, size_t i)
{
	EXPECT_STATUS(db, ATH_ERULE);
	if (ath_session_error(db) == NULL)
		return false;
	EXPECT_TEXT(ath_session_error(db)->column, refused[i].column);
	return EXPECT_TEXT(ath_session_error(db)->message, refused[i].message);
}

static void refused_in_a_commit(struct ath_session *db)
{
	for (size_t i = 0; i < ATH_COUNT(refused); i++) {
		struct tight row = right;

		refused[i].spoil(&row);
		tight_add(db, &row);
		EXPECT(!ath_commit(db));
		is_refused(db, i);
		EXPECT(db->statement_count == 0 && db->connection == NULL);
		ath_clear_error(db);
		EXPECT(ath_session_is_clean(db));
	}
	EXPECT_NUMBER("select count(*) from tights", 0);
}

static void refused_in_a_flush(struct ath_session *db)
{
	for (size_t i = 0; i < ATH_COUNT(refused); i++) {
		struct tight good = right, row = right;

		tight_add(db, &good);
		refused[i].spoil(&row);
		tight_add(db, &row);
		EXPECT(!ath_flush(db));
		is_refused(db, i);
		EXPECT(db->statement_count == 0 && db->connection == NULL);
		ath_clear_error(db);
	}
	EXPECT_NUMBER("select count(*) from tights", 0);
}

static void refused_in_an_update(struct ath_session *db)
{
	struct tight row = right;

	tight_add(db, &row);
	EXPECT(ath_commit(db));
	for (size_t i = 0; i < ATH_COUNT(refused); i++) {
		size_t before = db->statement_count;

		refused[i].spoil(&row);
		EXPECT(!ath_session_is_clean(db));
		EXPECT(!ath_commit(db));
		is_refused(db, i);
		EXPECT(db->statement_count == before);
		ath_clear_error(db);
		EXPECT(row.mood == 0 && !row.null_mood.valid); /* as it was */
		EXPECT(ath_commit(db));
	}
	EXPECT_NUMBER("select count(*) from tights where humour = 'good' and price = 0", 1);
}

static void refused_in_an_upsert(struct ath_session *db)
{
	for (size_t i = 0; i < ATH_COUNT(refused); i++) {
		struct tight row = right;

		row.id = 7;
		refused[i].spoil(&row);
		EXPECT(tight_upsert(db, &row, ATH_ON(tight, id)) == NULL);
		is_refused(db, i);
		EXPECT(db->statement_count == 0 && db->connection == NULL);
		ath_clear_error(db);
	}
}

static void refused_in_insert_all(struct ath_session *db)
{
	for (size_t i = 0; i < ATH_COUNT(refused); i++) {
		struct tight rows[3] = { right, right, right };

		refused[i].spoil(&rows[2]);
		EXPECT(tight_insert_all(db, rows, 3) == 0);
		EXPECT_STATUS(db, ATH_ERULE);
		EXPECT_TEXT(db->error.column, refused[i].column);
		EXPECT(strncmp(db->error.message, refused[i].message, strlen(refused[i].message)) ==
			       0 &&
		       strstr(db->error.message, " (row 2)") != NULL);
		EXPECT(db->statement_count == 0 && db->connection == NULL);
		ath_clear_error(db);
	}
}

static void refused_in_an_assignment(struct ath_session *db)
{
	const struct {
		struct ath_assignment assignment;
		size_t i;
	} rows[] = {
		{ ATH_SET(tight, mood, 2), 0 },
		{ ATH_SET(tight, null_mood, UINT_MAX), 1 },
		{ ATH_SET(tight, price, decimal_of("1.005")), 2 },
		{ ATH_SET(tight, null_price, decimal_of("-0.001")), 3 },
	};
	struct tight row = right;

	tight_add(db, &row);
	EXPECT(ath_commit(db));
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_query q = ath_query(tight);
		size_t before = db->statement_count;

		ath_where(&q, ATH_ALL);
		EXPECT(ath_session_update(db, &q, &rows[i].assignment, 1) == 0);
		is_refused(db, rows[i].i);
		EXPECT(db->statement_count == before && db->connection == NULL);
		ath_clear_error(db);
	}
	EXPECT_NUMBER("select count(*) from tights where humour = 'good' and price = 0", 1);
}

/* No row can have such an enum; a decimal that none can have is just not found. */
static void compared(struct ath_session *db)
{
	const unsigned moods[] = { 0, 2 };
	struct ath_query q = ath_query(tight);
	struct tight row = right;

	tight_add(db, &row);
	EXPECT(ath_commit(db));
	ath_where(&q, ATH_EQ(tight, price, decimal_of("0.005")));
	EXPECT(tight_all(db, &q).count == 0 && ath_session_error(db) == NULL);
	ath_where(&q, ATH_EQ(tight, mood, 2));
	EXPECT(tight_all(db, &q).count == 0);
	is_refused(db, 0);
	ath_clear_error(db);
	q = ath_query(tight);
	ath_where(&q, ATH_IN(tight, mood, moods, 2));
	EXPECT(tight_all(db, &q).count == 0);
	is_refused(db, 0);
}

/* Zeros behind the point are no digits too many. */
static void zeros_are_no_digits(struct ath_session *db)
{
	struct tight row = right;

	row.price = decimal_of("1.500000000000000000000000000000000000");
	row.large = decimal_of("-" NINES_36 ".99");
	row.null_price = (struct ath_null_decimal){ decimal_of("0.00000"), true };
	tight_add(db, &row);
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select concat(price, ' ', large, ' ', null_price) from tights"),
		    "1.50 -" NINES_36 ".99 0.00");
}

static void moment_that_cannot_be_sent(struct ath_session *db)
{
	struct tight row = right;

	row.moment.microseconds = INT64_MIN + 1;
	tight_add(db, &row);
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_ERULE);
}

/* ---- refused by the server
 * ------------------------------------------------------------------------- */

static void wide_price(struct tight *row)
{
	row->price = decimal_of("10000");
}

static void widest_price(struct tight *row)
{
	row->price = decimal_of("99" NINES_36); /* no room for its digits behind the point */
}

static void wide_large(struct tight *row)
{
	row->large = decimal_of("1" NINES_36);
}

static void wide_number(struct tight *row)
{
	row->small = 32768;
}

static void number_out_of_bounds(struct tight *row)
{
	row->bounded = 10;
}

static void long_name(struct tight *row)
{
	row->name = "longer";
}

static void no_name(struct tight *row)
{
	row->name = NULL;
}

static void moment_too_early(struct tight *row)
{
	row->moment.microseconds = -210866803200000001;
}

static const struct {
	void (*spoil)(struct tight *row);
	const char *sqlstate, *constraint, *column;
} refused_there[] = {
	{ wide_price, "22003", "", "" },
	{ widest_price, "22003", "", "" },
	{ wide_large, "22003", "", "" },
	{ wide_number, "22003", "", "" },
	{ number_out_of_bounds, "23514", "ck_tights_bounded", "" },
	{ long_name, "22001", "", "" },
	{ no_name, "23502", "", "name" },
	{ moment_too_early, "22008", "", "" },
};

static void refused_by_the_server(struct ath_session *db)
{
	static struct tight rows[2 * ATH_COUNT(refused_there)];

	for (size_t i = 0; i < 2 * ATH_COUNT(refused_there); i++) {
		struct tight *row = &rows[i];
		size_t at = i / 2;

		*row = right;
		if (i % 2) { /* as an UPDATE */
			tight_add(db, row);
			EXPECT(ath_commit(db));
		}
		refused_there[at].spoil(row);
		tight_add(db, row);
		EXPECT(!ath_commit(db));
		EXPECT_STATUS(db, ATH_ERULE);
		EXPECT_TEXT(db->error.sqlstate, refused_there[at].sqlstate);
		EXPECT_TEXT(db->error.constraint, refused_there[at].constraint);
		EXPECT_TEXT(db->error.column, refused_there[at].column);
		ath_clear_error(db);
	}
	EXPECT_NUMBER("select count(*) from tights where price = 0 and small = 0 and bounded = 0 "
		      "and name = 'name'",
		      (int)ATH_COUNT(refused_there));
}

/* ---- what stands in a table
 * -------------------------------------------------------------------------- */

static const struct {
	const char *column, *value;
	bool read;
} stored[] = {
	{ "number", "'99999999999999999999999999999999999999'", true },
	{ "number", "'0.00000000000000000000000000000000000001'", true },
	{ "number", "'100000000000000000000000000000000000000'", false },
	{ "number", "'1e130000'", false },
	{ "number", "'0.000000000000000000000000000000000000001'", false },
	{ "number", "'1.00000000000000000000000000000000000000'", false },
	{ "number", "'1e-16000'", false },
	{ "number", "'NaN'", false },
	{ "number", "'Infinity'", false },
	{ "number", "'-Infinity'", false },
	{ "number", "NULL", true },
	{ "numbers", "'{1,2}'", true },
	{ "numbers", "'[5:6]={1,2}'", true },
	{ "numbers", "'{}'", true },
	{ "numbers", "'{1,NULL}'", false },
	{ "numbers", "'{NULL}'", false },
	{ "numbers", "'{{1,2},{3,4}}'", false },
	{ "numbers", "'{{{{{{1}}}}}}'", false },
	{ "texts", "'{a,NULL}'", true },
	{ "texts", "'{{a}}'", false },
	{ "uuids", "'{NULL}'", false },
	{ "uuids", "'{{00000000-0000-0000-0000-000000000000}}'", false },
	{ "mood", "'bad'", true },
	{ "mood", "'worse'", false },
	{ "mood", "''", false },
	{ "small", "-32768", true },
	{ "small", "32768", false },
	{ "small", "-2147483648", false },
	{ "text", "NULL", false },
};

static void read_or_refused(struct ath_session *db)
{
	(void)db;
	for (size_t i = 0; i < ATH_COUNT(stored); i++) {
		struct ath_session *fresh = open_session(0);
		struct ath_query q = ath_query(loose);
		struct loose *row;
		char sql[300];

		snprintf(sql, sizeof sql,
			 "truncate looses; insert into looses (id, text) values (1, '');"
			 "update looses set %s = %s",
			 stored[i].column, stored[i].value);
		run_sql(sql);
		row = loose_get(fresh, 1);
		if ((row != NULL) != stored[i].read ||
		    (row != NULL) != (status_of(fresh) == ATH_OK))
			expect(false, sql, __LINE__);
		if (row == NULL) {
			EXPECT_STATUS(fresh, ATH_ESQL);
			/* it says which column */
			snprintf(sql, sizeof sql, "column %s ", stored[i].column);
			EXPECT(strstr(fresh->error.message, sql) != NULL);
		}
		/* the connection is as good as before */
		ath_clear_error(fresh);
		EXPECT(ath_count(fresh, &q) == 1);
		ath_session_close(&fresh);
	}
}

/* ---- all of them
 * -------------------------------------------------------------------------------------- */

static const struct scenario scenarios[] = {
#define SCENARIO(name_)                                                                            \
	{                                                                                          \
		.name = #name_, .run = name_                                                       \
	}
	SCENARIO(refused_in_a_commit),
	SCENARIO(refused_in_a_flush),
	SCENARIO(refused_in_an_update),
	SCENARIO(refused_in_an_upsert),
	SCENARIO(refused_in_insert_all),
	SCENARIO(refused_in_an_assignment),
	SCENARIO(compared),
	SCENARIO(zeros_are_no_digits),
	SCENARIO(moment_that_cannot_be_sent),
	SCENARIO(refused_by_the_server),
	SCENARIO(read_or_refused),
};

static const struct ath_model *const models[] = { &tight_model, NULL };

static int create_tables(void **state)
{
	struct ath_session *db;

	if (create_database(state) != 0 || open_engine(state) != 0)
		return -1;
	db = open_session(0);
	if (!ath_create_all(db, models) || !ath_commit(db))
		die_of("ath_create_all", ath_session_error(db)->message);
	ath_session_close(&db);
	run_sql("alter table tights alter small type smallint;"
		"create table looses (id bigint primary key, number numeric, numbers bigint[],"
		" texts text[], uuids uuid[], mood text, small integer, text text)");
	return close_engine(state);
}

static void test_scenario(void **state)
{
	struct scenario scenario = *(const struct scenario *)*state;

	for (int round = 0; round < 2; round++) {
		run_sql("truncate tights, looses restart identity");
		failure[0] = '\0';
		if (round == 0) {
			run_in_session(&scenario);
		} else {
			start(run_in_session, &scenario, ATH_NEVER);
			run_fibers();
		}
		if (failure[0] != '\0')
			fail_msg("%s, %s: %s", scenario.name, round == 0 ? "plain" : "in a fiber",
				 failure);
	}
}

int main(void)
{
	struct CMUnitTest tests[ATH_COUNT(scenarios)];

	for (size_t i = 0; i < ATH_COUNT(scenarios); i++)
		tests[i] = (struct CMUnitTest){ .name = scenarios[i].name,
						.test_func = test_scenario,
						.setup_func = open_engine,
						.teardown_func = close_engine,
						.initial_state = (void *)(uintptr_t)&scenarios[i] };
	return cmocka_run_group_tests(tests, create_tables, drop_database);
}
