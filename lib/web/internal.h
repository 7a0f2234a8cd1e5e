/*
 * web/internal.h - the request and the response from inside, the router, and the two fronts
 * (FastCGI and CGI) that feed them.
 *
 * A front makes a request, fills params and body, calls ath_web_handle() in a fiber and
 * sends what it returns. The room above (rest) hangs its session on the request and gets
 * a word in when the handler has returned: see finish.
 */
#ifndef ATH_WEB_INTERNAL_H
#define ATH_WEB_INTERNAL_H

#include "base/internal.h"
#include "loop/internal.h"
#include "web/json.h"
#include "web/web.h"

enum {
	ATH_MAX_SEGMENTS = 32,
	ATH_MAX_CAPTURES = 8,
	ATH_MAX_GROUPS = 8,
	ATH_MAX_ARGS = 1000,
	ATH_MAX_URI = 8192,
	ATH_USUAL_LINES = 320 /* bytes at most of what every answer has */
};

/* ---- the router ------------------------------------------------------------------------- */

struct ath_router;

/* A part of a path as a route's <name:type> has met it. */
struct ath_capture {
	struct ath_text text; /* decoded */
	union {
		int64_t integer;
		double real;
		struct ath_uuid uuid;
		struct ath_date date;
	} as;
	const struct ath_text *segments; /* of the match; more than one of a path */
	size_t count;
};

/* A route at its place among the groups. */
struct ath_leaf {
	const struct ath_route *route;
	const struct ath_route *groups[ATH_MAX_GROUPS]; /* the outermost first */
	size_t group_count;
	bool ambiguous;                          /* its name is another handler's as well */
	struct ath_text names[ATH_MAX_CAPTURES]; /* of the captures */
	size_t name_count;
	bool own;              /* the framework's: the application has no part in it */
	size_t number;         /* in the order of the tables */
	struct ath_leaf *next; /* in that order */
	char path[];           /* with the groups' */
};

struct ath_match {
	const struct ath_leaf *leaf; /* NULL: none for this method */
	struct ath_capture captures[ATH_MAX_CAPTURES];
	size_t capture_count;
	unsigned allowed; /* methods that the path has: bits 1 << enum ath_method */
};

/* Builds the tree of a table that ends in { 0 }; it refuses bad paths, doubles, and a name for two
 * handlers. */
enum ath_status ath_router_open(struct ath_router **router, const struct ath_route *routes,
				struct ath_error *error) ATH_MUST_CHECK;
/* Adds routes of the framework; one that the application has itself gives way. */
enum ath_status ath_router_add_own(struct ath_router *router, const struct ath_route *routes,
				   struct ath_error *error) ATH_MUST_CHECK;
void ath_router_close(struct ath_router **router);
/* Takes the decoded segments of a path, which the match points into. */
void ath_router_match(const struct ath_router *router, enum ath_method method,
		      const struct ath_text *segments, size_t count, struct ath_match *match);
/* The first route of this name, which may be ambiguous; or NULL. */
const struct ath_leaf *ath_router_named(const struct ath_router *router, const char *name);
/* All routes, in the order of the tables. */
const struct ath_leaf *ath_router_first(const struct ath_router *router);
/* Cuts the next segment off a path; false when nothing, or one slash, is left. */
bool ath_next_segment(struct ath_text *path, struct ath_text *segment);

/* ---- the web application ------------------------------------------------------------------ */

struct ath_web_limits {
	size_t params;       /* bytes of all parameters; 64 KiB */
	size_t body;         /* 1 MiB */
	size_t arena;        /* memory of one request; 16 MiB */
	size_t in_flight;    /* requests at once; 1024 */
	size_t queued;       /* that wait for a place among them; as many */
	size_t streams;      /* open-ended answers at once; 16,384 */
	int64_t deadline_ms; /* 30 s; also the time in which a request must arrive */
};

/*
 * Beside limits.in_flight, for the framework's own routes: who watches over a worker is to get an
 * answer from one that has too much to do.
 */
enum { ATH_OWN_PLACES = 16 };

