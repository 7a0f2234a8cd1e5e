/*
 * test_paging.c - a table walked in pages by ath_after(), in many orders and by pages of any
 * size: every row comes once, where the whole query has it. And rows that are locked.
 */
#include "../base/random.h"
#include "items.h"

enum { STEPS = 3000, LONGEST_PAGE = 400 };

/* Columns of few values each, so that most rows tie with others. */
struct step {
	int64_t id;
	int32_t few;
	const char *word;
	bool odd;
	double real; /* NaN too */
	enum shade shade;
	struct ath_date day;
	const char *nick;
	struct ath_null_int32 rank;
	struct ath_null_decimal price;
	struct ath_null_timestamp moment;
	struct ath_null_enum edge;
	struct ath_null_uuid code;
	struct ath_null_double half;
};
ATH_DECLARE_ORM_(step, id)

ATH_MODEL(step, "steps", ATH_COLUMN(step, id, .primary_key = true), ATH_COLUMN(step, few),
	  ATH_COLUMN(step, word), ATH_COLUMN(step, odd), ATH_COLUMN(step, real),
	  ATH_COLUMN(step, shade, SHADES), ATH_COLUMN(step, day),
	  ATH_COLUMN(step, nick, .nullable = true), ATH_COLUMN(step, rank),
	  ATH_COLUMN(step, price, .precision = 10, .scale = 2), ATH_COLUMN(step, moment),
	  ATH_COLUMN(step, edge, SHADES), ATH_COLUMN(step, code), ATH_COLUMN(step, half));

/* Its key is of two columns, a text and a number. */
struct pair {
	const char *left;
	int16_t right;
	struct ath_null_int32 rank;
};
ATH_DECLARE_ORM_(pair, left, right)

ATH_MODEL(pair, "pairs", ATH_COLUMN(pair, left, .primary_key = true),
	  ATH_COLUMN(pair, right, .primary_key = true), ATH_COLUMN(pair, rank));

/* A view that has no key. */
struct loose {
	int32_t few;
};
ATH_LIST_(loose)
ATH_DECLARE_READING_(loose)

ATH_MODEL_VIEW(loose, "loose", ATH_COLUMN(loose, few));

#define STEP_TABLES                                                                                \
	"create table steps (id bigint primary key, few integer not null, word text not null,"     \
	" odd boolean not null, real double precision not null, shade text not null,"              \
	" day date not null, nick text, rank integer, price numeric(10, 2), moment timestamptz,"   \
	" edge text, code uuid, half double precision);"                                           \
	"create table pairs (\"left\" text, \"right\" smallint, rank integer,"                     \
	" primary key (\"left\", \"right\"));"                                                     \
	"create view loose as select few from steps"

#define SOME_STEPS                                                                                 \
	"select setseed(0.5);"                                                                     \
	"insert into steps select (n * 7919) % 10007, n % 5, (array['a', 'B', 'b', 'ä', ''])"     \
	"[1 + n % 3 + (n / 7) % 3], n % 2 = 1, (array[0, -1.5, 'NaN', 'inf', 1e-300])[1 + n % 5]," \
	" (array['red', 'green', 'blue'])[1 + n % 3], '2024-01-01'::date + n % 4,"                 \
	" case when n % 3 > 0 then 'n' || n % 6 end, nullif(n % 9, 4), nullif(n % 4, 0) / 4.0,"    \
	" case when n % 5 > 1 then '2024-01-01Z'::timestamptz + n % 3 * '1 us'::interval end,"     \
	" (array['red', null, 'blue', null])[1 + n % 4],"                                          \
	" ('00000000-0000-0000-0000-00000000000' || nullif(n % 7, 3))::uuid, nullif(n % 8, 1) / "  \
	"2.0"                                                                                      \
	" from (select n::int from generate_series(1, 3000) n order by random()) n;"               \
	"insert into pairs select 'left ' || n % 40, n / 40, nullif(n % 3, 1)"                     \
	" from generate_series(1, 1000) n"

/* ---- walking --------------------------------------------------------------------------------- */

