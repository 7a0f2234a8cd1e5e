/*
 * json_reader.c - one pass over a JSON text that checks it and leaves tokens.
 *
 * There is no recursion: the open arrays and objects stand in a small stack of token
 * indexes, and the loop in read_all() is told by each step whether a value is due next or
 * whatever may stand behind one. An object's names are compared when it closes, without
 * extra memory: in a large object they are sorted as a list that is threaded through the
 * next members of the name tokens, which are put right afterwards.
 */
#include "base/internal.h"
#include "web/json.h"

/*
 * MAX_TOKENS keeps an element count within its 28 bits. The growth is by two at first, so
 * that a small body stays in the arena's first block, and by four later, because each move
 * leaves the old array behind.
 */
enum { FIRST_TOKENS = 64, MANY_TOKENS = 1024, MAX_TOKENS = (1 << 28) - 1 };

/* Up to this many names each is compared with each: quicker than sorting. */
enum { FEW_NAMES = 16 };

/* In place of a character, from take_escape() and next_byte(). */
enum { BAD_ESCAPE = -1, LONE_SURROGATE = -2, NO_MORE = -1 };

static const uint64_t ones = 0x0101010101010101ULL;

struct reader {
	const char *text, *at, *end;
	struct ath_json_token *tokens;
	uint32_t count, capacity;
	uint32_t depth, open[ATH_JSON_MAX_DEPTH]; /* tokens of what is open, outermost first */
	struct ath_arena *arena;
	struct ath_error *error;
	enum ath_status status;
};

/* ---- errors ------------------------------------------------------------------------------ */

static bool fail(struct reader *r, enum ath_status status, const char *at, const char *what)
{
	r->status =
		ath_error_set(r->error, status, "at byte %zu: %s", (size_t)(at - r->text), what);
	return false;
}

static bool invalid(struct reader *r, const char *what)
{
	return fail(r, ATH_EINVAL, r->at, what);
}

static bool expected(struct reader *r, const char *what)
{
	r->status = ath_error_set(r->error, ATH_EINVAL, "at byte %zu: %s%s was expected",
				  (size_t)(r->at - r->text),
				  r->at == r->end ? "the text ends where " : "", what);
	return false;
}

/* ---- tokens ------------------------------------------------------------------------------ */

static bool grow_tokens(struct reader *r)
{
	/* A value of n tokens has 2n - 1 bytes or more, since each token but the first brings
	 * a comma, a colon or the bracket that closes; only an open one is yet without it. */
	size_t most = (size_t)(r->end - r->text) / 2 + ATH_JSON_MAX_DEPTH;
	size_t capacity = (size_t)r->capacity * (r->capacity < MANY_TOKENS ? 2 : 4);
	struct ath_json_token *tokens;

	if (capacity == 0)
		capacity = FIRST_TOKENS;
	if (capacity > most)
		capacity = most;
	if (capacity > MAX_TOKENS)
		capacity = MAX_TOKENS;
	if (capacity <= r->capacity)
		return fail(r, ATH_ETOOBIG, r->at, "too many values");
	tokens = ath_arena_grow(r->arena, r->tokens, r->capacity * sizeof *tokens,
				capacity * sizeof *tokens);
	if (tokens == NULL)
		return fail(r, ATH_ENOMEM, r->at, "no memory for more values");
	r->tokens = tokens;
	r->capacity = (uint32_t)capacity;
	return true;
}

/* A token for what lies between start and r->at. */
static bool add_token(struct reader *r, enum ath_json_type type, const char *start)
{
	if (r->count == r->capacity && !grow_tokens(r))
		return false;
	r->tokens[r->count] = (struct ath_json_token){
		.start = (uint32_t)(start - r->text),
		.length = (uint32_t)(r->at - start),
		.next = r->count + 1,
		.type = type & 7,
	};
	r->count++;
	return true;
}

/* ---- escapes ----------------------------------------------------------------------------- */

