/*
 * test_request.c - requests through the application without a server: parameters and body as
 * FastCGI brings them go in, and the whole rendered answer is compared.
 *
 * Every row is run twice: in a request of its own, and in one that has served all rows before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <math.h>

#include "usual_lines.h"
#include "whole_request.h"

enum { PARAMS = 24 * 1024, BODY = 4096, ARENA = 512 * 1024 };

/* ---- handlers: together they use all of web.h ------------------------------------------------ */

static int calls;

static struct ath_response *about(struct ath_request *request)
{
	struct ath_response *response = ath_response_new(request, 200, "text/plain");
	struct ath_buffer *out = ath_response_body(response);
	struct ath_text path = ath_request_path(request);
	const char *agent = ath_header(request, "User-Agent");
	const char *address = ath_param(request, "REMOTE_ADDR");

	assert_non_null(response);
	assert_int_equal(ath_response_status(response), 200);
	ath_buffer_printf(out, "%d %.*s %s %s %s", (int)ath_request_method(request),
			  (int)path.length, path.data, ath_request_id(request),
			  agent == NULL ? "-" : agent, address == NULL ? "-" : address);
	return response;
}

static struct ath_response *arguments(struct ath_request *request)
{
	char *both = ath_arena_printf(ath_request_arena(request), "a=%s b=%s",
				      ath_arg(request, "a") == NULL ? "-" : ath_arg(request, "a"),
				      ath_arg(request, "b") == NULL ? "-" : ath_arg(request, "b"));

	return both == NULL ? NULL : ath_response_text(request, 200, both);
}

static struct ath_response *page(struct ath_request *request)
{
	int64_t limit = ath_arg_int(request, "limit", 10, 1, 100);
	int64_t any = ath_arg_int(request, "any", 0, INT64_MIN, INT64_MAX);
	struct ath_response *response = ath_response_new(request, 200, "text/plain");

	if (response != NULL)
		ath_buffer_printf(ath_response_body(response), "%lld %lld", (long long)limit,
				  (long long)any);
	return response;
}

static struct ath_response *by_id(struct ath_request *request)
{
	struct ath_response *response = ath_response_new(request, 200, "text/plain");

	if (response != NULL)
		ath_buffer_printf(
			ath_response_body(response), "%lld %s %lld [%s]",
			(long long)ath_path_int(request, "id"), ath_path_str(request, "id"),
			(long long)ath_path_int(request, "other"), ath_path_str(request, "other"));
	return response;
}

static struct ath_response *by_name(struct ath_request *request)
{
	return ath_response_text(request, 200, ath_path_str(request, "name"));
}

static struct ath_response *whole_body(struct ath_request *request)
{
	struct ath_response *response = ath_response_new(request, 201, "text/plain");
	struct ath_text body = ath_body(request);

	assert_non_null(body.data);
	if (response != NULL)
		ath_buffer_append(ath_response_body(response), body.data, body.length);
	ath_response_header(response, "Location", "/body/1");
	ath_response_header(response, "X-Two", "");
	return response;
}

static struct ath_response *document(struct ath_request *request)
{
	struct cJSON *body = ath_body_json(request);

	/* what is returned does not matter once the request has failed */
	return body == NULL ? ath_response_empty(request, 204)
			    : ath_response_json(request, 200, cJSON_Duplicate(body, true));
}

static struct ath_response *header(struct ath_request *request)
{
	struct ath_response *response = ath_response_text(request, 200, "sent");

	ath_response_header(response, "X-First", "1");
	ath_response_header(response, ath_arg(request, "name"), ath_arg(request, "value"));
	return response;
}

static struct ath_response *content_type(struct ath_request *request)
{
	return ath_response_new(request, 200, ath_arg(request, "type"));
}

static struct ath_response *many_headers(struct ath_request *request)
{
	struct ath_response *response = ath_response_text(request, 200, "sent");

	for (int i = 0; i < 4000; i++)
		ath_response_header(response, "X-Many", "123456");
	return response;
}

static struct ath_response *hungry(struct ath_request *request)
{
	while (ath_arena_alloc(ath_request_arena(request), 1000) != NULL)
		;
	ath_response_header(NULL, "X", "every function takes NULL");
	assert_null(ath_response_body(NULL));
	assert_int_equal(ath_response_status(NULL), 500);
	return ath_response_text(request, 200, "not to be had");
}

static struct ath_response *large(struct ath_request *request)
{
	struct ath_response *response = ath_response_text(request, 200, "");

	for (int i = 0; i < ARENA; i += 8)
		ath_buffer_string(ath_response_body(response), "12345678");
	return response;
}

static struct ath_response *no_number(struct ath_request *request)
{
	struct ath_response *response = ath_response_new(request, 200, "application/json");

	if (response != NULL)
		ath_buffer_json_double(ath_response_body(response), (double)NAN);
	return response;
}

static struct ath_response *no_document(struct ath_request *request)
{
	return ath_response_json(request, 200, NULL);
}

static struct ath_response *nothing(struct ath_request *request)
{
	(void)request;
	return NULL;
}

static struct ath_response *empty(struct ath_request *request)
{
	return ath_response_empty(request, (int)ath_path_int(request, "status"));
}

static struct ath_response *text_of(struct ath_request *request)
{
	return ath_response_text(request, (int)ath_path_int(request, "status"), "text");
}

