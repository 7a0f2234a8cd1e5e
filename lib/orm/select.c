/*
 * select.c - SELECT from queries, and the expressions in them. Pure.
 *
 * A query of one table names its columns alone. One with joins or subqueries calls its tables
 * t0, t1..., so that every column says whose it is.
 */
#include "orm/internal.h"

static void put(struct ath_sql *sql, const char *text)
{
	ath_sql_put(sql, text);
}

static void put_table_number(struct ath_sql *sql, int number)
{
	put(sql, "\"t");
	ath_buffer_int64(&sql->text, number);
	put(sql, "\"");
}

static void put_column_of(struct ath_sql *sql, const struct ath_scope *scope, int number,
			  const struct ath_member *column)
{
	if (scope->qualified) {
		put_table_number(sql, number);
		put(sql, ".");
	}
	ath_sql_put_name(sql, ath_column_name(column));
}

/* The number of the table whose model this is, in this scope; -1: none has it. */
static int table_of(const struct ath_scope *scope, const struct ath_model *model)
{
	const struct ath_query *query = scope->query;

	if (scope->join > 0 && query->joins[scope->join - 1].relation->target == model)
		return scope->first + scope->join;
	if (query->model == model)
		return scope->first;
	for (size_t i = 0; i < query->join_count; i++)
		if (query->joins[i].relation->target == model)
			return scope->first + 1 + (int)i;
	return -1;
}

static void put_column(struct ath_sql *sql, const struct ath_scope *scope,
		       const struct ath_expression *expression)
{
	const struct ath_member *column = ath_model_column(expression->model, expression->offset);
	const struct ath_scope *at = expression->op == ATH_OP_OUTER ? scope->outer : scope;
	int number = -1;

	for (; at != NULL && number < 0; at = at->outer) {
		number = table_of(at, expression->model);
		if (number >= 0)
			put_column_of(sql, at, number, column);
		if (expression->op != ATH_OP_OUTER)
			break;
	}
	if (number < 0)
		ath_error_set(&sql->error, ATH_EINVAL,
			      "ATH_OUTER names a column of %s, which no query around has",
			      expression->model->name);
}

/* ---- expressions ---------------------------------------------------------------------------- */

static const char *const operators[] = {
#define X(name, text) [ATH_OP_##name] = " " text " ",
	ATH_BINARY_MAP(X)
#undef X
		[ATH_OP_AND] = " AND ",
	[ATH_OP_OR] = " OR ",
};

static void put_query(struct ath_sql *sql, const struct ath_query *query,
		      const struct ath_scope *outer);
static const struct ath_node *put_node(struct ath_sql *sql, const struct ath_scope *scope,
				       const struct ath_node *node);

/* A column and the one value it is compared with. */
static void put_comparison(struct ath_sql *sql, const struct ath_scope *scope,
			   const struct ath_expression *leaf)
{
	const struct ath_member *column = ath_model_column(leaf->model, leaf->offset);

	if (leaf->op == ATH_OP_ANY) { /* of the array that is the column */
		ath_sql_put_param(sql, leaf->value);
		put(sql, " = ANY (");
		put_column(sql, scope, leaf);
		put(sql, ")");
		return;
	}
	put_column(sql, scope, leaf);
	if (leaf->value.null) {
		put(sql, leaf->op == ATH_OP_NE ? " IS NOT NULL" : " IS NULL");
	} else if (leaf->op == ATH_OP_IN) {
		put(sql, " = ANY (");
		ath_sql_put_column_param(sql, column, leaf->value);
		put(sql, ")");
	} else {
		put(sql, operators[leaf->op]);
		ath_sql_put_column_param(sql, column, leaf->value);
	}
}

static const struct ath_node *put_kids(struct ath_sql *sql, const struct ath_scope *scope,
				       const struct ath_node *node, const char *between)
{
	const struct ath_node *kid = node + 1;

	for (unsigned i = 0; i < node->expression.kid_count; i++) {
		if (i > 0)
			put(sql, between);
		kid = put_node(sql, scope, kid);
	}
	return kid;
}

static void put_subquery(struct ath_sql *sql, const struct ath_scope *scope,
			 const struct ath_expression *expression)
{
	if (expression->op == ATH_OP_IN_QUERY) {
		put_column(sql, scope, expression);
		put(sql, " IN (");
	} else {
		put(sql, "EXISTS (");
	}
	put_query(sql, expression->on.as.query, scope);
	put(sql, ")");
}

