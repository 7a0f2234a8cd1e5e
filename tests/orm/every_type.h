/*
 * every_type.h - a model with a column of every type, once as it must be and once as it may be
 * NULL; its values at their edges, and random ones.
 */
#ifndef TESTS_ORM_EVERY_TYPE_H
#define TESTS_ORM_EVERY_TYPE_H

#include <athanor.h>
#include <float.h>
#include <math.h>

#include "../base/random.h"
#include "orm/internal.h"

enum { RED, GREEN, ODD };

struct every {
	int64_t id;
	bool flag;
	int16_t small;
	int32_t medium;
	int64_t large;
	double real;
	const char *text;
	const char *letters; /* varchar(20) */
	struct ath_timestamp moment;
	struct ath_date day;
	struct ath_decimal whole; /* numeric(38, 0) */
	struct ath_decimal price; /* numeric(10, 2) */
	struct ath_decimal fine;  /* numeric(38, 19) */
	struct ath_decimal part;  /* numeric(38, 38) */
	unsigned colour;
	struct ath_uuid uuid;
	struct ath_json json;
	struct ath_bytes bytes;
	struct ath_text_array texts;
	struct ath_int64_array numbers;
	struct ath_uuid_array uuids;
	struct ath_null_bool null_flag;
	struct ath_null_int16 null_small;
	struct ath_null_int32 null_medium;
	struct ath_null_int64 null_large;
	struct ath_null_double null_real;
	const char *null_text;
	const char *null_letters;
	struct ath_null_timestamp null_moment;
	struct ath_null_date null_day;
	struct ath_null_decimal null_whole;
	struct ath_null_decimal null_price;
	struct ath_null_decimal null_fine;
	struct ath_null_decimal null_part;
	struct ath_null_enum null_colour;
	struct ath_null_uuid null_uuid;
	struct ath_json null_json;
	struct ath_bytes null_bytes;
	struct ath_text_array null_texts;
	struct ath_int64_array null_numbers;
	struct ath_uuid_array null_uuids;
};
ATH_DECLARE(every);

#define COLOURS .values = ATH_VALUES("red", "green", "it's \"odd\" \\ \xc3\xa4")
ATH_MODEL(every, "everys", ATH_COLUMN(every, id, .primary_key = true), ATH_COLUMN(every, flag),
	  ATH_COLUMN(every, small), ATH_COLUMN(every, medium), ATH_COLUMN(every, large),
	  ATH_COLUMN(every, real), ATH_COLUMN(every, text),
	  ATH_COLUMN(every, letters, .varchar = true, .max_length = 20), ATH_COLUMN(every, moment),
	  ATH_COLUMN(every, day), ATH_COLUMN(every, whole, .precision = 38),
	  ATH_COLUMN(every, price, .precision = 10, .scale = 2),
	  ATH_COLUMN(every, fine, .precision = 38, .scale = 19),
	  ATH_COLUMN(every, part, .precision = 38, .scale = 38), ATH_COLUMN(every, colour, COLOURS),
	  ATH_COLUMN(every, uuid), ATH_COLUMN(every, json), ATH_COLUMN(every, bytes),
	  ATH_COLUMN(every, texts), ATH_COLUMN(every, numbers), ATH_COLUMN(every, uuids),
	  ATH_COLUMN(every, null_flag), ATH_COLUMN(every, null_small),
	  ATH_COLUMN(every, null_medium), ATH_COLUMN(every, null_large),
	  ATH_COLUMN(every, null_real), ATH_COLUMN(every, null_text, .nullable = true),
	  ATH_COLUMN(every, null_letters, .nullable = true, .varchar = true, .max_length = 20),
	  ATH_COLUMN(every, null_moment), ATH_COLUMN(every, null_day),
	  ATH_COLUMN(every, null_whole, .precision = 38),
	  ATH_COLUMN(every, null_price, .precision = 10, .scale = 2),
	  ATH_COLUMN(every, null_fine, .precision = 38, .scale = 19),
	  ATH_COLUMN(every, null_part, .precision = 38, .scale = 38),
	  ATH_COLUMN(every, null_colour, COLOURS), ATH_COLUMN(every, null_uuid),
	  ATH_COLUMN(every, null_json, .nullable = true),
	  ATH_COLUMN(every, null_bytes, .nullable = true),
	  ATH_COLUMN(every, null_texts, .nullable = true),
	  ATH_COLUMN(every, null_numbers, .nullable = true),
	  ATH_COLUMN(every, null_uuids, .nullable = true));

static struct ath_arena *values; /* where the values lie */

/* ---- edges --------------------------------------------------------------------------------------
 */

