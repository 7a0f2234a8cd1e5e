/* test_timing.c - what a session has run, how long that took, and what is kept of many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tables.h"

static bool is_timed(const struct ath_session *db, size_t i, const char *text, size_t rows)
{
	const struct ath_timed_statement *timed = &db->times->statements[i];

	return i < db->times->count && strncmp(timed->text, text, strlen(text)) == 0 &&
	       timed->rows == rows;
}

static void add_people(struct ath_session *db, int count)
{
	for (int i = 0; i < count; i++) {
		struct person *person = person_new(db);

		person->name = "Ada";
		person->email = ath_arena_printf(db->arena, "%d@example.org", i);
		person_add(db, person);
	}
}

static void nobody_asks(struct ath_session *db)
{
	(void)person_get(db, 1);
	EXPECT(db->times == NULL);
}

/* Those of one round trip have its time, which counts once. */
static void statements_and_rows(struct ath_session *db)
{
	struct ath_query all = ath_query(person);
	uint64_t together;

	ath_session_want_times(db);
	EXPECT(person_get(db, 1) == NULL);
	EXPECT(is_timed(db, 0, "SELECT ", 0));
	add_people(db, 2);
	EXPECT(ath_commit(db));
	EXPECT(is_timed(db, 1, "INSERT INTO \"people\"", 1));
	EXPECT(is_timed(db, 2, "INSERT INTO \"people\"", 1));
	together = db->times->statements[1].microseconds;
	EXPECT(db->times->statements[2].microseconds == together);
	EXPECT(db->times->microseconds == db->times->statements[0].microseconds + together);
	EXPECT(person_all(db, &all).count == 2);
	EXPECT(is_timed(db, db->times->count - 1, "SELECT ", 2));
	EXPECT(db->times->count == db->statement_count);
}

static void a_statement_that_fails(struct ath_session *db)
{
	ath_session_want_times(db);
	(void)ath_execute(db, "select pg_sleep(0.02), 1 / 0");
	EXPECT(is_timed(db, 0, "BEGIN", 0));
	EXPECT(is_timed(db, db->times->count - 1, "select pg_sleep", 0));
	EXPECT(db->times->microseconds > 0);
}

static void a_cursor(struct ath_session *db)
{
	struct ath_query all = ath_query(person);
	struct ath_cursor *rows;

	add_people(db, 20);
	EXPECT(ath_flush(db));
	ath_session_want_times(db);
	rows = person_each(db, &all);
	while (person_next(rows) != NULL)
		;
	EXPECT(is_timed(db, 0, "DECLARE ", 0));
	EXPECT(is_timed(db, 1, "FETCH", 10));
	EXPECT(is_timed(db, 2, "FETCH", 10));
}

/* Among more than are kept the slow one stays, and the last is behind it. */
static void the_slowest_of_many(struct ath_session *db)
{
	enum { SLOW = 40, MANY = 100 };
	const struct ath_times *times;
	bool slow_is_there = false;

	ath_session_want_times(db);
	times = db->times;
	for (int i = 0; i < MANY; i++) {
		if (i == SLOW)
			(void)ath_execute(db, "select pg_sleep(0.2)");
		(void)note_get(db, i);
	}
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(times->count == ATH_MOST_TIMED);
	for (size_t i = 0; i < times->count; i++) {
		const struct ath_timed_statement *each = &times->statements[i];

		slow_is_there |= strcmp(each->text, "select pg_sleep(0.2)") == 0 &&
				 each->microseconds >= 200000 && each->rows == 1;
	}
	EXPECT(slow_is_there);
	EXPECT(times->microseconds >= 200000);
}

static struct scenario scenarios[] = {
	SCENARIO(nobody_asks), SCENARIO(statements_and_rows), SCENARIO(a_statement_that_fails),
	SCENARIO(a_cursor),    SCENARIO(the_slowest_of_many),
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
