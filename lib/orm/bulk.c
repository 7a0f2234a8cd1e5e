/*
 * bulk.c - writing without rows that the session knows: UPDATE and DELETE of all rows that a query
 * finds and the upsert, which are sent at once; and many rows in one INSERT, which the flush sends.
 */
#include "orm/internal.h"

/* ---- running -------------------------------------------------------------------------------- */

/*
 * Sends a statement that writes, in a transaction, which is begun in the same round trip; the last
 * result is its own. NULL: the session is in error.
 */
static struct ath_batch *run_write(struct ath_session *session, struct ath_sql *sql)
{
	struct ath_batch *batch;

	if (session->read_only)
		ath_session_fail(session, ATH_EREADONLY, "the session is read-only");
	if (sql->error.status != ATH_OK)
		ath_session_take_error(session, &sql->error);
	if (!ath_session_ok(session) || !ath_session_ready(session))
		return NULL;
	batch = ath_session_batch_of(session, sql);
	if (batch == NULL || !ath_session_run_begun(session, &batch))
		return NULL;
	session->wrote = true;
	return batch;
}

static int64_t run_counted(struct ath_session *session, struct ath_sql *sql)
{
	struct ath_batch *batch = run_write(session, sql);
	int64_t affected;

	if (batch == NULL)
		return 0;
	affected = batch->driver->affected(batch->results[batch->count - 1]);
	ath_batch_clear(batch);
	return affected;
}

/* ---- all rows of a query ------------------------------------------------------------------ */

/* The whole table only when it was asked for in so many words. */
static bool is_bounded(struct ath_session *session, const struct ath_query *query)
{
	bool ordered = query->limit >= 0 || query->offset >= 0 || query->paged ||
		       query->lock != ATH_NO_LOCK || query->distinct || query->join_count > 0;

	if (query->status != ATH_OK)
		ath_session_fail(session, query->status, "%s", query->mistake);
	else if (query->model->kind != ATH_TABLE)
		ath_session_fail(session, ATH_EINVAL, "%s is no table to change rows of",
				 query->model->name);
	else if (query->condition_count == 0 && !query->all)
		ath_session_fail(session, ATH_EINVAL,
				 "no condition: write ath_where(&q, ATH_ALL) "
				 "when every row of %s is meant",
				 query->model->table);
	for (size_t at = 0; at < query->node_count; at += query->nodes[at].span)
		ordered = ordered || query->nodes[at].clause != ATH_CLAUSE_WHERE;
	if (ordered)
		ath_session_fail(
			session, ATH_EINVAL,
			"an UPDATE or DELETE has conditions only: no order, limit, join or "
			"lock");
	return ath_session_ok(session);
}

int64_t ath_session_update(struct ath_session *session, const struct ath_query *query,
			   const struct ath_assignment *assignments, size_t count)
{
	struct ath_sql sql;

	if (!ath_session_ok(session) || !is_bounded(session, query))
		return 0;
	ath_sql_open(&sql, session->arena);
	ath_sql_update_where(&sql, query, assignments, count);
	return run_counted(session, &sql);
}

int64_t ath_delete_where(struct ath_session *session, const struct ath_query *query)
{
	struct ath_sql sql;

	if (!ath_session_ok(session) || !is_bounded(session, query))
		return 0;
	ath_sql_open(&sql, session->arena);
	ath_sql_delete_where(&sql, query);
	return run_counted(session, &sql);
}

/* ---- many rows ---------------------------------------------------------------------------- */

/* One statement is made for all: the database must be left the same columns of each. */
static bool have_one_shape(struct ath_session *session, const struct ath_model *model,
			   const char *objects, size_t count)
{
	for (size_t m = 0; m < model->member_count; m++) {
		const struct ath_member *column = &model->members[m];
		bool left;

		if (column->kind != ATH_MEMBER_COLUMN || ath_column_is_read_only(column) ||
		    !ath_column_is_filled(model, column))
			continue; /* whatever stands in it */
		left = ath_member_is_unset(column, objects);
		for (size_t i = 1; i < count; i++)
			if (ath_member_is_unset(column, objects + i * model->size) != left) {
				ath_session_fail(session, ATH_EINVAL,
						 "%s is set in some of the rows and not in others",
						 column->name);
				return false;
			}
	}
	return true;
}

