/*
 * order.c - what a flush has to know of how rows depend on one another: the rows that relations
 * lead to, whose key goes into which column, and who comes first.
 */
#include "orm/internal.h"

/* ---- links -------------------------------------------------------------------------------- */

/* The row of an object that a relation leads to; one that is not known is added. */
static struct ath_row *row_of(struct ath_session *session, const struct ath_model *model,
			      void *object)
{
	struct ath_row *row = ath_rows_of(&session->rows, model, object);

	if (row != NULL)
		return row;
	ath_session_add(session, model, object);
	return ath_session_ok(session) ? ath_rows_of(&session->rows, model, object) : NULL;
}

/* The column of row gets parent's key: at once when it is stored, else when it will be. */
static bool link_rows(struct ath_session *session, struct ath_link **links, struct ath_row *row,
		      size_t column_offset, struct ath_row *parent)
{
	struct ath_link *link;
	const struct ath_member *column, *key;

	if (row == NULL || parent == NULL)
		return ath_session_ok(session);
	column = ath_model_column(row->model, column_offset);
	key = ath_model_key(parent->model);
	if (parent->state != ATH_ROW_NEW) {
		ath_member_copy(column, row->object, key, parent->object);
		return true;
	}
	link = ath_new(session->arena, struct ath_link, 1);
	if (link == NULL)
		return ath_session_no_memory(session);
	*link = (struct ath_link){
		.row = row, .parent = parent, .column = column, .key = key, .next = *links
	};
	*links = link;
	return true;
}

/* ---- by way of a table between ------------------------------------------------------------ */

static bool is_listed(const struct ath_any_list *list, const void *object)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == object)
			return true;
	return false;
}

/* Are the keys to both sides the primary key of the table between? */
static bool is_key_of_both(const struct ath_member *relation)
{
	const struct ath_model *through = relation->through;
	const struct ath_member *keys[ATH_MAX_KEYS];

	return ath_model_keys(through, keys) == 2 &&
	       ath_model_column(through, relation->near_offset)->primary_key &&
	       ath_model_column(through, relation->far_offset)->primary_key;
}

/* The known row between two rows that are stored, or NULL. */
static struct ath_row *find_between(struct ath_session *session, const struct ath_model *through,
				    const void *between, enum ath_row_state state)
{
	struct ath_value keys[ATH_MAX_KEYS];

	(void)ath_row_keys(through, between, keys);
	return ath_rows_find(&session->rows, through, keys, state);
}

/* Has the other side a list by way of the same table that gained this row, and goes first? */
static bool is_said_by_other(struct ath_session *session, const struct ath_member *relation,
			     const struct ath_row *row, const void *object)
{
	const struct ath_model *target = relation->target;

	for (size_t i = 0; i < target->member_count; i++) {
		const struct ath_member *other = &target->members[i];
		struct ath_any_list now, before = { 0 };
		const struct ath_row *far;

		if (other->kind != ATH_MEMBER_MANY_TO_MANY || other->through != relation->through ||
		    other->near_offset != relation->far_offset ||
		    other->far_offset != relation->near_offset ||
		    (uintptr_t)other > (uintptr_t)relation)
			continue;
		far = ath_rows_of(&session->rows, target, object);
		now = ath_relation_rows(other, object);
		if (far != NULL && far->state != ATH_ROW_NEW)
			before = ath_relation_rows(other, far->old);
		if (is_listed(&now, row->object) && !is_listed(&before, row->object))
			return true;
	}
	return false;
}

static bool add_between(struct ath_session *session, struct ath_link **links,
			const struct ath_member *relation, struct ath_row *row, void *object)
{
	void *between;
	struct ath_row *far = row_of(session, relation->target, object), *middle;

	if (far == NULL)
		return false;
	if (is_said_by_other(session, relation, row, object))
		return true;
	between = ath_session_new(session, relation->through);
	middle = row_of(session, relation->through, between);
	return link_rows(session, links, middle, relation->near_offset, row) &&
	       link_rows(session, links, middle, relation->far_offset, far);
}

