/* test_model.c - the check of models at start: what it passes, and how it names what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "books.h"
#include "models.h"

/*
 * A model to be bent: a copy of what the macros make, so that every row of the tables below is
 * one slip in an otherwise good model.
 */
struct item {
	int64_t id;
	struct ath_null_int64 owner_id;
	const char *text;
	int32_t number;
	double real;
	enum genre genre;
	struct ath_decimal price;
	struct ath_null_timestamp moment;
	struct ath_text_array tags;
	struct pet_list pets;
	struct person *owner;
	struct label_list labels;
};
struct item_label {
	int64_t item_id;
	int32_t label_id;
	int32_t edition_number;
	int64_t edition_book_id;
};

enum {
	ID,
	OWNER_ID,
	TEXT,
	NUMBER,
	REAL,
	GENRE,
	PRICE,
	MOMENT,
	TAGS,
	PETS,
	OWNER,
	LABELS,
	INDEX,
	LOWER,
	UNIQUE,
	CHECK,
	COMMENT,
	MEMBERS
};
enum { ITEM_ID, LABEL_ID, EDITION_NUMBER, EDITION_BOOK_ID, EDITION, LINK_MEMBERS };

static struct ath_member members[MEMBERS], link_members[LINK_MEMBERS], pet_members[3],
	label_members[2];
static struct ath_model item_model, item_label_model, bent_pet_model, bent_label_model;

static const struct ath_member good_members[MEMBERS] = {
	ATH_COLUMN(item, id, .primary_key = true),
	ATH_COLUMN(item, owner_id, .references = &person_model),
	ATH_COLUMN(item, text),
	ATH_COLUMN(item, number),
	ATH_COLUMN(item, real),
	ATH_COLUMN(item, genre, .values = ATH_VALUES("novel", "poem", "essay")),
	ATH_COLUMN(item, price, .precision = 38, .scale = 38),
	ATH_COLUMN(item, moment),
	ATH_COLUMN(item, tags),
	{ .kind = ATH_MEMBER_HAS_MANY,
	  .name = "pets",
	  .offset = offsetof(struct item, pets),
	  .size = sizeof(struct pet_list),
	  .target = &bent_pet_model,
	  .key_offset = offsetof(struct pet, owner_id) },
	ATH_BELONGS_TO(item, owner, person, owner_id),
	ATH_MANY_TO_MANY(item, labels, label, item_label, item_id, label_id),
	ATH_INDEX(item, ATH_COLUMNS(item, owner_id, text)),
	ATH_INDEX_ON(item, lower_text, "lower(text)"),
	ATH_UNIQUE(item, ATH_COLUMNS(item, number, genre)),
	ATH_CHECK(item, order, "number < real"),
	ATH_COMMENT("What there is"),
};

static const struct ath_member good_link_members[LINK_MEMBERS] = {
	ATH_COLUMN(item_label, item_id, .primary_key = true, .references = &item_model),
	ATH_COLUMN(item_label, label_id, .primary_key = true, .references = &label_model),
	ATH_COLUMN(item_label, edition_number),
	ATH_COLUMN(item_label, edition_book_id),
	ATH_FOREIGN_KEY(item_label, ATH_COLUMNS(item_label, edition_book_id, edition_number),
			edition, .on_delete = ATH_CASCADE),
};

/* A pet whose owner is an item, and that has no notes; a label without books. */
static int setup(void **state)
{
	(void)state;
	memcpy(members, good_members, sizeof members);
	item_model = (struct ath_model){ ATH_TABLE,           "item",  "items",
					 sizeof(struct item), members, MEMBERS };
	memcpy(link_members, good_link_members, sizeof link_members);
	item_label_model = (struct ath_model){ ATH_TABLE,     "item_label",
					       "item_labels", sizeof(struct item_label),
					       link_members,  LINK_MEMBERS };
	memcpy(pet_members, pet_model.members, sizeof pet_members);
	pet_members[1].references = &item_model;
	bent_pet_model = pet_model;
	bent_pet_model.members = pet_members;
	bent_pet_model.member_count = ATH_COUNT(pet_members);
	bent_pet_model.size = offsetof(struct pet, notes);
	memcpy(label_members, label_model.members, sizeof label_members);
	bent_label_model = label_model;
	bent_label_model.members = label_members;
	bent_label_model.member_count = ATH_COUNT(label_members);
	bent_label_model.size = offsetof(struct label, books);
	return 0;
}

