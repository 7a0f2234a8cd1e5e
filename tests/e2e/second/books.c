/*
 * books.c - a second application, as somebody writes one who has nothing but what `make install`
 * installs: built outside the tree by tests/e2e/test_install.sh, with pkg-config alone.
 */
#include <athanor.h>

struct book {
	int64_t id;
	const char *isbn;
	const char *title;
	struct ath_null_int32 year;
	bool lent;
};
ATH_DECLARE(book);

ATH_MODEL(book, "books", ATH_COLUMN(book, id, .primary_key = true),
	  ATH_COLUMN(book, isbn, .unique = true, .min_length = 10, .max_length = 13),
	  ATH_COLUMN(book, title, .min_length = 1, .max_length = 200),
	  ATH_COLUMN(book, year, .min = 1450, .max = 2100),
	  ATH_COLUMN(book, lent, .default_value = ATH_DEFAULT(book, lent, false)));

/* GET /books?title=furnace */
static struct ath_response *list_books(struct ath_request *req)
{
	const char *title = ath_arg(req, "title");
	struct ath_query q = ath_query(book);

	if (title != NULL)
		ath_where(&q, ATH_ILIKE(book, title,
					ath_arena_printf(ath_request_arena(req), "%%%s%%", title)));
	ath_order_by(&q, ATH_ASC(book, id));
	ath_paginate(&q, req);
	return book_list_json(req, 200, book_all(ath_request_session(req), &q));
}

/* GET /books/7 */
static struct ath_response *show_book(struct ath_request *req)
{
	struct book *book = book_get(ath_request_session(req), ath_path_int(req, "id"));

	if (book == NULL)
		return ath_problem(req, 404, "there is no such book");
	return book_json(req, 200, book);
}

/* POST /books {"isbn": "9780131103627", "title": "The C Programming Language", "year": 1988} */
static struct ath_response *add_book(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct book *book = book_bind(req);

	book_add(db, book);
	ath_commit(db);
	return book_created(req, book, "/books/%" PRId64, book->id);
}

/* POST /books/7/loan, and DELETE when it is back */
static struct ath_response *lend_book(struct ath_request *req)
{
	struct ath_session *db = ath_request_session(req);
	struct book *book = book_get(db, ath_path_int(req, "id"));
	bool lend = ath_request_method(req) == ATH_METHOD_POST;

	if (book == NULL)
		return ath_problem(req, 404, "there is no such book");
	if (book->lent == lend)
		return ath_problem(req, 409, lend ? "it is lent" : "it is not lent");
	book->lent = lend;
	ath_commit(db);
	return ath_response_empty(req, 204);
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/books", list_books),
	ATH_ROUTE(POST, "/books", add_book),
	ATH_ROUTE(GET, "/books/<id:int>", show_book),
	ATH_ROUTE(POST, "/books/<id:int>/loan", lend_book),
	ATH_ROUTE(DELETE, "/books/<id:int>/loan", lend_book),
	{ 0 },
};

static const struct ath_model *const models[] = { &book_model, NULL };

static const struct ath_app app = {
	.name = "books",
	.version = "0.1.0",
	.routes = routes,
	.models = models,
};

int main(int argc, char **argv)
{
	return ath_main(&app, argc, argv);
}
