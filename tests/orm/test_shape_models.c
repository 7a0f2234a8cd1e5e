/* test_shape_models.c - what the check of models says of shapes, and of those that they lead to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orm/internal.h"
#include <athanor.h>

struct gem {
	int64_t id;
	const char *name;
};
ATH_DECLARE_RESULT(gem);
ATH_MODEL(gem, "gems", ATH_COLUMN(gem, id, .primary_key = true), ATH_COLUMN(gem, name));

struct inner {
	const char *word;
};
struct inner_list {
	struct inner **items;
	size_t count;
};
struct outer {
	const char *text;
	int32_t number;
	struct ath_text_array texts;
	struct ath_bytes bytes;
	struct inner *object;
	struct inner_list list;
	struct gem *gem;
};

enum { TEXT, NUMBER, TEXTS, BYTES, OBJECT, LIST, GEM, MEMBERS };

/* What a test may bend; the next one finds it as it was. */
static struct ath_member members[MEMBERS + 1], word;
static struct ath_model outer_model, inner_model;

static const struct ath_model *const alone[] = { &outer_model, NULL };
static const struct ath_model *const models[] = { &outer_model, &gem_model, NULL };

static int setup(void **state)
{
	const struct ath_member good_word = ATH_COLUMN(inner, word);
	const struct ath_member good[] = {
		ATH_COLUMN(outer, text, .max_length = 9),
		ATH_COLUMN(outer, number, .min = 1, .max = 9),
		ATH_COLUMN(outer, texts, .min_items = 1, .max_items = 9, .nullable = true),
		ATH_COLUMN(outer, bytes, .max_length = 9),
		ATH_OBJECT(outer, object, inner),
		ATH_LIST_OF(outer, list, inner, .min_items = 2, .max_items = 2),
		ATH_OBJECT(outer, gem, gem, .nullable = true),
		ATH_IGNORE_UNKNOWN,
	};

	(void)state;
	word = good_word;
	memcpy(members, good, sizeof members);
	inner_model =
		(struct ath_model){ ATH_SHAPE, "inner", NULL, sizeof(const char *), &word, 1 };
	outer_model = (struct ath_model){ ATH_SHAPE, "outer",    NULL, sizeof(struct outer),
					  members,   MEMBERS + 1 };
	return 0;
}

static void expect(const struct ath_model *const *list, const char *message, int line)
{
	struct ath_error error = { 0 };
	enum ath_status status = ath_models_check(list, &error);

	if (status != (message == NULL ? ATH_OK : ATH_EINVAL) ||
	    (message != NULL && strcmp(error.message, message) != 0))
		fail_msg("line %d: %d \"%s\"", line, status, error.message);
	setup(NULL);
}

#define GOOD()           expect(models, NULL, __LINE__)
#define REFUSED(message) expect(models, message, __LINE__)

static void test_good_shapes_pass(void **state)
{
	(void)state;
	GOOD();
	members[TEXT].name = "camelCase_2";
	GOOD();
	members[LIST].nullable = members[OBJECT].nullable = true;
	GOOD();
	members[LIST].min_items = 0;
	members[LIST].max_items = 0;
	GOOD();
}

#define OF_A_TABLE "it says something of a table, and a shape has none"

static void test_columns_say_nothing_of_a_table(void **state)
{
	(void)state;
	members[TEXT].unique = true;
	REFUSED("model outer, member text: " OF_A_TABLE);
	members[TEXT].index = true;
	REFUSED("model outer, member text: " OF_A_TABLE);
	members[NUMBER].primary_key = true;
	REFUSED("model outer, member number: " OF_A_TABLE);
	members[TEXT].column = "other";
	REFUSED("model outer, member text: " OF_A_TABLE);
	members[TEXT].read_only = true;
	REFUSED("model outer, member text: " OF_A_TABLE);
	members[NUMBER].version = true;
	REFUSED("model outer, member number: " OF_A_TABLE);
	members[TEXT].varchar = true;
	REFUSED("model outer, member text: " OF_A_TABLE);
	members[NUMBER].references = &gem_model;
	REFUSED("model outer, member number: " OF_A_TABLE);
	members[TEXT].server_default = "''";
	REFUSED("model outer, member text: " OF_A_TABLE);
	members[TEXT].update_function = ath_fill_now;
	REFUSED("model outer, member text: " OF_A_TABLE);
}

