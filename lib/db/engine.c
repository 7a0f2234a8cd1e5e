/*
 * engine.c - the engine's life, and how it comes by connections: on another thread, because
 * connecting resolves names and does the handshakes by waiting, and with a growing pause
 * after each failure.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "db/engine_parts.h"
#include "db/url.h"

enum { FIRST_RETRY_MS = 100, LAST_RETRY_MS = 32000, MARK_SIZE = 4096 };

/*
 * A page that a child of this process finds empty: asking for the process at every read would be a
 * call of the system.
 */
static bool make_mark(struct ath_engine *engine)
{
	void *page =
		mmap(NULL, MARK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return false;
	engine->is_ours = page;
	*engine->is_ours = true;
	return madvise(page, MARK_SIZE, MADV_WIPEONFORK) == 0;
}

static void free_engine(struct ath_engine *engine)
{
	if (engine->is_ours != NULL)
		munmap(engine->is_ours, MARK_SIZE);
	free(engine->listening);
	free(engine->listen_text);
	free(engine->url_text);
	free(engine->password);
	free(engine);
}

static int or_default(int value, int usual)
{
	return value == 0 ? usual : value;
}

/* What the URL said is within them already. */
static enum ath_status check_bounds(const struct ath_engine_options *options,
				    struct ath_error *error)
{
	const struct {
		const char *name;
		int value, least, most; /* zero is the default in any case */
	} rows[] = {
		{ "pipelines", options->pipelines, 1, ATH_MAX_PIPELINES },
		{ "pool_size", options->pool_size, 1, ATH_MAX_POOL },
		{ "max_overflow", options->max_overflow, 0, ATH_MAX_POOL },
		{ "pool_timeout_ms", options->pool_timeout_ms, 1, INT_MAX },
		{ "pool_recycle_s", options->pool_recycle_s, 0, INT_MAX },
		{ "connect_timeout_s", options->connect_timeout_s, 1, INT_MAX },
		{ "echo", (int)options->echo, 0, ATH_ECHO_VALUES },
		{ "prepared_statements", (int)options->prepared_statements, 0, ATH_PREPARED_OFF },
		{ "sql_comments", (int)options->sql_comments, 0, ATH_SQL_COMMENTS_REQUEST },
	};

	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		if (rows[i].value < 0 || rows[i].value > rows[i].most)
			ath_error_set(error, ATH_EINVAL, "%s must be from %d to %d, not %d",
				      rows[i].name, rows[i].least, rows[i].most, rows[i].value);
	if (options->sandbox && options->prepared_statements == ATH_PREPARED_OFF)
		ath_error_set(error, ATH_EINVAL,
			      "a sandbox needs a way to the database without a pooler");
	return error->status;
}

/* Milliseconds as PostgreSQL wants them: 0 is never. */
static int limit_ms(int value, int usual)
{
	return value < 0 ? 0 : or_default(value, usual);
}

static void set_defaults(struct ath_engine *engine)
{
	struct ath_engine_options *options = &engine->options;
	int statement_timeout = limit_ms(options->statement_timeout_ms, 30000);

	if (options->sandbox) { /* one connection, for as long as nobody resets it */
		options->pool_size = 1;
		options->max_overflow = options->pool_recycle_s = 0;
		options->idle_timeout_ms = -1;
	}
	if (options->application == NULL)
		options->application = "athanor";
	options->pipelines = or_default(options->pipelines, 4);
	options->pool_size = or_default(options->pool_size, 4);
	options->pool_timeout_ms = or_default(options->pool_timeout_ms, 10000);
	engine->url = (struct ath_url){
		.text = engine->url_text,
		.password = engine->password,
		.connect_timeout_s = or_default(options->connect_timeout_s, 5),
		.statement_timeout_ms = statement_timeout,
		.lock_timeout_ms = limit_ms(options->lock_timeout_ms, 10000),
		.idle_timeout_ms = limit_ms(options->idle_timeout_ms, statement_timeout),
		.pooler = options->prepared_statements == ATH_PREPARED_OFF,
		.application_name = engine->application_name,
	};
	ath_engine_set_worker(engine, 0);
	snprintf(engine->limits, sizeof engine->limits,
		 "select set_config('statement_timeout', '%d', true), "
		 "set_config('lock_timeout', '%d', true), "
		 "set_config('idle_in_transaction_session_timeout', '%d', true)",
		 engine->url.statement_timeout_ms, engine->url.lock_timeout_ms,
		 engine->url.idle_timeout_ms);
}

/* Its own options have no use, but to say that it is a pooler's as well. */
static enum ath_status read_listen_url(struct ath_engine *engine, struct ath_error *error)
{
	struct ath_engine_options options = { 0 };
	const struct ath_driver *driver;
	struct ath_error wrong = { 0 };

	engine->listen_url = engine->url;
	engine->listen_idle_ms = 30000;
	if (engine->options.listen_url == NULL)
		return ATH_OK;
	if (ath_url_read(engine->options.listen_url, &driver, &options, &engine->listen_text,
			 &wrong) == ATH_OK) {
		engine->listen_url.text = engine->listen_text;
		engine->listen_url.pooler = options.prepared_statements == ATH_PREPARED_OFF;
		(void)driver->check(&engine->listen_url, &wrong);
	}
	if (wrong.status == ATH_OK)
		return ATH_OK;
	return ath_error_set(error, wrong.status, "listen_url: %s", wrong.message);
}

static enum ath_status find_loop(struct ath_engine *engine, struct ath_error *error)
{
	engine->loop = engine->options.loop;
	if (engine->loop == NULL)
		engine->loop = ath_loop_current();
	if (engine->loop != NULL)
		return ATH_OK;
	engine->own_loop = true;
	if (ath_loop_open(&engine->loop, engine->options.log) != ATH_OK)
		return ath_error_set(error, ATH_EIO, "no loop could be opened");
	return ATH_OK;
}

enum ath_status ath_engine_open(struct ath_engine **engine, const char *url,
				const struct ath_engine_options *options, struct ath_error *error)
{
	struct ath_engine *made = calloc(1, sizeof *made);

	*engine = NULL;
	ath_error_clear(error);
	if (made == NULL || !make_mark(made)) {
		free(made);
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	}
	made->options = options == NULL ? (struct ath_engine_options){ 0 } : *options;
	made->pool_waits_tail = &made->pool_waits;
	made->load.waited_since = ATH_NEVER;
	if (made->options.password != NULL &&
	    (made->password = strdup(made->options.password)) == NULL)
		ath_error_set(error, ATH_ENOMEM, "out of memory");
	ath_pipeline_open(made);
	if (url == NULL)
		ath_error_set(error, ATH_EINVAL, "there is no database URL");
	else if (ath_url_read(url, &made->driver, &made->options, &made->url_text, error) ==
			 ATH_OK &&
		 check_bounds(&made->options, error) == ATH_OK) {
		set_defaults(made);
		if (made->driver->check(&made->url, error) == ATH_OK &&
		    read_listen_url(made, error) == ATH_OK && find_loop(made, error) == ATH_OK) {
			ath_echo_open(made);
			*engine = made;
			return ATH_OK;
		}
	}
	free_engine(made);
	return error->status;
}

void ath_engine_close(struct ath_engine **engine)
{
	struct ath_engine *old = engine == NULL ? NULL : *engine;

	if (old == NULL)
		return;
	*engine = NULL;
	if (!*old->is_ours)
		return; /* a child: connections and loop are its parent's, ending them ends those */
	ath_listening_close(old);
	ath_engine_end_cancels(old);
	while (old->jobs > 0)
		ath_loop_turn(old->loop, ATH_NEVER);
	ath_pipeline_close(old);
	for (size_t i = 0; i < old->idle_count; i++)
		ath_connection_free(old->idle[i]);
	if (old->own_loop)
		ath_loop_close(&old->loop);
	if (old->attached != NULL)
		old->attached->free(old->attached);
	free_engine(old);
}

struct ath_loop *ath_engine_loop(const struct ath_engine *engine)
{
	return engine->loop;
}

struct ath_attached **ath_engine_attached(struct ath_engine *engine)
{
	return &engine->attached;
}

int ath_engine_statement_timeout(const struct ath_engine *engine)
{
	return engine->url.statement_timeout_ms;
}

enum ath_sql_comments ath_engine_sql_comments(const struct ath_engine *engine)
{
	return engine->options.sql_comments;
}

const char *ath_engine_application(const struct ath_engine *engine)
{
	return engine->options.application;
}

/* Of a long name the end goes, not the number. */
void ath_engine_set_worker(struct ath_engine *engine, unsigned number)
{
	char worker[24] = "";

	if (number > 0)
		snprintf(worker, sizeof worker, " worker %u", number);
	snprintf(engine->application_name, sizeof engine->application_name, "%.*s%s",
		 (int)(sizeof engine->application_name - 1 - strlen(worker)),
		 engine->options.application, worker);
}

bool ath_engine_is_pooled(const struct ath_engine *engine)
{
	return engine->url.pooler;
}

/* ---- connecting ------------------------------------------------------------------------- */

struct connecting {
	struct ath_job job;
	struct ath_engine *engine;
	const struct ath_url *url;
	struct ath_retry *retry;
	void *handle;
	struct ath_error error;
	void (*opened)(struct ath_engine *engine, struct ath_connection *connection);
};

static void connect_run(struct ath_job *job)
{
	struct connecting *connecting = container_of(job, struct connecting, job);
	const struct ath_engine *engine = connecting->engine; /* what is read here never changes */

	(void)engine->driver->open(&connecting->handle, connecting->url, &connecting->error);
}

void ath_engine_back_off(struct ath_engine *engine, struct ath_retry *retry, const char *what,
			 const struct ath_error *error)
{
	struct ath_log_line line;

	retry->delay = retry->delay == 0 ? FIRST_RETRY_MS : 2 * retry->delay;
	if (retry->delay > LAST_RETRY_MS)
		retry->delay = LAST_RETRY_MS;
	retry->at = ath_now() + retry->delay;
	retry->error = *error;
	retry->error.status = ATH_EUNAVAILABLE;
	ath_log_begin(&line, ath_loop_log(engine->loop), ATH_LOG_ERROR, what);
	ath_log_text(&line, "reason", error->message);
	ath_log_int(&line, "retry_ms", retry->delay);
	ath_log_end(&line);
}

static void connect_done(struct ath_job *job)
{
	struct connecting *connecting = container_of(job, struct connecting, job);
	struct ath_engine *engine = connecting->engine;
	struct ath_connection *connection = NULL;

	engine->jobs--;
	if (connecting->handle != NULL) {
		connection = ath_connection_new(engine, connecting->handle);
		if (connection == NULL) {
			engine->driver->close(connecting->handle);
			ath_error_set(&connecting->error, ATH_ENOMEM, "out of memory");
		}
	}
	if (connection != NULL) {
		engine->counts.connects++;
		connecting->retry->delay = connecting->retry->at = 0;
	} else {
		engine->counts.failed_connects++;
		ath_engine_count_error(engine, &connecting->error);
		ath_engine_back_off(engine, connecting->retry, "the database cannot be reached",
				    &connecting->error);
	}
	connecting->opened(engine, connection);
	free(connecting);
}

enum ath_status
ath_engine_connect(struct ath_engine *engine, const struct ath_url *url, struct ath_retry *retry,
		   void (*opened)(struct ath_engine *engine, struct ath_connection *connection))
{
	struct connecting *connecting = calloc(1, sizeof *connecting);
	enum ath_status status;

	if (connecting == NULL)
		return ATH_ENOMEM;
	connecting->job = (struct ath_job){ .run = connect_run, .done = connect_done };
	connecting->engine = engine;
	connecting->url = url;
	connecting->retry = retry;
	connecting->opened = opened;
	status = ath_loop_offload(engine->loop, &connecting->job);
	if (status != ATH_OK)
		free(connecting);
	else
		engine->jobs++;
	return status;
}

enum ath_status ath_engine_may_use(const struct ath_engine *engine, struct ath_error *error)
{
	if (!*engine->is_ours)
		return ath_error_set(error, ATH_EINVAL, "an engine must be opened after the fork");
	if (ath_fiber_current() != NULL && ath_loop_current() != engine->loop)
		return ath_error_set(error, ATH_EINVAL, "the engine belongs to another loop");
	return ATH_OK;
}

enum ath_status ath_engine_may_connect(const struct ath_retry *retry, struct ath_error *error)
{
	if (retry->at > ath_now()) {
		if (error->status == ATH_OK)
			*error = retry->error;
		return ATH_EUNAVAILABLE;
	}
	return ATH_OK;
}

int ath_engine_retry_after(const struct ath_engine *engine)
{
	int64_t left = engine->retry.at - ath_now();

	return left <= 1000 ? 1 : (int)((left + 999) / 1000);
}

/* ---- letting go ------------------------------------------------------------ */

void ath_engine_discard(struct ath_engine *engine, struct ath_connection *connection)
{
	bool busy =
		!ath_connection_is_dead(connection) && ath_connection_outstanding(connection) > 0;
	void *handle = ath_connection_release_handle(connection);

	if (busy) /* if it cannot be cancelled its time limit ends it */
		(void)ath_engine_cancel(engine, engine->driver->backend(handle), 0);
	engine->driver->close(handle);
}

/* Not all the time: while the server has no successor that would be a storm. */
void ath_engine_demoted(struct ath_engine *engine, const struct ath_connection *connection)
{
	enum { RECENT_MS = 1000 };

	if (ath_connection_number(connection) < engine->first_good ||
	    (engine->left_at != 0 && ath_now() - engine->left_at < RECENT_MS))
		return;
	engine->left_at = ath_now();
	engine->first_good = engine->connections + 1;
	ath_pool_leave(engine);
	ath_pipeline_leave(engine);
	ath_listening_leave(engine);
}

void ath_engine_lost(struct ath_engine *engine, struct ath_connection *connection)
{
	ath_pipeline_lost(engine, connection);
	ath_pool_lost(engine, connection);
	ath_listening_lost(engine, connection);
}
