/*
 * orm.h - models, queries and sessions.
 *
 * A model is a plain struct and one table of rows that says what its members are. A query
 * is plain data on the stack. A session is where rows live: what it returns stays until it
 * is closed (in a handler: until the request ends), what is passed in is borrowed as long.
 *
 * Errors stick: a session keeps its first error, and every later call on it does nothing and
 * returns NULL, an empty list or false. So a handler needs no test after each call.
 */
#ifndef ATH_ORM_H
#define ATH_ORM_H

#include "db/db.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- models ----------------------------------------------------------------------------- */

struct ath_model;
struct ath_session;

/** What a row of a model is: a column, a relation, or a rule of its table. */
enum ath_member_kind {
	ATH_MEMBER_COLUMN,
	ATH_MEMBER_HAS_MANY,     /**< a list of the rows whose key holds our primary key */
	ATH_MEMBER_HAS_ONE,      /**< the one row whose key holds it */
	ATH_MEMBER_BELONGS_TO,   /**< the row whose primary key our key holds */
	ATH_MEMBER_MANY_TO_MANY, /**< a list of rows, by way of a table between */
	ATH_MEMBER_INDEX,
	ATH_MEMBER_UNIQUE,
	ATH_MEMBER_CHECK,
	ATH_MEMBER_FOREIGN_KEY,
	ATH_MEMBER_COMMENT,
	ATH_MEMBER_HOOK,
	ATH_MEMBER_OBJECT, /**< of a shape: one object of another model */
	ATH_MEMBER_LIST,   /**< of a shape: a list of them */
	ATH_MEMBER_IGNORE_UNKNOWN
};
enum ath_format { ATH_ANY_TEXT, ATH_EMAIL };
enum ath_action { ATH_RESTRICT, ATH_CASCADE, ATH_SET_NULL };

/** What a hook is called for. Before the others of a flush comes ATH_BEFORE_FLUSH. */
enum ath_hook_event {
	ATH_BEFORE_FLUSH,
	ATH_AFTER_FLUSH,
	ATH_BEFORE_INSERT,
	ATH_AFTER_INSERT,
	ATH_BEFORE_UPDATE,
	ATH_AFTER_UPDATE,
	ATH_BEFORE_DELETE,
	ATH_AFTER_DELETE,
	ATH_BEFORE_COMMIT,
	ATH_AFTER_COMMIT
};

/**
 * Called around what a session sends. Before it, it may change the row, or refuse by
 * ath_session_fail(). model and object are NULL for a flush and a commit.
 */
typedef void ath_hook(struct ath_session *session, enum ath_hook_event event,
		      const struct ath_model *model, void *object, void *arg);

/** Some columns of a model, by where they stand; made by ATH_COLUMNS and ATH_ON. */
struct ath_columns {
	const size_t *offsets;
	size_t count;
};

/** One row of a model. Made by ATH_COLUMN, ATH_HAS_MANY, ATH_INDEX, ATH_OBJECT and the like. */
struct ath_member {
	enum ath_member_kind kind;
	const char *name;
	size_t offset, size;

	/* a column */
	enum ath_type type;
	bool nullable_struct;

	/* what may stand behind the member's name in ATH_COLUMN */
	const char *column; /**< its name in the database; NULL: the member's */
	bool primary_key;   /**< of several: all; an integer that is 0 is given by the database */
	bool index;
	bool unique;
	bool nullable;  /**< a pointer (text, JSON, bytes, an array; an object) that may be NULL */
	bool read_only; /**< the database fills it in; it is never sent */
	bool identity;  /**< an integer that the database counts up; never sent */
	bool version;   /**< counts the updates of a row: one that meets another version is stale */
	bool varchar;   /**< varchar(max_length), where a text is text */
	/** Of a text, in code points; 0: any. Of bytes in a shape: max_length. */
	size_t min_length, max_length;
	size_t min_items, max_items; /**< of an array or a list of a shape; max 0: 1000 */
	int64_t min, max;            /**< of a number; they hold when they differ */
	int precision, scale;        /**< of a decimal: digits, and those behind the point */
	const char *const *values;   /**< of an enum: the text of each, in order; ends in NULL */
	enum ath_format format;      /**< of a text */
	const struct ath_model *references; /**< whose primary key this is */
	enum ath_action on_delete, on_update;
	/** SQL; used when the member is NULL or zero at insertion, and read back. */
	const char *server_default;
	const char *generated; /**< SQL, by which the database computes it; never sent */
	/** What T_new and T_bind put there: ATH_DEFAULT(user, age, 18). */
	const void *default_value;
	/** The same by a function; false: it cannot. ath_fill_now and ath_fill_uuid are two. */
	bool (*default_function)(void *member);
	/** Fills the member in anew for each UPDATE of its row. */
	bool (*update_function)(void *member);
	const char *comment;

