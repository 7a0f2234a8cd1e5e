/*
 * test_fcgi_records.c - the record reader alone. A row is a script of records and the events
 * it must give; it is read whole, byte by byte, cut in two at every byte, and in random
 * pieces, and each way must tell the same.
 *
 * A script is words with a space between, each a record:
 *
 *	B1 Bk1 Bka1 Bkf1  begins request 1; k keeps, a is the authorizer, f the filter
 *	P1:text I1:text   parameters and body of request 1; no text ends them
 *	A1                abort
 *	G:names           FCGI_GET_VALUES with empty values, names with ',' between
 *	T99.0:text        type 99, request 0
 *	X5                five bytes 0xff
 *
 * A '+' and a number in front pads the record with so many bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../base/random.h"
#include "fcgi_client.h"
#include "web/fcgi_records.h"

enum { PARAMS = 20, BODY = 10, RANDOM_CUTS = 200 };

/* ---- scripts ------------------------------------------------------------------------------ */

static void put_names(struct ath_buffer *out, const char *names, size_t length)
{
	struct ath_buffer pairs;
	const char *end = names + length;

	bytes_init(&pairs);
	while (names < end) {
		const char *comma = memchr(names, ',', (size_t)(end - names));
		size_t name = (size_t)((comma == NULL ? end : comma) - names);
		unsigned char lengths[2] = { (unsigned char)name, 0 };

		ath_buffer_append(&pairs, lengths, sizeof lengths);
		ath_buffer_append(&pairs, names, name);
		names += name + 1;
	}
	put_record(out, FCGI_GET_VALUES, 0, pairs.data, pairs.length);
	ath_buffer_free(&pairs);
}

static void put_begin_word(struct ath_buffer *out, const char *word)
{
	bool keep = false;
	unsigned role = FCGI_RESPONDER;

	for (; *word < '0' || *word > '9'; word++) {
		keep = keep || *word == 'k';
		role = *word == 'a' ? FCGI_AUTHORIZER : *word == 'f' ? FCGI_FILTER : role;
	}
	put_begin(out, (unsigned)strtoul(word, NULL, 10), role, keep);
}

static void put_word(struct ath_buffer *out, const char *word, size_t length)
{
	char *at = (char *)(uintptr_t)word;
	unsigned padding = *word == '+' ? (unsigned)strtoul(word + 1, &at, 10) : 0, type, id;
	const char *text = memchr(word, ':', length);
	size_t text_length = text == NULL ? 0 : length - (size_t)(++text - word);
	char letter = *at++;

	if (letter == 'B') {
		put_begin_word(out, at);
		return;
	}
	if (letter == 'G') {
		put_names(out, text, text_length);
		return;
	}
	if (letter == 'X') {
		for (size_t i = strtoul(at, NULL, 10); i > 0; i--)
			ath_buffer_append(out, "\xff", 1);
		return;
	}
	type = letter == 'P'   ? FCGI_PARAMS
	       : letter == 'I' ? FCGI_STDIN
	       : letter == 'A' ? FCGI_ABORT_REQUEST
			       : (unsigned)strtoul(at, &at, 10);
	id = (unsigned)strtoul(letter == 'T' ? at + 1 : at, NULL, 10);
	put_padded(out, type, id, text, text_length, padding);
}

static void put_script(struct ath_buffer *out, const char *script)
{
	bytes_init(out);
	while (*script != '\0') {
		size_t length = strcspn(script, " ");

		put_word(out, script, length);
		script += length + (script[length] == ' ');
	}
}

/* ---- reading, and what it told ------------------------------------------------------------- */

/* The bytes are an allocation of their own, so that AddressSanitizer sees a read past them. */
struct reading {
	struct ath_fcgi_reader reader;
	struct ath_buffer params, body, told;
	bool over;
	int params_told; /* of the request under way */
};

static void tell_text(struct ath_buffer *told, const char *name, const struct ath_buffer *bytes)
{
	ath_buffer_printf(told, " %s=", name);
	if (bytes->failed)
		ath_buffer_string(told, "(too large)");
	else
		ath_buffer_append(told, bytes->data, bytes->length);
}

