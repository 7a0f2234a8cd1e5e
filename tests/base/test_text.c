/* test_text.c - text with a length, integers in it, and UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/internal.h"
#include "random.h"

#define BYTES(literal) literal, sizeof(literal) - 1

/* ---- text ------------------------------------------------------------------------------- */

static void test_text_is(void **state)
{
	static const struct {
		struct ath_text text;
		const char *string;
		bool is, is_nocase;
	} rows[] = {
		{ { BYTES("") }, "", true, true },
		{ { NULL, 0 }, "", true, true },
		{ { NULL, 0 }, "a", false, false },
		{ { BYTES("abc") }, "abc", true, true },
		{ { "abcdef", 3 }, "abc", true, true },
		{ { BYTES("abc") }, "abcd", false, false },
		{ { BYTES("abcd") }, "abc", false, false },
		{ { BYTES("aBc") }, "Abc", false, true },
		{ { BYTES("Content-Type") }, "content-type", false, true },
		{ { BYTES("a\0c") }, "a", false, false },
		{ { BYTES("a\0c") }, "abc", false, false },
		{ { BYTES("a@") }, "a`", false, false },
		{ { BYTES("\xc3\x84") }, "\xc3\xa4", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		assert_int_equal(ath_text_is(rows[i].text, rows[i].string), rows[i].is);
		assert_int_equal(ath_text_is_nocase(rows[i].text, rows[i].string),
				 rows[i].is_nocase);
	}
}

static void test_text_of_a_string(void **state)
{
	const char *string = "hello";

	(void)state;
	assert_ptr_equal(ath_text(string).data, string);
	assert_int_equal(ath_text(string).length, 5);
	assert_int_equal(ath_text("").length, 0);
}

/* ---- integers --------------------------------------------------------------------------- */

static void test_int64_is_read(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} rows[] = {
		{ "0", 0 },
		{ "-0", 0 },
		{ "1", 1 },
		{ "-1", -1 },
		{ "10", 10 },
		{ "1234567890", 1234567890 },
		{ "9223372036854775807", INT64_MAX },
		{ "-9223372036854775807", -INT64_MAX },
		{ "-9223372036854775808", INT64_MIN },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		int64_t value = 42;

		if (!ath_text_int64(ath_text(rows[i].text), &value) || value != rows[i].value)
			fail_msg("%s read as %" PRId64, rows[i].text, value);
	}
}

static void test_int64_refuses_other_forms(void **state)
{
	static const struct ath_text rows[] = {
		{ NULL, 0 },
		{ BYTES("") },
		{ BYTES("-") },
		{ BYTES("--1") },
		{ BYTES("+1") },
		{ BYTES("01") },
		{ BYTES("00") },
		{ BYTES("-01") },
		{ BYTES("-00") },
		{ BYTES(" 1") },
		{ BYTES("1 ") },
		{ BYTES("1\0") },
		{ BYTES("1\n") },
		{ BYTES("1.0") },
		{ BYTES("1e3") },
		{ BYTES("0x10") },
		{ BYTES("/") },
		{ BYTES(":") },
		{ BYTES("1-") },
		{ BYTES("9223372036854775808") },
		{ BYTES("9223372036854775810") },
		{ BYTES("-9223372036854775809") },
		{ BYTES("18446744073709551616") },
		{ BYTES("18446744073709551617") },
		{ BYTES("100000000000000000000000000") },
		{ BYTES("\xef\xbc\x91") }, /* a full-width 1 */
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		int64_t value;

		if (ath_text_int64(rows[i], &value))
			fail_msg("row %zu read: %.*s", i, (int)rows[i].length, rows[i].data);
	}
}

static void test_int64_stops_at_the_length(void **state)
{
	int64_t value;

	(void)state;
	assert_true(ath_text_int64((struct ath_text){ "1234", 2 }, &value));
	assert_int_equal(value, 12);
}

/* ---- UTF-8 ------------------------------------------------------------------------------ */

