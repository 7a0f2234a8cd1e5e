/*
 * test_json_in.c - JSON into rows: every type at its edges, what is refused and with which words,
 * all of it at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "rest/internal.h"
#include "things.h"

static struct ath_arena *arena;
static struct thing thing; /* what the last bind() made */

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

static const struct ath_violation *bind_text(const struct ath_model *model, enum ath_bind_mode mode,
					     void *object, const char *text, size_t length)
{
	struct ath_json_document *document;
	struct ath_error error = { 0 };

	ath_arena_reset(arena);
	document = ath_new(arena, struct ath_json_document, 1);
	assert_non_null(document);
	if (ath_json_read(arena, text, length, document, &error) != ATH_OK)
		fail_msg("%s: %s", text, error.message);
	return ath_json_to_row(arena, document, model, mode, object);
}

/* All violations as one text: "/a: what; /b: what" */
static const char *bind(enum ath_bind_mode mode, const char *text)
{
	const struct ath_violation *violation =
		bind_text(&thing_model, mode, &thing, text, strlen(text));
	struct ath_buffer all;

	ath_buffer_init(&all, arena, 1 << 20);
	for (; violation != NULL; violation = violation->next)
		ath_buffer_printf(&all, "%s%s: %s", all.length > 0 ? "; " : "", violation->pointer,
				  violation->detail);
	return ath_buffer_c_string(&all);
}

/* A PATCH of a thing that was empty. */
static const char *patch(const char *text)
{
	memset(&thing, 0, sizeof thing);
	return bind(ATH_BIND_PATCH, text);
}

/* The member as JSON, which a row of a table can hold. */
static const char *member(const char *name)
{
	for (size_t i = 0; i < thing_model.member_count; i++) {
		const struct ath_member *column = &thing_model.members[i];
		struct ath_value value;

		if (column->kind != ATH_MEMBER_COLUMN || strcmp(column->name, name) != 0)
			continue;
		value = ath_member_get(column, &thing);
		if (value.null)
			return "null";
		if (value.type == ATH_TYPE_TEXT)
			return value.as.text;
		if (value.type == ATH_TYPE_BOOL)
			return value.as.boolean ? "true" : "false";
		if (value.type == ATH_TYPE_DOUBLE)
			return ath_arena_printf(arena, "%.17g", value.as.real);
		return ath_arena_printf(arena, "%" PRId64, value.as.integer);
	}
	fail_msg("no member %s", name);
	return NULL;
}

#define SMALL     "must be an integer from -32768 to 32767"
#define MEDIUM    "must be an integer from -5 to 150"
#define NULL_INT  "must be an integer from -2147483648 to 2147483647"
#define LARGE     "must be an integer from -9223372036854775808 to 9223372036854775807"
#define MOMENT    "must be a time such as \"2024-05-06T07:08:09Z\""
#define TEN       "must be a number from 0 to 10"
#define ANY_UUID  "00112233-4455-6677-8899-aabbccddeeff"
#define NOT_NULL  "must not be null"
#define FOUR_BYTE "\xf0\x9f\x98\x80"

/* ---- values ------------------------------------------------------------------------------- */

