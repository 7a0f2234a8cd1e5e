/*
 * test_test.c - an application's requests without a socket: what a request is for the handler,
 * what comes back of an answer or a stream, what is counted, and that all of it is rolled back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../db/database.h"
#include <athanor.h>

struct thing {
	int64_t id;
	const char *name;
};
ATH_DECLARE(thing);
ATH_MODEL(thing, "things", ATH_COLUMN(thing, id, .primary_key = true),
	  ATH_COLUMN(thing, name, .unique = true));

static const struct ath_model *const models[] = { &thing_model, NULL };

/* ---- the application --------------------------------------------------------------------------
 */

/* What it sees of the request, line by line. */
static struct ath_response *echo(struct ath_request *req)
{
	struct ath_response *response = ath_response_new(req, 200, "text/plain");
	struct ath_buffer *out = ath_response_body(response);
	static const char *const names[] = { "Host", "Content-Type", "Content-Length", "X-Two",
					     "Accept" };

	ath_buffer_append(out, ath_body(req).data, ath_body(req).length);
	ath_buffer_printf(out, "\n%s\n%.*s\n%s %s\n",
			  ath_arg(req, "q") == NULL ? "none" : ath_arg(req, "q"),
			  (int)ath_request_path(req).length, ath_request_path(req).data,
			  ath_scheme(req), ath_client_address(req));
	for (size_t i = 0; i < ATH_COUNT(names); i++) {
		const char *value = ath_header(req, names[i]);

		ath_buffer_printf(out, "%s\n", value == NULL ? "none" : value);
	}
	ath_response_header(response, "X-One", "1");
	ath_response_header(response, "x-one", "2");
	return response;
}

static struct ath_response *add_thing(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct thing *thing = thing_bind(req);

	thing_add(db, thing);
	ath_commit(db);
	return thing_created(req, thing, "/things/%" PRId64, thing->id);
}

static struct ath_response *show_thing(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct thing *thing = thing_get(db, ath_path_int(req, "id"));

	return thing == NULL ? ath_problem(req, 404, "no such thing") : thing_json(req, 200, thing);
}

/* A query inside a loop: ?times= of them. */
static struct ath_response *count_things(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	int64_t times = ath_arg_int(req, "times", 1, 0, 1000), count = 0;
	struct ath_query q = ath_query(thing);

	for (int64_t i = 0; i < times; i++)
		count += ath_count(db, &q);
	return ath_response_text(req, 200, count == 0 ? "none" : "some");
}

/* ?pieces= of 10000 bytes; ?fail= says in front of which the handler fails. */
static struct ath_response *stream(struct ath_request *req)
{
	struct ath_response *response = ath_response_stream(req, 200, "text/plain");
	int64_t pieces = ath_arg_int(req, "pieces", 0, 0, 1000);
	static const char piece[10000];

	for (int64_t i = 0; i < pieces; i++) {
		if (i == ath_arg_int(req, "fail", -1, -1, 1000))
			return ath_problem(req, 500, "failed");
		if (!ath_stream_write(response, piece, sizeof piece))
			break;
	}
	return response;
}

static enum ath_status how_it_ended;

static struct ath_response *events(struct ath_request *req)
{
	struct ath_response *response = ath_events(req);

	while (ath_event_send(response, &(struct ath_server_event){ .data = "tick" }))
		;
	how_it_ended = ath_sleep(60000);
	return response;
}

/* How many bytes the body has, in pieces of seven. */
static struct ath_response *measure(struct ath_request *req)
{
	char piece[7];
	ptrdiff_t length;
	int64_t sum = 0;

	while ((length = ath_body_read(req, piece, sizeof piece)) > 0)
		sum += length;
	return ath_response_text(req, 200,
				 ath_arena_printf(ath_request_arena(req), "%d", (int)sum));
}

static int tasks_ended;

static void store_later(void *arg)
{
	struct ath_engine *engine = arg;
	struct ath_session *db;

	(void)ath_sleep(20);
	if (ath_session_open(&db, engine, NULL) != ATH_OK)
		die_of("store_later", "no session");
	(void)ath_execute(db, "insert into things (name) values ('later')");
	if (!ath_commit(db))
		die_of("store_later", ath_session_error(db)->message);
	ath_session_close(&db);
	tasks_ended++;
}

static struct ath_response *begin_task(struct ath_request *req)
{
	if (ath_spawn(store_later, ath_worker_engine(ath_request_worker(req))) != ATH_OK)
		return NULL;
	return ath_response_empty(req, 202);
}

