/*
 * test_poison.c - a request that has failed stores nothing, even when its handler clears the
 * session's error and commits: the answer says what was wrong with the request.
 *
 * ATHANOR_TEST_URL is a server on which a database may be made; it is dropped at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
	  ATH_COLUMN(item, name, .max_length = 20));

static const struct ath_model *const models[] = { &item_model, NULL };

/* ---- handlers --------------------------------------------------------------------------- */

static bool committed; /* by the last handler that tried */

static void store(struct ath_session *db)
{
	struct item *item = item_new(db);

	assert_non_null(item);
	item->name = "other";
	item_add(db, item);
	committed = ath_commit(db);
}

static struct ath_response *clear_and_store(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);

	for (int i = 0; i < 2; i++) {
		ath_clear_error(db);
		store(db);
	}
	return ath_response_text(request, 201, "created");
}

static struct ath_response *bad_argument(struct ath_request *request)
{
	(void)ath_request_session(request);
	(void)ath_arg_int(request, "n", 1, 1, 9);
	return clear_and_store(request);
}

/* The session comes only when the request has failed. */
static struct ath_response *bad_argument_first(struct ath_request *request)
{
	(void)ath_arg_int(request, "n", 1, 1, 9);
	return clear_and_store(request);
}

static struct ath_response *bad_page(struct ath_request *request)
{
	struct ath_query q = ath_query(item);

	(void)ath_request_session(request);
	ath_paginate(&q, request);
	return clear_and_store(request);
}

static struct ath_response *bad_body(struct ath_request *request)
{
	(void)ath_request_session(request);
	(void)item_bind(request);
	return clear_and_store(request);
}

static struct ath_response *bad_patch(struct ath_request *request)
{
	struct item *item = item_get(ath_request_session(request), 1);

	item_patch(request, item);
	return clear_and_store(request);
}

/* A row that was good, added before, and in the middle of a transaction. */
static struct ath_response *flushed_before(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	struct item *item = item_new(db);

	item->name = "before";
	item_add(db, item);
	ath_flush(db);
	(void)item_bind(request);
	return clear_and_store(request);
}

/* The error of the session itself is older than that of the request. */
static struct ath_response *error_before(struct ath_request *request)
{
	ath_session_fail(ath_request_session(request), ATH_EUNIQUE, "an error of the session");
	(void)item_bind(request);
	return clear_and_store(request);
}

static struct ath_response *behind_a_savepoint(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	struct ath_savepoint savepoint;

	(void)ath_savepoint(db, &savepoint);
	(void)item_bind(request);
	(void)ath_rollback_to(db, &savepoint);
	store(db);
	return ath_response_text(request, 201, "created");
}

static struct ath_response *by_condition(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	struct ath_query q = ath_query(item);

	(void)item_bind(request);
	ath_clear_error(db);
	ath_where(&q, ATH_EQ(item, id, 1));
	(void)ath_update(db, &q, ATH_SET(item, name, "changed"));
	committed = ath_commit(db);
	ath_clear_error(db);
	(void)ath_delete_where(db, &q);
	committed |= ath_commit(db);
	return ath_response_text(request, 200, "changed");
}

static const struct ath_route routes[] = {
	ATH_ROUTE(POST, "/argument", bad_argument),
	ATH_ROUTE(POST, "/argument-first", bad_argument_first),
	ATH_ROUTE(POST, "/page", bad_page),
	ATH_ROUTE(POST, "/body", bad_body),
	ATH_ROUTE(POST, "/patch", bad_patch),
	ATH_ROUTE(POST, "/flushed", flushed_before),
	ATH_ROUTE(POST, "/error", error_before),
	ATH_ROUTE(POST, "/savepoint", behind_a_savepoint),
	ATH_ROUTE(POST, "/condition", by_condition),
	{ 0 },
};

/* ---- one request -------------------------------------------------------------------------- */

static struct ath_loop *loop;
static struct ath_rest rest = { .models = models };
static const struct ath_log silent = { .fd = -1 };
static struct ath_web web = { .log = &silent, .context = &rest };

static struct {
	int status;
	char head[4096], body[16 * 1024];
} answer;

struct run {
	struct ath_request *request;
	struct ath_output output;
};

static void run_fiber(void *arg)
{
	struct run *run = arg;

	ath_web_handle(run->request, &run->output);
	ath_loop_stop(loop);
}

