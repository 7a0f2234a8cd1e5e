/*
 * log.c - lines, one write each: JSON for machines, and for a person at a terminal
 *
 *	2026-01-02T03:04:05.678Z warning pipeline lost reason="it is gone" tries=3
 *
 * Both escape what a terminal would act upon, C1 control characters and DEL too, which JSON would
 * let pass: what clients send is written here.
 */
#include <unistd.h>

#include "base/internal.h"
#include "base/log.h"

static const struct {
	const char *name, *colour;
} levels[] = {
	[ATH_LOG_ERROR] = { "error", "\033[1;31m" },
	[ATH_LOG_WARNING] = { "warning", "\033[33m" },
	[ATH_LOG_INFO] = { "info", "\033[32m" },
	[ATH_LOG_DEBUG] = { "debug", "\033[2m" },
};

enum { END = 2 }; /* bytes that stay free for the end of the line */

/* A member is kept only when it fitted whole. */
static void member_done(struct ath_log_line *line)
{
	if (line->buffer.failed) {
		line->buffer.failed = false;
		line->buffer.length = line->whole;
	}
	line->whole = line->buffer.length;
}

/* ---- text ---------------------------------------------------------------------------------- */

/* DEL, or U+0080 to U+009F: how many bytes it has; 0: it is none. */
static size_t control_bytes(const unsigned char *at, size_t left)
{
	if (*at == 0x7f)
		return 1;
	return *at == 0xc2 && left > 1 && at[1] < 0xa0 ? 2 : 0;
}

static size_t find_control(const char *data, size_t length)
{
	size_t at = 0;

	while (at < length && control_bytes((const unsigned char *)data + at, length - at) == 0)
		at++;
	return at;
}

/* What JSON escapes is escaped as there. */
static void put_escaped(struct ath_buffer *out, const char *data, size_t length)
{
	size_t start = out->length;

	ath_buffer_json_text(out, data, length);
	if (out->failed)
		return;
	out->length -= 2; /* without the quotes */
	memmove(out->data + start, out->data + start + 1, out->length - start);
}

/* Between controls, and those by their number. */
static void put_pieces(struct ath_buffer *out, const char *data, size_t length)
{
	while (length > 0) {
		size_t plain = find_control(data, length), bytes = 0;

		put_escaped(out, data, plain);
		if (plain < length) {
			const unsigned char *control = (const unsigned char *)data + plain;

			bytes = control_bytes(control, length - plain);
			ath_buffer_printf(out, "\\u%04x", control[bytes - 1]);
		}
		data += plain + bytes;
		length -= plain + bytes;
	}
}

