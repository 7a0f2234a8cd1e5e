/* exports.c - rows of the database in any number, and what a failure on the way looks like. */
#include "site.h"

struct fraction {
	int64_t id;
	int64_t value;
};
ATH_DECLARE_RESULT(fraction);

/* The view is the test's. */
ATH_MODEL_VIEW(fraction, "fractions", ATH_COLUMN(fraction, id, .primary_key = true),
	       ATH_COLUMN(fraction, value));

/* ?before: the view cannot go beyond 100,000 */
static struct ath_cursor *fractions(struct ath_request *req)
{
	struct ath_query q = ath_query(fraction);

	ath_where(&q, ATH_LT(fraction, id, ath_arg_int(req, "before", 100000, 1, 200000)));
	return fraction_each(ath_request_session(req), &q);
}

static struct ath_response *lines(struct ath_request *req)
{
	return fraction_ndjson(req, fractions(req), NULL);
}

static struct ath_response *table(struct ath_request *req)
{
	return fraction_csv(req, fractions(req), "fractions.csv");
}

const struct ath_route exports_routes[] = {
	ATH_ROUTE(GET, "/lines", lines),
	ATH_ROUTE(GET, "/table", table),
	{ 0 },
};
