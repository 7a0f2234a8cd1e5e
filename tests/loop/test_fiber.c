/* test_fiber.c - the life of fibers: order, sleeping, deadlines, cancelling, stacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop_fixture.h"
#include "virtual_clock.h"

/* ---- order ------------------------------------------------------------------------------ */

static void say(void *arg)
{
	leave_trace(*(const char *)arg);
}

static void say_twice(void *arg)
{
	leave_trace(*(const char *)arg);
	trace_status(ath_sleep(0));
	leave_trace(*(const char *)arg);
}

static void test_fibers_run_in_the_order_they_were_started(void **state)
{
	(void)state;
	for (const char *letter = "abcdef"; *letter != '\0'; letter++)
		assert_non_null(start(say, (void *)letter, ATH_NEVER));
	assert_string_equal(trace, "");
	assert_int_equal(ath_loop_fibers(loop), 6);
	run_fibers();
	assert_string_equal(trace, "abcdef");
}

static void test_sleep_of_zero_lets_the_others_run(void **state)
{
	(void)state;
	start(say_twice, (void *)"a", ATH_NEVER);
	start(say_twice, (void *)"b", ATH_NEVER);
	start(say, (void *)"c", ATH_NEVER);
	run_fibers();
	assert_int_equal(strspn(trace, "abc"), 3);
	assert_memory_equal(trace, "abc", 3);
	assert_true(strcmp(trace, "abcoaob") == 0 || strcmp(trace, "abcoboa") == 0);
}

static void spawn_two(void *arg)
{
	leave_trace('p');
	trace_status(ath_spawn(say, (void *)"1"));
	trace_status(ath_spawn(say, (void *)"2"));
	leave_trace(ath_fiber_deadline() == ATH_NEVER ? 'n' : 'd');
	say(arg);
}

static void test_spawned_fibers_run_when_their_starter_waits(void **state)
{
	(void)state;
	start(spawn_two, (void *)"q", ath_now() + 5);
	start(say, (void *)"r", ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "poodqr12");
}

static void test_outside_there_is_no_fiber(void **state)
{
	(void)state;
	assert_int_equal(ath_spawn(say, (void *)"x"), ATH_EINVAL);
	assert_null(ath_fiber_current());
	assert_null(ath_loop_current());
	assert_true(ath_fiber_deadline() == ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "");
	assert_int_equal(ath_sleep(0), ATH_OK);
	assert_int_equal(ath_sleep(-1), ATH_OK);
}

static struct ath_fiber *self;
static struct ath_loop *my_loop;

static void note_self(void *arg)
{
	*(int64_t *)arg = ath_fiber_deadline();
	self = ath_fiber_current();
	my_loop = ath_loop_current();
}

static void test_inside_there_is(void **state)
{
	int64_t deadline = 0;
	struct ath_fiber *fiber = start(note_self, &deadline, ath_now() + 77);

	(void)state;
	run_fibers();
	assert_ptr_equal(self, fiber);
	assert_ptr_equal(my_loop, loop);
	assert_true(deadline == ath_now() + 77);
	assert_null(ath_fiber_current());
}

/* ---- sleeping --------------------------------------------------------------------------- */

struct sleeper {
	char letter;
	int64_t milliseconds;
};

static void sleep_and_say(void *arg)
{
	struct sleeper *sleeper = arg;
	int64_t started = ath_now();
	enum ath_status status = ath_sleep(sleeper->milliseconds);

	if (status != ATH_OK || ath_now() < started + sleeper->milliseconds)
		leave_trace('!');
	leave_trace(sleeper->letter);
}

static void test_sleepers_wake_in_the_order_of_their_ends(void **state)
{
	static struct sleeper sleepers[] = { { 'a', 30 }, { 'b', 10 }, { 'c', 20 },
					     { 'd', 0 },  { 'e', 5 },  { 'f', 86400000 } };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(sleepers); i++)
		start(sleep_and_say, &sleepers[i], ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "debcaf");
}

static void sleep_for(void *arg)
{
	trace_status(ath_sleep(*(int64_t *)arg));
}

