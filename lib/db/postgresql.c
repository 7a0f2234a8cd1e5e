/*
 * postgresql.c - PostgreSQL through libpq: the only file that knows it.
 *
 * Connections are in pipeline mode from the start. Parameters and results are binary, except
 * that text goes as text of no type, so that the server gives it the type of its place.
 * libpq 15 sends at every PQpipelineSync: a flush of our own only finishes what did not fit.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/internal.h"
#include "db/internal.h"
#include "db/postgresql_values.h"

/* ---- errors --------------------------------------------------------------------------- */

/* The longest beginning of the SQLSTATE that stands here decides. */
static enum ath_status status_of(const char *sqlstate)
{
	static const struct {
		const char *begins;
		enum ath_status status;
	} rows[] = {
		{ "08", ATH_EUNAVAILABLE },
		{ "57P01", ATH_EUNAVAILABLE },
		{ "57P02", ATH_EUNAVAILABLE },
		{ "57P03", ATH_EUNAVAILABLE },
		{ "57P05", ATH_EUNAVAILABLE },
		{ "25P03", ATH_EUNAVAILABLE },
		{ "53", ATH_EUNAVAILABLE },
		{ "57014", ATH_ETIMEDOUT },
		{ "23505", ATH_EUNIQUE },
		{ "23P01", ATH_EUNIQUE },
		{ "23503", ATH_EREFERENCE },
		{ "23001", ATH_EREFERENCE },
		{ "23502", ATH_ERULE },
		{ "23514", ATH_ERULE },
		{ "22", ATH_ERULE },
		{ "40001", ATH_ESERIALIZATION },
		{ "40P01", ATH_ESERIALIZATION },
		{ "55P03", ATH_ELOCKED },
		{ "42501", ATH_EFORBIDDEN },
		{ "25006", ATH_EREADONLY },
		{ "08007", ATH_EUNKNOWN },
	};
	enum ath_status status = ATH_ESQL;
	size_t longest = 0;

	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		size_t length = strlen(rows[i].begins);

		if (length > longest && strncmp(sqlstate, rows[i].begins, length) == 0) {
			longest = length;
			status = rows[i].status;
		}
	}
	return status;
}

static void copy_field(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from == NULL ? "" : from);
}

/* The first line, without what libpq puts around it. */
static enum ath_status connection_error(const PGconn *connection, struct ath_error *error)
{
	const char *text = PQerrorMessage(connection);

	return ath_error_set(error, ATH_EUNAVAILABLE, "%.*s", (int)strcspn(text, "\n"), text);
}

static void result_error(const PGresult *result, struct ath_error *error)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (error->status != ATH_OK)
		return;
	if (message == NULL)
		message = PQresultErrorMessage(result); /* libpq's own: the connection broke */
	ath_error_set(error, sqlstate == NULL ? ATH_EUNAVAILABLE : status_of(sqlstate), "%.*s",
		      (int)strcspn(message, "\n"), message);
	copy_field(error->sqlstate, sizeof error->sqlstate, sqlstate);
	copy_field(error->constraint, sizeof error->constraint,
		   PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
	copy_field(error->table, sizeof error->table,
		   PQresultErrorField(result, PG_DIAG_TABLE_NAME));
	copy_field(error->column, sizeof error->column,
		   PQresultErrorField(result, PG_DIAG_COLUMN_NAME));
}

int ath_postgresql_version(void)
{
	return PQlibVersion();
}

/* ---- opening and closing ----------------------------------------------------------------- */

/* One for each host; an empty one is the default. libpq looks only when it connects. */
static bool are_ports(const char *list)
{
	for (;;) {
		size_t length = strcspn(list, ",");
		int64_t port;

		if (length > 0 && (!ath_text_int64((struct ath_text){ list, length }, &port) ||
				   port < 1 || port > 65535))
			return false;
		if (list[length] == '\0')
			return true;
		list += length + 1;
	}
}

