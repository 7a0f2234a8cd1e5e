/*
 * test_undo.c - what rollbacks, to the begin and to savepoints, restore in memory: by hand, and by
 * chance against a model that keeps a copy of everything at each savepoint.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../base/random.h"
#include "ledger.h"

/* ---- by hand ------------------------------------------------------------------------------------
 */

static void store_accounts(void)
{
	run_sql("insert into accounts (name, amount, version) values ('Ada', 1, 1), ('Bob', 2, 1), "
		"('Cid', 3, 1)");
}

static void changed_inserted_and_deleted(struct ath_session *db)
{
	for (int flushed = 0; flushed < 2; flushed++) {
		struct account *ada, *bob, *dot;

		run_sql("truncate accounts restart identity");
		store_accounts();
		ada = account_get(db, 1);
		bob = account_get(db, 2);
		dot = new_account(db, "Dot", 4);
		ada->amount = 10;
		account_delete(db, bob);
		if (flushed == 1) {
			EXPECT(ath_flush(db));
			EXPECT(dot->id == 4 && dot->version == 1 && ada->version == 2);
			EXPECT(ada->changed.valid);
			EXPECT(account_get(db, 2) == NULL);
		}
		ath_rollback(db);
		EXPECT_NUMBER("select sum(amount) from accounts", 6);
		EXPECT(dot->id == 0 && dot->version == 0 && dot->amount == 4);
		EXPECT(ada->amount == 1 && ada->version == 1 && !ada->changed.valid);
		EXPECT(account_get(db, 2) == bob && account_get(db, 1) == ada);
		EXPECT(account_get(db, 4) == NULL);
		EXPECT(ath_session_is_clean(db) && !ath_session_is_uncommitted(db));
		account_add(db, dot);
		ada->amount = 11;
		account_delete(db, bob);
		EXPECT(ath_commit(db));
		EXPECT_STATUS(db, ATH_OK);
		EXPECT(account_get(db, dot->id) == dot && account_get(db, 2) == NULL);
		EXPECT_NUMBER("select sum(amount) from accounts", 11 + 3 + 4);
		account_expunge(db, ada);
		account_expunge(db, dot);
	}
}

/* Several changes of one row in one transaction are all undone. */
static void back_beyond_several_flushes(struct ath_session *db)
{
	struct account *ada, *dot = new_account(db, "Dot", 4);

	store_accounts();
	ada = account_get(db, 1);
	for (int i = 0; i < 3; i++) {
		ada->amount++;
		dot->amount++;
		EXPECT(ath_flush(db));
	}
	account_delete(db, dot);
	account_delete(db, ada);
	EXPECT(ath_flush(db));
	account_add(db, ada); /* a new row with the old key */
	EXPECT(ath_flush(db));
	ath_rollback(db);
	EXPECT(ada->amount == 1 && ada->version == 1 && account_get(db, 1) == ada);
	EXPECT(dot->id == 0);
	ada->amount = 7;
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select amount * 10 + version from accounts where id = 1", 72);
}

static void what_was_read_anew(struct ath_session *db)
{
	struct ath_query query = ath_query(account);
	struct account *ada;

	store_accounts();
	ada = account_get(db, 1);
	EXPECT(ath_execute(db, "update accounts set amount = 10 where id = 1") == 1);
	EXPECT(account_all(db, &query).count == 3);
	EXPECT(ada->amount == 10);
	ath_rollback(db);
	EXPECT(ada->amount == 1);
	run_sql("update accounts set amount = 20 where id = 1");
	EXPECT(account_get(db, 1) == ada && ada->amount == 20);
}

static void get_reads_again_after_a_rollback(struct ath_session *db)
{
	struct account *ada, *bob;
	size_t before;

	store_accounts();
	ada = account_get(db, 1);
	bob = account_get(db, 2);
	run_sql("update accounts set amount = 10 where id = 1; delete from accounts where id = 2");
	before = db->statement_count;
	EXPECT(account_get(db, 1) == ada && ada->amount == 1);
	EXPECT(db->statement_count == before);
	ath_rollback(db);
	EXPECT(account_get(db, 1) == ada && ada->amount == 10);
	EXPECT(account_get(db, 2) == NULL);
	before = db->statement_count;
	EXPECT(account_get(db, 1) == ada);
	EXPECT(db->statement_count == before);
	bob->amount = 3;
	EXPECT(ath_commit(db)); /* bob is nobody's any more */
	EXPECT(db->statement_count == before);
}

