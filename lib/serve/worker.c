/* worker.c - one process, one loop: everything a worker needs, opened and closed. */
#include <stdlib.h>
#include <unistd.h>

#include "serve/internal.h"

enum { GRACE_MS = 15000 };

struct worker {
	struct ath_loop *loop;
	struct ath_rest rest;
	struct ath_web web;
	struct ath_fcgi_server *server;
	const struct ath_log *log;
	bool leaving;
};

static void note(const struct worker *worker, const char *message)
{
	struct ath_log_line line;

	ath_log_begin(&line, worker->log, ATH_LOG_INFO, message);
	ath_log_int(&line, "pid", getpid());
	ath_log_end(&line);
}

/* What can be wrong is found here, before a request is taken: models, routes, the URL. */
static enum ath_status open_worker(struct worker *worker, const struct ath_app *app,
				   const struct ath_configuration *configuration,
				   struct ath_error *error)
{
	static const struct ath_model *const none[] = { NULL };
	struct ath_engine_options options = { .log = &configuration->log };

	*worker = (struct worker){
		.rest.models = app->models == NULL ? none : app->models,
		.web = { .log = &configuration->log,
			 .access_log = configuration->access_log,
			 .spool = configuration->spool,
			 .before = app->before,
			 .after = app->after,
			 .context = &worker->rest },
		.log = &configuration->log,
	};
	if (ath_models_check(worker->rest.models, error) != ATH_OK ||
	    ath_web_open(&worker->web, app->routes, error) != ATH_OK)
		return error->status;
	if (ath_loop_open(&worker->loop, &configuration->log) != ATH_OK)
		return ath_error_set(error, ATH_EIO, "no loop could be opened");
	options.loop = worker->loop;
	return ath_engine_open(&worker->rest.engine, configuration->database_url, &options, error);
}

static void close_worker(struct worker *worker)
{
	ath_fcgi_close(&worker->server);
	ath_engine_close(&worker->rest.engine);
	ath_loop_close(&worker->loop);
	ath_web_close(&worker->web);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void drained(void *arg)
{
	struct worker *worker = arg;

	ath_loop_stop(worker->loop);
}

/* The first TERM or INT finishes what is in flight; the second waits for commits alone. */
static void caught(int signal, void *arg)
{
	struct worker *worker = arg;

	(void)signal;
	if (worker->leaving) {
		ath_loop_stop(worker->loop);
		return;
	}
	worker->leaving = true;
	note(worker, "worker leaves");
	ath_fcgi_drain(worker->server, GRACE_MS, drained, worker);
}

static enum ath_status take_signals(struct worker *worker, struct ath_error *error)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    ath_loop_signals(worker->loop, &signals, caught, worker) != ATH_OK)
		return ath_error_set(error, ATH_EIO, "signals could not be set up");
	return ATH_OK;
}

/* ---- the two ways of serving ---------------------------------------------------------------- */

enum ath_status ath_worker_serve(const struct ath_app *app,
				 const struct ath_configuration *configuration, int fd,
				 struct ath_error *error)
{
	struct worker worker;

	if (open_worker(&worker, app, configuration, error) == ATH_OK &&
	    take_signals(&worker, error) == ATH_OK &&
	    ath_fcgi_serve(&worker.server, worker.loop, fd, &worker.web, error) == ATH_OK) {
		note(&worker, "worker serves");
		ath_loop_run(worker.loop);
		note(&worker, "worker ends");
	}
	close_worker(&worker);
	return error->status;
}

enum ath_status ath_worker_cgi(const struct ath_app *app,
			       const struct ath_configuration *configuration,
			       struct ath_error *error)
{
	struct worker worker;
	enum ath_status status = open_worker(&worker, app, configuration, error);

	if (status == ATH_OK)
		status = ath_cgi_serve(worker.loop, &worker.web, STDIN_FILENO, STDOUT_FILENO,
				       (const char *const *)environ, error);
	close_worker(&worker);
	return status;
}
