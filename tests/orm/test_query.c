/*
 * test_query.c - every operator of a condition, by a real server, over rows among which any
 * other operator would find others; and what a query refuses.
 */
#include "items.h"

/* ---- one column and one value --------------------------------------------------------------- */

static void compares_numbers(struct ath_session *db)
{
	store_items();
	EXPECT_IDS(db, ATH_EQ(item, rank, 20), "2");
	EXPECT_IDS(db, ATH_NE(item, rank, 20), "1,3");
	EXPECT_IDS(db, ATH_LT(item, rank, 20), "1");
	EXPECT_IDS(db, ATH_LE(item, rank, 20), "1,2");
	EXPECT_IDS(db, ATH_GT(item, rank, 20), "3");
	EXPECT_IDS(db, ATH_GE(item, rank, 20), "2,3");
	EXPECT_IDS(db, ATH_BETWEEN(item, rank, 10, 20), "1,2");
	EXPECT_IDS(db, ATH_BETWEEN(item, rank, 20, 10), "");
	EXPECT_IDS(db, ATH_NOT(ATH_BETWEEN(item, rank, 10, 20)), "3");
	EXPECT_IDS(db, ATH_DISTINCT_FROM(item, rank, 20), "1,3,4");
	EXPECT_IDS(db, ATH_NOT(ATH_DISTINCT_FROM(item, rank, 20)), "2");
	EXPECT_IDS(db, ATH_IS_NULL(item, rank), "4");
	EXPECT_IDS(db, ATH_NOT(ATH_IS_NULL(item, rank)), "1,2,3");
	EXPECT_STATUS(db, ATH_OK);
}

static void compares_every_type(struct ath_session *db)
{
	struct ath_date day = { 19754 };                                 /* 2024-02-01 */
	struct ath_timestamp moment = { 1706781600 * INT64_C(1000000) }; /* of that day, 10:00 */
	const struct ath_bytes image = { (const unsigned char *)"\2", 1 }, none = { NULL, 0 };

	store_items();
	EXPECT_IDS(db, ATH_LT(item, id, 3), "1,2");
	EXPECT_IDS(db, ATH_GE(item, grade, 3), "3,4");
	EXPECT_IDS(db, ATH_LT(item, weight, 2.5), "1,4");
	EXPECT_IDS(db, ATH_EQ(item, price, ath_decimal_of(20, 0)), "2");
	EXPECT_IDS(db, ATH_GT(item, price, ath_decimal_of(19995, 3)), "2,3");
	EXPECT_IDS(db, ATH_LT(item, price, ath_decimal_of(-29, 1)), "4");
	EXPECT_IDS(db, ATH_EQ(item, made, day), "2");
	EXPECT_IDS(db, ATH_GT(item, made, day), "3");
	EXPECT_IDS(db, ATH_LE(item, seen, moment), "1,2,4");
	EXPECT_IDS(db, ATH_EQ(item, sold, true), "2,4");
	EXPECT_IDS(db, ATH_NE(item, sold, true), "1,3");
	EXPECT_IDS(db, ATH_EQ(item, code, uuid_of(3)), "3");
	EXPECT_IDS(db, ATH_EQ(item, image, image), "2");
	EXPECT_IDS(db, ATH_EQ(item, helper_id, 3), "3");
	EXPECT_IDS(db, ATH_EQ(item, title, "red car"), "2");
	EXPECT_IDS(db, ATH_LT(item, title, "R"), "3,4");
	EXPECT_IDS(db, ATH_EQ(item, title, "'; drop table items; --"), "");
	EXPECT_IDS(db, ATH_EQ(item, image, none), ""); /* no data is NULL, and no image is */
	EXPECT_STATUS(db, ATH_OK);
}

