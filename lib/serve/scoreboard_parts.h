/*
 * scoreboard_parts.h - the shape of the scoreboard, for the files that write it (scoreboard.c,
 * slot.c) and those that make pages of it (metrics.c, status.c).
 *
 * A slot belongs to one process. Only that process writes the numbers in it, each by a store that
 * is whole and without a lock; the master alone takes a slot and frees it, when no process of its
 * writes any more. What the processes of freed slots have counted stays in dead, so that the sum
 * over dead and all slots never goes back: see ath_scoreboard_sum().
 */
#ifndef ATH_SERVE_SCOREBOARD_PARTS_H
#define ATH_SERVE_SCOREBOARD_PARTS_H

#include "serve/scoreboard.h"

/* ---- numbers ------------------------------------------------------------------------------- */

/* Those that only grow. */
enum ath_counter {
	ATH_COUNTER_BEGUN, /* requests */
	ATH_COUNTER_ENDED,
	ATH_COUNTER_SLOW,
	ATH_COUNTER_BROKEN, /* answers that were broken off */
	ATH_COUNTER_BYTES_IN,
	ATH_COUNTER_BYTES_OUT,
	ATH_COUNTER_ACCEPTED,
	ATH_COUNTER_REFUSED,
	ATH_COUNTER_BLOCKED,
	ATH_COUNTER_TURNS,
	ATH_COUNTER_BUSY_US,
	ATH_COUNTER_USER_US,
	ATH_COUNTER_SYSTEM_US,
	ATH_COUNTER_STATEMENTS,
	ATH_COUNTER_BATCHES,
	ATH_COUNTER_CONNECTS,
	ATH_COUNTER_FAILED_CONNECTS,
	ATH_COUNTER_LOST,
	ATH_COUNTER_CANCELS,
	ATH_COUNTER_POOL_TIMEOUTS,
	ATH_COUNTER_POOL_REFUSED,
	ATH_COUNTERS
};

/* What is the case now, as of the last second. */
enum ath_gauge {
	ATH_GAUGE_CONNECTIONS,
	ATH_GAUGE_QUEUED,
	ATH_GAUGE_STREAMS,
	ATH_GAUGE_PIPELINES,
	ATH_GAUGE_OUTSTANDING,
	ATH_GAUGE_POOL_MOST,
	ATH_GAUGE_POOL_IDLE,
	ATH_GAUGE_POOL_LENT,
	ATH_GAUGE_POOL_WAITING,
	ATH_GAUGE_CONNECTIONS_MOST,
	ATH_GAUGE_LAG_US,
	ATH_GAUGE_LONGEST_US, /* turn */
	ATH_GAUGE_BUSY_PERMILLE,
	ATH_GAUGE_MEMORY,
	ATH_GAUGES
};

/*
 * The status codes that IANA has registered, and nginx's for a client that has left; all others are
 * one.
 */
#define ATH_HTTP_STATUS_MAP(X)                                                                     \
	X(100)                                                                                     \
	X(101)                                                                                     \
	X(102)                                                                                     \
	X(103)                                                                                     \
	X(104)                                                                                     \
	X(200)                                                                                     \
	X(201)                                                                                     \
	X(202)                                                                                     \
	X(203)                                                                                     \
	X(204) X(205) X(206) X(207) X(208) X(226) X(300) X(301) X(302) X(303) X(304) X(305) X(307) \
		X(308) X(400) X(401) X(402) X(403) X(404) X(405) X(406) X(407) X(408) X(409)       \
			X(410) X(411) X(412) X(413) X(414) X(415) X(416) X(417) X(421) X(422)      \
				X(423) X(424) X(425) X(426) X(428) X(429) X(431) X(451) X(499)     \
					X(500) X(501) X(502) X(503) X(504) X(505) X(506) X(507)    \
						X(508) X(510) X(511)

enum ath_status_row {
	ATH_STATUS_ROW_OTHER,
#define X(code) ATH_STATUS_ROW_##code,
	ATH_HTTP_STATUS_MAP(X)
#undef X
		ATH_STATUS_ROWS
};

