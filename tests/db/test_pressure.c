/*
 * test_pressure.c - a server that grants too few connections, one that falls silent, and
 * statements that must not take a connection, or those who share it, down with them.
 *
 * A wait that must not be for ever is ended by an alarm, which ends the program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"
#include "proxy.h"

enum { MANY = 40, GRANTED = 2, SIZE = 4, CONNECT_S = 2, LIMIT_S = 180 };

/* ---- engines ---------------------------------------------------------------------------- */

static int setup_with(const char *url, struct ath_engine_options options)
{
	alarm(LIMIT_S);
	options.pool_timeout_ms = PATIENCE_MS;
	return open_loop(NULL) || open_engine_with(url, options);
}

static int teardown(void **state)
{
	int failed = close_engine(state);

	alarm(0);
	return failed;
}

static int setup_single(void **state)
{
	(void)state;
	return setup_with(database_url,
			  (struct ath_engine_options){ .pipelines = 1, .pool_size = 1 });
}

/* Nothing but a cancel ends a statement. */
static int setup_patient(void **state)
{
	(void)state;
	return setup_with(database_url, (struct ath_engine_options){ .pipelines = 1,
								     .pool_size = 1,
								     .statement_timeout_ms = -1 });
}

static int setup_proxy(void **state)
{
	(void)state;
	tell_proxy(PROXY_UP);
	return setup_with(proxy_url, (struct ath_engine_options){ .pipelines = 1,
								  .pool_size = 1,
								  .connect_timeout_s = CONNECT_S });
}

static int teardown_proxy(void **state)
{
	tell_proxy(PROXY_RELEASE);
	return teardown(state);
}

static enum ath_status run_on(struct ath_connection *connection, const char *text, int64_t deadline)
{
	struct ath_batch *batch = one_statement(text, NULL, 0);
	enum ath_status status = ath_engine_run(engine, connection, batch, deadline, false);

	ath_batch_clear(batch);
	return status;
}

static struct ath_connection *checkout(void)
{
	struct ath_connection *connection;
	struct ath_error error = { 0 };

	if (ath_engine_checkout(engine, &connection, ath_now() + PATIENCE_MS, &error) != ATH_OK)
		fail_msg("%s", error.message);
	return connection;
}

static void assert_pool_works(void)
{
	struct ath_connection *connection = checkout();

	assert_int_equal(run_on(connection, "select 1", ath_now() + PATIENCE_MS), ATH_OK);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(engine->idle_count, 1);
}

/* ---- fewer connections than the pool's size -------------------------------------------------- */

static char role[80];

static void run_about_role(const char *format)
{
	char sql[256];

	snprintf(sql, sizeof sql, format, role);
	run_sql(sql);
}

static int setup_role(void **state)
{
	char url[1280];

	(void)state;
	snprintf(role, sizeof role, "pressed_%d", (int)getpid());
	run_about_role("create role %s login connection limit 2");
	snprintf(url, sizeof url, "postgresql:///%s?host=%s&port=%s&user=%s", database_name,
		 database_socket, database_port, role);
	return setup_with(url, (struct ath_engine_options){ .pool_size = SIZE });
}

static int teardown_role(void **state)
{
	int failed = teardown(state);

	run_about_role("drop role if exists %s");
	return failed;
}

struct transaction {
	enum ath_status status;
	struct ath_error error;
};

static void transact(void *arg)
{
	static const char *const texts[] = { "begin", "select pg_sleep(0.001)", "rollback" };
	struct transaction *transaction = arg;
	struct ath_connection *connection;
	int64_t deadline = ath_now() + PATIENCE_MS;

	transaction->status =
		ath_engine_checkout(engine, &connection, deadline, &transaction->error);
	for (size_t i = 0; transaction->status == ATH_OK && i < ATH_COUNT(texts); i++)
		transaction->status = run_on(connection, texts[i], deadline);
	ath_engine_give_back(engine, &connection);
}

static bool no_jobs(void)
{
	return engine->jobs == 0;
}