	/* a relation, an object or a list */
	const struct ath_model *target;
	size_t key_offset;               /**< in the target; of ATH_BELONGS_TO: in this model */
	const struct ath_model *through; /**< the model between, and its keys to both */
	size_t near_offset, far_offset;

	/* a rule */
	struct ath_columns columns;
	const char *expression; /**< SQL, of an index or a CHECK */
	const char *where;      /**< SQL: the index is of these rows only */
	const char *method;     /**< the method of an index, such as "gin"; NULL: btree */
	ath_hook *hook;
	void *hook_arg;
};

/**
 * A table's rows are written, a view's are only read; a result's come from other SQL. A shape is
 * what requests and answers look like: no database knows it.
 */
enum ath_model_kind { ATH_TABLE, ATH_VIEW, ATH_RESULT, ATH_SHAPE };

struct ath_model {
	enum ath_model_kind kind;
	const char *name;  /**< the struct's tag */
	const char *table; /**< a plain identifier, or schema.table; NULL: a result's, a shape's */
	size_t size;
	const struct ath_member *members; /**< what has a place, in the order of the struct */
	size_t member_count;
};

/**
 * Checks models once, at start, before any SQL: names are plain identifiers, a primary key
 * each, no member left out, options that fit their types, relations that lead back. Shapes that
 * a listed one leads to are checked with it.
 *
 * @param models  ends in NULL
 * @return ATH_OK, or ATH_EINVAL with one line naming model and member
 */
ATH_API enum ath_status ath_models_check(const struct ath_model *const *models,
					 struct ath_error *error) ATH_MUST_CHECK;

/** Default and update functions: the moment, and a random UUID. */
ATH_API bool ath_fill_now(void *timestamp);
ATH_API bool ath_fill_uuid(void *uuid);

/* ---- expressions -------------------------------------------------------------------------- */

/* name of the operator, its SQL; those of two sides, which ATH_EXPR takes */
#define ATH_BINARY_MAP(X)                                                                          \
	X(EQ, "=")                                                                                 \
	X(NE, "<>")                                                                                \
	X(LT, "<")                                                                                 \
	X(LE, "<=")                                                                                \
	X(GT, ">")                                                                                 \
	X(GE, ">=")                                                                                \
	X(LIKE, "LIKE")                                                                            \
	X(ILIKE, "ILIKE")                                                                          \
	X(MATCHES, "~")                                                                            \
	X(IMATCHES, "~*")                                                                          \
	X(DISTINCT_FROM, "IS DISTINCT FROM")                                                       \
	X(NOT_DISTINCT_FROM, "IS NOT DISTINCT FROM")                                               \
	X(CONTAINS, "@>")                                                                          \
	X(CONTAINED_IN, "<@")                                                                      \
	X(OVERLAPS, "&&")                                                                          \
	X(HAS_KEY, "?")                                                                            \
	X(JSON_PATH, "@?")                                                                         \
	X(SEARCH, "@@")                                                                            \
	X(JSON_GET, "->")                                                                          \
	X(JSON_TEXT, "->>")                                                                        \
	X(ADD, "+")                                                                                \
	X(SUB, "-")                                                                                \
	X(MUL, "*")                                                                                \
	X(DIV, "/")                                                                                \
	X(MOD, "%")                                                                                \
	X(CONCAT, "||")

enum ath_operator {
	ATH_OP_NONE,
#define X(name, sql) ATH_OP_##name,
	ATH_BINARY_MAP(X)
#undef X
		ATH_OP_IN,
	ATH_OP_ANY, /**< a value is one of an array's elements */
	ATH_OP_IS_NULL,
	ATH_OP_BETWEEN,
	ATH_OP_AND,
	ATH_OP_OR,
	ATH_OP_NOT,
	ATH_OP_ALL,
	ATH_OP_COLUMN,
	ATH_OP_OUTER, /**< a column of the query around this one */
	ATH_OP_VALUE,
	ATH_OP_FUNCTION,
	ATH_OP_CAST,
	ATH_OP_DISTINCT,
	ATH_OP_EACH_ROW, /**< the * of count(*) */
	ATH_OP_WORD,     /**< a name of the database's, such as that of a language */
	ATH_OP_IN_QUERY,
	ATH_OP_EXISTS,
	ATH_OP_OF /**< what is inside speaks of a certain join */
};

