/* test_migrations.c - numbered SQL files on a real database, one after the other and at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/wait.h>

#include "../db/engine_fixture.h"
#include "orm/orm.h"

static char directory[64];
static char done_files[512]; /* in the order of doing */
static struct ath_error error;

static void note_done(const char *file)
{
	snprintf(done_files + strlen(done_files), sizeof done_files - strlen(done_files), "%.60s ",
		 file);
}

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "w");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		die_of(path, strerror(errno));
}

static void write_table(const char *name, const char *table)
{
	char text[256];

	snprintf(text, sizeof text,
		 "-- migrate:up\ncreate table %s (id int);\n\n-- migrate:down\ndrop table %s;\n",
		 table, table);
	write_file(name, text);
}

static int setup(void **state)
{
	(void)state;
	run_sql("drop schema public cascade; create schema public");
	make_directory(directory, sizeof directory);
	done_files[0] = '\0';
	return open_engine(state);
}

static int teardown(void **state)
{
	DIR *listing = opendir(directory);
	struct dirent *entry;

	while (listing != NULL && (entry = readdir(listing)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(listing), entry->d_name, 0);
	if (listing != NULL)
		closedir(listing);
	rmdir(directory);
	return close_engine(state);
}

static enum ath_status up(void)
{
	return ath_migrate_up(engine, directory, note_done, &error);
}

static enum ath_status down(void)
{
	return ath_migrate_down(engine, directory, note_done, &error);
}

static void expect_ok(enum ath_status status)
{
	if (status != ATH_OK)
		fail_msg("%s", error.message);
}

static void expect_versions(const char *versions)
{
	assert_string_equal(ask("select coalesce(string_agg(version, ' ' order by version), '') "
				"from schema_migrations"),
			    versions);
}

static bool has_table(const char *name)
{
	char sql[128];

	snprintf(sql, sizeof sql, "select (to_regclass('%s') is not null)::int", name);
	return ask_number(sql) == 1;
}

/* ---- what there is -------------------------------------------------------------------------- */

static void note_state(const char *migration, enum ath_migration_state state, void *arg)
{
	static const char *const words[] = { [ATH_MIGRATION_APPLIED] = "applied",
					     [ATH_MIGRATION_PENDING] = "pending",
					     [ATH_MIGRATION_UNKNOWN] = "unknown" };

	assert_ptr_equal(arg, done_files);
	snprintf(done_files + strlen(done_files), sizeof done_files - strlen(done_files),
		 "%.60s %s, ", migration, words[state]);
}

static void expect_list(const char *text)
{
	done_files[0] = '\0';
	expect_ok(ath_migrations_list(engine, directory, note_state, done_files, &error));
	assert_string_equal(done_files, text);
}

static void test_the_list(void **state)
{
	(void)state;
	expect_list("");
	write_table("2_second.sql", "second");
	write_table("1_first.sql", "first");
	write_file("notes.txt", "");
	expect_list("1_first.sql pending, 2_second.sql pending, ");
	assert_false(has_table("schema_migrations")); /* nothing is made by looking */
	expect_ok(up());
	write_table("4_fourth.sql", "fourth");
	expect_list("1_first.sql applied, 2_second.sql applied, 4_fourth.sql pending, ");
	run_sql("insert into schema_migrations values ('3')");
	expect_list("1_first.sql applied, 2_second.sql applied, 3 unknown, 4_fourth.sql pending, ");
	write_table("3_third.sql", "third");
	write_table("3_again.sql", "again");
	assert_int_equal(ath_migrations_list(engine, directory, note_state, done_files, &error),
			 ATH_EINVAL);
	assert_int_equal(ath_migrations_list(engine, "/nowhere", note_state, done_files, &error),
			 ATH_EIO);
	assert_non_null(strstr(error.message, "/nowhere"));
}

static void test_the_list_without_a_database(void **state)
{
	(void)state;
	ath_engine_close(&engine);
	assert_int_equal(open_engine_with("postgresql:///none?host=/nowhere",
					  (struct ath_engine_options){ .log = &silence }),
			 0);
	assert_int_equal(ath_migrations_list(engine, directory, note_state, done_files, &error),
			 ATH_EUNAVAILABLE);
}

/* ---- up and down ---------------------------------------------------------------------------- */

static void test_up_and_down(void **state)
{
	(void)state;
	write_table("2_second.sql", "second");
	write_table("1_first.sql", "first");
	expect_ok(up());
	assert_string_equal(done_files, "1_first.sql 2_second.sql ");
	expect_versions("1 2");
	assert_true(has_table("first") && has_table("second"));
	done_files[0] = '\0';
	expect_ok(up());
	assert_string_equal(done_files, "");
	expect_ok(down());
	assert_string_equal(done_files, "2_second.sql ");
	expect_versions("1");
	assert_true(has_table("first"));
	assert_false(has_table("second"));
	expect_ok(down());
	assert_int_equal(down(), ATH_ENOTFOUND);
	expect_versions("");
	expect_ok(up());
	expect_versions("1 2");
}

/* A file that came late, with an older number, is applied as well. */
static void test_one_in_between(void **state)
{
	(void)state;
	write_table("1_a.sql", "a");
	write_table("3_c.sql", "c");
	expect_ok(up());
	write_table("2_b.sql", "b");
	done_files[0] = '\0';
	expect_ok(up());
	assert_string_equal(done_files, "2_b.sql ");
	expect_versions("1 2 3");
}

static void test_an_empty_directory(void **state)
{
	(void)state;
	expect_ok(up());
	expect_versions("");
	assert_int_equal(down(), ATH_ENOTFOUND);
}

static void test_several_statements_and_no_newline_at_the_end(void **state)
{
	(void)state;
	write_file("1_a.sql", "-- a remark\n-- migrate:up\n"
			      "create table a (id int);\n"
			      "create function f() returns int language sql as $$ select 1; $$;\n"
			      "insert into a values (f());-- migrate:down is no marker here\n"
			      "-- migrate:down\ndrop function f;\ndrop table a");
	expect_ok(up());
	assert_int_equal(ask_number("select id from a"), 1);
	expect_ok(down());
	assert_false(has_table("a"));
}

static void test_an_empty_section(void **state)
{
	(void)state;
	write_file("1_a.sql", "-- migrate:up\n-- migrate:down\n");
	write_file("2_b.sql", "-- migrate:up");
	expect_ok(up());
	expect_versions("1 2");
}

/* What cannot run in a transaction. */
static void test_without_a_transaction(void **state)
{
	(void)state;
	write_table("1_a.sql", "a");
	write_file("2_b.sql", "-- migrate:up transaction:false\n"
			      "create index concurrently ix on a (id);\n"
			      "-- migrate:down transaction:false\n"
			      "drop index concurrently ix;\n");
	expect_ok(up());
	assert_true(has_table("ix"));
	expect_ok(down());
	assert_false(has_table("ix"));
	write_file("2_b.sql", "-- migrate:up\ncreate index concurrently ix on a (id);\n");
	assert_int_equal(up(), ATH_ESQL);
	expect_versions("1");
}

/* ---- what goes wrong ------------------------------------------------------------------------ */

static void test_a_failing_file_leaves_nothing(void **state)
{
	(void)state;
	write_table("1_a.sql", "a");
	write_file("2_b.sql", "-- migrate:up\ncreate table b (id int);\nselect broken;\n"
			      "create table c (id int);\n");
	write_table("3_d.sql", "d");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(up(), ATH_ESQL);
		assert_non_null(strstr(error.message, "2_b.sql"));
		assert_non_null(strstr(error.message, "broken"));
		expect_versions("1");
		assert_true(has_table("a"));
		assert_false(has_table("b") || has_table("c") || has_table("d"));
	}
	write_table("2_b.sql", "b");
	expect_ok(up());
	expect_versions("1 2 3");
}

