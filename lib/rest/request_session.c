/*
 * request_session.c - the session of a request: opened when it is first asked for, and given
 * the last word when the handler has returned.
 */
#include "rest/internal.h"

/* A request that failed stores nothing, whatever its handler still does. */
static void poison(struct ath_request *request)
{
	struct ath_session *session = request->session;

	session->poisoned = true;
	ath_session_fail(session, ATH_EINVAL, "the request has failed");
}

/* Of the request's route; "" where it has none. */
static const char *method_of(const struct ath_request *request)
{
	static const char *const methods[] = {
#define X(name) [ATH_METHOD_##name] = #name,
		ATH_METHOD_MAP(X)
#undef X
	};
	const struct ath_leaf *leaf = request->match.leaf;

	return leaf == NULL ? "" : methods[leaf->route->method];
}

static const char *path_of(const struct ath_request *request)
{
	return request->match.leaf == NULL ? "" : request->match.leaf->path;
}

/* Mostly a query inside a loop: it is told, and tests can see it. */
static void note_repeated(struct ath_request *request, struct ath_repeat repeat)
{
	struct ath_log_line line;

	if (repeat.text == NULL)
		return;
	request->repeated = repeat.text;
	ath_log_begin(&line, request->web->log, ATH_LOG_WARNING,
		      "a request ran the same statement many times");
	ath_log_text(&line, "id", request->id);
	ath_log_text(&line, "method", method_of(request));
	ath_log_text(&line, "route", path_of(request));
	ath_log_int(&line, "times", (int64_t)repeat.count);
	ath_log_text(&line, "statement", repeat.text);
	ath_log_end(&line);
}

/* Behind those of an earlier session of the request. Without memory they stay untold. */
static void tell_times(struct ath_request *request, const struct ath_times *times)
{
	size_t before = request->told_count * sizeof *request->told;
	struct ath_told_statement *told;

	if (times == NULL || times->count == 0)
		return;
	request->database_us += times->microseconds;
	told = ath_arena_grow(request->arena, request->told, before,
			      before + times->count * sizeof *told);
	if (told == NULL)
		return;
	request->told = told;
	for (size_t i = 0; i < times->count; i++) {
		const struct ath_timed_statement *timed = &times->statements[i];

		told[request->told_count++] =
			(struct ath_told_statement){ timed->text, timed->microseconds,
						     timed->rows };
	}
}

/* A handler that forgot to commit must not say that it is done. */
static void refuse_uncommitted(struct ath_session *session)
{
	if (ath_session_ok(session) && ath_session_is_uncommitted(session))
		ath_session_fail(session, ATH_EINVAL, "rows were changed and not committed");
}

/* The head of a stream says that all is well: from then on nothing is stored any more. */
static void leaving(struct ath_request *request)
{
	struct ath_session *session = request->session;

	refuse_uncommitted(session);
	if (request->claim != NULL)
		ath_idempotency_refuse_stream(session);
	ath_session_seal(session);
	if (!ath_session_ok(session))
		ath_request_fail(request, ath_session_problem(request, session));
}

static void moved(struct ath_request *request)
{
	struct ath_session *session = request->session;

	session->deadline = request->deadline;
}

/* What the handler has committed may be rolled back now: no hook makes a success of that. */
static struct ath_response *finish_claim(struct ath_request *request, struct ath_response *response)
{
	response = ath_idempotency_finish(request, response);
	if (response == NULL)
		ath_session_fail(request->session, ATH_EINVAL, "the handler gave no answer");
	else if (request->failure == NULL && response->status >= 400)
		request->failure = response;
	return response;
}

static struct ath_response *finish(struct ath_request *request, struct ath_response *response)
{
	struct ath_session *session = request->session;

	request->statements += session->statement_count;
	request->rows += session->row_count;
	request->round_trips += session->round_trips;
	note_repeated(request, ath_session_repeated(session));
	if (ath_response_status(response) < 400)
		refuse_uncommitted(session);
	if (request->claim != NULL)
		response = finish_claim(request, response);
	/* as a failure of the request: no hook behind it makes a success of what is not stored */
	if (!ath_session_ok(session) && request->failure == NULL)
		response = request->failure = ath_session_problem(request, session);
	tell_times(request, session->times);
	ath_session_close(&session);
	request->session = NULL;
	request->failed = NULL;
	request->leaving = request->moved = NULL;
	return response;
}

/* Where there is no memory even for a session: one that is in error, and stays so. */
static struct ath_session *exhausted(struct ath_request *request)
{
	_Static_assert(sizeof(struct ath_session) <= ATH_BEYOND, "it must be had in any case");
	struct ath_session *session = ath_arena_beyond(request->arena, sizeof *session);

	session->arena = request->arena;
	ath_session_fail(session, ATH_ENOMEM, "no memory for a session");
	return session;
}

/* What the server is told of the request, and the log of what the server does. */
static void observe(const struct ath_request *request, struct ath_session *session)
{
	if (request->match.leaf != NULL)
		ath_session_set_route(session, method_of(request), path_of(request));
	ath_session_set_request(session, request->id);
	if (request->web->tell_statements)
		ath_session_want_times(session);
}

struct ath_session *ath_request_session(struct ath_request *request)
{
	const struct ath_rest *rest = request->web->context;
	struct ath_session_options options = { .arena = request->arena,
					       .deadline = request->deadline };
	struct ath_session *session = request->session;

	if (session != NULL)
		return session;
	if (ath_session_open(&session, rest->engine, &options) != ATH_OK)
		return exhausted(request);
	observe(request, session);
	request->session = session;
	request->finish = finish;
	request->leaving = leaving;
	request->moved = moved;
	request->failed = poison;
	if (request->sent != NULL)
		ath_session_seal(session);
	if (request->failure != NULL || ath_arena_failed(request->arena))
		poison(request);
	return session;
}

static void read_body(struct ath_request *request, const struct ath_model *model,
		      enum ath_bind_mode mode, void *object)
{
	const struct ath_json_document *document = ath_body_document(request);
	const struct ath_violation *violations;

	if (document == NULL) {
		ath_request_fail(request, NULL); /* unless it said why */
		return;
	}
	violations = ath_json_to_row(request->arena, document, model, mode, object);
	if (violations != NULL)
		ath_request_fail(request, ath_problem_full(request, 422, NULL,
							   "the body breaks the rules: see errors",
							   violations, 0));
}

void *ath_bind(struct ath_request *request, const struct ath_model *model)
{
	void *object;

	if (ath_object_new(request, model, &object))
		read_body(request, model, ATH_BIND_NEW, object);
	return object;
}

void ath_patch(struct ath_request *request, const struct ath_model *model, void *object)
{
	if (object != NULL)
		read_body(request, model, ATH_BIND_PATCH, object);
}

void ath_paginate(struct ath_query *query, struct ath_request *request)
{
	enum { USUAL = 100, MOST = 1000 };

	ath_limit(query, ath_arg_int(request, "limit", USUAL, 1, MOST));
	ath_offset(query, ath_arg_int(request, "offset", 0, 0, INT64_MAX));
}