static struct ath_response *rename_things(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct ath_query q = ath_query(thing);

	ath_where(&q, ATH_ALL);
	ath_update(db, &q, ATH_SET(thing, name, "renamed"));
	ath_commit(db);
	return ath_response_empty(req, 204);
}

static struct ath_response *forget_to_commit(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct thing *thing = thing_new(db);

	thing->name = "forgotten";
	thing_add(db, thing);
	return ath_response_empty(req, 204);
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/echo", echo),
	ATH_ROUTE(POST, "/echo", echo, .max_body = 3 * 1024 * 1024),
	ATH_ROUTE(POST, "/small", echo, .max_body = 3),
	ATH_ROUTE(POST, "/things", add_thing),
	ATH_ROUTE(GET, "/things/<id:int>", show_thing),
	ATH_ROUTE(GET, "/count", count_things),
	ATH_ROUTE(GET, "/stream", stream),
	ATH_ROUTE(GET, "/events", events),
	ATH_ROUTE(POST, "/measure", measure, .stream_body = true),
	ATH_ROUTE(POST, "/tasks", begin_task),
	ATH_ROUTE(POST, "/rename", rename_things),
	ATH_ROUTE(POST, "/forget", forget_to_commit),
	{ 0 },
};

static struct ath_response *note_after(struct ath_request *req, struct ath_response *response)
{
	(void)req;
	ath_response_header(response, "X-After", "yes");
	return response;
}

static char life[16];

static void lasting_task(struct ath_worker *worker, void *arg)
{
	(void)arg;
	while (!ath_worker_is_stopping(worker) && ath_sleep(1) == ATH_OK)
		;
	strcat(life, "t");
}

static enum ath_status before_start(struct ath_worker *worker)
{
	ath_worker_set_context(worker, life);
	strcpy(life, "a");
	return ATH_OK;
}

static enum ath_status after_start(struct ath_worker *worker)
{
	strcat(ath_worker_context(worker), "b");
	return ath_add_task(worker, lasting_task, NULL, 0);
}

static enum ath_status after_stop(struct ath_worker *worker)
{
	strcat(ath_worker_context(worker), "c");
	return ATH_OK;
}

static void periodic(struct ath_worker *worker)
{
	strcpy(ath_worker_context(worker), "p");
}

static const struct ath_task tasks[] = { ATH_EVERY(1, periodic), { 0 } };

static const struct ath_app app = { .name = "things",
				    .version = "1",
				    .routes = routes,
				    .models = models,
				    .after = note_after,
				    .before_start = before_start,
				    .after_start = after_start,
				    .after_stop = after_stop,
				    .tasks = tasks };

/* ---- the database ------------------------------------------------------------------------------
 */

static struct ath_test *test;
static int log_fd = -1;

static struct ath_log quiet(void)
{
	return (struct ath_log){ .fd = log_fd, .level = ATH_LOG_WARNING };
}

/* What was logged since the last call; static. */
static const char *logged(void)
{
	static char text[4096];
	static off_t at;
	ssize_t length = pread(log_fd, text, sizeof text - 1, at);

	text[length < 0 ? 0 : length] = '\0';
	at += length < 0 ? 0 : length;
	return text;
}

static int open_database(void **state)
{
	FILE *file = tmpfile();

	if (file == NULL || create_database(state) != 0)
		return -1;
	log_fd = fileno(file);
	run_sql("create table things (id bigint generated by default as identity"
		" constraint pk_things primary key,"
		" name text not null constraint uq_things_name unique)");
	return 0;
}

static void open_test_with(struct ath_test_options options)
{
	struct ath_log log = quiet();
	struct ath_error error;

	options.url = options.url == NULL ? database_url : options.url;
	options.log = &log;
	if (ath_test_open(&test, &app, &options, &error) != ATH_OK)
		fail_msg("%s", error.message);
}

static int open_test(void **state)
{
	(void)state;
	open_test_with((struct ath_test_options){ 0 });
	(void)logged();
	return 0;
}

static int close_test(void **state)
{
	(void)state;
	ath_test_close(&test);
	return 0;
}

static const struct ath_answer *add(const char *name)
{
	char body[64];

	snprintf(body, sizeof body, "{\"name\":\"%s\"}", name);
	return ath_test_request(test, POST, "/things", .body = body);
}

static int64_t seen(void)
{
	struct ath_query q = ath_query(thing);

	return ath_count(ath_test_session(test), &q);
}

/* ---- requests and answers
 * ------------------------------------------------------------------------ */

