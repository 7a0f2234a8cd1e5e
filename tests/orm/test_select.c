/*
 * test_select.c - joins, what a query selects in the place of rows, counting, single values and
 * EXPLAIN, by a real server.
 */
#include "items.h"

/* What a query selects of makers and of their items. */
struct total {
	const char *name;
	int64_t count;
	struct ath_null_int64 likes;
	struct ath_null_double mean;
	struct ath_null_decimal price;
	struct ath_null_int32 rank;
	struct ath_null_date newest;
};
ATH_LIST_(total)
ATH_DECLARE_READING_(total)

ATH_MODEL_RESULT(total, ATH_COLUMN(total, name), ATH_COLUMN(total, count), ATH_COLUMN(total, likes),
		 ATH_COLUMN(total, mean), ATH_COLUMN(total, price), ATH_COLUMN(total, rank),
		 ATH_COLUMN(total, newest));

struct shade_count {
	enum shade shade;
	struct ath_null_enum edge;
	int32_t count;
};
ATH_LIST_(shade_count)
ATH_DECLARE_READING_(shade_count)

ATH_MODEL_RESULT(shade_count, ATH_COLUMN(shade_count, shade, SHADES),
		 ATH_COLUMN(shade_count, edge, SHADES), ATH_COLUMN(shade_count, count));

/* Of less shades than there are. */
struct half_shade {
	enum shade shade;
};
ATH_LIST_(half_shade)
ATH_DECLARE_READING_(half_shade)

ATH_MODEL_RESULT(half_shade, ATH_COLUMN(half_shade, shade, .values = ATH_VALUES("red", "green")));

struct word {
	const char *word;
};
ATH_LIST_(word)
ATH_DECLARE_READING_(word)

ATH_MODEL_RESULT(word, ATH_COLUMN(word, word, .nullable = true));

/* ---- joins ----------------------------------------------------------------------------------- */

/* The names of a query's makers: "Ann,Ben". */
static const char *names_of(struct ath_session *db, const struct ath_query *query)
{
	static char text[256];
	struct maker_list list = maker_all(db, query);
	size_t length = 0;

	text[0] = '\0';
	if (ath_session_error(db) != NULL)
		return ath_session_error(db)->message;
	for (size_t i = 0; i < list.count; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, "%s%s",
					   i == 0 ? "" : ",", list.items[i]->name);
	return text;
}

static void joins_what_a_row_belongs_to(struct ath_session *db)
{
	struct ath_query query = items_by_id();
	int helper;

	store_items();
	EXPECT(ath_join(&query, item, maker) == 1);
	EXPECT_QUERY(db, &query, "1,2,3,4");
	ath_where(&query, ATH_EQ(maker, name, "Ann"));
	EXPECT_QUERY(db, &query, "1,2");
	EXPECT(ath_count(db, &query) == 2);
	query = items_by_id();
	ath_join(&query, item, helper);
	EXPECT_QUERY(db, &query, "1,3,4"); /* 2 has none */
	query = items_by_id();
	helper = ath_left_join(&query, item, helper);
	EXPECT_QUERY(db, &query, "1,2,3,4");
	ath_where(&query, ATH_OF(helper, ATH_IS_NULL(maker, id)));
	EXPECT_QUERY(db, &query, "2");
	EXPECT_STATUS(db, ATH_OK);
}

