/*
 * database.h - a database of its own for every test program, in the server that
 * ATHANOR_TEST_URL leads to, so that programs run side by side; and a connection beside the
 * library's own, to prepare things and to look at what came of them.
 *
 * With ATHANOR_TEST_POOLER, the directory of PgBouncer's socket, the library goes by way of
 * it, in transaction mode; the connection beside it does not. See run.sh.
 *
 * These functions are called inside fibers too, where a failed assertion must not jump: what
 * fails here ends the program.
 */
#ifndef TESTS_DB_DATABASE_H
#define TESTS_DB_DATABASE_H

#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static PGconn *control;
static char database_name[64];
static char database_url[1024];   /* what the library is given */
static char database_socket[256]; /* where that leads: directory and port, for the proxy */
static char database_port[16];
static char database_user[64];

static inline void die_of(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	_exit(1);
}

/* A new one, in $TMPDIR if a socket's path can begin with that. */
static inline void make_directory(char *path, size_t size)
{
	const char *parent = getenv("TMPDIR");

	if (parent == NULL || strlen(parent) > 40)
		parent = "/tmp";
	snprintf(path, size, "%s/athanor.XXXXXX", parent);
	if (mkdtemp(path) == NULL)
		die_of(path, strerror(errno));
}

/* The directory of the pooler's socket; NULL: there is none. */
static inline const char *pooler(void)
{
	return getenv("ATHANOR_TEST_POOLER");
}

/* First in a test that would say nothing, or something else, with a pooler between: why. */
#define NOT_POOLED(why)                                                                            \
	do {                                                                                       \
		if (pooler() != NULL) {                                                            \
			print_message("skipped: %s\n", (why));                                     \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

/* A URL of the same user for libpq, by way of another socket or to another database. */
static inline void make_plain_url(char *url, size_t size, const char *database, const char *socket,
				  const char *port)
{
	snprintf(url, size, "postgresql:///%s?host=%s&port=%s&user=%s", database, socket, port,
		 database_user);
}

/* The same for the library. */
static inline void make_url(char *url, size_t size, const char *database, const char *socket,
			    const char *port)
{
	make_plain_url(url, size, database, socket, port);
	if (pooler() != NULL)
		strncat(url, "&prepared_statements=off", size - strlen(url) - 1);
}

static inline PGresult *query_control(const char *sql)
{
	PGresult *result = PQexec(control, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		die_of(sql, PQerrorMessage(control));
	return result;
}

static inline void run_sql(const char *sql)
{
	PQclear(query_control(sql));
}

/* The first value of the answer as text; "" for NULL or no row. Good until the next call. */
static inline const char *ask(const char *sql)
{
	static char answer[256];
	PGresult *result = query_control(sql);

	snprintf(answer, sizeof answer, "%s",
		 PQntuples(result) == 0 ? "" : PQgetvalue(result, 0, 0));
	PQclear(result);
	return answer;
}

static inline long long ask_number(const char *sql)
{
	return strtoll(ask(sql), NULL, 10);
}

static inline void connect_control(const char *url)
{
	PQfinish(control);
	control = PQconnectdb(url);
	if (PQstatus(control) != CONNECTION_OK)
		die_of("the database of the tests", PQerrorMessage(control));
	run_sql("set client_min_messages to warning");
}

static inline int create_database(void **state)
{
	const char *url = getenv("ATHANOR_TEST_URL");
	char sql[128];

	(void)state;
	if (url == NULL || *url == '\0') {
		fprintf(stderr, "ATHANOR_TEST_URL is not set: it must lead to a PostgreSQL server "
				"as its superuser, such as "
				"postgresql:///postgres?host=/tmp/x/socket&user=postgres\n");
		return -1;
	}
	connect_control(url);
	snprintf(database_socket, sizeof database_socket, "%s", PQhost(control));
	snprintf(database_port, sizeof database_port, "%s", PQport(control));
	snprintf(database_user, sizeof database_user, "%s", PQuser(control));
	snprintf(database_name, sizeof database_name, "%.40s_%d", program_invocation_short_name,
		 (int)getpid());
	snprintf(sql, sizeof sql, "create database %s", database_name);
	run_sql(sql);
	make_plain_url(database_url, sizeof database_url, database_name, database_socket,
		       database_port);
	connect_control(database_url);
	if (pooler() != NULL) {
		snprintf(database_socket, sizeof database_socket, "%s", pooler());
		snprintf(database_port, sizeof database_port, "5432");
	}
	make_url(database_url, sizeof database_url, database_name, database_socket, database_port);
	return 0;
}

static inline int drop_database(void **state)
{
	char sql[128];

	(void)state;
	if (control == NULL)
		return 0;
	connect_control(getenv("ATHANOR_TEST_URL"));
	snprintf(sql, sizeof sql, "drop database if exists %s with (force)", database_name);
	run_sql(sql);
	PQfinish(control);
	control = NULL;
	return 0;
}

/* Backends of the library in this database, those that are ending aside. */
static inline long long backends(void)
{
	return ask_number("select count(*) from pg_stat_activity "
			  "where datname = current_database() and application_name = 'athanor'");
}

/* Ends them all, and returns when they are gone. */
static inline void terminate_backends(void)
{
	run_sql("select pg_terminate_backend(pid, 60000) from pg_stat_activity "
		"where datname = current_database() and application_name = 'athanor'");
}

#endif
