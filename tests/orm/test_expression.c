/* test_expression.c - the text of conditions and of what they are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql_text.h"

static struct ath_query query; /* for books, until the next test */

static int setup(void **state)
{
	query = ath_query(book);
	return open_sql(state);
}

/* The condition alone, behind what is selected. */
static void expect_where(struct ath_expression condition, const char *text, const char *parameters,
			 int line)
{
	char whole[1024];

	ath_select(&query, ATH_COL(book, id));
	ath_where(&query, condition);
	ath_sql_select(&sql, &query);
	snprintf(whole, sizeof whole, "SELECT \"id\" FROM \"books\" WHERE %.900s", text);
	expect_statement(whole, parameters, __FILE__, line);
	query = ath_query(book);
}

#define WHERE(condition, text, parameters) expect_where((condition), (text), (parameters), __LINE__)

/* The expression alone, of whatever type. */
static void expect_selected(struct ath_expression expression, const char *text,
			    const char *parameters, int line)
{
	char whole[1024];

	ath_select(&query, expression);
	ath_sql_select(&sql, &query);
	snprintf(whole, sizeof whole, "SELECT %.900s FROM \"books\"", text);
	expect_statement(whole, parameters, __FILE__, line);
	query = ath_query(book);
}

#define VALUE(expression, text, parameters)                                                        \
	expect_selected((expression), (text), (parameters), __LINE__)

/* ---- a column and a value ------------------------------------------------------------------- */

static void test_comparisons(void **state)
{
	(void)state;
	WHERE(ATH_EQ(book, id, 1), "\"id\" = $1", "1");
	WHERE(ATH_NE(book, title, "x"), "\"title\" <> $1", "'x'");
	WHERE(ATH_LT(book, pages, 5), "\"pages\" < $1", "5");
	WHERE(ATH_LE(book, weight, 0.5), "\"weight\" <= $1", "0.5");
	WHERE(ATH_GT(book, pages, -5), "\"pages\" > $1", "-5");
	WHERE(ATH_GE(book, id, INT64_MIN), "\"id\" >= $1", "-9223372036854775808");
	WHERE(ATH_BETWEEN(book, pages, 1, 9), "(\"pages\" >= $1 AND \"pages\" <= $2)", "1 9");
	WHERE(ATH_EQ(book, price, ath_decimal_of(1999, 2)), "\"price\" = $1", "19.99");
	WHERE(ATH_EQ(book, in_print, true), "\"in_print\" = $1", "true");
	WHERE(ATH_LT(book, sold_at, ((struct ath_timestamp){ 7 })), "\"sold_at\" < $1", "7");
	WHERE(ATH_EQ(book, editor_id, 7), "\"edited_by\" = $1", "7");
}

/* More digits than the column holds are good to compare with. */
static void test_a_decimal_of_another_scale(void **state)
{
	(void)state;
	WHERE(ATH_LT(book, price, ath_decimal_of(19999, 3)), "\"price\" < $1", "19.999");
}

static void test_patterns(void **state)
{
	(void)state;
	WHERE(ATH_LIKE(book, title, "a%"), "\"title\" LIKE $1", "'a%'");
	WHERE(ATH_ILIKE(book, title, "a_"), "\"title\" ILIKE $1", "'a_'");
	WHERE(ATH_MATCHES(book, title, "^a.*$"), "\"title\" ~ $1", "'^a.*$'");
	WHERE(ATH_IMATCHES(book, title, "^a"), "\"title\" ~* $1", "'^a'");
}

