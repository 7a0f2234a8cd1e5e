/* test_url.c - percent-decoding, in rows, and against a second decoder on random bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../base/random.h"
#include "web/internal.h"

/* From an allocation of exactly the text's size into another: no byte more is touched. */
static size_t decode(const char *data, size_t length, bool plus, char *out)
{
	char *text = malloc(length > 0 ? length : 1), *to = malloc(length > 0 ? length : 1);
	size_t decoded;

	memcpy(text, data, length);
	decoded = ath_percent_decode((struct ath_text){ text, length }, plus, to);
	if (decoded != SIZE_MAX) {
		assert_true(decoded <= length);
		memcpy(out, to, decoded);
	}
	free(text);
	free(to);
	return decoded;
}

static const struct row {
	const char *text;
	bool plus;
	const char *out; /* NULL: refused */
} rows[] = {
	{ "", false, "" },
	{ "plain", false, "plain" },
	{ "%41%62%7a", false, "Abz" },
	{ "%4a%4A%aa", false, NULL }, /* 0xaa alone is no UTF-8 */
	{ "%4a%4A", false, "JJ" },
	{ "%2F%2f/", false, "///" },
	{ "%25", false, "%" },
	{ "%2541", false, "%41" }, /* once, not twice */
	{ "a+b", false, "a+b" },
	{ "a+b", true, "a b" },
	{ "%2b+", true, "+ " },
	{ "%20", false, " " },
	{ "%7f%01", false, "\x7f\x01" },
	{ "%c3%a4\xc3\xa4%c3\xa4\xc3%a4", false, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4" },
	{ "%f0%9f%98%80", false, "\xf0\x9f\x98\x80" },
	{ "%", false, NULL },
	{ "a%", false, NULL },
	{ "%4", false, NULL },
	{ "a%4", false, NULL },
	{ "%%41", false, NULL },
	{ "%4%41", false, NULL },
	{ "%g1", false, NULL },
	{ "%1g", false, NULL },
	{ "%G1", false, NULL },
	{ "%/1", false, NULL },
	{ "%:1", false, NULL },
	{ "%@1", false, NULL },
	{ "%`1", false, NULL },
	{ "% 1", false, NULL },
	{ "%+1", true, NULL },
	{ "%-1", false, NULL },
	{ "%0x41", false, NULL },
	{ "%00", false, NULL },
	{ "a%00b", true, NULL },
	{ "%ff", false, NULL },
	{ "\xff", false, NULL },
	{ "%c3", false, NULL },
	{ "%c3a", false, NULL },
	{ "%c0%80", false, NULL },    /* overlong */
	{ "%ed%a0%80", false, NULL }, /* a surrogate */
	{ "%f4%90%80%80", false, NULL },
};

static void every_row(void **state)
{
	char out[64];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		size_t length = decode(rows[i].text, strlen(rows[i].text), rows[i].plus, out);
		size_t expected = rows[i].out == NULL ? SIZE_MAX : strlen(rows[i].out);

		if (length != expected || (rows[i].out && memcmp(out, rows[i].out, length) != 0))
			fail_msg("%s", rows[i].text);
	}
}

static void a_nul_is_refused_as_it_is(void **state)
{
	char out[3];

	(void)state;
	assert_true(decode("a\0b", 3, false, out) == SIZE_MAX);
	assert_true(decode("\0", 1, true, out) == SIZE_MAX);
}

/* Every byte, in both cases of its digits, comes out as itself or not at all. */
static void every_byte(void **state)
{
	char text[4], out[3];

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		for (int upper = 0; upper <= 1; upper++) {
			size_t length;

			snprintf(text, sizeof text, upper ? "%%%02X" : "%%%02x", (unsigned)byte);
			length = decode(text, 3, false, out);
			if (byte == 0 || byte > 0x7f) {
				assert_true(length == SIZE_MAX);
			} else {
				assert_int_equal(length, 1);
				assert_int_equal(out[0], byte);
			}
		}
	}
}

/* The plainest decoder there is. */
static size_t decode_plainly(const char *text, size_t length, char *out)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++, count++) {
		unsigned byte = (unsigned char)text[i];

		if (byte == '%') {
			char digits[3] = "";

			for (int digit = 0; digit < 2 && i + 1 < length; digit++)
				digits[digit] = text[++i];
			if (strspn(digits, "0123456789abcdefABCDEF") != 2)
				return SIZE_MAX;
			byte = (unsigned)strtoul(digits, NULL, 16);
		}
		if (byte == 0)
			return SIZE_MAX;
		out[count] = (char)byte;
	}
	return ath_utf8_valid(out, count) ? count : SIZE_MAX;
}

static void random_texts(void **state)
{
	static const char alphabet[] = "%%%%0123456789abcdefABCDEFgz+/\xc3\xa4";
	char text[12], out[12], expected[12];

	(void)state;
	for (int round = 0; round < 200000; round++) {
		size_t length = next_random() % sizeof text, decoded;

		for (size_t i = 0; i < length; i++)
			text[i] = alphabet[next_random() % sizeof alphabet];
		decoded = decode(text, length, false, out);
		assert_int_equal(decoded, decode_plainly(text, length, expected));
		if (decoded != SIZE_MAX)
			assert_memory_equal(out, expected, decoded);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(a_nul_is_refused_as_it_is),
		cmocka_unit_test(every_byte),
		cmocka_unit_test(random_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
