/*
 * test_hostile.c - requests made to hurt, over the FastCGI server on a real socket with the limits
 * of a worker: each gets a clear 4xx (or is no harm at all), what it says never becomes a line of
 * the answer's head, and the worker serves the next one as before. Clients that are slow, and such
 * as leave, at every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "fcgi_server.h"

enum {
	BODY = 1024 * 1024, /* the ceiling, and as long as most bodies here are */
	SLOW = 100,
	BEGUN = 16, /* bytes of a record; before that it is a connection like another */
};

/* ---- handlers ------------------------------------------------------------------------------ */

static struct ath_response *hello(struct ath_request *request)
{
	return ath_response_text(request, 200, "hello");
}

static struct ath_response *form(struct ath_request *request)
{
	const struct ath_file *file = ath_form_file(request, "file");
	const char *name = ath_form(request, "name");

	return ath_response_text(request, 200,
				 file != NULL   ? file->filename
				 : name != NULL ? name
						: "none");
}

static struct ath_response *json(struct ath_request *request)
{
	return ath_response_text(request, 200,
				 ath_body_json(request) == NULL ? "none" : "document");
}

static struct ath_response *arguments(struct ath_request *request)
{
	size_t count = 0;

	(void)ath_arg_list(request, "a", &count);
	return ath_response_text(request, 200, "few enough");
}

/* What a careless handler does with what it is told. */
static struct ath_response *echo(struct ath_request *request)
{
	const char *text = ath_arg(request, "text"), *where = ath_arg(request, "where");
	struct ath_response *response;

	if (strcmp(where, "redirect") == 0)
		return ath_redirect(request, 303, text);
	if (strcmp(where, "problem") == 0)
		return ath_problem(request, 409, "%s", text);
	if (strcmp(where, "file") == 0)
		return ath_response_file(request, "text/plain", "/files/1", text);
	response = ath_response_text(request, 200, "text");
	if (strcmp(where, "value") == 0)
		ath_response_header(response, "X-Text", text);
	else if (strcmp(where, "name") == 0)
		ath_response_header(response, text, "x");
	else if (strcmp(where, "cookie") == 0)
		ath_response_cookie(response, "text", text, NULL);
	else if (strcmp(where, "etag") == 0)
		ath_response_etag(response, text);
	return response;
}

static struct ath_response *link_to(struct ath_request *request)
{
	return ath_redirect(
		request, 303,
		ath_url_for(request, "hello", ATH_URL_TEXT("text", ath_arg(request, "text"))));
}

static struct ath_response *upload(struct ath_request *request)
{
	char bytes[1000];
	ptrdiff_t length;

	while ((length = ath_body_read(request, bytes, sizeof bytes)) > 0)
		;
	return ath_response_text(request, 200, "read");
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/hello", hello),
	ATH_ROUTE(POST, "/form", form),
	ATH_ROUTE(POST, "/streamed-form", form, .stream_body = true),
	ATH_ROUTE(POST, "/json", json),
	ATH_ROUTE(GET, "/arguments", arguments),
	ATH_ROUTE(GET, "/echo", echo),
	ATH_ROUTE(GET, "/link", link_to),
	ATH_ROUTE(POST, "/upload", upload, .stream_body = true),
	{ 0 },
};

static int set_up(void **state)
{
	(void)state;
	server_set_up();
	start_server(routes, (struct ath_web_limits){ .body = BODY });
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stop_server();
	return 0;
}

/* ---- one request ----------------------------------------------------------------------------- */

struct question {
	const char *method, *uri, *type;
	const char *header, *header_value; /* one more parameter */
	struct ath_text body;
};

static void put_question(struct ath_buffer *out, const struct question *question)
{
	struct ath_buffer params;
	char length[24];

	snprintf(length, sizeof length, "%zu", question->body.length);
	bytes_init(&params);
	put_usual_pairs(&params, question->method, question->uri);
	put_pair(&params, "CONTENT_LENGTH", length);
	put_pair(&params, "CONTENT_TYPE", question->type == NULL ? "" : question->type);
	if (question->header != NULL)
		put_pair(&params, question->header, question->header_value);
	put_begin(out, 1, FCGI_RESPONDER, true);
	put_stream(out, FCGI_PARAMS, 1, params.data, params.length);
	put_record(out, FCGI_PARAMS, 1, NULL, 0);
	put_stream(out, FCGI_STDIN, 1, question->body.data, question->body.length);
	put_record(out, FCGI_STDIN, 1, NULL, 0);
	ath_buffer_free(&params);
}

