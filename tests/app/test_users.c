/* test_users.c - users, without a socket; what a test stores is rolled back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "handlers.h"
#include "models.h"

static struct ath_test *test;

static void create_user_then_show_it(void **state)
{
	const struct ath_answer *made, *shown;

	(void)state;
	made = ath_test_request(test, POST, "/users",
				.body = "{\"name\": \"Ada\", \"email\": \"ada@example.org\"}");
	assert_int_equal(made->status, 201);
	assert_int_equal(made->round_trips, 1); /* the INSERT and its commit */
	shown = ath_test_request(test, GET, ath_answer_header(made, "Location"));
	assert_int_equal(shown->status, 200);
	assert_string_equal(shown->body, made->body);
}

static struct user *add_user(const char *email)
{
	struct ath_session *db = ath_test_session(test);
	struct user *user = user_new(db);

	user->name = "Ada";
	user->email = email;
	user_add(db, user);
	ath_commit(db);
	return user;
}

static void an_email_is_unique(void **state)
{
	struct user *bob = add_user("bob@example.org");
	const struct ath_answer *answer;
	char path[64];

	(void)state;
	add_user("ada@example.org");
	snprintf(path, sizeof path, "/users/%" PRId64, bob->id);
	answer = ath_test_request(test, PATCH, path, .body = "{\"email\": \"ada@example.org\"}");
	assert_int_equal(answer->status, 409);
	assert_non_null(strstr(answer->body, "{\"pointer\":\"/email\""));
	bob = user_get(ath_test_session(test), bob->id); /* what is stored now */
	assert_string_equal(bob->email, "bob@example.org");
}

/* As many statements for many users as for one. */
static void a_list_is_one_statement(void **state)
{
	const struct ath_answer *answer;
	char email[64];

	(void)state;
	for (int i = 0; i < 30; i++) {
		snprintf(email, sizeof email, "user%d@example.org", i);
		add_user(email);
	}
	answer = ath_test_request(test, GET, "/users?limit=20");
	assert_int_equal(answer->status, 200);
	assert_int_equal(answer->rows, 20);
	assert_int_equal(answer->statements, 1);
	assert_null(answer->repeated); /* no statement was run again and again */
}

static int open_test(void **state)
{
	struct ath_error error;

	(void)state;
	if (ath_test_open(&test, &app, NULL, &error) == ATH_OK)
		return 0;
	fprintf(stderr, "%s\n", error.message);
	return -1;
}

/* Before each: an empty database is enough. */
static int begin_anew(void **state)
{
	(void)state;
	if (ath_test_reset(test) != ATH_OK)
		return -1;
	ath_create_all(ath_test_session(test), models);
	return ath_commit(ath_test_session(test)) ? 0 : -1;
}

static int close_test(void **state)
{
	(void)state;
	ath_test_close(&test);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(create_user_then_show_it, begin_anew),
		cmocka_unit_test_setup(an_email_is_unique, begin_anew),
		cmocka_unit_test_setup(a_list_is_one_statement, begin_anew),
	};

	return cmocka_run_group_tests(tests, open_test, close_test);
}
