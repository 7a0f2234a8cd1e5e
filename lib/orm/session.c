/*
 * session.c - the session: its errors, its connection, its statements, and what is added to it.
 */
#include <stdio.h>

#include "orm/internal.h"

static int64_t deadline_of(const struct ath_session_options *options)
{
	int64_t deadline = options->deadline == 0 ? ATH_NEVER : options->deadline;
	int64_t fiber = ath_fiber_deadline();

	return fiber < deadline ? fiber : deadline;
}

static enum ath_status open_own_arena(struct ath_session **session, size_t memory)
{
	struct ath_arena *arena;
	enum ath_status status = ath_arena_open(&arena, memory);

	if (status != ATH_OK)
		return status;
	*session = ath_new(arena, struct ath_session, 1);
	if (*session == NULL) {
		ath_arena_close(&arena);
		return ATH_ENOMEM;
	}
	(*session)->arena = arena;
	(*session)->own_arena = true;
	return ATH_OK;
}

enum ath_status ath_session_open(struct ath_session **session, struct ath_engine *engine,
				 const struct ath_session_options *options)
{
	static const struct ath_session_options usual;

	*session = NULL;
	options = options == NULL ? &usual : options;
	if (options->arena == NULL) {
		enum ath_status status = open_own_arena(session, options->memory);

		if (status != ATH_OK)
			return status;
	} else {
		*session = ath_new(options->arena, struct ath_session, 1);
		if (*session == NULL)
			return ATH_ENOMEM;
		(*session)->arena = options->arena;
	}
	(*session)->engine = engine;
	(*session)->deadline = deadline_of(options);
	(*session)->isolation = options->isolation;
	(*session)->read_only = options->read_only;
	ath_rows_init(&(*session)->rows, (*session)->arena);
	ath_bulks_forget(*session);
	return ATH_OK;
}

void ath_session_close(struct ath_session **session)
{
	struct ath_arena *arena;

	if (session == NULL || *session == NULL)
		return;
	ath_session_disconnect(*session);
	arena = (*session)->own_arena ? (*session)->arena : NULL;
	*session = NULL;
	ath_arena_close(&arena);
}

/* ---- errors ------------------------------------------------------------------------------ */

const struct ath_error *ath_session_error(const struct ath_session *session)
{
	return ath_session_ok(session) ? NULL : &session->error;
}

void ath_session_fail(struct ath_session *session, enum ath_status status, const char *format, ...)
{
	char text[sizeof session->error.message];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ath_error_set(&session->error, status, "%s", text);
}

void ath_session_take_error(struct ath_session *session, const struct ath_error *error)
{
	if (ath_session_ok(session))
		session->error = *error;
}

bool ath_session_no_memory(struct ath_session *session)
{
	ath_error_set(&session->error, ATH_ENOMEM, "the session's memory is used up");
	return false;
}

/* A session that could not be opened has no engine: nothing in it changes any more. */
void ath_clear_error(struct ath_session *session)
{
	if (session->engine == NULL)
		return;
	ath_rollback(session);
	if (!session->poisoned)
		ath_error_clear(&session->error);
}

/* ---- the connection of a transaction ------------------------------------------------------ */

bool ath_session_connect(struct ath_session *session)
{
	struct ath_error error;

	if (session->connection != NULL)
		return true;
	ath_error_clear(&error);
	if (ath_engine_checkout(session->engine, &session->connection, session->deadline, &error) !=
	    ATH_OK)
		ath_session_take_error(session, &error);
	return session->connection != NULL;
}

/* No one waits long for a ROLLBACK; a connection that does not answer is thrown away. */
static void roll_back(struct ath_session *session)
{
	enum { PATIENCE_MS = 5000 };
	struct ath_statement statement = ath_statement_of("ROLLBACK");
	void *result = NULL;
	struct ath_batch batch = {
		.statements = &statement, .count = 1, .results = &result, .arena = session->arena
	};

	if (ath_engine_run(session->engine, session->connection, &batch, ath_now() + PATIENCE_MS,
			   true) != ATH_OK)
		ath_connection_spoil(session->connection);
	ath_batch_clear(&batch);
}

void ath_session_disconnect(struct ath_session *session)
{
	if (session->connection == NULL)
		return;
	if (!ath_connection_is_dead(session->connection) &&
	    ath_connection_outstanding(session->connection) == 0 &&
	    ath_connection_in_transaction(session->connection))
		roll_back(session);
	ath_engine_give_back(session->engine, &session->connection);
	session->savepoints = 0;
	session->wrote = false;
	session->lost = session->lost || session->held;
	session->held = false;
	session->cursors = NULL;
	session->transaction++;
}