static void tells_two_joins_to_one_model_apart(struct ath_session *db)
{
	struct ath_query query = items_by_id(), either, order = ath_query(item);
	int by, with;

	store_items();
	by = ath_join(&query, item, maker);
	with = ath_left_join(&query, item, helper);
	either = query;
	ath_where(&query, ATH_OF(by, ATH_EQ(maker, name, "Cyd")));
	EXPECT_QUERY(db, &query, "4");
	query = either;
	ath_where(&query, ATH_OF(with, ATH_EQ(maker, name, "Cyd")));
	EXPECT_QUERY(db, &query, "3");
	query = either;
	ath_where(&query, ATH_EXPR(ATH_OF(by, ATH_COL(maker, name)), LT,
				   ATH_OF(with, ATH_COL(maker, name))));
	EXPECT_QUERY(db, &query, "1,3");
	ath_where(&either,
		  ATH_OR(ATH_OF(by, ATH_EQ(maker, name, "Ben")),
			 ATH_OF(with, ATH_AND(ATH_EQ(maker, name, "Ben"), ATH_LT(item, id, 9)))));
	EXPECT_QUERY(db, &either, "1,3");
	ath_join(&order, item, maker);
	with = ath_join(&order, item, helper);
	ath_order_by(&order, ATH_DESC_OF(ATH_OF(with, ATH_COL(maker, name))));
	EXPECT_QUERY(db, &order, "3,1,4");
	EXPECT_STATUS(db, ATH_OK);
}

static void joins_the_one_and_the_many(struct ath_session *db)
{
	struct ath_query query = ath_query(maker), start = query, rows;

	store_items();
	ath_order_by(&start, ATH_ASC(maker, id));
	query = start;
	ath_join(&query, maker, passport);
	EXPECT_TEXT(names_of(db, &query), "Ann,Ben");
	ath_where(&query, ATH_EQ(passport, code, "P-2"));
	EXPECT_TEXT(names_of(db, &query), "Ben");
	query = start;
	ath_left_join(&query, maker, passport);
	ath_where(&query, ATH_IS_NULL(passport, id));
	EXPECT_TEXT(names_of(db, &query), "Cyd,Dee");
	query = start;
	ath_join(&query, maker, items);
	EXPECT_TEXT(names_of(db, &query), "Ann,Ann,Ben,Cyd");
	rows = query;
	ath_distinct(&query);
	EXPECT_TEXT(names_of(db, &query), "Ann,Ben,Cyd");
	EXPECT(ath_count(db, &rows) == 4 && ath_count(db, &query) == 3);
	ath_where(&rows, ATH_GT(item, price, ath_decimal_of(1999, 2)));
	ath_where(&rows, ATH_EQ(maker, id, 1));
	EXPECT_TEXT(names_of(db, &rows), "Ann");
	query = start;
	ath_left_join(&query, maker, items);
	EXPECT(ath_count(db, &query) == 5);
	ath_where(&query, ATH_IS_NULL(item, id));
	EXPECT_TEXT(names_of(db, &query), "Dee");
	EXPECT_STATUS(db, ATH_OK);
}

static void joins_many_to_many(struct ath_session *db)
{
	struct ath_query query = items_by_id(), none = items_by_id();

	store_items();
	ath_join(&query, item, labels);
	EXPECT_QUERY(db, &query, "1,1,2,3");
	ath_where(&query, ATH_EQ(label, word, "new"));
	EXPECT_QUERY(db, &query, "1,2");
	ath_left_join(&none, item, labels);
	ath_where(&none, ATH_IS_NULL(label, id));
	EXPECT_QUERY(db, &none, "4");
	EXPECT_STATUS(db, ATH_OK);
}

static void joins_from_a_join(struct ath_session *db)
{
	struct ath_query query = items_by_id(), back = ath_query(passport), labels;
	int maker, boss;

	store_items();
	maker = ath_join(&query, item, maker);
	boss = ath_join_from(&query, maker, maker, boss);
	EXPECT_QUERY(db, &query, "3,4");
	ath_where(&query, ATH_OF(boss, ATH_EQ(maker, name, "Ben")));
	EXPECT_QUERY(db, &query, "4");
	maker = ath_join(&back, passport, maker);
	ath_join_from(&back, maker, maker, items);
	EXPECT(ath_count(db, &back) == 3);
	ath_where(&back, ATH_EQ(item, title, "Old Chairs"));
	if (EXPECT(passport_one(db, &back) != NULL))
		EXPECT_TEXT(passport_one(db, &back)->code, "P-2");
	labels = ath_query(maker);
	ath_join_from(&labels, ath_join(&labels, maker, items), item, labels);
	ath_where(&labels, ATH_EQ(label, word, "big"));
	ath_order_by(&labels, ATH_DESC(maker, id));
	EXPECT_TEXT(names_of(db, &labels), "Ben,Ann");
	EXPECT_STATUS(db, ATH_OK);
}

