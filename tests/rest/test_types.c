/*
 * test_types.c - values of every type from JSON and to JSON: each in its form, there and back at
 * the edges and by chance, what is refused and with which words, and what no JSON can say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../orm/every_type.h"
#include "../web/fcgi_client.h"
#include "rest/internal.h"

static struct ath_buffer out;

static int setup(void **state)
{
	(void)state;
	return (int)ath_arena_open(&values, 256 << 20);
}

static int teardown(void **state)
{
	(void)state;
	ath_arena_close(&values);
	return 0;
}

static const char *json_of(const struct every *row)
{
	ath_buffer_init(&out, values, 64 << 20);
	ath_row_to_json(&out, &every_model, row);
	return ath_buffer_c_string(&out);
}

/* The part of a row's JSON that is one column's. */
static const char *column_of(const char *json, const char *name)
{
	char before[80], behind[80] = "";
	const char *start, *end;

	snprintf(before, sizeof before, "\"%s\":", name);
	for (size_t i = 0; i + 1 < every_model.member_count; i++)
		if (strcmp(every_model.members[i].name, name) == 0)
			snprintf(behind, sizeof behind,
				 ",\"%s\":", every_model.members[i + 1].name);
	start = strstr(json, before);
	if (start == NULL)
		fail_msg("no %s in %s", name, json);
	start += strlen(before);
	end = *behind == '\0' ? start + strlen(start) - 1 : strstr(start, behind);
	assert_non_null(end);
	return ath_arena_copy(values, start, (size_t)(end - start));
}

static const struct ath_violation *bind_text(enum ath_bind_mode mode, const char *json,
					     struct every *row)
{
	struct ath_json_document *document = ath_new(values, struct ath_json_document, 1);
	struct ath_error error = { 0 };

	assert_non_null(document);
	if (ath_json_read(values, json, strlen(json), document, &error) != ATH_OK)
		fail_msg("%s: %s", json, error.message);
	return ath_json_to_row(values, document, &every_model, mode, row);
}

/* ---- out and in again -------------------------------------------------------------------------
 */

static void check_there_and_back(const struct every *row, size_t number)
{
	char *json = (char *)(uintptr_t)json_of(row), *start;
	const struct ath_violation *violation;
	struct every back = { 0 };
	const char *name;

	assert_false(out.failed);
	start = strchr(json, ','); /* the key is not the client's to set */
	assert_non_null(start);
	*start = '{';
	violation = bind_text(ATH_BIND_NEW, start, &back);
	if (violation != NULL)
		fail_msg("row %zu: %s %s: %.200s", number, violation->pointer, violation->detail,
			 column_of(json, violation->pointer + 1));
	name = difference(row, &back);
	if (name != NULL)
		fail_msg("row %zu: %s is another: %.200s", number, name, column_of(json, name));
	/* JSON goes as it is, but for the blanks around it */
	if (row->json.text[0] != ' ')
		assert_string_equal(back.json.text, row->json.text);
}

static void test_edges_there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < EDGES; i++) {
		struct every row;

		edge_row(&row, i, true);
		check_there_and_back(&row, i);
	}
}

static void test_random_values_there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2000; i++) {
		struct every row;

		ath_arena_reset(values);
		random_row(&row, true);
		check_there_and_back(&row, i);
	}
}

/* ---- one value
 * ----------------------------------------------------------------------------------- */

#define INTEGER(least, most) "must be an integer from " least " to " most
#define DIGITS               "must be a decimal number of at most 38 digits"
#define BEHIND(n)            "must have at most " n " digits behind the point"
#define BEFORE(n)            "must have at most " n " digits before the point"
#define DAY                  "must be a day such as \"2024-05-06\""
#define MOMENT               "must be a time such as \"2024-05-06T07:08:09Z\""
#define COLOUR               "must be one of \"red\", \"green\", \"it's \"odd\" \\ \xc3\xa4\""
#define BASE64               "must be base64"
#define NOT_NULL             "must not be null"
#define ZERO                 "must not hold the character U+0000"
#define ANY_UUID             "\"00112233-4455-6677-8899-aabbccddeeff\""
#define SAME                 NULL

