/* tables.h - scenarios on tables that are made from models, empty for each of them. */
#ifndef TESTS_ORM_TABLES_H
#define TESTS_ORM_TABLES_H

#include "scenario.h"

static const struct ath_model *const *tables; /* ends in NULL */

static inline void create_tables(void *arg)
{
	struct ath_session *db = open_session(0);

	(void)arg;
	if (!ath_create_all(db, tables) || !ath_commit(db))
		die_of("ath_create_all", db->error.message);
	ath_session_close(&db);
}

static inline int open_scenario(void **state)
{
	const struct scenario *scenario = *state;
	/* one pipeline: a second, opened while the first is slow, would be counted as round trips
	 */
	struct ath_engine_options options = { .log = &silence, .pipelines = 1 };
	const char *url = scenario != NULL && scenario->proxied ? proxy_url : database_url;

	failure[0] = '\0';
	if (open_loop(NULL) != 0)
		return -1;
	options.loop = loop;
	return ath_engine_open(&engine, url, &options, &(struct ath_error){ 0 }) != ATH_OK;
}

static inline int setup_scenario(void **state)
{
	char sql[1024] = "truncate ";

	for (size_t i = 0; tables[i] != NULL; i++)
		snprintf(sql + strlen(sql), sizeof sql - strlen(sql), "%s%s", i == 0 ? "" : ", ",
			 tables[i]->table);
	snprintf(sql + strlen(sql), sizeof sql - strlen(sql), " restart identity cascade");
	run_sql(sql);
	return open_scenario(state);
}

static inline void test_scenario(void **state)
{
	start(run_in_session, *state, ATH_NEVER);
	run_fibers();
	if (failure[0] != '\0')
		fail_msg("%s", failure);
}

static inline int setup_tables(void **state, const struct ath_model *const *models)
{
	struct ath_error error;
	void *none = NULL;

	tables = models;
	if (ath_models_check(models, &error) != ATH_OK)
		die_of("the models", error.message);
	if (create_database(state) != 0 || open_scenario(&none) != 0)
		return -1;
	start(create_tables, NULL, ATH_NEVER);
	run_fibers();
	start_proxy();
	return close_engine(state);
}

static inline int teardown_tables(void **state)
{
	stop_proxy();
	return drop_database(state);
}

#define SCENARIO(name)                                                                             \
	{                                                                                          \
#name, name, false, false                                                          \
	}
#define PROXIED(name)                                                                              \
	{                                                                                          \
#name, name, true, false                                                           \
	}
#define RUN_SCENARIOS(scenarios, setup_all)                                                        \
	struct CMUnitTest tests_[ATH_COUNT(scenarios)];                                            \
	for (size_t i = 0; i < ATH_COUNT(scenarios); i++)                                          \
		tests_[i] = (struct CMUnitTest){ scenarios[i].name, test_scenario, setup_scenario, \
						 close_engine, &scenarios[i] };                    \
	return cmocka_run_group_tests(tests_, setup_all, teardown_tables)

#endif
