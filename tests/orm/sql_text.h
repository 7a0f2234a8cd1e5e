/*
 * sql_text.h - what a statement has to be, text and parameters. Every text that is as expected is
 * prepared by a server that has the tables, too: so it is SQL, and its types fit.
 */
#ifndef TESTS_ORM_SQL_TEXT_H
#define TESTS_ORM_SQL_TEXT_H

#include "../db/database.h"
#include "books.h"
#include "db/postgresql_values.h"
#include "models.h"

static struct ath_arena *arena;
static struct ath_sql sql;
static struct ath_statement statement;

static inline bool all_exist(const struct ath_model *target, void *arg)
{
	(void)target;
	(void)arg;
	return true;
}

static inline int create_tables(void **state)
{
	if (create_database(state) != 0 || ath_arena_open(&arena, 0) != ATH_OK)
		return -1;
	run_sql("create schema shelf");
	run_sql(TEST_TABLES);
	for (size_t i = 0; book_models[i] != NULL; i++) {
		ath_sql_open(&sql, arena);
		if (book_models[i]->kind != ATH_TABLE)
			continue;
		ath_sql_create_table(&sql, book_models[i], all_exist, NULL);
		if (ath_sql_finish(&sql, &statement) != ATH_OK)
			die_of("create table", sql.error.message);
		run_sql(statement.text);
	}
	ath_arena_close(&arena);
	return 0;
}

static inline int open_sql(void **state)
{
	(void)state;
	if (ath_arena_open(&arena, 0) != ATH_OK)
		return -1;
	ath_sql_open(&sql, arena);
	return 0;
}

static inline int close_sql(void **state)
{
	(void)state;
	ath_arena_close(&arena);
	return 0;
}

static inline size_t put_value(char *text, const struct ath_value *value)
{
	char number[ATH_DECIMAL_MAX_TEXT];

	if (value->null)
		return (size_t)sprintf(text, "NULL");
	if (value->array)
		return (size_t)sprintf(text, "[%zu]", value->count);
	switch (value->type) {
	case ATH_TYPE_TEXT:
	case ATH_TYPE_JSON:
		return (size_t)sprintf(text, "'%s'", value->as.text);
	case ATH_TYPE_DECIMAL:
		ath_decimal_format(value->as.decimal, number);
		return (size_t)sprintf(text, "%s", number);
	case ATH_TYPE_DOUBLE:
		return (size_t)sprintf(text, "%g", value->as.real);
	case ATH_TYPE_BOOL:
		return (size_t)sprintf(text, "%s", value->as.boolean ? "true" : "false");
	case ATH_TYPE_DATE:
		return (size_t)sprintf(text, "%d", (int)value->as.date.days);
	case ATH_TYPE_ENUM:
		return (size_t)sprintf(text, "a number of an enum");
	case ATH_TYPE_UUID:
		return (size_t)sprintf(text, "uuid");
	default:
		return (size_t)sprintf(text, "%lld", (long long)value->as.integer);
	}
}

/* The parameters in one line: 1 'text' NULL [3]. */
static inline const char *params(void)
{
	static char text[2048];
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < statement.param_count; i++) {
		if (i > 0)
			text[length++] = ' ';
		length += put_value(text + length, &statement.params[i]);
	}
	return text;
}

static inline void prepare(void)
{
	Oid types[128];
	PGresult *result;

	assert_true(statement.param_count <= ATH_COUNT(types));
	for (size_t i = 0; i < statement.param_count; i++)
		types[i] = ath_pg_oid(&statement.params[i]);
	result = PQprepare(control, "", statement.text, (int)statement.param_count, types);
	if (PQresultStatus(result) != PGRES_COMMAND_OK) {
		print_error("%s\n%s", statement.text, PQresultErrorMessage(result));
		PQclear(result);
		fail();
	}
	PQclear(result);
}

static inline void expect_statement(const char *text, const char *parameters, const char *file,
				    int line)
{
	if (ath_sql_finish(&sql, &statement) != ATH_OK) {
		print_error("%s:%d: %s\n", file, line, sql.error.message);
		fail();
	}
	if (strcmp(statement.text, text) != 0 || strcmp(params(), parameters) != 0) {
		print_error("%s:%d:\n  %s\n  (%s)\n  is not\n  %s\n  (%s)\n", file, line,
			    statement.text, params(), text, parameters);
		fail();
	}
	assert_int_equal(statement.length, strlen(text));
	assert_int_equal(statement.hash,
			 ath_sql_hash(text, strlen(text), statement.params, statement.param_count));
	prepare();
	ath_sql_open(&sql, arena);
}

/* What has been made in sql since the last time. */
#define EXPECT_SQL(text, parameters) expect_statement((text), (parameters), __FILE__, __LINE__)

/* It is refused, and says why in words that hold these. */
static inline void expect_no_statement(enum ath_status status, const char *words, const char *file,
				       int line)
{
	enum ath_status is = ath_sql_finish(&sql, &statement);

	if (is != status || strstr(sql.error.message, words) == NULL) {
		print_error("%s:%d: %s: \"%s\", not %s: \"%s\"\n", file, line, ath_status_text(is),
			    is == ATH_OK ? statement.text : sql.error.message,
			    ath_status_text(status), words);
		fail();
	}
	ath_sql_open(&sql, arena);
}

#define EXPECT_NO_SQL(status, words) expect_no_statement((status), (words), __FILE__, __LINE__)

#endif
