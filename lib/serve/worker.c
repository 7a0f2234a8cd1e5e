/* worker.c - one process, one loop: everything a worker needs, and its life from start to end. */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "serve/master.h"

enum { GRACE_MS = 15000 }; /* unless the configuration says something else */

static void note(const struct ath_worker *worker, const char *message)
{
	struct ath_log_line line;

	ath_log_begin(&line, worker->log, ATH_LOG_INFO, message);
	if (worker->seat->number > 0)
		ath_log_int(&line, "worker", worker->seat->number);
	ath_log_int(&line, "pid", getpid());
	ath_log_end(&line);
}

static int64_t grace(const struct ath_configuration *configuration)
{
	return configuration->stop_timeout_ms == 0 ? GRACE_MS : configuration->stop_timeout_ms;
}

enum ath_status ath_worker_open(struct ath_worker *worker, const struct ath_app *app,
				const struct ath_configuration *configuration,
				struct ath_error *error)
{
	static const struct ath_model *const none[] = { NULL };
	struct ath_engine_options options = { .sandbox = configuration->sandbox,
					      .log = &configuration->log,
					      .listen_url = configuration->listen_url,
					      .password = configuration->database_password,
					      .application = app->name,
					      .sql_comments = configuration->sql_comments };

	*worker = (struct ath_worker){
		.app = app,
		.rest.models = app->models == NULL ? none : app->models,
		.web = { .log = &configuration->log,
			 .slow = configuration->slow.fd >= 0 ? &configuration->slow : NULL,
			 .slow_ms = configuration->slow_ms,
			 .server_timing = configuration->server_timing,
			 .tell_statements =
				 configuration->server_timing ||
				 (configuration->slow.fd >= 0 && configuration->slow_ms > 0),
			 .spool = configuration->spool,
			 .limits = { .body = (size_t)configuration->max_body,
				     .in_flight = (size_t)configuration->requests_in_flight,
				     .streams = (size_t)configuration->streams,
				     .deadline_ms = configuration->deadline_ms },
			 .before = app->before,
			 .after = app->after,
			 .cors = &app->cors,
			 .claim = ath_idempotency_claim,
			 .errors = app->errors,
			 .own_routes = ath_own_routes,
			 .context = &worker->rest },
		.log = &configuration->log,
		.configuration = configuration,
		.stop_timeout_ms = grace(configuration),
		.blocked_ms = configuration->blocked_ms,
	};
	worker->web.access = ath_access_open(worker, configuration);
	if (ath_models_check(worker->rest.models, error) != ATH_OK ||
	    ath_web_open(&worker->web, app->routes, error) != ATH_OK ||
	    ath_idempotency_check(&worker->web, worker->rest.models, error) != ATH_OK ||
	    ath_tasks_open(worker, error) != ATH_OK)
		return error->status;
	if (ath_loop_open(&worker->loop, &configuration->log) != ATH_OK)
		return ath_error_set(error, ATH_EIO, "no loop could be opened");
	options.loop = worker->loop;
	return ath_engine_open(&worker->rest.engine, configuration->database_url, &options, error);
}

void ath_worker_close(struct ath_worker *worker)
{
	ath_fcgi_close(&worker->server);
	ath_tasks_end(worker);
	ath_engine_close(&worker->rest.engine);
	ath_access_close(worker);
	ath_loop_close(&worker->loop);
	ath_web_close(&worker->web);
}

/* ---- listeners ------------------------------------------------------------------------------- */

struct call {
	struct ath_worker *worker;
	enum ath_status (*listener)(struct ath_worker *worker);
	enum ath_status status;
	bool ended;
};

static void call_fiber(void *arg)
{
	struct call *call = arg;

	call->status = call->listener(call->worker);
	call->ended = true;
}

/* Turns the loop until the listener has returned; so many signals cancel it. */
static enum ath_status call_listener(struct ath_worker *worker,
				     enum ath_status (*listener)(struct ath_worker *worker),
				     int64_t deadline, unsigned signals)
{
	struct call call = { .worker = worker, .listener = listener };
	struct ath_fiber *fiber;

	if (listener == NULL)
		return ATH_OK;
	if (ath_loop_spawn(worker->loop, call_fiber, &call, deadline, &fiber) != ATH_OK)
		return ATH_ENOMEM;
	while (!call.ended) {
		if (worker->signals >= signals)
			ath_fiber_cancel(fiber);
		ath_loop_turn(worker->loop, ATH_NEVER);
	}
	return call.status;
}

