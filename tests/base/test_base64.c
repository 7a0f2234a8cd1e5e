/* test_base64.c - bytes as base64 and back, and all that is not its one form (RFC 4648). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/internal.h"
#include "random.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Into memory of just the size that is asked for, so that a byte beyond it is seen. */
static bool decode(const char *text, size_t length, unsigned char **bytes, size_t *count)
{
	char *copy = malloc(length + 1);
	bool good;

	assert_non_null(copy);
	memcpy(copy, text, length);
	copy = realloc(copy, length > 0 ? length : 1);
	*bytes = malloc(length / 4 * 3 + 1);
	assert_non_null(copy);
	assert_non_null(*bytes);
	good = ath_base64_decode((struct ath_text){ copy, length }, *bytes, count);
	free(copy);
	return good;
}

static bool is_read(const char *text)
{
	unsigned char *bytes;
	size_t count;
	bool good = decode(text, strlen(text), &bytes, &count);

	free(bytes);
	return good;
}

/* RFC 4648, section 10, and what touches the last two letters. */
static const struct {
	const char *bytes, *text;
} vectors[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xff\xff\xff", "////" },
	{ "\xfb\xef\xbe", "++++" },
	{ "\xff", "/w==" },
	{ "\xfb\xf0", "+/A=" },
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(vectors); i++) {
		struct ath_buffer out;
		unsigned char *bytes;
		size_t count = 42;

		ath_buffer_init(&out, NULL, 64);
		ath_buffer_base64(&out, vectors[i].bytes, strlen(vectors[i].bytes));
		assert_string_equal(ath_buffer_c_string(&out), vectors[i].text);
		assert_false(out.failed);
		ath_buffer_free(&out);
		assert_true(decode(vectors[i].text, strlen(vectors[i].text), &bytes, &count));
		assert_int_equal(count, strlen(vectors[i].bytes));
		assert_memory_equal(bytes, vectors[i].bytes, count);
		free(bytes);
	}
}

static void test_no_bytes_at_all(void **state)
{
	struct ath_buffer out;
	unsigned char byte = 7;
	size_t count = 42;

	(void)state;
	ath_buffer_init(&out, NULL, 64);
	ath_buffer_base64(&out, NULL, 0);
	assert_false(out.failed);
	assert_int_equal(out.length, 0);
	ath_buffer_free(&out);
	assert_true(ath_base64_decode((struct ath_text){ NULL, 0 }, &byte, &count));
	assert_int_equal(count, 0);
	assert_int_equal(byte, 7);
}

/* Written the slow way: bit by bit. */
static void write_slowly(const unsigned char *bytes, size_t length, char *text)
{
	for (size_t i = 0; i < (length + 2) / 3 * 4; i++) {
		unsigned value = 0;

		for (size_t bit = 6 * i; bit < 6 * i + 6; bit++)
			value = value << 1 |
				(bit / 8 < length ? (unsigned)bytes[bit / 8] >> (7 - bit % 8) & 1u
						  : 0u);
		*text++ = 6 * i < 8 * length ? alphabet[value] : '=';
	}
	*text = '\0';
}

static void test_every_length(void **state)
{
	enum { MOST = 400 };
	unsigned char bytes[MOST], *back;
	char text[MOST / 3 * 4 + 8];

	(void)state;
	for (size_t length = 0; length < MOST; length++) {
		struct ath_buffer out;
		size_t count;

		for (size_t i = 0; i < length; i++)
			bytes[i] = (unsigned char)next_random();
		write_slowly(bytes, length, text);
		ath_buffer_init(&out, NULL, 1024);
		ath_buffer_string(&out, "x"); /* behind what is there */
		ath_buffer_base64(&out, bytes, length);
		assert_string_equal(ath_buffer_c_string(&out) + 1, text);
		ath_buffer_free(&out);
		assert_true(decode(text, strlen(text), &back, &count));
		assert_int_equal(count, length);
		assert_memory_equal(back, bytes, length);
		free(back);
	}
}

