/*
 * test_allocations.c - every allocation fails, from the arena to the fronts: see allocator.h. After
 * each run the same thing is done again with memory, where there is a server or a request that
 * outlives it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../web/fcgi_client.h"
#include "db/url.h"
#include "rest/internal.h"

#include "allocator.h"

/* ---- base, and readers over bytes ---------------------------------------------------- */

static void count_cleanup(void *arg)
{
	++*(int *)arg;
}

/* True when all of it went well; what went wrong the arena and the buffer have to know. */
static bool use_memory(struct ath_arena *arena, struct ath_buffer *heap, int *cleanups)
{
	struct ath_buffer buffer;
	char *text = ath_arena_printf(arena, "%01000d", 7);
	bool noted = ath_arena_defer(arena, count_cleanup, cleanups);

	ath_buffer_init(&buffer, arena, 1 << 20);
	for (int i = 0; i < 3000; i++) {
		ath_buffer_printf(&buffer, "%d,", i);
		ath_buffer_int64(heap, i);
	}
	return text != NULL && noted && strlen(text) == 1000 && !buffer.failed && !heap->failed &&
	       strlen(ath_buffer_c_string(&buffer)) == 13890 &&
	       ath_new(arena, struct ath_error, 500) != NULL;
}

static enum result run_memory(struct shortage *shortage, const void *with)
{
	struct ath_arena *arena;
	struct ath_buffer heap;
	enum result result = REFUSED;
	int cleanups = 0;
	bool known;

	(void)with;
	ath_buffer_init(&heap, NULL, 1 << 20);
	begin(shortage);
	if (ath_arena_open(&arena, 0) == ATH_OK) {
		result = use_memory(arena, &heap, &cleanups) ? WHOLE : REFUSED;
		known = ath_arena_failed(arena) || heap.failed;
		if (known != (result == REFUSED))
			result = wrong(shortage, "the failure does not stick");
		ath_arena_reset(arena);
		end(shortage);
		ath_buffer_free(&heap);
		if (!use_memory(arena, &heap, &cleanups))
			result = wrong(shortage, "of no use after the reset");
		ath_arena_close(&arena);
	}
	end(shortage);
	ath_buffer_free(&heap);
	return result;
}

static void test_memory(void **state)
{
	(void)state;
	fail_everywhere(run_memory, NULL);
}

static enum result run_json(struct shortage *shortage, const void *with)
{
	const struct ath_text *text = with;
	struct ath_json_document document;
	struct ath_error error = { 0 };
	struct ath_arena *arena;
	enum ath_status status;
	enum result result = REFUSED;

	begin(shortage);
	status = ath_arena_open(&arena, 0);
	if (status != ATH_OK) {
		end(shortage);
		return status == ATH_ENOMEM ? REFUSED : wrong(shortage, "another status");
	}
	status = ath_json_read(arena, text->data, text->length, &document, &error);
	if (status == ATH_OK) {
		const struct ath_json_token *name =
			ath_json_member(&document, &document.tokens[0], "name");
		struct ath_text value = ath_json_string(arena, &document, name);

		if (value.data != NULL)
			result = ath_text_is(value, "Ad\xc3\xa4 \xe2\x82\xac")
					 ? WHOLE
					 : wrong(shortage, "another text");
	}
	end(shortage);
	if (result == REFUSED &&
	    (!ath_arena_failed(arena) ||
	     (status != ATH_OK &&
	      (status != ATH_ENOMEM || error.status != status || !*error.message))))
		result = wrong(shortage, "it does not say why");
	ath_arena_close(&arena);
	return result;
}

static void test_json(void **state)
{
	struct ath_buffer text;
	struct ath_text whole;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 20);
	ath_buffer_string(&text, "{\"numbers\":[0");
	for (int i = 1; i < 5000; i++)
		ath_buffer_printf(&text, ",%d", i);
	ath_buffer_string(&text, "],\"n\\u0061me\":\"Ad\\u00e4 \\u20ac\"}");
	assert_false(text.failed);
	whole = (struct ath_text){ text.data, text.length };
	fail_everywhere(run_json, &whole);
	ath_buffer_free(&text);
}

