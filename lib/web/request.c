/*
 * request.c - a request from the parameters the web server sent: pairs, path, arguments,
 * body. What is wrong with it fails the request; the handler is not called then.
 */
#include <stdlib.h>

#include "web/internal.h"

enum { FIRST_PAIRS = 32 };

struct ath_request *ath_request_new(const struct ath_web *web)
{
	struct ath_request *request = calloc(1, sizeof *request);

	if (request == NULL || ath_arena_open(&request->arena, web->limits.arena) != ATH_OK) {
		free(request);
		return NULL;
	}
	request->web = web;
	ath_request_reset(request);
	return request;
}

void ath_request_free(struct ath_request *request)
{
	ath_spool_close_all(request);
	ath_arena_close(&request->arena);
	free(request);
}

void ath_request_reset(struct ath_request *request)
{
	const struct ath_web *web = request->web;
	struct ath_arena *arena = request->arena;

	ath_spool_close_all(request);
	ath_arena_reset(arena);
	*request = (struct ath_request){ .web = web, .arena = arena, .body = { "", 0 }, .id = "" };
	ath_buffer_init(&request->raw_params, arena, web->limits.params + 1); /* and a NUL */
	ath_buffer_init(&request->raw_body, arena, web->limits.body);
}

void ath_request_fail(struct ath_request *request, struct ath_response *problem)
{
	if (request->failure == NULL)
		request->failure = problem;
	if (request->failed != NULL)
		request->failed(request);
}

/* ---- putting pairs together ----------------------------------------------------------------- */

static void put_length(struct ath_buffer *out, size_t length)
{
	unsigned char bytes[4] = { (unsigned char)(length >> 24 | 0x80),
				   (unsigned char)(length >> 16), (unsigned char)(length >> 8),
				   (unsigned char)length };

	if (length < 0x80)
		ath_buffer_append(out, bytes + 3, 1);
	else
		ath_buffer_append(out, bytes, sizeof bytes);
}

void ath_request_put_param(struct ath_request *request, struct ath_text name, struct ath_text value)
{
	struct ath_buffer *params = &request->raw_params;

	put_length(params, name.length);
	put_length(params, value.length);
	ath_buffer_append(params, name.data, name.length);
	ath_buffer_append(params, value.data, value.length);
}

/* ---- taking them apart ---------------------------------------------------------------------- */

static bool pair_length(const unsigned char **at, const unsigned char *end, size_t *length)
{
	if (*at == end)
		return false;
	*length = *(*at)++;
	if (*length < 0x80)
		return true;
	if (end - *at < 3)
		return false;
	*length =
		(*length & 0x7f) << 24 | (size_t)(*at)[0] << 16 | (size_t)(*at)[1] << 8 | (*at)[2];
	*at += 3;
	return true;
}

/* Cuts one pair off the front; false when it reaches past the end. */
static bool next_pair(const unsigned char **at, const unsigned char *end, struct ath_pair *pair)
{
	size_t name, value;

	if (!pair_length(at, end, &name) || !pair_length(at, end, &value) ||
	    name > (size_t)(end - *at) || value > (size_t)(end - *at) - name)
		return false;
	pair->name = (struct ath_text){ (const char *)*at, name };
	pair->value = (struct ath_text){ (const char *)*at + name, value };
	*at += name + value;
	return memchr(pair->value.data, '\0', value) == NULL;
}

static struct ath_pair *add_pair(struct ath_request *request, size_t *capacity)
{
	size_t wanted = *capacity == 0 ? FIRST_PAIRS : 2 * *capacity;

	if (request->param_count == *capacity) {
		request->params = ath_arena_grow(request->arena, request->params,
						 *capacity * sizeof *request->params,
						 wanted * sizeof *request->params);
		*capacity = wanted;
	}
	return request->params == NULL ? NULL : &request->params[request->param_count];
}

/*
 * When all have been read, every value is ended by a NUL in the byte behind it, which was the
 * length of the next name.
 */
