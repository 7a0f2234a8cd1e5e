/*
 * test_health.c - /-/live and /-/ready through the whole of a request: with a database and without,
 * while the worker leaves, and that the application has no part in them.
 *
 * ATHANOR_TEST_URL is a server; its database postgres is only asked whether it answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "../web/whole_request.h"
#include "serve/internal.h"

static struct ath_worker worker;
static int hooks;

static struct ath_response *refuse(struct ath_request *request)
{
	hooks++;
	return ath_problem(request, 401, "nobody may do anything");
}

static struct ath_response *mark(struct ath_request *request, struct ath_response *response)
{
	(void)request;
	hooks++;
	ath_response_header(response, "X-Mark", "yes");
	return response;
}

static struct ath_response *reword(struct ath_request *request, struct ath_response *problem)
{
	hooks++;
	return ath_response_text(request, ath_response_status(problem), "reworded");
}

static struct ath_response *own_live(struct ath_request *request)
{
	return ath_response_text(request, 200, "the application's own");
}

static const struct ath_route none[] = { { 0 } };
static const struct ath_route own[] = { ATH_ROUTE(GET, "/-/live", own_live), { 0 } };
static const struct ath_error_handler errors[] = { ATH_ON_CLASS(5, reword), { 0 } };

static const struct ath_app guarded = {
	.name = "guarded", .routes = none, .before = refuse, .after = mark, .errors = errors
};
static const struct ath_app with_own = { .name = "own", .routes = own };

static void open_worker(const struct ath_app *app, const char *database_url)
{
	/* the worker points to its log */
	static struct ath_configuration configuration = { .log = { .fd = -1 } };
	struct ath_error error = { 0 };

	configuration.database_url = database_url;
	if (ath_worker_open(&worker, app, &configuration, &error) != ATH_OK)
		fail_msg("%s", error.message);
	loop = worker.loop;
	hooks = 0;
}

static void assert_answer_to(const char *method, const char *uri, const char *begin,
			     const char *held)
{
	struct ath_request *request = ath_request_new(&worker.web);
	size_t length;
	char *got;

	assert_non_null(request);
	put_usual_pairs(&request->raw_params, method, uri);
	got = handle(request, &length);
	if (strncmp(got, begin, strlen(begin)) != 0 || strstr(got, held) == NULL)
		fail_msg("%s %s:\n%s", method, uri, got);
	ath_request_free(request);
	free(got);
}

static void test_without_a_database(void **state)
{
	(void)state;
	open_worker(&guarded, "postgresql:///none?host=/nonexistent");
	assert_answer_to("GET", "/-/live", "Status: 200 ", "{\"status\":\"live\"}");
	assert_int_equal(worker.database.until, 0); /* nobody asked it */
	assert_answer_to("GET", "/-/ready", "Status: 503 ", "the database does not answer");
	assert_answer_to("GET", "/-/ready", "Status: 503 ", "Retry-After: ");
	assert_answer_to("GET", "/-/ready", "Status: 503 ", "Cache-Control: no-store");
	assert_answer_to("GET", "/-/live", "Status: 200 ", "Cache-Control: no-store");
	assert_answer_to("HEAD", "/-/live", "Status: 200 ", "\r\n\r\n");
	assert_int_equal(hooks, 0);
	ath_worker_close(&worker);
}

static void test_with_a_database(void **state)
{
	int64_t before;

	(void)state;
	open_worker(&guarded, getenv("ATHANOR_TEST_URL"));
	before = ath_now();
	assert_answer_to("GET", "/-/ready", "Status: 200 ", "{\"status\":\"ready\"}");
	assert_in_range(worker.database.until, before + 1000, ath_now() + 1000);
	/* what it said holds so long, and no longer */
	worker.database.until = ATH_NEVER;
	worker.database.answers = false;
	assert_answer_to("GET", "/-/ready", "Status: 503 ", "the database does not answer");
	worker.database.until = ath_now();
	assert_answer_to("GET", "/-/ready", "Status: 200 ", "{\"status\":\"ready\"}");
	ath_worker_close(&worker);
}

static void test_while_the_worker_leaves(void **state)
{
	(void)state;
	open_worker(&guarded, getenv("ATHANOR_TEST_URL"));
	worker.stopping = true;
	assert_answer_to("GET", "/-/ready", "Status: 503 ", "the worker leaves");
	assert_answer_to("GET", "/-/ready", "Status: 503 ", "Retry-After: 1\r\n");
	assert_answer_to("GET", "/-/live", "Status: 200 ", "{\"status\":\"live\"}");
	assert_int_equal(worker.database.until, 0);
	ath_worker_close(&worker);
}

static void test_the_application_has_its_hooks_around_all_else(void **state)
{
	(void)state;
	open_worker(&guarded, getenv("ATHANOR_TEST_URL"));
	assert_answer_to("POST", "/-/live", "Status: 405 ", "Allow: GET, HEAD, OPTIONS\r\n");
	assert_answer_to("GET", "/-/other", "Status: 404 ", "X-Mark: yes");
	assert_int_equal(hooks, 2);
	ath_worker_close(&worker);
}

static void test_a_route_of_the_application_goes_before(void **state)
{
	(void)state;
	open_worker(&with_own, getenv("ATHANOR_TEST_URL"));
	assert_answer_to("GET", "/-/live", "Status: 200 ", "\r\n\r\nthe application's own");
	assert_answer_to("GET", "/-/ready", "Status: 200 ", "{\"status\":\"ready\"}");
	ath_worker_close(&worker);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_database),
		cmocka_unit_test(test_with_a_database),
		cmocka_unit_test(test_while_the_worker_leaves),
		cmocka_unit_test(test_the_application_has_its_hooks_around_all_else),
		cmocka_unit_test(test_a_route_of_the_application_goes_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
