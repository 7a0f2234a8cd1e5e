/* test_view.c - models over views: they are read as tables are, and never written. */
#include "items.h"

/* A view, whose rows the session knows by their key, and one without a key. */
struct cheap {
	int64_t id;
	const char *title;
};
ATH_LIST_(cheap)
ATH_DECLARE_READING_(cheap)
ATH_DECLARE_GET_(cheap, id)

ATH_MODEL_VIEW(cheap, "cheap_items", ATH_COLUMN(cheap, id, .primary_key = true),
	       ATH_COLUMN(cheap, title));

struct likes {
	const char *name;
	int64_t likes;
};
ATH_LIST_(likes)
ATH_DECLARE_READING_(likes)

ATH_MODEL_VIEW(likes, "maker_likes", ATH_COLUMN(likes, name), ATH_COLUMN(likes, likes));

#define VIEWS                                                                                      \
	"create view cheap_items as select id, title from items where price < 20;"                 \
	"create view maker_likes as select m.name, sum(i.likes)::bigint as likes"                  \
	" from makers m join items i on i.maker_id = m.id group by m.name"

static void reads_views(struct ath_session *db)
{
	struct ath_query query = ath_query(cheap), likes = ath_query(likes);
	struct likes_list list;
	struct cheap *lamp;

	store_items();
	ath_order_by(&query, ATH_ASC(cheap, id));
	EXPECT(cheap_all(db, &query).count == 2);
	lamp = cheap_first(db, &query);
	if (!EXPECT(lamp != NULL))
		return;
	EXPECT_TEXT(lamp->title, "Red Lamp");
	EXPECT(cheap_get(db, 1) == lamp);
	EXPECT(cheap_get(db, 2) == NULL);
	ath_where(&likes, ATH_GT(likes, likes, 0));
	ath_order_by(&likes, ATH_ASC(likes, name));
	list = likes_all(db, &likes);
	EXPECT(list.count == 2 && list.items[0]->likes == 12 && list.items[1]->likes == 7);
	EXPECT(ath_commit(db));
	EXPECT_STATUS(db, ATH_OK);
}

static void views_are_not_written(struct ath_session *db)
{
	struct ath_query query = ath_query(cheap);
	struct cheap *lamp, other = { .id = 9, .title = "Other" };

	store_items();
	ath_where(&query, ATH_ALL);
	EXPECT(ath_delete_where(db, &query) == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "cheap is no table to change rows of");
	EXPECT(ath_update(db, &query, ATH_SET(cheap, title, "Other")) == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "cheap is no table to change rows of");
	ath_session_add(db, &cheap_model, &other);
	EXPECT_REFUSED(db, ATH_EINVAL, "cheap is no table to add rows to");
	EXPECT(ath_session_insert_all(db, &cheap_model, &other, 1) == 0);
	EXPECT_REFUSED(db, ATH_EINVAL, "cheap is no table to add rows to");
	EXPECT(ath_session_upsert(db, &cheap_model, &other, ATH_ON(cheap, id)) == NULL);
	EXPECT_REFUSED(db, ATH_EINVAL,
		       "an upsert takes a new object of a table, not one of the session's");
	lamp = cheap_get(db, 1);
	if (EXPECT(lamp != NULL))
		lamp->title = "Other";
	EXPECT(!ath_commit(db));
	EXPECT_REFUSED(db, ATH_EINVAL, "cheap is no table to change rows of");
	ath_session_delete(db, &cheap_model, lamp);
	EXPECT(!ath_commit(db));
	EXPECT_REFUSED(db, ATH_EINVAL, "cheap is no table to change rows of");
	EXPECT_NUMBER("select count(*) from items where title = 'Red Lamp'", 1);
}

static struct scenario scenarios[] = {
	DIRECT(reads_views),
	DIRECT(views_are_not_written),
};

int main(void)
{
	more_tables = VIEWS;
	RUN_SCENARIOS(scenarios);
}