static void test_in(void **state)
{
	static const int64_t ids[] = { 1, 2, 3 };
	static const char *const titles[] = { "a", "b" };
	static const unsigned genres[] = { NOVEL, ESSAY };

	(void)state;
	WHERE(ATH_IN(book, id, ids, 3), "\"id\" = ANY ($1)", "[3]");
	WHERE(ATH_IN(book, title, titles, 2), "\"title\" = ANY ($1)", "[2]");
	WHERE(ATH_IN(book, id, ids, 0), "\"id\" = ANY ($1)", "[0]");
	WHERE(ATH_IN(book, genre, genres, 2), "\"genre\" = ANY ($1)", "[2]");
	WHERE(ATH_IN(book, genre, genres, 0), "\"genre\" = ANY ($1)", "[0]");
	ath_where(&query, ATH_IN(book, genre, genres, 2));
	ath_sql_select(&sql, &query);
	assert_int_equal(ath_sql_finish(&sql, &statement), ATH_OK);
	assert_int_equal(statement.params[0].type, ATH_TYPE_TEXT);
	assert_string_equal(ath_value_item(&statement.params[0], 1).as.text, "essay");
}

/* The database knows an enum by its texts. */
static void test_enums_go_as_texts(void **state)
{
	enum genre genre = POEM;

	(void)state;
	WHERE(ATH_EQ(book, genre, NOVEL), "\"genre\" = $1", "'novel'");
	WHERE(ATH_EQ(book, second_genre, ESSAY), "\"second_genre\" = $1", "'essay'");
	WHERE(ATH_DISTINCT_FROM(book, second_genre, ESSAY),
	      "(\"second_genre\" IS DISTINCT FROM $1)", "'essay'");
	WHERE(ATH_EXPR(ATH_VAL(genre), EQ, ATH_COL(book, genre)), "($1 = \"genre\")", "'poem'");
}

static void test_an_enum_has_only_its_values(void **state)
{
	static const unsigned genres[] = { NOVEL, 3 };
	unsigned none = 3;

	(void)state;
	ath_where(&query, ATH_EQ(book, genre, 3));
	ath_sql_select(&sql, &query);
	EXPECT_NO_SQL(ATH_ERULE, "genre is none of the values");
	query = ath_query(book);
	ath_where(&query, ATH_IN(book, genre, genres, 2));
	ath_sql_select(&sql, &query);
	EXPECT_NO_SQL(ATH_ERULE, "genre is none of the values");
	query = ath_query(book);
	ath_where(&query, ATH_DISTINCT_FROM(book, genre, none));
	ath_sql_select(&sql, &query);
	EXPECT_NO_SQL(ATH_ERULE, "genre is none of the values");
	/* a number that stands beside no column of an enum has no text */
	query = ath_query(book);
	ath_where(&query, ATH_EXPR(ATH_COL(book, pages), EQ, ATH_VAL(none)));
	ath_sql_select(&sql, &query);
	EXPECT_NO_SQL(ATH_ERULE, "pages is none of the values");
	query = ath_query(book);
	ath_select(&query, ATH_FUNC(abs, ATH_VAL(none)));
	ath_sql_select(&sql, &query);
	EXPECT_NO_SQL(ATH_EINVAL, "enum");
}

static void test_null(void **state)
{
	const char *null = NULL;
	struct ath_text_array none = { NULL, 0 };

	(void)state;
	WHERE(ATH_IS_NULL(book, sold_at), "\"sold_at\" IS NULL", "");
	WHERE(ATH_EQ(book, title, null), "\"title\" IS NULL", "");
	WHERE(ATH_NE(book, title, null), "\"title\" IS NOT NULL", "");
	WHERE(ATH_EQ(book, tags, none), "\"tags\" IS NULL", "");
	WHERE(ATH_NOT(ATH_IS_NULL(book, tags)), "NOT (\"tags\" IS NULL)", "");
	WHERE(ATH_DISTINCT_FROM(book, title, null), "(\"title\" IS DISTINCT FROM $1)", "NULL");
	WHERE(ATH_DISTINCT_FROM(book, pages, 7), "(\"pages\" IS DISTINCT FROM $1)", "7");
}

