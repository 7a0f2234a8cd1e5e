/*
 * db/postgresql_values.h - values in PostgreSQL's binary form. Pure: bytes and structs, no libpq.
 */
#ifndef ATH_DB_POSTGRESQL_VALUES_H
#define ATH_DB_POSTGRESQL_VALUES_H

#include <endian.h>

#include "db/driver.h"

/* from 1970-01-01 to PostgreSQL's 2000-01-01, in microseconds */
#define ATH_PG_EPOCH (946684800LL * 1000000)

/* One parameter as libpq wants it. */
struct ath_pg_argument {
	const char *bytes; /* NULL: SQL's NULL */
	int length, format;
};

/* The oid of a parameter's type; 0: the server gives it the type of its place. */
uint32_t ath_pg_oid(const struct ath_value *value);
/* ATH_ERULE: it cannot be sent; ATH_ENOMEM. */
enum ath_status ath_pg_encode(const struct ath_value *value, struct ath_arena *arena,
			      struct ath_pg_argument *argument) ATH_MUST_CHECK;

/* Can a column of this type be read into the target? */
bool ath_pg_fits(uint32_t oid, enum ath_type type);
/* One value that is not NULL into its member; false: it does not fit, or the arena is full. */
bool ath_pg_decode(const char *bytes, int length, uint32_t oid, const struct ath_target *target,
		   char *member, struct ath_arena *arena) ATH_MUST_CHECK;

/* The commonest, of which there is one to nearly every cell: 1, 4, 8 and 8 bytes, not NULL. */
static inline void ath_pg_get_bool(const char *bytes, char *member)
{
	*(bool *)member = *bytes != 0;
}

static inline void ath_pg_get_int32(const char *bytes, char *member)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof value);
	value = be32toh(value);
	memcpy(member, &value, sizeof value);
}

/* A double's, too. */
static inline void ath_pg_get_int64(const char *bytes, char *member)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof value);
	value = be64toh(value);
	memcpy(member, &value, sizeof value);
}

/* The infinities are the ends of the range on either side. */
static inline void ath_pg_get_timestamp(const char *bytes, char *member)
{
	int64_t value;

	ath_pg_get_int64(bytes, (char *)&value);
	if (value != INT64_MIN && value != INT64_MAX &&
	    __builtin_add_overflow(value, ATH_PG_EPOCH, &value))
		value = INT64_MAX;
	memcpy(member, &value, sizeof value);
}

#endif
