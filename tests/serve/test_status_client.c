/*
 * test_status_client.c - what a terminal is shown of a status: also of one that is not what it
 * should be, since it comes from another process, and asking a server that gives no answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/status_client.h"

static struct ath_look looks[2];
static struct ath_buffer out;

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(looks); i++) {
		looks[i] = (struct ath_look){ 0 };
		if (ath_arena_open(&looks[i].arena, 0) != ATH_OK)
			return -1;
	}
	ath_buffer_init(&out, NULL, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(looks); i++)
		ath_arena_close(&looks[i].arena);
	ath_buffer_free(&out);
	return 0;
}

static void see(size_t index, int64_t at, const char *json)
{
	struct ath_error error = { 0 };

	looks[index].at = at;
	if (ath_json_read(looks[index].arena, json, strlen(json), &looks[index].document, &error) !=
	    ATH_OK)
		fail_msg("%s", error.message);
}

static const char *table(void)
{
	out.length = 0;
	ath_status_table(&looks[0], &looks[1], &out);
	return ath_buffer_c_string(&out);
}

#define POOL(processes)                                                                            \
	"{\"pool\":\"users\",\"version\":\"1.2\",\"master pid\":4711,\"start since\":7322,"        \
	"\"requests\":1234,\"requests in flight\":3,\"slow requests\":2,"                          \
	"\"max children reached\":1,\"listen queue\":4,\"listen queue len\":1024,"                 \
	"\"worker restarts\":5,\"reloads\":6,\"processes\":[" processes "]}"
#define PROCESS(requests, script)                                                                  \
	"{\"pid\":815,\"state\":\"Running\",\"start since\":61,\"requests\":" requests             \
	",\"request duration\":12500,\"request method\":\"GET\",\"script\":\"" script              \
	"\",\"worker\":2,\"requests in flight\":3,\"connections\":9,"                              \
	"\"last request memory\":20971520,\"loop lag\":1200,\"last request cpu\":5.5}"

static void test_the_table(void **state)
{
	const char *got;

	(void)state;
	see(0, 5000, POOL(PROCESS("1500", "/users/<id:int>")));
	got = table();
	assert_non_null(strstr(got, "users 1.2, pid 4711, up 2h02m\n"));
	assert_non_null(strstr(got, "1234 requests, 3 in flight, 2 slow, 1 refused; 4 of 1024 wait "
				    "to be accepted; 5 restarts, 6 reloads\n"));
	assert_non_null(strstr(got, "\n     2      815  Running      1m01s       1500       -"
				    "       3      9      20M     1.2    5%  "
				    "GET /users/<id:int> 12 ms\n"));
	/* a rate needs two looks, at the same process */
	see(1, 3000, POOL(PROCESS("500", "/")));
	assert_non_null(strstr(table(), "       1500     500  "));
	see(1, 3000, POOL(PROCESS("2000", "/"))); /* another one with its number */
	assert_non_null(strstr(table(), "       1500       -  "));
}

static void test_what_it_is_not(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"processes\":{}}",
		"{\"processes\":[]}",
		"{\"processes\":[1,\"x\",null,[],{}]}",
		"{\"pool\":[1,2],\"version\":null,\"start since\":\"x\",\"requests\":-5}",
		"{\"start since\":9223372036854775807,\"requests\":99999999999999999999,"
		"\"processes\":[{\"pid\":9223372036854775807,\"start since\":9223372036854775807,"
		"\"request duration\":9223372036854775807,\"requests in flight\":1,"
		"\"state\":\"much longer than any state that there is\"}]}",
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(wrong); i++) {
		see(0, 5000, wrong[i]);
		see(1, 5000, wrong[ATH_COUNT(wrong) - 1 - i]);
		assert_non_null(strstr(table(), "worker"));
		looks[1].at = 0;
		assert_non_null(strstr(table(), "worker"));
	}
}

/* What clients have sent is in it: no byte of that may be one that a terminal acts upon. */
static void test_nothing_is_a_command_of_the_terminal(void **state)
{
	const char *got;

	(void)state;
	see(0, 1,
	    "{\"pool\":\"\\u001b[2J\\u009b1m\\u007f\\u0007\xc2\x9b\x7f\xc3\xa4\",\"processes\":"
	    "[" PROCESS("1", "/\\r\\n\\u0000\\u001b]0;x\\u0007\xc2\x85") "]}");
	got = table();
	assert_non_null(strstr(got, "?[2J?1m????\xc3\xa4"));
	assert_non_null(strstr(got, "GET /????]0;x?? 12 ms\n"));
	for (; *got != '\0'; got++) {
		assert_true((unsigned char)*got >= ' ' || *got == '\n');
		assert_true(*got != 0x7f);
		assert_false((unsigned char)got[0] == 0xc2 && (unsigned char)got[1] < 0xa0);
	}
}

