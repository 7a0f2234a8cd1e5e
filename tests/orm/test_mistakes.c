/* test_mistakes.c - what a query refuses, its limits to the exact edge, and that a mistake sticks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql_text.h"

static struct ath_query query; /* for people, until the next test */

static int setup(void **state)
{
	query = ath_query(person);
	return open_sql(state);
}

static bool is_refused(void (*make)(struct ath_sql *sql, const struct ath_query *query),
		       enum ath_status status)
{
	bool refused;

	ath_sql_open(&sql, arena);
	make(&sql, &query);
	refused = ath_sql_finish(&sql, &statement) == status &&
		  strcmp(sql.error.message, query.mistake) == 0;
	ath_sql_open(&sql, arena);
	return refused;
}

static void expect_mistake(enum ath_status status, const char *words, int line)
{
	const struct ath_model *model = query.model;
	char first[100];

	if (query.status != status || strstr(query.mistake, words) == NULL)
		fail_msg("line %d: %d \"%s\", not \"%s\"", line, query.status, query.mistake,
			 words);
	snprintf(first, sizeof first, "%s", query.mistake);
	/* it sticks: what comes later changes nothing, and no text is made */
	ath_where(&query, ATH_EQ(person, id, 1));
	ath_order_by(&query, ATH_ASC(person, id));
	ath_select(&query, ATH_COL(person, id));
	ath_limit(&query, -1);
	ath_query_join(&query, &note_model, 3, 0, false);
	assert_int_equal(query.status, status);
	assert_memory_equal(query.mistake, first, strlen(first));
	assert_true(is_refused(ath_sql_select, status));
	assert_true(is_refused(ath_sql_count, status));
	assert_true(is_refused(ath_sql_delete_where, status));
	query = ath_query_of(model);
}

#define MISTAKE(status, words) expect_mistake((status), (words), __LINE__)

/* ---- columns and relations ------------------------------------------------------------------ */

static void test_columns_of_models_that_are_not_there(void **state)
{
	(void)state;
	ath_where(&query, ATH_EQ(pet, id, 1));
	MISTAKE(ATH_EINVAL, "join it first");
	ath_where(&query, ATH_OR(ATH_EQ(person, id, 1), ATH_NOT(ATH_EQ(pet, id, 1))));
	MISTAKE(ATH_EINVAL, "join it first");
	ath_order_by(&query, ATH_ASC(pet, id));
	MISTAKE(ATH_EINVAL, "join it first");
	ath_select(&query, ATH_FUNC(lower, ATH_COL(pet, name)));
	MISTAKE(ATH_EINVAL, "join it first");
	ath_group_by(&query, ATH_COL(pet, name));
	MISTAKE(ATH_EINVAL, "join it first");
	ath_having(&query, ATH_EXPR(ATH_FUNC(max, ATH_COL(pet, id)), GT, ATH_VAL(3)));
	MISTAKE(ATH_EINVAL, "join it first");
	ath_where(&query, ATH_IN_QUERY(pet, id, &query));
	MISTAKE(ATH_EINVAL, "");
}

/* A join makes the columns of its target good, from then on. */
static void test_columns_of_joins(void **state)
{
	(void)state;
	ath_join(&query, person, pets);
	ath_where(&query, ATH_EQ(pet, id, 1));
	assert_int_equal(query.status, ATH_OK);
	ath_where(&query, ATH_EQ(note, id, 1));
	MISTAKE(ATH_EINVAL, "join it first");
}

static void test_members_that_are_no_columns(void **state)
{
	const struct ath_expression bad[] = {
		{ .op = ATH_OP_EQ,
		  .model = &person_model,
		  .offset = offsetof(struct person, pets) },
		{ .op = ATH_OP_EQ, .model = &person_model, .offset = 3 },
		{ .op = ATH_OP_COLUMN,
		  .model = &person_model,
		  .offset = offsetof(struct person, pets) },
		{ .op = ATH_OP_OUTER, .model = &pet_model, .offset = offsetof(struct pet, notes) },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(bad); i++) {
		ath_where(&query, bad[i]);
		MISTAKE(ATH_EINVAL, "no column");
		ath_order_by(&query, (struct ath_order){ .expression = bad[i] });
		MISTAKE(ATH_EINVAL, "no column");
	}
}

