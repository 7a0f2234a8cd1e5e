/*
 * test_answers.c - what a handler asks of a request and how it answers, through the whole of the
 * application: parts of paths, groups, forms, cookies, conditions, other kinds of answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "whole_request.h"

/* ---- handlers ------------------------------------------------------------------------------- */

static struct ath_response *say(struct ath_request *request, const char *format, ...)
	ATH_PRINTF(2, 3);

static struct ath_response *say(struct ath_request *request, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return ath_response_text(request, 200, text);
}

static struct ath_response *integer(struct ath_request *request)
{
	return say(request, "int %lld", (long long)ath_path_int(request, "x"));
}

static struct ath_response *real(struct ath_request *request)
{
	return say(request, "float %g", ath_path_float(request, "x"));
}

static struct ath_response *day(struct ath_request *request)
{
	return say(request, "ymd %d", ath_path_ymd(request, "x").days);
}

static struct ath_response *uuid(struct ath_request *request)
{
	char text[ATH_UUID_TEXT];

	ath_uuid_format(ath_path_uuid(request, "x"), text);
	return say(request, "uuid %s", text);
}

static struct ath_response *alpha(struct ath_request *request)
{
	return say(request, "alpha %s", ath_path_str(request, "x"));
}

static struct ath_response *slug(struct ath_request *request)
{
	return say(request, "slug %s", ath_path_str(request, "x"));
}

static struct ath_response *code(struct ath_request *request)
{
	return say(request, "code %s", ath_path_str(request, "x"));
}

static struct ath_response *any(struct ath_request *request)
{
	return say(request, "str %s", ath_path_str(request, "x"));
}

static struct ath_response *rest(struct ath_request *request)
{
	return say(request, "path %s %d", ath_path_str(request, "x"),
		   ath_path_ymd(request, "y").days);
}

static struct ath_response *lists(struct ath_request *request)
{
	size_t args, headers, none;
	const char *const *values = ath_arg_list(request, "a", &args);
	const char *const *lines = ath_header_list(request, "X-Many", &headers);

	assert_null(ath_arg_list(request, "none", &none));
	assert_int_equal(none, 0);
	return say(request, "%zu %s %s, %zu %s", args, args > 0 ? values[0] : "-",
		   args > 1 ? values[1] : "-", headers, headers > 1 ? lines[1] : "-");
}

static const char *or_dash(const char *text)
{
	return text == NULL ? "-" : text;
}

static struct ath_response *cookies(struct ath_request *request)
{
	return say(request, "%s %s %s", or_dash(ath_cookie(request, "a")),
		   or_dash(ath_cookie(request, "b")), or_dash(ath_cookie(request, "ab")));
}

static struct ath_response *who(struct ath_request *request)
{
	return say(request, "%s %s %s %s", ath_client_address(request), ath_scheme(request),
		   ath_host(request), or_dash(ath_traceparent(request)));
}

static struct ath_response *accepts(struct ath_request *request)
{
	static const char *const types[] = { "application/json", "text/html", "text/csv" };

	return say(request, "%d", ath_accept(request, types, ATH_COUNT(types)));
}

static struct ath_response *form(struct ath_request *request)
{
	const char *name = ath_form(request, "name");
	const struct ath_file *file = ath_form_file(request, "file");
	size_t count;

	(void)ath_form_list(request, "tag", &count);
	if (file == NULL)
		return say(request, "%s %zu", or_dash(name), count);
	return say(request, "%s %zu %s %s [%.*s]", or_dash(name), count, file->filename,
		   file->content_type, (int)file->data.length, file->data.data);
}

static struct ath_response *page(struct ath_request *request)
{
	return ath_response_html(request, 200, "<p>%s</p> %lld %%", ath_arg(request, "text"), 7LL);
}

static struct ath_response *bad_page(struct ath_request *request)
{
	return ath_response_html(request, 200, "%d", 7);
}

