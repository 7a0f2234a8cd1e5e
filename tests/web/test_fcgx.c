/*
 * test_fcgx.c - handlers that were written for libfcgi, beside others, with libfcgi's own functions
 * on the streams.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcgiapp.h>

#include "fcgi_server.h"

enum { LONG = 8 * 1024 * 1024, SMALL_ARENA = 1024 * 1024 };

static sem_t entered, gate;
static atomic_int written, closed;

/* ---- handlers as libfcgi has them ----------------------------------------------------------- */

static void old_echo(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp)
{
	const char *length = FCGX_GetParam("CONTENT_LENGTH", envp);
	int count = length == NULL ? 0 : atoi(length), c;

	FCGX_FPrintF(err, "%s has %d bytes\nand a second line", FCGX_GetParam("REQUEST_URI", envp),
		     count);
	FCGX_FPrintF(out, "Content-type: text/plain\r\nX-Old: yes\r\n\r\n%s ",
		     FCGX_GetParam("REQUEST_METHOD", envp));
	while (count-- > 0 && (c = FCGX_GetChar(in)) != EOF)
		FCGX_PutChar(c, out);
	FCGX_SetExitStatus(7, out);
}

static void old_lines(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp)
{
	char line[100];

	(void)err;
	(void)envp;
	FCGX_PutS(
		"Status: 201 Made\nContent-Type: text/plain\nSet-Cookie: a=1\nSet-Cookie: b=2\n\n",
		out);
	while (FCGX_GetLine(line, sizeof line, in) != NULL)
		FCGX_FPrintF(out, "<%d>", (int)strlen(line));
	assert_int_equal(FCGX_HasSeenEOF(in), EOF);
}

static void old_unget(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp)
{
	int c = FCGX_GetChar(in);

	(void)err;
	(void)envp;
	FCGX_UnGetChar(c, in);
	FCGX_FPrintF(out, "Content-Type: text/plain\r\n\r\n%c%c", c, FCGX_GetChar(in));
	FCGX_FClose(out);
	closed = FCGX_PutChar('x', out);
}

static void old_location(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp)
{
	(void)in;
	(void)err;
	(void)envp;
	FCGX_PutS("Location: /elsewhere\r\n\r\n", out);
}

static void old_text(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp)
{
	const char *query = FCGX_GetParam("QUERY_STRING", envp);

	(void)in;
	(void)err;
	for (int times = query[0] == 'l' ? 40000 : 1; times > 0; times--)
		FCGX_PutS(query + 1, out);
}

static void old_flush(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp)
{
	(void)in;
	(void)err;
	(void)envp;
	FCGX_PutS("Content-Type: text/plain\r\n\r\nfirst", out);
	FCGX_FFlush(out);
	sem_post(&entered);
	await(&gate);
	FCGX_PutS(" last", out);
}

static void old_download(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp)
{
	(void)in;
	(void)err;
	(void)envp;
	FCGX_PutS("Content-Type: text/plain\r\n\r\n", out);
	sem_post(&entered);
	for (written = 0; written < LONG && FCGX_PutStr("0123456789abcdef", 16, out) == 16;)
		written += 16;
	closed = FCGX_GetError(out);
	sem_post(&gate);
}

static void old_upload(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp)
{
	char stack[600 * 1024]; /* more than a fiber has */
	int length, total = 0;

	(void)err;
	(void)envp;
	while ((length = FCGX_GetStr(stack, sizeof stack, in)) > 0)
		total += length;
	FCGX_FPrintF(out, "Content-Type: text/plain\r\n\r\n%d %d", total, FCGX_GetError(in));
}

/* ---- handlers of ours -------------------------------------------------------------------------
 */

static struct ath_response *hello(struct ath_request *request)
{
	return ath_response_text(request, 200, "hello");
}

static struct ath_response *copy(struct ath_request *request)
{
	struct ath_response *response = ath_response_stream(request, 200, "text/plain");
	FCGX_Stream *in = ath_body_fcgx(request), *out = ath_stream_fcgx(response);
	int c;

	while ((c = FCGX_GetChar(in)) != EOF)
		FCGX_PutChar(c, out);
	FCGX_FPrintF(out, " %d", 42);
	return response;
}

static struct ath_response *missing(struct ath_request *request)
{
	return ath_problem(request, 404, "nobody here");
}

static struct ath_response *worded(struct ath_request *request, struct ath_response *problem)
{
	struct ath_response *response =
		ath_response_stream(request, ath_response_status(problem), "text/plain");

