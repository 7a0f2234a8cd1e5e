/*
 * db/internal.h - connections and batches, for the engine's own files and for the session.
 */
#ifndef ATH_DB_INTERNAL_H
#define ATH_DB_INTERNAL_H

#include "db/driver.h"
#include "loop/internal.h"

/* ---- values (value.c) --------------------------------------------------------------------- */

/* Where element i of an array is, as C has it; NULL: it is SQL's NULL. */
const void *ath_value_place(const struct ath_value *array, size_t i);
/* Element i of an array. */
struct ath_value ath_value_item(const struct ath_value *array, size_t i);
size_t ath_type_size(enum ath_type type);
/* Where the flag stands in the nullable struct of a type. */
size_t ath_type_flag(enum ath_type type);

/* ---- batches ---------------------------------------------------------------------------- */

/* What is put behind the text of statements: a constant, which the server sees. */
struct ath_comment {
	const char *text; /* with the blank before it */
	size_t length;
	uint64_t hash;
};

/*
 * Statements between two syncs, and what came of them. It lives in the arena of the session
 * that waits for it; a wait that ends early must ath_connection_abandon() it.
 */
struct ath_batch {
	struct ath_statement *statements;
	size_t count;
	void **results; /* one per statement; NULL where there is none */
	struct ath_arena *arena;
	struct ath_error error; /* the first */
	bool sent;              /* some of it may have reached the server */
	bool lost;              /* the connection died before the sync came back */
	bool at_fault;          /* and it was this batch that broke it */
	bool read_only;         /* in a transaction that is: set by whoever makes the batch */
	bool hit;               /* by a cancel that was meant for another */
	const struct ath_comment *comment; /* NULL: none; lives as long as the connection */
	struct ath_waiter waiter;
	const struct ath_driver *driver;
	struct ath_connection *connection; /* where it was sent last, */
	unsigned connection_number;        /* which outlives it */
	int64_t sent_at;                   /* when it was submitted first, */
	int64_t submitted_at;              /* and to where it is now */
	struct ath_batch *next;            /* in the queue of its connection */
};

/* A statement of fixed text without parameters. */
static inline struct ath_statement ath_statement_of(const char *text)
{
	size_t length = strlen(text);

	return (struct ath_statement){
		.text = text, .length = length, .hash = ath_hash(text, length), .own = true
	};
}

/* Frees the results that are left in it. */
void ath_batch_clear(struct ath_batch *batch);

/* ---- one connection (connection.c) ------------------------------------------------------ */

struct ath_connection;

/* Sends a batch; the waiter is woken when its sync has come back, or never will. */
enum ath_status ath_connection_submit(struct ath_connection *connection,
				      struct ath_batch *batch) ATH_MUST_CHECK;
/* The batch is waited for no more: its outcome will be dropped. */
void ath_connection_abandon(struct ath_connection *connection, struct ath_batch *batch);
/* Prepares the batch's statements again when they are next used: see ath_batch_is_stale. */
void ath_connection_forget(struct ath_connection *connection, const struct ath_batch *batch);
/* The server does not know a statement any more, or its result has another shape now. */
bool ath_batch_is_stale(const struct ath_batch *batch);
/* It will be closed when it is given back, whatever state it seems to be in. */
void ath_connection_spoil(struct ath_connection *connection);
/* SQL that is not the library's own was run: its session is reset when it is given back. */
void ath_connection_touch(struct ath_connection *connection);
bool ath_connection_is_dead(const struct ath_connection *connection);
/* Runs SQL of several statements, which touches the connection. */
enum ath_status ath_connection_script(struct ath_connection *connection, const char *sql,
				      struct ath_error *error) ATH_MUST_CHECK;

/* For the engine: takes over a handle that the driver has opened. */
struct ath_connection *ath_connection_new(struct ath_engine *engine, void *handle);
void ath_connection_free(struct ath_connection *connection);
/* Between batches: is a transaction open? */
bool ath_connection_in_transaction(struct ath_connection *connection);
/* Batches whose sync has not come back. */
size_t ath_connection_outstanding(const struct ath_connection *connection);
/* When the first of them was submitted, and when it became the first; ATH_NEVER: there is none. */
int64_t ath_connection_waits_since(const struct ath_connection *connection);
int64_t ath_connection_head_since(const struct ath_connection *connection);
/* When a batch was submitted last, or the connection was opened. */
int64_t ath_connection_used_at(const struct ath_connection *connection);
/*
 * Sends those behind the first batch, at most so many, on another connection as well and waits
 * for them there. They must be reads: the first connection runs them all the same.
 */
