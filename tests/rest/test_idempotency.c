/*
 * test_idempotency.c - writes that are sent again under the same Idempotency-Key: one effect and
 * one answer, whatever the handler does with its session, and nothing of what failed.
 *
 * ATHANOR_TEST_URL is a server on which a database may be made; it is dropped at the end. The
 * library goes by way of a proxy that counts round trips and loses what it is told to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../db/proxy.h"
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

/* ---- handlers --------------------------------------------------------------------------- */

static int calls, before_commits, after_commits;
static bool committed; /* said the last ath_commit() */

static void add(struct ath_session *db, const char *name)
{
	struct item *item = item_new(db);

	item->name = name;
	item_add(db, item);
}

static struct ath_response *create(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	struct item *item = item_bind(request);

	calls++;
	item_add(db, item);
	committed = ath_commit(db);
	return item_created(request, item, "/items/%" PRId64, item->id);
}

/* In two commits, with a session that looks between them. */
static struct ath_response *create_two(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	struct ath_query q = ath_query(item);

	calls++;
	add(db, "one");
	ath_commit(db);
	add(db, "two");
	ath_commit(db);
	return ath_response_text(
		request, 201,
		ath_arena_printf(ath_request_arena(request), "%d", (int)ath_count(db, &q)));
}

/* Commits, and answers with ?status= */
static struct ath_response *commit_and_answer(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);

	calls++;
	add(db, "stored");
	committed = ath_commit(db);
	return ath_response_text(request, (int)ath_arg_int(request, "status", 200, 200, 599),
				 "answer");
}

static struct ath_response *no_answer(struct ath_request *request)
{
	(void)commit_and_answer(request);
	return NULL;
}

/* ?then=flush, add or nothing: after the commit */
static struct ath_response *change_after_commit(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	const char *then = ath_arg(request, "then");

	add(db, "first");
	ath_commit(db);
	if (strcmp(then, "nothing") != 0)
		add(db, "second");
	if (strcmp(then, "flush") == 0)
		ath_flush(db);
	return ath_response_text(request, 200, "done");
}

/* ?how=rollback, clear or savepoint: after the commit */
static struct ath_response *go_back_after_commit(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	const char *how = ath_arg(request, "how");
	struct ath_savepoint before;

	(void)ath_savepoint(db, &before);
	add(db, "first");
	ath_commit(db);
	if (strcmp(how, "rollback") == 0)
		ath_rollback(db);
	if (strcmp(how, "clear") == 0) {
		add(db, "first");
		ath_flush(db);
		ath_clear_error(db);
	}
	if (strcmp(how, "savepoint") == 0)
		(void)ath_rollback_to(db, &before);
	add(db, "second");
	ath_commit(db);
	return ath_response_text(request, 201, "done");
}

/* The first of two fails, and takes the transaction with the key along. */
static struct ath_response *clear_and_go_on(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);

	calls++;
	add(db, "taken");
	ath_commit(db);
	ath_clear_error(db);
	add(db, "other");
	ath_commit(db);
	return ath_response_text(request, 201, "went on");
}

static struct ath_response *savepoints(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	struct ath_savepoint before, later;

	calls++;
	(void)ath_savepoint(db, &before);
	add(db, "taken");
	ath_flush(db);
	(void)ath_rollback_to(db, &before);
	add(db, "kept");
	ath_commit(db);
	(void)ath_savepoint(db, &later);
	add(db, "taken");
	ath_flush(db);
	(void)ath_rollback_to(db, &later);
	add(db, "kept too");
	ath_commit(db);
	return ath_response_text(request, 201, "saved");
}

static struct ath_response *only_read(struct ath_request *request)
{
	calls++;
	return ath_response_text(request, 200,
				 ath_arena_printf(ath_request_arena(request), "call %d", calls));
}

static struct ath_response *long_answer(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	struct ath_response *response = ath_response_new(request, 200, "text/plain");
	int64_t length = ath_arg_int(request, "length", 0, 0, INT64_MAX);

	add(db, "long");
	ath_commit(db);
	while (length-- > 0)
		ath_buffer_append(ath_response_body(response), "x", 1);
	return response;
}

