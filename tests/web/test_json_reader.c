/*
 * test_json_reader.c - what is JSON and what is not, the tokens that come out, and names,
 * memory and damaged texts.
 *
 * Every text is read from an allocation of exactly its size, so that AddressSanitizer sees
 * a read past the end, and every document that is accepted has its tokens checked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "web/json.h"

/* ---- reading ----------------------------------------------------------------------------- */

static struct ath_arena *arena;

static int set_up(void **state)
{
	(void)state;
	return ath_arena_open(&arena, 0) == ATH_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	ath_arena_close(&arena);
	return 0;
}

/* The text of the document, in an allocation without a byte to spare. */
struct reading {
	enum ath_status status;
	struct ath_json_document document;
	struct ath_error error;
	char *text;
};

static struct reading read_text(const char *text, size_t length)
{
	struct reading reading = { .text = malloc(length > 0 ? length : 1) };

	assert_non_null(reading.text);
	if (length > 0)
		memcpy(reading.text, text, length);
	ath_arena_reset(arena);
	reading.status =
		ath_json_read(arena, reading.text, length, &reading.document, &reading.error);
	return reading;
}

static struct reading read_string(const char *text)
{
	struct reading reading = read_text(text, strlen(text));

	assert_int_equal(reading.status, ATH_OK);
	return reading;
}

/* The byte that the message names, or -1 when it names none. */
static long error_byte(const struct ath_error *error)
{
	long byte;
	int end = 0;

	if (sscanf(error->message, "at byte %ld: %n", &byte, &end) != 1 || end == 0)
		return -1;
	return error->message[end] != '\0' ? byte : -1;
}

/* ---- what holds for every document --------------------------------------------------------- */

static uint32_t check_value(const struct ath_json_document *document, uint32_t index, size_t length,
			    int depth);

/* The elements of a container, each inside it and the next one where it says. */
static uint32_t check_elements(const struct ath_json_document *document, uint32_t index, int depth)
{
	const struct ath_json_token *container = &document->tokens[index];
	size_t end = (size_t)container->start + container->length - 1;
	char open = container->type == ATH_JSON_OBJECT ? '{' : '[';
	uint32_t at = index + 1;

	assert_int_equal(document->text[container->start], open);
	assert_int_equal(document->text[end], open + 2);
	for (uint32_t i = 0; i < container->count; i++) {
		assert_true(document->tokens[at].start > container->start);
		if (container->type == ATH_JSON_OBJECT) {
			assert_int_equal(document->tokens[at].type, ATH_JSON_STRING);
			at = check_value(document, at, end, depth);
		}
		at = check_value(document, at, end, depth);
	}
	return at;
}

static void check_string(const struct ath_json_document *document,
			 const struct ath_json_token *token)
{
	const char *data = document->text + token->start;
	bool backslash = token->length > 0 && memchr(data, '\\', token->length) != NULL;

	assert_int_equal(data[-1], '"');
	assert_int_equal(data[token->length], '"');
	assert_int_equal(token->escaped, backslash);
	assert_true(ath_utf8_valid(data, token->length));
}

/* Checks the value at index, which ends before byte limit: the index behind it. */
static uint32_t check_value(const struct ath_json_document *document, uint32_t index, size_t limit,
			    int depth)
{
	const struct ath_json_token *token = &document->tokens[index];
	uint32_t next = index + 1;

	assert_true(index < document->count);
	assert_true((size_t)token->start + token->length <= limit);
	if (token->type == ATH_JSON_ARRAY || token->type == ATH_JSON_OBJECT) {
		assert_true(depth < ATH_JSON_MAX_DEPTH);
		next = check_elements(document, index, depth + 1);
	} else {
		assert_int_equal(token->count, 0);
	}
	if (token->type == ATH_JSON_STRING)
		check_string(document, token);
	assert_int_equal(token->next, next);
	return next;
}

static void check_document(const struct reading *reading, size_t length)
{
	assert_int_equal(reading->error.status, ATH_OK);
	assert_ptr_equal(reading->document.text, reading->text);
	assert_int_equal(check_value(&reading->document, 0, length, 0), reading->document.count);
}

static void check_refusal(const struct reading *reading, size_t length)
{
	long byte = error_byte(&reading->error);

	assert_int_not_equal(reading->status, ATH_OK);
	assert_int_equal(reading->error.status, reading->status);
	assert_null(reading->document.tokens);
	assert_int_equal(reading->document.count, 0);
	assert_true(byte >= 0 && (size_t)byte <= length);
}

/* ---- texts that are JSON ------------------------------------------------------------------- */

struct good {
	const char *text;
	size_t length;
	uint32_t tokens;
};

/* clang-format off */
#define GOOD(text_, tokens_) { text_, sizeof(text_) - 1, tokens_ }
#define OPEN_8 "[[[[[[[["
#define CLOSE_8 "]]]]]]]]"
#define OPEN_32 OPEN_8 OPEN_8 OPEN_8 OPEN_8
#define CLOSE_32 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8
#define NAME_8 "{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":{\"\":"
#define END_8 "}}}}}}}}"

