/* test_time.c - timestamps as text and back, compared with the C library's calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "random.h"

#define BYTES(literal)                                                                             \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}
#define FIRST_SECOND INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_SECOND  INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static void test_moments_and_their_text(void **state)
{
	static const struct {
		int64_t microseconds;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1, "1970-01-01T00:00:00.000001Z" },
		{ -1, "1969-12-31T23:59:59.999999Z" },
		{ 100000, "1970-01-01T00:00:00.1Z" },
		{ 120000, "1970-01-01T00:00:00.12Z" },
		{ 1000000, "1970-01-01T00:00:01Z" },
		{ -1000000, "1969-12-31T23:59:59Z" },
		{ 946684800000000, "2000-01-01T00:00:00Z" },
		{ 951782400000000, "2000-02-29T00:00:00Z" },
		{ 951868800000000, "2000-03-01T00:00:00Z" },
		{ 4107542400000000, "2100-03-01T00:00:00Z" },
		{ 1709251199999999, "2024-02-29T23:59:59.999999Z" },
		{ -2203891200000000, "1900-03-01T00:00:00Z" },
		{ FIRST_SECOND * 1000000, "0001-01-01T00:00:00Z" },
		{ LAST_SECOND * 1000000 + 999999, "9999-12-31T23:59:59.999999Z" },
		{ INT64_MAX, "infinity" },
		{ INT64_MIN, "-infinity" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_timestamp moment = { rows[i].microseconds }, back = { 42 };
		char text[ATH_TIMESTAMP_MAX_TEXT];

		assert_int_equal(ath_timestamp_format(moment, text), strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
		assert_true(ath_timestamp_parse(ath_text(text), &back));
		assert_true(back.microseconds == moment.microseconds);
	}
}

/* What is read, and how it is written again. */
static void test_other_forms_are_read(void **state)
{
	static const struct {
		const char *text, *canonical;
	} rows[] = {
		{ "2024-01-02t03:04:05z", "2024-01-02T03:04:05Z" },
		{ "2024-01-02 03:04:05Z", "2024-01-02T03:04:05Z" },
		{ "2024-01-02T03:04:05+00:00", "2024-01-02T03:04:05Z" },
		{ "2024-01-02T03:04:05-00:00", "2024-01-02T03:04:05Z" },
		{ "2024-01-02T03:04:05+01:00", "2024-01-02T02:04:05Z" },
		{ "2024-01-02T03:04:05-01:00", "2024-01-02T04:04:05Z" },
		{ "2024-01-02T03:04:05+05:45", "2024-01-01T21:19:05Z" },
		{ "2024-01-02T03:04:05-03:30", "2024-01-02T06:34:05Z" },
		{ "2024-01-01T00:00:00+23:59", "2023-12-31T00:01:00Z" },
		{ "2024-02-28T23:30:00-01:00", "2024-02-29T00:30:00Z" },
		{ "2023-02-28T23:30:00-01:00", "2023-03-01T00:30:00Z" },
		{ "2024-12-31T23:59:59.5-00:01", "2025-01-01T00:00:59.5Z" },
		{ "2024-01-02T03:04:05.0Z", "2024-01-02T03:04:05Z" },
		{ "2024-01-02T03:04:05.000001Z", "2024-01-02T03:04:05.000001Z" },
		{ "2024-01-02T03:04:05.100Z", "2024-01-02T03:04:05.1Z" },
		{ "2024-01-02T03:04:05.1234567Z", "2024-01-02T03:04:05.123456Z" },
		{ "2024-01-02T03:04:05.9999999999999999999999Z", "2024-01-02T03:04:05.999999Z" },
		{ "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z" },
		{ "1960-02-29T12:00:00.25+01:00", "1960-02-29T11:00:00.25Z" },
		{ "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z" }, /* the leap second */
		{ "2016-12-31T15:59:60-08:00", "2017-01-01T00:00:00Z" },
		{ "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z" },
		{ "9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z" },
		{ "2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z" },
		{ "2400-02-29T00:00:00Z", "2400-02-29T00:00:00Z" },
		{ "0004-02-29T00:00:00Z", "0004-02-29T00:00:00Z" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_timestamp moment;
		char text[ATH_TIMESTAMP_MAX_TEXT];

		if (!ath_timestamp_parse(ath_text(rows[i].text), &moment))
			fail_msg("refused: %s", rows[i].text);
		ath_timestamp_format(moment, text);
		assert_string_equal(text, rows[i].canonical);
	}
}

static void test_malformed_text_is_refused(void **state)
{
	static const struct ath_text rows[] = {
		{ NULL, 0 },
		BYTES(""),
		BYTES("2024"),
		BYTES("2024-01-02"),
		BYTES("2024-01-02T"),
		BYTES("2024-01-02T03:04Z"),
		BYTES("2024-01-02T03:04:05"), /* no offset */
		BYTES("2024-01-02T03:04:05.5"),
		BYTES("2024-01-02T03:04:05.Z"),
		BYTES("2024-01-02T03:04:05,5Z"),
		BYTES("2024-01-02T03:04:05.5 Z"),
		BYTES("2024-01-02T03:04:05Z "),
		BYTES(" 2024-01-02T03:04:05Z"),
		BYTES("2024-01-02T03:04:05ZZ"),
		BYTES("2024-01-02T03:04:05Z+00:00"),
		BYTES("2024-01-02X03:04:05Z"),
		BYTES("2024-01-02  03:04:05Z"),
		BYTES("2024/01/02T03:04:05Z"),
		BYTES("20240102T030405Z"),
		BYTES("2024-1-2T03:04:05Z"),
		BYTES("24-01-02T03:04:05Z"),
		BYTES("+2024-01-02T03:04:05Z"),
		BYTES("-2024-01-02T03:04:05Z"),
		BYTES("12024-01-02T03:04:05Z"),
		BYTES("0000-01-01T00:00:00Z"),
		BYTES("2024-00-02T03:04:05Z"),
		BYTES("2024-13-02T03:04:05Z"),
		BYTES("2024-01-00T03:04:05Z"),
		BYTES("2024-01-32T03:04:05Z"),
		BYTES("2024-04-31T03:04:05Z"),
		BYTES("2024-02-30T00:00:00Z"),
		BYTES("2023-02-29T00:00:00Z"),
		BYTES("1900-02-29T00:00:00Z"),
		BYTES("2100-02-29T00:00:00Z"),
		BYTES("2024-01-02T24:00:00Z"),
		BYTES("2024-01-02T03:60:05Z"),
		BYTES("2024-01-02T03:04:61Z"),
		BYTES("2024-01-02T-3:04:05Z"),
		BYTES("2024-01-02T03:04:05+1:00"),
		BYTES("2024-01-02T03:04:05+01"),
		BYTES("2024-01-02T03:04:05+0100"),
		BYTES("2024-01-02T03:04:05+24:00"),
		BYTES("2024-01-02T03:04:05+01:60"),
		BYTES("2024-01-02T03:04:05+-1:00"),
		BYTES("2024-01-02T03:04:05*01:00"),
		BYTES("2024-01-02T03:04:05 +01:00"),
		BYTES("Infinity"),
		BYTES("+infinity"),
		BYTES("infinity "),
		BYTES("inf"),
		BYTES("-infinit"),
		BYTES("now"),
		/* NUL is none of the separators */
		BYTES("2024\00001-02T03:04:05Z"),
		BYTES("2024-01-02\00003:04:05Z"),
		BYTES("2024-01-02T03\00004:05Z"),
		BYTES("2024-01-02T03:04:05\0005Z"),
		BYTES("2024-01-02T03:04:05\0"),
		BYTES("2024-01-02T03:04:05\00001:00"),
		BYTES("2024-01-02T03:04:05Z\0"),
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_timestamp moment;

		if (ath_timestamp_parse(rows[i], &moment))
			fail_msg("row %zu was read: %s", i, rows[i].data);
	}
}

static void test_every_prefix_is_refused(void **state)
{
	struct ath_text text = ath_text("2024-01-02T03:04:05.123+01:00");
	struct ath_timestamp moment;

	(void)state;
	assert_true(ath_timestamp_parse(text, &moment));
	while (text.length-- > 0)
		assert_false(ath_timestamp_parse(text, &moment));
}

static void test_every_day_of_the_calendar(void **state)
{
	(void)state;
	for (int64_t at = FIRST_SECOND; at < LAST_SECOND; at += 86400) {
		time_t clock = at;
		struct ath_timestamp back;
		struct tm tm;
		char text[ATH_TIMESTAMP_MAX_TEXT], expected[80];

		gmtime_r(&clock, &tm);
		snprintf(expected, sizeof expected, "%04d-%02d-%02dT00:00:00Z", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday);
		ath_timestamp_format((struct ath_timestamp){ at * 1000000 }, text);
		if (strcmp(text, expected) != 0)
			fail_msg("%s, not %s", text, expected);
		if (!ath_timestamp_parse(ath_text(text), &back) ||
		    back.microseconds != at * 1000000)
			fail_msg("%s", text);
	}
}

static int64_t random_moment(void)
{
	uint64_t span = (uint64_t)(LAST_SECOND - FIRST_SECOND + 1) * 1000000;

	return FIRST_SECOND * 1000000 + (int64_t)(next_random() % span);
}

static void test_random_moments_are_as_the_c_library_says(void **state)
{
	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct ath_timestamp moment = { random_moment() }, back;
		int64_t micros = (moment.microseconds % 1000000 + 1000000) % 1000000;
		time_t clock = (moment.microseconds - micros) / 1000000;
		char text[ATH_TIMESTAMP_MAX_TEXT], expected[64];
		struct tm tm;

		gmtime_r(&clock, &tm);
		assert_true(timegm(&tm) == clock);
		ath_timestamp_format(moment, text);
		strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &tm);
		if (tm.tm_year + 1900 >= 1000 && strncmp(text, expected, 19) != 0)
			fail_msg("%s, not %s", text, expected);
		if (!ath_timestamp_parse(ath_text(text), &back) ||
		    back.microseconds != moment.microseconds)
			fail_msg("%s read as %" PRId64, text, back.microseconds);
	}
}

