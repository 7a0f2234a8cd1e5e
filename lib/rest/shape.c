/*
 * shape.c - memory for what a request is bound to, and shapes from query arguments, headers and
 * forms, whose text is converted as strictly as a JSON body is read.
 */
#include "rest/internal.h"

bool ath_object_new(struct ath_request *request, const struct ath_model *model, void **object)
{
	size_t extent = ath_model_extent(model);
	char *memory = ath_arena_zalloc(request->arena, 1, extent);
	struct ath_error error = { 0 };
	bool good = memory != NULL;

	if (memory == NULL) /* the handler may look into it all the same */
		memory = ath_arena_beyond(request->arena, extent);
	*object = memory;
	good = ath_model_lay_out(model, &memory, &error) == ATH_OK && good;
	if (!good)
		ath_request_fail(request, NULL);
	return good;
}

/* ---- is the shape a good one? --------------------------------------------------------------- */

static bool is_listed(const struct ath_request *request, const struct ath_model *model)
{
	const struct ath_rest *rest = request->web->context;

	for (const struct ath_model *const *each = rest->models; *each != NULL; each++)
		if (*each == model)
			return true;
	return false;
}

/* Query arguments, headers and fields of a form have no inside. */
static enum ath_status check_flat(const struct ath_model *model, struct ath_error *error)
{
	for (size_t i = 0; i < model->member_count; i++)
		if (ath_member_is_nested(&model->members[i]))
			return ath_error_set(error, ATH_EINVAL,
					     "model %s, member %s: only a JSON body holds objects",
					     model->name, model->members[i].name);
	return ATH_OK;
}

/* Those in the list have been checked at start. */
static bool is_good(struct ath_request *request, const struct ath_model *model, bool flat)
{
	const struct ath_rest *rest = request->web->context;
	struct ath_error error = { 0 };

	if ((is_listed(request, model) || ath_model_check(model, rest->models, &error) == ATH_OK) &&
	    (!flat || check_flat(model, &error) == ATH_OK))
		return true;
	ath_log_error(request, "shape", &error);
	ath_request_fail(request, ath_problem(request, 500, "the request could not be served"));
	return false;
}

/* Of a wrong shape nothing is known but its size. */
static void *nothing_of(struct ath_request *request, const struct ath_model *model)
{
	void *object = ath_arena_zalloc(request->arena, 1, model->size);

	return object != NULL ? object : ath_arena_beyond(request->arena, model->size);
}

void *ath_bind_shape(struct ath_request *request, const struct ath_model *model)
{
	return is_good(request, model, false) ? ath_bind(request, model)
					      : nothing_of(request, model);
}

/* ---- text to values ------------------------------------------------------------------------- */

static bool is_array(enum ath_type type)
{
	return type == ATH_TYPE_TEXT_ARRAY || type == ATH_TYPE_INT64_ARRAY ||
	       type == ATH_TYPE_UUID_ARRAY;
}

/* What the JSON reader has to say about the text of such a type. */
static bool is_of_json(enum ath_type type)
{
	return type == ATH_TYPE_BOOL || type == ATH_TYPE_INT16 || type == ATH_TYPE_INT32 ||
	       type == ATH_TYPE_INT64 || type == ATH_TYPE_DOUBLE;
}

static bool is_whole(const struct ath_json_document *document, size_t length)
{
	const struct ath_json_token *token = &document->tokens[0];

	return token->length == length && token->type != ATH_JSON_NULL;
}

static void bind_document(const struct ath_binding *binding, const struct ath_member *column,
			  const struct ath_json_document *document)
{
	struct ath_binding own = *binding;

	own.document = document;
	ath_bind_value(&own, column, document->tokens);
}

/* One text; what is no number, true or false goes on as a string, which its column refuses. */
static void bind_text(struct ath_binding *binding, const struct ath_member *column,
		      const char *text)
{
	size_t length = strlen(text);
	struct ath_json_token string = { .length = (uint32_t)length,
					 .next = 1,
					 .type = ATH_JSON_STRING };
	struct ath_json_document document = { text, &string, 1 };
	struct ath_error error = { 0 };
	bool read = (is_of_json(column->type) || column->type == ATH_TYPE_JSON) &&
		    ath_json_read(binding->arena, text, length, &document, &error) == ATH_OK;

	if (column->type == ATH_TYPE_JSON && !read) {
		ath_refuse(binding, ath_text(column->name), "must be JSON");
		return;
	}
	if (column->type != ATH_TYPE_JSON && !(read && is_whole(&document, length)))
		document = (struct ath_json_document){ text, &string, 1 };
	bind_document(binding, column, &document);
}