static const struct good good[] = {
	/* scalars stand alone */
	GOOD("null", 1), GOOD("true", 1), GOOD("false", 1), GOOD("0", 1), GOOD("42", 1),
	GOOD("-1.5e3", 1), GOOD("\"\"", 1), GOOD("\"text\"", 1), GOOD("[]", 1), GOOD("{}", 1),

	/* white space */
	GOOD(" null", 1), GOOD("null ", 1), GOOD("\t\n\r null\r\n\t ", 1), GOOD("\n[\n]\n", 1),
	GOOD(" { } ", 1), GOOD("[ 1 , 2 ]", 3), GOOD("{\t\"a\"\n:\r1 }", 3),
	GOOD("[\r\n\t1\r\n\t,\r\n\t2\r\n]\r\n", 3), GOOD("{ \"a\" : { \"b\" : [ ] } }", 5),
	GOOD("                                [1]", 2),

	/* numbers: whole */
	GOOD("[0]", 2), GOOD("[-0]", 2), GOOD("[1]", 2), GOOD("[-1]", 2), GOOD("[10]", 2),
	GOOD("[1234567890]", 2), GOOD("[-9876543210]", 2), GOOD("[9223372036854775807]", 2),
	GOOD("[-9223372036854775808]", 2), GOOD("[9223372036854775808]", 2),
	GOOD("[18446744073709551616]", 2), GOOD("[100000000000000000000000000000000000000]", 2),
	GOOD("[-999999999999999999999999999999999999999999]", 2),

	/* numbers: with a fraction */
	GOOD("[0.0]", 2), GOOD("[-0.0]", 2), GOOD("[0.5]", 2), GOOD("[1.25]", 2),
	GOOD("[-10.01]", 2), GOOD("[3.141592653589793238462643383279502884197]", 2),
	GOOD("[1.000000000000000000]", 2),
	GOOD("[-0.00000000000000000000000000000000000000000000000000000000000000000001]", 2),

	/* numbers: with an exponent */
	GOOD("[0e0]", 2), GOOD("[0E0]", 2), GOOD("[0e+1]", 2), GOOD("[0e-1]", 2), GOOD("[1e5]", 2),
	GOOD("[1E5]", 2), GOOD("[1e+05]", 2), GOOD("[1E-007]", 2), GOOD("[12.5e00]", 2),
	GOOD("[-2.50E+10]", 2), GOOD("[1e9999]", 2), GOOD("[-1e9999]", 2), GOOD("[1e-99999]", 2),
	GOOD("[0.4e00669999999999999999999999999]", 2), GOOD("[123.456e789]", 2),

	/* strings: plain, at and around the width that is looked at in one step */
	GOOD("[\"a\"]", 2), GOOD("[\"abcdefg\"]", 2), GOOD("[\"abcdefgh\"]", 2),
	GOOD("[\"abcdefghi\"]", 2), GOOD("[\"abcdefghijklmnop\"]", 2), GOOD("[\" \"]", 2),
	GOOD("[\"the quick brown fox jumps over the lazy dog\"]", 2), GOOD("[\"\x7f\"]", 2),
	GOOD("[\"/\"]", 2), GOOD("[\"a/*b*/c//d\"]", 2), GOOD("[\"'\"]", 2),
	GOOD("[\"{[,:]}\"]", 2), GOOD("[\"!#$%&()*+,-.0123456789;<=>?@[]^_`{|}~\"]", 2),
	GOOD("[\"null\"]", 2),

	/* strings: escapes */
	GOOD("[\"\\\"\"]", 2), GOOD("[\"\\\\\"]", 2), GOOD("[\"\\/\"]", 2), GOOD("[\"\\b\"]", 2),
	GOOD("[\"\\f\"]", 2), GOOD("[\"\\n\"]", 2), GOOD("[\"\\r\"]", 2), GOOD("[\"\\t\"]", 2),
	GOOD("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", 2), GOOD("[\"\\\\u0041\"]", 2),
	GOOD("[\"\\\\\\\\\"]", 2), GOOD("[\"\\\\\\\"\"]", 2), GOOD("[\"\\\\n\"]", 2),
	GOOD("[\"\\u0000\"]", 2), GOOD("[\"\\u001f\"]", 2), GOOD("[\"\\u0022\"]", 2),
	GOOD("[\"\\u005C\"]", 2), GOOD("[\"\\u005c\\u005C\"]", 2), GOOD("[\"\\uAbCd\"]", 2),
	GOOD("[\"\\u00e9t\\u00E9\"]", 2), GOOD("[\"\\uFFFE\\uFFFF\"]", 2), GOOD("[\"\\uFDD0\"]", 2),
	GOOD("[\"\\uFEFF\"]", 2), GOOD("[\"\\u2028\\u2029\"]", 2), GOOD("[\"\\u200B\\u2064\"]", 2),
	GOOD("[\"\\u00410\"]", 2), GOOD("[\"x\\u0041bcdefghijk\\u0042\"]", 2),

	/* strings: surrogates in pairs */
	GOOD("[\"\\ud800\\udc00\"]", 2), GOOD("[\"\\uDBFF\\uDFFF\"]", 2),
	GOOD("[\"\\ud83d\\uDe00\"]", 2), GOOD("[\"\\uD834\\uDD1E\\uD834\\uDD1E\"]", 2),
	GOOD("[\"\\uD83F\\uDFFE\"]", 2), GOOD("[\"\\ud7ff\"]", 2), GOOD("[\"\\ue000\"]", 2),
	GOOD("[\"\\ud7ff\\ue000\"]", 2),

	/* strings: UTF-8, first and last of each length */
	GOOD("[\"\xc2\x80\"]", 2), GOOD("[\"\xdf\xbf\"]", 2), GOOD("[\"\xe0\xa0\x80\"]", 2),
	GOOD("[\"\xef\xbf\xbf\"]", 2), GOOD("[\"\xf0\x90\x80\x80\"]", 2),
	GOOD("[\"\xf4\x8f\xbf\xbf\"]", 2), GOOD("[\"\xed\x9f\xbf\"]", 2),
	GOOD("[\"\xee\x80\x80\"]", 2), GOOD("[\"\xef\xbb\xbf\"]", 2),
	GOOD("[\"\xe2\x80\xa8\xe2\x80\xa9\"]", 2), GOOD("[\"\xef\xb7\x90\"]", 2),
	GOOD("[\"\xf0\x9f\x98\x80\"]", 2), GOOD("[\"gr\xc3\xbc\xc3\x9f" "e aus K\xc3\xb6ln\"]", 2),
	GOOD("[\"na\xc3\xafve \xe6\xbc\xa2\xe5\xad\x97 \\u6f22 \xf0\x9d\x84\x9e\"]", 2),
	GOOD("[\"abcdefg\xc3\xa9\"]", 2), GOOD("[\"abcdef\xc3\xa9\"]", 2),

	/* arrays */
	GOOD("[[]]", 2), GOOD("[[],[]]", 3), GOOD("[[[]]]", 3), GOOD("[[],[[]],[]]", 5),
	GOOD("[null]", 2), GOOD("[true,false,null]", 4), GOOD("[1,\"a\",{},[],null]", 6),
	GOOD("[1,null,null,null,2]", 6), GOOD("[{},{}]", 3), GOOD("[[1,2],[3,[4]]]", 8),

	/* objects */
	GOOD("{\"a\":1}", 3), GOOD("{\"\":0}", 3), GOOD("{\"a\":1,\"b\":2}", 5),
	GOOD("{\"a\":{}}", 3), GOOD("{\"a\":[]}", 3), GOOD("{\"a\":\"a\"}", 3),
	GOOD("{\"a\":{\"a\":{\"a\":null}}}", 7), GOOD("{\"a\":[{\"a\":1},{\"a\":2}]}", 9),
	GOOD("{\"a\":1,\"A\":2}", 5), GOOD("{\"a\":1,\"a \":2,\" a\":3}", 7),
	GOOD("{\"a\":1,\"aa\":2,\"aaa\":3}", 7), GOOD("{\"\\u0000\":1,\"\\u0001\":2,\"\":3}", 7),
	GOOD("{\"a\\u0000\":1,\"a\":2}", 5), GOOD("{\"\\n\":1,\"n\":2,\"\\\\n\":3}", 7),
	GOOD("{\"a:b\":1}", 3), GOOD("{\"{}\":{\"[]\":[]}}", 5),
	GOOD("{\"\xc3\xa9\":1,\"e\xcc\x81\":2}", 5), /* names are not normalised */
	GOOD("{\"min\":-1.0e+28,\"max\":1.0e+28}", 5), GOOD("{\"a\":{\"x\":1},\"b\":{\"x\":1}}", 9),

	/* as deep as it may be */
	GOOD(OPEN_32 CLOSE_32, 32), GOOD(OPEN_32 "1" CLOSE_32, 33),
	GOOD(OPEN_32 CLOSE_8 "," OPEN_8 CLOSE_32, 40),
	GOOD(NAME_8 NAME_8 NAME_8 NAME_8 "0" END_8 END_8 END_8 END_8, 65),
};
/* clang-format on */

