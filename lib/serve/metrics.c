/*
 * metrics.c - the page of GET /-/metrics, in Prometheus' text format 0.0.4: all processes in one
 * page, whoever answers it. One table says what there is, and is its documentation too.
 *
 * Counters are sums over all processes, those that have ended too, and never go back while the
 * master lives. Gauges are told for each worker by its number; where one leaves while its successor
 * serves already, they are told together.
 */
#include <stdio.h>

#include "serve/scoreboard_parts.h"

#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct page {
	struct ath_buffer *out;
	const struct ath_scoreboard *board;
	const struct ath_tally *sum;
};

enum unit { PLAIN, MICROSECONDS, PERMILLE }; /* how it is kept; it is told in base units */

struct ath_metric {
	const char *name, *type, *labels, *help;
	void (*put)(struct page *page, const struct ath_metric *metric);
	unsigned number; /* of a counter or a gauge */
	enum unit unit;
	bool largest; /* of two processes with one number; else their sum */
};

/* ---- values and labels ----------------------------------------------------------------------- */

static void put_value(struct page *page, uint64_t value, enum unit unit)
{
	uint64_t one = unit == MICROSECONDS ? 1000000 : unit == PERMILLE ? 1000 : 1;
	int digits = unit == MICROSECONDS ? 6 : 3;

	ath_buffer_int64(page->out, (int64_t)(value / one));
	if (value % one != 0)
		ath_buffer_printf(page->out, ".%0*llu", digits, (unsigned long long)(value % one));
	ath_buffer_append(page->out, "\n", 1);
}

/* A backslash, a quote and the end of a line would end it. */
static void put_label(struct page *page, const char *before, const char *name, const char *value)
{
	ath_buffer_string(page->out, before);
	ath_buffer_string(page->out, name);
	ath_buffer_append(page->out, "=\"", 2);
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			ath_buffer_append(page->out, "\\n", 2);
		else
			ath_buffer_printf(page->out, "%s%c",
					  *value == '\\' || *value == '"' ? "\\" : "", *value);
	}
	ath_buffer_append(page->out, "\"", 1);
}

static void put_sample(struct page *page, const struct ath_metric *metric, const char *label,
		       const char *label_value, uint64_t value)
{
	ath_buffer_string(page->out, metric->name);
	if (label != NULL) {
		put_label(page, "{", label, label_value);
		ath_buffer_append(page->out, "}", 1);
	}
	ath_buffer_append(page->out, " ", 1);
	put_value(page, value, metric->unit);
}

/* ---- of the whole --------------------------------------------------------------------------- */

static void put_build(struct page *page, const struct ath_metric *metric)
{
	ath_buffer_string(page->out, metric->name);
	put_label(page, "{", "application", page->board->name);
	put_label(page, ",", "version", page->board->version == NULL ? "" : page->board->version);
	ath_buffer_string(page->out, "} 1\n");
}

static void put_start(struct page *page, const struct ath_metric *metric)
{
	put_sample(page, metric, NULL, NULL, (uint64_t)page->board->started);
}

static void put_restarts(struct page *page, const struct ath_metric *metric)
{
	put_sample(page, metric, NULL, NULL, ath_read_number(&page->board->restarts));
}

static void put_reloads(struct page *page, const struct ath_metric *metric)
{
	put_sample(page, metric, NULL, NULL, ath_read_number(&page->board->reloads));
}

static void put_states(struct page *page, const struct ath_metric *metric)
{
	static const char *const names[] = { [ATH_WORKER_STARTS] = "starting",
					     [ATH_WORKER_SERVES] = "serving",
					     [ATH_WORKER_LEAVES] = "leaving" };
	uint64_t counts[ATH_WORKER_ENDED + 1] = { 0 };

	for (size_t i = 0; i < page->board->slot_count; i++)
		counts[ath_slot_state(&page->board->slots[i])]++;
	for (size_t i = ATH_WORKER_STARTS; i < ATH_COUNT(names); i++)
		put_sample(page, metric, "state", names[i], counts[i]);
}

/* Nothing is told where the system does not tell. */
static void put_listen_queue(struct page *page, const struct ath_metric *metric)
{
	if (ath_read_number(&page->board->backlog) > 0)
		put_sample(page, metric, NULL, NULL, ath_read_number(&page->board->listen_queue));
}

static void put_listen_queue_limit(struct page *page, const struct ath_metric *metric)
{
	if (ath_read_number(&page->board->backlog) > 0)
		put_sample(page, metric, NULL, NULL, ath_read_number(&page->board->backlog));
}

