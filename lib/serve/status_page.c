/*
 * status_page.c - the status as HTML: one page without scripts, for whoever is called at night. All
 * that comes from outside goes through ath_put_html().
 */
#include <stdio.h>

#include "serve/status_parts.h"

static const char head[] =
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<style>\n"
	":root { color-scheme: light dark }\n"
	"body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; "
	"max-width: 80rem }\n"
	"h1 { font-size: 1.4rem; margin: 0 }\nh2 { font-size: 1.1rem; margin: 2rem 0 .5rem }\n"
	"p { margin: .2rem 0 1rem; opacity: .7 }\n"
	"div { overflow-x: auto }\n"
	"table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }\n"
	"th, td { padding: .3rem .8rem .3rem 0; text-align: left; white-space: nowrap; "
	"border-bottom: 1px solid #8884 }\n"
	"th { font-weight: 600; opacity: .7 }\n"
	"td.number { text-align: right }\n"
	"dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)); "
	"gap: .6rem 1rem; margin: 0 }\n"
	"dt { font-size: .85rem; opacity: .7 }\ndd { margin: 0; font-weight: 600 }\n"
	"</style>\n";

/* ---- numbers for people ---------------------------------------------------------------------- */

static void put_seconds(struct ath_buffer *out, uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	size_t first = 0;

	while (first < ATH_COUNT(units) - 1 && seconds < units[first].seconds)
		first++;
	for (size_t i = first; i < ATH_COUNT(units) && i < first + 2; i++) {
		ath_buffer_printf(out, "%s%llu %s", i > first ? " " : "",
				  (unsigned long long)(seconds / units[i].seconds), units[i].name);
		seconds %= units[i].seconds;
	}
}

static void put_scaled(struct ath_buffer *out, double value, double step, const char *const *units)
{
	while (value >= step && units[1] != NULL) {
		value /= step;
		units++;
	}
	ath_buffer_printf(out, value < 10 && value != (double)(int)value ? "%.1f %s" : "%.0f %s",
			  value, *units);
}

static void put_moment(struct ath_buffer *out, uint64_t seconds)
{
	struct ath_timestamp moment = { .microseconds = (int64_t)seconds * 1000000 };
	char text[ATH_TIMESTAMP_MAX_TEXT];

	ath_timestamp_format(moment, text);
	ath_buffer_string(out, text);
}

static void put_fact(struct ath_buffer *out, const struct ath_status_fact *fact)
{
	static const char *const times[] = { "µs", "ms", "s", NULL };
	static const char *const sizes[] = { "B", "KiB", "MiB", "GiB", NULL };
	unsigned long long number = fact->number;

	switch (fact->kind) {
	case ATH_FACT_TEXT:
		ath_put_html(out, fact->text);
		break;
	case ATH_FACT_MOMENT:
		put_moment(out, fact->number);
		break;
	case ATH_FACT_SECONDS:
		put_seconds(out, fact->number);
		break;
	case ATH_FACT_MICROSECONDS:
		put_scaled(out, (double)number, 1000, times);
		break;
	case ATH_FACT_BYTES:
		put_scaled(out, (double)number, 1024, sizes);
		break;
	case ATH_FACT_PERCENT:
		ath_buffer_printf(out, "%llu.%llu %%", number / 10, number % 10);
		break;
	case ATH_FACT_COUNT:
		ath_buffer_printf(out, "%llu", number);
		break;
	}
}

static bool is_text(const struct ath_status_fact *fact)
{
	return fact->kind == ATH_FACT_TEXT || fact->kind == ATH_FACT_MOMENT;
}

/* ---- the page -------------------------------------------------------------------------------- */

static void put_pool(struct ath_status_page *page)
{
	struct ath_buffer *out = page->out;

	ath_buffer_string(out, "<dl>\n");
	for (size_t i = 0; i < page->pool.count; i++) {
		ath_buffer_printf(out, "<div><dt>%s</dt><dd>", page->pool.facts[i].name);
		put_fact(out, &page->pool.facts[i]);
		ath_buffer_string(out, "</dd></div>\n");
	}
	ath_buffer_string(out, "</dl>\n");
}

static void put_process(struct ath_buffer *out, const struct ath_status_facts *facts)
{
	ath_buffer_string(out, "<tr>");
	for (size_t i = 0; i < facts->count; i++) {
		ath_buffer_string(out,
				  is_text(&facts->facts[i]) ? "<td>" : "<td class=\"number\">");
		put_fact(out, &facts->facts[i]);
		ath_buffer_string(out, "</td>");
	}
	ath_buffer_string(out, "</tr>\n");
}

static void put_processes(struct ath_status_page *page)
{
	struct ath_buffer *out = page->out;

	ath_buffer_string(out, "<h2>Workers</h2>\n<div><table>\n<tr>");
	for (size_t i = 0; page->process_count > 0 && i < page->processes[0].facts.count; i++)
		ath_buffer_printf(out, "<th>%s</th>", page->processes[0].facts.facts[i].name);
	ath_buffer_string(out, "</tr>\n");
	for (size_t i = 0; i < page->process_count; i++)
		put_process(out, &page->processes[i].facts);
	ath_buffer_string(out, "</table></div>\n");
}

static void put_cell(struct ath_buffer *out, const char *text)
{
	ath_buffer_string(out, "<td>");
	ath_put_html(out, text);
	ath_buffer_string(out, "</td>");
}

static void put_request(struct ath_status_page *page, const struct ath_entry *entry)
{
	struct ath_status_fact age = { .kind = ATH_FACT_MICROSECONDS };
	struct ath_buffer *out = page->out;

	if (page->now_us > entry->begun_us)
		age.number = page->now_us - entry->begun_us;
	ath_buffer_string(out, "<tr>");
	put_cell(out, ath_entry_method(page->board, entry));
	put_cell(out, ath_entry_route(page->board, entry)->path);
	put_cell(out, entry->path);
	ath_buffer_string(out, "<td class=\"number\">");
	put_fact(out, &age);
	ath_buffer_string(out, "</td>");
	put_cell(out, entry->client);
	put_cell(out, entry->id);
	ath_buffer_string(out, "</tr>\n");
}

static void put_requests(struct ath_status_page *page)
{
	struct ath_buffer *out = page->out;

	ath_buffer_string(out, "<h2>Requests in flight</h2>\n<div><table>\n"
			       "<tr><th>method</th><th>route</th><th>path</th><th>since</th>"
			       "<th>client</th><th>id</th></tr>\n");
	for (size_t i = 0; i < page->process_count; i++)
		ath_status_each_request(page, page->processes[i].slot, put_request);
	ath_buffer_string(out, "</table></div>\n");
}

void ath_status_put_html(struct ath_status_page *page)
{
	struct ath_buffer *out = page->out;

	ath_buffer_string(out, head);
	ath_buffer_string(out, "<title>");
	ath_put_html(out, page->board->name);
	ath_buffer_string(out, "</title>\n<h1>");
	ath_put_html(out, page->board->name);
	ath_buffer_string(out, "</h1>\n<p>as of ");
	put_moment(out, (uint64_t)page->now);
	ath_buffer_string(out, "</p>\n");
	put_pool(page);
	put_processes(page);
	put_requests(page);
	ath_buffer_string(out, "</html>\n");
}
