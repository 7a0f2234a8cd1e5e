/* cgi.c - the CGI front (RFC 3875): one request, from the environment and standard input. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "web/internal.h"

enum { CHUNK = 4096 };

struct cgi {
	struct ath_loop *loop;
	struct ath_request *request;
	int in, out;
	uint64_t left; /* bytes of the body */
	enum ath_status status;
};

/* The environment in the form in which FastCGI brings it. */
static void read_environment(struct ath_request *request, const char *const *environment)
{
	for (; *environment != NULL; environment++) {
		const char *equals = strchr(*environment, '=');

		if (equals == NULL)
			continue;
		ath_request_put_param(
			request, (struct ath_text){ *environment, (size_t)(equals - *environment) },
			ath_text(equals + 1));
	}
}

/* For the web server, until then; nothing else is to be done in this process. */
static bool await(int fd, short events, int64_t until)
{
	struct pollfd watched = { .fd = fd, .events = events };
	int ready;

	do {
		int64_t left = until == ATH_NEVER ? -1 : until - ath_now();

		if (until != ATH_NEVER && left < 0)
			left = 0;
		ready = poll(&watched, 1, left > INT_MAX ? INT_MAX : (int)left);
	} while (ready < 0 && errno == EINTR);
	return ready > 0;
}

/* ---- the body ------------------------------------------------------------------------------- */

/* Standard input need not end: as much as was announced is read, and no more. */
static ptrdiff_t read_body(struct ath_request *request, void *to, size_t size)
{
	struct cgi *cgi = request->front_data;
	ssize_t length;

	size = cgi->left < size ? (size_t)cgi->left : size;
	if (size == 0)
		return 0;
	if (!await(cgi->in, POLLIN, request->deadline))
		return -1;
	do
		length = read(cgi->in, to, size);
	while (length < 0 && errno == EINTR);
	if (length > 0)
		cgi->left -= (size_t)length;
	return length; /* 0: too short, and the request is refused for it */
}

static enum ath_status read_whole_body(struct cgi *cgi)
{
	struct ath_request *request = cgi->request;
	char chunk[CHUNK];
	ptrdiff_t length;

	do {
		length = read_body(request, chunk, sizeof chunk);
		if (length > 0)
			ath_buffer_append(&request->raw_body, chunk, (size_t)length);
	} while (length > 0 && !request->raw_body.failed);
	return length < 0 ? ATH_EIO : ATH_OK;
}

/*
 * What nobody wants to read is dropped: a web server that cannot hand over the whole of a body
 * gives the client an error of its own instead of the answer.
 */
static void drop_body(struct cgi *cgi)
{
	char chunk[CHUNK];

	while (read_body(cgi->request, chunk, sizeof chunk) > 0)
		continue;
}

/*
 * The body's length is known, or there is none. Apache passes on what comes in chunks: its end
 * could as well be that of a client that went away.
 */
static bool read_length(struct cgi *cgi)
{
	struct ath_request *request = cgi->request;

	if (ath_request_announced(request, &cgi->left))
		return true;
	if (ath_param(request, "HTTP_TRANSFER_ENCODING") != NULL) {
		ath_request_fail(request, ath_problem(request, 411, "send a Content-Length"));
		cgi->left = UINT64_MAX;
	}
	return false;
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* In pieces for which there is room when poll() says that there is any. */
static enum ath_status write_all(const struct cgi *cgi, const char *data, size_t length, bool piece)
{
	const struct ath_request *request = cgi->request;

	while (length > 0) {
		int64_t limit = ath_now() + request->web->limits.deadline_ms;
		ssize_t written;

		if (!await(cgi->out, POLLOUT, piece ? request->deadline : limit))
			return ATH_EIO;
		written = write(cgi->out, data, length < PIPE_BUF ? length : PIPE_BUF);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return ATH_EIO;
		data += written;
		length -= (size_t)written;
	}
	return ATH_OK;
}

/* An answer that breaks off can only end here: the program's exit status tells of it. */
static enum ath_status write_output(const struct cgi *cgi, const struct ath_output *output)
{
	bool piece = output->end == ATH_OUTPUT_GOES_ON;
	enum ath_status status = ATH_OK;

	if (output->head_length > 0)
		status = write_all(cgi, output->head + ATH_HEAD_ROOM, output->head_length, piece);
	if (status == ATH_OK)
		status = write_all(cgi, output->body, output->body_length, piece);
	return output->end == ATH_OUTPUT_BREAKS ? ATH_EIO : status;
}

static bool send_piece(struct ath_request *request, const struct ath_output *output)
{
	struct cgi *cgi = request->front_data;

	cgi->status = write_output(cgi, output);
	return cgi->status == ATH_OK;
}

/* There is but this one. */
static bool linger(struct ath_request *request)
{
	(void)request;
	return true;
}

static const struct ath_front front = { .read = read_body, .send = send_piece, .linger = linger };

static void cgi_fiber(void *arg)
{
	struct cgi *cgi = arg;
	struct ath_output output;

	ath_web_handle(cgi->request, &output);
	drop_body(cgi);
	if (cgi->status == ATH_OK)
		cgi->status = write_output(cgi, &output);
	ath_loop_stop(cgi->loop);
}

enum ath_status ath_cgi_serve(struct ath_loop *loop, const struct ath_web *web, int in, int out,
			      const char *const *environment, struct ath_error *error)
{
	struct cgi cgi = { .loop = loop, .request = ath_request_new(web), .in = in, .out = out };
	struct ath_request *request = cgi.request;
	bool streams;

	if (request == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	request->front = &front;
	request->front_data = &cgi;
	read_environment(request, environment);
	request->arrived = ath_now();
	request->deadline = request->arrived + web->limits.deadline_ms;
	streams = ath_web_begin(request);
	if (read_length(&cgi) && !streams)
		cgi.status = read_whole_body(&cgi);
	request->deadline = ath_now() + web->limits.deadline_ms;
	if (cgi.status == ATH_OK)
		cgi.status = ath_loop_spawn(loop, cgi_fiber, &cgi, request->deadline, NULL);
	if (cgi.status == ATH_OK)
		ath_loop_run(loop);
	ath_request_free(request);
	if (cgi.status != ATH_OK)
		ath_error_set(error, cgi.status,
			      "the body was not read, or the answer not sent, to its end");
	return cgi.status;
}
