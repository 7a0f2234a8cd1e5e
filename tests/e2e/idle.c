/*
 * idle.c - very many connections that have done one request each and are kept, as a web server with
 * many workers of its own keeps them. test_idle.sh looks at the worker meanwhile.
 *
 *	idle SOCKET COUNT URI
 *
 * Prints "kept COUNT" when all are idle; a line on standard input has each do one more request, and
 * "served COUNT" says that they did.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "../web/fcgi_client.h"

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static const char *uri;
static int count, *peers;

static void ask_all(void)
{
	for (int i = 0; i < count; i++) {
		if (peers[i] == 0)
			peers[i] = client_connect(&address);
		send_request(peers[i], &(struct made_request){ .uri = uri, .keep = true });
		assert_answer(peers[i], 200, NULL);
	}
}

static void test_they_are_kept(void **state)
{
	char line[16];

	(void)state;
	ask_all();
	printf("kept %d\n", count);
	fflush(stdout);
	assert_non_null(fgets(line, sizeof line, stdin));
	ask_all();
	printf("served %d\n", count);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_they_are_kept) };
	struct rlimit limit;

	if (argc != 4 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 2;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 2;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
	count = atoi(argv[2]);
	uri = argv[3];
	peers = calloc((size_t)count, sizeof *peers);
	return peers == NULL ? 2 : cmocka_run_group_tests(tests, NULL, NULL);
}