static struct ath_response *empty_answer(struct ath_request *request)
{
	struct ath_response *response = ath_response_empty(request, 204);

	add(ath_request_session(request), "deleted");
	ath_commit(ath_request_session(request));
	ath_response_header(response, "X-Latin", "\xe9");
	ath_response_cookie(response, "a", "b", NULL);
	return response;
}

/* What the COMMIT itself says: see the deferred constraint. */
static struct ath_response *fail_at_commit(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);

	ath_execute(db, "insert into late (name) values ('same')");
	ath_execute(db, "insert into late (name) values ('same')");
	committed = ath_commit(db);
	return ath_response_text(request, 201, "created");
}

static void count_commits(struct ath_session *db, enum ath_hook_event event,
			  const struct ath_model *model, void *object, void *arg)
{
	(void)model;
	(void)object;
	(void)arg;
	before_commits += event == ATH_BEFORE_COMMIT;
	if (event != ATH_AFTER_COMMIT)
		return;
	/* the true one is over: others see the row */
	after_commits += 1 + 100 * (int)ask_number("select count(*) from items");
	(void)db;
}

static struct ath_response *with_hooks(struct ath_request *request)
{
	ath_session_hook(ath_request_session(request), count_commits, NULL);
	return create_two(request);
}

/* ?lose=query or answer: that of the COMMIT */
static struct ath_response *lose_the_commit(struct ath_request *request)
{
	struct ath_response *response = create(request);
	const char *lose = ath_arg(request, "lose");

	if (calls == 1 && lose != NULL)
		tell_proxy(*lose == 'q' ? PROXY_LOSE_QUERY : PROXY_LOSE_ANSWER);
	return response;
}

/* Both hooks leave their mark: one in the handler's transaction, one in the answer. */
static struct ath_response *add_before(struct ath_request *request)
{
	add(ath_request_session(request), "before");
	return NULL;
}

static struct ath_response *mark_after(struct ath_request *request, struct ath_response *response)
{
	(void)request;
	ath_response_header(response, "X-After", "here");
	return response;
}

/* Behind a handler, or a handler of errors: whatever it was. */
static struct ath_response *whitewash(struct ath_request *request, struct ath_response *response)
{
	(void)response;
	return ath_response_text(request, 200, "all is well");
}

static const struct ath_error_handler whitewashes[] = { ATH_ON_CLASS(4, whitewash),
							ATH_ON_CLASS(5, whitewash),
							{ 0 } };

static struct ath_response *commit_and_refuse(struct ath_request *request)
{
	(void)commit_and_answer(request);
	return ath_problem(request, 404, "refused");
}

static const char *owner(struct ath_request *request)
{
	return ath_header(request, "X-User");
}

static const struct ath_route routes[] = {
	ATH_ROUTE(POST, "/items", create, .idempotency = ATH_IDEMPOTENCY_OPTIONAL),
	ATH_ROUTE(PUT, "/items", create, .idempotency = ATH_IDEMPOTENCY_OPTIONAL),
	ATH_ROUTE(POST, "/items/<n:int>", create, .idempotency = ATH_IDEMPOTENCY_OPTIONAL),
	ATH_ROUTE(POST, "/required", create, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/two", create_two, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/answer", commit_and_answer, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/no-answer", no_answer, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/change", change_after_commit, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/back", go_back_after_commit, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/clear", clear_and_go_on, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/savepoints", savepoints, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/read", only_read, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/long", long_answer, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(DELETE, "/empty", empty_answer, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/late", fail_at_commit, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/hooks", with_hooks, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/lose", lose_the_commit, .idempotency = ATH_IDEMPOTENCY_REQUIRED),
	ATH_ROUTE(POST, "/around", create, .idempotency = ATH_IDEMPOTENCY_REQUIRED,
		  .before = add_before, .after = mark_after),
	ATH_ROUTE(POST, "/washed/1", commit_and_refuse, .idempotency = ATH_IDEMPOTENCY_REQUIRED,
		  .after = whitewash),
	ATH_ROUTE(POST, "/washed/2", commit_and_refuse, .idempotency = ATH_IDEMPOTENCY_REQUIRED,
		  .errors = whitewashes),
	ATH_ROUTE(POST, "/washed/3", no_answer, .idempotency = ATH_IDEMPOTENCY_REQUIRED,
		  .after = whitewash),
	ATH_ROUTE(POST, "/washed/4", no_answer, .idempotency = ATH_IDEMPOTENCY_REQUIRED,
		  .errors = whitewashes),
	ATH_ROUTE(POST, "/owned", create, .idempotency = ATH_IDEMPOTENCY_REQUIRED,
		  .idempotency_owner = owner),
	{ 0 },
};

