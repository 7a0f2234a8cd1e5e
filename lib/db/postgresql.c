/*
 * postgresql.c - PostgreSQL through libpq: the only file that knows it.
 *
 * Connections are in pipeline mode from the start. Parameters and results are binary, except
 * that text goes as text of no type, so that the server gives it the type of its place.
 * libpq 15 sends at every PQpipelineSync: a flush of our own only finishes what did not fit.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/internal.h"
#include "db/driver.h"

/* microseconds from 1970-01-01 to PostgreSQL's 2000-01-01 */
static const int64_t epoch = 946684800LL * 1000000;

enum {
	OID_BOOL = 16,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_JSON = 114,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_UNKNOWN = 705,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_TIMESTAMPTZ = 1184,
	OID_UUID = 2950,
	FIRST_USER_OID = 16384,
};

static const struct {
	Oid scalar, array;
	int size;
} types[] = {
	[ATH_TYPE_TEXT] = { OID_TEXT, 1009, 0 },
	[ATH_TYPE_BOOL] = { OID_BOOL, 1000, 1 },
	[ATH_TYPE_INT16] = { OID_INT2, 1005, 2 },
	[ATH_TYPE_INT32] = { OID_INT4, 1007, 4 },
	[ATH_TYPE_INT64] = { OID_INT8, 1016, 8 },
	[ATH_TYPE_DOUBLE] = { OID_FLOAT8, 1022, 8 },
	[ATH_TYPE_TIMESTAMP] = { OID_TIMESTAMPTZ, 1185, 8 },
	[ATH_TYPE_UUID] = { OID_UUID, 2951, 16 },
};

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
		ath_error_set(error, ATH_EINVAL, "%.*s", (int)before_url(message), message);
	for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
	     option++)
		if (option->val != NULL && strcmp(option->keyword, "port") == 0 &&
		    !are_ports(option->val))
			ath_error_set(error, ATH_EINVAL, "a port is from 1 to 65535, not \"%s\"",
				      option->val);
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

static enum ath_status pg_open(void **handle, const struct ath_url *url, struct ath_error *error)
{
	char timeout[16], *options = start_options(url);
	/* what stands behind dbname wins over the URL, what stands before it does not */
	const char *names[] = { "connect_timeout", "fallback_application_name",
				"dbname",          "client_encoding",
				"options",         NULL };
	const char *values[] = { timeout, "athanor", url->text, "UTF8", options, NULL };
	PGconn *connection = NULL;

