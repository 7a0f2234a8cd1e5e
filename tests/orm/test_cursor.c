/*
 * test_cursor.c - rows one after the other from a cursor: in constant memory, several at once,
 * between other statements, and when something ends or breaks in the middle.
 */
#include "items.h"

enum { LONG = 100000, WIDE = 40, WIDTH = 1000000, SLACK_KIB = 2048 };

/* Rows that take no room in the database. */
struct number {
	int64_t id;
	const char *word;
	struct ath_null_int32 even;
};
ATH_LIST_(number)
ATH_DECLARE_READING_(number)

ATH_MODEL_VIEW(number, "numbers", ATH_COLUMN(number, id, .primary_key = true),
	       ATH_COLUMN(number, word), ATH_COLUMN(number, even));

struct wide {
	int64_t id;
	const char *text;
};
ATH_LIST_(wide)
ATH_DECLARE_READING_(wide)

ATH_MODEL_VIEW(wide, "wides", ATH_COLUMN(wide, id), ATH_COLUMN(wide, text));

/* It divides by zero in row 5000. */
struct broken {
	int64_t id;
};
ATH_LIST_(broken)
ATH_DECLARE_READING_(broken)

ATH_MODEL_VIEW(broken, "brokens", ATH_COLUMN(broken, id));

/* And this one is NULL there. */
struct holey {
	int64_t id;
};
ATH_LIST_(holey)
ATH_DECLARE_READING_(holey)

ATH_MODEL_VIEW(holey, "holeys", ATH_COLUMN(holey, id));

struct sum {
	const char *word;
	int64_t sum;
};
ATH_LIST_(sum)
ATH_DECLARE_READING_(sum)

ATH_MODEL_RESULT(sum, ATH_COLUMN(sum, word), ATH_COLUMN(sum, sum));

#define VIEWS                                                                                      \
	"create view numbers as select n::bigint as id, 'word ' || n as word,"                     \
	" case when n % 2 = 0 then n end as even from generate_series(1, 100000) n;"               \
	"create view wides as select n::bigint as id, repeat('x', 1000000 - 3) || (100 + n) as "   \
	"text"                                                                                     \
	" from generate_series(1, 40) n;"                                                          \
	"create view brokens as select (n + 0 / (5000 - n))::bigint as id"                         \
	" from generate_series(1, 10000) n;"                                                       \
	"create view holeys as select nullif(n, 5000)::bigint as id"                               \
	" from generate_series(1, 10000) n"

/* The most memory that this process has had, in KiB. */
static long most_memory(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long most = -1;

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			most = strtol(line + 6, NULL, 10);
	if (file != NULL)
		fclose(file);
	return most;
}

/* Sanitizers keep what was freed for a while. */
static bool memory_is_measured(void)
{
#ifdef __SANITIZE_ADDRESS__
	return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	return false;
#else
	return true;
#endif
#else
	return true;
#endif
}

static int64_t open_cursors(struct ath_session *db)
{
	struct sum_list list = ath_sql(
		db, sum,
		"select 'cursors' as word, count(*) as sum from pg_cursors where name <> ''");

	return list.count == 1 ? list.items[0]->sum : -1;
}

/* ---- all of them -------------------------------------------------------------------------------
 */

static void reads_many_rows_in_constant_memory(struct ath_session *db)
{
	struct ath_query query = ath_query(number);
	struct ath_cursor *rows = number_each(db, &query);
	size_t used = 0;
	int64_t count = 0, right = 0;
	long most = 0;
	const struct number *number;

	while ((number = number_next(rows)) != NULL) {
		char word[32];

		snprintf(word, sizeof word, "word %lld", (long long)++count);
		right += number->id == count && strcmp(number->word, word) == 0 &&
			 number->even.valid == (count % 2 == 0) &&
			 (!number->even.valid || number->even.value == count);
		if (count == LONG / 4) {
			used = ath_arena_used(db->arena);
			most = most_memory();
		}
	}
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(count == LONG && right == LONG);
	EXPECT(ath_arena_used(db->arena) == used);
	if (memory_is_measured())
		EXPECT(most > 0 && most_memory() - most < SLACK_KIB);
	EXPECT(number_next(rows) == NULL); /* it stays at its end, */
	ath_cursor_close(&rows);           /* and may be closed there */
	EXPECT(rows == NULL);
	EXPECT(open_cursors(db) == 0);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
}

