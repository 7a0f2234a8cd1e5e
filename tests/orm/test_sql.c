/* test_sql.c - SQL text and parameters from models and queries: pure, no database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "models.h"

#define COLUMNS "\"id\", \"name\", \"email\", \"nick\", \"age\", \"score\", \"born\""
#define SELECT  "SELECT " COLUMNS " FROM \"people\""

struct bare {
	int32_t id;
};
ATH_DECLARE_ORM_(bare, id)
ATH_MODEL(bare, "bares", ATH_COLUMN(bare, id, .primary_key = true));

static struct ath_arena *arena;
static struct ath_sql sql;
static struct ath_statement statement;
static struct ath_query query;

static int setup(void **state)
{
	(void)state;
	query = ath_query(person);
	if (ath_arena_open(&arena, 0) != ATH_OK)
		return -1;
	ath_sql_open(&sql, arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ath_arena_close(&arena);
	return 0;
}

/* The parameters in one line: 1 'text' NULL [3]. */
static const char *params(void)
{
	static char text[512];
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < statement.param_count; i++) {
		const struct ath_value *value = &statement.params[i];

		if (i > 0)
			text[length++] = ' ';
		length += (size_t)(value->null    ? sprintf(text + length, "NULL")
				   : value->array ? sprintf(text + length, "[%zu]", value->count)
				   : value->type == ATH_TYPE_TEXT
					   ? sprintf(text + length, "'%s'", value->as.text)
					   : sprintf(text + length, "%lld",
						     (long long)value->as.integer));
	}
	return text;
}

static void expect(const char *text, const char *parameters)
{
	if (ath_sql_finish(&sql, &statement) != ATH_OK)
		fail_msg("%s", sql.error.message);
	assert_string_equal(statement.text, text);
	assert_int_equal(statement.length, strlen(text));
	assert_int_equal(statement.hash, ath_hash(text, strlen(text)));
	assert_string_equal(params(), parameters);
	ath_sql_open(&sql, arena);
}

static void expect_select(const char *tail, const char *parameters)
{
	char text[1024];

	snprintf(text, sizeof text, SELECT "%.800s", tail);
	ath_sql_select(&sql, &query);
	expect(text, parameters);
	query = ath_query(person);
}

static void expect_where(struct ath_condition condition, const char *text, const char *parameters)
{
	char tail[512];

	snprintf(tail, sizeof tail, " WHERE %.400s", text);
	ath_where(&query, condition);
	expect_select(tail, parameters);
}

/* ---- select --------------------------------------------------------------------------------- */

static void test_the_columns_without_relations(void **state)
{
	(void)state;
	expect_select("", "");
}

static void test_orders_limit_and_offset(void **state)
{
	(void)state;
	ath_order_by(&query, ATH_ASC(person, name));
	expect_select(" ORDER BY \"name\"", "");
	ath_order_by(&query, ATH_DESC(person, age));
	ath_order_by(&query, ATH_ASC(person, id));
	ath_limit(&query, 10);
	ath_offset(&query, 20);
	expect_select(" ORDER BY \"age\" DESC, \"id\" LIMIT $1 OFFSET $2", "10 20");
	ath_offset(&query, 0);
	expect_select(" OFFSET $1", "0");
	ath_limit(&query, 0);
	expect_select(" LIMIT $1", "0");
	ath_limit(&query, 5);
	ath_limit(&query, 3);
	expect_select(" LIMIT $1", "3");
}