/* A group of conditions: an empty AND is true, an OR false. */
static const struct ath_node *put_group(struct ath_sql *sql, const struct ath_scope *scope,
					const struct ath_node *node)
{
	const struct ath_node *behind;

	put(sql, "(");
	if (node->expression.kid_count == 0)
		put(sql, node->expression.op == ATH_OP_OR ? "false" : "true");
	behind = put_kids(sql, scope, node, operators[node->expression.op]);
	put(sql, ")");
	return behind;
}

/* The number of an enum is a value only together with a column that says its texts. */
static void put_value(struct ath_sql *sql, const struct ath_scope *scope,
		      const struct ath_expression *expression, const struct ath_member *beside)
{
	if (expression->value.type != ATH_TYPE_ENUM)
		(scope->groups ? ath_sql_put_same_param : ath_sql_put_param)(sql,
									     expression->value);
	else if (beside != NULL)
		ath_sql_put_column_param(sql, beside, expression->value);
	else
		ath_error_set(&sql->error, ATH_EINVAL,
			      "a value of an enum stands beside no column of it");
}

/* A condition as a side of an operator needs parentheses; what has its own does not. */
static bool is_open(const struct ath_node *node)
{
	const struct ath_expression *expression = &node->expression;

	if (expression->op == ATH_OP_OF)
		return is_open(node + 1);
	return expression->op == ATH_OP_NOT || expression->op == ATH_OP_IN_QUERY ||
	       (expression->model != NULL && expression->op != ATH_OP_COLUMN &&
		expression->op != ATH_OP_OUTER);
}

static void put_side(struct ath_sql *sql, const struct ath_scope *scope,
		     const struct ath_node *node, const struct ath_node *other)
{
	const struct ath_member *beside = NULL;

	while (other->expression.op == ATH_OP_OF)
		other++;
	if (other->expression.op == ATH_OP_COLUMN || other->expression.op == ATH_OP_OUTER)
		beside = ath_model_column(other->expression.model, other->expression.offset);
	if (node->expression.op == ATH_OP_VALUE) {
		put_value(sql, scope, &node->expression, beside);
		return;
	}
	put(sql, is_open(node) ? "(" : "");
	put_node(sql, scope, node);
	put(sql, is_open(node) ? ")" : "");
}

/* Left and right, with an operator between. */
static const struct ath_node *put_binary(struct ath_sql *sql, const struct ath_scope *scope,
					 const struct ath_node *node)
{
	const struct ath_node *left = node + 1, *right = left + left->span;

	put(sql, "(");
	put_side(sql, scope, left, right);
	put(sql, operators[node->expression.op]);
	put_side(sql, scope, right, left);
	put(sql, ")");
	return node + node->span;
}

/* What stands around its kids: a function, a cast, NOT, DISTINCT. */
static const struct ath_node *put_around(struct ath_sql *sql, const struct ath_scope *scope,
					 const struct ath_node *node, const char *before,
					 const char *behind)
{
	const struct ath_node *next;

	put(sql, before);
	next = put_kids(sql, scope, node, ", ");
	put(sql, behind);
	return next;
}

static const struct ath_node *put_function(struct ath_sql *sql, const struct ath_scope *scope,
					   const struct ath_node *node)
{
	put(sql, node->expression.on.as.function);
	return put_around(sql, scope, node, "(", ")");
}

static const struct ath_node *put_cast(struct ath_sql *sql, const struct ath_scope *scope,
				       const struct ath_node *node)
{
	const struct ath_node *next = put_around(sql, scope, node, "CAST(", " AS ");

	put(sql, node->expression.on.as.type);
	put(sql, ")");
	return next;
}

