/*
 * base.h - the ground everything stands on: status codes and errors, text, the arena,
 * the growing buffer, time, and the JSON primitives that write into a buffer.
 */
#ifndef ATH_BASE_H
#define ATH_BASE_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ATH_VERSION "1.0.0" /**< of the library */

#define ATH_API                     __attribute__((visibility("default")))
#define ATH_MUST_CHECK              __attribute__((warn_unused_result))
#define ATH_PRINTF(format_, first_) __attribute__((format(printf, format_, first_)))
#define ATH_COLD                    __attribute__((cold)) /**< of a failure */

#ifndef __cplusplus
/** Elements of an array; a pointer does not compile. */
#define ATH_COUNT(a)                                                                               \
	(sizeof(a) / sizeof((a)[0]) +                                                              \
	 0 * sizeof(struct {                                                                       \
		 _Static_assert(!__builtin_types_compatible_p(__typeof__(a), __typeof__(&(a)[0])), \
				"an array, not a pointer");                                        \
		 int unused_;                                                                      \
	 }))
#endif

/* ---- status and errors ---------------------------------------------------------------- */

/* name, what it means to the caller */
#define ATH_STATUS_MAP(X)                                                                          \
	X(OK, "ok")                                                                                \
	X(ENOMEM, "out of memory, or past the ceiling of the arena")                               \
	X(ETOOBIG, "larger than its ceiling")                                                      \
	X(EINVAL, "not valid here")                                                                \
	X(ETIMEDOUT, "the deadline passed")                                                        \
	X(ECANCELED, "the client went away")                                                       \
	X(EIO, "the system refused")                                                               \
	X(ENOTFOUND, "no such row")                                                                \
	X(EMANY, "more than one row where one was asked for")                                      \
	X(EUNIQUE, "a row with this value exists already")                                         \
	X(EREFERENCE, "a row that is referred to is missing, or still referred to")                \
	X(ERULE, "a value breaks a rule of its column")                                            \
	X(ESTALE, "the row was changed or deleted meanwhile")                                      \
	X(ESERIALIZATION, "the transaction met another one and may be tried again")                \
	X(ELOCKED, "a lock was not free in time")                                                  \
	X(EFORBIDDEN, "the database does not permit this")                                         \
	X(EREADONLY, "a write in a read-only transaction")                                         \
	X(EUNAVAILABLE, "the database cannot be reached now")                                      \
	X(EUNKNOWN, "the connection was lost while the transaction was being committed")           \
	X(ESTORED, "it is stored, but what the database gave back could not be read")              \
	X(ESQL, "the database refused the statement")

enum ath_status {
#define X(name, text) ATH_##name,
	ATH_STATUS_MAP(X)
#undef X
};

/** The text of a status; static. */
ATH_API const char *ath_status_text(enum ath_status status);

/**
 * The first thing that went wrong. It needs no memory and is copied by assignment. Texts
 * that are longer than their field are cut.
 */
struct ath_error {
	enum ath_status status;
	char sqlstate[6];    /**< five characters, or "" when no database spoke */
	char message[250];   /**< for the log: may quote the database */
	char constraint[64]; /**< the constraint that was violated, or "" */
	char table[64];
	char column[64];
};

/** Fills error, unless it already holds one: the first error stays. Returns status. */
ATH_API enum ath_status ath_error_set(struct ath_error *error, enum ath_status status,
				      const char *format, ...) ATH_PRINTF(3, 4) ATH_COLD;
ATH_API void ath_error_clear(struct ath_error *error);

/* ---- text ------------------------------------------------------------------------------ */

/** Bytes with a length; not assumed to end in NUL. */
struct ath_text {
	const char *data;
	size_t length;
};

ATH_API struct ath_text ath_text(const char *string);
ATH_API bool ath_text_is(struct ath_text text, const char *string);
/** Like ath_text_is, blind to the case of ASCII letters. */
ATH_API bool ath_text_is_nocase(struct ath_text text, const char *string);
/** The whole text as a decimal integer (RFC 8259's form: no '+', no leading zero). */
ATH_API bool ath_text_int64(struct ath_text text, int64_t *value) ATH_MUST_CHECK;
/** Is it UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
ATH_API bool ath_utf8_valid(const char *data, size_t length);
/** Code points in valid UTF-8. */
ATH_API size_t ath_utf8_length(const char *data, size_t length);

/* ---- arena ----------------------------------------------------------------------------- */

/**
 * Memory of one request: taken piece by piece, given back all at once. An arena has a
 * ceiling; past it allocation returns NULL and ath_arena_failed() stays true until the
 * reset.
 */
