/*
 * log.h - one JSON object a line, or text that a person reads; one write a line,
 * or one for several of a log that has many.
 *
 *	struct ath_log_line line;
 *
 *	ath_log_begin(&line, log, ATH_LOG_WARNING, "pipeline lost");
 *	ath_log_text(&line, "reason", error.message);
 *	ath_log_end(&line);
 */
#ifndef ATH_LOG_H
#define ATH_LOG_H

#include "base/base.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ath_log_level { ATH_LOG_ERROR, ATH_LOG_WARNING, ATH_LOG_INFO, ATH_LOG_DEBUG };

/** How lines look: for machines, or for a person, in black and white or at a terminal. */
enum ath_log_form { ATH_LOG_JSON, ATH_LOG_READABLE, ATH_LOG_COLOURED };

struct ath_log_batch;

/** Where lines go. Plain data: zero is errors only, as JSON, to descriptor 0: set the first two. */
struct ath_log {
	int fd;
	enum ath_log_level level; /**< the least urgent level that is still written */
	enum ath_log_form form;
	struct ath_log_batch *batch; /**< NULL: each line is written at once */
};

/** A line under construction. A line past 2 KiB loses its last members, never its form. */
struct ath_log_line {
	const struct ath_log *log; /**< NULL: this level is not written, all calls do nothing */
	struct ath_buffer buffer;
	size_t whole; /**< length up to the last complete member */
	char bytes[2048];
};

ATH_API void ath_log_begin(struct ath_log_line *line, const struct ath_log *log,
			   enum ath_log_level level, const char *message);
ATH_API void ath_log_text(struct ath_log_line *line, const char *name, const char *value);
ATH_API void ath_log_int(struct ath_log_line *line, const char *name, int64_t value);
/** Writes the line. A log that cannot be written is not an error of the program. */
ATH_API void ath_log_end(struct ath_log_line *line);

#ifdef __cplusplus
}
#endif

#endif