/* Rows of a transaction that is undone are no rows, however they became known. */
static void rows_that_were_upserted(struct ath_session *db)
{
	struct account fresh = { .name = "Ada", .amount = 1 };
	struct account *ada = account_upsert(db, &fresh, ATH_ON(account, name));

	EXPECT(ada != NULL && ada->id == 1);
	ath_rollback(db);
	EXPECT(account_get(db, 1) == NULL);
	EXPECT(ath_session_is_clean(db));
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from accounts", 0);
}

static void a_deleted_row_whose_key_came_again(struct ath_session *db)
{
	struct line *line = new_line(db, 1, 1, "old"), fresh = { 1, 1, "new" }, *other;

	EXPECT(ath_commit(db));
	line_delete(db, line);
	EXPECT(ath_flush(db));
	other = line_upsert(db, &fresh, ATH_ON(line, bill, number));
	EXPECT(other != NULL && other != line && line_get(db, 1, 1) == other);
	ath_rollback(db);
	EXPECT(line_get(db, 1, 1) == line);
	EXPECT_TEXT(line->text, "old");
	other->text = "nobody's";
	line->text = "mine";
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select text from lines"), "mine");
}

/* What lies behind a savepoint that was gone back to, or forgotten, is not open any more. */
static void inner_savepoints_go_with_the_outer(struct ath_session *db)
{
	struct ath_savepoint outer, inner;

	for (int way = 0; way < 2; way++) {
		EXPECT(ath_savepoint(db, &outer) && ath_savepoint(db, &inner));
		EXPECT(way == 0 ? ath_rollback_to(db, &outer) : ath_release(db, &outer));
		EXPECT(!ath_rollback_to(db, &inner));
		EXPECT_STATUS(db, ATH_EINVAL);
		ath_clear_error(db);
	}
}

/* ---- by chance
 * ------------------------------------------------------------------------------------ */

enum { ITEMS = 9, SAVEPOINTS = 4, STEPS = 150, ROUNDS = 12 };

/* What an item is to the database, as far as the session has been told. */
struct truth {
	bool there;
	int64_t value;
};

struct item {
	const struct ath_model *model;
	void *object;
};

struct world {
	struct ath_session *db;
	struct item items[ITEMS];
	struct truth now[ITEMS], committed[ITEMS], saved[SAVEPOINTS][ITEMS];
	struct ath_savepoint savepoints[SAVEPOINTS];
	size_t savepoint_count;
	char log[4000]; /* what has been done */
};

static void log_step(struct world *world, const char *step, size_t number)
{
	size_t length = strlen(world->log);

	snprintf(world->log + length, sizeof world->log - length, " %s %zu", step, number);
}

static int64_t value_of(const struct item *item)
{
	if (item->model == &account_model)
		return ((struct account *)item->object)->amount;
	if (item->model == &plain_model)
		return ((struct plain *)item->object)->number.value;
	return strtoll(((struct line *)item->object)->text, NULL, 10);
}

static void set_value(struct world *world, const struct item *item, int64_t value)
{
	if (item->model == &account_model)
		((struct account *)item->object)->amount = value;
	else if (item->model == &plain_model)
		((struct plain *)item->object)->number =
			(struct ath_null_int32){ (int32_t)value, true };
	else
		((struct line *)item->object)->text =
			ath_arena_printf(world->db->arena, "%lld", (long long)value);
}

static void fill(struct world *world)
{
	for (size_t i = 0; i < ITEMS; i++) {
		struct item *item = &world->items[i];

		item->model = i % 3 == 0 ? &account_model : i % 3 == 1 ? &plain_model : &line_model;
		item->object = ath_session_new(world->db, item->model);
		set_value(world, item, 0);
		if (i % 3 == 0)
			((struct account *)item->object)->name =
				ath_arena_printf(world->db->arena, "%zu", i);
		else if (i % 3 == 1)
			((struct plain *)item->object)->name = "plain";
		else
			((struct line *)item->object)->number = (int32_t)i;
	}
}

static void *get(struct world *world, const struct item *item)
{
	struct ath_value keys[ATH_MAX_KEYS];
	size_t count = ath_row_keys(item->model, item->object, keys);

	return ath_session_get(world->db, item->model, keys, count);
}

