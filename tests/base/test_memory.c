/*
 * test_memory.c - every allocation of the arena and of the buffer fails once. Both are
 * compiled into this program with an allocator that can be told to fail, so that the
 * sanitizers and valgrind still see what is leaked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long until_failure = -1; /* allocations that still succeed; negative: all */

static bool fails(void)
{
	return until_failure >= 0 && until_failure-- == 0;
}

static void *failing_malloc(size_t size)
{
	return fails() ? NULL : malloc(size);
}

static void *failing_calloc(size_t count, size_t size)
{
	return fails() ? NULL : calloc(count, size);
}

static void *failing_realloc(void *old, size_t size)
{
	return fails() ? NULL : realloc(old, size);
}

#define malloc  failing_malloc
#define calloc  failing_calloc
#define realloc failing_realloc
#include "base/arena.c"
#include "base/buffer.c"
#undef malloc
#undef calloc
#undef realloc

static int cleanups;

static void count_cleanup(void *arg)
{
	(void)arg;
	cleanups++;
}

/* One use of all of the arena; how many cleanups it took on. Fails only as a whole. */
static bool use_arena(struct ath_arena *arena, int *deferred)
{
	struct ath_buffer buffer;
	char *first, *text, *grown;

	ath_buffer_init(&buffer, arena, 100000);
	*deferred = ath_arena_defer(arena, count_cleanup, NULL);
	first = ath_arena_copy(arena, "first", 5);
	text = ath_arena_printf(arena, "%020000d", 1);
	grown = ath_arena_grow(arena, first, first == NULL ? 0 : 6, 50000);
	for (int i = 0; i < 1000; i++)
		ath_buffer_printf(&buffer, "%d,", i);
	*deferred += ath_arena_defer(arena, count_cleanup, NULL);
	if (grown != NULL && first != NULL)
		assert_string_equal(grown, "first");
	if (!buffer.failed)
		assert_int_equal(strlen(ath_buffer_c_string(&buffer)), 3890);
	else
		assert_string_equal(ath_buffer_c_string(&buffer), "");
	return *deferred == 2 && first != NULL && text != NULL && grown != NULL && !buffer.failed;
}

static void test_arena(void **state)
{
	bool whole = false;

	(void)state;
	for (long nth = 0; !whole; nth++) {
		struct ath_arena *arena = (struct ath_arena *)&whole;
		int deferred = 0;

		cleanups = 0;
		until_failure = nth;
		if (ath_arena_open(&arena, 0) != ATH_OK) {
			assert_in_range(nth, 0, 1); /* itself, and its reserve */
			assert_null(arena);
			continue;
		}
		whole = use_arena(arena, &deferred);
		assert_int_equal(ath_arena_failed(arena), !whole);
		assert_int_equal(until_failure == -1, !whole);
		until_failure = -1;
		ath_arena_reset(arena);
		assert_int_equal(cleanups, deferred);
		assert_true(use_arena(arena, &deferred)); /* as good as new */
		ath_arena_close(&arena);
		assert_null(arena);
	}
}

#ifndef ATH_ARENA_MALLOC
/* Takes size bytes in pieces, after a reset; is there enough without a malloc? */
static bool has_kept(struct ath_arena *arena, size_t size)
{
	bool kept = true;

	ath_arena_reset(arena);
	until_failure = 0;
	for (size_t taken = 0; kept && taken < size; taken += 1024)
		kept = ath_arena_alloc(arena, 1024) != NULL;
	until_failure = -1;
	return kept;
}

/* What one use took is there for the next, but not more than so much, and not for ever. */
static void test_reset_keeps_what_was_used(void **state)
{
	struct ath_arena *arena;

	(void)state;
	assert_int_equal(ath_arena_open(&arena, 0), ATH_OK);
	for (int i = 0; i < 90; i++)
		assert_non_null(ath_arena_alloc(arena, 1024));
	assert_true(has_kept(arena, 90 * 1024));
	for (int i = 0; i < 500; i++)
		assert_non_null(ath_arena_alloc(arena, 1024));
	assert_false(has_kept(arena, MOST_KEPT + 1024));
	assert_true(has_kept(arena, 1024)); /* of which the first block is enough */
	assert_false(has_kept(arena, 20 * 1024));
	ath_arena_close(&arena);
}
#endif

/* When the system has no memory at all: what has to be had comes from the reserve. */
static void test_beyond(void **state)
{
	struct ath_arena *arena;
	char *first, *second;

	(void)state;
	assert_int_equal(ath_arena_open(&arena, 0), ATH_OK);
	until_failure = 0;
	first = ath_arena_beyond(arena, 700);
	until_failure = 0;
	second = ath_arena_beyond(arena, ATH_BEYOND);
	assert_non_null(first);
	assert_non_null(second);
	assert_true(second >= first + 700 || first >= second + ATH_BEYOND);
	memset(second, 'x', ATH_BEYOND);
	until_failure = 0;
	second = ath_arena_beyond(arena, ATH_BEYOND); /* once more: the same place, zeroed */
	assert_non_null(second);
	assert_int_equal(second[ATH_BEYOND - 1], 0);
	assert_true(ath_arena_failed(arena));
	until_failure = -1;
	ath_arena_close(&arena);
}

static void test_buffer(void **state)
{
	bool whole = false;

	(void)state;
	for (long nth = 0; !whole; nth++) {
		struct ath_buffer buffer;

		ath_buffer_init(&buffer, NULL, 100000);
		until_failure = nth;
		for (int i = 0; i < 10000; i++)
			ath_buffer_int64(&buffer, i);
		whole = !buffer.failed;
		assert_string_equal(whole ? "" : ath_buffer_c_string(&buffer), "");
		assert_true(!whole || buffer.length == 38890);
		until_failure = -1;
		ath_buffer_free(&buffer);
		ath_buffer_string(&buffer, "as good as new");
		assert_string_equal(ath_buffer_c_string(&buffer), "as good as new");
		ath_buffer_free(&buffer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena),
#ifndef ATH_ARENA_MALLOC
		cmocka_unit_test(test_reset_keeps_what_was_used),
#endif
		cmocka_unit_test(test_beyond),
		cmocka_unit_test(test_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
