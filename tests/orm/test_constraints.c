/* test_constraints.c - what stands in a model, and of which columns a constraint's name speaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "books.h"
#include "models.h"

struct item {
	int64_t owner_id;
	const char *text;
	int64_t edition_book_id;
	int32_t edition_number;
};
ATH_LIST_(item)
ATH_MODEL(item, "items",
	  ATH_COLUMN(item, owner_id, .primary_key = true, .references = &person_model),
	  ATH_COLUMN(item, text, .primary_key = true), ATH_COLUMN(item, edition_book_id),
	  ATH_COLUMN(item, edition_number), ATH_COMMENT("What there is"),
	  ATH_INDEX(item, ATH_COLUMNS(item, edition_number, text)),
	  ATH_INDEX_ON(item, lower_text, "lower(text)"),
	  ATH_UNIQUE(item, ATH_COLUMNS(item, edition_number, owner_id)),
	  ATH_UNIQUE(item, ATH_COLUMNS(item, text, owner_id), .name = "mine", .where = "true"),
	  ATH_CHECK(item, order, "edition_number < owner_id"),
	  ATH_FOREIGN_KEY(item, ATH_COLUMNS(item, edition_book_id, edition_number), edition));

static const struct ath_model *const models[] = {
	&item_model,  &person_model,     &pet_model,     &note_model,   &author_model, &book_model,
	&label_model, &book_label_model, &edition_model, &figure_model, NULL
};

static void test_look_ups(void **state)
{
	const struct ath_member *keys[ATH_MAX_KEYS];

	(void)state;
	assert_string_equal(ath_model_key(&ticket_model)->name, "code");
	assert_null(ath_model_key(&book_label_model));
	assert_int_equal(ath_model_keys(&edition_model, keys), 2);
	assert_string_equal(keys[0]->name, "book_id");
	assert_string_equal(keys[1]->name, "number");
	assert_true(ath_model_is_tracked(&book_label_model));
	assert_false(ath_model_is_tracked(&figure_model));
	assert_string_equal(ath_model_version(&edition_model)->name, "version");
	assert_null(ath_model_version(&person_model));
	assert_int_equal(ath_model_columns(&author_model), 5);
	assert_string_equal(
		ath_column_name(ath_model_column(&book_model, offsetof(struct book, editor_id))),
		"edited_by");
	assert_string_equal(ath_model_column(&person_model, offsetof(struct person, age))->name,
			    "age");
	assert_null(ath_model_column(&person_model, offsetof(struct person, pets)));
	assert_null(ath_model_column(&person_model, 1));
	assert_string_equal(ath_model_relation(&person_model, offsetof(struct person, pets))->name,
			    "pets");
	assert_null(ath_model_relation(&person_model, 0));
	assert_true(ath_column_is_nullable(
		ath_model_column(&person_model, offsetof(struct person, nick))));
	assert_true(ath_column_is_nullable(
		ath_model_column(&person_model, offsetof(struct person, age))));
	assert_false(ath_column_is_nullable(
		ath_model_column(&person_model, offsetof(struct person, name))));
}

/* A rule that names no columns stands at offset 0, where a column may be. */
static void test_rules_are_no_columns(void **state)
{
	(void)state;
	assert_ptr_equal(ath_model_column(&item_model, 0), &item_members_[0]);
	assert_null(ath_model_relation(&item_model, 0));
	assert_int_equal(ath_model_columns(&item_model), 4);
}

static void test_foreign_keys(void **state)
{
	struct ath_reference reference;

	(void)state;
	assert_false(ath_member_reference(&item_model, &item_members_[1], &reference));
	assert_true(ath_member_reference(&item_model, &item_members_[0], &reference));
	assert_ptr_equal(reference.target, &person_model);
	assert_int_equal(reference.count, 1);
	assert_ptr_equal(reference.columns[0], &item_members_[0]);
	assert_string_equal(reference.keys[0]->name, "id");
	assert_true(ath_member_reference(&item_model, &item_members_[10], &reference));
	assert_int_equal(reference.count, 2);
	assert_string_equal(reference.columns[0]->name, "edition_book_id");
	assert_string_equal(reference.keys[0]->name, "book_id");
	assert_string_equal(reference.columns[1]->name, "edition_number");
	assert_string_equal(reference.keys[1]->name, "number");
}

static void test_what_a_constraint_speaks_of(void **state)
{
	static const struct {
		const char *constraint, *columns;
	} rows[] = {
		{ "uq_people_email", "email" },
		{ "ck_people_age", "age" },
		{ "pk_people", "id" },
		{ "fk_pets_owner_id", "owner_id" },
		{ "ix_people_name", "name" },
		{ "pk_book_labels", "book_id label_id" }, /* in a schema */
		{ "uq_labels_name", "name" },
		{ "fk_books_edited_by", "editor_id" }, /* by its name in the database */
		{ "fk_books_editor_id", "" },
		{ "pk_editions", "book_id number" },
		{ "pk_items", "owner_id text" },
		{ "fk_items_owner_id", "owner_id" },
		{ "fk_items_edition_book_id_edition_number", "edition_book_id edition_number" },
		{ "uq_items_edition_number_owner_id", "edition_number owner_id" },
		{ "uq_items_mine", "text owner_id" },
		{ "ix_items_edition_number_text", "edition_number text" },
		{ "ix_items_lower_text", "" }, /* of an expression */
		{ "ck_items_order", "" },      /* likewise */
		{ "uq_people_pets", "" },      /* a relation is no column */
		{ "uq_people", "" },
		{ "uq_people_emails", "" },
		{ "uq_users_email", "" },
		{ "people_email_key", "" },
		{ "xx_people_email", "" },
		{ "pk_figures", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const struct ath_member *columns[ATH_CONSTRAINT_COLUMNS];
		size_t count = ath_constraint_members(models, rows[i].constraint, columns);
		char text[200] = "";

		for (size_t c = 0; c < count; c++)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
				 c == 0 ? "" : " ", columns[c]->name);
		if (strcmp(text, rows[i].columns) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[i].constraint, text,
				 rows[i].columns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_look_ups),
		cmocka_unit_test(test_rules_are_no_columns),
		cmocka_unit_test(test_foreign_keys),
		cmocka_unit_test(test_what_a_constraint_speaks_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
