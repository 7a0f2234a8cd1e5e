/*
 * slips.c - programs that must not compile. Each is what stands between #ifdef and #endif; two
 * comments say which words of the diagnostic gcc and clang owe the programmer.
 */
#include "models.h"

/* What the slips are made with; none of it is used by all of them. */
struct slip {
	struct ath_session *db;
	struct ath_request *req;
	struct user *user;
	struct post *post;
	struct user_list users;
	struct post_list posts;
	const char *text;
};
void slip(struct slip s, struct ath_query *q);
struct ath_response *handler(struct ath_request *req);

/* ---- conditions ---------------------------------------------------------------------- */

#ifdef MISSPELT_COLUMN
/* gcc: 'struct user' has no member named 'emial' */
/* clang: no member named 'emial' in */
void slip(struct slip s, struct ath_query *q)
{
	ath_where(q, ATH_EQ(user, emial, s.text));
}
#endif

#ifdef COLUMN_OF_ANOTHER_MODEL
/* gcc: 'struct user' has no member named 'title' */
/* clang: no member named 'title' in */
void slip(struct slip s, struct ath_query *q)
{
	ath_where(q, ATH_EQ(user, title, s.text));
}
#endif

#ifdef TEXT_FOR_AN_INTEGER
/* gcc: passing argument 1 of 'ath_value_int64' makes integer from pointer without a cast */
/* clang: incompatible pointer to integer conversion passing 'const char *' */
void slip(struct slip s, struct ath_query *q)
{
	ath_where(q, ATH_EQ(user, id, s.text));
}
#endif

#ifdef TEXT_FOR_A_NULLABLE_INTEGER
/* gcc: passing argument 1 of 'ath_value_int32' makes integer from pointer without a cast */
/* clang: incompatible pointer to integer conversion passing 'char[3]' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_GE(user, age, "18"));
}
#endif

#ifdef INTEGER_FOR_A_TEXT
/* gcc: passing argument 1 of 'ath_value_text' makes pointer from integer without a cast */
/* clang: incompatible integer to pointer conversion passing 'int' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_EQ(user, email, 7));
}
#endif

#ifdef INTEGER_FOR_A_TIMESTAMP
/* gcc: incompatible type for argument 1 of 'ath_value_timestamp' */
/* clang: passing 'int' to parameter of incompatible type 'struct ath_timestamp' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_LT(post, created_at, 0));
}
#endif

#ifdef LIKE_ON_A_NUMBER
/* gcc: '_Generic' selector of type 'long int' is not compatible with any association */
/* clang: controlling expression type 'int64_t' (aka 'long') not compatible with any generic */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_LIKE(user, id, "1%"));
}
#endif

#ifdef ILIKE_ON_A_NULLABLE_NUMBER
/* gcc: '_Generic' selector of type 'struct ath_null_int32' is not compatible */
/* clang: controlling expression type 'struct ath_null_int32' not compatible with any generic */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_ILIKE(user, age, "1%"));
}
#endif

#ifdef CONDITION_ON_A_RELATION
/* gcc: '_Generic' selector of type 'struct post_list' is not compatible */
/* clang: controlling expression type 'struct post_list' not compatible with any generic */
void slip(struct slip s, struct ath_query *q)
{
	ath_where(q, ATH_EQ(user, posts, s.posts));
}
#endif

#ifdef ITEMS_OF_ANOTHER_TYPE
/* gcc: passing argument 1 of 'ath_array_int64' from incompatible pointer type */
/* clang: incompatible pointer types passing 'int32_t */
void slip(struct slip s, struct ath_query *q)
{
	static int32_t ids[] = { 7, 8 };

	(void)s;
	ath_where(q, ATH_IN(user, id, ids, ATH_COUNT(ids)));
}
#endif

#ifdef TEXT_FOR_A_LIST_OF_TEXTS
/* gcc: passing argument 1 of 'ath_array_text' from incompatible pointer type */
/* clang: incompatible pointer types passing 'const char *' to parameter of type 'const char *co */
void slip(struct slip s, struct ath_query *q)
{
	ath_where(q, ATH_IN(user, name, s.text, 1));
}
#endif

#ifdef SQL_AS_A_CONDITION
/* gcc: incompatible type for argument 2 of 'ath_where' */
/* clang: passing 'char[10]' to parameter of incompatible type 'struct ath_expression' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, "age >= 18");
}
#endif

#ifdef A_CLIENTS_TEXT_AS_A_CONDITION
/* gcc: incompatible type for argument 2 of 'ath_where' */
/* clang: passing 'const char *' to parameter of incompatible type 'struct ath_expression' */
void slip(struct slip s, struct ath_query *q)
{
	ath_where(q, ath_arg(s.req, "where"));
}
#endif

