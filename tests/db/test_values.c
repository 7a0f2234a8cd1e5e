/*
 * test_values.c - values in PostgreSQL's binary form, without a server: known bytes, there and
 * back, and bytes that no server would send, of which nothing may be read beyond the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/random.h"
#include "base/internal.h"
#include "db/internal.h"
#include "db/postgresql_values.h"

#define NINES_38 "99999999999999999999999999999999999999"

enum {
	BOOL = 16,
	BYTEA = 17,
	INT8 = 20,
	INT2 = 21,
	INT4 = 23,
	TEXT = 25,
	JSON = 114,
	FLOAT4 = 700,
	FLOAT8 = 701,
	TEXT_ARRAY = 1009,
	VARCHAR_ARRAY = 1015,
	INT8_ARRAY = 1016,
	VARCHAR = 1043,
	DATE = 1082,
	TIMESTAMPTZ = 1184,
	NUMERIC = 1700,
	UUID = 2950,
	UUID_ARRAY = 2951,
	JSONB = 3802
};

static struct ath_arena *arena;

static int setup(void **state)
{
	(void)state;
	return (int)ath_arena_open(&arena, 1 << 20);
}

static int teardown(void **state)
{
	(void)state;
	ath_arena_close(&arena);
	return 0;
}

/* A member of any type. */
union member {
	bool boolean;
	int16_t int16;
	int32_t int32;
	int64_t int64;
	double real;
	unsigned number;
	const char *text;
	struct ath_timestamp timestamp;
	struct ath_date date;
	struct ath_decimal decimal;
	struct ath_uuid uuid;
	struct ath_bytes bytes;
	struct ath_text_array texts;
	struct ath_int64_array integers;
	struct ath_uuid_array uuids;
};

/* From memory of just this size, which must live as long as the member. */
static bool decode(const void *bytes, size_t length, uint32_t oid, enum ath_type type,
		   union member *member)
{
	const struct ath_target target = { .type = type };

	memset(member, 0, sizeof *member);
	return ath_pg_decode(bytes, (int)length, oid, &target, (char *)member, arena);
}

/* ---- numeric ------------------------------------------------------------------------------------
 */

/* What the server sends for a numeric: 16 bits each. */
static const struct {
	const char *text; /* NULL: it is no decimal */
	int count;
	uint16_t words[16];
} numerics[] = {
	{ "0", 4, { 0, 0, 0, 0 } },
	{ "0.000", 4, { 0, 0, 0, 3 } },
	{ "1", 5, { 1, 0, 0, 0, 1 } },
	{ "-12.50", 6, { 2, 0, 0x4000, 2, 12, 5000 } },
	{ "9999", 5, { 1, 0, 0, 0, 9999 } },
	{ "10000", 5, { 1, 1, 0, 0, 1 } },
	{ "10001.0001", 7, { 3, 1, 0, 4, 1, 1, 1 } },
	{ "100000000", 5, { 1, 2, 0, 0, 1 } },
	{ "0.5", 5, { 1, 0xffff, 0, 1, 5000 } },
	{ "0.0001", 5, { 1, 0xffff, 0, 4, 1 } },
	{ "-0.00001", 5, { 1, 0xfffe, 0x4000, 5, 1000 } },
	{ "0.00000000000000000000000000000000000001", 5, { 1, 0xfff6, 0, 38, 100 } },
	{ NINES_38, 14, { 10, 9, 0, 0, 99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999 } },
	{ "-" NINES_38,
	  14,
	  { 10, 9, 0x4000, 0, 99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999 } },
	{ "85070591730234615865843651857942052864", /* 2^126 */
	  14,
	  { 10, 9, 0, 0, 85, 705, 9173, 234, 6158, 6584, 3651, 8579, 4205, 2864 } },
	{ "0." NINES_38,
	  14,
	  { 10, 0xffff, 0, 38, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9900 } },
	{ "9.9999999999999999999999999999999999999",
	  15,
	  { 11, 0, 0, 37, 9, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9000 } },
	{ "10000000000000000000000000000000000000", 5, { 1, 9, 0, 0, 10 } },
	/* 39 digits, in front, behind and as zeros */
	{ NULL, 5, { 1, 9, 0, 0, 100 } },
	{ NULL, 5, { 1, 9, 0, 1, 10 } },
	{ NULL, 5, { 1, 0xfff6, 0, 39, 10 } },
	{ NULL, 4, { 0, 0, 0, 39 } },
	{ NULL, 5, { 1, 0x7fff, 0, 0, 1 } },
	{ NULL, 5, { 1, 0, 0, 0x3fff, 1 } },
	/* NaN, the infinities, signs that there are not */
	{ NULL, 4, { 0, 0, 0xc000, 0 } },
	{ NULL, 4, { 0, 0, 0xd000, 0 } },
	{ NULL, 4, { 0, 0, 0xf000, 0 } },
	{ NULL, 4, { 0, 0, 1, 0 } },
	/* too short, and counts below zero */
	{ NULL, 0, { 0 } },
	{ NULL, 3, { 0, 0, 0 } },
	{ NULL, 5, { 2, 1, 0, 0, 1 } },
	{ NULL, 5, { 0x7fff, 1, 0, 0, 1 } },
	{ NULL, 5, { 0xffff, 0, 0, 0, 1 } },
	{ NULL, 5, { 0x8000, 0, 0, 0, 1 } },
	{ NULL, 5, { 1, 0, 0, 0xffff, 1 } },
	/* no groups of four digits */
	{ NULL, 5, { 1, 0, 0, 0, 10000 } },
	{ NULL, 5, { 1, 0, 0, 0, 0xffff } },
};

