/*
 * virtual_clock.h - time that passes only while the loop waits for it. These functions take
 * the place of the C library's in the program that includes this: the clock stands still, and
 * an epoll_wait() that would have to wait moves it on instead. So no test waits, and what is
 * due when does not depend on how fast the machine is.
 */
#ifndef TESTS_VIRTUAL_CLOCK_H
#define TESTS_VIRTUAL_CLOCK_H

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/base.h"

static int64_t virtual_now = 1000000; /* milliseconds */

int clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	now->tv_sec = virtual_now / 1000;
	now->tv_nsec = virtual_now % 1000 * 1000000;
	return 0;
}

int epoll_wait(int epoll, struct epoll_event *events, int size, int timeout)
{
	int count = epoll_pwait(epoll, events, size, timeout < 0 ? -1 : 0, NULL);

	if (count == 0 && timeout > 0)
		virtual_now += timeout;
	return count;
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