struct ath_arena;

/** @param ceiling  in bytes; 0 means 16 MiB */
ATH_API enum ath_status ath_arena_open(struct ath_arena **arena, size_t ceiling) ATH_MUST_CHECK;
/** Runs the cleanups, frees everything, sets the caller's pointer to NULL. NULL is fine. */
ATH_API void ath_arena_close(struct ath_arena **arena);
/** Runs the cleanups, newest first, and empties the arena; the first block is kept. */
ATH_API void ath_arena_reset(struct ath_arena *arena);
ATH_API bool ath_arena_failed(const struct ath_arena *arena);
/** Bytes handed out since the last reset. */
ATH_API size_t ath_arena_used(const struct ath_arena *arena);

/** Uninitialised memory aligned for any type, or NULL. */
ATH_API void *ath_arena_alloc(struct ath_arena *arena, size_t size) ATH_MUST_CHECK;
/** Zeroed memory for count things of size bytes; the product is checked. NULL when it fails. */
ATH_API void *ath_arena_zalloc(struct ath_arena *arena, size_t count, size_t size) ATH_MUST_CHECK;
/** Makes the newest allocation larger in place where that is possible, else moves it. */
ATH_API void *ath_arena_grow(struct ath_arena *arena, void *old, size_t old_size,
			     size_t new_size) ATH_MUST_CHECK;
/** A copy that ends in NUL, or NULL. */
ATH_API char *ath_arena_copy(struct ath_arena *arena, const char *data,
			     size_t length) ATH_MUST_CHECK;
ATH_API char *ath_arena_printf(struct ath_arena *arena, const char *format, ...)
	ATH_PRINTF(2, 3) ATH_MUST_CHECK;
/** Has cleanup(arg) called at the next reset; false when there is no memory for the note. */
ATH_API bool ath_arena_defer(struct ath_arena *arena, void (*cleanup)(void *arg),
			     void *arg) ATH_MUST_CHECK;

/** Zeroed memory for count objects of a type: ath_new(arena, struct user, 3). */
#define ath_new(arena, type, count) ((type *)ath_arena_zalloc((arena), (count), sizeof(type)))

/* ---- buffer ---------------------------------------------------------------------------- */

/**
 * Bytes that grow up to a ceiling, in an arena or (arena NULL) by malloc. Failure sticks:
 * append as much as you like and look at failed once, at the end. After a failure the
 * contents are incomplete and must not be used.
 */
struct ath_buffer {
	char *data;
	size_t length;
	size_t capacity;
	size_t ceiling;
	struct ath_arena *arena;
	bool failed;
};

ATH_API void ath_buffer_init(struct ath_buffer *buffer, struct ath_arena *arena, size_t ceiling);
/** Frees a malloc buffer; for one in an arena only forgets. */
ATH_API void ath_buffer_free(struct ath_buffer *buffer);
/* Behind ath_buffer_reserve() and ath_buffer_append(), when there is no room yet or no use. */
ATH_API char *ath_buffer_reserve_slowly(struct ath_buffer *buffer, size_t more);
ATH_API void ath_buffer_append_slowly(struct ath_buffer *buffer, const void *data, size_t length);

/** Room for more bytes at data + length, or NULL. The caller advances length. */
static inline char *ath_buffer_reserve(struct ath_buffer *buffer, size_t more)
{
	if (buffer->failed || more > buffer->capacity - buffer->length || buffer->data == NULL)
		return ath_buffer_reserve_slowly(buffer, more);
	return buffer->data + buffer->length;
}

static inline void ath_buffer_append(struct ath_buffer *buffer, const void *data, size_t length)
{
	if (buffer->failed || length == 0 || length > buffer->capacity - buffer->length) {
		ath_buffer_append_slowly(buffer, data, length);
		return;
	}
	memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
}

static inline void ath_buffer_string(struct ath_buffer *buffer, const char *string)
{
	ath_buffer_append(buffer, string, strlen(string));
}

ATH_API void ath_buffer_int64(struct ath_buffer *buffer, int64_t value);
ATH_API void ath_buffer_printf(struct ath_buffer *buffer, const char *format, ...) ATH_PRINTF(2, 3);
/** Ends the contents in a NUL that is not counted; "" after a failure. */
ATH_API const char *ath_buffer_c_string(struct ath_buffer *buffer);

/* ---- time and identity ------------------------------------------------------------------ */

