/*
 * test_metrics.c - the page of metrics: what stands in it after known requests, that promtool takes
 * it without a word, that the table that documents it is complete, and that two workers of one
 * number, as a reload has them, are one line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "scoreboard_fixture.h"

static const char *page(void)
{
	const char *answer = ask("GET", "/-/metrics");

	assert_true(strstr(answer, "Status: 200 ") == answer);
	assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4; "
				       "charset=utf-8\r\n"));
	assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
	return body_of(answer);
}

static bool has_line(const char *text, const char *line)
{
	size_t length = strlen(line);

	for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
		if ((at == text || at[-1] == '\n') && at[length] == '\n')
			return true;
	return false;
}

static void assert_once(const char *text, const char *part)
{
	const char *found = strstr(text, part);

	assert_non_null(found);
	assert_null(strstr(found + 1, part));
}

static void assert_line(const char *text, const char *line)
{
	if (!has_line(text, line))
		fail_msg("no line %s in\n%s", line, text);
}

/* ---- what stands in it ------------------------------------------------------------------------
 */

static void test_requests(void **state)
{
	const char *got;

	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	ask("GET", "/look/1");
	ask("GET", "/look/2");
	ask("HEAD", "/look/3");
	ask("POST", "/users");
	ask("GET", "/odd");
	assert_line(page(), "athanor_response_body_bytes_total 18");
	ask("GET", "/nowhere");
	got = page();
	assert_line(got, "athanor_requests_total{method=\"GET\",route=\"/look/<id:int>\","
			 "status=\"200\"} 3");
	assert_line(got,
		    "athanor_requests_total{method=\"POST\",route=\"/users\",status=\"201\"} 1");
	assert_line(got,
		    "athanor_requests_total{method=\"GET\",route=\"/odd\",status=\"other\"} 1");
	assert_line(got, "athanor_requests_total{method=\"any\",route=\"none\",status=\"404\"} 1");
	assert_line(got, "athanor_request_duration_seconds_bucket{method=\"GET\","
			 "route=\"/look/<id:int>\",le=\"+Inf\"} 3");
	assert_line(got, "athanor_request_duration_seconds_count{method=\"GET\","
			 "route=\"/look/<id:int>\"} 3");
	/* the one that is being answered */
	assert_line(got, "athanor_requests_in_flight{worker=\"1\"} 1");
	assert_line(got, "athanor_workers{state=\"serving\"} 1");
	assert_line(got, "athanor_build_info{application=\"counted\",version=\"1.2\"} 1");
	/* rows that are zero are left out */
	assert_null(strstr(got, "route=\"/quoted"));
	assert_null(strstr(got, "status=\"201\"} 0"));
	end_worker();
}

static void test_a_histogram_adds_up(void **state)
{
	struct ath_route_count *count;
	const char *got;

	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	count = &worker.slot->tally.routes[0];
	count->buckets[0] = 1;
	count->buckets[2] = 2;
	count->buckets[ATH_BUCKETS - 1] = 4;
	count->sum_us = 60000001;
	got = page();
#define BUCKET(le, value)                                                                          \
	"athanor_request_duration_seconds_bucket{method=\"any\",route=\"none\",le=\"" le           \
	"\"} " value
	assert_line(got, BUCKET("0.0005", "1"));
	assert_line(got, BUCKET("0.001", "1"));
	assert_line(got, BUCKET("0.0025", "3"));
	assert_line(got, BUCKET("10", "3"));
	assert_line(got, BUCKET("+Inf", "7"));
	assert_line(got, "athanor_request_duration_seconds_sum{method=\"any\",route=\"none\"} "
			 "60.000001");
	assert_line(got, "athanor_request_duration_seconds_count{method=\"any\",route=\"none\"} 7");
	end_worker();
}

