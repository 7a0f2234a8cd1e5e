/*
 * handle.c - the way of a request through the application: route, hooks, handler, and what the
 * room above says at the end.
 */
#include <stdio.h>
#include <time.h>

#include "web/internal.h"

enum ath_status ath_web_open(struct ath_web *web, const struct ath_route *routes,
			     struct ath_error *error)
{
	static const struct ath_web_limits usual = {
		.params = 64 * 1024,
		.body = 1024 * 1024,
		.arena = 16 * 1024 * 1024,
		.in_flight = 1024,
		.streams = 16 * 1024,
		.deadline_ms = 30 * 1000,
	};
	struct ath_web_limits *limits = &web->limits;

	limits->params = limits->params == 0 ? usual.params : limits->params;
	limits->body = limits->body == 0 ? usual.body : limits->body;
	limits->arena = limits->arena == 0 ? usual.arena : limits->arena;
	limits->streams = limits->streams == 0 ? usual.streams : limits->streams;
	limits->in_flight = limits->in_flight == 0 ? usual.in_flight : limits->in_flight;
	limits->queued = limits->queued == 0 ? limits->in_flight : limits->queued;
	limits->deadline_ms = limits->deadline_ms == 0 ? usual.deadline_ms : limits->deadline_ms;
	if (web->cors != NULL && ath_cors_check(web->cors, error) != ATH_OK)
		return error->status;
	web->spool = web->spool == NULL ? "/var/tmp" : web->spool;
	if (ath_router_open(&web->router, routes, error) != ATH_OK || web->own_routes == NULL)
		return error->status;
	return ath_router_add_own(web->router, web->own_routes, error);
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

const char *ath_allowed_methods(struct ath_request *request)
{
	static const char *const names[] = {
#define X(method) #method,
		ATH_METHOD_MAP(X)
#undef X
	};
	unsigned allowed = request->match.allowed | 1U << ATH_METHOD_OPTIONS;
	struct ath_buffer list;

	if (allowed & 1U << ATH_METHOD_GET)
		allowed |= 1U << ATH_METHOD_HEAD;
	ath_buffer_init(&list, request->arena, 256);
	for (size_t i = 0; i < ATH_COUNT(names); i++)
		if (allowed & 1U << i)
			ath_buffer_printf(&list, "%s%s", list.length > 0 ? ", " : "", names[i]);
	return ath_buffer_c_string(&list);
}

static struct ath_response *no_route(struct ath_request *request)
{
	struct ath_response *response;
	const char *methods;

	if (request->match.allowed == 0)
		return ath_problem(request, 404, "nothing is served at this path");
	methods = ath_allowed_methods(request);
	response = request->method == ATH_METHOD_OPTIONS
			   ? ath_response_empty(request, 204)
			   : ath_problem(request, 405, "this path allows %s", methods);
	ath_response_header(response, "Allow", methods);
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

	if (request->web->before != NULL && !leaf->own)
		response = request->web->before(request);
	for (size_t i = 0; response == NULL && i <= leaf->group_count; i++) {
		const struct ath_route *each =
			i < leaf->group_count ? leaf->groups[i] : leaf->route;

		if (each->before != NULL && request->failure == NULL)
			response = each->before(request);
	}
	return response;
}

struct ath_response *ath_web_after(struct ath_request *request, struct ath_response *response)
{
	const struct ath_leaf *leaf = request->match.leaf;

	/* they have seen it; or one of them flushes a stream of its own */
	if (request->sent != NULL || request->in_after)
		return response;
	request->in_after = true;
	if (leaf != NULL && leaf->route->after != NULL)
		response = leaf->route->after(request, response);
	for (size_t i = leaf == NULL ? 0 : leaf->group_count; i > 0; i--)
		if (leaf->groups[i - 1]->after != NULL)
			response = leaf->groups[i - 1]->after(request, response);
	if (request->web->after != NULL && (leaf == NULL || !leaf->own))
		response = request->web->after(request, response);
	request->in_after = false;
	return response;
}

/* The bytes of body that the route takes. */
static size_t most_body(const struct ath_request *request)
{
	const struct ath_leaf *leaf = request->match.leaf;

	return leaf != NULL && leaf->route->max_body > 0 ? leaf->route->max_body
							 : request->web->limits.body;
}

/* At once, so that a long body is not copied again and again while it comes. */
static void make_room_for_body(struct ath_request *request)
{
	uint64_t length;

	request->raw_body.ceiling = most_body(request);
	if (ath_request_announced(request, &length) && length <= request->raw_body.ceiling)
		(void)ath_buffer_reserve(&request->raw_body, (size_t)length);
}

/* A preflight is about another method, and no handler's. */
static void match(struct ath_request *request)
{
	enum ath_method method =
		ath_cors_is_preflight(request) ? ATH_METHOD_COUNT : request->method;
	struct ath_text *segments;
	size_t count;

	if (read_segments(request, &segments, &count))
		ath_router_match(request->web->router, method, segments, count, &request->match);
	if (!ath_request_streams_body(request))
		make_room_for_body(request);
}

bool ath_web_begin(struct ath_request *request)
{
	request->begun = true;
	ath_request_read(request);
	/* a request that memory was too short for has lost arguments without a failure */
	if (request->failure == NULL && !ath_arena_failed(request->arena))
		match(request);
	if (ath_request_streams_body(request))
		ath_body_begin(request);
	return ath_request_streams_body(request);
}

static struct ath_response *call_handler(struct ath_request *request)
{
	const struct ath_leaf *leaf = request->match.leaf;
	struct ath_response *response;