/* Makers of an item with a label, from inside a subquery that has joins of its own. */
static void joins_inside_a_subquery(struct ath_session *db)
{
	struct ath_query inner = ath_query(item), query = ath_query(maker);

	store_items();
	ath_join(&inner, item, labels);
	ath_where(&inner, ATH_EXPR(ATH_COL(item, maker_id), EQ, ATH_OUTER(maker, id)));
	ath_where(&inner, ATH_EQ(label, word, "new"));
	ath_left_join(&query, maker, passport);
	ath_where(&query, ATH_EXISTS(&inner));
	ath_where(&query, ATH_EQ(passport, code, "P-1"));
	EXPECT_TEXT(names_of(db, &query), "Ann");
	query = ath_query(maker);
	ath_where(&query, ATH_NOT(ATH_EXISTS(&inner)));
	ath_order_by(&query, ATH_ASC(maker, id));
	EXPECT_TEXT(names_of(db, &query), "Ben,Cyd,Dee");
	EXPECT_STATUS(db, ATH_OK);
}

static void a_join_that_leads_nowhere_is_refused(struct ath_session *db)
{
	struct ath_query query = ath_query(item), many = ath_query(item);

	EXPECT(ath_join(&query, maker, items) == 0);
	EXPECT(item_all(db, &query).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "a join starts from a model that the query has");
	query = ath_query(item);
	EXPECT(ath_join_from(&query, 1, maker, boss) == 0);
	EXPECT(item_all(db, &query).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "a join starts from a model that the query has");
	query = ath_query(item);
	ath_join(&query, item, maker);
	ath_where(&query, ATH_OF(2, ATH_EQ(maker, id, 1)));
	EXPECT(item_all(db, &query).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "ATH_OF takes the number that a join has given");
	for (int i = 0; i < ATH_QUERY_JOINS; i++)
		EXPECT(ath_join(&many, item, maker) == i + 1);
	EXPECT(ath_join(&many, item, maker) == 0);
	EXPECT(item_all(db, &many).count == 0);
	EXPECT_REFUSED(db, ATH_ETOOBIG, "more joins than a query holds");
}

/* ---- what is selected ---------------------------------------------------------------------------
 */

static struct ath_query totals(void)
{
	struct ath_query query = ath_query(maker);

	ath_left_join(&query, maker, items);
	ath_select(&query, ATH_COL(maker, name));
	ath_select(&query, ATH_FUNC(count, ATH_COL(item, id)));
	ath_select(&query, ATH_FUNC(sum, ATH_COL(item, likes)));
	ath_select(&query, ATH_FUNC(avg, ATH_COL(item, likes)));
	ath_select(&query, ATH_FUNC(avg, ATH_COL(item, price)));
	ath_select(&query, ATH_FUNC(min, ATH_COL(item, rank)));
	ath_select(&query, ATH_FUNC(max, ATH_COL(item, made)));
	ath_group_by(&query, ATH_COL(maker, name));
	return query;
}

