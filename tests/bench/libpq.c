/*
 * libpq.c - the workloads of orm.sh by hand: statements prepared once, parameters and results in
 * binary, rows in arrays of structs whose texts point into the result. Statements that need not
 * wait for each other travel together, by pipeline mode.
 */
#include <endian.h>

#include "measure.h"

enum {
	EPOCH_SECONDS = 946684800,
	INT4 = 23,
	INT8 = 20,
	TEXT = 25,
	FLOAT8 = 701,
	TIMESTAMPTZ = 1184
};

struct note {
	int64_t id, person_id;
	const char *title;
	int32_t likes;
	int64_t posted;
};

struct person {
	int64_t id;
	const char *name, *email, *nick;
	int32_t age, score;
	bool has_age, has_score, active;
	int64_t born; /* microseconds since 1970 */
	const struct note *notes;
	size_t note_count;
};

struct entry {
	int64_t id;
	const char *name, *remark;
	int32_t amount;
	double price;
	int64_t made;
};

struct reading {
	int64_t id;
	const char *station, *remark;
	double value;
};

static PGconn *connection;

/* ---- bytes -------------------------------------------------------------------------------------
 */

static int64_t get_int64(const char *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof value);
	return (int64_t)be64toh(value);
}

static int32_t get_int32(const char *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof value);
	return (int32_t)be32toh(value);
}

static double get_double(const char *bytes)
{
	int64_t bits = get_int64(bytes);
	double value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

static int64_t get_time(const char *bytes)
{
	return get_int64(bytes) + (int64_t)EPOCH_SECONDS * 1000000;
}

static char *put_int32(char *out, int64_t value)
{
	uint32_t bytes = htobe32((uint32_t)value);

	memcpy(out, &bytes, sizeof bytes);
	return out + sizeof bytes;
}

static char *put_int64(char *out, int64_t value)
{
	uint64_t bytes = htobe64((uint64_t)value);

	memcpy(out, &bytes, sizeof bytes);
	return out + sizeof bytes;
}

static char *put_double(char *out, double value)
{
	int64_t bits;

	memcpy(&bits, &value, sizeof bits);
	return put_int64(out, bits);
}

static char *put_time(char *out, int64_t value)
{
	return put_int64(out, value - (int64_t)EPOCH_SECONDS * 1000000);
}

static char *put_bytes(char *out, const char *bytes, size_t length)
{
	memcpy(out, bytes, length);
	return out + length;
}

/* Of an array in binary form: one dimension, no NULL unless it is said. */
static char *put_array_head(char *out, Oid type, long count, bool nulls)
{
	out = put_int32(out, 1);
	out = put_int32(out, nulls);
	out = put_int32(out, type);
	out = put_int32(out, count);
	return put_int32(out, 1);
}

/* ---- statements --------------------------------------------------------------------------------
 */

static const int binary[] = { 1, 1, 1, 1, 1 };

static void check_result(const PGresult *result)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		die_of("libpq", PQerrorMessage(connection));
}

static PGresult *execute(const char *name, int count, const char *const *values, const int *lengths)
{
	PGresult *result = PQexecPrepared(connection, name, count, values, lengths, binary, 1);

	check_result(result);
	return result;
}

static PGresult *execute_int64(const char *name, int64_t value)
{
	char bytes[8];
	const char *values[] = { bytes };

	put_int64(bytes, value);
	return execute(name, 1, values, (const int[]){ sizeof bytes });
}

/* One statement of a pipeline. */
static void send_one(const char *name, int count, const char *const *values, const int *lengths)
{
	if (PQsendQueryPrepared(connection, name, count, values, lengths, binary, 1) != 1)
		die_of(name, PQerrorMessage(connection));
}

static PGresult *receive_one(void)
{
	PGresult *result = PQgetResult(connection), *end;

	check_result(result);
	end = PQgetResult(connection); /* a NULL stands behind each */
	if (end != NULL)
		die_of("libpq", "two results where one was expected");
	return result;
}

static void open_pipeline(void)
{
	if (PQenterPipelineMode(connection) != 1)
		die_of("libpq", PQerrorMessage(connection));
}

static void sync_pipeline(void)
{
	if (PQpipelineSync(connection) != 1)
		die_of("libpq", PQerrorMessage(connection));
}

static void close_pipeline(void)
{
	PGresult *result = PQgetResult(connection);

	if (PQresultStatus(result) != PGRES_PIPELINE_SYNC)
		die_of("libpq", PQerrorMessage(connection));
	PQclear(result);
	if (PQexitPipelineMode(connection) != 1)
		die_of("libpq", PQerrorMessage(connection));
}