static void test_arrays_and_json(void **state)
{
	static const char *const texts[] = { "a", "b" };
	static const int64_t numbers[] = { 1 };
	static const struct ath_uuid uuids[2];
	struct ath_text_array tags = { texts, 2 };
	struct ath_int64_array prizes = { numbers, 1 };
	struct ath_uuid_array copies = { uuids, 2 };
	struct ath_json data = { "{\"a\": 1}" };

	(void)state;
	WHERE(ATH_CONTAINS(book, tags, tags), "\"tags\" @> $1", "[2]");
	WHERE(ATH_CONTAINS(book, prizes, prizes), "\"prizes\" @> $1", "[1]");
	WHERE(ATH_CONTAINS(book, copies, copies), "\"copies\" @> $1", "[2]");
	WHERE(ATH_CONTAINS(book, data, data), "\"data\" @> $1", "'{\"a\": 1}'");
	WHERE(ATH_CONTAINED_IN(book, tags, tags), "\"tags\" <@ $1", "[2]");
	WHERE(ATH_CONTAINED_IN(book, data, data), "\"data\" <@ $1", "'{\"a\": 1}'");
	WHERE(ATH_OVERLAPS(book, prizes, prizes), "\"prizes\" && $1", "[1]");
	WHERE(ATH_HAS(book, tags, "a"), "$1 = ANY (\"tags\")", "'a'");
	WHERE(ATH_HAS(book, prizes, 7), "$1 = ANY (\"prizes\")", "7");
	WHERE(ATH_HAS(book, copies, uuids[0]), "$1 = ANY (\"copies\")", "uuid");
	WHERE(ATH_JSON_PATH(book, data, "$.a ? (@ > 1)"), "\"data\" @? $1", "'$.a ? (@ > 1)'");
}

static void test_full_text(void **state)
{
	(void)state;
	WHERE(ATH_SEARCH(book, title, english, "red -car"),
	      "(to_tsvector('english', \"title\") @@ "
	      "websearch_to_tsquery('english', CAST($1 AS text)))",
	      "'red -car'");
}

/* ---- groups --------------------------------------------------------------------------------- */

static void test_groups(void **state)
{
	(void)state;
	WHERE(ATH_AND(ATH_EQ(book, id, 1), ATH_EQ(book, id, 2)), "(\"id\" = $1 AND \"id\" = $2)",
	      "1 2");
	WHERE(ATH_OR(ATH_EQ(book, id, 1), ATH_EQ(book, id, 2), ATH_EQ(book, id, 3)),
	      "(\"id\" = $1 OR \"id\" = $2 OR \"id\" = $3)", "1 2 3");
	WHERE(ATH_OR(ATH_EQ(book, id, 1)), "(\"id\" = $1)", "1");
	WHERE(ATH_NOT(ATH_EQ(book, id, 1)), "NOT (\"id\" = $1)", "1");
	WHERE(ATH_NOT(ATH_NOT(ATH_EQ(book, id, 1))), "NOT (NOT (\"id\" = $1))", "1");
}

static void test_nested_groups(void **state)
{
	(void)state;
	WHERE(ATH_OR(ATH_AND(ATH_EQ(book, id, 1), ATH_NOT(ATH_EQ(book, pages, 2))),
		     ATH_EQ(book, title, "x"),
		     ATH_AND(ATH_IS_NULL(book, sold_at), ATH_GT(book, id, 3))),
	      "((\"id\" = $1 AND NOT (\"pages\" = $2)) OR \"title\" = $3 OR "
	      "(\"sold_at\" IS NULL AND \"id\" > $4))",
	      "1 2 'x' 3");
}

static void test_an_empty_group(void **state)
{
	(void)state;
	WHERE(((struct ath_expression){ .op = ATH_OP_AND }), "(true)", "");
	WHERE(((struct ath_expression){ .op = ATH_OP_OR }), "(false)", "");
}

static void test_several_conditions_all_hold(void **state)
{
	(void)state;
	ath_where(&query, ATH_EQ(book, id, 1));
	ath_where(&query, ATH_OR(ATH_EQ(book, id, 2), ATH_EQ(book, id, 3)));
	WHERE(ATH_EQ(book, id, 4), "\"id\" = $1 AND (\"id\" = $2 OR \"id\" = $3) AND \"id\" = $4",
	      "1 2 3 4");
}