static const struct ath_model *const models[] = {
	&item_model,    &item_label_model, &person_model, &pet_model,        &bent_pet_model,
	&note_model,    &author_model,     &book_model,   &label_model,      &book_label_model,
	&profile_model, &edition_model,    &figure_model, &bent_label_model, NULL
};

static void expect_refusal_at(const char *line, int at)
{
	struct ath_error error;

	if (ath_models_check(models, &error) != ATH_EINVAL)
		fail_msg("line %d: not refused: %s", at, line);
	assert_int_equal(error.status, ATH_EINVAL);
	assert_null(strchr(error.message, '\n'));
	if (strstr(error.message, line) != error.message)
		fail_msg("line %d: \"%s\", not \"%s\"", at, error.message, line);
	setup(NULL);
}

#define REFUSED(line) expect_refusal_at((line), __LINE__)

static void expect_good(int at)
{
	struct ath_error error;

	if (ath_models_check(models, &error) != ATH_OK)
		fail_msg("line %d: %s", at, error.message);
	assert_int_equal(error.status, ATH_OK);
	setup(NULL);
}

#define GOOD() expect_good(__LINE__)

static void drop_member(size_t which)
{
	memmove(&members[which], &members[which + 1], (MEMBERS - which - 1) * sizeof members[0]);
	item_model.member_count--;
}

static void test_good_models_pass(void **state)
{
	static const struct ath_model *const none[] = { NULL };
	struct ath_error error;

	(void)state;
	if (ath_models_check(test_models, &error) != ATH_OK)
		fail_msg("%s", error.message);
	if (ath_models_check(book_models, &error) != ATH_OK)
		fail_msg("%s", error.message);
	GOOD();
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
		REFUSED(line);
		members[TEXT].column = names[i];
		REFUSED("model item, member text: a name is made of");
		item_model.table = names[i];
		REFUSED("model item: a table's name is made of");
		members[LOWER].name = names[i];
		snprintf(line, sizeof line, "model item, member %s: a name is made of", names[i]);
		REFUSED(line);
		members[CHECK].name = names[i];
		REFUSED(line);
		members[PETS].name = names[i];
		REFUSED(line);
	}
	memset(long_name, 'a', 64);
	item_model.table = long_name;
	REFUSED("model item: a table's name is made of");
}

static void test_names_with_a_schema(void **state)
{
	static const char *const names[] = { ".items",   "shelf.",      "a.b.c", "Shelf.items",
					     "a .items", "shelf.Items", "..",    "1.items" };
	static char long_schema[80];

	(void)state;
	item_model.table = "shelf.items";
	GOOD();
	for (size_t i = 0; i < ATH_COUNT(names); i++) {
		item_model.table = names[i];
		REFUSED("model item: a table's name is made of");
	}
	for (size_t length = 63; length < 66; length++) {
		memset(long_schema, 'a', length);
		strcpy(long_schema + length, ".b");
		item_model.table = long_schema;
		if (length == 63)
			GOOD();
		else
			REFUSED("model item: a table's name is made of");
	}
}

