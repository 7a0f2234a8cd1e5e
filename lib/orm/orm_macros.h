/*
 * orm_macros.h - what of the ORM cannot be a function: a row of a model, an expression, and
 * the typed functions of a model.
 *
 * A macro here makes one row or one expression, never a list of statements. It takes the
 * struct's tag and the member's name, and every check it makes is the compiler's own:
 * offsetof, _Generic without a default, a prototype.
 */
#ifndef ATH_ORM_MACROS_H
#define ATH_ORM_MACROS_H

/* clang-format 14 does not know _Generic. */
/* clang-format off */

#define ATH_FUNCTION_ static inline __attribute__((unused))

/* How many arguments there are, 1 to 8; and f(T, each of them), with commas between. */
#define ATH_NARGS_(...) ATH_NINTH_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define ATH_NINTH_(a, b, c, d, e, f, g, h, n, ...) n
#define ATH_PASTE_(a, b)  ATH_PASTE_2_(a, b)
#define ATH_PASTE_2_(a, b) a##b
#define ATH_EACH_(f, T, ...) ATH_PASTE_(ATH_EACH_, ATH_NARGS_(__VA_ARGS__))(f, T, __VA_ARGS__)
#define ATH_EACH_1(f, T, a)      f(T, a)
#define ATH_EACH_2(f, T, a, ...) f(T, a), ATH_EACH_1(f, T, __VA_ARGS__)
#define ATH_EACH_3(f, T, a, ...) f(T, a), ATH_EACH_2(f, T, __VA_ARGS__)
#define ATH_EACH_4(f, T, a, ...) f(T, a), ATH_EACH_3(f, T, __VA_ARGS__)
#define ATH_EACH_5(f, T, a, ...) f(T, a), ATH_EACH_4(f, T, __VA_ARGS__)
#define ATH_EACH_6(f, T, a, ...) f(T, a), ATH_EACH_5(f, T, __VA_ARGS__)
#define ATH_EACH_7(f, T, a, ...) f(T, a), ATH_EACH_6(f, T, __VA_ARGS__)
#define ATH_EACH_8(f, T, a, ...) f(T, a), ATH_EACH_7(f, T, __VA_ARGS__)

/* ---- the functions of a model --------------------------------------------------------------- */

/* The list of a model's rows, for a struct that has one before the model's own is complete. */
#define ATH_LIST_(T)                                                                               \
	extern const struct ath_model T##_model;                                                   \
	struct T;                                                                                  \
	struct T##_list {                                                                          \
		struct T **items;                                                                  \
		size_t count;                                                                      \
	};

/*
 * Of every model, those over views and results too:
 *
 *	struct user_list user_all(db, &query)
 *	struct user *user_first(db, &query)     or NULL
 *	struct user *user_one(db, &query)       an error when there is none, or more than one
 *	struct ath_cursor *user_each(db, &query)  any number of rows, in constant memory
 *	struct user *user_next(rows)            the next of them, or NULL
 */
