/*
 * loop.h - waiting without blocking. Inside a handler or a task these suspend the fiber and
 * let the worker serve others; in a plain program, outside any fiber, they simply block.
 */
#ifndef ATH_LOOP_H
#define ATH_LOOP_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** No deadline: wait as long as it takes. */
#define ATH_NEVER INT64_MAX

enum ath_event { ATH_READABLE = 1, ATH_WRITABLE = 2 };

/** Milliseconds on a clock that never goes back; its zero means nothing. */
ATH_API int64_t ath_now(void);

/**
 * Sleeps.
 *
 * @param milliseconds  0 lets every other fiber that is ready run first
 * @return ATH_OK, ATH_ETIMEDOUT when the request's deadline came first, or ATH_ECANCELED
 *         when its client went away
 */
ATH_API enum ath_status ath_sleep(int64_t milliseconds);

/**
 * Waits until fd is ready, or has failed, which reading or writing will then tell.
 *
 * @param fd        any descriptor that epoll takes, waited for by one fiber at a time; not
 *                  to be closed meanwhile
 * @param deadline  on ath_now()'s clock, or ATH_NEVER; the request's own deadline holds too
 * @return ATH_OK, ATH_ETIMEDOUT, ATH_ECANCELED, or ATH_EIO when fd cannot be waited for
 */
ATH_API enum ath_status ath_wait_fd(int fd, enum ath_event event, int64_t deadline) ATH_MUST_CHECK;

/**
 * Starts task(arg) in a fiber of its own, which outlives the request: arg must too. It has
 * no deadline, and runs first when its starter next waits. The end of a worker does not wait for
 * it: see ath_add_task().
 *
 * @return ATH_OK, ATH_ENOMEM, or ATH_EINVAL outside a fiber
 */
ATH_API enum ath_status ath_spawn(void (*task)(void *arg), void *arg) ATH_MUST_CHECK;

/**
 * Runs job(arg) on another thread and waits for its end, whatever the deadline: for what
 * must block, such as a name look-up or the reading of a long file. job must not call
 * functions of this library that take a request or a session.
 *
 * @return ATH_OK, or ATH_ENOMEM when no thread could be had; job did not run then
 */
ATH_API enum ath_status ath_offload(void (*job)(void *arg), void *arg) ATH_MUST_CHECK;

/**
 * For such a job: runs call(arg) in the fiber that waits for it, where every function may be
 * called, and waits for its end. Elsewhere it just calls.
 */
ATH_API void ath_offload_back(void (*call)(void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif
