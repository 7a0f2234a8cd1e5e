/*
 * test_pipelined.c - peers that send faster than they are answered: what the server has taken
 * and not answered stays small, the rest waits with the peer, and every request is answered
 * once, in its turn.
 *
 * The server runs in a thread with a loop of its own and takes orders through an eventfd.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>

#include "fcgi_client.h"
#include "web/internal.h"

enum {
	FILLER = 960,   /* a request is about 1 KiB */
	FIRST = 100000, /* the first number: all have as many digits */
	NAPS = 4000,    /* in all far more than LIMIT */
	BIGS = 48,
	BIG = 1024 * 1024, /* an answer that no socket takes whole */
	SOCKET = 64 * 1024,
	LIMIT = 512 * 1024, /* of bytes that are taken and not answered */
	LIMIT_S = 240,      /* an alarm ends the program when something waits for ever */
};

static atomic_int calls, misplaced;
static sem_t ordered;

static void await(sem_t *what)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	assert_int_equal(sem_timedwait(what, &until), 0);
}

/* ---- handlers --------------------------------------------------------------------------- */

/* They are called in the order of their numbers. */
static int64_t take_number(struct ath_request *request)
{
	int64_t number = ath_path_int(request, "number") - FIRST;

	misplaced += number != calls;
	calls++;
	return number;
}

static struct ath_response *nap(struct ath_request *request)
{
	int64_t number = take_number(request);
	char text[32];

	(void)ath_sleep(1);
	snprintf(text, sizeof text, "%lld", (long long)number);
	return ath_response_text(request, 200, text);
}

static struct ath_response *big(struct ath_request *request)
{
	struct ath_response *response = ath_response_new(request, 200, "application/octet-stream");
	int64_t number = take_number(request);
	char *at = response == NULL ? NULL : ath_buffer_reserve(ath_response_body(response), BIG);

	if (at == NULL)
		return NULL;
	memset(at, 'a' + (int)(number % 26), BIG);
	ath_response_body(response)->length = BIG;
	return response;
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/nap/<number:int>", nap),
	ATH_ROUTE(GET, "/big/<number:int>", big),
	{ 0 },
};

/* ---- the server ----------------------------------------------------------------------------- */

static struct server {
	struct ath_web web;
	struct ath_log log;
	struct ath_loop *loop;
	struct ath_fcgi_server *fcgi;
	struct ath_watch orders;
	atomic_bool stop;
	struct sockaddr_un address;
	int listener;
	pthread_t thread;
} server;

static void take_order(struct ath_watch *watch, uint32_t events)
{
	uint64_t count;

	(void)events;
	assert_int_equal(read(watch->fd, &count, sizeof count), sizeof count);
	if (server.stop)
		ath_loop_stop(server.loop);
	sem_post(&ordered);
}

/* Returns when the loop has come round to it. */
static void give_order(bool stop)
{
	uint64_t one = 1;

	server.stop = stop;
	assert_int_equal(write(server.orders.fd, &one, sizeof one), sizeof one);
	await(&ordered);
}

static void *serve(void *arg)
{
	(void)arg;
	ath_loop_run(server.loop);
	ath_fcgi_close(&server.fcgi);
	return NULL;
}

static void open_listener(void)
{
	static int number;

	/* an abstract name: nothing to remove afterwards; the NULs behind it belong to it */
	snprintf(server.address.sun_path + 1, sizeof server.address.sun_path - 1,
		 "test_pipelined-%d-%d", (int)getpid(), number++);
	server.address.sun_family = AF_UNIX;
	server.listener = client_socket();
	assert_int_equal(bind(server.listener, (const struct sockaddr *)&server.address,
			      sizeof server.address),
			 0);
	assert_int_equal(listen(server.listener, 16), 0);
}