/* ---- requests ----------------------------------------------------------------------------- */

static struct ath_loop *loop;
static struct ath_rest rest = { .models = models };
static const struct ath_log silent = { .fd = -1 };
static struct ath_web web = { .log = &silent, .claim = ath_idempotency_claim, .context = &rest };

struct run {
	struct ath_request *request;
	struct ath_output output;
	int status;
	char answer[8192]; /* head and body; a longer body is cut */
};

static void run_fiber(void *arg)
{
	struct run *run = arg;

	ath_web_handle(run->request, &run->output);
}

static void begin_run(struct run *run, const char *method, const char *uri, const char *key,
		      const char *body)
{
	run->request = ath_request_new(&web);
	assert_non_null(run->request);
	put_usual_pairs(&run->request->raw_params, method, uri);
	if (key != NULL)
		put_pair(&run->request->raw_params, "HTTP_IDEMPOTENCY_KEY", key);
	ath_buffer_string(&run->request->raw_body, body);
	run->request->arrived = ath_now();
	run->request->deadline = run->request->arrived + web.limits.deadline_ms;
}

static void start_run(struct run *run)
{
	assert_int_equal(ath_loop_spawn(loop, run_fiber, run, run->request->deadline, NULL),
			 ATH_OK);
}

static void end_run(struct run *run)
{
	size_t head = run->output.head_length, body = run->output.body_length;

	body = head + body < sizeof run->answer ? body : sizeof run->answer - head - 1;
	memset(run->answer, 0, sizeof run->answer);
	memcpy(run->answer, run->output.head + ATH_HEAD_ROOM, head);
	memcpy(run->answer + head, run->output.body, body);
	assert_int_equal(sscanf(run->answer, "Status: %d ", &run->status), 1);
	ath_request_free(run->request);
}

static void run_fibers(void)
{
	while (ath_loop_fibers(loop) > 0)
		ath_loop_turn(loop, ATH_NEVER);
}

static struct run last;

/* HEADER, when there is one, is a parameter such as HTTP_X_USER. */
static void ask_with(const char *header, const char *value, const char *method, const char *uri,
		     const char *key, const char *body)
{
	begin_run(&last, method, uri, key, body);
	if (header != NULL)
		put_pair(&last.request->raw_params, header, value);
	start_run(&last);
	run_fibers();
	end_run(&last);
}

static void post(const char *uri, const char *key, const char *body)
{
	ask_with(NULL, NULL, "POST", uri, key, body);
}

#define REPLAYED "\r\nIdempotency-Replayed: true\r\n"

static void expect(int status, bool replayed, const char *part)
{
	if (last.status != status || (strstr(last.answer, REPLAYED) != NULL) != replayed ||
	    strstr(last.answer, part) == NULL)
		fail_msg("not %d %s %s:\n%s", status, replayed ? "replayed" : "", part,
			 last.answer);
}

static void expect_stored(const char *names, int keys)
{
	assert_string_equal(ask("select string_agg(name, ' ' order by id) from items"), names);
	assert_int_equal(ask_number("select count(*) from idempotency_keys"), keys);
	assert_int_equal(ask_number("select count(*) from pg_stat_activity where datname ="
				    " current_database() and state like 'idle in transaction%'"),
			 0);
}

/* ---- fixtures ------------------------------------------------------------------------------ */

static void create_tables(void)
{
	struct ath_session *db = NULL;

	assert_int_equal(ath_session_open(&db, rest.engine, NULL), ATH_OK);
	(void)ath_create_all(db, models);
	(void)ath_commit(db);
	if (ath_session_error(db) != NULL)
		fail_msg("%s", ath_session_error(db)->message);
	ath_session_close(&db);
	run_sql("create table late (name text constraint uq_late_name unique"
		" deferrable initially deferred)");
}

