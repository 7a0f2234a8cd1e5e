/* test_overload.c - how long there is to wait, and when it makes no sense: by numbers alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/overload.h"

enum { START = 1000000, FAR = 1000 * 1000, PLACE_MS = 10 };

static struct ath_overload overload;

static int set_up(void **state)
{
	(void)state;
	overload = (struct ath_overload){ 0 };
	return 0;
}

/* A place every PLACE_MS, with a queue that stays; returns the time then. */
static int64_t serve_a_queue(size_t queued, int64_t milliseconds)
{
	int64_t now = START;

	ath_overload_queued(&overload, now);
	for (; now < START + milliseconds; now += PLACE_MS)
		ath_overload_placed(&overload, queued, now + PLACE_MS);
	return now;
}

static bool is_hopeless(size_t queued, size_t in_flight, int64_t now, int64_t left)
{
	return ath_overload_is_hopeless(&overload, queued, in_flight, now, now + left);
}

static void test_a_burst_waits(void **state)
{
	int64_t now = serve_a_queue(1000, ATH_STANDING_MS - PLACE_MS);

	(void)state;
	assert_false(is_hopeless(1000, 1, now, FAR));
	assert_false(is_hopeless(1000, 1, now, 0));
}

static void test_the_wait_is_learnt(void **state)
{
	(void)state;
	serve_a_queue(1000, 4 * ATH_STANDING_MS);
	assert_in_range(ath_overload_wait(&overload, 0), PLACE_MS - 1, PLACE_MS);
	assert_in_range(ath_overload_wait(&overload, 99), 99 * PLACE_MS, 100 * PLACE_MS);
}

static void test_a_queue_that_stands_is_kept_short(void **state)
{
	int64_t now = serve_a_queue(1000, 4 * ATH_STANDING_MS);

	(void)state;
	assert_false(is_hopeless(ATH_STANDING_MS / PLACE_MS - 1, 1, now, FAR));
	assert_true(is_hopeless(ATH_STANDING_MS / PLACE_MS + 5, 1, now, FAR));
	/* where serving takes long itself, longer: 100 places of 10 ms are held a second each */
	assert_false(is_hopeless(4 * 1000 / PLACE_MS - 10, 100, now, FAR));
	assert_true(is_hopeless(4 * 1000 / PLACE_MS + 40, 100, now, FAR));
}

/* The request has to be served as well. */
static void test_a_deadline_counts(void **state)
{
	int64_t now = serve_a_queue(1000, 4 * ATH_STANDING_MS);

	(void)state;
	assert_false(is_hopeless(10, 10, now, 21 * PLACE_MS + 5));
	assert_true(is_hopeless(10, 10, now, 19 * PLACE_MS));
}

static void test_an_empty_queue_begins_anew(void **state)
{
	int64_t now = serve_a_queue(1000, 4 * ATH_STANDING_MS);

	(void)state;
	assert_true(is_hopeless(1000, 1, now, FAR));
	ath_overload_placed(&overload, 0, now + PLACE_MS);
	now += 10 * ATH_STANDING_MS;
	assert_false(is_hopeless(1000, 1, now, FAR));
	ath_overload_queued(&overload, now);
	assert_false(is_hopeless(1000, 1, now + ATH_STANDING_MS - 1, FAR));
	assert_true(is_hopeless(1000, 1, now + ATH_STANDING_MS, FAR));
	/* the time without a queue says nothing of the places */
	ath_overload_placed(&overload, 1, now + PLACE_MS);
	assert_in_range(ath_overload_wait(&overload, 0), PLACE_MS - 1, PLACE_MS);
}

/* ---- fibers --------------------------------------------------------------------------------- */

static void test_late_fibers(void **state)
{
	int64_t now = START;

	(void)state;
	/* one that is late by itself, or many for a while */
	assert_false(ath_overload_is_late(&overload, now - 10000, now));
	for (; now < START + ATH_STANDING_MS; now += 10)
		assert_false(ath_overload_is_late(&overload, now - 10000, now));
	assert_true(ath_overload_is_late(&overload, now - ATH_STANDING_MS, now));
	/* those that have come meanwhile are served */
	assert_false(ath_overload_is_late(&overload, now - ATH_STANDING_MS + 1, now));
	assert_true(ath_overload_is_late(&overload, now - ATH_STANDING_MS, now));
	/* until one begins at once */
	assert_false(ath_overload_is_late(&overload, now - 1, now));
	assert_false(ath_overload_is_late(&overload, now - 10000, now));
}

int main(void)
{
#define row(test) cmocka_unit_test_setup(test, set_up)
	const struct CMUnitTest tests[] = {
		row(test_a_burst_waits),
		row(test_the_wait_is_learnt),
		row(test_a_queue_that_stands_is_kept_short),
		row(test_a_deadline_counts),
		row(test_an_empty_queue_begins_anew),
		row(test_late_fibers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
