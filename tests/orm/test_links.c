/*
 * test_links.c - relations that are written: whose key is filled in where, which rows between are
 * stored and deleted, in which order, and by how many round trips.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../base/random.h"
#include "related.h"

static void expect_round_trips(int expected, int line)
{
	char text[60];

	snprintf(text, sizeof text, "%d round trips, not %d",
		 atomic_load(&proxy_counts->round_trips), expected);
	expect(proxy_counts->round_trips == expected, text, line);
	tell_proxy(PROXY_RESET);
}

static void warm_up(struct ath_session *db)
{
	EXPECT(ath_begin(db) && ath_commit(db));
	EXPECT(author_get(db, 99) == NULL);
	ath_rollback(db);
	tell_proxy(PROXY_RESET);
}

/* ---- new rows -----------------------------------------------------------------------------------
 */

static void children_in_a_list(struct ath_session *db)
{
	struct author *ada = make_author(db, "Ada");
	struct post *first = make_post(db, "p1"), *second = make_post(db, "p2");

	ada->posts = LIST_OF(post, first, second);
	ada->profile = make_profile(db, "of Ada");
	first->comments = LIST_OF(comment, make_comment(db, "c1"), make_comment(db, "c2"));
	author_add(db, ada);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(ada->id > 0 && first->author_id.valid && first->author_id.value == ada->id);
	EXPECT(first->comments.items[1]->post_id == first->id);
	EXPECT(ada->profile->author_id == ada->id);
	EXPECT_NUMBER("select count(*) from authors a join posts p on p.author_id = a.id "
		      "join comments c on c.post_id = p.id where a.name = 'Ada' and p.title = 'p1'",
		      2);
	EXPECT_NUMBER("select count(*) from authors a join profiles p on p.author_id = a.id", 1);
	EXPECT(author_get(db, ada->id) == ada && post_get(db, second->id) == second);
	EXPECT(ath_session_is_clean(db));
}

/* From the grandchild on; nobody but it was added. */
static void parents_by_pointer(struct ath_session *db)
{
	struct comment *comment = make_comment(db, "c");
	struct post *post = make_post(db, "p");
	struct author *ada = make_author(db, "Ada");

	comment->post = post;
	post->author = ada;
	comment_add(db, comment);
	EXPECT(ath_flush(db));
	EXPECT(comment->post_id == post->id && post->author_id.value == ada->id && ada->id > 0);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from authors a join posts p on p.author_id = a.id "
		      "join comments c on c.post_id = p.id",
		      1);
}

static void both_directions_at_once(struct ath_session *db)
{
	struct author *ada = make_author(db, "Ada");
	struct post *post = make_post(db, "p");

	ada->posts = LIST_OF(post, post);
	post->author = ada;
	post_add(db, post);
	author_add(db, ada);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from posts where author_id = 1", 1);
	EXPECT_NUMBER("select count(*) from posts", 1);
}

static void new_children_of_a_stored_row(struct ath_session *db)
{
	struct author *ada;
	struct post *post = make_post(db, "p1"), *other = make_post(db, "p2");

	run_sql("insert into authors (name) values ('Ada')");
	ada = author_get(db, 1);
	ada->posts = LIST_OF(post, post);
	EXPECT(ath_flush(db));
	EXPECT(post->author_id.value == 1 && post->id == 1);
	other->author = ada;
	post_add(db, other);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_NUMBER("select count(*) from posts where author_id = 1", 2);
	EXPECT(ath_session_is_clean(db));
}

/* ---- round trips ------------------------------------------------------------------------------
 */

static void generated_keys_cost_a_round_trip_each_level(struct ath_session *db)
{
	struct author *ada = make_author(db, "Ada");
	struct post *post = make_post(db, "p");

	warm_up(db);
	ada->posts = LIST_OF(post, post, make_post(db, "q"));
	author_add(db, ada);
	EXPECT(ath_commit(db));
	expect_round_trips(2, __LINE__);
	ada = make_author(db, "Bob");
	post = make_post(db, "r");
	ada->posts = LIST_OF(post, post);
	post->comments = LIST_OF(comment, make_comment(db, "c"));
	author_add(db, ada);
	EXPECT(ath_commit(db));
	expect_round_trips(3, __LINE__);
	EXPECT_NUMBER("select count(*) from comments", 1);
}

