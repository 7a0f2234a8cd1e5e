/*
 * test_shapes.c - shapes through whole requests: bodies with objects and lists in them, query
 * arguments, headers and forms; that all which is wrong is named at its place, and that what is
 * good comes out as it went in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "../web/whole_request.h"
#include "rest/internal.h"
#include <athanor.h>

/* ---- the shapes ----------------------------------------------------------------------------- */

/* A row of a table, which a shape may hold. */
struct part {
	int64_t id;
	const char *name;
};
ATH_DECLARE(part);
ATH_MODEL(part, "parts", ATH_COLUMN(part, id, .primary_key = true),
	  ATH_COLUMN(part, name, .max_length = 9));

struct place {
	const char *city;
	const char *street;
};
ATH_DECLARE_SHAPE(place);
ATH_MODEL_SHAPE(place, ATH_COLUMN(place, city, .min_length = 2, .max_length = 20),
		ATH_COLUMN(place, street, .nullable = true));

struct address {
	struct place *place;
	struct ath_null_int32 floor;
};
ATH_DECLARE_SHAPE(address);
ATH_MODEL_SHAPE(address, ATH_OBJECT(address, place, place),
		ATH_COLUMN(address, floor, .min = -9, .max = 99));

struct line {
	const char *productName;
	int32_t amount;
	struct ath_int64_array serials;
};
ATH_DECLARE_SHAPE(line);
ATH_MODEL_SHAPE(line, ATH_COLUMN(line, productName), ATH_COLUMN(line, amount, .min = 1, .max = 99),
		ATH_COLUMN(line, serials, .nullable = true, .max_items = 3));

struct order {
	const char *customer;
	struct address *address;
	struct address *billing;
	struct line_list lines;
	struct ath_text_array tags;
	enum speed { SLOW, FAST } speed;
	struct ath_json note;
	struct ath_bytes seal;
	struct part *part;
	struct part_list spares;
};
ATH_DECLARE_SHAPE(order);
ATH_MODEL_SHAPE(order, ATH_COLUMN(order, customer, .format = ATH_EMAIL),
		ATH_OBJECT(order, address, address),
		ATH_OBJECT(order, billing, address, .nullable = true),
		ATH_LIST_OF(order, lines, line, .min_items = 1, .max_items = 3),
		ATH_COLUMN(order, tags, .nullable = true, .min_items = 1),
		ATH_COLUMN(order, speed, .values = ATH_VALUES("slow", "fast"),
			   .default_value = ATH_DEFAULT(order, speed, FAST)),
		ATH_COLUMN(order, note, .nullable = true),
		ATH_COLUMN(order, seal, .nullable = true, .max_length = 4),
		ATH_OBJECT(order, part, part, .nullable = true),
		ATH_LIST_OF(order, spares, part, .nullable = true));

/* It holds its own kind, so that documents of any depth fit. */
ATH_DECLARE_LIST(node);
struct node {
	const char *name;
	struct node_list kids;
	struct node *best;
};
ATH_DECLARE_SHAPE_FUNCTIONS(node);
ATH_MODEL_SHAPE(node, ATH_COLUMN(node, name), ATH_LIST_OF(node, kids, node, .nullable = true),
		ATH_OBJECT(node, best, node, .nullable = true));

/* Of every type that a text can become. */
struct search {
	const char *word;
	int32_t limit;
	struct ath_null_bool exact;
	struct ath_null_double ratio;
	struct ath_null_decimal price;
	struct ath_null_date day;
	struct ath_null_timestamp moment;
	struct ath_null_uuid owner;
	struct ath_null_enum speed;
	struct ath_json filter;
	struct ath_bytes cursor;
	struct ath_text_array tag;
	struct ath_int64_array id;
	struct ath_uuid_array key;
};
ATH_DECLARE_SHAPE(search);
ATH_MODEL_SHAPE(search, ATH_COLUMN(search, word, .min_length = 1, .max_length = 5),
		ATH_COLUMN(search, limit, .min = 1, .max = 50,
			   .default_value = ATH_DEFAULT(search, limit, 20)),
		ATH_COLUMN(search, exact), ATH_COLUMN(search, ratio, .min = 0, .max = 1),
		ATH_COLUMN(search, price, .precision = 5, .scale = 2), ATH_COLUMN(search, day),
		ATH_COLUMN(search, moment), ATH_COLUMN(search, owner),
		ATH_COLUMN(search, speed, .values = ATH_VALUES("slow", "fast")),
		ATH_COLUMN(search, filter, .nullable = true),
		ATH_COLUMN(search, cursor, .nullable = true),
		ATH_COLUMN(search, tag, .nullable = true, .max_items = 3),
		ATH_COLUMN(search, id, .nullable = true),
		ATH_COLUMN(search, key, .nullable = true));

struct client {
	const char *user_agent;
	struct ath_null_int32 x_api_level;
	struct ath_text_array x_tag;
};
ATH_DECLARE_SHAPE(client);
ATH_MODEL_SHAPE(client, ATH_COLUMN(client, user_agent, .max_length = 9),
		ATH_COLUMN(client, x_api_level, .min = 1, .max = 3),
		ATH_COLUMN(client, x_tag, .nullable = true));

/* What else is sent is of no interest. */
struct loose {
	struct ath_null_int32 known;
	struct place *place;
};
ATH_DECLARE_SHAPE(loose);
ATH_MODEL_SHAPE(loose, ATH_COLUMN(loose, known), ATH_OBJECT(loose, place, place, .nullable = true),
		ATH_IGNORE_UNKNOWN);
