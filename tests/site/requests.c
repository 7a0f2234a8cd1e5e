/* requests.c - everything a handler can ask of a request; what it was told is the answer. */
#include <cjson/cJSON.h>

#include "site.h"

/* ---- parts of the path ---------------------------------------------------------------------- */

static struct ath_response *part_int(struct ath_request *req)
{
	return say(req, "int %lld", (long long)ath_path_int(req, "x"));
}

static struct ath_response *part_float(struct ath_request *req)
{
	return say(req, "float %g", ath_path_float(req, "x"));
}

static struct ath_response *part_ymd(struct ath_request *req)
{
	return say(req, "ymd %d", ath_path_ymd(req, "x").days);
}

static struct ath_response *part_uuid(struct ath_request *req)
{
	char text[ATH_UUID_TEXT];

	ath_uuid_format(ath_path_uuid(req, "x"), text);
	return say(req, "uuid %s", text);
}

static struct ath_response *part_alpha(struct ath_request *req)
{
	return say(req, "alpha %s", ath_path_str(req, "x"));
}

static struct ath_response *part_slug(struct ath_request *req)
{
	return say(req, "slug %s", ath_path_str(req, "x"));
}

static struct ath_response *part_code(struct ath_request *req)
{
	return say(req, "code %s", ath_path_str(req, "x"));
}

static struct ath_response *part_str(struct ath_request *req)
{
	return say(req, "str %s", ath_path_str(req, "x"));
}

static struct ath_response *part_path(struct ath_request *req)
{
	return say(req, "path %s", ath_path_str(req, "x"));
}

/* ---- lists ---------------------------------------------------------------------------------- */

/* The first, the count, and all in brackets. */
static struct ath_response *say_list(struct ath_request *req, const char *first,
				     const char *const *values, size_t count)
{
	struct ath_response *response = ath_response_new(req, 200, "text/plain; charset=utf-8");

	if (response == NULL)
		return NULL;
	ath_buffer_printf(ath_response_body(response), "%s %zu", or_dash(first), count);
	for (size_t i = 0; i < count; i++)
		ath_buffer_printf(ath_response_body(response), " [%s]", values[i]);
	return response;
}

static struct ath_response *arguments(struct ath_request *req)
{
	size_t count;
	const char *const *values = ath_arg_list(req, "a", &count);

	return say_list(req, ath_arg(req, "a"), values, count);
}

static struct ath_response *number(struct ath_request *req)
{
	return say(req, "%lld", (long long)ath_arg_int(req, "n", 10, 1, 100));
}

static struct ath_response *header(struct ath_request *req)
{
	const char *name = ath_path_str(req, "name");
	size_t count;
	const char *const *values = ath_header_list(req, name, &count);

	return say_list(req, ath_header(req, name), values, count);
}

static struct ath_response *cookie(struct ath_request *req)
{
	return say(req, "%s %s", or_dash(ath_cookie(req, "a")), or_dash(ath_cookie(req, "b")));
}

/* ---- bodies --------------------------------------------------------------------------------- */

static struct ath_response *form(struct ath_request *req)
{
	size_t count;
	const char *const *tags = ath_form_list(req, "tag", &count);

	return say_list(req, ath_form(req, "name"), tags, count);
}

static struct ath_response *file(struct ath_request *req)
{
	const struct ath_file *sent = ath_form_file(req, "file");
	struct ath_response *response = ath_response_new(req, 200, "application/octet-stream");

	if (sent == NULL)
		return ath_problem(req, 422, "send a file");
	ath_response_header(response, "X-Name", sent->filename);
	ath_response_header(response, "X-Type", sent->content_type);
	ath_response_header(response, "X-Title", or_dash(ath_form(req, "title")));
	if (response != NULL)
		ath_buffer_append(ath_response_body(response), sent->data.data, sent->data.length);
	return response;
}

static struct ath_response *echo(struct ath_request *req)
{
	struct ath_response *response = ath_response_new(req, 200, "application/octet-stream");
	struct ath_text body = ath_body(req);

	if (response != NULL)
		ath_buffer_append(ath_response_body(response), body.data, body.length);
	return response;
}

static struct ath_response *document(struct ath_request *req)
{
	struct cJSON *body = ath_body_json(req);

	return body == NULL ? NULL : ath_response_json(req, 200, cJSON_Duplicate(body, true));
}

