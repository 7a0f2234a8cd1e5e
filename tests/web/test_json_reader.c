/*
 * test_json_reader.c - the tokens that come out of a JSON text, messages, names, size, memory and
 * damaged texts. What is JSON and what is not: test_json_rules.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json_reading.h"

/* ---- errors ------------------------------------------------------------------------------ */

static void test_messages(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *message; } rows[] = {
		{ "", "at byte 0: the text is empty" },
		{ "\xef\xbb\xbf{}", "at byte 0: a byte order mark" },
		{ "[1,]", "at byte 3: a value was expected" },
		{ "[1,", "at byte 3: the text ends where a value was expected" },
		{ "[1 2]", "at byte 3: a comma or ] was expected" },
		{ "{\"a\":1", "at byte 6: the text ends where a comma or } was expected" },
		{ "{1:2}", "at byte 1: a name was expected" },
		{ "{\"a\" 2}", "at byte 5: a colon was expected" },
		{ "{\"a\":1,\"a\":2}", "at byte 7: a name that the object has already" },
		{ "[] []", "at byte 3: more text behind the value" },
		{ "-a", "at byte 1: a digit was expected" },
		{ "[007]", "at byte 2: a digit behind a leading zero" },
		{ "[\"abc]", "at byte 1: a string that does not end" },
		{ "\"a\tb\"", "at byte 2: a control character in a string" },
		{ "\"a\\xb\"", "at byte 2: not an escape" },
		{ "\"\\ud800\"", "at byte 1: half of a surrogate pair" },
		{ "\"a\xff\"", "at byte 2: not UTF-8" },
		{ OPEN_32 "[", "at byte 32: nested too deep" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct reading reading = read_text(rows[i].text, strlen(rows[i].text));

		assert_string_equal(reading.error.message, rows[i].message);
		free(reading.text);
	}
}

static void test_first_error_stays(void **state)
{
	struct ath_json_document document;
	struct ath_error error = { .status = ATH_EIO, .message = "before" };

	(void)state;
	assert_int_not_equal(ath_json_read(arena, "[", 1, &document, &error), ATH_OK);
	assert_int_equal(error.status, ATH_EIO);
	assert_string_equal(error.message, "before");
}

/* ---- size and depth ------------------------------------------------------------------------ */

static void test_too_deep(void **state)
{
	static const char *const units[] = { "[", "{\"a\":", "[{\"a\":", "[1,[],[" };
	static const long bytes[] = { 32, 160, 96, 112 };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(units); i++) {
		size_t unit = strlen(units[i]), count = 100000;
		char *text = malloc(unit * count);
		struct reading reading;

		assert_non_null(text);
		for (size_t j = 0; j < count; j++)
			memcpy(text + j * unit, units[i], unit);
		reading = read_text(text, unit * count);
		assert_int_equal(reading.status, ATH_ETOOBIG);
		assert_int_equal(error_byte(&reading.error), bytes[i]);
		check_refusal(&reading, unit * count);
		free(reading.text);
		free(text);
	}
}

static void test_deep_by_one(void **state)
{
	static const char *const texts[] = {
		OPEN_32 "[]" CLOSE_32,
		OPEN_32 "{}" CLOSE_32,
		NAME_8 NAME_8 NAME_8 NAME_8 "[]" END_8 END_8 END_8 END_8,
		"[" OPEN_8 CLOSE_8 "," OPEN_32 CLOSE_32 "]",
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(texts); i++) {
		struct reading reading = read_text(texts[i], strlen(texts[i]));

		assert_int_equal(reading.status, ATH_ETOOBIG);
		check_refusal(&reading, strlen(texts[i]));
		free(reading.text);
	}
}

/* The length is refused before a byte is read: there are not that many. */
static void test_four_gigabytes(void **state)
{
	static const size_t lengths[] = { (size_t)1 << 32, ((size_t)1 << 32) + 2, SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(lengths); i++) {
		struct ath_json_document document;
		struct ath_error error = { 0 };

		assert_int_equal(ath_json_read(arena, "[]", lengths[i], &document, &error),
				 ATH_ETOOBIG);
		assert_int_equal(error_byte(&error), UINT32_MAX);
	}
}

static void test_no_text(void **state)
{
	struct ath_json_document document;
	struct ath_error error = { 0 };

	(void)state;
	assert_int_equal(ath_json_read(arena, NULL, 0, &document, &error), ATH_EINVAL);
	assert_int_equal(document.count, 0);
}

