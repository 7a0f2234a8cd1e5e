/*
 * catalogue.h - the tables, columns, constraints and indexes that the database has for the models.
 */
#ifndef ATH_ORM_CATALOGUE_H
#define ATH_ORM_CATALOGUE_H

#include "orm/internal.h"

/* number, in all of them: which of the models, from 1 */
struct ath_live_table {
	int64_t number;
	struct ath_null_int64 oid; /* not valid: there is none */
	const char *kind;          /* pg_class.relkind */
	bool has_trigger;          /* before a row is inserted: it may fill any column */
};

struct ath_live_column {
	int64_t number;
	const char *name;
	const char *type;   /* as it is written, with its domain's name */
	const char *base;   /* below all domains, with length or precision */
	const char *family; /* the same without */
	bool not_null, has_default;
	bool generated;               /* computed: nobody may send it */
	bool counted;                 /* an identity */
	bool checked;                 /* by a domain */
	struct ath_text_array labels; /* of an enum type */
};

struct ath_live_constraint {
	int64_t number;
	const char *name;
	const char *kind; /* pg_constraint.contype */
	struct ath_text_array columns;
	int64_t target; /* oid; 0: it is no foreign key */
	const char *target_name;
	struct ath_text_array target_columns;
	const char *on_delete, *on_update; /* pg_constraint.confdeltype */
	const char *definition;
};

struct ath_live_index {
	int64_t number;
	const char *name, *method;
	bool is_unique, is_valid, is_partial;
	struct ath_text_array columns; /* "" for an expression */
};

ATH_LIST_(ath_live_table)
ATH_LIST_(ath_live_column)
ATH_LIST_(ath_live_constraint)
ATH_LIST_(ath_live_index)

struct ath_catalogue {
	struct ath_live_table_list tables; /* one for each name */
	struct ath_live_column_list columns;
	struct ath_live_constraint_list constraints;
	struct ath_live_index_list indexes;
};

/*
 * Looks the tables up as any statement would, by the search path; names are quoted. Four queries,
 * however many tables there are. What is wrong is the session's error.
 */
void ath_catalogue_read(struct ath_session *session, struct ath_text_array names,
			struct ath_catalogue *catalogue);

#endif
