/*
 * test_tasks.c - the life of a worker by a clock that does not tick: listeners, background and
 * periodic tasks, and what its end waits for. Nothing here asks the database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../loop/virtual_clock.h"
#include "serve/internal.h"

enum { GRACE_MS = 15000, MOST_TASKS = 1024, MOST_BYTES = 64 * 1024 };

static const struct ath_configuration configuration = {
	.database_url = "postgresql:///none?host=/nonexistent",
	.log = { .fd = -1 },
};
static const struct ath_route routes[] = { { 0 } };
static struct ath_worker worker;
static int64_t began; /* when the worker was opened */

static enum ath_status try_to_open(const struct ath_app *app, struct ath_error *error)
{
	began = virtual_now;
	return ath_worker_open(&worker, app, &configuration, error);
}

static void open_worker(const struct ath_app *app)
{
	struct ath_error error = { 0 };

	if (try_to_open(app, &error) != ATH_OK || ath_worker_start(&worker, &error) != ATH_OK)
		fail_msg("%s", error.message);
	ath_worker_started(&worker);
}

/* Until so much time has passed since it was opened. */
static void turn_until(int64_t after)
{
	while (virtual_now < began + after)
		ath_loop_turn(worker.loop, began + after);
}

/* ---- what happened, and when ------------------------------------------------------------------
 */

static char trace[4096];

static void leave(const char *what)
{
	size_t length = strlen(trace);

	snprintf(trace + length, sizeof trace - length, "%s%s", length > 0 ? " " : "", what);
}

static void leave_at(const char *what)
{
	char text[64];

	snprintf(text, sizeof text, "%s@%lld", what, (long long)(virtual_now - began));
	leave(text);
}

static int clear(void **state)
{
	(void)state;
	trace[0] = '\0';
	return 0;
}

/* ---- background tasks -------------------------------------------------------------------------
 */

static const struct ath_app plain = { .name = "plain", .routes = routes };

static void say(struct ath_worker *of, void *arg)
{
	leave(of == &worker ? arg : "another worker");
}

/* arg: milliseconds; its end is in the trace */
static void sleep_for(struct ath_worker *of, void *arg)
{
	const int64_t *milliseconds = arg;

	(void)of;
	leave_at(ath_sleep(*milliseconds) == ATH_OK ? "slept" : "woken");
}

static void add_sleeper(int64_t milliseconds)
{
	assert_int_equal(ath_add_task(&worker, sleep_for, &milliseconds, sizeof milliseconds),
			 ATH_OK);
}

static void test_arguments_are_copied_or_not(void **state)
{
	char text[] = "first", largest[MOST_BYTES + 1] = "largest";

	(void)state;
	open_worker(&plain);
	assert_int_equal(ath_add_task(&worker, say, text, sizeof text), ATH_OK);
	assert_int_equal(ath_add_task(&worker, say, text, 0), ATH_OK);
	assert_int_equal(ath_add_task(&worker, say, largest, MOST_BYTES), ATH_OK);
	assert_int_equal(ath_add_task(&worker, say, largest, MOST_BYTES + 1), ATH_ETOOBIG);
	memcpy(text, "other", sizeof text);
	assert_string_equal(trace, "");
	ath_worker_stop(&worker);
	assert_string_equal(trace, "first other largest");
	ath_worker_close(&worker);
}

