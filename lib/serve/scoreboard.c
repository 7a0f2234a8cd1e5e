/* scoreboard.c - the mapping that the processes share, the master's part in it, and the sums. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "serve/scoreboard_parts.h"

const uint16_t ath_status_codes[ATH_STATUS_ROWS] = {
#define X(code) [ATH_STATUS_ROW_##code] = code,
	ATH_HTTP_STATUS_MAP(X)
#undef X
};

const uint64_t ath_bucket_ends[ATH_BUCKETS - 1] = {
#define X(end) end,
	ATH_BUCKET_MAP(X)
#undef X
};

/* ---- the mapping ----------------------------------------------------------------------------- */

/* Cuts pieces off the mapping; with start NULL it only counts how long that has to be. */
struct pieces {
	char *start;
	size_t length;
};

static void *cut(struct pieces *pieces, size_t count, size_t size)
{
	char *piece = pieces->start == NULL ? NULL : pieces->start + pieces->length;

	pieces->length += (count * size + 63) / 64 * 64; /* a cache line is one process's */
	return piece;
}

static void lay_out_slot(struct pieces *pieces, struct ath_scoreboard *board, struct ath_slot *slot,
			 size_t routes)
{
	struct ath_route_count *counts = cut(pieces, routes, sizeof *counts);
	struct ath_entry *entries = cut(pieces, ATH_ENTRIES, sizeof *entries);

	if (slot == NULL)
		return;
	slot->board = board;
	slot->tally.routes = counts;
	slot->entries = entries;
}

static void lay_out(struct pieces *pieces, size_t slots, size_t routes)
{
	struct ath_scoreboard *board =
		cut(pieces, 1, sizeof *board + slots * sizeof(struct ath_slot));
	struct ath_route_name *names = cut(pieces, routes, sizeof *names);
	struct ath_route_count *dead = cut(pieces, routes, sizeof *dead);

	for (size_t i = 0; i < slots; i++)
		lay_out_slot(pieces, board, board == NULL ? NULL : &board->slots[i], routes);
	if (board == NULL)
		return;
	board->slot_count = slots;
	board->route_count = routes;
	board->routes = names;
	board->dead.routes = dead;
}

/* NULL: no memory. */
static struct ath_scoreboard *map(size_t slots, size_t routes)
{
	struct pieces pieces = { 0 };
	struct ath_scoreboard *board;
	void *start;