/* Together they are a constraint's name, and the server cuts it at 63 bytes. */
static void test_names_that_are_too_long_together(void **state)
{
	static char name[64];
	static const size_t which[] = { REAL, LOWER, CHECK };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(which); i++) {
		memset(name, 0, sizeof name);
		memset(name, 'a', 63 - strlen("uq_items_"));
		members[which[i]].name = name;
		GOOD();
		members[which[i]].name = name;
		name[strlen(name)] = 'a';
		REFUSED("model item, member aaa");
	}
	/* the name in the database counts, and the schema does not */
	memset(name, 0, sizeof name);
	memset(name, 'a', 63 - strlen("uq_items_"));
	members[REAL].column = name;
	item_model.table = "a_schema_that_is_long.items";
	GOOD();
	members[REAL].column = name;
	name[strlen(name)] = 'a';
	REFUSED("model item, member real: table and member together are too long");
	/* ix_items_<50>_owner_id of two columns */
	memset(name, 0, sizeof name);
	memset(name, 'a', 63 - strlen("ix_items_owner_id_"));
	members[TEXT].column = name;
	GOOD();
	members[TEXT].column = name;
	name[strlen(name)] = 'a';
	REFUSED("model item, member (a rule): table and columns together are too long");
}

/* ---- one slip each -------------------------------------------------------------------------- */

#define SLIP(name, ...)                                                                            \
	static void name(struct ath_member *member)                                                \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

static bool fill(void *member)
{
	(void)member;
	return true;
}

/* clang-format off */
SLIP(make_key, member->primary_key = true)
SLIP(make_nullable_key, member->primary_key = member->nullable = true)
SLIP(set_max_length, member->max_length = 5)
SLIP(set_min_length, member->min_length = 5)
SLIP(make_varchar, member->varchar = true; member->max_length = 5)
SLIP(make_bare_varchar, member->varchar = true)
SLIP(set_format, member->format = ATH_EMAIL)
SLIP(cross_lengths, member->min_length = 6; member->max_length = 5)
SLIP(make_nullable, member->nullable = true)
SLIP(set_max, member->max = 5)
SLIP(set_min, member->min = -5)
SLIP(cross_bounds, member->min = 6; member->max = 5)
SLIP(set_precision, member->precision = 5)
SLIP(set_scale, member->scale = 2)
SLIP(drop_precision, member->precision = member->scale = 0)
SLIP(exceed_precision, member->precision = 39; member->scale = 2)
SLIP(lower_scale, member->scale = -1)
SLIP(exceed_scale, member->precision = 5; member->scale = 6)
SLIP(make_identity, member->identity = true)
SLIP(make_version, member->version = true)
SLIP(make_read_only_version, member->version = member->read_only = true)
SLIP(set_values, static const char *const some[] = { "a", NULL }; member->values = some)
SLIP(drop_values, member->values = NULL)
SLIP(empty_values, static const char *const none[] = { NULL }; member->values = none)
SLIP(double_values, static const char *const twice[] = { "a", "b", "a", NULL };
     member->values = twice)
SLIP(set_server_default, member->server_default = "7")
SLIP(set_two_defaults, member->default_value = ""; member->default_function = fill)
SLIP(generate_with_default, member->generated = "7"; member->server_default = "7")
SLIP(fill_read_only, member->read_only = true; member->default_function = fill)
SLIP(fill_generated, member->generated = "7"; member->default_value = "")
SLIP(update_identity, member->identity = true; member->update_function = fill)
SLIP(cascade, member->on_delete = ATH_CASCADE)
SLIP(cascade_update, member->on_update = ATH_CASCADE)
SLIP(refer_to_stranger, member->references = &kind_model)
SLIP(refer_by_text, member->references = &person_model)
SLIP(refer_by_one_of_two, member->references = &edition_model)
SLIP(refer_to_no_table, member->references = &figure_model)
SLIP(lead_to_stranger, member->target = &kind_model)
SLIP(lead_by_nothing, member->key_offset = 3)
SLIP(lead_by_text, member->key_offset = offsetof(struct pet, name))
SLIP(lead_elsewhere, member->target = &pet_model)
SLIP(belong_by_text, member->key_offset = offsetof(struct item, text))
SLIP(belong_elsewhere, member->target = &label_model)
SLIP(go_through_stranger, member->through = &ticket_model)
SLIP(go_through_another, member->through = &book_label_model)
SLIP(cross_sides, size_t near = member->near_offset; member->near_offset = member->far_offset;
     member->far_offset = near)