/* Who can have a lent connection soon is not told that no more can be opened. */
static void test_fewer_are_granted_than_wanted(void **state)
{
	static struct transaction transactions[MANY];

	(void)state;
	NOT_POOLED("the pooler lets in whom the server would refuse");
	for (int round = 0; round < 3; round++) {
		engine->retry.at = 0; /* as if the pause after the failure were over */
		for (size_t i = 0; i < MANY; i++) {
			transactions[i] = (struct transaction){ 0 };
			start(transact, &transactions[i], ATH_NEVER);
		}
		run_fibers();
		for (size_t i = 0; i < MANY; i++)
			if (transactions[i].status != ATH_OK)
				fail_msg("%zu: %s", i, transactions[i].error.message);
		assert_true(turn_until(no_jobs));
		assert_int_equal(engine->pool_count, GRANTED);
		assert_int_equal(engine->idle_count, GRANTED);
	}
}

/* ---- a statement that nobody waits for any more ------------------------------------------------
 */

static int64_t sleeping_pid; /* of a backend; 0: not known yet */

static int64_t pid_of(struct ath_connection *connection)
{
	struct ath_batch *batch = one_statement("select pg_backend_pid()::int8", NULL, 0);

	if (ath_engine_run(engine, connection, batch, ath_now() + PATIENCE_MS, false) != ATH_OK)
		return -1;
	return integer_of(batch);
}

static void sleep_long(void *arg)
{
	struct ath_connection *connection;

	if (ath_engine_checkout(engine, &connection, ATH_NEVER, &(struct ath_error){ 0 }) != ATH_OK)
		return;
	sleeping_pid = pid_of(connection);
	*(enum ath_status *)arg = run_on(connection, "select pg_sleep(100000)", ATH_NEVER);
	ath_engine_give_back(engine, &connection);
}

static bool backend_is(const char *what)
{
	char sql[256];

	snprintf(sql, sizeof sql, "select count(*) from pg_stat_activity where pid = %lld%s",
		 (long long)sleeping_pid, what);
	return ask_number(sql) > 0;
}

static bool it_sleeps(void)
{
	return sleeping_pid > 0 && backend_is(" and state = 'active' and wait_event = 'PgSleep'");
}

static bool it_is_gone(void)
{
	return !backend_is("");
}

static void test_a_cancelled_statement_is_stopped(void **state)
{
	enum ath_status status = ATH_OK;
	struct ath_fiber *fiber;

	(void)state;
	NOT_POOLED("the pooler hides the backend's number, by which it is stopped");
	sleeping_pid = 0;
	assert_int_equal(read_integer("select 1::int8"), 1); /* the pipeline that takes it there */
	fiber = start(sleep_long, &status, ATH_NEVER);
	assert_true(turn_until(it_sleeps));
	ath_fiber_cancel(fiber);
	run_fibers();
	assert_int_equal(status, ATH_ECANCELED);
	assert_pool_works(); /* though its size is one */
	assert_true(turn_until(it_is_gone));
	assert_int_equal(read_integer("select 2::int8"), 2);
	assert_int_equal(engine->pipeline_count, 1);
}

/* Where there is no pipeline one is opened for it. */
static void test_a_cancelled_statement_without_a_pipeline(void **state)
{
	enum ath_status status = ATH_OK;
	struct ath_fiber *fiber;

	(void)state;
	NOT_POOLED("the pooler hides the backend's number, by which it is stopped");
	sleeping_pid = 0;
	fiber = start(sleep_long, &status, ATH_NEVER);
	assert_true(turn_until(it_sleeps));
	ath_fiber_cancel(fiber);
	run_fibers();
	assert_int_equal(status, ATH_ECANCELED);
	assert_true(turn_until(it_is_gone));
	assert_int_equal(engine->pipeline_count, 1);
	assert_pool_works();
}

/* ---- a server that is silent -------------------------------------------------------------------
 */

static int silent = -1; /* a socket that listens */
static char silent_directory[64], silent_path[96], silent_url[256];
static pid_t silent_pid;

static void listen_silently(int family, const void *address, socklen_t length)
{
	silent = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (silent < 0 || bind(silent, address, length) != 0 || listen(silent, 64) != 0)
		die_of("the silent server", strerror(errno));
}

static void listen_on_unix(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	make_directory(silent_directory, sizeof silent_directory);
	snprintf(silent_path, sizeof silent_path, "%s/.s.PGSQL.5432", silent_directory);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", silent_path);
	listen_silently(AF_UNIX, &address, sizeof address);
	snprintf(silent_url, sizeof silent_url, "postgresql:///x?host=%s&user=x", silent_directory);
}

