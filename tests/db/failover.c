/*
 * failover.c - a primary and its standby, whose roles change under an engine that stays open.
 * run.sh runs it, with a pair of servers for each scenario:
 *
 *	failover SCENARIO PRIMARY STANDBY	two directories of sql/cluster.sh
 *
 * A commit of the primary waits for the standby, so what was acknowledged is on both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <spawn.h>
#include <sys/wait.h>

#include "engine_fixture.h"
#include "orm/orm.h"

enum { WRITERS = 4, READERS = 2, MOST = 100000, ENOUGH = 20, POOL = 4 };

struct entry {
	int64_t id;
	int32_t writer;
	int32_t number;
};
ATH_DECLARE_ORM_(entry, id)
ATH_MODEL(entry, "entries", ATH_COLUMN(entry, id, .primary_key = true), ATH_COLUMN(entry, writer),
	  ATH_COLUMN(entry, number));

static const char *directories[2]; /* the primary's and the standby's, as they were at first */
enum { PRIMARY, STANDBY };

/* ---- the servers ------------------------------------------------------------------------- */

/* The directory of a cluster's socket. */
static const char *socket_of(int server)
{
	static char paths[2][256];
	char *path = paths[server];
	char link[256];

	/* its place is elsewhere when the directory's own path did not do */
	snprintf(link, sizeof link, "%s/place/pg", directories[server]);
	snprintf(path, sizeof paths[server], "%s/pg", directories[server]);
	if (access(link, F_OK) == 0)
		snprintf(path, sizeof paths[server], "%s", link);
	return path;
}

static void connect_to(int server)
{
	char url[1024];

	make_url(url, sizeof url, "postgres", socket_of(server), "5432");
	connect_control(url);
}

/* Runs sql/cluster.sh VERB DIRECTORY while the loop turns. */
static void cluster(const char *verb, int server)
{
	char *arguments[] = { "sql/cluster.sh", (char *)(uintptr_t)verb,
			      (char *)(uintptr_t)directories[server], NULL };
	pid_t child, gone;
	int status;

	if (posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) != 0)
		die_of(arguments[0], strerror(errno));
	while ((gone = waitpid(child, &status, WNOHANG)) == 0)
		ath_loop_turn(loop, ath_now() + 1);
	if (gone != child || status != 0)
		die_of(verb, "cluster.sh failed");
}

/* ---- what is done all the time ----------------------------------------------------------- */

struct writer {
	int32_t number;
	int acknowledged, refused; /* since the last mark() */
	int count;
	enum ath_status outcomes[MOST];
};

static struct writer writers[WRITERS];
static int64_t acknowledged;    /* by all of them, ever */
static int reads;               /* that were answered since the last mark() */
static int missing;             /* reads that did not find what had been acknowledged before */
static enum ath_status strange; /* an outcome that has no place here */
static char strange_message[256];
static bool stop;

static void mark(void)
{
	reads = 0;
	for (int i = 0; i < WRITERS; i++)
		writers[i].acknowledged = writers[i].refused = 0;
}

static bool is_known(enum ath_status status)
{
	return status == ATH_OK || status == ATH_EUNAVAILABLE || status == ATH_EUNKNOWN ||
	       status == ATH_EREADONLY;
}

static struct ath_session *open_session(void)
{
	struct ath_session_options options = { .deadline = ath_now() + PATIENCE_MS };
	struct ath_session *db;

	if (ath_session_open(&db, engine, &options) != ATH_OK)
		die_of("ath_session_open", "no session");
	return db;
}

/* Closes it as well. */
static enum ath_status status_of(struct ath_session *db)
{
	const struct ath_error *error = ath_session_error(db);
	enum ath_status status = error == NULL ? ATH_OK : error->status;

	if (!is_known(status) && strange == ATH_OK) {
		strange = status;
		snprintf(strange_message, sizeof strange_message, "%s", error->message);
	}
	ath_session_close(&db);
	return status;
}

static enum ath_status write_entry(int32_t writer, int32_t number)
{
	struct ath_session *db = open_session();
	struct entry *entry = entry_new(db);

	if (entry != NULL) {
		entry->writer = writer;
		entry->number = number;
		entry_add(db, entry);
	}
	(void)ath_commit(db);
	return status_of(db);
}

static enum ath_status count_entries(int64_t *count)
{
	struct ath_session *db = open_session();
	struct ath_query all = ath_query(entry);

