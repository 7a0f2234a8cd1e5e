/*
 * bare.c - the floor of `make bench`: what one thread with epoll, FastCGI's records and libpq in
 * pipeline mode can do when nothing else is done. Reads share one connection, commits are spread
 * over a few, and a request is a struct that waits in a queue, without a fiber.
 *
 *   run: DATABASE_URL=postgresql://... spawn-fcgi -s app.sock -b 1024 -- bare
 *
 * It stops at the first error: there are no deadlines, limits, logs or second tries, a client that
 * leaves is not told from others, and what is not expected ends the process.
 */
#include <errno.h>
#include <fastcgi.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "by_hand.h"

enum {
	WRITERS = 4,
	QUEUE = 4096,      /* requests that wait for one connection; nginx opens fewer */
	INPUT = 64 * 1024, /* of one recv, shared by all clients */
	KEPT_PARAMS = 16 * 1024,
	KEPT_BODY = 4096,
	MOST_PIECE = 65528, /* of one record */
	HEAD_SPACE = 256,
	EVENTS = 128,
};

/* A connection of nginx, with one request at a time. */
struct client {
	int fd;
	bool keep, waiting, gone;
	uint8_t header[FCGI_HEADER_LEN];
	size_t header_have, content_left, padding_left;
	size_t small_have, params_have, body_length;
	uint8_t small[8];
	char params[KEPT_PARAMS], body[KEPT_BODY];
};

/* One pipeline: its queries are answered in the order in which they were sent. */
static struct pipe {
	PGconn *db;
	struct {
		struct client *client;
		enum statement statement;
	} queue[QUEUE];
	unsigned head, tail;
} pipes[1 + WRITERS];

static int epoll_fd, listener_tag;

static _Noreturn void stop(const char *what, const char *why)
{
	fprintf(stderr, "bare: %s: %s\n", what, why);
	exit(1);
}

static void watch(int fd, uint32_t events, void *what)
{
	struct epoll_event event = { .events = events, .data.ptr = what };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		stop("epoll_ctl", strerror(errno));
}

static void free_client(struct client *client)
{
	close(client->fd);
	free(client);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void send_all(struct client *client, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(client->fd, data, length, MSG_NOSIGNAL);

		if (sent < 0)
			return;
		data += sent;
		length -= (size_t)sent;
	}
}

static char *put_header(char *to, unsigned type, size_t length)
{
	const FCGI_Header header = { .version = FCGI_VERSION_1,
				     .type = (unsigned char)type,
				     .requestIdB0 = 1,
				     .contentLengthB1 = (unsigned char)(length >> 8),
				     .contentLengthB0 = (unsigned char)length };

	return put(to, (const char *)&header, sizeof header);
}

/* In one piece of memory and one write, as many records as it takes. */
static void respond(struct client *client, const char *answer, size_t length)
{
	static char *records;
	static size_t room;
	size_t needed = length + (length / MOST_PIECE + 5) * FCGI_HEADER_LEN, piece;
	char *to;

	if (needed > room && (records = realloc(records, room = needed)) == NULL)
		stop("an answer", "no memory");
	for (to = records; length > 0; answer += piece, length -= piece) {
		piece = length < MOST_PIECE ? length : MOST_PIECE;
		to = put_header(to, FCGI_STDOUT, piece);
		to = put(to, answer, piece);
	}
	to = put_header(to, FCGI_STDOUT, 0);
	to = put_header(to, FCGI_END_REQUEST, 8);
	to = put(to, "\0\0\0\0\0\0\0", 8);
	if (!client->gone)
		send_all(client, records, (size_t)(to - records));
	client->waiting = false;
	if (client->gone || !client->keep)
		free_client(client);
}

/* The body is at HEAD_SPACE. */
static void respond_with(struct client *client, enum statement statement, int64_t id, char *buffer,
			 size_t length)
{
	char head[HEAD_SPACE];
	size_t n = (size_t)(put_head(head, statement, id, length) - head);
	char *start = buffer + HEAD_SPACE - n;

	memcpy(start, head, n);
	respond(client, start, n + length);
}

static void respond_number(struct client *client, size_t number)
{
	char buffer[HEAD_SPACE + 32];

	respond_with(client, SHOW, 0, buffer,
		     (size_t)(put_int(buffer + HEAD_SPACE, (int64_t)number) - buffer) - HEAD_SPACE);
}

