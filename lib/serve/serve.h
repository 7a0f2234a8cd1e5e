/*
 * serve.h - the application as a program: its commands, and the worker.
 */
#ifndef ATH_SERVE_H
#define ATH_SERVE_H

#include "orm/orm.h"
#include "web/web.h"

#ifdef __cplusplus
extern "C" {
#endif

/** All of it static. */
struct ath_app {
	const char *name; /**< of the program */
	const char *version;
	const struct ath_route *routes;        /**< ends in { 0 } */
	const struct ath_model *const *models; /**< ends in NULL; NULL: none */
	/** Around all requests that have a route, as those of a group: see struct ath_route. */
	struct ath_response *(*before)(struct ath_request *request);
	/** Of all requests, those without a route too. */
	struct ath_response *(*after)(struct ath_request *request, struct ath_response *response);
};

/**
 * The main() of an application. Started by spawn-fcgi or systemd it serves the socket it was
 * given; started by a web server as CGI it answers one request; with a command it does that:
 *
 *	serve               serve FastCGI on descriptor 0 or on LISTEN_FDS
 *	migrate [up|down]   bring the database of DATABASE_URL to the newest migration
 *	--help, --version
 *
 * @return the exit status: 0, 1 when something failed (one line on standard error says what),
 *         2 for a command line that makes no sense
 */
ATH_API int ath_main(const struct ath_app *app, int argc, char **argv) ATH_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
