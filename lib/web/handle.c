/*
 * handle.c - the way of a request through the application: route, handler, what the room
 * above says at the end, and the head of the answer.
 */
#include <stdio.h>

#include "web/internal.h"

enum { MAX_HEAD = 32 * 1024 }; /* fits one record; nginx takes far less */

enum ath_status ath_web_open(struct ath_web *web, const struct ath_route *routes,
			     struct ath_error *error)
{
	static const struct ath_web_limits usual = {
		.params = 64 * 1024,
		.body = 1024 * 1024,
		.arena = 16 * 1024 * 1024,
		.in_flight = 1024,
		.deadline_ms = 30 * 1000,
	};
	struct ath_web_limits *limits = &web->limits;

	limits->params = limits->params == 0 ? usual.params : limits->params;
	limits->body = limits->body == 0 ? usual.body : limits->body;
	limits->arena = limits->arena == 0 ? usual.arena : limits->arena;
	limits->in_flight = limits->in_flight == 0 ? usual.in_flight : limits->in_flight;
	limits->deadline_ms = limits->deadline_ms == 0 ? usual.deadline_ms : limits->deadline_ms;
	return ath_router_open(&web->router, routes, error);
}

void ath_web_close(struct ath_web *web)
{
	ath_router_close(&web->router);
}

/* ---- routing -------------------------------------------------------------------------------- */

/* Each segment is decoded by itself, so that %2F never makes a slash. */
static bool decode_segment(struct ath_request *request, struct ath_text *segment)
{
	char *text;

	if (memchr(segment->data, '%', segment->length) == NULL)
		return ath_utf8_valid(segment->data, segment->length);
	text = ath_arena_alloc(request->arena, segment->length + 1);
	if (text == NULL)
		return false;
	segment->length = ath_percent_decode(*segment, false, text);
	segment->data = text;
	if (segment->length == SIZE_MAX)
		return false;
	text[segment->length] = '\0'; /* for regexec(), which some check by that */
	return true;
}

static struct ath_response *no_route(struct ath_request *request)
{
	static const char *const names[] = {
#define X(method) #method,
		ATH_METHOD_MAP(X)
#undef X
	};
	unsigned allowed = request->match.allowed;
	struct ath_response *response;
	struct ath_buffer list;

	if (allowed == 0)
		return ath_problem(request, 404, "nothing is served at this path");
	allowed |= 1U << ATH_METHOD_OPTIONS;
	if (allowed & 1U << ATH_METHOD_GET)
		allowed |= 1U << ATH_METHOD_HEAD;
	ath_buffer_init(&list, request->arena, 256);
	for (size_t i = 0; i < ATH_COUNT(names); i++)
		if (allowed & 1U << i)
			ath_buffer_printf(&list, "%s%s", list.length > 0 ? ", " : "", names[i]);
	response = request->method == ATH_METHOD_OPTIONS
			   ? ath_response_empty(request, 204)
			   : ath_problem(request, 405, "this path allows %s",
					 ath_buffer_c_string(&list));
	ath_response_header(response, "Allow", ath_buffer_c_string(&list));
	return response;
}

/* Decoded, and in the request's memory: captures point to them. */
static bool read_segments(struct ath_request *request, struct ath_text **segments, size_t *count)
{
	struct ath_text path = request->path;

	*segments = ath_new(request->arena, struct ath_text, ATH_MAX_SEGMENTS);
	for (*count = 0; *segments != NULL && *count < ATH_MAX_SEGMENTS; ++*count) {
		if (!ath_next_segment(&path, *segments + *count))
			return true;
		if (!decode_segment(request, *segments + *count)) {
			ath_request_fail(request,
					 ath_problem(request, 400, "the path is not well encoded"));
			return false;
		}
	}
	return path.length <= 1;
}

/* What the groups and the route want to say before the handler. */
static struct ath_response *call_before(struct ath_request *request, const struct ath_leaf *leaf)
{
	struct ath_response *response = NULL;

	if (request->web->before != NULL)
		response = request->web->before(request);
	for (size_t i = 0; response == NULL && i <= leaf->group_count; i++) {
		const struct ath_route *each =
			i < leaf->group_count ? leaf->groups[i] : leaf->route;

		if (each->before != NULL && request->failure == NULL)
			response = each->before(request);
	}
	return response;
}

static struct ath_response *call_after(struct ath_request *request, const struct ath_leaf *leaf,
				       struct ath_response *response)
{
	if (leaf != NULL && leaf->route->after != NULL)
		response = leaf->route->after(request, response);
	for (size_t i = leaf == NULL ? 0 : leaf->group_count; i > 0; i--)
		if (leaf->groups[i - 1]->after != NULL)
			response = leaf->groups[i - 1]->after(request, response);
	if (request->web->after != NULL)
		response = request->web->after(request, response);
	return response;
}

