/*
 * test_streamed_writes.c - no answer says 2xx before what it tells of is committed, streams
 * included: what is not committed when the head leaves is an error then, and from there on nothing
 * is stored any more, in whatever way a handler tries.
 *
 * ATHANOR_TEST_URL is a server on which a database may be made; it is dropped at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "../db/database.h"
#include "../web/fcgi_client.h"
#include "rest/internal.h"
#include <athanor.h>

struct item {
	int64_t id;
	const char *name;
};
ATH_DECLARE(item);

ATH_MODEL(item, "items", ATH_COLUMN(item, id, .primary_key = true),
	  ATH_COLUMN(item, name, .unique = true, .max_length = 20));

static const struct ath_model *const models[] = { &item_model, &ath_idempotency_key_model, NULL };

static bool was_endless; /* the session's deadline once there were events */

/* ---- what a handler does with its session ---------------------------------------------------- */

static bool committed; /* said the last ath_commit() */
static bool was_told;  /* the session was in error before the handler returned */

static void add(struct ath_session *db, const char *name)
{
	struct item *item = item_new(db);

	item->name = name;
	item_add(db, item);
}

static bool is(const char *text, const char *other)
{
	return strcmp(text, other) == 0;
}

/* Before the head leaves: ?before= */
static void prepare(struct ath_session *db, const char *before, struct ath_savepoint *savepoint)
{
	struct ath_query q = ath_query(item);

	if (is(before, "read"))
		(void)item_get(db, 1);
	if (is(before, "begun"))
		(void)ath_begin(db);
	if (is(before, "cursor"))
		(void)item_next(item_each(db, &q));
	if (is(before, "savepoint"))
		(void)ath_savepoint(db, savepoint);
	if (is(before, "locked")) {
		ath_lock(&q, ATH_FOR_UPDATE);
		(void)item_all(db, &q);
	}
	if (is(before, "committed")) {
		add(db, "before");
		(void)ath_commit(db);
	}
	if (is(before, "added") || is(before, "flushed"))
		add(db, "before");
	if (is(before, "flushed"))
		(void)ath_flush(db);
}

/* ?write= */
static void write_row(struct ath_session *db, const char *way)
{
	static struct item many[] = { { .name = "one" }, { .name = "two" } };
	struct ath_query q = ath_query(item);
	struct item *item;

	ath_where(&q, ATH_ALL);
	if (is(way, "add") || is(way, "clear") || is(way, "set"))
		add(db, "late");
	if (is(way, "change") && (item = item_get(db, 1)) != NULL)
		item->name = "late";
	if (is(way, "delete") && (item = item_get(db, 1)) != NULL)
		item_delete(db, item);
	if (is(way, "update"))
		(void)ath_update(db, &q, ATH_SET(item, name, "late"));
	if (is(way, "delete-where"))
		(void)ath_delete_where(db, &q);
	if (is(way, "insert-all"))
		(void)item_insert_all(db, many, ATH_COUNT(many));
	if (is(way, "upsert")) {
		item = item_new(db);
		item->name = "late";
		(void)item_upsert(db, item, ATH_ON(item, name));
	}
	if (is(way, "execute"))
		(void)ath_execute(db, "insert into items (name) values ('late')");
	if (is(way, "sql") || is(way, "back"))
		(void)ath_sql(db, item,
			      "insert into items (name) values ('late') returning id, name");
	if (is(way, "with"))
		(void)ath_sql(db, item,
			      "with made as (insert into items (name) values ('late')"
			      " returning id, name) select id, name from made");
}

/* What might give the right to write back. */
static void try_to_be_let(struct ath_session *db, const char *way, struct ath_savepoint *savepoint)
{
	if (is(way, "back"))
		(void)ath_rollback_to(db, savepoint);
	if (is(way, "set")) {
		ath_rollback(db);
		ath_set_transaction(db, ATH_READ_COMMITTED, false);
	}
	if (is(way, "clear"))
		ath_clear_error(db);
}

static const char *arg(struct ath_request *request, const char *name)
{
	const char *value = ath_arg(request, name);

	return value == NULL ? "" : value;
}

/* ---- handlers ------------------------------------------------------------------------------- */

