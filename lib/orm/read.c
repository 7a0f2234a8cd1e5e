/*
 * read.c - the queries that read rows into a session, and the relations between them.
 */
#include "orm/internal.h"

/* Everything a query needs before it runs: no error, nothing pending that it would miss. */
static bool ready(struct ath_session *session)
{
	return ath_session_ok(session) && (ath_session_is_clean(session) || ath_flush(session));
}

static struct ath_batch *run_query(struct ath_session *session, const struct ath_query *query,
				   int64_t most,
				   void (*make)(struct ath_sql *sql, const struct ath_query *query))
{
	struct ath_batch *batch;
	struct ath_sql sql;

	if (!ready(session))
		return NULL;
	batch = ath_session_batch(session, 1);
	if (batch == NULL)
		return NULL;
	ath_sql_open(&sql, session->arena);
	sql.most = most;
	make(&sql, query);
	if (ath_sql_finish(&sql, &batch->statements[0]) != ATH_OK) {
		ath_session_take_error(session, &sql.error);
		return NULL;
	}
	return ath_session_run(session, batch) ? batch : NULL;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static size_t align(size_t size)
{
	return (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
}

/* A row, its object and what the database holds lie side by side. */
static size_t stride_of(const struct ath_model *model)
{
	return align(sizeof(struct ath_row)) + 2 * align(model->size);
}

static struct ath_row *row_at(char *block, size_t i, const struct ath_model *model)
{
	struct ath_row *row = (struct ath_row *)(void *)(block + i * stride_of(model));

	row->model = model;
	row->object = (char *)row + align(sizeof *row);
	row->old = (char *)row->object + align(model->size);
	return row;
}

/*
 * A row that the session knows already keeps its object, which takes over what was read: all
 * that was pending has been flushed, so nothing of the handler's is lost, and what was locked or
 * moved meanwhile is seen as it is now.
 */
static void refresh(const struct ath_row *known, const struct ath_row *fresh)
{
	for (size_t i = 0; i < known->model->member_count; i++) {
		const struct ath_member *member = &known->model->members[i];

		if (member->kind != ATH_MEMBER_COLUMN)
			continue;
		memcpy((char *)known->object + member->offset,
		       (char *)fresh->object + member->offset, member->size);
		memcpy((char *)known->old + member->offset, (char *)fresh->object + member->offset,
		       member->size);
	}
}

static bool adopt(struct ath_session *session, struct ath_row *row, void **object)
{
	struct ath_row *known;

	memcpy(row->old, row->object, row->model->size);
	known = ath_rows_find(&session->rows, row->model,
			      ath_member_get(ath_model_key(row->model), row->old));
	if (known != NULL) {
		refresh(known, row);
		*object = known->object;
		return true;
	}
	row->state = ATH_ROW_STORED;
	*object = row->object;
	return ath_rows_add(&session->rows, row) || ath_session_no_memory(session);
}

static void **read_rows(struct ath_session *session, const struct ath_model *model,
			struct ath_batch *batch, size_t *count)
{
	const struct ath_driver *driver = batch->driver;
	const void *result = batch->results[0];
	size_t rows = driver->rows(result), columns;
	char *block = ath_arena_zalloc(session->arena, rows, stride_of(model));
	void **objects = ath_new(session->arena, void *, rows);
	struct ath_target *targets = ath_session_targets(session, model, NULL, NULL, &columns);
	struct ath_error error = { 0 };

	*count = 0;
	if (block == NULL || objects == NULL || targets == NULL) {
		ath_batch_clear(batch);
		ath_session_no_memory(session);
		return NULL;
	}
	if (!ath_session_keep(session, batch, 0))
		return NULL;
	for (size_t i = 0; i < rows; i++)
		objects[i] = row_at(block, i, model)->object;
	if (driver->read(result, 0, rows, targets, columns, objects, &error) != ATH_OK) {
		ath_session_take_error(session, &error);
		return NULL;
	}
	for (size_t i = 0; i < rows; i++)
		if (!adopt(session, row_at(block, i, model), &objects[i]))
			return NULL;
	session->row_count += rows;
	*count = rows;
	return objects;
}

static void **select_rows(struct ath_session *session, const struct ath_model *model,
			  const struct ath_query *query, int64_t most, size_t *count)
{
	struct ath_batch *batch;

	*count = 0;
	if (query->lock != ATH_NO_LOCK && !ath_begin(session))
		return NULL; /* outside a transaction a lock would be gone at once */
	if (query->model != model)
		ath_session_fail(session, ATH_EINVAL, "a query for %s was run as one for %s",
				 query->model->name, model->name);
	batch = run_query(session, query, most, ath_sql_select);
	return batch == NULL ? NULL : read_rows(session, model, batch, count);
}

void **ath_session_all(struct ath_session *session, const struct ath_model *model,
		       const struct ath_query *query, size_t *count)
{
	void **objects = select_rows(session, model, query, ATH_MOST_ROWS + 1, count);

	if (*count <= ATH_MOST_ROWS)
		return objects;
	*count = 0;
	ath_session_fail(session, ATH_ETOOBIG, "more than %d rows of %s: set a limit",
			 (int)ATH_MOST_ROWS, model->table);
	return NULL;
}

void *ath_session_first(struct ath_session *session, const struct ath_model *model,
			const struct ath_query *query)
{
	size_t count;
	void **objects = select_rows(session, model, query, 1, &count);

	return count == 0 ? NULL : objects[0];
}

void *ath_session_one(struct ath_session *session, const struct ath_model *model,
		      const struct ath_query *query)
{
	size_t count;
	void **objects = select_rows(session, model, query, 2, &count);

	if (!ath_session_ok(session))
		return NULL;
	if (count == 0)
		ath_session_fail(session, ATH_ENOTFOUND, "no row of %s where one was asked for",
				 model->table);
	else if (count > 1)
		ath_session_fail(session, ATH_EMANY, "more rows of %s than the one asked for",
				 model->table);
	return count == 1 ? objects[0] : NULL;
}

void *ath_session_get(struct ath_session *session, const struct ath_model *model,
		      struct ath_value key)
{
	const struct ath_member *column = ath_model_key(model);
	struct ath_query query = ath_query_of(model);
	struct ath_row *known;

	if (!ath_session_ok(session) || key.null)
		return NULL;
	if (key.type != column->type) {
		ath_session_fail(session, ATH_EINVAL, "the primary key of %s has another type",
				 model->name);
		return NULL;
	}
	known = ath_rows_find(&session->rows, model, key);
	if (known != NULL)
		return known->object;
	ath_where(&query, (struct ath_condition){ .op = ATH_OP_EQ,
						  .model = model,
						  .offset = column->offset,
						  .value = key });
	return ath_session_first(session, model, &query);
}

int64_t ath_count(struct ath_session *session, const struct ath_query *query)
{
	static const struct ath_target target = { .type = ATH_TYPE_INT64, .name = "count" };
	struct ath_batch *batch = run_query(session, query, 0, ath_sql_count);
	struct ath_error error = { 0 };
	int64_t count = 0;
	void *object = &count;

	if (batch == NULL)
		return 0;
	if (batch->driver->read(batch->results[0], 0, 1, &target, 1, &object, &error) != ATH_OK)
		ath_session_take_error(session, &error);
	ath_batch_clear(batch);
	return count;
}

/* ---- relations ------------------------------------------------------------------------------ */

/* The primary keys of the objects as one array for "= ANY". */
static struct ath_value keys_of(struct ath_session *session, const struct ath_member *key,
				void *const *objects, size_t count)
{
	char *items = ath_arena_zalloc(session->arena, count, key->size);

	for (size_t i = 0; items != NULL && i < count; i++)
		memcpy(items + i * key->size, (char *)objects[i] + key->offset, key->size);
	if (items == NULL)
		ath_session_no_memory(session);
	return (struct ath_value){
		.type = key->type, .array = true, .count = count, .as.items = items
	};
}

static struct ath_any_list *list_of(void *object, const struct ath_member *relation)
{
	return (struct ath_any_list *)(void *)((char *)object + relation->offset);
}

/*
 * The children come in the order of their parents' keys: one run for each parent. The list of
 * a parent is a piece of the one array of all children.
 */
static void hand_out(struct ath_session *session, const struct ath_model *model,
		     const struct ath_member *relation, void **children, size_t count)
{
	const struct ath_member *key = ath_model_column(relation->target, relation->key_offset);

	for (size_t i = 0, run; i < count; i += run) {
		struct ath_row *parent =
			ath_rows_find(&session->rows, model, ath_member_get(key, children[i]));

		for (run = 1; i + run < count; run++)
			if (!ath_member_equal(key, children[i], children[i + run]))
				break;
		if (parent != NULL)
			*list_of(parent->object, relation) =
				(struct ath_any_list){ .items = children + i, .count = run };
	}
}

void ath_session_load(struct ath_session *session, const struct ath_model *model,
		      void *const *objects, size_t count, size_t relation_offset)
{
	const struct ath_member *relation = ath_model_relation(model, relation_offset);
	struct ath_query query;
	size_t child_count;
	void **children;

	if (!ath_session_ok(session) || count == 0)
		return;
	if (relation == NULL) {
		ath_session_fail(session, ATH_EINVAL,
				 "a member of %s is to be loaded that is no "
				 "relation",
				 model->name);
		return;
	}
	query = ath_query_of(relation->target);
	ath_where(&query, (struct ath_condition){ .op = ATH_OP_IN,
						  .model = relation->target,
						  .offset = relation->key_offset,
						  .value = keys_of(session, ath_model_key(model),
								   objects, count) });
	ath_order_by(&query, (struct ath_order){ .model = relation->target,
						 .offset = relation->key_offset });
	ath_order_by(&query,
		     (struct ath_order){ .model = relation->target,
					 .offset = ath_model_key(relation->target)->offset });
	children = ath_session_all(session, relation->target, &query, &child_count);
	for (size_t i = 0; i < count; i++) /* loaded and empty is not the same as not loaded */
		*list_of(objects[i], relation) = (struct ath_any_list){ .items = children };
	hand_out(session, model, relation, children, child_count);
}
