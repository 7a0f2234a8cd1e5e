/*
 * bulk.c - UPDATE and DELETE of all rows that a query finds, and the aggregates: what is said
 * to the database without a row coming to memory.
 */
#include "orm/internal.h"

/* ---- writing -------------------------------------------------------------------------------- */

/* The whole table only when it was asked for in so many words. */
static bool is_bounded(struct ath_session *session, const struct ath_query *query)
{
	if (query->status != ATH_OK)
		ath_session_fail(session, query->status, "%s", query->mistake);
	else if (query->condition_count == 0 && !query->all)
		ath_session_fail(session, ATH_EINVAL,
				 "no condition: write ath_where(&q, ATH_ALL) "
				 "when every row of %s is meant",
				 query->model->table);
	else if (query->order_count > 0 || query->limit >= 0 || query->offset >= 0)
		ath_session_fail(session, ATH_EINVAL,
				 "an UPDATE or DELETE has no order, limit or offset");
	return ath_session_ok(session);
}

static int64_t run_write(struct ath_session *session, struct ath_sql *sql)
{
	struct ath_batch *batch;
	int64_t affected;

	if (!ath_flush(session) || !ath_begin(session))
		return 0;
	batch = ath_session_batch(session, 1);
	if (batch == NULL)
		return 0;
	if (ath_sql_finish(sql, &batch->statements[0]) != ATH_OK) {
		ath_session_take_error(session, &sql->error);
		return 0;
	}
	if (!ath_session_run(session, batch))
		return 0;
	session->wrote = true;
	affected = batch->driver->affected(batch->results[0]);
	ath_batch_clear(batch);
	return affected;
}

int64_t ath_session_update(struct ath_session *session, const struct ath_query *query,
			   const struct ath_assignment *assignments, size_t count)
{
	struct ath_sql sql;

	if (!ath_session_ok(session) || !is_bounded(session, query))
		return 0;
	ath_sql_open(&sql, session->arena);
	ath_sql_update_where(&sql, query, assignments, count);
	return run_write(session, &sql);
}

int64_t ath_delete_where(struct ath_session *session, const struct ath_query *query)
{
	struct ath_sql sql;

	if (!ath_session_ok(session) || !is_bounded(session, query))
		return 0;
	ath_sql_open(&sql, session->arena);
	ath_sql_delete_where(&sql, query);
	return run_write(session, &sql);
}
