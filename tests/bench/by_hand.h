/*
 * by_hand.h - what the two programs that the web side is measured beside, threads.c and bare.c,
 * have in common: their statements, rows of users as JSON, and the paths and bodies of their
 * requests. Written for speed: no model, no checks but what the answers need.
 */
#ifndef TESTS_BENCH_BY_HAND_H
#define TESTS_BENCH_BY_HAND_H

#include <cjson/cJSON.h>
#include <endian.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	INT4_OID = 23, /* from pg_type */
	INT8_OID = 20,
	TEXT_OID = 25,
	ESCAPED = 6,      /* the most bytes that one byte of text becomes: \u00XX */
	BODY_FIXED = 256, /* more than all of a row as JSON except its texts */
	MOST_ROWS = 1000,
};

/* ---- the database: binary parameters and rows ------------------------------------------------ */

enum statement { SHOW, LIST, STORE, STATEMENTS };

static const struct {
	const char *name, *sql;
	int parameters;
	Oid types[3];
} statements[STATEMENTS] = {
	[SHOW] = { "show",
		   "select id, name, email, age from users where id = $1",
		   1,
		   { INT8_OID } },
	[LIST] = { "list",
		   "select id, name, email, age from users order by id limit $1 offset $2",
		   2,
		   { INT8_OID, INT8_OID } },
	[STORE] = { "store",
		    "insert into users (name, email, age) values ($1, $2, $3) "
		    "returning id, name, email, age",
		    3,
		    { TEXT_OID, TEXT_OID, INT4_OID } },
};

static inline bool prepare_all(PGconn *db)
{
	bool ok = PQstatus(db) == CONNECTION_OK && PQsetClientEncoding(db, "UTF8") == 0;

	for (int i = 0; ok && i < STATEMENTS; i++) {
		PGresult *result = PQprepare(db, statements[i].name, statements[i].sql,
					     statements[i].parameters, statements[i].types);

		ok = PQresultStatus(result) == PGRES_COMMAND_OK;
		PQclear(result);
	}
	return ok;
}

/* What a request wants to know, and the numbers in the order of the network. */
struct query {
	enum statement statement;
	uint64_t numbers[2];
	uint32_t age;
	char name[256], email[256];
	bool age_given;
	const char *values[3];
	int lengths[3];
};

static const int binary[] = { 1, 1, 1 };

static inline void point_at_values(struct query *query)
{
	if (query->statement == STORE) {
		query->values[0] = query->name;
		query->lengths[0] = (int)strlen(query->name);
		query->values[1] = query->email;
		query->lengths[1] = (int)strlen(query->email);
		query->values[2] = query->age_given ? (const char *)&query->age : NULL;
		query->lengths[2] = sizeof query->age;
		return;
	}
	for (int i = 0; i < statements[query->statement].parameters; i++) {
		query->values[i] = (const char *)&query->numbers[i];
		query->lengths[i] = sizeof query->numbers[i];
	}
}

static inline int64_t read_int64(const char *data)
{
	uint64_t value;

	memcpy(&value, data, sizeof value);
	return (int64_t)be64toh(value);
}

static inline int32_t read_int32(const char *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof value);
	return (int32_t)be32toh(value);
}

/* ---- JSON: each writer returns the place behind what it wrote -------------------------------- */

static inline char *put(char *to, const char *data, size_t length)
{
	memcpy(to, data, length);
	return to + length;
}

#define PUT_LITERAL(to, text) put((to), (text), sizeof(text) - 1)

static inline char *put_int(char *to, int64_t value)
{
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char digits[20], *first = digits + sizeof digits;

	do
		*--first = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (value < 0)
		*to++ = '-';
	return put(to, first, (size_t)(digits + sizeof digits - first));
}

/* What a byte needs: 0 nothing, 'u' \u00XX, else the letter behind the backslash. */
static const char escapes[256] = {
	[0] = 'u',    [1] = 'u',    [2] = 'u',    [3] = 'u',     [4] = 'u',    [5] = 'u',
	[6] = 'u',    [7] = 'u',    ['\b'] = 'b', ['\t'] = 't',  ['\n'] = 'n', [11] = 'u',
	['\f'] = 'f', ['\r'] = 'r', [14] = 'u',   [15] = 'u',    [16] = 'u',   [17] = 'u',
	[18] = 'u',   [19] = 'u',   [20] = 'u',   [21] = 'u',    [22] = 'u',   [23] = 'u',
	[24] = 'u',   [25] = 'u',   [26] = 'u',   [27] = 'u',    [28] = 'u',   [29] = 'u',
	[30] = 'u',   [31] = 'u',   ['"'] = '"',  ['\\'] = '\\',
};