static struct ath_response *problem(struct ath_request *request)
{
	return ath_problem(request, (int)ath_path_int(request, "status"), "%s \"%d\"", "why", 42);
}

static struct ath_response *full_problem(struct ath_request *request)
{
	static struct ath_violation second = { "/b~1c", "too \"long\"", NULL };
	static const struct ath_violation first = { "/a", "missing", &second };

	return ath_problem_full(request, 503, "outcome-unknown", NULL, &first, 7);
}

static struct ath_response *fails_twice(struct ath_request *request)
{
	ath_request_fail(request, ath_problem(request, 409, "first"));
	ath_request_fail(request, ath_problem(request, 500, "second"));
	return ath_response_text(request, 200, "third");
}

static struct ath_response *finished(struct ath_request *request, struct ath_response *response)
{
	ath_response_header(response, "X-Finished", "yes");
	return response == NULL ? ath_response_text(request, 200, "from finish") : response;
}

static struct ath_response *finishing(struct ath_request *request)
{
	request->finish = finished;
	return ath_response_text(request, 200, "finishing");
}

static struct ath_response *finishing_nothing(struct ath_request *request)
{
	request->finish = finished;
	return NULL;
}

static struct ath_response *late(struct ath_request *request)
{
	assert_true(ath_request_deadline(request) == ath_fiber_deadline());
	return ath_response_text(request, 200, ath_status_text(ath_sleep(60 * 1000)));
}

static struct ath_response *counted(struct ath_request *request)
{
	calls++;
	assert_string_equal(ath_arg(request, "a"), "one");
	assert_string_equal(ath_arg(request, "b"), "two 2");
	return ath_response_text(request, 200, ath_path_str(request, "name"));
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/", about),
	ATH_ROUTE(PUT, "/about", about),
	ATH_ROUTE(GET, "/about", about),
	ATH_ROUTE(GET, "/args", arguments),
	ATH_ROUTE(GET, "/page", page),
	ATH_ROUTE(GET, "/id/<id:int>", by_id),
	ATH_ROUTE(DELETE, "/id/<id:int>", by_id),
	ATH_ROUTE(GET, "/name/<name:str>", by_name),
	ATH_ROUTE(POST, "/body", whole_body),
	ATH_ROUTE(POST, "/json", document),
	ATH_ROUTE(GET, "/header", header),
	ATH_ROUTE(GET, "/type", content_type),
	ATH_ROUTE(GET, "/many-headers", many_headers),
	ATH_ROUTE(GET, "/hungry", hungry),
	ATH_ROUTE(GET, "/large", large),
	ATH_ROUTE(GET, "/nan", no_number),
	ATH_ROUTE(GET, "/no-document", no_document),
	ATH_ROUTE(GET, "/nothing", nothing),
	ATH_ROUTE(GET, "/empty/<status:int>", empty),
	ATH_ROUTE(GET, "/text/<status:int>", text_of),
	ATH_ROUTE(GET, "/problem/<status:int>", problem),
	ATH_ROUTE(GET, "/full-problem", full_problem),
	ATH_ROUTE(GET, "/fails-twice", fails_twice),
	ATH_ROUTE(GET, "/finishing", finishing),
	ATH_ROUTE(GET, "/finishing-nothing", finishing_nothing),
	ATH_ROUTE(GET, "/late", late, .deadline_ms = 1),
	ATH_ROUTE(GET, "/counted/<name:str>", counted),
	{ 0 },
};

static int open_web(void **state)
{
	(void)state;
	return open_routes(
		routes, (struct ath_web_limits){ .params = PARAMS, .body = BODY, .arena = ARENA });
}

/* The answer to a GET with these raw parameters, in a request of its own. */
static char *handle_raw(const void *params, size_t length)
{
	struct ath_request *request = ath_request_new(&web);
	char *got;

	assert_non_null(request);
	ath_buffer_append(&request->raw_params, params, length);
	got = handle(request, &length);
	ath_request_free(request);
	return got;
}

static char *handle_pairs(struct ath_buffer *params)
{
	char *got = handle_raw(params->data, params->length);

	ath_buffer_free(params);
	return got;
}

/* ---- rows ---------------------------------------------------------------------------------- */

#define TEXT         "text/plain; charset=utf-8"
#define PROBLEM_TYPE "application/problem+json"
#define PROBLEM(type, title, status, detail)                                                       \
	"{\"type\":\"urn:athanor:problem:" type "\",\"title\":\"" title "\",\"status\":" #status   \
	",\"detail\":\"" detail "\",\"instance\":\"the-id\"}"
#define MALFORMED(detail)                                                                          \
	400, PROBLEM_TYPE, NULL, PROBLEM("malformed", "The request is not well formed", 400, detail)
#define NOT_FOUND                                                                                  \
	404, PROBLEM_TYPE, NULL,                                                                   \
		PROBLEM("not-found", "Not found", 404, "nothing is served at this path")
#define INVALID(detail) 422, PROBLEM_TYPE, NULL, PROBLEM("invalid", "Breaks the rules", 422, detail)
#define NOT_ALLOWED(methods)                                                                       \
	405, PROBLEM_TYPE, "Allow: " methods "\r\n",                                               \
		PROBLEM("method-not-allowed", "Method not allowed", 405,                           \
			"this path allows " methods)
#define REFUSED                                                                                    \
	500, PROBLEM_TYPE, NULL, PROBLEM("internal", "Internal error", 500, "a header was refused")