struct ath_query;

struct ath_expression;

/** What an operator stands between, or around. */
struct ath_operands {
	const struct ath_expression *kids;
	union {
		const char *function;
		const char *type;              /**< to cast to */
		const struct ath_query *query; /**< borrowed until the one around it has run */
		int join;
	} as;
};

/** A condition, or what it is made of; kids are borrowed only until a query has taken it in. */
struct ath_expression {
	enum ath_operator op;
	unsigned kid_count;
	const struct ath_model *model; /**< of a column, as is offset */
	size_t offset;
	union {
		struct ath_value value; /**< what the column is compared with, or a value alone */
		struct ath_operands on;
	};
};

struct ath_order {
	struct ath_expression expression;
	bool descending;
};

/* ---- queries ------------------------------------------------------------------------------ */

enum ath_lock {
	ATH_NO_LOCK,
	ATH_FOR_UPDATE,  /**< wait for rows that others have locked */
	ATH_SKIP_LOCKED, /**< leave them out */
	ATH_NOWAIT       /**< ATH_ELOCKED when there is one */
};

enum ath_clause {
	ATH_CLAUSE_WHERE,
	ATH_CLAUSE_SELECT,
	ATH_CLAUSE_GROUP_BY,
	ATH_CLAUSE_HAVING,
	ATH_CLAUSE_ORDER_BY
};

enum { ATH_QUERY_NODES = 48, ATH_QUERY_DEPTH = 12, ATH_QUERY_JOINS = 6 };

/** An expression in a query: before its kids, which follow it. */
struct ath_node {
	struct ath_expression expression;
	uint16_t span;  /**< nodes, with its kids and theirs */
	uint8_t clause; /**< enum ath_clause */
	bool descending;
};

struct ath_join {
	const struct ath_member *relation;
	int from; /**< the join it starts from; 0: the query's own model */
	bool left;
};

/**
 * A SELECT under construction: plain data, to be copied and dropped at will. Its first
 * mistake sticks and is told by the session that runs it.
 */
struct ath_query {
	const struct ath_model *model;
	size_t node_count, join_count, condition_count, select_count;
	int64_t limit, offset; /**< -1: none */
	const void *after;     /**< a row of the model; NULL: the first page */
	bool paged;            /**< ath_after() was called: the primary key ends the order */
	enum ath_lock lock;
	bool all; /**< ATH_ALL was written */
	bool distinct;
	bool nested; /**< it has joins or subqueries: columns are named with their table */
	enum ath_status status;
	const char *mistake;
	struct ath_join joins[ATH_QUERY_JOINS];
	struct ath_node nodes[ATH_QUERY_NODES];
};

ATH_API struct ath_query ath_query_of(const struct ath_model *model);
/** Conditions of several calls all have to hold. */
ATH_API void ath_where(struct ath_query *query, struct ath_expression condition);
ATH_API void ath_order_by(struct ath_query *query, struct ath_order order);
ATH_API void ath_limit(struct ath_query *query, int64_t limit);
ATH_API void ath_offset(struct ath_query *query, int64_t offset);
/**
 * Only what comes after a row, in the order of the query, which is by columns of its model; the
 * primary key is added to it, so that rows that tie have a place too. The first page needs that
 * order as well: it is asked for by NULL.
 *
 * @param row  of the query's model; its order and key members are looked at when the query runs
 */
ATH_API void ath_after(struct ath_query *query, const void *row);
/** SELECT ... FOR UPDATE: the rows stay locked until the session commits or rolls back. */
ATH_API void ath_lock(struct ath_query *query, enum ath_lock lock);
/** Rows that are equal come once. */
ATH_API void ath_distinct(struct ath_query *query);
/**
 * What is read instead of the model's rows, column by column of the result model that the query
 * is then run for. A subquery of ATH_IN_QUERY has one.
 */
ATH_API void ath_select(struct ath_query *query, struct ath_expression expression);
ATH_API void ath_group_by(struct ath_query *query, struct ath_expression expression);
ATH_API void ath_having(struct ath_query *query, struct ath_expression condition);
/* Behind ath_join() and ath_left_join(): the number that ATH_OF takes. */
ATH_API int ath_query_join(struct ath_query *query, const struct ath_model *model, size_t offset,
			   int from, bool left);