static struct ath_response *route(struct ath_request *request)
{
	struct ath_text *segments;
	struct ath_response *response;
	const struct ath_leaf *leaf;
	size_t count;

	if (!read_segments(request, &segments, &count))
		return ath_problem(request, 404, "nothing is served at this path");
	ath_router_match(request->web->router, request->method, segments, count, &request->match);
	leaf = request->match.leaf;
	if (leaf == NULL)
		return no_route(request);
	if (leaf->route->deadline_ms > 0)
		request->deadline = request->arrived + leaf->route->deadline_ms;
	ath_fiber_set_deadline(ath_fiber_current(), request->deadline);
	response = call_before(request, leaf);
	if (response == NULL && request->failure == NULL)
		response = leaf->route->handler(request);
	return response;
}

/* ---- the head of the answer -------------------------------------------------------------- */

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
		"Status: 500 Internal Server Error\r\nContent-Type: application/problem+json\r\n"
		"Content-Length: %zu\r\n\r\n",
		output->body_length);
}

/* RFC 9110, 15.3.5 and 15.4.5 */
static bool may_have_body(int status)
{
	return status != 204 && status != 304;
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
	};

	for (size_t i = 0; i < ATH_COUNT(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Other";
}

static void put_head(struct ath_buffer *head, const struct ath_response *response)
{
	ath_buffer_append(head, "01234567", ATH_HEAD_ROOM);
	ath_buffer_append(head, "Status: ", 8);
	ath_buffer_int64(head, response->status);
	ath_buffer_append(head, " ", 1);
	ath_buffer_string(head, reason_of(response->status));
	if (response->content_type != NULL) {
		ath_buffer_string(head, "\r\nContent-Type: ");
		ath_buffer_string(head, response->content_type);
	}
	if (may_have_body(response->status)) {
		ath_buffer_string(head, "\r\nContent-Length: ");
		ath_buffer_int64(head, (int64_t)response->body.length);
	}
	ath_buffer_append(head, "\r\n", 2);
	ath_buffer_append(head, response->headers.data, response->headers.length);
	ath_buffer_append(head, "\r\n", 2);
}

/* Returns the status that was rendered. */
static int render(struct ath_request *request, struct ath_response *response,
		  struct ath_output *output)
{
	struct ath_buffer head;
	int status;

	ath_buffer_init(&head, request->arena, MAX_HEAD);
	if (response != NULL && !response->body.failed && !response->headers.failed &&
	    !ath_arena_failed(request->arena))
		put_head(&head, response);
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
	if (request->method == ATH_METHOD_HEAD || !may_have_body(status))
		output->body_length = 0;
	if (output->body == NULL) /* a pointer that the fronts may move on */
		output->body = "";
	return status;
}

static void log_request(const struct ath_request *request, int status,
			const struct ath_output *output)
{
	struct ath_log_line line;

	if (!request->web->access_log && status < 500)
		return;
	ath_log_begin(&line, request->web->log, status < 500 ? ATH_LOG_INFO : ATH_LOG_ERROR,
		      "request");
	ath_log_text(&line, "id", request->id);
	ath_log_text(&line, "method",
		     ath_param(request, "REQUEST_METHOD") == NULL
			     ? ""
			     : ath_param(request, "REQUEST_METHOD"));
	ath_log_text(&line, "route", request->match.leaf == NULL ? "" : request->match.leaf->path);
	ath_log_int(&line, "status", status);
	ath_log_int(&line, "ms", ath_now() - request->arrived);
	ath_log_int(&line, "statements", (int64_t)request->statements);
	ath_log_int(&line, "rows", (int64_t)request->rows);
	ath_log_int(&line, "bytes", (int64_t)output->body_length);
	ath_log_end(&line);
}

/* The room above has its word, and a failure the last. */
static struct ath_response *finish(struct ath_request *request, struct ath_response *response)
{
	struct ath_response *(*call)(struct ath_request *, struct ath_response *) = request->finish;

	request->finish = NULL;
	if (call != NULL)
		response = call(request, response);
	return request->failure != NULL ? request->failure : response;
}

void ath_web_handle(struct ath_request *request, struct ath_output *output)
{
	struct ath_response *response = NULL;
	int status;

	ath_request_read(request);
	/* a request that memory was too short for has lost arguments without a failure */
	if (request->failure == NULL && !ath_arena_failed(request->arena))
		response = route(request);
	response = finish(request, response);
	response = finish(request, call_after(request, request->match.leaf, response));
	status = render(request, response, output);
	log_request(request, status, output);
}
