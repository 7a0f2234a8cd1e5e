/* configuration.c - what the environment says. */
#include <stdlib.h>

#include "serve/internal.h"

static const char *or_default(const char *name, const char *usual)
{
	const char *value = getenv(name);

	return value == NULL || *value == '\0' ? usual : value;
}

static void read_level(struct ath_configuration *configuration, struct ath_error *error)
{
	static const char *const names[] = { [ATH_LOG_ERROR] = "error",
					     [ATH_LOG_WARNING] = "warning",
					     [ATH_LOG_INFO] = "info",
					     [ATH_LOG_DEBUG] = "debug" };
	const char *level = or_default("ATHANOR_LOG_LEVEL", "info");

	for (size_t i = 0; i < ATH_COUNT(names); i++) {
		if (strcmp(level, names[i]) == 0) {
			configuration->log.level = (enum ath_log_level)i;
			return;
		}
	}
	ath_error_set(error, ATH_EINVAL,
		      "ATHANOR_LOG_LEVEL is error, warning, info or debug, not \"%s\"", level);
}

enum ath_status ath_configuration_read(struct ath_configuration *configuration,
				       struct ath_error *error)
{
	const char *access_log = or_default("ATHANOR_ACCESS_LOG", "off");

	*configuration = (struct ath_configuration){
		.database_url = or_default("DATABASE_URL", NULL),
		.listen_url = or_default("DATABASE_LISTEN_URL", NULL),
		.migrations = or_default("ATHANOR_MIGRATIONS", "sql"),
		.backlog = 1024,
		.listen_mode = 0660,
		.workers = 1,
		.start_timeout_ms = 30 * 1000,
		.stop_timeout_ms = 15 * 1000,
		.hang_timeout_ms = 60 * 1000,
		.blocked_ms = 100,
		.deadline_ms = 30 * 1000,
		.max_body = 1024 * 1024,
		.requests_in_flight = 1024,
		.streams = 16 * 1024,
		.spool = or_default("TMPDIR", "/var/tmp"),
		.log = { .fd = 2 },
		.access = { .fd = strcmp(access_log, "on") == 0 ? 2 : -1, .level = ATH_LOG_INFO },
		.slow = { .fd = 2, .level = ATH_LOG_WARNING },
		.access_file = access_log,
		.slow_file = "on",
		.slow_ms = 1000,
	};
	read_level(configuration, error);
	if (strcmp(access_log, "on") != 0 && strcmp(access_log, "off") != 0)
		ath_error_set(error, ATH_EINVAL, "ATHANOR_ACCESS_LOG is on or off, not \"%s\"",
			      access_log);
	if (configuration->database_url == NULL)
		ath_error_set(error, ATH_EINVAL,
			      "DATABASE_URL is not set: postgresql://user@host/database");
	return error->status;
}
