/*
 * json_in.c - the members of a JSON object into the members of a row, by the tokens of the
 * strict reader, so that integers stay exact. All that is wrong is told at once.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "rest/internal.h"

/* As many are told as somebody reads: a large body could name more than memory holds. */
enum { MOST_VIOLATIONS = 100 };

struct binding {
	struct ath_arena *arena;
	const struct ath_json_document *document;
	const struct ath_model *model;
	enum ath_bind_mode mode;
	void *object;
	struct ath_violation *first, **tail;
	size_t violation_count;
};

/*
 * The name as it stands in a JSON Pointer: ~ and / are escaped (RFC 6901). U+0000, which a
 * C string cannot hold, is shown as U+FFFD, so that the pointer leads to no other member.
 */
static const char *pointer_to(struct ath_arena *arena, struct ath_text name)
{
	struct ath_buffer pointer;

	ath_buffer_init(&pointer, arena, 4096);
	ath_buffer_append(&pointer, "/", 1);
	for (size_t i = 0; i < name.length; i++) {
		if (name.data[i] == '~')
			ath_buffer_append(&pointer, "~0", 2);
		else if (name.data[i] == '/')
			ath_buffer_append(&pointer, "~1", 2);
		else if (name.data[i] == '\0')
			ath_buffer_string(&pointer, "\xef\xbf\xbd");
		else
			ath_buffer_append(&pointer, &name.data[i], 1);
	}
	return ath_buffer_c_string(&pointer);
}

static void __attribute__((format(printf, 3, 4)))
refuse(struct binding *binding, struct ath_text name, const char *format, ...)
{
	struct ath_violation *violation;
	char text[256];
	va_list args;

	if (binding->violation_count == MOST_VIOLATIONS)
		return;
	binding->violation_count++;
	violation = ath_new(binding->arena, struct ath_violation, 1);
	if (violation == NULL)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	violation->pointer = pointer_to(binding->arena, name);
	violation->detail = ath_arena_copy(binding->arena, text, strlen(text));
	if (violation->detail == NULL)
		return;
	*binding->tail = violation;
	binding->tail = &violation->next;
}

/* ---- one value of each type --------------------------------------------------------------- */

static struct ath_text raw(const struct binding *binding, const struct ath_json_token *token)
{
	return (struct ath_text){ binding->document->text + token->start, token->length };
}

/* Before the last @ anything but spaces, behind it a name with a dot inside. */
static bool is_email(struct ath_text text)
{
	const char *at = memrchr(text.data, '@', text.length);
	const char *end = text.data + text.length, *dot;

	if (at == NULL || at == text.data || text.length > 254)
		return false;
	for (const char *each = text.data; each < end; each++)
		if ((unsigned char)*each <= ' ' || *each == '\x7f')
			return false;
	dot = memrchr(at, '.', (size_t)(end - at));
	return dot != NULL && dot > at + 1 && dot < end - 1 && at[1] != '.';
}

static void take_text(struct binding *binding, const struct ath_member *column,
		      const struct ath_json_token *token)
{
	struct ath_text name = ath_text(column->name), text;
	size_t length;
	char *copy;

	if (token->type != ATH_JSON_STRING) {
		refuse(binding, name, "must be a string");
		return;
	}
	text = ath_json_string(binding->arena, binding->document, token);
	copy = text.data == NULL ? NULL : ath_arena_copy(binding->arena, text.data, text.length);
	if (copy == NULL)
		return; /* the arena remembers */
	length = ath_utf8_length(text.data, text.length);
	if (memchr(copy, '\0', text.length) != NULL)
		refuse(binding, name, "must not hold the character U+0000");
	else if (column->max_length > 0 && length > column->max_length)
		refuse(binding, name, "must be at most %zu characters long", column->max_length);
	else if (length < column->min_length)
		refuse(binding, name, "must be at least %zu characters long", column->min_length);
	else if (column->format == ATH_EMAIL && !is_email(text))
		refuse(binding, name, "must be an email address");
	else
		ath_member_set(column, binding->object, &copy);
}

/* The bounds that the type and the column set together. */
static void integer_bounds(const struct ath_member *column, int64_t *least, int64_t *most)
{
	*least = column->type == ATH_TYPE_INT16   ? INT16_MIN
		 : column->type == ATH_TYPE_INT32 ? INT32_MIN
						  : INT64_MIN;
	*most = column->type == ATH_TYPE_INT16   ? INT16_MAX
		: column->type == ATH_TYPE_INT32 ? INT32_MAX
						 : INT64_MAX;
	if (column->min != column->max) {
		*least = column->min > *least ? column->min : *least;
		*most = column->max < *most ? column->max : *most;
	}
}

