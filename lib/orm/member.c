/* member.c - one member of one row: read, compared, set, by what its column says. */
#include "orm/internal.h"

/* The value of each type, read from where it stands. */
static struct ath_value read_scalar(enum ath_type type, const void *at)
{
	switch (type) {
	case ATH_TYPE_TEXT:
		return ath_value_text(*(const char *const *)at);
#define X(type_, c_type, name)                                                                     \
	case ATH_TYPE_##type_:                                                                     \
		return ath_value_##name(*(const c_type *)at);
		ATH_SCALAR_MAP(X)
#undef X
	}
	return (struct ath_value){ .null = true };
}

/* A nullable struct has its value first, and the flag behind it. */
static bool *valid_flag(enum ath_type type, void *member)
{
	switch (type) {
#define X(type_, c_type, name)                                                                     \
	case ATH_TYPE_##type_:                                                                     \
		return &((struct ath_null_##name *)member)->valid;
		ATH_SCALAR_MAP(X)
#undef X
	case ATH_TYPE_TEXT:
		break;
	}
	return NULL;
}

static size_t scalar_size(enum ath_type type)
{
	switch (type) {
#define X(type_, c_type, name)                                                                     \
	case ATH_TYPE_##type_:                                                                     \
		return sizeof(c_type);
		ATH_SCALAR_MAP(X)
#undef X
	case ATH_TYPE_TEXT:
		break;
	}
	return sizeof(char *);
}

struct ath_value ath_member_get(const struct ath_member *column, const void *object)
{
	const char *at = (const char *)object + column->offset;
	struct ath_value value = read_scalar(column->type, at);

	if (column->nullable_struct && !*valid_flag(column->type, (void *)(uintptr_t)at))
		value.null = true;
	return value;
}

bool ath_member_is_unset(const struct ath_member *column, const void *object)
{
	static const char zero[16];
	const char *at = (const char *)object + column->offset;

	if (column->nullable_struct)
		return !*valid_flag(column->type, (void *)(uintptr_t)at);
	return memcmp(at, zero, scalar_size(column->type)) == 0;
}

bool ath_member_equal(const struct ath_member *column, const void *a, const void *b)
{
	struct ath_value left = ath_member_get(column, a), right = ath_member_get(column, b);

	if (left.null || right.null)
		return left.null == right.null;
	if (column->type == ATH_TYPE_TEXT)
		return left.as.text == right.as.text || strcmp(left.as.text, right.as.text) == 0;
	return memcmp((const char *)a + column->offset, (const char *)b + column->offset,
		      scalar_size(column->type)) == 0;
}

/* What the database fills in is never sent, whatever stands in the object. */
bool ath_column_is_changed(const struct ath_member *member, const void *object, const void *old)
{
	return member->kind == ATH_MEMBER_COLUMN && !(member->read_only && !member->primary_key) &&
	       !ath_member_equal(member, object, old);
}

void ath_member_set_null(const struct ath_member *column, void *object)
{
	memset((char *)object + column->offset, 0, column->size);
}

void ath_member_set(const struct ath_member *column, void *object, const void *value)
{
	char *at = (char *)object + column->offset;

	memcpy(at, value, scalar_size(column->type));
	if (column->nullable_struct)
		*valid_flag(column->type, at) = true;
}
