/*
 * life.c - the application of test_life.sh: what its worker does beside requests leaves rows in
 * the table events, and a job one in the table jobs, which the test can lock.
 */
#include <athanor.h>

struct event {
	int64_t id;
	const char *what;
};
ATH_DECLARE(event);
ATH_MODEL(event, "events", ATH_COLUMN(event, id, .primary_key = true), ATH_COLUMN(event, what));

struct job {
	int64_t id;
	const char *name;
};
ATH_DECLARE(job);
ATH_MODEL(job, "jobs", ATH_COLUMN(job, id, .primary_key = true), ATH_COLUMN(job, name));

static const struct ath_model *const models[] = { &event_model, &job_model, NULL };

static enum ath_status end(struct ath_session *db)
{
	enum ath_status status;

	ath_commit(db);
	status = ath_session_error(db) == NULL ? ATH_OK : ath_session_error(db)->status;
	ath_session_close(&db);
	return status;
}

static enum ath_status tell(struct ath_worker *worker, const char *what)
{
	struct ath_session *db;
	struct event *event;
	enum ath_status status = ath_session_open(&db, ath_worker_engine(worker), NULL);

	if (status != ATH_OK)
		return status;
	event = event_new(db);
	event->what = what;
	event_add(db, event);
	return end(db);
}

/* ---- listeners and tasks -------------------------------------------------------------------- */

static enum ath_status before_start(struct ath_worker *worker)
{
	return tell(worker, "before_start");
}

static enum ath_status after_start(struct ath_worker *worker)
{
	return tell(worker, "after_start");
}

static enum ath_status before_stop(struct ath_worker *worker)
{
	return tell(worker, "before_stop");
}

static enum ath_status after_stop(struct ath_worker *worker)
{
	return tell(worker, "after_stop");
}

static void tick(struct ath_worker *worker)
{
	if (tell(worker, "tick") != ATH_OK)
		return; /* the next one may fare better */
}

/* Once for each name. */
static void do_job(struct ath_worker *worker, void *name)
{
	struct ath_query same = ath_query(job);
	struct ath_session *db;
	struct job *job;

	if (ath_session_open(&db, ath_worker_engine(worker), NULL) != ATH_OK)
		return;
	ath_where(&same, ATH_EQ(job, name, (const char *)name));
	if (ath_count(db, &same) == 0) {
		job = job_new(db);
		job->name = name;
		job_add(db, job);
	}
	if (tell(worker, end(db) == ATH_OK ? "job done" : "job failed") != ATH_OK)
		return;
}

/* ---- requests --------------------------------------------------------------------------------
 */

/* Answered before the job is done; the name is copied, since the request ends before the task. */
static struct ath_response *add_job(struct ath_request *req)
{
	char name[32] = "";
	const char *given = ath_arg(req, "name");

	if (given == NULL || strlen(given) >= sizeof name)
		return ath_problem(req, 422, "a name of at most %zu bytes", sizeof name - 1);
	strcpy(name, given);
	if (ath_add_task(ath_request_worker(req), do_job, name, sizeof name) != ATH_OK)
		return ath_problem(req, 503, "too many jobs");
	return ath_response_text(req, 202, "taken");
}

static struct ath_response *must_be_known(struct ath_request *req)
{
	return ath_header(req, "X-Key") != NULL ? NULL : ath_problem(req, 401, "no key");
}

static struct ath_response *mark(struct ath_request *req, struct ath_response *response)
{
	(void)req;
	ath_response_header(response, "X-Mark", "life");
	return response;
}

static struct ath_response *no_page(struct ath_request *req, struct ath_response *problem)
{
	return ath_response_text(req, ath_response_status(problem), "no such page");
}

static const struct ath_error_handler errors[] = { ATH_ON_STATUS(404, no_page), { 0 } };
static const struct ath_route routes[] = { ATH_ROUTE(POST, "/jobs", add_job), { 0 } };
static const struct ath_task tasks[] = { ATH_EVERY(50, tick), { 0 } };

int main(int argc, char **argv)
{
	static const struct ath_app app = {
		.name = "life",
		.version = "1",
		.routes = routes,
		.models = models,
		.before = must_be_known,
		.after = mark,
		.errors = errors,
		.before_start = before_start,
		.after_start = after_start,
		.before_stop = before_stop,
		.after_stop = after_stop,
		.tasks = tasks,
	};

	return ath_main(&app, argc, argv);
}
