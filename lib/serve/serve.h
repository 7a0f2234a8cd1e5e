/*
 * serve.h - the application as a program: its commands, and the worker.
 */
#ifndef ATH_SERVE_H
#define ATH_SERVE_H

#include "orm/orm.h"
#include "web/web.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One process that serves the application: its engine, its loop and what it does beside requests.
 */
struct ath_worker;

/** One row of a table of periodic tasks, which ends in { 0 }. */
struct ath_task {
	int64_t every_ms; /**< 1 to 366 days, from the end of a run to the next */
	void (*run)(struct ath_worker *worker);
};

/**
 * ATH_EVERY(60 * 1000, clean_up): each worker runs it by itself, first when it has served that
 * long, and never twice at once. Up to a tenth is added each time, so that workers spread.
 */
#define ATH_EVERY(milliseconds_, run_)                                                             \
	{                                                                                          \
		.every_ms = milliseconds_, .run = run_                                             \
	}

/** All of it static. */
struct ath_app {
	const char *name; /**< of the program */
	const char *version;
	const struct ath_route *routes;        /**< ends in { 0 } */
	const struct ath_model *const *models; /**< ends in NULL; NULL: none */
	/** Around all requests that have a route, as those of a group: see struct ath_route. */
	struct ath_response *(*before)(struct ath_request *request);
	/** Of all requests, those without a route too. */
	struct ath_response *(*after)(struct ath_request *request, struct ath_response *response);
	struct ath_cors cors;                   /**< the pages of other origins that may call */
	const struct ath_error_handler *errors; /**< ends in { 0 }; NULL: none */
	/*
	 * The life of a worker; of one that answers a single CGI request, too. Each runs in a fiber
	 * and may use the engine. One that fails is logged, and nothing else comes of it, but for
	 * before_start: then the worker ends with status 1.
	 */
	/** Nothing is served yet. TERM cancels it. */
	enum ath_status (*before_start)(struct ath_worker *worker);
	/** Requests are served. TERM cancels it. */
	enum ath_status (*after_start)(struct ath_worker *worker);
	/** No more connections are accepted; requests and tasks go on. It has 15 seconds. */
	enum ath_status (*before_stop)(struct ath_worker *worker);
	/** All requests are answered and all tasks have ended. It has 15 seconds. */
	enum ath_status (*after_stop)(struct ath_worker *worker);
	const struct ath_task *tasks; /**< periodic ones; ends in { 0 }; NULL: none */
};

/* ---- the worker --------------------------------------------------------------------------- */

/** The worker that serves this request. */
ATH_API struct ath_worker *ath_request_worker(const struct ath_request *request);
/** For a session of its own: ath_session_open(&db, ath_worker_engine(worker), NULL). */
ATH_API struct ath_engine *ath_worker_engine(const struct ath_worker *worker);
/** Where the worker logs to: see ath_log_begin(). */
ATH_API const struct ath_log *ath_worker_log(const struct ath_worker *worker);
/** Something of the application's own that lives as long as the worker. */
ATH_API void ath_worker_set_context(struct ath_worker *worker, void *context);
ATH_API void *ath_worker_context(const struct ath_worker *worker);
/** It was told to end: a task that goes on and on looks here. */
ATH_API bool ath_worker_is_stopping(const struct ath_worker *worker);

/**
 * Starts task(worker, arg) in a fiber of its own, which outlives the request and has no deadline;
 * it runs first when its starter next waits. A worker that ends waits 15 seconds for it together
 * with the requests; then its waits return ATH_ECANCELED, and it must end. One that belongs to a
 * transaction is added behind the commit.
 *
 * @param arg   size bytes (at most 64 KiB), of which the task gets a copy; what they point to, the
 *              request's memory for instance, is not copied. Size 0: arg itself, which must live
 *              as long as the task
 * @return ATH_OK, ATH_ENOMEM, ATH_ETOOBIG when 1024 tasks are under way, or ATH_ECANCELED when the
 *         worker waits for tasks no more
 */
ATH_API enum ath_status ath_add_task(struct ath_worker *worker,
				     void (*task)(struct ath_worker *worker, void *arg), void *arg,
				     size_t size) ATH_MUST_CHECK;

/**
 * The main() of an application. Started by spawn-fcgi or systemd it serves the socket it was
 * given; started by a web server as CGI it answers one request; with a command it does that:
 *
 *	serve                      serve FastCGI on --listen, descriptor 0 or LISTEN_FDS
 *	migrate [up|down|status]   bring the database to the newest migration, or one back
 *	routes                     list what is answered
 *	check                      is all there that serving needs?
 *	status [SOCKET]            what those that serve there are doing
 *	help [COMMAND]
 *
 * Options come from flags, the environment and a file: --help lists them.
 *
 * @return the exit status: 0; 1 when something failed; 2 when the command line, an option or the
 *         configuration makes no sense (one line on standard error says what, and what to do); 3 of
 *         status: nothing runs there
 */
ATH_API int ath_main(const struct ath_app *app, int argc, char **argv) ATH_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
