/*
 * items.h - models with a column of every type and a relation of every kind, rows of them in
 * which every operator finds others, and the scenarios' program.
 */
#ifndef TESTS_ORM_ITEMS_H
#define TESTS_ORM_ITEMS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenario.h"

enum shade { RED, GREEN, BLUE };

ATH_LIST_(item)
struct passport;

struct maker {
	int64_t id;
	const char *name;
	struct ath_null_int64 boss_id;
	struct maker *boss;
	struct passport *passport;
	struct item_list items;
};
ATH_DECLARE_ORM_(maker, id)

struct passport {
	int64_t id;
	int64_t maker_id;
	const char *code;
	struct maker *maker;
};
ATH_DECLARE_ORM_(passport, id)

struct label {
	int64_t id;
	const char *word;
};
ATH_DECLARE_ORM_(label, id)

struct item_label {
	int64_t item_id;
	int64_t label_id;
};
ATH_DECLARE_ORM_(item_label, item_id, label_id)

struct item {
	int64_t id;
	int64_t maker_id;
	struct ath_null_int64 helper_id;
	const char *title;
	const char *nick; /* may be NULL */
	struct ath_null_int32 rank;
	int16_t grade;
	int32_t likes;
	double weight;
	struct ath_decimal price;
	enum shade shade;
	struct ath_null_enum edge;
	struct ath_date made;
	struct ath_timestamp seen;
	bool sold;
	struct ath_uuid code;
	struct ath_json facts;
	struct ath_bytes image;
	struct ath_text_array tags;
	struct ath_int64_array sizes;
	struct ath_uuid_array parts;
	struct maker *maker;
	struct maker *helper;
	struct label_list labels;
};
ATH_DECLARE_READING_(item)
ATH_DECLARE_WRITING_(item, id)

#define SHADES .values = ATH_VALUES("red", "green", "blue")

ATH_MODEL(maker, "makers", ATH_COLUMN(maker, id, .primary_key = true), ATH_COLUMN(maker, name),
	  ATH_COLUMN(maker, boss_id, .references = &maker_model),
	  ATH_BELONGS_TO(maker, boss, maker, boss_id),
	  ATH_HAS_ONE(maker, passport, passport, maker_id),
	  ATH_HAS_MANY(maker, items, item, maker_id));

ATH_MODEL(passport, "passports", ATH_COLUMN(passport, id, .primary_key = true),
	  ATH_COLUMN(passport, maker_id, .references = &maker_model, .unique = true),
	  ATH_COLUMN(passport, code), ATH_BELONGS_TO(passport, maker, maker, maker_id));

ATH_MODEL(label, "labels", ATH_COLUMN(label, id, .primary_key = true),
	  ATH_COLUMN(label, word, .unique = true));

ATH_MODEL(item_label, "item_labels",
	  ATH_COLUMN(item_label, item_id, .primary_key = true, .references = &item_model,
		     .on_delete = ATH_CASCADE),
	  ATH_COLUMN(item_label, label_id, .primary_key = true, .references = &label_model,
		     .on_delete = ATH_CASCADE));

ATH_MODEL(item, "items", ATH_COLUMN(item, id, .primary_key = true),
	  ATH_COLUMN(item, maker_id, .references = &maker_model, .index = true),
	  ATH_COLUMN(item, helper_id, .references = &maker_model), ATH_COLUMN(item, title),
	  ATH_COLUMN(item, nick, .nullable = true), ATH_COLUMN(item, rank), ATH_COLUMN(item, grade),
	  ATH_COLUMN(item, likes), ATH_COLUMN(item, weight),
	  ATH_COLUMN(item, price, .precision = 12, .scale = 2), ATH_COLUMN(item, shade, SHADES),
	  ATH_COLUMN(item, edge, SHADES), ATH_COLUMN(item, made), ATH_COLUMN(item, seen),
	  ATH_COLUMN(item, sold), ATH_COLUMN(item, code), ATH_COLUMN(item, facts),
	  ATH_COLUMN(item, image), ATH_COLUMN(item, tags), ATH_COLUMN(item, sizes),
	  ATH_COLUMN(item, parts), ATH_BELONGS_TO(item, maker, maker, maker_id),
	  ATH_BELONGS_TO(item, helper, maker, helper_id),
	  ATH_MANY_TO_MANY(item, labels, label, item_label, item_id, label_id),
	  ATH_INDEX_ON(item, title_words, "to_tsvector('english', title)", .method = "gin"));