#define PERSON "select id, name, email, nick, age, score, active, born from people "

static void open_database(const char *url)
{
	static const struct {
		const char *name, *text;
		int count;
		Oid types[5];
	} statements[] = {
		{ "get", PERSON "where id = $1", 1, { INT8 } },
		{ "page", PERSON "where id >= $1 order by id limit $2", 2, { INT8, INT8 } },
		{ "notes",
		  "select id, person_id, title, likes, posted from notes where person_id = any "
		  "($1) "
		  "order by person_id, id",
		  1,
		  { 1016 } },
		{ "insert",
		  "insert into entries (name, amount, price, remark, made) "
		  "values ($1, $2, $3, $4, $5) returning id",
		  5,
		  { TEXT, INT4, FLOAT8, TEXT, TIMESTAMPTZ } },
		{ "insert_all",
		  "insert into entries (name, amount, price, remark, made) "
		  "select * from unnest($1, $2, $3, $4, $5) returning id",
		  5,
		  { 1009, 1007, 1022, 1009, 1185 } },
		{ "update", "update people set score = $1 where id = $2", 2, { INT4, INT8 } },
		{ "declare",
		  "declare each no scroll cursor for select id, station, value, remark from "
		  "readings "
		  "order by id limit $1",
		  1,
		  { INT8 } },
		{ "begin", "begin", 0, { 0 } },
		{ "commit", "commit", 0, { 0 } },
		{ "close", "close each", 0, { 0 } },
	};

	connection = PQconnectdb(url);
	if (PQstatus(connection) != CONNECTION_OK)
		die_of(url, PQerrorMessage(connection));
	for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
		PGresult *result = PQprepare(connection, statements[i].name, statements[i].text,
					     statements[i].count, statements[i].types);

		check_result(result);
		PQclear(result);
	}
}