/* ---- tokens -------------------------------------------------------------------------------- */

static void test_tokens(void **state)
{
	static const char text[] = " {\"a\":[1,-2.5e3,\"x\\n\"] ,\"\\u0062\":{\"c\":null},\"d\":"
				   "[ [], { } ,true,false]} ";
	static const struct {
		enum ath_json_type type;
		const char *text;
		uint32_t next, count;
		bool escaped;
	} expected[] = {
		{ ATH_JSON_OBJECT, NULL, 16, 3, false },
		{ ATH_JSON_STRING, "a", 2, 0, false },
		{ ATH_JSON_ARRAY, "[1,-2.5e3,\"x\\n\"]", 6, 3, false },
		{ ATH_JSON_NUMBER, "1", 4, 0, false },
		{ ATH_JSON_NUMBER, "-2.5e3", 5, 0, false },
		{ ATH_JSON_STRING, "x\\n", 6, 0, true },
		{ ATH_JSON_STRING, "\\u0062", 7, 0, true },
		{ ATH_JSON_OBJECT, "{\"c\":null}", 10, 1, false },
		{ ATH_JSON_STRING, "c", 9, 0, false },
		{ ATH_JSON_NULL, "null", 10, 0, false },
		{ ATH_JSON_STRING, "d", 11, 0, false },
		{ ATH_JSON_ARRAY, "[ [], { } ,true,false]", 16, 4, false },
		{ ATH_JSON_ARRAY, "[]", 13, 0, false },
		{ ATH_JSON_OBJECT, "{ }", 14, 0, false },
		{ ATH_JSON_TRUE, "true", 15, 0, false },
		{ ATH_JSON_FALSE, "false", 16, 0, false },
	};
	struct reading reading = read_string(text);

	(void)state;
	assert_int_equal(reading.document.count, ATH_COUNT(expected));
	for (size_t i = 0; i < ATH_COUNT(expected); i++) {
		const struct ath_json_token *token = &reading.document.tokens[i];

		assert_int_equal(token->type, expected[i].type);
		assert_int_equal(token->next, expected[i].next);
		assert_int_equal(token->count, expected[i].count);
		assert_int_equal(token->escaped, expected[i].escaped);
		if (expected[i].text != NULL) {
			assert_int_equal(token->length, strlen(expected[i].text));
			assert_memory_equal(reading.text + token->start, expected[i].text,
					    token->length);
		}
	}
	assert_int_equal(reading.document.tokens[0].start, 1);
	assert_int_equal(reading.document.tokens[0].length, strlen(text) - 2);
	free(reading.text);
}

/* The tokens move several times on the way. */
static void test_many_elements(void **state)
{
	struct ath_buffer text;
	struct reading reading;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 24);
	ath_buffer_string(&text, "[0");
	for (int i = 1; i < 100000; i++)
		ath_buffer_printf(&text, i % 10 == 0 ? ",[%d]" : ",%d", i);
	ath_buffer_string(&text, "]");
	assert_false(text.failed);
	reading = read_text(text.data, text.length);
	assert_int_equal(reading.status, ATH_OK);
	assert_int_equal(reading.document.count, 110000);
	assert_int_equal(reading.document.tokens[0].count, 100000);
	check_document(&reading, text.length);
	free(reading.text);
	ath_buffer_free(&text);
}

/* As many tokens in as few bytes as there can be, whole and with the end cut off. */
static void test_dense(void **state)
{
	static const struct {
		const char *front, *unit, *back;
		uint32_t before, tokens;
	} rows[] = {
		{ "[", "0,", "0]", 2, 1 },
		{ "[", "[],", "{}]", 2, 1 },
		{ OPEN_32, "0,", "0" CLOSE_32, 33, 1 },
		{ NAME_8 NAME_8 NAME_8 "[", "{\"\":0},", "0]" END_8 END_8 END_8, 50, 3 },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		for (uint32_t units = 0; units < 6000; units += units < 200 ? 1 : 577) {
			struct ath_buffer text;
			struct reading reading;

			ath_buffer_init(&text, NULL, 1 << 20);
			ath_buffer_string(&text, rows[i].front);
			for (uint32_t j = 0; j < units; j++)
				ath_buffer_string(&text, rows[i].unit);
			reading = read_text(text.data, text.length);
			assert_int_equal(reading.status, ATH_EINVAL);
			free(reading.text);
			ath_buffer_string(&text, rows[i].back);
			reading = read_text(text.data, text.length);
			assert_int_equal(reading.status, ATH_OK);
			assert_int_equal(reading.document.count,
					 rows[i].before + units * rows[i].tokens);
			check_document(&reading, text.length);
			free(reading.text);
			ath_buffer_free(&text);
		}
	}
}

