/* fcgi_put.h - what the web server sends: FastCGI's records, put together byte for byte. */
#ifndef TESTS_FCGI_PUT_H
#define TESTS_FCGI_PUT_H

#include <fastcgi.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

enum { LARGEST_RECORD = 65535 };

/* ---- records ----------------------------------------------------------------------------- */

static inline void bytes_init(struct ath_buffer *bytes)
{
	ath_buffer_init(bytes, NULL, SIZE_MAX / 2);
}

static inline void put_header(struct ath_buffer *out, unsigned type, unsigned id, size_t content,
			      unsigned padding)
{
	unsigned char header[8] = {
		FCGI_VERSION_1,         (unsigned char)type,           (unsigned char)(id >> 8),
		(unsigned char)id,      (unsigned char)(content >> 8), (unsigned char)content,
		(unsigned char)padding,
	};

	ath_buffer_append(out, header, sizeof header);
}

static inline void put_padded(struct ath_buffer *out, unsigned type, unsigned id, const void *data,
			      size_t length, unsigned padding)
{
	static const unsigned char junk[255] = { 1, 1, 0, 1, 0, 8, 0, 0, 0xff };

	put_header(out, type, id, length, padding);
	ath_buffer_append(out, data, length);
	ath_buffer_append(out, junk, padding);
}

static inline void put_record(struct ath_buffer *out, unsigned type, unsigned id, const void *data,
			      size_t length)
{
	put_padded(out, type, id, data, length, 0);
}

static inline void put_begin(struct ath_buffer *out, unsigned id, unsigned role, bool keep)
{
	unsigned char body[8] = { (unsigned char)(role >> 8), (unsigned char)role,
				  keep ? FCGI_KEEP_CONN : 0 };

	put_record(out, FCGI_BEGIN_REQUEST, id, body, sizeof body);
}

/* The data in as many records as it takes, without the empty one at the end. */
static inline void put_stream(struct ath_buffer *out, unsigned type, unsigned id, const void *data,
			      size_t length)
{
	const char *at = data;

	while (length > 0) {
		size_t piece = length < LARGEST_RECORD ? length : LARGEST_RECORD;

		put_padded(out, type, id, at, piece, (unsigned)(-piece & 7));
		at += piece;
		length -= piece;
	}
}

/* ---- name-value pairs ---------------------------------------------------------------------- */

static inline void put_pair_length(struct ath_buffer *out, size_t length)
{
	unsigned char four[4] = { (unsigned char)(length >> 24 | 0x80),
				  (unsigned char)(length >> 16), (unsigned char)(length >> 8),
				  (unsigned char)length };

	ath_buffer_append(out, length < 0x80 ? four + 3 : four, length < 0x80 ? 1 : 4);
}

static inline void put_pair_bytes(struct ath_buffer *out, const char *name, const void *value,
				  size_t length)
{
	put_pair_length(out, strlen(name));
	put_pair_length(out, length);
	ath_buffer_string(out, name);
	ath_buffer_append(out, value, length);
}

static inline void put_pair(struct ath_buffer *out, const char *name, const char *value)
{
	put_pair_bytes(out, name, value, strlen(value));
}

/* What nginx says of every request; the query is what follows the '?'. */
static inline void put_usual_pairs(struct ath_buffer *out, const char *method, const char *uri)
{
	const char *query = strchr(uri, '?');

	put_pair(out, "REQUEST_METHOD", method);
	put_pair(out, "REQUEST_URI", uri);
	put_pair(out, "QUERY_STRING", query == NULL ? "" : query + 1);
	put_pair(out, "REQUEST_ID", "the-id");
}

/* ---- whole requests ------------------------------------------------------------------------- */

/* What a request is made of; zero is a GET that is not kept, with a body of no bytes. */
struct made_request {
	const char *method, *uri, *content_length;
	const void *body;
	size_t body_length, more_params;
	unsigned id;
	bool keep;
};

static inline void put_request(struct ath_buffer *out, const struct made_request *made)
{
	unsigned id = made->id == 0 ? 1 : made->id;
	struct ath_buffer params;

	bytes_init(&params);
	put_usual_pairs(&params, made->method == NULL ? "GET" : made->method, made->uri);
	if (made->content_length != NULL)
		put_pair(&params, "CONTENT_LENGTH", made->content_length);
	if (made->more_params > 0) {
		char *filler = calloc(made->more_params, 1);

		put_pair_bytes(&params, "HTTP_FILLER", memset(filler, 'f', made->more_params),
			       made->more_params);
		free(filler);
	}
	put_begin(out, id, FCGI_RESPONDER, made->keep);
	put_stream(out, FCGI_PARAMS, id, params.data, params.length);
	put_record(out, FCGI_PARAMS, id, NULL, 0);
	put_stream(out, FCGI_STDIN, id, made->body, made->body_length);
	put_record(out, FCGI_STDIN, id, NULL, 0);
	ath_buffer_free(&params);
}

#endif
