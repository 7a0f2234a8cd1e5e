/*
 * offer.c - an open-loop load over HTTP: requests begin when they are due, whether those before
 * them have been answered or not, as they do where many people do not know of each other.
 *
 *	offer PORT PATH RATE:SECONDS...
 *	sent good refused late wrong good_each_second p50_ms p99_ms first_sent first_good
 *
 * A line for each phase, which follow one another without a pause. Of its requests: how many were
 * sent; answered with 2xx; with 503 and Retry-After; with 504; and anything else. What was good in
 * the time of the phase, each second; how long good answers took; and of the requests of its first
 * second, how many there were and how many were answered with 2xx.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PHASES = 8, PATIENCE_US = 60 * 1000000, ANSWER = 8192 };

struct phase {
	long rate;
	int64_t seconds, began_us, ends_us;
	long sent, good, refused, late, wrong, good_in_time, first_sent, first_good;
	int64_t *times; /* of good answers, in microseconds */
};

struct connection {
	int fd;
	struct phase *phase; /* of the request under way; NULL: idle */
	int64_t began_us;
	size_t length;
	char answer[ANSWER];
	struct connection *next; /* idle */
};

static struct phase phases[MOST_PHASES];
static size_t phase_count, under_way;
static struct connection *idle;
static struct sockaddr_in address = { .sin_family = AF_INET };
static char request[512];
static int epoll;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void count(struct phase *phase, const struct connection *connection, int status)
{
	int64_t now = now_us();
	bool first = connection->began_us < phase->began_us + 1000000;

	if (status >= 200 && status < 300) {
		phase->times[phase->good++] = now - connection->began_us;
		phase->first_good += first;
		for (size_t i = 0; i < phase_count; i++) /* the phase that it is now */
			phases[i].good_in_time +=
				now >= phases[i].began_us && now < phases[i].ends_us;
	} else if (status == 503 && strcasestr(connection->answer, "\r\nRetry-After: ") != NULL) {
		phase->refused++;
	} else if (status == 504) {
		phase->late++;
	} else {
		if (phase->wrong++ == 0)
			fprintf(stderr, "%.*s\n", (int)strcspn(connection->answer, "\r"),
				connection->answer);
	}
}

static void drop(struct connection *connection)
{
	close(connection->fd);
	free(connection);
}

static void answered(struct connection *connection, int status, bool keep)
{
	count(connection->phase, connection, status);
	connection->phase = NULL;
	under_way--;
	if (!keep) {
		drop(connection);
		return;
	}
	connection->next = idle;
	idle = connection;
}

/* The bytes that the answer has, head and body; 0: they are not known yet. */
static size_t whole(const struct connection *connection)
{
	const char *end = strstr(connection->answer, "\r\n\r\n");
	const char *length = strcasestr(connection->answer, "\r\nContent-Length: ");

	if (end == NULL)
		return 0;
	return (size_t)(end + 4 - connection->answer) +
	       (length != NULL && length < end ? strtoul(length + 18, NULL, 10) : 0);
}

static void forget_idle(struct connection *connection)
{
	struct connection **at = &idle;

	while (*at != connection)
		at = &(*at)->next;
	*at = connection->next;
	drop(connection);
}

static void readable(struct connection *connection)
{
	ssize_t got = recv(connection->fd, connection->answer + connection->length,
			   ANSWER - 1 - connection->length, 0);

	if (got < 0 && errno == EAGAIN)
		return;
	if (connection->phase == NULL) {
		forget_idle(connection);
		return;
	}
	if (got <= 0) {
		strcpy(connection->answer, "the connection was closed");
		answered(connection, 0, false);
		return;
	}
	connection->length += (size_t)got;
	connection->answer[connection->length] = '\0';
	if (whole(connection) != 0 && connection->length >= whole(connection))
		answered(connection, atoi(connection->answer + strlen("HTTP/1.1 ")), true);
}

/* ---- requests ------------------------------------------------------------------------------- */

static struct connection *open_connection(void)
{
	struct connection *connection = calloc(1, sizeof *connection);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
	int one = 1;

	if (connection == NULL)
		die("calloc");
	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->fd < 0 ||
	    connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0)
		die("connect");
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
		die("epoll_ctl");
	return connection;
}

static void send_one(struct phase *phase)
{
	struct connection *connection = idle;
	size_t length = strlen(request);

	if (connection != NULL)
		idle = connection->next;
	else
		connection = open_connection();
	connection->phase = phase;
	connection->length = 0;
	connection->began_us = now_us();
	phase->sent++;
	phase->first_sent += connection->began_us < phase->began_us + 1000000;
	under_way++;
	if (send(connection->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) {
		strcpy(connection->answer, "a request could not be sent");
		answered(connection, 0, false);
	}
}

static void take_answers(int64_t until_us)
{
	struct epoll_event events[256];
	int64_t left = until_us - now_us();
	int count = epoll_wait(epoll, events, 256, left > 0 ? (int)((left + 999) / 1000) : 0);

	for (int i = 0; i < count; i++)
		readable(events[i].data.ptr);
}

static void run(struct phase *phase)
{
	long due;

	phase->began_us = now_us();
	phase->ends_us = phase->began_us + phase->seconds * 1000000;
	phase->times = calloc((size_t)(phase->rate * phase->seconds) + 1, sizeof *phase->times);
	if (phase->times == NULL)
		die("calloc");
	do {
		due = (long)((now_us() - phase->began_us) * phase->rate / 1000000) + 1;
		while (phase->sent < due && phase->sent < phase->rate * phase->seconds)
			send_one(phase);
		take_answers(phase->began_us + phase->sent * 1000000 / phase->rate);
	} while (now_us() < phase->ends_us);
}

/* ---- figures -------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static double percentile(const struct phase *phase, long percent)
{
	return phase->good == 0 ? 0
				: (double)phase->times[(phase->good - 1) * percent / 100] / 1000.0;
}

static void print(struct phase *phase)
{
	qsort(phase->times, (size_t)phase->good, sizeof *phase->times, compare);
	printf("%ld %ld %ld %ld %ld %.1f %.1f %.1f %ld %ld\n", phase->sent, phase->good,
	       phase->refused, phase->late, phase->wrong,
	       (double)phase->good_in_time / (double)phase->seconds, percentile(phase, 50),
	       percentile(phase, 99), phase->first_sent, phase->first_good);
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	int64_t end;

	if (argc < 4 || argc > 3 + MOST_PHASES) {
		fprintf(stderr, "usage: offer PORT PATH RATE:SECONDS...\n");
		return 2;
	}
	raise_descriptors();
	address.sin_port = htons((uint16_t)atoi(argv[1]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[2]);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 3; i < argc; i++, phase_count++)
		if (sscanf(argv[i], "%ld:%" SCNd64, &phases[phase_count].rate,
			   &phases[phase_count].seconds) != 2)
			die(argv[i]);
	for (size_t i = 0; i < phase_count; i++)
		run(&phases[i]);
	for (end = now_us() + PATIENCE_US; under_way > 0 && now_us() < end;)
		take_answers(end);
	for (size_t i = 0; i < phase_count; i++)
		print(&phases[i]);
	return under_way > 0;
}
