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
struct cJSON;       /* <cjson/cJSON.h>; include it where you look into a document */
struct FCGX_Stream; /* <fcgiapp.h>; the same */

/* ---- routes --------------------------------------------------------------------------- */

#define ATH_METHOD_MAP(X) X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS)

enum ath_method {
#define X(name) ATH_METHOD_##name,
	ATH_METHOD_MAP(X)
#undef X
		ATH_METHOD_COUNT
};

/** Is a write that is sent again, with the same Idempotency-Key, done once? See rest.h. */
enum ath_idempotency {
	ATH_IDEMPOTENCY_NONE,
	ATH_IDEMPOTENCY_OPTIONAL, /**< when the header is there */
	ATH_IDEMPOTENCY_REQUIRED  /**< without it: 400 */
};

/**
 * One row of a table that says who words what goes wrong; the table ends in { 0 }.
 *
 * The handler is called once with the problem that would be sent: an answer that is
 * application/problem+json, whoever made it. What it returns is sent, its argument for instance;
 * for NULL the worker says 500 in its own words. When the status stays, so do the headers of the
 * problem, such as Allow and Retry-After. It may use a session, which is a new one; a stream it
 * makes is sent in one piece. When it fails itself, or answers a request that failed, or whose
 * session did, with a status below 400, the problem is sent as it was. Hooks of .after come behind
 * it.
 *
 * The innermost table with a row that fits is used, the application's last; in it an error goes
 * before a status, and a status before a class.
 */
struct ath_error_handler {
	enum ath_status error; /**< of ath_request_error() */
	int status;            /**< of HTTP */
	int status_class;      /**< its first digit */
	struct ath_response *(*handler)(struct ath_request *request, struct ath_response *problem);
};

/** ATH_ON_ERROR(ATH_EUNIQUE, taken): whatever its status */
#define ATH_ON_ERROR(error_, handler_)                                                             \
	{                                                                                          \
		.error = error_, .handler = handler_                                               \
	}
/** ATH_ON_STATUS(404, not_found) */
#define ATH_ON_STATUS(status_, handler_)                                                           \
	{                                                                                          \
		.status = status_, .handler = handler_                                             \
	}
/** ATH_ON_CLASS(5, sorry): 500 to 599 */
#define ATH_ON_CLASS(digit_, handler_)                                                             \
	{                                                                                          \
		.status_class = digit_, .handler = handler_                                        \
	}

/**
 * One row of a table of routes, or a group of them. In the path, <name:type> stands for a segment:
 *
 *	int     a 64-bit integer, without zeros in front
 *	float   a decimal number, such as -1.5
 *	ymd     a day, such as 2024-05-06
 *	uuid    a UUID
 *	alpha   letters of ASCII
 *	slug    words of a-z and 0-9 with single hyphens between
 *	str     any text; <name> alone is the same
 *	path    all that follows, slashes too
 *
 * and what is none of these is a POSIX regular expression that has to fit the whole segment.
 * Fixed text goes before a type, and types go in this order, expressions before str. A slash at
 * the end makes no difference. HEAD and OPTIONS need no rows of their own.
 */
struct ath_route {
	enum ath_method method;
	const char *path; /**< starts with '/'; static; a group's is the beginning of its routes' */
	struct ath_response *(*handler)(struct ath_request *request);
	int64_t deadline_ms; /**< from the arrival of the request; 0: the worker's default */
	/** Bytes of body; 0: the worker's default, or as many as come where it is read as a stream.
	 */
	size_t max_body;
	/** The handler runs before the body has come, and reads it by ath_body_read(). */
	bool stream_body;
	const char *name;         /**< for ath_url_for(), of one handler; NULL: the handler's */
	const char *handler_name; /**< by ATH_ROUTE */
	/** Of a group: its routes and groups; ends in { 0 }. */
	const struct ath_route *group;
	int version; /**< 2 puts /v2 in front of the path, that of the groups around it too */
	/**
	 * Called before the handler, those of the groups first; what is not NULL answers the
	 * request at once.
	 */
	struct ath_response *(*before)(struct ath_request *request);
	/** Called with every answer, those of the groups last; gives the one to send. */
	struct ath_response *(*after)(struct ath_request *request, struct ath_response *response);
	/** Of a route, for POST, PUT, PATCH and DELETE: see ath_idempotency_key_model in rest.h. */
	enum ath_idempotency idempotency;
	/**
	 * Whose answers they are: nobody else is given them. NULL: told apart by the header
	 * Authorization, which is no good where a cookie says who it is.
	 */
	const char *(*idempotency_owner)(struct ath_request *request);
	const struct ath_error_handler *errors; /**< NULL: those of the groups around it */
	/** What ath_fcgx() mounts. */
	void (*fcgx)(struct FCGX_Stream *in, struct FCGX_Stream *out, struct FCGX_Stream *err,
		     char **envp);
};

