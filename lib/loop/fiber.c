/*
 * fiber.c - fibers on stacks of their own, and the wait that switches between them and the
 * loop. A fiber belongs to one loop and one thread.
 *
 * A stack is mapped with a guard page below it. Fibers that have ended keep their stack for
 * the next one, up to a number.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "loop/context.h"
#include "loop/internal.h"

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#ifdef ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0
#define VALGRIND_STACK_DEREGISTER(id)       (void)(id)
#endif

enum { STACK_SIZE = 256 * 1024, IDLE_FIBERS = 256 };

struct ath_fiber {
	struct ath_context context;
	struct ath_fiber_pool *pool;
	struct ath_fiber *next;  /* in the ready or the idle list */
	void (*task)(void *arg); /* NULL: leave the stack for ever */
	void *arg;
	struct ath_waiter *waiter; /* the wait it is in */
	struct ath_timer timer;    /* that wait's deadline */
	int64_t deadline;
	uint32_t mark;
	bool cancelled;
	char *stack; /* guard page included */
	unsigned valgrind_id;
	void *fake_stack;
};

struct ath_fiber_pool {
	struct ath_context context; /* the loop's */
	struct ath_fiber *ready, **ready_tail;
	struct ath_fiber *idle;
	size_t idle_count, live_count, page;
	const void *loop_stack; /* for AddressSanitizer */
	size_t loop_stack_size;
	void *loop_fake_stack;
	struct ath_loop *loop;
};

/* The one piece of state outside the handles. */
static _Thread_local struct ath_fiber *current;

struct ath_fiber *ath_fiber_current(void)
{
	return current;
}

struct ath_loop *ath_loop_current(void)
{
	return current == NULL ? NULL : current->pool->loop;
}

int64_t ath_fiber_deadline(void)
{
	return current == NULL ? ATH_NEVER : current->deadline;
}

void ath_fiber_set_deadline(struct ath_fiber *fiber, int64_t deadline)
{
	fiber->deadline = deadline;
}

void ath_fiber_set_mark(struct ath_fiber *fiber, uint32_t mark)
{
	struct ath_loop_observer *observer = ath_loop_observer(fiber->pool->loop);

	if (fiber == current && observer->report != NULL) {
		if (fiber->mark != 0)
			ath_observe_left(observer, fiber->mark);
		ath_observe_mark(observer, mark);
	}
	fiber->mark = mark;
}

/* ---- switching ------------------------------------------------------------------------ */

static void enter(struct ath_fiber *fiber)
{
	struct ath_fiber_pool *pool = fiber->pool;

	current = fiber;
#ifdef ADDRESS_SANITIZER
	__sanitizer_start_switch_fiber(&pool->loop_fake_stack, fiber->stack + pool->page,
				       STACK_SIZE);
#endif
	ath_context_switch(&pool->context, &fiber->context);
#ifdef ADDRESS_SANITIZER
	__sanitizer_finish_switch_fiber(pool->loop_fake_stack, NULL, NULL);
#endif
	current = NULL;
}

static void leave(struct ath_fiber *fiber)
{
	struct ath_fiber_pool *pool = fiber->pool;

#ifdef ADDRESS_SANITIZER
	__sanitizer_start_switch_fiber(fiber->task == NULL ? NULL : &fiber->fake_stack,
				       pool->loop_stack, pool->loop_stack_size);
#endif
	ath_context_switch(&fiber->context, &pool->context);
#ifdef ADDRESS_SANITIZER
	__sanitizer_finish_switch_fiber(fiber->fake_stack, &pool->loop_stack,
					&pool->loop_stack_size);
#endif
}

/* ---- the life of a fiber ---------------------------------------------------------------- */

static void make_idle(struct ath_fiber *fiber)
{
	fiber->next = fiber->pool->idle;
	fiber->pool->idle = fiber;
	fiber->pool->idle_count++;
	fiber->pool->live_count--;
}

static void fiber_main(void)
{
	struct ath_fiber *fiber = current;

#ifdef ADDRESS_SANITIZER
	__sanitizer_finish_switch_fiber(NULL, &fiber->pool->loop_stack,
					&fiber->pool->loop_stack_size);
#endif
	while (fiber->task != NULL) {
		fiber->task(fiber->arg);
		make_idle(fiber);
		leave(fiber);
	}
	leave(fiber); /* for the last time */
}

static bool make_context(struct ath_fiber *fiber)
{
	char *base = fiber->stack + fiber->pool->page;

	if (mprotect(fiber->stack, fiber->pool->page, PROT_NONE) != 0 ||
	    !ath_context_make(&fiber->context, base, STACK_SIZE, fiber_main))
		return false;
	fiber->valgrind_id = VALGRIND_STACK_REGISTER(base, base + STACK_SIZE);
	return true;
}