static void test_a_buffer_that_is_too_small_fails(void **state)
{
	struct ath_buffer out;

	(void)state;
	ath_buffer_init(&out, NULL, 7);
	ath_buffer_base64(&out, "foob", 4);
	assert_true(out.failed);
	ath_buffer_free(&out);
	ath_buffer_init(&out, NULL, 8);
	ath_buffer_base64(&out, "foob", 4);
	assert_false(out.failed);
	ath_buffer_free(&out);
	ath_buffer_init(&out, NULL, SIZE_MAX);
	ath_buffer_base64(&out, "foob", SIZE_MAX - 3);
	assert_true(out.failed);
	ath_buffer_free(&out);
}

static void test_malformed_text_is_refused(void **state)
{
	static const char *const rows[] = {
		"A",        "AA",       "AAA",      "AAAAA",    "AAAAAA",     "AAAAAAA",  "Zg",
		"Zg=",      "Zm8",      "Zg===",    "Zg====",   "=",          "==",       "===",
		"====",     "A===",     "=AAA",     "A=AA",     "AA=A",       "AAAA====", "AAAA=",
		"AAAAA===", "Zg==Zg==", "Zm8=Zm8=", "Zg==AAAA", "AAAA=AAA",   "Zg= =",    "Zg==\n",
		"Zg\n==",   " Zg==",    "Zm9v\n",   "Zm9v\r\n", "Zm9v Zm9v",  "Zm-v",     "Zm_v",
		"-_-_",     "Zm.v",     "Zm*v",     "Zm9v,AAA", "\xc3\xa4/A",
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		if (is_read(rows[i]))
			fail_msg("%s was read", rows[i]);
}

/* Every byte in every place of a group: only the alphabet, and the padding at the end. */
static void test_every_byte_in_every_place(void **state)
{
	(void)state;
	for (int place = 0; place < 4; place++)
		for (int byte = 0; byte < 256; byte++) {
			char text[8] = "AAAAAAAA";
			unsigned char *bytes;
			size_t count;
			bool letter = byte != 0 && strchr(alphabet, byte) != NULL;

			text[4 + place] = (char)byte;
			assert_int_equal(decode(text, sizeof text, &bytes, &count),
					 letter || (place == 3 && byte == '='));
			free(bytes);
			text[4 + place] = 'A';
			text[place] = (char)byte;
			assert_int_equal(decode(text, sizeof text, &bytes, &count), letter);
			free(bytes);
		}
}

/* Of the last letter only the bits that stand for something may be set: one text for one value. */
static void test_bits_that_stand_for_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 64; i++) {
		char one[] = "A.==", two[] = "AA.=", long_one[] = "AAAAA.==";

		one[1] = two[2] = long_one[5] = alphabet[i];
		assert_int_equal(is_read(one), i % 16 == 0);
		assert_int_equal(is_read(two), i % 4 == 0);
		assert_int_equal(is_read(long_one), i % 16 == 0);
	}
}

/* What is read is written in the same way again. */
static void test_random_text(void **state)
{
	int read = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char text[12];
		size_t length =
			next_random() % 4 == 0 ? next_random() % 13 : 4 * (next_random() % 4);
		unsigned char *bytes;
		struct ath_buffer out;
		size_t count;

		for (size_t at = 0; at < length; at++)
			text[at] = next_random() % 40 == 0 ? (char)next_random()
							   : alphabet[next_random() % 64];
		for (size_t pad = next_random() % 3; pad > 0 && length > pad; pad--)
			text[length - pad] = '=';
		if (decode(text, length, &bytes, &count)) {
			ath_buffer_init(&out, NULL, 64);
			ath_buffer_base64(&out, bytes, count);
			assert_int_equal(out.length, length);
			assert_memory_equal(ath_buffer_c_string(&out), text, length);
			ath_buffer_free(&out);
			read++;
		}
		free(bytes);
	}
	assert_true(read > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_no_bytes_at_all),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_a_buffer_that_is_too_small_fails),
		cmocka_unit_test(test_malformed_text_is_refused),
		cmocka_unit_test(test_every_byte_in_every_place),
		cmocka_unit_test(test_bits_that_stand_for_nothing),
		cmocka_unit_test(test_random_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
