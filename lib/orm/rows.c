/*
 * rows.c - the rows a session knows: one object for one primary key, and what the database
 * holds, to find out what has changed.
 *
 * Two tables: of the stored rows by primary key, and of all rows by the address of the object,
 * for new ones, which may have no key yet, and those whose key was changed. Few rows are searched
 * one after the other instead.
 */
#include "orm/internal.h"

enum { FEW = 8, FIRST_BUCKETS = 64 };

void ath_rows_init(struct ath_rows *rows, struct ath_arena *arena)
{
	*rows = (struct ath_rows){ .arena = arena };
	rows->tail = &rows->first;
}

/* ---- keys ------------------------------------------------------------------------------------ */

size_t ath_row_keys(const struct ath_model *model, const void *object, struct ath_value *keys)
{
	const struct ath_member *columns[ATH_MAX_KEYS];
	size_t count = ath_model_keys(model, columns);

	for (size_t i = 0; i < count; i++)
		keys[i] = ath_member_get(columns[i], object);
	return count;
}

struct ath_key ath_key_of(const struct ath_model *model)
{
	struct ath_key key = { .model = model, .members = model->members };

	key.count = ath_model_keys(model, key.columns);
	return key;
}

/* Of the model that is asked for, which mostly is that of the time before. */
static const struct ath_key *key_of(struct ath_rows *rows, const struct ath_model *model)
{
	if (rows->key.model != model || rows->key.members != model->members)
		rows->key = ath_key_of(model);
	return &rows->key;
}

/* What nearly every key is, and what there is a short way for. */
static bool is_int64(const struct ath_key *key)
{
	return key->count == 1 && key->columns[0]->type == ATH_TYPE_INT64 &&
	       !key->columns[0]->nullable_struct;
}

static int64_t int64_in(const struct ath_key *key, const void *object)
{
	int64_t value;

	memcpy(&value, (const char *)object + key->columns[0]->offset, sizeof value);
	return value;
}

static int64_t integer_of(const struct ath_value *key)
{
	return key->type == ATH_TYPE_DATE ? key->as.date.days : key->as.integer;
}

/* Of every row that is read: a multiplication, which keys that count up do well with. */
static uint64_t hash_integer(int64_t integer)
{
	uint64_t hash = (uint64_t)integer * 0x9e3779b97f4a7c15ULL;

	return hash ^ hash >> 32;
}

uint64_t ath_keys_hash(const struct ath_model *model, const struct ath_value *keys, size_t count)
{
	uint64_t hash = (uintptr_t)model >> 4;

	for (size_t i = 0; i < count; i++) {
		const struct ath_value *key = &keys[i];

		hash *= 31;
		if (key->type == ATH_TYPE_TEXT) {
			hash ^= ath_hash(key->as.text, strlen(key->as.text));
		} else if (key->type == ATH_TYPE_UUID) {
			hash ^= ath_hash(&key->as.uuid, sizeof key->as.uuid);
		} else {
			hash ^= hash_integer(integer_of(key));
		}
	}
	return hash;
}

bool ath_keys_equal(const struct ath_value *a, const struct ath_value *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool same = a[i].type == ATH_TYPE_TEXT ? strcmp(a[i].as.text, b[i].as.text) == 0
			    : a[i].type == ATH_TYPE_UUID
				    ? memcmp(&a[i].as.uuid, &b[i].as.uuid, 16) == 0
				    : integer_of(&a[i]) == integer_of(&b[i]);

		if (!same)
			return false;
	}
	return true;
}

/* The same of an object's members. */
static uint64_t hash_key(const struct ath_key *key, const void *object)
{
	struct ath_value values[ATH_MAX_KEYS];

	if (is_int64(key))
		return (uint64_t)((uintptr_t)key->model >> 4) * 31 ^
		       hash_integer(int64_in(key, object));
	for (size_t i = 0; i < key->count; i++)
		values[i] = ath_member_get(key->columns[i], object);
	return ath_keys_hash(key->model, values, key->count);
}

static bool same_key(const struct ath_key *key, const void *a, const void *b)
{
	if (is_int64(key))
		return int64_in(key, a) == int64_in(key, b);
	for (size_t i = 0; i < key->count; i++) {
		struct ath_value left = ath_member_get(key->columns[i], a);
		struct ath_value right = ath_member_get(key->columns[i], b);

		if (!ath_keys_equal(&left, &right, 1))
			return false;
	}
	return true;
}

/* ---- the tables ------------------------------------------------------------------------------ */

static void chain(struct ath_row_table *table, struct ath_row *row)
{
	struct ath_row **bucket = &table->buckets[row->hash & (table->bucket_count - 1)];

	row->chain = *bucket;
	*bucket = row;
}

