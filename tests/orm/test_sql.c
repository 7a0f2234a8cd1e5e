/* test_sql.c - the text of what writes: rows one by one and many at once, and all of a query. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql_text.h"

struct bare {
	int32_t id;
};
ATH_LIST_(bare)
ATH_MODEL(bare, "bares", ATH_COLUMN(bare, id, .primary_key = true));

/* What a server fills in of every kind, and a name of its own for each. */
struct parcel {
	int64_t number;
	struct ath_uuid id;
	const char *code;
	int32_t weight;
	struct ath_timestamp sent_at;
	struct ath_decimal fee;
	int32_t version;
};
ATH_LIST_(parcel)
ATH_MODEL(parcel, "shelf.parcels", ATH_COLUMN(parcel, number, .column = "no", .identity = true),
	  ATH_COLUMN(parcel, id, .primary_key = true, .server_default = "gen_random_uuid()"),
	  ATH_COLUMN(parcel, code, .column = "label", .unique = true),
	  ATH_COLUMN(parcel, weight, .column = "grams"),
	  ATH_COLUMN(parcel, sent_at, .column = "sent", .server_default = "now()"),
	  ATH_COLUMN(parcel, fee, .column = "costs", .precision = 6, .scale = 2),
	  ATH_COLUMN(parcel, version, .column = "v", .version = true));

static struct ath_query query; /* of a test */

static int create_more_tables(void **state)
{
	static const struct ath_model *const more[] = { &bare_model, &parcel_model };

	if (create_tables(state) != 0 || ath_arena_open(&arena, 0) != ATH_OK)
		return -1;
	for (size_t i = 0; i < ATH_COUNT(more); i++) {
		ath_sql_open(&sql, arena);
		ath_sql_create_table(&sql, more[i], all_exist, NULL);
		if (ath_sql_finish(&sql, &statement) != ATH_OK)
			return -1;
		run_sql(statement.text);
	}
	ath_arena_close(&arena);
	return 0;
}

/* ---- insert --------------------------------------------------------------------------------- */

static void test_insert(void **state)
{
	struct person person = { .name = "Ada", .email = "a@x" };

	(void)state;
	ath_sql_insert(&sql, &person_model, &person);
	EXPECT_SQL("INSERT INTO \"people\" (\"name\", \"email\", \"nick\", \"age\") "
		   "VALUES ($1, $2, $3, $4) RETURNING \"id\", \"score\", \"born\"",
		   "'Ada' 'a@x' NULL NULL");
	person.id = 7;
	person.nick = "a";
	person.age = (struct ath_null_int32){ 0, true };
	person.score = (struct ath_null_int32){ 3, true };
	person.born.microseconds = 5; /* the database's alone */
	ath_sql_insert(&sql, &person_model, &person);
	EXPECT_SQL("INSERT INTO \"people\" (\"id\", \"name\", \"email\", \"nick\", \"age\", "
		   "\"score\") VALUES ($1, $2, $3, $4, $5, $6) RETURNING \"born\"",
		   "7 'Ada' 'a@x' 'a' 0 3");
}

static void test_insert_of_nothing_but_defaults(void **state)
{
	struct bare bare = { 0 };

	(void)state;
	ath_sql_insert(&sql, &bare_model, &bare);
	EXPECT_SQL("INSERT INTO \"bares\" DEFAULT VALUES RETURNING \"id\"", "");
	bare.id = -1;
	ath_sql_insert(&sql, &bare_model, &bare);
	EXPECT_SQL("INSERT INTO \"bares\" (\"id\") VALUES ($1)", "-1");
}

static void test_insert_with_a_key_of_ones_own(void **state)
{
	struct ticket ticket = { .code = "a", .seat = 0 };
	struct book_label link = { .book_id = 0, .label_id = 8 };

	(void)state;
	ath_sql_insert(&sql, &ticket_model, &ticket);
	EXPECT_SQL("INSERT INTO \"tickets\" (\"code\", \"seat\") VALUES ($1, $2)", "'a' 0");
	/* the parts of a key of several columns are none that the database counts */
	ath_sql_insert(&sql, &book_label_model, &link);
	EXPECT_SQL("INSERT INTO \"shelf\".\"book_labels\" (\"book_id\", \"label_id\") VALUES ($1, "
		   "$2)",
		   "0 8");
}

