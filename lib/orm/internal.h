/*
 * orm/internal.h - SQL text from models and queries, for the session; and the session, for
 * the room above.
 */
#ifndef ATH_ORM_INTERNAL_H
#define ATH_ORM_INTERNAL_H

#include "db/internal.h"
#include "orm/orm.h"

/* ---- models (model.c) ----------------------------------------------------------------- */

enum { ATH_MAX_KEYS = 4 };

/* The columns of the primary key, in order; at most ATH_MAX_KEYS, none of a result. */
size_t ath_model_keys(const struct ath_model *model, const struct ath_member **keys);
/* The only one, or NULL when there are none or several. */
const struct ath_member *ath_model_key(const struct ath_model *model);
/* Has it rows that a session keeps apart by their primary key? */
bool ath_model_is_tracked(const struct ath_model *model);
/* The column at this offset, or NULL. */
const struct ath_member *ath_model_column(const struct ath_model *model, size_t offset);
const struct ath_member *ath_model_relation(const struct ath_model *model, size_t offset);
const struct ath_member *ath_model_version(const struct ath_model *model);
size_t ath_model_columns(const struct ath_model *model);
bool ath_member_is_relation(const struct ath_member *member);
/* Is it an object or a list of a shape? */
bool ath_member_is_nested(const struct ath_member *member);
/*
 * Bytes of an object of the model together with those that it must have, and so on; more than
 * ATH_BEYOND when they have no end.
 */
size_t ath_model_extent(const struct ath_model *model);
/*
 * Puts them, with their defaults, into zeroed memory of that size, which it moves to its end. In a
 * shape's no text is NULL that must be there.
 */
enum ath_status ath_model_lay_out(const struct ath_model *model, char **memory,
				  struct ath_error *error) ATH_MUST_CHECK;
/* Checks one that is in no list, and the shapes that it leads to. */
enum ath_status ath_model_check(const struct ath_model *model,
				const struct ath_model *const *models,
				struct ath_error *error) ATH_MUST_CHECK;
/* A column's name in the database. */
const char *ath_column_name(const struct ath_member *column);
bool ath_column_is_nullable(const struct ath_member *column);
/* Have its values to be within bounds, which a CHECK sees to? */
bool ath_column_has_check(const struct ath_member *column);
/* Does the database make the value when none is given? */
bool ath_column_is_filled(const struct ath_model *model, const struct ath_member *column);
/* Does it make it whatever is given, so that nothing is sent? */
bool ath_column_is_read_only(const struct ath_member *column);

/* The primary key of a model, looked up once for many rows. */
struct ath_key {
	const struct ath_model *model;
	const struct ath_member *members; /* they are the same when it is the same model */
	const struct ath_member *columns[ATH_MAX_KEYS];
	size_t count;
};
struct ath_key ath_key_of(const struct ath_model *model);

/* One foreign key, whether a column's or a rule's. */
struct ath_reference {
	const struct ath_model *target;
	const struct ath_member *columns[ATH_MAX_KEYS], *keys[ATH_MAX_KEYS];
	size_t count;
};
/* The foreign key that a member is, or false. */
bool ath_member_reference(const struct ath_model *model, const struct ath_member *member,
			  struct ath_reference *reference);

/* ---- members of a row (member.c) -------------------------------------------------------- */

struct ath_value ath_member_get(const struct ath_member *column, const void *object);
/* The value as it is sent: an enum as its text. False: it is none of the column's values. */
bool ath_member_send(const struct ath_member *column, const void *object,
		     struct ath_value *value) ATH_MUST_CHECK;
/* A value that is compared with the column, likewise. */
bool ath_column_send(const struct ath_member *column, struct ath_arena *arena,
		     struct ath_value *value) ATH_MUST_CHECK;
/* NULL, or zero where there is no NULL: what an INSERT leaves to the database. */
bool ath_member_is_unset(const struct ath_member *column, const void *object);
bool ath_member_equal(const struct ath_member *column, const void *a, const void *b);
/* So many bytes of it are mostly the same when the values are, and never when they are not. */
size_t ath_member_compared(const struct ath_member *column);
/* Is it a column that an UPDATE has to name? */
bool ath_column_is_changed(const struct ath_member *member, const void *object, const void *old);
void ath_member_set_null(const struct ath_member *column, void *object);
void ath_member_set(const struct ath_member *column, void *object, const void *value);
/* The value of one member into another of the same type, whether it may be NULL or not. */
void ath_member_copy(const struct ath_member *to, void *object, const struct ath_member *from,
		     const void *source);