static bool is_plain_byte(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* The same of eight bytes: what is set in the top of one of them says that it is not. */
static bool are_plain(const char *text)
{
	const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;
	uint64_t word, quote, slash;

	memcpy(&word, text, sizeof word);
	quote = word ^ ones * '"';
	slash = word ^ ones * '\\';
	return (((word - ones * ' ') | (word + ones) | (quote - ones) | (slash - ones) | word) &
		tops) == 0;
}

static bool is_plain(const char *text, size_t length)
{
	size_t at = 0;

	for (; length - at >= 8; at += 8)
		if (!are_plain(text + at))
			return false;
	for (; at < length; at++)
		if (!is_plain_byte((unsigned char)text[at]))
			return false;
	return true;
}

static void put_quoted(struct ath_buffer *out, const char *text)
{
	size_t length = strlen(text);

	if (is_plain(text, length)) { /* as nearly always */
		ath_buffer_quoted(out, text, length);
		return;
	}
	ath_buffer_append(out, "\"", 1);
	put_pieces(out, text, length);
	ath_buffer_append(out, "\"", 1);
}

/* A value that a person can tell from what stands around it. */
static bool is_one_word(const char *text)
{
	size_t length = strcspn(text, " =\"\\");

	return length > 0 && text[length] == '\0' && find_control(text, length) == length;
}

static void put_name(struct ath_log_line *line, const char *name)
{
	struct ath_buffer *out = &line->buffer;

	if (line->log->form == ATH_LOG_JSON) {
		ath_buffer_append(out, ",", 1);
		put_quoted(out, name);
		ath_buffer_append(out, ":", 1);
	} else {
		ath_buffer_append(out, " ", 1);
		put_pieces(out, name, strlen(name));
		ath_buffer_append(out, "=", 1);
	}
}

/* ---- the beginning of a line ----------------------------------------------------------------- */

static void begin_json(struct ath_buffer *out, enum ath_log_level level)
{
	char now[ATH_TIMESTAMP_MAX_TEXT];

	ath_buffer_string(out, "{\"time\":\"");
	ath_buffer_append(out, now, ath_timestamp_format(ath_timestamp_now(), now));
	ath_buffer_string(out, "\",\"level\":\"");
	ath_buffer_string(out, levels[level].name);
	ath_buffer_append(out, "\"", 1);
}

/* Always of the same width, so that a column of them can be read. */
static void begin_readable(struct ath_buffer *out, enum ath_log_level level, bool coloured)
{
	struct ath_timestamp now = ath_timestamp_now();
	int milliseconds = (int)(now.microseconds / 1000 % 1000);
	char text[ATH_TIMESTAMP_MAX_TEXT];

	now.microseconds -= now.microseconds % 1000000;
	text[ath_timestamp_format(now, text) - 1] = '\0'; /* without the Z */
	ath_buffer_printf(out, "%s.%03dZ %s%s%s ", text, milliseconds,
			  coloured ? levels[level].colour : "", levels[level].name,
			  coloured ? "\033[0m" : "");
}

static void begin(struct ath_log_line *line, enum ath_log_level level, const char *message)
{
	enum ath_log_form form = line->log->form;

	line->whole = 0;
	if (form == ATH_LOG_JSON)
		begin_json(&line->buffer, level);
	else
		begin_readable(&line->buffer, level, form == ATH_LOG_COLOURED);
	member_done(line);
	if (form == ATH_LOG_JSON) {
		ath_log_text(line, "message", message);
		return;
	}
	put_pieces(&line->buffer, message, strlen(message));
	member_done(line);
}

void ath_log_begin_long(struct ath_log_line *line, const struct ath_log *log,
			enum ath_log_level level, const char *message, char *bytes, size_t size)
{
	line->log = log != NULL && level <= log->level ? log : NULL;
	if (line->log == NULL)
		return;
	/* all of the bytes are capacity from the start, so the buffer never grows */
	line->buffer =
		(struct ath_buffer){ .data = bytes, .capacity = size - END, .ceiling = size - END };
	begin(line, level, message);
}

void ath_log_begin(struct ath_log_line *line, const struct ath_log *log, enum ath_log_level level,
		   const char *message)
{
	ath_log_begin_long(line, log, level, message, line->bytes, sizeof line->bytes);
}

/* ---- members --------------------------------------------------------------------------------- */

void ath_log_text(struct ath_log_line *line, const char *name, const char *value)
{
	if (line->log == NULL)
		return;
	put_name(line, name);
	if (line->log->form != ATH_LOG_JSON && is_one_word(value))
		put_pieces(&line->buffer, value, strlen(value));
	else
		put_quoted(&line->buffer, value);
	member_done(line);
}

void ath_log_int(struct ath_log_line *line, const char *name, int64_t value)
{
	if (line->log == NULL)
		return;
	put_name(line, name);
	ath_buffer_int64(&line->buffer, value);
	member_done(line);
}

void ath_log_thousandths(struct ath_log_line *line, const char *name, uint64_t value)
{
	char digits[4] = { '.', (char)('0' + value / 100 % 10), (char)('0' + value / 10 % 10),
			   (char)('0' + value % 10) };

	if (line->log == NULL)
		return;
	put_name(line, name);
	ath_buffer_int64(&line->buffer, (int64_t)(value / 1000));
	ath_buffer_append(&line->buffer, digits, sizeof digits);
	member_done(line);
}

void ath_log_json(struct ath_log_line *line, const char *name, const struct ath_buffer *json)
{
	if (line->log == NULL)
		return;
	put_name(line, name);
	ath_buffer_append(&line->buffer, json->data, json->length);
	line->buffer.failed = line->buffer.failed || json->failed;
	member_done(line);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void write_lines(int fd, const char *lines, size_t length)
{
	ssize_t written = write(fd, lines, length);

	(void)written; /* there is nowhere left to tell of it */
}

void ath_log_flush(struct ath_log_batch *batch)
{
	if (batch->length > 0)
		write_lines(batch->fd, batch->bytes, batch->length);
	batch->length = 0;
}

/* False: it is longer than all of a batch. */
static bool put_off(struct ath_log_batch *batch, int fd, const char *text, size_t length)
{
	if (length > sizeof batch->bytes - batch->length)
		ath_log_flush(batch);
	if (length > sizeof batch->bytes)
		return false;
	if (batch->length == 0)
		batch->begun(batch);
	batch->fd = fd;
	memcpy(batch->bytes + batch->length, text, length);
	batch->length += length;
	return true;
}

void ath_log_end(struct ath_log_line *line)
{
	const char *start = line->buffer.data;
	size_t length;
	char *end;

	if (line->log == NULL)
		return;
	end = line->buffer.data + line->whole;
	if (line->log->form == ATH_LOG_JSON)
		*end++ = '}';
	*end++ = '\n';
	length = (size_t)(end - start);
	if (line->log->batch == NULL || !put_off(line->log->batch, line->log->fd, start, length))
		write_lines(line->log->fd, start, length);
}
