/* test_buffer.c - bytes that grow up to a ceiling; failure sticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/internal.h"
#include "random.h"

/* Every test runs twice: with a malloc buffer, and with one in an arena. */
static struct ath_arena *arena;
static struct ath_buffer buffer;

static int setup(void **state)
{
	ath_buffer_init(&buffer, NULL, 1 << 20);
	return *state != NULL && ath_arena_open(&arena, 0) != ATH_OK;
}

static int teardown(void **state)
{
	(void)state;
	ath_buffer_free(&buffer);
	ath_arena_close(&arena);
	return buffer.data != NULL || buffer.length != 0 || buffer.failed;
}

static void make(size_t ceiling)
{
	ath_buffer_free(&buffer);
	ath_buffer_init(&buffer, arena, ceiling);
}

static void test_an_empty_buffer(void **state)
{
	(void)state;
	make(100);
	assert_string_equal(ath_buffer_c_string(&buffer), "");
	assert_int_equal(buffer.length, 0);
	ath_buffer_append(&buffer, NULL, 0);
	ath_buffer_string(&buffer, "");
	ath_buffer_printf(&buffer, "%s", "");
	assert_int_equal(buffer.length, 0);
	assert_false(buffer.failed);
}

static void test_contents_stay_when_it_grows(void **state)
{
	static char expected[300000];
	size_t length = 0;

	(void)state;
	make(sizeof expected);
	while (length < sizeof expected - 400) {
		char piece[400];
		size_t size = next_random() % sizeof piece;

		memset(piece, (int)('a' + length % 26), sizeof piece);
		ath_buffer_append(&buffer, piece, size);
		memcpy(expected + length, piece, size);
		length += size;
		/* another piece of the arena: the next growth has to move */
		if (arena != NULL && next_random() % 64 == 0)
			assert_non_null(ath_arena_alloc(arena, 24));
	}
	assert_false(buffer.failed);
	assert_int_equal(buffer.length, length);
	assert_memory_equal(buffer.data, expected, length);
}

static void test_exactly_the_ceiling_fits(void **state)
{
	static const size_t ceilings[] = { 1, 2, 511, 512, 513, 1000, 1024, 5000 };
	static const char zeroes[5000];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(ceilings); i++) {
		make(ceilings[i]);
		ath_buffer_append(&buffer, zeroes, ceilings[i]);
		assert_false(buffer.failed);
		assert_true(buffer.capacity <= ceilings[i]);
		ath_buffer_append(&buffer, zeroes, 1);
		assert_true(buffer.failed);
		make(ceilings[i]);
		ath_buffer_append(&buffer, zeroes, ceilings[i] - 1);
		ath_buffer_append(&buffer, zeroes, 2);
		assert_true(buffer.failed);
	}
}

static void test_failure_sticks(void **state)
{
	(void)state;
	make(10);
	ath_buffer_string(&buffer, "123456789012");
	assert_true(buffer.failed);
	ath_buffer_string(&buffer, "1");
	ath_buffer_int64(&buffer, 1);
	ath_buffer_printf(&buffer, "%d", 1);
	ath_buffer_json_text(&buffer, "1", 1);
	ath_buffer_json_double(&buffer, 1);
	assert_null(ath_buffer_reserve(&buffer, 1));
	assert_null(ath_buffer_reserve(&buffer, 0));
	assert_true(buffer.failed);
	assert_int_equal(buffer.length, 0);
	assert_string_equal(ath_buffer_c_string(&buffer), "");
	ath_buffer_free(&buffer); /* and it may be used again */
	ath_buffer_string(&buffer, "again");
	assert_string_equal(ath_buffer_c_string(&buffer), "again");
}

/* What no machine has is refused by returning NULL, not by ending the program. */
ATH_API const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void test_sizes_that_overflow_fail(void **state)
{
	static const size_t ceilings[] = { 0, 100, SIZE_MAX / 2, SIZE_MAX };
	static const size_t sizes[] = { SIZE_MAX,         SIZE_MAX - 2,     SIZE_MAX - 1000,
					SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 2, SIZE_MAX / 2 - 1000 };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(ceilings) * ATH_COUNT(sizes); i++) {
		make(ceilings[i / ATH_COUNT(sizes)]);
		if (buffer.ceiling > 0)
			ath_buffer_string(&buffer, "12345");
		assert_false(buffer.failed);
		assert_null(ath_buffer_reserve(&buffer, sizes[i % ATH_COUNT(sizes)]));
		assert_true(buffer.failed);
	}
}

