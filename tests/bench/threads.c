/*
 * threads.c - the rival of `make bench`: GET /users/<id> by libfcgi and libpq in the classic
 * form, a thread for each request that is being served, written for speed. Every thread has an
 * FCGX_Request and a PGconn of its own for its whole life and shares nothing with the others,
 * the query is prepared, its parameter and its rows are binary, and an answer is made in one
 * buffer that is allocated once. Per request that leaves one read and one write for nginx, and
 * one send, one poll and one recv for PostgreSQL.
 *
 *   build: cc -O2 -pthread $(pkg-config --cflags libpq) threads.c -lfcgi -lpq -o threads
 *   run:   DATABASE_URL=postgresql://... spawn-fcgi -s app.sock -b 1024 -- threads [THREADS]
 *
 * There is no mutex around FCGX_Accept_r(). libfcgi 2.4.2 needs none: what it shares between
 * requests is written by FCGX_Init() alone, and accept(2) may be called from many threads. It
 * would also do harm: on a kept connection FCGX_Accept_r() waits for nginx's next request, and
 * all threads without a connection would wait with it.
 *
 * A kept connection holds its thread until nginx closes it (keepalive_requests,
 * keepalive_timeout). More connections of nginx than threads therefore take turns of a
 * thousand requests, which wrk sees as a latency that is far too long or missing.
 */
#include <endian.h>
#include <errno.h>
#include <fcgiapp.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	THREADS_DEFAULT = 16,
	THREADS_MAX = 1024,
	LISTEN_FD = 0,    /* where spawn-fcgi puts the socket */
	INT8_OID = 20,    /* from pg_type */
	HEAD_SPACE = 256, /* before the body: the head is written when the length is known */
	BUFFER_START = 4096,
	ESCAPED = 6,      /* the most bytes that one byte of text becomes: \u00XX */
	BODY_FIXED = 256, /* more than all of the body except its texts */
};

enum outcome { FOUND, NO_ROW, FAILED };

struct worker {
	pthread_t thread;
	FCGX_Request request;
	PGconn *db;
	char *buffer;
	size_t size;
};

static const char statement[] = "user_by_id";

/* ---- the database ------------------------------------------------------------------------ */

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static bool prepare(PGconn *db)
{
	static const char sql[] = "select id, name, email, age from users where id = $1";
	static const Oid types[] = { INT8_OID };
	PGresult *result;
	bool ok;

	if (PQstatus(db) != CONNECTION_OK || PQsetClientEncoding(db, "UTF8") != 0)
		return false;
	result = PQprepare(db, statement, sql, 1, types);
	ok = PQresultStatus(result) == PGRES_COMMAND_OK;
	PQclear(result);
	return ok;
}

/* A read may be sent again: once, when it was the connection that failed. */
static PGresult *select_user(PGconn *db, int64_t id)
{
	uint64_t parameter = htobe64((uint64_t)id);
	const char *values[] = { (const char *)&parameter };
	const int lengths[] = { sizeof parameter };
	const int formats[] = { 1 };
	PGresult *result = PQexecPrepared(db, statement, 1, values, lengths, formats, 1);

	if (PQresultStatus(result) == PGRES_TUPLES_OK || PQstatus(db) == CONNECTION_OK)
		return result;
	PQclear(result);
	PQreset(db);
	if (!prepare(db))
		return NULL;
	return PQexecPrepared(db, statement, 1, values, lengths, formats, 1);
}

static int64_t read_int64(const char *data)
{
	uint64_t value;

	memcpy(&value, data, sizeof value);
	return (int64_t)be64toh(value);
}

static int32_t read_int32(const char *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof value);
	return (int32_t)be32toh(value);
}

/* ---- JSON: each writer returns the place behind what it wrote ---------------------------- */

static char *put(char *to, const char *data, size_t length)
{
	memcpy(to, data, length);
	return to + length;
}

#define PUT_LITERAL(to, text) put((to), (text), sizeof(text) - 1)

static char *put_int(char *to, int64_t value)
{
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char digits[20], *first = digits + sizeof digits;

	do
		*--first = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (value < 0)
		*to++ = '-';
	return put(to, first, (size_t)(digits + sizeof digits - first));
}

