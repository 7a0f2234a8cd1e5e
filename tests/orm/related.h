/*
 * related.h - models with a relation of every kind, and their tables.
 *
 *	author 1-1 profile, 1-n post 1-n comment, post n-m tag (by post_tag, whose key is both
 *	sides; by star, which has a key of its own); folder and node lead to themselves, with keys
 *	that the database makes and with uuids.
 */
#ifndef TESTS_ORM_RELATED_H
#define TESTS_ORM_RELATED_H

#include "tables.h"

ATH_LIST_(author)
ATH_LIST_(profile)
ATH_LIST_(post)
ATH_LIST_(comment)
ATH_LIST_(tag)
ATH_LIST_(post_tag)
ATH_LIST_(star)
ATH_LIST_(folder)
ATH_LIST_(node)

struct author {
	int64_t id;
	const char *name;
	struct post_list posts;
	struct profile *profile;
};

struct profile {
	int64_t id;
	int64_t author_id;
	const char *text;
	struct author *author;
};

struct post {
	int64_t id;
	struct ath_null_int64 author_id;
	const char *title;
	struct author *author;
	struct comment_list comments;
	struct tag_list tags;
	struct tag_list stars;
};

struct comment {
	int64_t id;
	int64_t post_id;
	const char *text;
	struct post *post;
};

struct tag {
	int64_t id;
	const char *name;
	struct post_list posts;
};

struct post_tag {
	int64_t post_id;
	int64_t tag_id;
};

struct star {
	int64_t id;
	int64_t post_id;
	int64_t tag_id;
};

struct folder {
	int64_t id;
	struct ath_null_int64 parent_id;
	const char *name;
	struct folder *parent;
	struct folder_list children;
};

struct node {
	struct ath_uuid id;
	struct ath_null_uuid parent_id;
	const char *name;
	struct node *parent;
	struct node_list children;
};

#define RELATED_FUNCTIONS(T, ...)                                                                  \
	ATH_DECLARE_READING_(T)                                                                    \
	ATH_DECLARE_WRITING_(T, __VA_ARGS__)
RELATED_FUNCTIONS(author, id)
RELATED_FUNCTIONS(profile, id)
RELATED_FUNCTIONS(post, id)
RELATED_FUNCTIONS(comment, id)
RELATED_FUNCTIONS(tag, id)
RELATED_FUNCTIONS(post_tag, post_id, tag_id)
RELATED_FUNCTIONS(star, id)
RELATED_FUNCTIONS(folder, id)
RELATED_FUNCTIONS(node, id)

ATH_MODEL(author, "authors", ATH_COLUMN(author, id, .primary_key = true),
	  ATH_COLUMN(author, name, .unique = true), ATH_HAS_MANY(author, posts, post, author_id),
	  ATH_HAS_ONE(author, profile, profile, author_id));
ATH_MODEL(profile, "profiles", ATH_COLUMN(profile, id, .primary_key = true),
	  ATH_COLUMN(profile, author_id, .unique = true, .references = &author_model),
	  ATH_COLUMN(profile, text), ATH_BELONGS_TO(profile, author, author, author_id));
ATH_MODEL(post, "posts", ATH_COLUMN(post, id, .primary_key = true),
	  ATH_COLUMN(post, author_id, .references = &author_model), ATH_COLUMN(post, title),
	  ATH_BELONGS_TO(post, author, author, author_id),
	  ATH_HAS_MANY(post, comments, comment, post_id),
	  ATH_MANY_TO_MANY(post, tags, tag, post_tag, post_id, tag_id),
	  ATH_MANY_TO_MANY(post, stars, tag, star, post_id, tag_id));
ATH_MODEL(comment, "comments", ATH_COLUMN(comment, id, .primary_key = true),
	  ATH_COLUMN(comment, post_id, .references = &post_model), ATH_COLUMN(comment, text),
	  ATH_BELONGS_TO(comment, post, post, post_id));
ATH_MODEL(tag, "tags", ATH_COLUMN(tag, id, .primary_key = true),
	  ATH_COLUMN(tag, name, .unique = true),
	  ATH_MANY_TO_MANY(tag, posts, post, post_tag, tag_id, post_id));
ATH_MODEL(post_tag, "post_tags",
	  ATH_COLUMN(post_tag, post_id, .primary_key = true, .references = &post_model),
	  ATH_COLUMN(post_tag, tag_id, .primary_key = true, .references = &tag_model));
ATH_MODEL(star, "stars", ATH_COLUMN(star, id, .primary_key = true),
	  ATH_COLUMN(star, post_id, .references = &post_model),
	  ATH_COLUMN(star, tag_id, .references = &tag_model));
ATH_MODEL(folder, "folders", ATH_COLUMN(folder, id, .primary_key = true),
	  ATH_COLUMN(folder, parent_id, .references = &folder_model), ATH_COLUMN(folder, name),
	  ATH_BELONGS_TO(folder, parent, folder, parent_id),
	  ATH_HAS_MANY(folder, children, folder, parent_id));
ATH_MODEL(node, "nodes",
	  ATH_COLUMN(node, id, .primary_key = true, .default_function = ath_fill_uuid),
	  ATH_COLUMN(node, parent_id, .references = &node_model), ATH_COLUMN(node, name),
	  ATH_BELONGS_TO(node, parent, node, parent_id),
	  ATH_HAS_MANY(node, children, node, parent_id));

static const struct ath_model *const related_models[] = {
	&author_model,   &profile_model, &post_model,   &comment_model, &tag_model,
	&post_tag_model, &star_model,    &folder_model, &node_model,    NULL
};

/* A list of some objects, on the stack: LIST_OF(post, a, b). */
#define LIST_OF(T, ...)                                                                            \
	((struct T##_list){ (struct T *[]){ __VA_ARGS__ },                                         \
			    sizeof((struct T *[]){ __VA_ARGS__ }) / sizeof(struct T *) })

#define NEW_NAMED_(T, member)                                                                      \
	__attribute__((unused)) static struct T *make_##T(struct ath_session *db,                  \
							  const char *text)                        \
	{                                                                                          \
		struct T *made = T##_new(db);                                                      \
		made->member = text;                                                               \
		return made;                                                                       \
	}
/* make_post(db, "title"): a new one, not added. */
NEW_NAMED_(author, name)
NEW_NAMED_(profile, text)
NEW_NAMED_(post, title)
NEW_NAMED_(comment, text)
NEW_NAMED_(tag, name)
NEW_NAMED_(folder, name)
NEW_NAMED_(node, name)

static inline int setup_related(void **state)
{
	return setup_tables(state, related_models);
}

#endif