/* ---- sessions ------------------------------------------------------------------------------ */

enum ath_isolation { ATH_READ_COMMITTED, ATH_REPEATABLE_READ, ATH_SERIALIZABLE };

struct ath_session_options {
	struct ath_arena *arena; /**< where its rows live; NULL: one of its own */
	int64_t deadline;        /**< on ath_now()'s clock; 0: none */
	size_t memory;           /**< ceiling of an arena of its own, in bytes; 0: 16 MiB */
	enum ath_isolation isolation;
	bool read_only; /**< a write is ATH_EREADONLY */
};

/**
 * Opens a session. It holds no connection: reads share the engine's pipelines, and the first
 * write takes a connection of the pool until the commit or rollback.
 *
 * @param options  NULL: the defaults
 */
ATH_API enum ath_status ath_session_open(struct ath_session **session, struct ath_engine *engine,
					 const struct ath_session_options *options) ATH_MUST_CHECK;
/** Rolls back what was not committed. Sets the caller's pointer to NULL; NULL is fine. */
ATH_API void ath_session_close(struct ath_session **session);

/** The error that stuck, or NULL. */
ATH_API const struct ath_error *ath_session_error(const struct ath_session *session);
/** Rolls back and forgets the error: the session is as new, but for the rows it knows. */
ATH_API void ath_clear_error(struct ath_session *session);
/** Puts the session in error, unless it is already. */
ATH_API void ath_session_fail(struct ath_session *session, enum ath_status status,
			      const char *format, ...) ATH_PRINTF(3, 4) ATH_COLD;
/** Has hook called for what this session does, before the hooks of models; NULL: none. */
ATH_API void ath_session_hook(struct ath_session *session, ath_hook *hook, void *arg);

/**
 * Begins a transaction now: the reads that follow see what it sees. Without it the first
 * flush begins one. (A row that the session knows is read anew into the same object.)
 */
ATH_API bool ath_begin(struct ath_session *session);
/** How the transactions from now on are begun; between two of them. */
ATH_API void ath_set_transaction(struct ath_session *session, enum ath_isolation isolation,
				 bool read_only);
/**
 * Sends what is new, changed and to be deleted: inserts with parents before children, whose keys
 * are filled in, then updates of the columns that changed, then deletes with children before
 * parents. A row that a relation of a known row leads to, and that is not known, is added.
 */
ATH_API bool ath_flush(struct ath_session *session);
/**
 * Flushes and commits, in one round trip where no key has to be waited for. False: nothing of
 * it is stored, except when the error is ATH_EUNKNOWN, which says that this cannot be told, or
 * ATH_ESTORED: then it is stored, but what the database filled in does not fit the model.
 */
ATH_API bool ath_commit(struct ath_session *session);
/**
 * Undoes what was not committed, in memory too: rows hold again what they held before, those
 * that were new are not known any more, and T_get reads the others again.
 */
ATH_API void ath_rollback(struct ath_session *session);

/**
 * Sends a notification to those who listen, when the transaction is committed: a transaction is
 * begun if there is none. The server drops one that is the same as another of the transaction.
 *
 * @param channel  as ath_listen() takes it
 * @param payload  UTF-8 of at most 7999 bytes; NULL: ""
 */
ATH_API bool ath_notify(struct ath_session *session, const char *channel, const char *payload);

/** A place in a transaction to go back to. Plain data. */
struct ath_savepoint {
	int number; /**< 0: none */
};

/** Flushes, beginning a transaction if there is none, and sets a savepoint. They nest. */
ATH_API bool ath_savepoint(struct ath_session *session, struct ath_savepoint *savepoint);
/** Flushes and forgets the savepoint: what came since stays part of the transaction. */
ATH_API bool ath_release(struct ath_session *session, struct ath_savepoint *savepoint);
/**
 * Undoes what came since the savepoint, which stays set, and forgets the session's error: so a
 * statement may fail inside a transaction that goes on. In memory it does what ath_rollback()
 * does. False when the transaction itself is gone, as it is after a lost connection.
 */
ATH_API bool ath_rollback_to(struct ath_session *session, struct ath_savepoint *savepoint);

