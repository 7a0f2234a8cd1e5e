/*
 * test_statements.c - what is known of the statements of a request: to the server, by comments and
 * application_name; to the log, when one is run again and again; to whoever asks for their times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "../db/engine_fixture.h"
#include "../web/fcgi_put.h"
#include "rest/internal.h"
#include <athanor.h>

struct thing {
	int64_t id;
	struct ath_null_int32 size;
	const char *query;       /* that made it */
	const char *application; /* at that time */
};
ATH_DECLARE(thing);
ATH_MODEL(thing, "things", ATH_COLUMN(thing, id, .primary_key = true), ATH_COLUMN(thing, size),
	  ATH_COLUMN(thing, query, .server_default = "current_query()", .read_only = true),
	  ATH_COLUMN(thing, application, .server_default = "current_setting('application_name')",
		     .read_only = true));

struct seen {
	const char *query, *application;
};
ATH_LIST_(seen)
ATH_DECLARE_READING_(seen)
ATH_MODEL_RESULT(seen, ATH_COLUMN(seen, query), ATH_COLUMN(seen, application));

static const struct ath_model *const models[] = { &thing_model, NULL };

/* ---- handlers -------------------------------------------------------------------------------- */

static struct {
	char query[4096], application[128];
} server; /* what it saw */

static void look(struct ath_session *db)
{
	struct seen_list rows = ath_sql(db, seen,
					"select query, current_setting('application_name') as "
					"application"
					" from pg_stat_activity where pid = pg_backend_pid()");

	server.query[0] = server.application[0] = '\0';
	if (rows.count != 1)
		return;
	snprintf(server.query, sizeof server.query, "%s", rows.items[0]->query);
	snprintf(server.application, sizeof server.application, "%s", rows.items[0]->application);
}

static struct ath_response *show(struct ath_request *request)
{
	look(ath_request_session(request));
	return ath_response_empty(request, 204);
}

static struct ath_response *show_in_transaction(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);

	ath_begin(db);
	look(db);
	ath_commit(db);
	return ath_response_empty(request, 204);
}

static struct ath_response *create(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	struct thing *thing = thing_new(db);

	thing_add(db, thing);
	if (ath_commit(db)) {
		snprintf(server.query, sizeof server.query, "%s", thing->query);
		snprintf(server.application, sizeof server.application, "%s", thing->application);
	}
	return ath_response_empty(request, 204);
}

static struct ath_response *again_and_again(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);

	for (int64_t i = 0; i < 12; i++)
		(void)thing_get(db, i);
	return ath_response_empty(request, 204);
}

/* With a deadline so near that the transaction needs its own time limit. */
static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/things/<id:int>", show),
	ATH_ROUTE(GET, "/transaction", show_in_transaction),
	ATH_ROUTE(GET, "/hurry", show_in_transaction, .deadline_ms = 20000),
	ATH_ROUTE(POST, "/things", create),
	ATH_ROUTE(GET, "/again", again_and_again),
	{ 0 },
};

/* ---- one request ----------------------------------------------------------------------------- */

static struct ath_rest rest = { .models = models };
static struct ath_log log_file = { .fd = -1, .level = ATH_LOG_WARNING };
static struct ath_web web = { .log = &log_file, .context = &rest };

struct run {
	struct ath_request *request;
	struct ath_output output;
};

static void run_fiber(void *arg)
{
	struct run *run = arg;

	ath_web_handle(run->request, &run->output);
}

/* Its request is to be freed. */
static struct ath_request *ask_for(const char *method, const char *uri)
{
	struct run run = { .request = ath_request_new(&web) };
	int status = 0;

	assert_non_null(run.request);
	put_usual_pairs(&run.request->raw_params, method, uri);
	run.request->arrived = ath_now();
	run.request->deadline = run.request->arrived + web.limits.deadline_ms;
	start(run_fiber, &run, run.request->deadline);
	run_fibers();
	assert_int_equal(sscanf(run.output.head + ATH_HEAD_ROOM, "Status: %d ", &status), 1);
	assert_int_equal(status, 204);
	return run.request;
}