SLIP(name_no_column, static const size_t offsets[] = { 0, 3 };
     member->columns = (struct ath_columns){ offsets, 2 })
SLIP(name_relation, static const size_t offsets[] = { offsetof(struct item, pets) };
     member->columns = (struct ath_columns){ offsets, 1 })
SLIP(name_too_many, static const size_t offsets[9] = { 0 };
     member->columns = (struct ath_columns){ offsets, 9 })
SLIP(name_none, member->columns.count = 0)
SLIP(comment, member->comment = "x")
/* clang-format on */

/* What is bent in a member, and what is said of it behind "model item, member ". */
static const struct {
	size_t which;
	void (*bend)(struct ath_member *member);
	const char *line;
} slips[] = {
	{ REAL, make_key, "real: a primary key is an integer" },
	{ GENRE, make_key, "genre: a primary key is an integer" },
	{ TAGS, make_key, "tags: a primary key is an integer" },
	{ OWNER_ID, make_key, "owner_id: a primary key cannot be NULL" },
	{ TEXT, make_nullable_key, "text: a primary key cannot be NULL" },
	{ NUMBER, set_max_length, "number: min_length, max_length, varchar and format are" },
	{ TAGS, set_min_length, "tags: min_length, max_length, varchar and format are" },
	{ NUMBER, make_varchar, "number: min_length, max_length, varchar and format are" },
	{ NUMBER, set_format, "number: min_length, max_length, varchar and format are" },
	{ TEXT, cross_lengths, "text: min_length is above max_length" },
	{ TEXT, make_bare_varchar, "text: a varchar has a max_length" },
	{ NUMBER, make_nullable, "number: only a pointer may be .nullable" },
	{ MOMENT, make_nullable, "moment: only a pointer may be .nullable" },
	{ TEXT, set_max, "text: min and max are for numbers" },
	{ GENRE, set_min, "genre: min and max are for numbers" },
	{ NUMBER, cross_bounds, "number: min is above max" },
	{ NUMBER, set_precision, "number: precision and scale are for decimals" },
	{ REAL, set_scale, "real: precision and scale are for decimals" },
	{ PRICE, drop_precision, "price: a decimal has a .precision from 1 to 38" },
	{ PRICE, exceed_precision, "price: a decimal has a .precision from 1 to 38" },
	{ PRICE, lower_scale, "price: scale is from 0 to precision" },
	{ PRICE, exceed_scale, "price: scale is from 0 to precision" },
	{ TEXT, make_identity, "text: an identity is an integer" },
	{ TEXT, make_version, "text: a version is an int32_t or int64_t that is sent" },
	{ OWNER_ID, make_version, "owner_id: a version is an int32_t or int64_t" },
	{ NUMBER, make_read_only_version, "number: a version is an int32_t or int64_t" },
	{ TEXT, set_values, "text: values are for an enum" },
	{ GENRE, drop_values, "genre: an enum needs its .values" },
	{ GENRE, empty_values, "genre: an enum needs its .values" },
	{ GENRE, double_values, "genre: two of its values are the same" },
	{ NUMBER, set_server_default, "number: zero is a value" },
	{ PRICE, set_server_default, "price: zero is a value" },
	{ GENRE, set_server_default, "genre: zero is a value" },
	{ TEXT, set_two_defaults, "text: it has two defaults" },
	{ TEXT, generate_with_default, "text: a generated column has no default" },
	{ MOMENT, fill_read_only, "moment: what the database fills in" },
	{ TEXT, fill_generated, "text: what the database fills in" },
	{ NUMBER, update_identity, "number: what the database fills in" },
	{ NUMBER, cascade, "number: on_delete and on_update need .references" },
	{ NUMBER, cascade_update, "number: on_delete and on_update need .references" },
	{ OWNER_ID, refer_to_stranger, "owner_id: the model it references is not in the list" },
	{ NUMBER, refer_by_text, "number: it has another type than the primary key" },
	{ OWNER_ID, refer_by_one_of_two, "owner_id: it has other columns than the primary key" },
	{ OWNER_ID, refer_to_no_table, "owner_id: what it references is no table" },
	{ PETS, lead_to_stranger, "pets: its model is not in the list" },
	{ PETS, lead_by_nothing, "pets: its key does not reference the other model" },
	{ PETS, lead_by_text, "pets: its key does not reference the other model" },
	{ PETS, lead_elsewhere, "pets: its key does not reference the other model" },
	{ OWNER, belong_by_text, "owner: its key does not reference the other model" },
	{ OWNER, belong_elsewhere, "owner: its key does not reference the other model" },
	{ LABELS, go_through_stranger, "labels: its model is not in the list" },
	{ LABELS, go_through_another, "labels: its key does not reference the other model" },
	{ LABELS, cross_sides, "labels: its key does not reference the other model" },
	{ INDEX, name_no_column, "(a rule): it names a member that is no column" },
	{ UNIQUE, name_no_column, "(a rule): it names a member that is no column" },
	{ UNIQUE, name_relation, "(a rule): it names a member that is no column" },
	{ INDEX, name_too_many, "(a rule): more columns than a constraint has" },
	{ INDEX, name_none, "(a rule): it names no column" },
	{ UNIQUE, name_none, "(a rule): it names no column" },
	{ INDEX, comment, "(a rule): a comment is one of a column or of the table" },
};