/* An identity and a generated column are never sent; a default is when there is no value. */
static void test_insert_with_what_the_database_makes(void **state)
{
	struct edition edition = { .book_id = 1, .number = 2, .version = 1 };
	struct parcel parcel = { .code = "a", .fee = { .low = 5 } };

	(void)state;
	ath_sql_insert(&sql, &edition_model, &edition);
	EXPECT_SQL("INSERT INTO \"editions\" (\"book_id\", \"number\", \"printed\", \"version\") "
		   "VALUES ($1, $2, $3, $4) RETURNING \"twice\", \"note\"",
		   "1 2 0 1");
	edition.twice = (struct ath_null_int64){ 9, true };
	edition.note = "n";
	ath_sql_insert(&sql, &edition_model, &edition);
	EXPECT_SQL("INSERT INTO \"editions\" (\"book_id\", \"number\", \"printed\", \"version\", "
		   "\"note\") VALUES ($1, $2, $3, $4, $5) RETURNING \"twice\"",
		   "1 2 0 1 'n'");
	parcel.number = 5;
	ath_sql_insert(&sql, &parcel_model, &parcel);
	EXPECT_SQL("INSERT INTO \"shelf\".\"parcels\" (\"label\", \"grams\", \"costs\", \"v\") "
		   "VALUES ($1, $2, $3, $4) RETURNING \"no\", \"id\", \"sent\"",
		   "'a' 0 5 0");
}

/* Enums go as texts, and what is no NULL is an array of none. */
static void test_insert_of_every_type(void **state)
{
	struct book book = { .title = "t", .genre = ESSAY, .price = ath_decimal_of(5, 1) };

	(void)state;
	book.data.text = "{}";
	book.in_print = true;
	ath_sql_insert(&sql, &book_model, &book);
	EXPECT_SQL("INSERT INTO \"books\" (\"author_id\", \"edited_by\", \"title\", \"genre\", "
		   "\"second_genre\", \"price\", \"pages\", \"weight\", \"in_print\", \"sold_at\", "
		   "\"data\", \"tags\", \"prizes\", \"copies\", \"cover\") VALUES ($1, $2, $3, $4, "
		   "$5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING \"id\"",
		   "0 NULL 't' 'essay' NULL 0.5 0 0 true NULL '{}' NULL [0] [0] NULL");
}

static void test_values_that_do_not_fit(void **state)
{
	struct book book = { .title = "t", .genre = (enum genre)3 }, old = book;

	(void)state;
	ath_sql_insert(&sql, &book_model, &book);
	assert_int_equal(ath_sql_finish(&sql, &statement), ATH_ERULE);
	assert_string_equal(sql.error.column, "genre");
	EXPECT_NO_SQL(ATH_ERULE, "genre is none of the values of its enum");
	book.genre = NOVEL;
	book.price = ath_decimal_of(1995, 3); /* 1.995 in a column of two digits */
	ath_sql_insert(&sql, &book_model, &book);
	assert_int_equal(ath_sql_finish(&sql, &statement), ATH_ERULE);
	assert_string_equal(sql.error.column, "price");
	EXPECT_NO_SQL(ATH_ERULE, "more digits behind the point than its scale of 2");
	ath_sql_update(&sql, &book_model, &book, &old, false);
	EXPECT_NO_SQL(ATH_ERULE, "more digits behind the point");
	book.price = ath_decimal_of(1990, 3); /* the zero says nothing */
	old = book;
	old.title = "";
	ath_sql_update(&sql, &book_model, &book, &old, false);
	EXPECT_SQL("UPDATE \"books\" SET \"title\" = $1 WHERE \"id\" = $2", "'t' 0");
	ath_sql_insert(&sql, &book_model, &book);
	assert_int_equal(ath_sql_finish(&sql, &statement), ATH_OK);
}

static struct ath_shaped shaped_insert(const struct ath_model *model, const void *object)
{
	struct ath_shaped shaped = { .columns = ath_sql_insert_columns(arena, model, object,
								       &shaped.new_count) };

	ath_sql_insert(&sql, model, object);
	assert_int_equal(ath_sql_finish(&sql, &shaped.statement), ATH_OK);
	assert_int_equal(shaped.new_count, shaped.statement.param_count);
	ath_sql_open(&sql, arena);
	return shaped;
}

static void test_insert_of_a_shape(void **state)
{
	struct person first = { .name = "Ada", .email = "a@x" };
	struct person second = { .name = "Bea", .email = "b@x", .nick = "b", .age = { 7, true } };
	struct ath_shaped shaped = shaped_insert(&person_model, &first);

	(void)state;
	assert_int_equal(ath_sql_fill(&sql, &shaped, &second, NULL, &statement), ATH_OK);
	assert_ptr_equal(statement.text, shaped.statement.text);
	assert_int_equal(statement.hash, shaped.statement.hash);
	assert_string_equal(params(), "'Bea' 'b@x' 'b' 7");
	statement = shaped.statement;
	assert_string_equal(params(), "'Ada' 'a@x' NULL NULL");
}

