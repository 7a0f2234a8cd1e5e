/*
 * upgrade.c - a new program takes the place of the old one, and no request notices:
 *
 *	USR2 ─> a trial: the new program starts a worker, which ends before it serves
 *	     ─> the master executes it in its own place: same process, same sockets, same children
 *	     ─> the new master renews its workers as in a reload
 *
 * So a program that does not even start is refused while the old one goes on. What the one hands
 * to the other is in the environment, in variables that begin with ATHANOR_UPGRADE_.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "serve/master.h"

enum { QUIET_MS = 200 };

/* Of a number each, or of a text. */
#define PREFIX "ATHANOR_UPGRADE_"

void ath_upgrade_note(const struct ath_master *master, enum ath_log_level level,
		      const char *message, const char *reason)
{
	struct ath_log_line line;

	ath_log_begin(&line, master->log, level, message);
	ath_log_text(&line, "program", master->upgrade.program);
	if (reason != NULL)
		ath_log_text(&line, "reason", reason);
	ath_log_end(&line);
}

/* ---- which program --------------------------------------------------------------------------- */

static char *absolute(const char *name)
{
	char *directory = *name == '/' ? strdup("") : getcwd(NULL, 0), *path = NULL;

	if (directory != NULL &&
	    asprintf(&path, "%s%s%s", directory, *name == '/' ? "" : "/", name) < 0)
		path = NULL;
	free(directory);
	return path;
}

/* When the file was replaced since it was executed, the system says so behind its name. */
static char *name_of_running(void)
{
	static const char mark[] = " (deleted)";
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
	size_t end;

	if (length < 0)
		return NULL;
	path[length] = '\0';
	end = (size_t)length < strlen(mark) ? 0 : (size_t)length - strlen(mark);
	if (strcmp(path + end, mark) == 0)
		path[end] = '\0';
	return strdup(path);
}

/*
 * The file that runs, by the name that it was started by if that leads to it: a link to the newest
 * release is followed again at every upgrade. A master that was executed in an upgrade was told.
 */
static char *find_program(const char *name)
{
	const char *told = getenv(PREFIX "PROGRAM");
	char *file, *named, *found;

	if (told != NULL && ath_upgrade_is_under_way())
		return strdup(told);
	file = name_of_running();
	named = strchr(name, '/') == NULL ? NULL : realpath(name, NULL);
	if (named != NULL && file != NULL && strcmp(named, file) == 0)
		found = absolute(name);
	else
		found = file == NULL ? NULL : strdup(file);
	free(named);
	free(file);
	return found;
}

/* ---- handing over ---------------------------------------------------------------------------- */

static void put_number(const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)value);
	(void)setenv(name, text, 1);
}

/* It stays open in the program that comes, which hears its number. */
static void put_descriptor(const char *name, int fd, bool pass)
{
	if (fd < 0)
		return;
	(void)fcntl(fd, F_SETFD, pass ? 0 : FD_CLOEXEC);
	if (pass)
		put_number(name, fd);
}

static void put_children(const struct ath_master *master)
{
	struct ath_buffer text;

	ath_buffer_init(&text, NULL, 64 * 1024);
	for (const struct ath_child *child = master->children; child != NULL; child = child->next)
		ath_buffer_printf(&text, "%u %d %c\n", child->number, (int)child->pid,
				  child->state == ATH_CHILD_LEAVES ? 'l' : 's');
	(void)setenv(PREFIX "CHILDREN", ath_buffer_c_string(&text), 1);
	ath_buffer_free(&text);
}

static void hand_over(const struct ath_master *master, bool pass)
{
	const struct ath_sockets *sockets = &master->sockets;

	put_descriptor(PREFIX "SOCKET", sockets->application.fd, pass);
	put_descriptor(PREFIX "STATUS", sockets->status.fd, pass);
	put_descriptor(PREFIX "PID_FILE", master->pid_file.fd, pass);
	if (!pass)
		return;
	if (sockets->application.address != NULL)
		(void)setenv(PREFIX "SOCKET_ADDRESS", sockets->application.address, 1);
	if (sockets->status.address != NULL)
		(void)setenv(PREFIX "STATUS_ADDRESS", sockets->status.address, 1);
	(void)setenv(PREFIX "PROGRAM", master->upgrade.program, 1);
	put_number(PREFIX "PID", master->pid);
	put_number(PREFIX "GENERATION", master->generation);
	put_children(master);
}

static void forget_variables(void)
{
	static const char *const names[] = { PREFIX "SOCKET",         PREFIX "STATUS",
					     PREFIX "PID_FILE",       PREFIX "SOCKET_ADDRESS",
					     PREFIX "STATUS_ADDRESS", PREFIX "PID",
					     PREFIX "GENERATION",     PREFIX "CHILDREN",
					     PREFIX "PROGRAM" };

	for (size_t i = 0; i < ATH_COUNT(names); i++)
		(void)unsetenv(names[i]);
}

void ath_upgrade_execute(struct ath_master *master)
{
	master->upgrade.ready = false;
	ath_upgrade_note(master, ATH_LOG_INFO, "the master executes the program", NULL);
	hand_over(master, true);
	execv(master->upgrade.path, master->argv);
	ath_upgrade_note(master, ATH_LOG_ERROR,
			 "the upgrade is refused: the program cannot be executed", strerror(errno));
	hand_over(master, false);
	forget_variables();
	ath_upgrade_forget_file(&master->upgrade);
}

