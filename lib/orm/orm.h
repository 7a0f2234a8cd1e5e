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

enum ath_member_kind { ATH_MEMBER_COLUMN, ATH_MEMBER_HAS_MANY };
enum ath_format { ATH_ANY_TEXT, ATH_EMAIL };
enum ath_on_delete { ATH_RESTRICT, ATH_CASCADE, ATH_SET_NULL };

/** One row of a model: a column, or a relation. Made by ATH_COLUMN and ATH_HAS_MANY. */
struct ath_member {
	enum ath_member_kind kind;
	const char *name;
	size_t offset, size;

	/* a column */
	enum ath_type type;
	bool nullable_struct;

	/* what may stand behind the member's name in ATH_COLUMN */
	bool primary_key; /**< exactly one; an integer that is 0 is given by the database */
	bool index;
	bool unique;
	bool nullable;                      /**< a text that may be NULL */
	bool read_only;                     /**< the database fills it in; it is never sent */
	size_t min_length, max_length;      /**< of a text, in code points; 0: any */
	int64_t min, max;                   /**< of a number; they hold when they differ */
	enum ath_format format;             /**< of a text */
	const struct ath_model *references; /**< whose primary key this is */
	enum ath_on_delete on_delete;
	/** SQL; used when the member is NULL or zero at insertion, and read back. */
	const char *server_default;

	/* a relation: the target's rows whose key holds our primary key */
	const struct ath_model *target;
	size_t key_offset;
};

struct ath_model {
	const char *name;  /**< the struct's tag */
	const char *table; /**< a plain identifier */
	size_t size;
	const struct ath_member *members; /**< in the order of the struct */
	size_t member_count;
};

/**
 * Checks models once, at start, before any SQL: names are plain identifiers, one primary key
 * each, no member left out, options that fit their types, relations that lead back.
 *
 * @param models  ends in NULL
 * @return ATH_OK, or ATH_EINVAL with one line naming model and member
 */
ATH_API enum ath_status ath_models_check(const struct ath_model *const *models,
					 struct ath_error *error) ATH_MUST_CHECK;

/* ---- queries ------------------------------------------------------------------------------ */

enum ath_operator {
	ATH_OP_EQ = 1,
	ATH_OP_NE,
	ATH_OP_LT,
	ATH_OP_LE,
	ATH_OP_GT,
	ATH_OP_GE,
	ATH_OP_LIKE,
	ATH_OP_ILIKE,
	ATH_OP_IN,
	ATH_OP_IS_NULL,
	ATH_OP_ALL,
	ATH_OP_AND,
	ATH_OP_OR,
	ATH_OP_NOT
};

/** A condition; kids are borrowed only until ath_where() returns. */
struct ath_condition {
	enum ath_operator op;
	const struct ath_model *model;
	size_t offset;
	struct ath_value value;
	const struct ath_condition *kids;
	size_t kid_count;
};

struct ath_order {
	const struct ath_model *model;
	size_t offset;
	bool descending;
};

enum ath_lock {
	ATH_NO_LOCK,
	ATH_FOR_UPDATE,  /**< wait for rows that others have locked */
	ATH_SKIP_LOCKED, /**< leave them out */
	ATH_NOWAIT       /**< ATH_ELOCKED when there is one */
};

enum { ATH_QUERY_CONDITIONS = 32, ATH_QUERY_ORDERS = 8, ATH_QUERY_DEPTH = 8 };

/**
 * A SELECT under construction: plain data, to be copied and dropped at will. Its first
 * mistake sticks and is told by the session that runs it.
 */
struct ath_query {
	const struct ath_model *model;
	size_t condition_count, order_count;
	int64_t limit, offset; /**< -1: none */
	enum ath_lock lock;
	bool all; /**< ATH_ALL was written */
	enum ath_status status;
	const char *mistake;
	struct ath_order orders[ATH_QUERY_ORDERS];
	struct ath_condition conditions[ATH_QUERY_CONDITIONS]; /**< each before its kids */
};

ATH_API struct ath_query ath_query_of(const struct ath_model *model);
/** Conditions of several calls all have to hold. */
ATH_API void ath_where(struct ath_query *query, struct ath_condition condition);
ATH_API void ath_order_by(struct ath_query *query, struct ath_order order);
ATH_API void ath_limit(struct ath_query *query, int64_t limit);
ATH_API void ath_offset(struct ath_query *query, int64_t offset);
/** SELECT ... FOR UPDATE: the rows stay locked until the session commits or rolls back. */
ATH_API void ath_lock(struct ath_query *query, enum ath_lock lock);

