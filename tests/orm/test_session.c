/*
 * test_session.c - sessions on a real database: what they read, store, refuse and undo, and
 * how often they go there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../base/random.h"
#include "scenario.h"

enum { HUNDRED = 100 };

/* ---- a few rows ----------------------------------------------------------------------------- */

static struct person *new_person(struct ath_session *db, const char *name, const char *email)
{
	struct person *person = person_new(db);

	person->name = name;
	person->email = email;
	person_add(db, person);
	return person;
}

static void store_three(void)
{
	run_sql("insert into people (name, email, nick, age, score) values "
		"('Ada', 'ada@x', null, 36, 1), ('Bob', 'bob@x', 'b', null, null), "
		"('Cid', 'cid@x', 'c', 85, 3)");
}

static struct ath_query everyone(void)
{
	struct ath_query query = ath_query(person);

	ath_order_by(&query, ATH_ASC(person, id));
	return query;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void gets(struct ath_session *db)
{
	struct person *ada, *bob;

	store_three();
	ada = person_get(db, 1);
	bob = person_get(db, 2);
	if (!EXPECT(ada != NULL) || !EXPECT(bob != NULL))
		return;
	EXPECT_TEXT(ada->name, "Ada");
	EXPECT_TEXT(ada->email, "ada@x");
	EXPECT(ada->nick == NULL);
	EXPECT(ada->age.valid && ada->age.value == 36);
	EXPECT(ada->born.microseconds > 0);
	EXPECT_TEXT(bob->nick, "b");
	EXPECT(!bob->age.valid);
	EXPECT(person_get(db, 4) == NULL);
	EXPECT(person_get(db, INT64_MIN) == NULL);
	EXPECT_STATUS(db, ATH_OK);
}

static void keeps_one_object_for_one_row(struct ath_session *db)
{
	struct ath_query query = everyone();
	struct person_list list;
	struct person *ada;
	size_t before;

	store_three();
	ada = person_get(db, 1);
	list = person_all(db, &query);
	if (!EXPECT(list.count == 3))
		return;
	EXPECT(list.items[0] == ada);
	before = db->statement_count;
	EXPECT(person_get(db, 1) == ada);
	EXPECT(person_get(db, 3) == list.items[2]);
	EXPECT(db->statement_count == before);
	EXPECT(person_first(db, &query) == ada);
}

/* What others store meanwhile does not change objects that are known. */
/* The same object, with what the database holds by now. */
static void reads_a_known_row_anew(struct ath_session *db)
{
	struct ath_query query = everyone();
	struct person *ada;

	store_three();
	ada = person_get(db, 1);
	run_sql("update people set name = 'Other' where id = 1");
	EXPECT(person_get(db, 1) == ada);
	EXPECT_TEXT(ada->name, "Ada"); /* a known row is got without asking */
	EXPECT(person_first(db, &query) == ada);
	EXPECT_TEXT(ada->name, "Other");
	ada->nick = "n";
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select name || nick from people where id = 1"), "Othern");
}

/* What another has stored before the lock was ours must not be overwritten. */
static void locks_the_newest_row(struct ath_session *db)
{
	struct ath_query query = ath_query(person);
	struct person *ada;

	store_three();
	ada = person_get(db, 1);
	run_sql("update people set age = 50 where id = 1");
	ath_where(&query, ATH_EQ(person, id, 1));
	ath_lock(&query, ATH_FOR_UPDATE);
	EXPECT(person_one(db, &query) == ada);
	ada->age.value -= 10;
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select age from people where id = 1", 40);
}

/* A child that has moved to another parent since it was read belongs there. */
static void loads_children_where_they_are_now(struct ath_session *db)
{
	struct ath_query query = everyone();
	struct person_list people;

	store_three();
	run_sql("insert into pets (owner_id, name) values (1, 'a'), (1, 'b'), (1, 'c'), (1, 'd')");
	EXPECT(pet_get(db, 2) != NULL);
	run_sql("update pets set owner_id = 2 where id = 2");
	people = person_all(db, &query);
	ath_load(db, person, people, pets);
	EXPECT(people.items[0]->pets.count == 3);
	EXPECT(people.items[1]->pets.count == 1);
	EXPECT(people.items[2]->pets.count == 0 && people.items[2]->pets.items != NULL);
}

static void finds_all_first_one_and_count(struct ath_session *db)
{
	struct ath_query query = everyone(), some = ath_query(person);
	struct person *found;

	store_three();
	ath_limit(&query, 2);
	ath_offset(&query, 1);
	EXPECT(person_all(db, &query).count == 2);
	found = person_first(db, &query);
	if (EXPECT(found != NULL))
		EXPECT_TEXT(found->name, "Bob");
	EXPECT(ath_count(db, &query) == 3);
	ath_where(&some, ATH_LIKE(person, email, "c%"));
	found = person_one(db, &some);
	if (EXPECT(found != NULL))
		EXPECT_TEXT(found->name, "Cid");
	EXPECT(ath_count(db, &some) == 1);
	EXPECT_STATUS(db, ATH_OK);
}

static void finds_none(struct ath_session *db)
{
	struct ath_query query = everyone();

	EXPECT(person_all(db, &query).count == 0);
	EXPECT(person_first(db, &query) == NULL);
	EXPECT(ath_count(db, &query) == 0);
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(person_one(db, &query) == NULL);
	EXPECT_STATUS(db, ATH_ENOTFOUND);
}

static void finds_two_where_one_was_asked_for(struct ath_session *db)
{
	struct ath_query query = everyone();

	store_three();
	EXPECT(person_one(db, &query) == NULL);
	EXPECT_STATUS(db, ATH_EMANY);
}

static int64_t count_where(struct ath_session *db, struct ath_expression condition)
{
	struct ath_query query = ath_query(person);

	ath_where(&query, condition);
	return ath_count(db, &query);
}

static void understands_every_condition(struct ath_session *db)
{
	static const int64_t ids[] = { 1, 3, 7 };
	static const int32_t ages[] = { 36, 85 };
	static const char *const names[] = { "Ada", "Bob", "'; drop table people; --" };

	store_three();
	EXPECT(count_where(db, ATH_EQ(person, name, "Ada")) == 1);
	EXPECT(count_where(db, ATH_NE(person, name, "Ada")) == 2);
	EXPECT(count_where(db, ATH_LT(person, age, 85)) == 1);
	EXPECT(count_where(db, ATH_LE(person, age, 85)) == 2);
	EXPECT(count_where(db, ATH_GT(person, id, 1)) == 2);
	EXPECT(count_where(db, ATH_GE(person, id, 1)) == 3);
	EXPECT(count_where(db, ATH_LIKE(person, name, "_d%")) == 1);
	EXPECT(count_where(db, ATH_ILIKE(person, name, "%D%")) == 2);
	EXPECT(count_where(db, ATH_IN(person, id, ids, 3)) == 2);
	EXPECT(count_where(db, ATH_IN(person, age, ages, 2)) == 2);
	EXPECT(count_where(db, ATH_IN(person, name, names, 3)) == 2);
	EXPECT(count_where(db, ATH_IN(person, id, ids, 0)) == 0);
	EXPECT(count_where(db, ATH_IS_NULL(person, nick)) == 1);
	EXPECT(count_where(db, ATH_EQ(person, nick, NULL)) == 1);
	EXPECT(count_where(db, ATH_NE(person, nick, NULL)) == 2);
	EXPECT(count_where(db, ATH_NOT(ATH_IS_NULL(person, age))) == 2);
	EXPECT(count_where(db, ATH_OR(ATH_EQ(person, id, 1), ATH_EQ(person, id, 2))) == 2);
	EXPECT(count_where(db, ATH_AND(ATH_EQ(person, id, 1), ATH_EQ(person, id, 2))) == 0);
	EXPECT(count_where(db, ATH_EQ(person, name, "'; drop table people; --")) == 0);
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_NUMBER("select count(*) from people", 3);
}

/* ---- storing -------------------------------------------------------------------------------- */

static void fills_in_what_the_database_makes(struct ath_session *db)
{
	struct person *ada = new_person(db, "Ada", "ada@x");

	EXPECT(ada->id == 0);
	EXPECT(ath_flush(db));
	EXPECT(ada->id == 1);
	EXPECT(ada->score.valid && ada->score.value == 10);
	EXPECT(ada->born.microseconds > 0);
	EXPECT(!ada->age.valid);
	EXPECT(person_get(db, 1) == ada);
	EXPECT_NUMBER("select count(*) from people", 0);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people", 1);
	EXPECT(person_get(db, 1) == ada);
}

static void stores_what_was_given(struct ath_session *db)
{
	struct person *ada = new_person(db, "Ada", "ada@x");

	ada->id = 77;
	ada->nick = "";
	ada->age = (struct ath_null_int32){ 0, true };
	ada->score = (struct ath_null_int32){ 5, true };
	EXPECT(ath_commit(db));
	EXPECT(ada->id == 77 && ada->score.value == 5);
	EXPECT_TEXT(ask("select concat_ws('|', id, name, email, nick, age, score) from people"),
		    "77|Ada|ada@x||0|5");
}

static void adding_twice_is_adding_once(struct ath_session *db)
{
	struct person *ada = new_person(db, "Ada", "ada@x");

	person_add(db, ada);
	EXPECT(ath_flush(db));
	person_add(db, ada);
	EXPECT(ath_commit(db));
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people", 1);
}

static void updates_only_what_changed(struct ath_session *db)
{
	struct person *ada;

	store_three();
	ada = person_get(db, 1);
	if (!EXPECT(ada != NULL))
		return;
	ada->name = "Ada L.";
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select string_agg(what, ';') from changes"), "name");
	/* only what the statement named: another's change of another column is not undone */
	run_sql("truncate changes; update people set age = 37 where id = 1; truncate changes");
	ada->nick = "countess";
	ada->score.valid = false;
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select string_agg(what, ';') from changes"), "nick,score");
	EXPECT_TEXT(ask("select concat_ws('|', name, nick, age, score) from people where id = 1"),
		    "Ada L.|countess|37");
}

static void sends_nothing_for_no_change(struct ath_session *db)
{
	struct person *ada;
	size_t before;

	store_three();
	ada = person_get(db, 1);
	if (!EXPECT(ada != NULL))
		return;
	before = db->statement_count;
	ada->name = "Bea";
	ada->name = ath_arena_copy(db->arena, "Ada", 3); /* another pointer, the same text */
	ada->score.value = 1;
	EXPECT(ath_commit(db));
	EXPECT(db->statement_count == before);
	EXPECT(db->connection == NULL);
	EXPECT_NUMBER("select count(*) from changes", 0);
}

static void never_sends_a_read_only_member(struct ath_session *db)
{
	struct person *ada;

	store_three();
	ada = person_get(db, 1);
	if (!EXPECT(ada != NULL))
		return;
	ada->born.microseconds = 5;
	EXPECT(ath_commit(db));
	ada->name = "Bea";
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select string_agg(what, ';') from changes"), "name");
	EXPECT_NUMBER("select count(*) from people where born < '2000-01-01'", 0);
}

static void deletes(struct ath_session *db)
{
	struct person *ada;

	store_three();
	ada = person_get(db, 1);
	person_delete(db, ada);
	person_delete(db, ada);
	EXPECT_NUMBER("select count(*) from people", 3);
	EXPECT(ath_flush(db));
	EXPECT(person_get(db, 1) == NULL);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people", 2);
	EXPECT(ath_commit(db));
	person_delete(db, NULL);
	EXPECT_STATUS(db, ATH_OK);
}

static void deleting_what_was_never_stored_is_nothing(struct ath_session *db)
{
	struct person *ada = new_person(db, "Ada", "ada@x");

	person_delete(db, ada);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people", 0);
	person_add(db, ada);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people", 1);
}

static void rolls_back(struct ath_session *db)
{
	struct person *ada, *eve;

	store_three();
	ada = person_get(db, 1);
	if (!EXPECT(ada != NULL))
		return;
	ada->name = "Zoe";
	eve = new_person(db, "Eve", "eve@x");
	EXPECT(ath_flush(db));
	EXPECT(eve->id == 4);
	ath_rollback(db);
	EXPECT(eve->id == 0);
	EXPECT_TEXT(ada->name, "Ada");
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people", 3);
	EXPECT(person_get(db, 4) == NULL);
	EXPECT(person_get(db, 1) == ada);
	EXPECT_TEXT(ada->name, "Ada");
}

static void closing_rolls_back(struct ath_session *db)
{
	struct ath_session *other = open_session(0);

	(void)db;
	new_person(other, "Ada", "ada@x");
	EXPECT(ath_flush(other));
	ath_session_close(&other);
	EXPECT(other == NULL);
	EXPECT_NUMBER("select count(*) from people", 0);
	EXPECT_NUMBER("select count(*) from pg_stat_activity where state like 'idle in%'", 0);
}

static void flushes_before_it_asks(struct ath_session *db)
{
	struct ath_query query = everyone();
	struct person *ada = new_person(db, "Ada", "ada@x");

	EXPECT(person_first(db, &query) == ada);
	ada->name = "Bea";
	EXPECT(count_where(db, ATH_EQ(person, name, "Bea")) == 1);
	person_delete(db, ada);
	EXPECT(ath_count(db, &query) == 0);
	EXPECT_STATUS(db, ATH_OK);
}

/* In a transaction it reads on its own connection, beside others outside of it. */
static void begins(struct ath_session *db)
{
	struct ath_query query = everyone();

	EXPECT(ath_begin(db));
	EXPECT(ath_begin(db));
	EXPECT(db->connection != NULL);
	EXPECT(ath_count(db, &query) == 0);
	new_person(db, "Ada", "ada@x");
	EXPECT(ath_count(db, &query) == 1);
	EXPECT_NUMBER("select count(*) from people", 0);
	EXPECT(ath_commit(db));
	EXPECT(db->connection == NULL);
	EXPECT_NUMBER("select count(*) from people", 1);
}

/* ---- order ---------------------------------------------------------------------------------- */

/* Everything is added in the wrong order, and then deleted in the wrong order. */
static void stores_parents_first_and_deletes_them_last(struct ath_session *db)
{
	struct note *note = note_new(db);
	struct pet *pet = pet_new(db);
	struct person *ada;

	*note = (struct note){ .id = 3, .pet_id = 2, .text = "purrs" };
	*pet = (struct pet){ .id = 2, .owner_id = { 1, true }, .name = "Tom" };
	note_add(db, note);
	pet_add(db, pet);
	ada = new_person(db, "Ada", "ada@x");
	ada->id = 1;
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people, pets, notes", 1);
	person_delete(db, ada);
	pet_delete(db, pet);
	note_delete(db, note);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select (select count(*) from people) + (select count(*) from pets)", 0);
}

/* ---- relations ------------------------------------------------------------------------------ */

static void store_pets(void)
{
	store_three();
	run_sql("insert into pets (owner_id, name) values (3, 'Rex'), (1, 'Tom'), (null, 'Stray'), "
		"(1, 'Kit');"
		"insert into notes (pet_id, text) values (2, 'purrs'), (4, 'bites'), (2, "
		"'sleeps')");
}

static void loads_a_relation_with_one_statement(struct ath_session *db)
{
	struct ath_query query = everyone();
	struct person_list list;
	size_t before;

	store_pets();
	list = person_all(db, &query);
	before = db->statement_count;
	ath_load(db, person, list, pets);
	EXPECT(db->statement_count == before + 1);
	if (!EXPECT(list.count == 3) || !EXPECT(list.items[0]->pets.count == 2) ||
	    !EXPECT(list.items[1]->pets.count == 0) || !EXPECT(list.items[2]->pets.count == 1))
		return;
	EXPECT_TEXT(list.items[0]->pets.items[0]->name, "Tom");
	EXPECT_TEXT(list.items[0]->pets.items[1]->name, "Kit");
	EXPECT_TEXT(list.items[2]->pets.items[0]->name, "Rex");
	EXPECT(pet_get(db, 1) == list.items[2]->pets.items[0]);
	EXPECT(db->statement_count == before + 1);
	/* a list that was loaded is no change of the row */
	EXPECT(ath_commit(db));
	EXPECT(db->statement_count == before + 1);
}

static void loads_what_is_below(struct ath_session *db)
{
	struct person *ada;
	struct person_list one = { &ada, 1 };
	size_t before;

	store_pets();
	ada = person_get(db, 1);
	if (!EXPECT(ada != NULL))
		return;
	ath_load(db, person, one, pets);
	before = db->statement_count;
	ath_load(db, pet, ada->pets, notes);
	EXPECT(db->statement_count == before + 1);
	if (!EXPECT(ada->pets.count == 2) || !EXPECT(ada->pets.items[0]->notes.count == 2) ||
	    !EXPECT(ada->pets.items[1]->notes.count == 1))
		return;
	EXPECT_TEXT(ada->pets.items[0]->notes.items[1]->text, "sleeps");
	EXPECT(note_get(db, 2) == ada->pets.items[1]->notes.items[0]);
	/* again: the same objects, and what is new */
	run_sql("insert into notes (pet_id, text) values (2, 'eats')");
	ath_load(db, pet, ada->pets, notes);
	EXPECT(ada->pets.items[0]->notes.count == 3);
}

static void loads_nothing_for_nobody(struct ath_session *db)
{
	struct person_list none = { NULL, 0 };

	ath_load(db, person, none, pets);
	EXPECT(db->statement_count == 0);
	EXPECT_STATUS(db, ATH_OK);
}

/* ---- errors --------------------------------------------------------------------------------- */

static void sticks_to_its_first_error(struct ath_session *db)
{
	struct ath_query query = everyone();
	struct person *ada;
	size_t before;

	store_three();
	ada = person_get(db, 1);
	ath_session_fail(db, ATH_EFORBIDDEN, "not %s", "today");
	before = db->statement_count;
	EXPECT_TEXT(ath_session_error(db)->message, "not today");
	EXPECT(person_get(db, 2) == NULL);
	EXPECT(person_get(db, 1) == NULL);
	EXPECT(person_all(db, &query).count == 0);
	EXPECT(person_all(db, &query).items == NULL);
	EXPECT(person_first(db, &query) == NULL);
	EXPECT(person_one(db, &query) == NULL);
	EXPECT(ath_count(db, &query) == 0);
	person_delete(db, ada);
	new_person(db, "Eve", "eve@x");
	EXPECT(!ath_flush(db) && !ath_commit(db) && !ath_begin(db));
	ath_session_fail(db, ATH_EINVAL, "later");
	EXPECT_STATUS(db, ATH_EFORBIDDEN);
	EXPECT(db->statement_count == before);
	ath_clear_error(db);
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(person_all(db, &query).count == 3);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people", 3);
}

static void tells_the_mistake_of_a_query(struct ath_session *db)
{
	struct ath_query query = ath_query(person);

	ath_limit(&query, -1);
	EXPECT(person_all(db, &query).count == 0);
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT(db->statement_count == 0);
	ath_clear_error(db);
	query = ath_query(pet);
	EXPECT(person_first(db, &query) == NULL);
	EXPECT_STATUS(db, ATH_EINVAL);
}

/* The member a violation speaks of. */
static void expect_member(const struct ath_session *db, const struct ath_model *model,
			  const char *name)
{
	const struct ath_member *members[ATH_CONSTRAINT_COLUMNS] = { NULL };
	size_t count = ath_constraint_members(test_models, db->error.constraint, members);

	if (EXPECT(count == 1) && EXPECT(ath_model_column(model, members[0]->offset) == members[0]))
		EXPECT_TEXT(members[0]->name, name);
}

static void names_what_is_not_unique(struct ath_session *db)
{
	store_three();
	new_person(db, "Eve", "eve@x");
	new_person(db, "Bob", "bob@x");
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EUNIQUE);
	EXPECT_TEXT(db->error.sqlstate, "23505");
	EXPECT_TEXT(db->error.constraint, "uq_people_email");
	EXPECT_TEXT(db->error.table, "people");
	expect_member(db, &person_model, "email");
	EXPECT_NUMBER("select count(*) from people", 3);
	ath_clear_error(db);
	new_person(db, "Eve", "eve@x")->id = 1;
	EXPECT(!ath_flush(db));
	expect_member(db, &person_model, "id");
	ath_clear_error(db);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from people", 3);
}

