/*
 * test_sandbox.c - an engine whose transactions all happen in one that is never committed: that
 * sessions do in it what they do elsewhere, and that nobody else sees any of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenario.h"

static int64_t people(struct ath_session *db)
{
	struct ath_query q = ath_query(person);

	return ath_count(db, &q);
}

static struct person *add_person(struct ath_session *db, const char *name, const char *email)
{
	struct person *person = person_new(db);

	person->name = name;
	person->email = email;
	person_add(db, person);
	return person;
}

static bool store_person(const char *name, const char *email)
{
	struct ath_session *db = open_session(0);
	bool stored;

	add_person(db, name, email);
	stored = ath_commit(db);
	ath_session_close(&db);
	return stored;
}

/* How many people a session of its own sees. */
static int64_t seen(void)
{
	struct ath_session *db = open_session(0);
	int64_t count = people(db);

	EXPECT_STATUS(db, ATH_OK);
	ath_session_close(&db);
	return count;
}

/* ---- what sessions do ---------------------------------------------------------------------- */

static void committed_is_seen_inside_alone(struct ath_session *db)
{
	add_person(db, "Ada", "ada@x");
	EXPECT(ath_commit(db));
	add_person(db, "Bob", "bob@x");
	add_person(db, "Cid", "cid@x");
	EXPECT(ath_commit(db)); /* BEGIN, two statements, COMMIT */
	EXPECT(seen() == 3);
	EXPECT_NUMBER("select count(*) from people", 0);
}

static void rolled_back_is_gone(struct ath_session *db)
{
	EXPECT(store_person("Ada", "ada@x"));
	add_person(db, "Bob", "bob@x");
	EXPECT(ath_flush(db) && people(db) == 2);
	ath_rollback(db);
	EXPECT(seen() == 1);
	add_person(db, "Cid", "cid@x");
	EXPECT(ath_flush(db));
	ath_session_disconnect(db); /* as closing does */
	EXPECT(seen() == 1);
}

static void failed_write_undoes_itself_alone(struct ath_session *db)
{
	EXPECT(store_person("Ada", "ada@x"));
	EXPECT(!store_person("Eve", "ada@x"));
	EXPECT(store_person("Bob", "bob@x"));
	add_person(db, "Cid", "cid@x");
	add_person(db, "Eve", "bob@x");
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EUNIQUE);
	ath_clear_error(db);
	EXPECT(seen() == 2);
}

static void failed_read_undoes_nothing(struct ath_session *db)
{
	EXPECT(store_person("Ada", "ada@x"));
	EXPECT(ath_sql(db, note, "select 1 / 0 as id, 1 as pet_id, '' as text").count == 0);
	EXPECT_STATUS(db, ATH_ERULE);
	EXPECT(seen() == 1);
	EXPECT(store_person("Bob", "bob@x"));
	EXPECT(seen() == 2);
}

static void reads_only_read(struct ath_session *db)
{
	struct ath_session_options options = { .read_only = true };
	struct ath_session *reader;
	struct ath_query all = ath_query(person);

	EXPECT(store_person("Ada", "ada@x"));
	(void)ath_sql(db, note,
		      "select nextval('people_id_seq') as id, 1::bigint as pet_id, '' as text");
	EXPECT_STATUS(db, ATH_EREADONLY);
	EXPECT(ath_session_open(&reader, engine, &options) == ATH_OK);
	ath_where(&all, ATH_ALL);
	EXPECT(ath_begin(reader) && people(reader) == 1);
	ath_delete_where(reader, &all);
	EXPECT_STATUS(reader, ATH_EREADONLY);
	ath_session_close(&reader);
	EXPECT(store_person("Bob", "bob@x")); /* it was that transaction alone */
	EXPECT(seen() == 2);
}

static void savepoints_of_a_session(struct ath_session *db)
{
	struct ath_savepoint sp;

	add_person(db, "Ada", "ada@x");
	EXPECT(ath_savepoint(db, &sp));
	add_person(db, "Eve", "ada@x");
	EXPECT(!ath_flush(db) && ath_rollback_to(db, &sp));
	add_person(db, "Bob", "bob@x");
	EXPECT(ath_commit(db));
	EXPECT(seen() == 2);
}

static struct ticket *add_ticket(struct ath_session *db, const char *code, int32_t seat)
{
	struct ticket *ticket = ticket_new(db);

