/* compare_columns.c - the columns of a model against those of its table: types, NULL, values. */
#include <stdio.h>

#include "orm/compare.h"

/* ---- types ---------------------------------------------------------------------------------- */

/* As the server writes them; the first is what ath_create_all() makes, the others do as well. */
static const char *const families[][5] = {
	[ATH_TYPE_TEXT] = { "text", "character varying", "character", "citext", "name" },
	[ATH_TYPE_ENUM] = { "text", "character varying", "character", "citext" },
	[ATH_TYPE_JSON] = { "jsonb", "json" },
	[ATH_TYPE_BYTES] = { "bytea" },
	[ATH_TYPE_TEXT_ARRAY] = { "text[]", "character varying[]" },
	[ATH_TYPE_INT64_ARRAY] = { "bigint[]" },
	[ATH_TYPE_UUID_ARRAY] = { "uuid[]" },
	[ATH_TYPE_BOOL] = { "boolean" },
	[ATH_TYPE_INT16] = { "smallint" },
	[ATH_TYPE_INT32] = { "integer" },
	[ATH_TYPE_INT64] = { "bigint" },
	[ATH_TYPE_DOUBLE] = { "double precision" },
	[ATH_TYPE_TIMESTAMP] = { "timestamp with time zone" },
	[ATH_TYPE_DATE] = { "date" },
	[ATH_TYPE_DECIMAL] = { "numeric" },
	[ATH_TYPE_UUID] = { "uuid" },
};

static const char *wanted_type(const struct ath_comparison *comparison,
			       const struct ath_member *column)
{
	const char *text = families[column->type][0];

	if (column->varchar)
		text = ath_arena_printf(comparison->session->arena, "character varying(%zu)",
					column->max_length);
	else if (column->type == ATH_TYPE_DECIMAL)
		text = ath_arena_printf(comparison->session->arena, "numeric(%d,%d)",
					column->precision, column->scale);
	return text == NULL ? "..." : text;
}

/* An extension's type has its schema before it where that is not in the search path. */
static bool is_family(const char *there, const char *family)
{
	const char *dot = strrchr(there, '.');

	return strcmp(dot == NULL ? there : dot + 1, family) == 0;
}

/* The length of "character varying(20)"; 0: it has none. */
static size_t length_limit(const struct ath_live_column *live)
{
	const char *open = strchr(live->base, '(');
	size_t limit = 0;

	if (open == NULL || strncmp(live->base, "character", 9) != 0 ||
	    sscanf(open, "(%zu)", &limit) != 1)
		return 0;
	return limit;
}

static bool type_fits(const struct ath_comparison *comparison, const struct ath_member *column,
		      const struct ath_live_column *live)
{
	bool text = column->type == ATH_TYPE_TEXT || column->type == ATH_TYPE_ENUM, fits = false;
	size_t limit = length_limit(live);

	for (size_t i = 0; i < ATH_COUNT(families[0]) && families[column->type][i] != NULL; i++)
		fits = fits || is_family(live->family, families[column->type][i]);
	if (text && live->labels.count > 0)
		return true;
	if (text && limit > 0 && column->max_length > limit)
		return false;
	if (column->type == ATH_TYPE_DECIMAL && strchr(live->base, '(') != NULL)
		return strcmp(live->base, wanted_type(comparison, column)) == 0;
	return fits;
}

/* ---- enums ---------------------------------------------------------------------------------- */

/* The next 'text' of SQL that the server has written, and what comes behind it; NULL: no more. */
static const char *next_literal(const struct ath_comparison *comparison, const char *sql,
				char **text)
{
	const char *at = strchr(sql, '\'');
	char *to;

	if (at == NULL)
		return NULL;
	*text = to = ath_arena_zalloc(comparison->session->arena, 1, strlen(at));
	if (to == NULL)
		return NULL;
	for (at++; *at != '\0'; at++) {
		if (*at == '\'' && at[1] != '\'')
			return at + 1;
		at += *at == '\'';
		*to++ = *at;
	}
	return NULL;
}

/* What a CHECK compares the column with: all the texts in it. */
static struct ath_text_array literals_of(const struct ath_comparison *comparison, const char *sql)
{
	const char **items = ath_new(comparison->session->arena, const char *, strlen(sql) / 2 + 1);
	struct ath_text_array literals = { .items = items };
	char *text;

	while (items != NULL && (sql = next_literal(comparison, sql, &text)) != NULL)
		items[literals.count++] = text;
	return literals;
}

static bool has_same_labels(const struct ath_text_array *there, const char *const *values)
{
	size_t count = 0;

	while (values[count] != NULL)
		if (!ath_names_have(there, values[count++]))
			return false;
	return there->count == count;
}

static const char *labels(const struct ath_comparison *comparison, const struct ath_member *column)
{
	size_t count = 0;

	while (column->values[count] != NULL)
		count++;
	return ath_comparison_list(comparison, column->values, count, "'");
}

/* A CHECK of this column; the next behind the one before, or the first. */
static const struct ath_live_constraint *next_check(const struct ath_comparison *comparison,
						    const struct ath_member *column, size_t *i)
{
	while (*i < comparison->live.constraints.count) {
		const struct ath_live_constraint *each = comparison->live.constraints.items[(*i)++];

		if (each->number == comparison->number && strcmp(each->kind, "c") == 0 &&
		    ath_names_have(&each->columns, ath_column_name(column)))
			return each;
	}
	return NULL;
}

