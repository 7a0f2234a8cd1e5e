/* loop.c - the turn: descriptors, timers, fibers, and what was left for its end. */
#include <errno.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "loop/internal.h"

enum { EVENTS_A_TURN = 256 };

struct ath_loop {
	int epoll;
	int taken; /* events of the turn under way that were not handed out yet start here */
	int count;
	struct ath_timer *timers;
	struct ath_watch alarm; /* goes off when a timer may be due; fd < 0: there is none */
	int64_t alarm_at;       /* ATH_NEVER: it is not set */
	bool alarm_opened;      /* or that was tried */
	struct ath_turn_end *ends;
	struct ath_fiber_pool *fibers;
	struct ath_offload *offload;
	struct ath_watch signals; /* fd < 0: none */
	void (*caught)(int signal, void *arg);
	void *caught_arg;
	struct ath_log log;
	struct ath_loop_observer observer;
	bool stop;
	struct epoll_event events[EVENTS_A_TURN];
};

int64_t ath_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum ath_status ath_loop_open(struct ath_loop **loop, const struct ath_log *log)
{
	struct ath_loop *made = calloc(1, sizeof *made);
	enum ath_status status;

	*loop = NULL;
	if (made == NULL)
		return ATH_ENOMEM;
	made->log = log == NULL ? (struct ath_log){ .fd = 2, .level = ATH_LOG_WARNING } : *log;
	made->signals.fd = made->alarm.fd = -1;
	made->alarm_at = ATH_NEVER;
	made->epoll = epoll_create1(EPOLL_CLOEXEC);
	status = made->epoll < 0 ? ATH_EIO : ath_fiber_pool_open(&made->fibers, made);
	if (status != ATH_OK) {
		ath_loop_close(&made);
		return status;
	}
	*loop = made;
	return ATH_OK;
}

void ath_loop_close(struct ath_loop **loop)
{
	struct ath_loop *old = loop == NULL ? NULL : *loop;

	if (old == NULL)
		return;
	ath_offload_close(&old->offload);
	ath_fiber_pool_close(&old->fibers);
	if (old->signals.fd >= 0)
		close(old->signals.fd);
	if (old->alarm.fd >= 0)
		close(old->alarm.fd);
	if (old->epoll >= 0)
		close(old->epoll);
	free(old);
	*loop = NULL;
}

const struct ath_log *ath_loop_log(const struct ath_loop *loop)
{
	return &loop->log;
}

struct ath_fiber_pool *ath_loop_fiber_pool(const struct ath_loop *loop)
{
	return loop->fibers;
}

int64_t ath_loop_now(const struct ath_loop *loop)
{
	return loop->observer.report == NULL ? ath_now() : loop->observer.seen_us / 1000;
}

struct ath_loop_observer *ath_loop_observer(struct ath_loop *loop)
{
	return &loop->observer;
}

struct ath_offload **ath_loop_offload_pool(struct ath_loop *loop)
{
	return &loop->offload;
}

/* ---- descriptors ------------------------------------------------------------------------ */

static enum ath_status control(struct ath_loop *loop, int operation, struct ath_watch *watch)
{
	struct epoll_event event = { .events = watch->events, .data.ptr = watch };

	return epoll_ctl(loop->epoll, operation, watch->fd, &event) == 0 ? ATH_OK : ATH_EIO;
}

enum ath_status ath_watch_add(struct ath_loop *loop, struct ath_watch *watch)
{
	return control(loop, EPOLL_CTL_ADD, watch);
}

void ath_watch_change(struct ath_loop *loop, struct ath_watch *watch, uint32_t events)
{
	if (watch->events == events)
		return;
	watch->events = events;
	(void)control(loop, EPOLL_CTL_MOD, watch); /* cannot fail for a watch that was added */
}

void ath_watch_remove(struct ath_loop *loop, struct ath_watch *watch)
{
	(void)control(loop, EPOLL_CTL_DEL, watch);
	for (int i = loop->taken; i < loop->count; i++)
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
}

static void wait_for_events(struct ath_loop *loop, int timeout)
{
	loop->count = epoll_wait(loop->epoll, loop->events, EVENTS_A_TURN, timeout);
	loop->taken = 0;
}

static void dispatch(struct ath_loop *loop)
{
	while (loop->taken < loop->count) {
		struct epoll_event *event = &loop->events[loop->taken++];
		struct ath_watch *watch = event->data.ptr;

		if (watch != NULL)
			watch->ready(watch, event->events);
	}
	loop->count = loop->taken = 0;
}

/* ---- timers -------------------------------------------------------------------------------- */

void ath_timer_start(struct ath_loop *loop, struct ath_timer *timer, int64_t at)
{
	ath_timer_stop(loop, timer);
	timer->at = at;
	ath_timer_heap_insert(&loop->timers, timer);
}

void ath_timer_stop(struct ath_loop *loop, struct ath_timer *timer)
{
	if (timer->link != NULL)
		ath_timer_heap_remove(&loop->timers, timer);
}

static void fire_timers(struct ath_loop *loop)
{
	int64_t now;

	if (loop->timers == NULL || loop->alarm_at <= loop->timers->at)
		return; /* or the alarm would have gone off */
	now = ath_now();
	while (loop->timers != NULL && loop->timers->at <= now) {
		struct ath_timer *timer = loop->timers;

		ath_timer_heap_remove(&loop->timers, timer);
		timer->fire(timer);
	}
}

