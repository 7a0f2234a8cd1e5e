/*
 * streams.c - many open streams on the worker's socket. Prints "open" when the heads of all have
 * come, and "heard" when all have got an event.
 *
 *	streams SOCKET URI COUNT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/resource.h>

#include "../web/fcgi_client.h"

static const char *uri;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int *peers;
static size_t count;

/* Reads records until the text has come. */
static void await_text(int peer, const char *text)
{
	unsigned char header[8];
	struct ath_buffer content;

	bytes_init(&content);
	do {
		assert_true(receive_record(peer, header, &content));
		assert_int_equal(header[1], FCGI_STDOUT);
	} while (strstr(ath_buffer_c_string(&content), text) == NULL);
	ath_buffer_free(&content);
}

static void test_streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < count; i++) {
		peers[i] = client_connect(&address);
		send_request(peers[i], &(struct made_request){ .uri = uri, .keep = true });
	}
	for (size_t i = 0; i < count; i++)
		await_text(peers[i], "\r\n\r\n");
	puts("open");
	fflush(stdout);
	for (size_t i = 0; i < count; i++)
		await_text(peers[i], "\n\n");
	puts("heard");
	for (size_t i = 0; i < count; i++)
		close(peers[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_streams) };
	struct rlimit limit;

	if (argc != 4 || strlen(argv[1]) >= sizeof address.sun_path)
		return 2;
	strcpy(address.sun_path, argv[1]);
	uri = argv[2];
	count = strtoul(argv[3], NULL, 10);
	peers = calloc(count, sizeof *peers);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return peers == NULL ? 2 : cmocka_run_group_tests(tests, NULL, NULL);
}
