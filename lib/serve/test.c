/*
 * test.c - an application without a socket, for tests: a front that takes requests from the
 * caller and keeps the answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "serve/internal.h"
#include "serve/test.h"

enum {
	CEILING = 1 << 30, /* of all answers between two resets */
	PATIENCE_MS = 10000,
};

struct ath_test {
	struct ath_configuration configuration;
	struct ath_worker worker;
	struct ath_arena *answers;
	struct ath_session *session;
	bool started;
	size_t lasting; /* fibers that its listeners have left */
};

/* One request on its way. */
struct exchange {
	struct ath_test *test;
	const struct ath_test_request *asked;
	struct ath_request *request;
	struct ath_answer *answer;
	size_t length, read;    /* of the body that is sent */
	struct ath_buffer body; /* that came back */
	bool ended;
};

/* ---- opening ------------------------------------------------------------------------------ */

static enum ath_status open_session(struct ath_test *test, struct ath_error *error)
{
	enum ath_status status = ath_session_open(&test->session, test->worker.rest.engine, NULL);

	return status == ATH_OK ? ATH_OK : ath_error_set(error, status, "out of memory");
}

/* The engine connects when it is first used: here. */
static enum ath_status try_database(struct ath_test *test, struct ath_error *error)
{
	if (!ath_begin(test->session))
		*error = *ath_session_error(test->session);
	ath_clear_error(test->session);
	return error->status;
}

/* As a worker, but for periodic tasks: what a test sees must not hang on the time it takes. */
static enum ath_status start(struct ath_test *test, struct ath_error *error)
{
	if (ath_worker_start(&test->worker, error) != ATH_OK)
		return error->status;
	ath_worker_started(&test->worker);
	ath_tasks_stop(&test->worker);
	test->started = true;
	test->lasting = ath_loop_fibers(test->worker.loop);
	return ATH_OK;
}

enum ath_status ath_test_open(struct ath_test **test, const struct ath_app *app,
			      const struct ath_test_options *options, struct ath_error *error)
{
	static const struct ath_test_options usual;
	struct ath_test *made = calloc(1, sizeof *made);

	*test = NULL;
	ath_error_clear(error);
	if (made == NULL || ath_arena_open(&made->answers, CEILING) != ATH_OK) {
		free(made);
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	}
	options = options == NULL ? &usual : options;
	made->configuration = (struct ath_configuration){
		.database_url = options->url == NULL ? getenv("DATABASE_URL") : options->url,
		.log = { .fd = 2, .level = ATH_LOG_WARNING },
		.sandbox = !options->commit,
		.access = { .fd = -1 },
		.slow = { .fd = -1 },
	};
	if (options->log != NULL)
		made->configuration.log = *options->log;
	if (made->configuration.database_url == NULL)
		ath_error_set(error, ATH_EINVAL, "neither options.url nor DATABASE_URL is set");
	else if (ath_worker_open(&made->worker, app, &made->configuration, error) == ATH_OK &&
		 open_session(made, error) == ATH_OK && try_database(made, error) == ATH_OK &&
		 start(made, error) == ATH_OK)
		*test = made;
	if (*test == NULL)
		ath_test_close(&made);
	return error->status;
}

/* Tasks that a handler has started end by themselves, in fibers of their own. */
static bool wait_for_tasks(struct ath_test *test)
{
	struct ath_loop *loop = test->worker.loop;
	int64_t deadline = ath_now() + PATIENCE_MS;

	while (ath_loop_fibers(loop) > test->lasting && ath_now() < deadline)
		ath_loop_turn(loop, deadline);
	return ath_loop_fibers(loop) <= test->lasting;
}

void ath_test_close(struct ath_test **test)
{
	struct ath_test *old = test == NULL ? NULL : *test;

	if (old == NULL)
		return;
	*test = NULL;
	ath_session_close(&old->session);
	if (old->started) {
		(void)wait_for_tasks(old);
		ath_worker_stop(&old->worker);
	}
	ath_worker_close(&old->worker);
	ath_arena_close(&old->answers);
	free(old);
}

enum ath_status ath_test_reset(struct ath_test *test)
{
	struct ath_error error = { 0 };
	enum ath_status status = ATH_OK;

	ath_session_close(&test->session);
	ath_arena_reset(test->answers);
	if (!wait_for_tasks(test))
		status = ATH_ETIMEDOUT;
	else if (test->configuration.sandbox)
		status = ath_engine_sandbox_reset(test->worker.rest.engine, &error);
	if (open_session(test, &error) != ATH_OK)
		return ATH_ENOMEM;
	return status;
}

struct ath_session *ath_test_session(struct ath_test *test)
{
	return test->session;
}

/* ---- a request, as a web server would have put it ----------------------------------------- */