/* member, its JSON, and what it becomes, or (refused) what is said of it */
static const struct value_row {
	const char *name, *json, *value, *refused;
} value_rows[] = {
	{ "flag", "true", "true", NULL },
	{ "flag", "false", "false", NULL },
	{ "flag", "1", NULL, "must be true or false" },
	{ "flag", "\"true\"", NULL, "must be true or false" },
	{ "flag", "null", NULL, NOT_NULL },
	{ "null_flag", "null", "null", NULL },
	{ "null_flag", "false", "false", NULL },

	{ "small", "0", "0", NULL },
	{ "small", "32767", "32767", NULL },
	{ "small", "-32768", "-32768", NULL },
	{ "small", "32768", NULL, SMALL },
	{ "small", "-32769", NULL, SMALL },
	{ "small", "65536", NULL, SMALL },
	{ "small", "4294967296", NULL, SMALL },
	{ "small", "9223372036854775808", NULL, SMALL },
	{ "small", "1.0", NULL, SMALL },
	{ "small", "1e1", NULL, SMALL },
	{ "small", "\"1\"", NULL, SMALL },
	{ "small", "true", NULL, SMALL },
	{ "small", "[1]", NULL, SMALL },
	{ "small", "{\"small\":1}", NULL, SMALL },
	{ "small", "null", NULL, NOT_NULL },
	{ "null_small", "null", "null", NULL },
	{ "null_small", "0", "0", NULL },
	{ "null_small", "32768", NULL, SMALL },

	{ "medium", "-5", "-5", NULL },
	{ "medium", "150", "150", NULL },
	{ "medium", "-6", NULL, MEDIUM },
	{ "medium", "151", NULL, MEDIUM },
	{ "medium", "4294967297", NULL, MEDIUM },
	{ "null_medium", "2147483647", "2147483647", NULL },
	{ "null_medium", "-2147483648", "-2147483648", NULL },
	{ "null_medium", "2147483648", NULL, NULL_INT },
	{ "null_medium", "-2147483649", NULL, NULL_INT },

	{ "large", "9007199254740993", "9007199254740993", NULL },
	{ "large", "-9007199254740993", "-9007199254740993", NULL },
	{ "large", "9223372036854775807", "9223372036854775807", NULL },
	{ "large", "-9223372036854775808", "-9223372036854775808", NULL },
	{ "large", "9223372036854775808", NULL, LARGE },
	{ "large", "-9223372036854775809", NULL, LARGE },
	{ "large", "18446744073709551616", NULL, LARGE },
	{ "large", "18446744073709551617", NULL, LARGE },
	{ "large", "99999999999999999999999999999999", NULL, LARGE },
	{ "large", "1e18", NULL, LARGE },
	{ "null_large", "-9223372036854775808", "-9223372036854775808", NULL },
	{ "null_large", "null", "null", NULL },

	{ "real", "0", "0", NULL },
	{ "real", "0.1", "0.10000000000000001", NULL },
	{ "real", "-1.5e3", "-1500", NULL },
	{ "real", "1.7976931348623157e308", "1.7976931348623157e+308", NULL },
	{ "real", "5e-324", "4.9406564584124654e-324", NULL },
	{ "real", "1e-400", "0", NULL },
	{ "real", "1e400", NULL, "must be a number" },
	{ "real", "-1e400", NULL, "must be a number" },
	{ "real", "\"1\"", NULL, "must be a number" },
	{ "real", "null", NULL, NOT_NULL },
	{ "null_real", "0", "0", NULL },
	{ "null_real", "10.0", "10", NULL },
	{ "null_real", "10.000000001", NULL, TEN },
	{ "null_real", "-1e-9", NULL, TEN },
	{ "null_real", "null", "null", NULL },

	{ "name", "\"ab\"", "ab", NULL },
	{ "name", "\"\\u0061\\n\\\"\"", "a\n\"", NULL },
	{ "name", "\"\xc3\xa4\xe2\x82\xac" FOUR_BYTE FOUR_BYTE FOUR_BYTE "\"",
	  "\xc3\xa4\xe2\x82\xac" FOUR_BYTE FOUR_BYTE FOUR_BYTE, NULL },
	{ "name", "\"\\ud83d\\ude00\\ud83d\\ude00\"", FOUR_BYTE FOUR_BYTE, NULL },
	{ "name", "\"" FOUR_BYTE "\"", NULL, "must be at least 2 characters long" },
	{ "name", "\"\"", NULL, "must be at least 2 characters long" },
	{ "name", "\"abcdef\"", NULL, "must be at most 5 characters long" },
	{ "name", "\"a\\u0000c\"", NULL, "must not hold the character U+0000" },
	{ "name", "\"\\u0000\\u0000\"", NULL, "must not hold the character U+0000" },
	{ "name", "1", NULL, "must be a string" },
	{ "name", "[]", NULL, "must be a string" },
	{ "name", "null", NULL, NOT_NULL },
	{ "note", "\"\"", "", NULL },
	{ "note", "null", "null", NULL },

	{ "moment", "\"1970-01-01T00:00:00Z\"", "0", NULL },
	{ "moment", "\"1970-01-01T01:00:00.000001+01:00\"", "1", NULL },
	{ "moment", "\"1969-12-31T23:59:59.999999Z\"", "-1", NULL },
	{ "moment", "\"2024-02-29T00:00:00Z\"", "1709164800000000", NULL },
	{ "moment", "\"infinity\"", "9223372036854775807", NULL },
	{ "moment", "\"2023-02-29T00:00:00Z\"", NULL, MOMENT },
	{ "moment", "\"2024-05-06\"", NULL, MOMENT },
	{ "moment", "\"2024-05-06T07:08:09\"", NULL, MOMENT },
	{ "moment", "\"\"", NULL, MOMENT },
	{ "moment", "0", NULL, MOMENT },
	{ "moment", "null", NULL, NOT_NULL },
	{ "null_moment", "null", "null", NULL },
	{ "null_moment", "\"yesterday\"", NULL, MOMENT },

	{ "uuid", "\"00112233-4455-6677-8899-aabbccddeef\"", NULL, "must be a UUID" },
	{ "uuid", "\"00112233445566778899aabbccddeeff\"", NULL, "must be a UUID" },
	{ "uuid", "\"g0112233-4455-6677-8899-aabbccddeeff\"", NULL, "must be a UUID" },
	{ "uuid", "0", NULL, "must be a UUID" },
	{ "uuid", "null", NULL, NOT_NULL },
	{ "null_uuid", "null", "null", NULL },

	{ "id", "1", NULL, "cannot be set" },
	{ "made_at", "\"1970-01-01T00:00:00Z\"", NULL, "cannot be set" },
	{ "made_at", "null", NULL, "cannot be set" },
	{ "parts", "[]", NULL, "is not known here" },
	{ "first_parts", "null", NULL, "is not known here" },
};

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(value_rows); i++) {
		const struct value_row *row = &value_rows[i];
		char text[256], wanted[256] = "";

		snprintf(text, sizeof text, "{\"%s\":%s}", row->name, row->json);
		if (row->refused != NULL)
			snprintf(wanted, sizeof wanted, "/%s: %s", row->name, row->refused);
		assert_string_equal(patch(text), wanted);
		if (row->value != NULL)
			assert_string_equal(member(row->name), row->value);
	}
}

