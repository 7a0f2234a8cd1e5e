/* text.c - text with a length, integers in it, and UTF-8. */
#include <strings.h>

#include "base/internal.h"

struct ath_text ath_text(const char *string)
{
	return (struct ath_text){ .data = string, .length = strlen(string) };
}

bool ath_text_is(struct ath_text text, const char *string)
{
	if (strlen(string) != text.length)
		return false;
	return text.length == 0 || memcmp(text.data, string, text.length) == 0;
}

bool ath_text_is_nocase(struct ath_text text, const char *string)
{
	if (strlen(string) != text.length)
		return false;
	return text.length == 0 || strncasecmp(text.data, string, text.length) == 0;
}

bool ath_text_int64(struct ath_text text, int64_t *value)
{
	const char *at = text.data, *end;
	bool negative = text.length > 0 && *at == '-';
	int64_t sum = 0;

	if (text.length == 0)
		return false;
	end = at + text.length;
	at += negative;
	if (at == end || (*at == '0' && end - at > 1))
		return false;
	for (; at < end; at++) {
		if (*at < '0' || *at > '9')
			return false;
		/* downwards, because INT64_MIN has no positive twin */
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_sub_overflow(sum, *at - '0', &sum))
			return false;
	}
	if (!negative && sum == INT64_MIN)
		return false;
	*value = negative ? sum : -sum;
	return true;
}

size_t ath_utf8_sequence(const char *data, size_t left)
{
	const unsigned char *at = (const unsigned char *)data;
	unsigned char low = 0x80, high = 0xbf;
	size_t length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

	if (length == 0 || length > left || *at > 0xf4)
		return 0;
	if (*at == 0xe0)
		low = 0xa0; /* overlong */
	else if (*at == 0xed)
		high = 0x9f; /* surrogates */
	else if (*at == 0xf0)
		low = 0x90;
	else if (*at == 0xf4)
		high = 0x8f; /* beyond U+10FFFF */
	for (size_t i = 1; i < length; i++) {
		if (at[i] < low || at[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return length;
}

bool ath_utf8_valid(const char *data, size_t length)
{
	const unsigned char *at = (const unsigned char *)data;
	const unsigned char *end = length == 0 ? at : at + length;

	while (at < end) {
		uint64_t word;
		size_t step;

		if (end - at >= 8 && (memcpy(&word, at, 8), (word & 0x8080808080808080ULL) == 0)) {
			at += 8;
			continue;
		}
		step = ath_utf8_sequence((const char *)at, (size_t)(end - at));
		if (step == 0)
			return false;
		at += step;
	}
	return true;
}

size_t ath_utf8_length(const char *data, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += ((unsigned char)data[i] & 0xc0) != 0x80;
	return count;
}
