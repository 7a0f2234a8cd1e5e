/*
 * rest.h - where models meet requests: the session of a request, rows as JSON, JSON as rows, writes
 * that are sent again.
 *
 * What a client sends is checked against the model or the shape, and all that is wrong comes back
 * in one 422. A request whose session is in error is answered with that error's problem, whatever
 * the handler returned.
 */
#ifndef ATH_REST_H
#define ATH_REST_H

#include "orm/orm.h"
#include "web/web.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The request's session: opened at the first call, closed with the request. Never NULL. When the
 * handler has changed rows and not committed them, an answer below 400 becomes a 500. When the head
 * of a stream has left, it reads on, and a write is ATH_EREADONLY whatever is set or cleared.
 */
ATH_API struct ath_session *ath_request_session(struct ath_request *request);

/**
 * The table that routes with .idempotency keep their answers in: it goes into the application's
 * list of models and, by a migration or ath_create_all(), into its database. A request with the
 * header Idempotency-Key, 1 to 255 visible characters of ASCII (else 400), is done once, and equal
 * ones get its answer, with Idempotency-Replayed: true; while it is under way they wait for it.
 * Equal means the same route and owner, method, path, query and body; another request under the
 * same key of a route and owner is answered with 422. After 24 hours a key counts as new.
 *
 * The hooks before the handler are called for each of them, those after it too. The handler runs
 * inside the transaction that the key is stored in, on a connection of the pool, and the answer is
 * stored with it: the first ath_commit() and those behind it only flush, and the one COMMIT comes
 * when the handler has returned. What it calls is told of errors by the flush, as usual; one that
 * the COMMIT itself meets (a deferred constraint) is the answer. ATH_BEFORE_COMMIT is called for
 * each ath_commit(), ATH_AFTER_COMMIT once, behind the COMMIT. ath_rollback() undoes all of it,
 * what was committed in the handler too, and then an answer below 400 becomes a 500.
 *
 * An answer of 400 or more, whether the handler's or of an error, stores nothing and is not
 * remembered: the client may try again with the same key. One above 1 MiB is not stored, and
 * as there would be no second answer like it, the request is rolled back and answered with 500. So
 * is one that is a stream, however short; a route that reads its body as a stream, or mounts a
 * handler of libfcgi, is refused at start.
 */
ATH_API extern const struct ath_model ath_idempotency_key_model;
/**
 * Deletes keys of more than 24 hours, at most 1000, in the session's transaction, which the caller
 * commits. To be called from time to time, and again while it gives 1000.
 *
 * @return how many there were
 */
ATH_API int64_t ath_idempotency_clean(struct ath_session *session);

/**
 * Bounds a list by the client's ?limit= (100 when not given, at most 1000) and ?offset=.
 * Other values answer the request with 422.
 */
ATH_API void ath_paginate(struct ath_query *query, struct ath_request *request);

/**
 * Listens to a channel of the database until the request ends; for Server-Sent Events:
 *
 *	struct ath_listener *posts = ath_request_listen(req, "posts");
 *	struct ath_response *events = ath_events(req);
 *	struct ath_notification note;
 *
 *	while (ath_events_next(events, posts, &note))
 *		ath_event_send(events, &(struct ath_server_event){ .data = note.payload });
 *	return events;
 *
 * What has to be read of the database before is read behind ath_request_listen(), so that nothing
 *is missed, and with no transaction left open, which would keep a connection.
 *
 * @return NULL when it could not be had, for which the request is answered: 503 while the database
 *         is away
 */
ATH_API struct ath_listener *ath_request_listen(struct ath_request *request, const char *channel);
/**
 * Waits for the next notification (see ath_listen_next(), and struct ath_notification of what was
 * missed), with a heartbeat every 15 seconds.
 *
 * @return false when the client went away, the worker ends, or the route's deadline has passed
 */
ATH_API bool ath_events_next(struct ath_response *events, struct ath_listener *listener,
			     struct ath_notification *notification);

/* What the functions that ATH_DECLARE makes are made of. */
ATH_API struct ath_response *ath_row_json(struct ath_request *request, int status,
					  const struct ath_model *model, const void *object);