static void put_counter(struct page *page, const struct ath_metric *metric)
{
	put_sample(page, metric, NULL, NULL, page->sum->counters[metric->number]);
}

static void put_cpu(struct page *page, const struct ath_metric *metric)
{
	put_sample(page, metric, "mode", "user", page->sum->counters[ATH_COUNTER_USER_US]);
	put_sample(page, metric, "mode", "system", page->sum->counters[ATH_COUNTER_SYSTEM_US]);
}

/* Those of the dead that had begun and never ended. */
static void put_lost(struct page *page, const struct ath_metric *metric)
{
	const uint64_t *dead = page->board->dead.counters;
	uint64_t ended = ath_read_number(&dead[ATH_COUNTER_ENDED]);
	uint64_t begun = ath_read_number(&dead[ATH_COUNTER_BEGUN]);

	put_sample(page, metric, NULL, NULL, begun > ended ? begun - ended : 0);
}

static void put_sqlstates(struct page *page, const struct ath_metric *metric)
{
	for (size_t i = 0; i < page->sum->sqlstate_count; i++)
		put_sample(page, metric, "sqlstate", page->sum->sqlstates[i].sqlstate,
			   page->sum->sqlstates[i].count);
}

/* ---- of each route --------------------------------------------------------------------------- */

static void put_route(struct page *page, const char *name, const char *end, size_t route)
{
	ath_buffer_string(page->out, name);
	ath_buffer_string(page->out, end);
	put_label(page, "{", "method", page->board->routes[route].method);
	put_label(page, ",", "route", page->board->routes[route].path);
}

static void put_requests(struct page *page, const struct ath_metric *metric)
{
	for (size_t route = 0; route < page->board->route_count; route++) {
		const struct ath_route_count *count = &page->sum->routes[route];

		for (size_t i = 0; i < ATH_STATUS_ROWS; i++) {
			char status[8] = "other";

			if (count->statuses[i] == 0)
				continue;
			if (i != ATH_STATUS_ROW_OTHER)
				snprintf(status, sizeof status, "%u", ath_status_codes[i]);
			put_route(page, metric->name, "", route);
			put_label(page, ",", "status", status);
			ath_buffer_string(page->out, "} ");
			put_value(page, count->statuses[i], PLAIN);
		}
	}
}

static void put_buckets(struct page *page, const struct ath_metric *metric, size_t route)
{
	static const char *const ends[] = { "0.0005", "0.001", "0.0025", "0.005", "0.01",
					    "0.025",  "0.05",  "0.1",    "0.25",  "0.5",
					    "1",      "2.5",   "5",      "10",    "+Inf" };
	const struct ath_route_count *count = &page->sum->routes[route];
	uint64_t total = 0;

	_Static_assert(ATH_COUNT(ends) == ATH_BUCKETS, "one for each bucket");
	for (size_t i = 0; i < ATH_BUCKETS; i++) {
		total += count->buckets[i];
		put_route(page, metric->name, "_bucket", route);
		put_label(page, ",", "le", ends[i]);
		ath_buffer_string(page->out, "} ");
		put_value(page, total, PLAIN);
	}
	put_route(page, metric->name, "_sum", route);
	ath_buffer_string(page->out, "} ");
	put_value(page, count->sum_us, MICROSECONDS);
	put_route(page, metric->name, "_count", route);
	ath_buffer_string(page->out, "} ");
	put_value(page, total, PLAIN);
}

static void put_durations(struct page *page, const struct ath_metric *metric)
{
	for (size_t route = 0; route < page->board->route_count; route++) {
		bool any = false;

		for (size_t i = 0; i < ATH_BUCKETS && !any; i++)
			any = page->sum->routes[route].buckets[i] > 0;
		if (any)
			put_buckets(page, metric, route);
	}
}

/* ---- of each worker -------------------------------------------------------------------------- */

static bool is_told(const struct ath_slot *slot)
{
	enum ath_worker_state state = ath_slot_state(slot);

	return state != ATH_WORKER_NONE && state != ATH_WORKER_ENDED;
}