#ifdef TEXT_AMONG_CONDITIONS
/* gcc: incompatible types when initializing type 'enum ath_operator' using type 'const char *' */
/* clang: incompatible pointer to integer conversion */
void slip(struct slip s, struct ath_query *q)
{
	ath_where(q, ATH_OR(ATH_EQ(user, id, 7), s.text));
}
#endif

#ifdef AN_EXPRESSION_OF_C_AS_A_CONDITION
/* gcc: missing braces around initializer */
/* clang: suggest braces around initialization of subobject */
void slip(struct slip s, struct ath_query *q)
{
	ath_where(q, ATH_NOT(s.user->id == 7));
}
#endif

#ifdef ORDER_BY_A_TEXT
/* gcc: incompatible type for argument 2 of 'ath_order_by' */
/* clang: passing 'char[8]' to parameter of incompatible type 'struct ath_order' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_order_by(q, "id desc");
}
#endif

#ifdef ORDER_BY_A_MISSPELT_COLUMN
/* gcc: 'struct user' has no member named 'nmae' */
/* clang: no member named 'nmae' in */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_order_by(q, ATH_DESC(user, nmae));
}
#endif

#ifdef CONTAINS_ON_A_TEXT
/* gcc: '_Generic' selector of type 'const char *' is not compatible */
/* clang: controlling expression type 'const char *' not compatible with any generic */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_CONTAINS(user, email, "a"));
}
#endif

#ifdef ANOTHER_CONTAINER_IN_CONTAINS
/* gcc: incompatible type for argument 1 of 'ath_value_text_array' */
/* clang: passing 'struct ath_json' to parameter of incompatible type 'struct ath_text_array' */
void slip(struct slip s, struct ath_query *q)
{
	ath_where(q, ATH_CONTAINS(user, tags, s.user->data));
}
#endif

#ifdef TEXT_IN_CONTAINS
/* gcc: incompatible type for argument 1 of 'ath_value_text_array' */
/* clang: to parameter of incompatible type 'struct ath_text_array' */
void slip(struct slip s, struct ath_query *q)
{
	ath_where(q, ATH_OVERLAPS(user, tags, s.text));
}
#endif

#ifdef HAS_OF_ANOTHER_ELEMENT
/* gcc: passing argument 1 of 'ath_value_text' makes pointer from integer without a cast */
/* clang: incompatible integer to pointer conversion passing 'int' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_HAS(user, tags, 7));
}
#endif

#ifdef HAS_ON_A_TEXT
/* gcc: '_Generic' selector of type 'char *' is not compatible */
/* clang: controlling expression type 'char *' not compatible with any generic */
void slip(struct slip s, struct ath_query *q)
{
	ath_where(q, ATH_HAS(user, name, s.text));
}
#endif

#ifdef JSON_PATH_ON_AN_ARRAY
/* gcc: '_Generic' selector of type 'struct ath_text_array' is not compatible */
/* clang: controlling expression type 'struct ath_text_array' not compatible with any generic */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_JSON_PATH(user, tags, "$.a"));
}
#endif

#ifdef MATCHES_ON_A_NUMBER
/* gcc: '_Generic' selector of type 'long int' is not compatible */
/* clang: controlling expression type 'int64_t' (aka 'long') not compatible with any generic */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_MATCHES(user, id, "1"));
}
#endif

#ifdef UNKNOWN_OPERATOR
/* gcc: 'ATH_OP_EQUALS' undeclared */
/* clang: use of undeclared identifier 'ATH_OP_EQUALS' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_EXPR(ATH_COL(user, id), EQUALS, ATH_VAL(7)));
}
#endif

#ifdef MISSPELT_COLUMN_OF_AN_EXPRESSION
/* gcc: 'struct user' has no member named 'aeg' */
/* clang: no member named 'aeg' in */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_order_by(q, ATH_ASC_OF(ATH_FUNC(abs, ATH_COL(user, aeg))));
}
#endif

#ifdef EXPRESSION_OF_A_RELATION
/* gcc: '_Generic' selector of type 'struct post_list' is not compatible */
/* clang: controlling expression type 'struct post_list' not compatible with any generic */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_select(q, ATH_COL(user, posts));
}
#endif

