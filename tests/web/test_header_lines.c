/*
 * test_header_lines.c - the lines that every answer has, those that take their place, and what
 * caches are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "usual_lines.h"
#include "whole_request.h"

/* ---- handlers ------------------------------------------------------------------------------- */

static struct ath_response *plain(struct ath_request *request)
{
	return ath_response_text(request, 200, "plain");
}

static struct ath_response *with_location(struct ath_request *request)
{
	return ath_redirect(request, 303, "/there");
}

static struct ath_response *page(struct ath_request *request)
{
	struct ath_response *response = ath_response_html(request, 200, "<p>page</p>");

	ath_response_header(response, "content-security-policy", "default-src 'self'");
	ath_response_header(response, "X-Frame-Options", "SAMEORIGIN");
	return response;
}

static struct ath_response *all_own(struct ath_request *request)
{
	struct ath_response *response = ath_response_empty(request, 204);

	ath_response_header(response, "Cache-Control", "max-age=1");
	ath_response_header(response, "Content-Security-Policy", "own");
	ath_response_header(response, "Cross-Origin-Resource-Policy", "own");
	ath_response_header(response, "Referrer-Policy", "own");
	ath_response_header(response, "X-Content-Type-Options", "own");
	ath_response_header(response, "X-Frame-Options", "own");
	return response;
}

/* Names that begin as the usual ones do, and values that look like them. */
static struct ath_response *nearly(struct ath_request *request)
{
	struct ath_response *response = plain(request);

	ath_response_header(response, "X-Frame-Options-2", "own");
	ath_response_header(response, "X-Frame", "Cache-Control: own");
	return response;
}

static struct ath_response *tagged(struct ath_request *request)
{
	struct ath_response *response = plain(request);

	ath_response_etag(response, "7");
	return response;
}

/* ?seconds=&flags=, twice when ?again */
static struct ath_response *cached(struct ath_request *request)
{
	struct ath_response *response = plain(request);
	int64_t seconds = ath_arg_int(request, "seconds", 0, INT64_MIN, INT64_MAX);

	if (ath_arg(request, "again") != NULL)
		ath_response_cache(response, 12345, ATH_CACHE_PUBLIC);
	ath_response_header(response, "X-After", "here");
	ath_response_cache(response, seconds, (unsigned)ath_arg_int(request, "flags", 0, 0, 255));
	return response;
}

/* ?on=, as often as it stands there */
static struct ath_response *varying(struct ath_request *request)
{
	struct ath_response *response = plain(request);
	const char *const *names;
	size_t count;

	ath_response_header(response, "X-Before", "Vary: no");
	names = ath_arg_list(request, "on", &count);
	for (size_t i = 0; i < count; i++) {
		ath_response_vary(response, names[i]);
		ath_response_header(response, "X-Between", names[i]);
	}
	return response;
}

static struct ath_response *without_memory(struct ath_request *request)
{
	(void)request;
	ath_response_cache(NULL, 1, 0);
	ath_response_vary(NULL, "Accept");
	return NULL;
}

static struct ath_response *failing(struct ath_request *request)
{
	return ath_problem(request, 409, "no");
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/plain", plain),
	ATH_ROUTE(GET, "/location", with_location),
	ATH_ROUTE(GET, "/page", page),
	ATH_ROUTE(GET, "/own", all_own),
	ATH_ROUTE(GET, "/nearly", nearly),
	ATH_ROUTE(GET, "/tagged", tagged),
	ATH_ROUTE(GET, "/cached", cached),
	ATH_ROUTE(GET, "/varying", varying),
	ATH_ROUTE(GET, "/none", without_memory),
	ATH_ROUTE(GET, "/failing", failing),
	{ 0 },
};

/* ---- answers -------------------------------------------------------------------------------- */