/* What is refused stays as it was, and so does all beside it that was not sent. */
static void test_refused_values_set_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(value_rows); i++) {
		struct thing before;
		char text[256];

		if (value_rows[i].refused == NULL)
			continue;
		memset(&thing, 0x5a, sizeof thing);
		before = thing;
		snprintf(text, sizeof text, "{\"%s\":%s}", value_rows[i].name, value_rows[i].json);
		assert_string_not_equal(bind(ATH_BIND_PATCH, text), "");
		assert_memory_equal(&thing, &before, sizeof thing);
	}
}

static void test_uuids_in_either_case(void **state)
{
	static const unsigned char bytes[16] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
						 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

	(void)state;
	assert_string_equal(patch("{\"uuid\":\"" ANY_UUID "\",\"null_uuid\":"
				  "\"00112233-4455-6677-8899-AABBCCDDEEFF\"}"),
			    "");
	assert_memory_equal(thing.uuid.bytes, bytes, 16);
	assert_memory_equal(thing.null_uuid.value.bytes, bytes, 16);
	assert_true(thing.null_uuid.valid);
}

static void test_emails(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "a@b.c", true },
		{ "first.last+tag@mail.example.org", true },
		{ "\\\"odd@name\\\"@example.org", true },
		{ "\xc3\xa4@\xc3\xb6.de", true },
		{ "a@sub.b.c", true },
		{ "", false },
		{ "a", false },
		{ "a@", false },
		{ "@", false },
		{ "@b.c", false },
		{ "a@b", false },
		{ "a@b.", false },
		{ "a@.b", false },
		{ "a@.b.c", false },
		{ "a b@c.d", false },
		{ "a@b .c", false },
		{ " a@b.c", false },
		{ "a@b.c ", false },
		{ "a@b.c\\n", false },
		{ "a\\u007f@b.c", false },
		{ "a.b@c", false },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		char text[128];

		snprintf(text, sizeof text, "{\"email\":\"%s\"}", rows[i].text);
		assert_string_equal(patch(text),
				    rows[i].good ? "" : "/email: must be an email address");
	}
}

