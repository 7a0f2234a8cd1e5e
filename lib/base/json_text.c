/* json_text.c - JSON's strings and numbers, written into a buffer. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/internal.h"

/* What a byte needs: 0 nothing, 'u' \u00XX, else the letter behind the backslash. */
static const char escapes[256] = {
	[0] = 'u',    [1] = 'u',    [2] = 'u',    [3] = 'u',     [4] = 'u',    [5] = 'u',
	[6] = 'u',    [7] = 'u',    ['\b'] = 'b', ['\t'] = 't',  ['\n'] = 'n', [11] = 'u',
	['\f'] = 'f', ['\r'] = 'r', [14] = 'u',   [15] = 'u',    [16] = 'u',   [17] = 'u',
	[18] = 'u',   [19] = 'u',   [20] = 'u',   [21] = 'u',    [22] = 'u',   [23] = 'u',
	[24] = 'u',   [25] = 'u',   [26] = 'u',   [27] = 'u',    [28] = 'u',   [29] = 'u',
	[30] = 'u',   [31] = 'u',   ['"'] = '"',  ['\\'] = '\\',
};

/* Does one of eight bytes need something? ASCII does not, but control characters, " and \. */
static bool is_marked(const char *data)
{
	const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;
	uint64_t word, quote, slash;

	memcpy(&word, data, sizeof word);
	quote = word ^ ones * '"';
	slash = word ^ ones * '\\';
	return ((((word - ones * ' ') & ~word) | ((quote - ones) & ~quote) |
		 ((slash - ones) & ~slash) | word) &
		tops) != 0;
}

#ifdef __SSE2__
/* Which of sixteen bytes do, the first in the lowest bit; above ASCII they are below zero. */
static unsigned marks_of_16(const char *data)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)data);
	__m128i marks = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')),
				     _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
						  _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));

	return (unsigned)_mm_movemask_epi8(marks);
}

/* The last sixteen overlap those before: there is no rest. At least as many are there. */
static size_t plain_of_many(const char *data, size_t length)
{
	size_t at = 0;
	unsigned marks = marks_of_16(data);

	while (marks == 0 && at + 16 < length) {
		at = at + 32 <= length ? at + 16 : length - 16;
		marks = marks_of_16(data + at);
	}
	return marks == 0 ? length : at + (size_t)__builtin_ctz(marks);
}
#endif

/* How many bytes at the front need nothing. */
static size_t plain_bytes(const char *data, size_t length)
{
	size_t at = 0;

#ifdef __SSE2__
	if (length >= 16)
		return plain_of_many(data, length);
#endif
	while (length - at >= 8 && !is_marked(data + at))
		at += 8;
	while (at < length && (unsigned char)data[at] < 0x80 &&
	       escapes[(unsigned char)data[at]] == 0)
		at++;
	return at;
}

/* The length of what goes out as it is at the front: plain bytes and whole UTF-8. */
static size_t good_bytes(const char *data, size_t length)
{
	size_t at = plain_bytes(data, length), step = 1;

	while (at < length && step > 0 && (unsigned char)data[at] >= 0x80) {
		do {
			step = ath_utf8_sequence(data + at, length - at);
			at += step;
		} while (step > 0 && at < length && (unsigned char)data[at] >= 0x80);
		at += plain_bytes(data + at, length - at);
	}
	return at;
}

static void put_escape(struct ath_buffer *buffer, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	size_t length = byte >= 0x80 ? 3 : escapes[byte] == 'u' ? 6 : 2;
	char *at = ath_buffer_reserve(buffer, length);

	if (at == NULL)
		return;
	buffer->length += length;
	if (byte >= 0x80) {
		memcpy(at, "\xef\xbf\xbd", 3);
		return;
	}
	at[0] = '\\';
	at[1] = escapes[byte];
	if (length == 6) {
		memcpy(at + 2, "00", 2);
		at[4] = hex[byte >> 4];
		at[5] = hex[byte & 15];
	}
}

/* Where the first byte is that needs something, the others follow one by one. */
static void put_with_escapes(struct ath_buffer *buffer, const char *data, size_t length,
			     size_t good)
{
	ath_buffer_append(buffer, "\"", 1);
	ath_buffer_append(buffer, data, good);
	for (size_t at = good; at < length; at += good) {
		put_escape(buffer, (unsigned char)data[at++]);
		good = good_bytes(data + at, length - at);
		ath_buffer_append(buffer, data + at, good);
	}
	ath_buffer_append(buffer, "\"", 1);
}

void ath_buffer_json_text(struct ath_buffer *buffer, const char *data, size_t length)
{
	size_t good = length == 0 ? 0 : good_bytes(data, length);

	if (good == length)
		ath_buffer_quoted(buffer, data, length);
	else
		put_with_escapes(buffer, data, length, good);
}

void ath_buffer_quoted(struct ath_buffer *buffer, const char *data, size_t length)
{
	char *at = ath_buffer_reserve(buffer, length + 2);

	if (at == NULL)
		return;
	at[0] = '"';
	if (length > 0)
		memcpy(at + 1, data, length);
	at[length + 1] = '"';
	buffer->length += length + 2;
}

void ath_buffer_json_double(struct ath_buffer *buffer, double value)
{
	char text[32], *point;

	if (!isfinite(value)) {
		buffer->failed = true;
		return;
	}
	/* with 15 digits every decimal comes back as it was; subnormals hold fewer */
	for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	point = strchr(text, ','); /* the locale's */
	if (point != NULL)
		*point = '.';
	ath_buffer_string(buffer, text);
}
