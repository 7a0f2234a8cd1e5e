/*
 * test_unit.c - the unit of work: expire, refresh, expunge, merge, versions, what an UPDATE names,
 * keys of two columns, and that nothing is stored when something fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ledger.h"

static void store_accounts(void)
{
	run_sql("insert into accounts (name, amount, version) values ('Ada', 1, 1), ('Bob', 2, 1), "
		"('Cid', 3, 1)");
}

/* ---- expire, refresh, expunge -----------------------------------------------------------------
 */

static void expire(struct ath_session *db)
{
	struct account *ada;

	store_accounts();
	ada = account_get(db, 1);
	run_sql("update accounts set amount = 10 where id = 1");
	EXPECT(account_get(db, 1)->amount == 1);
	ada->name = "lost";
	account_expire(db, ada);
	EXPECT_TEXT(ada->name, "Ada");
	EXPECT(account_get(db, 1) == ada && ada->amount == 10);
	EXPECT_TEXT(ada->name, "Ada");
	EXPECT(ath_session_is_clean(db));
}

static void refresh(struct ath_session *db)
{
	struct account *ada, *fresh;

	store_accounts();
	ada = account_get(db, 1);
	run_sql("update accounts set amount = 10 where id = 1");
	ada->name = "lost";
	EXPECT(account_refresh(db, ada));
	EXPECT_TEXT(ada->name, "Ada");
	EXPECT(ada->amount == 10);
	run_sql("delete from accounts where id = 1");
	EXPECT(!account_refresh(db, ada));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(account_get(db, 1) == NULL);
	fresh = new_account(db, "Dot", 4);
	EXPECT(account_refresh(db, fresh)); /* there is nothing to read yet */
	EXPECT_TEXT(fresh->name, "Dot");
	EXPECT(!account_refresh(db, ada)); /* which is not known any more */
	EXPECT_STATUS(db, ATH_EINVAL);
}

static void expunge(struct ath_session *db)
{
	struct account *ada, *bob, *again, *fresh;

	store_accounts();
	ada = account_get(db, 1);
	bob = account_get(db, 2);
	fresh = new_account(db, "Dot", 4);
	ada->amount = 10;
	account_delete(db, bob);
	account_expunge(db, ada);
	account_expunge(db, bob);
	account_expunge(db, fresh);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select sum(amount) from accounts", 6);
	again = account_get(db, 1);
	EXPECT(again != ada && again->amount == 1 && ada->amount == 10);
	account_expunge(db, ada);
	EXPECT_STATUS(db, ATH_EINVAL);
}

/* What is forgotten is not known again by a rollback: its key may be another object's by now. */
static void expunge_and_rollback(struct ath_session *db)
{
	struct account *ada, *again;

	store_accounts();
	ada = account_get(db, 1);
	ada->amount = 10;
	EXPECT(ath_flush(db));
	account_expunge(db, ada);
	again = account_get(db, 1);
	EXPECT(again != ada && again->amount == 10);
	ath_rollback(db);
	EXPECT(account_get(db, 1) == again && again->amount == 1);
	again->amount = 20;
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select amount from accounts where id = 1", 20);
}

static void not_of_this_session(struct ath_session *db)
{
	struct account other = { .id = 1 };

	store_accounts();
	account_delete(db, &other);
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	account_expire(db, &other);
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	EXPECT(!account_refresh(db, &other));
	EXPECT_STATUS(db, ATH_EINVAL);
}

static void added_after_it_was_to_be_deleted(struct ath_session *db)
{
	struct account *ada;

	store_accounts();
	ada = account_get(db, 1);
	account_delete(db, ada);
	account_add(db, ada);
	ada->amount = 10;
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select amount from accounts where id = 1", 10);
	account_delete(db, ada);
	EXPECT(ath_commit(db));
	EXPECT(account_get(db, 1) == NULL);
	account_add(db, ada); /* a new row, with the key it had */
	EXPECT(ath_commit(db));
	EXPECT(account_get(db, 1) == ada);
	EXPECT_NUMBER("select amount from accounts where id = 1", 10);
}

/* ---- merge ------------------------------------------------------------------------------------
 */