static void take_integer(struct binding *binding, const struct ath_member *column,
			 const struct ath_json_token *token)
{
	int64_t least, most, value;

	integer_bounds(column, &least, &most);
	if (token->type != ATH_JSON_NUMBER || !ath_text_int64(raw(binding, token), &value) ||
	    value < least || value > most) {
		refuse(binding, ath_text(column->name), "must be an integer from %lld to %lld",
		       (long long)least, (long long)most);
		return;
	}
	if (column->type == ATH_TYPE_INT16)
		ath_member_set(column, binding->object, &(int16_t){ (int16_t)value });
	else if (column->type == ATH_TYPE_INT32)
		ath_member_set(column, binding->object, &(int32_t){ (int32_t)value });
	else
		ath_member_set(column, binding->object, &value);
}

static void take_double(struct binding *binding, const struct ath_member *column,
			const struct ath_json_token *token)
{
	struct ath_text text = raw(binding, token);
	const char *copy = NULL;
	double value = 0;

	if (token->type == ATH_JSON_NUMBER)
		copy = ath_arena_copy(binding->arena, text.data, text.length);
	if (copy != NULL)
		value = strtod(copy, NULL);
	if (copy == NULL || !isfinite(value))
		refuse(binding, ath_text(column->name), "must be a number");
	else if (column->min != column->max &&
		 (value < (double)column->min || value > (double)column->max))
		refuse(binding, ath_text(column->name), "must be a number from %lld to %lld",
		       (long long)column->min, (long long)column->max);
	else
		ath_member_set(column, binding->object, &value);
}

/* Exact, whether it comes as a number or as the text that goes out. */
static void take_decimal(struct binding *binding, const struct ath_member *column,
			 const struct ath_json_token *token)
{
	struct ath_text name = ath_text(column->name);
	struct ath_decimal value = { 0 }, least, most;

	if ((token->type != ATH_JSON_NUMBER && token->type != ATH_JSON_STRING) ||
	    !ath_decimal_parse(raw(binding, token), &value)) {
		refuse(binding, name, "must be a decimal number of at most %d digits",
		       ATH_DECIMAL_DIGITS);
		return;
	}
	least = ath_decimal_of(column->min, 0);
	most = ath_decimal_of(column->max, 0);
	if (value.scale > column->scale && !ath_decimal_rescale(&value, column->scale))
		refuse(binding, name, "must have at most %d digits behind the point",
		       column->scale);
	else if (ath_decimal_digits(value) - value.scale > column->precision - column->scale ||
		 !ath_decimal_rescale(&value, column->scale))
		refuse(binding, name, "must have at most %d digits before the point",
		       column->precision - column->scale);
	else if (column->min != column->max &&
		 (ath_decimal_compare(value, least) < 0 || ath_decimal_compare(value, most) > 0))
		refuse(binding, name, "must be a number from %lld to %lld", (long long)column->min,
		       (long long)column->max);
	else
		ath_member_set(column, binding->object, &value);
}

static void take_bool(struct binding *binding, const struct ath_member *column,
		      const struct ath_json_token *token)
{
	bool value = token->type == ATH_JSON_TRUE;

	if (token->type != ATH_JSON_TRUE && token->type != ATH_JSON_FALSE)
		refuse(binding, ath_text(column->name), "must be true or false");
	else
		ath_member_set(column, binding->object, &value);
}

static void take_timestamp(struct binding *binding, const struct ath_member *column,
			   const struct ath_json_token *token)
{
	struct ath_timestamp value;

	if (token->type != ATH_JSON_STRING || !ath_timestamp_parse(raw(binding, token), &value))
		refuse(binding, ath_text(column->name),
		       "must be a time such as \"2024-05-06T07:08:09Z\"");
	else
		ath_member_set(column, binding->object, &value);
}

static void take_date(struct binding *binding, const struct ath_member *column,
		      const struct ath_json_token *token)
{
	struct ath_date value;

	if (token->type != ATH_JSON_STRING || !ath_date_parse(raw(binding, token), &value))
		refuse(binding, ath_text(column->name), "must be a day such as \"2024-05-06\"");
	else
		ath_member_set(column, binding->object, &value);
}

/* All that there is to choose from, as far as it fits. */
static void refuse_value(struct binding *binding, const struct ath_member *column)
{
	struct ath_buffer list;

	ath_buffer_init(&list, binding->arena, 200);
	for (size_t i = 0; column->values[i] != NULL; i++)
		ath_buffer_printf(&list, "%s\"%s\"", i == 0 ? "" : ", ", column->values[i]);
	if (list.failed)
		refuse(binding, ath_text(column->name), "is none of its values");
	else
		refuse(binding, ath_text(column->name), "must be one of %s",
		       ath_buffer_c_string(&list));
}