static void test_accepts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(good); i++) {
		const struct good *row = &good[i];
		struct reading reading = read_text(row->text, row->length);

		if (reading.status != ATH_OK || reading.document.count != row->tokens)
			fail_msg("%s: %u tokens; %s", row->text, reading.document.count,
				 reading.error.message);
		check_document(&reading, row->length);
		free(reading.text);
	}
}

/* ---- texts that are not -------------------------------------------------------------------- */

struct bad {
	const char *text;
	size_t length;
	long byte; /* where it goes wrong */
};

/* clang-format off */
#define BAD(text_, byte_) { text_, sizeof(text_) - 1, byte_ }

static const struct bad bad[] = {
	/* nothing, and not quite something */
	BAD("", 0), BAD(" ", 1), BAD("\r\n\t ", 4), BAD("\0", 0), BAD("n", 0), BAD("nul", 0),
	BAD("nulll", 4), BAD("Null", 0), BAD("NULL", 0), BAD("True", 0), BAD("tru", 0),
	BAD("truth", 0), BAD("truefalse", 4), BAD("fals", 0), BAD("falsee", 5), BAD("FALSE", 0),
	BAD("nan", 0), BAD("undefined", 0), BAD("abc", 0), BAD("*", 0), BAD("'a'", 0),
	BAD("`a`", 0), BAD("<null>", 0), BAD("[nul]", 1), BAD("[tru", 1), BAD("[True]", 1),
	BAD("nul\0", 0), BAD("tru\xc3\xa9", 0),

	/* byte order marks and other encodings */
	BAD("\xef\xbb\xbf", 0), BAD("\xef\xbb\xbf{}", 0), BAD("\xef\xbb{}", 0), BAD("\xef\xbb", 0),
	BAD("\xff\xfe[\0]\0", 0), BAD("\xfe\xff\0[\0]", 0), BAD("\0[\0]", 0), BAD("[\0]\0", 1),
	BAD("[\xef\xbb\xbf]", 1), BAD("[]\xef\xbb\xbf", 2), BAD("\0\0\0[", 0),

	/* white space that is none */
	BAD("\f[]", 0), BAD("[\f]", 1), BAD("\v[]", 0), BAD("[]\v", 2), BAD("\xc2\xa0[]", 0),
	BAD("[\xe2\x81\xa0]", 1), BAD("[\xe3\x80\x80]", 1), BAD("[\x1f]", 1), BAD("\b[]", 0),
	BAD("[\xc2\x85]", 1), BAD("\xe2\x80\xa8[]", 0), BAD("[]\x1a", 2),

	/* comments */
	BAD("/**/[]", 0), BAD("[]/**/", 2), BAD("[/**/]", 1), BAD("[1/**/]", 2), BAD("// a\n[]", 0),
	BAD("[]// a", 2), BAD("[]#", 2), BAD("# a\n[]", 0), BAD("{\"a\"/**/:1}", 4), BAD("[]/", 2),

	/* more than one value */
	BAD("[][]", 2), BAD("1 2", 2), BAD("[]{}", 2), BAD("{}}", 2), BAD("[]]", 2), BAD("[],", 2),
	BAD("null,", 4), BAD("\"a\"\"b\"", 3), BAD("\"a\" \"b\"", 4), BAD("[] x", 3),
	BAD("{\"a\":1}#", 7), BAD("[]\0", 2), BAD("null\0", 4), BAD("1\0", 1), BAD("1:", 1),
	BAD("{},{}", 2), BAD("[1]2", 3),

	/* numbers: the sign */
	BAD("-", 1), BAD("[-]", 2), BAD("+1", 0), BAD("[+1]", 1), BAD("[--1]", 2), BAD("[-+1]", 2),
	BAD("[- 1]", 2), BAD("[++1]", 1), BAD("[1+2]", 2), BAD("[1-2]", 2), BAD("[-foo]", 2),
	BAD("[\xe2\x88\x92" "1]", 1), BAD("[1-]", 2),

	/* numbers: leading zeros, other bases, other digits */
	BAD("00", 1), BAD("[00]", 2), BAD("[01]", 2), BAD("[-01]", 3), BAD("[-00]", 3),
	BAD("[0123]", 2), BAD("[00.5]", 2), BAD("[0x1]", 2), BAD("[0xFF]", 2), BAD("[1a]", 2),
	BAD("[0b1]", 2), BAD("[0o7]", 2), BAD("[1_000]", 2), BAD("[1 000]", 3), BAD("[1,000]", 4),
	BAD("[\xef\xbc\x91]", 1), BAD("[1\xd9\xa1]", 2), BAD("[1L]", 2), BAD("[1f]", 2),
	BAD("[012e1]", 2),

	/* numbers: fraction and exponent */
	BAD("[1.]", 3), BAD("1.", 2), BAD("[.5]", 1), BAD("[-.5]", 2), BAD("[.]", 1),
	BAD("[0..1]", 3), BAD("[1.2.3]", 4), BAD("[1.e1]", 3), BAD("[0.e1]", 3), BAD("[1.-5]", 3),
	BAD("[1. 5]", 3), BAD("[1.5f]", 4), BAD("[1e]", 3), BAD("1e", 2), BAD("[1E]", 3),
	BAD("[1e+]", 4), BAD("[1e-]", 4), BAD("1e+", 3), BAD("[0e]", 3), BAD("[0e+]", 4),
	BAD("[1.0e]", 5), BAD("[1.0e-]", 6), BAD("[1ee5]", 3), BAD("[1e++5]", 4), BAD("[1e+-5]", 4),
	BAD("[1e1.5]", 4), BAD("[e5]", 1), BAD("[1 e5]", 3), BAD("[1e 5]", 3), BAD("[1eE2]", 3),
	BAD("[1e5e5]", 4), BAD("[1e0x1]", 4), BAD("[-1.]", 4), BAD("[-e1]", 2),
	BAD("[1.\xc3\xa9]", 3), BAD("[1e\xe5]", 3), BAD("[1\xe5]", 2),

	/* numbers that are no numbers */
	BAD("[NaN]", 1), BAD("[-NaN]", 2), BAD("[Infinity]", 1), BAD("[-Infinity]", 2),
	BAD("[+Inf]", 1), BAD("[inf]", 1), BAD("[1.8011670033376514H-308]", 19), BAD("[$1]", 1),
	BAD("[1%]", 2), BAD("[1/2]", 2), BAD("[1*2]", 2), BAD("[(1)]", 1),

	/* strings that do not end or do not begin */
	BAD("\"", 0), BAD("\"a", 0), BAD("[\"a", 1), BAD("[\"a]", 1), BAD("[\"", 1), BAD("a\"", 0),
	BAD("[a\"]", 1), BAD("\"\\\"", 0), BAD("[\"\\\\\\\"]", 1), BAD("['a']", 1),
	BAD("[\"a']", 1), BAD("\"abcdefgh", 0), BAD("\"abcdefghijklmnopq", 0), BAD("[a]", 1),
	BAD("[\\n]", 1), BAD("[\\u0020\"a\"]", 1), BAD("\"\xc3\xa9", 0),
	BAD("[\xe2\x80\x9c" "a\xe2\x80\x9d]", 1),

	/* control characters in strings */
	BAD("\"\0\"", 1), BAD("[\"a\0b\"]", 3), BAD("\"\x01\"", 1), BAD("\"\n\"", 1),
	BAD("\"\r\"", 1), BAD("\"\t\"", 1), BAD("\"\x1f\"", 1), BAD("\"abcdefgh\x1fijklmnop\"", 9),
	BAD("\"\b\"", 1), BAD("\"abcdefg\n\"", 8), BAD("\"\\\n\"", 1), BAD("\"\xc3\xa9\n\"", 3),
	BAD("{\"a\nb\":1}", 3), BAD("\"a\\n\n\"", 4), BAD("\"\x1b[0m\"", 1),
	BAD("\"        \x1f", 9),

	/* escapes that are none */
	BAD("\"\\", 1), BAD("\"\\a\"", 1), BAD("\"\\v\"", 1), BAD("\"\\0\"", 1), BAD("\"\\'\"", 1),
	BAD("\"\\x41\"", 1), BAD("\"\\N\"", 1), BAD("\"\\U0041\"", 1), BAD("\"\\ \"", 1),
	BAD("\"\\e\"", 1), BAD("\"\\\0\"", 1), BAD("\"\\\xc3\xa9\"", 1),
	BAD("\"\\\xf0\x9f\x98\x80\"", 1), BAD("\"\\{\"", 1), BAD("\"\\\\\\a\"", 3),
	BAD("\"abcdefgh\\q\"", 9), BAD("{\"\\q\":1}", 2), BAD("\"\\\t\"", 1), BAD("\"\\1\"", 1),
	BAD("\"\\\xe5\"", 1),

	/* \u with too little behind it */
	BAD("\"\\u\"", 1), BAD("\"\\u0\"", 1), BAD("\"\\u00\"", 1), BAD("\"\\u004\"", 1),
	BAD("\"\\u", 1), BAD("\"\\u0", 1), BAD("\"\\u00", 1), BAD("\"\\u004", 1),
	BAD("\"\\u0041", 0), BAD("\"\\u00g1\"", 1), BAD("\"\\u004G\"", 1), BAD("\"\\u 041\"", 1),
	BAD("\"\\u+041\"", 1), BAD("\"\\u-041\"", 1), BAD("\"\\u0x41\"", 1), BAD("\"\\u{41}\"", 1),
	BAD("\"\\u00\\u0041\"", 1), BAD("\"\\u00\0" "1\"", 1), BAD("\"\\u\xef\xbc\x91" "000\"", 1),
	BAD("\"\\u00e\xe5\"", 1), BAD("\"\\u/041\"", 1), BAD("\"\\u:041\"", 1),
	BAD("\"\\u@041\"", 1), BAD("\"\\u`041\"", 1), BAD("\"\\u004`\"", 1),

	/* surrogates alone, in the wrong order, cut */
	BAD("\"\\ud800\"", 1), BAD("\"\\udbff\"", 1), BAD("\"\\udc00\"", 1), BAD("\"\\udfff\"", 1),
	BAD("\"\\uDC00\\uD800\"", 1), BAD("\"\\ud800\\ud800\"", 1),
	BAD("\"\\ud800\\ud800\\udc00\"", 1), BAD("\"\\ud800a\"", 1), BAD("\"\\ud800\\n\"", 1),
	BAD("\"\\ud800\\u0041\"", 1), BAD("\"\\ud800\\ue000\"", 1), BAD("\"\\ud800\\udbff\"", 1),
	BAD("\"\\ud800\\\"", 1), BAD("\"\\ud800\\u\"", 1), BAD("\"\\ud800\\ud\"", 1),
	BAD("\"\\ud800\\udc\"", 1), BAD("\"\\ud800\\udc0\"", 1), BAD("\"\\ud800\\udc0g\"", 1),
	BAD("\"\\ud800", 1), BAD("\"\\ud800\\udc0", 1), BAD("\"\\ud800 \\udc00\"", 1),
	BAD("\"\\ud800udc00\"", 1), BAD("\"\\ud800\\Udc00\"", 1),
	BAD("\"\\ud83d\\ude00\\ude00\"", 13), BAD("\"\\ud83d\\ude00\\ud83d\"", 13),
	BAD("\"ab\\udead\"", 3), BAD("{\"\\udead\":1}", 2), BAD("\"\\ud800\xed\xb0\x80\"", 1),
	BAD("\"\\ud800\\\\dc00\"", 1), BAD("\"\\udc00\\udc00\"", 1), BAD("\"\\udfff\\udfff\"", 1),

	/* UTF-8: bytes that begin nothing, and sequences cut short */
	BAD("\"\x80\"", 1), BAD("\"\xbf\"", 1), BAD("\"\xfe\"", 1), BAD("\"\xff\"", 1),
	BAD("\"\xc3\"", 1), BAD("\"\xe9\"", 1), BAD("\"\xe2\x82\"", 1), BAD("\"\xf0\x9f\x98\"", 1),
	BAD("\"\xf0\x9f\"", 1), BAD("\"\xf0\"", 1), BAD("\"\xc3", 1), BAD("\"\xe2\x82", 1),
	BAD("\"\xf0\x9f\x98", 1), BAD("\"\xc3(\"", 1), BAD("\"\xe2(\xa1\"", 1),
	BAD("\"\xe2\x82(\"", 1), BAD("\"\xf0(\x8c\xbc\"", 1), BAD("\"\xf0\x90(\xbc\"", 1),
	BAD("\"\xf0\x90\x8c(\"", 1), BAD("\"\xc3\xa9\xa9\"", 3), BAD("\"abcdefgh\xff\"", 9),
	BAD("\"abcdefg\xff\"", 8), BAD("{\"\xff\":1}", 2), BAD("[\xff]", 1), BAD("\xe9", 0),
	BAD("[\xc3\xa9]", 1), BAD("\"\xc3\xc3\xa9\"", 1), BAD("\"\\\"\x80\"", 3),

	/* UTF-8: overlong, surrogates, past the end, five and six bytes */
	BAD("\"\xc0\x80\"", 1), BAD("\"\xc0\xaf\"", 1), BAD("\"\xc1\xbf\"", 1),
	BAD("\"\xe0\x80\x80\"", 1), BAD("\"\xe0\x9f\xbf\"", 1), BAD("\"\xf0\x80\x80\x80\"", 1),
	BAD("\"\xf0\x8f\xbf\xbf\"", 1), BAD("\"\xed\xa0\x80\"", 1), BAD("\"\xed\xbf\xbf\"", 1),
	BAD("\"\xed\xa0\xbd\xed\xb8\x80\"", 1), BAD("\"\xf4\x90\x80\x80\"", 1),
	BAD("\"\xf5\x80\x80\x80\"", 1), BAD("\"\xf7\xbf\xbf\xbf\"", 1),
	BAD("\"\xf8\x88\x80\x80\x80\"", 1), BAD("\"\xfc\x84\x80\x80\x80\x80\"", 1),
	BAD("\"\xc0\xa2\"", 1),

	/* arrays */
	BAD("[", 1), BAD("]", 0), BAD("[1", 2), BAD("[1,", 3), BAD("[,]", 1), BAD("[1,]", 3),
	BAD("[,1]", 1), BAD("[1,,2]", 3), BAD("[1,,]", 3), BAD("[\"\",]", 4), BAD("[1 2]", 3),
	BAD("[1 true]", 3), BAD("[\"a\" \"b\"]", 5), BAD("[1;2]", 2), BAD("[1:2]", 2),
	BAD("[\"a\":1]", 4), BAD("[1}", 2), BAD("[}", 1), BAD("[)", 1), BAD("[[]", 3),
	BAD("[1]]", 3), BAD("[{]", 2), BAD("[{}", 3), BAD("[][", 2), BAD("[,", 1), BAD("[1\n", 3),
	BAD("[[[1,2],3", 9), BAD("[1,\n]", 4), BAD("[null,", 6), BAD("[1,2", 4), BAD("[[][]]", 3),
	BAD("[{}{}]", 3), BAD("[[}]", 2), BAD("[...]", 1),

	/* objects */
	BAD("{", 1), BAD("}", 0), BAD("{\"a\"", 4), BAD("{\"a\":", 5), BAD("{\"a\":1", 6),
	BAD("{\"a\":1,", 7), BAD("{\"a\"}", 4), BAD("{\"a\":}", 5), BAD("{\"a\" 1}", 5),
	BAD("{\"a\",1}", 4), BAD("{\"a\"::1}", 5), BAD("{:1}", 1), BAD("{,}", 1), BAD("{1:1}", 1),
	BAD("{a:1}", 1), BAD("{'a':1}", 1), BAD("{null:1}", 1), BAD("{[]:1}", 1), BAD("{{}:1}", 1),
	BAD("{\"a\":1,}", 7), BAD("{,\"a\":1}", 1), BAD("{\"a\":1,,\"b\":2}", 7),
	BAD("{\"a\":1 \"b\":2}", 7), BAD("{\"a\":1;\"b\":2}", 6), BAD("{\"a\":1,\"b\"}", 10),
	BAD("{\"a\":1,\"b\":}", 11), BAD("{\"a\":1]", 6), BAD("{]", 1), BAD("{)", 1),
	BAD("{\"a\":1}}", 7), BAD("{\"a\":{\"b\":1}", 12), BAD("{\"a\":1,2}", 7),
	BAD("{\"a\":\"b\":\"c\"}", 8), BAD("{\"a\":1 2}", 7), BAD("{\"a\"=1}", 4),
	BAD("{\"a\"=>1}", 4), BAD("{\"a", 1), BAD("{\"", 1), BAD("{\"a\":1,1:2}", 7),
	BAD("{\"a\":,}", 5), BAD("{\"a\":b}", 5), BAD("{[\"a\"]}", 1), BAD("{\"a\":1,}}", 7),
	BAD("{\"a\":[}", 6), BAD("{\"a\":[}]", 6), BAD("{\"a\":[1,}", 8),

	/* names that are there already */
	BAD("{\"a\":1,\"a\":1}", 7), BAD("{\"a\":1,\"b\":2,\"a\":3}", 13),
	BAD("{\"\":1,\"\":2}", 6), BAD("{\"a\":1,\"\\u0061\":2}", 7),
	BAD("{\"\\u0061\":1,\"a\":2}", 12), BAD("{\"\\u0061b\":1,\"a\\u0062\":2}", 13),
	BAD("{\"/\":1,\"\\/\":2}", 7), BAD("{\"\\u002f\":1,\"\\/\":2}", 12),
	BAD("{\"\\n\":1,\"\\u000A\":2}", 8), BAD("{\"\\\"\":1,\"\\u0022\":2}", 8),
	BAD("{\"\\u0000\":1,\"\\u0000\":2}", 12), BAD("{\"\xc3\xa9\":1,\"\\u00e9\":2}", 8),
	BAD("{\"\\u20ac\":1,\"\xe2\x82\xac\":2}", 12),
	BAD("{\"\xf0\x9f\x98\x80\":1,\"\\uD83D\\uDE00\":2}", 10),
	BAD("{\"\\u00E9\":1,\"\\u00e9\":2}", 12), BAD("{\"a\":{\"a\":1,\"a\":2}}", 12),
	BAD("[{\"a\":1},{\"a\":1,\"a\":2}]", 16), BAD("{\"a\":{\"b\":1},\"a\":{}}", 13),
	BAD("{\"a\":[[],[{}]],\"b\":1,\"a\":0}", 21), BAD("{\"a\":1,\"a\":1,\"a\":1}", 7),
	BAD("{\"b\":{},\"a\":1,\"\\u0062\":[]} ", 14),
};
/* clang-format on */