static void write_late(struct ath_request *request, struct ath_savepoint *savepoint)
{
	struct ath_session *db = ath_request_session(request);
	const char *way = arg(request, "write");

	try_to_be_let(db, way, savepoint);
	write_row(db, way);
	committed = ath_commit(db);
	was_told = ath_session_error(db) != NULL;
	if (!is(way, "clear"))
		return;
	for (int i = 0; i < 2; i++) {
		ath_clear_error(db);
		add(db, "late");
		committed |= ath_commit(db);
	}
	ath_clear_error(db); /* and goes on as if nothing had been */
}

static struct ath_response *stream(struct ath_request *request)
{
	struct ath_response *response = ath_response_stream(request, 200, "text/plain");
	const char *before = arg(request, "before");
	struct ath_savepoint savepoint = { 0 };

	if (!is(before, ""))
		prepare(ath_request_session(request), before, &savepoint);
	ath_stream_string(response, "head");
	ath_stream_flush(response);
	if (!is(arg(request, "write"), ""))
		write_late(request, &savepoint);
	ath_stream_string(response, "tail");
	return response;
}

static struct ath_response *events(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	struct ath_savepoint savepoint = { 0 };
	struct ath_response *response;

	prepare(db, arg(request, "before"), &savepoint);
	response = ath_events(request);
	was_endless = db->deadline == ATH_NEVER;
	ath_event_send(response, &(struct ath_server_event){ .data = "head" });
	write_late(request, &savepoint);
	return response;
}

/* Answers while the body comes, and stores what came when the head has left. */
static struct ath_response *echo(struct ath_request *request)
{
	struct ath_response *response = ath_response_stream(request, 200, "text/plain");
	struct ath_savepoint savepoint = { 0 };
	char bytes[8];
	ptrdiff_t length;

	while ((length = ath_body_read(request, bytes, sizeof bytes)) > 0) {
		ath_stream_write(response, bytes, (size_t)length);
		ath_stream_flush(response);
	}
	write_late(request, &savepoint);
	return response;
}

/* ?hook=: what the hook behind the handler does; the stream calls it before its head leaves. */
static struct ath_response *hook(struct ath_request *request, struct ath_response *response)
{
	struct ath_session *db = ath_request_session(request);
	const char *what = arg(request, "hook");

	if (ath_response_status(response) >= 400)
		return response;
	if (is(what, "add") || is(what, "commit"))
		add(db, "hook");
	if (is(what, "commit"))
		(void)ath_commit(db);
	return response;
}

/* Whole, and with an error that nobody need know of. */
static struct ath_response *forgetful(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);

	add(db, "taken");
	if (!ath_flush(db))
		ath_clear_error(db);
	add(db, "forgotten");
	return ath_response_text(request, 200, "all is well");
}

/* A stream that is whole before enough has gathered to leave. */
static struct ath_response *short_stream(struct ath_request *request)
{
	struct ath_response *response = ath_response_stream(request, 201, "text/plain");
	struct ath_savepoint savepoint;

	prepare(ath_request_session(request), "committed", &savepoint);
	ath_stream_string(response, "short");
	return response;
}

/* Whatever the answer was. */
static struct ath_response *whitewash(struct ath_request *request, struct ath_response *response)
{
	(void)response;
	return ath_response_text(request, 200, "all is well");
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/stream", stream),
	ATH_ROUTE(POST, "/stream", stream),
	ATH_ROUTE(GET, "/events", events),
	ATH_ROUTE(POST, "/echo", echo, .stream_body = true),
	ATH_ROUTE(GET, "/hook", stream, .after = hook),
	ATH_ROUTE(POST, "/forgetful", forgetful),
	ATH_ROUTE(POST, "/whitewashed", forgetful, .after = whitewash),
	ATH_ROUTE(POST, "/short", short_stream, .idempotency = ATH_IDEMPOTENCY_OPTIONAL),
	ATH_ROUTE(POST, "/keyed", stream, .idempotency = ATH_IDEMPOTENCY_OPTIONAL),
	{ 0 },
};

/* ---- one request, by a front that takes pieces ------------------------------------------------
 */

static struct ath_loop *loop;
static struct ath_rest rest = { .models = models };
static const struct ath_log silent = { .fd = -1 };
static struct ath_web web = { .log = &silent, .claim = ath_idempotency_claim, .context = &rest };