/* Returns the node behind this one and its kids. */
static const struct ath_node *put_node(struct ath_sql *sql, const struct ath_scope *scope,
				       const struct ath_node *node)
{
	const struct ath_expression *expression = &node->expression;
	struct ath_scope inside = *scope;

	switch (expression->op) {
	case ATH_OP_COLUMN:
	case ATH_OP_OUTER:
		put_column(sql, scope, expression);
		break;
	case ATH_OP_VALUE:
		put_value(sql, scope, expression, NULL);
		break;
	case ATH_OP_EACH_ROW:
		put(sql, "*");
		break;
	case ATH_OP_WORD:
		put(sql, "'");
		put(sql, expression->on.as.function);
		put(sql, "'");
		break;
	case ATH_OP_FUNCTION:
		return put_function(sql, scope, node);
	case ATH_OP_CAST:
		return put_cast(sql, scope, node);
	case ATH_OP_NOT:
		return put_around(sql, scope, node, "NOT (", ")");
	case ATH_OP_DISTINCT:
		return put_around(sql, scope, node, "DISTINCT ", "");
	case ATH_OP_IN_QUERY:
	case ATH_OP_EXISTS:
		put_subquery(sql, scope, expression);
		break;
	case ATH_OP_OF:
		inside.join = expression->on.as.join;
		return put_kids(sql, &inside, node, "");
	case ATH_OP_AND:
	case ATH_OP_OR:
		return put_group(sql, scope, node);
	default:
		if (expression->model == NULL)
			return put_binary(sql, scope, node);
		put_comparison(sql, scope, expression);
	}
	return node + 1;
}

/* The expressions of a clause, each behind what separates it from the one before. */
static bool put_clause(struct ath_sql *sql, const struct ath_scope *scope, enum ath_clause clause,
		       const char *first, const char *between)
{
	const struct ath_query *query = scope->query;
	bool any = false;

	for (size_t at = 0; at < query->node_count; at += query->nodes[at].span) {
		const struct ath_node *node = &query->nodes[at];

		if (node->clause != clause)
			continue;
		put(sql, any ? between : first);
		put_node(sql, scope, node);
		if (clause == ATH_CLAUSE_ORDER_BY && node->descending)
			put(sql, " DESC");
		any = true;
	}
	return any;
}

void ath_sql_put_expression(struct ath_sql *sql, const struct ath_query *query,
			    const struct ath_expression *expression)
{
	struct ath_query alone = ath_query_of(query->model);
	struct ath_scope scope = { .query = &alone };

	ath_select(&alone, *expression);
	scope.qualified = alone.nested;
	if (alone.nested)
		ath_error_set(&sql->error, ATH_EINVAL, "a subquery has no place in an assignment");
	else if (!ath_sql_take_mistake(sql, &alone))
		put_clause(sql, &scope, ATH_CLAUSE_SELECT, "", "");
}

/* ---- what comes after a row ---------------------------------------------------------------- */

/* One column of the order, and which way it goes. */
struct step {
	const struct ath_member *column;
	bool descending;
};

enum { MAX_STEPS = 12 };

/* The order, with the primary key behind it. 0: it is none that a row stands in. */
static size_t steps_of(struct ath_sql *sql, const struct ath_query *query, struct step *steps)
{
	const struct ath_member *keys[ATH_MAX_KEYS];
	size_t count = 0, key_count = ath_model_keys(query->model, keys);

	for (size_t at = 0; at < query->node_count; at += query->nodes[at].span) {
		const struct ath_node *node = &query->nodes[at];

		if (node->clause != ATH_CLAUSE_ORDER_BY)
			continue;
		if (node->expression.op != ATH_OP_COLUMN ||
		    node->expression.model != query->model || count == MAX_STEPS - ATH_MAX_KEYS) {
			ath_error_set(&sql->error, ATH_EINVAL,
				      "ath_after() needs an order by columns of %s",
				      query->model->name);
			return 0;
		}
		steps[count++] =
			(struct step){ ath_model_column(query->model, node->expression.offset),
				       node->descending };
	}
	if (key_count == 0) { /* rows that tie could not be told apart */
		ath_error_set(&sql->error, ATH_EINVAL,
			      "ath_after() needs a primary key, and %s has none",
			      query->model->name);
		return 0;
	}
	for (size_t i = 0; i < key_count; i++)
		steps[count++] = (struct step){ keys[i], false };
	return count;
}

