/*
 * test_stream.c - bodies that are read as they come and answers that leave while they are made,
 * over the FastCGI server on a real socket: in constant memory, whatever the client does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fcgi_server.h"
#include "usual_lines.h"

enum { LONG = 48 * 1024 * 1024, SMALL_ARENA = 1024 * 1024 };

static atomic_int calls;
static atomic_llong taken;
static sem_t entered, left_off;

static char pattern(size_t at)
{
	return (char)('a' + at % 26 + at / 65536 % 3);
}

/* ---- handlers ------------------------------------------------------------------------------ */

static struct ath_response *hello(struct ath_request *request)
{
	calls++;
	return ath_response_text(request, 200, "hello");
}

static struct ath_response *number(struct ath_request *request, size_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%zu", value);
	return ath_response_text(request, 200, text);
}

/* How many bytes of the pattern came; 0: others did. */
static struct ath_response *upload(struct ath_request *request)
{
	char bytes[4000];
	size_t total = 0;
	ptrdiff_t length;

	calls++;
	sem_post(&entered);
	while ((length = ath_body_read(request, bytes, sizeof bytes)) > 0) {
		for (ptrdiff_t i = 0; i < length; i++, total++)
			if (bytes[i] != pattern(total))
				return number(request, 0);
		taken = (long long)total;
	}
	taken = length < 0 ? -1 : (long long)total;
	sem_post(&left_off);
	return number(request, total);
}

static struct ath_response *first_bytes(struct ath_request *request)
{
	char bytes[10];

	calls++;
	return number(request, (size_t)ath_body_read(request, bytes, sizeof bytes));
}

static struct ath_response *echo(struct ath_request *request)
{
	struct ath_response *response = ath_response_stream(request, 200, "text/plain");
	char bytes[5000];
	ptrdiff_t length;

	while ((length = ath_body_read(request, bytes, sizeof bytes)) > 0)
		if (!ath_stream_write(response, bytes, (size_t)length))
			break;
	return response;
}

static struct ath_response *download(struct ath_request *request)
{
	struct ath_response *response = ath_response_stream(request, 200, "text/plain");
	size_t size = (size_t)ath_path_int(request, "size"), at = 0;
	bool good = true;
	char bytes[1000];

	calls++;
	sem_post(&entered);
	while (good && at < size) {
		size_t piece = size - at < sizeof bytes ? size - at : sizeof bytes;

		for (size_t i = 0; i < piece; i++)
			bytes[i] = pattern(at + i);
		good = ath_stream_write(response, bytes, piece);
		at += piece;
		taken = (long long)at;
	}
	if (!good)
		sem_post(&left_off);
	return response;
}

static struct ath_response *breaking(struct ath_request *request)
{
	struct ath_response *response = ath_response_stream(request, 200, "text/plain");

	ath_stream_string(response, "the beginning");
	if (ath_path_int(request, "flushed"))
		ath_stream_flush(response);
	return ath_problem(request, 409, "it went wrong");
}

/* What handlers of errors make of it. */
static struct ath_response *reworded(struct ath_request *request, struct ath_response *problem)
{
	calls++;
	return ath_response_text(request, ath_response_status(problem), "reworded");
}

static struct ath_response *worded_at_length(struct ath_request *request,
					     struct ath_response *problem)
{
	size_t size = (size_t)ath_arg_int(request, "size", 100000, 0, LONG);
	struct ath_response *response =
		ath_response_stream(request, ath_response_status(problem), "text/plain");

	calls++;
	for (size_t i = 0; i < size; i++)
		if (!ath_stream_write(response, (char[]){ pattern(i) }, 1) ||
		    (i == 0 && !ath_stream_flush(response)))
			break;
	return ath_arg(request, "refused") == NULL ? response
						   : ath_response_text(request, 200, "good");
}

static struct ath_response *worded_for_ever(struct ath_request *request,
					    struct ath_response *problem)
{
	char bytes[10];

	(void)problem;
	calls++;
	if (ath_body_read(request, bytes, sizeof bytes) != 4 || memcmp(bytes, "text", 4) != 0)
		return ath_response_text(request, 404, "where is the body?");
	return ath_events(request);
}

