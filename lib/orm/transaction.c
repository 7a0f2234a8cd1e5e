/*
 * transaction.c - transactions beyond the usual: savepoints, notifications, trying again.
 */
#include "orm/internal.h"

/* Runs a statement of ours in the open transaction, whatever error the session is in. */
static bool run_fixed(struct ath_session *session, const char *text, struct ath_error *error)
{
	struct ath_statement statement = ath_statement_of(text);
	void *result = NULL;
	struct ath_batch batch = {
		.statements = &statement, .count = 1, .results = &result, .arena = session->arena
	};
	uint64_t since = ath_session_clock(session);
	enum ath_status status = ath_engine_run(session->engine, session->connection, &batch,
						session->deadline, false);

	ath_session_count(session, &batch, SIZE_MAX);
	ath_session_time(session, &batch, since);
	if (status != ATH_OK)
		*error = batch.error;
	ath_batch_clear(&batch);
	return status == ATH_OK;
}

/* ---- only reading from now on ---------------------------------------------------------------- */

/* A rollback to a savepoint takes this back. */
static void close_transaction(struct ath_session *session)
{
	struct ath_error error = { 0 };

	if (session->connection != NULL && ath_session_ok(session) &&
	    !run_fixed(session, "SET TRANSACTION READ ONLY", &error))
		ath_session_take_error(session, &error);
}

void ath_session_seal(struct ath_session *session)
{
	session->sealed = session->read_only = true;
	close_transaction(session);
}

/* ---- savepoints ---------------------------------------------------------------------------- */

static bool run_savepoint(struct ath_session *session, const char *format, int number,
			  struct ath_error *error)
{
	/* numbered by depth, so that the statements stay few and prepared */
	char *text = ath_arena_printf(session->arena, format, number);

	if (text != NULL)
		return run_fixed(session, text, error);
	ath_error_set(error, ATH_ENOMEM, "the session's memory is used up");
	return false;
}

bool ath_savepoint(struct ath_session *session, struct ath_savepoint *savepoint)
{
	struct ath_error error = { 0 };

	savepoint->number = 0;
	if (!ath_begin(session) || !ath_flush(session))
		return false;
	if (!run_savepoint(session, "SAVEPOINT ath_%d", session->savepoints + 1, &error)) {
		ath_session_take_error(session, &error);
		return false;
	}
	if (!ath_undo_mark(session, session->savepoints + 1))
		return false;
	savepoint->number = ++session->savepoints;
	return true;
}

/* One that was released, rolled back beyond, or never set is no use any more. */
static bool is_open(struct ath_session *session, const struct ath_savepoint *savepoint)
{
	return session->connection != NULL && savepoint->number > 0 &&
	       savepoint->number <= session->savepoints;
}

bool ath_release(struct ath_session *session, struct ath_savepoint *savepoint)
{
	struct ath_error error = { 0 };
	bool open = is_open(session, savepoint);
	int number = savepoint->number;

	if (!ath_session_ok(session) || !ath_flush(session))
		return false;
	savepoint->number = 0;
	if (!open)
		ath_session_fail(session, ATH_EINVAL, "the savepoint is not open any more");
	else if (!run_savepoint(session, "RELEASE SAVEPOINT ath_%d", number, &error))
		ath_session_take_error(session, &error);
	else
		session->savepoints = number - 1;
	if (ath_session_ok(session))
		ath_cursors_released(session, number);
	return ath_session_ok(session);
}

bool ath_rollback_to(struct ath_session *session, struct ath_savepoint *savepoint)
{
	struct ath_error error = { 0 };

	if (!is_open(session, savepoint)) {
		ath_session_fail(session, ATH_EINVAL, "the savepoint is not open any more");
		return false;
	}
	if (!run_savepoint(session, "ROLLBACK TO SAVEPOINT ath_%d", savepoint->number, &error)) {
		ath_session_take_error(session, &error);
		ath_session_disconnect(session);
		return false;
	}
	session->savepoints = savepoint->number;
	ath_cursors_rolled_back(session, savepoint->number);
	if (!session->poisoned)
		ath_error_clear(&session->error);
	ath_undo_to(session, savepoint->number);
	if (session->sealed)
		close_transaction(session);
	return true;
}

/* ---- notifications -------------------------------------------------------------------------- */

/* NOTIFY itself takes no parameters. */
bool ath_notify(struct ath_session *session, const char *channel, const char *payload)
{
	enum { MOST = 7999 }; /* the server's */
	struct ath_batch *batch;
	struct ath_value *params;

	payload = payload == NULL ? "" : payload;
	if (!ath_session_ok(session) || ath_channel_check(channel, &session->error) != ATH_OK)
		return false;
	if (strlen(payload) > MOST)
		ath_session_fail(session, ATH_ETOOBIG, "a payload has at most %d bytes", MOST);
	else if (!ath_utf8_valid(payload, strlen(payload)))
		ath_session_fail(session, ATH_ERULE, "a payload is UTF-8");
	batch = ath_session_ok(session) ? ath_session_batch(session, 1) : NULL;
	if (batch == NULL)
		return false;
	params = ath_new(session->arena, struct ath_value, 2);
	if (params == NULL)
		return ath_session_no_memory(session);
	params[0] = ath_value_text(channel);
	params[1] = ath_value_text(payload);
	batch->statements[0] = ath_statement_of("select pg_notify($1, $2)");
	batch->statements[0].params = params;
	batch->statements[0].param_count = 2;
	batch->statements[0].own = false;
	if (!ath_session_run_begun(session, &batch))
		return false;
	session->wrote = true;
	ath_batch_clear(batch);
	return true;
}

/* ---- trying again --------------------------------------------------------------------------- */

static bool may_be_tried_again(const struct ath_session *session)
{
	return session->error.status == ATH_ESERIALIZATION;
}

/* Longer after each failure, and never the same for two that met. */
static int64_t pause_ms(int attempt)
{
	enum { FIRST_MS = 10 };
	struct ath_uuid random;
	int64_t most = (int64_t)FIRST_MS << (attempt < 6 ? attempt : 6);
	uint16_t chance = 0;

	if (ath_uuid_random(&random) == ATH_OK)
		memcpy(&chance, random.bytes, sizeof chance);
	return 1 + chance % most;
}

enum ath_status ath_retry(struct ath_engine *engine, int attempts,
			  const struct ath_session_options *options,
			  void (*work)(struct ath_session *session, void *arg), void *arg,
			  struct ath_error *error)
{
	enum ath_status status = ATH_EINVAL;

	ath_error_clear(error);
	for (int attempt = 0; attempt < attempts; attempt++) {
		struct ath_session *session;
		bool again;

		status = ath_session_open(&session, engine, options);
		if (status != ATH_OK)
			break;
		work(session, arg);
		status = session->error.status;
		*error = session->error;
		again = may_be_tried_again(session);
		ath_session_close(&session);
		if (!again || attempt + 1 == attempts)
			break;
		if (ath_sleep(pause_ms(attempt)) != ATH_OK)
			break;
	}
	return status;
}
