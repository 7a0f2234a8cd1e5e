/*
 * fuzz_records.c - libFuzzer on the record reader: any bytes, whole, byte by byte and in
 * pieces that the input itself chooses, tell the same sequence of events, and nothing is
 * told out of order.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "web/fcgi_records.h"

/* Small ceilings, so that the fuzzer passes them. */
enum { PARAMS = 64, BODY = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

struct reading {
	struct ath_fcgi_reader reader;
	struct ath_buffer params, body, told;
	bool under_way, over;
};

/* ---- what was told ----------------------------------------------------------------------------
 */

static void tell_bytes(struct ath_buffer *told, const struct ath_buffer *bytes, size_t ceiling)
{
	must(bytes->length <= ceiling && bytes->capacity <= ceiling);
	ath_buffer_printf(told, "(%d %zu ", bytes->failed, bytes->failed ? 0 : bytes->length);
	if (!bytes->failed)
		ath_buffer_append(told, bytes->data, bytes->length);
	ath_buffer_string(told, ")");
}

static void check_reply(const struct ath_fcgi_reader *reader)
{
	const unsigned char *reply = reader->reply;

	must(reader->reply_length >= ATH_FCGI_HEADER &&
	     reader->reply_length <= sizeof reader->reply);
	must(reply[0] == 1 && reply[6] == 0 && reply[7] == 0);
	must(reply[1] == 3 || reply[1] == 10 || reply[1] == 11);
	must((size_t)(reply[4] << 8 | reply[5]) == reader->reply_length - ATH_FCGI_HEADER);
}

static void check_order(struct reading *reading, enum ath_fcgi_event event)
{
	if (event == ATH_FCGI_BEGIN) {
		must(!reading->under_way && reading->reader.id != 0);
		reading->under_way = true;
	} else if (event == ATH_FCGI_PARAMS) {
		must(reading->under_way && reading->reader.params_ended);
	} else if (event == ATH_FCGI_REQUEST || event == ATH_FCGI_ABORT) {
		must(reading->under_way);
		must(event == ATH_FCGI_ABORT || reading->reader.params_ended);
		reading->under_way = false;
	} else if (event == ATH_FCGI_REPLY) {
		check_reply(&reading->reader);
	} else {
		must(event == ATH_FCGI_BAD);
	}
	must(event == ATH_FCGI_BAD || reading->reader.active == reading->under_way);
}

static void tell(struct reading *reading, enum ath_fcgi_event event)
{
	struct ath_buffer *told = &reading->told;

	check_order(reading, event);
	ath_buffer_printf(told, "%d %u %d", (int)event, reading->reader.id, reading->reader.keep);
	if (event == ATH_FCGI_REQUEST) {
		tell_bytes(told, &reading->params, PARAMS);
		tell_bytes(told, &reading->body, BODY);
	} else if (event == ATH_FCGI_REPLY) {
		ath_buffer_append(told, reading->reader.reply, reading->reader.reply_length);
	}
	ath_buffer_string(told, ";");
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static void new_buffers(struct reading *reading)
{
	ath_buffer_free(&reading->params);
	ath_buffer_free(&reading->body);
	ath_buffer_init(&reading->params, NULL, PARAMS);
	ath_buffer_init(&reading->body, NULL, BODY);
	reading->reader.params = &reading->params;
	reading->reader.body = &reading->body;
}

/* The piece is an allocation of its own size: a read past it is seen. */
static void feed(struct reading *reading, const uint8_t *data, size_t length)
{
	unsigned char *copy = malloc(length > 0 ? length : 1);
	const unsigned char *at = copy;

	must(copy != NULL);
	if (length > 0)
		memcpy(copy, data, length);
	while (length > 0 && !reading->over) {
		size_t before = length;
		enum ath_fcgi_event event = ath_fcgi_read(&reading->reader, &at, &length);

		must(length < before && (event != ATH_FCGI_MORE || length == 0));
		if (event == ATH_FCGI_MORE)
			break;
		tell(reading, event);
		if (event == ATH_FCGI_BEGIN)
			new_buffers(reading);
		reading->over = event == ATH_FCGI_BAD;
	}
	free(copy);
}

enum cut { WHOLE, BYTES, PIECES };

/* A piece is as long as its own first byte says. */
static void read_all(struct reading *reading, const uint8_t *data, size_t size, enum cut cut)
{
	*reading = (struct reading){ .reader.max_connections = 65535 };
	ath_buffer_init(&reading->told, NULL, 1 << 20);
	for (size_t at = 0; at < size;) {
		size_t length = cut == WHOLE ? size : cut == BYTES ? 1 : 1 + data[at] % 32U;

		length = length < size - at ? length : size - at;
		feed(reading, data + at, length);
		at += length;
	}
}

static void reading_free(struct reading *reading)
{
	ath_buffer_free(&reading->told);
	ath_buffer_free(&reading->params);
	ath_buffer_free(&reading->body);
}

static void compare(const struct reading *whole, const struct reading *pieces)
{
	must(!whole->told.failed && pieces->told.length == whole->told.length);
	must(pieces->told.length == 0 ||
	     memcmp(whole->told.data, pieces->told.data, pieces->told.length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading whole, bytes, pieces;

	read_all(&whole, data, size, WHOLE);
	read_all(&bytes, data, size, BYTES);
	read_all(&pieces, data, size, PIECES);
	compare(&whole, &bytes);
	compare(&whole, &pieces);
	reading_free(&whole);
	reading_free(&bytes);
	reading_free(&pieces);
	return 0;
}