static const struct ath_error_handler rewording[] = { ATH_ON_CLASS(4, reworded), { 0 } };
static const struct ath_error_handler at_length[] = { ATH_ON_CLASS(4, worded_at_length), { 0 } };
static const struct ath_error_handler for_ever[] = { ATH_ON_STATUS(404, worded_for_ever), { 0 } };

static struct ath_response *bad_argument(struct ath_request *request)
{
	(void)ath_arg_int(request, "n", 0, 1, 9);
	return ath_problem(request, 409, "it went wrong");
}

static struct ath_response *events(struct ath_request *request)
{
	struct ath_response *stream = ath_events(request);
	const char *text = ath_arg(request, "data");

	ath_event_send(stream, &(struct ath_server_event){
				       .name = "news", .id = "7", .data = text, .retry_ms = 500 });
	if (!ath_event_heartbeat(stream))
		return stream;
	sem_post(&entered);
	ath_sleep(PATIENCE_MS * 10);
	sem_post(&left_off);
	return stream;
}

static struct ath_response *bad_event(struct ath_request *request)
{
	struct ath_response *stream = ath_events(request);

	ath_event_send(stream, &(struct ath_server_event){ .name = "a\ndata: b" });
	return stream;
}

static struct ath_response *replace(struct ath_request *request, struct ath_response *response)
{
	(void)response;
	return ath_response_text(request, 203, "another");
}

/* Their bytes must not mix. */
static struct ath_response *two_streams(struct ath_request *request)
{
	struct ath_response *first = ath_response_stream(request, 200, "text/plain");
	struct ath_response *second = ath_response_stream(request, 200, "text/plain");

	ath_stream_string(first, "the beginning");
	ath_stream_flush(first);
	ath_stream_string(second, "of another");
	if (ath_stream_flush(second))
		calls++;
	return first;
}

static struct ath_response *replace_by_stream(struct ath_request *request,
					      struct ath_response *response)
{
	struct ath_response *stream = ath_response_stream(request, 203, "text/plain");

	(void)response;
	calls++;
	ath_stream_string(stream, "begin");
	ath_stream_flush(stream);
	ath_stream_string(stream, " end");
	return stream;
}

static struct ath_response *stamp(struct ath_request *request, struct ath_response *response)
{
	(void)request;
	ath_response_header(response, "X-Stamp", "yes");
	return response;
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/hello", hello),
	ATH_ROUTE(POST, "/upload", upload, .stream_body = true),
	ATH_ROUTE(POST, "/limited", upload, .stream_body = true, .max_body = 1000),
	ATH_ROUTE(POST, "/large", upload, .max_body = 3 * 1024 * 1024),
	ATH_ROUTE(POST, "/first", first_bytes, .stream_body = true),
	ATH_ROUTE(POST, "/echo", echo, .stream_body = true),
	ATH_ROUTE(GET, "/download/<size:int>", download, .after = stamp),
	ATH_ROUTE(GET, "/replaced/<size:int>", download, .after = replace),
	ATH_ROUTE(GET, "/two", two_streams),
	ATH_ROUTE(GET, "/behind", hello, .after = replace_by_stream),
	ATH_ROUTE(GET, "/breaking/<flushed:int>", breaking),
	ATH_ROUTE(GET, "/reworded/<flushed:int>", breaking, .errors = rewording),
	ATH_ROUTE(GET, "/at-length", bad_argument, .errors = at_length),
	ATH_ROUTE(GET, "/events", events),
	ATH_ROUTE(GET, "/bad-event", bad_event),
	{ 0 },
};

/* ---- the fixture ------------------------------------------------------------------------------
 */

static const struct ath_web_limits small = { .arena = SMALL_ARENA };