/* member, what comes in, what goes out (SAME: the same), and else the refusal */
static const struct {
	const char *name, *in, *out, *refused;
} single[] = {
	{ "flag", "true", SAME, NULL },
	{ "flag", "0", NULL, "must be true or false" },
	{ "small", "-32768", SAME, NULL },
	{ "small", "32768", NULL, INTEGER("-32768", "32767") },
	{ "small", "1.0", NULL, INTEGER("-32768", "32767") },
	{ "small", "1e2", NULL, INTEGER("-32768", "32767") },
	{ "medium", "2147483647", SAME, NULL },
	{ "medium", "-2147483649", NULL, INTEGER("-2147483648", "2147483647") },
	{ "large", "-9223372036854775808", SAME, NULL },
	{ "large", "9223372036854775808", NULL,
	  INTEGER("-9223372036854775808", "9223372036854775807") },
	{ "real", "-0.0", "-0", NULL },
	{ "real", "5e-324", SAME, NULL },
	{ "real", "1.7976931348623157e308", "1.7976931348623157e+308", NULL },
	{ "real", "1e-400", "0", NULL },
	{ "real", "1e400", NULL, "must be a number" },
	{ "real", "\"1\"", NULL, "must be a number" },
	{ "real", "\"NaN\"", NULL, "must be a number" },
	/* decimals: a number or a text comes in, a text with all its digits goes out */
	{ "price", "1.5", "\"1.50\"", NULL },
	{ "price", "\"1.5\"", "\"1.50\"", NULL },
	{ "price", "\"1.50\"", SAME, NULL },
	{ "price", "1.500", "\"1.50\"", NULL },
	{ "price", "1", "\"1.00\"", NULL },
	{ "price", "-0", "\"0.00\"", NULL },
	{ "price", "1.5e3", "\"1500.00\"", NULL },
	{ "price", "150E-2", "\"1.50\"", NULL },
	{ "price", "-99999999.99", "\"-99999999.99\"", NULL },
	{ "price", "\"99999999.99\"", SAME, NULL },
	{ "price", "0.005", NULL, BEHIND("2") },
	{ "price", "\"-1.001\"", NULL, BEHIND("2") },
	{ "price", "1e-38", NULL, BEHIND("2") },
	{ "price", "100000000", NULL, BEFORE("8") },
	{ "price", "-100000000.00", NULL, BEFORE("8") },
	{ "price", "1e10", NULL, BEFORE("8") },
	{ "price", NINES_38, NULL, BEFORE("8") },
	{ "price", "-1e37", NULL, BEFORE("8") },
	{ "price", "1e38", NULL, DIGITS },
	{ "price", "1" NINES_38, NULL, DIGITS },
	{ "price", "1e1000000", NULL, DIGITS },
	{ "price", "\"\"", NULL, DIGITS },
	{ "price", "\"1,5\"", NULL, DIGITS },
	{ "price", "\" 1\"", NULL, DIGITS },
	{ "price", "\"NaN\"", NULL, DIGITS },
	{ "price", "true", NULL, DIGITS },
	{ "price", "[1]", NULL, DIGITS },
	{ "price", "null", NULL, NOT_NULL },
	{ "null_price", "null", SAME, NULL },
	{ "null_price", "0", "\"0.00\"", NULL },
	{ "whole", "\"" NINES_38 "\"", SAME, NULL },
	{ "whole", "-" NINES_38, "\"-" NINES_38 "\"", NULL },
	{ "whole", "0.5", NULL, BEHIND("0") },
	{ "part", "0." NINES_38, "\"0." NINES_38 "\"", NULL },
	{ "part", "1e-38", "\"0.00000000000000000000000000000000000001\"", NULL },
	{ "part", "1", NULL, BEFORE("0") },
	{ "part", "1e-39", NULL, DIGITS },
	{ "fine", "\"9999999999999999999.9999999999999999999\"", SAME, NULL },
	{ "fine", "10000000000000000000", NULL, BEFORE("19") },
	/* enums */
	{ "colour", "\"red\"", SAME, NULL },
	{ "colour", "\"it's \\\"odd\\\" \\\\ \\u00e4\"", "\"it's \\\"odd\\\" \\\\ \xc3\xa4\"",
	  NULL },
	{ "colour", "\"Red\"", NULL, COLOUR },
	{ "colour", "\"\"", NULL, COLOUR },
	{ "colour", "\"red\\u0000\"", NULL, COLOUR },
	{ "colour", "0", NULL, COLOUR },
	{ "colour", "null", NULL, NOT_NULL },
	{ "null_colour", "null", SAME, NULL },
	{ "null_colour", "\"green\"", SAME, NULL },
	{ "null_colour", "\"blue\"", NULL, COLOUR },
	/* texts */
	{ "letters", "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", NULL },
	{ "letters", "\"exactly twenty of it\"", SAME, NULL },
	{ "letters", "\"more than twenty of it\"", NULL, "must be at most 20 characters long" },
	{ "text", "\"a\\u0000b\"", NULL, ZERO },
	{ "text", "7", NULL, "must be a string" },
	/* time */
	{ "day", "\"2024-02-29\"", SAME, NULL },
	{ "day", "\"0001-01-01\"", SAME, NULL },
	{ "day", "\"9999-12-31\"", SAME, NULL },
	{ "day", "\"infinity\"", SAME, NULL },
	{ "day", "\"-infinity\"", SAME, NULL },
	{ "day", "\"2023-02-29\"", NULL, DAY },
	{ "day", "\"2024-02-29T00:00:00Z\"", NULL, DAY },
	{ "day", "\"10000-01-01\"", NULL, DAY },
	{ "day", "20240229", NULL, DAY },
	{ "day", "null", NULL, NOT_NULL },
	{ "null_day", "null", SAME, NULL },
	{ "moment", "\"2024-02-29T01:02:03.000004+01:00\"", "\"2024-02-29T00:02:03.000004Z\"",
	  NULL },
	{ "moment", "\"-infinity\"", SAME, NULL },
	{ "moment", "\"2024-02-29\"", NULL, MOMENT },
	/* bytes */
	{ "bytes", "\"\"", SAME, NULL },
	{ "bytes", "\"AAECAw==\"", SAME, NULL },
	{ "bytes", "\"\\u0041AECAw=\\u003d\"", "\"AAECAw==\"", NULL },
	{ "bytes", "\"AAECAw\"", NULL, BASE64 },
	{ "bytes", "\"AAECAx==\"", NULL, BASE64 },
	{ "bytes", "\"AAE_\"", NULL, BASE64 },
	{ "bytes", "[0]", NULL, BASE64 },
	{ "bytes", "null", NULL, NOT_NULL },
	{ "null_bytes", "null", SAME, NULL },
	{ "null_bytes", "\"\"", SAME, NULL },
	{ "uuid", ANY_UUID, SAME, NULL },
	{ "uuid", "\"00112233445566778899aabbccddeeff\"", NULL, "must be a UUID" },
	/* JSON, letter by letter */
	{ "json", "{\"a\" : [1.0, \"\\u00e4\", {}], \"b\":null}", SAME, NULL },
	{ "json", "\"text\"", SAME, NULL },
	{ "json", "\"\"", SAME, NULL },
	{ "json", "1e400", SAME, NULL },
	{ "json", "true", SAME, NULL },
	{ "json", "[null]", SAME, NULL },
	{ "json", "\"\\\\u0000\"", SAME, NULL },
	{ "json", "\"\\\\\\\\u0000\"", SAME, NULL },
	{ "json", "\"\\u0000\"", NULL, ZERO },
	{ "json", "{\"a\\u0000\":1}", NULL, ZERO },
	{ "json", "[\"\\\\\\u0000\"]", NULL, ZERO },
	{ "json", "null", NULL, NOT_NULL },
	{ "null_json", "null", SAME, NULL },
	/* arrays */
	{ "texts", "[]", SAME, NULL },
	{ "texts", "[\"\",\"a\\nb\",\"\\u00e4\"]", "[\"\",\"a\\nb\",\"\xc3\xa4\"]", NULL },
	{ "texts", "\"a\"", NULL, "must be a list of strings" },
	{ "texts", "{}", NULL, "must be a list of strings" },
	{ "texts", "null", NULL, NOT_NULL },
	{ "null_texts", "null", SAME, NULL },
	{ "numbers", "[-9223372036854775808,9223372036854775807,0]", SAME, NULL },
	{ "numbers", "{}", NULL, "must be a list of integers" },
	{ "null_numbers", "null", SAME, NULL },
	{ "uuids", "[" ANY_UUID "," ANY_UUID "]", SAME, NULL },
	{ "uuids", "\"x\"", NULL, "must be a list of UUIDs" },
	{ "null_uuids", "null", SAME, NULL },
	{ "null_flag", "null", SAME, NULL },
	{ "null_real", "null", SAME, NULL },
	{ "null_letters", "null", SAME, NULL },
	{ "null_moment", "null", SAME, NULL },
	{ "null_uuid", "null", SAME, NULL },
	{ "id", "1", NULL, "cannot be set" },
	{ "nothing", "1", NULL, "is not known here" },
};

