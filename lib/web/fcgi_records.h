/*
 * fcgi_records.h - FastCGI's records taken apart and put together: no I/O, no memory of its
 * own but the caller's buffers.
 */
#ifndef ATH_WEB_FCGI_RECORDS_H
#define ATH_WEB_FCGI_RECORDS_H

#include "base/base.h"

enum ath_fcgi_event {
	ATH_FCGI_MORE,    /* all bytes are taken; feed more */
	ATH_FCGI_BEGIN,   /* a request starts: give it buffers before reading on */
	ATH_FCGI_PARAMS,  /* the parameters have come whole; the body follows */
	ATH_FCGI_REQUEST, /* the body too */
	ATH_FCGI_ABORT,   /* the request under way is taken back */
	ATH_FCGI_REPLY,   /* send reader->reply and read on */
	ATH_FCGI_BAD,     /* no FastCGI: close the connection */
};

enum {
	ATH_FCGI_HEADER = 8,
	ATH_FCGI_TRAILER = 24,
	ATH_FCGI_MAX_CONTENT = 65528,
	ATH_FCGI_MAX_REPLY = 256
};

/*
 * The state between two reads. What a ceiling cuts off is swallowed, not stored: the buffer
 * says that it failed, and the next request starts where it should.
 */
struct ath_fcgi_reader {
	struct ath_buffer *params, *body; /* the caller's, of the request under way */
	unsigned char header[ATH_FCGI_HEADER];
	unsigned char small[128];  /* content of a record that is read whole */
	unsigned char small_have;  /* bytes in it */
	unsigned char header_have; /* of 8 */
	unsigned char padding_left;
	uint16_t content_left;
	uint16_t id; /* of the request under way */
	bool active, keep, params_ended, in_record;
	uint16_t max_connections; /* what FCGI_GET_VALUES is told */
	unsigned char reply[ATH_FCGI_MAX_REPLY];
	size_t reply_length;
};

/*
 * Takes bytes from *data until there is an event; both are moved on. After ATH_FCGI_REQUEST
 * the request is no longer under way, but id and keep still speak of it.
 */
enum ath_fcgi_event ath_fcgi_read(struct ath_fcgi_reader *reader, const unsigned char **data,
				  size_t *length);

/* The header of an FCGI_STDOUT record. */
void ath_fcgi_put_header(unsigned char *at, uint16_t id, uint16_t content);
/* The end of FCGI_STDOUT and of the request: ATH_FCGI_TRAILER bytes. */
void ath_fcgi_put_trailer(unsigned char *at, uint16_t id);
/*
 * Instead of the trailer: ATH_FCGI_HEADER bytes of no version of the protocol. nginx takes an
 * answer of unknown length for complete when the connection merely ends, but passes this on as a
 * failure: the client's chunked body then has no end.
 */
void ath_fcgi_put_break(unsigned char *at, uint16_t id);

#endif
