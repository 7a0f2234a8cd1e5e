/*
 * export.c - the rows of a query of any size as they come from the database: NDJSON, a row of JSON
 * on each line, and CSV (RFC 4180). Neither needs memory for more rows than come at once.
 */
#include "rest/internal.h"

static struct ath_response *open_export(struct ath_request *request, const char *content_type,
					const char *filename)
{
	struct ath_response *response = ath_response_stream(request, 200, content_type);

	ath_response_attachment(response, filename);
	return response;
}

struct ath_response *ath_rows_ndjson(struct ath_request *request, const struct ath_model *model,
				     struct ath_cursor *rows, const char *filename)
{
	struct ath_response *response = open_export(request, "application/x-ndjson", filename);
	const void *object;

	while (response != NULL && (object = ath_cursor_next(rows, model)) != NULL) {
		ath_row_to_json(&response->body, model, object);
		ath_buffer_append(&response->body, "\n", 1);
		if (!ath_stream_gathered(response))
			break;
	}
	return response;
}

/* ---- CSV ------------------------------------------------------------------------------------- */

/* In quotes when it has to be; an empty one too, which tells it from NULL. */
static void put_field(struct ath_buffer *out, const char *text, size_t length)
{
	size_t plain = 0;

	while (plain < length && strchr("\",\r\n", text[plain]) == NULL)
		plain++;
	if (plain == length && length > 0) {
		ath_buffer_append(out, text, length);
		return;
	}
	ath_buffer_append(out, "\"", 1);
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"')
			ath_buffer_append(out, "\"", 1);
		ath_buffer_append(out, text + i, 1);
	}
	ath_buffer_append(out, "\"", 1);
}

/* What is no text is as in JSON; the quotes around a day, a number or a UUID are not its own. */
static void put_csv_value(struct ath_buffer *out, const struct ath_value *value,
			  struct ath_buffer *scratch)
{
	bool text = value->type == ATH_TYPE_TEXT && !value->array;

	if (value->null)
		return;
	if (text) {
		put_field(out, value->as.text, strlen(value->as.text));
		return;
	}
	scratch->length = 0;
	ath_value_to_json(scratch, value);
	out->failed = out->failed || scratch->failed;
	if (scratch->failed)
		return;
	if (*scratch->data == '"' && !value->array && value->type != ATH_TYPE_JSON)
		put_field(out, scratch->data + 1, scratch->length - 2);
	else
		put_field(out, scratch->data, scratch->length);
}

static void put_csv_row(struct ath_buffer *out, const struct ath_model *model, const void *object,
			struct ath_buffer *scratch)
{
	const char *comma = "";

	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];
		struct ath_value value;

		if (member->kind != ATH_MEMBER_COLUMN)
			continue;
		ath_buffer_string(out, comma);
		comma = ",";
		if (object == NULL)
			ath_buffer_string(out, member->name);
		else if (ath_member_send(member, object, &value))
			put_csv_value(out, &value, scratch);
		else
			out->failed = true;
	}
	ath_buffer_append(out, "\r\n", 2);
}

struct ath_response *ath_rows_csv(struct ath_request *request, const struct ath_model *model,
				  struct ath_cursor *rows, const char *filename)
{
	struct ath_response *response =
		open_export(request, "text/csv; charset=utf-8; header=present", filename);
	struct ath_buffer scratch;
	const void *object = NULL;

	ath_buffer_init(&scratch, request->arena, request->web->limits.arena);
	while (response != NULL) {
		put_csv_row(&response->body, model, object, &scratch); /* NULL: the names */
		if (!ath_stream_gathered(response))
			break;
		object = ath_cursor_next(rows, model);
		if (object == NULL)
			break;
	}
	return response;
}