static enum result run_url(struct shortage *shortage, const void *with)
{
	struct ath_engine_options options = { 0 };
	const struct ath_driver *driver;
	struct ath_error error = { 0 };
	enum result result = REFUSED;
	enum ath_status status;
	char *rest;

	(void)with;
	begin(shortage);
	status = ath_url_read("postgresql+x://u@h/d?pool_size=3&application_name=a", &driver,
			      &options, &rest, &error);
	end(shortage);
	if (status == ATH_OK)
		result = strcmp(rest, "postgresql://u@h/d?application_name=a") == 0 &&
					 options.pool_size == 3
				 ? WHOLE
				 : wrong(shortage, "another URL");
	else if (status != ATH_ENOMEM || rest != NULL || error.status != status || !*error.message)
		result = wrong(shortage, "it does not say why");
	free(rest);
	return result;
}

static void test_url(void **state)
{
	(void)state;
	fail_everywhere(run_url, NULL);
}

/* ---- the router ---------------------------------------------------------------------- */

static struct ath_response *nothing(struct ath_request *request)
{
	return ath_response_empty(request, 204);
}

static const struct ath_route many_routes[] = {
	ATH_ROUTE(GET, "/a", nothing),
	ATH_ROUTE(GET, "/b/c", nothing),
	ATH_ROUTE(GET, "/b/<id:int>", nothing),
	ATH_ROUTE(POST, "/b/<other:int>", nothing),
	ATH_ROUTE(GET, "/b/<name:str>/d", nothing),
	ATH_ROUTE(DELETE, "/", nothing),
	{ 0 },
};

static enum result run_router(struct shortage *shortage, const void *with)
{
	struct ath_text segments[] = { ath_text("b"), ath_text("7") };
	struct ath_router *router;
	struct ath_error error = { 0 };
	enum ath_status status;
	struct ath_match match;
	bool found;

	(void)with;
	begin(shortage);
	status = ath_router_open(&router, many_routes, &error);
	end(shortage);
	if (status != ATH_OK)
		return status == ATH_ENOMEM && router == NULL && error.status == status
			       ? REFUSED
			       : wrong(shortage, "it does not say why");
	ath_router_match(router, ATH_METHOD_POST, segments, 2, &match);
	found = match.leaf != NULL && match.leaf->route == &many_routes[3];
	ath_router_close(&router);
	return found ? WHOLE : wrong(shortage, "another route");
}

static void test_router(void **state)
{
	(void)state;
	fail_everywhere(run_router, NULL);
}

/* ---- the loop ------------------------------------------------------------------------ */

static bool quiet_log_is_open;
static struct ath_log quiet_log = { .level = ATH_LOG_DEBUG };

static const struct ath_log *quiet(void)
{
	if (!quiet_log_is_open)
		quiet_log.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(quiet_log.fd >= 0);
	quiet_log_is_open = true;
	return &quiet_log;
}

struct steps {
	int done, refused;
};

static void count_job(void *arg)
{
	++*(int *)arg;
}

static void second_task(void *arg)
{
	struct steps *steps = arg;

	steps->done += ath_sleep(1) == ATH_OK;
}

static void first_task(void *arg)
{
	struct steps *steps = arg;
	int jobs = 0;

	for (int i = 0; i < 3; i++) {
		steps->refused += ath_spawn(second_task, steps) == ATH_ENOMEM;
		steps->refused += ath_offload(count_job, &jobs) == ATH_ENOMEM;
	}
	steps->done += jobs;
}

static enum result run_loop(struct shortage *shortage, const void *with)
{
	struct ath_loop *loop;
	enum ath_status status;
	struct steps steps = { 0 };

	(void)with;
	begin(shortage);
	status = ath_loop_open(&loop, quiet());
	if (status == ATH_OK) {
		status = ath_loop_spawn(loop, first_task, &steps, ATH_NEVER, NULL);
		while (ath_loop_fibers(loop) > 0)
			ath_loop_turn(loop, ATH_NEVER);
		ath_loop_close(&loop);
	}
	end(shortage);
	if (status != ATH_OK)
		return status == ATH_ENOMEM && loop == NULL && steps.done == 0
			       ? REFUSED
			       : wrong(shortage, "another status");
	if (steps.done + steps.refused != 6)
		return wrong(shortage, "a task or a job was lost, or ran twice");
	return steps.refused == 0 ? WHOLE : REFUSED;
}

