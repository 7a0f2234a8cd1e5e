/*
 * test_memory.c - everything that the loop asks the system for is refused once. The loop is
 * compiled into this program with calls that can be told to fail, so that the sanitizers and
 * valgrind still see what is leaked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static long until_failure = -1; /* calls that still succeed; negative: all */
static int last_failure;        /* what was refused: its position in the list below */

static bool fails(int call)
{
	if (until_failure < 0 || until_failure-- > 0)
		return false;
	last_failure = call;
	errno = ENOMEM;
	return true;
}

enum { CALLOC = 1, MMAP, MPROTECT, EPOLL_CREATE, EPOLL_CTL, EVENTFD, SIGNALFD, THREAD };

#define calloc(count, size)  (fails(CALLOC) ? NULL : calloc(count, size))
#define mmap(...)            (fails(MMAP) ? MAP_FAILED : mmap(__VA_ARGS__))
#define mprotect(...)        (fails(MPROTECT) ? -1 : mprotect(__VA_ARGS__))
#define epoll_create1(flags) (fails(EPOLL_CREATE) ? -1 : epoll_create1(flags))
#define epoll_ctl(...)       (fails(EPOLL_CTL) ? -1 : epoll_ctl(__VA_ARGS__))
#define eventfd(...)         (fails(EVENTFD) ? -1 : eventfd(__VA_ARGS__))
#define signalfd(...)        (fails(SIGNALFD) ? -1 : signalfd(__VA_ARGS__))
#define pthread_create(...)  (fails(THREAD) ? EAGAIN : pthread_create(__VA_ARGS__))
#include "loop/fiber.c"
#include "loop/loop.c"
#include "loop/offload.c"
#undef calloc

static bool ran;

static void note(void *arg)
{
	(void)arg;
	ran = true;
}

static void ignore(int number, void *arg)
{
	(void)number;
	(void)arg;
}

static void offload(void *arg)
{
	*(enum ath_status *)arg = ath_offload(note, NULL);
}

static enum ath_status expected(void)
{
	static const enum ath_status statuses[] = {
		[CALLOC] = ATH_ENOMEM,    [MMAP] = ATH_ENOMEM,      [MPROTECT] = ATH_ENOMEM,
		[EPOLL_CREATE] = ATH_EIO, [EPOLL_CTL] = ATH_ENOMEM, [EVENTFD] = ATH_ENOMEM,
		[SIGNALFD] = ATH_EIO,     [THREAD] = ATH_ENOMEM
	};

	return until_failure < 0 ? statuses[last_failure] : ATH_OK;
}

static void test_open(void **state)
{
	struct ath_loop *loop = NULL;

	(void)state;
	for (long nth = 0; loop == NULL; nth++) {
		enum ath_status status;

		until_failure = nth;
		status = ath_loop_open(&loop, NULL);
		assert_int_equal(status, expected());
		assert_int_equal(status == ATH_OK, loop != NULL);
	}
	until_failure = -1;
	ath_loop_close(&loop);
}

static void test_spawn(void **state)
{
	struct ath_loop *loop;

	(void)state;
	assert_int_equal(ath_loop_open(&loop, NULL), ATH_OK);
	ran = false;
	for (long nth = 0; !ran; nth++) {
		enum ath_status status;

		until_failure = nth;
		status = ath_loop_spawn(loop, note, NULL, ATH_NEVER, NULL);
		assert_int_equal(status, expected());
		assert_int_equal(ath_loop_fibers(loop), status == ATH_OK);
		until_failure = -1;
		ath_loop_turn(loop, ath_now());
		assert_int_equal(ran, status == ATH_OK);
	}
	ath_loop_close(&loop);
}

static void test_offload(void **state)
{
	(void)state;
	ran = false;
	for (long nth = 0; !ran; nth++) {
		enum ath_status status = ATH_EINVAL, first;
		struct ath_loop *loop;

		assert_int_equal(ath_loop_open(&loop, NULL), ATH_OK);
		assert_int_equal(ath_loop_spawn(loop, offload, &status, ATH_NEVER, NULL), ATH_OK);
		until_failure = nth;
		ath_loop_turn(loop, ath_now());
		first = expected();
		until_failure = -1;
		while (ath_loop_fibers(loop) > 0)
			ath_loop_turn(loop, ATH_NEVER);
		assert_int_equal(status, first);
		assert_int_equal(ran, status == ATH_OK);
		/* and then it can be had */
		assert_int_equal(ath_loop_spawn(loop, offload, &status, ATH_NEVER, NULL), ATH_OK);
		ran = false;
		while (ath_loop_fibers(loop) > 0)
			ath_loop_turn(loop, ATH_NEVER);
		assert_true(ran);
		assert_int_equal(status, ATH_OK);
		ran = first == ATH_OK;
		ath_loop_close(&loop);
	}
}

static void test_signals(void **state)
{
	enum ath_status status = ATH_EIO;
	sigset_t set, before;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &before);
	for (long nth = 0; status != ATH_OK; nth++) {
		struct ath_loop *loop;

		assert_int_equal(ath_loop_open(&loop, NULL), ATH_OK);
		until_failure = nth;
		status = ath_loop_signals(loop, &set, ignore, NULL);
		assert_int_equal(status, until_failure < 0 ? ATH_EIO : ATH_OK);
		until_failure = -1;
		ath_loop_close(&loop);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_spawn),
		cmocka_unit_test(test_offload),
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
