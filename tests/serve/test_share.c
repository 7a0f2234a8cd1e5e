/*
 * test_share.c - which of several workers takes the next connection, by what the scoreboard says of
 * those they have; and what a service manager is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/master.h"
#include "serve/scoreboard_parts.h"

enum { WORKERS = 3, PATIENCE_MS = 20000 };

static struct ath_scoreboard *board;
static struct ath_worker workers[WORKERS];

static int open_board(void **state)
{
	static const struct ath_route routes[] = { { 0 } };
	static const struct ath_app app = { .name = "share", .version = "1", .routes = routes };
	struct ath_error error = { 0 };

	(void)state;
	if (ath_scoreboard_open(&board, &app, WORKERS + 2, &error) != ATH_OK)
		return -1;
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct ath_worker){ .slot = ath_scoreboard_take(board, i + 1, 1) };
		ath_slot_set_state(workers[i].slot, ATH_WORKER_SERVES);
		ath_worker_share(&workers[i]);
	}
	return 0;
}

static int close_board(void **state)
{
	(void)state;
	ath_scoreboard_close(&board);
	return 0;
}

static bool may(unsigned worker, size_t connections)
{
	return workers[worker].web.may_accept(&workers[worker].web, connections);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void test_they_grow_together(void **state)
{
	size_t has[WORKERS] = { 0 };

	(void)state;
	/* the first is asked first each time, and takes it if it may */
	for (int i = 0; i < 300; i++) {
		unsigned taker = 0;

		while (taker < WORKERS - 1 && !may(taker, has[taker]))
			taker++;
		(void)may(taker, ++has[taker]); /* as it is asked behind each */
	}
	for (unsigned i = 0; i < WORKERS; i++)
		assert_in_range(has[i], 70, 130);
}

static void test_one_that_leaves_counts_no_more(void **state)
{
	(void)state;
	assert_true(may(1, 1));
	assert_false(may(0, 20));
	ath_slot_set_state(workers[1].slot, ATH_WORKER_LEAVES);
	ath_slot_set_state(workers[2].slot, ATH_WORKER_LEAVES);
	assert_true(may(0, 20));
}

/* Those with fewer may be busy: then it is taken in the end, and after that they are waited for. */
static void test_nobody_is_waited_for_for_ever(void **state)
{
	int64_t deadline = ath_now() + PATIENCE_MS;

	(void)state;
	assert_false(may(0, 20));
	while (!may(0, 20) && ath_now() < deadline)
		(void)ath_sleep(5);
	assert_true(may(0, 20));
	assert_false(may(0, 21));
	assert_true(may(1, 0));
}

/* ---- the service manager --------------------------------------------------------------------- */

static void check_told(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[64] = "";

	memcpy(address.sun_path, name, strlen(name));
	if (*name == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	ath_service_notify("READY=1\nSTATUS=%d workers", 3);
	assert_true(recv(fd, text, sizeof text - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(text, "READY=1\nSTATUS=3 workers");
	close(fd);
}

static void test_a_service_manager_is_told(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof name, "/tmp/ath-notify.%d", (int)getpid());
	check_told(name);
	unlink(name);
	name[0] = '@';
	check_told(name);
	ath_service_notify("nobody listens any more: that is no error");
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	ath_service_notify("nor is a kind of address that is not known here");
	unsetenv("NOTIFY_SOCKET");
	ath_service_notify("nor is it that there is none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_they_grow_together, open_board, close_board),
		cmocka_unit_test_setup_teardown(test_one_that_leaves_counts_no_more, open_board,
						close_board),
		cmocka_unit_test_setup_teardown(test_nobody_is_waited_for_for_ever, open_board,
						close_board),
		cmocka_unit_test(test_a_service_manager_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