bool ath_session_is_uncommitted(struct ath_session *session)
{
	return session->wrote || !ath_session_is_clean(session);
}

void ath_rollback(struct ath_session *session)
{
	if (session->engine == NULL)
		return;
	ath_session_disconnect(session);
	ath_undo_to(session, 0);
}

/* ---- how transactions begin ---------------------------------------------------------------- */

void ath_set_transaction(struct ath_session *session, enum ath_isolation isolation, bool read_only)
{
	if (session->connection != NULL) {
		ath_session_fail(session, ATH_EINVAL,
				 "a transaction is open: set its isolation before it begins");
		return;
	}
	session->isolation = isolation;
	session->read_only = read_only || session->sealed;
}

bool ath_session_begins_as_usual(const struct ath_session *session)
{
	return session->isolation == ATH_READ_COMMITTED && !session->read_only;
}

struct ath_statement ath_session_begin_statement(const struct ath_session *session)
{
	static const char *const texts[][2] = {
		[ATH_READ_COMMITTED] = { "BEGIN", "BEGIN READ ONLY" },
		[ATH_REPEATABLE_READ] = { "BEGIN ISOLATION LEVEL REPEATABLE READ",
					  "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY" },
		[ATH_SERIALIZABLE] = { "BEGIN ISOLATION LEVEL SERIALIZABLE",
				       "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY" },
	};

	return ath_statement_of(texts[session->isolation][session->read_only]);
}

/* What is left of the deadline, in milliseconds; -1: no less than the connection allows. */
static int64_t time_left(const struct ath_session *session)
{
	enum { CLOSE_ENOUGH_MS = 1000 };
	int64_t usual = ath_engine_statement_timeout(session->engine), left;

	if (session->deadline == ATH_NEVER)
		return -1;
	left = session->deadline - ath_now();
	if (usual > 0 && left + CLOSE_ENOUGH_MS >= usual)
		return -1;
	return left < 1 ? 1 : left;
}

bool ath_session_settings(struct ath_session *session, struct ath_statement *statement)
{
	enum { BOTH = 2 };
	static const char *const texts[2][2] = {
		{ NULL, "select set_config('application_name', $1, true)" },
		{ "select set_config('statement_timeout', $1, true)",
		  "select set_config('statement_timeout', $1, true),"
		  " set_config('application_name', $2, true)" },
	};
	bool named = session->request_id != NULL;
	int64_t left = time_left(session);
	const char *text = texts[left >= 0][named], *number = "", *name = "";
	struct ath_value *values;
	size_t count = 0;

	if (text == NULL)
		return false;
	values = ath_new(session->arena, struct ath_value, BOTH);
	if (left >= 0)
		number = ath_arena_printf(session->arena, "%lld", (long long)left);
	if (named)
		name = ath_session_application_name(session);
	if (values == NULL || number == NULL || name == NULL)
		return ath_session_no_memory(session);
	if (left >= 0)
		values[count++] = ath_value_text(number);
	if (named)
		values[count++] = ath_value_text(name);
	*statement = ath_statement_of(text);
	statement->params = values;
	statement->param_count = count;
	return true;
}

/* ---- running statements ---------------------------------------------------------------------- */

bool ath_session_ready(struct ath_session *session)
{
	if (!ath_session_ok(session))
		return false;
	if (session->flushing)
		return true; /* a hook that looks around sees what has been sent */
	if (!ath_session_is_clean(session) && !ath_flush(session))
		return false;
	return session->isolation == ATH_READ_COMMITTED || ath_begin(session);
}

struct ath_batch *ath_session_batch(struct ath_session *session, size_t count)
{
	size_t each = sizeof(struct ath_statement) + sizeof(void *);
	/* in one piece; the count is that of things that lie in memory, and a few */
	struct ath_batch *batch = ath_arena_zalloc(session->arena, 1, sizeof *batch + count * each);

	if (batch == NULL) {
		ath_session_no_memory(session);
		return NULL;
	}
	batch->statements = (struct ath_statement *)(void *)(batch + 1);
	batch->results = (void **)(void *)(batch->statements + count);
	batch->arena = session->arena;
	batch->comment = session->comment;
	batch->read_only = session->read_only;
	batch->count = count;
	return batch;
}

struct ath_batch *ath_session_batch_of(struct ath_session *session, struct ath_sql *sql)
{
	struct ath_batch *batch = ath_session_batch(session, 1);

	if (batch == NULL)
		return NULL;
	if (ath_sql_finish(sql, &batch->statements[0]) == ATH_OK)
		return batch;
	ath_session_take_error(session, &sql->error);
	return NULL;
}

