/* test_loop.c - the turn: its order, timers, the work for its end, signals, waiting outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop_fixture.h"
#include "virtual_clock.h"

static void test_close_takes_null(void **state)
{
	struct ath_loop *none = NULL;

	(void)state;
	ath_loop_close(NULL);
	ath_loop_close(&none);
}

static void test_the_log_is_copied(void **state)
{
	struct ath_log log = { .fd = 77, .level = ATH_LOG_DEBUG };
	struct ath_loop *other;

	(void)state;
	assert_int_equal(ath_loop_log(loop)->fd, 2);
	assert_int_equal(ath_loop_open(&other, &log), ATH_OK);
	log.fd = 0;
	assert_int_equal(ath_loop_log(other)->fd, 77);
	assert_int_equal(ath_loop_log(other)->level, ATH_LOG_DEBUG);
	ath_loop_close(&other);
	assert_null(other);
}

/* ---- the order of a turn ------------------------------------------------------------------ */

static struct ath_waiter waiter;
static struct ath_turn_end turn_end;

static void say_e(struct ath_turn_end *end)
{
	(void)end;
	leave_trace('e');
}

static void wait_and_say_f(void *arg)
{
	(void)arg;
	trace_status(ath_wait(ath_loop_current(), &waiter, ATH_NEVER));
	leave_trace('f');
}

static void descriptor_says_d(struct ath_watch *watch, uint32_t events)
{
	(void)events;
	leave_trace('d');
	ath_watch_remove(loop, watch);
	ath_wake(&waiter, ATH_OK);
	ath_loop_at_turn_end(loop, &turn_end);
}

static void timer_says_t(struct ath_timer *timer)
{
	(void)timer;
	leave_trace('t');
}

static void test_the_order_of_a_turn(void **state)
{
	struct ath_watch watch = { .fd = eventfd(1, EFD_CLOEXEC),
				   .events = EPOLLIN,
				   .ready = descriptor_says_d };
	struct ath_timer timer = { .fire = timer_says_t };

	(void)state;
	waiter = (struct ath_waiter){ 0 };
	turn_end = (struct ath_turn_end){ .run = say_e };
	start(wait_and_say_f, NULL, ATH_NEVER);
	ath_loop_turn(loop, ath_now());
	assert_string_equal(trace, "");
	ath_timer_start(loop, &timer, ath_now());
	assert_int_equal(ath_watch_add(loop, &watch), ATH_OK);
	ath_loop_turn(loop, ath_now());
	assert_string_equal(trace, "dtofe");
	close(watch.fd);
}

static void stop_at_three(struct ath_timer *timer)
{
	leave_trace('t');
	if (traced == 3)
		ath_loop_stop(loop);
	else
		ath_timer_start(loop, timer, ath_now() + 10);
}

static void test_run_until_stopped(void **state)
{
	struct ath_timer timer = { .fire = stop_at_three };

	(void)state;
	for (int round = 0; round < 2; round++) {
		int64_t before = ath_now();

		clear_trace();
		ath_timer_start(loop, &timer, before + 10);
		ath_loop_run(loop);
		assert_string_equal(trace, "ttt");
		assert_true(ath_now() == before + 30);
	}
}

/* ---- timers ------------------------------------------------------------------------------- */

struct lettered {
	struct ath_timer timer;
	char letter;
	struct ath_timer *stops;
};

static void say_letter(struct ath_timer *timer)
{
	struct lettered *lettered = container_of(timer, struct lettered, timer);

	leave_trace(timer->link == NULL ? lettered->letter : '!');
	if (lettered->stops != NULL)
		ath_timer_stop(loop, lettered->stops);
}

static void test_timers_fire_once_in_order(void **state)
{
	static const int64_t at[] = { 50, 10, 40, 20, 30 };
	struct lettered timers[5] = { 0 };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		timers[i] = (struct lettered){ { .fire = say_letter }, (char)('a' + i), NULL };
		ath_timer_start(loop, &timers[i].timer, ath_now() + at[i]);
	}
	for (int i = 0; i < 10; i++)
		ath_loop_turn(loop, ath_now() + 10);
	assert_string_equal(trace, "bdeca");
}

static void test_a_timer_may_be_moved_and_stopped(void **state)
{
	struct lettered a = { { .fire = say_letter }, 'a', NULL }, b = a, c = a;
	int64_t now = ath_now();

	(void)state;
	b.letter = 'b';
	c.letter = 'c';
	ath_timer_stop(loop, &a.timer); /* idle */
	ath_timer_start(loop, &a.timer, now + 10);
	ath_timer_start(loop, &b.timer, now + 20);
	ath_timer_start(loop, &c.timer, now + 15);
	ath_timer_start(loop, &a.timer, now + 30); /* later */
	ath_timer_start(loop, &b.timer, now + 5);  /* earlier */
	ath_timer_stop(loop, &c.timer);
	ath_timer_stop(loop, &c.timer);
	for (int i = 0; i < 10; i++)
		ath_loop_turn(loop, ath_now() + 10);
	assert_string_equal(trace, "ba");
}

static void test_a_timer_stopped_by_an_earlier_one_never_fires(void **state)
{
	struct lettered victim = { { .fire = say_letter }, 'v', NULL };
	struct lettered first = { { .fire = say_letter }, 'f', &victim.timer };

	(void)state;
	ath_timer_start(loop, &victim.timer, ath_now() - 1);
	ath_timer_start(loop, &first.timer, ath_now() - 2);
	ath_loop_turn(loop, ath_now());
	ath_loop_turn(loop, ath_now());
	assert_string_equal(trace, "f");
}

