/*
 * test_row_allocations.c - every allocation fails while a session reads and writes rows of a real
 * database: see allocator.h; libpq's own do not. What is refused has stored nothing; afterwards
 * another session of the same engine does the same with memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../db/engine_fixture.h"
#include "../orm/books.h"

#include "allocator.h"

/* ---- what is done ---------------------------------------------------------------------------- */

/* Of a whole run, is everything as it has to be? The others answer what they like. */
struct operation {
	const char *name;
	bool (*work)(struct ath_session *db);
	long long stored; /* rows that it leaves behind, or changed */
};

static bool load_relations(struct ath_session *db)
{
	struct ath_query q = ath_query(author);
	struct author_list authors;

	ath_order_by(&q, ATH_ASC(author, id));
	authors = author_all(db, &q);
	ath_load_with(db, author, authors,
		      ATH_WITH(author, books, ATH_WITH(book, labels), ATH_WITH(book, editor)),
		      ATH_WITH(author, profile), ATH_WITH(author, mentor));
	if (ath_session_error(db) != NULL)
		return false;
	return authors.count == 2 && strcmp(authors.items[0]->name, "Ada") == 0 &&
	       authors.items[0]->books.count == 40 &&
	       authors.items[0]->books.items[39]->labels.count == 2 &&
	       authors.items[0]->books.items[0]->tags.count == 2 &&
	       strcmp(authors.items[0]->books.items[0]->tags.items[1], "b") == 0 &&
	       strcmp(authors.items[0]->books.items[0]->data.text, "{\"a\": 1}") == 0 &&
	       authors.items[0]->books.items[0]->editor == authors.items[1] &&
	       strcmp(authors.items[0]->profile->text, "p") == 0 &&
	       authors.items[1]->mentor == authors.items[0];
}

/* With every clause, a subquery, and IN of an enum, which is made into texts. */
static bool query_rows(struct ath_session *db)
{
	static const unsigned genres[] = { POEM, ESSAY };
	struct ath_query q = ath_query(author), inner = ath_query(book), titles = ath_query(book);
	struct ath_null_int64 sum;
	struct figure_list figures;
	const char *title, *plan;
	int64_t count;

	ath_select(&inner, ATH_COL(book, author_id));
	ath_where(&inner, ATH_IN(book, genre, genres, ATH_COUNT(genres)));
	ath_join(&q, author, books);
	ath_select(&q, ATH_COL(author, name));
	ath_select(&q, ATH_COUNT_ROWS);
	ath_select(&q, ATH_FUNC(sum, ATH_COL(book, pages)));
	ath_where(&q, ATH_IN_QUERY(author, id, &inner));
	ath_group_by(&q, ATH_COL(author, id));
	ath_having(&q, ATH_EXPR(ATH_COUNT_ROWS, GT, ATH_VAL(1)));
	figures = figure_all(db, &q);
	count = ath_count(db, &q);
	plan = ath_explain(db, &titles, false);
	if (!ath_scalar(db, &titles, ATH_FUNC(max, ATH_COL(book, title)), &title) ||
	    !ath_scalar(db, &titles, ATH_FUNC(sum, ATH_COL(book, pages)), &sum) ||
	    ath_session_error(db) != NULL)
		return false;
	return figures.count == 1 && strcmp(figures.items[0]->name, "Ada") == 0 &&
	       figures.items[0]->count == 40 && figures.items[0]->sum.value == 820 && count == 1 &&
	       plan != NULL && strstr(plan, "books") != NULL && strcmp(title, "title 9") == 0 &&
	       sum.value == 820;
}

static bool read_by_cursor(struct ath_session *db)
{
	struct ath_query q = ath_query(book);
	struct ath_cursor *rows;
	const struct book *book;
	int64_t pages = 0;
	size_t count = 0;

	ath_order_by(&q, ATH_ASC(book, id));
	rows = book_each(db, &q);
	for (; (book = book_next(rows)) != NULL; count++)
		pages += book->pages;
	rows = book_each(db, &q);
	(void)book_next(rows);
	ath_cursor_close(&rows);
	return ath_session_error(db) == NULL && count == 40 && pages == 820;
}

static bool read_by_sql(struct ath_session *db)
{
	struct figure_list figures = ath_sql(
		db, figure,
		"select title as name, 1::bigint as count, :n + 0 as sum from books where id = :id",
		ATH_BIND("id", (int64_t)3), ATH_BIND("n", (int64_t)7));

	return ath_session_error(db) == NULL && figures.count == 1 &&
	       strcmp(figures.items[0]->name, "title 3") == 0 && figures.items[0]->sum.value == 7;
}

