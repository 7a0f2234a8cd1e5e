/*
 * web.h - routes, requests and responses: what a handler sees.
 *
 * A handler is a function from a request to a response. Everything it gets from the request
 * and everything it makes lives until the request ends; nothing is freed by hand. Arguments
 * and parts of the path are valid UTF-8; headers are bytes. None of them holds a NUL.
 */
#ifndef ATH_WEB_H
#define ATH_WEB_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ath_request;
struct ath_response;
struct cJSON; /* <cjson/cJSON.h>; include it where you look into a document */

/* ---- routes --------------------------------------------------------------------------- */

#define ATH_METHOD_MAP(X) X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS)

enum ath_method {
#define X(name) ATH_METHOD_##name,
	ATH_METHOD_MAP(X)
#undef X
		ATH_METHOD_COUNT
};

/**
 * One row of the table of routes. In the path, <name:int> stands for a segment that is a
 * 64-bit integer and <name:str> for any other single segment; fixed text goes before int,
 * int before str. A slash at the end makes no difference. HEAD and OPTIONS need no rows of
 * their own.
 */
struct ath_route {
	enum ath_method method;
	const char *path; /**< starts with '/'; static */
	struct ath_response *(*handler)(struct ath_request *request);
	int64_t deadline_ms; /**< from the arrival of the request; 0: the worker's default */
};

/** ATH_ROUTE(GET, "/users/<id:int>", show_user, .deadline_ms = 2000) */
#define ATH_ROUTE(...) ATH_ROUTE_(__VA_ARGS__, )
#define ATH_ROUTE_(method_, path_, handler_, ...)                                                  \
	{                                                                                          \
		.method = ATH_METHOD_##method_, .path = path_, .handler = handler_, __VA_ARGS__    \
	}

/* ---- the request ---------------------------------------------------------------------- */

ATH_API enum ath_method ath_request_method(const struct ath_request *request);
/** The path of the URL, as it was sent (percent-encoded), without the query. */
ATH_API struct ath_text ath_request_path(const struct ath_request *request);
/** The id that nginx gave it, or a random one: the same in the log and in every problem. */
ATH_API const char *ath_request_id(const struct ath_request *request);
/** Memory that lives as long as the request. */
ATH_API struct ath_arena *ath_request_arena(struct ath_request *request);
/** When the request must be answered, on ath_now()'s clock. */
ATH_API int64_t ath_request_deadline(const struct ath_request *request);

/** The first query argument of this name, decoded, or NULL. */
ATH_API const char *ath_arg(const struct ath_request *request, const char *name);
/**
 * The query argument as an integer, or fallback when it was not given. One that is no
 * integer, or not within least and most, answers the request with 422.
 */
ATH_API int64_t ath_arg_int(struct ath_request *request, const char *name, int64_t fallback,
			    int64_t least, int64_t most);
/** The value of a header, such as "User-Agent", or NULL. */
ATH_API const char *ath_header(const struct ath_request *request, const char *name);
/** A parameter of the web server, such as "REMOTE_ADDR", or NULL. */
ATH_API const char *ath_param(const struct ath_request *request, const char *name);

/** A part of the path by the name it has in the route; a name it has not gives 0. */
ATH_API int64_t ath_path_int(const struct ath_request *request, const char *name);
/** The same as decoded text; a name it has not gives "". */
ATH_API const char *ath_path_str(const struct ath_request *request, const char *name);

/** The body as it came; data is never NULL. */
ATH_API struct ath_text ath_body(const struct ath_request *request);
/**
 * The body as a document of cJSON, for what is no model. Numbers in it are doubles.
 *
 * @return the document, freed with the request; or NULL, and the request is answered with
 *         400 (no JSON), 415 (another Content-Type) or 422 (holds \u0000)
 */
ATH_API struct cJSON *ath_body_json(struct ath_request *request);

/* ---- the response --------------------------------------------------------------------- */

/*
 * Each makes the response that the handler returns. They give NULL when the request's memory
 * is used up, which the worker answers with 500; every function here takes that NULL.
 */

/** An answer whose body is put together by hand: see ath_response_body(). */
ATH_API struct ath_response *ath_response_new(struct ath_request *request, int status,
					      const char *content_type);
/** Where the body grows. */
ATH_API struct ath_buffer *ath_response_body(struct ath_response *response);
ATH_API int ath_response_status(const struct ath_response *response);
ATH_API struct ath_response *ath_response_empty(struct ath_request *request, int status);
/** text/plain in UTF-8 */
ATH_API struct ath_response *ath_response_text(struct ath_request *request, int status,
					       const char *text);
/** Takes the document over and deletes it. */
ATH_API struct ath_response *ath_response_json(struct ath_request *request, int status,
					       struct cJSON *document);
/**
 * Adds a header line. A name that is no token, or a value with CR, LF or NUL, answers the
 * request with 500: it never gets out.
 */
ATH_API void ath_response_header(struct ath_response *response, const char *name,
				 const char *value);
/**
 * application/problem+json (RFC 9457): type and title follow from the status, detail is for
 * the person who reads it.
 */
ATH_API struct ath_response *ath_problem(struct ath_request *request, int status,
					 const char *detail, ...) ATH_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif

#endif