static void test_insert_of_a_shape_refuses_as_insert_does(void **state)
{
	struct book first = { .title = "t" }, second = { .title = "t", .genre = (enum genre)9 };
	struct ath_shaped shaped = shaped_insert(&book_model, &first);

	(void)state;
	assert_int_equal(ath_sql_fill(&sql, &shaped, &second, NULL, &statement), ATH_ERULE);
}

/* ---- update and delete ---------------------------------------------------------------------- */

/* The values of what changed are the object's; which row it is says what was read. */
static void test_update_of_a_shape(void **state)
{
	struct parcel old = { .id = { { 1 } }, .code = "a", .weight = 5, .version = 1 };
	struct parcel parcel = old, other = old, other_old = old;
	struct ath_shaped shaped = { 0 };

	(void)state;
	parcel.weight = 6;
	parcel.version = 2;
	ath_sql_update(&sql, &parcel_model, &parcel, &old, true);
	assert_int_equal(ath_sql_finish(&sql, &shaped.statement), ATH_OK);
	shaped.columns =
		ath_sql_update_columns(arena, &parcel_model, &parcel, &old, &shaped.new_count);
	assert_int_equal(shaped.new_count, 2);
	other_old.id.bytes[0] = 9;
	other_old.version = 7;
	other = other_old;
	other.weight = 60;
	other.version = 8;
	ath_sql_open(&sql, arena);
	assert_int_equal(ath_sql_fill(&sql, &shaped, &other, &other_old, &statement), ATH_OK);
	assert_ptr_equal(statement.text, shaped.statement.text);
	assert_string_equal(params(), "60 8 uuid 7");
	assert_int_equal(statement.params[2].as.uuid.bytes[0], 9);
}

static void test_update_of_what_changed(void **state)
{
	struct person old = { .id = 7, .name = "Ada", .email = "a@x", .age = { 36, true } };
	struct person person = old;

	(void)state;
	person.name = "Bea";
	ath_sql_update(&sql, &person_model, &person, &old, false);
	EXPECT_SQL("UPDATE \"people\" SET \"name\" = $1 WHERE \"id\" = $2", "'Bea' 7");
	person.name = old.name;
	person.nick = "b";
	person.age.valid = false;
	person.born.microseconds = 1;
	ath_sql_update(&sql, &person_model, &person, &old, false);
	EXPECT_SQL("UPDATE \"people\" SET \"nick\" = $1, \"age\" = $2 WHERE \"id\" = $3",
		   "'b' NULL 7");
}

static void test_update_of_the_key_is_refused(void **state)
{
	struct ticket old = { .code = "a", .seat = 1 }, ticket = { .code = "b", .seat = 1 };
	struct edition first = { .book_id = 1, .number = 1 },
		       second = { .book_id = 1, .number = 2 };

	(void)state;
	ath_sql_update(&sql, &ticket_model, &ticket, &old, false);
	EXPECT_NO_SQL(ATH_EINVAL, "tickets.code");
	ath_sql_update(&sql, &edition_model, &second, &first, true);
	EXPECT_NO_SQL(ATH_EINVAL, "editions.number");
}

/* The version that was read is what the row must still have. */
static void test_update_with_a_version(void **state)
{
	struct edition old = { .book_id = 1, .number = 2, .printed = 3, .version = 4 };
	struct edition edition = old;

	(void)state;
	edition.printed = 30;
	edition.version = 5;
	edition.twice = (struct ath_null_int64){ 60, true }; /* the database's */
	ath_sql_update(&sql, &edition_model, &edition, &old, false);
	EXPECT_SQL("UPDATE \"editions\" SET \"printed\" = $1, \"version\" = $2 WHERE \"book_id\" = "
		   "$3 AND \"number\" = $4 AND \"version\" = $5 RETURNING \"twice\"",
		   "30 5 1 2 4");
	ath_sql_delete(&sql, &edition_model, &old, false);
	EXPECT_SQL("DELETE FROM \"editions\" WHERE \"book_id\" = $1 AND \"number\" = $2 AND "
		   "\"version\" = $3",
		   "1 2 4");
}