static void close_database(void)
{
	PQfinish(connection);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static bool has(const PGresult *result, int row, int column)
{
	return !PQgetisnull(result, row, column);
}

static struct person *get_people(const PGresult *result, int *count)
{
	struct person *people;

	*count = PQntuples(result);
	people = calloc((size_t)*count + 1, sizeof *people);
	if (people == NULL)
		die_of("libpq", "no memory");
	for (int row = 0; row < *count; row++) {
		struct person *person = &people[row];

		person->id = get_int64(PQgetvalue(result, row, 0));
		person->name = PQgetvalue(result, row, 1);
		person->email = PQgetvalue(result, row, 2);
		if (has(result, row, 3))
			person->nick = PQgetvalue(result, row, 3);
		person->has_age = has(result, row, 4);
		if (person->has_age)
			person->age = get_int32(PQgetvalue(result, row, 4));
		person->has_score = has(result, row, 5);
		if (person->has_score)
			person->score = get_int32(PQgetvalue(result, row, 5));
		person->active = *PQgetvalue(result, row, 6) != 0;
		person->born = get_time(PQgetvalue(result, row, 7));
	}
	return people;
}

static uint64_t check_person(uint64_t check, const struct person *person)
{
	check = check_add(check, (uint64_t)person->id);
	check = check_text(check, person->name);
	check = check_text(check, person->email);
	check = check_text(check, person->nick);
	check = check_add(check, person->has_age ? (uint64_t)person->age : 0);
	check = check_add(check, person->has_score);
	check = check_add(check, person->active);
	return check_add(check, (uint64_t)person->born);
}

static uint64_t run_get(long count)
{
	uint64_t check = 0;

	for (long i = 0; i < count; i++) {
		PGresult *result = execute_int64("get", key_of(i));
		int rows;
		struct person *person = get_people(result, &rows);

		check = check_person(check, person);
		free(person);
		PQclear(result);
	}
	return check;
}

static PGresult *get_page(long i, int64_t size)
{
	char from[8], limit[8];
	const char *values[] = { from, limit };

	put_int64(from, 1 + i % (PEOPLE / size) * size);
	put_int64(limit, size);
	return execute("page", 2, values, (const int[]){ 8, 8 });
}

static uint64_t run_pages(long count, int64_t size)
{
	uint64_t check = 0;

	for (long i = 0; i < count; i++) {
		PGresult *result = get_page(i, size);
		int rows;
		struct person *people = get_people(result, &rows);

		for (int row = 0; row < rows; row++)
			check = check_person(check, &people[row]);
		free(people);
		PQclear(result);
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

static PGresult *execute_notes(const struct person *people, int count)
{
	char array[20 + 12 * SOME], *at = put_array_head(array, INT8, count, false);
	const char *values[] = { array };
	int length;

	for (int i = 0; i < count; i++) {
		at = put_int32(at, 8);
		at = put_int64(at, people[i].id);
	}
	length = (int)(at - array);
	return execute("notes", 1, values, &length);
}

/* The notes come in the order of the people, which is that of the key: a run for each. */
static struct note *get_notes(const PGresult *result, struct person *people, int count)
{
	int rows = PQntuples(result), at = 0;
	struct note *notes = calloc((size_t)rows + 1, sizeof *notes);

	if (notes == NULL)
		die_of("libpq", "no memory");
	for (int row = 0; row < rows; row++) {
		struct note *note = &notes[row];

		note->id = get_int64(PQgetvalue(result, row, 0));
		note->person_id = get_int64(PQgetvalue(result, row, 1));
		note->title = PQgetvalue(result, row, 2);
		note->likes = get_int32(PQgetvalue(result, row, 3));
		note->posted = get_time(PQgetvalue(result, row, 4));
		while (at < count && people[at].id != note->person_id)
			at++;
		if (at == count)
			die_of("libpq", "a note of nobody");
		if (people[at].note_count++ == 0)
			people[at].notes = note;
	}
	return notes;
}

static uint64_t check_notes(uint64_t check, const struct person *person)
{
	for (size_t i = 0; i < person->note_count; i++) {
		const struct note *note = &person->notes[i];

		check = check_add(check, (uint64_t)note->id);
		check = check_add(check, (uint64_t)note->person_id);
		check = check_text(check, note->title);
		check = check_add(check, (uint64_t)note->likes);
		check = check_add(check, (uint64_t)note->posted);
	}
	return check;
}

static uint64_t run_relation(long count)
{
	uint64_t check = 0;

	for (long i = 0; i < count; i++) {
		PGresult *parents = get_page(i, SOME), *children;
		int rows;
		struct person *people = get_people(parents, &rows);
		struct note *notes;

		children = execute_notes(people, rows);
		notes = get_notes(children, people, rows);
		for (int row = 0; row < rows; row++) {
			check = check_person(check, &people[row]);
			check = check_notes(check, &people[row]);
		}
		free(notes);
		free(people);
		PQclear(children);
		PQclear(parents);
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
			       .made = 1700000000000000 + i };
}

static uint64_t run_insert(long count)
{
	uint64_t check = 0;

	for (long i = 0; i < count; i++) {
		struct entry entry = entry_of(i);
		char amount[4], price[8], made[8];
		const char *values[] = { entry.name, amount, price, entry.remark, made };
		const int lengths[] = { (int)strlen(entry.name), 4, 8,
					entry.remark == NULL ? 0 : (int)strlen(entry.remark), 8 };
		PGresult *result;

		put_int32(amount, entry.amount);
		put_double(price, entry.price);
		put_time(made, entry.made);
		result = execute("insert", 5, values, lengths);
		entry.id = get_int64(PQgetvalue(result, 0, 0));
		check = check_add(check, entry.id > 0);
		PQclear(result);
	}
	return check;
}

/* The five columns as arrays, one behind the other in one piece of memory. */
static char *put_entries(const struct entry *entries, long count, const char **values, int *lengths)
{
	char *bytes, *at;
	size_t size = 5 * 20 + (size_t)count * (8 + 12 + 12 + 4 + 4);

	for (long i = 0; i < count; i++)
		size += strlen(entries[i].name) +
			(entries[i].remark == NULL ? 0 : strlen(entries[i].remark));
	bytes = at = malloc(size);
	if (bytes == NULL)
		die_of("libpq", "no memory");
	for (int column = 0; column < 5; column++) {
		static const Oid types[] = { TEXT, INT4, FLOAT8, TEXT, TIMESTAMPTZ };

		values[column] = at;
		at = put_array_head(at, types[column], count, column == 3);
		for (long i = 0; i < count; i++) {
			const char *text = column == 0 ? entries[i].name : entries[i].remark;
			size_t length;

			switch (column) {
			case 0:
			case 3:
				length = text == NULL ? 0 : strlen(text);
				at = put_int32(at, text == NULL ? -1 : (int64_t)length);
				if (text != NULL)
					at = put_bytes(at, text, length);
				break;
			case 1:
				at = put_int32(put_int32(at, 4), entries[i].amount);
				break;
			case 2:
				at = put_double(put_int32(at, 8), entries[i].price);
				break;
			default:
				at = put_time(put_int32(at, 8), entries[i].made);
			}
		}
		lengths[column] = (int)(at - values[column]);
	}
	return bytes;
}

static uint64_t run_insert_all(long count)
{
	struct entry *entries = calloc(BULK, sizeof *entries);
	uint64_t check = 0;

	if (entries == NULL)
		die_of("libpq", "no memory");
	for (long i = 0; i < count; i++) {
		const char *values[5];
		int lengths[5];
		char *bytes;
		PGresult *result;

		for (long row = 0; row < BULK; row++)
			entries[row] = entry_of(row);
		bytes = put_entries(entries, BULK, values, lengths);
		open_pipeline();
		send_one("begin", 0, NULL, NULL);
		send_one("insert_all", 5, values, lengths);
		send_one("commit", 0, NULL, NULL);
		sync_pipeline();
		PQclear(receive_one());
		result = receive_one();
		for (int row = 0; row < PQntuples(result); row++) {
			entries[row].id = get_int64(PQgetvalue(result, row, 0));
			check = check_add(check, entries[row].id > 0);
		}
		PQclear(result);
		PQclear(receive_one());
		close_pipeline();
		free(bytes);
	}
	free(entries);
	return check;
}

static uint64_t run_update(long count)
{
	uint64_t check = 0;

	for (long i = 0; i < count; i++) {
		PGresult *result = execute_int64("get", key_of(i));
		int rows;
		struct person *person = get_people(result, &rows);
		char score[4], id[8];
		const char *values[] = { score, id };
		PGresult *updated;

		person->score++;
		put_int32(score, person->score);
		put_int64(id, person->id);
		updated = execute("update", 2, values, (const int[]){ 4, 8 });
		if (strcmp(PQcmdTuples(updated), "1") != 0)
			die_of("libpq", "nothing was updated");
		check = check_person(check, person);
		PQclear(updated);
		free(person);
		PQclear(result);
	}
	return check;
}

/* ---- a million rows ----------------------------------------------------------------------------
 */

/* A fetch at a time, into the same memory; texts point into the result. */
static uint64_t take_readings(uint64_t check, const PGresult *result, struct reading *readings)
{
	int rows = PQntuples(result);

	for (int row = 0; row < rows; row++) {
		struct reading *reading = &readings[row];

		reading->id = get_int64(PQgetvalue(result, row, 0));
		reading->station = PQgetvalue(result, row, 1);
		reading->value = get_double(PQgetvalue(result, row, 2));
		reading->remark = has(result, row, 3) ? PQgetvalue(result, row, 3) : NULL;
	}
	for (int row = 0; row < rows; row++) {
		check = check_add(check, (uint64_t)readings[row].id);
		check = check_text(check, readings[row].station);
		check = check_add(check, (uint64_t)readings[row].value);
		check = check_text(check, readings[row].remark);
	}
	return check;
}

/* A cursor knows no statement prepared before it: its FETCH is prepared when it is first open. */
static void prepare_fetch(void)
{
	static bool prepared;

	if (!prepared &&
	    PQsendPrepare(connection, "fetch", "fetch forward 1000 from each", 0, NULL) == 1)
		prepared = true;
	else if (!prepared)
		die_of("fetch", PQerrorMessage(connection));
}

static uint64_t run_rows(int64_t rows)
{
	static struct reading readings[MANY];
	static bool again;
	char limit[8];
	const char *values[] = { limit };
	uint64_t check = 0;
	PGresult *result;

	put_int64(limit, rows);
	open_pipeline();
	send_one("begin", 0, NULL, NULL);
	send_one("declare", 1, values, (const int[]){ 8 });
	prepare_fetch();
	send_one("fetch", 0, NULL, NULL);
	sync_pipeline();
	PQclear(receive_one());
	PQclear(receive_one());
	if (!again)
		PQclear(receive_one());
	again = true;
	result = receive_one();
	close_pipeline();
	while (PQntuples(result) == MANY) {
		check = take_readings(check, result, readings);
		PQclear(result);
		result = execute("fetch", 0, NULL, NULL);
	}
	check = take_readings(check, result, readings);
	PQclear(result);
	open_pipeline();
	send_one("close", 0, NULL, NULL);
	send_one("commit", 0, NULL, NULL);
	sync_pipeline();
	PQclear(receive_one());
	PQclear(receive_one());
	close_pipeline();
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