/* Memory for count tokens: the array and those it has outgrown, of which each was half or less. */
static size_t most_memory(uint32_t count)
{
	return 4 * sizeof(struct ath_json_token) * (size_t)count + 4096;
}

/* What is refused at the 33rd bracket has not looked at the others. */
static void test_a_million_brackets(void **state)
{
	enum { BRACKETS = 1000 * 1000 };
	char *text = malloc(BRACKETS);
	struct reading reading;

	(void)state;
	assert_non_null(text);
	memset(text, '[', BRACKETS);
	reading = read_text(text, BRACKETS);
	assert_int_equal(reading.status, ATH_ETOOBIG);
	assert_int_equal(error_byte(&reading.error), ATH_JSON_MAX_DEPTH);
	assert_true(ath_arena_used(arena) <= most_memory(ATH_JSON_MAX_DEPTH));
	free(reading.text);
	free(text);
}

/* Arrays of 32 levels beside each other: as many tokens as brackets that open. */
static void test_a_megabyte_at_full_depth(void **state)
{
	static const char unit[] =
		OPEN_8 OPEN_8 OPEN_8 "[[[[[[[" CLOSE_8 CLOSE_8 CLOSE_8 "]]]]]]],";
	enum { UNITS = 1024 * 1024 / (sizeof unit - 1) };
	struct ath_buffer text;
	struct reading reading;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 24);
	ath_buffer_string(&text, "[");
	for (size_t i = 0; i < UNITS; i++)
		ath_buffer_append(&text, unit, sizeof unit - 1);
	text.data[text.length - 1] = ']';
	reading = read_text(text.data, text.length);
	assert_int_equal(reading.status, ATH_OK);
	assert_int_equal(reading.document.count, 1 + 31 * UNITS);
	assert_true(ath_arena_used(arena) <= most_memory(reading.document.count));
	check_document(&reading, text.length);
	free(reading.text);
	ath_buffer_free(&text);
}

/* With each name compared with each this would be five billion comparisons; no memory for it. */
static void test_a_hundred_thousand_members(void **state)
{
	enum { MEMBERS = 100 * 1000 };
	struct ath_buffer text;
	struct reading reading;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 24);
	for (unsigned i = 0; i < MEMBERS; i++)
		ath_buffer_printf(&text, "%c\"%u\":%u", i == 0 ? '{' : ',', i * 7919 % MEMBERS, i);
	ath_buffer_string(&text, "}");
	reading = read_text(text.data, text.length);
	assert_int_equal(reading.status, ATH_OK);
	assert_int_equal(reading.document.count, 1 + 2 * MEMBERS);
	assert_true(ath_arena_used(arena) <= most_memory(reading.document.count));
	check_document(&reading, text.length);
	free(reading.text);

	text.data[text.length - 1] = ',';
	ath_buffer_string(&text, "\"7919\":0}"); /* the second of all */
	reading = read_text(text.data, text.length);
	assert_int_equal(reading.status, ATH_EINVAL);
	assert_int_equal(error_byte(&reading.error), text.length - strlen("\"7919\":0}"));
	free(reading.text);
	ath_buffer_free(&text);
}

/* ---- strings ------------------------------------------------------------------------------- */

struct string_row {
	const char *json;
	const char *bytes;
	size_t length;
};

/* clang-format off */
#define STRING(json_, bytes_) { json_, bytes_, sizeof(bytes_) - 1 }