/**
 * Calls work with a fresh session, and again with another one when that session ended in
 * ATH_ESERIALIZATION (40001, 40P01), after a pause that grows and is left to chance.
 *
 * @param attempts  at most so many calls, 1 or more
 * @param options   of the sessions; NULL: the defaults
 * @param work      commits by itself; everything it does must bear being done again
 * @param error     the last session's
 */
ATH_API enum ath_status ath_retry(struct ath_engine *engine, int attempts,
				  const struct ath_session_options *options,
				  void (*work)(struct ath_session *session, void *arg), void *arg,
				  struct ath_error *error) ATH_MUST_CHECK;

/* ---- writing without rows in memory --------------------------------------------------------- */

/** What an UPDATE sets: ATH_SET(user, name, "Ada"). */
struct ath_assignment {
	const struct ath_model *model;
	size_t offset;
	struct ath_expression expression;
};

/**
 * Deletes all rows that the query finds, in the session's transaction. Without a condition it
 * is refused, unless that is ATH_ALL. Rows in memory do not change.
 *
 * @return how many rows there were
 */
ATH_API int64_t ath_delete_where(struct ath_session *session, const struct ath_query *query);
/* Behind ath_update(). */
ATH_API int64_t ath_session_update(struct ath_session *session, const struct ath_query *query,
				   const struct ath_assignment *assignments, size_t count);

/* ---- reading ------------------------------------------------------------------------------ */

/** More rows than this at once, by a query or a relation, are ATH_ETOOBIG. */
enum { ATH_MOST_ROWS = 100000 };

/** How many rows the query has, its limit and offset aside. */
ATH_API int64_t ath_count(struct ath_session *session, const struct ath_query *query);
/** What the server would do for the query, line by line; with analyze it does it, and says how. */
ATH_API const char *ath_explain(struct ath_session *session, const struct ath_query *query,
				bool analyze);

/**
 * The rows of a query of any size, in constant memory: T_each(db, &query) opens them, T_next(rows)
 * gives one after the other, and NULL at the end. A row lives until the next call. It is not the
 * session's: changing it stores nothing. The session is in a transaction meanwhile.
 */
struct ath_cursor;
/** Before the end; there it closes by itself. Sets the caller's pointer to NULL. NULL is fine. */
ATH_API void ath_cursor_close(struct ath_cursor **cursor);

/** A relation to load, and what is to be loaded of those rows: ATH_WITH(user, posts, ...). */
struct ath_with {
	const struct ath_model *model;
	size_t offset;
	const struct ath_with *kids;
	size_t kid_count;
};

/** SQL that stands in the source; made by ath_sql() and ath_execute() alone. */
struct ath_literal {
	const char *text;
};

/** A value for :name in literal SQL. */
struct ath_bind {
	const char *name;
	struct ath_value value;
};

/* What the functions that ATH_DECLARE makes, and the macros, are made of. Rows are pointers. */
ATH_API void *ath_session_new(struct ath_session *session, const struct ath_model *model);
ATH_API void **ath_session_list(struct ath_session *session, size_t wanted, size_t *count);
ATH_API void ath_session_add(struct ath_session *session, const struct ath_model *model,
			     void *object);
ATH_API void ath_session_delete(struct ath_session *session, const struct ath_model *model,
				void *object);
ATH_API void ath_session_expunge(struct ath_session *session, const struct ath_model *model,
				 void *object);
ATH_API void ath_session_expire(struct ath_session *session, const struct ath_model *model,
				void *object);
ATH_API bool ath_session_refresh(struct ath_session *session, const struct ath_model *model,
				 void *object);
ATH_API void *ath_session_merge(struct ath_session *session, const struct ath_model *model,
				const void *object);
ATH_API void *ath_session_upsert(struct ath_session *session, const struct ath_model *model,
				 void *object, struct ath_columns conflict);
ATH_API int64_t ath_session_insert_all(struct ath_session *session, const struct ath_model *model,
				       void *objects, size_t count);
ATH_API void *ath_session_get(struct ath_session *session, const struct ath_model *model,
			      const struct ath_value *keys, size_t count);
ATH_API void **ath_session_all(struct ath_session *session, const struct ath_model *model,
			       const struct ath_query *query, size_t *count);
ATH_API void *ath_session_first(struct ath_session *session, const struct ath_model *model,
				const struct ath_query *query);
ATH_API void *ath_session_one(struct ath_session *session, const struct ath_model *model,
			      const struct ath_query *query);