static void test_joins_that_start_nowhere(void **state)
{
	static const size_t pets = offsetof(struct person, pets),
			    notes = offsetof(struct pet, notes);

	(void)state;
	assert_int_equal(ath_join(&query, pet, notes), 0);
	MISTAKE(ATH_EINVAL, "a join starts from");
	/* a column is no relation */
	assert_int_equal(
		ath_query_join(&query, &person_model, offsetof(struct person, name), 0, false), 0);
	MISTAKE(ATH_EINVAL, "a join goes along a relation");
	assert_int_equal(ath_query_join(&query, &pet_model, notes, 1, false), 0);
	MISTAKE(ATH_EINVAL, "a join starts from");
	assert_int_equal(ath_query_join(&query, &person_model, pets, -1, false), 0);
	MISTAKE(ATH_EINVAL, "a join starts from");
	ath_join(&query, person, pets);
	assert_int_equal(ath_query_join(&query, &pet_model, notes, 2, false), 0);
	MISTAKE(ATH_EINVAL, "a join starts from");
	/* from the join itself, not from the query's model */
	ath_join(&query, person, pets);
	assert_int_equal(ath_query_join(&query, &person_model, pets, 1, false), 0);
	MISTAKE(ATH_EINVAL, "a join starts from");
}

static void test_too_many_joins(void **state)
{
	(void)state;
	for (int i = 0; i < ATH_QUERY_JOINS; i++)
		assert_int_equal(ath_join(&query, person, pets), i + 1);
	ath_sql_select(&sql, &query);
	assert_int_equal(ath_sql_finish(&sql, &statement), ATH_OK);
	prepare();
	assert_int_equal(ath_join(&query, person, pets), 0);
	MISTAKE(ATH_ETOOBIG, "more joins");
}

static void test_of_takes_the_number_of_a_join(void **state)
{
	static const int wrong[] = { 0, -1, 2, INT32_MAX, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(wrong); i++) {
		ath_join(&query, person, pets);
		ath_where(&query, ATH_OF(wrong[i], ATH_EQ(pet, id, 1)));
		MISTAKE(ATH_EINVAL, "ATH_OF takes the number");
	}
	ath_order_by(&query, ATH_ASC_OF(ATH_OF(1, ATH_COL(person, id))));
	MISTAKE(ATH_EINVAL, "ATH_OF takes the number");
	ath_join(&query, person, pets);
	ath_where(&query, ATH_OF(1, ATH_EQ(pet, id, 1)));
	assert_int_equal(query.status, ATH_OK);
}

/* ---- values --------------------------------------------------------------------------------- */

static void test_null_compares_with_nothing(void **state)
{
	const char *null = NULL;

	(void)state;
	ath_where(&query, ATH_LT(person, nick, null));
	MISTAKE(ATH_EINVAL, "ATH_IS_NULL");
	ath_where(&query, ATH_GE(person, nick, null));
	MISTAKE(ATH_EINVAL, "ATH_IS_NULL");
	ath_where(&query, ATH_BETWEEN(person, nick, "a", null));
	MISTAKE(ATH_EINVAL, "ATH_IS_NULL");
	ath_where(&query, ATH_LIKE(person, nick, null));
	MISTAKE(ATH_EINVAL, "ATH_IS_NULL");
	ath_where(&query, ATH_IMATCHES(person, nick, null));
	MISTAKE(ATH_EINVAL, "ATH_IS_NULL");
	query = ath_query(book);
	ath_where(&query, ATH_HAS(book, tags, null));
	MISTAKE(ATH_EINVAL, "ATH_IS_NULL");
	ath_where(&query, ATH_CONTAINS(book, data, ((struct ath_json){ null })));
	MISTAKE(ATH_EINVAL, "ATH_IS_NULL");
	ath_where(&query, ATH_JSON_PATH(book, data, null));
	MISTAKE(ATH_EINVAL, "ATH_IS_NULL");
}

