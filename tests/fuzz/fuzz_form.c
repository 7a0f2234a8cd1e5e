/*
 * fuzz_form.c - libFuzzer on forms: any bytes as a multipart body, with a boundary the input
 * chooses, and as an urlencoded one. Whatever is accepted has names and fields of UTF-8 without a
 * NUL, filenames without directories, and files that are pieces of the body; whatever is refused
 * has failed the request with a problem. Read whole and in pieces, as a route does that reads its
 * body as it comes, a multipart body gives the same form.
 *
 * The first byte is the length of the boundary, and of the pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "web/internal.h"

enum { MOST = 4096 };

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

static const struct ath_route routes[] = {
	ATH_ROUTE(POST, "/", any),
	ATH_ROUTE(POST, "/streamed", any, .stream_body = true),
	{ 0 },
};

static struct ath_web *the_web(void)
{
	static struct ath_web web = { .limits = { .params = 2048, .body = MOST } };
	struct ath_error error = { 0 };

	if (web.router == NULL)
		must(ath_web_open(&web, routes, &error) == ATH_OK);
	return &web;
}

/* ---- what goes in ------------------------------------------------------------------------------
 */

static struct ath_text unread;
static size_t piece;

static ptrdiff_t read_piece(struct ath_request *request, void *to, size_t size)
{
	(void)request;
	size = size < piece ? size : piece;
	size = size < unread.length ? size : unread.length;
	if (size > 0)
		memcpy(to, unread.data, size);
	unread.data += size;
	unread.length -= size;
	return (ptrdiff_t)size;
}

static const struct ath_front front = { .read = read_piece };

static void put_pair(struct ath_buffer *out, const char *name, const char *value, size_t length)
{
	unsigned char lengths[2] = { (unsigned char)strlen(name), (unsigned char)length };

	must(length < 0x80);
	ath_buffer_append(out, lengths, sizeof lengths);
	ath_buffer_string(out, name);
	ath_buffer_append(out, value, length);
}

static struct ath_request *new_request(const char *uri, const char *type, size_t type_length)
{
	struct ath_request *request = ath_request_new(the_web());

	must(request != NULL);
	put_pair(&request->raw_params, "REQUEST_METHOD", "POST", 4);
	put_pair(&request->raw_params, "REQUEST_URI", uri, strlen(uri));
	put_pair(&request->raw_params, "CONTENT_TYPE", type, type_length);
	return request;
}

/* ---- what comes out -----------------------------------------------------------------------------
 */

static void check_text(const char *text)
{
	must(text != NULL && ath_utf8_valid(text, strlen(text)));
}

static void check_form(struct ath_request *request)
{
	const struct ath_form *form = request->form;

	must(form->field_count + form->file_count <= ATH_MAX_ARGS);
	for (size_t i = 0; i < form->field_count; i++) {
		const struct ath_pair *field = &form->fields[i];

		check_text(field->name.data);
		check_text(field->value.data);
		must(strlen(field->value.data) == field->value.length);
		must(ath_form(request, field->name.data) != NULL);
	}
	for (size_t i = 0; i < form->file_count; i++) {
		const struct ath_file *file = &form->files[i];

		check_text(file->name);
		check_text(file->filename);
		must(strpbrk(file->filename, "/\\") == NULL);
		must(file->data.length <= MOST && file->data.data != NULL);
		must(ath_form_file(request, file->name) != NULL);
	}
}

static bool read_form(struct ath_request *request)
{
	(void)ath_form(request, "name");
	must(request->form != NULL);
	if (request->failure == NULL) {
		check_form(request);
		return true;
	}
	for (size_t i = 0; i < request->form->field_count; i++)
		must(request->form->fields[i].name.data != NULL);
	must(ath_response_status(request->failure) >= 400 &&
	     ath_response_status(request->failure) < 500);
	return false;
}

static void check_same(const struct ath_form *a, const struct ath_form *b)
{
	must(a->field_count == b->field_count && a->file_count == b->file_count);
	for (size_t i = 0; i < a->field_count; i++) {
		must(strcmp(a->fields[i].name.data, b->fields[i].name.data) == 0);
		must(strcmp(a->fields[i].value.data, b->fields[i].value.data) == 0);
	}
	for (size_t i = 0; i < a->file_count; i++) {
		must(strcmp(a->files[i].name, b->files[i].name) == 0);
		must(strcmp(a->files[i].filename, b->files[i].filename) == 0);
		must(a->files[i].data.length == b->files[i].data.length);
		must(memcmp(a->files[i].data.data, b->files[i].data.data,
			    a->files[i].data.length) == 0);
	}
}

static struct ath_request *read_whole(const char *type, size_t type_length, struct ath_text body)
{
	struct ath_request *request = new_request("/", type, type_length);

	must(!ath_web_begin(request));
	ath_buffer_append(&request->raw_body, body.data, body.length);
	if (request->failure == NULL)
		ath_request_read_body(request);
	return request;
}

static struct ath_request *read_pieces(const char *type, size_t type_length, struct ath_text body)
{
	struct ath_request *request = new_request("/streamed", type, type_length);

	request->front = &front;
	unread = body;
	must(ath_web_begin(request) || request->failure != NULL);
	return request;
}

static void try_multipart(const char *type, size_t type_length, struct ath_text body)
{
	struct ath_request *whole = read_whole(type, type_length, body);
	struct ath_request *pieces = read_pieces(type, type_length, body);

	if (whole->failure == NULL) {
		bool good = read_form(whole);

		must(pieces->failure == NULL && read_form(pieces) == good);
		if (good)
			check_same(whole->form, pieces->form);
	}
	ath_request_free(whole);
	ath_request_free(pieces);
}

static void try_urlencoded(struct ath_text body)
{
	static const char type[] = "application/x-www-form-urlencoded";
	struct ath_request *request = read_whole(type, sizeof type - 1, body);

	must(request->failure == NULL);
	read_form(request);
	ath_request_free(request);
}

static struct ath_loop *loop;
static struct ath_text input;

/* In a fiber, for a deadline moves on with what comes. */
static void try_all(void *arg)
{
	static const char before[] = "multipart/form-data; boundary=";
	char type[sizeof before + 80];
	struct ath_text body = input;
	size_t length = (unsigned char)*input.data % 72;

	(void)arg;
	try_urlencoded(input);
	piece = 1 + (unsigned char)*input.data;
	body.data++;
	body.length--;
	length = length < body.length ? length : body.length;
	memcpy(type, before, sizeof before - 1);
	memcpy(type + sizeof before - 1, body.data, length);
	body.data += length;
	body.length -= length;
	try_multipart(type, sizeof before - 1 + length, body);
	ath_loop_stop(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > MOST)
		return 0;
	if (loop == NULL)
		must(ath_loop_open(&loop, NULL) == ATH_OK);
	input = (struct ath_text){ (const char *)data, size };
	must(ath_loop_spawn(loop, try_all, NULL, ATH_NEVER, NULL) == ATH_OK);
	ath_loop_run(loop);
	return 0;
}
