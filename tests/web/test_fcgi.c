/*
 * test_fcgi.c - the FastCGI server on a real socket: kept connections, peers that dribble,
 * stall, leave, or smuggle, and the way a server ends.
 *
 * Handlers tell what they do by semaphores; a gate (an eventfd) holds them where a test wants
 * them. Every wait has an end, and none is there to let time pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/resource.h>

#include "fcgi_server.h"

enum { BIG = 1024 * 1024, IDLE_PEERS = 200 };

/* ---- what handlers tell ----------------------------------------------------------------- */

static atomic_int calls, secrets, running, most_running;
static _Atomic enum ath_status slept;
static sem_t entered, left_off;
static int gate;

/* ---- handlers ------------------------------------------------------------------------------ */

static struct ath_response *hello(struct ath_request *request)
{
	calls++;
	return ath_response_text(request, 200, "hello");
}

static struct ath_response *echo(struct ath_request *request)
{
	struct ath_response *response = ath_response_new(request, 200, "application/octet-stream");
	struct ath_text body = ath_body(request);

	calls++;
	if (response != NULL)
		ath_buffer_append(ath_response_body(response), body.data, body.length);
	return response;
}

static char pattern(size_t at)
{
	return (char)('a' + at % 26 + at / 65536 % 3);
}

static struct ath_response *big(struct ath_request *request)
{
	struct ath_response *response = ath_response_new(request, 200, "application/octet-stream");
	size_t size = (size_t)ath_path_int(request, "size");
	char *at =
		response == NULL ? NULL : ath_buffer_reserve(ath_response_body(response), size + 1);

	calls++;
	if (at == NULL)
		return NULL;
	for (size_t i = 0; i < size; i++)
		at[i] = pattern(i);
	ath_response_body(response)->length = size;
	return response;
}

/* Holds the request until the gate opens. */
static struct ath_response *held(struct ath_request *request)
{
	int door = dup(gate), now = ++running;
	enum ath_status status;

	calls++;
	if (now > most_running)
		most_running = now;
	sem_post(&entered);
	status = ath_wait_fd(door, ATH_READABLE, ATH_NEVER);
	close(door);
	running--;
	return ath_response_text(request, 200, ath_status_text(status));
}

/* Keeps the loop. */
static struct ath_response *busy(struct ath_request *request)
{
	enum { MILLISECONDS = 100 };
	int64_t end = ath_now() + MILLISECONDS;

	calls++;
	while (ath_now() < end)
		;
	return ath_response_text(request, 200, "done");
}

static struct ath_response *sleeper(struct ath_request *request)
{
	calls++;
	sem_post(&entered);
	slept = ath_sleep(PATIENCE_MS);
	sem_post(&left_off);
	if (slept == ATH_ECANCELED) /* as a session that was cancelled has it */
		return ath_problem(request, 504, "the client went away");
	return ath_response_text(request, 200, "slept");
}

static struct ath_response *secret(struct ath_request *request)
{
	secrets++;
	return ath_response_text(request, 200, "secret");
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/hello", hello),        ATH_ROUTE(POST, "/echo", echo),
	ATH_ROUTE(GET, "/big/<size:int>", big), ATH_ROUTE(GET, "/held", held),
	ATH_ROUTE(GET, "/sleep", sleeper),      ATH_ROUTE(GET, "/secret", secret),
	ATH_ROUTE(POST, "/secret", secret),     ATH_ROUTE(GET, "/brief", secret, .deadline_ms = 20),
	ATH_ROUTE(GET, "/busy", busy),          { 0 },
};

/* ---- the server ------------------------------------------------------------------------------ */

static void start_usual_server(void)
{
	start_server(routes, (struct ath_web_limits){ 0 });
}

static int set_up(void **state)
{
	(void)state;
	server_set_up();
	calls = secrets = running = most_running = 0;
	slept = ATH_OK;
	sem_init(&entered, 0, 0);
	sem_init(&left_off, 0, 0);
	gate = eventfd(0, EFD_CLOEXEC);
	return gate < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	server_tear_down();
	close(gate);
	return 0;
}

static const struct made_request kept_hello = { .uri = "/hello", .keep = true };

static void say_hello(int peer)
{
	send_request(peer, &kept_hello);
	assert_answer(peer, 200, "hello");
}

/* ---- one and many requests ------------------------------------------------------------------- */

static void an_unkept_connection_is_closed_after_its_answer(void **state)
{
	int peer;

	(void)state;
	start_usual_server();
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/hello" });
	assert_answer(peer, 200, "hello");
	assert_closed(peer);
	close(peer);
	stop_server();
}

