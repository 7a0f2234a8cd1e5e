/*
 * time.c - timestamps as RFC 3339 text and back, and dates.
 *
 * Days are counted with the proleptic Gregorian calendar in eras of 400 years that begin
 * on 1 March, so that the leap day is the last of its year and no table is needed.
 */
#include <time.h>

#include "base/internal.h"

static const int64_t second = 1000000, day_seconds = 86400;
enum { ERA_DAYS = 146097, EPOCH_DAYS = 719468 /* 0000-03-01 to 1970-01-01 */ };

struct ath_timestamp ath_timestamp_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct ath_timestamp){ now.tv_sec * second + now.tv_nsec / 1000 };
}

static int64_t floor_divide(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
	int64_t era, of_era, of_year;

	year -= month <= 2;
	era = floor_divide(year, 400);
	of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	of_era = (year - era * 400) * 365 + (year - era * 400) / 4 - (year - era * 400) / 100;
	return era * ERA_DAYS + of_era + of_year - EPOCH_DAYS;
}

static void civil_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	int64_t era, of_era, year_of_era, of_year, shifted;

	days += EPOCH_DAYS;
	era = floor_divide(days, ERA_DAYS);
	of_era = days - era * ERA_DAYS;
	year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	shifted = (5 * of_year + 2) / 153;
	*day = of_year - (153 * shifted + 2) / 5 + 1;
	*month = shifted < 10 ? shifted + 3 : shifted - 9;
	*year = year_of_era + era * 400 + (*month <= 2);
}

static char *put_two(char *at, int64_t value)
{
	memcpy(at, ath_digit_pairs + 2 * value, 2);
	return at + 2;
}

/* An even number of digits. */
static char *put_digits(char *at, int64_t value, int width)
{
	for (int i = width - 2; i >= 0; i -= 2, value /= 100)
		put_two(at + i, value % 100);
	return at + width;
}

static size_t put_infinity(char *text, bool negative)
{
	const char *infinity = negative ? "-infinity" : "infinity";

	memcpy(text, infinity, strlen(infinity) + 1);
	return strlen(infinity);
}

/* Outside 0000 to 9999 in ISO 8601's expanded form. */
static char *put_date(char *at, int64_t days)
{
	int64_t year, month, day;

	civil_from_days(days, &year, &month, &day);
	if (year < 0 || year > 9999) {
		*at++ = year < 0 ? '-' : '+';
		year = year < 0 ? -year : year;
		if (year > 999999)
			*at++ = (char)('0' + year / 1000000);
		at = put_digits(at, year % 1000000, 6);
	} else {
		at = put_digits(at, year, 4);
	}
	*at++ = '-';
	at = put_two(at, month);
	*at++ = '-';
	return put_two(at, day);
}

size_t ath_date_format(struct ath_date date, char text[ATH_DATE_MAX_TEXT])
{
	char *at;

	if (date.days == INT32_MAX || date.days == INT32_MIN)
		return put_infinity(text, date.days < 0);
	at = put_date(text, date.days);
	*at = '\0';
	return (size_t)(at - text);
}

size_t ath_timestamp_format(struct ath_timestamp moment, char text[ATH_TIMESTAMP_MAX_TEXT])
{
	int64_t seconds, micros, days, of_day;
	char *at;

	if (moment.microseconds == INT64_MAX || moment.microseconds == INT64_MIN)
		return put_infinity(text, moment.microseconds < 0);
	seconds = floor_divide(moment.microseconds, second);
	micros = moment.microseconds % second;
	micros += micros < 0 ? second : 0;
	days = floor_divide(seconds, day_seconds);
	of_day = seconds - days * day_seconds;
	at = put_date(text, days);
	*at++ = 'T';
	at = put_two(at, of_day / 3600);
	*at++ = ':';
	at = put_two(at, of_day / 60 % 60);
	*at++ = ':';
	at = put_two(at, of_day % 60);
	if (micros != 0) {
		*at++ = '.';
		at = put_digits(at, micros, 6);
		while (at[-1] == '0')
			at--;
	}
	*at++ = 'Z';
	*at = '\0';
	return (size_t)(at - text);
}

