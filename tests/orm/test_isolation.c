/*
 * test_isolation.c - isolation levels and read-only sessions: what they see, what they refuse, and
 * that a transaction that met another one is tried again.
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

static struct ath_session *open_with(struct ath_session_options options)
{
	struct ath_session *db;

	if (ath_session_open(&db, engine, &options) != ATH_OK)
		die_of("ath_session_open", "no session");
	return db;
}

struct setting {
	const char *value;
};
ATH_LIST_(setting)
ATH_DECLARE_READING_(setting)
ATH_MODEL_RESULT(setting, ATH_COLUMN(setting, value));

static const char *setting_of(struct ath_session *db, bool isolation)
{
	struct setting_list list =
		isolation ? ath_sql(db, setting,
				    "select current_setting('transaction_isolation') as value")
			  : ath_sql(db, setting,
				    "select current_setting('transaction_read_only') as value");

	return list.count == 1 ? list.items[0]->value : "";
}

/* ---- levels --------------------------------------------------------------------------------- */

static void levels_by_option(struct ath_session *db)
{
	static const char *const names[] = { "read committed", "repeatable read", "serializable" };

	(void)db;
	for (int read_only = 0; read_only < 2; read_only++)
		for (enum ath_isolation level = ATH_READ_COMMITTED; level <= ATH_SERIALIZABLE;
		     level++) {
			struct ath_session *other = open_with((struct ath_session_options){
				.isolation = level, .read_only = read_only });

			EXPECT(ath_begin(other));
			EXPECT_TEXT(setting_of(other, true), names[level]);
			EXPECT_TEXT(setting_of(other, false), read_only ? "on" : "off");
			ath_session_close(&other);
		}
}

static void levels_by_set_transaction(struct ath_session *db)
{
	EXPECT(ath_begin(db));
	EXPECT_TEXT(setting_of(db, true), "read committed");
	ath_set_transaction(db, ATH_SERIALIZABLE, false);
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	ath_set_transaction(db, ATH_SERIALIZABLE, true);
	EXPECT_TEXT(setting_of(db, true), "serializable"); /* the first read begins it */
	EXPECT_TEXT(setting_of(db, false), "on");
	EXPECT(ath_commit(db));
	ath_set_transaction(db, ATH_READ_COMMITTED, false);
	new_account(db, "Ada", 1);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_NUMBER("select count(*) from accounts", 1);
}

static void repeatable_read_sees_a_snapshot(struct ath_session *db)
{
	struct ath_query query = ath_query(account);
	struct account *ada;

	store_accounts();
	ath_set_transaction(db, ATH_REPEATABLE_READ, false);
	EXPECT(ath_count(db, &query) == 3);
	run_sql("update accounts set amount = 10 where id = 1;"
		"insert into accounts (name, amount, version) values ('Dot', 4, 1)");
	EXPECT(ath_count(db, &query) == 3);
	ada = account_get(db, 1);
	EXPECT(ada->amount == 1);
	EXPECT(account_all(db, &query).count == 3);
	ath_rollback(db);
	EXPECT(account_get(db, 1) == ada && ada->amount == 10);
	EXPECT(ath_count(db, &query) == 4);
	ath_rollback(db);
	ath_set_transaction(db, ATH_READ_COMMITTED, false);
	EXPECT(ath_begin(db) && ath_count(db, &query) == 4);
	run_sql("delete from accounts where id = 4");
	EXPECT(ath_count(db, &query) == 3);
}

/* What was changed behind the snapshot cannot be updated, and no half of the flush is stored. */
static void repeatable_read_meets_a_change(struct ath_session *db)
{
	struct account *ada;

	store_accounts();
	ath_set_transaction(db, ATH_REPEATABLE_READ, false);
	ada = account_get(db, 1);
	run_sql("update accounts set name = 'Ava' where id = 1");
	new_account(db, "Dot", 4);
	ada->amount = 10;
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_ESERIALIZATION);
	ath_clear_error(db);
	EXPECT(account_get(db, 1) == ada);
	EXPECT_TEXT(ada->name, "Ava");
	EXPECT_NUMBER("select sum(amount) from accounts", 6);
}

/* ---- conflicts --------------------------------------------------------------------------------
 */

/* How many there are goes into a new row: two that do so at once cannot both have been first. */
struct race {
	int calls;
	bool raced; /* another one has been first */
};

static void add_count(struct ath_session *db, const char *name)
{
	struct ath_query query = ath_query(account);
	int64_t count = ath_count(db, &query);

	new_account(db, name, count);
}

static void work(struct ath_session *db, void *arg)
{
	struct race *race = arg;

	race->calls++;
	add_count(db, "mine");
	if (!race->raced) {
		struct ath_session *other =
			open_with((struct ath_session_options){ .isolation = ATH_SERIALIZABLE });

		race->raced = true;
		EXPECT(ath_flush(db));
		add_count(other, "other");
		EXPECT(ath_commit(other));
		ath_session_close(&other);
	}
	(void)!ath_commit(db);
}

static void serializable_conflict_is_healed(struct ath_session *db)
{
	struct ath_session_options options = { .isolation = ATH_SERIALIZABLE };
	struct ath_error error;
	struct race race = { 0 };

	(void)db;
	store_accounts();
	EXPECT(ath_retry(engine, 1, &options, work, &race, &error) == ATH_ESERIALIZATION);
	EXPECT(race.calls == 1 && error.status == ATH_ESERIALIZATION);
	EXPECT_TEXT(error.sqlstate, "40001");
	EXPECT_TEXT(ask("select string_agg(name || amount, ',' order by id) from accounts"),
		    "Ada1,Bob2,Cid3,other3");
	run_sql("delete from accounts where name = 'other'");
	race = (struct race){ 0 };
	EXPECT(ath_retry(engine, 3, &options, work, &race, &error) == ATH_OK);
	EXPECT(race.calls == 2 && error.status == ATH_OK);
	EXPECT_TEXT(ask("select string_agg(name || amount, ',' order by id) from accounts"),
		    "Ada1,Bob2,Cid3,other3,mine4");
}