/* column behind the row's value: NULL is the last, and going down the first. */
static void put_step(struct ath_sql *sql, const struct ath_scope *scope, const struct step *step,
		     const struct ath_value *value)
{
	if (value->null) {
		if (step->descending) {
			put_column_of(sql, scope, scope->first, step->column);
			put(sql, " IS NOT NULL");
		} else {
			put(sql, "false");
		}
		return;
	}
	put_column_of(sql, scope, scope->first, step->column);
	put(sql, step->descending ? " < " : " > ");
	ath_sql_put_column_param(sql, step->column, *value);
	if (!step->descending && ath_column_is_nullable(step->column)) {
		put(sql, " OR ");
		put_column_of(sql, scope, scope->first, step->column);
		put(sql, " IS NULL");
	}
}

static void put_same(struct ath_sql *sql, const struct ath_scope *scope, const struct step *step,
		     const struct ath_value *value)
{
	put_column_of(sql, scope, scope->first, step->column);
	if (value->null) {
		put(sql, " IS NULL");
		return;
	}
	put(sql, " = ");
	ath_sql_put_column_param(sql, step->column, *value);
}

/* (a > 1) OR (a = 1 AND (b > 2 OR (b = 2 AND (c > 3)))) */
static void put_after(struct ath_sql *sql, const struct ath_scope *scope, const char *before)
{
	const struct ath_query *query = scope->query;
	struct step steps[MAX_STEPS];
	size_t count = steps_of(sql, query, steps);

	if (count > 0)
		put(sql, before);
	for (size_t i = 0; i < count; i++) {
		struct ath_value value = ath_member_get(steps[i].column, query->after);

		put(sql, "(");
		put_step(sql, scope, &steps[i], &value);
		if (i + 1 < count) {
			put(sql, " OR (");
			put_same(sql, scope, &steps[i], &value);
			put(sql, " AND ");
		}
	}
	for (size_t i = 0; i < count; i++)
		put(sql, i == 0 ? ")" : "))");
}

/* ---- clauses -------------------------------------------------------------------------------- */

void ath_sql_put_where(struct ath_sql *sql, const struct ath_scope *scope)
{
	bool any = put_clause(sql, scope, ATH_CLAUSE_WHERE, " WHERE ", " AND ");

	if (scope->query->after != NULL)
		put_after(sql, scope, any ? " AND " : " WHERE ");
}

/* "table" AS "t1" ON "t1"."key" = "t0"."id", by way of a table between where there is one. */
static void put_join(struct ath_sql *sql, const struct ath_scope *scope,
		     const struct ath_join *join, int number)
{
	const struct ath_member *relation = join->relation;
	const struct ath_model *from =
		join->from == 0 ? scope->query->model
				: scope->query->joins[join->from - 1].relation->target;
	const char *kind = join->left ? " LEFT JOIN " : " JOIN ";
	const struct ath_member *near = ath_model_key(from), *far = ath_model_key(relation->target);
	int near_number = scope->first + join->from;

	if (relation->kind == ATH_MEMBER_MANY_TO_MANY) {
		int between = sql->tables++;

		put(sql, kind);
		ath_sql_put_table(sql, relation->through->table);
		put(sql, " AS ");
		put_table_number(sql, between);
		put(sql, " ON ");
		put_column_of(sql, scope, between,
			      ath_model_column(relation->through, relation->near_offset));
		put(sql, " = ");
		put_column_of(sql, scope, near_number, near);
		near = ath_model_column(relation->through, relation->far_offset);
		near_number = between;
	} else if (relation->kind == ATH_MEMBER_BELONGS_TO) {
		near = ath_model_column(from, relation->key_offset);
	} else {
		far = ath_model_column(relation->target, relation->key_offset);
	}
	put(sql, kind);
	ath_sql_put_table(sql, relation->target->table);
	put(sql, " AS ");
	put_table_number(sql, number);
	put(sql, " ON ");
	put_column_of(sql, scope, number, far);
	put(sql, " = ");
	put_column_of(sql, scope, near_number, near);
}

static void put_from(struct ath_sql *sql, const struct ath_scope *scope)
{
	const struct ath_query *query = scope->query;

	put(sql, " FROM ");
	ath_sql_put_table(sql, query->model->table);
	if (scope->qualified) {
		put(sql, " AS ");
		put_table_number(sql, scope->first);
	}
	for (size_t i = 0; i < query->join_count; i++)
		put_join(sql, scope, &query->joins[i], scope->first + 1 + (int)i);
}

