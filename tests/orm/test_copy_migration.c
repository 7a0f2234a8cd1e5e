/*
 * test_copy_migration.c - a migration that wants data from the client, who has none: it fails,
 * is named, and leaves neither a table nor a lock behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>

#include "../db/engine_fixture.h"
#include "orm/orm.h"

enum { LIMIT_S = 180 }; /* an alarm ends the program when something waits for ever */

static char directory[64];
static struct ath_error error;

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "w");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		die_of(path, strerror(errno));
}

static int setup(void **state)
{
	alarm(LIMIT_S);
	run_sql("drop schema public cascade; create schema public");
	make_directory(directory, sizeof directory);
	return open_engine(state);
}

static int teardown(void **state)
{
	DIR *listing = opendir(directory);
	struct dirent *entry;
	int failed;

	while (listing != NULL && (entry = readdir(listing)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(listing), entry->d_name, 0);
	if (listing != NULL)
		closedir(listing);
	rmdir(directory);
	failed = close_engine(state);
	alarm(0);
	return failed;
}

static enum ath_status up(void)
{
	return ath_migrate_up(engine, directory, NULL, &error);
}

static void expect_ok(enum ath_status status)
{
	if (status != ATH_OK)
		fail_msg("%s", error.message);
}

static void expect_refused(enum ath_status status, const char *file)
{
	assert_int_equal(status, ATH_ESQL);
	assert_int_equal(error.status, ATH_ESQL);
	if (strstr(error.message, file) == NULL || strstr(error.message, "COPY") == NULL)
		fail_msg("%s", error.message);
}

static bool nothing_is_locked(void)
{
	return ask_number("select count(*) from pg_locks where locktype = 'advisory' and database ="
			  " (select oid from pg_database where datname = current_database())") == 0;
}

static void expect_versions(const char *versions)
{
	assert_string_equal(ask("select coalesce(string_agg(version, ' ' order by version), '') "
				"from schema_migrations"),
			    versions);
}

/* ---- tests ------------------------------------------------------------------------------ */

static const char *const bad[] = {
	"-- migrate:up\ncreate table b (id int);\ncopy b from stdin;\n",
	"-- migrate:up\ncreate table b (id int);\ncopy b to stdout;\n",
	("-- migrate:up\ncreate table b as select generate_series(1, 100000) as id;\n"
	 "copy b to stdout;\nselect 1;\n"),
	"-- migrate:up transaction:false\ncopy a from stdin;\n",
};

static void test_copy_is_refused(void **state)
{
	(void)state;
	write_file("1_a.sql", "-- migrate:up\ncreate table a (id int);\n");
	for (size_t i = 0; i < ATH_COUNT(bad); i++) {
		write_file("2_b.sql", bad[i]);
		expect_refused(up(), "2_b.sql");
		expect_versions("1");
		assert_string_equal(ask("select coalesce(to_regclass('b')::text, 'none')"), "none");
		assert_true(turn_until(nothing_is_locked));
	}
	write_file("2_b.sql", "-- migrate:up\ncreate table b (id int);\n");
	expect_ok(up());
	expect_versions("1 2");
}

/* Another program does not wait for a lock that nobody gives back. */
static void test_another_engine_goes_on(void **state)
{
	struct ath_engine *other;
	struct ath_error own = { 0 };

	(void)state;
	write_file("1_b.sql", bad[0]);
	expect_refused(up(), "1_b.sql");
	write_file("1_b.sql", "-- migrate:up\ncreate table b (id int);\n");
	assert_int_equal(ath_engine_open(&other, database_url,
					 &(struct ath_engine_options){ .log = &silence }, &own),
			 ATH_OK);
	if (ath_migrate_up(other, directory, NULL, &own) != ATH_OK)
		fail_msg("%s", own.message);
	ath_engine_close(&other);
	expect_versions("1");
	expect_ok(up());
}

static void test_copy_on_the_way_down(void **state)
{
	(void)state;
	write_file("1_a.sql", "-- migrate:up\ncreate table a (id int);\n"
			      "-- migrate:down\ncopy a from stdin;\ndrop table a;\n");
	expect_ok(up());
	expect_refused(ath_migrate_down(engine, directory, NULL, &error), "1_a.sql");
	expect_versions("1");
	assert_int_equal(ask_number("select count(*) from a"), 0);
	write_file("1_a.sql", "-- migrate:up\n-- migrate:down\ndrop table a;\n");
	expect_ok(ath_migrate_down(engine, directory, NULL, &error));
	expect_versions("");
}

/* From a program of the server nothing crosses: that is a statement like any other. */
static void test_copy_within_the_server(void **state)
{
	(void)state;
	write_file("1_a.sql", "-- migrate:up\ncreate table a (text text);\n"
			      "copy a from program 'echo one';\n");
	expect_ok(up());
	assert_string_equal(ask("select text from a"), "one");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_copy_is_refused),
		CASE(test_another_engine_goes_on),
		CASE(test_copy_on_the_way_down),
		CASE(test_copy_within_the_server),
	};

	return cmocka_run_group_tests(tests, create_database, drop_database);
}