static void test_loop(void **state)
{
	(void)state;
	fail_everywhere(run_loop, NULL);
}

/* ---- an application ------------------------------------------------------------------ */

struct thing {
	int64_t id;
	char *name;
	struct ath_null_int32 size;
	struct ath_timestamp made;
};
ATH_DECLARE(thing);
ATH_MODEL(thing, "things", ATH_COLUMN(thing, id, .primary_key = true),
	  ATH_COLUMN(thing, name, .min_length = 2, .unique = true),
	  ATH_COLUMN(thing, size, .min = 0, .max = 9),
	  ATH_COLUMN(thing, made, .server_default = "now()"));

static const struct ath_model *const models[] = { &thing_model, NULL };

static struct ath_response *bind_thing(struct ath_request *request)
{
	struct thing *thing = thing_bind(request);

	thing_patch(request, thing);
	return thing_created(request, thing, "/things/%s", "1");
}

static struct ath_response *list_things(struct ath_request *request)
{
	int64_t count = ath_path_int(request, "count");
	struct thing **items = ath_new(ath_request_arena(request), struct thing *, (size_t)count);

	for (int64_t i = 0; items != NULL && i < count; i++) {
		items[i] = ath_new(ath_request_arena(request), struct thing, 1);
		if (items[i] == NULL)
			return NULL;
		items[i]->id = i;
		items[i]->name = ath_arena_printf(ath_request_arena(request), "number %d", (int)i);
	}
	return thing_list_json(request, 200,
			       (struct thing_list){ items, items == NULL ? 0 : (size_t)count });
}

static struct ath_response *echo_document(struct ath_request *request)
{
	struct cJSON *document = ath_body_json(request);

	return document == NULL ? NULL
				: ath_response_json(request, 200, cJSON_Duplicate(document, true));
}

static struct ath_response *echo_parts(struct ath_request *request)
{
	const char *a = ath_arg(request, "a"), *agent = ath_header(request, "User-Agent");
	char *text = ath_arena_printf(ath_request_arena(request), "%s %s %s %d",
				      ath_path_str(request, "name"), a == NULL ? "-" : a,
				      agent == NULL ? "-" : agent,
				      (int)ath_arg_int(request, "n", 0, 0, 100));

	return text == NULL ? NULL : ath_response_text(request, 200, text);
}

/* The database is away: 503. */
static struct ath_response *get_thing(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	struct thing *thing = thing_get(db, ath_path_int(request, "id"));

	return thing_json(request, 200, thing);
}

static struct ath_response *store_thing(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);
	struct ath_query q = ath_query(thing);
	struct thing *thing = thing_bind(request), *other = thing_new(db);

	if (other != NULL)
		other->name = thing->name;
	thing_add(db, thing);
	thing_add(db, other);
	ath_where(&q, ATH_EQ(thing, name, "one"));
	ath_paginate(&q, request);
	ath_commit(db);
	ath_clear_error(db);
	(void)thing_all(db, &q);
	thing_delete(db, thing);
	ath_commit(db);
	return thing_created(request, thing, "/things/%" PRId64, thing->id);
}

static const struct ath_route routes[] = {
	ATH_ROUTE(POST, "/things", bind_thing),
	ATH_ROUTE(GET, "/things/<count:int>/list", list_things),
	ATH_ROUTE(POST, "/documents", echo_document),
	ATH_ROUTE(GET, "/parts/<name:str>", echo_parts),
	ATH_ROUTE(GET, "/stored/<id:int>", get_thing),
	ATH_ROUTE(POST, "/stored", store_thing),
	{ 0 },
};

