/*
 * sql.c - SQL text from models and queries. Pure: no connection, only the arena.
 *
 * The bytes of the text come from the models, whose names were checked, and from this file;
 * every value is a parameter.
 */
#include "orm/internal.h"

enum { MAX_TEXT = 64 * 1024, MAX_PARAMS = 65535, FIRST_PARAMS = 8 };

void ath_sql_open(struct ath_sql *sql, struct ath_arena *arena)
{
	sql->params = NULL;
	sql->param_count = sql->param_capacity = 0;
	sql->most = 0;
	ath_error_clear(&sql->error);
	ath_buffer_init(&sql->text, arena, MAX_TEXT);
}

enum ath_status ath_sql_finish(struct ath_sql *sql, struct ath_statement *statement)
{
	const char *text = ath_buffer_c_string(&sql->text);

	if (sql->text.failed)
		return ath_error_set(&sql->error, ATH_ETOOBIG, "a statement is too large");
	*statement = (struct ath_statement){ .text = text,
					     .length = sql->text.length,
					     .hash = ath_hash(text, sql->text.length),
					     .params = sql->params,
					     .param_count = sql->param_count };
	return sql->error.status;
}

/* ---- pieces ----------------------------------------------------------------------------- */

static void put(struct ath_sql *sql, const char *text)
{
	ath_buffer_string(&sql->text, text);
}

static void put_name(struct ath_sql *sql, const char *name)
{
	put(sql, "\"");
	put(sql, name);
	put(sql, "\"");
}

static void put_param(struct ath_sql *sql, struct ath_value value)
{
	if (sql->param_count == sql->param_capacity) {
		size_t capacity = sql->param_capacity == 0 ? FIRST_PARAMS : 2 * sql->param_capacity;

		sql->params = ath_arena_grow(sql->text.arena, sql->params,
					     sql->param_capacity * sizeof *sql->params,
					     capacity * sizeof *sql->params);
		sql->param_capacity = capacity;
	}
	if (sql->params == NULL || sql->param_count == MAX_PARAMS) {
		sql->text.failed = true;
		return;
	}
	sql->params[sql->param_count++] = value;
	put(sql, "$");
	ath_buffer_int64(&sql->text, (int64_t)sql->param_count);
}

/* The names of the columns, each behind the comma that it needs. */
static void put_columns(struct ath_sql *sql, const struct ath_model *model)
{
	const char *comma = "";

	for (size_t i = 0; i < model->member_count; i++) {
		if (model->members[i].kind != ATH_MEMBER_COLUMN)
			continue;
		put(sql, comma);
		put_name(sql, model->members[i].name);
		comma = ", ";
	}
}

static void put_key_equals(struct ath_sql *sql, const struct ath_model *model, const void *object)
{
	const struct ath_member *key = ath_model_key(model);

	put(sql, " WHERE ");
	put_name(sql, key->name);
	put(sql, " = ");
	put_param(sql, ath_member_get(key, object));
}

/* ---- conditions ---------------------------------------------------------------------------- */

static const char *const operators[] = {
	[ATH_OP_EQ] = " = ",      [ATH_OP_NE] = " <> ",       [ATH_OP_LT] = " < ",
	[ATH_OP_LE] = " <= ",     [ATH_OP_GT] = " > ",        [ATH_OP_GE] = " >= ",
	[ATH_OP_LIKE] = " LIKE ", [ATH_OP_ILIKE] = " ILIKE ", [ATH_OP_AND] = " AND ",
	[ATH_OP_OR] = " OR ",
};

static void put_leaf(struct ath_sql *sql, const struct ath_condition *condition)
{
	put_name(sql, ath_model_column(condition->model, condition->offset)->name);
	if (condition->value.null) {
		put(sql, condition->op == ATH_OP_NE ? " IS NOT NULL" : " IS NULL");
	} else if (condition->op == ATH_OP_IN) {
		put(sql, " = ANY (");
		put_param(sql, condition->value);
		put(sql, ")");
	} else {
		put(sql, operators[condition->op]);
		put_param(sql, condition->value);
	}
}

/* Returns the index behind the condition and its kids. An empty AND is true, an OR false. */
static size_t put_condition(struct ath_sql *sql, const struct ath_query *query, size_t at)
{
	const struct ath_condition *condition = &query->conditions[at++];

	if (condition->op < ATH_OP_AND) {
		put_leaf(sql, condition);
		return at;
	}
	put(sql, condition->op == ATH_OP_NOT ? "NOT (" : "(");
	if (condition->kid_count == 0)
		put(sql, condition->op == ATH_OP_OR ? "false" : "true");
	for (size_t i = 0; i < condition->kid_count; i++) {
		if (i > 0)
			put(sql, operators[condition->op]);
		at = put_condition(sql, query, at);
	}
	put(sql, ")");
	return at;
}

static void put_where(struct ath_sql *sql, const struct ath_query *query)
{
	for (size_t at = 0; at < query->condition_count;) {
		put(sql, at == 0 ? " WHERE " : " AND ");
		at = put_condition(sql, query, at);
	}
}

static void put_from_where(struct ath_sql *sql, const struct ath_query *query)
{
	put(sql, " FROM ");
	put_name(sql, query->model->table);
	put_where(sql, query);
}

/* ---- statements ------------------------------------------------------------------------------ */

static bool take_mistake(struct ath_sql *sql, const struct ath_query *query)
{
	if (query->status != ATH_OK)
		ath_error_set(&sql->error, query->status, "%s", query->mistake);
	return query->status != ATH_OK;
}

