/* models.c - what the members are: the tables, column by column. */
#include "models.h"

ATH_MODEL(user, "users", ATH_COLUMN(user, id, .primary_key = true),
	  ATH_COLUMN(user, name, .index = true, .min_length = 1, .max_length = 200),
	  ATH_COLUMN(user, email, .unique = true, .index = true, .format = ATH_EMAIL),
	  ATH_COLUMN(user, age, .min = 0, .max = 150), ATH_HAS_MANY(user, posts, post, user_id));

ATH_MODEL(post, "posts", ATH_COLUMN(post, id, .primary_key = true),
	  ATH_COLUMN(post, user_id, .references = &user_model, .on_delete = ATH_CASCADE,
		     .index = true),
	  ATH_COLUMN(post, title, .min_length = 1, .max_length = 300),
	  ATH_COLUMN(post, created_at, .server_default = "now()", .read_only = true),
	  ATH_BELONGS_TO(post, author, user, user_id));

const struct ath_model *const models[] = { &user_model, &post_model, &ath_idempotency_key_model,
					   NULL };