static void test_numerics_as_the_server_sends_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(numerics); i++) {
		size_t length = 2 * (size_t)numerics[i].count;
		unsigned char *bytes = malloc(length + 1);
		char text[ATH_DECIMAL_MAX_TEXT];
		union member member;
		bool good;

		assert_non_null(bytes);
		bytes = realloc(bytes, length > 0 ? length : 1);
		assert_non_null(bytes);
		for (size_t w = 0; w < length / 2; w++) {
			bytes[2 * w] = (unsigned char)(numerics[i].words[w] >> 8);
			bytes[2 * w + 1] = (unsigned char)numerics[i].words[w];
		}
		good = decode(bytes, length, NUMERIC, ATH_TYPE_DECIMAL, &member);
		ath_decimal_format(member.decimal, text);
		if (good != (numerics[i].text != NULL))
			fail_msg("row %zu was %s", i, good ? text : "refused");
		if (good)
			assert_string_equal(text, numerics[i].text);
		free(bytes);
	}
}

static void encode(struct ath_value value, struct ath_pg_argument *argument)
{
	assert_int_equal(ath_pg_encode(&value, arena, argument), ATH_OK);
	assert_int_equal(argument->format, 1);
}

/* The server takes groups that are zero, but no number may be another. */
static void test_decimals_there_and_back(void **state)
{
	(void)state;
	for (int i = 0; i < 200000; i++) {
		unsigned __int128 bits = (unsigned __int128)next_random() << 64 | next_random();
		unsigned __int128 most = 1;
		struct ath_pg_argument argument;
		struct ath_decimal value;
		union member back;

		for (uint64_t digits = next_random() % 39; digits > 0; digits--)
			most *= 10;
		bits = i % 8 == 0 ? most - 1 : bits % most;
		if (!ath_decimal_make(i % 2 ? (ath_int128)bits : -(ath_int128)bits,
				      (int64_t)(next_random() % 39), &value))
			fail_msg("row %d", i);
		ath_arena_reset(arena);
		encode(ath_value_decimal(value), &argument);
		assert_true(argument.length <= 8 + 2 * 12);
		if (!decode(argument.bytes, (size_t)argument.length, NUMERIC, ATH_TYPE_DECIMAL,
			    &back) ||
		    memcmp(&back.decimal, &value, sizeof value) != 0) {
			char text[ATH_DECIMAL_MAX_TEXT];

			ath_decimal_format(value, text);
			fail_msg("%s", text);
		}
	}
}

