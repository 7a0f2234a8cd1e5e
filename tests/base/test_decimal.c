/*
 * test_decimal.c - exact decimal numbers: their text and back, compared and rescaled, at the edges
 * of 38 digits, and for random numbers as digits on paper say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/internal.h"
#include "random.h"

#define NINES_37 "9999999999999999999999999999999999999"
#define NINES_38 NINES_37 "9"
#define ZEROS_37 "0000000000000000000000000000000000000"

static struct ath_decimal parsed(const char *text)
{
	struct ath_decimal value;

	if (!ath_decimal_parse(ath_text(text), &value))
		fail_msg("refused: %s", text);
	return value;
}

static const char *formatted(struct ath_decimal value)
{
	static char text[ATH_DECIMAL_MAX_TEXT];

	memset(text, 'x', sizeof text);
	assert_true(ath_decimal_format(value, text) < sizeof text);
	assert_non_null(memchr(text, '\0', sizeof text));
	return text;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* What is read, what is written, and how many digits there are. */
static const struct {
	const char *text, *written;
	int digits;
} numbers[] = {
	{ "0", "0", 0 },
	{ "-0", "0", 0 },
	{ "0.00", "0.00", 0 },
	{ "-0.0", "0.0", 0 },
	{ "1", "1", 1 },
	{ "-1", "-1", 1 },
	{ "1.50", "1.50", 3 },
	{ "-12.5", "-12.5", 3 },
	{ "0.5", "0.5", 1 },
	{ "-0.05", "-0.05", 1 },
	{ "007", "7", 1 },
	{ "00000000000000000000000000000000000000000001.5", "1.5", 2 },
	{ "9223372036854775808", "9223372036854775808", 19 },
	{ "18446744073709551616", "18446744073709551616", 20 },
	{ NINES_38, NINES_38, 38 },
	{ "-" NINES_38, "-" NINES_38, 38 },
	{ "9." NINES_37, "9." NINES_37, 38 },
	{ "-" NINES_37 ".9", "-" NINES_37 ".9", 38 },
	{ "0." NINES_38, "0." NINES_38, 38 },
	{ "-0." NINES_38, "-0." NINES_38, 38 },
	{ "0." ZEROS_37 "1", "0." ZEROS_37 "1", 1 },
	{ "0." ZEROS_37 "0", "0." ZEROS_37 "0", 0 },
	/* exponents move the point */
	{ "1e0", "1", 1 },
	{ "1E3", "1000", 4 },
	{ "1.5e3", "1500", 4 },
	{ "1.5e+1", "15", 2 },
	{ "1.50e1", "15.0", 3 },
	{ "15e-1", "1.5", 2 },
	{ "-15E-03", "-0.015", 2 },
	{ "1e37", "1" ZEROS_37, 38 },
	{ "1e-38", "0." ZEROS_37 "1", 1 },
	{ NINES_38 "e-38", "0." NINES_38, 38 },
	{ "0." NINES_38 "e38", NINES_38, 38 },
	{ "10e-39", "0." ZEROS_37 "1", 1 },
	{ "1" ZEROS_37 "e-75", "0." ZEROS_37 "1", 1 },
	{ "0e1000", "0", 0 },
	{ "0e-1000", "0." ZEROS_37 "0", 0 },
	{ "0." ZEROS_37 "0e-1000", "0." ZEROS_37 "0", 0 },
};

static void test_text_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(numbers); i++) {
		struct ath_decimal value = parsed(numbers[i].text);

		assert_string_equal(formatted(value), numbers[i].written);
		assert_int_equal(ath_decimal_digits(value), numbers[i].digits);
		assert_int_equal(ath_decimal_compare(value, parsed(numbers[i].written)), 0);
	}
}

