/* query.c - building a query: expressions are copied in, nothing is allocated. */
#include "orm/internal.h"

/* A query stands on a fiber's stack, whose guard is one page. */
_Static_assert(sizeof(struct ath_query) <= 4096, "a query must not reach over a page");

struct ath_query ath_query_of(const struct ath_model *model)
{
	struct ath_query query;

	/* the arrays stay as they are: only what the counts cover is ever read */
	query.model = model;
	query.node_count = query.join_count = query.condition_count = query.select_count = 0;
	query.limit = query.offset = -1;
	query.after = NULL;
	query.lock = ATH_NO_LOCK;
	query.all = query.distinct = query.nested = query.paged = false;
	query.status = ATH_OK;
	query.mistake = "";
	if (model->table == NULL) {
		query.status = ATH_EINVAL;
		query.mistake = "a query is over a table or a view";
	}
	return query;
}

static void mistake(struct ath_query *query, enum ath_status status, const char *text)
{
	if (query->status != ATH_OK)
		return;
	query->status = status;
	query->mistake = text;
}

/* ---- checks -------------------------------------------------------------------------------- */

static bool has_model(const struct ath_query *query, const struct ath_model *model)
{
	if (query->model == model)
		return true;
	for (size_t i = 0; i < query->join_count; i++)
		if (query->joins[i].relation->target == model)
			return true;
	return false;
}

/* Is the one value it compares with of use? NULL has its own operators. */
static void check_column(struct ath_query *query, const struct ath_expression *leaf)
{
	if (ath_model_column(leaf->model, leaf->offset) == NULL)
		mistake(query, ATH_EINVAL, "a condition names a member that is no column");
	else if (leaf->op != ATH_OP_OUTER && !has_model(query, leaf->model))
		mistake(query, ATH_EINVAL,
			"a condition names a column of another model: join it first, or in a "
			"subquery say ATH_OUTER");
	else if (leaf->op != ATH_OP_COLUMN && leaf->op != ATH_OP_OUTER &&
		 leaf->op != ATH_OP_IN_QUERY && leaf->value.null && leaf->op > ATH_OP_NE &&
		 leaf->op != ATH_OP_IS_NULL)
		mistake(query, ATH_EINVAL, "nothing is less, greater or like NULL: ATH_IS_NULL");
}

static void check_subquery(struct ath_query *query, const struct ath_expression *expression)
{
	const struct ath_query *inner = expression->on.as.query;

	query->nested = true;
	if (inner->status != ATH_OK)
		mistake(query, inner->status, inner->mistake);
	else if (expression->op == ATH_OP_IN_QUERY && inner->select_count != 1)
		mistake(query, ATH_EINVAL, "a query for ATH_IN_QUERY selects one expression");
	else if (inner->lock != ATH_NO_LOCK)
		mistake(query, ATH_EINVAL, "a subquery locks no rows");
}

/* Two sides, one of which is NULL, would just never be true. */
static void check_sides(struct ath_query *query, const struct ath_expression *group)
{
	for (unsigned i = 0; i < group->kid_count; i++) {
		if (group->on.kids[i].op != ATH_OP_VALUE || !group->on.kids[i].value.null)
			continue;
		if (group->op <= ATH_OP_NE)
			mistake(query, ATH_EINVAL,
				"nothing equals NULL in ATH_EXPR: ATH_IS_NULL, or "
				"NOT_DISTINCT_FROM");
		else
			mistake(query, ATH_EINVAL,
				"nothing is less, greater or like NULL: ATH_IS_NULL");
	}
}

static void check(struct ath_query *query, const struct ath_expression *expression)
{
	if (expression->model == NULL && expression->op >= ATH_OP_EQ &&
	    expression->op <= ATH_OP_IMATCHES)
		check_sides(query, expression);
	if (expression->op == ATH_OP_IN_QUERY || expression->op == ATH_OP_EXISTS)
		check_subquery(query, expression);
	if (expression->model != NULL)
		check_column(query, expression);
	if (expression->op == ATH_OP_OF &&
	    (expression->on.as.join < 1 || (size_t)expression->on.as.join > query->join_count))
		mistake(query, ATH_EINVAL, "ATH_OF takes the number that a join has given");
}