/* What a byte needs: 0 nothing, 'u' \u00XX, else the letter behind the backslash. */
static const char escapes[256] = {
	[0] = 'u',    [1] = 'u',    [2] = 'u',    [3] = 'u',     [4] = 'u',    [5] = 'u',
	[6] = 'u',    [7] = 'u',    ['\b'] = 'b', ['\t'] = 't',  ['\n'] = 'n', [11] = 'u',
	['\f'] = 'f', ['\r'] = 'r', [14] = 'u',   [15] = 'u',    [16] = 'u',   [17] = 'u',
	[18] = 'u',   [19] = 'u',   [20] = 'u',   [21] = 'u',    [22] = 'u',   [23] = 'u',
	[24] = 'u',   [25] = 'u',   [26] = 'u',   [27] = 'u',    [28] = 'u',   [29] = 'u',
	[30] = 'u',   [31] = 'u',   ['"'] = '"',  ['\\'] = '\\',
};

/* The server sends valid UTF-8, which JSON takes as it is. */
static char *put_text(char *to, const char *data, size_t length)
{
	static const char hex[] = "0123456789abcdef";

	*to++ = '"';
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)data[i];
		char escape = escapes[byte];

		if (escape == 0) {
			*to++ = (char)byte;
			continue;
		}
		*to++ = '\\';
		*to++ = escape;
		if (escape == 'u') {
			to = PUT_LITERAL(to, "00");
			*to++ = hex[byte >> 4];
			*to++ = hex[byte & 15];
		}
	}
	*to++ = '"';
	return to;
}

static char *put_user(char *to, const PGresult *row)
{
	to = PUT_LITERAL(to, "{\"id\":");
	to = put_int(to, read_int64(PQgetvalue(row, 0, 0)));
	to = PUT_LITERAL(to, ",\"name\":");
	to = put_text(to, PQgetvalue(row, 0, 1), (size_t)PQgetlength(row, 0, 1));
	to = PUT_LITERAL(to, ",\"email\":");
	to = put_text(to, PQgetvalue(row, 0, 2), (size_t)PQgetlength(row, 0, 2));
	to = PUT_LITERAL(to, ",\"age\":");
	to = PQgetisnull(row, 0, 3) ? PUT_LITERAL(to, "null")
				    : put_int(to, read_int32(PQgetvalue(row, 0, 3)));
	return PUT_LITERAL(to, "}");
}

/* ---- requests ---------------------------------------------------------------------------- */

/* /users/<id>, with or without a query: nothing else fits. */
static bool path_id(const char *uri, int64_t *id)
{
	static const char prefix[] = "/users/";
	int64_t value = 0;

	if (uri == NULL || strncmp(uri, prefix, sizeof prefix - 1) != 0)
		return false;
	uri += sizeof prefix - 1;
	if (*uri < '0' || *uri > '9')
		return false;
	for (; *uri >= '0' && *uri <= '9'; uri++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *uri - '0', &value))
			return false;
	*id = value;
	return *uri == '\0' || *uri == '?';
}

static bool make_room(struct worker *w, size_t needed)
{
	char *bigger;

	if (needed <= w->size)
		return true;
	bigger = realloc(w->buffer, needed);
	if (bigger == NULL)
		return false;
	w->buffer = bigger;
	w->size = needed;
	return true;
}

/* The body of a user's answer, at HEAD_SPACE of the buffer. */
static enum outcome find_user(struct worker *w, int64_t id, size_t *length)
{
	PGresult *result = select_user(w->db, id);
	enum outcome outcome = FAILED;
	size_t texts;

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		goto out;
	outcome = NO_ROW;
	if (PQntuples(result) != 1)
		goto out;
	outcome = FAILED;
	texts = (size_t)PQgetlength(result, 0, 1) + (size_t)PQgetlength(result, 0, 2);
	if (!make_room(w, HEAD_SPACE + BODY_FIXED + texts * ESCAPED))
		goto out;
	outcome = FOUND;
	*length = (size_t)(put_user(w->buffer + HEAD_SPACE, result) - w->buffer) - HEAD_SPACE;
out:
	PQclear(result);
	return outcome;
}

