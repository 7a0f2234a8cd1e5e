/*
 * test_scoreboard.c - what processes write into the scoreboard and what is read from it: requests
 * through a whole worker, children that really fork, end and are retired, and sums that never go
 * back while they do. No database is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "scoreboard_fixture.h"

static struct ath_entry seen; /* what a handler has read of its own request */
static char described[200];

static void read_own(struct ath_request *request)
{
	struct ath_slot *slot = worker.slot;

	assert_int_equal(ath_slot_in_flight(slot), 1);
	assert_true(ath_entry_read(&slot->entries[request->mark - 1], &seen));
	slot->report.mark = request->mark;
	assert_true(ath_slot_describe(slot, described, sizeof described));
	slot->report.mark = 0;
}

static size_t row_of_route(const char *method, const char *path)
{
	for (size_t i = 0; i < board->route_count; i++)
		if (strcmp(board->routes[i].path, path) == 0 &&
		    strcmp(board->routes[i].method, method) == 0)
			return i;
	fail_msg("no route %s %s", method, path);
	return 0;
}

static const struct ath_route_count *sum_of_route(const char *method, const char *path)
{
	return &ath_scoreboard_sum(board, arena)->routes[row_of_route(method, path)];
}

static uint64_t requests_of(const struct ath_route_count *count)
{
	uint64_t in_buckets = 0, in_statuses = 0;

	for (size_t i = 0; i < ATH_BUCKETS; i++)
		in_buckets += count->buckets[i];
	for (size_t i = 0; i < ATH_STATUS_ROWS; i++)
		in_statuses += count->statuses[i];
	assert_int_equal(in_buckets, in_statuses);
	return in_statuses;
}

/* ---- one process ----------------------------------------------------------------------------- */

static void test_requests_are_counted_by_route_and_status(void **state)
{
	const struct ath_route_count *count;

	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	ask("GET", "/look/7");
	ask("HEAD", "/look/8");
	ask("POST", "/users/");
	ask("GET", "/odd");
	ask("GET", "/nowhere");
	ask("GET", "/nowhere/at/all");
	ask("DELETE", "/odd");
	ask("GET", "/-/live");
	count = sum_of_route("GET", "/look/<id:int>");
	assert_int_equal(count->statuses[ATH_STATUS_ROW_200], 2);
	assert_int_equal(requests_of(count), 2);
	assert_true(count->sum_us > 0);
	assert_int_equal(sum_of_route("POST", "/users")->statuses[ATH_STATUS_ROW_201], 1);
	assert_int_equal(sum_of_route("GET", "/odd")->statuses[ATH_STATUS_ROW_OTHER], 1);
	assert_int_equal(sum_of_route("any", "none")->statuses[ATH_STATUS_ROW_404], 2);
	assert_int_equal(sum_of_route("any", "none")->statuses[ATH_STATUS_ROW_405], 1);
	assert_int_equal(sum_of_route("GET", "/-/live")->statuses[ATH_STATUS_ROW_200], 1);
	assert_int_equal(ath_slot_requests(worker.slot), 8);
	assert_int_equal(ath_slot_in_flight(worker.slot), 0);
	end_worker();
}

static void test_a_request_in_flight_is_seen(void **state)
{
	char longer[200] = "/look/1?";

	(void)state;
	in_flight = read_own;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	ask("GET", "/look/7?secret=1");
	assert_string_equal(seen.path, "/look/7");
	assert_string_equal(seen.client, "192.0.2.1");
	assert_true(seen.begun_us > 0);
	assert_int_equal(seen.route, row_of_route("GET", "/look/<id:int>"));
	assert_true(strstr(described, "GET /look/<id:int>, request ") == described);
	assert_string_equal(described + strlen("GET /look/<id:int>, request "), seen.id);
	memset(longer, '0', sizeof longer - 1);
	memcpy(longer, "/look/1", 7);
	ask("GET", longer); /* no int64, and so no route: nobody looks, nothing overflows */
	assert_int_equal(worker.slot->used, 1);
	assert_int_equal(strlen(worker.slot->entries[0].path), sizeof seen.path - 1);
	assert_false(ath_entry_read(&worker.slot->entries[0], &seen)); /* it has ended */
	end_worker();
}

enum { MORE = ATH_ENTRIES + 10 };

