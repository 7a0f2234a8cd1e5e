/* status.c - the page of GET /-/status. */
#include "serve/scoreboard_parts.h"
struct ath_response *ath_answer_status(struct ath_request *request)
{
	return ath_problem(request, 404, "x");
}
