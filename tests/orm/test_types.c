/*
 * test_types.c - values of every type, at their edges and by chance: stored and read again,
 * changed, found by what they are, and not seen as changed when they are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../db/engine_fixture.h"
#include "every_type.h"

enum { RANDOM = 300, ROWS = EDGES + RANDOM, MEMORY = 200 << 20 };

static struct every rows[ROWS]; /* as they are to be; their ids are 1 to ROWS */

static struct ath_session *open_session(void)
{
	static const struct ath_session_options options = { .memory = MEMORY };
	struct ath_session *db;

	if (ath_session_open(&db, engine, &options) != ATH_OK)
		die_of("ath_session_open", "no session");
	return db;
}

static void close_session(struct ath_session *db)
{
	const struct ath_error *error = ath_session_error(db);

	if (error != NULL)
		fail_msg("%s: %s (%s)", ath_status_text(error->status), error->message,
			 error->column);
	ath_session_close(&db);
}

static void make_rows(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (i < EDGES)
			edge_row(&rows[i], i, false);
		else
			random_row(&rows[i], false);
		rows[i].id = 0;
	}
}

static void store_rows(void)
{
	struct ath_session *db = open_session();

	for (size_t i = 0; i < ROWS; i++)
		every_add(db, &rows[i]);
	assert_true(ath_commit(db) || ath_session_error(db) != NULL);
	close_session(db);
	for (size_t i = 0; i < ROWS; i++)
		assert_int_equal(rows[i].id, i + 1);
}

/* Is what the table holds what rows says? In a fresh session, by way of one query. */
static void check_rows(void)
{
	struct ath_session *db = open_session();
	struct ath_query q = ath_query(every);
	struct every_list list;

	ath_order_by(&q, ATH_ASC(every, id));
	list = every_all(db, &q);
	if (ath_session_error(db) != NULL)
		close_session(db);
	assert_int_equal(list.count, ROWS);
	for (size_t i = 0; i < ROWS; i++) {
		const char *name = difference(&rows[i], list.items[i]);

		if (name != NULL)
			fail_msg("row %zu: %s is another", i, name);
	}
	close_session(db);
}

static int fresh_table(void **state)
{
	static const struct ath_model *const models[] = { &every_model, NULL };
	struct ath_session *db;

	if (open_engine(state) != 0 || ath_arena_open(&values, MEMORY) != ATH_OK)
		return -1;
	run_sql("drop table if exists everys");
	db = open_session();
	if (!ath_create_all(db, models) || !ath_commit(db))
		die_of("ath_create_all", ath_session_error(db)->message);
	ath_session_close(&db);
	make_rows();
	return 0;
}

static int end(void **state)
{
	ath_arena_close(&values);
	return close_engine(state);
}

/* ---- stored and read ----------------------------------------------------------------------------
 */

static void test_stored_and_read(void **state)
{
	(void)state;
	store_rows();
	check_rows();
}

