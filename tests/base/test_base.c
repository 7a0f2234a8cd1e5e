/* test_base.c - status texts, the error whose first cause stays, and identifiers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/internal.h"

/* ---- status and errors ---------------------------------------------------------------- */

static void test_every_status_has_a_text_of_its_own(void **state)
{
	static const char *const texts[] = {
#define X(name, text) text,
		ATH_STATUS_MAP(X)
#undef X
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(texts); i++) {
		assert_string_equal(ath_status_text((enum ath_status)i), texts[i]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(texts[i], texts[j]);
	}
	assert_int_equal(ATH_OK, 0);
}

static void test_an_unknown_status_has_a_text(void **state)
{
	(void)state;
	assert_non_null(ath_status_text((enum ath_status)1000));
	assert_non_null(ath_status_text((enum ath_status) - 1));
}

static void test_the_first_error_stays(void **state)
{
	struct ath_error error = { 0 };

	(void)state;
	assert_int_equal(ath_error_set(&error, ATH_EIO, "first %d", 1), ATH_EIO);
	strcpy(error.table, "users");
	assert_int_equal(ath_error_set(&error, ATH_ENOMEM, "second"), ATH_EIO);
	assert_int_equal(error.status, ATH_EIO);
	assert_string_equal(error.message, "first 1");
	assert_string_equal(error.table, "users");
}

static void test_a_cleared_error_takes_another(void **state)
{
	struct ath_error error = { 0 };

	(void)state;
	ath_error_set(&error, ATH_EIO, "first");
	strcpy(error.sqlstate, "23505");
	strcpy(error.constraint, "users_pkey");
	strcpy(error.table, "users");
	strcpy(error.column, "id");
	ath_error_clear(&error);
	assert_int_equal(error.status, ATH_OK);
	assert_string_equal(error.message, "");
	assert_int_equal(ath_error_set(&error, ATH_EINVAL, "%s", "second"), ATH_EINVAL);
	assert_string_equal(error.message, "second");
	assert_string_equal(error.sqlstate, "");
	assert_string_equal(error.constraint, "");
	assert_string_equal(error.table, "");
	assert_string_equal(error.column, "");
}

static void test_a_long_message_is_cut(void **state)
{
	struct ath_error error = { 0 };

	(void)state;
	ath_error_set(&error, ATH_EIO, "%0500d", 7);
	assert_int_equal(strlen(error.message), sizeof error.message - 1);
	assert_string_equal(error.constraint, "");
}

/* ---- identifiers ------------------------------------------------------------------------ */

static void test_uuid_is_written_and_read(void **state)
{
	static const struct ath_uuid uuid = { { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
						0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff } };
	static const char *const forms[] = { "00112233-4455-6677-8899-aabbccddeeff",
					     "00112233-4455-6677-8899-AABBCCDDEEFF",
					     "00112233-4455-6677-8899-aAbBcCdDeEfF" };
	char text[ATH_UUID_TEXT];

	(void)state;
	ath_uuid_format(uuid, text);
	assert_string_equal(text, forms[0]);
	for (size_t i = 0; i < ATH_COUNT(forms); i++) {
		struct ath_uuid back = { { 0 } };

		assert_true(ath_uuid_parse(ath_text(forms[i]), &back));
		assert_memory_equal(&back, &uuid, sizeof uuid);
	}
}

static void test_uuid_refuses_other_forms(void **state)
{
	static const char *const forms[] = {
		"",
		"-",
		"00112233-4455-6677-8899-aabbccddeef",
		"00112233-4455-6677-8899-aabbccddeeff0",
		"00112233-4455-6677-8899-aabbccddeefg",
		"00112233-4455-6677-8899-aabbccddeef ",
		"00112233445566778899aabbccddeeff",
		"001122334-455-6677-8899-aabbccddeeff",
		"00112233-44556-677-8899-aabbccddeeff",
		"00112233-4455-6677-8899_aabbccddeeff",
		"00112233-4455-6677-8899aabbccddeeff--",
		"{0112233-4455-6677-8899-aabbccddeef}",
		"0011223:-4455-6677-8899-aabbccddeeff",
		"0011223@-4455-6677-8899-aabbccddeeff",
		"0011223`-4455-6677-8899-aabbccddeeff",
		"\xff\377112233-4455-6677-8899-aabbccddeeff",
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(forms); i++) {
		struct ath_uuid uuid;

		if (ath_uuid_parse(ath_text(forms[i]), &uuid))
			fail_msg("read: %s", forms[i]);
	}
}

static void test_random_uuids_are_version_4_and_differ(void **state)
{
	struct ath_uuid last = { { 0 } };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct ath_uuid uuid, back;
		char text[ATH_UUID_TEXT];

		assert_int_equal(ath_uuid_random(&uuid), ATH_OK);
		assert_memory_not_equal(&uuid, &last, sizeof uuid);
		ath_uuid_format(uuid, text);
		assert_int_equal(text[14], '4');
		assert_non_null(strchr("89ab", text[19]));
		assert_true(ath_uuid_parse(ath_text(text), &back));
		assert_memory_equal(&uuid, &back, sizeof uuid);
		last = uuid;
	}
}

/* ---- the hash --------------------------------------------------------------------------- */

static void test_hash_sees_every_byte_and_the_length(void **state)
{
	char data[40] = { 0 };

	(void)state;
	for (size_t length = 1; length <= sizeof data; length++) {
		uint64_t hash = ath_hash(data, length);

		assert_true(hash != ath_hash(data, length - 1));
		for (size_t i = 0; i < length; i++) {
			data[i] = 1;
			assert_true(hash != ath_hash(data, length));
			data[i] = 0;
		}
		assert_true(hash == ath_hash(data, length));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_status_has_a_text_of_its_own),
		cmocka_unit_test(test_an_unknown_status_has_a_text),
		cmocka_unit_test(test_the_first_error_stays),
		cmocka_unit_test(test_a_cleared_error_takes_another),
		cmocka_unit_test(test_a_long_message_is_cut),
		cmocka_unit_test(test_uuid_is_written_and_read),
		cmocka_unit_test(test_uuid_refuses_other_forms),
		cmocka_unit_test(test_random_uuids_are_version_4_and_differ),
		cmocka_unit_test(test_hash_sees_every_byte_and_the_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
