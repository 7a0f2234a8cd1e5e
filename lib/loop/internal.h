/*
 * loop/internal.h - the loop as the rooms above see it: watches on descriptors, timers,
 * work for the end of a turn, and waiting, which is the one thing all of them build on.
 *
 * A turn: wait for descriptors, call what is ready, fire the timers, run the fibers that
 * were woken, then call what asked for the end of the turn (a pipeline flushes there, once
 * for all fibers that queued).
 */
#ifndef ATH_LOOP_INTERNAL_H
#define ATH_LOOP_INTERNAL_H

#include <signal.h>
#include <sys/epoll.h>

#include "base/internal.h"
#include "base/log.h"
#include "loop/loop.h"

struct ath_fiber;
struct ath_loop;

/* ---- the loop ------------------------------------------------------------------------- */

enum ath_status ath_loop_open(struct ath_loop **loop, const struct ath_log *log) ATH_MUST_CHECK;
/* Joins the offload threads. No fiber may be waiting any more. */
void ath_loop_close(struct ath_loop **loop);
const struct ath_log *ath_loop_log(const struct ath_loop *loop);
/* Turns until ath_loop_stop(). */
void ath_loop_run(struct ath_loop *loop);
void ath_loop_stop(struct ath_loop *loop);
/* ath_now() as it was when the current fiber was entered, where that is known; else ath_now(). */
int64_t ath_loop_now(const struct ath_loop *loop);
/* The loop of the current fiber, or NULL outside. */
struct ath_loop *ath_loop_current(void);

/*
 * What a loop tells of itself while it runs, in memory that other processes may read: each member
 * is written whole, by the loop alone. The counters are the reader's to compare.
 */
struct ath_loop_report {
	int64_t busy_since; /* on ath_now()'s clock; 0: it waits for something to happen */
	uint32_t mark;      /* of the fiber that runs; 0: none does, or it has none */
	uint64_t turns;
	uint64_t busy_us;    /* in all turns */
	uint64_t longest_us; /* turn; the reader may set it to 0 */
};

/*
 * Has the loop write its report, which must outlive it, and call blocked() behind a fiber that has
 * kept the loop for limit_ms or longer without a wait; 0: it is never called. Outside any fiber.
 */
void ath_loop_watch_itself(struct ath_loop *loop, struct ath_loop_report *report, int64_t limit_ms,
			   void (*blocked)(uint32_t mark, int64_t ms, void *arg), void *arg);
/*
 * The number by which the room above knows what a fiber does; 0 for a new one. What the current
 * fiber has kept the loop for until now is told by the old number, so that it may be given away.
 */
void ath_fiber_set_mark(struct ath_fiber *fiber, uint32_t mark);

/* ---- descriptors ------------------------------------------------------------------------ */

/* Lives in its owner; ready may remove any watch, its own included. */
struct ath_watch {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT, EPOLLRDHUP...; level triggered */
	void (*ready)(struct ath_watch *watch, uint32_t events);
};

enum ath_status ath_watch_add(struct ath_loop *loop, struct ath_watch *watch) ATH_MUST_CHECK;
void ath_watch_change(struct ath_loop *loop, struct ath_watch *watch, uint32_t events);
/* Before the descriptor is closed. No event that was already taken reaches it any more. */
void ath_watch_remove(struct ath_loop *loop, struct ath_watch *watch);

/* ---- timers: a pairing heap, so that starting one needs no memory ---------------------- */

struct ath_timer {
	int64_t at;
	void (*fire)(struct ath_timer *timer); /* the timer is idle again when this is called */
	struct ath_timer *child, *sibling;
	struct ath_timer **link; /* what points at this one; NULL: idle */
};

void ath_timer_start(struct ath_loop *loop, struct ath_timer *timer, int64_t at);
void ath_timer_stop(struct ath_loop *loop, struct ath_timer *timer);

/* The heap itself (timer.c), apart from the loop. */
void ath_timer_heap_insert(struct ath_timer **root, struct ath_timer *timer);
void ath_timer_heap_remove(struct ath_timer **root, struct ath_timer *timer);

/* ---- the end of the turn ------------------------------------------------------------------ */

struct ath_turn_end {
	void (*run)(struct ath_turn_end *end);
	struct ath_turn_end *next;
	bool queued;
};

/* Has end->run called once at the end of this turn; asking again changes nothing. */
void ath_loop_at_turn_end(struct ath_loop *loop, struct ath_turn_end *end);
void ath_loop_forget_turn_end(struct ath_loop *loop, struct ath_turn_end *end);

/* ---- waiting ------------------------------------------------------------------------------- */

/*
 * One wait. It lives where ath_wait() is called, mostly on the fiber's stack, and whoever
 * will wake it holds a pointer to it: so after ath_wait() has returned anything but what the
 * waker said, the caller takes that pointer away before it does anything else.
 */