static struct ath_response *elsewhere(struct ath_request *request)
{
	return ath_redirect(request, 303, ath_arg(request, "to"));
}

static struct ath_response *file(struct ath_request *request)
{
	return ath_response_file(request, "application/pdf", "/files/7.pdf",
				 ath_arg(request, "as"));
}

static struct ath_response *set_cookie(struct ath_request *request)
{
	struct ath_cookie_options options = { .max_age = ath_arg_int(request, "age", 0, -1, 9),
					      .same_site = ATH_SAME_SITE_STRICT };
	struct ath_response *response = ath_response_text(request, 200, "");

	ath_response_cookie(response, "plain", "1", NULL);
	ath_response_cookie(response, "id", ath_arg(request, "value"), &options);
	return response;
}

static struct ath_response *tagged(struct ath_request *request)
{
	struct ath_response *response = ath_response_text(request, 200, "body");

	ath_response_etag(response, ath_arg(request, "tag"));
	return response;
}

static struct ath_response *guarded(struct ath_request *request)
{
	return ath_if_match(request, "7") ? say(request, "changed") : NULL;
}

static struct ath_response *urls(struct ath_request *request)
{
	return say(request, "%s %s %s %s", ath_url_for(request, "any", ATH_URL_TEXT("x", "a b/c")),
		   ath_url_for(request, "inner", ATH_URL_INT("id", -7), ATH_URL_TEXT("q", "a&b"),
			       ATH_URL_INT("page", 2)),
		   ath_url_for(request, "rest", ATH_URL_TEXT("x", "a/b c")),
		   ath_url_for(request, "urls"));
}

static struct ath_response *bad_url(struct ath_request *request)
{
	return say(request, "%s",
		   ath_arg(request, "value") == NULL
			   ? ath_url_for(request, ath_arg(request, "name"))
			   : ath_url_for(request, "integer",
					 ATH_URL_TEXT("x", ath_arg(request, "value"))));
}

/* ---- groups -----------------------------------------------------------------------------------
 */

static struct ath_response *inner(struct ath_request *request)
{
	return say(request, "inner %lld%s", (long long)ath_path_int(request, "id"),
		   (const char *)ath_context(request));
}

static struct ath_response *add(struct ath_request *request, const char *what)
{
	const char *before = ath_context(request);

	ath_set_context(request, ath_arena_printf(ath_request_arena(request), "%s %s",
						  before == NULL ? "" : before, what));
	return NULL;
}

static struct ath_response *before_all(struct ath_request *request)
{
	return add(request, "all");
}

static struct ath_response *before_outer(struct ath_request *request)
{
	return ath_arg(request, "stop") == NULL ? add(request, "outer")
						: ath_problem(request, 403, "stopped");
}

static struct ath_response *before_inner(struct ath_request *request)
{
	return add(request, "inner");
}

static struct ath_response *mark(struct ath_response *response, const char *what)
{
	ath_response_header(response, "X-After", what);
	return response;
}

static struct ath_response *after_all(struct ath_request *request, struct ath_response *response)
{
	(void)request;
	return mark(response, "all");
}

static struct ath_response *after_outer(struct ath_request *request, struct ath_response *response)
{
	(void)request;
	return mark(response, "outer");
}

static struct ath_response *after_inner(struct ath_request *request, struct ath_response *response)
{
	(void)request;
	return mark(response, "inner");
}

static const struct ath_route inner_routes[] = {
	ATH_ROUTE(GET, "/<id:int>", inner, .before = before_inner, .after = after_inner),
	{ 0 },
};