ATH_API struct ath_response *ath_rows_json(struct ath_request *request, int status,
					   const struct ath_model *model, void *const *objects,
					   size_t count);
ATH_API struct ath_response *ath_rows_ndjson(struct ath_request *request,
					     const struct ath_model *model, struct ath_cursor *rows,
					     const char *filename);
ATH_API struct ath_response *ath_rows_csv(struct ath_request *request,
					  const struct ath_model *model, struct ath_cursor *rows,
					  const char *filename);
ATH_API void *ath_bind(struct ath_request *request, const struct ath_model *model);
ATH_API void *ath_bind_shape(struct ath_request *request, const struct ath_model *model);
ATH_API void *ath_bind_args(struct ath_request *request, const struct ath_model *model);
ATH_API void *ath_bind_form(struct ath_request *request, const struct ath_model *model);
ATH_API void *ath_bind_headers(struct ath_request *request, const struct ath_model *model);
ATH_API void ath_patch(struct ath_request *request, const struct ath_model *model, void *object);
ATH_API struct ath_response *ath_created_json(struct ath_request *request,
					      const struct ath_model *model, const void *object,
					      const char *location, va_list args);

/*
 * The functions of a model over requests:
 *
 *	user_json(req, 200, user)               a row; members in the model's order
 *	user_list_json(req, 200, list)          rows
 *	user_ndjson(req, user_each(db, &query), "users.ndjson")
 *	user_csv(req, user_each(db, &query), "users.csv")
 *	                                        any number of rows, in constant memory, while they
 *	                                        come from the database; a failure on the way breaks
 *	                                        the answer off. What a browser is to save it as;
 *	                                        NULL: to be shown. It keeps a connection of the
 *	                                        pool until the web server has taken the last row
 *	struct user *user_bind(req)             a new row from the body; never NULL
 *	user_patch(req, user)                   the members that were sent; null clears
 *	user_created(req, user, "/users/%d", n) 201 with Location and the row
 */