static const struct string_row strings[] = {
	STRING("\"\"", ""),
	STRING("\"plain\"", "plain"),
	STRING("\"\xc3\xa9\xf0\x9f\x98\x80\"", "\xc3\xa9\xf0\x9f\x98\x80"),
	STRING("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"),
	STRING("\"a\\nb\"", "a\nb"),
	STRING("\"\\\\n\"", "\\n"),
	STRING("\"\\\\u0041\"", "\\u0041"),
	STRING("\"\\u0041\"", "A"),
	STRING("\"\\u0000\"", "\0"),
	STRING("\"a\\u0000b\"", "a\0b"),
	STRING("\"\\u007f\\u0080\"", "\x7f\xc2\x80"),
	STRING("\"\\u07FF\\u0800\"", "\xdf\xbf\xe0\xa0\x80"),
	STRING("\"\\ud7ff\\ue000\"", "\xed\x9f\xbf\xee\x80\x80"),
	STRING("\"\\uFFFF\"", "\xef\xbf\xbf"),
	STRING("\"\\ud800\\udc00\"", "\xf0\x90\x80\x80"),
	STRING("\"\\uD83D\\uDE00!\"", "\xf0\x9f\x98\x80!"),
	STRING("\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf"),
	STRING("\"\\u20ac\xe2\x82\xac\\u20AC\"", "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"),
	STRING("\"\\u00e9\\\"\xc3\xa9\"", "\xc3\xa9\"\xc3\xa9"),
	STRING("-12.50e1", "-12.50e1"),
	STRING("9223372036854775807", "9223372036854775807"),
	STRING("true", "true"),
	STRING("[ 1, \"\\n\" ]", "[ 1, \"\\n\" ]"),
};
/* clang-format on */

static void test_string(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(strings); i++) {
		struct reading reading = read_string(strings[i].json);
		const struct ath_json_token *token = reading.document.tokens;
		struct ath_text text = ath_json_string(arena, &reading.document, token);

		assert_int_equal(text.length, strings[i].length);
		assert_memory_equal(text.data, strings[i].bytes, text.length);
		if (token->escaped)
			assert_int_equal(text.data[text.length], '\0');
		else
			assert_ptr_equal(text.data, reading.text + token->start);
		free(reading.text);
	}
}

