/* posts.c - the posts: of one user, of all, create, show, delete. */
#include "handlers.h"
#include "models.h"

/* GET /users/7/posts */
struct ath_response *list_user_posts(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct user *user = user_get(db, ath_path_int(req, "id"));
	struct ath_query q = ath_query(post);

	if (user == NULL)
		return ath_problem(req, 404, "no such user");
	ath_where(&q, ATH_EQ(post, user_id, user->id));
	ath_order_by(&q, ATH_DESC(post, id));
	ath_paginate(&q, req);
	return post_list_json(req, 200, post_all(db, &q));
}

/* GET /posts?title=athanor: the newest first, those whose title holds the word */
struct ath_response *list_posts(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct ath_query q = ath_query(post);
	const char *title = ath_arg(req, "title");

	if (title != NULL)
		ath_where(&q, ATH_ILIKE(post, title,
					ath_arena_printf(ath_request_arena(req), "%%%s%%", title)));
	ath_order_by(&q, ATH_DESC(post, id));
	ath_paginate(&q, req);
	return post_list_json(req, 200, post_all(db, &q));
}

/* POST /posts {"user_id": 7, "title": "On athanors"} */
struct ath_response *create_post(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct post *post = post_bind(req);

	post_add(db, post);
	ath_commit(db); /* no such user: 409 naming user_id */
	return post_created(req, post, "/posts/%" PRId64, post->id);
}

/* GET /posts/7, with its author when asked: GET /posts/7?with=author */
struct ath_response *show_post(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct post *post = post_get(db, ath_path_int(req, "id"));
	const char *with = ath_arg(req, "with");

	if (post == NULL)
		return ath_problem(req, 404, "no such post");
	if (with != NULL && strcmp(with, "author") == 0)
		ath_load(db, post, ((struct post_list){ &post, 1 }), author);
	return post_json(req, 200, post);
}

/* DELETE /posts/7 */
struct ath_response *delete_post(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct post *post = post_get(db, ath_path_int(req, "id"));

	if (post == NULL)
		return ath_problem(req, 404, "no such post");
	post_delete(db, post);
	ath_commit(db);
	return ath_response_empty(req, 204);
}
