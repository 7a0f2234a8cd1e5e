/*
 * form.c - forms in a body: name=value pairs, or parts with a boundary between them (multipart.c).
 */
#include "web/internal.h"

enum { PIECE = 16 * 1024 };

bool ath_request_streams_body(const struct ath_request *request)
{
	return request->match.leaf != NULL && request->match.leaf->route->stream_body;
}

/* A body that nobody has read yet has room in memory, as another body has. */
static struct ath_text whole_body(struct ath_request *request)
{
	size_t most = request->web->limits.body;
	struct ath_buffer body;
	ptrdiff_t length;

	if (!ath_request_streams_body(request))
		return request->body;
	ath_buffer_init(&body, request->arena, most + PIECE + 1);
	do {
		char *room = ath_buffer_reserve(&body, PIECE);

		length = room == NULL ? -1 : ath_body_read(request, room, PIECE);
		body.length += length > 0 ? (size_t)length : 0;
	} while (length > 0 && body.length <= most);
	if (body.length > most)
		ath_request_fail(request, ath_problem(request, 413, "at most %zu bytes", most));
	return (struct ath_text){ body.data, body.length };
}

static bool is_type(const char *type, const char *wanted)
{
	size_t length = strcspn(type, "; ");

	return ath_text_is_nocase((struct ath_text){ type, length }, wanted);
}

static struct ath_form *form_of(struct ath_request *request)
{
	const char *type = ath_header(request, "Content-Type");

	if (request->form != NULL)
		return request->form;
	request->form = ath_new(request->arena, struct ath_form, 1);
	if (request->form == NULL) {
		ath_request_fail(request, NULL);
	} else if (type != NULL && is_type(type, "application/x-www-form-urlencoded")) {
		request->form->fields = ath_read_urlencoded(request, whole_body(request), "form",
							    &request->form->field_count);
	} else if (type == NULL || !is_type(type, "multipart/form-data")) {
		ath_request_fail(request, ath_problem(request, 415, "the body is no form"));
	} else if (!ath_form_read_multipart(request, request->form, type)) {
		request->form->field_count = request->form->file_count = 0;
		ath_request_fail(request, ath_problem(request, 400, "the form is not well formed"));
	}
	return request->form;
}

const char *ath_form(struct ath_request *request, const char *name)
{
	const struct ath_form *form = form_of(request);

	for (size_t i = 0; form != NULL && i < form->field_count; i++)
		if (ath_text_is(form->fields[i].name, name))
			return form->fields[i].value.data;
	return NULL;
}

const char *const *ath_form_list(struct ath_request *request, const char *name, size_t *count)
{
	const struct ath_form *form = form_of(request);

	*count = 0;
	if (form == NULL)
		return NULL;
	return ath_pair_list(request->arena, form->fields, form->field_count, name, count);
}

const struct ath_pair *ath_form_fields(struct ath_request *request, size_t *count)
{
	const struct ath_form *form = form_of(request);

	*count = form == NULL ? 0 : form->field_count;
	return form == NULL ? NULL : form->fields;
}

const struct ath_file *ath_form_file(struct ath_request *request, const char *name)
{
	const struct ath_form *form = form_of(request);

	for (size_t i = 0; form != NULL && i < form->file_count; i++)
		if (strcmp(form->files[i].name, name) == 0)
			return &form->files[i];
	return NULL;
}
