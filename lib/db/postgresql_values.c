/*
 * postgresql_values.c - values in PostgreSQL's binary form.
 *
 * Numbers are big-endian; moments and days count from 2000-01-01; a numeric is groups of four
 * digits. Text and JSON go as text of no type, so that the server gives them the type of their
 * place.
 */
#include "db/postgresql_values.h"
#include "base/internal.h"
#include "db/internal.h"

/* the same in days */
static const int64_t epoch_days = 10957;

enum {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_JSON = 114,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_UNKNOWN = 705,
	OID_TEXT_ARRAY = 1009,
	OID_VARCHAR_ARRAY = 1015,
	OID_INT8_ARRAY = 1016,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_DATE = 1082,
	OID_TIMESTAMPTZ = 1184,
	OID_NUMERIC = 1700,
	OID_UUID = 2950,
	OID_UUID_ARRAY = 2951,
	OID_JSONB = 3802,
	FIRST_USER_OID = 16384,
};

/* As parameters, alone and in an array. */
static const struct {
	uint32_t scalar, array;
} oids[] = {
	[ATH_TYPE_TEXT] = { 0, OID_TEXT_ARRAY },
	[ATH_TYPE_JSON] = { 0, 3807 },
	[ATH_TYPE_BYTES] = { OID_BYTEA, 1001 },
	[ATH_TYPE_BOOL] = { OID_BOOL, 1000 },
	[ATH_TYPE_INT16] = { OID_INT2, 1005 },
	[ATH_TYPE_INT32] = { OID_INT4, 1007 },
	[ATH_TYPE_INT64] = { OID_INT8, OID_INT8_ARRAY },
	[ATH_TYPE_DOUBLE] = { OID_FLOAT8, 1022 },
	[ATH_TYPE_TIMESTAMP] = { OID_TIMESTAMPTZ, 1185 },
	[ATH_TYPE_DATE] = { OID_DATE, 1182 },
	[ATH_TYPE_DECIMAL] = { OID_NUMERIC, 1231 },
	[ATH_TYPE_UUID] = { OID_UUID, OID_UUID_ARRAY },
};

uint32_t ath_pg_oid(const struct ath_value *value)
{
	return value->array ? oids[value->type].array : oids[value->type].scalar;
}

/* ---- numeric ---------------------------------------------------------------------------- */

enum { NUMERIC_NEGATIVE = 0x4000, GROUP = 10000, MAX_NUMERIC = 8 + 2 * 12 };

static char *put_int16(char *out, int64_t value)
{
	memcpy(out, &(uint16_t){ htobe16((uint16_t)value) }, 2);
	return out + 2;
}

/* Groups of four digits, counted from the point to both sides. */
static int put_numeric(struct ath_decimal value, char *out)
{
	ath_int128 left = ath_decimal_coefficient(value);
	bool negative = left < 0;
	int64_t behind = (value.scale + 3) / 4, count = 0;
	int groups[12], partial = (int)(value.scale % 4);
	char *at = out;

	left = negative ? -left : left;
	if (partial > 0) { /* the last group behind the point is filled with zeros */
		static const int units[] = { 1, 10, 100, 1000 };

		groups[count++] = (int)(left % units[partial]) * units[4 - partial];
		left /= units[partial];
	}
	for (; left > 0; left /= GROUP)
		groups[count++] = (int)(left % GROUP);
	at = put_int16(at, count);
	at = put_int16(at, count - behind - 1);
	at = put_int16(at, negative ? NUMERIC_NEGATIVE : 0);
	at = put_int16(at, value.scale);
	while (count > 0)
		at = put_int16(at, groups[--count]);
	return (int)(at - out);
}

static int64_t get_int16(const char *bytes)
{
	uint16_t two;

	memcpy(&two, bytes, 2);
	return (int16_t)be16toh(two);
}

