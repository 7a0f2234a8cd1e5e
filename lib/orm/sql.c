/*
 * sql.c - SQL text that writes: INSERT, UPDATE and DELETE, from rows and from queries. Pure: no
 * connection, only the arena.
 *
 * The bytes of the text come from the models, whose names were checked, and from this file;
 * every value is a parameter.
 */
#include <stdio.h>

#include "orm/internal.h"

enum { MAX_TEXT = 64 * 1024, MAX_PARAMS = 65535, FIRST_PARAMS = 8 };

void ath_sql_open(struct ath_sql *sql, struct ath_arena *arena)
{
	sql->params = NULL;
	sql->param_count = sql->param_capacity = 0;
	sql->most = 0;
	sql->tables = 0;
	sql->result = NULL;
	sql->facts = NULL;
	ath_error_clear(&sql->error);
	ath_buffer_init(&sql->text, arena, MAX_TEXT);
}

/* As what a parameter is sent: an enum as a text, a NULL as what would stand in its place. */
static uint64_t kind_of(const struct ath_value *value)
{
	switch (value->type) {
	case ATH_TYPE_ENUM:
		return 2 * ATH_TYPE_TEXT + value->array;
	case ATH_TYPE_TEXT_ARRAY:
		return 2 * ATH_TYPE_TEXT + 1;
	case ATH_TYPE_INT64_ARRAY:
		return 2 * ATH_TYPE_INT64 + 1;
	case ATH_TYPE_UUID_ARRAY:
		return 2 * ATH_TYPE_UUID + 1;
	default:
		return 2 * value->type + value->array;
	}
}

/* A text whose parameters have other types is another statement to the server. */
uint64_t ath_sql_hash(const char *text, size_t length, const struct ath_value *params, size_t count)
{
	uint64_t hash = ath_hash(text, length);

	for (size_t i = 0; i < count; i++)
		hash = hash * 31 + kind_of(&params[i]);
	return hash;
}

enum ath_status ath_sql_finish(struct ath_sql *sql, struct ath_statement *statement)
{
	const char *text = ath_buffer_c_string(&sql->text);

	if (sql->text.failed)
		return ath_error_set(&sql->error, ATH_ETOOBIG, "a statement is too large");
	*statement = (struct ath_statement){ .text = text,
					     .length = sql->text.length,
					     .hash = ath_sql_hash(text, sql->text.length,
								  sql->params, sql->param_count),
					     .params = sql->params,
					     .param_count = sql->param_count };
	return sql->error.status;
}

/* ---- pieces ----------------------------------------------------------------------------- */

static void put(struct ath_sql *sql, const char *text)
{
	ath_buffer_string(&sql->text, text);
}

void ath_sql_put(struct ath_sql *sql, const char *text)
{
	put(sql, text);
}

static void put_name(struct ath_sql *sql, const char *name, size_t length)
{
	char *at = ath_buffer_reserve(&sql->text, length + 2);

	if (at == NULL)
		return;
	at[0] = '"';
	memcpy(at + 1, name, length);
	at[length + 1] = '"';
	sql->text.length += length + 2;
}

void ath_sql_put_name(struct ath_sql *sql, const char *name)
{
	put_name(sql, name, strlen(name));
}

void ath_sql_put_table(struct ath_sql *sql, const char *table)
{
	const char *dot = strchr(table, '.');

	if (dot != NULL) {
		put_name(sql, table, (size_t)(dot - table));
		put(sql, ".");
		table = dot + 1;
	}
	ath_sql_put_name(sql, table);
}

void ath_sql_put_param(struct ath_sql *sql, struct ath_value value)
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

static bool is_same_value(const struct ath_value *a, const struct ath_value *b)
{
	if (a->type != b->type || a->array || b->array || a->null || b->null)
		return false;
	switch (a->type) {
	case ATH_TYPE_TEXT:
		return strcmp(a->as.text, b->as.text) == 0;
	case ATH_TYPE_DOUBLE:
		return memcmp(&a->as.real, &b->as.real, sizeof a->as.real) == 0;
	case ATH_TYPE_TIMESTAMP:
		return a->as.timestamp.microseconds == b->as.timestamp.microseconds;
	case ATH_TYPE_INT16:
	case ATH_TYPE_INT32:
	case ATH_TYPE_INT64:
		return a->as.integer == b->as.integer;
	default:
		return false;
	}
}

