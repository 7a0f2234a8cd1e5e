/*
 * fcgi_records.c - the FastCGI record reader: a state machine over bytes, so that a record
 * may arrive in any pieces. It trusts nothing: unknown versions and records out of order are
 * ATH_FCGI_BAD, records of other requests are swallowed.
 *
 * The layouts and numbers are those of libfcgi's <fastcgi.h>.
 */
#include <fastcgi.h>
#include <string.h>

#include "base/internal.h"
#include "web/fcgi_records.h"

static void put_header(unsigned char *at, unsigned char type, uint16_t id, uint16_t content)
{
	FCGI_Header header = { .version = FCGI_VERSION_1,
			       .type = type,
			       .requestIdB1 = (unsigned char)(id >> 8),
			       .requestIdB0 = (unsigned char)id,
			       .contentLengthB1 = (unsigned char)(content >> 8),
			       .contentLengthB0 = (unsigned char)content };

	_Static_assert(sizeof header == ATH_FCGI_HEADER, "a record's header");
	memcpy(at, &header, sizeof header);
}

void ath_fcgi_put_header(unsigned char *at, uint16_t id, uint16_t content)
{
	put_header(at, FCGI_STDOUT, id, content);
}

static void put_end(unsigned char *at, uint16_t id, unsigned char protocol_status)
{
	FCGI_EndRequestBody body = { .protocolStatus = protocol_status };

	put_header(at, FCGI_END_REQUEST, id, sizeof body);
	memcpy(at + ATH_FCGI_HEADER, &body, sizeof body);
}

void ath_fcgi_put_trailer(unsigned char *at, uint16_t id)
{
	put_header(at, FCGI_STDOUT, id, 0);
	put_end(at + ATH_FCGI_HEADER, id, FCGI_REQUEST_COMPLETE);
}

void ath_fcgi_put_break(unsigned char *at, uint16_t id)
{
	put_header(at, FCGI_STDOUT, id, 0);
	*at = 0; /* the version */
}

/* ---- what is answered at once ---------------------------------------------------------------- */

static enum ath_fcgi_event reply_end(struct ath_fcgi_reader *reader, uint16_t id,
				     unsigned char protocol_status)
{
	put_end(reader->reply, id, protocol_status);
	reader->reply_length = ATH_FCGI_HEADER + sizeof(FCGI_EndRequestBody);
	return ATH_FCGI_REPLY;
}

static enum ath_fcgi_event reply_unknown_type(struct ath_fcgi_reader *reader, unsigned char type)
{
	FCGI_UnknownTypeBody body = { .type = type };

	put_header(reader->reply, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, sizeof body);
	memcpy(reader->reply + ATH_FCGI_HEADER, &body, sizeof body);
	reader->reply_length = ATH_FCGI_HEADER + sizeof body;
	return ATH_FCGI_REPLY;
}

/* Adds name and value to the reply, when name was asked for. Both are short. */
static void answer_value(struct ath_fcgi_reader *reader, struct ath_text asked, const char *name,
			 const char *value)
{
	size_t name_length = strlen(name), value_length = strlen(value);
	unsigned char *at = reader->reply + reader->reply_length;

	if (!ath_text_is(asked, name) ||
	    reader->reply_length + 2 + name_length + value_length > sizeof reader->reply)
		return;
	*at++ = (unsigned char)name_length;
	*at++ = (unsigned char)value_length;
	memcpy(at, name, name_length);
	memcpy(at + name_length, value, value_length);
	reader->reply_length += 2 + name_length + value_length;
}

static enum ath_fcgi_event reply_values(struct ath_fcgi_reader *reader)
{
	const unsigned char *at = reader->small, *end = at + reader->small_have;
	char connections[8];
	size_t digits = sizeof connections - 1;

	connections[digits] = '\0';
	for (unsigned rest = reader->max_connections; rest > 0 || digits == sizeof connections - 1;
	     rest /= 10)
		connections[--digits] = (char)('0' + rest % 10);
	reader->reply_length = ATH_FCGI_HEADER;
	while (end - at >= 2) {
		struct ath_text name = { (const char *)at + 2, at[0] };
		size_t whole = 2 + (size_t)at[0] + at[1];

		if (at[0] > 127 || at[1] > 127 || whole > (size_t)(end - at))
			return ATH_FCGI_BAD;
		answer_value(reader, name, FCGI_MAX_CONNS, connections + digits);
		answer_value(reader, name, FCGI_MAX_REQS, connections + digits);
		answer_value(reader, name, FCGI_MPXS_CONNS, "0");
		at += whole;
	}
	put_header(reader->reply, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID,
		   (uint16_t)(reader->reply_length - ATH_FCGI_HEADER));
	return ATH_FCGI_REPLY;
}

/* ---- records -------------------------------------------------------------------------------- */

static unsigned char record_type(const struct ath_fcgi_reader *reader)
{
	return reader->header[1];
}

static uint16_t record_id(const struct ath_fcgi_reader *reader)
{
	return (uint16_t)(reader->header[2] << 8 | reader->header[3]);
}

static uint16_t record_length(const struct ath_fcgi_reader *reader)
{
	return (uint16_t)(reader->header[4] << 8 | reader->header[5]);
}

