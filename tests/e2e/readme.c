/*
 * readme.c - calls each function of README.md's shop.c against the database of DATABASE_URL and
 * prints what they do otherwise than README.md says; nothing when all is well.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shop.h"

/* README.md's, which shows no header for them. */
struct sale {
	int64_t product_id;
	int32_t quantity;
};
struct order *place_order(struct ath_session *db, struct customer *customer,
			  struct product **products, size_t count);
void set_tags(struct ath_session *db, struct product *product, struct tag_list tags);
struct customer_list customers_with_all(struct ath_session *db);
struct product_list find_products(struct ath_session *db, const char *words,
				  struct ath_decimal most);
struct product_list newest_products(struct ath_session *db, const struct product *last);
struct customer_list late_customers(struct ath_session *db, struct ath_date today);
struct sales_list sales_by_city(struct ath_session *db);
bool total_sales(struct ath_session *db, struct ath_decimal *total);
struct sales_list best_cities(struct ath_session *db, int64_t least);
void set_price(struct ath_session *db, int64_t id, struct ath_decimal price);
int64_t raise_prices(struct ath_session *db, struct ath_decimal factor);
void add_tags(struct ath_session *db, struct tag *tags, size_t count);
struct tag *tag_named(struct ath_session *db, const char *name);
int64_t count_coloured(struct ath_session *db);
size_t add_missing_tags(struct ath_session *db, struct tag *tags, size_t count);
enum ath_status sell_product(struct ath_engine *engine, struct sale sale, struct ath_error *error);
ath_hook no_gifts;
void announce_price(struct ath_session *db, int64_t id, struct ath_decimal price);
enum ath_status follow_prices(struct ath_engine *engine, bool (*changed)(const char *name),
			      struct ath_error *error);

static int failures;

static void expect(bool met, const char *what, int line)
{
	if (met)
		return;
	failures++;
	printf("readme.c:%d: not so: %s\n", line, what);
}
#define EXPECT(expression) expect((expression), #expression, __LINE__)

static void expect_no_error(struct ath_session *db, const char *where)
{
	const struct ath_error *error = ath_session_error(db);

	if (error == NULL)
		return;
	failures++;
	printf("%s: %s: %s\n", where, ath_status_text(error->status), error->message);
	ath_clear_error(db);
}

static bool is_decimal(struct ath_decimal value, const char *text)
{
	char own[ATH_DECIMAL_MAX_TEXT];

	ath_decimal_format(value, own);
	return strcmp(own, text) == 0;
}

/* ---- the shop's rows ------------------------------------------------------------------------ */

static const struct ath_text_array none, red = { (const char *const[]){ "red" }, 1 };

static struct product *add_product(struct ath_session *db, const char *name, int64_t price,
				   struct ath_text_array colours, const char *details)
{
	struct product *product = product_new(db);

	EXPECT(product->stock == 1); /* its default */
	product->name = name;
	product->price = ath_decimal_of(price, 2);
	product->stock = 10;
	product->details.text = details;
	product->colours = colours;
	product_add(db, product);
	ath_commit(db);
	EXPECT(product->id > 0 && product->version == 1 && product->created_at.microseconds != 0);
	return product;
}

static void try_relations(struct ath_session *db, struct product **products)
{
	static struct tag *both[2]; /* what a relation holds lives as long as the session */
	struct customer *ada = customer_new(db);
	struct tag *iron = tag_new(db), *glass = tag_new(db);
	struct customer_list customers;
	struct order *order;

	ada->name = "Ada";
	ada->email = "ada@example.org";
	ada->address = address_new(db);
	ada->address->city = "Graz";
	order = place_order(db, ada, products, 2);
	expect_no_error(db, "place_order");
	EXPECT(ada->id > 0 && order->customer_id == ada->id &&
	       ada->address->customer_id == ada->id);
	EXPECT(order->due.days > 0 && order->state == OPEN);

	iron->name = "iron";
	glass->name = "glass";
	both[0] = iron;
	both[1] = glass;
	set_tags(db, products[0], (struct tag_list){ both, 2 });
	expect_no_error(db, "set_tags");
	set_tags(db, products[0], (struct tag_list){ both + 1, 1 });
	expect_no_error(db, "set_tags, one less");
	ath_load(db, product, ((struct product_list){ &products[0], 1 }), tags);
	EXPECT(products[0]->tags.count == 1 && products[0]->tags.items[0] == glass);

	customers = customers_with_all(db);
	expect_no_error(db, "customers_with_all");
	if (customers.count != 1 || customers.items[0]->orders.count != 1 ||
	    customers.items[0]->orders.items[0]->items.count != 2) {
		EXPECT(!"one customer with one order of two items");
		return;
	}
	EXPECT(customers.items[0] == ada && strcmp(ada->address->city, "Graz") == 0);
	EXPECT(ada->orders.items[0] == order && order->items.items[0]->product == products[0]);
}

