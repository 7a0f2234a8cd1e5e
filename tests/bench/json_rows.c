/*
 * json_rows.c - a thousand rows as JSON: by ath_row_to_json(), straight from the structs, and by a
 * tree of cJSON's and its printer.
 *
 *	json_rows [TIMES]
 *	ns_per_row ns_per_row_of_cjson ratio bytes_per_row
 *
 * Both make the same document, which is checked first. They take turns, so that the drift of the
 * machine meets both alike. With TIMES the rows are written just that many times by
 * ath_row_to_json(), for web.sh to count its instructions.
 */
#include <cjson/cJSON.h>

#include <athanor.h>

#include "rest/internal.h"
#include "rounds.h"

enum { ROWS = 1000, REPEATS = 20 };

struct account {
	int64_t id;
	const char *name;
	const char *email;
	struct ath_null_int32 age;
	struct ath_timestamp created;
	struct ath_decimal balance;
	const char *remark;
};
ATH_DECLARE(account);

ATH_MODEL(account, "accounts", ATH_COLUMN(account, id, .primary_key = true),
	  ATH_COLUMN(account, name), ATH_COLUMN(account, email), ATH_COLUMN(account, age),
	  ATH_COLUMN(account, created), ATH_COLUMN(account, balance, .precision = 12, .scale = 2),
	  ATH_COLUMN(account, remark));

static struct account rows[ROWS];
static char names[ROWS][32], emails[ROWS][48];
static struct ath_arena *arena;

static void make_rows(void)
{
	for (int i = 0; i < ROWS; i++) {
		snprintf(names[i], sizeof names[i], "Firstname Lastname %d", i);
		snprintf(emails[i], sizeof emails[i], "firstname.lastname%d@example.com", i);
		rows[i] = (struct account){
			.id = 1000000 + i,
			.name = names[i],
			.email = emails[i],
			.age = { .value = 20 + i % 60, .valid = i % 4 > 0 },
			.created = { 1700000000000000 + (int64_t)i * 86461123457 },
			.balance = ath_decimal_of(1234567 + 97 * i, 2),
			.remark =
				"She said \"never again\",\nand went off to the \\ place we know.",
		};
	}
}

/* ---- ours ------------------------------------------------------------------------------------ */

static const char *write_ours(void)
{
	struct ath_buffer out;

	ath_arena_reset(arena);
	ath_buffer_init(&out, arena, 1 << 20);
	for (int i = 0; i < ROWS; i++) {
		ath_buffer_append(&out, i == 0 ? "[" : ",", 1);
		ath_row_to_json(&out, &account_model, &rows[i]);
	}
	ath_buffer_append(&out, "]", 1);
	return ath_buffer_c_string(&out);
}

static void ours(long times)
{
	for (long i = 0; i < times; i++)
		if (*write_ours() != '[')
			die("no rows were written");
}

/* ---- cJSON's --------------------------------------------------------------------------------- */

static cJSON *tree_of(const struct account *row)
{
	cJSON *object = cJSON_CreateObject();
	char text[64];

	cJSON_AddNumberToObject(object, "id", (double)row->id);
	cJSON_AddStringToObject(object, "name", row->name);
	cJSON_AddStringToObject(object, "email", row->email);
	if (row->age.valid)
		cJSON_AddNumberToObject(object, "age", row->age.value);
	else
		cJSON_AddNullToObject(object, "age");
	ath_timestamp_format(row->created, text);
	cJSON_AddStringToObject(object, "created", text);
	ath_decimal_format(row->balance, text);
	cJSON_AddStringToObject(object, "balance", text);
	cJSON_AddStringToObject(object, "remark", row->remark);
	return object;
}

static char *write_cjson(void)
{
	cJSON *array = cJSON_CreateArray();
	char *text;

	for (int i = 0; i < ROWS; i++)
		cJSON_AddItemToArray(array, tree_of(&rows[i]));
	text = cJSON_PrintUnformatted(array);
	cJSON_Delete(array);
	if (text == NULL)
		die("no memory");
	return text;
}

static void cjson(long times)
{
	for (long i = 0; i < times; i++)
		cJSON_free(write_cjson());
}

/* ---- side by side ---------------------------------------------------------------------------- */

/* As documents, since a number may be written in more ways than one. Returns the length. */
static size_t check_same(void)
{
	const char *left = write_ours();
	char *right = write_cjson();
	cJSON *a = cJSON_Parse(left), *b = cJSON_Parse(right);

	if (a == NULL || b == NULL || cJSON_GetArraySize(a) != ROWS || !cJSON_Compare(a, b, true))
		die("the documents are not the same");
	cJSON_Delete(a);
	cJSON_Delete(b);
	cJSON_free(right);
	return strlen(left);
}

static double time_once(void (*run)(long times))
{
	double start = now_ns();

	run(REPEATS);
	return (now_ns() - start) / REPEATS / ROWS;
}

int main(int argc, char **argv)
{
	double our_times[ROUNDS], cjson_times[ROUNDS], ratios[ROUNDS];
	size_t length;

	if (ath_arena_open(&arena, 0) != ATH_OK)
		die("no memory");
	make_rows();
	if (argc > 1) {
		ours(strtol(argv[1], NULL, 10));
	} else {
		length = check_same();
		for (int i = 0; i < ROUNDS; i++) {
			our_times[i] = time_once(ours);
			cjson_times[i] = time_once(cjson);
			ratios[i] = cjson_times[i] / our_times[i];
		}
		printf("%.0f %.0f %.1f %zu\n", median(our_times, ROUNDS),
		       median(cjson_times, ROUNDS), median(ratios, ROUNDS), length / ROWS);
	}
	ath_arena_close(&arena);
	return 0;
}