/* Writes the head so that it ends where the body starts, and sends both. */
static void send_found(struct worker *w, size_t length)
{
	char head[HEAD_SPACE], *end = head;

	end = PUT_LITERAL(end, "Status: 200 OK\r\nContent-Type: application/json\r\n"
			       "Content-Length: ");
	end = put_int(end, (int64_t)length);
	end = PUT_LITERAL(end, "\r\n\r\n");

	size_t n = (size_t)(end - head);
	char *start = w->buffer + HEAD_SPACE - n;

	memcpy(start, head, n);
	FCGX_PutStr(start, (int)(n + length), w->request.out);
}

static void send_problem(struct worker *w, int status, const char *title)
{
	char body[128];
	int length = snprintf(body, sizeof body,
			      "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d}", title,
			      status);

	FCGX_FPrintF(w->request.out,
		     "Status: %d %s\r\nContent-Type: application/problem+json\r\n"
		     "Content-Length: %d\r\n\r\n%s",
		     status, title, length, body);
}

/* A body that stayed unread would be taken for the next request of a kept connection. */
static void skip_body(struct worker *w)
{
	char ignored[1024];

	while (FCGX_GetStr(ignored, sizeof ignored, w->request.in) == sizeof ignored)
		;
}

static void answer(struct worker *w)
{
	const char *method = FCGX_GetParam("REQUEST_METHOD", w->request.envp);
	size_t length = 0;
	int64_t id = 0;

	skip_body(w);
	if (method == NULL || strcmp(method, "GET") != 0) {
		send_problem(w, 405, "Method Not Allowed");
		return;
	}
	if (!path_id(FCGX_GetParam("REQUEST_URI", w->request.envp), &id)) {
		send_problem(w, 404, "Not Found");
		return;
	}
	switch (find_user(w, id, &length)) {
	case FOUND:
		send_found(w, length);
		break;
	case NO_ROW:
		send_problem(w, 404, "Not Found");
		break;
	case FAILED:
		send_problem(w, 503, "Service Unavailable");
		break;
	}
}

/* FCGX_Accept_r() finishes the request before: its answer leaves in one write. */
static void *serve(void *arg)
{
	struct worker *w = arg;
	int error;

	while ((error = FCGX_Accept_r(&w->request)) == 0)
		answer(w);
	fprintf(stderr, "threads: accept: %s\n", strerror(-error));
	exit(EXIT_FAILURE);
}

/* ---- start ------------------------------------------------------------------------------- */

static bool open_worker(struct worker *w, const char *url)
{
	w->size = BUFFER_START;
	w->buffer = malloc(w->size);
	if (w->buffer == NULL || FCGX_InitRequest(&w->request, LISTEN_FD, 0) != 0) {
		fputs("threads: out of memory\n", stderr);
		return false;
	}
	w->db = PQconnectdb(url);
	PQsetNoticeReceiver(w->db, ignore_notice, NULL);
	if (!prepare(w->db)) {
		fprintf(stderr, "threads: %s", PQerrorMessage(w->db));
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	const char *url = getenv("DATABASE_URL");
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : THREADS_DEFAULT;
	struct worker *workers;
	sigset_t ends;
	int signal_number;

	if (url == NULL || argc > 2 || count < 1 || count > THREADS_MAX) {
		fputs("usage: DATABASE_URL=postgresql://... threads [THREADS]\n", stderr);
		return 2;
	}
	/* blocked in all threads, so that no answer is cut short: main waits for them */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);

	workers = calloc((size_t)count, sizeof *workers);
	if (workers == NULL || FCGX_Init() != 0) {
		fputs("threads: out of memory\n", stderr);
		return EXIT_FAILURE;
	}
	for (long i = 0; i < count; i++)
		if (!open_worker(&workers[i], url))
			return EXIT_FAILURE;
	for (long i = 0; i < count; i++) {
		int error = pthread_create(&workers[i].thread, NULL, serve, &workers[i]);

		if (error != 0) {
			fprintf(stderr, "threads: thread: %s\n", strerror(error));
			return EXIT_FAILURE;
		}
	}
	sigwait(&ends, &signal_number);
	_exit(EXIT_SUCCESS); /* exit() would take the libraries from under running threads */
}