static void test_comparisons(void **state)
{
	static const int64_t ids[] = { 1, 2, 3 };
	static const char *const names[] = { "a", "b" };

	(void)state;
	expect_where(ATH_EQ(person, id, 1), "\"id\" = $1", "1");
	expect_where(ATH_NE(person, name, "x"), "\"name\" <> $1", "'x'");
	expect_where(ATH_LT(person, age, 5), "\"age\" < $1", "5");
	expect_where(ATH_LE(person, age, 5), "\"age\" <= $1", "5");
	expect_where(ATH_GT(person, age, -5), "\"age\" > $1", "-5");
	expect_where(ATH_GE(person, id, INT64_MIN), "\"id\" >= $1", "-9223372036854775808");
	expect_where(ATH_LIKE(person, name, "a%"), "\"name\" LIKE $1", "'a%'");
	expect_where(ATH_ILIKE(person, name, "a_"), "\"name\" ILIKE $1", "'a_'");
	expect_where(ATH_IN(person, id, ids, 3), "\"id\" = ANY ($1)", "[3]");
	expect_where(ATH_IN(person, name, names, 2), "\"name\" = ANY ($1)", "[2]");
	expect_where(ATH_IN(person, id, ids, 0), "\"id\" = ANY ($1)", "[0]");
}

static void test_null(void **state)
{
	(void)state;
	expect_where(ATH_IS_NULL(person, age), "\"age\" IS NULL", "");
	expect_where(ATH_EQ(person, nick, NULL), "\"nick\" IS NULL", "");
	expect_where(ATH_NE(person, nick, NULL), "\"nick\" IS NOT NULL", "");
	expect_where(ATH_NOT(ATH_IS_NULL(person, nick)), "NOT (\"nick\" IS NULL)", "");
}

static void test_groups(void **state)
{
	(void)state;
	expect_where(ATH_AND(ATH_EQ(person, id, 1), ATH_EQ(person, id, 2)),
		     "(\"id\" = $1 AND \"id\" = $2)", "1 2");
	expect_where(ATH_OR(ATH_EQ(person, id, 1), ATH_EQ(person, id, 2), ATH_EQ(person, id, 3)),
		     "(\"id\" = $1 OR \"id\" = $2 OR \"id\" = $3)", "1 2 3");
	expect_where(ATH_OR(ATH_EQ(person, id, 1)), "(\"id\" = $1)", "1");
	expect_where(ATH_NOT(ATH_EQ(person, id, 1)), "NOT (\"id\" = $1)", "1");
	expect_where(ATH_NOT(ATH_NOT(ATH_EQ(person, id, 1))), "NOT (NOT (\"id\" = $1))", "1");
}

static void test_nested_groups(void **state)
{
	(void)state;
	expect_where(ATH_OR(ATH_AND(ATH_EQ(person, id, 1), ATH_NOT(ATH_EQ(person, age, 2))),
			    ATH_EQ(person, name, "x"),
			    ATH_AND(ATH_IS_NULL(person, nick), ATH_GT(person, id, 3))),
		     "((\"id\" = $1 AND NOT (\"age\" = $2)) OR \"name\" = $3 OR "
		     "(\"nick\" IS NULL AND \"id\" > $4))",
		     "1 2 'x' 3");
}

static void test_an_empty_group(void **state)
{
	(void)state;
	expect_where((struct ath_condition){ .op = ATH_OP_AND }, "(true)", "");
	expect_where((struct ath_condition){ .op = ATH_OP_OR }, "(false)", "");
}

static void test_several_conditions_all_hold(void **state)
{
	(void)state;
	ath_where(&query, ATH_EQ(person, id, 1));
	ath_where(&query, ATH_OR(ATH_EQ(person, id, 2), ATH_EQ(person, id, 3)));
	ath_where(&query, ATH_EQ(person, id, 4));
	expect_select(" WHERE \"id\" = $1 AND (\"id\" = $2 OR \"id\" = $3) AND \"id\" = $4",
		      "1 2 3 4");
}

static void test_count(void **state)
{
	(void)state;
	ath_where(&query, ATH_EQ(person, name, "x"));
	ath_order_by(&query, ATH_ASC(person, name));
	ath_limit(&query, 10);
	ath_offset(&query, 1);
	ath_sql_count(&sql, &query);
	expect("SELECT count(*) FROM \"people\" WHERE \"name\" = $1", "'x'");
}

