/*
 * test_hooks.c - hooks: which are called when, what they may change, refuse, add and read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ledger.h"

static const char *const event_names[] = {
	[ATH_BEFORE_FLUSH] = "flush",   [ATH_AFTER_FLUSH] = "flushed",
	[ATH_BEFORE_INSERT] = "insert", [ATH_AFTER_INSERT] = "inserted",
	[ATH_BEFORE_UPDATE] = "update", [ATH_AFTER_UPDATE] = "updated",
	[ATH_BEFORE_DELETE] = "delete", [ATH_AFTER_DELETE] = "deleted",
	[ATH_BEFORE_COMMIT] = "commit", [ATH_AFTER_COMMIT] = "committed",
};

static char trace[1000]; /* "insert Ada, ..." */

static void note(const char *who, enum ath_hook_event event, const struct ath_model *model,
		 const void *object)
{
	size_t length = strlen(trace);

	EXPECT((model == NULL) == (object == NULL));
	snprintf(trace + length, sizeof trace - length, "%s%s%s%s%s", length == 0 ? "" : ", ", who,
		 event_names[event], model == NULL ? "" : " ",
		 model == &plain_model     ? ((const struct plain *)object)->name
		 : model == &account_model ? ((const struct account *)object)->name
					   : "");
}

static void trace_hook(struct ath_session *db, enum ath_hook_event event,
		       const struct ath_model *model, void *object, void *arg)
{
	(void)db;
	note(arg == NULL ? "" : arg, event, model, object);
}

static void expect_trace(const char *expected, int line)
{
	expect_equal(trace, expected, line);
	trace[0] = '\0';
}

/* What each scenario leaves goes with the next one's session. */
static void begin_trace(struct ath_session *db, ath_hook *hook, void *arg)
{
	trace[0] = '\0';
	model_hook = NULL;
	ath_session_hook(db, hook, arg);
}

/* ---- which, when ------------------------------------------------------------------------------
 */

static void all_events(struct ath_session *db)
{
	struct plain *bob, *cid;

	run_sql("insert into plains (name) values ('Bob'), ('Cid')");
	begin_trace(db, trace_hook, NULL);
	bob = plain_get(db, 1);
	cid = plain_get(db, 2);
	expect_trace("", __LINE__);
	EXPECT(ath_commit(db)); /* of nothing */
	expect_trace("commit, flush, committed", __LINE__);
	new_plain(db, "Ada");
	bob->number = (struct ath_null_int32){ 1, true };
	plain_delete(db, cid);
	EXPECT(ath_commit(db));
	expect_trace("commit, flush, update Bob, delete Cid, insert Ada, "
		     "inserted Ada, updated Bob, deleted Cid, flushed, committed",
		     __LINE__);
	new_plain(db, "Dot");
	EXPECT(ath_flush(db));
	expect_trace("flush, insert Dot, inserted Dot, flushed", __LINE__);
	ath_rollback(db);
	expect_trace("", __LINE__);
	new_plain(db, "Eve");
	EXPECT(plain_get(db, 99) == NULL); /* which flushes */
	expect_trace("flush, insert Eve, inserted Eve, flushed", __LINE__);
	EXPECT(ath_commit(db));
	expect_trace("commit, flush, committed", __LINE__);
	ath_session_hook(db, NULL, NULL);
	new_plain(db, "Fay");
	EXPECT(ath_commit(db));
	expect_trace("", __LINE__);
}

static void of_session_and_model(struct ath_session *db)
{
	begin_trace(db, trace_hook, (void *)"s:");
	model_hook = trace_hook;
	new_plain(db, "Ada");
	new_account(db, "acc", 1); /* a model without hooks */
	EXPECT(ath_commit(db));
	expect_trace("s:commit, s:flush, s:insert Ada, insert Ada, s:insert acc, "
		     "s:inserted Ada, inserted Ada, s:inserted acc, s:flushed, s:committed",
		     __LINE__);
	ath_session_hook(db, NULL, NULL);
	new_plain(db, "Bob");
	EXPECT(ath_commit(db));
	expect_trace("insert Bob, inserted Bob", __LINE__);
}

/* An object as the hook sees it: with its key behind the INSERT. */
static void see_key(struct ath_session *db, enum ath_hook_event event,
		    const struct ath_model *model, void *object, void *arg)
{
	struct plain *plain = object;

	(void)arg;
	if (event == ATH_BEFORE_INSERT)
		EXPECT(model == &plain_model && plain->id == 0);
	if (event == ATH_AFTER_INSERT)
		EXPECT(plain->id == 1 && plain_get(db, 1) == plain);
	note("", event, model, object);
}

static void keys_are_there_afterwards(struct ath_session *db)
{
	begin_trace(db, see_key, NULL);
	new_plain(db, "Ada");
	EXPECT(ath_flush(db));
	expect_trace("flush, insert Ada, inserted Ada, flushed", __LINE__);
	EXPECT(ath_commit(db));
}