static void respond_problem(struct client *client, const char *status)
{
	char answer[256];

	respond(client, answer,
		(size_t)snprintf(answer, sizeof answer,
				 "Status: %s\r\nContent-Type: application/problem+json\r\n"
				 "Content-Length: 2\r\n\r\n{}",
				 status));
}

static void respond_rows(struct client *client, enum statement statement, const PGresult *rows)
{
	static char *buffer;
	static size_t room;
	size_t needed = HEAD_SPACE + room_for_rows(rows);
	int64_t id;

	if (statement != LIST && PQntuples(rows) != 1) {
		respond_problem(client, "404 Not Found");
		return;
	}
	if (needed > room && (buffer = realloc(buffer, room = needed)) == NULL)
		stop("an answer", "no memory");
	id = statement == STORE ? read_int64(PQgetvalue(rows, 0, 0)) : 0;
	respond_with(client, statement, id, buffer,
		     (size_t)(put_rows(buffer + HEAD_SPACE, rows, statement) - buffer) -
			     HEAD_SPACE);
}

/* ---- the pipelines --------------------------------------------------------------------------- */

/* A sync for each: it is a transaction of its own. What was queued in a turn leaves together. */
static void send_query(struct client *client, struct query *query)
{
	static unsigned writer;
	struct pipe *pipe = query->statement == STORE ? &pipes[1 + writer++ % WRITERS] : &pipes[0];

	point_at_values(query);
	if (pipe->tail - pipe->head == QUEUE ||
	    PQsendQueryPrepared(pipe->db, statements[query->statement].name,
				statements[query->statement].parameters, query->values,
				query->lengths, binary, 1) != 1 ||
	    PQpipelineSync(pipe->db) != 1)
		stop("a query", PQerrorMessage(pipe->db));
	pipe->queue[pipe->tail % QUEUE].client = client;
	pipe->queue[pipe->tail++ % QUEUE].statement = query->statement;
}

static void pipe_ready(struct pipe *pipe)
{
	if (PQconsumeInput(pipe->db) != 1)
		stop("the database", PQerrorMessage(pipe->db));
	while (pipe->head != pipe->tail && !PQisBusy(pipe->db)) {
		PGresult *result = PQgetResult(pipe->db);
		unsigned at = pipe->head % QUEUE;

		if (result == NULL)
			continue;
		if (PQresultStatus(result) == PGRES_TUPLES_OK)
			respond_rows(pipe->queue[at].client, pipe->queue[at].statement, result);
		else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
			pipe->head++;
		else
			stop("a query", PQresultErrorMessage(result));
		PQclear(result);
	}
}

static void open_pipes(const char *url)
{
	for (size_t i = 0; i < 1 + WRITERS; i++) {
		pipes[i].db = PQconnectdb(url);
		if (!prepare_all(pipes[i].db) || PQenterPipelineMode(pipes[i].db) != 1 ||
		    PQsetnonblocking(pipes[i].db, 1) != 0)
			stop("the database", PQerrorMessage(pipes[i].db));
		watch(PQsocket(pipes[i].db), EPOLLIN, &pipes[i]);
	}
}

/* ---- requests -------------------------------------------------------------------------------- */

static size_t pair_length(const uint8_t **at)
{
	size_t length = *(*at)++;

	if (length < 0x80)
		return length;
	length = (length & 0x7f) << 24 | (size_t)(*at)[0] << 16 | (size_t)(*at)[1] << 8 | (*at)[2];
	*at += 3;
	return length;
}

static void find_param(const struct client *client, const char *wanted, char *value, size_t size)
{
	const uint8_t *at = (const uint8_t *)client->params, *end = at + client->params_have;

	*value = '\0';
	while (at < end) {
		size_t name = pair_length(&at), length = pair_length(&at);

		if (name == strlen(wanted) && memcmp(at, wanted, name) == 0 && length < size) {
			memcpy(value, at + name, length);
			value[length] = '\0';
		}
		at += name + length;
	}
}