static void test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(bad); i++) {
		const struct bad *row = &bad[i];
		struct reading reading = read_text(row->text, row->length);

		if (reading.status != ATH_EINVAL || error_byte(&reading.error) != row->byte)
			fail_msg("%s: %s instead of byte %ld", row->text, reading.error.message,
				 row->byte);
		check_refusal(&reading, row->length);
		free(reading.text);
	}
}

static void test_messages(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *message; } rows[] = {
		{ "", "at byte 0: the text is empty" },
		{ "\xef\xbb\xbf{}", "at byte 0: a byte order mark" },
		{ "[1,]", "at byte 3: a value was expected" },
		{ "[1,", "at byte 3: the text ends where a value was expected" },
		{ "[1 2]", "at byte 3: a comma or ] was expected" },
		{ "{\"a\":1", "at byte 6: the text ends where a comma or } was expected" },
		{ "{1:2}", "at byte 1: a name was expected" },
		{ "{\"a\" 2}", "at byte 5: a colon was expected" },
		{ "{\"a\":1,\"a\":2}", "at byte 7: a name that the object has already" },
		{ "[] []", "at byte 3: more text behind the value" },
		{ "-a", "at byte 1: a digit was expected" },
		{ "[007]", "at byte 2: a digit behind a leading zero" },
		{ "[\"abc]", "at byte 1: a string that does not end" },
		{ "\"a\tb\"", "at byte 2: a control character in a string" },
		{ "\"a\\xb\"", "at byte 2: not an escape" },
		{ "\"\\ud800\"", "at byte 1: half of a surrogate pair" },
		{ "\"a\xff\"", "at byte 2: not UTF-8" },
		{ OPEN_32 "[", "at byte 32: nested too deep" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		struct reading reading = read_text(rows[i].text, strlen(rows[i].text));

		assert_string_equal(reading.error.message, rows[i].message);
		free(reading.text);
	}
}

