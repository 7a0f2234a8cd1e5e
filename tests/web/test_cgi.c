/*
 * test_cgi.c - one request from an environment and a pipe, answered into a pipe. What comes
 * is small enough for the pipes, so that one thread is enough, but for the large answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "usual_lines.h"
#include "web/internal.h"

enum { LARGE = 1024 * 1024, BODY = 6000, ANSWER = 8192 };

/* ---- handlers ------------------------------------------------------------------------------- */

static int calls;

static struct ath_response *hello(struct ath_request *request)
{
	const char *name = ath_arg(request, "name");

	calls++;
	return ath_response_text(request, 200, name == NULL ? "hello" : name);
}

static struct ath_response *echo(struct ath_request *request)
{
	struct ath_response *response = ath_response_new(request, 200, "text/plain");
	struct ath_text body = ath_body(request);

	calls++;
	if (response != NULL)
		ath_buffer_append(ath_response_body(response), body.data, body.length);
	return response;
}

static struct ath_response *large(struct ath_request *request)
{
	struct ath_response *response = ath_response_new(request, 200, "text/plain");
	char *at = response == NULL ? NULL : ath_buffer_reserve(ath_response_body(response), LARGE);

	if (at == NULL)
		return NULL;
	memset(at, 'l', LARGE);
	ath_response_body(response)->length = LARGE;
	return response;
}

static struct ath_response *sleeper(struct ath_request *request)
{
	return ath_response_text(request, 200, ath_status_text(ath_sleep(1)));
}

/* Two bytes at a time, each written back as it comes. */
static struct ath_response *reader(struct ath_request *request)
{
	struct ath_response *response = ath_response_stream(request, 200, "text/plain");
	char two[2];
	ptrdiff_t length;

	calls++;
	while ((length = ath_body_read(request, two, sizeof two)) > 0)
		if (!ath_stream_write(response, two, (size_t)length) || !ath_stream_flush(response))
			break;
	return response;
}

static struct ath_response *no_reader(struct ath_request *request)
{
	calls++;
	return ath_response_text(request, 200, "unread");
}

static struct ath_response *broken(struct ath_request *request)
{
	struct ath_response *response = ath_response_stream(request, 200, "text/plain");

	if (!ath_stream_string(response, "half") || !ath_stream_flush(response))
		return NULL;
	return ath_problem(request, 500, "no more");
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/hello", hello),
	ATH_ROUTE(POST, "/echo", echo),
	ATH_ROUTE(GET, "/large", large),
	ATH_ROUTE(GET, "/sleep", sleeper),
	ATH_ROUTE(POST, "/reader", reader, .stream_body = true),
	ATH_ROUTE(POST, "/unread", no_reader, .stream_body = true),
	ATH_ROUTE(GET, "/broken", broken),
	{ 0 },
};

/* ---- serving one ---------------------------------------------------------------------------- */

static struct ath_web web;
static struct ath_loop *loop;

static int set_up(void **state)
{
	struct ath_error error = { 0 };

	(void)state;
	calls = 0;
	web = (struct ath_web){ .limits = { .params = 4096, .body = BODY } };
	if (ath_web_open(&web, routes, &error) != ATH_OK)
		return -1;
	return ath_loop_open(&loop, NULL) == ATH_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(ath_loop_fibers(loop), 0);
	ath_loop_close(&loop);
	ath_web_close(&web);
	return 0;
}

/* A pipe that holds these bytes and stays open when it is told to. */
static int pipe_of(const char *data, size_t length, int *writing)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], data, length), length);
	if (writing == NULL)
		close(ends[1]);
	else
		*writing = ends[1];
	return ends[0];
}

