/*
 * slot.c - what a worker writes of itself into its slot of the scoreboard: a few stores for each
 * request, and once a second what its parts tell when they are asked.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "serve/scoreboard_parts.h"

enum { TICK_MS = 1000 };

void ath_slot_set_state(struct ath_slot *slot, enum ath_worker_state state)
{
	__atomic_store_n(&slot->state, (uint32_t)state, __ATOMIC_RELEASE);
}

static void add(uint64_t *number, uint64_t more)
{
	ath_write_number(number, *number + more);
}

/* ---- requests -------------------------------------------------------------------------------- */

/* The one that was used last is the one that the cache still holds. */
static struct ath_entry *take_entry(struct ath_slot *slot)
{
	struct ath_entry *entry;

	if (slot->free != 0) {
		entry = &slot->entries[slot->free - 1];
		slot->free = entry->next;
		return entry;
	}
	return slot->used == ATH_ENTRIES ? NULL : &slot->entries[slot->used++];
}

static void copy_text(char *to, size_t size, const char *from, size_t length)
{
	length = length < size ? length : size - 1;
	memcpy(to, from, length);
	to[length] = '\0';
}

#define COPY(to, from, length) copy_text((to), sizeof(to), (from), (length))

static void fill_entry(struct ath_entry *entry, const struct ath_request *request, uint32_t route)
{
	const char *client = ath_param(request, "REMOTE_ADDR");

	entry->route = route;
	entry->method = (uint32_t)request->method;
	entry->content_length = request->raw_body.length;
	COPY(entry->id, request->id, strlen(request->id));
	COPY(entry->client, client == NULL ? "" : client, client == NULL ? 0 : strlen(client));
	COPY(entry->path, request->path.data == NULL ? "" : request->path.data,
	     request->path.length);
	__atomic_store_n(&entry->begun_us, request->began_us, __ATOMIC_RELEASE);
}

static uint32_t route_of(const struct ath_request *request)
{
	const struct ath_leaf *leaf = request->match.leaf;

	return leaf == NULL ? 0 : (uint32_t)leaf->number + 1;
}

static void began(struct ath_request *request)
{
	struct ath_slot *slot = ath_request_worker(request)->slot;
	uint32_t route = route_of(request);
	struct ath_entry *entry = take_entry(slot);

	add(&slot->tally.counters[ATH_COUNTER_BEGUN], 1);
	request->mark = ATH_MARK_ROUTE | route;
	if (entry != NULL) {
		fill_entry(entry, request, route);
		request->mark = (uint32_t)(entry - slot->entries) + 1;
	}
	ath_fiber_set_mark(ath_fiber_current(), request->mark);
}

static void free_entry(struct ath_slot *slot, uint32_t mark, uint64_t took_us)
{
	struct ath_entry *entry;

	if (mark == 0 || mark & ATH_MARK_ROUTE)
		return;
	entry = &slot->entries[mark - 1];
	ath_write_number(&entry->begun_us, 0);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	ath_write_number(&entry->took_us, took_us);
	entry->next = slot->free;
	slot->free = mark;
}

static enum ath_status_row row_of(int status)
{
	static const unsigned char rows[] = {
#define X(code) [code] = ATH_STATUS_ROW_##code,
		ATH_HTTP_STATUS_MAP(X)
#undef X
	};

	return status < 0 || (size_t)status >= sizeof rows ? ATH_STATUS_ROW_OTHER
							   : (enum ath_status_row)rows[status];
}

static void count_latency(struct ath_route_count *count, uint64_t took_us)
{
	size_t i = 0;

	while (i < ATH_BUCKETS - 1 && took_us > ath_bucket_ends[i])
		i++;
	add(&count->buckets[i], 1);
	add(&count->sum_us, took_us);
}

static void ended(struct ath_request *request, int status, const struct ath_output *output)
{
	struct ath_slot *slot = ath_request_worker(request)->slot;
	uint64_t *counters = slot->tally.counters;
	struct ath_route_count *count = &slot->tally.routes[route_of(request)];

	add(&count->statuses[row_of(status)], 1);
	count_latency(count, request->took_us);
	add(&counters[ATH_COUNTER_BYTES_IN], request->raw_body.length + request->body_read);
	add(&counters[ATH_COUNTER_BYTES_OUT], request->sent_bytes + output->body_length);
	add(&counters[ATH_COUNTER_BROKEN], output->end == ATH_OUTPUT_BREAKS);
	add(&counters[ATH_COUNTER_SLOW], ath_request_is_slow(request));
	add(&counters[ATH_COUNTER_ENDED], 1);
	ath_fiber_set_mark(ath_fiber_current(), 0); /* what it kept the loop for is told here */
	free_entry(slot, request->mark, request->took_us);
}