static void unchain(struct ath_row_table *table, struct ath_row *row)
{
	struct ath_row **at;

	if (table->count > 0)
		table->count--;
	if (table->buckets == NULL)
		return;
	at = &table->buckets[row->hash & (table->bucket_count - 1)];
	while (*at != NULL && *at != row)
		at = &(*at)->chain;
	if (*at != NULL)
		*at = row->chain;
}

static bool is_in_map(const struct ath_row *row)
{
	return row->state == ATH_ROW_STORED || row->state == ATH_ROW_DELETED;
}

/* Takes all rows of the list in that belong to it. */
static bool build(struct ath_rows *rows, size_t count)
{
	struct ath_row_table *table = &rows->stored;
	struct ath_row **buckets = ath_new(rows->arena, struct ath_row *, count);

	if (buckets == NULL)
		return false;
	table->buckets = buckets;
	table->bucket_count = count;
	for (struct ath_row *row = rows->first; row != NULL; row = row->next)
		if (is_in_map(row))
			chain(table, row);
	return true;
}

static bool grow(struct ath_rows *rows)
{
	return build(rows,
		     rows->stored.buckets == NULL ? FIRST_BUCKETS : 4 * rows->stored.bucket_count);
}

static bool enter(struct ath_rows *rows, struct ath_row *row)
{
	struct ath_row_table *table = &rows->stored;

	table->count++;
	if (table->buckets == NULL)
		return true;
	if (table->count > table->bucket_count)
		return grow(rows); /* which takes this row in, too */
	chain(table, row);
	return true;
}

/* The first row of the chain or list in which the hash would be. */
static struct ath_row *first_of(const struct ath_rows *rows, uint64_t hash)
{
	const struct ath_row_table *table = &rows->stored;

	return table->buckets == NULL ? rows->first
				      : table->buckets[hash & (table->bucket_count - 1)];
}

static struct ath_row *next_of(const struct ath_rows *rows, const struct ath_row *row)
{
	return rows->stored.buckets == NULL ? row->next : row->chain;
}

/* ---- finding --------------------------------------------------------------------------------- */

static bool has_keys(const struct ath_key *key, const void *object, const struct ath_value *keys)
{
	if (is_int64(key))
		return int64_in(key, object) == keys->as.integer;
	for (size_t i = 0; i < key->count; i++) {
		struct ath_value own = ath_member_get(key->columns[i], object);

		if (!ath_keys_equal(&own, &keys[i], 1))
			return false;
	}
	return true;
}

struct ath_row *ath_rows_find(struct ath_rows *rows, const struct ath_model *model,
			      const struct ath_value *keys, enum ath_row_state state)
{
	const struct ath_key *key;
	uint64_t hash;

	if (rows->stored.count == 0)
		return NULL;
	key = key_of(rows, model);
	hash = ath_keys_hash(model, keys, key->count);
	for (struct ath_row *row = first_of(rows, hash); row != NULL; row = next_of(rows, row))
		if (row->hash == hash && row->model == model && row->state == state &&
		    has_keys(key, row->old, keys))
			return row;
	return NULL;
}

static bool has_null(const struct ath_key *key, const void *object)
{
	for (size_t i = 0; i < key->count; i++)
		if (ath_member_get(key->columns[i], object).null)
			return true;
	return false;
}

struct ath_row *ath_rows_like(struct ath_rows *rows, const struct ath_model *model,
			      const void *object)
{
	const struct ath_key *key;
	uint64_t hash;

	if (rows->stored.count == 0)
		return NULL;
	key = key_of(rows, model);
	if (!is_int64(key) && has_null(key, object))
		return NULL;
	hash = hash_key(key, object);
	for (struct ath_row *row = first_of(rows, hash); row != NULL; row = next_of(rows, row))
		if (row->hash == hash && row->model == model && row->state == ATH_ROW_STORED &&
		    same_key(key, row->old, object))
			return row;
	return NULL;
}

static struct ath_row **bucket_of(const struct ath_row_table *table, const void *object)
{
	uint64_t hash = (uint64_t)(uintptr_t)object * 0x9e3779b97f4a7c15ULL >> 20;

	return &table->buckets[hash & (table->bucket_count - 1)];
}

/* Takes in the rows that have come since the last time. */
static bool index_objects(struct ath_rows *rows)
{
	struct ath_row_table *table = &rows->objects;
	struct ath_row *row;

	if (rows->count > table->bucket_count) {
		size_t count = FIRST_BUCKETS;

		while (count < 2 * rows->count)
			count *= 2;
		table->buckets = ath_new(rows->arena, struct ath_row *, count);
		table->bucket_count = table->buckets == NULL ? 0 : count;
		rows->indexed = NULL;
	}
	if (table->buckets == NULL)
		return false;
	row = rows->indexed == NULL ? rows->first : rows->indexed->next;
	for (; row != NULL; row = row->next) {
		struct ath_row **bucket = bucket_of(table, row->object);

		row->same_bucket = *bucket;
		*bucket = row;
		rows->indexed = row;
	}
	return true;
}