static void test_one_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(single); i++) {
		char *json = ath_arena_printf(values, "{\"%s\":%s}", single[i].name, single[i].in);
		const struct ath_violation *violation;
		const char *shown, *expected = single[i].out == SAME ? single[i].in : single[i].out;
		struct every row;

		edge_row(&row, 2, true);
		violation = bind_text(ATH_BIND_PATCH, json, &row);
		if ((violation != NULL) != (single[i].refused != NULL))
			fail_msg("%s: %s", json, violation == NULL ? "taken" : violation->detail);
		if (violation != NULL) {
			assert_string_equal(violation->detail, single[i].refused);
			assert_string_equal(violation->pointer + 1, single[i].name);
			assert_int_equal(violation->pointer[0], '/');
			assert_null(violation->next);
			continue;
		}
		shown = column_of(json_of(&row), single[i].name);
		if (strcmp(shown, expected) != 0)
			fail_msg("%s is shown as %s", json, shown);
	}
}

#define NUMBER "must be an integer of 64 bits"

/* Every element that is wrong is told; then the member stays as it was. */
static void test_elements(void **state)
{
	static const struct {
		const char *in, *pointers[2], *refused;
	} rows[] = {
		{ "{\"texts\":[\"a\",null]}", { "/texts/1" }, "must be a string" },
		{ "{\"texts\":[1,\"a\",[\"b\"]]}", { "/texts/0", "/texts/2" }, "must be a string" },
		{ "{\"texts\":[\"a\\u0000\"]}", { "/texts/0" }, ZERO },
		{ "{\"numbers\":[9223372036854775808,0,1.5]}",
		  { "/numbers/0", "/numbers/2" },
		  NUMBER },
		{ "{\"numbers\":[1,null]}", { "/numbers/1" }, NUMBER },
		{ "{\"numbers\":[\"1\"]}", { "/numbers/0" }, NUMBER },
		{ "{\"uuids\":[\"x\"," ANY_UUID ",null]}",
		  { "/uuids/0", "/uuids/2" },
		  "must be a UUID" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const struct ath_violation *violation;
		struct every row, before;

		edge_row(&row, 2, true);
		before = row;
		violation = bind_text(ATH_BIND_PATCH, rows[i].in, &row);
		for (size_t p = 0; p < 2 && rows[i].pointers[p] != NULL; p++) {
			assert_non_null(violation);
			assert_string_equal(violation->pointer, rows[i].pointers[p]);
			assert_string_equal(violation->detail, rows[i].refused);
			violation = violation->next;
		}
		assert_null(violation);
		assert_memory_equal(&row, &before, sizeof row);
	}
}

/* What was refused leaves the member as it was. */
static void test_refused_is_not_set(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(single); i++) {
		char *json = ath_arena_printf(values, "{\"%s\":%s}", single[i].name, single[i].in);
		struct every row, before;

		edge_row(&row, 2, true);
		before = row;
		if (single[i].refused != NULL) {
			assert_non_null(bind_text(ATH_BIND_PATCH, json, &row));
			assert_memory_equal(&row, &before, sizeof row);
		}
	}
}