static const struct exchange {
	const char *method, *uri, *body;
	int status;
} exchanges[] = {
	{ "POST", "/things", "{\"name\":\"\\u0061b\",\"size\":null}", 201 },
	{ "POST", "/things", "{\"name\":\"a\",\"size\":10,\"other~\":1}", 422 },
	{ "POST", "/things", "{\"name\":", 400 },
	{ "GET", "/things/100/list", NULL, 200 },
	{ "HEAD", "/things/3/list", NULL, 200 },
	{ "POST", "/documents", "{\"a\":[1,2.5,\"\\u00e4\",{\"b\":null}]}", 200 },
	{ "POST", "/documents", "{\"a\":\"\\u0000\"}", 422 },
	{ "GET", "/parts/a%20b?a=%C3%A4+b&n=7", NULL, 200 },
	{ "GET", "/parts/a%20b?a=1&n=101", NULL, 422 },
	{ "GET", "/parts/%80", NULL, 400 },
	{ "DELETE", "/things", NULL, 405 },
	{ "OPTIONS", "/things", NULL, 204 },
	{ "GET", "/nowhere", NULL, 404 },
};

static const char *const origins[] = { "https://app.example.org", NULL };
static const char *const exposed[] = { "Location", "ETag", NULL };
static const struct ath_cors cors = { .origins = origins, .exposed_headers = exposed };

/* ---- requests ------------------------------------------------------------------------ */

/* As a front would: the parameters, then the body. */
static void fill_request(struct ath_request *request, const struct exchange *exchange)
{
	put_usual_pairs(&request->raw_params, exchange->method, exchange->uri);
	put_pair(&request->raw_params, "HTTP_USER_AGENT", "curl");
	put_pair(&request->raw_params, "HTTP_ORIGIN", origins[0]);
	put_pair(&request->raw_params, "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "POST");
	if (exchange->body != NULL)
		ath_buffer_string(&request->raw_body, exchange->body);
	request->arrived = ath_now();
	request->deadline = request->arrived + PATIENCE_MS;
}

/* The status, or 0 when head and body are not those of one answer. */
static int status_of(const struct exchange *exchange, const char *head, size_t head_length,
		     size_t body_length)
{
	struct ath_buffer text;
	const char *length;
	int status = 0;

	ath_buffer_init(&text, NULL, 1 << 20);
	ath_buffer_append(&text, head, head_length);
	if (sscanf(ath_buffer_c_string(&text), "Status: %d ", &status) != 1 ||
	    strcmp(text.data + text.length - 4, "\r\n\r\n") != 0)
		status = 0;
	length = strstr(ath_buffer_c_string(&text), "Content-Length: ");
	if (length != NULL && strcmp(exchange->method, "HEAD") != 0 &&
	    strtoul(length + 16, NULL, 10) != body_length)
		status = 0;
	ath_buffer_free(&text);
	return status;
}

/* All the lines that a page of another origin is to see, or none. */
static bool is_for_the_page(const struct exchange *exchange, const struct ath_output *output)
{
	static const char *const lines[] = {
		"\r\nAccess-Control-Allow-Origin: https://app.example.org\r\n",
		"\r\nVary: Origin\r\n",
		"\r\nX-Frame-Options: DENY\r\n",
	};
	bool preflight = strcmp(exchange->method, "OPTIONS") == 0;
	const char *last = preflight ? "\r\nAccess-Control-Max-Age: 600\r\n"
				     : "\r\nAccess-Control-Expose-Headers: Location, ETag\r\n";
	const char *head = output->head + ATH_HEAD_ROOM;

	for (size_t i = 0; i < ATH_COUNT(lines); i++)
		if (memmem(head, output->head_length, lines[i], strlen(lines[i])) == NULL)
			return false;
	return memmem(head, output->head_length, last, strlen(last)) != NULL;
}

static enum result judge(struct shortage *shortage, const struct exchange *exchange,
			 const struct ath_output *output)
{
	int status = status_of(exchange, output->head + ATH_HEAD_ROOM, output->head_length,
			       output->body_length);

	if (status == exchange->status)
		return is_for_the_page(exchange, output) ? WHOLE
							 : wrong(shortage, "lines are missing");
	return status == 500 ? REFUSED : wrong(shortage, "another answer");
}

struct served {
	struct ath_web *web;
	const struct exchange *exchange;
	struct shortage *shortage;
	enum result result;
};

/*
 * One request with too little memory, and the same one again with enough. The answer to the
 * second is what the first has to be, if it is whole.
 */
static void serve_twice(void *arg)
{
	struct served *served = arg;
	struct shortage *shortage = served->shortage;
	struct ath_request *request;
	struct ath_output output;
	struct ath_buffer body;

	served->result = REFUSED;
	begin(shortage);
	request = ath_request_new(served->web);
	if (request == NULL) {
		end(shortage);
		return;
	}
	fill_request(request, served->exchange);
	ath_web_handle(request, &output);
	end(shortage);
	served->result = judge(shortage, served->exchange, &output);
	ath_buffer_init(&body, NULL, 1 << 20);
	ath_buffer_append(&body, output.body, output.body_length);
	ath_request_reset(request);
	fill_request(request, served->exchange);
	ath_web_handle(request, &output);
	if (judge(shortage, served->exchange, &output) != WHOLE)
		served->result = wrong(shortage, "the next request does not find all as new");
	else if (served->result == WHOLE &&
		 (output.body_length != body.length ||
		  (body.length > 0 && memcmp(output.body, body.data, body.length) != 0)))
		served->result = wrong(shortage, "another body");
	ath_buffer_free(&body);
	ath_request_free(request);
}

static enum result run_exchange(struct shortage *shortage, const void *with)
{
	struct ath_rest rest = { .models = models };
	struct ath_web web = {
		.log = quiet(), .access = &quiet_log, .cors = &cors, .context = &rest
	};
	struct served served = { .web = &web, .exchange = with, .shortage = shortage };
	struct ath_error error = { 0 };
	struct ath_loop *loop;

	assert_int_equal(ath_web_open(&web, routes, &error), ATH_OK);
	assert_int_equal(ath_loop_open(&loop, quiet()), ATH_OK);
	assert_int_equal(ath_loop_spawn(loop, serve_twice, &served, ATH_NEVER, NULL), ATH_OK);
	while (ath_loop_fibers(loop) > 0)
		ath_loop_turn(loop, ATH_NEVER);
	ath_loop_close(&loop);
	ath_web_close(&web);
	return served.result;
}

static void test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(exchanges); i++) {
		print_message("%s %s\n", exchanges[i].method, exchanges[i].uri);
		fail_everywhere(run_exchange, &exchanges[i]);
	}
}