static bool read_pairs(struct ath_request *request)
{
	struct ath_buffer *raw = &request->raw_params;
	const unsigned char *at, *end;
	size_t capacity = 0;

	ath_buffer_append(raw, "", 1);
	if (raw->failed)
		return false;
	raw->length--;
	end = (const unsigned char *)raw->data + raw->length;
	for (at = (const unsigned char *)raw->data; at < end; request->param_count++) {
		struct ath_pair *pair = add_pair(request, &capacity);

		if (pair == NULL || !next_pair(&at, end, pair)) {
			request->param_count = 0;
			return false;
		}
	}
	for (size_t i = 0; i < request->param_count; i++) {
		struct ath_text value = request->params[i].value;

		raw->data[value.data - raw->data + (ptrdiff_t)value.length] = '\0';
	}
	return true;
}

/* Headers that a request has once: two of them say two things. */
static bool has_doubles(const struct ath_request *request)
{
	static const struct {
		size_t length;
		const char *name;
	} once[] = {
		{ 9, "HTTP_HOST" },
		{ 12, "CONTENT_TYPE" },
		{ 14, "CONTENT_LENGTH" },
		{ 18, "HTTP_AUTHORIZATION" },
		{ 16, "HTTP_TRACEPARENT" },
		{ 11, "HTTP_ORIGIN" },
		{ 20, "HTTP_IDEMPOTENCY_KEY" },
	};
	unsigned seen = 0;

	for (size_t i = 0; i < request->param_count; i++) {
		struct ath_text name = request->params[i].name;

		for (size_t each = 0; each < ATH_COUNT(once); each++) {
			if (name.length != once[each].length ||
			    memcmp(name.data, once[each].name, name.length) != 0)
				continue;
			if (seen & 1U << each)
				return true;
			seen |= 1U << each;
		}
	}
	return false;
}

static const struct ath_text *find_param(const struct ath_request *request, const char *name,
					 size_t length)
{
	for (size_t i = 0; i < request->param_count; i++) {
		const struct ath_pair *pair = &request->params[i];

		if (pair->name.length == length && memcmp(pair->name.data, name, length) == 0)
			return &pair->value;
	}
	return NULL;
}

const char *ath_param(const struct ath_request *request, const char *name)
{
	const struct ath_text *value = find_param(request, name, strlen(name));

	return value == NULL ? NULL : value->data;
}

enum { MAX_HEADER = 128 };

/* HTTP_USER_AGENT for "User-Agent"; two headers have parameters of their own name. */
static const char *param_of_header(struct ath_text name, char param[MAX_HEADER])
{
	size_t length = 5;

	if (name.length > MAX_HEADER - 1 - length)
		return ""; /* there is no parameter of such a name */
	memcpy(param, "HTTP_", 5);
	for (size_t i = 0; i < name.length; i++, length++) {
		char c = name.data[i] == '-' ? '_' : name.data[i];

		param[length] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
	}
	param[length] = '\0';
	if (strcmp(param, "HTTP_CONTENT_TYPE") == 0 || strcmp(param, "HTTP_CONTENT_LENGTH") == 0)
		return param + 5;
	return param;
}

const char *ath_header(const struct ath_request *request, const char *name)
{
	char param[MAX_HEADER];

	return ath_param(request, param_of_header(ath_text(name), param));
}

void ath_request_put_header(struct ath_request *request, struct ath_text name,
			    struct ath_text value)
{
	char param[MAX_HEADER];

	ath_request_put_param(request, ath_text(param_of_header(name, param)), value);
}

const char *const *ath_header_list(struct ath_request *request, const char *name, size_t *count)
{
	char param[MAX_HEADER];

	return ath_pair_list(request->arena, request->params, request->param_count,
			     param_of_header(ath_text(name), param), count);
}

