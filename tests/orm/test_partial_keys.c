/*
 * test_partial_keys.c - relations over a part of a primary key: rows that are found by it, loaded
 * in its order, and filled with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../db/engine_fixture.h"
#include "books.h"

static struct ath_session *db;

static int create_tables(void **state)
{
	if (create_database(state) != 0 || open_engine(state) != 0 ||
	    ath_session_open(&db, engine, NULL) != ATH_OK || !ath_create_all(db, book_models) ||
	    !ath_commit(db))
		return -1;
	ath_session_close(&db);
	return close_engine(state);
}

static int open_session(void **state)
{
	run_sql("truncate authors, shelf.labels cascade;"
		"insert into authors (id, name, born) values (1, 'a', now());"
		"insert into books (id, author_id, title, genre, price, pages, weight, in_print, "
		"data,"
		" prizes, copies) select n, 1, 't', 'poem', 1, 1, 1, true, '{}', '{}', '{}'"
		" from generate_series(1, 3) n;"
		"insert into editions (book_id, number, printed, version) values (1, 2, 12, 1),"
		" (2, 1, 21, 1), (1, 3, 13, 1), (1, 1, 11, 1);"
		"insert into shelf.labels (id, name) values (1, 'red');"
		"insert into shelf.book_labels values (2, 1), (1, 1);"
		"alter table books alter id restart with 10;"
		"alter table shelf.labels alter id restart with 10");
	return open_engine(state) || ath_session_open(&db, engine, NULL) != ATH_OK;
}

static int close_session(void **state)
{
	ath_session_close(&db);
	return close_engine(state);
}

static void expect_no_error(int line)
{
	if (ath_session_error(db) != NULL)
		fail_msg("line %d: %s", line, ath_session_error(db)->message);
}

#define GOOD() expect_no_error(__LINE__)

static struct book_list all_books(void)
{
	struct ath_query q = ath_query(book);

	ath_order_by(&q, ATH_ASC(book, id));
	return book_all(db, &q);
}

/* In the order of the rest of the key. */
static void test_many_rows_by_a_part_of_their_key(void **state)
{
	struct book_list books = all_books();

	(void)state;
	ath_load(db, book, books, editions);
	GOOD();
	assert_int_equal(books.count, 3);
	assert_int_equal(books.items[0]->editions.count, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(books.items[0]->editions.items[i]->printed, 11 + i);
	assert_int_equal(books.items[1]->editions.count, 1);
	assert_int_equal(books.items[2]->editions.count, 0);
	assert_non_null(books.items[2]->editions.items); /* loaded, and none */
	assert_ptr_equal(edition_get(db, 1, 2), books.items[0]->editions.items[1]);
	assert_null(edition_get(db, 2, 2));
}

static void test_what_belongs_by_a_part_of_its_key(void **state)
{
	struct ath_query q = ath_query(book_label);
	struct book_label_list links;

	(void)state;
	ath_order_by(&q, ATH_DESC(book_label, book_id));
	links = book_label_all(db, &q);
	ath_load(db, book_label, links, book);
	GOOD();
	assert_int_equal(links.count, 2);
	assert_int_equal(links.items[0]->book->id, 2);
	assert_int_equal(links.items[1]->book->id, 1);
	q = ath_query(book_label);
	ath_join(&q, book_label, book);
	ath_where(&q, ATH_EQ(book, id, 2));
	assert_ptr_equal(book_label_one(db, &q), links.items[0]);
}

/* The key of a new row is filled into a part of the keys of others. */
static void test_keys_that_are_filled_in(void **state)
{
	struct edition first = { .number = 1, .printed = 5 }, second = { .number = 2 };
	struct edition *editions[] = { &first, &second };
	struct book book = { .author_id = 1, .title = "new", .data = { "{}" } };
	struct label label = { .name = "blue" };
	struct book_label link = { .book = &book };

	(void)state;
	book.editions = (struct edition_list){ editions, 2 };
	label_add(db, &label);
	assert_true(ath_flush(db));
	link.label_id = label.id;
	book_label_add(db, &link);
	if (!ath_commit(db))
		GOOD();
	assert_true(book.id > 3);
	assert_int_equal(first.book_id, book.id);
	assert_int_equal(second.book_id, book.id);
	assert_int_equal(link.book_id, book.id);
	assert_int_equal(first.twice.value, 10);
	assert_int_equal(ask_number("select count(*) from editions where book_id > 3"), 2);
	assert_int_equal(ask_number("select label_id from shelf.book_labels where book_id > 3"),
			 label.id);
}

/* A row of which nothing but a relation has changed has nothing to update. */
static void test_a_known_row_that_gets_more_rows(void **state)
{
	struct edition fourth = { .number = 4 };
	struct edition *editions[4];
	struct book_list books = all_books();
	struct book *book = books.items[0];

	(void)state;
	ath_load(db, book, books, editions);
	GOOD();
	memcpy(editions, book->editions.items, 3 * sizeof *editions);
	editions[3] = &fourth;
	book->editions = (struct edition_list){ editions, 4 };
	if (!ath_commit(db))
		GOOD();
	assert_int_equal(fourth.book_id, 1);
	assert_int_equal(ask_number("select count(*) from editions where book_id = 1"), 4);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_session, close_session)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_many_rows_by_a_part_of_their_key),
		CASE(test_what_belongs_by_a_part_of_its_key),
		CASE(test_keys_that_are_filled_in),
		CASE(test_a_known_row_that_gets_more_rows),
	};

	return cmocka_run_group_tests(tests, create_tables, drop_database);
}
