/* answers.c - every kind of answer: bodies, header lines, conditions, and none at all. */
#include <cjson/cJSON.h>

#include "site.h"

static struct ath_response *text(struct ath_request *req)
{
	return ath_response_text(req, 200, or_dash(ath_arg(req, "text")));
}

static struct ath_response *page(struct ath_request *req)
{
	return ath_response_html(req, 200, "<p title=\"%s\">%s</p> %lld %%", ath_arg(req, "text"),
				 ath_arg(req, "text"), (long long)INT64_MIN);
}

static struct ath_response *document(struct ath_request *req)
{
	struct cJSON *document = cJSON_CreateObject();

	cJSON_AddStringToObject(document, "name", "Zo\xc3\xab \"\n");
	cJSON_AddNumberToObject(document, "half", 0.5);
	cJSON_AddNullToObject(cJSON_AddObjectToObject(document, "inner"), "nothing");
	return ath_response_json(req, 201, document);
}

static struct ath_response *empty(struct ath_request *req)
{
	return ath_response_empty(req, (int)ath_path_int(req, "status"));
}

static struct ath_response *problem(struct ath_request *req)
{
	return ath_problem(req, (int)ath_path_int(req, "status"), "it is \"%s\"", "so");
}

static struct ath_response *nothing(struct ath_request *req)
{
	(void)req;
	return NULL;
}

/* Lines of 64 bytes with their numbers, so that a hole is seen. */
static struct ath_response *large(struct ath_request *req)
{
	int64_t lines = ath_arg_int(req, "lines", 16384, 0, 100000);
	struct ath_response *response = ath_response_new(req, 200, "text/plain");

	for (int64_t i = 1; response != NULL && i <= lines; i++)
		ath_buffer_printf(ath_response_body(response), "%063lld\n", (long long)i);
	return response;
}

static struct ath_response *redirect(struct ath_request *req)
{
	return ath_redirect(req, (int)ath_arg_int(req, "status", 303, 300, 308),
			    ath_arg(req, "to"));
}

static struct ath_response *headers(struct ath_request *req)
{
	struct ath_response *response = ath_response_text(req, 200, "");

	ath_response_header(response, "X-Twice", "one");
	ath_response_header(response, "X-Twice", "two");
	ath_response_header(response, "Cache-Control", "max-age=60, private");
	ath_response_header(response, "X-Sent", ath_arg(req, "value"));
	return response;
}

static struct ath_response *cookies(struct ath_request *req)
{
	struct ath_cookie_options options = { .max_age = 60,
					      .path = "/answers",
					      .same_site = ATH_SAME_SITE_STRICT };
	struct ath_response *response = ath_response_text(req, 200, "");

	ath_response_cookie(response, "plain", "1", NULL);
	ath_response_cookie(response, "full", "a=b", &options);
	return response;
}

static struct ath_response *tagged(struct ath_request *req)
{
	struct ath_response *response = ath_response_text(req, 200, "tagged");

	ath_response_etag(response, ath_arg(req, "tag"));
	return response;
}

static struct ath_response *guarded(struct ath_request *req)
{
	return ath_if_match(req, "7") ? ath_response_text(req, 200, "changed") : NULL;
}

static struct ath_response *file(struct ath_request *req)
{
	return ath_response_file(req, "application/pdf", "/files/letter.pdf", ath_arg(req, "as"));
}

/* The worker's other fibers go on meanwhile; a CGI process waits alone. */
static struct ath_response *wait_a_little(struct ath_request *req)
{
	return ath_response_text(req, 200, ath_status_text(ath_sleep(1)));
}

static struct ath_response *wait_too_long(struct ath_request *req)
{
	if (ath_sleep(60000) == ATH_OK)
		return ath_response_text(req, 200, "late");
	return ath_problem(req, 504, "it took too long");
}

const struct ath_route answers_routes[] = {
	ATH_ROUTE(GET, "/text", text),
	ATH_ROUTE(GET, "/page", page),
	ATH_ROUTE(GET, "/document", document),
	ATH_ROUTE(GET, "/empty/<status:int>", empty),
	ATH_ROUTE(DELETE, "/empty/<status:int>", empty),
	ATH_ROUTE(GET, "/problem/<status:int>", problem),
	ATH_ROUTE(GET, "/nothing", nothing),
	ATH_ROUTE(GET, "/large", large),
	ATH_ROUTE(GET, "/redirect", redirect),
	ATH_ROUTE(GET, "/headers", headers),
	ATH_ROUTE(GET, "/cookies", cookies),
	ATH_ROUTE(GET, "/tagged", tagged),
	ATH_ROUTE(POST, "/tagged", tagged),
	ATH_ROUTE(PUT, "/guarded", guarded),
	ATH_ROUTE(GET, "/file", file),
	ATH_ROUTE(GET, "/wait", wait_a_little),
	ATH_ROUTE(GET, "/late", wait_too_long, .deadline_ms = 20),
	{ 0 },
};
