/*
 * wire.c - what curl cannot do to a worker, on its socket: bodies that hold records of another
 * request, many idle connections, peers that dribble or leave. test_wire.sh compiles and runs it.
 *
 *	wire SOCKET		the tests, against a worker of the users application
 *	wire records BYTES	writes a body full of records to standard output
 *
 * The smuggled request deletes user 1; only the one who counts the users would notice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../web/fcgi_client.h"

static struct sockaddr_un address = { .sun_family = AF_UNIX };

/* ---- bodies -------------------------------------------------------------------------------- */

/* The request over and over, at every distance from a multiple of eight, where records start. */
static void put_records(struct ath_buffer *out, size_t length)
{
	static const struct made_request smuggled = { .method = "DELETE",
						      .uri = "/users/1",
						      .keep = true };

	for (size_t i = 0; out->length < length; i++) {
		put_request(out, &smuggled);
		ath_buffer_append(out, "01234567", i % 8);
	}
	out->length = length;
}

/* ---- one request on a connection --------------------------------------------------------------
 */

static int connect_worker(void)
{
	return client_connect(&address);
}

/* The next answer has this status, and part in its body. */
static void assert_next(int fd, const char *what, int status, const char *part)
{
	struct answer answer;

	if (!receive_answer(fd, &answer))
		fail_msg("%s: the connection was closed", what);
	if (answer.status != status || strstr(answer.body, part) == NULL)
		fail_msg("%s: %d %.300s, not %d %s", what, answer.status, answer.body, status,
			 part);
	answer_free(&answer);
}

static void assert_user(int fd, int id)
{
	char uri[32], part[32];

	snprintf(uri, sizeof uri, "/users/%d", id);
	snprintf(part, sizeof part, "{\"id\":%d,\"name\":", id);
	send_request(fd, &(struct made_request){ .uri = uri, .keep = true });
	assert_next(fd, uri, 200, part);
}

/* Nothing was sent that nobody asked for. */
static void assert_silent(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&pollfd, 1, 0), 0);
}

static void assert_all_is_well(void)
{
	int fd = connect_worker();

	assert_user(fd, 1);
	assert_user(fd, 2);
	close(fd);
}

/* ---- smuggling ----------------------------------------------------------------------------------
 */

static const struct route_row {
	const char *method, *uri;
	int status;
	bool first; /* refused for its line, before its body is looked at */
} route_rows[] = {
	{ "POST", "/users", 400, false },
	{ "POST", "/posts", 400, false },
	{ "PATCH", "/users/1", 400, false },
	{ "PATCH", "/users/99", 404, false },
	{ "DELETE", "/users/99", 404, false },
	{ "DELETE", "/posts/99", 404, false },
	{ "GET", "/users", 200, false },
	{ "GET", "/users/2", 200, false },
	{ "GET", "/users/99", 404, false },
	{ "GET", "/users/2/posts", 200, false },
	{ "GET", "/posts", 200, false },
	{ "GET", "/posts/5", 200, false },
	{ "HEAD", "/users/2", 200, false },
	{ "OPTIONS", "/users", 204, false },
	{ "POST", "/nothing", 404, false },
	{ "GET", "/", 404, false },
	{ "POST", "/users/2", 405, false },
	{ "PUT", "/users/2", 405, false },
	{ "BREW", "/users", 405, false },
	{ "DELETE", "/users", 405, false },
	{ "POST", "/users/9223372036854775808", 404, false },
	{ "POST", "/users?name=%00", 400, true },
	{ "POST", "/%ff", 400, true },
	{ "GET", "/users?limit=0", 422, false },
	{ "GET", "users", 400, true },
};