/* libpq likes to quote the whole URL, password and all: how much of the message stands before. */
static size_t before_url(const char *message)
{
	const char *url = strstr(message, "\"postgres");
	size_t length = url == NULL ? strcspn(message, "\n") : (size_t)(url - message);

	while (length > 0 && strchr(": ", message[length - 1]) != NULL)
		length--;
	return length;
}

static enum ath_status pg_check(const struct ath_url *url, struct ath_error *error)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(url->text, &message);

	if (options == NULL && message == NULL)
		ath_error_set(error, ATH_ENOMEM, "out of memory");
	else if (options == NULL)
		ath_error_set(error, ATH_EINVAL, "the database URL: %.*s", (int)before_url(message),
			      message);
	for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
	     option++)
		if (option->val != NULL && strcmp(option->keyword, "port") == 0 &&
		    !are_ports(option->val))
			/* not which: that of user:a/b@host is the beginning of the password */
			ath_error_set(error, ATH_EINVAL,
				      "the database URL: a port is from 1 to 65535, and a / in a "
				      "password is written %%2F");
		else if (option->val != NULL && strcmp(option->keyword, "password") == 0 &&
			 url->password != NULL)
			ath_error_set(error, ATH_EINVAL,
				      "there are two passwords, in the database URL and beside "
				      "it: take one away");
	PQconninfoFree(options);
	PQfreemem(message);
	return error->status;
}

/* A notice is the server's remark, not a failure; the default prints to standard error. */
static void drop_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static enum ath_status set_up(PGconn *connection, struct ath_error *error)
{
	PQsetNoticeReceiver(connection, drop_notice, NULL);
	if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1)
		connection_error(connection, error);
	return error->status;
}

static void pg_close(void *handle)
{
	PQfinish(handle);
}

/*
 * The time limits go with the start of the connection, so that the connect time-out covers all
 * that opening waits for; behind the URL's own options, if it has any. A pooler refuses options.
 */
static char *start_options(const struct ath_url *url)
{
	PQconninfoOption *options = PQconninfoParse(url->text, NULL);
	const char *given = "";
	char *text = NULL;

	for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
	     option++)
		if (strcmp(option->keyword, "options") == 0 && option->val != NULL)
			given = option->val;
	if (options != NULL && url->pooler)
		text = strdup(given);
	else if (options == NULL || asprintf(&text,
					     "-c statement_timeout=%d -c lock_timeout=%d "
					     "-c idle_in_transaction_session_timeout=%d %s",
					     url->statement_timeout_ms, url->lock_timeout_ms,
					     url->idle_timeout_ms, given) < 0)
		text = NULL;
	PQconninfoFree(options);
	return text;
}

/*
 * Why the server refused: libpq 15 tells the SQLSTATE of that in the text alone, if it was asked to
 * before. So it is asked, and the server as well.
 */