static void a_kept_connection_serves_one_request_after_another(void **state)
{
	static const char body[] = "some bytes";
	struct answer answer;
	int peer;

	(void)state;
	start_usual_server();
	peer = connect_peer();
	for (unsigned id = 1; id < 300; id++) {
		send_request(peer, &(struct made_request){ .method = "POST",
							   .uri = "/echo",
							   .body = body,
							   .body_length = id % sizeof body,
							   .id = id,
							   .keep = true });
		assert_true(receive_answer(peer, &answer));
		assert_int_equal(answer.id, id);
		assert_int_equal(answer.body_length, id % sizeof body);
		assert_memory_equal(answer.body, body, answer.body_length);
		answer_free(&answer);
	}
	send_request(peer, &(struct made_request){ .uri = "/hello" });
	assert_answer(peer, 200, "hello");
	assert_closed(peer);
	close(peer);
	stop_server();
}

static void requests_sent_ahead_are_answered_in_order(void **state)
{
	struct ath_buffer bytes;
	int peer;

	(void)state;
	start_usual_server();
	peer = connect_peer();
	bytes_init(&bytes);
	put_request(&bytes, &(struct made_request){ .uri = "/held", .keep = true });
	put_request(&bytes, &kept_hello);
	put_request(&bytes, &(struct made_request){ .uri = "/nowhere", .keep = true });
	put_request(&bytes, &(struct made_request){ .uri = "/hello" });
	send_bytes(peer, &bytes);
	await(&entered);
	signal_eventfd(gate);
	assert_answer(peer, 200, "ok");
	assert_answer(peer, 200, "hello");
	assert_answer(peer, 404, NULL);
	assert_answer(peer, 200, "hello");
	assert_closed(peer);
	assert_int_equal(calls, 3);
	close(peer);
	stop_server();
}

/* What the socket takes once the server has had its turn at what was sent before. */
static size_t send_after_turns(int peer, const void *data, size_t length)
{
	give_order(NOTHING);
	give_order(NOTHING);
	return send_some(peer, data, length);
}

/* More than the server puts aside stays in the socket until the first answer is sent. */
static void a_large_request_sent_ahead_waits_in_the_socket(void **state)
{
	char *body = malloc(BIG);
	struct ath_buffer bytes;
	struct answer answer;
	size_t at = 0, sent;
	int peer;

	(void)state;
	start_usual_server();
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/held", .keep = true });
	await(&entered);
	bytes_init(&bytes);
	put_request(&bytes, &(struct made_request){ .method = "POST",
						    .uri = "/echo",
						    .body = memset(body, 'x', BIG),
						    .body_length = BIG,
						    .keep = true });
	while ((sent = send_after_turns(peer, bytes.data + at, bytes.length - at)) > 0)
		at += sent;
	assert_true(at < bytes.length); /* however often the server looked */
	signal_eventfd(gate);
	send_all(peer, bytes.data + at, bytes.length - at);
	assert_answer(peer, 200, "ok");
	assert_true(receive_answer(peer, &answer));
	assert_int_equal(answer.body_length, BIG);
	assert_memory_equal(answer.body, body, BIG);
	say_hello(peer);
	close(peer);
	answer_free(&answer);
	ath_buffer_free(&bytes);
	free(body);
	stop_server();
}

static void idle_connections_stand_in_nobodys_way(void **state)
{
	int peers[IDLE_PEERS], newcomer;

	(void)state;
	start_usual_server();
	for (int i = 0; i < IDLE_PEERS; i++)
		say_hello(peers[i] = connect_peer());
	newcomer = connect_peer();
	send_request(newcomer, &(struct made_request){ .uri = "/hello" });
	assert_answer(newcomer, 200, "hello");
	assert_closed(newcomer);
	close(newcomer);
	for (int i = 0; i < IDLE_PEERS; i++)
		say_hello(peers[i]);
	for (int i = 0; i < IDLE_PEERS; i++)
		close(peers[i]);
	stop_server();
}

static void management_records_are_answered_beside_requests(void **state)
{
	static const unsigned char value[] = "\017\000FCGI_MPXS_CONNS";
	static const unsigned char expected[] = "\001\012\000\000\000\022\000\000"
						"\017\001FCGI_MPXS_CONNS0";
	unsigned char got[sizeof expected - 1];
	struct ath_buffer bytes;
	int peer;

	(void)state;
	start_usual_server();
	peer = connect_peer();
	bytes_init(&bytes);
	put_record(&bytes, FCGI_GET_VALUES, 0, value, sizeof value - 1);
	put_request(&bytes, &kept_hello);
	send_bytes(peer, &bytes);
	assert_true(receive_exactly(peer, got, sizeof got));
	assert_memory_equal(got, expected, sizeof got);
	assert_answer(peer, 200, "hello");
	close(peer);
	stop_server();
}

/* The peer takes a request back before it is whole: kept or not decides what follows. */
static void an_aborted_request_gets_its_end(void **state)
{
	(void)state;
	start_usual_server();
	for (int keep = 0; keep <= 1; keep++) {
		struct ath_buffer bytes;
		struct answer answer;
		int peer = connect_peer();

		bytes_init(&bytes);
		put_begin(&bytes, 7, FCGI_RESPONDER, keep);
		put_record(&bytes, FCGI_PARAMS, 7, "\1\1ab", 4);
		put_record(&bytes, FCGI_ABORT_REQUEST, 7, NULL, 0);
		send_bytes(peer, &bytes);
		assert_true(receive_answer(peer, &answer));
		assert_int_equal(answer.id, 7);
		assert_int_equal(answer.bytes.length, 0);
		if (keep)
			say_hello(peer);
		else
			assert_closed(peer);
		answer_free(&answer);
		close(peer);
	}
	stop_server();
}