static void test_each_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(slips); i++) {
		char line[200];

		slips[i].bend(&members[slips[i].which]);
		snprintf(line, sizeof line, "model item, member %s", slips[i].line);
		expect_refusal_at(line, (int)i);
	}
}

/* ... and what stands next to them is right. */
static void test_what_is_just_right(void **state)
{
	(void)state;
	make_varchar(&members[TEXT]);
	GOOD();
	members[TEXT].min_length = members[TEXT].max_length = 5;
	GOOD();
	make_nullable(&members[TEXT]);
	make_nullable(&members[TAGS]);
	GOOD();
	members[PRICE].max = 5;
	members[REAL].min = -5;
	GOOD();
	members[PRICE].precision = 1;
	members[PRICE].scale = 0;
	GOOD();
	make_identity(&members[NUMBER]);
	GOOD();
	make_version(&members[NUMBER]);
	GOOD();
	members[NUMBER].server_default = "7";
	members[NUMBER].read_only = true;
	members[TEXT].server_default = "'x'";
	members[OWNER_ID].server_default = "1";
	GOOD();
	members[MOMENT].default_function = ath_fill_now;
	members[MOMENT].update_function = ath_fill_now;
	GOOD();
	members[OWNER_ID].on_delete = ATH_SET_NULL;
	members[OWNER_ID].on_update = ATH_CASCADE;
	GOOD();
	members[OWNER_ID].references = &item_model; /* itself */
	members[OWNER].target = &item_model;
	GOOD();
}

/* Some are told of a model as a whole. */
static void test_keys_and_versions(void **state)
{
	(void)state;
	members[ID].version = members[NUMBER].version = true;
	REFUSED("model item: it has more than one version");
	item_label_model.member_count = EDITION;
	link_members[ITEM_ID].primary_key = link_members[LABEL_ID].primary_key = false;
	REFUSED("model item_label: it has no primary key");
	for (size_t i = 0; i < 4; i++)
		link_members[i].primary_key = true;
	GOOD();
}

