/* url.c - percent-encoding and back, and the URLs of routes. */
#include "web/internal.h"
#include "web/path_types.h"

size_t ath_percent_decode(struct ath_text text, bool plus, char *out)
{
	size_t length = 0;

	for (size_t i = 0; i < text.length; i++) {
		char byte = text.data[i];

		if (byte == '%') {
			int high = text.length - i > 2 ? ath_hex_digit(text.data[i + 1]) : -1;
			int low = text.length - i > 2 ? ath_hex_digit(text.data[i + 2]) : -1;

			if (high < 0 || low < 0)
				return SIZE_MAX;
			byte = (char)(high << 4 | low);
			i += 2;
		} else if (byte == '+' && plus) {
			byte = ' ';
		}
		if (byte == '\0')
			return SIZE_MAX;
		out[length++] = byte;
	}
	return ath_utf8_valid(out, length) ? length : SIZE_MAX;
}

void ath_percent_encode(struct ath_buffer *out, struct ath_text text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.length; i++) {
		unsigned char byte = (unsigned char)text.data[i];
		char lower = (char)(byte | 0x20);
		bool plain = (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') ||
			     byte == '-' || byte == '.' || byte == '_' || byte == '~';
		char escaped[] = { '%', digits[byte >> 4], digits[byte & 15] };

		if (plain)
			ath_buffer_append(out, &byte, 1);
		else
			ath_buffer_append(out, escaped, sizeof escaped);
	}
}

/* ---- URLs of routes ----------------------------------------------------------------------- */

struct making {
	struct ath_request *request;
	const struct ath_leaf *leaf;
	const struct ath_url_part *parts;
	size_t count;
	struct ath_buffer url;
};

static void put_part(struct ath_buffer *url, const struct ath_url_part *part, bool slashes)
{
	struct ath_text rest, segment;

	if (part->text == NULL) {
		ath_buffer_int64(url, part->number);
		return;
	}
	rest = ath_text(part->text);
	while (slashes && memchr(rest.data, '/', rest.length) != NULL) {
		segment = (struct ath_text){ rest.data, strcspn(rest.data, "/") };
		ath_percent_encode(url, segment);
		ath_buffer_append(url, "/", 1);
		rest.data += segment.length + 1;
		rest.length -= segment.length + 1;
	}
	ath_percent_encode(url, rest);
}

static const struct ath_url_part *part_named(const struct making *making, struct ath_text name)
{
	for (size_t i = 0; i < making->count; i++)
		if (ath_text_is(name, making->parts[i].name))
			return &making->parts[i];
	return NULL;
}

/* Would the route find its way back to this value? */
static bool fits(const struct ath_path_type *type, const struct ath_url_part *part)
{
	struct ath_capture capture;

	if (part == NULL)
		return false;
	if (part->text != NULL)
		return *part->text != '\0' &&
		       ath_path_type_read(type, ath_text(part->text), &capture);
	return true;
}

static bool put_path(struct making *making)
{
	struct ath_text path = ath_text(making->leaf->path), segment;
	size_t captures = 0;

	while (ath_next_segment(&path, &segment)) {
		const struct ath_path_type *type;
		const struct ath_url_part *part;
		struct ath_text name, text;

		ath_buffer_append(&making->url, "/", 1);
		if (segment.data[0] != '<') {
			ath_buffer_append(&making->url, segment.data, segment.length);
			continue;
		}
		name = making->leaf->names[captures++];
		text = (struct ath_text){ name.data + name.length + 1,
					  segment.length - name.length - 3 };
		type = ath_path_type_named(segment.length == name.length + 2 ? ath_text("str")
									     : text);
		part = part_named(making, name);
		if (!fits(type, part)) {
			ath_request_fail(
				making->request,
				ath_problem(making->request, 500, "no value for a part of a URL"));
			return false;
		}
		put_part(&making->url, part, ath_path_type_is_rest(type));
	}
	if (making->url.length == 0)
		ath_buffer_append(&making->url, "/", 1);
	return true;
}

static bool is_capture(const struct ath_leaf *leaf, const char *name)
{
	for (size_t i = 0; i < leaf->name_count; i++)
		if (ath_text_is(leaf->names[i], name))
			return true;
	return false;
}

const char *ath_url_make(struct ath_request *request, const char *route,
			 const struct ath_url_part *parts, size_t count)
{
	struct making making = { .request = request, .parts = parts, .count = count };
	char before = '?';

	making.leaf = ath_router_named(request->web->router, route);
	if (making.leaf == NULL || making.leaf->ambiguous) {
		ath_request_fail(
			request,
			ath_problem(request, 500,
				    making.leaf == NULL
					    ? "there is no route called %s"
					    : "two handlers are called %s: give one a .name",
				    route));
		return "";
	}
	ath_buffer_init(&making.url, request->arena, ATH_MAX_URI + 1);
	if (!put_path(&making))
		return "";
	for (size_t i = 0; i < count; i++) {
		if (is_capture(making.leaf, parts[i].name))
			continue;
		ath_buffer_append(&making.url, &before, 1);
		ath_percent_encode(&making.url, ath_text(parts[i].name));
		ath_buffer_append(&making.url, "=", 1);
		put_part(&making.url, &parts[i], false);
		before = '&';
	}
	return ath_buffer_c_string(&making.url);
}
