/*
 * db.h - values and the engine: what crosses to a database, and the handle on it.
 */
#ifndef ATH_DB_H
#define ATH_DB_H

#include "base/base.h"
#include "base/log.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- values --------------------------------------------------------------------------- */

/* type, the C type of a member, and the name of its nullable form's value */
#define ATH_SCALAR_MAP(X)                                                                          \
	X(BOOL, bool, bool)                                                                        \
	X(INT16, int16_t, int16)                                                                   \
	X(INT32, int32_t, int32)                                                                   \
	X(INT64, int64_t, int64)                                                                   \
	X(DOUBLE, double, double)                                                                  \
	X(TIMESTAMP, struct ath_timestamp, timestamp)                                              \
	X(DATE, struct ath_date, date)                                                             \
	X(DECIMAL, struct ath_decimal, decimal)                                                    \
	X(ENUM, unsigned, enum)                                                                    \
	X(UUID, struct ath_uuid, uuid)

/* The same of types that are pointers, whose NULL is SQL's where the column may be NULL. */
#define ATH_POINTER_MAP(X)                                                                         \
	X(TEXT, const char *, text)                                                                \
	X(JSON, struct ath_json, json)                                                             \
	X(BYTES, struct ath_bytes, bytes)                                                          \
	X(TEXT_ARRAY, struct ath_text_array, text_array)                                           \
	X(INT64_ARRAY, struct ath_int64_array, int64_array)                                        \
	X(UUID_ARRAY, struct ath_uuid_array, uuid_array)

enum ath_type {
#define X(type, c_type, name) ATH_TYPE_##type,
	ATH_POINTER_MAP(X) ATH_SCALAR_MAP(X)
#undef X
};

/** A JSON document (RFC 8259) as text, which PostgreSQL may write in another way than it came. */
struct ath_json {
	const char *text;
};

/** Any bytes, NUL too. */
struct ath_bytes {
	const unsigned char *data;
	size_t length;
};

/* Arrays; an element of a text array may be NULL. */
struct ath_text_array {
	const char *const *items;
	size_t count;
};
struct ath_int64_array {
	const int64_t *items;
	size_t count;
};
struct ath_uuid_array {
	const struct ath_uuid *items;
	size_t count;
};

/* The nullable forms: struct ath_null_int32 { int32_t value; bool valid; }. Zero is NULL. */
#define X(type, c_type, name)                                                                      \
	struct ath_null_##name {                                                                   \
		c_type value;                                                                      \
		bool valid; /**< false: NULL, whatever value holds */                              \
	};
ATH_SCALAR_MAP(X)
#undef X

/** One value, or an array of them, on its way into a statement. */
struct ath_value {
	enum ath_type type; /**< of an array: that of its elements */
	bool null;
	bool array;
	size_t count; /**< elements of an array */
	union {
		bool boolean;
		int64_t integer; /**< int16, int32, int64 and enum */
		double real;
		struct ath_timestamp timestamp;
		struct ath_date date;
		struct ath_decimal decimal;
		struct ath_uuid uuid;
		struct ath_bytes bytes;
		const char *text;  /**< JSON too; borrowed until the statement has run */
		const void *items; /**< of an array: borrowed likewise */
		struct {
			const void *items;
			/** where element i is, NULL being SQL's; NULL: side by side in items */
			const void *(*item)(const void *items, size_t i);
		} list;
	} as;
};

#define X(type, c_type, name)                                                                      \
	ATH_API struct ath_value ath_value_##name(c_type value);                                   \
	ATH_API struct ath_value ath_array_##name(const c_type *items, size_t count);
ATH_SCALAR_MAP(X)
#undef X
/* A NULL pointer is SQL's NULL. */
#define X(type, c_type, name) ATH_API struct ath_value ath_value_##name(c_type value);
ATH_POINTER_MAP(X)
#undef X
ATH_API struct ath_value ath_array_text(const char *const *items, size_t count);

/* ---- the engine ------------------------------------------------------------------------ */

/**
 * The handle on one database: a pipeline or more for reads, and a pool of connections for
 * transactions. It belongs to the thread and the process that opened it.
 */
struct ath_engine;