static void test_random_offsets_move_the_moment(void **state)
{
	(void)state;
	for (int i = 0; i < 50000; i++) {
		struct ath_timestamp moment = { random_moment() }, back;
		int64_t minutes = (int64_t)(next_random() % 2879) - 1439;
		int64_t away = minutes < 0 ? -minutes : minutes;
		char text[ATH_TIMESTAMP_MAX_TEXT + 8];
		size_t length = ath_timestamp_format(moment, text);

		snprintf(text + length - 1, 8, "%c%02d:%02d", minutes < 0 ? '-' : '+',
			 (int)(away / 60), (int)(away % 60));
		assert_true(ath_timestamp_parse(ath_text(text), &back));
		assert_true(back.microseconds == moment.microseconds - minutes * 60 * 1000000);
	}
}

/* Beyond four digits: ISO 8601's expanded years, for the log at least. */
static void test_all_of_int64_is_written(void **state)
{
	static const int64_t edges[] = { INT64_MIN + 1, INT64_MAX - 1, FIRST_SECOND * 1000000 - 1,
					 (LAST_SECOND + 1) * 1000000 };

	(void)state;
	for (size_t i = 0; i < 20000; i++) {
		int64_t moment = i < ATH_COUNT(edges) ? edges[i] : (int64_t)next_random();
		int64_t micros = (moment % 1000000 + 1000000) % 1000000;
		time_t clock = moment / 1000000 - (moment % 1000000 < 0);
		char text[ATH_TIMESTAMP_MAX_TEXT], expected[80];
		struct tm tm;
		int year;

		gmtime_r(&clock, &tm);
		year = tm.tm_year + 1900;
		snprintf(expected, sizeof expected,
			 year < 0 || year > 9999 ? "%+07d-%02d-%02d" : "%04d-%02d-%02d", year,
			 tm.tm_mon + 1, tm.tm_mday);
		assert_true(ath_timestamp_format((struct ath_timestamp){ moment }, text) <
			    sizeof text);
		if (strncmp(text, expected, strlen(expected)) != 0)
			fail_msg("%s, not %s", text, expected);
		assert_true((strchr(text, '.') != NULL) == (micros != 0));
	}
}

static void test_now_lies_between_two_looks_at_the_clock(void **state)
{
	struct timespec before, after;
	int64_t now;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &before);
	now = ath_timestamp_now().microseconds;
	clock_gettime(CLOCK_REALTIME, &after);
	assert_true(now >= before.tv_sec * 1000000 + before.tv_nsec / 1000);
	assert_true(now <= after.tv_sec * 1000000 + after.tv_nsec / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moments_and_their_text),
		cmocka_unit_test(test_other_forms_are_read),
		cmocka_unit_test(test_malformed_text_is_refused),
		cmocka_unit_test(test_every_prefix_is_refused),
		cmocka_unit_test(test_every_day_of_the_calendar),
		cmocka_unit_test(test_random_moments_are_as_the_c_library_says),
		cmocka_unit_test(test_random_offsets_move_the_moment),
		cmocka_unit_test(test_all_of_int64_is_written),
		cmocka_unit_test(test_now_lies_between_two_looks_at_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
