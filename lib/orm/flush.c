/*
 * flush.c - the unit of work: what is new, changed and to be deleted becomes statements of
 * one batch, and what the server says about them comes back into the rows.
 *
 * The forms of a batch:
 *
 *	flush, no transaction yet	BEGIN, [time limit], statements
 *	flush in a transaction		statements
 *	commit, no transaction yet	[time limit], statements: the batch itself is the
 *transaction commit in a transaction		statements, COMMIT
 *
 * Each is one round trip.
 */
#include <stdlib.h>

#include "orm/internal.h"

enum { ROOM = 256 * 1024 }; /* for what comes back from a commit, and the answer about it */

enum phase { INSERTS, UPDATES, DELETES };

struct pending {
	struct ath_row *row;
	enum phase phase;
	int order; /* within the phase: parents before children, or after them */
	size_t place;
	struct ath_target *targets; /* of an INSERT: what comes back */
	size_t target_count;
};

struct flush {
	struct ath_session *session;
	bool commit, in_transaction, guarded;
	struct pending *pending;
	size_t count;
	struct ath_batch *batch;
	size_t first; /* of the statements: those before it are ours */
};

static bool is_pending(const struct ath_row *row, enum phase *phase)
{
	*phase = row->state == ATH_ROW_NEW       ? INSERTS
		 : row->state == ATH_ROW_DELETED ? DELETES
						 : UPDATES;
	return row->state == ATH_ROW_NEW || row->state == ATH_ROW_DELETED ||
	       (row->state == ATH_ROW_STORED && ath_row_is_changed(row));
}

bool ath_session_is_clean(struct ath_session *session)
{
	enum phase phase;

	for (const struct ath_row *row = session->rows.first; row != NULL; row = row->next)
		if (is_pending(row, &phase))
			return false;
	return true;
}

/* ---- collecting --------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct pending *left = a, *right = b;

	if (left->phase != right->phase)
		return left->phase < right->phase ? -1 : 1;
	if (left->order != right->order)
		return left->order < right->order ? -1 : 1;
	return left->place < right->place ? -1 : left->place > right->place;
}

static bool collect(struct flush *flush)
{
	struct ath_rows *rows = &flush->session->rows;
	size_t i = 0;
	enum phase phase;

	for (struct ath_row *row = rows->first; row != NULL; row = row->next)
		flush->count += is_pending(row, &phase);
	flush->pending = ath_new(flush->session->arena, struct pending, flush->count);
	if (flush->pending == NULL) {
		ath_session_no_memory(flush->session);
		return false;
	}
	for (struct ath_row *row = rows->first; row != NULL; row = row->next) {
		int depth;

		if (!is_pending(row, &phase))
			continue;
		depth = ath_model_depth(row->model);
		flush->pending[i] = (struct pending){ .row = row,
						      .phase = phase,
						      .order = phase == DELETES ? -depth : depth,
						      .place = i };
		i++;
	}
	qsort(flush->pending, flush->count, sizeof *flush->pending, compare);
	return true;
}

/* ---- statements ------------------------------------------------------------------------------ */

static bool make_statement(struct flush *flush, const struct pending *pending,
			   struct ath_statement *statement)
{
	const struct ath_row *row = pending->row;
	bool guarded = flush->guarded && pending->phase != INSERTS;
	struct ath_sql sql;

	ath_sql_open(&sql, flush->session->arena);
	if (guarded)
		ath_sql_guard_open(&sql);
	if (pending->phase == INSERTS)
		ath_sql_insert(&sql, row->model, row->object);
	else if (pending->phase == UPDATES)
		ath_sql_update(&sql, row->model, row->object, row->old);
	else
		ath_sql_delete(&sql, row->model, row->old);
	if (guarded)
		ath_sql_guard_close(&sql);
	if (ath_sql_finish(&sql, statement) == ATH_OK)
		return true;
	ath_session_take_error(flush->session, &sql.error);
	return false;
}

