/* response.c - responses, and their header lines. */
#include <stdio.h>

#include "web/internal.h"

/* What would begin a header line, or a body, of its own. */
static bool ends_line(const char *value)
{
	return strpbrk(value, "\r\n") != NULL;
}

void ath_refuse_header(struct ath_request *request)
{
	ath_request_fail(request, ath_problem(request, 500, "a header was refused"));
}

struct ath_response *ath_response_new(struct ath_request *request, int status,
				      const char *content_type)
{
	struct ath_response *response = ath_new(request->arena, struct ath_response, 1);

	if (response == NULL)
		return NULL;
	response->request = request;
	response->status = status;
	response->content_type = content_type;
	ath_buffer_init(&response->headers, request->arena, request->web->limits.params);
	ath_buffer_init(&response->body, request->arena, request->web->limits.arena);
	if (content_type != NULL && ends_line(content_type))
		ath_refuse_header(request);
	return response;
}

struct ath_buffer *ath_response_body(struct ath_response *response)
{
	return response == NULL ? NULL : &response->body;
}

int ath_response_status(const struct ath_response *response)
{
	return response == NULL ? 500 : response->status;
}

struct ath_response *ath_response_empty(struct ath_request *request, int status)
{
	return ath_response_new(request, status, NULL);
}

struct ath_response *ath_response_text(struct ath_request *request, int status, const char *text)
{
	struct ath_response *response =
		ath_response_new(request, status, "text/plain; charset=utf-8");

	if (response != NULL)
		ath_buffer_string(&response->body, text);
	return response;
}

/* RFC 9110, 5.6.2 */
bool ath_is_token(const char *name)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (const char *at = name; *at != '\0'; at++) {
		bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');

		if (!letter && !(*at >= '0' && *at <= '9') && strchr(marks, *at) == NULL)
			return false;
	}
	return *name != '\0';
}

void ath_response_header(struct ath_response *response, const char *name, const char *value)
{
	if (response == NULL || value == NULL) /* NULL: the arena is full, and remembers */
		return;
	if (!ath_is_token(name) || ends_line(value)) {
		ath_refuse_header(response->request);
		return;
	}
	ath_buffer_string(&response->headers, name);
	ath_buffer_append(&response->headers, ": ", 2);
	ath_buffer_string(&response->headers, value);
	ath_buffer_append(&response->headers, "\r\n", 2);
}

/* ---- other kinds ----------------------------------------------------------------------------- */

void ath_put_html(struct ath_buffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		const char *escape = *text == '&'    ? "&amp;"
				     : *text == '<'  ? "&lt;"
				     : *text == '>'  ? "&gt;"
				     : *text == '"'  ? "&quot;"
				     : *text == '\'' ? "&#39;"
						     : NULL;

		if (escape != NULL)
			ath_buffer_string(out, escape);
		else
			ath_buffer_append(out, text, 1);
	}
}

/* One of the things a format may hold; false: it is another. */
static bool put_directive(struct ath_buffer *out, const char **at, va_list *args)
{
	if (strncmp(*at, "%s", 2) == 0) {
		const char *text = va_arg(*args, const char *);

		ath_put_html(out, text == NULL ? "" : text);
		*at += 2;
	} else if (strncmp(*at, "%lld", 4) == 0) {
		ath_buffer_int64(out, va_arg(*args, long long));
		*at += 4;
	} else if (strncmp(*at, "%%", 2) == 0) {
		ath_buffer_append(out, "%", 1);
		*at += 2;
	} else {
		return false;
	}
	return true;
}

struct ath_response *ath_response_html(struct ath_request *request, int status, const char *format,
				       ...)
{
	struct ath_response *response =
		ath_response_new(request, status, "text/html; charset=utf-8");
	va_list args;

	if (response == NULL)
		return NULL;
	va_start(args, format);
	while (*format != '\0') {
		size_t plain = strcspn(format, "%");

		ath_buffer_append(&response->body, format, plain);
		format += plain;
		if (*format != '\0' && !put_directive(&response->body, &format, &args)) {
			ath_request_fail(request,
					 ath_problem(request, 500, "a page could not be made"));
			break;
		}
	}
	va_end(args);
	return response;
}

struct ath_response *ath_redirect(struct ath_request *request, int status, const char *location)
{
	struct ath_response *response = ath_response_empty(request, status);

	ath_response_header(response, "Location", location);
	return response;
}

void ath_response_attachment(struct ath_response *response, const char *filename)
{
	struct ath_buffer value;

	if (response == NULL || filename == NULL)
		return;
	ath_buffer_init(&value, response->request->arena, 4096);
	ath_buffer_string(&value, "attachment; filename*=UTF-8''");
	ath_percent_encode(&value, ath_text(filename));
	ath_response_header(response, "Content-Disposition", ath_buffer_c_string(&value));
}