static void test_a_failing_way_down_leaves_all(void **state)
{
	(void)state;
	write_file("1_a.sql", "-- migrate:up\ncreate table a (id int);\n"
			      "-- migrate:down\ndrop table a;\ndrop table nothing;\n");
	expect_ok(up());
	assert_int_equal(down(), ATH_ESQL);
	assert_non_null(strstr(error.message, "1_a.sql"));
	assert_true(has_table("a"));
	expect_versions("1");
}

static void test_other_files_are_ignored(void **state)
{
	static const char *const names[] = { "seed.sql", "README.md", "1_a.txt", "1.sql",
					     "1_b.sql~", "a1_b.sql",  "_1.sql",  "1-b.sql" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(names); i++)
		write_file(names[i], "nonsense");
	write_table("20260101000000_users.sql", "users");
	expect_ok(up());
	assert_string_equal(done_files, "20260101000000_users.sql ");
}

static void test_one_version_twice(void **state)
{
	(void)state;
	write_table("1_a.sql", "a");
	write_table("2_b.sql", "b");
	write_table("2_c.sql", "c");
	assert_int_equal(up(), ATH_EINVAL);
	assert_non_null(strstr(error.message, "2_b.sql"));
	assert_non_null(strstr(error.message, "2_c.sql"));
	assert_false(has_table("a"));
}

static void test_a_missing_directory(void **state)
{
	(void)state;
	assert_int_equal(ath_migrate_up(engine, "/nowhere/at/all", NULL, &error), ATH_EIO);
	assert_non_null(strstr(error.message, "/nowhere/at/all"));
}