static void selects_aggregates(struct ath_session *db)
{
	struct ath_query query = totals();
	struct total_list list;
	struct total *ann, *dee;

	store_items();
	ath_order_by(&query, ATH_ASC(maker, name));
	list = total_all(db, &query);
	EXPECT_STATUS(db, ATH_OK);
	if (!EXPECT(list.count == 4))
		return;
	ann = list.items[0];
	dee = list.items[3];
	EXPECT_TEXT(ann->name, "Ann");
	EXPECT(ann->count == 2);
	EXPECT(ann->likes.valid && ann->likes.value == 12);
	EXPECT(ann->mean.valid && ann->mean.value == 6);
	EXPECT(ann->price.valid &&
	       ath_decimal_compare(ann->price.value, ath_decimal_of(19995, 3)) == 0);
	EXPECT(ann->rank.valid && ann->rank.value == 10);
	EXPECT(ann->newest.valid && ann->newest.value.days == 19754);
	EXPECT_TEXT(dee->name, "Dee");
	EXPECT(dee->count == 0 && !dee->likes.valid && !dee->mean.valid && !dee->price.valid);
	EXPECT(!dee->rank.valid && !dee->newest.valid);
	EXPECT(total_first(db, &query) != ann); /* no row of a table: nothing is known again */
	EXPECT(ath_count(db, &query) == 4);
}

/* The names in a list of totals: "Ann,Ben". */
static const char *total_names(struct ath_session *db, const struct ath_query *query)
{
	static char text[64];
	struct total_list list = total_all(db, query);
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < list.count; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, "%s%s",
					   i == 0 ? "" : ",", list.items[i]->name);
	return text;
}

static void groups_have_conditions_and_an_order(struct ath_session *db)
{
	struct ath_query query = totals(), start = query;

	store_items();
	ath_having(&query, ATH_EXPR(ATH_FUNC(count, ATH_COL(item, id)), EQ, ATH_VAL((int64_t)1)));
	ath_order_by(&query, ATH_DESC(maker, name));
	EXPECT_TEXT(total_names(db, &query), "Cyd,Ben");
	EXPECT(ath_count(db, &query) == 2);
	ath_having(&query, ATH_EXPR(ATH_FUNC(sum, ATH_COL(item, likes)), GT, ATH_VAL((int32_t)0)));
	EXPECT_TEXT(total_names(db, &query), "Ben");
	query = start;
	ath_where(&query, ATH_NE(maker, name, "Ben"));
	ath_order_by(&query, ATH_DESC_OF(ATH_FUNC(coalesce, ATH_FUNC(sum, ATH_COL(item, likes)),
						  ATH_VAL((int64_t)1))));
	EXPECT_TEXT(total_names(db, &query), "Ann,Dee,Cyd");
	ath_limit(&query, 1);
	ath_offset(&query, 1);
	EXPECT_TEXT(total_names(db, &query), "Dee");
	EXPECT_STATUS(db, ATH_OK);
}

static void orders_by_expressions(struct ath_session *db)
{
	struct ath_query query = ath_query(item);

	store_items();
	ath_order_by(&query, ATH_ASC_OF(ATH_FUNC(char_length, ATH_COL(item, title))));
	EXPECT_QUERY(db, &query, "4,2,1,3");
	query = ath_query(item);
	ath_order_by(&query, ATH_DESC_OF(ATH_EXPR(ATH_COL(item, likes), MOD, ATH_VAL((int32_t)5))));
	ath_order_by(&query, ATH_DESC(item, id));
	EXPECT_QUERY(db, &query, "3,2,4,1");
	query = ath_query(item);
	ath_order_by(&query, ATH_DESC(item, rank)); /* NULL first, as PostgreSQL has it */
	EXPECT_QUERY(db, &query, "4,3,2,1");
	EXPECT_STATUS(db, ATH_OK);
}

static void selects_enums(struct ath_session *db)
{
	struct ath_query query = ath_query(item), one = ath_query(item);
	struct shade_count_list list;

	store_items();
	ath_select(&query, ATH_COL(item, shade));
	ath_select(&query, ATH_FUNC(min, ATH_COL(item, edge)));
	ath_select(&query, ATH_COUNT_ROWS);
	ath_group_by(&query, ATH_COL(item, shade));
	ath_order_by(&query, ATH_ASC(item, shade));
	list = shade_count_all(db, &query);
	EXPECT_STATUS(db, ATH_OK);
	if (EXPECT(list.count == 3)) {
		EXPECT(list.items[0]->shade == BLUE && list.items[0]->count == 1);
		EXPECT(list.items[1]->shade == GREEN && !list.items[1]->edge.valid);
		EXPECT(list.items[2]->shade == RED && list.items[2]->count == 2);
		EXPECT(list.items[2]->edge.valid && list.items[2]->edge.value == BLUE);
	}
	ath_select(&one, ATH_COL(item, shade));
	EXPECT(half_shade_all(db, &one).count == 0);
	EXPECT_STATUS(db, ATH_ESQL);
}

