/*
 * scoreboard.h - what the processes of an application tell each other: one mapping, made by the
 * master before its first fork. Each slot is written by one process and read by all: numbers are
 * stored whole and without order, so that a page made of them may be late by an instant, and
 * costs the writer nothing.
 */
#ifndef ATH_SERVE_SCOREBOARD_H
#define ATH_SERVE_SCOREBOARD_H

#include <sys/types.h>

#include "serve/internal.h"

/* What a slot's process is about; the order of its life. */
enum ath_worker_state {
	ATH_WORKER_NONE, /* the slot is free */
	ATH_WORKER_STARTS,
	ATH_WORKER_SERVES,
	ATH_WORKER_LEAVES, /* finishes what is in flight */
	ATH_WORKER_ENDED,  /* its numbers are still to be added to those of the dead */
};

struct ath_scoreboard;

/* For so many processes at once, and the routes of the application. */
enum ath_status ath_scoreboard_open(struct ath_scoreboard **board, const struct ath_app *app,
				    size_t slots, struct ath_error *error) ATH_MUST_CHECK;
void ath_scoreboard_close(struct ath_scoreboard **board);
/* The socket whose queue the pages tell; it stays the caller's. */
void ath_scoreboard_set_listener(struct ath_scoreboard *board, int fd);

/* ---- the master's -------------------------------------------------------------------------- */

/* NULL: all are taken. number: from 1, of the worker's place, which its successors keep. */
struct ath_slot *ath_scoreboard_take(struct ath_scoreboard *board, unsigned number,
				     unsigned generation);
void ath_slot_set_pid(struct ath_slot *slot, pid_t pid);
/* Behind waitpid(): its counters are added to those of the dead, and the slot is free. */
void ath_slot_retire(struct ath_slot *slot);
/* How many have been started in place of one that died by itself; how often it was reloaded. */
void ath_scoreboard_count_restart(struct ath_scoreboard *board);
void ath_scoreboard_count_reload(struct ath_scoreboard *board);

/* What the master looks at. */
enum ath_worker_state ath_slot_state(const struct ath_slot *slot);
const struct ath_loop_report *ath_slot_report(const struct ath_slot *slot);
uint64_t ath_slot_requests(const struct ath_slot *slot);
/* What its loop is busy with: "GET /users/<id:int>, request 4f..."; false: nothing known. */
bool ath_slot_describe(const struct ath_slot *slot, char *text, size_t size);

/* ---- the worker's -------------------------------------------------------------------------- */

void ath_slot_set_state(struct ath_slot *slot, enum ath_worker_state state);
/*
 * Has the worker write its slot: from its loop, its requests (the hooks of struct ath_web) and
 * once a second from its engine and its connections. worker->slot is the slot.
 */
void ath_slot_attach(struct ath_worker *worker);
void ath_slot_detach(struct ath_worker *worker);
/* Writes now what it would with the next second; before a part of the worker goes. */
void ath_slot_refresh(struct ath_worker *worker);

/* ---- the pages ------------------------------------------------------------------------------ */

/* GET /-/live, /-/ready, /-/status and /-/metrics of a worker. */
extern const struct ath_route ath_own_routes[];
/*
 * The status process answers these without /-/ready: it has a loop, and no database. What it is
 * made of is worker->web; ath_worker_close() ends it.
 */
enum ath_status ath_status_open(struct ath_worker *worker, struct ath_scoreboard *board,
				const struct ath_configuration *configuration,
				struct ath_error *error) ATH_MUST_CHECK;

/* The metrics as a table of Markdown: name, type, labels, what it is. */
void ath_metrics_document(struct ath_buffer *out);

/* The memory of a process in bytes, from the system; 0: it is not told. */
uint64_t ath_process_memory(pid_t pid);

#endif
