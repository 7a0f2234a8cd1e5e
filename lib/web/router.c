/*
 * router.c - a tree of path segments, built once from the tables of routes.
 *
 * A node has its fixed children in a hash table, so that a match costs the same however many
 * routes there are, and besides them those of a type, the narrowest type first. A route's own
 * names for the captures stay with the route, so that GET /users/<id:int> and
 * PATCH /users/<user:int> share their nodes.
 */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

#include "web/internal.h"
#include "web/path_types.h"

/* Small, since how much of the tree the caches hold is what a match costs among many routes. */
struct node {
	struct ath_text segment;     /* of a fixed one; the expression of one with a regex */
	uint64_t hash;               /* of a fixed one's */
	struct node **children;      /* fixed ones; a free slot is NULL */
	uint32_t child_count, slots; /* slots: 0 or a power of two; one is free */
	struct node **typed;         /* in the order in which they are tried */
	uint32_t typed_count;
	unsigned methods;
	struct ath_leaf *leaves[ATH_METHOD_COUNT];
	const struct ath_path_type *type; /* of one that is not fixed */
	regex_t *regex;
};

struct ath_router {
	struct node root;
	struct ath_leaf *first, **tail; /* all of them */
	struct ath_leaf **named;        /* the first of each name, in order of it */
	size_t leaf_count, named_count;
};