static int open_all(void **state)
{
	struct ath_engine_options options = { .log = &silent, .pool_size = 4, .pipelines = 1 };
	struct ath_error error = { 0 };

	if (create_database(state) != 0)
		return -1;
	start_proxy();
	if (ath_loop_open(&loop, &silent) != ATH_OK)
		return -1;
	options.loop = loop;
	if (ath_models_check(models, &error) != ATH_OK ||
	    ath_web_open(&web, routes, &error) != ATH_OK ||
	    ath_idempotency_check(&web, models, &error) != ATH_OK ||
	    ath_engine_open(&rest.engine, proxy_url, &options, &error) != ATH_OK) {
		fprintf(stderr, "%s\n", error.message);
		return -1;
	}
	create_tables();
	return 0;
}

static int close_all(void **state)
{
	ath_engine_close(&rest.engine);
	ath_web_close(&web);
	ath_loop_close(&loop);
	stop_proxy();
	return drop_database(state);
}

static int empty_tables(void **state)
{
	(void)state;
	run_sql("truncate items, idempotency_keys, late restart identity");
	calls = before_commits = after_commits = 0;
	committed = false;
	return 0;
}

static int with_one_taken(void **state)
{
	(void)empty_tables(state);
	run_sql("insert into items (name) values ('taken')");
	return 0;
}

/* ---- one effect, one answer ------------------------------------------------------------------ */

static void test_a_repeated_request_gets_the_first_answer(void **state)
{
	char first[sizeof last.answer];

	(void)state;
	post("/items", "k-1", "{\"name\":\"a\"}");
	expect(201, false, "\r\nLocation: /items/1\r\n");
	assert_true(committed);
	strcpy(first, last.answer);
	for (int i = 0; i < 12; i++) { /* more often than there are connections */
		post("/items", "k-1", "{\"name\":\"a\"}");
		expect(201, true, "{\"id\":1,\"name\":\"a\"}");
	}
	/* the same but for the line that says so */
	*strstr(last.answer, "Idempotency-Replayed") = '\0';
	assert_memory_equal(last.answer, first, strlen(last.answer));
	assert_int_equal(calls, 1);
	expect_stored("a", 1);
}

static void test_twenty_at_once(void **state)
{
	enum { REQUESTS = 20 };
	static struct run runs[REQUESTS];
	int replayed = 0;

	(void)state;
	for (int i = 0; i < REQUESTS; i++)
		begin_run(&runs[i], "POST", "/items", "k-20", "{\"name\":\"a\"}");
	for (int i = 0; i < REQUESTS; i++)
		start_run(&runs[i]);
	run_fibers();
	for (int i = 0; i < REQUESTS; i++) {
		end_run(&runs[i]);
		replayed += strstr(runs[i].answer, REPLAYED) != NULL;
		assert_int_equal(runs[i].status, 201);
		assert_non_null(strstr(runs[i].answer, "\r\nLocation: /items/1\r\n"));
		assert_string_equal(strstr(runs[i].answer, "\r\n\r\n"),
				    "\r\n\r\n{\"id\":1,\"name\":\"a\"}");
	}
	assert_int_equal(replayed, REQUESTS - 1);
	assert_int_equal(calls, 1);
	expect_stored("a", 1);
}

/* Those that wait for one that fails try it themselves, one after the other. */
static void test_twenty_at_once_that_fail(void **state)
{
	enum { REQUESTS = 20 };
	static struct run runs[REQUESTS];

	(void)state;
	for (int i = 0; i < REQUESTS; i++) {
		begin_run(&runs[i], "POST", "/answer?status=409", "k-20", "");
		start_run(&runs[i]);
	}
	run_fibers();
	for (int i = 0; i < REQUESTS; i++) {
		end_run(&runs[i]);
		assert_int_equal(runs[i].status, 409);
	}
	assert_int_equal(calls, REQUESTS);
	expect_stored("", 0);
}

