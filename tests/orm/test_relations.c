/*
 * test_relations.c - relations that are loaded: which rows, into which objects, by how many
 * statements and round trips.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "related.h"
#include "rest/internal.h"

static void store_library(void)
{
	run_sql("insert into authors (name) values ('Ada'), ('Bob'), ('Cid');"
		"insert into profiles (author_id, text) values (1, 'of Ada'), (3, 'of Cid');"
		"insert into posts (author_id, title) values (1, 'p1'), (1, 'p2'), (2, 'p3'), "
		"(null, 'p4');"
		"insert into comments (post_id, text) values (1, 'c1'), (3, 'c2'), (1, 'c3');"
		"insert into tags (name) values ('t1'), ('t2'), ('t3');"
		"insert into post_tags values (1, 2), (1, 1), (2, 2), (4, 2);"
		"insert into stars (post_id, tag_id) values (2, 3)");
}

static void store_folders(void)
{
	run_sql("insert into folders (parent_id, name) values "
		"(null, 'root'), (1, 'a'), (1, 'b'), (2, 'aa'), (2, 'ab'), (4, 'aaa')");
}

static struct author_list all_authors(struct ath_session *db)
{
	struct ath_query query = ath_query(author);

	ath_order_by(&query, ATH_ASC(author, id));
	return author_all(db, &query);
}

static struct post_list all_posts(struct ath_session *db)
{
	struct ath_query query = ath_query(post);

	ath_order_by(&query, ATH_ASC(post, id));
	return post_all(db, &query);
}

/* ---- each kind --------------------------------------------------------------------------------
 */

static void one_to_many(struct ath_session *db)
{
	struct author_list authors;
	size_t before;

	store_library();
	authors = all_authors(db);
	if (!EXPECT(authors.count == 3))
		return;
	EXPECT(authors.items[0]->posts.items == NULL);
	before = db->statement_count;
	ath_load(db, author, authors, posts);
	EXPECT(db->statement_count == before + 1);
	if (!EXPECT(authors.items[0]->posts.count == 2) ||
	    !EXPECT(authors.items[1]->posts.count == 1))
		return;
	EXPECT_TEXT(authors.items[0]->posts.items[0]->title, "p1");
	EXPECT_TEXT(authors.items[0]->posts.items[1]->title, "p2");
	EXPECT_TEXT(authors.items[1]->posts.items[0]->title, "p3");
	EXPECT(authors.items[1]->posts.items[0] == post_get(db, 3));
	/* loaded and empty is not the same as not loaded */
	EXPECT(authors.items[2]->posts.count == 0 && authors.items[2]->posts.items != NULL);
	EXPECT(ath_session_is_clean(db));
}

static void many_to_one(struct ath_session *db)
{
	struct post_list posts;
	size_t before;

	store_library();
	posts = all_posts(db);
	before = db->statement_count;
	ath_load(db, post, posts, author);
	EXPECT(db->statement_count == before + 1);
	if (!EXPECT(posts.count == 4) || !EXPECT(posts.items[0]->author != NULL))
		return;
	EXPECT_TEXT(posts.items[0]->author->name, "Ada");
	EXPECT(posts.items[0]->author == posts.items[1]->author);
	EXPECT(posts.items[2]->author == author_get(db, 2));
	EXPECT(posts.items[3]->author == NULL);
	EXPECT(ath_session_is_clean(db));
}

/* What the session knows is not asked for; and nothing is sent when that is all. */
static void many_to_one_that_is_known(struct ath_session *db)
{
	struct post_list posts;
	struct author *ada;
	size_t before;

	store_library();
	ada = author_get(db, 1);
	posts = all_posts(db);
	run_sql("update authors set name = 'Other' where id = 1");
	before = db->statement_count;
	ath_load(db, post, LIST_OF(post, posts.items[0], posts.items[1], posts.items[3]), author);
	EXPECT(db->statement_count == before);
	EXPECT(posts.items[0]->author == ada && posts.items[1]->author == ada);
	EXPECT_TEXT(ada->name, "Ada");
	EXPECT(posts.items[3]->author == NULL);
	author_expire(db, ada);
	ath_load(db, post, posts, author);
	EXPECT(db->statement_count == before + 1);
	EXPECT_TEXT(ada->name, "Other");
	EXPECT(posts.items[2]->author == author_get(db, 2));
}

