/*
 * main.c - an application that uses all of the web layer, for the tests that ask it the same
 * things behind each web server: tests/e2e/test_fronts.sh.
 *
 * A further subject is two files and one line:
 *
 *	uploads.c    its handlers, and "const struct ath_route uploads_routes[]", which is served
 *	             under /uploads; hooks, versions and groups of its own stand inside the table
 *	uploads.sh   a function uploads_rows of rows, as tests/e2e/common.sh has them; sourced and
 *	             called for each web server by tests/e2e/test_fronts.sh
 *	site.h       X(uploads) in SITE_SUBJECT_MAP
 *
 * What one of the web servers cannot do stands, with its reason, in the table "otherwise" of
 * tests/e2e/test_fronts.sh, and the rows say what it does instead: "if like_others NAME; then ...".
 */
#include "site.h"

static const struct ath_route routes[] = {
#define X(name) ATH_GROUP("/" #name, name##_routes),
	SITE_SUBJECT_MAP(X)
#undef X
		{ 0 },
};

/* Only nginx makes ids by itself: behind the others this line tells the client the worker's. */
static struct ath_response *tell_id(struct ath_request *req, struct ath_response *response)
{
	ath_response_header(response, "X-Request-Id", ath_request_id(req));
	return response;
}

int main(int argc, char **argv)
{
	static const struct ath_app app = {
		.name = "site",
		.version = "1.0.0",
		.routes = routes,
		.models = models,
		.after = tell_id,
	};

	return ath_main(&app, argc, argv);
}
