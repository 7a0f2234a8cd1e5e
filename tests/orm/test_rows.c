/* test_rows.c - the identity map from one row to many, and what counts as a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../base/random.h"
#include "books.h"
#include "models.h"

static struct ath_arena *arena;
static struct ath_rows rows;

static int setup(void **state)
{
	(void)state;
	if (ath_arena_open(&arena, 256 << 20) != ATH_OK)
		return -1;
	ath_rows_init(&rows, arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ath_arena_close(&arena);
	return 0;
}

static struct ath_row *add(const struct ath_model *model, const void *object,
			   enum ath_row_state state)
{
	struct ath_row *row = ath_new(arena, struct ath_row, 1);

	row->model = model;
	row->object = ath_arena_copy(arena, object, model->size);
	row->old = ath_arena_copy(arena, object, model->size);
	row->state = state;
	assert_true(ath_rows_add(&rows, row));
	return row;
}

static struct ath_row *add_pet(int64_t id, enum ath_row_state state)
{
	return add(&pet_model, &(struct pet){ .id = id, .name = "Tom" }, state);
}

static struct ath_row *find(const struct ath_model *model, struct ath_value key)
{
	return ath_rows_find(&rows, model, &key, ATH_ROW_STORED);
}

static struct ath_row *find_pet(int64_t id)
{
	return find(&pet_model, ath_value_int64(id));
}

static void fill(struct ath_row **made, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		made[i] = add_pet(i * 3 - 5, ATH_ROW_STORED);
}

static void test_every_row_is_found(void **state)
{
	static const int64_t counts[] = { 1, 2, 7, 8, 9, 10, 63, 64, 65, 100, 128, 1000, 10000 };
	static struct ath_row *made[10000];

	(void)state;
	for (size_t c = 0; c < ATH_COUNT(counts); c++) {
		ath_rows_init(&rows, arena);
		assert_null(find_pet(-5));
		fill(made, counts[c]);
		for (int64_t i = 0; i < counts[c]; i++) {
			assert_ptr_equal(find_pet(i * 3 - 5), made[i]);
			assert_null(find_pet(i * 3 - 4));
			assert_ptr_equal(ath_rows_of(&rows, &pet_model, made[i]->object), made[i]);
		}
	}
}

static void test_rows_that_leave(void **state)
{
	static struct ath_row *made[1000];
	static const int64_t counts[] = { 1, 8, 9, 1000 };

	(void)state;
	for (size_t c = 0; c < ATH_COUNT(counts); c++) {
		ath_rows_init(&rows, arena);
		fill(made, counts[c]);
		for (int64_t i = 0; i < counts[c]; i += 2) {
			ath_rows_leave_map(&rows, made[i]);
			assert_int_equal(made[i]->state, ATH_ROW_GONE);
			assert_null(ath_rows_of(&rows, &pet_model, made[i]->object));
		}
		for (int64_t i = 0; i < counts[c]; i++)
			assert_ptr_equal(find_pet(i * 3 - 5), i % 2 == 0 ? NULL : made[i]);
		/* the same keys may come again */
		for (int64_t i = 0; i < counts[c]; i += 2)
			made[i] = add_pet(i * 3 - 5, ATH_ROW_STORED);
		for (int64_t i = 0; i < counts[c]; i++)
			assert_ptr_equal(find_pet(i * 3 - 5), made[i]);
	}
}

/* New rows are known by their object, and by their key once they are stored. */
static void test_new_rows_enter_later(void **state)
{
	static struct ath_row *made[300];

	(void)state;
	for (int64_t i = 0; i < (int64_t)ATH_COUNT(made); i++) {
		made[i] = add_pet(i, ATH_ROW_NEW);
		assert_null(find_pet(i));
		assert_ptr_equal(ath_rows_of(&rows, &pet_model, made[i]->object), made[i]);
	}
	for (int64_t i = 0; i < (int64_t)ATH_COUNT(made); i++) {
		assert_true(ath_rows_enter_map(&rows, made[i]));
		for (int64_t j = 0; j < (int64_t)ATH_COUNT(made); j += 17)
			assert_ptr_equal(find_pet(j), j <= i ? made[j] : NULL);
	}
}