struct pair {
	struct ath_null_int32 known;
};
ATH_DECLARE_SHAPE(pair);
ATH_MODEL_SHAPE(pair, ATH_COLUMN(pair, known), ATH_IGNORE_UNKNOWN);

/* As long as its list is let be. */
struct many {
	struct ath_int64_array numbers;
	struct pair_list pairs;
};
ATH_DECLARE_SHAPE(many);
ATH_MODEL_SHAPE(many, ATH_COLUMN(many, numbers), ATH_LIST_OF(many, pairs, pair));

/* A mistake of the programmer's that is found when it is used: it is in no list. */
struct wrong {
	const char *text;
};
ATH_DECLARE_SHAPE(wrong);
ATH_MODEL_SHAPE(wrong, ATH_COLUMN(wrong, text, .min_length = 2, .max_length = 1));

/* ---- handlers ---------------------------------------------------------------------------------
 */

static bool failed; /* what the last handler was told of its request */

/* Looks at all that must be there, whatever was sent. */
static struct ath_response *take_order(struct ath_request *request)
{
	struct order *order = order_bind(request);

	failed = ath_request_failed(request);
	assert_true(strlen(order->customer) + strlen(order->address->place->city) < 1000);
	if (order->billing != NULL)
		assert_true(strlen(order->billing->place->city) < 1000);
	for (size_t i = 0; i < order->lines.count; i++)
		assert_true(strlen(order->lines.items[i]->productName) < 1000);
	for (size_t i = 0; i < order->tags.count; i++)
		assert_true(strlen(order->tags.items[i]) < 1000);
	assert_true(order->speed <= FAST);
	return order_json(request, 200, order);
}

static struct ath_response *take_node(struct ath_request *request)
{
	return node_json(request, 200, node_bind(request));
}

static struct ath_response *take_many(struct ath_request *request)
{
	return many_json(request, 200, many_bind(request));
}

static struct ath_response *take_loose(struct ath_request *request)
{
	return loose_json(request, 200, loose_bind(request));
}

static struct ath_response *take_pair(struct ath_request *request)
{
	return pair_json(request, 200, pair_bind_args(request));
}

static struct ath_response *take_search(struct ath_request *request)
{
	struct search *search = search_bind_args(request);

	failed = ath_request_failed(request);
	assert_true(strlen(search->word) < 1000);
	return search_json(request, 200, search);
}

static struct ath_response *take_form(struct ath_request *request)
{
	struct search *search = search_bind_form(request);

	failed = ath_request_failed(request);
	assert_true(strlen(search->word) < 1000);
	return search_json(request, 200, search);
}

static struct ath_response *take_client(struct ath_request *request)
{
	return client_json(request, 200, client_bind_headers(request));
}

static struct ath_response *take_wrong(struct ath_request *request)
{
	return wrong_json(request, 200, wrong_bind(request));
}

static struct ath_response *take_order_from_args(struct ath_request *request)
{
	(void)order_bind_args(request);
	return ath_response_empty(request, 204);
}

/* ?what=: shapes as no request makes them. */
static struct ath_response *show(struct ath_request *request)
{
	static struct node itself = { .name = "itself", .best = &itself };
	static struct node *twice[] = { &itself, &itself, NULL };
	static struct node empty = { .name = "empty" }, holey = { .name = "holey" };
	static struct address nowhere;
	const char *what = ath_arg(request, "what");

	holey.kids = (struct node_list){ twice + 2, 1 };
	if (strcmp(what, "itself") == 0)
		return node_json(request, 200, &itself);
	if (strcmp(what, "nowhere") == 0)
		return address_json(request, 200, &nowhere);
	if (strcmp(what, "holey") == 0)
		return node_json(request, 200, &holey);
	if (strcmp(what, "list") == 0)
		return node_list_json(request, 200,
				      (struct node_list){ (struct node *[]){ &empty, &holey }, 2 });
	return many_json(request, 200, &(struct many){ .pairs = { NULL, 0 } });
}

static const struct ath_route routes[] = {
	ATH_ROUTE(POST, "/orders", take_order), ATH_ROUTE(GET, "/orders", take_order_from_args),
	ATH_ROUTE(POST, "/nodes", take_node),   ATH_ROUTE(POST, "/many", take_many),
	ATH_ROUTE(POST, "/loose", take_loose),  ATH_ROUTE(GET, "/pair", take_pair),
	ATH_ROUTE(GET, "/search", take_search), ATH_ROUTE(POST, "/search", take_form),
	ATH_ROUTE(GET, "/client", take_client), ATH_ROUTE(POST, "/wrong", take_wrong),
	ATH_ROUTE(GET, "/show", show),          { 0 },
};

/* Shapes need not be in it. */
static const struct ath_model *const models[] = { &part_model, &node_model, &search_model, NULL };
static struct ath_rest rest = { .models = models };
static const struct ath_log silent = { .fd = -1 };

/* ---- one request ------------------------------------------------------------------------------
 */

static struct {
	char *whole;
	const char *body;
	int status;
} answer;

static int open_web(void **state)
{
	struct ath_error error = { 0 };

	(void)state;
	web = (struct ath_web){ .log = &silent, .context = &rest };
	if (ath_models_check(models, &error) == ATH_OK)
		return open_routes(routes, (struct ath_web_limits){ 0 });
	fprintf(stderr, "%s\n", error.message);
	return -1;
}

