/*
 * test_json_out.c - rows as JSON: every type at its edges, what is NULL, relations, what no JSON
 * can say; and that what goes out comes back in as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "../base/random.h"
#include "rest/internal.h"
#include "things.h"

static struct ath_arena *arena;
static struct ath_buffer out;

static int setup(void **state)
{
	(void)state;
	return (int)ath_arena_open(&arena, 0);
}

static int teardown(void **state)
{
	(void)state;
	ath_arena_close(&arena);
	return 0;
}

static const char *json_of(const struct ath_model *model, const void *object)
{
	ath_arena_reset(arena);
	ath_buffer_init(&out, arena, 1 << 20);
	ath_row_to_json(&out, model, object);
	return ath_buffer_c_string(&out);
}

/* The smallest thing that can be written: its texts are there. */
static struct thing empty_thing(void)
{
	return (struct thing){ .name = "", .email = "" };
}

#define ZERO_UUID   "\"00000000-0000-0000-0000-000000000000\""
#define ZERO_MOMENT "\"1970-01-01T00:00:00Z\""
#define EMPTY_VALUES                                                                               \
	"\"id\":0,\"name\":\"\",\"email\":\"\",\"note\":null,\"flag\":false,\"small\":0,"          \
	"\"medium\":0,\"large\":0,\"real\":0,\"moment\":" ZERO_MOMENT ",\"uuid\":" ZERO_UUID       \
	",\"null_flag\":null,\"null_small\":null,\"null_medium\":null,\"null_large\":null,"        \
	"\"null_real\":null,\"null_moment\":null,\"null_uuid\":null,\"made_at\":" ZERO_MOMENT

static void test_an_empty_row(void **state)
{
	struct thing thing = empty_thing();

	(void)state;
	assert_string_equal(json_of(&thing_model, &thing), "{" EMPTY_VALUES "}");
	assert_false(out.failed);
}

static void test_a_full_row(void **state)
{
	struct thing thing = {
		.id = 9007199254740993,
		.name = "a\"\\\n\x01\x7f",
		.email = "\xc3\xa4\xf0\x9f\x98\x80",
		.note = "",
		.flag = true,
		.small = INT16_MIN,
		.medium = INT32_MIN,
		.large = INT64_MIN,
		.real = -0.1,
		.moment = { 1 },
		.uuid = { { 0xff, [15] = 1 } },
		.null_flag = { false, true },
		.null_small = { INT16_MAX, true },
		.null_medium = { INT32_MAX, true },
		.null_large = { INT64_MAX, true },
		.null_real = { DBL_MAX, true },
		.null_moment = { { INT64_MAX }, true },
		.null_uuid = { { { 0 } }, true },
		.made_at = { -1 },
	};

	(void)state;
	assert_string_equal(
		json_of(&thing_model, &thing),
		"{\"id\":9007199254740993,\"name\":\"a\\\"\\\\\\n\\u0001\x7f\","
		"\"email\":\"\xc3\xa4\xf0\x9f\x98\x80\",\"note\":\"\",\"flag\":true,"
		"\"small\":-32768,\"medium\":-2147483648,\"large\":-9223372036854775808,"
		"\"real\":-0.1,\"moment\":\"1970-01-01T00:00:00.000001Z\","
		"\"uuid\":\"ff000000-0000-0000-0000-000000000001\",\"null_flag\":false,"
		"\"null_small\":32767,\"null_medium\":2147483647,"
		"\"null_large\":9223372036854775807,\"null_real\":1.7976931348623157e+308,"
		"\"null_moment\":\"infinity\",\"null_uuid\":" ZERO_UUID
		",\"made_at\":\"1969-12-31T23:59:59.999999Z\"}");
}

/* A value that stands behind a flag which says NULL is not shown. */
static void test_null_whatever_stands_there(void **state)
{
	struct thing thing = empty_thing();

	(void)state;
	thing.null_flag.value = true;
	thing.null_small.value = 1;
	thing.null_large.value = INT64_MAX;
	thing.null_real.value = (double)NAN;
	assert_string_equal(json_of(&thing_model, &thing), "{" EMPTY_VALUES "}");
}

/* ---- what no JSON can say -------------------------------------------------------------------- */