/* Some orders by hand, and many by chance. */
static struct ath_order column_of_step(uint64_t which)
{
	struct ath_order columns[] = {
		ATH_ASC(step, few),    ATH_ASC(step, word),  ATH_ASC(step, odd),
		ATH_ASC(step, real),   ATH_ASC(step, shade), ATH_ASC(step, day),
		ATH_ASC(step, nick),   ATH_ASC(step, rank),  ATH_ASC(step, price),
		ATH_ASC(step, moment), ATH_ASC(step, edge),  ATH_ASC(step, code),
		ATH_ASC(step, half),   ATH_ASC(step, id),
	};

	return columns[which % ATH_COUNT(columns)];
}

/* The ids of all rows in the order that is asked for, ended by the key. */
static size_t read_at_once(struct ath_query query, int64_t *ids)
{
	struct ath_session *db = open_session(0);
	struct step_list list;

	ath_order_by(&query, ATH_ASC(step, id));
	list = step_all(db, &query);
	EXPECT_STATUS(db, ATH_OK);
	for (size_t i = 0; i < list.count; i++)
		ids[i] = list.items[i]->id;
	ath_session_close(&db);
	return list.count;
}

/* Where the walk leaves the order; count: nowhere. */
static size_t walk(struct ath_query query, const int64_t *ids, size_t count)
{
	struct ath_session *db = open_session(0);
	const struct step *last = NULL;
	size_t at = 0;
	struct step_list page;

	do {
		size_t size = 1 + next_random() % LONGEST_PAGE;

		ath_limit(&query, (int64_t)size);
		ath_after(&query, last);
		page = step_all(db, &query);
		EXPECT(page.count == (size < count - at ? size : count - at));
		for (size_t i = 0; i < page.count; i++)
			if (at == count || page.items[i]->id != ids[at++])
				page.count = 0;
		if (page.count > 0)
			last = page.items[page.count - 1];
	} while (page.count > 0 && at < count);
	ath_after(&query, last);
	if (at == count)
		EXPECT(step_first(db, &query) == NULL && ath_count(db, &query) == 0);
	EXPECT_STATUS(db, ATH_OK);
	ath_session_close(&db);
	return at;
}

static void every_row_comes_once(struct ath_session *db)
{
	static int64_t ids[STEPS];

	(void)db;
	run_sql(SOME_STEPS);
	for (unsigned turn = 0; turn < 40 && failure[0] == '\0'; turn++) {
		struct ath_query query = ath_query(step);
		size_t columns = 1 + next_random() % 3, count;

		for (size_t i = 0; i < columns; i++) {
			/* the first turns take each column alone */
			struct ath_order order =
				column_of_step(turn < 28 && i == 0 ? turn / 2 : next_random());

			order.descending = turn < 28 && i == 0 ? turn % 2 : next_random() % 2;
			ath_order_by(&query, order);
			if (turn < 28 && turn % 4 < 2)
				break;
		}
		if (turn % 3 == 2)
			ath_where(&query, ATH_OR(ATH_GT(step, few, 1), ATH_IS_NULL(step, nick)));
		count = read_at_once(query, ids);
		EXPECT(count > 1000);
		if (!EXPECT(walk(query, ids, count) == count))
			fprintf(stderr, "turn %u\n", turn);
	}
}

/* A walk without an order goes by the key. */
static void without_an_order_the_key_decides(struct ath_session *db)
{
	static int64_t ids[STEPS];
	struct ath_query query = ath_query(step);
	size_t count;

	(void)db;
	run_sql(SOME_STEPS);
	count = read_at_once(query, ids);
	EXPECT(count == STEPS && ids[0] < ids[1]);
	EXPECT(walk(query, ids, count) == count);
}

static void keys_of_several_columns(struct ath_session *db)
{
	struct ath_query all = ath_query(pair), query = all;
	struct pair_list list, page;
	size_t at = 0;

	run_sql(SOME_STEPS);
	ath_order_by(&query, ATH_DESC(pair, rank));
	ath_order_by(&all, ATH_DESC(pair, rank));
	ath_order_by(&all, ATH_ASC(pair, left));
	ath_order_by(&all, ATH_ASC(pair, right));
	list = pair_all(db, &all);
	EXPECT(list.count == 1000);
	ath_limit(&query, 77);
	ath_after(&query, NULL);
	for (page = pair_all(db, &query); page.count > 0; page = pair_all(db, &query)) {
		for (size_t i = 0; i < page.count && at < list.count; i++)
			if (!EXPECT(page.items[i] == list.items[at++]))
				return;
		ath_after(&query, page.items[page.count - 1]);
	}
	EXPECT(at == list.count);
	EXPECT_STATUS(db, ATH_OK);
}