static void compare_labels(const struct ath_comparison *comparison, const struct ath_member *column,
			   const struct ath_live_column *live)
{
	struct ath_text_array there = live->labels, found;
	const struct ath_live_constraint *check;
	size_t i = 0;

	while (there.count == 0 && (check = next_check(comparison, column, &i)) != NULL) {
		found = literals_of(comparison, check->definition);
		if (check->columns.count == 1)
			there = found;
	}
	if (there.count == 0 && !live->checked)
		ath_comparison_tell(comparison, column, "no CHECK keeps %s to the values %s",
				    live->name, labels(comparison, column));
	else if (there.count > 0 && !has_same_labels(&there, column->values))
		ath_comparison_tell(comparison, column, "%s may be %s, and in the model %s",
				    live->name,
				    ath_comparison_list(comparison, there.items, there.count, "'"),
				    labels(comparison, column));
}

/* ---- columns -------------------------------------------------------------------------------- */

static const struct ath_live_column *find_column(const struct ath_comparison *comparison,
						 const char *name)
{
	for (size_t i = 0; i < comparison->live.columns.count; i++) {
		const struct ath_live_column *each = comparison->live.columns.items[i];

		if (each->number == comparison->number && strcmp(each->name, name) == 0)
			return each;
	}
	return NULL;
}

/* Does the database give a value when none is given, for all that can be seen? */
static bool is_filled(const struct ath_comparison *comparison, const struct ath_live_column *live)
{
	return live->has_default || live->generated || live->counted ||
	       comparison->live.tables.items[comparison->number - 1]->has_trigger;
}

/* Who gives the value when the application does not, and who may. */
static void compare_filling(const struct ath_comparison *comparison,
			    const struct ath_member *column, const struct ath_live_column *live)
{
	bool generated = column->generated != NULL;

	if (generated && !live->generated)
		ath_comparison_tell(comparison, column,
				    "%s is not generated, and in the model it is: %s", live->name,
				    column->generated);
	else if (live->generated && !ath_column_is_read_only(column))
		ath_comparison_tell(comparison, column,
				    "%s is generated, and the model sends it: make it .read_only",
				    live->name);
	else if (ath_column_is_filled(comparison->model, column) && !is_filled(comparison, live) &&
		 (live->not_null || column->server_default != NULL || column->identity))
		ath_comparison_tell(
			comparison, column,
			"%s has no default, and the model leaves it to the %s%s", live->name,
			column->server_default == NULL ? "database" : "database: DEFAULT ",
			column->server_default == NULL ? "" : column->server_default);
}

static void compare_rules(const struct ath_comparison *comparison, const struct ath_member *column,
			  const struct ath_live_column *live)
{
	bool nullable = ath_column_is_nullable(column);
	size_t i = 0;

	if (live->not_null && nullable)
		ath_comparison_tell(comparison, column,
				    "%s is NOT NULL, and in the model it may be NULL", live->name);
	else if (!live->not_null && !nullable)
		ath_comparison_tell(comparison, column,
				    "%s may be NULL, and in the model it is NOT NULL", live->name);
	compare_filling(comparison, column, live);
	if (column->type == ATH_TYPE_ENUM)
		compare_labels(comparison, column, live);
	else if (ath_column_has_check(column) && !live->checked && length_limit(live) == 0 &&
		 next_check(comparison, column, &i) == NULL)
		ath_comparison_tell(comparison, column,
				    "no CHECK keeps %s within the bounds of the model", live->name);
}

void ath_compare_column(const struct ath_comparison *comparison, const struct ath_member *column)
{
	const char *name = ath_column_name(column), *table = comparison->model->table;
	const struct ath_live_column *live = find_column(comparison, name);

	if (live == NULL) {
		ath_comparison_tell(comparison, column,
				    "%s has no column %s; in the model it is %s%s", table, name,
				    wanted_type(comparison, column),
				    ath_column_is_nullable(column) ? "" : " NOT NULL");
		return;
	}
	if (!type_fits(comparison, column, live))
		ath_comparison_tell(comparison, column, "%s is %s, and in the model %s", name,
				    live->type, wanted_type(comparison, column));
	if (comparison->model->kind == ATH_TABLE)
		compare_rules(comparison, column, live);
}

static bool is_in_model(const struct ath_model *model, const char *name)
{
	for (size_t i = 0; i < model->member_count; i++)
		if (model->members[i].kind == ATH_MEMBER_COLUMN &&
		    strcmp(ath_column_name(&model->members[i]), name) == 0)
			return true;
	return false;
}

/* What the model does not know it does not insert. */
void ath_compare_unknown(const struct ath_comparison *comparison)
{
	for (size_t i = 0; i < comparison->live.columns.count; i++) {
		const struct ath_live_column *each = comparison->live.columns.items[i];

		if (each->number == comparison->number && each->not_null &&
		    !is_filled(comparison, each) && !is_in_model(comparison->model, each->name))
			ath_comparison_tell(comparison, NULL,
					    "%s.%s is NOT NULL without a default, and the model "
					    "does not know it: "
					    "inserts fail",
					    comparison->model->table, each->name);
	}
}