/* ---- read-only ---------------------------------------------------------------------------------
 */

static void write_row(struct ath_session *db, const struct ath_query *all)
{
	(void)all;
	new_account(db, "Dot", 4);
	EXPECT(!ath_flush(db));
}

static void write_and_commit(struct ath_session *db, const struct ath_query *all)
{
	(void)all;
	new_account(db, "Dot", 4);
	EXPECT(!ath_commit(db));
}

static void change_row(struct ath_session *db, const struct ath_query *all)
{
	(void)all;
	account_get(db, 1)->amount = 10;
	EXPECT(!ath_commit(db));
}

static void change_and_read(struct ath_session *db, const struct ath_query *all)
{
	account_get(db, 1)->amount = 10;
	EXPECT(account_all(db, all).count == 0);
}

static void delete_row(struct ath_session *db, const struct ath_query *all)
{
	(void)all;
	account_delete(db, account_get(db, 1));
	EXPECT(!ath_commit(db));
}

static void update_all(struct ath_session *db, const struct ath_query *all)
{
	EXPECT(ath_update(db, all, ATH_SET(account, amount, 7)) == 0);
}

static void delete_all(struct ath_session *db, const struct ath_query *all)
{
	EXPECT(ath_delete_where(db, all) == 0);
}

static void insert_many(struct ath_session *db, const struct ath_query *all)
{
	struct account accounts[2] = { { .name = "x" }, { .name = "y" } };

	(void)all;
	EXPECT(account_insert_all(db, accounts, 2) == 0);
}

static void upsert(struct ath_session *db, const struct ath_query *all)
{
	struct account account = { .name = "Ada" };

	(void)all;
	EXPECT(account_upsert(db, &account, ATH_ON(account, name)) == NULL);
}

static void literal_write(struct ath_session *db, const struct ath_query *all)
{
	(void)all;
	EXPECT(ath_execute(db, "delete from accounts") == 0);
	EXPECT_TEXT(ath_session_error(db)->sqlstate, "25006");
}

static void literal_rows(struct ath_session *db, const struct ath_query *all)
{
	(void)all;
	EXPECT(ath_sql(db, account, "delete from accounts returning *").count == 0);
	EXPECT_TEXT(ath_session_error(db)->sqlstate, "25006");
}

static void literal_rows_begun(struct ath_session *db, const struct ath_query *all)
{
	EXPECT(ath_begin(db));
	literal_rows(db, all);
}

static void locked(struct ath_session *db, const struct ath_query *all)
{
	struct ath_query query = *all;

	ath_lock(&query, ATH_FOR_UPDATE);
	EXPECT(account_all(db, &query).count == 0);
}

static void create(struct ath_session *db, const struct ath_query *all)
{
	(void)all;
	EXPECT(!ath_create_all(db, ledger_models));
}

static void every_write_is_refused(struct ath_session *db)
{
	static void (*const writes[])(struct ath_session * db, const struct ath_query *all) = {
		write_row,    write_and_commit,   change_row,  change_and_read, delete_row,
		update_all,   delete_all,         insert_many, upsert,          literal_write,
		literal_rows, literal_rows_begun, locked,      create,
	};
	struct ath_query all = ath_query(account);

	(void)db;
	store_accounts();
	ath_where(&all, ATH_ALL);
	for (enum ath_isolation level = ATH_READ_COMMITTED; level <= ATH_SERIALIZABLE; level++)
		for (size_t i = 0; i < ATH_COUNT(writes); i++) {
			struct ath_session *reader = open_with((struct ath_session_options){
				.isolation = level, .read_only = true });

			writes[i](reader, &all);
			if (!EXPECT_STATUS(reader, ATH_EREADONLY))
				fprintf(stderr, "write %zu\n", i);
			ath_clear_error(reader);
			EXPECT(account_all(reader, &all).count == 3);
			EXPECT(account_get(reader, 1)->amount == 1);
			EXPECT(ath_commit(reader));
			EXPECT_STATUS(reader, ATH_OK);
			ath_session_close(&reader);
		}
	EXPECT_NUMBER("select sum(amount) from accounts", 6);
}

static void read_only_reads_everything(struct ath_session *db)
{
	struct ath_query query = ath_query(account);
	struct ath_cursor *rows;
	int count = 0;

	store_accounts();
	ath_set_transaction(db, ATH_REPEATABLE_READ, true);
	EXPECT(account_get(db, 1) != NULL && ath_count(db, &query) == 3);
	rows = account_each(db, &query);
	while (account_next(rows) != NULL)
		count++;
	EXPECT(count == 3);
	EXPECT(ath_explain(db, &query, true) != NULL);
	EXPECT(ath_sql(db, account, "select * from accounts").count == 3);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
}

static struct scenario scenarios[] = {
	SCENARIO(levels_by_option),
	SCENARIO(levels_by_set_transaction),
	SCENARIO(repeatable_read_sees_a_snapshot),
	SCENARIO(repeatable_read_meets_a_change),
	SCENARIO(serializable_conflict_is_healed),
	SCENARIO(every_write_is_refused),
	SCENARIO(read_only_reads_everything),
};

int main(void)
{
	RUN_SCENARIOS(scenarios, setup_ledger);
}