	FCGX_PutS("in my own words", ath_stream_fcgx(response));
	return response;
}

static const struct ath_error_handler words[] = { ATH_ON_STATUS(404, worded), { 0 } };

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/missing", missing, .errors = words),
	ATH_ROUTE(GET, "/hello", hello),
	ATH_ROUTE(POST, "/echo", ath_fcgx(old_echo)),
	ATH_ROUTE(GET, "/echo", ath_fcgx(old_echo)),
	ATH_ROUTE(POST, "/lines", ath_fcgx(old_lines)),
	ATH_ROUTE(POST, "/unget", ath_fcgx(old_unget)),
	ATH_ROUTE(GET, "/location", ath_fcgx(old_location)),
	ATH_ROUTE(GET, "/text", ath_fcgx(old_text)),
	ATH_ROUTE(GET, "/flush", ath_fcgx(old_flush)),
	ATH_ROUTE(GET, "/download", ath_fcgx(old_download)),
	ATH_ROUTE(POST, "/upload", ath_fcgx(old_upload), .stream_body = true),
	ATH_ROUTE(POST, "/copy", copy, .stream_body = true),
	{ 0 },
};

/* ---- the fixture ------------------------------------------------------------------------------
 */

static const struct ath_web_limits small = { .arena = SMALL_ARENA };

static int set_up(void **state)
{
	(void)state;
	server_set_up();
	sem_init(&entered, 0, 0);
	sem_init(&gate, 0, 0);
	start_server(routes, small);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stop_server();
	server_tear_down();
	return 0;
}

static void ask(int peer, const char *method, const char *uri, const char *body)
{
	send_request(peer, &(struct made_request){ .method = method,
						   .uri = uri,
						   .body = body,
						   .body_length = strlen(body),
						   .keep = true });
}

static void assert_head(int peer, int status, const char *line, const char *body)
{
	struct answer answer;

	assert_true(receive_answer(peer, &answer));
	assert_int_equal(answer.status, status);
	assert_non_null(strstr(answer.bytes.data, line));
	assert_int_equal(answer.body_length, strlen(body));
	assert_memory_equal(answer.body, body, strlen(body));
	answer_free(&answer);
}

static void say_hello(int peer)
{
	ask(peer, "GET", "/hello", "");
	assert_answer(peer, 200, "hello");
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void it_reads_and_answers(void **state)
{
	int peer = connect_peer();

	(void)state;
	for (int i = 0; i < 3; i++) {
		send_request(peer, &(struct made_request){ .method = "POST",
							   .uri = "/echo",
							   .content_length = "9",
							   .body = "some body",
							   .body_length = 9,
							   .keep = true });
		assert_head(peer, 200, "Content-Type: text/plain\r\n", "POST some body");
		say_hello(peer);
	}
	ask(peer, "GET", "/echo", "");
	assert_head(peer, 200, "X-Old: yes\r\n", "GET ");
	ask(peer, "HEAD", "/echo", "");
	assert_head(peer, 200, "Content-Length: 5\r\n", "");
	close(peer);
}

static void lines_and_heads_without_cr(void **state)
{
	int peer = connect_peer();

	(void)state;
	ask(peer, "POST", "/lines", "one\nthree\n\nlast");
	assert_head(peer, 201, "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n", "<4><6><1><4>");
	ask(peer, "GET", "/location", "");
	assert_head(peer, 302, "Location: /elsewhere\r\n", "");
	ask(peer, "POST", "/unget", "z");
	assert_head(peer, 200, "text/plain", "zz");
	assert_int_equal(closed, EOF);
	close(peer);
}

/* ?sTEXT writes TEXT, ?lTEXT a great many of it. */
static void what_is_no_head_is_refused(void **state)
{
	static const struct {
		const char *uri;
		int status;
		const char *says;
	} rows[] = {
		{ "/text?s", 500, "the handler gave no answer" },
		{ "/text?sContent-Type:%20text", 500, "the handler gave no answer" },
		{ "/text?sno-head\n\n", 500, "the handler's answer has no head" },
		{ "/text?sStatus:%20abc\n\n", 500, "the handler's answer has no head" },
		{ "/text?sStatus: 100\n\n", 500, "the handler's answer has no head" },
		{ "/text?sStatus: 999\n\n", 500, "the handler's answer has no head" },
		{ "/text?sBad Name: x\n\n", 500, "" },
		{ "/text?lX: y\n", 500, "is too long" },
		{ "/text?sStatus: 404\n\nhere", 404, "here" },
		{ "/text?s\n", 200, "" },
	};
	struct answer answer;
	int peer = connect_peer();

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		ask(peer, "GET", rows[i].uri, "");
		assert_true(receive_answer(peer, &answer));
		if (answer.status != rows[i].status ||
		    strstr(answer.bytes.data, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].uri, answer.bytes.data);
		answer_free(&answer);
		say_hello(peer);
	}
	close(peer);
}