static void test_labels_are_escaped(void **state)
{
	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	ask("GET", "/quoted/%22%5C");
	assert_line(page(), "athanor_requests_total{method=\"GET\","
			    "route=\"/quoted/<code:[\\\"\\\\]+>\",status=\"other\"} 1");
	end_worker();
}

/* While one leaves its successor serves: the same number, which a page may have once. */
static void test_two_of_one_number_are_one_line(void **state)
{
	struct ath_slot *old = ath_scoreboard_take(board, 1, 1);
	struct ath_slot *other = ath_scoreboard_take(board, 2, 1);
	const char *got;

	(void)state;
	ath_slot_set_state(old, ATH_WORKER_LEAVES);
	old->gauges[ATH_GAUGE_CONNECTIONS] = 3;
	old->gauges[ATH_GAUGE_LAG_US] = 1500;
	old->tally.counters[ATH_COUNTER_BEGUN] = 2;
	ath_slot_set_state(other, ATH_WORKER_SERVES);
	other->gauges[ATH_GAUGE_LAG_US] = 250000;
	begin_worker(ath_scoreboard_take(board, 1, 2));
	worker.slot->gauges[ATH_GAUGE_LAG_US] = 900;
	got = page();
	assert_line(got, "athanor_connections{worker=\"1\"} 3");
	assert_once(got, "athanor_connections{worker=\"1\"}");
	assert_line(got, "athanor_requests_in_flight{worker=\"1\"} 3");
	assert_line(got, "athanor_loop_lag_seconds{worker=\"1\"} 0.001500");
	assert_line(got, "athanor_loop_lag_seconds{worker=\"2\"} 0.250000");
	assert_line(got, "athanor_workers{state=\"leaving\"} 1");
	assert_line(got, "athanor_workers{state=\"serving\"} 2");
	ath_slot_set_state(old, ATH_WORKER_ENDED);
	ath_slot_set_state(other, ATH_WORKER_ENDED);
	got = page();
	assert_line(got, "athanor_requests_in_flight{worker=\"1\"} 1");
	assert_null(strstr(got, "worker=\"2\""));
	end_worker();
}

static void test_the_dead_are_counted(void **state)
{
	struct ath_slot *dead = ath_scoreboard_take(board, 1, 1);
	const char *got;

	(void)state;
	dead->tally.counters[ATH_COUNTER_BEGUN] = 12;
	dead->tally.counters[ATH_COUNTER_ENDED] = 10;
	dead->tally.counters[ATH_COUNTER_USER_US] = 1500000;
	memcpy(dead->tally.sqlstates[0].sqlstate, "23505", 6);
	dead->tally.sqlstates[0].count = 4;
	dead->tally.sqlstate_count = 1;
	ath_slot_retire(dead);
	ath_scoreboard_count_restart(board);
	ath_scoreboard_count_reload(board);
	ath_scoreboard_count_reload(board);
	begin_worker(ath_scoreboard_take(board, 1, 2));
	got = page();
	assert_line(got, "athanor_requests_lost_total 2");
	assert_line(got, "athanor_worker_restarts_total 1");
	assert_line(got, "athanor_reloads_total 2");
	assert_line(got, "athanor_database_errors_total{sqlstate=\"23505\"} 4");
	assert_non_null(strstr(got, "athanor_cpu_seconds_total{mode=\"user\"} 1."));
	end_worker();
}

/* ---- its form ----------------------------------------------------------------------------------
 */

static void fill(struct ath_slot *slot)
{
	for (size_t i = 0; i < ATH_COUNTERS; i++)
		slot->tally.counters[i] = 1000001 + i;
	for (size_t i = 0; i < ATH_GAUGES; i++)
		slot->gauges[i] = 2000001 + i;
	memcpy(slot->tally.sqlstates[0].sqlstate, "40001", 6);
	slot->tally.sqlstate_count = slot->tally.sqlstates[0].count = 1;
	board->backlog = 1024;
}