/* The head is made of lines that the worker wrote: none of them can be the client's. */
static void check_head(const char *what, const struct answer *answer)
{
	const char *at = answer->bytes.data;

	for (const char *end; at < answer->body - 2; at = end + 2) {
		end = strstr(at, "\r\n");
		assert_non_null(end);
		if (strncmp(at, "Injected", 8) == 0 || memchr(at, '\n', (size_t)(end - at)) != NULL)
			fail_msg("%s: a line of the head is the client's", what);
	}
}

/* The status of the answer, which is a problem where it is an error. */
static int ask(const char *what, int peer, const struct question *question)
{
	struct ath_buffer bytes;
	struct answer answer;
	int status;

	bytes_init(&bytes);
	put_question(&bytes, question);
	send_bytes(peer, &bytes);
	if (!receive_answer(peer, &answer))
		fail_msg("%s: no answer", what);
	status = answer.status;
	check_head(what, &answer);
	if (status >= 400 && strstr(answer.bytes.data, "application/problem+json") == NULL)
		fail_msg("%s: %d without a problem", what, status);
	answer_free(&answer);
	return status;
}

static void check_unharmed(int peer)
{
	send_request(peer, &(struct made_request){ .uri = "/hello", .keep = true });
	assert_answer(peer, 200, "hello");
}

/* ---- bodies made to hurt ----------------------------------------------------------------------
 */

static struct ath_buffer made;

/* Over and over, number times, between two texts. */
static struct ath_text repeated(const char *before, const char *text, size_t number,
				const char *behind)
{
	ath_buffer_free(&made);
	bytes_init(&made);
	ath_buffer_string(&made, before);
	for (size_t i = 0; i < number; i++)
		ath_buffer_string(&made, text);
	ath_buffer_string(&made, behind);
	assert_false(made.failed);
	return (struct ath_text){ made.data, made.length };
}

#define PART(name) "\r\n--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\nx"

static const struct hostile {
	const char *name, *type;
	const char *before, *text;
	size_t number;
	const char *behind;
	int status;
} forms[] = {
#define MULTIPART "multipart/form-data; boundary=b"
	{ "parts, as many as may be", MULTIPART, "", PART("name"), 1000, "\r\n--b--", 200 },
	{ "one part more", MULTIPART, "", PART("name"), 1001, "\r\n--b--", 400 },
	{ "ten thousand parts", MULTIPART, "", PART("name"), 10000, "\r\n--b--", 400 },
	{ "a part without an end", MULTIPART, PART("name"), "x", 900000, "", 400 },
	{ "no mark at all", MULTIPART, "", "x", 1000000, "", 400 },
	{ "nothing but beginnings of a mark", MULTIPART, PART("name"), "\r\n--", 250000, "", 400 },
	{ "nothing but hyphens",
	  "multipart/form-data; boundary=-----------------------------------"
	  "----------------------------------",
	  "x", "-", 1000000, "", 400 },
	{ "a boundary that is too long",
	  "multipart/form-data; "
	  "boundary=12345678901234567890123456789012345678901234567890123456789"
	  "012345678901",
	  "", "x", 1000, "", 400 },
	{ "no boundary", "multipart/form-data", "", PART("name"), 1, "\r\n--b--", 400 },
	{ "an empty boundary", "multipart/form-data; boundary=\"\"", "", "--\r\n", 1000, "", 400 },
	{ "a head without an end", MULTIPART, "--b\r\n", "X-Long: x\r\n", 80000, "", 400 },
	{ "a head of 900,000 bytes", MULTIPART, "--b\r\n", "X-Long: x\r\n", 80000,
	  "Content-Disposition: form-data; name=name\r\n\r\nx\r\n--b--", 400 },
	{ "a name of 900,000 bytes", MULTIPART, "--b\r\nContent-Disposition: form-data; name=\"",
	  "n", 900000, "\"\r\n\r\nx\r\n--b--", 400 },
	{ "a name without its quote", MULTIPART, "--b\r\nContent-Disposition: form-data; name=\"",
	  "\\\"", 100, "\r\n\r\nx\r\n--b--", 400 },
	{ "a name that is no UTF-8", MULTIPART, "--b\r\nContent-Disposition: form-data; name=\"",
	  "\xff", 1, "\"\r\n\r\nx\r\n--b--", 400 },
	{ "a field that is no UTF-8", MULTIPART, PART("name"), "\xff", 1, "\r\n--b--", 400 },
	{ "parameters without a value", MULTIPART, "--b\r\nContent-Disposition: form-data", ";",
	  8000, "\r\n\r\nx\r\n--b--", 400 },
	{ "a part that has no disposition", MULTIPART, "--b\r\n", "X: y\r\n", 1, "\r\nx\r\n--b--",
	  400 },
#undef MULTIPART
#define URLENCODED "application/x-www-form-urlencoded"
	{ "fields, as many as may be", URLENCODED, "name=x", "&a=b", 999, "", 200 },
	{ "ten thousand fields", URLENCODED, "name=x", "&a=b", 9999, "", 400 },
	{ "a million separators", URLENCODED, "", "&", 1000000, "", 400 },
	{ "a megabyte of escapes", URLENCODED, "name=", "%41", 349000, "", 200 },
	{ "a megabyte of broken escapes", URLENCODED, "name=", "%4", 500000, "", 400 },
	{ "an escaped NUL", URLENCODED, "name=", "%00", 1, "", 400 },
#undef URLENCODED
	{ "another type", "text/plain", "", "x", 1000000, "", 415 },
	{ "a type of many parameters", "multipart/form-data;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;; b=b",
	  "", "x", 1000, "", 400 },
	{ "one byte too many", "application/x-www-form-urlencoded", "name=", "x", BODY, "", 413 },
};