/** ATH_ROUTE(GET, "/users/<id:int>", show_user, .deadline_ms = 2000) */
#define ATH_ROUTE(...) ATH_ROUTE_(__VA_ARGS__, )
#define ATH_ROUTE_(method_, path_, handler_, ...)                                                  \
	{                                                                                          \
		.method = ATH_METHOD_##method_, .path = path_, .handler = handler_,                \
		.handler_name = #handler_, __VA_ARGS__                                             \
	}
/**
 * In the place of a route's handler one that was written for libfcgi's FCGX_Accept_r():
 * ATH_ROUTE(GET, "/old", ath_fcgx(old_handler)). It gets in, out, err and envp, and writes an
 * answer as CGI has it: lines of headers, such as "Status: 404", and an empty line before the body.
 * It may block: it runs on a thread of its own, at most 16 of them do at once, and must not use
 * functions of this library. What it writes to err becomes lines of the log. A program that mounts
 * one is linked with -lfcgi.
 */
#define ath_fcgx(handler_) ath_fcgx_handle, .fcgx = handler_
/* Behind ath_fcgx(). */
ATH_API struct ath_response *ath_fcgx_handle(struct ath_request *request);
/** ATH_GROUP("/admin", admin_routes, .before = must_be_admin) */
#define ATH_GROUP(...) ATH_ROUTE_GROUP_(__VA_ARGS__, )
#define ATH_ROUTE_GROUP_(path_, routes_, ...)                                                      \
	{                                                                                          \
		.path = path_, .group = routes_, __VA_ARGS__                                       \
	}

/**
 * Which pages of other origins may call, and read the answers (CORS): zero is none. All of it
 * static, and checked at start. The methods are those that a path has; preflights are answered
 * before any hook. It keeps browsers from nothing else: who may do what, the application checks.
 */
struct ath_cors {
	/**
	 * "https://app.example.org", as a browser writes it; ends in NULL. "*" alone: every page,
	 * which then never comes with .credentials.
	 */
	const char *const *origins;
	/**
	 * The request's headers that a page may set besides the harmless ones; ends in NULL. NULL:
	 * Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match.
	 */
	const char *const *headers;
	/** The answer's headers that a page may read besides the usual ones; ends in NULL. */
	const char *const *exposed_headers;
	bool credentials; /**< requests may come with cookies */
	int max_age;      /**< seconds for which a preflight counts, at most 86400; 0: 600 */
};

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
/**
 * Has it failed, by what the client sent or for want of memory? Its answer is made then, whatever
 * the handler returns. For handlers that do more than a session stores.
 */
ATH_API bool ath_request_failed(const struct ath_request *request);

/**
 * The error of a session that has become the answer, for handlers of errors and .after; NULL: it
 * was the request itself. Its texts are not for the client.
 */
ATH_API const struct ath_error *ath_request_error(const struct ath_request *request);

/** The first query argument of this name, decoded, or NULL. */
ATH_API const char *ath_arg(const struct ath_request *request, const char *name);
/**
 * The query argument as an integer, or fallback when it was not given. One that is no
 * integer, or not within least and most, answers the request with 422.
 */
ATH_API int64_t ath_arg_int(struct ath_request *request, const char *name, int64_t fallback,
			    int64_t least, int64_t most);