/* The answer, which fits in a pipe, in a static string. */
static const char *serve_as(enum ath_status expected, int in, const char *const *environment)
{
	static char answer[ANSWER + 1];
	struct ath_error error = { 0 };
	ssize_t length;
	int out[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(ath_cgi_serve(loop, &web, in, out[1], environment, &error), expected);
	close(out[1]);
	length = read(out[0], answer, ANSWER);
	assert_true(length >= 0);
	answer[length] = '\0';
	close(out[0]);
	close(in);
	return answer;
}

static const char *serve_from(int in, const char *const *environment)
{
	return serve_as(ATH_OK, in, environment);
}

static const char *serve(const char *body, const char *const *environment)
{
	return serve_from(pipe_of(body, strlen(body), NULL), environment);
}

#define ENVIRONMENT(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define USUAL            "GATEWAY_INTERFACE=CGI/1.1", "REQUEST_ID=the-id", "no variable", "=", "X="

static void begins(const char *answer, const char *start)
{
	if (strncmp(answer, start, strlen(start)) != 0)
		fail_msg("%s\ndoes not begin\n%s", answer, start);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void a_request_is_answered(void **state)
{
	static const char expected[] =
		"Status: 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"Content-Length: 3\r\n" USUAL_LINES "\r\nyou";

	(void)state;
	assert_string_equal(
		serve("", ENVIRONMENT(USUAL, "REQUEST_METHOD=GET", "REQUEST_URI=/hello?name=you",
				      "QUERY_STRING=name=you")),
		expected);
}

static void path_info_goes_before_the_uri(void **state)
{
	(void)state;
	begins(serve("", ENVIRONMENT(USUAL, "REQUEST_METHOD=GET",
				     "REQUEST_URI=/cgi-bin/users/hello", "PATH_INFO=/hello")),
	       "Status: 200 OK\r\n");
	begins(serve("", ENVIRONMENT(USUAL, "REQUEST_METHOD=GET", "PATH_INFO=/hell%6f")),
	       "Status: 404 Not Found\r\n"); /* it is decoded already */
}

static void a_handler_may_wait(void **state)
{
	(void)state;
	assert_non_null(
		strstr(serve("", ENVIRONMENT(USUAL, "REQUEST_METHOD=GET", "REQUEST_URI=/sleep")),
		       "\r\n\r\nok"));
}

/* Standard input may stay open: what was announced is read, and no byte more. */
static void no_more_is_read_than_was_announced(void **state)
{
	int writing, in = pipe_of("bodymore", 8, &writing);
	int kept = dup(in);
	char rest[8];

	(void)state;
	assert_non_null(
		strstr(serve_from(in, ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", "REQUEST_URI=/echo",
						  "CONTENT_LENGTH_=8", "CONTENT_LENGTH=4")),
		       "\r\n\r\nbody"));
	assert_int_equal(read(kept, rest, sizeof rest), 4);
	assert_memory_equal(rest, "more", 4);
	close(kept);
	close(writing);
}

static void a_body_without_a_length_is_none(void **state)
{
	(void)state;
	assert_non_null(strstr(
		serve("body", ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", "REQUEST_URI=/echo")),
		"Content-Length: 0\r\n"));
	assert_non_null(strstr(serve("body", ENVIRONMENT(USUAL, "REQUEST_METHOD=POST",
							 "REQUEST_URI=/echo", "CONTENT_LENGTH=")),
			       "Content-Length: 0\r\n"));
}

/* Who cannot hand over all of a body tells the client of an error of his own. */
static void what_nobody_reads_is_taken_all_the_same(void **state)
{
	static const char *const uris[] = { "REQUEST_URI=/unread", "REQUEST_URI=/echo" };
	static const char *const starts[] = { "Status: 200", "Status: 413" };
	static const char body[3 * BODY];
	char rest[8];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(uris); i++) {
		int writing, in = pipe_of(body, sizeof body, &writing), kept = dup(in);

		begins(serve_from(in, ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", uris[i],
						  "CONTENT_LENGTH=17996")),
		       starts[i]);
		assert_int_equal(read(kept, rest, sizeof rest), 4);
		close(kept);
		close(writing);
	}
}

/* Its end could be that of a client which went away. */
static void a_body_of_chunks_needs_a_length(void **state)
{
	(void)state;
	begins(serve("body", ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", "REQUEST_URI=/echo",
					 "HTTP_TRANSFER_ENCODING=chunked")),
	       "Status: 411 Length Required\r\n");
	begins(serve("body", ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", "REQUEST_URI=/reader",
					 "HTTP_TRANSFER_ENCODING=chunked")),
	       "Status: 411 Length Required\r\n");
	assert_int_equal(calls, 0);
	begins(serve("body", ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", "REQUEST_URI=/echo",
					 "HTTP_TRANSFER_ENCODING=chunked", "CONTENT_LENGTH=4")),
	       "Status: 200 OK\r\n");
}

