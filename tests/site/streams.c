/* streams.c - answers that leave while they are made, bodies that are read as they come. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "site.h"

enum { PIECE = 4096 };

static bool write_lines(struct ath_response *response, int64_t count)
{
	bool good = response != NULL;

	for (int64_t i = 1; good && i <= count; i++) {
		ath_buffer_printf(ath_response_body(response), "%063" PRId64 "\n", i);
		good = ath_stream_gathered(response);
	}
	return good;
}

static struct ath_response *lines(struct ath_request *req)
{
	struct ath_response *response = ath_response_stream(req, 200, "text/plain");

	write_lines(response, ath_arg_int(req, "lines", 16384, 0, 1000000));
	return response;
}

static struct ath_response *broken(struct ath_request *req)
{
	struct ath_response *response = ath_response_stream(req, 200, "text/plain");

	write_lines(response, ath_arg_int(req, "lines", 16384, 0, 1000000));
	return ath_problem(req, 500, "it broke");
}

/* ---- bodies --------------------------------------------------------------------------------- */

/* From now on most_memory() is of what comes. */
static void forget_most_memory(void)
{
	FILE *file = fopen("/proc/self/clear_refs", "w");

	if (file == NULL)
		return;
	fputs("5", file);
	fclose(file);
}

/* In KiB. */
static long most_memory(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[200];
	long most = 0;

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		(void)sscanf(line, "VmHWM: %ld", &most);
	if (file != NULL)
		fclose(file);
	return most;
}

/* The bytes, their sum as that of "sum -r", and the most memory meanwhile. */
static struct ath_response *upload(struct ath_request *req)
{
	unsigned char piece[PIECE];
	unsigned sum = 0;
	int64_t bytes = 0;
	ptrdiff_t length;

	forget_most_memory();
	while ((length = ath_body_read(req, piece, sizeof piece)) > 0) {
		for (ptrdiff_t i = 0; i < length; i++)
			sum = ((sum >> 1 | sum << 15) + piece[i]) & 0xffff;
		bytes += length;
	}
	if (length < 0)
		return NULL;
	return say(req, "%" PRId64 " %u %ld", bytes, sum, most_memory());
}

/* What comes goes back at once. */
static struct ath_response *echo(struct ath_request *req)
{
	struct ath_response *response = ath_response_stream(req, 200, "application/octet-stream");
	char piece[PIECE];
	ptrdiff_t length;

	while ((length = ath_body_read(req, piece, sizeof piece)) > 0)
		if (!ath_stream_write(response, piece, (size_t)length))
			break;
	return response;
}

static struct ath_response *unread(struct ath_request *req)
{
	return ath_response_text(req, 200, "unread");
}

/* ---- events --------------------------------------------------------------------------------- */

/* Whether the file is there within 20 s: the client makes it when it has seen what was sent. */
static bool comes_to_be(const char *file)
{
	for (int i = 0; i < 1000; i++) {
		if (access(file, F_OK) == 0)
			return true;
		if (ath_sleep(20) != ATH_OK)
			break;
	}
	return false;
}

static struct ath_response *events(struct ath_request *req)
{
	struct ath_response *response = ath_events(req);
	bool seen;

	ath_event_send(response, &(struct ath_server_event){ .name = "one",
							     .id = ath_header(req, "Last-Event-ID"),
							     .data = "first\nsecond" });
	seen = comes_to_be(ath_arg(req, "file"));
	ath_event_send(response,
		       &(struct ath_server_event){ .data = seen ? "seen" : "nobody saw it" });
	return response;
}

const struct ath_route streams_routes[] = {
	ATH_ROUTE(GET, "/lines", lines),
	ATH_ROUTE(GET, "/broken", broken),
	ATH_ROUTE(POST, "/upload", upload, .stream_body = true),
	ATH_ROUTE(POST, "/limited", upload, .stream_body = true, .max_body = 100000),
	ATH_ROUTE(POST, "/echo", echo, .stream_body = true),
	ATH_ROUTE(POST, "/briefly", echo, .stream_body = true, .deadline_ms = 300),
	ATH_ROUTE(POST, "/unread", unread, .stream_body = true),
	ATH_ROUTE(GET, "/events", events),
	{ 0 },
};