static struct ath_fiber *fiber_new(struct ath_fiber_pool *pool)
{
	struct ath_fiber *fiber = calloc(1, sizeof *fiber);

	if (fiber == NULL)
		return NULL;
	fiber->pool = pool;
	fiber->stack = mmap(NULL, pool->page + STACK_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (fiber->stack == MAP_FAILED) {
		free(fiber);
		return NULL;
	}
	if (!make_context(fiber)) {
		munmap(fiber->stack, pool->page + STACK_SIZE);
		free(fiber);
		return NULL;
	}
	return fiber;
}

static void fiber_free(struct ath_fiber *fiber)
{
	fiber->task = NULL;
	enter(fiber); /* it leaves its stack, and the sanitizer frees what belongs to it */
	VALGRIND_STACK_DEREGISTER(fiber->valgrind_id);
	munmap(fiber->stack, fiber->pool->page + STACK_SIZE);
	free(fiber);
}

static void free_idle(struct ath_fiber_pool *pool, size_t keep)
{
	while (pool->idle_count > keep) {
		struct ath_fiber *fiber = pool->idle;

		pool->idle = fiber->next;
		pool->idle_count--;
		fiber_free(fiber);
	}
}

static void make_ready(struct ath_fiber *fiber)
{
	fiber->next = NULL;
	*fiber->pool->ready_tail = fiber;
	fiber->pool->ready_tail = &fiber->next;
}

enum ath_status ath_loop_spawn(struct ath_loop *loop, void (*task)(void *arg), void *arg,
			       int64_t deadline, struct ath_fiber **made)
{
	struct ath_fiber_pool *pool = ath_loop_fiber_pool(loop);
	struct ath_fiber *fiber = pool->idle;

	if (fiber != NULL) {
		pool->idle = fiber->next;
		pool->idle_count--;
	} else {
		fiber = fiber_new(pool);
		if (fiber == NULL)
			return ATH_ENOMEM;
	}
	fiber->task = task;
	fiber->arg = arg;
	fiber->deadline = deadline;
	fiber->mark = 0;
	fiber->cancelled = false;
	pool->live_count++;
	make_ready(fiber);
	if (made != NULL)
		*made = fiber;
	return ATH_OK;
}

enum ath_status ath_spawn(void (*task)(void *arg), void *arg)
{
	if (current == NULL)
		return ATH_EINVAL;
	return ath_loop_spawn(current->pool->loop, task, arg, ATH_NEVER, NULL);
}

/* ---- the pool --------------------------------------------------------------------------- */

enum ath_status ath_fiber_pool_open(struct ath_fiber_pool **pool, struct ath_loop *loop)
{
	*pool = calloc(1, sizeof **pool);
	if (*pool == NULL)
		return ATH_ENOMEM;
	(*pool)->ready_tail = &(*pool)->ready;
	(*pool)->loop = loop;
	(*pool)->page = (size_t)sysconf(_SC_PAGESIZE);
	return ATH_OK;
}

void ath_fiber_pool_close(struct ath_fiber_pool **pool)
{
	if (*pool == NULL)
		return;
	free_idle(*pool, 0);
	free(*pool);
	*pool = NULL;
}

size_t ath_loop_fibers(const struct ath_loop *loop)
{
	return ath_loop_fiber_pool(loop)->live_count;
}

bool ath_fiber_any_ready(const struct ath_fiber_pool *pool)
{
	return pool->ready != NULL;
}

static void enter_observed(struct ath_fiber *fiber, struct ath_loop_observer *observer)
{
	ath_observe_mark(observer, fiber->mark);
	enter(fiber);
	ath_observe_left(observer, fiber->mark);
	ath_observe_mark(observer, 0);
}

void ath_fiber_run_ready(struct ath_fiber_pool *pool, struct ath_loop_observer *observer)
{
	if (pool->ready != NULL && observer != NULL)
		ath_observe_fibers(observer);
	while (pool->ready != NULL && !(observer != NULL && ath_observe_is_long(observer))) {
		struct ath_fiber *fiber = pool->ready;

		pool->ready = fiber->next;
		if (pool->ready == NULL)
			pool->ready_tail = &pool->ready;
		if (observer == NULL)
			enter(fiber);
		else
			enter_observed(fiber, observer);
	}
	free_idle(pool, IDLE_FIBERS);
}

/* ---- waiting ------------------------------------------------------------------------------ */

static void end_wait(struct ath_waiter *waiter, enum ath_status status)
{
	waiter->ended = true;
	waiter->status = status;
	if (waiter->fiber != NULL)
		make_ready(waiter->fiber);
}

static void deadline_passed(struct ath_timer *timer)
{
	struct ath_fiber *fiber = container_of(timer, struct ath_fiber, timer);

	if (!fiber->waiter->ended)
		end_wait(fiber->waiter, ATH_ETIMEDOUT);
}

static enum ath_status wait_in_fiber(struct ath_fiber *fiber, struct ath_waiter *waiter,
				     int64_t deadline)
{
	struct ath_loop *loop = fiber->pool->loop;

	if (!waiter->finish) {
		if (fiber->cancelled)
			return ATH_ECANCELED;
		if (fiber->deadline < deadline)
			deadline = fiber->deadline;
	}
	waiter->fiber = fiber;
	fiber->waiter = waiter;
	if (deadline != ATH_NEVER) {
		fiber->timer.fire = deadline_passed;
		ath_timer_start(loop, &fiber->timer, deadline);
	}
	leave(fiber);
	ath_timer_stop(loop, &fiber->timer);
	fiber->waiter = NULL;
	return waiter->status;
}

enum ath_status ath_wait(struct ath_loop *loop, struct ath_waiter *waiter, int64_t deadline)
{
	if (waiter->done)
		return waiter->status;
	if (current != NULL)
		return wait_in_fiber(current, waiter, deadline);
	ath_loop_end_turn(loop); /* there is no turn under way that could end */
	if (waiter->done)
		ath_loop_turn(loop, ath_now()); /* what has gone wrong here may have elsewhere */
	while (!waiter->done) {
		if (deadline != ATH_NEVER && ath_now() >= deadline)
			return ATH_ETIMEDOUT;
		ath_loop_turn(loop, deadline);
	}
	return waiter->status;
}

/* What the waker says goes before a deadline that has passed in the same turn. */
void ath_wake(struct ath_waiter *waiter, enum ath_status status)
{
	if (waiter->done)
		return;
	waiter->done = true;
	if (!waiter->ended)
		end_wait(waiter, status);
	else
		waiter->status = status;
}

void ath_fiber_cancel(struct ath_fiber *fiber)
{
	fiber->cancelled = true;
	if (fiber->waiter != NULL && !fiber->waiter->finish && !fiber->waiter->ended)
		end_wait(fiber->waiter, ATH_ECANCELED);
}

enum ath_status ath_sleep(int64_t milliseconds)
{
	struct ath_waiter waiter = { 0 };
	int64_t until;
	enum ath_status status;