#define LAST_WORDS                                                                                 \
	500, PROBLEM_TYPE, NULL,                                                                   \
		"{\"type\":\"urn:athanor:problem:internal\",\"title\":\"Internal error\","         \
		"\"status\":500}"
#define TEN "0123456789"

struct row {
	const char *method, *uri;
	const char *pair[2]; /* a further parameter */
	const char *body;
	int status;
	const char *type, *headers, *answer;
};

#define GET(uri)          "GET", uri, { NULL, NULL }, NULL
#define POST(uri, body)   "POST", uri, { NULL, NULL }, body
#define TYPED(type, body) "POST", "/json", { "CONTENT_TYPE", type }, body
#define OK(answer)        200, "text/plain", NULL, answer
#define OK_TEXT(answer)   200, TEXT, NULL, answer
#define OK_JSON(answer)   200, "application/json", NULL, answer

static const struct row rows[] = {
	/* what a handler sees */
	{ GET("/about"), OK("0 /about the-id - -") },
	{ GET("/"), OK("0 / the-id - -") },
	{ "PUT",
	  "/about/?x",
	  { "HTTP_USER_AGENT", "curl/8" },
	  NULL,
	  OK("3 /about/ the-id curl/8 -") },
	{ "GET", "/about", { "REMOTE_ADDR", "::1" }, NULL, OK("0 /about the-id - ::1") },
	{ "GET", "/%61bout", { "HTTP_USER_AGENT", "" }, NULL, OK("0 /%61bout the-id  -") },
	{ "HEAD", "/about", { NULL, NULL }, NULL, OK("1 /about the-id - -") },

	/* paths */
	{ GET("/id/7"), OK("7 7 0 []") },
	{ GET("/id/7/"), OK("7 7 0 []") },
	{ GET("/id/%37"), OK("7 7 0 []") },
	{ GET("/id/-9223372036854775808"), OK("-9223372036854775808 -9223372036854775808 0 []") },
	{ GET("/id/9223372036854775808"), NOT_FOUND },
	{ GET("/id/x"), NOT_FOUND },
	{ GET("/id/"), NOT_FOUND },
	{ GET("/id//7"), NOT_FOUND },
	{ GET("//id/7"), NOT_FOUND },
	{ GET("/id/7//"), NOT_FOUND },
	{ GET("/ID/7"), NOT_FOUND },
	{ GET("/name/a%2Fb"), OK_TEXT("a/b") },
	{ GET("/name/a/b"), NOT_FOUND },
	{ GET("/name/..%2f.."), OK_TEXT("../..") },
	{ GET("/name/a+b%20c%25%3f%3F"), OK_TEXT("a+b c%??") },
	{ GET("/name/%c3%A4"), OK_TEXT("\xc3\xa4") },
	{ GET("/name/\xc3\xa4"), OK_TEXT("\xc3\xa4") },
	{ GET("/name/%00"), MALFORMED("the path is not well encoded") },
	{ GET("/name/%"), MALFORMED("the path is not well encoded") },
	{ GET("/name/%4"), MALFORMED("the path is not well encoded") },
	{ GET("/name/%4/1"), MALFORMED("the path is not well encoded") },
	{ GET("/name/%4g"), MALFORMED("the path is not well encoded") },
	{ GET("/name/%g4"), MALFORMED("the path is not well encoded") },
	{ GET("/name/%-1"), MALFORMED("the path is not well encoded") },
	{ GET("/name/%ff"), MALFORMED("the path is not well encoded") },
	{ GET("/name/%c3"), MALFORMED("the path is not well encoded") },
	{ GET("/name/\xc3"), MALFORMED("the path is not well encoded") },
	{ GET("/name/%c3/%a4"), MALFORMED("the path is not well encoded") },
	{ GET("/name/%ed%a0%80"), MALFORMED("the path is not well encoded") },
	{ GET("/name/%c0%af"), MALFORMED("the path is not well encoded") },
	{ GET("/nowhere/%ff"), MALFORMED("the path is not well encoded") },
	{ GET("about"), MALFORMED("the path does not start with /") },
	{ GET(""), MALFORMED("the path does not start with /") },
	{ GET("?a=1"), MALFORMED("the path does not start with /") },
	{ "OPTIONS", "*", { NULL, NULL }, NULL, MALFORMED("the path does not start with /") },
	{ GET("/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"), NOT_FOUND },
	{ GET("/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"), NOT_FOUND },
	{ GET("////////////////////////////////////////"), NOT_FOUND },
	{ "GET", "/ignored", { "PATH_INFO", "/name/x" }, NULL, OK_TEXT("x") },
	{ "GET", "/name/y", { "PATH_INFO", "" }, NULL, OK_TEXT("y") },
	{ "GET", "/s/name/100%25", { "PATH_INFO", "/name/100%" }, NULL, OK_TEXT("100%") },
	{ "GET", "/s/name/%3f%2541", { "PATH_INFO", "/name/?%41" }, NULL, OK_TEXT("?%41") },
	/* PATH_INFO is decoded: what the client wrote stands in the URI */
	{ "GET", "/s/name/a%2Fb", { "PATH_INFO", "/name/a/b" }, NULL, OK_TEXT("a/b") },
	{ "GET", "/name/a%2Fb?x=/name/b", { "PATH_INFO", "/name/a/b" }, NULL, OK_TEXT("a/b") },
	{ "GET", "/s/name/a%252Fb", { "PATH_INFO", "/name/a%2Fb" }, NULL, OK_TEXT("a%2Fb") },
	{ "GET", "/name/x", { "PATH_INFO", "/s/name/x" }, NULL, NOT_FOUND },
	{ "GET", "/s//name/x", { "PATH_INFO", "/name/x" }, NULL, OK_TEXT("x") },
	{ "GET", "/name//x", { "PATH_INFO", "/name/x" }, NULL, OK_TEXT("x") },
	{ "GET", "/s%2Fname/x", { "PATH_INFO", "/name/x" }, NULL, OK_TEXT("x") },
	{ "GET",
	  "/name/%zz",
	  { "PATH_INFO", "/name/%zz" },
	  NULL,
	  MALFORMED("the path is not well encoded") },
	{ "GET",
	  "/s",
	  { "PATH_INFO", "/name/\xff" },
	  NULL,
	  MALFORMED("the path is not well encoded") },

	/* methods */
	{ GET("/nowhere"), NOT_FOUND },
	{ "BREW", "/nowhere", { NULL, NULL }, NULL, NOT_FOUND },
	{ "OPTIONS", "/nowhere", { NULL, NULL }, NULL, NOT_FOUND },
	{ "BREW", "/json", { NULL, NULL }, NULL, NOT_ALLOWED("POST, OPTIONS") },
	{ "get", "/json", { NULL, NULL }, NULL, NOT_ALLOWED("POST, OPTIONS") },
	{ "", "/json", { NULL, NULL }, NULL, NOT_ALLOWED("POST, OPTIONS") },
	{ "HEAD", "/json", { NULL, NULL }, NULL, NOT_ALLOWED("POST, OPTIONS") },
	{ "POST", "/id/7", { NULL, NULL }, NULL, NOT_ALLOWED("GET, HEAD, DELETE, OPTIONS") },
	{ "OPTIONS",
	  "/id/7",
	  { NULL, NULL },
	  NULL,
	  204,
	  NULL,
	  "Allow: GET, HEAD, DELETE, OPTIONS\r\n",
	  "" },
	{ "OPTIONS",
	  "/about",
	  { NULL, NULL },
	  NULL,
	  204,
	  NULL,
	  "Allow: GET, HEAD, PUT, OPTIONS\r\n",
	  "" },

	/* arguments */
	{ GET("/args"), OK_TEXT("a=- b=-") },
	{ GET("/args?"), OK_TEXT("a=- b=-") },
	{ GET("/args?a=1&b=2"), OK_TEXT("a=1 b=2") },
	{ GET("/args?a=1&a=2&b"), OK_TEXT("a=1 b=") },
	{ GET("/args?&&b==&a=&"), OK_TEXT("a= b==") },
	{ GET("/args?%61=%26%3d%2B+&b=?a"), OK_TEXT("a=&=+  b=?a") },
	{ GET("/args?A=1&ab=2"), OK_TEXT("a=- b=-") },
	{ GET("/args?a=%c3%a4"), OK_TEXT("a=\xc3\xa4 b=-") },
	{ GET("/args?a=%00"), MALFORMED("the query is not well encoded") },
	{ GET("/args?a=%ff"), MALFORMED("the query is not well encoded") },
	{ GET("/args?a=\xff"), MALFORMED("the query is not well encoded") },
	{ GET("/args?%ff"), MALFORMED("the query is not well encoded") },
	{ GET("/args?a=%"), MALFORMED("the query is not well encoded") },
	{ GET("/args?a=%4&b"), MALFORMED("the query is not well encoded") },
	{ GET("/args?a%=1"), MALFORMED("the query is not well encoded") },
	{ GET("/page"), OK("10 0") },
	{ GET("/page?limit=1&any=-9223372036854775808"), OK("1 -9223372036854775808") },
	{ GET("/page?limit=100&any=9223372036854775807"), OK("100 9223372036854775807") },
	{ GET("/page?limit=0"), INVALID("limit must be an integer from 1 to 100") },
	{ GET("/page?limit=101"), INVALID("limit must be an integer from 1 to 100") },
	{ GET("/page?limit="), INVALID("limit must be an integer from 1 to 100") },
	{ GET("/page?limit"), INVALID("limit must be an integer from 1 to 100") },
	{ GET("/page?limit=1x"), INVALID("limit must be an integer from 1 to 100") },
	{ GET("/page?limit=+1"), INVALID("limit must be an integer from 1 to 100") },
	{ GET("/page?limit=01"), INVALID("limit must be an integer from 1 to 100") },
	{ GET("/page?limit=1.0&any=x"), INVALID("limit must be an integer from 1 to 100") },
	{ GET("/page?any=9223372036854775808"),
	  INVALID("any must be an integer from -9223372036854775808 to 9223372036854775807") },

	/* bodies */
	{ POST("/body", "text"), 201, "text/plain", "Location: /body/1\r\nX-Two: \r\n", "text" },
	{ POST("/body", ""), 201, "text/plain", "Location: /body/1\r\nX-Two: \r\n", "" },
	{ "POST",
	  "/body",
	  { "CONTENT_LENGTH", "4" },
	  "text",
	  201,
	  "text/plain",
	  "Location: /body/1\r\nX-Two: \r\n",
	  "text" },
	{ "POST",
	  "/body",
	  { "CONTENT_LENGTH", "" },
	  "text",
	  201,
	  "text/plain",
	  "Location: /body/1\r\nX-Two: \r\n",
	  "text" },
	{ "POST",
	  "/body",
	  { "CONTENT_LENGTH", "3" },
	  "text",
	  MALFORMED("the body is not as long as announced") },
	{ "POST",
	  "/body",
	  { "CONTENT_LENGTH", "5" },
	  "text",
	  MALFORMED("the body is not as long as announced") },
	{ "POST",
	  "/body",
	  { "CONTENT_LENGTH", "04" },
	  "text",
	  MALFORMED("the body is not as long as announced") },
	{ "POST",
	  "/body",
	  { "CONTENT_LENGTH", "-4" },
	  "text",
	  MALFORMED("the body is not as long as announced") },
	{ "POST",
	  "/body",
	  { "CONTENT_LENGTH", "4, 4" },
	  "text",
	  MALFORMED("the body is not as long as announced") },
	{ "POST",
	  "/body",
	  { "CONTENT_LENGTH", "18446744073709551620" },
	  "text",
	  MALFORMED("the body is not as long as announced") },
	{ "POST",
	  "/nowhere",
	  { "CONTENT_LENGTH", "1" },
	  "text",
	  MALFORMED("the body is not as long as announced") },
	{ POST("/json", "{\"a\":[1,true,null,\"\\u00e4\"]}"),
	  OK_JSON("{\"a\":[1,true,null,\"\xc3\xa4\"]}") },
	{ TYPED("", " 7 "), OK_JSON("7") },
	{ TYPED("application/json", "[]"), OK_JSON("[]") },
	{ TYPED("APPLICATION/Json;charset=utf-8", "[]"), OK_JSON("[]") },
	{ TYPED("application/json ; charset=utf-8", "[]"), OK_JSON("[]") },
	{ TYPED("application/merge-patch+json", "[]"), OK_JSON("[]") },
	{ TYPED("text/plain", "[]"), 415, PROBLEM_TYPE, NULL,
	  PROBLEM("media-type", "This Content-Type is not served", 415, "send application/json") },
	{ TYPED("application/jsonp", "no JSON"), 415, PROBLEM_TYPE, NULL,
	  PROBLEM("media-type", "This Content-Type is not served", 415, "send application/json") },
	{ TYPED("+json", "[]"), 415, PROBLEM_TYPE, NULL,
	  PROBLEM("media-type", "This Content-Type is not served", 415, "send application/json") },
	{ POST("/json", "[\"a\\u0000b\"]"), INVALID("a string holds \\\\u0000") },
	{ POST("/json", "{\"\\\\\\u0000\":1}"), INVALID("a string holds \\\\u0000") },
	{ POST("/json", "[\"\\\\u0000\"]"), OK_JSON("[\"\\\\u0000\"]") },
	{ POST("/json", "[" TEN TEN TEN TEN TEN TEN "012]"), 400, PROBLEM_TYPE, NULL,
	  NULL },                                                      /* a leading zero */
	{ POST("/json", "{\"a\":-0." TEN TEN TEN TEN TEN TEN TEN "}"), /* cJSON once knew 63 */
	  OK_JSON("{\"a\":-0.012345678901234568}") },
	{ POST("/json", ""), 400, PROBLEM_TYPE, NULL, NULL },
	{ POST("/json", "{\"a\":1,\"a\":2}"), 400, PROBLEM_TYPE, NULL, NULL },
	{ POST("/json", "[\"\xff\"]"), 400, PROBLEM_TYPE, NULL, NULL },
	{ POST("/json", "[1] x"), 400, PROBLEM_TYPE, NULL, NULL },

	/* answers */
	{ GET("/header?name=X-Name&value=a%20b%c3%a4"), 200, TEXT,
	  "X-First: 1\r\nX-Name: a b\xc3\xa4\r\n", "sent" },
	{ GET("/header?name=X&value=a%0d%0aSet-Cookie:%20x"), REFUSED },
	{ GET("/header?name=X&value=%0a"), REFUSED },
	{ GET("/header?name=X&value=%0d"), REFUSED },
	{ GET("/header?name=X%0d%0aY&value=a"), REFUSED },
	{ GET("/header?name=X:&value=a"), REFUSED },
	{ GET("/header?name=X+Y&value=a"), REFUSED },
	{ GET("/header?name=%c3%a4&value=a"), REFUSED },
	{ GET("/header?name=&value=a"), REFUSED },
	{ "HEAD", "/header?name=&value=a", { NULL, NULL }, NULL, REFUSED },
	{ GET("/type?type=image/png"), 200, "image/png", NULL, "" },
	{ GET("/type?type=a%0d%0aSet-Cookie:%20x"), REFUSED },
	{ GET("/type?type=%0a"), REFUSED },
	{ GET("/many-headers"), LAST_WORDS },
	{ GET("/hungry"), LAST_WORDS },
	{ "HEAD", "/hungry", { NULL, NULL }, NULL, LAST_WORDS },
	{ GET("/large"), LAST_WORDS },
	{ GET("/nan"), LAST_WORDS },
	{ GET("/no-document"), LAST_WORDS },
	{ GET("/nothing"), LAST_WORDS },
	{ GET("/empty/204"), 204, NULL, NULL, "" },
	{ GET("/empty/404"), 404, NULL, NULL, "" },
	{ GET("/empty/304"), 304, NULL, NULL, "" },
	{ GET("/text/204"), 204, TEXT, NULL, "" },
	{ GET("/text/304"), 304, TEXT, NULL, "" },
	{ "HEAD", "/text/200", { NULL, NULL }, NULL, OK_TEXT("text") },
	{ GET("/problem/409"), 409, PROBLEM_TYPE, NULL,
	  PROBLEM("conflict", "In conflict with what is stored", 409, "why \\\"42\\\"") },
	{ GET("/problem/418"), 418, PROBLEM_TYPE, NULL,
	  "{\"type\":\"about:blank\",\"title\":\"Error\",\"status\":418,"
	  "\"detail\":\"why \\\"42\\\"\",\"instance\":\"the-id\"}" },
	{ GET("/full-problem"), 503, PROBLEM_TYPE, "Retry-After: 7\r\n",
	  "{\"type\":\"urn:athanor:problem:outcome-unknown\",\"title\":\"Not available now\","
	  "\"status\":503,\"instance\":\"the-id\",\"errors\":[{\"pointer\":\"/a\",\"detail\":"
	  "\"missing\"},{\"pointer\":\"/b~1c\",\"detail\":\"too \\\"long\\\"\"}]}" },
	{ GET("/fails-twice"), 409, PROBLEM_TYPE, NULL,
	  PROBLEM("conflict", "In conflict with what is stored", 409, "first") },
	{ GET("/finishing"), 200, TEXT, "X-Finished: yes\r\n", "finishing" },
	{ GET("/finishing-nothing"), OK_TEXT("from finish") },
	{ GET("/late"), OK_TEXT("the deadline passed") },
};