/* Possible where the two keys are the primary key of the table between. */
static bool remove_between(struct ath_session *session, const struct ath_member *relation,
			   struct ath_row *row, void *object)
{
	const struct ath_model *through = relation->through;
	struct ath_row *middle, *known;
	void *between, *old;

	if (!is_key_of_both(relation)) {
		ath_session_fail(session, ATH_EINVAL,
				 "%s has another primary key than its two sides: delete its rows "
				 "by themselves",
				 through->name);
		return false;
	}
	between = ath_arena_zalloc(session->arena, 1, through->size);
	old = ath_arena_alloc(session->arena, through->size);
	if (between == NULL || old == NULL)
		return ath_session_no_memory(session);
	ath_member_copy(ath_model_column(through, relation->near_offset), between,
			ath_model_key(row->model), row->object);
	ath_member_copy(ath_model_column(through, relation->far_offset), between,
			ath_model_key(relation->target), object);
	if (find_between(session, through, between, ATH_ROW_DELETED) != NULL)
		return true; /* the other side has said so already */
	known = find_between(session, through, between, ATH_ROW_STORED);
	if (known != NULL) {
		known->state = ATH_ROW_DELETED;
		return true;
	}
	memcpy(old, between, through->size);
	middle = ath_new_row(session, through, between);
	if (middle == NULL)
		return false;
	middle->old = old;
	middle->state = ATH_ROW_STORED;
	if (!ath_rows_add(&session->rows, middle))
		return ath_session_no_memory(session);
	middle->state = ATH_ROW_DELETED;
	return true;
}

static bool link_between(struct ath_session *session, struct ath_link **links,
			 const struct ath_member *relation, struct ath_row *row)
{
	struct ath_any_list now = ath_relation_rows(relation, row->object), before = { 0 };

	if (row->state == ATH_ROW_STORED)
		before = ath_relation_rows(relation, row->old);
	for (size_t i = 0; i < now.count; i++)
		if (!is_listed(&before, now.items[i]) &&
		    !add_between(session, links, relation, row, now.items[i]))
			return false;
	for (size_t i = 0; i < before.count; i++)
		if (!is_listed(&now, before.items[i]) &&
		    !remove_between(session, relation, row, before.items[i]))
			return false;
	return true;
}

/* ---- the relations of a row --------------------------------------------------------------- */

static bool link_relation(struct ath_session *session, struct ath_link **links,
			  const struct ath_member *relation, struct ath_row *row)
{
	struct ath_any_list rows = ath_relation_rows(relation, row->object);

	if (relation->kind == ATH_MEMBER_MANY_TO_MANY)
		return link_between(session, links, relation, row);
	for (size_t i = 0; i < rows.count; i++) {
		struct ath_row *other = row_of(session, relation->target, rows.items[i]);
		bool good = relation->kind == ATH_MEMBER_BELONGS_TO
				    ? link_rows(session, links, row, relation->key_offset, other)
				    : link_rows(session, links, other, relation->key_offset, row);

		if (!good)
			return false;
	}
	return true;
}

/* Not loaded, or still what was loaded: it says nothing. */
static bool says_something(const struct ath_member *relation, const struct ath_row *row)
{
	if (ath_relation_rows(relation, row->object).items == NULL)
		return false;
	return row->state == ATH_ROW_NEW ||
	       memcmp((const char *)row->object + relation->offset,
		      (const char *)row->old + relation->offset, relation->size) != 0;
}

/* Rows that are added meanwhile stand behind, and get their turn. */
bool ath_order_links(struct ath_session *session, struct ath_link **links)
{
	*links = NULL;
	for (struct ath_row *row = session->rows.first; row != NULL; row = row->next) {
		if (!row->facts->has_relations)
			continue;
		if (row->state != ATH_ROW_NEW &&
		    (row->state != ATH_ROW_STORED ||
		     memcmp(row->object, row->old, row->model->size) == 0))
			continue;
		for (size_t i = 0; i < row->model->member_count; i++) {
			const struct ath_member *member = &row->model->members[i];

			if (ath_member_is_relation(member) && says_something(member, row) &&
			    !link_relation(session, links, member, row))
				return false;
		}
	}
	return true;
}

