/*
 * load.c - relations: the rows that those of a list lead to, one SELECT for each relation, and
 * all SELECTs of a level in one batch.
 */
#include "orm/internal.h"

/* One relation of some objects, all of one model. */
struct wanted {
	const struct ath_with *with;
	const struct ath_member *relation;
	void *const *objects;
	size_t count;
	void **rows; /* what came of it */
	size_t row_count;
	size_t statement; /* in the batch; SIZE_MAX: none was needed */
	struct wanted *next;
};

struct level {
	struct wanted *first, **tail;
	size_t count;
};

static bool want(struct ath_session *session, struct level *level, const struct ath_model *model,
		 const struct ath_with *with, void *const *objects, size_t count)
{
	struct wanted *wanted;
	const struct ath_member *relation = ath_model_relation(with->model, with->offset);

	if (relation == NULL || with->model != model) {
		ath_session_fail(session, ATH_EINVAL,
				 "a member of %s is to be loaded that is no relation of %s",
				 with->model->name, model->name);
		return false;
	}
	if (count == 0)
		return true;
	wanted = ath_new(session->arena, struct wanted, 1);
	if (wanted == NULL)
		return ath_session_no_memory(session);
	*wanted = (struct wanted){ .with = with,
				   .relation = relation,
				   .objects = objects,
				   .count = count,
				   .statement = SIZE_MAX };
	*level->tail = wanted;
	level->tail = &wanted->next;
	level->count++;
	return true;
}

/* ---- what is asked for -------------------------------------------------------------------- */

/* The column of the objects by which their related rows are found. */
static const struct ath_member *own_column(const struct wanted *wanted)
{
	const struct ath_model *model = wanted->with->model;

	return wanted->relation->kind == ATH_MEMBER_BELONGS_TO
		       ? ath_model_column(model, wanted->relation->key_offset)
		       : ath_model_key(model);
}

/* The column of the related rows, or of the table between, that holds the same value. */
static const struct ath_member *far_column(const struct ath_member *relation)
{
	if (relation->kind == ATH_MEMBER_BELONGS_TO)
		return ath_model_key(relation->target);
	return ath_model_column(relation->target, relation->key_offset);
}

/* Is the row that this value points at known, so that it need not be read? */
static bool is_known(struct ath_session *session, const struct wanted *wanted,
		     const struct ath_value *key)
{
	const struct ath_row *row;

	if (wanted->relation->kind != ATH_MEMBER_BELONGS_TO)
		return false;
	row = ath_rows_find(&session->rows, wanted->relation->target, key, ATH_ROW_STORED);
	return row != NULL && !row->expired;
}

/* The values of the objects' column, those that are NULL or known aside, as one array. */
static struct ath_value keys_of(struct ath_session *session, const struct wanted *wanted)
{
	const struct ath_member *column = own_column(wanted);
	size_t size = ath_type_size(column->type), count = 0;
	char *items = ath_arena_zalloc(session->arena, wanted->count, size);

	if (items == NULL)
		ath_session_no_memory(session);
	for (size_t i = 0; items != NULL && i < wanted->count; i++) {
		struct ath_value key = ath_member_get(column, wanted->objects[i]);
		const char *from = (const char *)wanted->objects[i] + column->offset;

		if (key.null || is_known(session, wanted, &key) ||
		    (count > 0 && memcmp(items + (count - 1) * size, from, size) == 0))
			continue;
		memcpy(items + count++ * size, from, size);
	}
	return (struct ath_value){
		.type = column->type, .array = true, .count = count, .as.list = { items, NULL }
	};
}

static void put_statement(struct ath_sql *sql, const struct wanted *wanted, struct ath_value keys)
{
	const struct ath_member *relation = wanted->relation, *column;
	struct ath_query query = ath_query_of(relation->target);

	if (relation->kind == ATH_MEMBER_MANY_TO_MANY) {
		ath_sql_select_far(sql, relation, keys);
		return;
	}
	column = far_column(relation);
	ath_where(&query, (struct ath_expression){ .op = ATH_OP_IN,
						   .model = relation->target,
						   .offset = column->offset,
						   .value = keys });
	if (relation->kind != ATH_MEMBER_BELONGS_TO) {
		const struct ath_member *order[1 + ATH_MAX_KEYS] = { column };
		size_t count = 1 + ath_model_keys(relation->target, order + 1);

		for (size_t i = 0; i < count; i++)
			ath_order_by(
				&query,
				(struct ath_order){ .expression = { .op = ATH_OP_COLUMN,
								    .model = relation->target,
								    .offset = order[i]->offset } });
	}
	ath_sql_select(sql, &query);
}

