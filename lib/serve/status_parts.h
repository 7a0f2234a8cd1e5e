/*
 * status_parts.h - what the page of the status tells: facts with names, which its JSON (status.c)
 * and its HTML (status_page.c) walk through.
 */
#ifndef ATH_SERVE_STATUS_PARTS_H
#define ATH_SERVE_STATUS_PARTS_H

#include "serve/scoreboard_parts.h"

/* For people: a moment, a time and bytes are read better as such. JSON has the number. */
enum ath_status_fact_kind {
	ATH_FACT_COUNT,
	ATH_FACT_TEXT,
	ATH_FACT_MOMENT,       /* seconds since 1970 */
	ATH_FACT_SECONDS,      /* so many */
	ATH_FACT_MICROSECONDS, /* likewise */
	ATH_FACT_BYTES,
	ATH_FACT_PERCENT, /* in tenths of it */
};

struct ath_status_fact {
	const char *name;
	enum ath_status_fact_kind kind;
	uint64_t number;
	const char *text;
};

enum { ATH_STATUS_FACTS = 40 };
struct ath_status_facts {
	size_t count;
	struct ath_status_fact facts[ATH_STATUS_FACTS];
};

/* A worker, with the request that php-fpm would tell: the oldest in flight, else the last. */
struct ath_status_process {
	const struct ath_slot *slot;
	struct ath_entry entry;
	struct ath_status_facts facts;
};

struct ath_status_page {
	const struct ath_scoreboard *board;
	struct ath_arena *arena;
	struct ath_buffer *out;
	uint64_t now_us;
	int64_t now; /* seconds since 1970 */
	struct ath_status_facts pool;
	struct ath_status_process *processes;
	size_t process_count;
};

/* Calls each() with a copy of every request of a process that is in flight. */
void ath_status_each_request(struct ath_status_page *page, const struct ath_slot *slot,
			     void (*each)(struct ath_status_page *page,
					  const struct ath_entry *entry));
/* The route and the method of an entry. */
const struct ath_route_name *ath_entry_route(const struct ath_scoreboard *board,
					     const struct ath_entry *entry);
const char *ath_entry_method(const struct ath_scoreboard *board, const struct ath_entry *entry);
void ath_status_put_html(struct ath_status_page *page);

#endif
