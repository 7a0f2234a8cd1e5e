/*
 * things.h - a model with a member of every type, once as it must be and once as it may be NULL,
 * and with relations first and last.
 */
#ifndef TESTS_THINGS_H
#define TESTS_THINGS_H

#include <athanor.h>

struct part {
	int64_t id;
	int64_t thing_id;
	const char *name;
};
ATH_DECLARE(part);

struct thing {
	struct part_list first_parts;
	int64_t id;
	const char *name;
	const char *email;
	const char *note; /* may be NULL */
	bool flag;
	int16_t small;
	int32_t medium;
	int64_t large;
	double real;
	struct ath_timestamp moment;
	struct ath_uuid uuid;
	struct ath_null_bool null_flag;
	struct ath_null_int16 null_small;
	struct ath_null_int32 null_medium;
	struct ath_null_int64 null_large;
	struct ath_null_double null_real;
	struct ath_null_timestamp null_moment;
	struct ath_null_uuid null_uuid;
	struct ath_timestamp made_at; /* the database's */
	struct part_list parts;
};
ATH_DECLARE(thing);

ATH_MODEL(part, "parts", ATH_COLUMN(part, id, .primary_key = true),
	  ATH_COLUMN(part, thing_id, .references = &thing_model), ATH_COLUMN(part, name));

ATH_MODEL(thing, "things", ATH_HAS_MANY(thing, first_parts, part, thing_id),
	  ATH_COLUMN(thing, id, .primary_key = true),
	  ATH_COLUMN(thing, name, .min_length = 2, .max_length = 5),
	  ATH_COLUMN(thing, email, .unique = true, .format = ATH_EMAIL),
	  ATH_COLUMN(thing, note, .nullable = true), ATH_COLUMN(thing, flag),
	  ATH_COLUMN(thing, small), ATH_COLUMN(thing, medium, .min = -5, .max = 150),
	  ATH_COLUMN(thing, large), ATH_COLUMN(thing, real), ATH_COLUMN(thing, moment),
	  ATH_COLUMN(thing, uuid), ATH_COLUMN(thing, null_flag), ATH_COLUMN(thing, null_small),
	  ATH_COLUMN(thing, null_medium), ATH_COLUMN(thing, null_large),
	  ATH_COLUMN(thing, null_real, .min = 0, .max = 10), ATH_COLUMN(thing, null_moment),
	  ATH_COLUMN(thing, null_uuid),
	  ATH_COLUMN(thing, made_at, .server_default = "now()", .read_only = true),
	  ATH_HAS_MANY(thing, parts, part, thing_id));

/* A row whose key is the client's own. */
struct label {
	const char *code;
	const char *text;
};
ATH_DECLARE_KEY(label, code);

ATH_MODEL(label, "labels", ATH_COLUMN(label, code, .primary_key = true), ATH_COLUMN(label, text));

static const struct ath_model *const models[]
	__attribute__((unused)) = { &thing_model, &part_model, &label_model, NULL };

#endif