static void test_no_numbers_fail_the_buffer(void **state)
{
	static const double rows[] = { (double)NAN, (double)INFINITY, -(double)INFINITY };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct thing thing = empty_thing();

		thing.real = rows[i];
		assert_string_equal(json_of(&thing_model, &thing), "");
		assert_true(out.failed);
		thing.real = 0;
		thing.null_real = (struct ath_null_double){ rows[i], true };
		assert_string_equal(json_of(&thing_model, &thing), "");
		assert_true(out.failed);
	}
}

static void test_a_full_buffer_fails(void **state)
{
	struct thing thing = empty_thing();
	size_t whole = strlen(json_of(&thing_model, &thing));

	(void)state;
	for (size_t ceiling = 0; ceiling <= whole; ceiling++) {
		struct ath_buffer small;

		ath_buffer_init(&small, NULL, ceiling);
		ath_row_to_json(&small, &thing_model, &thing);
		assert_int_equal(small.failed, ceiling < whole);
		ath_buffer_free(&small);
	}
}

/* ---- relations ------------------------------------------------------------------------------- */

#define PART_1 "{\"id\":1,\"thing_id\":7,\"name\":\"one\"}"
#define PART_2 "{\"id\":2,\"thing_id\":7,\"name\":\"two\"}"

static void test_relations_are_there_when_loaded(void **state)
{
	static struct part one = { 1, 7, "one" }, two = { 2, 7, "two" };
	static struct part *both[] = { &one, &two };
	static const struct part_list none = { NULL, 0 }, empty = { both, 0 }, first = { both, 1 },
				      all = { both, 2 };
	static const struct {
		const struct part_list *before, *behind;
		const char *json;
	} rows[] = {
		{ &none, &none, "{" EMPTY_VALUES "}" },
		{ &none, &empty, "{" EMPTY_VALUES ",\"parts\":[]}" },
		{ &none, &first, "{" EMPTY_VALUES ",\"parts\":[" PART_1 "]}" },
		{ &none, &all, "{" EMPTY_VALUES ",\"parts\":[" PART_1 "," PART_2 "]}" },
		{ &empty, &none, "{\"first_parts\":[]," EMPTY_VALUES "}" },
		{ &all, &none, "{\"first_parts\":[" PART_1 "," PART_2 "]," EMPTY_VALUES "}" },
		{ &first, &empty, "{\"first_parts\":[" PART_1 "]," EMPTY_VALUES ",\"parts\":[]}" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct thing thing = empty_thing();

		thing.first_parts = *rows[i].before;
		thing.parts = *rows[i].behind;
		assert_string_equal(json_of(&thing_model, &thing), rows[i].json);
	}
}

/* ---- out and in again --------------------------------------------------------------------------
 */

/* Edges of every width as often as any number. */
static int64_t random_integer(void)
{
	int64_t value = (int64_t)(next_random() >> next_random() % 64);

	switch (next_random() % 4) {
	case 0:
		return INT64_MIN + (int64_t)(next_random() % 3);
	case 1:
		return INT64_MAX - (int64_t)(next_random() % 3);
	case 2:
		return -value;
	default:
		return value;
	}
}

static double random_double(void)
{
	uint64_t bits = next_random();
	double value;

	memcpy(&value, &bits, sizeof value);
	return isfinite(value) ? value : (double)random_integer();
}

static char *put_utf8(char *at, uint32_t point)
{
	static const struct {
		uint32_t below;
		unsigned char lead;
		int more;
	} widths[] = {
		{ 0x80, 0, 0 }, { 0x800, 0xc0, 1 }, { 0x10000, 0xe0, 2 }, { 0x110000, 0xf0, 3 }
	};
	size_t i = 0;

	while (point >= widths[i].below)
		i++;
	*at++ = (char)(widths[i].lead | point >> 6 * widths[i].more);
	for (int more = widths[i].more; more > 0; more--)
		*at++ = (char)(0x80 | (point >> 6 * (more - 1) & 0x3f));
	return at;
}

/* Code points of every width, no NUL and no surrogates. */
static const char *random_text(size_t most)
{
	static const uint32_t starts[] = { 1, 0x20, 0x80, 0x800, 0xe000, 0x10000 };
	static const uint32_t ends[] = { 0x20, 0x80, 0x800, 0xd800, 0x10000, 0x110000 };
	char *text = ath_arena_alloc(arena, 4 * most + 1), *at = text;

	assert_non_null(text);
	for (size_t left = next_random() % (most + 1); left > 0; left--) {
		size_t kind = next_random() % ATH_COUNT(starts);

		at = put_utf8(at, starts[kind] +
					  (uint32_t)(next_random() % (ends[kind] - starts[kind])));
	}
	*at = '\0';
	return text;
}

/* A year that RFC 3339 can say: 0001 to 9999. */
static struct ath_timestamp random_moment(void)
{
	static const int64_t first = -62135596800, last = 253402300799;

	if (next_random() % 16 == 0)
		return (struct ath_timestamp){ next_random() % 2 ? INT64_MAX : INT64_MIN };
	return (struct ath_timestamp){
		(first + (int64_t)(next_random() % (uint64_t)(last - first))) * 1000000 +
		(int64_t)(next_random() % 1000000)
	};
}

static struct ath_uuid random_uuid(void)
{
	struct ath_uuid uuid;

	for (size_t i = 0; i < sizeof uuid.bytes; i++)
		uuid.bytes[i] = (unsigned char)next_random();
	return uuid;
}

static bool coin(void)
{
	return next_random() % 2;
}

/* What breaks no rule of the model and holds nothing that only the database sets. */
static void random_thing(struct thing *thing)
{
	memset(thing, 0, sizeof *thing);
	do
		thing->name = random_text(5);
	while (ath_utf8_length(thing->name, strlen(thing->name)) < 2);
	thing->email = ath_arena_printf(arena, "a%" PRIu64 "@example.org", next_random());
	thing->note = coin() ? NULL : random_text(40);
	thing->flag = coin();
	thing->small = (int16_t)random_integer();
	thing->medium = (int32_t)(next_random() % 156) - 5;
	thing->large = random_integer();
	thing->real = random_double();
	thing->moment = random_moment();
	thing->uuid = random_uuid();
	if (coin())
		thing->null_flag = (struct ath_null_bool){ coin(), true };
	if (coin())
		thing->null_small = (struct ath_null_int16){ (int16_t)random_integer(), true };
	if (coin())
		thing->null_medium = (struct ath_null_int32){ (int32_t)random_integer(), true };
	if (coin())
		thing->null_large = (struct ath_null_int64){ random_integer(), true };
	if (coin())
		thing->null_real =
			(struct ath_null_double){ fmod(fabs(random_double()), 10), true };
	if (coin())
		thing->null_moment = (struct ath_null_timestamp){ random_moment(), true };
	if (coin())
		thing->null_uuid = (struct ath_null_uuid){ random_uuid(), true };
}

/* The JSON of a row without what a client may not set. */
static char *settable_part(char *json)
{
	char *name = strstr(json, "\"name\":"), *made_at = strstr(json, ",\"made_at\":");

	assert_non_null(name);
	assert_non_null(made_at);
	*--name = '{';
	strcpy(made_at, "}");
	return name;
}

static void assert_same_thing(const struct thing *a, const struct thing *b, const char *json)
{
	for (size_t i = 0; i < thing_model.member_count; i++) {
		const struct ath_member *member = &thing_model.members[i];

		if (member->kind == ATH_MEMBER_COLUMN && !ath_member_equal(member, a, b))
			fail_msg("%s is another: %s", member->name, json);
	}
}

static void test_what_goes_out_comes_back(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct ath_json_document document;
		struct ath_error error = { 0 };
		struct thing thing, back = { 0 };
		const struct ath_violation *violation;
		char *json;

		ath_arena_reset(arena);
		random_thing(&thing);
		ath_buffer_init(&out, arena, 1 << 20);
		ath_row_to_json(&out, &thing_model, &thing);
		ath_buffer_append(&out, "", 1);
		assert_false(out.failed);
		json = settable_part(out.data);
		assert_int_equal(ath_json_read(arena, json, strlen(json), &document, &error),
				 ATH_OK);
		violation = ath_json_to_row(arena, &document, &thing_model, ATH_BIND_NEW, &back);
		if (violation != NULL)
			fail_msg("%s %s: %s", violation->pointer, violation->detail, json);
		assert_same_thing(&thing, &back, json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_row),
		cmocka_unit_test(test_a_full_row),
		cmocka_unit_test(test_null_whatever_stands_there),
		cmocka_unit_test(test_no_numbers_fail_the_buffer),
		cmocka_unit_test(test_a_full_buffer_fails),
		cmocka_unit_test(test_relations_are_there_when_loaded),
		cmocka_unit_test(test_what_goes_out_comes_back),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
