/*
 * stream.c - answers that leave while they are made, and bodies that are read as they come.
 *
 * What is written gathers in the response's body. When there is enough of it the head goes out as
 * it then stands, and from there on a failure can only break the answer off. A front that cannot
 * stream gathers all of it.
 */
#include "web/internal.h"

enum { PIECE = 32 * 1024 };

struct ath_response *ath_response_stream(struct ath_request *request, int status,
					 const char *content_type)
{
	struct ath_response *response = ath_response_new(request, status, content_type);

	if (response != NULL)
		response->stream = true;
	return response;
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool is_good(const struct ath_response *response)
{
	const struct ath_request *request = response->request;

	return !response->body.failed && request->failure == NULL && !request->gone &&
	       !ath_arena_failed(request->arena);
}

/*
 * The hooks may put another answer in its place, and the room above may refuse: it comes last,
 * since from its word on nothing is stored any more.
 */
static bool may_leave(struct ath_response *response)
{
	struct ath_request *request = response->request;
	struct ath_response *after = ath_web_after(request, response);

	if (after != response)
		ath_request_fail(request, after);
	if (request->failure == NULL && request->leaving != NULL)
		request->leaving(request);
	return request->failure == NULL;
}

static bool send(struct ath_response *response, struct ath_output *output)
{
	struct ath_request *request = response->request;

	output->end = ATH_OUTPUT_GOES_ON;
	output->body = "";
	if (ath_answer_has_body(request, response->status)) {
		output->body = response->body.data == NULL ? "" : response->body.data;
		output->body_length = response->body.length;
	}
	response->body.length = 0;
	if (!request->front->send(request, output)) {
		request->gone = true;
		return false;
	}
	request->sent_bytes += output->body_length;
	ath_request_progress(request);
	return true;
}

bool ath_stream_flush(struct ath_response *response)
{
	struct ath_output output = { .head_length = 0 };
	struct ath_request *request;

	if (response == NULL)
		return false;
	request = response->request;
	if (!is_good(response) || !response->stream || request->front == NULL ||
	    request->error_handled)
		return is_good(response);
	if (request->sent == NULL) {
		if (!may_leave(response) || !ath_answer_head(response, &output))
			return false;
		request->sent = response;
	} else if (request->sent != response) {
		ath_request_fail(request, ath_problem(request, 500, "another stream has begun"));
		return false;
	} else if (response->body.length == 0) {
		return true;
	}
	/* of a HEAD there is no more to see */
	return send(response, &output) && ath_answer_has_body(request, response->status);
}

bool ath_stream_gathered(struct ath_response *response)
{
	if (response == NULL)
		return false;
	return response->body.length < PIECE ? is_good(response) : ath_stream_flush(response);
}

bool ath_stream_write(struct ath_response *response, const void *data, size_t length)
{
	const char *at = data;

	if (response == NULL)
		return false;
	while (length > 0) {
		size_t piece = length < PIECE ? length : PIECE;

		ath_buffer_append(&response->body, at, piece);
		if (!ath_stream_gathered(response))
			return false;
		at += piece;
		length -= piece;
	}
	return is_good(response);
}

bool ath_stream_string(struct ath_response *response, const char *text)
{
	return ath_stream_write(response, text, strlen(text));
}

/* ---- reading -------------------------------------------------------------------------------- */

static uint64_t most_of(const struct ath_request *request)
{
	const struct ath_leaf *leaf = request->match.leaf;

	return leaf == NULL || leaf->route->max_body == 0 ? UINT64_MAX : leaf->route->max_body;
}

static void refuse_as_too_large(struct ath_request *request)
{
	ath_request_fail(request, ath_problem(request, 413, "at most %zu bytes",
					      request->match.leaf->route->max_body));
}

void ath_body_begin(struct ath_request *request)
{
	uint64_t announced;

	request->body = ath_text("");
	if (ath_request_announced(request, &announced) && announced > most_of(request))
		refuse_as_too_large(request);
}

/* From a body that has come whole. */
static ptrdiff_t read_memory(struct ath_request *request, void *to, size_t size)
{
	struct ath_text body = request->body;
	size_t left;

	if (ath_request_streams_body(request))
		body = (struct ath_text){ request->raw_body.data, request->raw_body.length };
	left = body.length - (size_t)request->body_read;
	size = size < left ? size : left;
	if (size > 0)
		memcpy(to, body.data + request->body_read, size);
	return (ptrdiff_t)size;
}

static bool is_complete(struct ath_request *request)
{
	uint64_t announced;

	if (!ath_request_announced(request, &announced) || announced == request->body_read)
		return request->failure == NULL;
	ath_request_fail(request,
			 ath_problem(request, 400, "the body is not as long as announced"));
	return false;
}

ptrdiff_t ath_body_read(struct ath_request *request, void *buffer, size_t size)
{
	bool streams = request->front != NULL && ath_request_streams_body(request);
	ptrdiff_t length;

	if (request->failure != NULL || size == 0)
		return request->failure != NULL ? -1 : 0;
	length = streams ? request->front->read(request, buffer, size)
			 : read_memory(request, buffer, size);
	if (length < 0) {
		ath_request_fail(request, ath_problem(request, 400, "the body did not come"));
		return -1;
	}
	request->body_read += (uint64_t)length;
	if (request->body_read > most_of(request)) {
		refuse_as_too_large(request);
		return -1;
	}
	if (length == 0)
		return is_complete(request) ? 0 : -1;
	if (streams)
		ath_request_progress(request);
	return length;
}