void ath_sql_select(struct ath_sql *sql, const struct ath_query *query)
{
	static const char *const locks[] = { [ATH_NO_LOCK] = "",
					     [ATH_FOR_UPDATE] = " FOR UPDATE",
					     [ATH_SKIP_LOCKED] = " FOR UPDATE SKIP LOCKED",
					     [ATH_NOWAIT] = " FOR UPDATE NOWAIT" };

	int64_t limit = query->limit;

	if (take_mistake(sql, query))
		return;
	if (sql->most > 0 && (limit < 0 || limit > sql->most))
		limit = sql->most;
	put(sql, "SELECT ");
	put_columns(sql, query->model);
	put_from_where(sql, query);
	for (size_t i = 0; i < query->order_count; i++) {
		const struct ath_order *order = &query->orders[i];

		put(sql, i == 0 ? " ORDER BY " : ", ");
		put_name(sql, ath_model_column(order->model, order->offset)->name);
		put(sql, order->descending ? " DESC" : "");
	}
	if (limit >= 0) {
		put(sql, " LIMIT ");
		put_param(sql, ath_value_int64(limit));
	}
	if (query->offset >= 0) {
		put(sql, " OFFSET ");
		put_param(sql, ath_value_int64(query->offset));
	}
	put(sql, locks[query->lock]);
}

void ath_sql_count(struct ath_sql *sql, const struct ath_query *query)
{
	if (take_mistake(sql, query))
		return;
	put(sql, "SELECT count(*)");
	put_from_where(sql, query);
}

bool ath_sql_insert_returns(const struct ath_member *column, const void *object)
{
	return column->kind == ATH_MEMBER_COLUMN && ath_column_is_filled(column) &&
	       (column->read_only || ath_member_is_unset(column, object));
}

static void put_insert_columns(struct ath_sql *sql, const struct ath_model *model,
			       const void *object)
{
	const char *before = " (";

	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (member->kind != ATH_MEMBER_COLUMN || ath_sql_insert_returns(member, object))
			continue;
		put(sql, before);
		put_name(sql, member->name);
		before = ", ";
	}
	if (*before == ',') {
		before = ") VALUES (";
		for (size_t i = 0; i < model->member_count; i++) {
			const struct ath_member *member = &model->members[i];

			if (member->kind != ATH_MEMBER_COLUMN ||
			    ath_sql_insert_returns(member, object))
				continue;
			put(sql, before);
			put_param(sql, ath_member_get(member, object));
			before = ", ";
		}
		put(sql, ")");
	} else {
		put(sql, " DEFAULT VALUES");
	}
}

void ath_sql_insert(struct ath_sql *sql, const struct ath_model *model, const void *object)
{
	const char *before = " RETURNING ";

	put(sql, "INSERT INTO ");
	put_name(sql, model->table);
	put_insert_columns(sql, model, object);
	for (size_t i = 0; i < model->member_count; i++) {
		if (!ath_sql_insert_returns(&model->members[i], object))
			continue;
		put(sql, before);
		put_name(sql, model->members[i].name);
		before = ", ";
	}
}

void ath_sql_update(struct ath_sql *sql, const struct ath_model *model, const void *object,
		    const void *old)
{
	const char *before = " SET ";

	put(sql, "UPDATE ");
	put_name(sql, model->table);
	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (!ath_column_is_changed(member, object, old))
			continue;
		if (member->primary_key)
			ath_error_set(&sql->error, ATH_EINVAL,
				      "the primary key %s.%s was changed: delete and add instead",
				      model->table, member->name);
		put(sql, before);
		put_name(sql, member->name);
		put(sql, " = ");
		put_param(sql, ath_member_get(member, object));
		before = ", ";
	}
	put_key_equals(sql, model, old);
}

void ath_sql_delete(struct ath_sql *sql, const struct ath_model *model, const void *object)
{
	put(sql, "DELETE FROM ");
	put_name(sql, model->table);
	put_key_equals(sql, model, object);
}

void ath_sql_guard_open(struct ath_sql *sql)
{
	put(sql, "WITH met AS (");
}

void ath_sql_guard_close(struct ath_sql *sql)
{
	put(sql, " RETURNING 1) SELECT 1 / count(*) FROM met");
}

void ath_sql_update_where(struct ath_sql *sql, const struct ath_query *query,
			  const struct ath_assignment *assignments, size_t count)
{
	if (take_mistake(sql, query))
		return;
	put(sql, "UPDATE ");
	put_name(sql, query->model->table);
	for (size_t i = 0; i < count; i++) {
		const struct ath_member *column =
			ath_model_column(query->model, assignments[i].offset);
		struct ath_value value;

		if (assignments[i].model != query->model || column == NULL) {
			ath_error_set(&sql->error, ATH_EINVAL,
				      "an assignment names no column of %s", query->model->name);
			return;
		}
		put(sql, i == 0 ? " SET " : ", ");
		put_name(sql, column->name);
		put(sql, " = ");
		value = assignments[i].value;
		value.type =
			column->type; /* of a NULL, which has none: the same text, the same types */
		put_param(sql, value);
	}
	put_where(sql, query);
}

void ath_sql_delete_where(struct ath_sql *sql, const struct ath_query *query)
{
	if (take_mistake(sql, query))
		return;
	put(sql, "DELETE FROM ");
	put_name(sql, query->model->table);
	put_where(sql, query);
}
