/*
 * test_literal.c - SQL that stands in the source: what is a bind in it and what is not, how its
 * rows become structs, and when it may write.
 */
#include "items.h"

struct pick {
	int64_t id;
	const char *title;
	struct ath_null_int32 rank;
};
ATH_LIST_(pick)
ATH_DECLARE_READING_(pick)

ATH_MODEL_RESULT(pick, ATH_COLUMN(pick, id), ATH_COLUMN(pick, title), ATH_COLUMN(pick, rank));

struct word {
	const char *word;
};
ATH_LIST_(word)
ATH_DECLARE_READING_(word)

ATH_MODEL_RESULT(word, ATH_COLUMN(word, word, .nullable = true));

struct shaded {
	enum shade shade;
	struct ath_null_enum edge;
};
ATH_LIST_(shaded)
ATH_DECLARE_READING_(shaded)

ATH_MODEL_RESULT(shaded, ATH_COLUMN(shaded, shade, SHADES), ATH_COLUMN(shaded, edge, SHADES));

/* Its column has another name than its member. */
struct renamed {
	int64_t number;
};
ATH_LIST_(renamed)
ATH_DECLARE_READING_(renamed)

ATH_MODEL_RESULT(renamed, ATH_COLUMN(renamed, number, .column = "how_many"));

/* The one word of a list, or "" for none; an error's message. */
static const char *only(const struct ath_session *db, struct word_list list)
{
	if (ath_session_error(db) != NULL)
		return ath_session_error(db)->message;
	return list.count != 1 ? "" : list.items[0]->word == NULL ? "NULL" : list.items[0]->word;
}

#define EXPECT_WORD(db, expected, ...)                                                             \
	EXPECT_TEXT(only(db, ath_sql(db, word, __VA_ARGS__)), expected)

/* ---- binds -------------------------------------------------------------------------------------
 */

static void names_stand_for_values(struct ath_session *db)
{
	const bool yes = true, no = false;

	EXPECT_WORD(db, "Ada", "select :name as word", ATH_BIND("name", "Ada"));
	EXPECT_WORD(db, "', :b; --", "select :a || '' as word", ATH_BIND("a", "', :b; --"));
	EXPECT_WORD(db, "ab", "select :a || :ab as word", ATH_BIND("ab", "b"), ATH_BIND("a", "a"));
	EXPECT_WORD(db, "xx", "select :a || :a as word", ATH_BIND("a", "x"));
	/* one parameter, so that the server takes the two for the same */
	EXPECT_WORD(db, "x1",
		    "select :a || n as word from generate_series(1, 1) n group by :a || n",
		    ATH_BIND("a", "x"));
	EXPECT_WORD(db, "7", "select (:n + :_m1)::text as word", ATH_BIND("n", (int32_t)3),
		    ATH_BIND("_m1", (int64_t)4));
	EXPECT_WORD(db, "no binds", "select 'no binds' as word");
	EXPECT_WORD(db, "yes", "select 'yes' as word where :t and not:f", ATH_BIND("t", yes),
		    ATH_BIND("f", no));
	EXPECT_STATUS(db, ATH_OK);
}

/* The text of every type, as the server has understood it. */
static void binds_every_type(struct ath_session *db)
{
	const struct ath_bytes bytes = { (const unsigned char *)"\0\377", 2 };
	const struct ath_text_array texts = { (const char *const[]){ "a b", NULL, "\"" }, 3 };
	const struct ath_int64_array numbers = { (const int64_t[]){ 1, -2 }, 2 };
	const struct ath_uuid_array uuids = { (const struct ath_uuid[]){ uuid_of(1) }, 1 };
	const struct ath_json json = { "{\"a\": 1}" };

	EXPECT_WORD(db, "-32768", "select (:v)::text as word", ATH_BIND("v", (int16_t)INT16_MIN));
	EXPECT_WORD(db, "2147483647", "select (:v)::text as word", ATH_BIND("v", INT32_MAX));
	EXPECT_WORD(db, "-9223372036854775808", "select (:v)::text as word",
		    ATH_BIND("v", (int64_t)INT64_MIN));
	EXPECT_WORD(db, "0.1", "select (:v)::text as word", ATH_BIND("v", 0.1));
	EXPECT_WORD(db, "-12.50", "select (:v)::text as word",
		    ATH_BIND("v", ath_decimal_of(-1250, 2)));
	EXPECT_WORD(db, "2024-02-01", "select (:v)::text as word",
		    ATH_BIND("v", (struct ath_date){ 19754 }));
	EXPECT_WORD(db, "1970-01-01 00:00:00.000001",
		    "select (:v at time zone 'UTC')::text as word",
		    ATH_BIND("v", (struct ath_timestamp){ 1 }));
	EXPECT_WORD(db, "00000000-0000-0000-0000-00000000000a", "select (:v)::text as word",
		    ATH_BIND("v", uuid_of(10)));
	EXPECT_WORD(db, "\\x00ff", "select (:v)::text as word", ATH_BIND("v", bytes));
	EXPECT_WORD(db, "1", "select :v::jsonb ->> 'a' as word", ATH_BIND("v", json));
	EXPECT_WORD(db, "{\"a b\",NULL,\"\\\"\"}", "select (:v)::text as word",
		    ATH_BIND("v", texts));
	EXPECT_WORD(db, "{1,-2}", "select (:v)::text as word", ATH_BIND("v", numbers));
	EXPECT_WORD(db, "{00000000-0000-0000-0000-000000000001}", "select (:v)::text as word",
		    ATH_BIND("v", uuids));
	EXPECT_STATUS(db, ATH_OK);
}