ATH_API struct ath_cursor *ath_session_each(struct ath_session *session,
					    const struct ath_model *model,
					    const struct ath_query *query);
ATH_API void *ath_cursor_next(struct ath_cursor *cursor, const struct ath_model *model);
ATH_API void ath_session_load(struct ath_session *session, const struct ath_model *model,
			      void *const *objects, size_t count, const struct ath_with *with,
			      size_t with_count);
ATH_API bool ath_session_scalar(struct ath_session *session, const struct ath_query *query,
				struct ath_expression expression, enum ath_type type, bool nullable,
				void *value);
ATH_API void **ath_session_sql(struct ath_session *session, const struct ath_model *model,
			       struct ath_literal sql, const struct ath_bind *binds,
			       size_t bind_count, size_t *count);
ATH_API int64_t ath_session_execute(struct ath_session *session, struct ath_literal sql,
				    const struct ath_bind *binds, size_t bind_count);

/**
 * The columns a violated constraint speaks of (uq_users_email: email).
 *
 * @param columns  takes at most ATH_CONSTRAINT_COLUMNS
 * @return how many; 0: it is none of the models'
 */
enum { ATH_CONSTRAINT_COLUMNS = 8 };
ATH_API size_t ath_constraint_members(const struct ath_model *const *models, const char *constraint,
				      const struct ath_member **columns);

/**
 * Creates the tables and indexes of models that do not exist yet, with constraints named so
 * that their violations name members. It runs in a transaction that the caller commits. It
 * changes no table that is there: that is what migrations are for.
 *
 * @param models  ends in NULL
 */
ATH_API bool ath_create_all(struct ath_session *session, const struct ath_model *const *models);

/**
 * Compares models with the tables that the database has, in the search path: tables, columns and
 * their types, NULL, defaults, keys, foreign keys and what they do, indexes, the labels of enums,
 * and columns that a model does not know and an INSERT needs. Types that do as well are fine
 * (varchar or an enum type for a text, a domain for what it is made of), and so is what only makes
 * the database stricter or faster. Names of constraints, and the SQL of defaults, conditions and
 * CHECKs are not compared. Of a view columns and types are.
 *
 * @param models      ends in NULL
 * @param difference  called with one line for each: "user.age: age is bigint, and in the model
 *                    integer"; the text lives until it returns
 * @return ATH_OK, whether there are differences or not
 */
ATH_API enum ath_status ath_models_compare(struct ath_engine *engine,
					   const struct ath_model *const *models,
					   void (*difference)(const char *text, void *arg),
					   void *arg, struct ath_error *error) ATH_MUST_CHECK;

/* ---- migrations ----------------------------------------------------------------------------- */

/**
 * Brings the database to the newest of the migrations in a directory: files named
 * <digits>_<name>.sql in dbmate's form, with "-- migrate:up" and "-- migrate:down". Each runs
 * in its own transaction, all under one advisory lock, and is recorded in schema_migrations.
 * With prepared_statements=off the lock is each transaction's, and a file that has none
 * ("transaction:false") is not under it.
 *
 * @param done   called for each migration that was applied; may be NULL
 * @param error  names the file and what the database said
 */
ATH_API enum ath_status ath_migrate_up(struct ath_engine *engine, const char *directory,
				       void (*done)(const char *file),
				       struct ath_error *error) ATH_MUST_CHECK;
enum ath_migration_state {
	ATH_MIGRATION_APPLIED,
	ATH_MIGRATION_PENDING, /**< ath_migrate_up() would apply it */
	ATH_MIGRATION_UNKNOWN, /**< applied, and the directory has no file of it */
};
/**
 * Which migrations there are, in the order of their versions. It changes nothing and takes no
 * lock; a database without schema_migrations has none applied.
 *
 * @param each   called for each: a file's name, or the version of one that is unknown; the text
 *               lives until it returns
 * @param error  ATH_EIO: the directory cannot be read
 */
ATH_API enum ath_status ath_migrations_list(struct ath_engine *engine, const char *directory,
					    void (*each)(const char *migration,
							 enum ath_migration_state state, void *arg),
					    void *arg, struct ath_error *error) ATH_MUST_CHECK;
/** Takes the newest applied migration back. ATH_ENOTFOUND: none is applied. */
ATH_API enum ath_status ath_migrate_down(struct ath_engine *engine, const char *directory,
					 void (*done)(const char *file),
					 struct ath_error *error) ATH_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#include "orm/orm_macros.h"

#endif