/* ---- comparing ---------------------------------------------------------------------------------
 */

static void fill(struct ath_request *request, const struct row *row)
{
	put_usual_pairs(&request->raw_params, row->method, row->uri);
	if (row->pair[0] != NULL)
		put_pair(&request->raw_params, row->pair[0], row->pair[1]);
	if (row->body != NULL)
		ath_buffer_string(&request->raw_body, row->body);
}

/* Behind the first line, which is looked at by itself. */
static void put_expected(struct ath_buffer *out, const struct row *row)
{
	bytes_init(out);
	if (row->type != NULL)
		ath_buffer_printf(out, "Content-Type: %s\r\n", row->type);
	if (row->status != 204 && row->status != 304)
		ath_buffer_printf(out, "Content-Length: %zu\r\n", strlen(row->answer));
	ath_buffer_printf(out, USUAL_LINES "%s\r\n", row->headers == NULL ? "" : row->headers);
	if (strcmp(row->method, "HEAD") != 0)
		ath_buffer_string(out, row->answer);
}

/* "Status: 404 Not Found": returns what follows the line. */
static const char *read_status(const char *got, int *status, char reason[64])
{
	int length = 0;

	assert_int_equal(sscanf(got, "Status: %3d %63[A-Za-z -]%n", status, reason, &length), 2);
	assert_memory_equal(got + length, "\r\n", 2);
	return got + length + 2;
}