/* A value is a parameter, whatever stands in it. */
static void test_values_never_stand_in_the_text(void **state)
{
	(void)state;
	expect_where(ATH_EQ(person, name, "'; drop table people; --"), "\"name\" = $1",
		     "''; drop table people; --'");
	expect_where(ATH_LIKE(person, name, "\" or 1 = 1 $1"), "\"name\" LIKE $1",
		     "'\" or 1 = 1 $1'");
}

/* ---- mistakes ------------------------------------------------------------------------------- */

static void expect_mistake(enum ath_status status)
{
	assert_int_equal(query.status, status);
	assert_true(query.mistake[0] != '\0');
	/* it sticks: what comes later changes nothing, and no text is made */
	ath_where(&query, ATH_EQ(person, id, 1));
	ath_order_by(&query, ATH_ASC(person, id));
	ath_limit(&query, 1);
	assert_int_equal(query.status, status);
	ath_sql_select(&sql, &query);
	assert_int_equal(ath_sql_finish(&sql, &statement), status);
	assert_string_equal(sql.error.message, query.mistake);
	ath_sql_open(&sql, arena);
	ath_sql_count(&sql, &query);
	assert_int_equal(ath_sql_finish(&sql, &statement), status);
	ath_sql_open(&sql, arena);
	query = ath_query(person);
}

static void test_mistakes_stick(void **state)
{
	(void)state;
	ath_where(&query, ATH_EQ(pet, id, 1));
	expect_mistake(ATH_EINVAL);
	ath_where(&query, ATH_OR(ATH_EQ(person, id, 1), ATH_NOT(ATH_EQ(pet, id, 1))));
	expect_mistake(ATH_EINVAL);
	ath_where(&query, (struct ath_condition){ .op = ATH_OP_EQ,
						  .model = &person_model,
						  .offset = offsetof(struct person, pets) });
	expect_mistake(ATH_EINVAL);
	ath_where(&query,
		  (struct ath_condition){ .op = ATH_OP_EQ, .model = &person_model, .offset = 3 });
	expect_mistake(ATH_EINVAL);
	ath_order_by(&query, ATH_ASC(pet, id));
	expect_mistake(ATH_EINVAL);
	ath_order_by(&query, (struct ath_order){ .model = &person_model,
						 .offset = offsetof(struct person, pets) });
	expect_mistake(ATH_EINVAL);
	ath_limit(&query, -1);
	expect_mistake(ATH_EINVAL);
	ath_offset(&query, INT64_MIN);
	expect_mistake(ATH_EINVAL);
}

static void test_null_compares_with_nothing(void **state)
{
	const char *null = NULL;

	(void)state;
	ath_where(&query, ATH_LT(person, nick, null));
	expect_mistake(ATH_EINVAL);
	ath_where(&query, ATH_GE(person, nick, null));
	expect_mistake(ATH_EINVAL);
	ath_where(&query, ATH_LIKE(person, nick, null));
	expect_mistake(ATH_EINVAL);
	ath_where(&query, ATH_ILIKE(person, nick, null));
	expect_mistake(ATH_EINVAL);
}

static void test_too_many_conditions(void **state)
{
	(void)state;
	for (int i = 0; i < ATH_QUERY_CONDITIONS; i++)
		ath_where(&query, ATH_EQ(person, id, i));
	assert_int_equal(query.status, ATH_OK);
	ath_sql_select(&sql, &query);
	assert_int_equal(ath_sql_finish(&sql, &statement), ATH_OK);
	assert_int_equal(statement.param_count, ATH_QUERY_CONDITIONS);
	ath_sql_open(&sql, arena);
	ath_where(&query, ATH_EQ(person, id, 1));
	expect_mistake(ATH_ETOOBIG);
}

static void test_a_group_counts_with_its_kids(void **state)
{
	(void)state;
	for (int i = 0; i < ATH_QUERY_CONDITIONS - 2; i++)
		ath_where(&query, ATH_EQ(person, id, i));
	ath_where(&query, ATH_NOT(ATH_EQ(person, id, 1)));
	assert_int_equal(query.status, ATH_OK);
	query = ath_query(person);
	for (int i = 0; i < ATH_QUERY_CONDITIONS - 1; i++)
		ath_where(&query, ATH_EQ(person, id, i));
	ath_where(&query, ATH_NOT(ATH_EQ(person, id, 1)));
	expect_mistake(ATH_ETOOBIG);
}

