/*
 * trial.c - before a new program takes the place of the old one it is tried: it starts a worker,
 * which ends before it serves, and says on standard error what is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/master.h"

static const char trial_variable[] = "ATHANOR_TRIAL";

bool ath_upgrade_is_trial(void)
{
	return getenv(trial_variable) != NULL;
}

static void stop_hearing(struct ath_upgrade *upgrade)
{
	if (upgrade->output.fd < 0)
		return;
	ath_watch_remove(upgrade->master->loop, &upgrade->output);
	close(upgrade->output.fd);
	upgrade->output.fd = -1;
}

/* The last line that the trial has written says best what was wrong. */
static void keep_last_line(struct ath_upgrade *upgrade, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n') {
			upgrade->said_length = 0; /* what is there stays until more comes */
			continue;
		}
		if (upgrade->said_length + 1 < sizeof upgrade->said)
			upgrade->said[upgrade->said_length++] = text[i];
		upgrade->said[upgrade->said_length] = '\0';
	}
}

static void hear(struct ath_watch *watch, uint32_t events)
{
	struct ath_upgrade *upgrade = container_of(watch, struct ath_upgrade, output);
	char text[512];
	ssize_t length;

	(void)events;
	while ((length = read(watch->fd, text, sizeof text)) > 0)
		keep_last_line(upgrade, text, (size_t)length);
	if (length == 0)
		stop_hearing(upgrade); /* a trial that goes on all the same has its patience */
}

void ath_trial_is_late(struct ath_timer *timer)
{
	struct ath_upgrade *upgrade = container_of(timer, struct ath_upgrade, patience);

	snprintf(upgrade->said, sizeof upgrade->said, "its trial does not end in time");
	(void)kill(upgrade->trial, SIGKILL);
}

/* The environment of the trial: it has no service manager, and knows what it is. */
static char **trial_environment(void)
{
	static const char trial[] = "ATHANOR_TRIAL=1";
	size_t count = 0, kept = 0;
	char **variables;

	while (environ[count] != NULL)
		count++;
	variables = calloc(count + 2, sizeof *variables);
	for (size_t i = 0; variables != NULL && i < count; i++)
		if (strncmp(environ[i], "NOTIFY_SOCKET=", strlen("NOTIFY_SOCKET=")) != 0)
			variables[kept++] = environ[i];
	if (variables != NULL)
		variables[kept] = (char *)(uintptr_t)trial; /* posix_spawn() changes none */
	return variables;
}

/* Signals are as at the start of any program; what it says on standard error comes to us. */
static int spawn(struct ath_upgrade *upgrade, int output, char **variables)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, ignored;
	int reason;

	sigemptyset(&none);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return ENOMEM;
	}
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setsigdefault(&attributes, &ignored);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	reason = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	if (reason == 0)
		reason = posix_spawn(&upgrade->trial, upgrade->path, &actions, &attributes,
				     upgrade->master->argv, variables);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return reason;
}

static void forget_trial(struct ath_upgrade *upgrade)
{
	stop_hearing(upgrade);
	upgrade->trial = 0;
	ath_timer_stop(upgrade->master->loop, &upgrade->patience);
}

static bool listen_to(struct ath_upgrade *upgrade, int fd)
{
	upgrade->output = (struct ath_watch){ .fd = fd, .events = EPOLLIN, .ready = hear };
	upgrade->said_length = 0;
	upgrade->said[0] = '\0';
	if (ath_watch_add(upgrade->master->loop, &upgrade->output) == ATH_OK)
		return true;
	close(fd);
	upgrade->output.fd = -1;
	return false;
}

void ath_upgrade_forget_file(struct ath_upgrade *upgrade)
{
	if (upgrade->file >= 0)
		close(upgrade->file);
	upgrade->file = -1;
}

/* What is tried and what is executed later is one file, whatever its name leads to by then. */
static int open_file(struct ath_upgrade *upgrade)
{
	ath_upgrade_forget_file(upgrade);
	upgrade->file = open(upgrade->program, O_RDONLY | O_CLOEXEC);
	snprintf(upgrade->path, sizeof upgrade->path, "/proc/self/fd/%d", upgrade->file);
	return upgrade->file < 0 ? errno : 0;
}

static int begin_trial(struct ath_upgrade *upgrade)
{
	int ends[2], reason = open_file(upgrade);
	char **variables;

	if (reason != 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return reason != 0 ? reason : errno;
	variables = trial_environment();
	reason = ENOMEM;
	if (variables == NULL)
		close(ends[0]);
	else if (listen_to(upgrade, ends[0]))
		reason = spawn(upgrade, ends[1], variables);
	close(ends[1]);
	free(variables);
	return reason;
}

void ath_upgrade_begin(struct ath_master *master)
{
	struct ath_upgrade *upgrade = &master->upgrade;
	int reason = begin_trial(upgrade);

	upgrade->wanted = upgrade->ready = false;
	if (reason != 0) {
		forget_trial(upgrade);
		ath_upgrade_forget_file(upgrade);
		ath_upgrade_note(master, ATH_LOG_ERROR,
				 "the upgrade is refused: the program does not start",
				 strerror(reason));
		return;
	}
	ath_upgrade_note(master, ATH_LOG_INFO, "upgrade begins: the program is tried", NULL);
	ath_timer_start(master->loop, &upgrade->patience,
			ath_now() + master->configuration->start_timeout_ms);
}

bool ath_upgrade_trial_ended(struct ath_master *master, pid_t pid, int status)
{
	struct ath_upgrade *upgrade = &master->upgrade;

	if (upgrade->trial == 0 || pid != upgrade->trial)
		return false;
	if (upgrade->output.fd >= 0)
		hear(&upgrade->output, 0);
	forget_trial(upgrade);
	upgrade->ready = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (upgrade->ready)
		return true;
	ath_upgrade_forget_file(upgrade);
	ath_upgrade_note(master, ATH_LOG_ERROR, "the upgrade is refused: the trial has failed",
			 *upgrade->said == '\0' && WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
								       : upgrade->said);
	return true;
}
