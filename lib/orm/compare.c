/*
 * compare.c - models against the tables that the database has: what of the one is not in the other.
 * Columns are compared in compare_columns.c.
 *
 * Told is what makes a statement fail or a rule of the model not hold: the names of constraints and
 * the SQL of defaults, conditions and CHECKs are not compared, because the server writes them in
 * another way, and neither is what only the database has, unless inserts fail by it.
 */
#include <stdarg.h>
#include <stdio.h>

#include "orm/compare.h"

void ath_comparison_tell(const struct ath_comparison *comparison, const struct ath_member *member,
			 const char *format, ...)
{
	bool named = member != NULL && member->name != NULL;
	char text[1024];
	va_list args;
	int length = snprintf(text, sizeof text, "%.200s%s%.200s: ", comparison->model->name,
			      named ? "." : "", named ? member->name : "");

	va_start(args, format);
	vsnprintf(text + length, sizeof text - (size_t)length, format, args);
	va_end(args);
	comparison->difference(text, comparison->arg);
}

/* ---- lists of columns ----------------------------------------------------------------------- */

struct names {
	const char *items[ATH_CONSTRAINT_COLUMNS];
	size_t count;
};

static struct names names_of(const struct ath_model *model, const struct ath_member *member)
{
	struct names names = { .count = 1 };

	if (member->kind == ATH_MEMBER_COLUMN) {
		names.items[0] = ath_column_name(member);
		return names;
	}
	names.count = member->columns.count;
	for (size_t i = 0; i < names.count; i++)
		names.items[i] =
			ath_column_name(ath_model_column(model, member->columns.offsets[i]));
	return names;
}

static struct names names_of_keys(const struct ath_model *model)
{
	const struct ath_member *keys[ATH_MAX_KEYS];
	struct names names = { .count = ath_model_keys(model, keys) };

	for (size_t i = 0; i < names.count; i++)
		names.items[i] = ath_column_name(keys[i]);
	return names;
}

const char *ath_comparison_list(const struct ath_comparison *comparison, const char *const *items,
				size_t count, const char *quote)
{
	struct ath_buffer text;

	ath_buffer_init(&text, comparison->session->arena, 1 << 16);
	for (size_t i = 0; i < count; i++)
		ath_buffer_printf(&text, "%s%s%s%s", i == 0 ? "" : ", ", quote, items[i], quote);
	return text.failed ? "..." : ath_buffer_c_string(&text);
}

static const char *columns(const struct ath_comparison *comparison, const struct names *names)
{
	return ath_comparison_list(comparison, names->items, names->count, "");
}

/* Do they begin with these, in this order? */
static bool begins_with(const struct ath_text_array *there, const struct names *names)
{
	if (there->count < names->count)
		return false;
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(there->items[i], names->items[i]) != 0)
			return false;
	return true;
}

bool ath_names_have(const struct ath_text_array *there, const char *name)
{
	for (size_t i = 0; i < there->count; i++)
		if (strcmp(there->items[i], name) == 0)
			return true;
	return false;
}

/* Are they the same, in any order? */
static bool is_same_set(const struct ath_text_array *there, const struct names *names)
{
	if (there->count != names->count)
		return false;
	for (size_t i = 0; i < names->count; i++)
		if (!ath_names_have(there, names->items[i]))
			return false;
	return true;
}

/* ---- keys and indexes ----------------------------------------------------------------------- */

static void compare_primary_key(const struct ath_comparison *comparison)
{
	struct names names = names_of_keys(comparison->model);
	const struct ath_live_constraint_list *all = &comparison->live.constraints;

	for (size_t i = 0; i < all->count; i++) {
		const struct ath_live_constraint *each = all->items[i];

		if (each->number != comparison->number || strcmp(each->kind, "p") != 0)
			continue;
		if (!is_same_set(&each->columns, &names))
			ath_comparison_tell(comparison, NULL,
					    "the primary key of %s is (%s), and in the model (%s)",
					    comparison->model->table,
					    ath_comparison_list(comparison, each->columns.items,
								each->columns.count, ""),
					    columns(comparison, &names));
		return;
	}
	ath_comparison_tell(comparison, NULL, "%s has no primary key; in the model it is (%s)",
			    comparison->model->table, columns(comparison, &names));
}

static bool is_index_of(const struct ath_comparison *comparison, const struct ath_member *member,
			const struct ath_live_index *live)
{
	struct names names = names_of(comparison->model, member);
	bool unique = member->unique || member->kind == ATH_MEMBER_UNIQUE;
	struct ath_buffer name;

	if (live->number != comparison->number || (unique && !live->is_unique) ||
	    strcmp(live->method, member->method == NULL ? "btree" : member->method) != 0 ||
	    (live->is_partial && member->where == NULL))
		return false;
	if (names.count > 0)
		return unique ? is_same_set(&live->columns, &names)
			      : begins_with(&live->columns, &names);
	ath_buffer_init(&name, comparison->session->arena, 1024);
	ath_constraint_name(comparison->model, member, unique ? "uq" : "ix", &name);
	return !name.failed && strcmp(live->name, ath_buffer_c_string(&name)) == 0;
}