static void test_a_long_route_is_cut(void **state)
{
	char json[2000], script[200];
	const char *got;

	(void)state;
	memset(script, 'x', sizeof script - 1);
	script[sizeof script - 1] = '\0';
	memcpy(script + 47, "\xc3\xa4", 2); /* across the cut */
	snprintf(json, sizeof json,
		 POOL("{\"requests in flight\":1,\"request method\":\"GET\","
		      "\"script\":\"%s\"}"),
		 script);
	see(0, 1, json);
	got = strstr(table(), "GET xxx");
	assert_non_null(got);
	assert_int_equal(strspn(got + 4, "x"), 47);
	assert_int_equal(got[4 + 47], ' ');
}

/* ---- asking -------------------------------------------------------------------------------------
 */

static char path[64];

/* A server that answers the first who connects with these bytes. */
static pid_t serve_bytes(const char *bytes, size_t length)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	snprintf(path, sizeof path, "/tmp/athanor_ask.%d", (int)getpid());
	unlink(path);
	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 1), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = accept(listener, NULL, NULL);
		char asked[4096];

		if (fd < 0 || recv(fd, asked, sizeof asked, 0) <= 0 ||
		    send(fd, bytes, length, MSG_NOSIGNAL) < 0)
			_exit(1);
		_exit(0);
	}
	close(listener);
	return pid;
}

static enum ath_status ask(const char *bytes, size_t length, struct ath_buffer *body,
			   struct ath_error *error)
{
	pid_t pid = serve_bytes(bytes, length);
	enum ath_status status = ath_ask(path, "/-/status?json", body, error);
	int ended;

	assert_int_equal(waitpid(pid, &ended, 0), pid);
	assert_int_equal(ended, 0);
	unlink(path);
	return status;
}

#define OUTPUT(length) "\x01\x06\x00\x01\x00" length "\x00\x00"
#define END            "\x01\x03\x00\x01\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

static void test_an_answer(void **state)
{
	static const char bytes[] = OUTPUT("\x12") "Status: 200 OK\r\n\r\n" OUTPUT("\x02") "{}" END;
	struct ath_error error = { 0 };
	struct ath_buffer body;

	(void)state;
	assert_int_equal(ask(bytes, sizeof bytes - 1, &body, &error), ATH_OK);
	assert_string_equal(ath_buffer_c_string(&body), "{}");
	ath_buffer_free(&body);
}

static void test_no_answer(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *says;
	} rows[] = {
#define ROW(bytes, says) { bytes, sizeof bytes - 1, says }
		ROW("", "gives no answer of FastCGI"),
		ROW("HTTP/1.1 400 Bad Request\r\n\r\n", "gives no answer of FastCGI"),
		ROW(OUTPUT("\x12") "Status: 200", "gives no answer of FastCGI"),
		ROW(OUTPUT("\x19") "Status: 404 Not Found\r\n\r\n" END, "has no /-/status"),
		ROW(OUTPUT("\x02") "{}" END, "has no /-/status"),
		ROW(END, "has no /-/status"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_error error = { 0 };
		struct ath_buffer body;

		assert_int_equal(ask(rows[i].bytes, rows[i].length, &body, &error),
				 ATH_EUNAVAILABLE);
		if (strstr(error.message, rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, error.message);
		ath_buffer_free(&body);
	}
}

static void test_nobody_there(void **state)
{
	static const char *const sockets[] = { "unix:/nowhere/at.all",
					       "/nowhere/at.all",
					       "127.0.0.1:1",
					       "[::1]:1",
					       "nonsense",
					       "unix:" };
	struct ath_buffer body;

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(sockets); i++) {
		struct ath_error error = { 0 };

		assert_int_equal(ath_ask(sockets[i], "/", &body, &error), ATH_EUNAVAILABLE);
		assert_non_null(strstr(error.message, "nothing answers on "));
		assert_non_null(strstr(error.message, sockets[i]));
		ath_buffer_free(&body);
	}
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	static const struct CMUnitTest tests[] = {
		row(test_the_table),
		row(test_what_it_is_not),
		row(test_nothing_is_a_command_of_the_terminal),
		row(test_a_long_route_is_cut),
		row(test_an_answer),
		row(test_no_answer),
		row(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