/* What the library wrote is what the server itself reads in it. */
static void test_as_the_server_sees_it(void **state)
{
	static const struct {
		size_t row;
		const char *sql, *text;
	} facts[] = {
		{ 0, "real", "0" },
		{ 1, "real", "-0" },
		{ 5, "real", "-2.2250738585072014e-308" },
		{ 8, "real", "5e-324" },
		{ 15, "real", "NaN" },
		{ 16, "real", "Infinity" },
		{ 17, "real", "-Infinity" },
		{ 0, "moment at time zone 'UTC'", "1970-01-01 00:00:00" },
		{ 2, "moment at time zone 'UTC'", "1969-12-31 23:59:59.999999" },
		{ 5, "moment at time zone 'UTC'", "1999-12-31 23:59:59.999999" },
		{ 6, "moment", "infinity" },
		{ 7, "moment", "-infinity" },
		{ 8, "moment at time zone 'UTC'", "0001-01-01 00:00:00" },
		{ 9, "moment at time zone 'UTC'", "9999-12-31 23:59:59.999999" },
		{ 11, "moment at time zone 'UTC'", "4714-11-24 00:00:00 BC" },
		{ 0, "day", "1970-01-01" },
		{ 4, "day", "1999-12-31" },
		{ 6, "day", "infinity" },
		{ 7, "day", "-infinity" },
		{ 8, "day", "0001-01-01" },
		{ 12, "day", "4714-11-24 BC" },
		{ 13, "day", "5874897-12-31" },
		{ 3, "whole", NINES_38 },
		{ 4, "whole", "-" NINES_38 },
		{ 9, "whole", "10000000000000000000000000000000000000" },
		{ 2, "price", "1.50" },
		{ 9, "price", "-99999999.99" },
		{ 4, "fine", "-9" NINES_18 ".9" NINES_18 },
		{ 3, "part", "0.00000000000000000000000000000000000001" },
		{ 2, "colour", "it's \"odd\" \\ \xc3\xa4" },
		{ 1, "encode(uuid::text::bytea, 'escape')",
		  "ffffffff-ffff-ffff-ffff-ffffffffffff" },
		{ 5, "length(bytes)", "256" },
		{ 5, "get_byte(bytes, 255)", "255" },
		{ 1, "encode(bytes, 'hex')", "00" },
		{ 3, "cardinality(texts)", "1000" },
		{ 3, "texts[1] is null and texts[2] = 'a' and texts[3] is null", "t" },
		{ 0, "texts", "{}" },
		{ 0, "numbers", "{}" },
		{ 2, "numbers[8]", "-9223372036854775808" },
		{ 2, "texts[4]", "{a,b}" },
		{ 11, "text = 'é'", "f" },
		{ 11, "char_length(text)", "1" },
		{ 18,
		  "num_nulls(null_flag, null_small, null_medium, null_large, null_real, null_text,"
		  " null_letters, null_moment, null_day, null_whole, null_price, null_fine,"
		  " null_part, null_colour, null_uuid, null_json, null_bytes, null_texts,"
		  " null_numbers, null_uuids)",
		  "20" },
		{ 17, "num_nulls(null_flag, null_real, null_json, null_bytes, null_texts)", "0" },
	};

	(void)state;
	store_rows();
	for (size_t i = 0; i < ATH_COUNT(facts); i++) {
		char sql[600];

		snprintf(sql, sizeof sql, "select %s from everys where id = %zu", facts[i].sql,
			 facts[i].row + 1);
		if (strcmp(ask(sql), facts[i].text) != 0)
			fail_msg("%s is %s, not %s", sql, ask(sql), facts[i].text);
	}
}

/* One by one, each in a session and a transaction of its own, by key. */
static void test_one_by_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < EDGES + 30; i++) {
		struct ath_session *db = open_session();
		struct every *row;

		every_add(db, &rows[i]);
		if (i % 2)
			ath_flush(db);
		ath_commit(db);
		close_session(db);
		db = open_session();
		row = every_get(db, rows[i].id);
		if (row == NULL || difference(row, &rows[i]) != NULL)
			fail_msg("row %zu: %s", i,
				 row == NULL ? "none" : difference(row, &rows[i]));
		close_session(db);
	}
}

/* ---- changed ------------------------------------------------------------------------------------
 */

/* Every column of every row gets the value of another row. */
static void move_rows(size_t by)
{
	static struct every moved[ROWS];

	for (size_t i = 0; i < ROWS; i++) {
		moved[i] = rows[(i + by) % ROWS];
		moved[i].id = (int64_t)i + 1;
	}
	memcpy(rows, moved, sizeof rows);
}

static void update_rows(size_t by, bool flush)
{
	struct ath_session *db = open_session();
	struct ath_query q = ath_query(every);
	struct every_list list;

	ath_order_by(&q, ATH_ASC(every, id));
	list = every_all(db, &q);
	assert_int_equal(list.count, ROWS);
	move_rows(by);
	for (size_t i = 0; i < ROWS; i++)
		*list.items[i] = rows[i];
	if (flush)
		ath_flush(db);
	ath_commit(db);
	close_session(db);
}

static void test_updated(void **state)
{
	(void)state;
	store_rows();
	update_rows(1, false);
	check_rows();
	update_rows(7, true);
	check_rows();
	update_rows(EDGES, false);
	check_rows();
}

/* A column alone, so that none is stored by the grace of another. */
static void test_each_column_alone(void **state)
{
	(void)state;
	store_rows();
	for (size_t c = 1; c < every_model.member_count; c++) {
		const struct ath_member *column = &every_model.members[c];
		size_t at = 1 + c % (ROWS - 1);
		struct ath_session *db = open_session();
		struct every *row = every_get(db, (int64_t)at), *other = &rows[at];

		assert_non_null(row);
		memcpy((char *)row + column->offset, (char *)other + column->offset, column->size);
		memcpy((char *)&rows[at - 1] + column->offset, (char *)other + column->offset,
		       column->size);
		ath_commit(db);
		close_session(db);
	}
	check_rows();
}