/* ---- once a second --------------------------------------------------------------------------- */

/* The first number is the whole of its address space, the second what of it is in memory. */
uint64_t ath_process_memory(pid_t pid)
{
	char path[32], text[64], *second;
	ssize_t length;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof text - 1);
	close(fd);
	text[length < 0 ? 0 : length] = '\0';
	second = strchr(text, ' ');
	return second == NULL ? 0 : strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t microseconds(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void tell_process(struct ath_slot *slot)
{
	uint64_t *counters = slot->tally.counters;
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		ath_write_number(&counters[ATH_COUNTER_USER_US], microseconds(usage.ru_utime));
		ath_write_number(&counters[ATH_COUNTER_SYSTEM_US], microseconds(usage.ru_stime));
	}
	ath_write_number(&slot->gauges[ATH_GAUGE_MEMORY], ath_process_memory(getpid()));
}

static void tell_server(struct ath_slot *slot, const struct ath_fcgi_server *server)
{
	struct ath_fcgi_stats stats;

	ath_fcgi_get_stats(server, &stats);
	ath_write_number(&slot->tally.counters[ATH_COUNTER_ACCEPTED], stats.accepted);
	ath_write_number(&slot->tally.counters[ATH_COUNTER_REFUSED], stats.refused);
	ath_write_number(&slot->gauges[ATH_GAUGE_CONNECTIONS], stats.connections);
	ath_write_number(&slot->gauges[ATH_GAUGE_QUEUED], stats.queued);
	ath_write_number(&slot->gauges[ATH_GAUGE_STREAMS], stats.streams);
}

/* A code is there before its place counts. */
static void tell_sqlstates(struct ath_tally *tally, const struct ath_engine_stats *stats)
{
	for (size_t i = 0; i < stats->sqlstate_count; i++) {
		if (i >= tally->sqlstate_count)
			memcpy(tally->sqlstates[i].sqlstate, stats->sqlstates[i].sqlstate,
			       sizeof tally->sqlstates[i].sqlstate);
		ath_write_number(&tally->sqlstates[i].count, stats->sqlstates[i].count);
	}
	__atomic_store_n(&tally->sqlstate_count, stats->sqlstate_count, __ATOMIC_RELEASE);
}

static void tell_engine(struct ath_slot *slot, const struct ath_engine *engine)
{
	uint64_t *counters = slot->tally.counters, *gauges = slot->gauges;
	struct ath_engine_stats stats;

	ath_engine_get_stats(engine, &stats);
	ath_write_number(&counters[ATH_COUNTER_STATEMENTS], stats.statements);
	ath_write_number(&counters[ATH_COUNTER_BATCHES], stats.batches);
	ath_write_number(&counters[ATH_COUNTER_CONNECTS], stats.connects);
	ath_write_number(&counters[ATH_COUNTER_FAILED_CONNECTS], stats.failed_connects);
	ath_write_number(&counters[ATH_COUNTER_LOST], stats.lost);
	ath_write_number(&counters[ATH_COUNTER_CANCELS], stats.cancels);
	ath_write_number(&counters[ATH_COUNTER_POOL_TIMEOUTS], stats.pool_timeouts);
	ath_write_number(&counters[ATH_COUNTER_POOL_REFUSED], stats.pool_refused);
	ath_write_number(&gauges[ATH_GAUGE_PIPELINES], stats.pipelines);
	ath_write_number(&gauges[ATH_GAUGE_OUTSTANDING], stats.outstanding);
	ath_write_number(&gauges[ATH_GAUGE_POOL_MOST], stats.pool_most);
	ath_write_number(&gauges[ATH_GAUGE_POOL_IDLE], stats.pool_idle);
	ath_write_number(&gauges[ATH_GAUGE_POOL_LENT], stats.pool_lent);
	ath_write_number(&gauges[ATH_GAUGE_POOL_WAITING], stats.pool_waiting);
	ath_write_number(&gauges[ATH_GAUGE_CONNECTIONS_MOST], stats.connections_most);
	tell_sqlstates(&slot->tally, &stats);
}

void ath_slot_refresh(struct ath_worker *worker)
{
	if (worker->slot == NULL)
		return;
	tell_process(worker->slot);
	if (worker->server != NULL)
		tell_server(worker->slot, worker->server);
	if (worker->rest.engine != NULL)
		tell_engine(worker->slot, worker->rest.engine);
}