/* Calls for the first slot of each number. */
static void put_workers(struct page *page, const struct ath_metric *metric,
			uint64_t (*value)(const struct ath_slot *slot,
					  const struct ath_metric *metric))
{
	const struct ath_slot *slots = page->board->slots;
	size_t count = page->board->slot_count;

	for (size_t i = 0; i < count; i++) {
		uint64_t told = 0;
		char number[12];
		bool first = is_told(&slots[i]);

		for (size_t j = 0; j < i && first; j++)
			first = !is_told(&slots[j]) || slots[j].number != slots[i].number;
		for (size_t j = i; j < count && first; j++) {
			uint64_t each = is_told(&slots[j]) && slots[j].number == slots[i].number
						? value(&slots[j], metric)
						: 0;

			if (metric->largest)
				told = each > told ? each : told;
			else
				told += each;
		}
		snprintf(number, sizeof number, "%u", (unsigned)slots[i].number);
		if (first)
			put_sample(page, metric, "worker", number, told);
	}
}

static uint64_t gauge_of(const struct ath_slot *slot, const struct ath_metric *metric)
{
	return ath_read_number(&slot->gauges[metric->number]);
}

static void put_gauge(struct page *page, const struct ath_metric *metric)
{
	put_workers(page, metric, gauge_of);
}

static uint64_t in_flight_of(const struct ath_slot *slot, const struct ath_metric *metric)
{
	(void)metric;
	return ath_slot_in_flight(slot);
}

static void put_in_flight(struct page *page, const struct ath_metric *metric)
{
	put_workers(page, metric, in_flight_of);
}

static uint64_t start_of(const struct ath_slot *slot, const struct ath_metric *metric)
{
	(void)metric;
	return (uint64_t)slot->started;
}