static void test_what_another_request_is(void **state)
{
	static const char body[] = "{\"name\":\"a\"}";

	(void)state;
	post("/items", "k", body);
	expect(201, false, "");
	post("/items", "k", "{\"name\":\"b\"}");
	expect(422, false, "another request");
	post("/items?x=1", "k", body);
	expect(422, false, "another request");
	expect_stored("a", 1);
	/* of another route, under another key, or without one, it is a request of its own */
	ask_with(NULL, NULL, "PUT", "/items", "k", "{\"name\":\"b\"}");
	expect(201, false, "");
	post("/items", "K", "{\"name\":\"c\"}");
	expect(201, false, "");
	post("/items", NULL, "{\"name\":\"d\"}");
	expect(201, false, "");
	post("/items/1", "k", "{\"name\":\"e\"}");
	expect(201, false, "");
	post("/items/2", "k", "{\"name\":\"e\"}");
	expect(422, false, "another request");
	expect_stored("a b c d e", 4);
}

static void test_nobody_gets_the_answer_of_another(void **state)
{
	(void)state;
	ask_with("HTTP_AUTHORIZATION", "Bearer a", "POST", "/items", "k", "{\"name\":\"a\"}");
	expect(201, false, "");
	ask_with("HTTP_AUTHORIZATION", "Bearer b", "POST", "/items", "k", "{\"name\":\"a\"}");
	expect(409, false, "exists already");
	post("/items", "k", "{\"name\":\"a\"}");
	expect(409, false, "exists already");
	ask_with("HTTP_AUTHORIZATION", "Bearer a", "POST", "/items", "k", "{\"name\":\"a\"}");
	expect(201, true, "");
	/* where the route says who it is, nothing else does */
	ask_with("HTTP_X_USER", "7", "POST", "/owned", "k", "{\"name\":\"b\"}");
	expect(201, false, "");
	ask_with("HTTP_X_USER", "8", "POST", "/owned", "k", "{\"name\":\"b\"}");
	expect(409, false, "exists already");
	ask_with("HTTP_X_USER", "7", "POST", "/owned", "k", "{\"name\":\"b\"}");
	expect(201, true, "");
	expect_stored("a b", 2);
	assert_int_equal(ask_number("select count(*) from idempotency_keys k"
				    " where k::text ~ 'Bearer'"),
			 0);
}

static void test_keys(void **state)
{
	static char longest[256], too_long[257];
	static const char *const bad[] = { "", "a b", "\xc3\xa4", "\x7f", "a\t", too_long };

	(void)state;
	memset(longest, '~', 255);
	memset(too_long, '!', 256);
	for (size_t i = 0; i < ATH_COUNT(bad); i++) {
		post("/items", bad[i], "{\"name\":\"a\"}");
		expect(400, false, "Idempotency-Key must be");
	}
	post("/required", NULL, "{\"name\":\"a\"}");
	expect(400, false, "Idempotency-Key must be");
	expect_stored("", 0);
	post("/required", longest, "{\"name\":\"a\"}");
	expect(201, false, "");
	post("/required", longest, "{\"name\":\"a\"}");
	expect(201, true, "");
}

static void test_all_of_an_answer_is_kept(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		ask_with(NULL, NULL, "DELETE", "/empty", "k", "");
		expect(204, i == 1, "\r\nX-Latin: \xe9\r\nSet-Cookie: a=b; ");
		assert_null(strstr(last.answer, "\nContent-Type"));
	}
	post("/read", "k", "");
	expect(200, false, "Content-Type: text/plain; charset=utf-8");
	post("/read", "k", "");
	expect(200, true, "Content-Type: text/plain; charset=utf-8");
	assert_non_null(strstr(last.answer, "\r\n\r\ncall 1"));
	expect_stored("deleted", 2);
}

static void test_hooks_around_are_called_each_time(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		post("/around", "k", "{\"name\":\"a\"}");
		expect(201, i > 0, "\r\nX-After: here\r\n");
	}
	assert_int_equal(calls, 1);
	expect_stored("before a", 1);
}

/* ---- what failed is not remembered ------------------------------------------------------------
 */

