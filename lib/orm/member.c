/* member.c - one member of one row: read, compared, set, by what its column says. */
#include "base/internal.h"
#include "orm/internal.h"

/* The value of each type, read from where it stands. */
static struct ath_value read_value(enum ath_type type, const void *at)
{
	switch (type) {
#define X(type_, c_type, name)                                                                     \
	case ATH_TYPE_##type_:                                                                     \
		return ath_value_##name(*(c_type const *)at);
		ATH_POINTER_MAP(X)
		ATH_SCALAR_MAP(X)
#undef X
	}
	return (struct ath_value){ .null = true };
}

struct ath_value ath_member_get(const struct ath_member *column, const void *object)
{
	const char *at = (const char *)object + column->offset;
	struct ath_value value = read_value(column->type, at);

	if (column->nullable_struct)
		value.null = !*(const bool *)(at + ath_type_flag(column->type));
	/* where there is no NULL, no bytes and no elements are just none */
	else if (!column->nullable && (value.array || value.type == ATH_TYPE_BYTES))
		value.null = false;
	return value;
}

/* ---- enums: numbers here, texts there ------------------------------------------------------- */

static const char *text_of(const struct ath_member *column, int64_t number)
{
	for (int64_t i = 0; column->values[i] != NULL; i++)
		if (i == number)
			return column->values[i];
	return NULL;
}

static bool texts_of(const struct ath_member *column, struct ath_arena *arena,
		     struct ath_value *array)
{
	const char **texts = ath_new(arena, const char *, array->count);

	for (size_t i = 0; texts != NULL && i < array->count; i++) {
		texts[i] = text_of(column, ath_value_item(array, i).as.integer);
		if (texts[i] == NULL)
			return false;
	}
	*array = ath_array_text(texts, array->count);
	return texts != NULL;
}

bool ath_column_send(const struct ath_member *column, struct ath_arena *arena,
		     struct ath_value *value)
{
	if (value->type != ATH_TYPE_ENUM || value->null)
		return true;
	if (column->values == NULL)
		return false;
	if (value->array)
		return texts_of(column, arena, value);
	*value = ath_value_text(text_of(column, value->as.integer));
	return !value->null;
}

bool ath_member_send(const struct ath_member *column, const void *object, struct ath_value *value)
{
	*value = ath_member_get(column, object);
	return ath_column_send(column, NULL, value);
}

/* ---- comparing and setting ---------------------------------------------------------------- */

bool ath_member_is_unset(const struct ath_member *column, const void *object)
{
	static const char zero[sizeof(struct ath_decimal)];
	const char *at = (const char *)object + column->offset;

	if (column->nullable_struct)
		return !*(const bool *)(at + ath_type_flag(column->type));
	return memcmp(at, zero, ath_type_size(column->type)) == 0;
}

static bool same_array(const struct ath_value *a, const struct ath_value *b)
{
	if (a->count != b->count || a->count == 0 || a->as.items == b->as.items)
		return a->count == b->count;
	if (a->type != ATH_TYPE_TEXT)
		return memcmp(a->as.items, b->as.items, a->count * ath_type_size(a->type)) == 0;
	for (size_t i = 0; i < a->count; i++) {
		const char *left = ath_value_item(a, i).as.text, *right;

		right = ath_value_item(b, i).as.text;
		if (left == NULL || right == NULL ? left != right : strcmp(left, right) != 0)
			return false;
	}
	return true;
}

static bool same_value(const struct ath_value *a, const struct ath_value *b)
{
	if (a->array)
		return same_array(a, b);
	switch (a->type) {
	case ATH_TYPE_TEXT:
	case ATH_TYPE_JSON:
		return a->as.text == b->as.text || strcmp(a->as.text, b->as.text) == 0;
	case ATH_TYPE_BYTES:
		return a->as.bytes.length == b->as.bytes.length &&
		       (a->as.bytes.length == 0 ||
			memcmp(a->as.bytes.data, b->as.bytes.data, a->as.bytes.length) == 0);
	case ATH_TYPE_DECIMAL:
		return ath_decimal_compare(a->as.decimal, b->as.decimal) == 0;
	default:
		return false; /* the others have been compared byte by byte */
	}
}

size_t ath_member_compared(const struct ath_member *column)
{
	return column->nullable_struct ? ath_type_flag(column->type) + 1 : column->size;
}

bool ath_member_equal(const struct ath_member *column, const void *a, const void *b)
{
	struct ath_value left, right;

	if (memcmp((const char *)a + column->offset, (const char *)b + column->offset,
		   ath_member_compared(column)) == 0)
		return true;
	left = ath_member_get(column, a);
	right = ath_member_get(column, b);
	if (left.null || right.null)
		return left.null == right.null;
	/* the value alone, where there is a flag as well: behind a NULL may stand anything */
	if (column->nullable_struct &&
	    memcmp((const char *)a + column->offset, (const char *)b + column->offset,
		   ath_type_size(column->type)) == 0)
		return true;
	return same_value(&left, &right);
}

/* What the database fills in is never sent, whatever stands in the object. */
bool ath_column_is_changed(const struct ath_member *member, const void *object, const void *old)
{
	return member->kind == ATH_MEMBER_COLUMN &&
	       !(ath_column_is_read_only(member) && !member->primary_key) &&
	       !ath_member_equal(member, object, old);
}

void ath_member_set_null(const struct ath_member *column, void *object)
{
	memset((char *)object + column->offset, 0, column->size);
}

void ath_member_set(const struct ath_member *column, void *object, const void *value)
{
	char *at = (char *)object + column->offset;

	memcpy(at, value, ath_type_size(column->type));
	if (column->nullable_struct)
		*(bool *)(at + ath_type_flag(column->type)) = true;
}

void ath_member_copy(const struct ath_member *to, void *object, const struct ath_member *from,
		     const void *source)
{
	if (ath_member_get(from, source).null)
		ath_member_set_null(to, object);
	else
		ath_member_set(to, object, (const char *)source + from->offset);
}

void ath_columns_copy(const struct ath_model *model, void *to, const void *from)
{
	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (member->kind == ATH_MEMBER_COLUMN)
			memcpy((char *)to + member->offset, (const char *)from + member->offset,
			       member->size);
	}
}

/* ---- memory ------------------------------------------------------------------------------- */

bool ath_member_own(const struct ath_member *column, void *object, struct ath_arena *arena)
{
	struct ath_value value = ath_member_get(column, object);
	const void *data = value.as.text;
	size_t length;

	/* scalars stand in the object, and arrays are in the arena already */
	if (value.null || value.array || ath_type_flag(column->type) > 0)
		return true;
	length = column->type == ATH_TYPE_BYTES ? value.as.bytes.length : strlen(value.as.text);
	data = ath_arena_copy(arena, length == 0 ? "" : data, length);
	memcpy((char *)object + column->offset, &data, sizeof data); /* the pointer is the first */
	return data != NULL;
}

struct ath_any_list ath_relation_rows(const struct ath_member *relation, const void *object)
{
	const char *at = (const char *)object + relation->offset;
	struct ath_any_list list;

	if (relation->kind == ATH_MEMBER_HAS_MANY || relation->kind == ATH_MEMBER_MANY_TO_MANY) {
		memcpy(&list, at, sizeof list);
		return list;
	}
	list.items = *(void *const *)(const void *)at == NULL ? NULL : (void **)(uintptr_t)at;
	list.count = list.items != NULL;
	return list;
}
