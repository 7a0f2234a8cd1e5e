/* model.c - looking things up in a model, and the check of all models at start. */
#include <stdio.h>

#include "base/internal.h"
#include "orm/internal.h"

enum { MAX_NAME = 63 };

static bool is_column(const struct ath_member *member)
{
	return member->kind == ATH_MEMBER_COLUMN;
}

bool ath_member_is_relation(const struct ath_member *member)
{
	return member->kind >= ATH_MEMBER_HAS_MANY && member->kind <= ATH_MEMBER_MANY_TO_MANY;
}

bool ath_member_is_nested(const struct ath_member *member)
{
	return member->kind == ATH_MEMBER_OBJECT || member->kind == ATH_MEMBER_LIST;
}

static bool is_required_object(const struct ath_member *member)
{
	return member->kind == ATH_MEMBER_OBJECT && !member->nullable;
}

/* Has it a place in the struct? */
static bool has_place(const struct ath_member *member)
{
	return is_column(member) || ath_member_is_relation(member) || ath_member_is_nested(member);
}

size_t ath_model_keys(const struct ath_model *model, const struct ath_member **keys)
{
	size_t count = 0;

	for (size_t i = 0; i < model->member_count && count < ATH_MAX_KEYS; i++)
		if (model->members[i].primary_key)
			keys[count++] = &model->members[i];
	return count;
}

const struct ath_member *ath_model_key(const struct ath_model *model)
{
	const struct ath_member *keys[ATH_MAX_KEYS];

	return ath_model_keys(model, keys) == 1 ? keys[0] : NULL;
}

bool ath_model_is_tracked(const struct ath_model *model)
{
	const struct ath_member *keys[ATH_MAX_KEYS];

	return model->kind != ATH_RESULT && ath_model_keys(model, keys) > 0;
}

const struct ath_member *ath_model_column(const struct ath_model *model, size_t offset)
{
	for (size_t i = 0; i < model->member_count; i++)
		if (model->members[i].offset == offset && is_column(&model->members[i]))
			return &model->members[i];
	return NULL;
}

const struct ath_member *ath_model_relation(const struct ath_model *model, size_t offset)
{
	for (size_t i = 0; i < model->member_count; i++)
		if (model->members[i].offset == offset &&
		    ath_member_is_relation(&model->members[i]))
			return &model->members[i];
	return NULL;
}

const struct ath_member *ath_model_version(const struct ath_model *model)
{
	for (size_t i = 0; i < model->member_count; i++)
		if (model->members[i].version)
			return &model->members[i];
	return NULL;
}

size_t ath_model_columns(const struct ath_model *model)
{
	size_t count = 0;

	for (size_t i = 0; i < model->member_count; i++)
		count += is_column(&model->members[i]);
	return count;
}

const char *ath_column_name(const struct ath_member *column)
{
	return column->column == NULL ? column->name : column->column;
}

bool ath_column_is_nullable(const struct ath_member *column)
{
	return column->nullable_struct || column->nullable;
}

static bool is_integer(enum ath_type type)
{
	return type == ATH_TYPE_INT16 || type == ATH_TYPE_INT32 || type == ATH_TYPE_INT64;
}

bool ath_column_has_check(const struct ath_member *column)
{
	if (column->type == ATH_TYPE_ENUM)
		return true;
	if (column->type == ATH_TYPE_TEXT)
		return column->min_length > 0 || (column->max_length > 0 && !column->varchar);
	return column->min != column->max;
}

bool ath_column_is_read_only(const struct ath_member *column)
{
	return column->read_only || column->identity || column->generated != NULL;
}

bool ath_column_is_filled(const struct ath_model *model, const struct ath_member *column)
{
	return ath_column_is_read_only(column) || column->server_default != NULL ||
	       (column->primary_key && is_integer(column->type) && column->references == NULL &&
		ath_model_key(model) == column);
}

static size_t align(size_t offset, size_t alignment)
{
	return (offset + alignment - 1) / alignment * alignment;
}