/* What it points to comes to lie in the arena. */
bool ath_member_own(const struct ath_member *column, void *object,
		    struct ath_arena *arena) ATH_MUST_CHECK;
/* The columns alone; relations stay as they are. */
void ath_columns_copy(const struct ath_model *model, void *to, const void *from);

/* The shape of every T_list: what a relation's member is. */
struct ath_any_list {
	void **items; /* NULL: not loaded */
	size_t count;
};
/* The rows a relation of an object leads to, where it is loaded. */
struct ath_any_list ath_relation_rows(const struct ath_member *relation, const void *object);

/* ---- SQL (sql.c, select.c): pure ----------------------------------------------------------- */

/* A statement under construction; text and parameters grow in the arena. */
struct ath_sql {
	struct ath_buffer text;
	struct ath_value *params;
	size_t param_count, param_capacity;
	int64_t most; /* rows of a SELECT, whatever the query's own limit; 0: no bound */
	int tables;   /* numbered so far */
	const struct ath_model *result; /* of a query that selects expressions */
	const struct ath_facts *facts;  /* of the query's model, where they are at hand */
	struct ath_error error;
};

void ath_sql_open(struct ath_sql *sql, struct ath_arena *arena);
/* Ends it; ATH_ENOMEM and ATH_ETOOBIG stand in sql->error as every other mistake does. */
enum ath_status ath_sql_finish(struct ath_sql *sql, struct ath_statement *statement) ATH_MUST_CHECK;
/* By which a prepared statement is found again: of the text and the types of its parameters. */
uint64_t ath_sql_hash(const char *text, size_t length, const struct ath_value *params,
		      size_t count);

void ath_sql_put(struct ath_sql *sql, const char *text);
void ath_sql_put_name(struct ath_sql *sql, const char *name);
/* "schema"."table" */
void ath_sql_put_table(struct ath_sql *sql, const char *table);
void ath_sql_put_param(struct ath_sql *sql, struct ath_value value);
/*
 * The parameter that has this value already, or a new one: the server takes two expressions for
 * the same, as GROUP BY and DISTINCT need it, only when they have the same parameters.
 */
void ath_sql_put_same_param(struct ath_sql *sql, struct ath_value value);
/* A value that belongs to a column. */
void ath_sql_put_column_param(struct ath_sql *sql, const struct ath_member *column,
			      struct ath_value value);

/* A query as it is printed: inside which other one, and what its tables are called. */
struct ath_scope {
	const struct ath_query *query;
	const struct ath_scope *outer;
	int first;      /* number of its own table; joins follow */
	int join;       /* whose columns are meant; 0: whichever has the model */
	bool qualified; /* columns are named with their table */
	bool groups;    /* equal values are one parameter */
};

void ath_sql_select(struct ath_sql *sql, const struct ath_query *query);
void ath_sql_count(struct ath_sql *sql, const struct ath_query *query);
/* The columns of a relation's target and, last, the near key of the model between. */
void ath_sql_select_far(struct ath_sql *sql, const struct ath_member *relation,
			struct ath_value keys);
/* " WHERE ...", and one expression that stands alone. */
void ath_sql_put_where(struct ath_sql *sql, const struct ath_scope *scope);
void ath_sql_put_expression(struct ath_sql *sql, const struct ath_query *query,
			    const struct ath_expression *expression);
/* Says the query's mistake, if it has one. */
bool ath_sql_take_mistake(struct ath_sql *sql, const struct ath_query *query);
const char *ath_sql_type(enum ath_type type);

/* Columns that are left to the database come back by RETURNING, in the model's order. */
void ath_sql_insert(struct ath_sql *sql, const struct ath_model *model, const void *object);
bool ath_sql_insert_returns(const struct ath_model *model, const struct ath_member *column,
			    const void *object);
/* Of the columns in which object and old differ. */
void ath_sql_update(struct ath_sql *sql, const struct ath_model *model, const void *object,
		    const void *old, bool guarded);
bool ath_sql_update_returns(const struct ath_model *model, const struct ath_member *column,
			    const void *object);
void ath_sql_delete(struct ath_sql *sql, const struct ath_model *model, const void *object,
		    bool guarded);
/*
 * The columns whose values are the parameters of these, in their order: first new_count of the
 * object, then those that say which row it is. NULL: there is no memory.
 */