/* ---- taking over ----------------------------------------------------------------------------- */

static bool get_number(const char *name, int64_t *value)
{
	const char *text = getenv(name);

	return text != NULL && ath_text_int64(ath_text(text), value);
}

bool ath_upgrade_is_under_way(void)
{
	int64_t pid;

	return get_number(PREFIX "PID", &pid) && pid == getpid();
}

static int get_descriptor(const char *name)
{
	int64_t fd;

	if (!get_number(name, &fd) || fd < 0 || fd > INT_MAX ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	return (int)fd;
}

static void adopt(struct ath_master *master, unsigned number, pid_t pid, bool leaves)
{
	bool wanted = number <= master->workers && (number > 0 || master->sockets.status.fd >= 0);
	struct ath_child *child = ath_child_adopt(master, number, pid, leaves);

	if (child == NULL || leaves)
		return;
	if (wanted)
		master->places[number].current = child;
	else
		ath_child_leave(child);
}

static void adopt_children(struct ath_master *master, const char *text)
{
	unsigned number;
	int pid, length;
	char state;

	while (sscanf(text, "%u %d %c\n%n", &number, &pid, &state, &length) == 3) {
		adopt(master, number, pid, state == 'l');
		text += length;
	}
}

void ath_upgrade_take_sockets(struct ath_master *master)
{
	master->sockets.application =
		(struct ath_socket){ .fd = get_descriptor(PREFIX "SOCKET"),
				     .address = getenv(PREFIX "SOCKET_ADDRESS") };
	master->sockets.status = (struct ath_socket){ .fd = get_descriptor(PREFIX "STATUS"),
						      .address = getenv(PREFIX "STATUS_ADDRESS") };
	master->pid_file = (struct ath_pid_file){ .fd = get_descriptor(PREFIX "PID_FILE") };
	if (master->pid_file.fd >= 0)
		master->pid_file.path = master->configuration->pid_file;
}

void ath_upgrade_take_children(struct ath_master *master)
{
	const char *children = getenv(PREFIX "CHILDREN");
	int64_t generation;

	if (get_number(PREFIX "GENERATION", &generation))
		master->generation = (unsigned)generation;
	if (children != NULL)
		adopt_children(master, children);
	master->started = true; /* the old ones serve */
	forget_variables();
}

/* ---- a program that is built again and again ------------------------------------------------- */

static void quiet(struct ath_timer *timer)
{
	container_of(timer, struct ath_upgrade, quiet)->wanted = true;
}

/* A linker writes and changes the mode behind that: a moment's rest, and it is done. */
static void changed(struct ath_watch *watch, uint32_t events)
{
	struct ath_upgrade *upgrade = container_of(watch, struct ath_upgrade, directory);
	_Alignas(struct inotify_event) char bytes[4096];
	const char *name = strrchr(upgrade->program, '/') + 1;
	ssize_t length = read(watch->fd, bytes, sizeof bytes);

	(void)events;
	for (ssize_t at = 0; at < length;) {
		const struct inotify_event *event = (const void *)(bytes + at);

		if (event->len > 0 && strcmp(event->name, name) == 0)
			ath_timer_start(upgrade->master->loop, &upgrade->quiet,
					ath_now() + QUIET_MS);
		at += (ssize_t)sizeof *event + event->len;
	}
}

static enum ath_status watch_program(struct ath_upgrade *upgrade, struct ath_error *error)
{
	char *slash = strrchr(upgrade->program, '/');
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), watched;

	*slash = '\0';
	watched = fd < 0 ? -1
			 : inotify_add_watch(fd, *upgrade->program == '\0' ? "/" : upgrade->program,
					     IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB);
	*slash = '/';
	upgrade->directory = (struct ath_watch){ .fd = fd, .events = EPOLLIN, .ready = changed };
	if (watched >= 0 && ath_watch_add(upgrade->master->loop, &upgrade->directory) == ATH_OK)
		return ATH_OK;
	return ath_error_set(error, ATH_EIO, "reload: %s cannot be watched: %s", upgrade->program,
			     strerror(errno));
}

enum ath_status ath_upgrade_open(struct ath_master *master, struct ath_error *error)
{
	struct ath_upgrade *upgrade = &master->upgrade;

	*upgrade = (struct ath_upgrade){ .master = master,
					 .program = find_program(master->argv[0]),
					 .file = -1,
					 .output.fd = -1,
					 .directory.fd = -1,
					 .patience.fire = ath_trial_is_late,
					 .quiet.fire = quiet };
	if (upgrade->program == NULL)
		return ath_error_set(error, ATH_EIO, "the program's own file cannot be found: %s",
				     strerror(errno));
	return master->configuration->reload ? watch_program(upgrade, error) : ATH_OK;
}

/* A trial that is under way ends by itself. */
void ath_upgrade_close(struct ath_master *master)
{
	struct ath_upgrade *upgrade = &master->upgrade;

	if (upgrade->master == NULL)
		return;
	ath_upgrade_forget_file(upgrade);
	if (upgrade->output.fd >= 0)
		close(upgrade->output.fd);
	if (upgrade->directory.fd >= 0)
		close(upgrade->directory.fd);
	free(upgrade->program);
	upgrade->program = NULL;
	upgrade->output.fd = upgrade->directory.fd = -1;
}
