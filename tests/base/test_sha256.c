/* test_sha256.c - SHA-256: the examples of FIPS 180-4, and pieces of every length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/internal.h"

/* In pieces of that many bytes. */
static const char *hash_of(const char *data, size_t length, size_t piece)
{
	static char text[ATH_SHA256_TEXT];
	struct ath_sha256 hash;

	ath_sha256_begin(&hash);
	for (size_t at = 0; at < length; at += piece)
		ath_sha256_add(&hash, data + at, length - at < piece ? length - at : piece);
	ath_sha256_end(&hash, text);
	return text;
}

static void test_known_answers(void **state)
{
	static const struct {
		const char *text, *hash;
	} rows[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		  "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		for (size_t piece = 1; piece < 130; piece++)
			assert_string_equal(hash_of(rows[i].text, strlen(rows[i].text), piece),
					    rows[i].hash);
}

static void test_a_million_letters(void **state)
{
	enum { MILLION = 1000000 };
	static char letters[MILLION];

	(void)state;
	memset(letters, 'a', sizeof letters);
	assert_string_equal(hash_of(letters, MILLION, 1000),
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_a_million_letters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