static void binds_null(struct ath_session *db)
{
	const char *none = NULL;

	store_items();
	EXPECT_WORD(db, "NULL", "select :v::text as word", ATH_BIND("v", none));
	EXPECT_WORD(db, "4", "select count(*)::text as word from items where :v::bigint is null",
		    ATH_BIND("v", none));
	EXPECT_WORD(db, "4",
		    "select count(*)::text as word from items where :nick::text is null or "
		    "nick = :nick",
		    ATH_BIND("nick", none));
	EXPECT_WORD(db, "1",
		    "select count(*)::text as word from items where :nick::text is null or "
		    "nick = :nick",
		    ATH_BIND("nick", "seat"));
	EXPECT_WORD(db, "NULL", "select (:v)::text as word",
		    ATH_BIND("v", ((struct ath_text_array){ NULL, 0 })));
	EXPECT_STATUS(db, ATH_OK);
}

/* ---- what is no bind
 * ----------------------------------------------------------------------------- */

static void colons_in_quotes_are_no_binds(struct ath_session *db)
{
	EXPECT_WORD(db, ":a:b", "select ':a' || ':' || 'b' as word");
	EXPECT_WORD(db, "it's :a", "select 'it''s :a' as word");
	EXPECT_WORD(db, "1", "select \":a\"::text as word from (select 1 as \":a\") as \"q:r\"");
	EXPECT_WORD(db, "\\:a", "select '\\' || ':a' as word");
	EXPECT_WORD(db, "':a", "select E'\\':a' as word");
	EXPECT_WORD(db, "\\b", "select e'\\\\' || :a as word", ATH_BIND("a", "b"));
	EXPECT_STATUS(db, ATH_OK);
}

static void colons_in_dollars_are_no_binds(struct ath_session *db)
{
	EXPECT_WORD(db, ":a ' b", "select $$:a ' $$ || :b as word", ATH_BIND("b", "b"));
	EXPECT_WORD(db, ":a $$ $x$ 'b", "select $tag$:a $$ $x$ '$tag$ || :b as word",
		    ATH_BIND("b", "b"));
	EXPECT_WORD(db, "b", "select a$b$ || :c as word from (select '' as a$b$) as q",
		    ATH_BIND("c", "b"));
	EXPECT_STATUS(db, ATH_OK);
}

static void colons_in_comments_are_no_binds(struct ath_session *db)
{
	EXPECT_WORD(db, "ab", "select 'a' -- :x '\n || :b as word", ATH_BIND("b", "b"));
	EXPECT_WORD(db, "ab", "select 'a' /* :x ' /* :y */ :z */ || :b as word",
		    ATH_BIND("b", "b"));
	EXPECT_WORD(db, "b", "select :b as word -- the end :x", ATH_BIND("b", "b"));
	EXPECT_WORD(db, "-1", "select (8 / 4 - :a)::text as word", ATH_BIND("a", (int32_t)3));
	EXPECT_STATUS(db, ATH_OK);
}