static void begin_many(void)
{
	const struct ath_output output = { .body = "" };
	struct ath_request *requests[MORE];
	struct ath_slot *slot = worker.slot;

	for (size_t i = 0; i < MORE; i++) {
		requests[i] = ath_request_new(&worker.web);
		assert_non_null(requests[i]);
		requests[i]->began_us = 1;
		put_usual_pairs(&requests[i]->raw_params, "GET", "/odd");
		ath_web_begin(requests[i]);
		worker.web.began(requests[i]);
	}
	assert_int_equal(ath_slot_in_flight(slot), MORE);
	slot->report.mark = requests[MORE - 1]->mark;
	assert_true(ath_slot_describe(slot, described, sizeof described));
	assert_string_equal(described, "GET /odd");
	slot->report.mark = 0;
	assert_false(ath_slot_describe(slot, described, sizeof described));
	for (size_t i = 0; i < MORE; i++) {
		worker.web.ended(requests[i], 200, &output);
		ath_request_free(requests[i]);
	}
}

/* Where more are in flight than there are entries, they are counted, and their route is known. */
static void test_more_requests_than_entries(void **state)
{
	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	in_fiber(begin_many);
	assert_int_equal(ath_slot_in_flight(worker.slot), 0);
	assert_int_equal(requests_of(sum_of_route("GET", "/odd")), MORE);
	ask("GET", "/look/1"); /* which finds a free one */
	assert_int_equal(worker.slot->used, ATH_ENTRIES);
	end_worker();
}

static void count_latencies(void)
{
	static const struct {
		uint64_t took_us;
		size_t bucket;
	} rows[] = {
		{ 0, 0 },         { 500, 0 },       { 501, 1 },
		{ 1000, 1 },      { 1001, 2 },      { 100000, 7 },
		{ 10000000, 13 }, { 10000001, 14 }, { UINT64_MAX / 4, 14 },
	};
	const struct ath_output output = { .body = "" };
	const struct ath_route_count *count = &worker.slot->tally.routes[0];

	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_request request = { .web = &worker.web,
					       .took_us = rows[i].took_us,
					       .id = "" };
		uint64_t before = count->buckets[rows[i].bucket];

		worker.web.began(&request);
		worker.web.ended(&request, 200, &output);
		assert_int_equal(count->buckets[rows[i].bucket], before + 1);
	}
	assert_int_equal(requests_of(count), ATH_COUNT(rows));
}

static void test_buckets(void **state)
{
	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	in_fiber(count_latencies);
	end_worker();
}

/* ---- what keeps the loop ------------------------------------------------------------------------
 */

static void keep_the_loop(struct ath_request *request)
{
	uint64_t end = ath_web_now_us() + 3000;

	(void)request;
	while (ath_web_now_us() < end)
		;
}

static void test_a_handler_that_keeps_the_loop_is_told(void **state)
{
	char said[2000];
	ssize_t length;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	configuration.log = (struct ath_log){ .fd = ends[1], .level = ATH_LOG_WARNING };
	configuration.blocked_ms = 2;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	in_flight = keep_the_loop;
	ask("GET", "/look/7");
	length = read(ends[0], said, sizeof said - 1);
	assert_true(length > 0);
	said[length] = '\0';
	assert_non_null(strstr(said, "\"message\":\"a handler kept the loop\",\"ms\":"));
	assert_non_null(strstr(
		said, ",\"method\":\"GET\",\"route\":\"/look/<id:int>\",\"id\":\"the-id\"}"));
	assert_true(worker.slot->tally.counters[ATH_COUNTER_BLOCKED] >= 1);
	end_worker();
	configuration.log.fd = -1;
	configuration.blocked_ms = 0;
	close(ends[0]);
	close(ends[1]);
}

/* ---- the rest of the process
 * --------------------------------------------------------------------- */