static void merge(struct ath_session *db)
{
	struct account known = { .id = 1, .name = "A", .amount = 10, .version = 1 };
	struct account stored = { .id = 2, .name = "B", .amount = 20, .version = 1 };
	struct account new_one = { .name = "D", .amount = 40 };
	struct account with_key = { .id = 50, .name = "E", .amount = 50 };
	struct account *ada, *bob, *dot, *eve;

	store_accounts();
	ada = account_get(db, 1);
	EXPECT(account_merge(db, &known) == ada);
	EXPECT(ada->amount == 10);
	bob = account_merge(db, &stored);
	EXPECT(bob != &stored && bob == account_get(db, 2));
	dot = account_merge(db, &new_one);
	EXPECT(dot != &new_one && dot != NULL);
	eve = account_merge(db, &with_key);
	EXPECT(eve != NULL && eve->id == 50);
	EXPECT(account_merge(db, NULL) == NULL);
	EXPECT(ath_commit(db));
	EXPECT(account_merge(db, &known) == NULL); /* what it was read as is not there any more */
	EXPECT_STATUS(db, ATH_ESTALE);
	ath_clear_error(db);
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(dot->id == 4 && new_one.id == 0);
	EXPECT_TEXT(ask("select string_agg(id || name || amount, ',' order by id) from accounts"),
		    "1A10,2B20,3Cid3,4D40,50E50");
	EXPECT_NUMBER("select sum(version) from accounts", 2 + 2 + 1 + 1 + 1);
}

static void merge_is_of_its_own_memory_for_the_row(struct ath_session *db)
{
	struct line line = { 1, 0, "text" }, *merged;

	merged = line_merge(db, &line);
	line.text = "changed";
	EXPECT_TEXT(merged->text, "text");
	EXPECT(ath_commit(db));
	EXPECT(line_merge(db, &line) == merged);
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select text from lines where bill = 1 and number = 0"), "changed");
}

/* ---- versions ---------------------------------------------------------------------------------
 */

enum way { BY_FLUSH, BY_COMMIT, BY_COMMIT_OF_MANY, BY_COMMIT_IN_A_TRANSACTION, WAYS };

static bool store(struct ath_session *db, enum way way)
{
	return way == BY_FLUSH ? ath_flush(db) : ath_commit(db);
}

static void meet_stale(struct ath_session *db, enum way way, bool delete)
{
	struct account *ada;
	char name[20];

	run_sql("truncate accounts restart identity");
	ath_rollback(db);
	store_accounts();
	ada = account_get(db, 1);
	EXPECT(account_refresh(db, ada));
	if (way == BY_COMMIT_IN_A_TRANSACTION)
		EXPECT(ath_begin(db));
	run_sql("update accounts set amount = 100, version = version + 1 where id = 1");
	if (way != BY_FLUSH && way != BY_COMMIT) {
		snprintf(name, sizeof name, "new %d", (int)way);
		new_account(db, ath_arena_copy(db->arena, name, strlen(name)), 0);
	}
	if (delete)
		account_delete(db, ada);
	else
		ada->amount = 10;
	EXPECT(!store(db, way));
	EXPECT_STATUS(db, ATH_ESTALE);
	ath_clear_error(db);
	EXPECT_NUMBER("select amount from accounts where id = 1", 100);
	EXPECT_NUMBER("select count(*) from accounts", 3);
	EXPECT(account_get(db, 1) == ada && ada->version == 2 && ada->amount == 100);
	if (delete)
		account_delete(db, ada);
	else
		ada->amount++;
	EXPECT(ath_commit(db));
	if (delete)
		EXPECT_NUMBER("select count(*) from accounts where id = 1", 0);
	else
		EXPECT_NUMBER("select amount + version from accounts where id = 1", 101 + 3);
}

static void stale_updates(struct ath_session *db)
{
	for (enum way way = BY_FLUSH; way < WAYS; way++)
		meet_stale(db, way, false);
}

static void stale_deletes(struct ath_session *db)
{
	for (enum way way = BY_FLUSH; way < WAYS; way++)
		meet_stale(db, way, true);
}