/* Takes one group in, of which only so many digits count; false: more than 38 digits. */
static bool take_group(ath_int128 *coefficient, int64_t group, int64_t digits)
{
	const ath_int128 most = (ath_int128)1000000000000000000 * 10000000000000000000U; /* 10^37 */

	if (group < 0 || group >= GROUP)
		return false;
	for (int64_t drop = digits; drop < 4; drop++)
		group /= 10;
	for (; digits > 0; digits--) {
		if (*coefficient >= most)
			return false;
		*coefficient *= 10;
	}
	*coefficient += group;
	return true;
}

static bool get_numeric(const char *bytes, int length, struct ath_decimal *value)
{
	int64_t groups, weight, sign, scale, left;
	ath_int128 coefficient = 0;

	if (length < 8)
		return false;
	groups = get_int16(bytes);
	weight = get_int16(bytes + 2);
	sign = get_int16(bytes + 4);
	scale = get_int16(bytes + 6);
	if (groups < 0 || length < 8 + 2 * groups || (sign != 0 && sign != NUMERIC_NEGATIVE))
		return false;            /* NaN and the infinities are no decimals */
	left = (weight + 1) * 4 + scale; /* digits that count, from the first group on */
	for (int64_t i = 0; left > 0; i++, left -= 4)
		if (!take_group(&coefficient, i < groups ? get_int16(bytes + 8 + 2 * i) : 0,
				left < 4 ? left : 4))
			return false;
	return ath_decimal_make(sign == 0 ? coefficient : -coefficient, scale, value);
}

/* ---- parameters ----------------------------------------------------------------------------- */

static bool to_server_time(struct ath_timestamp moment, int64_t *value)
{
	*value = moment.microseconds;
	if (*value == INT64_MIN || *value == INT64_MAX)
		return true;
	return !__builtin_sub_overflow(*value, ATH_PG_EPOCH, value) && *value != INT64_MIN;
}

static bool to_server_date(struct ath_date date, int32_t *value)
{
	*value = date.days;
	if (*value == INT32_MIN || *value == INT32_MAX)
		return true;
	return !__builtin_sub_overflow(*value, (int32_t)epoch_days, value) && *value != INT32_MIN;
}

/* Puts one value of a scalar type in network order at out; returns its length, -1: no. */
static int put_scalar(const struct ath_value *value, char *out)
{
	uint64_t bits = (uint64_t)value->as.integer;
	struct ath_decimal decimal;
	int64_t moment;
	int32_t day;

	switch (value->type) {
	case ATH_TYPE_BOOL:
		*out = (char)value->as.boolean;
		return 1;
	case ATH_TYPE_INT16:
		put_int16(out, value->as.integer);
		return 2;
	case ATH_TYPE_INT32:
		memcpy(out, &(uint32_t){ htobe32((uint32_t)bits) }, 4);
		return 4;
	case ATH_TYPE_DATE:
		if (!to_server_date(value->as.date, &day))
			return -1;
		memcpy(out, &(uint32_t){ htobe32((uint32_t)day) }, 4);
		return 4;
	case ATH_TYPE_TIMESTAMP:
		if (!to_server_time(value->as.timestamp, &moment))
			return -1;
		memcpy(out, &(uint64_t){ htobe64((uint64_t)moment) }, 8);
		return 8;
	case ATH_TYPE_DOUBLE:
		memcpy(&bits, &value->as.real, sizeof bits);
		/* fall through */
	case ATH_TYPE_INT64:
		memcpy(out, &(uint64_t){ htobe64(bits) }, 8);
		return 8;
	case ATH_TYPE_UUID:
		memcpy(out, value->as.uuid.bytes, 16);
		return 16;
	case ATH_TYPE_DECIMAL:
		if (!ath_decimal_make(ath_decimal_coefficient(value->as.decimal),
				      value->as.decimal.scale, &decimal))
			return -1;
		return put_numeric(decimal, out);
	default:
		return -1;
	}
}