static void one_to_one(struct ath_session *db)
{
	struct author_list authors;
	struct profile *profile;
	size_t before;

	store_library();
	authors = all_authors(db);
	before = db->statement_count;
	ath_load(db, author, authors, profile);
	EXPECT(db->statement_count == before + 1);
	profile = authors.items[0]->profile;
	if (!EXPECT(profile != NULL))
		return;
	EXPECT_TEXT(profile->text, "of Ada");
	EXPECT(authors.items[1]->profile == NULL);
	EXPECT_TEXT(authors.items[2]->profile->text, "of Cid");
	before = db->statement_count;
	ath_load(db, profile, LIST_OF(profile, profile), author);
	EXPECT(db->statement_count == before);
	EXPECT(profile->author == authors.items[0]);
	EXPECT(ath_session_is_clean(db));
}

static void many_to_many(struct ath_session *db)
{
	struct post_list posts;
	struct tag *second;
	size_t before;

	store_library();
	posts = all_posts(db);
	before = db->statement_count;
	ath_load(db, post, posts, tags);
	EXPECT(db->statement_count == before + 1);
	if (!EXPECT(posts.items[0]->tags.count == 2) || !EXPECT(posts.items[1]->tags.count == 1))
		return;
	second = tag_get(db, 2);
	EXPECT_TEXT(posts.items[0]->tags.items[0]->name, "t1");
	/* two parents with one child */
	EXPECT(posts.items[0]->tags.items[1] == second);
	EXPECT(posts.items[1]->tags.items[0] == second);
	EXPECT(posts.items[2]->tags.count == 0 && posts.items[2]->tags.items != NULL);
	EXPECT(posts.items[3]->tags.count == 1 && posts.items[3]->tags.items[0] == second);
	ath_load(db, tag, LIST_OF(tag, second), posts);
	EXPECT(second->posts.count == 3 && second->posts.items[2] == posts.items[3]);
	ath_load(db, post, posts, stars);
	EXPECT(posts.items[1]->stars.count == 1 && posts.items[0]->stars.count == 0);
	EXPECT_TEXT(posts.items[1]->stars.items[0]->name, "t3");
	EXPECT(ath_session_is_clean(db));
}

static void itself(struct ath_session *db)
{
	struct ath_query query = ath_query(folder);
	struct folder_list folders;
	size_t before;

	store_folders();
	ath_order_by(&query, ATH_ASC(folder, id));
	folders = folder_all(db, &query);
	before = db->statement_count;
	ath_load_with(db, folder, folders, ATH_WITH(folder, parent), ATH_WITH(folder, children));
	EXPECT(db->statement_count == before + 1); /* of parents all are known */
	if (!EXPECT(folders.count == 6))
		return;
	EXPECT(folders.items[0]->parent == NULL);
	EXPECT(folders.items[3]->parent == folders.items[1]);
	EXPECT(folders.items[0]->children.count == 2);
	EXPECT(folders.items[0]->children.items[1] == folders.items[2]);
	EXPECT(folders.items[1]->children.count == 2);
	EXPECT(folders.items[5]->children.count == 0);
}

/* ---- several ------------------------------------------------------------------------------------
 */

static void expect_round_trips(int expected, int line)
{
	char text[60];

	snprintf(text, sizeof text, "%d round trips, not %d", expected,
		 atomic_load(&proxy_counts->round_trips));
	expect(proxy_counts->round_trips == expected, text, line);
	tell_proxy(PROXY_RESET);
}

static void several_levels(struct ath_session *db)
{
	struct author_list authors;
	struct post *first;

	store_library();
	authors = all_authors(db);
	for (int round = 0; round < 2; round++) {
		size_t before = db->statement_count;

		tell_proxy(PROXY_RESET);
		ath_load_with(db, author, authors, ATH_WITH(author, profile),
			      ATH_WITH(author, posts, ATH_WITH(post, comments),
				       ATH_WITH(post, tags), ATH_WITH(post, author)));
		EXPECT(db->statement_count == before + 4); /* authors are known */
	}
	expect_round_trips(2, __LINE__);
	if (!EXPECT(authors.items[0]->posts.count == 2))
		return;
	first = authors.items[0]->posts.items[0];
	EXPECT(first->author == authors.items[0]);
	EXPECT(first->comments.count == 2 && first->tags.count == 2);
	EXPECT_TEXT(first->comments.items[1]->text, "c3");
	EXPECT(authors.items[1]->posts.items[0]->tags.count == 0);
	EXPECT_STATUS(db, ATH_OK);
}