static void take_enum(struct binding *binding, const struct ath_member *column,
		      const struct ath_json_token *token)
{
	struct ath_text text = { 0 };

	if (token->type == ATH_JSON_STRING)
		text = ath_json_string(binding->arena, binding->document, token);
	for (unsigned i = 0; text.data != NULL && column->values[i] != NULL; i++) {
		if (!ath_text_is(text, column->values[i]))
			continue;
		ath_member_set(column, binding->object, &i);
		return;
	}
	refuse_value(binding, column);
}

static void take_uuid(struct binding *binding, const struct ath_member *column,
		      const struct ath_json_token *token)
{
	struct ath_uuid value;

	if (token->type != ATH_JSON_STRING || !ath_uuid_parse(raw(binding, token), &value))
		refuse(binding, ath_text(column->name), "must be a UUID");
	else
		ath_member_set(column, binding->object, &value);
}

/* The database has no place for U+0000; an escaped backslash in front makes it plain text. */
static bool has_zero(const char *json)
{
	for (; *json != '\0'; json++) {
		if (*json != '\\')
			continue;
		if (strncmp(++json, "u0000", 5) == 0)
			return true;
	}
	return false;
}

/* What JSON there is, as it came. */
static void take_json(struct binding *binding, const struct ath_member *column,
		      const struct ath_json_token *token)
{
	struct ath_text text = raw(binding, token);
	const char *copy;

	if (token->type == ATH_JSON_STRING) /* with its quotes */
		text = (struct ath_text){ text.data - 1, text.length + 2 };
	copy = ath_arena_copy(binding->arena, text.data, text.length);

	if (copy == NULL)
		return; /* the arena remembers */
	if (has_zero(copy))
		refuse(binding, ath_text(column->name), "must not hold the character U+0000");
	else
		ath_member_set(column, binding->object, &copy);
}

static void take_bytes(struct binding *binding, const struct ath_member *column,
		       const struct ath_json_token *token)
{
	struct ath_text text = { 0 };
	struct ath_bytes value = { 0 };
	unsigned char *bytes = NULL;

	if (token->type == ATH_JSON_STRING)
		text = ath_json_string(binding->arena, binding->document, token);
	if (text.data != NULL)
		bytes = ath_arena_alloc(binding->arena, text.length / 4 * 3 + 3);
	if (token->type == ATH_JSON_STRING && bytes == NULL)
		return; /* the arena remembers */
	value.data = bytes;
	if (bytes == NULL || !ath_base64_decode(text, bytes, &value.length))
		refuse(binding, ath_text(column->name), "must be base64");
	else if (column->max_length > 0 && value.length > column->max_length)
		refuse(binding, ath_text(column->name), "must be at most %zu bytes long",
		       column->max_length);
	else
		ath_member_set(column, binding->object, &value);
}

/* ---- arrays --------------------------------------------------------------------------------- */

/* One element; false: it is not of the type. */
static bool take_element(struct binding *binding, enum ath_type type,
			 const struct ath_json_token *token, void *element)
{
	const char *copy;
	struct ath_text text;

	if (type == ATH_TYPE_INT64_ARRAY)
		return token->type == ATH_JSON_NUMBER &&
		       ath_text_int64(raw(binding, token), (int64_t *)element);
	if (token->type != ATH_JSON_STRING)
		return false;
	if (type == ATH_TYPE_UUID_ARRAY)
		return ath_uuid_parse(raw(binding, token), (struct ath_uuid *)element);
	text = ath_json_string(binding->arena, binding->document, token);
	copy = text.data == NULL ? NULL : ath_arena_copy(binding->arena, text.data, text.length);
	memcpy(element, &copy, sizeof copy);
	return copy != NULL && memchr(copy, '\0', text.length) == NULL;
}

static void take_array(struct binding *binding, const struct ath_member *column,
		       const struct ath_json_token *token)
{
	const struct ath_json_token *tokens = binding->document->tokens;
	uint32_t own = (uint32_t)(token - tokens), count = 0;
	size_t size = column->type == ATH_TYPE_UUID_ARRAY ? sizeof(struct ath_uuid) : 8;
	char *items = NULL;
	bool good = token->type == ATH_JSON_ARRAY;

	if (good) {
		items = ath_arena_zalloc(binding->arena, token->next - own, size);
		if (items == NULL)
			return; /* the arena remembers */
		for (uint32_t at = own + 1; good && at < token->next; at = tokens[at].next)
			good = take_element(binding, column->type, &tokens[at],
					    items + size * count++);
	}
	if (good)
		ath_member_set(
			column, binding->object,
			&(struct ath_text_array){ (const char *const *)(void *)items, count });
	else if (!ath_arena_failed(binding->arena))
		refuse(binding, ath_text(column->name), "must be a list of %s",
		       column->type == ATH_TYPE_UUID_ARRAY    ? "UUIDs"
		       : column->type == ATH_TYPE_INT64_ARRAY ? "integers"
							      : "strings");
}