static void test_models_and_types_of_keys_are_apart(void **state)
{
	struct ath_uuid uuid = { { 1, 2, 3 } }, other = { { 1, 2, 4 } };
	struct ath_row *pet = add_pet(1, ATH_ROW_STORED), *person, *ticket, *empty, *kind;
	char code[] = "a";

	(void)state;
	person = add(&person_model, &(struct person){ .id = 1 }, ATH_ROW_STORED);
	ticket = add(&ticket_model, &(struct ticket){ .code = "a" }, ATH_ROW_STORED);
	empty = add(&ticket_model, &(struct ticket){ .code = "" }, ATH_ROW_STORED);
	kind = add(&kind_model, &(struct kind){ .id = uuid }, ATH_ROW_STORED);
	for (int round = 0; round < 2; round++) {
		assert_ptr_equal(find_pet(1), pet);
		assert_ptr_equal(find(&person_model, ath_value_int64(1)), person);
		assert_ptr_equal(find(&ticket_model, ath_value_text(code)), ticket);
		assert_ptr_equal(find(&ticket_model, ath_value_text("")), empty);
		assert_null(find(&ticket_model, ath_value_text("b")));
		assert_ptr_equal(find(&kind_model, ath_value_uuid(uuid)), kind);
		assert_null(find(&kind_model, ath_value_uuid(other)));
		for (int64_t i = 2; i < 100; i++) /* from a list to a table */
			add_pet(i, ATH_ROW_STORED);
	}
}

static void test_an_object_whose_key_was_changed_is_still_known(void **state)
{
	struct ath_row *row = add_pet(1, ATH_ROW_STORED);
	struct pet other = { .id = 1 };

	(void)state;
	add_pet(2, ATH_ROW_STORED);
	((struct pet *)row->object)->id = 2;
	assert_ptr_equal(ath_rows_of(&rows, &pet_model, row->object), row);
	assert_null(ath_rows_of(&rows, &pet_model, &other));
}

/* Each part of a key counts, and its place. */
static void test_keys_of_two_columns(void **state)
{
	struct ath_row *made[20][20];

	(void)state;
	for (int i = 0; i < 20; i++)
		for (int j = 0; j < 20; j++)
			made[i][j] = add(&book_label_model,
					 &(struct book_label){ .book_id = i, .label_id = j },
					 ATH_ROW_STORED);
	for (int i = 0; i < 21; i++)
		for (int j = 0; j < 21; j++) {
			const struct ath_value keys[] = { ath_value_int64(i), ath_value_int32(j) };
			struct ath_row *row =
				ath_rows_find(&rows, &book_label_model, keys, ATH_ROW_STORED);

			assert_ptr_equal(row, i < 20 && j < 20 ? made[i][j] : NULL);
		}
}

struct day {
	struct ath_date date;
	struct ath_timestamp moment;
	const char *text;
};
ATH_LIST_(day)
ATH_MODEL(day, "days", ATH_COLUMN(day, date, .primary_key = true),
	  ATH_COLUMN(day, moment, .primary_key = true), ATH_COLUMN(day, text, .primary_key = true));

static void test_keys_of_dates_moments_and_texts(void **state)
{
	const struct day days[] = { { { 1 }, { 2 }, "a" },
				    { { 2 }, { 1 }, "a" },
				    { { 1 }, { 1 }, "a" },
				    { { 1 }, { 2 }, "" },
				    { { -1 }, { INT64_MIN }, "b" } };
	struct ath_row *made[ATH_COUNT(days)];
	struct ath_value keys[ATH_MAX_KEYS];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(days); i++) {
		assert_int_equal(ath_row_keys(&day_model, &days[i], keys), 3);
		assert_null(ath_rows_find(&rows, &day_model, keys, ATH_ROW_STORED));
		made[i] = add(&day_model, &days[i], ATH_ROW_STORED);
	}
	for (size_t i = 0; i < ATH_COUNT(days); i++) {
		ath_row_keys(&day_model, &days[i], keys);
		assert_ptr_equal(ath_rows_find(&rows, &day_model, keys, ATH_ROW_STORED), made[i]);
		assert_ptr_equal(ath_rows_like(&rows, &day_model, &days[i]), made[i]);
	}
}

