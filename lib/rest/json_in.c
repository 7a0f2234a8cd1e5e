/*
 * json_in.c - the members of a JSON object into the members of a struct, by the tokens of the
 * strict reader, so that integers stay exact; objects and lists of shapes with it. All that is
 * wrong is told at once.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "rest/internal.h"

/* As many are told as somebody reads: a large body could name more than memory holds. */
enum { MOST_VIOLATIONS = 100 };

/*
 * A name as it stands in a JSON Pointer: ~ and / are escaped (RFC 6901). U+0000, which a
 * C string cannot hold, is shown as U+FFFD, so that the pointer leads to no other member.
 */
static void put_name(struct ath_buffer *pointer, struct ath_text name)
{
	for (size_t i = 0; i < name.length; i++) {
		if (name.data[i] == '~')
			ath_buffer_append(pointer, "~0", 2);
		else if (name.data[i] == '/')
			ath_buffer_append(pointer, "~1", 2);
		else if (name.data[i] == '\0')
			ath_buffer_string(pointer, "\xef\xbf\xbd");
		else
			ath_buffer_append(pointer, &name.data[i], 1);
	}
}

/* As deep as the reader lets documents be. */
static void put_place(struct ath_buffer *pointer, const struct ath_place *place)
{
	if (place == NULL)
		return;
	put_place(pointer, place->outer);
	ath_buffer_append(pointer, "/", 1);
	if (place->name.data == NULL)
		ath_buffer_int64(pointer, (int64_t)place->index);
	else
		put_name(pointer, place->name);
}

bool ath_is_enough(const struct ath_violations *violations)
{
	return violations->count > MOST_VIOLATIONS;
}

static void add_violation(struct ath_binding *binding, const struct ath_place *place,
			  const char *what, const char *detail)
{
	struct ath_violations *violations = binding->violations;
	struct ath_violation *violation = ath_new(binding->arena, struct ath_violation, 1);
	struct ath_buffer pointer;

	if (violation == NULL)
		return;
	ath_buffer_init(&pointer, binding->arena, SIZE_MAX);
	put_place(&pointer, place);
	violation->pointer = ath_buffer_c_string(&pointer);
	violation->detail = ath_arena_printf(binding->arena, "%s%s", what, detail);
	if (violation->detail == NULL)
		return;
	*violations->tail = violation;
	violations->tail = &violation->next;
}

static void refuse_at(struct ath_binding *binding, const struct ath_place *place,
		      const char *detail)
{
	if (ath_is_enough(binding->violations))
		return;
	if (binding->violations->count++ < MOST_VIOLATIONS)
		add_violation(binding, place, binding->what, detail);
	else
		add_violation(binding, NULL, "", "there is more: only the first 100 are told");
}

void ath_refuse(struct ath_binding *binding, struct ath_text name, const char *format, ...)
{
	const struct ath_place place = { .outer = binding->place, .name = name };
	char detail[256];
	va_list args;

	va_start(args, format);
	vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	refuse_at(binding, &place, detail);
}

/* ---- one value of each type --------------------------------------------------------------- */

static struct ath_text raw(const struct ath_binding *binding, const struct ath_json_token *token)
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