static void find_sqlstate(PGconn *connection, struct ath_error *error)
{
	static const char mark[] = "FATAL:  ";
	char sqlstate[sizeof error->sqlstate];
	const char *at;

	if (strstr(error->message, mark) == NULL)
		return;
	PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
	PQreset(connection);
	at = strstr(PQerrorMessage(connection), mark);
	if (at == NULL)
		return;
	snprintf(sqlstate, sizeof sqlstate, "%s", at + strlen(mark));
	if (strspn(sqlstate, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == sizeof sqlstate - 1)
		copy_field(error->sqlstate, sizeof error->sqlstate, sqlstate);
}

static enum ath_status pg_open(void **handle, const struct ath_url *url, struct ath_error *error)
{
	char timeout[16], *options = start_options(url);
	/* what stands behind dbname wins over the URL, what stands before it does not */
	const char *names[] = {
		"connect_timeout",
		"fallback_application_name",
		"keepalives_idle",
		"keepalives_interval",
		"keepalives_count", /* of TCP: a host that is gone is known after a minute */
		"dbname",
		"client_encoding",
		"options",
		"password",
		NULL
	};
	const char *values[] = { timeout, url->application_name, "30", "10", "3", url->text, "UTF8",
				 options, url->password,         NULL };
	PGconn *connection = NULL;

	*handle = NULL;
	snprintf(timeout, sizeof timeout, "%d", url->connect_timeout_s);
	if (options != NULL)
		connection = PQconnectdbParams(names, values, 1);
	free(options);
	if (connection == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	if (PQstatus(connection) != CONNECTION_OK) {
		connection_error(connection, error);
		find_sqlstate(connection, error);
	} else if (set_up(connection, error) == ATH_OK) {
		*handle = connection;
	}
	if (*handle == NULL)
		PQfinish(connection);
	return error->status;
}

static int pg_backend(void *handle)
{
	return PQbackendPID(handle);
}

static int pg_fd(void *handle)
{
	return PQsocket(handle);
}

/* ---- parameters ----------------------------------------------------------------------------- */

/* The parameters of one statement as libpq wants them. */
struct arguments {
	const char **values;
	int *lengths, *formats;
};

static struct arguments *new_arguments(struct ath_arena *arena, size_t count)
{
	struct arguments *arguments;
	size_t each =
		sizeof *arguments->values + sizeof *arguments->lengths + sizeof *arguments->formats;

	/* a statement has at most 65535, so that this cannot overflow */
	arguments = ath_arena_alloc(arena, sizeof *arguments + count * each);
	if (arguments == NULL)
		return NULL;
	arguments->values = (const char **)(void *)(arguments + 1);
	arguments->lengths = (int *)(void *)(arguments->values + count);
	arguments->formats = arguments->lengths + count;
	return arguments;
}

static enum ath_status pg_bind(struct ath_statement *statement, struct ath_arena *arena)
{
	struct arguments *arguments = new_arguments(arena, statement->param_count);

	if (arguments == NULL)
		return ATH_ENOMEM;
	for (size_t i = 0; i < statement->param_count; i++) {
		struct ath_pg_argument argument;
		enum ath_status status = ath_pg_encode(&statement->params[i], arena, &argument);

		if (status != ATH_OK)
			return status;
		arguments->values[i] = argument.bytes;
		arguments->lengths[i] = argument.length;
		arguments->formats[i] = argument.format;
	}
	statement->arguments = arguments;
	return ATH_OK;
}

/* ---- sending -------------------------------------------------------------------------------- */

static enum ath_status sent(int ok)
{
	return ok == 1 ? ATH_OK : ATH_EIO;
}

static Oid *argument_types(const struct ath_statement *statement)
{
	Oid *oids = calloc(statement->param_count + 1, sizeof *oids);

	for (size_t i = 0; oids != NULL && i < statement->param_count; i++)
		oids[i] = ath_pg_oid(&statement->params[i]);
	return oids;
}

static enum ath_status pg_prepare(void *handle, const char *name,
				  const struct ath_statement *statement)
{
	Oid *oids = argument_types(statement);
	enum ath_status status;

	if (oids == NULL)
		return ATH_ENOMEM;
	status = sent(
		PQsendPrepare(handle, name, statement->text, (int)statement->param_count, oids));
	free(oids);
	return status;
}

static enum ath_status pg_forget(void *handle, const char *name)
{
	char sql[64];

	snprintf(sql, sizeof sql, "deallocate \"%s\"", name);
	return sent(PQsendQueryParams(handle, sql, 0, NULL, NULL, NULL, NULL, 1));
}

static enum ath_status execute_text(void *handle, const struct ath_statement *statement)
{
	const struct arguments *arguments = statement->arguments;
	Oid *oids = argument_types(statement);
	enum ath_status status;

	if (oids == NULL)
		return ATH_ENOMEM;
	status = sent(PQsendQueryParams(handle, statement->text, (int)statement->param_count, oids,
					arguments->values, arguments->lengths, arguments->formats,
					1));
	free(oids);
	return status;
}

static enum ath_status pg_execute(void *handle, const char *name,
				  const struct ath_statement *statement)
{
	const struct arguments *arguments = statement->arguments;

	if (name == NULL)
		return execute_text(handle, statement);
	return sent(PQsendQueryPrepared(handle, name, (int)statement->param_count,
					arguments->values, arguments->lengths, arguments->formats,
					1));
}

static enum ath_status pg_sync(void *handle)
{
	return sent(PQpipelineSync(handle));
}

static enum ath_status pg_flush(void *handle)
{
	int left = PQflush(handle);

	return left == 0 ? ATH_OK : left > 0 ? ATH_ETIMEDOUT : ATH_EIO;
}

/* ---- receiving ------------------------------------------------------------------------------ */

static enum ath_status pg_consume(void *handle, struct ath_error *error)
{
	if (PQconsumeInput(handle) == 1)
		return ATH_OK;
	connection_error(handle, error);
	return ATH_EIO;
}

static enum ath_outcome take_failure(const PGresult *result, struct ath_error *error)
{
	switch (PQresultStatus(result)) {
	case PGRES_PIPELINE_ABORTED:
		return ATH_OUTCOME_SKIPPED;
	case PGRES_COPY_IN: /* the sync behind it is taken for its data, or never read */
	case PGRES_COPY_OUT:
		ath_error_set(error, ATH_ESQL, "COPY from or to the client: use INSERT");
		return ATH_OUTCOME_BROKEN;
	case PGRES_FATAL_ERROR:
		result_error(result, error);
		return ATH_OUTCOME_ERROR;
	default: /* an empty statement */
		ath_error_set(error, ATH_ESQL, "the statement is of no use here");
		return ATH_OUTCOME_ERROR;
	}
}

/*
 * A NULL stands behind what comes of a statement, but not behind a sync. It is libpq's own, so that
 * nothing is waited for.
 */
static enum ath_outcome pg_receive(void *handle, void **result, struct ath_error *error)
{
	PGresult *next = PQisBusy(handle) ? NULL : PQgetResult(handle);
	enum ath_outcome outcome;

	if (next == NULL)
		return ATH_OUTCOME_NONE;
	switch (PQresultStatus(next)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		*result = next;
		(void)PQgetResult(handle);
		return ATH_OUTCOME_RESULT;
	case PGRES_PIPELINE_SYNC:
		PQclear(next);
		return ATH_OUTCOME_SYNC;
	default:
		outcome = take_failure(next, error);
		PQclear(next);
		if (outcome != ATH_OUTCOME_BROKEN)
			(void)PQgetResult(handle);
		return outcome;
	}
}

/* Taking one parses what stands before it: a server's last words are dropped as a notice. */
static void pg_notifications(void *handle,
			     void (*take)(void *arg, const char *channel, const char *payload),
			     void *arg)
{
	PGnotify *notification;

	while ((notification = PQnotifies(handle)) != NULL) {
		take(arg, notification->relname, notification->extra);
		PQfreemem(notification);
	}
}

static bool pg_in_transaction(void *handle)
{
	return PQtransactionStatus(handle) != PQTRANS_IDLE;
}

/* A readable idle connection has a notice for us, or has died: taking it in tells. */
static bool pg_is_idle(void *handle)
{
	struct pollfd readable = { .fd = PQsocket(handle), .events = POLLIN };

	while (poll(&readable, 1, 0) > 0) {
		if (PQconsumeInput(handle) != 1)
			return false;
		(void)PQisBusy(handle); /* parses what has come, so that a notice is gone */
		if (readable.revents & (POLLHUP | POLLERR))
			return false;
	}
	return PQstatus(handle) == CONNECTION_OK && !pg_in_transaction(handle);
}

static enum ath_status pg_script(void *handle, const char *sql, struct ath_error *error)
{
	PGresult *result;

	if (PQexitPipelineMode(handle) != 1 || PQsetnonblocking(handle, 0) != 0 ||
	    PQsendQuery(handle, sql) != 1)
		return connection_error(handle, error);
	while ((result = PQgetResult(handle)) != NULL) {
		ExecStatusType status = PQresultStatus(result);

		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
			PQclear(result);
			return ath_error_set(error, ATH_ESQL,
					     "COPY from or to the client: use INSERT");
		}
		if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
		    status != PGRES_EMPTY_QUERY)
			result_error(result, error); /* the first one stays */
		PQclear(result);
		if (PQstatus(handle) == CONNECTION_BAD)
			break;
	}
	if (PQsetnonblocking(handle, 1) != 0 || PQenterPipelineMode(handle) != 1)
		connection_error(handle, error);
	return error->status;
}