/** All of them, in order; NULL when there are none. */
ATH_API const char *const *ath_arg_list(struct ath_request *request, const char *name,
					size_t *count);
/**
 * The value of a header, such as "User-Agent", or NULL. Of those that a request has once, such as
 * Host, Authorization or Content-Type, a second one has answered it with 400.
 */
ATH_API const char *ath_header(const struct ath_request *request, const char *name);
/** All lines of a header, in order; NULL when there are none. */
ATH_API const char *const *ath_header_list(struct ath_request *request, const char *name,
					   size_t *count);
/** The value of a cookie (RFC 6265), without quotes around it, or NULL. */
ATH_API const char *ath_cookie(struct ath_request *request, const char *name);

/**
 * The field of a form in the body, urlencoded or multipart, decoded, or NULL. A body that is no
 * form answers the request with 415, a malformed one with 400.
 */
ATH_API const char *ath_form(struct ath_request *request, const char *name);
/** All of that name, in order; NULL when there are none. */
ATH_API const char *const *ath_form_list(struct ath_request *request, const char *name,
					 size_t *count);
/**
 * A file of a multipart form. On a route with .stream_body one above 64 KiB is on disk, and mapped:
 * a form may be as large as .max_body says, and takes little memory.
 */
struct ath_file {
	const char *name;         /**< of the field */
	const char *filename;     /**< as the client calls it, without directories */
	const char *content_type; /**< as the client says; "" when it does not */
	struct ath_text data;
};
/** The first file of this field, or NULL. */
ATH_API const struct ath_file *ath_form_file(struct ath_request *request, const char *name);
/**
 * Stores a file for good, whole or not at all: it is on the disk when this comes back. What was at
 * path is replaced; path is the application's own (a filename of the client's is not to be
 * trusted).
 *
 * @return false when it could not be stored: the request is answered with 507; or file is NULL
 */
ATH_API bool ath_file_save(struct ath_request *request, const struct ath_file *file,
			   const char *path);

/** The client's address, as the web server saw it, or "". */
ATH_API const char *ath_client_address(const struct ath_request *request);
/** "https" or "http", by the word of the web server. */
ATH_API const char *ath_scheme(const struct ath_request *request);
/** The name the web server serves under (its SERVER_NAME), not what the client says. */
ATH_API const char *ath_host(const struct ath_request *request);
/** The trace this request is part of (W3C Trace Context), 55 characters, or NULL. */
ATH_API const char *ath_traceparent(const struct ath_request *request);
/**
 * Which of some media types the client would like best (RFC 9110, 12.5.1): the index of one of
 * types, the first of equals. -1: none of them, and the request is answered with 406.
 */
ATH_API int ath_accept(struct ath_request *request, const char *const *types, size_t count);

/** Something of the application's own, for what comes later in the same request. */
ATH_API void ath_set_context(struct ath_request *request, void *context);
ATH_API void *ath_context(const struct ath_request *request);
/** A parameter of the web server, such as "REMOTE_ADDR", or NULL. */
ATH_API const char *ath_param(const struct ath_request *request, const char *name);

/** A part of the path by the name it has in the route; a name it has not gives 0. */
ATH_API int64_t ath_path_int(const struct ath_request *request, const char *name);
ATH_API double ath_path_float(const struct ath_request *request, const char *name);
ATH_API struct ath_date ath_path_ymd(const struct ath_request *request, const char *name);
ATH_API struct ath_uuid ath_path_uuid(const struct ath_request *request, const char *name);
/** Any of them as decoded text; a name it has not gives "". */
ATH_API const char *ath_path_str(const struct ath_request *request, const char *name);

/** A value for ath_url_for(). */
struct ath_url_part {
	const char *name;
	const char *text; /**< NULL: number counts */
	int64_t number;
};
#define ATH_URL_TEXT(name_, text_)  ((struct ath_url_part){ .name = name_, .text = text_ })
#define ATH_URL_INT(name_, number_) ((struct ath_url_part){ .name = name_, .number = number_ })
/* Behind ath_url_for(). */
ATH_API const char *ath_url_make(struct ath_request *request, const char *route,
				 const struct ath_url_part *parts, size_t count);