struct ath_output;
struct ath_web {
	struct ath_router *router;
	struct ath_web_limits limits;
	const struct ath_log *log;
	const struct ath_log *access; /* a line for each request; NULL: none */
	const struct ath_log *slow;   /* one for each that takes slow_ms or longer; NULL: none */
	int64_t slow_ms;              /* 0: none is slow */
	bool server_timing;           /* the header line */
	const struct ath_cors *cors;  /* NULL: nobody's pages but our own */
	const char *spool;            /* the directory for uploads; NULL: /var/tmp */
	/* the application's, around all that is answered */
	struct ath_response *(*before)(struct ath_request *request);
	struct ath_response *(*after)(struct ath_request *request, struct ath_response *response);
	/*
	 * The room above's: asked before the handler of a route with .idempotency; what is not
	 * NULL answers.
	 */
	struct ath_response *(*claim)(struct ath_request *request);
	const struct ath_error_handler *errors; /* likewise */
	const struct ath_route *own_routes;     /* the framework's, or NULL */
	bool tell_statements; /* of requests: those the room above has run, and their times */
	/* The room above's: a request has a fiber and a route, or none; its answer leaves now. */
	void (*began)(struct ath_request *request);
	void (*ended)(struct ath_request *request, int status, const struct ath_output *output);
	/*
	 * Likewise: may a connection be accepted beside those that there are? Asked before each,
	 * when one has gone, and every few milliseconds while the answer was no. NULL: always.
	 */
	bool (*may_accept)(const struct ath_web *web, size_t connections);
	void *context; /* the room above's */
};

/* Zero limits become the defaults; what makes no sense in routes and cors is refused. */
enum ath_status ath_web_open(struct ath_web *web, const struct ath_route *routes,
			     struct ath_error *error) ATH_MUST_CHECK;
void ath_web_close(struct ath_web *web);

/* ---- the request ---------------------------------------------------------------------------- */

struct ath_pair {
	struct ath_text name, value;
};

/* The values of a name among pairs, with a NUL behind each; NULL: none. */
const char *const *ath_pair_list(struct ath_arena *arena, const struct ath_pair *pairs,
				 size_t pair_count, const char *name, size_t *count);
/*
 * name=value&... into pairs, decoded; NULL: the request has been failed. what: for the problem.
 */
struct ath_pair *ath_read_urlencoded(struct ath_request *request, struct ath_text text,
				     const char *what, size_t *count);

/* What is in a form; multipart.c reads one of parts: false, it is malformed or the request failed.
 */
struct ath_form {
	struct ath_pair *fields;
	size_t field_count;
	struct ath_file *files;
	size_t file_count;
};
bool ath_form_read_multipart(struct ath_request *request, struct ath_form *form, const char *type);
/* All fields of the form in the body that are no files; NULL: none, or the request failed. */
const struct ath_pair *ath_form_fields(struct ath_request *request, size_t *count);
/* The handler reads the body itself. */
bool ath_request_streams_body(const struct ath_request *request);

/* spool.c: a file without a name, until the request ends. NULL or false: the request has failed. */
struct ath_spool;
struct ath_spool *ath_spool_open(struct ath_request *request);
bool ath_spool_write(struct ath_request *request, struct ath_spool *spool, const char *data,
		     size_t length);
/* Not of an empty one. */
bool ath_spool_map(struct ath_request *request, struct ath_spool *spool, struct ath_text *data);
void ath_spool_close_all(struct ath_request *request);

/* One that has been run for a request. */
struct ath_told_statement {
	const char *text;      /* in the request's memory */
	uint64_t microseconds; /* from when it was sent until it had come back with its batch */
	size_t rows;
};

struct ath_request {
	const struct ath_web *web;
	struct ath_arena *arena;
	struct ath_buffer raw_params, raw_body; /* filled by the front */
	struct ath_pair *params;
	size_t param_count;
	struct ath_pair *args; /* decoded; NUL behind each name and value */
	size_t arg_count;
	struct ath_form *form; /* once somebody has asked for it */
	struct ath_spool *spools;
	void *context;
	struct ath_text path, body;
	enum ath_method method; /* ATH_METHOD_COUNT: none we know */
	struct ath_match match;
	const char *id;
	int64_t arrived, deadline;
	uint64_t began_us, took_us;    /* when its fiber began; from its arrival until its answer */
	uint32_t mark;                 /* of the room above, which counts it */
	struct ath_response *failure;  /* sticks: answers whatever the handler returned */
	const struct ath_error *error; /* of the session, when that is the answer */
	bool error_handled;            /* by the application; streams wait for the end then */
	bool begun;                    /* ath_web_begin() has been called */
	bool refused;                  /* there is too much to do; the failure says so */

	/* of a front that can do more than hand over whole requests; NULL: one that cannot */
	const struct ath_front *front;
	void *front_data;
	struct ath_response *sent; /* the stream whose head has left */
	size_t sent_bytes;         /* of its body */
	bool gone;                 /* nobody takes the rest of it */
	bool left;                 /* the client has, before there was an answer */
	bool in_after;             /* a hook behind the handler runs */
	uint64_t body_read;        /* bytes the handler has taken */

