/*
 * test_export.c - queries as NDJSON and CSV while their rows come, through a front that counts:
 * what each type looks like, constant memory, and what a failure on the way leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../db/database.h"
#include "../web/fcgi_client.h"
#include "rest/internal.h"
#include <athanor.h>

enum { MANY = 300000, SMALL_ARENA = 1024 * 1024 };

struct sample {
	int64_t id;
	const char *text;
	bool flag;
	double real;
	struct ath_decimal price;
	struct ath_date day;
	struct ath_timestamp moment;
	struct ath_uuid uuid;
	struct ath_bytes bytes;
	struct ath_json document;
	struct ath_text_array tags;
	struct ath_null_int32 maybe;
};
ATH_DECLARE(sample);

ATH_MODEL(sample, "samples", ATH_COLUMN(sample, id, .primary_key = true),
	  ATH_COLUMN(sample, text, .nullable = true), ATH_COLUMN(sample, flag),
	  ATH_COLUMN(sample, real), ATH_COLUMN(sample, price, .precision = 10, .scale = 2),
	  ATH_COLUMN(sample, day), ATH_COLUMN(sample, moment), ATH_COLUMN(sample, uuid),
	  ATH_COLUMN(sample, bytes), ATH_COLUMN(sample, document), ATH_COLUMN(sample, tags),
	  ATH_COLUMN(sample, maybe));

/* A number, and what it is divided by: 0 fails in the middle of an export. */
struct number {
	int64_t id;
	int32_t quotient;
};
ATH_DECLARE_RESULT(number);
ATH_MODEL_VIEW(number, "numbers", ATH_COLUMN(number, id, .primary_key = true),
	       ATH_COLUMN(number, quotient));

static const struct ath_model *const models[] = { &sample_model, &number_model, NULL };

static const char schema[] =
	"create table samples (id bigint primary key, text text, flag boolean not null,"
	"  real double precision not null, price numeric(10, 2) not null, day date not null,"
	"  moment timestamptz not null, uuid uuid not null, bytes bytea not null,"
	"  document jsonb not null, tags text[] not null, maybe integer);"
	"insert into samples select 1, t, true, 1.5, 12.50, '2024-05-06',"
	"  '2024-05-06 07:08:09.5+00', '01234567-89ab-cdef-0123-456789abcdef', '\\x00ff', d,"
	"  array['a', 'b,\"c'], null from (values (null, '\"x\"'::jsonb)) as v(t, d);"
	"insert into samples select n, t, false, 0, 0, '0001-01-01', '0001-01-01 00:00:00+00',"
	"  '00000000-0000-0000-0000-000000000000', '', '{\"a\": [1]}', '{}', n"
	"  from (values (2, ''), (3, 'plain text'), (4, 'a,b'), (5, E'two\\r\\nlines'),"
	"  (6, 'so \"quoted\"'), (7, ' =1+1')) as v(n, t);"
	"create view numbers as select n as id, (1000 / (250000 - n))::integer as quotient"
	"  from generate_series(1, 300000) as n;";

/* ---- handlers ---------------------------------------------------------------------------------
 */

static struct ath_cursor *samples(struct ath_request *request)
{
	struct ath_query q = ath_query(sample);

	ath_order_by(&q, ATH_ASC(sample, id));
	return sample_each(ath_request_session(request), &q);
}

static struct ath_response *sample_lines(struct ath_request *request)
{
	return sample_ndjson(request, samples(request), NULL);
}

static struct ath_response *sample_table(struct ath_request *request)
{
	return sample_csv(request, samples(request), "all samples.csv");
}

/* ?from: where to begin, ?most: how many */
static struct ath_cursor *numbers(struct ath_request *request)
{
	struct ath_query q = ath_query(number);

	ath_where(&q, ATH_GE(number, id, ath_arg_int(request, "from", 1, 1, MANY)));
	ath_where(&q, ATH_LT(number, id, ath_arg_int(request, "before", MANY, 1, 2 * MANY)));
	return number_each(ath_request_session(request), &q);
}

static struct ath_response *number_lines(struct ath_request *request)
{
	return number_ndjson(request, numbers(request), "numbers.ndjson");
}

