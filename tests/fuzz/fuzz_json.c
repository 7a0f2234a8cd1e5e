/*
 * fuzz_json.c - libFuzzer on the JSON reader: whatever it accepts has tokens that agree with
 * the text and with each other, unescapes to UTF-8, and has no name twice; whatever it
 * refuses it refuses with a message and without tokens.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "web/json.h"

/* Names of one object are compared in pairs only up to this many, and members looked up. */
enum { MANY_NAMES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_string(struct ath_arena *arena, const struct ath_json_document *document,
			 const struct ath_json_token *token)
{
	const char *raw = document->text + token->start;
	struct ath_text text = ath_json_string(arena, document, token);

	must(raw[-1] == '"' && raw[token->length] == '"');
	must(token->escaped == (memchr(raw, '\\', token->length) != NULL));
	must(ath_utf8_valid(raw, token->length));
	if (text.data == NULL) {
		must(ath_arena_failed(arena));
		return;
	}
	must(text.length <= token->length && ath_utf8_valid(text.data, text.length));
	must(token->escaped ? text.data[text.length] == '\0' : text.data == raw);
}

/* A name finds its own value, which it cannot when an earlier member has the same. */
static void check_name(struct ath_arena *arena, const struct ath_json_document *document,
		       const struct ath_json_token *object, const struct ath_json_token *name)
{
	struct ath_text text = ath_json_string(arena, document, name);
	char *c_string;

	if (object->count > MANY_NAMES || text.data == NULL ||
	    memchr(text.data, '\0', text.length) != NULL)
		return;
	c_string = ath_arena_copy(arena, text.data, text.length);
	if (c_string != NULL)
		must(ath_json_member(document, object, c_string) == name + 1);
}

static void check_scalar(const struct ath_json_document *document,
			 const struct ath_json_token *token)
{
	static const char *const words[] = { "null", "false", "true" };
	struct ath_text text = { document->text + token->start, token->length };
	int64_t value;

	if (token->type < ATH_COUNT(words)) {
		must(ath_text_is(text, words[token->type]));
		return;
	}
	must(token->type == ATH_JSON_NUMBER && text.length > 0);
	for (size_t i = 0; i < text.length; i++)
		must(text.data[i] != '\0' && strchr("-+.eE0123456789", text.data[i]) != NULL);
	if (text.length < 19 && memchr(text.data, '.', text.length) == NULL &&
	    memchr(text.data, 'e', text.length) == NULL &&
	    memchr(text.data, 'E', text.length) == NULL)
		must(ath_text_int64(text, &value));
}

/* Checks the value at index, which must end at or before byte limit: the index behind it. */
static uint32_t check_value(struct ath_arena *arena, const struct ath_json_document *document,
			    uint32_t index, size_t limit, int depth)
{
	const struct ath_json_token *token = &document->tokens[index];
	bool object = token->type == ATH_JSON_OBJECT;
	size_t end = (size_t)token->start + token->length;
	uint32_t at = index + 1;

	must(index < document->count && end <= limit && depth <= ATH_JSON_MAX_DEPTH);
	must(index == 0 || token->start > document->tokens[index - 1].start);
	if (token->type == ATH_JSON_STRING) {
		check_string(arena, document, token);
	} else if (object || token->type == ATH_JSON_ARRAY) {
		must(document->text[token->start] == (object ? '{' : '['));
		must(document->text[end - 1] == (object ? '}' : ']'));
		must(depth < ATH_JSON_MAX_DEPTH);
	} else {
		check_scalar(document, token);
	}
	for (uint32_t i = 0; i < token->count; i++) {
		if (object) {
			must(document->tokens[at].type == ATH_JSON_STRING);
			check_name(arena, document, token, &document->tokens[at]);
			at = check_value(arena, document, at, end - 1, depth + 1);
		}
		at = check_value(arena, document, at, end - 1, depth + 1);
	}
	must(at == token->next);
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ath_json_document document;
	struct ath_error error = { 0 };
	struct ath_arena *arena;
	enum ath_status status;
	char *text = malloc(size > 0 ? size : 1);

	if (text == NULL || ath_arena_open(&arena, 0) != ATH_OK)
		abort();
	if (size > 0)
		memcpy(text, data, size);
	status = ath_json_read(arena, text, size, &document, &error);
	must(status == error.status);
	if (status == ATH_OK) {
		must(document.text == text && document.count > 0);
		must(check_value(arena, &document, 0, size, 0) == document.count);
	} else {
		must(strncmp(error.message, "at byte ", 8) == 0 && document.tokens == NULL);
	}
	ath_arena_close(&arena);
	free(text);
	return 0;
}
