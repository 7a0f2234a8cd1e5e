/*
 * form.c - forms in a body: name=value pairs, or parts with a boundary between them (RFC 7578).
 */
#include "web/internal.h"

enum { MAX_PARTS = ATH_MAX_ARGS, MAX_BOUNDARY = 70 };

struct ath_form {
	struct ath_pair *fields;
	size_t field_count;
	struct ath_file *files;
	size_t file_count;
};

/* ---- the header lines of a part ------------------------------------------------------------- */

/* Of "name=value" or name="value" behind a ; the value, with \" and \\ undone. */
static const char *parameter(struct ath_request *request, struct ath_text line, const char *name)
{
	const char *at = line.data, *end = line.data + line.length;
	size_t length = strlen(name);
	struct ath_buffer value;

	while (at < end && (at = memchr(at, ';', (size_t)(end - at))) != NULL) {
		for (at++; at < end && (*at == ' ' || *at == '\t');)
			at++;
		if ((size_t)(end - at) <= length || at[length] != '=' ||
		    !ath_text_is_nocase((struct ath_text){ at, length }, name))
			continue;
		at += length + 1;
		ath_buffer_init(&value, request->arena, line.length + 1);
		if (at == end || *at != '"') {
			for (; at < end && *at != ';' && *at != ' '; at++)
				ath_buffer_append(&value, at, 1);
			return ath_buffer_c_string(&value);
		}
		for (at++; at < end && *at != '"'; at++) {
			at += *at == '\\' && at + 1 < end && (at[1] == '"' || at[1] == '\\');
			ath_buffer_append(&value, at, 1);
		}
		return at == end ? NULL : ath_buffer_c_string(&value);
	}
	return NULL;
}

/* The line of a part's head that begins with this name; data NULL: there is none. */
static struct ath_text head_line(struct ath_text head, const char *name)
{
	size_t length = strlen(name);

	while (head.length > 0) {
		const char *stop = memmem(head.data, head.length, "\r\n", 2);
		struct ath_text line = head;

		line.length = stop == NULL ? head.length : (size_t)(stop - head.data);
		if (line.length > length && line.data[length] == ':' &&
		    ath_text_is_nocase((struct ath_text){ line.data, length }, name)) {
			line.data += length + 1;
			line.length -= length + 1;
			while (line.length > 0 && *line.data == ' ') {
				line.data++;
				line.length--;
			}
			return line;
		}
		if (stop == NULL)
			break;
		head.length -= line.length + 2;
		head.data = stop + 2;
	}
	return (struct ath_text){ 0 };
}

/* What some browsers send is a whole path: the last part of it counts. */
static const char *without_directories(const char *filename)
{
	for (const char *at = filename; *at != '\0'; at++)
		if (*at == '/' || *at == '\\')
			filename = at + 1;
	return filename;
}

/* ---- parts ------------------------------------------------------------------------------------
 */

static bool is_text(struct ath_text text)
{
	return memchr(text.data, '\0', text.length) == NULL &&
	       ath_utf8_valid(text.data, text.length);
}

static bool take_part(struct ath_request *request, struct ath_form *form, struct ath_text head,
		      struct ath_text data)
{
	struct ath_text disposition = head_line(head, "Content-Disposition");
	struct ath_text type = head_line(head, "Content-Type");
	const char *name = NULL, *filename, *value;

	if (disposition.data != NULL)
		name = parameter(request, disposition, "name");
	if (name == NULL || !is_text(ath_text(name)))
		return false;
	filename = parameter(request, disposition, "filename");
	if (filename == NULL) {
		value = ath_arena_copy(request->arena, data.data, data.length);
		if (value == NULL || !is_text(data))
			return false;
		form->fields[form->field_count++] =
			(struct ath_pair){ ath_text(name), { value, data.length } };
		return true;
	}
	if (!is_text(ath_text(filename)))
		return false;
	value = ath_arena_copy(request->arena, type.data == NULL ? "" : type.data, type.length);
	if (value == NULL)
		return false;
	form->files[form->file_count++] =
		(struct ath_file){ .name = name,
				   .filename = without_directories(filename),
				   .content_type = value,
				   .data = data };
	return true;
}

/* Cuts what stands before the mark off the front of rest; false: the mark does not come. */
static bool cut(struct ath_text *rest, const char *mark, struct ath_text *before)
{
	size_t length = strlen(mark);
	const char *found = memmem(rest->data, rest->length, mark, length);

	if (found == NULL)
		return false;
	*before = (struct ath_text){ rest->data, (size_t)(found - rest->data) };
	rest->length -= before->length + length;
	rest->data = found + length;
	return true;
}

static bool starts_with(struct ath_text text, const char *with)
{
	return text.length >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

/* The parts between CRLF--boundary lines; behind the last stand two hyphens. */
static bool read_parts(struct ath_request *request, struct ath_form *form, const char *boundary)
{
	struct ath_text rest = request->body, head, data;
	const char *mark = ath_arena_printf(request->arena, "\r\n--%s", boundary);

	if (mark == NULL)
		return false;
	if (starts_with(rest, mark + 2)) {
		rest.data += strlen(mark) - 2;
		rest.length -= strlen(mark) - 2;
	} else if (!cut(&rest, mark, &head)) { /* a preamble means nothing */
		return false;
	}
	for (size_t count = 0; !starts_with(rest, "--"); count++) {
		if (count == MAX_PARTS || !starts_with(rest, "\r\n"))
			return false;
		rest.data += 2;
		rest.length -= 2;
		if (!cut(&rest, "\r\n\r\n", &head) || !cut(&rest, mark, &data) ||
		    !take_part(request, form, head, data))
			return false;
	}
	return true;
}

static bool read_multipart(struct ath_request *request, struct ath_form *form, const char *type)
{
	const char *boundary = parameter(request, ath_text(type), "boundary");

	form->fields = ath_new(request->arena, struct ath_pair, MAX_PARTS);
	form->files = ath_new(request->arena, struct ath_file, MAX_PARTS);
	return form->fields != NULL && form->files != NULL && boundary != NULL &&
	       *boundary != '\0' && strlen(boundary) <= MAX_BOUNDARY &&
	       read_parts(request, form, boundary);
}

/* ---- the form -----------------------------------------------------------------------------------
 */

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
		request->form->fields = ath_read_urlencoded(request, request->body, "form",
							    &request->form->field_count);
	} else if (type == NULL || !is_type(type, "multipart/form-data")) {
		ath_request_fail(request, ath_problem(request, 415, "the body is no form"));
	} else if (!read_multipart(request, request->form, type)) {
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

const struct ath_file *ath_form_file(struct ath_request *request, const char *name)
{
	const struct ath_form *form = form_of(request);

	for (size_t i = 0; form != NULL && i < form->file_count; i++)
		if (strcmp(form->files[i].name, name) == 0)
			return &form->files[i];
	return NULL;
}