static int close_all(void **state)
{
	free(answer.whole);
	return close_web(state);
}

static const char *const no_headers[] = { NULL };

/* headers: names as the web server writes them and values, ending in NULL */
static void ask_with(const char *method, const char *uri, const char *body,
		     const char *const *headers)
{
	struct ath_request *request = ath_request_new(&web);
	const char *end;
	size_t length;

	assert_non_null(request);
	put_usual_pairs(&request->raw_params, method, uri);
	for (; headers[0] != NULL; headers += 2)
		put_pair(&request->raw_params, headers[0], headers[1]);
	ath_buffer_string(&request->raw_body, body);
	free(answer.whole);
	answer.whole = handle(request, &length);
	end = strstr(answer.whole, "\r\n\r\n");
	assert_non_null(end);
	answer.body = end + 4;
	assert_int_equal(sscanf(answer.whole, "Status: %d ", &answer.status), 1);
	ath_request_free(request);
}

static void ask(const char *method, const char *uri, const char *body)
{
	ask_with(method, uri, body, no_headers);
}

static void expect_answer(const char *what, int status, const char *body)
{
	if (answer.status != status || strcmp(answer.body, body) != 0)
		fail_msg("%s:\n  got    %d %s\n  wanted %d %s", what, answer.status, answer.body,
			 status, body);
}

/* The errors of a 422, read as any client would, are these: a line each, "POINTER: DETAIL\n". */
static void expect_errors(const char *what, const char *wanted)
{
	cJSON *problem = cJSON_Parse(answer.body);
	const cJSON *each, *errors = cJSON_GetObjectItemCaseSensitive(problem, "errors");
	struct ath_buffer got;

	ath_buffer_init(&got, NULL, 1 << 20);
	cJSON_ArrayForEach(each, errors) ath_buffer_printf(
		&got, "%s: %s\n", cJSON_GetObjectItemCaseSensitive(each, "pointer")->valuestring,
		cJSON_GetObjectItemCaseSensitive(each, "detail")->valuestring);
	if (answer.status != 422 || strcmp(ath_buffer_c_string(&got), wanted) != 0)
		fail_msg("%s:\n  got    %d %s\n  wanted 422 %s", what, answer.status,
			 answer.status == 422 ? ath_buffer_c_string(&got) : answer.body, wanted);
	assert_non_null(strstr(answer.whole, "\r\nContent-Type: application/problem+json\r\n"));
	ath_buffer_free(&got);
	cJSON_Delete(problem);
}

/* ---- bodies ------------------------------------------------------------------------------------
 */

#define ADDRESS "\"address\":{\"place\":{\"city\":\"Graz\",\"street\":null},\"floor\":null}"
#define LINE    "{\"productName\":\"Retort\",\"amount\":2,\"serials\":[9007199254740993,-1]}"
#define FIRST   "\"customer\":\"ada@x.y\"," ADDRESS
#define LINES   "\"lines\":[" LINE "]"
#define REST                                                                                       \
	"\"tags\":null,\"speed\":\"fast\",\"note\":null,\"seal\":null,\"part\":null,\"spares\":"   \
	"null}"

static void test_what_goes_in_comes_out(void **state)
{
	static const char full[] =
		"{" FIRST
		",\"billing\":{\"place\":{\"city\":\"Wien\",\"street\":\"Am \\\"Hof\\\"\"},"
		"\"floor\":-9}," LINES ",\"tags\":[\"a\",\"\"],\"speed\":\"slow\","
		"\"note\":{\"any\":[1,2.50]},\"seal\":\"AAH/\",\"part\":{\"id\":0,\"name\":\"p\"},"
		"\"spares\":[{\"id\":0,\"name\":\"a\"},{\"id\":0,\"name\":\"b\"}]}";
	char *sent = strdup(full), *id;

	(void)state;
	/* an id is the database's, and not sent */
	while ((id = strstr(sent, "\"id\":0,")) != NULL)
		memmove(id, id + 7, strlen(id + 7) + 1);
	ask("POST", "/orders", sent);
	expect_answer("full", 200, full);
	assert_false(failed);
	/* an empty list is one that is there */
	ask("POST", "/orders", "{" FIRST "," LINES ",\"spares\":[]}");
	assert_int_equal(answer.status, 200);
	assert_non_null(strstr(answer.body, "\"part\":null,\"spares\":[]}"));
	free(sent);
}

static void test_what_may_be_missing(void **state)
{
	static const char *const bodies[] = {
		"{" FIRST "," LINES "}",
		"{" LINES "," FIRST ",\"billing\":null,\"tags\":null,\"note\":null,\"seal\":null,"
		"\"part\":null,\"spares\":null}",
		"{\"customer\":\"ada@x.y\",\"address\":{\"place\":{\"city\":\"Graz\"}}," LINES "}",
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(bodies); i++) {
		ask("POST", "/orders", bodies[i]);
		expect_answer(bodies[i], 200, "{" FIRST ",\"billing\":null," LINES "," REST);
	}
}

#define INT64 "must be an integer of 64 bits"