const char *const *ath_pair_list(struct ath_arena *arena, const struct ath_pair *pairs,
				 size_t pair_count, const char *name, size_t *count)
{
	const char **list = NULL;
	size_t found = 0;

	*count = 0;
	for (size_t i = 0; i < pair_count; i++)
		found += ath_text_is(pairs[i].name, name);
	if (found > 0)
		list = ath_new(arena, const char *, found);
	for (size_t i = 0; list != NULL && i < pair_count; i++)
		if (ath_text_is(pairs[i].name, name))
			list[(*count)++] = pairs[i].value.data;
	return list;
}

/* ---- what is in them ---------------------------------------------------------------------- */

static enum ath_method method_of(const struct ath_text *name)
{
	static const char *const names[] = {
#define X(method) #method,
		ATH_METHOD_MAP(X)
#undef X
	};
	size_t i = 0;

	while (i < ATH_COUNT(names) && (name == NULL || !ath_text_is(*name, names[i])))
		i++;
	return (enum ath_method)i;
}

/* Cuts off the next byte as it decodes; a '%' without two digits is itself. */
static char next_byte(struct ath_text *path)
{
	int high = path->length > 2 ? ath_hex_digit(path->data[1]) : -1;
	int low = path->length > 2 ? ath_hex_digit(path->data[2]) : -1;
	bool escaped = *path->data == '%' && high >= 0 && low >= 0;
	char byte = *path->data;

	if (escaped)
		byte = (char)(high << 4 | low);
	path->data += escaped ? 3 : 1;
	path->length -= escaped ? 3 : 1;
	return byte;
}

/*
 * The end of the URL that decodes to PATH_INFO: the same path as the client wrote it, where %2F
 * is no slash. Empty when there is none: then the web server has rewritten it.
 */
static struct ath_text undecoded(struct ath_text path, struct ath_text info)
{
	const struct ath_text none = { "", 0 };
	struct ath_text rest = path, found;
	size_t length = 0;

	for (; rest.length > 0; length++)
		(void)next_byte(&rest);
	for (rest = path; length > info.length; length--)
		(void)next_byte(&rest);
	found = rest;
	for (size_t i = 0; i < info.length; i++)
		if (rest.length == 0 || next_byte(&rest) != info.data[i])
			return none;
	return *found.data == '/' ? found : none;
}

/* What decodes to PATH_INFO, made from it. */
static struct ath_text encode_path(struct ath_request *request, struct ath_text info)
{
	struct ath_buffer out;

	ath_buffer_init(&out, request->arena, 3 * info.length + 1);
	for (size_t i = 0; i < info.length; i++) {
		char byte = info.data[i];

		if (byte == '%' || byte == '?')
			ath_buffer_string(&out, byte == '%' ? "%25" : "%3F");
		else
			ath_buffer_append(&out, &byte, 1);
	}
	return ath_text(ath_buffer_c_string(&out)); /* it holds no NUL */
}

/*
 * The path comes from REQUEST_URI, because SCRIPT_NAME is decoded and its slashes merged.
 * A web server that splits the URL says in PATH_INFO, decoded, what belongs to the program.
 */
static void read_path(struct ath_request *request)
{
	const struct ath_text *info = find_param(request, "PATH_INFO", 9);
	const struct ath_text *uri = find_param(request, "REQUEST_URI", 11);
	struct ath_text path = uri == NULL ? ath_text("") : *uri;
	const char *query = memchr(path.data, '?', path.length);

	request->path = ath_text("");
	if (path.length > ATH_MAX_URI || (info != NULL && info->length > ATH_MAX_URI)) {
		ath_request_fail(request,
				 ath_problem(request, 414, "at most %d bytes", ATH_MAX_URI));
		return;
	}
	if (query != NULL)
		path.length = (size_t)(query - path.data);
	if (info != NULL && info->length > 0) {
		path = undecoded(path, *info);
		if (path.length == 0)
			path = encode_path(request, *info);
	}
	request->path = path;
	if (path.length == 0 || *path.data != '/')
		ath_request_fail(request,
				 ath_problem(request, 400, "the path does not start with /"));
}

