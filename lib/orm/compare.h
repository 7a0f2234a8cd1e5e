/* compare.h - for compare.c and compare_columns.c. */
#ifndef ATH_ORM_COMPARE_H
#define ATH_ORM_COMPARE_H

#include "orm/catalogue.h"

struct ath_comparison {
	struct ath_session *session;
	struct ath_catalogue live;
	const struct ath_model *const
		*models; /* that have a table, in the order of their numbers */
	size_t count;
	const struct ath_model *model; /* the one that is looked at, */
	int64_t number;                /* and its number */
	void (*difference)(const char *text, void *arg);
	void *arg;
};

/* Tells a difference: "user.email: ", or "user: " where there is no member with a name. */
void ath_comparison_tell(const struct ath_comparison *comparison, const struct ath_member *member,
			 const char *format, ...) ATH_PRINTF(3, 4);
/* "a, b", each between the quotes; in the session's memory. */
const char *ath_comparison_list(const struct ath_comparison *comparison, const char *const *items,
				size_t count, const char *quote);
bool ath_names_have(const struct ath_text_array *there, const char *name);

/* One column, and those that the model does not know. */
void ath_compare_column(const struct ath_comparison *comparison, const struct ath_member *column);
void ath_compare_unknown(const struct ath_comparison *comparison);

#endif