static void tell_reply(struct ath_buffer *told, const struct ath_fcgi_reader *reader)
{
	ath_buffer_string(told, "reply");
	assert_true(reader->reply_length >= 8 && reader->reply_length <= sizeof reader->reply);
	assert_int_equal(reader->reply_length - 8, reader->reply[4] << 8 | reader->reply[5]);
	for (size_t i = 0; i < reader->reply_length; i++) {
		unsigned char c = reader->reply[i];

		ath_buffer_printf(told, c >= 'A' && c <= 'Z' ? "%c" : i == 8 ? "|%d." : "%d.", c);
	}
}

static void tell(struct reading *reading, enum ath_fcgi_event event)
{
	struct ath_fcgi_reader *reader = &reading->reader;
	struct ath_buffer *told = &reading->told;

	if (event == ATH_FCGI_PARAMS) {
		reading->params_told++;
		return;
	}
	if (event == ATH_FCGI_REQUEST)
		assert_int_equal(reading->params_told, 1);
	if (event == ATH_FCGI_BEGIN)
		reading->params_told = 0;
	if (event == ATH_FCGI_BEGIN) {
		ath_buffer_printf(told, "begin %u%s", reader->id, reader->keep ? "k" : "");
	} else if (event == ATH_FCGI_REQUEST) {
		ath_buffer_printf(told, "request %u%s", reader->id, reader->keep ? "k" : "");
		tell_text(told, "params", &reading->params);
		tell_text(told, "body", &reading->body);
	} else if (event == ATH_FCGI_ABORT) {
		ath_buffer_printf(told, "abort %u%s", reader->id, reader->keep ? "k" : "");
	} else if (event == ATH_FCGI_REPLY) {
		tell_reply(told, reader);
	} else {
		ath_buffer_string(told, "bad");
	}
	ath_buffer_string(told, "; ");
}

static void new_buffers(struct reading *reading)
{
	ath_buffer_free(&reading->params);
	ath_buffer_free(&reading->body);
	ath_buffer_init(&reading->params, NULL, PARAMS);
	ath_buffer_init(&reading->body, NULL, BODY);
	reading->reader.params = &reading->params;
	reading->reader.body = &reading->body;
}

static void feed(struct reading *reading, const unsigned char *data, size_t length)
{
	unsigned char *copy = malloc(length > 0 ? length : 1);
	const unsigned char *at = copy;

	memcpy(copy, data, length);
	while (length > 0 && !reading->over) {
		size_t before = length;
		enum ath_fcgi_event event = ath_fcgi_read(&reading->reader, &at, &length);

		assert_true(length < before);
		if (event == ATH_FCGI_MORE) {
			assert_int_equal(length, 0);
			break;
		}
		tell(reading, event);
		if (event == ATH_FCGI_BEGIN)
			new_buffers(reading);
		reading->over = event == ATH_FCGI_BAD;
	}
	free(copy);
}

static void reading_begin(struct reading *reading)
{
	*reading = (struct reading){ .reader.max_connections = 1234 };
	bytes_init(&reading->told);
}

static void reading_end(struct reading *reading, const char *name, const char *expected)
{
	const char *told = ath_buffer_c_string(&reading->told);

	if (strcmp(told, expected) != 0)
		fail_msg("%s:\n%s\n%s", name, told, expected);
	ath_buffer_free(&reading->told);
	ath_buffer_free(&reading->params);
	ath_buffer_free(&reading->body);
}

/* ---- the rows ---------------------------------------------------------------------------------
 */

#define WHOLE     "request 1 params=abc body=xyz; "
#define KEPT      "begin 1k; request 1k params=abc body=xyz; "
#define SEND_KEPT "Bk1 P1:abc P1 I1:xyz I1"