static void put_int32(struct ath_buffer *out, int64_t value)
{
	uint32_t bytes = htobe32((uint32_t)value);

	ath_buffer_append(out, &bytes, sizeof bytes);
}

/* Length and bytes of one element. */
static bool put_item(const struct ath_value *item, struct ath_buffer *out)
{
	char scalar[MAX_NUMERIC];
	const void *bytes = scalar;
	int64_t length = -1;

	if (item->null)
		; /* a length below zero says it */
	else if (item->type == ATH_TYPE_TEXT || item->type == ATH_TYPE_JSON)
		length = (int64_t)strlen(bytes = item->as.text);
	else if (item->type == ATH_TYPE_BYTES)
		bytes = item->as.bytes.data, length = (int64_t)item->as.bytes.length;
	else if ((length = put_scalar(item, scalar)) < 0)
		return false;
	put_int32(out, length + (length >= 0 && item->type == ATH_TYPE_JSON));
	if (length >= 0 && item->type == ATH_TYPE_JSON)
		ath_buffer_append(out, "\1", 1); /* jsonb's version */
	if (length > 0)
		ath_buffer_append(out, bytes, (size_t)length);
	return true;
}

static bool put_texts(const struct ath_value *array, struct ath_buffer *out)
{
	enum { PERHAPS = 12 }; /* bytes: a guess saves the first times that the buffer grows */

	if (array->count < INT32_MAX / (4 + PERHAPS))
		ath_buffer_reserve(out, array->count * (4 + PERHAPS));
	for (size_t i = 0; i < array->count; i++) {
		const char *const *place = ath_value_place(array, i);
		const char *text = place == NULL ? NULL : *place;
		size_t length = text == NULL ? 0 : strlen(text);
		uint32_t head = htobe32(text == NULL ? UINT32_MAX : (uint32_t)length);
		char *at = length > INT32_MAX ? NULL : ath_buffer_reserve(out, 4 + length);

		if (at == NULL)
			return false;
		memcpy(at, &head, 4);
		if (length > 0)
			memcpy(at + 4, text, length);
		out->length += 4 + length;
	}
	return true;
}

static bool put_times(const struct ath_value *array, struct ath_buffer *out)
{
	char *at = array->count > INT32_MAX ? NULL : ath_buffer_reserve(out, array->count * 12);

	for (size_t i = 0; at != NULL && i < array->count; i++) {
		const struct ath_timestamp *place = ath_value_place(array, i);
		uint32_t length = htobe32(place == NULL ? UINT32_MAX : 8);
		int64_t moment;

		memcpy(at, &length, 4);
		at += 4;
		if (place == NULL)
			continue;
		if (!to_server_time(*place, &moment))
			return false;
		memcpy(at, &(uint64_t){ htobe64((uint64_t)moment) }, 8);
		at += 8;
	}
	if (at != NULL)
		out->length = (size_t)(at - out->data);
	return at != NULL;
}

/* Elements of so many bytes, as they lie in memory, but in network order. */
static inline bool put_fixed(const struct ath_value *array, struct ath_buffer *out, size_t size)
{
	char *at = array->count > INT32_MAX ? NULL
					    : ath_buffer_reserve(out, array->count * (4 + size));
	for (size_t i = 0; at != NULL && i < array->count; i++) {
		const void *place = ath_value_place(array, i);
		uint32_t length = htobe32(place == NULL ? UINT32_MAX : (uint32_t)size), four;
		uint64_t eight;

		memcpy(at, &length, 4);
		at += 4;
		if (place == NULL)
			continue;
		if (size == 4) {
			memcpy(&four, place, 4);
			four = htobe32(four);
			memcpy(at, &four, 4);
		} else {
			memcpy(&eight, place, 8);
			eight = htobe64(eight);
			memcpy(at, &eight, 8);
		}
		at += size;
	}
	if (at != NULL)
		out->length = (size_t)(at - out->data);
	return at != NULL;
}