static void test_a_tick_tells_of_the_process(void **state)
{
	struct ath_slot *slot = ath_scoreboard_take(board, 1, 1);

	(void)state;
	begin_worker(slot);
	slot->report.longest_us = 12345;
	slot->gauges[ATH_GAUGE_MEMORY] = 0;
	worker.tick.at -= 5000; /* as if it were late */
	ath_timer_stop(loop, &worker.tick);
	worker.tick.fire(&worker.tick);
	assert_true(slot->gauges[ATH_GAUGE_LAG_US] >= 3000000);
	assert_int_equal(slot->gauges[ATH_GAUGE_LONGEST_US], 12345);
	assert_int_equal(slot->report.longest_us, 0);
	assert_in_range(slot->gauges[ATH_GAUGE_MEMORY], 1 << 20, UINT64_C(1) << 40);
	assert_true(slot->tally.counters[ATH_COUNTER_USER_US] +
			    slot->tally.counters[ATH_COUNTER_SYSTEM_US] >
		    0);
	assert_true(worker.tick.at > ath_now()); /* and again */
	end_worker();
}

/* ---- several -----------------------------------------------------------------------------------
 */

static pid_t in_child(struct ath_slot *slot, void (*run)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	begin_worker(slot);
	run();
	end_worker();
	_exit(0);
}

static void wait_for_end(pid_t pid, int code)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(code < 0 ? WIFSIGNALED(status) : WIFEXITED(status));
	if (code >= 0)
		assert_int_equal(WEXITSTATUS(status), code);
}

static void three_requests(void)
{
	for (int i = 0; i < 3; i++)
		ask("GET", "/odd");
}

static void test_what_the_dead_have_counted_stays(void **state)
{
	struct ath_slot *slots[4];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(slots[i] = ath_scoreboard_take(board, i + 1, 1));
	assert_null(ath_scoreboard_take(board, 4, 1));
	for (size_t i = 0; i < 3; i++)
		wait_for_end(in_child(slots[i], three_requests), 0);
	assert_int_equal(ath_slot_state(slots[0]), ATH_WORKER_ENDED);
	assert_int_equal(requests_of(sum_of_route("GET", "/odd")), 9);
	ath_slot_retire(slots[1]);
	assert_int_equal(ath_slot_state(slots[1]), ATH_WORKER_NONE);
	assert_int_equal(requests_of(sum_of_route("GET", "/odd")), 9);
	slots[3] = ath_scoreboard_take(board, 2, 2);
	assert_ptr_equal(slots[3], slots[1]);
	assert_int_equal(ath_slot_requests(slots[3]), 0);
	wait_for_end(in_child(slots[3], three_requests), 0);
	assert_int_equal(requests_of(sum_of_route("GET", "/odd")), 12);
	for (size_t i = 0; i < board->slot_count; i++)
		ath_slot_retire(&board->slots[i]);
	assert_int_equal(requests_of(sum_of_route("GET", "/odd")), 12);
}

static void die_in_flight(void)
{
	struct ath_request *request = ath_request_new(&worker.web);

	assert_non_null(request);
	request->began_us = 1;
	worker.web.began(request);
	kill(getpid(), SIGKILL);
}

static void answer_one_and_die(void)
{
	ask("GET", "/odd");
	in_fiber(die_in_flight);
}

static void test_requests_that_died_with_their_process(void **state)
{
	struct ath_slot *slot = ath_scoreboard_take(board, 1, 1);
	struct ath_tally *sum;

	(void)state;
	wait_for_end(in_child(slot, answer_one_and_die), -1);
	assert_int_equal(ath_slot_in_flight(slot), 1);
	ath_slot_retire(slot);
	assert_int_equal(ath_slot_in_flight(slot), 0);
	sum = ath_scoreboard_sum(board, arena);
	assert_int_equal(sum->counters[ATH_COUNTER_BEGUN], 2);
	assert_int_equal(sum->counters[ATH_COUNTER_ENDED], 1);
}

/* So many times; status 1: a number was less than before. */
static void read_on(uint64_t *reads, uint64_t times)
{
	uint64_t before = 0;

	for (; *reads < times; ath_write_number(reads, *reads + 1)) {
		struct ath_tally *sum = ath_scoreboard_sum(board, arena);
		uint64_t now = sum->counters[ATH_COUNTER_ENDED] + sum->sqlstates[0].count +
			       sum->routes[board->route_count - 1].sum_us;

		if (now < before) {
			ath_write_number(reads, times);
			_exit(1);
		}
		before = now;
		ath_arena_reset(arena);
	}
	_exit(0);
}

