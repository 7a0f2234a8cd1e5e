/*
 * db/driver.h - what a database must be able to do. One row of functions per database;
 * PostgreSQL's is in postgresql.c, the only file that knows libpq.
 *
 * A connection takes statements without waiting and gives their outcomes back in the same
 * order. A sync ends a batch: what came since the last one is one transaction, unless BEGIN
 * said otherwise, and an error skips all up to it.
 */
#ifndef ATH_DB_DRIVER_H
#define ATH_DB_DRIVER_H

#include "db/db.h"

struct ath_url {
	const char *text;     /* for the driver: the engine's own options taken out */
	const char *password; /* NULL: it is in the text, or none is needed */
	int connect_timeout_s;
	int statement_timeout_ms, lock_timeout_ms, idle_timeout_ms; /* 0: never */
	bool pooler; /* of transactions: the session belongs to others between them */
	const char *application_name; /* unless text says another */
};

/* SQL with $1, $2... and what goes there. text lives as long as its batch. */
struct ath_statement {
	const char *text;
	size_t length;
	uint64_t hash; /* of text, and of the types of params where they may differ */
	const struct ath_value *params;
	size_t param_count;
	bool own;        /* of the library itself: it has no comment */
	void *arguments; /* the same as the driver wants them; NULL: not made yet */
};

/* Where a column of a result goes in a struct. */
struct ath_target {
	size_t offset;
	enum ath_type type;
	size_t flag;       /* of a struct ath_null_*: where its flag stands in it; 0: none */
	bool null_allowed; /* a pointer that may be NULL */
	const char *const *values; /* of an enum: its texts, which end in NULL */
	const char *name;          /* for the error */
};

enum ath_outcome {
	ATH_OUTCOME_NONE,    /* nothing more has arrived */
	ATH_OUTCOME_RESULT,  /* a statement's result, now the caller's */
	ATH_OUTCOME_ERROR,   /* a statement, or the transaction at its sync, failed */
	ATH_OUTCOME_SKIPPED, /* not run, because one before it in its batch failed */
	ATH_OUTCOME_SYNC,
	ATH_OUTCOME_BROKEN, /* the connection is in a state that nothing here leads out of */
};

struct ath_driver {
	const char *const *schemes; /* of URLs; ends in NULL */

	/* Is the URL well formed? Does not connect. */
	enum ath_status (*check)(const struct ath_url *url, struct ath_error *error);
	/* Connects, resolving names: blocks, so it runs on an offload thread. */
	enum ath_status (*open)(void **connection, const struct ath_url *url,
				struct ath_error *error);
	void (*close)(void *connection);
	/* The server's number for it, by which another connection can stop what it does. */
	int (*backend)(void *connection);
	int (*fd)(void *connection);

	/*
	 * Makes a statement's arguments of its parameters, in the arena. ATH_ERULE: one that
	 * cannot be sent. Nothing has been queued then.
	 */
	enum ath_status (*bind)(struct ath_statement *statement, struct ath_arena *arena);
	/* These queue. ATH_EIO: the connection is dead. */
	enum ath_status (*prepare)(void *connection, const char *name,
				   const struct ath_statement *statement);
	enum ath_status (*forget)(void *connection, const char *name);
	/* name NULL: the statement's text, prepared under no name. */
	enum ath_status (*execute)(void *connection, const char *name,
				   const struct ath_statement *statement);
	enum ath_status (*sync)(void *connection);
	/* ATH_OK: all is sent; ATH_ETIMEDOUT: the socket takes no more now. */
	enum ath_status (*flush)(void *connection);

	/* Takes in what has arrived; ATH_EIO: the connection is dead. */
	enum ath_status (*consume)(void *connection, struct ath_error *error);
	enum ath_outcome (*receive)(void *connection, void **result, struct ath_error *error);
	/* Hands over the notifications among what was taken in. The texts are gone afterwards. */
	void (*notifications)(void *connection,
			      void (*take)(void *arg, const char *channel, const char *payload),
			      void *arg);
	/* Between batches. */
	bool (*in_transaction)(void *connection);
	/* Is it outside any transaction, and alive as far as can be seen? */
	bool (*is_idle)(void *connection);

	/* Runs SQL of several statements and waits: for migrations, on an idle connection. */
	enum ath_status (*script)(void *connection, const char *sql, struct ath_error *error);

	size_t (*rows)(const void *result);
	/* Rows that an INSERT, UPDATE or DELETE touched. */
	int64_t (*affected)(const void *result);
	/* What the server called the statement, such as "ROLLBACK". */
	const char *(*tag)(const void *result);
	/*
	 * Reads rows first to first + count into the objects. Texts and bytes point into the
	 * result: it must live as long as they do. Arrays are made in the arena.
	 */
	enum ath_status (*read)(const void *result, size_t first, size_t count,
				const struct ath_target *targets, size_t target_count,
				void *const *objects, struct ath_arena *arena,
				struct ath_error *error);
	/* What the server called column i. */
	const char *(*column)(const void *result, size_t i);
	size_t (*memory)(const void *result);
	void (*free)(void *result);
};

extern const struct ath_driver ath_postgresql;

#endif