static void test_there_are_so_many_at_most(void **state)
{
	(void)state;
	open_worker(&plain);
	for (int i = 0; i < MOST_TASKS; i++)
		add_sleeper(i == 700 ? 10 : 1000);
	assert_int_equal(ath_add_task(&worker, say, "no", 0), ATH_ETOOBIG);
	turn_until(20);
	assert_string_equal(trace, "slept@10");
	assert_int_equal(ath_add_task(&worker, say, "yes", 0), ATH_OK);
	assert_int_equal(ath_add_task(&worker, say, "no", 0), ATH_ETOOBIG);
	turn_until(1000);
	ath_loop_turn(worker.loop, virtual_now);
	assert_int_equal(worker.tasks.count, 0);
	assert_null(worker.tasks.first);
	ath_worker_stop(&worker);
	ath_worker_close(&worker);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void test_what_is_under_way_is_waited_for(void **state)
{
	(void)state;
	open_worker(&plain);
	add_sleeper(GRACE_MS - 1);
	add_sleeper(7000);
	ath_worker_stop(&worker);
	assert_string_equal(trace, "slept@7000 slept@14999");
	assert_int_equal(virtual_now - began, GRACE_MS - 1);
	ath_worker_close(&worker);
}

static void add_another(struct ath_worker *of, void *arg)
{
	(void)arg;
	(void)ath_sleep(100);
	leave(ath_add_task(of, say, "another", 0) == ATH_OK ? "added" : "not added");
}

static void test_a_task_may_add_one_while_the_worker_ends(void **state)
{
	(void)state;
	open_worker(&plain);
	assert_int_equal(ath_add_task(&worker, add_another, NULL, 0), ATH_OK);
	ath_worker_stop(&worker);
	assert_string_equal(trace, "added another");
	ath_worker_close(&worker);
}

/* Waits for ever; when that ends it cleans up, which takes a while, and tries to go on. */
static void wait_for_ever(struct ath_worker *of, void *arg)
{
	struct ath_waiter never = { 0 }, clean_up = { .finish = true };

	(void)arg;
	leave_at(ath_status_text(ath_wait(of->loop, &never, ATH_NEVER)));
	(void)!ath_wait(of->loop, &clean_up, virtual_now + 300);
	leave_at(ath_status_text(ath_sleep(1000)));
	leave_at(ath_status_text(ath_add_task(of, say, "another", 0)));
}

static void test_what_waits_for_ever_is_cancelled(void **state)
{
	(void)state;
	open_worker(&plain);
	assert_int_equal(ath_add_task(&worker, wait_for_ever, NULL, 0), ATH_OK);
	ath_worker_stop(&worker);
	assert_string_equal(trace, "the client went away@15000 the client went away@15300 "
				   "the client went away@15300");
	assert_int_equal(worker.tasks.count, 0);
	ath_worker_close(&worker);
}

static void signal_after(struct ath_worker *of, void *arg)
{
	const int64_t *milliseconds = arg;

	(void)ath_sleep(*milliseconds);
	of->signals = 2;
}

static void test_a_second_signal_waits_no_more(void **state)
{
	int64_t after = 500;

	(void)state;
	open_worker(&plain);
	add_sleeper(10000);
	assert_int_equal(ath_add_task(&worker, signal_after, &after, sizeof after), ATH_OK);
	ath_worker_stop(&worker);
	assert_string_equal(trace, "woken@500");
	ath_worker_close(&worker);
}

/* As when the socket cannot be listened on: nothing is left behind. */
static void test_a_worker_that_never_served(void **state)
{
	struct ath_error error = { 0 };

	(void)state;
	assert_int_equal(try_to_open(&plain, &error), ATH_OK);
	add_sleeper(10000);
	ath_worker_close(&worker);
	assert_string_equal(trace, "woken@0");
}

/* ---- periodic tasks ---------------------------------------------------------------------------
 */

static int64_t runs[64];
static size_t run_count, running_now;
static int64_t takes; /* one run */

static void tick(struct ath_worker *of)
{
	if (of != &worker || running_now > 0 || run_count == ATH_COUNT(runs))
		abort();
	running_now++;
	runs[run_count++] = virtual_now;
	if (takes > 0)
		(void)ath_sleep(takes);
	running_now--;
}

static const struct ath_task ticking[] = { ATH_EVERY(60000, tick), { 0 } };
static const struct ath_app periodic = { .name = "periodic", .routes = routes, .tasks = ticking };

static void start_ticking(int64_t each_takes)
{
	run_count = running_now = 0;
	takes = each_takes;
	open_worker(&periodic);
}

static void test_a_period_begins_when_the_run_has_ended(void **state)
{
	static const int64_t each_takes[] = { 0, 1000, 200000 };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(each_takes); i++) {
		start_ticking(each_takes[i]);
		turn_until(1000000);
		assert_in_range(runs[0] - began, 60000, 66000);
		for (size_t run = 1; run < run_count; run++)
			assert_in_range(runs[run] - runs[run - 1] - takes, 60000, 66000);
		assert_true(run_count >= (size_t)(1000000 / (66000 + takes)));
		takes = 0;
		ath_worker_stop(&worker);
		ath_worker_close(&worker);
	}
}