static const struct ath_route outer_routes[] = {
	ATH_GROUP("/things", inner_routes, .version = 2),
	{ 0 },
};

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/p/<x:int>", integer),
	ATH_ROUTE(GET, "/p/<x:float>", real),
	ATH_ROUTE(GET, "/p/<x:ymd>", day),
	ATH_ROUTE(GET, "/p/<x:uuid>", uuid),
	ATH_ROUTE(GET, "/p/<x:alpha>", alpha),
	ATH_ROUTE(GET, "/p/<x:slug>", slug),
	ATH_ROUTE(GET, "/p/<x:[A-Z]{2}[0-9]+>", code),
	ATH_ROUTE(GET, "/p/<x>", any),
	ATH_ROUTE(GET, "/rest/<x:path>", rest),
	ATH_ROUTE(GET, "/lists", lists),
	ATH_ROUTE(GET, "/cookies", cookies, .name = "lists"),
	ATH_ROUTE(GET, "/who", who),
	ATH_ROUTE(GET, "/accept", accepts),
	ATH_ROUTE(POST, "/form", form),
	ATH_ROUTE(GET, "/page", page),
	ATH_ROUTE(GET, "/bad-page", bad_page),
	ATH_ROUTE(GET, "/elsewhere", elsewhere),
	ATH_ROUTE(GET, "/file", file),
	ATH_ROUTE(GET, "/set-cookie", set_cookie),
	ATH_ROUTE(GET, "/tagged", tagged),
	ATH_ROUTE(POST, "/tagged", tagged),
	ATH_ROUTE(PUT, "/guarded", guarded),
	ATH_ROUTE(GET, "/urls", urls),
	ATH_ROUTE(GET, "/bad-url", bad_url),
	ATH_GROUP("/outer", outer_routes, .before = before_outer, .after = after_outer),
	{ 0 },
};

