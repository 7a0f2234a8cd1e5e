/*
 * share.c - which worker takes the next connection. One that is accepted is kept by the web server,
 * and all of its requests come to the worker that has it: so a worker with more than the others
 * leaves the next to them for a moment. When that is over nobody else wanted it, and it is taken:
 * those with fewer may be busy, and a request does not wait for the sake of balance.
 */
#include "serve/master.h"
#include "serve/scoreboard_parts.h"

/*
 * What is no matter. Connections come in bursts, when many have served their thousand requests at
 * once: workers that count too closely then leave them to one another, and a request waits.
 */
enum {
	SLACK = 8,        /* connections more than the one with the fewest, */
	SLACK_PART = 4,   /* and such a part of those that it has itself */
	PATIENCE_MS = 50, /* so long the others are waited for */
};

/* Of those that serve now. */
static uint64_t fewest(const struct ath_scoreboard *board, uint64_t least)
{
	for (size_t i = 0; i < board->slot_count; i++) {
		const struct ath_slot *slot = &board->slots[i];
		uint64_t count;

		if (ath_slot_state(slot) != ATH_WORKER_SERVES)
			continue;
		count = ath_read_number(&slot->gauges[ATH_GAUGE_CONNECTIONS]);
		least = count < least ? count : least;
	}
	return least;
}

static bool may_accept(const struct ath_web *web, size_t connections)
{
	struct ath_worker *worker = container_of(web, struct ath_worker, web);
	uint64_t most;
	int64_t now;

	ath_write_number(&worker->slot->gauges[ATH_GAUGE_CONNECTIONS], connections);
	most = fewest(worker->slot->board, connections) + SLACK + connections / SLACK_PART;
	if (connections <= most || connections > worker->share.connections) {
		worker->share.connections = connections;
		worker->share.since = 0;
	}
	if (connections <= most)
		return true;
	now = ath_now();
	if (worker->share.since == 0)
		worker->share.since = now;
	return now - worker->share.since >= PATIENCE_MS;
}

void ath_worker_share(struct ath_worker *worker)
{
	worker->web.may_accept = may_accept;
}
