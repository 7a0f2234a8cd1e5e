/* problems.c - what a session's error tells the client, and what it does not. */
#include <stdio.h>

#include "rest/internal.h"

/* status, and for which error; the text is for the client: no SQL, no names of the server's */
static const struct {
	enum ath_status status;
	int http;
	const char *type, *detail; /* type NULL: the status's own */
} rows[] = {
	{ ATH_EUNIQUE, 409, NULL, "a row with this value exists already" },
	{ ATH_EREFERENCE, 409, NULL, "a row that is referred to is missing, or still referred to" },
	{ ATH_ESTALE, 409, NULL, "the row was changed or deleted meanwhile" },
	{ ATH_ERULE, 422, NULL, "a value breaks the rules of the database" },
	{ ATH_ENOTFOUND, 404, NULL, "no such row" },
	{ ATH_EFORBIDDEN, 403, NULL, "the database does not permit this" },
	{ ATH_ESERIALIZATION, 503, NULL, "another transaction was in the way: try again" },
	{ ATH_ELOCKED, 503, NULL, "the row is locked: try again" },
	{ ATH_EUNAVAILABLE, 503, NULL, "the database cannot be reached now" },
	{ ATH_EUNKNOWN, 503, "outcome-unknown",
	  "the connection was lost while storing: whether it is stored cannot be told" },
	{ ATH_ESTORED, 500, "stored", "it is stored, but what came of it cannot be shown" },
	{ ATH_ETIMEDOUT, 504, NULL, "the database did not answer in time" },
	{ ATH_ECANCELED, 504, NULL, "the client went away" },
};

static struct ath_violation *violation_at(struct ath_request *request,
					  const struct ath_error *error, const char *name,
					  struct ath_violation *next)
{
	struct ath_violation *violation = ath_new(request->arena, struct ath_violation, 1);

	if (violation == NULL)
		return next;
	violation->pointer = ath_arena_printf(request->arena, "/%s", name);
	violation->detail = error->status == ATH_EUNIQUE ? "exists already"
			    : error->status == ATH_EREFERENCE
				    ? "refers to no row, or is referred to"
				    : "breaks a rule";
	violation->next = next;
	return violation->pointer == NULL ? next : violation;
}

/* What the column is called where clients see it. */
static const char *member_name(const struct ath_rest *rest, const struct ath_error *error)
{
	for (const struct ath_model *const *each = rest->models; *each != NULL; each++) {
		const struct ath_model *model = *each;
		const char *dot = model->table == NULL ? NULL : strchr(model->table, '.');

		if (model->kind != ATH_TABLE ||
		    (error->table[0] != '\0' &&
		     strcmp(dot == NULL ? model->table : dot + 1, error->table) != 0))
			continue;
		for (size_t i = 0; i < model->member_count; i++)
			if (model->members[i].kind == ATH_MEMBER_COLUMN &&
			    strcmp(ath_column_name(&model->members[i]), error->column) == 0)
				return model->members[i].name;
	}
	return error->column;
}

/* The members that the constraint speaks of, or the column that the error names. */
static const struct ath_violation *violations_of(struct ath_request *request,
						 const struct ath_error *error)
{
	const struct ath_rest *rest = request->web->context;
	const struct ath_member *members[ATH_CONSTRAINT_COLUMNS];
	struct ath_violation *first = NULL;
	size_t count = 0;

	if (error->status != ATH_EUNIQUE && error->status != ATH_EREFERENCE &&
	    error->status != ATH_ERULE)
		return NULL;
	if (error->constraint[0] != '\0')
		count = ath_constraint_members(rest->models, error->constraint, members);
	if (count == 0 && error->column[0] != '\0')
		return violation_at(request, error, member_name(rest, error), NULL);
	while (count > 0)
		first = violation_at(request, error, members[--count]->name, first);
	return first;
}

void ath_log_error(const struct ath_request *request, const char *event,
		   const struct ath_error *error)
{
	struct ath_log_line line;

	ath_log_begin(&line, request->web->log, ATH_LOG_ERROR, event);
	ath_log_text(&line, "id", request->id);
	ath_log_text(&line, "error", ath_status_text(error->status));
	ath_log_text(&line, "sqlstate", error->sqlstate);
	ath_log_text(&line, "reason", error->message);
	ath_log_end(&line);
}

struct ath_response *ath_error_problem(struct ath_request *request, const struct ath_engine *engine,
				       const struct ath_error *error)
{
	int http = 500, retry_after = 0;
	const char *type = NULL, *detail = "the request could not be served";

	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		if (rows[i].status != error->status)
			continue;
		http = rows[i].http;
		type = rows[i].type;
		detail = rows[i].detail;
	}
	request->error = error;
	if (strcmp(error->sqlstate, "22021") == 0) { /* no rule of the model: not even text */
		http = 400;
		detail = "a text is not well encoded";
	}
	if (error->status == ATH_EUNAVAILABLE && error->sqlstate[0] == '\0' &&
	    request->sent == NULL && ath_engine_is_overloaded(engine)) {
		request->refused = true;
		detail = "too many requests wait for the database: try again";
	}
	/* what breaks a stream off is told nowhere else */
	if ((http >= 500 || request->sent != NULL) && error->status != ATH_ECANCELED &&
	    !request->refused)
		ath_log_error(request, "session", error);
	if (http == 503 && error->status != ATH_EUNKNOWN)
		retry_after = ath_engine_retry_after(engine);
	return ath_problem_full(request, http, type, detail, violations_of(request, error),
				retry_after);
}

struct ath_response *ath_session_problem(struct ath_request *request,
					 const struct ath_session *session)
{
	return ath_error_problem(request, session->engine, &session->error);
}
