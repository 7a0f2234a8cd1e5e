/*
 * books.h - models with every kind of relation and type: authors, their profile, the books that
 * they write and edit, and the labels of books, in another schema.
 */
#ifndef TESTS_ORM_BOOKS_H
#define TESTS_ORM_BOOKS_H

#include "orm/internal.h"

ATH_LIST_(author)
ATH_LIST_(profile)
ATH_LIST_(book)
ATH_LIST_(label)
ATH_LIST_(book_label)
ATH_LIST_(edition)
ATH_LIST_(figure)

enum genre { NOVEL, POEM, ESSAY };

struct author {
	int64_t id;
	const char *name;
	const char *nick; /* may be NULL */
	struct ath_date born;
	struct ath_null_int64 mentor_id;
	struct author *mentor;
	struct book_list books;
	struct book_list edited;
	struct profile *profile;
};

struct profile {
	int64_t id;
	int64_t author_id;
	const char *text;
	struct author *author;
};

struct book {
	int64_t id;
	int64_t author_id;
	struct ath_null_int64 editor_id;
	const char *title;
	enum genre genre;
	struct ath_null_enum second_genre;
	struct ath_decimal price;
	int32_t pages;
	double weight;
	bool in_print;
	struct ath_null_timestamp sold_at;
	struct ath_json data;
	struct ath_text_array tags;
	struct ath_int64_array prizes;
	struct ath_uuid_array copies;
	struct ath_bytes cover;
	struct author *author;
	struct author *editor;
	struct label_list labels;
	struct edition_list editions;
};

struct label {
	int32_t id;
	const char *name;
	struct book_list books;
};

struct book_label {
	int64_t book_id;
	int32_t label_id;
	struct book *book;
};

/* A key of two columns, a version, and what the database computes. */
struct edition {
	int64_t book_id;
	int32_t number;
	int32_t printed;
	int64_t version;
	struct ath_null_int64 twice;
	const char *note;
};

/* What a query may select. */
struct figure {
	const char *name;
	int64_t count;
	struct ath_null_int64 sum;
};

ATH_DECLARE_READING_(author)
ATH_DECLARE_WRITING_(author, id)
ATH_DECLARE_READING_(profile)
ATH_DECLARE_WRITING_(profile, id)
ATH_DECLARE_READING_(book)
ATH_DECLARE_WRITING_(book, id)
ATH_DECLARE_READING_(label)
ATH_DECLARE_WRITING_(label, id)
ATH_DECLARE_READING_(book_label)
ATH_DECLARE_WRITING_(book_label, book_id, label_id)
ATH_DECLARE_READING_(edition)
ATH_DECLARE_WRITING_(edition, book_id, number)
ATH_DECLARE_READING_(figure)

ATH_MODEL(author, "authors", ATH_COLUMN(author, id, .primary_key = true), ATH_COLUMN(author, name),
	  ATH_COLUMN(author, nick, .nullable = true), ATH_COLUMN(author, born),
	  ATH_COLUMN(author, mentor_id, .references = &author_model),
	  ATH_BELONGS_TO(author, mentor, author, mentor_id),
	  ATH_HAS_MANY(author, books, book, author_id),
	  ATH_HAS_MANY(author, edited, book, editor_id),
	  ATH_HAS_ONE(author, profile, profile, author_id));

ATH_MODEL(profile, "profiles", ATH_COLUMN(profile, id, .primary_key = true),
	  ATH_COLUMN(profile, author_id, .references = &author_model, .unique = true),
	  ATH_COLUMN(profile, text), ATH_BELONGS_TO(profile, author, author, author_id));

ATH_MODEL(book, "books", ATH_COLUMN(book, id, .primary_key = true),
	  ATH_COLUMN(book, author_id, .references = &author_model),
	  ATH_COLUMN(book, editor_id, .column = "edited_by", .references = &author_model),
	  ATH_COLUMN(book, title),
	  ATH_COLUMN(book, genre, .values = ATH_VALUES("novel", "poem", "essay")),
	  ATH_COLUMN(book, second_genre, .values = ATH_VALUES("novel", "poem", "essay")),
	  ATH_COLUMN(book, price, .precision = 10, .scale = 2), ATH_COLUMN(book, pages),
	  ATH_COLUMN(book, weight), ATH_COLUMN(book, in_print), ATH_COLUMN(book, sold_at),
	  ATH_COLUMN(book, data), ATH_COLUMN(book, tags, .nullable = true),
	  ATH_COLUMN(book, prizes), ATH_COLUMN(book, copies),
	  ATH_COLUMN(book, cover, .nullable = true),
	  ATH_BELONGS_TO(book, author, author, author_id),
	  ATH_BELONGS_TO(book, editor, author, editor_id),
	  ATH_MANY_TO_MANY(book, labels, label, book_label, book_id, label_id),
	  ATH_HAS_MANY(book, editions, edition, book_id));

ATH_MODEL(label, "shelf.labels", ATH_COLUMN(label, id, .primary_key = true),
	  ATH_COLUMN(label, name, .unique = true),
	  ATH_MANY_TO_MANY(label, books, book, book_label, label_id, book_id));

ATH_MODEL(book_label, "shelf.book_labels",
	  ATH_COLUMN(book_label, book_id, .primary_key = true, .references = &book_model),
	  ATH_COLUMN(book_label, label_id, .primary_key = true, .references = &label_model),
	  ATH_BELONGS_TO(book_label, book, book, book_id));

ATH_MODEL(edition, "editions",
	  ATH_COLUMN(edition, book_id, .primary_key = true, .references = &book_model),
	  ATH_COLUMN(edition, number, .primary_key = true), ATH_COLUMN(edition, printed),
	  ATH_COLUMN(edition, version, .version = true),
	  ATH_COLUMN(edition, twice, .generated = "printed::bigint * 2"),
	  ATH_COLUMN(edition, note, .server_default = "'first'"));

ATH_MODEL_RESULT(figure, ATH_COLUMN(figure, name), ATH_COLUMN(figure, count),
		 ATH_COLUMN(figure, sum));

static const struct ath_model *const book_models[]
	__attribute__((unused)) = { &author_model,     &profile_model, &book_model,   &label_model,
				    &book_label_model, &edition_model, &figure_model, NULL };

#endif
