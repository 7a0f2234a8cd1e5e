/*
 * framework.c - the framework's own share of a request: from the bytes that nginx sends to those
 * that it gets, without sockets, nginx and database.
 *
 *	framework KIND [REQUESTS]
 *	ns_per_request bytes_of_answer
 *
 *	text    GET /hello           a short text
 *	row     GET /users/4711      a row as JSON, by the id in the path
 *	rows    GET /users?limit=20  twenty of them
 *	bind    POST /users          a JSON body into a row, its rules checked, 201 with Location
 *	form    POST /form           two fields of an urlencoded form
 *
 * What is in it: records and parameters taken apart, the route, hooks, a fiber of its own, the
 * handler, the answer's head and body, and the request made ready for the next. As many requests
 * as a busy worker finds at once share a turn of the loop. With REQUESTS there are just that many,
 * for web.sh to count the instructions.
 */
#include <string.h>

#include <athanor.h>

#include "../../app/models.h"
#include "../web/fcgi_put.h"
#include "rest/internal.h"
#include "rounds.h"
#include "web/fcgi_records.h"

enum { TOGETHER = 32, ROWS = 20, OPERATIONS = 64 * 1000 };

/* ---- handlers -------------------------------------------------------------------------------- */

static struct user users[ROWS], *items[ROWS];

static struct ath_response *hello(struct ath_request *request)
{
	return ath_response_text(request, 200, "Hello, world!");
}

static struct ath_response *show_user(struct ath_request *request)
{
	struct user *user = &users[ath_path_int(request, "id") % ROWS];

	return user_json(request, 200, user);
}

static struct ath_response *list_users(struct ath_request *request)
{
	size_t limit = (size_t)ath_arg_int(request, "limit", ROWS, 1, ROWS);

	return user_list_json(request, 200, (struct user_list){ items, limit });
}

static struct ath_response *create_user(struct ath_request *request)
{
	struct user *user = user_bind(request);

	user->id = 4711;
	return user_created(request, user, "/users/%" PRId64, user->id);
}

static struct ath_response *take_form(struct ath_request *request)
{
	const char *name = ath_form(request, "name"), *email = ath_form(request, "email");

	if (name == NULL || email == NULL)
		return ath_problem(request, 422, "a field is missing");
	return ath_response_empty(request, 204);
}

/* The size of the table does not matter: see routes.c. */
static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/hello", hello),        ATH_ROUTE(GET, "/users", list_users),
	ATH_ROUTE(POST, "/users", create_user), ATH_ROUTE(GET, "/users/<id:int>", show_user),
	ATH_ROUTE(POST, "/form", take_form),    { 0 },
};

static void make_users(void)
{
	for (size_t i = 0; i < ROWS; i++) {
		users[i] = (struct user){ .id = 1000 + (int64_t)i,
					  .name = "User Number 4711",
					  .email = "user4711@example.com",
					  .age = { .value = 36, .valid = i % 10 > 0 } };
		items[i] = &users[i];
	}
}

/* ---- what nginx sends ------------------------------------------------------------------------ */

static const struct kind {
	const char *name, *method, *uri, *type, *body;
	int status;
} kinds[] = {
	{ "text", "GET", "/hello", "", "", 200 },
	{ "row", "GET", "/users/4711", "", "", 200 },
	{ "rows", "GET", "/users?limit=20", "", "", 200 },
	{ "bind", "POST", "/users", "application/json",
	  "{\"name\":\"Ada Lovelace\",\"email\":\"ada@example.org\",\"age\":36}", 201 },
	{ "form", "POST", "/form", "application/x-www-form-urlencoded",
	  "name=Ada+Lovelace&email=ada%40example.org", 204 },
};

static const struct kind *kind;
static struct ath_buffer records;

