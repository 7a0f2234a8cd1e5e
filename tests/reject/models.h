/* models.h - two models, for the programs of this folder. */
#ifndef MODELS_H
#define MODELS_H

#include <athanor.h>

struct post {
	int64_t id;
	int64_t user_id;
	char *title;
	struct ath_timestamp created_at;
};
ATH_DECLARE(post);

struct user {
	int64_t id;
	char *name;
	const char *email;
	struct ath_null_int32 age;
	struct post_list posts;
};
ATH_DECLARE(user);

#endif
