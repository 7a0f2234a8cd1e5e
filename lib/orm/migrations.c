/*
 * migrations.c - numbered SQL files, in dbmate's form, applied in order.
 *
 * The whole run holds one advisory lock, so that several programs may start at once. Behind a
 * pooler of transactions it would stay with a session that is another's next: there each
 * transaction takes it, and looks again what others have done before. A file's SQL is sent as it
 * is; its version is a parameter like every other value.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "orm/internal.h"

#define LOCK             "(4702958641223)"
#define LOCK_TRANSACTION "select pg_advisory_xact_lock" LOCK

enum { MAX_FILE = 4 * 1024 * 1024, MAX_VERSION = 64, MAX_ALL = 1024 * 1024 * 1024 };

struct migration {
	const char *file; /* NULL: it is applied, and there is none */
	char version[MAX_VERSION];
	bool applied;
};

struct run {
	struct ath_engine *engine;
	struct ath_connection *connection;
	struct ath_arena *arena;
	bool pooled;
	const char *directory;
	struct migration *migrations; /* by version */
	size_t count;
	char newest[MAX_VERSION]; /* applied, whether there is a file or not */
	void (*done)(const char *file);
	struct ath_error *error;
};

static bool ok(const struct run *run)
{
	return run->error->status == ATH_OK;
}

/* ---- statements ---------------------------------------------------------------------------- */

