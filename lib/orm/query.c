/* query.c - building a query: conditions are copied in, nothing is allocated. */
#include "orm/internal.h"

struct ath_query ath_query_of(const struct ath_model *model)
{
	struct ath_query query;

	/* the arrays stay as they are: only what the counts cover is ever read */
	query.model = model;
	query.condition_count = query.order_count = 0;
	query.limit = query.offset = -1;
	query.lock = ATH_NO_LOCK;
	query.all = false;
	query.status = ATH_OK;
	query.mistake = "";
	return query;
}

static void mistake(struct ath_query *query, enum ath_status status, const char *text)
{
	if (query->status != ATH_OK)
		return;
	query->status = status;
	query->mistake = text;
}

/* Is the one value it compares with of use? NULL has its own operators. */
static void check_leaf(struct ath_query *query, const struct ath_condition *condition)
{
	if (condition->model != query->model)
		mistake(query, ATH_EINVAL, "a condition names a column of another model");
	else if (ath_model_column(condition->model, condition->offset) == NULL)
		mistake(query, ATH_EINVAL, "a condition names a member that is no column");
	else if (condition->value.null && condition->op > ATH_OP_NE &&
		 condition->op != ATH_OP_IS_NULL)
		mistake(query, ATH_EINVAL, "nothing is less, greater or like NULL: ATH_IS_NULL");
}

/* Prefix order: so no compound literal has to outlive its block. */
static void copy(struct ath_query *query, const struct ath_condition *condition, int depth)
{
	struct ath_condition *kept;

	if (condition->op == ATH_OP_ALL) {
		query->all = true; /* it adds nothing to what else has to hold */
		if (depth > 0)
			mistake(query, ATH_EINVAL, "ATH_ALL stands alone, not in a group");
		return;
	}
	if (query->condition_count == ATH_QUERY_CONDITIONS || depth == ATH_QUERY_DEPTH) {
		mistake(query, ATH_ETOOBIG, "more conditions than a query holds");
		return;
	}
	kept = &query->conditions[query->condition_count++];
	*kept = *condition;
	kept->kids = NULL;
	if (condition->op < ATH_OP_AND)
		check_leaf(query, condition);
	for (size_t i = 0; i < condition->kid_count; i++)
		copy(query, &condition->kids[i], depth + 1);
}

void ath_where(struct ath_query *query, struct ath_condition condition)
{
	if (query->status == ATH_OK)
		copy(query, &condition, 0);
}

void ath_order_by(struct ath_query *query, struct ath_order order)
{
	if (order.model != query->model || ath_model_column(order.model, order.offset) == NULL)
		mistake(query, ATH_EINVAL, "an order names a column of another model");
	else if (query->order_count == ATH_QUERY_ORDERS)
		mistake(query, ATH_ETOOBIG, "more orders than a query holds");
	if (query->status == ATH_OK)
		query->orders[query->order_count++] = order;
}

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

void ath_lock(struct ath_query *query, enum ath_lock lock)
{
	query->lock = lock;
}