static const struct row {
	const char *name, *script, *told;
} rows[] = {
	{ "nothing", "", "" },
	{ "a request", "B1 P1:abc P1 I1:xyz I1", "begin 1; " WHOLE },
	{ "kept", SEND_KEPT, KEPT },
	{ "one after another", SEND_KEPT " Bk7 P7:d P7 I7:e I7 B1 P1:abc P1 I1:xyz I1",
	  KEPT "begin 7k; request 7k params=d body=e; begin 1; " WHOLE },
	{ "the largest id", "B65535 P65535:a P65535 I65535",
	  "begin 65535; request 65535 params=a body=; " },
	{ "in many records", "B1 P1:a P1:b P1:c P1 I1:x I1:y I1:z I1", "begin 1; " WHOLE },
	{ "without parameters and body", "B1 P1 I1", "begin 1; request 1 params= body=; " },
	{ "padded", "B1 +1P1:ab +7P1:c +8P1 +255I1:xyz +3I1", "begin 1; " WHOLE },
	{ "padded, then another", "B1 P1:abc P1 I1:xyz +9I1 " SEND_KEPT, "begin 1; " WHOLE KEPT },
	{ "not whole: no end of the body", "B1 P1:abc P1 I1:xyz", "begin 1; " },
	{ "not whole: no end of the parameters", "B1 P1:abc", "begin 1; " },

	{ "parameters at their ceiling", "B1 P1:01234567890123456789 P1 I1",
	  "begin 1; request 1 params=01234567890123456789 body=; " },
	{ "parameters past it", "B1 P1:012345678901234567890 P1 I1:x I1 " SEND_KEPT,
	  "begin 1; request 1 params=(too large) body=x; " KEPT },
	{ "parameters past it in steps",
	  "B1 P1:0123456789 P1:0123456789 P1:0 P1:123 P1 I1:x I1 " SEND_KEPT,
	  "begin 1; request 1 params=(too large) body=x; " KEPT },
	{ "body at its ceiling", "B1 P1 I1:01234567 I1:89 I1",
	  "begin 1; request 1 params= body=0123456789; " },
	{ "body past it", "B1 P1:a P1 I1:0123456789 I1:0 I1:1 I1 " SEND_KEPT,
	  "begin 1; request 1 params=a body=(too large); " KEPT },
	{ "both past it", "B1 P1:012345678901234567890 P1 I1:01234567890 I1 " SEND_KEPT,
	  "begin 1; request 1 params=(too large) body=(too large); " KEPT },

	{ "abort in the parameters", "B1 P1:abc A1 " SEND_KEPT, "begin 1; abort 1; " KEPT },
	{ "abort in the body", "Bk1 P1:abc P1 I1:xy A1 " SEND_KEPT, "begin 1k; abort 1k; " KEPT },
	{ "abort with padding", "B1 +5A1", "begin 1; abort 1; " },
	{ "abort with content", "B1 T2.1:abc " SEND_KEPT, "begin 1; abort 1; " KEPT },
	{ "abort of nothing", "A1 A9 " SEND_KEPT, KEPT },
	{ "abort of another", "B1 P1:abc A2 P1 I1:xyz I1", "begin 1; " WHOLE },
	{ "abort of what was whole", SEND_KEPT " A1 " SEND_KEPT, KEPT KEPT },
	{ "what follows an abort", "B1 P1:abc A1 P1:d P1 I1:e I1", "begin 1; abort 1; " },

	{ "records of others", "P2:abc B1 P3:x P1:abc I3:xyz P3 P1 I1:xyz I2 T77.9:abc I1",
	  "begin 1; " WHOLE },
	{ "records after the end", SEND_KEPT " I1:x I1 P1:x P1", KEPT },
	{ "records before the first", "P1:abc P1 I1:xyz I1 " SEND_KEPT, KEPT },
	{ "a second request", "B1 P1:abc B2 P2:d P1 I2:e I1:xyz B3 I1",
	  "begin 1; reply1.3.0.2.0.8.0.0.|0.0.0.0.1.0.0.0.; "
	  "reply1.3.0.3.0.8.0.0.|0.0.0.0.1.0.0.0.; " WHOLE },
	{ "an authorizer", "Bka1 P1:abc P1 I1 " SEND_KEPT,
	  "reply1.3.0.1.0.8.0.0.|0.0.0.0.3.0.0.0.; " KEPT },
	{ "a filter of another id", "Bf513 " SEND_KEPT,
	  "reply1.3.2.1.0.8.0.0.|0.0.0.0.3.0.0.0.; " KEPT },

	{ "values", "G:FCGI_MPXS_CONNS,FCGI_MAX_CONNS",
	  "reply1.10.0.0.0.38.0.0.|15.1.FCGI95.MPXS95.CONNS48."
	  "14.4.FCGI95.MAX95.CONNS49.50.51.52.; " },
	{ "one more value", "G:FCGI_MAX_REQS",
	  "reply1.10.0.0.0.19.0.0.|13.4.FCGI95.MAX95.REQS49.50.51.52.; " },
	{ "values nobody knows", "G:FCGI_MAX,,FCGI_MAX_CONNSX", "reply1.10.0.0.0.0.0.0.; " },
	{ "no values", "G:", "reply1.10.0.0.0.0.0.0.; " },
	{ "values amid a request", "Bk1 P1:a G:x P1:bc P1 G:x I1:xyz I1",
	  "begin 1k; reply1.10.0.0.0.0.0.0.; reply1.10.0.0.0.0.0.0.; "
	  "request 1k params=abc body=xyz; " },
	{ "values cut off", "T9.0:\5", "reply1.10.0.0.0.0.0.0.; " },
	{ "values that reach past the end", "T9.0:\5\1abc", "bad; " },
	{ "values of long names", "T9.0:\200\1abc", "bad; " },
	{ "unknown type", "T99.0:abc " SEND_KEPT,
	  "reply1.11.0.0.0.8.0.0.|99.0.0.0.0.0.0.0.; " KEPT },
	{ "unknown type, empty", "+3T200.0 " SEND_KEPT,
	  "reply1.11.0.0.0.8.0.0.|200.0.0.0.0.0.0.0.; " KEPT },
	{ "parameters of request 0", "T4.0:abc", "reply1.11.0.0.0.8.0.0.|4.0.0.0.0.0.0.0.; " },

	{ "another version", "X8", "bad; " },
	{ "another version amid", "B1 P1:abc X8 P1 I1", "begin 1; bad; " },
	{ "request 0", "B0", "bad; " },
	{ "begun twice", "B1 P1:abc B1", "begin 1; bad; " },
	{ "body before the parameters", "B1 I1:xyz", "begin 1; bad; " },
	{ "body amid the parameters", "B1 P1:abc I1", "begin 1; bad; " },
	{ "parameters after their end", "B1 P1:abc P1 P1:d", "begin 1; bad; " },
	{ "parameters ended twice", "B1 P1:abc P1 P1", "begin 1; bad; " },
	{ "parameters after the body", "B1 P1:abc P1 I1:x P1:d", "begin 1; bad; " },
	{ "data, which only a filter gets", "B1 P1:abc P1 T8.1:x", "begin 1; bad; " },
	{ "unknown type of a request", "B1 T99.1:x", "begin 1; bad; " },
	{ "what only we may send", "B1 T3.1:xxxxxxxx", "begin 1; bad; " },
	{ "a short begin", "T1.1:xxxxxxx", "bad; " },
	{ "a long begin", "T1.1:xxxxxxxxx", "bad; " },
	{ "an empty begin", "T1.1", "bad; " },
	{ "a management record of 129 bytes",
	  "T9.0:"
	  "0123456789012345678901234567890123456789012345678901234567890123456789"
	  "01234567890123456789012345678901234567890123456789012345678",
	  "bad; " },
	{ "a body that holds records, and its end", "B1 P1:a P1 I1:\1\1\1\1\1 I1 " SEND_KEPT,
	  "begin 1; request 1 params=a body=\1\1\1\1\1; " KEPT },
};