/*
 * What an INSERT will need when it is back is taken before anything is sent: once it is stored
 * there is no refusing any more.
 */
static bool reserve(struct flush *flush, struct pending *pending)
{
	struct ath_session *session = flush->session;
	struct ath_row *row = pending->row;

	if (pending->phase != INSERTS)
		return true;
	pending->targets = ath_session_targets(session, row->model, ath_sql_insert_returns,
					       row->object, &pending->target_count);
	row->old = ath_arena_alloc(session->arena, row->model->size);
	if (row->old == NULL)
		ath_session_no_memory(session);
	return pending->targets != NULL && row->old != NULL;
}

static bool make_batch(struct flush *flush)
{
	enum { OURS = 3 }; /* BEGIN, the time limit, COMMIT: at most */
	struct ath_batch *batch = ath_session_batch(flush->session, flush->count + OURS);
	size_t at = 0;

	if (batch == NULL)
		return false;
	flush->batch = batch;
	if (!flush->in_transaction) {
		if (!flush->commit)
			batch->statements[at++] = ath_statement_of("BEGIN");
		at += ath_session_limit_time(flush->session, &batch->statements[at]);
		if (!ath_session_ok(flush->session))
			return false;
	}
	flush->first = at;
	for (size_t i = 0; i < flush->count; i++)
		if (!reserve(flush, &flush->pending[i]) ||
		    !make_statement(flush, &flush->pending[i], &batch->statements[at++]))
			return false;
	if (flush->in_transaction && flush->commit)
		batch->statements[at++] = ath_statement_of("COMMIT");
	batch->count = at;
	flush->session->statement_count += at;
	return true;
}

/* ---- running -------------------------------------------------------------------------------- */

static void take_failure(struct flush *flush)
{
	struct ath_error *error = &flush->batch->error;

	if (flush->commit && flush->batch->sent &&
	    (flush->batch->lost || !flush->batch->waiter.done)) {
		error->status = ATH_EUNKNOWN;
	} else if (flush->guarded && strcmp(error->sqlstate, "22012") == 0) {
		ath_error_clear(error);
		ath_error_set(error, ATH_ESTALE, "a row was changed or deleted meanwhile");
	}
	ath_session_take_error(flush->session, error);
}

/* A commit is not cut off by the deadline: its outcome is waited for a little longer. */
static bool run(struct flush *flush)
{
	enum { GRACE_MS = 5000 };
	struct ath_session *session = flush->session;
	struct ath_batch *batch = flush->batch;
	int64_t deadline = session->deadline;
	enum ath_status status;

	if (flush->commit && deadline != ATH_NEVER)
		deadline = (deadline > ath_now() ? deadline : ath_now()) + GRACE_MS;
	status = ath_engine_run(session->engine, session->connection, batch, deadline,
				flush->commit);
	if (status != ATH_OK && !flush->in_transaction && !batch->lost &&
	    ath_batch_is_stale(batch) && flush->commit) {
		/* nothing of it was done: prepare again, once */
		ath_batch_clear(batch);
		ath_error_clear(&batch->error);
		batch->waiter = (struct ath_waiter){ 0 };
		status =
			ath_engine_run(session->engine, session->connection, batch, deadline, true);
	}
	if (status == ATH_OK)
		return true;
	take_failure(flush);
	ath_batch_clear(batch);
	return false;
}

/* ---- what came back ------------------------------------------------------------------------- */

static bool take_inserted(struct flush *flush, const struct pending *pending, size_t index)
{
	struct ath_session *session = flush->session;
	struct ath_batch *batch = flush->batch;
	struct ath_row *row = pending->row;
	struct ath_error error = { 0 };
	void *result = batch->results[index];

	if (pending->target_count > 0) {
		if (!ath_session_keep(session, batch, index))
			return false;
		if (batch->driver->read(result, 0, 1, pending->targets, pending->target_count,
					&row->object, &error) != ATH_OK) {
			ath_session_take_error(session, &error);
			return false;
		}
	}
	memcpy(row->old, row->object, row->model->size);
	return ath_rows_enter_map(&session->rows, row);
}

