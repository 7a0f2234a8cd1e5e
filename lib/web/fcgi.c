/*
 * fcgi.c - the FastCGI front: accepts the web server's connections, reads records without
 * ever blocking, and gives a request a fiber only when it has come whole, or when its parameters
 * have and its handler reads the body itself.
 *
 * A connection carries one request after another:
 *
 *	IDLE ──begin──> READING ──whole──> (QUEUED) ──> BUSY ──answered──> IDLE, or closed
 *
 * A body that its handler has left unread is read to its end behind the answer (SWALLOWING): what
 * comes after it must not be taken for a request.
 *
 * Between requests it costs a small struct: all of them share one input buffer, because the
 * reader takes every byte at once. Bytes of a further request that come while one is being
 * answered wait in the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "web/fcgi_records.h"
#include "web/internal.h"
#include "web/overload.h"

enum {
	INPUT = 64 * 1024,
	ACCEPTS_A_TURN = 64,
	FREE_REQUESTS = 128,
	BRAKE_MS = 100,          /* after accept failed for want of descriptors or memory */
	PAUSE_MS = 20,           /* until another look whether more may be accepted */
	PIECES = 64,             /* iovecs in one writev */
	MAX_CONNECTIONS = 65535, /* what FCGI_GET_VALUES can be told */
};

enum state { IDLE, READING, QUEUED, BUSY, SWALLOWING };

struct connection {
	struct ath_watch watch;
	struct ath_fcgi_server *server;
	struct connection *previous, *next; /* all connections */
	struct connection *next_queued;
	struct ath_request *request; /* unless IDLE */
	struct ath_fiber *fiber;     /* when BUSY */
	int64_t ready_at;            /* when its fiber could have begun */
	int64_t send_by;             /* until when the answer must have been taken */
	struct ath_waiter *room;     /* the fiber waits for the socket to take more */
	struct ath_waiter *input;    /* or for more of the body */
	bool receiving;              /* the body comes while the request is QUEUED or BUSY */
	bool placed;                 /* BUSY, and counted in flight */
	bool lingers;                /* BUSY with an open-ended answer */
	size_t body_at;              /* where the handler is in raw_body, when receiving */
	struct ath_timer arrival;    /* until when the request must have come */
	enum state state;
	bool gone;                   /* the other side has left; the fiber closes */
	unsigned char *rest;         /* malloc: bytes behind the request that is being answered */
	size_t rest_at, rest_length; /* those from rest_at on are unread */
	struct ath_fcgi_reader reader;
};

struct ath_fcgi_server {
	struct ath_loop *loop;
	const struct ath_web *web;
	struct ath_watch listener;
	bool listening;         /* the listener is watched */
	bool has_share;         /* or it is not because of web->may_accept */
	struct ath_timer brake; /* until another try, while it is not */
	struct connection *connections;
	struct connection *queue, **queue_tail; /* requests beyond limits.in_flight */
	size_t connection_count, in_flight, queued, lingering;
	struct ath_overload overload;
	uint64_t accepted, refused;
	struct {
		int64_t since; /* 0: none lately */
		uint64_t count;
	} refusals;                  /* that have not been logged yet */
	struct ath_buffer swallowed; /* where bytes go that nobody wants: it has failed */
	struct ath_request *free_requests;
	size_t free_count;
	bool draining;
	struct ath_timer grace;
	void (*drained)(void *arg);
	void *drained_arg;
	unsigned char input[INPUT];
};

static const uint32_t reading_events = EPOLLIN | EPOLLRDHUP;

static bool run(struct connection *connection, int64_t now);
static bool refuse(struct connection *connection);

/* ---- requests are kept for the next one ------------------------------------------------- */

static struct ath_request *take_request(struct ath_fcgi_server *server)
{
	struct ath_request *request = server->free_requests;

	if (request == NULL)
		return ath_request_new(server->web);
	server->free_requests = request->next_free;
	server->free_count--;
	return request;
}

static void give_request(struct ath_fcgi_server *server, struct ath_request *request)
{
	if (server->free_count == FREE_REQUESTS) {
		ath_request_free(request);
		return;
	}
	ath_request_reset(request);
	request->next_free = server->free_requests;
	server->free_requests = request;
	server->free_count++;
}