static void keys_of_our_own_cost_one(struct ath_session *db)
{
	struct node *root = make_node(db, "root"), *a = make_node(db, "a");

	warm_up(db);
	root->children = LIST_OF(node, a, make_node(db, "b"));
	a->children = LIST_OF(node, make_node(db, "aa"));
	node_add(db, root);
	EXPECT(ath_commit(db));
	expect_round_trips(1, __LINE__);
	EXPECT_NUMBER("select count(*) from nodes c join nodes p on p.id = c.parent_id", 3);
}

/* ---- many to many -----------------------------------------------------------------------------
 */

static const char *pairs(void)
{
	return ask(
		"select coalesce(string_agg(p.title || t.name, ',' order by p.title, t.name), '')"
		" from post_tags x join posts p on p.id = x.post_id join tags t on t.id = "
		"x.tag_id");
}

static void a_new_list_stores_rows_between(struct ath_session *db)
{
	struct post *p = make_post(db, "p"), *q = make_post(db, "q");
	struct tag *a = make_tag(db, "a"), *b = make_tag(db, "b");

	p->tags = LIST_OF(tag, a, b);
	q->tags = LIST_OF(tag, b);
	q->stars = LIST_OF(tag, a);
	post_add(db, p);
	post_add(db, q);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_TEXT(pairs(), "pa,pb,qb");
	EXPECT_NUMBER("select count(*) from stars s join posts p on p.id = s.post_id "
		      "join tags t on t.id = s.tag_id where p.title = 'q' and t.name = 'a'",
		      1);
	EXPECT(post_tag_get(db, p->id, b->id) != NULL);
	EXPECT(ath_session_is_clean(db));
}

static void store_pairs(void)
{
	run_sql("insert into posts (title) values ('p'), ('q');"
		"insert into tags (name) values ('a'), ('b'), ('c');"
		"insert into post_tags values (1, 1), (1, 2), (2, 2)");
}

static void another_list_of_a_stored_row(struct ath_session *db)
{
	struct post *p;
	struct tag *b, *c;

	store_pairs();
	p = post_get(db, 1);
	ath_load(db, post, LIST_OF(post, p), tags);
	b = tag_get(db, 2);
	c = tag_get(db, 3);
	p->tags = LIST_OF(tag, c, b, make_tag(db, "d"));
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_TEXT(pairs(), "pb,pc,pd,qb");
	EXPECT(ath_session_is_clean(db));
	p->tags = LIST_OF(tag, c);
	p->title = "P";
	EXPECT(ath_commit(db));
	EXPECT_TEXT(pairs(), "Pc,qb");
	p->tags.count = 0; /* the same list, made empty */
	EXPECT(ath_commit(db));
	EXPECT_TEXT(pairs(), "qb");
	p->tags = LIST_OF(tag, b);
	EXPECT(ath_flush(db));
	EXPECT_NUMBER("select count(*) from post_tags", 1);
	ath_rollback(db);
	EXPECT(p->tags.count == 0);
	p->tags = LIST_OF(tag, b, c);
	EXPECT(ath_commit(db));
	EXPECT_TEXT(pairs(), "Pb,Pc,qb");
}

/* Only what differs is sent: a list alone is no UPDATE of its row. */
static void a_list_alone_updates_nothing(struct ath_session *db)
{
	struct post *p;

	store_pairs();
	run_sql("create function refuse() returns trigger language plpgsql as "
		"$$ begin raise exception 'no update'; end $$;"
		"create trigger refuse before update on posts for each row "
		"execute function refuse()");
	p = post_get(db, 1);
	ath_load(db, post, LIST_OF(post, p), tags);
	p->tags = LIST_OF(tag, tag_get(db, 3));
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_TEXT(pairs(), "pc,qb");
	EXPECT(!ath_session_is_uncommitted(db));
	run_sql("drop trigger refuse on posts; drop function refuse()");
}

static void rows_between_come_back_with_a_rollback(struct ath_session *db)
{
	struct post *p;
	struct ath_savepoint sp;

	store_pairs();
	p = post_get(db, 1);
	ath_load(db, post, LIST_OF(post, p), tags);
	EXPECT(ath_savepoint(db, &sp));
	p->tags = LIST_OF(tag, tag_get(db, 3));
	EXPECT(ath_flush(db));
	EXPECT(ath_rollback_to(db, &sp));
	EXPECT(p->tags.count == 2);
	p->tags = LIST_OF(tag, tag_get(db, 1));
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_TEXT(pairs(), "pa,qb");
}

