/*
 * test_router.c - routes and paths: which route, what it captured, and which methods a path
 * has. Refused tables are rows with the words of their message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "web/internal.h"

static struct ath_response *any(struct ath_request *request)
{
	(void)request;
	return NULL;
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/", any),
	ATH_ROUTE(GET, "/users", any),
	ATH_ROUTE(POST, "/users/", any),
	ATH_ROUTE(GET, "/users/<id:int>", any),
	ATH_ROUTE(PATCH, "/users/<user:int>", any),
	ATH_ROUTE(DELETE, "/users/<name:str>", any),
	ATH_ROUTE(GET, "/users/me", any),
	ATH_ROUTE(GET, "/users/<name:str>", any),
	ATH_ROUTE(GET, "/users/<id:int>/posts/<post:int>", any),
	ATH_ROUTE(GET, "/users/<name:str>/posts/<title:str>", any),
	ATH_ROUTE(GET, "/users/<who:int>/posts/last", any),
	ATH_ROUTE(GET, "/users/me/posts", any),
	/* backtracking: a fixed or typed part that leads nowhere gives way to a looser one */
	ATH_ROUTE(GET, "/a/b/c", any),
	ATH_ROUTE(GET, "/a/<x:str>/d", any),
	ATH_ROUTE(GET, "/<y:str>/b/e", any),
	ATH_ROUTE(GET, "/a/<n:int>/<m:int>", any),
	ATH_ROUTE(POST, "/a/<n:str>/<m:str>", any),
	/* a method of its own before GET's */
	ATH_ROUTE(GET, "/head", any),
	ATH_ROUTE(HEAD, "/head", any),
	ATH_ROUTE(OPTIONS, "/options", any),
	ATH_ROUTE(PUT, "/<a:int>/<b:int>/<c:int>/<d:int>/<e:int>/<f:int>/<g:int>/<h:int>", any),
	{ 0 },
};

static const char *const methods[] = {
#define X(name) #name,
	ATH_METHOD_MAP(X)
#undef X
};

static enum ath_method method_of(const char *name)
{
	size_t i = 0;

	while (i < ATH_COUNT(methods) && strcmp(methods[i], name) != 0)
		i++;
	return (enum ath_method)i;
}

/* The route and its captures, "404", or "405" and what is allowed. */
static const char *tell(const struct ath_match *match)
{
	static char text[512];
	size_t at = 0;

	if (match->leaf == NULL) {
		at += (size_t)sprintf(text, match->allowed == 0 ? "404" : "405");
		for (size_t i = 0; i < ATH_COUNT(methods); i++)
			if (match->allowed & 1U << i)
				at += (size_t)sprintf(text + at, " %s", methods[i]);
		return text;
	}
	at += (size_t)sprintf(text, "%s %s", methods[match->leaf->route->method],
			      match->leaf->route->path);
	for (size_t i = 0; i < match->capture_count; i++)
		at += (size_t)sprintf(
			text + at, " %.*s=%.*s(%lld)", (int)match->leaf->names[i].length,
			match->leaf->names[i].data, (int)match->captures[i].text.length,
			match->captures[i].text.data, (long long)match->captures[i].as.integer);
	return text;
}

static const char *look_up(const struct ath_router *router, const char *method, const char *path)
{
	struct ath_text segments[ATH_MAX_SEGMENTS], left = ath_text(path);
	struct ath_match match;
	size_t count = 0;

	while (count < ATH_COUNT(segments) && ath_next_segment(&left, &segments[count]))
		count++;
	memset(&match, 0xa5, sizeof match);
	ath_router_match(router, method_of(method), segments, count, &match);
	return tell(&match);
}

