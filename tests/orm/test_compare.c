/* test_compare.c - models against tables that are as they say, and against others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../db/engine_fixture.h"
#include "trade.h"

#include "../../app/models.c"

static struct ath_error error;
static char told[8192]; /* a line each */

static void note(const char *text, void *arg)
{
	size_t length = strlen(told);

	assert_ptr_equal(arg, told);
	snprintf(told + length, sizeof told - length, "%s\n", text);
}

static void compare(const struct ath_model *const *list)
{
	told[0] = '\0';
	if (ath_models_compare(engine, list, note, told, &error) != ATH_OK)
		fail_msg("%s", error.message);
}

static void create(const struct ath_model *const *list)
{
	struct ath_session *db;

	run_sql("set client_min_messages = warning");
	run_sql("drop schema if exists trade, other cascade;"
		"drop schema public cascade; create schema public");
	assert_int_equal(ath_session_open(&db, engine, NULL), ATH_OK);
	if (!ath_create_all(db, list) || !ath_commit(db))
		fail_msg("%s", ath_session_error(db)->message);
	ath_session_close(&db);
}

static void expect(const struct ath_model *const *list, const char *text)
{
	compare(list);
	assert_string_equal(told, text);
}

/* ---- nothing to tell ------------------------------------------------------------------------ */

static void test_what_was_made_from_models(void **state)
{
	(void)state;
	create(trade);
	expect(trade, "");
}

static void run_migration(const char *path)
{
	char sql[8192];
	FILE *file = fopen(path, "r");
	size_t length;

	assert_non_null(file);
	length = fread(sql, 1, sizeof sql - 1, file);
	fclose(file);
	sql[length] = '\0';
	*strstr(sql, "-- migrate:down") = '\0';
	run_sql(sql);
}

static void test_the_migrations_of_the_application(void **state)
{
	static const struct ath_model *const none[] = { NULL };

	(void)state;
	create(none);
	expect(none, "");
	run_migration("sql/20260101000000_users_and_posts.sql");
	run_migration("sql/20260101120000_idempotency_keys.sql");
	expect(models, "");
}

/* Other types and more rules that do as well, and what only the database knows. */
static void test_what_does_as_well(void **state)
{
	static const char *const rows[] = {
		"alter table trade.shops alter name type text",
		"alter table trade.shops alter town type varchar(20),"
		" drop constraint ck_shops_town",
		"alter table trade.shops alter town type varchar(30)",
		"alter table trade.shops alter data type json",
		"alter table trade.shops alter tags type varchar(9)[]",
		"alter table trade.shops alter price type numeric",
		"create type feeling as enum ('busy', 'calm', 'one''s own');"
		"alter table trade.shops drop constraint ck_shops_mood,"
		" alter mood type feeling using mood::feeling",
		"create domain stars as integer check (value between 1 and 5);"
		"create domain best as stars;"
		"alter table trade.shops drop constraint ck_shops_stars, alter stars type best",
		"create domain number as numeric(6, 2);"
		"alter table trade.shops alter price type number",
		"alter table trade.shops rename constraint ck_shops_stars to five",
		"alter table trade.shops rename constraint pk_shops to shops_pkey",
		"alter table trade.shops rename constraint fk_shops_boss_id to its_boss",
		"alter table trade.shops rename constraint uq_shops_serial to serials",
		"alter table trade.shops drop constraint uq_shops_town_opened_on;"
		"create unique index on trade.shops (opened_on, town)",
		"drop index trade.ix_shops_seen_at;"
		"create index on trade.shops (seen_at, name)",
		"alter table trade.shops add note text, add days integer not null default 7,"
		" add twin integer not null generated always as (opens + closes) stored,"
		" add counter integer not null generated always as identity",
		"alter table trade.shops alter uuid set default "
		"'00000000-0000-0000-0000-000000000000'",
		"alter table bosses alter id drop identity;"
		"create sequence bosses_id; alter table bosses alter id set default "
		"nextval('bosses_id')",
		"alter table trade.shops drop constraint fk_shops_country_region_code,"
		" add foreign key (region_code, country) references trade.regions (code, country)"
		"  on delete cascade on update cascade",
		"create function fill() returns trigger language plpgsql as"
		" 'begin new.secret := 1; return new; end';"
		"create trigger fill before insert on trade.shops for each row"
		" execute function fill();"
		"alter table trade.shops add secret integer not null, alter id drop identity",
		"alter table bosses drop constraint fk_bosses_boss_id,"
		" add foreign key (boss_id) references bosses on delete restrict",
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		create(trade);
		run_sql(rows[i]);
		compare(trade);
		if (told[0] != '\0')
			fail_msg("%s: %s", rows[i], told);
	}
}