static void test_too_deep(void **state)
{
	struct ath_condition conditions[ATH_QUERY_DEPTH + 1];

	(void)state;
	conditions[0] = ATH_EQ(person, id, 1);
	for (size_t i = 1; i < ATH_COUNT(conditions); i++)
		conditions[i] = (struct ath_condition){ .op = ATH_OP_NOT,
							.kids = &conditions[i - 1],
							.kid_count = 1 };
	expect_where(conditions[ATH_QUERY_DEPTH - 1],
		     "NOT (NOT (NOT (NOT (NOT (NOT (NOT (\"id\" = $1)))))))", "1");
	ath_where(&query, conditions[ATH_QUERY_DEPTH]);
	expect_mistake(ATH_ETOOBIG);
}

static void test_too_many_orders(void **state)
{
	(void)state;
	for (int i = 0; i < ATH_QUERY_ORDERS; i++)
		ath_order_by(&query, ATH_ASC(person, id));
	assert_int_equal(query.status, ATH_OK);
	ath_order_by(&query, ATH_ASC(person, id));
	expect_mistake(ATH_ETOOBIG);
}

/* What is copied in does not outlive its block, and need not. */
static void test_conditions_are_copied(void **state)
{
	struct ath_query copy;

	(void)state;
	{
		struct ath_condition kids[] = { ATH_EQ(person, id, 1), ATH_EQ(person, id, 2) };
		struct ath_condition group = { .op = ATH_OP_OR, .kids = kids, .kid_count = 2 };

		ath_where(&query, group);
		memset(kids, 0xa5, sizeof kids);
	}
	copy = query;
	expect_select(" WHERE (\"id\" = $1 OR \"id\" = $2)", "1 2");
	query = copy;
	expect_select(" WHERE (\"id\" = $1 OR \"id\" = $2)", "1 2");
}

/* ---- insert --------------------------------------------------------------------------------- */

static void test_insert(void **state)
{
	struct person person = { .name = "Ada", .email = "a@x" };

	(void)state;
	ath_sql_insert(&sql, &person_model, &person);
	expect("INSERT INTO \"people\" (\"name\", \"email\", \"nick\", \"age\") "
	       "VALUES ($1, $2, $3, $4) RETURNING \"id\", \"score\", \"born\"",
	       "'Ada' 'a@x' NULL NULL");
	person.id = 7;
	person.nick = "a";
	person.age = (struct ath_null_int32){ 0, true };
	person.score = (struct ath_null_int32){ 3, true };
	person.born.microseconds = 5; /* the database's alone */
	ath_sql_insert(&sql, &person_model, &person);
	expect("INSERT INTO \"people\" (\"id\", \"name\", \"email\", \"nick\", \"age\", \"score\") "
	       "VALUES ($1, $2, $3, $4, $5, $6) RETURNING \"born\"",
	       "7 'Ada' 'a@x' 'a' 0 3");
}

static void test_insert_of_nothing_but_defaults(void **state)
{
	struct bare bare = { 0 };

	(void)state;
	ath_sql_insert(&sql, &bare_model, &bare);
	expect("INSERT INTO \"bares\" DEFAULT VALUES RETURNING \"id\"", "");
	bare.id = -1;
	ath_sql_insert(&sql, &bare_model, &bare);
	expect("INSERT INTO \"bares\" (\"id\") VALUES ($1)", "-1");
}

static void test_insert_with_a_key_of_ones_own(void **state)
{
	struct ticket ticket = { .code = "a", .seat = 0 };

	(void)state;
	ath_sql_insert(&sql, &ticket_model, &ticket);
	expect("INSERT INTO \"tickets\" (\"code\", \"seat\") VALUES ($1, $2)", "'a' 0");
}

/* ---- update and delete ---------------------------------------------------------------------- */