static void test_first_error_stays(void **state)
{
	struct ath_json_document document;
	struct ath_error error = { .status = ATH_EIO, .message = "before" };

	(void)state;
	assert_int_not_equal(ath_json_read(arena, "[", 1, &document, &error), ATH_OK);
	assert_int_equal(error.status, ATH_EIO);
	assert_string_equal(error.message, "before");
}

/* ---- size and depth ------------------------------------------------------------------------ */

static void test_too_deep(void **state)
{
	static const char *const units[] = { "[", "{\"a\":", "[{\"a\":", "[1,[],[" };
	static const long bytes[] = { 32, 160, 96, 112 };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(units); i++) {
		size_t unit = strlen(units[i]), count = 100000;
		char *text = malloc(unit * count);
		struct reading reading;

		assert_non_null(text);
		for (size_t j = 0; j < count; j++)
			memcpy(text + j * unit, units[i], unit);
		reading = read_text(text, unit * count);
		assert_int_equal(reading.status, ATH_ETOOBIG);
		assert_int_equal(error_byte(&reading.error), bytes[i]);
		check_refusal(&reading, unit * count);
		free(reading.text);
		free(text);
	}
}

static void test_deep_by_one(void **state)
{
	static const char *const texts[] = {
		OPEN_32 "[]" CLOSE_32,
		OPEN_32 "{}" CLOSE_32,
		NAME_8 NAME_8 NAME_8 NAME_8 "[]" END_8 END_8 END_8 END_8,
		"[" OPEN_8 CLOSE_8 "," OPEN_32 CLOSE_32 "]",
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(texts); i++) {
		struct reading reading = read_text(texts[i], strlen(texts[i]));

		assert_int_equal(reading.status, ATH_ETOOBIG);
		check_refusal(&reading, strlen(texts[i]));
		free(reading.text);
	}
}

