/*
 * echo.c - statements in the log, each on a line of its own when its batch is back or is not
 * waited for any more. Values of parameters appear only when they are asked for, and the
 * server's messages never, because they quote values.
 */
#include <inttypes.h>
#include <stdio.h>

#include "db/engine_parts.h"

enum { MAX_SQL = 1000 /* bytes */, MAX_VALUE = 100 /* characters */ };

/* The length of so many characters of UTF-8, at most. */
static size_t cut(const char *text, size_t length, size_t characters)
{
	size_t at = 0;

	while (at < length && characters-- > 0) {
		size_t sequence = ath_utf8_sequence(text + at, length - at);

		at += sequence == 0 ? 1 : sequence;
	}
	return at;
}

/* ---- values ------------------------------------------------------------------------------- */

/* What lies beyond the cut of the whole value need not be there. */
static void put_text(struct ath_buffer *out, const char *text)
{
	ath_buffer_append(out, "'", 1);
	ath_buffer_append(out, text, cut(text, strlen(text), MAX_VALUE));
	ath_buffer_append(out, "'", 1);
}

static void put_scalar(struct ath_buffer *out, const struct ath_value *value)
{
	char text[64];

	if (value->null) {
		ath_buffer_append(out, "NULL", 4);
		return;
	}
	switch (value->type) {
	case ATH_TYPE_BOOL:
		ath_buffer_string(out, value->as.boolean ? "true" : "false");
		return;
	case ATH_TYPE_DOUBLE:
		ath_buffer_printf(out, "%.17g", value->as.real);
		return;
	case ATH_TYPE_TEXT:
	case ATH_TYPE_JSON:
		put_text(out, value->as.text);
		return;
	case ATH_TYPE_BYTES:
		ath_buffer_printf(out, "%zu bytes", value->as.bytes.length);
		return;
	case ATH_TYPE_TIMESTAMP:
		ath_timestamp_format(value->as.timestamp, text);
		break;
	case ATH_TYPE_DATE:
		ath_date_format(value->as.date, text);
		break;
	case ATH_TYPE_DECIMAL:
		ath_decimal_format(value->as.decimal, text);
		break;
	case ATH_TYPE_UUID:
		ath_uuid_format(value->as.uuid, text);
		break;
	default:
		ath_buffer_int64(out, value->as.integer);
		return;
	}
	ath_buffer_string(out, text);
}

static void put_array(struct ath_buffer *out, const struct ath_value *array)
{
	ath_buffer_append(out, "{", 1);
	for (size_t i = 0; i < array->count && out->length <= 4 * MAX_VALUE; i++) {
		struct ath_value item = ath_value_item(array, i);

		if (i > 0)
			ath_buffer_append(out, ",", 1);
		put_scalar(out, &item);
	}
	ath_buffer_append(out, "}", 1);
}

static void log_value(struct ath_log_line *line, size_t number, const struct ath_value *value)
{
	char bytes[1024], name[32];
	struct ath_buffer out = { .data = bytes,
				  .capacity = sizeof bytes - 4,
				  .ceiling = sizeof bytes - 4 };
	size_t kept;

	if (value->array && !value->null)
		put_array(&out, value);
	else
		put_scalar(&out, value);
	kept = cut(bytes, out.length, MAX_VALUE);
	memcpy(bytes + kept, kept < out.length ? "..." : "", kept < out.length ? 4 : 1);
	snprintf(name, sizeof name, "$%zu", number);
	ath_log_text(line, name, bytes);
}

/* ---- lines -------------------------------------------------------------------------------- */

static void log_sql(struct ath_log_line *line, const struct ath_statement *statement)
{
	char text[MAX_SQL + 4];
	bool whole = statement->length <= MAX_SQL;

	snprintf(text, sizeof text, "%.*s%s", whole ? (int)statement->length : MAX_SQL,
		 statement->text, whole ? "" : "...");
	ath_log_text(line, "sql", text);
}

/* The first without a result is the one that failed; with none such it was the commit. */
static size_t failed_at(const struct ath_batch *batch)
{
	size_t i = 0;

	if (batch->error.status == ATH_OK)
		return batch->count;
	while (i + 1 < batch->count && batch->results[i] != NULL)
		i++;
	return i;
}

static void log_statement(const struct ath_engine *engine, const struct ath_batch *batch, size_t i,
			  size_t failed)
{
	const struct ath_statement *statement = &batch->statements[i];
	struct ath_log_line line;

	ath_log_begin(&line, &engine->echo_log, ATH_LOG_INFO, "statement");
	ath_log_int(&line, "ms", ath_now() - batch->sent_at);
	if (batch->results[i] != NULL)
		ath_log_int(&line, "rows", batch->driver->affected(batch->results[i]));
	if (i == failed && batch->error.sqlstate[0] != '\0')
		ath_log_text(&line, "sqlstate", batch->error.sqlstate);
	if (i == failed)
		ath_log_text(&line, "error", ath_status_text(batch->error.status));
	if (i > failed)
		ath_log_text(&line, "error", "skipped");
	log_sql(&line, statement);
	if (engine->options.echo == ATH_ECHO_VALUES)
		for (size_t p = 0; p < statement->param_count; p++)
			log_value(&line, p + 1, &statement->params[p]);
	ath_log_end(&line);
}

void ath_echo_open(struct ath_engine *engine)
{
	engine->echo_log =
		engine->options.log == NULL ? *ath_loop_log(engine->loop) : *engine->options.log;
	if (engine->echo_log.level < ATH_LOG_INFO)
		engine->echo_log.level = ATH_LOG_INFO;
}

void ath_echo(const struct ath_engine *engine, const struct ath_batch *batch)
{
	size_t failed;

	if (engine->options.echo == ATH_ECHO_OFF || !batch->sent)
		return;
	failed = failed_at(batch);
	for (size_t i = 0; i < batch->count; i++)
		log_statement(engine, batch, i, failed);
}