/* ---- who refers to whom ------------------------------------------------------------------- */

/* One row has to wait for another. */
struct edge {
	uint32_t waiting;
	struct edge *next; /* of those that wait for the same */
};

struct graph {
	struct ath_session *session;
	struct ath_row **rows;
	size_t count;
	bool deletes;
	struct edge **waiting; /* per row: who waits for it */
	uint32_t *blocked;     /* per row: for how many it waits */
	uint32_t *table;       /* rows by primary key, as number + 1 */
	size_t table_size;
};

static bool wait_for(struct graph *graph, const struct ath_row *row, const struct ath_row *other)
{
	/* rows to be deleted go before those they refer to */
	uint32_t waiting = (graph->deletes ? other : row)->mark - 1;
	uint32_t first = (graph->deletes ? row : other)->mark - 1;
	struct edge *edge;

	if (row == other)
		return true;
	edge = ath_new(graph->session->arena, struct edge, 1);
	if (edge == NULL)
		return ath_session_no_memory(graph->session);
	*edge = (struct edge){ .waiting = waiting, .next = graph->waiting[first] };
	graph->waiting[first] = edge;
	graph->blocked[waiting]++;
	return true;
}

static const void *held(const struct graph *graph, const struct ath_row *row)
{
	return graph->deletes ? row->old : row->object;
}

/* The new row among these that has the primary key, or NULL. */
static struct ath_row *find_new(const struct graph *graph, const struct ath_model *model,
				const struct ath_value *keys, size_t count)
{
	struct ath_value own[ATH_MAX_KEYS];
	size_t at = ath_keys_hash(model, keys, count) & (graph->table_size - 1);

	for (; graph->table[at] != 0; at = (at + 1) & (graph->table_size - 1)) {
		struct ath_row *row = graph->rows[graph->table[at] - 1];

		if (row->model != model)
			continue;
		ath_row_keys(model, row->object, own);
		if (ath_keys_equal(own, keys, count))
			return row;
	}
	return NULL;
}

/* Is its primary key known before it is stored? Zero may be a part of it. */
static bool has_keys(const struct ath_row *row)
{
	const struct ath_member *keys[ATH_MAX_KEYS];
	size_t count = ath_model_keys(row->model, keys);

	for (size_t i = 0; i < count; i++)
		if (ath_member_get(keys[i], row->object).null ||
		    ath_sql_insert_returns(row->model, keys[i], row->object))
			return false;
	return true;
}

static bool fill_table(struct graph *graph)
{
	struct ath_value keys[ATH_MAX_KEYS];

	graph->table_size = 16;
	while (graph->table_size < 2 * graph->count)
		graph->table_size *= 2;
	graph->table = ath_new(graph->session->arena, uint32_t, graph->table_size);
	if (graph->table == NULL)
		return ath_session_no_memory(graph->session);
	for (size_t i = 0; i < graph->count; i++) {
		const struct ath_row *row = graph->rows[i];
		size_t count, at;

		if (!has_keys(row))
			continue;
		count = ath_row_keys(row->model, row->object, keys);
		at = ath_keys_hash(row->model, keys, count) & (graph->table_size - 1);
		while (graph->table[at] != 0)
			at = (at + 1) & (graph->table_size - 1);
		graph->table[at] = (uint32_t)i + 1;
	}
	return true;
}

static bool follow_reference(struct graph *graph, struct ath_row *row,
			     const struct ath_reference *reference)
{
	struct ath_value keys[ATH_MAX_KEYS];
	struct ath_row *other;

	for (size_t i = 0; i < reference->count; i++) {
		keys[i] = ath_member_get(reference->columns[i], held(graph, row));
		if (keys[i].null)
			return true;
	}
	other = graph->deletes ? ath_rows_find(&graph->session->rows, reference->target, keys,
					       ATH_ROW_DELETED)
			       : find_new(graph, reference->target, keys, reference->count);
	return other == NULL || other->mark == 0 || wait_for(graph, row, other);
}

