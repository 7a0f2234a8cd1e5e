/*
 * undo.c - what a rollback restores in memory: a list, newest first, of what rows were before
 * they were sent or read anew, with a mark for each savepoint.
 */
#include "orm/internal.h"

struct ath_undo {
	struct ath_undo *older;
	struct ath_row *row; /* NULL: a savepoint */
	int savepoint;
	enum ath_row_state state;
	char before[] __attribute__((aligned(_Alignof(max_align_t)))); /* the object of a new row,
									  else what was stored */
};

static struct ath_undo *push(struct ath_session *session, size_t size)
{
	struct ath_undo *undo = ath_arena_alloc(session->arena, sizeof *undo + size);

	if (undo == NULL) {
		ath_session_no_memory(session);
		return NULL;
	}
	undo->older = session->undo;
	session->undo = undo;
	return undo;
}

bool ath_undo_note(struct ath_session *session, struct ath_row *row)
{
	struct ath_undo *undo = push(session, row->model->size);

	if (undo == NULL)
		return false;
	undo->row = row;
	undo->state = row->state;
	memcpy(undo->before, row->state == ATH_ROW_NEW ? row->object : row->old, row->model->size);
	return true;
}

bool ath_undo_mark(struct ath_session *session, int savepoint)
{
	struct ath_undo *undo = push(session, 0);

	if (undo == NULL)
		return false;
	undo->row = NULL;
	undo->savepoint = savepoint;
	return true;
}

/* A row that was new is the caller's own again; the others hold what was stored. */
static void restore(struct ath_session *session, const struct ath_undo *undo)
{
	struct ath_row *row = undo->row, *other;

	if (row->expunged)
		return;
	memcpy(row->object, undo->before, row->model->size);
	if (undo->state == ATH_ROW_NEW) {
		if (row->state != ATH_ROW_GONE)
			ath_rows_leave_map(&session->rows, row);
		return;
	}
	memcpy(row->old, undo->before, row->model->size);
	other = row->state == ATH_ROW_GONE ? ath_rows_like(&session->rows, row->model, row->old)
					   : NULL;
	if (other != NULL) /* read after this one had been deleted */
		ath_rows_leave_map(&session->rows, other);
	/* memory for the table was there when the row was in it before */
	if (row->state == ATH_ROW_GONE && !ath_rows_enter_map(&session->rows, row))
		ath_session_no_memory(session);
	row->state = ATH_ROW_STORED;
}

/* What was not sent yet is undone too; and T_get reads again what others may see otherwise. */
static void settle(struct ath_session *session)
{
	for (struct ath_row *row = session->rows.first; row != NULL; row = row->next) {
		if (row->state == ATH_ROW_NEW) {
			ath_rows_leave_map(&session->rows, row);
		} else if (row->state != ATH_ROW_GONE) {
			row->state = ATH_ROW_STORED;
			row->expired = true;
			memcpy(row->object, row->old, row->model->size);
		}
	}
}

void ath_undo_to(struct ath_session *session, int savepoint)
{
	struct ath_undo *undo = session->undo;

	for (; undo != NULL; undo = undo->older) {
		if (undo->row != NULL)
			restore(session, undo);
		else if (undo->savepoint == savepoint)
			break;
	}
	session->undo = undo;
	ath_bulks_forget(session);
	settle(session);
}