/* a body, and what is said of it */
static const struct {
	const char *body, *errors;
} refused_bodies[] = {
	/* no object */
	{ "[]", ": must be an object\n" },
	{ "null", ": must be an object\n" },
	{ "\"x\"", ": must be an object\n" },
	{ "1", ": must be an object\n" },
	/* missing: what is optional or has a default is not asked for */
	{ "{}", "/customer: is required\n/address: is required\n/lines: is required\n" },
	{ "{\"customer\":\"ada@x.y\",\"address\":{}," LINES "}", "/address/place: is required\n" },
	{ "{" FIRST ",\"billing\":{}," LINES "}", "/billing/place: is required\n" },
	{ "{" FIRST ",\"billing\":{\"place\":{}}," LINES "}",
	  "/billing/place/city: is required\n" },
	{ "{" FIRST ",\"lines\":[{},{\"amount\":1}]}",
	  "/lines/0/productName: is required\n/lines/0/amount: is required\n"
	  "/lines/1/productName: is required\n" },
	{ "{" FIRST "," LINES ",\"part\":{},\"spares\":[{\"name\":\"a\"},{}]}",
	  "/part/name: is required\n/spares/1/name: is required\n" },
	/* null */
	{ "{\"customer\":null,\"address\":null,\"lines\":null}",
	  "/customer: must not be null\n/address: must not be null\n/lines: must not be null\n" },
	{ "{" FIRST ",\"lines\":[null],\"billing\":{\"place\":null},\"tags\":[null],"
	  "\"speed\":null}",
	  "/lines/0: must be an object\n/billing/place: must not be null\n"
	  "/tags/0: must be a string\n/speed: must not be null\n" },
	/* wrong types, at every depth */
	{ "{\"customer\":1,\"address\":[],\"billing\":\"x\",\"lines\":{},\"tags\":{},\"speed\":0,"
	  "\"seal\":7,\"part\":1,\"spares\":true}",
	  "/customer: must be a string\n/address: must be an object\n/billing: must be an object\n"
	  "/lines: must be a list\n/tags: must be a list of strings\n"
	  "/speed: must be one of \"slow\", \"fast\"\n/seal: must be base64\n"
	  "/part: must be an object\n/spares: must be a list\n" },
	{ "{" FIRST ",\"lines\":[1,[],\"x\"]}",
	  "/lines/0: must be an object\n/lines/1: must be an object\n"
	  "/lines/2: must be an object\n" },
	{ "{" FIRST ",\"lines\":[" LINE ",{\"productName\":false,\"amount\":\"1\","
	  "\"serials\":[1,\"2\",3.5]}]}",
	  "/lines/1/productName: must be a string\n"
	  "/lines/1/amount: must be an integer from 1 to 99\n"
	  "/lines/1/serials/1: " INT64 "\n/lines/1/serials/2: " INT64 "\n" },
	{ "{" FIRST "," LINES ",\"tags\":[[\"a\",\"b\"],\"c\",{\"d\":\"e\"},1]}",
	  "/tags/0: must be a string\n/tags/2: must be a string\n/tags/3: must be a string\n" },
	/* rules */
	{ "{\"customer\":\"nobody\",\"address\":{\"place\":{\"city\":\"G\"},\"floor\":100},"
	  "\"lines\":[{\"productName\":\"\",\"amount\":0}],\"speed\":\"FAST\","
	  "\"seal\":\"AAAAAAA=\"}",
	  "/customer: must be an email address\n"
	  "/address/place/city: must be at least 2 characters long\n"
	  "/address/floor: must be an integer from -9 to 99\n"
	  "/lines/0/amount: must be an integer from 1 to 99\n"
	  "/speed: must be one of \"slow\", \"fast\"\n/seal: must be at most 4 bytes long\n" },
	{ "{" FIRST ",\"lines\":[{\"productName\":\"a\\u0000\",\"amount\":1}],"
	  "\"spares\":[{\"name\":\"0123456789\"}]}",
	  "/lines/0/productName: must not hold the character U+0000\n"
	  "/spares/0/name: must be at most 9 characters long\n" },
	/* how many */
	{ "{" FIRST ",\"lines\":[],\"tags\":[]}",
	  "/lines: must have at least 1 items\n/tags: must have at least 1 items\n" },
	{ "{" FIRST ",\"lines\":[" LINE "," LINE "," LINE ",{}]}",
	  "/lines: must have at most 3 items\n" },
	{ "{" FIRST ",\"lines\":[{\"productName\":\"a\",\"amount\":1,\"serials\":[1,2,3,4]}]}",
	  "/lines/0/serials: must have at most 3 items\n" },
	/* what a row's client may not set stays so inside of a shape */
	{ "{" FIRST "," LINES ",\"part\":{\"id\":1,\"name\":\"a\"}}", "/part/id: cannot be set\n" },
	/* unknown */
	{ "{" FIRST "," LINES ",\"more\":1,\"Customer\":{\"deep\":[1]}}",
	  "/more: is not known here\n/Customer: is not known here\n" },
	{ "{\"customer\":\"ada@x.y\",\"address\":{\"place\":{\"city\":\"Graz\",\"zip\":1},\"a\":2},"
	  "\"lines\":[" LINE ",{\"productName\":\"a\",\"amount\":1,\"product_name\":\"a\"}]}",
	  "/address/place/zip: is not known here\n/address/a: is not known here\n"
	  "/lines/1/product_name: is not known here\n" },
	/* odd names, as RFC 6901 writes them */
	{ "{" FIRST "," LINES
	  ",\"\":1,\"a/b\":1,\"m~n\":1,\"~1\":1,\"/\":1,\" \":1,\"q\\\"\\\\\":1,"
	  "\"\\u00e4\\ud83d\\ude00\":1,\"nul\\u0000\":1,\"a\\nb\":1,\"%s\":1}",
	  "/: is not known here\n/a~1b: is not known here\n/m~0n: is not known here\n"
	  "/~01: is not known here\n/~1: is not known here\n/ : is not known here\n"
	  "/q\"\\: is not known here\n/\xc3\xa4\xf0\x9f\x98\x80: is not known here\n"
	  "/nul\xef\xbf\xbd: is not known here\n/a\nb: is not known here\n"
	  "/%s: is not known here\n" },
	{ "{" FIRST ",\"lines\":[" LINE ",{\"productName\":\"a\",\"amount\":1,\"a/~b\":{}}]}",
	  "/lines/1/a~1~0b: is not known here\n" },
};