static void test_a_key_of_too_many_columns(void **state)
{
	static struct day {
		struct ath_date a, b, c, d, e;
	} day;
	struct ath_member days[5] = { ATH_COLUMN(day, a, .primary_key = true),
				      ATH_COLUMN(day, b, .primary_key = true),
				      ATH_COLUMN(day, c, .primary_key = true),
				      ATH_COLUMN(day, d, .primary_key = true), ATH_COLUMN(day, e) };
	const struct ath_model model = { ATH_TABLE, "day", "days", sizeof day, days, 5 };
	const struct ath_model *const list[] = { &model, NULL };
	struct ath_error error;

	(void)state;
	assert_int_equal(ath_models_check(list, &error), ATH_OK);
	days[4].primary_key = true;
	assert_int_equal(ath_models_check(list, &error), ATH_EINVAL);
	assert_string_equal(error.message,
			    "model day: it has a primary key of more than 4 columns");
}

/* Those of the side that is referred to. */
static void test_relations_need_a_key_of_one_column(void **state)
{
	(void)state;
	members[NUMBER].primary_key = true;
	REFUSED("model item, member pets: a relation goes over a primary key of one column");
	members[LABELS].target = link_members[LABEL_ID].references = &bent_label_model;
	GOOD();
	members[LABELS].target = link_members[LABEL_ID].references = &bent_label_model;
	label_members[1].primary_key = true;
	REFUSED("model item, member labels: a relation goes over a primary key of one column");
	/* of a row that belongs to another, and of one of many, any key will do */
	bent_pet_model.members = pet_members;
	pet_members[2].primary_key = true;
	GOOD();
}

static void test_foreign_keys_of_several_columns(void **state)
{
	static const size_t one[] = { offsetof(struct item_label, edition_book_id) };
	static const size_t wrong[] = { offsetof(struct item_label, edition_number),
					offsetof(struct item_label, edition_book_id) };
	static const size_t none[] = { offsetof(struct item_label, edition_book_id), 3 };

	(void)state;
	link_members[EDITION].columns = (struct ath_columns){ one, 1 };
	REFUSED("model item_label, member (a rule): it has other columns than the primary key");
	link_members[EDITION].columns = (struct ath_columns){ wrong, 2 };
	REFUSED("model item_label, member (a rule): it has another type than the primary key");
	link_members[EDITION].columns = (struct ath_columns){ none, 2 };
	REFUSED("model item_label, member (a rule): it names a member that is no column");
	link_members[EDITION].references = &kind_model;
	REFUSED("model item_label, member (a rule): the model it references is not in the list");
	link_members[EDITION].on_delete = ATH_SET_NULL;
	REFUSED("model item_label, member (a rule): it cannot be set NULL");
	link_members[EDITION].on_update = ATH_SET_NULL;
	REFUSED("model item_label, member (a rule): it cannot be set NULL");
	link_members[LABEL_ID].on_delete = ATH_SET_NULL;
	REFUSED("model item_label, member label_id: it cannot be set NULL");
}

/* Two rules of one name: of the second the database would say nothing, or refuse it. */
static void test_rules_of_one_name(void **state)
{
	(void)state;
	members[UNIQUE].kind = ATH_MEMBER_INDEX;
	members[UNIQUE].columns = members[INDEX].columns;
	REFUSED("model item, member (a rule): another rule has its name, ix_items_owner_id_text");
	members[UNIQUE].kind = ATH_MEMBER_INDEX;
	members[UNIQUE].columns = members[INDEX].columns;
	members[UNIQUE].name = "another";
	GOOD();
	members[LOWER].name = "text";
	members[TEXT].index = true;
	REFUSED("model item, member text: another rule has its name, ix_items_text");
	members[CHECK].name = "number";
	GOOD();
	members[CHECK].name = "number";
	members[NUMBER].max = 5;
	REFUSED("model item, member number: another rule has its name, ck_items_number");
	members[CHECK].name = "genre";
	REFUSED("model item, member genre: another rule has its name, ck_items_genre");
	members[UNIQUE].columns.count = 1;
	members[NUMBER].unique = true;
	REFUSED("model item, member number: another rule has its name, uq_items_number");
	/* one column may be of several kinds */
	members[NUMBER].unique = members[NUMBER].index = true;
	members[NUMBER].max = 5;
	GOOD();
}

