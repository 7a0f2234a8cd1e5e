/*
 * session.c - the session: its errors, its connection, its statements, and what is added to it.
 */
#include <stdio.h>

#include "orm/internal.h"

static int64_t deadline_of(const struct ath_session_options *options)
{
	int64_t deadline =
		options == NULL || options->deadline == 0 ? ATH_NEVER : options->deadline;
	int64_t fiber = ath_fiber_deadline();

	return fiber < deadline ? fiber : deadline;
}

static enum ath_status open_own_arena(struct ath_session **session)
{
	struct ath_arena *arena;
	enum ath_status status = ath_arena_open(&arena, 0);

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
	*session = NULL;
	if (options == NULL || options->arena == NULL) {
		enum ath_status status = open_own_arena(session);

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
	ath_rows_init(&(*session)->rows, (*session)->arena);
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

bool ath_session_ok(const struct ath_session *session)
{
	return session->error.status == ATH_OK;
}

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
	struct ath_error error = { 0 };

	if (session->connection != NULL)
		return true;
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
	ath_rows_init(&session->rows, session->arena);
}

bool ath_session_limit_time(struct ath_session *session, struct ath_statement *statement)
{
	enum { CLOSE_ENOUGH_MS = 1000 };
	int64_t usual = ath_engine_statement_timeout(session->engine), left;
	struct ath_value *value;
	char *number;

	if (session->deadline == ATH_NEVER)
		return false;
	left = session->deadline - ath_now();
	if (usual > 0 && left + CLOSE_ENOUGH_MS >= usual)
		return false;
	value = ath_new(session->arena, struct ath_value, 1);
	number = ath_arena_printf(session->arena, "%lld", (long long)(left < 1 ? 1 : left));
	if (value == NULL || number == NULL)
		return ath_session_no_memory(session);
	*value = ath_value_text(number);
	*statement = ath_statement_of("select set_config('statement_timeout', $1, true)");
	statement->params = value;
	statement->param_count = 1;
	return true;
}

/* ---- running statements ---------------------------------------------------------------------- */

struct ath_batch *ath_session_batch(struct ath_session *session, size_t count)
{
	struct ath_batch *batch = ath_new(session->arena, struct ath_batch, 1);

	if (batch != NULL) {
		batch->arena = session->arena;
		batch->statements = ath_new(session->arena, struct ath_statement, count);
		batch->results = ath_new(session->arena, void *, count);
		batch->count = count;
	}
	if (batch == NULL || batch->statements == NULL || batch->results == NULL) {
		ath_session_no_memory(session);
		return NULL;
	}
	return batch;
}

bool ath_session_run(struct ath_session *session, struct ath_batch *batch)
{
	enum ath_status status;

	session->statement_count += batch->count;
	if (session->connection != NULL)
		status = ath_engine_run(session->engine, session->connection, batch,
					session->deadline, false);
	else
		status = ath_engine_read(session->engine, batch, session->deadline);
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

struct ath_target *ath_session_targets(struct ath_session *session, const struct ath_model *model,
				       bool (*filter)(const struct ath_member *column,
						      const void *object),
				       const void *object, size_t *count)
{
	struct ath_target *targets =
		ath_new(session->arena, struct ath_target, model->member_count);

	*count = 0;
	if (targets == NULL) {
		ath_session_no_memory(session);
		return NULL;
	}
	for (size_t i = 0; i < model->member_count; i++) {
		const struct ath_member *member = &model->members[i];

		if (member->kind != ATH_MEMBER_COLUMN ||
		    (filter != NULL && !filter(member, object)))
			continue;
		targets[(*count)++] =
			(struct ath_target){ .offset = member->offset,
					     .type = member->type,
					     .nullable_struct = member->nullable_struct,
					     .null_allowed = member->nullable,
					     .name = member->name };
	}
	return targets;
}

/* ---- new and deleted rows -------------------------------------------------------------------- */

void *ath_session_new(struct ath_session *session, const struct ath_model *model)
{
	void *object = ath_arena_zalloc(session->arena, 1, model->size);

	if (object != NULL)
		return object;
	ath_session_no_memory(session);
	return ath_arena_beyond(session->arena, model->size);
}

void ath_session_add(struct ath_session *session, const struct ath_model *model, void *object)
{
	struct ath_row *row;

	if (!ath_session_ok(session) || object == NULL ||
	    ath_rows_of(&session->rows, model, object) != NULL)
		return;
	row = ath_new(session->arena, struct ath_row, 1);
	if (row == NULL) {
		ath_session_no_memory(session);
		return;
	}
	*row = (struct ath_row){ .model = model, .object = object, .state = ATH_ROW_NEW };
	if (!ath_rows_add(&session->rows, row))
		ath_session_no_memory(session);
}

void ath_session_delete(struct ath_session *session, const struct ath_model *model, void *object)
{
	struct ath_row *row;

	if (!ath_session_ok(session) || object == NULL)
		return;
	row = ath_rows_of(&session->rows, model, object);
	if (row == NULL)
		ath_session_fail(session, ATH_EINVAL,
				 "a row of %s is to be deleted that is not of this session",
				 model->table);
	else if (row->state == ATH_ROW_NEW)
		row->state = ATH_ROW_GONE; /* never sent, so there is nothing to delete */
	else if (row->state == ATH_ROW_STORED)
		row->state = ATH_ROW_DELETED;
}