static void test_names_of_columns(void **state)
{
	struct parcel old = { .id = { { 1 } }, .code = "a", .version = 1 }, parcel = old;

	(void)state;
	parcel.code = "b";
	parcel.weight = 3;
	parcel.version = 2;
	parcel.sent_at.microseconds = 9;
	ath_sql_update(&sql, &parcel_model, &parcel, &old, false);
	EXPECT_SQL(
		"UPDATE \"shelf\".\"parcels\" SET \"label\" = $1, \"grams\" = $2, \"sent\" = $3, "
		"\"v\" = $4 WHERE \"id\" = $5 AND \"v\" = $6",
		"'b' 3 9 2 uuid 1");
}

static void test_delete_and_guard(void **state)
{
	struct ticket old = { .code = "a", .seat = 1 }, ticket = { .code = "a", .seat = 2 };

	(void)state;
	ath_sql_delete(&sql, &ticket_model, &old, false);
	EXPECT_SQL("DELETE FROM \"tickets\" WHERE \"code\" = $1", "'a'");
	ath_sql_delete(&sql, &ticket_model, &old, true);
	EXPECT_SQL("WITH met AS (DELETE FROM \"tickets\" WHERE \"code\" = $1 RETURNING 1) "
		   "SELECT 1 / count(*) FROM met",
		   "'a'");
	ath_sql_update(&sql, &ticket_model, &ticket, &old, true);
	EXPECT_SQL("WITH met AS (UPDATE \"tickets\" SET \"seat\" = $1 WHERE \"code\" = $2 "
		   "RETURNING 1) SELECT 1 / count(*) FROM met",
		   "2 'a'");
}

/* What the database computes comes back through the guard, which fails when no row is met. */
static void test_guard_with_generated_columns(void **state)
{
	struct edition old = { .book_id = 1, .number = 2, .version = 1 }, edition = old;
	PGresult *result;
	char text[512];

	(void)state;
	edition.printed = 30;
	edition.version = 2;
	ath_sql_update(&sql, &edition_model, &edition, &old, true);
	EXPECT_SQL("WITH met AS (UPDATE \"editions\" SET \"printed\" = $1, \"version\" = $2 WHERE "
		   "\"book_id\" = $3 AND \"number\" = $4 AND \"version\" = $5 RETURNING \"twice\") "
		   "SELECT met.* FROM (SELECT 1 / count(*) AS one FROM met) AS guard "
		   "LEFT JOIN met ON guard.one = 1",
		   "30 2 1 2 1");
	snprintf(text, sizeof text, "%s", statement.text);
	run_sql("begin; insert into authors (id, name, born) values (1, 'a', now());"
		"insert into books (id, author_id, title, genre, price, pages, weight, in_print, "
		"data,"
		" prizes, copies) values (1, 1, 't', 'poem', 1, 1, 1, true, '{}', '{}', '{}');"
		"insert into editions (book_id, number, printed, version) values (1, 2, 3, 1)");
	for (int round = 0; round < 2; round++) { /* the second finds another version */
		static const char *const values[] = { "30", "2", "1", "2", "1" };

		result = PQexecParams(control, text, 5, NULL, values, NULL, NULL, 0);
		if (round == 0) {
			assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
			assert_int_equal(PQntuples(result), 1);
			assert_string_equal(PQgetvalue(result, 0, 0), "60");
		} else {
			assert_string_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "22012");
		}
		PQclear(result);
	}
	run_sql("rollback");
}

/* ---- upsert --------------------------------------------------------------------------------- */

static void test_upsert(void **state)
{
	struct person person = { .name = "Ada", .email = "a@x" };

	(void)state;
	ath_sql_upsert(&sql, &person_model, &person, ATH_ON(person, email));
	EXPECT_SQL(
		"INSERT INTO \"people\" (\"name\", \"email\", \"nick\", \"age\") VALUES ($1, $2, "
		"$3, $4) ON CONFLICT (\"email\") DO UPDATE SET \"name\" = EXCLUDED.\"name\", "
		"\"nick\" = EXCLUDED.\"nick\", \"age\" = EXCLUDED.\"age\" RETURNING \"id\", "
		"\"name\", \"email\", \"nick\", \"age\", \"score\", \"born\"",
		"'Ada' 'a@x' NULL NULL");
	/* a given key is inserted, and never changed */
	person.id = 7;
	person.score = (struct ath_null_int32){ 1, true };
	ath_sql_upsert(&sql, &person_model, &person, ATH_ON(person, email));
	EXPECT_SQL("INSERT INTO \"people\" (\"id\", \"name\", \"email\", \"nick\", \"age\", "
		   "\"score\") VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (\"email\") DO UPDATE "
		   "SET \"name\" = EXCLUDED.\"name\", \"nick\" = EXCLUDED.\"nick\", \"age\" = "
		   "EXCLUDED.\"age\", \"score\" = EXCLUDED.\"score\" RETURNING \"id\", \"name\", "
		   "\"email\", \"nick\", \"age\", \"score\", \"born\"",
		   "7 'Ada' 'a@x' NULL NULL 1");
}