static void test_no_decimal_is_sent(void **state)
{
	static const struct ath_decimal rows[] = {
		{ .scale = -1 },
		{ .scale = 39 },
		{ .high = INT64_MIN },
		{ .high = INT64_MAX, .low = UINT64_MAX },
		/* 10^38 */
		{ .high = 0x4b3b4ca85a86c47a, .low = 0x098a224000000000 },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_value value = ath_value_decimal(rows[i]);
		struct ath_value array = ath_array_decimal(&rows[i], 1);
		struct ath_pg_argument argument;

		assert_int_equal(ath_pg_encode(&value, arena, &argument), ATH_ERULE);
		assert_int_equal(ath_pg_encode(&array, arena, &argument), ATH_ERULE);
	}
}

/* ---- the other scalars
 * ------------------------------------------------------------------------------ */

#define THERE_AND_BACK(maker, value_, oid, type, name)                                             \
	do {                                                                                       \
		struct ath_pg_argument argument_;                                                  \
		union member back_;                                                                \
		__typeof__(back_.name) given_ = value_;                                            \
                                                                                                   \
		ath_arena_reset(arena);                                                            \
		encode(maker(given_), &argument_);                                                 \
		assert_true(decode(argument_.bytes, (size_t)argument_.length, oid, type, &back_)); \
		assert_memory_equal(&back_.name, &given_, sizeof given_);                          \
	} while (0)

static void test_scalars_there_and_back(void **state)
{
	static const int64_t integers[] = {
		0,         1,         -1,        INT16_MIN,       INT16_MAX, INT32_MIN,
		INT32_MAX, INT64_MIN, INT64_MAX, 946684800000000, 10957
	};
	static const double reals[] = { 0,
					-0.0,
					1,
					-1,
					DBL_MIN,
					DBL_MAX,
					DBL_TRUE_MIN,
					-DBL_TRUE_MIN,
					DBL_MIN / 3,
					(double)NAN,
					(double)INFINITY,
					-(double)INFINITY };

	(void)state;
	THERE_AND_BACK(ath_value_bool, true, BOOL, ATH_TYPE_BOOL, boolean);
	THERE_AND_BACK(ath_value_bool, false, BOOL, ATH_TYPE_BOOL, boolean);
	for (size_t i = 0; i < 20000; i++) {
		int64_t value = i < ATH_COUNT(integers) ? integers[i] : (int64_t)next_random();
		struct ath_uuid uuid = { .bytes = { [3] = (unsigned char)value, [15] = 0xff } };
		double real;

		memcpy(&real, &value, sizeof real);
		THERE_AND_BACK(ath_value_int16, (int16_t)value, INT2, ATH_TYPE_INT16, int16);
		THERE_AND_BACK(ath_value_int16, (int16_t)value, INT2, ATH_TYPE_INT64, int16);
		THERE_AND_BACK(ath_value_int32, (int32_t)value, INT4, ATH_TYPE_INT32, int32);
		THERE_AND_BACK(ath_value_int64, value, INT8, ATH_TYPE_INT64, int64);
		THERE_AND_BACK(ath_value_double, real, FLOAT8, ATH_TYPE_DOUBLE, real);
		THERE_AND_BACK(ath_value_uuid, uuid, UUID, ATH_TYPE_UUID, uuid);
		if (value >> 62 == 0 || value >> 62 == -1 || value == INT64_MIN ||
		    value == INT64_MAX)
			THERE_AND_BACK(ath_value_timestamp, (struct ath_timestamp){ value },
				       TIMESTAMPTZ, ATH_TYPE_TIMESTAMP, timestamp);
		if ((int32_t)value >> 30 == 0 || (int32_t)value >> 30 == -1 ||
		    (int32_t)value == INT32_MIN || (int32_t)value == INT32_MAX)
			THERE_AND_BACK(ath_value_date, (struct ath_date){ (int32_t)value }, DATE,
				       ATH_TYPE_DATE, date);
	}
	for (size_t i = 0; i < ATH_COUNT(reals); i++)
		THERE_AND_BACK(ath_value_double, reals[i], FLOAT8, ATH_TYPE_DOUBLE, real);
}