static void a_body_is_read_and_an_answer_written_in_pieces(void **state)
{
	static const char expected[] =
		"Status: 200 OK\r\nContent-Type: text/plain\r\n" USUAL_LINES "\r\nabcde";

	(void)state;
	assert_string_equal(
		serve("abcdefg", ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", "REQUEST_URI=/reader",
					     "CONTENT_LENGTH=5")),
		expected);
}

/* The exit status is all that is left to tell. */
static void an_answer_that_breaks_off_is_an_error(void **state)
{
	(void)state;
	assert_string_equal(
		serve_as(ATH_EIO, pipe_of("", 0, NULL),
			 ENVIRONMENT(USUAL, "REQUEST_METHOD=GET", "REQUEST_URI=/broken")),
		"Status: 200 OK\r\nContent-Type: text/plain\r\n" USUAL_LINES "\r\nhalf");
}

static void a_body_that_ends_early_is_refused(void **state)
{
	(void)state;
	for (size_t length = 0; length < 4; length++) {
		int in = pipe_of("body", length, NULL);

		begins(serve_from(in, ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", "REQUEST_URI=/echo",
						  "CONTENT_LENGTH=4")),
		       "Status: 400 Bad Request\r\n");
	}
	assert_int_equal(calls, 0);
}

static void a_length_that_is_none_is_refused(void **state)
{
	static const char *const lengths[] = { "CONTENT_LENGTH=-1", "CONTENT_LENGTH=4x",
					       "CONTENT_LENGTH=99999999999999999999",
					       "CONTENT_LENGTH= 4", "CONTENT_LENGTH=04" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(lengths); i++)
		begins(serve("body", ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", "REQUEST_URI=/echo",
						 lengths[i])),
		       "Status: 400 Bad Request\r\n");
	assert_int_equal(calls, 0);
}

static void a_body_past_its_ceiling_is_refused(void **state)
{
	char body[BODY + 1];
	int in;

	(void)state;
	memset(body, 'b', sizeof body);
	in = pipe_of(body, BODY, NULL);
	begins(serve_from(in, ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", "REQUEST_URI=/echo",
					  "CONTENT_LENGTH=6000")),
	       "Status: 200 OK\r\n");
	in = pipe_of(body, BODY + 1, NULL);
	begins(serve_from(in, ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", "REQUEST_URI=/echo",
					  "CONTENT_LENGTH=6001")),
	       "Status: 413 Content Too Large\r\n");
	begins(serve("x", ENVIRONMENT(USUAL, "REQUEST_METHOD=POST", "REQUEST_URI=/echo",
				      "CONTENT_LENGTH=9223372036854775807")),
	       "Status: 400 Bad Request\r\n");
	assert_int_equal(calls, 1);
}

static void an_environment_past_its_ceiling_is_refused(void **state)
{
	char variable[5000] = "HTTP_X=";

	(void)state;
	memset(variable + 7, 'x', sizeof variable - 8);
	begins(serve("", ENVIRONMENT(USUAL, "REQUEST_METHOD=GET", "REQUEST_URI=/hello", variable)),
	       "Status: 431 Request Header Fields Too Large\r\n");
	begins(serve("", ENVIRONMENT("X")), "Status: 400 Bad Request\r\n");
	assert_int_equal(calls, 0);
}

/* Names and values around the length where the form of a length changes. */
static void values_of_any_length_arrive(void **state)
{
	char variable[300];
	const char *answer;

	(void)state;
	for (size_t length = 120; length < 270; length++) {
		memcpy(variable, "QUERY_STRING=name=", 18);
		memset(variable + 18, 'v', length);
		variable[18 + length] = '\0';
		answer = strstr(serve("", ENVIRONMENT(USUAL, "REQUEST_METHOD=GET",
						      "REQUEST_URI=/hello", variable)),
				"\r\n\r\n");
		assert_non_null(answer);
		assert_string_equal(answer + 4, variable + 18);
	}
}

/* ---- standard input and output that fail ------------------------------------------------------
 */