static void test_options_fit(void **state)
{
	(void)state;
	members[TEXT].min_length = 10;
	REFUSED("model outer, member text: min_length is above max_length");
	members[BYTES].min_length = 1;
	REFUSED("model outer, member bytes: min_length, max_length, varchar and format are for "
		"texts");
	members[NUMBER].max_length = 1;
	REFUSED("model outer, member number: min_length, max_length, varchar and format are for "
		"texts");
	members[NUMBER].min = 10;
	REFUSED("model outer, member number: min is above max");
	members[TEXT].max_items = 1;
	REFUSED("model outer, member text: min_items and max_items are for the arrays and lists of "
		"a "
		"shape");
	members[OBJECT].min_items = 1;
	REFUSED("model outer, member object: min_items and max_items are for the arrays and lists "
		"of "
		"a shape");
	members[TEXTS].min_items = 10;
	REFUSED("model outer, member texts: min_items is above max_items");
	members[LIST].min_items = 3;
	REFUSED("model outer, member list: min_items is above max_items");
	members[OBJECT].default_value = "";
	REFUSED("model outer, member object: an object may be .nullable, a list have .min_items "
		"and "
		".max_items");
	members[LIST].max_length = 2;
	REFUSED("model outer, member list: an object may be .nullable, a list have .min_items and "
		".max_items");
	members[TEXT].name = "te-xt";
	REFUSED("model outer, member te-xt: a name is made of letters of ASCII, 0-9 and _, and is "
		"at "
		"most 63 long");
}

static void test_members_are_all_there(void **state)
{
	(void)state;
	outer_model.members++;
	outer_model.member_count--;
	REFUSED("model outer, member number: a member of the struct before it is not in the model");
	outer_model.member_count -= 2;
	REFUSED("model outer: the last member of the struct is not in the model");
	members[LIST] = members[OBJECT];
	REFUSED("model outer, member object: it stands twice, or not in the order of the struct");
	outer_model.member_count = 0;
	REFUSED("model outer: the last member of the struct is not in the model");
	outer_model.member_count = outer_model.size = 0;
	REFUSED("model outer: the last member of the struct is not in the model");
	members[MEMBERS].kind = ATH_MEMBER_UNIQUE;
	REFUSED("model outer, member (a rule): a shape has columns, objects and lists alone");
	members[OBJECT].kind = ATH_MEMBER_BELONGS_TO;
	REFUSED("model outer, member object: a shape has columns, objects and lists alone");
}

static void test_what_it_leads_to(void **state)
{
	(void)state;
	/* shapes are checked though they are in no list, models have to be in it */
	word.min = 1;
	REFUSED("model inner, member word: min and max are for numbers");
	expect(alone, "model outer, member gem: its model is not in the list of models", __LINE__);
	/* a table's row is no place for objects */
	outer_model.kind = ATH_RESULT;
	members[TEXTS].min_items = members[TEXTS].max_items = 0;
	members[BYTES].max_length = 0;
	REFUSED("model outer, member object: objects, lists and ATH_IGNORE_UNKNOWN are for "
		"shapes");
	outer_model.kind = ATH_RESULT;
	members[OBJECT] = members[MEMBERS];
	members[TEXTS].min_items = members[TEXTS].max_items = 0;
	members[BYTES].max_length = 0;
	REFUSED("model outer, member (a rule): objects, lists and ATH_IGNORE_UNKNOWN are for "
		"shapes");
}

static void test_objects_without_end(void **state)
{
	(void)state;
	/* one that must hold itself can never be made; one that may, or a list, can */
	members[OBJECT].target = &outer_model;
	REFUSED("model outer: with the objects that it must have it is larger than 4096 bytes");
	members[OBJECT].target = &outer_model;
	members[OBJECT].nullable = true;
	GOOD();
	members[LIST].target = &outer_model;
	GOOD();
	outer_model.size = 5000;
	REFUSED("model outer: a struct of more than 4096 bytes is too large for a row");
}

/* A chain of shapes, each in a list of the one before. */
static void test_shapes_without_end(void **state)
{
	enum { MOST = 64 };
	static struct ath_model chain[MOST + 1];
	static struct ath_member links[MOST + 1];
	static const struct ath_model *const first[] = { &chain[0], NULL };
	struct chain_link {
		struct inner_list list;
	};
	const struct ath_member link = ATH_LIST_OF(chain_link, list, inner);

	(void)state;
	for (size_t i = 0; i <= MOST; i++) {
		links[i] = link;
		links[i].target = &chain[(i + 1) % (MOST + 1)];
		chain[i] = (struct ath_model){ ATH_SHAPE, "link", NULL, sizeof(struct chain_link),
					       &links[i], 1 };
	}
	expect(first, "model link: it leads to more than 64 shapes", __LINE__);
	links[MOST - 1].target = &chain[0];
	expect(first, NULL, __LINE__);
}

static void test_no_query_is_over_a_shape(void **state)
{
	struct ath_query query = ath_query_of(&outer_model);

	(void)state;
	assert_int_equal(query.status, ATH_EINVAL);
	assert_string_equal(query.mistake, "a query is over a table or a view");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good_shapes_pass, setup),
		cmocka_unit_test_setup(test_columns_say_nothing_of_a_table, setup),
		cmocka_unit_test_setup(test_options_fit, setup),
		cmocka_unit_test_setup(test_members_are_all_there, setup),
		cmocka_unit_test_setup(test_what_it_leads_to, setup),
		cmocka_unit_test_setup(test_objects_without_end, setup),
		cmocka_unit_test_setup(test_shapes_without_end, setup),
		cmocka_unit_test_setup(test_no_query_is_over_a_shape, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