/* ---- a database that is away --------------------------------------------------------- */

/* No server has its socket below a file. */
static const char away[] = "postgresql:///nobody?host=/dev/null/x&user=nobody";

static enum result run_engine(struct shortage *shortage, const void *with)
{
	struct ath_engine_options options = { .log = quiet() };
	struct ath_error error = { 0 };
	struct ath_engine *engine;
	enum ath_status status;

	(void)with;
	begin(shortage);
	status = ath_engine_open(&engine, away, &options, &error);
	ath_engine_close(&engine);
	end(shortage);
	if (status == ATH_OK)
		return WHOLE;
	return error.status == status && *error.message != '\0'
		       ? REFUSED
		       : wrong(shortage, "it does not say why");
}

static enum result run_session(struct shortage *shortage, const void *with)
{
	struct ath_engine_options options = { .log = quiet() };
	struct ath_session *db;
	struct ath_error error = { 0 };
	struct ath_engine *engine;
	enum result result = REFUSED;
	struct thing thing = { .name = (char *)(uintptr_t) "one" };

	assert_int_equal(ath_engine_open(&engine, away, &options, &error), ATH_OK);
	begin(shortage);
	if (ath_session_open(&db, engine, NULL) == ATH_OK) {
		if (with == NULL)
			(void)thing_get(db, 7);
		else
			thing_add(db, &thing);
		if (with != NULL && ath_commit(db))
			result = wrong(shortage, "stored in no database");
		end(shortage);
		if (ath_session_error(db) == NULL || *ath_session_error(db)->message == '\0')
			result = wrong(shortage, "no error");
		else if (!shortage->struck)
			result = ath_session_error(db)->status == ATH_EUNAVAILABLE
					 ? WHOLE
					 : wrong(shortage, "another error");
		ath_session_close(&db);
	}
	end(shortage);
	ath_engine_close(&engine);
	return result;
}

