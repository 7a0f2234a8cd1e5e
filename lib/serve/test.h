/*
 * test.h - for the tests of an application: requests go through all of it, routes, hooks, handlers
 * and the database, without a socket, and what they store is rolled back.
 *
 *	struct ath_test *test;
 *	const struct ath_answer *answer;
 *
 *	if (ath_test_open(&test, &app, NULL, &error) != ATH_OK)
 *		...
 *	answer = ath_test_request(test, POST, "/users", .body = "{\"name\": \"Ada\"}");
 *	assert(answer->status == 201 && answer->round_trips == 1);
 *	ath_test_close(&test);
 *
 * These are called outside any fiber, by one thread.
 */
#ifndef ATH_SERVE_TEST_H
#define ATH_SERVE_TEST_H

#include "serve/serve.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An application with its engine, as in a worker. */
struct ath_test;

/** Zero means the default; so does NULL for all of it. */
struct ath_test_options {
	const char *url; /**< NULL: that of DATABASE_URL */
	/**
	 * What is committed stays, and requests have connections of their own, as in service.
	 * False: see ath_engine_sandbox_reset() for what that is like.
	 */
	bool commit;
	const struct ath_log *log; /**< borrowed; NULL: warnings to standard error */
};

/**
 * Opens an application for tests, and sees to it that the database answers. Its listeners run as in
 * a worker, its periodic tasks do not. What listeners store is rolled back with the rest.
 *
 * @param app    static
 * @param error  says what is wrong: with a model, a route, the URL, the database
 */
ATH_API enum ath_status ath_test_open(struct ath_test **test, const struct ath_app *app,
				      const struct ath_test_options *options,
				      struct ath_error *error) ATH_MUST_CHECK;
/** With all that was stored, unless options.commit. Sets the caller's pointer to NULL. */
ATH_API void ath_test_close(struct ath_test **test);
/**
 * Between two tests: waits for the tasks that handlers have spawned, rolls back all that was
 * stored, unless options.commit, and frees answers and the rows of ath_test_session(), which is
 * another one from now on.
 *
 * @return ATH_OK, ATH_ENOMEM, ATH_EUNAVAILABLE when the database is away, or ATH_ETIMEDOUT when a
 *         task has not ended in 10 s: nothing was rolled back then
 */
ATH_API enum ath_status ath_test_reset(struct ath_test *test) ATH_MUST_CHECK;
/**
 * A session to arrange rows with, and to look at what a request has left: T_get and queries read
 * again after each. What it has changed must be committed before the next request.
 */
ATH_API struct ath_session *ath_test_session(struct ath_test *test);

/** A request; what is left out is not sent. */
struct ath_test_request {
	const char *method, *path; /**< the path as in a URL, with the query */
	const char *body;
	size_t length; /**< of the body; 0: it ends with its NUL */
	/** "Name: value"; ends in NULL. With a body Content-Type is application/json by itself. */
	const char *const *headers;
	/** Bytes of a streamed body behind which the client goes away; 0: it stays to the end. */
	size_t leave_after;
};

#define ATH_HEADERS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/** What came back, until the next reset. */
struct ath_answer {
	int status;       /**< 0: nothing was sent, and body says why, as the log does */
	const char *body; /**< ends with a NUL; of a stream all of it */
	size_t length;
	const char *const *headers; /**< "Name: value"; ends in NULL */
	bool broken;                /**< a stream that failed behind its head, and is not whole */
	size_t statements;          /**< of the request's sessions; BEGIN and COMMIT too */
	size_t rows;                /**< that they have read */
	size_t round_trips;         /**< in which they have sent them */
	/**
	 * The first statement that was run more than ten times, mostly by a query inside a loop;
	 * NULL: none was. Rows that are stored by one flush count as one.
	 */
	const char *repeated;
};

/* Behind ath_test_request(). */
ATH_API const struct ath_answer *ath_test_send(struct ath_test *test,
					       const struct ath_test_request *request);
/**
 * Sends a request and waits for its answer, which is never NULL:
 *
 *	ath_test_request(test, GET, "/users?limit=2", .headers = ATH_HEADERS("Accept: text/html"))
 */
#define ath_test_request(test, method_, ...)                                                       \
	ath_test_send(test,                                                                        \
		      &(const struct ath_test_request){ .method = #method_, .path = __VA_ARGS__ })

/** The value of a header, whatever its case, or NULL. Of several that of the first. */
ATH_API const char *ath_answer_header(const struct ath_answer *answer, const char *name);

#ifdef __cplusplus
}
#endif

#endif