static void ask_once(const char *method, const char *uri)
{
	ath_request_free(ask_for(method, uri));
}

static void open_with(struct ath_engine_options options)
{
	options.pool_size = options.pipelines = 1;
	options.log = &silence;
	assert_int_equal(open_engine_with(database_url, options), 0);
	rest.engine = engine;
}

static int setup(void **state)
{
	struct ath_error error = { 0 };

	server.query[0] = server.application[0] = '\0';
	if (open_loop(state) != 0)
		return -1;
	log_file.fd = memfd_create("log", MFD_CLOEXEC);
	web.tell_statements = false;
	return ath_web_open(&web, routes, &error) != ATH_OK;
}

static int teardown(void **state)
{
	ath_web_close(&web);
	close(log_file.fd);
	return close_engine(state);
}

static int setup_all(void **state)
{
	if (create_database(state) != 0)
		return -1;
	run_sql("create table things (id bigint generated by default as identity primary key,"
		" size integer, query text not null default current_query(),"
		" application text not null default current_setting('application_name'))");
	return 0;
}

/* ---- comments -------------------------------------------------------------------------------- */

static void expect_end(const char *text, const char *end)
{
	size_t length = strlen(text), behind = strlen(end);

	if (length < behind || strcmp(text + length - behind, end) != 0)
		fail_msg("\"%s\" does not end in \"%s\"", text, end);
}

static void test_the_route_in_a_comment(void **state)
{
	(void)state;
	open_with((struct ath_engine_options){ .application = "users",
					       .sql_comments = ATH_SQL_COMMENTS_ROUTE });
	for (int i = 0; i < 2; i++) { /* prepared, and found again */
		ask_once("GET", "/things/7");
		expect_end(server.query, "pg_backend_pid() /*application='users',method='GET',"
					 "route='/things/<id:int>'*/");
		ask_once("GET", "/transaction");
		expect_end(server.query,
			   " /*application='users',method='GET',route='/transaction'*/");
		ask_once("POST", "/things");
		assert_memory_equal(server.query, "INSERT INTO", 11);
		expect_end(server.query, " /*application='users',method='POST',route='/things'*/");
	}
	assert_string_equal(server.application, "users");
}

static void test_without_comments(void **state)
{
	(void)state;
	open_with((struct ath_engine_options){ 0 });
	ask_once("GET", "/things/7");
	expect_end(server.query, "pg_backend_pid()");
	assert_string_equal(server.application, "athanor");
	ask_once("POST", "/things");
	assert_null(strstr(server.query, "/*"));
	assert_string_equal(server.application, "athanor");
}

/* Each text is sent as it is, under no name. */
static void test_without_prepared_statements(void **state)
{
	(void)state;
	open_with((struct ath_engine_options){ .application = "users",
					       .prepared_statements = ATH_PREPARED_OFF,
					       .sql_comments = ATH_SQL_COMMENTS_REQUEST });
	ask_once("GET", "/things/7");
	expect_end(server.query, " /*application='users',method='GET',route='/things/<id:int>'*/");
	ask_once("POST", "/things");
	expect_end(server.query, " /*application='users',method='POST',route='/things'*/");
	assert_string_equal(server.application, "users the-id");
}

struct case_of_route {
	struct ath_session *db;
	const char *route;
};

static void look_fiber(void *arg)
{
	struct case_of_route *route = arg;

	ath_session_set_route(route->db, "GET", route->route);
	look(route->db);
}

/* Nothing in a name ends the comment, or begins another inside. */
static void test_what_would_end_a_comment(void **state)
{
	struct case_of_route route = { .route = "/a*/b/*c'd%e\\f\n\"?g\xc3\xa4" };

	(void)state;
	open_with((struct ath_engine_options){ .application = "o'neil */; drop",
					       .sql_comments = ATH_SQL_COMMENTS_ROUTE });
	assert_int_equal(ath_session_open(&route.db, engine, NULL), ATH_OK);
	start(look_fiber, &route, ATH_NEVER);
	run_fibers();
	ath_session_close(&route.db);
	expect_end(server.query, " /*application='o%27neil%20%2A/%3B%20drop',method='GET',"
				 "route='/a%2A/b/%2Ac%27d%25e%5Cf%0A%22%3Fg%C3%A4'*/");
}