static struct ath_response *number_table(struct ath_request *request)
{
	return number_csv(request, numbers(request), NULL);
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/samples", sample_lines),
	ATH_ROUTE(GET, "/samples.csv", sample_table),
	ATH_ROUTE(GET, "/numbers", number_lines),
	ATH_ROUTE(GET, "/numbers.csv", number_table),
	{ 0 },
};

/* ---- a front that counts ------------------------------------------------------------------------
 */

static struct ath_loop *loop;
static struct ath_rest rest = { .models = models };
static struct ath_log log_to = { .fd = -1 };
static struct ath_web web = { .log = &log_to, .context = &rest };

static struct {
	char head[2048], body[64 * 1024]; /* the beginning of it */
	size_t length, lines;
	enum ath_output_end end;
	size_t leave_after; /* bytes; 0: never */
} seen;

static void look_at(const struct ath_output *output)
{
	size_t room = sizeof seen.body - 1 - seen.length;

	if (output->head_length > 0) {
		assert_true(output->head_length < sizeof seen.head);
		memcpy(seen.head, output->head + ATH_HEAD_ROOM, output->head_length);
		seen.head[output->head_length] = '\0';
	}
	if (seen.length < sizeof seen.body - 1 && output->body_length > 0)
		memcpy(seen.body + seen.length, output->body,
		       output->body_length < room ? output->body_length : room);
	for (size_t i = 0; i < output->body_length; i++)
		seen.lines += output->body[i] == '\n';
	seen.length += output->body_length;
	seen.end = output->end;
}

static bool send_piece(struct ath_request *request, const struct ath_output *output)
{
	(void)request;
	look_at(output);
	return seen.leave_after == 0 || seen.length < seen.leave_after;
}

static const struct ath_front front = { .send = send_piece };

static void run_fiber(void *arg)
{
	struct ath_output output;

	ath_web_handle(arg, &output);
	look_at(&output);
	ath_loop_stop(loop);
}

static void get(const char *uri)
{
	struct ath_request *request = ath_request_new(&web);
	size_t leave_after = seen.leave_after;

	assert_non_null(request);
	memset(&seen, 0, sizeof seen);
	seen.leave_after = leave_after;
	request->front = &front;
	put_usual_pairs(&request->raw_params, "GET", uri);
	request->arrived = ath_now();
	request->deadline = request->arrived + web.limits.deadline_ms;
	assert_int_equal(ath_loop_spawn(loop, run_fiber, request, request->deadline, NULL), ATH_OK);
	ath_loop_run(loop);
	ath_request_free(request);
}

static int open_all(void **state)
{
	struct ath_engine_options options = { .log = &log_to };
	struct ath_error error = { 0 };

	if (create_database(state) != 0)
		return -1;
	run_sql(schema);
	web.limits.arena = SMALL_ARENA;
	assert_int_equal(ath_loop_open(&loop, &log_to), ATH_OK);
	options.loop = loop;
	assert_int_equal(ath_models_check(models, &error), ATH_OK);
	assert_int_equal(ath_web_open(&web, routes, &error), ATH_OK);
	assert_int_equal(ath_engine_open(&rest.engine, database_url, &options, &error), ATH_OK);
	return 0;
}

