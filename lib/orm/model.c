/* model.c - looking things up in a model, and the check of all models at start. */
#include <stdio.h>

#include "orm/internal.h"

enum { MAX_NAME = 63, MAX_DEPTH = 32 };

static bool is_column(const struct ath_member *member)
{
	return member->kind == ATH_MEMBER_COLUMN;
}

const struct ath_member *ath_model_key(const struct ath_model *model)
{
	for (size_t i = 0; i < model->member_count; i++)
		if (model->members[i].primary_key)
			return &model->members[i];
	return NULL;
}

static const struct ath_member *member_at(const struct ath_model *model, size_t offset,
					  enum ath_member_kind kind)
{
	for (size_t i = 0; i < model->member_count; i++)
		if (model->members[i].offset == offset && model->members[i].kind == kind)
			return &model->members[i];
	return NULL;
}

const struct ath_member *ath_model_column(const struct ath_model *model, size_t offset)
{
	return member_at(model, offset, ATH_MEMBER_COLUMN);
}

const struct ath_member *ath_model_relation(const struct ath_model *model, size_t offset)
{
	return member_at(model, offset, ATH_MEMBER_HAS_MANY);
}

static int depth_below(const struct ath_model *model, int limit)
{
	int deepest = 0;

	if (limit == 0)
		return 0;
	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_model *parent = model->members[i].references;
		int depth =
			parent == NULL || parent == model ? 0 : 1 + depth_below(parent, limit - 1);

		deepest = depth > deepest ? depth : deepest;
		if (deepest == limit)
			break; /* a cycle: looking at its other branches would take for ever */
	}
	return deepest;
}

int ath_model_depth(const struct ath_model *model)
{
	return depth_below(model, MAX_DEPTH);
}

bool ath_column_is_nullable(const struct ath_member *column)
{
	return column->nullable_struct || column->nullable;
}

static bool is_integer(enum ath_type type)
{
	return type == ATH_TYPE_INT16 || type == ATH_TYPE_INT32 || type == ATH_TYPE_INT64;
}

bool ath_column_is_filled(const struct ath_member *column)
{
	return column->read_only || column->server_default != NULL ||
	       (column->primary_key && is_integer(column->type) && column->references == NULL);
}

const struct ath_member *ath_constraint_member(const struct ath_model *const *models,
					       const char *constraint,
					       const struct ath_model **found)
{
	static const char *const prefixes[] = { "uq", "fk", "ck", "ix" };
	char name[2 * MAX_NAME + 8];

	for (; *models != NULL; models++) {
		const struct ath_model *model = *models;

		*found = model;
		snprintf(name, sizeof name, "pk_%s", model->table);
		if (strcmp(name, constraint) == 0)
			return ath_model_key(model);
		for (size_t i = 0; i < model->member_count; i++)
			for (size_t p = 0; p < ATH_COUNT(prefixes); p++) {
				snprintf(name, sizeof name, "%s_%s_%s", prefixes[p], model->table,
					 model->members[i].name);
				if (is_column(&model->members[i]) && strcmp(name, constraint) == 0)
					return &model->members[i];
			}
	}
	return NULL;
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
			      check->model->name, check->member->name, rule);
}

static bool is_identifier(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= MAX_NAME &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length &&
	       (*name < '0' || *name > '9');
}

/* A reserved prefix or a too long name would be cut by the server, and stand for two things. */
static bool constraint_fits(const struct check *check)
{
	return strlen(check->model->table) + strlen(check->member->name) + 4 <= MAX_NAME;
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
	if (column->type == ATH_TYPE_BOOL || column->type == ATH_TYPE_DOUBLE)
		refuse(check, "a primary key is an integer, a text, a uuid or a timestamp");
}

static void check_text_options(const struct check *check)
{
	const struct ath_member *column = check->member;
	bool text = column->type == ATH_TYPE_TEXT;

	if (!text &&
	    (column->min_length > 0 || column->max_length > 0 || column->format != ATH_ANY_TEXT))
		refuse(check, "min_length, max_length and format are for texts");
	if (text && column->max_length > 0 && column->min_length > column->max_length)
		refuse(check, "min_length is above max_length");
	if (!text && column->nullable)
		refuse(check, "only a text may be .nullable: use a struct ath_null_...");
}

