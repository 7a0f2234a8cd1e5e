/* test_offload.c - jobs on other threads. They are held back by semaphores, never by time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "loop_fixture.h"

static sem_t gate;
static atomic_int ran;
static pthread_t job_thread;

static int setup(void **state)
{
	ran = 0;
	sem_init(&gate, 0, 0);
	return open_loop(state);
}

static int teardown(void **state)
{
	sem_destroy(&gate);
	return close_loop(state);
}

static void wait_at_the_gate(void *arg)
{
	(void)arg;
	while (sem_wait(&gate) != 0)
		;
	job_thread = pthread_self();
	ran++;
}

static void offload(void *arg)
{
	(void)arg;
	leave_trace('a');
	trace_status(ath_offload(wait_at_the_gate, NULL));
	leave_trace('z');
}

static void open_the_gate(void *arg)
{
	(void)arg;
	leave_trace('g');
	sem_post(&gate);
}

/* The job ends only when the other fiber has run. */
static void test_other_fibers_run_meanwhile(void **state)
{
	(void)state;
	start(offload, NULL, ATH_NEVER);
	start(open_the_gate, NULL, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "agoz");
	assert_int_equal(ran, 1);
	assert_false(pthread_equal(job_thread, pthread_self()));
}

static void test_neither_deadline_nor_cancel_ends_it(void **state)
{
	(void)state;
	ath_fiber_cancel(start(offload, NULL, ath_now() - 1));
	ath_loop_turn(loop, ath_now());
	ath_loop_turn(loop, ath_now());
	assert_string_equal(trace, "a");
	open_the_gate(NULL);
	run_fibers();
	assert_string_equal(trace, "agoz");
}

static void test_outside_the_job_runs_here(void **state)
{
	(void)state;
	sem_post(&gate);
	assert_int_equal(ath_offload(wait_at_the_gate, NULL), ATH_OK);
	assert_true(pthread_equal(job_thread, pthread_self()));
}

static void count_job(void *arg)
{
	++*(int *)arg;
	ran++;
}

static void offload_counting(void *arg)
{
	if (ath_offload(count_job, arg) != ATH_OK)
		leave_trace('!');
	++*(int *)arg;
}

static void test_a_hundred_fibers_offload(void **state)
{
	int counts[100] = { 0 };

	(void)state;
	for (int round = 1; round <= 3; round++) {
		for (size_t i = 0; i < ATH_COUNT(counts); i++)
			start(offload_counting, &counts[i], ATH_NEVER);
		run_fibers();
		for (size_t i = 0; i < ATH_COUNT(counts); i++)
			assert_int_equal(counts[i], 2 * round);
	}
	assert_int_equal(ran, 300);
	assert_string_equal(trace, "");
}

/* ---- a job that asks its fiber for something ---------------------------------------------- */

static pthread_t loop_thread;

/* Waits, as only a fiber can. */
static void call_back(void *arg)
{
	assert_true(pthread_equal(pthread_self(), loop_thread));
	leave_trace('b');
	assert_int_equal(ath_sleep(0), ATH_OK);
	++*(int *)arg;
}

static void job_with_calls(void *arg)
{
	job_thread = pthread_self();
	for (int i = 0; i < 3; i++)
		ath_offload_back(call_back, arg);
	ran = *(int *)arg;
}

static void offload_with_calls(void *arg)
{
	trace_status(ath_offload(job_with_calls, arg));
}

static void test_a_job_calls_its_fiber(void **state)
{
	int count = 0;

	(void)state;
	loop_thread = pthread_self();
	start(offload_with_calls, &count, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "bbbo");
	assert_int_equal(count, 3);
	assert_int_equal(ran, 3); /* each call had ended when it came back */
	assert_false(pthread_equal(job_thread, loop_thread));
}

static void test_outside_a_job_it_just_calls(void **state)
{
	int count = 0;

	(void)state;
	ath_offload_back(count_job, &count);
	assert_int_equal(count, 1);
}

