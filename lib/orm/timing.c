/*
 * timing.c - how long what a session runs has taken, for whoever asks what a request was slow in.
 *
 * Only where session->times is set: it costs two looks at the clock for each round trip. Statements
 * that travel together have the same time, that of their round trip. Of many the slowest are kept.
 */
#include <time.h>

#include "orm/internal.h"

void ath_session_want_times(struct ath_session *session)
{
	session->times = ath_arena_alloc(session->arena, sizeof *session->times);
	if (session->times != NULL)
		session->times->microseconds = session->times->count = 0;
}

uint64_t ath_session_clock(const struct ath_session *session)
{
	struct timespec now;

	if (session->times == NULL)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* A place for a statement that took so long, behind all others; NULL: many took longer. */
static struct ath_timed_statement *place_for(struct ath_times *times, uint64_t microseconds)
{
	size_t fastest = 0;

	if (times->count < ATH_MOST_TIMED)
		return &times->statements[times->count++];
	for (size_t i = 1; i < times->count; i++)
		if (times->statements[i].microseconds < times->statements[fastest].microseconds)
			fastest = i;
	if (times->statements[fastest].microseconds >= microseconds)
		return NULL;
	memmove(&times->statements[fastest], &times->statements[fastest + 1],
		(times->count - fastest - 1) * sizeof times->statements[0]);
	return &times->statements[times->count - 1];
}

/* What is about a cursor is gone with the rows it has fetched. */
static const char *lasting_text(const struct ath_session *session, const struct ath_batch *batch,
				size_t i)
{
	const char *text = batch->statements[i].text;

	if (batch->arena == session->arena)
		return text;
	return strncmp(text, "FETCH", 5) == 0 ? "FETCH" : "CLOSE";
}

void ath_session_time(struct ath_session *session, const struct ath_batch *batch, uint64_t since)
{
	struct ath_times *times = session->times;
	uint64_t microseconds;

	if (times == NULL)
		return;
	microseconds = ath_session_clock(session) - since;
	times->microseconds += microseconds;
	for (size_t i = 0; i < batch->count; i++) {
		struct ath_timed_statement *place = place_for(times, microseconds);

		if (place == NULL)
			return;
		place->text = lasting_text(session, batch, i);
		place->microseconds = microseconds;
		place->rows = batch->results[i] == NULL
				      ? 0
				      : (size_t)batch->driver->affected(batch->results[i]);
	}
}