static void compares_enums_as_texts(struct ath_session *db)
{
	static const unsigned shades[] = { RED, BLUE };
	const enum shade other = BLUE;

	store_items();
	EXPECT_IDS(db, ATH_EQ(item, shade, RED), "1,4");
	EXPECT_IDS(db, ATH_NE(item, shade, RED), "2,3");
	EXPECT_IDS(db, ATH_EQ(item, edge, RED), "3");
	EXPECT_IDS(db, ATH_NE(item, edge, RED), "1,4");
	EXPECT_IDS(db, ATH_IN(item, shade, shades, 2), "1,3,4");
	EXPECT_IDS(db, ATH_IN(item, edge, shades, 2), "1,3");
	EXPECT_IDS(db, ATH_IS_NULL(item, edge), "2");
	EXPECT_IDS(db, ATH_DISTINCT_FROM(item, edge, RED), "1,2,4");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, shade), EQ, ATH_VAL("red")), "1,4");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, edge), EQ, ATH_VAL(other)), "1");
	EXPECT_IDS(db, ATH_EXPR(ATH_VAL_OF(item, shade, other), EQ, ATH_COL(item, shade)), "3");
	EXPECT_STATUS(db, ATH_OK);
}

static void null_is_what_a_null_pointer_means(struct ath_session *db)
{
	const char *none = NULL;

	store_items();
	EXPECT_IDS(db, ATH_EQ(item, nick, none), "2,4");
	EXPECT_IDS(db, ATH_NE(item, nick, none), "1,3");
	EXPECT_IDS(db, ATH_EQ(item, nick, "seat"), "3");
	EXPECT_IDS(db, ATH_NE(item, nick, "seat"), "1");
	EXPECT_IDS(db, ATH_DISTINCT_FROM(item, nick, "seat"), "1,2,4");
	EXPECT_IDS(db, ATH_DISTINCT_FROM(item, nick, none), "1,3");
	EXPECT_IDS(db, ATH_IS_NULL(item, nick), "2,4");
	EXPECT_STATUS(db, ATH_OK);
}

static void matches_patterns(struct ath_session *db)
{
	store_items();
	EXPECT_IDS(db, ATH_LIKE(item, title, "red%"), "2");
	EXPECT_IDS(db, ATH_LIKE(item, title, "_ed%"), "1,2");
	EXPECT_IDS(db, ATH_LIKE(item, title, "\\%\\_\\\\"), "4");
	EXPECT_IDS(db, ATH_ILIKE(item, title, "RED%"), "1,2");
	EXPECT_IDS(db, ATH_MATCHES(item, title, "^red"), "2");
	EXPECT_IDS(db, ATH_MATCHES(item, title, "[aA][rm]"), "1,2");
	EXPECT_IDS(db, ATH_IMATCHES(item, title, "^red"), "1,2");
	EXPECT_IDS(db, ATH_IMATCHES(item, title, "AIRS$"), "3");
	EXPECT_IDS(db, ATH_NOT(ATH_LIKE(item, nick, "l%")), "3");
	EXPECT_STATUS(db, ATH_OK);
}

static void a_bad_pattern_is_an_error_of_the_value(struct ath_session *db)
{
	store_items();
	(void)ids_where(db, ATH_MATCHES(item, title, "("));
	EXPECT_STATUS(db, ATH_ERULE);
	EXPECT_TEXT(db->error.sqlstate, "2201B");
}