/* The length is refused before a byte is read: there are not that many. */
static void test_four_gigabytes(void **state)
{
	static const size_t lengths[] = { (size_t)1 << 32, ((size_t)1 << 32) + 2, SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(lengths); i++) {
		struct ath_json_document document;
		struct ath_error error = { 0 };

		assert_int_equal(ath_json_read(arena, "[]", lengths[i], &document, &error),
				 ATH_ETOOBIG);
		assert_int_equal(error_byte(&error), UINT32_MAX);
	}
}

static void test_no_text(void **state)
{
	struct ath_json_document document;
	struct ath_error error = { 0 };

	(void)state;
	assert_int_equal(ath_json_read(arena, NULL, 0, &document, &error), ATH_EINVAL);
	assert_int_equal(document.count, 0);
}

/* ---- tokens -------------------------------------------------------------------------------- */

static void test_tokens(void **state)
{
	static const char text[] = " {\"a\":[1,-2.5e3,\"x\\n\"] ,\"\\u0062\":{\"c\":null},\"d\":"
				   "[ [], { } ,true,false]} ";
	static const struct {
		enum ath_json_type type;
		const char *text;
		uint32_t next, count;
		bool escaped;
	} expected[] = {
		{ ATH_JSON_OBJECT, NULL, 16, 3, false },
		{ ATH_JSON_STRING, "a", 2, 0, false },
		{ ATH_JSON_ARRAY, "[1,-2.5e3,\"x\\n\"]", 6, 3, false },
		{ ATH_JSON_NUMBER, "1", 4, 0, false },
		{ ATH_JSON_NUMBER, "-2.5e3", 5, 0, false },
		{ ATH_JSON_STRING, "x\\n", 6, 0, true },
		{ ATH_JSON_STRING, "\\u0062", 7, 0, true },
		{ ATH_JSON_OBJECT, "{\"c\":null}", 10, 1, false },
		{ ATH_JSON_STRING, "c", 9, 0, false },
		{ ATH_JSON_NULL, "null", 10, 0, false },
		{ ATH_JSON_STRING, "d", 11, 0, false },
		{ ATH_JSON_ARRAY, "[ [], { } ,true,false]", 16, 4, false },
		{ ATH_JSON_ARRAY, "[]", 13, 0, false },
		{ ATH_JSON_OBJECT, "{ }", 14, 0, false },
		{ ATH_JSON_TRUE, "true", 15, 0, false },
		{ ATH_JSON_FALSE, "false", 16, 0, false },
	};
	struct reading reading = read_string(text);

	(void)state;
	assert_int_equal(reading.document.count, ATH_COUNT(expected));
	for (size_t i = 0; i < ATH_COUNT(expected); i++) {
		const struct ath_json_token *token = &reading.document.tokens[i];

		assert_int_equal(token->type, expected[i].type);
		assert_int_equal(token->next, expected[i].next);
		assert_int_equal(token->count, expected[i].count);
		assert_int_equal(token->escaped, expected[i].escaped);
		if (expected[i].text != NULL) {
			assert_int_equal(token->length, strlen(expected[i].text));
			assert_memory_equal(reading.text + token->start, expected[i].text,
					    token->length);
		}
	}
	assert_int_equal(reading.document.tokens[0].start, 1);
	assert_int_equal(reading.document.tokens[0].length, strlen(text) - 2);
	free(reading.text);
}

/* The tokens move several times on the way. */
static void test_many_elements(void **state)
{
	struct ath_buffer text;
	struct reading reading;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 24);
	ath_buffer_string(&text, "[0");
	for (int i = 1; i < 100000; i++)
		ath_buffer_printf(&text, i % 10 == 0 ? ",[%d]" : ",%d", i);
	ath_buffer_string(&text, "]");
	assert_false(text.failed);
	reading = read_text(text.data, text.length);
	assert_int_equal(reading.status, ATH_OK);
	assert_int_equal(reading.document.count, 110000);
	assert_int_equal(reading.document.tokens[0].count, 100000);
	check_document(&reading, text.length);
	free(reading.text);
	ath_buffer_free(&text);
}

/* As many tokens in as few bytes as there can be, whole and with the end cut off. */
static void test_dense(void **state)
{
	static const struct {
		const char *front, *unit, *back;
		uint32_t before, tokens;
	} rows[] = {
		{ "[", "0,", "0]", 2, 1 },
		{ "[", "[],", "{}]", 2, 1 },
		{ OPEN_32, "0,", "0" CLOSE_32, 33, 1 },
		{ NAME_8 NAME_8 NAME_8 "[", "{\"\":0},", "0]" END_8 END_8 END_8, 50, 3 },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		for (uint32_t units = 0; units < 6000; units += units < 200 ? 1 : 577) {
			struct ath_buffer text;
			struct reading reading;

			ath_buffer_init(&text, NULL, 1 << 20);
			ath_buffer_string(&text, rows[i].front);
			for (uint32_t j = 0; j < units; j++)
				ath_buffer_string(&text, rows[i].unit);
			reading = read_text(text.data, text.length);
			assert_int_equal(reading.status, ATH_EINVAL);
			free(reading.text);
			ath_buffer_string(&text, rows[i].back);
			reading = read_text(text.data, text.length);
			assert_int_equal(reading.status, ATH_OK);
			assert_int_equal(reading.document.count,
					 rows[i].before + units * rows[i].tokens);
			check_document(&reading, text.length);
			free(reading.text);
			ath_buffer_free(&text);
		}
	}
}

/* ---- strings ------------------------------------------------------------------------------- */

