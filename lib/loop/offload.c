/*
 * offload.c - a few threads for what must block. A thread takes a job, runs it, and puts it
 * on the list of the finished; an eventfd tells the loop, which calls the job's done. A job may be
 * put there before its end, when it wants something of the fiber that waits for it.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop/internal.h"

enum { MAX_THREADS = 16 };

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

/* Under the lock. */
static void tell_loop(struct ath_offload *offload, struct ath_job *job)
{
	job->next = offload->finished;
	offload->finished = job;
	(void)eventfd_write(offload->watch.fd, 1); /* full only when it is set anyway */
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
		tell_loop(offload, job);
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
	/* what the job wants of the fiber; NULL: it has ended */
	void (*call)(void *arg);
	void *call_arg;
	sem_t called;
};

static _Thread_local struct fiber_job *running; /* on this thread, which is not the loop's */

static void run_fiber_job(struct ath_job *job)
{
	struct fiber_job *mine = container_of(job, struct fiber_job, job);

	running = mine;
	mine->run(mine->arg);
	running = NULL;
}

static void fiber_job_done(struct ath_job *job)
{
	struct fiber_job *mine = container_of(job, struct fiber_job, job);

	ath_wake(&mine->waiter, ATH_OK);
}

void ath_offload_back(void (*call)(void *arg), void *arg)
{
	struct fiber_job *mine = running;
	struct ath_offload *offload;

	if (mine == NULL) {
		call(arg);
		return;
	}
	offload = *ath_loop_offload_pool(mine->loop);
	mine->call = call;
	mine->call_arg = arg;
	pthread_mutex_lock(&offload->lock);
	tell_loop(offload, &mine->job);
	pthread_mutex_unlock(&offload->lock);
	while (sem_wait(&mine->called) != 0)
		;
}

static enum ath_status wait_for_job(struct fiber_job *mine)
{
	enum ath_status status;

	for (;;) {
		mine->waiter = (struct ath_waiter){ .finish = true };
		status = ath_wait(mine->loop, &mine->waiter, ATH_NEVER);
		if (mine->call == NULL)
			return status;
		mine->call(mine->call_arg);
		mine->call = NULL;
		sem_post(&mine->called);
	}
}

enum ath_status ath_offload(void (*job)(void *arg), void *arg)
{
	struct fiber_job mine = {
		.job = { .run = run_fiber_job, .done = fiber_job_done },
		.loop = ath_loop_current(),
		.run = job,
		.arg = arg,
	};
	enum ath_status status;

	if (mine.loop == NULL) {
		job(arg);
		return ATH_OK;
	}
	sem_init(&mine.called, 0, 0);
	status = ath_loop_offload(mine.loop, &mine.job);
	if (status == ATH_OK)
		status = wait_for_job(&mine);
	sem_destroy(&mine.called);
	return status;
}