/* Latency in microseconds: the upper ends of the buckets, but for the last, which has none. */
#define ATH_BUCKET_MAP(X)                                                                          \
	X(500)                                                                                     \
	X(1000)                                                                                    \
	X(2500)                                                                                    \
	X(5000)                                                                                    \
	X(10000)                                                                                   \
	X(25000) X(50000) X(100000) X(250000) X(500000) X(1000000) X(2500000) X(5000000) X(10000000)

enum {
	ATH_BUCKETS = 1
#define X(end) +1
	ATH_BUCKET_MAP(X)
#undef X
};

/* Of one route. */
struct ath_route_count {
	uint64_t statuses[ATH_STATUS_ROWS];
	uint64_t buckets[ATH_BUCKETS]; /* each by itself, not those below it too */
	uint64_t sum_us;
};

/* All that adds up. */
struct ath_tally {
	uint64_t counters[ATH_COUNTERS];
	struct ath_sqlstate_count sqlstates[ATH_SQLSTATES];
	size_t sqlstate_count;
	struct ath_route_count *routes; /* route_count of the board */
};

/* ---- what a process does --------------------------------------------------------------------- */

/* A request in flight. It is free when begun_us is 0, and then still says what it was. */
struct ath_entry {
	uint64_t begun_us; /* on ath_now()'s clock; stored last, and emptied first */
	uint64_t took_us;  /* of the last that has ended */
	uint64_t content_length;
	uint32_t route; /* 0: none */
	uint32_t next;  /* free one + 1; 0: there is none */
	uint32_t method;
	char id[40], client[48], path[64]; /* cut, with a NUL */
};

/* A mark that is no entry's, because none was free, says the route alone. */
#define ATH_MARK_ROUTE 0x80000000U
enum { ATH_ENTRIES = 1024 + 128 };

struct ath_slot {
	_Alignas(64) struct ath_scoreboard *board;
	uint32_t state; /* enum ath_worker_state */
	int32_t pid;
	uint32_t number, generation;
	int64_t started; /* seconds since 1970 */
	struct ath_loop_report report;
	struct ath_tally tally;
	uint64_t gauges[ATH_GAUGES];
	struct ath_entry *entries;
	uint32_t free, used; /* the last one freed + 1; how many have been in use ever */
};

struct ath_route_name {
	const char *method, *path;
};

struct ath_scoreboard {
	size_t size; /* of the mapping */
	size_t slot_count, route_count;
	const char *name, *version; /* of the application */
	struct ath_route_name *routes;
	pid_t pid;       /* of the master, */
	int64_t started; /* and since when; seconds since 1970 */
	int listener;    /* -1: none is known */
	uint64_t restarts, reloads;
	uint64_t most_active, listen_queue, most_listen_queue, backlog; /* as ticks have seen it */
	uint32_t sequence; /* odd while dead and a slot are changed */
	struct ath_tally dead;
	struct ath_slot slots[];
};

/* Whole, and in no order: what these compile to is a plain move. */
static inline uint64_t ath_read_number(const uint64_t *number)
{
	return __atomic_load_n(number, __ATOMIC_RELAXED);
}
static inline void ath_write_number(uint64_t *number, uint64_t value)
{
	__atomic_store_n(number, value, __ATOMIC_RELAXED);
}

/* ---- for the pages --------------------------------------------------------------------------- */

/* The sum over all processes, dead and alive; NULL: no memory. */
struct ath_tally *ath_scoreboard_sum(struct ath_scoreboard *board, struct ath_arena *arena);
/* A copy of an entry that is in flight; false: it is free, or was changed meanwhile. */
bool ath_entry_read(const struct ath_entry *entry, struct ath_entry *copy);
/* Requests in flight. */
uint64_t ath_slot_in_flight(const struct ath_slot *slot);
/* Connections that wait to be accepted, and how many may; false: the system does not tell. */
bool ath_listen_queue(int fd, uint64_t *waiting, uint64_t *most);

extern const uint16_t ath_status_codes[ATH_STATUS_ROWS]; /* 0: other */
extern const uint64_t ath_bucket_ends[ATH_BUCKETS - 1];

#endif