static void check_default(const struct check *check)
{
	const struct ath_member *column = check->member;
	bool number = is_integer(column->type) || column->type == ATH_TYPE_DOUBLE ||
		      column->type == ATH_TYPE_BOOL;

	if (column->server_default != NULL && !column->read_only && !column->nullable_struct &&
	    number)
		refuse(check, "zero is a value: for a server_default make it .read_only or a "
			      "struct ath_null_...");
}

static void check_options(const struct check *check)
{
	const struct ath_member *column = check->member;
	bool number = is_integer(column->type) || column->type == ATH_TYPE_DOUBLE;

	check_text_options(check);
	check_default(check);
	if (!number && column->min != column->max)
		refuse(check, "min and max are for numbers");
	if (column->min > column->max)
		refuse(check, "min is above max");
	if (column->primary_key)
		check_key(check);
}

static void check_reference(const struct check *check)
{
	const struct ath_member *column = check->member;
	const struct ath_member *key;

	if (column->references == NULL) {
		if (column->on_delete != ATH_RESTRICT)
			refuse(check, "on_delete needs .references");
		return;
	}
	key = ath_model_key(column->references);
	if (!is_model_listed(check, column->references))
		refuse(check, "the model it references is not in the list of models");
	else if (key == NULL || key->type != column->type)
		refuse(check, "it has another type than the primary key it references");
	else if (column->on_delete == ATH_SET_NULL && !ath_column_is_nullable(column))
		refuse(check, "it cannot be set NULL on delete");
}

static void check_relation(const struct check *check)
{
	const struct ath_member *relation = check->member;
	const struct ath_member *key = ath_model_column(relation->target, relation->key_offset);

	if (!is_model_listed(check, relation->target))
		refuse(check, "its model is not in the list of models");
	else if (key == NULL)
		refuse(check, "the key is no column of its model");
	else if (key->references != check->model)
		refuse(check, "the key does not reference this model");
}

static size_t alignment_of(const struct ath_member *member)
{
	if (member->kind != ATH_MEMBER_COLUMN || member->type == ATH_TYPE_TEXT)
		return _Alignof(void *);
	switch (member->type) {
#define X(type_, c_type, name)                                                                     \
	case ATH_TYPE_##type_:                                                                     \
		return _Alignof(c_type);
		ATH_SCALAR_MAP(X)
#undef X
	case ATH_TYPE_TEXT:
		break;
	}
	return _Alignof(void *);
}

static size_t align(size_t offset, size_t alignment)
{
	return (offset + alignment - 1) / alignment * alignment;
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
	if (!is_identifier(check->member->name))
		refuse(check, "a name is made of a-z, 0-9 and _, and is at most 63 long");
	else if (!constraint_fits(check))
		refuse(check, "table and member together are too long for a constraint's name");
	if (is_column(check->member)) {
		check_options(check);
		check_reference(check);
	} else {
		check_relation(check);
	}
}

static void check_model(struct check *check)
{
	const struct ath_model *model = check->model;
	size_t end = 0, keys = 0, widest = 1;

	if (!is_identifier(model->table))
		refuse(check, "a table's name is made of a-z, 0-9 and _, and is at most 63 long");
	for (size_t i = 0; i < model->member_count; i++) {
		check->member = &model->members[i];
		check_layout(check, &end, &widest);
		check_member(check);
		keys += check->member->primary_key;
	}
	check->member = NULL;
	if (model->size > ATH_BEYOND)
		refuse(check, "a struct of more than 4096 bytes is too large for a row");
	if (align(end, widest) != model->size)
		refuse(check, "the last member of the struct is not in the model");
	if (keys != 1)
		refuse(check,
		       keys == 0 ? "it has no primary key" : "it has more than one primary key");
	if (ath_model_depth(model) >= MAX_DEPTH)
		refuse(check, "its references lead back to it: no order of inserts fits");
}

enum ath_status ath_models_check(const struct ath_model *const *models, struct ath_error *error)
{
	struct check check = { .models = models, .error = error };

	ath_error_clear(error);
	for (; *models != NULL && error->status == ATH_OK; models++) {
		check.model = *models;
		check_model(&check);
	}
	return error->status;
}
