/*
 * comments.c - what the statements of a route have behind them, in the form of sqlcommenter:
 *
 *	application='users',method='GET',route='/users/<id:int>'
 *
 * It is that form because the tools that read such comments know it. Values are percent-encoded
 * there, so that none can end the comment; what is harmless is left as it is, which makes no
 * difference to who decodes it, and can be read in pg_stat_activity. The comment stands behind the
 * statement, where the server's statistics and its own messages begin with what is done.
 */
#include "orm/internal.h"

struct ath_route_comment {
	struct ath_route_comment *next; /* in its bucket */
	const char *method, *route;
	struct ath_comment comment;
};

static bool is_harmless(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~/:<>", c) != NULL);
}

static void put_value(struct ath_buffer *out, const char *key, const char *value)
{
	ath_buffer_printf(out, "%s='", key);
	for (; *value != '\0'; value++)
		if (is_harmless(*value))
			ath_buffer_append(out, value, 1);
		else
			ath_buffer_printf(out, "%%%02X", (unsigned char)*value);
	ath_buffer_string(out, "'");
}

/* NULL: there is no memory. */
static struct ath_route_comment *make(struct ath_arena *arena, const char *application,
				      const char *method, const char *route)
{
	enum { MOST = 16 * 1024 };
	struct ath_route_comment *made = ath_new(arena, struct ath_route_comment, 1);
	struct ath_buffer text;

	ath_buffer_init(&text, arena, MOST);
	put_value(&text, " /*application", application);
	put_value(&text, ",method", method);
	put_value(&text, ",route", route);
	ath_buffer_string(&text, "*/");
	if (made == NULL || text.failed)
		return NULL;
	made->method = ath_arena_copy(arena, method, strlen(method));
	made->route = ath_arena_copy(arena, route, strlen(route));
	made->comment = (struct ath_comment){ .text = ath_buffer_c_string(&text),
					      .length = text.length,
					      .hash = ath_hash(text.data, text.length) };
	return made->method == NULL || made->route == NULL ? NULL : made;
}

/* By the place of the route's text, which is looked at all the same: routes come and go. */
static struct ath_route_comment **find(struct ath_kept *kept, const char *method, const char *route)
{
	struct ath_route_comment **at =
		&kept->comments[((uintptr_t)route >> 4) % ATH_COUNT(kept->comments)];

	while (*at != NULL &&
	       (strcmp((*at)->route, route) != 0 || strcmp((*at)->method, method) != 0))
		at = &(*at)->next;
	return at;
}

void ath_session_set_route(struct ath_session *session, const char *method, const char *route)
{
	struct ath_route_comment **at;
	struct ath_kept *kept;

	if (session->engine == NULL ||
	    ath_engine_sql_comments(session->engine) == ATH_SQL_COMMENTS_OFF)
		return;
	kept = ath_kept_of(session->engine);
	if (kept == NULL)
		return;
	at = find(kept, method, route);
	if (*at == NULL)
		*at = make(kept->arena, ath_engine_application(session->engine), method, route);
	if (*at != NULL)
		session->comment = &(*at)->comment;
}

void ath_session_set_request(struct ath_session *session, const char *id)
{
	if (session->engine != NULL &&
	    ath_engine_sql_comments(session->engine) == ATH_SQL_COMMENTS_REQUEST && *id != '\0')
		session->request_id = id;
}

/* The server keeps 63 bytes of it: of a long name the end goes, not the id's. */
const char *ath_session_application_name(const struct ath_session *session)
{
	enum { KEPT = 63 };
	size_t length = strlen(session->request_id);

	return ath_arena_printf(session->arena, "%.*s %s",
				length < KEPT ? (int)(KEPT - 1 - length) : 0,
				ath_engine_application(session->engine), session->request_id);
}