static int set_up(void **state)
{
	(void)state;
	server_set_up();
	calls = 0;
	taken = 0;
	sem_init(&entered, 0, 0);
	sem_init(&left_off, 0, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	server_tear_down();
	return 0;
}

static void say_hello(int peer)
{
	send_request(peer, &(struct made_request){ .uri = "/hello", .keep = true });
	assert_answer(peer, 200, "hello");
}

/* The beginning of a POST: what stands before its body. */
static void send_begin(int peer, const char *uri, const char *content_length)
{
	struct ath_buffer bytes, params;

	bytes_init(&bytes);
	bytes_init(&params);
	put_usual_pairs(&params, "POST", uri);
	if (content_length != NULL)
		put_pair(&params, "CONTENT_LENGTH", content_length);
	put_begin(&bytes, 1, FCGI_RESPONDER, true);
	put_stream(&bytes, FCGI_PARAMS, 1, params.data, params.length);
	put_record(&bytes, FCGI_PARAMS, 1, NULL, 0);
	ath_buffer_free(&params);
	send_bytes(peer, &bytes);
}

/* Bytes from..to of the pattern as body. */
static void send_pattern(int peer, size_t from, size_t to)
{
	static char piece[65535];

	while (from < to) {
		size_t length = to - from < sizeof piece ? to - from : sizeof piece;
		struct ath_buffer bytes;

		for (size_t i = 0; i < length; i++)
			piece[i] = pattern(from + i);
		bytes_init(&bytes);
		put_record(&bytes, FCGI_STDIN, 1, piece, length);
		send_bytes(peer, &bytes);
		from += length;
	}
}

static void send_end(int peer)
{
	struct ath_buffer bytes;

	bytes_init(&bytes);
	put_record(&bytes, FCGI_STDIN, 1, NULL, 0);
	send_bytes(peer, &bytes);
}

static void assert_pattern(int peer, size_t size, const char *head)
{
	struct answer answer;

	assert_true(receive_answer(peer, &answer));
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.body_length, size);
	for (size_t i = 0; i < size; i++)
		if (answer.body[i] != pattern(i))
			fail_msg("byte %zu", i);
	assert_non_null(strstr(answer.bytes.data, head));
	answer_free(&answer);
}

/* ---- bodies ------------------------------------------------------------------------------------
 */

static void a_long_body_is_read_in_little_memory(void **state)
{
	char text[32];
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	snprintf(text, sizeof text, "%d", LONG);
	send_begin(peer, "/upload", text);
	send_pattern(peer, 0, LONG);
	send_end(peer);
	assert_answer(peer, 200, text);
	say_hello(peer);
	close(peer);
	stop_server();
}

static void the_handler_runs_before_the_body_has_come(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_begin(peer, "/upload", NULL);
	await(&entered);
	send_pattern(peer, 0, 5);
	send_pattern(peer, 5, 100000);
	send_end(peer);
	assert_answer(peer, 200, "100000");
	say_hello(peer);
	close(peer);
	stop_server();
}

static void an_unread_body_is_never_a_request(void **state)
{
	struct made_request inner = { .uri = "/hello", .keep = true };
	struct ath_buffer body;
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	bytes_init(&body);
	while (body.length < 300000)
		put_request(&body, &inner);
	for (int i = 0; i < 3; i++) {
		send_request(peer, &(struct made_request){ .method = "POST",
							   .uri = "/first",
							   .body = body.data,
							   .body_length = body.length,
							   .keep = true });
		assert_answer(peer, 200, "10");
		say_hello(peer);
	}
	assert_int_equal(calls, 6);
	ath_buffer_free(&body);
	close(peer);
	stop_server();
}

/* The answer goes out although the body has not ended, and what follows is still in order. */
static void an_answer_need_not_wait_for_the_body(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_begin(peer, "/first", NULL);
	send_pattern(peer, 0, 20);
	assert_answer(peer, 200, "10");
	send_pattern(peer, 20, 300000);
	send_end(peer);
	say_hello(peer);
	close(peer);
	stop_server();
}

static void a_body_that_lies_about_its_length_is_refused(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_begin(peer, "/upload", "99");
	send_pattern(peer, 0, 100);
	send_end(peer);
	assert_answer(peer, 400, NULL);
	await(&left_off);
	assert_int_equal(taken, -1);
	say_hello(peer);
	close(peer);
	stop_server();
}

static void a_body_past_its_ceiling_is_refused(void **state)
{
	static const char *const announced[] = { "1001", NULL };
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	for (size_t i = 0; i < ATH_COUNT(announced); i++) {
		send_begin(peer, "/limited", announced[i]);
		send_pattern(peer, 0, 1001);
		send_end(peer);
		assert_answer(peer, 413, NULL);
		say_hello(peer);
	}
	assert_int_equal(calls, 3); /* of the announced one the handler knows nothing */
	send_begin(peer, "/limited", "1000");
	send_pattern(peer, 0, 1000);
	send_end(peer);
	assert_answer(peer, 200, "1000");
	close(peer);
	stop_server();
}

