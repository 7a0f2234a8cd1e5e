/*
 * status.c - GET /-/status: what the workers do now. The names are those of php-fpm's status page,
 * so that what reads that one reads this one too; where they mean less here they mean
 *
 *	accepted conn         connections of the web server, each of which carries many requests
 *	max children reached  requests that were refused because too many waited
 *	max active processes  as seen once a second, and so is max listen queue
 *	request duration      microseconds, of the oldest request in flight, or of the last one
 *	script                the route
 *	user                  -
 *	last request cpu      how busy the loop was in the last second, in percent
 *	last request memory   bytes of the process that are in RAM
 */
#include <stdio.h>
#include <time.h>

#include "serve/status_parts.h"

/* ---- facts ----------------------------------------------------------------------------------- */

static void add(struct ath_status_facts *facts, const char *name, enum ath_status_fact_kind kind,
		uint64_t number)
{
	if (facts->count < ATH_STATUS_FACTS)
		facts->facts[facts->count++] = (struct ath_status_fact){ name, kind, number, NULL };
}

static void add_text(struct ath_status_facts *facts, const char *name, const char *text)
{
	if (facts->count < ATH_STATUS_FACTS)
		facts->facts[facts->count++] = (struct ath_status_fact){ name, ATH_FACT_TEXT, 0,
									 text == NULL ? "" : text };
}

static uint64_t since(const struct ath_status_page *page, int64_t start)
{
	return page->now > start ? (uint64_t)(page->now - start) : 0;
}

static bool is_active(const struct ath_slot *slot)
{
	return ath_slot_in_flight(slot) > 0;
}

static void find_pool_facts(struct ath_status_page *page, const struct ath_tally *sum)
{
	const struct ath_scoreboard *board = page->board;
	const uint64_t *counters = sum->counters;
	struct ath_status_facts *facts = &page->pool;
	uint64_t active = 0, in_flight = 0, most = ath_read_number(&board->most_active);

	for (size_t i = 0; i < page->process_count; i++) {
		active += is_active(page->processes[i].slot);
		in_flight += ath_slot_in_flight(page->processes[i].slot);
	}
	add_text(facts, "pool", board->name);
	add_text(facts, "process manager", "static");
	add(facts, "start time", ATH_FACT_MOMENT, (uint64_t)board->started);
	add(facts, "start since", ATH_FACT_SECONDS, since(page, board->started));
	add(facts, "accepted conn", ATH_FACT_COUNT, counters[ATH_COUNTER_ACCEPTED]);
	add(facts, "listen queue", ATH_FACT_COUNT, ath_read_number(&board->listen_queue));
	add(facts, "max listen queue", ATH_FACT_COUNT, ath_read_number(&board->most_listen_queue));
	add(facts, "listen queue len", ATH_FACT_COUNT, ath_read_number(&board->backlog));
	add(facts, "idle processes", ATH_FACT_COUNT, page->process_count - active);
	add(facts, "active processes", ATH_FACT_COUNT, active);
	add(facts, "total processes", ATH_FACT_COUNT, page->process_count);
	add(facts, "max active processes", ATH_FACT_COUNT, active > most ? active : most);
	add(facts, "max children reached", ATH_FACT_COUNT, counters[ATH_COUNTER_REFUSED]);
	add(facts, "slow requests", ATH_FACT_COUNT, counters[ATH_COUNTER_SLOW]);
	/* what php-fpm does not have */
	add_text(facts, "version", board->version);
	add(facts, "master pid", ATH_FACT_COUNT, (uint64_t)board->pid);
	add(facts, "requests", ATH_FACT_COUNT, counters[ATH_COUNTER_ENDED]);
	add(facts, "requests in flight", ATH_FACT_COUNT, in_flight);
	add(facts, "worker restarts", ATH_FACT_COUNT, ath_read_number(&board->restarts));
	add(facts, "reloads", ATH_FACT_COUNT, ath_read_number(&board->reloads));
	add(facts, "statements", ATH_FACT_COUNT, counters[ATH_COUNTER_STATEMENTS]);
}

static const char *state_name(const struct ath_slot *slot)
{
	switch (ath_slot_state(slot)) {
	case ATH_WORKER_STARTS:
		return "Starting";
	case ATH_WORKER_SERVES:
		return is_active(slot) ? "Running" : "Idle";
	case ATH_WORKER_LEAVES:
		return "Finishing";
	case ATH_WORKER_NONE:
	case ATH_WORKER_ENDED:
		break;
	}
	return "Ending";
}

static uint32_t read_index(const uint32_t *number)
{
	uint32_t value = __atomic_load_n(number, __ATOMIC_RELAXED);

	return value <= ATH_ENTRIES ? value : ATH_ENTRIES;
}

void ath_status_each_request(struct ath_status_page *page, const struct ath_slot *slot,
			     void (*each)(struct ath_status_page *page,
					  const struct ath_entry *entry))
{
	uint32_t used = read_index(&slot->used);
	struct ath_entry entry;

	for (uint32_t i = 0; i < used; i++)
		if (ath_entry_read(&slot->entries[i], &entry))
			each(page, &entry);
}