static void log_failure(const struct ath_worker *worker, const char *listener,
			enum ath_status status)
{
	struct ath_log_line line;

	if (status == ATH_OK)
		return;
	ath_log_begin(&line, worker->log, ATH_LOG_ERROR, "a listener failed");
	ath_log_text(&line, "listener", listener);
	ath_log_text(&line, "reason", ath_status_text(status));
	ath_log_end(&line);
}

/* ---- signals --------------------------------------------------------------------------------- */

/*
 * The first TERM finishes what is in flight; the second, and QUIT, wait for commits alone. A
 * terminal sends INT and HUP to a master and its workers alike: the master says what comes of it.
 */
static void caught(int signal, void *arg)
{
	struct ath_worker *worker = arg;
	bool alone = worker->seat->alone;

	if (signal == SIGUSR1)
		(void)ath_logs_reopen(worker->configuration); /* it logs what goes wrong */
	else if (signal == SIGQUIT)
		worker->signals = 2;
	else if (signal == SIGTERM || (alone && (signal == SIGINT || signal == SIGHUP)))
		worker->signals++;
}

static enum ath_status take_signals(struct ath_worker *worker, struct ath_error *error)
{
	static const int taken[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 };
	sigset_t signals;

	sigemptyset(&signals);
	for (size_t i = 0; i < ATH_COUNT(taken); i++)
		sigaddset(&signals, taken[i]);
	/* a master's are blocked until now: none that was meant for this process is lost */
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    ath_loop_signals(worker->loop, &signals, caught, worker) != ATH_OK ||
	    sigprocmask(SIG_SETMASK, &signals, NULL) != 0)
		return ath_error_set(error, ATH_EIO, "signals could not be set up");
	return ATH_OK;
}

/* A descriptor for each stream: as many as the system lets the process have. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); /* fewer will do as well */
	}
}

/* ---- start and stop -------------------------------------------------------------------------- */

enum ath_status ath_worker_start(struct ath_worker *worker, struct ath_error *error)
{
	enum ath_status status = call_listener(worker, worker->app->before_start, ATH_NEVER, 1);

	/* ATH_EINVAL is what the configuration is at fault with, and the application is not it */
	if (status != ATH_OK && worker->signals == 0)
		ath_error_set(error, status == ATH_EINVAL ? ATH_EIO : status,
			      "before_start failed: %s", ath_status_text(status));
	return status;
}

void ath_worker_started(struct ath_worker *worker)
{
	ath_tasks_start(worker);
	log_failure(worker, "after_start",
		    call_listener(worker, worker->app->after_start, ATH_NEVER, 1));
}

static void drained(void *arg)
{
	struct ath_worker *worker = arg;

	worker->drained = true;
}

/* Requests may add tasks to their end, so both are waited for together. */
static void drain(struct ath_worker *worker, int64_t stop_by)
{
	while (worker->signals < 2 && ath_now() < stop_by &&
	       !(worker->drained && worker->tasks.count == 0))
		ath_loop_turn(worker->loop, stop_by);
	ath_slot_refresh(worker);
	ath_fcgi_close(&worker->server);
	ath_tasks_end(worker);
}

void ath_worker_stop(struct ath_worker *worker)
{
	int64_t stop_by = ath_now() + worker->stop_timeout_ms;

	worker->stopping = true;
	worker->drained = worker->server == NULL;
	ath_tasks_stop(worker);
	if (worker->server != NULL)
		ath_fcgi_drain(worker->server, worker->stop_timeout_ms, drained, worker);
	log_failure(worker, "before_stop",
		    call_listener(worker, worker->app->before_stop, stop_by, 2));
	drain(worker, stop_by);
	log_failure(worker, "after_stop",
		    call_listener(worker, worker->app->after_stop,
				  ath_now() + worker->stop_timeout_ms, 2));
}

/*
 * A wrong name, role or password, and more connections than the server allows, are mistakes that
 * time does not mend. A server that is away comes back: until then requests are answered with 503.
 */
static enum ath_status ask_database(struct ath_worker *worker, struct ath_error *error)
{
	static const char *const mistakes[] = { "3D000", "28000", "28P01" };
	struct ath_error found = { 0 };
	char text[256];
	bool refuse;

	refuse = ath_engine_check_limits(worker->rest.engine, worker->seat->processes, text,
					 sizeof text, &found) == ATH_EINVAL;
	for (size_t i = 0; i < ATH_COUNT(mistakes); i++)
		refuse |= strcmp(found.sqlstate, mistakes[i]) == 0;
	if (refuse) {
		*error = found;
		error->status = ATH_EINVAL;
	}
	return error->status;
}

