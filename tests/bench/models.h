/* models.h - the models of tables.sql. */
#ifndef TESTS_BENCH_MODELS_H
#define TESTS_BENCH_MODELS_H

#include "athanor.h"

struct note {
	int64_t id;
	int64_t person_id;
	const char *title;
	int32_t likes;
	struct ath_timestamp posted;
};
ATH_DECLARE(note);

struct person {
	int64_t id;
	const char *name;
	const char *email;
	const char *nick; /* may be NULL */
	struct ath_null_int32 age;
	struct ath_null_int32 score;
	bool active;
	struct ath_timestamp born;
	struct note_list notes;
};
ATH_DECLARE(person);

struct entry {
	int64_t id;
	const char *name;
	int32_t amount;
	double price;
	const char *remark; /* may be NULL */
	struct ath_timestamp made;
};
ATH_DECLARE(entry);

struct reading {
	int64_t id;
	const char *station;
	double value;
	const char *remark; /* may be NULL */
};
ATH_DECLARE(reading);

ATH_MODEL(note, "notes", ATH_COLUMN(note, id, .primary_key = true),
	  ATH_COLUMN(note, person_id, .references = &person_model), ATH_COLUMN(note, title),
	  ATH_COLUMN(note, likes), ATH_COLUMN(note, posted));

ATH_MODEL(person, "people", ATH_COLUMN(person, id, .primary_key = true), ATH_COLUMN(person, name),
	  ATH_COLUMN(person, email, .unique = true), ATH_COLUMN(person, nick, .nullable = true),
	  ATH_COLUMN(person, age), ATH_COLUMN(person, score, .server_default = "10"),
	  ATH_COLUMN(person, active), ATH_COLUMN(person, born, .server_default = "now()"),
	  ATH_HAS_MANY(person, notes, note, person_id));

ATH_MODEL(entry, "entries", ATH_COLUMN(entry, id, .primary_key = true), ATH_COLUMN(entry, name),
	  ATH_COLUMN(entry, amount), ATH_COLUMN(entry, price),
	  ATH_COLUMN(entry, remark, .nullable = true), ATH_COLUMN(entry, made));

ATH_MODEL(reading, "readings", ATH_COLUMN(reading, id, .primary_key = true),
	  ATH_COLUMN(reading, station), ATH_COLUMN(reading, value),
	  ATH_COLUMN(reading, remark, .nullable = true));

static const struct ath_model *const bench_models[] = { &note_model, &person_model, &entry_model,
							&reading_model, NULL };

#endif