/* ---- refusing ----------------------------------------------------------------------------------
 */

static void refuse(struct ath_session *db, enum ath_hook_event event, const struct ath_model *model,
		   void *object, void *arg)
{
	(void)model;
	(void)object;
	if (event == *(const enum ath_hook_event *)arg)
		ath_session_fail(db, ATH_ERULE, "not this");
}

static void refusals_before_store_nothing(struct ath_session *db)
{
	static const enum ath_hook_event events[] = { ATH_BEFORE_COMMIT, ATH_BEFORE_FLUSH,
						      ATH_BEFORE_INSERT, ATH_BEFORE_UPDATE,
						      ATH_BEFORE_DELETE };
	struct plain *ada, *bob, *cid;

	run_sql("insert into plains (name) values ('Bob'), ('Cid')");
	bob = plain_get(db, 1);
	cid = plain_get(db, 2);
	for (int way = 0; way < 2; way++) /* in one batch, and in a transaction */
		for (size_t i = 0; i < ATH_COUNT(events); i++) {
			enum ath_hook_event event = events[i];

			begin_trace(db, NULL, NULL);
			EXPECT(way == 0 || ath_begin(db));
			ada = new_plain(db, "Ada");
			bob->name = "B";
			plain_delete(db, cid);
			ath_session_hook(db, refuse, &event);
			EXPECT(!ath_commit(db));
			EXPECT_STATUS(db, ATH_ERULE);
			EXPECT_TEXT(ath_session_error(db)->message, "not this");
			ath_session_hook(db, NULL, NULL);
			ath_clear_error(db);
			EXPECT(ath_session_is_clean(db));
			EXPECT(ath_commit(db));
			EXPECT_TEXT(ask("select string_agg(name, ',' order by id) from plains"),
				    "Bob,Cid");
			EXPECT(ada->id == 0);
			EXPECT_TEXT(bob->name, "Bob");
			EXPECT(plain_get(db, 2) == cid);
		}
}

/* Behind the commit it is too late: it is stored, and the session says what the hook said. */
static void refusals_after_a_commit(struct ath_session *db)
{
	static const enum ath_hook_event events[] = { ATH_AFTER_INSERT, ATH_AFTER_FLUSH,
						      ATH_AFTER_COMMIT };

	for (size_t i = 0; i < ATH_COUNT(events); i++) {
		enum ath_hook_event event = events[i];
		struct plain *ada;

		begin_trace(db, refuse, &event);
		ada = new_plain(db, "Ada");
		EXPECT(ath_commit(db));
		EXPECT_STATUS(db, ATH_ERULE);
		ath_clear_error(db);
		EXPECT(ada->id == (int64_t)i + 1);
		EXPECT(plain_get(db, ada->id) == ada);
		expect(ask_number("select count(*) from plains") == (long long)i + 1, "stored",
		       __LINE__);
	}
}

static void refusals_after_a_flush(struct ath_session *db)
{
	enum ath_hook_event event = ATH_AFTER_INSERT;
	struct ath_savepoint savepoint;
	struct plain *ada;

	begin_trace(db, refuse, &event);
	ada = new_plain(db, "Ada");
	EXPECT(!ath_flush(db));
	EXPECT_STATUS(db, ATH_ERULE);
	EXPECT(!ath_commit(db));
	ath_clear_error(db);
	EXPECT(ada->id == 0);
	EXPECT(ath_savepoint(db, &savepoint));
	plain_add(db, ada);
	EXPECT(!ath_flush(db));
	EXPECT(ath_rollback_to(db, &savepoint));
	ath_session_hook(db, NULL, NULL);
	plain_add(db, ada);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from plains", 1);
}

/* ---- changing and adding ------------------------------------------------------------------------
 */

static void change(struct ath_session *db, enum ath_hook_event event, const struct ath_model *model,
		   void *object, void *arg)
{
	struct plain *plain = object;

	(void)db;
	(void)arg;
	if (model != &plain_model)
		return;
	if (event == ATH_BEFORE_INSERT)
		plain->note = "inserted";
	if (event == ATH_BEFORE_UPDATE)
		plain->note = "updated";
}

static void a_hook_changes_the_row(struct ath_session *db)
{
	struct plain *ada;

	begin_trace(db, change, NULL);
	ada = new_plain(db, "Ada");
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select note from plains"), "inserted");
	ada->name = "Ava";
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select name || note from plains"), "Avaupdated");
	EXPECT(ath_session_is_clean(db));
}

static void undo_change(struct ath_session *db, enum ath_hook_event event,
			const struct ath_model *model, void *object, void *arg)
{
	(void)db;
	(void)model;
	(void)arg;
	if (event == ATH_BEFORE_UPDATE)
		((struct plain *)object)->name = "Ada";
}