/* Of the last one that ended what it was is still there. */
static void find_request(struct ath_status_process *process)
{
	const struct ath_slot *slot = process->slot;
	uint32_t used = read_index(&slot->used), last = read_index(&slot->free);
	struct ath_entry entry;
	bool found = false;

	for (uint32_t i = 0; i < used; i++) {
		if (!ath_entry_read(&slot->entries[i], &entry) ||
		    (found && entry.begun_us >= process->entry.begun_us))
			continue;
		process->entry = entry;
		found = true;
	}
	if (!found && last != 0)
		(void)ath_entry_read(&slot->entries[last - 1], &process->entry);
}

const struct ath_route_name *ath_entry_route(const struct ath_scoreboard *board,
					     const struct ath_entry *entry)
{
	return &board->routes[entry->route < board->route_count ? entry->route : 0];
}

const char *ath_entry_method(const struct ath_scoreboard *board, const struct ath_entry *entry)
{
	static const char *const names[] = {
#define X(name) #name,
		ATH_METHOD_MAP(X)
#undef X
	};

	return entry->method < ATH_COUNT(names) ? names[entry->method]
						: ath_entry_route(board, entry)->method;
}

static uint64_t duration(const struct ath_status_page *page, const struct ath_entry *entry)
{
	if (entry->begun_us == 0)
		return entry->took_us;
	return page->now_us > entry->begun_us ? page->now_us - entry->begun_us : 0;
}

static void add_request(const struct ath_status_page *page, struct ath_status_process *process)
{
	const struct ath_entry *entry = &process->entry;
	struct ath_status_facts *facts = &process->facts;
	bool none = entry->path[0] == '\0';

	add(facts, "request duration", ATH_FACT_MICROSECONDS, none ? 0 : duration(page, entry));
	add_text(facts, "request method", none ? "-" : ath_entry_method(page->board, entry));
	add_text(facts, "request uri", none ? "-" : entry->path);
	add(facts, "content length", ATH_FACT_BYTES, entry->content_length);
	add_text(facts, "user", "-");
	add_text(facts, "script", none ? "-" : ath_entry_route(page->board, entry)->path);
}

static void find_process_facts(const struct ath_status_page *page,
			       struct ath_status_process *process)
{
	const struct ath_slot *slot = process->slot;
	struct ath_status_facts *facts = &process->facts;
	uint64_t gauges[ATH_GAUGES];

	for (size_t i = 0; i < ATH_GAUGES; i++)
		gauges[i] = ath_read_number(&slot->gauges[i]);
	find_request(process);
	add(facts, "pid", ATH_FACT_COUNT, (uint64_t)slot->pid);
	add_text(facts, "state", state_name(slot));
	add(facts, "start time", ATH_FACT_MOMENT, (uint64_t)slot->started);
	add(facts, "start since", ATH_FACT_SECONDS, since(page, slot->started));
	add(facts, "requests", ATH_FACT_COUNT, ath_slot_requests(slot));
	add_request(page, process);
	add(facts, "last request cpu", ATH_FACT_PERCENT, gauges[ATH_GAUGE_BUSY_PERMILLE]);
	add(facts, "last request memory", ATH_FACT_BYTES, gauges[ATH_GAUGE_MEMORY]);
	/* what php-fpm does not have */
	add(facts, "worker", ATH_FACT_COUNT, slot->number);
	add(facts, "generation", ATH_FACT_COUNT, slot->generation);
	add(facts, "requests in flight", ATH_FACT_COUNT, ath_slot_in_flight(slot));
	add(facts, "requests queued", ATH_FACT_COUNT, gauges[ATH_GAUGE_QUEUED]);
	add(facts, "connections", ATH_FACT_COUNT, gauges[ATH_GAUGE_CONNECTIONS]);
	add(facts, "streams", ATH_FACT_COUNT, gauges[ATH_GAUGE_STREAMS]);
	add(facts, "loop lag", ATH_FACT_MICROSECONDS, gauges[ATH_GAUGE_LAG_US]);
	add(facts, "longest turn", ATH_FACT_MICROSECONDS, gauges[ATH_GAUGE_LONGEST_US]);
	add(facts, "batches in flight", ATH_FACT_COUNT, gauges[ATH_GAUGE_OUTSTANDING]);
	add(facts, "pool lent", ATH_FACT_COUNT, gauges[ATH_GAUGE_POOL_LENT]);
	add(facts, "pool waiting", ATH_FACT_COUNT, gauges[ATH_GAUGE_POOL_WAITING]);
}

