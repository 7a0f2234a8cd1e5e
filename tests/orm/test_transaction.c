/*
 * test_transaction.c - savepoints, locks, trying again, and the UPDATE and DELETE of all rows
 * that a query finds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenario.h"

static struct person *new_person(struct ath_session *db, const char *name, const char *email)
{
	struct person *person = person_new(db);

	person->name = name;
	person->email = email;
	person_add(db, person);
	return person;
}

static void store_three(void)
{
	run_sql("insert into people (name, email, age) values "
		"('Ada', 'ada@x', 36), ('Bob', 'bob@x', 40), ('Cid', 'cid@x', 85)");
}

/* ---- savepoints ------------------------------------------------------------------------- */

static void failed_statement_behind_a_savepoint(struct ath_session *db)
{
	struct ath_savepoint sp;

	new_person(db, "Ada", "ada@x");
	EXPECT(ath_savepoint(db, &sp));
	new_person(db, "Eve", "ada@x");
	EXPECT(!ath_flush(db));
	EXPECT_STATUS(db, ATH_EUNIQUE);
	EXPECT(ath_rollback_to(db, &sp));
	EXPECT_STATUS(db, ATH_OK);
	new_person(db, "Bob", "bob@x");
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people", 2);
}

static void savepoints_nest(struct ath_session *db)
{
	struct ath_savepoint outer, inner;

	EXPECT(ath_savepoint(db, &outer));
	new_person(db, "Ada", "ada@x");
	EXPECT(ath_savepoint(db, &inner));
	new_person(db, "Bob", "bob@x");
	EXPECT(ath_release(db, &inner));
	new_person(db, "Cid", "cid@x");
	EXPECT(ath_flush(db));
	EXPECT(ath_rollback_to(db, &outer));
	new_person(db, "Dot", "dot@x");
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select string_agg(name, ',') from people"), "Dot");
}

static void inner_savepoint_rolled_back_alone(struct ath_session *db)
{
	struct ath_savepoint outer, inner;

	EXPECT(ath_savepoint(db, &outer));
	new_person(db, "Ada", "ada@x");
	EXPECT(ath_savepoint(db, &inner));
	new_person(db, "Bob", "bob@x");
	EXPECT(ath_flush(db));
	EXPECT(ath_rollback_to(db, &inner));
	EXPECT(ath_release(db, &outer));
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select string_agg(name, ',') from people"), "Ada");
}

static void savepoint_that_is_not_open(struct ath_session *db)
{
	struct ath_savepoint sp, never = { 0 };

	EXPECT(ath_savepoint(db, &sp));
	EXPECT(ath_release(db, &sp));
	EXPECT(!ath_rollback_to(db, &sp));
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	EXPECT(!ath_release(db, &never));
	EXPECT_STATUS(db, ATH_EINVAL);
}

static void savepoint_of_a_committed_transaction(struct ath_session *db)
{
	struct ath_savepoint sp;

	EXPECT(ath_savepoint(db, &sp));
	EXPECT(ath_commit(db));
	EXPECT(!ath_rollback_to(db, &sp));
	EXPECT_STATUS(db, ATH_EINVAL);
}

static void unique_violation_without_going_back(struct ath_session *db)
{
	struct ath_savepoint sp;

	new_person(db, "Ada", "ada@x");
	EXPECT(ath_savepoint(db, &sp));
	new_person(db, "Eve", "ada@x");
	EXPECT(!ath_commit(db)); /* a commit is the end, savepoint or not */
	EXPECT_STATUS(db, ATH_EUNIQUE);
	EXPECT_NUMBER("select count(*) from people", 0);
}

/* ---- rows that a query finds ---------------------------------------------------------------- */

static void update_where(struct ath_session *db)
{
	struct ath_query q = ath_query(person);

	store_three();
	ath_where(&q, ATH_GE(person, age, 40));
	EXPECT(ath_update(db, &q, ATH_SET(person, name, "Old"), ATH_SET(person, nick, "o'x"),
			  ATH_SET_NULL(person, age)) == 2);
	EXPECT_NUMBER("select count(*) from people where name = 'Old'", 0); /* not committed */
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people where name = 'Old' and nick = 'o''x' "
		      "and age is null",
		      2);
}

static void delete_where(struct ath_session *db)
{
	struct ath_query q = ath_query(person);

	store_three();
	new_person(db, "Dot", "dot@x"); /* pending: the statement must see it */
	ath_where(&q, ATH_OR(ATH_EQ(person, name, "Dot"), ATH_EQ(person, name, "Ada")));
	EXPECT(ath_delete_where(db, &q) == 2);
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select string_agg(name, ',' order by id) from people"), "Bob,Cid");
}

static void no_condition_is_refused(struct ath_session *db)
{
	struct ath_query q = ath_query(person);

	store_three();
	EXPECT(ath_delete_where(db, &q) == 0);
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	EXPECT(ath_update(db, &q, ATH_SET(person, name, "x")) == 0);
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	EXPECT_NUMBER("select count(*) from people where name <> 'x'", 3);
	ath_where(&q, ATH_ALL);
	EXPECT(ath_delete_where(db, &q) == 3);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people", 0);
}

static void limit_or_foreign_column_is_refused(struct ath_session *db)
{
	struct ath_query q = ath_query(person);

	store_three();
	ath_where(&q, ATH_ALL);
	EXPECT(ath_update(db, &q, ATH_SET(pet, name, "x")) == 0);
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	ath_limit(&q, 1);
	EXPECT(ath_delete_where(db, &q) == 0);
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	q = ath_query(person);
	ath_where(&q, ATH_OR(ATH_ALL, ATH_EQ(person, name, "Ada")));
	EXPECT(ath_delete_where(db, &q) == 0);
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT_NUMBER("select count(*) from people", 3);
}