static void test_bounds_below_zero(void **state)
{
	(void)state;
	ath_limit(&query, -1);
	MISTAKE(ATH_EINVAL, "below zero");
	ath_offset(&query, INT64_MIN);
	MISTAKE(ATH_EINVAL, "below zero");
}

static void test_all_stands_alone(void **state)
{
	(void)state;
	ath_where(&query, ATH_ALL);
	assert_true(query.all);
	assert_int_equal(query.status, ATH_OK);
	ath_where(&query, ATH_EQ(person, id, 1));
	ath_select(&query, ATH_COL(person, id));
	ath_sql_select(&sql, &query);
	EXPECT_SQL("SELECT \"id\" FROM \"people\" WHERE \"id\" = $1", "1");
	query = ath_query(person);
	ath_where(&query, ATH_AND(ATH_EQ(person, id, 1), ATH_ALL));
	MISTAKE(ATH_EINVAL, "ATH_ALL stands alone");
	ath_where(&query, ATH_NOT(ATH_ALL));
	MISTAKE(ATH_EINVAL, "ATH_ALL stands alone");
	ath_having(&query, ATH_ALL);
	MISTAKE(ATH_EINVAL, "ATH_ALL stands alone");
	ath_select(&query, ATH_ALL);
	MISTAKE(ATH_EINVAL, "ATH_ALL stands alone");
}

/* ---- how much there may be ------------------------------------------------------------------ */

static void test_too_many_nodes(void **state)
{
	(void)state;
	for (int i = 0; i < ATH_QUERY_NODES; i++)
		ath_where(&query, ATH_EQ(person, id, i));
	assert_int_equal(query.status, ATH_OK);
	assert_int_equal(query.node_count, ATH_QUERY_NODES);
	ath_sql_select(&sql, &query);
	assert_int_equal(ath_sql_finish(&sql, &statement), ATH_OK);
	assert_int_equal(statement.param_count, ATH_QUERY_NODES);
	prepare();
	ath_where(&query, ATH_EQ(person, id, 1));
	MISTAKE(ATH_ETOOBIG, "more conditions");
	/* the clauses share them */
	for (int i = 0; i < ATH_QUERY_NODES; i++)
		ath_order_by(&query, ATH_ASC(person, id));
	assert_int_equal(query.status, ATH_OK);
	ath_select(&query, ATH_COL(person, id));
	MISTAKE(ATH_ETOOBIG, "more conditions");
}

/* Of a group every kid has to fit: at the edge none of it is half taken. */
static void test_a_group_counts_with_its_kids(void **state)
{
	(void)state;
	for (int kids = 0; kids < 5; kids++) {
		for (int room = 0; room < 6; room++) {
			struct ath_expression leaf = ATH_EQ(person, id, 1);
			const struct ath_expression some[] = { leaf, leaf, leaf, leaf, leaf };

			query = ath_query(person);
			for (int i = 0; i < ATH_QUERY_NODES - room; i++)
				ath_where(&query, leaf);
			ath_where(&query, (struct ath_expression){ .op = ATH_OP_OR,
								   .on.kids = some,
								   .kid_count = (unsigned)kids });
			if (1 + kids <= room) {
				assert_int_equal(query.status, ATH_OK);
				assert_int_equal(query.nodes[ATH_QUERY_NODES - room].span,
						 1 + kids);
			} else {
				MISTAKE(ATH_ETOOBIG, "more conditions");
			}
		}
	}
}

static void test_too_deep(void **state)
{
	struct ath_expression conditions[ATH_QUERY_DEPTH + 1];

	(void)state;
	conditions[0] = ATH_EQ(person, id, 1);
	for (size_t i = 1; i < ATH_COUNT(conditions); i++)
		conditions[i] = (struct ath_expression){ .op = ATH_OP_NOT,
							 .on.kids = &conditions[i - 1],
							 .kid_count = 1 };
	ath_select(&query, ATH_COL(person, id));
	ath_where(&query, conditions[ATH_QUERY_DEPTH - 1]);
	ath_sql_select(&sql, &query);
	EXPECT_SQL(
		"SELECT \"id\" FROM \"people\" WHERE NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT (NOT "
		"(NOT (NOT (\"id\" = $1)))))))))))",
		"1");
	query = ath_query(person);
	ath_where(&query, conditions[ATH_QUERY_DEPTH]);
	MISTAKE(ATH_ETOOBIG, "more conditions");
}