/* ---- sessions ------------------------------------------------------------------------------ */

struct ath_session;

struct ath_session_options {
	struct ath_arena *arena; /**< where its rows live; NULL: one of its own */
	int64_t deadline;        /**< on ath_now()'s clock; 0: none */
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
/** Rolls back and forgets the error: the session is as new. */
ATH_API void ath_clear_error(struct ath_session *session);
/** Puts the session in error, unless it is already. */
ATH_API void ath_session_fail(struct ath_session *session, enum ath_status status,
			      const char *format, ...) ATH_PRINTF(3, 4);

/**
 * Begins a transaction now: the reads that follow see what it sees. Without it the first
 * flush begins one. (A row that the session knows is read anew into the same object.)
 */
ATH_API bool ath_begin(struct ath_session *session);
/**
 * Sends what is new, changed and to be deleted: inserts with parents before children, then
 * updates of the columns that changed, then deletes with children before parents.
 */
ATH_API bool ath_flush(struct ath_session *session);
/**
 * Flushes and commits, in one round trip. False: nothing of it is stored, except when the
 * error is ATH_EUNKNOWN, which says that this cannot be told, or ATH_ESTORED: then it is stored,
 * but what the database filled in does not fit the model.
 */
ATH_API bool ath_commit(struct ath_session *session);
/**
 * Undoes what was not committed. The session then knows no rows any more: get again those
 * that are to be changed.
 */
ATH_API void ath_rollback(struct ath_session *session);

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
 * statement may fail inside a transaction that goes on. Like ath_rollback() it forgets rows.
 * False when the transaction itself is gone, as it is after a lost connection.
 */
ATH_API bool ath_rollback_to(struct ath_session *session, struct ath_savepoint *savepoint);

/**
 * Calls work with a fresh session, and again with another one when that session ended in
 * ATH_ESERIALIZATION (40001, 40P01), after a pause that grows and is left to chance.
 *
 * @param attempts  at most so many calls, 1 or more
 * @param work      commits by itself; everything it does must bear being done again
 * @param error     the last session's
 */
ATH_API enum ath_status ath_retry(struct ath_engine *engine, int attempts,
				  void (*work)(struct ath_session *session, void *arg), void *arg,
				  struct ath_error *error) ATH_MUST_CHECK;

/** What an UPDATE sets: ATH_SET(user, name, "Ada"). */
struct ath_assignment {
	const struct ath_model *model;
	size_t offset;
	struct ath_value value;
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

/** More rows than this at once, by a query or a relation, are ATH_ETOOBIG. */
enum { ATH_MOST_ROWS = 100000 };

/* What the functions that ATH_DECLARE makes are made of. Rows come as pointers. */
ATH_API void *ath_session_new(struct ath_session *session, const struct ath_model *model);
ATH_API void ath_session_add(struct ath_session *session, const struct ath_model *model,
			     void *object);
ATH_API void ath_session_delete(struct ath_session *session, const struct ath_model *model,
				void *object);
ATH_API void *ath_session_get(struct ath_session *session, const struct ath_model *model,
			      struct ath_value key);
ATH_API void **ath_session_all(struct ath_session *session, const struct ath_model *model,
			       const struct ath_query *query, size_t *count);
ATH_API void *ath_session_first(struct ath_session *session, const struct ath_model *model,
				const struct ath_query *query);
ATH_API void *ath_session_one(struct ath_session *session, const struct ath_model *model,
			      const struct ath_query *query);
ATH_API void ath_session_load(struct ath_session *session, const struct ath_model *model,
			      void *const *objects, size_t count, size_t relation_offset);
/** How many rows the query has, its limit and offset aside. */
ATH_API int64_t ath_count(struct ath_session *session, const struct ath_query *query);

/** The member a violated constraint speaks of (uq_users_email: email), or NULL. */
ATH_API const struct ath_member *ath_constraint_member(const struct ath_model *const *models,
						       const char *constraint,
						       const struct ath_model **model);

/**
 * Creates the tables and indexes of models that do not exist yet, with constraints named so
 * that their violations name members. It runs in a transaction that the caller commits. It
 * changes no table that is there: that is what migrations are for.
 *
 * @param models  ends in NULL
 */
ATH_API bool ath_create_all(struct ath_session *session, const struct ath_model *const *models);

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
/** Takes the newest applied migration back. ATH_ENOTFOUND: none is applied. */
ATH_API enum ath_status ath_migrate_down(struct ath_engine *engine, const char *directory,
					 void (*done)(const char *file),
					 struct ath_error *error) ATH_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#include "orm/orm_macros.h"

#endif
