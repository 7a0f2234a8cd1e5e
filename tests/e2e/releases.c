/*
 * releases.c - a steady load on the users application, through nginx, that knows each of its
 * requests by name. test_releases.sh and tests/bench/operations.sh see by it what is lost while
 * workers come and go, and how long clients wait.
 *
 *	releases load PORT CONNECTIONS RATE NAME	until TERM; what is in flight then is waited
 *for releases first PORT				until an answer is 200, for a minute at most
 *
 * RATE requests a second go over CONNECTIONS kept connections, each with one request at a time: a
 * post with a title that no other has, one of the posts that were acknowledged, or a page of 200
 * users, which has to be the same each time. Nothing is sent twice: sockets are read by hand, since
 * HTTP libraries quietly repeat a request on a kept connection that had ended.
 *
 * A line on standard output tells what has happened since the last one, for each USR1, and the
 * last, for all of it, begins with "total":
 *	requests N posts N failures N slow N slowest MICROSECONDS
 * slow ones took more than 50 ms. Beside it, of each POST that was answered with 201 the id and the
 * title are a line of NAME.acknowledged, the titles of all other ones stand in NAME.unknown, and
 *each request without its right answer is a line of NAME.failures, with what came instead.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CONNECTIONS_MOST = 256,
	ANSWER_MOST = 128 * 1024,
	SLOW_US = 50 * 1000,
	PATIENCE_US = 45 * 1000 * 1000, /* above nginx' own */
};

enum kind { POST, READ, PAGE };

struct client {
	int fd; /* -1: closed */
	bool busy;
	int64_t next, sent; /* microseconds */
	enum kind kind;
	size_t post; /* POST: the number in its title; READ: of which in stored */
	char title[128];
	size_t length;
	char answer[ANSWER_MOST + 1];
};

struct answer {
	int status;
	bool last; /* the connection ends with it */
	const char *body;
	size_t length;
};

struct figures {
	size_t requests, posts, failures, slow;
	int64_t slowest;
};

static struct {
	struct sockaddr_in address;
	const char *name; /* the last part of NAME: titles begin with it */
	struct client *clients;
	size_t count;
	int64_t period; /* between two requests of a client */
	size_t serial, posts;
	struct figures since, total;
	struct {
		int64_t id;
		size_t post;
	} * stored;
	size_t stored_count, stored_most;
	char *page; /* the first one: all must be so */
	size_t page_length;
	FILE *acknowledged, *unknown, *failures;
	bool leaving;
} load;

