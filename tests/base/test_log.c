/*
 * test_log.c - log lines. They go through a pipe in packet mode, where one read returns what
 * one write has written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/internal.h"
#include "json_check.h"

static int ends[2];
static struct ath_log to_pipe;

static int setup(void **state)
{
	(void)state;
	to_pipe = (struct ath_log){ .level = ATH_LOG_DEBUG };
	if (pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC) != 0)
		return -1;
	to_pipe.fd = ends[1];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* The next packet, which must be one whole line, as "name=value;..." without the time. */
static const char *next_line(void)
{
	static char line[5000], members[5000];
	ssize_t length = read(ends[0], line, sizeof line - 1);
	struct ath_timestamp time;
	char *time_end;

	if (length < 0)
		return NULL;
	line[length] = '\0';
	assert_in_range(length, 1, 4000);
	assert_int_equal(strlen(line), length);
	assert_ptr_equal(strchr(line, '\n'), line + length - 1);
	assert_ptr_equal(json_object(line, members), line + length - 1);
	assert_int_equal(strncmp(members, "time=", 5), 0);
	time_end = strchr(members, ';');
	assert_true(ath_timestamp_parse(
		(struct ath_text){ members + 5, (size_t)(time_end - members) - 5 }, &time));
	return time_end + 1;
}

static void say(enum ath_log_level level, const char *message)
{
	struct ath_log_line line;

	ath_log_begin(&line, &to_pipe, level, message);
	ath_log_end(&line);
}

static void test_a_line(void **state)
{
	struct ath_log_line line;

	(void)state;
	ath_log_begin(&line, &to_pipe, ATH_LOG_WARNING, "pipeline lost");
	ath_log_text(&line, "reason", "\"quoted\"\n");
	ath_log_int(&line, "tries", -3);
	ath_log_int(&line, "least", INT64_MIN);
	ath_log_text(&line, "empty", "");
	assert_null(next_line()); /* nothing yet */
	ath_log_end(&line);
	assert_string_equal(next_line(), "level=warning;message=pipeline lost;"
					 "reason=\"quoted\"\n;tries=-3;"
					 "least=-9223372036854775808;empty=;");
	assert_null(next_line());
}

static void test_one_write_a_line(void **state)
{
	(void)state;
	say(ATH_LOG_ERROR, "one");
	say(ATH_LOG_INFO, "two");
	assert_string_equal(next_line(), "level=error;message=one;");
	assert_string_equal(next_line(), "level=info;message=two;");
	assert_null(next_line());
}

static void test_levels(void **state)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };

	(void)state;
	for (size_t i = 0; i < 16; i++) {
		size_t level = i % 4;
		char expected[64];

		to_pipe.level = (enum ath_log_level)(i / 4);
		say((enum ath_log_level)level, "m");
		snprintf(expected, sizeof expected, "level=%s;message=m;", names[level]);
		if (level <= i / 4)
			assert_string_equal(next_line(), expected);
		assert_null(next_line());
	}
}

static void test_no_log_at_all(void **state)
{
	struct ath_log_line line;

	(void)state;
	ath_log_begin(&line, NULL, ATH_LOG_ERROR, "message");
	ath_log_text(&line, "a", "b");
	ath_log_int(&line, "c", 1);
	ath_log_end(&line);
	assert_null(next_line());
}

static void test_text_is_made_valid(void **state)
{
	struct ath_log_line line;

	(void)state;
	ath_log_begin(&line, &to_pipe, ATH_LOG_ERROR, "\x01\xff");
	ath_log_text(&line, "a\"b", "\xe2\x82");
	ath_log_end(&line);
	assert_string_equal(next_line(), "level=error;message=\x01\xef\xbf\xbd;"
					 "a\"b=\xef\xbf\xbd\xef\xbf\xbd;");
}

static void test_a_member_that_is_too_long_is_dropped(void **state)
{
	static char value[4000];
	struct ath_log_line line;

	(void)state;
	memset(value, 'v', sizeof value - 1);
	ath_log_begin(&line, &to_pipe, ATH_LOG_ERROR, "m");
	ath_log_int(&line, "before", 1);
	ath_log_text(&line, "long", value);
	ath_log_text(&line, value, "long");
	ath_log_int(&line, value, 2);
	ath_log_int(&line, "after", 3);
	ath_log_end(&line);
	assert_string_equal(next_line(), "level=error;message=m;before=1;after=3;");
	say(ATH_LOG_ERROR, value);
	assert_string_equal(next_line(), "level=error;");
}