/* ---- large answers ------------------------------------------------------------------------------
 */

static void assert_pattern(const struct answer *answer, size_t size)
{
	assert_int_equal(answer->status, 200);
	assert_int_equal(answer->body_length, size);
	for (size_t i = 0; i < size; i++)
		if (answer->body[i] != pattern(i))
			fail_msg("byte %zu of %zu differs", i, size);
}

/* Around the ends of records, and more records than one sendmsg takes. */
static void answers_of_any_size_come_whole(void **state)
{
	static const int sizes[] = { 0,     1,     65400,  65450,  65451, 65452,
				     65453, 65454, 65455,  65456,  65457, 65528,
				     65535, 65536, 130980, 131056, BIG,   4 * BIG };
	struct answer answer;
	char uri[32];
	int peer;

	(void)state;
	start_usual_server();
	peer = connect_peer();
	for (size_t i = 0; i < ATH_COUNT(sizes); i++) {
		snprintf(uri, sizeof uri, "/big/%d", sizes[i]);
		send_request(peer, &(struct made_request){ .uri = uri, .keep = true });
		assert_true(receive_answer(peer, &answer));
		assert_pattern(&answer, (size_t)sizes[i]);
		answer_free(&answer);
	}
	close(peer);
	stop_server();
}

static void send_for_big(int peer)
{
	send_request(peer, &(struct made_request){ .uri = "/big/1048576", .keep = true });
}

/* The client's receiver takes little at a time, so that the server must wait for room. */
static void a_slow_reader_gets_all_and_delays_nobody(void **state)
{
	unsigned char header[8];
	struct ath_buffer got;
	int slow, other;

	(void)state;
	start_usual_server();
	slow = connect_peer();
	other = connect_peer();
	send_for_big(slow);
	bytes_init(&got);
	for (header[1] = 0; header[1] != FCGI_END_REQUEST;) {
		struct answer answer = { 0 };
		size_t before = got.length;

		assert_true(receive_record(slow, header, &got));
		if (header[1] == FCGI_END_REQUEST) {
			got.length = before;
			answer.bytes = got;
			cut_answer(&answer);
			assert_pattern(&answer, BIG);
			got = answer.bytes;
		}
		say_hello(other);
	}
	say_hello(slow);
	ath_buffer_free(&got);
	close(slow);
	close(other);
	stop_server();
}

static void a_reader_that_leaves_in_the_answer_is_forgotten(void **state)
{
	char start[8];
	int peer, other;

	(void)state;
	start_usual_server();
	for (int i = 0; i < 10; i++) {
		peer = connect_peer();
		send_for_big(peer);
		assert_true(receive_exactly(peer, start, sizeof start));
		close(peer);
	}
	other = connect_peer();
	say_hello(other);
	close(other);
	stop_server();
}

static void a_reader_that_stalls_is_dropped(void **state)
{
	struct pollfd ended;
	struct answer answer;
	int peer;

	(void)state;
	start_server(routes, (struct ath_web_limits){ .deadline_ms = 200 });
	peer = connect_peer();
	send_for_big(peer);
	ended = (struct pollfd){ .fd = peer, .events = 0 };
	assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
	assert_true(ended.revents & POLLHUP);
	assert_false(receive_answer(peer, &answer));
	answer_free(&answer);
	close(peer);
	stop_server();
}

/* ---- smuggling
 * ----------------------------------------------------------------------------------- */

/* A body that is a whole request for what only another client may have. */
static void put_smuggled(struct ath_buffer *body)
{
	bytes_init(body);
	put_record(body, FCGI_STDIN, 1, NULL, 0);
	put_request(body, &(struct made_request){ .uri = "/secret", .keep = true });
	put_request(body, &(struct made_request){ .method = "POST",
						  .uri = "/secret",
						  .keep = true,
						  .body = "x",
						  .body_length = 1 });
}