static bool find_processes(struct ath_status_page *page)
{
	const struct ath_scoreboard *board = page->board;

	page->processes = ath_new(page->arena, struct ath_status_process, board->slot_count);
	if (page->processes == NULL)
		return false;
	for (size_t i = 0; i < board->slot_count; i++) {
		enum ath_worker_state state = ath_slot_state(&board->slots[i]);

		if (state != ATH_WORKER_NONE && state != ATH_WORKER_ENDED)
			page->processes[page->process_count++].slot = &board->slots[i];
	}
	for (size_t i = 0; i < page->process_count; i++)
		find_process_facts(page, &page->processes[i]);
	return true;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_name(struct ath_buffer *out, const char *name)
{
	ath_buffer_quoted(out, name, strlen(name));
	ath_buffer_append(out, ":", 1);
}

static void put_text(struct ath_buffer *out, const char *name, const char *text)
{
	put_name(out, name);
	ath_buffer_json_text(out, text, strlen(text));
}

static void put_facts(struct ath_buffer *out, const struct ath_status_facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		const struct ath_status_fact *fact = &facts->facts[i];
		unsigned long long number = fact->number;

		if (i > 0)
			ath_buffer_append(out, ",", 1);
		if (fact->kind == ATH_FACT_TEXT) {
			put_text(out, fact->name, fact->text);
			continue;
		}
		put_name(out, fact->name);
		if (fact->kind == ATH_FACT_PERCENT)
			ath_buffer_printf(out, "%llu.%llu", number / 10, number % 10);
		else
			ath_buffer_printf(out, "%llu", number);
	}
}

static void put_request(struct ath_status_page *page, const struct ath_entry *entry)
{
	struct ath_buffer *out = page->out;

	ath_buffer_string(out, out->data[out->length - 1] == '[' ? "{" : ",{");
	put_text(out, "id", entry->id);
	ath_buffer_append(out, ",", 1);
	put_text(out, "request method", ath_entry_method(page->board, entry));
	ath_buffer_append(out, ",", 1);
	put_text(out, "request uri", entry->path);
	ath_buffer_append(out, ",", 1);
	put_text(out, "route", ath_entry_route(page->board, entry)->path);
	ath_buffer_append(out, ",", 1);
	put_text(out, "client", entry->client);
	ath_buffer_printf(out, ",\"request duration\":%llu,\"content length\":%llu}",
			  (unsigned long long)duration(page, entry),
			  (unsigned long long)entry->content_length);
}

static void put_json(struct ath_status_page *page, bool full)
{
	struct ath_buffer *out = page->out;

	ath_buffer_append(out, "{", 1);
	put_facts(out, &page->pool);
	for (size_t i = 0; full && i < page->process_count; i++) {
		ath_buffer_string(out, i == 0 ? ",\"processes\":[{" : ",{");
		put_facts(out, &page->processes[i].facts);
		ath_buffer_string(out, ",\"in flight\":[");
		if (!out->failed)
			ath_status_each_request(page, page->processes[i].slot, put_request);
		ath_buffer_string(out, "]}");
	}
	if (full)
		ath_buffer_string(out, page->process_count == 0 ? ",\"processes\":[]" : "]");
	ath_buffer_append(out, "}", 1);
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* A browser says that it wants HTML; what takes anything is a program. */
static bool wants_json(struct ath_request *request)
{
	static const char *const types[] = { "application/json", "text/html" };

	return ath_arg(request, "json") != NULL ||
	       ath_accept(request, types, ATH_COUNT(types)) == 0;
}

/* A page of our own needs its style, and nothing else; ?refresh=2 has a browser ask again. */
static void put_html(struct ath_status_page *page, struct ath_request *request,
		     struct ath_response *response)
{
	ath_response_header(response, "Content-Security-Policy",
			    "default-src 'none'; style-src 'unsafe-inline'; "
			    "frame-ancestors 'none'");
	if (ath_arg(request, "refresh") != NULL)
		ath_response_header(
			response, "Refresh",
			ath_arena_printf(page->arena, "%lld",
					 (long long)ath_arg_int(request, "refresh", 2, 1, 3600)));
	ath_status_put_html(page);
}

struct ath_response *ath_answer_status(struct ath_request *request)
{
	struct ath_worker *worker = ath_request_worker(request);
	struct ath_status_page page = { .board = worker->board,
					.arena = ath_request_arena(request),
					.now_us = ath_web_now_us(),
					.now = (int64_t)time(NULL) };
	struct ath_response *response;
	struct ath_tally *sum;
	bool json = wants_json(request);

	if (worker->board == NULL)
		return ath_problem(request, 404, "this process counts nothing");
	ath_slot_refresh(worker);
	sum = ath_scoreboard_sum(worker->board, page.arena);
	response = ath_response_new(request, 200,
				    json ? "application/json" : "text/html; charset=utf-8");
	page.out = ath_response_body(response);
	if (sum == NULL || response == NULL || !find_processes(&page))
		return NULL;
	find_pool_facts(&page, sum);
	ath_response_header(response, "Cache-Control", "no-store");
	if (json)
		put_json(&page, ath_arg(request, "full") != NULL);
	else
		put_html(&page, request, response);
	return response;
}
