/*
 * logs.c - where lines go: opens the files of the logs, and opens them anew under the same numbers
 * when they were moved away, so that whoever holds a struct ath_log need not know.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "serve/internal.h"

enum { MODE = 0640 };

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, MODE);
}

/* A terminal is read by a person, whom NO_COLOR (no-color.org) may spare the colours. */
static enum ath_log_form form_of(enum ath_log_format format, int fd)
{
	const char *no_color = getenv("NO_COLOR");
	bool terminal = isatty(fd) == 1;

	if (format == ATH_LOG_FORMAT_JSON || (format == ATH_LOG_FORMAT_AUTO && !terminal))
		return ATH_LOG_JSON;
	return terminal && (no_color == NULL || *no_color == '\0') ? ATH_LOG_COLOURED
								   : ATH_LOG_READABLE;
}

/* off, on (where errors go), or a file of its own; false: that cannot be opened. */
static bool open_log(struct ath_log *log, const char *file, const struct ath_log *errors)
{
	if (file == NULL || strcmp(file, "off") == 0)
		log->fd = -1;
	else if (strcmp(file, "on") == 0)
		log->fd = errors->fd;
	else
		log->fd = open_file(file);
	return log->fd >= 0 || file == NULL || strcmp(file, "off") == 0;
}

static enum ath_status failed(struct ath_error *error, const char *option, const char *file)
{
	return ath_error_set(error, ATH_EIO,
			     "%s %s cannot be written: %s: name a file in a directory that this "
			     "user may write to",
			     option, file, strerror(errno));
}

enum ath_status ath_logs_open(struct ath_configuration *configuration, struct ath_error *error)
{
	struct ath_log *log = &configuration->log, *access = &configuration->access,
		       *slow = &configuration->slow;
	enum ath_log_format format = configuration->log_format;

	log->fd = configuration->log_file == NULL ? STDERR_FILENO
						  : open_file(configuration->log_file);
	if (log->fd < 0)
		return failed(error, "log_file", configuration->log_file);
	if (!open_log(access, configuration->access_file, log))
		return failed(error, "access_file", configuration->access_file);
	if (!open_log(slow, configuration->slow_file, log))
		return failed(error, "slow_file", configuration->slow_file);
	log->form = form_of(format, log->fd);
	access->form = form_of(format, access->fd);
	slow->form = form_of(format, slow->fd);
	access->level = ATH_LOG_INFO;
	slow->level = ATH_LOG_WARNING;
	return ATH_OK;
}

/* ---- anew ------------------------------------------------------------------------------------ */

/* The old one is written to as long as there is no new one, and hears of that. */
static bool reopen(const struct ath_configuration *configuration, int fd, const char *file)
{
	struct ath_log_line line;
	int opened;

	if (file == NULL || fd < 0 || strcmp(file, "on") == 0 || strcmp(file, "off") == 0)
		return true;
	opened = open_file(file);
	if (opened >= 0 && dup3(opened, fd, O_CLOEXEC) >= 0) {
		close(opened);
		return true;
	}
	ath_log_begin(&line, &configuration->log, ATH_LOG_ERROR, "a log cannot be opened anew");
	ath_log_text(&line, "file", file);
	ath_log_text(&line, "reason", strerror(errno));
	ath_log_end(&line);
	if (opened >= 0)
		close(opened);
	return false;
}

enum ath_status ath_logs_reopen(const struct ath_configuration *configuration)
{
	bool log = reopen(configuration, configuration->log.fd, configuration->log_file);
	bool access = reopen(configuration, configuration->access.fd, configuration->access_file);
	bool slow = reopen(configuration, configuration->slow.fd, configuration->slow_file);

	return log && access && slow ? ATH_OK : ATH_EIO;
}

/* ---- requests -------------------------------------------------------------------------------- */

static void flush(struct ath_turn_end *end)
{
	ath_log_flush(&container_of(end, struct ath_worker, access_flush)->access_lines);
}

static void lines_begun(struct ath_log_batch *lines)
{
	struct ath_worker *worker = container_of(lines, struct ath_worker, access_lines);

	ath_loop_at_turn_end(worker->loop, &worker->access_flush);
}

const struct ath_log *ath_access_open(struct ath_worker *worker,
				      const struct ath_configuration *configuration)
{
	worker->access = configuration->access;
	worker->access.batch = &worker->access_lines;
	worker->access_flush.run = flush;
	worker->access_lines.begun = lines_begun;
	return worker->access.fd >= 0 ? &worker->access : NULL;
}

void ath_access_close(struct ath_worker *worker)
{
	if (worker->loop != NULL)
		ath_loop_forget_turn_end(worker->loop, &worker->access_flush);
	ath_log_flush(&worker->access_lines);
}
