/*
 * master.c - the process that starts the workers, replaces those that die or are to be renewed,
 * and ends them. It takes no request and has no database, so that little can go wrong with it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "serve/master.h"

enum {
	LOOK_MS = 1000,
	QUIT_MS = 5000,           /* what is being committed has so long when all must end */
	DEATHS_WITHIN_MS = 60000, /* ATH_DEATHS of them are too many */
	DELAY_MS = 100,           /* for each of them, before the next start */
	RETRY_MS = 10000,         /* a worker that could not be replaced serves on until then */
};

static void note(const struct ath_master *master, enum ath_log_level level, const char *message)
{
	struct ath_log_line line;

	ath_log_begin(&line, master->log, level, message);
	ath_log_int(&line, "pid", master->pid);
	ath_log_end(&line);
}

static struct ath_child_place *place_of(const struct ath_child *child)
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

/* ---- the end -----------------------------------------------------------------------------------
 */

static void stop(struct ath_master *master, unsigned how)
{
	if (master->stopping >= how)
		return;
	if (master->stopping == 0) {
		note(master, ATH_LOG_INFO, "the master ends");
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

/* ---- reloads ------------------------------------------------------------------------------------
 */

static bool is_replacing(const struct ath_master *master)
{
	for (unsigned i = 0; i <= master->workers; i++)
		if (master->places[i].next != NULL)
			return true;
	return false;
}

static void notify_ready(const struct ath_master *master)
{
	ath_service_notify("READY=1\nSTATUS=%u workers, generation %u", master->workers,
			   master->generation);
}

static void end_reload(struct ath_master *master, enum ath_log_level level, const char *message)
{
	struct ath_log_line line;

	master->reloading = false;
	for (unsigned i = 0; i <= master->workers; i++)
		master->places[i].replace = false;
	ath_log_begin(&line, master->log, level, message);
	ath_log_int(&line, "generation", master->generation);
	ath_log_end(&line);
	notify_ready(master);
}

/* Those that were replaced already stay: they serve. */
static void give_up_reload(struct ath_master *master)
{
	ath_configuration_drop(master->configuration);
	*master->configuration = master->previous;
	end_reload(master, ATH_LOG_ERROR, "the reload is given up: the workers that serve go on");
}

static void notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ath_service_notify("RELOADING=1\nMONOTONIC_USEC=%lld",
			   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

/* Has all workers replaced. */
static void renew(struct ath_master *master)
{
	master->reloading = true;
	master->previous = *master->configuration;
	master->generation++;
	for (unsigned i = 0; i <= master->workers; i++)
		master->places[i].replace = master->places[i].current != NULL;
}

static void begin_reload(struct ath_master *master)
{
	struct ath_configuration fresh;
	struct ath_error error;
	struct ath_log_line line;

	master->reload_wanted = false;
	notify_reloading();
	if (ath_configuration_read(&fresh, master->configuration, master->argc, master->argv,
				   &error) != ATH_OK) {
		ath_log_begin(&line, master->log, ATH_LOG_ERROR,
			      "the configuration is refused: the old one stays");
		ath_log_text(&line, "reason", error.message);
		ath_log_end(&line);
		notify_ready(master);
		return;
	}
	renew(master);
	*master->configuration = fresh;
	ath_scoreboard_count_reload(master->board);
	note(master, ATH_LOG_INFO, "reload begins");
}

/* One after the other: the next is started when this one serves. */
static void replace_next(struct ath_master *master)
{
	struct ath_error error = { 0 };
	struct ath_log_line line;

	for (unsigned i = 0; i <= master->workers; i++) {
		struct ath_child_place *place = &master->places[i];

		if (!place->replace || place->current == NULL ||
		    place->current->state != ATH_CHILD_SERVES)
			continue;
		if (ath_child_start(master, i, &error) == ATH_OK || error.status == ATH_ETOOBIG)
			return; /* or when one of those that leave has left */
		ath_log_begin(&line, master->log, ATH_LOG_ERROR, "a worker cannot be started");
		ath_log_text(&line, "reason", error.message);
		ath_log_end(&line);
		if (master->reloading)
			give_up_reload(master);
		place->replace = false;
		place->not_before = ath_now() + RETRY_MS;
		return;
	}
	if (!master->reloading)
		return;
	ath_configuration_drop(&master->previous);
	end_reload(master, ATH_LOG_INFO, "reload ended");
}

/* ---- what the children tell --------------------------------------------------------------------
 */

void ath_master_child_serves(struct ath_child *child)
{
	struct ath_master *master = child->master;
	struct ath_child_place *place = place_of(child);

	if (place->next == child) {
		if (place->current != NULL)
			ath_child_leave(place->current);
		place->current = child;
		place->next = NULL;
		place->replace = false;
	}
	if (!master->started && child->number > 0) {
		master->started = true;
		ath_error_clear(master->error); /* of another one, which gets its next chance now */
		notify_ready(master);
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

/* With every death the next start is a little later, until there are too many of them. */
static void count_death(struct ath_master *master, struct ath_child_place *place)
{
	int64_t now = ath_now(), oldest = master->deaths[master->death_count % ATH_DEATHS];
	unsigned recent = 0;

	master->deaths[master->death_count++ % ATH_DEATHS] = now;
	for (size_t i = 0; i < ATH_DEATHS && i < master->death_count; i++)
		recent += now - master->deaths[i] < DEATHS_WITHIN_MS;
	if (master->death_count > ATH_DEATHS && now - oldest < DEATHS_WITHIN_MS) {
		ath_error_set(
			master->error, ATH_EIO,
			"more than %d workers have died within a minute: the log says of what",
			ATH_DEATHS);
		stop(master, 1);
		return;
	}
	ath_scoreboard_count_restart(master->board);
	place->not_before = now + (recent - 1) * DELAY_MS;
	wake_at(master, place->not_before);
}

/* The current one serves on; a reload does not. */
static void replacement_failed(struct ath_master *master, struct ath_child_place *place)
{
	place->next = NULL;
	place->replace = false;
	place->not_before = ath_now() + RETRY_MS;
	if (master->reloading)
		give_up_reload(master);
}

void ath_master_child_ended(struct ath_child *child, int status)
{
	struct ath_master *master = child->master;
	struct ath_child_place *place = place_of(child);
	bool first = !master->started && child->number > 0;

	if (!first || child->state != ATH_CHILD_STARTS)
		log_end_of(child, status);
	if (place->next == child)
		replacement_failed(master, place);
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
	else
		count_death(master, place);
}

/* ---- what is looked at once a second ------------------------------------------------------------
 */

static void log_hanging(const struct ath_child *child, int64_t ms)
{
	struct ath_log_line line;
	char what[256];

	ath_log_begin(&line, child->master->log, ATH_LOG_ERROR, "a worker hangs");
	ath_child_tell(child, &line);
	ath_log_int(&line, "ms", ms);
	if (ath_slot_describe(child->slot, what, sizeof what))
		ath_log_text(&line, "busy_with", what);
	ath_log_end(&line);
}

static void look_at(struct ath_child *child)
{
	const struct ath_configuration *limits = child->master->configuration;
	int64_t busy_since = ath_slot_report(child->slot)->busy_since;
	int64_t busy = busy_since == 0 ? 0 : ath_now() - busy_since;
	uint64_t most = (uint64_t)limits->worker_memory;
	uint64_t memory = most == 0 ? 0 : ath_process_memory(child->pid);
	struct ath_child_place *place = place_of(child);

	if (limits->hang_timeout_ms > 0 && busy >= limits->hang_timeout_ms && child->signal == 0) {
		log_hanging(child, busy);
		ath_child_end(child, SIGABRT, "it hangs");
	} else if (memory > 2 * most) {
		ath_child_end(child, SIGKILL, "it takes too much memory");
	} else if (memory > most || (child->requests_most > 0 &&
				     ath_slot_requests(child->slot) >= child->requests_most)) {
		place->replace |= ath_now() >= place->not_before;
	}
}

static void look(struct ath_timer *timer)
{
	struct ath_master *master = container_of(timer, struct ath_master, look);

	for (unsigned i = 0; i <= master->workers; i++) {
		struct ath_child *child = master->places[i].current;

		if (child != NULL && child->state == ATH_CHILD_SERVES && child->slot != NULL)
			look_at(child);
	}
	ath_timer_start(master->loop, timer, ath_now() + LOOK_MS);
}

/* ---- between two turns --------------------------------------------------------------------------
 */

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
		place->not_before = ath_now() + LOOK_MS;
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
	return master->started && !master->reloading && !is_replacing(master) &&
	       ath_children_count(master, ATH_CHILD_STARTS) == 0;
}

static void tend_to_wishes(struct ath_master *master)
{
	if (master->upgrade.wanted && master->upgrade.trial == 0)
		ath_upgrade_begin(master);
	if (master->upgrade.ready && is_calm(master)) {
		notify_reloading();
		ath_upgrade_execute(master);
		notify_ready(master);
	}
	if (master->reload_wanted && is_calm(master))
		begin_reload(master);
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
	if (master->self == NULL && !is_replacing(master))
		replace_next(master);
	return master->self == NULL;
}

/* ---- signals ------------------------------------------------------------------------------------
 */

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

/* ---- its life -----------------------------------------------------------------------------------
 */

static enum ath_status supervise(struct ath_master *master, struct ath_error *error)
{
	master->look.fire = look;
	master->wake.fire = wake_up;
	master->places = calloc(master->workers + 1, sizeof *master->places);
	if (master->places == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	if (ath_loop_open(&master->loop, master->log) != ATH_OK)
		return ath_error_set(error, ATH_EIO, "no loop could be opened");
	if (take_signals(master, error) != ATH_OK || ath_upgrade_open(master, error) != ATH_OK)
		return error->status;
	ath_process_name(master->app->name, "master");
	note(master, ATH_LOG_INFO, "the master begins");
	if (ath_upgrade_is_under_way()) {
		ath_upgrade_take_children(master);
		renew(master);
	}
	look(&master->look);
	ath_watchdog_start(&master->watchdog, master->loop);
	while (tend(master))
		ath_loop_turn(master->loop, ATH_NEVER);
	if (master->self != NULL)
		return ath_child_run(master, error);
	note(master, ATH_LOG_INFO, "the master has ended");
	return error->status;
}

static void alone_serves(struct ath_worker *worker, void *arg)
{
	struct ath_master *master = arg;

	ath_service_notify("READY=1");
	ath_watchdog_start(&master->watchdog, worker->loop);
}

/* Without a master: for a debugger, and where another program looks after the process. */
static enum ath_status serve_alone(struct ath_master *master, struct ath_error *error)
{
	struct ath_seat seat = { .fd = master->sockets.application.fd,
				 .alone = true,
				 .slot = ath_scoreboard_take(master->board, 1, 1),
				 .processes = 1,
				 .serves = alone_serves,
				 .arg = master };
	enum ath_status status;

	ath_slot_set_pid(seat.slot, master->pid);
	status = ath_worker_serve(master->app, master->configuration, &seat, error);
	ath_service_notify("STOPPING=1");
	return status;
}

/* What is wrong with the application is found before a socket is made. */
static enum ath_status validate(const struct ath_master *master, struct ath_error *error)
{
	struct ath_worker worker;
	enum ath_status status =
		ath_worker_open(&worker, master->app, master->configuration, error);

	ath_worker_close(&worker);
	return status;
}

/* They are opened anew by whoever the process is then. */
static enum ath_status open_logs(struct ath_master *master, struct ath_error *error)
{
	struct ath_configuration *configuration = master->configuration;
	const struct ath_identity *identity = &master->identity;
	const struct ath_log *const logs[] = { &configuration->log, &configuration->access,
					       &configuration->slow };

	umask(027);
	if (ath_logs_open(configuration, error) != ATH_OK)
		return error->status;
	for (size_t i = 0; i < ATH_COUNT(logs); i++)
		if (identity->change && logs[i]->fd > STDERR_FILENO)
			(void)fchown(logs[i]->fd, identity->user, identity->group);
	return ATH_OK;
}

/* As root: what only root may do comes before the other user. */
static enum ath_status prepare(struct ath_master *master, struct ath_error *error)
{
	const struct ath_configuration *configuration = master->configuration;

	if (ath_upgrade_is_under_way())
		ath_upgrade_take_sockets(master);
	if (validate(master, error) != ATH_OK ||
	    ath_identity_find(&master->identity, configuration, error) != ATH_OK ||
	    open_logs(master, error) != ATH_OK ||
	    ath_sockets_open(&master->sockets, configuration, &master->identity, error) != ATH_OK ||
	    ath_pid_file_open(&master->pid_file, configuration->pid_file, &master->identity,
			      error) != ATH_OK ||
	    ath_identity_take(&master->identity, error) != ATH_OK)
		return error->status;
	ath_process_restrict(configuration);
	if (ath_scoreboard_open(&master->board, master->app, 4 * (size_t)master->workers + 8,
				error) != ATH_OK)
		return error->status;
	ath_scoreboard_set_listener(master->board, master->sockets.application.fd);
	return ATH_OK;
}

static void end(struct ath_master *master)
{
	if (master->reloading)
		ath_configuration_drop(&master->previous);
	if (master->reloading)
		ath_configuration_drop(&master->previous);
	if (master->self == NULL) {
		if (!master->stopping)
			ath_sockets_remove(&master->sockets);
		ath_pid_file_remove(&master->pid_file, master->log);
	}
	ath_sockets_close(&master->sockets);
	while (master->children != NULL) {
		struct ath_child *next = master->children->next;

		free(master->children);
		master->children = next;
	}
	ath_upgrade_close(master);
	ath_loop_close(&master->loop);
	ath_scoreboard_close(&master->board);
	free(master->places);
}

static void nobody_hears(struct ath_worker *worker, void *arg)
{
	(void)worker;
	(void)arg;
}

/* All but serving: see upgrade.c. What it would have to do as the next master it must be able to.
 */
static enum ath_status try_worker(struct ath_master *master, struct ath_error *error)
{
	struct ath_seat seat = { .fd = -1, .processes = master->workers, .serves = nobody_hears };

	if (ath_identity_find(&master->identity, master->configuration, error) != ATH_OK ||
	    open_logs(master, error) != ATH_OK)
		return error->status;
	return ath_worker_serve(master->app, master->configuration, &seat, error);
}

enum ath_status ath_master_serve(const struct ath_app *app, struct ath_configuration *configuration,
				 int argc, char **argv, struct ath_error *error)
{
	int64_t workers = configuration->workers;
	struct ath_master master = { .app = app,
				     .configuration = configuration,
				     .log = &configuration->log,
				     .argc = argc,
				     .argv = argv,
				     .error = error,
				     .sockets = { { .fd = -1 }, { .fd = -1 } },
				     .pid_file.fd = -1,
				     .pid = getpid(),
				     .generation = 1 };

	master.workers = (unsigned)(workers < 0 ? sysconf(_SC_NPROCESSORS_ONLN) : workers);
	if (ath_upgrade_is_trial())
		return try_worker(&master, error);
	if (prepare(&master, error) == ATH_OK)
		(void)(master.workers > 0 ? supervise : serve_alone)(&master, error);
	end(&master);
	return error->status;
}