/* status 0: whatever it is, it is an answer to the outer request, and the only one. */
static const struct smuggler {
	const char *name;
	struct made_request made;
	int status;
	size_t copies; /* of the smuggled requests in the body */
} smugglers[] = {
	{ "good route", { .method = "POST", .uri = "/echo" }, 200, 1 },
	{ "a route that does not look", { .method = "GET", .uri = "/hello" }, 200, 1 },
	{ "no route", { .method = "POST", .uri = "/nowhere" }, 404, 1 },
	{ "no such method", { .method = "DELETE", .uri = "/hello" }, 405, 1 },
	{ "unknown method", { .method = "BREW", .uri = "/hello" }, 405, 1 },
	{ "OPTIONS", { .method = "OPTIONS", .uri = "/hello" }, 204, 1 },
	{ "HEAD", { .method = "HEAD", .uri = "/hello" }, 200, 1 },
	{ "bad path", { .method = "POST", .uri = "/%00" }, 400, 1 },
	{ "bad query", { .method = "POST", .uri = "/echo?%ff" }, 400, 1 },
	{ "shorter than announced",
	  { .method = "POST", .uri = "/echo", .content_length = "9999" },
	  400,
	  1 },
	{ "longer than announced",
	  { .method = "POST", .uri = "/echo", .content_length = "1" },
	  400,
	  1 },
	{ "announced as nothing",
	  { .method = "POST", .uri = "/echo", .content_length = "0" },
	  400,
	  1 },
	{ "announced as no number",
	  { .method = "POST", .uri = "/echo", .content_length = "1x" },
	  400,
	  1 },
	{ "body too large", { .method = "POST", .uri = "/echo" }, 413, 40 },
	{ "body too large, no route", { .method = "POST", .uri = "/nowhere" }, 413, 40 },
	{ "body and parameters too large",
	  { .method = "POST", .uri = "/echo", .more_params = 9000 },
	  431,
	  40 },
	{ "parameters too large",
	  { .method = "POST", .uri = "/echo", .more_params = 9000 },
	  431,
	  1 },
};

static void assert_only_its_own_answer(int peer, const struct smuggler *smuggler)
{
	struct answer answer;

	assert_true(receive_answer(peer, &answer));
	if (answer.status != smuggler->status)
		fail_msg("%s: %d", smuggler->name, answer.status);
	answer_free(&answer);
	say_hello(peer);
}

static void smuggle(const struct smuggler *smuggler)
{
	struct made_request made = smuggler->made;
	struct ath_buffer body, once;
	int peer = connect_peer();

	bytes_init(&body);
	put_smuggled(&once);
	for (size_t i = 0; i < smuggler->copies; i++)
		ath_buffer_append(&body, once.data, once.length);
	made.body = body.data;
	made.body_length = body.length;
	made.keep = true;
	send_request(peer, &made);
	assert_only_its_own_answer(peer, smuggler);
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	assert_closed(peer); /* and nothing more had come */
	close(peer);
	ath_buffer_free(&body);
	ath_buffer_free(&once);
}

static void a_body_of_records_is_never_a_request(void **state)
{
	(void)state;
	start_server(routes, (struct ath_web_limits){ .params = 8192, .body = 8192 });
	for (size_t i = 0; i < ATH_COUNT(smugglers); i++)
		smuggle(&smugglers[i]);
	assert_int_equal(secrets, 0);
	stop_server();
}

static void parameters_of_records_are_never_a_request(void **state)
{
	struct ath_buffer smuggled, params, bytes;
	int peer;

	(void)state;
	start_usual_server();
	put_smuggled(&smuggled);
	bytes_init(&params);
	put_usual_pairs(&params, "GET", "/hello");
	put_pair_bytes(&params, "HTTP_X", smuggled.data, smuggled.length);
	bytes_init(&bytes);
	put_begin(&bytes, 1, FCGI_RESPONDER, true);
	put_stream(&bytes, FCGI_PARAMS, 1, params.data, params.length);
	put_record(&bytes, FCGI_PARAMS, 1, NULL, 0);
	put_record(&bytes, FCGI_STDIN, 1, NULL, 0);
	peer = connect_peer();
	send_bytes(peer, &bytes);
	assert_answer(peer, 400, NULL); /* the value holds NULs */
	say_hello(peer);
	assert_int_equal(secrets, 0);
	close(peer);
	ath_buffer_free(&smuggled);
	ath_buffer_free(&params);
	stop_server();
}

/* ---- what does not come, or not in time ---------------------------------------------------------
 */

static void put_small_post(struct ath_buffer *bytes)
{
	bytes_init(bytes);
	put_request(bytes, &(struct made_request){ .method = "POST",
						   .uri = "/echo",
						   .content_length = "3",
						   .body = "abc",
						   .body_length = 3,
						   .keep = true });
}

/* Cut off at every byte: the server closes, and the handler has not run. */
static void a_truncated_request_is_never_run(void **state)
{
	struct ath_buffer bytes;
	int peer;

	(void)state;
	start_usual_server();
	put_small_post(&bytes);
	for (size_t length = 0; length < bytes.length; length++) {
		peer = connect_peer();
		send_all(peer, bytes.data, length);
		assert_int_equal(shutdown(peer, SHUT_WR), 0);
		assert_closed(peer);
		assert_int_equal(calls, 0);
		close(peer);
	}
	peer = connect_peer();
	send_bytes(peer, &bytes);
	assert_answer(peer, 200, "abc");
	close(peer);
	stop_server();
}