static bool insert_many(struct ath_session *db)
{
	struct label labels[] = { { .name = "x" }, { .name = "y" }, { .name = "z" } };
	struct label *label;
	int64_t count = label_insert_all(db, labels, ATH_COUNT(labels));
	struct label again = { .name = "y" };

	label = label_upsert(db, &again, ATH_ON(label, name));
	return ath_commit(db) && count == 3 && labels[2].id == labels[0].id + 2 && label != NULL &&
	       label->id == labels[1].id;
}

static struct book a_book(const char *title)
{
	struct book book = { .title = title, .genre = POEM, .data = { "{}" } };

	return book;
}

/* Rows by way of relations: a key is waited for, and a table between is filled. */
static bool add_rows(struct ath_session *db)
{
	struct book first = a_book("new one"), second = a_book("new two");
	struct label label = { .name = "new" }, *labels[] = { &label };
	struct author *author = author_get(db, 1);

	first.author = second.author = author;
	first.labels = (struct label_list){ labels, 1 };
	book_add(db, &first);
	book_add(db, &second);
	if (!ath_commit(db))
		return false;
	return first.author_id == 1 && first.id > 40 && second.id > 40 && label.id > 2;
}

static bool change_rows(struct ath_session *db)
{
	struct ath_query q = ath_query(book), all = ath_query(book);
	struct ath_savepoint savepoint;
	struct author *author = author_get(db, 1);
	struct book_list books;
	struct label extra = { .name = "never" };

	ath_where(&q, ATH_LE(book, id, 2));
	ath_order_by(&q, ATH_ASC(book, id));
	books = book_all(db, &q);
	if (author == NULL || books.count != 2)
		return false;
	author->nick = "n";
	ath_savepoint(db, &savepoint);
	label_add(db, &extra);
	books.items[0]->pages = 1000;
	ath_flush(db);
	ath_rollback_to(db, &savepoint);
	if (ath_session_error(db) != NULL)
		return false;
	ath_where(&all, ATH_ALL);
	ath_update(db, &all,
		   ATH_SET_TO(book, pages, ATH_EXPR(ATH_COL(book, pages), MUL, ATH_VAL(1))));
	return book_refresh(db, books.items[1]) && ath_commit(db) && books.items[0]->pages == 1 &&
	       books.items[1]->pages == 2;
}

/* A notification for which there is no memory is told as missed. */
static bool hear_one(struct ath_session *db, struct ath_listener *listener)
{
	enum { SOON_MS = 1000 }; /* without memory its connection may not come again */
	struct ath_notification news;
	enum ath_status status;

	if (!ath_notify(db, "books", "new") || !ath_commit(db))
		return false;
	status = ath_listen_next(listener, SOON_MS, &news);
	if (status == ATH_OK && news.missed == 0)
		return strcmp(news.payload, "new") == 0;
	ath_session_fail(db, ATH_EUNAVAILABLE, "not heard");
	return false;
}

static bool hear_notifications(struct ath_session *db)
{
	struct ath_listener *first = NULL, *second = NULL;
	struct ath_error error;
	bool good = false;

	if (ath_listen(&first, engine, "books", &error) != ATH_OK ||
	    ath_listen(&second, engine, "books", &error) != ATH_OK)
		ath_session_fail(db, error.status, "%s", error.message);
	else
		good = hear_one(db, first) && hear_one(db, second) && hear_one(db, first);
	ath_listen_close(&first);
	ath_listen_close(&second);
	return good;
}

struct differences {
	size_t count, length;
};

static void note_difference(const char *text, void *arg)
{
	struct differences *differences = arg;

	differences->count++;
	differences->length += strlen(text);
}

/* One table is another than its model; what is told without an error is all of it. */
static bool compare_models(struct ath_session *db)
{
	static struct differences all;
	struct differences told = { 0 };
	struct ath_error error;

	if (ath_models_compare(db->engine, book_models, note_difference, &told, &error) != ATH_OK) {
		ath_session_take_error(db, &error);
		return false;
	}
	if (all.count == 0)
		all = told;
	return told.count > 0 && told.count == all.count && told.length == all.length;
}

static const struct operation operations[] = {
	{ "relations", load_relations, 0 },  { "queries", query_rows, 0 },
	{ "a cursor", read_by_cursor, 0 },   { "SQL", read_by_sql, 0 },
	{ "many at once", insert_many, 3 },  { "by relations", add_rows, 3 },
	{ "what changes", change_rows, 1 },  { "notifications", hear_notifications, 0 },
	{ "the schema", compare_models, 0 },
};