/* A hundred rows of each cost as many statements as one. */
static void statements_do_not_count_rows(struct ath_session *db)
{
	struct author_list authors;
	size_t before;

	run_sql("insert into authors (name) select 'a' || i from generate_series(1, 100) i;"
		"insert into posts (author_id, title) select i, 'p' from generate_series(1, 100) i,"
		" generate_series(1, 10);"
		"insert into comments (post_id, text) select i, 'c' from generate_series(1, 1000) "
		"i");
	authors = all_authors(db);
	before = db->statement_count;
	ath_load_with(db, author, authors, ATH_WITH(author, posts, ATH_WITH(post, comments)));
	EXPECT(db->statement_count == before + 2);
	for (size_t i = 0; i < authors.count; i++) {
		EXPECT(authors.items[i]->posts.count == 10);
		for (size_t j = 0; j < authors.items[i]->posts.count; j++)
			EXPECT(authors.items[i]->posts.items[j]->comments.count == 1 &&
			       authors.items[i]->posts.items[j]->author_id.value ==
				       authors.items[i]->id);
	}
}

static void three_levels_in_three_round_trips(struct ath_session *db)
{
	struct folder *root;

	store_folders();
	root = folder_get(db, 1);
	tell_proxy(PROXY_RESET);
	ath_load_with(
		db, folder, LIST_OF(folder, root),
		ATH_WITH(folder, children, ATH_WITH(folder, children, ATH_WITH(folder, children))));
	expect_round_trips(3, __LINE__);
	if (!EXPECT(root->children.count == 2))
		return;
	EXPECT_TEXT(root->children.items[0]->children.items[0]->children.items[0]->name, "aaa");
	EXPECT(root->children.items[1]->children.items != NULL);
}

static void a_list_with_a_row_twice(struct ath_session *db)
{
	struct author_list authors;
	struct post_list posts;

	store_library();
	authors = all_authors(db);
	posts = all_posts(db);
	ath_load_with(db, author,
		      LIST_OF(author, authors.items[0], authors.items[1], authors.items[0]),
		      ATH_WITH(author, posts, ATH_WITH(post, tags)));
	EXPECT(authors.items[0]->posts.count == 2 && authors.items[1]->posts.count == 1);
	EXPECT(posts.items[0]->tags.count == 2);
	ath_load(db, post, LIST_OF(post, posts.items[0], posts.items[0]), author);
	EXPECT(posts.items[0]->author == authors.items[0]);
	ath_load(db, post, LIST_OF(post, posts.items[0], posts.items[0]), tags);
	EXPECT(posts.items[0]->tags.count == 2);
}

/* A tag's posts, the second level, come by way of two posts. */
static void a_row_by_two_ways(struct ath_session *db)
{
	struct post_list posts;
	struct tag *tag;

	store_library();
	posts = all_posts(db);
	ath_load_with(db, post, posts, ATH_WITH(post, tags, ATH_WITH(tag, posts)));
	tag = posts.items[1]->tags.items[0];
	EXPECT(tag->posts.count == 3 && tag->posts.items[0] == posts.items[0]);
	EXPECT(posts.items[0]->tags.items[0]->posts.count == 1);
}

static void again_shows_what_is_there_now(struct ath_session *db)
{
	struct author *ada;

	store_library();
	ada = author_get(db, 1);
	ath_load_with(db, author, LIST_OF(author, ada), ATH_WITH(author, posts),
		      ATH_WITH(author, profile));
	run_sql("update posts set author_id = 2 where id = 1; delete from profiles");
	ath_load_with(db, author, LIST_OF(author, ada), ATH_WITH(author, posts),
		      ATH_WITH(author, profile));
	EXPECT(ada->posts.count == 1 && ada->profile == NULL);
	EXPECT(ath_session_is_clean(db));
}

static void sees_what_is_pending(struct ath_session *db)
{
	struct author *ada;
	struct post *post = make_post(db, "new");

	store_library();
	ada = author_get(db, 1);
	post->author_id = (struct ath_null_int64){ 1, true };
	post_add(db, post);
	ath_load(db, author, LIST_OF(author, ada), posts);
	EXPECT(ada->posts.count == 3 && ada->posts.items[2] == post);
}

/* ---- nothing to load ----------------------------------------------------------------------------
 */

static void nothing(struct ath_session *db)
{
	struct author_list none = { NULL, 0 };
	struct post *lone;

	store_library();
	ath_load_with(db, author, none, ATH_WITH(author, posts, ATH_WITH(post, comments)));
	EXPECT(db->statement_count == 0);
	lone = post_get(db, 4);
	ath_load_with(db, post, LIST_OF(post, lone),
		      ATH_WITH(post, author, ATH_WITH(author, posts)));
	EXPECT(db->statement_count == 1); /* the key is NULL, and no one's posts are asked for */
	EXPECT(lone->author == NULL);
	EXPECT_STATUS(db, ATH_OK);
}