static void test_upsert_by_a_key_of_two_columns(void **state)
{
	struct edition edition = { .book_id = 1, .number = 2, .version = 1 };
	struct book_label link = { .book_id = 7, .label_id = 8 };

	(void)state;
	ath_sql_upsert(&sql, &edition_model, &edition, ATH_ON(edition, book_id, number));
	EXPECT_SQL(
		"INSERT INTO \"editions\" (\"book_id\", \"number\", \"printed\", \"version\") "
		"VALUES ($1, $2, $3, $4) ON CONFLICT (\"book_id\", \"number\") DO UPDATE SET "
		"\"printed\" = EXCLUDED.\"printed\", \"version\" = \"editions\".\"version\" + 1 "
		"RETURNING \"book_id\", \"number\", \"printed\", \"version\", \"twice\", \"note\"",
		"1 2 0 1");
	/* there is nothing to set, and the row is to come back all the same */
	ath_sql_upsert(&sql, &book_label_model, &link, ATH_ON(book_label, book_id, label_id));
	EXPECT_SQL("INSERT INTO \"shelf\".\"book_labels\" (\"book_id\", \"label_id\") VALUES ($1, "
		   "$2) ON CONFLICT (\"book_id\", \"label_id\") DO UPDATE SET \"book_id\" = "
		   "EXCLUDED.\"book_id\" RETURNING \"book_id\", \"label_id\"",
		   "7 8");
}

static void test_upsert_in_a_schema(void **state)
{
	struct parcel parcel = { .code = "a", .version = 1 };

	(void)state;
	ath_sql_upsert(&sql, &parcel_model, &parcel, ATH_ON(parcel, code));
	EXPECT_SQL(
		"INSERT INTO \"shelf\".\"parcels\" (\"label\", \"grams\", \"costs\", \"v\") "
		"VALUES ($1, $2, $3, $4) ON CONFLICT (\"label\") DO UPDATE SET \"grams\" = "
		"EXCLUDED.\"grams\", \"costs\" = EXCLUDED.\"costs\", \"v\" = "
		"\"shelf\".\"parcels\".\"v\" + 1 RETURNING \"no\", \"id\", \"label\", \"grams\", "
		"\"sent\", \"costs\", \"v\"",
		"'a' 0 0 1");
}

static void test_upsert_on_no_column(void **state)
{
	struct author author = { .name = "a" };

	(void)state;
	ath_sql_upsert(&sql, &author_model, &author, ATH_ON(author, books));
	EXPECT_NO_SQL(ATH_EINVAL, "ATH_ON names no column of author");
}

/* ---- many rows ------------------------------------------------------------------------------ */

static void test_insert_all(void **state)
{
	struct person people[] = { { .name = "Ada", .email = "a@x", .nick = "a" },
				   { .name = "Bea", .email = "b@x", .age = { 7, true } },
				   { .name = "Cid", .email = "c@x" } };

	(void)state;
	ath_sql_insert_all(&sql, &person_model, (const char *)people, 3);
	EXPECT_SQL("INSERT INTO \"people\" (\"name\", \"email\", \"nick\", \"age\") SELECT "
		   "\"name\", \"email\", \"nick\", \"age\" FROM unnest($1::text[], $2::text[], "
		   "$3::text[], $4::integer[]) WITH ORDINALITY AS rows (\"name\", \"email\", "
		   "\"nick\", \"age\", ath_place) ORDER BY ath_place RETURNING \"id\", \"score\", "
		   "\"born\"",
		   "[3] [3] [3] [3]");
	assert_string_equal(ath_value_item(&statement.params[0], 2).as.text, "Cid");
	assert_true(ath_value_item(&statement.params[2], 1).null);
	assert_true(ath_value_item(&statement.params[3], 0).null);
	assert_int_equal(ath_value_item(&statement.params[3], 1).as.integer, 7);
}

