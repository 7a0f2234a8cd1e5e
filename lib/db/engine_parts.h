/*
 * engine_parts.h - the engine from inside, for engine.c, pipeline.c, pool.c and connection.c.
 */
#ifndef ATH_DB_ENGINE_PARTS_H
#define ATH_DB_ENGINE_PARTS_H

#include "db/internal.h"

enum { ATH_MAX_PIPELINES = 64, ATH_MAX_POOL = 1000 };

/* After a connect has failed: what went wrong, and when another makes sense. */
struct ath_retry {
	int64_t delay, at; /* milliseconds */
	struct ath_error error;
};

/* A fiber that waits for a connection; on its stack. */
struct ath_pool_wait {
	struct ath_waiter waiter;
	struct ath_connection *connection; /* what it was given */
	struct ath_error *error;
	struct ath_pool_wait *next;
};

/* What it has done so far. */
struct ath_engine_counts {
	uint64_t statements, batches, connects, failed_connects, lost, pool_timeouts, pool_refused;
	struct ath_sqlstate_count sqlstates[ATH_SQLSTATES];
	size_t sqlstate_count;
};

/* pool_load.c: who has a connection, and who waits for one. */
struct ath_pool_load {
	size_t lent, waiting;
	int64_t at;           /* until when the time of those that are lent is counted */
	int64_t unshared_ms;  /* their time since one was given back */
	int64_t lease_us;     /* for how long one is lent, smoothed over the last */
	int64_t leases;       /* so many */
	int64_t waited_since; /* since when somebody has waited all the time, or ATH_NEVER */
	int64_t refusals;     /* that have not been logged yet */
	int64_t logged_at;
};

struct ath_engine {
	struct ath_loop *loop;
	bool own_loop;
	bool *is_ours; /* points at false in a child: no connection crosses a fork */
	const struct ath_driver *driver;
	char *url_text;
	char *password; /* NULL: it is in the URL, or none is needed */
	struct ath_url url;
	struct ath_engine_options options;
	char application_name[64]; /* which is what the server keeps of it */
	char limits[256]; /* the time limits as a statement, for each transaction of a pooler */
	struct ath_log echo_log;
	struct ath_attached *attached;
	size_t jobs;          /* connects under way on other threads, and cancels */
	unsigned connections; /* opened so far: the number of the newest */
	unsigned first_good;  /* those before it are not used again */
	int64_t left_at;      /* when it was set */

	struct ath_connection *pipelines[2 * ATH_MAX_PIPELINES]; /* with those that are leaving */
	size_t pipeline_count, pipelines_opening;
	struct ath_pool_wait *pipeline_waits;
	struct ath_timer watch; /* for pipelines that are stuck */
	struct ath_timer tidy;  /* for pipelines that are not needed any more */
	int64_t pipeline_idle_ms;
	size_t cancels; /* so far */
	struct ath_cancel *cancels_under_way;
	int64_t cancel_at; /* not before that */
	bool crowded;      /* a read has met a stuck pipeline: some are in reserve from now on */
	size_t moves;      /* reads that were sent again on another pipeline */
	int move_credit;

	struct ath_connection *idle[ATH_MAX_POOL]; /* the pool's; the last is the newest */
	size_t idle_count, pool_count; /* pool_count: with the lent and the opening ones */
	size_t pool_opening;
	struct ath_pool_wait *pool_waits, **pool_waits_tail;
	struct ath_pool_load load;

	struct ath_retry retry;
	struct ath_engine_counts counts;

	char *listen_text; /* the option's URL; NULL: there is none */
	struct ath_url listen_url;
	struct ath_listening *listening; /* NULL: nobody has listened yet */
	int64_t listen_idle_ms;          /* between looks at its connection */
};

/* ---- the sandbox (sandbox.c) --------------------------------------------------------------- */

enum ath_sandbox_state {
	ATH_SANDBOX_FREE,
	ATH_SANDBOX_FAILED, /* a batch that was alone has left its savepoint behind */
	ATH_SANDBOX_TAKEN,  /* a transaction is open */
};

/* Of a connection. Where it is not on nothing of it counts. */
struct ath_sandbox {
	bool on;
	bool failed;                  /* the batch whose outcomes are coming */
	bool settling;                /* what was given up on it is being ended */
	enum ath_sandbox_state state; /* of the savepoint */
	enum ath_sandbox_state after; /* once what was sent last has gone well */
};

enum { ATH_SANDBOX_TEXTS = 8 };
/*
 * What goes in front of statement i of a batch, or behind the last when i is their number. begun:
 * there is an outer transaction.
 */
size_t ath_sandbox_before(const struct ath_sandbox *sandbox, const struct ath_batch *batch,
			  size_t i, bool begun, const char *texts[ATH_SANDBOX_TEXTS]);
/* What is sent in place of statement i; mostly itself. */
struct ath_statement ath_sandbox_instead(const struct ath_sandbox *sandbox,
					 const struct ath_batch *batch, size_t i);
/* The batch has been sent; a sync has come back. */
void ath_sandbox_sent(struct ath_sandbox *sandbox, const struct ath_batch *batch);
void ath_sandbox_synced(struct ath_sandbox *sandbox);
struct ath_sandbox *ath_connection_sandbox(struct ath_connection *connection);

/* As ath_engine_read(), inside the outer transaction. */
enum ath_status ath_sandbox_read(struct ath_engine *engine, struct ath_batch *batch,
				 int64_t deadline) ATH_MUST_CHECK;
/*
 * Ends what was given up on a connection that is given back, and then gives it back: it cannot be
 * closed, for the outer transaction would end with it. False: nothing was given up, or this is no
 * sandbox.
 */