/* ---- in every kind of piece -------------------------------------------------------------------
 */

static void read_whole(const struct row *row, const struct ath_buffer *bytes)
{
	struct reading reading;

	reading_begin(&reading);
	feed(&reading, (const unsigned char *)bytes->data, bytes->length);
	reading_end(&reading, row->name, row->told);
}

static void read_in_two(const struct row *row, const struct ath_buffer *bytes)
{
	const unsigned char *data = (const unsigned char *)bytes->data;

	for (size_t cut = 0; cut <= bytes->length; cut++) {
		struct reading reading;

		reading_begin(&reading);
		feed(&reading, data, cut);
		feed(&reading, data + cut, bytes->length - cut);
		reading_end(&reading, row->name, row->told);
	}
}

/* most 1: byte by byte */
static void read_in_pieces(const struct row *row, const struct ath_buffer *bytes, size_t most)
{
	const unsigned char *at = (const unsigned char *)bytes->data;
	size_t left = bytes->length;
	struct reading reading;

	reading_begin(&reading);
	while (left > 0) {
		size_t piece = 1 + next_random() % most;

		piece = piece < left ? piece : left;
		feed(&reading, at, piece);
		at += piece;
		left -= piece;
	}
	reading_end(&reading, row->name, row->told);
}

static void every_row_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct ath_buffer bytes;

		put_script(&bytes, rows[i].script);
		if (bytes.length > 0) {
			read_whole(&rows[i], &bytes);
			read_in_two(&rows[i], &bytes);
			read_in_pieces(&rows[i], &bytes, 1);
		}
		for (int cut = 0; cut < RANDOM_CUTS; cut++)
			read_in_pieces(&rows[i], &bytes, 12);
		ath_buffer_free(&bytes);
	}
}

