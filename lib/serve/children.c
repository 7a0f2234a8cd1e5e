/*
 * children.c - the processes of a master: how one begins, tells that it serves or why it cannot,
 * is asked to end, and is taken in when it has.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/master.h"

enum { QUIT_MS = 2000, ABORT_MS = 5000, SLACK_MS = 1000 };

/* ---- what a child says ----------------------------------------------------------------------- */

/* What comes through the pipe, whole or not at all: status ATH_OK, it serves. */
_Static_assert(sizeof(struct ath_error) <= 512, "POSIX writes so much at once");

static void stop_hearing(struct ath_child *child)
{
	if (child->ack.fd < 0)
		return;
	ath_watch_remove(child->master->loop, &child->ack);
	close(child->ack.fd);
	child->ack.fd = -1;
}

static void hear(struct ath_watch *watch, uint32_t events)
{
	struct ath_child *child = container_of(watch, struct ath_child, ack);
	struct ath_error said;
	ssize_t length = read(watch->fd, &said, sizeof said);

	(void)events;
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	stop_hearing(child); /* what more there is to learn its end tells */
	if (length != (ssize_t)sizeof said || child->state != ATH_CHILD_STARTS)
		return;
	if (said.status != ATH_OK) {
		child->failed = said;
		return;
	}
	child->state = ATH_CHILD_SERVES;
	ath_timer_stop(child->master->loop, &child->timer);
	ath_master_child_serves(child);
}

/* In the child, once: to a master that is gone there is nothing to say. */
static void say(struct ath_child *self, const struct ath_error *error)
{
	if (self->ack.fd < 0)
		return;
	(void)!write(self->ack.fd, error, sizeof *error);
	close(self->ack.fd);
	self->ack.fd = -1;
}

/* ---- asking it to end ------------------------------------------------------------------------ */

void ath_child_tell(const struct ath_child *child, struct ath_log_line *line)
{
	if (child->number > 0)
		ath_log_int(line, "worker", child->number);
	else
		ath_log_text(line, "worker", "status");
	ath_log_int(line, "pid", child->pid);
}

static void log_ending(const struct ath_child *child, const char *message)
{
	struct ath_log_line line;

	ath_log_begin(&line, child->master->log, ATH_LOG_WARNING, message);
	ath_child_tell(child, &line);
	if (child->why != NULL)
		ath_log_text(&line, "reason", child->why);
	ath_log_end(&line);
}

static void send(struct ath_child *child, int signal, int64_t patience_ms)
{
	child->signal = signal;
	(void)kill(child->pid, signal); /* it is not waited for yet, so the number is still its */
	ath_timer_start(child->master->loop, &child->timer, ath_now() + patience_ms);
}

static void patience_over(struct ath_timer *timer)
{
	struct ath_child *child = container_of(timer, struct ath_child, timer);

	switch (child->signal) {
	case 0:
		ath_child_end(child, SIGKILL, "it does not start in time");
		break;
	case SIGTERM:
		log_ending(child, "a worker does not leave in time: what it commits is waited for");
		send(child, SIGQUIT, QUIT_MS);
		break;
	case SIGKILL:
		break; /* the system is at it */
	default:
		ath_child_end(child, SIGKILL, "it does not end in time");
	}
}

/* A worker has as long for what is in flight, and again for after_stop. */
static int64_t time_to_leave(const struct ath_master *master)
{
	int64_t stop_timeout_ms = master->configuration->stop_timeout_ms;

	return SLACK_MS + stop_timeout_ms * (master->app->after_stop == NULL ? 1 : 2);
}

void ath_child_leave(struct ath_child *child)
{
	if (child->signal != 0)
		return;
	child->state = ATH_CHILD_LEAVES;
	send(child, SIGTERM, time_to_leave(child->master));
}

void ath_child_quit(struct ath_child *child, int64_t patience_ms)
{
	if (child->signal != 0 && child->signal != SIGTERM)
		return;
	child->state = ATH_CHILD_LEAVES;
	send(child, SIGQUIT, patience_ms);
}

