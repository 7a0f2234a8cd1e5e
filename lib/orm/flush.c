/*
 * flush.c - the unit of work: what is new, changed and to be deleted becomes statements, and
 * what the server says about them comes back into the rows.
 *
 * All of it is one batch, unless a row waits for a key that the database makes for another: then
 * that one is sent first. The forms of a batch:
 *
 *	the first of a flush, no transaction yet    BEGIN, [time limit], statements
 *	a later one, or in a transaction            statements
 *	the last of a commit in a transaction       statements, COMMIT
 *	a commit in one batch, no transaction yet   [time limit], statements: the batch itself is
 *						    the transaction
 *
 * Each is one round trip.
 */
#include <stdlib.h>

#include "orm/internal.h"

/* For what comes back from a commit and the answer about it, and for each new row of it. */
enum { ROOM = 256 * 1024, ROOM_OF_ROW = 256 };

/* RELATIONS: nothing of the row itself is sent, only of those that its relations lead to. */
enum phase { NOTHING, INSERTS, UPDATES, DELETES, RELATIONS };

struct pending {
	struct ath_row *row;
	enum phase phase;
	uint32_t order; /* within the phase: parents before children, or after them */
	size_t place;
	const struct ath_shaped *shaped; /* its statement */
};

struct flush {
	struct ath_session *session;
	bool commit, guarded;
	struct pending *pending;
	size_t count, sent; /* sent: those before it have been */
	size_t relations;   /* behind them: rows of which nothing is sent */
	struct ath_link *links;
	struct ath_batch *batch;
	size_t end;                   /* of the batch's rows */
	size_t first;                 /* of its statements: those before it are ours */
	bool last;                    /* nothing comes behind it */
	const struct pending *before; /* the one that was made a statement of last */
};

static enum phase phase_of(const struct ath_row *row)
{
	enum ath_change change;

	switch (row->state) {
	case ATH_ROW_NEW:
		return INSERTS;
	case ATH_ROW_DELETED:
		return DELETES;
	case ATH_ROW_STORED:
		change = ath_row_change(row);
		return change == ATH_COLUMNS_CHANGED     ? UPDATES
		       : change == ATH_RELATIONS_CHANGED ? RELATIONS
							 : NOTHING;
	default:
		return NOTHING;
	}
}