/**
 * The URL of a route: ath_url_for(req, "show_user", ATH_URL_INT("id", 7)). Values that are no
 * parts of its path become query arguments. A route that is not there, a name that two handlers
 * have, or a part without a value of its type, answers the request with 500 and gives "".
 */
#define ath_url_for(request, route, ...)                                                           \
	ath_url_make(request, route,                                                               \
		     (const struct ath_url_part[]){ { .name = 0 }, __VA_ARGS__ } + 1,              \
		     sizeof((const struct ath_url_part[]){ { .name = 0 }, __VA_ARGS__ }) /         \
				     sizeof(struct ath_url_part) -                                 \
			     1)

/** The body as it came; data is never NULL. */
ATH_API struct ath_text ath_body(const struct ath_request *request);
/**
 * The body as a document of cJSON, for what is no model. Numbers in it are doubles.
 *
 * @return the document, freed with the request; or NULL, and the request is answered with
 *         400 (no JSON), 415 (another Content-Type) or 422 (holds \u0000)
 */
ATH_API struct cJSON *ath_body_json(struct ath_request *request);

/**
 * The next bytes of the body, waiting for them: of a route with .stream_body in constant memory,
 * however long it is. Without .deadline_ms its deadline moves on with every byte that comes.
 *
 * @return how many, at most size; 0 at the end; -1 when the rest will not come: the client went
 *         away (nobody is answered then), it is too large (413), or not as long as announced (400)
 */
ATH_API ptrdiff_t ath_body_read(struct ath_request *request, void *buffer,
				size_t size) ATH_MUST_CHECK;
/** The same for what reads by libfcgi, with FCGX_GetStr() and its like. NULL: no memory. */
ATH_API struct FCGX_Stream *ath_body_fcgx(struct ath_request *request);

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
/**
 * text/html in UTF-8. The format takes %s for text, which is escaped, %lld for numbers, and %% and
 * nothing else.
 */
ATH_API struct ath_response *ath_response_html(struct ath_request *request, int status,
					       const char *format, ...) ATH_PRINTF(3, 4);
/**
 * 303 See Other, or another status from 300 on, to a place of this server ("/users/7"); a whole
 * URL is for the application to trust.
 */
ATH_API struct ath_response *ath_redirect(struct ath_request *request, int status,
					  const char *location);
/**
 * A file that the web server sends itself: X-Accel-Redirect to an internal location, such as
 * "/files/7.pdf".
 *
 * @param filename  what a browser is to save it as; NULL: to be shown
 */
ATH_API struct ath_response *ath_response_file(struct ath_request *request,
					       const char *content_type, const char *location,
					       const char *filename);
/**
 * An answer that leaves while it is made, in constant memory: write to it, and return it. Until
 * the first bytes leave (when 32 KiB have gathered, or at the first flush) it is an answer as any
 * other: rows that were changed must be committed by then, and a failure becomes a problem; the
 * hooks behind the handler are called then. Later nothing is stored any more, and a failure, such
 * as the try, breaks the body off, so that the client sees that it is not whole, and is logged.
 * Without .deadline_ms the request's deadline moves on with every piece that the client takes.
 * Read a streamed body to its end first: nginx sends no more of it when an answer has begun.
 */
ATH_API struct ath_response *ath_response_stream(struct ath_request *request, int status,
						 const char *content_type);
/** @return false when the request has failed or the client went away: there is no use going on */
ATH_API bool ath_stream_write(struct ath_response *response, const void *data, size_t length);
ATH_API bool ath_stream_string(struct ath_response *response, const char *text);
/** Behind what was put into ath_response_body() by hand: sends it when enough has gathered. */
ATH_API bool ath_stream_gathered(struct ath_response *response);
/** Sends what there is. */
ATH_API bool ath_stream_flush(struct ath_response *response);