/* All that is missing is named; what may be NULL may be absent. */
static void test_what_is_required(void **state)
{
	const struct ath_violation *violation;
	struct every row = { 0 };
	size_t count = 0;

	(void)state;
	for (violation = bind_text(ATH_BIND_NEW, "{}", &row); violation != NULL;
	     violation = violation->next, count++) {
		assert_string_equal(violation->detail, "is required");
		assert_string_equal(violation->pointer + 1, every_model.members[1 + count].name);
	}
	assert_int_equal(count, 20);
	assert_null(bind_text(ATH_BIND_PATCH, "{}", &row));
}

/* ---- requests ----------------------------------------------------------------------------------
 */

struct mild {
	int64_t id;
	const char *name;
	struct ath_null_int32 age;
	const char *nick;
	unsigned colour;
	struct ath_decimal price;
	struct ath_uuid token;
	struct ath_timestamp touched;
	struct ath_null_int32 score;
	struct ath_decimal twice;
	int64_t serial;
};
ATH_DECLARE(mild);

ATH_MODEL(mild, "milds", ATH_COLUMN(mild, id, .primary_key = true),
	  ATH_COLUMN(mild, name, .default_value = ATH_DEFAULT(mild, name, "anon")),
	  ATH_COLUMN(mild, age, .default_value = ATH_DEFAULT(mild, age, .value = 18)),
	  ATH_COLUMN(mild, nick, .nullable = true,
		     .default_value = ATH_DEFAULT(mild, nick, "nick")),
	  ATH_COLUMN(mild, colour, .column = "shade", .values = ATH_VALUES("red", "green"),
		     .default_value = ATH_DEFAULT(mild, colour, 1)),
	  ATH_COLUMN(mild, price, .precision = 4, .scale = 2, .min = 1, .max = 9),
	  ATH_COLUMN(mild, token, .default_function = ath_fill_uuid),
	  ATH_COLUMN(mild, touched, .update_function = ath_fill_now),
	  ATH_COLUMN(mild, score, .server_default = "7"),
	  ATH_COLUMN(mild, twice, .precision = 5, .scale = 2, .generated = "price * 2"),
	  ATH_COLUMN(mild, serial, .identity = true));

