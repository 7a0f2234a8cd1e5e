/*
 * test_report.c - what a loop tells of itself: while a fiber runs, behind it, and of its turns. The
 * clock is the test's: a fiber that keeps the loop moves it on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop_fixture.h"
#include "virtual_clock.h"

enum { LIMIT = 100 };

static struct ath_loop_report report, during;
static struct told {
	uint32_t mark;
	int64_t ms;
} told[4];
static size_t told_count;

static void blocked(uint32_t mark, int64_t ms, void *arg)
{
	(*(size_t *)arg)++;
	told[told_count - 1] = (struct told){ mark, ms };
}

static int open_watched(void **state)
{
	report = (struct ath_loop_report){ 0 };
	told_count = 0;
	if (open_loop(state) != 0)
		return -1;
	ath_loop_watch_itself(loop, &report, LIMIT, blocked, &told_count);
	return 0;
}

static void assert_told(size_t i, uint32_t mark, int64_t ms)
{
	assert_true(i < told_count);
	assert_int_equal(told[i].mark, mark);
	assert_int_equal(told[i].ms, ms);
}

/* ---- fibers --------------------------------------------------------------------------------- */

/* So many milliseconds without a wait. */
static void keep_the_loop(void *arg)
{
	virtual_now += *(int64_t *)arg;
	during = report;
}

static void keep_it_with_a_mark(void *arg)
{
	ath_fiber_set_mark(ath_fiber_current(), 7);
	keep_the_loop(arg);
}

static void test_who_keeps_the_loop_is_told(void **state)
{
	int64_t rows[] = { LIMIT - 1, LIMIT, 3 * LIMIT };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		int64_t now = virtual_now;

		start(keep_it_with_a_mark, &rows[i], ATH_NEVER);
		run_fibers();
		assert_int_equal(during.busy_since, now);
		assert_int_equal(during.mark, 7);
	}
	assert_int_equal(told_count, 2);
	assert_told(0, 7, LIMIT);
	assert_told(1, 7, 3 * LIMIT);
	assert_int_equal(report.mark, 0);
	assert_int_equal(report.busy_since, 0);
}

static void keep_the_limit(struct ath_timer *timer)
{
	(void)timer;
	virtual_now += LIMIT;
}

/* What one has used up is not the next one's, nor is what came before the first. */
static void test_each_has_its_own_time(void **state)
{
	int64_t rows[] = { LIMIT - 1, LIMIT - 1, LIMIT, LIMIT - 1 };
	struct ath_timer timer = { .fire = keep_the_limit };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		start(keep_it_with_a_mark, &rows[i], ATH_NEVER);
	ath_timer_start(loop, &timer, virtual_now);
	run_fibers();
	assert_int_equal(told_count, 1);
	assert_told(0, 7, LIMIT);
}

static void keep_it_twice(void *arg)
{
	int64_t most = LIMIT - 1;

	ath_fiber_set_mark(ath_fiber_current(), 9);
	keep_the_loop(&most);
	trace_status(ath_sleep(1));
	keep_the_loop(arg);
}

static void test_a_wait_begins_anew(void **state)
{
	int64_t most = LIMIT - 1;

	(void)state;
	start(keep_it_twice, &most, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "o");
	assert_int_equal(during.mark, 9); /* it has kept it over the wait */
	assert_int_equal(told_count, 0);
}

static void change_the_mark(void *arg)
{
	ath_fiber_set_mark(ath_fiber_current(), 3);
	virtual_now += *(int64_t *)arg;
	ath_fiber_set_mark(ath_fiber_current(), 4);
	virtual_now += *(int64_t *)arg + 1;
	ath_fiber_set_mark(ath_fiber_current(), 0);
	virtual_now += *(int64_t *)arg + 2;
	during = report;
}

static void test_a_mark_that_goes_is_told_before(void **state)
{
	int64_t most = LIMIT;

	(void)state;
	start(change_the_mark, &most, ATH_NEVER);
	run_fibers();
	assert_int_equal(told_count, 3);
	assert_told(0, 3, LIMIT);
	assert_told(1, 4, LIMIT + 1);
	assert_told(2, 0, LIMIT + 2);
	assert_int_equal(during.mark, 0);
}

/* A stack is used again, a mark is not. */
static void test_a_new_fiber_has_no_mark(void **state)
{
	int64_t most = LIMIT;

	(void)state;
	start(keep_it_with_a_mark, &most, ATH_NEVER);
	run_fibers();
	start(keep_the_loop, &most, ATH_NEVER);
	run_fibers();
	assert_int_equal(during.mark, 0);
	assert_told(1, 0, LIMIT);
}