	ticket->code = code;
	ticket->seat = seat;
	ticket_add(db, ticket);
	return ticket;
}

/* Deferred they are before the commit, at it they are not, and the next transaction is the same. */
static void deferred_constraints_are_checked_at_commit(struct ath_session *db)
{
	struct ticket *a = add_ticket(db, "a", 1), *b = add_ticket(db, "b", 2);

	EXPECT(ath_commit(db));
	for (int round = 0; round < 2; round++) {
		a->seat = b->seat;
		EXPECT(ath_flush(db));
		b->seat = a->seat + 1;
		EXPECT(ath_commit(db));
	}
	a->seat = b->seat;
	EXPECT(ath_flush(db));
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EUNIQUE);
	ath_clear_error(db);
	a->seat = b->seat; /* a single statement is a transaction, too */
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EUNIQUE);
	ath_clear_error(db);
	EXPECT(ticket_get(db, "a")->seat != ticket_get(db, "b")->seat);
}

static int64_t timeout_of(struct ath_session *db)
{
	struct note_list notes =
		ath_sql(db, note,
			"select setting::bigint as id, 1::bigint as pet_id, '' as text "
			"from pg_settings where name = 'statement_timeout'");

	EXPECT_STATUS(db, ATH_OK);
	return notes.count == 1 ? notes.items[0]->id : 0;
}

/* A session with a deadline of its own sets one for its transaction. */
static void time_limits_end_with_the_transaction(struct ath_session *db)
{
	struct ath_session *hurried = open_session(ath_now() + 20000);

	EXPECT(ath_begin(hurried)); /* and nothing that would have the connection reset */
	EXPECT(ath_commit(hurried));
	EXPECT(timeout_of(db) == 30000);
	ath_session_close(&hurried);
}

/* What is set for a transaction ends with it, and so do its cursors. */
static void transactions_leave_nothing_behind(struct ath_session *db)
{
	struct ath_session *other = open_session(0);
	struct ath_query all = ath_query(person);
	struct note_list notes;

	EXPECT(store_person("Ada", "ada@x") && store_person("Bob", "bob@x"));
	(void)ath_execute(other, "select set_config('application_name', 'mine', true)");
	(void)ath_execute(other, "set local role pg_monitor");
	EXPECT(ath_commit(other));
	EXPECT_STATUS(other, ATH_OK);
	notes = ath_sql(db, note,
			"select 1::bigint as id, (current_user = session_user)::int::bigint as "
			"pet_id, current_setting('application_name') as text");
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(notes.items[0]->pet_id == 1);
	EXPECT_TEXT(notes.items[0]->text, "athanor");
	for (int i = 0; i < 2; i++) {
		EXPECT(person_next(person_each(other, &all)) != NULL);
		EXPECT(ath_commit(other)); /* with the cursor open */
	}
	EXPECT_STATUS(other, ATH_OK);
	ath_session_close(&other);
}

static void isolation_is_not_asked_for(struct ath_session *db)
{
	ath_set_transaction(db, ATH_SERIALIZABLE, false);
	EXPECT(people(db) == 0);
	add_person(db, "Ada", "ada@x");
	EXPECT(ath_commit(db));
	EXPECT(seen() == 1);
}

/* A plan whose result has another shape now fails once, and is made again. */
static void stale_plans_are_made_again(struct ath_session *db)
{
	struct person *ada = add_person(db, "Ada", "ada@x");

	EXPECT(ath_commit(db));
	for (int i = 0; i < 2; i++) {
		EXPECT(ath_sql(db, note, "select t.* from (select * from notes) t").count == 0);
		EXPECT_STATUS(db, ATH_OK);
		ath_clear_error(db);
		(void)ath_execute(db, "alter table notes alter column text type varchar(50)");
		EXPECT(ath_commit(db));
	}
	EXPECT(person_refresh(db, ada));
	EXPECT_STATUS(db, ATH_OK);
}

/* ---- what the engine does -------------------------------------------------------------------- */

static enum ath_status reset(void)
{
	struct ath_error error;
	enum ath_status status = ath_engine_sandbox_reset(engine, &error);

	EXPECT(status == error.status);
	return status;
}

