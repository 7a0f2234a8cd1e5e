/*
 * header_lines.c - the lines of an answer that say what caches and browsers may do with it, and
 * those that every answer has unless it brings its own.
 */
#include <stdio.h>
#include <strings.h>

#include "web/internal.h"

/*
 * OWASP's for a REST service: nobody keeps it, takes it for something else than it says, runs
 * what stands in it, shows it in a frame, or learns by a link where it was. HTTPS alone
 * (Strict-Transport-Security) is for the web server to ask for, which has the certificate.
 */
#define USUAL(X)                                                                                   \
	X("Cache-Control", "no-store")                                                             \
	X("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")                 \
	X("Cross-Origin-Resource-Policy", "same-origin")                                           \
	X("Referrer-Policy", "no-referrer")                                                        \
	X("X-Content-Type-Options", "nosniff")                                                     \
	X("X-Frame-Options", "DENY")

#define LINE(name, value) name ": " value "\r\n"

const char ath_usual_lines[] = USUAL(LINE);
_Static_assert(sizeof ath_usual_lines <= ATH_USUAL_LINES, "they are part of last_words");

/* And ETag, which nobody has to have: what has it is kept, to be asked about. */
static const struct {
	const char *name;
	size_t name_length;
	const char *line;
} usual[] = {
#define X(name, value) { name, sizeof name - 1, LINE(name, value) },
	USUAL(X){ "ETag", 4, "" },
#undef X
};
enum { CACHE_CONTROL = 0, ETAG = ATH_COUNT(usual) - 1 };

static struct ath_text lines_of(const struct ath_response *response)
{
	return (struct ath_text){ response->headers.data, response->headers.length };
}

static size_t name_length(struct ath_text line)
{
	const char *colon = memchr(line.data, ':', line.length);

	return colon == NULL ? 0 : (size_t)(colon - line.data);
}

/* Which of them the response brings itself: bits 1 << index. */
static unsigned own_lines(const struct ath_response *response)
{
	struct ath_text rest = lines_of(response), line;
	unsigned own = 0;

	while (ath_next_line(&rest, &line)) {
		size_t length = name_length(line);

		for (size_t i = 0; i < ATH_COUNT(usual); i++)
			if (usual[i].name_length == length &&
			    strncasecmp(line.data, usual[i].name, length) == 0)
				own |= 1U << i;
	}
	return own;
}

void ath_put_usual_lines(struct ath_buffer *head, const struct ath_response *response)
{
	unsigned own = own_lines(response);

	if (own == 0) { /* as nearly always */
		ath_buffer_append(head, ath_usual_lines, sizeof ath_usual_lines - 1);
		return;
	}
	for (size_t i = 0; i < ATH_COUNT(usual); i++)
		if (i == CACHE_CONTROL && (own & (1U << CACHE_CONTROL | 1U << ETAG)) == 1U << ETAG)
			ath_buffer_string(head, LINE("Cache-Control", "private, no-cache"));
		else if (!(own & 1U << i))
			ath_buffer_string(head, usual[i].line);
}

/* ---- what a handler says --------------------------------------------------------------------- */

/* Where the line of this name begins in the headers, and it without its end; false: nowhere. */
static bool find_line(const struct ath_response *response, const char *name, size_t *at,
		      struct ath_text *line)
{
	struct ath_text rest = lines_of(response);

	while (ath_next_line(&rest, line)) {
		*at = (size_t)(line->data - response->headers.data);
		if (ath_text_is_nocase((struct ath_text){ line->data, name_length(*line) }, name))
			return true;
	}
	return false;
}

static void drop_line(struct ath_response *response, const char *name)
{
	struct ath_buffer *headers = &response->headers;
	struct ath_text line;
	size_t at, behind;

	if (!find_line(response, name, &at, &line))
		return;
	behind = at + line.length + 2;
	memmove(headers->data + at, headers->data + behind, headers->length - behind);
	headers->length -= behind - at;
}

void ath_response_cache(struct ath_response *response, int64_t seconds, unsigned flags)
{
	const char *who = flags & ATH_CACHE_PUBLIC ? "public" : "private";
	char value[64];

	if (response == NULL)
		return;
	if (seconds < 0 || (flags & ~(unsigned)(ATH_CACHE_PUBLIC | ATH_CACHE_IMMUTABLE)) != 0) {
		ath_refuse_header(response->request);
		return;
	}
	drop_line(response, "Cache-Control");
	if (seconds == 0)
		snprintf(value, sizeof value, "%s, no-cache", who);
	else
		snprintf(value, sizeof value, "%s, max-age=%lld%s", who, (long long)seconds,
			 flags & ATH_CACHE_IMMUTABLE ? ", immutable" : "");
	ath_response_header(response, "Cache-Control", value);
}

static bool has_item(struct ath_text list, const char *name)
{
	while (list.length > 0)
		if (ath_text_is_nocase(ath_next_part(&list, ','), name))
			return true;
	return false;
}

/* In one line: there are caches that look at the last one only. */
void ath_response_vary(struct ath_response *response, const char *name)
{
	enum { NAME = 5 }; /* "Vary:" */
	struct ath_buffer *headers;
	struct ath_text line, list;
	size_t at, added;

	if (response == NULL)
		return;
	if (!ath_is_token(name)) {
		ath_refuse_header(response->request);
		return;
	}
	if (!find_line(response, "Vary", &at, &line)) {
		ath_response_header(response, "Vary", name);
		return;
	}
	list = (struct ath_text){ line.data + NAME, line.length - NAME };
	headers = &response->headers;
	at += line.length;
	added = strlen(name) + 2;
	if (has_item(list, name) || ath_buffer_reserve(headers, added) == NULL)
		return;
	memmove(headers->data + at + added, headers->data + at, headers->length - at);
	memcpy(headers->data + at, ", ", 2);
	memcpy(headers->data + at + 2, name, added - 2);
	headers->length += added;
}
