/* test_descriptor.c - waiting for descriptors, in a fiber and outside, and the watches below. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop_fixture.h"
#include "virtual_clock.h"

/* ---- ath_wait_fd ------------------------------------------------------------------------ */

enum kind { EMPTY, FILLED, HUNG_UP, FULL, REGULAR_FILE, NONE };

static int pair[2];

static int open_kind(enum kind kind)
{
	static char junk[4096];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	if (kind == FILLED)
		assert_int_equal(write(pair[1], "x", 1), 1);
	if (kind == HUNG_UP) {
		close(pair[1]);
		pair[1] = -1;
	}
	while (kind == FULL && write(pair[0], junk, sizeof junk) > 0)
		;
	if (kind == REGULAR_FILE || kind == NONE) {
		close(pair[0]);
		pair[0] = kind == NONE ? -1 : open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	}
	return pair[0];
}

static void close_pair(void)
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

struct wait {
	int fd;
	enum ath_event event;
	int64_t deadline;
};

static void wait_for_fd(void *arg)
{
	struct wait *wait = arg;

	trace_status(ath_wait_fd(wait->fd, wait->event, wait->deadline));
}

static const struct {
	enum kind kind;
	enum ath_event event;
	int64_t deadline, fiber_deadline; /* from now */
	const char *inside, *outside;
} wait_rows[] = {
	{ FILLED, ATH_READABLE, ATH_NEVER, ATH_NEVER, "o", "o" },
	{ FILLED, ATH_READABLE, 100, 100, "o", "o" },
	{ EMPTY, ATH_WRITABLE, ATH_NEVER, ATH_NEVER, "o", "o" },
	{ HUNG_UP, ATH_READABLE, ATH_NEVER, ATH_NEVER, "o", "o" },
	{ HUNG_UP, ATH_WRITABLE, ATH_NEVER, ATH_NEVER, "o", "o" },
	{ EMPTY, ATH_READABLE, 0, ATH_NEVER, "t", "t" },
	{ EMPTY, ATH_READABLE, -10, ATH_NEVER, "t", "t" },
	{ EMPTY, ATH_READABLE, 50, ATH_NEVER, "t", NULL },
	{ EMPTY, ATH_READABLE, ATH_NEVER, 50, "t", NULL },
	{ EMPTY, ATH_READABLE, ATH_NEVER, -50, "t", NULL },
	{ FULL, ATH_WRITABLE, 0, ATH_NEVER, "t", "t" },
	{ REGULAR_FILE, ATH_READABLE, ATH_NEVER, ATH_NEVER, "i", "o" },
	{ NONE, ATH_READABLE, ATH_NEVER, ATH_NEVER, "i", NULL },
	{ NONE, ATH_WRITABLE, 0, ATH_NEVER, "i", NULL },
};

static int64_t from_now(int64_t milliseconds)
{
	return milliseconds == ATH_NEVER ? ATH_NEVER : ath_now() + milliseconds;
}

static void test_wait_in_a_fiber(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(wait_rows); i++) {
		struct wait wait = { open_kind(wait_rows[i].kind), wait_rows[i].event,
				     from_now(wait_rows[i].deadline) };

		clear_trace();
		start(wait_for_fd, &wait, from_now(wait_rows[i].fiber_deadline));
		run_fibers();
		close_pair();
		if (strcmp(trace, wait_rows[i].inside) != 0)
			fail_msg("row %zu: %s", i, trace);
	}
}

static void test_wait_outside(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(wait_rows); i++) {
		struct wait wait = { open_kind(wait_rows[i].kind), wait_rows[i].event,
				     from_now(wait_rows[i].deadline) };

		clear_trace();
		if (wait_rows[i].outside != NULL)
			wait_for_fd(&wait);
		close_pair();
		if (wait_rows[i].outside != NULL && strcmp(trace, wait_rows[i].outside) != 0)
			fail_msg("row %zu: %s", i, trace);
	}
}

