/*
 * observed.c - the application of test_observation.sh: requests of every kind that logs, metrics
 * and the status tell of. What has to last lasts until the test has made the file that
 * ATHANOR_TEST_GATE names, so that nothing is a matter of time.
 */
#include <athanor.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct number {
	int64_t id;
};
ATH_DECLARE(number);
ATH_MODEL_VIEW(number, "numbers", ATH_COLUMN(number, id, .primary_key = true));

static bool is_open(void)
{
	return access(getenv("ATHANOR_TEST_GATE"), F_OK) == 0;
}

static struct ath_response *quick(struct ath_request *request)
{
	return ath_response_text(request, 200, "quick");
}

/* Waits as one should. */
static struct ath_response *wait(struct ath_request *request)
{
	while (!is_open() && ath_sleep(10) == ATH_OK)
		;
	return ath_response_text(request, 200, "waited");
}

/* And as one should not: nobody else is served meanwhile. */
static struct ath_response *block(struct ath_request *request)
{
	int64_t most = ath_now() + 20000;

	while (!is_open() && ath_now() < most)
		usleep(1000);
	return ath_response_text(request, 200, "blocked");
}

static struct ath_response *be_slow(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);

	ath_sql(db, number, "select 1 as id from pg_sleep(0.2)");
	ath_sql(db, number, "select 2 as id");
	return ath_response_text(request, 200, "slow");
}

/* A query inside a loop. */
static struct ath_response *repeat(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);

	for (int64_t i = 0; i < 30; i++)
		ath_sql(db, number, "select :i::bigint as id", ATH_BIND("i", i));
	return ath_response_text(request, 200, "repeated");
}

static struct ath_response *break_down(struct ath_request *request)
{
	struct ath_session *db = ath_request_session(request);

	ath_sql(db, number, "select 1 as id from no_such_table");
	return ath_response_text(request, 200, "broken");
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/quick", quick),       ATH_ROUTE(GET, "/quick/<name>", quick),
	ATH_ROUTE(GET, "/wait", wait),         ATH_ROUTE(GET, "/block", block),
	ATH_ROUTE(GET, "/slow", be_slow),      ATH_ROUTE(GET, "/repeat", repeat),
	ATH_ROUTE(GET, "/broken", break_down), { 0 },
};

int main(int argc, char **argv)
{
	static const struct ath_app app = { .name = "observed",
					    .version = "1.0",
					    .routes = routes };

	return ath_main(&app, argc, argv);
}
