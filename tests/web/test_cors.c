/*
 * test_cors.c - what pages of other origins are told: preflights, answers, problems, and lists
 * that make no sense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "whole_request.h"

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define APP       "https://app.example.org"
#define LOCAL     "http://localhost:3000"

/* ---- handlers ------------------------------------------------------------------------------- */

static int calls;

static struct ath_response *hello(struct ath_request *request)
{
	struct ath_response *response = ath_response_text(request, 200, "hello");

	calls++;
	if (ath_arg(request, "vary") != NULL)
		ath_response_vary(response, "Accept");
	return response;
}

static struct ath_response *options(struct ath_request *request)
{
	calls++;
	return ath_response_text(request, 200, "my own");
}

/* It would refuse every preflight, which comes without what it looks for. */
static struct ath_response *guard(struct ath_request *request)
{
	calls++;
	return ath_header(request, "Authorization") == NULL ? ath_problem(request, 401, "who?")
							    : NULL;
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/hello", hello),    ATH_ROUTE(POST, "/hello", hello, .before = guard),
	ATH_ROUTE(DELETE, "/hello", hello), ATH_ROUTE(OPTIONS, "/own", options),
	ATH_ROUTE(PUT, "/own", hello),      { 0 },
};

/* ---- one request ---------------------------------------------------------------------------- */

static struct ath_cors cors;

/* The answer is static. Names of headers are as in FastCGI; NULL: none. */
static const char *ask(const char *method, const char *uri, const char *origin,
		       const char *wanted_method)
{
	static char answer[8192];
	struct ath_request *request = ath_request_new(&web);
	size_t length;
	char *got;

	assert_non_null(request);
	calls = 0;
	put_usual_pairs(&request->raw_params, method, uri);
	if (origin != NULL)
		put_pair(&request->raw_params, "HTTP_ORIGIN", origin);
	if (wanted_method != NULL)
		put_pair(&request->raw_params, "HTTP_ACCESS_CONTROL_REQUEST_METHOD", wanted_method);
	got = handle(request, &length);
	assert_true(length < sizeof answer);
	memcpy(answer, got, length + 1);
	free(got);
	ath_request_free(request);
	return answer;
}

static void has(const char *answer, const char *part)
{
	if (strstr(answer, part) == NULL)
		fail_msg("%s\nhas not:\n%s", answer, part);
}

static void has_not(const char *answer, const char *part)
{
	if (strstr(answer, part) != NULL)
		fail_msg("%s\nhas:\n%s", answer, part);
}

#define ALLOW "\r\nAccess-Control-Allow-Origin: "
#define ANY   "Access-Control-"

static void open_with(struct ath_cors with)
{
	struct ath_error error = { 0 };

	cors = with;
	web = (struct ath_web){ .cors = &cors };
	if (ath_web_open(&web, routes, &error) != ATH_OK)
		fail_msg("%s", error.message);
	assert_int_equal(ath_loop_open(&loop, NULL), ATH_OK);
}