/* All of fastcgi_athanor.conf, and the header lines of a browser behind a proxy. */
static void put_params(struct ath_buffer *out)
{
	const char *query = strchr(kind->uri, '?');
	char length[24];

	snprintf(length, sizeof length, "%zu", strlen(kind->body));
	put_pair(out, "REQUEST_METHOD", kind->method);
	put_pair(out, "REQUEST_URI", kind->uri);
	put_pair(out, "SCRIPT_NAME", kind->uri);
	put_pair(out, "QUERY_STRING", query == NULL ? "" : query + 1);
	put_pair(out, "CONTENT_TYPE", kind->type);
	put_pair(out, "CONTENT_LENGTH", *kind->body == '\0' ? "" : length);
	put_pair(out, "SERVER_PROTOCOL", "HTTP/1.1");
	put_pair(out, "SERVER_NAME", "www.example.org");
	put_pair(out, "SERVER_PORT", "443");
	put_pair(out, "REQUEST_SCHEME", "https");
	put_pair(out, "HTTPS", "on");
	put_pair(out, "REMOTE_ADDR", "203.0.113.7");
	put_pair(out, "REMOTE_PORT", "54321");
	put_pair(out, "REQUEST_ID", "4f1a0c1fbd3f4c52a86f6b0c5e7d8a90");
	put_pair(out, "HTTP_PROXY", "");
	put_pair(out, "HTTP_HOST", "www.example.org");
	put_pair(out, "HTTP_USER_AGENT",
		 "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
	put_pair(out, "HTTP_ACCEPT", "application/json, text/plain;q=0.9, */*;q=0.8");
	put_pair(out, "HTTP_ACCEPT_ENCODING", "gzip, deflate, br");
	put_pair(out, "HTTP_ACCEPT_LANGUAGE", "en-US,en;q=0.5");
}

static void make_records(void)
{
	struct ath_buffer params;

	bytes_init(&params);
	bytes_init(&records);
	put_params(&params);
	put_begin(&records, 1, FCGI_RESPONDER, true);
	put_stream(&records, FCGI_PARAMS, 1, params.data, params.length);
	put_record(&records, FCGI_PARAMS, 1, NULL, 0);
	put_stream(&records, FCGI_STDIN, 1, kind->body, strlen(kind->body));
	put_record(&records, FCGI_STDIN, 1, NULL, 0);
	ath_buffer_free(&params);
}

/* ---- the way of a request -------------------------------------------------------------------- */

static const struct ath_log silent = { .fd = -1 };
static struct ath_rest rest;
static struct ath_web web = { .log = &silent, .context = &rest };
static struct ath_loop *loop;
static struct ath_fcgi_reader reader = { .max_connections = 1024 };
static struct served {
	struct ath_request *request;
	struct ath_output output;
} served[TOGETHER];

static void request_fiber(void *arg)
{
	struct served *each = arg;

	ath_web_handle(each->request, &each->output);
}

/* As fcgi.c does it. */
static void take_records(struct ath_request *request)
{
	const unsigned char *data = (const unsigned char *)records.data;
	size_t length = records.length;
	enum ath_fcgi_event event = ATH_FCGI_MORE;

	while (event != ATH_FCGI_REQUEST) {
		event = ath_fcgi_read(&reader, &data, &length);
		if (event == ATH_FCGI_BEGIN) {
			reader.params = &request->raw_params;
			reader.body = &request->raw_body;
		} else if (event == ATH_FCGI_PARAMS) {
			(void)ath_web_begin(request);
		} else if (event != ATH_FCGI_REQUEST) {
			die("the records are no request");
		}
	}
}

static void start(struct served *each)
{
	take_records(each->request);
	each->request->arrived = ath_now();
	each->request->deadline = each->request->arrived + web.limits.deadline_ms;
	if (ath_loop_spawn(loop, request_fiber, each, each->request->deadline, NULL) != ATH_OK)
		die("no memory for a fiber");
}

/* The records of the answer, their room taken from the head as fcgi.c does. */
static size_t take_answer(struct served *each)
{
	const struct ath_output *output = &each->output;
	unsigned char trailer[ATH_FCGI_TRAILER];
	size_t length = output->head_length + output->body_length;
	int status = (output->head[ATH_HEAD_ROOM + 8] - '0') * 100 +
		     (output->head[ATH_HEAD_ROOM + 9] - '0') * 10 +
		     (output->head[ATH_HEAD_ROOM + 10] - '0');

	if (status != kind->status)
		die("another answer was expected");
	ath_fcgi_put_header((unsigned char *)output->head, reader.id, (uint16_t)length);
	ath_fcgi_put_trailer(trailer, reader.id);
	ath_request_reset(each->request);
	return length;
}

static size_t answered;

static void serve(long requests)
{
	for (long done = 0; done < requests; done += TOGETHER) {
		for (size_t i = 0; i < TOGETHER; i++)
			start(&served[i]);
		ath_loop_turn(loop, ATH_NEVER);
		for (size_t i = 0; i < TOGETHER; i++)
			answered = take_answer(&served[i]);
	}
}

static void open_all(void)
{
	struct ath_error error = { 0 };

	make_users();
	make_records();
	if (ath_web_open(&web, routes, &error) != ATH_OK)
		die(error.message);
	if (ath_loop_open(&loop, NULL) != ATH_OK)
		die("no memory");
	for (size_t i = 0; i < TOGETHER; i++)
		if ((served[i].request = ath_request_new(&web)) == NULL)
			die("no memory");
}

static void close_all(void)
{
	for (size_t i = 0; i < TOGETHER; i++)
		ath_request_free(served[i].request);
	ath_loop_close(&loop);
	ath_web_close(&web);
	ath_buffer_free(&records);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ATH_COUNT(kinds); i++)
		if (strcmp(kinds[i].name, argv[1]) == 0)
			kind = &kinds[i];
	if (kind == NULL)
		die("framework text|row|rows|bind|form [REQUESTS]");
	open_all();
	if (argc > 2) {
		serve(strtol(argv[2], NULL, 10));
	} else {
		double ns = time_rounds(serve, OPERATIONS);

		printf("%.0f %zu\n", ns, answered);
	}
	close_all();
	return 0;
}
