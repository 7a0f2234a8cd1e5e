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

/* A relation that was not loaded is not there; one that was, is a list. */
struct any_list {
	void **items;
	size_t count;
};

static void put_relation(struct ath_buffer *out, char before, const struct ath_member *relation,
			 const void *object)
{
	struct any_list list;

	memcpy(&list, (const char *)object + relation->offset, sizeof list);
	if (list.items == NULL)
		return;
	put_name(out, before, relation->name);
	for (size_t i = 0; i < list.count; i++) {
		ath_buffer_append(out, i == 0 ? "[" : ",", 1);
		ath_row_to_json(out, relation->target, list.items[i]);
	}
	ath_buffer_append(out, "]", 1);
}

void ath_row_to_json(struct ath_buffer *out, const struct ath_model *model, const void *object)
{
	char before = '{';

	for (size_t i = 0; i < model->member_count; i++, before = ',') {
		const struct ath_member *member = &model->members[i];
		struct ath_value value;

		if (member->kind != ATH_MEMBER_COLUMN) {
			put_relation(out, before, member, object);
			continue;
		}
		put_name(out, before, member->name);
		value = ath_member_get(member, object);
		if (value.null)
			ath_buffer_append(out, "null", 4);
		else
			put_value(out, &value);
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
				   const struct ath_model *model, void *const *objects, size_t count)
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