static int close_all(void **state)
{
	ath_engine_close(&rest.engine);
	ath_web_close(&web);
	ath_loop_close(&loop);
	return drop_database(state);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void a_row_of_json_on_each_line(void **state)
{
	static const char first[] =
		"{\"id\":1,\"text\":null,\"flag\":true,\"real\":1.5,\"price\":\"12.50\","
		"\"day\":\"2024-05-06\",\"moment\":\"2024-05-06T07:08:09.5Z\","
		"\"uuid\":\"01234567-89ab-cdef-0123-456789abcdef\",\"bytes\":\"AP8=\","
		"\"document\":\"x\",\"tags\":[\"a\",\"b,\\\"c\"],\"maybe\":null}\n"
		"{\"id\":2,\"text\":\"\",";

	(void)state;
	get("/samples");
	assert_non_null(strstr(seen.head, "Status: 200 OK\r\n"));
	assert_non_null(strstr(seen.head, "\r\nContent-Type: application/x-ndjson\r\n"));
	assert_null(strstr(seen.head, "Content-Disposition"));
	assert_memory_equal(seen.body, first, sizeof first - 1);
	assert_int_equal(seen.lines, 7);
	assert_int_equal(seen.end, ATH_OUTPUT_ENDS);
}

static void csv_that_tells_null_from_nothing(void **state)
{
	static const char zeros[] = ",false,0,0.00,0001-01-01,0001-01-01T00:00:00Z,"
				    "00000000-0000-0000-0000-000000000000,\"\","
				    "\"{\"\"a\"\": [1]}\",[],";
	static const char *const texts[] = {
		"\"\"", "plain text", "\"a,b\"", "\"two\r\nlines\"", "\"so \"\"quoted\"\"\"",
		" =1+1"
	};
	char wanted[4096];
	int length;

	(void)state;
	length = snprintf(wanted, sizeof wanted,
			  "id,text,flag,real,price,day,moment,uuid,bytes,document,tags,maybe\r\n"
			  "1,,true,1.5,12.50,2024-05-06,2024-05-06T07:08:09.5Z,"
			  "01234567-89ab-cdef-0123-456789abcdef,AP8=,\"\"\"x\"\"\","
			  "\"[\"\"a\"\",\"\"b,\\\"\"c\"\"]\",\r\n");
	for (int i = 0; i < 6; i++)
		length += snprintf(wanted + length, sizeof wanted - (size_t)length, "%d,%s%s%d\r\n",
				   i + 2, texts[i], zeros, i + 2);
	get("/samples.csv");
	assert_non_null(strstr(seen.head, "\r\nContent-Type: text/csv; charset=utf-8; "
					  "header=present\r\n"));
	assert_non_null(strstr(seen.head, "\r\nContent-Disposition: attachment; "
					  "filename*=UTF-8''all%20samples.csv\r\n"));
	assert_string_equal(seen.body, wanted);
}

/* More bytes than the request may have memory, by far. */
static void any_number_of_rows_in_little_memory(void **state)
{
	(void)state;
	get("/numbers?from=250001&before=600000");
	assert_int_equal(seen.lines, 50000);
	get("/numbers?before=250000");
	assert_int_equal(seen.lines, 249999);
	assert_true(seen.length > 5 * SMALL_ARENA);
	assert_int_equal(seen.end, ATH_OUTPUT_ENDS);
	get("/numbers.csv?before=250000");
	assert_int_equal(seen.lines, 250000);
	get("/numbers?from=10&before=10");
	assert_int_equal(seen.length, 0);
	get("/numbers.csv?from=10&before=10");
	assert_string_equal(seen.body, "id,quotient\r\n");
}

static void a_failure_in_the_middle_breaks_it_off(void **state)
{
	char log[4096];
	ssize_t length;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	log_to.fd = ends[1];
	get("/numbers");
	log_to.fd = -1;
	assert_non_null(strstr(seen.head, "Status: 200 OK\r\n"));
	assert_true(seen.lines > 100000 && seen.lines < 250000);
	assert_int_equal(seen.end, ATH_OUTPUT_BREAKS);
	length = read(ends[0], log, sizeof log - 1);
	assert_true(length > 0);
	log[length] = '\0';
	assert_non_null(strstr(log, "\"stream\":\"broken off\""));
	assert_non_null(strstr(log, "division by zero"));
	close(ends[0]);
	close(ends[1]);
}

/* Before anything has left it is an answer as any other. */
static void a_failure_at_first_is_a_problem(void **state)
{
	(void)state;
	get("/numbers?from=250000");
	assert_non_null(strstr(seen.head, "Status: 422 "));
	assert_non_null(strstr(seen.head, "application/problem+json"));
	assert_int_equal(seen.end, ATH_OUTPUT_ENDS);
	get("/numbers?from=x");
	assert_non_null(strstr(seen.body, "from"));
}

static void a_client_that_leaves_ends_the_reading(void **state)
{
	(void)state;
	seen.leave_after = 200000;
	get("/numbers");
	seen.leave_after = 0;
	assert_true(seen.length < 300000);
	get("/numbers?from=1&before=3"); /* its connection is of use again */
	assert_int_equal(seen.lines, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_of_json_on_each_line),
		cmocka_unit_test(csv_that_tells_null_from_nothing),
		cmocka_unit_test(any_number_of_rows_in_little_memory),
		cmocka_unit_test(a_failure_in_the_middle_breaks_it_off),
		cmocka_unit_test(a_failure_at_first_is_a_problem),
		cmocka_unit_test(a_client_that_leaves_ends_the_reading),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
