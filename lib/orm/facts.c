/*
 * facts.c - what follows from a model alone, so that it is made once and not for each statement:
 * the beginning of its SELECTs, the SELECT of one row, where columns go, INSERTs. It stays with
 * the engine, from when that first meets the model.
 */
#include <stdlib.h>

#include "orm/internal.h"

enum { BUCKETS = 64 };

struct table {
	struct ath_attached attached;
	struct ath_arena *arena;
	struct ath_facts *buckets[BUCKETS];
};

static void free_table(struct ath_attached *attached)
{
	struct table *table = container_of(attached, struct table, attached);

	ath_arena_close(&table->arena);
	free(table);
}

/* NULL: there is no memory. */
static struct table *table_of(struct ath_engine *engine)
{
	struct ath_attached **attached = ath_engine_attached(engine);
	struct table *table;

	if (*attached != NULL)
		return container_of(*attached, struct table, attached);
	table = calloc(1, sizeof *table);
	if (table == NULL)
		return NULL;
	if (ath_arena_open(&table->arena, SIZE_MAX) != ATH_OK) {
		free(table);
		return NULL;
	}
	table->attached.free = free_table;
	*attached = &table->attached;
	return table;
}

/* ---- making --------------------------------------------------------------------------------- */

/* Of a result there are none. */
static bool make_texts(struct ath_facts *facts, struct ath_arena *arena)
{
	struct ath_sql sql;
	struct ath_statement select;
	struct ath_query query = ath_query_of(facts->model);

	if (facts->model->kind == ATH_RESULT)
		return true;
	ath_sql_open(&sql, arena);
	ath_sql_select(&sql, &query);
	if (ath_sql_finish(&sql, &select) != ATH_OK)
		return false;
	facts->select = (struct ath_text){ select.text, select.length };
	ath_sql_open(&sql, arena);
	for (size_t i = 0; i < facts->key.count; i++)
		ath_where(&query, (struct ath_expression){
					  .op = ATH_OP_EQ,
					  .model = facts->model,
					  .offset = facts->key.columns[i]->offset,
					  .value = { .type = facts->key.columns[i]->type } });
	ath_sql_select(&sql, &query);
	if (facts->key.count > 0 && ath_sql_finish(&sql, &facts->get) != ATH_OK)
		return false;
	facts->get.params = NULL;
	return true;
}

static struct ath_facts *make(struct table *table, const struct ath_model *model)
{
	struct ath_facts *facts = ath_new(table->arena, struct ath_facts, 1);

	if (facts == NULL)
		return NULL;
	facts->model = model;
	facts->members = model->members;
	facts->key = ath_key_of(model);
	facts->tracked = ath_model_is_tracked(model);
	facts->arena = table->arena;
	facts->targets = ath_targets(table->arena, model, NULL, NULL, &facts->target_count);
	return facts->targets != NULL && make_texts(facts, table->arena) ? facts : NULL;
}

struct ath_facts *ath_facts_of(struct ath_session *session, const struct ath_model *model)
{
	struct table *table = table_of(session->engine);
	struct ath_facts **at, *facts = NULL;

	if (table == NULL) {
		ath_session_no_memory(session);
		return NULL;
	}
	at = &table->buckets[((uintptr_t)model >> 5) % BUCKETS];
	for (facts = *at; facts != NULL; facts = facts->next)
		if (facts->model == model && facts->members == model->members)
			return facts;
	facts = make(table, model);
	if (facts == NULL) {
		ath_session_no_memory(session);
		return NULL;
	}
	facts->next = *at;
	*at = facts;
	return facts;
}