	lay_out(&pieces, slots, routes);
	start = mmap(NULL, pieces.length, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return NULL;
	pieces = (struct pieces){ .start = start };
	lay_out(&pieces, slots, routes);
	board = start;
	board->size = pieces.length;
	board->listener = -1;
	return board;
}

/* ---- the routes, which have the numbers that they have in every worker ----------------------- */

static const char *method_name(enum ath_method method)
{
	static const char *const names[] = {
#define X(name) #name,
		ATH_METHOD_MAP(X)
#undef X
	};

	return method < ATH_METHOD_COUNT ? names[method] : "other";
}

/* The texts are freed with the board: by strdup, since the router goes. */
static bool name_routes(struct ath_scoreboard *board, const struct ath_router *router)
{
	board->routes[0] = (struct ath_route_name){ "any", strdup("none") };
	for (const struct ath_leaf *leaf = ath_router_first(router); leaf != NULL;
	     leaf = leaf->next)
		board->routes[leaf->number + 1] =
			(struct ath_route_name){ method_name(leaf->route->method),
						 strdup(leaf->path) };
	for (size_t i = 0; i < board->route_count; i++)
		if (board->routes[i].path == NULL)
			return false;
	return true;
}

static size_t count_routes(const struct ath_router *router)
{
	size_t count = 1; /* the one for requests without a route */

	for (const struct ath_leaf *leaf = ath_router_first(router); leaf != NULL;
	     leaf = leaf->next)
		count++;
	return count;
}

static struct ath_scoreboard *open_board(const struct ath_app *app, const struct ath_router *router,
					 size_t slots)
{
	struct ath_scoreboard *board = map(slots, count_routes(router));

	if (board == NULL)
		return NULL;
	board->name = app->name;
	board->version = app->version;
	board->pid = getpid();
	board->started = (int64_t)time(NULL);
	if (!name_routes(board, router))
		ath_scoreboard_close(&board);
	return board;
}

enum ath_status ath_scoreboard_open(struct ath_scoreboard **board, const struct ath_app *app,
				    size_t slots, struct ath_error *error)
{
	struct ath_router *router = NULL;

	*board = NULL;
	if (ath_router_open(&router, app->routes, error) == ATH_OK &&
	    ath_router_add_own(router, ath_own_routes, error) == ATH_OK) {
		*board = open_board(app, router, slots);
		if (*board == NULL)
			ath_error_set(error, ATH_ENOMEM, "no memory for a scoreboard");
	}
	ath_router_close(&router);
	return error->status;
}

void ath_scoreboard_close(struct ath_scoreboard **board)
{
	struct ath_scoreboard *old = board == NULL ? NULL : *board;

	if (old == NULL)
		return;
	for (size_t i = 0; i < old->route_count; i++)
		free((char *)(uintptr_t)old->routes[i].path);
	munmap(old, old->size);
	*board = NULL;
}

void ath_scoreboard_set_listener(struct ath_scoreboard *board, int fd)
{
	board->listener = fd;
}

/* ---- adding up ------------------------------------------------------------------------------- */

static void add_numbers(uint64_t *to, const uint64_t *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ath_write_number(&to[i], ath_read_number(&to[i]) + ath_read_number(&from[i]));
}

/* The place of a SQLSTATE; when there is none left, the last, which is that of all others. */
static struct ath_sqlstate_count *place_of(struct ath_tally *tally, const char *sqlstate)
{
	for (size_t i = 0; i < tally->sqlstate_count; i++)
		if (strcmp(tally->sqlstates[i].sqlstate, sqlstate) == 0)
			return &tally->sqlstates[i];
	if (tally->sqlstate_count == ATH_SQLSTATES)
		return &tally->sqlstates[ATH_SQLSTATES - 1];
	memcpy(tally->sqlstates[tally->sqlstate_count].sqlstate, sqlstate,
	       sizeof tally->sqlstates[0].sqlstate);
	return &tally->sqlstates[tally->sqlstate_count++];
}

static void add_tally(struct ath_tally *to, const struct ath_tally *from, size_t routes)
{
	size_t count = __atomic_load_n(&from->sqlstate_count, __ATOMIC_ACQUIRE);

	add_numbers(to->counters, from->counters, ATH_COUNTERS);
	for (size_t i = 0; i < count && i < ATH_SQLSTATES; i++) {
		struct ath_sqlstate_count *place = place_of(to, from->sqlstates[i].sqlstate);

		ath_write_number(&place->count, ath_read_number(&place->count) +
							ath_read_number(&from->sqlstates[i].count));
	}
	add_numbers((uint64_t *)to->routes, (const uint64_t *)from->routes,
		    routes * sizeof *to->routes / sizeof(uint64_t));
}

static void add_all(struct ath_tally *sum, const struct ath_scoreboard *board)
{
	struct ath_route_count *routes = sum->routes;

	memset(routes, 0, board->route_count * sizeof *routes);
	*sum = (struct ath_tally){ .routes = routes };
	add_tally(sum, &board->dead, board->route_count);
	for (size_t i = 0; i < board->slot_count; i++)
		if (ath_slot_state(&board->slots[i]) != ATH_WORKER_NONE)
			add_tally(sum, &board->slots[i].tally, board->route_count);
}

/* The master is done in no time; but one that was killed just then must not hold up a page. */
struct ath_tally *ath_scoreboard_sum(struct ath_scoreboard *board, struct ath_arena *arena)
{
	enum { TRIES = 1000 };
	struct ath_tally *sum = ath_new(arena, struct ath_tally, 1);
	uint32_t before, after;