/* ---- the end of the turn ------------------------------------------------------------------ */

static struct ath_turn_end ends[3];
static int end_runs[3];

static void count_end(struct ath_turn_end *end)
{
	end_runs[end - ends]++;
}

static void forget_the_others(struct ath_turn_end *end)
{
	count_end(end);
	for (int i = 0; i < 3; i++)
		ath_loop_forget_turn_end(loop, &ends[i]);
}

static int open_ends(void **state)
{
	for (int i = 0; i < 3; i++) {
		ends[i] = (struct ath_turn_end){ .run = count_end };
		end_runs[i] = 0;
	}
	return open_loop(state);
}

static void ask_thrice(void *arg)
{
	(void)arg;
	for (int i = 0; i < 9; i++)
		ath_loop_at_turn_end(ath_loop_current(), &ends[i % 3]);
	leave_trace((char)('0' + end_runs[0]));
}

static void test_an_end_runs_once_a_turn(void **state)
{
	(void)state;
	for (int turn = 1; turn <= 3; turn++) {
		start(ask_thrice, NULL, ATH_NEVER);
		start(ask_thrice, NULL, ATH_NEVER);
		ath_loop_turn(loop, ath_now());
		ath_loop_turn(loop, ath_now());
		for (int i = 0; i < 3; i++)
			assert_int_equal(end_runs[i], turn);
	}
	assert_string_equal(trace, "001122");
}

static void test_an_end_may_be_forgotten(void **state)
{
	(void)state;
	for (int forgotten = 0; forgotten < 3; forgotten++) {
		for (int i = 0; i < 3; i++)
			ath_loop_at_turn_end(loop, &ends[i]);
		ath_loop_forget_turn_end(loop, &ends[forgotten]);
		ath_loop_forget_turn_end(loop, &ends[forgotten]);
		memset(end_runs, 0, sizeof end_runs);
		ath_loop_turn(loop, ATH_NEVER); /* does not wait: there is work left */
		for (int i = 0; i < 3; i++)
			assert_int_equal(end_runs[i], i != forgotten);
		ath_loop_at_turn_end(loop, &ends[forgotten]); /* and asked for again */
		ath_loop_turn(loop, ATH_NEVER);
		assert_int_equal(end_runs[forgotten], 1);
	}
}

static void test_an_end_may_forget_the_others(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		ends[i].run = forget_the_others;
		ath_loop_at_turn_end(loop, &ends[i]);
	}
	ath_loop_turn(loop, ath_now());
	assert_int_equal(end_runs[0] + end_runs[1] + end_runs[2], 1);
}

/* ---- waiting outside a fiber ---------------------------------------------------------------- */

static void wake_from_timer(struct ath_timer *timer)
{
	(void)timer;
	leave_trace('k');
	ath_wake(&waiter, ATH_EIO);
}

static void sleep_and_say_s(void *arg)
{
	(void)arg;
	trace_status(ath_sleep(10));
	leave_trace('s');
}

static void test_waiting_outside_turns_the_loop(void **state)
{
	struct ath_timer timer = { .fire = wake_from_timer };

	(void)state;
	waiter = (struct ath_waiter){ 0 };
	start(sleep_and_say_s, NULL, ATH_NEVER);
	ath_timer_start(loop, &timer, ath_now() + 20);
	assert_int_equal(ath_wait(loop, &waiter, ATH_NEVER), ATH_EIO);
	assert_string_equal(trace, "osk");
	assert_int_equal(ath_wait(loop, &waiter, ATH_NEVER), ATH_EIO); /* over already */
}

static void test_waiting_outside_ends_at_the_deadline(void **state)
{
	int64_t before = ath_now();

	(void)state;
	waiter = (struct ath_waiter){ 0 };
	assert_int_equal(ath_wait(loop, &waiter, before + 15), ATH_ETIMEDOUT);
	assert_true(ath_now() == before + 15);
	assert_int_equal(ath_wait(loop, &waiter, before), ATH_ETIMEDOUT);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void caught(int number, void *arg)
{
	leave_trace(number == SIGUSR1 ? '1' : number == SIGUSR2 ? '2' : '?');
	leave_trace(*(const char *)arg);
}

static void test_signals_arrive_in_the_loop(void **state)
{
	static char letter = 'x';
	sigset_t set, before;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, NULL, &before);
	assert_int_equal(ath_loop_signals(loop, &set, caught, &letter), ATH_OK);
	ath_loop_turn(loop, ath_now());
	assert_string_equal(trace, "");
	assert_int_equal(raise(SIGUSR1), 0);
	assert_string_equal(trace, ""); /* not before the turn */
	ath_loop_turn(loop, ATH_NEVER);
	assert_string_equal(trace, "1x");
	raise(SIGUSR1);
	raise(SIGUSR2);
	ath_loop_turn(loop, ATH_NEVER);
	ath_loop_turn(loop, ath_now());
	assert_string_equal(trace, "1x1x2x");
	ath_loop_close(&loop);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, open_ends, close_loop)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_takes_null),
		row(test_the_log_is_copied),
		row(test_the_order_of_a_turn),
		row(test_run_until_stopped),
		row(test_timers_fire_once_in_order),
		row(test_a_timer_may_be_moved_and_stopped),
		row(test_a_timer_stopped_by_an_earlier_one_never_fires),
		row(test_an_end_runs_once_a_turn),
		row(test_an_end_may_be_forgotten),
		row(test_an_end_may_forget_the_others),
		row(test_waiting_outside_turns_the_loop),
		row(test_waiting_outside_ends_at_the_deadline),
		row(test_signals_arrive_in_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