static void listen_on_tcp(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof address;

	listen_silently(AF_INET, &address, sizeof address);
	if (getsockname(silent, (struct sockaddr *)&address, &length) != 0)
		die_of("getsockname", strerror(errno));
	snprintf(silent_url, sizeof silent_url, "postgresql://x@127.0.0.1:%d/x",
		 ntohs(address.sin_port));
}

/* Lets everybody in, and says no more. */
static void greet(void)
{
	static const char greeting[] = "R\0\0\0\10\0\0\0\0"         /* authenticated */
				       "K\0\0\0\14\0\0\0\1\0\0\0\1" /* backend 1 */
				       "Z\0\0\0\5I";                /* ready */

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept(silent, NULL, NULL);

		if (fd < 0 || send(fd, greeting, sizeof greeting - 1, MSG_NOSIGNAL) < 0)
			_exit(1);
	}
}

static int setup_silent(void)
{
	return setup_with(silent_url,
			  (struct ath_engine_options){
				  .pipelines = 1, .pool_size = 1, .connect_timeout_s = CONNECT_S });
}

static int setup_silent_unix(void **state)
{
	(void)state;
	listen_on_unix();
	return setup_silent();
}

static int setup_silent_tcp(void **state)
{
	(void)state;
	listen_on_tcp();
	return setup_silent();
}

static int setup_greeting(void **state)
{
	(void)state;
	listen_on_unix();
	silent_pid = fork();
	if (silent_pid == 0)
		greet();
	return silent_pid < 0 ? -1 : setup_silent();
}

static int teardown_silent(void **state)
{
	int failed = teardown(state);

	if (silent_pid > 0) {
		kill(silent_pid, SIGKILL);
		waitpid(silent_pid, NULL, 0);
	}
	close(silent);
	unlink(silent_path);
	rmdir(silent_directory);
	silent_pid = 0;
	silent = -1;
	return failed;
}

static void test_nobody_answers(void **state)
{
	struct ath_connection *connection;
	struct ath_error error = { 0 };

	(void)state;
	assert_int_equal(ath_engine_checkout(engine, &connection, ath_now() + PATIENCE_MS, &error),
			 ATH_EUNAVAILABLE);
	assert_null(connection);
	assert_int_equal(error.status, ATH_EUNAVAILABLE);
	assert_true(error.message[0] != '\0');
	assert_int_equal(engine->pool_count, 0);
	ath_engine_close(&engine);
	assert_null(engine);
}

/* Nothing that opening waits for is left out of the connect time-out. */
static void test_silence_after_the_greeting(void **state)
{
	struct ath_connection *connection = checkout();
	struct ath_batch *batch = one_statement("select 1", NULL, 0);

	(void)state;
	assert_int_equal(ath_engine_read(engine, batch, ath_now() + 20), ATH_ETIMEDOUT);
	assert_int_equal(run_on(connection, "select 1", ath_now() + 20), ATH_ETIMEDOUT);
	ath_engine_give_back(engine, &connection);
	ath_engine_close(&engine);
	assert_null(engine);
}

/* Asking for a statement's end is not waited for either. */
static void test_silence_while_a_statement_is_cancelled(void **state)
{
	struct ath_connection *connection;

	(void)state;
	assert_int_equal(read_integer("select 1::int8"), 1);
	connection = checkout();
	tell_proxy(PROXY_HOLD);
	assert_int_equal(run_on(connection, "select 1", ath_now() + 20), ATH_ETIMEDOUT);
	ath_engine_give_back(engine, &connection);
	assert_int_equal(engine->pool_count, 0);
	ath_engine_close(&engine);
	assert_null(engine);
}

/* ---- a parameter that cannot be sent
 * -------------------------------------------------------------- */

struct batch_reader {
	struct ath_batch *batch;
	int64_t value;
};

static void read_batch(void *arg)
{
	struct batch_reader *reader = arg;

	(void)!ath_engine_read(engine, reader->batch, ath_now() + PATIENCE_MS);
	reader->value = integer_of(reader->batch);
}

