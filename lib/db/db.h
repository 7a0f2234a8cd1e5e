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
	X(UUID, struct ath_uuid, uuid)

enum ath_type {
	ATH_TYPE_TEXT,
#define X(type, c_type, name) ATH_TYPE_##type,
	ATH_SCALAR_MAP(X)
#undef X
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
	enum ath_type type;
	bool null;
	bool array;
	size_t count; /**< elements of an array */
	union {
		bool boolean;
		int64_t integer; /**< int16, int32 and int64 */
		double real;
		struct ath_timestamp timestamp;
		struct ath_uuid uuid;
		const char *text;  /**< borrowed until the statement has run */
		const void *items; /**< of an array: borrowed likewise */
	} as;
};

ATH_API struct ath_value ath_value_bool(bool value);
ATH_API struct ath_value ath_value_int16(int16_t value);
ATH_API struct ath_value ath_value_int32(int32_t value);
ATH_API struct ath_value ath_value_int64(int64_t value);
ATH_API struct ath_value ath_value_double(double value);
ATH_API struct ath_value ath_value_timestamp(struct ath_timestamp value);
ATH_API struct ath_value ath_value_uuid(struct ath_uuid value);
ATH_API struct ath_value ath_value_text(const char *value); /**< NULL is SQL's NULL */
ATH_API struct ath_value ath_array_bool(const bool *items, size_t count);
ATH_API struct ath_value ath_array_int16(const int16_t *items, size_t count);
ATH_API struct ath_value ath_array_int32(const int32_t *items, size_t count);
ATH_API struct ath_value ath_array_int64(const int64_t *items, size_t count);
ATH_API struct ath_value ath_array_double(const double *items, size_t count);
ATH_API struct ath_value ath_array_timestamp(const struct ath_timestamp *items, size_t count);
ATH_API struct ath_value ath_array_uuid(const struct ath_uuid *items, size_t count);
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
	const struct ath_log *log; /**< borrowed; NULL: warnings to standard error */
	struct ath_loop *loop;     /**< the worker's; NULL: the fiber's, or one of its own */
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
/** Outside any fiber; sessions must be closed. Sets the caller's pointer to NULL. */
ATH_API void ath_engine_close(struct ath_engine **engine);
/** Seconds after which trying again makes sense while the database is away; at least 1. */
ATH_API int ath_engine_retry_after(const struct ath_engine *engine);

#ifdef __cplusplus
}
#endif

#endif
