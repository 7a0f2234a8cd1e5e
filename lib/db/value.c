/* value.c - the makers of values. */
#include "db/internal.h"

struct ath_value ath_value_bool(bool value)
{
	return (struct ath_value){ .type = ATH_TYPE_BOOL, .as.boolean = value };
}

struct ath_value ath_value_int16(int16_t value)
{
	return (struct ath_value){ .type = ATH_TYPE_INT16, .as.integer = value };
}

struct ath_value ath_value_int32(int32_t value)
{
	return (struct ath_value){ .type = ATH_TYPE_INT32, .as.integer = value };
}

struct ath_value ath_value_int64(int64_t value)
{
	return (struct ath_value){ .type = ATH_TYPE_INT64, .as.integer = value };
}

struct ath_value ath_value_double(double value)
{
	return (struct ath_value){ .type = ATH_TYPE_DOUBLE, .as.real = value };
}

struct ath_value ath_value_timestamp(struct ath_timestamp value)
{
	return (struct ath_value){ .type = ATH_TYPE_TIMESTAMP, .as.timestamp = value };
}

struct ath_value ath_value_date(struct ath_date value)
{
	return (struct ath_value){ .type = ATH_TYPE_DATE, .as.date = value };
}

struct ath_value ath_value_decimal(struct ath_decimal value)
{
	return (struct ath_value){ .type = ATH_TYPE_DECIMAL, .as.decimal = value };
}

struct ath_value ath_value_enum(unsigned value)
{
	return (struct ath_value){ .type = ATH_TYPE_ENUM, .as.integer = value };
}

struct ath_value ath_value_uuid(struct ath_uuid value)
{
	return (struct ath_value){ .type = ATH_TYPE_UUID, .as.uuid = value };
}

struct ath_value ath_value_text(const char *value)
{
	return (struct ath_value){ .type = ATH_TYPE_TEXT, .null = value == NULL, .as.text = value };
}

struct ath_value ath_value_json(struct ath_json value)
{
	return (struct ath_value){ .type = ATH_TYPE_JSON,
				   .null = value.text == NULL,
				   .as.text = value.text };
}

struct ath_value ath_value_bytes(struct ath_bytes value)
{
	return (struct ath_value){ .type = ATH_TYPE_BYTES,
				   .null = value.data == NULL,
				   .as.bytes = value };
}

/* ---- arrays ----------------------------------------------------------------------------- */

static struct ath_value array_of(enum ath_type type, const void *items, size_t count)
{
	return (struct ath_value){
		.type = type, .array = true, .count = count, .as.list = { items, NULL }
	};
}

struct ath_value ath_array_text(const char *const *items, size_t count)
{
	return array_of(ATH_TYPE_TEXT, items, count);
}

#define X(type_, c_type, name)                                                                     \
	struct ath_value ath_array_##name(const c_type *items, size_t count)                       \
	{                                                                                          \
		return array_of(ATH_TYPE_##type_, items, count);                                   \
	}
ATH_SCALAR_MAP(X)
#undef X

#define X(name, element)                                                                           \
	struct ath_value ath_value_##name(struct ath_##name value)                                 \
	{                                                                                          \
		struct ath_value array = ath_array_##element(value.items, value.count);            \
                                                                                                   \
		array.null = value.items == NULL;                                                  \
		return array;                                                                      \
	}
X(text_array, text)
X(int64_array, int64)
X(uuid_array, uuid)
#undef X

const void *ath_value_place(const struct ath_value *array, size_t i)
{
	if (array->as.list.item != NULL)
		return array->as.list.item(array->as.items, i);
	return (const char *)array->as.items + i * ath_type_size(array->type);
}

struct ath_value ath_value_item(const struct ath_value *array, size_t i)
{
	const void *at = ath_value_place(array, i);

	if (at == NULL)
		return (struct ath_value){ .type = array->type, .null = true };
	switch (array->type) {
#define X(type_, c_type, name)                                                                     \
	case ATH_TYPE_##type_: {                                                                   \
		c_type value;                                                                      \
                                                                                                   \
		memcpy(&value, at, sizeof value);                                                  \
		return ath_value_##name(value);                                                    \
	}
		ATH_POINTER_MAP(X)
		ATH_SCALAR_MAP(X)
#undef X
	}
	return (struct ath_value){ .null = true };
}

size_t ath_type_size(enum ath_type type)
{
	switch (type) {
#define X(type_, c_type, name)                                                                     \
	case ATH_TYPE_##type_:                                                                     \
		return sizeof(c_type);
		ATH_POINTER_MAP(X)
		ATH_SCALAR_MAP(X)
#undef X
	}
	return 0;
}

/* A nullable struct has its value first, and the flag behind it. */
size_t ath_type_flag(enum ath_type type)
{
	switch (type) {
#define X(type_, c_type, name)                                                                     \
	case ATH_TYPE_##type_:                                                                     \
		return offsetof(struct ath_null_##name, valid);
		ATH_SCALAR_MAP(X)
#undef X
	default:
		return 0;
	}
}