	*count = ath_count(db, &all);
	return status_of(db);
}

static void write_all_the_time(void *arg)
{
	struct writer *writer = arg;

	while (!stop && writer->count < MOST) {
		enum ath_status status = write_entry(writer->number, writer->count);

		writer->outcomes[writer->count++] = status;
		if (status == ATH_OK) {
			writer->acknowledged++;
			acknowledged++;
		} else {
			writer->refused++;
		}
		(void)ath_sleep(1);
	}
}

static void read_all_the_time(void *arg)
{
	int64_t count, before;

	(void)arg;
	while (!stop) {
		before = acknowledged;
		if (count_entries(&count) == ATH_OK) {
			reads++;
			missing += count < before;
		}
		(void)ath_sleep(1);
	}
}

static void start_all(void)
{
	for (int i = 0; i < WRITERS; i++) {
		writers[i].number = i;
		start(write_all_the_time, &writers[i], ATH_NEVER);
	}
	for (int i = 0; i < READERS; i++)
		start(read_all_the_time, NULL, ATH_NEVER);
}

static void stop_all(void)
{
	stop = true;
	run_fibers();
}

static bool everybody_writes_and_reads(void)
{
	for (int i = 0; i < WRITERS; i++)
		if (writers[i].acknowledged < ENOUGH)
			return false;
	return reads >= ENOUGH;
}

static bool everybody_is_refused(void)
{
	for (int i = 0; i < WRITERS; i++)
		if (writers[i].refused == 0)
			return false;
	return true;
}

static int outcomes_of(enum ath_status status)
{
	int count = 0;

	for (int i = 0; i < WRITERS; i++)
		for (int j = 0; j < writers[i].count; j++)
			count += writers[i].outcomes[j] == status;
	return count;
}

/* ---- what must be stored ----------------------------------------------------------------- */

static int stored[WRITERS][MOST];

static void read_what_is_stored(void)
{
	PGresult *result = query_control("select writer, number from entries");

	memset(stored, 0, sizeof stored);
	for (int i = 0; i < PQntuples(result); i++)
		stored[atoi(PQgetvalue(result, i, 0))][atoi(PQgetvalue(result, i, 1))]++;
	PQclear(result);
}

/* Acknowledged: once. Unknown: once or not. Failed: not. */
static void check_what_is_stored(void)
{
	read_what_is_stored();
	for (int i = 0; i < WRITERS; i++)
		for (int j = 0; j < writers[i].count; j++) {
			enum ath_status outcome = writers[i].outcomes[j];
			int least = outcome == ATH_OK;
			int most = outcome == ATH_OK || outcome == ATH_EUNKNOWN;

			if (stored[i][j] < least || stored[i][j] > most)
				fail_msg("%d.%d of %d: %s, and stored %d times", i, j,
					 writers[i].count, ath_status_text(outcome), stored[i][j]);
		}
	if (strange != ATH_OK)
		fail_msg("%s: %s", ath_status_text(strange), strange_message);
	print_message("%d acknowledged, %d unknown, %d unavailable, %d read-only\n",
		      outcomes_of(ATH_OK), outcomes_of(ATH_EUNKNOWN), outcomes_of(ATH_EUNAVAILABLE),
		      outcomes_of(ATH_EREADONLY));
}

/* ---- fixtures ---------------------------------------------------------------------------- */

static int setup_with(const char *host, const char *attributes)
{
	char url[1024];

	snprintf(database_user, sizeof database_user, "postgres");
	make_url(url, sizeof url, "postgres", host, "5432");
	strncat(url, attributes, sizeof url - strlen(url) - 1);
	connect_to(PRIMARY);
	run_sql("create table if not exists entries (id bigint generated by default as identity"
		" primary key, writer integer not null, number integer not null)");
	return open_loop(NULL) ||
	       open_engine_with(url,
				(struct ath_engine_options){ .pool_size = POOL, .log = &silence });
}

/* The engine knows both, and wants the one that can be written to. */
static int setup_both(void **state)
{
	char hosts[512];

	(void)state;
	snprintf(hosts, sizeof hosts, "%s,%s", socket_of(PRIMARY), socket_of(STANDBY));
	return setup_with(hosts, "&target_session_attrs=read-write");
}

static int teardown(void **state)
{
	PQfinish(control);
	control = NULL;
	return close_engine(state);
}

/* ---- scenarios --------------------------------------------------------------------------- */