static bool put_items(const struct ath_value *array, struct ath_buffer *out)
{
	switch (array->type) {
	case ATH_TYPE_TEXT:
		return put_texts(array, out);
	case ATH_TYPE_TIMESTAMP:
		return put_times(array, out);
	case ATH_TYPE_INT32:
		return put_fixed(array, out, 4);
	case ATH_TYPE_INT64:
	case ATH_TYPE_DOUBLE:
		return put_fixed(array, out, 8);
	default:
		break;
	}
	for (size_t i = 0; i < array->count; i++) {
		struct ath_value item = ath_value_item(array, i);

		if (!put_item(&item, out))
			return false;
	}
	return true;
}

/* The binary form: dimensions, whether NULLs occur, the type; length and bytes of each item. */
static bool put_array(const struct ath_value *array, struct ath_buffer *out)
{
	static const uint32_t jsonb = OID_JSONB, text = OID_TEXT;
	uint32_t oid = oids[array->type].scalar;

	put_int32(out, array->count > 0);
	put_int32(out, 1);
	put_int32(out, oid != 0 ? oid : array->type == ATH_TYPE_JSON ? jsonb : text);
	if (array->count > 0) {
		put_int32(out, (int64_t)array->count);
		put_int32(out, 1); /* PostgreSQL counts from one */
	}
	return put_items(array, out) && !out->failed && array->count <= INT32_MAX &&
	       out->length <= INT32_MAX;
}

static enum ath_status encode_array(const struct ath_value *value, struct ath_arena *arena,
				    struct ath_pg_argument *argument)
{
	struct ath_buffer bytes;

	ath_buffer_init(&bytes, arena, SIZE_MAX);
	if (!put_array(value, &bytes))
		return ath_arena_failed(arena) ? ATH_ENOMEM : ATH_ERULE;
	argument->bytes = bytes.data;
	argument->length = (int)bytes.length;
	return ATH_OK;
}

enum ath_status ath_pg_encode(const struct ath_value *value, struct ath_arena *arena,
			      struct ath_pg_argument *argument)
{
	char *scalar;

	*argument = (struct ath_pg_argument){ .format = 1 };
	if (value->null)
		return ATH_OK;
	if (value->array)
		return encode_array(value, arena, argument);
	if (value->type == ATH_TYPE_TEXT || value->type == ATH_TYPE_JSON) {
		argument->bytes = value->as.text;
		argument->format = 0;
		return ATH_OK;
	}
	if (value->type == ATH_TYPE_BYTES) {
		argument->bytes =
			value->as.bytes.length == 0 ? "" : (const char *)value->as.bytes.data;
		argument->length = (int)value->as.bytes.length;
		return value->as.bytes.length <= INT32_MAX ? ATH_OK : ATH_ERULE;
	}
	scalar = ath_arena_alloc(arena, value->type == ATH_TYPE_DECIMAL ? MAX_NUMERIC : 16);
	if (scalar == NULL)
		return ATH_ENOMEM;
	argument->bytes = scalar;
	argument->length = put_scalar(value, scalar);
	return argument->length >= 0 ? ATH_OK : ATH_ERULE;
}

/* ---- results ------------------------------------------------------------------------------ */

static bool is_text(uint32_t oid)
{
	return oid == OID_TEXT || oid == OID_VARCHAR || oid == OID_BPCHAR || oid == OID_NAME ||
	       oid == OID_JSON || oid == OID_UNKNOWN || oid >= FIRST_USER_OID;
}