static const struct row {
	const char *method, *path, *told;
} rows[] = {
	{ "GET", "/", "GET /" },
	{ "GET", "", "GET /" },
	{ "GET", "/users", "GET /users" },
	{ "GET", "/users/", "GET /users" },
	{ "POST", "/users", "POST /users/" },
	{ "POST", "/users/", "POST /users/" },
	{ "GET", "/user", "404" },
	{ "GET", "/userss", "404" },
	{ "GET", "/Users", "404" },
	{ "GET", "//", "404" },
	{ "GET", "//users", "404" },
	{ "GET", "/users//", "404" },
	{ "GET", "/users//posts/1", "404" },

	/* names belong to the route, although the tree is shared */
	{ "GET", "/users/7", "GET /users/<id:int> id=7(7)" },
	{ "PATCH", "/users/7", "PATCH /users/<user:int> user=7(7)" },
	{ "GET", "/users/7/posts/last", "GET /users/<who:int>/posts/last who=7(7)" },
	{ "GET", "/users/7/", "GET /users/<id:int> id=7(7)" },
	{ "HEAD", "/users/7", "GET /users/<id:int> id=7(7)" },

	/* fixed before int before str */
	{ "GET", "/users/me", "GET /users/me" },
	{ "GET", "/users/mee", "GET /users/<name:str> name=mee(0)" },
	{ "GET", "/users/m", "GET /users/<name:str> name=m(0)" },
	{ "GET", "/users/7x", "GET /users/<name:str> name=7x(0)" },
	{ "GET", "/users/<id:int>", "GET /users/<name:str> name=<id:int>(0)" },

	/* the ends of int64 */
	{ "GET", "/users/0", "GET /users/<id:int> id=0(0)" },
	{ "GET", "/users/-1", "GET /users/<id:int> id=-1(-1)" },
	{ "PATCH", "/users/9223372036854775807",
	  "PATCH /users/<user:int> user=9223372036854775807(9223372036854775807)" },
	{ "PATCH", "/users/-9223372036854775808",
	  "PATCH /users/<user:int> user=-9223372036854775808(-9223372036854775808)" },
	{ "GET", "/users/9223372036854775808",
	  "GET /users/<name:str> name=9223372036854775808(0)" },
	{ "GET", "/users/-9223372036854775809",
	  "GET /users/<name:str> name=-9223372036854775809(0)" },
	{ "PATCH", "/users/9223372036854775808", "405 GET DELETE" },
	{ "GET", "/users/07", "GET /users/<name:str> name=07(0)" },
	{ "GET", "/users/+7", "GET /users/<name:str> name=+7(0)" },
	{ "GET", "/users/ 7", "GET /users/<name:str> name= 7(0)" },
	{ "GET", "/users/-", "GET /users/<name:str> name=-(0)" },
	{ "GET", "/users/1.0", "GET /users/<name:str> name=1.0(0)" },

	/* a method that the better node has not is looked for in the looser one */
	{ "DELETE", "/users/7", "DELETE /users/<name:str> name=7(0)" },
	{ "DELETE", "/users/me", "DELETE /users/<name:str> name=me(0)" },

	/* backtracking */
	{ "GET", "/a/b/c", "GET /a/b/c" },
	{ "GET", "/a/b/d", "GET /a/<x:str>/d x=b(0)" },
	{ "GET", "/a/b/e", "GET /<y:str>/b/e y=a(0)" },
	{ "GET", "/a/b/f", "405 POST" },
	{ "GET", "/a/1/2", "GET /a/<n:int>/<m:int> n=1(1) m=2(2)" },
	{ "POST", "/a/1/2", "POST /a/<n:str>/<m:str> n=1(0) m=2(0)" },
	{ "POST", "/a/b/2", "POST /a/<n:str>/<m:str> n=b(0) m=2(0)" },
	{ "GET", "/a/1/d", "GET /a/<x:str>/d x=1(0)" },
	{ "GET", "/a/1/x", "405 POST" },
	{ "GET", "/b/b/e", "GET /<y:str>/b/e y=b(0)" },
	{ "GET", "/b/b/f", "404" },
	{ "GET", "/users/7/posts/8", "GET /users/<id:int>/posts/<post:int> id=7(7) post=8(8)" },
	{ "GET", "/users/7/posts/x",
	  "GET /users/<name:str>/posts/<title:str> name=7(0) title=x(0)" },
	{ "GET", "/users/me/posts", "GET /users/me/posts" },
	{ "GET", "/users/me/posts/8",
	  "GET /users/<name:str>/posts/<title:str> name=me(0) title=8(0)" },
	{ "GET", "/users/x/posts", "404" },

	/* not this method: what all the routes of the path allow */
	{ "PUT", "/users", "405 GET POST" },
	{ "PUT", "/users/7", "405 GET PATCH DELETE" },
	{ "PUT", "/users/me", "405 GET DELETE" },
	{ "PUT", "/users/x", "405 GET DELETE" },
	{ "BREW", "/users", "405 GET POST" },
	{ "BREW", "/nowhere", "404" },
	{ "OPTIONS", "/users", "405 GET POST" },
	{ "POST", "/", "405 GET" },

	/* HEAD and OPTIONS */
	{ "HEAD", "/users", "GET /users" },
	{ "HEAD", "/head", "HEAD /head" },
	{ "GET", "/head", "GET /head" },
	{ "HEAD", "/options", "405 OPTIONS" },
	{ "OPTIONS", "/options", "OPTIONS /options" },

	{ "PUT", "/1/2/3/4/5/6/7/8",
	  "PUT /<a:int>/<b:int>/<c:int>/<d:int>/<e:int>/<f:int>/<g:int>/<h:int> "
	  "a=1(1) b=2(2) c=3(3) d=4(4) e=5(5) f=6(6) g=7(7) h=8(8)" },
	{ "PUT", "/1/2/3/4/5/6/7/8/9", "404" },
	{ "PUT", "/1/2/3/4/5/6/7/x", "404" },
};

