/* cgi.c - the CGI front (RFC 3875): one request, from the environment and standard input. */
#include <errno.h>
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

/* Standard input need not end: as much as was announced is read, and no more. */
static ptrdiff_t read_body(struct ath_request *request, void *to, size_t size)
{
	struct cgi *cgi = request->front_data;
	ssize_t length;

	size = cgi->left < size ? (size_t)cgi->left : size;
	if (size == 0)
		return 0;
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

static enum ath_status write_all(int out, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(out, data, length);

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
static enum ath_status write_output(struct cgi *cgi, const struct ath_output *output)
{
	enum ath_status status = ATH_OK;

	if (output->head_length > 0)
		status = write_all(cgi->out, output->head + ATH_HEAD_ROOM, output->head_length);
	if (status == ATH_OK)
		status = write_all(cgi->out, output->body, output->body_length);
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
	streams = ath_web_begin(request);
	if (ath_request_announced(request, &cgi.left) && !streams)
		cgi.status = read_whole_body(&cgi);
	request->deadline = ath_now() + web->limits.deadline_ms;
	if (cgi.status == ATH_OK)
		cgi.status = ath_loop_spawn(loop, cgi_fiber, &cgi, request->deadline, NULL);
	if (cgi.status == ATH_OK)
		ath_loop_run(loop);
	ath_request_free(request);
	if (cgi.status != ATH_OK)
		ath_error_set(error, cgi.status, "standard input or output failed");
	return cgi.status;
}