/* A row of a cursor is as large as it is; there are never many of them. */
static void reads_wide_rows(struct ath_session *db)
{
	struct ath_query query = ath_query(wide);
	struct ath_cursor *rows = wide_each(db, &query);
	const struct wide *wide;
	int64_t count = 0;
	long most = 0;

	while ((wide = wide_next(rows)) != NULL) {
		EXPECT(wide->id == ++count && strlen(wide->text) == WIDTH);
		EXPECT(strtol(wide->text + WIDTH - 3, NULL, 10) == 100 + count);
		if (count == WIDE / 2)
			most = most_memory();
	}
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(count == WIDE);
	if (memory_is_measured())
		EXPECT(most > 0 && most_memory() - most < SLACK_KIB);
	EXPECT(ath_arena_used(db->arena) < WIDTH);
}

static void reads_none(struct ath_session *db)
{
	struct ath_query query = ath_query(item);
	struct ath_cursor *rows = item_each(db, &query);

	EXPECT(rows != NULL);
	EXPECT(item_next(rows) == NULL && item_next(rows) == NULL);
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(item_next(NULL) == NULL);
	rows = NULL;
	ath_cursor_close(&rows);
	ath_cursor_close(NULL);
}

/* As many as fill what is fetched at once, and one more or less. */
static void ends_where_the_rows_end(struct ath_session *db)
{
	static const int limits[] = { 1, 9, 10, 11, 109, 110, 111, 1110, 2110, 2111 };

	for (size_t i = 0; i < ATH_COUNT(limits); i++) {
		struct ath_query query = ath_query(number);
		struct ath_cursor *rows;
		int count = 0;

		ath_limit(&query, limits[i]);
		rows = number_each(db, &query);
		while (number_next(rows) != NULL)
			count++;
		EXPECT(count == limits[i]);
	}
	EXPECT(open_cursors(db) == 0);
	EXPECT_STATUS(db, ATH_OK);
}

static void reads_what_a_query_selects(struct ath_session *db)
{
	struct ath_query query = ath_query(item);
	struct ath_cursor *rows;
	const struct sum *sum;
	char text[64] = "";

	store_items();
	ath_join(&query, item, maker);
	ath_select(&query, ATH_COL(maker, name));
	ath_select(&query, ATH_FUNC(sum, ATH_COL(item, likes)));
	ath_group_by(&query, ATH_COL(maker, name));
	ath_order_by(&query, ATH_DESC(maker, name));
	rows = sum_each(db, &query);
	while ((sum = sum_next(rows)) != NULL)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld ", sum->word,
			 (long long)sum->sum);
	EXPECT_TEXT(text, "Cyd0 Ben7 Ann12 ");
	EXPECT_STATUS(db, ATH_OK);
}

/* Every type, parameters, and rows that are none of the session's. */
static void reads_rows_that_are_not_the_sessions(struct ath_session *db)
{
	struct ath_query query = items_by_id();
	struct ath_cursor *rows;
	struct item *item, *known;

	store_items();
	known = item_get(db, 3);
	ath_where(&query, ATH_EQ(item, shade, BLUE));
	ath_where(&query, ATH_HAS(item, tags, "c"));
	rows = item_each(db, &query);
	item = item_next(rows);
	if (EXPECT(item != NULL)) {
		EXPECT(item != known && item->id == 3);
		EXPECT_TEXT(item->title, "Old Chairs");
		EXPECT(item->parts.count == 2 && item->tags.count == 1 && item->image.length == 1);
		EXPECT(item->edge.valid && item->edge.value == RED);
		item->title = "changed";
	}
	EXPECT(item_next(rows) == NULL);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from items where title = 'changed'", 0);
	EXPECT_STATUS(db, ATH_OK);
}

/* ---- several
 * ------------------------------------------------------------------------------------- */

static void two_of_the_same_query_do_not_meet(struct ath_session *db)
{
	struct ath_query query = ath_query(number);
	struct ath_cursor *one, *two;
	const struct number *left, *right;

	ath_where(&query, ATH_LE(number, id, 300));
	one = number_each(db, &query);
	EXPECT(number_next(one) != NULL);
	two = number_each(db, &query);
	EXPECT(open_cursors(db) == 2);
	while ((left = number_next(one)) != NULL) {
		right = number_next(two);
		if (!EXPECT(right != NULL && left->id == right->id + 1))
			break;
	}
	right = number_next(two);
	EXPECT(right != NULL && right->id == 300 && number_next(two) == NULL);
	EXPECT(open_cursors(db) == 0);
	EXPECT_STATUS(db, ATH_OK);
}