void ath_child_end(struct ath_child *child, int signal, const char *why)
{
	if (child->signal == signal || child->signal == SIGKILL)
		return;
	child->why = why;
	log_ending(child, "a worker is ended");
	send(child, signal, ABORT_MS);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void forget(struct ath_child *child)
{
	struct ath_child **at = &child->master->children;

	while (*at != child)
		at = &(*at)->next;
	*at = child->next;
	free(child);
}

static struct ath_child *of_pid(const struct ath_master *master, pid_t pid)
{
	struct ath_child *child = master->children;

	while (child != NULL && child->pid != pid)
		child = child->next;
	return child;
}

void ath_children_reap(struct ath_master *master)
{
	struct ath_child *child;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		child = of_pid(master, pid);
		if (child == NULL) {
			(void)!ath_upgrade_trial_ended(master, pid, status);
			continue; /* as the first process of a container we are given others' */
		}
		if (child->ack.fd >= 0)
			hear(&child->ack, 0); /* its last words may not have been handed out yet */
		stop_hearing(child);
		ath_timer_stop(master->loop, &child->timer);
		if (child->slot != NULL)
			ath_slot_retire(child->slot);
		ath_master_child_ended(child, status);
		forget(child);
	}
}

size_t ath_children_count(const struct ath_master *master, enum ath_child_state state)
{
	size_t count = 0;

	for (const struct ath_child *at = master->children; at != NULL; at = at->next)
		count += at->state == state;
	return count;
}

/* ---- the beginning --------------------------------------------------------------------------- */

/* Workers that began together do not all end together: a tenth more or less. */
static uint64_t spread(int64_t most)
{
	struct ath_uuid uuid;
	uint32_t number = 0;

	if (most == 0)
		return 0;
	if (ath_uuid_random(&uuid) == ATH_OK)
		memcpy(&number, uuid.bytes, sizeof number);
	return (uint64_t)(most - most / 10) + number % ((uint64_t)most / 5 + 1);
}

/* The child's end of the pipe stays open in it until it ends. */
static enum ath_status listen_to(struct ath_child *child, const int pipe_ends[2],
				 struct ath_error *error)
{
	child->ack = (struct ath_watch){ .fd = pipe_ends[0], .events = EPOLLIN, .ready = hear };
	if (ath_watch_add(child->master->loop, &child->ack) == ATH_OK)
		return ATH_OK;
	child->ack.fd = -1;
	return ath_error_set(error, ATH_EIO, "a pipe cannot be watched");
}

static struct ath_child *new_child(struct ath_master *master, unsigned number,
				   struct ath_error *error)
{
	struct ath_child *child = calloc(1, sizeof *child);

	if (child == NULL) {
		ath_error_set(error, ATH_ENOMEM, "out of memory");
		return NULL;
	}
	child->master = master;
	child->number = number;
	child->generation = master->generation;
	child->ack.fd = -1;
	child->timer.fire = patience_over;
	child->requests_most = number == 0 ? 0 : spread(master->configuration->max_requests);
	if (number > 0)
		child->slot = ath_scoreboard_take(master->board, number, master->generation);
	if (number > 0 && child->slot == NULL) {
		ath_error_set(error, ATH_ETOOBIG, "too many workers have not left yet");
		free(child);
		return NULL;
	}
	return child;
}

/* One that leaves already has been told: to be told again is to end at once. */
struct ath_child *ath_child_adopt(struct ath_master *master, unsigned number, pid_t pid,
				  bool leaves)
{
	struct ath_child *child = calloc(1, sizeof *child);

	if (child == NULL)
		return NULL;
	*child = (struct ath_child){ .next = master->children,
				     .master = master,
				     .pid = pid,
				     .number = number,
				     .generation = master->generation,
				     .state = ATH_CHILD_SERVES,
				     .ack.fd = -1,
				     .timer.fire = patience_over };
	master->children = child;
	if (leaves) {
		child->state = ATH_CHILD_LEAVES;
		child->signal = SIGTERM;
		ath_timer_start(master->loop, &child->timer, ath_now() + time_to_leave(master));
	}
	return child;
}

