/* test_timer.c - the heap of timers against a plain array, and its links after every step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "../base/random.h"
#include "loop/internal.h"

enum { TIMERS = 500, STEPS = 10000 };

static struct ath_timer timers[TIMERS];
static struct ath_timer *root;

static int setup(void **state)
{
	(void)state;
	root = NULL;
	for (size_t i = 0; i < TIMERS; i++)
		timers[i] = (struct ath_timer){ .at = 0 };
	return 0;
}

/* Counts the list that hangs at *link; no timer is due before least. */
static size_t check_list(struct ath_timer **link, int64_t least)
{
	size_t count = 0;

	for (; *link != NULL; link = &(*link)->sibling) {
		assert_ptr_equal((*link)->link, link);
		assert_true((*link)->at >= least);
		count += 1 + check_list(&(*link)->child, (*link)->at);
	}
	return count;
}

static void check_heap(void)
{
	size_t running = 0;
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < TIMERS; i++) {
		if (timers[i].link == NULL)
			continue;
		running++;
		least = timers[i].at < least ? timers[i].at : least;
	}
	assert_int_equal(check_list(&root, INT64_MIN), running);
	assert_int_equal(root == NULL, running == 0);
	if (root != NULL) {
		assert_null(root->sibling);
		assert_int_equal(root->at, least);
	}
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Takes the first until none is left: they must come sorted. */
static void drain(void)
{
	int64_t expected[TIMERS];
	size_t count = 0;

	for (size_t i = 0; i < TIMERS; i++)
		if (timers[i].link != NULL)
			expected[count++] = timers[i].at;
	qsort(expected, count, sizeof expected[0], compare);
	for (size_t i = 0; i < count; i++) {
		struct ath_timer *first = root;

		assert_int_equal(first->at, expected[i]);
		ath_timer_heap_remove(&root, first);
		assert_null(first->link);
		assert_null(first->child);
		assert_null(first->sibling);
	}
	assert_null(root);
}

static void random_steps(uint64_t range)
{
	for (int step = 0; step < STEPS; step++) {
		struct ath_timer *timer = &timers[next_random() % TIMERS];

		if (timer->link != NULL) {
			ath_timer_heap_remove(&root, next_random() % 4 == 0 ? root : timer);
		} else {
			timer->at = (int64_t)(next_random() % range);
			ath_timer_heap_insert(&root, timer);
		}
		if (step % 50 == 0)
			check_heap();
	}
	check_heap();
	drain();
}

static void test_random_starts_and_stops(void **state)
{
	static const uint64_t ranges[] = { 1, 10, 1000, INT64_MAX };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(ranges); i++)
		random_steps(ranges[i]);
}

static void test_ascending_and_descending(void **state)
{
	(void)state;
	for (int down = 0; down < 2; down++) {
		for (int i = 0; i < TIMERS; i++) {
			timers[i].at = down ? -i : i;
			ath_timer_heap_insert(&root, &timers[i]);
		}
		check_heap();
		drain();
	}
}

/* Every timer of a small heap is removed once, in every shape that a few pops leave. */
static void test_remove_each(void **state)
{
	(void)state;
	for (size_t pops = 0; pops < 20; pops++) {
		for (size_t victim = 0; victim < 20; victim++) {
			setup(NULL);
			for (size_t i = 0; i < 20; i++) {
				timers[i].at = (int64_t)(i * 7 % 20);
				ath_timer_heap_insert(&root, &timers[i]);
			}
			for (size_t i = 0; i < pops; i++)
				ath_timer_heap_remove(&root, root);
			if (timers[victim].link != NULL)
				ath_timer_heap_remove(&root, &timers[victim]);
			check_heap();
			drain();
		}
	}
}

static void test_the_ends_of_time(void **state)
{
	static const int64_t at[] = { INT64_MAX, INT64_MIN, 0, INT64_MAX, INT64_MIN, -1, 1 };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(at); i++) {
		timers[i].at = at[i];
		ath_timer_heap_insert(&root, &timers[i]);
		check_heap();
	}
	drain();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_random_starts_and_stops, setup),
		cmocka_unit_test_setup(test_ascending_and_descending, setup),
		cmocka_unit_test_setup(test_remove_each, setup),
		cmocka_unit_test_setup(test_the_ends_of_time, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
