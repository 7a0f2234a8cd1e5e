/*
 * proxy.h - a process between the library and the server, on a unix socket of its own. It
 * counts what crosses, and on command holds answers back, cuts connections or is away.
 *
 * A round trip begins when the client sends after the server has, or for the first time.
 */
#ifndef TESTS_DB_PROXY_H
#define TESTS_DB_PROXY_H

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "database.h"

enum { PROXY_PAIRS = 64, PROXY_BYTES = 1 << 20 };

/* Of messages from the client: Parse, Execute, Sync. */
struct proxy_counts {
	atomic_int connections, round_trips, parses, executes, syncs;
};

enum proxy_command {
	PROXY_RESET = 'z', /* all counts to zero */
	PROXY_DOWN = 'd',  /* cut everything, refuse whoever comes */
	PROXY_UP = 'u',
	PROXY_HOLD = 'h', /* no answer passes until it is released */
	PROXY_RELEASE = 'r',
	PROXY_LOSE_QUERY = 'q', /* the next bytes of a client are lost, and its connection is cut */
	PROXY_LOSE_ANSWER = 'a', /* the same with the next answer: the server has done its work */
};

static struct proxy_counts *proxy_counts; /* shared with the process */
static char proxy_directory[64], proxy_path[96], proxy_url[1024];
static int proxy_control = -1;
static pid_t proxy_pid;

/* ---- in the process ---------------------------------------------------------------------- */

struct proxy_pair {
	int client, server;
	bool started;      /* the start-up message, which has no type, is over */
	bool client_spoke; /* last */
	unsigned char head[5];
	size_t head_length, skip; /* of the client's message under way */
};

static struct proxy_pair proxy_pairs[PROXY_PAIRS];
static size_t proxy_pair_count;
static bool proxy_down, proxy_hold, proxy_lose_query, proxy_lose_answer;
static unsigned char proxy_bytes[PROXY_BYTES];

static inline void proxy_count_message(unsigned char type)
{
	if (type == 'P')
		proxy_counts->parses++;
	else if (type == 'E')
		proxy_counts->executes++;
	else if (type == 'S')
		proxy_counts->syncs++;
}

/* Type (but for the first message), length with itself, contents. */
static inline void proxy_follow(struct proxy_pair *pair, const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		size_t first = pair->started ? 0 : 1;

		if (pair->skip > 0) {
			size_t left = length - i, skipped = pair->skip < left ? pair->skip : left;

			pair->skip -= skipped;
			i += skipped - 1;
			continue;
		}
		pair->head[first + pair->head_length++] = bytes[i];
		if (first + pair->head_length < sizeof pair->head)
			continue;
		if (pair->started)
			proxy_count_message(pair->head[0]);
		pair->skip = ((size_t)pair->head[1] << 24 | (size_t)pair->head[2] << 16 |
			      (size_t)pair->head[3] << 8 | pair->head[4]) -
			     4;
		pair->head_length = 0;
		pair->started = true;
	}
}

static inline int proxy_dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%.80s/.s.PGSQL.%s", database_socket,
		 database_port);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		die_of(address.sun_path, strerror(errno));
	return fd;
}

static inline void proxy_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (proxy_down || proxy_pair_count == PROXY_PAIRS) {
		close(fd);
		return;
	}
	proxy_counts->connections++;
	proxy_pairs[proxy_pair_count++] =
		(struct proxy_pair){ .client = fd, .server = proxy_dial() };
}

static inline void proxy_cut(struct proxy_pair *pair)
{
	close(pair->client);
	close(pair->server);
	*pair = proxy_pairs[--proxy_pair_count];
}

static inline bool proxy_send(int fd, const unsigned char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent < 0)
			return false;
		bytes += sent;
		length -= (size_t)sent;
	}
	return true;
}

/* False: the pair is to be cut. */
static inline bool proxy_from_client(struct proxy_pair *pair)
{
	ssize_t length = read(pair->client, proxy_bytes, sizeof proxy_bytes);

	if (length <= 0)
		return false;
	if (proxy_lose_query) {
		proxy_lose_query = false;
		return false;
	}
	if (!pair->client_spoke)
		proxy_counts->round_trips++;
	pair->client_spoke = true;
	proxy_follow(pair, proxy_bytes, (size_t)length);
	return proxy_send(pair->server, proxy_bytes, (size_t)length);
}