/* ---- taking in ---------------------------------------------------------------------------- */

/* Prefix order: so no compound literal has to outlive its block. */
static void copy(struct ath_query *query, const struct ath_expression *expression, int depth)
{
	size_t place = query->node_count;
	struct ath_node *node;

	if (expression->op == ATH_OP_ALL) {
		mistake(query, ATH_EINVAL, "ATH_ALL stands alone, not in a group");
		return;
	}
	if (place == ATH_QUERY_NODES || depth == ATH_QUERY_DEPTH) {
		mistake(query, ATH_ETOOBIG, "more conditions than a query holds");
		return;
	}
	query->node_count++;
	node = &query->nodes[place];
	node->expression = *expression;
	if (expression->kid_count > 0)
		node->expression.on.kids =
			NULL; /* they follow; where there are none a value may be */
	check(query, expression);
	for (size_t i = 0; i < expression->kid_count && query->status == ATH_OK; i++)
		copy(query, &expression->on.kids[i], depth + 1);
	node->span = (uint16_t)(query->node_count - place);
}

static void take(struct ath_query *query, const struct ath_expression *expression,
		 enum ath_clause clause, bool descending)
{
	struct ath_node *node = &query->nodes[query->node_count];

	if (query->status != ATH_OK)
		return;
	copy(query, expression, 0);
	if (query->status != ATH_OK)
		return;
	node->clause = (uint8_t)clause;
	node->descending = descending;
}

void ath_where(struct ath_query *query, struct ath_expression condition)
{
	if (condition.op == ATH_OP_ALL) {
		query->all = true; /* it adds nothing to what else has to hold */
		return;
	}
	take(query, &condition, ATH_CLAUSE_WHERE, false);
	query->condition_count++;
}

void ath_order_by(struct ath_query *query, struct ath_order order)
{
	take(query, &order.expression, ATH_CLAUSE_ORDER_BY, order.descending);
}

void ath_select(struct ath_query *query, struct ath_expression expression)
{
	take(query, &expression, ATH_CLAUSE_SELECT, false);
	query->select_count++;
}

void ath_group_by(struct ath_query *query, struct ath_expression expression)
{
	take(query, &expression, ATH_CLAUSE_GROUP_BY, false);
}

void ath_having(struct ath_query *query, struct ath_expression condition)
{
	take(query, &condition, ATH_CLAUSE_HAVING, false);
}

/* ---- the rest of it ----------------------------------------------------------------------- */

static void set_bound(struct ath_query *query, int64_t *bound, int64_t value)
{
	if (value < 0)
		mistake(query, ATH_EINVAL, "a limit or offset is below zero");
	*bound = value;
}

void ath_limit(struct ath_query *query, int64_t limit)
{
	set_bound(query, &query->limit, limit);
}

void ath_offset(struct ath_query *query, int64_t offset)
{
	set_bound(query, &query->offset, offset);
}

void ath_after(struct ath_query *query, const void *row)
{
	query->after = row;
	query->paged = true;
}

void ath_lock(struct ath_query *query, enum ath_lock lock)
{
	query->lock = lock;
}

void ath_distinct(struct ath_query *query)
{
	query->distinct = true;
}

int ath_query_join(struct ath_query *query, const struct ath_model *model, size_t offset, int from,
		   bool left)
{
	const struct ath_member *relation = ath_model_relation(model, offset);
	const struct ath_model *start = query->model;

	if (from > 0 && (size_t)from <= query->join_count)
		start = query->joins[from - 1].relation->target;
	query->nested = true;
	if (relation == NULL)
		mistake(query, ATH_EINVAL, "a join goes along a relation");
	else if (start != model || from < 0 || (size_t)from > query->join_count)
		mistake(query, ATH_EINVAL, "a join starts from a model that the query has");
	else if (query->join_count == ATH_QUERY_JOINS)
		mistake(query, ATH_ETOOBIG, "more joins than a query holds");
	if (query->status != ATH_OK)
		return 0;
	query->joins[query->join_count++] =
		(struct ath_join){ .relation = relation, .from = from, .left = left };
	return (int)query->join_count;
}
