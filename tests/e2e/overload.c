/*
 * overload.c - the application of test_overload.sh: what it can do is bounded by the connections of
 * its pool (/held keeps one for 20 ms), or by the processor (/busy keeps that for 5 ms). /sleep is
 * a statement that takes long, by itself or in a transaction, and /lock one that needs a lock.
 */
#include <stdio.h>
#include <time.h>

#include <athanor.h>

struct lock {
	int64_t id;
};
ATH_DECLARE(lock);
ATH_MODEL(lock, "locks", ATH_COLUMN(lock, id, .primary_key = true));

static const struct ath_model *const models[] = { &lock_model, NULL };

static struct ath_response *held(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);

	if (ath_begin(db))
		ath_execute(db, "select pg_sleep(0.02)");
	ath_commit(db);
	return ath_response_text(req, 200, "held");
}

static struct ath_response *busy(struct ath_request *req)
{
	enum { MILLISECONDS = 5 };
	struct timespec now;
	int64_t end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	end = now.tv_sec * 1000000000 + now.tv_nsec + MILLISECONDS * 1000000;
	while (now.tv_sec * 1000000000 + now.tv_nsec < end)
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return ath_response_text(req, 200, "busy");
}

static struct ath_response *slow_read(struct ath_request *req)
{
	struct lock_list list =
		ath_sql(ath_request_session(req), lock, "select 1::int8 as id from pg_sleep(30)");

	return ath_response_text(req, 200, list.count == 1 ? "slept" : "woken");
}

static struct ath_response *slow_write(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);

	if (ath_begin(db))
		ath_execute(db, "select pg_sleep(30)");
	ath_commit(db);
	return ath_response_text(req, 200, "slept");
}

static struct ath_response *take_lock(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);

	ath_execute(db, "update locks set id = id");
	ath_commit(db);
	return ath_response_text(req, 200, "locked");
}

/* What the server was told of the time that this transaction has, in milliseconds. */
static struct ath_response *limits(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct lock_list list = { 0 };
	char text[64];

	if (ath_begin(db))
		list = ath_sql(db, lock,
			       "select setting::int8 as id from pg_settings "
			       "where name in ('lock_timeout', 'statement_timeout') order by name");
	ath_commit(db);
	if (list.count != 2)
		return NULL;
	snprintf(text, sizeof text, "%" PRId64 " %" PRId64, list.items[0]->id, list.items[1]->id);
	return ath_response_text(req, 200, text);
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/held", held),
	ATH_ROUTE(GET, "/busy", busy),
	ATH_ROUTE(GET, "/read", slow_read),
	ATH_ROUTE(GET, "/write", slow_write),
	ATH_ROUTE(GET, "/read-briefly", slow_read, .deadline_ms = 1000),
	ATH_ROUTE(GET, "/write-briefly", slow_write, .deadline_ms = 1000),
	ATH_ROUTE(GET, "/limits", limits),
	ATH_ROUTE(GET, "/limits-briefly", limits, .deadline_ms = 5000),
	ATH_ROUTE(GET, "/lock", take_lock),
	ATH_ROUTE(GET, "/lock-briefly", take_lock, .deadline_ms = 1000),
	{ 0 },
};

int main(int argc, char **argv)
{
	static const struct ath_app app = {
		.name = "overload",
		.version = "1",
		.routes = routes,
		.models = models,
	};

	return ath_main(&app, argc, argv);
}
