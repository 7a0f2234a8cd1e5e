/* app.c - which path goes to which function, and what is done from time to time. */
#include "handlers.h"
#include "models.h"

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/users", list_users),
	ATH_ROUTE(POST, "/users", create_user, .idempotency = ATH_IDEMPOTENCY_OPTIONAL),
	ATH_ROUTE(GET, "/users/<id:int>", show_user),
	ATH_ROUTE(PATCH, "/users/<id:int>", change_user, .deadline_ms = 2000),
	ATH_ROUTE(DELETE, "/users/<id:int>", delete_user),
	ATH_ROUTE(GET, "/users/<id:int>/posts", list_user_posts),
	ATH_ROUTE(GET, "/posts", list_posts),
	ATH_ROUTE(POST, "/posts", create_post, .idempotency = ATH_IDEMPOTENCY_OPTIONAL),
	ATH_ROUTE(GET, "/posts/<id:int>", show_post),
	ATH_ROUTE(DELETE, "/posts/<id:int>", delete_post),
	{ 0 },
};

/* Idempotency-Keys of more than a day. */
static void forget_keys(struct ath_worker *worker)
{
	struct ath_session *db;

	if (ath_session_open(&db, ath_worker_engine(worker), NULL) != ATH_OK)
		return;
	while (ath_idempotency_clean(db) > 0 && ath_commit(db))
		; /* 1000 at a time */
	ath_session_close(&db);
}

static const struct ath_task tasks[] = { ATH_EVERY(60 * 60 * 1000, forget_keys), { 0 } };

const struct ath_app app = {
	.name = "users",
	.version = "1.0.0",
	.routes = routes,
	.models = models,
	.tasks = tasks,
};