#ifdef EXPRESSION_OF_A_STRUCT
/* gcc: '_Generic' selector of type 'struct user *' is not compatible */
/* clang: controlling expression type 'struct user *' not compatible with any generic */
void slip(struct slip s, struct ath_query *q)
{
	ath_select(q, ATH_VAL(s.user));
}
#endif

#ifdef SELECT_OF_A_TEXT
/* gcc: incompatible type for argument 2 of 'ath_select' */
/* clang: passing 'char[9]' to parameter of incompatible type 'struct ath_expression' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_select(q, "count(*)");
}
#endif

#ifdef GROUP_BY_A_TEXT
/* gcc: incompatible type for argument 2 of 'ath_group_by' */
/* clang: passing 'const char *' to parameter of incompatible type 'struct ath_expression' */
void slip(struct slip s, struct ath_query *q)
{
	ath_group_by(q, s.text);
}
#endif

#ifdef JOIN_OF_NO_MEMBER
/* gcc: 'struct post' has no member named 'auhtor' */
/* clang: no member named 'auhtor' in */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_join(q, post, auhtor);
}
#endif

#ifdef JOIN_OF_A_COLUMN
/* gcc: invalid application of 'sizeof' to incomplete type 'struct ath_a_column_is_no_relation' */
/* clang: 'sizeof' to an incomplete type 'struct ath_a_column_is_no_relation' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_left_join(q, post, user_id);
}
#endif

#ifdef A_COUNT_FOR_A_QUERY
/* gcc: initialization of 'const struct ath_query *' from 'int' makes pointer from integer */
/* clang: incompatible integer to pointer conversion initializing 'const struct ath_query *' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_IN_QUERY(user, id, 7));
}
#endif

#ifdef SQL_FOR_A_SUBQUERY
/* gcc: initialization of 'const struct ath_query *' from incompatible pointer type 'char *' */
/* clang: incompatible pointer types initializing 'const struct ath_query *' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	ath_where(q, ATH_EXISTS("select 1"));
}
#endif

/* ---- sessions ------------------------------------------------------------------------ */

#ifdef SQL_AS_A_QUERY
/* gcc: passing argument 2 of 'user_all' from incompatible pointer type */
/* clang: incompatible pointer types passing 'char[20]' to parameter of type 'const struct ath_q */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)user_all(s.db, "select * from users");
}
#endif

#ifdef SQL_TO_BE_COUNTED
/* gcc: passing argument 2 of 'ath_count' from incompatible pointer type */
/* clang: incompatible pointer types passing 'const char *' to parameter of type 'const struct a */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)ath_count(s.db, s.text);
}
#endif

#ifdef QUERY_OF_NO_MODEL
/* gcc: 'usr_model' undeclared */
/* clang: use of undeclared identifier 'usr_model' */
void slip(struct slip s, struct ath_query *q)
{
	(void)s;
	*q = ath_query(usr);
}
#endif

#ifdef WRONG_STRUCT_ADDED
/* gcc: passing argument 2 of 'user_add' from incompatible pointer type */
/* clang: incompatible pointer types passing 'struct post *' to parameter of type 'struct user * */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	user_add(s.db, s.post);
}
#endif

#ifdef WRONG_STRUCT_DELETED
/* gcc: passing argument 2 of 'user_delete' from incompatible pointer type */
/* clang: incompatible pointer types passing 'struct post *' to parameter of type 'struct user * */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	user_delete(s.db, s.post);
}
#endif

#ifdef WRONG_STRUCT_FROM_GET
/* gcc: from incompatible pointer type */
/* clang: incompatible pointer types assigning to 'struct post *' from 'struct user *' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	s.post = user_get(s.db, 7);
}
#endif

#ifdef TEXT_FOR_THE_KEY
/* gcc: passing argument 2 of 'user_get' makes integer from pointer without a cast */
/* clang: incompatible pointer to integer conversion passing 'const char *' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	s.user = user_get(s.db, ath_arg(s.req, "id"));
}
#endif

#ifdef A_ROW_FOR_THE_KEY
/* gcc: passing argument 2 of 'user_get' makes integer from pointer without a cast */
/* clang: incompatible pointer to integer conversion passing 'struct user *' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	s.user = user_get(s.db, s.user);
}
#endif

#ifdef LOAD_OF_NO_MEMBER
/* gcc: 'struct user' has no member named 'comments' */
/* clang: no member named 'comments' in */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	ath_load(s.db, user, s.users, comments);
}
#endif

