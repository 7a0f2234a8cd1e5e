/*
 * right_forms.c - the right form of everything that slips.c gets wrong. It has to compile, so
 * that a slip is refused for what is wrong with it and not for what surrounds it.
 */
#include "models.h"

static void look(struct ath_session *db, enum ath_hook_event event, const struct ath_model *model,
		 void *object, void *arg)
{
	if (event == ATH_BEFORE_DELETE && model == &post_model && object != arg)
		ath_session_fail(db, ATH_ERULE, "%s", "it stays");
}

ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true),
	  ATH_COLUMN(post, user_id, .references = &user_model, .on_delete = ATH_CASCADE),
	  ATH_COLUMN(post, title, .max_length = 300),
	  ATH_COLUMN(post, created_at, .server_default = "now()", .read_only = true),
	  ATH_BELONGS_TO(post, author, user, user_id),
	  ATH_MANY_TO_MANY(post, labels, label, post_label, post_id, label_id),
	  ATH_INDEX(post, ATH_COLUMNS(post, user_id, title), .where = "title <> ''"),
	  ATH_INDEX_ON(post, lower_title, "lower(title)", .unique = true),
	  ATH_UNIQUE(post, ATH_COLUMNS(post, user_id, created_at)),
	  ATH_CHECK(post, order, "id > user_id"),
	  ATH_COMMENT("what users write"),
	  ATH_HOOK(look, .hook_arg = NULL));

static const struct profile no_profile = { .id = 0 };
ATH_MODEL(profile, "private.profiles",
	  ATH_COLUMN(profile, id, .primary_key = true, .default_value = &no_profile.id),
	  ATH_COLUMN(profile, user_id, .references = &user_model));

ATH_MODEL(label, "labels",
	  ATH_COLUMN(label, id, .primary_key = true),
	  ATH_COLUMN(label, name, .varchar = true, .max_length = 20),
	  ATH_MANY_TO_MANY(label, posts, post, post_label, label_id, post_id));

ATH_MODEL(post_label, "posts_labels",
	  ATH_COLUMN(post_label, post_id, .primary_key = true, .references = &post_model),
	  ATH_COLUMN(post_label, label_id, .primary_key = true, .references = &label_model));

ATH_MODEL_RESULT(total, ATH_COLUMN(total, name), ATH_COLUMN(total, count));

ATH_MODEL(user, "users",
	  ATH_COLUMN(user, id, .primary_key = true),
	  ATH_COLUMN(user, name),
	  ATH_COLUMN(user, email, .unique = true, .index = true, .format = ATH_EMAIL),
	  ATH_COLUMN(user, age, .min = 0, .max = 150,
		     .default_value = ATH_DEFAULT(user, age, 18, true)),
	  ATH_COLUMN(user, mood, .values = ATH_VALUES("calm", "busy"),
		     .default_value = ATH_DEFAULT(user, mood, BUSY)),
	  ATH_COLUMN(user, tags, .nullable = true),
	  ATH_COLUMN(user, data),
	  ATH_HAS_MANY(user, posts, post, user_id),
	  ATH_HAS_ONE(user, profile, profile, user_id));

ATH_MODEL_SHAPE(line,
	  ATH_COLUMN(line, product, .max_length = 20),
	  ATH_COLUMN(line, amount, .min = 1, .max = 99));

ATH_MODEL_SHAPE(order,
	  ATH_COLUMN(order, customer, .format = ATH_EMAIL),
	  ATH_OBJECT(order, first, line, .nullable = true),
	  ATH_LIST_OF(order, lines, line, .min_items = 1, .max_items = 100),
	  ATH_OBJECT(order, seller, user),
	  ATH_IGNORE_UNKNOWN);

/* a list of its own kind */
ATH_DECLARE_LIST(node);
struct node {
	int64_t id;
	struct ath_null_int64 parent_id;
	struct node *parent;
	struct node_list kids;
};
ATH_DECLARE_FUNCTIONS(node, id);
ATH_MODEL(node, "nodes",
	  ATH_COLUMN(node, id, .primary_key = true),
	  ATH_COLUMN(node, parent_id, .references = &node_model),
	  ATH_BELONGS_TO(node, parent, node, parent_id),
	  ATH_HAS_MANY(node, kids, node, parent_id));