	*handle = NULL;
	snprintf(timeout, sizeof timeout, "%d", url->connect_timeout_s);
	if (options != NULL)
		connection = PQconnectdbParams(names, values, 1);
	free(options);
	if (connection == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	if (PQstatus(connection) != CONNECTION_OK)
		connection_error(connection, error);
	else if (set_up(connection, error) == ATH_OK)
		*handle = connection;
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

static bool to_server_time(struct ath_timestamp moment, int64_t *value)
{
	*value = moment.microseconds;
	if (*value == INT64_MIN || *value == INT64_MAX)
		return true;
	return !__builtin_sub_overflow(*value, epoch, value) && *value != INT64_MIN;
}

/* Puts one value of a scalar type in network order at out; returns its length, -1: no. */
static int put_scalar(enum ath_type type, const struct ath_value *value, char *out)
{
	uint64_t bits = (uint64_t)value->as.integer;
	int64_t moment;

	switch (type) {
	case ATH_TYPE_BOOL:
		*out = (char)value->as.boolean;
		return 1;
	case ATH_TYPE_INT16:
		memcpy(out, &(uint16_t){ htobe16((uint16_t)bits) }, 2);
		return 2;
	case ATH_TYPE_INT32:
		memcpy(out, &(uint32_t){ htobe32((uint32_t)bits) }, 4);
		return 4;
	case ATH_TYPE_TIMESTAMP:
		if (!to_server_time(value->as.timestamp, &moment))
			return -1;
		memcpy(out, &(uint64_t){ htobe64((uint64_t)moment) }, 8);
		return 8;
	case ATH_TYPE_DOUBLE:
		memcpy(&bits, &value->as.real, sizeof bits);
		/* fall through */
	case ATH_TYPE_INT64:
		memcpy(out, &(uint64_t){ htobe64(bits) }, 8);
		return 8;
	case ATH_TYPE_UUID:
		memcpy(out, value->as.uuid.bytes, 16);
		return 16;
	case ATH_TYPE_TEXT:
		break;
	}
	return -1;
}

static struct ath_value array_item(const struct ath_value *array, size_t i)
{
	switch (array->type) {
	case ATH_TYPE_TEXT:
		return ath_value_text(((const char *const *)array->as.items)[i]);
#define X(type_, c_type, name)                                                                     \
	case ATH_TYPE_##type_:                                                                     \
		return ath_value_##name(((const c_type *)array->as.items)[i]);
		ATH_SCALAR_MAP(X)
#undef X
	}
	return (struct ath_value){ .null = true };
}

static void put_int32(struct ath_buffer *out, int64_t value)
{
	uint32_t bytes = htobe32((uint32_t)value);

	ath_buffer_append(out, &bytes, sizeof bytes);
}

/* The binary form: dimensions, whether NULLs occur, the type; length and bytes of each item. */
static bool put_array(const struct ath_value *array, struct ath_buffer *out)
{
	put_int32(out, array->count > 0);
	put_int32(out, 1);
	put_int32(out, types[array->type].scalar);
	if (array->count > 0) {
		put_int32(out, (int64_t)array->count);
		put_int32(out, 1); /* PostgreSQL counts from one */
	}
	for (size_t i = 0; i < array->count; i++) {
		struct ath_value item = array_item(array, i);
		char scalar[16];
		const char *bytes = scalar;
		int64_t length = -1;

		if (item.type == ATH_TYPE_TEXT && !item.null) {
			bytes = item.as.text;
			length = (int64_t)strlen(bytes);
		} else if (!item.null) {
			length = put_scalar(item.type, &item, scalar);
			if (length < 0)
				return false;
		}
		put_int32(out, length);
		if (length > 0)
			ath_buffer_append(out, bytes, (size_t)length);
	}
	return !out->failed && array->count <= INT32_MAX && out->length <= INT32_MAX;
}

/* The parameters of one statement as libpq wants them. */
struct arguments {
	const char **values;
	int *lengths, *formats;
};

static bool put_argument(const struct ath_value *value, struct arguments *arguments, size_t i,
			 struct ath_arena *arena)
{
	struct ath_buffer array;
	char *scalar;

	arguments->values[i] = NULL;
	arguments->lengths[i] = 0;
	arguments->formats[i] = 1;
	if (value->null)
		return true;
	if (value->array) {
		ath_buffer_init(&array, arena, SIZE_MAX);
		if (!put_array(value, &array))
			return false;
		arguments->values[i] = array.data;
		arguments->lengths[i] = (int)array.length;
		return true;
	}
	if (value->type == ATH_TYPE_TEXT) {
		arguments->values[i] = value->as.text;
		arguments->formats[i] = 0;
		return true;
	}
	scalar = ath_arena_alloc(arena, 16);
	if (scalar == NULL)
		return false;
	arguments->values[i] = scalar;
	arguments->lengths[i] = put_scalar(value->type, value, scalar);
	return arguments->lengths[i] >= 0;
}

static enum ath_status pg_bind(const struct ath_statement *statement, struct ath_arena *arena,
			       void **bound)
{
	struct arguments *arguments = ath_new(arena, struct arguments, 1);
	size_t count = statement->param_count;

	*bound = arguments;
	if (arguments == NULL)
		return ATH_ENOMEM;
	arguments->values = ath_new(arena, const char *, count);
	arguments->lengths = ath_new(arena, int, count);
	arguments->formats = ath_new(arena, int, count);
	if (arguments->values == NULL || arguments->lengths == NULL || arguments->formats == NULL)
		return ATH_ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (!put_argument(&statement->params[i], arguments, i, arena))
			return ath_arena_failed(arena) ? ATH_ENOMEM : ATH_ERULE;
	return ATH_OK;
}

static Oid argument_type(const struct ath_value *value)
{
	if (value->array)
		return types[value->type].array;
	return value->type == ATH_TYPE_TEXT ? 0 : types[value->type].scalar;
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
		oids[i] = argument_type(&statement->params[i]);
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

static enum ath_status execute_text(void *handle, const struct ath_statement *statement,
				    const struct arguments *arguments)
{
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
				  const struct ath_statement *statement, const void *bound)
{
	const struct arguments *arguments = bound;

	if (name == NULL)
		return execute_text(handle, statement, arguments);
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

static enum ath_outcome pg_receive(void *handle, void **result, struct ath_error *error)
{
	/* a NULL stands between two statements; a second one means that nothing is there */
	for (int i = 0; i < 2 && !PQisBusy(handle); i++) {
		PGresult *next = PQgetResult(handle);

		if (next == NULL)
			continue;
		switch (PQresultStatus(next)) {
		case PGRES_TUPLES_OK:
		case PGRES_COMMAND_OK:
			*result = next;
			return ATH_OUTCOME_RESULT;
		case PGRES_PIPELINE_SYNC:
			PQclear(next);
			return ATH_OUTCOME_SYNC;
		case PGRES_PIPELINE_ABORTED:
			PQclear(next);
			return ATH_OUTCOME_SKIPPED;
		case PGRES_COPY_IN: /* the sync behind it is taken for its data, or never read */
		case PGRES_COPY_OUT:
			ath_error_set(error, ATH_ESQL, "COPY from or to the client: use INSERT");
			PQclear(next);
			return ATH_OUTCOME_BROKEN;
		default:
			if (PQresultStatus(next) == PGRES_FATAL_ERROR)
				result_error(next, error);
			else /* an empty statement */
				ath_error_set(error, ATH_ESQL, "the statement is of no use here");
			PQclear(next);
			return ATH_OUTCOME_ERROR;
		}
	}
	return ATH_OUTCOME_NONE;
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

static bool is_text(Oid type)
{
	return type == OID_TEXT || type == OID_VARCHAR || type == OID_BPCHAR || type == OID_NAME ||
	       type == OID_JSON || type == OID_UNKNOWN || type >= FIRST_USER_OID;
}

static bool is_integer(Oid type)
{
	return type == OID_INT2 || type == OID_INT4 || type == OID_INT8;
}

/* Can a column of this type be read into the target? */
static bool fits(Oid type, enum ath_type target)
{
	switch (target) {
	case ATH_TYPE_TEXT:
		return is_text(type);
	case ATH_TYPE_INT16:
	case ATH_TYPE_INT32:
	case ATH_TYPE_INT64:
		return is_integer(type);
	case ATH_TYPE_DOUBLE:
		return type == OID_FLOAT8 || type == OID_FLOAT4;
	case ATH_TYPE_BOOL:
	case ATH_TYPE_TIMESTAMP:
	case ATH_TYPE_UUID:
		return type == types[target].scalar;
	}
	return false;
}

static int64_t get_integer(const char *bytes, int length)
{
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	switch (length) {
	case 2:
		memcpy(&two, bytes, 2);
		return (int16_t)be16toh(two);
	case 4:
		memcpy(&four, bytes, 4);
		return (int32_t)be32toh(four);
	default:
		memcpy(&eight, bytes, 8);
		return (int64_t)be64toh(eight);
	}
}

static double get_double(const char *bytes, int length)
{
	int64_t bits = get_integer(bytes, length);
	uint32_t half = (uint32_t)bits;
	float single;
	double real;

	if (length == 4) {
		memcpy(&single, &half, sizeof single);
		return (double)single;
	}
	memcpy(&real, &bits, sizeof real);
	return real;
}

static int64_t get_time(const char *bytes)
{
	int64_t value = get_integer(bytes, 8);

	if (value == INT64_MIN || value == INT64_MAX)
		return value;
	return __builtin_add_overflow(value, epoch, &value) ? INT64_MAX : value;
}

/* One value that is not NULL into its member; false: it does not fit. */
static bool get_value(const char *bytes, int length, enum ath_type type, char *member)
{
	int64_t integer;
	double real;

	switch (type) {
	case ATH_TYPE_TEXT:
		memcpy(member, &bytes, sizeof bytes);
		return true;
	case ATH_TYPE_BOOL:
		*(bool *)member = *bytes != 0;
		return true;
	case ATH_TYPE_INT16:
		integer = get_integer(bytes, length);
		memcpy(member, &(int16_t){ (int16_t)integer }, 2);
		return integer >= INT16_MIN && integer <= INT16_MAX;
	case ATH_TYPE_INT32:
		integer = get_integer(bytes, length);
		memcpy(member, &(int32_t){ (int32_t)integer }, 4);
		return integer >= INT32_MIN && integer <= INT32_MAX;
	case ATH_TYPE_INT64:
		integer = get_integer(bytes, length);
		memcpy(member, &integer, 8);
		return true;
	case ATH_TYPE_DOUBLE:
		real = get_double(bytes, length);
		memcpy(member, &real, 8);
		return true;
	case ATH_TYPE_TIMESTAMP:
		integer = get_time(bytes);
		memcpy(member, &integer, 8);
		return true;
	case ATH_TYPE_UUID:
		memcpy(member, bytes, 16);
		return true;
	}
	return false;
}

/* Where the flag of a nullable struct stands. */
static size_t valid_offset(enum ath_type type)
{
	switch (type) {
	case ATH_TYPE_TEXT:
		break;
#define X(type_, c_type, name)                                                                     \
	case ATH_TYPE_##type_:                                                                     \
		return offsetof(struct ath_null_##name, valid);
		ATH_SCALAR_MAP(X)
#undef X
	}
	return 0;
}

static bool get_cell(const PGresult *result, int row, int column, const struct ath_target *target,
		     char *object, struct ath_error *error)
{
	char *member = object + target->offset;
	bool null = PQgetisnull(result, row, column) == 1;

	if (target->nullable_struct)
		*(bool *)(member + valid_offset(target->type)) = !null;
	if (null) {
		if (target->type == ATH_TYPE_TEXT)
			memset(member, 0, sizeof(void *));
		if (target->nullable_struct || target->null_allowed)
			return true;
		ath_error_set(error, ATH_ESQL, "column %s is NULL, and its member cannot be",
			      target->name);
		return false;
	}
	if (get_value(PQgetvalue(result, row, column), PQgetlength(result, row, column),
		      target->type, member))
		return true;
	ath_error_set(error, ATH_ESQL, "a value of column %s does not fit its member",
		      target->name);
	return false;
}

static enum ath_status pg_read(const void *handle, size_t first, size_t count,
			       const struct ath_target *targets, size_t target_count,
			       void *const *objects, struct ath_error *error)
{
	const PGresult *result = handle;

	if ((size_t)PQnfields(result) != target_count)
		return ath_error_set(error, ATH_ESQL, "%d columns came where %zu were asked for",
				     PQnfields(result), target_count);
	for (size_t c = 0; c < target_count; c++)
		if (!fits(PQftype(result, (int)c), targets[c].type) ||
		    PQfformat(result, (int)c) != 1)
			return ath_error_set(error, ATH_ESQL,
					     "column %s has another type in the database (oid %u) "
					     "than in the model",
					     targets[c].name, PQftype(result, (int)c));
	for (size_t r = 0; r < count; r++)
		for (size_t c = 0; c < target_count; c++)
			if (!get_cell(result, (int)(first + r), (int)c, &targets[c], objects[r],
				      error))
				return error->status;
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
	.in_transaction = pg_in_transaction,
	.is_idle = pg_is_idle,
	.script = pg_script,
	.rows = pg_rows,
	.affected = pg_affected,
	.tag = pg_tag,
	.read = pg_read,
	.memory = pg_memory,
	.free = pg_free,
};