/* A longer index serves one that is asked for, and a whole one a part; of a unique one neither. */
static void compare_index(const struct ath_comparison *comparison, const struct ath_member *member)
{
	struct names names = names_of(comparison->model, member);
	bool unique = member->unique || member->kind == ATH_MEMBER_UNIQUE;
	const struct ath_live_index *found = NULL;

	for (size_t i = 0; i < comparison->live.indexes.count; i++) {
		const struct ath_live_index *each = comparison->live.indexes.items[i];

		if (is_index_of(comparison, member, each) && (found == NULL || !found->is_valid))
			found = each;
	}
	if (found != NULL && found->is_valid)
		return;
	if (found != NULL)
		ath_comparison_tell(comparison, member,
				    "the index %s is not valid: build it anew (REINDEX)",
				    found->name);
	else
		ath_comparison_tell(comparison, member, "%s has no %sindex%s%s on (%s)%s%s",
				    comparison->model->table, unique ? "unique " : "",
				    member->method == NULL ? "" : " by ",
				    member->method == NULL ? "" : member->method,
				    names.count > 0 ? columns(comparison, &names)
						    : member->expression,
				    member->where == NULL ? "" : " where ",
				    member->where == NULL ? "" : member->where);
}

/* ---- foreign keys --------------------------------------------------------------------------- */

static const char *action_text(char action)
{
	switch (action) {
	case 'c':
		return "CASCADE";
	case 'n':
		return "SET NULL";
	case 'd':
		return "SET DEFAULT";
	case 'r':
		return "RESTRICT";
	default:
		return "NO ACTION";
	}
}

/* Both refuse, if one a moment later. */
static void compare_action(const struct ath_comparison *comparison, const struct ath_member *member,
			   const struct ath_live_constraint *live, const char *when, char there,
			   enum ath_action action)
{
	static const char letters[] = {
		[ATH_RESTRICT] = 'a', [ATH_CASCADE] = 'c', [ATH_SET_NULL] = 'n'
	};

	if ((there == 'r' ? 'a' : there) != letters[action])
		ath_comparison_tell(comparison, member,
				    "the foreign key %s is %s %s, and in the model %s", live->name,
				    when, action_text(there), action_text(letters[action]));
}

static int64_t oid_of(const struct ath_comparison *comparison, const struct ath_model *model)
{
	for (size_t i = 0; i < comparison->count; i++)
		if (comparison->models[i] == model)
			return comparison->live.tables.items[i]->oid.value;
	return 0;
}

/* Each of these columns leads to its own key, in whatever order. */
static bool leads_to(const struct ath_live_constraint *live, const struct names *names,
		     const struct names *keys)
{
	for (size_t i = 0; i < names->count; i++) {
		size_t at = 0;

		while (at < live->columns.count &&
		       strcmp(live->columns.items[at], names->items[i]) != 0)
			at++;
		if (at >= live->target_columns.count ||
		    strcmp(live->target_columns.items[at], keys->items[i]) != 0)
			return false;
	}
	return true;
}

static void tell_no_reference(const struct ath_comparison *comparison,
			      const struct ath_member *member,
			      const struct ath_live_constraint *other)
{
	const struct ath_model *target = member->references;
	struct names names = names_of(comparison->model, member), keys = names_of_keys(target);

	if (other == NULL)
		ath_comparison_tell(comparison, member,
				    "%s has no foreign key from (%s) to %s (%s)",
				    comparison->model->table, columns(comparison, &names),
				    target->table, columns(comparison, &keys));
	else
		ath_comparison_tell(comparison, member,
				    "the foreign key %s leads to %s (%s), and in the model to %s "
				    "(%s)",
				    other->name, other->target_name,
				    ath_comparison_list(comparison, other->target_columns.items,
							other->target_columns.count, ""),
				    target->table, columns(comparison, &keys));
}

static void compare_reference(const struct ath_comparison *comparison,
			      const struct ath_member *member)
{
	struct names names = names_of(comparison->model, member);
	struct names keys = names_of_keys(member->references);
	const struct ath_live_constraint *other = NULL;

	for (size_t i = 0; i < comparison->live.constraints.count; i++) {
		const struct ath_live_constraint *each = comparison->live.constraints.items[i];

		if (each->number != comparison->number || strcmp(each->kind, "f") != 0 ||
		    !is_same_set(&each->columns, &names))
			continue;
		other = each;
		if (each->target != oid_of(comparison, member->references) ||
		    !leads_to(each, &names, &keys))
			continue;
		compare_action(comparison, member, each, "ON DELETE", *each->on_delete,
			       member->on_delete);
		compare_action(comparison, member, each, "ON UPDATE", *each->on_update,
			       member->on_update);
		return;
	}
	tell_no_reference(comparison, member, other);
}