bool ath_session_is_clean(struct ath_session *session)
{
	if (session->bulks != NULL)
		return false;
	for (const struct ath_row *row = session->rows.first; row != NULL; row = row->next)
		if (phase_of(row) != NOTHING)
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

/* The order of one phase's rows, if they have any among themselves. */
static bool order_phase(struct flush *flush, enum phase phase, struct ath_row **rows,
			uint32_t *places)
{
	size_t count = 0, at = 0;

	for (size_t i = 0; i < flush->count; i++)
		if (flush->pending[i].phase == phase)
			rows[count++] = flush->pending[i].row;
	if (count < 2)
		return true;
	if (!ath_order_rows(flush->session, rows, count, flush->links, phase == DELETES, places))
		return false;
	for (size_t i = 0; i < flush->count; i++)
		if (flush->pending[i].phase == phase)
			flush->pending[i].order = places[at++];
	return true;
}

static bool order(struct flush *flush)
{
	struct ath_arena *arena = flush->session->arena;
	struct ath_row **rows;
	uint32_t *places;

	if (flush->count < 2)
		return true;
	rows = ath_new(arena, struct ath_row *, flush->count);
	places = ath_new(arena, uint32_t, flush->count);
	if (rows == NULL || places == NULL)
		return ath_session_no_memory(flush->session);
	if (!order_phase(flush, INSERTS, rows, places) ||
	    !order_phase(flush, DELETES, rows, places))
		return false;
	qsort(flush->pending, flush->count, sizeof *flush->pending, compare);
	return true;
}

/* Marks each row that is pending with its phase, and counts them. */
static void mark_pending(struct flush *flush)
{
	struct ath_rows *rows = &flush->session->rows;

	for (struct ath_row *row = rows->first; row != NULL; row = row->next) {
		row->links = NULL; /* those of a flush that failed may be left */
		row->mark = phase_of(row);
	}
	/* a row that gets a new parent's key is going to be changed */
	for (struct ath_link *link = flush->links; link != NULL; link = link->next) {
		if (link->row->mark == NOTHING || link->row->mark == RELATIONS)
			link->row->mark = UPDATES;
		link->of_row = link->row->links;
		link->row->links = link;
	}
	for (struct ath_row *row = rows->first; row != NULL; row = row->next)
		flush->count += row->mark != NOTHING;
}

static bool collect(struct flush *flush)
{
	size_t end, at;

	mark_pending(flush);
	flush->pending = ath_new(flush->session->arena, struct pending, flush->count);
	if (flush->pending == NULL)
		return ath_session_no_memory(flush->session);
	end = flush->count;
	flush->count = 0;
	for (struct ath_row *row = flush->session->rows.first; row != NULL; row = row->next) {
		enum phase phase = row->mark;

		row->mark = 0;
		if (phase == NOTHING)
			continue;
		at = phase == RELATIONS ? end - ++flush->relations : flush->count++;
		flush->pending[at] = (struct pending){ .row = row, .phase = phase, .place = at };
	}
	return true;
}

/* ---- what rows are given before they go --------------------------------------------------- */

static void bump_version(const struct ath_row *row, enum phase phase)
{
	const struct ath_member *version = row->facts->version;
	int64_t next = 1;

	if (version == NULL || phase == DELETES)
		return;
	if (phase == UPDATES)
		next = ath_member_get(version, row->old).as.integer + 1;
	else if (!ath_member_is_unset(version, row->object))
		return;
	if (version->type == ATH_TYPE_INT32)
		ath_member_set(version, row->object, &(int32_t){ (int32_t)next });
	else
		ath_member_set(version, row->object, &next);
}

static bool call_update_functions(struct ath_session *session, const struct ath_row *row)
{
	for (size_t i = 0; row->facts->has_update_functions && i < row->model->member_count; i++) {
		const struct ath_member *column = &row->model->members[i];
		char *member = (char *)row->object + column->offset;

		if (column->update_function == NULL)
			continue;
		if (!column->update_function(member)) {
			ath_session_fail(session, ATH_EIO, "no value can be had for %s",
					 column->name);
			return false;
		}
		if (column->nullable_struct)
			*(bool *)(member + ath_type_flag(column->type)) = true;
	}
	return true;
}

static bool prepare(struct flush *flush)
{
	static const enum ath_hook_event before[] = { [INSERTS] = ATH_BEFORE_INSERT,
						      [UPDATES] = ATH_BEFORE_UPDATE,
						      [DELETES] = ATH_BEFORE_DELETE };

	for (size_t i = 0; i < flush->relations; i++)
		if (!ath_undo_note(flush->session, flush->pending[flush->count + i].row))
			return false;
	for (size_t i = 0; i < flush->count; i++) {
		struct pending *pending = &flush->pending[i];
		struct ath_row *row = pending->row;

		if (!ath_undo_note(flush->session, row))
			return false;
		if (pending->phase == UPDATES && !call_update_functions(flush->session, row))
			return false;
		bump_version(row, pending->phase);
		if (!ath_session_call_hooks(flush->session, before[pending->phase], row))
			return false;
	}
	return true;
}

/* ---- statements ------------------------------------------------------------------------------ */

static uint64_t insert_shape(const struct ath_row *row)
{
	const struct ath_facts *facts = row->facts;
	uint64_t shape = 1;

	for (size_t i = 0; i < facts->filled_count; i++)
		shape = shape << 1 | ath_member_is_unset(facts->filled[i], row->object);
	return facts->filled_count < 63 ? shape : 0;
}

static uint64_t update_shape(const struct ath_row *row, bool guarded)
{
	const struct ath_facts *facts = row->facts;
	uint64_t shape = 2 | guarded;

	for (size_t i = 0; i < facts->comparable_count; i++)
		shape = shape << 1 | !ath_row_has_same(row, &facts->comparables[i]);
	return facts->comparable_count < 62 ? shape : 0;
}

/* Which columns it is about: rows of one shape share a statement's text. 0: too many to say. */
static uint64_t shape_of(const struct flush *flush, const struct pending *pending)
{
	return pending->phase == INSERTS   ? insert_shape(pending->row)
	       : pending->phase == UPDATES ? update_shape(pending->row, flush->guarded)
					   : 2 | flush->guarded;
}

/* In memory of the session, with the parameters of this row. */
static bool make_shaped(struct flush *flush, const struct pending *pending, struct ath_sql *sql,
			struct ath_shaped *shaped)
{
	const struct ath_row *row = pending->row;
	const struct ath_model *model = row->model;
	struct ath_arena *arena = flush->session->arena;

	if (pending->phase == INSERTS) {
		ath_sql_insert(sql, model, row->object);
		shaped->targets = ath_targets(arena, model, ath_sql_insert_returns, row->object,
					      &shaped->target_count);
		shaped->columns =
			ath_sql_insert_columns(arena, model, row->object, &shaped->new_count);
	} else if (pending->phase == UPDATES) {
		ath_sql_update(sql, model, row->object, row->old, flush->guarded);
		shaped->targets = ath_targets(arena, model, ath_sql_update_returns, row->object,
					      &shaped->target_count);
		shaped->columns = ath_sql_update_columns(arena, model, row->object, row->old,
							 &shaped->new_count);
	} else {
		ath_sql_delete(sql, model, row->old, flush->guarded);
		shaped->columns = ath_sql_update_columns(arena, model, row->old, row->old,
							 &shaped->new_count);
	}
	if (shaped->columns == NULL || (shaped->targets == NULL && pending->phase != DELETES))
		return ath_session_no_memory(flush->session);
	return ath_sql_finish(sql, &shaped->statement) == ATH_OK;
}

/* The same in the engine's memory, for later rows; without memory they make their own. */
static void keep_shaped(struct ath_arena *arena, const struct ath_shaped *shaped,
			struct ath_shaped *kept)
{
	const struct ath_statement *statement = &shaped->statement;
	const char *text = ath_arena_copy(arena, statement->text, statement->length);
	void *columns = ath_arena_copy(arena, (const char *)shaped->columns,
				       statement->param_count * sizeof *shaped->columns);
	void *targets = ath_arena_copy(arena, (const char *)shaped->targets,
				       shaped->target_count * sizeof *shaped->targets);

	if (text == NULL || columns == NULL || targets == NULL)
		return;
	*kept = *shaped;
	kept->statement.text = text;
	kept->statement.params = NULL;
	kept->columns = columns;
	kept->targets = targets;
}

struct shapes {
	struct ath_shaped *items;
	size_t count;
};

static struct shapes shapes_of(struct ath_facts *facts, enum phase phase)
{
	switch (phase) {
	case INSERTS:
		return (struct shapes){ facts->inserts, ATH_COUNT(facts->inserts) };
	case UPDATES:
		return (struct shapes){ facts->updates, ATH_COUNT(facts->updates) };
	default:
		return (struct shapes){ facts->deletes, ATH_COUNT(facts->deletes) };
	}
}

/* That of the row before, or one that the engine keeps; NULL: free is where it is to be kept. */
static const struct ath_shaped *find_shaped(const struct flush *flush,
					    const struct pending *pending, uint64_t shape,
					    struct ath_shaped **free)
{
	struct ath_facts *facts = pending->row->facts;
	struct shapes shapes = shapes_of(facts, pending->phase);
	const struct pending *before = flush->before;

	*free = NULL;
	if (shape == 0)
		return NULL;
	if (before != NULL && before->row->facts == facts && before->phase == pending->phase &&
	    before->shaped->shape == shape)
		return before->shaped;
	for (size_t i = 0; i < shapes.count; i++) {
		if (shapes.items[i].shape == shape)
			return &shapes.items[i];
		if (shapes.items[i].shape == 0) {
			*free = &shapes.items[i];
			break;
		}
	}
	return NULL;
}

static bool make_statement(struct flush *flush, struct pending *pending,
			   struct ath_statement *statement)
{
	const struct ath_row *row = pending->row;
	struct ath_shaped *made, *free;
	struct ath_sql sql;
	uint64_t shape = shape_of(flush, pending);
	bool good;

	ath_sql_open(&sql, flush->session->arena);
	pending->shaped = find_shaped(flush, pending, shape, &free);
	if (pending->shaped != NULL) {
		good = ath_sql_fill(&sql, pending->shaped, row->object, row->old, statement) ==
		       ATH_OK;
	} else {
		made = ath_new(flush->session->arena, struct ath_shaped, 1);
		if (made == NULL)
			return ath_session_no_memory(flush->session);
		made->shape = shape;
		good = make_shaped(flush, pending, &sql, made);
		*statement = made->statement;
		pending->shaped = made;
		if (good && free != NULL)
			keep_shaped(row->facts->arena, made, free);
	}
	flush->before = pending;
	if (!good)
		ath_session_take_error(flush->session, &sql.error);
	return good && ath_session_ok(flush->session);
}

/* What an INSERT will need when it is back is taken before anything is sent: once it is stored
 * there is no refusing any more. */
static bool reserve(struct flush *flush, const struct pending *pending)
{
	if (pending->phase != INSERTS)
		return true;
	if (pending->row->old == NULL)
		pending->row->old =
			ath_arena_alloc(flush->session->arena, pending->row->model->size);
	return pending->row->old != NULL || ath_session_no_memory(flush->session);
}

/*
 * Fills in the keys that a row waits for; false: one of them is made by the database for a row
 * of this very batch, which has to go first.
 */
static bool fill_keys(struct ath_row *row)
{
	for (const struct ath_link *link = row->links; link != NULL; link = link->of_row) {
		const struct ath_row *parent = link->parent;

		if (parent->state == ATH_ROW_NEW &&
		    ath_sql_insert_returns(parent->model, link->key, parent->object))
			return false;
		ath_member_copy(link->column, row->object, link->key, parent->object);
	}
	row->links = NULL;
	return true;
}

/* How far one batch goes. */
static size_t find_end(const struct flush *flush)
{
	size_t at = flush->sent;

	while (at < flush->count && fill_keys(flush->pending[at].row))
		at++;
	return at;
}

static size_t count_bulks(const struct ath_session *session)
{
	size_t count = 0;

	for (const struct ath_bulk *bulk = session->bulks; bulk != NULL; bulk = bulk->next)
		count++;
	return count;
}

static bool make_batch(struct flush *flush)
{
	enum { OURS = 3 }; /* BEGIN, settings, COMMIT: at most */
	struct ath_session *session = flush->session;
	struct ath_batch *batch;
	bool begun = session->connection != NULL, usual = ath_session_begins_as_usual(session);
	size_t at = 0, bulks;

	flush->end = find_end(flush);
	if (flush->end == flush->sent && flush->sent < flush->count) {
		ath_session_fail(session, ATH_EINVAL,
				 "a row of %s waits in a ring for its own key: flush it before it "
				 "refers to itself",
				 flush->pending[flush->sent].row->model->name);
		return false;
	}
	flush->last = flush->end == flush->count;
	bulks = flush->last ? count_bulks(session) : 0;
	/* a batch that is the whole transaction must fail by itself, as must one that commits */
	flush->guarded = flush->commit && flush->last &&
			 (begun || !usual || flush->end - flush->sent + bulks > 1);
	batch = ath_session_batch(session, flush->end - flush->sent + bulks + OURS);
	if (batch == NULL)
		return false;
	flush->batch = batch;
	if (!begun) {
		if (!flush->commit || !flush->last || !usual)
			batch->statements[at++] = ath_session_begin_statement(session);
		at += ath_session_settings(session, &batch->statements[at]);
		if (!ath_session_ok(session))
			return false;
	}
	flush->first = at;
	for (size_t i = flush->sent; i < flush->end; i++)
		if (!reserve(flush, &flush->pending[i]) ||
		    !make_statement(flush, &flush->pending[i], &batch->statements[at++]))
			return false;
	for (const struct ath_bulk *bulk = session->bulks; flush->last && bulk != NULL;
	     bulk = bulk->next)
		batch->statements[at++] = bulk->statement;
	if (flush->commit && flush->last && (begun || !usual))
		batch->statements[at++] = ath_statement_of("COMMIT");
	batch->count = at;
	ath_session_count(session, batch, flush->first);
	return true;
}

/* ---- running -------------------------------------------------------------------------------- */

static bool commits(const struct flush *flush)
{
	return flush->commit && flush->last;
}

static void take_failure(struct flush *flush)
{
	struct ath_error *error = &flush->batch->error;

	if (commits(flush) && flush->batch->sent &&
	    (flush->batch->lost || !flush->batch->waiter.done)) {
		error->status = ATH_EUNKNOWN;
	} else if (flush->guarded && strcmp(error->sqlstate, "22012") == 0) {
		ath_error_clear(error);
		ath_error_set(error, ATH_ESTALE, "a row was changed or deleted meanwhile");
	}
	ath_session_take_error(flush->session, error);
}

/* A commit is not cut off by the deadline: its outcome is waited for a little longer. */
static bool run(struct flush *flush, bool begun)
{
	enum { GRACE_MS = 5000 };
	struct ath_session *session = flush->session;
	struct ath_batch *batch = flush->batch;
	int64_t deadline = session->deadline;
	uint64_t since = ath_session_clock(session);
	enum ath_status status;

	if (commits(flush) && deadline != ATH_NEVER)
		deadline = (deadline > ath_now() ? deadline : ath_now()) + GRACE_MS;
	status = ath_engine_run(session->engine, session->connection, batch, deadline,
				commits(flush));
	if (status != ATH_OK && !begun && !batch->lost && ath_batch_is_stale(batch) &&
	    commits(flush)) {
		/* nothing of it was done: prepare again, once */
		ath_batch_clear(batch);
		ath_error_clear(&batch->error);
		batch->waiter = (struct ath_waiter){ 0 };
		status =
			ath_engine_run(session->engine, session->connection, batch, deadline, true);
	}
	ath_session_time(session, batch, since);
	if (status == ATH_OK)
		return true;
	take_failure(flush);
	ath_batch_clear(batch);
	return false;
}

/* ---- what came back ------------------------------------------------------------------------- */

/* The columns that came back, into the object; the result is not kept. */
static bool take_columns(struct flush *flush, const struct pending *pending, size_t index)
{
	struct ath_session *session = flush->session;
	struct ath_batch *batch = flush->batch;
	struct ath_row *row = pending->row;
	const struct ath_shaped *shaped = pending->shaped;
	struct ath_error error;

	if (shaped->target_count == 0)
		return true;
	ath_error_clear(&error);
	if (batch->driver->read(batch->results[index], 0, 1, shaped->targets, shaped->target_count,
				&row->object, session->arena, &error) != ATH_OK) {
		ath_session_take_error(session, &error);
		return false;
	}
	for (size_t i = 0; i < shaped->target_count; i++)
		if (ath_type_flag(shaped->targets[i].type) == 0 &&
		    !ath_member_own(ath_model_column(row->model, shaped->targets[i].offset),
				    row->object, session->arena))
			return ath_session_no_memory(session);
	return true;
}

static bool take_outcome(struct flush *flush, const struct pending *pending, size_t index)
{
	struct ath_row *row = pending->row;
	const struct ath_batch *batch = flush->batch;

	if (pending->phase != INSERTS && !flush->guarded &&
	    batch->driver->affected(batch->results[index]) != 1) {
		ath_session_fail(flush->session, ATH_ESTALE,
				 "a row of %s was changed or deleted meanwhile", row->model->name);
		return false;
	}
	if (pending->phase == DELETES) {
		ath_rows_leave_map(&flush->session->rows, row);
		return true;
	}
	if (!take_columns(flush, pending, index))
		return false;
	memcpy(row->old, row->object, row->model->size);
	if (pending->phase == UPDATES || ath_rows_enter_map(&flush->session->rows, row))
		return true;
	return ath_session_no_memory(flush->session);
}

/* What relations lead to has been sent: they say nothing more. */
static void settle_relations(const struct flush *flush)
{
	for (size_t i = 0; i < flush->relations; i++) {
		const struct ath_row *row = flush->pending[flush->count + i].row;

		for (size_t m = 0; m < row->model->member_count; m++) {
			const struct ath_member *member = &row->model->members[m];

			if (ath_member_is_relation(member))
				memcpy((char *)row->old + member->offset,
				       (const char *)row->object + member->offset, member->size);
		}
	}
}

static bool was_committed(struct flush *flush)
{
	const struct ath_batch *batch = flush->batch;
	size_t last = batch->count - 1;

	if (!commits(flush))
		return false;
	if (strcmp(batch->statements[last].text, "COMMIT") != 0 ||
	    strcmp(batch->driver->tag(batch->results[last]), "ROLLBACK") != 0)
		return true;
	ath_session_fail(flush->session, ATH_ESQL,
			 "the transaction had failed before: it was rolled back");
	return false;
}

static bool take_outcomes(struct flush *flush)
{
	struct ath_session *session = flush->session;
	bool committed = was_committed(flush), good = ath_session_ok(session);
	size_t index = flush->first;

	for (size_t i = flush->sent; good && i < flush->end; i++)
		good = take_outcome(flush, &flush->pending[i], index++);
	for (const struct ath_bulk *bulk = session->bulks; good && flush->last && bulk != NULL;
	     bulk = bulk->next)
		good = ath_bulk_take(session, bulk, flush->batch, index++);
	if (good && flush->last)
		ath_bulks_forget(session);
	/* a single statement that met no row has stored nothing */
	if (!good && committed && session->error.status != ATH_ESTALE)
		session->error.status = ATH_ESTORED;
	ath_batch_clear(flush->batch);
	flush->sent = flush->end;
	return good;
}

static bool call_hooks_after(struct flush *flush)
{
	static const enum ath_hook_event after[] = { [INSERTS] = ATH_AFTER_INSERT,
						     [UPDATES] = ATH_AFTER_UPDATE,
						     [DELETES] = ATH_AFTER_DELETE };

	if (flush->count == 0)
		return true;
	for (size_t i = 0; i < flush->count; i++)
		if (!ath_session_call_hooks(flush->session, after[flush->pending[i].phase],
					    flush->pending[i].row))
			return false;
	return ath_session_call_hooks(flush->session, ATH_AFTER_FLUSH, NULL);
}

/* A statement that failed behind a savepoint leaves a transaction that can be gone on with. */
static bool can_go_back(const struct ath_session *session)
{
	return session->savepoints > 0 && session->connection != NULL &&
	       !ath_connection_is_dead(session->connection) &&
	       ath_connection_outstanding(session->connection) == 0;
}

/* ---- the whole of it ---------------------------------------------------------------------- */

static bool send_all(struct flush *flush)
{
	struct ath_session *session = flush->session;

	do {
		bool begun = session->connection != NULL;

		if (!make_batch(flush) || !ath_session_connect(session) || !run(flush, begun) ||
		    !take_outcomes(flush))
			return false;
	} while (flush->sent < flush->count);
	return true;
}

static bool has_room(struct flush *flush)
{
	size_t room = ROOM;

	for (size_t i = 0; i < flush->count; i++)
		room += flush->pending[i].phase == INSERTS ? ROOM_OF_ROW : 0;
	for (const struct ath_bulk *bulk = flush->session->bulks; bulk != NULL; bulk = bulk->next)
		room += bulk->points ? bulk->count * ROOM_OF_ROW : 0;
	/* what did not fit may be missing from what is to be stored, and what comes back must */
	if (flush->commit ? !ath_arena_has_room(flush->session->arena, room)
			  : ath_arena_failed(flush->session->arena))
		return ath_session_no_memory(flush->session);
	return true;
}

static bool are_of_tables(struct flush *flush)
{
	for (size_t i = 0; i < flush->count; i++)
		if (flush->pending[i].row->model->kind != ATH_TABLE)
			ath_session_fail(flush->session, ATH_EINVAL,
					 "%s is no table to change rows of",
					 flush->pending[i].row->model->name);
	return ath_session_ok(flush->session);
}

static bool run_flush(struct flush *flush)
{
	struct ath_session *session = flush->session;
	bool good, bulks;

	if (!ath_session_call_hooks(session, ATH_BEFORE_FLUSH, NULL) ||
	    !ath_order_links(session, &flush->links) || !collect(flush) || !has_room(flush))
		return false;
	if (flush->count == 0 && session->bulks == NULL &&
	    !(flush->commit && session->connection != NULL)) {
		settle_relations(flush);
		return true;
	}
	if (!are_of_tables(flush))
		return false;
	if (flush->count > 0 && session->read_only) {
		ath_session_fail(session, ATH_EREADONLY,
				 "the session is read-only: %s is not to "
				 "be changed",
				 flush->pending[0].row->model->name);
		return false;
	}
	bulks = session->bulks != NULL;
	good = prepare(flush) && order(flush) && send_all(flush);
	if (good)
		settle_relations(flush);
	session->wrote = session->wrote || flush->count > 0 || bulks;
	return good;
}

static bool flush_session(struct ath_session *session, bool commit)
{
	struct flush flush = { .session = session, .commit = commit };
	bool good;

	if (!ath_session_ok(session) || session->flushing)
		return ath_session_ok(session);
	good = (!commit || ath_session_call_hooks(session, ATH_BEFORE_COMMIT, NULL)) &&
	       run_flush(&flush);
	if (good && commit) {
		ath_session_disconnect(session);
		session->undo = NULL;
		if (call_hooks_after(&flush))
			ath_session_call_hooks(session, ATH_AFTER_COMMIT, NULL);
		return true; /* it is stored, whatever a hook thinks of that */
	}
	good = good && call_hooks_after(&flush);
	if (commit || (!good && !can_go_back(session)))
		ath_session_disconnect(session);
	return good;
}

bool ath_flush(struct ath_session *session)
{
	return flush_session(session, false);
}

/*
 * To whoever calls it a commit like any other: savepoints are gone, what failed is rolled back,
 * and what is changed from now on has to be committed again. Only the COMMIT waits.
 */
static bool hold_commit(struct ath_session *session)
{
	if (!ath_session_ok(session) || session->flushing)
		return ath_session_ok(session);
	if (!ath_session_call_hooks(session, ATH_BEFORE_COMMIT, NULL) ||
	    !flush_session(session, false)) {
		ath_session_disconnect(session);
		return false;
	}
	session->held = session->connection != NULL;
	session->wrote = false;
	session->savepoints = 0;
	return true;
}

bool ath_session_commit_held(struct ath_session *session, const struct ath_statement *statement)
{
	enum { BOTH = 2 };
	struct flush flush = { .session = session, .commit = true, .last = true };
	bool held = session->held, good;

	flush.batch = ath_session_batch(session, BOTH);
	if (flush.batch == NULL)
		return false;
	flush.batch->statements[0] = *statement;
	flush.batch->statements[1] = ath_statement_of("COMMIT");
	session->statement_count += BOTH;
	good = run(&flush, true) && was_committed(&flush);
	ath_batch_clear(flush.batch);
	session->held = false;
	session->holds_commits = false;
	ath_session_disconnect(session);
	session->undo = NULL;
	if (good && held)
		ath_session_call_hooks(session, ATH_AFTER_COMMIT, NULL);
	return good;
}

bool ath_commit(struct ath_session *session)
{
	return session->holds_commits ? hold_commit(session) : flush_session(session, true);
}

bool ath_begin(struct ath_session *session)
{
	struct flush flush = { .session = session };

	if (!ath_session_ok(session) || session->connection != NULL)
		return ath_session_ok(session);
	if (make_batch(&flush) && ath_session_connect(session) && run(&flush, false)) {
		ath_batch_clear(flush.batch);
		return true;
	}
	ath_session_disconnect(session);
	return false;
}

/* BEGIN and settings in front of the statement of a batch. */
static struct ath_batch *begin_before(struct ath_session *session, struct ath_batch *batch)
{
	enum { MOST = 3 };
	struct ath_batch *longer = ath_session_batch(session, MOST);
	size_t at = 0;

	if (longer == NULL)
		return NULL;
	longer->statements[at++] = ath_session_begin_statement(session);
	at += ath_session_settings(session, &longer->statements[at]);
	longer->statements[at++] = batch->statements[0];
	longer->count = at;
	return ath_session_ok(session) ? longer : NULL;
}

bool ath_session_run_begun(struct ath_session *session, struct ath_batch **batch)
{
	bool good;

	if (session->connection == NULL) {
		*batch = begin_before(session, *batch);
		if (*batch == NULL || !ath_session_connect(session))
			return false;
	}
	good = ath_session_run(session, *batch);
	if (!good && !can_go_back(session))
		ath_session_disconnect(session);
	return good;
}