#ifdef LOAD_OF_A_COLUMN
/* gcc: invalid application of 'sizeof' to incomplete type 'struct ath_a_column_is_no_relation' */
/* clang: 'sizeof' to an incomplete type 'struct ath_a_column_is_no_relation' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	ath_load(s.db, user, s.users, name);
}
#endif

#ifdef LOAD_INTO_ANOTHER_LIST
/* gcc: incompatible pointer type */
/* clang: incompatible pointer types initializing 'struct user *const *' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	ath_load(s.db, user, s.posts, posts);
}
#endif

#ifdef WITH_OF_NO_MEMBER
/* gcc: 'struct post' has no member named 'tags' */
/* clang: no member named 'tags' in */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	ath_load_with(s.db, user, s.users, ATH_WITH(user, posts, ATH_WITH(post, tags)));
}
#endif

#ifdef WITH_OF_A_COLUMN
/* gcc: invalid application of 'sizeof' to incomplete type 'struct ath_a_column_is_no_relation' */
/* clang: 'sizeof' to an incomplete type 'struct ath_a_column_is_no_relation' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	ath_load_with(s.db, user, s.users, ATH_WITH(user, posts, ATH_WITH(post, title)));
}
#endif

#ifdef RELATION_WITHOUT_WITH
/* gcc: error: 'posts' undeclared */
/* clang: use of undeclared identifier 'posts' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	ath_load_with(s.db, user, s.users, posts);
}
#endif

#ifdef ON_A_MISSPELT_COLUMN
/* gcc: 'struct user' has no member named 'emial' */
/* clang: no member named 'emial' in */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	s.user = user_upsert(s.db, s.user, ATH_ON(user, id, emial));
}
#endif

#ifdef UPSERT_ON_A_TEXT
/* gcc: incompatible type for argument 3 of 'user_upsert' */
/* clang: to parameter of incompatible type 'struct ath_columns' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	s.user = user_upsert(s.db, s.user, "email");
}
#endif

#ifdef TOO_FEW_KEYS
/* gcc: too few arguments to function 'post_label_get' */
/* clang: too few arguments to function call, expected 3, have 2 */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)post_label_get(s.db, 7);
}
#endif

#ifdef TOO_MANY_KEYS
/* gcc: too many arguments to function 'user_get' */
/* clang: too many arguments to function call, expected 2, have 3 */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)user_get(s.db, 7, 8);
}
#endif

#ifdef TEXT_FOR_THE_SECOND_KEY
/* gcc: passing argument 3 of 'post_label_get' makes integer from pointer without a cast */
/* clang: incompatible pointer to integer conversion passing 'const char *' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)post_label_get(s.db, 7, s.text);
}
#endif

#ifdef A_RESULT_ADDED
/* gcc: implicit declaration of function 'total_add' */
/* clang: implicit declaration of function 'total_add' */
void slip(struct slip s, struct ath_query *q)
{
	struct total total = { .name = "a" };

	(void)q;
	total_add(s.db, &total);
}
#endif

#ifdef A_RESULT_BY_KEY
/* gcc: implicit declaration of function 'total_get' */
/* clang: implicit declaration of function 'total_get' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)total_get(s.db, 7);
}
#endif

#ifdef POINTERS_INSERTED
/* gcc: passing argument 2 of 'user_insert_all' from incompatible pointer type */
/* clang: incompatible pointer types passing 'struct user **' to parameter of type 'struct us */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	user_insert_all(s.db, s.users.items, s.users.count);
}
#endif

#ifdef SET_OF_ANOTHER_TYPE
/* gcc: passing argument 1 of 'ath_value_int32' makes integer from pointer without a cast */
/* clang: incompatible pointer to integer conversion passing 'const char *' */
void slip(struct slip s, struct ath_query *q)
{
	ath_update(s.db, q, ATH_SET(user, age, s.text));
}
#endif

#ifdef SET_OF_NO_MEMBER
/* gcc: 'struct user' has no member named 'nmae' */
/* clang: no member named 'nmae' in */
void slip(struct slip s, struct ath_query *q)
{
	ath_update(s.db, q, ATH_SET(user, nmae, s.text));
}
#endif

#ifdef SET_TO_A_TEXT
/* gcc: incompatible types when initializing type 'enum ath_operator' using type 'const char *' */
/* clang: incompatible pointer to integer conversion */
void slip(struct slip s, struct ath_query *q)
{
	ath_update(s.db, q, ATH_SET_TO(user, name, s.text));
}
#endif

