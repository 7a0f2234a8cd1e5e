/*
 * json_check.h - a strict reader of RFC 8259 for the tests of what writes JSON: flat objects,
 * strings and numbers. Every function returns what follows the thing it read, or NULL.
 */
#ifndef TESTS_JSON_CHECK_H
#define TESTS_JSON_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static inline const char *json_digits(const char *at)
{
	size_t count = strspn(at, "0123456789");

	return count == 0 ? NULL : at + count;
}

static inline const char *json_number(const char *at)
{
	at += *at == '-';
	at = *at == '0' ? at + 1 : json_digits(at);
	if (at != NULL && *at == '.')
		at = json_digits(at + 1);
	if (at != NULL && (*at == 'e' || *at == 'E')) {
		at += at[1] == '+' || at[1] == '-';
		at = json_digits(at + 1);
	}
	return at;
}

/* One escape behind its backslash; only the ASCII ones of \u, which is all we ever write. */
static inline const char *json_escape(const char *at, char *out)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *found = *at == '\0' ? NULL : strchr(letters, *at);
	char hex[5] = "";

	if (found != NULL) {
		*out = meant[found - letters];
		return at + 1;
	}
	if (*at != 'u')
		return NULL;
	memcpy(hex, at + 1, strnlen(at + 1, 4));
	if (strspn(hex, "0123456789abcdefABCDEF") != 4 || hex[0] != '0' || hex[1] != '0')
		return NULL;
	*out = (char)strtol(hex, NULL, 16);
	return at + 5;
}

/* The string without its quotes and escapes goes into out, which is as long as the text. */
static inline const char *json_string(const char *at, char *out, size_t *length)
{
	const char *start = at;

	*length = 0;
	if (*at++ != '"')
		return NULL;
	while (*at != '"') {
		if ((unsigned char)*at < 0x20)
			return NULL;
		if (*at != '\\') {
			out[(*length)++] = *at++;
			continue;
		}
		at = json_escape(at + 1, &out[*length]);
		if (at == NULL)
			return NULL;
		++*length;
	}
	return ath_utf8_valid(start, (size_t)(at - start)) ? at + 1 : NULL;
}

/*
 * A flat object. The members come out as name=value; one behind the other, in out, which is
 * as long as the text.
 */
static inline const char *json_object(const char *at, char *out)
{
	if (*at != '{')
		return NULL;
	do {
		const char *value;
		size_t length;

		at = json_string(at + 1, out, &length);
		if (at == NULL || *at != ':')
			return NULL;
		out += length;
		*out++ = '=';
		value = at + 1;
		if (*value == '"') {
			at = json_string(value, out, &length);
		} else {
			at = json_number(value);
			length = at == NULL ? 0 : (size_t)(at - value);
			memcpy(out, value, length);
		}
		if (at == NULL)
			return NULL;
		out += length;
		*out++ = ';';
	} while (*at == ',');
	*out = '\0';
	return *at == '}' ? at + 1 : NULL;
}

#endif