/* Around the ceiling: whatever is dropped, the line stays whole, and once dropped it stays so. */
static void test_every_length_leaves_a_whole_line(void **state)
{
	static char value[2100];
	bool dropped = false;

	(void)state;
	for (size_t length = 1800; length < sizeof value; length++) {
		struct ath_log_line line;
		const char *members;

		memset(value, 'v', length);
		ath_log_begin(&line, &to_pipe, ATH_LOG_ERROR, "m");
		ath_log_text(&line, "long", value);
		ath_log_int(&line, "n", 12345);
		ath_log_end(&line);
		members = next_line();
		assert_non_null(members);
		assert_false(dropped && strstr(members, "long=") != NULL);
		dropped = strstr(members, "long=") == NULL;
		assert_false(dropped && strstr(members, "n=12345;") == NULL);
	}
	assert_true(dropped);
}

static void test_many_members_fill_the_line(void **state)
{
	struct ath_log_line line;
	const char *members;
	int count = 0;

	(void)state;
	ath_log_begin(&line, &to_pipe, ATH_LOG_ERROR, "m");
	for (int i = 0; i < 1000; i++)
		ath_log_text(&line, "name", "\n\n\n\n");
	ath_log_end(&line);
	members = next_line();
	assert_non_null(members);
	while ((members = strstr(members, "name=\n\n\n\n;")) != NULL)
		members++, count++;
	assert_in_range(count, 100, 130); /* 17 bytes each */
}

/* What a terminal would act upon, and JSON would let pass. */
static void test_controls_are_escaped(void **state)
{
	static const enum ath_log_form forms[] = { ATH_LOG_JSON, ATH_LOG_READABLE,
						   ATH_LOG_COLOURED };
	char text[2000], *found;
	ssize_t length;

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(forms); i++) {
		struct ath_log_line line;

		to_pipe.form = forms[i];
		ath_log_begin(&line, &to_pipe, ATH_LOG_INFO, "a\x1b[2Jb\x7f\xc2\x9b.");
		ath_log_text(&line, "n\x1b\n", "\r\n\x1b]0;x\x07 \xc2\x80\xc2\x9f\xc2\xa0\x7f");
		ath_log_end(&line);
		length = read(ends[0], text, sizeof text - 1);
		assert_true(length > 0);
		text[length] = '\0';
		found = strchr(text, '\n');
		assert_ptr_equal(found, text + length - 1);
		/* the colour of the level is the one that is ours */
		found = strstr(text, "a\\u001b[2Jb\\u007f\\u009b.");
		assert_non_null(found);
		assert_non_null(strstr(found, "n\\u001b\\n"));
		assert_non_null(strstr(found, "\\r\\n\\u001b]0;x\\u0007 \\u0080\\u009f\xc2\xa0"
					      "\\u007f"));
		for (; *found != '\n'; found++)
			assert_true((unsigned char)*found >= ' ' && *found != '\x7f');
	}
}

/* The rest of the next line, behind the time, which must be there. */
static const char *next_readable(void)
{
	static char line[5000];
	ssize_t length = read(ends[0], line, sizeof line - 1);
	struct ath_timestamp time;

	if (length < 0)
		return NULL;
	line[length] = '\0';
	assert_true(length > 25 && line[24] == ' ' && line[23] == 'Z' && line[19] == '.');
	assert_true(ath_timestamp_parse((struct ath_text){ line, 24 }, &time));
	return line + 25;
}

static void test_a_readable_line(void **state)
{
	static char value[3000];
	struct ath_log_line line;

	(void)state;
	to_pipe.form = ATH_LOG_READABLE;
	ath_log_begin(&line, &to_pipe, ATH_LOG_WARNING, "pipeline \"lost\"");
	ath_log_text(&line, "reason", "it is gone");
	ath_log_text(&line, "word", "a,b:c");
	ath_log_text(&line, "empty", "");
	ath_log_text(&line, "equal", "a=b");
	ath_log_text(&line, "quote", "\"");
	ath_log_int(&line, "tries", -3);
	ath_log_end(&line);
	assert_string_equal(next_readable(),
			    "warning pipeline \\\"lost\\\" reason=\"it is gone\" word=a,b:c "
			    "empty=\"\" equal=\"a=b\" quote=\"\\\"\" tries=-3\n");
	to_pipe.form = ATH_LOG_COLOURED;
	say(ATH_LOG_ERROR, "m");
	assert_string_equal(next_readable(), "\033[1;31merror\033[0m m\n");
	memset(value, 'v', sizeof value - 1);
	ath_log_begin(&line, &to_pipe, ATH_LOG_INFO, "m");
	ath_log_text(&line, "long", value);
	ath_log_int(&line, "after", 1);
	ath_log_end(&line);
	assert_string_equal(next_readable(), "\033[32minfo\033[0m m after=1\n");
}