static void test_all_that_is_wrong_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(refused_bodies); i++) {
		failed = false;
		ask("POST", "/orders", refused_bodies[i].body);
		expect_errors(refused_bodies[i].body, refused_bodies[i].errors);
		assert_non_null(strstr(answer.body, "\"the body breaks the rules: see errors\""));
		assert_true(failed);
	}
}

static void test_bodies_that_are_none(void **state)
{
	(void)state;
	ask("POST", "/orders", "{\"lines\":[{]}");
	assert_int_equal(answer.status, 400);
	ask("POST", "/orders", "");
	assert_int_equal(answer.status, 400);
	ask("POST", "/orders", "{\"customer\":1,\"customer\":1}");
	assert_int_equal(answer.status, 400);
	ask_with("POST", "/orders", "{}",
		 (const char *const[]){ "CONTENT_TYPE", "text/plain", NULL });
	assert_int_equal(answer.status, 415);
	assert_true(failed);
}

static void test_unknown_members_are_passed_over(void **state)
{
	(void)state;
	ask("POST", "/loose", "{\"more\":[{}],\"known\":1,\"\":null}");
	expect_answer("loose", 200, "{\"known\":1,\"place\":null}");
	ask("POST", "/loose",
	    "{\"more\":1,\"known\":\"x\",\"place\":{\"city\":\"Graz\",\"more\":1}}");
	/* but not by the shapes that it holds */
	expect_errors("loose", "/known: must be an integer from -2147483648 to 2147483647\n"
			       "/place/more: is not known here\n");
	ask("GET", "/pair?more=1&known=7&more=2", "");
	expect_answer("pair", 200, "{\"known\":7}");
}

/* ---- limits ------------------------------------------------------------------------------------
 */

/* begin, and then each so many times with a comma between, and end */
static char *repeat(const char *begin, const char *each, size_t count, const char *end)
{
	struct ath_buffer text;

	ath_buffer_init(&text, NULL, 1 << 20);
	ath_buffer_string(&text, begin);
	for (size_t i = 0; i < count; i++)
		ath_buffer_printf(&text, "%s%s", i > 0 ? "," : "", each);
	ath_buffer_string(&text, end);
	assert_false(text.failed);
	ath_buffer_c_string(&text);
	return text.data;
}

static void ask_repeated(const char *uri, const char *begin, const char *each, size_t count,
			 const char *end)
{
	char *body = repeat(begin, each, count, end);

	ask("POST", uri, body);
	free(body);
}

static void test_lists_have_an_end(void **state)
{
	(void)state;
	ask_repeated("/many", "{\"numbers\":[", "7", 1000, "],\"pairs\":[]}");
	assert_int_equal(answer.status, 200);
	ask_repeated("/many", "{\"pairs\":[],\"numbers\":[", "7", 1001, "]}");
	expect_errors("numbers", "/numbers: must have at most 1000 items\n");
	ask_repeated("/many", "{\"numbers\":[],\"pairs\":[", "{}", 1000, "]}");
	assert_int_equal(answer.status, 200);
	ask_repeated("/many", "{\"numbers\":[],\"pairs\":[", "{}", 1001, "]}");
	expect_errors("pairs", "/pairs: must have at most 1000 items\n");
}

/* The first hundred are told, and that there are more. */
static void test_violations_have_an_end(void **state)
{
	struct ath_buffer wanted;

	(void)state;
	ath_buffer_init(&wanted, NULL, 1 << 20);
	for (int i = 0; i < 100; i++)
		ath_buffer_printf(&wanted, "/pairs/%d: must be an object\n", i);
	ask_repeated("/many", "{\"numbers\":[],\"pairs\":[", "1", 100, "]}");
	expect_errors("100", ath_buffer_c_string(&wanted));
	ath_buffer_string(&wanted, ": there is more: only the first 100 are told\n");
	ask_repeated("/many", "{\"numbers\":[],\"pairs\":[", "1", 101, "]}");
	expect_errors("101", ath_buffer_c_string(&wanted));
	ask_repeated("/many", "{\"pairs\":[", "1", 1000, "],\"numbers\":[null]}");
	expect_errors("1001", ath_buffer_c_string(&wanted));
	ath_buffer_free(&wanted);
}

static void ask_deep(const char *inner, int depth)
{
	struct ath_buffer body;

	ath_buffer_init(&body, NULL, 1 << 20);
	for (int i = 1; i < depth; i++)
		ath_buffer_string(&body, "{\"name\":\"\",\"best\":");
	ath_buffer_string(&body, inner);
	for (int i = 1; i < depth; i++)
		ath_buffer_string(&body, "}");
	ask("POST", "/nodes", ath_buffer_c_string(&body));
	ath_buffer_free(&body);
}