static void names_broken_references(struct ath_session *db)
{
	struct pet *pet = pet_new(db);

	store_pets();
	*pet = (struct pet){ .owner_id = { 99, true }, .name = "Lost" };
	pet_add(db, pet);
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EREFERENCE);
	expect_member(db, &pet_model, "owner_id");
	ath_clear_error(db);
	person_delete(db, person_get(db, 1));
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EREFERENCE);
	EXPECT_NUMBER("select count(*) from people", 3);
}

static void names_broken_rules(struct ath_session *db)
{
	struct person *ada = new_person(db, "Ada", "ada@x");

	ada->age = (struct ath_null_int32){ 151, true };
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_ERULE);
	expect_member(db, &person_model, "age");
	ath_clear_error(db);
	ada->age.valid = false;
	ada->name = NULL;
	person_add(db, ada);
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_ERULE);
	EXPECT_TEXT(db->error.sqlstate, "23502");
	EXPECT_TEXT(db->error.column, "name");
	ath_clear_error(db);
	ada->name = "\xff";
	person_add(db, ada);
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_ERULE);
	EXPECT_TEXT(db->error.sqlstate, "22021");
	EXPECT_NUMBER("select count(*) from people", 0);
}

static struct ticket *new_ticket(struct ath_session *db, const char *code, int32_t seat)
{
	struct ticket *ticket = ticket_new(db);