static struct {
	char text[8192]; /* all that was sent */
	size_t length;
	int pieces; /* before the last one */
	bool broken;
} answer;
static const char *body_left;

static void take(const void *data, size_t length)
{
	if (answer.length + length >= sizeof answer.text)
		die_of("the answer", "is too long");
	if (length > 0)
		memcpy(answer.text + answer.length, data, length);
	answer.length += length;
}

static void take_output(const struct ath_output *output)
{
	if (output->head_length > 0)
		take(output->head + ATH_HEAD_ROOM, output->head_length);
	take(output->body, output->body_length);
	answer.broken = output->end == ATH_OUTPUT_BREAKS;
}

static bool send_piece(struct ath_request *request, const struct ath_output *output)
{
	(void)request;
	answer.pieces++;
	take_output(output);
	return true;
}

static ptrdiff_t read_piece(struct ath_request *request, void *to, size_t size)
{
	size_t length = strlen(body_left);

	(void)request;
	length = length < size ? length : size;
	memcpy(to, body_left, length);
	body_left += length;
	return (ptrdiff_t)length;
}

static bool linger(struct ath_request *request)
{
	(void)request;
	return true;
}

static const struct ath_front front = { .read = read_piece, .send = send_piece, .linger = linger };

static void run_fiber(void *arg)
{
	struct ath_request *request = arg;
	struct ath_output output;

	ath_web_handle(request, &output);
	take_output(&output);
	ath_loop_stop(loop);
}

static void ask_with_key(const char *method, const char *uri, const char *key)
{
	struct ath_request *request = ath_request_new(&web);

	assert_non_null(request);
	memset(&answer, 0, sizeof answer);
	committed = was_told = false;
	body_left = "some body";
	request->front = &front;
	put_usual_pairs(&request->raw_params, method, uri);
	if (key != NULL)
		put_pair(&request->raw_params, "HTTP_IDEMPOTENCY_KEY", key);
	request->arrived = ath_now();
	request->deadline = request->arrived + web.limits.deadline_ms;
	assert_int_equal(ath_loop_spawn(loop, run_fiber, request, request->deadline, NULL), ATH_OK);
	ath_loop_run(loop);
	ath_request_free(request);
}

static void ask_for(const char *method, const char *uri)
{
	ask_with_key(method, uri, NULL);
}

/* By the CGI front: the same in a pipe. */
static enum ath_status ask_by_cgi(const char *method, const char *uri)
{
	char lines[3][200];
	const char *const environment[] = {
		"GATEWAY_INTERFACE=CGI/1.1", "REQUEST_ID=the-id", lines[0], lines[1], lines[2], NULL
	};
	const char *query = strchr(uri, '?');
	struct ath_error error = { 0 };
	enum ath_status status;
	int out[2], in;
	ssize_t length;