/* The row needs no more than its order and its key: what a client brings back. */
static void a_row_made_of_its_members_will_do(struct ath_session *db)
{
	struct ath_query query = ath_query(item);
	struct item last = { .id = 2, .likes = 7, .title = "no matter" };

	store_items();
	ath_order_by(&query, ATH_DESC(item, likes));
	ath_after(&query, &last);
	EXPECT_QUERY(db, &query, "3,1,4");
	EXPECT(ath_count(db, &query) == 3);
	last.id = 99;
	EXPECT_QUERY(db, &query, "1,4");
	ath_after(&query, NULL); /* from the beginning */
	EXPECT_QUERY(db, &query, "2,3,1,4");
	ath_left_join(&query, item, helper);
	ath_after(&query, &last);
	EXPECT_QUERY(db, &query, "1,4");
	EXPECT_STATUS(db, ATH_OK);
}

static void an_order_without_columns_is_refused(struct ath_session *db)
{
	static const char *const text = "ath_after() needs an order by columns of item";
	struct ath_query query = ath_query(item), loose = ath_query(loose);
	struct item last = { .id = 1 };

	ath_order_by(&query, ATH_ASC_OF(ATH_FUNC(lower, ATH_COL(item, title))));
	ath_after(&query, &last);
	(void)ids_of(db, &query);
	EXPECT_REFUSED(db, ATH_EINVAL, text);
	query = ath_query(item);
	ath_join(&query, item, maker);
	ath_order_by(&query, ATH_ASC(maker, name));
	ath_after(&query, &last);
	(void)ids_of(db, &query);
	EXPECT_REFUSED(db, ATH_EINVAL, text);
	ath_after(&query, NULL);
	(void)ids_of(db, &query);
	EXPECT_REFUSED(db, ATH_EINVAL, text);
	/* rows that tie could not be told apart */
	ath_order_by(&loose, ATH_ASC(loose, few));
	ath_after(&loose, &(struct loose){ 1 });
	EXPECT(loose_all(db, &loose).count == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "ath_after() needs a primary key, and loose has none");
}

/* ---- locks
 * --------------------------------------------------------------------------------------- */

static bool control_finds_locked(const char *sql)
{
	PGresult *result = PQexec(control, sql);
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	bool locked = state != NULL && strcmp(state, "55P03") == 0;

	PQclear(result);
	return locked;
}

static void locks_rows_until_the_commit(struct ath_session *db)
{
	struct ath_query query = items_by_id();

	store_items();
	ath_where(&query, ATH_LE(item, id, 2));
	ath_lock(&query, ATH_FOR_UPDATE);
	EXPECT_QUERY(db, &query, "1,2");
	EXPECT(control_finds_locked("select 1 from items where id = 2 for update nowait"));
	EXPECT(!control_finds_locked("select 1 from items where id = 3 for update nowait"));
	EXPECT(ath_commit(db));
	EXPECT(!control_finds_locked("select 1 from items where id = 2 for update nowait"));
	EXPECT(item_first(db, &query) != NULL);
	EXPECT(control_finds_locked("select 1 from items where id = 1 for update nowait"));
	EXPECT(!control_finds_locked("select 1 from items where id = 2 for update nowait"));
	ath_rollback(db);
	EXPECT(!control_finds_locked("select 1 from items where id = 1 for update nowait"));
	EXPECT_STATUS(db, ATH_OK);
}

static void locks_no_rows_that_it_joins(struct ath_session *db)
{
	struct ath_query query = items_by_id();

	store_items();
	ath_join(&query, item, maker);
	ath_left_join(&query, item, helper);
	ath_where(&query, ATH_EQ(item, id, 1));
	ath_lock(&query, ATH_FOR_UPDATE);
	EXPECT_QUERY(db, &query, "1");
	EXPECT(control_finds_locked("select 1 from items where id = 1 for update nowait"));
	EXPECT(!control_finds_locked("select 1 from makers for update nowait"));
}