static void bodies_of_forms(void **state)
{
	int peer = connect_peer();

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(forms); i++) {
		const struct hostile *row = &forms[i];
		struct question question = {
			.method = "POST",
			.uri = "/form",
			.type = row->type,
			.body = repeated(row->before, row->text, row->number, row->behind),
		};
		int status = ask(row->name, peer, &question);

		if (status != row->status)
			fail_msg("%s: %d, not %d", row->name, status, row->status);
		question.uri = "/streamed-form";
		status = ask(row->name, peer, &question);
		if (status != row->status)
			fail_msg("%s, as it comes: %d, not %d", row->name, status, row->status);
		check_unharmed(peer);
	}
	close(peer);
}

static const struct hostile documents[] = {
	{ "a hundred thousand levels", NULL, "", "[", 100000, "", 400 },
	{ "levels of objects", NULL, "", "{\"a\":", 100000, "1", 400 },
	{ "as deep as may be", NULL, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "", 0,
	  "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 200 },
	{ "half a million numbers", NULL, "[1", ",1", 500000, "]", 413 },
	{ "half a million objects", NULL, "[{}", ",{}", 300000, "]", 413 },
	{ "a thousand numbers", NULL, "[1", ",1", 999, "]", 200 },
	{ "one name again and again", NULL, "{\"a\":1", ",\"a\":1", 100000, "}", 400 },
	{ "a number of a million digits", NULL, "[1", "0", 1000000, "]", 200 },
	{ "an exponent of a million digits", NULL, "[1e", "9", 1000000, "]", 200 },
	{ "a string of escapes", NULL, "[\"", "\\u0041", 170000, "\"]", 200 },
	{ "a string without an end", NULL, "[\"", "x", 1000000, "", 400 },
	{ "escapes of half a pair", NULL, "[\"", "\\ud800", 170000, "\"]", 400 },
	{ "an escaped NUL", NULL, "[\"", "\\u0000", 1, "\"]", 422 },
	{ "nothing but spaces", NULL, "", " ", 1000000, "", 400 },
	{ "bytes that are no UTF-8", NULL, "[\"", "\xc0\x80", 1, "\"]", 400 },
};

static void bodies_of_json(void **state)
{
	int peer = connect_peer();

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(documents); i++) {
		const struct hostile *row = &documents[i];
		int status = ask(row->name, peer,
				 &(struct question){ .method = "POST",
						     .uri = "/json",
						     .type = "application/json",
						     .body = repeated(row->before, row->text,
								      row->number, row->behind) });

		if (status != row->status)
			fail_msg("%s: %d, not %d", row->name, status, row->status);
		check_unharmed(peer);
	}
	close(peer);
}

/* ---- the line and the head of a request -------------------------------------------------------
 */

static void arguments_beyond_all_bounds(void **state)
{
	static const struct {
		size_t number;
		int status;
	} rows[] = { { 999, 200 }, { 1000, 400 }, { 2000, 400 }, { 10000, 414 } };
	int peer = connect_peer();

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const char *uri = repeated("/arguments?a=1", "&a=", rows[i].number, "").data;

		ath_buffer_c_string(&made);
		assert_int_equal(
			ask("arguments", peer, &(struct question){ .method = "GET", .uri = uri }),
			rows[i].status);
		check_unharmed(peer);
	}
	close(peer);
}