static void test_a_request_that_failed_may_be_tried_again(void **state)
{
	static const char *const bad[] = { "{}", "{", "{\"name\":1}" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(bad); i++) {
		post("/items", "k", bad[i]);
		assert_true(last.status == 422 || last.status == 400);
	}
	post("/items", "k", "{\"name\":\"taken\"}");
	expect(409, false, "exists already");
	run_sql("delete from items");
	post("/items", "k", "{\"name\":\"taken\"}");
	expect(201, false, "");
	post("/items", "k", "{\"name\":\"taken\"}");
	expect(201, true, "");
	expect_stored("taken", 1);
}

static void test_an_answer_that_says_no_stores_nothing(void **state)
{
	static const struct {
		const char *uri;
		int status;
	} rows[] = { { "/answer?status=400", 400 }, { "/answer?status=404", 404 },
		     { "/answer?status=503", 503 }, { "/no-answer", 500 },
		     { "/answer?status=200", 200 }, { "/answer?status=303", 303 } };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		(void)empty_tables(state);
		post(rows[i].uri, "k", "");
		assert_int_equal(last.status, rows[i].status);
		assert_true(committed);
		expect_stored(rows[i].status < 400 ? "stored" : "", rows[i].status < 400);
	}
}

/* What the handler has committed is rolled back then, and no hook makes a success of that. */
static void test_an_answer_that_says_no_stays_so(void **state)
{
	static const struct {
		const char *uri, *part;
		int status;
	} rows[] = { { "/washed/1", "refused", 404 },
		     { "/washed/2", "refused", 404 },
		     { "/washed/3", "problem+json", 500 },
		     { "/washed/4", "problem+json", 500 } };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		post(rows[i].uri, "k", "");
		expect(rows[i].status, false, rows[i].part);
		assert_true(committed);
		expect_stored("", 0);
	}
}

static void test_what_the_commit_itself_meets(void **state)
{
	(void)state;
	post("/late", "k", "");
	assert_true(committed); /* all that a flush can tell */
	expect(409, false, "problem+json");
	assert_int_equal(ask_number("select count(*) from late"), 0);
	expect_stored("", 0);
}

/* One MiB is kept, one byte more is not. */
static void test_a_long_answer(void **state)
{
	(void)state;
	post("/long?length=1048577", "k", "");
	expect(500, false, "problem+json");
	expect_stored("", 0);
	post("/long?length=1048576", "k", "");
	expect(200, false, "Content-Length: 1048576\r\n");
	post("/long?length=1048576", "k", "");
	expect(200, true, "Content-Length: 1048576\r\n");
	expect_stored("long", 1);
}

/* ---- sessions in a handler --------------------------------------------------------------------
 */

static void test_several_commits_are_one(void **state)
{
	(void)state;
	post("/two", "k", "");
	expect(201, false, "\r\n\r\n2");
	post("/two", "k", "");
	expect(201, true, "\r\n\r\n2");
	assert_int_equal(calls, 1);
	expect_stored("one two", 1);
}

static void test_hooks_of_a_commit(void **state)
{
	(void)state;
	post("/hooks", "k", "");
	expect(201, false, "");
	assert_int_equal(before_commits, 2);
	assert_int_equal(after_commits, 201); /* once, and it saw both rows */
}

static void test_what_is_changed_after_the_commit(void **state)
{
	(void)state;
	post("/change?then=add", "k", "");
	expect(500, false, "");
	post("/change?then=flush", "k", "");
	expect(500, false, "");
	expect_stored("", 0);
	post("/change?then=nothing", "k", "");
	expect(200, false, "");
	expect_stored("first", 1);
}

static void test_what_was_committed_and_is_rolled_back(void **state)
{
	static const char *const uris[] = { "/back?how=rollback", "/back?how=clear",
					    "/back?how=savepoint" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(uris); i++) {
		post(uris[i], "k", "");
		expect(500, false, "problem+json");
		expect_stored("", 0);
	}
}

static void test_an_error_that_was_cleared(void **state)
{
	(void)state;
	post("/clear", "k", "");
	expect(201, false, "went on");
	post("/clear", "k", "");
	expect(201, true, "went on");
	assert_int_equal(calls, 1);
	expect_stored("taken other", 1);
}