static int open_web(void **state)
{
	(void)state;
	web.before = before_all;
	web.after = after_all;
	return open_routes(routes, (struct ath_web_limits){ .body = 8192, .arena = 512 * 1024 });
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static const struct row {
	const char *method, *uri;
	const char *name, *value; /* a parameter, twice when the name begins with 2 */
	const char *body;
	int status;
	const char *expected; /* somewhere in the answer */
} rows[] = {
	/* the narrowest type takes it */
	{ "GET", "/p/7", NULL, NULL, NULL, 200, "\r\n\r\nint 7" },
	{ "GET", "/p/-7", NULL, NULL, NULL, 200, "\r\n\r\nint -7" },
	{ "GET", "/p/-1.5", NULL, NULL, NULL, 200, "\r\n\r\nfloat -1.5" },
	{ "GET", "/p/.5", NULL, NULL, NULL, 200, "\r\n\r\nfloat 0.5" },
	{ "GET", "/p/007", NULL, NULL, NULL, 200, "\r\n\r\nfloat 7" },
	{ "GET", "/p/1970-01-11", NULL, NULL, NULL, 200, "\r\n\r\nymd 10" },
	{ "GET", "/p/1970-02-30", NULL, NULL, NULL, 200, "\r\n\r\nslug 1970-02-30" },
	{ "GET", "/p/1.5e3", NULL, NULL, NULL, 200, "\r\n\r\nstr 1.5e3" },
	{ "GET", "/p/6BA7B810-9DAD-11D1-80B4-00C04FD430C8", NULL, NULL, NULL, 200,
	  "uuid 6ba7b810-9dad-11d1-80b4-00c04fd430c8" },
	{ "GET", "/p/Abc", NULL, NULL, NULL, 200, "\r\n\r\nalpha Abc" },
	{ "GET", "/p/infinity", NULL, NULL, NULL, 200, "\r\n\r\nalpha infinity" },
	{ "GET", "/p/a-b2", NULL, NULL, NULL, 200, "\r\n\r\nslug a-b2" },
	{ "GET", "/p/a--b", NULL, NULL, NULL, 200, "\r\n\r\nstr a--b" },
	{ "GET", "/p/-a", NULL, NULL, NULL, 200, "\r\n\r\nstr -a" },
	{ "GET", "/p/a-", NULL, NULL, NULL, 200, "\r\n\r\nstr a-" },
	{ "GET", "/p/AB12", NULL, NULL, NULL, 200, "\r\n\r\ncode AB12" },
	{ "GET", "/p/AB12x", NULL, NULL, NULL, 200, "\r\n\r\nstr AB12x" },
	{ "GET", "/p/%c3%a4", NULL, NULL, NULL, 200, "\r\n\r\nstr \xc3\xa4" },
	{ "GET", "/rest/a/b%2Fc/d", NULL, NULL, NULL, 200, "\r\n\r\npath a/b/c/d 0" },
	{ "GET", "/rest/a//b", NULL, NULL, NULL, 200, "\r\n\r\npath a//b 0" },
	{ "GET", "/rest", NULL, NULL, NULL, 404, "" },

	/* what is in a request */
	{ "GET", "/lists?a=1&b=2&a=%33", NULL, NULL, NULL, 200, "\r\n\r\n2 1 3, 0 -" },
	{ "GET", "/lists", "2HTTP_X_MANY", "x", NULL, 200, "\r\n\r\n0 - -, 2 x" },
	{ "GET", "/lists", "2HTTP_HOST", "x", NULL, 400, "may stand once" },
	{ "GET", "/lists", "2HTTP_AUTHORIZATION", "x", NULL, 400, "may stand once" },
	{ "GET", "/cookies", "HTTP_COOKIE", "ab=1; a=\"two\"; b=3=4", NULL, 200,
	  "\r\n\r\ntwo 3=4 1" },
	{ "GET", "/cookies", "HTTP_COOKIE", "a; b=; ; abc=1", NULL, 200, "\r\n\r\n-  -" },
	{ "GET", "/cookies", NULL, NULL, NULL, 200, "\r\n\r\n- - -" },
	{ "GET", "/who", "REMOTE_ADDR", "::1", NULL, 200, "\r\n\r\n::1 http  -" },
	{ "GET", "/who", "HTTPS", "on", NULL, 200, "\r\n\r\n https  -" },
	{ "GET", "/who", "HTTPS", "off", NULL, 200, "\r\n\r\n http  -" },
	{ "GET", "/who", "REQUEST_SCHEME", "https", NULL, 200, "\r\n\r\n https  -" },
	{ "GET", "/who", "SERVER_NAME", "example.com", NULL, 200, "\r\n\r\n http example.com -" },
	{ "GET", "/who", "HTTP_TRACEPARENT",
	  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", NULL, 200,
	  "b7ad6b7169203331-01" },
	{ "GET", "/who", "HTTP_TRACEPARENT",
	  "00-00000000000000000000000000000000-b7ad6b7169203331-01", NULL, 200, "http  -" },
	{ "GET", "/who", "HTTP_TRACEPARENT",
	  "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", NULL, 200, "http  -" },
	{ "GET", "/accept", NULL, NULL, NULL, 200, "\r\n\r\n0" },
	{ "GET", "/accept", "HTTP_ACCEPT", "text/html", NULL, 200, "\r\n\r\n1" },
	{ "GET", "/accept", "HTTP_ACCEPT", "text/*;q=0.5, */*;q=0.1", NULL, 200, "\r\n\r\n1" },
	{ "GET", "/accept", "HTTP_ACCEPT", "text/*, text/html;q=0.2", NULL, 200, "\r\n\r\n2" },
	{ "GET", "/accept", "HTTP_ACCEPT", "*/*", NULL, 200, "\r\n\r\n0" },
	{ "GET", "/accept", "HTTP_ACCEPT", "image/png, */*;q=0", NULL, 406, "is accepted" },

	/* forms */
	{ "POST", "/form", "CONTENT_TYPE", "application/x-www-form-urlencoded",
	  "name=a+b%21&tag=1&tag=2", 200, "\r\n\r\na b! 2" },
	{ "POST", "/form", "CONTENT_TYPE", "application/x-www-form-urlencoded", "name=%f", 400,
	  "the form is not well encoded" },
	{ "POST", "/form", "CONTENT_TYPE", "application/json", "{}", 415, "the body is no form" },
	{ "POST", "/form", NULL, NULL, "name=a", 415, "the body is no form" },
	{ "POST", "/form", "CONTENT_TYPE", "multipart/form-data; boundary=\"x y\"",
	  "preamble\r\n--x y\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nJo\r\n"
	  "--x y\r\ncontent-disposition: form-data; name=\"file\"; "
	  "filename=\"C:\\\\a\\\"b.txt\"\r\n"
	  "Content-Type: text/plain\r\n\r\nline\r\n--x\r\n\r\n--x y--\r\nepilogue",
	  200, "\r\n\r\nJo 0 a\"b.txt text/plain [line\r\n--x\r\n]" },
	{ "POST", "/form", "CONTENT_TYPE", "multipart/form-data; boundary=b",
	  "--b\r\nContent-Disposition: form-data; name=tag\r\n\r\n\r\n--b\r\n"
	  "Content-Disposition: form-data; name=tag\r\n\r\n2\r\n--b--",
	  200, "\r\n\r\n- 2" },
	{ "POST", "/form", "CONTENT_TYPE", "multipart/form-data", "--b--", 400, "not well formed" },
	{ "POST", "/form", "CONTENT_TYPE", "multipart/form-data; boundary=b", "", 400,
	  "not well formed" },
	{ "POST", "/form", "CONTENT_TYPE", "multipart/form-data; boundary=b", "--b\r\n", 400,
	  "not well formed" },
	{ "POST", "/form", "CONTENT_TYPE", "multipart/form-data; boundary=b",
	  "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nno end", 400,
	  "not well formed" },
	{ "POST", "/form", "CONTENT_TYPE", "multipart/form-data; boundary=b",
	  "--b\r\nContent-Type: text/plain\r\n\r\nno name\r\n--b--", 400, "not well formed" },
	{ "POST", "/form", "CONTENT_TYPE", "multipart/form-data; boundary=b",
	  "--b\r\nContent-Disposition: form-data; name=\"x\r\n\r\nopen\r\n--b--", 400,
	  "not well formed" },
	{ "POST", "/form", "CONTENT_TYPE", "multipart/form-data; boundary=b",
	  "--b\r\nContent-Disposition: form-data; name=x\r\n\r\n\xff\r\n--b--", 400,
	  "not well formed" },

	/* answers */
	{ "GET", "/page?text=%3Cb%20a%3D%22%27%26", NULL, NULL, NULL, 200,
	  "<p>&lt;b a=&quot;&#39;&amp;</p> 7 %" },
	{ "GET", "/bad-page", NULL, NULL, NULL, 500, "could not be made" },
	{ "GET", "/elsewhere?to=/users/7", NULL, NULL, NULL, 303, "Location: /users/7\r\n" },
	{ "GET", "/elsewhere?to=%0d%0aX:1", NULL, NULL, NULL, 500, "a header was refused" },
	{ "GET", "/file", NULL, NULL, NULL, 200, "X-Accel-Redirect: /files/7.pdf\r\n" },
	{ "GET", "/file?as=a%22%C3%A4.pdf", NULL, NULL, NULL, 200,
	  "Content-Disposition: attachment; filename*=UTF-8''a%22%C3%A4.pdf\r\n" },
	{ "GET", "/set-cookie?value=x", NULL, NULL, NULL, 200,
	  "Set-Cookie: plain=1; Path=/; HttpOnly; Secure; SameSite=Lax\r\n"
	  "Set-Cookie: id=x; Path=/; HttpOnly; Secure; SameSite=Strict\r\n" },
	{ "GET", "/set-cookie?value=x&age=9", NULL, NULL, NULL, 200, "id=x; Path=/; Max-Age=9; " },
	{ "GET", "/set-cookie?value=&age=-1", NULL, NULL, NULL, 200, "id=; Path=/; Max-Age=0; " },
	{ "GET", "/set-cookie?value=a;b", NULL, NULL, NULL, 500, "a header was refused" },
	{ "GET", "/tagged?tag=7", NULL, NULL, NULL, 200, "ETag: \"7\"\r\n" },
	{ "GET", "/tagged?tag=7", "HTTP_IF_NONE_MATCH", "\"6\", W/\"7\"", NULL, 304,
	  "ETag: \"7\"" },
	{ "GET", "/tagged?tag=7", "HTTP_IF_NONE_MATCH", "*", NULL, 304, "ETag: \"7\"" },
	{ "GET", "/tagged?tag=7", "HTTP_IF_NONE_MATCH", "\"77\"", NULL, 200, "\r\n\r\nbody" },
	{ "GET", "/tagged?tag=7", "HTTP_IF_NONE_MATCH", "7", NULL, 200, "\r\n\r\nbody" },
	{ "POST", "/tagged?tag=7", "HTTP_IF_NONE_MATCH", "\"7\"", "", 200, "\r\n\r\nbody" },
	{ "GET", "/tagged", NULL, NULL, NULL, 200, "ETag: \"" },
	{ "GET", "/tagged?tag=a%22", NULL, NULL, NULL, 500, "a header was refused" },
	{ "PUT", "/guarded", NULL, NULL, NULL, 428, "If-Match" },
	{ "PUT", "/guarded", "HTTP_IF_MATCH", "\"8\"", NULL, 412, "changed meanwhile" },
	{ "PUT", "/guarded", "HTTP_IF_MATCH", "W/\"7\"", NULL, 412, "changed meanwhile" },
	{ "PUT", "/guarded", "HTTP_IF_MATCH", "\"8\", \"7\"", NULL, 200, "\r\n\r\nchanged" },

	/* URLs and groups */
	{ "GET", "/urls", NULL, NULL, NULL, 200,
	  "/p/a%20b%2Fc /v2/outer/things/-7?q=a%26b&page=2 /rest/a/b%20c /urls" },
	{ "GET", "/bad-url?name=no_such", NULL, NULL, NULL, 500, "no route called no_such" },
	{ "GET", "/bad-url?name=lists", NULL, NULL, NULL, 500, "two handlers are called lists" },
	{ "GET", "/bad-url?value=x", NULL, NULL, NULL, 500, "no value for a part" },
	{ "GET", "/v2/outer/things/3", NULL, NULL, NULL, 200,
	  "X-After: inner\r\nX-After: outer\r\nX-After: all\r\n\r\ninner 3 all outer inner" },
	{ "GET", "/v2/outer/things/3?stop", NULL, NULL, NULL, 403, "stopped" },
	{ "GET", "/outer/things/3", NULL, NULL, NULL, 404, "X-After: all\r\n" },
	{ "PUT", "/v2/outer/things/3", NULL, NULL, NULL, 405, "Allow: GET, HEAD, OPTIONS\r\n" },
};

static void fill(struct ath_request *request, const struct row *row)
{
	const char *name = row->name;

	put_usual_pairs(&request->raw_params, row->method, row->uri);
	if (name != NULL) {
		put_pair(&request->raw_params, name + (*name == '2'), row->value);
		if (*name == '2')
			put_pair(&request->raw_params, name + 1, row->value);
	}
	if (row->body != NULL)
		ath_buffer_string(&request->raw_body, row->body);
}

static void every_row_gives_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct ath_request *request = ath_request_new(&web);
		size_t length;
		int status = 0;
		char *got;

		fill(request, row);
		got = handle(request, &length);
		(void)sscanf(got, "Status: %d", &status);
		if (status != row->status || strstr(got, row->expected) == NULL)
			fail_msg("%s %s %s:\n%s\nexpected: %d %s", row->method, row->uri,
				 row->value == NULL ? "" : row->value, got, row->status,
				 row->expected);
		if (status == 304)
			assert_null(strstr(got, "body"));
		free(got);
		ath_request_free(request);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_gives_its_answer),
	};

	return cmocka_run_group_tests(tests, open_web, close_web);
}
