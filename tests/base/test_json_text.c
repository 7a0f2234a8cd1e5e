/* test_json_text.c - JSON's strings and numbers as they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "json_check.h"
#include "random.h"

#define BYTES(literal) literal, sizeof(literal) - 1
#define REPLACEMENT    "\xef\xbf\xbd"

static struct ath_buffer buffer;

static int setup(void **state)
{
	(void)state;
	ath_buffer_init(&buffer, NULL, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ath_buffer_free(&buffer);
	return 0;
}

static const char *written(const char *data, size_t length)
{
	buffer.length = 0;
	ath_buffer_json_text(&buffer, data, length);
	return ath_buffer_c_string(&buffer);
}

static const char *written_double(double value)
{
	buffer.length = 0;
	ath_buffer_json_double(&buffer, value);
	return ath_buffer_c_string(&buffer);
}

/* ---- strings ---------------------------------------------------------------------------- */

static void test_strings(void **state)
{
	static const struct {
		const char *data;
		size_t length;
		const char *json;
	} rows[] = {
		{ NULL, 0, "\"\"" },
		{ BYTES(""), "\"\"" },
		{ BYTES("plain"), "\"plain\"" },
		{ BYTES("\"\\/"), "\"\\\"\\\\/\"" },
		{ BYTES("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"" },
		{ BYTES("a\0b"), "\"a\\u0000b\"" },
		{ BYTES("\x1f\x20\x7f"), "\"\\u001f \x7f\"" },
		{ BYTES("\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ BYTES("a\nb\nc"), "\"a\\nb\\nc\"" },
		{ BYTES("\xff"), "\"" REPLACEMENT "\"" },
		{ BYTES("a\xff"
			"b"),
		  "\"a" REPLACEMENT "b\"" },
		{ BYTES("\"\xff\n"), "\"\\\"" REPLACEMENT "\\n\"" },
		{ BYTES("a\xe2\x82"), "\"a" REPLACEMENT REPLACEMENT "\"" },
		{ BYTES("\xc0\x80"), "\"" REPLACEMENT REPLACEMENT "\"" },
		{ BYTES("\xed\xa0\x80"), "\"" REPLACEMENT REPLACEMENT REPLACEMENT "\"" },
		{ BYTES("\xc3\xbc\xc3"), "\"\xc3\xbc" REPLACEMENT "\"" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		assert_string_equal(written(rows[i].data, rows[i].length), rows[i].json);
}

static void test_every_control_character_is_escaped(void **state)
{
	(void)state;
	for (int c = 0; c < 0x20; c++) {
		char byte = (char)c, back[8];
		size_t length;
		const char *json = written(&byte, 1), *end = json_string(json, back, &length);

		assert_int_equal(json[1], '\\');
		assert_ptr_equal(end, json + strlen(json));
		assert_int_equal(length, 1);
		assert_int_equal(back[0], c);
	}
}

/* Whatever goes in, a JSON string comes out; and what is UTF-8 comes back as it was. */
static void test_random_bytes_make_valid_strings(void **state)
{
	static const char alphabet[] = "\0\n\x1f\"\\/ aZ\x7f\x80\xbf\xc2\xc3\xa4\xe2\x82\xac"
				       "\xed\xa0\xf0\x9f\x98\xf4\x90\xff";

	(void)state;
	for (int i = 0; i < 50000; i++) {
		char data[32], back[200];
		size_t length = next_random() % sizeof data, got;
		const char *json;

		for (size_t j = 0; j < length; j++)
			data[j] = alphabet[next_random() % (i % 2 ? sizeof alphabet : 10)];
		json = written(data, length);
		assert_ptr_equal(json_string(json, back, &got), json + buffer.length);
		if (ath_utf8_valid(data, length)) {
			assert_int_equal(got, length);
			assert_memory_equal(back, data, length);
		}
	}
}

static void test_a_string_that_does_not_fit_fails(void **state)
{
	(void)state;
	for (size_t ceiling = 0; ceiling < 14; ceiling++) {
		struct ath_buffer small;

		ath_buffer_init(&small, NULL, ceiling);
		ath_buffer_json_text(&small, "ab\0cd\"", 6);
		assert_int_equal(small.failed, ceiling < 14);
		ath_buffer_free(&small);
	}
}

/* ---- numbers ---------------------------------------------------------------------------- */

static void test_doubles(void **state)
{
	static const struct {
		double value;
		const char *json;
	} rows[] = {
		{ 0, "0" },
		{ -0.0, "-0" },
		{ 1, "1" },
		{ -1.5, "-1.5" },
		{ 0.1, "0.1" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ 100000, "100000" },
		{ 1e15, "1e+15" },
		{ 1.23456789012345678e17, "1.2345678901234568e+17" },
		{ 0x1p53, "9007199254740992" },
		{ 1e-7, "1e-07" },
		{ DBL_MAX, "1.7976931348623157e+308" },
		{ -DBL_MAX, "-1.7976931348623157e+308" },
		{ DBL_MIN, "2.2250738585072014e-308" },
		{ 0x1p-1074, "5e-324" }, /* subnormals have fewer digits */
		{ 0x3p-1074, "1.5e-323" },
		{ 0x0.fffffffffffffp-1022, "2.225073858507201e-308" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		assert_string_equal(written_double(rows[i].value), rows[i].json);
}

static void test_what_json_has_no_number_for_fails(void **state)
{
	const double values[] = { NAN, -NAN, INFINITY, -INFINITY };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(values); i++) {
		ath_buffer_free(&buffer);
		ath_buffer_json_double(&buffer, values[i]);
		assert_true(buffer.failed);
	}
}

static int significant_digits(const char *json)
{
	int count = 0, zeroes = 0;

	for (; *json != '\0' && *json != 'e'; json++) {
		if (*json == '0')
			zeroes += count > 0;
		else if (*json >= '1' && *json <= '9')
			count += zeroes + 1, zeroes = 0;
	}
	return count;
}

/* The same bits come back, and one digit less would not do. */
static void check_double(double value)
{
	const char *json = written_double(value);
	double back = strtod(json, NULL);
	int digits = significant_digits(json);
	char shorter[320];

	if (memcmp(&back, &value, sizeof value) != 0)
		fail_msg("%a written as %s", value, json);
	if (json_number(json) != json + strlen(json))
		fail_msg("not JSON: %s", json);
	snprintf(shorter, sizeof shorter, "%.*g", digits > 1 ? digits - 1 : 1, value);
	back = strtod(shorter, NULL);
	if (digits > 1 && memcmp(&back, &value, sizeof value) == 0)
		fail_msg("%s, but %s would do", json, shorter);
}

static void test_random_doubles_come_back(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t bits = next_random();
		double value;

		if (i % 16 == 0)
			bits &= ~(UINT64_C(0x7ff) << 52); /* a subnormal */
		memcpy(&value, &bits, sizeof value);
		if (isfinite(value))
			check_double(value);
	}
}

static void test_random_decimals_come_back_as_they_were(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[32];

		snprintf(text, sizeof text, "%d.%02d", (int)(next_random() % 1000000),
			 1 + (int)(next_random() % 99));
		if (text[strlen(text) - 1] == '0')
			text[strlen(text) - 1] = '\0';
		assert_string_equal(written_double(strtod(text, NULL)), text);
	}
}

static void test_a_decimal_comma_is_not_written(void **state)
{
	static const char *const locales[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8",
					       "nb_NO.UTF-8", "de_DE" };
	size_t i = 0;

	(void)state;
	while (i < ATH_COUNT(locales) && setlocale(LC_NUMERIC, locales[i]) == NULL)
		i++;
	if (i == ATH_COUNT(locales))
		skip();
	written_double(1.5);
	setlocale(LC_NUMERIC, "C");
	assert_string_equal(ath_buffer_c_string(&buffer), "1.5");
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		row(test_strings),
		row(test_every_control_character_is_escaped),
		row(test_random_bytes_make_valid_strings),
		row(test_a_string_that_does_not_fit_fails),
		row(test_doubles),
		row(test_what_json_has_no_number_for_fails),
		row(test_random_doubles_come_back),
		row(test_random_decimals_come_back_as_they_were),
		row(test_a_decimal_comma_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
