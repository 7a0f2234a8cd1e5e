/*
 * test_status.c - the page of the status: php-fpm's names in its JSON, what every worker does, and
 * that its HTML takes nothing from a client but text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scoreboard_fixture.h"

/* ---- reading it --------------------------------------------------------------------------------
 */

static struct ath_json_document document;

static const struct ath_json_token *read_json(const char *answer)
{
	struct ath_error error = { 0 };
	const char *body = body_of(answer);

	assert_non_null(strstr(answer, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
	if (ath_json_read(arena, body, strlen(body), &document, &error) != ATH_OK)
		fail_msg("%s: %s", error.message, body);
	return document.tokens;
}

static const struct ath_json_token *member(const struct ath_json_token *object, const char *name)
{
	const struct ath_json_token *found = ath_json_member(&document, object, name);

	if (found == NULL)
		fail_msg("no %s in %s", name, document.text);
	return found;
}

static void assert_member(const struct ath_json_token *object, const char *name,
			  const char *expected)
{
	struct ath_text text = ath_json_string(arena, &document, member(object, name));

	if (!ath_text_is(text, expected))
		fail_msg("%s is %.*s, not %s", name, (int)text.length, text.data, expected);
}

static const struct ath_json_token *element(const struct ath_json_token *array, size_t index)
{
	const struct ath_json_token *at = array + 1;

	assert_int_equal(array->type, ATH_JSON_ARRAY);
	assert_true(index < array->count);
	while (index-- > 0)
		at = document.tokens + at->next;
	return at;
}

/* ---- JSON ---------------------------------------------------------------------------------------
 */

static void test_the_names_are_those_of_php_fpm(void **state)
{
	static const char *const of_pool[] = {
		"pool",
		"process manager",
		"start time",
		"start since",
		"accepted conn",
		"listen queue",
		"max listen queue",
		"listen queue len",
		"idle processes",
		"active processes",
		"total processes",
		"max active processes",
		"max children reached",
		"slow requests",
	};
	static const char *const of_process[] = {
		"pid",
		"state",
		"start time",
		"start since",
		"requests",
		"request duration",
		"request method",
		"request uri",
		"content length",
		"user",
		"script",
		"last request cpu",
		"last request memory",
	};
	const struct ath_json_token *pool, *process;

	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	pool = read_json(ask("GET", "/-/status?json&full"));
	for (size_t i = 0; i < ATH_COUNT(of_pool); i++)
		(void)member(pool, of_pool[i]);
	assert_member(pool, "pool", "counted");
	assert_member(pool, "process manager", "static");
	process = element(member(pool, "processes"), 0);
	for (size_t i = 0; i < ATH_COUNT(of_process); i++)
		(void)member(process, of_process[i]);
	assert_null(strstr(ask("GET", "/-/status?json"), "\"processes\""));
	end_worker();
}

static void test_what_workers_do(void **state)
{
	struct ath_slot *idle = ath_scoreboard_take(board, 2, 1);
	struct ath_slot *leaves = ath_scoreboard_take(board, 3, 1);
	const struct ath_json_token *pool, *process, *request;
	char pid[20];

	(void)state;
	ath_slot_set_state(idle, ATH_WORKER_SERVES);
	ath_slot_set_state(leaves, ATH_WORKER_LEAVES);
	leaves->tally.counters[ATH_COUNTER_BEGUN] = 1;
	idle->gauges[ATH_GAUGE_BUSY_PERMILLE] = 55;
	board->listen_queue = 3;
	board->most_active = 7;
	begin_worker(ath_scoreboard_take(board, 1, 2));
	ask("GET", "/look/3");
	pool = read_json(ask("GET", "/-/status?json&full"));
	assert_member(pool, "total processes", "3");
	assert_member(pool, "active processes", "2");
	assert_member(pool, "idle processes", "1");
	assert_member(pool, "max active processes", "7");
	assert_member(pool, "listen queue", "3");
	assert_member(pool, "requests", "1");
	assert_member(pool, "requests in flight", "2");
	process = element(member(pool, "processes"), 0);
	assert_member(process, "state", "Idle");
	assert_member(process, "request method", "-");
	assert_member(process, "last request cpu", "5.5");
	process = element(member(pool, "processes"), 1);
	assert_member(process, "state", "Finishing");
	process = element(member(pool, "processes"), 2);
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	assert_member(process, "pid", pid);
	assert_member(process, "state", "Running");
	assert_member(process, "worker", "1");
	assert_member(process, "generation", "2");
	assert_member(process, "requests in flight", "1");
	/* this request itself */
	assert_member(process, "request method", "GET");
	assert_member(process, "request uri", "/-/status");
	assert_member(process, "script", "/-/status");
	request = element(member(process, "in flight"), 0);
	assert_member(request, "id", "the-id");
	assert_member(request, "client", "192.0.2.1");
	assert_member(request, "route", "/-/status");
	end_worker();
}

/* php-fpm tells the last request of a process that has none. */
static void test_the_last_request_of_an_idle_worker(void **state)
{
	const struct ath_json_token *process;
	struct ath_error error = { 0 };

	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	ask("GET", "/nowhere");
	ask("GET", "/look/4711");
	worker.slot->entries[0].took_us = 1234;
	worker.slot = NULL; /* who asks is another process */
	end_worker();
	assert_int_equal(ath_status_open(&worker, board, &configuration, &error), ATH_OK);
	loop = worker.loop;
	process = element(member(read_json(ask("GET", "/-/status?json&full")), "processes"), 0);
	assert_member(process, "state", "Idle");
	assert_member(process, "request uri", "/look/4711");
	assert_member(process, "script", "/look/<id:int>");
	assert_member(process, "request duration", "1234");
	assert_int_equal(member(process, "in flight")->count, 0);
	ath_worker_close(&worker);
}

/* ---- HTML ---------------------------------------------------------------------------------------
 */

static void test_a_browser_gets_a_page(void **state)
{
	static const char firefox[] = "text/html,application/xhtml+xml,*/*;q=0.8";
	const char *got;

	(void)state;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	got = ask_with("GET", "/-/status", firefox);
	assert_non_null(strstr(got, "\r\nContent-Type: text/html; charset=utf-8\r\n"));
	assert_non_null(strstr(got, "\r\nCache-Control: no-store\r\n"));
	assert_non_null(strstr(got, "\r\nContent-Security-Policy: default-src 'none'; "
				    "style-src 'unsafe-inline'; frame-ancestors 'none'\r\n"));
	assert_null(strstr(got, "\r\nRefresh"));
	assert_non_null(strstr(got, "<title>counted</title>"));
	assert_null(strstr(got, "<script"));
	got = ask_with("GET", "/-/status?refresh=5", firefox);
	assert_non_null(strstr(got, "\r\nRefresh: 5\r\n"));
	assert_non_null(strstr(ask_with("GET", "/-/status?refresh=0", firefox), "Status: 422 "));
	read_json(ask_with("GET", "/-/status", "*/*"));
	read_json(ask_with("GET", "/-/status?json", firefox));
	assert_non_null(strstr(ask_with("GET", "/-/status", "image/png"), "Status: 406 "));
	end_worker();
}

/* Path, client and id are the client's own words. */
static void test_what_clients_send_is_text(void **state)
{
	static const char evil[] = "</td><script>alert(1)</script>&\"'";
	struct ath_slot *slot = ath_scoreboard_take(board, 2, 1);
	const struct ath_json_token *request;
	const char *got;

	(void)state;
	ath_slot_set_state(slot, ATH_WORKER_SERVES);
	slot->used = 1;
	slot->tally.counters[ATH_COUNTER_BEGUN] = 1;
	slot->entries[0].method = ATH_METHOD_GET;
	strcpy(slot->entries[0].path, evil);
	strcpy(slot->entries[0].client, "\x1b[2J\xff");
	strcpy(slot->entries[0].id, evil);
	slot->entries[0].begun_us = 1;
	begin_worker(ath_scoreboard_take(board, 1, 1));
	got = ask_with("GET", "/-/status", "text/html");
	assert_null(strstr(got, "<script"));
	assert_non_null(strstr(got, "&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;"
				    "&#39;"));
	request = element(
		member(element(member(read_json(ask("GET", "/-/status?json&full")), "processes"),
			       0),
		       "in flight"),
		0);
	assert_member(request, "request uri", evil);
	assert_member(request, "id", evil);
	assert_member(request, "client", "\x1b[2J\xef\xbf\xbd");
	end_worker();
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	static const struct CMUnitTest tests[] = {
		row(test_the_names_are_those_of_php_fpm),     row(test_what_workers_do),
		row(test_the_last_request_of_an_idle_worker), row(test_a_browser_gets_a_page),
		row(test_what_clients_send_is_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