static void what_cannot_be_read_is_an_error(void **state)
{
	struct ath_error error = { 0 };
	int writing, in = pipe_of("", 0, &writing);

	(void)state;
	/* the end for writing cannot be read */
	assert_int_equal(ath_cgi_serve(loop, &web, writing, writing,
				       ENVIRONMENT(USUAL, "REQUEST_METHOD=POST",
						   "REQUEST_URI=/echo", "CONTENT_LENGTH=4"),
				       &error),
			 ATH_EIO);
	assert_true(error.message[0] != '\0');
	assert_int_equal(calls, 0);
	close(in);
	close(writing);
}

static void what_cannot_be_written_is_an_error(void **state)
{
	struct ath_error error = { 0 };
	int out[2], in = pipe_of("", 0, NULL);

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	close(out[0]);
	assert_ptr_not_equal(signal(SIGPIPE, SIG_IGN), SIG_ERR);
	assert_int_equal(
		ath_cgi_serve(loop, &web, in, out[1],
			      ENVIRONMENT(USUAL, "REQUEST_METHOD=GET", "REQUEST_URI=/hello"),
			      &error),
		ATH_EIO);
	close(out[1]);
	close(in);
}

/* A web server that hands over all of a body before it takes an answer, or none of it at all. */
static void who_stands_still_is_not_waited_for_for_ever(void **state)
{
	struct ath_error error = { 0 };
	int writing, in = pipe_of("b", 1, &writing), out[2];

	(void)state;
	web.limits.deadline_ms = 20;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(
		ath_cgi_serve(loop, &web, in, out[1],
			      ENVIRONMENT(USUAL, "REQUEST_METHOD=GET", "REQUEST_URI=/large"),
			      &error),
		ATH_EIO);
	assert_int_equal(ath_cgi_serve(loop, &web, in, out[1],
				       ENVIRONMENT(USUAL, "REQUEST_METHOD=POST",
						   "REQUEST_URI=/echo", "CONTENT_LENGTH=2"),
				       &error),
			 ATH_EIO);
	close(writing);
	close(in);
	close(out[0]);
	close(out[1]);
}

/* ---- more than a pipe holds -------------------------------------------------------------------
 */

static void *read_to_the_end(void *arg)
{
	static char chunk[1000];
	size_t *sum = arg;
	ssize_t length;
	int fd = (int)*sum;

	for (*sum = 0; (length = read(fd, chunk, sizeof chunk)) > 0;)
		*sum += (size_t)length;
	return NULL;
}

static void a_large_answer_is_written_whole(void **state)
{
	static const char head[] = "Status: 200 OK\r\nContent-Type: text/plain\r\n"
				   "Content-Length: 1048576\r\n" USUAL_LINES "\r\n";
	struct ath_error error = { 0 };
	int out[2], in = pipe_of("", 0, NULL);
	pthread_t reader;
	size_t sum;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	sum = (size_t)out[0];
	assert_int_equal(pthread_create(&reader, NULL, read_to_the_end, &sum), 0);
	assert_int_equal(
		ath_cgi_serve(loop, &web, in, out[1],
			      ENVIRONMENT(USUAL, "REQUEST_METHOD=GET", "REQUEST_URI=/large"),
			      &error),
		ATH_OK);
	close(out[1]);
	assert_int_equal(pthread_join(reader, NULL), 0);
	assert_int_equal(sum, sizeof head - 1 + LARGE);
	close(out[0]);
	close(in);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered),
		TEST(path_info_goes_before_the_uri),
		TEST(a_handler_may_wait),
		TEST(no_more_is_read_than_was_announced),
		TEST(a_body_without_a_length_is_none),
		TEST(what_nobody_reads_is_taken_all_the_same),
		TEST(a_body_of_chunks_needs_a_length),
		TEST(a_body_is_read_and_an_answer_written_in_pieces),
		TEST(an_answer_that_breaks_off_is_an_error),
		TEST(a_body_that_ends_early_is_refused),
		TEST(a_length_that_is_none_is_refused),
		TEST(a_body_past_its_ceiling_is_refused),
		TEST(an_environment_past_its_ceiling_is_refused),
		TEST(values_of_any_length_arrive),
		TEST(what_cannot_be_read_is_an_error),
		TEST(what_cannot_be_written_is_an_error),
		TEST(who_stands_still_is_not_waited_for_for_ever),
		TEST(a_large_answer_is_written_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
