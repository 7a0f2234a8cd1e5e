/*
 * serve/internal.h - between the command line and the worker.
 */
#ifndef ATH_SERVE_INTERNAL_H
#define ATH_SERVE_INTERNAL_H

#include "rest/internal.h"
#include "serve/serve.h"

/* How lines of the logs look; auto: readable where they go to a terminal, else JSON. */
enum ath_log_format { ATH_LOG_FORMAT_AUTO, ATH_LOG_FORMAT_JSON, ATH_LOG_FORMAT_TEXT };

/*
 * What the command line, the environment and a file say, in this order; defaults where none says
 * anything. Each member is a row of the table in option_table.c.
 */
struct ath_configuration {
	/* the database */
	const char *database_url;      /* DATABASE_URL; secret */
	const char *database_password; /* from a file or a credential alone; NULL: in the URL */
	const char *listen_url;        /* DATABASE_LISTEN_URL; NULL: database_url will do; secret */
	const char *migrations;        /* a directory; sql */
	/* the sockets */
	const char *listen;        /* unix:PATH or HOST:PORT; NULL: one that was given */
	const char *status_listen; /* likewise, for /-/ alone; NULL: none */
	int64_t backlog;           /* 1024 */
	int64_t listen_mode;       /* of unix sockets that are made; 0660 */
	const char *listen_group;  /* their group; NULL: that of the process */
	/* the processes */
	int64_t workers;          /* 1; 0: this process serves, without a master; -1: one a CPU */
	const char *user, *group; /* NULL: as it was started */
	const char *pid_file;     /* NULL: none */
	int64_t start_timeout_ms; /* until a new worker serves; 30 s */
	int64_t stop_timeout_ms;  /* until what is in flight has ended; 15 s */
	int64_t hang_timeout_ms;  /* a loop that does not turn is ended; 60 s; 0: never */
	int64_t blocked_ms;    /* a fiber that keeps the loop for so long is logged; 100; 0: none */
	int64_t max_requests;  /* then a worker is replaced, give or take a tenth; 0: never */
	int64_t worker_memory; /* bytes; then it is replaced; 0: never */
	bool reload;           /* begin anew when the program's file changes */
	bool core_dumps;
	/* the requests */
	int64_t deadline_ms;        /* 30 s */
	int64_t max_body;           /* bytes; 1 MiB */
	int64_t requests_in_flight; /* of a worker; 1024 */
	int64_t streams;            /* of a worker; 16,384 */
	const char *spool;          /* TMPDIR: where uploads are kept meanwhile; /var/tmp */
	bool server_timing;         /* the header line */
	enum ath_sql_comments sql_comments;
	/* the logs */
	struct ath_log log;      /* where errors go: log_file, or standard error */
	struct ath_log access;   /* fd -1: no line for each request */
	struct ath_log slow;     /* fd -1: none */
	const char *log_file;    /* NULL: standard error */
	const char *access_file; /* off, on (where errors go), or a path; off */
	const char *slow_file;   /* likewise; on */
	int64_t slow_ms;         /* requests that take longer are slow; 1000; 0: none is */
	/* auto, json or text; auto */
	enum ath_log_format log_format;

	bool sandbox; /* of the engine: for tests */

	const char *config;       /* the file that was read; NULL: none */
	struct ath_arena *memory; /* of the texts; NULL: it was never read */
	struct ath_arena *fresh;  /* of those that were read again; NULL: none was */
	const char **sources;     /* of each option of the table; NULL: it is the default */
};

/*
 * Reads the command line, which begins with the program's name, the environment and the file.
 *
 * old: what is in force in a process that runs, or NULL. What counts at a start alone, the logs'
 * descriptors included, is then as it was there, and the memory of these texts is shared: of the
 * two the one that is given up goes by ath_configuration_drop(), and the other is closed at the
 * end.
 */
enum ath_status ath_configuration_read(struct ath_configuration *configuration,
				       const struct ath_configuration *old, int argc, char **argv,
				       struct ath_error *error) ATH_MUST_CHECK;
void ath_configuration_drop(struct ath_configuration *configuration);
void ath_configuration_close(struct ath_configuration *configuration);

/* ---- the logs (logs.c) ----------------------------------------------------------------------- */

/*
 * Opens what log_file, access_file and slow_file name, and sets log, access and slow. Before the
 * first fork, and before privileges are dropped.
 */
