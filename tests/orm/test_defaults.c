/*
 * test_defaults.c - what nobody sets: default values and functions, the database's own defaults,
 * generated and identity columns, and what is filled in anew for each UPDATE.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <athanor.h>

#include "scenario.h"

static int counter; /* of the calls of count_up */

static bool count_up(void *member)
{
	*(int32_t *)member = ++counter;
	return true;
}

static bool refuse(void *member)
{
	(void)member;
	return false;
}

struct preset {
	int64_t id;
	int64_t serial;
	const char *name;
	const char *nick;
	struct ath_null_int32 age;
	struct ath_null_enum mood;
	unsigned colour;
	struct ath_decimal price;
	struct ath_text_array tags;
	struct ath_uuid token;
	struct ath_null_timestamp seen;
	struct ath_null_int32 score;
	const char *motto;
	struct ath_bytes salt;
	struct ath_json doc;
	struct ath_text_array words;
	struct ath_date day;
	struct ath_timestamp made_at;
	struct ath_null_int32 revision;
	int32_t touched;
	struct ath_decimal twice;
	struct ath_null_int32 older;
	const char *shout;
};
ATH_DECLARE(preset);

ATH_MODEL(preset, "presets", ATH_COLUMN(preset, id, .primary_key = true),
	  ATH_COLUMN(preset, serial, .identity = true),
	  ATH_COLUMN(preset, name, .default_value = ATH_DEFAULT(preset, name, "anon")),
	  ATH_COLUMN(preset, nick, .nullable = true,
		     .default_value = ATH_DEFAULT(preset, nick, "nick")),
	  ATH_COLUMN(preset, age, .default_value = ATH_DEFAULT(preset, age, .value = 18)),
	  ATH_COLUMN(preset, mood, .values = ATH_VALUES("good", "bad"),
		     .default_value = ATH_DEFAULT(preset, mood, .value = 1)),
	  ATH_COLUMN(preset, colour, .values = ATH_VALUES("red", "green"),
		     .default_value = ATH_DEFAULT(preset, colour, 1)),
	  ATH_COLUMN(preset, price, .precision = 10, .scale = 2,
		     .default_value = ATH_DEFAULT(preset, price, .low = 150, .scale = 2)),
	  ATH_COLUMN(preset, tags,
		     .default_value = ATH_DEFAULT(preset, tags, (const char *const[]){ "a", "b" },
						  2)),
	  ATH_COLUMN(preset, token, .default_function = ath_fill_uuid),
	  ATH_COLUMN(preset, seen, .default_function = ath_fill_now),
	  ATH_COLUMN(preset, score, .server_default = "7"),
	  ATH_COLUMN(preset, motto, .server_default = "'carpe ''diem'''"),
	  ATH_COLUMN(preset, salt, .server_default = "'\\x00ff'"),
	  ATH_COLUMN(preset, doc, .server_default = "'{\"a\": 1}'"),
	  ATH_COLUMN(preset, words, .server_default = "'{x,NULL}'"),
	  ATH_COLUMN(preset, day, .server_default = "'2024-02-29'"),
	  ATH_COLUMN(preset, made_at, .server_default = "now()", .read_only = true),
	  ATH_COLUMN(preset, revision, .update_function = count_up),
	  ATH_COLUMN(preset, touched, .default_value = ATH_DEFAULT(preset, touched, -1),
		     .update_function = count_up),
	  ATH_COLUMN(preset, twice, .precision = 12, .scale = 2, .generated = "price * 2"),
	  ATH_COLUMN(preset, older, .generated = "age + 1"),
	  ATH_COLUMN(preset, shout, .generated = "upper(name)"));

static struct preset *add(struct ath_session *db)
{
	struct preset *row = preset_new(db);

	preset_add(db, row);
	return row;
}

/* ---- on this side ------------------------------------------------------------------------------
 */