static void compare(const struct row *row, const char *got)
{
	struct ath_buffer expected;
	char reason[64];
	const char *rest;
	int status;

	rest = read_status(got, &status, reason);
	if (row->answer == NULL) { /* a body that is no JSON: why is the reader's to say */
		assert_int_equal(status, 400);
		assert_non_null(strstr(rest, "the body is no JSON: at byte "));
		return;
	}
	put_expected(&expected, row);
	if (status != row->status || strcmp(rest, ath_buffer_c_string(&expected)) != 0)
		fail_msg("%s %s:\n%s\nexpected: %d\n%s", row->method, row->uri, got, row->status,
			 expected.data);
	ath_buffer_free(&expected);
}

static void every_row_gives_its_answer(void **state)
{
	struct ath_request *kept = ath_request_new(&web), *fresh;
	size_t length;
	char *got;

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		fresh = ath_request_new(&web);
		fill(fresh, &rows[i]);
		got = handle(fresh, &length);
		compare(&rows[i], got);
		assert_int_equal(strlen(got), length);
		free(got);
		ath_request_free(fresh);
		fill(kept, &rows[i]);
		got = handle(kept, &length);
		compare(&rows[i], got);
		free(got);
		ath_request_reset(kept);
	}
	ath_request_free(kept);
}

