/*
 * test_repeats.c - what counts as the same statement again and again, and what does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tables.h"

enum { MANY = ATH_MANY_TIMES + 1 };

static bool is_told(const struct ath_session *db, const char *text, size_t times)
{
	struct ath_repeat repeat = ath_session_repeated(db);

	return repeat.text != NULL && strstr(repeat.text, text) != NULL && repeat.count == times;
}

static void add_people(struct ath_session *db, int from, int count)
{
	for (int i = from; i < from + count; i++) {
		struct person *person = person_new(db);

		person->name = "Ada";
		person->email = ath_arena_printf(db->arena, "%d@example.org", i);
		person_add(db, person);
	}
}

static void reads_in_a_loop(struct ath_session *db)
{
	for (int64_t i = 1; i <= ATH_MANY_TIMES; i++)
		EXPECT(person_get(db, i) == NULL);
	EXPECT(ath_session_repeated(db).text == NULL);
	(void)person_get(db, 99);
	EXPECT(is_told(db, "FROM \"people\"", MANY));
	(void)person_get(db, 100);
	EXPECT(is_told(db, "FROM \"people\"", MANY + 1));
	for (int64_t i = 0; i < 2 * MANY; i++) /* the first is what is told */
		EXPECT(pet_get(db, i) == NULL);
	EXPECT(is_told(db, "FROM \"people\"", MANY + 1));
}

static void writes_in_a_loop(struct ath_session *db)
{
	add_people(db, 0, 2 * MANY); /* as many rows as one likes are one */
	EXPECT(ath_commit(db));
	EXPECT(ath_session_repeated(db).text == NULL);
	for (int i = 0; i < ATH_MANY_TIMES; i++) {
		add_people(db, 100 + i, 1);
		EXPECT(ath_commit(db));
	}
	EXPECT(is_told(db, "INSERT INTO \"people\"", MANY));
}

/* Savepoints, commits, and what a cursor fetches are nobody's queries. */
static void others_do_not_count(struct ath_session *db)
{
	struct ath_savepoint sp;
	struct ath_query all = ath_query(person);
	struct ath_cursor *rows;
	size_t before;

	for (int i = 0; i < 2 * MANY; i++)
		EXPECT(ath_savepoint(db, &sp) && ath_release(db, &sp));
	for (int i = 0; i < 2 * MANY; i++) {
		EXPECT(ath_begin(db));
		EXPECT(ath_commit(db));
	}
	EXPECT(ath_session_repeated(db).text == NULL);
	(void)ath_execute(db, "insert into people (name, email, score)"
			      " select repeat('x', 20), repeat('x', 100000) || n, 1"
			      " from generate_series(1, 200) n");
	before = db->round_trips;
	rows = person_each(db, &all);
	while (person_next(rows) != NULL)
		;
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(db->round_trips > before + MANY);
	EXPECT(ath_session_repeated(db).text == NULL);
}

/* One of them is found among more statements than are kept in mind. */
static void one_among_many(struct ath_session *db)
{
	static const char *const texts[] = {
		"select 1",  "select 2",  "select 3",  "select 4",  "select 5",
		"select 6",  "select 7",  "select 8",  "select 9",  "select 10",
		"select 11", "select 12", "select 13", "select 14", "select 15",
		"select 16", "select 17", "select 18", "select 19", "select 20",
	};

	for (int i = 0; i < MANY; i++) {
		(void)person_get(db, i);
		(void)person_get(db, 1000 + i);
		for (size_t each = 0; each < ATH_COUNT(texts); each++) {
			struct ath_batch *batch = ath_session_batch(db, 1);

			batch->statements[0] = ath_statement_of(texts[each]);
			EXPECT(ath_session_run(db, batch));
			ath_batch_clear(batch);
		}
	}
	EXPECT(is_told(db, "FROM \"people\"", 2 * MANY));
}

static struct scenario scenarios[] = {
	SCENARIO(reads_in_a_loop),
	SCENARIO(writes_in_a_loop),
	SCENARIO(others_do_not_count),
	SCENARIO(one_among_many),
};

static int setup_all(void **state)
{
	static const struct ath_model *const models[] = { &person_model, &pet_model, &note_model,
							  NULL };

	return setup_tables(state, models);
}

int main(void)
{
	RUN_SCENARIOS(scenarios, setup_all);
}
