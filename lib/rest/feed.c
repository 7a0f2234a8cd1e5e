/* feed.c - notifications of the database as Server-Sent Events. */
#include "rest/internal.h"

enum { HEARTBEAT_MS = 15 * 1000 };

static void close_listener(void *listener)
{
	struct ath_listener *old = listener;

	ath_listen_close(&old);
}

struct ath_listener *ath_request_listen(struct ath_request *request, const char *channel)
{
	const struct ath_rest *rest = request->web->context;
	struct ath_error *error = ath_new(request->arena, struct ath_error, 1);
	struct ath_listener *listener = NULL;

	if (request->failure != NULL || error == NULL)
		return NULL;
	if (ath_listen(&listener, rest->engine, channel, error) != ATH_OK) {
		ath_request_fail(request, ath_error_problem(request, rest->engine, error));
	} else if (!ath_arena_defer(request->arena, close_listener, listener)) {
		close_listener(listener);
		listener = NULL;
	}
	return listener;
}

bool ath_events_next(struct ath_response *events, struct ath_listener *listener,
		     struct ath_notification *notification)
{
	enum ath_status status = ATH_ETIMEDOUT;

	if (listener == NULL || !ath_stream_flush(events)) /* that it is open is news as well */
		return false;
	do {
		status = ath_listen_next(listener, HEARTBEAT_MS, notification);
	} while (status == ATH_ETIMEDOUT && ath_now() < events->request->deadline &&
		 ath_event_heartbeat(events));
	return status == ATH_OK;
}