	*ticket = (struct ticket){ .code = code, .seat = seat };
	ticket_add(db, ticket);
	return ticket;
}

static void meets_a_deferred_constraint_at_the_commit(struct ath_session *db)
{
	new_ticket(db, "a", 1);
	EXPECT(ath_commit(db));
	for (int explicit = 0; explicit < 3; explicit ++) {
		/* nothing open, begun, flushed: the last ones end in a COMMIT of their own */
		if (explicit == 1)
			EXPECT(ath_begin(db));
		new_ticket(db, "b", 2);
		new_ticket(db, "c", 1);
		if (explicit == 2)
			EXPECT(ath_flush(db));
		EXPECT(!ath_commit(db));
		EXPECT_STATUS(db, ATH_EUNIQUE);
		expect_member(db, &ticket_model, "seat");
		EXPECT_NUMBER("select count(*) from tickets", 1);
		ath_clear_error(db);
		new_ticket(db, "d", 3 + explicit)->code = explicit == 0   ? "d"
							  : explicit == 1 ? "e"
									  : "f";
		EXPECT(ath_commit(db));
		run_sql("delete from tickets where code <> 'a'");
	}
	EXPECT_STATUS(db, ATH_OK);
}

/* Two that swap their seats break the rule only in between. */
static void a_deferred_constraint_may_break_in_between(struct ath_session *db)
{
	struct ticket *a = new_ticket(db, "a", 1), *b = new_ticket(db, "b", 2);

	EXPECT(ath_commit(db));
	a->seat = 2;
	b->seat = 1;
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select string_agg(code || seat, ',' order by code) from tickets"),
		    "a2,b1");
}

