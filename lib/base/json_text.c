/* json_text.c - JSON's strings and numbers, written into a buffer. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/internal.h"

/* What a byte needs: 0 nothing, 'u' \u00XX, else the letter behind the backslash. */
static const char escapes[256] = {
	[0] = 'u',    [1] = 'u',    [2] = 'u',    [3] = 'u',	[4] = 'u',    [5] = 'u',
	[6] = 'u',    [7] = 'u',    ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', [11] = 'u',
	['\f'] = 'f', ['\r'] = 'r', [14] = 'u',   [15] = 'u',	[16] = 'u',   [17] = 'u',
	[18] = 'u',   [19] = 'u',   [20] = 'u',   [21] = 'u',	[22] = 'u',   [23] = 'u',
	[24] = 'u',   [25] = 'u',   [26] = 'u',   [27] = 'u',	[28] = 'u',   [29] = 'u',
	[30] = 'u',   [31] = 'u',   ['"'] = '"',  ['\\'] = '\\',
};

static void put_escaped(struct ath_buffer *buffer, const char *data, size_t length)
{
	static const char hex[] = "0123456789abcdef";
	size_t plain = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)data[i];
		char text[6] = { '\\', escapes[byte], '0', '0', hex[byte >> 4], hex[byte & 15] };

		if (text[1] == 0)
			continue;
		ath_buffer_append(buffer, data + plain, i - plain);
		ath_buffer_append(buffer, text, text[1] == 'u' ? 6 : 2);
		plain = i + 1;
	}
	ath_buffer_append(buffer, data + plain, length - plain);
}

void ath_buffer_json_text(struct ath_buffer *buffer, const char *data, size_t length)
{
	ath_buffer_append(buffer, "\"", 1);
	if (length > 0 && ath_utf8_valid(data, length)) {
		put_escaped(buffer, data, length);
	} else {
		for (size_t i = 0, step; i < length; i += step) {
			step = ath_utf8_sequence(data + i, length - i);
			if (step > 0)
				put_escaped(buffer, data + i, step);
			else
				ath_buffer_string(buffer, "\xef\xbf\xbd"), step = 1;
		}
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