#define ATH_DECLARE_JSON_(T)                                                                       \
	ATH_FUNCTION_ struct ath_response *T##_json(struct ath_request *request, int status,       \
						    const struct T *object)                        \
	{                                                                                          \
		return ath_row_json(request, status, &T##_model, object);                          \
	}                                                                                          \
	ATH_FUNCTION_ struct ath_response *T##_list_json(struct ath_request *request, int status,  \
							 struct T##_list list)                     \
	{                                                                                          \
		return ath_rows_json(request, status, &T##_model, (void *const *)list.items,       \
				     list.count);                                                  \
	}

#define ATH_DECLARE_SHOWING_(T)                                                                    \
	ATH_DECLARE_JSON_(T)                                                                       \
	ATH_FUNCTION_ struct ath_response *T##_ndjson(                                             \
		struct ath_request *request, struct ath_cursor *rows, const char *filename)        \
	{                                                                                          \
		return ath_rows_ndjson(request, &T##_model, rows, filename);                       \
	}                                                                                          \
	ATH_FUNCTION_ struct ath_response *T##_csv(struct ath_request *request,                    \
						   struct ath_cursor *rows, const char *filename)  \
	{                                                                                          \
		return ath_rows_csv(request, &T##_model, rows, filename);                          \
	}

#define ATH_DECLARE_BINDING_(T)                                                                    \
	ATH_FUNCTION_ struct T *T##_bind(struct ath_request *request)                              \
	{                                                                                          \
		return (struct T *)ath_bind(request, &T##_model);                                  \
	}                                                                                          \
	ATH_FUNCTION_ void T##_patch(struct ath_request *request, struct T *object)                \
	{                                                                                          \
		ath_patch(request, &T##_model, object);                                            \
	}                                                                                          \
	ATH_FUNCTION_ ATH_PRINTF(3, 4) struct ath_response *T##_created(                           \
		struct ath_request *request, const struct T *object, const char *location, ...)    \
	{                                                                                          \
		struct ath_response *response;                                                     \
		va_list args;                                                                      \
		va_start(args, location);                                                          \
		response = ath_created_json(request, &T##_model, object, location, args);          \
		va_end(args);                                                                      \
		return response;                                                                   \
	}

/**
 * Declares the functions of a model behind its struct: ATH_DECLARE(user);
 * The primary key is the member id; for another, or for several, which T_get then takes in this
 * order: ATH_DECLARE_KEY(country, code); ATH_DECLARE_KEY(membership, user_id, group_id);
 */
#define ATH_DECLARE(T) ATH_DECLARE_KEY(T, id)
#define ATH_DECLARE_KEY(T, ...)                                                                    \
	ATH_LIST_(T)                                                                               \
	ATH_DECLARE_FUNCTIONS(T, __VA_ARGS__)

/** The same of a model that is only read: over a view, or of a result. */
#define ATH_DECLARE_RESULT(T)                                                                      \
	ATH_LIST_(T)                                                                               \
	ATH_DECLARE_READING_(T)                                                                    \
	ATH_DECLARE_SHOWING_(T)                                                                    \
	struct T##_list /* the caller's semicolon */

/*
 * The functions of a shape (ATH_MODEL_SHAPE). What is wrong answers the request with one 422 that
 * names all of it, the first 100 mistakes. What they give is never NULL, nor are the objects and
 * texts that it must have; of a request that failed it is not what was sent (ath_request_failed()).
 *
 *	struct order *order_bind(req)           from a JSON body: "/lines/3/amount" must be ...
 *	struct order *order_bind_args(req)      from the query arguments, by the members' names and
 *	                                        types; only arrays take a name more than once
 *	struct order *order_bind_form(req)      likewise from a form's fields; files are apart
 *	struct order *order_bind_headers(req)   likewise from headers: user_agent is User-Agent;
 *	                                        of others nothing is said
 *	order_json(req, 200, order)             all its members, with objects and lists
 *	order_list_json(req, 200, list)
 *
 * Members, arguments and fields that the shape does not have are refused by name, unless it says
 * ATH_IGNORE_UNKNOWN. Shapes in the list of models are checked at start, others each time they are
 * bound: a wrong one answers with 500, nothing of it is there, and the log says why.
 */
#define ATH_DECLARE_SHAPE_FUNCTIONS(T)                                                             \
	ATH_DECLARE_JSON_(T)                                                                       \
	ATH_FUNCTION_ struct T *T##_bind(struct ath_request *request)                              \
	{                                                                                          \
		return (struct T *)ath_bind_shape(request, &T##_model);                            \
	}                                                                                          \
	ATH_FUNCTION_ struct T *T##_bind_args(struct ath_request *request)                         \
	{                                                                                          \
		return (struct T *)ath_bind_args(request, &T##_model);                             \
	}                                                                                          \
	ATH_FUNCTION_ struct T *T##_bind_form(struct ath_request *request)                         \
	{                                                                                          \
		return (struct T *)ath_bind_form(request, &T##_model);                             \
	}                                                                                          \
	ATH_FUNCTION_ struct T *T##_bind_headers(struct ath_request *request)                      \
	{                                                                                          \
		return (struct T *)ath_bind_headers(request, &T##_model);                          \
	}                                                                                          \
	struct T##_list /* the caller's semicolon */

/** Declares the functions of a shape behind its struct: ATH_DECLARE_SHAPE(order); */
#define ATH_DECLARE_SHAPE(T)                                                                       \
	ATH_LIST_(T)                                                                               \
	ATH_DECLARE_SHAPE_FUNCTIONS(T)

/**
 * In two parts, where a struct has a list of its own kind, or two have lists of each other:
 * ATH_DECLARE_LIST(node); before the struct, and behind it ATH_DECLARE_FUNCTIONS(node, id); or, of
 * a shape, ATH_DECLARE_SHAPE_FUNCTIONS(node);
 */
#define ATH_DECLARE_LIST(T)                                                                        \
	ATH_LIST_(T)                                                                               \
	struct T##_list
#define ATH_DECLARE_FUNCTIONS(T, ...)                                                              \
	ATH_DECLARE_READING_(T)                                                                    \
	ATH_DECLARE_WRITING_(T, __VA_ARGS__)                                                       \
	ATH_DECLARE_SHOWING_(T)                                                                    \
	ATH_DECLARE_BINDING_(T)                                                                    \
	struct T##_list

#ifdef __cplusplus
}
#endif

#endif
