/*
 * fcgx.c - handlers written for libfcgi, and its streams for those that are not.
 *
 * A FCGX_Stream is a buffer with two functions behind it that fill or empty it: here they read the
 * request's body and write the answer. What libfcgi does on a stream (FCGX_GetStr(), FCGX_FPrintF()
 * and so on) works on it as it is; none of its functions is called from here.
 *
 * A handler of that kind blocks where it waits, and is used to the stack of a process: it runs on
 * another thread, and only what goes through its streams comes back to the request's fiber.
 */
#include <errno.h>
#include <fcgiapp.h>
#include <stdlib.h>

#include "loop/loop.h"
#include "web/internal.h"

enum { BUFFER = 8 * 1024, MAX_HEAD = 32 * 1024 };

/*
 * What libfcgi keeps behind a stream, in its order: FCGX_SetExitStatus() writes to the request that
 * stands there.
 */
struct libfcgi_data {
	unsigned char *buff;
	int bufflen;
	unsigned char *mBuff;
	unsigned char *buffStop;
	int type, eorStop, skip, contentLen, paddingLen, isAnythingWritten, rawWrite;
	FCGX_Request *request;
};

struct stream {
	FCGX_Stream fcgx;
	struct libfcgi_data data;
	FCGX_Request libfcgi;
	struct ath_request *request;
	struct ath_response *response; /* of a writer, once it is known */
	struct ath_buffer head;        /* what a handler has said before that */
	/* Takes what a writer holds; false: nobody wants more. */
	bool (*take)(struct stream *stream, const char *data, size_t length);
	bool flush; /* the writer wants it to be seen */
	ptrdiff_t filled;
	unsigned char buffer[BUFFER];
};

/* ---- what is behind the buffer --------------------------------------------------------------- */

static void close_stream(FCGX_Stream *fcgx)
{
	fcgx->isClosed = 1;
	fcgx->rdNext = fcgx->wrNext = fcgx->stop;
}

static void fill_in_fiber(void *arg)
{
	struct stream *stream = arg;

	stream->filled = ath_body_read(stream->request, stream->buffer, sizeof stream->buffer);
}

static void fill(FCGX_Stream *fcgx)
{
	struct stream *stream = container_of(fcgx, struct stream, fcgx);

	if (fcgx->isClosed)
		return;
	ath_offload_back(fill_in_fiber, stream);
	if (stream->filled <= 0) {
		fcgx->FCGI_errno = stream->filled < 0 ? EIO : 0;
		close_stream(fcgx);
		return;
	}
	fcgx->rdNext = fcgx->stopUnget = stream->buffer;
	fcgx->wrNext = fcgx->stop = stream->buffer + stream->filled;
}

static void empty_in_fiber(void *arg)
{
	struct stream *stream = arg;
	size_t length = (size_t)(stream->fcgx.wrNext - stream->buffer);

	if (!stream->take(stream, (const char *)stream->buffer, length)) {
		stream->fcgx.FCGI_errno = EPIPE;
		close_stream(&stream->fcgx);
	} else {
		stream->fcgx.wrNext = stream->buffer;
	}
}

static void empty(FCGX_Stream *fcgx, int last)
{
	struct stream *stream = container_of(fcgx, struct stream, fcgx);

	if (fcgx->isClosed)
		return;
	stream->flush = !last && fcgx->wrNext < fcgx->stop; /* not for want of room */
	ath_offload_back(empty_in_fiber, stream);
	if (last)
		close_stream(fcgx);
}

static struct stream *new_stream(struct ath_request *request)
{
	struct stream *stream = ath_new(request->arena, struct stream, 1);

	if (stream == NULL)
		return NULL;
	stream->request = request;
	stream->data.request = &stream->libfcgi;
	stream->fcgx = (FCGX_Stream){
		.rdNext = stream->buffer,
		.wrNext = stream->buffer,
		.stop = stream->buffer,
		.stopUnget = stream->buffer,
		.fillBuffProc = fill,
		.emptyBuffProc = empty,
		.data = &stream->data,
	};
	return stream;
}

static struct stream *new_reader(struct ath_request *request)
{
	struct stream *stream = new_stream(request);

	if (stream != NULL)
		stream->fcgx.isReader = 1;
	return stream;
}

static struct stream *new_writer(struct ath_request *request,
				 bool (*take)(struct stream *stream, const char *data,
					      size_t length))
{
	struct stream *stream = new_stream(request);

	if (stream == NULL)
		return NULL;
	stream->take = take;
	stream->fcgx.rdNext = stream->fcgx.stop = stream->buffer + sizeof stream->buffer;
	return stream;
}

/* ---- streams for handlers of ours ------------------------------------------------------------ */

static bool take_body(struct stream *stream, const char *data, size_t length)
{
	bool good = ath_stream_write(stream->response, data, length);

	return stream->flush ? ath_stream_flush(stream->response) : good;
}

FCGX_Stream *ath_stream_fcgx(struct ath_response *response)
{
	struct stream *stream;

	if (response == NULL)
		return NULL;
	stream = new_writer(response->request, take_body);
	if (stream == NULL)
		return NULL;
	stream->response = response;
	response->writer = &stream->fcgx;
	return &stream->fcgx;
}

void ath_fcgx_complete(struct ath_response *response)
{
	if (response != NULL && response->writer != NULL)
		empty(response->writer, true);
}

FCGX_Stream *ath_body_fcgx(struct ath_request *request)
{
	struct stream *stream = new_reader(request);

	return stream == NULL ? NULL : &stream->fcgx;
}