static void test_depth_has_an_end(void **state)
{
	char place[200] = "";

	(void)state;
	ask_deep("{\"name\":\"innermost\"}", 32);
	assert_int_equal(answer.status, 200);
	assert_non_null(
		strstr(answer.body, "{\"name\":\"innermost\",\"kids\":null,\"best\":null}"));
	ask_deep("{\"name\":\"innermost\"}", 33);
	assert_int_equal(answer.status, 400);
	/* what is wrong at the deepest place has its whole pointer */
	for (int i = 1; i < 32; i++)
		strcat(place, "/best");
	strcat(place, "/name: is required\n");
	ask_deep("{}", 32);
	expect_errors("deep", place);
	ask("POST", "/nodes",
	    "{\"name\":\"a\",\"kids\":[{\"name\":\"b\",\"kids\":[{\"name\":\"c\"},{\"nam\":1}]}]}");
	expect_errors("kids", "/kids/0/kids/1/nam: is not known here\n"
			      "/kids/0/kids/1/name: is required\n");
}

/* ---- query arguments and forms ------------------------------------------------------------------
 */

#define UUID      "00112233-4455-6677-8899-aabbccddeeff"
#define NO_DETAIL "\"exact\":null,\"ratio\":null,\"price\":null,\"day\":null,\"moment\":null,"
#define NO_MORE                                                                                    \
	"\"owner\":null,\"speed\":null,\"filter\":null,\"cursor\":null,\"tag\":null,\"id\":null,"  \
	"\"key\":null}"
#define MOST "-9223372036854775808"
#define ARG  "the query argument "

static const struct {
	const char *query, *body;
} good_queries[] = {
	{ "word=a", "{\"word\":\"a\",\"limit\":20," NO_DETAIL NO_MORE },
	{ "limit=7&word=%C3%A4+%26b", "{\"word\":\"\xc3\xa4 &b\",\"limit\":7," NO_DETAIL NO_MORE },
	{ "word=null&limit=50", "{\"word\":\"null\",\"limit\":50," NO_DETAIL NO_MORE },
	{ "word=%22%5C%0a", "{\"word\":\"\\\"\\\\\\n\",\"limit\":20," NO_DETAIL NO_MORE },
	{ "word=12&exact=true&ratio=0.5&price=3.5&day=2024-05-06&moment=2024-05-06T07:08:09Z",
	  "{\"word\":\"12\",\"limit\":20,\"exact\":true,\"ratio\":0.5,\"price\":\"3.50\","
	  "\"day\":\"2024-05-06\",\"moment\":\"2024-05-06T07:08:09Z\"," NO_MORE },
	{ "word=a&owner=" UUID "&speed=fast&filter=%7B%22a%22:%5B1%5D%7D&cursor=AAH/&tag=x&tag=&"
	  "tag=y&id=1&id=" MOST "&key=" UUID,
	  "{\"word\":\"a\",\"limit\":20," NO_DETAIL "\"owner\":\"" UUID
	  "\",\"speed\":\"fast\",\"filter\":{\"a\":[1]},\"cursor\":\"AAH/\","
	  "\"tag\":[\"x\",\"\",\"y\"],\"id\":[1," MOST "],\"key\":[\"" UUID "\"]}" },
	{ "word=a&filter=%22text%22", "{\"word\":\"a\",\"limit\":20," NO_DETAIL
				      "\"owner\":null,\"speed\":null,\"filter\":\"text\","
				      "\"cursor\":null,\"tag\":null,\"id\":null,\"key\":null}" },
};