static void rows_between_with_another_key(struct ath_session *db)
{
	struct post *p;

	store_pairs();
	run_sql("insert into stars (post_id, tag_id) values (1, 1)");
	p = post_get(db, 1);
	ath_load(db, post, LIST_OF(post, p), stars);
	p->stars = LIST_OF(tag, p->stars.items[0], tag_get(db, 2));
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from stars", 2);
	p->stars = LIST_OF(tag, tag_get(db, 3));
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT(strstr(db->error.message, "star has another primary key") != NULL);
	EXPECT_NUMBER("select count(*) from stars", 2);
	ath_clear_error(db);
	EXPECT(p->stars.count == 2);
	EXPECT(ath_session_is_clean(db));
}

/* The two lists say the same: each row between is stored, and deleted, once. */
static void both_sides_of_many_to_many(struct ath_session *db)
{
	struct post *p = make_post(db, "p"), *q;
	struct tag *a = make_tag(db, "a"), *b;

	p->tags = LIST_OF(tag, a);
	a->posts = LIST_OF(post, p);
	post_add(db, p);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_TEXT(pairs(), "pa");
	q = make_post(db, "q");
	b = make_tag(db, "b");
	p->tags = LIST_OF(tag, b);
	q->tags = LIST_OF(tag, a, b);
	a->posts = LIST_OF(post, q);
	b->posts = LIST_OF(post, q, p);
	tag_add(db, b);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_TEXT(pairs(), "pb,qa,qb");
	EXPECT(ath_session_is_clean(db));
	/* a row between that is deleted by itself, too */
	post_tag_delete(db, post_tag_get(db, q->id, a->id));
	q->tags = LIST_OF(tag, b);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_TEXT(pairs(), "pb,qb");
}

/* ---- stored rows that move --------------------------------------------------------------------
 */

static void store_two_authors(void)
{
	run_sql("insert into authors (name) values ('Ada'), ('Bob');"
		"insert into posts (author_id, title) values (1, 'p'), (1, 'q')");
}

static void another_parent_pointer(struct ath_session *db)
{
	struct post *p, *q;

	store_two_authors();
	p = post_get(db, 1);
	q = post_get(db, 2);
	ath_load(db, post, LIST_OF(post, p, q), author);
	p->author = author_get(db, 2);
	q->author = make_author(db, "Cid");
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(p->author_id.value == 2 && q->author_id.value == 3);
	EXPECT_TEXT(ask("select string_agg(name, ',' order by p.id) from posts p "
			"join authors a on a.id = author_id"),
		    "Bob,Cid");
	EXPECT(ath_session_is_clean(db));
}

static void a_pointer_that_did_not_change_says_nothing(struct ath_session *db)
{
	struct post *p;

	store_two_authors();
	p = post_get(db, 1);
	ath_load(db, post, LIST_OF(post, p), author);
	p->author_id.value = 2;
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select author_id from posts where id = 1", 2);
	p->author_id.valid = false;
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from posts where author_id is null", 1);
	/* nor does the pointer of a row that was new once */
	p = make_post(db, "r");
	p->author = author_get(db, 1);
	post_add(db, p);
	EXPECT(ath_flush(db));
	p->author_id.value = 2;
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select author_id from posts where title = 'r'", 2);
}

static void a_child_in_another_list(struct ath_session *db)
{
	struct post *p;
	struct author *bob, *cid = make_author(db, "Cid");

	store_two_authors();
	p = post_get(db, 1);
	bob = author_get(db, 2);
	ath_load(db, author, LIST_OF(author, bob), posts);
	bob->posts = LIST_OF(post, p);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select author_id from posts where id = 1", 2);
	cid->posts = LIST_OF(post, p);
	author_add(db, cid);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_NUMBER("select author_id from posts where id = 1", 3);
}

/* What a flush that failed had in mind for a row is forgotten with it. */
static void a_pointer_of_a_failed_flush(struct ath_session *db)
{
	struct post *p;

	store_two_authors();
	p = post_get(db, 1);
	ath_load(db, post, LIST_OF(post, p), author);
	p->author = make_author(db, "Bob");
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EUNIQUE);
	ath_clear_error(db);
	EXPECT(p->author == author_get(db, 1) && p->author_id.value == 1);
	p->title = "changed";
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_NUMBER("select author_id from posts where title = 'changed'", 1);
}

/* ---- what a rollback makes of them ------------------------------------------------------------
 */