static void is_told_of_a_commit_that_rolled_back(struct ath_session *db)
{
	struct ath_error error = { 0 };

	new_person(db, "Ada", "ada@x");
	EXPECT(ath_flush(db));
	EXPECT(ath_connection_script(db->connection, "select 1 / 0", &error) != ATH_OK);
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_ESQL);
	EXPECT_NUMBER("select count(*) from people", 0);
}

/* ---- rows that others have changed ---------------------------------------------------------- */

/* One change of a row that is gone, in one of the forms a batch can have. */
static void meet_a_missing_row(struct ath_session *db, bool delete, bool with_others, bool begun)
{
	struct person *bob;

	run_sql("delete from people");
	store_three();
	bob = person_first(db,
			   &(struct ath_query){ .model = &person_model, .limit = 1, .offset = 1 });
	if (!EXPECT(bob != NULL))
		return;
	run_sql("delete from people where name = 'Bob'");
	if (begun)
		EXPECT(ath_begin(db));
	if (with_others)
		new_person(db, "Eve", "eve@x");
	if (delete)
		person_delete(db, bob);
	else
		bob->nick = "new";
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_ESTALE);
	EXPECT_NUMBER("select count(*) from people", 2);
	ath_clear_error(db);
}

static void refuses_stale_rows(struct ath_session *db)
{
	for (int form = 0; form < 8; form++)
		meet_a_missing_row(db, form & 1, form & 2, form & 4);
}

