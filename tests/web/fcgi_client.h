/*
 * fcgi_client.h - the web server's side of FastCGI, by hand: records put together byte for
 * byte, and a blocking client whose every wait is bounded.
 */
#ifndef TESTS_FCGI_CLIENT_H
#define TESTS_FCGI_CLIENT_H

#include <errno.h>
#include <fastcgi.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fcgi_put.h"

enum { PATIENCE_MS = 60 * 1000 };

/* ---- the client ------------------------------------------------------------------------------ */

static inline int client_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static inline int client_connect(const struct sockaddr_un *address)
{
	int fd = client_socket();

	assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof *address), 0);
	return fd;
}

static inline void wait_for(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	assert_int_equal(poll(&pollfd, 1, PATIENCE_MS), 1);
}

/* As much as the socket takes now. */
static inline size_t send_some(int fd, const void *data, size_t length)
{
	ssize_t sent = send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0)
		assert_int_equal(errno, EAGAIN);
	return sent < 0 ? 0 : (size_t)sent;
}

static inline void send_all(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length > 0) {
		size_t sent;

		wait_for(fd, POLLOUT);
		sent = send_some(fd, at, length);
		at += sent;
		length -= sent;
	}
}

static inline void send_bytes(int fd, struct ath_buffer *bytes)
{
	assert_false(bytes->failed);
	send_all(fd, bytes->data, bytes->length);
	ath_buffer_free(bytes);
}

static inline void send_request(int fd, const struct made_request *made)
{
	struct ath_buffer bytes;

	bytes_init(&bytes);
	put_request(&bytes, made);
	send_bytes(fd, &bytes);
}

/* 0: the other side has closed. */
static inline size_t receive_some(int fd, void *data, size_t length)
{
	ssize_t got;

	wait_for(fd, POLLIN);
	got = recv(fd, data, length, 0);
	/* a unix socket that is closed with unread bytes in it says so */
	if (got < 0)
		assert_int_equal(errno, ECONNRESET);
	return got < 0 ? 0 : (size_t)got;
}

static inline bool receive_exactly(int fd, void *data, size_t length)
{
	char *at = data;

	while (length > 0) {
		size_t got = receive_some(fd, at, length);

		if (got == 0)
			return false;
		at += got;
		length -= got;
	}
	return true;
}

static inline void assert_closed(int fd)
{
	char byte;

	assert_int_equal(receive_some(fd, &byte, 1), 0);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

/* What came on FCGI_STDOUT, cut where the head ends. */
struct answer {
	int status;
	unsigned id;
	struct ath_buffer bytes;
	const char *body;
	size_t body_length;
};

static inline void answer_free(struct answer *answer)
{
	ath_buffer_free(&answer->bytes);
}

static inline void cut_answer(struct answer *answer)
{
	const char *text = ath_buffer_c_string(&answer->bytes), *end = strstr(text, "\r\n\r\n");
	const char *announced = strstr(text, "Content-Length: ");

	assert_int_equal(sscanf(text, "Status: %d\r\n", &answer->status), 1);
	assert_non_null(end);
	answer->body = end + 4;
	answer->body_length = answer->bytes.length - (size_t)(answer->body - text);
	/* of an answer to HEAD only the head comes */
	if (answer->body_length > 0 && announced != NULL && announced < end)
		assert_int_equal(strtoul(announced + 16, NULL, 10), answer->body_length);
}

/* Reads one record, its content added to content; false when the connection ended in it. */
static inline bool receive_record(int fd, unsigned char header[8], struct ath_buffer *content)
{
	size_t length;
	char *at;

	if (!receive_exactly(fd, header, 8))
		return false;
	assert_int_equal(header[0], FCGI_VERSION_1);
	length = (size_t)(header[4] << 8 | header[5]) + header[6];
	at = ath_buffer_reserve(content, length + 1);
	assert_non_null(at);
	if (!receive_exactly(fd, at, length))
		return false;
	content->length += length - header[6];
	return true;
}

/* Reads an answer to its FCGI_END_REQUEST; false when the connection ended within it. */
static inline bool receive_answer(int fd, struct answer *answer)
{
	unsigned char header[8] = { 0 };
	size_t end_body = 0;

	*answer = (struct answer){ 0 };
	bytes_init(&answer->bytes);
	while (header[1] != FCGI_END_REQUEST) {
		end_body = answer->bytes.length;
		if (!receive_record(fd, header, &answer->bytes))
			return false;
		answer->id = (unsigned)(header[2] << 8 | header[3]);
		assert_true(header[1] == FCGI_STDOUT || header[1] == FCGI_END_REQUEST);
	}
	assert_int_equal(answer->bytes.length - end_body, 8);
	assert_memory_equal(answer->bytes.data + end_body, "\0\0\0\0\0\0\0\0", 8);
	answer->bytes.length = end_body;
	if (end_body > 0)
		cut_answer(answer);
	return true;
}

static inline void assert_answer(int fd, int status, const char *body)
{
	struct answer answer;

	assert_true(receive_answer(fd, &answer));
	assert_int_equal(answer.status, status);
	if (body != NULL) {
		assert_int_equal(answer.body_length, strlen(body));
		assert_memory_equal(answer.body, body, answer.body_length);
	}
	answer_free(&answer);
}

#endif
