/*
 * routes.c - how the router does with many routes.
 *
 *	routes ROUTES [LOOKUPS]
 *	ROUTES ns_per_match ns_per_match_of_ten ns_per_name build_us_per_route
 *
 * Paths are those of a mixed table, all of three segments, of which none or one is a part. They
 * are matched over the whole table in no order, which shows what the caches cost, and ten of them
 * again and again. With LOOKUPS there are just that many of the first kind, for web.sh to count the
 * instructions of ath_router_match().
 */
#include <string.h>

#include "rounds.h"
#include "web/internal.h"

enum { MOST = 10000, SEGMENTS = 3, FEW = 10 };

static struct lookup {
	struct ath_text segments[SEGMENTS];
	char path[64];
	enum ath_method method;
	size_t route;
} lookups[MOST];

static struct ath_route table[MOST + 1];
static char paths[MOST][64], names[MOST][16];
static struct ath_router *router;
static size_t routes, distinct;

static struct ath_response *handler(struct ath_request *request)
{
	(void)request;
	return NULL;
}

/* The route of each number, and a path that it has. */
static void write_paths(size_t i)
{
	static const struct {
		enum ath_method method;
		const char *route, *path;
	} shapes[] = {
		{ ATH_METHOD_GET, "/api/things%zu/all", "/api/things%zu/all" },
		{ ATH_METHOD_POST, "/api/things%zu/all", "/api/things%zu/all" },
		{ ATH_METHOD_GET, "/api/orders%zu/<id:int>", "/api/orders%zu/4711" },
		{ ATH_METHOD_GET, "/api/people%zu/<name>", "/api/people%zu/somebody" },
		{ ATH_METHOD_GET, "/shop%zu/<id:int>/items", "/shop%zu/4711/items" },
	};
	size_t shape = i % ATH_COUNT(shapes), number = i - i % ATH_COUNT(shapes);
	struct lookup *lookup = &lookups[i];

	snprintf(paths[i], sizeof paths[i], shapes[shape].route, number);
	snprintf(names[i], sizeof names[i], "route_%zu", i);
	snprintf(lookup->path, sizeof lookup->path, shapes[shape].path, number);
	lookup->method = shapes[shape].method;
	lookup->route = i;
	table[i] = (struct ath_route){ .method = shapes[shape].method,
				       .path = paths[i],
				       .handler = handler,
				       .name = names[i] };
}

static void build(long times)
{
	struct ath_error error = { 0 };

	for (long i = 0; i < times || router == NULL; i++) {
		ath_router_close(&router);
		if (ath_router_open(&router, table, &error) != ATH_OK)
			die(error.message);
	}
}

/* In no order, so that a lookup finds nothing of the one before in the cache. */
static void shuffle(void)
{
	uint64_t random = 1;

	for (size_t i = routes - 1; i > 0; i--) {
		struct lookup kept = lookups[i];
		size_t other;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		other = (size_t)(random >> 33) % (i + 1);
		lookups[i] = lookups[other];
		lookups[other] = kept;
	}
	for (size_t i = 0; i < routes; i++) {
		struct ath_text path = ath_text(lookups[i].path);

		for (size_t at = 0; at < SEGMENTS; at++)
			if (!ath_next_segment(&path, &lookups[i].segments[at]))
				die("a path is too short");
	}
}

static void match(long times)
{
	size_t at = 0;

	for (long i = 0; i < times; i++) {
		const struct lookup *lookup = &lookups[at];
		struct ath_match found;

		ath_router_match(router, lookup->method, lookup->segments, SEGMENTS, &found);
		if (found.leaf == NULL || found.leaf->route != &table[lookup->route])
			die("another route was found");
		at = at + 1 == distinct ? 0 : at + 1;
	}
}

static void name(long times)
{
	size_t at = 0;

	for (long i = 0; i < times; i++) {
		const struct ath_route *route = &table[lookups[at].route];

		if (ath_router_named(router, route->name)->route != route)
			die("another name was found");
		at = at + 1 == routes ? 0 : at + 1;
	}
}

int main(int argc, char **argv)
{
	routes = argc > 1 ? strtoul(argv[1], NULL, 10) : 10;
	if (routes < 1 || routes > MOST)
		die("routes: 1 to 10000");
	for (size_t i = 0; i < routes; i++)
		write_paths(i);
	shuffle();
	build(1);
	distinct = routes;
	if (argc > 2) {
		match(strtol(argv[2], NULL, 10));
	} else {
		double all = time_rounds(match, 300 * 1000), few;

		distinct = routes < FEW ? routes : FEW;
		few = time_rounds(match, 300 * 1000);
		printf("%zu %.1f %.1f %.1f %.3f\n", routes, all, few, time_rounds(name, 10 * 1000),
		       time_rounds(build, 10) / 1000 / (double)routes);
	}
	ath_router_close(&router);
	return 0;
}
