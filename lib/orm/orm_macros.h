/*
 * orm_macros.h - what of the ORM cannot be a function: a row of a model, a condition, and
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

/*
 * The functions of a model:
 *
 *	struct user *user_new(db)               zeroed, in the session's memory; not yet added
 *	void user_add(db, user)                 to be inserted by the flush
 *	void user_delete(db, user)              to be deleted by the flush
 *	struct user *user_get(db, key)          by primary key, or NULL; not from C++
 *	struct user_list user_all(db, &query)
 *	struct user *user_first(db, &query)     or NULL
 *	struct user *user_one(db, &query)       an error when there is none, or more than one
 */
#define ATH_DECLARE_ORM_(T, key)                                                                   \
	extern const struct ath_model T##_model;                                                   \
	struct T##_list {                                                                          \
		struct T **items;                                                                  \
		size_t count;                                                                      \
	};                                                                                         \
	ATH_FUNCTION_ struct T *T##_new(struct ath_session *session)                               \
	{                                                                                          \
		return (struct T *)ath_session_new(session, &T##_model);                           \
	}                                                                                          \
	ATH_FUNCTION_ void T##_add(struct ath_session *session, struct T *object)                  \
	{                                                                                          \
		ath_session_add(session, &T##_model, object);                                      \
	}                                                                                          \
	ATH_FUNCTION_ void T##_delete(struct ath_session *session, struct T *object)               \
	{                                                                                          \
		ath_session_delete(session, &T##_model, object);                                   \
	}                                                                                          \
	ATH_DECLARE_GET_(T, key)                                                                   \
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
	}

#ifdef __cplusplus
#define ATH_DECLARE_GET_(T, key)
#else
#define ATH_DECLARE_GET_(T, key)                                                                   \
	ATH_FUNCTION_ struct T *T##_get(struct ath_session *session,                               \
					__typeof__(ATH_MEMBER_OF_(T, key)) value)                  \
	{                                                                                          \
		return (struct T *)ath_session_get(                                                \
			session, &T##_model, ATH_MAKER_(ATH_MEMBER_OF_(T, key), value)(value));    \
	}
#endif

#ifndef __cplusplus /* what follows needs C11's _Generic; C++ gets all of the above */

/* A member as an operand that is never evaluated. */
#define ATH_MEMBER_OF_(T, member) (((struct T *)0)->member)

#define ATH_TYPE_OF_(operand)                                                                      \
	_Generic((operand),                                                                        \
		bool: ATH_TYPE_BOOL,                                                               \
		int16_t: ATH_TYPE_INT16,                                                           \
		int32_t: ATH_TYPE_INT32,                                                           \
		int64_t: ATH_TYPE_INT64,                                                           \
		double: ATH_TYPE_DOUBLE,                                                           \
		char *: ATH_TYPE_TEXT,                                                             \
		const char *: ATH_TYPE_TEXT,                                                       \
		struct ath_timestamp: ATH_TYPE_TIMESTAMP,                                          \
		struct ath_uuid: ATH_TYPE_UUID,                                                    \
		struct ath_null_bool: ATH_TYPE_BOOL,                                               \
		struct ath_null_int16: ATH_TYPE_INT16,                                             \
		struct ath_null_int32: ATH_TYPE_INT32,                                             \
		struct ath_null_int64: ATH_TYPE_INT64,                                             \
		struct ath_null_double: ATH_TYPE_DOUBLE,                                           \
		struct ath_null_timestamp: ATH_TYPE_TIMESTAMP,                                     \
		struct ath_null_uuid: ATH_TYPE_UUID)

#define ATH_IS_NULLABLE_(operand)                                                                  \
	_Generic((operand),                                                                        \
		struct ath_null_bool: true,                                                        \
		struct ath_null_int16: true,                                                       \
		struct ath_null_int32: true,                                                       \
		struct ath_null_int64: true,                                                       \
		struct ath_null_double: true,                                                      \
		struct ath_null_timestamp: true,                                                   \
		struct ath_null_uuid: true,                                                        \
		default: false)

/* The member's type picks the maker (kind: value or array); its prototype checks v. */
#define ATH_MAKER_(operand, kind)                                                                  \
	_Generic((operand),                                                                        \
		bool: ath_##kind##_bool,                                                           \
		int16_t: ath_##kind##_int16,                                                       \
		int32_t: ath_##kind##_int32,                                                       \
		int64_t: ath_##kind##_int64,                                                       \
		double: ath_##kind##_double,                                                       \
		char *: ath_##kind##_text,                                                         \
		const char *: ath_##kind##_text,                                                   \
		struct ath_timestamp: ath_##kind##_timestamp,                                      \
		struct ath_uuid: ath_##kind##_uuid,                                                \
		struct ath_null_bool: ath_##kind##_bool,                                           \
		struct ath_null_int16: ath_##kind##_int16,                                         \
		struct ath_null_int32: ath_##kind##_int32,                                         \
		struct ath_null_int64: ath_##kind##_int64,                                         \
		struct ath_null_double: ath_##kind##_double,                                       \
		struct ath_null_timestamp: ath_##kind##_timestamp,                                 \
		struct ath_null_uuid: ath_##kind##_uuid)

/* ---- models ------------------------------------------------------------------------------- */

/** The table of a model: ATH_MODEL(user, "users", ATH_COLUMN(...), ..., ATH_HAS_MANY(...)); */
#define ATH_MODEL(T, table_, ...)                                                                  \
	static const struct ath_member T##_members_[] = { __VA_ARGS__ };                           \
	const struct ath_model T##_model = {                                                       \
		.name = #T,                                                                        \
		.table = table_,                                                                   \
		.size = sizeof(struct T),                                                          \
		.members = T##_members_,                                                           \
		.member_count = ATH_COUNT(T##_members_),                                           \
	}

/** ATH_COLUMN(user, email, .unique = true): the options are those of struct ath_member. */
#define ATH_COLUMN(...) ATH_COLUMN_(__VA_ARGS__, )
#define ATH_COLUMN_(T, member, ...)                                                                \
	{                                                                                          \
		.kind = ATH_MEMBER_COLUMN, .name = #member, .offset = offsetof(struct T, member),  \
		.size = sizeof(ATH_MEMBER_OF_(T, member)),                                         \
		.type = ATH_TYPE_OF_(ATH_MEMBER_OF_(T, member)),                                   \
		.nullable_struct = ATH_IS_NULLABLE_(ATH_MEMBER_OF_(T, member)), __VA_ARGS__        \
	}

/**
 * A list of the rows whose key points at this one: ATH_HAS_MANY(user, posts, post, user_id)
 * for a member "struct post_list posts", which only ath_load() fills.
 */
#define ATH_HAS_MANY(T, member, Target, key)                                                       \
	{                                                                                          \
		.kind = ATH_MEMBER_HAS_MANY, .name = #member,                                      \
		.offset = offsetof(struct T, member), .size = sizeof(ATH_MEMBER_OF_(T, member)),   \
		.target = _Generic(ATH_MEMBER_OF_(T, member).items,                                \
			struct Target **: &Target##_model),                                        \
		.key_offset = offsetof(struct Target, key)                                         \
	}

/* ---- conditions --------------------------------------------------------------------------- */

#define ATH_COMPARE_(T, member, op_, value_)                                                       \
	((struct ath_condition){ .op = op_,                                                        \
				 .model = &T##_model,                                              \
				 .offset = offsetof(struct T, member),                             \
				 .value = value_ })
#define ATH_WITH_VALUE_(T, member, op_, v)                                                         \
	ATH_COMPARE_(T, member, op_, ATH_MAKER_(ATH_MEMBER_OF_(T, member), value)(v))
/* Text only: another member has nothing to pick. */
#define ATH_WITH_PATTERN_(T, member, op_, v)                                                       \
	ATH_COMPARE_(T, member, op_,                                                               \
		     _Generic(ATH_MEMBER_OF_(T, member),                                           \
			     char *: ath_value_text,                                               \
			     const char *: ath_value_text)(v))

/** Equal; a text that is NULL means IS NULL. */
#define ATH_EQ(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_EQ, v)
#define ATH_NE(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_NE, v)
#define ATH_LT(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_LT, v)
#define ATH_LE(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_LE, v)
#define ATH_GT(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_GT, v)
#define ATH_GE(T, member, v) ATH_WITH_VALUE_(T, member, ATH_OP_GE, v)
/** SQL's LIKE: % is any text, _ any character. */
#define ATH_LIKE(T, member, pattern) ATH_WITH_PATTERN_(T, member, ATH_OP_LIKE, pattern)
/** LIKE, blind to case. */
#define ATH_ILIKE(T, member, pattern) ATH_WITH_PATTERN_(T, member, ATH_OP_ILIKE, pattern)
/** One of count items, borrowed until the query has run; none of no items. */
#define ATH_IN(T, member, items, count)                                                            \
	ATH_COMPARE_(T, member, ATH_OP_IN,                                                         \
		     ATH_MAKER_(ATH_MEMBER_OF_(T, member), array)(items, count))
#define ATH_IS_NULL(T, member)                                                                     \
	ATH_COMPARE_(T, member, ATH_OP_IS_NULL, ((struct ath_value){ .null = true }))

/** Every row: what an UPDATE or DELETE without another condition has to say. */
#define ATH_ALL ((struct ath_condition){ .op = ATH_OP_ALL })

/* ATH_COUNT does not fit: in the struct inside it clang takes a compound literal for static. */
#define ATH_GROUP_(op_, ...)                                                                       \
	((struct ath_condition){                                                                   \
		.op = op_,                                                                         \
		.kids = (const struct ath_condition[]){ __VA_ARGS__ },                             \
		.kid_count = sizeof((const struct ath_condition[]){ __VA_ARGS__ }) /               \
			     sizeof(struct ath_condition) })
#define ATH_AND(...) ATH_GROUP_(ATH_OP_AND, __VA_ARGS__)
#define ATH_OR(...) ATH_GROUP_(ATH_OP_OR, __VA_ARGS__)
#define ATH_NOT(condition) ATH_GROUP_(ATH_OP_NOT, condition)

#define ATH_ASC(T, member)                                                                         \
	((struct ath_order){ .model = &T##_model, .offset = offsetof(struct T, member) })
#define ATH_DESC(T, member)                                                                        \
	((struct ath_order){                                                                       \
		.model = &T##_model, .offset = offsetof(struct T, member), .descending = true })

/** A column's new value in ath_update(); NULL for a text that may be NULL. */
#define ATH_SET(T, member, v)                                                                      \
	((struct ath_assignment){ .model = &T##_model,                                             \
				  .offset = offsetof(struct T, member),                            \
				  .value = ATH_MAKER_(ATH_MEMBER_OF_(T, member), value)(v) })
#define ATH_SET_NULL(T, member)                                                                    \
	((struct ath_assignment){ .model = &T##_model,                                             \
				  .offset = offsetof(struct T, member),                            \
				  .value = { .null = true } })

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

/**
 * Fills a relation of all rows of a list with one SELECT: ath_load(db, user, list, posts).
 * For a single row: ath_load(db, user, ((struct user_list){ &user, 1 }), posts).
 * (items is a list's first member: the offset is the relation's, and a column has none.)
 */
#define ath_load(session, T, list, relation)                                                       \
	ath_session_load(session, &T##_model, (void *const *)(struct T *const *){ (list).items },  \
			 (list).count, offsetof(struct T, relation.items))

#endif /* __cplusplus */
/* clang-format on */

#endif
