/*
 * ledger.h - models for what a session does beyond reading: with a version, with a function for
 * updates, with a key of two columns, and one that refers to such a key.
 */
#ifndef TESTS_ORM_LEDGER_H
#define TESTS_ORM_LEDGER_H

#include "tables.h"

struct account {
	int64_t id;
	const char *name;
	int64_t amount;
	struct ath_null_timestamp changed; /* by its update function */
	int32_t version;
};
ATH_DECLARE_ORM_(account, id)

struct plain {
	int64_t id;
	const char *name;
	struct ath_null_int32 number;
	const char *note; /* may be NULL */
};
ATH_DECLARE_ORM_(plain, id)

struct line {
	int64_t bill;
	int32_t number;
	const char *text;
};
ATH_DECLARE_ORM_(line, bill, number)

struct remark {
	int64_t id;
	int64_t bill;
	int32_t number;
	const char *text;
};
ATH_DECLARE_ORM_(remark, id)

static ath_hook *model_hook; /* of plain */

static void call_model_hook(struct ath_session *session, enum ath_hook_event event,
			    const struct ath_model *model, void *object, void *arg)
{
	if (model_hook != NULL)
		model_hook(session, event, model, object, arg);
}

ATH_MODEL(account, "accounts", ATH_COLUMN(account, id, .primary_key = true),
	  ATH_COLUMN(account, name, .unique = true), ATH_COLUMN(account, amount),
	  ATH_COLUMN(account, changed, .update_function = ath_fill_now),
	  ATH_COLUMN(account, version, .version = true));
ATH_MODEL(plain, "plains", ATH_COLUMN(plain, id, .primary_key = true), ATH_COLUMN(plain, name),
	  ATH_COLUMN(plain, number), ATH_COLUMN(plain, note, .nullable = true),
	  ATH_HOOK(call_model_hook));
ATH_MODEL(line, "lines", ATH_COLUMN(line, bill, .primary_key = true),
	  ATH_COLUMN(line, number, .primary_key = true), ATH_COLUMN(line, text));
ATH_MODEL(remark, "remarks", ATH_COLUMN(remark, id, .primary_key = true), ATH_COLUMN(remark, bill),
	  ATH_COLUMN(remark, number), ATH_COLUMN(remark, text),
	  ATH_FOREIGN_KEY(remark, ATH_COLUMNS(remark, bill, number), line));

static const struct ath_model *const ledger_models[] = { &account_model, &plain_model, &line_model,
							 &remark_model, NULL };

static inline struct account *new_account(struct ath_session *db, const char *name, int64_t amount)
{
	struct account *account = account_new(db);

	account->name = name;
	account->amount = amount;
	account_add(db, account);
	return account;
}

static inline struct plain *new_plain(struct ath_session *db, const char *name)
{
	struct plain *plain = plain_new(db);

	plain->name = name;
	plain_add(db, plain);
	return plain;
}

static inline struct line *new_line(struct ath_session *db, int64_t bill, int32_t number,
				    const char *text)
{
	struct line *line = line_new(db);

	*line = (struct line){ bill, number, text };
	line_add(db, line);
	return line;
}

static inline int setup_ledger(void **state)
{
	return setup_tables(state, ledger_models);
}

#endif
