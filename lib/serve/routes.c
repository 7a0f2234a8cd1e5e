/* routes.c - the command routes: every path that is answered, and what its route says of itself. */
#include "serve/options.h"

static const char *const methods[] = {
#define X(name) #name,
	ATH_METHOD_MAP(X)
#undef X
};

static const char *name_of(const struct ath_route *route)
{
	const char *name = route->name == NULL ? route->handler_name : route->name;

	return name == NULL ? "-" : name;
}

static const char *idempotency_of(const struct ath_route *route)
{
	static const char *const words[] = {
		[ATH_IDEMPOTENCY_NONE] = NULL,
		[ATH_IDEMPOTENCY_OPTIONAL] = "optional",
		[ATH_IDEMPOTENCY_REQUIRED] = "required",
	};

	return words[route->idempotency];
}

static int width_of(const struct ath_leaf *first, bool path)
{
	size_t width = 4;

	for (const struct ath_leaf *leaf = first; leaf != NULL; leaf = leaf->next) {
		size_t length = strlen(path ? leaf->path : name_of(leaf->route));

		width = length > width ? length : width;
	}
	return (int)width;
}

/* ---- a table --------------------------------------------------------------------------------- */

static void print_row(const struct ath_leaf *leaf, int path_width, int name_width,
		      struct ath_buffer *out)
{
	const struct ath_route *route = leaf->route;
	const char *idempotency = idempotency_of(route);

	ath_buffer_printf(out, "%-8s%-*s  %-*s", methods[route->method], path_width, leaf->path,
			  name_width, name_of(route));
	if (route->deadline_ms > 0) {
		ath_buffer_string(out, "  deadline=");
		ath_option_number(ATH_OPTION_TIME, route->deadline_ms, out);
	}
	if (route->max_body > 0) {
		ath_buffer_string(out, "  max_body=");
		ath_option_number(ATH_OPTION_SIZE, (int64_t)route->max_body, out);
	}
	if (route->stream_body)
		ath_buffer_string(out, "  stream_body");
	if (idempotency != NULL)
		ath_buffer_printf(out, "  idempotency=%s", idempotency);
	while (out->data[out->length - 1] == ' ')
		out->length--;
	ath_buffer_string(out, "\n");
}

static void print_table(const struct ath_leaf *first, struct ath_buffer *out)
{
	int path_width = width_of(first, true), name_width = width_of(first, false);

	ath_buffer_printf(out, "%-8s%-*s  %-*s  %s\n", "METHOD", path_width, "PATH", name_width,
			  "NAME", "OPTIONS");
	for (const struct ath_leaf *leaf = first; leaf != NULL && !out->failed; leaf = leaf->next)
		print_row(leaf, path_width, name_width, out);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_text(struct ath_buffer *out, const char *name, const char *value)
{
	ath_buffer_printf(out, "\"%s\":", name);
	ath_buffer_json_text(out, value, strlen(value));
}

static void json_row(const struct ath_leaf *leaf, struct ath_buffer *out)
{
	const struct ath_route *route = leaf->route;
	const char *idempotency = idempotency_of(route);

	ath_buffer_string(out, "{");
	json_text(out, "method", methods[route->method]);
	ath_buffer_string(out, ",");
	json_text(out, "path", leaf->path);
	ath_buffer_string(out, ",");
	json_text(out, "name", name_of(route));
	if (route->deadline_ms > 0)
		ath_buffer_printf(out, ",\"deadline_ms\":%" PRId64, route->deadline_ms);
	if (route->max_body > 0)
		ath_buffer_printf(out, ",\"max_body\":%zu", route->max_body);
	if (route->stream_body)
		ath_buffer_string(out, ",\"stream_body\":true");
	if (idempotency != NULL) {
		ath_buffer_string(out, ",");
		json_text(out, "idempotency", idempotency);
	}
	ath_buffer_string(out, "}");
}

static void print_json(const struct ath_leaf *first, struct ath_buffer *out)
{
	ath_buffer_string(out, "[");
	for (const struct ath_leaf *leaf = first; leaf != NULL; leaf = leaf->next) {
		ath_buffer_string(out, leaf == first ? "\n" : ",\n");
		json_row(leaf, out);
	}
	ath_buffer_string(out, "\n]\n");
}

enum ath_status ath_print_routes(const struct ath_app *app, bool json, struct ath_buffer *out,
				 struct ath_error *error)
{
	struct ath_router *router = NULL;

	if (ath_router_open(&router, app->routes, error) != ATH_OK)
		return error->status;
	(json ? print_json : print_table)(ath_router_first(router), out);
	ath_router_close(&router);
	return ATH_OK;
}