static void take_answer(const struct ath_output *output)
{
	assert_true(output->head_length < sizeof answer.head);
	assert_true(output->body_length < sizeof answer.body);
	memset(&answer, 0, sizeof answer);
	memcpy(answer.head, output->head + ATH_HEAD_ROOM, output->head_length);
	if (output->body_length > 0)
		memcpy(answer.body, output->body, output->body_length);
	assert_int_equal(sscanf(answer.head, "Status: %d ", &answer.status), 1);
}

static void post(const char *uri, const char *body)
{
	struct run run = { .request = ath_request_new(&web) };

	assert_non_null(run.request);
	put_usual_pairs(&run.request->raw_params, "POST", uri);
	ath_buffer_string(&run.request->raw_body, body);
	run.request->arrived = ath_now();
	run.request->deadline = run.request->arrived + web.limits.deadline_ms;
	assert_int_equal(ath_loop_spawn(loop, run_fiber, &run, run.request->deadline, NULL),
			 ATH_OK);
	ath_loop_run(loop);
	take_answer(&run.output);
	ath_request_free(run.request);
}

static void assert_nothing_is_stored(const char *uri, const char *body, int status)
{
	committed = false;
	post(uri, body);
	if (answer.status != status)
		fail_msg("%s %s: %d %.500s", uri, body, answer.status, answer.body);
	assert_non_null(strstr(answer.head, "\r\nContent-Type: application/problem+json\r\n"));
	if (committed)
		fail_msg("%s %s: was committed", uri, body);
	assert_string_equal(ask("select string_agg(id || name, ' ') from items"), "1first");
}

static int open_all(void **state)
{
	struct ath_engine_options options = { .log = &silent, .pool_size = 1 };
	struct ath_error error = { 0 };

	if (create_database(state) != 0)
		return -1;
	run_sql("create table items ("
		" id bigint generated by default as identity constraint pk_items primary key,"
		" name text not null)");
	if (ath_loop_open(&loop, &silent) != ATH_OK)
		return -1;
	options.loop = loop;
	return ath_models_check(models, &error) != ATH_OK ||
	       ath_web_open(&web, routes, &error) != ATH_OK ||
	       ath_engine_open(&rest.engine, database_url, &options, &error) != ATH_OK;
}

static int close_all(void **state)
{
	ath_engine_close(&rest.engine);
	ath_web_close(&web);
	ath_loop_close(&loop);
	return drop_database(state);
}

static int only_the_first(void **state)
{
	(void)state;
	run_sql("truncate items restart identity");
	run_sql("insert into items (name) values ('first')");
	return 0;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_a_bad_argument(void **state)
{
	static const char *const uris[] = { "/argument?n=x",       "/argument?n=0",
					    "/argument?n=10",      "/argument-first?n=x",
					    "/argument-first?n=0", "/page?limit=0",
					    "/page?offset=x" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(uris); i++)
		assert_nothing_is_stored(uris[i], "", 422);
}

static void test_a_bad_body(void **state)
{
	static const char *const uris[] = { "/body", "/flushed", "/error", "/savepoint",
					    "/condition" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(uris); i++) {
		assert_nothing_is_stored(uris[i], "{}", 422);
		assert_nothing_is_stored(uris[i], "{\"name\":1}", 422);
		assert_nothing_is_stored(uris[i], "{\"name\":\"N\",\"more\":1}", 422);
		assert_nothing_is_stored(uris[i], "{", 400);
	}
}

static void test_a_bad_patch(void **state)
{
	(void)state;
	assert_nothing_is_stored("/patch", "{\"name\":null}", 422);
	assert_nothing_is_stored("/patch", "{\"name\":\"N\",\"more\":1}", 422);
	assert_nothing_is_stored("/patch", "{\"name\":\"N\"", 400);
}

/* The same handlers store what is good: it is the request that was refused. */
static void test_a_good_request(void **state)
{
	(void)state;
	post("/argument?n=9", "");
	assert_int_equal(answer.status, 201);
	assert_true(committed);
	post("/body", "{\"name\":\"N\"}");
	assert_int_equal(answer.status, 201);
	assert_int_equal(ask_number("select count(*) from items where name = 'other'"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_bad_argument, only_the_first),
		cmocka_unit_test_setup(test_a_bad_body, only_the_first),
		cmocka_unit_test_setup(test_a_bad_patch, only_the_first),
		cmocka_unit_test_setup(test_a_good_request, only_the_first),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
