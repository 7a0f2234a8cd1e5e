/* ask.c - the web server's side of FastCGI, as much of it as one GET needs; it blocks. */
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "serve/status_client.h"

enum { PATIENCE_S = 5, ID = 1, HEADER = 8, CEILING = 64 * 1024 * 1024 };
enum record { BEGIN = 1, END = 3, PARAMS = 4, INPUT = 5, OUTPUT = 6 };

/* ---- connecting ------------------------------------------------------------------------------ */

static int try_connect(const struct sockaddr *address, socklen_t length)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), reason;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
	    connect(fd, address, length) == 0)
		return fd;
	reason = errno;
	close(fd);
	errno = reason;
	return -1;
}

static int connect_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	return try_connect((const struct sockaddr *)&address, sizeof address);
}

/* HOST:PORT, [ADDRESS]:PORT */
static int connect_tcp(const char *socket)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(socket, ':');
	struct addrinfo *found = NULL;
	size_t length = (size_t)(colon - socket);
	char host[256];
	int fd = -1;

	if (length > 1 && socket[0] == '[' && colon[-1] == ']') {
		socket++;
		length -= 2;
	}
	if (length >= sizeof host) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(host, socket, length);
	host[length] = '\0';
	errno = EADDRNOTAVAIL;
	if (getaddrinfo(length == 0 ? NULL : host, colon + 1, &hints, &found) != 0)
		return -1;
	for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
		fd = try_connect(at->ai_addr, at->ai_addrlen);
	freeaddrinfo(found);
	return fd;
}

static int connect_to(const char *socket)
{
	if (strncmp(socket, "unix:", 5) == 0)
		return connect_unix(socket + 5);
	return strchr(socket, '/') != NULL || strchr(socket, ':') == NULL ? connect_unix(socket)
									  : connect_tcp(socket);
}

/* ---- the request ----------------------------------------------------------------------------- */

static void put_record(struct ath_buffer *out, enum record type, const void *data, size_t length)
{
	const unsigned char header[HEADER] = {
		1, (unsigned char)type, 0, ID, (unsigned char)(length >> 8), (unsigned char)length
	};

	ath_buffer_append(out, header, sizeof header);
	ath_buffer_append(out, data, length);
}

/* Names and values are short here: a byte each for their lengths. */
static void put_pair(struct ath_buffer *out, const char *name, const char *value)
{
	const unsigned char lengths[2] = { (unsigned char)strlen(name),
					   (unsigned char)strlen(value) };

	ath_buffer_append(out, lengths, sizeof lengths);
	ath_buffer_string(out, name);
	ath_buffer_string(out, value);
}

static bool send_request(int fd, const char *uri)
{
	static const unsigned char responder[8] = { 0, 1 }; /* which is not to be kept */
	const char *query = strchr(uri, '?');
	struct ath_buffer params, out;
	bool sent;

	ath_buffer_init(&params, NULL, 4096);
	put_pair(&params, "REQUEST_METHOD", "GET");
	put_pair(&params, "REQUEST_URI", uri);
	put_pair(&params, "QUERY_STRING", query == NULL ? "" : query + 1);
	put_pair(&params, "HTTP_ACCEPT", "application/json");
	put_pair(&params, "HTTP_HOST", "localhost");
	ath_buffer_init(&out, NULL, 8192);
	put_record(&out, BEGIN, responder, sizeof responder);
	put_record(&out, PARAMS, params.data, params.length);
	put_record(&out, PARAMS, "", 0);
	put_record(&out, INPUT, "", 0);
	sent = !params.failed && !out.failed &&
	       send(fd, out.data, out.length, MSG_NOSIGNAL) == (ssize_t)out.length;
	ath_buffer_free(&params);
	ath_buffer_free(&out);
	return sent;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static bool receive(int fd, void *to, size_t length)
{
	return length == 0 || recv(fd, to, length, MSG_WAITALL) == (ssize_t)length;
}

/* Gathers what is on FCGI_STDOUT up to the end of the request. */
static bool receive_answer(int fd, struct ath_buffer *answer)
{
	unsigned char header[HEADER], rest[255];

	while (receive(fd, header, sizeof header) && header[0] == 1) {
		size_t length = (size_t)header[4] << 8 | header[5];
		char *at = ath_buffer_reserve(answer, length);

		if (at == NULL || !receive(fd, at, length) || !receive(fd, rest, header[6]))
			return false;
		if (header[1] == OUTPUT)
			answer->length += length;
		if (header[1] == END)
			return true;
	}
	return false;
}

/* The head goes; false: the answer is not the one that was wanted. */
static bool take_body(struct ath_buffer *answer)
{
	const char *text = ath_buffer_c_string(answer), *end = strstr(text, "\r\n\r\n");
	size_t head;

	if (end == NULL || strncmp(text, "Status: 200 ", 12) != 0)
		return false;
	head = (size_t)(end - text) + 4;
	memmove(answer->data, answer->data + head, answer->length - head);
	answer->length -= head;
	return true;
}

enum ath_status ath_ask(const char *socket, const char *uri, struct ath_buffer *body,
			struct ath_error *error)
{
	int fd = connect_to(socket);
	bool got;

	ath_buffer_init(body, NULL, CEILING);
	if (fd < 0)
		return ath_error_set(error, ATH_EUNAVAILABLE, "nothing answers on %s: %s", socket,
				     strerror(errno));
	got = send_request(fd, uri) && receive_answer(fd, body);
	close(fd);
	if (!got || body->failed)
		return ath_error_set(error, ATH_EUNAVAILABLE,
				     "what listens on %s gives no answer of FastCGI within %d s",
				     socket, PATIENCE_S);
	if (!take_body(body))
		return ath_error_set(error, ATH_EUNAVAILABLE,
				     "what answers on %s has no %s: is it this application?",
				     socket, uri);
	return ATH_OK;
}
