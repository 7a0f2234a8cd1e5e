/*
 * orm.c - the workloads of orm.sh with Athanor, in a plain program without fibers. Each operation
 * has a session of its own in an arena that is used again, as a request has.
 */
#include "measure.h"
#include "models.h"

static struct ath_engine *engine;
static struct ath_arena *arena;

static void open_database(const char *url)
{
	struct ath_error error = { 0 };

	if (ath_models_check(bench_models, &error) != ATH_OK ||
	    ath_engine_open(&engine, url, NULL, &error) != ATH_OK)
		die_of("orm", error.message);
	if (ath_arena_open(&arena, 64 << 20) != ATH_OK)
		die_of("orm", "no memory");
}

static void close_database(void)
{
	ath_engine_close(&engine);
	ath_arena_close(&arena);
}

static struct ath_session *open_session(void)
{
	const struct ath_session_options options = { .arena = arena };
	struct ath_session *db;

	if (ath_session_open(&db, engine, &options) != ATH_OK)
		die_of("orm", "no session");
	return db;
}

static void close_session(struct ath_session *db)
{
	if (ath_session_error(db) != NULL)
		die_of("orm", ath_session_error(db)->message);
	ath_session_close(&db);
	ath_arena_reset(arena);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static uint64_t check_person(uint64_t check, const struct person *person)
{
	check = check_add(check, (uint64_t)person->id);
	check = check_text(check, person->name);
	check = check_text(check, person->email);
	check = check_text(check, person->nick);
	check = check_add(check, person->age.valid ? (uint64_t)person->age.value : 0);
	check = check_add(check, person->score.valid);
	check = check_add(check, person->active);
	return check_add(check, (uint64_t)person->born.microseconds);
}

static uint64_t run_get(long count)
{
	uint64_t check = 0;

	for (long i = 0; i < count; i++) {
		struct ath_session *db = open_session();
		const struct person *person = person_get(db, key_of(i));

		if (person != NULL)
			check = check_person(check, person);
		close_session(db);
	}
	return check;
}

static struct person_list get_page(struct ath_session *db, long i, int64_t size)
{
	struct ath_query query = ath_query(person);

	ath_where(&query, ATH_GE(person, id, 1 + i % (PEOPLE / size) * size));
	ath_order_by(&query, ATH_ASC(person, id));
	ath_limit(&query, size);
	return person_all(db, &query);
}

static uint64_t run_pages(long count, int64_t size)
{
	uint64_t check = 0;

	for (long i = 0; i < count; i++) {
		struct ath_session *db = open_session();
		struct person_list people = get_page(db, i, size);

		for (size_t row = 0; row < people.count; row++)
			check = check_person(check, people.items[row]);
		close_session(db);
	}
	return check;
}

static uint64_t run_some(long count)
{
	return run_pages(count, SOME);
}

static uint64_t run_many(long count)
{
	return run_pages(count, MANY);
}

/* ---- a relation --------------------------------------------------------------------------------
 */

static uint64_t check_notes(uint64_t check, const struct person *person)
{
	for (size_t i = 0; i < person->notes.count; i++) {
		const struct note *note = person->notes.items[i];

		check = check_add(check, (uint64_t)note->id);
		check = check_add(check, (uint64_t)note->person_id);
		check = check_text(check, note->title);
		check = check_add(check, (uint64_t)note->likes);
		check = check_add(check, (uint64_t)note->posted.microseconds);
	}
	return check;
}

static uint64_t run_relation(long count)
{
	uint64_t check = 0;

	for (long i = 0; i < count; i++) {
		struct ath_session *db = open_session();
		struct person_list people = get_page(db, i, SOME);

		ath_load(db, person, people, notes);
		for (size_t row = 0; row < people.count; row++) {
			check = check_person(check, people.items[row]);
			check = check_notes(check, people.items[row]);
		}
		close_session(db);
	}
	return check;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static struct entry entry_of(long i)
{
	return (struct entry){ .name = "an entry",
			       .remark = i % 2 == 0 ? "remarkable" : NULL,
			       .amount = (int32_t)i,
			       .price = (double)i / 4,
			       .made = { 1700000000000000 + i } };
}

static uint64_t run_insert(long count)
{
	uint64_t check = 0;

	for (long i = 0; i < count; i++) {
		struct ath_session *db = open_session();
		struct entry *entry = entry_new(db);

		*entry = entry_of(i);
		entry_add(db, entry);
		ath_commit(db);
		check = check_add(check, entry->id > 0);
		close_session(db);
	}
	return check;
}

static uint64_t run_insert_all(long count)
{
	struct entry *entries = calloc(BULK, sizeof *entries);
	uint64_t check = 0;

	if (entries == NULL)
		die_of("orm", "no memory");
	for (long i = 0; i < count; i++) {
		struct ath_session *db = open_session();

		for (long row = 0; row < BULK; row++)
			entries[row] = entry_of(row);
		entry_insert_all(db, entries, BULK);
		ath_commit(db);
		for (long row = 0; row < BULK; row++)
			check = check_add(check, entries[row].id > 0);
		close_session(db);
	}
	free(entries);
	return check;
}

static uint64_t run_update(long count)
{
	uint64_t check = 0;

	for (long i = 0; i < count; i++) {
		struct ath_session *db = open_session();
		struct person *person = person_get(db, key_of(i));

		if (person != NULL) {
			person->score.value++;
			ath_commit(db);
			check = check_person(check, person);
		}
		close_session(db);
	}
	return check;
}

/* ---- a million rows ----------------------------------------------------------------------------
 */

static uint64_t run_rows(int64_t rows)
{
	struct ath_session *db = open_session();
	struct ath_query query = ath_query(reading);
	struct ath_cursor *each;
	const struct reading *reading;
	uint64_t check = 0;

	ath_order_by(&query, ATH_ASC(reading, id));
	ath_limit(&query, rows);
	each = reading_each(db, &query);
	while ((reading = reading_next(each)) != NULL) {
		check = check_add(check, (uint64_t)reading->id);
		check = check_text(check, reading->station);
		check = check_add(check, (uint64_t)reading->value);
		check = check_text(check, reading->remark);
	}
	ath_commit(db);
	close_session(db);
	return check;
}

static uint64_t run_each(long count)
{
	uint64_t check = 0;

	for (long i = 0; i < count; i++)
		check = check_add(check, run_rows(1000000));
	return check;
}

static uint64_t warm_each(long count)
{
	(void)count;
	return run_rows(10 * MANY);
}

int main(int argc, char **argv)
{
	static const struct workload workloads[] = {
		{ "get", run_get, NULL },        { "20-rows", run_some, NULL },
		{ "1000-rows", run_many, NULL }, { "relation", run_relation, NULL },
		{ "insert", run_insert, NULL },  { "insert-all", run_insert_all, NULL },
		{ "update", run_update, NULL },  { "each", run_each, warm_each },
	};

	return measure(argc, argv, workloads, sizeof workloads / sizeof workloads[0], open_database,
		       close_database);
}