static struct ath_batch *make_batch(struct ath_session *session, struct level *level)
{
	struct ath_batch *batch = ath_session_batch(session, level->count);
	struct ath_sql sql;

	if (batch == NULL)
		return NULL;
	batch->count = 0;
	for (struct wanted *wanted = level->first; wanted != NULL; wanted = wanted->next) {
		struct ath_value keys = keys_of(session, wanted);

		if (!ath_session_ok(session))
			return NULL;
		if (keys.count == 0)
			continue;
		ath_sql_open(&sql, session->arena);
		sql.most = ATH_MOST_ROWS + 1;
		put_statement(&sql, wanted, keys);
		wanted->statement = batch->count++;
		if (ath_sql_finish(&sql, &batch->statements[wanted->statement]) != ATH_OK) {
			ath_session_take_error(session, &sql.error);
			return NULL;
		}
	}
	return batch;
}

/* ---- what came ------------------------------------------------------------------------------- */

/* The relation's member, and what the database is known to hold of it. */
static void set_rows(const struct ath_member *relation, const struct ath_row *row, void *object,
		     void **rows, size_t count)
{
	struct ath_any_list list = { .items = rows, .count = count };
	const void *value = &list;
	void *one = count == 0 ? NULL : rows[0];

	if (relation->kind == ATH_MEMBER_HAS_ONE || relation->kind == ATH_MEMBER_BELONGS_TO)
		value = &one;
	memcpy((char *)object + relation->offset, value, relation->size);
	if (row != NULL && row->old != NULL)
		memcpy((char *)row->old + relation->offset, value, relation->size);
}

/* The row that each object's key points at: all of them are known by now. */
static void hand_out_parents(struct ath_session *session, struct wanted *wanted)
{
	const struct ath_member *column = own_column(wanted);
	void **parents = ath_new(session->arena, void *, wanted->count);

	if (parents == NULL) {
		ath_session_no_memory(session);
		return;
	}
	for (size_t i = 0; i < wanted->count; i++) {
		void *object = wanted->objects[i];
		struct ath_value key = ath_member_get(column, object);
		struct ath_row *row = NULL;

		if (!key.null)
			row = ath_rows_find(&session->rows, wanted->relation->target, &key,
					    ATH_ROW_STORED);
		if (row != NULL)
			parents[wanted->row_count++] = row->object;
		set_rows(wanted->relation, ath_rows_of(&session->rows, wanted->with->model, object),
			 object, row == NULL ? NULL : &row->object, row != NULL);
	}
	wanted->rows = parents;
}

/* Where the keys of rows are: in them, or, by way of a table between, behind them. */
struct keys {
	const struct ath_member *column;
	void *const *rows;
	const char *apart; /* NULL: in them */
	size_t stride;
};

static const char *key_at(const struct keys *keys, size_t i)
{
	return keys->apart == NULL ? keys->rows[i] : keys->apart + i * keys->stride;
}

static bool same_key(const struct keys *keys, const char *a, const char *b)
{
	const struct ath_member *column = keys->column;

	if (column->type == ATH_TYPE_INT64 && !column->nullable_struct)
		return memcmp(a + column->offset, b + column->offset, sizeof(int64_t)) == 0;
	return ath_member_equal(column, a, b);
}

/*
 * The rows come in the order of the objects' keys: one run for each object. Its list is a piece
 * of the one array of all.
 */
static void hand_out_runs(struct ath_session *session, struct wanted *wanted,
			  const struct keys *keys)
{
	const struct ath_model *model = wanted->with->model;
	size_t run;

	for (size_t i = 0; i < wanted->count; i++) { /* loaded and empty is not the same as not */
		void *object = wanted->objects[i];

		set_rows(wanted->relation, ath_rows_of(&session->rows, model, object), object,
			 wanted->rows, 0);
	}
	for (size_t i = 0; i < wanted->row_count; i += run) {
		const char *here = key_at(keys, i);
		struct ath_value value = ath_member_get(keys->column, here);
		struct ath_row *row = ath_rows_find(&session->rows, model, &value, ATH_ROW_STORED);

		for (run = 1; i + run < wanted->row_count; run++)
			if (!same_key(keys, here, key_at(keys, i + run)))
				break;
		if (row != NULL)
			set_rows(wanted->relation, row, row->object, wanted->rows + i, run);
	}
}