static int start_server(void **state)
{
	struct ath_error error = { 0 };

	(void)state;
	alarm(LIMIT_S);
	calls = misplaced = 0;
	sem_init(&ordered, 0, 0);
	memset(&server, 0, sizeof server);
	server.log = (struct ath_log){ .fd = -1, .level = ATH_LOG_WARNING };
	server.web = (struct ath_web){ .log = &server.log };
	assert_int_equal(ath_web_open(&server.web, routes, &error), ATH_OK);
	assert_int_equal(ath_loop_open(&server.loop, NULL), ATH_OK);
	open_listener();
	server.orders = (struct ath_watch){ .fd = eventfd(0, EFD_CLOEXEC),
					    .events = EPOLLIN,
					    .ready = take_order };
	assert_int_equal(ath_watch_add(server.loop, &server.orders), ATH_OK);
	assert_int_equal(
		ath_fcgi_serve(&server.fcgi, server.loop, server.listener, &server.web, &error),
		ATH_OK);
	return pthread_create(&server.thread, NULL, serve, NULL);
}

static int stop_server(void **state)
{
	(void)state;
	give_order(true);
	assert_int_equal(pthread_join(server.thread, NULL), 0);
	assert_int_equal(ath_loop_fibers(server.loop), 0);
	ath_loop_close(&server.loop);
	ath_web_close(&server.web);
	close(server.orders.fd);
	close(server.listener);
	sem_destroy(&ordered);
	alarm(0);
	return 0;
}

/* ---- the peer ----------------------------------------------------------------------------------
 */

/* Requests of one size, so that answers tell how many bytes are done with. */
struct peer {
	int fd;
	struct ath_buffer bytes; /* all requests */
	size_t size;             /* of one */
	size_t taken;            /* by the server or the socket */
	size_t answered, count;  /* requests */
	size_t most;             /* taken and not answered, at any time */
	struct ath_buffer got;   /* of answers, not yet looked at */
};

static unsigned id_of(size_t number)
{
	return (unsigned)(number % 65535 + 1);
}

static void put_numbered(struct peer *peer, const char *path, size_t number)
{
	char uri[64];

	snprintf(uri, sizeof uri, "/%s/%zu", path, FIRST + number);
	put_request(&peer->bytes,
		    &(struct made_request){
			    .uri = uri, .more_params = FILLER, .id = id_of(number), .keep = true });
}

