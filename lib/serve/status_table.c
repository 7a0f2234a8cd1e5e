/*
 * status_table.c - the status as a table for a terminal. What it is made of came from another
 * process, and in the end from clients: nothing of it reaches the terminal as a command.
 */
#include <stdio.h>

#include "serve/status_client.h"

enum {
	WIDEST = 48, /* bytes of what a worker does */
	NUMBER = 32  /* and of a number */
};

void ath_put_shown(struct ath_buffer *out, struct ath_text text)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		bool c1 =
			c == 0xc2 && i + 1 < text.length && (unsigned char)text.data[i + 1] < 0xa0;

		if (c < ' ' || c == 0x7f || c1)
			ath_buffer_append(out, "?", 1);
		else
			ath_buffer_append(out, text.data + i, 1);
		i += c1;
	}
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct ath_text text_of(const struct ath_look *look, const struct ath_json_token *object,
			       const char *name)
{
	const struct ath_json_token *token = ath_json_member(&look->document, object, name);

	return token == NULL ? (struct ath_text){ "?", 1 }
			     : ath_json_string(look->arena, &look->document, token);
}

/* 0 of what is none; of 5.5 it is 5. */
static int64_t number_of(const struct ath_look *look, const struct ath_json_token *object,
			 const char *name)
{
	struct ath_text text = text_of(look, object, name);
	int64_t number = 0;

	for (size_t i = 0; i < text.length; i++)
		if (text.data[i] == '.')
			text.length = i;
	return ath_text_int64(text, &number) && number > 0 ? number : 0;
}

static const struct ath_json_token *processes_of(const struct ath_look *look)
{
	const struct ath_json_token *list =
		look->document.text == NULL
			? NULL
			: ath_json_member(&look->document, look->document.tokens, "processes");

	return list != NULL && list->type == ATH_JSON_ARRAY ? list : NULL;
}

/* ---- numbers for people ---------------------------------------------------------------------- */

static const char *shorten(char text[NUMBER], int64_t seconds)
{
	if (seconds < 60)
		snprintf(text, NUMBER, "%ds", (int)seconds);
	else if (seconds < 3600)
		snprintf(text, NUMBER, "%dm%02ds", (int)(seconds / 60), (int)(seconds % 60));
	else if (seconds < 86400)
		snprintf(text, NUMBER, "%dh%02dm", (int)(seconds / 3600), (int)(seconds / 60 % 60));
	else
		snprintf(text, NUMBER, "%lldd%02dh", (long long)(seconds / 86400),
			 (int)(seconds / 3600 % 24));
	return text;
}

static const char *milliseconds(char text[NUMBER], int64_t microseconds)
{
	snprintf(text, NUMBER, microseconds < 10000 ? "%.1f" : "%.0f", (double)microseconds / 1000);
	return text;
}

/* In a second, since a process of this number was seen last; "-": it was not. */
static const char *rate(char text[NUMBER], const struct ath_look *look,
			const struct ath_look *before, const char *by, int64_t key,
			const char *name, int64_t now)
{
	const struct ath_json_token *list = processes_of(before);
	const struct ath_json_token *at = list == NULL ? NULL : list + 1;

	snprintf(text, NUMBER, "-");
	if (list == NULL || look->at <= before->at)
		return text;
	for (uint32_t i = 0; i < list->count; i++, at = before->document.tokens + at->next) {
		int64_t then = number_of(before, at, name);

		if (number_of(before, at, by) == key && now >= then)
			snprintf(text, NUMBER, "%.0f",
				 (double)(now - then) * 1000 / (double)(look->at - before->at));
	}
	return text;
}

/* ---- the table ------------------------------------------------------------------------------- */

