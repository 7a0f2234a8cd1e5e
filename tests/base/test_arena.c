/*
 * test_arena.c - memory of one request: alignment, the ceiling, growth, cleanups. With
 * ATH_ARENA_MALLOC nothing grows in place, and the rows that ask for it are left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/internal.h"
#include "random.h"

static int open_arena(void **state)
{
	return (int)ath_arena_open((struct ath_arena **)state, 0);
}

static int close_arena(void **state)
{
	ath_arena_close((struct ath_arena **)state);
	return *state != NULL;
}

static void test_close_takes_null(void **state)
{
	struct ath_arena *none = NULL;

	(void)state;
	ath_arena_close(NULL);
	ath_arena_close(&none);
}

static void test_every_piece_is_aligned_and_apart(void **state)
{
	struct ath_arena *arena = *state;
	unsigned char *pieces[2000];
	size_t sizes[2000];

	for (size_t i = 0; i < ATH_COUNT(pieces); i++) {
		sizes[i] = i % 100 == 99 ? 20000 : next_random() % 200;
		pieces[i] = ath_arena_alloc(arena, sizes[i]);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		memset(pieces[i], (int)(i & 0xff), sizes[i]);
	}
	for (size_t i = 0; i < ATH_COUNT(pieces); i++)
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(pieces[i][j], i & 0xff);
}

static void test_used_counts_and_reset_empties(void **state)
{
	struct ath_arena *arena = *state;

	assert_int_equal(ath_arena_used(arena), 0);
	assert_non_null(ath_arena_alloc(arena, 100));
	assert_in_range(ath_arena_used(arena), 100, 100 + _Alignof(max_align_t));
	ath_arena_reset(arena);
	assert_int_equal(ath_arena_used(arena), 0);
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 100; i++) {
			char *piece = ath_arena_alloc(arena, 1000);

			assert_non_null(piece);
			memset(piece, round, 1000);
		}
		ath_arena_reset(arena);
		ath_arena_reset(arena);
	}
}

static void test_failure_sticks_until_the_reset(void **state)
{
	struct ath_arena *arena = *state;

	ath_arena_close(&arena);
	assert_int_equal(ath_arena_open(&arena, 1000), ATH_OK);
	*state = arena;
	assert_null(ath_arena_alloc(arena, 1001));
	assert_true(ath_arena_failed(arena));
	assert_non_null(ath_arena_alloc(arena, 10)); /* which changes nothing: */
	assert_true(ath_arena_failed(arena));
	ath_arena_reset(arena);
	assert_false(ath_arena_failed(arena));
	assert_non_null(ath_arena_alloc(arena, 1000));
	assert_int_equal(ath_arena_used(arena), 1000);
	assert_null(ath_arena_alloc(arena, 1));
	assert_int_equal(ath_arena_used(arena), 1000);
}

static void test_the_ceiling_holds_for_many_small_pieces(void **state)
{
	struct ath_arena *arena = *state;
	size_t got = 0;

	ath_arena_close(&arena);
	assert_int_equal(ath_arena_open(&arena, 100 * 1024), ATH_OK);
	*state = arena;
	while (ath_arena_alloc(arena, 64) != NULL)
		got += 64;
	assert_int_equal(got, 100 * 1024);
	assert_true(ath_arena_failed(arena));
}

static void test_a_default_ceiling_is_16_mebibytes(void **state)
{
	struct ath_arena *arena = *state;

	assert_non_null(ath_arena_alloc(arena, 16 << 20));
	assert_null(ath_arena_alloc(arena, 1));
}

/* SIZE_MAX stands for "no ceiling"; what no machine has must still be refused. */
static void test_sizes_that_overflow_are_refused(void **state)
{
	static const size_t ceilings[] = { 0, 1000, SIZE_MAX / 2, SIZE_MAX };
	static const size_t sizes[] = { SIZE_MAX,      SIZE_MAX - 1,  SIZE_MAX - 15,
					SIZE_MAX - 16, SIZE_MAX - 40, SIZE_MAX - 100 };

	for (size_t i = 0; i < ATH_COUNT(ceilings) * ATH_COUNT(sizes); i++) {
		struct ath_arena *arena = *state;
		size_t size = sizes[i % ATH_COUNT(sizes)];

		ath_arena_close(&arena);
		assert_int_equal(ath_arena_open(&arena, ceilings[i / ATH_COUNT(sizes)]), ATH_OK);
		*state = arena;
		assert_null(ath_arena_alloc(arena, size));
		assert_null(ath_arena_zalloc(arena, 1, size));
		assert_null(ath_arena_copy(arena, "", size));
		assert_null(ath_arena_grow(arena, ath_arena_alloc(arena, 8), 8, size));
		assert_true(ath_arena_failed(arena));
	}
}