/* The same on a connection that has served a request before. */
static void a_truncated_second_request_is_never_run(void **state)
{
	struct ath_buffer bytes;
	int peer;

	(void)state;
	start_usual_server();
	put_small_post(&bytes);
	for (size_t length = 1; length < bytes.length; length++) {
		peer = connect_peer();
		say_hello(peer);
		send_all(peer, bytes.data, length);
		assert_int_equal(shutdown(peer, SHUT_WR), 0);
		assert_closed(peer);
		assert_int_equal(calls, (int)length);
		close(peer);
	}
	ath_buffer_free(&bytes);
	stop_server();
}

static void a_dribbling_peer_delays_nobody(void **state)
{
	struct ath_buffer bytes;
	int slow, other;

	(void)state;
	start_usual_server();
	slow = connect_peer();
	other = connect_peer();
	put_small_post(&bytes);
	for (size_t i = 0; i < bytes.length; i++) {
		send_all(slow, bytes.data + i, 1);
		say_hello(other);
	}
	assert_answer(slow, 200, "abc");
	close(slow);
	close(other);
	ath_buffer_free(&bytes);
	stop_server();
}

static void a_half_sent_request_is_closed_at_its_deadline(void **state)
{
	struct ath_buffer bytes;
	int half, idle;

	(void)state;
	start_server(routes, (struct ath_web_limits){ .deadline_ms = 100 });
	idle = connect_peer();
	say_hello(idle);
	half = connect_peer();
	put_small_post(&bytes);
	send_all(half, bytes.data, bytes.length / 2);
	assert_closed(half);
	say_hello(idle); /* a connection between requests has no deadline */
	assert_int_equal(calls, 2);
	close(half);
	close(idle);
	ath_buffer_free(&bytes);
	stop_server();
}

static const struct garbage {
	const char *bytes;
	size_t length;
} garbage[] = {
#define ROW(text)                                                                                  \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
	ROW("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"),
	ROW("\0\0\0\0\0\0\0\0"),
	ROW("\2\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"),
	ROW("\377\377\377\377\377\377\377\377\377"),
	ROW("\1\1\0\0\0\10\0\0\0\1\1\0\0\0\0\0"),                 /* begins request 0 */
	ROW("\1\1\0\1\0\7\0\0\0\1\1\0\0\0\0"),                    /* too short a begin */
	ROW("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0\1\5\0\1\0\0\0\0"), /* body before parameters */
	ROW("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"), /* twice */
#undef ROW
};

static void garbage_is_closed(void **state)
{
	int other;

	(void)state;
	start_usual_server();
	other = connect_peer();
	for (size_t i = 0; i < ATH_COUNT(garbage); i++) {
		int peer = connect_peer();

		send_all(peer, garbage[i].bytes, garbage[i].length);
		assert_closed(peer);
		close(peer);
		say_hello(other);
	}
	close(other);
	stop_server();
}

/* ---- clients that leave ------------------------------------------------------------------------
 */

static int told; /* the status */
static sem_t was_told;

static void tell(struct ath_request *request, int status, const struct ath_output *output)
{
	(void)request;
	(void)output;
	told = status;
	sem_post(&was_told);
}

static void a_handler_whose_client_leaves_is_cancelled(void **state)
{
	int peer;

	(void)state;
	sem_init(&was_told, 0, 0);
	server.web.ended = tell;
	start_usual_server();
	peer = connect_peer();
	send_request(peer, &(struct made_request){ .uri = "/sleep", .keep = true });
	await(&entered);
	close(peer);
	await(&left_off);
	assert_int_equal(slept, ATH_ECANCELED);
	await(&was_told);
	assert_int_equal(told, 499);
	peer = connect_peer();
	say_hello(peer);
	await(&was_told);
	assert_int_equal(told, 200);
	close(peer);
	stop_server();
	server.web.ended = NULL;
}

/* Also with bytes of a further request on their way, even more than are put aside. */
static void a_client_that_leaves_what_it_sent_ahead_is_seen(void **state)
{
	char *body = calloc(BIG, 1);
	struct ath_buffer bytes;
	size_t at = 0, sent;
	int peer;

	(void)state;
	start_usual_server();
	peer = connect_peer();
	bytes_init(&bytes);
	put_request(&bytes, &(struct made_request){ .uri = "/sleep", .keep = true });
	put_request(&bytes,
		    &(struct made_request){
			    .method = "POST", .uri = "/echo", .body = body, .body_length = BIG });
	while (at < 90000 && (sent = send_some(peer, bytes.data + at, bytes.length - at)) > 0)
		at += sent;
	await(&entered);
	close(peer);
	await(&left_off);
	assert_int_equal(slept, ATH_ECANCELED);
	assert_int_equal(calls, 1);
	ath_buffer_free(&bytes);
	free(body);
	stop_server();
}

/* ---- the number of requests in flight
 * ------------------------------------------------------------- */

enum { LIMIT = 2, CROWD = 7 };