static void a_family_again_after_a_rollback(struct ath_session *db)
{
	struct author *ada = make_author(db, "Ada");
	struct post *p = make_post(db, "p");

	ada->posts = LIST_OF(post, p);
	p->tags = LIST_OF(tag, make_tag(db, "a"));
	author_add(db, ada);
	EXPECT(ath_flush(db));
	EXPECT(ada->id == 1 && p->author_id.value == 1);
	ath_rollback(db);
	EXPECT(ada->id == 0 && p->id == 0 && !p->author_id.valid);
	EXPECT(ada->posts.count == 1);
	author_add(db, ada);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT(ada->id == 2 && p->author_id.value == 2);
	EXPECT_TEXT(pairs(), "pa");
	EXPECT_NUMBER("select count(*) from posts where author_id = 2", 1);
}

static void expire_forgets_a_pointer(struct ath_session *db)
{
	struct post *p;

	store_two_authors();
	p = post_get(db, 1);
	ath_load(db, post, LIST_OF(post, p), author);
	p->author = author_get(db, 2);
	EXPECT(post_refresh(db, p));
	EXPECT(p->author_id.value == 1);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select author_id from posts where id = 1", 1);
	p->author = NULL;
	p->title = "x";
	ath_rollback(db);
	EXPECT(p->author == author_get(db, 1));
}

/* The parent has been sent when its child is refused, by the database or before. */
static void an_error_in_the_second_batch(struct ath_session *db)
{
	struct ath_savepoint savepoint = { 0 };

	store_two_authors();
	for (int way = 0; way < 6; way++) {
		struct author *cid = make_author(db, "Cid"), *bob = author_get(db, 2);
		struct post *post = make_post(db, way % 2 == 0 ? NULL : "p");

		cid->posts = LIST_OF(post, post);
		EXPECT(way < 4 || ath_savepoint(db, &savepoint));
		author_add(db, cid);
		bob->id += way % 2; /* nobody changes a key */
		EXPECT(way < 2 ? !ath_commit(db) : !ath_flush(db));
		EXPECT_STATUS(db, way % 2 == 0 ? ATH_ERULE : ATH_EINVAL);
		if (way == 4)
			EXPECT(ath_rollback_to(db, &savepoint));
		else
			ath_clear_error(db);
		EXPECT(cid->id == 0 && post->id == 0 && !post->author_id.valid && bob->id == 2);
		EXPECT(author_get(db, 2) == bob && ath_session_is_clean(db));
		EXPECT(ath_commit(db));
		EXPECT_NUMBER("select count(*) from authors", 2);
	}
}

/* ---- rings and trees --------------------------------------------------------------------------
 */

static void a_ring_is_told(struct ath_session *db)
{
	struct folder *a = make_folder(db, "a"), *b = make_folder(db, "b");

	a->parent = b;
	b->parent = a;
	folder_add(db, a);
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT(strstr(db->error.message, "ring") != NULL);
	EXPECT(strstr(db->error.message, "folder") != NULL);
	ath_clear_error(db);
	b->parent = NULL;
	folder_add(db, b);
	folder_add(db, a);
	EXPECT(ath_flush(db));
	b->parent = a; /* a stored ring is no matter */
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from folders a join folders b on b.parent_id = a.id "
		      "and a.parent_id = b.id",
		      2);
	folder_delete(db, a);
	folder_delete(db, b);
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT(strstr(db->error.message, "ring") != NULL);
}

static void a_row_that_is_its_own_parent(struct ath_session *db)
{
	struct folder *a = make_folder(db, "a");
	struct node *node = make_node(db, "n");

	a->parent = a;
	folder_add(db, a);
	EXPECT(!ath_commit(db));
	EXPECT_STATUS(db, ATH_EINVAL);
	EXPECT(strstr(db->error.message, "ring") != NULL);
	ath_clear_error(db);
	a->parent = a;
	folder_add(db, a);
	folder_add(db, make_folder(db, "b"));
	EXPECT(!ath_flush(db));
	EXPECT_STATUS(db, ATH_EINVAL);
	ath_clear_error(db);
	node->parent = node; /* whose key is known before it is stored */
	node_add(db, node);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from nodes where parent_id = id", 1);
	node_delete(db, node);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from nodes", 0);
}

enum { TREE = 200 };

/* Each node's parent is one of those before it; they come in an order by chance. */
static void shuffle(struct node **nodes, size_t count)
{
	for (size_t i = count - 1; i > 0; i--) {
		size_t j = next_random() % (i + 1);
		struct node *node = nodes[i];

		nodes[i] = nodes[j];
		nodes[j] = node;
	}
}