static void reset_begins_anew(struct ath_session *db)
{
	(void)db;
	EXPECT(reset() == ATH_OK); /* nothing has happened yet */
	EXPECT(store_person("Ada", "ada@x"));
	EXPECT(reset() == ATH_OK);
	EXPECT(seen() == 0);
	EXPECT(store_person("Ada", "ada@x"));
	EXPECT(!store_person("Eve", "ada@x")); /* and leaves a savepoint that failed */
	EXPECT(reset() == ATH_OK);
	EXPECT(seen() == 0 && store_person("Ada", "ada@x") && seen() == 1);
	EXPECT_NUMBER("select count(*) from people", 0);
	EXPECT(backends() == 1);
}

static void open_transaction_is_waited_for(struct ath_session *db)
{
	struct ath_session *other = open_session(0);

	EXPECT(ath_begin(db));
	EXPECT(people(other) == 0);
	EXPECT_STATUS(other, ATH_EUNAVAILABLE);
	EXPECT(reset() == ATH_EUNAVAILABLE);
	EXPECT(ath_commit(db));
	ath_clear_error(other);
	EXPECT(people(other) == 0 && reset() == ATH_OK);
	EXPECT_STATUS(other, ATH_OK);
	ath_session_close(&other);
}

/* The deadline ends the wait, not the transaction that holds everything. */
static void given_up_statement_loses_nothing(struct ath_session *db)
{
	struct ath_session *hurried = open_session(ath_now() + 60);

	(void)db;
	EXPECT(store_person("Ada", "ada@x"));
	EXPECT(ath_sql(hurried, note,
		       "select 1::bigint as id, 1::bigint as pet_id, "
		       "pg_sleep(60)::text as text")
		       .count == 0);
	EXPECT_STATUS(hurried, ATH_ETIMEDOUT);
	ath_session_close(&hurried);
	EXPECT(seen() == 1);
	hurried = open_session(ath_now() + 60);
	add_person(hurried, "Bob", "bob@x");
	(void)(ath_flush(hurried) && ath_execute(hurried, "select pg_sleep(60)"));
	EXPECT(status_of(hurried) == ATH_ETIMEDOUT);
	ath_session_close(&hurried);
	EXPECT(seen() == 1);
	EXPECT(store_person("Cid", "cid@x") && seen() == 2);
}

static void lost_connection_takes_all(struct ath_session *db)
{
	EXPECT(store_person("Ada", "ada@x"));
	EXPECT(ath_begin(db));
	terminate_backends();
	EXPECT(people(db) == 0);
	EXPECT_STATUS(db, ATH_EUNAVAILABLE);
	ath_clear_error(db);
	EXPECT(people(db) == 0);
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(store_person("Bob", "bob@x") && seen() == 1);
}

static void migrations_too(struct ath_session *db)
{
	char directory[64], path[128];
	struct ath_error error;
	FILE *file;

	(void)db;
	make_directory(directory, sizeof directory);
	snprintf(path, sizeof path, "%s/1_trees.sql", directory);
	file = fopen(path, "w");
	fputs("-- migrate:up\ncreate table trees (id bigint);\n"
	      "-- migrate:down\ndrop table trees;\n",
	      file);
	fclose(file);
	EXPECT(ath_migrate_up(engine, directory, NULL, &error) == ATH_OK);
	EXPECT(ath_migrate_down(engine, directory, NULL, &error) == ATH_OK);
	EXPECT(ath_migrate_up(engine, directory, NULL, &error) == ATH_OK);
	EXPECT_TEXT(error.message, "");
	EXPECT_NUMBER("select count(*) from pg_tables where tablename in "
		      "('trees', 'schema_migrations')",
		      0);
	EXPECT(reset() == ATH_OK);
	unlink(path);
	rmdir(directory);
}

/* ---- fibers -------------------------------------------------------------------------------- */

/* Adds one to Ada's age, looking away between reading and writing. */
static void grow_older(void *arg)
{
	struct ath_session *db = open_session(0);
	struct ath_query q = ath_query(person);
	struct person *ada;

	EXPECT(ath_begin(db));
	ada = person_one(db, &q);
	(void)ath_sleep(0);
	if (ada != NULL) {
		ada->age.valid = true;
		ada->age.value++;
	}
	*(int *)arg += ath_commit(db);
	ath_session_close(&db);
}