static void refuses_stale_rows_at_a_flush(struct ath_session *db)
{
	struct person *ada;

	store_three();
	ada = person_get(db, 1);
	run_sql("delete from people where id = 1");
	new_person(db, "Eve", "eve@x");
	ada->nick = "new";
	EXPECT(!ath_flush(db));
	EXPECT_STATUS(db, ATH_ESTALE);
	EXPECT(!ath_commit(db));
	EXPECT_NUMBER("select count(*) from people", 2);
}

/* A division by zero that is not the guard's own is no stale row. */
static void a_division_by_zero_elsewhere_is_what_it_is(struct ath_session *db)
{
	run_sql("create function fails() returns trigger language plpgsql as "
		"$$ begin perform 1 / (new.id - new.id); return new; end $$;"
		"create trigger fails before insert on people for each row execute function "
		"fails()");
	new_person(db, "Ada", "ada@x");
	EXPECT(!ath_commit(db));
	EXPECT_TEXT(db->error.sqlstate, "22012");
	EXPECT_STATUS(db, ATH_ERULE);
	run_sql("drop function fails cascade");
}

static void refuses_a_changed_primary_key(struct ath_session *db)
{
	struct person *ada;

	store_three();
	ada = person_get(db, 1);
	if (!EXPECT(ada != NULL))
		return;
	ada->id = 9;
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT(strstr(db->error.message, "people.id") != NULL);
	EXPECT_NUMBER("select sum(id) from people", 6);
}

static void refuses_to_delete_what_is_not_its_own(struct ath_session *db)
{
	struct ath_session *other = open_session(0);
	struct person *ada;

	store_three();
	ada = person_get(other, 1);
	EXPECT(person_get(db, 1) != ada);
	person_delete(db, ada);
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT(!ath_commit(db));
	ath_session_close(&other);
	EXPECT_NUMBER("select count(*) from people", 3);
}

/* ---- loss ----------------------------------------------------------------------------------- */

static void warm_up(struct ath_session *db)
{
	EXPECT(ath_begin(db) && ath_commit(db));
	EXPECT(person_get(db, 99) == NULL);
	ath_rollback(db);
	tell_proxy(PROXY_RESET);
}

/* Cut off with the answer, or with the question, in each of two forms: nobody can tell. */
static void does_not_know_after_a_lost_commit(struct ath_session *db)
{
	for (int form = 0; form < 4; form++) {
		bool stored = form & 1;

		run_sql("delete from people");
		warm_up(db);
		if (form & 2)
			EXPECT(ath_begin(db));
		new_person(db, "Ada", "ada@x");
		tell_proxy(stored ? PROXY_LOSE_ANSWER : PROXY_LOSE_QUERY);
		EXPECT(!ath_commit(db));
		EXPECT_STATUS(db, ATH_EUNKNOWN);
		expect(ask_number("select count(*) from people") == stored, "stored once or not",
		       form);
		EXPECT(db->connection == NULL);
		ath_clear_error(db);
	}
	EXPECT(proxy_counts->executes <= 4);
}

/* The write of a flush is not sent again either, but nothing is unknown: it was not committed. */
static void a_lost_flush_is_no_secret(struct ath_session *db)
{
	warm_up(db);
	new_person(db, "Ada", "ada@x");
	tell_proxy(PROXY_LOSE_ANSWER);
	EXPECT(!ath_flush(db));
	EXPECT_STATUS(db, ATH_EUNAVAILABLE);
	EXPECT_NUMBER("select count(*) from people", 0);
}

/* It was known to be dead before the COMMIT was sent. */
static void a_connection_lost_before_the_commit(struct ath_session *db)
{
	new_person(db, "Ada", "ada@x");
	EXPECT(ath_flush(db));
	terminate_backends();
	for (int i = 0; i < 10000 && !ath_connection_is_dead(db->connection); i++)
		give_way();
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EUNAVAILABLE);
	EXPECT_NUMBER("select count(*) from people", 0);
	ath_clear_error(db);
	new_person(db, "Ada", "ada@x");
	EXPECT(ath_commit(db));
}

static void reads_again_after_a_loss(struct ath_session *db)
{
	store_three();
	EXPECT(person_get(db, 1) != NULL);
	terminate_backends();
	EXPECT(person_get(db, 2) != NULL);
	EXPECT_STATUS(db, ATH_OK);
}

/* In a transaction it does not: it would read outside of what it has seen so far. */
static void does_not_read_again_in_a_transaction(struct ath_session *db)
{
	store_three();
	EXPECT(ath_begin(db));
	EXPECT(person_get(db, 1) != NULL);
	terminate_backends();
	EXPECT(person_get(db, 2) == NULL);
	EXPECT_STATUS(db, ATH_EUNAVAILABLE);
	ath_clear_error(db);
	EXPECT(person_get(db, 2) != NULL);
}

static void misses_its_deadline(struct ath_session *db)
{
	enum { SOON = 500 }; /* ms, enough for what nothing holds up */
	struct ath_session *late;

	store_three();
	late = open_session(ath_now() + SOON);
	EXPECT(person_get(late, 1) != NULL);
	run_sql("begin; lock table people");
	EXPECT(person_get(late, 2) == NULL);
	EXPECT_STATUS(late, ATH_ETIMEDOUT);
	ath_session_close(&late);
	late = open_session(ath_now() + SOON);
	EXPECT(ath_begin(late));
	new_person(late, "Eve", "eve@x");
	EXPECT(!ath_flush(late));
	EXPECT_STATUS(late, ATH_ETIMEDOUT);
	ath_session_close(&late);
	run_sql("rollback");
	new_person(db, "Eve", "eve@x");
	EXPECT(ath_commit(db));
	EXPECT(person_get(db, 1) != NULL);
}