static void smuggle(const struct route_row *row, size_t length)
{
	int fd = connect_worker();
	int status = length > 1024 * 1024 && !row->first ? 413 : row->status;
	struct ath_buffer body;
	char announced[24], what[128];

	bytes_init(&body);
	put_records(&body, length);
	snprintf(announced, sizeof announced, "%zu", length);
	snprintf(what, sizeof what, "%s %s with %zu bytes", row->method, row->uri, length);
	for (int i = 0; i < 2; i++) {
		send_request(fd, &(struct made_request){ .method = row->method,
							 .uri = row->uri,
							 .content_length = announced,
							 .body = body.data,
							 .body_length = length,
							 .keep = true });
		assert_next(fd, what, status, "");
		assert_user(fd, 2);
	}
	assert_silent(fd);
	close(fd);
	ath_buffer_free(&body);
}

static void test_records_in_a_body_are_a_body(void **state)
{
	static const size_t lengths[] = { 1,      8,      200,         65535,
					  65536,  100001, 1024 * 1024, 1024 * 1024 + 1,
					  1500000 };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(route_rows); i++)
		for (size_t j = 0; j < ATH_COUNT(lengths); j++)
			smuggle(&route_rows[i], lengths[j]);
	assert_all_is_well();
}

static void test_a_length_that_lies(void **state)
{
	static const char *const lengths[] = { "0",  "1",   "199",    "201",
					       "-1", "1e2", "000200", "99999999999999999999" };
	struct ath_buffer body;
	int fd = connect_worker();

	(void)state;
	bytes_init(&body);
	put_records(&body, 200);
	for (size_t i = 0; i < ATH_COUNT(lengths); i++) {
		send_request(fd, &(struct made_request){ .method = "POST",
							 .uri = "/users",
							 .content_length = lengths[i],
							 .body = body.data,
							 .body_length = body.length,
							 .keep = true });
		assert_next(fd, lengths[i], 400, "not as long as announced");
		assert_user(fd, 2);
	}
	assert_silent(fd);
	close(fd);
	ath_buffer_free(&body);
	assert_all_is_well();
}

/* ---- ceilings
 * -------------------------------------------------------------------------------------- */

static void test_parameters_at_their_ceiling(void **state)
{
	static const struct {
		size_t filler;
		int status;
	} rows[] = { { 60000, 200 }, { 66000, 431 }, { 300000, 431 } };
	int fd = connect_worker();

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		send_request(fd, &(struct made_request){ .uri = "/users/2",
							 .more_params = rows[i].filler,
							 .keep = true });
		assert_next(fd, "many parameters", rows[i].status, "");
		assert_user(fd, 2);
	}
	close(fd);
}

static void test_uri_too_long(void **state)
{
	static char uri[20000];
	int fd = connect_worker();

	(void)state;
	memset(uri, 'x', sizeof uri - 1);
	uri[0] = '/';
	send_request(fd, &(struct made_request){ .uri = uri, .keep = true });
	assert_next(fd, "a long URI", 414, "");
	uri[8000] = '\0';
	send_request(fd, &(struct made_request){ .uri = uri, .keep = true });
	assert_next(fd, "a URI", 404, "");
	assert_user(fd, 2);
	close(fd);
}

/* ---- connections
 * -------------------------------------------------------------------------------------- */

enum { IDLE = 200 };

static void test_idle_connections_hinder_nobody(void **state)
{
	int idle[IDLE];

	(void)state;
	for (int i = 0; i < IDLE; i++) {
		idle[i] = connect_worker();
		if (i % 2 == 0) /* the others never said a word */
			assert_user(idle[i], 1 + i % 5);
	}
	for (int i = 0; i < 50; i++) {
		int fd = connect_worker();

		for (int id = 1; id <= 5; id++)
			assert_user(fd, id);
		close(fd);
	}
	for (int i = 0; i < IDLE; i++) {
		assert_user(idle[i], 1 + i % 5);
		assert_silent(idle[i]);
		close(idle[i]);
	}
}