static void put_pool(const struct ath_look *look, struct ath_buffer *out)
{
	const struct ath_json_token *pool = look->document.tokens;
	char up[NUMBER];

	ath_put_shown(out, text_of(look, pool, "pool"));
	ath_buffer_append(out, " ", 1);
	ath_put_shown(out, text_of(look, pool, "version"));
	ath_buffer_printf(out, ", pid %lld, up %s\n",
			  (long long)number_of(look, pool, "master pid"),
			  shorten(up, number_of(look, pool, "start since")));
	ath_buffer_printf(out,
			  "%lld requests, %lld in flight, %lld slow, %lld refused; "
			  "%lld of %lld wait to be accepted; %lld restarts, %lld reloads\n\n",
			  (long long)number_of(look, pool, "requests"),
			  (long long)number_of(look, pool, "requests in flight"),
			  (long long)number_of(look, pool, "slow requests"),
			  (long long)number_of(look, pool, "max children reached"),
			  (long long)number_of(look, pool, "listen queue"),
			  (long long)number_of(look, pool, "listen queue len"),
			  (long long)number_of(look, pool, "worker restarts"),
			  (long long)number_of(look, pool, "reloads"));
}

static struct ath_text cut(struct ath_text text)
{
	if (text.length > WIDEST) {
		text.length = WIDEST;
		while (text.length > 0 && ((unsigned char)text.data[text.length] & 0xc0) == 0x80)
			text.length--;
	}
	return text;
}

/* The oldest request that it has in flight, and for how long. */
static void put_doing(const struct ath_look *look, const struct ath_json_token *process,
		      struct ath_buffer *out)
{
	char age[NUMBER];

	if (number_of(look, process, "requests in flight") > 0) {
		ath_put_shown(out, text_of(look, process, "request method"));
		ath_buffer_append(out, " ", 1);
		ath_put_shown(out, cut(text_of(look, process, "script")));
		ath_buffer_printf(out, " %s ms",
				  milliseconds(age, number_of(look, process, "request duration")));
	}
	ath_buffer_append(out, "\n", 1);
}

static void put_process(const struct ath_look *look, const struct ath_look *before,
			const struct ath_json_token *process, struct ath_buffer *out)
{
	int64_t pid = number_of(look, process, "pid");
	int64_t requests = number_of(look, process, "requests");
	struct ath_text state = text_of(look, process, "state");
	char up[NUMBER], per_second[NUMBER], lag[NUMBER];
	size_t start = out->length;

	ath_buffer_printf(out, "%6lld %8lld  ", (long long)number_of(look, process, "worker"),
			  (long long)pid);
	start = out->length;
	ath_put_shown(out, state.length <= 10 ? state : (struct ath_text){ "?", 1 });
	while (out->length < start + 10 && !out->failed)
		ath_buffer_append(out, " ", 1);
	ath_buffer_printf(out, "%8s %10lld %7s %7lld %6lld %7lldM %7s %4lld%%  ",
			  shorten(up, number_of(look, process, "start since")), (long long)requests,
			  rate(per_second, look, before, "pid", pid, "requests", requests),
			  (long long)number_of(look, process, "requests in flight"),
			  (long long)number_of(look, process, "connections"),
			  (long long)(number_of(look, process, "last request memory") >> 20),
			  milliseconds(lag, number_of(look, process, "loop lag")),
			  (long long)number_of(look, process, "last request cpu"));
	put_doing(look, process, out);
}

void ath_status_table(const struct ath_look *look, const struct ath_look *before,
		      struct ath_buffer *out)
{
	const struct ath_json_token *list = processes_of(look);
	const struct ath_json_token *at = list == NULL ? NULL : list + 1;

	put_pool(look, out);
	ath_buffer_printf(out, "%6s %8s  %-10s%8s %10s %7s %7s %6s %8s %7s %5s  %s\n", "worker",
			  "pid", "state", "up", "requests", "req/s", "flight", "conn", "memory",
			  "lag ms", "busy", "does");
	for (uint32_t i = 0; list != NULL && i < list->count;
	     i++, at = look->document.tokens + at->next)
		put_process(look, before, at, out);
}
