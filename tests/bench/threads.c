/*
 * threads.c - the rival of `make bench`: users by libfcgi and libpq in the classic
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
#include <errno.h>
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "by_hand.h"

enum {
	THREADS_DEFAULT = 16,
	THREADS_MAX = 1024,
	LISTEN_FD = 0,    /* where spawn-fcgi puts the socket */
	HEAD_SPACE = 256, /* before the body: the head is written when the length is known */
	BUFFER_START = 4096,
	MOST_BODY = 4096, /* of what is read at once */
};

struct worker {
	pthread_t thread;
	FCGX_Request request;
	PGconn *db;
	char *buffer;
	size_t size;
};

/* ---- the database ------------------------------------------------------------------------ */

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static PGresult *execute(PGconn *db, const struct query *query)
{
	return PQexecPrepared(db, statements[query->statement].name,
			      statements[query->statement].parameters, query->values,
			      query->lengths, binary, 1);
}

/* A read may be sent again: once, when it was the connection that failed. */
static PGresult *run_query(PGconn *db, const struct query *query)
{
	PGresult *result = execute(db, query);

	if (PQresultStatus(result) == PGRES_TUPLES_OK || PQstatus(db) == CONNECTION_OK)
		return result;
	PQclear(result);
	PQreset(db);
	if (!prepare_all(db) || query->statement == STORE)
		return NULL;
	return execute(db, query);
}

/* ---- requests ---------------------------------------------------------------------------- */

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

/* Writes the head so that it ends where the body starts, and sends both. */
static void send_found(struct worker *w, enum statement statement, int64_t id, size_t length)
{
	char head[HEAD_SPACE], *end = put_head(head, statement, id, length);
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

static void answer_query(struct worker *w, struct query *query)
{
	PGresult *rows;

	point_at_values(query);
	rows = run_query(w->db, query);
	if (PQresultStatus(rows) != PGRES_TUPLES_OK ||
	    !make_room(w, HEAD_SPACE + room_for_rows(rows))) {
		send_problem(w, 503, "Service Unavailable");
	} else if (query->statement != LIST && PQntuples(rows) != 1) {
		send_problem(w, 404, "Not Found");
	} else {
		char *body = w->buffer + HEAD_SPACE;
		size_t length = (size_t)(put_rows(body, rows, query->statement) - body);
		int64_t id = query->statement == STORE ? read_int64(PQgetvalue(rows, 0, 0)) : 0;

		send_found(w, query->statement, id, length);
	}
	PQclear(rows);
}

/* How many bytes came; the first of them are in body. */
static size_t read_body(struct worker *w, char body[MOST_BODY], size_t *first)
{
	char more[16 * 1024];
	int length = FCGX_GetStr(body, MOST_BODY, w->request.in);
	size_t total = (size_t)length;

	*first = total;
	while (length > 0 && (length = FCGX_GetStr(more, sizeof more, w->request.in)) > 0)
		total += (size_t)length;
	return total;
}

static void answer_post(struct worker *w, const char *uri)
{
	char body[MOST_BODY];
	size_t first, total = read_body(w, body, &first);
	struct query query;

	if (strcmp(uri, "/upload") == 0) {
		char *end = put_int(w->buffer + HEAD_SPACE, (int64_t)total);

		send_found(w, SHOW, 0, (size_t)(end - w->buffer) - HEAD_SPACE);
	} else if (strcmp(uri, "/users") != 0) {
		send_problem(w, 404, "Not Found");
	} else if (!read_user(body, first, &query)) {
		send_problem(w, 422, "Unprocessable Content");
	} else {
		answer_query(w, &query);
	}
}

/* A body that stayed unread would be taken for the next request of a kept connection. */
static void answer(struct worker *w)
{
	const char *method = FCGX_GetParam("REQUEST_METHOD", w->request.envp);
	const char *uri = FCGX_GetParam("REQUEST_URI", w->request.envp);
	struct query query;
	char ignored[MOST_BODY];
	size_t length;

	if (method != NULL && uri != NULL && strcmp(method, "POST") == 0) {
		answer_post(w, uri);
		return;
	}
	read_body(w, ignored, &length);
	if (method == NULL || strcmp(method, "GET") != 0) {
		send_problem(w, 405, "Method Not Allowed");
	} else if (uri != NULL && strcmp(uri, "/hello") == 0) {
		memcpy(w->buffer + HEAD_SPACE, hello_body, sizeof hello_body - 1);
		send_found(w, SHOW, 0, sizeof hello_body - 1);
	} else if (uri == NULL || !read_target(uri, &query)) {
		send_problem(w, 404, "Not Found");
	} else {
		answer_query(w, &query);
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
	if (!prepare_all(w->db)) {
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