/* The number in \uXXXX at the front of at, or -1. */
static int32_t hex_escape(const char *at, const char *end)
{
	int32_t value = 0;

	if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = ath_hex_digit(at[i]);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* Moves *at behind a \u escape, or a pair of them that are surrogates: the code point. */
static int32_t take_unicode(const char **at, const char *end)
{
	int32_t high = hex_escape(*at, end), low;

	if (high < 0)
		return BAD_ESCAPE;
	if (high < 0xd800 || high > 0xdfff) {
		*at += 6;
		return high;
	}
	low = hex_escape(*at + 6, end);
	if (high > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return LONE_SURROGATE;
	*at += 12;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* Moves *at, which is at a backslash, behind the escape: the code point it stands for. */
static int32_t take_escape(const char **at, const char *end)
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *letter;

	if (end - *at < 2)
		return BAD_ESCAPE;
	if ((*at)[1] == 'u')
		return take_unicode(at, end);
	letter = memchr(letters, (*at)[1], sizeof letters - 1);
	if (letter == NULL)
		return BAD_ESCAPE;
	*at += 2;
	return meanings[letter - letters];
}

static int put_utf8(int32_t c, unsigned char bytes[4])
{
	int length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (int i = length - 1; i > 0; i--, c >>= 6)
		bytes[i] = (unsigned char)(0x80 | (c & 0x3f));
	bytes[0] = (unsigned char)(leads[length] | c);
	return length;
}

/* The bytes of a string that has been checked, one by one and unescaped. */
struct unescaped {
	const char *at, *end;
	unsigned char bytes[4]; /* of the newest escape, those from used on still to come */
	int used, length;
};

static struct unescaped unescaped(const char *text, const struct ath_json_token *token)
{
	return (struct unescaped){ .at = text + token->start,
				   .end = text + token->start + token->length };
}

static int next_byte(struct unescaped *from)
{
	if (from->used < from->length)
		return from->bytes[from->used++];
	if (from->at == from->end)
		return NO_MORE;
	if (*from->at != '\\')
		return (unsigned char)*from->at++;
	from->length = put_utf8(take_escape(&from->at, from->end), from->bytes);
	from->used = 1;
	return from->bytes[0];
}

/* ---- strings ----------------------------------------------------------------------------- */

/* Printable ASCII without the quote and the backslash. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/*
 * Are all the eight bytes plain? A subtraction sets the top bit of a byte that is too
 * small; what it borrows can only make a byte above one that is not plain look bad too.
 */
static bool are_plain(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return ((word | (word - ones * 0x20) | ((word ^ ones * '"') - ones) |
		 ((word ^ ones * '\\') - ones)) &
		ones * 0x80) == 0;
}

static void skip_plain(struct reader *r)
{
	const char *at = r->at;

	while (r->end - at >= 8 && are_plain(at))
		at += 8;
	while (at < r->end && is_plain((unsigned char)*at))
		at++;
	r->at = at;
}

static bool check_escape(struct reader *r)
{
	int32_t c = take_escape(&r->at, r->end);

	if (c == LONE_SURROGATE)
		return invalid(r, "half of a surrogate pair");
	return c >= 0 || invalid(r, "not an escape");
}

static bool check_utf8(struct reader *r)
{
	size_t step;

	if ((unsigned char)*r->at < 0x20)
		return invalid(r, "a control character in a string");
	do {
		step = ath_utf8_sequence(r->at, (size_t)(r->end - r->at));
		if (step == 0)
			return invalid(r, "not UTF-8");
		r->at += step;
	} while (r->at < r->end && (unsigned char)*r->at >= 0x80);
	return true;
}

static bool read_string(struct reader *r)
{
	const char *start = ++r->at;
	bool escaped = false;

	for (skip_plain(r); r->at < r->end && *r->at != '"'; skip_plain(r)) {
		bool escape = *r->at == '\\';

		if (!(escape ? check_escape(r) : check_utf8(r)))
			return false;
		escaped |= escape;
	}
	if (r->at == r->end)
		return fail(r, ATH_EINVAL, start - 1, "a string that does not end");
	if (!add_token(r, ATH_JSON_STRING, start))
		return false;
	r->tokens[r->count - 1].escaped = escaped;
	r->at++;
	return true;
}

/* ---- names ------------------------------------------------------------------------------- */

/* By the unescaped bytes, in time of the shorter one. */
static int compare_names(const char *text, const struct ath_json_token *a,
			 const struct ath_json_token *b)
{
	struct unescaped left, right;
	int c, d;

	if (!a->escaped && !b->escaped) {
		size_t common = a->length < b->length ? a->length : b->length;
		int order = memcmp(text + a->start, text + b->start, common);

		return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
	}
	left = unescaped(text, a);
	right = unescaped(text, b);
	do {
		c = next_byte(&left);
		d = next_byte(&right);
	} while (c == d && c != NO_MORE);
	return c - d;
}

static bool same_name(const char *text, const struct ath_json_token *a,
		      const struct ath_json_token *b)
{
	if (!a->escaped && !b->escaped && a->length != b->length)
		return false;
	return compare_names(text, a, b) == 0;
}

/* The name behind this one, whose value says where; behind the last one it is none. */
static uint32_t next_name(const struct reader *r, uint32_t name)
{
	return r->tokens[name + 1].next;
}

/* A name in a small object that stands there before, or 0. */
static uint32_t duplicate_of_few(const struct reader *r, uint32_t object)
{
	uint32_t name = object + 1;

	for (uint32_t i = 0; i < r->tokens[object].count; i++) {
		for (uint32_t other = object + 1; other < name; other = next_name(r, other)) {
			if (same_name(r->text, &r->tokens[other], &r->tokens[name]))
				return name;
		}
		name = next_name(r, name);
	}
	return 0;
}

/*
 * Two sorted lists of names become one; 0 ends a list, because token 0 is never a name.
 * A comparison costs no more than the shorter name, and never more than the name that it
 * moves, so a round over all names is linear in their text whatever they are.
 */
static uint32_t merge_names(struct reader *r, uint32_t a, uint32_t b, uint32_t *duplicate)
{
	uint32_t head = 0, *link = &head;

	while (a != 0 && b != 0) {
		int order = compare_names(r->text, &r->tokens[a], &r->tokens[b]);
		uint32_t *from = order <= 0 ? &a : &b;

		if (order == 0)
			*duplicate = a > b ? a : b;
		*link = *from;
		link = &r->tokens[*from].next;
		*from = *link;
	}
	*link = a != 0 ? a : b;
	return head;
}

/* The same for any object: a merge sort in which runs[i] is a list of 2^i names, or 0. */
static uint32_t duplicate_of_many(struct reader *r, uint32_t object)
{
	uint32_t runs[32] = { 0 }, sorted = 0, duplicate = 0, name = object + 1;

	for (uint32_t i = 0; i < r->tokens[object].count; i++, name = next_name(r, name)) {
		uint32_t run = name;
		size_t power = 0;

		r->tokens[name].next = 0;
		for (; runs[power] != 0; power++) {
			run = merge_names(r, runs[power], run, &duplicate);
			runs[power] = 0;
		}
		runs[power] = run;
	}
	for (size_t power = 0; power < ATH_COUNT(runs); power++)
		sorted = merge_names(r, runs[power], sorted, &duplicate);
	while (sorted != 0) {
		uint32_t next = r->tokens[sorted].next;

		r->tokens[sorted].next = sorted + 1;
		sorted = next;
	}
	return duplicate;
}

static bool check_names(struct reader *r, uint32_t object)
{
	uint32_t duplicate = r->tokens[object].count <= FEW_NAMES ? duplicate_of_few(r, object)
								  : duplicate_of_many(r, object);

	if (duplicate == 0)
		return true;
	return fail(r, ATH_EINVAL, r->text + r->tokens[duplicate].start - 1,
		    "a name that the object has already");
}

/* ---- numbers and literals ---------------------------------------------------------------- */

static bool is_digit(const struct reader *r)
{
	return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static bool read_digits(struct reader *r)
{
	if (!is_digit(r))
		return expected(r, "a digit");
	while (is_digit(r))
		r->at++;
	return true;
}

static bool read_fraction_and_exponent(struct reader *r)
{
	if (r->at < r->end && *r->at == '.') {
		r->at++;
		if (!read_digits(r))
			return false;
	}
	if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
		r->at++;
		if (r->at < r->end && (*r->at == '+' || *r->at == '-'))
			r->at++;
		return read_digits(r);
	}
	return true;
}

static bool read_number(struct reader *r)
{
	const char *start = r->at;

	if (*r->at == '-')
		r->at++;
	if (r->at < r->end && *r->at == '0') {
		r->at++;
		if (is_digit(r))
			return invalid(r, "a digit behind a leading zero");
	} else if (!read_digits(r)) {
		return false;
	}
	return read_fraction_and_exponent(r) && add_token(r, ATH_JSON_NUMBER, start);
}

static bool read_literal(struct reader *r, enum ath_json_type type, const char *word)
{
	const char *start = r->at;
	size_t length = strlen(word);

	if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0)
		return expected(r, "a value");
	r->at += length;
	return add_token(r, type, start);
}

/* ---- structure --------------------------------------------------------------------------- */

static void skip_space(struct reader *r)
{
	while (r->at < r->end &&
	       (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
		r->at++;
}

/* Is this byte next, behind white space? */
static bool next_is(struct reader *r, char c)
{
	skip_space(r);
	return r->at < r->end && *r->at == c;
}

/* What stands before a value: in an object its name and the colon. */
static bool begin_element(struct reader *r)
{
	struct ath_json_token *container = &r->tokens[r->open[r->depth - 1]];

	container->count++;
	if (container->type == ATH_JSON_ARRAY)
		return true;
	if (!next_is(r, '"'))
		return expected(r, "a name");
	if (!read_string(r))
		return false;
	if (!next_is(r, ':'))
		return expected(r, "a colon");
	r->at++;
	return true;
}

/* The bracket of an empty one is left for read_behind(). */
static bool open_container(struct reader *r, enum ath_json_type type, bool *due)
{
	if (r->depth == ATH_JSON_MAX_DEPTH)
		return fail(r, ATH_ETOOBIG, r->at, "nested too deep");
	if (!add_token(r, type, r->at))
		return false;
	r->at++;
	r->open[r->depth++] = r->count - 1;
	*due = !next_is(r, type == ATH_JSON_OBJECT ? '}' : ']');
	return !*due || begin_element(r);
}

static bool close_container(struct reader *r)
{
	uint32_t container = r->open[--r->depth];
	struct ath_json_token *token = &r->tokens[container];

	r->at++;
	token->length = (uint32_t)(r->at - r->text) - token->start;
	token->next = r->count;
	return token->type == ATH_JSON_ARRAY || check_names(r, container);
}

/* A value, or the beginning of one; *due says whether a value must follow. */
static bool read_value(struct reader *r, bool *due)
{
	*due = false;
	skip_space(r);
	if (r->at == r->end)
		return expected(r, "a value");
	switch (*r->at) {
	case '{':
		return open_container(r, ATH_JSON_OBJECT, due);
	case '[':
		return open_container(r, ATH_JSON_ARRAY, due);
	case '"':
		return read_string(r);
	case 't':
		return read_literal(r, ATH_JSON_TRUE, "true");
	case 'f':
		return read_literal(r, ATH_JSON_FALSE, "false");
	case 'n':
		return read_literal(r, ATH_JSON_NULL, "null");
	default:
		return *r->at == '-' || is_digit(r) ? read_number(r) : expected(r, "a value");
	}
}

/* Behind a value in an array or object: a comma, or the bracket that closes. */
static bool read_behind(struct reader *r, bool *due)
{
	bool object = r->tokens[r->open[r->depth - 1]].type == ATH_JSON_OBJECT;

	*due = next_is(r, ',');
	if (*due) {
		r->at++;
		return begin_element(r);
	}
	if (next_is(r, object ? '}' : ']'))
		return close_container(r);
	return expected(r, object ? "a comma or }" : "a comma or ]");
}

static bool read_all(struct reader *r)
{
	bool due = true;

	if (r->end - r->at >= 3 && memcmp(r->at, "\xef\xbb\xbf", 3) == 0)
		return invalid(r, "a byte order mark");
	while (due || r->depth > 0) {
		if (!(due ? read_value(r, &due) : read_behind(r, &due)))
			return false;
	}
	skip_space(r);
	return r->at == r->end || invalid(r, "more text behind the value");
}

enum ath_status ath_json_read(struct ath_arena *arena, const char *text, size_t length,
			      struct ath_json_document *document, struct ath_error *error)
{
	struct reader reader = { .text = text, .at = text, .arena = arena, .error = error };

	*document = (struct ath_json_document){ 0 };
	if (length > UINT32_MAX)
		return ath_error_set(error, ATH_ETOOBIG, "at byte %zu: a text of 4 GiB or more",
				     (size_t)UINT32_MAX);
	if (length == 0)
		return ath_error_set(error, ATH_EINVAL, "at byte 0: the text is empty");
	reader.end = text + length;
	if (!read_all(&reader))
		return reader.status;
	*document = (struct ath_json_document){ .text = text,
						.tokens = reader.tokens,
						.count = reader.count };
	return ATH_OK;
}

/* ---- using the tokens -------------------------------------------------------------------- */

struct ath_text ath_json_string(struct ath_arena *arena, const struct ath_json_document *document,
				const struct ath_json_token *token)
{
	struct ath_text text = { document->text + token->start, token->length };
	struct unescaped from = unescaped(document->text, token);
	size_t length = 0;
	char *data;

	if (!token->escaped)
		return text;
	/* no escape is shorter than what it stands for */
	data = ath_arena_alloc(arena, (size_t)token->length + 1);
	if (data == NULL)
		return (struct ath_text){ 0 };
	for (int c = next_byte(&from); c != NO_MORE; c = next_byte(&from))
		data[length++] = (char)c;
	data[length] = '\0';
	return (struct ath_text){ data, length };
}

static bool name_is(const char *text, const struct ath_json_token *token, struct ath_text name)
{
	struct unescaped from = unescaped(text, token);

	if (!token->escaped)
		return token->length == name.length && memcmp(from.at, name.data, name.length) == 0;
	for (size_t i = 0; i < name.length; i++) {
		if (next_byte(&from) != (unsigned char)name.data[i])
			return false;
	}
	return next_byte(&from) == NO_MORE;
}

const struct ath_json_token *ath_json_member(const struct ath_json_document *document,
					     const struct ath_json_token *object, const char *name)
{
	const struct ath_json_token *token = object + 1;
	struct ath_text wanted = ath_text(name);

	if (object->type != ATH_JSON_OBJECT)
		return NULL;
	for (uint32_t i = 0; i < object->count; i++) {
		if (name_is(document->text, token, wanted))
			return token + 1;
		token = &document->tokens[token[1].next];
	}
	return NULL;
}
