/* log.c - JSON lines, one write each. */
#include <unistd.h>

#include "base/internal.h"
#include "base/log.h"

static const char *const level_names[] = {
	[ATH_LOG_ERROR] = "error",
	[ATH_LOG_WARNING] = "warning",
	[ATH_LOG_INFO] = "info",
	[ATH_LOG_DEBUG] = "debug",
};

/* A member is kept only when it fitted whole. */
static void member_done(struct ath_log_line *line)
{
	if (line->buffer.failed) {
		line->buffer.failed = false;
		line->buffer.length = line->whole;
	}
	line->whole = line->buffer.length;
}

static void member_name(struct ath_log_line *line, const char *name)
{
	ath_buffer_append(&line->buffer, ",", 1);
	ath_buffer_json_text(&line->buffer, name, strlen(name));
	ath_buffer_append(&line->buffer, ":", 1);
}

void ath_log_begin(struct ath_log_line *line, const struct ath_log *log, enum ath_log_level level,
		   const char *message)
{
	char now[ATH_TIMESTAMP_MAX_TEXT];

	line->log = log != NULL && level <= log->level ? log : NULL;
	if (line->log == NULL)
		return;
	/* all of the bytes are capacity from the start, so the buffer never grows; two stay
	 * free for the end of the line */
	line->buffer = (struct ath_buffer){ .data = line->bytes,
					    .capacity = sizeof line->bytes - 2,
					    .ceiling = sizeof line->bytes - 2 };
	line->whole = 0;
	ath_timestamp_format(ath_timestamp_now(), now);
	ath_buffer_printf(&line->buffer, "{\"time\":\"%s\",\"level\":\"%s\"", now,
			  level_names[level]);
	member_done(line);
	ath_log_text(line, "message", message);
}

void ath_log_text(struct ath_log_line *line, const char *name, const char *value)
{
	if (line->log == NULL)
		return;
	member_name(line, name);
	ath_buffer_json_text(&line->buffer, value, strlen(value));
	member_done(line);
}

void ath_log_int(struct ath_log_line *line, const char *name, int64_t value)
{
	if (line->log == NULL)
		return;
	member_name(line, name);
	ath_buffer_int64(&line->buffer, value);
	member_done(line);
}

void ath_log_end(struct ath_log_line *line)
{
	ssize_t written;

	if (line->log == NULL)
		return;
	memcpy(line->bytes + line->whole, "}\n", 2);
	written = write(line->log->fd, line->bytes, line->whole + 2);
	(void)written; /* there is nowhere left to tell of it */
}
