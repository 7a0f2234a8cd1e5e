/* errors.c - the application's own words for what goes wrong: which row fits, and how far it goes.
 */
#include "web/internal.h"

static bool is_problem(const struct ath_response *response)
{
	return response != NULL && response->content_type != NULL &&
	       strcmp(response->content_type, ATH_PROBLEM_TYPE) == 0;
}

/* How narrowly a row fits; 0: it does not. */
static int fit(const struct ath_error_handler *row, enum ath_status error, int status)
{
	if (row->error != ATH_OK)
		return row->error == error ? 3 : 0;
	if (row->status != 0)
		return row->status == status ? 2 : 0;
	return row->status_class == status / 100 ? 1 : 0;
}

static const struct ath_error_handler *fitting(const struct ath_error_handler *table,
					       const struct ath_request *request, int status)
{
	enum ath_status error = request->error == NULL ? ATH_OK : request->error->status;
	const struct ath_error_handler *best = NULL;
	int best_fit = 0;

	for (; table != NULL && table->handler != NULL; table++) {
		int this_fit = fit(table, error, status);

		if (this_fit > best_fit) {
			best_fit = this_fit;
			best = table;
		}
	}
	return best;
}

/* From the route outwards. */
static const struct ath_error_handler *find_handler(const struct ath_request *request, int status)
{
	const struct ath_leaf *leaf = request->match.leaf;
	const struct ath_error_handler *found = NULL;

	if (leaf != NULL)
		found = fitting(leaf->route->errors, request, status);
	for (size_t i = leaf == NULL ? 0 : leaf->group_count; found == NULL && i > 0; i--)
		found = fitting(leaf->groups[i - 1]->errors, request, status);
	return found == NULL ? fitting(request->web->errors, request, status) : found;
}

static void log_refusal(const struct ath_request *request, const struct ath_response *problem,
			const char *why)
{
	struct ath_log_line line;

	ath_log_begin(&line, request->web->log, ATH_LOG_ERROR, why);
	ath_log_text(&line, "id", request->id);
	ath_log_int(&line, "status", problem->status);
	ath_log_end(&line);
}

/* The problem as it was, for all that a handler can do to it by the functions of web.h. */
static void restore(struct ath_response *problem, const struct ath_response *before)
{
	problem->status = before->status;
	problem->content_type = before->content_type;
	problem->headers.length = before->headers.length;
	problem->body.length = before->body.length;
}

/* A 405 has to name the methods (RFC 9110, 15.5.6), a 401 the schemes, whoever words it. */
static void keep_headers(struct ath_response *response, const struct ath_response *problem)
{
	if (response != NULL)
		ath_buffer_append(&response->headers, problem->headers.data,
				  problem->headers.length);
}

/*
 * While the handler runs, failure is its own, which is told by that: it neither hides the request's
 * nor calls another handler. A stream whose head has left cannot be worded any more, and one of the
 * handler's own leaves when it is known that it is sent.
 */
struct ath_response *ath_request_handle_problem(struct ath_request *request,
						struct ath_response *problem)
{
	const struct ath_error_handler *row = NULL;
	struct ath_response *failure = request->failure, *response;
	const struct ath_error *error = request->error;
	struct ath_response before;
	const char *refusal = NULL;

	if (request->sent == NULL && is_problem(problem) && !ath_arena_failed(request->arena))
		row = find_handler(request, problem->status);
	if (row == NULL)
		return problem;
	before = *problem;
	request->failure = NULL;
	request->error_handled = true;
	response = row->handler(request, problem);
	ath_fcgx_complete(response);
	response = ath_request_finish(request, response);
	if (request->failure != NULL || request->error != error)
		refusal = "an error handler failed";
	else if (ath_response_status(response) < 400 && (failure != NULL || error != NULL))
		refusal = "an error handler called a request good that failed";
	if (refusal != NULL) {
		restore(problem, &before);
		log_refusal(request, problem, refusal);
		response = problem;
	} else if (response != problem && ath_response_status(response) == before.status) {
		keep_headers(response, problem);
	}
	request->failure = failure == NULL ? NULL : response;
	request->error = error;
	return response;
}