#define NINES_18 "999999999999999999"
#define NINES_38 NINES_18 NINES_18 "99"
#define EPOCH    INT64_C(946684800000000) /* 2000-01-01 */

static const int64_t integer_edges[] = { 0,         1,         -1,        INT16_MIN, INT16_MAX,
					 INT32_MIN, INT32_MAX, INT64_MIN, INT64_MAX, INT64_MIN + 1,
					 256 };
/* those that JSON cannot say come last, as below */
static const double real_edges[] = {
	0,
	-0.0,
	1,
	-1,
	DBL_MIN,
	-DBL_MIN,
	DBL_MAX,
	-DBL_MAX,
	DBL_TRUE_MIN,
	0.1,
	DBL_EPSILON,
	1e9,
	DBL_MIN / 2,
	1e300,
	-1e-300,
	(double)NAN,
	(double)INFINITY,
	-(double)INFINITY,
};
enum { JSON_REALS = 15 };
static const char *const text_edges[] = {
	"",
	" ",
	"a",
	"NULL",
	"null",
	"it's",
	"\"quoted\"",
	"\\",
	"\\n$1%s%%{}[]();--/*",
	"\t\r\n\v\f\b\x01\x1f\x7f",
	"\xc3\xa4\xe2\x82\xac",
	"\xf0\x9f\x98\x80",
	"\xf4\x8f\xbf\xbf", /* the last code point */
	"\xef\xbf\xbd\xef\xbb\xbf",
	"e\xcc\x81", /* é in two */
	"'; drop table every;",
	"exactly twenty of it",
	"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80",
};
static const int64_t moment_edges[] = {
	0,
	1,
	-1,
	EPOCH,
	EPOCH + 1,
	EPOCH - 1,
	INT64_MAX,
	INT64_MIN,
	INT64_C(-62135596800000000), /* year 1 */
	INT64_C(253402300799999999), /* the end of 9999 */
	INT64_C(1709251199999999),
	INT64_C(-210866803200000000), /* the server's first */
	INT64_MAX - 1,
	INT64_C(253402300800000000),
};
enum { JSON_MOMENTS = 11 };
static const int32_t day_edges[] = {
	0,       1,       -1,    10957,  10956,    10958,      INT32_MAX, INT32_MIN,
	-719162, 2932896, 19782, -25508, -2440588, 2145042905, 2932897,
};
enum { JSON_DAYS = 12 };
static const char *const whole_edges[] = { "0",
					   "1",
					   "-1",
					   NINES_38,
					   "-" NINES_38,
					   "10000",
					   "100000000000000000000",
					   "18446744073709551616",
					   "-9223372036854775809",
					   "1e37" };
static const char *const price_edges[] = { "0",           "0.00",         "1.5",   "1.50",
					   "-1.50",       "0.01",         "-0.01", "100",
					   "99999999.99", "-99999999.99", "10" };
static const char *const fine_edges[] = {
	"0",
	"0.0000000000000000001",
	"-0.0000000000000000001",
	"9" NINES_18 ".9" NINES_18,
	"-9" NINES_18 ".9" NINES_18,
	"10000.0001",
	"1",
	"0.5",
};
static const char *const part_edges[] = { "0",      "0." NINES_38, "-0." NINES_38, "1e-38",
					  "-1e-38", "0.5",         "0.00010000",   "-0.000000001" };
static const char *const json_edges[] = {
	"{}",
	"[]",
	"true",
	"0",
	"\"\"",
	"\"a \\u00e4 \\ud83d\\ude00 \\\" \\\\ \\/ \\b\\f\\n\\r\\t\"",
	"{\"b\": [1, 2.50, -3e-7, null, true], \"a\": {\"\": {\"x\\ty\": \"\xf0\x9f\x98\x80\"}}}",
	"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	"12345678901234567890123456789012345678901234567890.123456789",
	"\"\\\\u0000\"",
	" [ 1 , 2 ] ",
	"[\"it's\",\"$1\",\"%s\"]",
};
static const char *const array_of_texts[] = { "",   "a",  "NULL",     "{a,b}",
					      "\"", "\\", "it's, so", "\xf0\x9f\x98\x80" };
static const char *const array_with_nulls[] = { NULL, "a", NULL };

static inline const struct ath_bytes *byte_edges(size_t i)
{
	static unsigned char all[256];
	static const struct ath_bytes edges[] = {
		{ (const unsigned char *)"", 0 },     { (const unsigned char *)"\0", 1 },
		{ (const unsigned char *)"\\", 1 },   { (const unsigned char *)"\\x00", 4 },
		{ (const unsigned char *)"\xff", 1 }, { all, sizeof all },
	};

	for (size_t byte = 0; byte < sizeof all; byte++)
		all[byte] = (unsigned char)byte;
	return &edges[i % ATH_COUNT(edges)];
}

