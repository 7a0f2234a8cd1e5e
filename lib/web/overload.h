/*
 * overload.h - whether a request that has to wait can still be served in time. Two things are
 * waited for: a place among the requests in flight, in a queue of the front's, and the processor,
 * by a fiber that is ready. Both are kept short when they stand: see ath_standing_patience().
 */
#ifndef ATH_WEB_OVERLOAD_H
#define ATH_WEB_OVERLOAD_H

#include "base/internal.h"

struct ath_overload {
	int64_t queued_since; /* since when there has been a queue all the time; 0: there is none */
	int64_t freed_at;     /* when the last place went to one in the queue; 0: none did yet */
	int64_t place_us;     /* from one such place to the next, smoothed */
	int64_t late_since;   /* since when each fiber has begun late; 0: the last one did not */
};

/* A request has joined the queue, which was empty or not. */
void ath_overload_queued(struct ath_overload *overload, int64_t now);
/* The first of the queue gets a place, and leaves so many behind. */
void ath_overload_placed(struct ath_overload *overload, size_t queued, int64_t now);
/* The queue is empty, because all that was in it has gone. */
void ath_overload_emptied(struct ath_overload *overload);
/* Milliseconds until one who comes behind so many gets a place. */
int64_t ath_overload_wait(const struct ath_overload *overload, size_t queued);
/* Will it be too late for one who has that deadline, with so many in flight? */
bool ath_overload_is_hopeless(const struct ath_overload *overload, size_t queued, size_t in_flight,
			      int64_t now, int64_t deadline);

/* A fiber begins now that could have at ready_at: is that so late that it had better not? */
bool ath_overload_is_late(struct ath_overload *overload, int64_t ready_at, int64_t now);

#endif
