/*
 * pipelines.c - what a slow statement costs those who read beside it: fibers that read one row
 * each, alone, and while others keep slow statements on the pipelines.
 *
 * Prints p50, p99 and the longest time of a read in milliseconds, for 0, 1 and 2 slow ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "orm/internal.h"

enum { READERS = 16, READS = 300, THINK_MS = 5, SLOW_MS = 1000 };

struct person_name {
	char *name;
};
ATH_LIST_(person_name)
ATH_DECLARE_READING_(person_name)
ATH_MODEL_RESULT(person_name, ATH_COLUMN(person_name, name));

static struct ath_engine *engine;
static double times[READERS * READS];
static size_t time_count, readers;

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct ath_session *open_session(void)
{
	struct ath_session *session;

	if (ath_session_open(&session, engine, NULL) == ATH_OK)
		return session;
	fprintf(stderr, "no session\n");
	exit(1);
}

static void check(const struct ath_session *session)
{
	const struct ath_error *error = ath_session_error(session);

	if (error == NULL)
		return;
	fprintf(stderr, "%s\n", error->message);
	exit(1);
}

static void read_often(void *arg)
{
	int64_t id = (int64_t)(intptr_t)arg;

	for (int i = 0; i < READS; i++) {
		struct ath_session *session = open_session();
		double begun = now_ms();

		(void)ath_sql(session, person_name, "select name from people where id = :id",
			      ATH_BIND("id", id));
		times[time_count++] = now_ms() - begun;
		check(session);
		ath_session_close(&session);
		(void)ath_sleep(THINK_MS);
	}
	readers--;
}

/* One slow statement after the other, as long as somebody reads. */
static void sleep_often(void *arg)
{
	(void)arg;
	while (readers > 0) {
		struct ath_session *session = open_session();

		(void)ath_sql(session, person_name, "select pg_sleep(:seconds)::text as name",
			      ATH_BIND("seconds", (double)SLOW_MS / 1e3));
		check(session);
		ath_session_close(&session);
	}
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void spawn(struct ath_loop *loop, void (*task)(void *arg), void *arg)
{
	struct ath_fiber *fiber;

	if (ath_loop_spawn(loop, task, arg, ATH_NEVER, &fiber) == ATH_OK)
		return;
	fprintf(stderr, "no fiber\n");
	exit(1);
}

static void run(struct ath_loop *loop, int slow)
{
	time_count = 0;
	readers = READERS;
	for (int i = 0; i < slow; i++)
		spawn(loop, sleep_often, NULL);
	for (intptr_t i = 0; i < READERS; i++)
		spawn(loop, read_often, (void *)(i + 1));
	while (ath_loop_fibers(loop) > 0)
		ath_loop_turn(loop, ATH_NEVER);
	qsort(times, time_count, sizeof *times, compare);
	printf("%d slow: p50 %.2f, p99 %.2f, longest %.2f\n", slow, times[time_count / 2],
	       times[time_count * 99 / 100], times[time_count - 1]);
}

int main(void)
{
	struct ath_engine_options options = { 0 };
	struct ath_error error;
	const char *url = getenv("DATABASE_URL");

	if (ath_loop_open(&options.loop, NULL) != ATH_OK ||
	    ath_engine_open(&engine, url, &options, &error) != ATH_OK) {
		fprintf(stderr,
			"DATABASE_URL must lead to a database that tables.sql has filled\n");
		return 1;
	}
	for (int slow = 0; slow <= 2; slow++)
		run(options.loop, slow);
	ath_engine_close(&engine);
	ath_loop_close(&options.loop);
	return 0;
}