static void finds_one_of_many(struct ath_session *db)
{
	static const char *const titles[] = { "red car", "none", "%_\\" };
	static const struct ath_uuid codes[] = { { { [15] = 4 } }, { { [15] = 1 } } };
	static const int64_t helpers[] = { 1, 2, 9 };
	static const int32_t ranks[] = { 30, 10 };
	static const int16_t grades[] = { 2 };
	static const double weights[] = { 3.5, 99 };
	static const bool sold[] = { true };
	static const struct ath_date days[] = { { 19754 }, { 0 } };
	const struct ath_decimal prices[] = { ath_decimal_of(-3, 0), ath_decimal_of(2001, 2) };

	store_items();
	EXPECT_IDS(db, ATH_IN(item, title, titles, 3), "2,4");
	EXPECT_IDS(db, ATH_IN(item, title, titles, 0), "");
	EXPECT_IDS(db, ATH_IN(item, title, NULL, 0), "");
	EXPECT_IDS(db, ATH_NOT(ATH_IN(item, title, NULL, 0)), "1,2,3,4");
	EXPECT_IDS(db, ATH_IN(item, code, codes, 2), "1,4");
	EXPECT_IDS(db, ATH_IN(item, helper_id, helpers, 3), "1,4");
	EXPECT_IDS(db, ATH_NOT(ATH_IN(item, helper_id, helpers, 3)), "3");
	EXPECT_IDS(db, ATH_IN(item, rank, ranks, 2), "1,3");
	EXPECT_IDS(db, ATH_IN(item, grade, grades, 1), "2");
	EXPECT_IDS(db, ATH_IN(item, weight, weights, 2), "3");
	EXPECT_IDS(db, ATH_IN(item, sold, sold, 1), "2,4");
	EXPECT_IDS(db, ATH_IN(item, made, days, 2), "2");
	EXPECT_IDS(db, ATH_IN(item, price, prices, 2), "3,4");
	EXPECT_STATUS(db, ATH_OK);
}

/* ---- arrays and JSON ------------------------------------------------------------------------- */

static void looks_into_arrays(struct ath_session *db)
{
	const struct ath_text_array ab = { (const char *const[]){ "a", "b" }, 2 };
	const struct ath_text_array b = { (const char *const[]){ "b" }, 1 };
	const struct ath_text_array bcd = { (const char *const[]){ "b", "c", "d" }, 3 };
	const struct ath_int64_array two = { (const int64_t[]){ 2 }, 1 };
	const struct ath_uuid_array part = { (const struct ath_uuid[]){ uuid_of(10) }, 1 };

	store_items();
	EXPECT_IDS(db, ATH_CONTAINS(item, tags, b), "1,2");
	EXPECT_IDS(db, ATH_CONTAINS(item, tags, ab), "1");
	EXPECT_IDS(db, ATH_CONTAINED_IN(item, tags, bcd), "2,3,4");
	EXPECT_IDS(db, ATH_OVERLAPS(item, tags, bcd), "1,2,3");
	EXPECT_IDS(db, ATH_OVERLAPS(item, tags, ab), "1,2");
	EXPECT_IDS(db, ATH_EQ(item, tags, ab), "1");
	EXPECT_IDS(db, ATH_HAS(item, tags, "c"), "2,3");
	EXPECT_IDS(db, ATH_HAS(item, sizes, 2), "1,2");
	EXPECT_IDS(db, ATH_CONTAINS(item, sizes, two), "1,2");
	EXPECT_IDS(db, ATH_CONTAINED_IN(item, sizes, two), "4");
	EXPECT_IDS(db, ATH_HAS(item, parts, uuid_of(11)), "3");
	EXPECT_IDS(db, ATH_OVERLAPS(item, parts, part), "1,3");
	EXPECT_IDS(db, ATH_CONTAINED_IN(item, parts, part), "1,2,4");
	EXPECT_STATUS(db, ATH_OK);
}

static void looks_into_json(struct ath_session *db)
{
	store_items();
	EXPECT_IDS(db, ATH_CONTAINS(item, facts, ((struct ath_json){ "{\"kind\": \"car\"}" })),
		   "2");
	EXPECT_IDS(db, ATH_CONTAINS(item, facts, ((struct ath_json){ "{\"on\": [2]}" })), "1");
	EXPECT_IDS(db,
		   ATH_CONTAINED_IN(item, facts,
				    ((struct ath_json){ "{\"size\": 2, \"kind\": \"car\", "
							"\"more\": null}" })),
		   "2");
	EXPECT_IDS(db, ATH_JSON_PATH(item, facts, "$.size ? (@ > 1)"), "2,3");
	EXPECT_IDS(db, ATH_JSON_PATH(item, facts, "$.on[*] ? (@ == 2)"), "1");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, facts), HAS_KEY, ATH_VAL("on")), "1,3");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, facts), HAS_KEY, ATH_VAL("lamp")), "4");
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_EXPR(ATH_COL(item, facts), JSON_TEXT, ATH_VAL("kind")), EQ,
			    ATH_VAL("chair")),
		   "3");
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_EXPR(ATH_EXPR(ATH_COL(item, facts), JSON_GET, ATH_VAL("on")),
				     JSON_TEXT, ATH_VAL((int32_t)1)),
			    EQ, ATH_VAL("2")),
		   "1");
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_CAST(ATH_EXPR(ATH_COL(item, facts), JSON_TEXT, ATH_VAL("size")),
				     integer),
			    GE, ATH_VAL((int32_t)2)),
		   "2,3");
	EXPECT_STATUS(db, ATH_OK);
}