static void test_numbers_and_json(void **state)
{
	struct ath_buffer json;
	struct ath_log_line line;

	(void)state;
	ath_buffer_init(&json, NULL, 100);
	ath_buffer_string(&json, "1e3");
	for (int readable = 0; readable < 2; readable++) {
		to_pipe.form = readable ? ATH_LOG_READABLE : ATH_LOG_JSON;
		ath_log_begin(&line, &to_pipe, ATH_LOG_INFO, "m");
		ath_log_thousandths(&line, "a", 0);
		ath_log_thousandths(&line, "b", 1234);
		ath_log_thousandths(&line, "c", 5000001);
		ath_log_json(&line, "d", &json);
		ath_log_end(&line);
		if (!readable)
			assert_string_equal(next_line(), "level=info;message=m;a=0.000;b=1.234;"
							 "c=5000.001;d=1e3;");
		else
			assert_string_equal(next_readable(),
					    "info m a=0.000 b=1.234 c=5000.001 d=1e3\n");
	}
	to_pipe.form = ATH_LOG_JSON;
	json.failed = true;
	ath_log_begin(&line, &to_pipe, ATH_LOG_INFO, "m");
	ath_log_json(&line, "d", &json);
	ath_log_int(&line, "e", 1);
	ath_log_end(&line);
	assert_string_equal(next_line(), "level=info;message=m;e=1;");
	ath_buffer_free(&json);
}

static void test_a_line_with_room_of_its_own(void **state)
{
	static char bytes[4000], value[3000];
	struct ath_log_line line;
	const char *members;

	(void)state;
	memset(value, 'v', sizeof value - 1);
	ath_log_begin_long(&line, &to_pipe, ATH_LOG_ERROR, "m", bytes, sizeof bytes);
	ath_log_text(&line, "long", value);
	ath_log_text(&line, "too", value);
	ath_log_int(&line, "after", 3);
	ath_log_end(&line);
	members = next_line();
	assert_int_equal(strncmp(members, "level=error;message=m;long=vvv", 30), 0);
	assert_string_equal(strstr(members, "v;after"), "v;after=3;");
}

static int batches;

static void begun(struct ath_log_batch *batch)
{
	assert_int_equal(batch->length, 0);
	batches++;
}

static void test_lines_are_written_together(void **state)
{
	static struct ath_log_batch batch = { .begun = begun };
	static char value[1000], got[2 * sizeof batch.bytes];
	size_t length = 0, lines = 0;
	ssize_t more;

	(void)state;
	to_pipe.batch = &batch;
	say(ATH_LOG_INFO, "one");
	say(ATH_LOG_INFO, "two");
	assert_int_equal(read(ends[0], got, sizeof got), -1); /* nothing yet */
	assert_int_equal(batches, 1);
	ath_log_flush(&batch);
	assert_true((length = (size_t)read(ends[0], got, sizeof got)) < sizeof got);
	got[length] = '\0';
	assert_non_null(strstr(got, "one"));
	assert_non_null(strstr(got, "two"));
	ath_log_flush(&batch);
	assert_int_equal(read(ends[0], got, sizeof got), -1);
	/* more than there is room for: what was there goes first, and no line is cut */
	memset(value, 'v', sizeof value - 1);
	for (int i = 0; i < 40; i++)
		say(ATH_LOG_INFO, value);
	ath_log_flush(&batch);
	for (length = 0; (more = read(ends[0], got + length, sizeof got - length)) > 0;)
		length += (size_t)more;
	for (size_t i = 0; i < length; i++)
		lines += got[i] == '\n';
	assert_int_equal(lines, 40);
	assert_int_equal(batches, 3);
}

static void test_a_log_that_cannot_be_written_is_no_error(void **state)
{
	struct ath_log_line line;

	(void)state;
	to_pipe.fd = -1;
	say(ATH_LOG_ERROR, "to nowhere");
	to_pipe.fd = ends[1];
	for (int i = 0; i < 200000 && errno != EAGAIN; i++)
		say(ATH_LOG_ERROR, "to a pipe that nobody empties");
	assert_int_equal(errno, EAGAIN);
	ath_log_begin(&line, &to_pipe, ATH_LOG_ERROR, "m");
	ath_log_end(&line);
	assert_string_equal(next_line(), "level=error;message=to a pipe that nobody empties;");
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		row(test_a_line),
		row(test_one_write_a_line),
		row(test_levels),
		row(test_no_log_at_all),
		row(test_text_is_made_valid),
		row(test_a_member_that_is_too_long_is_dropped),
		row(test_every_length_leaves_a_whole_line),
		row(test_many_members_fill_the_line),
		row(test_controls_are_escaped),
		row(test_a_readable_line),
		row(test_numbers_and_json),
		row(test_a_line_with_room_of_its_own),
		row(test_lines_are_written_together),
		row(test_a_log_that_cannot_be_written_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