static void a_flush_is_seen_and_others_go_on(void **state)
{
	unsigned char header[8];
	struct ath_buffer first;
	int peer = connect_peer(), other = connect_peer();

	(void)state;
	ask(peer, "GET", "/flush", "");
	await(&entered);
	bytes_init(&first);
	while (first.length < 5 || memcmp(first.data + first.length - 5, "first", 5) != 0)
		assert_true(receive_record(peer, header, &first));
	ath_buffer_free(&first);
	say_hello(other); /* while the handler blocks its thread */
	sem_post(&gate);
	bytes_init(&first);
	while (first.length < 5 || memcmp(first.data, " last", 5) != 0)
		assert_true(receive_record(peer, header, &first));
	ath_buffer_free(&first);
	close(peer);
	close(other);
}

static void long_answers_and_bodies(void **state)
{
	struct ath_buffer body;
	struct answer answer;
	char text[32];
	int peer = connect_peer();

	(void)state;
	ask(peer, "GET", "/download", "");
	assert_true(receive_answer(peer, &answer));
	assert_int_equal(answer.body_length, LONG);
	assert_memory_equal(answer.body + LONG - 16, "0123456789abcdef", 16);
	answer_free(&answer);

	bytes_init(&body);
	memset(ath_buffer_reserve(&body, LONG), 'b', LONG);
	send_request(peer, &(struct made_request){ .method = "POST",
						   .uri = "/upload",
						   .body = body.data,
						   .body_length = LONG,
						   .keep = true });
	snprintf(text, sizeof text, "%d 0", LONG);
	assert_answer(peer, 200, text);
	ath_buffer_free(&body);
	close(peer);
}

static void what_an_error_handler_writes_is_whole(void **state)
{
	int peer = connect_peer();

	(void)state;
	ask(peer, "GET", "/missing", "");
	assert_answer(peer, 404, "in my own words");
	close(peer);
}

static void a_body_that_ends_too_early_is_an_error(void **state)
{
	int peer = connect_peer();

	(void)state;
	send_request(peer, &(struct made_request){ .method = "POST",
						   .uri = "/upload",
						   .content_length = "10",
						   .body = "short",
						   .body_length = 5,
						   .keep = true });
	assert_answer(peer, 400, NULL);
	say_hello(peer);
	close(peer);
}

static void a_client_that_leaves_ends_the_writing(void **state)
{
	int peer = connect_peer();

	(void)state;
	ask(peer, "GET", "/download", "");
	await(&entered);
	close(peer);
	await(&gate);
	assert_true(written < LONG);
	assert_int_equal(closed, EPIPE);
	peer = connect_peer();
	say_hello(peer);
	close(peer);
}

static void streams_for_handlers_of_ours(void **state)
{
	int peer = connect_peer();

	(void)state;
	ask(peer, "POST", "/copy", "the body");
	assert_head(peer, 200, "text/plain", "the body 42");
	say_hello(peer);
	close(peer);
}

static void what_it_says_of_errors_is_logged(void **state)
{
	char log[4096];
	int peer = connect_peer(), ends[2];
	ssize_t length;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	server.log.fd = ends[1];
	ask(peer, "POST", "/echo", "");
	assert_answer(peer, 200, "POST ");
	length = read(ends[0], log, sizeof log - 1);
	assert_true(length > 0);
	log[length] = '\0';
	assert_non_null(strstr(log, "\"says\":\"/echo has 0 bytes\""));
	assert_non_null(strstr(log, "\"says\":\"and a second line\""));
	close(peer);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		row(it_reads_and_answers),
		row(lines_and_heads_without_cr),
		row(what_is_no_head_is_refused),
		row(a_flush_is_seen_and_others_go_on),
		row(long_answers_and_bodies),
		row(what_an_error_handler_writes_is_whole),
		row(a_body_that_ends_too_early_is_an_error),
		row(a_client_that_leaves_ends_the_writing),
		row(streams_for_handlers_of_ours),
		row(what_it_says_of_errors_is_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