/* ---- prepared statements --------------------------------------------------------------------- */

enum { PREPARED = 256, ROUTES = 300 };

static void many_routes(void *arg)
{
	struct ath_session *db = arg;

	for (int i = 0; i < ROUTES; i++) {
		char text[32];

		snprintf(text, sizeof text, "/%d", i);
		ath_session_set_route(db, "GET", text);
		(void)thing_get(db, i);
	}
	look(db);
}

struct numbers {
	int64_t count, commented, newest;
};
ATH_LIST_(numbers)
ATH_DECLARE_READING_(numbers)
ATH_MODEL_RESULT(numbers, ATH_COLUMN(numbers, count), ATH_COLUMN(numbers, commented),
		 ATH_COLUMN(numbers, newest));

static struct numbers prepared;

static void count_prepared(void *arg)
{
	struct numbers_list rows =
		ath_sql((struct ath_session *)arg, numbers,
			"select count(*), count(*) filter (where statement like '%route=%')"
			" as commented, max(substr(name, 5)::bigint) as newest"
			" from pg_prepared_statements");

	if (rows.count == 1)
		prepared = *rows.items[0];
}

/* Once the table is full the routes share what has no comment: nothing is driven out by them. */
static void test_more_routes_than_prepared_statements(void **state)
{
	struct ath_session *db;

	(void)state;
	NOT_POOLED("prepared statements");
	open_with((struct ath_engine_options){ .sql_comments = ATH_SQL_COMMENTS_ROUTE });
	assert_int_equal(ath_session_open(&db, engine, NULL), ATH_OK);
	for (int i = 0; i < 3; i++) {
		start(many_routes, db, ATH_NEVER);
		run_fibers();
		assert_null(ath_session_error(db));
		start(count_prepared, db, ATH_NEVER);
		run_fibers();
		assert_int_equal(prepared.count, PREPARED);
		assert_true(prepared.commented >= PREPARED - 6);
		/* what this test asks itself, and the statement without a comment */
		assert_true(prepared.newest < PREPARED + 6);
	}
	ath_session_close(&db);
}

static void read_things(void *arg)
{
	struct ath_query all = ath_query(thing);

	(void)thing_all((struct ath_session *)arg, &all);
}

/* "cached plan must not change result type": the statement is made again, comment and all. */
static void test_a_stale_plan(void **state)
{
	struct ath_session *db;

	(void)state;
	open_with((struct ath_engine_options){ .sql_comments = ATH_SQL_COMMENTS_ROUTE });
	assert_int_equal(ath_session_open(&db, engine, NULL), ATH_OK);
	ath_session_set_route(db, "GET", "/things");
	for (int i = 0; i < 3; i++) {
		start(read_things, db, ATH_NEVER);
		run_fibers();
		if (ath_session_error(db) != NULL)
			fail_msg("%s", ath_session_error(db)->message);
		run_sql(i == 0 ? "alter table things alter size type bigint"
			       : "alter table things alter size type integer");
	}
	ath_session_close(&db);
}

/* ---- application_name ------------------------------------------------------------------------ */

static void test_the_name_of_the_connection(void **state)
{
	char long_name[101];

	(void)state;
	open_with((struct ath_engine_options){ .application = "users" });
	ath_engine_set_worker(engine, 2);
	ask_once("GET", "/things/7");
	assert_string_equal(server.application, "users worker 2");
	ask_once("GET", "/transaction");
	assert_string_equal(server.application, "users worker 2");
	ath_engine_close(&engine);
	memset(long_name, 'x', 100);
	long_name[100] = '\0';
	open_with((struct ath_engine_options){ .application = long_name });
	ath_engine_set_worker(engine, 12);
	ask_once("GET", "/things/7");
	assert_int_equal(strlen(server.application), 63);
	expect_end(server.application, "xx worker 12");
}

