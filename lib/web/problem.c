/* problem.c - the one catalogue of problems, and their JSON (RFC 9457). */
#include <stdio.h>

#include "web/internal.h"

#define TYPE "urn:athanor:problem:"

/* status, the end of its type, its title */
static const struct kind {
	int status;
	const char *type, *title;
} kinds[] = {
	{ 400, TYPE "malformed", "The request is not well formed" },
	{ 401, TYPE "unauthenticated", "Not authenticated" },
	{ 403, TYPE "forbidden", "Not allowed" },
	{ 404, TYPE "not-found", "Not found" },
	{ 405, TYPE "method-not-allowed", "Method not allowed" },
	{ 406, TYPE "not-acceptable", "Not acceptable" },
	{ 409, TYPE "conflict", "In conflict with what is stored" },
	{ 411, TYPE "length-required", "The length of the body is missing" },
	{ 412, TYPE "precondition-failed", "Precondition failed" },
	{ 413, TYPE "body-too-large", "The body is too large" },
	{ 414, TYPE "uri-too-long", "The URI is too long" },
	{ 415, TYPE "media-type", "This Content-Type is not served" },
	{ 422, TYPE "invalid", "Breaks the rules" },
	{ 428, TYPE "precondition-required", "A precondition is required" },
	{ 429, TYPE "too-many-requests", "Too many requests" },
	{ 431, TYPE "headers-too-large", "The headers are too large" },
	{ 500, TYPE "internal", "Internal error" },
	{ 501, TYPE "not-implemented", "Not implemented" },
	{ 503, TYPE "unavailable", "Not available now" },
	{ 504, TYPE "deadline", "Took too long" },
};

static const struct kind *kind_of(int status)
{
	static const struct kind other = { 0, "about:blank", "Error" };

	for (size_t i = 0; i < ATH_COUNT(kinds); i++)
		if (kinds[i].status == status)
			return &kinds[i];
	return &other;
}

static void put_member(struct ath_buffer *out, const char *name, const char *value)
{
	ath_buffer_printf(out, ",\"%s\":", name);
	ath_buffer_json_text(out, value, strlen(value));
}

static void put_violations(struct ath_buffer *out, const struct ath_violation *violation)
{
	ath_buffer_string(out, ",\"errors\":[");
	for (const char *comma = ""; violation != NULL; violation = violation->next, comma = ",") {
		ath_buffer_string(out, comma);
		ath_buffer_string(out, "{\"pointer\":");
		ath_buffer_json_text(out, violation->pointer, strlen(violation->pointer));
		put_member(out, "detail", violation->detail);
		ath_buffer_string(out, "}");
	}
	ath_buffer_string(out, "]");
}

struct ath_response *ath_problem_full(struct ath_request *request, int status, const char *type,
				      const char *detail, const struct ath_violation *violations,
				      int retry_after)
{
	const struct kind *kind = kind_of(status);
	struct ath_response *response = ath_response_new(request, status, ATH_PROBLEM_TYPE);
	struct ath_buffer *out = ath_response_body(response);
	char seconds[16];

	if (response == NULL)
		return NULL;
	ath_buffer_printf(out, "{\"type\":\"%s%s\"", type == NULL ? "" : TYPE,
			  type == NULL ? kind->type : type);
	put_member(out, "title", kind->title);
	ath_buffer_printf(out, ",\"status\":%d", status);
	if (detail != NULL)
		put_member(out, "detail", detail);
	put_member(out, "instance", request->id);
	if (violations != NULL)
		put_violations(out, violations);
	ath_buffer_string(out, "}");
	if (retry_after > 0) {
		snprintf(seconds, sizeof seconds, "%d", retry_after);
		ath_response_header(response, "Retry-After", seconds);
	}
	return response;
}

struct ath_response *ath_problem(struct ath_request *request, int status, const char *detail, ...)
{
	char text[1024];
	va_list args;

	va_start(args, detail);
	vsnprintf(text, sizeof text, detail, args);
	va_end(args);
	return ath_problem_full(request, status, NULL, text, NULL, 0);
}
