/*
 * cors.c - which pages of other origins may call: the CORS protocol (Fetch, 3.2), by a list.
 *
 * It tells browsers what to let their pages do, and protects nobody else: a request of another
 * origin is answered as any other, but without the lines that let the page read the answer. A
 * preflight is answered before any hook, since it comes without cookies and Authorization.
 */
#include <stdio.h>

#include "web/internal.h"

enum { USUAL_MAX_AGE = 600, MOST_MAX_AGE = 86400 };

static const char letters[] = "abcdefghijklmnopqrstuvwxyz", digits[] = "0123456789";

/* ---- at start -------------------------------------------------------------------------------- */

/* [:port] and nothing behind it: a browser does not send the usual one of the scheme. */
static bool is_port(const char *text, const char *scheme)
{
	int64_t port;

	if (*text == '\0')
		return true;
	if (*text != ':' || !ath_text_int64(ath_text(text + 1), &port))
		return false;
	return port >= 1 && port <= UINT16_MAX &&
	       !(strncmp(scheme, "https:", 6) == 0 && port == 443) &&
	       !(strncmp(scheme, "http:", 5) == 0 && port == 80);
}

/* scheme://host[:port] as a browser writes it (RFC 6454, 6.2): in small letters, without a path. */
static bool is_origin(const char *origin)
{
	const char *host = strstr(origin, "://");
	size_t length;

	if (host == NULL || strspn(origin, letters) == 0)
		return false;
	for (const char *at = origin; at < host; at++)
		if (strchr(letters, *at) == NULL && strchr(digits, *at) == NULL &&
		    strchr("+-.", *at) == NULL)
			return false;
	host += 3;
	if (*host == '[') {
		length = 1 + strspn(host + 1, "0123456789abcdef:.");
		return length > 1 && host[length] == ']' && is_port(host + length + 1, origin);
	}
	length = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-");
	return length > 0 && is_port(host + length, origin);
}

static bool is_any(const struct ath_cors *cors)
{
	return strcmp(cors->origins[0], "*") == 0;
}

static enum ath_status check_origins(const struct ath_cors *cors, struct ath_error *error)
{
	if (cors->origins[0] == NULL)
		return ath_error_set(error, ATH_EINVAL, "cors: .origins names none");
	if (is_any(cors) && cors->origins[1] != NULL)
		return ath_error_set(error, ATH_EINVAL, "cors: \"*\" stands alone");
	if (is_any(cors) && cors->credentials)
		return ath_error_set(error, ATH_EINVAL,
				     "cors: \"*\" with .credentials would let every page act for "
				     "whoever looks at it: name the origins");
	for (const char *const *each = cors->origins; *each != NULL && !is_any(cors); each++)
		if (!is_origin(*each))
			return ath_error_set(error, ATH_EINVAL,
					     "cors: \"%s\" is no origin such as "
					     "https://app.example.org",
					     *each);
	return ATH_OK;
}

static enum ath_status check_names(const char *const *names, const char *option,
				   struct ath_error *error)
{
	for (; names != NULL && *names != NULL; names++)
		if (!ath_is_token(*names) || strcmp(*names, "*") == 0)
			return ath_error_set(error, ATH_EINVAL,
					     "cors: .%s: \"%s\" is no header's name", option,
					     *names);
	return ATH_OK;
}

enum ath_status ath_cors_check(const struct ath_cors *cors, struct ath_error *error)
{
	if (cors->origins == NULL && (cors->headers != NULL || cors->exposed_headers != NULL ||
				      cors->credentials || cors->max_age != 0))
		return ath_error_set(error, ATH_EINVAL, "cors: .origins is missing");
	if (cors->max_age < 0 || cors->max_age > MOST_MAX_AGE)
		return ath_error_set(error, ATH_EINVAL, "cors: .max_age is 1 to %d seconds",
				     MOST_MAX_AGE);
	if (cors->origins != NULL && check_origins(cors, error) != ATH_OK)
		return error->status;
	if (check_names(cors->headers, "headers", error) != ATH_OK)
		return error->status;
	return check_names(cors->exposed_headers, "exposed_headers", error);
}

/* ---- of a request ---------------------------------------------------------------------------- */

static bool is_set(const struct ath_request *request)
{
	return request->web->cors != NULL && request->web->cors->origins != NULL;
}

bool ath_cors_is_preflight(const struct ath_request *request)
{
	return is_set(request) && request->method == ATH_METHOD_OPTIONS &&
	       ath_header(request, "Origin") != NULL &&
	       ath_header(request, "Access-Control-Request-Method") != NULL;
}

static void put_list(struct ath_response *response, const char *name, const char *const *items)
{
	struct ath_buffer list;

	if (items == NULL || *items == NULL)
		return;
	ath_buffer_init(&list, response->request->arena, response->request->web->limits.params);
	for (const char *comma = ""; *items != NULL; items++, comma = ", ") {
		ath_buffer_string(&list, comma);
		ath_buffer_string(&list, *items);
	}
	ath_response_header(response, name, ath_buffer_c_string(&list));
}

static void answer_preflight(struct ath_response *response, const struct ath_cors *cors)
{
	static const char *const usual[] = { "Authorization", "Content-Type",  "Idempotency-Key",
					     "If-Match",      "If-None-Match", NULL };
	char seconds[16];

	snprintf(seconds, sizeof seconds, "%d", cors->max_age == 0 ? USUAL_MAX_AGE : cors->max_age);
	ath_response_header(response, "Access-Control-Allow-Methods",
			    ath_allowed_methods(response->request));
	put_list(response, "Access-Control-Allow-Headers",
		 cors->headers == NULL ? usual : cors->headers);
	ath_response_header(response, "Access-Control-Max-Age", seconds);
}

static bool is_listed(const struct ath_cors *cors, const char *origin)
{
	const char *const *each = cors->origins;

	while (origin != NULL && *each != NULL && strcmp(*each, origin) != 0)
		each++;
	return origin != NULL && *each != NULL;
}

void ath_cors_add(struct ath_response *response)
{
	const struct ath_request *request = response->request;
	const struct ath_cors *cors = request->web->cors;
	const char *origin = "*";

	if (!is_set(request))
		return;
	if (!is_any(cors)) {
		origin = ath_header(request, "Origin");
		/* whoever it is for: a cache must not give it to another */
		ath_response_vary(response, "Origin");
		if (!is_listed(cors, origin))
			return;
	}
	ath_response_header(response, "Access-Control-Allow-Origin", origin);
	if (cors->credentials)
		ath_response_header(response, "Access-Control-Allow-Credentials", "true");
	if (ath_cors_is_preflight(request))
		answer_preflight(response, cors);
	else
		put_list(response, "Access-Control-Expose-Headers", cors->exposed_headers);
}
