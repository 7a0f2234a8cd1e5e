/*
 * cursor.c - the rows of a query of any size in constant memory: a cursor of the server's, from
 * which rows are fetched some at a time, about a megabyte.
 */
#include <stdio.h>

#include "base/internal.h"
#include "orm/internal.h"

enum { FEWEST = 1, FIRST = 10, MANY = 1000, MOST = 4000, AIM = 1 << 20, CEILING = 1 << 30 };

struct ath_cursor {
	struct ath_session *session;
	struct ath_cursor *next; /* of the session's that are open */
	const struct ath_model *model;
	unsigned transaction; /* it lives in this one, */
	int savepoint;        /* and behind this savepoint of it; 0: from the begin */
	unsigned number;      /* tells it from others for the same query */
	char name[40];
	int count; /* rows to fetch next */
	bool ended;
	struct ath_arena *arena; /* of the rows that are being looked at */
	char *rows;
	size_t row_count, at;
};

static void release(void *cursor)
{
	ath_arena_close(&((struct ath_cursor *)cursor)->arena);
}

/* ---- opening ------------------------------------------------------------------------------ */

/* By the query's text, so that its FETCH can stay prepared; and the first number that is free. */
static void name_cursor(struct ath_session *session, struct ath_cursor *cursor, uint64_t hash)
{
	const struct ath_cursor *each = session->cursors;

	cursor->number = 1;
	while (each != NULL) {
		if (each->number == cursor->number) {
			cursor->number++;
			each = session->cursors;
		} else {
			each = each->next;
		}
	}
	snprintf(cursor->name, sizeof cursor->name, "ath_%016llx_%u", (unsigned long long)hash,
		 cursor->number);
}

static bool declare(struct ath_session *session, struct ath_cursor *cursor,
		    const struct ath_query *query)
{
	struct ath_batch *batch;
	struct ath_statement select;
	struct ath_sql sql;
	char *text;

	ath_sql_open(&sql, session->arena);
	sql.result = cursor->model->kind == ATH_RESULT ? cursor->model : NULL;
	ath_sql_select(&sql, query);
	if (ath_sql_finish(&sql, &select) != ATH_OK) {
		ath_session_take_error(session, &sql.error);
		return false;
	}
	name_cursor(session, cursor, select.hash);
	text = ath_arena_printf(session->arena, "DECLARE %s NO SCROLL CURSOR FOR %s", cursor->name,
				select.text);
	batch = ath_session_batch(session, 1);
	if (text == NULL || batch == NULL)
		return ath_session_no_memory(session);
	batch->statements[0] = ath_statement_of(text);
	batch->statements[0].params = select.params;
	batch->statements[0].param_count = select.param_count;
	batch->statements[0].own = false;
	batch->statements[0].hash =
		ath_sql_hash(text, batch->statements[0].length, select.params, select.param_count);
	if (!ath_session_run(session, batch))
		return false;
	ath_batch_clear(batch);
	return true;
}

struct ath_cursor *ath_session_each(struct ath_session *session, const struct ath_model *model,
				    const struct ath_query *query)
{
	struct ath_cursor *cursor;

	if (!ath_session_ok(session) || !ath_session_fits(session, model, query) ||
	    !ath_session_ready(session) || !ath_begin(session))
		return NULL;
	cursor = ath_new(session->arena, struct ath_cursor, 1);
	if (cursor == NULL || ath_arena_open(&cursor->arena, CEILING) != ATH_OK) {
		ath_session_no_memory(session);
		return NULL;
	}
	cursor->session = session;
	cursor->model = model;
	cursor->transaction = session->transaction;
	cursor->savepoint = session->savepoints;
	cursor->count = FIRST;
	if (!ath_arena_defer(session->arena, release, cursor)) {
		release(cursor);
		ath_session_no_memory(session);
		return NULL;
	}
	if (!declare(session, cursor, query))
		return NULL;
	cursor->next = session->cursors;
	session->cursors = cursor;
	return cursor;
}

/* ---- fetching ------------------------------------------------------------------------------- */

/* Runs a statement about the cursor, in memory that goes with its rows. */
static void *run(struct ath_cursor *cursor, struct ath_batch *batch,
		 struct ath_statement *statement)
{
	batch->statements = statement;
	batch->count = 1;
	batch->arena = cursor->arena;
	batch->results = ath_new(cursor->arena, void *, 1);
	if (statement->text == NULL || batch->results == NULL) {
		ath_session_no_memory(cursor->session);
		return NULL;
	}
	return ath_session_run(cursor->session, batch) ? batch->results[0] : NULL;
}