/* ---- not changed
 * --------------------------------------------------------------------------------- */

/* Where the versions of the rows are: an UPDATE of any moves one of them. */
static const char *versions(void)
{
	return ask("select md5(string_agg(ctid::text, ',' order by id)) from everys");
}

/* The same values, at other places in memory, and decimals with other zeros. */
static void write_again(struct every *row)
{
	for (size_t i = 1; i < every_model.member_count; i++) {
		const struct ath_member *column = &every_model.members[i];
		struct ath_value value = ath_member_get(column, row);
		char *at = (char *)row + column->offset;
		const void *copy;

		if (value.null)
			continue;
		switch (column->type) {
		case ATH_TYPE_TEXT:
		case ATH_TYPE_JSON:
			copy = ath_arena_copy(values, value.as.text, strlen(value.as.text));
			memcpy(at, &copy, sizeof copy);
			break;
		case ATH_TYPE_BYTES:
			copy = ath_arena_copy(values, (const char *)value.as.bytes.data,
					      value.as.bytes.length);
			memcpy(at, &copy, sizeof copy);
			break;
		case ATH_TYPE_TEXT_ARRAY:
		case ATH_TYPE_INT64_ARRAY:
		case ATH_TYPE_UUID_ARRAY:
			copy = ath_arena_copy(values, value.as.items,
					      value.count * ath_type_size(value.type));
			memcpy(at, &copy, sizeof copy);
			break;
		case ATH_TYPE_DECIMAL:
			for (int scale = 0; scale <= column->scale; scale++)
				if (ath_decimal_rescale((struct ath_decimal *)(void *)at, scale))
					break;
			break;
		default:
			break;
		}
	}
}

static void test_what_is_the_same_is_not_sent(void **state)
{
	char before[256];

	(void)state;
	store_rows();
	snprintf(before, sizeof before, "%s", versions());
	for (int round = 0; round < 3; round++) {
		struct ath_session *db = open_session();
		struct ath_query q = ath_query(every);
		struct every_list list = every_all(db, &q);

		assert_int_equal(list.count, ROWS);
		for (size_t i = 0; round > 0 && i < ROWS; i++)
			write_again(list.items[i]);
		if (round == 2)
			list = every_all(db, &q); /* nothing to flush before it */
		assert_true(ath_session_is_clean(db));
		ath_commit(db);
		close_session(db);
		assert_string_equal(versions(), before);
	}
	/* this way an UPDATE would be seen */
	run_sql("update everys set small = small where id = 1");
	assert_string_not_equal(versions(), before);
}

/* Nor what was just inserted or updated, in the same session. */
static void test_what_was_stored_is_not_sent_again(void **state)
{
	struct ath_session *db = open_session();
	char before[256];

	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		every_add(db, &rows[i]);
	ath_commit(db);
	snprintf(before, sizeof before, "%s", versions());
	for (size_t i = 0; i < ROWS; i++)
		write_again(&rows[i]);
	ath_commit(db);
	assert_string_equal(versions(), before);
	rows[0].price = ath_decimal_of(25, 1);
	rows[1].null_real = (struct ath_null_double){ (double)NAN, true };
	rows[2].null_price.valid = false; /* whatever stands behind it */
	ath_commit(db);
	assert_string_not_equal(versions(), before);
	snprintf(before, sizeof before, "%s", versions());
	rows[0].price = ath_decimal_of(2500, 3);
	rows[1].null_real.value = (double)NAN;
	rows[2].null_price.value = ath_decimal_of(1, 1);
	ath_commit(db);
	assert_string_equal(versions(), before);
	close_session(db);
}

/* Zeros with different signs are different bits, and the server keeps them apart. */
static void test_the_sign_of_zero_is_a_change(void **state)
{
	struct ath_session *db = open_session();

	(void)state;
	every_add(db, &rows[0]);
	ath_commit(db);
	rows[0].real = -0.0;
	ath_commit(db);
	close_session(db);
	assert_string_equal(ask("select real from everys"), "-0");
}

/* ---- found
 * --------------------------------------------------------------------------------------- */

static bool equal_for_the_server(const struct ath_member *column, const struct every *a,
				 const struct every *b)
{
	struct ath_value left = ath_member_get(column, a), right = ath_member_get(column, b);

	if (column->type == ATH_TYPE_DOUBLE && !left.null && !right.null)
		return left.as.real == right.as.real ||
		       (isnan(left.as.real) && isnan(right.as.real));
	/* NULL elements of arrays are equal for it too */
	return same_member(column, a, b);
}