/* The status line that nginx sends is the one that is given here. */
static void every_status_has_its_reason(void **state)
{
	static const struct {
		const char *uri, *start;
	} statuses[] = {
		{ "/problem/400", "Status: 400 Bad Request\r\n" },
		{ "/problem/404", "Status: 404 Not Found\r\n" },
		{ "/problem/409", "Status: 409 Conflict\r\n" },
		{ "/problem/422", "Status: 422 Unprocessable Content\r\n" },
		{ "/problem/503", "Status: 503 Service Unavailable\r\n" },
		{ "/problem/418", "Status: 418 Other\r\n" },
		{ "/empty/204", "Status: 204 No Content\r\n" },
		{ "/text/200", "Status: 200 OK\r\n" },
		{ "/nothing", "Status: 500 Internal Server Error\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(statuses); i++) {
		struct ath_buffer params;
		char *got;

		bytes_init(&params);
		put_usual_pairs(&params, "GET", statuses[i].uri);
		got = handle_pairs(&params);
		assert_int_equal(strncmp(got, statuses[i].start, strlen(statuses[i].start)), 0);
		free(got);
	}
}

/* ---- sizes -------------------------------------------------------------------------------------
 */

static void assert_status(char *got, const char *status, const char *detail)
{
	assert_int_equal(strncmp(got, "Status: ", 8), 0);
	assert_int_equal(strncmp(got + 8, status, 3), 0);
	if (detail != NULL)
		assert_non_null(strstr(got, detail));
	free(got);
}

/* "/args" with a query of this many arguments. */
static char *many_arguments(size_t count)
{
	struct ath_buffer params, uri;

	bytes_init(&uri);
	ath_buffer_string(&uri, "/args?a");
	for (size_t i = 1; i < count; i++)
		ath_buffer_string(&uri, "&a");
	bytes_init(&params);
	put_usual_pairs(&params, "GET", ath_buffer_c_string(&uri));
	ath_buffer_free(&uri);
	return handle_pairs(&params);
}

static void at_most_1000_arguments(void **state)
{
	(void)state;
	assert_status(many_arguments(1000), "200", "a= b=-");
	assert_status(many_arguments(1001), "400", "more than 1000 query arguments");
}

static char *long_uri(size_t length)
{
	char *uri = malloc(length + 1);
	struct ath_buffer params;

	memset(uri, 'u', length);
	uri[0] = '/';
	uri[length] = '\0';
	bytes_init(&params);
	put_usual_pairs(&params, "GET", uri);
	free(uri);
	return handle_pairs(&params);
}

static void at_most_8192_bytes_of_uri(void **state)
{
	(void)state;
	assert_status(long_uri(8192), "404", NULL);
	assert_status(long_uri(8193), "414", "at most 8192 bytes");
}

/* A request whose parameters are so many bytes. */
static char *long_params(size_t length)
{
	char filler[PARAMS + 1];
	struct ath_buffer params;

	bytes_init(&params);
	put_usual_pairs(&params, "GET", "/about");
	length -= params.length + 1 + 4 + 1; /* what a long pair with a name of one adds */
	put_pair_bytes(&params, "F", memset(filler, 'f', length), length);
	return handle_pairs(&params);
}

static void at_most_so_many_bytes_of_parameters(void **state)
{
	(void)state;
	assert_status(long_params(PARAMS), "200", "/about the-id");
	assert_status(long_params(PARAMS + 1), "431", "at most 24576 bytes");
	assert_status(long_params(PARAMS + 2), "431", "at most 24576 bytes");
}

static char *long_body(const char *uri, size_t length)
{
	struct ath_request *request = ath_request_new(&web);
	char body[BODY + 1], *got;

	memset(body, 'b', sizeof body);
	put_usual_pairs(&request->raw_params, "POST", uri);
	ath_buffer_append(&request->raw_body, body, length);
	got = handle(request, &length);
	ath_request_free(request);
	return got;
}

static void at_most_so_many_bytes_of_body(void **state)
{
	(void)state;
	assert_status(long_body("/body", BODY), "201", "Content-Length: 4096\r\n");
	assert_status(long_body("/body", BODY + 1), "413", "at most 4096 bytes");
	assert_status(long_body("/nowhere", BODY + 1), "413", "at most 4096 bytes");
}

/* ---- pairs -------------------------------------------------------------------------------------
 */

#define URI "\013\006REQUEST_URI/about\016\003REQUEST_METHODGET"

static const struct raw {
	const char *bytes;
	size_t length;
	const char *status;
} raws[] = {
	{ URI, sizeof URI - 1, "200" },
	{ URI "\0\0", sizeof URI + 1, "200" },                   /* a pair of nothing */
	{ URI "\0\1x", sizeof URI + 2, "200" },                  /* no name */
	{ URI "\1\0x", sizeof URI + 2, "200" },                  /* no value */
	{ URI "\200\0\0\1\200\0\0\1xy", sizeof URI + 9, "200" }, /* long lengths of short texts */
	{ URI "\3\1a=by", sizeof URI + 5, "200" },
	{ URI "\1\1\0y", sizeof URI + 3, "200" }, /* a NUL in a name is a name nobody asks for */
	{ URI "\1\1x\0", sizeof URI + 3, "400" },
	{ URI "\1\3xa\0b", sizeof URI + 5, "400" },
	{ URI "\1", sizeof URI, "400" },
	{ URI "\1\1", sizeof URI + 1, "400" },
	{ URI "\1\1x", sizeof URI + 2, "400" },
	{ URI "\2\0x", sizeof URI + 2, "400" },
	{ URI "\200", sizeof URI, "400" },
	{ URI "\200\0\0", sizeof URI + 2, "400" },
	{ URI "\200\0\0\1", sizeof URI + 3, "400" },
	{ URI "\1\200\0\0x", sizeof URI + 4, "400" },
	{ URI "\377\377\377\377\377\377\377\377xy", sizeof URI + 9, "400" },
	{ URI "\1\377\377\377\377xy", sizeof URI + 6, "400" },
	{ URI "\377\377\377\377\1xy", sizeof URI + 6, "400" },
	{ "", 0, "400" }, /* no path */
};

static void pairs_are_well_formed_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(raws); i++)
		assert_status(handle_raw(raws[i].bytes, raws[i].length), raws[i].status, NULL);
}