static void handle(struct client *client)
{
	char method[16], uri[512], buffer[HEAD_SPACE + sizeof hello_body];
	struct query query;

	client->waiting = true;
	find_param(client, "REQUEST_METHOD", method, sizeof method);
	find_param(client, "REQUEST_URI", uri, sizeof uri);
	if (strcmp(method, "POST") == 0 && strcmp(uri, "/upload") == 0) {
		respond_number(client, client->body_length);
	} else if (strcmp(method, "POST") == 0 && strcmp(uri, "/users") == 0) {
		if (read_user(client->body, client->body_length, &query))
			send_query(client, &query);
		else
			respond_problem(client, "422 Unprocessable Content");
	} else if (strcmp(method, "GET") == 0 && strcmp(uri, "/hello") == 0) {
		memcpy(buffer + HEAD_SPACE, hello_body, sizeof hello_body);
		respond_with(client, SHOW, 0, buffer, sizeof hello_body - 1);
	} else if (strcmp(method, "GET") == 0 && read_target(uri, &query)) {
		send_query(client, &query);
	} else {
		respond_problem(client, "404 Not Found");
	}
}

/* ---- records --------------------------------------------------------------------------------- */

/* Keeps what fits, and tells how much there was. */
static void keep(char *to, size_t room, size_t *have, const uint8_t *data, size_t length)
{
	if (*have < room)
		memcpy(to + *have, data, length < room - *have ? length : room - *have);
	*have += length;
}

static void take_content(struct client *client, const uint8_t *data, size_t length)
{
	unsigned type = client->header[1];

	if (type == FCGI_BEGIN_REQUEST)
		keep((char *)client->small, sizeof client->small, &client->small_have, data,
		     length);
	else if (type == FCGI_PARAMS)
		keep(client->params, KEPT_PARAMS, &client->params_have, data, length);
	else if (type == FCGI_STDIN)
		keep(client->body, KEPT_BODY, &client->body_length, data, length);
	if (client->params_have > KEPT_PARAMS)
		stop("a request", "too many parameters");
}

/* A header is there; true: it says that the request is whole. */
static bool take_header(struct client *client)
{
	client->content_left = (size_t)client->header[4] << 8 | client->header[5];
	client->padding_left = client->header[6];
	client->header_have = 0;
	if (client->header[1] == FCGI_BEGIN_REQUEST)
		client->small_have = client->params_have = client->body_length = 0;
	return client->header[1] == FCGI_STDIN && client->content_left == 0;
}

/* nginx sends the next request only when it has the answer. */
static void take_input(struct client *client, const uint8_t *data, size_t length)
{
	while (length > 0) {
		size_t *left =
			client->content_left > 0 ? &client->content_left : &client->padding_left;
		size_t part = length < *left ? length : *left;

		if (part == 0) {
			client->header[client->header_have++] = *data++;
			length--;
			if (client->header_have < FCGI_HEADER_LEN || !take_header(client))
				continue;
			client->keep = client->small[2] & FCGI_KEEP_CONN;
			handle(client);
			return;
		}
		if (left == &client->content_left)
			take_content(client, data, part);
		*left -= part;
		data += part;
		length -= part;
	}
}

static void client_ready(struct client *client)
{
	static uint8_t input[INPUT];
	ssize_t length = recv(client->fd, input, sizeof input, MSG_DONTWAIT);

	if (length < 0 && errno == EAGAIN)
		return;
	if (length > 0) {
		take_input(client, input, (size_t)length);
		return;
	}
	client->gone = true;
	if (client->waiting)
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, client->fd, NULL);
	else
		free_client(client);
}

static void accept_client(void)
{
	int fd = accept4(0, NULL, NULL, SOCK_CLOEXEC);
	struct client *client;

	if (fd < 0)
		return;
	client = calloc(1, sizeof *client);
	if (client == NULL)
		stop("a connection", "no memory");
	client->fd = fd;
	watch(fd, EPOLLIN, client);
}

static bool is_pipe(const void *what)
{
	return (const char *)what >= (const char *)pipes &&
	       (const char *)what < (const char *)(pipes + 1 + WRITERS);
}

int main(void)
{
	struct epoll_event events[EVENTS];

	if (getenv("DATABASE_URL") == NULL)
		stop("DATABASE_URL", "is not set");
	signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (fcntl(0, F_SETFL, O_NONBLOCK) != 0)
		stop("the listening socket", strerror(errno));
	watch(0, EPOLLIN, &listener_tag);
	open_pipes(getenv("DATABASE_URL"));
	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			void *what = events[i].data.ptr;

			if (what == &listener_tag)
				accept_client();
			else if (is_pipe(what))
				pipe_ready(what);
			else
				client_ready(what);
		}
		for (size_t i = 0; i < 1 + WRITERS; i++)
			if (PQflush(pipes[i].db) < 0)
				stop("the database", PQerrorMessage(pipes[i].db));
	}
}
