/*
 * supervise.c - the master at work: it starts the workers, hears of their deaths and of signals,
 * and ends them. It takes no request and has no database, so that little can go wrong with it.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "serve/master.h"

enum {
	RETRY_MS = 2000,          /* when no process could be had, or one could not start */
	QUIT_MS = 5000,           /* what is being committed has so long when all must end */
	DEATHS_WITHIN_MS = 60000, /* ATH_DEATHS of them are too many */
	DELAY_MS = 100,           /* for each of them, before the next start */
};

void ath_master_note(const struct ath_master *master, enum ath_log_level level, const char *message)
{
	struct ath_log_line line;

	ath_log_begin(&line, master->log, level, message);
	ath_log_int(&line, "pid", master->pid);
	ath_log_end(&line);
}

/* A start that fails is worth one line: the reason, which the command line says. */
static void note_when_started(const struct ath_master *master, const char *message)
{
	if (master->started)
		ath_master_note(master, ATH_LOG_INFO, message);
}

struct ath_child_place *ath_place_of(const struct ath_child *child)
{
	return &child->master->places[child->number];
}

static bool is_wanted(const struct ath_master *master, unsigned number)
{
	return number > 0 || master->sockets.status.fd >= 0;
}

/* Has tend() called at that time at the latest. */
static void wake_at(struct ath_master *master, int64_t at)
{
	if (master->wake.link == NULL || at < master->wake.at)
		ath_timer_start(master->loop, &master->wake, at);
}