static void versions_count_on(struct ath_session *db)
{
	struct account *ada = new_account(db, "Ada", 1), copy = { .name = "Ada", .amount = 7 };
	struct ath_query query = ath_query(account);

	EXPECT(ath_commit(db));
	EXPECT(ada->version == 1);
	for (int32_t i = 2; i < 5; i++) {
		ada->amount++;
		EXPECT(ath_flush(db));
		EXPECT(ada->version == i);
	}
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select version from accounts", 4);
	ath_where(&query, ATH_EQ(account, id, ada->id));
	EXPECT(ath_update(db, &query, ATH_SET(account, amount, 5)) == 1);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select version from accounts", 5);
	ada->amount = 6; /* which does not know of that */
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_ESTALE);
	ath_clear_error(db);
	EXPECT(account_refresh(db, ada));
	EXPECT(account_upsert(db, &copy, ATH_ON(account, name)) == ada);
	EXPECT(ada->version == 6 && ada->amount == 7);
	ada->amount = 8;
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select version * 100 + amount from accounts", 708);
	account_delete(db, ada);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from accounts", 0);
}

/* ---- what an UPDATE names -----------------------------------------------------------------------
 */

static void only_what_changed(struct ath_session *db)
{
	struct ath_timestamp before = ath_timestamp_now();
	struct account *ada;

	store_accounts();
	ada = account_get(db, 1);
	EXPECT(!ada->changed.valid);
	run_sql("update accounts set name = 'Other' where id = 1");
	ada->amount = 10; /* the name is not sent */
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select name || amount from accounts where id = 1"), "Other10");
	EXPECT(ada->changed.valid && ada->changed.value.microseconds >= before.microseconds);
	EXPECT_NUMBER("select count(*) from accounts where changed is not null", 1);
	EXPECT(ath_session_is_clean(db));
}

static void no_change_sends_nothing(struct ath_session *db)
{
	struct account *ada;
	size_t before;

	store_accounts();
	ada = account_get(db, 1);
	before = db->statement_count;
	ada->amount = 10;
	ada->amount = 1;
	ada->name = ath_arena_copy(db->arena, "Ada", 3);
	EXPECT(ath_commit(db));
	EXPECT(db->statement_count == before);
	EXPECT(!ada->changed.valid && ada->version == 1);
}

/* ---- before every kind of read ------------------------------------------------------------------
 */

static void reads_see_what_is_pending(struct ath_session *db)
{
	struct ath_query query = ath_query(account);
	struct ath_null_int64 sum;
	struct account *ada = new_account(db, "Ada", 1);
	struct ath_cursor *rows;
	struct account_list list;

	EXPECT(account_all(db, &query).count == 1);
	ada->amount = 2;
	EXPECT(account_first(db, &query)->amount == 2);
	ada->amount = 3;
	EXPECT(account_one(db, &query)->amount == 3);
	new_account(db, "Bob", 1);
	EXPECT(ath_count(db, &query) == 2);
	ada->amount = 4;
	EXPECT(ath_scalar(db, &query, ATH_FUNC(max, ATH_COL(account, amount)), &sum));
	EXPECT(sum.valid && sum.value == 4);
	new_account(db, "Cid", 1);
	rows = account_each(db, &query);
	for (int i = 0; i < 3; i++)
		EXPECT(account_next(rows) != NULL);
	EXPECT(account_next(rows) == NULL);
	ada->amount = 5;
	list = ath_sql(db, account, "select * from accounts where amount = :n",
		       ATH_BIND("n", (int64_t)5));
	EXPECT(list.count == 1 && list.items[0] == ada);
	new_account(db, "Dot", 1);
	EXPECT(ath_execute(db, "update accounts set amount = 6") == 4);
	new_account(db, "Eve", 1);
	ath_where(&query, ATH_EQ(account, name, "Eve"));
	EXPECT(ath_delete_where(db, &query) == 1);
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(account_get(db, 99) == NULL);
	account_delete(db, ada);
	EXPECT(account_get(db, 1) == NULL);
	EXPECT_NUMBER("select count(*) from accounts", 0);
}

/* ---- keys of two columns
 * -------------------------------------------------------------------------- */