/* The server sends valid UTF-8, which JSON takes as it is. */
static inline char *put_text(char *to, const char *data, size_t length)
{
	static const char hex[] = "0123456789abcdef";

	*to++ = '"';
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)data[i];
		char escape = escapes[byte];

		if (escape == 0) {
			*to++ = (char)byte;
			continue;
		}
		*to++ = '\\';
		*to++ = escape;
		if (escape == 'u') {
			to = PUT_LITERAL(to, "00");
			*to++ = hex[byte >> 4];
			*to++ = hex[byte & 15];
		}
	}
	*to++ = '"';
	return to;
}

static inline char *put_user(char *to, const PGresult *rows, int row)
{
	to = PUT_LITERAL(to, "{\"id\":");
	to = put_int(to, read_int64(PQgetvalue(rows, row, 0)));
	to = PUT_LITERAL(to, ",\"name\":");
	to = put_text(to, PQgetvalue(rows, row, 1), (size_t)PQgetlength(rows, row, 1));
	to = PUT_LITERAL(to, ",\"email\":");
	to = put_text(to, PQgetvalue(rows, row, 2), (size_t)PQgetlength(rows, row, 2));
	to = PUT_LITERAL(to, ",\"age\":");
	to = PQgetisnull(rows, row, 3) ? PUT_LITERAL(to, "null")
				       : put_int(to, read_int32(PQgetvalue(rows, row, 3)));
	return PUT_LITERAL(to, "}");
}

/* More bytes than the rows as JSON take. */
static inline size_t room_for_rows(const PGresult *rows)
{
	size_t room = BODY_FIXED;

	for (int i = 0; i < PQntuples(rows); i++)
		room += BODY_FIXED +
			ESCAPED * (size_t)(PQgetlength(rows, i, 1) + PQgetlength(rows, i, 2));
	return room;
}

static inline char *put_rows(char *to, const PGresult *rows, enum statement statement)
{
	if (statement != LIST)
		return put_user(to, rows, 0);
	*to++ = '[';
	for (int i = 0; i < PQntuples(rows); i++) {
		if (i > 0)
			*to++ = ',';
		to = put_user(to, rows, i);
	}
	*to++ = ']';
	return to;
}

/* The head of an answer that is good. */
static inline char *put_head(char *to, enum statement statement, int64_t id, size_t length)
{
	if (statement == STORE) {
		to = PUT_LITERAL(to, "Status: 201 Created\r\nLocation: /users/");
		to = put_int(to, id);
		to = PUT_LITERAL(to, "\r\n");
	} else {
		to = PUT_LITERAL(to, "Status: 200 OK\r\n");
	}
	to = PUT_LITERAL(to, "Content-Type: application/json\r\nContent-Length: ");
	to = put_int(to, (int64_t)length);
	return PUT_LITERAL(to, "\r\n\r\n");
}

/* ---- requests -------------------------------------------------------------------------------- */

static const char hello_body[] = "{\"message\":\"Hello, world!\"}";

/* The number behind the text; false: it does not begin with that, or with no digit behind it. */
static inline bool number_behind(const char *at, const char *text, int64_t *number,
				 const char **end)
{
	size_t length = strlen(text);
	char *stop;

	if (strncmp(at, text, length) != 0 || at[length] < '0' || at[length] > '9')
		return false;
	*number = strtoll(at + length, &stop, 10);
	*end = stop;
	return true;
}

/* GET /users/7 and GET /users?limit=20&offset=40 */
static inline bool read_target(const char *uri, struct query *query)
{
	int64_t first, second = 0;
	const char *end;

	*query = (struct query){ .statement = SHOW };
	if (!number_behind(uri, "/users/", &first, &end)) {
		query->statement = LIST;
		if (!number_behind(uri, "/users?limit=", &first, &end) || first < 1 ||
		    first > MOST_ROWS)
			return false;
		if (*end != '\0' && !number_behind(end, "&offset=", &second, &end))
			return false;
	}
	query->numbers[0] = htobe64((uint64_t)first);
	query->numbers[1] = htobe64((uint64_t)second);
	return *end == '\0';
}

static inline bool copy_member(const cJSON *object, const char *name, char to[256])
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	if (text == NULL || strlen(text) > 255)
		return false;
	strcpy(to, text);
	return true;
}

/* POST /users {"name": "Ada", "email": "ada@example.org", "age": 36} */
static inline bool read_user(const char *body, size_t length, struct query *query)
{
	cJSON *object = cJSON_ParseWithLength(body, length);
	const cJSON *age = cJSON_GetObjectItemCaseSensitive(object, "age");
	bool good;

	*query = (struct query){ .statement = STORE, .age_given = cJSON_IsNumber(age) };
	if (query->age_given)
		query->age = htobe32((uint32_t)age->valueint);
	good = copy_member(object, "name", query->name) &&
	       copy_member(object, "email", query->email);
	cJSON_Delete(object);
	return good;
}

#endif