/* ---- differences ---------------------------------------------------------------------------- */

static const struct {
	const char *sql, *told;
} rows[] = {
	{ "drop table bosses cascade",
	  "boss: there is no table bosses\n"
	  "shop.boss_id: trade.shops has no foreign key from (boss_id) to bosses (id)\n" },
	{ "drop table bosses cascade; create view bosses as select 1 as id",
	  "boss: bosses is a view in the database, and in the model a table\n"
	  "shop.boss_id: trade.shops has no foreign key from (boss_id) to bosses (id)\n" },
	{ "alter table trade.regions drop name",
	  "region.name: trade.regions has no column name; in the model it is text NOT NULL\n"
	  "region.name: trade.regions has no index on (name)\n" },
	{ "alter table trade.shops drop town",
	  "shop.city: trade.shops has no column town; in the model it is text\n"
	  "shop: trade.shops has no unique index on (name, town) where closed_on IS NULL\n"
	  "shop: trade.shops has no unique index on (town, opened_on)\n" },
	{ "alter table trade.shops drop constraint ck_shops_hours, alter opens type integer",
	  "shop.opens: opens is integer, and in the model smallint\n"
	  "shop.hours: trade.shops has no CHECK ck_shops_hours: opens < closes\n" },
	{ "create domain hour as bigint; alter table trade.shops alter closes type hour",
	  "shop.closes: closes is hour, and in the model smallint\n" },
	{ "alter table trade.shops alter seen_at type timestamp",
	  "shop.seen_at: seen_at is timestamp without time zone, and in the model timestamp with "
	  "time zone\n" },
	{ "alter table trade.shops alter name type varchar(9)",
	  "shop.name: name is character varying(9), and in the model character varying(10)\n" },
	{ "alter table trade.shops alter price type numeric(8, 3)",
	  "shop.price: price is numeric(8,3), and in the model numeric(6,2)\n" },
	{ "alter table trade.shops alter weight type real",
	  "shop.weight: weight is real, and in the model double precision\n" },
	{ "alter table trade.shops alter picture type text using ''",
	  "shop.picture: picture is text, and in the model bytea\n" },
	{ "alter table trade.shops alter name drop not null",
	  "shop.name: name may be NULL, and in the model it is NOT NULL\n" },
	{ "alter table trade.shops alter closed_on set not null",
	  "shop.closed_on: closed_on is NOT NULL, and in the model it may be NULL\n" },
	{ "create domain day as date not null; alter table trade.shops alter closed_on type day",
	  "shop.closed_on: closed_on is NOT NULL, and in the model it may be NULL\n" },
	{ "alter table trade.shops alter created_at drop default",
	  "shop.created_at: created_at has no default, and the model leaves it to the database: "
	  "DEFAULT now()\n" },
	{ "alter table trade.shops alter stars drop default",
	  "shop.stars: stars has no default, and the model leaves it to the database: DEFAULT "
	  "3\n" },
	{ "alter table trade.shops alter id drop identity",
	  "shop.id: id has no default, and the model leaves it to the database\n" },
	{ "alter table trade.shops alter serial drop identity",
	  "shop.serial: serial has no default, and the model leaves it to the database\n" },
	{ "alter table trade.shops alter twice drop expression",
	  "shop.twice: twice is not generated, and in the model it is: serial::bigint * 2\n" },
	{ "alter table trade.shops drop weight,"
	  " add weight double precision not null generated always as (1.5) stored"
	  "  constraint ck_shops_weight check (weight > 0)",
	  "shop.weight: weight is generated, and the model sends it: make it .read_only\n" },
	{ "alter table trade.shops add secret text not null",
	  "shop: trade.shops.secret is NOT NULL without a default, and the model does not know it: "
	  "inserts fail\n" },
	{ "create function fill() returns trigger language plpgsql as"
	  " 'begin new.secret := 1; return new; end';"
	  "create trigger fill before update on trade.shops for each row execute function fill();"
	  "alter table trade.shops add secret integer not null",
	  "shop: trade.shops.secret is NOT NULL without a default, and the model does not know it: "
	  "inserts fail\n" },
	{ "alter table trade.shops drop constraint fk_shops_country_region_code;"
	  "alter table trade.regions alter code type text, drop constraint pk_regions,"
	  " add constraint pk_regions primary key (country, code),"
	  " add constraint swapped unique (code, country);"
	  "alter table trade.shops alter region_code type text,"
	  " add constraint swapped foreign key (country, region_code)"
	  "  references trade.regions (code, country) on delete cascade on update cascade",
	  "shop.region_code: region_code is text, and in the model integer\n"
	  "shop: the foreign key swapped leads to trade.regions (code, country), and in the model "
	  "to "
	  "trade.regions (country, code)\n"
	  "region.code: code is text, and in the model integer\n" },
	{ "alter table trade.shops drop constraint pk_shops cascade",
	  "boss.shop_id: bosses has no foreign key from (shop_id) to trade.shops (id)\n"
	  "shop: trade.shops has no primary key; in the model it is (id)\n" },
	{ "alter table trade.regions drop constraint pk_regions cascade, add primary key (code)",
	  "shop: trade.shops has no foreign key from (country, region_code) to trade.regions "
	  "(country, code)\n"
	  "region: the primary key of trade.regions is (code), and in the model (country, "
	  "code)\n" },
	{ "alter table trade.shops drop constraint uq_shops_serial",
	  "shop.serial: trade.shops has no unique index on (serial)\n" },
	{ "alter table trade.shops drop constraint uq_shops_serial;"
	  "create unique index on trade.shops (serial) where open",
	  "shop.serial: trade.shops has no unique index on (serial)\n" },
	{ "drop index trade.ix_shops_seen_at; create index on trade.shops (name, seen_at)",
	  "shop.seen_at: trade.shops has no index on (seen_at)\n" },
	{ "drop index trade.ix_shops_tags; create index on trade.shops (tags)",
	  "shop: trade.shops has no index by gin on (tags)\n" },
	{ "drop index trade.uq_shops_lower_name",
	  "shop.lower_name: trade.shops has no unique index on (lower(name))\n" },
	{ "update pg_index set indisvalid = false where indexrelid = "
	  "'trade.ix_shops_seen_at'::regclass",
	  "shop.seen_at: the index ix_shops_seen_at is not valid: build it anew (REINDEX)\n" },
	{ "alter table trade.shops drop constraint fk_shops_boss_id,"
	  " add constraint boss foreign key (boss_id) references bosses",
	  "shop.boss_id: the foreign key boss is ON DELETE NO ACTION, and in the model SET "
	  "NULL\n" },
	{ "alter table bosses drop constraint fk_bosses_boss_id,"
	  " add constraint boss foreign key (boss_id) references bosses"
	  "  on delete set default on update cascade",
	  "boss.boss_id: the foreign key boss is ON DELETE SET DEFAULT, and in the model NO "
	  "ACTION\n"
	  "boss.boss_id: the foreign key boss is ON UPDATE CASCADE, and in the model NO ACTION\n" },
	{ "alter table bosses drop constraint fk_bosses_shop_id,"
	  " add constraint shop foreign key (shop_id) references bosses",
	  "boss.shop_id: the foreign key shop leads to bosses (id), and in the model to "
	  "trade.shops "
	  "(id)\n" },
	{ "alter table trade.shops drop constraint ck_shops_mood",
	  "shop.mood: no CHECK keeps mood to the values 'calm', 'one's own', 'busy'\n" },
	{ "alter table trade.shops drop constraint ck_shops_mood,"
	  " add check (mood in ('calm', 'one''s own'))",
	  "shop.mood: mood may be 'calm', 'one's own', and in the model 'calm', 'one's own', "
	  "'busy'\n" },
	{ "create type feeling as enum ('calm', 'angry');"
	  "alter table trade.shops drop constraint ck_shops_mood,"
	  " alter mood type feeling using mood::feeling",
	  "shop.mood: mood may be 'calm', 'angry', and in the model 'calm', 'one's own', "
	  "'busy'\n" },
	{ "alter table trade.shops drop constraint ck_shops_stars",
	  "shop.stars: no CHECK keeps stars within the bounds of the model\n" },
};

