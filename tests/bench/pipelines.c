/*
 * pipelines.c - what a slow query does to the reads of others: fibers that read by primary key,
 * and how long each read took, without a slow query beside them and with one.
 *
 *	pipelines SECONDS
 *
 * prints "quiet" or "slow", the number of reads, and their p50, p99, p99.9 and largest time in
 * milliseconds; the two take turns, a second each. slow is one fiber that has the server sleep a
 * second, again and again, by a query of its own that goes where all reads go.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "db/internal.h"
#include "models.h"

enum { READERS = 16, PAUSE_MS = 5, PEOPLE = 10000, MOST = 1000000, ROUND_MS = 1000 };

/* What pg_sleep() gives, as something that a model can hold. */
struct slept {
	const char *text;
};
ATH_DECLARE_RESULT(slept);
ATH_MODEL_RESULT(slept, ATH_COLUMN(slept, text));

struct times {
	double ms[MOST];
	size_t count;
};

static struct ath_loop *loop;
static struct ath_engine *engine;
static struct times quiet, slow;
static struct times *now_in; /* where times go; NULL: nowhere */
static bool over, sleeping;

static void die(const char *what)
{
	fprintf(stderr, "pipelines: %s\n", what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct ath_session *open_session(void)
{
	struct ath_session *db;

	if (ath_session_open(&db, engine, NULL) != ATH_OK)
		die("no session");
	return db;
}

static void close_session(struct ath_session *db)
{
	if (ath_session_error(db) != NULL)
		die(ath_session_error(db)->message);
	ath_session_close(&db);
}

static void read_one(int64_t id)
{
	struct ath_session *db = open_session();
	struct times *times = now_in;
	double since = now_ms();

	if (person_get(db, id) == NULL)
		die("a person is missing");
	if (times != NULL && times == now_in && times->count < MOST)
		times->ms[times->count++] = now_ms() - since;
	close_session(db);
}

static void read_on(void *arg)
{
	int64_t id = (int64_t)(intptr_t)arg;

	(void)ath_sleep(id % PAUSE_MS); /* not all at once */
	for (; !over; id = id % PEOPLE + READERS + 1) {
		read_one(id % PEOPLE + 1);
		(void)ath_sleep(PAUSE_MS);
	}
}

static void sleep_once(void *arg)
{
	struct ath_session *db = open_session();

	(void)arg;
	(void)ath_sql(db, slept, "select pg_sleep(0.9)::text as text");
	close_session(db);
	sleeping = false;
}

/* A second each: first what warms up, then in turns. */
static void conduct(void *arg)
{
	long seconds = (long)(intptr_t)arg;

	(void)ath_sleep(ROUND_MS);
	for (long i = 0; i < seconds; i++) {
		now_in = i % 2 == 0 ? &quiet : &slow;
		if (i % 2 != 0) {
			sleeping = true;
			if (ath_spawn(sleep_once, NULL) != ATH_OK)
				die("no fiber");
		}
		(void)ath_sleep(ROUND_MS);
		now_in = NULL;
		while (sleeping)
			(void)ath_sleep(PAUSE_MS);
	}
	over = true;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static void print(const char *name, struct times *times)
{
	const double *ms = times->ms;
	size_t count = times->count;

	if (count == 0)
		die("nothing was read");
	qsort(times->ms, count, sizeof *ms, compare);
	printf("%s %zu %.3f %.3f %.3f %.3f\n", name, count, ms[count / 2], ms[count * 99 / 100],
	       ms[count * 999 / 1000], ms[count - 1]);
}

static void start(void (*task)(void *arg), intptr_t arg)
{
	struct ath_fiber *fiber;

	if (ath_loop_spawn(loop, task, (void *)arg, ATH_NEVER, &fiber) != ATH_OK)
		die("no fiber");
}

int main(int argc, char **argv)
{
	struct ath_engine_options options = { 0 };
	struct ath_error error = { 0 };
	const char *url = getenv("DATABASE_URL");
	long seconds = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

	if (url == NULL || seconds < 2) {
		fprintf(stderr, "usage: DATABASE_URL=... %s SECONDS\n", argv[0]);
		return 2;
	}
	if (ath_models_check(bench_models, &error) != ATH_OK)
		die(error.message);
	if (ath_loop_open(&loop, NULL) != ATH_OK)
		die("no loop");
	options.loop = loop;
	if (ath_engine_open(&engine, url, &options, &error) != ATH_OK)
		die(error.message);
	for (int i = 0; i < READERS; i++)
		start(read_on, i);
	start(conduct, seconds);
	while (ath_loop_fibers(loop) > 0)
		ath_loop_turn(loop, ATH_NEVER);
	ath_engine_close(&engine);
	ath_loop_close(&loop);
	print("quiet", &quiet);
	print("slow", &slow);
	return 0;
}