/* ---- kinds of models ------------------------------------------------------------------------ */

struct line {
	const char *text;
	int64_t count;
	struct person *owner;
};

static void test_views_and_results(void **state)
{
	struct ath_member some[3] = { ATH_COLUMN(line, text), ATH_COLUMN(line, count),
				      ATH_BELONGS_TO(line, owner, person, count) };
	struct ath_model model = { ATH_VIEW, "line", "lines", sizeof(struct line), some, 3 };
	const struct ath_model *const list[] = { &model, &person_model, &pet_model, &note_model,
						 NULL };
	struct ath_error error;

	(void)state;
	some[1].references = &person_model;
	assert_int_equal(ath_models_check(list, &error), ATH_OK);
	model.kind = ATH_RESULT;
	model.table = NULL;
	assert_int_equal(ath_models_check(list, &error), ATH_EINVAL);
	assert_string_equal(error.message, "model line, member owner: a result has no relations");
	model.size = offsetof(struct line, owner);
	model.member_count = 2;
	assert_int_equal(ath_models_check(list, &error), ATH_OK);
	model.kind = ATH_TABLE;
	model.table = "lines";
	assert_int_equal(ath_models_check(list, &error), ATH_EINVAL);
	assert_string_equal(error.message, "model line: it has no primary key");
}

static void test_models_may_refer_to_each_other(void **state)
{
	(void)state;
	members[OWNER_ID].references = &bent_pet_model;
	members[OWNER].target = &bent_pet_model;
	GOOD();
}

/* ---- the struct ----------------------------------------------------------------------------- */

static void test_every_member_is_mapped(void **state)
{
	(void)state;
	drop_member(ID);
	REFUSED("model item, member owner_id: a member of the struct before it is not");
	drop_member(TEXT);
	REFUSED("model item, member number: a member of the struct before it is not");
	drop_member(PRICE);
	REFUSED("model item, member moment: a member of the struct before it is not");
	drop_member(PETS);
	REFUSED("model item, member owner: a member of the struct before it is not");
	drop_member(LABELS);
	REFUSED("model item: the last member of the struct is not in the model");
}

static void test_members_stand_in_order_and_once(void **state)
{
	struct ath_member text = good_members[TEXT];

	(void)state;
	members[NUMBER] = text;
	REFUSED("model item, member text: it stands twice, or not in the order");
	members[TEXT] = good_members[NUMBER];
	members[NUMBER] = text;
	REFUSED("model item, member number: a member of the struct before it is not");
}

static void test_structs_that_are_too_large(void **state)
{
	(void)state;
	item_model.size = 5000;
	REFUSED("model item: a struct of more than 4096 bytes is too large");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good_models_pass, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup(test_names_with_a_schema, setup),
		cmocka_unit_test_setup(test_names_that_are_too_long_together, setup),
		cmocka_unit_test_setup(test_each_rule, setup),
		cmocka_unit_test_setup(test_what_is_just_right, setup),
		cmocka_unit_test_setup(test_keys_and_versions, setup),
		cmocka_unit_test(test_a_key_of_too_many_columns),
		cmocka_unit_test_setup(test_relations_need_a_key_of_one_column, setup),
		cmocka_unit_test_setup(test_foreign_keys_of_several_columns, setup),
		cmocka_unit_test_setup(test_rules_of_one_name, setup),
		cmocka_unit_test(test_views_and_results),
		cmocka_unit_test_setup(test_models_may_refer_to_each_other, setup),
		cmocka_unit_test_setup(test_every_member_is_mapped, setup),
		cmocka_unit_test_setup(test_members_stand_in_order_and_once, setup),
		cmocka_unit_test_setup(test_structs_that_are_too_large, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
