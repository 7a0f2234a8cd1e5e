/*
 * test_errors.c - the application's handlers of errors, through the whole of a request: which row
 * fits, what they are given, and what they cannot do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "whole_request.h"

static int calls;

/* ---- what goes wrong ------------------------------------------------------------------------ */

static struct ath_response *problem(struct ath_request *request)
{
	return ath_problem(request, (int)ath_path_int(request, "status"), "told by the handler");
}

static struct ath_response *no_answer(struct ath_request *request)
{
	(void)request;
	return NULL;
}

static struct ath_response *own_page(struct ath_request *request)
{
	return ath_response_html(request, 404, "<p>my own page</p>");
}

static struct ath_response *bad_argument(struct ath_request *request)
{
	(void)ath_arg_int(request, "n", 1, 1, 9);
	return ath_response_text(request, 200, "good");
}

static struct ath_response *exhausted(struct ath_request *request)
{
	while (ath_arena_alloc(ath_request_arena(request), 64 * 1024) != NULL)
		;
	return ath_problem(request, 404, "there is no memory for it");
}

static struct ath_response *refuse(struct ath_request *request)
{
	return ath_problem(request, 403, "refused before the handler");
}

/* ---- what is made of it --------------------------------------------------------------------- */

static struct ath_response *say(struct ath_request *request, struct ath_response *given,
				const char *who)
{
	char text[512];

	calls++;
	snprintf(text, sizeof text, "%s %d", who, ath_response_status(given));
	return ath_response_text(request, ath_response_status(given), text);
}

static struct ath_response *by_404(struct ath_request *request, struct ath_response *given)
{
	return say(request, given, "by 404");
}

/* What did not come is empty, and never NULL. */
static struct ath_response *by_400(struct ath_request *request, struct ath_response *given)
{
	return say(request, given, ath_body(request).data == NULL ? "NULL" : "by 400");
}

static struct ath_response *by_4(struct ath_request *request, struct ath_response *given)
{
	return say(request, given, "by class 4");
}

static struct ath_response *by_5(struct ath_request *request, struct ath_response *given)
{
	return say(request, given, "by class 5");
}

static struct ath_response *by_error(struct ath_request *request, struct ath_response *given)
{
	return say(request, given, ath_request_error(request)->message);
}

static struct ath_response *by_outer(struct ath_request *request, struct ath_response *given)
{
	return say(request, given, "by the outer group");
}

static struct ath_response *by_inner(struct ath_request *request, struct ath_response *given)
{
	return say(request, given, "by the inner group");
}

static struct ath_response *by_route(struct ath_request *request, struct ath_response *given)
{
	return say(request, given, "by the route");
}

static struct ath_response *keep(struct ath_request *request, struct ath_response *given)
{
	(void)request;
	calls++;
	ath_response_header(given, "X-Kept", "yes");
	return given;
}

static struct ath_response *give_nothing(struct ath_request *request, struct ath_response *given)
{
	(void)request;
	(void)given;
	calls++;
	return NULL;
}

static struct ath_response *call_it_good(struct ath_request *request, struct ath_response *given)
{
	(void)given;
	calls++;
	return ath_response_text(request, 200, "all is well");
}

static struct ath_response *redirect(struct ath_request *request, struct ath_response *given)
{
	(void)given;
	calls++;
	return ath_redirect(request, 303, "/log-in");
}

static struct ath_response *fail_itself(struct ath_request *request, struct ath_response *given)
{
	(void)request;
	calls++;
	ath_response_header(given, "X-Kept", "yes");
	ath_response_header(given, "X-Split", "a\r\nb");
	return given;
}

static struct ath_response *another_problem(struct ath_request *request, struct ath_response *given)
{
	(void)given;
	calls++;
	return ath_problem(request, 500, "the handler's own problem");
}

/* 304, and without a body */
static struct ath_response *tag(struct ath_request *request, struct ath_response *given)
{
	(void)request;
	calls++;
	ath_response_etag(given, "7");
	return given;
}

static struct ath_response *exhaust(struct ath_request *request, struct ath_response *given)
{
	calls++;
	while (ath_arena_alloc(ath_request_arena(request), 64 * 1024) != NULL)
		;
	return given;
}

/* ---- routes -----------------------------------------------------------------------------------
 */

static const struct ath_error_handler errors[] = {
	ATH_ON_CLASS(4, by_4),
	ATH_ON_STATUS(404, by_404),
	ATH_ON_STATUS(400, by_400),
	ATH_ON_CLASS(5, by_5),
	ATH_ON_ERROR(ATH_EUNIQUE, by_error),
	ATH_ON_STATUS(410, keep),
	ATH_ON_STATUS(411, give_nothing),
	ATH_ON_STATUS(422, call_it_good),
	ATH_ON_STATUS(401, redirect),
	ATH_ON_STATUS(417, fail_itself),
	ATH_ON_STATUS(418, another_problem),
	ATH_ON_STATUS(424, exhaust),
	{ 0 },
};