static void test_differences(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		create(trade);
		run_sql("drop type if exists feeling; drop domain if exists hour, day");
		run_sql(rows[i].sql);
		compare(trade);
		if (strcmp(told, rows[i].told) != 0)
			fail_msg("%s:\n%snot:\n%s", rows[i].sql, told, rows[i].told);
	}
}

/* ---- views, search path, errors ------------------------------------------------------------- */

struct glimpse {
	int64_t id;
	const char *name;
	struct ath_null_int32 age;
};
ATH_LIST_(glimpse)
ATH_MODEL_VIEW(glimpse, "glimpses", ATH_COLUMN(glimpse, id, .primary_key = true),
	       ATH_COLUMN(glimpse, name, .min_length = 1, .max_length = 9),
	       ATH_COLUMN(glimpse, age));
static const struct ath_model *const glimpses[] = { &glimpse_model, NULL };

static void test_views(void **state)
{
	(void)state;
	create((const struct ath_model *const[]){ NULL });
	expect(glimpses, "glimpse: there is no view or table glimpses\n");
	run_sql("create view glimpses as select 1::bigint as id, 'x'::text as name, 7 as age,"
		" 8 as more");
	expect(glimpses, "");
	run_sql("drop view glimpses; create table glimpses"
		" (id bigint, name text, age integer, more integer not null)");
	expect(glimpses, "");
	run_sql("drop table glimpses;"
		"create materialized view glimpses as select 1 as id, 'x'::text as name");
	expect(glimpses, "glimpse.id: id is integer, and in the model bigint\n"
			 "glimpse.age: glimpses has no column age; in the model it is integer\n");
	run_sql("drop materialized view glimpses; create sequence glimpses");
	expect(glimpses,
	       "glimpse: glimpses is something else in the database, and in the model a view\n");
}