/* Another fiber's mark is not what runs now. */
static void mark_the_other(void *arg)
{
	ath_fiber_set_mark(arg, 5);
	during = report;
}

static void test_the_mark_of_another(void **state)
{
	int64_t most = LIMIT;
	struct ath_fiber *other;

	(void)state;
	other = start(keep_the_loop, &most, ATH_NEVER);
	ath_fiber_set_mark(other, 6); /* outside any fiber */
	run_fibers();
	assert_int_equal(during.mark, 6);
	other = start(keep_it_twice, &most, ATH_NEVER);
	start(mark_the_other, other, ATH_NEVER);
	ath_loop_turn(loop, virtual_now);
	ath_loop_turn(loop, virtual_now); /* the first has filled one */
	assert_int_equal(during.mark, 0);
	run_fibers();
	assert_int_equal(during.mark, 5);
}

static void test_a_limit_of_zero_is_none(void **state)
{
	int64_t long_time = 1000 * LIMIT;

	(void)state;
	ath_loop_watch_itself(loop, &report, 0, NULL, NULL);
	start(keep_it_with_a_mark, &long_time, ATH_NEVER);
	run_fibers();
	assert_int_equal(during.mark, 7);
}

/* ---- turns ---------------------------------------------------------------------------------- */

static void keep_it_by_a_timer(struct ath_timer *timer)
{
	(void)timer;
	virtual_now += 20;
}

static void keep_it_at_the_end(struct ath_turn_end *end)
{
	(void)end;
	virtual_now += 300;
}

/* A turn is all that is done in it, the wait before it not. */
static void test_how_long_turns_take(void **state)
{
	struct ath_timer timer = { .fire = keep_it_by_a_timer };
	struct ath_turn_end end = { .run = keep_it_at_the_end };
	int64_t most = 4;

	(void)state;
	ath_timer_start(loop, &timer, virtual_now + 5000);
	ath_loop_turn(loop, ATH_NEVER); /* waits, and fires it */
	start(keep_the_loop, &most, ATH_NEVER);
	ath_loop_at_turn_end(loop, &end);
	ath_loop_turn(loop, ATH_NEVER);
	assert_int_equal(report.turns, 2);
	assert_int_equal(report.busy_us, (4 + 300) * 1000 + 20 * 1000);
	assert_int_equal(report.longest_us, 304 * 1000);
	report.longest_us = 0; /* as a reader may */
	ath_loop_turn(loop, virtual_now);
	assert_int_equal(report.longest_us, 0);
	assert_int_equal(told_count, 0); /* no fiber was to blame */
}

static void leave_f(void *arg)
{
	virtual_now += *(int64_t *)arg;
	leave_trace('f');
}

static void descriptor_says_d(struct ath_watch *watch, uint32_t events)
{
	(void)events;
	leave_trace('d');
	ath_watch_remove(loop, watch);
}

/* What arrives is looked at although there are fibers enough to go on with. */
static void test_fibers_do_not_fill_a_turn_for_ever(void **state)
{
	struct ath_watch watch = { .fd = eventfd(1, EFD_CLOEXEC),
				   .events = EPOLLIN,
				   .ready = descriptor_says_d };
	int64_t brief = 8;

	(void)state;
	for (int i = 0; i < 9; i++)
		start(leave_f, &brief, ATH_NEVER);
	ath_loop_turn(loop, virtual_now);
	assert_string_equal(trace, "fff");
	assert_int_equal(ath_watch_add(loop, &watch), ATH_OK);
	run_fibers();
	assert_string_equal(trace, "fffdffffff");
	close(watch.fd);
}

/* Where nobody watches the clock is not read, and they run to their end. */
static void test_unwatched_they_do(void **state)
{
	int64_t brief = 8;

	(void)state;
	ath_loop_watch_itself(loop, NULL, 0, NULL, NULL);
	for (int i = 0; i < 9; i++)
		start(leave_f, &brief, ATH_NEVER);
	ath_loop_turn(loop, virtual_now);
	assert_string_equal(trace, "fffffffff");
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, open_watched, close_loop)
	const struct CMUnitTest tests[] = {
		row(test_who_keeps_the_loop_is_told),
		row(test_each_has_its_own_time),
		row(test_a_wait_begins_anew),
		row(test_a_mark_that_goes_is_told_before),
		row(test_a_new_fiber_has_no_mark),
		row(test_the_mark_of_another),
		row(test_a_limit_of_zero_is_none),
		row(test_how_long_turns_take),
		row(test_fibers_do_not_fill_a_turn_for_ever),
		row(test_unwatched_they_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