static void test_many_in_flight(void **state)
{
	int fds[IDLE];

	(void)state;
	for (int i = 0; i < IDLE; i++) {
		fds[i] = connect_worker();
		send_request(fds[i], &(struct made_request){ .uri = i % 2 ? "/users/1" : "/posts/5",
							     .keep = true });
	}
	for (int i = IDLE - 1; i >= 0; i--) {
		assert_next(fds[i], "one of many", 200, i % 2 ? "{\"id\":1," : "{\"id\":5,");
		close(fds[i]);
	}
}

static void test_requests_one_behind_the_other(void **state)
{
	int fd = connect_worker();

	(void)state;
	for (int id = 1; id <= 5; id++) {
		char uri[32];

		snprintf(uri, sizeof uri, "/users/%d", id);
		send_request(fd, &(struct made_request){ .uri = uri, .keep = true });
	}
	for (int id = 1; id <= 5; id++) {
		char part[32];

		snprintf(part, sizeof part, "{\"id\":%d,", id);
		assert_next(fd, "one behind the other", 200, part);
	}
	assert_silent(fd);
	close(fd);
}

static void put_post(struct ath_buffer *bytes)
{
	static const char body[] = "{\"user_id\":1,\"title\":\"Never whole\"}";

	bytes_init(bytes);
	put_request(bytes, &(struct made_request){ .method = "POST",
						   .uri = "/posts",
						   .body = body,
						   .body_length = sizeof body - 1,
						   .keep = true });
}

/* At every byte but the last: what has not come whole is not done. */
static void test_peers_that_leave_in_a_request(void **state)
{
	struct ath_buffer bytes;

	(void)state;
	put_post(&bytes);
	for (size_t length = 0; length < bytes.length; length++) {
		int fd = connect_worker();

		send_all(fd, bytes.data, length);
		close(fd);
	}
	ath_buffer_free(&bytes);
	assert_all_is_well();
}

static void test_peers_that_leave_before_the_answer(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		int fd = connect_worker();

		send_request(fd, &(struct made_request){ .uri = i % 2 ? "/users" : "/nothing",
							 .keep = i % 3 == 0 });
		if (i % 5 == 0)
			shutdown(fd, SHUT_WR);
		close(fd);
	}
	assert_all_is_well();
}

static void test_a_peer_that_dribbles(void **state)
{
	static const struct made_request made = { .uri = "/users/3", .keep = true };
	int slow = connect_worker(), fd = connect_worker();
	struct ath_buffer bytes;

	(void)state;
	bytes_init(&bytes);
	put_request(&bytes, &made);
	for (size_t i = 0; i < bytes.length; i++) {
		send_all(slow, bytes.data + i, 1);
		if (i % 10 == 0)
			assert_user(fd, 2);
	}
	assert_next(slow, "a request byte by byte", 200, "{\"id\":3,");
	ath_buffer_free(&bytes);
	close(slow);
	close(fd);
}

static int write_records(size_t length)
{
	struct ath_buffer body;
	bool written;

	bytes_init(&body);
	put_records(&body, length);
	written = fwrite(body.data, 1, length, stdout) == length;
	ath_buffer_free(&body);
	return written ? 0 : 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_in_a_body_are_a_body),
		cmocka_unit_test(test_a_length_that_lies),
		cmocka_unit_test(test_parameters_at_their_ceiling),
		cmocka_unit_test(test_uri_too_long),
		cmocka_unit_test(test_idle_connections_hinder_nobody),
		cmocka_unit_test(test_many_in_flight),
		cmocka_unit_test(test_requests_one_behind_the_other),
		cmocka_unit_test(test_peers_that_leave_in_a_request),
		cmocka_unit_test(test_peers_that_leave_before_the_answer),
		cmocka_unit_test(test_a_peer_that_dribbles),
	};

	if (argc == 3 && strcmp(argv[1], "records") == 0)
		return write_records(strtoul(argv[2], NULL, 10));
	if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
		return 2;
	strcpy(address.sun_path, argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