static void all_adds_nothing_to_a_select(struct ath_session *db)
{
	struct ath_query q = ath_query(person);

	store_three();
	ath_where(&q, ATH_ALL);
	ath_where(&q, ATH_EQ(person, name, "Ada"));
	EXPECT(person_all(db, &q).count == 1);
}

/* ---- locks ----------------------------------------------------------------------------------- */

static void locked_rows_are_skipped_or_told(struct ath_session *db)
{
	struct ath_session *other = open_session(0);
	struct ath_query q = ath_query(person);
	struct person_list list;

	store_three();
	ath_where(&q, ATH_EQ(person, name, "Bob"));
	ath_lock(&q, ATH_FOR_UPDATE);
	EXPECT(person_first(db, &q) != NULL);
	q = ath_query(person);
	ath_order_by(&q, ATH_ASC(person, id));
	ath_lock(&q, ATH_SKIP_LOCKED);
	list = person_all(other, &q);
	EXPECT(list.count == 2 && strcmp(list.items[1]->name, "Cid") == 0);
	ath_rollback(other);
	ath_lock(&q, ATH_NOWAIT);
	EXPECT(person_all(other, &q).count == 0);
	EXPECT_STATUS(other, ATH_ELOCKED);
	ath_clear_error(other);
	ath_rollback(db); /* which frees the row */
	EXPECT(person_all(other, &q).count == 3);
	ath_session_close(&other);
}

/* ---- trying again --------------------------------------------------------------------------- */

struct attempt {
	int calls, conflicts;
};

/* Loses against a change behind its back, as often as it is told to. */
static void increment(struct ath_session *db, void *arg)
{
	struct attempt *attempt = arg;

	attempt->calls++;
	if (attempt->calls <= attempt->conflicts)
		ath_session_fail(db, ATH_ESERIALIZATION, "could not serialize");
	new_person(db, "Ada", "ada@x");
	ath_commit(db);
}

static void retry_until_it_works(struct ath_session *db)
{
	struct attempt attempt = { .conflicts = 2 };
	struct ath_error error;

	(void)db;
	EXPECT(ath_retry(engine, 5, NULL, increment, &attempt, &error) == ATH_OK);
	EXPECT(attempt.calls == 3 && error.status == ATH_OK);
	EXPECT_NUMBER("select count(*) from people", 1);
}

static void retry_gives_up(struct ath_session *db)
{
	struct attempt attempt = { .conflicts = 9 };
	struct ath_error error;

	(void)db;
	EXPECT(ath_retry(engine, 3, NULL, increment, &attempt, &error) == ATH_ESERIALIZATION);
	EXPECT(attempt.calls == 3 && error.status == ATH_ESERIALIZATION);
	EXPECT_NUMBER("select count(*) from people", 0);
}

static void retry_is_for_serialization_alone(struct ath_session *db)
{
	struct attempt attempt = { 0 };
	struct ath_error error;

	(void)db;
	store_three();
	EXPECT(ath_retry(engine, 3, NULL, increment, &attempt, &error) == ATH_EUNIQUE);
	EXPECT(attempt.calls == 1);
}

#define SCENARIO(name)                                                                             \
	{                                                                                          \
#name, name, false, false                                                          \
	}
static struct scenario scenarios[] = {
	SCENARIO(failed_statement_behind_a_savepoint),
	SCENARIO(savepoints_nest),
	SCENARIO(inner_savepoint_rolled_back_alone),
	SCENARIO(savepoint_that_is_not_open),
	SCENARIO(savepoint_of_a_committed_transaction),
	SCENARIO(unique_violation_without_going_back),
	SCENARIO(update_where),
	SCENARIO(delete_where),
	SCENARIO(no_condition_is_refused),
	SCENARIO(limit_or_foreign_column_is_refused),
	SCENARIO(all_adds_nothing_to_a_select),
	SCENARIO(locked_rows_are_skipped_or_told),
	SCENARIO(retry_until_it_works),
	SCENARIO(retry_gives_up),
	SCENARIO(retry_is_for_serialization_alone),
};

static int setup(void **state)
{
	struct ath_engine_options options = { .log = &silence };

	(void)state;
	failure[0] = '\0';
	run_sql("truncate people, pets, notes, kinds, tickets, changes restart identity");
	if (open_loop(NULL) != 0)
		return -1;
	options.loop = loop;
	return ath_engine_open(&engine, database_url, &options, &(struct ath_error){ 0 }) != ATH_OK;
}

static void test_scenario(void **state)
{
	start(run_in_session, *state, ATH_NEVER);
	run_fibers();
	if (failure[0] != '\0')
		fail_msg("%s", failure);
}

static int setup_all(void **state)
{
	if (create_database(state) != 0)
		return -1;
	run_sql(TEST_TABLES);
	return 0;
}

int main(void)
{
	struct CMUnitTest tests[ATH_COUNT(scenarios)];

	for (size_t i = 0; i < ATH_COUNT(scenarios); i++)
		tests[i] = (struct CMUnitTest){ scenarios[i].name, test_scenario, setup,
						close_engine, &scenarios[i] };
	return cmocka_run_group_tests(tests, setup_all, drop_database);
}
