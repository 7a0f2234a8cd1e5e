/* cgi.c - the CGI front (RFC 3875): one request, from the environment and standard input. */
#include <errno.h>
#include <unistd.h>

#include "web/internal.h"

enum { CHUNK = 4096 };

struct cgi {
	struct ath_loop *loop;
	struct ath_request *request;
	int out;
	enum ath_status status;
};

static void put_length(struct ath_buffer *out, size_t length)
{
	unsigned char bytes[4] = { (unsigned char)(length >> 24 | 0x80),
				   (unsigned char)(length >> 16), (unsigned char)(length >> 8),
				   (unsigned char)length };

	if (length < 0x80)
		ath_buffer_append(out, bytes + 3, 1);
	else
		ath_buffer_append(out, bytes, sizeof bytes);
}

/* The environment in the form in which FastCGI brings it. */
static void read_environment(struct ath_request *request, const char *const *environment)
{
	struct ath_buffer *params = &request->raw_params;

	for (; *environment != NULL; environment++) {
		const char *equals = strchr(*environment, '=');

		if (equals == NULL)
			continue;
		put_length(params, (size_t)(equals - *environment));
		put_length(params, strlen(equals + 1));
		ath_buffer_append(params, *environment, (size_t)(equals - *environment));
		ath_buffer_string(params, equals + 1);
	}
}

static const char *find_variable(const char *const *environment, const char *name)
{
	size_t length = strlen(name);

	for (; *environment != NULL; environment++)
		if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
			return *environment + length + 1;
	return NULL;
}

/* Standard input need not end: as much as was announced is read, and no more. */
static enum ath_status read_body(struct ath_request *request, int in, const char *announced)
{
	char chunk[CHUNK];
	int64_t left = 0;

	if (announced == NULL || !ath_text_int64(ath_text(announced), &left))
		return ATH_OK;
	while (left > 0 && !request->raw_body.failed) {
		ssize_t length = read(in, chunk, left < CHUNK ? (size_t)left : CHUNK);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return ATH_EIO;
		if (length == 0)
			break; /* too short: the request is refused for it */
		ath_buffer_append(&request->raw_body, chunk, (size_t)length);
		left -= length;
	}
	return ATH_OK;
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

static void cgi_fiber(void *arg)
{
	struct cgi *cgi = arg;
	struct ath_output output;

	ath_web_handle(cgi->request, &output);
	cgi->status = write_all(cgi->out, output.head + ATH_HEAD_ROOM, output.head_length);
	if (cgi->status == ATH_OK)
		cgi->status = write_all(cgi->out, output.body, output.body_length);
	ath_loop_stop(cgi->loop);
}

enum ath_status ath_cgi_serve(struct ath_loop *loop, const struct ath_web *web, int in, int out,
			      const char *const *environment, struct ath_error *error)
{
	struct cgi cgi = { .loop = loop, .request = ath_request_new(web), .out = out };

	if (cgi.request == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	read_environment(cgi.request, environment);
	cgi.status = read_body(cgi.request, in, find_variable(environment, "CONTENT_LENGTH"));
	cgi.request->arrived = ath_now();
	cgi.request->deadline = cgi.request->arrived + web->limits.deadline_ms;
	if (cgi.status == ATH_OK)
		cgi.status = ath_loop_spawn(loop, cgi_fiber, &cgi, cgi.request->deadline, NULL);
	if (cgi.status == ATH_OK)
		ath_loop_run(loop);
	ath_request_free(cgi.request);
	if (cgi.status != ATH_OK)
		ath_error_set(error, cgi.status, "standard input or output failed");
	return cgi.status;
}