enum ath_status ath_logs_open(struct ath_configuration *configuration,
			      struct ath_error *error) ATH_MUST_CHECK;
/*
 * The files were moved away: new ones are opened under the same descriptors, in each process. Not
 * ATH_OK: one could not be; it is logged, and the old one goes on.
 */
enum ath_status ath_logs_reopen(const struct ath_configuration *configuration);

/* The log of requests, if there is one, as the worker's requests write it; and its end. */
struct ath_worker;
const struct ath_log *ath_access_open(struct ath_worker *worker,
				      const struct ath_configuration *configuration);
void ath_access_close(struct ath_worker *worker);

/* ---- the worker (worker.c) ------------------------------------------------------------------- */

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
	struct ath_slot *slot;        /* of the scoreboard */
	struct ath_timer tick;        /* when its slot is written next */
	struct ath_scoreboard *board; /* of a process without a slot; or NULL */
	const struct ath_configuration *configuration;
	const struct ath_seat *seat; /* NULL: it serves no socket */
	struct {
		size_t connections; /* when it had more than its share first */
		int64_t since;      /* 0: it has not */
	} share;
	int64_t stop_timeout_ms;
	int64_t blocked_ms; /* see ath_loop_watch_itself() */
	/* lines of requests are written together at the end of a turn (logs.c) */
	struct ath_log access;
	struct ath_turn_end access_flush;
	struct ath_log_batch access_lines;
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

/* What a worker is given by whoever starts it. */
struct ath_seat {
	int fd; /* the listening socket; -1: none, it starts and ends, to see whether it can */
	unsigned number;       /* from 1; 0: it is no worker, or alone */
	bool alone;            /* it has no master */
	struct ath_slot *slot; /* NULL: none */
	size_t processes;      /* that the database has to bear */
	void (*serves)(struct ath_worker *worker, void *arg); /* called when it does */
	void *arg;
};

/*
 * Serves the socket until TERM, and what is in flight then; a second TERM, or QUIT, waits for what
 * is being committed alone.
 */
enum ath_status ath_worker_serve(const struct ath_app *app,
				 const struct ath_configuration *configuration,
				 const struct ath_seat *seat,
				 struct ath_error *error) ATH_MUST_CHECK;
/* Answers one CGI request. */
enum ath_status ath_worker_cgi(const struct ath_app *app,
			       const struct ath_configuration *configuration,
			       struct ath_error *error) ATH_MUST_CHECK;

/* ---- tasks (tasks.c) ------------------------------------------------------------------------- */

/* Takes the application's periodic tasks, */
enum ath_status ath_tasks_open(struct ath_worker *worker, struct ath_error *error) ATH_MUST_CHECK;
/* has their first periods begin, */
void ath_tasks_start(struct ath_worker *worker);
/* and has none begin any more; those under way go on. */
void ath_tasks_stop(struct ath_worker *worker);
/* Cancels all that are under way, and turns the loop until they have ended. */
void ath_tasks_end(struct ath_worker *worker);

/* A worker warns of migrations that are not applied; one does so for all (pending.c). */
void ath_pending_look(struct ath_worker *worker);

/* ---- the master (master.c, sockets.c) -------------------------------------------------------- */

/*
 * Serves the application until it is told to end, by a master and its workers, or by this process
 * alone. It also returns in each worker: one that failed has told its master, and error has no
 * message then.
 */
enum ath_status ath_master_serve(const struct ath_app *app, struct ath_configuration *configuration,
				 int argc, char **argv, struct ath_error *error) ATH_MUST_CHECK;
/* Has this process been given a socket by spawn-fcgi or systemd? */
bool ath_socket_is_given(void) ATH_MUST_CHECK;

/*
 * The command status [SOCKET] [--json] [--watch], of which argv is what stands behind its name:
 * asks a server for /-/status and shows it. Prints by itself; returns the exit status, 3 when
 * nothing answers. (status_client.c)
 */
int ath_status_command(const struct ath_app *app, const struct ath_configuration *configuration,
		       int argc, char **argv) ATH_MUST_CHECK;

/* ---- what the framework answers by itself (health.c) ----------------------------------------- */

struct ath_response *ath_answer_live(struct ath_request *request);
struct ath_response *ath_answer_ready(struct ath_request *request);
struct ath_response *ath_answer_metrics(struct ath_request *request);
struct ath_response *ath_answer_status(struct ath_request *request);

#endif
