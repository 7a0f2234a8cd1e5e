/*
 * loop_fixture.h - a loop for every test, and a trace: fibers and handlers leave letters in
 * it, and the test compares them when all is over. A failed assertion must not jump off a
 * fiber's stack, so there are none inside fibers.
 */
#ifndef TESTS_LOOP_FIXTURE_H
#define TESTS_LOOP_FIXTURE_H

#include <string.h>

#include "loop/internal.h"

static struct ath_loop *loop;
static char trace[512];
static size_t traced;

static inline void leave_trace(char letter)
{
	if (traced < sizeof trace - 1)
		trace[traced++] = letter;
}

/* o ok, t timed out, c cancelled, i io, n no memory, v invalid */
static inline void trace_status(enum ath_status status)
{
	leave_trace(status == ATH_OK          ? 'o'
		    : status == ATH_ETIMEDOUT ? 't'
		    : status == ATH_ECANCELED ? 'c'
		    : status == ATH_EIO       ? 'i'
		    : status == ATH_ENOMEM    ? 'n'
		    : status == ATH_EINVAL    ? 'v'
					      : '?');
}

static inline void clear_trace(void)
{
	memset(trace, 0, sizeof trace);
	traced = 0;
}

static inline int open_loop(void **state)
{
	(void)state;
	clear_trace();
	return (int)ath_loop_open(&loop, NULL);
}

static inline int close_loop(void **state)
{
	(void)state;
	ath_loop_close(&loop);
	return loop != NULL;
}

static inline struct ath_fiber *start(void (*task)(void *arg), void *arg, int64_t deadline)
{
	struct ath_fiber *fiber = NULL;

	return ath_loop_spawn(loop, task, arg, deadline, &fiber) == ATH_OK ? fiber : NULL;
}

/* Turns until all fibers have ended. */
static inline void run_fibers(void)
{
	while (ath_loop_fibers(loop) > 0)
		ath_loop_turn(loop, ATH_NEVER);
}

#endif