/* ---- full text ------------------------------------------------------------------------------- */

static void searches_texts(struct ath_session *db)
{
	store_items();
	EXPECT_IDS(db, ATH_SEARCH(item, title, english, "red"), "1,2");
	EXPECT_IDS(db, ATH_SEARCH(item, title, english, "red -car"), "1");
	EXPECT_IDS(db, ATH_SEARCH(item, title, english, "lamps or chair"), "1,3");
	EXPECT_IDS(db, ATH_SEARCH(item, title, simple, "lamps or chair"), "");
	EXPECT_IDS(db, ATH_SEARCH(item, title, english, "\"car red\""), "");
	EXPECT_IDS(db, ATH_SEARCH(item, title, english, ""), "");
	EXPECT_IDS(db, ATH_NOT(ATH_SEARCH(item, title, english, "red")), "3,4");
	EXPECT_STATUS(db, ATH_OK);
}

static void a_search_uses_the_index(struct ath_session *db)
{
	struct ath_query query = ath_query(item);
	const char *plan;

	store_items();
	ath_where(&query, ATH_SEARCH(item, title, english, "red"));
	EXPECT(ath_begin(db));
	(void)ath_execute(db, "set local enable_seqscan = off");
	plan = ath_explain(db, &query, false);
	if (EXPECT(plan != NULL))
		EXPECT(strstr(plan, "ix_items_title_words") != NULL);
	query = ath_query(item);
	ath_where(&query, ATH_SEARCH(item, title, german, "red"));
	plan = ath_explain(db, &query, false);
	if (EXPECT(plan != NULL)) /* it is one of english words */
		EXPECT(strstr(plan, "ix_items_title_words") == NULL);
}

/* ---- conditions of conditions ------------------------------------------------------------------
 */

static void nests_and_or_not(struct ath_session *db)
{
	store_items();
	EXPECT_IDS(db, ATH_AND(ATH_EQ(item, maker_id, 1), ATH_EQ(item, likes, 7)), "2");
	EXPECT_IDS(db, ATH_OR(ATH_EQ(item, maker_id, 1), ATH_EQ(item, likes, 7)), "1,2,3");
	EXPECT_IDS(db, ATH_NOT(ATH_OR(ATH_EQ(item, maker_id, 1), ATH_EQ(item, likes, 7))), "4");
	/* a or b and c, the two ways round */
	EXPECT_IDS(
		db,
		ATH_AND(ATH_OR(ATH_EQ(item, id, 1), ATH_EQ(item, id, 2)), ATH_EQ(item, sold, true)),
		"2");
	EXPECT_IDS(
		db,
		ATH_OR(ATH_EQ(item, id, 1), ATH_AND(ATH_EQ(item, id, 2), ATH_EQ(item, sold, true))),
		"1,2");
	EXPECT_IDS(db,
		   ATH_NOT(ATH_AND(ATH_NOT(ATH_EQ(item, id, 3)),
				   ATH_OR(ATH_GT(item, likes, 5), ATH_LT(item, likes, 5)))),
		   "1,3");
	EXPECT_IDS(db, ATH_AND(ATH_EQ(item, id, 1)), "1");
	EXPECT_STATUS(db, ATH_OK);
}