/* Does the condition find just the rows whose column equals that of a row? */
static void check_found(struct ath_session *db, const struct ath_member *column, size_t row,
			struct ath_expression condition)
{
	struct ath_query q = ath_query(every);
	struct every_list list;
	bool found[ROWS] = { false };

	ath_where(&q, condition);
	list = every_all(db, &q);
	if (ath_session_error(db) != NULL)
		fail_msg("%s of row %zu: %s", column->name, row, ath_session_error(db)->message);
	for (size_t i = 0; i < list.count; i++)
		found[list.items[i]->id - 1] = true;
	if (!found[row])
		fail_msg("%s of row %zu does not find it", column->name, row);
	for (size_t i = 0; column->type != ATH_TYPE_JSON && i < ROWS; i++)
		if (found[i] != equal_for_the_server(column, &rows[i], &rows[row]))
			fail_msg("%s of row %zu %s row %zu", column->name, row,
				 found[i] ? "finds" : "does not find", i);
}

static void test_found_by_what_is_equal(void **state)
{
	(void)state;
	store_rows();
	for (size_t row = 0; row < EDGES + 5; row++) {
		struct ath_session *db = open_session();

		for (size_t c = 0; c < every_model.member_count; c++) {
			const struct ath_member *column = &every_model.members[c];

			check_found(db, column, row,
				    (struct ath_expression){
					    .op = ATH_OP_EQ,
					    .model = &every_model,
					    .offset = column->offset,
					    .value = ath_member_get(column, &rows[row]) });
		}
		close_session(db);
	}
}

#define COLUMN(column) ath_model_column(&every_model, offsetof(struct every, column))
#define FIND_IN(column, c_type)                                                                    \
	do {                                                                                       \
		c_type items_[2] = { rows[row].column, rows[row].column };                         \
                                                                                                   \
		check_found(db, COLUMN(column), row,                                               \
			    ATH_IN(every, column, items_, (size_t)(1 + row % 2)));                 \
	} while (0)
#define FIND_NULL_IN(column, c_type)                                                               \
	do {                                                                                       \
		const c_type item_ = rows[row].column.value;                                       \
                                                                                                   \
		if (rows[row].column.valid)                                                        \
			check_found(db, COLUMN(column), row, ATH_IN(every, column, &item_, 1));    \
	} while (0)

static void test_found_by_in(void **state)
{
	(void)state;
	store_rows();
	for (size_t row = 0; row < EDGES + 5; row++) {
		struct ath_session *db = open_session();

		FIND_IN(id, int64_t);
		FIND_IN(flag, bool);
		FIND_IN(small, int16_t);
		FIND_IN(medium, int32_t);
		FIND_IN(large, int64_t);
		FIND_IN(real, double);
		FIND_IN(text, const char *);
		FIND_IN(letters, const char *);
		FIND_IN(moment, struct ath_timestamp);
		FIND_IN(day, struct ath_date);
		FIND_IN(whole, struct ath_decimal);
		FIND_IN(price, struct ath_decimal);
		FIND_IN(fine, struct ath_decimal);
		FIND_IN(part, struct ath_decimal);
		FIND_IN(colour, unsigned);
		FIND_IN(uuid, struct ath_uuid);
		FIND_NULL_IN(null_flag, bool);
		FIND_NULL_IN(null_small, int16_t);
		FIND_NULL_IN(null_medium, int32_t);
		FIND_NULL_IN(null_large, int64_t);
		FIND_NULL_IN(null_real, double);
		FIND_NULL_IN(null_moment, struct ath_timestamp);
		FIND_NULL_IN(null_day, struct ath_date);
		FIND_NULL_IN(null_whole, struct ath_decimal);
		FIND_NULL_IN(null_price, struct ath_decimal);
		FIND_NULL_IN(null_fine, struct ath_decimal);
		FIND_NULL_IN(null_part, struct ath_decimal);
		FIND_NULL_IN(null_colour, unsigned);
		FIND_NULL_IN(null_uuid, struct ath_uuid);
		close_session(db);
	}
}