static void close_all(void)
{
	(void)close_web(NULL);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void nobody_is_told_without_a_list(void **state)
{
	(void)state;
	open_with((struct ath_cors){ 0 });
	has_not(ask("GET", "/hello", APP, NULL), ANY);
	has_not(ask("GET", "/hello", APP, NULL), "Vary");
	has_not(ask("OPTIONS", "/hello", APP, "POST"), ANY);
	has(ask("OPTIONS", "/own", APP, "PUT"), "my own");
	close_all();
}

static void a_listed_origin_may_read(void **state)
{
	(void)state;
	open_with((struct ath_cors){ .origins = LIST(APP, LOCAL) });
	has(ask("GET", "/hello", APP, NULL), "Status: 200");
	has(ask("GET", "/hello", APP, NULL),
	    "\r\nVary: Origin\r\nAccess-Control-Allow-Origin: " APP "\r\n\r\nhello");
	has(ask("GET", "/hello", LOCAL, NULL), ALLOW LOCAL "\r\n\r\n");
	has(ask("GET", "/hello?vary", LOCAL, NULL), "\r\nVary: Accept, Origin\r\n" ANY);
	/* what went wrong it may read as well */
	has(ask("GET", "/nothing", APP, NULL), ALLOW APP "\r\n\r\n{\"type\"");
	has(ask("PUT", "/hello", APP, NULL), ALLOW APP "\r\n");
	has(ask("POST", "/hello", APP, NULL), ALLOW APP "\r\n\r\n{\"type\"");
	has(ask("GET", "/hello?%zz", APP, NULL), ALLOW APP "\r\n");
	has(ask("GET", "/%ff", APP, NULL), ALLOW APP "\r\n");
	close_all();
}

static void another_origin_is_told_nothing(void **state)
{
	static const char *const others[] = { "https://app.example.org.evil.example",
					      "https://evil.example",
					      "http://app.example.org",
					      "https://app.example.org:8443",
					      "https://app.example.or",
					      "HTTPS://APP.EXAMPLE.ORG",
					      "https://app.example.org/",
					      "null",
					      "*",
					      "" };

	(void)state;
	open_with((struct ath_cors){ .origins = LIST(APP, LOCAL), .credentials = true });
	for (size_t i = 0; i < ATH_COUNT(others); i++) {
		has(ask("GET", "/hello", others[i], NULL), "hello");
		has_not(ask("GET", "/hello", others[i], NULL), ANY);
		/* a cache must not give its answer to one that is listed */
		has(ask("GET", "/hello", others[i], NULL), "\r\nVary: Origin\r\n");
		has_not(ask("OPTIONS", "/hello", others[i], "POST"), ANY);
		assert_int_equal(calls, 0);
	}
	has_not(ask("GET", "/hello", NULL, NULL), ANY);
	has(ask("GET", "/hello", NULL, NULL), "\r\nVary: Origin\r\n");
	close_all();
}

static void a_preflight_is_answered_before_any_hook(void **state)
{
	const char *answer;

	(void)state;
	open_with((struct ath_cors){ .origins = LIST(APP) });
	answer = ask("OPTIONS", "/hello", APP, "POST");
	has(answer, "Status: 204 No Content\r\n");
	has(answer,
	    ALLOW APP "\r\nAccess-Control-Allow-Methods: GET, HEAD, POST, DELETE, OPTIONS\r\n"
		      "Access-Control-Allow-Headers: Authorization, Content-Type, "
		      "Idempotency-Key, If-Match, If-None-Match\r\n"
		      "Access-Control-Max-Age: 600\r\n\r\n");
	has_not(answer, "Credentials");
	assert_int_equal(calls, 0);
	/* a method that the path has not: the browser finds it missing in the list */
	has(ask("OPTIONS", "/hello", APP, "PUT"), "Methods: GET, HEAD, POST, DELETE, OPTIONS\r\n");
	has(ask("OPTIONS", "/nothing", APP, "GET"), "Status: 404");
	/* a handler for OPTIONS gets what is no preflight */
	has(ask("OPTIONS", "/own", APP, "PUT"), "Methods: PUT, OPTIONS\r\n");
	assert_int_equal(calls, 0);
	has(ask("OPTIONS", "/own", APP, NULL), ALLOW APP "\r\n\r\nmy own");
	has(ask("OPTIONS", "/own", NULL, "PUT"), "\r\n\r\nmy own");
	/* and only OPTIONS is one */
	has(ask("GET", "/hello", APP, "POST"), "hello");
	close_all();
}

static void what_was_asked_for_is_told(void **state)
{
	const char *answer;

	(void)state;
	open_with((struct ath_cors){ .origins = LIST(APP),
				     .headers = LIST("X-One", "X-Two"),
				     .exposed_headers = LIST("Location", "ETag"),
				     .credentials = true,
				     .max_age = 86400 });
	answer = ask("OPTIONS", "/hello", APP, "POST");
	has(answer, "\r\nAccess-Control-Allow-Credentials: true\r\n");
	has(answer, "\r\nAccess-Control-Allow-Headers: X-One, X-Two\r\n");
	has(answer, "\r\nAccess-Control-Max-Age: 86400\r\n");
	has_not(answer, "Expose");
	answer = ask("GET", "/hello", APP, NULL);
	has(answer, ALLOW APP "\r\nAccess-Control-Allow-Credentials: true\r\n"
			      "Access-Control-Expose-Headers: Location, ETag\r\n\r\n");
	has_not(answer, "Max-Age");
	close_all();
}

static void everybody_may_read_what_is_for_everybody(void **state)
{
	static const char *const origins[] = { NULL, APP, "null" };

	(void)state;
	open_with((struct ath_cors){ .origins = LIST("*"), .exposed_headers = LIST("ETag") });
	for (size_t i = 0; i < ATH_COUNT(origins); i++) {
		const char *answer = ask("GET", "/hello", origins[i], NULL);

		has(answer, ALLOW "*\r\nAccess-Control-Expose-Headers: ETag\r\n\r\nhello");
		has_not(answer, "Vary");
		has_not(answer, "Credentials");
	}
	has(ask("OPTIONS", "/hello", APP, "POST"), ALLOW "*\r\nAccess-Control-Allow-Methods: ");
	close_all();
}

static void two_origins_are_refused(void **state)
{
	struct ath_request *request;
	size_t length;
	char *got;

	(void)state;
	open_with((struct ath_cors){ .origins = LIST(APP) });
	request = ath_request_new(&web);
	put_usual_pairs(&request->raw_params, "GET", "/hello");
	put_pair(&request->raw_params, "HTTP_ORIGIN", APP);
	put_pair(&request->raw_params, "HTTP_ORIGIN", "https://evil.example");
	got = handle(request, &length);
	has(got, "Status: 400");
	free(got);
	ath_request_free(request);
	close_all();
}

static void expect_refused(struct ath_cors with, const char *why)
{
	struct ath_error error = { 0 };

	web = (struct ath_web){ .cors = &with };
	assert_int_equal(ath_web_open(&web, routes, &error), why == NULL ? ATH_OK : ATH_EINVAL);
	ath_web_close(&web);
	if (why != NULL)
		assert_string_equal(error.message, why);
}

static void what_makes_no_sense_is_refused_at_start(void **state)
{
	static const char *const good[] = { "https://a",
					    "http://a.b-c.d:8080",
					    "http://127.0.0.1:1",
					    "http://[::1]:3000",
					    "https://[2001:db8::1]",
					    "capacitor://localhost",
					    "https://a:80",
					    "http://a:443",
					    "http://a:65535",
					    "chrome-extension://abcdef" };
	static const char *const bad[] = { "",
					   "https://",
					   "a.example.org",
					   "//a",
					   "://a",
					   "https:/a",
					   "https://a/",
					   "https://a/b",
					   "https://a?b",
					   "https://A",
					   "HTTPS://a",
					   "https://a:443",
					   "http://a:80",
					   "https://a:",
					   "https://a:0",
					   "https://a:65536",
					   "https://a:08",
					   "https://a:-1",
					   "https://a:8 ",
					   "https://*.a.org",
					   "https://u@a",
					   "https://a,https://b",
					   "https://a https://b",
					   "null",
					   "https://[::1",
					   "https://[]",
					   "https://[::1]x",
					   " https://a",
					   "https://a\r\nX: y",
					   "1http://a",
					   "ht*tp://a" };
	char message[200];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(good); i++)
		expect_refused((struct ath_cors){ .origins = LIST(good[i]) }, NULL);
	for (size_t i = 0; i < ATH_COUNT(bad); i++) {
		snprintf(message, sizeof message,
			 "cors: \"%s\" is no origin such as https://app.example.org", bad[i]);
		expect_refused((struct ath_cors){ .origins = LIST("https://good", bad[i]) },
			       message);
	}
	expect_refused((struct ath_cors){ .origins = LIST("*"), .credentials = true },
		       "cors: \"*\" with .credentials would let every page act for whoever looks "
		       "at it: name the origins");
	expect_refused((struct ath_cors){ .origins = LIST("*", APP) }, "cors: \"*\" stands alone");
	expect_refused((struct ath_cors){ .origins = LIST(APP, "*") },
		       "cors: \"*\" is no origin such as https://app.example.org");
	expect_refused((struct ath_cors){ .origins = LIST(NULL) }, "cors: .origins names none");
	expect_refused((struct ath_cors){ .credentials = true }, "cors: .origins is missing");
	expect_refused((struct ath_cors){ .max_age = 1 }, "cors: .origins is missing");
	expect_refused((struct ath_cors){ .headers = LIST("X") }, "cors: .origins is missing");
	expect_refused((struct ath_cors){ .origins = LIST(APP), .max_age = -1 },
		       "cors: .max_age is 1 to 86400 seconds");
	expect_refused((struct ath_cors){ .origins = LIST(APP), .max_age = 86401 },
		       "cors: .max_age is 1 to 86400 seconds");
	expect_refused((struct ath_cors){ .origins = LIST(APP), .headers = LIST("*") },
		       "cors: .headers: \"*\" is no header's name");
	expect_refused((struct ath_cors){ .origins = LIST(APP), .exposed_headers = LIST("A: b") },
		       "cors: .exposed_headers: \"A: b\" is no header's name");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_told_without_a_list),
		cmocka_unit_test(a_listed_origin_may_read),
		cmocka_unit_test(another_origin_is_told_nothing),
		cmocka_unit_test(a_preflight_is_answered_before_any_hook),
		cmocka_unit_test(what_was_asked_for_is_told),
		cmocka_unit_test(everybody_may_read_what_is_for_everybody),
		cmocka_unit_test(two_origins_are_refused),
		cmocka_unit_test(what_makes_no_sense_is_refused_at_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
