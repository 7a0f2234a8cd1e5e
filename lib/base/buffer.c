/* buffer.c - bytes that grow up to a ceiling; failure sticks. */
#include <stdio.h>
#include <stdlib.h>

#include "base/internal.h"

enum { FIRST_CAPACITY = 512 };

void ath_buffer_init(struct ath_buffer *buffer, struct ath_arena *arena, size_t ceiling)
{
	/* at most half of what size_t holds, so that neither sum nor doubling can overflow */
	if (ceiling > SIZE_MAX / 2)
		ceiling = SIZE_MAX / 2;
	*buffer = (struct ath_buffer){ .arena = arena, .ceiling = ceiling };
}

void ath_buffer_free(struct ath_buffer *buffer)
{
	if (buffer->arena == NULL)
		free(buffer->data);
	ath_buffer_init(buffer, buffer->arena, buffer->ceiling);
}

static bool grow(struct ath_buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : buffer->capacity;
	char *data;

	if (needed > buffer->ceiling)
		return false;
	while (capacity < needed)
		capacity *= 2;
	if (capacity > buffer->ceiling)
		capacity = buffer->ceiling;
	if (buffer->arena != NULL)
		data = ath_arena_grow(buffer->arena, buffer->data, buffer->capacity, capacity);
	else
		data = realloc(buffer->data, capacity);
	if (data == NULL)
		return false;
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

char *ath_buffer_reserve_slowly(struct ath_buffer *buffer, size_t more)
{
	if (buffer->failed)
		return NULL;
	if ((more > buffer->capacity - buffer->length || buffer->data == NULL) &&
	    (more > buffer->ceiling || !grow(buffer, buffer->length + more))) {
		buffer->failed = true;
		return NULL;
	}
	return buffer->data + buffer->length;
}

void ath_buffer_append_slowly(struct ath_buffer *buffer, const void *data, size_t length)
{
	char *at;

	if (length == 0)
		return;
	at = ath_buffer_reserve(buffer, length);
	if (at == NULL)
		return;
	memcpy(at, data, length);
	buffer->length += length;
}

const char ath_digit_pairs[] = "00010203040506070809101112131415161718192021222324"
			       "25262728293031323334353637383940414243444546474849"
			       "50515253545556575859606162636465666768697071727374"
			       "75767778798081828384858687888990919293949596979899";

void ath_buffer_int64(struct ath_buffer *buffer, int64_t value)
{
	char digits[20], *end = digits + sizeof digits, *at = end;
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	for (; rest >= 10; rest /= 100) {
		at -= 2;
		memcpy(at, ath_digit_pairs + 2 * (rest % 100), 2);
	}
	if (rest > 0 || at == end)
		*--at = (char)('0' + rest);
	if (value < 0)
		*--at = '-';
	ath_buffer_append(buffer, at, (size_t)(end - at));
}

void ath_buffer_printf(struct ath_buffer *buffer, const char *format, ...)
{
	va_list args;
	int length;
	char *at;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0) {
		buffer->failed = true;
		return;
	}
	at = ath_buffer_reserve(buffer, (size_t)length + 1);
	if (at == NULL)
		return;
	va_start(args, format);
	vsnprintf(at, (size_t)length + 1, format, args);
	va_end(args);
	buffer->length += (size_t)length;
}

const char *ath_buffer_c_string(struct ath_buffer *buffer)
{
	char *at = ath_buffer_reserve(buffer, 1);

	if (at == NULL)
		return "";
	*at = '\0';
	return buffer->data;
}