static void test_what_is_no_number_is_refused(void **state)
{
	static const struct ath_text rows[] = {
		{ NULL, 0 },    { "", 0 },  { "1\0", 2 }, { "\0", 1 },
		{ "1\0e1", 4 }, { "1", 0 }, { "-", 1 },   { "-1", 1 },
	};
	static const char *const texts[] = {
		"+1",
		"--1",
		" 1",
		"1 ",
		"1.",
		".1",
		".",
		"-.5",
		"1..2",
		"1.2.3",
		"1,5",
		"1e",
		"1e+",
		"1e-",
		"1e+-1",
		"1e1.5",
		"1ee1",
		"e1",
		"1e1e1",
		"0x10",
		"1_000",
		"NaN",
		"Infinity",
		"-Infinity",
		"inf",
		"1.5f",
		"\xd9\xa1",
		"1e1001",
		"1e-1001",
		"1e99999999999999999999999999999999999999999",
		"0e1001",
		/* a digit too many */
		"1" ZEROS_37 "0",
		NINES_38 "9",
		"-" NINES_38 "0",
		NINES_38 ".0",
		"1." ZEROS_37 "0",
		"10." NINES_37,
		"1e38",
		"10e37",
		"1e-39",
		"11e-39",
		"0." ZEROS_37 "01",
		"0." NINES_38 "e39",
		NINES_38 "e1",
		NINES_38 "e-39",
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_decimal value;

		if (ath_decimal_parse(rows[i], &value))
			fail_msg("row %zu was read as %s", i, formatted(value));
	}
	for (size_t i = 0; i < ATH_COUNT(texts); i++) {
		struct ath_decimal value;

		if (ath_decimal_parse(ath_text(texts[i]), &value))
			fail_msg("%s was read as %s", texts[i], formatted(value));
	}
}