/* Every object adds to the sum, so that those which lead back to themselves come to an end. */
static void add_extent(const struct ath_model *model, size_t *extent)
{
	*extent += align(model->size, _Alignof(max_align_t));
	for (size_t i = 0; i < model->member_count && *extent <= ATH_BEYOND; i++)
		if (is_required_object(&model->members[i]))
			add_extent(model->members[i].target, extent);
}

size_t ath_model_extent(const struct ath_model *model)
{
	size_t extent = 0;

	add_extent(model, &extent);
	return extent;
}

/* What must be there is: a handler may look at it, whatever the client sent. */
static void fill_text(const struct ath_member *column, void *object)
{
	const char *text = column->type == ATH_TYPE_JSON ? "null" : "";

	if ((column->type == ATH_TYPE_TEXT || column->type == ATH_TYPE_JSON) && !column->nullable &&
	    ath_member_is_unset(column, object))
		ath_member_set(column, object, &text);
}

enum ath_status ath_model_lay_out(const struct ath_model *model, char **memory,
				  struct ath_error *error)
{
	char *object = *memory;
	enum ath_status status = ath_fill_defaults(model, object, error);

	*memory += align(model->size, _Alignof(max_align_t));
	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (is_column(member) && model->kind == ATH_SHAPE)
			fill_text(member, object);
		if (!is_required_object(member))
			continue;
		memcpy(object + member->offset, memory, sizeof *memory);
		if (ath_model_lay_out(member->target, memory, error) != ATH_OK)
			status = error->status;
	}
	return status;
}

/* ---- foreign keys ------------------------------------------------------------------------- */

bool ath_member_reference(const struct ath_model *model, const struct ath_member *member,
			  struct ath_reference *reference)
{
	if (member->references == NULL)
		return false;
	*reference = (struct ath_reference){ .target = member->references };
	reference->count = ath_model_keys(member->references, reference->keys);
	if (is_column(member)) {
		reference->columns[0] = member;
		return reference->count == 1;
	}
	for (size_t i = 0; i < member->columns.count && i < ATH_MAX_KEYS; i++)
		reference->columns[i] = ath_model_column(model, member->columns.offsets[i]);
	return member->columns.count == reference->count;
}

/* ---- constraints -------------------------------------------------------------------------- */

void ath_constraint_name(const struct ath_model *model, const struct ath_member *member,
			 const char *prefix, struct ath_buffer *name)
{
	const char *dot = strchr(model->table, '.');

	ath_buffer_printf(name, "%s_%s", prefix, dot == NULL ? model->table : dot + 1);
	if (member == NULL)
		return;
	if (is_column(member))
		ath_buffer_printf(name, "_%s", ath_column_name(member));
	else if (member->name != NULL)
		ath_buffer_printf(name, "_%s", member->name);
	else
		for (size_t i = 0; i < member->columns.count; i++) {
			const struct ath_member *column =
				ath_model_column(model, member->columns.offsets[i]);

			ath_buffer_printf(name, "_%s",
					  column == NULL ? "" : ath_column_name(column));
		}
}

static bool is_named(const struct ath_model *model, const struct ath_member *member,
		     const char *prefix, const char *constraint)
{
	struct ath_buffer name;
	bool same;

	ath_buffer_init(&name, NULL, 1024);
	ath_constraint_name(model, member, prefix, &name);
	same = strcmp(ath_buffer_c_string(&name), constraint) == 0;
	ath_buffer_free(&name);
	return same;
}

/* The columns that a member as a constraint speaks of. */
static size_t members_of(const struct ath_model *model, const struct ath_member *member,
			 const struct ath_member **columns)
{
	if (is_column(member)) {
		*columns = member;
		return 1;
	}
	for (size_t i = 0; i < member->columns.count; i++)
		columns[i] = ath_model_column(model, member->columns.offsets[i]);
	return member->columns.count;
}

static const char *const prefixes[] = { "uq", "fk", "ck", "ix" };

