/*
 * fuzz_request.c - libFuzzer on the reading of requests: any bytes as parameters and body
 * either fail the request, with a problem that can be shown, or make one that keeps its
 * promises: texts that end in NUL and hold none, arguments in UTF-8, a path that starts with
 * a slash, a body as long as announced.
 *
 * The first two bytes are the length of the parameters; one bit chooses raw parameters, or
 * lines NAME=value that are put into pairs here, which the fuzzer finds easier to change.
 */
#include <stdlib.h>
#include <string.h>

#include "web/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct ath_response *any(struct ath_request *request)
{
	return ath_response_empty(request, 204);
}

static struct ath_web *the_web(void)
{
	static const struct ath_route routes[] = {
		ATH_ROUTE(GET, "/", any),
		{ 0 },
	};
	static const char *const origins[] = { "https://a", NULL };
	static const struct ath_cors cors = { .origins = origins, .credentials = true };
	static struct ath_web web = { .limits = { .params = 2048, .body = 512, .arena = 65536 },
				      .cors = &cors };
	struct ath_error error = { 0 };

	if (web.router == NULL)
		must(ath_web_open(&web, routes, &error) == ATH_OK);
	return &web;
}

/* ---- what goes in ------------------------------------------------------------------------------
 */

static void put_length(struct ath_buffer *out, size_t length)
{
	unsigned char four[4] = { (unsigned char)(length >> 24 | 0x80),
				  (unsigned char)(length >> 16), (unsigned char)(length >> 8),
				  (unsigned char)length };

	ath_buffer_append(out, length < 0x80 ? four + 3 : four, length < 0x80 ? 1 : 4);
}

static void put_lines(struct ath_buffer *out, const char *at, size_t size)
{
	while (size > 0) {
		const char *end = memchr(at, '\n', size), *equals;
		size_t length = end == NULL ? size : (size_t)(end - at), name;

		equals = memchr(at, '=', length);
		name = equals == NULL ? length : (size_t)(equals - at);
		put_length(out, name);
		put_length(out, equals == NULL ? 0 : length - name - 1);
		ath_buffer_append(out, at, name);
		if (equals != NULL)
			ath_buffer_append(out, equals + 1, length - name - 1);
		length += end != NULL;
		at += length;
		size -= length;
	}
}

static void fill(struct ath_request *request, const uint8_t *data, size_t size)
{
	size_t params;

	if (size < 2)
		return;
	params = (size_t)(data[0] & 0x0f) << 8 | data[1];
	if (params > size - 2)
		params = size - 2;
	if (data[0] & 0x80)
		put_lines(&request->raw_params, (const char *)data + 2, params);
	else
		ath_buffer_append(&request->raw_params, data + 2, params);
	ath_buffer_append(&request->raw_body, data + 2 + params, size - 2 - params);
}

/* ---- what comes out -----------------------------------------------------------------------------
 */

/* A text with a NUL behind it and none inside. */
static void check_text(struct ath_text text)
{
	must(text.data != NULL && strlen(text.data) == text.length);
}

static void check_argument(const struct ath_pair *arg)
{
	check_text(arg->name);
	check_text(arg->value);
	must(ath_utf8_valid(arg->name.data, arg->name.length));
	must(ath_utf8_valid(arg->value.data, arg->value.length));
}

static void check_params(const struct ath_request *request)
{
	for (size_t i = 0; i < request->param_count; i++) {
		const struct ath_pair *pair = &request->params[i];

		check_text(pair->value);
		must(pair->name.length <= request->raw_params.length);
	}
	must(ath_header(request, "") == ath_param(request, "HTTP_"));
	must(ath_header(request, "x-y") == ath_param(request, "HTTP_X_Y"));
}

static void check_body(const struct ath_request *request)
{
	const char *announced = ath_param(request, "CONTENT_LENGTH");
	struct ath_text body = ath_body(request);
	int64_t length;

	must(body.data != NULL && body.length == request->raw_body.length);
	if (announced == NULL || *announced == '\0')
		return;
	must(ath_text_int64(ath_text(announced), &length));
	must(length >= 0 && (uint64_t)length == body.length);
}

static void check_good(struct ath_request *request)
{
	struct ath_text path = ath_request_path(request);

	must(path.length > 0 && *path.data == '/' && path.length <= ATH_MAX_URI);
	must(memchr(path.data, '?', path.length) == NULL);
	must(request->arg_count <= ATH_MAX_ARGS);
	for (size_t i = 0; i < request->arg_count; i++) {
		check_argument(&request->args[i]);
		must(ath_arg(request, request->args[i].name.data) != NULL);
	}
	must(request->method <= ATH_METHOD_COUNT);
	must(*ath_request_id(request) != '\0');
	must(strcmp(ath_path_str(request, "id"), "") == 0);
	check_params(request);
	check_body(request);
}

static void check_failure(const struct ath_request *request)
{
	int status = ath_response_status(request->failure);

	must(status == 400 || status == 413 || status == 414 || status == 431);
	must(ath_arena_failed(request->arena) || !request->failure->body.failed);
	must(ath_arena_failed(request->arena) || request->failure->body.length > 0);
}

/* ---- the handler's side: in a fiber, for its deadline is set there
 * -------------------------------- */

struct run {
	struct ath_loop *loop;
	struct ath_request *request;
	struct ath_output output;
};

static void run_fiber(void *arg)
{
	struct run *run = arg;

	ath_web_handle(run->request, &run->output);
	ath_loop_stop(run->loop);
}

static void check_output(const struct ath_output *output)
{
	const char *head = output->head + ATH_HEAD_ROOM;

	must(output->head_length > 12 && memcmp(head, "Status: ", 8) == 0);
	must(memcmp(head + output->head_length - 4, "\r\n\r\n", 4) == 0);
	must(memmem(head, output->head_length - 4, "\r\n\r\n", 4) == NULL);
	must(output->body_length == 0 || ath_utf8_valid(output->body, output->body_length));
}

static void handle(struct ath_request *request)
{
	static struct ath_loop *loop;
	struct run run = { .request = request };

	if (loop == NULL)
		must(ath_loop_open(&loop, NULL) == ATH_OK);
	run.loop = loop;
	request->deadline = ATH_NEVER;
	must(ath_loop_spawn(loop, run_fiber, &run, ATH_NEVER, NULL) == ATH_OK);
	ath_loop_run(loop);
	check_output(&run.output);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ath_request *request = ath_request_new(the_web());

	must(request != NULL);
	fill(request, data, size);
	ath_request_read(request);
	if (request->failure != NULL)
		check_failure(request);
	else if (!ath_arena_failed(request->arena))
		check_good(request);
	ath_request_reset(request);
	fill(request, data, size);
	handle(request);
	ath_request_free(request);
	return 0;
}