	/* for the room above; finish() may come back when something was begun behind it */
	void *session, *claim;
	struct ath_response *(*finish)(struct ath_request *request, struct ath_response *response);
	void (*leaving)(struct ath_request *request); /* the head of a stream is about to leave */
	void (*moved)(struct ath_request *request);   /* its deadline has moved */
	void (*failed)(struct ath_request *request);  /* a request that failed stores nothing */
	size_t statements, rows, round_trips;         /* for the log and for tests */
	const char *repeated; /* a statement that was run too often; NULL: none */
	/* where web->tell_statements is set: the slowest 32 of a session, in their order */
	struct ath_told_statement *told;
	size_t told_count;
	uint64_t database_us; /* all that was waited for the database */
	struct ath_request *next_free;
	char last_words[192 + ATH_USUAL_LINES]; /* the head of an answer for which the arena has no
						   room */
};

struct ath_response {
	struct ath_request *request;
	int status;
	const char *content_type; /* NULL: no body */
	struct ath_buffer headers, body;
	bool stream;                /* the body may leave before it is whole */
	struct FCGX_Stream *writer; /* holds the end of it; or NULL */
};

/* What a front sends: head ends in the empty line, and leaves this many bytes free before. */
enum { ATH_HEAD_ROOM = 8 };
enum ath_output_end {
	ATH_OUTPUT_ENDS,
	ATH_OUTPUT_GOES_ON, /* more of the body comes */
	ATH_OUTPUT_BREAKS,  /* the rest never comes, and the client must see that */
};
struct ath_output {
	char *head;         /* the first ATH_HEAD_ROOM bytes are the front's */
	size_t head_length; /* 0: it has left before */
	const char *body;
	size_t body_length;
	enum ath_output_end end;
};

/* What a front does for streams, in the request's fiber. */
struct ath_front {
	/* The next bytes of the body: how many, 0 at its end, -1 when it will not come. */
	ptrdiff_t (*read)(struct ath_request *request, void *to, size_t size);
	/* Sends a piece of the answer; false: nobody takes it. */
	bool (*send)(struct ath_request *request, const struct ath_output *output);
	/* The answer is open-ended: it counts as a stream, not as in flight. False: too many. */
	bool (*linger)(struct ath_request *request);
};

struct ath_request *ath_request_new(const struct ath_web *web);
void ath_request_free(struct ath_request *request);
/* Empties it for the next one. */
void ath_request_reset(struct ath_request *request);
/*
 * Reads the parameters and routes. A front may call it when they have come, before the body; true:
 * the handler wants to read the body itself, and ath_web_handle() may be called at once.
 */
bool ath_web_begin(struct ath_request *request);
/* Runs the handler, and has the answer ready to send. Runs in the request's fiber. */
void ath_web_handle(struct ath_request *request, struct ath_output *output);
/* ath_now()'s clock in microseconds */
uint64_t ath_web_now_us(void);
/* From the arrival of the request until now. */
uint64_t ath_request_elapsed_us(const struct ath_request *request);
/* Did it take longer than a request should? A stream without an end did not. */
bool ath_request_is_slow(const struct ath_request *request);
/* request_log.c: the lines that a request is worth. */
void ath_request_log(const struct ath_request *request, int status,
		     const struct ath_output *output);
/* The header line that says for how long it was worked at. */
void ath_put_server_timing(struct ath_buffer *head, const struct ath_request *request);
/* The room above has its word, and a failure the last. */
struct ath_response *ath_request_finish(struct ath_request *request, struct ath_response *response);
/* What the application makes of a problem (errors.c); other answers stay as they are. */
struct ath_response *ath_request_handle_problem(struct ath_request *request,
						struct ath_response *response);
/* The hooks behind the handler, once. */
struct ath_response *ath_web_after(struct ath_request *request, struct ath_response *response);
void ath_request_set_deadline(struct ath_request *request, int64_t deadline);
/* Ends when it should in so many milliseconds from now, unless its route says otherwise. */
void ath_request_progress(struct ath_request *request);

/* stream.c: refuses a body that is announced to be too large. */
void ath_body_begin(struct ath_request *request);

/* response.c: text between tags, or in quotes */
void ath_put_html(struct ath_buffer *out, const char *text);

/* fcgx.c: takes what the writer of a response still holds, if it has one. */
void ath_fcgx_complete(struct ath_response *response);

/* answer.c */
/* The whole answer, ready to send; returns the status that it has. */
int ath_answer_render(struct ath_request *request, struct ath_response *response,
		      struct ath_output *output);