/* The columns of the model, or what the query selects in their stead. */
static void put_model_columns(struct ath_sql *sql, const struct ath_scope *scope)
{
	const struct ath_model *model = scope->query->model;
	const char *comma = "";

	for (size_t i = 0; i < model->member_count; i++) {
		if (model->members[i].kind != ATH_MEMBER_COLUMN)
			continue;
		put(sql, comma);
		put_column_of(sql, scope, scope->first, &model->members[i]);
		comma = ", ";
	}
}

static const struct ath_member *next_column(const struct ath_model *model, size_t *at)
{
	while (*at < model->member_count && model->members[*at].kind != ATH_MEMBER_COLUMN)
		++*at;
	return *at < model->member_count ? &model->members[(*at)++] : NULL;
}

/* What is computed takes the type of the member it goes to: a sum of integers is a numeric. */
static void put_selected(struct ath_sql *sql, const struct ath_scope *scope)
{
	const struct ath_query *query = scope->query;
	const char *comma = "";
	size_t column_at = 0;

	for (size_t at = 0; at < query->node_count; at += query->nodes[at].span) {
		const struct ath_node *node = &query->nodes[at];
		const struct ath_member *column = NULL;
		bool cast;

		if (node->clause != ATH_CLAUSE_SELECT)
			continue;
		if (sql->result != NULL && scope->outer == NULL)
			column = next_column(sql->result, &column_at);
		cast = column != NULL && node->expression.op != ATH_OP_COLUMN;
		put(sql, comma);
		put(sql, cast ? "CAST(" : "");
		put_node(sql, scope, node);
		if (cast) {
			put(sql, " AS ");
			put(sql, ath_sql_type(column->type));
			put(sql, ")");
		}
		comma = ", ";
	}
}

static void put_order(struct ath_sql *sql, const struct ath_scope *scope)
{
	const struct ath_query *query = scope->query;
	struct step steps[MAX_STEPS];
	size_t count;

	if (!query->paged) {
		put_clause(sql, scope, ATH_CLAUSE_ORDER_BY, " ORDER BY ", ", ");
		return;
	}
	count = steps_of(sql, query, steps);
	for (size_t i = 0; i < count; i++) {
		put(sql, i == 0 ? " ORDER BY " : ", ");
		put_column_of(sql, scope, scope->first, steps[i].column);
		put(sql, steps[i].descending ? " DESC" : "");
	}
}

static void put_bounds(struct ath_sql *sql, const struct ath_query *query, int64_t limit)
{
	if (limit >= 0) {
		put(sql, " LIMIT ");
		ath_sql_put_param(sql, ath_value_int64(limit));
	}
	if (query->offset >= 0) {
		put(sql, " OFFSET ");
		ath_sql_put_param(sql, ath_value_int64(query->offset));
	}
}

static void put_lock(struct ath_sql *sql, const struct ath_scope *scope)
{
	if (scope->query->lock == ATH_NO_LOCK)
		return;
	put(sql, " FOR UPDATE");
	if (scope->qualified) { /* the rows that are read, not those they were joined with */
		put(sql, " OF ");
		put_table_number(sql, scope->first);
	}
	if (scope->query->lock == ATH_SKIP_LOCKED)
		put(sql, " SKIP LOCKED");
	else if (scope->query->lock == ATH_NOWAIT)
		put(sql, " NOWAIT");
}

static bool has_clause(const struct ath_query *query, enum ath_clause clause)
{
	for (size_t at = 0; at < query->node_count; at += query->nodes[at].span)
		if (query->nodes[at].clause == clause)
			return true;
	return false;
}

static struct ath_scope open_scope(struct ath_sql *sql, const struct ath_query *query,
				   const struct ath_scope *outer)
{
	struct ath_scope scope = { .query = query,
				   .outer = outer,
				   .first = sql->tables,
				   .qualified = query->nested || outer != NULL,
				   .groups = query->distinct ||
					     has_clause(query, ATH_CLAUSE_GROUP_BY) };

	sql->tables += 1 + (int)query->join_count;
	return scope;
}

/* From WHERE to HAVING. */
static void put_conditions(struct ath_sql *sql, const struct ath_scope *scope)
{
	ath_sql_put_where(sql, scope);
	put_clause(sql, scope, ATH_CLAUSE_GROUP_BY, " GROUP BY ", ", ");
	put_clause(sql, scope, ATH_CLAUSE_HAVING, " HAVING ", " AND ");
}