static inline struct ath_uuid uuid_of(uint64_t high, uint64_t low)
{
	struct ath_uuid uuid;

	memcpy(uuid.bytes, &high, 8);
	memcpy(uuid.bytes + 8, &low, 8);
	return uuid;
}

static inline struct ath_decimal decimal_of(const char *text)
{
	struct ath_decimal value;

	if (!ath_decimal_parse(ath_text(text), &value))
		return ath_decimal_of(0, -1);
	return value;
}

static inline struct ath_text_array text_array(size_t count, bool nulls)
{
	const char **items = ath_new(values, const char *, count + 1);

	for (size_t i = 0; i < count; i++)
		items[i] = nulls ? array_with_nulls[i % ATH_COUNT(array_with_nulls)]
				 : array_of_texts[i % ATH_COUNT(array_of_texts)];
	return (struct ath_text_array){ items, count };
}

static inline struct ath_int64_array number_array(size_t count)
{
	int64_t *items = ath_new(values, int64_t, count + 1);

	for (size_t i = 0; i < count; i++)
		items[i] = integer_edges[i % ATH_COUNT(integer_edges)];
	return (struct ath_int64_array){ items, count };
}

static inline struct ath_uuid_array uuid_array(size_t count)
{
	struct ath_uuid *items = ath_new(values, struct ath_uuid, count + 1);

	for (size_t i = 0; i < count; i++)
		items[i] = uuid_of(i, i % 2 ? UINT64_MAX : 0);
	return (struct ath_uuid_array){ items, count };
}

/* The nullable columns hold the same as the others do. */
static inline void fill_nullable(struct every *row)
{
	row->null_flag = (struct ath_null_bool){ row->flag, true };
	row->null_small = (struct ath_null_int16){ row->small, true };
	row->null_medium = (struct ath_null_int32){ row->medium, true };
	row->null_large = (struct ath_null_int64){ row->large, true };
	row->null_real = (struct ath_null_double){ row->real, true };
	row->null_text = row->text;
	row->null_letters = row->letters;
	row->null_moment = (struct ath_null_timestamp){ row->moment, true };
	row->null_day = (struct ath_null_date){ row->day, true };
	row->null_whole = (struct ath_null_decimal){ row->whole, true };
	row->null_price = (struct ath_null_decimal){ row->price, true };
	row->null_fine = (struct ath_null_decimal){ row->fine, true };
	row->null_part = (struct ath_null_decimal){ row->part, true };
	row->null_colour = (struct ath_null_enum){ row->colour, true };
	row->null_uuid = (struct ath_null_uuid){ row->uuid, true };
	row->null_json = row->json;
	row->null_bytes = row->bytes;
	row->null_texts = row->texts;
	row->null_numbers = row->numbers;
	row->null_uuids = row->uuids;
}

enum { EDGES = 19 }; /* rows until each edge has come */

#define EDGE(edges, i)       ((edges)[(i) % ATH_COUNT(edges)])
#define EDGE_OF(edges, i, n) ((edges)[(i) % (json ? (size_t)(n) : ATH_COUNT(edges))])

/* Row number i: the last is NULL wherever it may be. json: only what JSON can say. */
static inline void edge_row(struct every *row, size_t i, bool json)
{
	static const size_t lengths[] = { 0, 1, 8, 1000, 2 };
	size_t length = EDGE(lengths, i);

	*row = (struct every){
		.flag = i % 2,
		.small = (int16_t)EDGE(integer_edges, i),
		.medium = (int32_t)EDGE(integer_edges, i),
		.large = EDGE(integer_edges, i),
		.real = EDGE_OF(real_edges, i, JSON_REALS),
		.text = EDGE(text_edges, i),
		.letters = EDGE(text_edges, i + 1),
		.moment = { EDGE_OF(moment_edges, i, JSON_MOMENTS) },
		.day = { EDGE_OF(day_edges, i, JSON_DAYS) },
		.whole = decimal_of(EDGE(whole_edges, i)),
		.price = decimal_of(EDGE(price_edges, i)),
		.fine = decimal_of(EDGE(fine_edges, i)),
		.part = decimal_of(EDGE(part_edges, i)),
		.colour = (unsigned)(i % 3),
		.uuid = uuid_of(i % 3 == 0 ? 0 : UINT64_MAX, i % 2 ? UINT64_MAX : i / 3),
		.json = { EDGE(json_edges, i) },
		.bytes = *byte_edges(i),
		.texts = text_array(length, !json && i % 4 == 3),
		.numbers = number_array(length),
		.uuids = uuid_array(length),
	};
	if (i + 1 < EDGES)
		fill_nullable(row);
}

