/* feed.c - notifications of the database as events. */
#include "site.h"

static struct ath_response *feed(struct ath_request *req)
{
	struct ath_listener *listener = ath_request_listen(req, ath_path_str(req, "channel"));
	struct ath_response *events = ath_events(req);
	struct ath_notification note;

	while (ath_events_next(events, listener, &note))
		ath_event_send(events, &(struct ath_server_event){
					       .name = note.missed > 0 ? "missed" : NULL,
					       .data = note.payload });
	return events;
}

static struct ath_response *publish(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);

	ath_notify(db, ath_path_str(req, "channel"), ath_arg(req, "text"));
	ath_commit(db);
	return ath_response_empty(req, 204);
}

const struct ath_route feed_routes[] = {
	ATH_ROUTE(GET, "/<channel:str>", feed),
	ATH_ROUTE(POST, "/<channel:str>", publish),
	{ 0 },
};