static void keys_of_two_columns(struct ath_session *db)
{
	struct line *a = new_line(db, 1, 1, "a"), *b = new_line(db, 1, 2, "b");
	struct line *c = new_line(db, 2, 1, "c"), other = { 2, 1, "merged" };
	struct ath_query query = ath_query(line);

	EXPECT(ath_commit(db));
	EXPECT(line_get(db, 1, 1) == a && line_get(db, 1, 2) == b && line_get(db, 2, 1) == c);
	EXPECT(line_get(db, 2, 2) == NULL);
	a->text = "A";
	line_delete(db, b);
	EXPECT(line_merge(db, &other) == c);
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select string_agg(bill || '.' || number || text, ',' order by bill) "
			"from lines"),
		    "1.1A,2.1merged");
	EXPECT(line_get(db, 1, 2) == NULL);
	run_sql("update lines set text = 'x'");
	EXPECT(line_all(db, &query).items[0] == a && strcmp(a->text, "x") == 0);
	EXPECT(line_refresh(db, c));
	c->number = 9;
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	EXPECT(c->number == 1 && line_get(db, 2, 1) == c);
}

/* A zero among the columns of a key is a value like any other. */
static void rows_that_refer_to_keys_of_two_columns(struct ath_session *db)
{
	struct remark *remark = remark_new(db), *zero = remark_new(db);

	*remark = (struct remark){ .bill = 1, .number = 2, .text = "r" };
	*zero = (struct remark){ .bill = 1, .number = 0, .text = "z" };
	remark_add(db, remark);
	remark_add(db, zero);
	new_line(db, 1, 0, "l");
	new_line(db, 1, 2, "m");
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_NUMBER("select count(*) from remarks", 2);
	line_delete(db, line_get(db, 1, 0));
	line_delete(db, line_get(db, 1, 2));
	remark_delete(db, zero);
	remark_delete(db, remark);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_NUMBER("select count(*) from lines", 0);
}

/* ---- failing in the middle
 * ------------------------------------------------------------------------ */

static void an_error_in_the_last_of_many(struct ath_session *db)
{
	struct account *ada, *dot;
	struct line *line;

	store_accounts();
	ada = account_get(db, 1);
	ada->amount = 10;
	account_delete(db, account_get(db, 2));
	dot = new_account(db, "Dot", 4);
	line = new_line(db, 1, 1, "l");
	new_account(db, "Cid", 5); /* who is there already */
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EUNIQUE);
	EXPECT_NUMBER("select sum(amount) from accounts", 6);
	EXPECT_NUMBER("select count(*) from lines", 0);
	ath_clear_error(db);
	EXPECT(ada->amount == 1 && dot->id == 0 && dot->version == 0);
	EXPECT(account_get(db, 2) != NULL && line_get(db, 1, 1) == NULL);
	account_add(db, dot);
	line_add(db, line);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select sum(amount) from accounts", 10);
	EXPECT_NUMBER("select count(*) from lines", 1);
}

static void a_commit_answered_by_a_rollback(struct ath_session *db)
{
	struct account *ada;

	store_accounts();
	ada = account_get(db, 1);
	EXPECT(ath_begin(db));
	/* the transaction fails where the session does not see it */
	EXPECT(ath_execute(db, "create function pg_temp.f() returns int language plpgsql as "
			       "$$ begin return 1 / 0; end $$") == 0);
	EXPECT(ath_execute(db, "select pg_temp.f()") == 0);
	ath_error_clear(&db->error);
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_ESQL);
	ath_clear_error(db);
	ada->amount = 5;
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select amount from accounts where id = 1", 5);
}

static struct scenario scenarios[] = {
	SCENARIO(expire),
	SCENARIO(refresh),
	SCENARIO(expunge),
	SCENARIO(expunge_and_rollback),
	SCENARIO(not_of_this_session),
	SCENARIO(added_after_it_was_to_be_deleted),
	SCENARIO(merge),
	SCENARIO(merge_is_of_its_own_memory_for_the_row),
	SCENARIO(stale_updates),
	SCENARIO(stale_deletes),
	SCENARIO(versions_count_on),
	SCENARIO(only_what_changed),
	SCENARIO(no_change_sends_nothing),
	SCENARIO(reads_see_what_is_pending),
	SCENARIO(keys_of_two_columns),
	SCENARIO(rows_that_refer_to_keys_of_two_columns),
	SCENARIO(an_error_in_the_last_of_many),
	SCENARIO(a_commit_answered_by_a_rollback),
};

int main(void)
{
	RUN_SCENARIOS(scenarios, setup_ledger);
}