size_t ath_constraint_members(const struct ath_model *const *models, const char *constraint,
			      const struct ath_member **columns)
{
	for (; *models != NULL; models++) {
		const struct ath_model *model = *models;

		if (model->kind != ATH_TABLE)
			continue;
		if (is_named(model, NULL, "pk", constraint))
			return ath_model_keys(model, columns);
		for (size_t i = 0; i < model->member_count; i++)
			for (size_t p = 0; p < ATH_COUNT(prefixes); p++)
				if (!ath_member_is_relation(&model->members[i]) &&
				    is_named(model, &model->members[i], prefixes[p], constraint))
					return members_of(model, &model->members[i], columns);
	}
	return 0;
}

/* ---- the check at start ------------------------------------------------------------------- */

struct check {
	const struct ath_model *const *models;
	const struct ath_model *model;
	const struct ath_member *member; /* NULL: the model as a whole */
	struct ath_error *error;
};

static void refuse(const struct check *check, const char *rule)
{
	if (check->member == NULL)
		ath_error_set(check->error, ATH_EINVAL, "model %s: %s", check->model->name, rule);
	else
		ath_error_set(check->error, ATH_EINVAL, "model %s, member %s: %s",
			      check->model->name,
			      check->member->name == NULL ? "(a rule)" : check->member->name, rule);
}

#define LOWER_CASE "abcdefghijklmnopqrstuvwxyz0123456789_"

static bool is_made_of(const char *name, const char *characters)
{
	size_t length = strlen(name);

	return length > 0 && length <= MAX_NAME && strspn(name, characters) == length &&
	       (*name < '0' || *name > '9');
}

static bool is_identifier(const char *name)
{
	return is_made_of(name, LOWER_CASE);
}

static bool is_table_name(const char *table)
{
	const char *dot = strchr(table, '.');
	char schema[MAX_NAME + 1];

	if (dot == NULL)
		return is_identifier(table);
	if ((size_t)(dot - table) > MAX_NAME)
		return false;
	memcpy(schema, table, (size_t)(dot - table));
	schema[dot - table] = '\0';
	return is_identifier(schema) && is_identifier(dot + 1);
}

/* A too long name would be cut by the server, and stand for two things. */
static bool constraint_fits(const struct check *check)
{
	struct ath_buffer name;
	bool fits;

	ath_buffer_init(&name, NULL, 4096);
	ath_constraint_name(check->model, check->member, "xx", &name);
	fits = !name.failed && name.length <= MAX_NAME;
	ath_buffer_free(&name);
	return fits;
}

static bool is_model_listed(const struct check *check, const struct ath_model *model)
{
	for (const struct ath_model *const *each = check->models; *each != NULL; each++)
		if (*each == model)
			return true;
	return false;
}

static void check_key(const struct check *check)
{
	const struct ath_member *column = check->member;

	if (ath_column_is_nullable(column))
		refuse(check, "a primary key cannot be NULL");
	if (!is_integer(column->type) && column->type != ATH_TYPE_TEXT &&
	    column->type != ATH_TYPE_UUID && column->type != ATH_TYPE_TIMESTAMP &&
	    column->type != ATH_TYPE_DATE)
		refuse(check, "a primary key is an integer, a text, a uuid, a date or a timestamp");
}

static bool is_pointer(enum ath_type type)
{
	return ath_type_flag(type) == 0;
}

static void check_text_options(const struct check *check)
{
	const struct ath_member *column = check->member;
	bool text = column->type == ATH_TYPE_TEXT;
	bool bytes = column->type == ATH_TYPE_BYTES && check->model->kind == ATH_SHAPE;

	if (!text && (column->min_length > 0 || (column->max_length > 0 && !bytes) ||
		      column->varchar || column->format != ATH_ANY_TEXT))
		refuse(check, "min_length, max_length, varchar and format are for texts");
	if (text && column->max_length > 0 && column->min_length > column->max_length)
		refuse(check, "min_length is above max_length");
	if (column->varchar && column->max_length == 0)
		refuse(check, "a varchar has a max_length");
	if (!is_pointer(column->type) && column->nullable)
		refuse(check, "only a pointer may be .nullable: use a struct ath_null_...");
}

