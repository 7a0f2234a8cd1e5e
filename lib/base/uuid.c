/* uuid.c - RFC 4122 identifiers: random, to text, from text. */
#include <sys/random.h>

#include "base/internal.h"

/* Behind these bytes of the text stands a hyphen. */
static bool hyphen_after(size_t byte)
{
	return byte == 3 || byte == 5 || byte == 7 || byte == 9;
}

enum ath_status ath_uuid_random(struct ath_uuid *uuid)
{
	if (getrandom(uuid->bytes, sizeof uuid->bytes, 0) != (ssize_t)sizeof uuid->bytes)
		return ATH_EIO;
	uuid->bytes[6] = (unsigned char)((uuid->bytes[6] & 0x0f) | 0x40);
	uuid->bytes[8] = (unsigned char)((uuid->bytes[8] & 0x3f) | 0x80);
	return ATH_OK;
}

void ath_uuid_format(struct ath_uuid uuid, char text[ATH_UUID_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	char *at = text;

	for (size_t i = 0; i < sizeof uuid.bytes; i++) {
		*at++ = digits[uuid.bytes[i] >> 4];
		*at++ = digits[uuid.bytes[i] & 15];
		if (hyphen_after(i))
			*at++ = '-';
	}
	*at = '\0';
}

bool ath_uuid_parse(struct ath_text text, struct ath_uuid *uuid)
{
	const char *at = text.data;

	if (text.length != ATH_UUID_TEXT - 1)
		return false;
	for (size_t i = 0; i < sizeof uuid->bytes; i++) {
		int high = ath_hex_digit(at[0]), low = ath_hex_digit(at[1]);

		if (high < 0 || low < 0)
			return false;
		uuid->bytes[i] = (unsigned char)(high << 4 | low);
		at += 2;
		if (hyphen_after(i) && *at++ != '-')
			return false;
	}
	return true;
}