static struct ath_row *find_object(struct ath_rows *rows, const void *object)
{
	bool indexed = rows->count > FEW && index_objects(rows);
	struct ath_row *row = indexed ? *bucket_of(&rows->objects, object) : rows->first;

	while (row != NULL && (row->object != object || row->state == ATH_ROW_GONE))
		row = indexed ? row->same_bucket : row->next;
	return row;
}

struct ath_row *ath_rows_of(struct ath_rows *rows, const struct ath_model *model,
			    const void *object)
{
	struct ath_row *row = ath_rows_like(rows, model, object);

	/* else it is new, to be deleted, or its key was changed */
	return row != NULL && row->object == object ? row : find_object(rows, object);
}

/* ---- coming and going ------------------------------------------------------------------------ */

/* The row is stored: from now on it is found by its key. */
bool ath_rows_enter_map(struct ath_rows *rows, struct ath_row *row)
{
	row->state = ATH_ROW_STORED;
	row->hash = hash_key(key_of(rows, row->model), row->old);
	return enter(rows, row);
}

static bool append(struct ath_rows *rows, struct ath_row *row)
{
	row->next = NULL;
	*rows->tail = row;
	rows->tail = &row->next;
	rows->count++;
	return rows->count != FEW + 1 || rows->stored.buckets != NULL || grow(rows);
}

bool ath_rows_expect(struct ath_rows *rows, size_t count)
{
	size_t buckets = FIRST_BUCKETS;

	count += rows->count;
	if (count <= FEW)
		return true;
	while (buckets < count)
		buckets *= 2;
	return rows->stored.bucket_count >= buckets || build(rows, buckets);
}

/* The row with the key of this one; one to be deleted too, which a hook may read. */
static struct ath_row *find_like(const struct ath_rows *rows, const struct ath_key *key,
				 const struct ath_row *row)
{
	struct ath_row *each = NULL;

	if (rows->stored.count > 0)
		each = first_of(rows, row->hash);
	while (each != NULL && (each->hash != row->hash || each->model != row->model ||
				!is_in_map(each) || !same_key(key, each->old, row->object)))
		each = next_of(rows, each);
	return each;
}

bool ath_rows_adopt(struct ath_rows *rows, const struct ath_key *key, struct ath_row *row,
		    struct ath_row **known)
{
	row->hash = hash_key(key, row->object);
	*known = find_like(rows, key, row);
	if (*known != NULL)
		return true;
	*known = row;
	/* its state comes last: the table that append() may build is not to hold it twice */
	row->state = ATH_ROW_GONE;
	if (!append(rows, row))
		return false;
	row->state = ATH_ROW_STORED;
	return enter(rows, row);
}

void ath_rows_leave_map(struct ath_rows *rows, struct ath_row *row)
{
	if (is_in_map(row))
		unchain(&rows->stored, row);
	row->state = ATH_ROW_GONE;
}

bool ath_rows_add(struct ath_rows *rows, struct ath_row *row)
{
	enum ath_row_state state = row->state;

	row->state = ATH_ROW_GONE;
	if (!append(rows, row))
		return false;
	row->state = state;
	return state != ATH_ROW_STORED || ath_rows_enter_map(rows, row);
}

/* ---- changes --------------------------------------------------------------------------------- */

/* Has a relation been given other rows than it was loaded with? */
static bool is_relation_changed(const struct ath_member *member, const void *object,
				const void *old)
{
	return ath_member_is_relation(member) && ath_relation_rows(member, object).items != NULL &&
	       memcmp((const char *)object + member->offset, (const char *)old + member->offset,
		      member->size) != 0;
}

bool ath_row_has_same(const struct ath_row *row, const struct ath_comparable *comparable)
{
	const char *now = (const char *)row->object + comparable->offset;
	const char *before = (const char *)row->old + comparable->offset;

	return memcmp(now, before, comparable->size) == 0 ||
	       ath_member_equal(comparable->column, row->object, row->old);
}

static bool has_changed_columns(const struct ath_row *row)
{
	const struct ath_facts *facts = row->facts;

	for (size_t i = 0; i < facts->comparable_count; i++)
		if (!ath_row_has_same(row, &facts->comparables[i]))
			return true;
	return false;
}

enum ath_change ath_row_change(const struct ath_row *row)
{
	/* almost always nothing has */
	if (memcmp(row->object, row->old, row->model->size) == 0)
		return ATH_UNCHANGED;
	if (has_changed_columns(row))
		return ATH_COLUMNS_CHANGED;
	for (size_t i = 0; row->facts->has_relations && i < row->model->member_count; i++)
		if (is_relation_changed(&row->model->members[i], row->object, row->old))
			return ATH_RELATIONS_CHANGED;
	return ATH_UNCHANGED;
}