/**
 * A moment: microseconds since 1970-01-01T00:00:00Z. INT64_MIN and INT64_MAX are
 * PostgreSQL's -infinity and infinity. Zero in a row that is to be inserted means "not set".
 */
struct ath_timestamp {
	int64_t microseconds;
};

#define ATH_TIMESTAMP_MAX_TEXT 40

/** Now, by the clock on the wall. */
ATH_API struct ath_timestamp ath_timestamp_now(void);
/** RFC 3339 in UTC, microseconds without trailing zeros; returns the length, NUL excluded. */
ATH_API size_t ath_timestamp_format(struct ath_timestamp moment, char text[ATH_TIMESTAMP_MAX_TEXT]);
/** Reads RFC 3339 with any offset, years 0001 to 9999, and "infinity", "-infinity". */
ATH_API bool ath_timestamp_parse(struct ath_text text, struct ath_timestamp *moment) ATH_MUST_CHECK;

/**
 * A day of the calendar: days since 1970-01-01. INT32_MIN and INT32_MAX are PostgreSQL's
 * -infinity and infinity. Zero in a row that is to be inserted means "not set".
 */
struct ath_date {
	int32_t days;
};

#define ATH_DATE_MAX_TEXT 24

/** ISO 8601, "2024-05-06"; returns the length, NUL excluded. */
ATH_API size_t ath_date_format(struct ath_date date, char text[ATH_DATE_MAX_TEXT]);
/** Reads that form, years 0001 to 9999, and "infinity", "-infinity". */
ATH_API bool ath_date_parse(struct ath_text text, struct ath_date *date) ATH_MUST_CHECK;

/** RFC 4122; all zero in a row that is to be inserted means "not set". */
struct ath_uuid {
	unsigned char bytes[16];
};

#define ATH_UUID_TEXT 37

/** A random one (version 4). Fails only when the system has no randomness. */
ATH_API enum ath_status ath_uuid_random(struct ath_uuid *uuid) ATH_MUST_CHECK;
ATH_API void ath_uuid_format(struct ath_uuid uuid, char text[ATH_UUID_TEXT]);
/** The form 8-4-4-4-12, in either case. */
ATH_API bool ath_uuid_parse(struct ath_text text, struct ath_uuid *uuid) ATH_MUST_CHECK;

/* ---- exact numbers ---------------------------------------------------------------------- */

#define ATH_DECIMAL_DIGITS   38
#define ATH_DECIMAL_MAX_TEXT 44

/**
 * An exact decimal number: a coefficient of at most 38 digits, in two halves, of which scale (0 to
 * 38) stand behind the point. All zero is 0.
 */
struct ath_decimal {
	int64_t high;
	uint64_t low;
	int64_t scale;
};

/** ath_decimal_of(1999, 2) is 19.99; scale is 0 to 38: with another it is no number. */
ATH_API struct ath_decimal ath_decimal_of(int64_t coefficient, int scale);
/** Reads "-12.50" or "1.5e3" without a loss; false when it has more than 38 digits. */
ATH_API bool ath_decimal_parse(struct ath_text text, struct ath_decimal *value) ATH_MUST_CHECK;
/** All digits, those that are zero too: "12.50"; returns the length, NUL excluded; 0: no number. */
ATH_API size_t ath_decimal_format(struct ath_decimal value, char text[ATH_DECIMAL_MAX_TEXT]);
/**
 * Below, equal to or above zero as a is less than, equal to or more than b: 1.5 equals 1.50. What
 * is no number is less than all that are.
 */
ATH_API int ath_decimal_compare(struct ath_decimal a, struct ath_decimal b);
/** How many digits there are, zeros in front aside. */
ATH_API int ath_decimal_digits(struct ath_decimal value);
/** The same number with so many digits behind the point; false, and unchanged, when it is not. */
ATH_API bool ath_decimal_rescale(struct ath_decimal *value, int scale) ATH_MUST_CHECK;

/* ---- JSON primitives (RFC 8259) ----------------------------------------------------------- */

/** A string with its quotes. Invalid UTF-8 comes out as U+FFFD. */
ATH_API void ath_buffer_json_text(struct ath_buffer *buffer, const char *data, size_t length);
/** The shortest form that reads back as the same double; NaN and infinities fail the buffer. */
ATH_API void ath_buffer_json_double(struct ath_buffer *buffer, double value);
/** Bytes as RFC 4648's base64, without quotes. */
ATH_API void ath_buffer_base64(struct ath_buffer *buffer, const void *data, size_t length);

#ifdef __cplusplus
}
#endif

#endif