/* Moments and days that the server's way of counting has no room for. */
static void test_no_time_is_sent_as_another(void **state)
{
	struct ath_value rows[] = {
		ath_value_timestamp((struct ath_timestamp){ INT64_MIN + 1 }),
		ath_value_timestamp((struct ath_timestamp){ INT64_MIN + 946684800000000 }),
		ath_value_date((struct ath_date){ INT32_MIN + 1 }),
		ath_value_date((struct ath_date){ INT32_MIN + 10957 }),
	};
	struct ath_pg_argument argument;

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		assert_int_equal(ath_pg_encode(&rows[i], arena, &argument), ATH_ERULE);
}

static void test_integers_that_are_too_wide(void **state)
{
	static const char wide[] = "\0\0\0\0\x80\0\0\0",
			  negative[] = "\xff\xff\xff\xff\x7f\xff\xff\xff", medium[] = "\0\0\x80\0",
			  low[] = "\xff\xff\x7f\xff";
	union member member;

	(void)state;
	assert_false(decode(wide, 8, INT8, ATH_TYPE_INT32, &member));
	assert_false(decode(negative, 8, INT8, ATH_TYPE_INT32, &member));
	assert_false(decode(wide, 8, INT8, ATH_TYPE_INT16, &member));
	assert_false(decode(medium, 4, INT4, ATH_TYPE_INT16, &member));
	assert_false(decode(low, 4, INT4, ATH_TYPE_INT16, &member));
	assert_true(decode("\xff\xff\x80\0", 4, INT4, ATH_TYPE_INT16, &member));
	assert_int_equal(member.int16, INT16_MIN);
	assert_true(decode("\xff\xff\xff\xff\x80\0\0\0", 8, INT8, ATH_TYPE_INT32, &member));
	assert_int_equal(member.int32, INT32_MIN);
	assert_true(decode("\x3f\xc0\0\0", 4, FLOAT4, ATH_TYPE_DOUBLE, &member));
	assert_true(member.real == 1.5);
}

static void test_enums(void **state)
{
	static const char *const values[] = { "red", "green", "", NULL };
	const struct ath_target target = { .type = ATH_TYPE_ENUM, .values = values };
	unsigned number = 42;

	(void)state;
	assert_true(ath_pg_decode("green", 5, TEXT, &target, (char *)&number, arena));
	assert_int_equal(number, 1);
	assert_true(ath_pg_decode("", 0, TEXT, &target, (char *)&number, arena));
	assert_int_equal(number, 2);
	assert_false(ath_pg_decode("gree", 4, TEXT, &target, (char *)&number, arena));
	assert_false(ath_pg_decode("blue", 4, VARCHAR, &target, (char *)&number, arena));
}

/* ---- arrays
 * ---------------------------------------------------------------------------------------- */