static const char *words_of(struct ath_session *db, const struct ath_query *query)
{
	static char text[128];
	struct word_list list = word_all(db, query);
	size_t length = 0;

	text[0] = '\0';
	if (ath_session_error(db) != NULL)
		return ath_session_error(db)->message;
	for (size_t i = 0; i < list.count; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, "%s%s",
					   i == 0 ? "" : ",",
					   list.items[i]->word == NULL ? "-" : list.items[i]->word);
	return text;
}

static void selects_distinct_values_of_any_type_as_text(struct ath_session *db)
{
	struct ath_query query = ath_query(item), joined = ath_query(item);
	int maker, helper;

	store_items();
	ath_distinct(&query);
	ath_select(&query, ATH_FUNC(coalesce, ATH_COL(item, nick), ATH_VAL("none")));
	EXPECT(ath_count(db, &query) == 3);
	ath_where(&query, ATH_GT(item, id, 1));
	EXPECT(ath_count(db, &query) == 2);
	maker = ath_join(&joined, item, maker);
	helper = ath_left_join(&joined, item, helper);
	ath_order_by(&joined, ATH_ASC(item, id));
	ath_select(&joined, ATH_EXPR(ATH_OF(maker, ATH_COL(maker, name)), CONCAT,
				     ATH_OF(helper, ATH_COL(maker, name))));
	EXPECT_TEXT(words_of(db, &joined), "AnnBen,-,BenCyd,CydAnn");
	joined.select_count = joined.node_count = 0;
	ath_order_by(&joined, ATH_ASC(item, id));
	ath_select(&joined, ATH_OF(helper, ATH_COL(maker, name)));
	EXPECT_TEXT(words_of(db, &joined), "Ben,-,Cyd,Ann");
	query = items_by_id();
	ath_select(&query, ATH_COL(item, price)); /* a column is what it is, and no text */
	(void)words_of(db, &query);
	EXPECT_STATUS(db, ATH_ESQL);
	ath_clear_error(db);
	query = items_by_id();
	ath_select(&query, ATH_CAST(ATH_COL(item, price), text));
	EXPECT_TEXT(words_of(db, &query), "19.99,20.00,20.01,-3.00");
}

static void what_is_selected_fits_its_model(struct ath_session *db)
{
	struct ath_query query = ath_query(item);

	store_items();
	ath_select(&query, ATH_COL(item, title));
	EXPECT(total_all(db, &query).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "1 expressions for the 7 columns of total");
	EXPECT(item_all(db, &query).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL,
		       "a query with ath_select() is run for a model of a result, not item");
	query = ath_query(item);
	EXPECT(word_all(db, &query).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "a query for item was run as one for word");
}

/* ---- counting and single values -----------------------------------------------------------------
 */

static void counts(struct ath_session *db)
{
	struct ath_query query = items_by_id(), groups = ath_query(item);

	store_items();
	EXPECT(ath_count(db, &query) == 4);
	ath_limit(&query, 1);
	EXPECT(ath_count(db, &query) == 4);
	ath_distinct(&query);
	EXPECT(ath_count(db, &query) == 4);
	ath_select(&groups, ATH_COL(item, likes));
	EXPECT(ath_count(db, &groups) == 4);
	ath_group_by(&groups, ATH_COL(item, likes));
	EXPECT(ath_count(db, &groups) == 3);
	ath_having(&groups, ATH_EXPR(ATH_COUNT_ROWS, GT, ATH_VAL((int64_t)1)));
	EXPECT(ath_count(db, &groups) == 1);
	groups = ath_query(item);
	ath_group_by(&groups, ATH_COL(item, maker_id));
	ath_group_by(&groups, ATH_COL(item, likes));
	EXPECT(ath_count(db, &groups) == 4);
	query = items_by_id();
	ath_join(&query, item, labels);
	EXPECT(ath_count(db, &query) == 4);
	ath_distinct(&query);
	EXPECT(ath_count(db, &query) == 3);
	EXPECT_STATUS(db, ATH_OK);
}

