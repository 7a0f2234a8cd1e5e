/*
 * test_json_rules.c - what is JSON and what is not (RFC 8259), rule by rule: texts that must be
 * accepted, texts that must be refused, and what we do where the RFC leaves it open.
 *
 * The rules are those that the JSON Parsing Test Suite looks for, and more of the same kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json_reading.h"

/* ---- texts that are JSON ------------------------------------------------------------------- */

struct good {
	const char *text;
	size_t length;
	uint32_t tokens;
};

/* clang-format off */
#define GOOD(text_, tokens_) { text_, sizeof(text_) - 1, tokens_ }

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

	/* more of each, as other readers have got them wrong */
	GOOD("[[]    ]", 2), GOOD("[\"\"]", 2), GOOD("[false]", 2), GOOD("[null, 8, \"8\", {}]", 5),
	GOOD("[7\n]", 2), GOOD(" [7]", 2), GOOD("[7] ", 2), GOOD("[ 6]", 2), GOOD("[\"\"]\n", 2),
	GOOD("[true]", 2), GOOD(" [] ", 1), GOOD("-0.7", 1), GOOD("\" \"", 1), GOOD("[0e3]", 2),
	GOOD("[3E-4]", 2), GOOD("[3E+4]", 2), GOOD("[3e+4]", 2), GOOD("[3e4]", 2),
	GOOD("[3e-4]", 2), GOOD("[5.0e6]", 2), GOOD("[5.5E6]", 2),
	GOOD("[-0.00000000000000000000000000000000000000"
	     "00000000000000000000000000000000000003]",
	     2),
	GOOD("[-6]", 2), GOOD("[345]", 2), GOOD("{\"uvw\":\"xyz\", \"rst\":\"opq\"}", 5),
	GOOD("{\"left\\u0000right\": 7}", 3), GOOD("{ \"low\": -3.0e+30, \"high\": 3.0e+30 }", 5),
	GOOD("{\"y\":[{\"key\": \"yyyyyyyyyyyyyyyy\"}], \"key\": \"yyyyyyyyyyyyyyyyyyyy\"}", 8),
	GOOD("{\"name\":\"\\u0416\\u0443\\u043a \\u0438 \\u0421\\u043b\\u043e\\u043d\"}", 3),
	GOOD("{\n\"u\": \"v\"\n}", 3), GOOD("{\"\":7}", 3), GOOD("{\"u\":[]}", 3),
	GOOD("[\"\\u0040\\u011a\\u13CD\"]", 2), GOOD("[\"\\uD802\\udc21\"]", 2),
	GOOD("[\"\\ud83d\\ude3a\\ud83d\\udc8e\"]", 2), GOOD("[\"\\\\u0000\"]", 2),
	GOOD("[\"x/*y*/z/*u//v\"]", 2), GOOD("[\"\\\\x\"]", 2), GOOD("[ \"uvw\"]", 2),
	GOOD("[\"old\\u00A0word\"]", 2), GOOD("[\"uvw \"]", 2), GOOD("[\"\\uD834\\uDd21\"]", 2),
	GOOD("[\"\\u0b85\"]", 2), GOOD("[\"\\u0145\"]", 2),
	GOOD("[\"\\u0062\\u30ab\\u30EB\\u30ba\"]", 2), GOOD("[\"old\\u000Aword\"]", 2),
	GOOD("[\"\\u200C\"]", 2), GOOD("[\"\\u2063\"]", 2), GOOD("[\"x\x7fx\"]", 2),
	GOOD("[\"\xe2\x8d\x82\xe3\x88\xb4\xe2\x8d\x82\"]", 2), GOOD("[\"\xf4\x8f\xbf\xbe\"]", 2),
	GOOD("[\"\xef\xbf\xbe\"]", 2), GOOD("[\"\\uDBFF\\uDFFD\"]", 2), GOOD("[\"\\uFDD1\"]", 2),
	GOOD("[\"\\u0021\"]", 2), GOOD("[\"\xcf\x80\"]", 2),
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

	/* more arrays */
	BAD("[y\xe5]", 1), BAD("[\"\": 7]", 3), BAD("[\"\"],", 4), BAD("[\"y\",,]", 5),
	BAD("[\"y\"]]", 5), BAD("[\"y\"", 4), BAD("[y", 1), BAD("[5[6]]", 2), BAD("[   , \"\"]", 4),
	BAD("[\"u\",\n5\n,7,", 11), BAD("[\"\vu\"\\f]", 2), BAD("[*]", 1), BAD("[\"\"", 3),
	BAD("[7,\n8\n,9", 8), BAD("[7,]", 3), BAD("[fals]", 1), BAD("[tru]", 1), BAD("[7]y", 3),
	BAD("7]", 1), BAD("[\"uvw]", 1), BAD("[ false, nul", 9), BAD("[ true, fals", 8),
	BAD("[ false, tru", 9), BAD("[<null>]", 1), BAD("<.>", 0), BAD("[\0]", 1),
	BAD("[\"y\", trooth]", 6), BAD("[\\u000A\"\"]", 1), BAD("['", 1), BAD("[{", 2),
	BAD("[\"u\"", 4), BAD("[\"\\{[\"\\{[\"\\{", 2), BAD("[7}", 2),

	/* more numbers */
	BAD("[-3.0.]", 5), BAD("[.-3]", 1), BAD("[.3e-4]", 1), BAD("[0.3.4]", 4), BAD("[0.4e+]", 6),
	BAD("[0.4e]", 5), BAD("[0E+]", 4), BAD("[0E]", 3), BAD("[3.0e+]", 6), BAD("[3.0e-]", 6),
	BAD("[3.0e]", 5), BAD("[3 000.0]", 3), BAD("[3.e+4]", 3), BAD("[3.e-4]", 3),
	BAD("[3.e4]", 3), BAD("[8.e+]", 3), BAD("[Inf]", 1), BAD("[0e+-3]", 4),
	BAD("[-345.345bar]", 9), BAD("[3e3\xe5]", 4), BAD("[0\xe5]\n", 2), BAD("[345\xe5]", 4),
	BAD("[-3y]", 3), BAD("[3eb]", 3), BAD("[3.4b-5]", 4), BAD("[.345]", 1), BAD("[0x4A]", 2),
	BAD("[3+4]", 2), BAD("[-023]", 3), BAD("[++345]", 1), BAD("4@", 1), BAD("[0.e3]", 3),

	/* more strings */
	BAD("[\"\\uD801\\\"]", 2), BAD("[\"\\uD801\\u\"]", 2), BAD("[\"\\uD801\\u2\"]", 2),
	BAD("[\"\\uD801\\u2y\"]", 2), BAD("[\"\\\0\"]", 2), BAD("[\"\\x01\"]", 2),
	BAD("[\"\\\t\"]", 2), BAD("[\"\\\xf0\x9f\x8c\x81\"]", 2), BAD("[\"\\\"]", 1),
	BAD("[\"\\u01B\"]", 2), BAD("[\"\\uD835\\uDe\"]", 2), BAD("[\"\\uD801\\uD801\\y\"]", 2),
	BAD("[\"\\u\xe5\"]", 2), BAD("[\"\\b\\g\"]", 4), BAD("[\"\\uzzzz\"]", 2),
	BAD("[\"\\\xe5\"]", 2), BAD("[\"\\a\xe5\"]", 2), BAD("['one quote']", 1), BAD("[\"\\", 2),
	BAD("[\"old\nword\"]", 5), BAD("[\"\t\"]", 2), BAD("\"\\UB77E\"", 1), BAD("\"\"y", 2),
	BAD("y", 0), BAD("[\"x\0x\"]", 3), BAD("[\xc3\xa5]", 1), BAD("\\u0022x\\u0022", 0),

	/* more objects */
	BAD("{[: \"y\"}", 1), BAD("{\"y\", null}", 4), BAD("{\"y\"::\"z\"}", 5),
	BAD("{\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa}", 1), BAD("{\"u\":\"u\" 345}", 9),
	BAD("{word: 'text'}", 1), BAD("{\"\xb8\":\"1\",}", 2), BAD("{\"u\" v}", 5),
	BAD("{:\"v\"}", 1), BAD("{\"u\" \"v\"}", 5), BAD("{8888E8888:7}", 1),
	BAD("{null:null,null:null}", 1), BAD("{\"key\":1,,,,,}", 9), BAD("{'u':1}", 1),
	BAD("{\"key\":1,}", 9), BAD("{\"u\":\"v\"}/**/", 9), BAD("{\"u\":\"v\"}/**//", 9),
	BAD("{\"u\":\"v\"}//", 9), BAD("{\"u\":\"v\"}/", 9), BAD("{\"u\":\"v\",,\"w\":\"x\"}", 9),
	BAD("{u: \"v\"}", 1), BAD("{\"u\":\"u", 5), BAD("{ \"bar\" : \"foo\", \"u\" }", 21),
	BAD("{\"u\":\"v\"}#", 9), BAD("{\"y\": true,", 11), BAD("{\"\":", 4),
	BAD("{\"u\":/*note*/\"v\"}", 5), BAD("{\"u\": true} \"y\"", 12), BAD("{,", 1), BAD("{[", 1),
	BAD("{'u'", 1), BAD("{\"u\":\"v\"}#{}", 9), BAD("{\"uvw\":\"uvw\"", 12), BAD("{\"u", 1),
	BAD("{\"u\":[{\"v", 7), BAD("{7:7}", 1),
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
/* ---- what the RFC leaves to the reader --------------------------------------------------------
 */