static void put_worker_start(struct page *page, const struct ath_metric *metric)
{
	put_workers(page, metric, start_of);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define COUNTER(name_, number_, help_)                                                             \
	{                                                                                          \
		.name = "athanor_" name_ "_total", .type = "counter", .help = help_,               \
		.put = put_counter, .number = ATH_COUNTER_##number_                                \
	}
#define GAUGE(name_, number_, help_, ...)                                                          \
	{                                                                                          \
		.name = "athanor_" name_, .type = "gauge", .labels = "worker", .help = help_,      \
		.put = put_gauge, .number = ATH_GAUGE_##number_, __VA_ARGS__                       \
	}
#define OTHER(name_, type_, labels_, put_, help_)                                                  \
	{                                                                                          \
		.name = "athanor_" name_, .type = type_, .labels = labels_, .help = help_,         \
		.put = put_                                                                        \
	}

static const struct ath_metric metrics[] = {
	OTHER("build_info", "gauge", "application, version", put_build,
	      "Always 1: the labels say what runs."),
	OTHER("start_time_seconds", "gauge", NULL, put_start,
	      "When the master, or the one process, has started, in seconds since 1970."),
	OTHER("workers", "gauge", "state", put_states,
	      "Worker processes that are starting, serving or leaving."),
	OTHER("worker_start_time_seconds", "gauge", "worker", put_worker_start,
	      "When the worker has started, in seconds since 1970."),
	OTHER("worker_restarts_total", "counter", NULL, put_restarts,
	      "Workers that were started in place of one that had ended by itself."),
	OTHER("reloads_total", "counter", NULL, put_reloads,
	      "Times that all workers were replaced, one by one."),

	OTHER("requests_total", "counter", "method, route, status", put_requests,
	      "Requests that were answered, by route and HTTP status; route none: no route "
	      "fitted."),
	OTHER("request_duration_seconds", "histogram", "method, route", put_durations,
	      "From the arrival of a request until its answer was ready."),
	OTHER("requests_in_flight", "gauge", "worker", put_in_flight,
	      "Requests that have begun and are not answered, streams among them."),
	GAUGE("requests_queued", QUEUED,
	      "Requests that have come and wait until fewer are in flight."),
	GAUGE("streams", STREAMS, "Open-ended answers, such as Server-Sent Events."),
	COUNTER("requests_refused", REFUSED,
		"Requests that were answered with 503 before they began, because too many waited."),
	COUNTER("requests_slow", SLOW, "Requests that took as long as --slow or longer."),
	OTHER("requests_lost_total", "counter", NULL, put_lost,
	      "Requests that were in flight in a worker when it died."),
	COUNTER("answers_broken", BROKEN, "Streams that were broken off by a failure."),
	COUNTER("request_body_bytes", BYTES_IN, "Bytes of the bodies of requests."),
	COUNTER("response_body_bytes", BYTES_OUT, "Bytes of the bodies of answers."),

	GAUGE("connections", CONNECTIONS, "Connections of the web server, idle ones too."),
	COUNTER("connections_accepted", ACCEPTED, "Connections of the web server so far."),
	OTHER("listen_queue", "gauge", NULL, put_listen_queue,
	      "Connections that wait to be accepted, as of the last second."),
	OTHER("listen_queue_limit", "gauge", NULL, put_listen_queue_limit,
	      "How many may wait to be accepted."),

	GAUGE("loop_lag_seconds", LAG_US, "By how much the last tick of every second was late.",
	      .unit = MICROSECONDS, .largest = true),
	GAUGE("loop_longest_turn_seconds", LONGEST_US,
	      "The longest turn of the loop within the last second.", .unit = MICROSECONDS,
	      .largest = true),
	GAUGE("loop_busy_ratio", BUSY_PERMILLE,
	      "The share of the last second in which the loop did not wait.", .unit = PERMILLE,
	      .largest = true),
	{ .name = "athanor_loop_busy_seconds_total",
	  .type = "counter",
	  .help = "Time in which loops did not wait.",
	  .put = put_counter,
	  .number = ATH_COUNTER_BUSY_US,
	  .unit = MICROSECONDS },
	COUNTER("loop_turns", TURNS, "Turns of all loops."),
	COUNTER("loop_blocked", BLOCKED,
		"Times that a handler has kept its loop for --blocked or longer without a wait."),
	GAUGE("resident_memory_bytes", MEMORY, "Memory of the worker that is in RAM."),
	{ .name = "athanor_cpu_seconds_total",
	  .type = "counter",
	  .labels = "mode",
	  .help = "Processor time of all workers.",
	  .put = put_cpu,
	  .unit = MICROSECONDS },

	GAUGE("database_connections_limit", CONNECTIONS_MOST,
	      "Connections that the worker may have open at once."),
	GAUGE("database_pipelines", PIPELINES, "Shared connections for reads that are open."),
	GAUGE("database_pipeline_batches", OUTSTANDING,
	      "Batches of statements on all pipelines that have not come back."),
	GAUGE("database_pool_limit", POOL_MOST, "Connections for transactions that there may be."),
	GAUGE("database_pool_idle", POOL_IDLE, "Connections for transactions that nobody has."),
	GAUGE("database_pool_lent", POOL_LENT, "Connections for transactions that are in use."),
	GAUGE("database_pool_waiting", POOL_WAITING,
	      "Requests that wait for a connection for a transaction."),
	COUNTER("database_pool_timeouts", POOL_TIMEOUTS,
		"Requests that waited for such a connection in vain."),
	COUNTER("database_pool_refused", POOL_REFUSED,
		"Requests that did not wait for such a connection, since too many did already."),
	COUNTER("database_statements", STATEMENTS, "Statements that were sent."),
	COUNTER("database_batches", BATCHES, "Batches of statements: round trips."),
	COUNTER("database_connects", CONNECTS, "Connections that were opened."),
	COUNTER("database_connect_failures", FAILED_CONNECTS, "Connections that could not be."),
	COUNTER("database_connections_lost", LOST, "Connections that broke."),
	COUNTER("database_cancels", CANCELS,
		"Statements that the server was asked to end, since nobody waited any more."),
	OTHER("database_errors_total", "counter", "sqlstate", put_sqlstates,
	      "Errors of the server by SQLSTATE."),
};

static void put_page(struct page *page)
{
	for (size_t i = 0; i < ATH_COUNT(metrics); i++) {
		ath_buffer_printf(page->out, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name,
				  metrics[i].help, metrics[i].name, metrics[i].type);
		metrics[i].put(page, &metrics[i]);
	}
}

struct ath_response *ath_answer_metrics(struct ath_request *request)
{
	struct ath_worker *worker = ath_request_worker(request);
	struct ath_scoreboard *board = worker->board;
	struct page page = { .board = board };
	struct ath_response *response;

	if (board == NULL)
		return ath_problem(request, 404, "this process counts nothing");
	ath_slot_refresh(worker);
	page.sum = ath_scoreboard_sum(board, ath_request_arena(request));
	response = ath_response_new(request, 200, CONTENT_TYPE);
	page.out = ath_response_body(response);
	if (page.sum == NULL || response == NULL)
		return NULL;
	put_page(&page);
	ath_response_header(response, "Cache-Control", "no-store");
	return response;
}

void ath_metrics_document(struct ath_buffer *out)
{
	ath_buffer_string(out,
			  "| metric | type | labels | what it is |\n| --- | --- | --- | --- |\n");
	for (size_t i = 0; i < ATH_COUNT(metrics); i++)
		ath_buffer_printf(
			out, "| `%s` | %s | %s | %s |\n", metrics[i].name, metrics[i].type,
			metrics[i].labels == NULL ? "" : metrics[i].labels, metrics[i].help);
}