/* a view, which is only read */
struct reader {
	int64_t id;
	const char *name;
};
ATH_DECLARE_RESULT(reader);
ATH_MODEL_VIEW(reader, "readers",
	  ATH_COLUMN(reader, id, .primary_key = true),
	  ATH_COLUMN(reader, name));

/* what refers to a key of several columns */
struct use {
	int64_t a;
	int32_t b;
	struct ath_date day;
};
ATH_DECLARE_KEY(use, a, b, day);
ATH_MODEL(use, "uses",
	  ATH_COLUMN(use, a, .primary_key = true),
	  ATH_COLUMN(use, b, .primary_key = true),
	  ATH_COLUMN(use, day, .primary_key = true),
	  ATH_FOREIGN_KEY(use, ATH_COLUMNS(use, a, b), post_label, .on_update = ATH_CASCADE));

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
	struct ath_date a_date;
	struct ath_decimal a_decimal;
	enum mood an_enum;
	unsigned an_unsigned;
	const char *a_const_text;
	struct ath_json a_json;
	struct ath_bytes some_bytes;
	struct ath_text_array texts;
	struct ath_int64_array numbers;
	struct ath_uuid_array uuids;
	struct ath_null_bool null_bool;
	struct ath_null_int16 null_int16;
	struct ath_null_int32 null_int32;
	struct ath_null_int64 null_int64;
	struct ath_null_double null_double;
	struct ath_null_timestamp null_timestamp;
	struct ath_null_uuid null_uuid;
	struct ath_null_date null_date;
	struct ath_null_decimal null_decimal;
	struct ath_null_enum null_enum;
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
	  ATH_COLUMN(types, a_date),
	  ATH_COLUMN(types, a_decimal, .precision = 10, .scale = 2),
	  ATH_COLUMN(types, an_enum, .values = ATH_VALUES("calm", "busy")),
	  ATH_COLUMN(types, an_unsigned, .values = ATH_VALUES("calm", "busy")),
	  ATH_COLUMN(types, a_const_text),
	  ATH_COLUMN(types, a_json),
	  ATH_COLUMN(types, some_bytes),
	  ATH_COLUMN(types, texts),
	  ATH_COLUMN(types, numbers),
	  ATH_COLUMN(types, uuids),
	  ATH_COLUMN(types, null_bool),
	  ATH_COLUMN(types, null_int16),
	  ATH_COLUMN(types, null_int32),
	  ATH_COLUMN(types, null_int64),
	  ATH_COLUMN(types, null_double),
	  ATH_COLUMN(types, null_timestamp),
	  ATH_COLUMN(types, null_uuid),
	  ATH_COLUMN(types, null_date),
	  ATH_COLUMN(types, null_decimal, .precision = 10, .scale = 2),
	  ATH_COLUMN(types, null_enum, .values = ATH_VALUES("calm", "busy")));

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

/* each of the conditions that is not above */
static void more_conditions(struct ath_query *q, const struct types *t, const struct user *u)
{
	static const unsigned moods[] = { CALM, BUSY };
	struct ath_query inner = ath_query(post);

	ath_select(&inner, ATH_COL(post, user_id));
	ath_where(&inner, ATH_EXPR(ATH_COL(post, user_id), EQ, ATH_OUTER(user, id)));
	ath_where(q, ATH_BETWEEN(user, age, 18, 30));
	ath_where(q, ATH_EQ(user, mood, BUSY));
	ath_where(q, ATH_IN(user, mood, moods, ATH_COUNT(moods)));
	ath_where(q, ATH_DISTINCT_FROM(user, name, u->name));
	ath_where(q, ATH_MATCHES(user, name, "^A"));
	ath_where(q, ATH_IMATCHES(user, email, "^a"));
	ath_where(q, ATH_CONTAINS(user, tags, u->tags));
	ath_where(q, ATH_CONTAINED_IN(user, data, u->data));
	ath_where(q, ATH_OVERLAPS(user, tags, u->tags));
	ath_where(q, ATH_HAS(user, tags, "new"));
	ath_where(q, ATH_HAS(types, numbers, 7));
	ath_where(q, ATH_HAS(types, uuids, t->a_uuid));
	ath_where(q, ATH_JSON_PATH(user, data, "$.a"));
	ath_where(q, ATH_SEARCH(user, name, english, "red -car"));
	ath_where(q, ATH_IN_QUERY(user, id, &inner));
	ath_where(q, ATH_NOT(ATH_EXISTS(&inner)));
	ath_where(q, ATH_EQ(types, a_decimal, ath_decimal_of(1999, 2)));
	ath_where(q, ATH_LT(types, null_date, t->a_date));
	ath_where(q, ATH_EQ(types, some_bytes, t->some_bytes));
	ath_where(q, ATH_EQ(types, a_bool, true));
	ath_where(q, ATH_EXPR(ATH_FUNC(lower, ATH_COL(user, name)), LIKE,
			      ATH_EXPR(ATH_VAL("a"), CONCAT, ATH_CAST(ATH_COL(user, id), text))));
	ath_where(q, ATH_ALL);
}