static void take_text(struct ath_binding *binding, const struct ath_member *column,
		      const struct ath_json_token *token)
{
	struct ath_text name = ath_text(column->name), text;
	size_t length;
	char *copy;

	if (token->type != ATH_JSON_STRING) {
		ath_refuse(binding, name, "must be a string");
		return;
	}
	text = ath_json_string(binding->arena, binding->document, token);
	copy = text.data == NULL ? NULL : ath_arena_copy(binding->arena, text.data, text.length);
	if (copy == NULL)
		return; /* the arena remembers */
	length = ath_utf8_length(text.data, text.length);
	if (memchr(copy, '\0', text.length) != NULL)
		ath_refuse(binding, name, "must not hold the character U+0000");
	else if (column->max_length > 0 && length > column->max_length)
		ath_refuse(binding, name, "must be at most %zu characters long",
			   column->max_length);
	else if (length < column->min_length)
		ath_refuse(binding, name, "must be at least %zu characters long",
			   column->min_length);
	else if (column->format == ATH_EMAIL && !is_email(text))
		ath_refuse(binding, name, "must be an email address");
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

static void take_integer(struct ath_binding *binding, const struct ath_member *column,
			 const struct ath_json_token *token)
{
	int64_t least, most, value;

	integer_bounds(column, &least, &most);
	if (token->type != ATH_JSON_NUMBER || !ath_text_int64(raw(binding, token), &value) ||
	    value < least || value > most) {
		ath_refuse(binding, ath_text(column->name), "must be an integer from %lld to %lld",
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

static void take_double(struct ath_binding *binding, const struct ath_member *column,
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
		ath_refuse(binding, ath_text(column->name), "must be a number");
	else if (column->min != column->max &&
		 (value < (double)column->min || value > (double)column->max))
		ath_refuse(binding, ath_text(column->name), "must be a number from %lld to %lld",
			   (long long)column->min, (long long)column->max);
	else
		ath_member_set(column, binding->object, &value);
}

/* Exact, whether it comes as a number or as the text that goes out. */
static void take_decimal(struct ath_binding *binding, const struct ath_member *column,
			 const struct ath_json_token *token)
{
	struct ath_text name = ath_text(column->name);
	struct ath_decimal value = { 0 }, least, most;

	if ((token->type != ATH_JSON_NUMBER && token->type != ATH_JSON_STRING) ||
	    !ath_decimal_parse(raw(binding, token), &value)) {
		ath_refuse(binding, name, "must be a decimal number of at most %d digits",
			   ATH_DECIMAL_DIGITS);
		return;
	}
	least = ath_decimal_of(column->min, 0);
	most = ath_decimal_of(column->max, 0);
	if (value.scale > column->scale && !ath_decimal_rescale(&value, column->scale))
		ath_refuse(binding, name, "must have at most %d digits behind the point",
			   column->scale);
	else if (ath_decimal_digits(value) - value.scale > column->precision - column->scale ||
		 !ath_decimal_rescale(&value, column->scale))
		ath_refuse(binding, name, "must have at most %d digits before the point",
			   column->precision - column->scale);
	else if (column->min != column->max &&
		 (ath_decimal_compare(value, least) < 0 || ath_decimal_compare(value, most) > 0))
		ath_refuse(binding, name, "must be a number from %lld to %lld",
			   (long long)column->min, (long long)column->max);
	else
		ath_member_set(column, binding->object, &value);
}

static void take_bool(struct ath_binding *binding, const struct ath_member *column,
		      const struct ath_json_token *token)
{
	bool value = token->type == ATH_JSON_TRUE;

	if (token->type != ATH_JSON_TRUE && token->type != ATH_JSON_FALSE)
		ath_refuse(binding, ath_text(column->name), "must be true or false");
	else
		ath_member_set(column, binding->object, &value);
}

static void take_timestamp(struct ath_binding *binding, const struct ath_member *column,
			   const struct ath_json_token *token)
{
	struct ath_timestamp value;

	if (token->type != ATH_JSON_STRING || !ath_timestamp_parse(raw(binding, token), &value))
		ath_refuse(binding, ath_text(column->name),
			   "must be a time such as \"2024-05-06T07:08:09Z\"");
	else
		ath_member_set(column, binding->object, &value);
}

static void take_date(struct ath_binding *binding, const struct ath_member *column,
		      const struct ath_json_token *token)
{
	struct ath_date value;

	if (token->type != ATH_JSON_STRING || !ath_date_parse(raw(binding, token), &value))
		ath_refuse(binding, ath_text(column->name), "must be a day such as \"2024-05-06\"");
	else
		ath_member_set(column, binding->object, &value);
}

/* All that there is to choose from, as far as it fits. */
static void refuse_value(struct ath_binding *binding, const struct ath_member *column)
{
	struct ath_buffer list;

	ath_buffer_init(&list, binding->arena, 200);
	for (size_t i = 0; column->values[i] != NULL; i++)
		ath_buffer_printf(&list, "%s\"%s\"", i == 0 ? "" : ", ", column->values[i]);
	if (list.failed)
		ath_refuse(binding, ath_text(column->name), "is none of its values");
	else
		ath_refuse(binding, ath_text(column->name), "must be one of %s",
			   ath_buffer_c_string(&list));
}

static void take_enum(struct ath_binding *binding, const struct ath_member *column,
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

static void take_uuid(struct ath_binding *binding, const struct ath_member *column,
		      const struct ath_json_token *token)
{
	struct ath_uuid value;

	if (token->type != ATH_JSON_STRING || !ath_uuid_parse(raw(binding, token), &value))
		ath_refuse(binding, ath_text(column->name), "must be a UUID");
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
static void take_json(struct ath_binding *binding, const struct ath_member *column,
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
		ath_refuse(binding, ath_text(column->name), "must not hold the character U+0000");
	else
		ath_member_set(column, binding->object, &copy);
}

static void take_bytes(struct ath_binding *binding, const struct ath_member *column,
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
		ath_refuse(binding, ath_text(column->name), "must be base64");
	else if (column->max_length > 0 && value.length > column->max_length)
		ath_refuse(binding, ath_text(column->name), "must be at most %zu bytes long",
			   column->max_length);
	else
		ath_member_set(column, binding->object, &value);
}

/* ---- arrays --------------------------------------------------------------------------------- */

/* One element; what is wrong with it, or NULL. */
static const char *take_element(struct ath_binding *binding, enum ath_type type,
				const struct ath_json_token *token, void *element)
{
	const char *copy;
	struct ath_text text;

	if (type == ATH_TYPE_INT64_ARRAY)
		return token->type == ATH_JSON_NUMBER &&
				       ath_text_int64(raw(binding, token), (int64_t *)element)
			       ? NULL
			       : "must be an integer of 64 bits";
	if (type == ATH_TYPE_UUID_ARRAY)
		return token->type == ATH_JSON_STRING && ath_uuid_parse(raw(binding, token),
									(struct ath_uuid *)element)
			       ? NULL
			       : "must be a UUID";
	if (token->type != ATH_JSON_STRING)
		return "must be a string";
	text = ath_json_string(binding->arena, binding->document, token);
	copy = text.data == NULL ? NULL : ath_arena_copy(binding->arena, text.data, text.length);
	memcpy(element, &copy, sizeof copy);
	return copy != NULL && memchr(copy, '\0', text.length) != NULL
		       ? "must not hold the character U+0000"
		       : NULL; /* without memory the arena remembers */
}

/* What a shape says nothing of may be as long as a page. */
enum { USUAL_ITEMS = 1000 };

/* Are there as many as the member asks for? */
static bool has_right_count(struct ath_binding *binding, const struct ath_member *member,
			    uint32_t count)
{
	size_t most = member->max_items > 0               ? member->max_items
		      : binding->model->kind == ATH_SHAPE ? USUAL_ITEMS
							  : SIZE_MAX;

	if (count < member->min_items)
		ath_refuse(binding, ath_text(member->name), "must have at least %zu items",
			   member->min_items);
	else if (count > most)
		ath_refuse(binding, ath_text(member->name), "must have at most %zu items", most);
	else
		return true;
	return false;
}

static void refuse_array(struct ath_binding *binding, const struct ath_member *column)
{
	ath_refuse(binding, ath_text(column->name), "must be a list of %s",
		   column->type == ATH_TYPE_UUID_ARRAY    ? "UUIDs"
		   : column->type == ATH_TYPE_INT64_ARRAY ? "integers"
							  : "strings");
}

static void take_array(struct ath_binding *binding, const struct ath_member *column,
		       const struct ath_json_token *token)
{
	const struct ath_place place = { .outer = binding->place, .name = ath_text(column->name) };
	const struct ath_json_token *tokens = binding->document->tokens;
	size_t size = column->type == ATH_TYPE_UUID_ARRAY ? sizeof(struct ath_uuid) : 8;
	size_t told = binding->violations->count;
	struct ath_place item = { .outer = &place };
	char *items;

	if (token->type != ATH_JSON_ARRAY) {
		refuse_array(binding, column);
		return;
	}
	if (!has_right_count(binding, column, token->count))
		return;
	items = ath_arena_zalloc(binding->arena, (size_t)token->count + 1, size);
	if (items == NULL)
		return; /* the arena remembers */
	for (const struct ath_json_token *each = token + 1;
	     each < tokens + token->next && !ath_is_enough(binding->violations);
	     each = tokens + each->next, item.index++) {
		const char *wrong =
			take_element(binding, column->type, each, items + size * item.index);

		if (wrong != NULL)
			refuse_at(binding, &item, wrong);
	}
	if (binding->violations->count == told && !ath_arena_failed(binding->arena))
		ath_member_set(column, binding->object,
			       &(struct ath_text_array){ (const char *const *)(void *)items,
							 token->count });
}

/* ---- objects and lists ----------------------------------------------------------------------- */

static void take_members(struct ath_binding *binding);

/*
 * Reads a token into an object of another model; what is wrong with it is told, and the object
 * stays as it is.
 */
static void take_inner(struct ath_binding *binding, const struct ath_model *model, void *object,
		       const struct ath_place *place, const struct ath_json_token *token)
{
	struct ath_binding inner = *binding;

	inner.source = token;
	inner.model = model;
	inner.object = object;
	inner.place = place;
	if (token->type != ATH_JSON_OBJECT)
		refuse_at(&inner, place, "must be an object");
	else
		take_members(&inner);
}

/* NULL: the arena remembers. */
static void *new_inner(struct ath_binding *binding, const struct ath_model *model)
{
	struct ath_error error = { 0 };
	void *object = ath_arena_zalloc(binding->arena, 1, ath_model_extent(model));
	char *memory = object;

	/* without its defaults it is as good as without memory: the request ends in 500 */
	if (object != NULL && ath_model_lay_out(model, &memory, &error) != ATH_OK)
		(void)ath_arena_beyond(binding->arena, 1);
	return object;
}

/* One that must be there is already: a handler may look into it, whatever the client sent. */
static void take_object(struct ath_binding *binding, const struct ath_member *member,
			const struct ath_json_token *token)
{
	const struct ath_place place = { .outer = binding->place, .name = ath_text(member->name) };
	char *at = (char *)binding->object + member->offset;
	void *object;

	memcpy(&object, at, sizeof object);
	if (object == NULL)
		object = new_inner(binding, member->target);
	if (object == NULL)
		return;
	memcpy(at, &object, sizeof object);
	take_inner(binding, member->target, object, &place, token);
}

static void take_list(struct ath_binding *binding, const struct ath_member *member,
		      const struct ath_json_token *token)
{
	const struct ath_place place = { .outer = binding->place, .name = ath_text(member->name) };
	const struct ath_json_token *tokens = binding->document->tokens;
	struct ath_place item = { .outer = &place };
	struct ath_any_list list = { 0 };

	if (token->type != ATH_JSON_ARRAY) {
		ath_refuse(binding, place.name, "must be a list");
		return;
	}
	if (!has_right_count(binding, member, token->count))
		return;
	list.items = ath_new(binding->arena, void *, (size_t)token->count + 1);
	if (list.items == NULL)
		return;
	for (const struct ath_json_token *each = token + 1;
	     each < tokens + token->next && !ath_is_enough(binding->violations);
	     each = tokens + each->next) {
		void *object = new_inner(binding, member->target);

		if (object == NULL)
			break;
		list.items[list.count++] = object;
		take_inner(binding, member->target, object, &item, each);
		item.index++;
	}
	memcpy((char *)binding->object + member->offset, &list, sizeof list);
}

/* ---- any value ----------------------------------------------------------------------------- */

void ath_bind_value(struct ath_binding *binding, const struct ath_member *member,
		    const struct ath_json_token *token)
{
	static void (*const takers[])(struct ath_binding *, const struct ath_member *,
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

	if (token->type == ATH_JSON_NULL && ath_column_is_nullable(member))
		ath_member_set_null(member, binding->object);
	else if (token->type == ATH_JSON_NULL)
		ath_refuse(binding, ath_text(member->name), "must not be null");
	else if (member->kind == ATH_MEMBER_OBJECT)
		take_object(binding, member, token);
	else if (member->kind == ATH_MEMBER_LIST)
		take_list(binding, member, token);
	else
		takers[member->type](binding, member, token);
}

/* ---- the object ---------------------------------------------------------------------------- */

/* Is it one that a client can name? */
static bool is_member(const struct ath_member *member)
{
	return member->kind == ATH_MEMBER_COLUMN || ath_member_is_nested(member);
}

const struct ath_member *ath_member_named(const struct ath_model *model, struct ath_text name)
{
	for (size_t i = 0; i < model->member_count; i++)
		if (is_member(&model->members[i]) && ath_text_is(name, model->members[i].name))
			return &model->members[i];
	return NULL;
}

void ath_bind_unknown(struct ath_binding *binding, struct ath_text name)
{
	for (size_t i = 0; i < binding->model->member_count; i++)
		if (binding->model->members[i].kind == ATH_MEMBER_IGNORE_UNKNOWN)
			return;
	ath_refuse(binding, name, "is not known here");
}

/* A key that the database gives, or that a row is known by, is not the client's to set. */
static bool is_settable(const struct ath_binding *binding, const struct ath_member *column)
{
	if (ath_column_is_read_only(column) || column->version || column->update_function != NULL)
		return false;
	return !column->primary_key ||
	       (binding->mode == ATH_BIND_NEW && !ath_column_is_filled(binding->model, column));
}

static void take_member(struct ath_binding *binding, const struct ath_json_token *name,
			const struct ath_json_token *value)
{
	struct ath_text text = ath_json_string(binding->arena, binding->document, name);
	const struct ath_member *member;

	if (text.data == NULL)
		return;
	member = ath_member_named(binding->model, text);
	if (member == NULL)
		ath_bind_unknown(binding, text);
	else if (!is_settable(binding, member))
		ath_refuse(binding, text, "cannot be set");
	else
		ath_bind_value(binding, member, value);
}

static bool has_default(const struct ath_member *column)
{
	return column->version || column->default_value != NULL ||
	       column->default_function != NULL || column->update_function != NULL;
}

void ath_bind_missing(struct ath_binding *binding, const struct ath_member *member)
{
	if (is_member(member) && !ath_column_is_nullable(member) &&
	    !ath_column_is_filled(binding->model, member) && !has_default(member))
		ath_refuse(binding, ath_text(member->name), "is required");
}

static void take_members(struct ath_binding *binding)
{
	const struct ath_json_token *tokens = binding->document->tokens;
	const struct ath_json_token *end = tokens + binding->source->next;

	for (const struct ath_json_token *name = binding->source + 1;
	     name < end && !ath_is_enough(binding->violations); name = tokens + name[1].next)
		take_member(binding, name, name + 1);
	for (size_t i = 0; binding->mode == ATH_BIND_NEW && i < binding->model->member_count; i++) {
		const struct ath_member *member = &binding->model->members[i];

		if (is_member(member) &&
		    ath_json_member(binding->document, binding->source, member->name) == NULL)
			ath_bind_missing(binding, member);
	}
}

const struct ath_violation *ath_json_to_row(struct ath_arena *arena,
					    const struct ath_json_document *document,
					    const struct ath_model *model, enum ath_bind_mode mode,
					    void *object)
{
	struct ath_violations violations = { .tail = &violations.first };
	struct ath_binding binding = { .arena = arena,
				       .violations = &violations,
				       .document = document,
				       .mode = mode,
				       .what = "" };

	take_inner(&binding, model, object, NULL, document->tokens);
	return violations.first;
}