static void trees_in_any_order(struct ath_session *db)
{
	for (int round = 0; round < 10; round++) {
		struct node *nodes[TREE];

		for (size_t i = 0; i < TREE; i++) {
			nodes[i] = make_node(db, "n");
			if (i > 0)
				nodes[i]->parent_id =
					(struct ath_null_uuid){ nodes[next_random() % i]->id,
								true };
		}
		if (round == 0) /* parents last */
			for (size_t i = TREE; i-- > 0;)
				node_add(db, nodes[i]);
		shuffle(nodes, TREE);
		for (size_t i = 0; i < TREE; i++)
			node_add(db, nodes[i]);
		if (!EXPECT(ath_commit(db)) || !EXPECT_STATUS(db, ATH_OK))
			return;
		EXPECT_NUMBER("select count(*) from nodes", TREE);
		shuffle(nodes, TREE);
		for (size_t i = 0; i < TREE; i++)
			node_delete(db, nodes[i]);
		if (!EXPECT(ath_commit(db)) || !EXPECT_STATUS(db, ATH_OK))
			return;
		EXPECT_NUMBER("select count(*) from nodes", 0);
	}
}

static void a_whole_family_deleted(struct ath_session *db)
{
	struct author *ada = make_author(db, "Ada");
	struct post *p = make_post(db, "p");
	struct tag *a = make_tag(db, "a");

	ada->posts = LIST_OF(post, p);
	p->tags = LIST_OF(tag, a);
	p->comments = LIST_OF(comment, make_comment(db, "c"));
	author_add(db, ada);
	EXPECT(ath_commit(db));
	author_delete(db, ada);
	tag_delete(db, a);
	post_delete(db, p);
	post_tag_delete(db, post_tag_get(db, p->id, a->id));
	comment_delete(db, p->comments.items[0]);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_NUMBER("select (select count(*) from authors) + (select count(*) from post_tags)",
		      0);
}

/* The child goes to another parent, and the old one goes, at once. */
static void moved_and_deleted_at_once(struct ath_session *db)
{
	struct post *p, *q;
	struct author *bob;

	store_two_authors();
	p = post_get(db, 1);
	q = post_get(db, 2);
	bob = author_get(db, 2);
	author_delete(db, author_get(db, 1));
	p->author = make_author(db, "Cid");
	q->author = bob;
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_TEXT(ask("select string_agg(name, ',' order by name) from authors"), "Bob,Cid");
}

static void many_children(struct ath_session *db)
{
	enum { CHILDREN = 5000 };
	struct author *ada = make_author(db, "Ada");
	struct post **posts = ath_new(db->arena, struct post *, CHILDREN);

	for (int i = 0; i < CHILDREN; i++)
		posts[i] = make_post(db, "p");
	ada->posts = (struct post_list){ posts, CHILDREN };
	author_add(db, ada);
	EXPECT(ath_commit(db));
	EXPECT_NUMBER("select count(*) from posts where author_id = 1", CHILDREN);
	for (int i = 0; i < CHILDREN; i++)
		posts[i] = make_post(db, "q");
	ada->posts = (struct post_list){ posts, CHILDREN - 1 };
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
	EXPECT_NUMBER("select count(*) from posts where author_id = 1", 2 * CHILDREN - 1);
}

static struct scenario scenarios[] = {
	SCENARIO(children_in_a_list),
	SCENARIO(parents_by_pointer),
	SCENARIO(both_directions_at_once),
	SCENARIO(new_children_of_a_stored_row),
	PROXIED(generated_keys_cost_a_round_trip_each_level),
	PROXIED(keys_of_our_own_cost_one),
	SCENARIO(a_new_list_stores_rows_between),
	SCENARIO(another_list_of_a_stored_row),
	SCENARIO(a_list_alone_updates_nothing),
	SCENARIO(rows_between_come_back_with_a_rollback),
	SCENARIO(rows_between_with_another_key),
	SCENARIO(both_sides_of_many_to_many),
	SCENARIO(another_parent_pointer),
	SCENARIO(a_pointer_that_did_not_change_says_nothing),
	SCENARIO(a_child_in_another_list),
	SCENARIO(a_pointer_of_a_failed_flush),
	SCENARIO(a_family_again_after_a_rollback),
	SCENARIO(expire_forgets_a_pointer),
	SCENARIO(an_error_in_the_second_batch),
	SCENARIO(a_ring_is_told),
	SCENARIO(a_row_that_is_its_own_parent),
	SCENARIO(trees_in_any_order),
	SCENARIO(a_whole_family_deleted),
	SCENARIO(moved_and_deleted_at_once),
	SCENARIO(many_children),
};

int main(void)
{
	RUN_SCENARIOS(scenarios, setup_related);
}