/* ---- records of the largest size --------------------------------------------------------------
 */

static void the_largest_records_are_taken_or_swallowed(void **state)
{
	struct ath_buffer bytes;
	struct reading reading;
	char *content = malloc(LARGEST_RECORD);

	(void)state;
	memset(content, 1, LARGEST_RECORD);
	bytes_init(&bytes);
	put_begin(&bytes, 1, FCGI_RESPONDER, true);
	put_padded(&bytes, FCGI_PARAMS, 1, content, LARGEST_RECORD, 255);
	put_record(&bytes, FCGI_PARAMS, 1, NULL, 0);
	put_padded(&bytes, FCGI_STDIN, 1, content, LARGEST_RECORD, 255);
	put_padded(&bytes, FCGI_STDIN, 2, content, LARGEST_RECORD, 255);
	put_record(&bytes, FCGI_STDIN, 1, NULL, 0);
	put_begin(&bytes, 2, FCGI_RESPONDER, false);
	put_record(&bytes, FCGI_PARAMS, 2, NULL, 0);
	put_record(&bytes, FCGI_STDIN, 2, NULL, 0);
	reading_begin(&reading);
	feed(&reading, (const unsigned char *)bytes.data, bytes.length);
	reading_end(&reading, "largest records",
		    "begin 1k; request 1k params=(too large) body=(too large); "
		    "begin 2; request 2 params= body=; ");
	ath_buffer_free(&bytes);
	free(content);
}

/* As many questions as fit in the longest record that is read: no more answers than fit. */
static void values_never_overflow_the_reply(void **state)
{
	static const char *const names[] = { "FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(names); i++) {
		struct ath_buffer bytes, list;
		struct reading reading;

		bytes_init(&list);
		for (size_t at = 0; at + 2 + strlen(names[i]) <= 128; at += 2 + strlen(names[i]))
			ath_buffer_printf(&list, "%s,", names[i]);
		bytes_init(&bytes);
		put_names(&bytes, list.data, list.length);
		reading_begin(&reading);
		reading.reader.max_connections = UINT16_MAX;
		feed(&reading, (const unsigned char *)bytes.data, bytes.length);
		assert_memory_equal(reading.told.data, "reply", 5);
		ath_buffer_free(&reading.told);
		ath_buffer_free(&bytes);
		ath_buffer_free(&list);
	}
}

/* ---- what is put together
 * ------------------------------------------------------------------------ */

static void records_are_put_together(void **state)
{
	static const unsigned char header[] = { 1, 6, 0x12, 0x34, 0xff, 0xf8, 0, 0 };
	static const unsigned char trailer[] = { 1, 6, 0x12, 0x34, 0, 0, 0, 0, 1, 3, 0x12, 0x34,
						 0, 8, 0,    0,    0, 0, 0, 0, 0, 0, 0,    0 };
	unsigned char got[ATH_FCGI_TRAILER];

	(void)state;
	ath_fcgi_put_header(got, 0x1234, ATH_FCGI_MAX_CONTENT);
	assert_memory_equal(got, header, sizeof header);
	ath_fcgi_put_trailer(got, 0x1234);
	assert_memory_equal(got, trailer, sizeof trailer);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_in_any_pieces),
		cmocka_unit_test(the_largest_records_are_taken_or_swallowed),
		cmocka_unit_test(values_never_overflow_the_reply),
		cmocka_unit_test(records_are_put_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