/* The macros take the values that the members hold, and an IN of nothing finds nothing. */
static void test_found_by_macros(void **state)
{
	const struct every *row = &rows[2];
	struct ath_expression conditions[] = {
		ATH_EQ(every, id, 3),
		ATH_EQ(every, flag, row->flag),
		ATH_EQ(every, small, row->small),
		ATH_EQ(every, medium, row->medium),
		ATH_EQ(every, large, row->large),
		ATH_EQ(every, real, row->real),
		ATH_EQ(every, text, row->text),
		ATH_EQ(every, letters, row->letters),
		ATH_EQ(every, moment, row->moment),
		ATH_EQ(every, day, row->day),
		ATH_EQ(every, price, ath_decimal_of(1500, 3)),
		ATH_EQ(every, colour, ODD),
		ATH_EQ(every, uuid, row->uuid),
		ATH_EQ(every, json, row->json),
		ATH_EQ(every, bytes, row->bytes),
		ATH_EQ(every, texts, row->texts),
		ATH_EQ(every, numbers, row->numbers),
		ATH_EQ(every, uuids, row->uuids),
		ATH_EQ(every, null_flag, row->flag),
		ATH_EQ(every, null_day, row->day),
		ATH_EQ(every, null_price, row->price),
		ATH_EQ(every, null_colour, ODD),
		ATH_EQ(every, null_uuids, row->uuids),
		ATH_HAS(every, texts, "{a,b}"),
		ATH_HAS(every, numbers, INT64_MIN),
		ATH_HAS(every, uuids, row->uuids.items[1]),
	};
	struct ath_session *db;
	struct ath_query q = ath_query(every);

	(void)state;
	store_rows();
	db = open_session();
	for (size_t i = 0; i < ATH_COUNT(conditions); i++) {
		struct ath_query one = ath_query(every);

		ath_where(&one, conditions[i]);
		ath_where(&one, ATH_EQ(every, id, 3));
		if (every_first(db, &one) == NULL)
			fail_msg("condition %zu", i);
	}
	ath_where(&q, ATH_OR(ATH_IN(every, text, NULL, 0), ATH_IN(every, price, NULL, 0),
			     ATH_IN(every, null_colour, NULL, 0), ATH_IN(every, day, NULL, 0)));
	assert_int_equal(ath_count(db, &q), 0);
	close_session(db);
}

/* ---- large
 * ---------------------------------------------------------------------------------------- */

static void test_ten_megabytes(void **state)
{
	enum { LENGTH = 10 << 20 };
	struct ath_session *db = open_session();
	char *text = ath_arena_alloc(values, LENGTH + 1);
	struct every *row;
	int64_t id;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < LENGTH; i++)
		text[i] = (char)('!' + next_random() % 90);
	text[LENGTH] = '\0';
	rows[0].text = text;
	rows[0].bytes = (struct ath_bytes){ (const unsigned char *)text, LENGTH };
	every_add(db, &rows[0]);
	ath_commit(db);
	close_session(db);
	id = rows[0].id;
	db = open_session();
	row = every_get(db, id);
	assert_non_null(row);
	assert_null(difference(row, &rows[0]));
	row->bytes.length--;
	ath_commit(db);
	close_session(db);
	assert_int_equal(ask_number("select length(bytes) from everys"), LENGTH - 1);
	assert_int_equal(ask_number("select length(text) from everys"), LENGTH);
}

/* With the usual memory it is an error, and not the end. */
static void test_more_than_the_memory(void **state)
{
	struct ath_session_options options = { .memory = 1 << 20 };
	struct ath_session *db;

	(void)state;
	every_add(db = open_session(), &rows[0]);
	ath_commit(db);
	close_session(db);
	run_sql("update everys set text = repeat('x', 10000000)");
	assert_int_equal(ath_session_open(&db, engine, &options), ATH_OK);
	assert_null(every_get(db, 1));
	assert_int_equal(ath_session_error(db)->status, ATH_ENOMEM);
	ath_session_close(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh_table, end)
		TEST(test_stored_and_read),
		TEST(test_as_the_server_sees_it),
		TEST(test_one_by_one),
		TEST(test_updated),
		TEST(test_each_column_alone),
		TEST(test_what_is_the_same_is_not_sent),
		TEST(test_what_was_stored_is_not_sent_again),
		TEST(test_the_sign_of_zero_is_a_change),
		TEST(test_found_by_what_is_equal),
		TEST(test_found_by_in),
		TEST(test_found_by_macros),
		TEST(test_ten_megabytes),
		TEST(test_more_than_the_memory),
#undef TEST
	};

	return cmocka_run_group_tests(tests, create_database, drop_database);
}