static void try_queries(struct ath_session *db, struct product **products)
{
	struct ath_date past = { .days = 1 }, future = { .days = 100000 };
	struct product_list found = find_products(db, "retort -glass", ath_decimal_of(20, 0));
	struct ath_query orders = ath_query(order);
	struct ath_decimal total;
	struct sales_list sales;

	expect_no_error(db, "find_products");
	/* one of three retorts is red, and one dear but of copper; "glass" is none */
	EXPECT(found.count == 2 && found.items[0] == products[2] && found.items[1] == products[0]);

	found = newest_products(db, NULL);
	EXPECT(found.count == 4 && found.items[0] == products[3]);
	found = newest_products(db, products[2]);
	expect_no_error(db, "newest_products");
	EXPECT(found.count == 2 && found.items[0] == products[1] && found.items[1] == products[0]);

	EXPECT(late_customers(db, past).count == 0);
	EXPECT(late_customers(db, future).count == 1);
	expect_no_error(db, "late_customers");

	EXPECT(sales_by_city(db).count == 0); /* nothing is paid */
	ath_where(&orders, ATH_ALL);
	EXPECT(ath_update(db, &orders, ATH_SET(order, state, PAID)) == 1);
	ath_commit(db);
	sales = sales_by_city(db);
	expect_no_error(db, "sales_by_city");
	EXPECT(sales.count == 1 && strcmp(sales.items[0]->city, "Graz") == 0 &&
	       sales.items[0]->orders == 1 && is_decimal(sales.items[0]->total.value, "27.50"));

	EXPECT(total_sales(db, &total) && is_decimal(total, "27.50"));
	sales = best_cities(db, 1);
	expect_no_error(db, "best_cities");
	EXPECT(sales.count == 1 && sales.items[0]->orders == 1 && !sales.items[0]->total.valid);
	EXPECT(best_cities(db, 2).count == 0);
}

static void try_writing(struct ath_session *db, struct product **products)
{
	static struct tag tags[] = { { .name = "a" }, { .name = "b" }, { .name = "c" } };
	struct tag *tag;

	set_price(db, products[3]->id, ath_decimal_of(100, 2));
	expect_no_error(db, "set_price");
	EXPECT(is_decimal(products[3]->price, "1.00") && products[3]->version == 2 &&
	       products[3]->changed_at.valid);
	EXPECT(raise_prices(db, ath_decimal_of(11, 1)) == 4);
	expect_no_error(db, "raise_prices");
	EXPECT(product_refresh(db, products[3]) && is_decimal(products[3]->price, "1.10"));
	EXPECT(products[3]->version == 3);

	add_tags(db, tags, ATH_COUNT(tags));
	expect_no_error(db, "add_tags");
	EXPECT(tags[0].id > 0 && tags[2].id > tags[1].id);
	tag = tag_named(db, "b");
	EXPECT(tag != NULL && tag->id == tags[1].id);
	tag = tag_named(db, "d");
	EXPECT(tag != NULL && tag->id > tags[2].id);
	ath_commit(db);
	expect_no_error(db, "tag_named");
	EXPECT(count_coloured(db) == 1);
	expect_no_error(db, "count_coloured");
}

static void try_transactions(struct ath_session *db, struct ath_engine *engine,
			     struct product **products)
{
	static struct tag tags[] = { { .name = "c" }, { .name = "e" } };
	struct sale few = { products[0]->id, 3 }, many = { products[0]->id, 8 };
	struct product *cheap = add_product(db, "nothing", 1, none, NULL);
	struct ath_query items = ath_query(item), customers = ath_query(customer);
	struct customer *ada = customer_first(db, &customers);
	struct ath_error error;

	EXPECT(add_missing_tags(db, tags, ATH_COUNT(tags)) == 1);
	expect_no_error(db, "add_missing_tags");
	EXPECT(tag_named(db, "e")->id == tags[1].id);
	ath_rollback(db);

	EXPECT(sell_product(engine, few, &error) == ATH_OK);
	EXPECT(sell_product(engine, many, &error) == ATH_ERULE);
	EXPECT(product_refresh(db, products[0]) && products[0]->stock == 7);

	cheap->price = ath_decimal_of(0, 0);
	ath_session_hook(db, no_gifts, NULL);
	place_order(db, ada, &cheap, 1);
	EXPECT(ath_session_error(db) != NULL && ath_session_error(db)->status == ATH_ERULE);
	ath_clear_error(db);
	EXPECT(ath_count(db, &items) == 2);
	expect_no_error(db, "no_gifts");
}

/* ---- notifications --------------------------------------------------------------------------- */

static struct ath_session *announcer;
static int64_t announced;
static int readings;

/* The price changes while it listens, once all were read. */
static bool price_changed(const char *name)
{
	if (name == NULL) {
		readings++;
		announce_price(announcer, announced, ath_decimal_of(777, 2));
		return true;
	}
	EXPECT(strcmp(name, "Retort, small") == 0);
	return false;
}

static void try_notifications(struct ath_session *db, struct ath_engine *engine,
			      const struct product *product)
{
	struct ath_error error;

	announcer = db;
	announced = product->id;
	EXPECT(follow_prices(engine, price_changed, &error) == ATH_OK);
	EXPECT(readings == 1);
	expect_no_error(db, "announce_price");
	EXPECT(is_decimal(product_get(db, announced)->price, "7.77"));
}

int main(void)
{
	struct product *products[4];
	struct ath_engine *engine;
	struct ath_session *db;
	struct ath_error error;

	if (ath_engine_open(&engine, getenv("DATABASE_URL"), NULL, &error) != ATH_OK ||
	    ath_session_open(&db, engine, NULL) != ATH_OK)
		return EXIT_FAILURE;
	ath_create_all(db, shop);
	ath_commit(db);
	expect_no_error(db, "ath_create_all");
	products[0] = add_product(db, "Retort, small", 1250, none, NULL);
	products[1] = add_product(db, "Retort, red", 1500, red, NULL);
	products[2] = add_product(db, "Retort, large", 9900, none, "{\"metal\": \"copper\"}");
	products[3] = add_product(db, "Glass retort", 500, none, NULL);
	expect_no_error(db, "products");
	if (failures == 0) {
		try_relations(db, products);
		try_queries(db, products);
		try_writing(db, products);
		try_transactions(db, engine, products);
		try_notifications(db, engine, products[0]);
	}
	ath_session_close(&db);
	ath_engine_close(&engine);
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