struct open {
	const char *text;
	size_t length;
	enum ath_status status;
	const char *what;
};

/* clang-format off */
#define OPEN(text_, status_, what_) { text_, sizeof(text_) - 1, ATH_##status_, what_ }

static const struct open open_rules[] = {
	/* numbers are kept as they stand: what they are read into decides whether they fit */
	OPEN("[0.7e0066999999999999999]", OK, "an exponent past every double"),
	OPEN("[-3e+88888]", OK, "a number below every double"),
	OPEN("[2.4e88888]", OK, "a number above every double"),
	OPEN("[456e-20000]", OK, "a number between zero and every double"),
	OPEN("[456.789e-70000]", OK, "the same with a fraction"),
	OPEN("[-77777777777777777777777777777]", OK, "an integer below int64"),
	OPEN("[88888888888888888888]", OK, "an integer above int64"),
	OPEN("[3.33333333333333333333333333333333333333333333]", OK,
	     "more digits than a double has"),

	/* one name twice says two things: refused, since programs differ in which they take */
	OPEN("{\"k\":1,\"k\":2}", EINVAL, "a name twice with two values"),
	OPEN("{\"k\":1,\"k\":1}", EINVAL, "a name twice with one value"),
	OPEN("{\"k\":1,\"\\u006b\":2}", EINVAL, "a name twice, escaped once"),

	/* half a surrogate pair is no character */
	OPEN("{\"\\uDCBA\":0}", EINVAL, "a low surrogate alone in a name"),
	OPEN("[\"\\uDABC\"]", EINVAL, "a high surrogate alone"),
	OPEN("[\"\\uDEAD\"]", EINVAL, "a low surrogate alone"),
	OPEN("[\"\\uD999\\u1357\"]", EINVAL, "a high surrogate and another character"),
	OPEN("[\"\\uD811\\n\"]", EINVAL, "a high surrogate and an escape"),
	OPEN("[\"\\uD811\\uD811\\n\"]", EINVAL, "two high surrogates and an escape"),
	OPEN("[\"\\uD81fx\"]", EINVAL, "a high surrogate and a letter"),
	OPEN("[\"\\uDD2e\\uD835\"]", EINVAL, "a pair the wrong way round"),

	/* what is no UTF-8 is no JSON */
	OPEN("[\"\xe6\x97\xa5\xd9\"]", EINVAL, "a sequence without its end"),
	OPEN("[\"\xe5\"]", EINVAL, "Latin-1"),
	OPEN("[\"\x82\"]", EINVAL, "a continuation byte alone"),
	OPEN("[\"\xe0\xfe\"]", EINVAL, "a sequence cut by a byte that is never one"),
	OPEN("[\"\xed\xa1\x80\"]", EINVAL, "a surrogate as three bytes"),
	OPEN("[\"\xf4\xbe\xbf\xbf\"]", EINVAL, "a code point past U+10FFFF"),
	OPEN("[\"\xc0\xae\"]", EINVAL, "two bytes for an ASCII character"),
	OPEN("[\"\xfc\x83\xbf\xbf\xbf\xbe\"]", EINVAL, "six bytes"),
	OPEN("[\"\xfc\x80\x80\x80\x80\x80\"]", EINVAL, "six bytes for NUL"),

	/* nor is another encoding, and there is no mark to tell one by */
	OPEN("\xef\xbb\xbf[]", EINVAL, "UTF-8 with a byte order mark"),
	OPEN("\xff\xfe[\0\"\0z\0\"\0]\0", EINVAL, "UTF-16, little end first, with a mark"),
	OPEN("[\0\"\0z\0\"\0]\0", EINVAL, "UTF-16, little end first"),
	OPEN("\0[\0\"\0z\0\"\0]", EINVAL, "UTF-16, big end first"),
	OPEN("\0\0\0[\0\0\0]", EINVAL, "UTF-32, big end first"),

	/* depth */
	OPEN(OPEN_32 CLOSE_32, OK, "32 levels"),
	OPEN(OPEN_32 "[]" CLOSE_32, ETOOBIG, "33 levels"),
	OPEN(OPEN_32 OPEN_32 "0" CLOSE_32 CLOSE_32, ETOOBIG, "64 levels"),
};
/* clang-format on */

static void test_open_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(open_rules); i++) {
		const struct open *row = &open_rules[i];
		struct reading reading = read_text(row->text, row->length);

		if (reading.status != row->status)
			fail_msg("%s: %s", row->what, reading.error.message);
		if (row->status == ATH_OK)
			check_document(&reading, row->length);
		else
			check_refusal(&reading, row->length);
		free(reading.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_open_rules),
	};

	return cmocka_run_group_tests_name("json_rules", tests, set_up, tear_down);
}