	if (milliseconds < 0)
		milliseconds = 0;
	if (__builtin_add_overflow(ath_now(), milliseconds, &until))
		until = ATH_NEVER;
	if (current == NULL) {
		struct timespec left = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

		while (nanosleep(&left, &left) != 0)
			;
		return ATH_OK;
	}
	status = ath_wait(current->pool->loop, &waiter, until);
	/* the sleep's own end is no time-out; the request's is */
	return status == ATH_ETIMEDOUT && until <= current->deadline ? ATH_OK : status;
}

struct descriptor_wait {
	struct ath_watch watch;
	struct ath_waiter waiter;
};

static void descriptor_ready(struct ath_watch *watch, uint32_t events)
{
	struct descriptor_wait *wait = container_of(watch, struct descriptor_wait, watch);

	(void)events;
	ath_wake(&wait->waiter, ATH_OK);
}

static enum ath_status poll_fd(int fd, enum ath_event event, int64_t deadline)
{
	struct pollfd pollfd = { .fd = fd, .events = event == ATH_READABLE ? POLLIN : POLLOUT };
	int64_t left;
	int ready;

	do {
		left = deadline == ATH_NEVER ? -1 : deadline - ath_now();
		if (deadline != ATH_NEVER && left < 0)
			left = 0;
		ready = poll(&pollfd, 1, left > INT32_MAX ? INT32_MAX : (int)left);
	} while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return ATH_ETIMEDOUT;
	return ready < 0 || (pollfd.revents & POLLNVAL) != 0 ? ATH_EIO : ATH_OK;
}

enum ath_status ath_wait_fd(int fd, enum ath_event event, int64_t deadline)
{
	struct descriptor_wait wait = {
		.watch = { .fd = fd,
			   .events = event == ATH_READABLE ? EPOLLIN : EPOLLOUT,
			   .ready = descriptor_ready },
	};
	enum ath_status status;

	if (current == NULL)
		return poll_fd(fd, event, deadline);
	status = ath_watch_add(current->pool->loop, &wait.watch);
	if (status != ATH_OK)
		return status;
	status = ath_wait(current->pool->loop, &wait.waiter, deadline);
	ath_watch_remove(current->pool->loop, &wait.watch);
	return status;
}
