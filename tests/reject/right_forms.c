/*
 * right_forms.c - the right form of everything that slips.c gets wrong. It has to compile, so
 * that a slip is refused for what is wrong with it and not for what surrounds it.
 */
#include "models.h"

ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true),
	  ATH_COLUMN(post, user_id, .references = &user_model, .on_delete = ATH_CASCADE),
	  ATH_COLUMN(post, title, .max_length = 300),
	  ATH_COLUMN(post, created_at, .server_default = "now()", .read_only = true));

ATH_MODEL(user, "users",
	  ATH_COLUMN(user, id, .primary_key = true),
	  ATH_COLUMN(user, name),
	  ATH_COLUMN(user, email, .unique = true, .index = true, .format = ATH_EMAIL),
	  ATH_COLUMN(user, age, .min = 0, .max = 150),
	  ATH_HAS_MANY(user, posts, post, user_id));

/* every type that a column can have */
struct types {
	int64_t id;
	bool a_bool;
	int16_t an_int16;
	int32_t an_int32;
	double a_double;
	char *a_text;
	struct ath_timestamp a_timestamp;
	struct ath_uuid a_uuid;
	struct ath_null_bool null_bool;
	struct ath_null_int16 null_int16;
	struct ath_null_int32 null_int32;
	struct ath_null_int64 null_int64;
	struct ath_null_double null_double;
	struct ath_null_timestamp null_timestamp;
	struct ath_null_uuid null_uuid;
};
ATH_DECLARE(types);
ATH_MODEL(types, "types",
	  ATH_COLUMN(types, id, .primary_key = true),
	  ATH_COLUMN(types, a_bool),
	  ATH_COLUMN(types, an_int16),
	  ATH_COLUMN(types, an_int32),
	  ATH_COLUMN(types, a_double),
	  ATH_COLUMN(types, a_text, .nullable = true),
	  ATH_COLUMN(types, a_timestamp),
	  ATH_COLUMN(types, a_uuid),
	  ATH_COLUMN(types, null_bool),
	  ATH_COLUMN(types, null_int16),
	  ATH_COLUMN(types, null_int32),
	  ATH_COLUMN(types, null_int64),
	  ATH_COLUMN(types, null_double),
	  ATH_COLUMN(types, null_timestamp),
	  ATH_COLUMN(types, null_uuid));

/* a key that is not called id, and is a text */
struct country {
	char *code;
};
ATH_DECLARE_KEY(country, code);
ATH_MODEL(country, "countries", ATH_COLUMN(country, code, .primary_key = true));

static void conditions(struct ath_query *q, const char *email)
{
	static const int64_t ids[] = { 7, 8 };
	static const int32_t ages[] = { 36 };
	const char *names[] = { "Ada", email };

	ath_where(q, ATH_EQ(user, email, email));
	ath_where(q, ATH_NE(user, id, 7));
	ath_where(q, ATH_GE(user, age, 18));
	ath_where(q, ATH_LIKE(user, name, "A%"));
	ath_where(q, ATH_ILIKE(user, email, "%@example.org"));
	ath_where(q, ATH_IN(user, id, ids, ATH_COUNT(ids)));
	ath_where(q, ATH_IN(user, age, ages, ATH_COUNT(ages)));
	ath_where(q, ATH_IN(user, name, names, ATH_COUNT(names)));
	ath_where(q, ATH_OR(ATH_EQ(user, name, email), ATH_NOT(ATH_IS_NULL(user, age)),
			    ATH_AND(ATH_LT(user, id, 9), ATH_GT(user, id, 7))));
	ath_order_by(q, ATH_ASC(user, name));
	ath_order_by(q, ATH_DESC(user, id));
}

static struct ath_response *show(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct user *user = user_get(db, 7);

	if (user == NULL || country_get(db, "AT") == NULL)
		return ath_problem(req, 404, "no user %d, no country %s", 7, "AT");
	ath_load(db, user, ((struct user_list){ &user, 1 }), posts);
	return user_json(req, 200, user);
}

static struct ath_response *list(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct ath_query q = ath_query(user);
	struct user_list users;

	conditions(&q, "ada@example.org");
	users = user_all(db, &q);
	ath_load(db, user, users, posts);
	if (ath_count(db, &q) < 0 || user_first(db, &q) != user_one(db, &q))
		ath_session_fail(db, ATH_EINVAL, "%s", "neither");
	return user_list_json(req, 200, users);
}

static struct ath_response *create(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct user *user = user_bind(req);

	user_patch(req, user);
	user_add(db, user);
	user_delete(db, user);
	return user_created(req, user, "/users/%" PRId64, user->id);
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/users", list),
	ATH_ROUTE(POST, "/users", create),
	ATH_ROUTE(GET, "/users/<id:int>", show, .deadline_ms = 2000),
	{ 0 },
};

int main(int argc, char **argv)
{
	static const struct ath_model *const models[] = { &user_model, &post_model, NULL };
	static const struct ath_app app = {
		.name = "right", .version = "1", .routes = routes, .models = models
	};

	return ath_main(&app, argc, argv);
}