#ifdef CONDITION_AS_AN_ASSIGNMENT
/* gcc: incompatible types when initializing type 'const struct ath_model *' */
/* clang: initializing 'const struct ath_model *' with an expression of incompatible type */
void slip(struct slip s, struct ath_query *q)
{
	ath_update(s.db, q, ATH_EQ(user, name, s.text));
}
#endif

#ifdef SQL_THAT_IS_NO_LITERAL
/* gcc: error: expected '}' before 's' */
/* clang: error: expected '}' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)user_all(s.db, q);
	(void)ath_sql(s.db, total, s.text);
}
#endif

#ifdef SQL_PUT_TOGETHER
/* gcc: invalid operands to binary + (have 'char *' and 'const char *') */
/* clang: invalid operands to binary expression */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)ath_execute(s.db, "delete from users where name = " + s.text);
}
#endif

#ifdef SQL_OF_A_CLIENT
/* gcc: error: expected '}' before 'ath_arg' */
/* clang: error: expected '}' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	ath_execute(s.db, ath_arg(s.req, "sql"));
}
#endif

#ifdef BIND_OF_A_STRUCT
/* gcc: '_Generic' selector of type 'struct user *' is not compatible */
/* clang: controlling expression type 'struct user *' not compatible with any generic */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	ath_execute(s.db, "delete from users where id = :id", ATH_BIND("id", s.user));
}
#endif

#ifdef SCALAR_OF_NO_COLUMN_TYPE
/* gcc: '_Generic' selector of type 'float' is not compatible */
/* clang: controlling expression type 'float' not compatible with any generic */
void slip(struct slip s, struct ath_query *q)
{
	float mean;

	ath_scalar(s.db, q, ATH_FUNC(avg, ATH_COL(user, age)), &mean);
}
#endif

#ifdef ROWS_OF_ANOTHER_MODEL
/* gcc: invalid initializer */
/* clang: initializing 'struct user_list' with an expression of incompatible type 'struct post_l */
void slip(struct slip s, struct ath_query *q)
{
	struct user_list users = post_all(s.db, q);

	(void)users;
}
#endif

#ifdef A_QUERY_FOR_A_CURSOR
/* gcc: passing argument 1 of 'user_next' from incompatible pointer type */
/* clang: incompatible pointer types passing 'struct ath_query *' to parameter of type 'struct at */
void slip(struct slip s, struct ath_query *q)
{
	s.user = user_next(q);
}
#endif

#ifdef IGNORED_STATUS
/* gcc: ignoring return value of 'ath_session_open' declared with attribute */
/* clang: ignoring return value of function declared with 'warn_unused_result' attribute */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	ath_session_open(&s.db, NULL, NULL);
}
#endif

#ifdef WRONG_ARGUMENTS_OF_A_SESSIONS_ERROR
/* gcc: format '%s' expects argument of type 'char *', but argument 4 has type 'int' */
/* clang: format specifies type 'char *' but the argument has type 'int' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	ath_session_fail(s.db, ATH_EINVAL, "%s is too young", 7);
}
#endif

/* ---- models -------------------------------------------------------------------------- */

#ifdef MEMBER_OF_NO_COLUMN_TYPE
/* gcc: '_Generic' selector of type 'float' is not compatible with any association */
/* clang: controlling expression type 'float' not compatible with any generic association type */
struct reading {
	int64_t id;
	float celsius;
};
ATH_DECLARE(reading);
ATH_MODEL(reading, "readings",
	  ATH_COLUMN(reading, id, .primary_key = true),
	  ATH_COLUMN(reading, celsius));
#endif

#ifdef KEY_OF_NO_COLUMN_TYPE
/* gcc: '_Generic' selector of type 'float' is not compatible with any association */
/* clang: controlling expression type 'float' not compatible with any generic association type */
struct reading {
	float id;
};
ATH_DECLARE(reading);
#endif

#ifdef NO_KEY
/* gcc: 'struct reading' has no member named 'id' */
/* clang: no member named 'id' in */
struct reading {
	double celsius;
};
ATH_DECLARE(reading);
#endif

#ifdef MISSPELT_MEMBER_OF_A_MODEL
/* gcc: 'struct post' has no member named 'titel' */
/* clang: no member named 'titel' in */
ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true),
	  ATH_COLUMN(post, titel));
#endif

#ifdef UNKNOWN_OPTION_OF_A_COLUMN
/* gcc: has no member named 'primary_keys' */
/* clang: field designator 'primary_keys' does not refer to any field in type */
ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_keys = true),
	  ATH_COLUMN(post, title));