static void test_reserve_gives_room_behind_the_contents(void **state)
{
	char *room;

	(void)state;
	make(10000);
	ath_buffer_string(&buffer, "abc");
	room = ath_buffer_reserve(&buffer, 5000);
	assert_ptr_equal(room, buffer.data + 3);
	memset(room, 'x', 5000);
	buffer.length += 5000;
	assert_int_equal(strlen(ath_buffer_c_string(&buffer)), 5003);
}

static void test_integers(void **state)
{
	static const struct {
		int64_t value;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ -1, "-1" },
		{ 9, "9" },
		{ 10, "10" },
		{ -10, "-10" },
		{ 1000000, "1000000" },
		{ INT64_MAX, "9223372036854775807" },
		{ INT64_MIN + 1, "-9223372036854775807" },
		{ INT64_MIN, "-9223372036854775808" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		make(100);
		ath_buffer_int64(&buffer, rows[i].value);
		assert_string_equal(ath_buffer_c_string(&buffer), rows[i].text);
	}
}

static void test_random_integers_are_as_printf_writes_them(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		int64_t value = (int64_t)next_random() >> next_random() % 64, back = 0;
		char text[24];

		snprintf(text, sizeof text, "%" PRId64, value);
		buffer.length = 0;
		ath_buffer_int64(&buffer, value);
		assert_string_equal(ath_buffer_c_string(&buffer), text);
		assert_true(ath_text_int64((struct ath_text){ buffer.data, buffer.length }, &back));
		assert_true(back == value);
	}
}

static void test_printf_needs_its_nul_but_does_not_count_it(void **state)
{
	(void)state;
	make(10);
	ath_buffer_printf(&buffer, "%s%d", "abc", 42);
	assert_int_equal(buffer.length, 5);
	ath_buffer_printf(&buffer, "%s", "6789");
	assert_int_equal(buffer.length, 9);
	assert_string_equal(ath_buffer_c_string(&buffer), "abc426789");
	assert_false(buffer.failed);
	ath_buffer_printf(&buffer, "%d", 123);
	assert_true(buffer.failed);
	make(1 << 20);
	ath_buffer_printf(&buffer, "%0100000d", 1);
	assert_int_equal(buffer.length, 100000);
}

static void test_c_string_does_not_count_its_nul(void **state)
{
	(void)state;
	make(1000);
	ath_buffer_string(&buffer, "abc");
	assert_string_equal(ath_buffer_c_string(&buffer), "abc");
	assert_string_equal(ath_buffer_c_string(&buffer), "abc");
	ath_buffer_string(&buffer, "def");
	assert_string_equal(ath_buffer_c_string(&buffer), "abcdef");
	assert_int_equal(buffer.length, 6);
}

static void test_an_arena_without_room_fails_the_buffer(void **state)
{
	struct ath_arena *small;

	(void)state;
	assert_int_equal(ath_arena_open(&small, 1000), ATH_OK);
	ath_buffer_init(&buffer, small, 1 << 20);
	for (int i = 0; i < 2000; i++)
		ath_buffer_append(&buffer, "x", 1);
	assert_true(buffer.failed);
	assert_true(ath_arena_failed(small));
	ath_buffer_free(&buffer);
	ath_arena_close(&small);
	ath_buffer_init(&buffer, NULL, 0);
}

int main(void)
{
	static char in_arena[] = "arena";
#define row(test)                                                                                  \
	{ #test " by malloc", test, setup, teardown, NULL },                                       \
	{                                                                                          \
#test " in an arena", test, setup, teardown, in_arena                              \
	}
	const struct CMUnitTest tests[] = {
		row(test_an_empty_buffer),
		row(test_contents_stay_when_it_grows),
		row(test_exactly_the_ceiling_fits),
		row(test_failure_sticks),
		row(test_sizes_that_overflow_fail),
		row(test_reserve_gives_room_behind_the_contents),
		row(test_integers),
		row(test_random_integers_are_as_printf_writes_them),
		row(test_printf_needs_its_nul_but_does_not_count_it),
		row(test_c_string_does_not_count_its_nul),
		cmocka_unit_test_setup_teardown(test_an_arena_without_room_fails_the_buffer, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