/* Each code point comes back from its escapes as the UTF-8 that it is. */
static void test_every_code_point(void **state)
{
	(void)state;
	for (unsigned c = 0; c <= 0x10ffff; c += c < 0x3000 ? 1 : 61) {
		unsigned high = 0xd7c0 + (c >> 10), low = 0xdc00 + (c & 0x3ff);
		char json[16];
		struct ath_json_document document;
		struct ath_error error = { 0 };
		struct ath_text text;
		int length = c < 0x10000 ? snprintf(json, sizeof json, "\"\\u%04x\"", c)
					 : snprintf(json, sizeof json, "\"\\u%04x\\u%04X\"",
						    high & 0xffff, low & 0xffff);

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		ath_arena_reset(arena);
		assert_int_equal(ath_json_read(arena, json, (size_t)length, &document, &error),
				 ATH_OK);
		text = ath_json_string(arena, &document, document.tokens);
		assert_int_equal(text.length, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
		assert_true(ath_utf8_valid(text.data, text.length));
		assert_int_equal((unsigned char)text.data[text.length - 1] & 0x3f, c & 0x3f);
	}
}

/* ---- members ------------------------------------------------------------------------------- */

static void test_member(void **state)
{
	struct reading reading = read_string("{\"a\":1,\"b\":{\"x\":[1,2,3]},\"\\u0063\":\"third\","
					     "\"d\\u0000\":4,\"\":5,\"\\u00e9\":6,\"\\\\n\":7}");
	const struct ath_json_document *document = &reading.document;
	static const struct {
		const char *name;
		uint32_t index;
	} rows[] = {
		{ "a", 2 },         { "b", 4 },     { "c", 11 }, { "", 15 },
		{ "\xc3\xa9", 17 }, { "\\n", 19 },  { "x", 0 },  { "d", 0 },
		{ "A", 0 },         { "aa", 0 },    { "cc", 0 }, { "\\u0063", 0 },
		{ "\\u00e9", 0 },   { "\xc3", 0 },  { "\n", 0 }, { "\xc3\xa9\xa9", 0 },
		{ "\\n\\", 0 },     { "third", 0 }, { "\\", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const struct ath_json_token *value =
			ath_json_member(document, document->tokens, rows[i].name);

		if (rows[i].index == 0)
			assert_null(value);
		else
			assert_ptr_equal(value, &document->tokens[rows[i].index]);
	}
	assert_non_null(ath_json_member(document, &document->tokens[4], "x"));
	assert_null(ath_json_member(document, &document->tokens[4], "a"));
	assert_null(ath_json_member(document, &document->tokens[2], "a"));
	assert_null(ath_json_member(document, &document->tokens[6], "1"));
	assert_null(ath_json_member(document, &document->tokens[6], "x"));
	free(reading.text);
}

static void test_member_of_nothing(void **state)
{
	struct reading reading = read_string("{}");

	(void)state;
	assert_null(ath_json_member(&reading.document, reading.document.tokens, ""));
	free(reading.text);
}

/* ---- duplicate names ----------------------------------------------------------------------- */

/*
 * An object of count members whose names are in no order; the one at second has the name
 * of the one at first, written with an escape if escaped. Returns where that name stands.
 */
static long write_object(struct ath_buffer *text, unsigned count, unsigned first, unsigned second,
			 bool escaped)
{
	size_t byte = 0;

	ath_buffer_string(text, "{");
	for (unsigned i = 0; i < count; i++) {
		unsigned number = (i == second ? first : i) * 7919 % 10007;

		if (i > 0)
			ath_buffer_string(text, ",");
		if (i == second)
			byte = text->length;
		ath_buffer_string(text, i == second && escaped ? "\"\\u006E" : "\"n");
		ath_buffer_printf(text, "%u\":[{\"n\":%u},%u]", number, i, i);
	}
	ath_buffer_string(text, "}");
	assert_false(text->failed);
	return (long)byte;
}

static void check_duplicate(unsigned count, unsigned first, unsigned second, bool escaped)
{
	struct ath_buffer text;
	struct reading reading;
	long byte;

	ath_buffer_init(&text, NULL, 1 << 24);
	byte = write_object(&text, count, first, second, escaped);
	reading = read_text(text.data, text.length);
	if (second < count) {
		assert_int_equal(reading.status, ATH_EINVAL);
		assert_int_equal(error_byte(&reading.error), byte);
	} else {
		assert_int_equal(reading.status, ATH_OK);
		assert_int_equal(reading.document.tokens[0].count, count);
		check_document(&reading, text.length);
	}
	free(reading.text);
	ath_buffer_free(&text);
}

/* Every pair, below and above the size at which names are no longer compared one by one. */
static void test_duplicates_by_pair(void **state)
{
	(void)state;
	for (unsigned count = 2; count <= 36; count += count < 15 || count > 17 ? 3 : 1) {
		check_duplicate(count, 0, count, false);
		for (unsigned second = 1; second < count; second++) {
			for (unsigned first = 0; first < second; first++)
				check_duplicate(count, first, second, (first + second) % 2 == 0);
		}
	}
}

static void test_duplicates_of_1000(void **state)
{
	static const unsigned pairs[][2] = {
		{ 0, 1 },   { 0, 999 },  { 998, 999 }, { 499, 500 },
		{ 1, 512 }, { 17, 640 }, { 0, 1000 }, /* none */
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(pairs); i++) {
		check_duplicate(1000, pairs[i][0], pairs[i][1], false);
		check_duplicate(1000, pairs[i][0], pairs[i][1], true);
	}
}

/* Members of a large object are still found when its names have been sorted. */
static void test_member_of_1000(void **state)
{
	struct ath_buffer text;
	struct reading reading;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 24);
	write_object(&text, 1000, 0, 1000, false);
	reading = read_text(text.data, text.length);
	assert_int_equal(reading.status, ATH_OK);
	for (unsigned i = 0; i < 1000; i++) {
		const struct ath_json_token *value;
		char name[16];

		snprintf(name, sizeof name, "n%u", i * 7919 % 10007);
		value = ath_json_member(&reading.document, reading.document.tokens, name);
		assert_ptr_equal(value, &reading.document.tokens[2 + 6 * i]);
	}
	assert_null(ath_json_member(&reading.document, reading.document.tokens, "n"));
	free(reading.text);
	ath_buffer_free(&text);
}

/*
 * Names that are long and differ only at their ends, half of them escaped all through: with
 * each compared with each this would be eight hundred million characters.
 */
static void test_hostile_names(void **state)
{
	enum { NAMES = 2000, LENGTH = 400 };
	struct ath_buffer text;
	struct reading reading;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 24);
	for (int i = 0; i < NAMES; i++) {
		ath_buffer_string(&text, i == 0 ? "{\"" : ",\"");
		for (int j = 0; j < LENGTH; j++)
			ath_buffer_string(&text, i % 2 == 0 ? "a" : "\\u0061");
		ath_buffer_printf(&text, "%d\":%d", i, i);
	}
	ath_buffer_string(&text, "}");
	assert_false(text.failed);
	reading = read_text(text.data, text.length);
	assert_int_equal(reading.status, ATH_OK);
	check_document(&reading, text.length);
	free(reading.text);
	ath_buffer_free(&text);
}

/* ---- memory -------------------------------------------------------------------------------- */