	memset(&answer, 0, sizeof answer);
	committed = was_told = false;
	snprintf(lines[0], sizeof lines[0], "REQUEST_METHOD=%s", method);
	snprintf(lines[1], sizeof lines[1], "REQUEST_URI=%s", uri);
	snprintf(lines[2], sizeof lines[2], "QUERY_STRING=%s", query == NULL ? "" : query + 1);
	in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(in >= 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	status = ath_cgi_serve(loop, &web, in, out[1], environment, &error);
	close(out[1]);
	close(in);
	length = read(out[0], answer.text, sizeof answer.text - 1);
	assert_true(length >= 0);
	close(out[0]);
	return status;
}

static void expect_answer(const char *uri, int status, const char *part)
{
	int got = 0;

	(void)sscanf(answer.text, "Status: %d ", &got);
	if (got != status || strstr(answer.text, part) == NULL)
		fail_msg("%s: not %d %s:\n%s", uri, status, part, answer.text);
}

static void expect_stored(const char *uri, const char *names)
{
	const char *stored = ask("select string_agg(name, ' ' order by id) from items");

	if (strcmp(stored, names) != 0)
		fail_msg("%s: stored are %s, not %s", uri, stored, names);
	assert_int_equal(ask_number("select count(*) from pg_stat_activity where datname ="
				    " current_database() and state like 'idle in transaction%'"),
			 0);
}

/* ---- fixtures ------------------------------------------------------------------------------- */

static int open_all(void **state)
{
	struct ath_engine_options options = { .log = &silent, .pool_size = 1, .pipelines = 1 };
	struct ath_session *db = NULL;
	struct ath_error error = { 0 };

	if (create_database(state) != 0 || ath_loop_open(&loop, &silent) != ATH_OK)
		return -1;
	options.loop = loop;
	if (ath_models_check(models, &error) != ATH_OK ||
	    ath_web_open(&web, routes, &error) != ATH_OK ||
	    ath_idempotency_check(&web, models, &error) != ATH_OK ||
	    ath_engine_open(&rest.engine, database_url, &options, &error) != ATH_OK ||
	    ath_session_open(&db, rest.engine, NULL) != ATH_OK) {
		fprintf(stderr, "%s\n", error.message);
		return -1;
	}
	(void)ath_create_all(db, models);
	(void)ath_commit(db);
	ath_session_close(&db);
	return 0;
}

static int close_all(void **state)
{
	ath_engine_close(&rest.engine);
	ath_web_close(&web);
	ath_loop_close(&loop);
	return drop_database(state);
}

static int only_one_taken(void **state)
{
	(void)state;
	run_sql("truncate items, idempotency_keys restart identity");
	run_sql("insert into items (name) values ('taken')");
	return 0;
}

/* ---- when the head has left ------------------------------------------------------------------ */

static const char *const befores[] = { "",       "nothing", "read",      "begun",
				       "cursor", "locked",  "savepoint", "committed" };
static const char *const ways[] = { "add",          "change",     "delete", "update",  "clear",
				    "delete-where", "insert-all", "upsert", "execute", "set",
				    "sql",          "with",       "back" };

static void expect_nothing_late(const char *uri, const char *before, const char *way)
{
	bool caught = is(way, "clear");

	if (answer.pieces < 1 || answer.broken == caught || committed || !was_told)
		fail_msg("%s: %d pieces, %sbroken, %scommitted, %stold:\n%s", uri, answer.pieces,
			 answer.broken ? "" : "not ", committed ? "" : "not ",
			 was_told ? "" : "not ", answer.text);
	expect_answer(uri, 200, "head");
	if (!caught)
		assert_null(strstr(answer.text, "tail"));
	expect_stored(uri, is(before, "committed") ? "taken before" : "taken");
}

static void expect_nothing_late_at(const char *method, const char *path)
{
	for (size_t i = 0; i < ATH_COUNT(befores); i++) {
		for (size_t j = 0; j < ATH_COUNT(ways); j++) {
			char uri[100];

			(void)only_one_taken(NULL);
			snprintf(uri, sizeof uri, "%s?before=%s&write=%s", path, befores[i],
				 ways[j]);
			ask_for(method, uri);
			expect_nothing_late(uri, befores[i], ways[j]);
		}
	}
}

static void test_nothing_is_stored_behind_the_head_of_a_stream(void **state)
{
	(void)state;
	expect_nothing_late_at("GET", "/stream");
	expect_nothing_late_at("POST", "/stream");
}

static void test_nothing_is_stored_behind_the_head_of_events(void **state)
{
	(void)state;
	was_endless = false;
	expect_nothing_late_at("GET", "/events");
	assert_true(was_endless); /* it may read as long as it sends */
}

static void test_nothing_is_stored_behind_the_head_while_the_body_comes(void **state)
{
	(void)state;
	ask_for("POST", "/echo?write=add");
	assert_int_equal(answer.pieces, 2);
	assert_true(answer.broken && was_told && !committed);
	expect_answer("/echo", 200, "\r\n\r\nsome body");
	expect_stored("/echo", "taken");
}

static void test_nothing_is_stored_behind_the_head_of_a_head_request(void **state)
{
	(void)state;
	ask_for("HEAD", "/stream?write=add");
	assert_int_equal(answer.pieces, 1);
	assert_true(was_told && !committed);
	expect_answer("/stream", 200, "text/plain\r\n");
	assert_null(strstr(answer.text, "\r\n\r\nhead"));
	expect_stored("/stream", "taken");
}

static void test_nothing_is_stored_behind_the_head_by_cgi(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(ways); i++) {
		char uri[100];

		snprintf(uri, sizeof uri, "/stream?before=savepoint&write=%s", ways[i]);
		assert_int_equal(ask_by_cgi("GET", uri), is(ways[i], "clear") ? ATH_OK : ATH_EIO);
		expect_answer(uri, 200, "\r\n\r\nhead");
		assert_true(was_told && !committed);
		expect_stored(uri, "taken");
	}
	assert_int_equal(ask_by_cgi("GET", "/stream?before=flushed"), ATH_OK);
	expect_answer("/stream", 500, "problem+json");
	expect_stored("/stream", "taken");
}