static bool has_model(const struct graph *graph, const struct ath_model *model)
{
	const struct ath_model *last = NULL;

	for (size_t i = 0; i < graph->count; i++) {
		if (graph->rows[i]->model == model)
			return true;
		if (graph->rows[i]->model == last)
			continue;
		last = graph->rows[i]->model;
	}
	return false;
}

/* Does any row refer to rows of a model that is among them? Mostly none does. */
static bool is_connected(const struct graph *graph)
{
	const struct ath_model *last = NULL;

	for (size_t i = 0; i < graph->count; i++) {
		const struct ath_model *model = graph->rows[i]->model;

		if (model == last)
			continue;
		last = model;
		for (size_t m = 0; m < model->member_count; m++)
			if (model->members[m].references != NULL &&
			    has_model(graph, model->members[m].references))
				return true;
	}
	return false;
}

static bool find_edges(struct graph *graph, const struct ath_link *links)
{
	for (; links != NULL && !graph->deletes; links = links->next)
		if (links->row->mark > 0 && links->parent->mark > 0 &&
		    !wait_for(graph, links->row, links->parent))
			return false;
	if (!graph->deletes && !fill_table(graph))
		return false;
	for (size_t i = 0; i < graph->count; i++) {
		struct ath_row *row = graph->rows[i];
		struct ath_reference reference;

		for (size_t m = 0; m < row->model->member_count; m++)
			if (ath_member_reference(row->model, &row->model->members[m], &reference) &&
			    !follow_reference(graph, row, &reference))
				return false;
	}
	return true;
}

/* Whoever waits for nobody comes first, and so on; who is left waits in a ring. */
static bool sort(struct graph *graph, uint32_t *places)
{
	uint32_t *queue = ath_new(graph->session->arena, uint32_t, graph->count);
	size_t head = 0, tail = 0;

	if (queue == NULL)
		return ath_session_no_memory(graph->session);
	for (size_t i = 0; i < graph->count; i++)
		if (graph->blocked[i] == 0)
			queue[tail++] = (uint32_t)i;
	for (; head < tail; head++)
		for (const struct edge *edge = graph->waiting[queue[head]]; edge != NULL;
		     edge = edge->next) {
			if (places[edge->waiting] < places[queue[head]] + 1)
				places[edge->waiting] = places[queue[head]] + 1;
			if (--graph->blocked[edge->waiting] == 0)
				queue[tail++] = edge->waiting;
		}
	if (tail == graph->count)
		return true;
	for (size_t i = 0; i < graph->count; i++)
		if (graph->blocked[i] > 0) {
			ath_session_fail(graph->session, ATH_EINVAL,
					 "rows refer to each other in a ring, one of them of %s: "
					 "flush one before it refers to the other",
					 graph->rows[i]->model->name);
			break;
		}
	return false;
}

bool ath_order_rows(struct ath_session *session, struct ath_row **rows, size_t count,
		    const struct ath_link *links, bool deletes, uint32_t *places)
{
	struct graph graph = {
		.session = session, .rows = rows, .count = count, .deletes = deletes
	};
	bool good = true;

	memset(places, 0, count * sizeof *places);
	for (size_t i = 0; i < count; i++)
		rows[i]->mark = (uint32_t)i + 1;
	if ((links != NULL && !deletes) || is_connected(&graph)) {
		graph.waiting = ath_new(session->arena, struct edge *, count);
		graph.blocked = ath_new(session->arena, uint32_t, count);
		if (graph.waiting == NULL || graph.blocked == NULL)
			good = ath_session_no_memory(session);
		good = good && find_edges(&graph, links) && sort(&graph, places);
	}
	for (size_t i = 0; i < count; i++)
		rows[i]->mark = 0;
	return good;
}
