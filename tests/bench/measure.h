/*
 * measure.h - the frame of the two programs that orm.sh compares: orm.c, with Athanor, and
 * libpq.c, by hand. Each does the same work, a workload named on the command line so many times,
 * and prints one line about it:
 *
 *	PROGRAM WORKLOAD COUNT[t]
 *	workload operations seconds cpu_us round_trips hwm_before hwm_after own all check
 *
 * cpu_us is user and system time of this process for each operation. round_trips, for each
 * operation too, is -1 unless COUNT has a t behind it: then the work goes by way of the proxy of
 * the tests, which counts them. hwm_* is VmHWM in KiB before and after, own and all are calls of
 * malloc for each operation: from the program and the library, and with those of libpq and libc.
 * check is made of what was read or written, and so is the same for both programs.
 */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include <inttypes.h>
#include <malloc.h>
#include <sys/resource.h>
#include <time.h>

#include "../allocations.h"
#include "../db/proxy.h"

/* What there is in the tables that orm.sh makes. */
enum { PEOPLE = 10000, NOTES_OF_EACH = 10, SOME = 20, MANY = 1000, BULK = 10000 };

struct workload {
	const char *name;
	uint64_t (*run)(long count);     /* returns the check */
	uint64_t (*warm_up)(long count); /* NULL: run */
};

/* ---- what is measured ------------------------------------------------------------------------ */

struct figures {
	double seconds, cpu;
	long memory;
	unsigned long own, all;
};

static inline double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* The largest the process has been, in KiB. */
static inline long high_water(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	char line[128];
	long kib = 0;

	while (status != NULL && fgets(line, sizeof line, status) != NULL)
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	if (status != NULL)
		fclose(status);
	return kib;
}

static inline struct figures take_figures(void)
{
	struct figures figures = { .memory = high_water(),
				   .own = own_allocations,
				   .all = all_allocations };
	struct timespec now;
	struct rusage usage;

	clock_gettime(CLOCK_MONOTONIC, &now);
	getrusage(RUSAGE_SELF, &usage);
	figures.seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	figures.cpu = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
	return figures;
}

/* ---- what is read ------------------------------------------------------------------------------
 */

/* A check looks at every member: whoever did not decode one gives another. */
static inline uint64_t check_add(uint64_t check, uint64_t value)
{
	return check * 31 + value;
}

static inline uint64_t check_text(uint64_t check, const char *text)
{
	return check_add(check, text == NULL ? 0 : (unsigned char)text[0]);
}

/* The keys that are read one after the other: all of them, not in order. */
static inline int64_t key_of(long i)
{
	return 1 + (int64_t)((uint64_t)i * 7919 % PEOPLE);
}

/* ---- the program --------------------------------------------------------------------------------
 */

/* By way of the proxy, which is a process of its own; url is where the database is. */
static inline const char *start_counting(const char *url)
{
	connect_control(url);
	snprintf(database_socket, sizeof database_socket, "%s", PQhost(control));
	snprintf(database_port, sizeof database_port, "%s", PQport(control));
	snprintf(database_user, sizeof database_user, "%s", PQuser(control));
	snprintf(database_name, sizeof database_name, "%s", PQdb(control));
	start_proxy();
	return proxy_url;
}

static inline void print_figures(const char *name, long count, const struct figures *before,
				 const struct figures *after, double round_trips, uint64_t check)
{
	double operations = (double)count;

	printf("%s %ld %.3f %.3f %.4g %ld %ld %.6g %.6g %" PRIx64 "\n", name, count,
	       after->seconds - before->seconds, (after->cpu - before->cpu) * 1e6 / operations,
	       round_trips, before->memory, after->memory,
	       (double)(after->own - before->own) / operations,
	       (double)(after->all - before->all) / operations, check);
}

/* The rest of main(): open connects, close_ ends that. */
static inline int measure(int argc, char **argv, const struct workload *workloads,
			  size_t workload_count, void (*open)(const char *url),
			  void (*close_)(void))
{
	const char *url = getenv("DATABASE_URL");
	const struct workload *workload = NULL;
	struct figures before, after;
	double round_trips = -1;
	char *end = NULL;
	long count;
	uint64_t check;

	for (size_t i = 0; argc == 3 && i < workload_count; i++)
		if (strcmp(workloads[i].name, argv[1]) == 0)
			workload = &workloads[i];
	count = workload == NULL ? 0 : strtol(argv[2], &end, 10);
	if (url == NULL || count < 1 || (*end != '\0' && strcmp(end, "t") != 0)) {
		fprintf(stderr, "usage: DATABASE_URL=... %s WORKLOAD COUNT[t]\n", argv[0]);
		return 2;
	}
	open(*end == 't' ? start_counting(url) : url);
	/* connects, prepares, and fills caches */
	(void)(workload->warm_up == NULL ? workload->run : workload->warm_up)(1 + count / 20);
	if (*end == 't')
		tell_proxy(PROXY_RESET);
	before = take_figures();
	check = workload->run(count);
	after = take_figures();
	if (*end == 't')
		/* a connection that is opened meanwhile, for reserve, has one of its own */
		round_trips = (double)(proxy_counts->round_trips - proxy_counts->connections) /
			      (double)count;
	close_();
	stop_proxy();
	PQfinish(control);
	print_figures(workload->name, count, &before, &after, round_trips, check);
	return 0;
}

#endif