/* What it reads goes on behind the head, in the transaction that was open too. */
static void test_reading_goes_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(befores); i++) {
		char uri[100];

		(void)only_one_taken(NULL);
		snprintf(uri, sizeof uri, "/stream?before=%s&write=nothing", befores[i]);
		ask_for("GET", uri);
		assert_true(committed && !was_told && !answer.broken);
		expect_answer(uri, 200, "headtail");
	}
}

/* ---- when it is about to leave ----------------------------------------------------------------
 */

static void test_what_is_not_committed_keeps_the_head_back(void **state)
{
	static const char *const uris[] = { "/stream?before=added", "/stream?before=flushed",
					    "/hook?before=flushed", "/hook?hook=add",
					    "/hook?before=cursor&hook=add" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(uris); i++) {
		ask_for("GET", uris[i]);
		assert_int_equal(answer.pieces, 0);
		expect_answer(uris[i], 500, "problem+json");
		assert_null(strstr(answer.text, "200"));
		assert_null(strstr(answer.text, "head\""));
		expect_stored(uris[i], "taken");
	}
}

static void test_what_a_hook_commits_is_stored_before_the_head_leaves(void **state)
{
	(void)state;
	ask_for("GET", "/hook?hook=commit");
	expect_answer("/hook", 200, "headtail");
	expect_stored("/hook", "taken hook");
	/* its session is the handler's from then on, and closed to it as any other */
	(void)only_one_taken(NULL);
	ask_for("GET", "/hook?hook=commit&write=sql");
	assert_true(answer.broken && was_told && !committed);
	expect_stored("/hook", "taken hook");
}

static void test_an_error_that_was_caught_hides_nothing(void **state)
{
	(void)state;
	ask_for("POST", "/forgetful");
	expect_answer("/forgetful", 500, "problem+json");
	expect_stored("/forgetful", "taken");
	ask_for("POST", "/whitewashed");
	expect_answer("/whitewashed", 500, "problem+json");
	expect_stored("/whitewashed", "taken");
}

/* ---- with an Idempotency-Key ------------------------------------------------------------------
 */

static void test_a_stream_is_not_sent_twice(void **state)
{
	(void)state;
	ask_with_key("POST", "/keyed?before=committed", "k");
	assert_int_equal(answer.pieces, 0);
	expect_answer("/keyed", 500, "problem+json");
	expect_stored("/keyed", "taken");
	assert_int_equal(ask_number("select count(*) from idempotency_keys"), 0);
	ask_for("POST", "/keyed?before=committed");
	expect_answer("/keyed", 200, "headtail");
	expect_stored("/keyed", "taken before");
	/* nor is a short one: which one leaves in pieces would hang on its rows */
	(void)only_one_taken(NULL);
	ask_with_key("POST", "/short", "k");
	expect_answer("/short", 500, "problem+json");
	expect_stored("/short", "taken");
	ask_for("POST", "/short");
	expect_answer("/short", 201, "\r\n\r\nshort");
	expect_stored("/short", "taken before");
}

#define TEST(name) cmocka_unit_test_setup(name, only_one_taken)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_stored_behind_the_head_of_a_stream),
		TEST(test_nothing_is_stored_behind_the_head_of_events),
		TEST(test_nothing_is_stored_behind_the_head_while_the_body_comes),
		TEST(test_nothing_is_stored_behind_the_head_of_a_head_request),
		TEST(test_nothing_is_stored_behind_the_head_by_cgi),
		TEST(test_reading_goes_on),
		TEST(test_what_is_not_committed_keeps_the_head_back),
		TEST(test_what_a_hook_commits_is_stored_before_the_head_leaves),
		TEST(test_an_error_that_was_caught_hides_nothing),
		TEST(test_a_stream_is_not_sent_twice),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