static void test_workers_spread(void **state)
{
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		start_ticking(0);
		turn_until(66000);
		least = runs[0] - began < least ? runs[0] - began : least;
		most = runs[0] - began > most ? runs[0] - began : most;
		ath_worker_stop(&worker);
		ath_worker_close(&worker);
	}
	assert_in_range(least, 60000, 61000); /* all others: once in 10^16 times */
	assert_in_range(most, 65000, 66000);
}

static void test_an_idle_one_stops_at_once(void **state)
{
	(void)state;
	start_ticking(0);
	turn_until(30000);
	ath_worker_stop(&worker);
	assert_int_equal(virtual_now - began, 30000);
	assert_int_equal(run_count, 0);
	ath_worker_close(&worker);
}

static void test_one_under_way_is_waited_for_and_is_the_last(void **state)
{
	(void)state;
	start_ticking(10000);
	turn_until(66000);
	assert_int_equal(running_now, 1);
	ath_worker_stop(&worker);
	assert_int_equal(running_now, 0);
	assert_int_equal(virtual_now, runs[0] + 10000);
	assert_int_equal(run_count, 1);
	assert_null(worker.tasks.first);
	ath_worker_close(&worker);
}

static void quick(struct ath_worker *of)
{
	(void)of;
	leave("quick");
}

static void test_several_in_one_table(void **state)
{
	static const struct ath_task both[] = { ATH_EVERY(1, quick),
						ATH_EVERY(60000, tick),
						{ 0 } };
	static const struct ath_app app = { .name = "both", .routes = routes, .tasks = both };

	(void)state;
	run_count = 0;
	takes = 0;
	open_worker(&app);
	turn_until(10);
	ath_loop_turn(worker.loop, virtual_now);
	assert_string_equal(trace, "quick quick quick quick quick quick quick quick quick quick");
	turn_until(66000);
	assert_int_equal(run_count, 1);
	ath_worker_stop(&worker);
	ath_worker_close(&worker);
}

static void test_periods_have_bounds(void **state)
{
	static const int64_t periods[] = { 0, -1, INT64_C(366) * 24 * 3600 * 1000 + 1, INT64_MAX,
					   INT64_MIN };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(periods); i++) {
		const struct ath_task table[] = { ATH_EVERY(INT64_C(366) * 24 * 3600 * 1000, tick),
						  ATH_EVERY(periods[i], tick),
						  { 0 } };
		const struct ath_app app = { .name = "bad", .routes = routes, .tasks = table };
		struct ath_error error = { 0 };

		assert_int_equal(try_to_open(&app, &error), ATH_EINVAL);
		assert_non_null(strstr(error.message, "task 1: a period is 1 ms to 366 days"));
		ath_worker_close(&worker);
	}
}

/* ---- listeners --------------------------------------------------------------------------------
 */

static enum ath_status answer_of[4];

static enum ath_status listener(struct ath_worker *of, size_t which, const char *name)
{
	leave(name);
	leave(ath_worker_is_stopping(of) ? "stopping" : "running");
	return answer_of[which];
}

static enum ath_status before_start(struct ath_worker *of)
{
	if (ath_worker_context(of) != NULL)
		leave("a context");
	ath_worker_set_context(of, "context");
	return listener(of, 0, "before_start");
}

static enum ath_status after_start(struct ath_worker *of)
{
	return listener(of, 1, ath_worker_context(of));
}

/* Runs into its deadline. */
static enum ath_status before_stop(struct ath_worker *of)
{
	leave_at(ath_status_text(ath_sleep(GRACE_MS + 1)));
	return listener(of, 2, "before_stop");
}

static enum ath_status after_stop(struct ath_worker *of)
{
	leave(ath_add_task(of, say, "late", 0) == ATH_ECANCELED ? "no tasks" : "tasks");
	leave(ath_worker_engine(of) == NULL ? "no engine" : "engine");
	return listener(of, 3, "after_stop");
}