static void one_value_of_every_aggregate(struct ath_session *db)
{
	struct ath_query query = ath_query(item), red = ath_query(item);
	int64_t count = -1, sum = -1;
	int32_t most = -1;
	int16_t grade = -1;
	double mean = -1;
	bool sold = false;
	struct ath_decimal price = ath_decimal_of(0, 0);

	store_items();
	ath_where(&red, ATH_EQ(item, shade, RED));
	EXPECT(ath_scalar(db, &query, ATH_COUNT_ROWS, &count) && count == 4);
	EXPECT(ath_scalar(db, &query, ATH_FUNC(count, ATH_COL(item, rank)), &count) && count == 3);
	EXPECT(ath_scalar(db, &query, ATH_FUNC(count, ATH_DISTINCT(ATH_COL(item, likes))),
			  &count) &&
	       count == 3);
	EXPECT(ath_scalar(db, &query, ATH_FUNC(sum, ATH_COL(item, likes)), &sum) && sum == 19);
	EXPECT(ath_scalar(db, &red, ATH_FUNC(sum, ATH_COL(item, likes)), &sum) && sum == 5);
	EXPECT(ath_scalar(db, &query, ATH_FUNC(max, ATH_COL(item, likes)), &most) && most == 7);
	EXPECT(ath_scalar(db, &query, ATH_FUNC(min, ATH_COL(item, grade)), &grade) && grade == 1);
	EXPECT(ath_scalar(db, &query, ATH_FUNC(avg, ATH_COL(item, likes)), &mean) && mean == 4.75);
	EXPECT(ath_scalar(db, &query, ATH_FUNC(sum, ATH_COL(item, price)), &price) &&
	       ath_decimal_compare(price, ath_decimal_of(57, 0)) == 0);
	EXPECT(ath_scalar(db, &red, ATH_FUNC(bool_or, ATH_COL(item, sold)), &sold) && sold);
	EXPECT(ath_scalar(db, &red, ATH_FUNC(bool_and, ATH_COL(item, sold)), &sold) && !sold);
	EXPECT_STATUS(db, ATH_OK);
}

static void one_value_of_every_type(struct ath_session *db)
{
	struct ath_query query = ath_query(item), third = ath_query(item);
	const char *text = NULL;
	struct ath_date date = { 0 };
	struct ath_timestamp moment = { 0 };
	struct ath_uuid uuid = { 0 };
	struct ath_json json = { NULL };
	struct ath_bytes bytes = { NULL, 0 };
	struct ath_text_array texts = { NULL, 0 };
	struct ath_int64_array numbers = { NULL, 0 };
	struct ath_uuid_array uuids = { NULL, 0 };

	store_items();
	ath_where(&third, ATH_EQ(item, id, 3));
	EXPECT(ath_scalar(db, &query, ATH_FUNC(max, ATH_COL(item, title)), &text));
	EXPECT_TEXT(text, "red car");
	EXPECT(ath_scalar(db, &query, ATH_FUNC(max, ATH_COL(item, made)), &date) &&
	       date.days == 19783);
	EXPECT(ath_scalar(db, &query, ATH_FUNC(max, ATH_COL(item, seen)), &moment) &&
	       moment.microseconds == INT64_C(1709287200000000));
	EXPECT(ath_scalar(db, &third, ATH_COL(item, code), &uuid) && uuid.bytes[15] == 3);
	EXPECT(ath_scalar(db, &third, ATH_FUNC(jsonb_agg, ATH_COL(item, title)), &json));
	EXPECT_TEXT(json.text, "[\"Old Chairs\"]");
	EXPECT(ath_scalar(db, &third, ATH_COL(item, image), &bytes) && bytes.length == 1 &&
	       bytes.data[0] == 3);
	EXPECT(ath_scalar(db, &third, ATH_FUNC(array_agg, ATH_COL(item, title)), &texts) &&
	       texts.count == 1);
	EXPECT_TEXT(texts.count == 1 ? texts.items[0] : "", "Old Chairs");
	EXPECT(ath_scalar(db, &third, ATH_COL(item, sizes), &numbers) && numbers.count == 1 &&
	       numbers.items[0] == 3);
	EXPECT(ath_scalar(db, &third, ATH_COL(item, parts), &uuids) && uuids.count == 2 &&
	       uuids.items[1].bytes[15] == 10);
	EXPECT_STATUS(db, ATH_OK);
}