static bool is_number(enum ath_type type)
{
	return is_integer(type) || type == ATH_TYPE_DOUBLE || type == ATH_TYPE_DECIMAL;
}

static void check_default(const struct check *check)
{
	const struct ath_member *column = check->member;
	bool zero = is_number(column->type) || column->type == ATH_TYPE_BOOL ||
		    column->type == ATH_TYPE_ENUM;

	if (column->server_default != NULL && !column->read_only && !column->nullable_struct &&
	    zero)
		refuse(check, "zero is a value: for a server_default make it .read_only or a "
			      "struct ath_null_...");
	if (column->default_value != NULL && column->default_function != NULL)
		refuse(check, "it has two defaults");
	if (column->generated != NULL && column->server_default != NULL)
		refuse(check, "a generated column has no default");
	if (ath_column_is_read_only(column) &&
	    (column->default_value != NULL || column->default_function != NULL ||
	     column->update_function != NULL))
		refuse(check, "what the database fills in is not filled in here");
}

static void check_items(const struct check *check)
{
	const struct ath_member *member = check->member;
	bool list = member->kind == ATH_MEMBER_LIST ||
		    (is_column(member) && check->model->kind == ATH_SHAPE &&
		     (member->type == ATH_TYPE_TEXT_ARRAY || member->type == ATH_TYPE_INT64_ARRAY ||
		      member->type == ATH_TYPE_UUID_ARRAY));

	if (!list && (member->min_items > 0 || member->max_items > 0))
		refuse(check, "min_items and max_items are for the arrays and lists of a shape");
	if (member->max_items > 0 && member->min_items > member->max_items)
		refuse(check, "min_items is above max_items");
}

static void check_values(const struct check *check)
{
	const struct ath_member *column = check->member;

	if (column->type != ATH_TYPE_ENUM) {
		if (column->values != NULL)
			refuse(check, "values are for an enum");
		return;
	}
	if (column->values == NULL || column->values[0] == NULL) {
		refuse(check, "an enum needs its .values");
		return;
	}
	for (size_t i = 0; column->values[i] != NULL; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(column->values[i], column->values[j]) == 0)
				refuse(check, "two of its values are the same");
}

static void check_number_options(const struct check *check)
{
	const struct ath_member *column = check->member;

	if (!is_number(column->type) && column->min != column->max)
		refuse(check, "min and max are for numbers");
	if (column->min > column->max)
		refuse(check, "min is above max");
	if (column->type == ATH_TYPE_DECIMAL
		    ? column->precision < 1 || column->precision > ATH_DECIMAL_DIGITS
		    : column->precision != 0 || column->scale != 0)
		refuse(check, column->type == ATH_TYPE_DECIMAL
				      ? "a decimal has a .precision from 1 to 38"
				      : "precision and scale are for decimals");
	if (column->scale < 0 || column->scale > column->precision)
		refuse(check, "scale is from 0 to precision");
	if (column->identity && !is_integer(column->type))
		refuse(check, "an identity is an integer");
	if (column->version && (column->type == ATH_TYPE_INT16 || !is_integer(column->type) ||
				column->nullable_struct || ath_column_is_read_only(column)))
		refuse(check, "a version is an int32_t or int64_t that is sent");
}

static void check_options(const struct check *check)
{
	if (check->member->column != NULL && !is_identifier(check->member->column))
		refuse(check, "a name is made of a-z, 0-9 and _, and is at most 63 long");
	check_text_options(check);
	check_number_options(check);
	check_items(check);
	check_values(check);
	check_default(check);
	if (check->member->primary_key)
		check_key(check);
}

