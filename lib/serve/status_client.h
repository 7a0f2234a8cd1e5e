/*
 * status_client.h - the parts of `status`: who asks a server (ask.c), what a terminal is shown of
 * the answer (status_table.c), and the command itself (status_client.c).
 */
#ifndef ATH_SERVE_STATUS_CLIENT_H
#define ATH_SERVE_STATUS_CLIENT_H

#include "serve/internal.h"
#include "web/json.h"

/*
 * The body of the answer to GET uri of the FastCGI server on unix:PATH, a path or HOST:PORT. Waits
 * five seconds at most, outside any fiber.
 */
enum ath_status ath_ask(const char *socket, const char *uri, struct ath_buffer *body,
			struct ath_error *error) ATH_MUST_CHECK;

/* What was seen at one time. */
struct ath_look {
	struct ath_arena *arena;
	int64_t at;
	struct ath_json_document document; /* text NULL: nothing was seen */
};

/* One screen: the pool, and a line for each worker; what is a rate is since before. */
void ath_status_table(const struct ath_look *look, const struct ath_look *before,
		      struct ath_buffer *out);
/* Text of somebody else's, for a terminal: without what that would act upon. */
void ath_put_shown(struct ath_buffer *out, struct ath_text text);

#endif
