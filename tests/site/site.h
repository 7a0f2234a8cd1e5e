/* site.h - what the files of the test application share: the list of subjects, and a helper. */
#ifndef SITE_H
#define SITE_H

#include <athanor.h>

/* Each X(name) has a table name_routes in name.c, served under /name, and rows in name.sh. */
#define SITE_SUBJECT_MAP(X)                                                                        \
	X(answers) X(requests) X(people) X(streams) X(uploads) X(exports) X(old) X(feed)

#define X(name) extern const struct ath_route name##_routes[];
SITE_SUBJECT_MAP(X)
#undef X

extern const struct ath_model fraction_model; /* of exports.c */

/** All models, for the check at start. */
extern const struct ath_model *const models[];

static inline const char *or_dash(const char *text)
{
	return text == NULL ? "-" : text;
}

/* 200 with the text, or NULL when there was no memory for it */
static inline struct ath_response *site_text(struct ath_request *req, const char *text)
{
	return text == NULL ? NULL : ath_response_text(req, 200, text);
}

/** say(req, "%d", 7): an answer of text/plain */
#define say(req, ...) site_text(req, ath_arena_printf(ath_request_arena(req), __VA_ARGS__))

#endif