/* a query, and what is said: each line begins with its pointer and goes on with %s */
static const struct {
	const char *query, *errors;
} refused_queries[] = {
	{ "", "/word: %sis required\n" },
	{ "limit=5", "/word: %sis required\n" },
	{ "word=", "/word: %smust be at least 1 characters long\n" },
	{ "word", "/word: %smust be at least 1 characters long\n" },
	{ "word=abcdef&limit=0", "/word: %smust be at most 5 characters long\n/limit: %smust be an "
				 "integer from 1 to 50\n" },
	{ "word=a&limit=51", "/limit: %smust be an integer from 1 to 50\n" },
	{ "word=a&limit=", "/limit: %smust be an integer from 1 to 50\n" },
	{ "word=a&limit=x", "/limit: %smust be an integer from 1 to 50\n" },
	{ "word=a&limit=+7", "/limit: %smust be an integer from 1 to 50\n" },
	{ "word=a&limit=7%20", "/limit: %smust be an integer from 1 to 50\n" },
	{ "word=a&limit=07", "/limit: %smust be an integer from 1 to 50\n" },
	{ "word=a&limit=7.0", "/limit: %smust be an integer from 1 to 50\n" },
	{ "word=a&limit=%227%22", "/limit: %smust be an integer from 1 to 50\n" },
	{ "word=a&limit=null", "/limit: %smust be an integer from 1 to 50\n" },
	{ "word=a&limit=%5B7%5D", "/limit: %smust be an integer from 1 to 50\n" },
	{ "word=a&exact=yes", "/exact: %smust be true or false\n" },
	{ "word=a&exact=1", "/exact: %smust be true or false\n" },
	{ "word=a&exact=", "/exact: %smust be true or false\n" },
	{ "word=a&exact=null", "/exact: %smust be true or false\n" },
	{ "word=a&exact=%20true", "/exact: %smust be true or false\n" },
	{ "word=a&ratio=nan", "/ratio: %smust be a number\n" },
	{ "word=a&ratio=2", "/ratio: %smust be a number from 0 to 1\n" },
	{ "word=a&ratio=0x1", "/ratio: %smust be a number\n" },
	{ "word=a&price=1e", "/price: %smust be a decimal number of at most 38 digits\n" },
	{ "word=a&price=1.005", "/price: %smust have at most 2 digits behind the point\n" },
	{ "word=a&day=2024-02-30", "/day: %smust be a day such as \"2024-05-06\"\n" },
	{ "word=a&moment=now", "/moment: %smust be a time such as \"2024-05-06T07:08:09Z\"\n" },
	{ "word=a&owner=1", "/owner: %smust be a UUID\n" },
	{ "word=a&speed=medium", "/speed: %smust be one of \"slow\", \"fast\"\n" },
	{ "word=a&filter=%7B", "/filter: %smust be JSON\n" },
	{ "word=a&filter=", "/filter: %smust be JSON\n" },
	{ "word=a&cursor=%25", "/cursor: %smust be base64\n" },
	{ "word=a&word=b", "/word: %smust not be given more than once\n" },
	{ "word=a&limit=1&limit=1", "/limit: %smust not be given more than once\n" },
	{ "word=a&tag=1&tag=2&tag=3&tag=4", "/tag: %smust have at most 3 items\n" },
	{ "word=a&id=1&id=x&id=&id=1.5",
	  "/id/1: %smust be an integer of 64 bits\n/id/2: %smust be an "
	  "integer of 64 bits\n/id/3: %smust be an integer of 64 bits\n" },
	{ "word=a&key=x", "/key/0: %smust be a UUID\n" },
	{ "word=a&wrod=b&Word=c", "/wrod: %sis not known here\n/Word: %sis not known here\n" },
	{ "word=a&a/b~c=1&=2&%22%3D=3",
	  "/a~1b~0c: %sis not known here\n/: %sis not known here\n/\"=: %sis not known here\n" },
	{ "wrod=b&limit=0&tag[]=1",
	  "/wrod: %sis not known here\n/tag[]: %sis not known here\n/word: %sis required\n"
	  "/limit: %smust be an integer from 1 to 50\n" },
};

/* The errors with what they call that which is wrong. */
static void expect_errors_of(const char *query, const char *errors, const char *what)
{
	struct ath_buffer wanted;
	const char *mark;

	ath_buffer_init(&wanted, NULL, 1 << 16);
	for (; (mark = strstr(errors, "%s")) != NULL; errors = mark + 2) {
		ath_buffer_append(&wanted, errors, (size_t)(mark - errors));
		ath_buffer_string(&wanted, what);
	}
	ath_buffer_string(&wanted, errors);
	expect_errors(query, ath_buffer_c_string(&wanted));
	ath_buffer_free(&wanted);
}

static void ask_query(const char *query)
{
	char uri[1024];

	snprintf(uri, sizeof uri, "/search?%s", query);
	ask("GET", uri, "");
}

static void ask_form(const char *form)
{
	ask_with(
		"POST", "/search", form,
		(const char *const[]){ "CONTENT_TYPE", "application/x-www-form-urlencoded", NULL });
}

static void test_query_arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(good_queries); i++) {
		ask_query(good_queries[i].query);
		expect_answer(good_queries[i].query, 200, good_queries[i].body);
		assert_false(failed);
	}
	for (size_t i = 0; i < ATH_COUNT(refused_queries); i++) {
		failed = false;
		ask_query(refused_queries[i].query);
		expect_errors_of(refused_queries[i].query, refused_queries[i].errors, ARG);
		assert_non_null(strstr(answer.body, "\"the query arguments break the rules: "));
		assert_true(failed);
	}
}

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(good_queries); i++) {
		ask_form(good_queries[i].query);
		expect_answer(good_queries[i].query, 200, good_queries[i].body);
	}
	for (size_t i = 0; i < ATH_COUNT(refused_queries); i++) {
		ask_form(refused_queries[i].query);
		expect_errors_of(refused_queries[i].query, refused_queries[i].errors, "the field ");
		assert_non_null(strstr(answer.body, "\"the form breaks the rules: see errors\""));
	}
	ask("POST", "/search", "word=a");
	assert_int_equal(answer.status, 415);
	assert_true(failed);
}

/* Fields are as strict as arguments; files are the handler's. */
static void test_multipart_forms(void **state)
{
	static const char *const type[] = { "CONTENT_TYPE", "multipart/form-data; boundary=b",
					    NULL };
#define PART(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"

	(void)state;
	ask_with(
		"POST", "/search",
		PART("word") "a\r\n" PART("tag") "x\r\n--b\r\nContent-Disposition: form-data; "
						 "name=\"f\"; filename=\"f\"\r\n\r\nf\r\n--b--\r\n",
		type);
	assert_int_equal(answer.status, 200);
	assert_non_null(strstr(answer.body, "\"tag\":[\"x\"]"));
	ask_with("POST", "/search", PART("more") "x\r\n" PART("limit") "x\r\n--b--\r\n", type);
	expect_errors_of("multipart",
			 "/more: %sis not known here\n/word: %sis required\n"
			 "/limit: %smust be an integer from 1 to 50\n",
			 "the field ");
	ask_with("POST", "/search", "--b", type);
	assert_int_equal(answer.status, 400);
}