static void take_value(struct binding *binding, const struct ath_member *column,
		       const struct ath_json_token *token)
{
	static void (*const takers[])(struct binding *, const struct ath_member *,
				      const struct ath_json_token *) = {
		[ATH_TYPE_TEXT] = take_text,           [ATH_TYPE_BOOL] = take_bool,
		[ATH_TYPE_INT16] = take_integer,       [ATH_TYPE_INT32] = take_integer,
		[ATH_TYPE_INT64] = take_integer,       [ATH_TYPE_DOUBLE] = take_double,
		[ATH_TYPE_TIMESTAMP] = take_timestamp, [ATH_TYPE_UUID] = take_uuid,
		[ATH_TYPE_DATE] = take_date,           [ATH_TYPE_DECIMAL] = take_decimal,
		[ATH_TYPE_ENUM] = take_enum,           [ATH_TYPE_JSON] = take_json,
		[ATH_TYPE_BYTES] = take_bytes,         [ATH_TYPE_TEXT_ARRAY] = take_array,
		[ATH_TYPE_INT64_ARRAY] = take_array,   [ATH_TYPE_UUID_ARRAY] = take_array,
	};

	if (token->type != ATH_JSON_NULL)
		takers[column->type](binding, column, token);
	else if (ath_column_is_nullable(column))
		ath_member_set_null(column, binding->object);
	else
		refuse(binding, ath_text(column->name), "must not be null");
}

/* ---- the object ---------------------------------------------------------------------------- */

static const struct ath_member *column_named(const struct ath_model *model, struct ath_text name)
{
	for (size_t i = 0; i < model->member_count; i++)
		if (model->members[i].kind == ATH_MEMBER_COLUMN &&
		    ath_text_is(name, model->members[i].name))
			return &model->members[i];
	return NULL;
}

/* A key that the database gives, or that a row is known by, is not the client's to set. */
static bool is_settable(const struct binding *binding, const struct ath_member *column)
{
	if (ath_column_is_read_only(column) || column->version || column->update_function != NULL)
		return false;
	return !column->primary_key ||
	       (binding->mode == ATH_BIND_NEW && !ath_column_is_filled(binding->model, column));
}

static void take_member(struct binding *binding, const struct ath_json_token *name,
			const struct ath_json_token *value)
{
	struct ath_text text = ath_json_string(binding->arena, binding->document, name);
	const struct ath_member *column;

	if (text.data == NULL)
		return;
	column = column_named(binding->model, text);
	if (column == NULL)
		refuse(binding, text, "is not known here");
	else if (!is_settable(binding, column))
		refuse(binding, text, "cannot be set");
	else
		take_value(binding, column, value);
}

static bool has_default(const struct ath_member *column)
{
	return column->version || column->default_value != NULL ||
	       column->default_function != NULL || column->update_function != NULL;
}

static void require_members(struct binding *binding)
{
	const struct ath_json_token *object = &binding->document->tokens[0];

	for (size_t i = 0; i < binding->model->member_count; i++) {
		const struct ath_member *member = &binding->model->members[i];

		if (member->kind == ATH_MEMBER_COLUMN && !ath_column_is_nullable(member) &&
		    !ath_column_is_filled(binding->model, member) && !has_default(member) &&
		    ath_json_member(binding->document, object, member->name) == NULL)
			refuse(binding, ath_text(member->name), "is required");
	}
}

const struct ath_violation *ath_json_to_row(struct ath_arena *arena,
					    const struct ath_json_document *document,
					    const struct ath_model *model, enum ath_bind_mode mode,
					    void *object)
{
	struct binding binding = {
		.arena = arena, .document = document, .model = model, .mode = mode, .object = object
	};
	const struct ath_json_token *tokens = document->tokens;

	binding.tail = &binding.first;
	if (tokens[0].type != ATH_JSON_OBJECT) {
		struct ath_violation *violation = ath_new(arena, struct ath_violation, 1);

		if (violation != NULL)
			*violation = (struct ath_violation){ .pointer = "",
							     .detail = "must be an object" };
		return violation;
	}
	for (uint32_t at = 1; at < tokens[0].next; at = tokens[at + 1].next)
		take_member(&binding, &tokens[at], &tokens[at + 1]);
	if (mode == ATH_BIND_NEW)
		require_members(&binding);
	return binding.first;
}