static void conditions_of_several_calls_all_hold(struct ath_session *db)
{
	struct ath_query query = items_by_id();

	store_items();
	ath_where(&query, ATH_OR(ATH_EQ(item, id, 1), ATH_EQ(item, id, 2)));
	ath_where(&query, ATH_EQ(item, sold, true));
	EXPECT_QUERY(db, &query, "2");
	ath_where(&query, ATH_ALL);
	EXPECT_QUERY(db, &query, "2");
	ath_where(&query, ATH_EQ(item, id, 1));
	EXPECT_QUERY(db, &query, "");
	EXPECT_STATUS(db, ATH_OK);
}

static void computes(struct ath_session *db)
{
	const char *none = NULL;

	store_items();
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, likes), LT, ATH_COL(item, rank)), "1,2,3");
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_EXPR(ATH_COL(item, likes), ADD, ATH_COL(item, grade)), EQ,
			    ATH_VAL((int32_t)9)),
		   "2");
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_EXPR(ATH_COL(item, likes), SUB, ATH_COL(item, grade)), EQ,
			    ATH_EXPR(ATH_VAL((int32_t)2), MUL, ATH_VAL((int32_t)2))),
		   "1,3");
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_EXPR(ATH_COL(item, rank), DIV, ATH_VAL((int32_t)3)), EQ,
			    ATH_VAL((int32_t)6)),
		   "2");
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_EXPR(ATH_COL(item, rank), MOD, ATH_VAL((int32_t)4)), EQ,
			    ATH_VAL((int32_t)2)),
		   "1,3");
	/* a - (b - c), not (a - b) - c */
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_EXPR(ATH_COL(item, rank), SUB,
				     ATH_EXPR(ATH_COL(item, likes), SUB, ATH_COL(item, grade))),
			    EQ, ATH_VAL((int32_t)6)),
		   "1");
	EXPECT_IDS(
		db,
		ATH_EXPR(ATH_EXPR(ATH_COL(item, nick), CONCAT, ATH_VAL("!")), EQ, ATH_VAL("seat!")),
		"3");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, edge), NOT_DISTINCT_FROM, ATH_VAL(none)), "2");
	EXPECT_STATUS(db, ATH_OK);
}

static void calls_functions_and_casts(struct ath_session *db)
{
	store_items();
	EXPECT_IDS(db, ATH_EXPR(ATH_FUNC(lower, ATH_COL(item, title)), LIKE, ATH_VAL("red%")),
		   "1,2");
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_FUNC(lower, ATH_COL(item, title)), EQ,
			    ATH_FUNC(lower, ATH_VAL("OLD chairs"))),
		   "3");
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_FUNC(coalesce, ATH_COL(item, nick), ATH_COL(item, title)), ILIKE,
			    ATH_VAL("%a%")),
		   "1,2,3");
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_FUNC(coalesce, ATH_COL(item, rank), ATH_VAL((int32_t)0)), LT,
			    ATH_VAL((int32_t)20)),
		   "1,4");
	EXPECT_IDS(db, ATH_EXPR(ATH_CAST(ATH_COL(item, rank), text), LIKE, ATH_VAL("%0")), "1,2,3");
	EXPECT_IDS(db, ATH_EXPR(ATH_CAST(ATH_COL(item, price), integer), EQ, ATH_VAL((int32_t)20)),
		   "1,2,3");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, made), GT, ATH_VAL("2024-01-31")), "2,3");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, seen), GT, ATH_FUNC(now)), "");
	EXPECT_IDS(db,
		   ATH_EXPR(ATH_FUNC(char_length, ATH_COL(item, title)), GE, ATH_VAL((int32_t)8)),
		   "1,3");
	EXPECT_STATUS(db, ATH_OK);
}

