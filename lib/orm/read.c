/*
 * read.c - the queries that read rows into a session.
 */
#include "orm/internal.h"

/* result: of a query that selects expressions what they become; facts: of another its model's. */
static struct ath_batch *run_query(struct ath_session *session, const struct ath_query *query,
				   const struct ath_model *result, const struct ath_facts *facts,
				   int64_t most,
				   void (*make)(struct ath_sql *sql, const struct ath_query *query))
{
	struct ath_batch *batch;
	struct ath_sql sql;

	if (!ath_session_ready(session))
		return NULL;
	ath_sql_open(&sql, session->arena);
	sql.most = most;
	sql.result = result;
	sql.facts = facts;
	make(&sql, query);
	batch = ath_session_batch_of(session, &sql);
	return batch != NULL && ath_session_run(session, batch) ? batch : NULL;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static size_t align(size_t size)
{
	return (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
}

/*
 * A row, its object, what the database holds, and a value more, lie side by side. Of what is not
 * tracked there is only the object.
 */
struct layout {
	const struct ath_model *model;
	struct ath_facts *facts;
	size_t object, old, extra, stride;
};

static struct layout lay_out(const struct ath_model *model, struct ath_facts *facts, bool tracked,
			     bool with_extra)
{
	struct layout layout = { .model = model, .facts = facts };

	layout.object = tracked ? align(sizeof(struct ath_row)) : 0;
	layout.old = layout.object + align(model->size);
	layout.extra = layout.old + (tracked ? align(model->size) : 0);
	layout.stride = layout.extra + (with_extra ? align(sizeof(struct ath_value)) : 0);
	return layout;
}

static struct ath_row *row_at(char *block, size_t i, const struct layout *layout)
{
	struct ath_row *row = (struct ath_row *)(void *)(block + i * layout->stride);

	*row = (struct ath_row){ .model = layout->model,
				 .facts = layout->facts,
				 .object = (char *)row + layout->object,
				 .old = (char *)row + layout->old };
	return row;
}

/* Only of the objects, and of what is behind, has every byte to be zero. */
static void **clear_objects(struct ath_session *session, char *block, const struct layout *layout,
			    size_t rows)
{
	void **objects = ath_arena_alloc(session->arena, rows * sizeof *objects);
	size_t behind = layout->stride - layout->extra;

	for (size_t i = 0; objects != NULL && block != NULL && i < rows; i++) {
		char *row = block + i * layout->stride;

		objects[i] = row + layout->object;
		memset(objects[i], 0, layout->model->size);
		if (behind > 0)
			memset(row + layout->extra, 0, behind);
	}
	return objects;
}

/*
 * A row that the session knows already keeps its object, which takes over what was read: all
 * that was pending has been flushed, so nothing of the handler's is lost, and what was locked or
 * moved meanwhile is seen as it is now.
 */
static bool refresh(struct ath_session *session, struct ath_row *known, const struct ath_row *fresh)
{
	if (session->flushing && ath_row_change(known) != ATH_UNCHANGED)
		return true; /* a hook reads what is about to be sent */
	for (size_t i = 0; i < known->model->member_count; i++) {
		const struct ath_member *member = &known->model->members[i];

		if (member->kind != ATH_MEMBER_COLUMN ||
		    ath_member_equal(member, known->old, fresh->object))
			continue;
		if (session->connection != NULL && !ath_undo_note(session, known))
			return false;
		break;
	}
	known->expired = false;
	ath_columns_copy(known->model, known->object, fresh->object);
	ath_columns_copy(known->model, known->old, fresh->object);
	return true;
}

static bool adopt(struct ath_session *session, const struct ath_key *key, struct ath_row *row,
		  void **object)
{
	struct ath_row *known;

	if (!ath_rows_adopt(&session->rows, key, row, &known))
		return ath_session_no_memory(session);
	*object = known->object;
	if (known != row)
		return refresh(session, known, row);
	memcpy(row->old, row->object, row->model->size);
	return true;
}

/* Where the columns of the model go, and the one behind them; NULL: there is no memory. */
static const struct ath_target *targets_of(struct ath_session *session,
					   const struct ath_facts *facts,
					   const struct layout *layout,
					   const struct ath_target *extra)
{
	size_t count = facts->target_count;
	struct ath_target *targets;

	if (extra == NULL)
		return facts->targets;
	targets = ath_new(session->arena, struct ath_target, count + 1);
	if (targets == NULL)
		return NULL;
	memcpy(targets, facts->targets, count * sizeof *targets);
	targets[count] = *extra;
	targets[count].offset = layout->extra - layout->object;
	return targets;
}

static void track(struct ath_session *session, const struct ath_key *key, char *block,
		  const struct layout *layout, size_t rows, void **objects)
{
	if (!ath_rows_expect(&session->rows, rows))
		ath_session_no_memory(session);
	for (size_t i = 0; ath_session_ok(session) && i < rows; i++)
		if (!adopt(session, key, row_at(block, i, layout), &objects[i]))
			return;
}

void **ath_session_take_rows(struct ath_session *session, const struct ath_model *model,
			     struct ath_batch *batch, size_t index, const struct ath_target *extra,
			     void **extras, size_t *count)
{
	struct ath_facts *facts = ath_facts_of(session, model);
	const struct layout layout =
		lay_out(model, facts, facts != NULL && facts->tracked, extra != NULL);
	const struct ath_driver *driver = batch->driver;
	const void *result = batch->results[index];
	size_t rows = driver->rows(result);
	char *block = ath_arena_alloc(session->arena, rows * layout.stride);
	void **objects = clear_objects(session, block, &layout, rows);
	const struct ath_target *targets = NULL;
	struct ath_error error;

	*count = 0;
	ath_error_clear(&error);
	if (facts != NULL)
		targets = targets_of(session, facts, &layout, extra);
	if (block == NULL || objects == NULL || targets == NULL)
		ath_session_no_memory(session);
	if (!ath_session_ok(session) || !ath_session_keep(session, batch, index)) {
		ath_batch_clear(batch);
		return NULL;
	}
	if (extras != NULL)
		*extras = block + layout.extra;
	if (driver->read(result, 0, rows, targets, facts->target_count + (extra != NULL), objects,
			 session->arena, &error) != ATH_OK)
		ath_session_take_error(session, &error);
	else if (facts->tracked)
		track(session, &facts->key, block, &layout, rows, objects);
	if (!ath_session_ok(session)) {
		ath_batch_clear(batch);
		return NULL;
	}
	session->row_count += rows;
	*count = rows;
	return objects;
}

size_t ath_session_extra_stride(const struct ath_model *model)
{
	return lay_out(model, NULL, ath_model_is_tracked(model), true).stride;
}

/* ---- queries --------------------------------------------------------------------------------- */

bool ath_session_fits(struct ath_session *session, const struct ath_model *model,
		      const struct ath_query *query)
{
	if (query->select_count == 0 && query->model != model)
		ath_session_fail(session, ATH_EINVAL, "a query for %s was run as one for %s",
				 query->model->name, model->name);
	else if (query->select_count > 0 && model->kind != ATH_RESULT)
		ath_session_fail(session, ATH_EINVAL,
				 "a query with ath_select() is run for a model of a result, not %s",
				 model->name);
	else if (query->select_count > 0 && query->select_count != ath_model_columns(model))
		ath_session_fail(session, ATH_EINVAL, "%zu expressions for the %zu columns of %s",
				 query->select_count, ath_model_columns(model), model->name);
	return ath_session_ok(session);
}

static void **select_rows(struct ath_session *session, const struct ath_model *model,
			  const struct ath_query *query, int64_t most, size_t *count)
{
	struct ath_facts *facts;
	struct ath_batch *batch;

	*count = 0;
	if (!ath_session_ok(session) || !ath_session_fits(session, model, query))
		return NULL;
	facts = ath_facts_of(session, model);
	if (facts == NULL)
		return NULL;
	if (query->lock != ATH_NO_LOCK && !ath_begin(session))
		return NULL; /* outside a transaction a lock would be gone at once */
	batch = run_query(session, query, model, facts, most, ath_sql_select);
	return batch == NULL ? NULL
			     : ath_session_take_rows(session, model, batch, 0, NULL, NULL, count);
}

void **ath_session_all(struct ath_session *session, const struct ath_model *model,
		       const struct ath_query *query, size_t *count)
{
	void **objects = select_rows(session, model, query, ATH_MOST_ROWS + 1, count);

	if (*count <= ATH_MOST_ROWS)
		return objects;
	*count = 0;
	ath_session_fail(session, ATH_ETOOBIG,
			 "more than %d rows of %s: set a limit, or use T_each()",
			 (int)ATH_MOST_ROWS, model->name);
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
				 model->name);
	else if (count > 1)
		ath_session_fail(session, ATH_EMANY, "more rows of %s than the one asked for",
				 model->name);
	return count == 1 ? objects[0] : NULL;
}

/* ---- by primary key -------------------------------------------------------------------------- */

static void *select_by_key(struct ath_session *session, const struct ath_facts *facts,
			   const struct ath_value *values)
{
	const struct ath_key *key = &facts->key;
	struct ath_value *params;
	struct ath_batch *batch;
	size_t count;
	void **objects;

	if (!ath_session_ready(session))
		return NULL;
	batch = ath_session_batch(session, 1);
	params = ath_new(session->arena, struct ath_value, key->count);
	if (batch == NULL || params == NULL) {
		ath_session_no_memory(session);
		return NULL;
	}
	for (size_t i = 0; i < key->count; i++) {
		params[i] = values[i];
		if (ath_column_send(key->columns[i], session->arena, &params[i]))
			continue;
		ath_session_fail(session, ATH_ERULE, "%s is none of the values of its enum",
				 key->columns[i]->name);
		return NULL;
	}
	batch->statements[0] = facts->get;
	batch->statements[0].params = params;
	if (!ath_session_run(session, batch))
		return NULL;
	objects = ath_session_take_rows(session, facts->model, batch, 0, NULL, NULL, &count);
	return count == 0 ? NULL : objects[0];
}

void *ath_session_get(struct ath_session *session, const struct ath_model *model,
		      const struct ath_value *values, size_t count)
{
	const struct ath_facts *facts;
	struct ath_row *known;
	void *object;
	bool good;

	if (!ath_session_ok(session))
		return NULL;
	facts = ath_facts_of(session, model);
	if (facts == NULL)
		return NULL;
	good = facts->key.count == count && facts->get.text != NULL;
	for (size_t i = 0; good && i < count; i++) {
		if (values[i].null)
			return NULL;
		good = values[i].type == facts->key.columns[i]->type;
	}
	if (!good) {
		ath_session_fail(session, ATH_EINVAL, "the primary key of %s has another type",
				 model->name);
		return NULL;
	}
	known = ath_rows_find(&session->rows, model, values, ATH_ROW_STORED);
	if (known != NULL && !known->expired)
		return known->object;
	object = select_by_key(session, facts, values);
	if (object == NULL && known != NULL && ath_session_ok(session) && known->expired)
		ath_rows_leave_map(&session->rows, known); /* it is not there any more */
	return object;
}

bool ath_session_refresh(struct ath_session *session, const struct ath_model *model, void *object)
{
	struct ath_value keys[ATH_MAX_KEYS];
	struct ath_row *row;

	ath_session_expire(session, model, object);
	if (!ath_session_ok(session) || object == NULL)
		return false;
	row = ath_rows_of(&session->rows, model, object);
	if (row->state == ATH_ROW_NEW)
		return true; /* there is nothing to read yet */
	return ath_session_get(session, model, keys, ath_row_keys(model, row->old, keys)) != NULL;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* One value of the one row of a batch; false: the session is in error. */
static bool take_scalar(struct ath_session *session, struct ath_batch *batch,
			const struct ath_target *target, void *value)
{
	struct ath_error error = { 0 };

	if (batch->driver->rows(batch->results[0]) == 0) { /* no group */
		ath_batch_clear(batch);
		return false;
	}
	if (batch->driver->read(batch->results[0], 0, 1, target, 1, &value, session->arena,
				&error) != ATH_OK)
		ath_session_take_error(session, &error);
	if (ath_type_flag(target->type) == 0) /* a pointer into the result */
		ath_session_keep(session, batch, 0);
	ath_batch_clear(batch);
	return ath_session_ok(session);
}

int64_t ath_count(struct ath_session *session, const struct ath_query *query)
{
	static const struct ath_target target = { .type = ATH_TYPE_INT64, .name = "count" };
	struct ath_batch *batch = run_query(session, query, NULL, NULL, 0, ath_sql_count);
	int64_t count = 0;

	if (batch != NULL)
		take_scalar(session, batch, &target, &count);
	return count;
}

bool ath_session_scalar(struct ath_session *session, const struct ath_query *query,
			struct ath_expression expression, enum ath_type type, bool nullable,
			void *value)
{
	const struct ath_member column = { .type = type, .nullable_struct = nullable };
	const struct ath_model result = {
		.kind = ATH_RESULT, .name = "a value", .members = &column, .member_count = 1
	};
	const struct ath_target target = { .type = type,
					   .flag = nullable ? ath_type_flag(type) : 0,
					   .null_allowed = ath_type_flag(type) == 0,
					   .name = "of the value" };
	struct ath_query copy = *query;
	struct ath_batch *batch;

	memset(value, 0, ath_type_size(type));
	if (nullable)
		*(bool *)((char *)value + ath_type_flag(type)) = false;
	if (type == ATH_TYPE_ENUM)
		ath_session_fail(session, ATH_EINVAL,
				 "an enum is read by a model that has its values");
	if (query->select_count > 0)
		ath_session_fail(session, ATH_EINVAL, "the query selects something already");
	if (!ath_session_ok(session))
		return false;
	ath_select(&copy, expression);
	batch = run_query(session, &copy, &result, NULL, 2, ath_sql_select);
	return batch != NULL && take_scalar(session, batch, &target, value);
}

/* ---- EXPLAIN --------------------------------------------------------------------------------- */

static void explain(struct ath_sql *sql, const struct ath_query *query)
{
	ath_sql_put(sql, "EXPLAIN ");
	ath_sql_select(sql, query);
}

static void explain_analyze(struct ath_sql *sql, const struct ath_query *query)
{
	ath_sql_put(sql, "EXPLAIN (ANALYZE, BUFFERS) ");
	ath_sql_select(sql, query);
}

const char *ath_explain(struct ath_session *session, const struct ath_query *query, bool analyze)
{
	static const struct ath_target target = { .type = ATH_TYPE_TEXT, .name = "plan" };
	struct ath_error error = { 0 };
	struct ath_buffer text;
	struct ath_batch *batch;
	const char *plan;

	if (query->lock != ATH_NO_LOCK && !ath_begin(session))
		return NULL;
	batch = run_query(session, query, NULL, NULL, 0, analyze ? explain_analyze : explain);
	if (batch == NULL)
		return NULL;
	ath_buffer_init(&text, session->arena, SIZE_MAX);
	for (size_t i = 0; i < batch->driver->rows(batch->results[0]); i++) {
		const char *line = NULL;
		void *object = &line;

		if (batch->driver->read(batch->results[0], i, 1, &target, 1, &object,
					session->arena, &error) != ATH_OK)
			break;
		ath_buffer_string(&text, line);
		ath_buffer_append(&text, "\n", 1);
	}
	ath_batch_clear(batch);
	plan = ath_buffer_c_string(&text);
	if (error.status != ATH_OK)
		ath_session_take_error(session, &error);
	else if (text.failed)
		ath_session_no_memory(session);
	return ath_session_ok(session) ? plan : NULL;
}
