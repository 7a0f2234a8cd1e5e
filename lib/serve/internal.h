/*
 * serve/internal.h - between the command line and the worker.
 */
#ifndef ATH_SERVE_INTERNAL_H
#define ATH_SERVE_INTERNAL_H

#include "rest/internal.h"
#include "serve/serve.h"

/* What the environment says; defaults where it says nothing. */
struct ath_configuration {
	const char *database_url; /* DATABASE_URL */
	const char *migrations;   /* ATHANOR_MIGRATIONS: a directory; sql */
	struct ath_log log;       /* ATHANOR_LOG_LEVEL: error, warning, info, debug; info */
	const char *spool;        /* TMPDIR: where uploads are kept meanwhile; /var/tmp */
	bool access_log;          /* ATHANOR_ACCESS_LOG: on or off; off */
};

enum ath_status ath_configuration_read(struct ath_configuration *configuration,
				       struct ath_error *error) ATH_MUST_CHECK;

/* Serves the listening socket until TERM or INT, and what is in flight then. */
enum ath_status ath_worker_serve(const struct ath_app *app,
				 const struct ath_configuration *configuration, int fd,
				 struct ath_error *error) ATH_MUST_CHECK;
/* Answers one CGI request. */
enum ath_status ath_worker_cgi(const struct ath_app *app,
			       const struct ath_configuration *configuration,
			       struct ath_error *error) ATH_MUST_CHECK;

#endif