const struct ath_member **ath_sql_insert_columns(struct ath_arena *arena,
						 const struct ath_model *model, const void *object,
						 size_t *new_count);
const struct ath_member **ath_sql_update_columns(struct ath_arena *arena,
						 const struct ath_model *model, const void *object,
						 const void *old, size_t *new_count);
/* The same statement for another row of its shape. */
struct ath_shaped;
enum ath_status ath_sql_fill(struct ath_sql *sql, const struct ath_shaped *shaped,
			     const void *object, const void *old,
			     struct ath_statement *statement) ATH_MUST_CHECK;
/* All columns come back. */
void ath_sql_upsert(struct ath_sql *sql, const struct ath_model *model, const void *object,
		    struct ath_columns conflict);
/* Many objects that lie side by side, of whose columns the same are left to the database. */
void ath_sql_insert_all(struct ath_sql *sql, const struct ath_model *model, const char *objects,
			size_t count);
/* All rows of a query. */
void ath_sql_update_where(struct ath_sql *sql, const struct ath_query *query,
			  const struct ath_assignment *assignments, size_t count);
void ath_sql_delete_where(struct ath_sql *sql, const struct ath_query *query);
/* Literal SQL, whose :names become $1, $2... */
void ath_sql_literal(struct ath_sql *sql, const char *text, const struct ath_bind *binds,
		     size_t count);

/* DDL (ddl.c); of a foreign key that is added later: constraints holds its member. */
void ath_sql_create_table(struct ath_sql *sql, const struct ath_model *model,
			  bool (*exists)(const struct ath_model *target, void *arg), void *arg);
void ath_sql_create_index(struct ath_sql *sql, const struct ath_model *model,
			  const struct ath_member *member);
bool ath_sql_needs_index(const struct ath_member *member);
/* The name of a constraint or index: "uq_users_email". */
void ath_constraint_name(const struct ath_model *model, const struct ath_member *member,
			 const char *prefix, struct ath_buffer *name);

/* ---- rows of a session (rows.c): the identity map ------------------------------------------ */

enum ath_row_state { ATH_ROW_NEW, ATH_ROW_STORED, ATH_ROW_DELETED, ATH_ROW_GONE };

struct ath_row {
	const struct ath_model *model;
	struct ath_facts *facts; /* of the model */
	void *object;
	void *old; /* as the database has it */
	enum ath_row_state state;
	bool expired;           /* T_get reads it again */
	bool expunged;          /* no rollback brings it back */
	uint32_t mark;          /* of the flush under way: its number there, from 1 */
	struct ath_link *links; /* keys it waits for */
	uint64_t hash;
	struct ath_row *chain;       /* in the bucket of its key */
	struct ath_row *same_bucket; /* in that of its object */
	struct ath_row *next;        /* all of the session's, oldest first */
};

struct ath_row_table {
	struct ath_row **buckets; /* a power of two, or NULL while there are few rows */
	size_t bucket_count, count;
};

struct ath_rows {
	struct ath_arena *arena;
	struct ath_key key;          /* of the model that was asked for last */
	struct ath_row_table stored; /* by primary key; those to be deleted too */
	/* all, by the address of the object; made when it is first asked for, up to indexed */
	struct ath_row_table objects;
	struct ath_row *indexed;
	size_t count;
	struct ath_row *first, **tail;
};

void ath_rows_init(struct ath_rows *rows, struct ath_arena *arena);
/* The stored row with this primary key, or NULL; ATH_ROW_DELETED: the one to be deleted. */
struct ath_row *ath_rows_find(struct ath_rows *rows, const struct ath_model *model,
			      const struct ath_value *keys, enum ath_row_state state);
/* That of an object's key members, whatever object it has. */
struct ath_row *ath_rows_like(struct ath_rows *rows, const struct ath_model *model,
			      const void *object);
/* A row of an object that is new; NULL: the session is in error. */
struct ath_row *ath_new_row(struct ath_session *session, const struct ath_model *model,
			    void *object);
/* The row of this object, or NULL. */
struct ath_row *ath_rows_of(struct ath_rows *rows, const struct ath_model *model,
			    const void *object);
/* Takes row in; false when there is no memory. A new one enters the map once it has a key. */
bool ath_rows_add(struct ath_rows *rows, struct ath_row *row) ATH_MUST_CHECK;
/*
 * Takes a row in that was read, unless one with its key is known: known is that one, or row. The
 * key is the object's; what the database holds need not be there yet.
 */