static void test_arrays_there_and_back(void **state)
{
	(void)state;
	for (int round = 0; round < 2000; round++) {
		enum { MOST = 40 };
		static const char *const words[] = { NULL,
						     "",
						     "a",
						     "NULL",
						     "{}",
						     "\xf0\x9f\x98\x80",
						     "a longer one, with \"quotes\" and \\" };
		const char *texts[MOST];
		int64_t integers[MOST];
		struct ath_uuid uuids[MOST];
		size_t count = round < 3 ? (size_t)round : next_random() % MOST;
		struct ath_pg_argument argument;
		union member back;

		ath_arena_reset(arena);
		for (size_t i = 0; i < count; i++) {
			texts[i] = words[next_random() % ATH_COUNT(words)];
			integers[i] = (int64_t)next_random();
			for (size_t b = 0; b < 16; b++)
				uuids[i].bytes[b] = (unsigned char)next_random();
		}
		encode(ath_value_text_array((struct ath_text_array){ texts, count }), &argument);
		assert_true(decode(argument.bytes, (size_t)argument.length, TEXT_ARRAY,
				   ATH_TYPE_TEXT_ARRAY, &back));
		assert_int_equal(back.texts.count, count);
		assert_non_null(back.texts.items);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(back.texts.items[i] == NULL, texts[i] == NULL);
			if (texts[i] != NULL)
				assert_string_equal(back.texts.items[i], texts[i]);
		}
		encode(ath_value_int64_array((struct ath_int64_array){ integers, count }),
		       &argument);
		assert_true(decode(argument.bytes, (size_t)argument.length, INT8_ARRAY,
				   ATH_TYPE_INT64_ARRAY, &back));
		assert_int_equal(back.integers.count, count);
		assert_memory_equal(back.integers.items, integers, count * sizeof *integers);
		encode(ath_value_uuid_array((struct ath_uuid_array){ uuids, count }), &argument);
		assert_true(decode(argument.bytes, (size_t)argument.length, UUID_ARRAY,
				   ATH_TYPE_UUID_ARRAY, &back));
		assert_int_equal(back.uuids.count, count);
		assert_memory_equal(back.uuids.items, uuids, count * sizeof *uuids);
	}
}

#define WORD(n)    "\0\0\0" n
#define HEAD       WORD("\1") WORD("\0") WORD("\x19")
#define HEAD_OF(n) HEAD n WORD("\1")

/* Bytes of an array of texts, and how many elements it has; -1: it is none. */
static const struct {
	struct ath_text bytes;
	int count;
} arrays[] = {
#define ROW(bytes, count)                                                                          \
	{                                                                                          \
		{ bytes, sizeof(bytes) - 1 }, count                                                \
	}
	ROW(WORD("\0") WORD("\0") WORD("\x19"), 0),
	ROW(HEAD_OF(WORD("\0")), 0),
	ROW(HEAD_OF(WORD("\1")) WORD("\0"), 1),
	ROW(HEAD_OF(WORD("\1")) WORD("\2") "ab", 1),
	ROW(HEAD_OF(WORD("\2")) WORD("\1") "a\xff\xff\xff\xff", 2),
	ROW("", -1),
	ROW(WORD("\0"), -1),
	ROW(WORD("\0") WORD("\0") "\0\0\0", -1),
	ROW(HEAD, -1),            /* one dimension, of which nothing is said */
	ROW(HEAD WORD("\1"), -1), /* its bound is missing */
	ROW(HEAD_OF(WORD("\1")), -1),
	ROW(HEAD_OF(WORD("\1")) "\0\0\0", -1),
	ROW(HEAD_OF(WORD("\1")) WORD("\3") "ab", -1),
	ROW(HEAD_OF(WORD("\1")) "\x7f\xff\xff\xff"
				"ab",
	    -1),
	ROW(HEAD_OF(WORD("\2")) WORD("\1") "a", -1),
	ROW(HEAD_OF("\x7f\xff\xff\xff") WORD("\1") "a", -1),
	ROW(HEAD_OF("\xff\xff\xff\xff") WORD("\1") "a", -1),
	ROW(HEAD_OF("\x80\0\0\0") WORD("\1") "a", -1),
	ROW("\xff\xff\xff\xff" WORD("\0") WORD("\x19") WORD("\1") WORD("\1") WORD("\0"), -1),
	ROW(WORD("\2") WORD("\0") WORD("\x19") WORD("\1") WORD("\1") WORD("\1") WORD("\1")
		    WORD("\0"),
	    -1), /* {{""}} */
#undef ROW
};