static void open_peer(struct peer *peer, const char *path, size_t count)
{
	int size = SOCKET;

	*peer = (struct peer){ .fd = client_connect(&server.address), .count = count };
	assert_int_equal(setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
	bytes_init(&peer->bytes);
	bytes_init(&peer->got);
	for (size_t i = 0; i < count; i++)
		put_numbered(peer, path, i);
	assert_false(peer->bytes.failed);
	peer->size = peer->bytes.length / count;
	assert_int_equal(peer->size * count, peer->bytes.length);
	assert_true(peer->bytes.length > 4 * LIMIT);
}

static void close_peer(struct peer *peer)
{
	close(peer->fd);
	ath_buffer_free(&peer->bytes);
	ath_buffer_free(&peer->got);
}

/* As much as is taken now. */
static size_t push(struct peer *peer)
{
	size_t left = peer->bytes.length - peer->taken, sent, open;

	if (left == 0)
		return 0;
	sent = send_some(peer->fd, peer->bytes.data + peer->taken, left);
	peer->taken += sent;
	open = peer->taken - peer->answered * peer->size;
	if (open > peer->most)
		peer->most = open;
	return sent;
}

/* The length of the answer that got begins with: an answer is STDOUT and END_REQUEST; 0: not yet.
 */
static size_t whole_answer(const struct ath_buffer *got)
{
	const unsigned char *header = (const unsigned char *)got->data;
	size_t at = 0, type = 0;

	while (type != FCGI_END_REQUEST) {
		if (got->length < at + 8)
			return 0;
		type = header[at + 1];
		assert_true(type == FCGI_STDOUT || type == FCGI_END_REQUEST);
		at += 8 + (size_t)(header[at + 4] << 8 | header[at + 5]) + header[at + 6];
		if (got->length < at)
			return 0;
	}
	return at;
}

/* The id, and the number at the end of the text. */
static void check_nap(const struct peer *peer, size_t length)
{
	const unsigned char *header = (const unsigned char *)peer->got.data;
	const char *end = peer->got.data + 8 + (header[4] << 8 | header[5]);
	char expected[32];
	int digits = snprintf(expected, sizeof expected, "\r\n\r\n%zu", peer->answered);

	assert_true(length > 8 + (size_t)digits);
	assert_int_equal(header[2] << 8 | header[3], id_of(peer->answered));
	assert_memory_equal(end - digits, expected, (size_t)digits);
}

/* What has come of answers; each in its turn. */
static void take_answers(struct peer *peer)
{
	char *room = ath_buffer_reserve(&peer->got, SOCKET);
	size_t length;

	assert_non_null(room);
	length = receive_some(peer->fd, room, SOCKET);
	assert_true(length > 0);
	peer->got.length += length;
	while ((length = whole_answer(&peer->got)) > 0) {
		check_nap(peer, length);
		peer->answered++;
		peer->got.length -= length;
		memmove(peer->got.data, peer->got.data + length, peer->got.length);
	}
}

static void check_end(const struct peer *peer)
{
	if (peer->most > LIMIT)
		fail_msg("%zu bytes were taken and not answered", peer->most);
	assert_int_equal(peer->taken, peer->bytes.length);
	assert_int_equal(peer->answered, peer->count);
	assert_int_equal(calls, peer->count);
	assert_int_equal(misplaced, 0);
	assert_int_equal(peer->got.length, 0);
	give_order(false);
	give_order(false);
	assert_int_equal(recv(peer->fd, &(char){ 0 }, 1, MSG_DONTWAIT), -1); /* not one more */
}

/* ---- tests
 * --------------------------------------------------------------------------------------- */

/* Answers are read as they come, and requests sent as fast as they are taken. */
static void faster_than_it_is_answered(void **state)
{
	struct peer peer;

	(void)state;
	open_peer(&peer, "nap", NAPS);
	while (peer.answered < peer.count) {
		struct pollfd pollfd = { .fd = peer.fd, .events = POLLIN };

		while (push(&peer) > 0)
			;
		if (peer.taken < peer.bytes.length)
			pollfd.events |= POLLOUT;
		assert_int_equal(poll(&pollfd, 1, PATIENCE_MS), 1);
		if (pollfd.revents & POLLIN)
			take_answers(&peer);
	}
	check_end(&peer);
	close_peer(&peer);
}

/* Pushes until the server has had its turns and takes no more. */
static void push_until_full(struct peer *peer)
{
	do {
		give_order(false);
		give_order(false);
	} while (push(peer) > 0);
}

/* Each answer stops the server until it is read, and what it took meanwhile does not grow. */
static void without_reading_the_answers(void **state)
{
	struct answer answer;
	struct peer peer;

	(void)state;
	open_peer(&peer, "big", 4000);
	for (size_t i = 0; i < BIGS; i++) {
		push_until_full(&peer);
		assert_true(peer.taken < peer.bytes.length);
		assert_true(receive_answer(peer.fd, &answer));
		assert_int_equal(answer.id, id_of(i));
		assert_int_equal(answer.body_length, BIG);
		assert_int_equal(answer.body[0], 'a' + (int)(i % 26));
		assert_int_equal(answer.body[BIG - 1], 'a' + (int)(i % 26));
		answer_free(&answer);
		peer.answered++;
	}
	if (peer.most > LIMIT)
		fail_msg("%zu bytes were taken and not answered", peer.most);
	assert_int_equal(misplaced, 0);
	assert_true(calls <= BIGS + 1);
	close_peer(&peer); /* with requests that are not answered any more */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_server, stop_server)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(faster_than_it_is_answered),
		TEST(without_reading_the_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