/* ---- statements the server has forgotten ---------------------------------------------------- */

static void heals_a_commit_whose_statement_is_unknown(struct ath_session *db)
{
	struct ath_error error = { 0 };

	new_person(db, "Ada", "ada@x");
	EXPECT(ath_commit(db));
	EXPECT(ath_begin(db));
	EXPECT(ath_connection_script(db->connection, "deallocate all", &error) == ATH_OK);
	ath_rollback(db);
	new_person(db, "Bob", "bob@x");
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_NUMBER("select count(*) from people", 2);
}

static void heals_what_has_another_shape_now(struct ath_session *db)
{
	struct person *ada = new_person(db, "Ada", "ada@x");

	EXPECT(ath_commit(db));
	ath_rollback(db);
	EXPECT(person_get(db, 1) != NULL);
	ath_rollback(db);
	run_sql("alter table people alter column score type bigint");
	ada = person_get(db, 1);
	EXPECT_STATUS(db, ATH_OK);
	if (EXPECT(ada != NULL))
		EXPECT(ada->score.value == 10);
	new_person(db, "Bob", "bob@x"); /* it returns the score */
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	run_sql("alter table people alter column score type integer");
	EXPECT_NUMBER("select count(*) from people", 2);
}

/* The statement behind the failed one was never prepared; the next transaction needs it. */
static void a_failed_commit_spoils_no_later_transaction(struct ath_session *db)
{
	struct person *ada;

	store_three();
	ada = person_get(db, 1);
	ada->nick = "never prepared";
	new_person(db, "Bob", "bob@x"); /* before the update, and taken */
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EUNIQUE);
	ath_clear_error(db);
	for (int i = 0; i < 2; i++) {
		EXPECT(ath_begin(db));
		ada = person_get(db, 1);
		new_person(db, "New", i == 0 ? "new0@x" : "new1@x");
		ada->nick = i == 0 ? "once" : "twice";
		EXPECT(ath_commit(db));
		EXPECT_STATUS(db, ATH_OK);
	}
	EXPECT_TEXT(ask("select nick from people where id = 1"), "twice");
}

/* ---- round trips ---------------------------------------------------------------------------- */

static void add_many(struct ath_session *db, int count, int round)
{
	for (int i = 0; i < count; i++)
		new_person(db, "Name", ath_arena_printf(db->arena, "%d.%d@x", round, i));
}

/* A pooler passes on the beginning of a long batch, and of its answers, while the rest comes. */
static void expect_one_round_trip(int line)
{
	if (expect(proxy_counts->round_trips == 1 || pooler() != NULL, "one round trip", line))
		expect(proxy_counts->syncs == 1, "one sync", line);
	tell_proxy(PROXY_RESET);
}

static void goes_there_once(struct ath_session *db)
{
	struct person *ada;

	warm_up(db);
	add_many(db, 1, 0);
	EXPECT(ath_commit(db));
	expect_one_round_trip(__LINE__);
	add_many(db, HUNDRED, 1);
	EXPECT(ath_commit(db));
	expect_one_round_trip(__LINE__);
	ath_rollback(db);
	tell_proxy(PROXY_RESET);
	ada = person_get(db, 1);
	expect_one_round_trip(__LINE__);
	ada->name = "Ada";
	add_many(db, 1, 2);
	EXPECT(ath_commit(db));
	expect_one_round_trip(__LINE__);
	EXPECT(proxy_counts->connections == 0);
	EXPECT_STATUS(db, ATH_OK);
}

static void goes_there_once_for_begin_flush_and_commit(struct ath_session *db)
{
	warm_up(db);
	add_many(db, 3, 0);
	EXPECT(ath_flush(db));
	expect_one_round_trip(__LINE__);
	add_many(db, 3, 1);
	EXPECT(ath_commit(db));
	EXPECT((proxy_counts->parses == 0) == (pooler() == NULL));
	expect_one_round_trip(__LINE__);
	EXPECT(ath_commit(db));
	EXPECT(proxy_counts->round_trips == 0);
}

/* With a deadline the server's own time limit travels along. */
static void a_deadline_costs_no_round_trip(struct ath_session *db)
{
	struct ath_session *limited = open_session(ath_now() + 10000);

	warm_up(db);
	add_many(limited, 2, 0);
	EXPECT(ath_commit(limited));
	expect_one_round_trip(__LINE__);
	EXPECT(ath_begin(limited));
	expect_one_round_trip(__LINE__);
	ath_session_close(&limited);
	EXPECT_NUMBER("select count(*) from people", 2);
}

/* ---- every type ----------------------------------------------------------------------------- */

static const char *random_text(struct ath_session *db)
{
	static const char *const texts[] = { "",     "a",     "\xc3\xa4",      "\xf0\x9f\x90\x98",
					     "'",    "\\x00", "{\"a\": null}", "NULL",
					     " \t\n" };
	uint64_t pick = next_random();

	if (pick % 2)
		return texts[pick / 2 % ATH_COUNT(texts)];
	return ath_arena_printf(db->arena, "%llx", (unsigned long long)next_random());
}

static double random_double(void)
{
	static const double edges[] = {
		0.0, -0.0, 1.0 / 3, 5e-324, 1.7976931348623157e308, -1e-300
	};
	uint64_t bits = next_random();
	double real;

	memcpy(&real, &bits, sizeof real);
	if (bits % 3 == 0 || real != real)
		return edges[bits % ATH_COUNT(edges)];
	return real;
}

static int64_t random_integer(int64_t least, int64_t most)
{
	uint64_t pick = next_random();

	if (pick % 4 == 0)
		return pick & 4 ? least : most;
	return (int64_t)(next_random() % ((uint64_t)most - (uint64_t)least + 1) + (uint64_t)least);
}