static const struct ath_error_handler outer_errors[] = {
	ATH_ON_STATUS(403, by_outer),
	ATH_ON_STATUS(404, by_outer),
	{ 0 },
};
static const struct ath_error_handler inner_errors[] = {
	ATH_ON_STATUS(404, by_inner),
	ATH_ON_CLASS(5, by_inner),
	{ 0 },
};
static const struct ath_error_handler route_errors[] = {
	ATH_ON_STATUS(400, tag),
	ATH_ON_STATUS(409, by_route),
	{ 0 },
};

static const struct ath_route inner_routes[] = {
	ATH_ROUTE(GET, "/<status:int>", problem),
	ATH_ROUTE(GET, "/own/<status:int>", problem, .errors = route_errors),
	ATH_ROUTE(GET, "/before", problem, .before = refuse),
	{ 0 },
};
static const struct ath_route outer_routes[] = {
	ATH_GROUP("/inner", inner_routes, .errors = inner_errors),
	ATH_ROUTE(GET, "/<status:int>", problem),
	{ 0 },
};
static const struct ath_route routes[] = {
	ATH_GROUP("/outer", outer_routes, .errors = outer_errors),
	ATH_ROUTE(GET, "/bare/<status:int>", problem),
	ATH_ROUTE(GET, "/nothing", no_answer),
	ATH_ROUTE(GET, "/own", own_page),
	ATH_ROUTE(GET, "/argument", bad_argument),
	ATH_ROUTE(GET, "/exhausted", exhausted),
	ATH_ROUTE(GET, "/bound/<status:int>", problem, .errors = route_errors),
	{ 0 },
};

static struct ath_response *after(struct ath_request *request, struct ath_response *response)
{
	(void)request;
	ath_response_header(response, "X-After", "yes");
	return response;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static const struct row {
	const char *method, *uri;
	int calls;
	const char *begin, *end; /* of the answer; the end of its body */
	const char *held, *not_held;
} rows[] = {
	/* which row fits */
	{ "GET", "/bare/404", 1, "Status: 404 ", "\r\n\r\nby 404 404", "X-After: yes", NULL },
	{ "GET", "/bare/409", 1, "Status: 409 ", "\r\n\r\nby class 4 409", NULL, NULL },
	{ "GET", "/bare/500", 1, "Status: 500 ", "\r\n\r\nby class 5 500", NULL, NULL },
	{ "GET", "/bare/599", 1, "Status: 599 ", "\r\n\r\nby class 5 599", NULL, NULL },
	{ "GET", "/bare/600", 0, "Status: 600 ", "}", "told by the handler", NULL },
	/* where there is none */
	{ "GET", "/no/such", 1, "Status: 404 ", "\r\n\r\nby 404 404", "X-After: yes", NULL },
	{ "GET", "/outer/none", 1, "Status: 404 ", "\r\n\r\nby 404 404", NULL, NULL },
	{ "DELETE", "/own", 1, "Status: 405 ", "\r\n\r\nby class 4 405",
	  "Allow: GET, HEAD, OPTIONS\r\n", NULL },
	{ "GET", "/%ff", 1, "Status: 400 ", "\r\n\r\nby 400 400", NULL, NULL },
	{ "GET", "no-slash", 1, "Status: 400 ", "\r\n\r\nby 400 400", NULL, NULL },
	{ "GET", "/own?%zz", 1, "Status: 400 ", "\r\n\r\nby 400 400", NULL, NULL },
	/* the innermost */
	{ "GET", "/outer/inner/404", 1, "Status: 404 ", "by the inner group 404", NULL, NULL },
	{ "GET", "/outer/inner/503", 1, "Status: 503 ", "by the inner group 503", NULL, NULL },
	{ "GET", "/outer/inner/403", 1, "Status: 403 ", "by the outer group 403", NULL, NULL },
	{ "GET", "/outer/inner/409", 1, "Status: 409 ", "by class 4 409", NULL, NULL },
	{ "GET", "/outer/inner/own/409", 1, "Status: 409 ", "by the route 409", NULL, NULL },
	{ "GET", "/outer/inner/own/404", 1, "Status: 404 ", "by the inner group 404", NULL, NULL },
	{ "GET", "/outer/inner/before", 1, "Status: 403 ", "by the outer group 403", NULL, NULL },
	{ "GET", "/outer/404", 1, "Status: 404 ", "by the outer group 404", NULL, NULL },
	{ "GET", "/outer/503", 1, "Status: 503 ", "by class 5 503", NULL, NULL },
	/* what is no problem */
	{ "GET", "/own", 0, "Status: 404 ", "<p>my own page</p>", NULL, NULL },
	{ "OPTIONS", "/own", 0, "Status: 204 ", "\r\n\r\n", "Allow", NULL },
	{ "GET", "/nothing", 0, "Status: 500 ", "\"status\":500}", NULL, "X-After" },
	{ "GET", "/exhausted", 0, "Status: 500 ", "\"status\":500}", NULL, "no memory" },
	/* what a handler gives */
	{ "GET", "/bare/410", 1, "Status: 410 ", "}", "X-Kept: yes", NULL },
	{ "GET", "/bare/411", 1, "Status: 500 ", "\"status\":500}", NULL, "told by" },
	{ "GET", "/bare/401", 1, "Status: 303 ", "\r\n\r\n", "Location: /log-in", NULL },
	{ "GET", "/bare/422", 1, "Status: 200 ", "\r\n\r\nall is well", NULL, NULL },
	{ "GET", "/bare/418", 1, "Status: 500 ", "}", "the handler's own problem", NULL },
	/* a request that failed is not called good */
	{ "GET", "/argument?n=0", 1, "Status: 422 ", "}", "n must be an integer", "all is well" },
	{ "GET", "/argument?n=1", 0, "Status: 200 ", "\r\n\r\ngood", NULL, NULL },
	/* handlers that fail */
	{ "GET", "/bare/417", 1, "Status: 417 ", "}", "told by the handler", "X-Kept" },
	{ "GET", "/bare/424", 1, "Status: 500 ", "\"status\":500}", NULL, "told by" },
	{ "GET", "/bound/400", 1, "Status: 304 ", "\r\n\r\n", "ETag: \"7\"", NULL },
};

static char *answer_to(const char *method, const char *uri, struct ath_error *error)
{
	struct ath_request *request = ath_request_new(&web);
	size_t length;
	char *got;

	put_usual_pairs(&request->raw_params, method, uri);
	put_pair(&request->raw_params, "HTTP_IF_NONE_MATCH", "\"7\"");
	request->error = error; /* what the room above says of its session */
	calls = 0;
	got = handle(request, &length);
	assert_int_equal(strlen(got), length);
	ath_request_free(request);
	return got;
}

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), wanted = strlen(end);

	return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

