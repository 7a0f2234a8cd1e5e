/*
 * whole_request.h - a request through the application without a server: what a front would have
 * read goes in, the rendered answer comes out.
 */
#ifndef TESTS_WEB_WHOLE_REQUEST_H
#define TESTS_WEB_WHOLE_REQUEST_H

#include "fcgi_client.h"
#include "web/internal.h"

static struct ath_loop *loop;
static struct ath_web web;

static inline int open_routes(const struct ath_route *routes, struct ath_web_limits limits)
{
	struct ath_error error = { 0 };

	web.limits = limits;
	if (ath_web_open(&web, routes, &error) != ATH_OK) {
		fprintf(stderr, "%s\n", error.message);
		return -1;
	}
	return ath_loop_open(&loop, NULL) == ATH_OK ? 0 : -1;
}

static inline int close_web(void **state)
{
	(void)state;
	ath_web_close(&web);
	ath_loop_close(&loop);
	return 0;
}

struct run {
	struct ath_request *request;
	struct ath_output output;
};

static inline void run_fiber(void *arg)
{
	struct run *run = arg;

	ath_web_handle(run->request, &run->output);
	ath_loop_stop(loop);
}

/* Handles what raw_params and raw_body hold; the answer is one string, malloc. */
static inline char *handle(struct ath_request *request, size_t *length)
{
	struct run run = { .request = request };
	char *whole;

	request->arrived = ath_now();
	request->deadline = request->arrived + request->web->limits.deadline_ms;
	assert_int_equal(ath_loop_spawn(loop, run_fiber, &run, request->deadline, NULL), ATH_OK);
	ath_loop_run(loop);
	assert_int_equal(ath_loop_fibers(loop), 0);
	*length = run.output.head_length + run.output.body_length;
	whole = calloc(1, *length + 1);
	assert_non_null(whole);
	memcpy(whole, run.output.head + ATH_HEAD_ROOM, run.output.head_length);
	if (run.output.body_length > 0)
		memcpy(whole + run.output.head_length, run.output.body, run.output.body_length);
	return whole;
}

#endif