static void request_as_a_server_puts_it(void **state)
{
	static const char whole[] = "a\0b\nnone\n/echo\nhttp 127.0.0.1\nhere\ntext/plain\n3\n2\n\n";
	const struct ath_answer *answer;

	(void)state;
	answer = ath_test_request(test, GET, "/echo?q=a%20b");
	assert_string_equal(answer->body,
			    "\na b\n/echo\nhttp 127.0.0.1\nlocalhost\nnone\nnone\nnone\nnone\n");
	answer = ath_test_request(test, POST, "/echo", .body = "{}");
	assert_string_equal(answer->body, "{}\nnone\n/echo\nhttp 127.0.0.1\nlocalhost\n"
					  "application/json\n2\nnone\nnone\n");
	answer = ath_test_request(test, POST, "/echo", .body = "a\0b", .length = 3,
				  .headers = ATH_HEADERS("host: here", "CONTENT-TYPE: text/plain",
							 "x-two:  2", "Accept:"));
	assert_int_equal(answer->length, sizeof whole - 1);
	assert_memory_equal(answer->body, whole, sizeof whole);
}

static void answer_as_a_client_gets_it(void **state)
{
	const struct ath_answer *answer = ath_test_request(test, GET, "/echo");
	size_t count = 0, ones = 0;

	(void)state;
	assert_int_equal(answer->status, 200);
	assert_int_equal(answer->length, strlen(answer->body));
	assert_string_equal(ath_answer_header(answer, "content-type"), "text/plain");
	assert_string_equal(ath_answer_header(answer, "X-ONE"), "1");
	assert_string_equal(ath_answer_header(answer, "X-After"), "yes");
	assert_null(ath_answer_header(answer, "X-On"));
	assert_null(ath_answer_header(answer, "Status"));
	for (; answer->headers[count] != NULL; count++)
		ones += strcmp(answer->headers[count], "x-one: 2") == 0;
	/* Content-Type and -Length, X-One twice, X-After, and the six that every answer has */
	assert_int_equal(count, 5 + 6);
	assert_int_equal(ones, 1);
	answer = ath_test_request(test, HEAD, "/echo");
	assert_int_equal(answer->status, 200);
	assert_string_equal(answer->body, "");
	assert_non_null(ath_answer_header(answer, "Content-Length"));
	assert_int_equal(ath_test_request(test, GET, "/nothing")->status, 404);
	assert_int_equal(ath_test_request(test, BREW, "/echo")->status, 405);
	assert_int_equal(ath_test_request(test, GET, "/echo?q=%zz")->status, 400);
}

/* As long as the route lets it be, and as it was announced. */
static void bodies(void **state)
{
	enum { LARGE = 2 * 1024 * 1024 };
	char *large = malloc(LARGE);
	const struct ath_answer *answer;

	(void)state;
	memset(large, 'x', LARGE);
	answer = ath_test_request(test, POST, "/echo", .body = large, .length = LARGE);
	assert_int_equal(answer->status, 200);
	assert_true(answer->length > LARGE);
	answer = ath_test_request(test, POST, "/things", .body = large, .length = LARGE);
	assert_int_equal(answer->status, 413);
	assert_int_equal(ath_test_request(test, POST, "/small", .body = "1234")->status, 413);
	answer = ath_test_request(test, POST, "/echo", .body = "12",
				  .headers = ATH_HEADERS("Content-Length: 3"));
	assert_int_equal(answer->status, 400);
	answer = ath_test_request(test, POST, "/measure", .body = large, .length = LARGE);
	assert_string_equal(answer->body, "2097152");
	answer = ath_test_request(test, POST, "/measure", .body = "12",
				  .headers = ATH_HEADERS("Content-Length: 3"));
	assert_int_equal(answer->status, 400);
	assert_string_equal(ath_test_request(test, POST, "/measure")->body, "0");
	free(large);
}

static void streams(void **state)
{
	const struct ath_answer *answer = ath_test_request(test, GET, "/stream?pieces=10");

	(void)state;
	assert_int_equal(answer->status, 200);
	assert_int_equal(answer->length, 100000);
	assert_false(answer->broken);
	assert_null(ath_answer_header(answer, "Content-Length"));
	/* a failure before the head has left is an answer, later it breaks the stream off */
	answer = ath_test_request(test, GET, "/stream?pieces=10&fail=2");
	assert_int_equal(answer->status, 500);
	assert_false(answer->broken);
	answer = ath_test_request(test, GET, "/stream?pieces=10&fail=8");
	assert_int_equal(answer->status, 200);
	assert_true(answer->broken);
	assert_true(answer->length > 0 && answer->length < 100000);
}

