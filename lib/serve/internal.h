/*
 * serve/internal.h - between the command line and the worker.
 */
#ifndef ATH_SERVE_INTERNAL_H
#define ATH_SERVE_INTERNAL_H

#include "rest/internal.h"
#include "serve/serve.h"

/* What the environment says; defaults where it says nothing. */
struct ath_configuration {
	const char *database_url; /* DATABASE_URL */
	const char *listen_url;   /* DATABASE_LISTEN_URL; NULL: database_url will do */
	const char *migrations;   /* ATHANOR_MIGRATIONS: a directory; sql */
	struct ath_log log;       /* ATHANOR_LOG_LEVEL: error, warning, info, debug; info */
	const char *spool;        /* TMPDIR: where uploads are kept meanwhile; /var/tmp */
	bool access_log;          /* ATHANOR_ACCESS_LOG: on or off; off */
	bool sandbox;             /* of the engine: for tests */
};

enum ath_status ath_configuration_read(struct ath_configuration *configuration,
				       struct ath_error *error) ATH_MUST_CHECK;

/* ---- the worker (worker.c) --------------------------------------------------------------------
 */

struct ath_running;
struct ath_periodic;

struct ath_tasks {
	struct ath_running *first; /* those under way */
	size_t count;
	struct ath_periodic *periodic;
	size_t periodic_count;
	bool stopping; /* periodic ones begin no more */
	bool ended;    /* nor does any other */
};

struct ath_worker {
	const struct ath_app *app;
	struct ath_loop *loop;
	struct ath_rest rest;
	struct ath_web web;
	struct ath_fcgi_server *server; /* NULL: there is none */
	const struct ath_log *log;
	void *context;
	struct ath_tasks tasks;
	struct {
		int64_t until; /* for so long it is not asked again */
		bool answers;
	} database;
	unsigned signals; /* TERM and INT so far */
	bool stopping;
	bool drained; /* no connection is left */
};

/* What can be wrong is found here, before a request is taken: models, routes, tasks, the URL. */
enum ath_status ath_worker_open(struct ath_worker *worker, const struct ath_app *app,
				const struct ath_configuration *configuration,
				struct ath_error *error) ATH_MUST_CHECK;
/*
 * The life of a worker between: before anything is served, when it is, and at the end, which waits
 * for requests and tasks. Outside any fiber. One that was told to end while it started has not
 * failed: then error is empty.
 */
enum ath_status ath_worker_start(struct ath_worker *worker, struct ath_error *error) ATH_MUST_CHECK;
void ath_worker_started(struct ath_worker *worker);
void ath_worker_stop(struct ath_worker *worker);
/* Ends what is under way still. */
void ath_worker_close(struct ath_worker *worker);

/* Serves the listening socket until TERM or INT, and what is in flight then. */
enum ath_status ath_worker_serve(const struct ath_app *app,
				 const struct ath_configuration *configuration, int fd,
				 struct ath_error *error) ATH_MUST_CHECK;
/* Answers one CGI request. */
enum ath_status ath_worker_cgi(const struct ath_app *app,
			       const struct ath_configuration *configuration,
			       struct ath_error *error) ATH_MUST_CHECK;

/* ---- tasks (tasks.c) --------------------------------------------------------------------------
 */

/* Takes the application's periodic tasks, */
enum ath_status ath_tasks_open(struct ath_worker *worker, struct ath_error *error) ATH_MUST_CHECK;
/* has their first periods begin, */
void ath_tasks_start(struct ath_worker *worker);
/* and has none begin any more; those under way go on. */
void ath_tasks_stop(struct ath_worker *worker);
/* Cancels all that are under way, and turns the loop until they have ended. */
void ath_tasks_end(struct ath_worker *worker);

/* ---- what the framework answers by itself (health.c) -------------------------------------------
 */

/* GET /-/live and GET /-/ready */
extern const struct ath_route ath_health_routes[];

#endif