	if (sum == NULL)
		return NULL;
	sum->routes = ath_new(arena, struct ath_route_count, board->route_count);
	if (sum->routes == NULL)
		return NULL;
	for (int i = 0; i < TRIES; i++) {
		before = __atomic_load_n(&board->sequence, __ATOMIC_ACQUIRE);
		add_all(sum, board);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = __atomic_load_n(&board->sequence, __ATOMIC_RELAXED);
		if (before == after && before % 2 == 0)
			break;
	}
	return sum;
}

/* ---- the master's ---------------------------------------------------------------------------- */

/* What a reader sees in between it will look at again: see ath_scoreboard_sum(). */
static void begin_change(struct ath_scoreboard *board)
{
	__atomic_store_n(&board->sequence, board->sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end_change(struct ath_scoreboard *board)
{
	__atomic_store_n(&board->sequence, board->sequence + 1, __ATOMIC_RELEASE);
}

struct ath_slot *ath_scoreboard_take(struct ath_scoreboard *board, unsigned number,
				     unsigned generation)
{
	for (size_t i = 0; i < board->slot_count; i++) {
		struct ath_slot *slot = &board->slots[i];

		if (ath_slot_state(slot) != ATH_WORKER_NONE)
			continue;
		slot->number = number;
		slot->generation = generation;
		slot->started = (int64_t)time(NULL);
		ath_slot_set_state(slot, ATH_WORKER_STARTS);
		return slot;
	}
	return NULL;
}

void ath_slot_set_pid(struct ath_slot *slot, pid_t pid)
{
	__atomic_store_n(&slot->pid, (int32_t)pid, __ATOMIC_RELAXED);
}

/* But for the pointers, which a reader follows at any time. */
static void clear(struct ath_slot *slot)
{
	struct ath_tally *tally = &slot->tally;

	memset(tally->routes, 0, slot->board->route_count * sizeof *tally->routes);
	memset(tally->counters, 0, sizeof tally->counters);
	memset(tally->sqlstates, 0, sizeof tally->sqlstates);
	tally->sqlstate_count = 0;
	memset(slot->entries, 0, slot->used * sizeof *slot->entries);
	memset(slot->gauges, 0, sizeof slot->gauges);
	slot->report = (struct ath_loop_report){ 0 };
	slot->free = slot->used = 0;
	ath_slot_set_pid(slot, 0);
	ath_slot_set_state(slot, ATH_WORKER_NONE);
}

void ath_slot_retire(struct ath_slot *slot)
{
	struct ath_scoreboard *board = slot->board;

	begin_change(board);
	add_tally(&board->dead, &slot->tally, board->route_count);
	clear(slot);
	end_change(board);
}

void ath_scoreboard_count_restart(struct ath_scoreboard *board)
{
	ath_write_number(&board->restarts, board->restarts + 1);
}

void ath_scoreboard_count_reload(struct ath_scoreboard *board)
{
	ath_write_number(&board->reloads, board->reloads + 1);
}

enum ath_worker_state ath_slot_state(const struct ath_slot *slot)
{
	return (enum ath_worker_state)__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

const struct ath_loop_report *ath_slot_report(const struct ath_slot *slot)
{
	return &slot->report;
}

uint64_t ath_slot_requests(const struct ath_slot *slot)
{
	return ath_read_number(&slot->tally.counters[ATH_COUNTER_ENDED]);
}

uint64_t ath_slot_in_flight(const struct ath_slot *slot)
{
	uint64_t ended = ath_read_number(&slot->tally.counters[ATH_COUNTER_ENDED]);
	uint64_t begun = ath_read_number(&slot->tally.counters[ATH_COUNTER_BEGUN]);

	return begun > ended ? begun - ended : 0;
}

bool ath_entry_read(const struct ath_entry *entry, struct ath_entry *copy)
{
	uint64_t begun = __atomic_load_n(&entry->begun_us, __ATOMIC_ACQUIRE);

	memcpy(copy, entry, sizeof *copy);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	copy->id[sizeof copy->id - 1] = copy->client[sizeof copy->client - 1] = '\0';
	copy->path[sizeof copy->path - 1] = '\0';
	return begun != 0 && ath_read_number(&entry->begun_us) == begun;
}

bool ath_slot_describe(const struct ath_slot *slot, char *text, size_t size)
{
	uint32_t mark = __atomic_load_n(&slot->report.mark, __ATOMIC_RELAXED);
	const struct ath_scoreboard *board = slot->board;
	uint32_t route = mark & ~ATH_MARK_ROUTE;
	struct ath_entry entry = { .id = "" };

	*text = '\0';
	if (mark != 0 && !(mark & ATH_MARK_ROUTE)) {
		if (mark > ATH_ENTRIES || !ath_entry_read(&slot->entries[mark - 1], &entry))
			return false;
		route = entry.route;
	}
	if (mark == 0 || route >= board->route_count)
		return false;
	snprintf(text, size, "%s %s%s%s", board->routes[route].method, board->routes[route].path,
		 entry.id[0] == '\0' ? "" : ", request ", entry.id);
	return true;
}