static void a_hook_takes_a_change_back(struct ath_session *db)
{
	struct plain *ada = new_plain(db, "Ada");

	EXPECT(ath_commit(db));
	begin_trace(db, undo_change, NULL);
	ada->name = "Ava";
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_TEXT(ask("select name from plains"), "Ada");
}

static void add_more(struct ath_session *db, enum ath_hook_event event,
		     const struct ath_model *model, void *object, void *arg)
{
	(void)model;
	(void)object;
	if (event == *(const enum ath_hook_event *)arg)
		new_plain(db, "more");
}

static void a_hook_adds_rows(struct ath_session *db)
{
	static const enum ath_hook_event events[] = { ATH_BEFORE_FLUSH, ATH_BEFORE_COMMIT };

	for (size_t i = 0; i < ATH_COUNT(events); i++) {
		enum ath_hook_event event = events[i];

		begin_trace(db, add_more, &event);
		new_plain(db, "Ada");
		EXPECT(ath_commit(db));
		EXPECT(ath_session_is_clean(db));
		expect(ask_number("select count(*) from plains") == 2 * (long long)(i + 1),
		       "two more", __LINE__);
	}
}

/* ---- reading
 * ------------------------------------------------------------------------------------- */

static int calls;

static void read_everything(struct ath_session *db, enum ath_hook_event event,
			    const struct ath_model *model, void *object, void *arg)
{
	struct ath_query query = ath_query(plain);

	(void)event;
	(void)model;
	(void)object;
	(void)arg;
	calls++;
	(void)plain_all(db, &query);
	(void)ath_count(db, &query);
	EXPECT(ath_flush(db));
}

static void a_hook_that_reads(struct ath_session *db)
{
	struct plain *ada, *bob, *cid;

	run_sql("insert into plains (name) values ('Bob'), ('Cid')");
	bob = plain_get(db, 1);
	cid = plain_get(db, 2);
	for (int way = 0; way < 2; way++) {
		EXPECT(way == 0 || ath_begin(db));
		begin_trace(db, read_everything, NULL);
		calls = 0;
		ada = new_plain(db, "Ada");
		bob->name = "B";
		plain_delete(db, cid);
		EXPECT(ath_commit(db));
		EXPECT(calls == 10);
		EXPECT_STATUS(db, ATH_OK);
		EXPECT_TEXT(bob->name, "B");
		EXPECT(plain_get(db, cid->id) == NULL);
		EXPECT(plain_get(db, ada->id) == ada && plain_get(db, 1) == bob);
		EXPECT(ath_session_is_clean(db));
		EXPECT_TEXT(ask("select string_agg(name, ',' order by name) from plains"), "Ada,B");
		ath_session_hook(db, NULL, NULL);
		bob->name = "Bob";
		cid = ada;
		cid->name = "Cid";
		EXPECT(ath_commit(db));
	}
}

/* What a hook writes at once is part of the transaction, and none of a finished one. */
static void write_at_once(struct ath_session *db, enum ath_hook_event event,
			  const struct ath_model *model, void *object, void *arg)
{
	(void)model;
	(void)object;
	if (event == *(const enum ath_hook_event *)arg)
		EXPECT(ath_execute(db, "insert into lines values (1, 1, 'audit')") == 1);
}

static void a_hook_that_writes(struct ath_session *db)
{
	enum ath_hook_event event = ATH_BEFORE_INSERT;

	begin_trace(db, write_at_once, &event);
	new_plain(db, "Ada");
	EXPECT(ath_flush(db));
	ath_rollback(db);
	EXPECT_NUMBER("select count(*) from lines", 0);
	new_plain(db, "Ada");
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select (select count(*) from lines) + (select count(*) from plains)", 2);
	run_sql("delete from lines");
	event = ATH_AFTER_INSERT;
	new_plain(db, "Bob");
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from plains", 2);
	EXPECT_NUMBER("select count(*) from lines", 0);
	EXPECT(ath_session_is_uncommitted(db));
	ath_session_hook(db, NULL, NULL);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from lines", 1);
}

static struct scenario scenarios[] = {
	SCENARIO(all_events),
	SCENARIO(of_session_and_model),
	SCENARIO(keys_are_there_afterwards),
	SCENARIO(refusals_before_store_nothing),
	SCENARIO(refusals_after_a_commit),
	SCENARIO(refusals_after_a_flush),
	SCENARIO(a_hook_changes_the_row),
	SCENARIO(a_hook_takes_a_change_back),
	SCENARIO(a_hook_adds_rows),
	SCENARIO(a_hook_that_reads),
	SCENARIO(a_hook_that_writes),
};

int main(void)
{
	RUN_SCENARIOS(scenarios, setup_ledger);
}