static void fill_versions(const struct ath_model *model, char *objects, size_t count)
{
	const struct ath_member *version = ath_model_version(model);

	for (size_t i = 0; version != NULL && i < count; i++) {
		char *object = objects + i * model->size;

		if (ath_member_is_unset(version, object))
			memcpy(object + version->offset,
			       version->type == ATH_TYPE_INT32 ? (const void *)&(int32_t){ 1 }
							       : &(int64_t){ 1 },
			       ath_type_size(version->type));
	}
}

/* What comes back is made room for before anything is sent. */
static bool prepare(struct ath_session *session, struct ath_bulk *bulk)
{
	char *objects = bulk->objects;

	bulk->targets = ath_session_targets(session, bulk->model, ath_sql_insert_returns, objects,
					    &bulk->target_count);
	bulk->places = ath_new(session->arena, void *, bulk->count);
	if (bulk->targets == NULL || bulk->places == NULL)
		return ath_session_no_memory(session);
	for (size_t i = 0; i < bulk->count; i++)
		bulk->places[i] = objects + i * bulk->model->size;
	for (size_t i = 0; i < bulk->target_count; i++)
		bulk->points = bulk->points || ath_type_flag(bulk->targets[i].type) == 0;
	return true;
}

int64_t ath_session_insert_all(struct ath_session *session, const struct ath_model *model,
			       void *objects, size_t count)
{
	struct ath_bulk *bulk;
	struct ath_sql sql;

	if (!ath_session_ok(session) || count == 0)
		return 0;
	if (model->kind != ATH_TABLE)
		ath_session_fail(session, ATH_EINVAL, "%s is no table to add rows to", model->name);
	else if (session->read_only)
		ath_session_fail(session, ATH_EREADONLY, "the session is read-only");
	if (!ath_session_ok(session) || !have_one_shape(session, model, objects, count))
		return 0;
	bulk = ath_new(session->arena, struct ath_bulk, 1);
	if (bulk == NULL) {
		ath_session_no_memory(session);
		return 0;
	}
	*bulk = (struct ath_bulk){ .model = model, .objects = objects, .count = count };
	fill_versions(model, objects, count);
	ath_sql_open(&sql, session->arena);
	ath_sql_insert_all(&sql, model, objects, count);
	if (ath_sql_finish(&sql, &bulk->statement) != ATH_OK)
		ath_session_take_error(session, &sql.error);
	if (!ath_session_ok(session) || !prepare(session, bulk))
		return 0;
	*session->bulks_tail = bulk;
	session->bulks_tail = &bulk->next;
	return (int64_t)count;
}

bool ath_bulk_take(struct ath_session *session, const struct ath_bulk *bulk,
		   struct ath_batch *batch, size_t index)
{
	struct ath_error error = { 0 };

	if (bulk->target_count == 0)
		return true;
	if (batch->driver->rows(batch->results[index]) != bulk->count) {
		ath_session_fail(session, ATH_ESQL, "of %zu rows of %s a trigger has left some out",
				 bulk->count, bulk->model->name);
		return false;
	}
	if (batch->driver->read(batch->results[index], 0, bulk->count, bulk->targets,
				bulk->target_count, bulk->places, session->arena,
				&error) != ATH_OK) {
		ath_session_take_error(session, &error);
		return false;
	}
	return !bulk->points || ath_session_keep(session, batch, index);
}

void ath_bulks_forget(struct ath_session *session)
{
	session->bulks = NULL;
	session->bulks_tail = &session->bulks;
}

/* ---- upsert ------------------------------------------------------------------------------- */

void *ath_session_upsert(struct ath_session *session, const struct ath_model *model, void *object,
			 struct ath_columns conflict)
{
	struct ath_batch *batch;
	struct ath_sql sql;
	size_t count;
	void **rows;

	if (!ath_session_ok(session) || object == NULL)
		return NULL;
	if (model->kind != ATH_TABLE || ath_rows_of(&session->rows, model, object) != NULL) {
		ath_session_fail(
			session, ATH_EINVAL,
			"an upsert takes a new object of a table, not one of the session's");
		return NULL;
	}
	fill_versions(model, object, 1);
	ath_sql_open(&sql, session->arena);
	ath_sql_upsert(&sql, model, object, conflict);
	batch = run_write(session, &sql);
	if (batch == NULL)
		return NULL;
	rows = ath_session_take_rows(session, model, batch, batch->count - 1, NULL, NULL, &count);
	ath_batch_clear(batch);
	return rows == NULL || count == 0 ? NULL : rows[0];
}
