/*
 * db/url.h - database URLs: which driver, which options are the engine's, what is left for
 * the driver. A pure function over text.
 */
#ifndef ATH_DB_URL_H
#define ATH_DB_URL_H

#include "db/driver.h"

/*
 * Finds the driver of a URL and moves the engine's own options out of its query into
 * options. rest receives the URL without them, malloc'd.
 */
enum ath_status ath_url_read(const char *url, const struct ath_driver **driver,
			     struct ath_engine_options *options, char **rest,
			     struct ath_error *error) ATH_MUST_CHECK;

#endif