static void defaults_are_there_at_once(struct ath_session *db)
{
	struct preset *row = preset_new(db), *other = preset_new(db);

	EXPECT_TEXT(row->name, "anon");
	EXPECT_TEXT(row->nick, "nick");
	EXPECT(row->age.valid && row->age.value == 18);
	EXPECT(row->mood.valid && row->mood.value == 1);
	EXPECT(row->colour == 1);
	EXPECT(ath_decimal_compare(row->price, ath_decimal_of(15, 1)) == 0);
	EXPECT(row->tags.count == 2);
	EXPECT(memcmp(&row->token, &other->token, sizeof row->token) != 0);
	EXPECT(row->seen.valid && row->seen.value.microseconds > 0);
	EXPECT(row->touched == -1 && !row->revision.valid);
	EXPECT(row->motto == NULL && !row->score.valid);
}

static void defaults_are_stored(struct ath_session *db)
{
	struct preset *row = add(db);

	EXPECT(ath_commit(db));
	EXPECT_NUMBER(
		"select count(*) from presets where name = 'anon' and nick = 'nick' and"
		" age = 18 and mood = 'bad' and colour = 'green' and price = 1.5 and"
		" tags = '{a,b}' and token is not null and seen > now() - interval '1 day' and"
		" score = 7 and motto = 'carpe ''diem''' and touched = -1 and revision is null",
		1);
	EXPECT(row->id == 1 && row->serial == 1);
}

static void null_stays_null(struct ath_session *db)
{
	struct preset *row = preset_new(db);

	row->nick = NULL;
	row->age.valid = row->mood.valid = row->seen.valid = false;
	preset_add(db, row);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from presets where nick is null and age is null and mood is "
		      "null and seen is null",
		      1);
	EXPECT(row->nick == NULL && !row->age.valid && !row->mood.valid && !row->seen.valid);
}

/* A struct of the caller's own is as it is: nothing is filled in behind its back. */
static void only_new_rows_have_them(struct ath_session *db)
{
	struct preset row = { .name = "Ada", .tags = { NULL, 0 } };

	preset_add(db, &row);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from presets where name = 'Ada' and nick is null and "
		      "age is null and tags = '{}' and price = 0 and colour = 'red'",
		      1);
}

/* ---- in the database
 * ----------------------------------------------------------------------------- */

static void check_filled(const struct preset *row)
{
	EXPECT(row->score.valid && row->score.value == 7);
	EXPECT_TEXT(row->motto, "carpe 'diem'");
	EXPECT(row->salt.length == 2 && row->salt.data[0] == 0 && row->salt.data[1] == 0xff);
	EXPECT_TEXT(row->doc.text, "{\"a\": 1}");
	EXPECT(row->words.count == 2 && row->words.items[1] == NULL);
	EXPECT_TEXT(row->words.items[0], "x");
	EXPECT(row->day.days == 19782);
	EXPECT(row->made_at.microseconds > 0);
	EXPECT(ath_decimal_compare(row->twice, ath_decimal_of(3, 0)) == 0);
	EXPECT(row->older.valid && row->older.value == 19);
	EXPECT_TEXT(row->shout, "ANON");
}

static void filled_in_by_a_commit(struct ath_session *db)
{
	struct preset *row = add(db);

	EXPECT(ath_commit(db));
	check_filled(row);
}

static void filled_in_by_a_flush(struct ath_session *db)
{
	struct preset *first = add(db), *second = add(db), *third;

	EXPECT(ath_flush(db));
	check_filled(first);
	check_filled(second);
	third = add(db);
	EXPECT(ath_commit(db));
	check_filled(third);
	EXPECT(first->serial == 1 && second->serial == 2 && third->serial == 3);
}

static void filled_in_by_insert_all(struct ath_session *db)
{
	struct preset rows[2] = { *preset_new(db), *preset_new(db) };

	/* arrays cannot go this way: that is said, and nothing is done */
	EXPECT(preset_insert_all(db, rows, 2) == 0);
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT(strstr(ath_session_error(db)->message, "tags") != NULL);
}

