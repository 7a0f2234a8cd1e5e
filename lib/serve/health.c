/*
 * health.c - what the framework answers by itself: is the process alive, and is it of use now? An
 * orchestrator ends one that is not alive, and sends no requests to one that is not ready; so the
 * database, without which a new process would fare no better, counts for the second alone.
 */
#include <stdio.h>

#include "serve/scoreboard.h"

enum { PATIENCE_MS = 1000, KEPT_MS = 1000 };

static struct ath_response *answer(struct ath_request *request, int status, const char *body)
{
	struct ath_response *response = ath_response_new(request, status, "application/json");

	if (response == NULL)
		return NULL;
	ath_buffer_string(ath_response_body(response), body);
	ath_response_header(response, "Cache-Control", "no-store");
	return response;
}

struct ath_response *ath_answer_live(struct ath_request *request)
{
	return answer(request, 200, "{\"status\":\"live\"}");
}

/* Asked at most once a second, unless several requests ask at the same time. */
static bool database_answers(struct ath_worker *worker, struct ath_arena *arena)
{
	struct ath_statement statement = ath_statement_of("select 1");
	void *result = NULL;
	struct ath_batch batch = {
		.statements = &statement, .count = 1, .results = &result, .arena = arena
	};
	enum ath_status status;

	if (ath_now() < worker->database.until)
		return worker->database.answers;
	status = ath_engine_read(worker->rest.engine, &batch, ath_now() + PATIENCE_MS);
	ath_batch_clear(&batch);
	if (status != ATH_ECANCELED) { /* that says something of the client alone */
		worker->database.answers = status == ATH_OK;
		worker->database.until = ath_now() + KEPT_MS;
	}
	return status == ATH_OK;
}

static struct ath_response *not_ready(struct ath_request *request, const char *body,
				      int retry_after)
{
	struct ath_response *response = answer(request, 503, body);
	char seconds[16];

	snprintf(seconds, sizeof seconds, "%d", retry_after);
	ath_response_header(response, "Retry-After", seconds);
	return response;
}

struct ath_response *ath_answer_ready(struct ath_request *request)
{
	struct ath_worker *worker = ath_request_worker(request);

	if (worker->stopping)
		return not_ready(request,
				 "{\"status\":\"not ready\",\"reason\":\"the worker leaves\"}", 1);
	if (!database_answers(worker, ath_request_arena(request)))
		return not_ready(
			request,
			"{\"status\":\"not ready\",\"reason\":\"the database does not answer\"}",
			ath_engine_retry_after(worker->rest.engine));
	return answer(request, 200, "{\"status\":\"ready\"}");
}

const struct ath_route ath_own_routes[] = {
	ATH_ROUTE(GET, "/-/live", ath_answer_live),
	ATH_ROUTE(GET, "/-/ready", ath_answer_ready),
	ATH_ROUTE(GET, "/-/status", ath_answer_status),
	ATH_ROUTE(GET, "/-/metrics", ath_answer_metrics),
	{ 0 },
};

/* ---- the status process ---------------------------------------------------------------------- */

static const struct ath_route status_routes[] = {
	ATH_ROUTE(GET, "/-/live", ath_answer_live),
	ATH_ROUTE(GET, "/-/status", ath_answer_status),
	ATH_ROUTE(GET, "/-/metrics", ath_answer_metrics),
	{ 0 },
};

enum ath_status ath_status_open(struct ath_worker *worker, struct ath_scoreboard *board,
				const struct ath_configuration *configuration,
				struct ath_error *error)
{
	static const struct ath_route none[] = { { 0 } };

	*worker = (struct ath_worker){
		.board = board,
		.log = &configuration->log,
		.web = { .log = &configuration->log, .own_routes = status_routes },
	};
	if (ath_web_open(&worker->web, none, error) != ATH_OK)
		return error->status;
	if (ath_loop_open(&worker->loop, &configuration->log) != ATH_OK)
		return ath_error_set(error, ATH_EIO, "no loop could be opened");
	return ATH_OK;
}