static void test_insert_all_of_each_type_that_it_takes(void **state)
{
	struct parcel parcels[] = { { .code = "a", .fee = ath_decimal_of(5, 1) },
				    { .code = "b", .fee = ath_decimal_of(50, 2) } };
	struct kind kinds[2];

	(void)state;
	ath_sql_insert_all(&sql, &parcel_model, (const char *)parcels, 2);
	EXPECT_SQL("INSERT INTO \"shelf\".\"parcels\" (\"label\", \"grams\", \"costs\", \"v\") "
		   "SELECT \"label\", \"grams\", \"costs\", \"v\" FROM unnest($1::text[], "
		   "$2::integer[], $3::numeric[], $4::integer[]) WITH ORDINALITY AS rows "
		   "(\"label\", \"grams\", \"costs\", \"v\", ath_place) ORDER BY ath_place "
		   "RETURNING \"no\", \"id\", \"sent\"",
		   "[2] [2] [2] [2]");
	memset(kinds, 0, sizeof kinds);
	kinds[0].text = kinds[1].text = "x";
	ath_sql_insert_all(&sql, &kind_model, (const char *)kinds, 2);
	EXPECT_SQL(
		"INSERT INTO \"kinds\" (\"id\", \"boolean\", \"small\", \"medium\", \"large\", "
		"\"real\", \"text\", \"moment\", \"uuid\", \"null_boolean\", \"null_small\", "
		"\"null_medium\", \"null_large\", \"null_real\", \"null_text\", \"null_moment\", "
		"\"null_uuid\") SELECT \"id\", \"boolean\", \"small\", \"medium\", \"large\", "
		"\"real\", \"text\", \"moment\", \"uuid\", \"null_boolean\", \"null_small\", "
		"\"null_medium\", \"null_large\", \"null_real\", \"null_text\", \"null_moment\", "
		"\"null_uuid\" FROM unnest($1::uuid[], $2::boolean[], $3::smallint[], "
		"$4::integer[], $5::bigint[], $6::double precision[], $7::text[], "
		"$8::timestamptz[], $9::uuid[], $10::boolean[], $11::smallint[], $12::integer[], "
		"$13::bigint[], $14::double precision[], $15::text[], $16::timestamptz[], "
		"$17::uuid[]) WITH ORDINALITY AS rows (\"id\", \"boolean\", \"small\", "
		"\"medium\", \"large\", \"real\", \"text\", \"moment\", \"uuid\", "
		"\"null_boolean\", \"null_small\", \"null_medium\", \"null_large\", "
		"\"null_real\", \"null_text\", \"null_moment\", \"null_uuid\", ath_place) "
		"ORDER BY ath_place",
		"[2] [2] [2] [2] [2] [2] [2] [2] [2] [2] [2] [2] [2] [2] [2] [2] [2]");
}

static void test_insert_all_that_is_refused(void **state)
{
	struct parcel parcels[] = { { .code = "a", .fee = ath_decimal_of(5, 1) },
				    { .code = "b", .fee = ath_decimal_of(5, 3) } };
	struct book books[] = { { .title = "t" } };
	struct bare bares[2] = { { 0 } };

	(void)state;
	ath_sql_insert_all(&sql, &parcel_model, (const char *)parcels, 2);
	EXPECT_NO_SQL(ATH_ERULE,
		      "fee has more digits behind the point than its scale of 2 (row 1)");
	books[0].genre = (enum genre)4;
	ath_sql_insert_all(&sql, &book_model, (const char *)books, 1);
	EXPECT_NO_SQL(ATH_ERULE, "genre is none of the values of its enum (row 0)");
	books[0].genre = POEM;
	ath_sql_insert_all(&sql, &book_model, (const char *)books, 1);
	EXPECT_NO_SQL(ATH_EINVAL, "tags is an array");
	ath_sql_insert_all(&sql, &bare_model, (const char *)bares, 2);
	EXPECT_NO_SQL(ATH_EINVAL, "bare has no column to insert");
}

/* ---- all rows of a query -------------------------------------------------------------------- */

static void update(const struct ath_assignment *assignments, size_t count)
{
	ath_sql_update_where(&sql, &query, assignments, count);
}

#define UPDATE(...)                                                                                \
	update((const struct ath_assignment[]){ __VA_ARGS__ },                                     \
	       sizeof((const struct ath_assignment[]){ __VA_ARGS__ }) /                            \
		       sizeof(struct ath_assignment))

static void test_update_where(void **state)
{
	(void)state;
	query = ath_query(person);
	ath_where(&query, ATH_GT(person, age, 30));
	UPDATE(ATH_SET(person, name, "x"), ATH_SET(person, age, 7), ATH_SET_NULL(person, nick),
	       ATH_SET(person, score, 3));
	EXPECT_SQL("UPDATE \"people\" SET \"name\" = $1, \"age\" = $2, \"nick\" = $3, \"score\" = "
		   "$4 WHERE \"age\" > $5",
		   "'x' 7 NULL 3 30");
	query = ath_query(person);
	ath_where(&query, ATH_ALL);
	UPDATE(ATH_SET(person, nick, NULL));
	EXPECT_SQL("UPDATE \"people\" SET \"nick\" = $1", "NULL");
}

