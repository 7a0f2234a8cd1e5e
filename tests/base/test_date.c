/* test_date.c - days as text and back, counted one by one, and as the C library counts them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/base.h"
#include "random.h"

#define FIRST_DAY -719162 /* 0001-01-01 */
#define LAST_DAY  2932896 /* 9999-12-31 */

static void test_days_and_their_text(void **state)
{
	static const struct {
		int32_t days;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01" },         { 1, "1970-01-02" },       { -1, "1969-12-31" },
		{ 10956, "1999-12-31" },     { 10957, "2000-01-01" },   { 11016, "2000-02-29" },
		{ 11017, "2000-03-01" },     { -25509, "1900-02-28" },  { -25508, "1900-03-01" },
		{ 19782, "2024-02-29" },     { 47540, "2100-02-28" },   { 47541, "2100-03-01" },
		{ FIRST_DAY, "0001-01-01" }, { -718009, "0004-02-28" }, { -718008, "0004-02-29" },
		{ LAST_DAY, "9999-12-31" },  { INT32_MAX, "infinity" }, { INT32_MIN, "-infinity" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_date date = { rows[i].days }, back = { 42 };
		char text[ATH_DATE_MAX_TEXT];

		assert_int_equal(ath_date_format(date, text), strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
		assert_true(ath_date_parse(ath_text(text), &back));
		assert_int_equal(back.days, date.days);
	}
}

static void test_malformed_text_is_refused(void **state)
{
	static const struct ath_text rows[] = {
		{ NULL, 0 },
		{ "2024-01-02\0", 11 },
		{ "2024\00001-02", 10 },
		{ "2024-01\00002", 10 },
		{ "infinity\0", 9 },
	};
	static const char *const texts[] = {
		"",
		"2024",
		"2024-01",
		"2024-01-",
		"2024-1-2",
		"24-01-02",
		"12024-01-02",
		"+2024-01-02",
		"-2024-01-02",
		"+002024-01-02",
		"20240102",
		"2024/01/02",
		"2024-01/02",
		" 2024-01-02",
		"2024-01-02 ",
		"2024-01-02T",
		"2024-01-02Z",
		"2024-01-02T00:00:00Z",
		"2024-W01-2",
		"2024-002",
		"0000-01-01",
		"0000-12-31",
		"2024-00-01",
		"2024-13-01",
		"2024-01-00",
		"2024-01-32",
		"2024-04-31",
		"2024-06-31",
		"2024-09-31",
		"2024-11-31",
		"2024-02-30",
		"2023-02-29",
		"1900-02-29",
		"2100-02-29",
		"0001-02-29",
		"10000-01-01",
		"Infinity",
		"+infinity",
		"infinity ",
		"-infinit",
		"inf",
		"today",
		"2024-0a-01",
		"\xd9\xa2\xd9\xa0-01-01",
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_date date;

		if (ath_date_parse(rows[i], &date))
			fail_msg("row %zu was read", i);
	}
	for (size_t i = 0; i < ATH_COUNT(texts); i++) {
		struct ath_date date;

		if (ath_date_parse(ath_text(texts[i]), &date))
			fail_msg("%s was read", texts[i]);
	}
}

/* All days that can be written, counted month by month, without a word of the calendar's rules
 * but the lengths of the months. */
static void test_every_day_there_and_back(void **state)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int32_t days = FIRST_DAY;

	(void)state;
	for (int year = 1; year <= 9999; year++) {
		bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

		for (int month = 1; month <= 12; month++)
			for (int day = 1; day <= lengths[month - 1] + (leap && month == 2); day++) {
				char text[ATH_DATE_MAX_TEXT], expected[64];
				struct ath_date back;

				snprintf(expected, sizeof expected, "%04d-%02d-%02d", year, month,
					 day);
				ath_date_format((struct ath_date){ days }, text);
				if (strcmp(text, expected) != 0)
					fail_msg("%s, not %s", text, expected);
				if (!ath_date_parse(ath_text(text), &back) || back.days != days)
					fail_msg("%s", text);
				days++;
			}
	}
	assert_int_equal(days - 1, LAST_DAY);
}

/* Beyond four digits: ISO 8601's expanded years. */
static void test_all_of_int32_is_written(void **state)
{
	static const int32_t edges[] = { INT32_MIN + 1, INT32_MAX - 1,   FIRST_DAY - 1,
					 LAST_DAY + 1,  FIRST_DAY - 366, FIRST_DAY - 367 };

	(void)state;
	for (size_t i = 0; i < 50000; i++) {
		int32_t days = i < ATH_COUNT(edges) ? edges[i] : (int32_t)next_random();
		time_t clock = (time_t)days * 86400;
		char text[ATH_DATE_MAX_TEXT], expected[80];
		struct tm tm;
		int year;

		gmtime_r(&clock, &tm);
		year = tm.tm_year + 1900;
		snprintf(expected, sizeof expected,
			 year < 0 || year > 9999 ? "%+07d-%02d-%02d" : "%04d-%02d-%02d", year,
			 tm.tm_mon + 1, tm.tm_mday);
		assert_int_equal(ath_date_format((struct ath_date){ days }, text),
				 strlen(expected));
		assert_string_equal(text, expected);
	}
}

/* A day begins at the moment that has the same date. */
static void test_a_day_is_that_of_its_moments(void **state)
{
	(void)state;
	for (int i = 0; i < 50000; i++) {
		int32_t days = FIRST_DAY + (int32_t)(next_random() % (LAST_DAY - FIRST_DAY + 1));
		int64_t of_day = (int64_t)(next_random() % 86400000000);
		struct ath_timestamp moment = { days * INT64_C(86400000000) + of_day };
		char date[ATH_DATE_MAX_TEXT], text[ATH_TIMESTAMP_MAX_TEXT];

		ath_date_format((struct ath_date){ days }, date);
		ath_timestamp_format(moment, text);
		assert_memory_equal(date, text, 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_days_and_their_text),
		cmocka_unit_test(test_malformed_text_is_refused),
		cmocka_unit_test(test_every_day_there_and_back),
		cmocka_unit_test(test_all_of_int32_is_written),
		cmocka_unit_test(test_a_day_is_that_of_its_moments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