static struct ath_response *echo(struct ath_request *request)
{
	return mild_json(request, 200, mild_bind(request));
}

static struct ath_response *patch(struct ath_request *request)
{
	struct mild *row = ath_new(request->arena, struct mild, 1);

	row->name = "Ada";
	row->age = (struct ath_null_int32){ 36, true };
	mild_patch(request, row);
	return mild_json(request, 200, row);
}

/* ?what=: a row that no JSON can say, among others that it can. */
static struct ath_response *unsayable(struct ath_request *request)
{
	const char *what = ath_arg(request, "what");
	struct every_list list = { ath_new(request->arena, struct every *, 3), 3 };

	for (size_t i = 0; i < 3; i++) {
		list.items[i] = ath_new(request->arena, struct every, 1);
		edge_row(list.items[i], i, true);
	}
	if (strcmp(what, "nan") == 0)
		list.items[2]->real = (double)NAN;
	if (strcmp(what, "infinity") == 0)
		list.items[1]->null_real = (struct ath_null_double){ -(double)INFINITY, true };
	if (strcmp(what, "enum") == 0)
		list.items[1]->colour = 3;
	if (strcmp(what, "decimal") == 0)
		list.items[0]->price = ath_decimal_of(1, 40);
	if (ath_arg(request, "one") != NULL)
		return every_json(request, 200, list.items[atoi(ath_arg(request, "one"))]);
	return every_list_json(request, 200, list);
}

/* ?table= and ?column= of an error that the server or the library named them in. */
static struct ath_response *refused(struct ath_request *request)
{
	struct ath_session session = { .error = { .status = ATH_ERULE } };

	snprintf(session.error.table, sizeof session.error.table, "%s", ath_arg(request, "table"));
	snprintf(session.error.column, sizeof session.error.column, "%s",
		 ath_arg(request, "column"));
	return ath_session_problem(request, &session);
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/refused", refused),
	ATH_ROUTE(POST, "/echo", echo),
	ATH_ROUTE(PATCH, "/patch", patch),
	ATH_ROUTE(GET, "/unsayable", unsayable),
	{ 0 },
};