/* ---- zeroed memory ---------------------------------------------------------------------- */

static void test_zalloc_is_zero_after_a_reset_too(void **state)
{
	static const char zeroes[3000];
	struct ath_arena *arena = *state;
	char *dirty = ath_arena_alloc(arena, sizeof zeroes);

	assert_non_null(dirty);
	memset(dirty, 0xa5, sizeof zeroes);
	ath_arena_reset(arena);
	assert_memory_equal(ath_arena_zalloc(arena, 30, 100), zeroes, sizeof zeroes);
	assert_memory_equal(ath_new(arena, struct ath_uuid, 2), zeroes, 32);
	assert_non_null(ath_arena_zalloc(arena, 0, 8));
	assert_non_null(ath_arena_zalloc(arena, 8, 0));
}

static void test_zalloc_checks_the_product(void **state)
{
	static const size_t rows[][2] = { { SIZE_MAX, 2 },
					  { 2, SIZE_MAX },
					  { SIZE_MAX / 2 + 1, 2 },
					  { (size_t)1 << 32, (size_t)1 << 32 },
					  { SIZE_MAX, SIZE_MAX } };

	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_arena *arena = *state;

		ath_arena_reset(arena);
		assert_null(ath_arena_zalloc(arena, rows[i][0], rows[i][1]));
		assert_true(ath_arena_failed(arena));
	}
}

/* ---- growth ----------------------------------------------------------------------------- */

static void test_grow_from_nothing(void **state)
{
	char *piece = ath_arena_grow(*state, NULL, 0, 100);

	assert_non_null(piece);
	memset(piece, 1, 100);
}

static void test_grow_in_place(void **state)
{
	struct ath_arena *arena = *state;
	char *piece = ath_arena_copy(arena, "contents", 8), *grown;
	size_t before = ath_arena_used(arena);

	grown = ath_arena_grow(arena, piece, 9, 1000);
	assert_non_null(grown);
	assert_string_equal(grown, "contents");
	memset(grown, 1, 1000);
#ifndef ATH_ARENA_MALLOC
	assert_ptr_equal(grown, piece);
	assert_in_range(ath_arena_used(arena) - before, 1000 - 16, 1000);
#else
	(void)before;
#endif
	piece = ath_arena_alloc(arena, 16); /* what comes next lies behind it */
	assert_non_null(piece);
	assert_false(piece >= grown && piece < grown + 1000);
}

static void test_grow_moves_what_is_not_the_newest(void **state)
{
	struct ath_arena *arena = *state;
	char *piece = ath_arena_copy(arena, "contents", 8), *grown;
	char *next = ath_arena_copy(arena, "next", 4);

	grown = ath_arena_grow(arena, piece, 9, 1000);
	assert_non_null(grown);
	assert_ptr_not_equal(grown, piece);
	assert_string_equal(grown, "contents");
	memset(grown, 1, 1000);
	assert_string_equal(next, "next");
}

static void test_grow_moves_to_another_block(void **state)
{
	struct ath_arena *arena = *state;
	unsigned char *piece = NULL;
	size_t size = 0;

	while (size < 3 << 20) {
		size_t more = size == 0 ? 10 : size * 2 + next_random() % 7;

		piece = ath_arena_grow(arena, piece, size, more);
		assert_non_null(piece);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(piece[i], i % 251);
		for (size_t i = size; i < more; i++)
			piece[i] = (unsigned char)(i % 251);
		size = more;
	}
}

static void test_grow_stops_at_the_ceiling(void **state)
{
	struct ath_arena *arena = *state;
	char *piece;

	ath_arena_close(&arena);
	assert_int_equal(ath_arena_open(&arena, 4096), ATH_OK);
	*state = arena;
	piece = ath_arena_copy(arena, "contents", 8);
	assert_null(ath_arena_grow(arena, piece, 9, 5000));
	assert_true(ath_arena_failed(arena));
	assert_string_equal(piece, "contents");
}

/* ---- copies ----------------------------------------------------------------------------- */

static void test_copy_ends_in_nul(void **state)
{
	struct ath_arena *arena = *state;

	assert_string_equal(ath_arena_copy(arena, "hello world", 5), "hello");
	assert_string_equal(ath_arena_copy(arena, NULL, 0), "");
	assert_memory_equal(ath_arena_copy(arena, "a\0b", 3), "a\0b", 4);
}

