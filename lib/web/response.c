/* response.c - responses, and their header lines. */
#include "web/internal.h"

/* What would begin a header line, or a body, of its own. */
static bool ends_line(const char *value)
{
	return strpbrk(value, "\r\n") != NULL;
}

static void refuse_header(struct ath_request *request)
{
	ath_request_fail(request, ath_problem(request, 500, "a header was refused"));
}

struct ath_response *ath_response_new(struct ath_request *request, int status,
				      const char *content_type)
{
	struct ath_response *response = ath_new(request->arena, struct ath_response, 1);

	if (response == NULL)
		return NULL;
	response->request = request;
	response->status = status;
	response->content_type = content_type;
	ath_buffer_init(&response->headers, request->arena, request->web->limits.params);
	ath_buffer_init(&response->body, request->arena, request->web->limits.arena);
	if (content_type != NULL && ends_line(content_type))
		refuse_header(request);
	return response;
}

struct ath_buffer *ath_response_body(struct ath_response *response)
{
	return response == NULL ? NULL : &response->body;
}

int ath_response_status(const struct ath_response *response)
{
	return response == NULL ? 500 : response->status;
}

struct ath_response *ath_response_empty(struct ath_request *request, int status)
{
	return ath_response_new(request, status, NULL);
}

struct ath_response *ath_response_text(struct ath_request *request, int status, const char *text)
{
	struct ath_response *response =
		ath_response_new(request, status, "text/plain; charset=utf-8");

	if (response != NULL)
		ath_buffer_string(&response->body, text);
	return response;
}

/* RFC 9110, 5.6.2 */
static bool is_token(const char *name)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (const char *at = name; *at != '\0'; at++) {
		bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');

		if (!letter && !(*at >= '0' && *at <= '9') && strchr(marks, *at) == NULL)
			return false;
	}
	return *name != '\0';
}

void ath_response_header(struct ath_response *response, const char *name, const char *value)
{
	if (response == NULL)
		return;
	if (!is_token(name) || ends_line(value)) {
		refuse_header(response->request);
		return;
	}
	ath_buffer_string(&response->headers, name);
	ath_buffer_append(&response->headers, ": ", 2);
	ath_buffer_string(&response->headers, value);
	ath_buffer_append(&response->headers, "\r\n", 2);
}