static const struct ath_model *const models[] = { &every_model, &mild_model, NULL };
static struct ath_rest rest = { .models = models };
static const struct ath_log silent = { .fd = -1 };
static struct ath_web web;
static struct ath_loop *loop;

struct run {
	struct ath_request *request;
	struct ath_output output;
};

static struct {
	int status;
	char head[4096], body[256 * 1024];
} answer;

static int open_web(void **state)
{
	struct ath_error error = { 0 };

	if (setup(state) != 0 || ath_loop_open(&loop, &silent) != ATH_OK)
		return -1;
	web = (struct ath_web){ .log = &silent, .context = &rest };
	if (ath_models_check(models, &error) == ATH_OK &&
	    ath_web_open(&web, routes, &error) == ATH_OK)
		return 0;
	fprintf(stderr, "%s\n", error.message);
	return -1;
}

static int close_web(void **state)
{
	ath_web_close(&web);
	ath_loop_close(&loop);
	return teardown(state);
}

static void run_fiber(void *arg)
{
	struct run *run = arg;

	ath_web_handle(run->request, &run->output);
	ath_loop_stop(loop);
}

static void ask(const char *method, const char *uri, const char *body)
{
	struct run run = { .request = ath_request_new(&web) };
	const struct ath_output *output = &run.output;

	assert_non_null(run.request);
	put_usual_pairs(&run.request->raw_params, method, uri);
	ath_buffer_string(&run.request->raw_body, body);
	assert_int_equal(ath_loop_spawn(loop, run_fiber, &run, ATH_NEVER, NULL), ATH_OK);
	ath_loop_run(loop);
	memset(&answer, 0, sizeof answer);
	assert_true(output->head_length < sizeof answer.head);
	assert_true(output->body_length < sizeof answer.body);
	memcpy(answer.head, output->head + ATH_HEAD_ROOM, output->head_length);
	memcpy(answer.body, output->body, output->body_length);
	assert_int_equal(sscanf(answer.head, "Status: %d ", &answer.status), 1);
	ath_request_free(run.request);
}

/* Not half a body, but a problem from its first letter on. */
static void test_what_json_cannot_say(void **state)
{
	static const char *const uris[] = {
		"/unsayable?what=nan",      "/unsayable?what=nan&one=2",
		"/unsayable?what=infinity", "/unsayable?what=infinity&one=1",
		"/unsayable?what=enum",     "/unsayable?what=enum&one=1",
		"/unsayable?what=decimal",  "/unsayable?what=decimal&one=0",
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(uris); i++) {
		char length[64];

		ask("GET", uris[i], "");
		assert_int_equal(answer.status, 500);
		assert_string_equal(answer.body, "{\"type\":\"urn:athanor:problem:internal\","
						 "\"title\":\"Internal error\",\"status\":500}");
		assert_non_null(
			strstr(answer.head, "\r\nContent-Type: application/problem+json\r\n"));
		snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", strlen(answer.body));
		assert_non_null(strstr(answer.head, length));
	}
	ask("GET", "/unsayable?what=nothing", "");
	assert_int_equal(answer.status, 200);
}

#define BOUND(age, nick, colour, token)                                                            \
	"{\"id\":0,\"name\":\"anon\",\"age\":" age ",\"nick\":" nick ",\"colour\":" colour         \
	",\"price\":\"1.50\",\"token\":" token ",\"touched\":\"1970-01-01T00:00:00Z\","            \
	"\"score\":null,\"twice\":\"0\",\"serial\":0}"