#endif

#ifdef REFERENCE_BY_NAME
/* gcc: initialization of 'const struct ath_model *' from incompatible pointer type 'char *' */
/* clang: incompatible pointer types initializing 'const struct ath_model *' */
ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true),
	  ATH_COLUMN(post, user_id, .references = "users"));
#endif

#ifdef FORGOTTEN_COMMA_BETWEEN_COLUMNS
/* gcc: expected '}' before '{' token */
/* clang: expected '}' */
ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true)
	  ATH_COLUMN(post, title));
#endif

#ifdef RELATION_OVER_ANOTHER_LIST
/* gcc: '_Generic' selector of type 'struct user **' is not compatible with any association */
/* clang: controlling expression type 'struct user **' not compatible with any generic */
struct team {
	int64_t id;
	struct user_list posts;
};
ATH_DECLARE(team);
ATH_MODEL(team, "teams",
	  ATH_COLUMN(team, id, .primary_key = true),
	  ATH_HAS_MANY(team, posts, post, user_id));
#endif

#ifdef RELATION_OVER_A_COLUMN
/* gcc: request for member 'items' in something not a structure or union */
/* clang: is not a structure or union */
ATH_MODEL(user, "users",
	  ATH_COLUMN(user, id, .primary_key = true),
	  ATH_HAS_MANY(user, name, post, user_id));
#endif

#ifdef RELATION_BY_NO_KEY
/* gcc: 'struct post' has no member named 'writer' */
/* clang: no member named 'writer' in */
ATH_MODEL(user, "users",
	  ATH_COLUMN(user, id, .primary_key = true),
	  ATH_HAS_MANY(user, posts, post, writer));
#endif

#ifdef BELONGS_TO_ANOTHER_STRUCT
/* gcc: '_Generic' selector of type 'struct user *' is not compatible with any association */
/* clang: controlling expression type 'struct user *' not compatible with any generic */
ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true),
	  ATH_BELONGS_TO(post, author, profile, user_id));
#endif

#ifdef HAS_ONE_OF_A_LIST
/* gcc: '_Generic' selector of type 'struct post_list' is not compatible with any association */
/* clang: controlling expression type 'struct post_list' not compatible with any generic */
ATH_MODEL(user, "users",
	  ATH_COLUMN(user, id, .primary_key = true),
	  ATH_HAS_ONE(user, posts, post, user_id));
#endif

#ifdef BELONGS_TO_BY_NO_KEY
/* gcc: 'struct post' has no member named 'author_id' */
/* clang: no member named 'author_id' in */
ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true),
	  ATH_BELONGS_TO(post, author, user, author_id));
#endif

#ifdef MANY_TO_MANY_BY_NO_KEY
/* gcc: 'struct post_label' has no member named 'tag_id' */
/* clang: no member named 'tag_id' in */
ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true),
	  ATH_MANY_TO_MANY(post, labels, label, post_label, post_id, tag_id));
#endif

#ifdef MANY_TO_MANY_THROUGH_NO_MODEL
/* gcc: 'post_tag_model' undeclared */
/* clang: use of undeclared identifier 'post_tag_model' */
struct post_tag {
	int64_t post_id, label_id;
};
ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true),
	  ATH_MANY_TO_MANY(post, labels, label, post_tag, post_id, label_id));
#endif

#ifdef DEFAULT_OF_ANOTHER_TYPE
/* gcc: makes integer from pointer without a cast */
/* clang: incompatible pointer to integer conversion */
ATH_MODEL(user, "users",
	  ATH_COLUMN(user, id, .primary_key = true),
	  ATH_COLUMN(user, age, .default_value = ATH_DEFAULT(user, age, "18")));
#endif

#ifdef DEFAULT_WITHOUT_ATH_DEFAULT
/* gcc: makes pointer from integer without a cast */
/* clang: incompatible integer to pointer conversion */
ATH_MODEL(user, "users",
	  ATH_COLUMN(user, id, .primary_key = true),
	  ATH_COLUMN(user, age, .default_value = 18));
#endif

#ifdef VALUES_OF_NUMBERS
/* gcc: makes pointer from integer without a cast */
/* clang: incompatible integer to pointer conversion */
ATH_MODEL(user, "users",
	  ATH_COLUMN(user, id, .primary_key = true),
	  ATH_COLUMN(user, mood, .values = ATH_VALUES("calm", 1)));
#endif