static void test_every_row_gives_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const struct row *row = &rows[i];
		char *got = answer_to(row->method, row->uri, NULL);

		if (strncmp(got, row->begin, strlen(row->begin)) != 0 || calls != row->calls ||
		    !ends_in(got, row->end) ||
		    (row->held != NULL && strstr(got, row->held) == NULL) ||
		    (row->not_held != NULL && strstr(got, row->not_held) != NULL))
			fail_msg("%s %s, %d calls:\n%s", row->method, row->uri, calls, got);
		free(got);
	}
}

static void test_the_error_goes_before_the_status(void **state)
{
	struct ath_error error = { .status = ATH_EUNIQUE, .message = "taken" };
	char *got = answer_to("GET", "/bare/404", &error);

	(void)state;
	assert_true(ends_in(got, "\r\n\r\ntaken 404"));
	free(got);
	error.status = ATH_ERULE;
	got = answer_to("GET", "/bare/404", &error);
	assert_true(ends_in(got, "\r\n\r\nby 404 404"));
	free(got);
}

/* Nor can an ETag, which turns an answer into 304. */
static void test_a_session_in_error_is_not_called_good(void **state)
{
	static const char *const uris[] = { "/bare/422", "/bare/401", "/bound/400" };
	struct ath_error error = { .status = ATH_ERULE };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(uris); i++) {
		char *got = answer_to("GET", uris[i], &error);

		assert_int_equal(calls, 1);
		assert_true(strncmp(got, "Status: 4", 9) == 0);
		assert_non_null(strstr(got, "\"detail\":\"told by the handler\""));
		assert_null(strstr(got, "ETag"));
		free(got);
	}
}

/* One line for each answer that was not taken, with the request's id. */
static void test_a_refusal_is_logged(void **state)
{
	static const char *const uris[] = { "/argument?n=0", "/bare/417" };
	static const char *const lines[] = { "an error handler called a request good that failed",
					     "an error handler failed" };
	static struct ath_log log = { .level = ATH_LOG_ERROR };
	char text[2048];
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	log.fd = ends[1];
	web.log = &log;
	for (size_t i = 0; i < ATH_COUNT(uris); i++) {
		ssize_t length;

		free(answer_to("GET", uris[i], NULL));
		length = read(ends[0], text, sizeof text - 1);
		assert_true(length > 0);
		text[length] = '\0';
		assert_non_null(strstr(text, lines[i]));
		assert_non_null(strstr(text, "\"id\":\"the-id\""));
		assert_ptr_equal(strchr(text, '\n'), text + length - 1);
	}
	web.log = NULL;
	close(ends[0]);
	close(ends[1]);
}

static int open_web(void **state)
{
	(void)state;
	web.after = after;
	web.errors = errors;
	return open_routes(routes, (struct ath_web_limits){ .arena = 512 * 1024 });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_gives_its_answer),
		cmocka_unit_test(test_the_error_goes_before_the_status),
		cmocka_unit_test(test_a_session_in_error_is_not_called_good),
		cmocka_unit_test(test_a_refusal_is_logged),
	};

	return cmocka_run_group_tests(tests, open_web, close_web);
}