bool ath_rows_adopt(struct ath_rows *rows, const struct ath_key *key, struct ath_row *row,
		    struct ath_row **known) ATH_MUST_CHECK;
/* Makes room for so many more at once; false when there is no memory. */
bool ath_rows_expect(struct ath_rows *rows, size_t count) ATH_MUST_CHECK;
bool ath_rows_enter_map(struct ath_rows *rows, struct ath_row *row) ATH_MUST_CHECK;
void ath_rows_leave_map(struct ath_rows *rows, struct ath_row *row);
/* Of a stored row; both is a change of columns. */
enum ath_change { ATH_UNCHANGED, ATH_COLUMNS_CHANGED, ATH_RELATIONS_CHANGED };
enum ath_change ath_row_change(const struct ath_row *row);
struct ath_comparable;
bool ath_row_has_same(const struct ath_row *row, const struct ath_comparable *comparable);
uint64_t ath_keys_hash(const struct ath_model *model, const struct ath_value *keys, size_t count);
bool ath_keys_equal(const struct ath_value *a, const struct ath_value *b, size_t count);
size_t ath_row_keys(const struct ath_model *model, const void *object, struct ath_value *keys);

/* ---- rows inserted by the flush that the session does not know (bulk.c) --------------------- */

struct ath_bulk {
	struct ath_statement statement;
	const struct ath_model *model;
	void *objects; /* side by side; borrowed until the flush */
	size_t count;
	struct ath_target *targets; /* what comes back, */
	size_t target_count;
	void **places; /* and where it goes */
	bool points;   /* some of it into the result */
	struct ath_bulk *next;
};

/* What came back of one that was sent. */
bool ath_bulk_take(struct ath_session *session, const struct ath_bulk *bulk,
		   struct ath_batch *batch, size_t index);
void ath_bulks_forget(struct ath_session *session);

/* ---- the session ---------------------------------------------------------------------------- */

struct ath_undo;

struct ath_session {
	struct ath_engine *engine;
	struct ath_arena *arena;
	bool own_arena;
	int64_t deadline;
	struct ath_error error;
	bool poisoned; /* nothing may be stored any more, whatever is cleared */
	enum ath_isolation isolation;
	bool read_only;
	bool sealed;                       /* and stays so: see ath_session_seal */
	struct ath_connection *connection; /* while in a transaction */
	bool wrote;                        /* in it, and it is not committed */
	bool flushing;                     /* hooks of a flush are being called */
	bool holds_commits;    /* ath_commit() only flushes: see ath_session_commit_held */
	bool held;             /* it was called, and its COMMIT is still to come */
	bool lost;             /* what it was called for has been rolled back since */
	int savepoints;        /* open in it */
	struct ath_undo *undo; /* what a rollback restores, newest first */
	ath_hook *hook;
	void *hook_arg;
	struct ath_cursor *cursors; /* that are open */
	unsigned transaction;       /* how many there have been */
	struct ath_rows rows;
	struct ath_bulk *bulks, **bulks_tail; /* to be sent by the flush */
	size_t statement_count, row_count, round_trips;
	struct ath_repeats *repeats;       /* of what has been run; NULL: nothing has */
	struct ath_times *times;           /* of what has been run; NULL: they are not wanted */
	const struct ath_comment *comment; /* behind its statements; NULL: none */
	const char *request_id; /* for application_name in its transactions; NULL: is not told */
};

/* ---- what a model comes to (facts.c) --------------------------------------------------------- */

/*
 * A statement about one row that serves every row of the same shape: an INSERT that leaves the same
 * columns to the database, an UPDATE of the same columns.
 */
struct ath_shaped {
	uint64_t shape; /* 0: none */
	struct ath_statement statement;
	const struct ath_member **columns; /* a parameter each: */
	size_t new_count;                  /* so many of the object, those behind of what was */
	const struct ath_target *targets;  /* what comes back */
	size_t target_count;
};

/* A column that an UPDATE may have to name. */
struct ath_comparable {
	const struct ath_member *column;
	size_t offset, size; /* bytes that are mostly the same when the values are */
};