static void *copy_of(const void *bytes, size_t length)
{
	void *copy = malloc(length > 0 ? length : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	return copy;
}

static void test_arrays_as_the_server_sends_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(arrays); i++) {
		void *bytes = copy_of(arrays[i].bytes.data, arrays[i].bytes.length);
		union member member;
		bool good = decode(bytes, arrays[i].bytes.length, TEXT_ARRAY, ATH_TYPE_TEXT_ARRAY,
				   &member);

		if (good != (arrays[i].count >= 0) ||
		    (good && (int)member.texts.count != arrays[i].count))
			fail_msg("row %zu was %s", i, good ? "read" : "refused");
		free(bytes);
	}
}

/* A NULL has a place only among texts. */
static void test_nulls_in_arrays(void **state)
{
	static const char bytes[] = "\0\0\0\1\0\0\0\1\0\0\0\x14\0\0\0\1\0\0\0\1\xff\xff\xff\xff";
	union member member;

	(void)state;
	assert_false(decode(bytes, sizeof bytes - 1, INT8_ARRAY, ATH_TYPE_INT64_ARRAY, &member));
	assert_false(decode(bytes, sizeof bytes - 1, UUID_ARRAY, ATH_TYPE_UUID_ARRAY, &member));
	assert_true(decode(bytes, sizeof bytes - 1, TEXT_ARRAY, ATH_TYPE_TEXT_ARRAY, &member));
	assert_null(member.texts.items[0]);
}

/* A parameter has the same type whether it is NULL or not: statements are prepared with it. */
static void test_types_of_parameters(void **state)
{
	struct ath_value none = ath_value_text_array((struct ath_text_array){ NULL, 0 });
	struct ath_value one =
		ath_value_text_array((struct ath_text_array){ (const char *const[]){ "a" }, 1 });

	(void)state;
	assert_true(none.null);
	assert_int_equal(ath_pg_oid(&none), ath_pg_oid(&one));
	assert_int_equal(ath_pg_oid(&one), TEXT_ARRAY);
}

/* ---- no server's bytes
 * ------------------------------------------------------------------------------ */

/* Looks at all of what was read. */
static void look_at(enum ath_type type, const union member *member)
{
	char text[ATH_DECIMAL_MAX_TEXT];
	struct ath_buffer seen;

	ath_buffer_init(&seen, NULL, SIZE_MAX);
	if (type == ATH_TYPE_DECIMAL)
		assert_true(ath_decimal_format(member->decimal, text) > 0);
	for (size_t i = 0; type == ATH_TYPE_TEXT_ARRAY && i < member->texts.count; i++)
		if (member->texts.items[i] != NULL)
			ath_buffer_string(&seen, member->texts.items[i]);
	if (type == ATH_TYPE_INT64_ARRAY)
		ath_buffer_append(&seen, member->integers.items, 8 * member->integers.count);
	if (type == ATH_TYPE_UUID_ARRAY)
		ath_buffer_append(&seen, member->uuids.items, 16 * member->uuids.count);
	assert_false(seen.failed);
	ath_buffer_free(&seen);
}

