/* models.h - a few models, for the programs of this folder. */
#ifndef MODELS_H
#define MODELS_H

#include <athanor.h>

/* each has a list or a pointer of the other */
ATH_DECLARE_LIST(user);
ATH_DECLARE_LIST(label);

struct post {
	int64_t id;
	int64_t user_id;
	char *title;
	struct ath_timestamp created_at;
	struct user *author;
	struct label_list labels;
};
ATH_DECLARE(post);

struct profile {
	int64_t id;
	int64_t user_id;
};
ATH_DECLARE(profile);

enum mood { CALM, BUSY };

struct user {
	int64_t id;
	char *name;
	const char *email;
	struct ath_null_int32 age;
	enum mood mood;
	struct ath_text_array tags;
	struct ath_json data;
	struct post_list posts;
	struct profile *profile;
};
ATH_DECLARE_FUNCTIONS(user, id);

struct label {
	int32_t id;
	const char *name;
	struct post_list posts;
};
ATH_DECLARE_FUNCTIONS(label, id);

struct post_label {
	int64_t post_id;
	int32_t label_id;
};
ATH_DECLARE_KEY(post_label, post_id, label_id);

/* What a query selects. */
struct total {
	const char *name;
	int64_t count;
};
ATH_DECLARE_RESULT(total);

/* What a body holds. */
struct line {
	const char *product;
	int32_t amount;
};
ATH_DECLARE_SHAPE(line);

struct order {
	const char *customer;
	struct line *first;
	struct line_list lines;
	struct user *seller;
};
ATH_DECLARE_SHAPE(order);

#endif