/* ---- connections ------------------------------------------------------------------------- */

/* Where several processes listen, one of them alone is woken: such a watch cannot be changed. */
static const uint32_t listening_events = EPOLLIN | EPOLLEXCLUSIVE;

static bool may_accept(const struct ath_fcgi_server *server)
{
	const struct ath_web *web = server->web;

	return web->may_accept == NULL || web->may_accept(web, server->connection_count);
}

static void pause_listening(struct ath_fcgi_server *server, int64_t pause_ms)
{
	if (server->listening)
		ath_watch_remove(server->loop, &server->listener);
	server->listening = false;
	ath_timer_start(server->loop, &server->brake, ath_now() + pause_ms);
}

static void listen_again(struct ath_fcgi_server *server)
{
	if (server->draining)
		return;
	server->has_share = !may_accept(server);
	if (server->listening)
		return;
	if (server->has_share) {
		pause_listening(server, PAUSE_MS);
	} else if (ath_watch_add(server->loop, &server->listener) == ATH_OK) {
		ath_timer_stop(server->loop, &server->brake);
		server->listening = true;
	} else {
		pause_listening(server, BRAKE_MS);
	}
}

static void unqueue(struct connection *connection)
{
	struct ath_fcgi_server *server = connection->server;
	struct connection **at = &server->queue;

	while (*at != connection)
		at = &(*at)->next_queued;
	*at = connection->next_queued;
	if (*at == NULL)
		server->queue_tail = at;
	server->queued--;
	if (server->queued == 0)
		ath_overload_emptied(&server->overload);
	connection->state = READING;
	ath_timer_stop(server->loop, &connection->arrival);
}

/* Once, and last of all: the server may be closed in it. */
static void tell_drained(struct ath_fcgi_server *server)
{
	void (*drained)(void *arg) = server->drained;

	ath_timer_stop(server->loop, &server->grace);
	server->drained = NULL;
	if (drained != NULL)
		drained(server->drained_arg);
}

/* Not while BUSY: then the fiber does it. */
static void close_connection(struct connection *connection)
{
	struct ath_fcgi_server *server = connection->server;

	if (connection->state == QUEUED)
		unqueue(connection);
	if (connection->request != NULL)
		give_request(server, connection->request);
	ath_timer_stop(server->loop, &connection->arrival);
	if (!connection->gone)
		ath_watch_remove(server->loop, &connection->watch);
	close(connection->watch.fd);
	if (connection->previous != NULL)
		connection->previous->next = connection->next;
	else
		server->connections = connection->next;
	if (connection->next != NULL)
		connection->next->previous = connection->previous;
	free(connection->rest);
	free(connection);
	server->connection_count--;
	if (server->draining && server->connection_count == 0)
		tell_drained(server);
	else if (server->listening || server->has_share)
		listen_again(server);
}

/* The other side has left while a request is being answered: its reads may stop. */
static void lose_connection(struct connection *connection)
{
	if (connection->gone)
		return;
	connection->gone = true;
	ath_watch_remove(connection->server->loop, &connection->watch);
	if (connection->room != NULL)
		ath_wake(connection->room, ATH_ECANCELED);
	ath_fiber_cancel(connection->fiber);
}

static void leave(struct connection *connection)
{
	if (connection->state != BUSY) {
		close_connection(connection);
		return;
	}
	connection->request->left = true;
	lose_connection(connection);
}

