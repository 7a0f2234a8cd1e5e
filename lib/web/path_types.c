/* path_types.c - what may stand for a part of a path, and what it is read as. */
#include <stdlib.h>

#include "web/path_types.h"

struct ath_path_type {
	const char *name; /* NULL: a regular expression */
	bool (*read)(struct ath_text segment, struct ath_capture *capture);
	bool rest;
};

static bool read_int(struct ath_text segment, struct ath_capture *capture)
{
	return ath_text_int64(segment, &capture->as.integer);
}

static size_t digits(const char **at, const char *end)
{
	const char *first = *at;

	while (*at < end && **at >= '0' && **at <= '9')
		++*at;
	return (size_t)(*at - first);
}

/* -1.5, 3, .5 and 2. but no exponent, and nothing that is not a number */
static bool read_float(struct ath_text segment, struct ath_capture *capture)
{
	const char *at = segment.data, *end = segment.data + segment.length;
	char text[64];
	size_t count;

	if (segment.length == 0 || segment.length >= sizeof text)
		return false;
	at += *at == '-';
	count = digits(&at, end);
	if (at < end && *at == '.') {
		at++;
		count += digits(&at, end);
	}
	if (at != end || count == 0)
		return false;
	memcpy(text, segment.data, segment.length);
	text[segment.length] = '\0';
	capture->as.real = strtod(text, NULL);
	return true;
}

static bool read_ymd(struct ath_text segment, struct ath_capture *capture)
{
	return segment.length == strlen("2024-05-06") && ath_date_parse(segment, &capture->as.date);
}

static bool read_uuid(struct ath_text segment, struct ath_capture *capture)
{
	return ath_uuid_parse(segment, &capture->as.uuid);
}

static bool read_alpha(struct ath_text segment, struct ath_capture *capture)
{
	(void)capture;
	for (size_t i = 0; i < segment.length; i++) {
		char letter = (char)(segment.data[i] | 0x20);

		if (letter < 'a' || letter > 'z')
			return false;
	}
	return segment.length > 0;
}

/* Words of a-z and 0-9 with single hyphens between. */
static bool read_slug(struct ath_text segment, struct ath_capture *capture)
{
	char before = '-';

	(void)capture;
	for (size_t i = 0; i < segment.length; i++) {
		char each = segment.data[i];

		if (each == '-' ? before == '-'
				: !((each >= 'a' && each <= 'z') || (each >= '0' && each <= '9')))
			return false;
		before = each;
	}
	return before != '-';
}

static bool read_any(struct ath_text segment, struct ath_capture *capture)
{
	(void)segment;
	(void)capture;
	return true;
}

static const struct ath_path_type types[] = {
	{ "int", read_int, false },   { "float", read_float, false }, { "ymd", read_ymd, false },
	{ "uuid", read_uuid, false }, { "alpha", read_alpha, false }, { "slug", read_slug, false },
	{ NULL, read_any, false },    { "str", read_any, false },     { "path", read_any, true },
};

const struct ath_path_type *ath_path_type_named(struct ath_text name)
{
	const struct ath_path_type *regex = NULL;

	for (size_t i = 0; i < ATH_COUNT(types); i++) {
		if (types[i].name == NULL)
			regex = &types[i];
		else if (ath_text_is(name, types[i].name))
			return &types[i];
	}
	return regex;
}

bool ath_path_type_is_regex(const struct ath_path_type *type)
{
	return type->name == NULL;
}

bool ath_path_type_is_rest(const struct ath_path_type *type)
{
	return type->rest;
}

bool ath_path_type_read(const struct ath_path_type *type, struct ath_text segment,
			struct ath_capture *capture)
{
	return type->read(segment, capture);
}