static void given_values_win(struct ath_session *db)
{
	struct preset *row = preset_new(db);

	row->score = (struct ath_null_int32){ 0, true };
	row->motto = "";
	row->salt = (struct ath_bytes){ (const unsigned char *)"", 0 };
	row->words = (struct ath_text_array){ (const char *const[]){ NULL }, 0 };
	row->day.days = 1;
	row->doc.text = "[]";
	preset_add(db, row);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER(
		"select count(*) from presets where score = 0 and motto = '' and salt = '' and"
		" words = '{}' and day = '1970-01-02' and doc = '[]'",
		1);
	EXPECT_TEXT(row->motto, "");
}

/* What the database makes is never sent, whatever stands there. */
static void what_is_read_only_is_not_sent(struct ath_session *db)
{
	struct preset *row = preset_new(db);

	row->serial = 77;
	row->made_at.microseconds = 1;
	row->twice = ath_decimal_of(5, 0);
	row->shout = "no";
	preset_add(db, row);
	EXPECT(ath_commit(db));
	check_filled(row);
	EXPECT(row->serial == 1);
	row->serial = 78;
	row->shout = "no";
	row->made_at.microseconds = 1;
	EXPECT(ath_session_is_clean(db));
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from presets where serial = 1 and shout = 'ANON' and "
		      "made_at > now() - interval '1 day' and xmax = 0",
		      1);
}

/* ---- generated columns after an UPDATE
 * -------------------------------------------------------------- */

static void change(struct preset *row)
{
	row->price = ath_decimal_of(1005, 2);
	row->age.value = 40;
	row->name = "Ada";
}

static void check_generated(const struct preset *row)
{
	EXPECT(ath_decimal_compare(row->twice, ath_decimal_of(201, 1)) == 0);
	EXPECT(row->older.valid && row->older.value == 41);
	EXPECT_TEXT(row->shout, "ADA");
}

static void refreshed_by_a_commit(struct ath_session *db)
{
	struct preset *row = add(db);

	EXPECT(ath_commit(db));
	change(row);
	EXPECT(ath_commit(db));
	check_generated(row);
	EXPECT(ath_session_is_clean(db));
	row->age.valid = false;
	EXPECT(ath_commit(db));
	EXPECT(!row->older.valid);
}

/* In one batch that is the transaction, where each UPDATE has to have met its row. */
static void refreshed_by_a_commit_of_several(struct ath_session *db)
{
	struct preset *rows[3] = { add(db), add(db), add(db) };

	EXPECT(ath_commit(db));
	for (size_t i = 0; i < 3; i++)
		change(rows[i]);
	EXPECT(ath_commit(db));
	for (size_t i = 0; i < 3; i++)
		check_generated(rows[i]);
}

static void refreshed_by_a_flush(struct ath_session *db)
{
	struct preset *row = add(db);

	EXPECT(ath_flush(db));
	change(row);
	EXPECT(ath_flush(db));
	check_generated(row);
	row->name = "Bob";
	EXPECT(ath_commit(db)); /* in the transaction, with its COMMIT behind it */
	EXPECT_TEXT(row->shout, "BOB");
}

static void refreshed_by_an_upsert(struct ath_session *db)
{
	struct preset *row = add(db), copy;

	EXPECT(ath_commit(db));
	copy = *row;
	change(&copy);
	row = preset_upsert(db, &copy, ATH_ON(preset, id));
	if (EXPECT(row != NULL))
		check_generated(row);
	EXPECT(ath_commit(db));
}

/* A row that another one deleted meanwhile: nothing comes back, and that is told. */
static void gone_before_the_update(struct ath_session *db)
{
	struct preset *rows[2] = { add(db), add(db) };

	EXPECT(ath_commit(db));
	run_sql("delete from presets where id = 2");
	change(rows[0]);
	change(rows[1]);
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_ESTALE);
	EXPECT_NUMBER("select count(*) from presets where name = 'Ada'", 0);
	ath_clear_error(db);
	change(rows[1]);
	EXPECT(!ath_flush(db));
	EXPECT_STATUS(db, ATH_ESTALE);
}