static void arrival_passed(struct ath_timer *timer)
{
	struct connection *connection = container_of(timer, struct connection, arrival);
	struct ath_log_line line;

	if (connection->state == QUEUED) {
		unqueue(connection);
		if (!refuse(connection))
			close_connection(connection);
		return;
	}
	ath_log_begin(&line, connection->server->web->log, ATH_LOG_WARNING,
		      "a request did not arrive in time");
	ath_log_end(&line);
	close_connection(connection);
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Moves the pieces on by what was written; returns how many are done. */
static int advance(struct iovec *pieces, int count, size_t written)
{
	int done = 0;

	while (done < count && written >= pieces[done].iov_len)
		written -= pieces[done++].iov_len;
	if (done < count) {
		pieces[done].iov_base = (char *)pieces[done].iov_base + written;
		pieces[done].iov_len -= written;
	}
	return done;
}

/* Waits until the socket takes more. The answer is made, so the client alone can end this. */
static void wait_for_room(struct connection *connection)
{
	struct ath_loop *loop = connection->server->loop;
	struct ath_waiter waiter = { .finish = true };

	connection->room = &waiter;
	ath_watch_change(loop, &connection->watch, connection->watch.events | EPOLLOUT);
	if (ath_wait(loop, &waiter, connection->send_by) != ATH_OK)
		lose_connection(connection);
	connection->room = NULL;
}

/* Writes all pieces, waiting in the fiber for room; false when the other side is gone. */
static bool write_pieces(struct connection *connection, struct iovec *pieces, int count)
{
	while (count > 0 && !connection->gone) {
		struct msghdr message = { .msg_iov = pieces, .msg_iovlen = (size_t)count };
		ssize_t written =
			sendmsg(connection->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		int done;

		if (written >= 0) {
			done = advance(pieces, count, (size_t)written);
			pieces += done;
			count -= done;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			wait_for_room(connection);
		} else if (errno != EINTR) {
			lose_connection(connection);
		}
	}
	return !connection->gone;
}

/*
 * The answer, or a piece of it, as records: the head's own record begins with the body's first
 * bytes, further ones carry what a record's length cannot hold. One sendmsg for all but the
 * largest.
 */
static bool send_output(struct connection *connection, const struct ath_output *output)
{
	unsigned char headers[PIECES / 2][ATH_FCGI_HEADER], trailer[ATH_FCGI_TRAILER];
	const char *body = output->body;
	size_t left = output->body_length, first;
	uint16_t id = connection->reader.id;
	struct iovec pieces[PIECES];
	int count = 0, header = 0;

	_Static_assert((int)ATH_HEAD_ROOM == (int)ATH_FCGI_HEADER,
		       "a record's header goes before the head");
	if (output->head_length > 0) {
		size_t fits = ATH_FCGI_MAX_CONTENT - output->head_length;

		first = left < fits ? left : fits;
		ath_fcgi_put_header((unsigned char *)output->head, id,
				    (uint16_t)(output->head_length + first));
		pieces[count++] =
			(struct iovec){ output->head, ATH_HEAD_ROOM + output->head_length };
		pieces[count++] = (struct iovec){ (char *)(uintptr_t)body, first };
		left -= first;
		body += first;
	}
	for (; left > 0; left -= first, body += first) {
		if (count + 3 > PIECES) {
			if (!write_pieces(connection, pieces, count))
				return false;
			count = header = 0;
		}
		first = left < ATH_FCGI_MAX_CONTENT ? left : ATH_FCGI_MAX_CONTENT;
		ath_fcgi_put_header(headers[header], id, (uint16_t)first);
		pieces[count++] = (struct iovec){ headers[header++], ATH_FCGI_HEADER };
		pieces[count++] = (struct iovec){ (char *)(uintptr_t)body, first };
	}
	if (output->end == ATH_OUTPUT_ENDS) {
		ath_fcgi_put_trailer(trailer, id);
		pieces[count++] = (struct iovec){ trailer, sizeof trailer };
	} else if (output->end == ATH_OUTPUT_BREAKS) {
		ath_fcgi_put_break(trailer, id);
		pieces[count++] = (struct iovec){ trailer, ATH_FCGI_HEADER };
	}
	return write_pieces(connection, pieces, count);
}

/* ---- a request and its fiber ---------------------------------------------------------------- */

static void feed_rest(struct connection *connection);
static void read_more_or_not(struct connection *connection);

/* Goes on when one cannot be started, or those behind it would wait for ever. */
static void next_queued(struct ath_fcgi_server *server)
{
	while (server->queue != NULL && server->in_flight < server->web->limits.in_flight) {
		struct connection *connection = server->queue;
		int64_t now = ath_loop_now(server->loop);

		ath_overload_placed(&server->overload, server->queued - 1, now);
		unqueue(connection);
		if (!run(connection, now))
			close_connection(connection);
	}
}

static void give_place(struct connection *connection)
{
	if (!connection->placed)
		return;
	connection->placed = false;
	connection->server->in_flight--;
	next_queued(connection->server);
}

/* What is left of the body has to come before the next request does. */
static void swallow(struct connection *connection)
{
	struct ath_fcgi_server *server = connection->server;

	connection->state = SWALLOWING;
	connection->receiving = false;
	connection->reader.params = connection->reader.body = &server->swallowed;
	ath_timer_start(server->loop, &connection->arrival,
			ath_now() + server->web->limits.deadline_ms);
	read_more_or_not(connection);
}

static void say_refused(struct connection *connection);

/* Where more is asked for than the processor can do, what has waited too long is not begun. */
static void begin_or_refuse(struct connection *connection)
{
	struct ath_fcgi_server *server = connection->server;
	const struct ath_request *request = connection->request;
	const struct ath_leaf *leaf = request->match.leaf;
	int64_t now = ath_loop_now(server->loop);

	if (request->refused || (leaf != NULL && leaf->own))
		return;
	if (ath_overload_is_late(&server->overload, connection->ready_at, now) ||
	    now >= request->deadline)
		say_refused(connection);
}

static void request_fiber(void *arg)
{
	struct connection *connection = arg;
	struct ath_fcgi_server *server = connection->server;
	struct ath_output output;

	begin_or_refuse(connection);
	ath_web_handle(connection->request, &output);
	connection->send_by = ath_now() + server->web->limits.deadline_ms;
	send_output(connection, &output);
	give_request(server, connection->request);
	connection->request = NULL;
	connection->fiber = NULL;
	connection->state = IDLE;
	if (connection->lingers)
		server->lingering--;
	connection->lingers = false;
	give_place(connection); /* to those before this one's next, which came later */
	if (connection->gone || output.end == ATH_OUTPUT_BREAKS ||
	    (!connection->reader.keep && !connection->receiving))
		close_connection(connection);
	else if (connection->receiving)
		swallow(connection);
	else
		feed_rest(connection);
}

static bool has_place(const struct connection *connection)
{
	const struct ath_fcgi_server *server = connection->server;
	const struct ath_leaf *leaf = connection->request->match.leaf;
	size_t own = leaf != NULL && leaf->own ? ATH_OWN_PLACES : 0;

	return server->in_flight < server->web->limits.in_flight + own;
}

static void enqueue(struct connection *connection)
{
	struct ath_fcgi_server *server = connection->server;

	connection->state = QUEUED;
	connection->next_queued = NULL;
	*server->queue_tail = connection;
	server->queue_tail = &connection->next_queued;
	server->queued++;
	ath_overload_queued(&server->overload, connection->request->arrived);
	ath_timer_start(server->loop, &connection->arrival, connection->request->deadline);
}

/* False: the connection must be closed. */
static bool run_without_place(struct connection *connection, int64_t now)
{
	struct ath_fcgi_server *server = connection->server;

	if (ath_loop_spawn(server->loop, request_fiber, connection, connection->request->deadline,
			   &connection->fiber) != ATH_OK)
		return false;
	connection->state = BUSY;
	connection->ready_at = now;
	return true;
}

static bool run(struct connection *connection, int64_t now)
{
	if (!run_without_place(connection, now))
		return false;
	connection->placed = true;
	connection->server->in_flight++;
	return true;
}

/* In a line a second: there may be very many. */
static void log_refusals(struct ath_fcgi_server *server)
{
	enum { A_SECOND = 1000 };
	int64_t now = ath_now();
	struct ath_log_line line;

	server->refusals.count++;
	if (now - server->refusals.since < A_SECOND)
		return;
	ath_log_begin(&line, server->web->log, ATH_LOG_WARNING,
		      "requests are refused: there is too much to do");
	ath_log_int(&line, "refused", (int64_t)server->refusals.count);
	ath_log_int(&line, "in_flight", (int64_t)server->in_flight);
	ath_log_int(&line, "queued", (int64_t)server->queued);
	ath_log_end(&line);
	server->refusals.since = now;
	server->refusals.count = 0;
}

/* What is in flight, or wants to be, cannot be served in time. */
static void say_refused(struct connection *connection)
{
	struct ath_fcgi_server *server = connection->server;
	struct ath_request *request = connection->request;
	int64_t wait = ath_overload_wait(&server->overload, server->queued);

	server->refused++;
	log_refusals(server);
	request->refused = true;
	ath_request_fail(request,
			 ath_problem_full(request, 503, NULL, "there is too much to do: try again",
					  NULL, wait < 1000 ? 1 : (int)(wait / 1000) + 1));
}

/* Without its handler, and beside the requests in flight. */
static bool refuse(struct connection *connection)
{
	say_refused(connection);
	return run_without_place(connection, ath_now());
}

static bool start(struct connection *connection)
{
	struct ath_fcgi_server *server = connection->server;
	const struct ath_request *request = connection->request;

	if (has_place(connection))
		return run(connection, request->arrived);
	if (server->queued >= server->web->limits.queued ||
	    ath_overload_is_hopeless(&server->overload, server->queued, server->in_flight,
				     request->arrived, request->deadline))
		return refuse(connection);
	enqueue(connection);
	return true;
}

/* ---- what the fiber asks for when it streams ------------------------------------------------ */

static size_t unread(const struct connection *connection)
{
	return connection->request->raw_body.length - connection->body_at;
}

/* True when there is something, or the end. */
static bool wait_for_body(struct connection *connection)
{
	struct ath_fcgi_server *server = connection->server;

	while (unread(connection) == 0 && connection->receiving && !connection->gone) {
		struct ath_waiter waiter = { .done = false };
		enum ath_status status;

		connection->input = &waiter;
		status = ath_wait(server->loop, &waiter,
				  ath_now() + server->web->limits.deadline_ms);
		connection->input = NULL;
		if (status != ATH_OK)
			return false;
	}
	return !connection->gone;
}

static ptrdiff_t read_body(struct ath_request *request, void *to, size_t size)
{
	struct connection *connection = request->front_data;
	struct ath_buffer *body = &request->raw_body;
	size_t length;

	if (!wait_for_body(connection) || body->failed)
		return -1;
	length = unread(connection) < size ? unread(connection) : size;
	if (length > 0)
		memcpy(to, body->data + connection->body_at, length);
	connection->body_at += length;
	if (unread(connection) == 0)
		connection->body_at = body->length = 0;
	if (connection->receiving)
		read_more_or_not(connection);
	return (ptrdiff_t)length;
}

static bool send_piece(struct ath_request *request, const struct ath_output *output)
{
	struct connection *connection = request->front_data;

	connection->send_by = ath_now() + connection->server->web->limits.deadline_ms;
	return send_output(connection, output);
}

static bool linger(struct ath_request *request)
{
	struct connection *connection = request->front_data;
	struct ath_fcgi_server *server = connection->server;

	if (connection->lingers || server->lingering >= server->web->limits.streams)
		return connection->lingers;
	connection->lingers = true;
	server->lingering++;
	if (server->draining)
		ath_fiber_cancel(connection->fiber);
	give_place(connection);
	return true;
}

static const struct ath_front front = { .read = read_body, .send = send_piece, .linger = linger };

/* ---- reading -------------------------------------------------------------------------------- */

/* Keeps bytes that belong to a later request, behind those that are kept already. */
static bool keep_rest(struct connection *connection, const unsigned char *data, size_t length)
{
	size_t kept = connection->rest_length - connection->rest_at;
	unsigned char *grown;

	if (length == 0)
		return true;
	if (connection->rest_at > 0)
		memmove(connection->rest, connection->rest + connection->rest_at, kept);
	connection->rest_at = 0;
	connection->rest_length = kept;
	grown = realloc(connection->rest, kept + length);
	if (grown == NULL)
		return false;
	memcpy(grown + kept, data, length);
	connection->rest = grown;
	connection->rest_length = kept + length;
	return true;
}

/* More than the input buffer's size is not kept: it waits in the socket. */
static void read_more_or_not(struct connection *connection)
{
	size_t kept = connection->receiving ? unread(connection)
					    : connection->rest_length - connection->rest_at;
	uint32_t room = connection->watch.events & EPOLLOUT;

	ath_watch_change(connection->server->loop, &connection->watch,
			 room | (kept >= INPUT ? EPOLLRDHUP : reading_events));
}

static bool begin_request(struct connection *connection)
{
	struct ath_fcgi_server *server = connection->server;

	connection->request = take_request(server);
	if (connection->request == NULL)
		return false;
	connection->request->front = &front;
	connection->request->front_data = connection;
	connection->reader.params = &connection->request->raw_params;
	connection->reader.body = &connection->request->raw_body;
	connection->state = READING;
	ath_timer_start(server->loop, &connection->arrival,
			ath_now() + server->web->limits.deadline_ms);
	return true;
}

/* Waiting for a place counts. */
static bool start_now(struct connection *connection)
{
	struct ath_fcgi_server *server = connection->server;
	struct ath_request *request = connection->request;
	const struct ath_leaf *leaf = request->match.leaf;
	int64_t deadline_ms = server->web->limits.deadline_ms;

	ath_timer_stop(server->loop, &connection->arrival);
	if (leaf != NULL && leaf->route->deadline_ms > 0)
		deadline_ms = leaf->route->deadline_ms;
	request->arrived = ath_now();
	request->deadline = request->arrived + deadline_ms;
	return start(connection);
}

/* The parameters are there: a handler may want to read the body itself. */
static bool take_params(struct connection *connection)
{
	if (connection->state == SWALLOWING || !ath_web_begin(connection->request))
		return true;
	connection->receiving = true;
	connection->body_at = 0;
	ath_buffer_init(&connection->request->raw_body, connection->request->arena, 4 * INPUT);
	return start_now(connection);
}

static bool send_small(struct connection *connection, const void *data, size_t length)
{
	return send(connection->watch.fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)length;
}

/* The peer takes its request back: it gets its end. */
static bool abort_request(struct connection *connection)
{
	unsigned char trailer[ATH_FCGI_TRAILER];

	if (connection->state != READING)
		return false;
	ath_timer_stop(connection->server->loop, &connection->arrival);
	give_request(connection->server, connection->request);
	connection->request = NULL;
	connection->state = IDLE;
	ath_fcgi_put_trailer(trailer, connection->reader.id);
	return send_small(connection, trailer, sizeof trailer) && connection->reader.keep;
}

static bool take_event(struct connection *connection, enum ath_fcgi_event event)
{
	struct ath_fcgi_reader *reader = &connection->reader;

	switch (event) {
	case ATH_FCGI_MORE:
	case ATH_FCGI_REQUEST:
		return true;
	case ATH_FCGI_BEGIN:
		return begin_request(connection);
	case ATH_FCGI_PARAMS:
		return take_params(connection);
	case ATH_FCGI_REPLY:
		return send_small(connection, reader->reply, reader->reply_length);
	case ATH_FCGI_ABORT:
		return abort_request(connection);
	case ATH_FCGI_BAD:
		break;
	}
	return false;
}

enum fed { FED_ALL, FED_REQUEST, FED_CLOSED };

/* Reads records until a request is whole or the bytes are used up; both are moved on. */
static enum fed feed(struct connection *connection, const unsigned char **data, size_t *length)
{
	while (*length > 0) {
		enum ath_fcgi_event event = ath_fcgi_read(&connection->reader, data, length);

		if (event == ATH_FCGI_REQUEST)
			return FED_REQUEST;
		if (!take_event(connection, event)) {
			leave(connection);
			return FED_CLOSED;
		}
	}
	return FED_ALL;
}

/* More of a body for the handler that reads it itself, or its end. */
static void body_came(struct connection *connection)
{
	struct ath_buffer *body = &connection->request->raw_body;

	if (connection->body_at > 0) {
		memmove(body->data, body->data + connection->body_at, unread(connection));
		body->length -= connection->body_at;
		connection->body_at = 0;
	}
	read_more_or_not(connection);
	if (connection->input != NULL)
		ath_wake(connection->input, ATH_OK);
}

static void request_came(struct connection *connection)
{
	if (connection->receiving) {
		connection->receiving = false;
		body_came(connection);
	} else if (connection->state == SWALLOWING) {
		ath_timer_stop(connection->server->loop, &connection->arrival);
		connection->state = IDLE;
		if (connection->reader.keep)
			feed_rest(connection);
		else
			close_connection(connection);
	} else if (!start_now(connection)) {
		close_connection(connection);
	}
}

static void feed_input(struct connection *connection, const unsigned char *data, size_t length)
{
	enum fed fed = feed(connection, &data, &length);

	if (fed == FED_REQUEST && !keep_rest(connection, data, length))
		leave(connection);
	else if (fed == FED_REQUEST)
		request_came(connection);
	else if (fed == FED_ALL && connection->receiving)
		body_came(connection);
}

static void feed_rest(struct connection *connection)
{
	size_t length = connection->rest_length - connection->rest_at;
	const unsigned char *data;
	enum fed fed;

	if (connection->rest == NULL)
		return;
	data = connection->rest + connection->rest_at;
	fed = feed(connection, &data, &length);
	if (fed == FED_CLOSED)
		return;
	connection->rest_at = connection->rest_length - length;
	if (length == 0) {
		free(connection->rest);
		connection->rest = NULL;
		connection->rest_at = connection->rest_length = 0;
	}
	read_more_or_not(connection);
	if (fed == FED_REQUEST)
		request_came(connection);
}

/* While a request is answered, what arrives is put aside. */
static void put_aside(struct connection *connection, const unsigned char *data, size_t length)
{
	if (keep_rest(connection, data, length))
		read_more_or_not(connection);
	else
		leave(connection);
}

static void connection_ready(struct ath_watch *watch, uint32_t events)
{
	struct connection *connection = container_of(watch, struct connection, watch);
	struct ath_fcgi_server *server = connection->server;
	ssize_t length;

	/* whatever came before: nobody waits for an answer */
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		leave(connection);
		return;
	}
	if (connection->room != NULL && events & EPOLLOUT) {
		ath_watch_change(server->loop, watch, watch->events & ~(uint32_t)EPOLLOUT);
		ath_wake(connection->room, ATH_OK);
	}
	if (!(events & EPOLLIN))
		return;
	length = recv(watch->fd, server->input, sizeof server->input, MSG_DONTWAIT);
	if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (length <= 0)
		leave(connection);
	else if (!connection->receiving &&
		 (connection->state == BUSY || connection->state == QUEUED))
		put_aside(connection, server->input, (size_t)length);
	else
		feed_input(connection, server->input, (size_t)length);
}

/* ---- accepting ------------------------------------------------------------------------------ */

static bool add_connection(struct ath_fcgi_server *server, int fd)
{
	struct connection *connection = calloc(1, sizeof *connection);

	if (connection == NULL)
		return false;
	connection->watch =
		(struct ath_watch){ .fd = fd, .events = reading_events, .ready = connection_ready };
	connection->server = server;
	connection->arrival.fire = arrival_passed;
	connection->reader.max_connections = MAX_CONNECTIONS;
	if (ath_watch_add(server->loop, &connection->watch) != ATH_OK) {
		free(connection);
		return false;
	}
	connection->next = server->connections;
	if (connection->next != NULL)
		connection->next->previous = connection;
	server->connections = connection;
	server->connection_count++;
	server->accepted++;
	return true;
}

static void brake_off(struct ath_timer *timer)
{
	listen_again(container_of(timer, struct ath_fcgi_server, brake));
}

/* No descriptors, no memory: the backlog waits while what we have goes on. */
static void brake(struct ath_fcgi_server *server)
{
	struct ath_log_line line;

	ath_log_begin(&line, server->web->log, ATH_LOG_ERROR, "cannot accept connections");
	ath_log_text(&line, "reason", strerror(errno));
	ath_log_int(&line, "connections", (int64_t)server->connection_count);
	ath_log_end(&line);
	pause_listening(server, BRAKE_MS);
}

/* False: none waits, or it cannot be had now. */
static bool accept_one(struct ath_fcgi_server *server)
{
	int fd = accept4(server->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
		return true;
	if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (fd >= 0 && add_connection(server, fd))
		return true;
	if (fd >= 0) {
		close(fd);
		errno = ENOMEM;
	}
	brake(server);
	return false;
}

/*
 * The one that woke this process is taken in any case: where several listen, no other was woken for
 * it, and nobody would be until the next one comes.
 */
static void listener_ready(struct ath_watch *watch, uint32_t events)
{
	struct ath_fcgi_server *server = container_of(watch, struct ath_fcgi_server, listener);

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN && accept_one(server); i++) {
		server->has_share = !may_accept(server);
		if (server->has_share) {
			pause_listening(server, PAUSE_MS);
			return;
		}
	}
}

/* ---- the server ----------------------------------------------------------------------------- */

enum ath_status ath_fcgi_serve(struct ath_fcgi_server **server, struct ath_loop *loop, int fd,
			       const struct ath_web *web, struct ath_error *error)
{
	struct ath_fcgi_server *made = calloc(1, sizeof *made);
	int flags = fcntl(fd, F_GETFL);

	*server = NULL;
	if (made == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	made->loop = loop;
	made->web = web;
	made->queue_tail = &made->queue;
	made->swallowed.failed = true;
	made->brake.fire = brake_off;
	made->listener =
		(struct ath_watch){ .fd = fd, .events = listening_events, .ready = listener_ready };
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    ath_watch_add(loop, &made->listener) != ATH_OK) {
		free(made);
		return ath_error_set(error, ATH_EIO, "the socket cannot be listened on: %s",
				     strerror(errno));
	}
	made->listening = true;
	*server = made;
	return ATH_OK;
}

void ath_fcgi_get_stats(const struct ath_fcgi_server *server, struct ath_fcgi_stats *stats)
{
	*stats = (struct ath_fcgi_stats){
		.connections = server->connection_count,
		.in_flight = server->in_flight,
		.queued = server->queued,
		.streams = server->lingering,
		.accepted = server->accepted,
		.refused = server->refused,
	};
}

static void stop_listening(struct ath_fcgi_server *server)
{
	if (server->listening)
		ath_watch_remove(server->loop, &server->listener);
	server->listening = false;
	ath_timer_stop(server->loop, &server->brake);
}

static void grace_over(struct ath_timer *timer)
{
	tell_drained(container_of(timer, struct ath_fcgi_server, grace));
}

void ath_fcgi_drain(struct ath_fcgi_server *server, int64_t grace_ms, void (*drained)(void *arg),
		    void *arg)
{
	/* those that this process alone was woken for: see listener_ready() */
	for (int i = 0; i < ACCEPTS_A_TURN && accept_one(server); i++)
		;
	stop_listening(server);
	server->draining = true;
	server->drained = drained;
	server->drained_arg = arg;
	server->grace.fire = grace_over;
	for (struct connection *at = server->connections; at != NULL; at = at->next)
		if (at->lingers)
			ath_fiber_cancel(at->fiber);
	if (server->connection_count == 0)
		tell_drained(server);
	else
		ath_timer_start(server->loop, &server->grace, ath_now() + grace_ms);
}

/* Closes all connections. What is in flight is cancelled, and the loop turned to its end. */
static void close_all(struct ath_fcgi_server *server)
{
	struct connection *next;

	for (struct connection *at = server->connections; at != NULL; at = next) {
		next = at->next;
		if (at->state == BUSY)
			lose_connection(at);
		else
			close_connection(at);
	}
	while (server->connections != NULL)
		ath_loop_turn(server->loop, ATH_NEVER);
}

void ath_fcgi_close(struct ath_fcgi_server **server)
{
	struct ath_fcgi_server *old = server == NULL ? NULL : *server;

	if (old == NULL)
		return;
	stop_listening(old);
	ath_timer_stop(old->loop, &old->grace);
	old->drained = NULL;
	old->draining = true; /* no more listening */
	close_all(old);
	while (old->free_requests != NULL) {
		struct ath_request *request = old->free_requests;

		old->free_requests = request->next_free;
		ath_request_free(request);
	}
	free(old);
	*server = NULL;
}