#define ATH_DECLARE_READING_(T)                                                                    \
	ATH_FUNCTION_ struct T##_list T##_all(struct ath_session *session,                         \
					      const struct ath_query *query)                       \
	{                                                                                          \
		struct T##_list list;                                                              \
		list.items = (struct T **)ath_session_all(session, &T##_model, query,              \
							  &list.count);                            \
		return list;                                                                       \
	}                                                                                          \
	ATH_FUNCTION_ struct T *T##_first(struct ath_session *session,                             \
					  const struct ath_query *query)                           \
	{                                                                                          \
		return (struct T *)ath_session_first(session, &T##_model, query);                  \
	}                                                                                          \
	ATH_FUNCTION_ struct T *T##_one(struct ath_session *session,                               \
					const struct ath_query *query)                             \
	{                                                                                          \
		return (struct T *)ath_session_one(session, &T##_model, query);                    \
	}                                                                                          \
	ATH_FUNCTION_ struct ath_cursor *T##_each(struct ath_session *session,                     \
						  const struct ath_query *query)                   \
	{                                                                                          \
		return ath_session_each(session, &T##_model, query);                               \
	}                                                                                          \
	ATH_FUNCTION_ struct T *T##_next(struct ath_cursor *cursor)                                \
	{                                                                                          \
		return (struct T *)ath_cursor_next(cursor, &T##_model);                            \
	}                                                                                          \
	ATH_FUNCTION_ struct T##_list T##_sql_(struct ath_session *session,                        \
					       struct ath_literal sql,                             \
					       const struct ath_bind *binds, size_t count)         \
	{                                                                                          \
		struct T##_list list;                                                              \
		list.items = (struct T **)ath_session_sql(session, &T##_model, sql, binds, count,  \
							  &list.count);                            \
		return list;                                                                       \
	}

/*
 * Of a table's model:
 *
 *	struct user *user_new(db)               in the session's memory; zero, or its default
 *	struct user_list user_list_new(db, n)   n times NULL, to fill in: a relation's list must
 *	                                        live as long as the session
 *	void user_add(db, user)                 to be inserted by the flush
 *	void user_delete(db, user)              to be deleted by the flush
 *	struct user *user_get(db, key, ...)     by primary key, or NULL; not from C++
 *	bool user_refresh(db, user)             read again; false: it is gone
 *	void user_expire(db, user)              user_get() will read it again
 *	void user_expunge(db, user)             the session forgets it
 *	struct user *user_merge(db, other)      the session's row with that key and other's
 *	                                        values; a new one when there is none
 *	struct user *user_upsert(db, user, ATH_ON(user, email))
 *	                                        inserts now, or updates the row that has the same
 *	                                        values in these columns; gives the session's row
 *	int64_t user_insert_all(db, users, n)   an array of structs, to be inserted by the flush in
 *	                                        one statement; it is borrowed until then, and what
 *	                                        the database makes is filled in. They are not known
 *	                                        to the session. Gives n, or 0 when they are refused
 */
#define ATH_DECLARE_WRITING_(T, ...)                                                               \
	ATH_FUNCTION_ struct T *T##_new(struct ath_session *session)                               \
	{                                                                                          \
		return (struct T *)ath_session_new(session, &T##_model);                           \
	}                                                                                          \
	ATH_FUNCTION_ struct T##_list T##_list_new(struct ath_session *session, size_t count)      \
	{                                                                                          \
		struct T##_list list;                                                              \
		list.items = (struct T **)ath_session_list(session, count, &list.count);           \
		return list;                                                                       \
	}                                                                                          \
	ATH_FUNCTION_ void T##_add(struct ath_session *session, struct T *object)                  \
	{                                                                                          \
		ath_session_add(session, &T##_model, object);                                      \
	}                                                                                          \
	ATH_FUNCTION_ void T##_delete(struct ath_session *session, struct T *object)               \
	{                                                                                          \
		ath_session_delete(session, &T##_model, object);                                   \
	}                                                                                          \
	ATH_FUNCTION_ void T##_expunge(struct ath_session *session, struct T *object)              \
	{                                                                                          \
		ath_session_expunge(session, &T##_model, object);                                  \
	}                                                                                          \
	ATH_FUNCTION_ void T##_expire(struct ath_session *session, struct T *object)               \
	{                                                                                          \
		ath_session_expire(session, &T##_model, object);                                   \
	}                                                                                          \
	ATH_FUNCTION_ bool T##_refresh(struct ath_session *session, struct T *object)              \
	{                                                                                          \
		return ath_session_refresh(session, &T##_model, object);                           \
	}                                                                                          \
	ATH_FUNCTION_ struct T *T##_merge(struct ath_session *session, const struct T *object)     \
	{                                                                                          \
		return (struct T *)ath_session_merge(session, &T##_model, object);                 \
	}                                                                                          \
	ATH_FUNCTION_ struct T *T##_upsert(struct ath_session *session, struct T *object,          \
					   struct ath_columns conflict)                            \
	{                                                                                          \
		return (struct T *)ath_session_upsert(session, &T##_model, object, conflict);      \
	}                                                                                          \
	ATH_FUNCTION_ int64_t T##_insert_all(struct ath_session *session, struct T *objects,       \
					     size_t count)                                         \
	{                                                                                          \
		return ath_session_insert_all(session, &T##_model, objects, count);                \
	}                                                                                          \
	ATH_DECLARE_GET_(T, __VA_ARGS__)

#define ATH_DECLARE_ORM_(T, ...)                                                                   \
	ATH_LIST_(T)                                                                               \
	ATH_DECLARE_READING_(T)                                                                    \
	ATH_DECLARE_WRITING_(T, __VA_ARGS__)

#ifdef __cplusplus
#define ATH_DECLARE_GET_(T, ...)
#else
#define ATH_DECLARE_GET_(T, ...)                                                                   \
	ATH_PASTE_(ATH_DECLARE_GET_, ATH_NARGS_(__VA_ARGS__))(T, __VA_ARGS__)
#define ATH_KEY_TYPE_(T, key) __typeof__(ATH_MEMBER_OF_(T, key))
#define ATH_KEY_VALUE_(T, key) ATH_VALUE_MAKER_(ATH_MEMBER_OF_(T, key))(key)
#define ATH_DECLARE_GET_1(T, a)                                                                    \
	ATH_FUNCTION_ struct T *T##_get(struct ath_session *session, ATH_KEY_TYPE_(T, a) a)        \
	ATH_GET_BODY_(T, a)
#define ATH_DECLARE_GET_2(T, a, b)                                                                 \
	ATH_FUNCTION_ struct T *T##_get(struct ath_session *session, ATH_KEY_TYPE_(T, a) a,        \
					ATH_KEY_TYPE_(T, b) b)                                     \
	ATH_GET_BODY_(T, a, b)
#define ATH_DECLARE_GET_3(T, a, b, c)                                                              \
	ATH_FUNCTION_ struct T *T##_get(struct ath_session *session, ATH_KEY_TYPE_(T, a) a,        \
					ATH_KEY_TYPE_(T, b) b, ATH_KEY_TYPE_(T, c) c)              \
	ATH_GET_BODY_(T, a, b, c)
#define ATH_GET_BODY_(T, ...)                                                                      \
	{                                                                                          \
		const struct ath_value keys_[] = { ATH_EACH_(ATH_KEY_VALUE_, T, __VA_ARGS__) };    \
		return (struct T *)ath_session_get(session, &T##_model, keys_,                     \
						   sizeof keys_ / sizeof keys_[0]);                \
	}
#endif

#ifndef __cplusplus /* what follows needs C11's _Generic; C++ gets all of the above */

/* ---- types -------------------------------------------------------------------------------- */

/* A member as an operand that is never evaluated. */
#define ATH_MEMBER_OF_(T, member) (((struct T *)0)->member)

/* What stands for each type of member; those of a text are pick's own business. */
#define ATH_PICK_SCALAR_(pick)                                                                     \
	bool: pick(BOOL, bool),                                                                    \
	int16_t: pick(INT16, int16),                                                               \
	int32_t: pick(INT32, int32),                                                               \
	int64_t: pick(INT64, int64),                                                               \
	double: pick(DOUBLE, double),                                                              \
	unsigned: pick(ENUM, enum),                                                                \
	char *: pick(TEXT, text),                                                                  \
	const char *: pick(TEXT, text),                                                            \
	struct ath_timestamp: pick(TIMESTAMP, timestamp),                                          \
	struct ath_date: pick(DATE, date),                                                         \
	struct ath_decimal: pick(DECIMAL, decimal),                                                \
	struct ath_uuid: pick(UUID, uuid),                                                         \
	struct ath_null_bool: pick(BOOL, bool),                                                    \
	struct ath_null_int16: pick(INT16, int16),                                                 \
	struct ath_null_int32: pick(INT32, int32),                                                 \
	struct ath_null_int64: pick(INT64, int64),                                                 \
	struct ath_null_double: pick(DOUBLE, double),                                              \
	struct ath_null_enum: pick(ENUM, enum),                                                    \
	struct ath_null_timestamp: pick(TIMESTAMP, timestamp),                                     \
	struct ath_null_date: pick(DATE, date),                                                    \
	struct ath_null_decimal: pick(DECIMAL, decimal),                                           \
	struct ath_null_uuid: pick(UUID, uuid)
#define ATH_PICK_POINTER_(pick)                                                                    \
	struct ath_json: pick(JSON, json),                                                         \
	struct ath_bytes: pick(BYTES, bytes),                                                      \
	struct ath_text_array: pick(TEXT_ARRAY, text_array),                                       \
	struct ath_int64_array: pick(INT64_ARRAY, int64_array),                                    \
	struct ath_uuid_array: pick(UUID_ARRAY, uuid_array)

#define ATH_TYPE_PICK_(type, name)  ATH_TYPE_##type
#define ATH_VALUE_PICK_(type, name) ath_value_##name
#define ATH_ARRAY_PICK_(type, name) ath_array_##name

#define ATH_TYPE_OF_(operand)                                                                      \
	_Generic((operand), ATH_PICK_SCALAR_(ATH_TYPE_PICK_), ATH_PICK_POINTER_(ATH_TYPE_PICK_))
/* The member's type picks the maker; its prototype checks the value. */
#define ATH_VALUE_MAKER_(operand)                                                                  \
	_Generic((operand), ATH_PICK_SCALAR_(ATH_VALUE_PICK_), ATH_PICK_POINTER_(ATH_VALUE_PICK_))
#define ATH_ARRAY_MAKER_(operand) _Generic((operand), ATH_PICK_SCALAR_(ATH_ARRAY_PICK_))

#define ATH_IS_NULLABLE_(operand)                                                                  \
	_Generic((operand),                                                                        \
		struct ath_null_bool: true,                                                        \
		struct ath_null_int16: true,                                                       \
		struct ath_null_int32: true,                                                       \
		struct ath_null_int64: true,                                                       \
		struct ath_null_double: true,                                                      \
		struct ath_null_enum: true,                                                        \
		struct ath_null_timestamp: true,                                                   \
		struct ath_null_date: true,                                                        \
		struct ath_null_decimal: true,                                                     \
		struct ath_null_uuid: true,                                                        \
		default: false)

/* ---- models ------------------------------------------------------------------------------- */

#define ATH_MODEL_OF_(T, kind_, table_, ...)                                                       \
	static const struct ath_member T##_members_[] = { __VA_ARGS__ };                           \
	const struct ath_model T##_model = {                                                       \
		.kind = kind_,                                                                     \
		.name = #T,                                                                        \
		.table = table_,                                                                   \
		.size = sizeof(struct T),                                                          \
		.members = T##_members_,                                                           \
		.member_count = ATH_COUNT(T##_members_),                                           \
	}

/** The table of a model: ATH_MODEL(user, "users", ATH_COLUMN(...), ..., ATH_HAS_MANY(...)); */
#define ATH_MODEL(T, table_, ...) ATH_MODEL_OF_(T, ATH_TABLE, table_, __VA_ARGS__)
/** A model over a view, or over a table that is not to be written. */
#define ATH_MODEL_VIEW(T, view_, ...) ATH_MODEL_OF_(T, ATH_VIEW, view_, __VA_ARGS__)
/** A model of what a query selects, or literal SQL: no table, only columns in their order. */
#define ATH_MODEL_RESULT(T, ...) ATH_MODEL_OF_(T, ATH_RESULT, NULL, __VA_ARGS__)
/**
 * What a body, query arguments, headers or an answer look like: columns, ATH_OBJECT, ATH_LIST_OF.
 * Options that speak of a table are refused.
 */
#define ATH_MODEL_SHAPE(T, ...) ATH_MODEL_OF_(T, ATH_SHAPE, NULL, __VA_ARGS__)

/** ATH_COLUMN(user, email, .unique = true): the options are those of struct ath_member. */
#define ATH_COLUMN(...) ATH_COLUMN_(__VA_ARGS__, )
#define ATH_COLUMN_(T, member, ...)                                                                \
	{                                                                                          \
		.kind = ATH_MEMBER_COLUMN, .name = #member, .offset = offsetof(struct T, member),  \
		.size = sizeof(ATH_MEMBER_OF_(T, member)),                                         \
		.type = ATH_TYPE_OF_(ATH_MEMBER_OF_(T, member)),                                   \
		.nullable_struct = ATH_IS_NULLABLE_(ATH_MEMBER_OF_(T, member)), __VA_ARGS__        \
	}
/** A .default_value: what an initialiser of the member could be. */
#define ATH_DEFAULT(T, member, ...)                                                                \
	&(const __typeof__(ATH_MEMBER_OF_(T, member))){ __VA_ARGS__ }
/** The .values of an enum, in the order of its constants from 0 on. */
#define ATH_VALUES(...)                                                                            \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

#define ATH_RELATION_(T, member, kind_)                                                            \
	.kind = kind_, .name = #member, .offset = offsetof(struct T, member),                      \
	.size = sizeof(ATH_MEMBER_OF_(T, member))
#define ATH_LIST_TARGET_(T, member, Target)                                                        \
	_Generic(ATH_MEMBER_OF_(T, member).items, struct Target **: &Target##_model)
#define ATH_POINTER_TARGET_(T, member, Target)                                                     \
	_Generic(ATH_MEMBER_OF_(T, member), struct Target *: &Target##_model)

/**
 * A list of the rows whose key points at this one: ATH_HAS_MANY(user, posts, post, user_id)
 * for a member "struct post_list posts", which ath_load() fills, or the caller for the flush.
 */
#define ATH_HAS_MANY(T, member, Target, key)                                                       \
	{                                                                                          \
		ATH_RELATION_(T, member, ATH_MEMBER_HAS_MANY),                                     \
		.target = ATH_LIST_TARGET_(T, member, Target),                                     \
		.key_offset = offsetof(struct Target, key)                                         \
	}
/** The one such row: ATH_HAS_ONE(user, profile, profile, user_id), "struct profile *profile". */
#define ATH_HAS_ONE(T, member, Target, key)                                                        \
	{                                                                                          \
		ATH_RELATION_(T, member, ATH_MEMBER_HAS_ONE),                                      \
		.target = ATH_POINTER_TARGET_(T, member, Target),                                  \
		.key_offset = offsetof(struct Target, key)                                         \
	}
/** The row this one's key points at: ATH_BELONGS_TO(post, author, user, user_id). */
#define ATH_BELONGS_TO(T, member, Target, key)                                                     \
	{                                                                                          \
		ATH_RELATION_(T, member, ATH_MEMBER_BELONGS_TO),                                   \
		.target = ATH_POINTER_TARGET_(T, member, Target),                                  \
		.key_offset = offsetof(struct T, key)                                              \
	}
/**
 * A list by way of a model between, which has a key to either side:
 * ATH_MANY_TO_MANY(post, tags, tag, post_tag, post_id, tag_id).
 */
#define ATH_MANY_TO_MANY(T, member, Target, Through, near, far)                                    \
	{                                                                                          \
		ATH_RELATION_(T, member, ATH_MEMBER_MANY_TO_MANY),                                 \
		.target = ATH_LIST_TARGET_(T, member, Target), .through = &Through##_model,        \
		.near_offset = offsetof(struct Through, near),                                     \
		.far_offset = offsetof(struct Through, far)                                        \
	}

/**
 * Of a shape: an object of another model, as ATH_OBJECT(order, address, address) for a member
 * "struct address *address". With .nullable = true it may be left out, or null.
 */
#define ATH_OBJECT(...) ATH_OBJECT_(__VA_ARGS__, )
#define ATH_OBJECT_(T, member, Target, ...)                                                        \
	{                                                                                          \
		ATH_RELATION_(T, member, ATH_MEMBER_OBJECT),                                       \
		.target = ATH_POINTER_TARGET_(T, member, Target), __VA_ARGS__                      \
	}
/** A list of them: ATH_LIST_OF(order, lines, line, .max_items = 100), "struct line_list lines". */
#define ATH_LIST_OF(...) ATH_LIST_OF_(__VA_ARGS__, )
#define ATH_LIST_OF_(T, member, Target, ...)                                                       \
	{                                                                                          \
		ATH_RELATION_(T, member, ATH_MEMBER_LIST),                                         \
		.target = ATH_LIST_TARGET_(T, member, Target), __VA_ARGS__                         \
	}
/** Of a shape: members, query arguments and headers that it does not have are passed over. */
#define ATH_IGNORE_UNKNOWN                                                                         \
	{                                                                                          \
		.kind = ATH_MEMBER_IGNORE_UNKNOWN                                                  \
	}

#define ATH_OFFSET_(T, member) offsetof(struct T, member)
/** One to eight columns of a model, for the rows below. */
#define ATH_COLUMNS(T, ...)                                                                        \
	{                                                                                          \
		(const size_t[]){ ATH_EACH_(ATH_OFFSET_, T, __VA_ARGS__) },                        \
			ATH_NARGS_(__VA_ARGS__)                                                    \
	}
/** The columns that an upsert may collide in. */
#define ATH_ON(T, ...) ((struct ath_columns)ATH_COLUMNS(T, __VA_ARGS__))

/** ATH_INDEX(post, ATH_COLUMNS(post, user_id, title), .where = "title <> ''") */
#define ATH_INDEX(T, columns_, ...)                                                                \
	{                                                                                          \
		.kind = ATH_MEMBER_INDEX, .columns = columns_, __VA_ARGS__                         \
	}
/** An index of SQL expressions, under a name: ATH_INDEX_ON(user, lower_email, "lower(email)") */
#define ATH_INDEX_ON(T, name_, expression_, ...)                                                   \
	{                                                                                          \
		.kind = ATH_MEMBER_INDEX, .name = #name_, .expression = expression_, __VA_ARGS__   \
	}
/** Columns that together are unique; with .where an index does it. */
#define ATH_UNIQUE(T, columns_, ...)                                                               \
	{                                                                                          \
		.kind = ATH_MEMBER_UNIQUE, .columns = columns_, __VA_ARGS__                        \
	}
/** ATH_CHECK(event, order, "ends_at > starts_at") becomes ck_events_order. */
#define ATH_CHECK(T, name_, expression_)                                                           \
	{                                                                                          \
		.kind = ATH_MEMBER_CHECK, .name = #name_, .expression = expression_                \
	}
/** Several columns that are another model's primary key, in its order. */
#define ATH_FOREIGN_KEY(T, columns_, Target, ...)                                                  \
	{                                                                                          \
		.kind = ATH_MEMBER_FOREIGN_KEY, .columns = columns_,                               \
		.references = &Target##_model, __VA_ARGS__                                         \
	}
/** The table's comment. */
#define ATH_COMMENT(text)                                                                          \
	{                                                                                          \
		.kind = ATH_MEMBER_COMMENT, .comment = text                                        \
	}
/** A function to be called around each INSERT, UPDATE and DELETE of the model's rows. */
#define ATH_HOOK(function, ...)                                                                    \
	{                                                                                          \
		.kind = ATH_MEMBER_HOOK, .hook = function, __VA_ARGS__                             \
	}

/* ---- expressions -------------------------------------------------------------------------- */

#define ATH_COMPARE_(T, member, op_, value_)                                                       \
	((struct ath_expression){ .op = op_,                                                       \
				  .model = &T##_model,                                             \
				  .offset = offsetof(struct T, member),                            \
				  .value = value_ })
#define ATH_WITH_VALUE_(T, member, op_, v)                                                         \
	ATH_COMPARE_(T, member, op_, ATH_VALUE_MAKER_(ATH_MEMBER_OF_(T, member))(v))
/* Text only: another member has nothing to pick. */
#define ATH_WITH_PATTERN_(T, member, op_, v)                                                       \
	ATH_COMPARE_(T, member, op_,                                                               \
		     _Generic(ATH_MEMBER_OF_(T, member),                                           \
			     char *: ath_value_text,                                               \
			     const char *: ath_value_text)(v))

/** Equal; a pointer that is NULL means IS NULL. */
#define ATH_EQ(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_EQ, v)
#define ATH_NE(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_NE, v)
#define ATH_LT(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_LT, v)
#define ATH_LE(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_LE, v)
#define ATH_GT(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_GT, v)
#define ATH_GE(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_GE, v)
/** From a to b, both of them too. */
#define ATH_BETWEEN(T, member, a, b)                                                               \
	ATH_AND(ATH_GE(T, member, a), ATH_LE(T, member, b))
/** Another value, where NULL is a value like any other. */
#define ATH_DISTINCT_FROM(T, member, v)                                                            \
	ATH_EXPR(ATH_COL(T, member), DISTINCT_FROM,                                                \
		 ATH_VALUE_(ATH_VALUE_MAKER_(ATH_MEMBER_OF_(T, member))(v)))
/** SQL's LIKE: % is any text, _ any character. */
#define ATH_LIKE(T, member, pattern) ATH_WITH_PATTERN_(T, member, ATH_OP_LIKE, pattern)
/** LIKE, blind to case. */
#define ATH_ILIKE(T, member, pattern) ATH_WITH_PATTERN_(T, member, ATH_OP_ILIKE, pattern)
/** A POSIX regular expression, and one that is blind to case. */
#define ATH_MATCHES(T, member, pattern) ATH_WITH_PATTERN_(T, member, ATH_OP_MATCHES, pattern)
#define ATH_IMATCHES(T, member, pattern) ATH_WITH_PATTERN_(T, member, ATH_OP_IMATCHES, pattern)
/** One of count items, borrowed until the query has run; none of no items. */
#define ATH_IN(T, member, items, count)                                                            \
	ATH_COMPARE_(T, member, ATH_OP_IN,                                                         \
		     ATH_ARRAY_MAKER_(ATH_MEMBER_OF_(T, member))(items, count))
/** One of the values that a query selects: see ath_select(). */
#define ATH_IN_QUERY(T, member, query_)                                                            \
	((struct ath_expression){ .op = ATH_OP_IN_QUERY,                                           \
				  .model = &T##_model,                                             \
				  .offset = offsetof(struct T, member),                            \
				  .on.as.query = query_ })
/** The query has rows; its conditions may name columns of the one around it by ATH_OUTER. */
#define ATH_EXISTS(query_)                                                                         \
	((struct ath_expression){ .op = ATH_OP_EXISTS, .on.as.query = query_ })
#define ATH_IS_NULL(T, member)                                                                     \
	ATH_COMPARE_(T, member, ATH_OP_IS_NULL, ((struct ath_value){ .null = true }))

/* Array and JSON members only. */
#define ATH_WITH_CONTAINER_(T, member, op_, v)                                                     \
	ATH_COMPARE_(T, member, op_,                                                               \
		     _Generic(ATH_MEMBER_OF_(T, member),                                           \
			     struct ath_json: ath_value_json,                                      \
			     struct ath_text_array: ath_value_text_array,                          \
			     struct ath_int64_array: ath_value_int64_array,                        \
			     struct ath_uuid_array: ath_value_uuid_array)(v))
/** All of the elements, or of the JSON document, are in the member. */
#define ATH_CONTAINS(T, member, v) ATH_WITH_CONTAINER_(T, member, ATH_OP_CONTAINS, v)
#define ATH_CONTAINED_IN(T, member, v) ATH_WITH_CONTAINER_(T, member, ATH_OP_CONTAINED_IN, v)
/** An array and the member have an element in common. */
#define ATH_OVERLAPS(T, member, v) ATH_WITH_CONTAINER_(T, member, ATH_OP_OVERLAPS, v)
/** A value is an element of an array member. */
#define ATH_HAS(T, member, v)                                                                      \
	ATH_COMPARE_(T, member, ATH_OP_ANY,                                                        \
		     _Generic(ATH_MEMBER_OF_(T, member),                                           \
			     struct ath_text_array: ath_value_text,                                \
			     struct ath_int64_array: ath_value_int64,                              \
			     struct ath_uuid_array: ath_value_uuid)(v))
/** An SQL/JSON path, such as "$.tags[*] ? (@ == \"new\")", finds something in a jsonb member. */
#define ATH_JSON_PATH(T, member, path)                                                             \
	ATH_COMPARE_(T, member, ATH_OP_JSON_PATH,                                                  \
		     _Generic(ATH_MEMBER_OF_(T, member), struct ath_json: ath_value_text)(path))
/**
 * Full text: a search as people write it ("red -car") finds the text, by the rules of a language:
 * ATH_SEARCH(post, title, english, words). It uses an index on to_tsvector('english', title).
 */
#define ATH_SEARCH(T, member, language, words)                                                     \
	ATH_EXPR(ATH_FUNC(to_tsvector, ATH_WORD_(#language), ATH_COL(T, member)), SEARCH,          \
		 ATH_FUNC(websearch_to_tsquery, ATH_WORD_(#language),                              \
			  ATH_CAST(ATH_VAL(words), text)))
#define ATH_WORD_(text)                                                                            \
	((struct ath_expression){ .op = ATH_OP_WORD, .on.as.function = text })

/** Every row: what an UPDATE or DELETE without another condition has to say. */
#define ATH_ALL ((struct ath_expression){ .op = ATH_OP_ALL })

/* ATH_COUNT does not fit: in the struct inside it clang takes a compound literal for static. */
#define ATH_KIDS_(...)                                                                             \
	.on.kids = (const struct ath_expression[]){ __VA_ARGS__ },                                 \
	.kid_count = sizeof((const struct ath_expression[]){ __VA_ARGS__ }) /                      \
		     sizeof(struct ath_expression)
#define ATH_GROUP_(op_, ...) ((struct ath_expression){ .op = op_, ATH_KIDS_(__VA_ARGS__) })
#define ATH_AND(...) ATH_GROUP_(ATH_OP_AND, __VA_ARGS__)
#define ATH_OR(...) ATH_GROUP_(ATH_OP_OR, __VA_ARGS__)
#define ATH_NOT(condition) ATH_GROUP_(ATH_OP_NOT, condition)

/** A column as a part of an expression. */
#define ATH_COL(T, member)                                                                         \
	((struct ath_expression){ .op = ATH_OP_COLUMN,                                             \
				  .model = _Generic(ATH_TYPE_OF_(ATH_MEMBER_OF_(T, member)),       \
					  default: &T##_model),                                    \
				  .offset = offsetof(struct T, member) })
/** The same of the query around a subquery. */
#define ATH_OUTER(T, member)                                                                       \
	((struct ath_expression){ .op = ATH_OP_OUTER,                                              \
				  .model = &T##_model,                                             \
				  .offset = offsetof(struct T, member) })
#define ATH_VALUE_(v) ((struct ath_expression){ .op = ATH_OP_VALUE, .value = v })
/**
 * A value as a part of an expression: its own type says which. An enum's constant is an int to C:
 * ATH_VAL_OF(post, state, DRAFT) makes it what the member is.
 */
#define ATH_VAL(v) ATH_VALUE_(ATH_VALUE_MAKER_((v))(v))
#define ATH_VAL_OF(T, member, v) ATH_VALUE_(ATH_VALUE_MAKER_(ATH_MEMBER_OF_(T, member))(v))
/** Left and right with an operator of ATH_BINARY_MAP between: ATH_EXPR(a, LT, b), (a, ADD, b). */
#define ATH_EXPR(left, op_, right) ATH_GROUP_(ATH_OP_##op_, left, right)
/** A function of the database: ATH_FUNC(lower, ATH_COL(user, name)), ATH_FUNC(sum, ...). */
#define ATH_FUNC(name, ...)                                                                        \
	((struct ath_expression){ .op = ATH_OP_FUNCTION, .on.as.function = #name,                  \
				  .on.kids = ATH_LEAD_(ath_expression, .op = 0, __VA_ARGS__) + 1,  \
				  .kid_count = ATH_LED_(ath_expression, .op = 0, __VA_ARGS__) })
/* A list that may be empty, behind one that means nothing; and how many follow that. */
#define ATH_LEAD_(type, nothing, ...) (const struct type[]){ { nothing }, __VA_ARGS__ }
#define ATH_LED_(type, nothing, ...)                                                               \
	(sizeof(ATH_LEAD_(type, nothing, __VA_ARGS__)) / sizeof(struct type) - 1)
/** count(*) */
#define ATH_COUNT_ROWS ATH_FUNC(count, ((struct ath_expression){ .op = ATH_OP_EACH_ROW }))
/** In a function such as count: of values that are equal only one. */
#define ATH_DISTINCT(expression) ATH_GROUP_(ATH_OP_DISTINCT, expression)
/** As another type of the database: ATH_CAST(ATH_COL(user, age), text). */
#define ATH_CAST(expression, type_)                                                                \
	((struct ath_expression){ .op = ATH_OP_CAST, .on.as.type = #type_, ATH_KIDS_(expression) })
/** What is inside speaks of the rows of a join: see ath_join(). */
#define ATH_OF(join_, expression_)                                                                 \
	((struct ath_expression){ .op = ATH_OP_OF, .on.as.join = join_, ATH_KIDS_(expression_) })

#define ATH_ASC_OF(expression_) ((struct ath_order){ .expression = expression_ })
#define ATH_DESC_OF(expression_)                                                                   \
	((struct ath_order){ .expression = expression_, .descending = true })
#define ATH_ASC(T, member) ATH_ASC_OF(ATH_COL(T, member))
#define ATH_DESC(T, member) ATH_DESC_OF(ATH_COL(T, member))

/** A column's new value in ath_update(); NULL for a pointer that may be NULL. */
#define ATH_SET(T, member, v)                                                                      \
	ATH_SET_TO(T, member, ATH_VALUE_(ATH_VALUE_MAKER_(ATH_MEMBER_OF_(T, member))(v)))
#define ATH_SET_NULL(T, member)                                                                    \
	ATH_SET_TO(T, member, ATH_VALUE_(((struct ath_value){ .null = true })))
/** The same by an expression: ATH_SET_TO(post, likes, ATH_EXPR(ATH_COL(post, likes), ADD, ...)) */
#define ATH_SET_TO(T, member, expression_)                                                         \
	((struct ath_assignment){ .model = &T##_model,                                             \
				  .offset = offsetof(struct T, member),                            \
				  .expression = expression_ })

/**
 * Sets columns of all rows that a query finds, under the rules of ath_delete_where():
 * ath_update(db, &q, ATH_SET(user, name, "Ada"), ATH_SET_NULL(user, age)).
 */
#define ath_update(session, query, ...)                                                            \
	ath_session_update(session, query, (const struct ath_assignment[]){ __VA_ARGS__ },         \
			   sizeof((const struct ath_assignment[]){ __VA_ARGS__ }) /                \
				   sizeof(struct ath_assignment))

/** An empty query for a model: struct ath_query q = ath_query(user); */
#define ath_query(T) ath_query_of(&T##_model)

/* Where a relation's pointers are. A member of a column's type picks a type without a size. */
struct ath_a_column_is_no_relation;
#define ATH_NO_RELATION_(type, name) (struct ath_a_column_is_no_relation *)NULL
#define ATH_RELATION_OFFSET_(T, relation)                                                          \
	(offsetof(struct T, relation) +                                                            \
	 0 * sizeof(*_Generic(ATH_MEMBER_OF_(T, relation), ATH_PICK_SCALAR_(ATH_NO_RELATION_),     \
		ATH_PICK_POINTER_(ATH_NO_RELATION_), default: "")))

/**
 * Joins the rows that a relation leads to: ath_join(&q, post, author). What it gives is the
 * number by which ATH_OF tells the rows of two joins to one model apart. With a left join rows
 * stay that lead to none.
 */
#define ath_join(query, T, relation) ath_join_from(query, 0, T, relation)
#define ath_left_join(query, T, relation)                                                          \
	ath_query_join(query, &T##_model, ATH_RELATION_OFFSET_(T, relation), 0, true)
/** From the rows of another join of the query. */
#define ath_join_from(query, join, T, relation)                                                    \
	ath_query_join(query, &T##_model, ATH_RELATION_OFFSET_(T, relation), join, false)

/**
 * Fills a relation of all rows of a list with one SELECT: ath_load(db, user, list, posts).
 * For a single row: ath_load(db, user, ((struct user_list){ &user, 1 }), posts).
 */
#define ath_load(session, T, list, relation) ath_load_with(session, T, list, ATH_WITH(T, relation))
/**
 * Several relations, and relations of their rows, one SELECT for each:
 * ath_load_with(db, user, list, ATH_WITH(user, posts, ATH_WITH(post, tags)),
 *               ATH_WITH(user, groups))
 */
#define ath_load_with(session, T, list, ...)                                                       \
	ath_session_load(session, &T##_model, (void *const *)(struct T *const *){ (list).items },  \
			 (list).count, (const struct ath_with[]){ __VA_ARGS__ },                   \
			 sizeof((const struct ath_with[]){ __VA_ARGS__ }) /                        \
				 sizeof(struct ath_with))
#define ATH_WITH(T, relation, ...)                                                                 \
	((struct ath_with){ .model = &T##_model, .offset = ATH_RELATION_OFFSET_(T, relation),      \
			    .kids = ATH_LEAD_(ath_with, .model = 0, __VA_ARGS__) + 1,              \
			    .kid_count = ATH_LED_(ath_with, .model = 0, __VA_ARGS__) })

/**
 * One value over the rows of a query: struct ath_null_int64 sum;
 * ath_scalar(db, &q, ATH_FUNC(sum, ATH_COL(post, likes)), &sum). False: an error, or NULL where
 * the target has none.
 */
#define ath_scalar(session, query, expression_, value)                                             \
	ath_session_scalar(session, query, expression_, ATH_TYPE_OF_(*(value)),                    \
			   ATH_IS_NULLABLE_(*(value)), value)

#define ATH_BIND(name_, v) ((struct ath_bind){ name_, ATH_VALUE_MAKER_((v))(v) })
#define ATH_BINDS_(...)                                                                            \
	ATH_LEAD_(ath_bind, .name = 0, __VA_ARGS__) + 1,                                           \
		ATH_LED_(ath_bind, .name = 0, __VA_ARGS__)
/**
 * Rows of SQL that stands in the source, typed by a model whose columns it gives, in their order
 * and by their names: ath_sql(db, row, "select ... where id = :id", ATH_BIND("id", id)).
 * Outside a transaction it may only read. A colon in quotes ('', E'', "", $$), in a comment or of
 * a cast is no bind; an enum is bound as its text.
 */
#define ath_sql(session, T, text_, ...)                                                            \
	T##_sql_(session, ((struct ath_literal){ "" text_ }), ATH_BINDS_(__VA_ARGS__))
/** A statement of that kind in the session's transaction; gives the number of rows it touched. */
#define ath_execute(session, text_, ...)                                                           \
	ath_session_execute(session, ((struct ath_literal){ "" text_ }), ATH_BINDS_(__VA_ARGS__))

#endif /* __cplusplus */
/* clang-format on */

#endif