/* ---- who asks, and for what ----------------------------------------------------------------- */

static struct ath_response *who(struct ath_request *req)
{
	return say(req, "%s %s %s", ath_client_address(req), ath_scheme(req), ath_host(req));
}

static struct ath_response *what(struct ath_request *req)
{
	struct ath_text path = ath_request_path(req);

	return say(req, "%d %.*s", (int)ath_request_method(req), (int)path.length, path.data);
}

static struct ath_response *id(struct ath_request *req)
{
	return say(req, "%s", ath_request_id(req));
}

static struct ath_response *trace(struct ath_request *req)
{
	return say(req, "%s", or_dash(ath_traceparent(req)));
}

static struct ath_response *accepted(struct ath_request *req)
{
	static const char *const types[] = { "application/json", "text/html", "text/csv" };
	int type = ath_accept(req, types, ATH_COUNT(types));

	return type < 0 ? NULL : ath_response_text(req, 200, types[type]);
}

/* Of the web server: what PATH_INFO and its like are behind each. */
static struct ath_response *parameter(struct ath_request *req)
{
	return say(req, "%s", or_dash(ath_param(req, ath_path_str(req, "name"))));
}

static struct ath_response *urls(struct ath_request *req)
{
	return say(req, "%s %s %s", ath_url_for(req, "part_str", ATH_URL_TEXT("x", "a b/c")),
		   ath_url_for(req, "hooked", ATH_URL_INT("id", -7), ATH_URL_TEXT("q", "a&b")),
		   ath_url_for(req, "urls"));
}

/* ---- hooks ---------------------------------------------------------------------------------- */

static struct ath_response *hooked(struct ath_request *req)
{
	return say(req, "%s, then %lld", or_dash(ath_context(req)),
		   (long long)ath_path_int(req, "id"));
}

static struct ath_response *before_group(struct ath_request *req)
{
	if (ath_arg(req, "stop") != NULL)
		return ath_problem(req, 403, "stopped");
	ath_set_context(req, "the group's hook");
	return NULL;
}

static struct ath_response *after_group(struct ath_request *req, struct ath_response *response)
{
	ath_response_header(response, "X-After", or_dash(ath_context(req)));
	return response;
}

static const struct ath_route hooked_routes[] = {
	ATH_ROUTE(GET, "/<id:int>", hooked),
	{ 0 },
};

const struct ath_route requests_routes[] = {
	ATH_ROUTE(GET, "/part/<x:int>", part_int),
	ATH_ROUTE(GET, "/part/<x:float>", part_float),
	ATH_ROUTE(GET, "/part/<x:ymd>", part_ymd),
	ATH_ROUTE(GET, "/part/<x:uuid>", part_uuid),
	ATH_ROUTE(GET, "/part/<x:alpha>", part_alpha),
	ATH_ROUTE(GET, "/part/<x:slug>", part_slug),
	ATH_ROUTE(GET, "/part/<x:[A-Z]{2}[0-9]+>", part_code),
	ATH_ROUTE(GET, "/part/<x:str>", part_str),
	ATH_ROUTE(GET, "/path/<x:path>", part_path),
	ATH_ROUTE(GET, "/arguments", arguments),
	ATH_ROUTE(GET, "/number", number),
	ATH_ROUTE(GET, "/header/<name>", header),
	ATH_ROUTE(GET, "/cookie", cookie),
	ATH_ROUTE(POST, "/form", form),
	ATH_ROUTE(POST, "/file", file),
	ATH_ROUTE(POST, "/echo", echo),
	ATH_ROUTE(PUT, "/echo", echo),
	ATH_ROUTE(POST, "/document", document),
	ATH_ROUTE(GET, "/who", who),
	ATH_ROUTE(GET, "/what", what),
	ATH_ROUTE(PATCH, "/what", what),
	ATH_ROUTE(GET, "/id", id),
	ATH_ROUTE(GET, "/trace", trace),
	ATH_ROUTE(GET, "/accepted", accepted),
	ATH_ROUTE(GET, "/parameter/<name>", parameter),
	ATH_ROUTE(GET, "/urls", urls),
	ATH_GROUP("/hooked", hooked_routes, .version = 2, .before = before_group,
		  .after = after_group),
	{ 0 },
};