struct ath_facts {
	const struct ath_model *model;
	struct ath_facts *next; /* in its bucket */
	struct ath_arena *arena;
	struct ath_key key;
	const struct ath_member *version; /* or NULL */
	bool tracked;
	bool has_defaults, has_update_functions, has_hooks, has_relations; /* does any member? */
	struct ath_target *targets;                                        /* all columns */
	size_t target_count;
	const struct ath_member **filled; /* columns the database fills in when they are unset */
	size_t filled_count;
	struct ath_comparable *comparables;
	size_t comparable_count;
	struct ath_text select;   /* SELECT ... FROM ...; of a result: none */
	struct ath_statement get; /* by primary key, without its parameters; text NULL: none */
	struct ath_shaped inserts[4], updates[8], deletes[2]; /* of the shapes that came first */
};

/* What this room keeps with an engine; NULL: there is no memory. */
struct ath_route_comment;
struct ath_kept {
	struct ath_attached attached;
	struct ath_arena *arena;
	struct ath_facts *facts[64];
	struct ath_route_comment *comments[64];
};
struct ath_kept *ath_kept_of(struct ath_engine *engine);

/* NULL: there is no memory. */
struct ath_facts *ath_facts_make(struct ath_arena *arena, const struct ath_model *model);
/* Those that the engine keeps; NULL: the session is in error. */
struct ath_facts *ath_facts_of(struct ath_session *session, const struct ath_model *model);

/* ---- what the session's files need of each other --------------------------------------------- */

static inline bool ath_session_ok(const struct ath_session *session)
{
	return session->error.status == ATH_OK;
}
/* Everything a query needs before it runs: no error, nothing pending that it would miss. */
bool ath_session_ready(struct ath_session *session);
/* Is the query one whose rows this model's structs hold? Else the session is in error. */
bool ath_session_fits(struct ath_session *session, const struct ath_model *model,
		      const struct ath_query *query);
/* A batch with room for count statements; NULL: the session is in error. */
struct ath_batch *ath_session_batch(struct ath_session *session, size_t count);
/* A batch of the one statement; NULL: the session is in error. */
struct ath_batch *ath_session_batch_of(struct ath_session *session, struct ath_sql *sql);
/* Runs a batch where the session's reads run now: in its transaction, or on a pipeline. */
bool ath_session_run(struct ath_session *session, struct ath_batch *batch);
/* Runs one statement in a transaction, in whose BEGIN's round trip: the batch may be a longer one
 * then, at whose end it stands. */
bool ath_session_run_begun(struct ath_session *session, struct ath_batch **batch);
/* Puts it in error for want of memory; false. */
bool ath_session_no_memory(struct ath_session *session) ATH_COLD;
/* The session takes over the first error of a batch. */
void ath_session_take_error(struct ath_session *session, const struct ath_error *error) ATH_COLD;
/* Keeps a result as long as the session's memory: texts point into it. */
bool ath_session_keep(struct ath_session *session, struct ath_batch *batch, size_t index);
/* Where the columns of a model go; only those that filter says, when there is one. */
struct ath_target *ath_targets(struct ath_arena *arena, const struct ath_model *model,
			       bool (*filter)(const struct ath_model *model,
					      const struct ath_member *column, const void *object),
			       const void *object, size_t *count);
struct ath_target *ath_session_targets(struct ath_session *session, const struct ath_model *model,
				       bool (*filter)(const struct ath_model *model,
						      const struct ath_member *column,
						      const void *object),
				       const void *object, size_t *count);
struct ath_target ath_target_of(const struct ath_member *column);
/*
 * Reads the rows of a result into the session: into the objects it knows already, else into new
 * ones. extra is a column behind those of the model, which is put behind each object that came
 * (NULL: none): extras holds the places.
 */
void **ath_session_take_rows(struct ath_session *session, const struct ath_model *model,
			     struct ath_batch *batch, size_t index, const struct ath_target *extra,
			     void **extras, size_t *count);
/* How far apart the places behind the objects are. */
size_t ath_session_extra_stride(const struct ath_model *model);
/* Takes a connection of the pool, unless the session has one. */
bool ath_session_connect(struct ath_session *session);
/* Gives it back, rolling back what is open. */
void ath_session_disconnect(struct ath_session *session);
/* The BEGIN that the session's options ask for, and whether that is the plain one. */
struct ath_statement ath_session_begin_statement(const struct ath_session *session);
bool ath_session_begins_as_usual(const struct ath_session *session);
/*
 * A statement of what holds for this transaction alone: statement_timeout, when less is left of the
 * deadline, and application_name. False: needless, or the session is in error.
 */
