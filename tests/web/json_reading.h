/*
 * json_reading.h - a text through the JSON reader, and what must hold for each that is accepted
 * or refused.
 *
 * Every text is read from an allocation of exactly its size, so that AddressSanitizer sees a
 * read past the end.
 */
#ifndef TESTS_WEB_JSON_READING_H
#define TESTS_WEB_JSON_READING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "web/json.h"

/* clang-format off */

#define OPEN_8 "[[[[[[[["
#define CLOSE_8 "]]]]]]]]"
#define OPEN_32 OPEN_8 OPEN_8 OPEN_8 OPEN_8
#define CLOSE_32 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8
#define NAME_8 "{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":"
#define END_8 "}}}}}}}}"
/* clang-format on */

/* ---- reading ----------------------------------------------------------------------------- */

static struct ath_arena *arena;

static inline int set_up(void **state)
{
	(void)state;
	return ath_arena_open(&arena, 0) == ATH_OK ? 0 : -1;
}

static inline int tear_down(void **state)
{
	(void)state;
	ath_arena_close(&arena);
	return 0;
}

/* The text of the document, in an allocation without a byte to spare. */
struct reading {
	enum ath_status status;
	struct ath_json_document document;
	struct ath_error error;
	char *text;
};

static inline struct reading read_text(const char *text, size_t length)
{
	struct reading reading = { .text = malloc(length > 0 ? length : 1) };

	assert_non_null(reading.text);
	if (length > 0)
		memcpy(reading.text, text, length);
	ath_arena_reset(arena);
	reading.status =
		ath_json_read(arena, reading.text, length, &reading.document, &reading.error);
	return reading;
}

static inline struct reading read_string(const char *text)
{
	struct reading reading = read_text(text, strlen(text));

	assert_int_equal(reading.status, ATH_OK);
	return reading;
}

/* The byte that the message names, or -1 when it names none. */
static inline long error_byte(const struct ath_error *error)
{
	long byte;
	int end = 0;

	if (sscanf(error->message, "at byte %ld: %n", &byte, &end) != 1 || end == 0)
		return -1;
	return error->message[end] != '\0' ? byte : -1;
}

/* ---- what holds for every document --------------------------------------------------------- */

static inline uint32_t check_value(const struct ath_json_document *document, uint32_t index,
				   size_t length, int depth);

/* The elements of a container, each inside it and the next one where it says. */
static inline uint32_t check_elements(const struct ath_json_document *document, uint32_t index,
				      int depth)
{
	const struct ath_json_token *container = &document->tokens[index];
	size_t end = (size_t)container->start + container->length - 1;
	char open = container->type == ATH_JSON_OBJECT ? '{' : '[';
	uint32_t at = index + 1;

	assert_int_equal(document->text[container->start], open);
	assert_int_equal(document->text[end], open + 2);
	for (uint32_t i = 0; i < container->count; i++) {
		assert_true(document->tokens[at].start > container->start);
		if (container->type == ATH_JSON_OBJECT) {
			assert_int_equal(document->tokens[at].type, ATH_JSON_STRING);
			at = check_value(document, at, end, depth);
		}
		at = check_value(document, at, end, depth);
	}
	return at;
}

static inline void check_string(const struct ath_json_document *document,
				const struct ath_json_token *token)
{
	const char *data = document->text + token->start;
	bool backslash = token->length > 0 && memchr(data, '\\', token->length) != NULL;

	assert_int_equal(data[-1], '"');
	assert_int_equal(data[token->length], '"');
	assert_int_equal(token->escaped, backslash);
	assert_true(ath_utf8_valid(data, token->length));
}

/* Checks the value at index, which ends before byte limit: the index behind it. */
static inline uint32_t check_value(const struct ath_json_document *document, uint32_t index,
				   size_t limit, int depth)
{
	const struct ath_json_token *token = &document->tokens[index];
	uint32_t next = index + 1;

	assert_true(index < document->count);
	assert_true((size_t)token->start + token->length <= limit);
	if (token->type == ATH_JSON_ARRAY || token->type == ATH_JSON_OBJECT) {
		assert_true(depth < ATH_JSON_MAX_DEPTH);
		next = check_elements(document, index, depth + 1);
	} else {
		assert_int_equal(token->count, 0);
	}
	if (token->type == ATH_JSON_STRING)
		check_string(document, token);
	assert_int_equal(token->next, next);
	return next;
}

static inline void check_document(const struct reading *reading, size_t length)
{
	assert_int_equal(reading->error.status, ATH_OK);
	assert_ptr_equal(reading->document.text, reading->text);
	assert_int_equal(check_value(&reading->document, 0, length, 0), reading->document.count);
}

static inline void check_refusal(const struct reading *reading, size_t length)
{
	long byte = error_byte(&reading->error);

	assert_int_not_equal(reading->status, ATH_OK);
	assert_int_equal(reading->error.status, reading->status);
	assert_null(reading->document.tokens);
	assert_int_equal(reading->document.count, 0);
	assert_true(byte >= 0 && (size_t)byte <= length);
}

#endif