/* One that is to be deleted is not found as one that is there, and is still known. */
static void test_rows_to_be_deleted(void **state)
{
	const struct ath_value key = ath_value_int64(1);

	(void)state;
	for (int64_t more = 0; more < 100; more += 99) {
		struct ath_row *row, *again;

		ath_rows_init(&rows, arena);
		row = add_pet(1, ATH_ROW_STORED);
		for (int64_t i = 2; i < 2 + more; i++)
			add_pet(i, ATH_ROW_STORED);
		assert_null(ath_rows_find(&rows, &pet_model, &key, ATH_ROW_DELETED));
		row->state = ATH_ROW_DELETED;
		assert_null(find_pet(1));
		assert_null(ath_rows_like(&rows, &pet_model, row->object));
		assert_ptr_equal(ath_rows_find(&rows, &pet_model, &key, ATH_ROW_DELETED), row);
		assert_ptr_equal(ath_rows_of(&rows, &pet_model, row->object), row);
		/* another with its key may come meanwhile */
		again = add_pet(1, ATH_ROW_STORED);
		assert_ptr_equal(find_pet(1), again);
		assert_ptr_equal(ath_rows_find(&rows, &pet_model, &key, ATH_ROW_DELETED), row);
		ath_rows_leave_map(&rows, row);
		assert_null(ath_rows_find(&rows, &pet_model, &key, ATH_ROW_DELETED));
		assert_ptr_equal(find_pet(1), again);
		assert_null(ath_rows_of(&rows, &pet_model, row->object));
	}
}

/* What was read is taken in, unless it is known already. */
static void test_rows_that_are_read(void **state)
{
	const struct ath_key key = ath_key_of(&pet_model);
	static struct pet pets[500];
	struct ath_row *made[ATH_COUNT(pets)], *known;
	size_t count;

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(pets); i++) {
		pets[i] = (struct pet){ .id = (int64_t)i };
		made[i] = ath_new(arena, struct ath_row, 1);
		*made[i] = (struct ath_row){ .model = &pet_model,
					     .object = &pets[i],
					     .old = &pets[i] };
		assert_true(ath_rows_adopt(&rows, &key, made[i], &known));
		assert_ptr_equal(known, made[i]);
		assert_int_equal(known->state, ATH_ROW_STORED);
	}
	count = rows.count;
	for (size_t i = 0; i < ATH_COUNT(pets); i++) {
		struct pet pet = { .id = (int64_t)i };
		struct ath_row row = { .model = &pet_model, .object = &pet, .old = &pet };

		assert_ptr_equal(find_pet((int64_t)i), made[i]);
		assert_true(ath_rows_adopt(&rows, &key, &row, &known));
		assert_ptr_equal(known, made[i]);
	}
	assert_int_equal(rows.count, count);
}

/* All that come and go, beside a list of what there has to be. */
static void test_rows_by_chance(void **state)
{
	enum { KEYS = 200 };
	struct ath_row *stored[KEYS] = { NULL };

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t chance = next_random();
		int64_t id = (int64_t)(chance >> 8) % KEYS;

		if (stored[id] == NULL) {
			stored[id] = add_pet(id, chance & 1 ? ATH_ROW_STORED : ATH_ROW_NEW);
			if (!(chance & 1))
				assert_true(ath_rows_enter_map(&rows, stored[id]));
		} else {
			ath_rows_leave_map(&rows, stored[id]);
			stored[id] = NULL;
		}
		if (i % 500 == 0)
			for (int64_t j = 0; j < KEYS; j++)
				assert_ptr_equal(find_pet(j), stored[j]);
	}
}

/* ---- changes -------------------------------------------------------------------------------- */

static struct kind before, after;

static struct ath_row row_of(const struct ath_model *model, void *object, void *old)
{
	struct ath_facts *facts = ath_facts_make(arena, model);

	assert_non_null(facts);
	return (struct ath_row){ .model = model, .facts = facts, .object = object, .old = old };
}

static bool is_changed(void)
{
	struct ath_row row = row_of(&kind_model, &after, &before);
	bool changed = ath_row_change(&row) == ATH_COLUMNS_CHANGED;

	after = before;
	return changed;
}

static void fill_kind(void)
{
	memset(&before, 0, sizeof before);
	before.text = "text";
	before.real = 1.5;
	before.null_medium = (struct ath_null_int32){ 7, true };
	after = before;
}