static void all_of_a_crowd_are_served(const int *peers)
{
	for (int i = 0; i < LIMIT; i++)
		await(&entered);
	signal_eventfd(gate);
	for (int i = 0; i < CROWD; i++)
		assert_answer(peers[i], 200, "ok");
	assert_true(most_running <= LIMIT);
	assert_int_equal(running, 0);
	for (int i = 0; i < CROWD; i++)
		close(peers[i]);
}

static void requests_beyond_the_limit_wait_for_their_turn(void **state)
{
	int peers[CROWD];

	(void)state;
	start_server(routes, (struct ath_web_limits){ .in_flight = LIMIT, .queued = CROWD });
	for (int i = 0; i < CROWD; i++)
		say_hello(peers[i] = connect_peer());
	for (int i = 0; i < CROWD; i++)
		send_request(peers[i], &(struct made_request){ .uri = "/held" });
	all_of_a_crowd_are_served(peers);
	assert_int_equal(calls, 2 * CROWD);
	stop_server();
}

static void so_do_those_of_new_connections(void **state)
{
	int peers[CROWD];

	(void)state;
	start_server(routes, (struct ath_web_limits){ .in_flight = LIMIT, .queued = CROWD });
	for (int i = 0; i < CROWD; i++) {
		peers[i] = connect_peer();
		send_request(peers[i], &(struct made_request){ .uri = "/held" });
	}
	all_of_a_crowd_are_served(peers);
	stop_server();
}

static void assert_refused(int peer)
{
	static const char line[] = "\r\nRetry-After: 1\r\n";
	struct answer answer;

	assert_true(receive_answer(peer, &answer));
	assert_int_equal(answer.status, 503);
	assert_non_null(memmem(answer.bytes.data, answer.bytes.length, line, strlen(line)));
	answer_free(&answer);
}

/* Body and all, and the connection goes on. */
static void what_finds_no_place_in_the_queue_is_refused_at_once(void **state)
{
	static const char body[] = "a body that is never a request";
	int holder, queued, late;

	(void)state;
	start_server(routes, (struct ath_web_limits){ .in_flight = 1 });
	holder = connect_peer();
	queued = connect_peer();
	late = connect_peer();
	send_request(holder, &(struct made_request){ .uri = "/held" });
	await(&entered);
	send_request(queued, &kept_hello);
	give_order(NOTHING);
	for (int i = 0; i < 3; i++) {
		send_request(late, &(struct made_request){ .method = "POST",
							   .uri = "/secret",
							   .body = body,
							   .body_length = sizeof body,
							   .keep = true });
		assert_refused(late);
	}
	signal_eventfd(gate);
	assert_answer(holder, 200, "ok");
	assert_answer(queued, 200, "hello");
	say_hello(late);
	assert_int_equal(secrets, 0);
	close(holder);
	close(queued);
	close(late);
	stop_server();
}

static void what_waits_past_its_deadline_is_refused_unrun(void **state)
{
	int holder, queued;

	(void)state;
	start_server(routes, (struct ath_web_limits){ .in_flight = 1 });
	holder = connect_peer();
	queued = connect_peer();
	send_request(holder, &(struct made_request){ .uri = "/held" });
	await(&entered);
	send_request(queued, &(struct made_request){ .uri = "/brief", .keep = true });
	assert_refused(queued);
	assert_int_equal(secrets, 0);
	signal_eventfd(gate);
	assert_answer(holder, 200, "ok");
	say_hello(queued);
	close(holder);
	close(queued);
	stop_server();
}

static const struct ath_route own_routes[] = { ATH_ROUTE(GET, "/-/held", held), { 0 } };

/* As many as there are places for; those beyond wait as others do. */
static void the_frameworks_own_routes_pass(void **state)
{
	int holder, waiting, own[ATH_OWN_PLACES + 1];

	(void)state;
	server.web.own_routes = own_routes;
	start_server(routes, (struct ath_web_limits){ .in_flight = 1, .queued = 2 });
	send_request(holder = connect_peer(), &(struct made_request){ .uri = "/held" });
	await(&entered);
	send_request(waiting = connect_peer(), &(struct made_request){ .uri = "/secret" });
	give_order(NOTHING);
	for (size_t i = 0; i < ATH_COUNT(own); i++)
		send_request(own[i] = connect_peer(), &(struct made_request){ .uri = "/-/held" });
	for (size_t i = 0; i < ATH_OWN_PLACES; i++)
		await(&entered);
	give_order(NOTHING);
	assert_int_equal(sem_trywait(&entered), -1);
	assert_int_equal(secrets, 0);
	signal_eventfd(gate);
	for (size_t i = 0; i < ATH_COUNT(own); i++) {
		assert_answer(own[i], 200, "ok");
		close(own[i]);
	}
	assert_answer(holder, 200, "ok");
	assert_answer(waiting, 200, "secret");
	close(holder);
	close(waiting);
	stop_server();
}