/* What a statement of the application would find is what is compared. */
static void test_the_search_path(void **state)
{
	char url[2048];

	(void)state;
	NOT_POOLED("a search path in the URL needs a session of its own");
	create((const struct ath_model *const[]){ NULL });
	run_sql("create schema other;"
		"create view other.glimpses as select 1::bigint as id, 'x'::text as name, 7 as age;"
		"create view glimpses as select 1::bigint as id");
	expect(glimpses, "glimpse.name: glimpses has no column name; in the model it is text NOT "
			 "NULL\n"
			 "glimpse.age: glimpses has no column age; in the model it is integer\n");
	ath_engine_close(&engine);
	snprintf(url, sizeof url, "%s%coptions=-c%%20search_path%%3Dother,public", database_url,
		 strchr(database_url, '?') == NULL ? '?' : '&');
	assert_int_equal(open_engine_with(url, (struct ath_engine_options){ 0 }), 0);
	expect(glimpses, "");
}

struct broken {
	int64_t id;
	int32_t number;
};
ATH_LIST_(broken)
ATH_MODEL(broken, "broken", ATH_COLUMN(broken, id, .primary_key = true),
	  ATH_COLUMN(broken, number, .min = 7, .max = 5));

static void test_errors(void **state)
{
	static const struct ath_model *const bad[] = { &broken_model, NULL };

	(void)state;
	told[0] = '\0';
	assert_int_equal(ath_models_compare(engine, bad, note, told, &error), ATH_EINVAL);
	assert_string_equal(error.message, "model broken, member number: min is above max");
	ath_engine_close(&engine);
	assert_int_equal(open_engine_with("postgresql:///none?host=/nowhere",
					  (struct ath_engine_options){ .log = &silence }),
			 0);
	assert_int_equal(ath_models_compare(engine, trade, note, told, &error), ATH_EUNAVAILABLE);
	assert_string_not_equal(error.message, "");
	assert_string_equal(told, "");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_engine, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_was_made_from_models),
		TEST(test_the_migrations_of_the_application),
		TEST(test_what_does_as_well),
		TEST(test_differences),
		TEST(test_views),
		TEST(test_the_search_path),
		TEST(test_errors),
	};

	return cmocka_run_group_tests(tests, create_database, drop_database);
}
