/* app.c - which path goes to which function. */
#include "handlers.h"
#include "models.h"

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/users", list_users),
	ATH_ROUTE(POST, "/users", create_user),
	ATH_ROUTE(GET, "/users/<id:int>", show_user),
	ATH_ROUTE(PATCH, "/users/<id:int>", change_user, .deadline_ms = 2000),
	ATH_ROUTE(DELETE, "/users/<id:int>", delete_user),
	ATH_ROUTE(GET, "/users/<id:int>/posts", list_user_posts),
	ATH_ROUTE(GET, "/posts", list_posts),
	ATH_ROUTE(POST, "/posts", create_post),
	ATH_ROUTE(GET, "/posts/<id:int>", show_post),
	ATH_ROUTE(DELETE, "/posts/<id:int>", delete_post),
	{ 0 },
};

const struct ath_app app = {
	.name = "users",
	.version = "1.0.0",
	.routes = routes,
	.models = models,
};