/* ---- both sides ----------------------------------------------------------------------------- */

/* One row for each operator, so that a new one has to come here too. */
static void test_every_operator(void **state)
{
	const struct ath_text_array tags = { (const char *const[]){ "a" }, 1 };
	const struct {
		enum ath_operator op;
		const char *text, *parameters;
		struct ath_expression left, right;
	} rows[] = {
		{ ATH_OP_EQ, "(\"pages\" = $1)", "7", ATH_COL(book, pages), ATH_VAL(7) },
		{ ATH_OP_NE, "(\"pages\" <> $1)", "7", ATH_COL(book, pages), ATH_VAL(7) },
		{ ATH_OP_LT, "(\"pages\" < $1)", "7", ATH_COL(book, pages), ATH_VAL(7) },
		{ ATH_OP_LE, "(\"pages\" <= $1)", "7", ATH_COL(book, pages), ATH_VAL(7) },
		{ ATH_OP_GT, "(\"pages\" > $1)", "7", ATH_COL(book, pages), ATH_VAL(7) },
		{ ATH_OP_GE, "(\"pages\" >= $1)", "7", ATH_COL(book, pages), ATH_VAL(7) },
		{ ATH_OP_LIKE, "($1 LIKE \"title\")", "'a'", ATH_VAL("a"), ATH_COL(book, title) },
		{ ATH_OP_ILIKE, "(\"title\" ILIKE $1)", "'a'", ATH_COL(book, title), ATH_VAL("a") },
		{ ATH_OP_MATCHES, "(\"title\" ~ $1)", "'a'", ATH_COL(book, title), ATH_VAL("a") },
		{ ATH_OP_IMATCHES, "(\"title\" ~* $1)", "'a'", ATH_COL(book, title), ATH_VAL("a") },
		{ ATH_OP_DISTINCT_FROM, "(\"sold_at\" IS DISTINCT FROM now())", "",
		  ATH_COL(book, sold_at), ATH_FUNC(now) },
		{ ATH_OP_NOT_DISTINCT_FROM, "(\"author_id\" IS NOT DISTINCT FROM \"edited_by\")",
		  "", ATH_COL(book, author_id), ATH_COL(book, editor_id) },
		{ ATH_OP_CONTAINS, "(\"tags\" @> $1)", "[1]", ATH_COL(book, tags), ATH_VAL(tags) },
		{ ATH_OP_CONTAINED_IN, "($1 <@ \"tags\")", "[1]", ATH_VAL(tags),
		  ATH_COL(book, tags) },
		{ ATH_OP_OVERLAPS, "(\"tags\" && $1)", "[1]", ATH_COL(book, tags), ATH_VAL(tags) },
		{ ATH_OP_HAS_KEY, "(\"data\" ? $1)", "'a'", ATH_COL(book, data), ATH_VAL("a") },
		{ ATH_OP_JSON_PATH, "(\"data\" @? $1)", "'$.a'", ATH_COL(book, data),
		  ATH_VAL("$.a") },
		{ ATH_OP_SEARCH, "(to_tsvector(\"title\") @@ to_tsquery($1))", "'a'",
		  ATH_FUNC(to_tsvector, ATH_COL(book, title)), ATH_FUNC(to_tsquery, ATH_VAL("a")) },
		{ ATH_OP_JSON_GET, "(\"data\" -> $1)", "0", ATH_COL(book, data), ATH_VAL(0) },
		{ ATH_OP_JSON_TEXT, "(\"data\" ->> $1)", "'a'", ATH_COL(book, data), ATH_VAL("a") },
		{ ATH_OP_ADD, "(\"pages\" + $1)", "7", ATH_COL(book, pages), ATH_VAL(7) },
		{ ATH_OP_SUB, "($1 - \"pages\")", "7", ATH_VAL(7), ATH_COL(book, pages) },
		{ ATH_OP_MUL, "(\"weight\" * $1)", "0.5", ATH_COL(book, weight), ATH_VAL(0.5) },
		{ ATH_OP_DIV, "(\"price\" / \"pages\")", "", ATH_COL(book, price),
		  ATH_COL(book, pages) },
		{ ATH_OP_MOD, "(\"pages\" % $1)", "7", ATH_COL(book, pages), ATH_VAL(7) },
		{ ATH_OP_CONCAT, "(\"title\" || $1)", "'a'", ATH_COL(book, title), ATH_VAL("a") },
	};
	static const enum ath_operator all[] = {
#define X(name, text) ATH_OP_##name,
		ATH_BINARY_MAP(X)
#undef X
	};

	(void)state;
	assert_int_equal(ATH_COUNT(rows), ATH_COUNT(all));
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const struct ath_expression sides[] = { rows[i].left, rows[i].right };

		assert_int_equal(rows[i].op, all[i]);
		expect_selected(
			(struct ath_expression){ .op = all[i], .on.kids = sides, .kid_count = 2 },
			rows[i].text, rows[i].parameters, __LINE__);
	}
}