/* Each needs so much of the processor that the last would wait for seconds. */
static void what_the_processor_cannot_do_in_time_is_refused_unrun(void **state)
{
	enum { MORE = 40 };
	int peers[MORE], served = 0, refused = 0;
	struct ath_fcgi_stats stats;

	(void)state;
	start_usual_server();
	for (int i = 0; i < MORE; i++)
		send_request(peers[i] = connect_peer(), &(struct made_request){ .uri = "/busy" });
	for (int i = 0; i < MORE; i++) {
		struct answer answer;

		assert_true(receive_answer(peers[i], &answer));
		served += answer.status == 200;
		refused += answer.status == 503;
		answer_free(&answer);
		close(peers[i]);
	}
	assert_int_equal(served + refused, MORE);
	assert_int_equal(served, calls);
	assert_true(served > 0);
	assert_true(refused > 0);
	ath_fcgi_get_stats(server.fcgi, &stats);
	assert_int_equal(stats.refused, refused);
	say_hello(peers[0] = connect_peer()); /* and it is over */
	close(peers[0]);
	stop_server();
}

/* ---- the share of a worker
 * ------------------------------------------------------------------------ */

static atomic_size_t share;
static atomic_int looks;

static bool is_readable(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) != 0;
}

static bool within_share(const struct ath_web *web, size_t connections)
{
	(void)web;
	looks++;
	return connections < share;
}

static void it_accepts_no_more_than_its_share(void **state)
{
	struct ath_fcgi_stats stats;
	int first, second, third;

	(void)state;
	share = 1;
	server.web.may_accept = within_share;
	start_usual_server();
	say_hello(first = connect_peer());
	send_request(second = connect_peer(), &kept_hello);
	for (looks = 0; looks < 3;) /* by a timer */
		give_order(NOTHING);
	assert_false(is_readable(second));
	share = 2; /* the next look finds it */
	assert_answer(second, 200, "hello");
	send_request(third = connect_peer(), &kept_hello);
	for (looks = 0; looks < 3;)
		give_order(NOTHING);
	assert_false(is_readable(third));
	close(first); /* as it is looked when one has gone */
	assert_answer(third, 200, "hello");
	ath_fcgi_get_stats(server.fcgi, &stats);
	assert_int_equal(stats.connections, 2);
	assert_int_equal(stats.accepted, 3);
	close(second);
	close(third);
	stop_server();
}

/* The one that has a place does not take the next one too while others wait for it. */
static void a_request_sent_ahead_waits_behind_those_who_queue(void **state)
{
	struct ath_buffer bytes;
	int greedy, patient;

	(void)state;
	start_server(routes, (struct ath_web_limits){ .in_flight = 1 });
	greedy = connect_peer();
	patient = connect_peer();
	say_hello(greedy);
	say_hello(patient);
	bytes_init(&bytes);
	put_request(&bytes, &(struct made_request){ .uri = "/held", .keep = true });
	put_request(&bytes, &(struct made_request){ .uri = "/sleep", .keep = true });
	send_bytes(greedy, &bytes);
	await(&entered);
	send_request(patient, &kept_hello);
	give_order(NOTHING); /* and has been read when this is */
	signal_eventfd(gate);
	assert_answer(patient, 200, "hello");
	assert_answer(greedy, 200, "ok");
	await(&entered);
	assert_int_equal(sem_trywait(&left_off), -1); /* it did not end before patient's turn */
	close(greedy);
	await(&left_off);
	close(patient);
	stop_server();
}

static void a_client_that_leaves_the_queue_is_never_run(void **state)
{
	int holder, leaver, last;

	(void)state;
	start_server(routes, (struct ath_web_limits){ .in_flight = 1, .queued = 2 });
	holder = connect_peer();
	leaver = connect_peer();
	last = connect_peer();
	say_hello(holder);
	say_hello(leaver);
	say_hello(last);
	send_request(holder, &(struct made_request){ .uri = "/held" });
	await(&entered);
	send_request(leaver, &(struct made_request){ .uri = "/secret", .keep = true });
	send_request(last, &kept_hello);
	assert_int_equal(shutdown(leaver, SHUT_WR), 0);
	assert_closed(leaver);
	signal_eventfd(gate);
	assert_answer(holder, 200, "ok");
	assert_answer(last, 200, "hello");
	assert_int_equal(secrets, 0);
	close(holder);
	close(leaver);
	close(last);
	stop_server();
}

/* ---- no descriptors
 * --------------------------------------------------------------------------------- */

/* No new descriptor can be had from here on; returns what the limit was. */
static rlim_t use_up_descriptors(void)
{
	struct rlimit limit;
	rlim_t usual;
	int next = dup(0);

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	usual = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return usual;
}

static void free_descriptors(rlim_t usual)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = usual;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void without_descriptors_it_waits_and_goes_on(void **state)
{
	int old, peer, log[2];
	char line[256] = "";
	rlim_t usual;

	(void)state;
	assert_int_equal(pipe(log), 0);
	server.log.fd = log[1];
	start_usual_server();
	say_hello(old = connect_peer());
	peer = client_socket();
	usual = use_up_descriptors();
	assert_int_equal(
		connect(peer, (const struct sockaddr *)&server.address, sizeof server.address), 0);
	assert_true(read(log[0], line, sizeof line - 1) > 0);
	assert_non_null(strstr(line, "cannot accept connections"));
	say_hello(old);
	free_descriptors(usual);
	say_hello(peer);
	close(peer);
	close(old);
	stop_server();
	close(log[0]);
	close(log[1]);
}