static struct ath_batch *make_batch(struct run *run, size_t count, const char *const *texts,
				    const struct ath_value *param)
{
	struct ath_batch *batch = ath_new(run->arena, struct ath_batch, 1);

	if (batch == NULL)
		return NULL;
	batch->arena = run->arena;
	batch->count = count;
	batch->statements = ath_new(run->arena, struct ath_statement, count);
	batch->results = ath_new(run->arena, void *, count);
	if (batch->statements == NULL || batch->results == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		batch->statements[i] = ath_statement_of(texts[i]);
	if (param != NULL) { /* the one parameter is the first statement's */
		batch->statements[0].params = param;
		batch->statements[0].param_count = 1;
	}
	return batch;
}

static struct ath_batch *execute(struct run *run, size_t count, const char *const *texts,
				 const struct ath_value *param)
{
	struct ath_batch *batch = ok(run) ? make_batch(run, count, texts, param) : NULL;

	if (batch == NULL) {
		ath_error_set(run->error, ATH_ENOMEM, "out of memory");
		return NULL;
	}
	if (ath_engine_run(run->engine, run->connection, batch, ATH_NEVER, true) != ATH_OK) {
		ath_batch_clear(batch);
		if (ok(run))
			*run->error = batch->error;
		return NULL;
	}
	return batch;
}

static void execute_only(struct run *run, size_t count, const char *const *texts,
			 const struct ath_value *param)
{
	struct ath_batch *batch = execute(run, count, texts, param);

	if (batch != NULL)
		ath_batch_clear(batch);
}

/* ---- which there are ------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct migration *left = a, *right = b;

	return strcmp(left->version, right->version);
}

/* "20260101000000_users.sql": digits, an underscore, a name, .sql */
static bool read_version(const char *file, char version[MAX_VERSION])
{
	size_t digits = strspn(file, "0123456789"), length = strlen(file);

	if (digits == 0 || digits >= MAX_VERSION || file[digits] != '_' || length < 4 ||
	    strcmp(file + length - 4, ".sql") != 0)
		return false;
	memcpy(version, file, digits);
	version[digits] = '\0';
	return true;
}

static void add(struct run *run, const struct migration *migration)
{
	struct migration *grown =
		ath_arena_grow(run->arena, run->migrations, run->count * sizeof *grown,
			       (run->count + 1) * sizeof *grown);

	if (grown == NULL) {
		ath_error_set(run->error, ATH_ENOMEM, "out of memory");
		return;
	}
	grown[run->count++] = *migration;
	run->migrations = grown;
}

static void add_file(struct run *run, const char *file)
{
	struct migration migration = { 0 };

	if (!read_version(file, migration.version))
		return;
	migration.file = ath_arena_copy(run->arena, file, strlen(file));
	if (migration.file == NULL)
		ath_error_set(run->error, ATH_ENOMEM, "out of memory");
	else
		add(run, &migration);
}

static void list_files(struct run *run)
{
	DIR *directory = opendir(run->directory);
	struct dirent *entry;

	if (directory == NULL) {
		ath_error_set(run->error, ATH_EIO, "%s: %s", run->directory, strerror(errno));
		return;
	}
	while (ok(run) && (entry = readdir(directory)) != NULL)
		add_file(run, entry->d_name);
	closedir(directory);
	if (run->count > 0)
		qsort(run->migrations, run->count, sizeof *run->migrations, compare);
	for (size_t i = 1; ok(run) && i < run->count; i++)
		if (strcmp(run->migrations[i - 1].version, run->migrations[i].version) == 0)
			ath_error_set(run->error, ATH_EINVAL, "%s and %s have the same version",
				      run->migrations[i - 1].file, run->migrations[i].file);
}

/* False: there is no file of it. */
static bool mark_applied(struct run *run, const char *version)
{
	bool found = false;

	if (strcmp(version, run->newest) > 0)
		snprintf(run->newest, sizeof run->newest, "%s", version);
	for (size_t i = 0; i < run->count; i++)
		if (strcmp(run->migrations[i].version, version) == 0)
			found = run->migrations[i].applied = true;
	return found;
}

static const char *const select_applied[] = { "select version from schema_migrations" };

static void take_applied(struct run *run, const struct ath_batch *batch,
			 void (*unknown)(struct run *run, const char *version))
{
	static const struct ath_target target = { .type = ATH_TYPE_TEXT, .name = "version" };

	for (size_t i = 0; ok(run) && i < batch->driver->rows(batch->results[0]); i++) {
		const char *version = NULL;
		void *object = &version;

		if (batch->driver->read(batch->results[0], i, 1, &target, 1, &object, batch->arena,
					run->error) != ATH_OK)
			break;
		if (!mark_applied(run, version) && unknown != NULL)
			unknown(run, version);
	}
}

static void read_applied(struct run *run)
{
	struct ath_batch *batch = execute(run, 1, select_applied, NULL);

	if (batch == NULL)
		return;
	take_applied(run, batch, NULL);
	ath_batch_clear(batch);
}

/* ---- one file ------------------------------------------------------------------------------- */

static char *read_file(struct run *run, const char *file)
{
	const char *path = ath_arena_printf(run->arena, "%s/%s", run->directory, file);
	FILE *stream = path == NULL ? NULL : fopen(path, "re");
	char *text = NULL;
	struct stat about;

	if (stream == NULL || fstat(fileno(stream), &about) != 0)
		ath_error_set(run->error, ATH_EIO, "%s: %s", file, strerror(errno));
	else if (about.st_size > MAX_FILE)
		ath_error_set(run->error, ATH_ETOOBIG, "%s: is above 4 MiB", file);
	if (ok(run)) {
		size_t length = (size_t)about.st_size;

		text = ath_arena_zalloc(run->arena, 1, length + 1);
		if (text == NULL)
			ath_error_set(run->error, ATH_ENOMEM, "out of memory");
		else if (fread(text, 1, length, stream) != length)
			ath_error_set(run->error, ATH_EIO, "%s: cannot be read", file);
	}
	if (stream != NULL)
		fclose(stream);
	return ok(run) ? text : NULL;
}

static const char *find_marker(const char *text, const char *marker)
{
	const char *found = strstr(text, marker);

	while (found != NULL && found != text && found[-1] != '\n')
		found = strstr(found + 1, marker);
	return found;
}

/* The marker as a whole word. */
static const char *find_word(const char *text, const char *marker)
{
	const char *found = find_marker(text, marker);

	while (found != NULL && strchr(" \t\r\n", found[strlen(marker)]) == NULL)
		found = find_marker(found + 1, marker);
	return found;
}

/* The SQL of a section, ended where the next begins; NULL when the file has none. */
static char *section(char *text, const char *name, bool *transaction)
{
	char marker[32];
	char *start, *line_end, *next;

	snprintf(marker, sizeof marker, "-- migrate:%s", name);
	start = (char *)(uintptr_t)find_word(text, marker);
	if (start == NULL)
		return NULL;
	line_end = start + strcspn(start, "\n");
	*transaction = true;
	if (*line_end != '\0') {
		*line_end++ = '\0';
		*transaction = strstr(start, "transaction:false") == NULL;
	}
	next = (char *)(uintptr_t)find_marker(line_end, "-- migrate:");
	if (next != NULL)
		*next = '\0';
	return line_end;
}

/* False: another program has been faster, and nothing is left to do. */
static bool begin(struct run *run, const struct migration *migration, bool up)
{
	static const char *const texts[] = { "BEGIN", LOCK_TRANSACTION };
	static const char *const rollback[] = { "ROLLBACK" };

	execute_only(run, run->pooled ? 2 : 1, texts, NULL);
	if (!run->pooled || !ok(run))
		return true;
	for (size_t i = 0; i < run->count; i++)
		run->migrations[i].applied = false;
	read_applied(run);
	if (!ok(run) || migration->applied != up)
		return true;
	execute_only(run, 1, rollback, NULL);
	return false;
}

static void apply(struct run *run, const struct migration *migration, bool up)
{
	static const char *const record[] = { "insert into schema_migrations (version) values ($1)",
					      "COMMIT" };
	static const char *const forget[] = { "delete from schema_migrations where version = $1",
					      "COMMIT" };
	struct ath_value version = ath_value_text(migration->version);
	char *text = read_file(run, migration->file), *sql;
	struct ath_error cause = { 0 };
	bool transaction;

	if (text == NULL)
		return;
	sql = section(text, up ? "up" : "down", &transaction);
	if (sql == NULL) {
		ath_error_set(run->error, ATH_EINVAL, "%s: has no line \"-- migrate:%s\"",
			      migration->file, up ? "up" : "down");
		return;
	}
	if (transaction && !begin(run, migration, up))
		return;
	if (ok(run) && ath_connection_script(run->connection, sql, &cause) != ATH_OK) {
		ath_error_set(run->error, cause.status, "%s: %s", migration->file, cause.message);
		return;
	}
	execute_only(run, transaction ? 2 : 1, up ? record : forget, &version);
	if (ok(run) && run->done != NULL)
		run->done(migration->file);
}

/* ---- only looking --------------------------------------------------------------------------- */

static void add_unknown(struct run *run, const char *version)
{
	struct migration migration = { .applied = true };

	snprintf(migration.version, sizeof migration.version, "%s", version);
	add(run, &migration);
}

/* Where nothing was ever migrated there is no table. */
static void look(struct run *run)
{
	struct ath_batch *batch = make_batch(run, 1, select_applied, NULL);
	enum ath_status status;

	if (batch == NULL) {
		ath_error_set(run->error, ATH_ENOMEM, "out of memory");
		return;
	}
	status = ath_engine_read(run->engine, batch, ATH_NEVER);
	if (status == ATH_OK)
		take_applied(run, batch, add_unknown);
	else if (strcmp(batch->error.sqlstate, "42P01") != 0)
		*run->error = batch->error;
	ath_batch_clear(batch);
	if (run->count > 0)
		qsort(run->migrations, run->count, sizeof *run->migrations, compare);
}

enum ath_status ath_migrations_list(struct ath_engine *engine, const char *directory,
				    void (*each)(const char *migration,
						 enum ath_migration_state state, void *arg),
				    void *arg, struct ath_error *error)
{
	struct run run = { .engine = engine, .directory = directory, .error = error };

	ath_error_clear(error);
	if (ath_arena_open(&run.arena, MAX_ALL) != ATH_OK)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	list_files(&run);
	if (ok(&run))
		look(&run);
	for (size_t i = 0; ok(&run) && i < run.count; i++) {
		const struct migration *migration = &run.migrations[i];

		if (migration->file == NULL)
			each(migration->version, ATH_MIGRATION_UNKNOWN, arg);
		else
			each(migration->file,
			     migration->applied ? ATH_MIGRATION_APPLIED : ATH_MIGRATION_PENDING,
			     arg);
	}
	ath_arena_close(&run.arena);
	return error->status;
}

/* ---- the run -------------------------------------------------------------------------------- */

static void apply_all(struct run *run)
{
	for (size_t i = 0; ok(run) && i < run->count; i++)
		if (!run->migrations[i].applied)
			apply(run, &run->migrations[i], true);
}

static void take_back_newest(struct run *run)
{
	size_t i = run->count;

	while (i > 0 && !run->migrations[i - 1].applied)
		i--;
	if (run->newest[0] == '\0')
		ath_error_set(run->error, ATH_ENOTFOUND, "no migration is applied");
	else if (i == 0 || strcmp(run->migrations[i - 1].version, run->newest) != 0)
		ath_error_set(run->error, ATH_EINVAL,
			      "%s is the newest that is applied, and its file is missing",
			      run->newest);
	else
		apply(run, &run->migrations[i - 1], false);
}

/* The lock, and the table behind it. */
static void prepare(struct run *run)
{
	static const char *const lock[] = { "select pg_advisory_lock" LOCK };
	static const char *const table[] = { LOCK_TRANSACTION,
					     "create table if not exists schema_migrations "
					     "(version varchar(128) primary key)" };

	if (!run->pooled)
		execute_only(run, 1, lock, NULL);
	execute_only(run, 2, table, NULL); /* one transaction */
}

static enum ath_status migrate(struct ath_engine *engine, const char *directory,
			       void (*done)(const char *file), struct ath_error *error,
			       void (*what)(struct run *run))
{
	static const char *const unlock[] = { "select pg_advisory_unlock" LOCK };
	struct run run = { .engine = engine,
			   .pooled = ath_engine_is_pooled(engine),
			   .directory = directory,
			   .done = done,
			   .error = error };

	ath_error_clear(error);
	if (ath_arena_open(&run.arena, MAX_ALL) != ATH_OK)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	list_files(&run);
	if (ok(&run) && ath_engine_checkout(engine, &run.connection, ATH_NEVER, error) == ATH_OK) {
		prepare(&run);
		read_applied(&run);
		if (ok(&run))
			what(&run);
		if (!ok(&run)) /* the connection goes, and its locks with it */
			ath_connection_spoil(run.connection);
		else if (!run.pooled)
			execute_only(&run, 1, unlock, NULL);
	}
	ath_engine_give_back(engine, &run.connection);
	ath_arena_close(&run.arena);
	return error->status;
}

enum ath_status ath_migrate_up(struct ath_engine *engine, const char *directory,
			       void (*done)(const char *file), struct ath_error *error)
{
	return migrate(engine, directory, done, error, apply_all);
}

enum ath_status ath_migrate_down(struct ath_engine *engine, const char *directory,
				 void (*done)(const char *file), struct ath_error *error)
{
	return migrate(engine, directory, done, error, take_back_newest);
}
