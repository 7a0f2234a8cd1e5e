/* base64.c - bytes as text (RFC 4648, section 4: with padding) and back. */
#include "base/internal.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ath_buffer_base64(struct ath_buffer *buffer, const void *data, size_t length)
{
	const unsigned char *in = data;
	char *out;

	if (length > (SIZE_MAX / 4 - 1) * 3 ||
	    (out = ath_buffer_reserve(buffer, (length + 2) / 3 * 4)) == NULL) {
		buffer->failed = true;
		return;
	}
	buffer->length += (length + 2) / 3 * 4;
	for (; length > 0; in += 3, out += 4) {
		size_t here = length < 3 ? length : 3;
		uint32_t bits = (uint32_t)in[0] << 16;

		bits |= here > 1 ? (uint32_t)in[1] << 8 : 0;
		bits |= here > 2 ? (uint32_t)in[2] : 0;
		out[0] = alphabet[bits >> 18];
		out[1] = alphabet[bits >> 12 & 63];
		out[2] = here > 1 ? alphabet[bits >> 6 & 63] : '=';
		out[3] = here > 2 ? alphabet[bits & 63] : '=';
		length -= here;
	}
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool ath_base64_decode(struct ath_text text, unsigned char *out, size_t *length)
{
	size_t padding = 0, at = 0;
	uint32_t bits = 0;

	*length = 0;
	if (text.length % 4 != 0)
		return false;
	while (padding < 2 && padding < text.length && text.data[text.length - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < text.length; i++) {
		int value = i < text.length - padding ? value_of(text.data[i]) : 0;

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 != 3)
			continue;
		out[at++] = (unsigned char)(bits >> 16);
		out[at++] = (unsigned char)(bits >> 8);
		out[at++] = (unsigned char)bits;
		bits = i == text.length - 1 ? bits & (padding == 2 ? 0xffff
						      : padding    ? 0xff
								   : 0)
					    : 0;
	}
	*length = at - padding;
	return bits == 0; /* bits that stand for nothing are no second way to write the same */
}
