/* metrics.c - the page of GET /-/metrics. */
#include "serve/scoreboard_parts.h"
struct ath_response *ath_answer_metrics(struct ath_request *request)
{
	return ath_problem(request, 404, "x");
}