static struct ath_text decode_arg(struct ath_request *request, const char *data, size_t length,
				  const char *what)
{
	char *text = ath_arena_alloc(request->arena, length + 1);
	size_t decoded = SIZE_MAX;

	if (text != NULL)
		decoded = ath_percent_decode((struct ath_text){ data, length }, true, text);
	if (decoded == SIZE_MAX) {
		ath_request_fail(request,
				 ath_problem(request, 400, "the %s is not well encoded", what));
		return (struct ath_text){ "", 0 };
	}
	text[decoded] = '\0';
	return (struct ath_text){ text, decoded };
}

struct ath_pair *ath_read_urlencoded(struct ath_request *request, struct ath_text text,
				     const char *what, size_t *count)
{
	const char *at, *end = text.data + text.length;
	struct ath_pair *pairs;
	size_t most = 1;

	*count = 0;
	for (at = text.data; at < end; at++)
		most += *at == '&';
	if (most > ATH_MAX_ARGS) {
		ath_request_fail(request, ath_problem(request, 400, "more than %d %s arguments",
						      ATH_MAX_ARGS, what));
		return NULL;
	}
	pairs = ath_new(request->arena, struct ath_pair, most);
	for (at = text.data; pairs != NULL && at < end; at++) {
		struct ath_pair *pair = &pairs[*count];
		const char *stop = memchr(at, '&', (size_t)(end - at)), *equals;

		stop = stop == NULL ? end : stop;
		equals = memchr(at, '=', (size_t)(stop - at));
		equals = equals == NULL ? stop : equals;
		pair->name = decode_arg(request, at, (size_t)(equals - at), what);
		pair->value = equals == stop ? (struct ath_text){ "", 0 }
					     : decode_arg(request, equals + 1,
							  (size_t)(stop - equals) - 1, what);
		++*count;
		at = stop;
	}
	return pairs;
}

static void read_args(struct ath_request *request)
{
	const struct ath_text *query = find_param(request, "QUERY_STRING", 12);

	if (query != NULL && query->length > 0)
		request->args = ath_read_urlencoded(request, *query, "query", &request->arg_count);
}

bool ath_request_announced(struct ath_request *request, uint64_t *length)
{
	const struct ath_text *announced = find_param(request, "CONTENT_LENGTH", 14);
	int64_t value = -1;

	if (announced == NULL || announced->length == 0)
		return false;
	if (!ath_text_int64(*announced, &value) || value < 0) {
		ath_request_fail(request,
				 ath_problem(request, 400, "the body is not as long as announced"));
		return false;
	}
	*length = (uint64_t)value;
	return true;
}

/* A body is whole when it is as long as was announced, if it was. */
void ath_request_read_body(struct ath_request *request)
{
	uint64_t announced;

	if (request->raw_body.failed || request->raw_body.length > request->raw_body.ceiling) {
		ath_request_fail(request, ath_problem(request, 413, "at most %zu bytes",
						      request->raw_body.ceiling));
		return;
	}
	request->body = (struct ath_text){ request->raw_body.data, request->raw_body.length };
	if (request->body.data == NULL)
		request->body.data = "";
	if (ath_request_announced(request, &announced) && announced != request->body.length)
		ath_request_fail(request,
				 ath_problem(request, 400, "the body is not as long as announced"));
}

static void read_id(struct ath_request *request)
{
	const struct ath_text *id = find_param(request, "REQUEST_ID", 10);
	struct ath_uuid random;
	char *text;

	if (id != NULL && id->length > 0 && id->length <= 64) {
		request->id = id->data;
		return;
	}
	text = ath_arena_alloc(request->arena, ATH_UUID_TEXT);
	if (text == NULL || ath_uuid_random(&random) != ATH_OK)
		return;
	ath_uuid_format(random, text);
	request->id = text;
}