/* A value brings its own type: the same text with another one is another statement. */
static void values_of_one_place_may_have_several_types(struct ath_session *db)
{
	const int64_t large = INT64_C(5000000000);

	store_items();
	EXPECT(ath_begin(db)); /* on one connection */
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, likes), LT, ATH_VAL((int32_t)6)), "1,4");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, likes), LT, ATH_VAL(large)), "1,2,3,4");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, likes), LT, ATH_VAL(4.5)), "4");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, likes), LT, ATH_VAL((int16_t)6)), "1,4");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, likes), LT, ATH_VAL(ath_decimal_of(55, 1))), "1,4");
	EXPECT_IDS(db, ATH_EXPR(ATH_COL(item, likes), LT, ATH_VAL("6")), "1,4");
	EXPECT_STATUS(db, ATH_OK);
}

/* ---- subqueries --------------------------------------------------------------------------------
 */

static void finds_what_another_query_selects(struct ath_session *db)
{
	struct ath_query labelled = ath_query(item_label), popular = ath_query(item), query;

	store_items();
	ath_select(&labelled, ATH_COL(item_label, item_id));
	EXPECT_IDS(db, ATH_IN_QUERY(item, id, &labelled), "1,2,3");
	EXPECT_IDS(db, ATH_NOT(ATH_IN_QUERY(item, id, &labelled)), "4");
	ath_where(&labelled, ATH_EQ(item_label, label_id, 1));
	EXPECT_IDS(db, ATH_IN_QUERY(item, id, &labelled), "1,3");
	/* of the same model, with an order and a limit of its own */
	ath_select(&popular, ATH_COL(item, id));
	ath_order_by(&popular, ATH_DESC(item, likes));
	ath_order_by(&popular, ATH_ASC(item, id));
	ath_limit(&popular, 1);
	EXPECT_IDS(db, ATH_IN_QUERY(item, id, &popular), "2");
	query = items_by_id();
	ath_where(&query, ATH_EQ(item, likes, 7));
	ath_where(&query, ATH_IN_QUERY(item, id, &labelled));
	ath_where(&query, ATH_GT(item, weight, 0));
	EXPECT_QUERY(db, &query, "3");
	EXPECT(ath_count(db, &query) == 1);
	EXPECT_STATUS(db, ATH_OK);
}

static void asks_whether_rows_exist(struct ath_session *db)
{
	struct ath_query labels = ath_query(item_label), better = ath_query(item),
			 any = ath_query(passport);

	store_items();
	ath_where(&labels, ATH_EXPR(ATH_COL(item_label, item_id), EQ, ATH_OUTER(item, id)));
	EXPECT_IDS(db, ATH_EXISTS(&labels), "1,2,3");
	EXPECT_IDS(db, ATH_NOT(ATH_EXISTS(&labels)), "4");
	ath_where(&labels, ATH_EQ(item_label, label_id, 2));
	EXPECT_IDS(db, ATH_EXISTS(&labels), "1,2");
	/* one of the same model inside itself */
	ath_where(&better, ATH_EXPR(ATH_COL(item, likes), GT, ATH_OUTER(item, likes)));
	EXPECT_IDS(db, ATH_NOT(ATH_EXISTS(&better)), "2,3");
	EXPECT_IDS(db, ATH_EXISTS(&any), "1,2,3,4");
	ath_where(&any, ATH_EQ(passport, code, "none"));
	EXPECT_IDS(db, ATH_EXISTS(&any), "");
	EXPECT_STATUS(db, ATH_OK);
}

/* Makers with an item of which every label is that of an item of another maker as well. */
static void a_subquery_has_subqueries(struct ath_session *db)
{
	struct ath_query other = ath_query(item_label), label = ath_query(item_label),
			 query = ath_query(item);

	store_items();
	ath_where(&other,
		  ATH_EXPR(ATH_COL(item_label, label_id), EQ, ATH_OUTER(item_label, label_id)));
	ath_where(&other, ATH_EXPR(ATH_COL(item_label, item_id), NE, ATH_OUTER(item, id)));
	ath_where(&label, ATH_EXPR(ATH_COL(item_label, item_id), EQ, ATH_OUTER(item, id)));
	ath_where(&label, ATH_NOT(ATH_EXISTS(&other)));
	ath_where(&query, ATH_NOT(ATH_EXISTS(&label)));
	ath_order_by(&query, ATH_ASC(item, id));
	EXPECT_QUERY(db, &query, "1,2,3,4");
	run_sql("insert into item_labels values (2, 3)");
	EXPECT_QUERY(db, &query, "1,3,4");
	EXPECT_STATUS(db, ATH_OK);
}