static void put_body(struct ath_sql *sql, const struct ath_scope *scope)
{
	put_from(sql, scope);
	put_conditions(sql, scope);
}

/* Is the beginning the usual one? */
static bool begins_as_usual(const struct ath_sql *sql, const struct ath_scope *scope)
{
	return sql->facts != NULL && sql->facts->model == scope->query->model &&
	       !scope->qualified && !scope->query->distinct && scope->query->select_count == 0;
}

static void put_select(struct ath_sql *sql, const struct ath_scope *scope, int64_t limit)
{
	if (begins_as_usual(sql, scope)) {
		ath_buffer_append(&sql->text, sql->facts->select.data, sql->facts->select.length);
	} else {
		put(sql, scope->query->distinct ? "SELECT DISTINCT " : "SELECT ");
		if (scope->query->select_count > 0)
			put_selected(sql, scope);
		else
			put_model_columns(sql, scope);
		put_from(sql, scope);
	}
	put_conditions(sql, scope);
	put_order(sql, scope);
	put_bounds(sql, scope->query, limit);
	put_lock(sql, scope);
}

static void put_query(struct ath_sql *sql, const struct ath_query *query,
		      const struct ath_scope *outer)
{
	struct ath_scope scope = open_scope(sql, query, outer);

	if (!ath_sql_take_mistake(sql, query)) /* one made after it was taken in */
		put_select(sql, &scope, query->limit);
}

/* ---- statements --------------------------------------------------------------------------- */

bool ath_sql_take_mistake(struct ath_sql *sql, const struct ath_query *query)
{
	if (query->status != ATH_OK)
		ath_error_set(&sql->error, query->status, "%s", query->mistake);
	return query->status != ATH_OK;
}

void ath_sql_select(struct ath_sql *sql, const struct ath_query *query)
{
	struct ath_scope scope;
	int64_t limit = query->limit;

	if (ath_sql_take_mistake(sql, query))
		return;
	scope = open_scope(sql, query, NULL);
	if (sql->most > 0 && (limit < 0 || limit > sql->most))
		limit = sql->most;
	put_select(sql, &scope, limit);
}

void ath_sql_count(struct ath_sql *sql, const struct ath_query *query)
{
	struct ath_scope scope;
	bool wrapped = query->distinct || query->select_count > 0 ||
		       has_clause(query, ATH_CLAUSE_GROUP_BY) ||
		       has_clause(query, ATH_CLAUSE_HAVING);

	if (ath_sql_take_mistake(sql, query))
		return;
	scope = open_scope(sql, query, NULL);
	put(sql, "SELECT count(*)");
	if (wrapped) {
		put(sql, query->distinct ? " FROM (SELECT DISTINCT " : " FROM (SELECT ");
		if (query->select_count > 0)
			put_selected(sql, &scope);
		else if (query->distinct)
			put_model_columns(sql, &scope);
		else
			put(sql, "1");
	}
	put_body(sql, &scope);
	if (wrapped)
		put(sql, ") AS counted");
}

void ath_sql_select_far(struct ath_sql *sql, const struct ath_member *relation,
			struct ath_value keys)
{
	struct ath_query query = ath_query_of(relation->target);
	struct ath_scope scope = { .query = &query, .qualified = true };
	const struct ath_member *near = ath_model_column(relation->through, relation->near_offset);

	put(sql, "SELECT ");
	put_model_columns(sql, &scope);
	put(sql, ", ");
	put_column_of(sql, &scope, 1, near);
	put_from(sql, &scope);
	put(sql, " JOIN ");
	ath_sql_put_table(sql, relation->through->table);
	put(sql, " AS \"t1\" ON ");
	put_column_of(sql, &scope, 1, ath_model_column(relation->through, relation->far_offset));
	put(sql, " = ");
	put_column_of(sql, &scope, 0, ath_model_key(relation->target));
	put(sql, " WHERE ");
	put_column_of(sql, &scope, 1, near);
	put(sql, " = ANY (");
	ath_sql_put_param(sql, keys);
	put(sql, ") ORDER BY ");
	put_column_of(sql, &scope, 1, near);
	put(sql, ", ");
	put_column_of(sql, &scope, 0, ath_model_key(relation->target));
	put_bounds(sql, &query, sql->most);
}