/* A reader over the text: every step fails once anything has. */
struct reader {
	const char *at, *end;
	bool failed;
};

static int64_t take_digits(struct reader *reader, int width)
{
	int64_t value = 0;

	for (int i = 0; i < width; i++, reader->at++) {
		if (reader->failed || reader->at == reader->end || *reader->at < '0' ||
		    *reader->at > '9') {
			reader->failed = true;
			return 0;
		}
		value = value * 10 + (*reader->at - '0');
	}
	return value;
}

static bool take_any(struct reader *reader, const char *choices)
{
	if (reader->failed || reader->at == reader->end || *reader->at == '\0' ||
	    strchr(choices, *reader->at) == NULL)
		return false;
	reader->at++;
	return true;
}

static void take(struct reader *reader, const char *choices)
{
	if (!take_any(reader, choices))
		reader->failed = true;
}

static int64_t take_fraction(struct reader *reader)
{
	int64_t micros = 0, scale = 100000;

	if (!take_any(reader, "."))
		return 0;
	micros = take_digits(reader, 1) * scale;
	while (!reader->failed && reader->at < reader->end && *reader->at >= '0' &&
	       *reader->at <= '9') {
		scale /= 10; /* digits past the sixth add nothing */
		micros += (*reader->at++ - '0') * scale;
	}
	return micros;
}

static int64_t take_offset(struct reader *reader)
{
	bool west;
	int64_t hours, minutes;

	if (take_any(reader, "Zz"))
		return 0;
	west = take_any(reader, "-");
	if (!west)
		take(reader, "+");
	hours = take_digits(reader, 2);
	take(reader, ":");
	minutes = take_digits(reader, 2);
	if (hours > 23 || minutes > 59)
		reader->failed = true;
	return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

static bool civil_valid(int64_t year, int64_t month, int64_t day)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return year >= 1 && month >= 1 && month <= 12 && day >= 1 &&
	       day <= lengths[month - 1] + (leap && month == 2);
}

static bool is_infinity(struct ath_text text)
{
	return ath_text_is(text, "infinity") || ath_text_is(text, "-infinity");
}

/* Days since 1970-01-01. */
static int64_t take_date(struct reader *reader)
{
	int64_t year, month, day;

	year = take_digits(reader, 4);
	take(reader, "-");
	month = take_digits(reader, 2);
	take(reader, "-");
	day = take_digits(reader, 2);
	if (reader->failed || !civil_valid(year, month, day)) {
		reader->failed = true;
		return 0;
	}
	return days_from_civil(year, month, day);
}

bool ath_date_parse(struct ath_text text, struct ath_date *date)
{
	struct reader reader = { .at = text.data };
	int64_t days;

	if (is_infinity(text)) {
		date->days = *text.data == '-' ? INT32_MIN : INT32_MAX;
		return true;
	}
	if (text.length == 0)
		return false;
	reader.end = text.data + text.length;
	days = take_date(&reader);
	if (reader.failed || reader.at != reader.end)
		return false;
	date->days = (int32_t)days;
	return true;
}

bool ath_timestamp_parse(struct ath_text text, struct ath_timestamp *moment)
{
	struct reader reader = { .at = text.data };
	int64_t days, hour, minute, whole, micros, offset;

	if (is_infinity(text)) {
		moment->microseconds = *text.data == '-' ? INT64_MIN : INT64_MAX;
		return true;
	}
	if (text.length == 0)
		return false;
	reader.end = text.data + text.length;
	days = take_date(&reader);
	take(&reader, "Tt ");
	hour = take_digits(&reader, 2);
	take(&reader, ":");
	minute = take_digits(&reader, 2);
	take(&reader, ":");
	whole = take_digits(&reader, 2);
	micros = take_fraction(&reader);
	offset = take_offset(&reader);
	if (reader.failed || reader.at != reader.end || hour > 23 || minute > 59 || whole > 60)
		return false;
	whole += days * day_seconds + hour * 3600 + minute * 60;
	moment->microseconds = (whole - offset) * second + micros;
	return true;
}