static void test_sides_within_sides(void **state)
{
	(void)state;
	WHERE(ATH_EXPR(ATH_EXPR(ATH_COL(book, pages), MUL, ATH_VAL(2)), GT,
		       ATH_EXPR(ATH_COL(book, weight), SUB,
				ATH_EXPR(ATH_VAL(1), DIV, ATH_COL(book, price)))),
	      "((\"pages\" * $1) > (\"weight\" - ($2 / \"price\")))", "2 1");
	WHERE(ATH_EXPR(ATH_EXPR(ATH_COL(book, data), JSON_TEXT, ATH_VAL("a")), EQ,
		       ATH_COL(book, title)),
	      "((\"data\" ->> $1) = \"title\")", "'a'");
}

/* A condition is a value like any other. */
static void test_conditions_as_sides(void **state)
{
	struct ath_query inner = ath_query(label);

	(void)state;
	WHERE(ATH_EXPR(ATH_EQ(book, pages, 1), EQ, ATH_COL(book, in_print)),
	      "((\"pages\" = $1) = \"in_print\")", "1");
	WHERE(ATH_EXPR(ATH_COL(book, in_print), NE, ATH_IS_NULL(book, sold_at)),
	      "(\"in_print\" <> (\"sold_at\" IS NULL))", "");
	WHERE(ATH_EXPR(ATH_NOT(ATH_EQ(book, id, 1)), EQ, ATH_OR(ATH_EQ(book, id, 2))),
	      "((NOT (\"id\" = $1)) = (\"id\" = $2))", "1 2");
	ath_select(&inner, ATH_COL(label, id));
	ath_select(&query, ATH_COL(book, id));
	ath_where(&query, ATH_EXPR(ATH_IN_QUERY(book, id, &inner), EQ, ATH_VAL((bool)true)));
	ath_sql_select(&sql, &query);
	EXPECT_SQL("SELECT \"t0\".\"id\" FROM \"books\" AS \"t0\" WHERE ((\"t0\".\"id\" IN "
		   "(SELECT \"t1\".\"id\" FROM \"shelf\".\"labels\" AS \"t1\")) = $1)",
		   "true");
}

/* ---- functions and casts -------------------------------------------------------------------- */

static void test_functions(void **state)
{
	const char *null = NULL;

	(void)state;
	VALUE(ATH_FUNC(now), "now()", "");
	VALUE(ATH_FUNC(lower, ATH_COL(book, title)), "lower(\"title\")", "");
	VALUE(ATH_FUNC(coalesce, ATH_COL(book, sold_at), ATH_FUNC(now)),
	      "coalesce(\"sold_at\", now())", "");
	VALUE(ATH_FUNC(substr, ATH_COL(book, title), ATH_VAL(1), ATH_VAL(3)),
	      "substr(\"title\", $1, $2)", "1 3");
	VALUE(ATH_FUNC(coalesce, ATH_COL(book, title), ATH_VAL(null), ATH_VAL("-")),
	      "coalesce(\"title\", $1, $2)", "NULL '-'");
	VALUE(ATH_FUNC(greatest, ATH_FUNC(abs, ATH_VAL(-1)),
		       ATH_FUNC(length, ATH_COL(book, title))),
	      "greatest(abs($1), length(\"title\"))", "-1");
	WHERE(ATH_EXPR(ATH_FUNC(lower, ATH_COL(book, title)), EQ, ATH_FUNC(lower, ATH_VAL("A"))),
	      "(lower(\"title\") = lower($1))", "'A'");
}

