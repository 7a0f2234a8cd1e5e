/*
 * router.c - a tree of path segments, built once from the tables of routes.
 *
 * A node has its fixed children in order of their text, one child for an integer and one
 * for any text. A route's own names for the captures stay with the route, so that
 * GET /users/<id:int> and PATCH /users/<user:int> share their nodes.
 */
#include <stdlib.h>

#include "web/internal.h"

struct leaf {
	const struct ath_route *route;
	struct ath_text names[ATH_MAX_CAPTURES];
};

struct node {
	struct ath_text segment;
	struct node **children; /* sorted by segment */
	size_t child_count;
	struct node *integer, *text;
	struct leaf *leaves[ATH_METHOD_COUNT];
	unsigned methods;
};

struct ath_router {
	struct node root;
};

static int compare(struct ath_text a, struct ath_text b)
{
	size_t shorter = a.length < b.length ? a.length : b.length;
	int order = memcmp(a.data, b.data, shorter);

	return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

/* Where segment is among the children, or would go. */
static size_t child_index(const struct node *node, struct ath_text segment, bool *found)
{
	size_t low = 0, high = node->child_count;

	*found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare(segment, node->children[middle]->segment);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
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

static struct node *add_child(struct node *node, struct ath_text segment)
{
	bool found;
	size_t at = child_index(node, segment, &found);
	struct node **grown, *child;

	if (found)
		return node->children[at];
	grown = realloc(node->children, (node->child_count + 1) * sizeof *grown);
	if (grown == NULL)
		return NULL;
	node->children = grown;
	child = calloc(1, sizeof *child);
	if (child == NULL)
		return NULL;
	child->segment = segment;
	memmove(grown + at + 1, grown + at, (node->child_count - at) * sizeof *grown);
	grown[at] = child;
	node->child_count++;
	return child;
}

static struct node *add_typed(struct node **place)
{
	if (*place == NULL)
		*place = calloc(1, sizeof **place);
	return *place;
}

/* "<name:type>" apart; false when it is something else. */
static bool read_capture(struct ath_text segment, struct ath_text *name, struct ath_text *type)
{
	const char *colon;

	if (segment.length < 5 || segment.data[0] != '<' || segment.data[segment.length - 1] != '>')
		return false;
	colon = memchr(segment.data, ':', segment.length);
	if (colon == NULL || colon == segment.data + 1)
		return false;
	*name = (struct ath_text){ segment.data + 1, (size_t)(colon - segment.data) - 1 };
	*type = (struct ath_text){ colon + 1, segment.length - name->length - 3 };
	return true;
}

/* One step down the tree for one segment of a route's path; NULL: error says why. */
static struct node *step(struct node *node, struct ath_text segment, struct leaf *leaf,
			 size_t *captures, struct ath_error *error)
{
	const char *path = leaf->route->path;
	struct ath_text type;
	struct node *next;

	if (memchr(segment.data, '<', segment.length) == NULL) {
		next = add_child(node, segment);
	} else if (*captures == ATH_MAX_CAPTURES) {
		ath_error_set(error, ATH_ETOOBIG, "route %s: more than %d parts in <>", path,
			      ATH_MAX_CAPTURES);
		return NULL;
	} else if (!read_capture(segment, &leaf->names[*captures], &type)) {
		ath_error_set(error, ATH_EINVAL,
			      "route %s: a part must be <name:type>, alone "
			      "between slashes",
			      path);
		return NULL;
	} else if (ath_text_is(type, "int")) {
		next = add_typed(&node->integer);
		++*captures;
	} else if (ath_text_is(type, "str")) {
		next = add_typed(&node->text);
		++*captures;
	} else {
		ath_error_set(error, ATH_EINVAL, "route %s: the types are int and str, not %.*s",
			      path, (int)type.length, type.data);
		return NULL;
	}
	if (next == NULL)
		ath_error_set(error, ATH_ENOMEM, "out of memory");
	return next;
}

/* Walks to the node of the leaf's path, making what is missing. */
static struct node *walk(struct ath_router *router, struct leaf *leaf, struct ath_error *error)
{
	struct ath_text path = ath_text(leaf->route->path), segment;
	struct node *node = &router->root;
	size_t captures = 0, segments = 0;

	if (path.length == 0 || *path.data != '/') {
		ath_error_set(error, ATH_EINVAL, "route %s: a path starts with /", path.data);
		return NULL;
	}
	while (node != NULL && ath_next_segment(&path, &segment)) {
		if (++segments > ATH_MAX_SEGMENTS) {
			ath_error_set(error, ATH_ETOOBIG, "route %s: more than %d segments",
				      leaf->route->path, ATH_MAX_SEGMENTS);
			return NULL;
		}
		node = step(node, segment, leaf, &captures, error);
	}
	return node;
}

static enum ath_status add_route(struct ath_router *router, const struct ath_route *route,
				 struct ath_error *error)
{
	struct leaf *leaf = calloc(1, sizeof *leaf);
	struct node *node;

	if (leaf == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	leaf->route = route;
	node = walk(router, leaf, error);
	if (node == NULL) {
		free(leaf);
		return error->status;
	}
	if (node->leaves[route->method] != NULL) {
		ath_error_set(error, ATH_EINVAL, "route %s: the same as route %s", route->path,
			      node->leaves[route->method]->route->path);
		free(leaf);
		return error->status;
	}
	node->leaves[route->method] = leaf;
	node->methods |= 1U << route->method;
	return ATH_OK;
}

enum ath_status ath_router_open(struct ath_router **router, const struct ath_route *routes,
				struct ath_error *error)
{
	*router = calloc(1, sizeof **router);
	if (*router == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	for (const struct ath_route *route = routes; route->handler != NULL; route++) {
		if (add_route(*router, route, error) != ATH_OK) {
			ath_router_close(router);
			return error->status;
		}
	}
	return ATH_OK;
}

/* The depth is that of the routes: bounded by ATH_MAX_SEGMENTS. */
static void free_node(struct node *node, bool allocated)
{
	if (node == NULL)
		return;
	for (size_t i = 0; i < node->child_count; i++)
		free_node(node->children[i], true);
	free_node(node->integer, true);
	free_node(node->text, true);
	for (size_t i = 0; i < ATH_COUNT(node->leaves); i++)
		free(node->leaves[i]);
	free(node->children);
	if (allocated)
		free(node);
}

void ath_router_close(struct ath_router **router)
{
	if (router == NULL || *router == NULL)
		return;
	free_node(&(*router)->root, false);
	free(*router);
	*router = NULL;
}

/* ---- matching ------------------------------------------------------------------------------ */

/* HEAD is served by GET, unless it has a route of its own. */
static struct leaf *leaf_for(const struct node *node, enum ath_method method)
{
	if (method == ATH_METHOD_COUNT)
		return NULL;
	if (node->leaves[method] == NULL && method == ATH_METHOD_HEAD)
		method = ATH_METHOD_GET;
	return node->leaves[method];
}

static bool arrive(const struct node *node, enum ath_method method, struct ath_match *match)
{
	struct leaf *leaf = leaf_for(node, method);

	match->allowed |= node->methods;
	if (leaf == NULL)
		return false;
	match->route = leaf->route;
	match->names = leaf->names;
	return true;
}

static bool descend(const struct node *node, enum ath_method method,
		    const struct ath_text *segments, size_t count, struct ath_match *match)
{
	struct ath_capture *capture = &match->captures[match->capture_count];
	bool found;
	size_t at;

	if (count == 0)
		return arrive(node, method, match);
	at = child_index(node, *segments, &found);
	if (found && descend(node->children[at], method, segments + 1, count - 1, match))
		return true;
	if ((node->integer == NULL && node->text == NULL) || segments->length == 0)
		return false;
	*capture = (struct ath_capture){ .text = *segments };
	match->capture_count++;
	if (node->integer != NULL && ath_text_int64(*segments, &capture->integer) &&
	    descend(node->integer, method, segments + 1, count - 1, match))
		return true;
	capture->integer = 0;
	if (node->text != NULL && descend(node->text, method, segments + 1, count - 1, match))
		return true;
	match->capture_count--;
	return false;
}

void ath_router_match(const struct ath_router *router, enum ath_method method,
		      const struct ath_text *segments, size_t count, struct ath_match *match)
{
	match->route = NULL;
	match->capture_count = 0;
	match->allowed = 0;
	descend(&router->root, method, segments, count, match);
}
