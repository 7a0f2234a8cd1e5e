/* json_out.c - rows and shapes as JSON, straight from their structs into the response. */
#include <stdio.h>

#include "rest/internal.h"

/* What stands at a member or an element, and is not NULL: a column of rows is not copied first. */
static void put_scalar(struct ath_buffer *out, enum ath_type type, const void *at)
{
	const struct ath_bytes *bytes = at;
	const char *const *string = at;
	char text[64];

	_Static_assert(sizeof text >= ATH_DECIMAL_MAX_TEXT && sizeof text >= ATH_UUID_TEXT &&
			       sizeof text >= ATH_TIMESTAMP_MAX_TEXT,
		       "each of them must fit");
	switch (type) {
	case ATH_TYPE_TEXT:
		ath_buffer_json_text(out, *string, strlen(*string));
		break;
	case ATH_TYPE_JSON: /* the database has seen to it that it is JSON */
		ath_buffer_string(out, *string);
		break;
	case ATH_TYPE_BYTES:
		ath_buffer_append(out, "\"", 1);
		ath_buffer_base64(out, bytes->data, bytes->length);
		ath_buffer_append(out, "\"", 1);
		break;
	case ATH_TYPE_BOOL:
		ath_buffer_string(out, *(const bool *)at ? "true" : "false");
		break;
	case ATH_TYPE_INT16:
		ath_buffer_int64(out, *(const int16_t *)at);
		break;
	case ATH_TYPE_INT32:
		ath_buffer_int64(out, *(const int32_t *)at);
		break;
	case ATH_TYPE_INT64:
		ath_buffer_int64(out, *(const int64_t *)at);
		break;
	case ATH_TYPE_DOUBLE:
		ath_buffer_json_double(out, *(const double *)at);
		break;
	case ATH_TYPE_TIMESTAMP:
		ath_buffer_quoted(out, text,
				  ath_timestamp_format(*(const struct ath_timestamp *)at, text));
		break;
	case ATH_TYPE_DATE:
		ath_buffer_quoted(out, text, ath_date_format(*(const struct ath_date *)at, text));
		break;
	case ATH_TYPE_DECIMAL: /* a number of JavaScript's would round it */
		ath_buffer_quoted(out, text,
				  ath_decimal_format(*(const struct ath_decimal *)at, text));
		out->failed = out->failed || *text == '\0'; /* it is none */
		break;
	case ATH_TYPE_UUID:
		ath_uuid_format(*(const struct ath_uuid *)at, text);
		ath_buffer_quoted(out, text, ATH_UUID_TEXT - 1);
		break;
	case ATH_TYPE_ENUM:
		ath_buffer_int64(out, *(const unsigned *)at);
		break;
	default: /* arrays are no scalar */
		out->failed = true;
	}
}

static void put_array(struct ath_buffer *out, const struct ath_value *array)
{
	ath_buffer_append(out, "[", 1);
	for (size_t i = 0; i < array->count; i++) {
		const void *at = ath_value_place(array, i);

		if (i > 0)
			ath_buffer_append(out, ",", 1);
		if (ath_value_item(array, i).null)
			ath_buffer_append(out, "null", 4);
		else
			put_scalar(out, array->type, at);
	}
	ath_buffer_append(out, "]", 1);
}

void ath_value_to_json(struct ath_buffer *out, const struct ath_value *value)
{
	bool small = value->type == ATH_TYPE_INT16 || value->type == ATH_TYPE_INT32 ||
		     value->type == ATH_TYPE_ENUM;

	if (value->null)
		ath_buffer_append(out, "null", 4);
	else if (value->array)
		put_array(out, value);
	else /* a value holds all integers in the same way */
		put_scalar(out, small ? ATH_TYPE_INT64 : value->type, &value->as);
}

/* Most names are so short that two copies which overlap cost less than the call. */
static void copy_name(char *to, const char *name, size_t length)
{
	if (length > 16 || length < 4) {
		memcpy(to, name, length);
	} else if (length >= 8) {
		memcpy(to, name, 8);
		memcpy(to + length - 8, name + length - 8, 8);
	} else {
		memcpy(to, name, 4);
		memcpy(to + length - 4, name + length - 4, 4);
	}
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
	copy_name(at + 2, name, length);
	memcpy(at + 2 + length, "\":", 2);
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

/* An enum, which is its text, and what is no scalar. */
static void put_value(struct ath_buffer *out, const struct ath_member *column, const void *object)
{
	struct ath_value value;

	if (!ath_member_send(column, object, &value))
		out->failed = true;
	else
		ath_value_to_json(out, &value);
}

static void put_column(struct ath_buffer *out, char before, const struct ath_member *column,
		       const void *object)
{
	const void *at = (const char *)object + column->offset;
	bool text = column->type == ATH_TYPE_TEXT;
	size_t flag = ath_type_flag(column->type); /* 0: no scalar */

	put_name(out, before, column->name);
	if (column->type == ATH_TYPE_ENUM || (flag == 0 && !text))
		put_value(out, column, object);
	else if (text ? *(const char *const *)at == NULL
		      : column->nullable_struct && !*((const bool *)at + flag))
		ath_buffer_append(out, "null", 4);
	else
		put_scalar(out, column->type, at);
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