/* Spans lead from one expression to the next, over what is inside. */
static void test_spans_and_clauses(void **state)
{
	static const struct {
		unsigned span;
		enum ath_clause clause;
	} expected[] = {
		{ 3, ATH_CLAUSE_WHERE },    { 1, ATH_CLAUSE_SELECT }, { 4, ATH_CLAUSE_ORDER_BY },
		{ 2, ATH_CLAUSE_GROUP_BY }, { 4, ATH_CLAUSE_HAVING },
	};
	size_t at = 0;

	(void)state;
	ath_where(&query, ATH_OR(ATH_EQ(person, id, 1), ATH_EQ(person, id, 2)));
	ath_select(&query, ATH_COL(person, id));
	ath_order_by(&query, ATH_DESC_OF(ATH_FUNC(lower, ATH_EXPR(ATH_COL(person, name), CONCAT,
								  ATH_VAL("x")))));
	ath_group_by(&query, ATH_FUNC(lower, ATH_COL(person, name)));
	ath_having(&query, ATH_EXPR(ATH_COUNT_ROWS, GT, ATH_VAL(1)));
	assert_int_equal(query.status, ATH_OK);
	for (size_t i = 0; i < ATH_COUNT(expected); i++) {
		assert_int_equal(query.nodes[at].span, expected[i].span);
		assert_int_equal(query.nodes[at].clause, expected[i].clause);
		assert_int_equal(query.nodes[at].descending,
				 expected[i].clause == ATH_CLAUSE_ORDER_BY);
		at += query.nodes[at].span;
	}
	assert_int_equal(at, query.node_count);
	assert_int_equal(query.select_count, 1);
	assert_int_equal(query.condition_count, 1);
}

/* ---- subqueries ----------------------------------------------------------------------------- */

static void test_what_a_subquery_selects(void **state)
{
	struct ath_query inner = ath_query(pet);

	(void)state;
	ath_where(&query, ATH_IN_QUERY(person, id, &inner));
	MISTAKE(ATH_EINVAL, "selects one expression");
	ath_select(&inner, ATH_COL(pet, owner_id));
	ath_where(&query, ATH_IN_QUERY(person, id, &inner));
	assert_int_equal(query.status, ATH_OK);
	query = ath_query(person);
	ath_select(&inner, ATH_COL(pet, id));
	ath_where(&query, ATH_IN_QUERY(person, id, &inner));
	MISTAKE(ATH_EINVAL, "selects one expression");
	ath_where(&query, ATH_EXISTS(&inner)); /* whatever it selects */
	assert_int_equal(query.status, ATH_OK);
}

static void test_a_mistake_of_a_subquery(void **state)
{
	struct ath_query inner = ath_query(pet);

	(void)state;
	ath_limit(&inner, -1);
	ath_where(&query, ATH_EXISTS(&inner));
	MISTAKE(ATH_EINVAL, "below zero");
	inner = ath_query(pet);
	ath_where(&inner, ATH_EXPR(ATH_COL(pet, owner_id), EQ, ATH_COL(person, id)));
	ath_where(&query, ATH_NOT(ATH_EXISTS(&inner)));
	MISTAKE(ATH_EINVAL, "ATH_OUTER");
}

/* Also one that it makes after it was taken in: it is read when the statement is made. */
static void test_a_later_mistake_of_a_subquery(void **state)
{
	struct ath_query inner = ath_query(pet);

	(void)state;
	ath_where(&query, ATH_NOT(ATH_EXISTS(&inner)));
	ath_where(&inner, ATH_EQ(person, id, 1));
	assert_int_equal(inner.status, ATH_EINVAL);
	ath_sql_select(&sql, &query);
	EXPECT_NO_SQL(ATH_EINVAL, inner.mistake);
	ath_sql_delete_where(&sql, &query);
	EXPECT_NO_SQL(ATH_EINVAL, inner.mistake);
}