void ath_sql_put_same_param(struct ath_sql *sql, struct ath_value value)
{
	for (size_t i = 0; i < sql->param_count && !sql->text.failed; i++)
		if (is_same_value(&sql->params[i], &value)) {
			put(sql, "$");
			ath_buffer_int64(&sql->text, (int64_t)i + 1);
			return;
		}
	ath_sql_put_param(sql, value);
}

/* A decimal that the column would have to round is another value than was asked for. */
static bool is_exact(const struct ath_member *column, const struct ath_value *value)
{
	struct ath_decimal copy;

	if (column->type != ATH_TYPE_DECIMAL || value->null || value->array)
		return true;
	copy = value->as.decimal;
	/* with fewer digits behind the point it fits, or the server says that it does not */
	return (copy.scale >= 0 && copy.scale <= column->scale) ||
	       ath_decimal_rescale(&copy, column->scale);
}

static bool refuse_value(struct ath_sql *sql, const struct ath_member *column, bool known)
{
	struct ath_error *error = &sql->error;

	if (error->status != ATH_OK)
		return false;
	if (!known)
		ath_error_set(error, ATH_ERULE, "%s is none of the values of its enum",
			      column->name);
	else
		ath_error_set(error, ATH_ERULE,
			      "%s has more digits behind the point than its scale of %d",
			      column->name, column->scale);
	snprintf(error->column, sizeof error->column, "%s", ath_column_name(column));
	return false;
}

/* The value as it is sent. Of the same type whether it is NULL or not, as the text is the same. */
static bool send_value(struct ath_sql *sql, const struct ath_member *column,
		       struct ath_value *value, bool exact)
{
	static const enum ath_type elements[] = { [ATH_TYPE_TEXT_ARRAY] = ATH_TYPE_TEXT,
						  [ATH_TYPE_INT64_ARRAY] = ATH_TYPE_INT64,
						  [ATH_TYPE_UUID_ARRAY] = ATH_TYPE_UUID };
	bool known;

	if (!value->null && value->type != ATH_TYPE_ENUM && value->type != ATH_TYPE_DECIMAL)
		return true;
	if (value->null) {
		value->array =
			column->type >= ATH_TYPE_TEXT_ARRAY && column->type <= ATH_TYPE_UUID_ARRAY;
		value->type = value->array ? elements[column->type] : column->type;
	}
	known = ath_column_send(column, sql->text.arena, value);
	if (known && (!exact || is_exact(column, value)))
		return true;
	if (!known && ath_arena_failed(sql->text.arena)) {
		sql->text.failed = true;
		return false;
	}
	return refuse_value(sql, column, known);
}

void ath_sql_put_column_param(struct ath_sql *sql, const struct ath_member *column,
			      struct ath_value value)
{
	(void)!send_value(sql, column, &value, false);
	ath_sql_put_param(sql, value);
}

/* The same where it goes into the column, and must fit. */
static void put_new_value(struct ath_sql *sql, const struct ath_member *column,
			  struct ath_value value)
{
	(void)!send_value(sql, column, &value, true);
	ath_sql_put_param(sql, value);
}

const char *ath_sql_type(enum ath_type type)
{
	static const char *const types[] = {
		[ATH_TYPE_TEXT] = "text",
		[ATH_TYPE_JSON] = "jsonb",
		[ATH_TYPE_BYTES] = "bytea",
		[ATH_TYPE_TEXT_ARRAY] = "text[]",
		[ATH_TYPE_INT64_ARRAY] = "bigint[]",
		[ATH_TYPE_UUID_ARRAY] = "uuid[]",
		[ATH_TYPE_BOOL] = "boolean",
		[ATH_TYPE_INT16] = "smallint",
		[ATH_TYPE_INT32] = "integer",
		[ATH_TYPE_INT64] = "bigint",
		[ATH_TYPE_DOUBLE] = "double precision",
		[ATH_TYPE_TIMESTAMP] = "timestamptz",
		[ATH_TYPE_DATE] = "date",
		[ATH_TYPE_DECIMAL] = "numeric",
		[ATH_TYPE_ENUM] = "text",
		[ATH_TYPE_UUID] = "uuid",
	};

	return types[type];
}

static void put_column(struct ath_sql *sql, const struct ath_member *column)
{
	ath_sql_put_name(sql, ath_column_name(column));
}

