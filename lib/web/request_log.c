/* request_log.c - the lines of the logs that a request is worth: that it was, went wrong, or took
 * long. */
#include "web/internal.h"

static const char *or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

static void put_members(struct ath_log_line *line, const struct ath_request *request, int status)
{
	const struct ath_leaf *leaf = request->match.leaf;

	ath_log_text(line, "id", request->id);
	ath_log_text(line, "method", or_empty(ath_param(request, "REQUEST_METHOD")));
	ath_log_text(line, "route", leaf == NULL ? "" : leaf->path);
	ath_log_int(line, "status", status);
	ath_log_int(line, "ms", (int64_t)(request->took_us / 1000));
	ath_log_int(line, "statements", (int64_t)request->statements);
	ath_log_int(line, "rows", (int64_t)request->rows);
}

static void log_to(const struct ath_log *log, enum ath_log_level level,
		   const struct ath_request *request, int status, const struct ath_output *output)
{
	struct ath_log_line line;

	ath_log_begin(&line, log, level, "request");
	put_members(&line, request, status);
	ath_log_int(&line, "bytes", (int64_t)(request->sent_bytes + output->body_length));
	if (output->end == ATH_OUTPUT_BREAKS)
		ath_log_text(&line, "stream", "broken off");
	ath_log_end(&line);
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
}