bool ath_session_run(struct ath_session *session, struct ath_batch *batch)
{
	uint64_t since = ath_session_clock(session);
	enum ath_status status;

	ath_session_count(session, batch, batch->count - 1);
	if (session->connection != NULL)
		status = ath_engine_run(session->engine, session->connection, batch,
					session->deadline, false);
	else
		status = ath_engine_read(session->engine, batch, session->deadline);
	ath_session_time(session, batch, since);
	if (status == ATH_OK)
		return true;
	ath_session_take_error(session, &batch->error);
	ath_batch_clear(batch);
	return false;
}

bool ath_session_keep(struct ath_session *session, struct ath_batch *batch, size_t index)
{
	const struct ath_driver *driver = batch->driver;
	void *result = batch->results[index];

	batch->results[index] = NULL;
	if (ath_arena_charge(session->arena, driver->memory(result)) &&
	    ath_arena_defer(session->arena, driver->free, result))
		return true;
	driver->free(result);
	return ath_session_no_memory(session);
}

struct ath_target ath_target_of(const struct ath_member *column)
{
	return (struct ath_target){ .offset = column->offset,
				    .type = column->type,
				    .flag = column->nullable_struct ? ath_type_flag(column->type)
								    : 0,
				    .null_allowed = column->nullable,
				    .values = column->values,
				    .name = column->name };
}

struct ath_target *ath_targets(struct ath_arena *arena, const struct ath_model *model,
			       bool (*filter)(const struct ath_model *model,
					      const struct ath_member *column, const void *object),
			       const void *object, size_t *count)
{
	struct ath_target *targets = ath_new(arena, struct ath_target, model->member_count);

	*count = 0;
	for (size_t i = 0; targets != NULL && i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (member->kind == ATH_MEMBER_COLUMN &&
		    (filter == NULL || filter(model, member, object)))
			targets[(*count)++] = ath_target_of(member);
	}
	return targets;
}

struct ath_target *ath_session_targets(struct ath_session *session, const struct ath_model *model,
				       bool (*filter)(const struct ath_model *model,
						      const struct ath_member *column,
						      const void *object),
				       const void *object, size_t *count)
{
	struct ath_target *targets = ath_targets(session->arena, model, filter, object, count);

	if (targets == NULL)
		ath_session_no_memory(session);
	return targets;
}

/* ---- hooks ------------------------------------------------------------------------------- */

void ath_session_hook(struct ath_session *session, ath_hook *hook, void *arg)
{
	session->hook = hook;
	session->hook_arg = arg;
}

static void call_hooks_of_model(struct ath_session *session, enum ath_hook_event event,
				const struct ath_row *row)
{
	for (size_t i = 0; i < row->model->member_count; i++) {
		const struct ath_member *member = &row->model->members[i];

		if (member->kind == ATH_MEMBER_HOOK)
			member->hook(session, event, row->model, row->object, member->hook_arg);
	}
}

bool ath_session_call_hooks(struct ath_session *session, enum ath_hook_event event,
			    const struct ath_row *row)
{
	if (session->hook == NULL && (row == NULL || !row->facts->has_hooks))
		return ath_session_ok(session);
	session->flushing = true;
	if (session->hook != NULL && row == NULL)
		session->hook(session, event, NULL, NULL, session->hook_arg);
	else if (session->hook != NULL)
		session->hook(session, event, row->model, row->object, session->hook_arg);
	if (row != NULL && row->facts->has_hooks)
		call_hooks_of_model(session, event, row);
	session->flushing = false;
	return ath_session_ok(session);
}

/* ---- what rows are filled with ------------------------------------------------------------ */

bool ath_fill_now(void *timestamp)
{
	struct ath_timestamp now = ath_timestamp_now();

	memcpy(timestamp, &now, sizeof now);
	return true;
}

bool ath_fill_uuid(void *uuid)
{
	return ath_uuid_random(uuid) == ATH_OK;
}

enum ath_status ath_fill_defaults(const struct ath_model *model, void *object,
				  struct ath_error *error)
{
	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *column = &model->members[i];
		char *member = (char *)object + column->offset;

		if (column->default_value != NULL)
			memcpy(member, column->default_value, column->size);
		else if (column->default_function == NULL)
			continue;
		else if (!column->default_function(member))
			return ath_error_set(error, ATH_EIO, "no default value can be had for %s",
					     column->name);
		if (column->nullable_struct)
			*(bool *)(member + ath_type_flag(column->type)) = true;
	}
	return ATH_OK;
}

/* ---- rows come and go --------------------------------------------------------------------- */