static inline bool proxy_from_server(struct proxy_pair *pair)
{
	ssize_t length = read(pair->server, proxy_bytes, sizeof proxy_bytes);

	if (length <= 0)
		return false;
	if (proxy_lose_answer) {
		proxy_lose_answer = false;
		return false;
	}
	pair->client_spoke = false;
	return proxy_send(pair->client, proxy_bytes, (size_t)length);
}

static inline void proxy_reset_counts(void)
{
	proxy_counts->connections = proxy_counts->round_trips = 0;
	proxy_counts->parses = proxy_counts->executes = proxy_counts->syncs = 0;
}

/* Does what it is told, and says that it is done. */
static inline void proxy_obey(int commands)
{
	char command;

	if (read(commands, &command, 1) != 1)
		_exit(0);
	switch (command) {
	case PROXY_RESET:
		proxy_reset_counts();
		break;
	case PROXY_DOWN:
		proxy_down = true;
		while (proxy_pair_count > 0)
			proxy_cut(&proxy_pairs[0]);
		break;
	case PROXY_UP:
		proxy_down = false;
		break;
	case PROXY_HOLD:
	case PROXY_RELEASE:
		proxy_hold = command == PROXY_HOLD;
		break;
	case PROXY_LOSE_QUERY:
		proxy_lose_query = true;
		break;
	case PROXY_LOSE_ANSWER:
		proxy_lose_answer = true;
		break;
	}
	if (write(commands, &command, 1) != 1)
		_exit(1);
}

static inline void proxy_serve(int listener, int commands)
{
	static struct pollfd polled[2 + 2 * PROXY_PAIRS];

	for (;;) {
		size_t count = proxy_pair_count;

		polled[0] = (struct pollfd){ .fd = commands, .events = POLLIN };
		polled[1] = (struct pollfd){ .fd = listener, .events = POLLIN };
		for (size_t i = 0; i < count; i++) {
			polled[2 + 2 * i] =
				(struct pollfd){ .fd = proxy_pairs[i].client, .events = POLLIN };
			polled[3 + 2 * i] =
				(struct pollfd){ .fd = proxy_hold ? -1 : proxy_pairs[i].server,
						 .events = POLLIN };
		}
		if (poll(polled, 2 + 2 * count, -1) < 0)
			continue;
		/* from the last on: a cut one is replaced by one that was looked at already */
		for (size_t i = count; i-- > 0;)
			if ((polled[2 + 2 * i].revents && !proxy_from_client(&proxy_pairs[i])) ||
			    (polled[3 + 2 * i].revents && !proxy_from_server(&proxy_pairs[i])))
				proxy_cut(&proxy_pairs[i]);
		if (polled[1].revents)
			proxy_accept(listener);
		if (polled[0].revents)
			proxy_obey(commands);
	}
}

/* ---- in the test -------------------------------------------------------------------------- */

static inline int proxy_listen(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	make_directory(proxy_directory, sizeof proxy_directory);
	snprintf(proxy_path, sizeof proxy_path, "%s/.s.PGSQL.5432", proxy_directory);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", proxy_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0)
		die_of(proxy_path, strerror(errno));
	return fd;
}

/* Starts the process; before any thread is. */
static inline void start_proxy(void)
{
	int listener = proxy_listen(), commands[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, commands) != 0)
		die_of("socketpair", strerror(errno));
	proxy_counts = mmap(NULL, sizeof *proxy_counts, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (proxy_counts == MAP_FAILED)
		die_of("mmap", strerror(errno));
	proxy_pid = fork();
	if (proxy_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(commands[0]);
		proxy_serve(listener, commands[1]);
	}
	close(commands[1]);
	close(listener);
	proxy_control = commands[0];
	make_url(proxy_url, sizeof proxy_url, database_name, proxy_directory, "5432");
}

static inline void stop_proxy(void)
{
	if (proxy_pid == 0)
		return;
	close(proxy_control);
	waitpid(proxy_pid, NULL, 0);
	unlink(proxy_path);
	rmdir(proxy_directory);
	munmap(proxy_counts, sizeof *proxy_counts);
	proxy_pid = 0;
}

/* Returns when it is done. */
static inline void tell_proxy(enum proxy_command command)
{
	char byte = (char)command;

	if (write(proxy_control, &byte, 1) != 1 || read(proxy_control, &byte, 1) != 1)
		die_of("the proxy", strerror(errno));
}

#endif