static void test_deadline_ends_a_sleep(void **state)
{
	static const struct {
		int64_t sleep, deadline; /* from now */
		const char *trace;
	} rows[] = {
		{ 10, ATH_NEVER, "o" }, { 10, 11, "o" },  { 10, 10, "o" },        { 10, 9, "t" },
		{ 1000, 10, "t" },      { 0, 0, "o" },    { 0, -1, "t" },         { 5, -100, "t" },
		{ -10, 5, "o" },        { -10, -5, "t" }, { ATH_NEVER, 50, "t" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		int64_t began = ath_now(), milliseconds = rows[i].sleep;
		int64_t deadline = rows[i].deadline;

		clear_trace();
		start(sleep_for, &milliseconds,
		      deadline == ATH_NEVER ? ATH_NEVER : began + deadline);
		run_fibers();
		if (strcmp(trace, rows[i].trace) != 0)
			fail_msg("row %zu: %s", i, trace);
		assert_true(deadline == ATH_NEVER ||
			    ath_now() <= began + (deadline < 0 ? 0 : deadline));
	}
}

static void move_deadline(void *arg)
{
	(void)arg;
	ath_fiber_set_deadline(ath_fiber_current(), ath_now() + 5);
	trace_status(ath_sleep(10));
	ath_fiber_set_deadline(ath_fiber_current(), ATH_NEVER);
	trace_status(ath_sleep(10));
}

static void test_the_deadline_may_move(void **state)
{
	(void)state;
	start(move_deadline, NULL, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "to");
}

/* ---- cancelling ------------------------------------------------------------------------- */

static void sleep_twice(void *arg)
{
	(void)arg;
	trace_status(ath_sleep(1000));
	trace_status(ath_sleep(1000));
}

static void cancel(void *arg)
{
	leave_trace('x');
	ath_fiber_cancel(arg);
	ath_fiber_cancel(arg);
}

static void test_cancel_ends_this_wait_and_all_later_ones(void **state)
{
	int64_t before = ath_now();
	struct ath_fiber *victim = start(sleep_twice, NULL, ATH_NEVER);

	(void)state;
	start(cancel, victim, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "xcc");
	assert_true(ath_now() == before);
}

static void test_cancel_before_the_first_run(void **state)
{
	(void)state;
	ath_fiber_cancel(start(sleep_twice, NULL, ATH_NEVER));
	run_fibers();
	assert_string_equal(trace, "cc");
	clear_trace(); /* and the next fiber on that stack starts afresh */
	start(sleep_twice, NULL, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "oo");
}

static void cancel_self(void *arg)
{
	(void)arg;
	ath_fiber_cancel(ath_fiber_current());
	trace_status(ath_sleep(0));
}

static void test_a_fiber_may_cancel_itself(void **state)
{
	(void)state;
	start(cancel_self, NULL, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "c");
}

/* ---- waiters ---------------------------------------------------------------------------- */

static struct ath_waiter waiter;
static int64_t waiter_deadline;

static int open_waiter(void **state)
{
	waiter = (struct ath_waiter){ 0 };
	waiter_deadline = ATH_NEVER;
	return open_loop(state);
}

static void wait_for_waiter(void *arg)
{
	(void)arg;
	leave_trace('w');
	trace_status(ath_wait(ath_loop_current(), &waiter, waiter_deadline));
}

static void wake(void *arg)
{
	leave_trace('k');
	ath_wake(&waiter, *(const enum ath_status *)arg);
}

static enum ath_status ok = ATH_OK, io = ATH_EIO;

static void test_wake_hands_over_its_status(void **state)
{
	(void)state;
	start(wait_for_waiter, NULL, ATH_NEVER);
	start(wake, &io, ATH_NEVER);
	ath_loop_turn(loop, ath_now());
	assert_string_equal(trace, "wki"); /* in the same turn */
	assert_int_equal(ath_loop_fibers(loop), 0);
}

static void test_a_second_wake_does_nothing(void **state)
{
	(void)state;
	start(wait_for_waiter, NULL, ATH_NEVER);
	start(wake, &io, ATH_NEVER);
	start(wake, &ok, ATH_NEVER);
	start(wake, &ok, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "wkkki");
	ath_wake(&waiter, ATH_OK); /* nor after the wait */
	assert_int_equal(waiter.status, ATH_EIO);
	run_fibers();
	assert_string_equal(trace, "wkkki");
}

static void test_a_wake_before_the_wait_is_kept(void **state)
{
	(void)state;
	ath_wake(&waiter, ATH_EIO);
	start(wait_for_waiter, NULL, ath_now() - 1);
	run_fibers();
	assert_string_equal(trace, "wi");
}

static void test_cancel_after_the_wake_changes_nothing(void **state)
{
	struct ath_fiber *fiber = start(wait_for_waiter, NULL, ATH_NEVER);

	(void)state;
	start(wake, &ok, ATH_NEVER);
	start(cancel, fiber, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "wkxo");
}

static void test_the_earlier_deadline_counts(void **state)
{
	static const int64_t rows[][3] = { { 10, 20, 10 }, { 20, 10, 10 }, { ATH_NEVER, 5, 5 } };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		int64_t before = ath_now();

		clear_trace();
		waiter = (struct ath_waiter){ 0 };
		waiter_deadline = rows[i][0] == ATH_NEVER ? ATH_NEVER : before + rows[i][0];
		start(wait_for_waiter, NULL, before + rows[i][1]);
		run_fibers();
		assert_string_equal(trace, "wt");
		assert_true(ath_now() == before + rows[i][2]);
	}
}