struct string_row {
	const char *json;
	const char *bytes;
	size_t length;
};

/* clang-format off */
#define STRING(json_, bytes_) { json_, bytes_, sizeof(bytes_) - 1 }

static const struct string_row strings[] = {
	STRING("\"\"", ""),
	STRING("\"plain\"", "plain"),
	STRING("\"\xc3\xa9\xf0\x9f\x98\x80\"", "\xc3\xa9\xf0\x9f\x98\x80"),
	STRING("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"),
	STRING("\"a\\nb\"", "a\nb"),
	STRING("\"\\\\n\"", "\\n"),
	STRING("\"\\\\u0041\"", "\\u0041"),
	STRING("\"\\u0041\"", "A"),
	STRING("\"\\u0000\"", "\0"),
	STRING("\"a\\u0000b\"", "a\0b"),
	STRING("\"\\u007f\\u0080\"", "\x7f\xc2\x80"),
	STRING("\"\\u07FF\\u0800\"", "\xdf\xbf\xe0\xa0\x80"),
	STRING("\"\\ud7ff\\ue000\"", "\xed\x9f\xbf\xee\x80\x80"),
	STRING("\"\\uFFFF\"", "\xef\xbf\xbf"),
	STRING("\"\\ud800\\udc00\"", "\xf0\x90\x80\x80"),
	STRING("\"\\uD83D\\uDE00!\"", "\xf0\x9f\x98\x80!"),
	STRING("\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf"),
	STRING("\"\\u20ac\xe2\x82\xac\\u20AC\"", "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"),
	STRING("\"\\u00e9\\\"\xc3\xa9\"", "\xc3\xa9\"\xc3\xa9"),
	STRING("-12.50e1", "-12.50e1"),
	STRING("9223372036854775807", "9223372036854775807"),
	STRING("true", "true"),
	STRING("[ 1, \"\\n\" ]", "[ 1, \"\\n\" ]"),
};
/* clang-format on */

static void test_string(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(strings); i++) {
		struct reading reading = read_string(strings[i].json);
		const struct ath_json_token *token = reading.document.tokens;
		struct ath_text text = ath_json_string(arena, &reading.document, token);

		assert_int_equal(text.length, strings[i].length);
		assert_memory_equal(text.data, strings[i].bytes, text.length);
		if (token->escaped)
			assert_int_equal(text.data[text.length], '\0');
		else
			assert_ptr_equal(text.data, reading.text + token->start);
		free(reading.text);
	}
}

/* Each code point comes back from its escapes as the UTF-8 that it is. */
static void test_every_code_point(void **state)
{
	(void)state;
	for (unsigned c = 0; c <= 0x10ffff; c += c < 0x3000 ? 1 : 61) {
		unsigned high = 0xd7c0 + (c >> 10), low = 0xdc00 + (c & 0x3ff);
		char json[16];
		struct ath_json_document document;
		struct ath_error error = { 0 };
		struct ath_text text;
		int length = c < 0x10000 ? snprintf(json, sizeof json, "\"\\u%04x\"", c)
					 : snprintf(json, sizeof json, "\"\\u%04x\\u%04X\"",
						    high & 0xffff, low & 0xffff);

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		ath_arena_reset(arena);
		assert_int_equal(ath_json_read(arena, json, (size_t)length, &document, &error),
				 ATH_OK);
		text = ath_json_string(arena, &document, document.tokens);
		assert_int_equal(text.length, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
		assert_true(ath_utf8_valid(text.data, text.length));
		assert_int_equal((unsigned char)text.data[text.length - 1] & 0x3f, c & 0x3f);
	}
}

/* ---- members ------------------------------------------------------------------------------- */

static void test_member(void **state)
{
	struct reading reading = read_string("{\"a\":1,\"b\":{\"x\":[1,2,3]},\"\\u0063\":\"third\","
					     "\"d\\u0000\":4,\"\":5,\"\\u00e9\":6,\"\\\\n\":7}");
	const struct ath_json_document *document = &reading.document;
	static const struct {
		const char *name;
		uint32_t index;
	} rows[] = {
		{ "a", 2 },         { "b", 4 },     { "c", 11 }, { "", 15 },
		{ "\xc3\xa9", 17 }, { "\\n", 19 },  { "x", 0 },  { "d", 0 },
		{ "A", 0 },         { "aa", 0 },    { "cc", 0 }, { "\\u0063", 0 },
		{ "\\u00e9", 0 },   { "\xc3", 0 },  { "\n", 0 }, { "\xc3\xa9\xa9", 0 },
		{ "\\n\\", 0 },     { "third", 0 }, { "\\", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		const struct ath_json_token *value =
			ath_json_member(document, document->tokens, rows[i].name);

		if (rows[i].index == 0)
			assert_null(value);
		else
			assert_ptr_equal(value, &document->tokens[rows[i].index]);
	}
	assert_non_null(ath_json_member(document, &document->tokens[4], "x"));
	assert_null(ath_json_member(document, &document->tokens[4], "a"));
	assert_null(ath_json_member(document, &document->tokens[2], "a"));
	assert_null(ath_json_member(document, &document->tokens[6], "1"));
	assert_null(ath_json_member(document, &document->tokens[6], "x"));
	free(reading.text);
}

static void test_member_of_nothing(void **state)
{
	struct reading reading = read_string("{}");

	(void)state;
	assert_null(ath_json_member(&reading.document, reading.document.tokens, ""));
	free(reading.text);
}

/* ---- duplicate names ----------------------------------------------------------------------- */

/*
 * An object of count members whose names are in no order; the one at second has the name
 * of the one at first, written with an escape if escaped. Returns where that name stands.
 */
static long write_object(struct ath_buffer *text, unsigned count, unsigned first, unsigned second,
			 bool escaped)
{
	size_t byte = 0;

	ath_buffer_string(text, "{");
	for (unsigned i = 0; i < count; i++) {
		unsigned number = (i == second ? first : i) * 7919 % 10007;

		if (i > 0)
			ath_buffer_string(text, ",");
		if (i == second)
			byte = text->length;
		ath_buffer_string(text, i == second && escaped ? "\"\\u006E" : "\"n");
		ath_buffer_printf(text, "%u\":[{\"n\":%u},%u]", number, i, i);
	}
	ath_buffer_string(text, "}");
	assert_false(text->failed);
	return (long)byte;
}

static void check_duplicate(unsigned count, unsigned first, unsigned second, bool escaped)
{
	struct ath_buffer text;
	struct reading reading;
	long byte;

	ath_buffer_init(&text, NULL, 1 << 24);
	byte = write_object(&text, count, first, second, escaped);
	reading = read_text(text.data, text.length);
	if (second < count) {
		assert_int_equal(reading.status, ATH_EINVAL);
		assert_int_equal(error_byte(&reading.error), byte);
	} else {
		assert_int_equal(reading.status, ATH_OK);
		assert_int_equal(reading.document.tokens[0].count, count);
		check_document(&reading, text.length);
	}
	free(reading.text);
	ath_buffer_free(&text);
}

/* Every pair, below and above the size at which names are no longer compared one by one. */
static void test_duplicates_by_pair(void **state)
{
	(void)state;
	for (unsigned count = 2; count <= 36; count += count < 15 || count > 17 ? 3 : 1) {
		check_duplicate(count, 0, count, false);
		for (unsigned second = 1; second < count; second++) {
			for (unsigned first = 0; first < second; first++)
				check_duplicate(count, first, second, (first + second) % 2 == 0);
		}
	}
}

static void test_duplicates_of_1000(void **state)
{
	static const unsigned pairs[][2] = {
		{ 0, 1 },   { 0, 999 },  { 998, 999 }, { 499, 500 },
		{ 1, 512 }, { 17, 640 }, { 0, 1000 }, /* none */
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(pairs); i++) {
		check_duplicate(1000, pairs[i][0], pairs[i][1], false);
		check_duplicate(1000, pairs[i][0], pairs[i][1], true);
	}
}

/* Members of a large object are still found when its names have been sorted. */
static void test_member_of_1000(void **state)
{
	struct ath_buffer text;
	struct reading reading;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 24);
	write_object(&text, 1000, 0, 1000, false);
	reading = read_text(text.data, text.length);
	assert_int_equal(reading.status, ATH_OK);
	for (unsigned i = 0; i < 1000; i++) {
		const struct ath_json_token *value;
		char name[16];

		snprintf(name, sizeof name, "n%u", i * 7919 % 10007);
		value = ath_json_member(&reading.document, reading.document.tokens, name);
		assert_ptr_equal(value, &reading.document.tokens[2 + 6 * i]);
	}
	assert_null(ath_json_member(&reading.document, reading.document.tokens, "n"));
	free(reading.text);
	ath_buffer_free(&text);
}

/*
 * Names that are long and differ only at their ends, half of them escaped all through: with
 * each compared with each this would be eight hundred million characters.
 */
static void test_hostile_names(void **state)
{
	enum { NAMES = 2000, LENGTH = 400 };
	struct ath_buffer text;
	struct reading reading;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 24);
	for (int i = 0; i < NAMES; i++) {
		ath_buffer_string(&text, i == 0 ? "{\"" : ",\"");
		for (int j = 0; j < LENGTH; j++)
			ath_buffer_string(&text, i % 2 == 0 ? "a" : "\\u0061");
		ath_buffer_printf(&text, "%d\":%d", i, i);
	}
	ath_buffer_string(&text, "}");
	assert_false(text.failed);
	reading = read_text(text.data, text.length);
	assert_int_equal(reading.status, ATH_OK);
	check_document(&reading, text.length);
	free(reading.text);
	ath_buffer_free(&text);
}

