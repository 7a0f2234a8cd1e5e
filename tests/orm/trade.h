/* trade.h - models that use every option a table can be made from. */
#ifndef TESTS_ORM_TRADE_H
#define TESTS_ORM_TRADE_H

#include "orm/internal.h"

enum mood { CALM, ONES_OWN, BUSY };

struct region {
	const char *country;
	int32_t code;
	const char *name;
};

struct shop {
	int64_t id;
	const char *name;
	const char *city;
	struct ath_decimal price;
	enum mood mood;
	struct ath_null_enum second_mood;
	struct ath_text_array tags;
	struct ath_int64_array numbers;
	struct ath_uuid_array keys;
	struct ath_json data;
	struct ath_bytes picture;
	struct ath_date opened_on;
	struct ath_null_date closed_on;
	struct ath_null_timestamp seen_at;
	int32_t serial;
	struct ath_null_int64 twice;
	struct ath_timestamp created_at;
	struct ath_null_int32 stars;
	double weight;
	bool open;
	int16_t opens, closes;
	int64_t version;
	struct ath_uuid uuid;
	const char *country;
	struct ath_null_int32 region_code;
	struct ath_null_int64 boss_id;
};

struct boss {
	int64_t id;
	struct ath_null_int64 shop_id;
	struct ath_null_int64 boss_id;
};
ATH_LIST_(region)
ATH_LIST_(shop)
ATH_LIST_(boss)

ATH_MODEL(region, "trade.regions", ATH_COLUMN(region, country, .primary_key = true),
	  ATH_COLUMN(region, code, .primary_key = true), ATH_COLUMN(region, name, .index = true));

ATH_MODEL(shop, "trade.shops", ATH_COLUMN(shop, id, .primary_key = true),
	  ATH_COLUMN(shop, name, .varchar = true, .min_length = 2, .max_length = 10,
		     .comment = "as its owner's sign says"),
	  ATH_COLUMN(shop, city, .column = "town", .max_length = 20, .nullable = true),
	  ATH_COLUMN(shop, price, .precision = 6, .scale = 2, .min = 0, .max = 1000),
	  ATH_COLUMN(shop, mood, .values = ATH_VALUES("calm", "one's own", "busy")),
	  ATH_COLUMN(shop, second_mood, .values = ATH_VALUES("calm", "one's own", "busy")),
	  ATH_COLUMN(shop, tags), ATH_COLUMN(shop, numbers, .nullable = true),
	  ATH_COLUMN(shop, keys), ATH_COLUMN(shop, data),
	  ATH_COLUMN(shop, picture, .nullable = true), ATH_COLUMN(shop, opened_on),
	  ATH_COLUMN(shop, closed_on), ATH_COLUMN(shop, seen_at, .index = true),
	  ATH_COLUMN(shop, serial, .identity = true, .unique = true),
	  ATH_COLUMN(shop, twice, .generated = "serial::bigint * 2"),
	  ATH_COLUMN(shop, created_at, .server_default = "now()"),
	  ATH_COLUMN(shop, stars, .server_default = "3", .min = 1, .max = 5),
	  ATH_COLUMN(shop, weight, .min = -1, .max = 1), ATH_COLUMN(shop, open),
	  ATH_COLUMN(shop, opens), ATH_COLUMN(shop, closes),
	  ATH_COLUMN(shop, version, .version = true),
	  ATH_COLUMN(shop, uuid, .server_default = "gen_random_uuid()"), ATH_COLUMN(shop, country),
	  ATH_COLUMN(shop, region_code),
	  ATH_COLUMN(shop, boss_id, .references = &boss_model, .on_delete = ATH_SET_NULL),
	  ATH_FOREIGN_KEY(shop, ATH_COLUMNS(shop, country, region_code), region,
			  .on_delete = ATH_CASCADE, .on_update = ATH_CASCADE),
	  ATH_UNIQUE(shop, ATH_COLUMNS(shop, name, city), .where = "closed_on IS NULL"),
	  ATH_UNIQUE(shop, ATH_COLUMNS(shop, city, opened_on)),
	  ATH_INDEX_ON(shop, lower_name, "lower(name)", .unique = true),
	  ATH_INDEX(shop, ATH_COLUMNS(shop, tags), .method = "gin"),
	  ATH_INDEX(shop, ATH_COLUMNS(shop, country, opens), .where = "open"),
	  ATH_CHECK(shop, hours, "opens < closes"), ATH_COMMENT("Where it's sold"));

/* To shops, which refer to bosses, and to each other. */
ATH_MODEL(boss, "bosses", ATH_COLUMN(boss, id, .primary_key = true),
	  ATH_COLUMN(boss, shop_id, .references = &shop_model, .on_delete = ATH_CASCADE),
	  ATH_COLUMN(boss, boss_id, .references = &boss_model));

static const struct ath_model *const trade[] = { &boss_model, &shop_model, &region_model, NULL };

#endif