static bool same(struct ath_text a, struct ath_text b)
{
	return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

/* Where segment is among the children, or would go: behind its hash, with no gap between. */
static struct node **slot_of(const struct node *node, struct ath_text segment, uint64_t hash)
{
	size_t at = hash & (node->slots - 1);

	while (node->children[at] != NULL &&
	       (node->children[at]->hash != hash || !same(node->children[at]->segment, segment)))
		at = (at + 1) & (node->slots - 1);
	return &node->children[at];
}

static struct node *child_named(const struct node *node, struct ath_text segment)
{
	if (node->child_count == 0)
		return NULL;
	return *slot_of(node, segment, ath_hash(segment.data, segment.length));
}

bool ath_next_segment(struct ath_text *path, struct ath_text *segment)
{
	const char *slash;

	if (path->length <= 1) /* "" or "/" */
		return false;
	segment->data = path->data + 1;
	slash = memchr(segment->data, '/', path->length - 1);
	segment->length = slash == NULL ? path->length - 1 : (size_t)(slash - segment->data);
	path->data = segment->data + segment->length;
	path->length -= segment->length + 1;
	return true;
}

/* ---- building ----------------------------------------------------------------------------- */

/* Twice the slots, or the first of them. */
static bool grow_children(struct node *node)
{
	struct node grown = { .slots = node->slots == 0 ? 2 : 2 * node->slots };

	grown.children = calloc(grown.slots, sizeof(struct node *));
	if (grown.children == NULL)
		return false;
	for (size_t i = 0; i < node->slots; i++) {
		struct node *child = node->children[i];

		if (child != NULL)
			*slot_of(&grown, child->segment, child->hash) = child;
	}
	free(node->children);
	node->children = grown.children;
	node->slots = grown.slots;
	return true;
}

static struct node *add_child(struct node *node, struct ath_text segment)
{
	struct node *child = child_named(node, segment);

	if (child != NULL)
		return child;
	if (4 * (node->child_count + 1) > 3 * node->slots && !grow_children(node))
		return NULL;
	child = calloc(1, sizeof *child);
	if (child == NULL)
		return NULL;
	child->segment = segment;
	child->hash = ath_hash(segment.data, segment.length);
	*slot_of(node, segment, child->hash) = child;
	node->child_count++;
	return child;
}

static struct node *insert_typed(struct node *node, size_t at)
{
	struct node **grown = realloc(node->typed, (node->typed_count + 1) * sizeof *grown);
	struct node *child;

	if (grown == NULL)
		return NULL;
	node->typed = grown;
	child = calloc(1, sizeof *child);
	if (child == NULL)
		return NULL;
	memmove(grown + at + 1, grown + at, (node->typed_count - at) * sizeof *grown);
	grown[at] = child;
	node->typed_count++;
	return child;
}

/* A word alone is a type that was misspelt, sooner than an expression that fits just it. */
static bool is_word(struct ath_text pattern)
{
	for (size_t i = 0; i < pattern.length; i++) {
		char lower = (char)(pattern.data[i] | 0x20);

		if (lower < 'a' || lower > 'z')
			return false;
	}
	return true;
}

/* Is it a regular expression? It has to fit the whole of a segment. */
static regex_t *compile(struct ath_text pattern)
{
	regex_t *regex;
	char text[256];

	if (is_word(pattern) || snprintf(text, sizeof text, "^(%.*s)$", (int)pattern.length,
					 pattern.data) >= (int)sizeof text)
		return NULL;
	regex = malloc(sizeof *regex);
	if (regex == NULL || regcomp(regex, text, REG_EXTENDED) == 0)
		return regex;
	free(regex);
	return NULL;
}

static struct node *add_typed(struct node *node, const struct ath_path_type *type,
			      struct ath_text pattern, const char *path, struct ath_error *error)
{
	struct node *child;
	size_t at = 0;

	for (; at < node->typed_count && node->typed[at]->type <= type; at++)
		if (node->typed[at]->type == type &&
		    (!ath_path_type_is_regex(type) || same(node->typed[at]->segment, pattern)))
			return node->typed[at];
	child = insert_typed(node, at);
	if (child == NULL) {
		ath_error_set(error, ATH_ENOMEM, "out of memory");
		return NULL;
	}
	child->type = type;
	if (!ath_path_type_is_regex(type))
		return child;
	child->segment = pattern;
	child->regex = compile(pattern);
	if (child->regex != NULL)
		return child;
	ath_error_set(error, ATH_EINVAL,
		      "route %s: %.*s is no type of a part, and no regular expression", path,
		      (int)pattern.length, pattern.data);
	return NULL;
}

/* "<name:type>" apart, or "<name>", which is a str; false when it is something else. */
static bool read_capture(struct ath_text segment, struct ath_text *name, struct ath_text *type)
{
	const char *colon;

	if (segment.length < 3 || segment.data[0] != '<' || segment.data[segment.length - 1] != '>')
		return false;
	*name = (struct ath_text){ segment.data + 1, segment.length - 2 };
	*type = ath_text("str");
	colon = memchr(segment.data, ':', segment.length);
	if (colon != NULL) {
		name->length = (size_t)(colon - segment.data) - 1;
		*type = (struct ath_text){ colon + 1, segment.length - name->length - 3 };
	}
	return name->length > 0 && type->length > 0 &&
	       memchr(name->data, '<', name->length) == NULL;
}

static bool has_name(const struct ath_leaf *leaf, struct ath_text name)
{
	for (size_t i = 0; i < leaf->name_count; i++)
		if (same(leaf->names[i], name))
			return true;
	return false;
}

/* One step down the tree for one segment of a route's path; NULL: error says why. */
static struct node *step(struct node *node, struct ath_text segment, bool last,
			 struct ath_leaf *leaf, struct ath_error *error)
{
	const struct ath_path_type *type;
	struct ath_text name, type_name;
	struct node *next = NULL;

	if (memchr(segment.data, '<', segment.length) == NULL) {
		next = add_child(node, segment);
		if (next == NULL)
			ath_error_set(error, ATH_ENOMEM, "out of memory");
		return next;
	}
	if (leaf->name_count == ATH_MAX_CAPTURES) {
		ath_error_set(error, ATH_ETOOBIG, "route %s: more than %d parts in <>", leaf->path,
			      ATH_MAX_CAPTURES);
		return NULL;
	}
	if (!read_capture(segment, &name, &type_name)) {
		ath_error_set(error, ATH_EINVAL,
			      "route %s: a part must be <name:type>, alone between slashes",
			      leaf->path);
		return NULL;
	}
	if (has_name(leaf, name)) {
		ath_error_set(error, ATH_EINVAL, "route %s: two parts are called %.*s", leaf->path,
			      (int)name.length, name.data);
		return NULL;
	}
	type = ath_path_type_named(type_name);
	if (ath_path_type_is_rest(type) && !last) {
		ath_error_set(error, ATH_EINVAL, "route %s: a path takes all that follows",
			      leaf->path);
		return NULL;
	}
	leaf->names[leaf->name_count++] = name;
	return add_typed(node, type, type_name, leaf->path, error);
}

/* Walks to the node of the leaf's path, making what is missing. */
static struct node *walk(struct ath_router *router, struct ath_leaf *leaf, struct ath_error *error)
{
	struct ath_text path = ath_text(leaf->path), segment;
	struct node *node = &router->root;
	size_t segments = 0;

	while (node != NULL && ath_next_segment(&path, &segment)) {
		if (++segments > ATH_MAX_SEGMENTS) {
			ath_error_set(error, ATH_ETOOBIG, "route %s: more than %d segments",
				      leaf->path, ATH_MAX_SEGMENTS);
			return NULL;
		}
		node = step(node, segment, path.length <= 1, leaf, error);
	}
	return node;
}

/* ---- groups --------------------------------------------------------------------------------- */

/* The groups around a route, the outermost first, and what they make of its path. */
struct place {
	const struct ath_route *groups[ATH_MAX_GROUPS];
	size_t count;
	char path[1024];
	size_t length;
	bool own;
};

static bool is_end(const struct ath_route *route)
{
	return route->handler == NULL && route->group == NULL;
}

/* A version stands before all else: /v2/users. */
static bool extend(struct place *place, const struct ath_route *route, struct ath_error *error)
{
	char before[1024];
	int length;

	if (route->path == NULL || *route->path != '/') {
		ath_error_set(error, ATH_EINVAL, "route %s: a path starts with /",
			      route->path == NULL ? "" : route->path);
		return false;
	}
	memcpy(before, place->path, place->length);
	before[place->length] = '\0';
	if (route->version > 0)
		length = snprintf(place->path, sizeof place->path, "/v%d%s%s", route->version,
				  before, route->path);
	else
		length = snprintf(place->path, sizeof place->path, "%s%s", before, route->path);
	if (length >= (int)sizeof place->path) {
		ath_error_set(error, ATH_ETOOBIG, "route %s: its path is longer than %zu bytes",
			      route->path, sizeof place->path - 1);
		return false;
	}
	place->length = (size_t)length;
	while (place->length > 0 && place->path[place->length - 1] == '/')
		place->length--;
	place->path[place->length] = '\0';
	return true;
}

static struct ath_leaf *new_leaf(struct ath_router *router, const struct ath_route *route,
				 const struct place *place)
{
	struct ath_leaf *leaf = calloc(1, sizeof *leaf + place->length + 2);

	if (leaf == NULL)
		return NULL;
	leaf->route = route;
	memcpy(leaf->groups, place->groups, sizeof leaf->groups);
	leaf->group_count = place->count;
	leaf->own = place->own;
	strcpy(leaf->path, place->length == 0 ? "/" : place->path);
	leaf->number = router->leaf_count++;
	*router->tail = leaf;
	router->tail = &leaf->next;
	return leaf;
}

static enum ath_status add_route(struct ath_router *router, const struct ath_route *route,
				 const struct place *place, struct ath_error *error)
{
	struct ath_leaf *leaf = new_leaf(router, route, place);
	struct node *node;

	if (leaf == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	node = walk(router, leaf, error);
	if (node == NULL)
		return error->status;
	if (node->leaves[route->method] != NULL && place->own)
		return ATH_OK;
	if (node->leaves[route->method] != NULL)
		return ath_error_set(error, ATH_EINVAL, "route %s: the same as route %s",
				     leaf->path, node->leaves[route->method]->path);
	node->leaves[route->method] = leaf;
	node->methods |= 1U << route->method;
	return ATH_OK;
}

static enum ath_status add_routes(struct ath_router *router, const struct ath_route *routes,
				  const struct place *around, struct ath_error *error)
{
	for (const struct ath_route *route = routes; !is_end(route); route++) {
		struct place place = *around;

		if (!extend(&place, route, error))
			return error->status;
		if (route->group == NULL) {
			if (add_route(router, route, &place, error) != ATH_OK)
				return error->status;
			continue;
		}
		if (place.count == ATH_MAX_GROUPS)
			return ath_error_set(error, ATH_ETOOBIG, "group %s: more than %d around it",
					     route->path, ATH_MAX_GROUPS);
		place.groups[place.count++] = route;
		if (add_routes(router, route->group, &place, error) != ATH_OK)
			return error->status;
	}
	return ATH_OK;
}

/* ---- names ---------------------------------------------------------------------------------- */

static const char *name_of(const struct ath_leaf *leaf)
{
	return leaf->route->name != NULL ? leaf->route->name : leaf->route->handler_name;
}

static int compare_names(const void *a, const void *b)
{
	const struct ath_leaf *left = *(struct ath_leaf *const *)a;
	const struct ath_leaf *right = *(struct ath_leaf *const *)b;
	int order = strcmp(name_of(left), name_of(right));

	return order != 0 ? order : (left->number > right->number) - (left->number < right->number);
}

/*
 * Of the routes that share a name the first stays. One handler at several paths is usual; of two
 * handlers, static ones in two files perhaps, nobody can say which one a URL is for.
 */
static void keep_first(struct ath_router *router)
{
	size_t kept = 0;

	for (size_t i = 0; i < router->named_count; i++) {
		const struct ath_leaf *leaf = router->named[i];
		struct ath_leaf *before = kept == 0 ? NULL : router->named[kept - 1];

		if (before == NULL || strcmp(name_of(before), name_of(leaf)) != 0)
			router->named[kept++] = router->named[i];
		else if (before->route->handler != leaf->route->handler ||
			 before->route->fcgx != leaf->route->fcgx)
			before->ambiguous = true;
	}
	router->named_count = kept;
}

static enum ath_status index_names(struct ath_router *router, struct ath_error *error)
{
	router->named = calloc(router->leaf_count + 1, sizeof(struct ath_leaf *));
	if (router->named == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	for (struct ath_leaf *leaf = router->first; leaf != NULL; leaf = leaf->next)
		if (name_of(leaf) != NULL)
			router->named[router->named_count++] = leaf;
	qsort(router->named, router->named_count, sizeof(struct ath_leaf *), compare_names);
	keep_first(router);
	return ATH_OK;
}

static int compare_name(const void *name, const void *leaf)
{
	return strcmp(name, name_of(*(struct ath_leaf *const *)leaf));
}

const struct ath_leaf *ath_router_named(const struct ath_router *router, const char *name)
{
	struct ath_leaf **leaf = bsearch(name, router->named, router->named_count,
					 sizeof(struct ath_leaf *), compare_name);

	return leaf == NULL ? NULL : *leaf;
}

/* ---- open and close ------------------------------------------------------------------------- */

enum ath_status ath_router_open(struct ath_router **router, const struct ath_route *routes,
				struct ath_error *error)
{
	const struct place nowhere = { .count = 0 };

	*router = calloc(1, sizeof **router);
	if (*router == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	(*router)->tail = &(*router)->first;
	if (add_routes(*router, routes, &nowhere, error) != ATH_OK ||
	    index_names(*router, error) != ATH_OK)
		ath_router_close(router);
	return error->status;
}

enum ath_status ath_router_add_own(struct ath_router *router, const struct ath_route *routes,
				   struct ath_error *error)
{
	const struct place nowhere = { .own = true };

	return add_routes(router, routes, &nowhere, error);
}

/* The depth is that of the routes: bounded by ATH_MAX_SEGMENTS. */
static void free_node(struct node *node, bool allocated)
{
	for (size_t i = 0; i < node->slots; i++)
		if (node->children[i] != NULL)
			free_node(node->children[i], true);
	for (size_t i = 0; i < node->typed_count; i++)
		free_node(node->typed[i], true);
	free(node->children);
	free(node->typed);
	if (node->regex != NULL)
		regfree(node->regex);
	free(node->regex);
	if (allocated)
		free(node);
}

void ath_router_close(struct ath_router **router)
{
	if (router == NULL || *router == NULL)
		return;
	free_node(&(*router)->root, false);
	while ((*router)->first != NULL) {
		struct ath_leaf *leaf = (*router)->first;

		(*router)->first = leaf->next;
		free(leaf);
	}
	free((*router)->named);
	free(*router);
	*router = NULL;
}

/* ---- matching ------------------------------------------------------------------------------ */

/* HEAD is served by GET, unless it has a route of its own. */
static struct ath_leaf *leaf_for(const struct node *node, enum ath_method method)
{
	if (method == ATH_METHOD_COUNT)
		return NULL;
	if (node->leaves[method] == NULL && method == ATH_METHOD_HEAD)
		method = ATH_METHOD_GET;
	return node->leaves[method];
}

static bool arrive(const struct node *node, enum ath_method method, struct ath_match *match)
{
	match->allowed |= node->methods;
	match->leaf = leaf_for(node, method);
	return match->leaf != NULL;
}

static bool fits_regex(const struct node *node, struct ath_text segment)
{
	regmatch_t bounds = { .rm_so = 0, .rm_eo = (regoff_t)segment.length };

	return regexec(node->regex, segment.data, 1, &bounds, REG_STARTEND) == 0;
}

static bool descend(const struct node *node, enum ath_method method,
		    const struct ath_text *segments, size_t count, struct ath_match *match)
{
	size_t captures = match->capture_count;
	const struct node *child;

	if (count == 0)
		return arrive(node, method, match);
	child = child_named(node, *segments);
	if (child != NULL && descend(child, method, segments + 1, count - 1, match))
		return true;
	for (size_t at = 0; at < node->typed_count; at++) {
		const struct node *next = node->typed[at];
		struct ath_capture *capture = &match->captures[captures];
		bool rest = ath_path_type_is_rest(next->type);

		*capture = (struct ath_capture){ .text = *segments,
						 .segments = segments,
						 .count = rest ? count : 1 };
		if ((segments->length == 0 && !rest) ||
		    !ath_path_type_read(next->type, *segments, capture) ||
		    (next->regex != NULL && !fits_regex(next, *segments)))
			continue;
		match->capture_count = captures + 1;
		if (descend(next, method, segments + capture->count, count - capture->count, match))
			return true;
	}
	match->capture_count = captures;
	return false;
}

void ath_router_match(const struct ath_router *router, enum ath_method method,
		      const struct ath_text *segments, size_t count, struct ath_match *match)
{
	match->leaf = NULL;
	match->capture_count = 0;
	match->allowed = 0;
	descend(&router->root, method, segments, count, match);
}

const struct ath_leaf *ath_router_first(const struct ath_router *router)
{
	return router->first;
}