static void pairs_cut_off_anywhere_are_refused(void **state)
{
	struct ath_buffer params;

	(void)state;
	bytes_init(&params);
	put_usual_pairs(&params, "GET", "/about");
	for (size_t length = 1; length < params.length; length++) {
		char *got = handle_raw(params.data, length);

		/* at the end of a pair it is well formed, but says too little */
		assert_true(strncmp(got, "Status: 400", 11) == 0 ||
			    strstr(got, "Status: 405") != NULL || strstr(got, "200") != NULL);
		free(got);
	}
	ath_buffer_free(&params);
}

static void the_first_of_two_parameters_counts(void **state)
{
	struct ath_buffer params;

	(void)state;
	bytes_init(&params);
	put_usual_pairs(&params, "GET", "/name/first");
	put_usual_pairs(&params, "POST", "/name/second");
	assert_status(handle_pairs(&params), "200", "\r\n\r\nfirst");
}

/* ---- identity -----------------------------------------------------------------------------------
 */

/* The id that a problem names, when the web server gave this one; NULL: none. */
static void id_of(const char *given, char out[80])
{
	struct ath_buffer params;
	const char *at;
	char *got;

	bytes_init(&params);
	put_pair(&params, "REQUEST_URI", "/nowhere");
	if (given != NULL)
		put_pair(&params, "REQUEST_ID", given);
	got = handle_pairs(&params);
	at = strstr(got, "\"instance\":\"");
	assert_non_null(at);
	assert_int_equal(sscanf(at + 12, "%79[^\"]", out), 1);
	free(got);
}