/* ---- jobs without a fiber ----------------------------------------------------------------- */

struct job {
	struct ath_job job;
	int run, done;
};

static pthread_barrier_t sixteen;
static atomic_int now_running, most_running;
static struct ath_waiter all_done;
static int left;

static void run_job(struct ath_job *job)
{
	container_of(job, struct job, job)->run++;
}

/* Sixteen at a time get through, so that sixteen threads there must be. */
static void run_with_fifteen_others(struct ath_job *job)
{
	int running = ++now_running, most = most_running;

	while (running > most && !atomic_compare_exchange_weak(&most_running, &most, running))
		;
	pthread_barrier_wait(&sixteen);
	run_job(job);
	now_running--;
}

static void job_done(struct ath_job *job)
{
	container_of(job, struct job, job)->done++;
	if (--left == 0)
		ath_wake(&all_done, ATH_OK);
}

static void queue_jobs(struct job *jobs, int count, void (*run)(struct ath_job *job))
{
	left = count;
	all_done = (struct ath_waiter){ 0 };
	for (int i = 0; i < count; i++) {
		jobs[i] = (struct job){ .job = { .run = run, .done = job_done } };
		assert_int_equal(ath_loop_offload(loop, &jobs[i].job), ATH_OK);
	}
}

static void check_jobs(const struct job *jobs, int count)
{
	for (int i = 0; i < count; i++) {
		assert_int_equal(jobs[i].run, 1);
		assert_int_equal(jobs[i].done, 1);
	}
}

static void test_a_hundred_jobs(void **state)
{
	struct job jobs[100];

	(void)state;
	queue_jobs(jobs, 100, run_job);
	assert_int_equal(ath_wait(loop, &all_done, ATH_NEVER), ATH_OK);
	check_jobs(jobs, 100);
}

static void test_sixteen_threads_and_no_more(void **state)
{
	struct job jobs[48];

	(void)state;
	pthread_barrier_init(&sixteen, NULL, 16);
	most_running = 0;
	queue_jobs(jobs, 48, run_with_fifteen_others);
	assert_int_equal(ath_wait(loop, &all_done, ATH_NEVER), ATH_OK);
	check_jobs(jobs, 48);
	ath_loop_close(&loop);
	pthread_barrier_destroy(&sixteen);
	assert_int_equal(most_running, 16);
}

static void test_close_waits_for_all_jobs(void **state)
{
	struct job jobs[100];

	(void)state;
	queue_jobs(jobs, 100, run_job);
	ath_loop_close(&loop);
	assert_null(loop);
	assert_int_equal(left, 0);
	check_jobs(jobs, 100);
}

static sigset_t job_signals;

static void note_signals(void *arg)
{
	(void)arg;
	pthread_sigmask(SIG_BLOCK, NULL, &job_signals);
}

static void offload_note_signals(void *arg)
{
	trace_status(ath_offload(note_signals, arg));
}

static void test_a_thread_takes_no_signals(void **state)
{
	static const int some[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD };
	sigset_t mine;

	(void)state;
	start(offload_note_signals, NULL, ATH_NEVER);
	run_fibers();
	sigprocmask(SIG_BLOCK, NULL, &mine);
	for (size_t i = 0; i < ATH_COUNT(some); i++) {
		assert_int_equal(sigismember(&job_signals, some[i]), 1);
		assert_int_equal(sigismember(&mine, some[i]), 0);
	}
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		row(test_other_fibers_run_meanwhile),
		row(test_neither_deadline_nor_cancel_ends_it),
		row(test_outside_the_job_runs_here),
		row(test_a_hundred_fibers_offload),
		row(test_a_hundred_jobs),
		row(test_a_job_calls_its_fiber),
		row(test_outside_a_job_it_just_calls),
		row(test_sixteen_threads_and_no_more),
		row(test_close_waits_for_all_jobs),
		row(test_a_thread_takes_no_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