/* A route may take more than others do, without a stream; reading works the same. */
static void a_route_has_a_ceiling_of_its_own(void **state)
{
	int peer;

	(void)state;
	start_server(routes, (struct ath_web_limits){ .body = 1000 });
	peer = connect_peer();
	send_begin(peer, "/large", NULL);
	send_pattern(peer, 0, 3 * 1024 * 1024);
	send_end(peer);
	assert_answer(peer, 200, "3145728");
	send_begin(peer, "/large", NULL);
	send_pattern(peer, 0, 3 * 1024 * 1024 + 1);
	send_end(peer);
	assert_answer(peer, 413, NULL);
	say_hello(peer);
	close(peer);
	stop_server();
}

static void a_client_that_leaves_within_its_body_is_told_to_the_handler(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_begin(peer, "/upload", NULL);
	send_pattern(peer, 0, 1000);
	await(&entered);
	close(peer);
	await(&left_off);
	assert_int_equal(taken, -1);
	peer = connect_peer();
	say_hello(peer);
	close(peer);
	stop_server();
}

static void garbage_within_a_body_ends_the_connection(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_begin(peer, "/upload", NULL);
	await(&entered);
	send_all(peer, "GET / HTTP/1.1\r\n", 16);
	assert_closed(peer);
	close(peer);
	await(&left_off);
	assert_int_equal(taken, -1);
	stop_server();
}