static const struct ath_app listening = {
	.name = "listening",
	.routes = routes,
	.before_start = before_start,
	.after_start = after_start,
	.before_stop = before_stop,
	.after_stop = after_stop,
};

static void test_listeners_are_called_in_order(void **state)
{
	(void)state;
	memset(answer_of, 0, sizeof answer_of);
	open_worker(&listening);
	ath_worker_stop(&worker);
	ath_worker_close(&worker);
	assert_string_equal(trace, "before_start running context running "
				   "the deadline passed@15000 before_stop stopping "
				   "no tasks engine after_stop stopping");
}

static void test_all_but_the_first_may_fail(void **state)
{
	(void)state;
	answer_of[0] = ATH_OK;
	answer_of[1] = answer_of[2] = answer_of[3] = ATH_ERULE;
	open_worker(&listening);
	ath_worker_stop(&worker);
	ath_worker_close(&worker);
	assert_non_null(strstr(trace, "after_stop"));
}

static void test_a_worker_that_cannot_start(void **state)
{
	struct ath_error error = { 0 };

	(void)state;
	answer_of[0] = ATH_EUNAVAILABLE;
	assert_int_equal(try_to_open(&listening, &error), ATH_OK);
	assert_int_equal(ath_worker_start(&worker, &error), ATH_EUNAVAILABLE);
	assert_int_equal(error.status, ATH_EUNAVAILABLE);
	assert_string_equal(error.message,
			    "before_start failed: the database cannot be reached now");
	ath_worker_close(&worker);
	assert_string_equal(trace, "before_start running");

	/* no mistake of the configuration, which the program would end with status 2 for */
	ath_error_clear(&error);
	answer_of[0] = ATH_EINVAL;
	assert_int_equal(try_to_open(&listening, &error), ATH_OK);
	assert_int_equal(ath_worker_start(&worker, &error), ATH_EINVAL);
	assert_int_equal(error.status, ATH_EIO);
	ath_worker_close(&worker);
}

static enum ath_status wait_in_start(struct ath_worker *of)
{
	int64_t after = 50;

	if (ath_add_task(of, signal_after, &after, sizeof after) != ATH_OK)
		abort();
	return ath_sleep(10000);
}

/* It is no failure, and nothing is served. */
static void test_a_signal_ends_the_start(void **state)
{
	static const struct ath_app app = { .name = "slow",
					    .routes = routes,
					    .before_start = wait_in_start,
					    .after_start = after_start };
	struct ath_error error = { 0 };

	(void)state;
	assert_int_equal(try_to_open(&app, &error), ATH_OK);
	assert_int_equal(ath_worker_start(&worker, &error), ATH_ECANCELED);
	assert_int_equal(virtual_now - began, 50);
	assert_int_equal(error.status, ATH_OK);
	ath_worker_close(&worker);
	assert_string_equal(trace, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_arguments_are_copied_or_not, clear),
		cmocka_unit_test_setup(test_there_are_so_many_at_most, clear),
		cmocka_unit_test_setup(test_what_is_under_way_is_waited_for, clear),
		cmocka_unit_test_setup(test_a_task_may_add_one_while_the_worker_ends, clear),
		cmocka_unit_test_setup(test_what_waits_for_ever_is_cancelled, clear),
		cmocka_unit_test_setup(test_a_second_signal_waits_no_more, clear),
		cmocka_unit_test_setup(test_a_worker_that_never_served, clear),
		cmocka_unit_test_setup(test_a_period_begins_when_the_run_has_ended, clear),
		cmocka_unit_test_setup(test_workers_spread, clear),
		cmocka_unit_test_setup(test_an_idle_one_stops_at_once, clear),
		cmocka_unit_test_setup(test_one_under_way_is_waited_for_and_is_the_last, clear),
		cmocka_unit_test_setup(test_several_in_one_table, clear),
		cmocka_unit_test_setup(test_periods_have_bounds, clear),
		cmocka_unit_test_setup(test_listeners_are_called_in_order, clear),
		cmocka_unit_test_setup(test_all_but_the_first_may_fail, clear),
		cmocka_unit_test_setup(test_a_worker_that_cannot_start, clear),
		cmocka_unit_test_setup(test_a_signal_ends_the_start, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