/* ---- the head that a handler of libfcgi writes (RFC 3875, 6.2) ------------------------------- */

struct head {
	int status;
	const char *content_type;
	struct ath_response *response; /* for the other lines */
};

/* "404 Not Found"; the reason is ours to say. */
static bool read_status(const char *value, struct head *head)
{
	char *end;
	long status = strtol(value, &end, 10);

	head->status = (int)status;
	return end == value + 3 && status >= 200 && status <= 599;
}

/* "Name: value" */
static bool read_line(struct ath_arena *arena, struct ath_text line, struct head *head)
{
	const char *colon = memchr(line.data, ':', line.length);
	const char *name, *value;

	if (colon == NULL || memchr(line.data, '\0', line.length) != NULL)
		return false;
	name = ath_arena_copy(arena, line.data, (size_t)(colon - line.data));
	for (colon++; colon < line.data + line.length && (*colon == ' ' || *colon == '\t');)
		colon++;
	value = ath_arena_copy(arena, colon, (size_t)(line.data + line.length - colon));
	if (name == NULL || value == NULL)
		return false;
	if (strcasecmp(name, "Status") == 0)
		return read_status(value, head);
	if (strcasecmp(name, "Content-Type") == 0)
		head->content_type = value;
	else if (strcasecmp(name, "Content-Length") != 0) /* what comes is counted */
		ath_response_header(head->response, name, value);
	if (strcasecmp(name, "Location") == 0 && head->status == 0)
		head->status = 302;
	return true;
}

/* NULL: this is no head, and the request has been failed for it. */
static struct ath_response *read_head(struct ath_request *request, struct ath_text *rest)
{
	struct head head = { .response = ath_response_stream(request, 200, NULL) };
	struct ath_text line;

	while (ath_next_line(rest, &line) && line.length > 0) {
		if (!read_line(request->arena, line, &head)) {
			ath_request_fail(request, ath_problem(request, 500,
							      "the handler's answer has no head"));
			return NULL;
		}
	}
	if (head.response == NULL)
		return NULL;
	head.response->status = head.status == 0 ? 200 : head.status;
	head.response->content_type = head.content_type;
	return head.response;
}

/* Behind the first empty line. */
static bool ends_head(const struct ath_buffer *head)
{
	struct ath_text rest = { head->data, head->length }, line;

	while (ath_next_line(&rest, &line))
		if (line.length == 0)
			return true;
	return false;
}

static bool take_answer(struct stream *stream, const char *data, size_t length)
{
	struct ath_text rest;

	if (stream->response != NULL)
		return take_body(stream, data, length);
	ath_buffer_append(&stream->head, data, length);
	if (stream->head.failed) {
		ath_request_fail(stream->request,
				 ath_problem(stream->request, 500,
					     "the head of the handler's answer is too long"));
		return false;
	}
	if (!ends_head(&stream->head))
		return true;
	rest = (struct ath_text){ stream->head.data, stream->head.length };
	stream->response = read_head(stream->request, &rest);
	return stream->response != NULL && take_body(stream, rest.data, rest.length);
}

/* What it says of errors, a line of the log for each of its lines. */
static bool take_errors(struct stream *stream, const char *data, size_t length)
{
	struct ath_text rest = { data, length }, text;
	struct ath_log_line line;
	const char *copy;

	while (rest.length > 0) {
		if (!ath_next_line(&rest, &text)) {
			text = rest;
			rest.length = 0;
		}
		copy = ath_arena_copy(stream->request->arena, text.data, text.length);
		if (copy == NULL)
			return false;
		ath_log_begin(&line, stream->request->web->log, ATH_LOG_ERROR, "handler");
		ath_log_text(&line, "id", stream->request->id);
		ath_log_text(&line, "says", copy);
		ath_log_end(&line);
	}
	return true;
}

/* ---- running it ------------------------------------------------------------------------------ */

struct mounted {
	struct stream *in, *out, *err;
	char **envp;
	void (*handler)(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp);
};

/* The web server's parameters, as NAME=value. */
static char **environment(struct ath_request *request)
{
	char **envp = ath_new(request->arena, char *, request->param_count + 1);

	for (size_t i = 0; envp != NULL && i < request->param_count; i++) {
		struct ath_text name = request->params[i].name, value = request->params[i].value;

		envp[i] = ath_arena_printf(request->arena, "%.*s=%.*s", (int)name.length, name.data,
					   (int)value.length, value.data);
	}
	return envp;
}

/* On another thread. */
static void run(void *arg)
{
	const struct mounted *mounted = arg;

	mounted->handler(&mounted->in->fcgx, &mounted->out->fcgx, &mounted->err->fcgx,
			 mounted->envp);
}

struct ath_response *ath_fcgx_handle(struct ath_request *request)
{
	struct mounted mounted = {
		.in = new_reader(request),
		.out = new_writer(request, take_answer),
		.err = new_writer(request, take_errors),
		.envp = environment(request),
		.handler = request->match.leaf->route->fcgx,
	};

	if (mounted.in == NULL || mounted.out == NULL || mounted.err == NULL ||
	    ath_arena_failed(request->arena))
		return NULL;
	ath_buffer_init(&mounted.out->head, request->arena, MAX_HEAD);
	if (ath_offload(run, &mounted) != ATH_OK)
		return ath_problem(request, 503, "no thread could be had");
	empty(&mounted.out->fcgx, true);
	empty(&mounted.err->fcgx, true);
	if (mounted.out->response == NULL)
		return ath_problem(request, 500, "the handler gave no answer");
	return mounted.out->response;
}
