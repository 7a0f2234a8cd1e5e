/* url.c - percent-decoding. */
#include "web/internal.h"

size_t ath_percent_decode(struct ath_text text, bool plus, char *out)
{
	size_t length = 0;

	for (size_t i = 0; i < text.length; i++) {
		char byte = text.data[i];

		if (byte == '%') {
			int high = text.length - i > 2 ? ath_hex_digit(text.data[i + 1]) : -1;
			int low = text.length - i > 2 ? ath_hex_digit(text.data[i + 2]) : -1;

			if (high < 0 || low < 0)
				return SIZE_MAX;
			byte = (char)(high << 4 | low);
			i += 2;
		} else if (byte == '+' && plus) {
			byte = ' ';
		}
		if (byte == '\0')
			return SIZE_MAX;
		out[length++] = byte;
	}
	return ath_utf8_valid(out, length) ? length : SIZE_MAX;
}