static void one_inside_another(struct ath_session *db)
{
	struct ath_query makers = ath_query(maker);
	struct ath_cursor *outer, *inner;
	const struct maker *maker;
	const struct item *item;
	char text[64] = "";

	store_items();
	ath_order_by(&makers, ATH_ASC(maker, id));
	outer = maker_each(db, &makers);
	while ((maker = maker_next(outer)) != NULL) {
		struct ath_query items = items_by_id();

		ath_where(&items, ATH_EQ(item, maker_id, maker->id));
		inner = item_each(db, &items);
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s:", maker->name);
		while ((item = item_next(inner)) != NULL)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%lld ",
				 (long long)item->id);
	}
	EXPECT_TEXT(text, "Ann:1 2 Ben:3 Cyd:4 Dee:");
	EXPECT(open_cursors(db) == 0);
	EXPECT_STATUS(db, ATH_OK);
}

/* Reads, writes and a flush stand between two rows, and change nothing of what is read. */
static void statements_between_two_rows(struct ath_session *db)
{
	struct ath_query query = items_by_id(), all = ath_query(item);
	struct ath_cursor *rows;
	const struct item *row;
	int count = 0;

	store_items();
	rows = item_each(db, &query);
	while ((row = item_next(rows)) != NULL) {
		struct item *item = item_get(db, row->id);
		struct label *label = label_new(db);

		if (!EXPECT(item != NULL))
			break;
		item->likes = 100 + ++count;
		label->word = ath_arena_printf(db->arena, "label %d", count);
		label_add(db, label);
		EXPECT(ath_count(db, &all) == 4); /* flushes both */
		EXPECT(row->likes < 100 && row->id == count);
	}
	EXPECT(count == 4);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select sum(likes) from items", 410);
	EXPECT_NUMBER("select count(*) from labels", 7);
	EXPECT_STATUS(db, ATH_OK);
}

/* ---- endings
 * -------------------------------------------------------------------------------------- */

static void closed_before_the_end(struct ath_session *db)
{
	struct ath_query query = ath_query(number);
	size_t used = 0;

	for (int i = 0; i < 50; i++) {
		struct ath_cursor *rows = number_each(db, &query);

		EXPECT(number_next(rows) != NULL);
		ath_cursor_close(&rows);
		EXPECT(rows == NULL);
		if (i == 25)
			used = ath_arena_used(db->arena);
	}
	EXPECT(ath_arena_used(db->arena) - used < 25 * 8192);
	EXPECT(open_cursors(db) == 0);
	EXPECT(number_each(db, &query) != NULL); /* one is left to the session */
	EXPECT_STATUS(db, ATH_OK);
}

static void a_commit_in_the_middle_ends_it(struct ath_session *db)
{
	static const char *const text =
		"the transaction in which rows of number were being read has ended";
	struct ath_query query = ath_query(number);
	struct ath_cursor *rows = number_each(db, &query), *next;

	EXPECT(number_next(rows) != NULL);
	EXPECT(ath_commit(db));
	EXPECT(number_next(rows) == NULL);
	EXPECT_REFUSED(db, ATH_EINVAL, text);
	ath_cursor_close(&rows);
	rows = number_each(db, &query);
	EXPECT(number_next(rows) != NULL);
	ath_rollback(db);
	next = number_each(db, &query); /* of the same name, and another one */
	EXPECT(number_next(next) != NULL);
	EXPECT(number_next(rows) == NULL);
	EXPECT_REFUSED(db, ATH_EINVAL, text);
	next = number_each(db, &query);
	EXPECT(number_next(next) != NULL);
	ath_cursor_close(&rows);
	EXPECT(number_next(next) != NULL);
	EXPECT_STATUS(db, ATH_OK);
}

