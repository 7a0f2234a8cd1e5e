/*
 * multipart.c - a form as parts with a boundary between them (RFC 7578).
 *
 * Of a body in memory the parts are pieces of it. A body that is read as it comes goes through a
 * window: fields and small files are copied out of it, and larger files go to disk.
 */
#include "web/internal.h"

enum {
	MAX_PARTS = ATH_MAX_ARGS,
	FEW_PARTS = 8,
	MAX_BOUNDARY = 70,
	MAX_PART_HEAD = 8 * 1024,
	WINDOW = 64 * 1024,
	IN_MEMORY = 64 * 1024,         /* of a file; larger ones, or too many, go to disk */
	MAX_FORM = 1024 * 1024 * 1024, /* of a route that says nothing of it */
};

struct reader {
	struct ath_request *request;
	struct ath_form *form;
	const char *mark;       /* what stands between the parts */
	char *window;           /* NULL: all of it is in memory */
	struct ath_text rest;   /* what has come and is not read */
	struct ath_buffer part; /* of a body that comes: the data of this part */
	struct ath_spool *spool;
	size_t in_memory; /* of all parts */
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

/* ---- the window ------------------------------------------------------------------------------ */

/* Reads more behind the rest; false: no more comes, or fits. */
static bool more(struct reader *reader)
{
	ptrdiff_t length;

	if (reader->window == NULL)
		return false;
	if (reader->request->body_read > MAX_FORM &&
	    reader->request->match.leaf->route->max_body == 0) {
		ath_request_fail(reader->request,
				 ath_problem(reader->request, 413, "at most %d bytes", MAX_FORM));
		return false;
	}
	memmove(reader->window, reader->rest.data, reader->rest.length);
	reader->rest.data = reader->window;
	length = ath_body_read(reader->request, reader->window + reader->rest.length,
			       WINDOW - reader->rest.length);
	reader->rest.length += length > 0 ? (size_t)length : 0;
	return length > 0;
}

static void skip(struct reader *reader, size_t length)
{
	reader->rest.data += length;
	reader->rest.length -= length;
}

/* Takes this text off the front; false: something else stands there. */
static bool take_text(struct reader *reader, const char *text)
{
	size_t length = strlen(text);

	while (reader->rest.length < length && more(reader))
		;
	if (reader->rest.length < length || memcmp(reader->rest.data, text, length) != 0)
		return false;
	skip(reader, length);
	return true;
}

/* ---- the data of a part ---------------------------------------------------------------------- */

static bool spool(struct reader *reader)
{
	bool good;

	if (reader->spool == NULL)
		reader->spool = ath_spool_open(reader->request);
	good = ath_spool_write(reader->request, reader->spool, reader->part.data,
			       reader->part.length);
	reader->part.length = 0;
	return good;
}

/* A piece of what a part holds. */
static bool keep(struct reader *reader, const char *data, size_t length, bool is_file)
{
	struct ath_request *request = reader->request;
	size_t most = request->web->limits.body, total = reader->part.length + length;
	bool fits = reader->in_memory + total <= most;

	if (is_file && (total > IN_MEMORY || !fits) && !spool(reader))
		return false;
	ath_buffer_append(&reader->part, data, length);
	if (reader->part.failed || (!is_file && !fits)) {
		ath_request_fail(request,
				 ath_problem(request, 413, "at most %zu bytes of fields", most));
		return false;
	}
	return true;
}

static bool end_part(struct reader *reader, struct ath_text *data)
{
	bool good = true;

	if (reader->spool != NULL) {
		good = spool(reader) && ath_spool_map(reader->request, reader->spool, data);
		reader->spool = NULL;
	} else {
		data->length = reader->part.length;
		data->data =
			ath_arena_copy(reader->request->arena,
				       data->length == 0 ? "" : reader->part.data, data->length);
		reader->in_memory += data->length;
		good = data->data != NULL;
	}
	reader->part.length = 0;
	return good;
}

/* All up to the next mark, which is taken too. */
static bool read_data(struct reader *reader, bool is_file, struct ath_text *data)
{
	size_t length = strlen(reader->mark);

	do {
		const char *found =
			memmem(reader->rest.data, reader->rest.length, reader->mark, length);
		size_t held = length - 1 < reader->rest.length ? length - 1 : reader->rest.length;
		size_t count = found == NULL ? reader->rest.length - held
					     : (size_t)(found - reader->rest.data);

		if (reader->window == NULL) /* it is all there, or not at all */
			*data = (struct ath_text){ reader->rest.data, count };
		else if (!keep(reader, reader->rest.data, count, is_file))
			return false;
		skip(reader, count);
		if (found != NULL) {
			skip(reader, length);
			return reader->window == NULL || end_part(reader, data);
		}
	} while (more(reader));
	return false;
}

/* What stands before the first mark means nothing. */
static bool skip_preamble(struct reader *reader)
{
	size_t length = strlen(reader->mark);

	if (take_text(reader, reader->mark + 2))
		return true;
	do {
		const char *found =
			memmem(reader->rest.data, reader->rest.length, reader->mark, length);

		if (found != NULL) {
			skip(reader, (size_t)(found - reader->rest.data) + length);
			return true;
		}
		if (reader->rest.length >= length)
			skip(reader, reader->rest.length - (length - 1));
	} while (more(reader));
	return false;
}

/* Lives until the reader reads on. */
static bool read_head(struct reader *reader, struct ath_text *head)
{
	const char *found;

	do {
		found = memmem(reader->rest.data, reader->rest.length, "\r\n\r\n", 4);
	} while (found == NULL && reader->rest.length < MAX_PART_HEAD && more(reader));
	if (found == NULL)
		return false;
	*head = (struct ath_text){ reader->rest.data, (size_t)(found - reader->rest.data) };
	skip(reader, head->length + 4);
	return head->length <= MAX_PART_HEAD;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static bool is_text(struct ath_text text)
{
	return memchr(text.data, '\0', text.length) == NULL &&
	       ath_utf8_valid(text.data, text.length);
}

/* A table that holds count, with room for one more: it doubles, since most forms are small. */
static void *with_room(struct reader *reader, void *table, size_t count, size_t size)
{
	bool full = count == 0 || (count >= FEW_PARTS && (count & (count - 1)) == 0);

	if (!full)
		return table;
	return ath_arena_grow(reader->request->arena, table, count * size,
			      (count == 0 ? FEW_PARTS : 2 * count) * size);
}

static bool add_field(struct reader *reader, const char *name, struct ath_text data)
{
	struct ath_form *form = reader->form;
	const char *value = data.data;

	if (reader->window == NULL) /* a NUL belongs behind it */
		value = ath_arena_copy(reader->request->arena, data.data, data.length);
	form->fields = with_room(reader, form->fields, form->field_count, sizeof *form->fields);
	if (value == NULL || form->fields == NULL || !is_text(data))
		return false;
	form->fields[form->field_count++] =
		(struct ath_pair){ ath_text(name), { value, data.length } };
	return true;
}

static bool read_part(struct reader *reader)
{
	struct ath_request *request = reader->request;
	struct ath_form *form = reader->form;
	struct ath_text head, disposition, type, data;
	const char *name = NULL, *filename, *content_type;

	if (!read_head(reader, &head))
		return false;
	disposition = head_line(head, "Content-Disposition");
	type = head_line(head, "Content-Type");
	if (disposition.data != NULL)
		name = parameter(request, disposition, "name");
	if (name == NULL || !is_text(ath_text(name)))
		return false;
	filename = parameter(request, disposition, "filename");
	content_type =
		ath_arena_copy(request->arena, type.data == NULL ? "" : type.data, type.length);
	if (content_type == NULL || (filename != NULL && !is_text(ath_text(filename))) ||
	    !read_data(reader, filename != NULL, &data))
		return false;
	if (filename == NULL)
		return add_field(reader, name, data);
	form->files = with_room(reader, form->files, form->file_count, sizeof *form->files);
	if (form->files == NULL)
		return false;
	form->files[form->file_count++] = (struct ath_file){
		.name = name,
		.filename = without_directories(filename),
		.content_type = content_type,
		.data = data,
	};
	return true;
}

/* The parts between CRLF--boundary lines; behind the last stand two hyphens. */
static bool read_parts(struct reader *reader)
{
	if (!skip_preamble(reader))
		return false;
	for (size_t count = 0; !take_text(reader, "--"); count++)
		if (count == MAX_PARTS || !take_text(reader, "\r\n") || !read_part(reader))
			return false;
	do /* what comes behind them means nothing, but it has to come */
		skip(reader, reader->rest.length);
	while (more(reader));
	return reader->request->failure == NULL;
}

bool ath_form_read_multipart(struct ath_request *request, struct ath_form *form, const char *type)
{
	const char *boundary = parameter(request, ath_text(type), "boundary");
	struct reader reader = { .request = request, .form = form, .rest = request->body };

	if (boundary == NULL || *boundary == '\0' || strlen(boundary) > MAX_BOUNDARY)
		return false;
	reader.mark = ath_arena_printf(request->arena, "\r\n--%s", boundary);
	if (ath_request_streams_body(request)) {
		reader.window = ath_arena_alloc(request->arena, WINDOW);
		reader.rest = (struct ath_text){ reader.window, 0 };
		ath_buffer_init(&reader.part, request->arena, request->web->limits.body + WINDOW);
	}
	return !ath_arena_failed(request->arena) && read_parts(&reader);
}