/* RFC 5321 leaves 254 bytes for one. */
static void test_the_longest_email(void **state)
{
	char text[400];

	(void)state;
	for (int length = 254; length <= 255; length++) {
		snprintf(text, sizeof text, "{\"email\":\"%0*d@b.c\"}", length - 4, 0);
		assert_string_equal(patch(text),
				    length == 254 ? "" : "/email: must be an email address");
	}
}

/* ---- members ------------------------------------------------------------------------------- */

static void test_unknown_members_are_named(void **state)
{
	static const struct {
		const char *name, *pointer;
	} rows[] = {
		{ "unknown", "/unknown" },
		{ "", "/" },
		{ "Name", "/Name" },
		{ "name ", "/name " },
		{ "nam", "/nam" },
		{ "a/b", "/a~1b" },
		{ "a~b", "/a~0b" },
		{ "~1/~0", "/~01~1~00" },
		{ "a\\\"b\\n", "/a\"b\n" },
		{ "\\u00e4" FOUR_BYTE, "/\xc3\xa4" FOUR_BYTE },
		{ "name\\u0000", "/name\xef\xbf\xbd" },
		{ "%s%n", "/%s%n" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		char text[128], wanted[128];

		snprintf(text, sizeof text, "{\"%s\":{\"name\":[1,{}]}}", rows[i].name);
		snprintf(wanted, sizeof wanted, "%s: is not known here", rows[i].pointer);
		assert_string_equal(patch(text), wanted);
	}
}

static void test_escaped_names_are_the_same(void **state)
{
	(void)state;
	assert_string_equal(patch("{\"\\u006eame\":\"abc\"}"), "");
	assert_string_equal(thing.name, "abc");
}

static void test_only_objects(void **state)
{
	static const char *const rows[] = { "[]", "null", "1", "\"a\"", "true", "[{}]" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		assert_string_equal(bind(ATH_BIND_NEW, rows[i]), ": must be an object");
		assert_string_equal(bind(ATH_BIND_PATCH, rows[i]), ": must be an object");
	}
}

static void test_required_members(void **state)
{
	(void)state;
	memset(&thing, 0, sizeof thing);
	assert_string_equal(bind(ATH_BIND_NEW, "{}"),
			    "/name: is required; /email: is required; /flag: is required; "
			    "/small: is required; /medium: is required; /large: is required; "
			    "/real: is required; /moment: is required; /uuid: is required");
	/* what was sent is not missing, be it wrong */
	assert_string_equal(bind(ATH_BIND_NEW,
				 "{\"name\":null,\"email\":1,\"flag\":0,\"small\":0,\"medium\":0,"
				 "\"large\":0,\"real\":0,\"moment\":0,\"uuid\":\"" ANY_UUID "\"}"),
			    "/name: must not be null; /email: must be a string; "
			    "/flag: must be true or false; /moment: " MOMENT);
	assert_string_equal(bind(ATH_BIND_PATCH, "{}"), "");
}

static void test_all_violations_at_once(void **state)
{
	(void)state;
	memset(&thing, 0, sizeof thing);
	assert_string_equal(
		bind(ATH_BIND_NEW, "{\"zeta\":1,\"uuid\":\"x\",\"null_medium\":3e9,\"name\":\"a\","
				   "\"id\":7,\"flag\":true,\"small\":1,\"medium\":1,\"large\":1}"),
		"/zeta: is not known here; /uuid: must be a UUID; /null_medium: " NULL_INT
		"; /name: must be at least 2 characters long; /id: cannot be set; "
		"/email: is required; /real: is required; /moment: is required");
}

static void test_more_violations_than_are_told(void **state)
{
	const struct ath_violation *violation;
	struct ath_buffer text;
	int count = 0;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 20);
	for (int i = 0; i < 50000; i++)
		ath_buffer_printf(&text, "%s\"u%d\":0", i == 0 ? "{" : ",", i);
	ath_buffer_string(&text, "}");
	violation = bind_text(&thing_model, ATH_BIND_NEW, &thing, text.data, text.length);
	assert_false(ath_arena_failed(arena));
	for (; violation->next != NULL; violation = violation->next, count++)
		assert_int_equal(atoi(violation->pointer + 2), count);
	assert_int_equal(count, 100);
	assert_string_equal(violation->pointer, "");
	assert_string_equal(violation->detail, "there is more: only the first 100 are told");
	ath_buffer_free(&text);
}