static void casts_and_slices_are_no_binds(struct ath_session *db)
{
	EXPECT_WORD(db, "12", "select :a::integer::text||2 as word", ATH_BIND("a", "1"));
	EXPECT_WORD(db, "{b,c}", "select ((array['a', 'b', 'c'])[2:3])::text as word");
	EXPECT_WORD(db, "{a,b}", "select ((array['a', 'b', 'c'])[:2])::text as word");
	EXPECT_WORD(db, "{b,c}", "select ((array['a', 'b', 'c'])[:n :])::text as word",
		    ATH_BIND("n", (int32_t)2));
	EXPECT_WORD(db, "2024-05-06",
		    "select make_date(year := :y, month := 5, day := 6)::text as word",
		    ATH_BIND("y", (int32_t)2024));
	EXPECT_STATUS(db, ATH_OK);
}

static void binds_and_names_fit_together(struct ath_session *db)
{
	(void)ath_sql(db, word, "select :name as word");
	EXPECT_REFUSED(db, ATH_EINVAL, "there is no ATH_BIND for :name");
	(void)ath_sql(db, word, "select :names as word", ATH_BIND("name", "secret"));
	EXPECT_REFUSED(db, ATH_EINVAL, "there is no ATH_BIND for :names");
	(void)ath_sql(db, word, "select :name as word", ATH_BIND("name", "secret"),
		      ATH_BIND("other", "secret"));
	EXPECT_REFUSED(db, ATH_EINVAL, ":other is bound and stands nowhere");
	(void)ath_sql(db, word, "select ':name' as word", ATH_BIND("name", "secret"));
	EXPECT_REFUSED(db, ATH_EINVAL, ":name is bound and stands nowhere");
	(void)ath_sql(db, word, "select $1 as word", ATH_BIND("name", "secret"));
	EXPECT_REFUSED(db, ATH_EINVAL, "a value stands in literal SQL as :name, not as $1");
	(void)ath_sql(db, shaded, "select :shade as shade, null::text as edge",
		      ATH_BIND("shade", (enum shade)RED));
	EXPECT_REFUSED(db, ATH_EINVAL, "an enum is bound as its text: :shade");
	EXPECT(ath_execute(db, "delete from items where id = :id") == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "there is no ATH_BIND for :id");
}

/* ---- rows
 * ---------------------------------------------------------------------------------------- */

static void reads_results(struct ath_session *db)
{
	struct pick_list list;
	struct shaded_list shaded;
	struct renamed_list renamed;

	store_items();
	list = ath_sql(
		db, pick,
		"select id, title, rank from items where rank > :low or id = :id order by id",
		ATH_BIND("low", (int32_t)10), ATH_BIND("id", (int64_t)4));
	EXPECT_STATUS(db, ATH_OK);
	if (EXPECT(list.count == 3)) {
		EXPECT(list.items[0]->id == 2 && list.items[0]->rank.value == 20);
		EXPECT_TEXT(list.items[1]->title, "Old Chairs");
		EXPECT(list.items[2]->id == 4 && !list.items[2]->rank.valid);
	}
	list = ath_sql(db, pick, "select id, title, rank from items where false");
	EXPECT(list.count == 0);
	shaded = ath_sql(db, shaded, "select shade, edge from items order by id");
	EXPECT(shaded.count == 4 && shaded.items[0]->shade == RED &&
	       shaded.items[0]->edge.value == BLUE && !shaded.items[1]->edge.valid);
	renamed = ath_sql(db, renamed, "select count(*) as how_many from items");
	EXPECT(renamed.count == 1 && renamed.items[0]->number == 4);
	/* an integer fits where it has room */
	list = ath_sql(db, pick,
		       "select 1::smallint as id, 'x'::varchar as title, 3::bigint as rank");
	EXPECT(list.count == 1 && list.items[0]->id == 1 && list.items[0]->rank.value == 3);
	EXPECT_STATUS(db, ATH_OK);
}

static void rows_of_a_table_are_the_sessions_own(struct ath_session *db)
{
	struct ath_query query = items_by_id();
	struct maker_list makers;
	struct item *item;
	struct item_list list;

	store_items();
	item = item_get(db, 2);
	list = ath_sql(db, item, "select * from items where id <= :most order by id desc",
		       ATH_BIND("most", (int64_t)2));
	EXPECT_STATUS(db, ATH_OK);
	if (EXPECT(list.count == 2))
		EXPECT(list.items[0] == item && list.items[1] == item_first(db, &query));
	makers = ath_sql(db, maker, "select id, name, boss_id from makers where name ~ :re",
			 ATH_BIND("re", "^A"));
	if (EXPECT(makers.count == 1))
		makers.items[0]->name = "Anna";
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select name from makers where id = 1"), "Anna");
	EXPECT_STATUS(db, ATH_OK);
}