bool ath_session_settings(struct ath_session *session, struct ath_statement *statement);
/* Is there a write, sent or not, that is not committed? */
bool ath_session_is_uncommitted(struct ath_session *session);
/*
 * The true COMMIT of a session that holds commits, in whose transaction one more statement goes
 * with it: one round trip. ATH_AFTER_COMMIT is called now, once for however many there were.
 */
bool ath_session_commit_held(struct ath_session *session, const struct ath_statement *statement);
/*
 * It reads on, and stores nothing any more, whatever is set, cleared or rolled back. Of an open
 * transaction the server sees to that, which is a round trip.
 */
void ath_session_seal(struct ath_session *session);
/* What is new, changed or to be deleted has been sent. */
bool ath_session_is_clean(struct ath_session *session);
/* Fills an object with its default values. */
enum ath_status ath_fill_defaults(const struct ath_model *model, void *object,
				  struct ath_error *error) ATH_MUST_CHECK;
/* Calls the session's hook and those of a row's model (NULL: of none); false: one refused. */
bool ath_session_call_hooks(struct ath_session *session, enum ath_hook_event event,
			    const struct ath_row *row);

/* ---- what was run (repeats.c) ---------------------------------------------------------------- */

enum { ATH_MANY_TIMES = 10 }; /* may a session run the same statement */

struct ath_repeat {
	const char *text; /* NULL: there is none */
	size_t count;
};

/* Counts a batch that is about to be sent; index: the statement for which it is, if any. */
void ath_session_count(struct ath_session *session, const struct ath_batch *batch, size_t index);
/* The first statement that was sent more than ATH_MANY_TIMES. */
struct ath_repeat ath_session_repeated(const struct ath_session *session);

/* ---- how long it took (timing.c) ------------------------------------------------------------- */

enum { ATH_MOST_TIMED = 32 };

struct ath_timed_statement {
	const char *text;      /* as long as the session's memory */
	uint64_t microseconds; /* of its round trip */
	size_t rows;           /* that came back or were touched; 0 of one that failed */
};

struct ath_times {
	uint64_t microseconds; /* of all round trips */
	size_t count;
	struct ath_timed_statement statements[ATH_MOST_TIMED]; /* the slowest, in their order */
};

/* Of what it runs from now on; without memory there are none. */
void ath_session_want_times(struct ath_session *session);
/* Around the running of a batch. */
uint64_t ath_session_clock(const struct ath_session *session);
void ath_session_time(struct ath_session *session, const struct ath_batch *batch, uint64_t since);

/* ---- what the server is told of a request (comments.c) --------------------------------------- */

/* As far as the engine's options ask for it. Without memory nothing is told. */
void ath_session_set_route(struct ath_session *session, const char *method, const char *route);
/* The id goes with the transactions that the session begins. */
void ath_session_set_request(struct ath_session *session, const char *id);
/* "users 4f1a0c..." of a session that has an id; NULL: there is no memory. */
const char *ath_session_application_name(const struct ath_session *session);

/* ---- cursors (cursor.c) ---------------------------------------------------------------------- */

/* What becomes of those that were opened behind a savepoint. */
void ath_cursors_rolled_back(struct ath_session *session, int savepoint);
void ath_cursors_released(struct ath_session *session, int savepoint);

/* ---- going back (undo.c) --------------------------------------------------------------------- */

/* Notes what a row is before it is sent, or read anew, in a transaction. */
bool ath_undo_note(struct ath_session *session, struct ath_row *row) ATH_MUST_CHECK;
bool ath_undo_mark(struct ath_session *session, int savepoint) ATH_MUST_CHECK;
/* Restores what there was at a savepoint; 0: at the begin. */
void ath_undo_to(struct ath_session *session, int savepoint);

/* ---- dependencies of a flush (order.c) ------------------------------------------------------- */

/* A row whose key is to be filled in from another that is not stored yet. */
struct ath_link {
	struct ath_row *row, *parent;
	const struct ath_member *column, *key; /* of row, of parent */
	struct ath_link *next;                 /* of all */
	struct ath_link *of_row;               /* of the same row */
};

/* Adds the rows that relations lead to, and says what waits for whose key. */
bool ath_order_links(struct ath_session *session, struct ath_link **links);
/*
 * Numbers rows so that each comes behind those it refers to (inserts), or before them (deletes).
 * ATH_EINVAL in the session: they refer to each other.
 */
bool ath_order_rows(struct ath_session *session, struct ath_row **rows, size_t count,
		    const struct ath_link *links, bool deletes, uint32_t *places);

#endif