/* ---- random values
 * ---------------------------------------------------------------------------------- */

static inline bool coin(void)
{
	return next_random() % 2;
}

static inline int64_t random_integer(void)
{
	int64_t value = (int64_t)(next_random() >> next_random() % 64);

	return coin() ? value : -value;
}

static inline char *put_utf8(char *at, uint32_t point)
{
	if (point < 0x80) {
		*at++ = (char)point;
	} else if (point < 0x800) {
		*at++ = (char)(0xc0 | point >> 6);
		*at++ = (char)(0x80 | (point & 0x3f));
	} else if (point < 0x10000) {
		*at++ = (char)(0xe0 | point >> 12);
		*at++ = (char)(0x80 | (point >> 6 & 0x3f));
		*at++ = (char)(0x80 | (point & 0x3f));
	} else {
		*at++ = (char)(0xf0 | point >> 18);
		*at++ = (char)(0x80 | (point >> 12 & 0x3f));
		*at++ = (char)(0x80 | (point >> 6 & 0x3f));
		*at++ = (char)(0x80 | (point & 0x3f));
	}
	return at;
}

/* Code points of every width, no NUL and no surrogates. */
static inline const char *random_text(size_t most)
{
	static const uint32_t ends[] = { 0x20, 0x80, 0x800, 0xd800, 0x110000 };
	char *text = ath_arena_alloc(values, 4 * most + 1), *at = text;

	for (size_t left = next_random() % (most + 1); left > 0; left--) {
		uint32_t point = (uint32_t)(next_random() % (ends[next_random() % 5] - 1)) + 1;

		at = put_utf8(at, point >= 0xd800 && point < 0xe000 ? 'x' : point);
	}
	*at = '\0';
	return text;
}

static inline struct ath_decimal random_decimal(int precision, int scale)
{
	unsigned __int128 bits = (unsigned __int128)next_random() << 64 | next_random(), most = 1;
	struct ath_decimal value;
	int fewer =
		(int)(next_random() % (uint64_t)(scale + 1)); /* of the digits behind the point */

	for (uint64_t digits = next_random() % (uint64_t)(precision + 1); digits > 0; digits--)
		most *= 10;
	bits %= most;
	if (!ath_decimal_make(coin() ? (ath_int128)bits : -(ath_int128)bits, scale, &value))
		return ath_decimal_of(0, -1);
	(void)!ath_decimal_rescale(&value, fewer); /* the same, where it can be said so */
	return value;
}

static inline void put_json(struct ath_buffer *out, int depth)
{
	size_t count = next_random() % 4;
	const char *text;

	switch (next_random() % (depth > 0 ? 7 : 5)) {
	case 0:
		ath_buffer_string(out, coin() ? "true" : "null");
		break;
	case 1:
		ath_buffer_int64(out, random_integer());
		break;
	case 2:
		ath_buffer_printf(out, "%.17g", (double)random_integer() / 1024);
		break;
	case 3:
		text = random_text(20);
		ath_buffer_json_text(out, text, strlen(text));
		break;
	case 4:
		ath_buffer_printf(out, "\"\\u%04x\"", (unsigned)(1 + next_random() % 0xd7ff));
		break;
	case 5:
		for (size_t i = 0; i < count; i++) {
			ath_buffer_string(out, i == 0 ? "[" : coin() ? "," : ", ");
			put_json(out, depth - 1);
		}
		ath_buffer_string(out, count == 0 ? "[]" : "]");
		break;
	default:
		for (size_t i = 0; i < count; i++) {
			ath_buffer_printf(out, "%s\"k%zu\":", i == 0 ? "{" : ",", i);
			put_json(out, depth - 1);
		}
		ath_buffer_string(out, count == 0 ? "{}" : "}");
	}
}

/* Not null itself, which in a column that may be NULL is read as that. */
static inline const char *random_json(void)
{
	struct ath_buffer out;

	ath_buffer_init(&out, values, 1 << 20);
	ath_buffer_string(&out, "[");
	put_json(&out, 5);
	ath_buffer_string(&out, "]");
	return ath_buffer_c_string(&out);
}

static inline struct ath_bytes random_bytes(void)
{
	size_t length = next_random() % 300;
	unsigned char *bytes = ath_arena_alloc(values, length + 1);

	for (size_t i = 0; i < length; i++)
		bytes[i] = (unsigned char)next_random();
	return (struct ath_bytes){ bytes, length };
}

