/* test_model.c - the check of models at start: what it passes, and how it names what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "models.h"

/*
 * A model of two members to be bent: a copy of what ATH_COLUMN makes, so that every row of
 * the table below is one slip in an otherwise good model.
 */
struct item {
	int64_t id;
	struct ath_null_int64 owner_id;
	const char *text;
	int32_t number;
	double real;
	struct pet_list pets;
};

enum { ID, OWNER_ID, TEXT, NUMBER, REAL, PETS, MEMBERS };

static struct ath_member members[MEMBERS];
static struct ath_model item_model;
static struct ath_member pet_members[3];
static struct ath_model bent_pet_model;

static const struct ath_member good_members[MEMBERS] = {
	ATH_COLUMN(item, id, .primary_key = true),
	ATH_COLUMN(item, owner_id, .references = &person_model),
	ATH_COLUMN(item, text),
	ATH_COLUMN(item, number),
	ATH_COLUMN(item, real),
	{ .kind = ATH_MEMBER_HAS_MANY,
	  .name = "pets",
	  .offset = offsetof(struct item, pets),
	  .size = sizeof(struct pet_list),
	  .target = &bent_pet_model,
	  .key_offset = offsetof(struct pet, owner_id) },
};

/* A pet whose owner is an item, and that has no notes. */
static int setup(void **state)
{
	(void)state;
	memcpy(members, good_members, sizeof members);
	item_model = (struct ath_model){ "item", "items", sizeof(struct item), members, MEMBERS };
	memcpy(pet_members, pet_model.members, sizeof pet_members);
	pet_members[1].references = &item_model;
	bent_pet_model = pet_model;
	bent_pet_model.members = pet_members;
	bent_pet_model.member_count = ATH_COUNT(pet_members);
	bent_pet_model.size = offsetof(struct pet, notes);
	return 0;
}

static const struct ath_model *const models[] = { &item_model,     &person_model, &pet_model,
						  &bent_pet_model, &note_model,   NULL };

static void expect_refusal(const char *line)
{
	struct ath_error error;

	if (ath_models_check(models, &error) != ATH_EINVAL)
		fail_msg("not refused: %s", line);
	assert_int_equal(error.status, ATH_EINVAL);
	assert_null(strchr(error.message, '\n'));
	if (strstr(error.message, line) != error.message)
		fail_msg("\"%s\", not \"%s\"", error.message, line);
	setup(NULL);
}

static void test_good_models_pass(void **state)
{
	static const struct ath_model *const none[] = { NULL };
	struct ath_error error;

	(void)state;
	if (ath_models_check(test_models, &error) != ATH_OK)
		fail_msg("%s", error.message);
	if (ath_models_check(models, &error) != ATH_OK)
		fail_msg("%s", error.message);
	assert_int_equal(ath_models_check(none, &error), ATH_OK);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void test_names(void **state)
{
	static const char *const names[] = { "",      "Text",  "te xt",    "te\"xt",
					     "1text", "te-xt", "t\xc3\xa4" };
	static char long_name[80];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(names); i++) {
		char line[80];

		members[TEXT].name = names[i];
		snprintf(line, sizeof line, "model item, member %s: a name is made of", names[i]);
		expect_refusal(line);
		item_model.table = names[i];
		expect_refusal("model item: a table's name is made of");
	}
	memset(long_name, 'a', 64);
	item_model.table = long_name;
	expect_refusal("model item: a table's name is made of");
}