/* ---- the three ways of serving --------------------------------------------------------------- */

/* From the first request to the last. */
static void serve(struct ath_worker *worker)
{
	ath_slot_set_state(worker->slot, ATH_WORKER_SERVES);
	note(worker, "worker serves");
	worker->seat->serves(worker, worker->seat->arg);
	ath_worker_started(worker);
	ath_pending_look(worker);
	while (worker->signals == 0)
		ath_loop_turn(worker->loop, ATH_NEVER);
	note(worker, "worker leaves");
	ath_slot_set_state(worker->slot, ATH_WORKER_LEAVES);
	ath_worker_stop(worker);
	note(worker, "worker ends");
}

enum ath_status ath_worker_serve(const struct ath_app *app,
				 const struct ath_configuration *configuration,
				 const struct ath_seat *seat, struct ath_error *error)
{
	struct ath_worker worker;

	raise_descriptors();
	if (ath_worker_open(&worker, app, configuration, error) == ATH_OK) {
		worker.seat = seat;
		worker.slot = seat->slot;
		ath_engine_set_worker(worker.rest.engine, seat->number);
		if (worker.slot != NULL)
			ath_slot_attach(&worker);
		if (worker.slot != NULL && !seat->alone)
			ath_worker_share(&worker);
		if (take_signals(&worker, error) == ATH_OK &&
		    ask_database(&worker, error) == ATH_OK &&
		    ath_worker_start(&worker, error) == ATH_OK && seat->fd >= 0 &&
		    ath_fcgi_serve(&worker.server, worker.loop, seat->fd, &worker.web, error) ==
			    ATH_OK)
			serve(&worker);
		ath_slot_detach(&worker);
	}
	ath_worker_close(&worker);
	return error->status;
}

/* Ends as a worker does, with nothing to wait for but the answers under way. */
static void serve_status(struct ath_worker *worker)
{
	worker->seat->serves(worker, worker->seat->arg);
	while (worker->signals == 0)
		ath_loop_turn(worker->loop, ATH_NEVER);
	worker->stopping = true;
	ath_fcgi_drain(worker->server, worker->stop_timeout_ms, drained, worker);
	drain(worker, ath_now() + worker->stop_timeout_ms);
}

enum ath_status ath_status_serve(struct ath_scoreboard *board,
				 const struct ath_configuration *configuration,
				 const struct ath_seat *seat, struct ath_error *error)
{
	struct ath_worker worker;
	enum ath_status status = ath_status_open(&worker, board, configuration, error);

	worker.configuration = configuration;
	worker.seat = seat;
	worker.stop_timeout_ms = grace(configuration);
	if (status == ATH_OK)
		status = take_signals(&worker, error);
	if (status == ATH_OK)
		status = ath_fcgi_serve(&worker.server, worker.loop, seat->fd, &worker.web, error);
	if (status == ATH_OK)
		serve_status(&worker);
	ath_worker_close(&worker);
	return status;
}

enum ath_status ath_worker_cgi(const struct ath_app *app,
			       const struct ath_configuration *configuration,
			       struct ath_error *error)
{
	struct ath_worker worker;
	enum ath_status status = ath_worker_open(&worker, app, configuration, error);

	if (status == ATH_OK && signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		status = ath_error_set(error, ATH_EIO, "signals could not be set up");
	if (status == ATH_OK)
		status = ath_worker_start(&worker, error);
	if (status == ATH_OK) {
		ath_worker_started(&worker);
		status = ath_cgi_serve(worker.loop, &worker.web, STDIN_FILENO, STDOUT_FILENO,
				       (const char *const *)environ, error);
		ath_worker_stop(&worker);
	}
	ath_worker_close(&worker);
	return status;
}

/* ---- what an application asks for ------------------------------------------------------------ */

struct ath_worker *ath_request_worker(const struct ath_request *request)
{
	return container_of(request->web, struct ath_worker, web);
}

struct ath_engine *ath_worker_engine(const struct ath_worker *worker)
{
	return worker->rest.engine;
}

const struct ath_log *ath_worker_log(const struct ath_worker *worker)
{
	return worker->log;
}

void ath_worker_set_context(struct ath_worker *worker, void *context)
{
	worker->context = context;
}

void *ath_worker_context(const struct ath_worker *worker)
{
	return worker->context;
}

bool ath_worker_is_stopping(const struct ath_worker *worker)
{
	return worker->stopping;
}