static inline void random_arrays(struct every *row, bool json)
{
	size_t count = next_random() % 12;
	const char **texts = ath_new(values, const char *, count + 1);
	int64_t *numbers = ath_new(values, int64_t, count + 1);
	struct ath_uuid *uuids = ath_new(values, struct ath_uuid, count + 1);

	for (size_t i = 0; i < count; i++) {
		texts[i] = json || next_random() % 4 != 0 ? random_text(10) : NULL;
		numbers[i] = random_integer();
		uuids[i] = uuid_of(next_random(), next_random());
	}
	row->texts = (struct ath_text_array){ texts, count };
	row->numbers = (struct ath_int64_array){ numbers, count };
	row->uuids = (struct ath_uuid_array){ uuids, count };
}

/* Each column that may be NULL is so now and then. */
static inline void drop_some(struct every *row)
{
	for (size_t i = 0; i < every_model.member_count; i++)
		if (ath_column_is_nullable(&every_model.members[i]) && next_random() % 3 == 0)
			ath_member_set_null(&every_model.members[i], row);
}

static inline void random_row(struct every *row, bool json)
{
	uint64_t bits = next_random();
	double real;

	memcpy(&real, &bits, sizeof real);
	*row = (struct every){
		.flag = coin(),
		.small = (int16_t)random_integer(),
		.medium = (int32_t)random_integer(),
		.large = random_integer(),
		.real = json && !isfinite(real) ? 0.5 : real,
		.text = random_text(60),
		.letters = random_text(20),
		.moment = { INT64_C(-62135596800000000) +
			    (int64_t)(next_random() % UINT64_C(315537897600000000)) },
		.day = { -719162 + (int32_t)(next_random() % 3652059) },
		.whole = random_decimal(38, 0),
		.price = random_decimal(10, 2),
		.fine = random_decimal(38, 19),
		.part = random_decimal(38, 38),
		.colour = (unsigned)(next_random() % 3),
		.uuid = uuid_of(next_random(), next_random()),
		.json = { random_json() },
		.bytes = random_bytes(),
	};
	random_arrays(row, json);
	fill_nullable(row);
	drop_some(row);
}

/* ---- comparing
 * -------------------------------------------------------------------------------------- */

static inline bool same_texts(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* By the digits they are written with, once they have as many. */
static inline bool same_decimals(struct ath_decimal a, struct ath_decimal b, int scale)
{
	char left[ATH_DECIMAL_MAX_TEXT], right[ATH_DECIMAL_MAX_TEXT];

	if (!ath_decimal_rescale(&a, scale) || !ath_decimal_rescale(&b, scale))
		return false;
	ath_decimal_format(a, left);
	ath_decimal_format(b, right);
	return strcmp(left, right) == 0;
}

/* Of JSON only whether it is there: the server may have written it in another way. */
static inline bool same_member(const struct ath_member *column, const struct every *a,
			       const struct every *b)
{
	struct ath_value left = ath_member_get(column, a), right = ath_member_get(column, b);
	const char *at = (const char *)a + column->offset,
		   *other = (const char *)b + column->offset;

	if (left.null || right.null)
		return left.null == right.null;
	if (left.array && left.count != right.count)
		return false;
	switch (column->type) {
	case ATH_TYPE_TEXT:
		return same_texts(left.as.text, right.as.text);
	case ATH_TYPE_JSON:
		return true;
	case ATH_TYPE_BYTES:
		return left.as.bytes.length == right.as.bytes.length &&
		       memcmp(left.as.bytes.data, right.as.bytes.data, left.as.bytes.length) == 0;
	case ATH_TYPE_DECIMAL:
		return same_decimals(left.as.decimal, right.as.decimal, column->scale);
	case ATH_TYPE_TEXT_ARRAY:
		for (size_t i = 0; i < left.count; i++)
			if (!same_texts(((const char *const *)left.as.items)[i],
					((const char *const *)right.as.items)[i]))
				return false;
		return true;
	case ATH_TYPE_INT64_ARRAY:
	case ATH_TYPE_UUID_ARRAY:
		return memcmp(left.as.items, right.as.items,
			      left.count * (column->type == ATH_TYPE_INT64_ARRAY ? 8 : 16)) == 0;
	default:
		return memcmp(at, other, ath_type_size(column->type)) == 0;
	}
}

/* The first column in which they differ, the key aside; NULL: in none. */
static inline const char *difference(const struct every *a, const struct every *b)
{
	for (size_t i = 1; i < every_model.member_count; i++)
		if (!same_member(&every_model.members[i], a, b))
			return every_model.members[i].name;
	return NULL;
}

#endif