static void take(struct ath_cursor *cursor, const struct ath_driver *driver, void *result)
{
	struct ath_session *session = cursor->session;
	size_t rows = driver->rows(result);
	const struct ath_facts *facts = ath_facts_of(session, cursor->model);
	void **objects = ath_new(cursor->arena, void *, rows);
	struct ath_error error = { 0 };

	cursor->rows = ath_arena_zalloc(cursor->arena, rows, cursor->model->size);
	if (cursor->rows == NULL || objects == NULL || facts == NULL ||
	    !ath_arena_charge(cursor->arena, driver->memory(result)) ||
	    !ath_arena_defer(cursor->arena, driver->free, result)) {
		driver->free(result);
		ath_session_no_memory(session);
		return;
	}
	for (size_t i = 0; i < rows; i++)
		objects[i] = cursor->rows + i * cursor->model->size;
	if (driver->read(result, 0, rows, facts->targets, facts->target_count, objects,
			 cursor->arena, &error) != ATH_OK) {
		ath_session_take_error(session, &error);
		return;
	}
	session->row_count += rows;
	cursor->row_count = rows;
}

/* In few steps, since each has a statement of its own: 1, 10, 100, 1000, 2000, 4000... */
static void adapt(struct ath_cursor *cursor)
{
	size_t used = ath_arena_used(cursor->arena);

	if (used > AIM && cursor->count > FEWEST)
		cursor->count /= cursor->count > MANY ? 2 : 10;
	else if (used < AIM / 10 && cursor->count < MANY)
		cursor->count *= 10;
	else if (used < AIM / 2 && cursor->count >= MANY && cursor->count < MOST)
		cursor->count *= 2;
}

static void fetch(struct ath_cursor *cursor)
{
	struct ath_statement statement;
	struct ath_batch batch = { 0 };
	char text[80];
	void *result;

	ath_arena_rewind(cursor->arena);
	cursor->at = cursor->row_count = 0;
	snprintf(text, sizeof text, "FETCH FORWARD %d FROM %s", cursor->count, cursor->name);
	statement = ath_statement_of(text);
	result = run(cursor, &batch, &statement);
	if (result == NULL)
		return;
	take(cursor, batch.driver, result);
	cursor->ended = cursor->row_count < (size_t)cursor->count;
	adapt(cursor);
}

void *ath_cursor_next(struct ath_cursor *cursor, const struct ath_model *model)
{
	if (cursor == NULL || !ath_session_ok(cursor->session))
		return NULL;
	if (model != cursor->model) {
		ath_session_fail(cursor->session, ATH_EINVAL, "rows of %s are taken for rows of %s",
				 cursor->model->name, model->name);
		return NULL;
	}
	if (cursor->arena == NULL)
		return NULL; /* it has come to its end before */
	if (cursor->transaction != cursor->session->transaction) {
		ath_session_fail(cursor->session, ATH_EINVAL,
				 "the transaction in which rows of %s were being read has ended",
				 model->name);
		return NULL;
	}
	if (cursor->at == cursor->row_count && !cursor->ended)
		fetch(cursor);
	if (cursor->at < cursor->row_count)
		return cursor->rows + cursor->at++ * model->size;
	ath_cursor_close(&cursor);
	return NULL;
}

/* ---- savepoints ----------------------------------------------------------------------------- */

/* The server has closed those that were opened behind it. */
void ath_cursors_rolled_back(struct ath_session *session, int savepoint)
{
	struct ath_cursor **at = &session->cursors;

	while (*at != NULL) {
		if ((*at)->savepoint < savepoint) {
			at = &(*at)->next;
			continue;
		}
		(*at)->transaction--; /* they are of none that there is */
		*at = (*at)->next;
	}
}

void ath_cursors_released(struct ath_session *session, int savepoint)
{
	for (struct ath_cursor *each = session->cursors; each != NULL; each = each->next)
		if (each->savepoint >= savepoint)
			each->savepoint = savepoint - 1;
}

/* ---- closing -------------------------------------------------------------------------------- */

static void leave_session(struct ath_cursor *cursor)
{
	struct ath_cursor **at = &cursor->session->cursors;

	while (*at != NULL && *at != cursor)
		at = &(*at)->next;
	if (*at != NULL)
		*at = cursor->next;
}

void ath_cursor_close(struct ath_cursor **cursor)
{
	struct ath_cursor *old = cursor == NULL ? NULL : *cursor;
	struct ath_statement statement;
	struct ath_batch batch = { 0 };
	char text[80];

	if (old == NULL)
		return;
	*cursor = NULL;
	if (old->arena == NULL)
		return;
	ath_arena_reset(old->arena);
	leave_session(old);
	if (old->transaction == old->session->transaction && ath_session_ok(old->session)) {
		snprintf(text, sizeof text, "CLOSE %s", old->name);
		statement = ath_statement_of(text);
		if (run(old, &batch, &statement) != NULL)
			ath_batch_clear(&batch);
	}
	release(old);
}