static struct ath_router *open_router(const struct ath_route *table)
{
	struct ath_error error = { 0 };
	struct ath_router *router;

	if (ath_router_open(&router, table, &error) != ATH_OK)
		fail_msg("%s", error.message);
	return router;
}

static void every_row(void **state)
{
	struct ath_router *router = open_router(routes);

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const char *told = look_up(router, rows[i].method, rows[i].path);

		if (strcmp(told, rows[i].told) != 0)
			fail_msg("%s %s: %s, not %s", rows[i].method, rows[i].path, told,
				 rows[i].told);
	}
	ath_router_close(&router);
	assert_null(router);
	ath_router_close(&router);
	ath_router_close(NULL);
}

/* The same answers whatever the order of the table. */
static void the_order_of_the_table_does_not_matter(void **state)
{
	struct ath_route turned[ATH_COUNT(routes)] = { 0 };
	struct ath_router *router;

	(void)state;
	for (size_t i = 0; i + 1 < ATH_COUNT(routes); i++)
		turned[i] = routes[ATH_COUNT(routes) - 2 - i];
	router = open_router(turned);
	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		assert_string_equal(look_up(router, rows[i].method, rows[i].path), rows[i].told);
	ath_router_close(&router);
}

/* A segment may hold anything, a slash too: it is decoded before it is matched. */
static void a_segment_is_any_bytes(void **state)
{
	struct ath_router *router = open_router(routes);
	struct ath_text segments[] = { ath_text("users"), ath_text("me/posts") };
	struct ath_match match;

	(void)state;
	ath_router_match(router, ATH_METHOD_GET, segments, 2, &match);
	assert_string_equal(tell(&match), "GET /users/<name:str> name=me/posts(0)");
	ath_router_close(&router);
}

static void an_empty_table_has_nothing(void **state)
{
	static const struct ath_route none[] = { { 0 } };
	struct ath_router *router = open_router(none);

	(void)state;
	assert_string_equal(look_up(router, "GET", "/"), "404");
	assert_string_equal(look_up(router, "GET", "/x"), "404");
	ath_router_close(&router);
}

static struct ath_route *many;

/* Opens a table of count routes, each of which numbered() has put something into. */
static struct ath_router *open_many(void (*numbered)(unsigned i, struct ath_route *route),
				    unsigned count)
{
	struct ath_route *table = calloc(count + 1, sizeof *table);
	struct ath_router *router;

	assert_non_null(table);
	for (unsigned i = 0; i < count; i++) {
		table[i] = (struct ath_route){ .method = ATH_METHOD_GET, .handler = any };
		numbered(i, &table[i]);
	}
	router = open_router(table);
	many = table;
	return router;
}

static void close_many(struct ath_router **router)
{
	ath_router_close(router);
	free(many);
}

static char paths[10000][16];

static void numbered_path(unsigned i, struct ath_route *route)
{
	snprintf(paths[i], sizeof paths[i], "/r%u", i * 7919 % 10000);
	route->path = paths[i];
}

/* Many children in one node, put in out of order. */
static void ten_thousand_routes(void **state)
{
	struct ath_router *router = open_many(numbered_path, 10000);

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		assert_string_equal(look_up(router, "GET", paths[i]) + 4, paths[i]);
	assert_string_equal(look_up(router, "GET", "/r10000"), "404");
	assert_string_equal(look_up(router, "GET", "/r"), "404");
	assert_string_equal(look_up(router, "GET", "/"), "404");
	close_many(&router);
}

/* ---- names --------------------------------------------------------------------------------------
 */

/* Two routes have each name, and every fifth has none. */
static void numbered_name(unsigned i, struct ath_route *route)
{
	static char names[1000][16];

	numbered_path(i, route);
	snprintf(names[i], sizeof names[i], "n%u", i * 7919 % 1000 / 2);
	if (i % 5 > 0)
		route->name = names[i];
}

static void a_name_is_the_first_routes(void **state)
{
	struct ath_router *router = open_many(numbered_name, 1000);

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		unsigned first = 0;

		if (many[i].name == NULL)
			continue;
		while (many[first].name == NULL || strcmp(many[first].name, many[i].name) != 0)
			first++;
		assert_ptr_equal(ath_router_named(router, many[i].name)->route, &many[first]);
	}
	assert_null(ath_router_named(router, ""));
	assert_null(ath_router_named(router, "n1000"));
	close_many(&router);
}

