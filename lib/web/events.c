/* events.c - Server-Sent Events (WHATWG HTML, 9.2): text/event-stream, one event at a time. */
#include "web/internal.h"

static bool may_linger(struct ath_request *request)
{
	if (request->error_handled)
		return false; /* that ends */
	if (request->front != NULL && !request->front->linger(request))
		return false;
	if (request->match.leaf->route->deadline_ms == 0)
		ath_request_set_deadline(request, ATH_NEVER);
	return true;
}

struct ath_response *ath_events(struct ath_request *request)
{
	struct ath_response *events = ath_response_stream(request, 200, "text/event-stream");

	ath_response_header(events, "Cache-Control", "no-cache");
	ath_response_header(events, "X-Accel-Buffering", "no"); /* nginx passes it on at once */
	if (events != NULL && !may_linger(request))
		ath_request_fail(request, ath_problem_full(request, 503, NULL,
							   "too many streams are open", NULL, 1));
	return events;
}

/* Each line by itself: what ends a line is one of CR LF, LF and CR. */
static void put_lines(struct ath_buffer *out, const char *text)
{
	do {
		size_t length = strcspn(text, "\r\n");

		ath_buffer_append(out, "data: ", 6);
		ath_buffer_append(out, text, length);
		ath_buffer_append(out, "\n", 1);
		text += length;
		text += text[0] == '\r' && text[1] == '\n';
	} while (*text++ != '\0');
}

/* Of a name or an id, which one line has to hold. */
static void put_field(struct ath_response *events, const char *name, const char *value)
{
	struct ath_buffer *out = &events->body;

	if (value == NULL)
		return;
	if (strpbrk(value, "\r\n") != NULL) {
		ath_request_fail(events->request,
				 ath_problem(events->request, 500, "an event was refused"));
		return;
	}
	ath_buffer_string(out, name);
	ath_buffer_string(out, value);
	ath_buffer_append(out, "\n", 1);
}

bool ath_event_send(struct ath_response *events, const struct ath_server_event *event)
{
	if (events == NULL)
		return false;
	put_field(events, "event: ", event->name);
	put_field(events, "id: ", event->id);
	if (event->retry_ms > 0)
		ath_buffer_printf(&events->body, "retry: %lld\n", (long long)event->retry_ms);
	put_lines(&events->body, event->data == NULL ? "" : event->data);
	ath_buffer_append(&events->body, "\n", 1);
	return ath_stream_flush(events);
}

bool ath_event_heartbeat(struct ath_response *events)
{
	if (events == NULL)
		return false;
	ath_buffer_append(&events->body, ":\n\n", 3);
	return ath_stream_flush(events);
}