static void client_goes_away(void **state)
{
	const struct ath_answer *answer;

	(void)state;
	how_it_ended = ATH_OK;
	answer = ath_test_request(test, GET, "/events", .leave_after = 36);
	assert_int_equal(answer->status, 200);
	assert_string_equal(answer->body, "data: tick\n\ndata: tick\n\ndata: tick\n\n");
	assert_int_equal(how_it_ended, ATH_ECANCELED);
	assert_false(answer->broken);
	answer = ath_test_request(test, GET, "/stream?pieces=10", .leave_after = 100001);
	assert_int_equal(answer->length, 100000);
}

/* What is no request is answered with status 0, and says why. */
static void what_is_not_sent(void **state)
{
	struct ath_session *db = ath_test_session(test);
	const struct ath_answer *answer;
	struct thing *thing;

	(void)state;
	answer = ath_test_request(test, GET, "echo");
	assert_int_equal(answer->status, 0);
	assert_string_equal(answer->body, "a path begins with a slash");
	assert_null(ath_answer_header(answer, "Content-Type"));
	assert_non_null(strstr(logged(), "a request was not sent"));
	answer = ath_test_request(test, GET, ath_answer_header(answer, "Location"));
	assert_int_equal(answer->status, 0);
	answer = ath_test_request(test, GET, "/echo", .headers = ATH_HEADERS("Accept"));
	assert_int_equal(answer->status, 0);

	thing = thing_new(db);
	thing->name = "a";
	thing_add(db, thing);
	answer = ath_test_request(test, GET, "/echo");
	assert_int_equal(answer->status, 0);
	assert_non_null(strstr(answer->body, "neither committed nor"));
	assert_true(ath_flush(db));
	assert_int_equal(ath_test_request(test, GET, "/echo")->status, 0);
	assert_true(ath_commit(db));
	assert_int_equal(ath_test_request(test, GET, "/echo")->status, 200);
	(void)ath_execute(db, "select 1 / 0");
	answer = ath_test_request(test, GET, "/echo");
	assert_int_equal(answer->status, 0);
	assert_non_null(strstr(answer->body, "in error"));
	ath_clear_error(db);
	assert_int_equal(ath_test_request(test, GET, "/echo")->status, 200);
}

/* ---- what is counted ---------------------------------------------------------------------------
 */

static void statements_are_counted(void **state)
{
	const struct ath_answer *answer = ath_test_request(test, GET, "/echo");

	(void)state;
	assert_int_equal(answer->statements + answer->round_trips + answer->rows, 0);
	answer = add("a");
	assert_int_equal(answer->statements, 1);
	assert_int_equal(answer->round_trips, 1);
	answer = ath_test_request(test, GET, ath_answer_header(answer, "Location"));
	assert_int_equal(answer->statements, 1);
	assert_int_equal(answer->rows, 1);
	answer = ath_test_request(test, GET, "/count?times=7");
	assert_int_equal(answer->statements, 7);
	assert_int_equal(answer->round_trips, 7);
}

static void repeated_statements_are_told(void **state)
{
	const struct ath_answer *answer = ath_test_request(test, GET, "/count?times=10");

	(void)state;
	assert_null(answer->repeated);
	assert_string_equal(logged(), "");
	answer = ath_test_request(test, GET, "/count?times=11");
	assert_non_null(answer->repeated);
	assert_string_equal(answer->repeated, "SELECT count(*) FROM \"things\"");
	assert_non_null(strstr(logged(), "\"route\":\"/count\",\"times\":11,"
					 "\"statement\":\"SELECT count(*)"));
}

/* ---- what becomes of the rows -------------------------------------------------------------------
 */

static void requests_share_a_database(void **state)
{
	const struct ath_answer *made = add("a"), *answer;
	struct thing *thing;

	(void)state;
	assert_int_equal(made->status, 201);
	assert_int_equal(add("a")->status, 409);
	assert_int_equal(seen(), 1);
	answer = ath_test_request(test, GET, ath_answer_header(made, "Location"));
	assert_string_equal(answer->body, made->body);
	assert_int_equal(ath_test_request(test, POST, "/forget")->status, 500);
	assert_int_equal(seen(), 1);
	thing = thing_first(ath_test_session(test), (struct ath_query[]){ ath_query(thing) });
	thing->name = "b";
	assert_true(ath_commit(ath_test_session(test)));
	assert_int_equal(add("a")->status, 201);
	assert_int_equal(add("b")->status, 409);
	assert_int_equal(ask_number("select count(*) from things"), 0);
}