static void waits_leaves_out_or_gives_up(struct ath_session *db)
{
	struct ath_query query = items_by_id();

	store_items();
	run_sql("begin");
	run_sql("select 1 from items where id in (1, 3) for update");
	ath_lock(&query, ATH_SKIP_LOCKED);
	EXPECT_QUERY(db, &query, "2,4");
	ath_lock(&query, ATH_NOWAIT);
	(void)ids_of(db, &query);
	EXPECT_STATUS(db, ATH_ELOCKED);
	ath_clear_error(db);
	EXPECT(ath_begin(db));
	(void)ath_execute(db, "set local lock_timeout = '1ms'");
	ath_lock(&query, ATH_FOR_UPDATE);
	(void)ids_of(db, &query); /* it waits, so that there is a limit to come to */
	EXPECT_STATUS(db, ATH_ELOCKED);
	EXPECT(strstr(db->error.message, "lock timeout") != NULL);
	ath_clear_error(db);
	query.lock = ATH_NO_LOCK;
	EXPECT_QUERY(db, &query, "1,2,3,4");
	run_sql("commit");
	ath_lock(&query, ATH_NOWAIT);
	EXPECT_QUERY(db, &query, "1,2,3,4");
	EXPECT_STATUS(db, ATH_OK);
}

struct waiting {
	bool ended;
	int32_t likes;
};

static void wait_for_a_lock(void *arg)
{
	struct waiting *waiting = arg;
	struct ath_session *db = open_session(0);
	struct ath_query query = ath_query(item);
	struct item *item;

	ath_where(&query, ATH_EQ(item, id, 1));
	ath_lock(&query, ATH_FOR_UPDATE);
	item = item_one(db, &query);
	if (EXPECT(item != NULL))
		waiting->likes = item->likes;
	waiting->ended = true;
	ath_session_close(&db);
}

/* And reads what the other has made of the row. */
static void waits_for_a_lock_in_a_fiber(struct ath_session *db)
{
	struct waiting waiting = { 0 };
	struct item *item;

	if (ath_fiber_current() == NULL)
		return;
	store_items();
	EXPECT(ath_begin(db));
	item = item_get(db, 1);
	if (!EXPECT(item != NULL))
		return;
	item->likes = 77;
	EXPECT(ath_flush(db));
	start(wait_for_a_lock, &waiting, ATH_NEVER);
	while (ask_number("select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
			  "and datname = current_database()") == 0)
		give_way();
	EXPECT(!waiting.ended);
	EXPECT(ath_commit(db));
	while (!waiting.ended)
		give_way();
	EXPECT(waiting.likes == 77);
}

static void a_lock_has_its_place(struct ath_session *db)
{
	struct ath_query query = items_by_id(), inner = ath_query(item);

	store_items();
	ath_lock(&inner, ATH_FOR_UPDATE);
	ath_where(&query, ATH_EXISTS(&inner));
	(void)ids_of(db, &query);
	EXPECT_REFUSED(db, ATH_EINVAL, "a subquery locks no rows");
	query = items_by_id();
	ath_lock(&query, ATH_FOR_UPDATE);
	ath_set_transaction(db, ATH_READ_COMMITTED, true);
	(void)ids_of(db, &query);
	EXPECT_STATUS(db, ATH_EREADONLY);
}

static struct scenario scenarios[] = {
	DIRECT(every_row_comes_once),
	DIRECT(without_an_order_the_key_decides),
	DIRECT(keys_of_several_columns),
	DIRECT(a_row_made_of_its_members_will_do),
	DIRECT(an_order_without_columns_is_refused),
	DIRECT(locks_rows_until_the_commit),
	DIRECT(locks_no_rows_that_it_joins),
	DIRECT(waits_leaves_out_or_gives_up),
	DIRECT(waits_for_a_lock_in_a_fiber),
	DIRECT(a_lock_has_its_place),
};

int main(void)
{
	more_tables = STEP_TABLES;
	all_tables = ", steps, pairs";
	RUN_SCENARIOS(scenarios);
}
