/*
 * rounds.h - what one operation takes of the CPU's time: the median of rounds, since a machine that
 * does other things too spoils some of them.
 *
 * A count of instructions does not drift; web.sh has valgrind count them, of one function.
 */
#ifndef TESTS_BENCH_ROUNDS_H
#define TESTS_BENCH_ROUNDS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 9 };

static inline double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare_times(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static inline double median(double *times, size_t count)
{
	qsort(times, count, sizeof *times, compare_times);
	return times[count / 2];
}

/* Nanoseconds for each of the operations that run(operations) does. */
static inline double time_rounds(void (*run)(long operations), long operations)
{
	double times[ROUNDS];

	run(operations / 10); /* caches, and the arena's blocks */
	for (int i = 0; i < ROUNDS; i++) {
		double start = now_ns();

		run(operations);
		times[i] = (now_ns() - start) / (double)operations;
	}
	return median(times, ROUNDS);
}

static inline _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

#endif
