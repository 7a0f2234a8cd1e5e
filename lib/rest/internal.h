/*
 * rest/internal.h - what the worker gives to this room, and what its files share.
 */
#ifndef ATH_REST_INTERNAL_H
#define ATH_REST_INTERNAL_H

#include "orm/internal.h"
#include "rest/rest.h"
#include "web/internal.h"

/* The context of struct ath_web. */
struct ath_rest {
	struct ath_engine *engine;
	const struct ath_model *const *models;
};

/* json_in.c: the members of an object in a body, into a row. */
enum ath_bind_mode { ATH_BIND_NEW, ATH_BIND_PATCH };
/*
 * Violations, newest last; NULL: none. The object is one of ath_object_new(), or of a model without
 * objects.
 */
const struct ath_violation *ath_json_to_row(struct ath_arena *arena,
					    const struct ath_json_document *document,
					    const struct ath_model *model, enum ath_bind_mode mode,
					    void *object);

/* A place in a document: a member of what is at outer, or an element of it. */
struct ath_place {
	const struct ath_place *outer; /* NULL: the whole */
	struct ath_text name;          /* data NULL: an element */
	size_t index;
};

/* What is wrong with all that is bound at once. */
struct ath_violations {
	struct ath_violation *first, **tail;
	size_t count;
};

/* An object that values are put into, and where those come from. */
struct ath_binding {
	struct ath_arena *arena;
	struct ath_violations *violations;
	const struct ath_json_document *document;
	const struct ath_json_token *source; /* the object of the document */
	const struct ath_model *model;
	enum ath_bind_mode mode;
	void *object;
	const struct ath_place *place;
	const char *what; /* what a value is, with a space behind it; "": a member of the body */
};

/* Says what is wrong with something of the object's; the name need be none of its members. */
void ath_refuse(struct ath_binding *binding, struct ath_text name, const char *format, ...)
	ATH_PRINTF(3, 4);
/* A value for a member, by the rules of the model. */
void ath_bind_value(struct ath_binding *binding, const struct ath_member *member,
		    const struct ath_json_token *value);
/* A member that no value was given for. */
void ath_bind_missing(struct ath_binding *binding, const struct ath_member *member);
/* A value that no member is for. */
void ath_bind_unknown(struct ath_binding *binding, struct ath_text name);
/* The member that a client calls by this name, or NULL. */
const struct ath_member *ath_member_named(const struct ath_model *model, struct ath_text name);
/* Are there so many violations that more are not told? Then the rest need not be looked at. */
bool ath_is_enough(const struct ath_violations *violations);

/*
 * shape.c: an object of the model with its defaults and the objects that it must have, all in one
 * piece. Never NULL: of a request that is out of memory it is past the arena's ceiling. False: the
 * request has failed.
 */
bool ath_object_new(struct ath_request *request, const struct ath_model *model,
		    void **object) ATH_MUST_CHECK;

/* json_out.c */
void ath_value_to_json(struct ath_buffer *out, const struct ath_value *value);
void ath_row_to_json(struct ath_buffer *out, const struct ath_model *model, const void *object);

/* problems.c: for the log, which says it under the name of event. */
void ath_log_error(const struct ath_request *request, const char *event,
		   const struct ath_error *error);
/* The problem that an error, in the request's memory, becomes. */
struct ath_response *ath_error_problem(struct ath_request *request, const struct ath_engine *engine,
				       const struct ath_error *error);
struct ath_response *ath_session_problem(struct ath_request *request,
					 const struct ath_session *session);

/* idempotency.c: the claim of struct ath_web; what it is for when the handler has returned. */
struct ath_response *ath_idempotency_claim(struct ath_request *request);
struct ath_response *ath_idempotency_finish(struct ath_request *request,
					    struct ath_response *response);
/* Puts the session in error: what has left in pieces cannot be sent a second time. */
void ath_idempotency_refuse_stream(struct ath_session *session);
/* Have the routes that ask for it what they need? */
enum ath_status ath_idempotency_check(const struct ath_web *web,
				      const struct ath_model *const *models,
				      struct ath_error *error) ATH_MUST_CHECK;

#endif