static void refuses_the_relation_of_another_model(struct ath_session *db)
{
	const struct ath_with column = { .model = &author_model,
					 .offset = offsetof(struct author, name) };
	struct author *ada;

	store_library();
	ada = author_get(db, 1);
	ath_session_load(db, &author_model, (void *const[]){ ada }, 1, &column, 1);
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	ath_load_with(db, author, LIST_OF(author, ada), ATH_WITH(post, comments));
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT(ada->posts.items == NULL);
	ath_clear_error(db);
	ath_load_with(db, author, LIST_OF(author, ada),
		      ATH_WITH(author, posts, ATH_WITH(author, posts)));
	EXPECT_STATUS(db, ATH_EINVAL);
}

/* Rows that the session does not keep have no place where a list could stay. */
static void refuses_rows_that_are_not_the_sessions(struct ath_session *db)
{
	struct ath_query query = ath_query(author);
	struct author other = { .id = 1 }, *row;
	struct ath_cursor *rows;

	store_library();
	ath_load(db, author, LIST_OF(author, &other), posts);
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	rows = author_each(db, &query);
	row = author_next(rows);
	ath_load(db, author, LIST_OF(author, row), posts);
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_cursor_close(&rows);
}

static void an_error_in_the_middle(struct ath_session *db)
{
	struct author_list authors;

	store_library();
	authors = all_authors(db);
	run_sql("alter table comments rename to gone");
	ath_load_with(db, author, authors, ATH_WITH(author, profile),
		      ATH_WITH(author, posts, ATH_WITH(post, comments), ATH_WITH(post, tags)));
	EXPECT_STATUS(db, ATH_ESQL);
	run_sql("alter table gone rename to comments");
	ath_clear_error(db);
	EXPECT(ath_session_is_clean(db));
	ath_load_with(db, author, authors,
		      ATH_WITH(author, posts, ATH_WITH(post, comments), ATH_WITH(post, tags)));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(authors.items[0]->posts.items[0]->comments.count == 2);
	authors.items[0]->name = "Ava";
	EXPECT(ath_commit(db));
	EXPECT_TEXT(ask("select name from authors where id = 1"), "Ava");
}

/* ---- as JSON ------------------------------------------------------------------------------------
 */

static void json_of_rings(struct ath_session *db)
{
	struct ath_buffer out;
	struct author *bob;
	struct folder *folder;

	store_library();
	store_folders();
	bob = author_get(db, 2);
	ath_load_with(db, author, LIST_OF(author, bob),
		      ATH_WITH(author, posts, ATH_WITH(post, author),
			       ATH_WITH(post, comments, ATH_WITH(comment, post))));
	ath_buffer_init(&out, db->arena, 1 << 20);
	ath_row_to_json(&out, &author_model, bob);
	EXPECT_TEXT(ath_buffer_c_string(&out),
		    "{\"id\":2,\"name\":\"Bob\",\"posts\":[{\"id\":3,\"author_id\":2,"
		    "\"title\":\"p3\",\"comments\":[{\"id\":2,\"post_id\":3,\"text\":\"c2\"}]}]}");
	folder = folder_get(db, 3);
	ath_load_with(
		db, folder, LIST_OF(folder, folder),
		ATH_WITH(folder, parent, ATH_WITH(folder, children), ATH_WITH(folder, parent)));
	ath_buffer_init(&out, db->arena, 1 << 20);
	ath_row_to_json(&out, &folder_model, folder);
	EXPECT_TEXT(ath_buffer_c_string(&out),
		    "{\"id\":3,\"parent_id\":1,\"name\":\"b\",\"parent\":{\"id\":1,"
		    "\"parent_id\":null,\"name\":\"root\",\"children\":[{\"id\":2,"
		    "\"parent_id\":1,\"name\":\"a\"}]}}");
}

static struct scenario scenarios[] = {
	SCENARIO(one_to_many),
	SCENARIO(many_to_one),
	SCENARIO(many_to_one_that_is_known),
	SCENARIO(one_to_one),
	SCENARIO(many_to_many),
	SCENARIO(itself),
	PROXIED(several_levels),
	SCENARIO(statements_do_not_count_rows),
	PROXIED(three_levels_in_three_round_trips),
	SCENARIO(a_list_with_a_row_twice),
	SCENARIO(a_row_by_two_ways),
	SCENARIO(again_shows_what_is_there_now),
	SCENARIO(sees_what_is_pending),
	SCENARIO(nothing),
	SCENARIO(refuses_the_relation_of_another_model),
	SCENARIO(refuses_rows_that_are_not_the_sessions),
	SCENARIO(an_error_in_the_middle),
	SCENARIO(json_of_rings),
};

int main(void)
{
	RUN_SCENARIOS(scenarios, setup_related);
}