#ifdef INDEX_OF_A_MISSPELT_COLUMN
/* gcc: 'struct post' has no member named 'titel' */
/* clang: no member named 'titel' in */
ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true),
	  ATH_INDEX(post, ATH_COLUMNS(post, user_id, titel)));
#endif

#ifdef FOREIGN_KEY_TO_NO_MODEL
/* gcc: 'users_model' undeclared */
/* clang: use of undeclared identifier 'users_model' */
ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true),
	  ATH_FOREIGN_KEY(post, ATH_COLUMNS(post, user_id), users));
#endif

#ifdef HOOK_OF_OTHER_ARGUMENTS
/* gcc: from incompatible pointer type 'void (*)(struct post *)' */
/* clang: incompatible function pointer types initializing 'ath_hook *' */
void hook(struct post *post);
ATH_MODEL(post, "posts",
	  ATH_COLUMN(post, id, .primary_key = true),
	  ATH_HOOK(hook));
#endif

#ifdef MISSPELT_SECOND_KEY
/* gcc: 'struct grant' has no member named 'role' */
/* clang: no member named 'role' in */
struct grant {
	int64_t user_id, role_id;
};
ATH_DECLARE_KEY(grant, user_id, role);
#endif

#ifdef COUNT_OF_A_POINTER
/* gcc: an array, not a pointer */
/* clang: an array, not a pointer */
size_t count(const int64_t *ids);
size_t count(const int64_t *ids)
{
	return ATH_COUNT(ids);
}
#endif

/* ---- shapes -------------------------------------------------------------------------- */

#ifdef OBJECT_OF_A_MISSPELT_MEMBER
/* gcc: 'struct order' has no member named 'frist' */
/* clang: no member named 'frist' in */
ATH_MODEL_SHAPE(order,
	  ATH_COLUMN(order, customer),
	  ATH_OBJECT(order, frist, line));
#endif

#ifdef OBJECT_OF_ANOTHER_MODEL
/* gcc: '_Generic' selector of type 'struct user *' is not compatible */
/* clang: controlling expression type 'struct user *' not compatible with any generic */
ATH_MODEL_SHAPE(order,
	  ATH_COLUMN(order, customer),
	  ATH_OBJECT(order, seller, line));
#endif

#ifdef OBJECT_OF_A_LIST
/* gcc: '_Generic' selector of type 'struct line_list' is not compatible */
/* clang: controlling expression type 'struct line_list' not compatible with any generic */
ATH_MODEL_SHAPE(order,
	  ATH_COLUMN(order, customer),
	  ATH_OBJECT(order, lines, line));
#endif

#ifdef LIST_OF_AN_OBJECT
/* gcc: '0->first' is a pointer; did you mean to use '->'? */
/* clang: member reference type 'struct line *' is a pointer */
ATH_MODEL_SHAPE(order,
	  ATH_COLUMN(order, customer),
	  ATH_LIST_OF(order, first, line));
#endif

#ifdef LIST_OF_NO_MODEL
/* gcc: 'lines_model' undeclared */
/* clang: use of undeclared identifier 'lines_model' */
ATH_MODEL_SHAPE(order,
	  ATH_COLUMN(order, customer),
	  ATH_LIST_OF(order, lines, lines));
#endif

#ifdef COLUMN_OF_AN_OBJECT
/* gcc: '_Generic' selector of type 'struct line *' is not compatible */
/* clang: controlling expression type 'struct line *' not compatible with any generic */
ATH_MODEL_SHAPE(order,
	  ATH_COLUMN(order, customer),
	  ATH_COLUMN(order, first));
#endif

#ifdef UNKNOWN_OPTION_OF_A_LIST
/* gcc: 'const struct ath_member' has no member named 'most_items' */
/* clang: field designator 'most_items' does not refer to any field in type 'const struct ath_m */
ATH_MODEL_SHAPE(order,
	  ATH_COLUMN(order, customer),
	  ATH_LIST_OF(order, lines, line, .most_items = 7));
#endif

#ifdef TABLE_OF_A_SHAPE
/* gcc: incompatible types when initializing type 'enum ath_member_kind' using type 'char *' */
/* clang: incompatible pointer to integer conversion initializing 'enum ath_member_kind' with an */
ATH_MODEL_SHAPE(line, "lines",
	  ATH_COLUMN(line, product),
	  ATH_COLUMN(line, amount));
#endif