static void bodies_that_wait_for_their_turn_are_kept(void **state)
{
	int first, second;

	(void)state;
	start_server(routes, (struct ath_web_limits){ .in_flight = 1, .arena = SMALL_ARENA });
	first = connect_peer();
	second = connect_peer();
	send_begin(first, "/upload", NULL);
	await(&entered);
	send_begin(second, "/upload", NULL);
	send_pattern(second, 0, 40000);
	send_pattern(first, 0, 1000);
	send_end(first);
	assert_answer(first, 200, "1000");
	send_pattern(second, 40000, 200000);
	send_end(second);
	assert_answer(second, 200, "200000");
	close(first);
	close(second);
	stop_server();
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static void a_long_answer_is_made_in_little_memory(void **state)
{
	char uri[64];
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	snprintf(uri, sizeof uri, "/download/%d", LONG);
	send_request(peer, &(struct made_request){ .uri = uri, .keep = true });
	assert_pattern(peer, LONG, "X-Stamp: yes\r\n");
	say_hello(peer);
	close(peer);
	stop_server();
}

static void a_short_stream_is_an_answer_as_any_other(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/download/1000", .keep = true });
	assert_pattern(peer, 1000, "Content-Length: 1000\r\n" USUAL_LINES "X-Stamp: yes\r\n");
	send_request(peer, &(struct made_request){ .uri = "/download/0", .keep = true });
	assert_pattern(peer, 0, "Content-Length: 0\r\n");
	close(peer);
	stop_server();
}

static void of_a_head_request_only_the_head_leaves(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_request(peer, &(struct made_request){
				   .method = "HEAD", .uri = "/download/900000000", .keep = true });
	assert_answer(peer, 200, "");
	await(&left_off); /* the handler is told that there is no use going on */
	say_hello(peer);
	close(peer);
	stop_server();
}

static void a_failure_before_the_first_byte_is_a_problem(void **state)
{
	struct answer answer;
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/breaking/0", .keep = true });
	assert_true(receive_answer(peer, &answer));
	assert_int_equal(answer.status, 409);
	assert_null(strstr(answer.body, "the beginning"));
	answer_free(&answer);
	say_hello(peer);
	close(peer);
	stop_server();
}

/* nginx passes a record that is none on as a failure; a mere end it would take for the end. */
static void assert_broken_off(const char *uri)
{
	int peer = connect_peer();
	unsigned char header[8];
	struct ath_buffer content;

	send_request(peer, &(struct made_request){ .uri = uri, .keep = true });
	bytes_init(&content);
	assert_true(receive_record(peer, header, &content));
	assert_int_equal(header[1], FCGI_STDOUT);
	assert_non_null(strstr(ath_buffer_c_string(&content), "the beginning"));
	assert_null(strstr(content.data, "Content-Length"));
	assert_true(receive_exactly(peer, header, sizeof header));
	assert_int_equal(header[0], 0);
	assert_closed(peer);
	ath_buffer_free(&content);
	close(peer);
}

static void a_failure_behind_the_first_byte_breaks_the_answer(void **state)
{
	(void)state;
	start_server(routes, small);
	assert_broken_off("/breaking/1");
	stop_server();
}

static void a_second_stream_does_not_mix_with_the_first(void **state)
{
	(void)state;
	start_server(routes, small);
	assert_broken_off("/two");
	assert_int_equal(calls, 0);
	stop_server();
}

static void assert_says(int peer, int status, const char *part)
{
	struct answer answer;

	assert_true(receive_answer(peer, &answer));
	assert_int_equal(answer.status, status);
	assert_non_null(strstr(answer.body, part));
	answer_free(&answer);
}

/* The client has read 200: no handler of errors has anything to say any more. */
static void a_stream_is_reworded_until_its_head_has_left(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/reworded/0", .keep = true });
	assert_answer(peer, 409, "reworded");
	assert_int_equal(calls, 1);
	assert_broken_off("/reworded/1");
	assert_int_equal(calls, 1);
	close(peer);
	stop_server();
}

/* Sent when its status is known to be good enough, so that no 200 leaves for what has failed. */
static void an_error_handler_streams_in_one_piece(void **state)
{
	struct answer answer;
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/at-length?n=1", .keep = true });
	assert_true(receive_answer(peer, &answer));
	assert_int_equal(answer.status, 409);
	assert_non_null(strstr(answer.bytes.data, "Content-Length: 100000\r\n"));
	assert_int_equal(answer.body_length, 100000);
	answer_free(&answer);
	send_request(peer,
		     &(struct made_request){ .uri = "/at-length?n=0&refused=1", .keep = true });
	assert_says(peer, 422, "n must be an integer");
	send_request(peer,
		     &(struct made_request){ .uri = "/at-length?n=1&size=2000000", .keep = true });
	assert_says(peer, 500, "\"status\":500}");
	assert_int_equal(calls, 3);
	say_hello(peer);
	close(peer);
	stop_server();
}

/* Where there is no route, whose limits would hold: it reads, but there are no events. */
static void an_error_handler_without_a_route_streams_nothing(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	server.web.errors = for_ever;
	peer = connect_peer();
	send_request(peer,
		     &(struct made_request){
			     .uri = "/nothing", .body = "text", .body_length = 4, .keep = true });
	assert_says(peer, 404, "nothing is served at this path");
	server.web.errors = at_length;
	send_request(peer, &(struct made_request){ .uri = "/nothing?size=40000", .keep = true });
	assert_says(peer, 404, "ab");
	assert_int_equal(calls, 2);
	say_hello(peer);
	close(peer);
	stop_server();
}

static void a_hook_may_put_another_answer_in_its_place(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/replaced/900000000", .keep = true });
	assert_answer(peer, 203, "another");
	await(&left_off);
	say_hello(peer);
	close(peer);
	stop_server();
}

static void a_hook_may_flush_a_stream_of_its_own(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/behind", .keep = true });
	assert_answer(peer, 203, "begin end");
	assert_int_equal(calls, 2); /* the handler, and the hook once */
	say_hello(peer);
	close(peer);
	stop_server();
}

static void a_reader_that_is_slow_holds_the_writer_and_nobody_else(void **state)
{
	char uri[64];
	long long seen;
	int slow, other;

	(void)state;
	start_server(routes, small);
	slow = connect_peer();
	other = connect_peer();
	snprintf(uri, sizeof uri, "/download/%d", LONG);
	send_request(slow, &(struct made_request){ .uri = uri, .keep = true });
	wait_for(slow, POLLIN);
	do { /* until the writer stands still */
		seen = taken;
		say_hello(other);
	} while (seen != taken);
	assert_true(taken < LONG);
	assert_pattern(slow, LONG, "X-Stamp: yes\r\n");
	close(slow);
	close(other);
	stop_server();
}

static void a_reader_that_leaves_is_told_to_the_handler(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/download/900000000", .keep = true });
	wait_for(peer, POLLIN);
	close(peer);
	await(&left_off);
	peer = connect_peer();
	say_hello(peer);
	close(peer);
	stop_server();
}

static void *send_whole_body(void *arg)
{
	int peer = *(int *)arg;

	send_pattern(peer, 0, LONG);
	send_end(peer);
	return NULL;
}

static void a_body_and_an_answer_stream_at_once(void **state)
{
	pthread_t sender;
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_begin(peer, "/echo", NULL);
	assert_int_equal(pthread_create(&sender, NULL, send_whole_body, &peer), 0);
	assert_pattern(peer, LONG, "text/plain");
	assert_int_equal(pthread_join(sender, NULL), 0);
	say_hello(peer);
	close(peer);
	stop_server();
}

/* ---- events ------------------------------------------------------------------------------------
 */

/* Reads records until the text stands in them. */
static void await_text(int peer, const char *text)
{
	unsigned char header[8];
	struct ath_buffer content;

	bytes_init(&content);
	while (strstr(ath_buffer_c_string(&content), text) == NULL)
		assert_true(receive_record(peer, header, &content));
	ath_buffer_free(&content);
}

static void events_are_sent_at_once(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/events?data=one%0D%0Atwo%0Athree%0D" });
	await_text(peer, "event: news\nid: 7\nretry: 500\ndata: one\ndata: two\ndata: three\n"
			 "data: \n\n");
	await_text(peer, ":\n\n");
	await(&entered);
	close(peer);
	await(&left_off);
	stop_server();
}

static void a_name_of_two_lines_is_refused(void **state)
{
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/bad-event", .keep = true });
	assert_answer(peer, 500, NULL);
	say_hello(peer);
	close(peer);
	stop_server();
}

static int open_events(void)
{
	int peer = connect_peer();

	send_request(peer, &(struct made_request){ .uri = "/events" });
	await_text(peer, ":\n\n");
	await(&entered);
	return peer;
}

static void events_stand_in_nobodys_way(void **state)
{
	int peers[3], other;

	(void)state;
	start_server(routes, (struct ath_web_limits){ .in_flight = 1, .streams = 3 });
	for (size_t i = 0; i < ATH_COUNT(peers); i++)
		peers[i] = open_events();
	other = connect_peer();
	say_hello(other);
	send_request(other, &(struct made_request){ .uri = "/events", .keep = true });
	assert_answer(other, 503, NULL); /* there are three */
	close(peers[0]);
	await(&left_off);
	peers[0] = open_events();
	say_hello(other);
	close(other);
	for (size_t i = 0; i < ATH_COUNT(peers); i++)
		close(peers[i]);
	stop_server();
}

static void draining_ends_events(void **state)
{
	struct answer answer;
	int peer;

	(void)state;
	start_server(routes, small);
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/events" });
	await(&entered);
	give_order(DRAIN);
	assert_true(receive_answer(peer, &answer)); /* it has an end */
	answer_free(&answer);
	assert_closed(peer);
	await(&drained);
	close(peer);
	stop_server();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_long_body_is_read_in_little_memory),
		TEST(the_handler_runs_before_the_body_has_come),
		TEST(an_unread_body_is_never_a_request),
		TEST(an_answer_need_not_wait_for_the_body),
		TEST(a_body_that_lies_about_its_length_is_refused),
		TEST(a_body_past_its_ceiling_is_refused),
		TEST(a_route_has_a_ceiling_of_its_own),
		TEST(a_client_that_leaves_within_its_body_is_told_to_the_handler),
		TEST(garbage_within_a_body_ends_the_connection),
		TEST(bodies_that_wait_for_their_turn_are_kept),
		TEST(a_long_answer_is_made_in_little_memory),
		TEST(a_short_stream_is_an_answer_as_any_other),
		TEST(of_a_head_request_only_the_head_leaves),
		TEST(a_failure_before_the_first_byte_is_a_problem),
		TEST(a_failure_behind_the_first_byte_breaks_the_answer),
		TEST(a_stream_is_reworded_until_its_head_has_left),
		TEST(an_error_handler_streams_in_one_piece),
		TEST(an_error_handler_without_a_route_streams_nothing),
		TEST(a_hook_may_put_another_answer_in_its_place),
		TEST(a_second_stream_does_not_mix_with_the_first),
		TEST(a_hook_may_flush_a_stream_of_its_own),
		TEST(a_reader_that_is_slow_holds_the_writer_and_nobody_else),
		TEST(a_reader_that_leaves_is_told_to_the_handler),
		TEST(a_body_and_an_answer_stream_at_once),
		TEST(events_are_sent_at_once),
		TEST(a_name_of_two_lines_is_refused),
		TEST(events_stand_in_nobodys_way),
		TEST(draining_ends_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