static void test_utf8_table(void **state)
{
	static const struct {
		const char *data;
		size_t length;
		bool valid;
		size_t count;
	} rows[] = {
		{ NULL, 0, true, 0 },
		{ BYTES(""), true, 0 },
		{ BYTES("plain"), true, 5 },
		{ BYTES("a\0b"), true, 3 },
		{ BYTES("\x7f"), true, 1 },
		{ BYTES("\xc2\x80"), true, 1 },
		{ BYTES("\xdf\xbf"), true, 1 },
		{ BYTES("\xe0\xa0\x80"), true, 1 },
		{ BYTES("\xed\x9f\xbf"), true, 1 },
		{ BYTES("\xee\x80\x80"), true, 1 },
		{ BYTES("\xef\xbf\xbf"), true, 1 },
		{ BYTES("\xf0\x90\x80\x80"), true, 1 },
		{ BYTES("\xf4\x8f\xbf\xbf"), true, 1 },
		{ BYTES("Gr\xc3\xbc\xc3\x9f"
			"e \xe2\x82\xac \xf0\x9f\x98\x80"),
		  true, 9 },
		{ BYTES("12345678\xc3\xbc"
			"12345678"),
		  true, 17 },
		{ BYTES("\x80"), false, 0 },
		{ BYTES("\xbf"), false, 0 },
		{ BYTES("\xfe"), false, 0 },
		{ BYTES("\xff"), false, 0 },
		{ BYTES("\xc0\x80"), false, 0 }, /* overlong */
		{ BYTES("\xc1\xbf"), false, 0 },
		{ BYTES("\xe0\x80\x80"), false, 0 },
		{ BYTES("\xe0\x9f\xbf"), false, 0 },
		{ BYTES("\xf0\x80\x80\x80"), false, 0 },
		{ BYTES("\xf0\x8f\xbf\xbf"), false, 0 },
		{ BYTES("\xed\xa0\x80"), false, 0 }, /* surrogates */
		{ BYTES("\xed\xbf\xbf"), false, 0 },
		{ BYTES("\xf4\x90\x80\x80"), false, 0 }, /* beyond U+10FFFF */
		{ BYTES("\xf5\x80\x80\x80"), false, 0 },
		{ BYTES("\xf8\x88\x80\x80\x80"), false, 0 },
		{ BYTES("\xc3"), false, 0 }, /* cut */
		{ BYTES("\xe2\x82"), false, 0 },
		{ BYTES("\xf0\x9f\x98"), false, 0 },
		{ BYTES("12345678\xf0\x9f\x98"), false, 0 },
		{ BYTES("\xc3\xbc\xbc"), false, 0 },
		{ BYTES("\xc3"
			"a"),
		  false, 0 },
		{ BYTES("\xe2\x82"
			"a"),
		  false, 0 },
		{ BYTES("\xf0\x9f\x98"
			"a"),
		  false, 0 },
		{ BYTES("\xe2"
			"a\x82"),
		  false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		if (ath_utf8_valid(rows[i].data, rows[i].length) != rows[i].valid)
			fail_msg("row %zu", i);
		if (rows[i].valid)
			assert_int_equal(ath_utf8_length(rows[i].data, rows[i].length),
					 rows[i].count);
	}
}

/* The word-wise path must not step over a bad byte, wherever it stands. */
static void test_utf8_bad_byte_at_every_place(void **state)
{
	char text[40];

	(void)state;
	for (size_t length = 1; length <= sizeof text; length++) {
		for (size_t i = 0; i < length; i++) {
			memset(text, 'a', sizeof text);
			text[i] = (char)0xff;
			assert_false(ath_utf8_valid(text, length));
			assert_true(ath_utf8_valid(text, i));
		}
	}
}

/* The same question answered by arithmetic: decode, then look at the number. */
static size_t reference_sequence(const unsigned char *at)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = *at < 0x80       ? 1
			: *at >> 5 == 6  ? 2
			: *at >> 4 == 14 ? 3
			: *at >> 3 == 30 ? 4
					 : 0;
	uint32_t point = length == 1 ? *at : length == 0 ? 0 : *at & (0x7fU >> length);

	for (size_t i = 1; i < length; i++) {
		if (at[i] >> 6 != 2)
			return 0;
		point = point << 6 | (at[i] & 0x3f);
	}
	if (length == 0 || point < least[length] || point > 0x10ffff || point >> 11 == 0x1b)
		return 0;
	return length;
}

static void test_utf8_agrees_with_decoding(void **state)
{
	static const unsigned char edges[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
					       0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
					       0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff };
	const size_t n = ATH_COUNT(edges);

	(void)state;
	for (size_t i = 0; i < n * n * n * n; i++) {
		unsigned char at[] = { edges[i % n], edges[i / n % n], edges[i / n / n % n],
				       edges[i / n / n / n] };

		if (ath_utf8_sequence((char *)at, 4) != reference_sequence(at))
			fail_msg("%02x %02x %02x %02x", at[0], at[1], at[2], at[3]);
	}
	for (int i = 0; i < 200000; i++) {
		uint32_t word = (uint32_t)next_random() | 0xc0;
		unsigned char at[4];

		memcpy(at, &word, 4);
		if (ath_utf8_sequence((char *)at, 4) != reference_sequence(at))
			fail_msg("%02x %02x %02x %02x", at[0], at[1], at[2], at[3]);
	}
}

static void test_utf8_every_code_point(void **state)
{
	(void)state;
	for (uint32_t point = 0x800; point <= 0x10ffff; point++) {
		unsigned char at[4] = { (unsigned char)(0xf0 | point >> 18),
					(unsigned char)(0x80 | (point >> 12 & 0x3f)),
					(unsigned char)(0x80 | (point >> 6 & 0x3f)),
					(unsigned char)(0x80 | (point & 0x3f)) };
		size_t length = point < 0x10000 ? 3 : 4;
		char *start = (char *)at + 4 - length;

		if (length == 3)
			at[1] = (unsigned char)(0xe0 | point >> 12);
		if (ath_utf8_valid(start, length) != (point < 0xd800 || point > 0xdfff))
			fail_msg("U+%04" PRIX32, point);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is),
		cmocka_unit_test(test_text_of_a_string),
		cmocka_unit_test(test_int64_is_read),
		cmocka_unit_test(test_int64_refuses_other_forms),
		cmocka_unit_test(test_int64_stops_at_the_length),
		cmocka_unit_test(test_utf8_table),
		cmocka_unit_test(test_utf8_bad_byte_at_every_place),
		cmocka_unit_test(test_utf8_agrees_with_decoding),
		cmocka_unit_test(test_utf8_every_code_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