static void transactions_wait_for_each_other(void *arg)
{
	enum { FIBERS = 20 };
	struct ath_session *db = open_session(0);
	int stored = 0;

	(void)arg;
	EXPECT(store_person("Ada", "ada@x"));
	for (int i = 0; i < FIBERS; i++)
		EXPECT(ath_spawn(grow_older, &stored) == ATH_OK);
	while (stored < FIBERS && failure[0] == '\0')
		(void)ath_sleep(1);
	EXPECT(person_one(db, (struct ath_query[]){ ath_query(person) })->age.value == FIBERS);
	ath_session_close(&db);
}

/* ---- the tests ------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(struct ath_session *db);
} cases[] = {
#define CASE(name)                                                                                 \
	{                                                                                          \
#name, name                                                                        \
	}
	CASE(committed_is_seen_inside_alone),
	CASE(rolled_back_is_gone),
	CASE(failed_write_undoes_itself_alone),
	CASE(failed_read_undoes_nothing),
	CASE(reads_only_read),
	CASE(savepoints_of_a_session),
	CASE(deferred_constraints_are_checked_at_commit),
	CASE(time_limits_end_with_the_transaction),
	CASE(transactions_leave_nothing_behind),
	CASE(isolation_is_not_asked_for),
	CASE(stale_plans_are_made_again),
	CASE(reset_begins_anew),
	CASE(open_transaction_is_waited_for),
	CASE(given_up_statement_loses_nothing),
	CASE(lost_connection_takes_all),
	CASE(migrations_too),
};

static int open_sandbox(void **state)
{
	struct ath_engine_options options = { .sandbox = true, .pool_timeout_ms = 1000 };

	failure[0] = '\0';
	return open_loop(state) || open_engine_with(database_url, options);
}

static int create_tables_of_models(void **state)
{
	if (create_database(state) != 0)
		return -1;
	run_sql(TEST_TABLES);
	return 0;
}

static void case_task(void *arg)
{
	struct ath_session *db = open_session(0);

	cases[*(size_t *)arg].run(db);
	ath_session_close(&db);
}

/* Each in a plain program and in a fiber, and nothing is left in the database. */
static void run_cases(void **state)
{
	NOT_POOLED("a sandbox is refused behind a pooler");
	for (size_t i = 0; i < 2 * ATH_COUNT(cases); i++) {
		size_t number = i / 2;

		assert_int_equal(open_sandbox(state), 0);
		if (i % 2 == 0) {
			case_task(&number);
		} else {
			start(case_task, &number, ATH_NEVER);
			run_fibers();
		}
		if (failure[0] != '\0')
			fail_msg("%s: %s", cases[number].name, failure);
		assert_int_equal(ask_number("select count(*) from people"), 0);
		assert_int_equal(close_engine(state), 0);
	}
}

static int open_patient_sandbox(void **state)
{
	failure[0] = '\0';
	return open_loop(state) ||
	       open_engine_with(database_url, (struct ath_engine_options){ .sandbox = true });
}

static void run_fibers_case(void **state)
{
	NOT_POOLED("a sandbox is refused behind a pooler");
	assert_int_equal(open_patient_sandbox(state), 0);
	start(transactions_wait_for_each_other, NULL, ATH_NEVER);
	run_fibers();
	if (failure[0] != '\0')
		fail_msg("%s", failure);
	assert_int_equal(close_engine(state), 0);
}

static void other_engines_are_no_sandbox(void **state)
{
	struct ath_error error;

	(void)state;
	assert_int_equal(ath_engine_sandbox_reset(engine, &error), ATH_EINVAL);
	assert_string_equal(error.message, "the engine is no sandbox");
}

/* It would be lent another connection for the next transaction. */
static void pooler_is_refused(void **state)
{
	struct ath_engine_options options = { .sandbox = true,
					      .prepared_statements = ATH_PREPARED_OFF };
	struct ath_engine *refused;
	struct ath_error error;

	(void)state;
	assert_int_equal(ath_engine_open(&refused, database_url, &options, &error), ATH_EINVAL);
	assert_non_null(strstr(error.message, "sandbox"));
	assert_null(refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_cases),
		cmocka_unit_test(run_fibers_case),
		cmocka_unit_test_setup_teardown(other_engines_are_no_sandbox, open_engine,
						close_engine),
		cmocka_unit_test(pooler_is_refused),
	};

	return cmocka_run_group_tests(tests, create_tables_of_models, drop_database);
}
