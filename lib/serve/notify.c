/*
 * notify.c - what the service manager is told: a datagram with lines of NAME=value to the socket
 * that it names in NOTIFY_SOCKET, as sd_notify(3) describes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/master.h"

enum { MOST_TEXT = 512 };

/* A path, or behind an @ an abstract name; false: there is nobody to tell. */
static bool manager(struct sockaddr_un *address, socklen_t *size)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t length = name == NULL ? 0 : strlen(name);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (length < 2 || length >= sizeof address->sun_path || (*name != '/' && *name != '@'))
		return false;
	memcpy(address->sun_path, name, length);
	if (*name == '@')
		address->sun_path[0] = '\0';
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return true;
}

void ath_service_notify(const char *format, ...)
{
	struct sockaddr_un address;
	char text[MOST_TEXT];
	socklen_t size;
	struct timeval patience = { .tv_sec = 1 };
	va_list values;
	int length, fd;

	if (!manager(&address, &size))
		return;
	va_start(values, format);
	length = vsnprintf(text, sizeof text, format, values);
	va_end(values);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* a manager that does not listen, or read, is no reason to stop */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	(void)sendto(fd, text, length < MOST_TEXT ? (size_t)length : MOST_TEXT - 1, MSG_NOSIGNAL,
		     (const struct sockaddr *)&address, size);
	close(fd);
}

/* ---- the watchdog ---------------------------------------------------------------------------- */

static void bark(struct ath_timer *timer)
{
	struct ath_watchdog *watchdog = container_of(timer, struct ath_watchdog, timer);

	ath_service_notify("WATCHDOG=1");
	ath_timer_start(watchdog->loop, timer, ath_now() + watchdog->every_ms);
}

void ath_watchdog_start(struct ath_watchdog *watchdog, struct ath_loop *loop)
{
	const char *patience = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	int64_t microseconds, number;

	if (patience == NULL || !ath_text_int64(ath_text(patience), &microseconds) ||
	    microseconds <= 0)
		return;
	if (pid != NULL && (!ath_text_int64(ath_text(pid), &number) || number != getpid()))
		return;
	*watchdog =
		(struct ath_watchdog){ .timer.fire = bark,
				       .loop = loop,
				       .every_ms = microseconds < 2000 ? 1 : microseconds / 2000 };
	bark(&watchdog->timer);
}