/* The key goes with the transaction that fails, so that they meet in the second one. */
static void test_errors_that_are_cleared_at_once(void **state)
{
	enum { REQUESTS = 20 };
	static struct run runs[REQUESTS];
	int replayed = 0;

	(void)state;
	for (int i = 0; i < REQUESTS; i++) {
		begin_run(&runs[i], "POST", "/clear", "k", "");
		start_run(&runs[i]);
	}
	run_fibers();
	for (int i = 0; i < REQUESTS; i++) {
		end_run(&runs[i]);
		replayed += strstr(runs[i].answer, REPLAYED) != NULL;
		assert_int_equal(runs[i].status, 201);
	}
	assert_int_equal(replayed, REQUESTS - 1);
	expect_stored("taken other", 1);
}

static void test_savepoints(void **state)
{
	(void)state;
	post("/savepoints", "k", "");
	expect(201, false, "saved");
	post("/savepoints", "k", "");
	expect(201, true, "saved");
	assert_int_equal(calls, 1);
	expect_stored("taken kept kept too", 1);
}

/* ---- the connection ---------------------------------------------------------------------------
 */

/* It is stored, nobody knows, and the client asks again. */
static void test_the_answer_of_the_commit_is_lost(void **state)
{
	(void)state;
	post("/lose?lose=answer", "k", "{\"name\":\"a\"}");
	expect(503, false, "outcome-unknown");
	post("/lose?lose=answer", "k", "{\"name\":\"a\"}");
	expect(201, true, "\r\nLocation: /items/1\r\n");
	assert_int_equal(calls, 1);
	expect_stored("a", 1);
}

static void test_the_commit_is_lost(void **state)
{
	(void)state;
	post("/lose?lose=query", "k", "{\"name\":\"a\"}");
	expect(503, false, "outcome-unknown");
	post("/lose?lose=query", "k", "{\"name\":\"a\"}");
	expect(201, false, "");
	post("/lose?lose=query", "k", "{\"name\":\"a\"}");
	expect(201, true, "");
	assert_int_equal(calls, 2);
	expect_stored("a", 1);
}

static void expect_round_trips(const char *key, int expected)
{
	tell_proxy(PROXY_RESET);
	post("/items", key, "{\"name\":\"n\"}");
	run_sql("delete from items");
	assert_int_equal(last.status, 201);
	assert_int_equal(atomic_load(&proxy_counts->round_trips), expected);
}

static void test_round_trips(void **state)
{
	(void)state;
	post("/items", "warm up", "{\"name\":\"w\"}");
	post("/items", "warm up", "{\"name\":\"w\"}");
	expect_round_trips(NULL, 1); /* the plain write, with its COMMIT */
	expect_round_trips("k", 3);  /* the key, the rows, the answer with the COMMIT */
	expect_round_trips("k", 2);  /* the key, and the ROLLBACK */
}

/* ---- old keys ---------------------------------------------------------------------------------
 */

static void test_an_old_key_counts_as_new(void **state)
{
	(void)state;
	post("/items", "k", "{\"name\":\"a\"}");
	run_sql("update idempotency_keys set created_at = now() - interval '23 hours 59 minutes'");
	post("/items", "k", "{\"name\":\"a\"}");
	expect(201, true, "");
	run_sql("update idempotency_keys set created_at = now() - interval '24 hours 1 second'");
	post("/items", "k", "{\"name\":\"b\"}");
	expect(201, false, "");
	post("/items", "k", "{\"name\":\"b\"}");
	expect(201, true, "");
	post("/items", "k", "{\"name\":\"a\"}");
	expect(422, false, "another request");
	expect_stored("a b", 1);
}

static void test_old_keys_are_deleted(void **state)
{
	struct ath_session *db = NULL;

	(void)state;
	run_sql("insert into idempotency_keys (id, fingerprint, created_at, status, content_type,"
		" headers, body) select i::text, '', now() + interval '30 seconds' - i * interval "
		"'1 minute', 200, '',"
		" '', '' from generate_series(1, 1440 + 1005) i");
	assert_int_equal(ath_session_open(&db, rest.engine, NULL), ATH_OK);
	assert_int_equal(ath_idempotency_clean(db), 1000);
	assert_int_equal(ath_idempotency_clean(db), 5);
	assert_int_equal(ath_idempotency_clean(db), 0);
	assert_true(ath_commit(db));
	ath_session_close(&db);
	assert_int_equal(ask_number("select count(*) from idempotency_keys"), 1440);
}

