/*
 * master.h - the parts of the master among themselves: its sockets, what it is to the system, its
 * children, and an upgrade.
 *
 * A place is what a worker's number stands for; its children come and go:
 *
 *	place 1 ── current ──> worker, pid 4711, serves
 *	        └─ next ─────> worker, pid 4815, starts, and will be current when it serves
 *	leaving ─────────────> worker, pid 4242, of whichever place, finishes what it has
 *
 * Callbacks of the loop write down what happened; ath_master_tend() acts on it, between two turns,
 * since a fork must not come back from the depths of a turn.
 */
#ifndef ATH_SERVE_MASTER_H
#define ATH_SERVE_MASTER_H

#include <sys/types.h>

#include "serve/internal.h"
#include "serve/scoreboard.h"

/* ---- sockets (sockets.c) --------------------------------------------------------------------- */

struct ath_socket {
	int fd;              /* -1: there is none */
	const char *address; /* as the configuration has it; NULL: it was given */
};

struct ath_sockets {
	struct ath_socket application, status;
};

/* Of whom the processes are; change: it is another than now. */
struct ath_identity {
	const char *name; /* NULL: not known by one */
	uid_t user;
	gid_t group;
	bool change;
};

/* Those that systemd or spawn-fcgi has given, or the configuration's. */
enum ath_status ath_sockets_open(struct ath_sockets *sockets,
				 const struct ath_configuration *configuration,
				 const struct ath_identity *identity,
				 struct ath_error *error) ATH_MUST_CHECK;
/* For the process alone; the sockets stay what they are. */
void ath_sockets_close(struct ath_sockets *sockets);
/* Nobody can connect any more to those that were made here. */
void ath_sockets_remove(const struct ath_sockets *sockets);

/* ---- what the process is to the system (process.c) ------------------------------------------- */

struct ath_pid_file {
	const char *path; /* NULL: there is none */
	int fd;           /* keeps its lock */
};

enum ath_status ath_identity_find(struct ath_identity *identity,
				  const struct ath_configuration *configuration,
				  struct ath_error *error) ATH_MUST_CHECK;
/* A number, or a group's name. */
bool ath_group_find(const char *name, gid_t *group) ATH_MUST_CHECK;
enum ath_status ath_identity_take(const struct ath_identity *identity,
				  struct ath_error *error) ATH_MUST_CHECK;
/* The umask, and whether there may be core dumps. Behind the change of identity, which undoes it.
 */
void ath_process_restrict(const struct ath_configuration *configuration);
/* How the process is called in lists: users: worker 1 */
void ath_process_name(const char *application, const char *role);

enum ath_status ath_pid_file_open(struct ath_pid_file *file, const char *path,
				  const struct ath_identity *identity,
				  struct ath_error *error) ATH_MUST_CHECK;
/* For the process alone; the file stays. */
void ath_pid_file_close(struct ath_pid_file *file);
void ath_pid_file_remove(struct ath_pid_file *file, const struct ath_log *log);

/* ---- the service manager (notify.c) ---------------------------------------------------------- */

struct ath_watchdog {
	struct ath_timer timer;
	struct ath_loop *loop;
	int64_t every_ms;
};

/* Tells it, if there is one: READY=1 and the like (sd_notify(3)). */
void ath_service_notify(const char *format, ...) ATH_PRINTF(1, 2);
/* Tells it from now on that the loop turns, if it wants to know. */
void ath_watchdog_start(struct ath_watchdog *watchdog, struct ath_loop *loop);

/* ---- the children (children.c) --------------------------------------------------------------- */

struct ath_master;

enum ath_child_state { ATH_CHILD_STARTS, ATH_CHILD_SERVES, ATH_CHILD_LEAVES };

struct ath_child {
	struct ath_child *next;
	struct ath_master *master;
	pid_t pid;
	unsigned number; /* of its place; 0: the status process */
	unsigned generation;
	struct ath_slot *slot; /* NULL: the status process, or taken over in an upgrade */
	enum ath_child_state state;
	struct ath_watch ack;    /* fd < 0: it has spoken */
	struct ath_timer timer;  /* until when it must have started, or ended */
	int signal;              /* the last that was to end it; 0: none */
	const char *why;         /* it is ended against its will; NULL: it is not */
	uint64_t requests_most;  /* then it is replaced; 0: never */
	struct ath_error failed; /* why it could not start */
};

struct ath_child_place {
	struct ath_child *current, *next; /* NULL: none */
	bool replace;                     /* the current one is to be */
	int64_t not_before;               /* nothing is started here */
};

/* ---- an upgrade (upgrade.c) ------------------------------------------------------------------ */

struct ath_upgrade {
	struct ath_master *master;
	char *program; /* the name of its file */
	int file;      /* that is tried, and executed; -1: none is */
	char path[32]; /* that leads to it */
	bool wanted;   /* to be tried */
	bool ready;    /* the trial was well: to be executed */
	pid_t trial;   /* 0: none is under way */
	struct ath_timer patience;
	struct ath_watch output; /* what the trial says; fd < 0: there is none */
	char said[200];          /* the last line of that */
	size_t said_length;
	struct ath_watch directory; /* of the program, when its changes count; or fd < 0 */
	struct ath_timer quiet;     /* since the last of them */
};