static void test_each_type_tells_a_change(void **state)
{
	(void)state;
	fill_kind();
	assert_false(is_changed());
	after.boolean = true;
	assert_true(is_changed());
	after.small = -1;
	assert_true(is_changed());
	after.medium = 1;
	assert_true(is_changed());
	after.large = INT64_MIN;
	assert_true(is_changed());
	after.real = 1.5000000000000002;
	assert_true(is_changed());
	after.text = "texts";
	assert_true(is_changed());
	after.moment.microseconds = 1;
	assert_true(is_changed());
	after.uuid.bytes[15] = 1;
	assert_true(is_changed());
	after.id.bytes[0] = 1;
	assert_true(is_changed());
}

static void test_each_nullable_type_tells_a_change(void **state)
{
	(void)state;
	fill_kind();
	after.null_boolean.valid = true;
	assert_true(is_changed());
	after.null_small.valid = true;
	assert_true(is_changed());
	after.null_medium.valid = false;
	assert_true(is_changed());
	after.null_medium.value = 8;
	assert_true(is_changed());
	after.null_large.valid = true;
	assert_true(is_changed());
	after.null_real.valid = true;
	assert_true(is_changed());
	after.null_text = "";
	assert_true(is_changed());
	after.null_moment.valid = true;
	assert_true(is_changed());
	after.null_uuid.valid = true;
	assert_true(is_changed());
}

static void test_what_is_no_change(void **state)
{
	char copy[] = "text";

	(void)state;
	fill_kind();
	after.text = copy;
	assert_false(is_changed());
	after.null_large.value = 5; /* NULL, whatever value holds */
	assert_false(is_changed());
	after.null_medium.value = 7;
	assert_false(is_changed());
}

static void test_doubles_by_their_bits(void **state)
{
	(void)state;
	fill_kind();
	before.real = __builtin_nan("");
	after = before;
	after.null_large.value = 1; /* so that it is looked at column by column */
	assert_false(is_changed());
	before.real = 0.0;
	after = before;
	after.real = -0.0;
	assert_true(is_changed());
}

static void test_relations_and_read_only_members_are_none(void **state)
{
	struct person old = { .id = 1, .name = "a" }, now = old;
	struct ath_row row = row_of(&person_model, &now, &old);

	(void)state;
	now.pets.count = 3;
	assert_int_equal(ath_row_change(&row), ATH_UNCHANGED);
	now.born.microseconds = 3;
	assert_int_equal(ath_row_change(&row), ATH_UNCHANGED);
	now.nick = "";
	assert_int_equal(ath_row_change(&row), ATH_COLUMNS_CHANGED);
}

static struct book old_book, book;

static bool is_book_changed(void)
{
	struct ath_row row = row_of(&book_model, &book, &old_book);
	bool changed = ath_row_change(&row) != ATH_UNCHANGED;

	book = old_book;
	return changed;
}

static void fill_book(void)
{
	static const char *const tags[] = { "a", NULL, "" };
	static const int64_t prizes[] = { 1, 2 };
	static const struct ath_uuid copies[2] = { { { 1 } }, { { 2 } } };

	memset(&old_book, 0, sizeof old_book);
	old_book.title = "t";
	old_book.genre = POEM;
	old_book.price = ath_decimal_of(15, 1);
	old_book.data.text = "{}";
	old_book.tags = (struct ath_text_array){ tags, 3 };
	old_book.prizes = (struct ath_int64_array){ prizes, 2 };
	old_book.copies = (struct ath_uuid_array){ copies, 2 };
	old_book.cover = (struct ath_bytes){ (const unsigned char *)"a\0b", 3 };
	book = old_book;
}

static void test_each_further_type_tells_a_change(void **state)
{
	static const char *const fewer[] = { "a", NULL }, *const others[] = { "a", "", "" };
	static const char *const nulls[] = { "a", NULL, NULL };
	static const int64_t prizes[] = { 1, 3 };
	static const struct ath_uuid copies[2] = { { { 1 } }, { { 3 } } };

	(void)state;
	fill_book();
	assert_false(is_book_changed());
	book.genre = ESSAY;
	assert_true(is_book_changed());
	book.second_genre.valid = true;
	assert_true(is_book_changed());
	book.price = ath_decimal_of(16, 1);
	assert_true(is_book_changed());
	book.data.text = "{ }";
	assert_true(is_book_changed());
	book.tags = (struct ath_text_array){ fewer, 2 };
	assert_true(is_book_changed());
	book.tags = (struct ath_text_array){ others, 3 };
	assert_true(is_book_changed());
	book.tags = (struct ath_text_array){ nulls, 3 };
	assert_true(is_book_changed());
	book.tags = (struct ath_text_array){ NULL, 0 };
	assert_true(is_book_changed());
	book.prizes.items = prizes;
	assert_true(is_book_changed());
	book.copies.items = copies;
	assert_true(is_book_changed());
	book.copies.count = 1;
	assert_true(is_book_changed());
	book.cover.data = (const unsigned char *)"a\0c";
	assert_true(is_book_changed());
	book.cover.length = 2;
	assert_true(is_book_changed());
	book.cover = (struct ath_bytes){ NULL, 0 };
	assert_true(is_book_changed());
}