/* Memory, the session's map, and the database as the session sees it all say what is true. */
static bool check(struct world *world)
{
	struct ath_session *db = world->db;
	int64_t there = 0, found = 0;
	static const struct ath_model *const models[] = { &account_model, &plain_model,
							  &line_model };

	EXPECT(ath_session_is_clean(db));
	for (size_t i = 0; i < ITEMS; i++) {
		struct item *item = &world->items[i];
		const struct truth *truth = &world->now[i];

		there += truth->there;
		if (!truth->there) {
			EXPECT(get(world, item) == NULL);
			continue;
		}
		EXPECT(value_of(item) == truth->value);
		EXPECT(get(world, item) == item->object);
		EXPECT(value_of(item) == truth->value);
		EXPECT(ath_session_refresh(db, item->model, item->object));
		EXPECT(value_of(item) == truth->value);
	}
	for (size_t i = 0; i < ATH_COUNT(models); i++) {
		struct ath_query query = ath_query_of(models[i]);

		found += ath_count(db, &query);
	}
	return EXPECT(found == there) && EXPECT_STATUS(db, ATH_OK) && failure[0] == '\0';
}

static void step_item(struct world *world, size_t i, uint64_t choice)
{
	struct item *item = &world->items[i];
	struct truth *truth = &world->now[i];

	if (choice < 2) {
		log_step(world, "set", i);
		set_value(world, item, (int64_t)(next_random() % 1000));
	} else if (truth->there && choice == 2) {
		log_step(world, "delete", i);
		ath_session_delete(world->db, item->model, item->object);
		truth->there = false;
	} else {
		log_step(world, "add", i);
		ath_session_add(world->db, item->model, item->object);
		truth->there = true;
	}
	if (truth->there)
		truth->value = value_of(item);
}

static bool step_savepoint(struct world *world, uint64_t choice)
{
	size_t i = world->savepoint_count == 0 ? 0 : next_random() % world->savepoint_count;

	if (choice == 0 && world->savepoint_count < SAVEPOINTS) {
		log_step(world, "savepoint", world->savepoint_count);
		memcpy(world->saved[world->savepoint_count], world->now, sizeof world->now);
		return EXPECT(
			ath_savepoint(world->db, &world->savepoints[world->savepoint_count++]));
	}
	if (world->savepoint_count == 0)
		return true;
	if (choice == 1) {
		log_step(world, "release", i);
		world->savepoint_count = i;
		return EXPECT(ath_release(world->db, &world->savepoints[i]));
	}
	log_step(world, "rollback-to", i);
	world->savepoint_count = i + 1;
	memcpy(world->now, world->saved[i], sizeof world->now);
	return EXPECT(ath_rollback_to(world->db, &world->savepoints[i])) && check(world);
}

static bool step(struct world *world)
{
	uint64_t choice = next_random() % 20;

	if (choice < 12) {
		step_item(world, next_random() % ITEMS, choice % 4);
	} else if (choice < 14) {
		log_step(world, "flush", 0);
		return EXPECT(ath_flush(world->db));
	} else if (choice < 18) {
		return step_savepoint(world, next_random() % 3);
	} else if (choice == 18) {
		log_step(world, "commit", 0);
		memcpy(world->committed, world->now, sizeof world->now);
		world->savepoint_count = 0;
		return EXPECT(ath_commit(world->db)) && check(world);
	} else {
		log_step(world, "rollback", 0);
		memcpy(world->now, world->committed, sizeof world->now);
		world->savepoint_count = 0;
		ath_rollback(world->db);
		return check(world);
	}
	return true;
}

static void by_chance(struct ath_session *db)
{
	static struct world world;

	(void)db;
	for (int round = 0; round < ROUNDS; round++) {
		struct ath_session_options options = { .memory = 128 << 20 };
		bool good = true;

		run_sql("delete from accounts; delete from plains; delete from lines");
		memset(&world, 0, sizeof world);
		if (ath_session_open(&world.db, engine, &options) != ATH_OK)
			die_of("ath_session_open", "no session");
		fill(&world);
		for (int i = 0; good && i < STEPS; i++)
			good = step(&world);
		if (!good)
			fprintf(stderr, "after%s: %s\n", world.log, world.db->error.message);
		ath_session_close(&world.db);
		if (!good)
			return;
	}
}

static struct scenario scenarios[] = {
	SCENARIO(changed_inserted_and_deleted),
	SCENARIO(back_beyond_several_flushes),
	SCENARIO(what_was_read_anew),
	SCENARIO(get_reads_again_after_a_rollback),
	SCENARIO(rows_that_were_upserted),
	SCENARIO(a_deleted_row_whose_key_came_again),
	SCENARIO(inner_savepoints_go_with_the_outer),
	SCENARIO(by_chance),
};

int main(void)
{
	RUN_SCENARIOS(scenarios, setup_ledger);
}