static void test_a_subquery_locks_nothing(void **state)
{
	struct ath_query inner = ath_query(pet);

	(void)state;
	ath_lock(&inner, ATH_FOR_UPDATE);
	ath_where(&query, ATH_EXISTS(&inner));
	MISTAKE(ATH_EINVAL, "locks no rows");
}

static void test_outer_of_nothing(void **state)
{
	struct ath_query inner = ath_query(pet), alone = ath_query(person);

	(void)state;
	ath_where(&inner, ATH_EXPR(ATH_COL(pet, id), EQ, ATH_OUTER(note, pet_id)));
	ath_where(&query, ATH_EXISTS(&inner));
	ath_sql_select(&sql, &query);
	EXPECT_NO_SQL(ATH_EINVAL, "ATH_OUTER names a column of note");
	/* the query's own model is not one around it */
	ath_where(&alone, ATH_EXPR(ATH_COL(person, id), EQ, ATH_OUTER(person, id)));
	ath_sql_select(&sql, &alone);
	EXPECT_NO_SQL(ATH_EINVAL, "ATH_OUTER names a column of person");
}

/* ---- after a row ---------------------------------------------------------------------------- */

struct letter {
	const char *text;
};
ATH_LIST_(letter)
ATH_MODEL_VIEW(letter, "letters", ATH_COLUMN(letter, text));

static void test_after_needs_an_order_of_columns(void **state)
{
	const struct person row = { .id = 7 };
	const struct letter letter = { "a" };

	(void)state;
	ath_order_by(&query, ATH_ASC_OF(ATH_FUNC(lower, ATH_COL(person, name))));
	ath_after(&query, &row);
	ath_sql_select(&sql, &query);
	EXPECT_NO_SQL(ATH_EINVAL, "ath_after() needs an order by columns of person");
	query = ath_query(person);
	ath_join(&query, person, pets);
	ath_order_by(&query, ATH_ASC(pet, name));
	ath_after(&query, &row);
	ath_sql_select(&sql, &query);
	EXPECT_NO_SQL(ATH_EINVAL, "ath_after() needs an order by columns of person");
	/* where there is neither an order nor a key, no row is after another */
	query = ath_query(letter);
	ath_after(&query, &letter);
	ath_sql_select(&sql, &query);
	EXPECT_NO_SQL(ATH_EINVAL, "ath_after() needs a primary key, and letter has none");
}

static void test_after_with_too_many_orders(void **state)
{
	const struct person row = { .id = 7, .name = "a" };

	(void)state;
	for (int i = 0; i < 8; i++)
		ath_order_by(&query, ATH_ASC(person, name));
	ath_after(&query, &row);
	ath_sql_select(&sql, &query);
	assert_int_equal(ath_sql_finish(&sql, &statement), ATH_OK);
	prepare();
	ath_sql_open(&sql, arena);
	ath_order_by(&query, ATH_ASC(person, name));
	ath_sql_select(&sql, &query);
	EXPECT_NO_SQL(ATH_EINVAL, "ath_after() needs");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, close_sql)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_columns_of_models_that_are_not_there),
		CASE(test_columns_of_joins),
		CASE(test_members_that_are_no_columns),
		CASE(test_joins_that_start_nowhere),
		CASE(test_too_many_joins),
		CASE(test_of_takes_the_number_of_a_join),
		CASE(test_null_compares_with_nothing),
		CASE(test_bounds_below_zero),
		CASE(test_all_stands_alone),
		CASE(test_too_many_nodes),
		CASE(test_a_group_counts_with_its_kids),
		CASE(test_too_deep),
		CASE(test_spans_and_clauses),
		CASE(test_what_a_subquery_selects),
		CASE(test_a_mistake_of_a_subquery),
		CASE(test_a_later_mistake_of_a_subquery),
		CASE(test_a_subquery_locks_nothing),
		CASE(test_outer_of_nothing),
		CASE(test_after_needs_an_order_of_columns),
		CASE(test_after_with_too_many_orders),
	};

	return cmocka_run_group_tests(tests, create_tables, drop_database);
}
