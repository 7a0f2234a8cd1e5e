/*
 * offload.c - a few threads for what must block. A thread takes a job, runs it, and puts it
 * on the list of the finished; an eventfd tells the loop, which calls the job's done.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop/internal.h"

enum { MAX_THREADS = 4 };

struct ath_offload {
	struct ath_loop *loop;
	struct ath_watch watch; /* the eventfd */
	pthread_mutex_t lock;
	pthread_cond_t work;
	/* under the lock */
	struct ath_job *queue, **queue_tail;
	struct ath_job *finished;
	size_t idle;
	bool closing;
	/* the loop's thread only */
	pthread_t threads[MAX_THREADS];
	size_t thread_count;
};

static struct ath_job *take_job(struct ath_offload *offload)
{
	struct ath_job *job;

	offload->idle++;
	while (offload->queue == NULL && !offload->closing)
		pthread_cond_wait(&offload->work, &offload->lock);
	offload->idle--;
	job = offload->queue;
	if (job != NULL) {
		offload->queue = job->next;
		if (offload->queue == NULL)
			offload->queue_tail = &offload->queue;
	}
	return job;
}

static void *thread_main(void *arg)
{
	struct ath_offload *offload = arg;
	struct ath_job *job;

	pthread_mutex_lock(&offload->lock);
	while ((job = take_job(offload)) != NULL) {
		pthread_mutex_unlock(&offload->lock);
		job->run(job);
		pthread_mutex_lock(&offload->lock);
		job->next = offload->finished;
		offload->finished = job;
		(void)eventfd_write(offload->watch.fd, 1); /* full only when it is set anyway */
	}
	pthread_mutex_unlock(&offload->lock);
	return NULL;
}

static void call_finished(struct ath_offload *offload)
{
	struct ath_job *job;

	pthread_mutex_lock(&offload->lock);
	job = offload->finished;
	offload->finished = NULL;
	pthread_mutex_unlock(&offload->lock);
	while (job != NULL) {
		struct ath_job *next = job->next;

		job->done(job);
		job = next;
	}
}

static void finished_ready(struct ath_watch *watch, uint32_t events)
{
	eventfd_t count;

	(void)events;
	(void)eventfd_read(watch->fd, &count);
	call_finished(container_of(watch, struct ath_offload, watch));
}

static enum ath_status open_pool(struct ath_offload **offload, struct ath_loop *loop)
{
	struct ath_offload *made = calloc(1, sizeof *made);

	if (made == NULL)
		return ATH_ENOMEM;
	made->loop = loop;
	made->queue_tail = &made->queue;
	made->watch = (struct ath_watch){ .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
					  .events = EPOLLIN,
					  .ready = finished_ready };
	if (made->watch.fd < 0 || ath_watch_add(loop, &made->watch) != ATH_OK) {
		if (made->watch.fd >= 0)
			close(made->watch.fd);
		free(made);
		return ATH_EIO;
	}
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->work, NULL);
	*offload = made;
	return ATH_OK;
}

void ath_offload_close(struct ath_offload **offload)
{
	struct ath_offload *old = *offload;

	if (old == NULL)
		return;
	pthread_mutex_lock(&old->lock);
	old->closing = true;
	pthread_cond_broadcast(&old->work);
	pthread_mutex_unlock(&old->lock);
	for (size_t i = 0; i < old->thread_count; i++)
		pthread_join(old->threads[i], NULL);
	call_finished(old);
	ath_watch_remove(old->loop, &old->watch);
	close(old->watch.fd);
	pthread_cond_destroy(&old->work);
	pthread_mutex_destroy(&old->lock);
	free(old);
	*offload = NULL;
}

/* Signals are the loop's: a thread takes none. */
static void start_thread(struct ath_offload *offload)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&offload->threads[offload->thread_count], NULL, thread_main, offload) ==
	    0)
		offload->thread_count++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

enum ath_status ath_loop_offload(struct ath_loop *loop, struct ath_job *job)
{
	struct ath_offload **pool = ath_loop_offload_pool(loop), *offload;
	bool enough;

	if (*pool == NULL && open_pool(pool, loop) != ATH_OK)
		return ATH_ENOMEM;
	offload = *pool;
	pthread_mutex_lock(&offload->lock);
	enough = offload->idle > 0 && offload->queue == NULL;
	pthread_mutex_unlock(&offload->lock);
	if (!enough && offload->thread_count < MAX_THREADS)
		start_thread(offload);
	if (offload->thread_count == 0)
		return ATH_ENOMEM;
	pthread_mutex_lock(&offload->lock);
	job->next = NULL;
	*offload->queue_tail = job;
	offload->queue_tail = &job->next;
	pthread_cond_signal(&offload->work);
	pthread_mutex_unlock(&offload->lock);
	return ATH_OK;
}

/* ---- ath_offload: a job that a fiber waits for ------------------------------------------ */

struct fiber_job {
	struct ath_job job;
	struct ath_waiter waiter;
	struct ath_loop *loop;
	void (*run)(void *arg);
	void *arg;
};

static void run_fiber_job(struct ath_job *job)
{
	struct fiber_job *mine = container_of(job, struct fiber_job, job);

	mine->run(mine->arg);
}

static void fiber_job_done(struct ath_job *job)
{
	struct fiber_job *mine = container_of(job, struct fiber_job, job);

	ath_wake(&mine->waiter, ATH_OK);
}

enum ath_status ath_offload(void (*job)(void *arg), void *arg)
{
	struct fiber_job mine = {
		.job = { .run = run_fiber_job, .done = fiber_job_done },
		.waiter = { .finish = true },
		.loop = ath_loop_current(),
		.run = job,
		.arg = arg,
	};
	enum ath_status status;

	if (mine.loop == NULL) {
		job(arg);
		return ATH_OK;
	}
	status = ath_loop_offload(mine.loop, &mine.job);
	if (status != ATH_OK)
		return status;
	return ath_wait(mine.loop, &mine.waiter, ATH_NEVER);
}