/* ---- three states: sent, sent as null, not sent ---------------------------------------------- */

static void test_patch_has_three_states(void **state)
{
	(void)state;
	memset(&thing, 0, sizeof thing);
	thing.id = 7;
	thing.name = "before";
	thing.note = "before";
	thing.null_medium = (struct ath_null_int32){ 7, true };
	thing.null_large = (struct ath_null_int64){ 8, true };
	thing.null_real = (struct ath_null_double){ 9, true };
	assert_string_equal(bind(ATH_BIND_PATCH, "{\"note\":null,\"null_medium\":null,"
						 "\"null_real\":1,\"null_small\":2}"),
			    "");
	assert_int_equal(thing.id, 7);
	assert_string_equal(thing.name, "before");
	assert_null(thing.note);
	assert_false(thing.null_medium.valid);
	assert_int_equal(thing.null_medium.value, 0);
	assert_true(thing.null_large.valid);
	assert_int_equal(thing.null_large.value, 8);
	assert_true(thing.null_real.valid && thing.null_real.value > 0.5);
	assert_true(thing.null_small.valid);
	assert_int_equal(thing.null_small.value, 2);
}

/* A key that the database does not make is the client's, but only once. */
static void test_keys_of_ones_own(void **state)
{
	static const char text[] = "{\"code\":\"x\",\"text\":\"y\"}";
	struct label label = { 0 };
	const struct ath_violation *violation;

	(void)state;
	assert_null(bind_text(&label_model, ATH_BIND_NEW, &label, text, sizeof text - 1));
	assert_string_equal(label.code, "x");
	violation = bind_text(&label_model, ATH_BIND_PATCH, &label, text, sizeof text - 1);
	assert_non_null(violation);
	assert_string_equal(violation->pointer, "/code");
	assert_string_equal(violation->detail, "cannot be set");
	violation = bind_text(&label_model, ATH_BIND_NEW, &label, "{\"text\":\"y\"}", 12);
	assert_non_null(violation);
	assert_string_equal(violation->pointer, "/code");
	assert_string_equal(violation->detail, "is required");
}

/* Out of memory at any allocation: nothing breaks, and the arena tells. */
static void test_every_allocation_can_fail(void **state)
{
	static const char text[] = "{\"name\":\"\\u0061b\",\"u\":1,\"real\":1,\"email\":\"x\"}";
	struct ath_json_document document;
	struct ath_error error = { 0 };
	bool failed = true;

	(void)state;
	for (size_t ceiling = 0; failed; ceiling += 16) {
		struct ath_arena *small, *other;

		assert_int_equal(ath_arena_open(&other, 0), ATH_OK);
		assert_int_equal(ath_arena_open(&small, ceiling + 1), ATH_OK);
		assert_int_equal(ath_json_read(other, text, sizeof text - 1, &document, &error),
				 ATH_OK);
		memset(&thing, 0, sizeof thing);
		(void)ath_json_to_row(small, &document, &thing_model, ATH_BIND_NEW, &thing);
		failed = ath_arena_failed(small);
		ath_arena_close(&small);
		ath_arena_close(&other);
	}
}

static void test_the_model_is_a_good_one(void **state)
{
	struct ath_error error = { 0 };

	(void)state;
	assert_int_equal(ath_models_check(models, &error), ATH_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_model_is_a_good_one),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused_values_set_nothing),
		cmocka_unit_test(test_uuids_in_either_case),
		cmocka_unit_test(test_emails),
		cmocka_unit_test(test_the_longest_email),
		cmocka_unit_test(test_unknown_members_are_named),
		cmocka_unit_test(test_escaped_names_are_the_same),
		cmocka_unit_test(test_only_objects),
		cmocka_unit_test(test_required_members),
		cmocka_unit_test(test_all_violations_at_once),
		cmocka_unit_test(test_more_violations_than_are_told),
		cmocka_unit_test(test_patch_has_three_states),
		cmocka_unit_test(test_keys_of_ones_own),
		cmocka_unit_test(test_every_allocation_can_fail),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
