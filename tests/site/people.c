/* people.c - rows of the database: a session that reads, and one that writes. */
#include <inttypes.h>

#include "site.h"

/** The users of the example application's migrations, without their age. */
struct person {
	int64_t id;
	const char *name;
	const char *email;
};
ATH_DECLARE(person);

ATH_MODEL(person, "users", ATH_COLUMN(person, id, .primary_key = true),
	  ATH_COLUMN(person, name, .min_length = 1, .max_length = 200),
	  ATH_COLUMN(person, email, .unique = true, .format = ATH_EMAIL));

const struct ath_model *const models[] = { &person_model, &fraction_model, NULL };

static struct ath_response *show_person(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct person *person = person_get(db, ath_path_int(req, "id"));

	return person == NULL ? ath_problem(req, 404, "nobody") : person_json(req, 200, person);
}

static struct ath_response *create_person(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct person *person = person_bind(req);

	person_add(db, person);
	ath_commit(db);
	return person_created(req, person, "/people/%" PRId64, person->id);
}

const struct ath_route people_routes[] = {
	ATH_ROUTE(GET, "/<id:int>", show_person),
	ATH_ROUTE(POST, "/", create_person),
	{ 0 },
};