/* ---- for each UPDATE
 * ---------------------------------------------------------------------------------- */

static void filled_in_anew(struct ath_session *db)
{
	struct preset *row = add(db);

	EXPECT(ath_commit(db));
	EXPECT(row->touched == -1 && !row->revision.valid);
	EXPECT(ath_commit(db)); /* nothing changed: nothing is touched */
	EXPECT(row->touched == -1);
	counter = 0;
	row->name = "Ada";
	EXPECT(ath_commit(db));
	EXPECT(row->revision.valid && row->revision.value + row->touched == 3);
	EXPECT_NUMBER("select touched + revision from presets", 3);
	row->name = "Bob";
	EXPECT(ath_flush(db));
	EXPECT(row->revision.value + row->touched == 7);
	row->revision.valid = false; /* comes back at once */
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select touched + revision from presets", 11);
}

/* ---- functions that fail
 * ------------------------------------------------------------------------------- */

struct luckless {
	int64_t id;
	int32_t first;
	int32_t second;
};
ATH_DECLARE(luckless);

ATH_MODEL(luckless, "lucklesses", ATH_COLUMN(luckless, id, .primary_key = true),
	  ATH_COLUMN(luckless, first, .default_function = refuse),
	  ATH_COLUMN(luckless, second, .update_function = refuse));

static void function_that_fails(struct ath_session *db)
{
	struct luckless row = { .first = 1 }, *other;

	luckless_add(db, &row);
	EXPECT(ath_commit(db));
	row.first = 2;
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EIO);
	EXPECT(strstr(ath_session_error(db)->message, "second") != NULL);
	ath_clear_error(db);
	EXPECT_NUMBER("select first from lucklesses", 1);
	other = luckless_new(db);
	EXPECT(other != NULL);
	EXPECT_STATUS(db, ATH_EIO);
	EXPECT(strstr(ath_session_error(db)->message, "first") != NULL);
}

/* ---- all of them
 * -------------------------------------------------------------------------------------- */

static const struct scenario scenarios[] = {
#define SCENARIO(name_)                                                                            \
	{                                                                                          \
		.name = #name_, .run = name_                                                       \
	}
	SCENARIO(defaults_are_there_at_once),
	SCENARIO(defaults_are_stored),
	SCENARIO(null_stays_null),
	SCENARIO(only_new_rows_have_them),
	SCENARIO(filled_in_by_a_commit),
	SCENARIO(filled_in_by_a_flush),
	SCENARIO(filled_in_by_insert_all),
	SCENARIO(given_values_win),
	SCENARIO(what_is_read_only_is_not_sent),
	SCENARIO(refreshed_by_a_commit),
	SCENARIO(refreshed_by_a_commit_of_several),
	SCENARIO(refreshed_by_a_flush),
	SCENARIO(refreshed_by_an_upsert),
	SCENARIO(gone_before_the_update),
	SCENARIO(filled_in_anew),
	SCENARIO(function_that_fails),
};

static const struct ath_model *const models[] = { &preset_model, &luckless_model, NULL };

static int create_tables(void **state)
{
	struct ath_session *db;

	if (create_database(state) != 0 || open_engine(state) != 0)
		return -1;
	db = open_session(0);
	if (!ath_create_all(db, models) || !ath_commit(db))
		die_of("ath_create_all", ath_session_error(db)->message);
	ath_session_close(&db);
	return close_engine(state);
}

static void test_scenario(void **state)
{
	struct scenario scenario = *(const struct scenario *)*state;

	for (int round = 0; round < 2; round++) {
		run_sql("truncate presets, lucklesses restart identity");
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