/* Refused with one ceiling after the other until one is high enough. */
static void test_ceiling(void **state)
{
	struct ath_buffer text;
	enum ath_status status = ATH_ENOMEM;
	size_t refused = 0;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 20);
	write_object(&text, 100, 0, 100, false);
	for (size_t ceiling = 1; status != ATH_OK; ceiling += 97) {
		struct ath_json_document document;
		struct ath_error error = { 0 };
		struct ath_arena *small;

		assert_int_equal(ath_arena_open(&small, ceiling), ATH_OK);
		status = ath_json_read(small, text.data, text.length, &document, &error);
		if (status != ATH_OK) {
			assert_int_equal(status, ATH_ENOMEM);
			assert_int_equal(error.status, ATH_ENOMEM);
			assert_true(error_byte(&error) >= 0);
			assert_null(document.tokens);
			refused++;
		}
		ath_arena_close(&small);
		assert_true(ceiling < 1 << 20);
	}
	assert_true(refused > 10);
	ath_buffer_free(&text);
}

static void test_ceiling_of_string(void **state)
{
	static const char json[] = "\"\\u0061bcdefghijklmnopqrstuvwxyz\"";
	struct ath_json_document document;
	struct ath_error error = { 0 };
	struct ath_arena *small;
	struct ath_text text;

	(void)state;
	assert_int_equal(ath_arena_open(&small, 2048), ATH_OK);
	assert_int_equal(ath_json_read(small, json, strlen(json), &document, &error), ATH_OK);
	while (ath_arena_alloc(small, 16) != NULL)
		;
	text = ath_json_string(small, &document, document.tokens);
	assert_null(text.data);
	assert_int_equal(text.length, 0);
	ath_arena_close(&small);
}

/* ---- damage -------------------------------------------------------------------------------- */

static const char whole[] =
	"{\"id\":-12.5e+3,\"\\u006eame\":\"gr\xc3\xbc\xc3\x9f \\ud83d\\ude00\\n\","
	"\"tags\":[\"\xe2\x82\xac\",true,false,null,[],{}],\"n\":{\"a\":0,\"b\":[1,2]}}";

static void test_every_prefix(void **state)
{
	struct reading reading = read_string(whole);

	(void)state;
	check_document(&reading, strlen(whole));
	free(reading.text);
	for (size_t length = 0; length < strlen(whole); length++) {
		reading = read_text(whole, length);
		assert_int_equal(reading.status, ATH_EINVAL);
		check_refusal(&reading, length);
		free(reading.text);
	}
}

/* Accepted or refused, it is one of the two in full. */
static void check_either(const char *text, size_t length)
{
	struct reading reading = read_text(text, length);

	if (reading.status == ATH_OK)
		check_document(&reading, length);
	else
		check_refusal(&reading, length);
	free(reading.text);
}

static void test_every_byte_changed(void **state)
{
	char text[sizeof whole];

	(void)state;
	memcpy(text, whole, sizeof whole);
	for (size_t i = 0; i < strlen(whole); i++) {
		for (int byte = 0; byte < 256; byte++) {
			text[i] = (char)byte;
			check_either(text, strlen(whole));
		}
		text[i] = whole[i];
	}
}

static void test_every_byte_lost_or_doubled(void **state)
{
	char text[sizeof whole + 1];
	size_t length = strlen(whole);

	(void)state;
	for (size_t i = 0; i < length; i++) {
		memcpy(text, whole, i);
		memcpy(text + i, whole + i + 1, length - i - 1);
		check_either(text, length - 1);
		memcpy(text, whole, i + 1);
		memcpy(text + i + 1, whole + i, length - i);
		check_either(text, length + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_first_error_stays),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_deep_by_one),
		cmocka_unit_test(test_four_gigabytes),
		cmocka_unit_test(test_no_text),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_many_elements),
		cmocka_unit_test(test_dense),
		cmocka_unit_test(test_a_million_brackets),
		cmocka_unit_test(test_a_megabyte_at_full_depth),
		cmocka_unit_test(test_a_hundred_thousand_members),
		cmocka_unit_test(test_string),
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_member),
		cmocka_unit_test(test_member_of_nothing),
		cmocka_unit_test(test_duplicates_by_pair),
		cmocka_unit_test(test_duplicates_of_1000),
		cmocka_unit_test(test_member_of_1000),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_ceiling_of_string),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_every_byte_changed),
		cmocka_unit_test(test_every_byte_lost_or_doubled),
	};

	return cmocka_run_group_tests_name("json_reader", tests, set_up, tear_down);
}
