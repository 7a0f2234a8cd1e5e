/* models.h - what the application stores: plain structs. */
#ifndef MODELS_H
#define MODELS_H

#include <athanor.h>

struct user;

/** What a user has written. */
struct post {
	int64_t id;
	int64_t user_id; /**< the author's */
	const char *title;
	struct ath_timestamp created_at; /**< the database fills it in */
	struct user *author;             /**< filled only by ath_load() */
};
ATH_DECLARE(post);

/** A person who can log in. */
struct user {
	int64_t id;
	const char *name;          /**< as shown */
	const char *email;         /**< unique */
	struct ath_null_int32 age; /**< NULL: not told */
	struct post_list posts;    /**< filled only by ath_load() */
};
ATH_DECLARE(user);

/** All of them, for the check at start. */
extern const struct ath_model *const models[];

#endif
