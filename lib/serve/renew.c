/*
 * renew.c - workers are replaced while they serve: all of them in a reload, one after the other,
 * and each by itself when it has served enough or takes too much memory. The next one serves before
 * the old one is told to leave.
 */
#include <signal.h>
#include <time.h>

#include "serve/master.h"

enum {
	LOOK_MS = 1000,
	RETRY_MS = 10000, /* a worker that could not be replaced serves on until then */
};

void ath_master_ready(const struct ath_master *master)
{
	ath_service_notify("READY=1\nSTATUS=%u workers, generation %u", master->workers,
			   master->generation);
}

bool ath_is_replacing(const struct ath_master *master)
{
	for (unsigned i = 0; i <= master->workers; i++)
		if (master->places[i].next != NULL)
			return true;
	return false;
}

/* ---- reloads --------------------------------------------------------------------------------- */

static void end_reload(struct ath_master *master, enum ath_log_level level, const char *message)
{
	struct ath_log_line line;

	master->reloading = false;
	for (unsigned i = 0; i <= master->workers; i++)
		master->places[i].replace = false;
	ath_log_begin(&line, master->log, level, message);
	ath_log_int(&line, "generation", master->generation);
	ath_log_end(&line);
	ath_master_ready(master);
}

/* Those that were replaced already stay: they serve. */
static void give_up_reload(struct ath_master *master)
{
	ath_configuration_drop(master->configuration);
	*master->configuration = master->previous;
	end_reload(master, ATH_LOG_ERROR, "the reload is given up: the workers that serve go on");
}

void ath_master_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ath_service_notify("RELOADING=1\nMONOTONIC_USEC=%lld",
			   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

/* Has all workers replaced. */
void ath_renew_all(struct ath_master *master)
{
	master->reloading = true;
	master->previous = *master->configuration;
	master->generation++;
	for (unsigned i = 0; i <= master->workers; i++)
		master->places[i].replace = master->places[i].current != NULL;
}

void ath_reload_begin(struct ath_master *master)
{
	struct ath_configuration fresh;
	struct ath_error error;
	struct ath_log_line line;

	master->reload_wanted = false;
	ath_master_reloading();
	if (ath_configuration_read(&fresh, master->configuration, master->argc, master->argv,
				   &error) != ATH_OK) {
		ath_log_begin(&line, master->log, ATH_LOG_ERROR,
			      "the configuration is refused: the old one stays");
		ath_log_text(&line, "reason", error.message);
		ath_log_end(&line);
		ath_master_ready(master);
		return;
	}
	ath_renew_all(master);
	*master->configuration = fresh;
	ath_scoreboard_count_reload(master->board);
	ath_master_note(master, ATH_LOG_INFO, "reload begins");
}

/* One after the other: the next is started when this one serves. */
void ath_replace_next(struct ath_master *master)
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

/* The current one serves on; a reload does not. */
void ath_replacement_failed(struct ath_master *master, struct ath_child_place *place)
{
	place->next = NULL;
	place->replace = false;
	place->not_before = ath_now() + RETRY_MS;
	if (master->reloading)
		give_up_reload(master);
}

/* ---- what is looked at once a second --------------------------------------------------------- */

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

static void want_successor(const struct ath_child *child)
{
	struct ath_child_place *place = ath_place_of(child);

	place->replace |= ath_now() >= place->not_before;
}

/* One that leaves may still grow. */
static void look_at_memory(struct ath_child *child)
{
	uint64_t most = (uint64_t)child->master->configuration->worker_memory;
	uint64_t memory = most == 0 ? 0 : ath_process_memory(child->pid);

	if (memory > 2 * most)
		ath_child_end(child, SIGKILL, "it takes too much memory");
	else if (memory > most && child->state == ATH_CHILD_SERVES)
		want_successor(child);
}

static void look_at_work(struct ath_child *child)
{
	int64_t patience_ms = child->master->configuration->hang_timeout_ms;
	int64_t since = ath_slot_report(child->slot)->busy_since;
	int64_t busy_ms = since == 0 ? 0 : ath_now() - since;

	if (patience_ms > 0 && busy_ms >= patience_ms && child->signal == 0) {
		log_hanging(child, busy_ms);
		ath_child_end(child, SIGABRT, "it hangs");
	} else if (child->requests_most > 0 &&
		   ath_slot_requests(child->slot) >= child->requests_most) {
		want_successor(child);
	}
}

void ath_look_at_workers(struct ath_timer *timer)
{
	struct ath_master *master = container_of(timer, struct ath_master, look);

	for (struct ath_child *child = master->children; child != NULL; child = child->next) {
		if (child->number == 0 || child->state == ATH_CHILD_STARTS)
			continue;
		look_at_memory(child);
		if (child->slot != NULL && child->state == ATH_CHILD_SERVES)
			look_at_work(child);
	}
	ath_timer_start(master->loop, timer, ath_now() + LOOK_MS);
}