#ifdef SHAPE_ADDED
/* gcc: implicit declaration of function 'order_add' */
/* clang: implicit declaration of function 'order_add' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	order_add(s.db, NULL);
}
#endif

#ifdef SHAPE_OF_ANOTHER_KIND
/* gcc: initialization of 'struct line *' from incompatible pointer type 'struct order *' */
/* clang: incompatible pointer types initializing 'struct line *' with an expression of type 's */
void slip(struct slip s, struct ath_query *q)
{
	struct line *line = order_bind(s.req);

	(void)q;
	(void)line_json(s.req, 200, line);
}
#endif

/* ---- requests ------------------------------------------------------------------------ */

#ifdef WRONG_STRUCT_ANSWERED
/* gcc: passing argument 3 of 'user_json' from incompatible pointer type */
/* clang: incompatible pointer types passing 'struct post *' to parameter of type 'const struct */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)user_json(s.req, 200, s.post);
}
#endif

#ifdef WRONG_LIST_ANSWERED
/* gcc: incompatible type for argument 3 of 'user_list_json' */
/* clang: passing 'struct post_list' to parameter of incompatible type 'struct user_list' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)user_list_json(s.req, 200, s.posts);
}
#endif

#ifdef WRONG_STRUCT_PATCHED
/* gcc: passing argument 2 of 'user_patch' from incompatible pointer type */
/* clang: incompatible pointer types passing 'struct post *' to parameter of type 'struct user * */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	user_patch(s.req, s.post);
}
#endif

#ifdef WRONG_ARGUMENTS_OF_A_LOCATION
/* gcc: format '%s' expects argument of type 'char *', but argument 4 has type 'int64_t' */
/* clang: format specifies type 'char *' but the argument has type 'int64_t' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)user_created(s.req, s.user, "/users/%s", s.user->id);
}
#endif

#ifdef MISSING_ARGUMENT_OF_A_LOCATION
/* gcc: format '%d' expects a matching 'int' argument */
/* clang: more '%' conversions than data arguments */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)user_created(s.req, s.user, "/users/%d");
}
#endif

#ifdef WRONG_ARGUMENTS_OF_A_PROBLEM
/* gcc: format '%d' expects argument of type 'int', but argument 4 has type 'const char *' */
/* clang: format specifies type 'int' but the argument has type 'const char *' */
void slip(struct slip s, struct ath_query *q)
{
	(void)q;
	(void)ath_problem(s.req, 404, "no user %d", s.text);
}
#endif

#ifdef HANDLER_THAT_RETURNS_NOTHING
/* gcc: initialization of 'struct ath_response * (*)(struct ath_request *)' from incompatible */
/* clang: incompatible function pointer types initializing 'struct ath_response *(*)(struct ath_ */
void nothing(struct ath_request *req);
const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/users", nothing),
	{ 0 },
};
#endif

#ifdef HANDLER_OF_OTHER_ARGUMENTS
/* gcc: initialization of 'struct ath_response * (*)(struct ath_request *)' from incompatible */
/* clang: incompatible function pointer types initializing 'struct ath_response *(*)(struct ath_ */
struct ath_response *with_id(struct ath_request *req, int64_t id);
const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/users/<id:int>", with_id),
	{ 0 },
};
#endif

#ifdef UNKNOWN_METHOD
/* gcc: 'ATH_METHOD_FETCH' undeclared */
/* clang: use of undeclared identifier 'ATH_METHOD_FETCH' */
const struct ath_route routes[] = {
	ATH_ROUTE(FETCH, "/users", handler),
	{ 0 },
};
#endif

#ifdef UNKNOWN_OPTION_OF_A_ROUTE
/* gcc: 'const struct ath_route' has no member named 'timeout' */
/* clang: field designator 'timeout' does not refer to any field in type 'const struct ath_route */
const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/users", handler, .timeout = 2000),
	{ 0 },
};
#endif

#ifdef FORGOTTEN_COMMA_BETWEEN_ROUTES
/* gcc: expected '}' before '{' token */
/* clang: expected '}' */
const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/users", handler)
	ATH_ROUTE(POST, "/users", handler),
	{ 0 },
};
#endif

#ifdef ROUTE_WITHOUT_A_HANDLER
/* gcc: expected expression before ',' token */
/* clang: expected expression */
const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/users"),
	{ 0 },
};
#endif

#ifdef IGNORED_STATUS_OF_MAIN
/* gcc: ignoring return value of 'ath_main' declared with attribute */
/* clang: ignoring return value of function declared with 'warn_unused_result' attribute */
int main(int argc, char **argv)
{
	static const struct ath_app app = { .name = "users", .version = "1" };

	ath_main(&app, argc, argv);
	return 0;
}
#endif