static void test_casts(void **state)
{
	(void)state;
	VALUE(ATH_CAST(ATH_COL(book, pages), text), "CAST(\"pages\" AS text)", "");
	VALUE(ATH_CAST(ATH_VAL("7"), double precision), "CAST($1 AS double precision)", "'7'");
	VALUE(ATH_CAST(ATH_EXPR(ATH_COL(book, pages), ADD, ATH_VAL(1)), numeric(10, 2)),
	      "CAST((\"pages\" + $1) AS numeric(10, 2))", "1");
	VALUE(ATH_CAST(ATH_GT(book, pages, 3), integer), "CAST(\"pages\" > $1 AS integer)", "3");
}

static void test_aggregates(void **state)
{
	(void)state;
	VALUE(ATH_COUNT_ROWS, "count(*)", "");
	VALUE(ATH_FUNC(count, ATH_DISTINCT(ATH_COL(book, author_id))),
	      "count(DISTINCT \"author_id\")", "");
	VALUE(ATH_FUNC(sum, ATH_DISTINCT(ATH_EXPR(ATH_COL(book, pages), MUL, ATH_VAL(2)))),
	      "sum(DISTINCT (\"pages\" * $1))", "2");
	VALUE(ATH_EXPR(ATH_COUNT_ROWS, SUB, ATH_FUNC(count, ATH_COL(book, sold_at))),
	      "(count(*) - count(\"sold_at\"))", "");
}

/* A value is a parameter, whatever stands in it. */
static void test_values_never_stand_in_the_text(void **state)
{
	(void)state;
	WHERE(ATH_EQ(book, title, "'; drop table books; --"), "\"title\" = $1",
	      "''; drop table books; --'");
	WHERE(ATH_EXPR(ATH_COL(book, title), EQ, ATH_VAL("\" or 1 = 1 $1")), "(\"title\" = $1)",
	      "'\" or 1 = 1 $1'");
}

/* What is copied in does not outlive its block, and need not. */
static void test_conditions_are_copied(void **state)
{
	struct ath_query copy;

	(void)state;
	{
		struct ath_expression kids[] = { ATH_EQ(book, id, 1), ATH_EQ(book, id, 2) };
		struct ath_expression group = { .op = ATH_OP_OR, .on.kids = kids, .kid_count = 2 };

		ath_select(&query, ATH_COL(book, id));
		ath_where(&query, group);
		memset(kids, 0xa5, sizeof kids);
	}
	copy = query;
	for (int i = 0; i < 2; i++) {
		ath_sql_select(&sql, &copy);
		EXPECT_SQL("SELECT \"id\" FROM \"books\" WHERE (\"id\" = $1 OR \"id\" = $2)",
			   "1 2");
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, close_sql)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_comparisons),
		CASE(test_a_decimal_of_another_scale),
		CASE(test_patterns),
		CASE(test_in),
		CASE(test_enums_go_as_texts),
		CASE(test_an_enum_has_only_its_values),
		CASE(test_null),
		CASE(test_arrays_and_json),
		CASE(test_full_text),
		CASE(test_groups),
		CASE(test_nested_groups),
		CASE(test_an_empty_group),
		CASE(test_several_conditions_all_hold),
		CASE(test_every_operator),
		CASE(test_sides_within_sides),
		CASE(test_conditions_as_sides),
		CASE(test_functions),
		CASE(test_casts),
		CASE(test_aggregates),
		CASE(test_values_never_stand_in_the_text),
		CASE(test_conditions_are_copied),
	};

	return cmocka_run_group_tests(tests, create_tables, drop_database);
}