static void test_promtool_takes_it(void **state)
{
	char file[] = "/tmp/athanor_metrics.XXXXXX", command[200], said[2000];
	const char *got;
	size_t length;
	FILE *promtool;
	int fd = mkstemp(file);

	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	fill(ath_scoreboard_take(board, 2, 1));
	ask("GET", "/look/1");
	ask("GET", "/quoted/%22%5C");
	got = page();
	assert_int_equal(write(fd, got, strlen(got)), strlen(got));
	close(fd);
	snprintf(command, sizeof command, "promtool check metrics <%s 2>&1", file);
	promtool = popen(command, "r");
	assert_non_null(promtool);
	length = fread(said, 1, sizeof said - 1, promtool);
	said[length] = '\0';
	if (pclose(promtool) != 0 || length > 0)
		fail_msg("%s\n%s", said, got);
	unlink(file);
	end_worker();
}

/* Every metric has a value when all have happened, and stands in the documentation by its type. */
static void test_the_documentation_is_complete(void **state)
{
	struct ath_buffer document;
	size_t types = 0, rows = 0;
	const char *got, *text;

	(void)state;
	ath_buffer_init(&document, NULL, 1 << 20);
	ath_metrics_document(&document);
	text = ath_buffer_c_string(&document);
	begin_worker(ath_scoreboard_take(board, 1, 1));
	fill(ath_scoreboard_take(board, 2, 1));
	ask("GET", "/look/1");
	got = page();
	for (const char *at = got; (at = strstr(at, "# TYPE ")) != NULL; types++) {
		char name[100], type[20], row[200], sample[120];

		assert_int_equal(sscanf(at, "# TYPE %99s %19s", name, type), 2);
		snprintf(row, sizeof row, "\n| `%s` | %s | ", name, type);
		if (strstr(text, row) == NULL)
			fail_msg("not documented: %s", name);
		at += strlen("# TYPE ");
		snprintf(sample, sizeof sample, "\n%s%s", name,
			 strcmp(type, "histogram") == 0 ? "_count{" : "");
		if (strstr(at, sample) == NULL)
			fail_msg("without a value: %s", name);
	}
	for (const char *at = text; (at = strstr(at, "\n| `")) != NULL; at++)
		rows++;
	assert_int_equal(rows, types);
	ath_buffer_free(&document);
	end_worker();
}

static void test_without_a_scoreboard(void **state)
{
	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	ath_slot_detach(&worker);
	worker.board = NULL;
	assert_true(strstr(ask("GET", "/-/metrics"), "Status: 404 ") != NULL);
	assert_true(strstr(ask("GET", "/-/status"), "Status: 404 ") != NULL);
	end_worker();
}

/* It has the pages, and no part of the application; what it answers is not counted. */
static void test_the_status_process(void **state)
{
	struct ath_error error = { 0 };
	const char *got;

	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	ask("GET", "/odd");
	end_worker();
	assert_int_equal(ath_status_open(&worker, board, &configuration, &error), ATH_OK);
	loop = worker.loop;
	assert_true(strstr(ask("GET", "/-/live"), "Status: 200 ") != NULL);
	assert_true(strstr(ask("GET", "/-/status"), "Status: 200 ") != NULL);
	assert_true(strstr(ask("GET", "/odd"), "Status: 404 ") != NULL);
	got = page();
	assert_line(got,
		    "athanor_requests_total{method=\"GET\",route=\"/odd\",status=\"other\"} 1");
	assert_null(strstr(got, "route=\"none\""));
	ath_worker_close(&worker);
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	static const struct CMUnitTest tests[] = {
		row(test_requests),
		row(test_a_histogram_adds_up),
		row(test_labels_are_escaped),
		row(test_two_of_one_number_are_one_line),
		row(test_the_dead_are_counted),
		row(test_promtool_takes_it),
		row(test_the_documentation_is_complete),
		row(test_without_a_scoreboard),
		row(test_the_status_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