static void test_engine(void **state)
{
	struct ath_error error = { 0 };
	struct ath_engine *engine;

	(void)state;
	/* libpq's first message loads its catalogue, which stays */
	assert_int_equal(ath_engine_open(&engine, "postgresql:///?no=1", NULL, &error), ATH_EINVAL);
	fail_everywhere(run_engine, NULL);
}

static void test_read_session(void **state)
{
	(void)state;
	fail_everywhere(run_session, NULL);
}

static void test_write_session(void **state)
{
	(void)state;
	fail_everywhere(run_session, "a write");
}

/*
 * Handlers that test nothing, as those of an application do: 503 when all goes well. (No second
 * request: the engine waits a little before it connects again.)
 */
static void serve_once(void *arg)
{
	struct served *served = arg;
	struct shortage *shortage = served->shortage;
	struct ath_request *request;
	struct ath_output output;

	served->result = REFUSED;
	begin(shortage);
	request = ath_request_new(served->web);
	if (request != NULL) {
		fill_request(request, served->exchange);
		ath_web_handle(request, &output);
	}
	end(shortage);
	if (request == NULL)
		return;
	served->result = judge(shortage, served->exchange, &output);
	/* want of memory is one more reason for which a database is away */
	if (served->result == WHOLE && shortage->stays && shortage->struck)
		served->result = REFUSED;
	ath_request_free(request);
}

static enum result run_stored(struct shortage *shortage, const void *with)
{
	struct ath_engine_options options = { .log = quiet(),
					      .sql_comments = ATH_SQL_COMMENTS_REQUEST };
	struct ath_rest rest = { .models = models };
	struct ath_web web = {
		.log = quiet(), .cors = &cors, .context = &rest, .tell_statements = true
	};
	struct served served = { .web = &web, .exchange = with, .shortage = shortage };
	struct ath_error error = { 0 };

	assert_int_equal(ath_loop_open(&options.loop, quiet()), ATH_OK);
	assert_int_equal(ath_engine_open(&rest.engine, away, &options, &error), ATH_OK);
	assert_int_equal(ath_web_open(&web, routes, &error), ATH_OK);
	assert_int_equal(ath_loop_spawn(options.loop, serve_once, &served, ATH_NEVER, NULL),
			 ATH_OK);
	while (ath_loop_fibers(options.loop) > 0)
		ath_loop_turn(options.loop, ATH_NEVER);
	ath_web_close(&web);
	ath_engine_close(&rest.engine);
	ath_loop_close(&options.loop);
	return served.result;
}

static void test_stored(void **state)
{
	static const struct exchange get = { "GET", "/stored/7", NULL, 503 };
	static const struct exchange store = { "POST", "/stored", "{\"name\":\"one\"}", 503 };

	(void)state;
	fail_everywhere(run_stored, &get);
	fail_everywhere(run_stored, &store);
}

/* ---- the fronts ---------------------------------------------------------------------- */

static enum result run_cgi(struct shortage *shortage, const void *with)
{
	static const char *const environment[] = { "REQUEST_METHOD=POST", "REQUEST_URI=/documents",
						   "CONTENT_LENGTH=7", NULL };
	static const struct exchange exchange = { "POST", "/documents", "[1,2,3]", 200 };
	int in = memfd_create("in", MFD_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC);
	struct ath_error error = { 0 };
	struct ath_web web = { .log = quiet() };
	struct ath_loop *loop;
	enum ath_status status;
	char answer[1024];
	ssize_t length;
	const char *body;
	int told;