static const struct row {
	const char *uri;
	const char *head; /* from behind Content-Type and Content-Length to the body */
} rows[] = {
	{ "/plain", USUAL_LINES "\r\n" },
	{ "/location", USUAL_LINES "Location: /there\r\n\r\n" },
	{ "/failing", USUAL_LINES "\r\n" },
	{ "/nothing", USUAL_LINES "\r\n" },
	{ "/none", USUAL_LINES "\r\n" },
	{ "/page", STORE CORP REFER NOSNIFF "content-security-policy: default-src 'self'\r\n"
					    "X-Frame-Options: SAMEORIGIN\r\n\r\n" },
	{ "/own", "Cache-Control: max-age=1\r\nContent-Security-Policy: own\r\n"
		  "Cross-Origin-Resource-Policy: own\r\nReferrer-Policy: own\r\n"
		  "X-Content-Type-Options: own\r\nX-Frame-Options: own\r\n\r\n" },
	{ "/nearly", USUAL_LINES "X-Frame-Options-2: own\r\nX-Frame: Cache-Control: own\r\n\r\n" },
	{ "/tagged", "Cache-Control: private, no-cache\r\n" CSP CORP REFER NOSNIFF FRAME
		     "ETag: \"7\"\r\n\r\n" },

	/* caches */
	{ "/cached?seconds=60", CSP CORP REFER NOSNIFF FRAME
	  "X-After: here\r\nCache-Control: private, max-age=60\r\n\r\n" },
	{ "/cached?seconds=0", "\r\nCache-Control: private, no-cache\r\n\r\n" },
	{ "/cached?seconds=0&flags=1", "\r\nCache-Control: public, no-cache\r\n\r\n" },
	{ "/cached?seconds=9223372036854775807&flags=3",
	  "\r\nCache-Control: public, max-age=9223372036854775807, immutable\r\n\r\n" },
	{ "/cached?seconds=5&flags=2", "\r\nCache-Control: private, max-age=5, immutable\r\n\r\n" },
	{ "/cached?seconds=5&again", CSP CORP REFER NOSNIFF FRAME
	  "X-After: here\r\nCache-Control: private, max-age=5\r\n\r\n" },
	{ "/cached?seconds=-1", "a header was refused" },
	{ "/cached?seconds=1&flags=4", "a header was refused" },

	/* what an answer hangs on */
	{ "/varying?on=Accept", FRAME "X-Before: Vary: no\r\nVary: Accept\r\n"
				      "X-Between: Accept\r\n\r\n" },
	{ "/varying?on=Accept&on=Cookie&on=X",
	  "\r\nVary: Accept, Cookie, X\r\nX-Between: Accept\r\nX-Between: Cookie\r\n"
	  "X-Between: X\r\n\r\n" },
	{ "/varying?on=Accept&on=Cookie&on=accept&on=COOKIE",
	  "\r\nVary: Accept, Cookie\r\nX-Between: Accept\r\n" },
	{ "/varying?on=Accept-Language&on=Accept", "\r\nVary: Accept-Language, Accept\r\n" },
	{ "/varying?on=a%0d%0ab", "a header was refused" },
	{ "/varying?on=Accept&on=a%20b", "a header was refused" },
	{ "/varying?on=Accept&on=", "a header was refused" },
};

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;

	while ((text = strstr(text, part)) != NULL) {
		count++;
		text++;
	}
	return count;
}

static void every_row_has_its_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_request *request = ath_request_new(&web);
		size_t length;
		char *got;

		put_usual_pairs(&request->raw_params, "GET", rows[i].uri);
		got = handle(request, &length);
		if (strstr(got, rows[i].head) == NULL)
			fail_msg("%s:\n%s\nexpected:\n%s", rows[i].uri, got, rows[i].head);
		if (count_of(got, "\r\nCache-Control: ") != 1 || count_of(got, "\r\nVary: ") > 1)
			fail_msg("%s: a line stands twice:\n%s", rows[i].uri, got);
		free(got);
		ath_request_free(request);
	}
}

/* Whatever is missing, all of them are there, or the answer is the one that needs no memory. */
static void they_are_there_in_any_memory(void **state)
{
	struct ath_web_limits limits = web.limits;

	(void)state;
	for (size_t arena = 2048; arena < 16384; arena += 64) {
		struct ath_request *request;
		size_t length;
		char *got;

		web.limits.arena = arena;
		request = ath_request_new(&web);
		assert_non_null(request);
		put_usual_pairs(&request->raw_params, "GET", "/varying?on=Accept&on=Cookie");
		got = handle(request, &length);
		assert_non_null(strstr(got, USUAL_LINES));
		if (strncmp(got, "Status: 200", 11) == 0)
			assert_non_null(strstr(got, "\r\nVary: Accept, Cookie\r\n"));
		free(got);
		ath_request_free(request);
	}
	web.limits = limits;
}

static int open_web(void **state)
{
	(void)state;
	return open_routes(routes, (struct ath_web_limits){ 0 });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_has_its_lines),
		cmocka_unit_test(they_are_there_in_any_memory),
	};

	return cmocka_run_group_tests(tests, open_web, close_web);
}