static void put_key_equals(struct ath_sql *sql, const struct ath_model *model, const void *object)
{
	const struct ath_member *keys[ATH_MAX_KEYS], *version = ath_model_version(model);
	size_t count = ath_model_keys(model, keys);

	for (size_t i = 0; i < count; i++) {
		put(sql, i == 0 ? " WHERE " : " AND ");
		put_column(sql, keys[i]);
		put(sql, " = ");
		ath_sql_put_param(sql, ath_member_get(keys[i], object));
	}
	if (version == NULL)
		return;
	put(sql, " AND ");
	put_column(sql, version);
	put(sql, " = ");
	ath_sql_put_param(sql, ath_member_get(version, object));
}

typedef bool column_filter(const struct ath_model *model, const struct ath_member *column,
			   const void *object);

/* The names of the columns that filter says, after what separates them; false: there are none. */
static bool put_filtered(struct ath_sql *sql, const struct ath_model *model, const void *object,
			 column_filter *filter, bool said, const char *first)
{
	bool any = false;

	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (member->kind != ATH_MEMBER_COLUMN || filter(model, member, object) != said)
			continue;
		put(sql, any ? ", " : first);
		put_column(sql, member);
		any = true;
	}
	return any;
}

/* ---- one row --------------------------------------------------------------------------------- */

bool ath_sql_insert_returns(const struct ath_model *model, const struct ath_member *column,
			    const void *object)
{
	return column->kind == ATH_MEMBER_COLUMN && ath_column_is_filled(model, column) &&
	       (ath_column_is_read_only(column) || ath_member_is_unset(column, object));
}

const struct ath_member **ath_sql_insert_columns(struct ath_arena *arena,
						 const struct ath_model *model, const void *object,
						 size_t *new_count)
{
	const struct ath_member **columns =
		ath_new(arena, const struct ath_member *, model->member_count);

	*new_count = 0;
	for (size_t i = 0; columns != NULL && i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (member->kind == ATH_MEMBER_COLUMN &&
		    !ath_sql_insert_returns(model, member, object))
			columns[(*new_count)++] = member;
	}
	return columns;
}

/* The values that go into so many columns. */
static void take_new_values(struct ath_sql *sql, const struct ath_member *const *columns,
			    size_t count, const void *object)
{
	for (size_t i = 0; i < count; i++) {
		struct ath_value *value = &sql->params[sql->param_count++];

		*value = ath_member_get(columns[i], object);
		(void)!send_value(sql, columns[i], value, true);
	}
}

static bool expect_params(struct ath_sql *sql, size_t count)
{
	sql->params = ath_arena_alloc(sql->text.arena, count * sizeof *sql->params);
	sql->param_capacity = count;
	sql->text.failed = sql->text.failed || sql->params == NULL;
	return !sql->text.failed;
}

static void put_insert(struct ath_sql *sql, const struct ath_model *model, const void *object)
{
	const struct ath_member **columns;
	size_t count;

	put(sql, "INSERT INTO ");
	ath_sql_put_table(sql, model->table);
	if (!put_filtered(sql, model, object, ath_sql_insert_returns, false, " (")) {
		put(sql, " DEFAULT VALUES");
		return;
	}
	columns = ath_sql_insert_columns(sql->text.arena, model, object, &count);
	if (columns == NULL || !expect_params(sql, count)) {
		sql->text.failed = true;
		return;
	}
	take_new_values(sql, columns, count, object);
	for (size_t i = 1; i <= count; i++) {
		put(sql, i == 1 ? ") VALUES ($" : ", $");
		ath_buffer_int64(&sql->text, (int64_t)i);
	}
	put(sql, ")");
}

void ath_sql_insert(struct ath_sql *sql, const struct ath_model *model, const void *object)
{
	put_insert(sql, model, object);
	put_filtered(sql, model, object, ath_sql_insert_returns, true, " RETURNING ");
}

enum ath_status ath_sql_fill(struct ath_sql *sql, const struct ath_shaped *shaped,
			     const void *object, const void *old, struct ath_statement *statement)
{
	size_t count = shaped->statement.param_count;

	*statement = shaped->statement;
	if (!expect_params(sql, count))
		return ath_error_set(&sql->error, ATH_ENOMEM, "no memory for a statement");
	take_new_values(sql, shaped->columns, shaped->new_count, object);
	for (size_t i = shaped->new_count; i < count; i++)
		sql->params[sql->param_count++] = ath_member_get(shaped->columns[i], old);
	statement->params = sql->params;
	return sql->text.failed
		       ? ath_error_set(&sql->error, ATH_ENOMEM, "no memory for a statement")
		       : sql->error.status;
}