/* ---- mistakes -----------------------------------------------------------------------------------
 */

static void the_wrong_model_is_refused(struct ath_session *db)
{
	struct ath_query query = ath_query(maker), subquery = ath_query(maker), inner;

	EXPECT(item_all(db, &query).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "a query for maker was run as one for item");
	EXPECT(item_first(db, &query) == NULL);
	EXPECT_REFUSED(db, ATH_EINVAL, "a query for maker was run as one for item");
	EXPECT(item_each(db, &query) == NULL);
	EXPECT_REFUSED(db, ATH_EINVAL, "a query for maker was run as one for item");
	ath_where(&query, ATH_EQ(item, title, "secret"));
	EXPECT(maker_all(db, &query).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL,
		       "a condition names a column of another model: join it first, or in a "
		       "subquery say ATH_OUTER");
	inner = ath_query(passport);
	ath_where(&inner, ATH_EXPR(ATH_COL(passport, id), EQ, ATH_OUTER(item, id)));
	ath_where(&subquery, ATH_EXISTS(&inner));
	EXPECT(maker_all(db, &subquery).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL,
		       "ATH_OUTER names a column of item, which no query around has");
	inner = ath_query(passport);
	subquery = ath_query(maker);
	ath_where(&subquery, ATH_IN_QUERY(maker, id, &inner));
	EXPECT(maker_all(db, &subquery).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "a query for ATH_IN_QUERY selects one expression");
}

static void more_than_a_query_holds_is_refused(struct ath_session *db)
{
	struct ath_query query = ath_query(item), deep = ath_query(item);

	store_items();
	for (int i = 0; i < ATH_QUERY_NODES; i++)
		ath_where(&query, ATH_GE(item, id, 0));
	EXPECT(item_all(db, &query).count == 4);
	EXPECT_STATUS(db, ATH_OK);
	ath_where(&query, ATH_EQ(item, title, "secret"));
	EXPECT(item_all(db, &query).count == 0);
	EXPECT_REFUSED(db, ATH_ETOOBIG, "more conditions than a query holds");
#define DEEPER(inside) ATH_NOT(ATH_NOT(inside))
	ath_where(&deep, DEEPER(DEEPER(DEEPER(DEEPER(DEEPER(ATH_NOT(ATH_EQ(item, id, 1))))))));
	EXPECT(item_all(db, &deep).count == 3);
	EXPECT_STATUS(db, ATH_OK);
	ath_where(&deep, DEEPER(DEEPER(DEEPER(DEEPER(DEEPER(DEEPER(ATH_EQ(item, id, 1))))))));
	EXPECT(item_all(db, &deep).count == 0);
	EXPECT_REFUSED(db, ATH_ETOOBIG, "more conditions than a query holds");
#undef DEEPER
}

static void null_is_not_compared(struct ath_session *db)
{
	static const char *const text = "nothing is less, greater or like NULL: ATH_IS_NULL";
	const char *none = NULL;

	(void)ids_where(db, ATH_LT(item, nick, none));
	EXPECT_REFUSED(db, ATH_EINVAL, text);
	(void)ids_where(db, ATH_LIKE(item, nick, none));
	EXPECT_REFUSED(db, ATH_EINVAL, text);
	(void)ids_where(db, ATH_HAS(item, tags, none));
	EXPECT_REFUSED(db, ATH_EINVAL, text);
	(void)ids_where(db, ATH_BETWEEN(item, nick, "a", none));
	EXPECT_REFUSED(db, ATH_EINVAL, text);
	(void)ids_where(db, ATH_EXPR(ATH_COL(item, nick), ILIKE, ATH_VAL(none)));
	EXPECT_REFUSED(db, ATH_EINVAL, text);
	(void)ids_where(db, ATH_EXPR(ATH_VAL(none), NE, ATH_COL(item, nick)));
	EXPECT_REFUSED(db, ATH_EINVAL,
		       "nothing equals NULL in ATH_EXPR: ATH_IS_NULL, or NOT_DISTINCT_FROM");
}

