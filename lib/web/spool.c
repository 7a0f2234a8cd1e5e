/*
 * spool.c - what is too large for memory: a file without a name, written while it comes and mapped
 * when it is whole. The disk is waited for on another thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "web/internal.h"

/* At the end of the request it is closed and unmapped, and so it is gone. */
struct ath_spool {
	struct ath_spool *next;
	int fd; /* until it is mapped */
	size_t length;
	void *map; /* NULL: not yet */
};

/* One thing that is done on another thread. */
struct work {
	int fd;
	const char *data;
	size_t length;
	const char *path, *directory;
	int error; /* errno; 0: it went well */
};

static bool do_work(struct ath_request *request, void (*run)(void *arg), struct work *work)
{
	struct ath_log_line line;

	if (ath_offload(run, work) != ATH_OK)
		work->error = EAGAIN;
	if (work->error == 0)
		return true;
	ath_log_begin(&line, request->web->log, ATH_LOG_ERROR, "a file cannot be stored");
	ath_log_text(&line, "id", request->id);
	ath_log_text(&line, "reason", strerror(work->error));
	ath_log_end(&line);
	ath_request_fail(request, ath_problem(request, 507, "the file cannot be stored"));
	return false;
}

static void open_unnamed(void *arg)
{
	struct work *work = arg;
	char name[4096];

	if (snprintf(name, sizeof name, "%s/athanor.XXXXXX", work->directory) >= (int)sizeof name)
		work->error = ENAMETOOLONG;
	else
		work->fd = mkostemp(name, O_CLOEXEC);
	if (work->fd < 0)
		work->error = work->error == 0 ? errno : work->error;
	else if (unlink(name) != 0)
		work->error = errno;
}

struct ath_spool *ath_spool_open(struct ath_request *request)
{
	struct ath_spool *spool = ath_new(request->arena, struct ath_spool, 1);
	struct work work = { .fd = -1, .directory = request->web->spool };

	if (spool == NULL)
		return NULL;
	if (!do_work(request, open_unnamed, &work)) {
		if (work.fd >= 0)
			close(work.fd);
		return NULL;
	}
	spool->fd = work.fd;
	spool->next = request->spools;
	request->spools = spool;
	return spool;
}

static void write_all(void *arg)
{
	struct work *work = arg;

	while (work->length > 0 && work->error == 0) {
		ssize_t written = write(work->fd, work->data, work->length);

		if (written >= 0) {
			work->data += written;
			work->length -= (size_t)written;
		} else if (errno != EINTR) {
			work->error = errno;
		}
	}
}

bool ath_spool_write(struct ath_request *request, struct ath_spool *spool, const char *data,
		     size_t length)
{
	struct work work = { .data = data, .length = length };

	if (spool == NULL)
		return false;
	work.fd = spool->fd;
	spool->length += length;
	return length == 0 || do_work(request, write_all, &work);
}

bool ath_spool_map(struct ath_request *request, struct ath_spool *spool, struct ath_text *data)
{
	void *map = mmap(NULL, spool->length, PROT_READ, MAP_SHARED, spool->fd, 0);

	if (map == MAP_FAILED) {
		ath_request_fail(request, ath_problem(request, 507, "the file cannot be mapped"));
		return false;
	}
	spool->map = map;
	close(spool->fd); /* the map keeps it, and a form may have a thousand */
	*data = (struct ath_text){ map, spool->length };
	return true;
}

void ath_spool_close_all(struct ath_request *request)
{
	for (struct ath_spool *spool = request->spools; spool != NULL; spool = spool->next) {
		if (spool->map != NULL)
			munmap(spool->map, spool->length);
		else
			close(spool->fd);
	}
	request->spools = NULL;
}

/* ---- keeping a file -------------------------------------------------------------------------- */

static void sync_directory(struct work *work)
{
	int fd = open(work->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		work->error = errno;
	if (fd >= 0)
		close(fd);
}

/* Under another name until it is whole and on the disk. */
static void store(void *arg)
{
	struct work *work = arg;
	char name[4096];

	if (snprintf(name, sizeof name, "%s.XXXXXX", work->path) >= (int)sizeof name) {
		work->error = ENAMETOOLONG;
		return;
	}
	work->fd = mkostemp(name, O_CLOEXEC);
	if (work->fd < 0) {
		work->error = errno;
		return;
	}
	write_all(work);
	/* the web server may be somebody else */
	if (work->error == 0 && (fchmod(work->fd, 0644) != 0 || fsync(work->fd) != 0))
		work->error = errno;
	if (close(work->fd) != 0 && work->error == 0)
		work->error = errno;
	if (work->error == 0 && rename(name, work->path) != 0)
		work->error = errno;
	if (work->error != 0)
		unlink(name);
	else
		sync_directory(work);
}

bool ath_file_save(struct ath_request *request, const struct ath_file *file, const char *path)
{
	struct work work = { .path = path };
	const char *slash;

	if (file == NULL || path == NULL)
		return false;
	slash = strrchr(path, '/');
	work.directory = slash == NULL
				 ? "."
				 : ath_arena_copy(request->arena, path, (size_t)(slash - path) + 1);
	work.data = file->data.data;
	work.length = file->data.length;
	return work.directory != NULL && do_work(request, store, &work);
}