static void die(const char *what)
{
	fprintf(stderr, "releases: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* ---- what is told --------------------------------------------------------------------------- */

static void tell(const char *before, struct figures *figures)
{
	printf("%srequests %zu posts %zu failures %zu slow %zu slowest %" PRId64 "\n", before,
	       figures->requests, figures->posts, figures->failures, figures->slow,
	       figures->slowest);
	fflush(stdout);
	*figures = (struct figures){ 0 };
}

static void count(struct figures *figures, const struct client *client, int64_t took, bool good)
{
	figures->requests++;
	figures->posts += client->kind == POST;
	figures->failures += !good;
	figures->slow += took > SLOW_US;
	if (took > figures->slowest)
		figures->slowest = took;
}

/* The request is over; fault: NULL, or what came instead of its answer. */
static void end_request(struct client *client, const char *fault)
{
	static const char *const names[] = { "POST", "read", "page" };
	int64_t took = now_us() - client->sent;

	client->busy = false;
	count(&load.since, client, took, fault == NULL);
	count(&load.total, client, took, fault == NULL);
	if (fault == NULL)
		return;
	fprintf(load.failures, "%s: %s %s after %" PRId64 " us\n", fault, names[client->kind],
		client->title, took);
	if (client->kind == POST)
		fprintf(load.unknown, "%s\n", client->title);
}

static void hang_up(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

static void fail(struct client *client, const char *fault)
{
	hang_up(client);
	end_request(client, fault);
}

/* ---- requests ------------------------------------------------------------------------------- */

static int connect_nginx(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&load.address, sizeof load.address) == 0)
		return fd;
	close(fd);
	return -1;
}

static void set_title(struct client *client, size_t post)
{
	client->post = post;
	snprintf(client->title, sizeof client->title, "%s.%zu", load.name, post);
}

/* Of five requests two are posts, and one of forty is a page. */
static int write_request(struct client *client, char *text, size_t size)
{
	size_t serial = load.serial++;
	int length;

	if (serial % 5 < 2 || load.stored_count == 0) {
		client->kind = POST;
		set_title(client, load.posts++);
		length = snprintf(NULL, 0, "{\"user_id\":1,\"title\":\"%s\"}", client->title);
		return snprintf(text, size,
				"POST /posts HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
				"application/json\r\nContent-Length: %d\r\n\r\n"
				"{\"user_id\":1,\"title\":\"%s\"}",
				length, client->title);
	}
	if (serial % 40 == 4) {
		client->kind = PAGE;
		client->title[0] = '\0';
		return snprintf(text, size,
				"GET /users?limit=200 HTTP/1.1\r\nHost: localhost\r\n\r\n");
	}
	client->kind = READ;
	client->post = (size_t)random() % load.stored_count;
	snprintf(client->title, sizeof client->title, "%s.%zu", load.name,
		 load.stored[client->post].post);
	return snprintf(text, size, "GET /posts/%" PRId64 " HTTP/1.1\r\nHost: localhost\r\n\r\n",
			load.stored[client->post].id);
}

static void send_request(struct client *client)
{
	char text[512];
	int length = write_request(client, text, sizeof text);

	client->sent = now_us();
	client->next = client->next + load.period > client->sent ? client->next + load.period
								 : client->sent;
	client->length = 0;
	client->busy = true;
	if (client->fd < 0 && (client->fd = connect_nginx()) < 0)
		fail(client, "not connected");
	else if (send(client->fd, text, (size_t)length, MSG_NOSIGNAL) != length)
		fail(client, "not sent");
}

/* ---- answers -------------------------------------------------------------------------------- */

/* False: not all of it is there. */
static bool parse(struct client *client, struct answer *answer)
{
	char *end = strstr(client->answer, "\r\n\r\n"), *length;

	if (end == NULL)
		return false;
	*end = '\0'; /* look at the head alone */
	length = strcasestr(client->answer, "\r\nContent-Length: ");
	*answer = (struct answer){
		.status = strlen(client->answer) > 12 ? atoi(client->answer + 9) : 0,
		.last = strcasestr(client->answer, "\r\nConnection: close") != NULL,
		.body = end + 4,
		.length = length == NULL ? 0 : (size_t)strtoull(length + 18, NULL, 10),
	};
	*end = '\r';
	return client->length >= (size_t)(answer->body - client->answer) + answer->length;
}

static void keep(int64_t id, size_t post)
{
	if (load.stored_count == load.stored_most) {
		load.stored_most = load.stored_most * 2 + 1024;
		load.stored = realloc(load.stored, load.stored_most * sizeof *load.stored);
		if (load.stored == NULL)
			die("memory");
	}
	load.stored[load.stored_count].id = id;
	load.stored[load.stored_count++].post = post;
}

/* The body is that of this post, whole. */
static bool is_post(const struct client *client, const struct answer *answer, int64_t *id)
{
	char title[160];
	int length = snprintf(title, sizeof title, "\"title\":\"%s\",", client->title);

	return sscanf(answer->body, "{\"id\":%" SCNd64 ",\"user_id\":1,", id) == 1 &&
	       memmem(answer->body, answer->length, title, (size_t)length) != NULL &&
	       answer->body[answer->length - 1] == '}';
}

static bool is_page(const struct answer *answer)
{
	if (load.page == NULL) {
		load.page = strndup(answer->body, answer->length);
		load.page_length = answer->length;
	}
	return load.page != NULL && answer->length == load.page_length &&
	       memcmp(answer->body, load.page, answer->length) == 0;
}

static bool is_right(struct client *client, const struct answer *answer)
{
	int64_t id;

	switch (client->kind) {
	case POST:
		if (answer->status != 201 || !is_post(client, answer, &id))
			return false;
		keep(id, client->post);
		fprintf(load.acknowledged, "%" PRId64 " %s\n", id, client->title);
		return true;
	case READ:
		return answer->status == 200 && is_post(client, answer, &id) &&
		       id == load.stored[client->post].id;
	case PAGE:
		return answer->status == 200 && is_page(answer);
	}
	return false;
}

static void take_answer(struct client *client, const struct answer *answer)
{
	char fault[64];

	snprintf(fault, sizeof fault, "%s%d", answer->status / 100 == 2 ? "another body, " : "",
		 answer->status);
	end_request(client, is_right(client, answer) ? NULL : fault);
	if (answer->last)
		hang_up(client);
}

/* Something is there to be read, or the end. */
static void receive(struct client *client)
{
	struct answer answer;
	ssize_t got = recv(client->fd, client->answer + client->length,
			   ANSWER_MOST - client->length, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (!client->busy) {
		hang_up(client); /* nginx kept it long enough */
	} else if (got <= 0) {
		fail(client, client->length == 0 ? "closed without an answer" : "cut short");
	} else {
		client->length += (size_t)got;
		client->answer[client->length] = '\0';
		if (parse(client, &answer))
			take_answer(client, &answer);
		else if (client->length == ANSWER_MOST)
			fail(client, "too long");
	}
}

/* ---- the load ------------------------------------------------------------------------------- */

static void take_signal(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof info) != sizeof info)
		return;
	if (info.ssi_signo == SIGUSR1)
		tell("", &load.since);
	else
		load.leaving = true;
}