static void test_printf(void **state)
{
	struct ath_arena *arena = *state;
	char *text;

	assert_string_equal(ath_arena_printf(arena, "%s-%d", "a", 42), "a-42");
	assert_string_equal(ath_arena_printf(arena, "%s", ""), "");
	text = ath_arena_printf(arena, "%050000d", 1);
	assert_non_null(text);
	assert_int_equal(strlen(text), 50000);
	assert_null(ath_arena_printf(arena, "%0*d", 17 << 20, 1));
	assert_true(ath_arena_failed(arena));
}

/* ---- cleanups --------------------------------------------------------------------------- */

static char order[16];
static struct ath_arena *late_arena;

static void note(void *arg)
{
	strcat(order, arg);
}

static void note_and_defer(void *arg)
{
	note(arg);
	assert_true(ath_arena_defer(late_arena, note, (void *)"L"));
}

static void test_cleanups_run_newest_first_and_once(void **state)
{
	struct ath_arena *arena = *state;

	order[0] = '\0';
	assert_true(ath_arena_defer(arena, note, (void *)"1"));
	assert_non_null(ath_arena_alloc(arena, 40000));
	assert_true(ath_arena_defer(arena, note, (void *)"2"));
	assert_true(ath_arena_defer(arena, note, (void *)"3"));
	ath_arena_reset(arena);
	assert_string_equal(order, "321");
	ath_arena_reset(arena);
	assert_string_equal(order, "321");
	assert_true(ath_arena_defer(arena, note, (void *)"4"));
	ath_arena_close(&arena);
	*state = NULL;
	assert_null(arena);
	assert_string_equal(order, "3214");
}

static void test_a_cleanup_may_defer_another(void **state)
{
	order[0] = '\0';
	late_arena = *state;
	assert_true(ath_arena_defer(late_arena, note, (void *)"1"));
	assert_true(ath_arena_defer(late_arena, note_and_defer, (void *)"2"));
	ath_arena_reset(late_arena);
	assert_string_equal(order, "2L1");
	assert_int_equal(ath_arena_used(late_arena), 0);
}

static void test_a_cleanup_without_memory_is_refused(void **state)
{
	struct ath_arena *arena = *state;

	ath_arena_close(&arena);
	assert_int_equal(ath_arena_open(&arena, 16), ATH_OK);
	*state = arena;
	order[0] = '\0';
	assert_false(ath_arena_defer(arena, note, (void *)"1"));
	ath_arena_reset(arena);
	assert_string_equal(order, "");
}

/* What was taken once is taken again without the system. */
static void test_rewind_keeps_the_memory(void **state)
{
	enum { PIECES = 300, SIZE = 1000 };
	struct ath_arena *arena = *state;
	static char *pieces[PIECES];

	order[0] = '\0';
	for (int round = 0; round < 3; round++) {
		assert_true(ath_arena_defer(arena, note, (void *)"1"));
		for (int i = 0; i < PIECES; i++) {
			char *piece = ath_arena_alloc(arena, SIZE);

			assert_non_null(piece);
			memset(piece, round, SIZE);
#ifndef ATH_ARENA_MALLOC
			if (round > 0)
				assert_ptr_equal(piece, pieces[i]);
#endif
			pieces[i] = piece;
		}
		for (int i = 0; i < PIECES; i++)
			assert_int_equal(pieces[i][SIZE - 1], round);
		ath_arena_rewind(arena);
		assert_int_equal(ath_arena_used(arena), 0);
	}
	assert_string_equal(order, "111");
	/* a piece that no kept block holds comes from a new one, and those before are not lost */
	assert_non_null(ath_arena_alloc(arena, 4 << 20));
	ath_arena_rewind(arena);
	assert_non_null(ath_arena_alloc(arena, SIZE));
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, open_arena, close_arena)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_takes_null),
		row(test_every_piece_is_aligned_and_apart),
		row(test_used_counts_and_reset_empties),
		row(test_rewind_keeps_the_memory),
		row(test_failure_sticks_until_the_reset),
		row(test_the_ceiling_holds_for_many_small_pieces),
		row(test_a_default_ceiling_is_16_mebibytes),
		row(test_sizes_that_overflow_are_refused),
		row(test_zalloc_is_zero_after_a_reset_too),
		row(test_zalloc_checks_the_product),
		row(test_grow_from_nothing),
		row(test_grow_in_place),
		row(test_grow_moves_what_is_not_the_newest),
		row(test_grow_moves_to_another_block),
		row(test_grow_stops_at_the_ceiling),
		row(test_copy_ends_in_nul),
		row(test_printf),
		row(test_cleanups_run_newest_first_and_once),
		row(test_a_cleanup_may_defer_another),
		row(test_a_cleanup_without_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