static void a_rollback_to_a_savepoint_ends_what_came_behind(struct ath_session *db)
{
	struct ath_query query = ath_query(number);
	struct ath_savepoint savepoint, inner;
	struct ath_cursor *before, *behind, *released;
	const struct number *number;

	before = number_each(db, &query);
	EXPECT(number_next(before) != NULL);
	EXPECT(ath_savepoint(db, &savepoint));
	EXPECT(ath_savepoint(db, &inner));
	released = number_each(db, &query);
	EXPECT(number_next(released) != NULL);
	EXPECT(ath_release(db, &inner));
	EXPECT(number_next(released) != NULL);
	behind = number_each(db, &query);
	EXPECT(number_next(behind) != NULL);
	EXPECT(ath_rollback_to(db, &savepoint));
	ath_cursor_close(&behind);
	ath_cursor_close(&released);
	EXPECT_STATUS(db, ATH_OK);
	number = number_next(before);
	EXPECT(number != NULL && number->id == 2);
	behind = number_each(db, &query);
	EXPECT(number_next(behind) != NULL);
	EXPECT(ath_rollback_to(db, &savepoint));
	EXPECT(number_next(behind) == NULL);
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT(ath_rollback_to(db, &savepoint));
	number = number_next(before);
	EXPECT(number != NULL && number->id == 3);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
}

/* What came before the error has come; behind it comes nothing. */
static void an_error_in_the_middle_ends_it(struct ath_session *db)
{
	struct ath_query query = ath_query(broken);
	struct ath_cursor *rows = broken_each(db, &query), *other;
	int count = 0;

	while (broken_next(rows) != NULL)
		count++;
	EXPECT(count > 0 && count < 5000);
	EXPECT_STATUS(db, ATH_ERULE);
	EXPECT_TEXT(db->error.sqlstate, "22012");
	EXPECT(broken_next(rows) == NULL);
	ath_cursor_close(&rows);
	EXPECT(broken_each(db, &query) == NULL);
	EXPECT(!ath_commit(db));
	ath_clear_error(db);
	ath_limit(&query, 100);
	other = broken_each(db, &query);
	for (count = 0; broken_next(other) != NULL;)
		count++;
	EXPECT(count == 100);
	EXPECT_STATUS(db, ATH_OK);
}

/* A row that does not fit its struct, when it is read. */
static void a_row_that_does_not_fit_ends_it(struct ath_session *db)
{
	struct ath_query query = ath_query(holey);
	struct ath_cursor *rows = holey_each(db, &query);
	int count = 0;

	while (holey_next(rows) != NULL)
		count++;
	EXPECT(count > 0 && count < 5000);
	EXPECT_REFUSED(db, ATH_ESQL, "column id is NULL, and its member cannot be");
	ath_cursor_close(&rows);
	EXPECT_STATUS(db, ATH_OK);
}

static void rows_are_taken_for_what_they_are(struct ath_session *db)
{
	struct ath_query query = ath_query(number);
	struct ath_cursor *rows = number_each(db, &query);

	EXPECT(wide_next(rows) == NULL);
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT_TEXT(db->error.message, "rows of number are taken for rows of wide");
	ath_clear_error(db);
	ath_limit(&query, -1);
	EXPECT(number_each(db, &query) == NULL);
	EXPECT_REFUSED(db, ATH_EINVAL, "a limit or offset is below zero");
}

/* Rows that a cursor has come to are locked, and the others not yet. */
static void locks_as_it_goes(struct ath_session *db)
{
	struct ath_query query = items_by_id();
	struct ath_cursor *rows;

	store_items();
	ath_lock(&query, ATH_FOR_UPDATE);
	rows = item_each(db, &query);
	EXPECT_NUMBER("select count(*) from (select 1 from items for update skip locked) x", 4);
	EXPECT(item_next(rows) != NULL);
	EXPECT_NUMBER("select count(*) from (select 1 from items for update skip locked) x", 0);
	ath_cursor_close(&rows);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from (select 1 from items for update skip locked) x", 4);
}

static struct scenario scenarios[] = {
	DIRECT(reads_many_rows_in_constant_memory),
	DIRECT(reads_wide_rows),
	DIRECT(reads_none),
	DIRECT(ends_where_the_rows_end),
	DIRECT(reads_what_a_query_selects),
	DIRECT(reads_rows_that_are_not_the_sessions),
	DIRECT(two_of_the_same_query_do_not_meet),
	DIRECT(one_inside_another),
	DIRECT(statements_between_two_rows),
	DIRECT(closed_before_the_end),
	DIRECT(a_commit_in_the_middle_ends_it),
	DIRECT(a_rollback_to_a_savepoint_ends_what_came_behind),
	DIRECT(an_error_in_the_middle_ends_it),
	DIRECT(a_row_that_does_not_fit_ends_it),
	DIRECT(rows_are_taken_for_what_they_are),
	DIRECT(locks_as_it_goes),
};

int main(void)
{
	more_tables = VIEWS;
	RUN_SCENARIOS(scenarios);
}
