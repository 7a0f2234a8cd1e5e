/*
 * scenario.h - what a session does, tried twice: in a plain program, and in a fiber. A failed
 * assertion must not jump off a fiber's stack, so a scenario expects, and goes on.
 */
#ifndef TESTS_ORM_SCENARIO_H
#define TESTS_ORM_SCENARIO_H

#include "../db/engine_fixture.h"
#include "../db/proxy.h"
#include "models.h"

struct scenario {
	const char *name;
	void (*run)(struct ath_session *db);
	bool proxied;
	bool in_fiber; /* set for the second run */
};

static char failure[512]; /* the first expectation that was not met */

static inline bool expect(bool met, const char *what, int line)
{
	if (!met && failure[0] == '\0')
		snprintf(failure, sizeof failure, "line %d: %s", line, what);
	return met;
}

#define EXPECT(expression) expect((expression), #expression, __LINE__)

static inline bool expect_equal(const char *value, const char *expected, int line)
{
	bool met = value != NULL && strcmp(value, expected) == 0;

	if (!met && failure[0] == '\0')
		snprintf(failure, sizeof failure, "line %d: \"%s\", not \"%s\"", line,
			 value == NULL ? "(null)" : value, expected);
	return met;
}

#define EXPECT_TEXT(value, expected) expect_equal((value), (expected), __LINE__)
#define EXPECT_NUMBER(sql, expected)                                                               \
	expect(ask_number(sql) == (expected), sql " is " #expected, __LINE__)

static inline enum ath_status status_of(const struct ath_session *db)
{
	const struct ath_error *error = ath_session_error(db);

	return error == NULL ? ATH_OK : error->status;
}

#define EXPECT_STATUS(db, expected) expect_status((db), (expected), #expected, __LINE__)

static inline bool expect_status(const struct ath_session *db, enum ath_status expected,
				 const char *name, int line)
{
	bool met = status_of(db) == expected;

	if (!met && failure[0] == '\0')
		snprintf(failure, sizeof failure, "line %d: not %s, but: %s %s", line, name,
			 ath_status_text(status_of(db)), db->error.message);
	return met;
}

static inline struct ath_session *open_session(int64_t deadline)
{
	struct ath_session_options options = { .deadline = deadline };
	struct ath_session *db;

	if (ath_session_open(&db, engine, &options) != ATH_OK)
		die_of("ath_session_open", "no session");
	return db;
}

/* Lets the loop do what there is, from inside a fiber or outside. */
static inline void give_way(void)
{
	if (ath_fiber_current() != NULL)
		(void)ath_sleep(1);
	else
		ath_loop_turn(ath_engine_loop(engine), ath_now() + 1);
}

static inline void run_in_session(void *arg)
{
	const struct scenario *scenario = arg;
	struct ath_session *db = open_session(0);

	scenario->run(db);
	ath_session_close(&db);
}

#endif