/* From year -4000 on, microsecond by microsecond, and the infinities. */
static struct ath_timestamp random_moment(void)
{
	static const int64_t edges[] = {
		INT64_MIN,       INT64_MAX,      1, -1, -62135596800000000, 253402300799999999,
		946684800000000, 946684799999999
	};
	uint64_t pick = next_random();

	if (pick % 2)
		return (struct ath_timestamp){ edges[pick / 2 % ATH_COUNT(edges)] };
	return (struct ath_timestamp){ random_integer(-188395027200000000, 253402300799999999) };
}

static struct ath_uuid random_uuid(void)
{
	struct ath_uuid uuid;

	for (size_t i = 0; i < sizeof uuid.bytes; i++)
		uuid.bytes[i] = (unsigned char)next_random();
	return uuid;
}

static void fill_nullables(struct ath_session *db, struct kind *kind)
{
	uint64_t bits = next_random();

	kind->null_boolean = (struct ath_null_bool){ bits & 1, bits & 2 };
	kind->null_small =
		(struct ath_null_int16){ (int16_t)random_integer(INT16_MIN, INT16_MAX), bits & 4 };
	kind->null_medium =
		(struct ath_null_int32){ (int32_t)random_integer(INT32_MIN, INT32_MAX), bits & 8 };
	kind->null_large =
		(struct ath_null_int64){ random_integer(INT64_MIN + 1, INT64_MAX), bits & 16 };
	kind->null_real = (struct ath_null_double){ random_double(), bits & 32 };
	kind->null_text = bits & 64 ? random_text(db) : NULL;
	kind->null_moment = (struct ath_null_timestamp){ random_moment(), bits & 128 };
	kind->null_uuid = (struct ath_null_uuid){ random_uuid(), bits & 256 };
}

static void fill_kind(struct ath_session *db, struct kind *kind)
{
	kind->boolean = next_random() & 1;
	kind->small = (int16_t)random_integer(INT16_MIN, INT16_MAX);
	kind->medium = (int32_t)random_integer(INT32_MIN, INT32_MAX);
	kind->large = random_integer(INT64_MIN + 1, INT64_MAX);
	kind->real = random_double();
	kind->text = random_text(db);
	kind->moment = random_moment();
	kind->uuid = random_uuid();
	fill_nullables(db, kind);
}

static void compare_kinds(const struct kind *a, const struct kind *b)
{
	if (!EXPECT(b != NULL))
		return;
	for (size_t i = 0; i < kind_model.member_count; i++)
		expect(ath_member_equal(&kind_model.members[i], a, b), kind_model.members[i].name,
		       __LINE__);
}

static void check_kinds(struct kind *const *kinds)
{
	struct ath_session *other = open_session(0);

	for (int i = 0; i < HUNDRED; i++)
		compare_kinds(kinds[i], kind_get(other, kinds[i]->id));
	EXPECT_STATUS(other, ATH_OK);
	ath_session_close(&other);
}

static void brings_back_every_value_as_it_was(struct ath_session *db)
{
	static struct kind *kinds[HUNDRED];

	for (int i = 0; i < HUNDRED; i++) {
		kinds[i] = kind_new(db);
		kinds[i]->id = random_uuid();
		fill_kind(db, kinds[i]);
		kind_add(db, kinds[i]);
	}
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	check_kinds(kinds);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < HUNDRED; i++)
			fill_nullables(db, kinds[i]);
		EXPECT(ath_commit(db));
		check_kinds(kinds);
	}
	EXPECT_NUMBER("select count(*) from kinds", HUNDRED);
}

static void finds_by_every_type(struct ath_session *db)
{
	struct kind *kind = kind_new(db);
	struct ath_query query = ath_query(kind);

	kind->id = random_uuid();
	fill_kind(db, kind);
	kind_add(db, kind);
	EXPECT(ath_commit(db));
	ath_where(&query, ATH_EQ(kind, boolean, kind->boolean));
	ath_where(&query, ATH_EQ(kind, small, kind->small));
	ath_where(&query, ATH_EQ(kind, medium, kind->medium));
	ath_where(&query, ATH_EQ(kind, large, kind->large));
	ath_where(&query, ATH_EQ(kind, real, kind->real));
	ath_where(&query, ATH_EQ(kind, text, kind->text));
	ath_where(&query, ATH_EQ(kind, moment, kind->moment));
	ath_where(&query, ATH_EQ(kind, uuid, kind->uuid));
	ath_where(&query, ATH_IN(kind, small, &kind->small, 1));
	ath_where(&query, ATH_IN(kind, boolean, &kind->boolean, 1));
	ath_where(&query, ATH_IN(kind, real, &kind->real, 1));
	ath_where(&query, ATH_IN(kind, moment, &kind->moment, 1));
	ath_where(&query, ATH_IN(kind, uuid, &kind->uuid, 1));
	EXPECT(kind_one(db, &query) == kind);
	EXPECT_STATUS(db, ATH_OK);
}

/* ---- tables from models --------------------------------------------------------------------- */