/* ---- headers ------------------------------------------------------------------------------------
 */

static void test_headers(void **state)
{
	static const char *const good[] = { "HTTP_USER_AGENT",  "curl",  "HTTP_X_TAG", "a, b",
					    "HTTP_OTHER",       "other", "HTTP_X_TAG", "c",
					    "HTTP_X_API_LEVEL", "3",     NULL };
	static const char *const bad[] = { "HTTP_USER_AGENT",
					   "much too long",
					   "HTTP_X_TAG",
					   "\xff",
					   "HTTP_X_API_LEVEL",
					   "03",
					   NULL };
	static const char *const twice[] = { "HTTP_USER_AGENT", "a", "HTTP_USER_AGENT", "b", NULL };

	(void)state;
	ask_with("GET", "/client?unknown=1", "", good);
	expect_answer("good headers", 200,
		      "{\"user_agent\":\"curl\",\"x_api_level\":3,\"x_tag\":[\"a, b\",\"c\"]}");
	ask("GET", "/client", "");
	expect_errors("no headers", "/user_agent: the header User-Agent is required\n");
	assert_non_null(strstr(answer.body, "\"the headers break the rules: see errors\""));
	ask_with("GET", "/client", "", bad);
	expect_errors("bad headers",
		      "/user_agent: the header User-Agent must be at most 9 characters long\n"
		      "/x_api_level: the header X-Api-Level must be an integer from 1 to 3\n"
		      "/x_tag: the header X-Tag must be UTF-8\n");
	ask_with("GET", "/client", "", twice);
	expect_errors("twice",
		      "/user_agent: the header User-Agent must not be given more than once\n");
}

/* ---- answers ------------------------------------------------------------------------------------
 */

static void test_shapes_as_answers(void **state)
{
	(void)state;
	ask("GET", "/show?what=nowhere", "");
	expect_answer("nowhere", 200, "{\"place\":null,\"floor\":null}");
	ask("GET", "/show?what=holey", "");
	expect_answer("holey", 200, "{\"name\":\"holey\",\"kids\":[null],\"best\":null}");
	ask("GET", "/show?what=list", "");
	expect_answer("list", 200,
		      "[{\"name\":\"empty\",\"kids\":null,\"best\":null},"
		      "{\"name\":\"holey\",\"kids\":[null],\"best\":null}]");
	ask("GET", "/show?what=empty", "");
	expect_answer("empty", 200, "{\"numbers\":[],\"pairs\":[]}");
	/* what holds itself has no end, and no JSON */
	ask("GET", "/show?what=itself", "");
	assert_int_equal(answer.status, 500);
	assert_null(strstr(answer.body, "itself"));
}

/* ---- mistakes -----------------------------------------------------------------------------------
 */

static void test_mistakes_of_the_programmer(void **state)
{
	(void)state;
	ask("POST", "/wrong", "{\"text\":\"a\"}");
	assert_int_equal(answer.status, 500);
	assert_null(strstr(answer.body, "min_length"));
	ask("GET", "/orders?customer=ada@x.y", "");
	assert_int_equal(answer.status, 500);
}

/* Memory ends anywhere: the request ends in 500, and the handler has what it looks at. */
static void test_memory_can_end(void **state)
{
	static const char body[] = "{" FIRST ",\"billing\":{\"place\":{\"city\":\"Wien\"}}," LINES
				   ",\"tags\":[\"a\\u0062\",\"b\"],\"note\":[1],\"seal\":\"AAH/\","
				   "\"spares\":[{\"name\":\"a\"}]}";
	static const char bad[] = "{\"customer\":1,\"lines\":[{\"a\":1},{}],\"b/\":{}}";
	static const char query[] = "/search?word=a&tag=a&tag=b&id=1&filter=%7B%7D&limit=3&more=1";
	bool memory[3] = { false };
	size_t usual = web.limits.arena;

	(void)state;
	for (web.limits.arena = 64; !memory[0] || !memory[1] || !memory[2];
	     web.limits.arena += 64) {
		ask("POST", "/orders", body);
		memory[0] = answer.status != 500;
		assert_true(!memory[0] || answer.status == 200);
		ask("POST", "/orders", bad);
		memory[1] = answer.status != 500;
		assert_true(!memory[1] || answer.status == 422);
		ask("GET", query, "");
		memory[2] = answer.status != 500;
		assert_true(!memory[2] || answer.status == 422);
		assert_true(web.limits.arena < 1 << 20);
	}
	web.limits.arena = usual;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_goes_in_comes_out),
		cmocka_unit_test(test_what_may_be_missing),
		cmocka_unit_test(test_all_that_is_wrong_is_told),
		cmocka_unit_test(test_bodies_that_are_none),
		cmocka_unit_test(test_unknown_members_are_passed_over),
		cmocka_unit_test(test_lists_have_an_end),
		cmocka_unit_test(test_violations_have_an_end),
		cmocka_unit_test(test_depth_has_an_end),
		cmocka_unit_test(test_query_arguments),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_multipart_forms),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_shapes_as_answers),
		cmocka_unit_test(test_mistakes_of_the_programmer),
		cmocka_unit_test(test_memory_can_end),
	};

	return cmocka_run_group_tests(tests, open_web, close_all);
}