static struct ath_response *other(struct ath_request *request)
{
	(void)request;
	return NULL;
}

static void a_name_of_two_handlers_is_ambiguous(void **state)
{
	static const struct ath_route inner[] = { ATH_ROUTE(GET, "/x", other), { 0 } };
	struct ath_route table[] = { ATH_ROUTE(GET, "/a", any),
				     ATH_ROUTE(POST, "/a", any),
				     ATH_GROUP("/b", inner),
				     ATH_ROUTE(GET, "/other", any, .name = "second"),
				     { 0 } };
	struct ath_router *router = open_router(table);

	(void)state;
	assert_false(ath_router_named(router, "any")->ambiguous);
	assert_false(ath_router_named(router, "other")->ambiguous);
	assert_ptr_equal(ath_router_named(router, "second")->route, &table[3]);
	ath_router_close(&router);
	table[3].name = "other";
	router = open_router(table);
	assert_false(ath_router_named(router, "any")->ambiguous);
	assert_true(ath_router_named(router, "other")->ambiguous);
	ath_router_close(&router);
}

/* ---- refused tables -----------------------------------------------------------------------------
 */

static const struct refused {
	const char *first, *second; /* second NULL: one route */
	const char *words;          /* in the message, beside the path */
} refused[] = {
	{ "/users", "/users", "the same as route" },
	{ "/users", "/users/", "the same as route" },
	{ "/users/<id:int>", "/users/<user:int>", "the same as route" },
	{ "/<a:str>/x", "/<b:str>/x", "the same as route" },
	{ "/", "/", "the same as route" },
	{ "users", NULL, "starts with /" },
	{ "", NULL, "starts with /" },
	{ "<id:int>", NULL, "starts with /" },
	{ "/<id:int", NULL, "<name:type>" },
	{ "/x<id:int>", NULL, "<name:type>" },
	{ "/<id:int>x", NULL, "<name:type>" },
	{ "/<:int>", NULL, "<name:type>" },
	{ "/<>", NULL, "<name:type>" },
	{ "/<", NULL, "<name:type>" },
	{ "/<:>", NULL, "<name:type>" },
	{ "/<ab:>", NULL, "<name:type>" },
	{ "/<id:guid>", NULL, "guid is no type of a part" },
	{ "/<id:INT>", NULL, "INT is no type of a part" },
	{ "/<id:[0-9>", NULL, "[0-9 is no type of a part" },
	{ "/<a:int>/<a:str>", NULL, "two parts are called a" },
	{ "/<a:path>/b", NULL, "a path takes all that follows" },
	{ "/<a:[x-z]+>", "/<b:[x-z]+>", "the same as route" },
	{ "/<a:int>/<b:int>/<c:int>/<d:int>/<e:int>/<f:int>/<g:int>/<h:int>/<i:int>", NULL,
	  "more than 8 parts" },
	{ "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3", NULL,
	  "more than 32 segments" },
};

static void bad_tables_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(refused); i++) {
		const struct refused *row = &refused[i];
		const char *path = row->second == NULL ? row->first : row->second;
		struct ath_route table[] = { ATH_ROUTE(GET, "/fine", any),
					     ATH_ROUTE(GET, row->first, any),
					     ATH_ROUTE(GET, row->second, any),
					     { 0 } };
		struct ath_error error = { 0 };
		struct ath_router *router;

		if (row->second == NULL)
			table[2] = (struct ath_route){ 0 };
		if (ath_router_open(&router, table, &error) == ATH_OK)
			fail_msg("%s was taken", path);
		assert_null(router);
		/* a slash at the end makes no difference */
		if (strstr(error.message, strcmp(path, "/users/") == 0 ? "/users" : path) == NULL)
			fail_msg("%s: %s", path, error.message);
		if (strstr(error.message, row->words) == NULL)
			fail_msg("%s: %s", path, error.message);
	}
}

static void the_most_of_everything_is_taken(void **state)
{
	static const struct ath_route most[] = {
		ATH_ROUTE(GET, "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2",
			  any),
		{ 0 },
	};
	struct ath_router *router = open_router(most);

	(void)state;
	assert_string_equal(look_up(router, "GET", most[0].path) + 4, most[0].path);
	ath_router_close(&router);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(the_order_of_the_table_does_not_matter),
		cmocka_unit_test(a_segment_is_any_bytes),
		cmocka_unit_test(an_empty_table_has_nothing),
		cmocka_unit_test(ten_thousand_routes),
		cmocka_unit_test(a_name_is_the_first_routes),
		cmocka_unit_test(a_name_of_two_handlers_is_ambiguous),
		cmocka_unit_test(bad_tables_are_refused),
		cmocka_unit_test(the_most_of_everything_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