/* ---- results -------------------------------------------------------------------------------- */

static size_t pg_rows(const void *result)
{
	return (size_t)PQntuples(result);
}

static int64_t pg_affected(const void *result)
{
	return strtoll(PQcmdTuples((PGresult *)(uintptr_t)result), NULL, 10);
}

static const char *pg_tag(const void *result)
{
	return PQcmdStatus((PGresult *)(uintptr_t)result);
}

static size_t pg_memory(const void *result)
{
	return PQresultMemorySize(result);
}

static void pg_free(void *result)
{
	PQclear(result);
}

static const char *pg_column(const void *result, size_t i)
{
	return PQfname(result, (int)i);
}

/*
 * A column of some rows. Columns are taken one after the other, so that what a type asks for is
 * decided once and not for every cell, but of few rows at a time, so that these stay in the cache.
 */
enum { ROWS_AT_ONCE = 32 };

struct stretch {
	const PGresult *result;
	int row, count, column;
	const struct ath_target *target;
	void *const *objects;
	struct ath_arena *arena;
	struct ath_error *error;
};

static bool take_null(const struct stretch *stretch, char *member)
{
	const struct ath_target *target = stretch->target;

	if (target->flag > 0) {
		*(bool *)(member + target->flag) = false;
		return true;
	}
	memset(member, 0, ath_type_size(target->type));
	if (!target->null_allowed)
		ath_error_set(stretch->error, ATH_ESQL,
			      "column %s is NULL, and its member cannot be", target->name);
	return target->null_allowed;
}