static void put_in(struct ath_master *master, struct ath_child *child)
{
	struct ath_child_place *place = &master->places[child->number];

	child->next = master->children;
	master->children = child;
	if (place->current == NULL)
		place->current = child;
	else
		place->next = child;
}

static enum ath_status begin(struct ath_child *child, const int pipe_ends[2],
			     struct ath_error *error)
{
	struct ath_master *master = child->master;

	if (listen_to(child, pipe_ends, error) != ATH_OK)
		return error->status;
	child->pid = fork();
	if (child->pid < 0) {
		ath_error_set(error, ATH_EIO, "no process can be had: %s", strerror(errno));
		ath_watch_remove(master->loop, &child->ack);
		return error->status;
	}
	if (child->pid == 0) {
		close(pipe_ends[0]);
		child->ack.fd = pipe_ends[1];
		master->self = child;
		put_in(master, child);
		return ATH_OK;
	}
	close(pipe_ends[1]);
	if (child->slot != NULL)
		ath_slot_set_pid(child->slot, child->pid);
	ath_timer_start(master->loop, &child->timer,
			ath_now() + master->configuration->start_timeout_ms);
	put_in(master, child);
	return ATH_OK;
}

enum ath_status ath_child_start(struct ath_master *master, unsigned number, struct ath_error *error)
{
	struct ath_child *child = new_child(master, number, error);
	int pipe_ends[2] = { -1, -1 };

	if (child == NULL)
		return error->status;
	if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) != 0)
		ath_error_set(error, ATH_EIO, "no pipe can be had: %s", strerror(errno));
	if (error->status == ATH_OK && begin(child, pipe_ends, error) == ATH_OK)
		return ATH_OK;
	for (int i = 0; i < 2 && pipe_ends[i] >= 0; i++)
		close(pipe_ends[i]);
	if (child->slot != NULL)
		ath_slot_retire(child->slot);
	free(child);
	return error->status;
}

/* ---- in the child ---------------------------------------------------------------------------- */

/* The master's, of which the child has copies: what they stand for stays as it is. */
static void close_masters(struct ath_master *master)
{
	struct ath_child *child, *next;

	for (child = master->children; child != NULL; child = next) {
		next = child->next;
		if (child == master->self)
			continue;
		if (child->ack.fd >= 0)
			close(child->ack.fd);
		free(child);
	}
	master->self->next = NULL;
	master->children = master->self;
	ath_upgrade_close(master);
	ath_loop_close(&master->loop);
	ath_pid_file_close(&master->pid_file);
}

static void serves(struct ath_worker *worker, void *self)
{
	static const struct ath_error well;

	(void)worker;
	say(self, &well);
}

static enum ath_status run(struct ath_master *master, struct ath_error *error)
{
	struct ath_child *self = master->self;
	struct ath_seat seat = { .fd = self->number == 0 ? master->sockets.status.fd
							 : master->sockets.application.fd,
				 .number = self->number,
				 .slot = self->slot,
				 .processes = master->workers,
				 .serves = serves,
				 .arg = self };
	char role[32];

	snprintf(role, sizeof role, "worker %u", self->number);
	ath_process_name(master->app->name, self->number == 0 ? "status" : role);
	if (self->number == 0)
		return ath_status_serve(master->board, master->configuration, &seat, error);
	return ath_worker_serve(master->app, master->configuration, &seat, error);
}

/* A master that is killed takes its workers along: nobody would replace or reload them any more. */
static void end_with_master(const struct ath_master *master)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != master->pid)
		(void)raise(SIGTERM); /* it was faster; the signal waits until the worker looks */
}

enum ath_status ath_child_run(struct ath_master *master, struct ath_error *error)
{
	close_masters(master);
	end_with_master(master);
	unsetenv("NOTIFY_SOCKET"); /* the master's to tell */
	unsetenv("WATCHDOG_USEC");
	if (run(master, error) != ATH_OK) {
		say(master->self, error);
		error->message[0] = '\0';
	}
	return error->status;
}
