/*
 * users.c - the users: list, create, show, change, delete.
 *
 * No call is tested for errors here: a session keeps its first one, and the request is then
 * answered with it, whatever the handler returned.
 */
#include "handlers.h"
#include "models.h"

/* GET /users?name=Ada&limit=20&offset=40 */
struct ath_response *list_users(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct ath_query q = ath_query(user);
	const char *name = ath_arg(req, "name");

	if (name != NULL)
		ath_where(&q, ATH_EQ(user, name, name));
	ath_order_by(&q, ATH_ASC(user, id));
	ath_paginate(&q, req);
	return user_list_json(req, 200, user_all(db, &q));
}

/* POST /users {"name": "Ada", "email": "ada@example.org", "age": 36} */
struct ath_response *create_user(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct user *user = user_bind(req); /* all that is wrong: one 422 */

	user_add(db, user);
	ath_commit(db); /* one round trip; a taken email: 409 naming it */
	return user_created(req, user, "/users/%" PRId64, user->id);
}

/* GET /users/7, with the user's posts when asked: GET /users/7?with=posts */
struct ath_response *show_user(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct user *user = user_get(db, ath_path_int(req, "id"));
	const char *with = ath_arg(req, "with");

	if (user == NULL)
		return ath_problem(req, 404, "no such user");
	if (with != NULL && strcmp(with, "posts") == 0)
		ath_load(db, user, ((struct user_list){ &user, 1 }), posts);
	return user_json(req, 200, user);
}

/* PATCH /users/7 {"age": null}: only what is sent changes, and null clears */
struct ath_response *change_user(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct user *user = user_get(db, ath_path_int(req, "id"));

	if (user == NULL)
		return ath_problem(req, 404, "no such user");
	user_patch(req, user);
	ath_commit(db); /* UPDATE of the changed columns only */
	return user_json(req, 200, user);
}

/* DELETE /users/7, and the user's posts with it */
struct ath_response *delete_user(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct user *user = user_get(db, ath_path_int(req, "id"));

	if (user == NULL)
		return ath_problem(req, 404, "no such user");
	user_delete(db, user);
	ath_commit(db);
	return ath_response_empty(req, 204);
}
