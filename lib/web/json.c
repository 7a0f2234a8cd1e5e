/* json.c - bodies as documents: the strict reader first, and cJSON behind it. */
#include <cjson/cJSON.h>

#include "web/internal.h"

/* "application/json; charset=utf-8", "application/merge-patch+json", or nothing at all */
static bool is_json(const char *content_type)
{
	struct ath_text type;
	size_t length;

	if (content_type == NULL || *content_type == '\0')
		return true;
	length = strcspn(content_type, "; ");
	type = (struct ath_text){ content_type, length };
	return ath_text_is_nocase(type, "application/json") ||
	       (length > 5 &&
		ath_text_is_nocase((struct ath_text){ content_type + length - 5, 5 }, "+json"));
}

const struct ath_json_document *ath_body_document(struct ath_request *request)
{
	struct ath_json_document *document = ath_new(request->arena, struct ath_json_document, 1);
	struct ath_error error = { 0 };

	if (document == NULL)
		return NULL;
	if (!is_json(ath_param(request, "CONTENT_TYPE"))) {
		ath_request_fail(request, ath_problem(request, 415, "send application/json"));
		return NULL;
	}
	if (ath_json_read(request->arena, request->body.data, request->body.length, document,
			  &error) != ATH_OK) {
		if (error.status != ATH_ENOMEM)
			ath_request_fail(request,
					 ath_problem(request, 400, "the body is no JSON: %s",
						     error.message));
		return NULL;
	}
	return document;
}

/* cJSON's strings end at a NUL: one inside would be cut there in silence. */
static bool holds_nul(const struct ath_json_document *document)
{
	for (uint32_t i = 0; i < document->count; i++) {
		const struct ath_json_token *token = &document->tokens[i];

		if (token->type == ATH_JSON_STRING && token->escaped)
			for (uint32_t at = 0; at + 6 <= token->length; at++) {
				const char *text = document->text + token->start + at;

				if (memcmp(text, "\\u0000", 6) == 0)
					return true;
				at += *text == '\\'; /* the escape's letter */
			}
	}
	return false;
}

/* A tree is many times as large as its text, and not in the arena: it counts all the same. */
static bool charge_for_tree(struct ath_request *request, const struct ath_json_document *document)
{
	size_t tree = document->count * sizeof(cJSON) + request->body.length;

	if (tree > request->web->limits.arena - ath_arena_used(request->arena)) {
		ath_request_fail(request,
				 ath_problem(request, 413, "too many values for one request"));
		return false;
	}
	return ath_arena_charge(request->arena, tree);
}

static void delete_document(void *arg)
{
	cJSON_Delete(arg);
}

struct cJSON *ath_body_json(struct ath_request *request)
{
	const struct ath_json_document *document = ath_body_document(request);
	cJSON *json;

	if (document == NULL)
		return NULL;
	if (holds_nul(document)) {
		ath_request_fail(request, ath_problem(request, 422, "a string holds \\u0000"));
		return NULL;
	}
	if (!charge_for_tree(request, document))
		return NULL;
	json = cJSON_ParseWithLength(request->body.data, request->body.length);
	if (json == NULL || !ath_arena_defer(request->arena, delete_document, json)) {
		cJSON_Delete(json);
		ath_request_fail(request, ath_problem(request, 500, "out of memory"));
		return NULL;
	}
	return json;
}

struct ath_response *ath_response_json(struct ath_request *request, int status,
				       struct cJSON *document)
{
	struct ath_response *response = ath_response_new(request, status, "application/json");
	char *text = cJSON_PrintUnformatted(document);

	cJSON_Delete(document);
	if (response != NULL && text != NULL)
		ath_buffer_string(&response->body, text);
	else if (response != NULL)
		response->body.failed = true;
	cJSON_free(text);
	return response;
}