static const struct ath_timestamp too_early = { .microseconds = INT64_MIN + 1 };
static const struct ath_timestamp moments[] = { { 0 }, { INT64_MIN + 1 } };

/* One in three is refused: alone, in an array, or behind a statement that is good. */
static struct ath_batch *make_batch(size_t i, const struct ath_value *number,
				    const struct ath_value *moment, const struct ath_value *array)
{
	static const char text[] = "select $1::int8", refused[] = "select 1::int8 where $1 > now()";
	struct ath_batch *batch;

	if (i % 9 == 1)
		return one_statement(refused, moment, 1);
	if (i % 9 == 4)
		return one_statement("select 1::int8 where now() = any ($1)", array, 1);
	if (i % 9 != 7)
		return one_statement(text, number, 1);
	batch = new_batch(2);
	set_statement(batch, 0, text, number, 1);
	set_statement(batch, 1, refused, moment, 1);
	return batch;
}

static void check_reader(struct batch_reader *reader, size_t i)
{
	if (i % 3 != 1) {
		assert_int_equal(reader->value, i);
		return;
	}
	assert_int_equal(reader->batch->error.status, ATH_ERULE);
	assert_false(reader->batch->sent || reader->batch->lost);
	for (size_t each = 0; each < reader->batch->count; each++)
		assert_null(reader->batch->results[each]);
}

/* A pooler may give either to any connection. */
static bool is_same_backend(int64_t pid, int64_t before)
{
	return pooler() != NULL ? pid > 0 : pid == before;
}

static bool is_other_backend(int64_t pid, int64_t before)
{
	return pooler() != NULL ? pid > 0 : pid != before;
}

static void test_a_parameter_that_cannot_be_sent(void **state)
{
	static const char pid[] = "select pg_backend_pid()::int8";
	struct ath_value numbers[MANY], moment = ath_value_timestamp(too_early);
	struct ath_value array = ath_array_timestamp(moments, ATH_COUNT(moments));
	static struct batch_reader readers[MANY];
	int64_t before = read_integer(pid);

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < MANY; i++) {
			numbers[i] = ath_value_int64((int64_t)i);
			readers[i].batch = make_batch(i, &numbers[i], &moment, &array);
			start(read_batch, &readers[i], ATH_NEVER);
		}
		run_fibers();
		for (size_t i = 0; i < MANY; i++)
			check_reader(&readers[i], i);
		assert_true(is_same_backend(read_integer(pid), before));
	}
	assert_int_equal(engine->pipeline_count, 1);
}

/* A transaction goes on behind it, too. */
static void test_a_parameter_that_cannot_be_sent_in_a_transaction(void **state)
{
	struct ath_connection *connection = checkout(), *same = connection;
	struct ath_value moment = ath_value_timestamp(too_early);
	struct ath_batch *batch = one_statement("select $1::timestamptz", &moment, 1);
	int64_t deadline = ath_now() + PATIENCE_MS;

	(void)state;
	assert_int_equal(run_on(connection, "begin", deadline), ATH_OK);
	assert_int_equal(ath_engine_run(engine, connection, batch, deadline, false), ATH_ERULE);
	assert_int_equal(run_on(connection, "select 1", deadline), ATH_OK);
	assert_int_equal(run_on(connection, "rollback", deadline), ATH_OK);
	ath_engine_give_back(engine, &connection);
	connection = checkout();
	assert_ptr_equal(connection, same);
	ath_engine_give_back(engine, &connection);
}

/* ---- COPY
 * ------------------------------------------------------------------------------------------- */

static const char *const copies[] = { "copy taken from stdin", "copy taken to stdout" };

static int setup_copy(void **state)
{
	run_sql("drop table if exists taken; create table taken (id int8);"
		"insert into taken select generate_series(1, 1000)");
	return setup_single(state);
}

