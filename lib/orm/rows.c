/*
 * rows.c - the rows a session knows: one object for one primary key, and what the database
 * holds, to find out what has changed.
 *
 * Few rows are searched one after the other; from the ninth on there is a hash table.
 */
#include "orm/internal.h"

enum { FEW = 8, FIRST_BUCKETS = 64 };

void ath_rows_init(struct ath_rows *rows, struct ath_arena *arena)
{
	*rows = (struct ath_rows){ .arena = arena };
	rows->tail = &rows->first;
}

static uint64_t hash_key(const struct ath_model *model, struct ath_value key)
{
	uint64_t hash;

	if (key.type == ATH_TYPE_TEXT)
		hash = ath_hash(key.as.text, strlen(key.as.text));
	else if (key.type == ATH_TYPE_UUID)
		hash = ath_hash(&key.as.uuid, sizeof key.as.uuid);
	else
		hash = ath_hash(&key.as.integer, sizeof key.as.integer);
	return hash ^ (uintptr_t)model >> 4;
}

static bool same_key(const struct ath_row *row, struct ath_value key)
{
	struct ath_value own = ath_member_get(ath_model_key(row->model), row->old);

	if (key.type == ATH_TYPE_TEXT)
		return strcmp(own.as.text, key.as.text) == 0;
	if (key.type == ATH_TYPE_UUID)
		return memcmp(&own.as.uuid, &key.as.uuid, sizeof key.as.uuid) == 0;
	return own.as.integer == key.as.integer;
}

struct ath_row *ath_rows_find(struct ath_rows *rows, const struct ath_model *model,
			      struct ath_value key)
{
	uint64_t hash;
	struct ath_row *row;

	if (rows->count == 0)
		return NULL;
	hash = hash_key(model, key);
	row = rows->buckets == NULL ? rows->first : rows->buckets[hash & (rows->bucket_count - 1)];
	for (; row != NULL; row = rows->buckets == NULL ? row->next : row->chain)
		if (row->hash == hash && row->model == model && row->state == ATH_ROW_STORED &&
		    same_key(row, key))
			return row;
	return NULL;
}

struct ath_row *ath_rows_of(struct ath_rows *rows, const struct ath_model *model,
			    const void *object)
{
	struct ath_value key = ath_member_get(ath_model_key(model), object);
	struct ath_row *row = key.null ? NULL : ath_rows_find(rows, model, key);

	if (row != NULL && row->object == object)
		return row;
	for (row = rows->first; row != NULL; row = row->next)
		if (row->object == object && row->state != ATH_ROW_GONE)
			break;
	return row;
}

/* ---- the table ---------------------------------------------------------------------------- */

static void chain(struct ath_rows *rows, struct ath_row *row)
{
	struct ath_row **bucket = &rows->buckets[row->hash & (rows->bucket_count - 1)];

	row->chain = *bucket;
	*bucket = row;
}

static bool grow(struct ath_rows *rows)
{
	size_t count = rows->buckets == NULL ? FIRST_BUCKETS : 2 * rows->bucket_count;
	struct ath_row **buckets = ath_new(rows->arena, struct ath_row *, count);

	if (buckets == NULL)
		return false;
	rows->buckets = buckets;
	rows->bucket_count = count;
	for (struct ath_row *row = rows->first; row != NULL; row = row->next)
		if (row->state == ATH_ROW_STORED)
			chain(rows, row);
	return true;
}

/* The row is stored: from now on it is found by its key. */
bool ath_rows_enter_map(struct ath_rows *rows, struct ath_row *row)
{
	row->state = ATH_ROW_STORED;
	row->hash = hash_key(row->model, ath_member_get(ath_model_key(row->model), row->old));
	if (rows->buckets == NULL ? rows->count > FEW : rows->count > rows->bucket_count)
		return grow(rows); /* which takes this row in, too */
	if (rows->buckets != NULL)
		chain(rows, row);
	return true;
}

void ath_rows_leave_map(struct ath_rows *rows, struct ath_row *row)
{
	struct ath_row **at;

	if (rows->buckets == NULL)
		return;
	at = &rows->buckets[row->hash & (rows->bucket_count - 1)];
	while (*at != NULL && *at != row)
		at = &(*at)->chain;
	if (*at != NULL)
		*at = row->chain;
}

bool ath_rows_add(struct ath_rows *rows, struct ath_row *row)
{
	row->next = NULL;
	*rows->tail = row;
	rows->tail = &row->next;
	rows->count++;
	return row->state != ATH_ROW_STORED || ath_rows_enter_map(rows, row);
}

bool ath_row_is_changed(const struct ath_row *row)
{
	/* almost always nothing has, not even a list that was loaded */
	if (memcmp(row->object, row->old, row->model->size) == 0)
		return false;
	for (size_t i = 0; i < row->model->member_count; i++)
		if (ath_column_is_changed(&row->model->members[i], row->object, row->old))
			return true;
	return false;
}
