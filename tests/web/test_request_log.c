/*
 * test_request_log.c - the lines that a request is worth, and where they go: three pipes in packet
 * mode are the logs, so that one read returns one line. And Server-Timing, which says the same to a
 * browser.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "whole_request.h"

enum { LONGEST = 16 * 1024 };

static int errors[2], accesses[2], slows[2];
static struct ath_log to_errors, to_accesses, to_slows;
static struct ath_arena *arena;

/* ---- handlers ---------------------------------------------------------------------------------
 */

static struct ath_told_statement told[100];
static size_t told_count;

static struct ath_response *answer(struct ath_request *request)
{
	request->statements = told_count;
	request->rows = 7;
	request->told = told;
	request->told_count = told_count;
	request->database_us = 1234;
	return ath_response_text(request, (int)ath_path_int(request, "status"), "four");
}

static struct ath_response *take_long(struct ath_request *request)
{
	assert_int_equal(ath_sleep(5), ATH_OK);
	return answer(request);
}

static struct ath_response *without_end(struct ath_request *request)
{
	ath_request_set_deadline(request, ATH_NEVER);
	return take_long(request);
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/now/<status:int>", answer),
	ATH_ROUTE(GET, "/long/<status:int>", take_long),
	ATH_ROUTE(GET, "/stream/<status:int>", without_end),
	{ 0 },
};

/* ---- around ------------------------------------------------------------------------------------
 */

static int open_log(int ends[2], struct ath_log *log, enum ath_log_level level)
{
	if (pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC) != 0)
		return -1;
	*log = (struct ath_log){ .fd = ends[1], .level = level };
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&web, 0, sizeof web);
	told_count = 0;
	if (open_log(errors, &to_errors, ATH_LOG_INFO) != 0 ||
	    open_log(accesses, &to_accesses, ATH_LOG_INFO) != 0 ||
	    open_log(slows, &to_slows, ATH_LOG_WARNING) != 0 || ath_arena_open(&arena, 0) != ATH_OK)
		return -1;
	web.log = &to_errors;
	web.access = &to_accesses;
	web.slow = &to_slows;
	web.tell_statements = true;
	return open_routes(routes, (struct ath_web_limits){ 0 });
}

static int teardown(void **state)
{
	int *const all[] = { errors, accesses, slows };

	for (size_t i = 0; i < ATH_COUNT(all); i++) {
		close(all[i][0]);
		close(all[i][1]);
	}
	ath_arena_close(&arena);
	return close_web(state);
}

/* A pipe in packet mode cuts what is longer than a page in packets of one. */
static char *next_line(int ends[2])
{
	char *line = ath_arena_alloc(arena, LONGEST + 1);
	size_t length = 0;
	ssize_t got;

	while (length < LONGEST && (got = read(ends[0], line + length, LONGEST - length)) > 0) {
		length += (size_t)got;
		if (line[length - 1] == '\n')
			break;
	}
	line[length] = '\0';
	return length == 0 ? NULL : line;
}

static struct ath_json_document read_line(int ends[2])
{
	struct ath_json_document document = { 0 };
	struct ath_error error = { 0 };
	char *line = next_line(ends);

	assert_non_null(line);
	if (ath_json_read(arena, line, strlen(line), &document, &error) != ATH_OK)
		fail_msg("%s: %s", error.message, line);
	return document;
}

static const char *member(const struct ath_json_document *document, const char *name)
{
	const struct ath_json_token *token = ath_json_member(document, document->tokens, name);
	struct ath_text text;

	if (token == NULL)
		return NULL;
	text = ath_json_string(arena, document, token);
	return ath_arena_copy(arena, text.data, text.length);
}

static void assert_member(const struct ath_json_document *document, const char *name,
			  const char *expected)
{
	const char *value = member(document, name);

	if (value == NULL || strcmp(value, expected) != 0)
		fail_msg("%s is %s, not %s: %s", name, value == NULL ? "missing" : value, expected,
			 document->text);
}

static char *ask(const char *uri)
{
	struct ath_request *request = ath_request_new(&web);
	size_t length;
	char *got;

	assert_non_null(request);
	put_usual_pairs(&request->raw_params, "GET", uri);
	put_pair(&request->raw_params, "REMOTE_ADDR", "192.0.2.1");
	got = handle(request, &length);
	ath_request_free(request);
	return got;
}

/* ---- the log of requests -----------------------------------------------------------------------
 */

static void test_each_request_has_its_line(void **state)
{
	struct ath_json_document line;

	(void)state;
	told_count = 2;
	free(ask("/now/200?password=secret"));
	line = read_line(accesses);
	assert_member(&line, "level", "info");
	assert_member(&line, "message", "request");
	assert_member(&line, "id", "the-id");
	assert_member(&line, "client", "192.0.2.1");
	assert_member(&line, "method", "GET");
	assert_member(&line, "path", "/now/200");
	assert_member(&line, "route", "/now/<status:int>");
	assert_member(&line, "status", "200");
	assert_member(&line, "bytes_in", "0");
	assert_member(&line, "bytes", "4");
	assert_member(&line, "statements", "2");
	assert_member(&line, "rows", "7");
	assert_member(&line, "database_ms", "1.234");
	assert_non_null(strchr(member(&line, "ms"), '.'));
	assert_null(strstr(line.text, "secret"));
	free(ask("/nowhere"));
	line = read_line(accesses);
	assert_member(&line, "route", "");
	assert_member(&line, "status", "404");
	assert_null(next_line(accesses));
	assert_null(next_line(errors));
	assert_null(next_line(slows));
}