/* By as much as its timer is late, everything else is. */
static void tell_loop(struct ath_slot *slot, int64_t late_ms)
{
	uint64_t *counters = slot->tally.counters, *gauges = slot->gauges;
	uint64_t busy_us = ath_read_number(&slot->report.busy_us);
	uint64_t before_us = ath_read_number(&counters[ATH_COUNTER_BUSY_US]);
	uint64_t passed_us = (uint64_t)(TICK_MS + late_ms) * 1000;

	ath_write_number(&counters[ATH_COUNTER_TURNS], ath_read_number(&slot->report.turns));
	ath_write_number(&counters[ATH_COUNTER_BUSY_US], busy_us);
	ath_write_number(&gauges[ATH_GAUGE_BUSY_PERMILLE],
			 (busy_us - before_us) * 1000 / passed_us);
	ath_write_number(&gauges[ATH_GAUGE_LAG_US], (uint64_t)late_ms * 1000);
	ath_write_number(&gauges[ATH_GAUGE_LONGEST_US], ath_read_number(&slot->report.longest_us));
	ath_write_number(&slot->report.longest_us, 0);
}

/* Several processes raise it: once a second a lock is nothing. */
static void raise_to(uint64_t *most, uint64_t value)
{
	uint64_t before = ath_read_number(most);

	while (before < value && !__atomic_compare_exchange_n(most, &before, value, true,
							      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* What is nobody's own: every worker looks, and they say the same. */
static void tell_board(struct ath_scoreboard *board)
{
	uint64_t active = 0, waiting, most;

	for (size_t i = 0; i < board->slot_count; i++)
		active += ath_slot_in_flight(&board->slots[i]) > 0;
	raise_to(&board->most_active, active);
	if (board->listener < 0 || !ath_listen_queue(board->listener, &waiting, &most))
		return;
	ath_write_number(&board->listen_queue, waiting);
	ath_write_number(&board->backlog, most);
	raise_to(&board->most_listen_queue, waiting);
}

static void tick(struct ath_timer *timer)
{
	struct ath_worker *worker = container_of(timer, struct ath_worker, tick);
	int64_t now = ath_now();

	tell_loop(worker->slot, now - timer->at);
	ath_slot_refresh(worker);
	tell_board(worker->slot->board);
	ath_timer_start(worker->loop, timer, now + TICK_MS);
}

/* ---- what keeps the loop --------------------------------------------------------------------- */

/* Nobody else is served meanwhile: what does not wait by the library belongs into ath_offload(). */
static void blocked(uint32_t mark, int64_t ms, void *arg)
{
	const struct ath_worker *worker = arg;
	struct ath_slot *slot = worker->slot;
	const struct ath_entry *entry =
		mark == 0 || mark & ATH_MARK_ROUTE ? NULL : &slot->entries[mark - 1];
	const struct ath_route_name *route =
		&slot->board->routes[entry == NULL ? mark & ~ATH_MARK_ROUTE : entry->route];
	struct ath_log_line line;

	add(&slot->tally.counters[ATH_COUNTER_BLOCKED], 1);
	ath_log_begin(&line, worker->log, ATH_LOG_WARNING,
		      mark == 0 ? "a task kept the loop" : "a handler kept the loop");
	ath_log_int(&line, "ms", ms);
	if (mark != 0) {
		ath_log_text(&line, "method", route->method);
		ath_log_text(&line, "route", route->path);
	}
	if (entry != NULL)
		ath_log_text(&line, "id", entry->id);
	ath_log_end(&line);
}

/* ---- the worker ------------------------------------------------------------------------------ */

void ath_slot_attach(struct ath_worker *worker)
{
	struct ath_slot *slot = worker->slot;

	worker->board = slot->board;
	worker->web.began = began;
	worker->web.ended = ended;
	worker->tick.fire = tick;
	ath_loop_watch_itself(worker->loop, &slot->report, worker->blocked_ms, blocked, worker);
	ath_timer_start(worker->loop, &worker->tick, ath_now() + TICK_MS);
	ath_slot_refresh(worker);
}

void ath_slot_detach(struct ath_worker *worker)
{
	if (worker->slot == NULL)
		return;
	ath_timer_stop(worker->loop, &worker->tick);
	ath_loop_watch_itself(worker->loop, NULL, 0, NULL, NULL);
	ath_slot_refresh(worker);
	worker->web.began = NULL;
	worker->web.ended = NULL;
	ath_slot_set_state(worker->slot, ATH_WORKER_ENDED);
	worker->slot = NULL;
}