/* ---- the end of the turn -------------------------------------------------------------------- */

void ath_loop_at_turn_end(struct ath_loop *loop, struct ath_turn_end *end)
{
	if (end->queued)
		return;
	end->queued = true;
	end->next = loop->ends;
	loop->ends = end;
}

void ath_loop_forget_turn_end(struct ath_loop *loop, struct ath_turn_end *end)
{
	if (!end->queued)
		return;
	for (struct ath_turn_end **at = &loop->ends; *at != NULL; at = &(*at)->next) {
		if (*at == end) {
			*at = end->next;
			break;
		}
	}
	end->queued = false;
}

void ath_loop_end_turn(struct ath_loop *loop)
{
	while (loop->ends != NULL) {
		struct ath_turn_end *end = loop->ends;

		loop->ends = end->next;
		end->queued = false;
		end->run(end);
	}
}

/* ---- the turn ------------------------------------------------------------------------------- */

static void alarm_ready(struct ath_watch *watch, uint32_t events)
{
	struct ath_loop *loop = container_of(watch, struct ath_loop, alarm);
	uint64_t times;

	(void)events;
	if (read(watch->fd, &times, sizeof times) == (ssize_t)sizeof times)
		loop->alarm_at = ATH_NEVER;
}

/* Without one, epoll_wait() is told when to come back. */
static void open_alarm(struct ath_loop *loop)
{
	loop->alarm_opened = true;
	loop->alarm = (struct ath_watch){ .fd = timerfd_create(CLOCK_MONOTONIC,
							       TFD_NONBLOCK | TFD_CLOEXEC),
					  .events = EPOLLIN,
					  .ready = alarm_ready };
	if (loop->alarm.fd < 0 || ath_watch_add(loop, &loop->alarm) == ATH_OK)
		return;
	close(loop->alarm.fd);
	loop->alarm.fd = -1;
}

/*
 * For a time-out of its own epoll_wait() sets a timer of the kernel up, and takes it down again
 * when something comes first, as it nearly always does: that costs a third of a whole round trip.
 * The alarm stays as it is set, and is set anew only for what is due before.
 */
static bool set_alarm(struct ath_loop *loop, int64_t at)
{
	struct itimerspec when = { .it_value = { .tv_sec = at / 1000,
						 .tv_nsec = at % 1000 * 1000000 } };

	if (!loop->alarm_opened)
		open_alarm(loop);
	if (loop->alarm.fd < 0 ||
	    timerfd_settime(loop->alarm.fd, TFD_TIMER_ABSTIME, &when, NULL) != 0)
		return false;
	loop->alarm_at = at;
	return true;
}

static int patience(struct ath_loop *loop, int64_t deadline)
{
	int64_t left;

	if (ath_fiber_any_ready(loop->fibers) || loop->ends != NULL)
		return 0;
	if (loop->timers != NULL && loop->timers->at < deadline)
		deadline = loop->timers->at;
	if (deadline == ATH_NEVER)
		return -1;
	if (loop->alarm_at <= deadline)
		return -1; /* what is over already the alarm tells at once */
	left = deadline - ath_now();
	if (left > 0 && set_alarm(loop, deadline))
		return -1;
	return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

void ath_loop_turn(struct ath_loop *loop, int64_t deadline)
{
	struct ath_loop_observer *observer = loop->observer.report == NULL ? NULL : &loop->observer;
	bool unseen; /* something was done since the clock was read last */

	wait_for_events(loop, patience(loop, deadline));
	if (observer != NULL)
		ath_observe_turn(observer);
	dispatch(loop);
	fire_timers(loop);
	unseen = !ath_fiber_any_ready(loop->fibers);
	ath_fiber_run_ready(loop->fibers, observer);
	unseen = unseen || loop->ends != NULL;
	ath_loop_end_turn(loop);
	if (observer != NULL)
		ath_observe_turn_end(observer, unseen);
}

void ath_loop_run(struct ath_loop *loop)
{
	for (loop->stop = false; !loop->stop;)
		ath_loop_turn(loop, ATH_NEVER);
}

void ath_loop_stop(struct ath_loop *loop)
{
	loop->stop = true;
}

/* ---- signals -------------------------------------------------------------------------------- */

static void signal_ready(struct ath_watch *watch, uint32_t events)
{
	struct ath_loop *loop = container_of(watch, struct ath_loop, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info)
		loop->caught((int)info.ssi_signo, loop->caught_arg);
}

enum ath_status ath_loop_signals(struct ath_loop *loop, const sigset_t *signals,
				 void (*caught)(int signal, void *arg), void *arg)
{
	if (sigprocmask(SIG_BLOCK, signals, NULL) != 0)
		return ATH_EIO;
	loop->caught = caught;
	loop->caught_arg = arg;
	loop->signals = (struct ath_watch){ .fd = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC),
					    .events = EPOLLIN,
					    .ready = signal_ready };
	if (loop->signals.fd < 0)
		return ATH_EIO;
	return ath_watch_add(loop, &loop->signals);
}