static void test_no_number_goes_back(void **state)
{
	enum { READS = 20000 };
	uint64_t *reads = mmap(NULL, sizeof *reads, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t retired = 0;
	pid_t reader;

	(void)state;
	assert_true(reads != MAP_FAILED);
	reader = fork();
	assert_true(reader >= 0);
	if (reader == 0)
		read_on(reads, READS);
	while (ath_read_number(reads) < READS) {
		struct ath_slot *slot = ath_scoreboard_take(board, 1, 1);

		memcpy(slot->tally.sqlstates[0].sqlstate, "23505", 6);
		slot->tally.sqlstate_count = 1;
		for (int j = 0; j < 10; j++) {
			slot->tally.counters[ATH_COUNTER_ENDED]++;
			slot->tally.sqlstates[0].count++;
			slot->tally.routes[board->route_count - 1].sum_us += 7;
		}
		ath_slot_retire(slot);
		retired++;
		usleep(20); /* a master has other things to do: a sum fits in between */
	}
	wait_for_end(reader, 0);
	assert_true(retired > 0);
	assert_int_equal(ath_scoreboard_sum(board, arena)->sqlstates[0].count, 10 * retired);
	munmap(reads, sizeof *reads);
}

static void test_sqlstates_are_added_by_their_code(void **state)
{
	struct ath_slot *first = ath_scoreboard_take(board, 1, 1);
	struct ath_slot *second = ath_scoreboard_take(board, 2, 1);
	struct ath_tally *sum;

	(void)state;
	memcpy(first->tally.sqlstates,
	       (struct ath_sqlstate_count[]){ { "23505", 2 }, { "40001", 3 } },
	       2 * sizeof *first->tally.sqlstates);
	first->tally.sqlstate_count = 2;
	memcpy(second->tally.sqlstates, (struct ath_sqlstate_count[]){ { "40001", 5 } },
	       sizeof *second->tally.sqlstates);
	second->tally.sqlstate_count = 1;
	ath_slot_retire(first);
	sum = ath_scoreboard_sum(board, arena);
	assert_int_equal(sum->sqlstate_count, 2);
	assert_string_equal(sum->sqlstates[1].sqlstate, "40001");
	assert_int_equal(sum->sqlstates[1].count, 8);
}

/* ---- the queue of the listening socket ---------------------------------------------------------
 */

static void assert_queue(int family, struct sockaddr *address, socklen_t length)
{
	int listener = socket(family, SOCK_STREAM, 0), clients[3];
	uint64_t waiting = 99, most = 99;

	assert_int_equal(bind(listener, address, length), 0);
	assert_int_equal(listen(listener, 5), 0);
	length = sizeof(struct sockaddr_un);
	assert_int_equal(getsockname(listener, address, &length), 0);
	assert_true(ath_listen_queue(listener, &waiting, &most));
	assert_int_equal(waiting, 0);
	assert_int_equal(most, 5);
	for (size_t i = 0; i < ATH_COUNT(clients); i++) {
		clients[i] = socket(family, SOCK_STREAM, 0);
		assert_int_equal(connect(clients[i], address, length), 0);
	}
	assert_true(ath_listen_queue(listener, &waiting, &most));
	assert_int_equal(waiting, ATH_COUNT(clients));
	for (size_t i = 0; i < ATH_COUNT(clients); i++)
		close(clients[i]);
	close(listener);
}

static void test_the_queue_of_a_socket(void **state)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	union {
		struct sockaddr_in in;
		struct sockaddr_un room;
	} inet = { .in.sin_family = AF_INET, .in.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint64_t waiting, most;

	(void)state;
	/* a name of two bytes tells the system to choose one */
	assert_queue(AF_UNIX, (struct sockaddr *)&local, sizeof local.sun_family);
	assert_queue(AF_INET, (struct sockaddr *)&inet, sizeof inet.in);
	assert_false(ath_listen_queue(-1, &waiting, &most));
	assert_false(ath_listen_queue(STDIN_FILENO, &waiting, &most));
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	static const struct CMUnitTest tests[] = {
		row(test_requests_are_counted_by_route_and_status),
		row(test_a_request_in_flight_is_seen),
		row(test_more_requests_than_entries),
		row(test_buckets),
		row(test_a_handler_that_keeps_the_loop_is_told),
		row(test_a_tick_tells_of_the_process),
		row(test_what_the_dead_have_counted_stays),
		row(test_requests_that_died_with_their_process),
		row(test_no_number_goes_back),
		row(test_sqlstates_are_added_by_their_code),
		row(test_the_queue_of_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