static void check_reference(const struct check *check)
{
	const struct ath_member *member = check->member;
	struct ath_reference reference;

	if (member->references == NULL) {
		if (member->on_delete != ATH_RESTRICT || member->on_update != ATH_RESTRICT)
			refuse(check, "on_delete and on_update need .references");
		return;
	}
	if (!is_model_listed(check, member->references)) {
		refuse(check, "the model it references is not in the list of models");
		return;
	}
	if (member->references->kind != ATH_TABLE && check->model->kind == ATH_TABLE) {
		refuse(check, "what it references is no table");
		return;
	}
	if (!ath_member_reference(check->model, member, &reference)) {
		refuse(check, "it has other columns than the primary key it references");
		return;
	}
	for (size_t i = 0; i < reference.count; i++) {
		const struct ath_member *column = reference.columns[i];

		if (column == NULL)
			refuse(check, "it names a member that is no column");
		else if (reference.keys[i]->type != column->type)
			refuse(check, "it has another type than the primary key it references");
		else if ((member->on_delete == ATH_SET_NULL || member->on_update == ATH_SET_NULL) &&
			 !ath_column_is_nullable(column))
			refuse(check, "it cannot be set NULL");
	}
}

static bool leads_to(const struct ath_member *key, const struct ath_model *model)
{
	return key != NULL && key->references == model;
}

static void check_relation(const struct check *check)
{
	const struct ath_member *relation = check->member;
	const struct ath_model *through = relation->through;

	if (!is_model_listed(check, relation->target) ||
	    (through != NULL && !is_model_listed(check, through)))
		refuse(check, "its model is not in the list of models");
	else if (relation->kind == ATH_MEMBER_BELONGS_TO
			 ? !leads_to(ath_model_column(check->model, relation->key_offset),
				     relation->target)
		 : through == NULL
			 ? !leads_to(ath_model_column(relation->target, relation->key_offset),
				     check->model)
			 : !leads_to(ath_model_column(through, relation->near_offset),
				     check->model) ||
				   !leads_to(ath_model_column(through, relation->far_offset),
					     relation->target))
		refuse(check, "its key does not reference the other model");
	else if ((relation->kind != ATH_MEMBER_BELONGS_TO && ath_model_key(check->model) == NULL) ||
		 ((relation->kind == ATH_MEMBER_BELONGS_TO || through != NULL) &&
		  ath_model_key(relation->target) == NULL))
		refuse(check, "a relation goes over a primary key of one column");
}

static void check_rule(const struct check *check)
{
	const struct ath_member *rule = check->member;

	if (rule->columns.count > ATH_CONSTRAINT_COLUMNS)
		refuse(check, "more columns than a constraint has");
	if (rule->columns.count == 0 &&
	    (rule->kind == ATH_MEMBER_UNIQUE ||
	     (rule->kind == ATH_MEMBER_INDEX && rule->expression == NULL)))
		refuse(check, "it names no column");
	if (rule->comment != NULL && rule->kind != ATH_MEMBER_COMMENT)
		refuse(check, "a comment is one of a column or of the table");
	for (size_t i = 0; i < rule->columns.count; i++)
		if (ath_model_column(check->model, rule->columns.offsets[i]) == NULL)
			refuse(check, "it names a member that is no column");
	if (rule->name != NULL && !is_identifier(rule->name))
		refuse(check, "a name is made of a-z, 0-9 and _, and is at most 63 long");
	if (rule->kind != ATH_MEMBER_COMMENT && rule->kind != ATH_MEMBER_HOOK &&
	    !constraint_fits(check))
		refuse(check, "table and columns together are too long for a constraint's name");
	if (rule->kind == ATH_MEMBER_FOREIGN_KEY)
		check_reference(check);
}

/* ---- shapes --------------------------------------------------------------------------------- */

/* What only a database could do. */
static void check_shape_column(const struct check *check)
{
	const struct ath_member *column = check->member;

	if (column->column != NULL || column->primary_key || column->index || column->unique ||
	    ath_column_is_read_only(column) || column->version || column->varchar ||
	    column->references != NULL || column->server_default != NULL ||
	    column->update_function != NULL)
		refuse(check, "it says something of a table, and a shape has none");
}