static const struct ath_model *const item_models[] = { &maker_model,      &passport_model,
						       &label_model,      &item_model,
						       &item_label_model, NULL };

/*
 * 1 Ann                   1 "Red Lamp"     2 "red car"      3 "Old Chairs"   4 "%_\"
 * 2 Ben, under Ann        of Ann           of Ann           of Ben           of Cyd
 * 3 Cyd, under Ben        with Ben         with nobody      with Cyd         with Ann
 * 4 Dee, with no item
 */
#define FEW_ITEMS                                                                                  \
	"insert into makers (name, boss_id) values"                                                \
	" ('Ann', null), ('Ben', 1), ('Cyd', 2), ('Dee', null);"                                   \
	"insert into passports (maker_id, code) values (1, 'P-1'), (2, 'P-2');"                    \
	"insert into labels (word) values ('big'), ('new'), ('rare');"                             \
	"insert into items (maker_id, helper_id, title, nick, rank, grade, likes, weight, price,"  \
	" shade, edge, made, seen, sold, code, facts, image, tags, sizes, parts) values"           \
	" (1, 2, 'Red Lamp', 'lamp', 10, 1, 5, 1.5, 19.99, 'red', 'blue', '2024-01-01',"           \
	"  '2024-01-01 10:00Z', false, '00000000-0000-0000-0000-000000000001',"                    \
	"  '{\"size\": 1, \"kind\": \"lamp\", \"on\": [1, 2]}', '\\x01', '{a,b}', '{1,2}',"        \
	"  '{00000000-0000-0000-0000-00000000000a}'),"                                             \
	" (1, null, 'red car', null, 20, 2, 7, 2.5, 20.00, 'green', null, '2024-02-01',"           \
	"  '2024-02-01 10:00Z', true, '00000000-0000-0000-0000-000000000002',"                     \
	"  '{\"size\": 2, \"kind\": \"car\"}', '\\x02', '{b,c}', '{2,3}', '{}'),"                  \
	" (2, 3, 'Old Chairs', 'seat', 30, 3, 7, 3.5, 20.01, 'blue', 'red', '2024-03-01',"         \
	"  '2024-03-01 10:00Z', false, '00000000-0000-0000-0000-000000000003',"                    \
	"  '{\"size\": 3, \"kind\": \"chair\", \"on\": []}', '\\x03', '{c}', '{3}',"               \
	"  '{00000000-0000-0000-0000-00000000000b,00000000-0000-0000-0000-00000000000a}'),"        \
	" (3, 1, '%_\\', null, null, 4, 0, -1, -3, 'red', 'green', '1999-12-31',"                  \
	"  '1999-12-31 10:00Z', true, '00000000-0000-0000-0000-000000000004',"                     \
	"  '[\"lamp\"]', '\\x', '{}', '{}', '{}');"                                                \
	"insert into item_labels values (1, 1), (1, 2), (2, 2), (3, 1)"

static inline void store_items(void)
{
	run_sql(FEW_ITEMS);
}

static inline struct ath_query items_by_id(void)
{
	struct ath_query query = ath_query(item);

	ath_order_by(&query, ATH_ASC(item, id));
	return query;
}

/* The ids of a query's items, in its order: "1,2,4"; an error's text when there is one. */
static inline const char *ids_of(struct ath_session *db, const struct ath_query *query)
{
	static char text[256];
	struct item_list list = item_all(db, query);
	size_t length = 0;

	text[0] = '\0';
	if (ath_session_error(db) != NULL)
		return ath_session_error(db)->message;
	for (size_t i = 0; i < list.count && length < sizeof text; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, "%s%lld",
					   i == 0 ? "" : ",", (long long)list.items[i]->id);
	return text;
}

static inline const char *ids_where(struct ath_session *db, struct ath_expression condition)
{
	struct ath_query query = items_by_id();

	ath_where(&query, condition);
	return ids_of(db, &query);
}