#define EXPECT_NONE(db, query, expression, name)                                                   \
	do {                                                                                       \
		struct ath_null_##name none_;                                                      \
		bool is_none_;                                                                     \
                                                                                                   \
		memset(&none_, 1, sizeof none_);                                                   \
		is_none_ = ath_scalar(db, query, expression, &none_) && !none_.valid;              \
		expect(is_none_, "there is a " #name, __LINE__);                                   \
	} while (0)

static void no_rows_have_no_value(struct ath_session *db)
{
	struct ath_query query = ath_query(item);
	struct ath_json json = { "old" };
	const char *text = "old";
	int64_t count = 99, sum = 99;

	ath_where(&query, ATH_EQ(item, title, "secret"));
	EXPECT(ath_scalar(db, &query, ATH_COUNT_ROWS, &count) && count == 0);
	EXPECT_NONE(db, &query, ATH_FUNC(sum, ATH_COL(item, likes)), int64);
	EXPECT_NONE(db, &query, ATH_FUNC(max, ATH_COL(item, rank)), int32);
	EXPECT_NONE(db, &query, ATH_FUNC(max, ATH_COL(item, grade)), int16);
	EXPECT_NONE(db, &query, ATH_FUNC(avg, ATH_COL(item, likes)), double);
	EXPECT_NONE(db, &query, ATH_FUNC(sum, ATH_COL(item, price)), decimal);
	EXPECT_NONE(db, &query, ATH_FUNC(min, ATH_COL(item, made)), date);
	EXPECT_NONE(db, &query, ATH_FUNC(min, ATH_COL(item, seen)), timestamp);
	EXPECT_NONE(db, &query, ATH_FUNC(bool_or, ATH_COL(item, sold)), bool);
	EXPECT(ath_scalar(db, &query, ATH_FUNC(max, ATH_COL(item, title)), &text) && text == NULL);
	EXPECT(ath_scalar(db, &query, ATH_FUNC(jsonb_agg, ATH_COL(item, title)), &json) &&
	       json.text == NULL);
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(!ath_scalar(db, &query, ATH_FUNC(sum, ATH_COL(item, likes)), &sum) && sum == 0);
	EXPECT_STATUS(db, ATH_ESQL);
}

/* Without a group there is not even a row; what was there before is gone all the same. */
static void no_group_has_no_value(struct ath_session *db)
{
	struct ath_query query = ath_query(item);
	struct ath_null_int64 sum = { 7, true };
	const char *text = "old";

	ath_group_by(&query, ATH_COL(item, shade));
	EXPECT(!ath_scalar(db, &query, ATH_FUNC(sum, ATH_COL(item, likes)), &sum));
	EXPECT(!sum.valid && sum.value == 0);
	EXPECT(!ath_scalar(db, &query, ATH_FUNC(max, ATH_COL(item, title)), &text));
	EXPECT(text == NULL);
	EXPECT_STATUS(db, ATH_OK);
	ath_session_fail(db, ATH_EINVAL, "an error");
	sum = (struct ath_null_int64){ 7, true };
	EXPECT(!ath_scalar(db, &query, ATH_FUNC(sum, ATH_COL(item, likes)), &sum));
	EXPECT(!sum.valid && sum.value == 0);
}

static void a_value_is_of_an_expression_and_a_type(struct ath_session *db)
{
	struct ath_query query = ath_query(item);
	enum shade shade = BLUE;
	int16_t small = 0;

	store_items();
	EXPECT(!ath_scalar(db, &query, ATH_FUNC(max, ATH_COL(item, shade)), &shade));
	EXPECT_REFUSED(db, ATH_EINVAL, "an enum is read by a model that has its values");
	EXPECT(!ath_scalar(
		db, &query,
		ATH_EXPR(ATH_FUNC(max, ATH_COL(item, likes)), MUL, ATH_VAL((int32_t)100000)),
		&small));
	EXPECT_STATUS(db, ATH_ERULE); /* out of range */
	ath_clear_error(db);
	ath_select(&query, ATH_COL(item, title));
	EXPECT(!ath_scalar(db, &query, ATH_COUNT_ROWS, &small));
	EXPECT_REFUSED(db, ATH_EINVAL, "the query selects something already");
}

/* ---- EXPLAIN
 * ------------------------------------------------------------------------------------- */

static void explains(struct ath_session *db)
{
	struct ath_query query = items_by_id();
	const char *plan;

	store_items();
	ath_join(&query, item, maker);
	ath_where(&query, ATH_EQ(maker, name, "Ann"));
	ath_limit(&query, 3);
	plan = ath_explain(db, &query, false);
	if (EXPECT(plan != NULL)) {
		EXPECT(strstr(plan, "Limit") == plan && strstr(plan, "on makers") != NULL);
		EXPECT(strstr(plan, "actual") == NULL && strchr(plan, '\n') != NULL);
	}
	plan = ath_explain(db, &query, true);
	if (EXPECT(plan != NULL))
		EXPECT(strstr(plan, "rows=2") != NULL && strstr(plan, "Execution Time") != NULL);
	ath_lock(&query, ATH_FOR_UPDATE);
	plan = ath_explain(db, &query, true);
	if (EXPECT(plan != NULL))
		EXPECT(strstr(plan, "LockRows") != NULL);
	query = totals();
	plan = ath_explain(db, &query, false);
	if (EXPECT(plan != NULL))
		EXPECT(strstr(plan, "Aggregate") != NULL);
	EXPECT_STATUS(db, ATH_OK);
	ath_limit(&query, -1);
	EXPECT(ath_explain(db, &query, false) == NULL);
	EXPECT_REFUSED(db, ATH_EINVAL, "a limit or offset is below zero");
}

static struct scenario scenarios[] = {
	DIRECT(joins_what_a_row_belongs_to),
	DIRECT(tells_two_joins_to_one_model_apart),
	DIRECT(joins_the_one_and_the_many),
	DIRECT(joins_many_to_many),
	DIRECT(joins_from_a_join),
	DIRECT(joins_inside_a_subquery),
	DIRECT(a_join_that_leads_nowhere_is_refused),
	DIRECT(selects_aggregates),
	DIRECT(groups_have_conditions_and_an_order),
	DIRECT(orders_by_expressions),
	DIRECT(selects_enums),
	DIRECT(selects_distinct_values_of_any_type_as_text),
	DIRECT(what_is_selected_fits_its_model),
	DIRECT(counts),
	DIRECT(one_value_of_every_aggregate),
	DIRECT(one_value_of_every_type),
	DIRECT(no_rows_have_no_value),
	DIRECT(no_group_has_no_value),
	DIRECT(a_value_is_of_an_expression_and_a_type),
	DIRECT(explains),
};

int main(void)
{
	RUN_SCENARIOS(scenarios);
}
