/* json_out.c - rows and shapes as JSON, straight from their structs into the response. */
#include <stdio.h>

#include "rest/internal.h"

/* Text that needs no escapes, in quotes. */
static void put_quoted(struct ath_buffer *out, const char *text, size_t length)
{
	char *at = ath_buffer_reserve(out, length + 2);

	if (at == NULL)
		return;
	at[0] = '"';
	memcpy(at + 1, text, length);
	at[length + 1] = '"';
	out->length += length + 2;
}

static void put_scalar(struct ath_buffer *out, const struct ath_value *value)
{
	char text[64];

	_Static_assert(sizeof text >= ATH_DECIMAL_MAX_TEXT && sizeof text >= ATH_UUID_TEXT &&
			       sizeof text >= ATH_TIMESTAMP_MAX_TEXT,
		       "each of them must fit");
	switch (value->type) {
	case ATH_TYPE_TEXT:
		ath_buffer_json_text(out, value->as.text, strlen(value->as.text));
		break;
	case ATH_TYPE_JSON: /* the database has seen to it that it is JSON */
		ath_buffer_string(out, value->as.text);
		break;
	case ATH_TYPE_BYTES:
		ath_buffer_append(out, "\"", 1);
		ath_buffer_base64(out, value->as.bytes.data, value->as.bytes.length);
		ath_buffer_append(out, "\"", 1);
		break;
	case ATH_TYPE_BOOL:
		ath_buffer_string(out, value->as.boolean ? "true" : "false");
		break;
	case ATH_TYPE_DOUBLE:
		ath_buffer_json_double(out, value->as.real);
		break;
	case ATH_TYPE_TIMESTAMP:
		put_quoted(out, text, ath_timestamp_format(value->as.timestamp, text));
		break;
	case ATH_TYPE_DATE:
		put_quoted(out, text, ath_date_format(value->as.date, text));
		break;
	case ATH_TYPE_DECIMAL: /* a number of JavaScript's would round it */
		put_quoted(out, text, ath_decimal_format(value->as.decimal, text));
		out->failed = out->failed || *text == '\0'; /* it is none */
		break;
	case ATH_TYPE_UUID:
		ath_uuid_format(value->as.uuid, text);
		put_quoted(out, text, ATH_UUID_TEXT - 1);
		break;
	default:
		ath_buffer_int64(out, value->as.integer);
	}
}

void ath_value_to_json(struct ath_buffer *out, const struct ath_value *value)
{
	if (value->null) {
		ath_buffer_append(out, "null", 4);
		return;
	}
	if (!value->array) {
		put_scalar(out, value);
		return;
	}
	ath_buffer_append(out, "[", 1);
	for (size_t i = 0; i < value->count; i++) {
		struct ath_value item = ath_value_item(value, i);

		if (i > 0)
			ath_buffer_append(out, ",", 1);
		ath_value_to_json(out, &item);
	}
	ath_buffer_append(out, "]", 1);
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

/* A row that is being written, inside those that led to it. */
struct ancestor {
	const void *object;
	const struct ancestor *outer;
};

static void put_row(struct ath_buffer *out, const struct ath_model *model, const void *object,
		    const struct ancestor *outer);

static bool is_ancestor(const struct ancestor *ancestor, const void *object)
{
	while (ancestor != NULL && ancestor->object != object)
		ancestor = ancestor->outer;
	return ancestor != NULL;
}

/* A relation that leads back to a row around it is left out, as one that is not loaded is. */
static bool put_relation(struct ath_buffer *out, char before, const struct ath_member *relation,
			 const struct ancestor *self)
{
	struct ath_any_list list = ath_relation_rows(relation, self->object);
	bool many =
		relation->kind == ATH_MEMBER_HAS_MANY || relation->kind == ATH_MEMBER_MANY_TO_MANY;
	const char *comma = "";

	if (list.items == NULL || (!many && is_ancestor(self, list.items[0])))
		return false;
	put_name(out, before, relation->name);
	if (!many) {
		put_row(out, relation->target, list.items[0], self);
		return true;
	}
	ath_buffer_append(out, "[", 1);
	for (size_t i = 0; i < list.count; i++) {
		if (is_ancestor(self, list.items[i]))
			continue;
		ath_buffer_string(out, comma);
		put_row(out, relation->target, list.items[i], self);
		comma = ",";
	}
	ath_buffer_append(out, "]", 1);
	return true;
}

static void put_nullable_row(struct ath_buffer *out, const struct ath_model *model,
			     const void *object, const struct ancestor *outer)
{
	if (object == NULL)
		ath_buffer_append(out, "null", 4);
	else
		put_row(out, model, object, outer);
}

/* Deeper than any document that can be read: most likely one that holds itself. */
static bool is_too_deep(const struct ancestor *self)
{
	int depth = 0;

	for (; self != NULL && depth <= ATH_JSON_MAX_DEPTH; self = self->outer)
		depth++;
	return depth > ATH_JSON_MAX_DEPTH;
}

/* Of a shape nothing is left out, so that it can be read again. */
static void put_nested(struct ath_buffer *out, char before, const struct ath_member *member,
		       const struct ancestor *self)
{
	const char *at = (const char *)self->object + member->offset;
	struct ath_any_list list;

	put_name(out, before, member->name);
	if (is_too_deep(self)) {
		out->failed = true;
		return;
	}
	if (member->kind == ATH_MEMBER_OBJECT) {
		put_nullable_row(out, member->target, *(void *const *)(const void *)at, self);
		return;
	}
	memcpy(&list, at, sizeof list);
	if (list.items == NULL && member->nullable) {
		ath_buffer_append(out, "null", 4);
		return;
	}
	ath_buffer_append(out, "[", 1);
	for (size_t i = 0; i < list.count; i++) {
		ath_buffer_append(out, ",", i > 0);
		put_nullable_row(out, member->target, list.items[i], self);
	}
	ath_buffer_append(out, "]", 1);
}

/* What is no column; false: nothing of it is shown. */
static bool put_other(struct ath_buffer *out, char before, const struct ath_member *member,
		      const struct ancestor *self)
{
	if (ath_member_is_relation(member))
		return put_relation(out, before, member, self);
	if (!ath_member_is_nested(member))
		return false;
	put_nested(out, before, member, self);
	return true;
}

/* An enum is its text. */
static void put_column(struct ath_buffer *out, char before, const struct ath_member *column,
		       const void *object)
{
	struct ath_value value;

	put_name(out, before, column->name);
	if (!ath_member_send(column, object, &value))
		out->failed = true;
	else
		ath_value_to_json(out, &value);
}

static void put_row(struct ath_buffer *out, const struct ath_model *model, const void *object,
		    const struct ancestor *outer)
{
	const struct ancestor self = { .object = object, .outer = outer };
	const struct ath_member *end = model->members + model->member_count;
	char before = '{'; /* a column at least follows it */

	for (const struct ath_member *member = model->members; member < end; member++) {
		if (member->kind == ATH_MEMBER_COLUMN)
			put_column(out, before, member, object);
		else if (!put_other(out, before, member, &self))
			continue;
		before = ',';
	}
	ath_buffer_append(out, "}", 1);
}

void ath_row_to_json(struct ath_buffer *out, const struct ath_model *model, const void *object)
{
	put_row(out, model, object, NULL);
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