size_t ath_connection_move(struct ath_connection *from, struct ath_connection *to, size_t most);
/* A connection that may go back into the pool, for all that is known here. */
bool ath_connection_is_clean(struct ath_connection *connection);
/* An idle connection of the pool that is still good for a transaction: the system is asked. */
bool ath_connection_is_usable(struct ath_connection *connection);

/* Of libpq, as PQlibVersion() has it: 150004 is 15.4 (postgresql.c). */
int ath_postgresql_version(void);

/* ---- the engine (engine.c, pipeline.c, pool.c) --------------------------------------------- */

struct ath_loop *ath_engine_loop(const struct ath_engine *engine);
/* What the engine's connections were told, in milliseconds; 0: none. */
int ath_engine_statement_timeout(const struct ath_engine *engine);
enum ath_sql_comments ath_engine_sql_comments(const struct ath_engine *engine);
/* Whose it is, without its worker. */
const char *ath_engine_application(const struct ath_engine *engine);
/* Its connections are those of "users worker 2"; 0: of no worker. Before the first is opened. */
void ath_engine_set_worker(struct ath_engine *engine, unsigned number);
/* By way of a pooler of transactions: the session belongs to others between them. */
bool ath_engine_is_pooled(const struct ath_engine *engine);

/* Is it a name that ath_listen() takes? (listen.c) */
enum ath_status ath_channel_check(const char *name, struct ath_error *error) ATH_MUST_CHECK;

/* What the room above keeps with an engine; NULL: nothing yet. It is freed with it. */
struct ath_attached {
	void (*free)(struct ath_attached *attached);
};
struct ath_attached **ath_engine_attached(struct ath_engine *engine);

/*
 * Runs a batch of reads on a pipeline and waits for it. A connection that died is replaced
 * and the batch tried once more, unless it was the batch that broke it; so is a batch that is
 * stale or was hit by another's cancel. When a server goes all its connections go, but not all
 * are seen to go at once: so the second loss counts when the connection was opened after the
 * first. Where many clients leave at once there are many cancels, and one batch may be hit by
 * several. A batch that is given up is cancelled when it holds up others.
 */
enum ath_status ath_engine_read(struct ath_engine *engine, struct ath_batch *batch,
				int64_t deadline) ATH_MUST_CHECK;

/*
 * Is more asked of its pool than it can do, with a database that is there? Who is refused then is
 * told in the log in a line for many.
 */
bool ath_engine_is_overloaded(const struct ath_engine *engine);

/* What an engine is at, and what it has done so far. */
enum { ATH_SQLSTATES = 64 };
struct ath_engine_stats {
	size_t pipelines, pipelines_most;
	size_t outstanding; /* batches on all of them */
	size_t pool_most;   /* pool_size and max_overflow */
	size_t pool_open, pool_idle, pool_lent, pool_waiting;
	size_t connections_most; /* all that the engine may open at once */
	uint64_t statements, batches, connects, failed_connects, lost, cancels, pool_timeouts;
	uint64_t pool_refused; /* who did not wait at all: too many did */
	/* errors of the server by SQLSTATE, in the order of their first; the last is all others */
	struct ath_sqlstate_count {
		char sqlstate[6];
		uint64_t count;
	} sqlstates[ATH_SQLSTATES];
	size_t sqlstate_count;
};
void ath_engine_get_stats(const struct ath_engine *engine, struct ath_engine_stats *stats);

/*
 * Compares what so many processes with such an engine may open with what the server allows this
 * role in this database, and says in text how it comes to that. It waits for the server a second at
 * most, inside a fiber or outside, and not at all behind a pooler, whose limit it is then. The
 * connection it opens is the first pipeline.
 *
 * ATH_EINVAL: the server allows fewer. Another error of a connection has the server's SQLSTATE, if
 * it was the server who refused it.
 */
enum ath_status ath_engine_check_limits(struct ath_engine *engine, size_t processes, char *text,
					size_t size, struct ath_error *error) ATH_MUST_CHECK;

/* A connection for a transaction, lent until it is given back. */
enum ath_status ath_engine_checkout(struct ath_engine *engine, struct ath_connection **connection,
				    int64_t deadline, struct ath_error *error) ATH_MUST_CHECK;
/*
 * Gives it back; one that is not idle is cancelled and closed, and for the reset of one that was
 * touched this waits. NULL is fine.
 */
void ath_engine_give_back(struct ath_engine *engine, struct ath_connection **connection);
/*
 * Submits and waits; when the wait ends early the connection is no good for anything else. A
 * write that the server refuses (25006), though the batch is not read_only, means that the
 * server has become a standby: no connection that is open now is used again.
 */
enum ath_status ath_engine_run(struct ath_engine *engine, struct ath_connection *connection,
			       struct ath_batch *batch, int64_t deadline,
			       bool finish) ATH_MUST_CHECK;

#endif