/** Are statements logged? A line holds the time since the batch was sent, and the rows. */
enum ath_echo {
	ATH_ECHO_OFF,
	ATH_ECHO_ON,     /**< without the values of the parameters */
	ATH_ECHO_VALUES, /**< with them, each cut at 100 characters */
};

enum ath_prepared_statements {
	ATH_PREPARED_ON,
	/**
	 * For a pooler of transactions, such as PgBouncer: nothing is used that outlives a
	 * transaction. The time limits go with each transaction, not with the connection; what
	 * nobody waits for any more is not cancelled; a connection has one batch under way, so
	 * that pipelines is the number of reads at a time.
	 */
	ATH_PREPARED_OFF,
};

/** What of a request its statements tell the server: see pg_stat_activity and the server's log. */
enum ath_sql_comments {
	ATH_SQL_COMMENTS_OFF,
	/**
	 * The route, in a comment behind the text of each statement, in the form of sqlcommenter:
	 * one text a route, so that plans stay shared.
	 */
	ATH_SQL_COMMENTS_ROUTE,
	/**
	 * The same, and in transactions the request's id in application_name. Reads outside of them
	 * share their connection, so that there is none.
	 */
	ATH_SQL_COMMENTS_REQUEST,
};

/** Zero means the default; so does NULL for all of it. What the URL says goes first. */
struct ath_engine_options {
	int pipelines;            /**< shared connections for reads, at most; 4 (1 to 64) */
	int pool_size;            /**< connections for transactions that are kept; 4 (1 to 1000) */
	int max_overflow;         /**< further ones while all are busy; 0 (0 to 1000) */
	int pool_timeout_ms;      /**< how long to wait for one; 10000 */
	int pool_recycle_s;       /**< one older than this is not lent again; 0: any age will do */
	int connect_timeout_s;    /**< 5; libpq allows no less than 2 */
	int statement_timeout_ms; /**< a statement ends after this; 30000; -1: never */
	int lock_timeout_ms;      /**< waiting for a lock ends after this; 10000; -1: never */
	int idle_timeout_ms;      /**< an idle transaction; statement_timeout_ms; -1: never */
	enum ath_echo echo;       /**< to log, whatever its level */
	enum ath_prepared_statements prepared_statements;
	/** for tests: nothing is ever committed: ath_engine_sandbox_reset(). Not behind a pooler */
	bool sandbox;
	/** for ath_listen(), where url leads to a pooler of transactions; NULL: url will do */
	const char *listen_url;
	/** NULL: it is in the URL, if one is needed; a URL with another is refused */
	const char *password;
	const struct ath_log *log; /**< borrowed; NULL: warnings to standard error */
	struct ath_loop *loop;     /**< the worker's; NULL: the fiber's, or one of its own */
	/** their application_name, where neither the URL nor PGAPPNAME has one; borrowed; NULL:
	 *  "athanor" */
	const char *application;
	enum ath_sql_comments sql_comments;
};

/**
 * Opens an engine. Nothing is sent yet: the first statement connects, and connects again
 * after a loss, so that a database may be away for a while.
 *
 * @param url    "postgresql://user:password@host:port/database?option=value", where host may
 *               be left to ?host=/directory/of/a/socket. These options are the engine's, all
 *               others libpq's, several hosts with target_session_attrs=read-write included:
 *
 *               pipelines            1 to 64; 4
 *               pool_size            1 to 1000; 4
 *               max_overflow         0 to 1000; 0
 *               pool_timeout         seconds, 1 to 3600; 10
 *               pool_recycle         seconds, 1 to 31536000, or 0: never; 0
 *               statement_timeout    milliseconds, or 0: never; 30000
 *               lock_timeout         milliseconds, or 0: never; 10000
 *               idle_timeout         milliseconds, or 0: never; statement_timeout's
 *               echo                 off, on or values; off
 *               prepared_statements  on or off; on
 *
 * @param error  says what is wrong with the URL
 * @return ATH_OK, ATH_EINVAL or ATH_ENOMEM
 */
ATH_API enum ath_status ath_engine_open(struct ath_engine **engine, const char *url,
					const struct ath_engine_options *options,
					struct ath_error *error) ATH_MUST_CHECK;
/**
 * Outside any fiber; sessions must be closed, and listeners may stay: whoever waits for them is
 * told ATH_ECANCELED. Sets the caller's pointer to NULL. */