/* The head of a stream; false: there is no memory for it. */
bool ath_answer_head(struct ath_response *response, struct ath_output *output);
/* RFC 9110, 15.3.5 and 15.4.5 */
bool ath_answer_has_body(const struct ath_request *request, int status);
/* Answers the request with this problem, unless it has failed already. NULL: no memory. */
void ath_request_fail(struct ath_request *request, struct ath_response *problem);
/* Adds a pair, or a header under its parameter's name, to raw_params. */
void ath_request_put_param(struct ath_request *request, struct ath_text name,
			   struct ath_text value);
void ath_request_put_header(struct ath_request *request, struct ath_text name,
			    struct ath_text value);
/*
 * Takes raw_params (FastCGI's name-value pairs) apart: what the fronts hand over. Fails the
 * request when something in them is wrong.
 */
void ath_request_read(struct ath_request *request);
/* The same of the body, when it is whole. */
void ath_request_read_body(struct ath_request *request);
/* What CONTENT_LENGTH says; false: nothing, or nonsense, which fails the request. */
bool ath_request_announced(struct ath_request *request, uint64_t *length);

/*
 * The body as tokens. NULL: the request has been failed with 400 or 415.
 */
const struct ath_json_document *ath_body_document(struct ath_request *request);

/* ---- headers ------------------------------------------------------------------------------- */

/* Cuts the part before the mark off a list; without the blanks around it. */
struct ath_text ath_next_part(struct ath_text *rest, char mark);
/* The next line, without its end; false: there is none. */
bool ath_next_line(struct ath_text *rest, struct ath_text *line);
/* RFC 9110, 5.6.2 */
bool ath_is_token(const char *name);
/* Answers with 500: a header that would not be one. */
void ath_refuse_header(struct ath_request *request);

/* header_lines.c: what every answer has, unless it brings lines of these names itself. */
extern const char ath_usual_lines[];
void ath_put_usual_lines(struct ath_buffer *head, const struct ath_response *response);

/* cors.c */
enum ath_status ath_cors_check(const struct ath_cors *cors, struct ath_error *error) ATH_MUST_CHECK;
/* A browser asks what a page of another origin may do; the request itself is still to come. */
bool ath_cors_is_preflight(const struct ath_request *request);
/* The lines that the request's origin is to be given. */
void ath_cors_add(struct ath_response *response);
/* The methods that the request's path has: "GET, HEAD, OPTIONS". */
const char *ath_allowed_methods(struct ath_request *request);

/* ---- decoding (url.c) ---------------------------------------------------------------------- */

/* Decodes %XX, and '+' where plus is set, into out (as long as text); SIZE_MAX: bad hex,
 * NUL, or what came out is no UTF-8. */
size_t ath_percent_decode(struct ath_text text, bool plus, char *out);
/* Appends text with everything escaped that is not RFC 3986's unreserved. */
void ath_percent_encode(struct ath_buffer *out, struct ath_text text);

/* ---- problems (problem.c) --------------------------------------------------------------- */

#define ATH_PROBLEM_TYPE "application/problem+json"

/* One member of "errors": where, and what is wrong there. */
struct ath_violation {
	const char *pointer; /* a JSON Pointer into the body */
	const char *detail;
	struct ath_violation *next;
};

/* type NULL: the status's own; retry_after 0: no such header. */
struct ath_response *ath_problem_full(struct ath_request *request, int status, const char *type,
				      const char *detail, const struct ath_violation *violations,
				      int retry_after);

/* ---- fronts -------------------------------------------------------------------------------- */

struct ath_fcgi_server;

/* Serves the listening socket fd from now on. The server does not close fd. */
enum ath_status ath_fcgi_serve(struct ath_fcgi_server **server, struct ath_loop *loop, int fd,
			       const struct ath_web *web, struct ath_error *error) ATH_MUST_CHECK;
/* What a server is at, and what it has done so far. */
struct ath_fcgi_stats {
	size_t connections, in_flight, queued, streams;
	uint64_t accepted, refused; /* connections; requests that were not begun */
};
void ath_fcgi_get_stats(const struct ath_fcgi_server *server, struct ath_fcgi_stats *stats);
/* Accepts no more; drained(arg) is called when the last connection has gone. */
void ath_fcgi_drain(struct ath_fcgi_server *server, int64_t grace_ms, void (*drained)(void *arg),
		    void *arg);
void ath_fcgi_close(struct ath_fcgi_server **server);

/* One request from the environment and standard input, answered on standard output. */
enum ath_status ath_cgi_serve(struct ath_loop *loop, const struct ath_web *web, int in, int out,
			      const char *const *environment,
			      struct ath_error *error) ATH_MUST_CHECK;

#endif