static void take(struct ath_session *session, struct ath_batch *batch, struct wanted *wanted)
{
	const struct ath_member *relation = wanted->relation;
	const struct ath_member *between = NULL;
	struct ath_target extra;
	void *keys = NULL;

	if (relation->kind == ATH_MEMBER_MANY_TO_MANY) {
		between = ath_model_column(relation->through, relation->near_offset);
		extra = ath_target_of(between);
	}
	if (wanted->statement != SIZE_MAX)
		wanted->rows = ath_session_take_rows(
			session, relation->target, batch, wanted->statement,
			between == NULL ? NULL : &extra, &keys, &wanted->row_count);
	if (!ath_session_ok(session))
		return;
	if (wanted->row_count > ATH_MOST_ROWS) {
		ath_session_fail(session, ATH_ETOOBIG, "more than %d rows of %s in a relation",
				 (int)ATH_MOST_ROWS, relation->target->name);
	} else if (relation->kind == ATH_MEMBER_BELONGS_TO) {
		wanted->row_count = 0;
		hand_out_parents(session, wanted);
	} else if (between == NULL) {
		hand_out_runs(
			session, wanted,
			&(struct keys){ .column = far_column(relation), .rows = wanted->rows });
	} else {
		struct ath_member at_front = *between;

		at_front.offset = 0;
		hand_out_runs(
			session, wanted,
			&(struct keys){ .column = &at_front,
					.apart = keys,
					.stride = ath_session_extra_stride(relation->target) });
	}
}

/* ---- level by level ------------------------------------------------------------------------- */

/* What hangs on a primary key is put into the session's own object, so there must be one. */
static bool are_known(struct ath_session *session, const struct wanted *wanted)
{
	const struct ath_model *model = wanted->with->model;

	if (wanted->relation->kind == ATH_MEMBER_BELONGS_TO)
		return true;
	for (size_t i = 0; i < wanted->count; i++)
		if (ath_rows_of(&session->rows, model, wanted->objects[i]) == NULL) {
			ath_session_fail(session, ATH_EINVAL,
					 "%s is to be loaded of a row of %s that is not of this "
					 "session",
					 wanted->relation->name, model->name);
			return false;
		}
	return true;
}

static bool load_level(struct ath_session *session, struct level *level)
{
	struct ath_batch *batch;

	if (!ath_session_ready(session))
		return false;
	for (struct wanted *wanted = level->first; wanted != NULL; wanted = wanted->next)
		if (!are_known(session, wanted))
			return false;
	batch = make_batch(session, level);
	if (batch == NULL || (batch->count > 0 && !ath_session_run(session, batch)))
		return false;
	for (struct wanted *wanted = level->first; wanted != NULL; wanted = wanted->next)
		if (ath_session_ok(session))
			take(session, batch, wanted);
	ath_batch_clear(batch);
	return ath_session_ok(session);
}

static bool next_level(struct ath_session *session, const struct level *level, struct level *next)
{
	*next = (struct level){ .tail = &next->first };
	for (const struct wanted *wanted = level->first; wanted != NULL; wanted = wanted->next)
		for (size_t i = 0; i < wanted->with->kid_count; i++)
			if (!want(session, next, wanted->relation->target, &wanted->with->kids[i],
				  wanted->rows, wanted->row_count))
				return false;
	return true;
}

void ath_session_load(struct ath_session *session, const struct ath_model *model,
		      void *const *objects, size_t count, const struct ath_with *with,
		      size_t with_count)
{
	struct level level = { .tail = &level.first }, next;

	if (!ath_session_ok(session))
		return;
	for (size_t i = 0; i < with_count; i++)
		if (!want(session, &level, model, &with[i], objects, count))
			return;
	while (level.count > 0) {
		if (!load_level(session, &level) || !next_level(session, &level, &next))
			return;
		level = next;
	}
}