/* Whatever a handler puts into a head, no line of it becomes the client's. */
static void lines_are_not_injected(void **state)
{
	static const char *const places[] = { "redirect", "problem", "file", "value",
					      "name",     "cookie",  "etag" };
	static const char *const texts[] = {
		"%0d%0aInjected:%201",   "%0aInjected:%201",     "%0dInjected:%201",
		"x%0d%0a%0d%0aInjected", "%22%0d%0aInjected: 1", "%e5%98%8a%e5%98%8dInjected:%201",
	};
	int peer = connect_peer();
	char uri[256];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(places) * ATH_COUNT(texts); i++) {
		snprintf(uri, sizeof uri, "/echo?where=%s&text=%s", places[i % ATH_COUNT(places)],
			 texts[i / ATH_COUNT(places)]);
		(void)ask(uri, peer, &(struct question){ .method = "GET", .uri = uri });
		snprintf(uri, sizeof uri, "/link?text=%s", texts[i / ATH_COUNT(places)]);
		assert_int_equal(ask(uri, peer, &(struct question){ .method = "GET", .uri = uri }),
				 303);
	}
	check_unharmed(peer);
	close(peer);
}

static void parameters_made_to_hurt(void **state)
{
	static const struct question rows[] = {
		{ "GET", "/hello", NULL, "HTTP_COOKIE", "=;;;\"; a=\"; \"=;=", { 0 } },
		{ "GET", "/hello", NULL, "HTTP_TRACEPARENT", "00-xyz\r\nInjected: 1", { 0 } },
		{ "GET", "/hello", NULL, "REQUEST_ID", "id\r\nInjected: 1", { 0 } },
		{ "GET", "/hello", NULL, "HTTP_IF_NONE_MATCH", "W/\"\",,,\"", { 0 } },
	};
	int peer = connect_peer();

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		assert_true(ask(rows[i].header, peer, &rows[i]) < 500);
	check_unharmed(peer);
	close(peer);
}

/* ---- slow ones, and such as leave --------------------------------------------------------------
 */

static void put_upload(struct ath_buffer *bytes, const char *uri)
{
	bytes_init(bytes);
	put_question(bytes, &(struct question){
				    .method = "POST",
				    .uri = uri,
				    .type = "multipart/form-data; boundary=b",
				    .body = ath_text("--b\r\nContent-Disposition: form-data; "
						     "name=\"name\"\r\n\r\nvalue\r\n--b--\r\n") });
}

/* At each byte, and with the handler at work for those that read as it comes. */
static void they_leave_at_every_byte(void **state)
{
	static const char *const uris[] = { "/form", "/streamed-form", "/upload" };
	int good = connect_peer();

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(uris); i++) {
		struct ath_buffer bytes;

		put_upload(&bytes, uris[i]);
		for (size_t length = 0; length < bytes.length; length++) {
			int peer = connect_peer();

			send_all(peer, bytes.data, length);
			close(peer);
		}
		ath_buffer_free(&bytes);
		check_unharmed(good);
	}
	close(good);
}

/* A byte from each in turn: all get their answer, and others are served meanwhile. */
static void slow_ones_delay_nobody(void **state)
{
	int slow[SLOW], good = connect_peer();
	struct ath_buffer bytes;

	(void)state;
	put_upload(&bytes, "/form");
	for (size_t i = 0; i < SLOW; i++)
		slow[i] = connect_peer();
	for (size_t at = 0; at < bytes.length; at++) {
		for (size_t i = 0; i < SLOW; i++)
			send_all(slow[i], bytes.data + at, 1);
		check_unharmed(good);
	}
	for (size_t i = 0; i < SLOW; i++) {
		assert_answer(slow[i], 200, "value");
		close(slow[i]);
	}
	ath_buffer_free(&bytes);
	close(good);
}

static int set_up_impatient(void **state)
{
	(void)state;
	server_set_up();
	start_server(routes, (struct ath_web_limits){ .deadline_ms = 50 });
	return 0;
}

/* Those that never end lose their connection, whatever they have sent. */
static void the_endless_are_closed(void **state)
{
	int slow[SLOW], good = connect_peer();
	struct ath_buffer bytes;

	(void)state;
	put_upload(&bytes, "/form");
	for (size_t i = 0; i < SLOW; i++) {
		slow[i] = connect_peer();
		send_all(slow[i], bytes.data, BEGUN + i * (bytes.length - BEGUN) / SLOW);
	}
	for (size_t i = 0; i < SLOW; i++) {
		assert_closed(slow[i]);
		close(slow[i]);
	}
	check_unharmed(good);
	ath_buffer_free(&bytes);
	close(good);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bodies_of_forms),
		TEST(bodies_of_json),
		TEST(arguments_beyond_all_bounds),
		TEST(lines_are_not_injected),
		TEST(parameters_made_to_hurt),
		TEST(they_leave_at_every_byte),
		TEST(slow_ones_delay_nobody),
		cmocka_unit_test_setup_teardown(the_endless_are_closed, set_up_impatient,
						tear_down),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	ath_buffer_free(&made);
	return failed;
}