bool ath_sandbox_settle(struct ath_engine *engine, struct ath_connection *connection);

/* ---- the engine's files -------------------------------------------------------------------- */

/*
 * Connects on another thread and then calls opened in the loop, with NULL on failure, which retry
 * is told. url lives until then.
 */
enum ath_status
ath_engine_connect(struct ath_engine *engine, const struct ath_url *url, struct ath_retry *retry,
		   void (*opened)(struct ath_engine *engine,
				  struct ath_connection *connection)) ATH_MUST_CHECK;
/* ATH_EINVAL in a child of the process that opened it, and in a fiber of another loop. */
enum ath_status ath_engine_may_use(const struct ath_engine *engine, struct ath_error *error);
/* The back-off: ATH_EUNAVAILABLE at once while connecting makes no sense yet. */
enum ath_status ath_engine_may_connect(const struct ath_retry *retry, struct ath_error *error);
/* Makes the next pause, twice as long as the last one, and logs why. */
void ath_engine_back_off(struct ath_engine *engine, struct ath_retry *retry, const char *what,
			 const struct ath_error *error);
/*
 * A write was refused because the server takes none: it has become a standby, or libpq would find
 * another among the hosts of the URL now. No connection that is open is used again.
 */
void ath_engine_demoted(struct ath_engine *engine, const struct ath_connection *connection);
/* Stops what the backend does, in a fiber. pipeline is its number there, or 0. False: it is not. */
bool ath_engine_cancel(struct ath_engine *engine, int backend, unsigned pipeline);
/* Waits for them a second, and for none after that. */
void ath_engine_end_cancels(struct ath_engine *engine);
/* Closes it, stopping what it does. */
void ath_engine_discard(struct ath_engine *engine, struct ath_connection *connection);
/* A connection has died by itself: whoever has it must let go. */
void ath_engine_lost(struct ath_engine *engine, struct ath_connection *connection);

/* An error of the server's; one without an SQLSTATE is none. (engine_stats.c) */
void ath_engine_count_error(struct ath_engine *engine, const struct ath_error *error);

/* Has a batch come back? */
bool ath_connection_is_used(const struct ath_connection *connection);
/* From one, in the order of opening. */
unsigned ath_connection_number(const struct ath_connection *connection);
/*
 * Has the first batch been at work for nobody, and not been cancelled? Says so once for each. The
 * first of all batches of a pipeline is its own.
 */
bool ath_connection_take_abandoned(struct ath_connection *connection);
int ath_connection_backend(const struct ath_connection *connection);
/*
 * A cancel is under way, or is over. It may come late and hit another batch: what it hits is
 * marked, until the connection has been idle.
 */
void ath_connection_expect_cancel(struct ath_connection *connection);
void ath_connection_cancelled(struct ath_connection *connection);
/* Was it touched since it was asked last? */
bool ath_connection_take_touched(struct ath_connection *connection);
void ath_echo_open(struct ath_engine *engine);
/* Logs the statements of a batch that was sent and that nobody waits for any more. */
void ath_echo(const struct ath_engine *engine, const struct ath_batch *batch);

/* Runs a statement whose outcome nobody waits for. The connection may be lost in it. */
void ath_connection_tell(struct ath_connection *connection, const char *text);
/*
 * It is there for notifications: heard is called whenever something has arrived, and may neither
 * submit nor free. Its statements are prepared under no name, because few come twice.
 */
void ath_connection_hear(struct ath_connection *connection,
			 void (*heard)(struct ath_engine *engine, void *handle));

/* Takes the driver's handle out of a connection and frees the rest. */
void *ath_connection_release_handle(struct ath_connection *connection);

void ath_pipeline_open(struct ath_engine *engine);
void ath_pipeline_close(struct ath_engine *engine);
/* Looks for stuck pipelines at that time, or earlier. */
void ath_pipeline_watch(struct ath_engine *engine, int64_t at);
/* As ath_engine_read(), whether the engine is a sandbox or not. */
enum ath_status ath_pipeline_read(struct ath_engine *engine, struct ath_batch *batch,
				  int64_t deadline) ATH_MUST_CHECK;
/* Is there one that is not stuck, or may one be opened? */
bool ath_pipeline_can_take(const struct ath_engine *engine);
/* A cancel for that pipeline is over. */
void ath_pipeline_cancelled(struct ath_engine *engine, unsigned number);
/* Closes those before first_good as soon as they are free. */
void ath_pipeline_leave(struct ath_engine *engine);
/* The same for those of the pool; those that are lent follow when they are given back. */
void ath_pool_leave(struct ath_engine *engine);
void ath_pipeline_lost(struct ath_engine *engine, struct ath_connection *connection);
void ath_pool_lost(struct ath_engine *engine, struct ath_connection *connection);
/* Connections for transactions that there may be at once. */
size_t ath_pool_limit(const struct ath_engine *engine);
/* A connection is lent, or was; one more waits for one, or one less. */
void ath_pool_lends(struct ath_engine *engine);
void ath_pool_takes_back(struct ath_engine *engine);
void ath_pool_waits(struct ath_engine *engine, bool more);
/* Until when one who has this deadline is to wait; ATH_EUNAVAILABLE: it makes no sense. */
enum ath_status ath_pool_patience(struct ath_engine *engine, int64_t deadline, int64_t *until,
				  struct ath_error *error) ATH_MUST_CHECK;

/* Those who wait are told, and listeners live on without an engine. Before the jobs are waited for.
 */
void ath_listening_close(struct ath_engine *engine);
/* Connects again if it is before first_good. */
void ath_listening_leave(struct ath_engine *engine);
void ath_listening_lost(struct ath_engine *engine, struct ath_connection *connection);

#endif