void *ath_session_new(struct ath_session *session, const struct ath_model *model)
{
	void *object = ath_arena_zalloc(session->arena, 1, model->size);
	const struct ath_facts *facts;
	struct ath_error error;

	if (object == NULL) {
		ath_session_no_memory(session);
		return ath_arena_beyond(session->arena, model->size);
	}
	facts = ath_facts_of(session, model);
	if (facts != NULL && !facts->has_defaults)
		return object;
	ath_error_clear(&error);
	if (ath_fill_defaults(model, object, &error) != ATH_OK)
		ath_session_take_error(session, &error);
	return object;
}

void **ath_session_list(struct ath_session *session, size_t wanted, size_t *count)
{
	void **items = ath_new(session->arena, void *, wanted + 1);

	*count = items == NULL ? 0 : wanted;
	if (items == NULL)
		ath_session_no_memory(session);
	return items;
}

struct ath_row *ath_new_row(struct ath_session *session, const struct ath_model *model,
			    void *object)
{
	struct ath_facts *facts = ath_facts_of(session, model);
	struct ath_row *row = facts == NULL ? NULL : ath_new(session->arena, struct ath_row, 1);

	if (row == NULL) {
		ath_session_no_memory(session);
		return NULL;
	}
	row->model = model;
	row->facts = facts;
	row->object = object;
	row->state = ATH_ROW_NEW;
	return row;
}

void ath_session_add(struct ath_session *session, const struct ath_model *model, void *object)
{
	struct ath_row *row;

	if (!ath_session_ok(session) || object == NULL)
		return;
	if (model->kind != ATH_TABLE) {
		ath_session_fail(session, ATH_EINVAL, "%s is no table to add rows to", model->name);
		return;
	}
	row = ath_rows_of(&session->rows, model, object);
	if (row != NULL) {
		if (row->state == ATH_ROW_DELETED) /* it stays after all */
			row->state = ATH_ROW_STORED;
		return;
	}
	row = ath_new_row(session, model, object);
	if (row == NULL)
		return;
	if (!ath_rows_add(&session->rows, row))
		ath_session_no_memory(session);
}

/* The row of an object that must be the session's; otherwise NULL, and it is in error. */
static struct ath_row *known_row(struct ath_session *session, const struct ath_model *model,
				 const void *object, const char *what)
{
	struct ath_row *row;

	if (!ath_session_ok(session) || object == NULL)
		return NULL;
	row = ath_rows_of(&session->rows, model, object);
	if (row == NULL)
		ath_session_fail(session, ATH_EINVAL,
				 "a row of %s is to be %s that is not of this session", model->name,
				 what);
	return row;
}

void ath_session_delete(struct ath_session *session, const struct ath_model *model, void *object)
{
	struct ath_row *row = known_row(session, model, object, "deleted");

	if (row == NULL)
		return;
	if (row->state == ATH_ROW_NEW) /* never sent, so there is nothing to delete */
		ath_rows_leave_map(&session->rows, row);
	else
		row->state = ATH_ROW_DELETED;
}

void ath_session_expunge(struct ath_session *session, const struct ath_model *model, void *object)
{
	struct ath_row *row = known_row(session, model, object, "forgotten");

	if (row == NULL)
		return;
	ath_rows_leave_map(&session->rows, row);
	row->expunged = true;
}

void ath_session_expire(struct ath_session *session, const struct ath_model *model, void *object)
{
	struct ath_row *row = known_row(session, model, object, "expired");

	if (row == NULL || row->state == ATH_ROW_NEW)
		return;
	row->expired = true;
	/* what was changed is not wanted any more, the rows that relations were given neither */
	memcpy(object, row->old, model->size);
}

/* Was the other read before the row was changed? */
static bool has_other_version(const struct ath_model *model, const void *own, const void *other)
{
	const struct ath_member *version = ath_model_version(model);

	return version != NULL && !ath_member_is_unset(version, other) &&
	       !ath_member_equal(version, own, other);
}

void *ath_session_merge(struct ath_session *session, const struct ath_model *model,
			const void *object)
{
	struct ath_value keys[ATH_MAX_KEYS];
	size_t count;
	void *own;

	if (!ath_session_ok(session) || object == NULL)
		return NULL;
	count = ath_row_keys(model, object, keys);
	own = ath_session_get(session, model, keys, count);
	if (!ath_session_ok(session))
		return NULL;
	if (own == NULL) {
		own = ath_session_new(session, model);
		ath_session_add(session, model, own);
	} else if (has_other_version(model, own, object)) {
		ath_session_fail(session, ATH_ESTALE, "a row of %s was changed meanwhile",
				 model->name);
		return NULL;
	}
	ath_columns_copy(model, own, object);
	return ath_session_ok(session) ? own : NULL;
}