void ath_request_read(struct ath_request *request)
{
	bool whole = read_pairs(request);

	read_id(request);
	request->method = method_of(find_param(request, "REQUEST_METHOD", 14));
	if (request->raw_params.failed)
		ath_request_fail(request, ath_problem(request, 431, "at most %zu bytes",
						      request->web->limits.params));
	else if (!whole)
		ath_request_fail(request,
				 ath_problem(request, 400, "the parameters are not well formed"));
	else if (has_doubles(request))
		ath_request_fail(request, ath_problem(request, 400,
						      "a header stands twice that may stand once"));
	read_path(request);
	read_args(request);
}

/* ---- what a handler asks for --------------------------------------------------------------- */

enum ath_method ath_request_method(const struct ath_request *request)
{
	return request->method;
}

struct ath_text ath_request_path(const struct ath_request *request)
{
	return request->path;
}

const char *ath_request_id(const struct ath_request *request)
{
	return request->id;
}

struct ath_arena *ath_request_arena(struct ath_request *request)
{
	return request->arena;
}

int64_t ath_request_deadline(const struct ath_request *request)
{
	return request->deadline;
}

bool ath_request_failed(const struct ath_request *request)
{
	return request->failure != NULL || ath_arena_failed(request->arena);
}

const struct ath_error *ath_request_error(const struct ath_request *request)
{
	return request->error;
}

struct ath_text ath_body(const struct ath_request *request)
{
	return request->body;
}

const char *ath_arg(const struct ath_request *request, const char *name)
{
	for (size_t i = 0; i < request->arg_count; i++)
		if (ath_text_is(request->args[i].name, name))
			return request->args[i].value.data;
	return NULL;
}

const char *const *ath_arg_list(struct ath_request *request, const char *name, size_t *count)
{
	return ath_pair_list(request->arena, request->args, request->arg_count, name, count);
}

int64_t ath_arg_int(struct ath_request *request, const char *name, int64_t fallback, int64_t least,
		    int64_t most)
{
	const char *text = ath_arg(request, name);
	int64_t value;

	if (text == NULL)
		return fallback;
	if (ath_text_int64(ath_text(text), &value) && value >= least && value <= most)
		return value;
	ath_request_fail(request,
			 ath_problem(request, 422, "%s must be an integer from %lld to %lld", name,
				     (long long)least, (long long)most));
	return fallback;
}

static const struct ath_capture *capture(const struct ath_request *request, const char *name)
{
	for (size_t i = 0; i < request->match.capture_count; i++)
		if (ath_text_is(request->match.leaf->names[i], name))
			return &request->match.captures[i];
	return NULL;
}

int64_t ath_path_int(const struct ath_request *request, const char *name)
{
	const struct ath_capture *found = capture(request, name);

	return found == NULL ? 0 : found->as.integer;
}

double ath_path_float(const struct ath_request *request, const char *name)
{
	const struct ath_capture *found = capture(request, name);

	return found == NULL ? 0 : found->as.real;
}

struct ath_date ath_path_ymd(const struct ath_request *request, const char *name)
{
	const struct ath_capture *found = capture(request, name);

	return found == NULL ? (struct ath_date){ 0 } : found->as.date;
}

struct ath_uuid ath_path_uuid(const struct ath_request *request, const char *name)
{
	const struct ath_capture *found = capture(request, name);

	return found == NULL ? (struct ath_uuid){ { 0 } } : found->as.uuid;
}

const char *ath_path_str(const struct ath_request *request, const char *name)
{
	const struct ath_capture *found = capture(request, name);
	struct ath_buffer text;

	if (found == NULL)
		return "";
	ath_buffer_init(&text, request->arena, ATH_MAX_URI + 1);
	for (size_t i = 0; i < found->count; i++) {
		ath_buffer_append(&text, "/", i > 0);
		ath_buffer_append(&text, found->segments[i].data, found->segments[i].length);
	}
	return ath_buffer_c_string(&text);
}