static void test_copy_on_a_pipeline(void **state)
{
	static const char pid[] = "select pg_backend_pid()::int8";

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(copies); i++) {
		int64_t before = read_integer(pid);
		unsigned connections = engine->connections;
		struct ath_batch *batch = read_now(copies[i]);

		assert_int_equal(engine->connections, connections); /* it is not tried again */
		assert_true(before > 0);
		assert_int_not_equal(batch->error.status, ATH_OK);
		assert_int_not_equal(batch->error.status, ATH_ETIMEDOUT);
		assert_true(batch->error.message[0] != '\0');
		assert_int_equal(integer_of(batch), INT64_MIN);
		/* what comes in is refused as a write, what goes out breaks the connection */
		assert_true(i == 0 ? is_same_backend(read_integer(pid), before)
				   : is_other_backend(read_integer(pid), before));
		assert_int_equal(read_integer("select count(*) from taken"), 1000);
		assert_int_equal(engine->pipeline_count, 1);
	}
}

/* Between others, and of a batch of several statements. */
static void test_copy_among_other_statements(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(copies); i++) {
		struct ath_batch *batch = new_batch(3);

		set_statement(batch, 0, "select 1::int8", NULL, 0);
		set_statement(batch, 1, copies[i], NULL, 0);
		set_statement(batch, 2, "select 2::int8", NULL, 0);
		(void)!ath_engine_read(engine, batch, ath_now() + PATIENCE_MS);
		assert_int_not_equal(batch->error.status, ATH_OK);
		assert_int_not_equal(batch->error.status, ATH_ETIMEDOUT);
		ath_batch_clear(batch);
		assert_int_equal(read_integer("select 3::int8"), 3);
	}
}

/* Those who share the connection lose it, and are served by the next one. */
static void test_copy_beside_other_reads(void **state)
{
	static struct batch_reader readers[MANY];
	struct ath_value numbers[MANY];

	(void)state;
	for (size_t round = 0; round < ATH_COUNT(copies); round++) {
		for (size_t i = 0; i < MANY; i++) {
			numbers[i] = ath_value_int64((int64_t)i);
			readers[i].batch =
				i == MANY / 2 ? one_statement(copies[round], NULL, 0)
					      : one_statement("select $1::int8", &numbers[i], 1);
			start(read_batch, &readers[i], ATH_NEVER);
		}
		run_fibers();
		for (size_t i = 0; i < MANY; i++)
			assert_int_equal(readers[i].value, i == MANY / 2 ? INT64_MIN : (int64_t)i);
	}
}

/* A pooler keeps those of the server. */
static bool nothing_left(void)
{
	return engine->jobs == 0 && (pooler() != NULL || backends() == 0);
}

static void test_copy_on_a_lent_connection(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(copies); i++) {
		struct ath_connection *connection = checkout();
		enum ath_status status = run_on(connection, copies[i], ath_now() + PATIENCE_MS);

		assert_int_not_equal(status, ATH_OK);
		assert_int_not_equal(status, ATH_ETIMEDOUT);
		assert_true(ath_connection_is_dead(connection));
		ath_engine_give_back(engine, &connection);
		assert_int_equal(engine->pool_count, 0);
		assert_true(turn_until(nothing_left));
		assert_pool_works();
		terminate_backends();
	}
}

static int start_all(void **state)
{
	if (create_database(state) != 0)
		return -1;
	start_proxy();
	return 0;
}

static int stop_all(void **state)
{
	stop_proxy();
	return drop_database(state);
}

#define CASE cmocka_unit_test_setup_teardown

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_fewer_are_granted_than_wanted, setup_role, teardown_role),
		CASE(test_a_cancelled_statement_is_stopped, setup_patient, teardown),
		CASE(test_a_cancelled_statement_without_a_pipeline, setup_patient, teardown),
		{ "test_nobody_answers, unix", test_nobody_answers, setup_silent_unix,
		  teardown_silent, NULL },
		{ "test_nobody_answers, tcp", test_nobody_answers, setup_silent_tcp,
		  teardown_silent, NULL },
		CASE(test_silence_after_the_greeting, setup_greeting, teardown_silent),
		CASE(test_silence_while_a_statement_is_cancelled, setup_proxy, teardown_proxy),
		CASE(test_a_parameter_that_cannot_be_sent, setup_single, teardown),
		CASE(test_a_parameter_that_cannot_be_sent_in_a_transaction, setup_single, teardown),
		CASE(test_copy_on_a_pipeline, setup_copy, teardown),
		CASE(test_copy_among_other_statements, setup_copy, teardown),
		CASE(test_copy_beside_other_reads, setup_copy, teardown),
		CASE(test_copy_on_a_lent_connection, setup_copy, teardown),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
