/*
 * decimal.c - exact decimal numbers: a coefficient of up to 38 digits and how many of them stand
 * behind the point.
 */
#include "base/internal.h"

enum { DIGITS = ATH_DECIMAL_DIGITS };

/* 10^19 is the largest power of ten in 64 bits, and its square, 10^38, bounds a coefficient. */
#define HALF_POWER 10000000000000000000ULL
enum { HALF_DIGITS = 19 };

static ath_int128 power_of_ten(int64_t exponent)
{
	ath_int128 power = 1;

	while (exponent-- > 0)
		power *= 10;
	return power;
}

ath_int128 ath_decimal_coefficient(struct ath_decimal value)
{
	return (ath_int128)((unsigned __int128)(uint64_t)value.high << 64 | value.low);
}

bool ath_decimal_make(ath_int128 coefficient, int64_t scale, struct ath_decimal *value)
{
	const ath_int128 most = (ath_int128)HALF_POWER * HALF_POWER;

	if (coefficient <= -most || coefficient >= most || scale < 0 || scale > DIGITS)
		return false;
	*value = (struct ath_decimal){ .high = (int64_t)(coefficient >> 64),
				       .low = (uint64_t)coefficient,
				       .scale = scale };
	return true;
}

/* One that was filled in by hand, or made with a wrong scale, may be none. */
static bool is_number(struct ath_decimal value)
{
	return ath_decimal_make(ath_decimal_coefficient(value), value.scale, &value);
}

struct ath_decimal ath_decimal_of(int64_t coefficient, int scale)
{
	struct ath_decimal value = { 0 };

	if (!ath_decimal_make(coefficient, scale, &value))
		value.scale = -1;
	return value;
}

/* ---- text ------------------------------------------------------------------------------- */

static bool take_digits(struct ath_text *text, ath_int128 *coefficient, int64_t *count)
{
	const ath_int128 most = power_of_ten(DIGITS - 1);

	*count = 0;
	for (; text->length > 0 && *text->data >= '0' && *text->data <= '9'; (*count)++) {
		if (*coefficient >= most)
			return false;
		*coefficient = *coefficient * 10 + (*text->data - '0');
		text->data++;
		text->length--;
	}
	return true;
}

static bool take(struct ath_text *text, const char *choices, char *taken)
{
	if (text->length == 0 || *text->data == '\0' || strchr(choices, *text->data) == NULL)
		return false;
	*taken = *text->data++;
	text->length--;
	return true;
}

static bool take_exponent(struct ath_text *text, int64_t *exponent)
{
	ath_int128 number = 0;
	int64_t count = 0;
	char sign = '+', letter;

	*exponent = 0;
	if (!take(text, "eE", &letter))
		return true;
	(void)take(text, "+-", &sign);
	if (!take_digits(text, &number, &count) || count == 0 || number > 1000)
		return false;
	*exponent = sign == '-' ? -(int64_t)number : (int64_t)number;
	return true;
}

/* Moves the point; what would need more digits than there are is refused. */
static bool apply_exponent(ath_int128 *coefficient, int64_t *scale, int64_t exponent)
{
	for (*scale -= exponent; *scale < 0; (*scale)++) {
		if (*coefficient >= power_of_ten(DIGITS - 1) && *coefficient != 0)
			return false;
		*coefficient *= 10;
	}
	for (; *scale > DIGITS && *coefficient % 10 == 0; (*scale)--)
		*coefficient /= 10;
	return true;
}

bool ath_decimal_parse(struct ath_text text, struct ath_decimal *value)
{
	ath_int128 coefficient = 0;
	int64_t whole, fraction = 0, exponent;
	char sign = '+', point;

	(void)take(&text, "-", &sign);
	if (!take_digits(&text, &coefficient, &whole) || whole == 0)
		return false;
	if (take(&text, ".", &point) &&
	    (!take_digits(&text, &coefficient, &fraction) || fraction == 0))
		return false;
	if (!take_exponent(&text, &exponent) || text.length > 0)
		return false;
	return apply_exponent(&coefficient, &fraction, exponent) &&
	       ath_decimal_make(sign == '-' ? -coefficient : coefficient, fraction, value);
}

/* Writes the digits of number from the back of the text that ends at end, least of them at least;
 * returns where they begin. */
static char *put_digits(char *end, uint64_t number, int64_t least)
{
	char *at = end;

	for (; number >= 10; number /= 100) {
		at -= 2;
		memcpy(at, ath_digit_pairs + 2 * (number % 100), 2);
	}
	if (number > 0)
		*--at = (char)('0' + number);
	while (end - at < least)
		*--at = '0';
	return at;
}

size_t ath_decimal_format(struct ath_decimal value, char text[ATH_DECIMAL_MAX_TEXT])
{
	ath_int128 coefficient = ath_decimal_coefficient(value);
	char digits[2 * DIGITS], *end = digits + sizeof digits, *from = end, *at = text;
	int64_t least = value.scale + 1; /* one before the point */

	if (!is_number(value)) {
		*text = '\0';
		return 0;
	}
	if (coefficient < 0) {
		*at++ = '-';
		coefficient = -coefficient;
	}
	if (coefficient >= (ath_int128)HALF_POWER) {
		from = put_digits(from, (uint64_t)(coefficient % HALF_POWER), HALF_DIGITS);
		coefficient /= HALF_POWER;
	}
	from = put_digits(from, (uint64_t)coefficient, least - (end - from));
	memcpy(at, from, (size_t)(end - from - value.scale));
	at += end - from - value.scale;
	if (value.scale > 0) {
		*at++ = '.';
		memcpy(at, end - value.scale, (size_t)value.scale);
		at += value.scale;
	}
	*at = '\0';
	return (size_t)(at - text);
}

/* ---- arithmetic that is always exact -------------------------------------------------------- */

int ath_decimal_compare(struct ath_decimal a, struct ath_decimal b)
{
	ath_int128 left = ath_decimal_coefficient(a), right = ath_decimal_coefficient(b);
	ath_int128 left_unit, right_unit;

	if (!is_number(a) || !is_number(b))
		return (int)is_number(a) - (int)is_number(b);
	left_unit = power_of_ten(a.scale);
	right_unit = power_of_ten(b.scale);
	if (left / left_unit != right / right_unit)
		return left / left_unit < right / right_unit ? -1 : 1;
	left = left % left_unit * power_of_ten(DIGITS - a.scale);
	right = right % right_unit * power_of_ten(DIGITS - b.scale);
	return left == right ? 0 : left < right ? -1 : 1;
}

int ath_decimal_digits(struct ath_decimal value)
{
	ath_int128 coefficient = ath_decimal_coefficient(value);
	int digits = 0;

	for (; coefficient != 0; coefficient /= 10)
		digits++;
	return digits;
}

bool ath_decimal_rescale(struct ath_decimal *value, int scale)
{
	ath_int128 coefficient = ath_decimal_coefficient(*value);
	ath_int128 most = power_of_ten(DIGITS - 1);
	int64_t at = value->scale;

	if (scale < 0 || scale > DIGITS || !is_number(*value))
		return false;
	for (; at < scale; at++) {
		if (coefficient >= most || coefficient <= -most)
			return false;
		coefficient *= 10;
	}
	for (; at > scale; at--) {
		if (coefficient % 10 != 0)
			return false;
		coefficient /= 10;
	}
	return ath_decimal_make(coefficient, scale, value);
}