/* A cell of any type. A NULL has no bytes. */
static bool take_cell(const struct stretch *stretch, int i)
{
	const struct ath_target *target = stretch->target;
	int row = stretch->row + i, length = PQgetlength(stretch->result, row, stretch->column);
	char *member = (char *)stretch->objects[i] + target->offset;

	if (length == 0 && PQgetisnull(stretch->result, row, stretch->column) == 1)
		return take_null(stretch, member);
	if (target->flag > 0)
		*(bool *)(member + target->flag) = true;
	if (ath_pg_decode(PQgetvalue(stretch->result, row, stretch->column), length,
			  PQftype(stretch->result, stretch->column), target, member,
			  stretch->arena))
		return true;
	if (ath_arena_failed(stretch->arena))
		ath_error_set(stretch->error, ATH_ENOMEM, "no memory for the value of column %s",
			      target->name);
	else
		ath_error_set(stretch->error, ATH_ESQL,
			      "a value of column %s does not fit its member", target->name);
	return false;
}

static bool take_cells(const struct stretch *stretch)
{
	for (int i = 0; i < stretch->count; i++)
		if (!take_cell(stretch, i))
			return false;
	return true;
}

/* NULL is "" to libpq, as is an empty text. */
static bool take_texts(const struct stretch *stretch)
{
	for (int i = 0; i < stretch->count; i++) {
		const char *text = PQgetvalue(stretch->result, stretch->row + i, stretch->column);

		if (*text != '\0')
			memcpy((char *)stretch->objects[i] + stretch->target->offset, &text,
			       sizeof text);
		else if (!take_cell(stretch, i))
			return false;
	}
	return true;
}