static bool everybody_waits_for_the_standby(void)
{
	return ask_number("select count(*) from pg_stat_activity where wait_event = 'SyncRep'") ==
	       WRITERS;
}

/* While all of them commit, which the standby has been told and does not show yet. */
static void test_the_primary_dies(void **state)
{
	int64_t count;

	(void)state;
	start_all();
	assert_true(turn_until(everybody_writes_and_reads));
	connect_to(STANDBY);
	run_sql("select pg_wal_replay_pause()");
	connect_to(PRIMARY);
	assert_true(turn_until(everybody_waits_for_the_standby));
	mark();
	cluster("kill", PRIMARY);
	assert_true(turn_until(everybody_is_refused));
	assert_true(outcomes_of(ATH_EUNKNOWN) >= WRITERS);
	cluster("promote", STANDBY);
	mark();
	assert_true(turn_until(everybody_writes_and_reads));
	stop_all();
	connect_to(STANDBY);
	check_what_is_stored();
	assert_int_equal(missing, 0);
	assert_int_equal(count_entries(&count), ATH_OK);
	assert_int_equal(count, ask_number("select count(*) from entries"));
}

static bool engine_has_left(void)
{
	return ask_number("select count(*) from pg_stat_activity"
			  " where application_name = 'athanor'") == 0;
}

/* The old primary lives on and refuses writes: nothing breaks, and the engine must go by itself. */
static void test_the_primary_becomes_read_only(void **state)
{
	(void)state;
	start_all();
	assert_true(turn_until(everybody_writes_and_reads));
	run_sql("alter system set default_transaction_read_only = on");
	run_sql("select pg_reload_conf()");
	mark();
	assert_true(turn_until(everybody_is_refused));
	cluster("promote", STANDBY);
	mark();
	assert_true(turn_until(everybody_writes_and_reads));
	assert_true(turn_until(engine_has_left));
	stop_all();
	connect_to(STANDBY);
	check_what_is_stored();
	assert_int_equal(missing, 0);
	/* each connection meets it once, and perhaps one more that had just been opened */
	assert_in_range(outcomes_of(ATH_EREADONLY), 1, 2 * POOL);
}

/* ---- an address that leads elsewhere ----------------------------------------------------- */

static char address[64], address_socket[96];

static void lead_to(int server)
{
	char target[300], next[128];

	snprintf(target, sizeof target, "%s/.s.PGSQL.5432", socket_of(server));
	snprintf(next, sizeof next, "%s.next", address_socket);
	if (symlink(target, next) != 0 || rename(next, address_socket) != 0)
		die_of(address_socket, strerror(errno));
}

static int setup_address(void **state)
{
	(void)state;
	make_directory(address, sizeof address);
	snprintf(address_socket, sizeof address_socket, "%s/.s.PGSQL.5432", address);
	lead_to(STANDBY);
	return setup_with(address, "");
}

static int teardown_address(void **state)
{
	unlink(address_socket);
	rmdir(address);
	return teardown(state);
}

static void write_once(void *arg)
{
	*(enum ath_status *)arg = write_entry(WRITERS, 0);
}

/* A connection to a server in recovery is fine for all it can tell, and yet not lent again. */
static void test_the_address_led_to_the_standby(void **state)
{
	enum ath_status statuses[POOL];
	int64_t count;

	(void)state;
	assert_int_equal(count_entries(&count), ATH_OK);
	for (int i = 0; i < POOL; i++)
		start(write_once, &statuses[i], ATH_NEVER);
	run_fibers();
	for (int i = 0; i < POOL; i++)
		assert_int_equal(statuses[i], ATH_EREADONLY);
	lead_to(PRIMARY);
	for (int i = 0; i < 2 * POOL; i++)
		assert_int_equal(write_entry(WRITERS, 1), ATH_OK);
	assert_int_equal(ask_number("select count(*) from entries where writer = 4"), 2 * POOL);
}

#define CASE cmocka_unit_test_setup_teardown

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_the_primary_dies, setup_both, teardown),
		CASE(test_the_primary_becomes_read_only, setup_both, teardown),
		CASE(test_the_address_led_to_the_standby, setup_address, teardown_address),
	};

	if (argc != 4)
		die_of("usage", "failover SCENARIO PRIMARY STANDBY");
	cmocka_set_test_filter(argv[1]);
	directories[PRIMARY] = argv[2];
	directories[STANDBY] = argv[3];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