struct ath_waiter {
	struct ath_fiber *fiber; /* NULL: not in a fiber, the loop is turned until done */
	struct ath_waiter *next; /* for the waker's queue */
	enum ath_status status;
	bool done;   /* the waker has spoken; a deadline or a cancellation is none */
	bool ended;  /* the fiber is ready, or running again */
	bool finish; /* neither a client that leaves nor the fiber's deadline ends this wait */
};

/*
 * Waits until someone calls ath_wake(), the earlier of deadline and the fiber's deadline
 * passes (ATH_ETIMEDOUT), or the fiber is cancelled (ATH_ECANCELED).
 */
enum ath_status ath_wait(struct ath_loop *loop, struct ath_waiter *waiter,
			 int64_t deadline) ATH_MUST_CHECK;
/* Ends a wait, once; later calls do nothing. The fiber runs later in the same turn. */
void ath_wake(struct ath_waiter *waiter, enum ath_status status);

/* ---- fibers ---------------------------------------------------------------------------------- */

/* Starts a fiber; it runs later in the same turn. Fails when its stack cannot be mapped. */
enum ath_status ath_loop_spawn(struct ath_loop *loop, void (*task)(void *arg), void *arg,
			       int64_t deadline, struct ath_fiber **fiber) ATH_MUST_CHECK;
struct ath_fiber *ath_fiber_current(void);
/* ATH_NEVER outside a fiber. */
int64_t ath_fiber_deadline(void);
void ath_fiber_set_deadline(struct ath_fiber *fiber, int64_t deadline);
/* Ends the wait it is in, and every later one, with ATH_ECANCELED. */
void ath_fiber_cancel(struct ath_fiber *fiber);
/* Fibers that have not ended. */
size_t ath_loop_fibers(const struct ath_loop *loop);

/* Between loop.c and fiber.c. */
struct ath_fiber_pool;
enum ath_status ath_fiber_pool_open(struct ath_fiber_pool **pool, struct ath_loop *loop);
void ath_fiber_pool_close(struct ath_fiber_pool **pool);
struct ath_fiber_pool *ath_loop_fiber_pool(const struct ath_loop *loop);
/*
 * Runs what is ready until nothing is, or, where somebody watches (observer is not NULL), for a
 * while: so that what arrives is read soon, whatever the fibers do.
 */
struct ath_loop_observer;
void ath_fiber_run_ready(struct ath_fiber_pool *pool, struct ath_loop_observer *observer);
bool ath_fiber_any_ready(const struct ath_fiber_pool *pool);
/* One turn, waiting no longer than until the deadline. */
void ath_loop_turn(struct ath_loop *loop, int64_t deadline);
/* Calls what asked for the end of the turn. */
void ath_loop_end_turn(struct ath_loop *loop);

/* Between loop.c, fiber.c and report.c. */
struct ath_loop_observer {
	struct ath_loop_report *report; /* NULL: nobody watches, and none of these is called */
	int64_t limit_us;
	void (*blocked)(uint32_t mark, int64_t ms, void *arg);
	void *arg;
	int64_t began_us;  /* the turn, */
	int64_t fibers_us; /* and its fibers */
	int64_t seen_us;   /* when the clock was read last */
};
struct ath_loop_observer *ath_loop_observer(struct ath_loop *loop);
void ath_observe_turn(struct ath_loop_observer *observer);
/* The first fiber of a turn is about to run. */
void ath_observe_fibers(struct ath_loop_observer *observer);
/* The fiber that runs now; 0: none does. */
void ath_observe_mark(struct ath_loop_observer *observer, uint32_t mark);
/* The fiber of this mark has been left, or does something else from now on. */
void ath_observe_left(struct ath_loop_observer *observer, uint32_t mark);
/* The turn has taken long enough; never before its first fiber. */
static inline bool ath_observe_is_long(const struct ath_loop_observer *observer)
{
	enum { LONG_US = 20000 };

	return observer->seen_us - observer->fibers_us >= LONG_US;
}
/* unseen: something was done since the clock was read last. */
void ath_observe_turn_end(struct ath_loop_observer *observer, bool unseen);

/* ---- offload -------------------------------------------------------------------------------- */

struct ath_job {
	void (*run)(struct ath_job *job);  /* on another thread */
	void (*done)(struct ath_job *job); /* afterwards, in the loop */
	struct ath_job *next;
};

/* Queues a job; threads are started as they are needed, at most sixteen. */
enum ath_status ath_loop_offload(struct ath_loop *loop, struct ath_job *job) ATH_MUST_CHECK;

/* Between loop.c and offload.c. */
struct ath_offload;
/* Waits for all jobs and calls their done. */
void ath_offload_close(struct ath_offload **offload);
struct ath_offload **ath_loop_offload_pool(struct ath_loop *loop);

/* ---- signals -------------------------------------------------------------------------------- */

/*
 * Blocks the signals of the set and hands them to caught in the loop from now on. Before the
 * first fiber: where stacks are changed by ucontext, a fiber keeps the mask of its beginning.
 */
enum ath_status ath_loop_signals(struct ath_loop *loop, const sigset_t *signals,
				 void (*caught)(int signal, void *arg), void *arg) ATH_MUST_CHECK;

#endif
