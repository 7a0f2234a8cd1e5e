/*
 * test_error_handlers.c - handlers of errors and the session: which error they see, that they have
 * a session of their own, and that a write that failed is never called good.
 *
 * ATHANOR_TEST_URL is a server on which a database may be made; it is dropped at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../db/database.h"
#include "../web/whole_request.h"
#include "rest/internal.h"
#include <athanor.h>

struct item {
	int64_t id;
	const char *name;
};
ATH_DECLARE(item);

ATH_MODEL(item, "items", ATH_COLUMN(item, id, .primary_key = true),
	  ATH_COLUMN(item, name, .unique = true, .max_length = 20));

static const struct ath_model *const models[] = { &item_model, NULL };
static const struct ath_log silent = { .fd = -1 };
static struct ath_rest rest = { .models = models };

/* ---- handlers --------------------------------------------------------------------------- */

static void add(struct ath_request *request, const char *name)
{
	struct ath_session *db = ath_request_session(request);
	struct item *item = item_new(db);

	item->name = name;
	item_add(db, item);
}

static struct ath_response *create(struct ath_request *request)
{
	add(request, ath_arg(request, "name"));
	ath_commit(ath_request_session(request));
	return ath_response_text(request, 201, "created");
}

static struct ath_response *create_bound(struct ath_request *request)
{
	(void)item_bind(request);
	return create(request);
}

static struct ath_response *forget_commit(struct ath_request *request)
{
	add(request, "forgotten");
	return ath_response_text(request, 201, "created");
}

static struct ath_response *own_error(struct ath_request *request)
{
	ath_session_fail(ath_request_session(request), ATH_ELOCKED, "an error of the application");
	return ath_response_text(request, 200, "good");
}

static struct ath_response *cleared(struct ath_request *request)
{
	ath_session_fail(ath_request_session(request), ATH_EUNIQUE, "cleared");
	ath_clear_error(ath_request_session(request));
	return ath_problem(request, 409, "the handler's own");
}

/* ---- handlers of errors -------------------------------------------------------------------- */

static struct ath_response *taken(struct ath_request *request, struct ath_response *problem)
{
	const struct ath_error *error = ath_request_error(request);

	return ath_response_text(request, ath_response_status(problem), error->constraint);
}

static struct ath_response *call_it_good(struct ath_request *request, struct ath_response *problem)
{
	(void)problem;
	return ath_response_text(request, 201, "created");
}

/* A row about what went wrong. */
static struct ath_response *note(struct ath_request *request, struct ath_response *problem)
{
	add(request, "noted");
	ath_commit(ath_request_session(request));
	return problem;
}

static struct ath_response *fail_itself(struct ath_request *request, struct ath_response *problem)
{
	(void)problem;
	ath_session_fail(ath_request_session(request), ATH_ELOCKED, "the handler's own");
	return ath_response_text(request, 500, "mine");
}

static struct ath_response *tell_error(struct ath_request *request, struct ath_response *problem)
{
	const struct ath_error *error = ath_request_error(request);

	return ath_response_text(request, ath_response_status(problem),
				 error == NULL ? "no error" : ath_status_text(error->status));
}

static const struct ath_error_handler taken_errors[] = {
	ATH_ON_STATUS(409, tell_error),
	ATH_ON_ERROR(ATH_EUNIQUE, taken),
	{ 0 },
};
static const struct ath_error_handler good_errors[] = { ATH_ON_CLASS(4, call_it_good), { 0 } };
static const struct ath_error_handler noting_errors[] = { ATH_ON_CLASS(4, note), { 0 } };
static const struct ath_error_handler failing_errors[] = { ATH_ON_CLASS(4, fail_itself), { 0 } };
static const struct ath_error_handler telling_errors[] = {
	ATH_ON_CLASS(4, tell_error),
	ATH_ON_CLASS(5, tell_error),
	{ 0 },
};

static const struct ath_route routes[] = {
	ATH_ROUTE(POST, "/taken", create, .errors = taken_errors),
	ATH_ROUTE(POST, "/cleared", cleared, .errors = taken_errors),
	ATH_ROUTE(POST, "/good", create, .errors = good_errors),
	ATH_ROUTE(POST, "/good-bind", create_bound, .errors = good_errors),
	ATH_ROUTE(POST, "/note", create, .errors = noting_errors),
	ATH_ROUTE(POST, "/note-bind", create_bound, .errors = noting_errors),
	ATH_ROUTE(POST, "/fail", create, .errors = failing_errors),
	ATH_ROUTE(POST, "/forget", forget_commit, .errors = telling_errors),
	ATH_ROUTE(POST, "/own", own_error, .errors = telling_errors),
	ATH_ROUTE(POST, "/bind", create_bound, .errors = telling_errors),
	{ 0 },
};

/* ---- requests -------------------------------------------------------------------------------- */

/* items: all that are stored afterwards, in order */
static const struct row {
	const char *uri, *begin, *body, *items;
} rows[] = {
	{ "/taken?name=new", "Status: 201 ", "created", "first new" },
	{ "/taken?name=first", "Status: 409 ", "uq_items_name", "first" },
	{ "/cleared", "Status: 409 ", "no error", "first" },
	{ "/good?name=first", "Status: 409 ", "exists already", "first" },
	{ "/good-bind?name=new", "Status: 422 ", "\"pointer\":\"/name\"", "first" },
	{ "/note?name=first", "Status: 409 ", "exists already", "first noted" },
	{ "/note-bind?name=new", "Status: 422 ", "\"pointer\":\"/name\"", "first noted" },
	{ "/fail?name=first", "Status: 409 ", "a row with this value exists already", "first" },
	{ "/forget", "Status: 500 ", "not valid here", "first" },
	{ "/own", "Status: 503 ", "a lock was not free in time", "first" },
	{ "/bind", "Status: 422 ", "no error", "first" },
};

static char *post(const char *uri)
{
	struct ath_request *request = ath_request_new(&web);
	size_t length;
	char *got;

	assert_non_null(request);
	put_usual_pairs(&request->raw_params, "POST", uri);
	ath_buffer_string(&request->raw_body, "{}");
	got = handle(request, &length);
	ath_request_free(request);
	return got;
}

static void test_every_row_gives_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const char *items;
		char *got;

		run_sql("truncate items restart identity");
		run_sql("insert into items (name) values ('first')");
		got = post(rows[i].uri);
		items = ask("select string_agg(name, ' ' order by id) from items");
		if (strncmp(got, rows[i].begin, strlen(rows[i].begin)) != 0 ||
		    strstr(got, rows[i].body) == NULL || strcmp(items, rows[i].items) != 0)
			fail_msg("%s: %s\n%s", rows[i].uri, items, got);
		free(got);
	}
}

static int open_all(void **state)
{
	struct ath_engine_options options = { .log = &silent, .pool_size = 1 };
	struct ath_error error = { 0 };

	if (create_database(state) != 0)
		return -1;
	run_sql("create table items ("
		" id bigint generated by default as identity constraint pk_items primary key,"
		" name text not null constraint uq_items_name unique)");
	web.log = &silent;
	web.context = &rest;
	if (open_routes(routes, (struct ath_web_limits){ 0 }) != 0)
		return -1;
	options.loop = loop;
	return ath_models_check(models, &error) != ATH_OK ||
	       ath_engine_open(&rest.engine, database_url, &options, &error) != ATH_OK;
}

static int close_all(void **state)
{
	ath_engine_close(&rest.engine);
	close_web(state);
	return drop_database(state);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_gives_its_answer),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