static void test_of(void **state)
{
	static const struct {
		int64_t coefficient;
		int scale;
		const char *text;
	} rows[] = {
		{ 0, 0, "0" },
		{ 1999, 2, "19.99" },
		{ -5, 3, "-0.005" },
		{ INT64_MAX, 0, "9223372036854775807" },
		{ INT64_MIN, 0, "-9223372036854775808" },
		{ INT64_MIN, 18, "-9.223372036854775808" },
		{ 1, 38, "0." ZEROS_37 "1" },
		{ INT64_MIN, 38, "-0.00000000000000000009223372036854775808" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_decimal value = ath_decimal_of(rows[i].coefficient, rows[i].scale);

		assert_string_equal(formatted(value), rows[i].text);
		assert_memory_equal(&value, &(struct ath_decimal){ 0 }, i == 0 ? sizeof value : 0);
		assert_int_equal(ath_decimal_compare(value, parsed(rows[i].text)), 0);
	}
}

static void expect_no_number(struct ath_decimal none)
{
	struct ath_decimal copy = none;

	assert_true(ath_decimal_compare(none, parsed("-" NINES_38)) < 0);
	assert_true(ath_decimal_compare(parsed("-" NINES_38), none) > 0);
	assert_int_equal(ath_decimal_compare(none, none), 0);
	assert_string_equal(formatted(none), "");
	assert_false(ath_decimal_rescale(&copy, 2));
	assert_memory_equal(&copy, &none, sizeof copy);
	(void)ath_decimal_digits(none);
}

/* A scale that no number has makes none: it goes nowhere, and nothing overflows over it. */
static void test_a_wrong_scale(void **state)
{
	static const int scales[] = { -1, -38, 39, 1000, INT32_MAX, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(scales); i++) {
		struct ath_decimal none = ath_decimal_of(7, scales[i]);
		struct ath_decimal zero = { .scale = scales[i] };

		assert_true(none.scale < 0);
		expect_no_number(none);
		expect_no_number(zero);
	}
	expect_no_number((struct ath_decimal){ .high = INT64_MAX });
	expect_no_number((struct ath_decimal){ .high = INT64_MIN, .scale = 38 });
	expect_no_number((struct ath_decimal){ .scale = INT64_MAX });
	expect_no_number((struct ath_decimal){ .scale = INT64_MIN });
}

/* ---- comparing and rescaling ------------------------------------------------------------------
 */

static void test_order(void **state)
{
	/* each line is less than the next, and all of it equal */
	static const char *const rows[][3] = {
		{ "-" NINES_38 },
		{ "-" NINES_37 ".9" },
		{ "-" NINES_37 ".8" },
		{ "-" NINES_37, "-" NINES_37 ".0" },
		{ "-2" },
		{ "-1." NINES_37 },
		{ "-1.5", "-1.50", "-15e-1" },
		{ "-1", "-1.00", "-1." ZEROS_37 },
		{ "-0." NINES_38 },
		{ "-0." ZEROS_37 "1" },
		{ "0", "0.00", "-0." ZEROS_37 "0" },
		{ "0." ZEROS_37 "1" },
		{ "0.1", "0.10", "0.1" ZEROS_37 },
		{ "0." NINES_38 },
		{ "1", "1.0", "1." ZEROS_37 },
		{ "1." NINES_37 },
		{ "2" },
		{ "9." NINES_37 },
		{ "10", "1e1", "10.0" },
		{ "18446744073709551615" },
		{ "18446744073709551616", "18446744073709551616.0" },
		{ NINES_37 ".8" },
		{ NINES_37 ".9" },
		{ "1e37", "1" ZEROS_37 },
		{ NINES_38 },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		for (size_t j = 0; j < ATH_COUNT(rows); j++)
			for (size_t k = 0; k < 9; k++) {
				const char *a = rows[i][k / 3], *b = rows[j][k % 3];
				int order;

				if (a == NULL || b == NULL)
					continue;
				order = ath_decimal_compare(parsed(a), parsed(b));
				if (i == j ? order != 0 : i < j ? order >= 0 : order <= 0)
					fail_msg("%s and %s: %d", a, b, order);
			}
}

static void test_rescale(void **state)
{
	static const struct {
		const char *from;
		int scale;
		const char *to; /* NULL: it is not to be had */
	} rows[] = {
		{ "0", 38, "0." ZEROS_37 "0" },
		{ "0." ZEROS_37 "0", 0, "0" },
		{ "1.5", 1, "1.5" },
		{ "1.5", 2, "1.50" },
		{ "-1.50", 1, "-1.5" },
		{ "1.500", 0, NULL },
		{ "-1.5", 0, NULL },
		{ "1.05", 1, NULL },
		{ "100.00", 0, "100" },
		{ "1", 37, "1." ZEROS_37 },
		{ "1", 38, NULL },
		{ "9", 37, "9." ZEROS_37 },
		{ "10", 37, NULL },
		{ "-10", 36,
		  "-10."
		  "000000000000000000000000000000000000" },
		{ NINES_38, 0, NINES_38 },
		{ NINES_38, 1, NULL },
		{ "-" NINES_38, 1, NULL },
		{ NINES_37, 1, NINES_37 ".0" },
		{ "-" NINES_37, 1, "-" NINES_37 ".0" },
		{ "0.1", 38, "0.1" ZEROS_37 },
		{ "0." NINES_38, 38, "0." NINES_38 },
		{ "0." NINES_38, 37, NULL },
		{ "1", -1, NULL },
		{ "10", -1, NULL },
		{ "0", 39, NULL },
		{ "0", -1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_decimal from = parsed(rows[i].from), value = from;
		bool done = ath_decimal_rescale(&value, rows[i].scale);

		if (done != (rows[i].to != NULL))
			fail_msg("%s to %d digits", rows[i].from, rows[i].scale);
		if (done)
			assert_string_equal(formatted(value), rows[i].to);
		else
			assert_memory_equal(&value, &from, sizeof value);
	}
}

/* ---- as digits on paper say -------------------------------------------------------------------
 */

enum { SIDE = 100 };

/* A number with its digits at fixed places. */
struct paper {
	bool negative;
	char digits[2 * SIDE + 1]; /* SIDE in front of the point and SIDE behind it */
};

/* digits with scale of them behind the point, moved by the exponent. */
static struct paper on_paper(bool negative, const char *digits, int scale, int exponent)
{
	struct paper paper = { .negative = negative };
	int length = (int)strlen(digits), first = SIDE - (length - scale) - exponent;

	memset(paper.digits, '0', 2 * SIDE);
	assert_true(first >= 0 && first + length <= 2 * SIDE);
	memcpy(paper.digits + first, digits, (size_t)length);
	if (strspn(paper.digits, "0") == 2 * SIDE)
		paper.negative = false;
	return paper;
}

static int compare_on_paper(const struct paper *a, const struct paper *b)
{
	int order = strcmp(a->digits, b->digits);

	if (a->negative != b->negative)
		return a->negative ? -1 : 1;
	order = (order > 0) - (order < 0);
	return a->negative ? -order : order;
}

/* Has it at most so many digits behind the point, and at most 38 with all of those? */
static bool fits_on_paper(const struct paper *paper, int scale)
{
	size_t zeros = strspn(paper->digits, "0");
	int last = 2 * SIDE - 1;

	while (last >= 0 && paper->digits[last] == '0')
		last--;
	return last < SIDE + scale && (int)zeros >= SIDE + scale - ATH_DECIMAL_DIGITS;
}

static void write_paper(const struct paper *paper, int scale, char *text)
{
	size_t zeros = strspn(paper->digits, "0");

	zeros = zeros < SIDE ? zeros : SIDE - 1;
	sprintf(text, "%s%.*s%s%.*s", paper->negative ? "-" : "", (int)(SIDE - zeros),
		paper->digits + zeros, scale > 0 ? "." : "", scale, paper->digits + SIDE);
}

struct number {
	struct paper paper;
	struct ath_decimal value;
	int scale;
};

/* Any number that there is, often with zeros or nines, by way of its text. */
static void random_number(struct number *number)
{
	char digits[ATH_DECIMAL_DIGITS + 2] = "", text[ATH_DECIMAL_DIGITS + 8];
	int length = 1 + (int)(next_random() % ATH_DECIMAL_DIGITS), scale;
	bool negative = next_random() % 2;
	uint64_t kind = next_random() % 4;

	scale = (int)(next_random() % (ATH_DECIMAL_DIGITS + 1));
	for (int i = 0; i < length; i++)
		digits[i] = kind == 0 && i > 0   ? '0'
			    : kind == 1 && i > 0 ? '9'
						 : (char)('0' + next_random() % 10);
	while (length <= scale) { /* a digit at least stands before the point */
		memmove(digits + 1, digits, (size_t)length++);
		digits[0] = '0';
	}
	snprintf(text, sizeof text, "%s%.*s%s%s", negative ? "-" : "", length - scale, digits,
		 scale > 0 ? "." : "", digits + length - scale);
	number->paper = on_paper(negative, digits, scale, 0);
	number->scale = scale;
	number->value = parsed(text);
	assert_int_equal(number->value.scale, scale);
}

static void check_rescale(const struct number *number)
{
	int scale = (int)(next_random() % (ATH_DECIMAL_DIGITS + 1));
	struct ath_decimal value = number->value;
	char text[2 * SIDE + 4];
	bool done = ath_decimal_rescale(&value, scale);

	write_paper(&number->paper, scale, text);
	if (done != fits_on_paper(&number->paper, scale))
		fail_msg("%s to %d", formatted(number->value), scale);
	if (done)
		assert_string_equal(formatted(value), text);
}

static void test_random_numbers(void **state)
{
	struct number last, next;
	char text[2 * SIDE + 4];

	(void)state;
	random_number(&last);
	for (int i = 0; i < 100000; i++, last = next) {
		random_number(&next);
		write_paper(&next.paper, next.scale, text);
		assert_string_equal(formatted(next.value), text);
		assert_int_equal(ath_decimal_compare(parsed(text), next.value), 0);
		if (ath_decimal_compare(last.value, next.value) !=
		    compare_on_paper(&last.paper, &next.paper))
			fail_msg("compared with %s", text);
		check_rescale(&next);
	}
}

/* Whatever has a place among the decimals is read, and all else refused. */
static void test_random_exponents(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++) {
		char digits[ATH_DECIMAL_DIGITS + 1] = "", text[80], expected[2 * SIDE + 4];
		int length = 1 + (int)(next_random() % (next_random() % 2 ? 5 : 38));
		int exponent = (int)(next_random() % 91) - 45, scale;
		bool negative = next_random() % 2, fits = false;
		struct ath_decimal value;
		struct paper paper;

		for (int d = 0; d < length; d++)
			digits[d] = (char)('0' + (next_random() % 3 ? next_random() % 10 : 0));
		scale = (int)(next_random() % (uint64_t)length);
		snprintf(text, sizeof text, "%s%.*s%s%s%c%s%d", negative ? "-" : "", length - scale,
			 digits, scale > 0 ? "." : "", digits + length - scale, i % 2 ? 'e' : 'E',
			 exponent >= 0 && i % 4 < 2 ? "+" : "", exponent);
		paper = on_paper(negative, digits, scale, exponent);
		for (int s = 0; s <= ATH_DECIMAL_DIGITS; s++)
			fits = fits || fits_on_paper(&paper, s);
		if (ath_decimal_parse(ath_text(text), &value) != fits)
			fail_msg("%s was %s", text, fits ? "refused" : "read");
		if (!fits)
			continue;
		write_paper(&paper, (int)value.scale, expected);
		assert_string_equal(formatted(value), expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_back),
		cmocka_unit_test(test_what_is_no_number_is_refused),
		cmocka_unit_test(test_of),
		cmocka_unit_test(test_a_wrong_scale),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_rescale),
		cmocka_unit_test(test_random_numbers),
		cmocka_unit_test(test_random_exponents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