static void test_the_url_names_the_application(void **state)
{
	char url[2048];

	(void)state;
	snprintf(url, sizeof url, "%s%capplication_name=mine", database_url,
		 strchr(database_url, '?') == NULL ? '?' : '&');
	assert_int_equal(open_engine_with(url, (struct ath_engine_options){ 0 }), 0);
	rest.engine = engine;
	ath_engine_set_worker(engine, 2);
	ask_once("GET", "/things/7");
	assert_string_equal(server.application, "mine");
}

static void test_the_request_in_transactions(void **state)
{
	static const char with_id[] = "users the-id";

	(void)state;
	open_with((struct ath_engine_options){ .application = "users",
					       .sql_comments = ATH_SQL_COMMENTS_REQUEST });
	ath_engine_set_worker(engine, 2);
	for (int i = 0; i < 2; i++) {
		ask_once("GET", "/transaction");
		assert_string_equal(server.application, with_id);
		expect_end(server.query, "route='/transaction'*/");
		ask_once("GET", "/hurry"); /* with the time limit beside it */
		assert_string_equal(server.application, with_id);
		ask_once("POST", "/things"); /* a single INSERT, without BEGIN */
		assert_string_equal(server.application, with_id);
		ask_once("GET", "/things/7"); /* on the pipeline */
		assert_string_equal(server.application, "users worker 2");
	}
	assert_int_equal(ask_number("select count(*) from pg_stat_activity"
				    " where application_name like '%the-id%'"),
			 0);
}

/* ---- the log, and times ---------------------------------------------------------------------- */

static void test_the_same_statement_again_and_again(void **state)
{
	char line[2048];
	ssize_t length;

	(void)state;
	open_with((struct ath_engine_options){ 0 });
	ask_once("GET", "/again");
	length = pread(log_file.fd, line, sizeof line - 1, 0);
	assert_true(length > 0);
	line[length] = '\0';
	assert_non_null(strstr(line, "\"a request ran the same statement many times\""));
	assert_non_null(strstr(line, "\"id\":\"the-id\""));
	assert_non_null(strstr(line, "\"method\":\"GET\",\"route\":\"/again\""));
	assert_non_null(strstr(line, "\"times\":12,"));
	assert_non_null(strstr(line, "\"statement\":\"SELECT "));
	assert_non_null(strstr(line, "things"));
	assert_ptr_equal(strchr(line, '\n'), line + length - 1); /* one line */
}

static void test_statements_and_times(void **state)
{
	struct ath_request *request;

	(void)state;
	open_with((struct ath_engine_options){ 0 });
	request = ask_for("GET", "/transaction");
	assert_int_equal(request->told_count, 0);
	assert_int_equal(request->database_us, 0);
	assert_int_equal(request->statements, 3);
	ath_request_free(request);
	web.tell_statements = true;
	request = ask_for("GET", "/transaction");
	assert_int_equal(request->told_count, 3);
	assert_string_equal(request->told[0].text, "BEGIN");
	assert_memory_equal(request->told[1].text, "select query", 12);
	assert_int_equal(request->told[1].rows, 1);
	assert_string_equal(request->told[2].text, "COMMIT");
	assert_int_equal(request->database_us, request->told[0].microseconds +
						       request->told[1].microseconds +
						       request->told[2].microseconds);
	assert_true(request->database_us > 0);
	ath_request_free(request);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_route_in_a_comment),
		TEST(test_without_comments),
		TEST(test_without_prepared_statements),
		TEST(test_what_would_end_a_comment),
		TEST(test_more_routes_than_prepared_statements),
		TEST(test_a_stale_plan),
		TEST(test_the_name_of_the_connection),
		TEST(test_the_url_names_the_application),
		TEST(test_the_request_in_transactions),
		TEST(test_the_same_statement_again_and_again),
		TEST(test_statements_and_times),
	};

	return cmocka_run_group_tests(tests, setup_all, drop_database);
}