#define EXPECT_IDS(db, condition, ids) EXPECT_TEXT(ids_where(db, condition), ids)
#define EXPECT_QUERY(db, query, ids)   EXPECT_TEXT(ids_of(db, query), ids)

static inline struct ath_uuid uuid_of(unsigned char last)
{
	return (struct ath_uuid){ .bytes = { [15] = last } };
}

/* The error that a mistake must be: in words that hold nothing of the caller's. */
static inline bool expect_refused(struct ath_session *db, enum ath_status status,
				  const char *message, int line)
{
	const struct ath_error *error = ath_session_error(db);
	bool met = expect_status(db, status, message, line) &&
		   expect_equal(error == NULL ? "" : error->message, message, line);

	ath_clear_error(db);
	return met;
}

#define EXPECT_REFUSED(db, status, message) expect_refused(db, status, message, __LINE__)

/* ---- the program ----------------------------------------------------------------------------- */

#define DIRECT(function_)                                                                          \
	{                                                                                          \
		.name = #function_, .run = function_                                               \
	}
#define PROXIED(function_)                                                                         \
	{                                                                                          \
		.name = #function_, .run = function_, .proxied = true                              \
	}

static const char *more_tables = "", *all_tables = "";

static inline int set_scenario_up(void **state)
{
	const struct scenario *scenario = *state;
	struct ath_engine_options options = { .log = &silence };
	char sql[512];

	failure[0] = '\0';
	snprintf(
		sql, sizeof sql,
		"truncate makers, passports, labels, items, item_labels%s restart identity cascade",
		all_tables);
	run_sql(sql);
	if (open_loop(NULL) != 0)
		return -1;
	options.loop = scenario->in_fiber ? loop : NULL;
	return ath_engine_open(&engine, scenario->proxied ? proxy_url : database_url, &options,
			       &(struct ath_error){ 0 }) != ATH_OK;
}

static inline void test_scenario(void **state)
{
	struct scenario *scenario = *state;

	if (scenario->in_fiber) {
		start(run_in_session, scenario, ATH_NEVER);
		run_fibers();
	} else {
		run_in_session(scenario);
	}
	if (failure[0] != '\0')
		fail_msg("%s", failure);
}

static inline void create_items(void)
{
	struct ath_error error = { 0 };
	struct ath_session *db;

	if (ath_models_check(item_models, &error) != ATH_OK)
		die_of("the models", error.message);
	if (open_loop(NULL) != 0 ||
	    open_engine_with(database_url, (struct ath_engine_options){ .log = &silence }) != 0)
		die_of("the engine", "not open");
	db = open_session(0);
	if (!ath_create_all(db, item_models) || !ath_commit(db))
		die_of("ath_create_all", db->error.message);
	ath_session_close(&db);
	close_engine(NULL);
}

static inline int set_program_up(void **state)
{
	if (create_database(state) != 0)
		return -1;
	create_items();
	if (*more_tables != '\0')
		run_sql(more_tables);
	start_proxy();
	return 0;
}

static inline int tear_program_down(void **state)
{
	stop_proxy();
	return drop_database(state);
}

/* Every scenario in a plain program, and in a fiber. */
#define RUN_SCENARIOS(scenarios_)                                                                  \
	do {                                                                                       \
		enum { COUNT = ATH_COUNT(scenarios_) };                                            \
		static struct scenario in_fiber[COUNT];                                            \
		static struct CMUnitTest tests[2 * COUNT];                                         \
		static char names[COUNT][80];                                                      \
                                                                                                   \
		fill_tests(scenarios_, in_fiber, tests, names, COUNT);                             \
		return cmocka_run_group_tests(tests, set_program_up, tear_program_down);           \
	} while (0)

static inline void fill_tests(struct scenario *scenarios, struct scenario *in_fiber,
			      struct CMUnitTest *tests, char (*names)[80], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct CMUnitTest test = { scenarios[i].name, test_scenario, set_scenario_up,
					   close_engine, &scenarios[i] };

		in_fiber[i] = scenarios[i];
		in_fiber[i].in_fiber = true;
		snprintf(names[i], sizeof names[i], "%s, in a fiber", scenarios[i].name);
		tests[2 * i] = test;
		test.name = names[i];
		test.initial_state = &in_fiber[i];
		tests[2 * i + 1] = test;
	}
}

#endif
