/*
 * fcgi_server.h - the FastCGI server on a real socket, in a thread with a loop of its own. It takes
 * orders through an eventfd.
 */
#ifndef TESTS_WEB_FCGI_SERVER_H
#define TESTS_WEB_FCGI_SERVER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>

#include "fcgi_client.h"
#include "web/internal.h"

static inline void await(sem_t *what)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	assert_int_equal(sem_timedwait(what, &until), 0);
}

static inline void signal_eventfd(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof one), sizeof one);
}

static inline void take_eventfd(int fd)
{
	uint64_t count;

	assert_int_equal(read(fd, &count, sizeof count), sizeof count);
}

/* ---- the server ------------------------------------------------------------------------------ */

enum order { NOTHING, STOP, DRAIN, DRAIN_AT_ONCE };

static sem_t ordered, drained;

static struct server {
	struct ath_web web;
	struct ath_log log;
	struct ath_loop *loop;
	struct ath_fcgi_server *fcgi;
	struct ath_watch orders;
	_Atomic enum order order;
	struct sockaddr_un address;
	int listener;
	pthread_t thread;
	bool started;
} server;

static inline void tell_drained(void *arg)
{
	(void)arg;
	sem_post(&drained);
}

static inline void take_order(struct ath_watch *watch, uint32_t events)
{
	(void)events;
	take_eventfd(watch->fd);
	if (server.order == STOP)
		ath_loop_stop(server.loop);
	else if (server.order != NOTHING)
		ath_fcgi_drain(server.fcgi, server.order == DRAIN ? PATIENCE_MS : 0, tell_drained,
			       NULL);
	sem_post(&ordered);
}

static inline void give_order(enum order order)
{
	server.order = order;
	signal_eventfd(server.orders.fd);
	await(&ordered);
}

static inline void *serve(void *arg)
{
	(void)arg;
	ath_loop_run(server.loop);
	ath_fcgi_close(&server.fcgi);
	return NULL;
}

static inline void open_listener(void)
{
	static int number;
	int length = snprintf(server.address.sun_path + 1, sizeof server.address.sun_path - 1,
			      "test_fcgi-%d-%d", (int)getpid(), number++);

	/* an abstract name: nothing to remove afterwards; the NULs behind it belong to it */
	assert_true(length > 0);
	server.address.sun_family = AF_UNIX;
	server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(server.listener >= 0);
	assert_int_equal(bind(server.listener, (const struct sockaddr *)&server.address,
			      sizeof server.address),
			 0);
	assert_int_equal(listen(server.listener, 1024), 0);
}

static inline void start_server(const struct ath_route *routes, struct ath_web_limits limits)
{
	struct ath_error error = { 0 };

	/* own_routes and may_accept are the test's */
	server.web.limits = limits;
	server.web.log = &server.log;
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
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
	server.started = true;
}

static inline void close_listener(void)
{
	close(server.listener);
	server.listener = -1;
}

/* Nothing of the requests may be left: the loop has no fiber. */
static inline void stop_server(void)
{
	give_order(STOP);
	assert_int_equal(pthread_join(server.thread, NULL), 0);
	server.started = false;
	assert_int_equal(ath_loop_fibers(server.loop), 0);
	ath_loop_close(&server.loop);
	ath_web_close(&server.web);
	close(server.orders.fd);
	if (server.listener >= 0)
		close_listener();
}

static inline void server_set_up(void)
{
	memset(&server, 0, sizeof server);
	server.log = (struct ath_log){ .fd = -1, .level = ATH_LOG_WARNING };
	sem_init(&ordered, 0, 0);
	sem_init(&drained, 0, 0);
}

static inline void server_tear_down(void)
{
	if (server.started) /* the test has failed already */
		stop_server();
}

static inline int connect_peer(void)
{
	return client_connect(&server.address);
}

#endif