static void test_update_where_by_expressions(void **state)
{
	(void)state;
	query = ath_query(book);
	ath_where(&query, ATH_EQ(book, genre, POEM));
	UPDATE(ATH_SET(book, genre, ESSAY),
	       ATH_SET_TO(book, pages, ATH_EXPR(ATH_COL(book, pages), ADD, ATH_VAL(1))),
	       ATH_SET_TO(book, editor_id, ATH_COL(book, author_id)),
	       ATH_SET_TO(book, sold_at, ATH_FUNC(now)),
	       ATH_SET_TO(book, in_print, ATH_GT(book, pages, 100)));
	EXPECT_SQL(
		"UPDATE \"books\" SET \"genre\" = $1, \"pages\" = (\"pages\" + $2), \"edited_by\" "
		"= \"author_id\", \"sold_at\" = now(), \"in_print\" = \"pages\" > $3 WHERE "
		"\"genre\" = $4",
		"'essay' 1 100 'poem'");
}

/* Who has read one of the rows before finds it changed. */
static void test_update_where_counts_versions(void **state)
{
	(void)state;
	query = ath_query(edition);
	ath_where(&query, ATH_EQ(edition, book_id, 7));
	UPDATE(ATH_SET(edition, printed, 0));
	EXPECT_SQL("UPDATE \"editions\" SET \"printed\" = $1, \"version\" = \"version\" + 1 WHERE "
		   "\"book_id\" = $2",
		   "0 7");
}

static void test_update_where_with_subqueries(void **state)
{
	struct ath_query inner = ath_query(book);

	(void)state;
	ath_select(&inner, ATH_COL(book, id));
	ath_where(&inner, ATH_EXPR(ATH_COL(book, pages), GT, ATH_OUTER(edition, printed)));
	query = ath_query(edition);
	ath_where(&query, ATH_IN_QUERY(edition, book_id, &inner));
	UPDATE(ATH_SET_TO(edition, printed, ATH_EXPR(ATH_COL(edition, printed), MUL, ATH_VAL(2))));
	EXPECT_SQL(
		"UPDATE \"editions\" AS \"t0\" SET \"printed\" = (\"printed\" * $1), \"version\" "
		"= \"version\" + 1 WHERE \"t0\".\"book_id\" IN (SELECT \"t1\".\"id\" FROM "
		"\"books\" AS \"t1\" WHERE (\"t1\".\"pages\" > \"t0\".\"printed\"))",
		"2");
}

static void test_assignments_that_are_refused(void **state)
{
	struct ath_query inner = ath_query(author);

	(void)state;
	ath_select(&inner, ATH_COL(author, id));
	query = ath_query(book);
	ath_where(&query, ATH_EQ(book, id, 1));
	UPDATE(ATH_SET_TO(book, in_print, ATH_EXISTS(&inner)));
	EXPECT_NO_SQL(ATH_EINVAL, "a subquery has no place in an assignment");
	UPDATE(ATH_SET_TO(book, in_print, ATH_NOT(ATH_IN_QUERY(book, id, &inner))));
	EXPECT_NO_SQL(ATH_EINVAL, "a subquery has no place in an assignment");
	UPDATE(ATH_SET(author, name, "x"));
	EXPECT_NO_SQL(ATH_EINVAL, "an assignment names no column of book");
	UPDATE(((struct ath_assignment){ .model = &book_model,
					 .offset = offsetof(struct book, labels),
					 .expression = ATH_VAL(1) }));
	EXPECT_NO_SQL(ATH_EINVAL, "an assignment names no column of book");
	UPDATE(ATH_SET_TO(book, pages, ATH_COL(author, id)));
	EXPECT_NO_SQL(ATH_EINVAL, "another model");
	UPDATE(ATH_SET_TO(book, pages, ATH_OUTER(author, id)));
	EXPECT_NO_SQL(ATH_EINVAL, "ATH_OUTER names a column of author");
	UPDATE(ATH_SET(book, genre, 3));
	EXPECT_NO_SQL(ATH_ERULE, "genre is none of the values");
	UPDATE(ATH_SET(book, price, ath_decimal_of(1995, 3)));
	EXPECT_NO_SQL(ATH_ERULE, "more digits behind the point than its scale of 2");
}