/*
 * Around an UPDATE or DELETE that is committed in the same round trip: divides by the number
 * of rows it met, so that the server itself refuses the transaction when there is none. The row
 * comes behind that, so that nothing is left out when it is not there.
 */
static void open_guard(struct ath_sql *sql, bool guarded)
{
	if (guarded)
		put(sql, "WITH met AS (");
}

static void close_guard(struct ath_sql *sql, bool guarded, bool returns)
{
	if (!guarded)
		return;
	put(sql, returns ? ") SELECT met.* FROM (SELECT 1 / count(*) AS one FROM met) AS guard "
			   "LEFT JOIN met ON guard.one = 1"
			 : " RETURNING 1) SELECT 1 / count(*) FROM met");
}

bool ath_sql_update_returns(const struct ath_model *model, const struct ath_member *column,
			    const void *object)
{
	(void)model;
	(void)object;
	return column->kind == ATH_MEMBER_COLUMN && column->generated != NULL;
}

static void put_changes(struct ath_sql *sql, const struct ath_model *model, const void *object,
			const void *old)
{
	const struct ath_member *keys[ATH_MAX_KEYS];
	const char *before = " SET ";

	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (!ath_column_is_changed(member, object, old))
			continue;
		if (member->primary_key)
			ath_error_set(&sql->error, ATH_EINVAL,
				      "the primary key %s.%s was changed: delete and add instead",
				      model->table, member->name);
		put(sql, before);
		put_column(sql, member);
		put(sql, " = ");
		put_new_value(sql, member, ath_member_get(member, object));
		before = ", ";
	}
	if (*before == ',')
		return;
	ath_model_keys(model, keys); /* a hook has taken the changes back */
	put(sql, before);
	put_column(sql, keys[0]);
	put(sql, " = ");
	put_column(sql, keys[0]);
}

const struct ath_member **ath_sql_update_columns(struct ath_arena *arena,
						 const struct ath_model *model, const void *object,
						 const void *old, size_t *new_count)
{
	const struct ath_member *version = ath_model_version(model);
	const struct ath_member **columns =
		ath_new(arena, const struct ath_member *, model->member_count + ATH_MAX_KEYS + 1);
	size_t count = 0;

	*new_count = 0;
	if (columns == NULL)
		return NULL;
	for (size_t i = 0; i < model->member_count; i++)
		if (ath_column_is_changed(&model->members[i], object, old))
			columns[count++] = &model->members[i];
	*new_count = count;
	count += ath_model_keys(model, columns + count);
	columns[count] = version;
	return columns;
}

void ath_sql_update(struct ath_sql *sql, const struct ath_model *model, const void *object,
		    const void *old, bool guarded)
{
	bool returns;

	open_guard(sql, guarded);
	put(sql, "UPDATE ");
	ath_sql_put_table(sql, model->table);
	put_changes(sql, model, object, old);
	put_key_equals(sql, model, old);
	returns = put_filtered(sql, model, object, ath_sql_update_returns, true, " RETURNING ");
	close_guard(sql, guarded, returns);
}

void ath_sql_delete(struct ath_sql *sql, const struct ath_model *model, const void *object,
		    bool guarded)
{
	open_guard(sql, guarded);
	put(sql, "DELETE FROM ");
	ath_sql_put_table(sql, model->table);
	put_key_equals(sql, model, object);
	close_guard(sql, guarded, false);
}

/* ---- upsert ------------------------------------------------------------------------------- */

static bool is_in(const struct ath_columns *columns, size_t offset)
{
	for (size_t i = 0; i < columns->count; i++)
		if (columns->offsets[i] == offset)
			return true;
	return false;
}

static bool any_column(const struct ath_model *model, const struct ath_member *column,
		       const void *object)
{
	(void)model;
	(void)column;
	(void)object;
	return true;
}

/* "name" = EXCLUDED."name", and the version counts on. */
static void put_excluded(struct ath_sql *sql, const struct ath_model *model,
			 const struct ath_member *column)
{
	put_column(sql, column);
	put(sql, " = ");
	if (column->version) {
		ath_sql_put_table(sql, model->table);
		put(sql, ".");
		put_column(sql, column);
		put(sql, " + 1");
		return;
	}
	put(sql, "EXCLUDED.");
	put_column(sql, column);
}