/* Is it a record of the request under way? */
static bool is_ours(const struct ath_fcgi_reader *reader)
{
	return reader->active && record_id(reader) == reader->id;
}

/* Records whose content is looked at as a whole. */
static bool is_small(const struct ath_fcgi_reader *reader)
{
	return record_type(reader) == FCGI_BEGIN_REQUEST ||
	       record_id(reader) == FCGI_NULL_REQUEST_ID;
}

/* The header is whole: may the record stand here? */
static bool header_is_good(const struct ath_fcgi_reader *reader)
{
	unsigned char type = record_type(reader);

	if (reader->header[0] != FCGI_VERSION_1)
		return false;
	if (is_small(reader))
		return record_length(reader) <= sizeof reader->small;
	if (!is_ours(reader))
		return true; /* of a request we do not have: ignored */
	if (type == FCGI_PARAMS)
		return !reader->params_ended;
	if (type == FCGI_STDIN)
		return reader->params_ended;
	return type == FCGI_ABORT_REQUEST;
}

static void take_content(struct ath_fcgi_reader *reader, const unsigned char *data, size_t length)
{
	if (is_small(reader)) {
		memcpy(reader->small + reader->small_have, data, length);
		reader->small_have = (unsigned char)(reader->small_have + length);
	} else if (is_ours(reader) && record_type(reader) == FCGI_PARAMS) {
		ath_buffer_append(reader->params, data, length);
	} else if (is_ours(reader) && record_type(reader) == FCGI_STDIN) {
		ath_buffer_append(reader->body, data, length);
	}
}

static enum ath_fcgi_event begin(struct ath_fcgi_reader *reader)
{
	FCGI_BeginRequestBody body;
	uint16_t id = record_id(reader);

	if (id == FCGI_NULL_REQUEST_ID || record_length(reader) != sizeof body)
		return ATH_FCGI_BAD;
	if (reader->active)
		return id == reader->id ? ATH_FCGI_BAD : reply_end(reader, id, FCGI_CANT_MPX_CONN);
	memcpy(&body, reader->small, sizeof body);
	if ((body.roleB1 << 8 | body.roleB0) != FCGI_RESPONDER)
		return reply_end(reader, id, FCGI_UNKNOWN_ROLE);
	reader->id = id;
	reader->keep = (body.flags & FCGI_KEEP_CONN) != 0;
	reader->active = true;
	reader->params_ended = false;
	return ATH_FCGI_BEGIN;
}

/* The record has come whole, padding included. */
static enum ath_fcgi_event record_done(struct ath_fcgi_reader *reader)
{
	unsigned char type = record_type(reader);

	if (type == FCGI_BEGIN_REQUEST)
		return begin(reader);
	if (record_id(reader) == FCGI_NULL_REQUEST_ID)
		return type == FCGI_GET_VALUES ? reply_values(reader)
					       : reply_unknown_type(reader, type);
	if (!is_ours(reader))
		return ATH_FCGI_MORE;
	if (type == FCGI_ABORT_REQUEST) {
		reader->active = false;
		return ATH_FCGI_ABORT;
	}
	if (record_length(reader) > 0)
		return ATH_FCGI_MORE;
	if (type == FCGI_PARAMS) {
		reader->params_ended = true;
		return ATH_FCGI_PARAMS;
	}
	reader->active = false; /* the end of FCGI_STDIN */
	return ATH_FCGI_REQUEST;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static enum ath_fcgi_event take_header(struct ath_fcgi_reader *reader, const unsigned char **data,
				       size_t *length)
{
	size_t step = smaller(*length, ATH_FCGI_HEADER - (size_t)reader->header_have);

	memcpy(reader->header + reader->header_have, *data, step);
	reader->header_have = (unsigned char)(reader->header_have + step);
	*data += step;
	*length -= step;
	if (reader->header_have < ATH_FCGI_HEADER)
		return ATH_FCGI_MORE;
	if (!header_is_good(reader))
		return ATH_FCGI_BAD;
	reader->content_left = record_length(reader);
	reader->padding_left = reader->header[6];
	reader->small_have = 0;
	reader->in_record = true;
	return ATH_FCGI_MORE;
}

enum ath_fcgi_event ath_fcgi_read(struct ath_fcgi_reader *reader, const unsigned char **data,
				  size_t *length)
{
	enum ath_fcgi_event event = ATH_FCGI_MORE;

	while (event == ATH_FCGI_MORE && *length > 0) {
		size_t content, padding;

		if (!reader->in_record) {
			event = take_header(reader, data, length);
			if (!reader->in_record)
				continue;
		}
		content = smaller(*length, reader->content_left);
		take_content(reader, *data, content);
		padding = smaller(*length - content, reader->padding_left);
		reader->content_left = (uint16_t)(reader->content_left - content);
		reader->padding_left = (unsigned char)(reader->padding_left - padding);
		*data += content + padding;
		*length -= content + padding;
		if (reader->content_left == 0 && reader->padding_left == 0) {
			reader->in_record = false;
			reader->header_have = 0;
			event = record_done(reader);
		}
	}
	return event;
}