enum ath_status ath_upgrade_open(struct ath_master *master, struct ath_error *error) ATH_MUST_CHECK;
void ath_upgrade_close(struct ath_master *master);
/* Tries the program. */
void ath_upgrade_begin(struct ath_master *master);
/* Was it the trial that has ended? */
bool ath_upgrade_trial_ended(struct ath_master *master, pid_t pid, int status) ATH_MUST_CHECK;
/* Returns when that is not possible. */
void ath_upgrade_execute(struct ath_master *master);
/* Between upgrade.c and trial.c. */
void ath_upgrade_note(const struct ath_master *master, enum ath_log_level level,
		      const char *message, const char *reason);
void ath_upgrade_forget_file(struct ath_upgrade *upgrade);
void ath_trial_is_late(struct ath_timer *timer);
/* This process is a trial; or it was a master of another program until now. */
bool ath_upgrade_is_trial(void) ATH_MUST_CHECK;
bool ath_upgrade_is_under_way(void) ATH_MUST_CHECK;
/* What that has handed over. */
void ath_upgrade_take_sockets(struct ath_master *master);
void ath_upgrade_take_children(struct ath_master *master);

/* ---- the master (master.c) ------------------------------------------------------------------- */

enum { ATH_DEATHS = 10 };

struct ath_master {
	const struct ath_app *app;
	struct ath_configuration *configuration;
	struct ath_configuration previous; /* while a reload has not ended */
	const struct ath_log *log;
	int argc;
	char **argv;
	struct ath_error *error; /* why it ends */
	struct ath_loop *loop;
	struct ath_sockets sockets;
	struct ath_identity identity;
	struct ath_pid_file pid_file;
	struct ath_watchdog watchdog;
	struct ath_upgrade upgrade;
	struct ath_scoreboard *board;
	struct ath_timer look; /* once a second */
	struct ath_timer wake; /* something may be started then */
	struct ath_child *children;
	struct ath_child_place *places; /* workers + 1; the first is the status process's */
	pid_t pid;                      /* the master's */
	unsigned workers, generation;
	struct ath_child *self; /* in a child: who it is */
	bool started;           /* one has served */
	bool reload_wanted, reloading;
	unsigned stopping; /* 1: what is in flight is finished, 2: what is being committed */
	int64_t deaths[ATH_DEATHS];
	size_t death_count;
};

/* The next in the place; false: in the child, or when none could be made, which is an error. */
enum ath_status ath_child_start(struct ath_master *master, unsigned number,
				struct ath_error *error) ATH_MUST_CHECK;
/* One that another master has started; NULL: no memory. */
struct ath_child *ath_child_adopt(struct ath_master *master, unsigned number, pid_t pid,
				  bool leaves);
/* Asks it to end: TERM, then QUIT, then KILL. */
void ath_child_leave(struct ath_child *child);
/* The same, from QUIT on. */
void ath_child_quit(struct ath_child *child, int64_t patience_ms);
/* At once: it does not do what it should. */
void ath_child_end(struct ath_child *child, int signal, const char *why);
/* Takes in those that have ended. */
void ath_children_reap(struct ath_master *master);
/* In a child: what it is there for, from its start to its end. */
enum ath_status ath_child_run(struct ath_master *master, struct ath_error *error) ATH_MUST_CHECK;
/* Which one it is, in a line of the log. */
void ath_child_tell(const struct ath_child *child, struct ath_log_line *line);
/* How many are in this state. */
size_t ath_children_count(const struct ath_master *master, enum ath_child_state state);

/* The process that answers what is asked of all others alone: /-/status and /-/metrics. */
enum ath_status ath_status_serve(struct ath_scoreboard *board,
				 const struct ath_configuration *configuration,
				 const struct ath_seat *seat,
				 struct ath_error *error) ATH_MUST_CHECK;

/* Has the worker leave connections to those of the scoreboard that have fewer (share.c). */
void ath_worker_share(struct ath_worker *worker);

/* Told by children.c: one serves, one has ended. */
void ath_master_child_serves(struct ath_child *child);
void ath_master_child_ended(struct ath_child *child, int status);

/* ---- the master at work (supervise.c) -------------------------------------------------------- */

/* From its first worker to its last; it also returns in each child, where master->self is set. */
enum ath_status ath_master_supervise(struct ath_master *master,
				     struct ath_error *error) ATH_MUST_CHECK;
void ath_master_note(const struct ath_master *master, enum ath_log_level level,
		     const char *message);
struct ath_child_place *ath_place_of(const struct ath_child *child);

/* ---- replacing workers (renew.c) ------------------------------------------------------------- */

/* Reads the configuration again, and has all replaced. */
void ath_reload_begin(struct ath_master *master);
/* Has all replaced. */
void ath_renew_all(struct ath_master *master);
/* The successor of one is there, and does not serve yet. */
bool ath_is_replacing(const struct ath_master *master) ATH_MUST_CHECK;
/* Starts the next successor; when there is none to start a reload has ended. */
void ath_replace_next(struct ath_master *master);
void ath_replacement_failed(struct ath_master *master, struct ath_child_place *place);
/* Once a second: who has served enough, takes too much memory, or hangs? */
void ath_look_at_workers(struct ath_timer *timer);
/* What the service manager is told of it. */
void ath_master_reloading(void);
void ath_master_ready(const struct ath_master *master);

#endif