static bool take_outcome(struct flush *flush, const struct pending *pending, size_t index)
{
	struct ath_row *row = pending->row;
	const struct ath_batch *batch = flush->batch;

	if (pending->phase == INSERTS)
		return take_inserted(flush, pending, index);
	if (!flush->guarded && batch->driver->affected(batch->results[index]) != 1) {
		ath_session_fail(flush->session, ATH_ESTALE,
				 "a row of %s was changed or deleted meanwhile", row->model->table);
		return false;
	}
	if (pending->phase == UPDATES) {
		memcpy(row->old, row->object, row->model->size);
		return true;
	}
	ath_rows_leave_map(&flush->session->rows, row);
	row->state = ATH_ROW_GONE;
	return true;
}

static bool was_committed(struct flush *flush)
{
	struct ath_batch *batch = flush->batch;

	if (!flush->commit)
		return false;
	if (!flush->in_transaction ||
	    strcmp(batch->driver->tag(batch->results[batch->count - 1]), "COMMIT") == 0)
		return true;
	ath_session_fail(flush->session, ATH_ESQL,
			 "the transaction had failed before: it was rolled back");
	return false;
}

static bool take_outcomes(struct flush *flush)
{
	struct ath_session *session = flush->session;
	bool committed = was_committed(flush), good = ath_session_ok(session);

	for (size_t i = 0; good && i < flush->count; i++)
		good = take_outcome(flush, &flush->pending[i], flush->first + i);
	if (!good && ath_session_ok(session))
		ath_session_no_memory(session);
	/* a single statement that met no row has stored nothing */
	if (!good && committed && session->error.status != ATH_ESTALE)
		session->error.status = ATH_ESTORED;
	ath_batch_clear(flush->batch);
	return good;
}

/* A statement that failed behind a savepoint leaves a transaction that can be gone on with. */
static bool can_go_back(const struct ath_session *session)
{
	return session->savepoints > 0 && session->connection != NULL &&
	       !ath_connection_is_dead(session->connection) &&
	       ath_connection_outstanding(session->connection) == 0;
}

static bool flush_session(struct ath_session *session, bool commit)
{
	struct flush flush = { .session = session,
			       .commit = commit,
			       .in_transaction = session->connection != NULL };
	bool good;

	/* what did not fit may be missing from what is to be stored, and what comes back must fit
	 */
	if (commit ? !ath_arena_has_room(session->arena, ROOM) : ath_arena_failed(session->arena))
		ath_session_no_memory(session);
	if (!ath_session_ok(session) || !collect(&flush))
		return false;
	if (flush.count == 0 && !(commit && flush.in_transaction))
		return true;
	/* a transaction that commits with its own flush must fail by itself */
	flush.guarded = commit && (flush.in_transaction || flush.count > 1);
	good = make_batch(&flush) && ath_session_connect(session) && run(&flush) &&
	       take_outcomes(&flush);
	session->wrote = session->wrote || flush.count > 0;
	if (commit || (!good && !can_go_back(session)))
		ath_session_disconnect(session);
	return good;
}

bool ath_flush(struct ath_session *session)
{
	return flush_session(session, false);
}

bool ath_commit(struct ath_session *session)
{
	return flush_session(session, true);
}

bool ath_begin(struct ath_session *session)
{
	struct flush flush = { .session = session };

	if (!ath_session_ok(session) || session->connection != NULL)
		return ath_session_ok(session);
	if (make_batch(&flush) && ath_session_connect(session) && run(&flush)) {
		ath_batch_clear(flush.batch);
		return true;
	}
	ath_session_disconnect(session);
	return false;
}
