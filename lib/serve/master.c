/*
 * master.c - what comes before the workers, and after them: what may be wrong is looked for, the
 * sockets and files are opened, and privileges dropped, in the order in which that is possible.
 */
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/master.h"

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

/* -1: as many as there are CPUs that we may use. */
static unsigned count_workers(const struct ath_configuration *configuration)
{
	cpu_set_t ours;

	if (configuration->workers >= 0)
		return (unsigned)configuration->workers;
	return sched_getaffinity(0, sizeof ours, &ours) == 0 ? (unsigned)CPU_COUNT(&ours) : 1;
}

enum ath_status ath_master_serve(const struct ath_app *app, struct ath_configuration *configuration,
				 int argc, char **argv, struct ath_error *error)
{
	struct ath_master master = { .app = app,
				     .configuration = configuration,
				     .log = &configuration->log,
				     .argc = argc,
				     .argv = argv,
				     .error = error,
				     .sockets = { { .fd = -1 }, { .fd = -1 } },
				     .pid_file.fd = -1,
				     .pid = getpid(),
				     .workers = count_workers(configuration),
				     .generation = 1 };
	enum ath_status status;

	if (ath_upgrade_is_trial())
		return try_worker(&master, error);
	status = prepare(&master, error);
	if (status == ATH_OK)
		status = master.workers > 0 ? ath_master_supervise(&master, error)
					    : serve_alone(&master, error);
	end(&master);
	return status;
}