/* ---- the whole of it ------------------------------------------------------------------------ */

/* Of a CHECK in SQL only its name tells whether it is there. */
static void compare_check(const struct ath_comparison *comparison, const struct ath_member *member)
{
	struct ath_buffer name;

	ath_buffer_init(&name, comparison->session->arena, 1024);
	ath_constraint_name(comparison->model, member, "ck", &name);
	for (size_t i = 0; !name.failed && i < comparison->live.constraints.count; i++) {
		const struct ath_live_constraint *each = comparison->live.constraints.items[i];

		if (each->number == comparison->number &&
		    strcmp(each->name, ath_buffer_c_string(&name)) == 0)
			return;
	}
	ath_comparison_tell(comparison, member, "%s has no CHECK %s: %s", comparison->model->table,
			    ath_buffer_c_string(&name), member->expression);
}

static void compare_member(const struct ath_comparison *comparison, const struct ath_member *member)
{
	if (member->kind == ATH_MEMBER_COLUMN)
		ath_compare_column(comparison, member);
	if (comparison->model->kind != ATH_TABLE)
		return;
	if (ath_sql_needs_index(member) || member->kind == ATH_MEMBER_UNIQUE ||
	    (member->kind == ATH_MEMBER_COLUMN && member->unique))
		compare_index(comparison, member);
	if (member->kind == ATH_MEMBER_CHECK)
		compare_check(comparison, member);
	if (member->references != NULL)
		compare_reference(comparison, member);
}

/* Rows can be written into a view as well, but no rule of the model is seen to there. */
static void compare_model(const struct ath_comparison *comparison)
{
	const struct ath_live_table *live = comparison->live.tables.items[comparison->number - 1];
	const struct ath_model *model = comparison->model;
	bool table = model->kind == ATH_TABLE;

	if (!live->oid.valid) {
		ath_comparison_tell(comparison, NULL, "there is no %s %s",
				    table ? "table" : "view or table", model->table);
		return;
	}
	if (strchr(table ? "rpf" : "rpfvm", *live->kind) == NULL) {
		ath_comparison_tell(comparison, NULL,
				    "%s is %s in the database, and in the model a %s", model->table,
				    strchr("vm", *live->kind) == NULL ? "something else" : "a view",
				    table ? "table" : "view");
		return;
	}
	for (size_t i = 0; i < model->member_count; i++)
		compare_member(comparison, &model->members[i]);
	if (!table)
		return;
	compare_primary_key(comparison);
	ath_compare_unknown(comparison);
}

/* The names of those that have a table, quoted as in SQL. */
static struct ath_text_array table_names(struct ath_comparison *comparison,
					 const struct ath_model *const *models)
{
	struct ath_arena *arena = comparison->session->arena;
	const struct ath_model **listed;
	const char **names;
	size_t most = 0;

	while (models[most] != NULL)
		most++;
	listed = ath_new(arena, const struct ath_model *, most + 1);
	names = ath_new(arena, const char *, most + 1);
	if (listed == NULL || names == NULL)
		ath_session_no_memory(comparison->session);
	for (size_t i = 0; ath_session_ok(comparison->session) && i < most; i++) {
		struct ath_sql name;

		if (models[i]->kind != ATH_TABLE && models[i]->kind != ATH_VIEW)
			continue;
		ath_sql_open(&name, arena);
		ath_sql_put_table(&name, models[i]->table);
		if (name.text.failed)
			ath_session_no_memory(comparison->session);
		listed[comparison->count] = models[i];
		names[comparison->count++] = ath_buffer_c_string(&name.text);
	}
	comparison->models = listed;
	return (struct ath_text_array){ names, comparison->count };
}

enum ath_status ath_models_compare(struct ath_engine *engine, const struct ath_model *const *models,
				   void (*difference)(const char *text, void *arg), void *arg,
				   struct ath_error *error)
{
	enum { MEMORY = 256 * 1024 * 1024 };
	struct ath_session_options options = { .memory = MEMORY };
	struct ath_comparison comparison = { .difference = difference, .arg = arg };
	struct ath_text_array names;

	ath_error_clear(error);
	if (ath_models_check(models, error) != ATH_OK)
		return error->status;
	if (ath_session_open(&comparison.session, engine, &options) != ATH_OK)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	names = table_names(&comparison, models);
	ath_catalogue_read(comparison.session, names, &comparison.live);
	for (size_t i = 0; ath_session_ok(comparison.session) && i < comparison.count; i++) {
		comparison.model = comparison.models[i];
		comparison.number = (int64_t)i + 1;
		compare_model(&comparison);
	}
	if (ath_arena_failed(comparison.session->arena))
		ath_session_no_memory(comparison.session);
	*error = comparison.session->error;
	ath_session_close(&comparison.session);
	return error->status;
}