/* What is pending goes first, so that the SQL meets it. */
static void flushes_before_it_asks(struct ath_session *db)
{
	struct maker *maker = maker_new(db);

	maker->name = "Eve";
	maker_add(db, maker);
	EXPECT_WORD(db, "Eve", "select name as word from makers");
	EXPECT(ath_execute(db, "update makers set name = name || '!'") == 1);
	EXPECT_WORD(db, "Eve!", "select name as word from makers");
	EXPECT_STATUS(db, ATH_OK);
}

static void columns_fit_their_model(struct ath_session *db)
{
	EXPECT(ath_sql(db, pick, "select 1::bigint as id, 'secret' as title").count == 0);
	EXPECT_REFUSED(db, ATH_ESQL, "2 columns came where 3 were asked for");
	EXPECT(ath_sql(db, pick, "select 1::bigint as id, 'secret' as title, 1 as rank, 2 as more")
		       .count == 0);
	EXPECT_REFUSED(db, ATH_ESQL, "4 columns came where 3 were asked for");
	EXPECT(ath_sql(db, pick, "select 1::bigint as id, 1 as rank, 'secret' as title").count ==
	       0);
	EXPECT_REFUSED(db, ATH_EINVAL,
		       "column 2 of the result is called rank, and in pick it is title");
	EXPECT(ath_sql(db, word, "select 'secret'").count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL,
		       "column 1 of the result is called ?column?, and in word it is word");
	EXPECT(ath_sql(db, pick, "select 'secret'::text as id, 'x' as title, 1 as rank").count ==
	       0);
	EXPECT_REFUSED(db, ATH_ESQL,
		       "column id has another type in the database (oid 25) than in the model");
	EXPECT(ath_sql(db, pick, "select 1.5 as id, 'x' as title, 1 as rank where false").count ==
	       0);
	EXPECT_REFUSED(db, ATH_ESQL,
		       "column id has another type in the database (oid 1700) than in the model");
	EXPECT(ath_sql(db, pick, "select null::bigint as id, 'secret' as title, 1 as rank").count ==
	       0);
	EXPECT_REFUSED(db, ATH_ESQL, "column id is NULL, and its member cannot be");
	EXPECT(ath_sql(db, pick, "select 1 as id, 'x' as title, 3000000000 as rank").count == 0);
	EXPECT_REFUSED(db, ATH_ESQL, "a value of column rank does not fit its member");
	EXPECT(ath_sql(db, shaded, "select 'secret' as shade, null::text as edge").count == 0);
	EXPECT_REFUSED(db, ATH_ESQL, "a value of column shade does not fit its member");
	EXPECT(ath_sql(db, word, "select 1 as word; select 2 as word").count == 0);
	EXPECT_STATUS(db, ATH_ESQL);
	ath_clear_error(db);
	EXPECT(ath_sql(db, word, "").count == 0);
	EXPECT_STATUS(db, ATH_ESQL);
}

/* ---- when it may write
 * --------------------------------------------------------------------------- */

static void outside_a_transaction_it_only_reads(struct ath_session *db)
{
	store_items();
	EXPECT(ath_sql(db, word, "delete from items returning title as word").count == 0);
	EXPECT_STATUS(db, ATH_EREADONLY);
	ath_clear_error(db);
	EXPECT(ath_sql(db, word,
		       "with gone as (delete from items returning title) select title as word from "
		       "gone")
		       .count == 0);
	EXPECT_STATUS(db, ATH_EREADONLY);
	ath_clear_error(db);
	EXPECT(ath_sql(db, renamed, "select setval('items_id_seq', 77) as how_many").count == 0);
	EXPECT_STATUS(db, ATH_EREADONLY);
	ath_clear_error(db);
	EXPECT_NUMBER("select count(*) from items", 4);
}

static void inside_one_it_writes(struct ath_session *db)
{
	struct word_list list;

	store_items();
	EXPECT(ath_begin(db));
	list = ath_sql(db, word, "delete from items where id > :id returning title as word",
		       ATH_BIND("id", (int64_t)2));
	EXPECT(list.count == 2);
	ath_rollback(db);
	EXPECT_NUMBER("select count(*) from items", 4);
	EXPECT(ath_begin(db));
	EXPECT_WORD(db, "%_\\",
		    "with gone as (delete from items where id = 4 returning title) "
		    "select title as word from gone");
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from items", 3);
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(ath_begin(db));
	EXPECT(ath_sql(db, word, "delete from items").count == 0); /* it gives no columns */
	EXPECT_STATUS(db, ATH_ESQL);
	EXPECT(!ath_commit(db));
	EXPECT_NUMBER("select count(*) from items", 3);
}