/* ---- the end of a server
 * ---------------------------------------------------------------------------- */

static void draining_finishes_what_is_there_and_takes_no_more(void **state)
{
	int idle, busy, late;

	(void)state;
	start_usual_server();
	say_hello(idle = connect_peer());
	busy = connect_peer();
	send_request(busy, &(struct made_request){ .uri = "/held" });
	await(&entered);
	give_order(DRAIN);
	late = connect_peer();
	send_request(late, &(struct made_request){ .uri = "/secret" });
	say_hello(idle);
	signal_eventfd(gate);
	assert_answer(busy, 200, "ok");
	assert_closed(busy);
	say_hello(idle);
	assert_int_equal(sem_trywait(&drained), -1); /* idle is still there */
	close(idle);
	await(&drained);
	close_listener();
	assert_closed(late);
	assert_int_equal(secrets, 0);
	close(busy);
	close(late);
	stop_server();
}

static void draining_an_idle_server_is_done_at_once(void **state)
{
	(void)state;
	start_usual_server();
	give_order(DRAIN);
	assert_int_equal(sem_trywait(&drained), 0);
	stop_server();
}

/* Told once, although the last connection ends after the grace period did. */
static void grace_that_is_over_is_told_once(void **state)
{
	int busy;

	(void)state;
	start_usual_server();
	busy = connect_peer();
	send_request(busy, &(struct made_request){ .uri = "/held" });
	await(&entered);
	give_order(DRAIN_AT_ONCE);
	await(&drained);
	signal_eventfd(gate);
	assert_answer(busy, 200, "ok");
	assert_closed(busy);
	close(busy);
	stop_server();
	assert_int_equal(sem_trywait(&drained), -1);
}

/* What is in flight when a server closes is cancelled and ends before the server does. */
static void closing_ends_what_is_in_flight(void **state)
{
	int sleeping, reading, half;
	struct answer answer;

	(void)state;
	start_usual_server();
	sleeping = connect_peer();
	reading = connect_peer();
	half = connect_peer();
	say_hello(half);
	send_all(half, "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0", 16);
	send_for_big(reading);
	wait_for(reading, POLLIN);
	send_request(sleeping, &(struct made_request){ .uri = "/sleep", .keep = true });
	await(&entered);
	stop_server();
	assert_int_equal(slept, ATH_ECANCELED);
	assert_closed(sleeping);
	assert_false(receive_answer(reading, &answer));
	answer_free(&answer);
	assert_closed(half);
	close(sleeping);
	close(reading);
	close(half);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_unkept_connection_is_closed_after_its_answer),
		TEST(a_kept_connection_serves_one_request_after_another),
		TEST(requests_sent_ahead_are_answered_in_order),
		TEST(a_large_request_sent_ahead_waits_in_the_socket),
		TEST(idle_connections_stand_in_nobodys_way),
		TEST(management_records_are_answered_beside_requests),
		TEST(an_aborted_request_gets_its_end),
		TEST(answers_of_any_size_come_whole),
		TEST(a_slow_reader_gets_all_and_delays_nobody),
		TEST(a_reader_that_leaves_in_the_answer_is_forgotten),
		TEST(a_reader_that_stalls_is_dropped),
		TEST(a_body_of_records_is_never_a_request),
		TEST(parameters_of_records_are_never_a_request),
		TEST(a_truncated_request_is_never_run),
		TEST(a_truncated_second_request_is_never_run),
		TEST(a_dribbling_peer_delays_nobody),
		TEST(a_half_sent_request_is_closed_at_its_deadline),
		TEST(garbage_is_closed),
		TEST(a_handler_whose_client_leaves_is_cancelled),
		TEST(a_client_that_leaves_what_it_sent_ahead_is_seen),
		TEST(requests_beyond_the_limit_wait_for_their_turn),
		TEST(so_do_those_of_new_connections),
		TEST(what_finds_no_place_in_the_queue_is_refused_at_once),
		TEST(what_waits_past_its_deadline_is_refused_unrun),
		TEST(the_frameworks_own_routes_pass),
		TEST(what_the_processor_cannot_do_in_time_is_refused_unrun),
		TEST(it_accepts_no_more_than_its_share),
		TEST(a_request_sent_ahead_waits_behind_those_who_queue),
		TEST(a_client_that_leaves_the_queue_is_never_run),
		TEST(without_descriptors_it_waits_and_goes_on),
		TEST(draining_finishes_what_is_there_and_takes_no_more),
		TEST(draining_an_idle_server_is_done_at_once),
		TEST(grace_that_is_over_is_told_once),
		TEST(closing_ends_what_is_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