static void put(struct ath_request *request, const char *name, struct ath_text value)
{
	ath_request_put_param(request, ath_text(name), value);
}

static bool is_named(const char *line, const char *name)
{
	size_t length = strlen(name);

	return strncasecmp(line, name, length) == 0 && line[length] == ':';
}

static bool has_header(const struct ath_test_request *asked, const char *name)
{
	for (const char *const *line = asked->headers; line != NULL && *line != NULL; line++)
		if (is_named(*line, name))
			return true;
	return false;
}

/* False: it is none. */
static bool put_header(struct ath_request *request, const char *line)
{
	const char *colon = strchr(line, ':');

	if (colon == NULL || colon == line)
		return false;
	ath_request_put_header(request, (struct ath_text){ line, (size_t)(colon - line) },
			       ath_text(colon + 1 + strspn(colon + 1, " \t")));
	return true;
}

static void put_content(struct ath_request *request, const struct ath_test_request *asked,
			size_t length)
{
	char text[24];

	snprintf(text, sizeof text, "%zu", length);
	if (!has_header(asked, "Content-Type"))
		put(request, "CONTENT_TYPE", ath_text("application/json"));
	if (!has_header(asked, "Content-Length"))
		put(request, "CONTENT_LENGTH", ath_text(text));
}

/* What is wrong with it, or NULL. */
static const char *put_request(const struct exchange *exchange)
{
	const struct ath_test_request *asked = exchange->asked;
	struct ath_request *request = exchange->request;
	const char *query;

	if (asked->path == NULL || asked->path[0] != '/') /* NULL: of a header that is not there */
		return "a path begins with a slash";
	query = strchr(asked->path, '?');
	put(request, "REQUEST_METHOD", ath_text(asked->method));
	put(request, "REQUEST_URI", ath_text(asked->path));
	put(request, "QUERY_STRING", ath_text(query == NULL ? "" : query + 1));
	put(request, "REQUEST_SCHEME", ath_text("http"));
	put(request, "SERVER_NAME", ath_text("localhost"));
	put(request, "REMOTE_ADDR", ath_text("127.0.0.1"));
	if (!has_header(asked, "Host"))
		put(request, "HTTP_HOST", ath_text("localhost"));
	for (const char *const *line = asked->headers; line != NULL && *line != NULL; line++)
		if (!put_header(request, *line))
			return "a header is a name, a colon and a value: Accept: text/html";
	if (asked->body != NULL)
		put_content(request, asked, exchange->length);
	return NULL;
}

/* What a request would not see, or wait for. */
static const char *find_mistake(struct ath_test *test)
{
	const struct ath_error *error = ath_session_error(test->session);

	if (error != NULL)
		return ath_arena_printf(test->answers, "the test's session is in error: %s",
					error->message);
	if (!ath_session_is_clean(test->session) ||
	    (test->configuration.sandbox && test->session->connection != NULL))
		return "the test's session holds what is neither committed nor rolled back";
	return NULL;
}

/* ---- an answer, as it was sent -------------------------------------------------------------- */

static void not_sent(struct ath_test *test, struct ath_answer *answer, const char *why)
{
	static const char *const none[] = { NULL };
	struct ath_log_line line;

	*answer = (struct ath_answer){ .body = why, .length = strlen(why), .headers = none };
	ath_log_begin(&line, &test->configuration.log, ATH_LOG_ERROR, "a request was not sent");
	ath_log_text(&line, "reason", why);
	ath_log_end(&line);
}

/* The lines of a head: "Status: 201 Created", headers, and an empty one. */
static bool take_head(struct ath_arena *arena, struct ath_answer *answer, char *head)
{
	size_t count = 0, most = 0;
	const char **lines;

	for (const char *at = head; at != NULL; at = strchr(at + 1, '\n'))
		most++;
	lines = ath_new(arena, const char *, most + 1);
	if (lines == NULL)
		return false;
	for (char *line = head, *end; (end = strstr(line, "\r\n")) != NULL; line = end + 2) {
		*end = '\0';
		if (is_named(line, "Status"))
			answer->status = atoi(line + strlen("Status:"));
		else if (*line != '\0')
			lines[count++] = line;
	}
	answer->headers = lines;
	return true;
}

/* Copies what a front would send: the request's memory goes with it. */
static bool take_output(struct exchange *exchange, const struct ath_output *output)
{
	struct ath_arena *arena = exchange->test->answers;
	struct ath_answer *answer = exchange->answer;

	if (output->head_length > 0) {
		char *head =
			ath_arena_copy(arena, output->head + ATH_HEAD_ROOM, output->head_length);

		if (head == NULL || !take_head(arena, answer, head))
			return false;
	}
	ath_buffer_append(&exchange->body, output->body, output->body_length);
	answer->broken = output->end == ATH_OUTPUT_BREAKS;
	answer->body = ath_buffer_c_string(&exchange->body);
	answer->length = exchange->body.length;
	return !exchange->body.failed;
}