static void one_row_is_one_row(struct ath_session *db)
{
	struct ath_query query = ath_query(item);

	store_items();
	ath_where(&query, ATH_EQ(item, title, "secret"));
	EXPECT(item_one(db, &query) == NULL);
	EXPECT_REFUSED(db, ATH_ENOTFOUND, "no row of item where one was asked for");
	query = ath_query(item);
	ath_where(&query, ATH_EQ(item, shade, RED));
	EXPECT(item_one(db, &query) == NULL);
	EXPECT_REFUSED(db, ATH_EMANY, "more rows of item than the one asked for");
	ath_where(&query, ATH_EQ(item, id, 4));
	EXPECT(item_one(db, &query) != NULL);
	EXPECT_STATUS(db, ATH_OK);
}

static void bounds_are_not_below_zero(struct ath_session *db)
{
	struct ath_query query = items_by_id();

	store_items();
	ath_limit(&query, -1);
	EXPECT(item_all(db, &query).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "a limit or offset is below zero");
	query = items_by_id();
	ath_offset(&query, INT64_MIN);
	EXPECT(item_all(db, &query).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "a limit or offset is below zero");
	query = items_by_id();
	ath_limit(&query, 0);
	EXPECT_QUERY(db, &query, "");
	ath_limit(&query, 2);
	ath_offset(&query, 1);
	EXPECT_QUERY(db, &query, "2,3");
	EXPECT(ath_count(db, &query) == 4);
	ath_limit(&query, INT64_MAX);
	ath_offset(&query, 3);
	EXPECT_QUERY(db, &query, "4");
	EXPECT_STATUS(db, ATH_OK);
}

static void a_number_that_is_no_value_of_an_enum_is_refused(struct ath_session *db)
{
	static const unsigned shades[] = { RED, 77 };

	(void)ids_where(db, ATH_EQ(item, shade, 77));
	EXPECT_REFUSED(db, ATH_ERULE, "shade is none of the values of its enum");
	(void)ids_where(db, ATH_IN(item, shade, shades, 2));
	EXPECT_REFUSED(db, ATH_ERULE, "shade is none of the values of its enum");
}

static struct scenario scenarios[] = {
	DIRECT(compares_numbers),
	DIRECT(compares_every_type),
	DIRECT(compares_enums_as_texts),
	DIRECT(null_is_what_a_null_pointer_means),
	DIRECT(matches_patterns),
	DIRECT(a_bad_pattern_is_an_error_of_the_value),
	DIRECT(finds_one_of_many),
	DIRECT(looks_into_arrays),
	DIRECT(looks_into_json),
	DIRECT(searches_texts),
	DIRECT(a_search_uses_the_index),
	DIRECT(nests_and_or_not),
	DIRECT(conditions_of_several_calls_all_hold),
	DIRECT(computes),
	DIRECT(calls_functions_and_casts),
	DIRECT(values_of_one_place_may_have_several_types),
	DIRECT(finds_what_another_query_selects),
	DIRECT(asks_whether_rows_exist),
	DIRECT(a_subquery_has_subqueries),
	DIRECT(the_wrong_model_is_refused),
	DIRECT(more_than_a_query_holds_is_refused),
	DIRECT(null_is_not_compared),
	DIRECT(one_row_is_one_row),
	DIRECT(bounds_are_not_below_zero),
	DIRECT(a_number_that_is_no_value_of_an_enum_is_refused),
};

int main(void)
{
	RUN_SCENARIOS(scenarios);
}