/**
 * The body of a stream as libfcgi writes one, with FCGX_FPrintF() and its like; for other responses
 * as well. FCGX_FFlush() sends what there is. NULL: no memory.
 */
ATH_API struct FCGX_Stream *ath_stream_fcgx(struct ath_response *response);

/**
 * Server-Sent Events (WHATWG HTML, 9.2): a stream without an end and without a deadline. The
 * client comes again by itself when it ends, with the header Last-Event-ID.
 */
ATH_API struct ath_response *ath_events(struct ath_request *request);
struct ath_server_event {
	const char *name; /**< NULL: "message" */
	const char *id;   /**< NULL: none */
	const char *data; /**< any lines; NULL: "" */
	int64_t retry_ms; /**< after which the client is to come again; 0: not told */
};
/** Sends one at once. A name or an id with a line end in it fails the request. */
ATH_API bool ath_event_send(struct ath_response *events, const struct ath_server_event *event);
/** Sends a comment, so that those between see that the stream lives. */
ATH_API bool ath_event_heartbeat(struct ath_response *events);

/** Takes the document over and deletes it. */
ATH_API struct ath_response *ath_response_json(struct ath_request *request, int status,
					       struct cJSON *document);
/**
 * Adds a header line. Every answer has Cache-Control (no-store), Content-Security-Policy (nothing
 * is loaded, and no frame shows it), Cross-Origin-Resource-Policy (same-origin), Referrer-Policy
 * (no-referrer), X-Content-Type-Options (nosniff) and X-Frame-Options (DENY): a line of the same
 * name takes their place, as a page with styles or scripts needs it. A name that is no token, or a
 * value with CR, LF or NUL, answers the request with 500: it never gets out.
 */
ATH_API void ath_response_header(struct ath_response *response, const char *name,
				 const char *value);
/** What ath_response_cache() may be told besides. */
enum ath_cache {
	ATH_CACHE_PUBLIC = 1,   /**< caches on the way may keep it too: it is the same for all */
	ATH_CACHE_IMMUTABLE = 2 /**< it never changes: not even a reload asks for it again */
};
/**
 * Cache-Control (RFC 9111, 5.2): for how many seconds the client may use the answer again without
 * asking; 0: it keeps it, and asks each time whether it is still good. Without this call nobody
 * keeps an answer, but for one with an ETag, which is asked about each time.
 *
 * @param flags  of enum ath_cache, or 0; others, or less than 0 seconds: 500
 */
ATH_API void ath_response_cache(struct ath_response *response, int64_t seconds, unsigned flags);
/** Vary: this header of the request had a say in the answer. For several, one call for each. */
ATH_API void ath_response_vary(struct ath_response *response, const char *name);
/** A browser is to save the answer under this name (RFC 6266). NULL: it is to show it. */
ATH_API void ath_response_attachment(struct ath_response *response, const char *filename);
/** Of a cookie; zero is the safe side: HttpOnly, Secure, SameSite=Lax, for the session, path /. */
struct ath_cookie_options {
	int64_t max_age; /**< seconds; 0: as long as the browser is open; -1: delete it now */
	const char *path, *domain;
	enum { ATH_SAME_SITE_LAX, ATH_SAME_SITE_STRICT, ATH_SAME_SITE_NONE } same_site;
	bool script_may_read; /**< no HttpOnly */
	bool insecure;        /**< no Secure: over http too */
};
/** A name that is no token, or a value with other than RFC 6265's characters: 500. */
ATH_API void ath_response_cookie(struct ath_response *response, const char *name, const char *value,
				 const struct ath_cookie_options *options);
/**
 * Sets ETag (RFC 9110, 8.8.3) and compares it with the request's If-None-Match: when it has it,
 * the answer to a GET or HEAD becomes 304 without a body. NULL: a hash of the body is the tag.
 */
ATH_API void ath_response_etag(struct ath_response *response, const char *tag);
/**
 * Does the request's If-Match name this tag? False: it is answered with 412, or where it had no
 * If-Match with 428. For what changes a row that somebody else may have changed.
 */
ATH_API bool ath_if_match(struct ath_request *request, const char *tag);
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