/* Together they are a constraint's name, and the server cuts it at 63 bytes. */
static void test_names_that_are_too_long_together(void **state)
{
	static char name[64];
	struct ath_error error;

	(void)state;
	memset(name, 'a', 63 - strlen("uq_items_"));
	members[TEXT].name = name;
	assert_int_equal(ath_models_check(models, &error), ATH_OK);
	name[strlen(name)] = 'a';
	expect_refusal("model item, member aaa");
	memset(name, 0, sizeof name);
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void test_one_primary_key(void **state)
{
	(void)state;
	members[ID].primary_key = false;
	expect_refusal("model item: it has no primary key");
	members[NUMBER].primary_key = true;
	expect_refusal("model item: it has more than one primary key");
}

static void test_types_of_keys(void **state)
{
	(void)state;
	members[ID].primary_key = false;
	members[REAL].primary_key = true;
	expect_refusal("model item, member real: a primary key is");
	members[ID].primary_key = false;
	members[OWNER_ID].primary_key = true;
	expect_refusal("model item, member owner_id: a primary key cannot be NULL");
	members[ID].primary_key = false;
	members[TEXT].primary_key = members[TEXT].nullable = true;
	expect_refusal("model item, member text: a primary key cannot be NULL");
}

/* ---- options -------------------------------------------------------------------------------- */

static void test_options_of_texts(void **state)
{
	(void)state;
	members[NUMBER].max_length = 5;
	expect_refusal("model item, member number: min_length, max_length and format are");
	members[NUMBER].min_length = 5;
	expect_refusal("model item, member number: min_length");
	members[NUMBER].format = ATH_EMAIL;
	expect_refusal("model item, member number: min_length");
	members[TEXT].min_length = 6;
	members[TEXT].max_length = 5;
	expect_refusal("model item, member text: min_length is above max_length");
	members[NUMBER].nullable = true;
	expect_refusal("model item, member number: only a text may be .nullable");
}

static void test_options_of_numbers(void **state)
{
	(void)state;
	members[TEXT].max = 5;
	expect_refusal("model item, member text: min and max are for numbers");
	members[NUMBER].min = 6;
	members[NUMBER].max = 5;
	expect_refusal("model item, member number: min is above max");
}

static void test_server_defaults(void **state)
{
	struct ath_error error;

	(void)state;
	members[NUMBER].server_default = "7";
	expect_refusal("model item, member number: zero is a value");
	members[NUMBER].server_default = "7";
	members[NUMBER].read_only = true;
	members[TEXT].server_default = "'x'";
	members[OWNER_ID].server_default = "1";
	assert_int_equal(ath_models_check(models, &error), ATH_OK);
}

/* ---- references ----------------------------------------------------------------------------- */

static void test_references(void **state)
{
	(void)state;
	members[OWNER_ID].references = &kind_model;
	expect_refusal("model item, member owner_id: the model it references is not in the list");
	members[NUMBER].references = &person_model;
	expect_refusal("model item, member number: it has another type than the primary key");
	members[NUMBER].on_delete = ATH_CASCADE;
	expect_refusal("model item, member number: on_delete needs .references");
	pet_members[1].nullable_struct = false;
	pet_members[1].on_delete = ATH_SET_NULL;
	pet_members[1].size = sizeof(struct ath_null_int64);
	expect_refusal("model pet, member owner_id: it cannot be set NULL");
}

static void test_relations(void **state)
{
	(void)state;
	members[PETS].target = &kind_model;
	expect_refusal("model item, member pets: its model is not in the list");
	members[PETS].key_offset = 3;
	expect_refusal("model item, member pets: the key is no column of its model");
	members[PETS].key_offset = offsetof(struct pet, name);
	expect_refusal("model item, member pets: the key does not reference this model");
	members[PETS].target = &pet_model;
	expect_refusal("model item, member pets: the key does not reference this model");
}

static void test_a_model_may_reference_itself(void **state)
{
	struct ath_error error;

	(void)state;
	members[OWNER_ID].references = &item_model;
	assert_int_equal(ath_models_check(models, &error), ATH_OK);
}

static void test_references_in_a_circle(void **state)
{
	(void)state;
	members[OWNER_ID].references = &bent_pet_model;
	expect_refusal("model item: its references lead back to it");
}

/* With two ways to go at every step, walking all of them would take for ever. */
static void test_circles_in_a_circle(void **state)
{
	static struct ath_member ring[3][4];
	static struct ath_model around[3];
	const struct ath_model *const list[] = { &around[0], &around[1], &around[2], NULL };
	struct ath_error error;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		memcpy(ring[i], good_members, sizeof ring[i]);
		ring[i][1].references = ring[i][0].references = &around[(i + 1) % 3];
		around[i] = (struct ath_model){ "around", "around", offsetof(struct item, real),
						ring[i], 4 };
		ring[i][2].references = NULL;
	}
	assert_int_equal(ath_models_check(list, &error), ATH_EINVAL);
	assert_non_null(strstr(error.message, "lead back"));
}

