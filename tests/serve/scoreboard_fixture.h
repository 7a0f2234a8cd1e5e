/*
 * scoreboard_fixture.h - a scoreboard, and workers that write it, without a database and a socket:
 * what a handler looks at in the middle of a request is what another process would see.
 */
#ifndef TESTS_SERVE_SCOREBOARD_FIXTURE_H
#define TESTS_SERVE_SCOREBOARD_FIXTURE_H

#include "../web/whole_request.h"
#include "serve/scoreboard_parts.h"

enum { SLOTS = 3 };

static struct ath_worker worker;
static struct ath_scoreboard *board;
static struct ath_arena *arena;
static void (*in_flight)(struct ath_request *request); /* called by look; NULL: nobody looks */

static inline struct ath_response *look(struct ath_request *request)
{
	if (in_flight != NULL)
		in_flight(request);
	return ath_response_text(request, 200, "seen");
}

static inline struct ath_response *create(struct ath_request *request)
{
	return ath_response_text(request, 201, "created");
}

static inline struct ath_response *odd(struct ath_request *request)
{
	return ath_response_text(request, 299, "odd");
}

static const struct ath_route in_group[] = { ATH_ROUTE(POST, "/", create), { 0 } };
static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/look/<id:int>", look),
	{ .path = "/users", .group = in_group },
	ATH_ROUTE(GET, "/quoted/<code:[\"\\]+>", odd),
	ATH_ROUTE(GET, "/odd", odd),
	{ 0 },
};
static const struct ath_app app = { .name = "counted", .version = "1.2", .routes = routes };

static struct ath_configuration configuration = {
	.log = { .fd = -1 },
	.access = { .fd = -1 },
	.slow = { .fd = -1 },
	.database_url = "postgresql:///none?host=/nonexistent",
};

static inline int setup(void **state)
{
	struct ath_error error = { 0 };

	(void)state;
	in_flight = NULL;
	if (ath_scoreboard_open(&board, &app, SLOTS, &error) != ATH_OK)
		fail_msg("%s", error.message);
	assert_int_equal(ath_arena_open(&arena, 0), ATH_OK);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	ath_scoreboard_close(&board);
	assert_null(board);
	ath_arena_close(&arena);
	return 0;
}

static inline void begin_worker(struct ath_slot *slot)
{
	struct ath_error error = { 0 };

	assert_non_null(slot);
	if (ath_worker_open(&worker, &app, &configuration, &error) != ATH_OK)
		fail_msg("%s", error.message);
	loop = worker.loop;
	worker.slot = slot;
	ath_slot_set_pid(slot, getpid());
	ath_slot_attach(&worker);
	ath_slot_set_state(slot, ATH_WORKER_SERVES);
}

static inline void end_worker(void)
{
	ath_slot_detach(&worker);
	ath_worker_close(&worker);
}

static inline void run_in_fiber(void *arg)
{
	void (*const *run)(void) = arg;

	(*run)();
	ath_loop_stop(loop);
}

/* As the hooks of requests are called. */
static inline void in_fiber(void (*run)(void))
{
	assert_int_equal(ath_loop_spawn(loop, run_in_fiber, &run, ATH_NEVER, NULL), ATH_OK);
	ath_loop_run(loop);
}

/* The whole answer, in the memory of the test. */
static inline const char *ask_with(const char *method, const char *uri, const char *accept)
{
	struct ath_request *request = ath_request_new(&worker.web);
	size_t length;
	char *got, *kept;

	assert_non_null(request);
	put_usual_pairs(&request->raw_params, method, uri);
	put_pair(&request->raw_params, "REMOTE_ADDR", "192.0.2.1");
	if (accept != NULL)
		put_pair(&request->raw_params, "HTTP_ACCEPT", accept);
	got = handle(request, &length);
	kept = ath_arena_copy(arena, got, length);
	assert_non_null(kept);
	free(got);
	ath_request_free(request);
	return kept;
}

static inline const char *ask(const char *method, const char *uri)
{
	return ask_with(method, uri, NULL);
}

static inline const char *body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

#endif