bool ath_pg_fits(uint32_t oid, enum ath_type type)
{
	switch (type) {
	case ATH_TYPE_TEXT:
	case ATH_TYPE_ENUM:
		return is_text(oid);
	case ATH_TYPE_JSON:
		return oid == OID_JSON || oid == OID_JSONB;
	case ATH_TYPE_INT16:
	case ATH_TYPE_INT32:
	case ATH_TYPE_INT64:
		return oid == OID_INT2 || oid == OID_INT4 || oid == OID_INT8;
	case ATH_TYPE_DOUBLE:
		return oid == OID_FLOAT8 || oid == OID_FLOAT4;
	case ATH_TYPE_TEXT_ARRAY:
		return oid == OID_TEXT_ARRAY || oid == OID_VARCHAR_ARRAY;
	case ATH_TYPE_INT64_ARRAY:
		return oid == OID_INT8_ARRAY;
	case ATH_TYPE_UUID_ARRAY:
		return oid == OID_UUID_ARRAY;
	case ATH_TYPE_BYTES:
	case ATH_TYPE_BOOL:
	case ATH_TYPE_TIMESTAMP:
	case ATH_TYPE_DATE:
	case ATH_TYPE_DECIMAL:
	case ATH_TYPE_UUID:
		return oid == oids[type].scalar;
	}
	return false;
}

static int64_t get_integer(const char *bytes, int length)
{
	uint32_t four;
	uint64_t eight;

	switch (length) {
	case 2:
		return get_int16(bytes);
	case 4:
		memcpy(&four, bytes, 4);
		return (int32_t)be32toh(four);
	default:
		memcpy(&eight, bytes, 8);
		return (int64_t)be64toh(eight);
	}
}

static double get_double(const char *bytes, int length)
{
	int64_t bits = get_integer(bytes, length);
	uint32_t half = (uint32_t)bits;
	float single;
	double real;

	if (length == 4) {
		memcpy(&single, &half, sizeof single);
		return (double)single;
	}
	memcpy(&real, &bits, sizeof real);
	return real;
}

static int32_t get_date(const char *bytes)
{
	int64_t value = get_integer(bytes, 4);

	if (value == INT32_MIN || value == INT32_MAX)
		return (int32_t)value;
	return value + epoch_days > INT32_MAX ? INT32_MAX : (int32_t)(value + epoch_days);
}

static bool get_enum(const char *text, const char *const *values, unsigned *value)
{
	for (*value = 0; values[*value] != NULL; ++*value)
		if (strcmp(values[*value], text) == 0)
			return true;
	return false;
}

/* ---- arrays ------------------------------------------------------------------------------- */

/* The elements of an array of one dimension, one after the other. */
struct items {
	const char *at, *end;
	size_t count;
};

static bool open_items(const char *bytes, int length, struct items *items)
{
	int64_t dimensions;

	*items = (struct items){ .at = bytes + length, .end = bytes + length };
	if (length < 12)
		return false;
	dimensions = get_integer(bytes, 4);
	if (dimensions != 1 || length < 20)
		return dimensions == 0;
	items->at = bytes + 20;
	items->count = (size_t)get_integer(bytes + 12, 4);
	return items->count <= (size_t)length / 4;
}

/* length -1: NULL */
static bool next_item(struct items *items, const char **bytes, int64_t *length)
{
	if (items->end - items->at < 4)
		return false;
	*length = get_integer(items->at, 4);
	*bytes = items->at + 4;
	if (*length > items->end - *bytes)
		return false;
	items->at += 4 + (*length > 0 ? *length : 0);
	return true;
}

static bool get_text_array(struct items *items, char *member, struct ath_arena *arena)
{
	const char **texts = ath_arena_zalloc(arena, items->count + 1, sizeof *texts), *bytes;
	int64_t length;

	for (size_t i = 0; texts != NULL && i < items->count; i++) {
		if (!next_item(items, &bytes, &length))
			return false;
		if (length < 0)
			continue;
		texts[i] = ath_arena_copy(arena, bytes, (size_t)length);
		if (texts[i] == NULL)
			return false;
	}
	memcpy(member, &(struct ath_text_array){ texts, items->count },
	       sizeof(struct ath_text_array));
	return texts != NULL;
}