/* ---- the struct ----------------------------------------------------------------------------- */

static void drop_member(size_t which)
{
	memmove(&members[which], &members[which + 1], (MEMBERS - which - 1) * sizeof members[0]);
	item_model.member_count--;
}

static void test_every_member_is_mapped(void **state)
{
	(void)state;
	drop_member(ID);
	expect_refusal("model item, member owner_id: a member of the struct before it is not");
	drop_member(TEXT);
	expect_refusal("model item, member number: a member of the struct before it is not");
	drop_member(PETS);
	expect_refusal("model item: the last member of the struct is not in the model");
}

static void test_members_stand_in_order_and_once(void **state)
{
	struct ath_member text = good_members[TEXT];

	(void)state;
	members[NUMBER] = text;
	expect_refusal("model item, member text: it stands twice, or not in the order");
	members[TEXT] = good_members[NUMBER];
	members[NUMBER] = text;
	expect_refusal("model item, member number: a member of the struct before it is not");
}

/* ---- what stands in a model ----------------------------------------------------------------- */

static void test_depth(void **state)
{
	(void)state;
	assert_int_equal(ath_model_depth(&person_model), 0);
	assert_int_equal(ath_model_depth(&pet_model), 1);
	assert_int_equal(ath_model_depth(&note_model), 2);
}

static void test_look_ups(void **state)
{
	(void)state;
	assert_string_equal(ath_model_key(&ticket_model)->name, "code");
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

static void test_what_a_constraint_speaks_of(void **state)
{
	static const struct {
		const char *constraint;
		const struct ath_model *model;
		const char *member;
	} rows[] = {
		{ "uq_people_email", &person_model, "email" },
		{ "ck_people_age", &person_model, "age" },
		{ "pk_people", &person_model, "id" },
		{ "pk_tickets", &ticket_model, "code" },
		{ "fk_pets_owner_id", &pet_model, "owner_id" },
		{ "ix_people_name", &person_model, "name" },
		{ "uq_people_pets", NULL, NULL }, /* a relation is no column */
		{ "uq_people", NULL, NULL },
		{ "uq_people_emails", NULL, NULL },
		{ "uq_users_email", NULL, NULL },
		{ "people_email_key", NULL, NULL },
		{ "xx_people_email", NULL, NULL },
		{ "", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const struct ath_model *model;
		const struct ath_member *member =
			ath_constraint_member(test_models, rows[i].constraint, &model);

		if (rows[i].member == NULL) {
			assert_null(member);
			continue;
		}
		assert_non_null(member);
		assert_string_equal(member->name, rows[i].member);
		assert_ptr_equal(model, rows[i].model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good_models_pass, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup(test_names_that_are_too_long_together, setup),
		cmocka_unit_test_setup(test_one_primary_key, setup),
		cmocka_unit_test_setup(test_types_of_keys, setup),
		cmocka_unit_test_setup(test_options_of_texts, setup),
		cmocka_unit_test_setup(test_options_of_numbers, setup),
		cmocka_unit_test_setup(test_server_defaults, setup),
		cmocka_unit_test_setup(test_references, setup),
		cmocka_unit_test_setup(test_relations, setup),
		cmocka_unit_test_setup(test_a_model_may_reference_itself, setup),
		cmocka_unit_test_setup(test_references_in_a_circle, setup),
		cmocka_unit_test_setup(test_circles_in_a_circle, setup),
		cmocka_unit_test_setup(test_every_member_is_mapped, setup),
		cmocka_unit_test_setup(test_members_stand_in_order_and_once, setup),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_look_ups),
		cmocka_unit_test(test_what_a_constraint_speaks_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
