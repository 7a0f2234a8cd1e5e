/* value.c - the makers of values. */
#include "db/db.h"

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

struct ath_value ath_value_uuid(struct ath_uuid value)
{
	return (struct ath_value){ .type = ATH_TYPE_UUID, .as.uuid = value };
}

struct ath_value ath_value_text(const char *value)
{
	return (struct ath_value){ .type = ATH_TYPE_TEXT, .null = value == NULL, .as.text = value };
}

struct ath_value ath_array_text(const char *const *items, size_t count)
{
	return (struct ath_value){
		.type = ATH_TYPE_TEXT, .array = true, .count = count, .as.items = items
	};
}

#define X(type_, c_type, name)                                                                     \
	struct ath_value ath_array_##name(const c_type *items, size_t count)                       \
	{                                                                                          \
		return (struct ath_value){                                                         \
			.type = ATH_TYPE_##type_, .array = true, .count = count, .as.items = items \
		};                                                                                 \
	}
ATH_SCALAR_MAP(X)
#undef X