static bool get_int64_array(struct items *items, char *member, struct ath_arena *arena)
{
	int64_t *numbers = ath_arena_zalloc(arena, items->count + 1, sizeof *numbers), length;
	const char *bytes;

	for (size_t i = 0; numbers != NULL && i < items->count; i++) {
		if (!next_item(items, &bytes, &length) || length != 8)
			return false; /* a NULL has no place in it */
		numbers[i] = get_integer(bytes, 8);
	}
	memcpy(member, &(struct ath_int64_array){ numbers, items->count },
	       sizeof(struct ath_int64_array));
	return numbers != NULL;
}

static bool get_uuid_array(struct items *items, char *member, struct ath_arena *arena)
{
	struct ath_uuid *uuids = ath_arena_zalloc(arena, items->count + 1, sizeof *uuids);
	const char *bytes;
	int64_t length;

	for (size_t i = 0; uuids != NULL && i < items->count; i++) {
		if (!next_item(items, &bytes, &length) || length != 16)
			return false;
		memcpy(uuids[i].bytes, bytes, 16);
	}
	memcpy(member, &(struct ath_uuid_array){ uuids, items->count },
	       sizeof(struct ath_uuid_array));
	return uuids != NULL;
}

static bool get_array(const char *bytes, int length, enum ath_type type, char *member,
		      struct ath_arena *arena)
{
	struct items items;

	if (!open_items(bytes, length, &items))
		return false;
	if (type == ATH_TYPE_TEXT_ARRAY)
		return get_text_array(&items, member, arena);
	if (type == ATH_TYPE_INT64_ARRAY)
		return get_int64_array(&items, member, arena);
	return get_uuid_array(&items, member, arena);
}

bool ath_pg_decode(const char *bytes, int length, uint32_t oid, const struct ath_target *target,
		   char *member, struct ath_arena *arena)
{
	int64_t integer;
	double real;

	switch (target->type) {
	case ATH_TYPE_JSON:
		bytes += oid == OID_JSONB; /* its version */
					   /* fall through */
	case ATH_TYPE_TEXT:
		memcpy(member, &bytes, sizeof bytes);
		return true;
	case ATH_TYPE_BYTES:
		memcpy(member, &(struct ath_bytes){ (const unsigned char *)bytes, (size_t)length },
		       sizeof(struct ath_bytes));
		return true;
	case ATH_TYPE_BOOL:
		ath_pg_get_bool(bytes, member);
		return true;
	case ATH_TYPE_INT16:
		integer = get_integer(bytes, length);
		memcpy(member, &(int16_t){ (int16_t)integer }, 2);
		return integer >= INT16_MIN && integer <= INT16_MAX;
	case ATH_TYPE_INT32:
		integer = get_integer(bytes, length);
		memcpy(member, &(int32_t){ (int32_t)integer }, 4);
		return integer >= INT32_MIN && integer <= INT32_MAX;
	case ATH_TYPE_INT64:
		integer = get_integer(bytes, length);
		memcpy(member, &integer, 8);
		return true;
	case ATH_TYPE_DOUBLE:
		real = get_double(bytes, length);
		memcpy(member, &real, 8);
		return true;
	case ATH_TYPE_TIMESTAMP:
		ath_pg_get_timestamp(bytes, member);
		return true;
	case ATH_TYPE_DATE:
		memcpy(member, &(int32_t){ get_date(bytes) }, 4);
		return true;
	case ATH_TYPE_UUID:
		memcpy(member, bytes, 16);
		return true;
	case ATH_TYPE_DECIMAL:
		return get_numeric(bytes, length, (struct ath_decimal *)(void *)member);
	case ATH_TYPE_ENUM:
		return get_enum(bytes, target->values, (unsigned *)(void *)member);
	case ATH_TYPE_TEXT_ARRAY:
	case ATH_TYPE_INT64_ARRAY:
	case ATH_TYPE_UUID_ARRAY:
		return get_array(bytes, length, target->type, member, arena);
	}
	return false;
}