/* Several texts, as the list that they would be in a body. */
static void bind_texts(struct ath_binding *binding, const struct ath_member *column,
		       const char *const *texts, size_t count)
{
	struct ath_json_token *tokens = ath_new(binding->arena, struct ath_json_token, count + 1);
	struct ath_json_document document = { .tokens = tokens, .count = (uint32_t)count + 1 };
	struct ath_buffer all;

	if (tokens == NULL)
		return;
	ath_buffer_init(&all, binding->arena, UINT32_MAX);
	tokens[0] = (struct ath_json_token){ .next = document.count,
					     .count = (uint32_t)count & 0xfffffff,
					     .type = ATH_JSON_ARRAY };
	for (size_t i = 0; i < count; i++) {
		bool number = column->type == ATH_TYPE_INT64_ARRAY;

		tokens[i + 1] = (struct ath_json_token){ .start = (uint32_t)all.length,
							 .length = (uint32_t)strlen(texts[i]),
							 .next = (uint32_t)i + 2,
							 .type = number ? ATH_JSON_NUMBER
									: ATH_JSON_STRING };
		ath_buffer_string(&all, texts[i]);
	}
	document.text = ath_buffer_c_string(&all);
	if (!all.failed)
		bind_document(binding, column, &document);
}

static bool are_utf8(const char *const *texts, size_t count)
{
	while (count > 0 && ath_utf8_valid(texts[count - 1], strlen(texts[count - 1])))
		count--;
	return count == 0;
}

/* All that was sent for one member. */
static void bind_sent(struct ath_binding *binding, const struct ath_member *column,
		      const char *const *texts, size_t count)
{
	if (count == 0)
		ath_bind_missing(binding, column);
	else if (!are_utf8(texts, count))
		ath_refuse(binding, ath_text(column->name), "must be UTF-8");
	else if (is_array(column->type))
		bind_texts(binding, column, texts, count);
	else if (count > 1)
		ath_refuse(binding, ath_text(column->name), "must not be given more than once");
	else
		bind_text(binding, column, texts[0]);
}

/* ---- query arguments, headers, forms --------------------------------------------------------- */

/* What a request has sent, of one sort. */
struct source {
	const char *const *(*find)(struct ath_request *request, const char *name, size_t *count);
	/* those that the shape may not have; of headers none: nobody knows all that a client sends
	 */
	const struct ath_pair *sent;
	size_t sent_count;
	const char *what;   /* one is called, with a space behind it */
	const char *detail; /* of the problem */
};

/* user_agent as it is written: User-Agent. */
static const char *describe_header(struct ath_arena *arena, const char *name)
{
	char *text = ath_arena_printf(arena, "the header %s ", name);
	char *at = text == NULL ? NULL : text + strlen("the header ");

	if (at == NULL)
		return "";
	for (bool first = true; *at != '\0'; first = *at++ == '-') {
		if (*at == '_')
			*at = '-';
		else if (first && *at >= 'a' && *at <= 'z')
			*at = (char)(*at - 'a' + 'A');
	}
	return text;
}

static void bind_columns(struct ath_binding *binding, struct ath_request *request,
			 const struct source *source)
{
	for (size_t i = 0; i < source->sent_count; i++)
		if (ath_member_named(binding->model, source->sent[i].name) == NULL)
			ath_bind_unknown(binding, source->sent[i].name);
	for (size_t i = 0; i < binding->model->member_count; i++) {
		const struct ath_member *column = &binding->model->members[i];
		const char *const *texts;
		size_t count;

		if (column->kind != ATH_MEMBER_COLUMN)
			continue;
		texts = source->find(request, column->name, &count);
		if (source->what == NULL)
			binding->what = describe_header(binding->arena, column->name);
		bind_sent(binding, column, texts, count);
	}
}

static void *bind_source(struct ath_request *request, const struct ath_model *model,
			 const struct source *source)
{
	struct ath_violations violations = { .tail = &violations.first };
	struct ath_binding binding = { .arena = request->arena,
				       .violations = &violations,
				       .model = model,
				       .mode = ATH_BIND_NEW,
				       .what = source->what };

	if (!is_good(request, model, true))
		return nothing_of(request, model);
	if (ath_object_new(request, model, &binding.object))
		bind_columns(&binding, request, source);
	if (violations.first != NULL)
		ath_request_fail(request, ath_problem_full(request, 422, NULL, source->detail,
							   violations.first, 0));
	return binding.object;
}

void *ath_bind_args(struct ath_request *request, const struct ath_model *model)
{
	return bind_source(request, model,
			   &(struct source){ ath_arg_list, request->args, request->arg_count,
					     "the query argument ",
					     "the query arguments break the rules: see errors" });
}

void *ath_bind_headers(struct ath_request *request, const struct ath_model *model)
{
	return bind_source(request, model,
			   &(struct source){ .find = ath_header_list,
					     .detail = "the headers break the rules: see errors" });
}

void *ath_bind_form(struct ath_request *request, const struct ath_model *model)
{
	struct source source = { .find = ath_form_list,
				 .what = "the field ",
				 .detail = "the form breaks the rules: see errors" };

	source.sent = ath_form_fields(request, &source.sent_count);
	return bind_source(request, model, &source);
}
