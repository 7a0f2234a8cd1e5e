/*
 * tasks.c - what a worker does beside its requests: background tasks, each once, and periodic
 * ones. All run in fibers without a deadline, and a list holds those under way, so that the end of
 * the worker can wait for them, and cancel them.
 */
#include <stdlib.h>

#include "serve/internal.h"

enum { MOST_TASKS = 1024, MOST_BYTES = 64 * 1024 };

/* One under way; its fiber frees it. */
struct ath_running {
	struct ath_worker *worker;
	struct ath_running *previous, *next;
	struct ath_fiber *fiber;
	void (*task)(struct ath_worker *worker, void *arg);
	void *arg;
	_Alignas(max_align_t) char copy[];
};

/* A row of the application's table: its timer is set, or it is under way. */
struct ath_periodic {
	struct ath_timer timer;
	struct ath_worker *worker;
	const struct ath_task *task;
};

/* ---- running -------------------------------------------------------------------------------- */

static void put_in(struct ath_tasks *tasks, struct ath_running *running)
{
	running->next = tasks->first;
	if (running->next != NULL)
		running->next->previous = running;
	tasks->first = running;
	tasks->count++;
}

static void take_out(struct ath_tasks *tasks, struct ath_running *running)
{
	if (running->previous != NULL)
		running->previous->next = running->next;
	else
		tasks->first = running->next;
	if (running->next != NULL)
		running->next->previous = running->previous;
	tasks->count--;
}

static void task_fiber(void *arg)
{
	struct ath_running *running = arg;

	running->task(running->worker, running->arg);
	take_out(&running->worker->tasks, running);
	free(running);
}

static enum ath_status run(struct ath_worker *worker,
			   void (*task)(struct ath_worker *worker, void *arg), void *arg,
			   size_t size)
{
	struct ath_running *running = calloc(1, sizeof *running + size);

	if (running == NULL)
		return ATH_ENOMEM;
	running->worker = worker;
	running->task = task;
	running->arg = size == 0 ? arg : memcpy(running->copy, arg, size);
	if (ath_loop_spawn(worker->loop, task_fiber, running, ATH_NEVER, &running->fiber) !=
	    ATH_OK) {
		free(running);
		return ATH_ENOMEM;
	}
	put_in(&worker->tasks, running);
	return ATH_OK;
}

enum ath_status ath_add_task(struct ath_worker *worker,
			     void (*task)(struct ath_worker *worker, void *arg), void *arg,
			     size_t size)
{
	if (worker->tasks.ended)
		return ATH_ECANCELED;
	if (worker->tasks.count >= MOST_TASKS || size > MOST_BYTES)
		return ATH_ETOOBIG;
	return run(worker, task, arg, size);
}

/* ---- periods -------------------------------------------------------------------------------- */

/* Below most; where the system has no randomness workers do not spread. */
static int64_t random_below(int64_t most)
{
	struct ath_uuid uuid;
	uint32_t number = 0;

	if (ath_uuid_random(&uuid) == ATH_OK)
		memcpy(&number, uuid.bytes, sizeof number);
	return (int64_t)number % most;
}

static void plan(struct ath_periodic *periodic)
{
	int64_t period = periodic->task->every_ms;

	if (!periodic->worker->tasks.stopping)
		ath_timer_start(periodic->worker->loop, &periodic->timer,
				ath_now() + period + random_below(period / 10 + 1));
}

static void run_periodic(struct ath_worker *worker, void *arg)
{
	struct ath_periodic *periodic = arg;

	periodic->task->run(worker);
	plan(periodic);
}

static void due(struct ath_timer *timer)
{
	struct ath_periodic *periodic = container_of(timer, struct ath_periodic, timer);

	if (run(periodic->worker, run_periodic, periodic, 0) != ATH_OK)
		plan(periodic); /* memory may be back then */
}

enum ath_status ath_tasks_open(struct ath_worker *worker, struct ath_error *error)
{
	const int64_t longest = INT64_C(366) * 24 * 60 * 60 * 1000;
	const struct ath_task *table = worker->app->tasks;
	struct ath_tasks *tasks = &worker->tasks;
	size_t count = 0;

	for (; table != NULL && table[count].run != NULL; count++)
		if (table[count].every_ms < 1 || table[count].every_ms > longest)
			return ath_error_set(error, ATH_EINVAL,
					     "task %zu: a period is 1 ms to 366 days, not %lld ms",
					     count, (long long)table[count].every_ms);
	if (count == 0)
		return ATH_OK;
	tasks->periodic = calloc(count, sizeof *tasks->periodic);
	if (tasks->periodic == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	for (tasks->periodic_count = 0; tasks->periodic_count < count; tasks->periodic_count++)
		tasks->periodic[tasks->periodic_count] = (struct ath_periodic){
			.timer.fire = due, .worker = worker, .task = &table[tasks->periodic_count]
		};
	return ATH_OK;
}

void ath_tasks_start(struct ath_worker *worker)
{
	for (size_t i = 0; i < worker->tasks.periodic_count; i++)
		plan(&worker->tasks.periodic[i]);
}

void ath_tasks_stop(struct ath_worker *worker)
{
	worker->tasks.stopping = true;
	for (size_t i = 0; i < worker->tasks.periodic_count; i++)
		ath_timer_stop(worker->loop, &worker->tasks.periodic[i].timer);
}

void ath_tasks_end(struct ath_worker *worker)
{
	struct ath_tasks *tasks = &worker->tasks;

	ath_tasks_stop(worker);
	tasks->ended = true;
	for (struct ath_running *each = tasks->first; each != NULL; each = each->next)
		ath_fiber_cancel(each->fiber);
	while (tasks->count > 0)
		ath_loop_turn(worker->loop, ATH_NEVER);
	free(tasks->periodic);
	tasks->periodic = NULL;
	tasks->periodic_count = 0;
}