static void wake_up(struct ath_timer *timer)
{
	(void)timer;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void stop(struct ath_master *master, unsigned how)
{
	if (master->stopping >= how)
		return;
	if (master->stopping == 0) {
		note_when_started(master, "the master ends");
		ath_service_notify("STOPPING=1");
		ath_sockets_remove(&master->sockets);
	}
	master->stopping = how;
	if (master->upgrade.trial > 0)
		(void)kill(master->upgrade.trial, SIGTERM);
	for (struct ath_child *child = master->children; child != NULL; child = child->next) {
		if (how == 1)
			ath_child_leave(child);
		else
			ath_child_quit(child, QUIT_MS);
	}
}

/* ---- what the children tell ------------------------------------------------------------------ */

void ath_master_child_serves(struct ath_child *child)
{
	struct ath_master *master = child->master;
	struct ath_child_place *place = ath_place_of(child);

	if (place->next == child) {
		if (place->current != NULL)
			ath_child_leave(place->current);
		place->current = child;
		place->next = NULL;
		place->replace = false;
	}
	if (!master->started && child->number > 0) {
		master->started = true;
		ath_master_note(master, ATH_LOG_INFO, "the master begins");
		ath_error_clear(master->error); /* of another one, which gets its next chance now */
		ath_master_ready(master);
	}
}

static void log_end_of(const struct ath_child *child, int status)
{
	bool well = child->state == ATH_CHILD_LEAVES && child->why == NULL && WIFEXITED(status) &&
		    WEXITSTATUS(status) == 0;
	struct ath_log_line line;

	ath_log_begin(&line, child->master->log, well ? ATH_LOG_INFO : ATH_LOG_ERROR,
		      well                               ? "a worker has left"
		      : child->state == ATH_CHILD_STARTS ? "a worker could not start"
							 : "a worker has died");
	ath_child_tell(child, &line);
	if (WIFSIGNALED(status))
		ath_log_text(&line, "signal", strsignal(WTERMSIG(status)));
	else
		ath_log_int(&line, "status", WEXITSTATUS(status));
	if (child->failed.status != ATH_OK)
		ath_log_text(&line, "reason", child->failed.message);
	else if (child->why != NULL)
		ath_log_text(&line, "reason", child->why);
	ath_log_end(&line);
}

static void keep_reason(struct ath_child *child, int status)
{
	if (child->failed.status == ATH_OK && child->why != NULL)
		ath_error_set(&child->failed, ATH_EIO, "no worker could start: %s", child->why);
	else if (child->failed.status == ATH_OK && WIFSIGNALED(status))
		ath_error_set(&child->failed, ATH_EIO, "no worker could start: signal %d",
			      WTERMSIG(status));
	else if (child->failed.status == ATH_OK)
		ath_error_set(&child->failed, ATH_EIO, "no worker could start: status %d",
			      WEXITSTATUS(status));
	if (child->master->error->status == ATH_OK)
		*child->master->error = child->failed;
}

static void start_later(struct ath_master *master, struct ath_child_place *place, int64_t at)
{
	ath_scoreboard_count_restart(master->board);
	place->not_before = at;
	wake_at(master, at);
}

/* With every death the next start is a little later, until there are too many of them. */
static void count_death(struct ath_master *master, struct ath_child_place *place)
{
	int64_t now = ath_now();
	unsigned recent = 0;

	master->deaths[master->death_count++ % ATH_DEATHS] = now;
	for (size_t i = 0; i < ATH_DEATHS && i < master->death_count; i++)
		recent += now - master->deaths[i] < DEATHS_WITHIN_MS;
	if (recent < ATH_DEATHS) {
		start_later(master, place, now + (recent - 1) * DELAY_MS);
		return;
	}
	ath_error_set(master->error, ATH_EIO,
		      "%d workers have died within a minute: the log says of what", ATH_DEATHS);
	stop(master, 1);
}

void ath_master_child_ended(struct ath_child *child, int status)
{
	struct ath_master *master = child->master;
	struct ath_child_place *place = ath_place_of(child);
	bool first = !master->started && child->number > 0;

	if (!first || child->state != ATH_CHILD_STARTS)
		log_end_of(child, status);
	if (place->next == child)
		ath_replacement_failed(master, place);
	if (place->current != child)
		return;
	if (place->next != NULL)
		place->replace = false;
	place->current = place->next; /* it has just begun */
	place->next = NULL;
	if (master->stopping > 0)
		return;
	if (first)
		keep_reason(child, status);
	else if (child->failed.status != ATH_OK)
		start_later(master, place, ath_now() + RETRY_MS); /* it has not died: it refused */
	else
		count_death(master, place);
}

/* ---- between two turns ----------------------------------------------------------------------- */

static void start_missing(struct ath_master *master)
{
	struct ath_error error = { 0 };
	struct ath_log_line line;

	for (unsigned i = 0; i <= master->workers && master->self == NULL; i++) {
		struct ath_child_place *place = &master->places[i];

		if (place->current != NULL || place->not_before > ath_now() ||
		    !is_wanted(master, i))
			continue;
		place->replace = false;
		if (ath_child_start(master, i, &error) == ATH_OK)
			continue;
		ath_log_begin(&line, master->log, ATH_LOG_ERROR, "a worker cannot be started");
		ath_log_text(&line, "reason", error.message);
		ath_log_end(&line);
		place->not_before = ath_now() + RETRY_MS;
		wake_at(master, place->not_before);
		return;
	}
}

/* None has served yet, and none will: then there is no use in going on. */
static bool has_failed(const struct ath_master *master)
{
	if (master->started || master->error->status == ATH_OK)
		return false;
	for (unsigned i = 1; i <= master->workers; i++)
		if (master->places[i].current != NULL)
			return false;
	return true;
}

/* Nobody starts and nothing is under way. */
static bool is_calm(const struct ath_master *master)
{
	return master->started && !master->reloading && !ath_is_replacing(master) &&
	       ath_children_count(master, ATH_CHILD_STARTS) == 0;
}

static void tend_to_wishes(struct ath_master *master)
{
	if (master->upgrade.wanted && master->upgrade.trial == 0)
		ath_upgrade_begin(master);
	if (master->upgrade.ready && is_calm(master)) {
		ath_master_reloading();
		ath_upgrade_execute(master);
		ath_master_ready(master);
	}
	if (master->reload_wanted && is_calm(master))
		ath_reload_begin(master);
}

/* False: it is over, or this is a child now. */
static bool tend(struct ath_master *master)
{
	if (has_failed(master))
		stop(master, 2);
	if (master->stopping > 0)
		return master->children != NULL;
	if (master->started || master->error->status == ATH_OK)
		start_missing(master);
	if (master->self == NULL)
		tend_to_wishes(master);
	if (master->self == NULL && !ath_is_replacing(master))
		ath_replace_next(master);
	return master->self == NULL;
}

/* ---- signals --------------------------------------------------------------------------------- */

static void reopen_logs(const struct ath_master *master)
{
	(void)ath_logs_reopen(master->configuration); /* it logs what goes wrong */
	for (const struct ath_child *child = master->children; child != NULL; child = child->next)
		(void)kill(child->pid, SIGUSR1);
}

static void caught(int signal, void *arg)
{
	struct ath_master *master = arg;

	switch (signal) {
	case SIGCHLD:
		ath_children_reap(master);
		break;
	case SIGHUP:
		master->reload_wanted = true;
		break;
	case SIGUSR1:
		reopen_logs(master);
		break;
	case SIGUSR2:
		master->upgrade.wanted = true;
		break;
	case SIGQUIT:
		stop(master, 2);
		break;
	case SIGTERM:
	case SIGINT:
		stop(master, master->stopping + 1);
		break;
	}
}

static enum ath_status take_signals(struct ath_master *master, struct ath_error *error)
{
	static const int taken[] = { SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
	sigset_t signals;

	sigemptyset(&signals);
	for (size_t i = 0; i < ATH_COUNT(taken); i++)
		sigaddset(&signals, taken[i]);
	/* whoever started us may have ignored it: then nothing would be told of our children */
	if (signal(SIGCHLD, SIG_DFL) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    ath_loop_signals(master->loop, &signals, caught, master) != ATH_OK)
		return ath_error_set(error, ATH_EIO, "signals could not be set up");
	return ATH_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

enum ath_status ath_master_supervise(struct ath_master *master, struct ath_error *error)
{
	master->look.fire = ath_look_at_workers;
	master->wake.fire = wake_up;
	master->places = calloc(master->workers + 1, sizeof *master->places);
	if (master->places == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	if (ath_loop_open(&master->loop, master->log) != ATH_OK)
		return ath_error_set(error, ATH_EIO, "no loop could be opened");
	if (take_signals(master, error) != ATH_OK || ath_upgrade_open(master, error) != ATH_OK)
		return error->status;
	ath_process_name(master->app->name, "master");
	if (ath_upgrade_is_under_way()) {
		ath_upgrade_take_children(master);
		ath_master_note(master, ATH_LOG_INFO, "the master goes on");
		ath_renew_all(master);
	}
	ath_look_at_workers(&master->look);
	ath_watchdog_start(&master->watchdog, master->loop);
	while (tend(master))
		ath_loop_turn(master->loop, ATH_NEVER);
	if (master->self != NULL)
		return ath_child_run(master, error);
	note_when_started(master, "the master has ended");
	return error->status;
}
