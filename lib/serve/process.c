/*
 * process.c - what the processes are to the system: whose they are, what they may leave behind,
 * how they are called, and the file that says which one to signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/master.h"

/* ---- whose they are -------------------------------------------------------------------------- */

static bool is_number(const char *name, uint32_t *number)
{
	int64_t value;

	if (!ath_text_int64(ath_text(name), &value) || value < 0 || value >= UINT32_MAX)
		return false;
	*number = (uint32_t)value;
	return true;
}

bool ath_group_find(const char *name, gid_t *group)
{
	const struct group *found = getgrnam(name);

	if (found == NULL)
		return is_number(name, group);
	*group = found->gr_gid;
	return true;
}

static enum ath_status find_user(struct ath_identity *identity, const char *name,
				 struct ath_error *error)
{
	const struct passwd *found = getpwnam(name);

	if (found == NULL && is_number(name, &identity->user))
		found = getpwuid(identity->user);
	else if (found == NULL)
		return ath_error_set(error, ATH_EINVAL, "user: there is no user \"%s\"", name);
	if (found == NULL)
		return ATH_OK; /* a number without a name, in the group that we have */
	identity->user = found->pw_uid;
	identity->group = found->pw_gid;
	identity->name = name;
	return ATH_OK;
}

enum ath_status ath_identity_find(struct ath_identity *identity,
				  const struct ath_configuration *configuration,
				  struct ath_error *error)
{
	*identity = (struct ath_identity){ .user = geteuid(), .group = getegid() };
	if (configuration->user != NULL &&
	    find_user(identity, configuration->user, error) != ATH_OK)
		return error->status;
	if (configuration->group != NULL && !ath_group_find(configuration->group, &identity->group))
		return ath_error_set(error, ATH_EINVAL, "group: there is no group \"%s\"",
				     configuration->group);
	identity->change = identity->user != geteuid() || identity->group != getegid();
	if (identity->change && geteuid() != 0)
		return ath_error_set(
			error, ATH_EINVAL,
			"user, group: only root can become another: leave them out, or "
			"start it as root");
	return ATH_OK;
}

enum ath_status ath_identity_take(const struct ath_identity *identity, struct ath_error *error)
{
	if (!identity->change)
		return ATH_OK;
	if ((identity->name != NULL ? initgroups(identity->name, identity->group)
				    : setgroups(1, &identity->group)) != 0 ||
	    setgid(identity->group) != 0 || setuid(identity->user) != 0)
		return ath_error_set(error, ATH_EIO, "user, group: the system refuses: %s",
				     strerror(errno));
	if (identity->user != 0 && setuid(0) == 0)
		return ath_error_set(error, ATH_EIO, "user: root could be had again");
	return ATH_OK;
}

/* ---- what they leave behind, and their names ------------------------------------------------- */

void ath_process_restrict(const struct ath_configuration *configuration)
{
	static const struct rlimit none = { 0, 0 };

	umask(027);
	if (configuration->core_dumps) {
		(void)prctl(PR_SET_DUMPABLE, 1); /* a change of user has taken it away */
		return;
	}
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

/* The system keeps 15 bytes: of a long name its beginning, and the role whole. */
void ath_process_name(const char *application, const char *role)
{
	enum { KEPT = 15 };
	size_t length = strlen(role) + 2;
	char name[KEPT + 1];

	snprintf(name, sizeof name, "%.*s: %s", length < KEPT ? (int)(KEPT - length) : 1,
		 application, role);
	(void)prctl(PR_SET_NAME, name);
}

/* ---- the pid file ---------------------------------------------------------------------------- */

/*
 * A process that is alive holds the lock of its file: the number alone may have become another's.
 */
static enum ath_status refuse_held(const char *path, struct ath_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	char text[16] = "";

	if (held && read(fd, text, sizeof text - 1) > 0)
		text[strcspn(text, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
	if (held)
		return ath_error_set(
			error, ATH_EIO,
			"pid-file: %s is that of process %s, which runs: stop it, or take "
			"another file",
			path, text);
	return ATH_OK;
}

static bool write_number(int fd, const struct ath_identity *identity)
{
	char text[16];
	int length = snprintf(text, sizeof text, "%d\n", (int)getpid());

	return flock(fd, LOCK_EX | LOCK_NB) == 0 && fchmod(fd, 0644) == 0 &&
	       (!identity->change || fchown(fd, identity->user, identity->group) == 0) &&
	       write(fd, text, (size_t)length) == length;
}

/* Who reads the file finds it whole: it is written under another name. */
enum ath_status ath_pid_file_open(struct ath_pid_file *file, const char *path,
				  const struct ath_identity *identity, struct ath_error *error)
{
	char under[4096];

	if (path == NULL || file->fd >= 0) /* that of the master before us */
		return ATH_OK;
	if (snprintf(under, sizeof under, "%s.%d", path, (int)getpid()) >= (int)sizeof under)
		return ath_error_set(error, ATH_EINVAL, "pid-file: the path is too long");
	if (refuse_held(path, error) != ATH_OK)
		return error->status;
	file->fd = open(under, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (file->fd >= 0 && write_number(file->fd, identity) && rename(under, path) == 0) {
		file->path = path;
		return ATH_OK;
	}
	ath_error_set(error, ATH_EIO, "pid-file: %s cannot be written: %s", path, strerror(errno));
	if (file->fd >= 0)
		(void)unlink(under);
	ath_pid_file_close(file);
	return error->status;
}

void ath_pid_file_close(struct ath_pid_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	*file = (struct ath_pid_file){ .fd = -1 };
}

void ath_pid_file_remove(struct ath_pid_file *file, const struct ath_log *log)
{
	struct ath_log_line line;

	if (file->path != NULL && unlink(file->path) != 0 && errno != ENOENT) {
		ath_log_begin(&line, log, ATH_LOG_WARNING, "the pid file cannot be removed");
		ath_log_text(&line, "path", file->path);
		ath_log_text(&line, "reason", strerror(errno));
		ath_log_end(&line);
	}
	ath_pid_file_close(file);
}
