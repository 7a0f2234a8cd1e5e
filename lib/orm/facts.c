/*
 * facts.c - what follows from a model alone, so that it is made once and not for each statement:
 * the beginning of its SELECTs, the SELECT of one row, where columns go, INSERTs. It stays with
 * the engine, from when that first meets the model.
 */
#include <stdlib.h>

#include "orm/internal.h"

static void free_kept(struct ath_attached *attached)
{
	struct ath_kept *kept = container_of(attached, struct ath_kept, attached);

	ath_arena_close(&kept->arena);
	free(kept);
}

struct ath_kept *ath_kept_of(struct ath_engine *engine)
{
	struct ath_attached **attached = ath_engine_attached(engine);
	struct ath_kept *kept;

	if (*attached != NULL)
		return container_of(*attached, struct ath_kept, attached);
	kept = calloc(1, sizeof *kept);
	if (kept == NULL)
		return NULL;
	if (ath_arena_open(&kept->arena, SIZE_MAX) != ATH_OK) {
		free(kept);
		return NULL;
	}
	kept->attached.free = free_kept;
	*attached = &kept->attached;
	return kept;
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

static bool is_filled_if_unset(const struct ath_model *model, const struct ath_member *member)
{
	return member->kind == ATH_MEMBER_COLUMN && !ath_column_is_read_only(member) &&
	       ath_column_is_filled(model, member);
}

/* What the database fills in whatever is given is never sent, but a key that changed is refused. */
static bool is_comparable(const struct ath_member *member)
{
	return member->kind == ATH_MEMBER_COLUMN &&
	       (member->primary_key || !ath_column_is_read_only(member));
}

static bool look_at_members(struct ath_facts *facts, struct ath_arena *arena)
{
	const struct ath_model *model = facts->model;

	facts->filled = ath_new(arena, const struct ath_member *, model->member_count);
	facts->comparables = ath_new(arena, struct ath_comparable, model->member_count);
	if (facts->filled == NULL || facts->comparables == NULL)
		return false;
	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		facts->has_defaults |=
			member->default_value != NULL || member->default_function != NULL;
		facts->has_update_functions |= member->update_function != NULL;
		facts->has_hooks |= member->kind == ATH_MEMBER_HOOK;
		facts->has_relations |= ath_member_is_relation(member);
		if (is_filled_if_unset(model, member))
			facts->filled[facts->filled_count++] = member;
		if (is_comparable(member))
			facts->comparables[facts->comparable_count++] =
				(struct ath_comparable){ member, member->offset,
							 ath_member_compared(member) };
	}
	return true;
}

struct ath_facts *ath_facts_make(struct ath_arena *arena, const struct ath_model *model)
{
	struct ath_facts *facts = ath_new(arena, struct ath_facts, 1);

	if (facts == NULL)
		return NULL;
	facts->model = model;
	facts->key = ath_key_of(model);
	facts->tracked = ath_model_is_tracked(model);
	facts->arena = arena;
	facts->version = ath_model_version(model);
	facts->targets = ath_targets(arena, model, NULL, NULL, &facts->target_count);
	if (facts->targets == NULL || !look_at_members(facts, arena) || !make_texts(facts, arena))
		return NULL;
	return facts;
}

struct ath_facts *ath_facts_of(struct ath_session *session, const struct ath_model *model)
{
	struct ath_kept *kept;
	struct ath_facts **at, *facts;

	if (session->engine == NULL)
		return NULL; /* a session that could not be opened */
	kept = ath_kept_of(session->engine);
	if (kept == NULL) {
		ath_session_no_memory(session);
		return NULL;
	}
	at = &kept->facts[((uintptr_t)model >> 5) % ATH_COUNT(kept->facts)];
	for (facts = *at; facts != NULL; facts = facts->next)
		if (facts->model == model && facts->key.members == model->members)
			return facts;
	facts = ath_facts_make(kept->arena, model);
	if (facts == NULL) {
		ath_session_no_memory(session);
		return NULL;
	}
	facts->next = *at;
	*at = facts;
	return facts;
}