static void test_what_went_wrong_is_told_where_errors_go(void **state)
{
	struct ath_json_document line;

	(void)state;
	free(ask("/now/500"));
	line = read_line(errors);
	assert_member(&line, "level", "error");
	assert_member(&line, "status", "500");
	line = read_line(accesses);
	assert_member(&line, "level", "info");
	/* both in one place: once */
	web.access = &to_errors;
	free(ask("/now/503"));
	line = read_line(errors);
	assert_member(&line, "level", "error");
	assert_null(next_line(errors));
	/* without a log of requests */
	web.access = NULL;
	free(ask("/now/200"));
	assert_null(next_line(errors));
	free(ask("/now/500"));
	assert_member((line = read_line(errors), &line), "status", "500");
}

static void test_a_path_is_cut_and_escaped(void **state)
{
	struct ath_json_document line;
	char longer[700];

	(void)state;
	free(ask("/a\x1b[2J\xc2\x9b"));
	line = read_line(accesses);
	assert_null(strchr(line.text, '\x1b'));
	assert_null(strstr(line.text, "\xc2\x9b"));
	assert_member(&line, "path", "/a\x1b[2J\xc2\x9b");
	memset(longer, 'x', sizeof longer - 1);
	longer[0] = '/';
	longer[sizeof longer - 1] = '\0';
	memcpy(longer + 511, "\xc3\xa4", 2); /* across the cut */
	free(ask(longer));
	line = read_line(accesses);
	assert_int_equal(strlen(member(&line, "path")), 511);
}

/* ---- slow ones ----------------------------------------------------------------------------------
 */

static void test_a_slow_request_tells_its_statements(void **state)
{
	struct ath_json_document line;
	const struct ath_json_token *list, *first;

	(void)state;
	web.slow_ms = 2;
	told[0] = (struct ath_told_statement){ "select \"a\"\nfrom b", 1500, 3 };
	told[1] = (struct ath_told_statement){ "commit", 20, 0 };
	told_count = 2;
	free(ask("/long/200"));
	line = read_line(slows);
	assert_member(&line, "level", "warning");
	assert_member(&line, "message", "slow request");
	assert_member(&line, "id", "the-id");
	assert_member(&line, "route", "/long/<status:int>");
	assert_true(atof(member(&line, "ms")) >= 2);
	assert_null(member(&line, "more_statements"));
	list = ath_json_member(&line, line.tokens, "slowest");
	assert_non_null(list);
	assert_int_equal(list->count, 2);
	first = list + 1;
	assert_string_equal(ath_arena_copy(arena, line.text + first->start, first->length),
			    "{\"ms\":1.500,\"rows\":3,\"sql\":\"select \\\"a\\\"\\nfrom b\"}");
	assert_null(next_line(slows));
	free(ask("/stream/200")); /* is not slow: it has no end */
	assert_null(next_line(slows));
	web.slow_ms = 0;
	free(ask("/long/200"));
	assert_null(next_line(slows));
	web.slow_ms = 3600 * 1000;
	free(ask("/long/200"));
	assert_null(next_line(slows));
}

static void test_many_long_statements(void **state)
{
	static char text[2000];
	struct ath_json_document line;

	(void)state;
	web.slow_ms = 2;
	told_count = 64;
	for (int with = 0; with < 2; with++) {
		memset(text, with == 0 ? 'x' : '\x01', sizeof text - 1);
		for (size_t i = 0; i < told_count; i++)
			told[i] = (struct ath_told_statement){ text, 1, 1 };
		free(ask("/long/200"));
		line = read_line(slows);
		/* of those that are all escapes there is room for fewer */
		assert_int_equal(ath_json_member(&line, line.tokens, "slowest")->count,
				 with == 0 ? 28 : 5);
		assert_member(&line, "more_statements", with == 0 ? "36" : "59");
	}
	memset(text, 'x', 10);
	text[10] = '\0';
	free(ask("/long/200"));
	line = read_line(slows);
	assert_int_equal(ath_json_member(&line, line.tokens, "slowest")->count, 32);
	assert_member(&line, "more_statements", "32");
}

/* ---- Server-Timing ------------------------------------------------------------------------------
 */

static void test_server_timing(void **state)
{
	char *got = ask("/now/200");

	(void)state;
	assert_null(strstr(got, "Server-Timing"));
	free(got);
	web.server_timing = true;
	got = ask("/now/200");
	assert_non_null(strstr(got, "\r\nServer-Timing: total;dur="));
	assert_null(strstr(got, "db;dur"));
	free(got);
	told_count = 1;
	got = ask("/now/200");
	assert_non_null(strstr(got, ", db;dur=1.234;desc=\"1 statement\"\r\n"));
	free(got);
	told_count = 2;
	got = ask("/now/500");
	assert_non_null(strstr(got, ", db;dur=1.234;desc=\"2 statements\"\r\n"));
	free(got);
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	static const struct CMUnitTest tests[] = {
		row(test_each_request_has_its_line),
		row(test_what_went_wrong_is_told_where_errors_go),
		row(test_a_path_is_cut_and_escaped),
		row(test_a_slow_request_tells_its_statements),
		row(test_many_long_statements),
		row(test_server_timing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