void ath_sql_upsert(struct ath_sql *sql, const struct ath_model *model, const void *object,
		    struct ath_columns conflict)
{
	const struct ath_member *first = NULL;
	const char *before = ") DO UPDATE SET ";

	put_insert(sql, model, object);
	for (size_t i = 0; i < conflict.count; i++) {
		const struct ath_member *column = ath_model_column(model, conflict.offsets[i]);

		if (column == NULL) {
			ath_error_set(&sql->error, ATH_EINVAL, "ATH_ON names no column of %s",
				      model->name);
			return;
		}
		first = first == NULL ? column : first;
		put(sql, i == 0 ? " ON CONFLICT (" : ", ");
		put_column(sql, column);
	}
	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (member->kind != ATH_MEMBER_COLUMN || member->primary_key ||
		    ath_sql_insert_returns(model, member, object) ||
		    is_in(&conflict, member->offset))
			continue;
		put(sql, before);
		put_excluded(sql, model, member);
		before = ", ";
	}
	if (*before == ')' && first != NULL) { /* so that the row comes back all the same */
		put(sql, before);
		put_excluded(sql, model, first);
	}
	put_filtered(sql, model, object, any_column, true, " RETURNING ");
}

/* ---- many rows ---------------------------------------------------------------------------- */

/* One column of objects that lie side by side. */
struct stripe {
	const struct ath_member *column;
	const char *objects;
	size_t size;
};

static const void *stripe_item(const void *items, size_t i)
{
	const struct stripe *stripe = items;
	const struct ath_member *column = stripe->column;
	const char *at = stripe->objects + i * stripe->size + column->offset;

	if (column->nullable_struct && !*(const bool *)(at + ath_type_flag(column->type)))
		return NULL;
	return at;
}

/* An enum's text. */
static const void *stripe_text(const void *items, size_t i)
{
	const struct stripe *stripe = items;
	const unsigned *number = stripe_item(items, i);

	return number == NULL ? NULL : &stripe->column->values[*number]; /* it was checked */
}

/* Where there is no NULL, no bytes are just none. */
static const void *stripe_bytes(const void *items, size_t i)
{
	static const struct ath_bytes none = { (const unsigned char *)"", 0 };
	const struct stripe *stripe = items;
	const struct ath_bytes *bytes = stripe_item(items, i);

	return bytes->data == NULL && !stripe->column->nullable ? &none : bytes;
}

/* An array has no place in the array that unnest() takes apart. */
static bool check_stripe(struct ath_sql *sql, const struct stripe *stripe, size_t count)
{
	const struct ath_member *column = stripe->column;

	if (ath_member_get(column, stripe->objects).array) {
		ath_error_set(&sql->error, ATH_EINVAL,
			      "%s is an array: add such rows one by one instead", column->name);
		return false;
	}
	if (column->type != ATH_TYPE_ENUM && column->type != ATH_TYPE_DECIMAL)
		return true;
	for (size_t i = 0; i < count; i++) {
		struct ath_value value = ath_member_get(column, stripe->objects + i * stripe->size);

		if (!send_value(sql, column, &value, true)) {
			size_t end = strlen(sql->error.message);

			snprintf(sql->error.message + end, sizeof sql->error.message - end,
				 " (row %zu)", i);
			return false;
		}
	}
	return true;
}

static void put_stripe(struct ath_sql *sql, const struct ath_model *model,
		       const struct ath_member *column, const char *objects, size_t count)
{
	struct stripe *stripe = ath_new(sql->text.arena, struct stripe, 1);
	struct ath_value value = { .type = column->type, .array = true, .count = count };

	if (stripe == NULL) {
		sql->text.failed = true;
		return;
	}
	*stripe = (struct stripe){ column, objects, model->size };
	if (!check_stripe(sql, stripe, count))
		return;
	value.type = column->type == ATH_TYPE_ENUM ? ATH_TYPE_TEXT : column->type;
	value.as.list.items = stripe;
	value.as.list.item = column->type == ATH_TYPE_ENUM    ? stripe_text
			     : column->type == ATH_TYPE_BYTES ? stripe_bytes
							      : stripe_item;
	ath_sql_put_param(sql, value);
	put(sql, "::");
	put(sql, ath_sql_type(column->type));
	put(sql, "[]");
}

/*
 * By arrays, a column each, and in the order in which they are: RETURNING gives the rows in the
 * order in which they were inserted.
 */