static void a_request_without_an_id_gets_a_random_one(void **state)
{
	static const char long_id[] = TEN TEN TEN TEN TEN TEN "01234";
	struct ath_uuid uuid;
	char first[80], second[80];

	(void)state;
	id_of(NULL, first);
	id_of(NULL, second);
	assert_true(ath_uuid_parse(ath_text(first), &uuid));
	assert_string_not_equal(first, second);
	id_of("", first);
	assert_true(ath_uuid_parse(ath_text(first), &uuid));
	id_of(long_id, first);
	assert_true(ath_uuid_parse(ath_text(first), &uuid));
	id_of(long_id + 1, first);
	assert_string_equal(first, long_id + 1);
	id_of("\xff", first);
	assert_string_equal(first, "\xef\xbf\xbd");
}

static void headers_by_any_case_of_their_name(void **state)
{
	struct ath_request *request = ath_request_new(&web);
	char name[200];

	(void)state;
	put_usual_pairs(&request->raw_params, "GET", "/");
	put_pair(&request->raw_params, "HTTP_X_FORWARDED_FOR", "::2");
	ath_request_read(request);
	assert_string_equal(ath_header(request, "x-forwarded-For"), "::2");
	assert_string_equal(ath_header(request, "X_FORWARDED-FOR"), "::2");
	assert_null(ath_header(request, "X-Forwarded"));
	assert_null(ath_header(request, ""));
	assert_null(ath_header(request, "REQUEST_URI"));
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_null(ath_header(request, name));
	ath_request_free(request);
}

/* ---- memory -------------------------------------------------------------------------------------
 */

static char *handle_in(size_t ceiling)
{
	struct ath_web small = web;
	struct ath_request *request;
	size_t length;
	char *got;

	small.limits.arena = ceiling;
	request = ath_request_new(&small);
	assert_non_null(request);
	put_usual_pairs(&request->raw_params, "GET", "/counted/n%61me?a=one&b=two+2&c&d&e");
	got = handle(request, &length);
	ath_request_free(request);
	return got;
}

/*
 * With memory for every prefix of what it takes: 200, or 413 and 500, never half a request,
 * and the handler runs only when it has all of it.
 */
static void a_handler_never_sees_half_a_request(void **state)
{
	static const char whole[] = "Status: 200 OK\r\nContent-Type: " TEXT "\r\n"
				    "Content-Length: 4\r\n" USUAL_LINES "\r\nname";
	size_t answered = 0, ceiling = 16;

	(void)state;
	for (calls = 0; answered < 10; ceiling += 16) {
		char *got = handle_in(ceiling);

		if (strncmp(got, "Status: 200", 11) == 0) {
			assert_string_equal(got, whole);
			answered++;
		} else {
			assert_int_equal(strncmp(got, "Status: 500", 11), 0);
		}
		free(got);
		assert_true(ceiling < 64 * 1024);
	}
	assert_true(calls >= 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_gives_its_answer),
		cmocka_unit_test(every_status_has_its_reason),
		cmocka_unit_test(at_most_1000_arguments),
		cmocka_unit_test(at_most_8192_bytes_of_uri),
		cmocka_unit_test(at_most_so_many_bytes_of_parameters),
		cmocka_unit_test(at_most_so_many_bytes_of_body),
		cmocka_unit_test(pairs_are_well_formed_or_refused),
		cmocka_unit_test(pairs_cut_off_anywhere_are_refused),
		cmocka_unit_test(the_first_of_two_parameters_counts),
		cmocka_unit_test(a_request_without_an_id_gets_a_random_one),
		cmocka_unit_test(headers_by_any_case_of_their_name),
		cmocka_unit_test(a_handler_never_sees_half_a_request),
	};

	return cmocka_run_group_tests(tests, open_web, close_web);
}
