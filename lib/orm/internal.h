/*
 * orm/internal.h - SQL text from models and queries, for the session; and the session, for
 * the room above.
 */
#ifndef ATH_ORM_INTERNAL_H
#define ATH_ORM_INTERNAL_H

#include "db/internal.h"
#include "orm/orm.h"

/* ---- models (model.c) ----------------------------------------------------------------- */

const struct ath_member *ath_model_key(const struct ath_model *model);
/* The column at this offset, or NULL. */
const struct ath_member *ath_model_column(const struct ath_model *model, size_t offset);
const struct ath_member *ath_model_relation(const struct ath_model *model, size_t offset);
/* How many models stand above it by references; a cycle is cut at 32. */
int ath_model_depth(const struct ath_model *model);
bool ath_column_is_nullable(const struct ath_member *column);
/* Does the database make the value when none is given? */
bool ath_column_is_filled(const struct ath_member *column);

/* ---- members of a row (member.c) -------------------------------------------------------- */

struct ath_value ath_member_get(const struct ath_member *column, const void *object);
/* NULL, or zero where there is no NULL: what an INSERT leaves to the database. */
bool ath_member_is_unset(const struct ath_member *column, const void *object);
bool ath_member_equal(const struct ath_member *column, const void *a, const void *b);
/* Is it a column that an UPDATE has to name? */
bool ath_column_is_changed(const struct ath_member *member, const void *object, const void *old);
void ath_member_set_null(const struct ath_member *column, void *object);
void ath_member_set(const struct ath_member *column, void *object, const void *value);

/* The shape of every T_list: what a relation's member is. */
struct ath_any_list {
	void **items; /* NULL: not loaded */
	size_t count;
};

/* ---- SQL (sql.c): pure ------------------------------------------------------------------- */

/* A statement under construction; text and parameters grow in the arena. */
struct ath_sql {
	struct ath_buffer text;
	struct ath_value *params;
	size_t param_count, param_capacity;
	int64_t most; /* rows of a SELECT, whatever the query's own limit; 0: no bound */
	struct ath_error error;
};

void ath_sql_open(struct ath_sql *sql, struct ath_arena *arena);
/* Ends it; ATH_ENOMEM and ATH_ETOOBIG stand in sql->error as every other mistake does. */
enum ath_status ath_sql_finish(struct ath_sql *sql, struct ath_statement *statement) ATH_MUST_CHECK;

void ath_sql_select(struct ath_sql *sql, const struct ath_query *query);
void ath_sql_count(struct ath_sql *sql, const struct ath_query *query);
/* Columns that are left to the database come back by RETURNING, in the model's order. */
void ath_sql_insert(struct ath_sql *sql, const struct ath_model *model, const void *object);
bool ath_sql_insert_returns(const struct ath_member *column, const void *object);
/* Of the columns in which object and old differ. */
void ath_sql_update(struct ath_sql *sql, const struct ath_model *model, const void *object,
		    const void *old);
void ath_sql_delete(struct ath_sql *sql, const struct ath_model *model, const void *object);
/* All rows of a query. */
void ath_sql_update_where(struct ath_sql *sql, const struct ath_query *query,
			  const struct ath_assignment *assignments, size_t count);
void ath_sql_delete_where(struct ath_sql *sql, const struct ath_query *query);
void ath_sql_create_table(struct ath_sql *sql, const struct ath_model *model);
void ath_sql_create_index(struct ath_sql *sql, const struct ath_model *model,
			  const struct ath_member *column);
bool ath_sql_needs_index(const struct ath_member *member);
/*
 * Around an UPDATE or DELETE that is committed in the same round trip: divides by the number
 * of rows it met, so that the server itself refuses the transaction when there is none.
 */
void ath_sql_guard_open(struct ath_sql *sql);
void ath_sql_guard_close(struct ath_sql *sql);

/* ---- rows of a session (rows.c): the identity map ------------------------------------------ */

enum ath_row_state { ATH_ROW_NEW, ATH_ROW_STORED, ATH_ROW_DELETED, ATH_ROW_GONE };

struct ath_row {
	const struct ath_model *model;
	void *object;
	void *old; /* as the database has it */
	enum ath_row_state state;
	uint64_t hash;
	struct ath_row *chain; /* in its bucket */
	struct ath_row *next;  /* all of the session's, oldest first */
};

struct ath_rows {
	struct ath_arena *arena;
	struct ath_row **buckets; /* a power of two, or NULL while there are few rows */
	size_t bucket_count, count;
	struct ath_row *first, **tail;
};

void ath_rows_init(struct ath_rows *rows, struct ath_arena *arena);
/* The row with this primary key, or NULL. */
struct ath_row *ath_rows_find(struct ath_rows *rows, const struct ath_model *model,
			      struct ath_value key);
/* The row of this object, or NULL. */
struct ath_row *ath_rows_of(struct ath_rows *rows, const struct ath_model *model,
			    const void *object);
/* Takes row in; false when there is no memory. A new one enters the map once it has a key. */
bool ath_rows_add(struct ath_rows *rows, struct ath_row *row) ATH_MUST_CHECK;
bool ath_rows_enter_map(struct ath_rows *rows, struct ath_row *row) ATH_MUST_CHECK;
void ath_rows_leave_map(struct ath_rows *rows, struct ath_row *row);
bool ath_row_is_changed(const struct ath_row *row);

/* ---- the session ---------------------------------------------------------------------------- */

struct ath_session {
	struct ath_engine *engine;
	struct ath_arena *arena;
	bool own_arena;
	int64_t deadline;
	struct ath_error error;
	bool poisoned; /* nothing may be stored any more, whatever is cleared */
	struct ath_connection *connection; /* while in a transaction */
	bool wrote;                        /* in it, and it is not committed */
	int savepoints;                    /* open in it */
	struct ath_rows rows;
	size_t statement_count, row_count;
};

bool ath_session_ok(const struct ath_session *session);
/* A batch with room for count statements; NULL: the session is in error. */
struct ath_batch *ath_session_batch(struct ath_session *session, size_t count);
/* Runs a batch where the session's reads run now: in its transaction, or on a pipeline. */
bool ath_session_run(struct ath_session *session, struct ath_batch *batch);
/* Puts it in error for want of memory; false. */
bool ath_session_no_memory(struct ath_session *session);
/* The session takes over the first error of a batch. */
void ath_session_take_error(struct ath_session *session, const struct ath_error *error);
/* Keeps a result as long as the session's memory: texts point into it. */
bool ath_session_keep(struct ath_session *session, struct ath_batch *batch, size_t index);
/* Where the columns of a model go; only those that filter says, when there is one. */
struct ath_target *ath_session_targets(struct ath_session *session, const struct ath_model *model,
				       bool (*filter)(const struct ath_member *column,
						      const void *object),
				       const void *object, size_t *count);
/* Takes a connection of the pool, unless the session has one. */
bool ath_session_connect(struct ath_session *session);
/* Gives it back, rolling back what is open. */
void ath_session_disconnect(struct ath_session *session);
/* A statement that shortens statement_timeout to what is left of the deadline; false: needless,
 * or the session is in error. */
bool ath_session_limit_time(struct ath_session *session, struct ath_statement *statement);
/* Is there a write, sent or not, that is not committed? */
bool ath_session_is_uncommitted(struct ath_session *session);
/* What is new, changed or to be deleted has been sent. */
bool ath_session_is_clean(struct ath_session *session);

#endif