static void test_a_closed_descriptor_is_refused_outside_too(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	close(fd);
	assert_int_equal(ath_wait_fd(fd, ATH_READABLE, 0), ATH_EIO);
}

static int ping[2], pong[2];

static void play(int in, int out, char letter)
{
	char ball;

	for (int i = 0; i < 3; i++) {
		if (ath_wait_fd(in, ATH_READABLE, ATH_NEVER) != ATH_OK || read(in, &ball, 1) != 1)
			leave_trace('!');
		leave_trace(letter);
		if (ath_wait_fd(out, ATH_WRITABLE, ATH_NEVER) != ATH_OK || write(out, "b", 1) != 1)
			leave_trace('!');
	}
}

static void play_ping(void *arg)
{
	(void)arg;
	play(ping[0], pong[1], 'p');
}

static void play_pong(void *arg)
{
	(void)arg;
	play(pong[0], ping[1], 'q');
}

static void test_two_fibers_talk_through_pipes(void **state)
{
	(void)state;
	assert_int_equal(pipe2(ping, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(pipe2(pong, O_NONBLOCK | O_CLOEXEC), 0);
	start(play_pong, NULL, ATH_NEVER);
	start(play_ping, NULL, ATH_NEVER);
	assert_int_equal(write(ping[1], "b", 1), 1);
	run_fibers();
	assert_string_equal(trace, "pqpqpq");
	for (int i = 0; i < 2; i++) {
		close(ping[i]);
		close(pong[i]);
	}
}

static void cancel(void *arg)
{
	ath_fiber_cancel(arg);
}

static void test_a_wait_that_was_cancelled_leaves_the_descriptor_free(void **state)
{
	struct wait wait = { open_kind(EMPTY), ATH_READABLE, ATH_NEVER };

	(void)state;
	start(cancel, start(wait_for_fd, &wait, ATH_NEVER), ATH_NEVER);
	run_fibers();
	assert_int_equal(write(pair[1], "x", 1), 1);
	start(wait_for_fd, &wait, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "co");
	close_pair();
}

static void test_one_fiber_a_descriptor(void **state)
{
	struct wait wait = { open_kind(EMPTY), ATH_READABLE, from_now(10) };

	(void)state;
	start(wait_for_fd, &wait, ATH_NEVER);
	start(wait_for_fd, &wait, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "it");
	close_pair();
}

/* ---- signals must not end a wait outside ------------------------------------------------- */

enum { MANY_SIGNALS = 300 };

static volatile sig_atomic_t signals_seen;
static int wake_pipe[2];

/* The last one makes readable what the wait is for. */
static void count_signal(int number)
{
	(void)number;
	if (++signals_seen == MANY_SIGNALS && write(wake_pipe[1], "x", 1) != 1)
		abort();
}

static void *send_signals(void *arg)
{
	while (signals_seen < MANY_SIGNALS)
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void test_signals_do_not_end_a_wait_outside(void **state)
{
	struct sigaction action = { .sa_handler = count_signal }, before;
	pthread_t me = pthread_self(), sender;

	(void)state;
	signals_seen = 0;
	assert_int_equal(pipe2(wake_pipe, O_CLOEXEC), 0);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	assert_int_equal(pthread_create(&sender, NULL, send_signals, &me), 0);
	trace_status(ath_wait_fd(wake_pipe[0], ATH_READABLE, ATH_NEVER));
	pthread_join(sender, NULL);
	sigaction(SIGUSR1, &before, NULL);
	close(wake_pipe[0]);
	close(wake_pipe[1]);
	assert_string_equal(trace, "o");
}

/* ---- watches ---------------------------------------------------------------------------- */

struct item {
	struct ath_watch watch;
	struct item *other;
	int fired;
};

static int items_fired;

static void remove_other(struct ath_watch *watch, uint32_t events)
{
	struct item *item = container_of(watch, struct item, watch), *other = item->other;

	(void)events;
	items_fired++;
	if (other == NULL)
		return;
	ath_watch_remove(loop, &other->watch);
	close(other->watch.fd);
	*other = (struct item){ .fired = -1 }; /* its owner may have freed it */
	item->other = NULL;
}

static struct item *ready_item(void (*ready)(struct ath_watch *watch, uint32_t events))
{
	struct item *item = calloc(1, sizeof *item);

	assert_non_null(item);
	item->watch = (struct ath_watch){ .fd = eventfd(1, EFD_CLOEXEC),
					  .events = EPOLLIN,
					  .ready = ready };
	assert_true(item->watch.fd >= 0);
	assert_int_equal(ath_watch_add(loop, &item->watch), ATH_OK);
	return item;
}

static void free_item(struct item *item)
{
	ath_watch_remove(loop, &item->watch);
	close(item->watch.fd);
	free(item);
}

/* The first that is called removes the other; which one that is, is epoll's affair. */
static void test_a_watch_removed_in_the_same_turn_never_fires(void **state)
{
	struct item *a = ready_item(remove_other), *b = ready_item(remove_other);

	(void)state;
	a->other = b;
	b->other = a;
	items_fired = 0;
	ath_loop_turn(loop, ath_now());
	assert_int_equal(items_fired, 1);
	assert_int_equal(a->fired + b->fired, -1);
	if (a->fired == 0) {
		free_item(a);
		free(b);
	} else {
		free_item(b);
		free(a);
	}
}

static void count_fired(struct ath_watch *watch, uint32_t events)
{
	(void)events;
	container_of(watch, struct item, watch)->fired++;
}

static void remove_self(struct ath_watch *watch, uint32_t events)
{
	count_fired(watch, events);
	ath_watch_remove(loop, watch);
}

static void test_a_watch_may_remove_itself(void **state)
{
	struct item *item = ready_item(remove_self);

	(void)state;
	for (int i = 0; i < 3; i++)
		ath_loop_turn(loop, ath_now());
	assert_int_equal(item->fired, 1);
	free_item(item);
}

static void test_change_stops_and_starts(void **state)
{
	static const struct {
		uint32_t events;
		int fired;
	} rows[] = { { EPOLLIN, 1 }, { 0, 1 }, { EPOLLIN, 2 }, { EPOLLOUT, 3 }, { EPOLLPRI, 3 } };
	struct item *item = ready_item(count_fired);

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		ath_watch_change(loop, &item->watch, rows[i].events);
		ath_loop_turn(loop, ath_now());
		assert_int_equal(item->fired, rows[i].fired);
	}
	free_item(item);
}

static void test_what_epoll_refuses(void **state)
{
	struct ath_watch none = { .fd = -1, .events = EPOLLIN };
	struct item *item = ready_item(count_fired);

	(void)state;
	assert_int_equal(ath_watch_add(loop, &none), ATH_EIO);
	assert_int_equal(ath_watch_add(loop, &item->watch), ATH_EIO); /* twice */
	free_item(item);
}

static void test_more_events_than_a_turn_takes(void **state)
{
	struct item *items[600];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(items); i++)
		items[i] = ready_item(remove_self);
	for (int i = 0; i < 3; i++)
		ath_loop_turn(loop, ath_now());
	for (size_t i = 0; i < ATH_COUNT(items); i++) {
		assert_int_equal(items[i]->fired, 1);
		free_item(items[i]);
	}
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)
	const struct CMUnitTest tests[] = {
		row(test_wait_in_a_fiber),
		row(test_wait_outside),
		row(test_a_closed_descriptor_is_refused_outside_too),
		row(test_two_fibers_talk_through_pipes),
		row(test_a_wait_that_was_cancelled_leaves_the_descriptor_free),
		row(test_one_fiber_a_descriptor),
		row(test_signals_do_not_end_a_wait_outside),
		row(test_a_watch_removed_in_the_same_turn_never_fires),
		row(test_a_watch_may_remove_itself),
		row(test_change_stops_and_starts),
		row(test_what_epoll_refuses),
		row(test_more_events_than_a_turn_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
