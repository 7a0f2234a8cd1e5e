/* json_text.c - JSON's strings and numbers, written into a buffer. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

/*
 * How many bytes at the front need nothing: ASCII, and neither control characters nor " nor \.
 * Eight at a time: the top bit of a byte in marks is set where one of them stands (and perhaps
 * behind one, which does no harm).
 */
static size_t plain_bytes(const char *data, size_t length)
{
	const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;
	size_t at = 0;

	for (; length - at >= 8; at += 8) {
		uint64_t word, quote, slash, marks;

		memcpy(&word, data + at, sizeof word);
		quote = word ^ ones * '"';
		slash = word ^ ones * '\\';
		marks = ((word - ones * ' ') & ~word) | ((quote - ones) & ~quote) |
			((slash - ones) & ~slash) | word;
		if ((marks & tops) != 0)
			break;
	}
	while (at < length && (unsigned char)data[at] < 0x80 &&
	       escapes[(unsigned char)data[at]] == 0)
		at++;
	return at;
}

/* The length of what goes out as it is at the front: plain bytes and whole UTF-8. */
static size_t good_bytes(const char *data, size_t length)
{
	size_t at = 0, step;

	do {
		step = plain_bytes(data + at, length - at);
		if (step == 0 && at < length && (unsigned char)data[at] >= 0x80)
			step = ath_utf8_sequence(data + at, length - at);
		at += step;
	} while (step > 0);
	return at;
}

static void put_escape(struct ath_buffer *buffer, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = { '\\', escapes[byte], '0', '0', hex[byte >> 4], hex[byte & 15] };

	if (byte >= 0x80)
		ath_buffer_string(buffer, "\xef\xbf\xbd");
	else
		ath_buffer_append(buffer, text, text[1] == 'u' ? 6 : 2);
}

void ath_buffer_json_text(struct ath_buffer *buffer, const char *data, size_t length)
{
	size_t good = length == 0 ? 0 : good_bytes(data, length);

	ath_buffer_append(buffer, "\"", 1);
	ath_buffer_append(buffer, data, good);
	for (size_t at = good; at < length; at += good) {
		put_escape(buffer, (unsigned char)data[at++]);
		good = good_bytes(data + at, length - at);
		ath_buffer_append(buffer, data + at, good);
	}
	ath_buffer_append(buffer, "\"", 1);
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