static void sleep_then_wake(void *arg)
{
	trace_status(ath_sleep(100));
	wake(arg);
}

static struct ath_waiter second;

static void wait_twice(void *arg)
{
	waiter_deadline = ath_now() + 10;
	wait_for_waiter(arg);
	trace_status(ath_wait(ath_loop_current(), &second, ATH_NEVER));
}

static void wake_second_later(void *arg)
{
	trace_status(ath_sleep(100));
	ath_wake(&second, *(const enum ath_status *)arg);
}

static void test_a_wait_that_was_woken_leaves_no_deadline_behind(void **state)
{
	(void)state;
	second = (struct ath_waiter){ 0 };
	start(wait_twice, NULL, ATH_NEVER);
	start(wake, &ok, ATH_NEVER);
	start(wake_second_later, &io, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "wkooi");
}

static void test_a_wait_to_the_finish_ends_by_its_waker_only(void **state)
{
	struct ath_fiber *fiber = start(wait_for_waiter, NULL, ath_now() + 10);

	(void)state;
	waiter.finish = true;
	start(cancel, fiber, ATH_NEVER);
	start(sleep_then_wake, &ok, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "wxoko");
}

static void test_a_cancelled_fiber_may_still_wait_to_the_finish(void **state)
{
	(void)state;
	waiter.finish = true;
	ath_fiber_cancel(start(wait_for_waiter, NULL, ath_now() - 10));
	start(sleep_then_wake, &io, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "woki");
}

static void test_a_wait_to_the_finish_keeps_its_own_deadline(void **state)
{
	(void)state;
	waiter.finish = true;
	waiter_deadline = ath_now() + 10;
	start(wait_for_waiter, NULL, ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "wt");
}

/* ---- stacks ----------------------------------------------------------------------------- */

static size_t ended;

static void sleep_and_count(void *arg)
{
	(void)arg;
	if (ath_sleep(10) == ATH_OK)
		ended++;
}

static size_t mapped_pages(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%zu", &pages), 1);
	fclose(file);
	return pages;
}

static void test_two_thousand_at_once_and_again(void **state)
{
	const size_t many = 2000, stack = 256 * 1024 / (size_t)sysconf(_SC_PAGESIZE);

	(void)state;
	for (int round = 0; round < 3; round++) {
		size_t most;

		ended = 0;
		for (size_t i = 0; i < many; i++)
			assert_non_null(start(sleep_and_count, NULL, ATH_NEVER));
		ath_loop_turn(loop, ath_now());
		assert_int_equal(ath_loop_fibers(loop), many);
		most = mapped_pages();
		run_fibers();
		assert_int_equal(ended, many);
		assert_true(mapped_pages() + (many - 300) * stack < most); /* few are kept */
	}
}

static void count_deep(void *arg)
{
	(void)arg;
	ended++;
}

