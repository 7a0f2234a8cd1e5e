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
/* Violations, newest last; NULL: none. */
const struct ath_violation *ath_json_to_row(struct ath_arena *arena,
					    const struct ath_json_document *document,
					    const struct ath_model *model, enum ath_bind_mode mode,
					    void *object);

/* json_out.c */
void ath_value_to_json(struct ath_buffer *out, const struct ath_value *value);
void ath_row_to_json(struct ath_buffer *out, const struct ath_model *model, const void *object);

/* problems.c: the problem that an error, in the request's memory, becomes. */
struct ath_response *ath_error_problem(struct ath_request *request, const struct ath_engine *engine,
				       const struct ath_error *error);
struct ath_response *ath_session_problem(struct ath_request *request,
					 const struct ath_session *session);

#endif