ATH_API void ath_engine_close(struct ath_engine **engine);
/**
 * Rolls back all that has happened on an engine with options.sandbox, and begins anew. No
 * transaction of a session may be open; one that is gets pool_timeout to end.
 *
 * Such an engine has one connection, and one transaction on it that is never committed. In that,
 * sessions begin, commit and roll back (by savepoints), read and fail as they do elsewhere, and
 * deferred constraints are checked when they commit; but nobody else sees any of it. What is
 * different: they have the connection one after the other, so that a transaction waits for the one
 * that is open, pool_timeout at most; isolation levels mean nothing; now() stands still;
 * NOTIFY reaches nobody; and a connection that is lost takes everything with it. As ever, sequences
 * are not rolled back.
 *
 * @return ATH_OK, ATH_EUNAVAILABLE when a transaction stays open or the database is away, or
 *         ATH_EINVAL when the engine is no sandbox
 */
ATH_API enum ath_status ath_engine_sandbox_reset(struct ath_engine *engine,
						 struct ath_error *error) ATH_MUST_CHECK;
/** Seconds after which trying again makes sense while the database is away; at least 1. */
ATH_API int ath_engine_retry_after(const struct ath_engine *engine);

/* ---- notifications ---------------------------------------------------------------------- */

/**
 * Hears what is sent to one channel (NOTIFY). All listeners of an engine share one connection,
 * opened for the first of them and closed half a minute after the last, and all those of a channel
 * one copy of each notification.
 *
 *	ath_listen(&listener, engine, "posts", &error);
 *	... read what is there now, then:
 *	while (ath_listen_next(listener, ATH_NEVER, &news) == ATH_OK)
 *		... read again if news.missed, else do what news.payload says
 *	ath_listen_close(&listener);
 */
struct ath_listener;

struct ath_notification {
	const char *channel; /**< lives as long as the listener */
	/** up to 7999 bytes, until the next call for the listener; NULL only when missed is not 0
	 */
	const char *payload;
	/**
	 * How many before this one were lost: what was taken from them must be read again. A
	 * listener that is 64 behind loses the oldest. All lose when the connection does, which
	 * counts as one more, because nobody knows what was sent meanwhile: they are told as soon
	 * as LISTEN is in force again, with a payload of NULL if nothing has come yet, so that what
	 * is read then is not outdated unheard.
	 */
	uint64_t missed;
};

/**
 * Starts to listen, and waits until the server has taken note: what is committed from then on will
 * be heard. No wait when another listens to the same channel already.
 *
 * @param channel  1 to 63 of A-Z, a-z, 0-9 and _, the first no digit. Case matters: SQL's
 *                 NOTIFY Posts without quotes is sent to "posts".
 * @param error    says what is wrong
 * @return ATH_OK; ATH_EINVAL for another channel, behind a pooler of transactions when the engine
 *         has no listen_url, in a fiber of another loop, or after a fork; ATH_ETOOBIG: 10000
 *         channels are listened to; ATH_EUNAVAILABLE, at once during the pause after a failure;
 *         ATH_ETIMEDOUT, ATH_ECANCELED: as the fiber ended; ATH_ENOMEM
 */
ATH_API enum ath_status ath_listen(struct ath_listener **listener, struct ath_engine *engine,
				   const char *channel, struct ath_error *error) ATH_MUST_CHECK;
/**
 * The next notification, in the order of commits.
 *
 * @param timeout_ms  milliseconds, 0: what is there already; ATH_NEVER
 * @return ATH_OK; ATH_ETIMEDOUT when that time is over, or the fiber's deadline has passed, after
 *         which each call says so at once; ATH_ECANCELED: the client went away, the engine was
 *         closed, or the listener was, by another fiber, and is not to be touched any more;
 *         ATH_EINVAL while another fiber waits for it, in a fiber of another loop, or after a fork
 */
ATH_API enum ath_status ath_listen_next(struct ath_listener *listener, int64_t timeout_ms,
					struct ath_notification *notification) ATH_MUST_CHECK;
/** Does not wait, and may come after the engine's end. NULL is fine; the pointer becomes NULL. */
ATH_API void ath_listen_close(struct ath_listener **listener);

#ifdef __cplusplus
}
#endif

#endif