	(void)with;
	assert_int_equal(pwrite(in, exchange.body, 7, 0), 7);
	assert_int_equal(ath_web_open(&web, routes, &error), ATH_OK);
	assert_int_equal(ath_loop_open(&loop, quiet()), ATH_OK);
	begin(shortage);
	status = ath_cgi_serve(loop, &web, in, out, environment, &error);
	end(shortage);
	ath_loop_close(&loop);
	ath_web_close(&web);
	length = pread(out, answer, sizeof answer - 1, 0);
	close(in);
	close(out);
	assert_true(length >= 0);
	answer[length] = '\0';
	if (status != ATH_OK)
		return length == 0 && error.status == status && *error.message != '\0'
			       ? REFUSED
			       : wrong(shortage, "an answer and an error, or neither");
	body = strstr(answer, "\r\n\r\n");
	if (body == NULL)
		return wrong(shortage, "no head");
	body += 4;
	told = status_of(&exchange, answer, (size_t)(body - answer), strlen(body));
	if (told == 500)
		return REFUSED;
	return told == 200 && strcmp(body, exchange.body) == 0 ? WHOLE
							       : wrong(shortage, "another answer");
}

static void test_cgi(void **state)
{
	(void)state;
	fail_everywhere(run_cgi, NULL);
}

/* One exchange with a server in the same thread, which turns whenever nothing has come. */
static enum result exchange_records(struct shortage *shortage, struct ath_loop *loop,
				    const struct sockaddr_un *address)
{
	static const struct made_request made = {
		.method = "POST", .uri = "/documents", .body = "[1,2,3]", .body_length = 7
	};
	int64_t patience = ath_now() + PATIENCE_MS;
	int fd = client_connect(address);
	size_t length = 0;
	char answer[4096];
	ssize_t got = -1;

	send_request(fd, &made);
	begin(shortage);
	while (got != 0 && ath_now() < patience) {
		ath_loop_turn(loop, ath_now() + 1);
		got = recv(fd, answer + length, sizeof answer - 1 - length, MSG_DONTWAIT);
		if (got > 0)
			length += (size_t)got;
		else if (got < 0 && errno == ECONNRESET)
			got = 0;
	}
	end(shortage);
	close(fd);
	answer[length] = '\0';
	if (got != 0)
		return wrong(shortage, "the connection stays without an answer");
	if (length == 0)
		return REFUSED;
	if (length < 32 || answer[length - 15] != FCGI_END_REQUEST)
		return wrong(shortage, "half an answer");
	if (memcmp(answer + 8, "Status: 500", 11) == 0)
		return REFUSED;
	return memcmp(answer + 8, "Status: 200", 11) == 0 &&
			       memmem(answer, length, made.body, made.body_length) != NULL
		       ? WHOLE
		       : wrong(shortage, "another answer");
}

/* At an abstract address: nothing is left of it when it is closed. */
static int listen_here(struct sockaddr_un *address)
{
	int fd = client_socket();

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "athanor-fault-%d",
		 (int)getpid());
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static enum result run_fcgi(struct shortage *shortage, const void *with)
{
	struct shortage none = { .sparing = true };
	struct ath_fcgi_server *server;
	struct ath_web web = { .log = quiet() };
	struct ath_error error = { 0 };
	struct sockaddr_un address;
	int fd = listen_here(&address);
	struct ath_loop *loop;
	enum result result;

	(void)with;
	assert_int_equal(ath_web_open(&web, routes, &error), ATH_OK);
	assert_int_equal(ath_loop_open(&loop, quiet()), ATH_OK);
	assert_int_equal(ath_fcgi_serve(&server, loop, fd, &web, &error), ATH_OK);
	result = exchange_records(shortage, loop, &address);
	if (result != WRONG && exchange_records(&none, loop, &address) != WHOLE)
		result = wrong(shortage, "the server does not serve the next one");
	ath_fcgi_close(&server);
	ath_loop_close(&loop);
	ath_web_close(&web);
	close(fd);
	return result;
}

static void test_fcgi(void **state)
{
	(void)state;
	fail_everywhere(run_fcgi, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),        cmocka_unit_test(test_json),
		cmocka_unit_test(test_url),           cmocka_unit_test(test_router),
		cmocka_unit_test(test_loop),          cmocka_unit_test(test_requests),
		cmocka_unit_test(test_engine),        cmocka_unit_test(test_read_session),
		cmocka_unit_test(test_write_session), cmocka_unit_test(test_stored),
		cmocka_unit_test(test_cgi),           cmocka_unit_test(test_fcgi),
	};

	in_main = true;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
