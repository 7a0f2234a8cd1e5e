/*
 * report.c - what a loop tells of itself: since when it has been busy and with which fiber, and how
 * long its turns take. Nobody waits for the reader: numbers are stored whole and without order.
 *
 * The clock is read when a turn begins, before its first fiber, behind each of them, and at the end
 * of a turn that did something else since then; not at all when nobody watches.
 */
#include <time.h>

#include "loop/internal.h"

#define STORE(member, value) __atomic_store_n(&(member), (value), __ATOMIC_RELAXED)

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void ath_loop_watch_itself(struct ath_loop *loop, struct ath_loop_report *report, int64_t limit_ms,
			   void (*blocked)(uint32_t mark, int64_t ms, void *arg), void *arg)
{
	struct ath_loop_observer *observer = ath_loop_observer(loop);

	*observer = (struct ath_loop_observer){
		.report = report,
		.limit_us =
			limit_ms > 0 && limit_ms < INT64_MAX / 1000 ? limit_ms * 1000 : INT64_MAX,
		.blocked = blocked,
		.arg = arg,
	};
	observer->began_us = observer->seen_us = now_us();
}

void ath_observe_turn(struct ath_loop_observer *observer)
{
	observer->began_us = observer->seen_us = now_us();
	STORE(observer->report->busy_since, observer->began_us / 1000);
}

void ath_observe_fibers(struct ath_loop_observer *observer)
{
	observer->fibers_us = observer->seen_us = now_us();
}

void ath_observe_mark(struct ath_loop_observer *observer, uint32_t mark)
{
	STORE(observer->report->mark, mark);
}

void ath_observe_left(struct ath_loop_observer *observer, uint32_t mark)
{
	int64_t now = now_us(), took = now - observer->seen_us;

	observer->seen_us = now;
	if (took >= observer->limit_us)
		observer->blocked(mark, took / 1000, observer->arg);
}

void ath_observe_turn_end(struct ath_loop_observer *observer, bool unseen)
{
	struct ath_loop_report *report = observer->report;
	int64_t end = unseen ? now_us() : observer->seen_us;
	uint64_t took = (uint64_t)(end - observer->began_us);

	STORE(report->turns, report->turns + 1);
	STORE(report->busy_us, report->busy_us + took);
	if (took > __atomic_load_n(&report->longest_us, __ATOMIC_RELAXED))
		STORE(report->longest_us, took);
	STORE(report->busy_since, 0);
}