	if (leaf == NULL)
		return no_route(request);
	ath_request_set_deadline(request, leaf->route->deadline_ms > 0
						  ? request->arrived + leaf->route->deadline_ms
						  : request->deadline);
	response = call_before(request, leaf);
	if (response == NULL && request->failure == NULL &&
	    leaf->route->idempotency != ATH_IDEMPOTENCY_NONE)
		response = request->web->claim(request);
	if (response == NULL && request->failure == NULL)
		response = leaf->route->handler(request);
	ath_fcgx_complete(response);
	return response;
}

void ath_request_set_deadline(struct ath_request *request, int64_t deadline)
{
	request->deadline = deadline;
	ath_fiber_set_deadline(ath_fiber_current(), deadline);
	if (request->moved != NULL)
		request->moved(request);
}

void ath_request_progress(struct ath_request *request)
{
	if (request->match.leaf->route->deadline_ms == 0 && request->deadline != ATH_NEVER)
		ath_request_set_deadline(request, ath_now() + request->web->limits.deadline_ms);
}

struct ath_response *ath_request_finish(struct ath_request *request, struct ath_response *response)
{
	struct ath_response *(*call)(struct ath_request *, struct ath_response *) = request->finish;

	request->finish = NULL;
	if (call != NULL)
		response = call(request, response);
	return request->failure != NULL ? request->failure : response;
}

/* What a stream ends with, or breaks off with. */
static int end_stream(struct ath_request *request, struct ath_response *response,
		      struct ath_output *output)
{
	struct ath_response *sent = request->sent;
	bool good = response == sent && !sent->body.failed && !ath_arena_failed(request->arena);

	*output = (struct ath_output){ .body = "" };
	if (!good && !request->gone)
		output->end = ATH_OUTPUT_BREAKS;
	if (good && sent->body.length > 0 && ath_answer_has_body(request, sent->status)) {
		output->body = sent->body.data;
		output->body_length = sent->body.length;
	}
	return sent->status;
}

/* ---- what others are told ------------------------------------------------------------------- */

uint64_t ath_web_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void begin_telling(struct ath_request *request)
{
	request->began_us = ath_web_now_us();
	if (request->web->began != NULL)
		request->web->began(request);
}

/* Arrival is known to the millisecond: it counts when the request had to wait for its fiber. */
uint64_t ath_request_elapsed_us(const struct ath_request *request)
{
	uint64_t arrived_us = (uint64_t)request->arrived * 1000 + 999;
	uint64_t waited_us = request->began_us > arrived_us ? request->began_us - arrived_us : 0;

	return ath_web_now_us() - request->began_us + waited_us;
}

/* 499 is what nginx calls a request whose client did not wait: that is no failure of ours. */
static void end_telling(struct ath_request *request, int status, const struct ath_output *output)
{
	enum { CLIENT_LEFT = 499 };

	if (request->left && status == 504)
		status = CLIENT_LEFT;
	request->took_us = ath_request_elapsed_us(request);
	if (request->web->ended != NULL)
		request->web->ended(request, status, output);
	ath_request_log(request, status, output);
}

void ath_web_handle(struct ath_request *request, struct ath_output *output)
{
	struct ath_response *response = NULL;
	int status;

	if (!request->begun)
		ath_web_begin(request);
	begin_telling(request);
	if (request->failure == NULL && !ath_request_streams_body(request))
		ath_request_read_body(request);
	if (request->failure == NULL && !ath_arena_failed(request->arena))
		response = call_handler(request);
	response = ath_request_finish(request, response);
	response = ath_request_handle_problem(request, response);
	response = ath_request_finish(request, ath_web_after(request, response));
	status = request->sent != NULL ? end_stream(request, response, output)
				       : ath_answer_render(request, response, output);
	end_telling(request, status, output);
}