static void test_a_missing_section(void **state)
{
	(void)state;
	write_file("1_a.sql", "create table a (id int);\n");
	assert_int_equal(up(), ATH_EINVAL);
	assert_non_null(strstr(error.message, "1_a.sql"));
	assert_non_null(strstr(error.message, "-- migrate:up"));
	assert_false(has_table("a"));
	write_file("1_a.sql", "-- migrate:up\ncreate table a (id int);\n");
	expect_ok(up());
	assert_int_equal(down(), ATH_EINVAL);
	assert_non_null(strstr(error.message, "-- migrate:down"));
	assert_true(has_table("a"));
}

/* The newest that is applied is not there to be taken back: an older one must not go instead. */
static void test_down_without_the_newest_file(void **state)
{
	char path[128];

	(void)state;
	write_table("1_a.sql", "a");
	write_table("2_b.sql", "b");
	expect_ok(up());
	snprintf(path, sizeof path, "%s/2_b.sql", directory);
	unlink(path);
	assert_int_equal(down(), ATH_EINVAL);
	assert_non_null(strstr(error.message, "2"));
	expect_versions("1 2");
	assert_true(has_table("a"));
}

static void test_a_file_that_is_too_large(void **state)
{
	char path[128];

	(void)state;
	write_table("1_a.sql", "a");
	snprintf(path, sizeof path, "%s/1_a.sql", directory);
	assert_int_equal(truncate(path, 5 << 20), 0);
	assert_int_equal(up(), ATH_ETOOBIG);
	assert_non_null(strstr(error.message, "1_a.sql"));
}

static void test_no_server(void **state)
{
	struct ath_engine *away;

	(void)state;
	write_table("1_a.sql", "a");
	assert_int_equal(ath_engine_open(&away, "postgresql:///x?host=/nowhere",
					 &(struct ath_engine_options){ .log = &silence }, &error),
			 ATH_OK);
	assert_int_equal(ath_migrate_up(away, directory, NULL, &error), ATH_EUNAVAILABLE);
	assert_true(error.message[0] != '\0');
	ath_engine_close(&away);
}

/* ---- several at once ------------------------------------------------------------------------ */

static void migrate_in_child(void)
{
	struct ath_engine *own;
	struct ath_error own_error;

	if (ath_engine_open(&own, database_url, NULL, &own_error) != ATH_OK)
		_exit(1);
	if (ath_migrate_up(own, directory, NULL, &own_error) != ATH_OK) {
		fprintf(stderr, "%s\n", own_error.message);
		_exit(2);
	}
	ath_engine_close(&own);
	_exit(0);
}

/* Without the lock two would create the same table, and one would fail. */
static void test_several_programs_at_once(void **state)
{
	enum { PROGRAMS = 6 };
	int status, failed = 0;

	(void)state;
	for (int i = 1; i <= 5; i++) {
		char name[32], table[32];

		snprintf(name, sizeof name, "%d_t.sql", i);
		snprintf(table, sizeof table, "t%d", i);
		write_table(name, table);
	}
	for (int i = 0; i < PROGRAMS; i++)
		if (fork() == 0)
			migrate_in_child();
	for (int i = 0; i < PROGRAMS; i++) {
		assert_true(wait(&status) > 0);
		failed += status != 0;
	}
	assert_int_equal(failed, 0);
	expect_versions("1 2 3 4 5");
	assert_int_equal(ask_number("select count(*) from pg_locks where locktype = 'advisory'"),
			 0);
}

/* After an error the lock is free again. */
static void test_the_lock_after_an_error(void **state)
{
	(void)state;
	write_file("1_a.sql", "-- migrate:up\nselect broken;\n");
	assert_int_equal(up(), ATH_ESQL);
	write_table("1_a.sql", "a");
	expect_ok(up());
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_several_programs_at_once),
		CASE(test_the_list),
		CASE(test_the_list_without_a_database),
		CASE(test_up_and_down),
		CASE(test_one_in_between),
		CASE(test_an_empty_directory),
		CASE(test_several_statements_and_no_newline_at_the_end),
		CASE(test_an_empty_section),
		CASE(test_without_a_transaction),
		CASE(test_a_failing_file_leaves_nothing),
		CASE(test_a_failing_way_down_leaves_all),
		CASE(test_other_files_are_ignored),
		CASE(test_one_version_twice),
		CASE(test_a_missing_directory),
		CASE(test_a_missing_section),
		CASE(test_down_without_the_newest_file),
		CASE(test_a_file_that_is_too_large),
		CASE(test_no_server),
		CASE(test_the_lock_after_an_error),
	};

	return cmocka_run_group_tests(tests, create_database, drop_database);
}