static void test_delete_where(void **state)
{
	struct ath_query inner = ath_query(profile);

	(void)state;
	query = ath_query(author);
	ath_where(&query, ATH_LIKE(author, name, "x%"));
	ath_sql_delete_where(&sql, &query);
	EXPECT_SQL("DELETE FROM \"authors\" WHERE \"name\" LIKE $1", "'x%'");
	ath_select(&inner, ATH_COL(profile, id));
	ath_where(&inner, ATH_EXPR(ATH_COL(profile, author_id), EQ, ATH_OUTER(author, id)));
	ath_where(&query, ATH_NOT(ATH_EXISTS(&inner)));
	ath_sql_delete_where(&sql, &query);
	EXPECT_SQL(
		"DELETE FROM \"authors\" AS \"t0\" WHERE \"t0\".\"name\" LIKE $1 AND NOT (EXISTS "
		"(SELECT \"t1\".\"id\" FROM \"profiles\" AS \"t1\" WHERE (\"t1\".\"author_id\" = "
		"\"t0\".\"id\")))",
		"'x%'");
	query = ath_query(label);
	ath_where(&query, ATH_ALL);
	ath_sql_delete_where(&sql, &query);
	EXPECT_SQL("DELETE FROM \"shelf\".\"labels\"", "");
}

/* ---- memory --------------------------------------------------------------------------------- */

static struct person ada = { .name = "Ada", .email = "a@x" };

static void make_insert(void)
{
	ath_sql_insert(&sql, &person_model, &ada);
}

static void make_upsert(void)
{
	ath_sql_upsert(&sql, &person_model, &ada, ATH_ON(person, email));
}

static void make_insert_all(void)
{
	ath_sql_insert_all(&sql, &person_model, (const char *)&ada, 1);
}

static void make_update(void)
{
	struct person old = { .id = 7, .name = "x", .email = "x" };

	ath_sql_update(&sql, &person_model, &ada, &old, true);
	ath_error_clear(&sql.error); /* of the key, which is another */
}

static void make_update_where(void)
{
	static const unsigned genres[] = { POEM, ESSAY };

	query = ath_query(book);
	ath_where(&query, ATH_IN(book, genre, genres, 2));
	UPDATE(ATH_SET(book, title, "x"), ATH_SET_TO(book, pages, ATH_FUNC(abs, ATH_VAL(1))));
}

/* The arena ends somewhere in the middle: the statement is refused, never half made. */
static void test_no_memory(void **state)
{
	void (*const make[])(void) = { make_insert, make_upsert, make_insert_all, make_update,
				       make_update_where };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(make); i++) {
		bool made = false;
		int refused = 0;

		for (size_t ceiling = 16; !made && ceiling < 1 << 20; ceiling += 16) {
			struct ath_arena *small;

			assert_int_equal(ath_arena_open(&small, ceiling), ATH_OK);
			ath_sql_open(&sql, small);
			make[i]();
			made = ath_sql_finish(&sql, &statement) == ATH_OK;
			if (!made)
				assert_true(sql.error.status == ATH_ETOOBIG ||
					    sql.error.status == ATH_ENOMEM);
			refused += !made;
			ath_arena_close(&small);
		}
		assert_true(made);
		assert_true(refused > 5);
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_sql, close_sql)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_insert),
		CASE(test_insert_of_nothing_but_defaults),
		CASE(test_insert_with_a_key_of_ones_own),
		CASE(test_insert_with_what_the_database_makes),
		CASE(test_insert_of_every_type),
		CASE(test_values_that_do_not_fit),
		CASE(test_insert_of_a_shape),
		CASE(test_insert_of_a_shape_refuses_as_insert_does),
		CASE(test_update_of_a_shape),
		CASE(test_update_of_what_changed),
		CASE(test_update_of_the_key_is_refused),
		CASE(test_update_with_a_version),
		CASE(test_names_of_columns),
		CASE(test_delete_and_guard),
		CASE(test_guard_with_generated_columns),
		CASE(test_upsert),
		CASE(test_upsert_by_a_key_of_two_columns),
		CASE(test_upsert_in_a_schema),
		CASE(test_upsert_on_no_column),
		CASE(test_insert_all),
		CASE(test_insert_all_of_each_type_that_it_takes),
		CASE(test_insert_all_that_is_refused),
		CASE(test_update_where),
		CASE(test_update_where_by_expressions),
		CASE(test_update_where_counts_versions),
		CASE(test_update_where_with_subqueries),
		CASE(test_assignments_that_are_refused),
		CASE(test_delete_where),
		CASE(test_no_memory),
	};

	return cmocka_run_group_tests(tests, create_more_tables, drop_database);
}