static void test_the_same_in_another_place_is_no_change(void **state)
{
	char a[] = "a", empty[] = "", json[] = "{}";
	const char *tags[] = { a, NULL, empty };
	int64_t prizes[] = { 1, 2 };
	struct ath_uuid copies[2] = { { { 1 } }, { { 2 } } };
	unsigned char cover[] = { 'a', 0, 'b' };

	(void)state;
	fill_book();
	book.price = ath_decimal_of(150, 2); /* 1.50 is 1.5 */
	book.data.text = json;
	book.tags.items = tags;
	book.prizes.items = prizes;
	book.copies.items = copies;
	book.cover.data = cover;
	book.second_genre.value = 1; /* of a NULL */
	assert_false(is_book_changed());
	/* where there is no NULL, nothing is nothing, wherever it is */
	old_book.prizes = (struct ath_int64_array){ NULL, 0 };
	book = old_book;
	book.prizes.items = prizes;
	assert_false(is_book_changed());
}

/* A relation changes when it is given other rows, not when it is emptied or not loaded. */
static void test_relations_that_are_given_rows(void **state)
{
	struct author author = { .id = 7 };
	struct label *labels[1] = { NULL };

	(void)state;
	fill_book();
	book.author = &author;
	assert_true(is_book_changed());
	book.labels = (struct label_list){ labels, 1 };
	assert_true(is_book_changed());
	book.labels = (struct label_list){ labels, 0 };
	assert_true(is_book_changed());
	old_book.author = &author;
	book = old_book;
	book.author = NULL;
	assert_false(is_book_changed());
}

/* ---- members -------------------------------------------------------------------------------- */

static void test_members_are_set_and_unset(void **state)
{
	static const unsigned char ones[16] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	const char *text = "x";
	struct kind kind;

	(void)state;
	memset(&kind, 0, sizeof kind);
	for (size_t i = 0; i < kind_model.member_count; i++) {
		const struct ath_member *member = &kind_model.members[i];

		assert_true(ath_member_is_unset(member, &kind));
		ath_member_set(member, &kind,
			       member->type == ATH_TYPE_TEXT ? (const void *)&text : ones);
		assert_false(ath_member_is_unset(member, &kind));
		assert_false(ath_member_get(member, &kind).null);
		assert_int_equal(ath_member_get(member, &kind).type, member->type);
		ath_member_set_null(member, &kind);
		assert_true(ath_member_is_unset(member, &kind));
		assert_int_equal(ath_member_get(member, &kind).null,
				 member->nullable_struct || member->type == ATH_TYPE_TEXT);
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_every_row_is_found),
		CASE(test_rows_that_leave),
		CASE(test_new_rows_enter_later),
		CASE(test_models_and_types_of_keys_are_apart),
		CASE(test_an_object_whose_key_was_changed_is_still_known),
		CASE(test_keys_of_two_columns),
		CASE(test_keys_of_dates_moments_and_texts),
		CASE(test_rows_to_be_deleted),
		CASE(test_rows_that_are_read),
		CASE(test_rows_by_chance),
		CASE(test_each_type_tells_a_change),
		CASE(test_each_nullable_type_tells_a_change),
		CASE(test_what_is_no_change),
		CASE(test_doubles_by_their_bits),
		CASE(test_relations_and_read_only_members_are_none),
		CASE(test_each_further_type_tells_a_change),
		CASE(test_the_same_in_another_place_is_no_change),
		CASE(test_relations_that_are_given_rows),
		CASE(test_members_are_set_and_unset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
