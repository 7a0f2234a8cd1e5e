/* headers.c - what requests say in their headers: cookies, what they accept, who they are. */
#include <stdlib.h>
#include <strings.h>

#include "web/internal.h"

const char *ath_cookie(struct ath_request *request, const char *name)
{
	const char *at = ath_header(request, "Cookie");
	size_t length = strlen(name);

	while (at != NULL && *at != '\0') {
		size_t whole = strcspn(at, ";");
		const char *value = at + length + 1;

		if (whole > length && memcmp(at, name, length) == 0 && at[length] == '=') {
			size_t rest = whole - length - 1;

			if (rest >= 2 && value[0] == '"' && value[rest - 1] == '"')
				return ath_arena_copy(request->arena, value + 1, rest - 2);
			return ath_arena_copy(request->arena, value, rest);
		}
		at += whole;
		at += strspn(at, "; ");
	}
	return NULL;
}

static const char *or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

const char *ath_client_address(const struct ath_request *request)
{
	return or_empty(ath_param(request, "REMOTE_ADDR"));
}

const char *ath_scheme(const struct ath_request *request)
{
	const char *scheme = ath_param(request, "REQUEST_SCHEME");
	const char *https = ath_param(request, "HTTPS");

	if (scheme != NULL)
		return strcmp(scheme, "https") == 0 ? "https" : "http";
	return https != NULL && *https != '\0' && strcmp(https, "off") != 0 ? "https" : "http";
}

const char *ath_host(const struct ath_request *request)
{
	return or_empty(ath_param(request, "SERVER_NAME"));
}

/* version-trace-span-flags, in lower case; all zeros mean nothing. */
const char *ath_traceparent(const struct ath_request *request)
{
	const char *value = ath_header(request, "traceparent");
	static const char shape[] = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";

	if (value == NULL || strlen(value) != sizeof shape - 1 || strncmp(value, "ff", 2) == 0)
		return NULL;
	for (size_t i = 0; i < sizeof shape - 1; i++)
		if (shape[i] == '-' ? value[i] != '-'
				    : strchr("0123456789abcdef", value[i]) == NULL)
			return NULL;
	if (strspn(value + 3, "0") >= 32 || strspn(value + 36, "0") >= 16)
		return NULL;
	return value;
}

/* ---- Accept (RFC 9110, 12.5.1) --------------------------------------------------------------- */

static struct ath_text trim(struct ath_text text)
{
	while (text.length > 0 && (*text.data == ' ' || *text.data == '\t')) {
		text.data++;
		text.length--;
	}
	while (text.length > 0 &&
	       (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t'))
		text.length--;
	return text;
}

struct ath_text ath_next_part(struct ath_text *rest, char mark)
{
	const char *found = memchr(rest->data, mark, rest->length);
	struct ath_text front = *rest;

	front.length = found == NULL ? rest->length : (size_t)(found - rest->data);
	rest->data += front.length + (found != NULL);
	rest->length -= front.length + (found != NULL);
	return trim(front);
}

bool ath_next_line(struct ath_text *rest, struct ath_text *line)
{
	const char *end = rest->length == 0 ? NULL : memchr(rest->data, '\n', rest->length);

	if (end == NULL)
		return false;
	*line = (struct ath_text){ rest->data, (size_t)(end - rest->data) };
	rest->length -= line->length + 1;
	rest->data = end + 1;
	if (line->length > 0 && line->data[line->length - 1] == '\r')
		line->length--;
	return true;
}

/* 0 to 1000 */
static int weight_of(struct ath_text parameters)
{
	while (parameters.length > 0) {
		struct ath_text each = ath_next_part(&parameters, ';');
		char number[8];
		double weight;

		if (each.length < 3 || each.length > 7 || (each.data[0] | 0x20) != 'q' ||
		    each.data[1] != '=')
			continue;
		memcpy(number, each.data + 2, each.length - 2);
		number[each.length - 2] = '\0';
		weight = strtod(number, NULL);
		return weight < 0 ? 0 : weight > 1 ? 1000 : (int)(weight * 1000);
	}
	return 1000;
}

/* How narrowly a range speaks of the type: 3 exactly, 2 as type, 1 as anything, 0 not at all. */
static int closeness(struct ath_text range, const char *type)
{
	size_t slash = strcspn(type, "/");

	if (ath_text_is_nocase(range, type))
		return 3;
	if (ath_text_is(range, "*/*"))
		return 1;
	if (range.length == slash + 2 && range.data[slash + 1] == '*' &&
	    strncasecmp(range.data, type, slash + 1) == 0)
		return 2;
	return 0;
}

static int weight_for(const char *accept, const char *type)
{
	struct ath_text rest = ath_text(accept);
	int closest = 0, weight = 0;

	while (rest.length > 0) {
		struct ath_text parameters = ath_next_part(&rest, ',');
		struct ath_text range = ath_next_part(&parameters, ';');
		int close = closeness(range, type);

		if (close <= closest)
			continue;
		closest = close;
		weight = weight_of(parameters);
	}
	return weight;
}

int ath_accept(struct ath_request *request, const char *const *types, size_t count)
{
	const char *accept = ath_header(request, "Accept");
	int best = -1, best_weight = 0;

	if (accept == NULL || *accept == '\0')
		return count > 0 ? 0 : -1;
	for (size_t i = 0; i < count; i++) {
		int weight = weight_for(accept, types[i]);

		if (weight > best_weight) {
			best = (int)i;
			best_weight = weight;
		}
	}
	if (best < 0)
		ath_request_fail(request, ath_problem(request, 406,
						      "none of what is served here "
						      "is accepted"));
	return best;
}

/* ---- something of the application's ---------------------------------------------------------- */

void ath_set_context(struct ath_request *request, void *context)
{
	request->context = context;
}

void *ath_context(const struct ath_request *request)
{
	return request->context;
}
