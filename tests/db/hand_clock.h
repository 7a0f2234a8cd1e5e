/*
 * hand_clock.h - time that passes only when the test says so. These functions take the place of
 * the C library's in the program that includes this: however long the database takes, no read
 * is slow before the test makes it so.
 */
#ifndef TESTS_DB_HAND_CLOCK_H
#define TESTS_DB_HAND_CLOCK_H

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

static int64_t hand_now = 1000000; /* milliseconds */

int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	now->tv_sec = hand_now / 1000;
	now->tv_nsec = hand_now % 1000 * 1000000;
	return 0;
}

/*
 * Comes back soon, so that the test can look at what it waits for. As no patience ends by this
 * clock, a program that waits for what never comes is ended.
 */
int epoll_wait(int epoll, struct epoll_event *events, int size, int timeout)
{
	enum { LONGEST_S = 120 };
	static unsigned left;

	if (left == 0)
		left = alarm(LONGEST_S) + 1;
	return epoll_pwait(epoll, events, size, timeout == 0 ? 0 : 5, NULL);
}

/* Its time is the kernel's: there is none, so that epoll_wait() is told. */
int timerfd_create(int clock, int flags)
{
	(void)clock;
	(void)flags;
	errno = ENOSYS;
	return -1;
}

#endif