/* Sends what is due; returns how many are busy, and the time until which nothing is to be done. */
static size_t send_due(int64_t *until)
{
	int64_t now = now_us();
	size_t busy = 0;

	*until = now + 1000000;
	for (size_t i = 0; i < load.count; i++) {
		struct client *client = &load.clients[i];

		if (client->busy && now - client->sent > PATIENCE_US)
			fail(client, "no answer");
		if (!client->busy && !load.leaving && client->next <= now)
			send_request(client);
		if (!client->busy && !load.leaving && client->next < *until)
			*until = client->next;
		busy += client->busy;
	}
	return busy;
}

static void wait_until(int64_t until, int signals)
{
	struct pollfd fds[CONNECTIONS_MOST + 1] = { { .fd = signals, .events = POLLIN } };
	int64_t left = until - now_us();
	struct timespec timeout = { .tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000 };

	if (left < 0)
		timeout = (struct timespec){ 0 };
	for (size_t i = 0; i < load.count; i++)
		fds[i + 1] = (struct pollfd){ .fd = load.clients[i].fd, .events = POLLIN };
	if (ppoll(fds, load.count + 1, &timeout, NULL) <= 0)
		return;
	for (size_t i = 0; i < load.count; i++)
		if (fds[i + 1].revents != 0)
			receive(&load.clients[i]);
	if (fds[0].revents != 0)
		take_signal(signals);
}

static FILE *create(const char *name, const char *what)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s.%s", name, what);
	file = fopen(path, "we");
	if (file == NULL)
		die(path);
	return file;
}

static int run_load(size_t connections, int64_t rate, const char *name)
{
	sigset_t signals;
	int64_t until;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	load.clients = calloc(connections, sizeof *load.clients);
	if (fd < 0 || load.clients == NULL)
		die("start");
	load.acknowledged = create(name, "acknowledged");
	load.unknown = create(name, "unknown");
	load.failures = create(name, "failures");
	load.name = strrchr(name, '/') == NULL ? name : strrchr(name, '/') + 1;
	load.count = connections;
	load.period = (int64_t)connections * 1000000 / rate;
	for (size_t i = 0; i < connections; i++) {
		load.clients[i].fd = -1;
		load.clients[i].next = now_us() + (int64_t)i * 1000000 / rate;
	}
	while (send_due(&until) > 0 || !load.leaving)
		wait_until(until, fd);
	tell("total ", &load.total);
	return fclose(load.acknowledged) | fclose(load.unknown) | fclose(load.failures);
}

/* ---- the first answer ----------------------------------------------------------------------- */

static bool is_answered(const char *path)
{
	char request[256], answer[16] = "";
	int fd = connect_nginx();
	int length = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n", path);
	bool good = fd >= 0 && send(fd, request, (size_t)length, MSG_NOSIGNAL) == length &&
		    recv(fd, answer, sizeof answer - 1, MSG_WAITALL) > 0 &&
		    strncmp(answer + 8, " 200", 4) == 0;

	if (fd >= 0)
		close(fd);
	return good;
}

static int wait_for_first(const char *path)
{
	int64_t end = now_us() + 60 * 1000000;

	while (!is_answered(path)) {
		if (now_us() > end)
			return 1;
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	}
	return 0;
}

int main(int argc, char **argv)
{
	long connections = argc == 6 ? atol(argv[3]) : 0, rate = argc == 6 ? atol(argv[4]) : 0;

	if (argc >= 3)
		load.address = (struct sockaddr_in){ .sin_family = AF_INET,
						     .sin_port = htons((uint16_t)atoi(argv[2])),
						     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (argc == 4 && strcmp(argv[1], "first") == 0 && strlen(argv[3]) < 128)
		return wait_for_first(argv[3]);
	if (connections > 0 && connections <= CONNECTIONS_MOST && rate > 0 &&
	    strcmp(argv[1], "load") == 0)
		return run_load((size_t)connections, rate, argv[5]);
	fputs("releases load PORT CONNECTIONS RATE NAME | releases first PORT PATH\n", stderr);
	return 2;
}