struct ath_response *ath_response_file(struct ath_request *request, const char *content_type,
				       const char *location, const char *filename)
{
	struct ath_response *response = ath_response_new(request, 200, content_type);

	ath_response_header(response, "X-Accel-Redirect", location);
	ath_response_attachment(response, filename);
	return response;
}

/* ---- cookies (RFC 6265, 4.1.1) --------------------------------------------------------------- */

static bool is_cookie_value(const char *value)
{
	for (; *value != '\0'; value++)
		if (*value <= ' ' || *value > '~' || strchr("\",;\\", *value) != NULL)
			return false;
	return true;
}

void ath_response_cookie(struct ath_response *response, const char *name, const char *value,
			 const struct ath_cookie_options *options)
{
	static const struct ath_cookie_options usual;
	static const char *const same_sites[] = { "Lax", "Strict", "None" };
	struct ath_buffer line;

	if (response == NULL)
		return;
	options = options == NULL ? &usual : options;
	if (!ath_is_token(name) || !is_cookie_value(value) ||
	    (options->path != NULL && strchr(options->path, ';') != NULL) ||
	    (options->domain != NULL && strchr(options->domain, ';') != NULL)) {
		ath_refuse_header(response->request);
		return;
	}
	ath_buffer_init(&line, response->request->arena, 4096);
	ath_buffer_printf(&line, "%s=%s; Path=%s", name, value,
			  options->path == NULL ? "/" : options->path);
	if (options->domain != NULL)
		ath_buffer_printf(&line, "; Domain=%s", options->domain);
	if (options->max_age != 0)
		ath_buffer_printf(&line, "; Max-Age=%lld",
				  (long long)(options->max_age < 0 ? 0 : options->max_age));
	ath_buffer_string(&line, options->script_may_read ? "" : "; HttpOnly");
	ath_buffer_string(&line, options->insecure ? "" : "; Secure");
	ath_buffer_printf(&line, "; SameSite=%s", same_sites[options->same_site]);
	if (line.failed)
		ath_refuse_header(response->request);
	else
		ath_response_header(response, "Set-Cookie", ath_buffer_c_string(&line));
}

/* ---- conditions (RFC 9110, 13) --------------------------------------------------------------- */

/* Is the quoted tag in the list? Weakly W/"x" and "x" are the same. */
static bool lists(const char *list, const char *tag, bool weakly)
{
	size_t length = strlen(tag);

	if (strcmp(list, "*") == 0)
		return true;
	while (*list != '\0') {
		bool weak;

		list += strspn(list, ", \t");
		weak = strncmp(list, "W/", 2) == 0;
		list += weak ? 2 : 0;
		if (*list != '"')
			return false;
		if ((weakly || !weak) && strncmp(list + 1, tag, length) == 0 &&
		    list[length + 1] == '"')
			return true;
		list += 1 + strcspn(list + 1, "\"");
		list += *list == '"';
	}
	return false;
}

static bool is_tag(const char *tag)
{
	for (; *tag != '\0'; tag++)
		if (*tag <= ' ' || *tag == '"' || *tag == '\x7f')
			return false;
	return true;
}

void ath_response_etag(struct ath_response *response, const char *tag)
{
	struct ath_request *request;
	const char *wanted;
	char made[20];

	if (response == NULL)
		return;
	request = response->request;
	if (tag == NULL) {
		snprintf(made, sizeof made, "%016llx",
			 (unsigned long long)ath_hash(response->body.data, response->body.length));
		tag = made;
	}
	if (!is_tag(tag)) {
		ath_refuse_header(request);
		return;
	}
	ath_response_header(response, "ETag", ath_arena_printf(request->arena, "\"%s\"", tag));
	wanted = ath_header(request, "If-None-Match");
	if (wanted == NULL || !lists(wanted, tag, true) ||
	    (request->method != ATH_METHOD_GET && request->method != ATH_METHOD_HEAD))
		return;
	response->status = 304;
	response->content_type = NULL;
	response->body.length = 0;
}

bool ath_if_match(struct ath_request *request, const char *tag)
{
	const char *wanted = ath_header(request, "If-Match");

	if (wanted != NULL && lists(wanted, tag, false))
		return true;
	ath_request_fail(request, wanted == NULL
					  ? ath_problem(request, 428,
							"say by If-Match what is to be "
							"changed")
					  : ath_problem(request, 412, "it was changed meanwhile"));
	return false;
}