static void check_nested(const struct check *check)
{
	const struct ath_member *member = check->member;

	if (member->target->kind != ATH_SHAPE && !is_model_listed(check, member->target))
		refuse(check, "its model is not in the list of models");
	if (member->default_value != NULL || member->default_function != NULL ||
	    member->values != NULL || member->format != ATH_ANY_TEXT ||
	    member->min != member->max || member->min_length > 0 || member->max_length > 0)
		refuse(check, "an object may be .nullable, a list have .min_items and .max_items");
	check_items(check);
}

static bool is_for_shapes(const struct ath_member *member)
{
	return ath_member_is_nested(member) || member->kind == ATH_MEMBER_IGNORE_UNKNOWN;
}

static void check_shape(const struct check *check)
{
	const struct ath_member *member = check->member;

	if (check->model->kind != ATH_SHAPE) {
		refuse(check, "objects, lists and ATH_IGNORE_UNKNOWN are for shapes");
		return;
	}
	if (member->kind == ATH_MEMBER_IGNORE_UNKNOWN)
		return;
	if (!has_place(member) || ath_member_is_relation(member)) {
		refuse(check, "a shape has columns, objects and lists alone");
		return;
	}
	if (!is_made_of(member->name, LOWER_CASE "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		refuse(check, "a name is made of letters of ASCII, 0-9 and _, and is at most 63 "
			      "long");
	if (is_column(member)) {
		check_shape_column(check);
		check_options(check);
	} else {
		check_nested(check);
	}
}

/* ---- layout --------------------------------------------------------------------------------- */

static size_t alignment_of(const struct ath_member *member)
{
	if (!is_column(member) || is_pointer(member->type))
		return _Alignof(void *);
	switch (member->type) {
#define X(type_, c_type, name)                                                                     \
	case ATH_TYPE_##type_:                                                                     \
		return _Alignof(c_type);
		ATH_SCALAR_MAP(X)
#undef X
	default:
		return _Alignof(void *);
	}
}

static void check_layout(struct check *check, size_t *end, size_t *widest)
{
	const struct ath_member *member = check->member;
	size_t alignment = alignment_of(member);

	if (member->offset < *end)
		refuse(check, "it stands twice, or not in the order of the struct");
	else if (member->offset != align(*end, alignment))
		refuse(check, "a member of the struct before it is not in the model");
	*end = member->offset + member->size;
	*widest = alignment > *widest ? alignment : *widest;
}

static void check_member(const struct check *check)
{
	if (check->model->kind == ATH_SHAPE || is_for_shapes(check->member)) {
		check_shape(check);
		return;
	}
	if (!is_column(check->member) && !ath_member_is_relation(check->member)) {
		check_rule(check);
		return;
	}
	if (!is_identifier(check->member->name))
		refuse(check, "a name is made of a-z, 0-9 and _, and is at most 63 long");
	if (is_column(check->member)) {
		check_options(check);
		if (check->model->kind == ATH_TABLE && !constraint_fits(check))
			refuse(check,
			       "table and member together are too long for a constraint's name");
		check_reference(check);
	} else if (check->model->kind == ATH_RESULT) {
		refuse(check, "a result has no relations");
	} else {
		check_relation(check);
	}
}

/* Does the member make a rule of its table whose name begins with this? */
static bool makes_rule(const struct ath_member *member, const char *prefix)
{
	const char *own = "";

	switch (member->kind) {
	case ATH_MEMBER_COLUMN:
		return strcmp(prefix, "uq") == 0   ? member->unique
		       : strcmp(prefix, "fk") == 0 ? member->references != NULL
		       : strcmp(prefix, "ck") == 0 ? ath_column_has_check(member)
						   : ath_sql_needs_index(member);
	case ATH_MEMBER_INDEX:
		own = member->unique ? "uq" : "ix";
		break;
	case ATH_MEMBER_UNIQUE:
		own = "uq";
		break;
	case ATH_MEMBER_CHECK:
		own = "ck";
		break;
	case ATH_MEMBER_FOREIGN_KEY:
		own = "fk";
		break;
	default:
		break;
	}
	return strcmp(prefix, own) == 0;
}

/* Of two rules of one name the database has the first only, or refuses the table. */
static void check_rule_names(struct check *check, size_t which, const char *prefix)
{
	const struct ath_model *model = check->model;
	struct ath_buffer name;
	char rule[120];

	ath_buffer_init(&name, NULL, 1024);
	ath_constraint_name(model, &model->members[which], prefix, &name);
	for (size_t i = 0; i < which; i++) {
		if (!makes_rule(&model->members[i], prefix) ||
		    !is_named(model, &model->members[i], prefix, ath_buffer_c_string(&name)))
			continue;
		check->member = &model->members[i];
		snprintf(rule, sizeof rule, "another rule has its name, %s",
			 ath_buffer_c_string(&name));
		refuse(check, rule);
	}
	ath_buffer_free(&name);
}

static void check_all_rule_names(struct check *check)
{
	for (size_t i = 0; check->model->kind == ATH_TABLE && i < check->model->member_count; i++)
		for (size_t p = 0; p < ATH_COUNT(prefixes); p++)
			if (makes_rule(&check->model->members[i], prefixes[p]))
				check_rule_names(check, i, prefixes[p]);
	check->member = NULL;
}

static void check_keys(const struct check *check)
{
	size_t keys = 0, versions = 0;

	for (size_t i = 0; i < check->model->member_count; i++) {
		keys += check->model->members[i].primary_key;
		versions += check->model->members[i].version;
	}
	if (keys == 0 && check->model->kind == ATH_TABLE)
		refuse(check, "it has no primary key");
	if (keys > ATH_MAX_KEYS)
		refuse(check, "it has a primary key of more than 4 columns");
	if (versions > 1)
		refuse(check, "it has more than one version");
}

static void check_model(struct check *check)
{
	const struct ath_model *model = check->model;
	size_t end = 0, widest = 1;

	if ((model->kind == ATH_TABLE || model->kind == ATH_VIEW) && !is_table_name(model->table)) {
		refuse(check, "a table's name is made of a-z, 0-9 and _, and is at most 63 long");
		return;
	}
	for (size_t i = 0; i < model->member_count; i++) {
		check->member = &model->members[i];
		if (has_place(check->member))
			check_layout(check, &end, &widest);
		check_member(check);
	}
	if (check->error->status == ATH_OK)
		check_all_rule_names(check);
	check->member = NULL;
	if (model->size > ATH_BEYOND)
		refuse(check, "a struct of more than 4096 bytes is too large for a row");
	else if (ath_model_extent(model) > ATH_BEYOND)
		refuse(check, "with the objects that it must have it is larger than 4096 bytes");
	if (align(end, widest) != model->size || end == 0)
		refuse(check, "the last member of the struct is not in the model");
	check_keys(check);
}

enum { MOST_REACHED = 64 };

static bool is_reached(const struct ath_model *const *reached, size_t count,
		       const struct ath_model *model)
{
	while (count > 0 && reached[count - 1] != model)
		count--;
	return count > 0;
}

enum ath_status ath_model_check(const struct ath_model *model,
				const struct ath_model *const *models, struct ath_error *error)
{
	struct check check = { .models = models, .error = error };
	const struct ath_model *reached[MOST_REACHED] = { model };
	size_t count = 1;

	for (size_t i = 0; i < count && error->status == ATH_OK; i++) {
		check.model = reached[i];
		check_model(&check);
		for (size_t m = 0; m < reached[i]->member_count; m++) {
			const struct ath_member *member = &reached[i]->members[m];

			if (!ath_member_is_nested(member) || member->target->kind != ATH_SHAPE ||
			    is_reached(reached, count, member->target))
				continue;
			if (count == MOST_REACHED)
				refuse(&check, "it leads to more than 64 shapes");
			else
				reached[count++] = member->target;
		}
	}
	return error->status;
}

enum ath_status ath_models_check(const struct ath_model *const *models, struct ath_error *error)
{
	const struct ath_model *const *each = models;

	ath_error_clear(error);
	while (*each != NULL && ath_model_check(*each, models, error) == ATH_OK)
		each++;
	return error->status;
}