static void test_a_stack_is_used_again(void **state)
{
	struct ath_fiber *first = start(count_deep, NULL, ATH_NEVER);

	(void)state;
	run_fibers();
	for (int i = 0; i < 1000; i++) {
		assert_ptr_equal(start(count_deep, NULL, ATH_NEVER), first);
		run_fibers();
	}
}

static void use_stack(void *arg)
{
	volatile unsigned char bytes[200 * 1024];
	size_t sum = 0;

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i % 251);
	trace_status(ath_sleep(1));
	for (size_t i = 0; i < sizeof bytes; i++)
		sum += bytes[i] == i % 251;
	*(size_t *)arg += sum;
}

static void test_200_kibibytes_of_stack(void **state)
{
	size_t sums[2] = { 0 };

	(void)state;
	start(use_stack, &sums[0], ATH_NEVER);
	start(use_stack, &sums[1], ATH_NEVER);
	run_fibers();
	assert_string_equal(trace, "oo");
	assert_int_equal(sums[0], 200 * 1024);
	assert_int_equal(sums[1], 200 * 1024);
}

static int dig(int depth)
{
	volatile char bytes[512];

	bytes[0] = (char)depth;
	return depth == 0 ? 0 : dig(depth - 1) + bytes[0];
}

static void dig_for_ever(void *arg)
{
	*(volatile int *)arg = dig(1 << 20);
}

/* In a child: whatever it says on its way out is not wanted. */
static void child_overflows(void)
{
	struct rlimit no_core = { 0, 0 };
	int result = 0;

	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGSEGV, SIG_DFL);
	close(2);
	start(dig_for_ever, &result, ATH_NEVER);
	run_fibers();
	_exit(0);
}

/* Looks its own stack up: what lies below it, without a gap, must not be accessible. */
static void look_below_the_stack(void *arg)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	uintptr_t here = (uintptr_t)__builtin_frame_address(0), first, last, below_last = 0;
	char line[512], access[5], below[5] = "";

	(void)arg;
	while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &first, &last, access) != 3)
			continue;
		if (first <= here && here < last && below_last == first)
			leave_trace(strcmp(below, "---p") == 0 ? 'g' : '!');
		below_last = last;
		memcpy(below, access, sizeof below);
	}
	if (maps != NULL)
		fclose(maps);
}

static void test_a_guard_lies_below_the_stack(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		start(say_twice, (void *)"s", ATH_NEVER); /* neighbours */
	start(look_below_the_stack, NULL, ATH_NEVER);
	run_fibers();
	assert_non_null(strchr(trace, 'g'));
}

static void test_an_overflow_kills_the_process(void **state)
{
	pid_t child = fork();
	int status = 0;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		child_overflows();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, open_waiter, close_loop)
	const struct CMUnitTest tests[] = {
		row(test_fibers_run_in_the_order_they_were_started),
		row(test_sleep_of_zero_lets_the_others_run),
		row(test_spawned_fibers_run_when_their_starter_waits),
		row(test_outside_there_is_no_fiber),
		row(test_inside_there_is),
		row(test_sleepers_wake_in_the_order_of_their_ends),
		row(test_deadline_ends_a_sleep),
		row(test_the_deadline_may_move),
		row(test_cancel_ends_this_wait_and_all_later_ones),
		row(test_cancel_before_the_first_run),
		row(test_a_fiber_may_cancel_itself),
		row(test_wake_hands_over_its_status),
		row(test_a_second_wake_does_nothing),
		row(test_a_wake_before_the_wait_is_kept),
		row(test_cancel_after_the_wake_changes_nothing),
		row(test_the_earlier_deadline_counts),
		row(test_a_wait_that_was_woken_leaves_no_deadline_behind),
		row(test_a_wait_to_the_finish_ends_by_its_waker_only),
		row(test_a_cancelled_fiber_may_still_wait_to_the_finish),
		row(test_a_wait_to_the_finish_keeps_its_own_deadline),
		row(test_two_thousand_at_once_and_again),
		row(test_a_stack_is_used_again),
		row(test_200_kibibytes_of_stack),
		row(test_a_guard_lies_below_the_stack),
		row(test_an_overflow_kills_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
