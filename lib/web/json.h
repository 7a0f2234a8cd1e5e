/*
 * web/json.h - a strict JSON reader (RFC 8259) that leaves the text where it is and makes
 * tokens that point into it. It is what decides whether a body is JSON at all; cJSON gets
 * to see only what has passed it.
 */
#ifndef ATH_WEB_JSON_H
#define ATH_WEB_JSON_H

#include "base/base.h"

enum ath_json_type {
	ATH_JSON_NULL,
	ATH_JSON_FALSE,
	ATH_JSON_TRUE,
	ATH_JSON_NUMBER,
	ATH_JSON_STRING,
	ATH_JSON_ARRAY,
	ATH_JSON_OBJECT,
};

/*
 * Tokens stand in the order of the text: behind an object its members, each a string token
 * (the name) and then the tokens of its value; behind an array its elements.
 */
struct ath_json_token {
	uint32_t start, length; /* of the text; a string's without its quotes, still escaped */
	uint32_t next;          /* index of the first token behind this one and all it holds */
	uint32_t count : 28;    /* members of an object, elements of an array */
	uint32_t type : 3;      /* enum ath_json_type */
	uint32_t escaped : 1;   /* a string that holds a backslash */
};

struct ath_json_document {
	const char *text;
	const struct ath_json_token *tokens; /* tokens[0] is the whole value */
	uint32_t count;
};

enum { ATH_JSON_MAX_DEPTH = 32 };

/**
 * Reads text, which must be one JSON value and nothing else: UTF-8, no byte order mark, no
 * duplicate names in an object (compared after unescaping), no lone surrogates among the \u
 * escapes, at most ATH_JSON_MAX_DEPTH levels. Time is at worst n log n in the length.
 *
 * @param arena     where the tokens live
 * @param document  points into text, which must outlive it
 * @param error     on failure: a message that names the byte, such as
 *                  "at byte 17: a name that the object has already"
 * @return ATH_OK, ATH_EINVAL, ATH_ETOOBIG (too deep, or 4 GiB or more) or ATH_ENOMEM
 */
enum ath_status ath_json_read(struct ath_arena *arena, const char *text, size_t length,
			      struct ath_json_document *document,
			      struct ath_error *error) ATH_MUST_CHECK;

/**
 * The unescaped bytes of a string token; of another token its text. May hold NUL (from
 * \u0000). data is NULL only when the arena is full; it ends in NUL when it was escaped,
 * and otherwise points into the document.
 */
struct ath_text ath_json_string(struct ath_arena *arena, const struct ath_json_document *document,
				const struct ath_json_token *token);

/** The value of an object's member, or NULL. The name is compared after unescaping. */
const struct ath_json_token *ath_json_member(const struct ath_json_document *document,
					     const struct ath_json_token *object, const char *name);

#endif