/* ---- memory -------------------------------------------------------------------------------- */

/* Refused with one ceiling after the other until one is high enough. */
static void test_ceiling(void **state)
{
	struct ath_buffer text;
	enum ath_status status = ATH_ENOMEM;
	size_t refused = 0;

	(void)state;
	ath_buffer_init(&text, NULL, 1 << 20);
	write_object(&text, 100, 0, 100, false);
	for (size_t ceiling = 1; status != ATH_OK; ceiling += 97) {
		struct ath_json_document document;
		struct ath_error error = { 0 };
		struct ath_arena *small;

		assert_int_equal(ath_arena_open(&small, ceiling), ATH_OK);
		status = ath_json_read(small, text.data, text.length, &document, &error);
		if (status != ATH_OK) {
			assert_int_equal(status, ATH_ENOMEM);
			assert_int_equal(error.status, ATH_ENOMEM);
			assert_true(error_byte(&error) >= 0);
			assert_null(document.tokens);
			refused++;
		}
		ath_arena_close(&small);
		assert_true(ceiling < 1 << 20);
	}
	assert_true(refused > 10);
	ath_buffer_free(&text);
}

static void test_ceiling_of_string(void **state)
{
	static const char json[] = "\"\\u0061bcdefghijklmnopqrstuvwxyz\"";
	struct ath_json_document document;
	struct ath_error error = { 0 };
	struct ath_arena *small;
	struct ath_text text;

	(void)state;
	assert_int_equal(ath_arena_open(&small, 2048), ATH_OK);
	assert_int_equal(ath_json_read(small, json, strlen(json), &document, &error), ATH_OK);
	while (ath_arena_alloc(small, 16) != NULL)
		;
	text = ath_json_string(small, &document, document.tokens);
	assert_null(text.data);
	assert_int_equal(text.length, 0);
	ath_arena_close(&small);
}

/* ---- damage -------------------------------------------------------------------------------- */

static const char whole[] =
	"{\"id\":-12.5e+3,\"\\u006eame\":\"gr\xc3\xbc\xc3\x9f \\ud83d\\ude00\\n\","
	"\"tags\":[\"\xe2\x82\xac\",true,false,null,[],{}],\"n\":{\"a\":0,\"b\":[1,2]}}";

static void test_every_prefix(void **state)
{
	struct reading reading = read_string(whole);

	(void)state;
	check_document(&reading, strlen(whole));
	free(reading.text);
	for (size_t length = 0; length < strlen(whole); length++) {
		reading = read_text(whole, length);
		assert_int_equal(reading.status, ATH_EINVAL);
		check_refusal(&reading, length);
		free(reading.text);
	}
}

/* Accepted or refused, it is one of the two in full. */
static void check_either(const char *text, size_t length)
{
	struct reading reading = read_text(text, length);

	if (reading.status == ATH_OK)
		check_document(&reading, length);
	else
		check_refusal(&reading, length);
	free(reading.text);
}

static void test_every_byte_changed(void **state)
{
	char text[sizeof whole];

	(void)state;
	memcpy(text, whole, sizeof whole);
	for (size_t i = 0; i < strlen(whole); i++) {
		for (int byte = 0; byte < 256; byte++) {
			text[i] = (char)byte;
			check_either(text, strlen(whole));
		}
		text[i] = whole[i];
	}
}

static void test_every_byte_lost_or_doubled(void **state)
{
	char text[sizeof whole + 1];
	size_t length = strlen(whole);

	(void)state;
	for (size_t i = 0; i < length; i++) {
		memcpy(text, whole, i);
		memcpy(text + i, whole + i + 1, length - i - 1);
		check_either(text, length - 1);
		memcpy(text, whole, i + 1);
		memcpy(text + i + 1, whole + i, length - i);
		check_either(text, length + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_first_error_stays),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_deep_by_one),
		cmocka_unit_test(test_four_gigabytes),
		cmocka_unit_test(test_no_text),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_many_elements),
		cmocka_unit_test(test_dense),
		cmocka_unit_test(test_string),
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_member),
		cmocka_unit_test(test_member_of_nothing),
		cmocka_unit_test(test_duplicates_by_pair),
		cmocka_unit_test(test_duplicates_of_1000),
		cmocka_unit_test(test_member_of_1000),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_ceiling_of_string),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_every_byte_changed),
		cmocka_unit_test(test_every_byte_lost_or_doubled),
	};

	return cmocka_run_group_tests_name("json_reader", tests, set_up, tear_down);
}