/* ---- runs ------------------------------------------------------------------------------------ */

static long long stored(void)
{
	return ask_number("select (select count(*) from shelf.labels where id > 2) +"
			  " (select count(*) from books where id > 40) +"
			  " (select count(*) from authors where nick = 'n')");
}

static void clear(void)
{
	run_sql("delete from shelf.book_labels where book_id > 40;"
		"delete from shelf.labels where id > 2; delete from books where id > 40;"
		"update authors set nick = null where nick is not null");
}

static enum ath_status last_status; /* of the last session */

static enum result run_once(struct shortage *shortage, const struct operation *operation)
{
	struct ath_session *db;
	enum ath_status status = ATH_ENOMEM;
	enum result result = REFUSED;
	bool good = false;
	long long left;

	begin(shortage);
	if (ath_session_open(&db, engine, NULL) == ATH_OK) {
		good = operation->work(db);
		end(shortage);
		status = db->error.status;
		last_status = status;
		if (status != ATH_OK && *db->error.message == '\0')
			result = wrong(shortage, "it does not say why");
		ath_session_close(&db);
	}
	end(shortage);
	left = stored();
	clear();
	if (result == WRONG)
		return result;
	if (good)
		return left == operation->stored ? WHOLE : wrong(shortage, "not all is stored");
	if (status == ATH_OK)
		return wrong(shortage, "an answer that is wrong, without an error");
	if (left != 0 &&
	    !(left == operation->stored && (status == ATH_EUNKNOWN || status == ATH_ESTORED)))
		return wrong(shortage, "refused, and stored all the same");
	return REFUSED;
}

/* Where a connection could not be opened the engine waits a little before it tries again. */
static bool is_whole_again(const struct operation *operation)
{
	struct shortage none = { .sparing = true };
	int64_t patience = ath_now() + PATIENCE_MS;
	enum result result;

	do {
		ath_loop_turn(loop, ath_now() + 1);
		result = run_once(&none, operation);
	} while (result == REFUSED && last_status == ATH_EUNAVAILABLE && ath_now() < patience);
	return result == WHOLE;
}

static enum result run(struct shortage *shortage, const void *with)
{
	enum result result;

	if (open_engine(NULL) != 0)
		return wrong(shortage, "no engine");
	/* the connections are there; what they need later is part of the run */
	if (integer_of(read_now("select 1")) != 1)
		return wrong(shortage, "no connection");
	result = run_once(shortage, with);
	if (result != WRONG && !is_whole_again(with))
		result = wrong(shortage, "the engine is of no use afterwards");
	close_engine(NULL);
	return result;
}

static void test_operations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(operations); i++) {
		print_message("%s\n", operations[i].name);
		fail_everywhere(run, &operations[i]);
	}
}

static bool all_exist(const struct ath_model *target, void *arg)
{
	(void)target;
	(void)arg;
	return true;
}

static int create_books(void **state)
{
	struct ath_statement statement;
	struct ath_sql sql;

	if (create_database(state) != 0 || ath_arena_open(&arena, 0) != ATH_OK)
		return -1;
	run_sql("create schema shelf");
	for (size_t i = 0; book_models[i] != NULL; i++) {
		if (book_models[i]->kind != ATH_TABLE)
			continue;
		ath_sql_open(&sql, arena);
		ath_sql_create_table(&sql, book_models[i], all_exist, NULL);
		if (ath_sql_finish(&sql, &statement) != ATH_OK)
			return -1;
		run_sql(statement.text);
	}
	ath_arena_close(&arena);
	run_sql("alter table editions drop constraint pk_editions,"
		" drop constraint fk_editions_book_id,"
		" add constraint other foreign key (book_id) references authors (id)");
	run_sql("insert into authors (name, born, mentor_id) values ('Ada', now(), null),"
		" ('Bea', now(), 1);"
		"insert into profiles (author_id, text) values (1, 'p');"
		"insert into books (author_id, edited_by, title, genre, price, pages, weight, "
		"in_print,"
		" data, tags, prizes, copies) select 1, 2, 'title ' || n, 'poem', n, n, n, true,"
		" '{\"a\": 1}', '{a,b}', '{1}', '{}' from generate_series(1, 40) n;"
		"insert into shelf.labels (name) values ('red'), ('blue');"
		"insert into shelf.book_labels select b.id, l.id from books b, shelf.labels l");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_operations) };

	in_main = libraries_are_spared = true;
	return cmocka_run_group_tests(tests, create_books, drop_database);
}