/* What is absent takes its default; null is null. */
static void test_defaults_of_a_body(void **state)
{
	(void)state;
	ask("POST", "/echo", "{\"price\":1.5,\"token\":" ANY_UUID "}");
	assert_string_equal(answer.body, BOUND("18", "\"nick\"", "\"green\"", ANY_UUID));
	ask("POST", "/echo", "{\"price\":1.5,\"token\":" ANY_UUID ",\"age\":null,\"nick\":null}");
	assert_string_equal(answer.body, BOUND("null", "null", "\"green\"", ANY_UUID));
	ask("POST", "/echo",
	    "{\"price\":1.5,\"token\":" ANY_UUID ",\"age\":0,\"nick\":\"\",\"colour\":\"red\"}");
	assert_string_equal(answer.body, BOUND("0", "\"\"", "\"red\"", ANY_UUID));
	ask("POST", "/echo", "{\"price\":1.5}");
	assert_int_equal(answer.status, 200);
	assert_null(strstr(answer.body, "00000000-0000-0000"));
	/* what is there already has no defaults */
	ask("PATCH", "/patch", "{\"colour\":\"green\"}");
	assert_non_null(strstr(answer.body, "\"name\":\"Ada\",\"age\":36,\"nick\":null,"
					    "\"colour\":\"green\""));
	ask("PATCH", "/patch", "{\"age\":null}");
	assert_non_null(strstr(answer.body, "\"name\":\"Ada\",\"age\":null,\"nick\":null,"
					    "\"colour\":\"red\""));
}

static void test_errors_of_a_body(void **state)
{
	static const struct {
		const char *body, *errors;
	} rows[] = {
		{ "{}", "[{\"pointer\":\"/price\",\"detail\":\"is required\"}]" },
		{ "{\"price\":0.99}",
		  "[{\"pointer\":\"/price\",\"detail\":\"must be a number from 1 to 9\"}]" },
		{ "{\"price\":\"9.01\"}",
		  "[{\"pointer\":\"/price\",\"detail\":\"must be a number from 1 to 9\"}]" },
		{ "{\"price\":1,\"colour\":\"blue\"}",
		  "[{\"pointer\":\"/colour\",\"detail\":\"must be one of \\\"red\\\", "
		  "\\\"green\\\"\"}]" },
		{ "{\"price\":1,\"touched\":null,\"twice\":2,\"serial\":1,\"id\":1}",
		  "[{\"pointer\":\"/touched\",\"detail\":\"cannot be set\"},"
		  "{\"pointer\":\"/twice\",\"detail\":\"cannot be set\"},"
		  "{\"pointer\":\"/serial\",\"detail\":\"cannot be set\"},"
		  "{\"pointer\":\"/id\",\"detail\":\"cannot be set\"}]" },
		{ "{\"price\":1,\"name\":null,\"colour\":null}",
		  "[{\"pointer\":\"/name\",\"detail\":\"must not be null\"},"
		  "{\"pointer\":\"/colour\",\"detail\":\"must not be null\"}]" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		ask("POST", "/echo", rows[i].body);
		if (answer.status != 422 || strstr(answer.body, rows[i].errors) == NULL)
			fail_msg("%s: %d %s", rows[i].body, answer.status, answer.body);
	}
}

/* A client knows members: a column that is called otherwise is not told. */
static void test_pointers_lead_to_members(void **state)
{
	static const struct {
		const char *uri, *pointer;
	} rows[] = {
		{ "/refused?table=milds&column=shade", "\"/colour\"" },
		{ "/refused?table=&column=shade", "\"/colour\"" },
		{ "/refused?table=everys&column=shade", "\"/shade\"" },
		{ "/refused?table=milds&column=price", "\"/price\"" },
		{ "/refused?table=others&column=other", "\"/other\"" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		ask("GET", rows[i].uri, "");
		assert_int_equal(answer.status, 422);
		if (strstr(answer.body, rows[i].pointer) == NULL)
			fail_msg("%s: %s", rows[i].uri, answer.body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_edges_there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random_values_there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_value, setup, teardown),
		cmocka_unit_test_setup_teardown(test_elements, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_is_not_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_required, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_json_cannot_say, open_web, close_web),
		cmocka_unit_test_setup_teardown(test_defaults_of_a_body, open_web, close_web),
		cmocka_unit_test_setup_teardown(test_errors_of_a_body, open_web, close_web),
		cmocka_unit_test_setup_teardown(test_pointers_lead_to_members, open_web, close_web),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