static void test_update_of_what_changed(void **state)
{
	struct person old = { .id = 7, .name = "Ada", .email = "a@x", .age = { 36, true } };
	struct person person = old;

	(void)state;
	person.name = "Bea";
	ath_sql_update(&sql, &person_model, &person, &old);
	expect("UPDATE \"people\" SET \"name\" = $1 WHERE \"id\" = $2", "'Bea' 7");
	person.name = old.name;
	person.nick = "b";
	person.age.valid = false;
	person.born.microseconds = 1;
	ath_sql_update(&sql, &person_model, &person, &old);
	expect("UPDATE \"people\" SET \"nick\" = $1, \"age\" = $2 WHERE \"id\" = $3", "'b' NULL 7");
}

static void test_update_of_the_key_is_refused(void **state)
{
	struct ticket old = { .code = "a", .seat = 1 }, ticket = { .code = "b", .seat = 1 };

	(void)state;
	ath_sql_update(&sql, &ticket_model, &ticket, &old);
	assert_int_equal(ath_sql_finish(&sql, &statement), ATH_EINVAL);
	assert_non_null(strstr(sql.error.message, "tickets.code"));
}

static void test_delete_and_guard(void **state)
{
	struct ticket old = { .code = "a", .seat = 1 }, ticket = { .code = "a", .seat = 2 };

	(void)state;
	ath_sql_delete(&sql, &ticket_model, &old);
	expect("DELETE FROM \"tickets\" WHERE \"code\" = $1", "'a'");
	ath_sql_guard_open(&sql);
	ath_sql_delete(&sql, &ticket_model, &old);
	ath_sql_guard_close(&sql);
	expect("WITH met AS (DELETE FROM \"tickets\" WHERE \"code\" = $1 RETURNING 1) "
	       "SELECT 1 / count(*) FROM met",
	       "'a'");
	ath_sql_guard_open(&sql);
	ath_sql_update(&sql, &ticket_model, &ticket, &old);
	ath_sql_guard_close(&sql);
	expect("WITH met AS (UPDATE \"tickets\" SET \"seat\" = $1 WHERE \"code\" = $2 RETURNING 1) "
	       "SELECT 1 / count(*) FROM met",
	       "2 'a'");
}

/* ---- memory --------------------------------------------------------------------------------- */

/* The arena ends somewhere in the middle: the statement is refused, never half made. */
static void test_no_memory(void **state)
{
	struct person person = { .name = "Ada", .email = "a@x" };
	bool made = false;

	(void)state;
	for (size_t ceiling = 16; !made && ceiling < 1 << 20; ceiling += 16) {
		struct ath_arena *small;

		assert_int_equal(ath_arena_open(&small, ceiling), ATH_OK);
		ath_sql_open(&sql, small);
		ath_sql_insert(&sql, &person_model, &person);
		made = ath_sql_finish(&sql, &statement) == ATH_OK;
		if (!made)
			assert_true(sql.error.status == ATH_ETOOBIG ||
				    sql.error.status == ATH_ENOMEM);
		ath_arena_close(&small);
	}
	assert_true(made);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_the_columns_without_relations),
		CASE(test_orders_limit_and_offset),
		CASE(test_comparisons),
		CASE(test_null),
		CASE(test_groups),
		CASE(test_nested_groups),
		CASE(test_an_empty_group),
		CASE(test_several_conditions_all_hold),
		CASE(test_count),
		CASE(test_values_never_stand_in_the_text),
		CASE(test_mistakes_stick),
		CASE(test_null_compares_with_nothing),
		CASE(test_too_many_conditions),
		CASE(test_a_group_counts_with_its_kids),
		CASE(test_too_deep),
		CASE(test_too_many_orders),
		CASE(test_conditions_are_copied),
		CASE(test_insert),
		CASE(test_insert_of_nothing_but_defaults),
		CASE(test_insert_with_a_key_of_ones_own),
		CASE(test_update_of_what_changed),
		CASE(test_update_of_the_key_is_refused),
		CASE(test_delete_and_guard),
		CASE(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
