/*
 * base/internal.h - what the rooms above use of base and an application does not.
 */
#ifndef ATH_BASE_INTERNAL_H
#define ATH_BASE_INTERNAL_H

#include <string.h>

#include "base/base.h"
#include "base/log.h"

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/** The value of a hexadecimal digit, or -1. */
static inline int ath_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/** "00" to "99", one behind the other: numbers are written two digits at a time. */
extern const char ath_digit_pairs[201];

/**
 * For lines of the log: as ath_log_begin(), with room of the caller's own, of 256 bytes at least,
 * instead of the line's 2 KiB.
 */
void ath_log_begin_long(struct ath_log_line *line, const struct ath_log *log,
			enum ath_log_level level, const char *message, char *bytes, size_t size);
/** What was counted in thousandths of it: 1234 is 1.234. */
void ath_log_thousandths(struct ath_log_line *line, const char *name, uint64_t value);
/** What is JSON already; a person gets it as it is. One that has failed is left out. */
void ath_log_json(struct ath_log_line *line, const char *name, const struct ath_buffer *json);

/**
 * Whole lines that wait to be written together. Whoever has one is told when there is a first, and
 * flushes it in time.
 */
struct ath_log_batch {
	void (*begun)(struct ath_log_batch *batch);
	int fd; /* of the lines; they all go to one */
	size_t length;
	char bytes[32 * 1024];
};
void ath_log_flush(struct ath_log_batch *batch);

/** Text that needs no escapes, in quotes. */
void ath_buffer_quoted(struct ath_buffer *buffer, const char *data, size_t length);

/**
 * Where somebody has been waiting for something all the time for so many milliseconds, more is
 * asked for than there is: it is no burst any more.
 */
enum { ATH_STANDING_MS = 500 };
/** How long it makes sense to wait then for what takes so long itself. */
static inline int64_t ath_standing_patience(int64_t service_ms)
{
	return service_ms > ATH_STANDING_MS / 4 ? 4 * service_ms : ATH_STANDING_MS;
}

/** FNV-1a over words: good enough for tables, not for an adversary's keys. */
static inline uint64_t ath_hash(const void *data, size_t length)
{
	const unsigned char *at = data;
	uint64_t hash = 0xcbf29ce484222325ULL ^ length;

	for (; length >= 8; at += 8, length -= 8) {
		uint64_t word;

		memcpy(&word, at, 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	for (; length > 0; at++, length--)
		hash = (hash ^ *at) * 0x100000001b3ULL;
	return hash ^ hash >> 29;
}

/** SHA-256: for what an adversary may choose. The text is hexadecimal, with a NUL. */
enum { ATH_SHA256_TEXT = 65 };
struct ath_sha256 {
	uint32_t state[8];
	uint64_t length; /* of all that was added, in bytes */
	unsigned char block[64];
};
void ath_sha256_begin(struct ath_sha256 *hash);
void ath_sha256_add(struct ath_sha256 *hash, const void *data, size_t length);
void ath_sha256_end(struct ath_sha256 *hash, char text[ATH_SHA256_TEXT]);

__extension__ typedef __int128 ath_int128;

/** The coefficient in one piece. */
ath_int128 ath_decimal_coefficient(struct ath_decimal value);
/** False when it has more than 38 digits or the scale is not 0 to 38. */
bool ath_decimal_make(ath_int128 coefficient, int64_t scale,
		      struct ath_decimal *value) ATH_MUST_CHECK;

/** Strict base64 into out, which has room for 3 bytes for every 4 characters. */
bool ath_base64_decode(struct ath_text text, unsigned char *out, size_t *length) ATH_MUST_CHECK;

/** Counts bytes that live elsewhere but as long as the arena; false, and failed, past the ceiling.
 */
bool ath_arena_charge(struct ath_arena *arena, size_t bytes);
/** As a reset, but all memory is kept, for what will take as much again. */
void ath_arena_rewind(struct ath_arena *arena);
/** Are that many bytes still free below the ceiling? A quarter of it is always enough. */
bool ath_arena_has_room(const struct ath_arena *arena, size_t bytes);
/**
 * Zeroed memory past the ceiling, for what a caller must be able to point at while the failure
 * is on its way up; the arena counts as failed. Never NULL up to ATH_BEYOND bytes.
 */
enum { ATH_BEYOND = 4096 };
void *ath_arena_beyond(struct ath_arena *arena, size_t size);
/** Length of the UTF-8 sequence at the front of data (left > 0), or 0 when it is not one. */
size_t ath_utf8_sequence(const char *data, size_t left);

#endif