/* Values of so many bytes each; what has another length is NULL, or of another size. */
static inline bool take_fixed(const struct stretch *stretch, int size,
			      void (*decode)(const char *bytes, char *member))
{
	const struct ath_target *target = stretch->target;

	for (int i = 0; i < stretch->count; i++) {
		char *member = (char *)stretch->objects[i] + target->offset;
		int row = stretch->row + i;

		if (PQgetlength(stretch->result, row, stretch->column) == size) {
			decode(PQgetvalue(stretch->result, row, stretch->column), member);
			if (target->flag > 0)
				*(bool *)(member + target->flag) = true;
		} else if (!take_cell(stretch, i)) {
			return false;
		}
	}
	return true;
}

static bool take_stretch(const struct stretch *stretch)
{
	switch (stretch->target->type) {
	case ATH_TYPE_TEXT:
		return take_texts(stretch);
	case ATH_TYPE_BOOL:
		return take_fixed(stretch, 1, ath_pg_get_bool);
	case ATH_TYPE_INT32:
		return take_fixed(stretch, 4, ath_pg_get_int32);
	case ATH_TYPE_INT64:
	case ATH_TYPE_DOUBLE:
		return take_fixed(stretch, 8, ath_pg_get_int64);
	case ATH_TYPE_TIMESTAMP:
		return take_fixed(stretch, 8, ath_pg_get_timestamp);
	default:
		return take_cells(stretch);
	}
}

static enum ath_status pg_read(const void *handle, size_t first, size_t count,
			       const struct ath_target *targets, size_t target_count,
			       void *const *objects, struct ath_arena *arena,
			       struct ath_error *error)
{
	struct stretch stretch = { .result = handle, .arena = arena, .error = error };
	bool binary = PQbinaryTuples(handle) == 1;

	if ((size_t)PQnfields(handle) != target_count)
		return ath_error_set(error, ATH_ESQL, "%d columns came where %zu were asked for",
				     PQnfields(handle), target_count);
	for (size_t c = 0; c < target_count; c++)
		if (!binary || !ath_pg_fits(PQftype(handle, (int)c), targets[c].type))
			return ath_error_set(error, ATH_ESQL,
					     "column %s has another type in the database (oid %u) "
					     "than in the model",
					     targets[c].name, PQftype(handle, (int)c));
	for (size_t r = 0; r < count; r += ROWS_AT_ONCE) {
		stretch.row = (int)(first + r);
		stretch.count = count - r < ROWS_AT_ONCE ? (int)(count - r) : ROWS_AT_ONCE;
		stretch.objects = objects + r;
		for (size_t c = 0; c < target_count; c++) {
			stretch.column = (int)c;
			stretch.target = &targets[c];
			if (!take_stretch(&stretch))
				return error->status;
		}
	}
	return ATH_OK;
}

static const char *const schemes[] = { "postgresql", "postgres", NULL };

const struct ath_driver ath_postgresql = {
	.schemes = schemes,
	.check = pg_check,
	.open = pg_open,
	.close = pg_close,
	.backend = pg_backend,
	.fd = pg_fd,
	.bind = pg_bind,
	.prepare = pg_prepare,
	.forget = pg_forget,
	.execute = pg_execute,
	.sync = pg_sync,
	.flush = pg_flush,
	.consume = pg_consume,
	.receive = pg_receive,
	.notifications = pg_notifications,
	.in_transaction = pg_in_transaction,
	.is_idle = pg_is_idle,
	.script = pg_script,
	.rows = pg_rows,
	.affected = pg_affected,
	.tag = pg_tag,
	.read = pg_read,
	.column = pg_column,
	.memory = pg_memory,
	.free = pg_free,
};
