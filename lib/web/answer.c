/* answer.c - the head of an answer, and the answer that needs no memory. */
#include <stdio.h>

#include "web/internal.h"

enum { MAX_HEAD = 32 * 1024 }; /* fits one record; nginx takes far less */

/* For an answer that could not be made: needs no memory. */
static void last_words(struct ath_request *request, struct ath_output *output)
{
	static const char body[] = "{\"type\":\"urn:athanor:problem:internal\","
				   "\"title\":\"Internal error\",\"status\":500}";

	*output = (struct ath_output){ .head = request->last_words,
				       .body = body,
				       .body_length = sizeof body - 1 };
	output->head_length = (size_t)snprintf(
		output->head + ATH_HEAD_ROOM, sizeof request->last_words - ATH_HEAD_ROOM,
		"Status: 500 Internal Server Error\r\nContent-Type: " ATH_PROBLEM_TYPE "\r\n"
		"Content-Length: %zu\r\n%s\r\n",
		output->body_length, ath_usual_lines);
}

static bool may_have_body(int status)
{
	return status != 204 && status != 304;
}

bool ath_answer_has_body(const struct ath_request *request, int status)
{
	return request->method != ATH_METHOD_HEAD && may_have_body(status);
}

/* nginx sends the status line as it stands here: it wants a reason, and so do old clients. */
static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 422, "Unprocessable Content" },
		{ 428, "Precondition Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < ATH_COUNT(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Other";
}

/* A stream has no length before it has ended. */
static void put_head(struct ath_buffer *head, struct ath_response *response, bool whole)
{
	ath_cors_add(response);
	if (response->headers.failed || ath_arena_failed(response->request->arena)) {
		head->failed = true;
		return;
	}
	ath_buffer_append(head, "01234567", ATH_HEAD_ROOM);
	ath_buffer_append(head, "Status: ", 8);
	ath_buffer_int64(head, response->status);
	ath_buffer_append(head, " ", 1);
	ath_buffer_string(head, reason_of(response->status));
	if (response->content_type != NULL) {
		ath_buffer_string(head, "\r\nContent-Type: ");
		ath_buffer_string(head, response->content_type);
	}
	if (whole && may_have_body(response->status)) {
		ath_buffer_string(head, "\r\nContent-Length: ");
		ath_buffer_int64(head, (int64_t)response->body.length);
	}
	ath_buffer_append(head, "\r\n", 2);
	ath_put_usual_lines(head, response);
	if (whole && response->request->web->server_timing)
		ath_put_server_timing(head, response->request);
	ath_buffer_append(head, response->headers.data, response->headers.length);
	ath_buffer_append(head, "\r\n", 2);
}

bool ath_answer_head(struct ath_response *response, struct ath_output *output)
{
	struct ath_arena *arena = response->request->arena;
	struct ath_buffer head;

	ath_buffer_init(&head, arena, MAX_HEAD);
	if (!response->headers.failed && !ath_arena_failed(arena))
		put_head(&head, response, false);
	if (head.length == 0 || head.failed)
		return false;
	*output = (struct ath_output){ .head = head.data,
				       .head_length = head.length - ATH_HEAD_ROOM };
	return true;
}

int ath_answer_render(struct ath_request *request, struct ath_response *response,
		      struct ath_output *output)
{
	struct ath_buffer head;
	int status;

	ath_buffer_init(&head, request->arena, MAX_HEAD);
	if (response != NULL && !response->body.failed && !response->headers.failed &&
	    !ath_arena_failed(request->arena))
		put_head(&head, response, true);
	if (response == NULL || head.length == 0 || head.failed) {
		last_words(request, output);
		status = 500;
	} else {
		*output = (struct ath_output){ .head = head.data,
					       .head_length = head.length - ATH_HEAD_ROOM,
					       .body = response->body.data,
					       .body_length = response->body.length };
		status = response->status;
	}
	if (!ath_answer_has_body(request, status))
		output->body_length = 0;
	if (output->body == NULL) /* a pointer that the fronts may move on */
		output->body = "";
	return status;
}
