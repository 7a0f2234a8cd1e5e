/*
 * request_log.c - the lines of the logs that a request is worth: that it was, that it went wrong,
 * or that it took long, and then what it ran meanwhile; and the same for a browser.
 */
#include <stdio.h>

#include "web/internal.h"

enum {
	PATH = 512,                 /* bytes of it that are told */
	STATEMENTS = 32,            /* that are told, */
	STATEMENT = 400,            /* each with so many bytes */
	LONG = 16 * 1024,           /* a line with statements */
	LISTED = 14 * 1024,         /* of which they may take so many; */
	ROOM = 6 * STATEMENT + 100, /* one of them takes no more */
};

static const char *or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

/* No more of it than that, and no half of a character. */
static size_t cut(const char *text, size_t length, size_t most)
{
	if (length <= most)
		return length;
	while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--;
	return most;
}

/* Without the query, where clients put what is nobody else's. */
static void put_path(struct ath_log_line *line, const struct ath_request *request)
{
	char path[PATH + 1];
	size_t length = request->path.length;

	length = length == 0 ? 0 : cut(request->path.data, length, PATH);
	if (length > 0)
		memcpy(path, request->path.data, length);
	path[length] = '\0';
	ath_log_text(line, "path", path);
}

static void put_members(struct ath_log_line *line, const struct ath_request *request, int status,
			const struct ath_output *output)
{
	const struct ath_leaf *leaf = request->match.leaf;

	ath_log_text(line, "id", request->id);
	ath_log_text(line, "client", or_empty(ath_param(request, "REMOTE_ADDR")));
	ath_log_text(line, "method", or_empty(ath_param(request, "REQUEST_METHOD")));
	put_path(line, request);
	ath_log_text(line, "route", leaf == NULL ? "" : leaf->path);
	ath_log_int(line, "status", status);
	ath_log_thousandths(line, "ms", request->took_us);
	ath_log_int(line, "bytes_in", (int64_t)(request->raw_body.length + request->body_read));
	ath_log_int(line, "bytes", (int64_t)(request->sent_bytes + output->body_length));
	ath_log_int(line, "statements", (int64_t)request->statements);
	ath_log_int(line, "rows", (int64_t)request->rows);
	if (request->web->tell_statements)
		ath_log_thousandths(line, "database_ms", request->database_us);
	if (output->end == ATH_OUTPUT_BREAKS)
		ath_log_text(line, "stream", "broken off");
}

static void log_to(const struct ath_log *log, enum ath_log_level level,
		   const struct ath_request *request, int status, const struct ath_output *output)
{
	struct ath_log_line line;

	ath_log_begin(&line, log, level, "request");
	put_members(&line, request, status, output);
	ath_log_end(&line);
}

/* ---- slow ones ------------------------------------------------------------------------------- */

static void put_statement(struct ath_buffer *list, const struct ath_told_statement *told)
{
	ath_buffer_printf(
		list, "%s{\"ms\":%llu.%03llu,\"rows\":%zu,\"sql\":", list->length > 1 ? "," : "",
		(unsigned long long)(told->microseconds / 1000),
		(unsigned long long)(told->microseconds % 1000), told->rows);
	ath_buffer_json_text(list, told->text, cut(told->text, strlen(told->text), STATEMENT));
	ath_buffer_append(list, "}", 1);
}

/* As many as there is room for; how many those are. */
static size_t list_statements(struct ath_buffer *list, const struct ath_request *request)
{
	size_t most = request->told_count < STATEMENTS ? request->told_count : STATEMENTS;
	size_t count = 0;

	ath_buffer_append(list, "[", 1);
	while (count < most && list->length + ROOM < LISTED)
		put_statement(list, &request->told[count++]);
	ath_buffer_append(list, "]", 1);
	return list->failed ? 0 : count;
}

/* In the memory of the request; where there is none left the line is told without its list. */
static void log_slow(const struct ath_request *request, int status, const struct ath_output *output)
{
	char *bytes = ath_arena_alloc(request->arena, LONG);
	struct ath_log_line line;
	struct ath_buffer list;
	size_t listed;

	if (bytes == NULL)
		ath_log_begin(&line, request->web->slow, ATH_LOG_WARNING, "slow request");
	else
		ath_log_begin_long(&line, request->web->slow, ATH_LOG_WARNING, "slow request",
				   bytes, LONG);
	put_members(&line, request, status, output);
	ath_buffer_init(&list, request->arena, LISTED);
	listed = list_statements(&list, request);
	if (request->statements > listed)
		ath_log_int(&line, "more_statements", (int64_t)(request->statements - listed));
	if (listed > 0)
		ath_log_json(&line, "slowest", &list);
	ath_log_end(&line);
}

bool ath_request_is_slow(const struct ath_request *request)
{
	int64_t slow_ms = request->web->slow_ms;

	return slow_ms > 0 && request->took_us >= (uint64_t)slow_ms * 1000 &&
	       request->deadline != ATH_NEVER;
}

void ath_request_log(const struct ath_request *request, int status, const struct ath_output *output)
{
	const struct ath_web *web = request->web;
	/* the front tells of those that it refuses, in a line for many */
	bool bad = (status >= 500 && !request->refused) || output->end == ATH_OUTPUT_BREAKS;

	if (bad)
		log_to(web->log, ATH_LOG_ERROR, request, status, output);
	/* what went wrong is told once, when both go to the same place */
	if (web->access != NULL && !(bad && web->log != NULL && web->access->fd == web->log->fd))
		log_to(web->access, ATH_LOG_INFO, request, status, output);
	if (web->slow != NULL && ath_request_is_slow(request))
		log_slow(request, status, output);
}

/* ---- for a browser (W3C Server Timing) ------------------------------------------------------- */

void ath_put_server_timing(struct ath_buffer *head, const struct ath_request *request)
{
	unsigned long long total = ath_request_elapsed_us(request);
	unsigned long long database = request->database_us;

	ath_buffer_printf(head, "Server-Timing: total;dur=%llu.%03llu", total / 1000, total % 1000);
	if (request->statements > 0)
		ath_buffer_printf(head, ", db;dur=%llu.%03llu;desc=\"%zu statement%s\"",
				  database / 1000, database % 1000, request->statements,
				  request->statements == 1 ? "" : "s");
	ath_buffer_append(head, "\r\n", 2);
}