/* ---- at start ---------------------------------------------------------------------------------
 */

static void expect_refused(const struct ath_route *table, const struct ath_model *const *listed,
			   const char *why)
{
	struct ath_web other = { .log = &silent };
	struct ath_error error = { 0 };

	assert_int_equal(ath_web_open(&other, table, &error), ATH_OK);
	assert_int_equal(ath_idempotency_check(&other, listed, &error),
			 why == NULL ? ATH_OK : ATH_EINVAL);
	if (why != NULL)
		assert_string_equal(error.message, why);
	ath_web_close(&other);
}

static void mounted(struct FCGX_Stream *in, struct FCGX_Stream *out, struct FCGX_Stream *err,
		    char **envp)
{
	(void)in;
	(void)out;
	(void)err;
	(void)envp;
}

static void test_what_is_refused_at_start(void **state)
{
	static const struct ath_model *const without[] = { &item_model, NULL };
	static const struct ath_route plain[] = { ATH_ROUTE(POST, "/x", create), { 0 } };
	static const struct ath_route reads[] = {
		ATH_ROUTE(GET, "/x", create, .idempotency = ATH_IDEMPOTENCY_OPTIONAL), { 0 }
	};
	static const struct ath_route streams[] = {
		ATH_ROUTE(POST, "/x", create, .idempotency = ATH_IDEMPOTENCY_OPTIONAL,
			  .stream_body = true),
		{ 0 }
	};
	static const struct ath_route mounts[] = {
		ATH_ROUTE(POST, "/x", create, .idempotency = ATH_IDEMPOTENCY_OPTIONAL,
			  .fcgx = mounted),
		{ 0 }
	};
	static const struct ath_route grouped[] = {
		ATH_GROUP("/g", plain, .idempotency = ATH_IDEMPOTENCY_OPTIONAL), { 0 }
	};

	(void)state;
	expect_refused(plain, without, NULL);
	expect_refused(routes, models, NULL);
	expect_refused(routes, without,
		       "route /items: .idempotency needs &ath_idempotency_key_model in the list "
		       "of models");
	expect_refused(reads, models, "route /x: .idempotency is for what writes");
	expect_refused(streams, models,
		       "route /x: .idempotency is neither for .stream_body nor for ath_fcgx()");
	expect_refused(mounts, models,
		       "route /x: .idempotency is neither for .stream_body nor for ath_fcgx()");
	expect_refused(grouped, models, "group /g: .idempotency is for its routes");
}

#define TEST(name) cmocka_unit_test_setup(name, empty_tables)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_repeated_request_gets_the_first_answer),
		TEST(test_twenty_at_once),
		TEST(test_twenty_at_once_that_fail),
		TEST(test_what_another_request_is),
		TEST(test_nobody_gets_the_answer_of_another),
		TEST(test_keys),
		TEST(test_all_of_an_answer_is_kept),
		TEST(test_hooks_around_are_called_each_time),
		cmocka_unit_test_setup(test_a_request_that_failed_may_be_tried_again,
				       with_one_taken),
		TEST(test_an_answer_that_says_no_stores_nothing),
		TEST(test_an_answer_that_says_no_stays_so),
		TEST(test_what_the_commit_itself_meets),
		TEST(test_a_long_answer),
		TEST(test_several_commits_are_one),
		TEST(test_hooks_of_a_commit),
		TEST(test_what_is_changed_after_the_commit),
		TEST(test_what_was_committed_and_is_rolled_back),
		cmocka_unit_test_setup(test_an_error_that_was_cleared, with_one_taken),
		cmocka_unit_test_setup(test_errors_that_are_cleared_at_once, with_one_taken),
		cmocka_unit_test_setup(test_savepoints, with_one_taken),
		TEST(test_the_answer_of_the_commit_is_lost),
		TEST(test_the_commit_is_lost),
		TEST(test_round_trips),
		TEST(test_an_old_key_counts_as_new),
		TEST(test_old_keys_are_deleted),
		TEST(test_what_is_refused_at_start),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