static void test_random_bytes(void **state)
{
	static const struct {
		enum ath_type type;
		uint32_t oid;
	} types[] = {
		{ ATH_TYPE_DECIMAL, NUMERIC },
		{ ATH_TYPE_TEXT_ARRAY, TEXT_ARRAY },
		{ ATH_TYPE_INT64_ARRAY, INT8_ARRAY },
		{ ATH_TYPE_UUID_ARRAY, UUID_ARRAY },
	};
	size_t read[ATH_COUNT(types)] = { 0 };

	(void)state;
	for (int i = 0; i < 400000; i++) {
		size_t kind = next_random() % ATH_COUNT(types), length = next_random() % 96;
		unsigned char *bytes = malloc(length > 0 ? length : 1);
		union member member;

		assert_non_null(bytes);
		/* small numbers mostly, so that counts and lengths are often near what is right */
		for (size_t b = 0; b < length; b++)
			if (next_random() % 16 == 0)
				bytes[b] = (unsigned char)next_random();
			else
				bytes[b] = b % (kind == 0 ? 2 : 4) == (kind == 0 ? 1 : 3)
						   ? (unsigned char)(next_random() % 12)
						   : 0;
		if (kind == 0 && length > 5 && next_random() % 4 != 0)
			bytes[5] = 0; /* of the sign */
		if (kind > 0 && length > 20 && next_random() % 4 != 0) {
			memcpy(bytes, "\0\0\0\1\0\0\0\0", 8);
			memset(bytes + 12, 0, 3);
		}
		if (next_random() % 4 != 0) /* elements as long as they should be */
			for (size_t at = 20; kind >= 2 && at + 4 <= length;
			     at += kind == 2 ? 12 : 20)
				memcpy(bytes + at, kind == 2 ? "\0\0\0\x08" : "\0\0\0\x10", 4);
		ath_arena_reset(arena);
		if (decode(bytes, length, types[kind].oid, types[kind].type, &member)) {
			look_at(types[kind].type, &member);
			read[kind]++;
		}
		free(bytes);
	}
	for (size_t i = 0; i < ATH_COUNT(types); i++)
		if (read[i] < 1000)
			fail_msg("only %zu of type %zu were good enough to be read", read[i], i);
}

/* What is right but for a byte or two, or its end. */
static void test_damaged_bytes(void **state)
{
	const char *const texts[] = { "one", NULL, "three", "" };
	const int64_t integers[] = { 1, 2, 3, -4 };
	const struct ath_uuid uuids[3] = { { { 1 } }, { { 2 } }, { { 3 } } };
	struct ath_decimal decimal = { 0 };
	struct ath_value values[4];
	const enum ath_type types[] = { ATH_TYPE_DECIMAL, ATH_TYPE_TEXT_ARRAY, ATH_TYPE_INT64_ARRAY,
					ATH_TYPE_UUID_ARRAY };

	(void)state;
	assert_true(ath_decimal_parse(ath_text("-1234567890123456789.0123456789"), &decimal));
	values[0] = ath_value_decimal(decimal);
	values[1] = ath_value_text_array((struct ath_text_array){ texts, 4 });
	values[2] = ath_value_int64_array((struct ath_int64_array){ integers, 4 });
	values[3] = ath_value_uuid_array((struct ath_uuid_array){ uuids, 3 });
	for (int i = 0; i < 200000; i++) {
		size_t kind = next_random() % ATH_COUNT(values), length;
		struct ath_pg_argument argument;
		unsigned char *bytes;
		union member member;

		ath_arena_reset(arena);
		encode(values[kind], &argument);
		length = (size_t)argument.length;
		if (next_random() % 2)
			length = next_random() % (length + 1);
		bytes = copy_of(argument.bytes, length);
		for (uint64_t damage = next_random() % 3; damage > 0 && length > 0; damage--)
			bytes[next_random() % length] = (unsigned char)next_random();
		if (decode(bytes, length, ath_pg_oid(&values[kind]), types[kind], &member))
			look_at(types[kind], &member);
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numerics_as_the_server_sends_them),
		cmocka_unit_test(test_decimals_there_and_back),
		cmocka_unit_test(test_no_decimal_is_sent),
		cmocka_unit_test(test_scalars_there_and_back),
		cmocka_unit_test(test_no_time_is_sent_as_another),
		cmocka_unit_test(test_integers_that_are_too_wide),
		cmocka_unit_test(test_enums),
		cmocka_unit_test(test_arrays_there_and_back),
		cmocka_unit_test(test_arrays_as_the_server_sends_them),
		cmocka_unit_test(test_nulls_in_arrays),
		cmocka_unit_test(test_types_of_parameters),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_damaged_bytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