static void executes(struct ath_session *db)
{
	store_items();
	EXPECT(ath_execute(db, "update items set likes = likes + :more where shade = :shade",
			   ATH_BIND("more", (int32_t)100), ATH_BIND("shade", "red")) == 2);
	EXPECT(ath_execute(db, "insert into labels (word) select 'w' || n from "
			       "generate_series(1, 5) n") == 5);
	EXPECT(ath_execute(db, "delete from items where false") == 0);
	EXPECT(ath_execute(db, "create temporary table passing (id integer) on commit drop") == 0);
	EXPECT(ath_session_is_uncommitted(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_NUMBER("select count(*) from items where likes >= 100", 0);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from items where likes >= 100", 2);
	EXPECT_NUMBER("select count(*) from labels", 8);
	EXPECT(ath_execute(db, "delete from item_labels") == 4);
	ath_rollback(db);
	EXPECT_NUMBER("select count(*) from item_labels", 4);
	EXPECT(ath_execute(db, "delete from item_labels") == 4); /* closing rolls back */
	EXPECT_STATUS(db, ATH_OK);
}

static void without_a_commit_nothing_is_stored(struct ath_session *db)
{
	struct ath_session *other = open_session(0);

	(void)db;
	store_items();
	EXPECT(ath_execute(other, "delete from item_labels") == 4);
	EXPECT_STATUS(other, ATH_OK);
	ath_session_close(&other);
	EXPECT_NUMBER("select count(*) from item_labels", 4);
}

static void an_error_poisons_the_transaction(struct ath_session *db)
{
	store_items();
	EXPECT(ath_execute(db, "update items set likes = 0") == 4);
	EXPECT(ath_execute(db, "update items set likes = 1 / (id - 3)") == 0);
	EXPECT_STATUS(db, ATH_ERULE);
	EXPECT_TEXT(db->error.sqlstate, "22012");
	EXPECT(ath_execute(db, "update items set likes = 5") == 0);
	EXPECT(ath_sql(db, word, "select 'x' as word").count == 0);
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_ERULE); /* the first one stays */
	EXPECT_NUMBER("select count(*) from items where likes = 0", 1);
	ath_clear_error(db);
	EXPECT(ath_execute(db, "update items set likes = 6") == 4);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from items where likes = 6", 4);
}

/* A rule of the text is found by the server, whose words it then is. */
static void mistakes_in_the_sql_are_told(struct ath_session *db)
{
	EXPECT(ath_execute(db, "update nothing set a = :a", ATH_BIND("a", "secret")) == 0);
	EXPECT_STATUS(db, ATH_ESQL);
	EXPECT_TEXT(db->error.sqlstate, "42P01");
	EXPECT(strstr(db->error.message, "secret") == NULL);
	ath_clear_error(db);
	EXPECT(ath_execute(db, "select 1 / :zero", ATH_BIND("zero", (int32_t)0)) == 0);
	EXPECT_STATUS(db, ATH_ERULE);
}

static struct scenario scenarios[] = {
	DIRECT(names_stand_for_values),
	DIRECT(binds_every_type),
	DIRECT(binds_null),
	DIRECT(colons_in_quotes_are_no_binds),
	DIRECT(colons_in_dollars_are_no_binds),
	DIRECT(colons_in_comments_are_no_binds),
	DIRECT(casts_and_slices_are_no_binds),
	DIRECT(binds_and_names_fit_together),
	DIRECT(reads_results),
	DIRECT(rows_of_a_table_are_the_sessions_own),
	DIRECT(flushes_before_it_asks),
	DIRECT(columns_fit_their_model),
	DIRECT(outside_a_transaction_it_only_reads),
	DIRECT(inside_one_it_writes),
	DIRECT(executes),
	DIRECT(without_a_commit_nothing_is_stored),
	DIRECT(an_error_poisons_the_transaction),
	DIRECT(mistakes_in_the_sql_are_told),
};

int main(void)
{
	RUN_SCENARIOS(scenarios);
}