/* Rows that the session knows are read again after a request. */
static void session_sees_what_requests_did(void **state)
{
	struct ath_session *db = ath_test_session(test);
	struct thing *thing = thing_new(db);

	(void)state;
	thing->name = "a";
	thing_add(db, thing);
	assert_true(ath_commit(db));
	assert_int_equal(ath_test_request(test, POST, "/rename")->status, 204);
	assert_string_equal(thing_get(db, thing->id)->name, "renamed");
}

static void reset_rolls_back(void **state)
{
	(void)state;
	assert_int_equal(add("a")->status, 201);
	assert_int_equal(ath_test_reset(test), ATH_OK);
	assert_int_equal(seen(), 0);
	assert_int_equal(add("a")->status, 201);
	(void)ath_begin(ath_test_session(test)); /* and ends what the session has open */
	assert_int_equal(ath_test_reset(test), ATH_OK);
	assert_int_equal(seen(), 0);
	assert_int_equal(ask_number("select count(*) from things"), 0);
}

static void tasks_are_waited_for(void **state)
{
	(void)state;
	tasks_ended = 0;
	assert_int_equal(ath_test_request(test, POST, "/tasks")->status, 202);
	assert_int_equal(ath_test_reset(test), ATH_OK);
	assert_int_equal(tasks_ended, 1);
	assert_int_equal(seen(), 0);
	assert_int_equal(ath_test_request(test, POST, "/tasks")->status, 202);
	assert_string_equal(life, "ab"); /* and no periodic task has run meanwhile */
	ath_test_close(&test);
	assert_string_equal(life, "abtc");
	assert_int_equal(tasks_ended, 2);
	assert_int_equal(ask_number("select count(*) from things"), 0);
}

static void committed_when_asked_to(void **state)
{
	(void)state;
	open_test_with((struct ath_test_options){ .commit = true });
	assert_int_equal(add("kept")->status, 201);
	assert_int_equal(ath_test_reset(test), ATH_OK);
	assert_int_equal(seen(), 1);
	ath_test_close(&test);
	assert_int_equal(ask_number("select count(*) from things"), 1);
	run_sql("delete from things");
}

/* ---- what cannot be opened --------------------------------------------------------------------
 */

static void mistakes_are_told(void **state)
{
	struct ath_log log = quiet();
	struct ath_test_options options = { .log = &log };
	static const struct ath_route twice[] = {
		ATH_ROUTE(GET, "/a", echo),
		ATH_ROUTE(GET, "/a", echo),
		{ 0 },
	};
	struct ath_app wrong = app;
	struct ath_error error;

	(void)state;
	unsetenv("DATABASE_URL");
	assert_int_equal(ath_test_open(&test, &app, &options, &error), ATH_EINVAL);
	assert_non_null(strstr(error.message, "nor DATABASE_URL is set"));
	assert_null(test);
	options.url = "postgresql:///none?host=/nowhere";
	assert_int_equal(ath_test_open(&test, &app, &options, &error), ATH_EUNAVAILABLE);
	assert_null(test);
	options.url = database_url;
	wrong.routes = twice;
	assert_int_equal(ath_test_open(&test, &wrong, &options, &error), ATH_EINVAL);
	assert_null(test);
	setenv("DATABASE_URL", database_url, 1);
	options.url = NULL;
	assert_int_equal(ath_test_open(&test, &app, &options, &error), ATH_OK);
	ath_test_close(&test);
	ath_test_close(&test);
	ath_test_close(NULL);
}

int main(void)
{
#define WITH_TEST(name) cmocka_unit_test_setup_teardown(name, open_test, close_test)
	const struct CMUnitTest tests[] = {
		WITH_TEST(request_as_a_server_puts_it),
		WITH_TEST(answer_as_a_client_gets_it),
		WITH_TEST(bodies),
		WITH_TEST(streams),
		WITH_TEST(client_goes_away),
		WITH_TEST(what_is_not_sent),
		WITH_TEST(statements_are_counted),
		WITH_TEST(repeated_statements_are_told),
		WITH_TEST(requests_share_a_database),
		WITH_TEST(session_sees_what_requests_did),
		WITH_TEST(reset_rolls_back),
		WITH_TEST(tasks_are_waited_for),
		cmocka_unit_test(committed_when_asked_to),
		cmocka_unit_test(mistakes_are_told),
	};

	return cmocka_run_group_tests(tests, open_database, drop_database);
}