void ath_sql_insert_all(struct ath_sql *sql, const struct ath_model *model, const char *objects,
			size_t count)
{
	const char *before = " FROM unnest(";

	put(sql, "INSERT INTO ");
	ath_sql_put_table(sql, model->table);
	if (!put_filtered(sql, model, objects, ath_sql_insert_returns, false, " (")) {
		ath_error_set(&sql->error, ATH_EINVAL, "%s has no column to insert", model->name);
		return;
	}
	put(sql, ")");
	put_filtered(sql, model, objects, ath_sql_insert_returns, false, " SELECT ");
	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (member->kind != ATH_MEMBER_COLUMN ||
		    ath_sql_insert_returns(model, member, objects))
			continue;
		put(sql, before);
		put_stripe(sql, model, member, objects, count);
		before = ", ";
	}
	put(sql, ") WITH ORDINALITY AS rows");
	put_filtered(sql, model, objects, ath_sql_insert_returns, false, " (");
	put(sql, ", ath_place) ORDER BY ath_place");
	put_filtered(sql, model, objects, ath_sql_insert_returns, true, " RETURNING ");
}

/* ---- all rows of a query ------------------------------------------------------------------- */

static void put_assignment(struct ath_sql *sql, const struct ath_query *query,
			   const struct ath_assignment *assignment)
{
	const struct ath_member *column = ath_model_column(query->model, assignment->offset);
	const struct ath_expression *expression = &assignment->expression;

	if (assignment->model != query->model || column == NULL) {
		ath_error_set(&sql->error, ATH_EINVAL, "an assignment names no column of %s",
			      query->model->name);
		return;
	}
	put_column(sql, column);
	put(sql, " = ");
	if (expression->op == ATH_OP_VALUE)
		put_new_value(sql, column, expression->value);
	else
		ath_sql_put_expression(sql, query, expression);
}

static bool is_assigned(const struct ath_member *column, const struct ath_assignment *assignments,
			size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (assignments[i].offset == column->offset)
			return true;
	return false;
}

/* The columns that are filled in anew for each UPDATE, unless they are set by hand. */
static void put_update_functions(struct ath_sql *sql, const struct ath_model *model,
				 const struct ath_assignment *assignments, size_t count)
{
	char *object = NULL;

	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *column = &model->members[i];

		if (column->update_function == NULL || is_assigned(column, assignments, count))
			continue;
		if (object == NULL)
			object = ath_arena_zalloc(sql->text.arena, 1, model->size);
		if (object == NULL) {
			sql->text.failed = true;
			return;
		}
		if (!column->update_function(object + column->offset))
			ath_error_set(&sql->error, ATH_EIO, "no value can be had for %s",
				      column->name);
		if (column->nullable_struct)
			*(bool *)(object + column->offset + ath_type_flag(column->type)) = true;
		put(sql, ", ");
		put_column(sql, column);
		put(sql, " = ");
		put_new_value(sql, column, ath_member_get(column, object));
	}
}

void ath_sql_update_where(struct ath_sql *sql, const struct ath_query *query,
			  const struct ath_assignment *assignments, size_t count)
{
	const struct ath_member *version = ath_model_version(query->model);
	struct ath_scope scope = { .query = query, .qualified = query->nested };

	if (ath_sql_take_mistake(sql, query))
		return;
	sql->tables = 1;
	put(sql, "UPDATE ");
	ath_sql_put_table(sql, query->model->table);
	put(sql, query->nested ? " AS \"t0\"" : "");
	for (size_t i = 0; i < count; i++) {
		put(sql, i == 0 ? " SET " : ", ");
		put_assignment(sql, query, &assignments[i]);
	}
	put_update_functions(sql, query->model, assignments, count);
	if (version != NULL) { /* who has read one of them before finds it changed */
		put(sql, ", ");
		put_column(sql, version);
		put(sql, " = ");
		put_column(sql, version);
		put(sql, " + 1");
	}
	ath_sql_put_where(sql, &scope);
}

void ath_sql_delete_where(struct ath_sql *sql, const struct ath_query *query)
{
	struct ath_scope scope = { .query = query, .qualified = query->nested };

	if (ath_sql_take_mistake(sql, query))
		return;
	sql->tables = 1;
	put(sql, "DELETE FROM ");
	ath_sql_put_table(sql, query->model->table);
	put(sql, query->nested ? " AS \"t0\"" : "");
	ath_sql_put_where(sql, &scope);
}