static void creates_tables_from_models(struct ath_session *db)
{
	run_sql("drop table people, pets, notes, kinds, tickets cascade");
	for (int i = 0; i < 2; i++)
		EXPECT(ath_create_all(db, test_models) && ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	new_person(db, "Ada", "ada@x");
	EXPECT(ath_commit(db));
	new_person(db, "Bob", "ada@x");
	EXPECT(!ath_commit(db));
	expect_member(db, &person_model, "email");
	ath_clear_error(db);
	new_person(db, "", "bob@x");
	EXPECT(!ath_commit(db));
	expect_member(db, &person_model, "name");
	ath_clear_error(db);
	brings_back_every_value_as_it_was(db);
	run_sql("drop table people, pets, notes, kinds, tickets, changes cascade;"
		"drop function note_change cascade;" TEST_TABLES);
}

/* ---- all of them ---------------------------------------------------------------------------- */

#define DIRECT(function)                                                                           \
	{                                                                                          \
#function, function, false, false                                                  \
	}
#define PROXIED(function)                                                                          \
	{                                                                                          \
#function, function, true, false                                                   \
	}

static struct scenario scenarios[] = {
	DIRECT(gets),
	DIRECT(keeps_one_object_for_one_row),
	DIRECT(reads_a_known_row_anew),
	DIRECT(locks_the_newest_row),
	DIRECT(loads_children_where_they_are_now),
	DIRECT(finds_all_first_one_and_count),
	DIRECT(finds_none),
	DIRECT(finds_two_where_one_was_asked_for),
	DIRECT(understands_every_condition),
	DIRECT(fills_in_what_the_database_makes),
	DIRECT(stores_what_was_given),
	DIRECT(adding_twice_is_adding_once),
	DIRECT(updates_only_what_changed),
	DIRECT(sends_nothing_for_no_change),
	DIRECT(never_sends_a_read_only_member),
	DIRECT(deletes),
	DIRECT(deleting_what_was_never_stored_is_nothing),
	DIRECT(rolls_back),
	DIRECT(closing_rolls_back),
	DIRECT(flushes_before_it_asks),
	DIRECT(begins),
	DIRECT(stores_parents_first_and_deletes_them_last),
	DIRECT(loads_a_relation_with_one_statement),
	DIRECT(loads_what_is_below),
	DIRECT(loads_nothing_for_nobody),
	DIRECT(sticks_to_its_first_error),
	DIRECT(tells_the_mistake_of_a_query),
	DIRECT(names_what_is_not_unique),
	DIRECT(names_broken_references),
	DIRECT(names_broken_rules),
	DIRECT(meets_a_deferred_constraint_at_the_commit),
	DIRECT(a_deferred_constraint_may_break_in_between),
	DIRECT(is_told_of_a_commit_that_rolled_back),
	DIRECT(refuses_stale_rows),
	DIRECT(refuses_stale_rows_at_a_flush),
	DIRECT(a_division_by_zero_elsewhere_is_what_it_is),
	DIRECT(refuses_a_changed_primary_key),
	DIRECT(refuses_to_delete_what_is_not_its_own),
	PROXIED(does_not_know_after_a_lost_commit),
	PROXIED(a_lost_flush_is_no_secret),
	DIRECT(a_connection_lost_before_the_commit),
	DIRECT(reads_again_after_a_loss),
	DIRECT(does_not_read_again_in_a_transaction),
	DIRECT(misses_its_deadline),
	DIRECT(heals_a_commit_whose_statement_is_unknown),
	DIRECT(heals_what_has_another_shape_now),
	DIRECT(a_failed_commit_spoils_no_later_transaction),
	PROXIED(goes_there_once),
	PROXIED(goes_there_once_for_begin_flush_and_commit),
	PROXIED(a_deadline_costs_no_round_trip),
	DIRECT(brings_back_every_value_as_it_was),
	DIRECT(finds_by_every_type),
	DIRECT(creates_tables_from_models),
};

static int setup(void **state)
{
	const struct scenario *scenario = *state;
	/* a second pipeline that a slow machine lets it open would be counted, and terminated */
	struct ath_engine_options options = { .log = &silence, .pipelines = 1 };

	failure[0] = '\0';
	run_sql("truncate people, pets, notes, kinds, tickets, changes restart identity");
	if (open_loop(NULL) != 0)
		return -1;
	options.loop = scenario != NULL && !scenario->in_fiber ? NULL : loop;
	return ath_engine_open(&engine,
			       scenario != NULL && scenario->proxied ? proxy_url : database_url,
			       &options, &(struct ath_error){ 0 }) != ATH_OK;
}

static void test_scenario(void **state)
{
	struct scenario *scenario = *state;

	if (scenario->in_fiber) {
		start(run_in_session, scenario, ATH_NEVER);
		run_fibers();
	} else {
		run_in_session(scenario);
	}
	if (failure[0] != '\0')
		fail_msg("%s", failure);
}

/* ---- many at once --------------------------------------------------------------------------- */

/* Every tenth takes an email that is taken; a connection of the pool serves many in turn. */
static void store_one(void *arg)
{
	const int *number = arg;
	struct ath_session *db = open_session(0);
	char email[32];

	snprintf(email, sizeof email, "%d@x", *number % 10 == 0 ? 0 : *number);
	new_person(db, "Name", email);
	if (*number % 3 == 0)
		(void)!ath_flush(db);
	if (*number % 10 != 0 || *number == 0)
		EXPECT(ath_commit(db));
	else
		EXPECT(!ath_commit(db) && status_of(db) == ATH_EUNIQUE);
	ath_session_close(&db);
}

static void test_many_sessions_at_once(void **state)
{
	static int numbers[HUNDRED];

	(void)state;
	run_sql("insert into people (name, email) values ('First', '0@x')");
	for (int i = 0; i < HUNDRED; i++) {
		numbers[i] = i == 0 ? 1000 + i + 1 : i;
		start(store_one, &numbers[i], ATH_NEVER);
	}
	run_fibers();
	if (failure[0] != '\0')
		fail_msg("%s", failure);
	assert_int_equal(ask_number("select count(*) from people"), HUNDRED - 9 + 1);
}

static int setup_all(void **state)
{
	if (create_database(state) != 0)
		return -1;
	run_sql(TEST_TABLES);
	start_proxy();
	return 0;
}

static int teardown_all(void **state)
{
	stop_proxy();
	return drop_database(state);
}

int main(void)
{
	enum { COUNT = ATH_COUNT(scenarios) };
	static struct scenario in_fiber[COUNT];
	static struct CMUnitTest tests[2 * COUNT + 1];
	static char names[COUNT][80];

	for (size_t i = 0; i < COUNT; i++) {
		struct CMUnitTest test = { scenarios[i].name, test_scenario, setup, close_engine,
					   &scenarios[i] };

		in_fiber[i] = scenarios[i];
		in_fiber[i].in_fiber = true;
		snprintf(names[i], sizeof names[i], "%s, in a fiber", scenarios[i].name);
		tests[2 * i] = test;
		test.name = names[i];
		test.initial_state = &in_fiber[i];
		tests[2 * i + 1] = test;
	}
	tests[2 * COUNT] = (struct CMUnitTest){ "many sessions at once", test_many_sessions_at_once,
						setup, close_engine, NULL };
	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
