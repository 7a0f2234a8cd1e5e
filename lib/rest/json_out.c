/* json_out.c - rows as JSON, straight from their structs into the response. */
#include <stdio.h>

#include "rest/internal.h"

static void put_value(struct ath_buffer *out, const struct ath_value *value)
{
	char text[ATH_TIMESTAMP_MAX_TEXT];
	size_t length;

	switch (value->type) {
	case ATH_TYPE_TEXT:
		ath_buffer_json_text(out, value->as.text, strlen(value->as.text));
		return;
	case ATH_TYPE_BOOL:
		ath_buffer_string(out, value->as.boolean ? "true" : "false");
		return;
	case ATH_TYPE_INT16:
	case ATH_TYPE_INT32:
	case ATH_TYPE_INT64:
		ath_buffer_int64(out, value->as.integer);
		return;
	case ATH_TYPE_DOUBLE:
		ath_buffer_json_double(out, value->as.real);
		return;
	case ATH_TYPE_TIMESTAMP:
		length = ath_timestamp_format(value->as.timestamp, text);
		break;
	case ATH_TYPE_UUID:
		ath_uuid_format(value->as.uuid, text);
		length = ATH_UUID_TEXT - 1;
		break;
	default:
		return;
	}
	ath_buffer_append(out, "\"", 1);
	ath_buffer_append(out, text, length);
	ath_buffer_append(out, "\"", 1);
}

/* A name needs no escapes: the check at start has seen to that. */
static void put_name(struct ath_buffer *out, char before, const char *name)
{
	size_t length = strlen(name);
	char *at = ath_buffer_reserve(out, length + 4);

	if (at == NULL)
		return;
	at[0] = before;
	at[1] = '"';
	memcpy(at + 2, name, length);
	at[length + 2] = '"';
	at[length + 3] = ':';
	out->length += length + 4;
}

static bool put_relation(struct ath_buffer *out, char before, const struct ath_member *relation,
			 const void *object)
{
	struct ath_any_list list;

	memcpy(&list, (const char *)object + relation->offset, sizeof list);
	if (list.items == NULL)
		return false;
	put_name(out, before, relation->name);
	ath_buffer_append(out, "[", 1);
	for (size_t i = 0; i < list.count; i++) {
		if (i > 0)
			ath_buffer_append(out, ",", 1);
		ath_row_to_json(out, relation->target, list.items[i]);
	}
	ath_buffer_append(out, "]", 1);
	return true;
}

static void put_column(struct ath_buffer *out, char before, const struct ath_member *column,
		       const void *object)
{
	struct ath_value value = ath_member_get(column, object);

	put_name(out, before, column->name);
	if (value.null)
		ath_buffer_append(out, "null", 4);
	else
		put_value(out, &value);
}

void ath_row_to_json(struct ath_buffer *out, const struct ath_model *model, const void *object)
{
	char before = '{'; /* the primary key at least follows it */

	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (member->kind == ATH_MEMBER_COLUMN)
			put_column(out, before, member, object);
		else if (!put_relation(out, before, member, object))
			continue;
		before = ',';
	}
	ath_buffer_append(out, "}", 1);
}

struct ath_response *ath_row_json(struct ath_request *request, int status,
				  const struct ath_model *model, const void *object)
{
	struct ath_response *response = ath_response_new(request, status, "application/json");

	if (response == NULL)
		return NULL;
	if (object == NULL)
		ath_buffer_string(&response->body, "null");
	else
		ath_row_to_json(&response->body, model, object);
	return response;
}

struct ath_response *ath_rows_json(struct ath_request *request, int status,
				   const struct ath_model *model, void *const *objects,
				   size_t count)
{
	struct ath_response *response = ath_response_new(request, status, "application/json");

	if (response == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		ath_buffer_append(&response->body, i == 0 ? "[" : ",", 1);
		ath_row_to_json(&response->body, model, objects[i]);
	}
	ath_buffer_string(&response->body, count == 0 ? "[]" : "]");
	return response;
}

struct ath_response *ath_created_json(struct ath_request *request, const struct ath_model *model,
				      const void *object, const char *location, va_list args)
{
	struct ath_response *response = ath_row_json(request, 201, model, object);
	char text[1024];

	vsnprintf(text, sizeof text, location, args);
	ath_response_header(response, "Location", text);
	return response;
}