static void select_totals(struct ath_session *db, struct ath_query *q)
{
	struct ath_null_int64 sum;
	struct ath_cursor *rows;
	const char *name;
	int author = ath_join(q, post, author);
	int labels = ath_left_join(q, post, labels);
	int posts = ath_join_from(q, labels, label, posts);

	ath_distinct(q);
	ath_select(q, ATH_OF(author, ATH_COL(user, name)));
	ath_select(q, ATH_FUNC(count, ATH_DISTINCT(ATH_OF(posts, ATH_COL(post, id)))));
	ath_group_by(q, ATH_COL(user, id));
	ath_having(q, ATH_EXPR(ATH_COUNT_ROWS, GT, ATH_VAL(3)));
	ath_order_by(q, ATH_DESC_OF(ATH_FUNC(now)));
	ath_order_by(q, ATH_ASC_OF(ATH_COL(user, name)));
	ath_lock(q, ATH_SKIP_LOCKED);
	if (ath_scalar(db, q, ATH_FUNC(sum, ATH_COL(post, id)), &sum) && sum.valid)
		ath_scalar(db, q, ATH_FUNC(max, ATH_COL(post, title)), &name);
	rows = total_each(db, q);
	while (total_next(rows) != NULL)
		;
	ath_cursor_close(&rows);
}

static void write(struct ath_session *db, struct ath_query *q, struct user *users, size_t count)
{
	struct user *user = user_upsert(db, &users[0], ATH_ON(user, email));

	user_insert_all(db, users, count);
	user_expire(db, user);
	user_refresh(db, user);
	user_expunge(db, user);
	(void)user_merge(db, user_new(db));
	(void)post_label_get(db, 7, 8);
	(void)use_get(db, 7, 8, (struct ath_date){ 9 });
	ath_update(db, q, ATH_SET(user, name, "Ada"), ATH_SET(user, age, 36),
		   ATH_SET(user, mood, BUSY), ATH_SET_NULL(user, tags),
		   ATH_SET_TO(user, id, ATH_EXPR(ATH_COL(user, id), ADD, ATH_VAL(1))));
	ath_delete_where(db, q);
	ath_execute(db, "vacuum");
	ath_execute(db, "delete from users where id = :id and name = :name",
		    ATH_BIND("id", user->id), ATH_BIND("name", user->name));
}

static struct total_list read_sql(struct ath_session *db, const struct user *user)
{
	if (reader_all(db, NULL).count == 0)
		return ath_sql(db, total, "select name, count(*) from users group by name");
	return ath_sql(db, total, "select name, 1::bigint as count from users "
				  "where age = :age and data = :data",
		       ATH_BIND("age", user->age.value), ATH_BIND("data", user->data));
}

static void load(struct ath_session *db, struct user_list users, struct node_list nodes)
{
	ath_load(db, user, users, profile);
	ath_load_with(db, user, users,
		      ATH_WITH(user, posts, ATH_WITH(post, labels, ATH_WITH(label, posts)),
			       ATH_WITH(post, author)),
		      ATH_WITH(user, profile));
	ath_load_with(db, node, nodes, ATH_WITH(node, kids, ATH_WITH(node, parent)));
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
	more_conditions(&q, NULL, NULL);
	users = user_all(db, &q);
	ath_load(db, user, users, posts);
	load(db, users, (struct node_list){ NULL, 0 });
	select_totals(db, &q);
	if (ath_count(db, &q) < 0 || user_first(db, &q) != user_one(db, &q))
		ath_session_fail(db, ATH_EINVAL, "%s", "neither");
	return user_list_json(req, 200, users);
}

static struct ath_response *create(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct user *user = user_bind(req);

	user_patch(req, user);
	write(db, NULL, user, 1);
	(void)total_list_json(req, 200, read_sql(db, user));
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