static bool take_counts(struct exchange *exchange)
{
	const struct ath_request *request = exchange->request;
	struct ath_answer *answer = exchange->answer;

	answer->statements = request->statements;
	answer->rows = request->rows;
	answer->round_trips = request->round_trips;
	if (request->repeated == NULL)
		return true;
	answer->repeated = ath_arena_copy(exchange->test->answers, request->repeated,
					  strlen(request->repeated));
	return answer->repeated != NULL;
}

/* ---- the front, in the request's fiber ------------------------------------------------------ */

static ptrdiff_t read_body(struct ath_request *request, void *to, size_t size)
{
	struct exchange *exchange = request->front_data;
	size_t left = exchange->length - exchange->read;

	size = size < left ? size : left;
	if (size > 0)
		memcpy(to, exchange->asked->body + exchange->read, size);
	exchange->read += size;
	return (ptrdiff_t)size;
}

/* A client that leaves ends the handler's waits, as in a worker. */
static bool send_piece(struct ath_request *request, const struct ath_output *output)
{
	struct exchange *exchange = request->front_data;
	size_t most = exchange->asked->leave_after;

	if (take_output(exchange, output) && (most == 0 || exchange->body.length < most))
		return true;
	ath_fiber_cancel(ath_fiber_current());
	return false;
}

static bool linger(struct ath_request *request)
{
	(void)request;
	return true;
}

static const struct ath_front front = { .read = read_body, .send = send_piece, .linger = linger };

static void handle(void *arg)
{
	struct exchange *exchange = arg;
	struct ath_request *request = exchange->request;
	struct ath_output output;

	ath_web_handle(request, &output);
	if ((!request->gone && !take_output(exchange, &output)) || exchange->body.failed ||
	    !take_counts(exchange))
		not_sent(exchange->test, exchange->answer,
			 "the memory for answers is used up: reset it");
	exchange->ended = true;
	ath_loop_stop(exchange->test->worker.loop);
}

/* ---- sending ------------------------------------------------------------------------------- */

/* What keeps it from being sent, or NULL: it has been answered. */
static const char *run(struct exchange *exchange)
{
	struct ath_web *web = &exchange->test->worker.web;
	struct ath_loop *loop = exchange->test->worker.loop;
	struct ath_request *request = exchange->request;
	const char *mistake = put_request(exchange);

	if (mistake != NULL)
		return mistake;
	request->front = &front;
	request->front_data = exchange;
	request->arrived = ath_now();
	request->deadline = request->arrived + web->limits.deadline_ms;
	if (!ath_web_begin(request) && exchange->length > 0)
		ath_buffer_append(&request->raw_body, exchange->asked->body, exchange->length);
	if (ath_loop_spawn(loop, handle, exchange, request->deadline, NULL) != ATH_OK)
		return "there is no memory for a fiber";
	while (!exchange->ended)
		ath_loop_run(loop);
	return NULL;
}

static const char *send_in_memory(struct exchange *exchange)
{
	struct ath_test *test = exchange->test;
	const char *mistake = find_mistake(test);

	if (mistake != NULL)
		return mistake;
	exchange->request = ath_request_new(&test->worker.web);
	if (exchange->request == NULL)
		return "out of memory";
	ath_buffer_init(&exchange->body, test->answers, CEILING);
	mistake = run(exchange);
	ath_request_free(exchange->request);
	if (test->session->connection == NULL)
		ath_rollback(test->session); /* which makes it read its rows again */
	return mistake;
}

const struct ath_answer *ath_test_send(struct ath_test *test, const struct ath_test_request *asked)
{
	static const char *const none[] = { NULL };
	static const struct ath_answer lost = { .body = "out of memory", .headers = none };
	struct exchange exchange = { .test = test, .asked = asked };
	const char *mistake;

	exchange.answer = ath_new(test->answers, struct ath_answer, 1);
	if (exchange.answer == NULL)
		return &lost;
	if (asked->body != NULL)
		exchange.length = asked->length > 0 ? asked->length : strlen(asked->body);
	mistake = send_in_memory(&exchange);
	if (mistake != NULL)
		not_sent(test, exchange.answer, mistake);
	return exchange.answer;
}

const char *ath_answer_header(const struct ath_answer *answer, const char *name)
{
	for (const char *const *line = answer->headers; *line != NULL; line++)
		if (is_named(*line, name))
			return *line + strlen(name) + 1 + strspn(*line + strlen(name) + 1, " ");
	return NULL;
}
