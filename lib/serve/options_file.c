/*
 * options_file.c - options from a file, lines of name = value; and the files that hold one secret.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "serve/options.h"

enum { MAX_SECRET = 64 * 1024, MAX_FILE = 1024 * 1024, STEP = 4096, LABEL_SIZE = 320 };

static bool ok(const struct ath_reading *reading)
{
	return reading->error->status == ATH_OK;
}

/* ---- files ---------------------------------------------------------------------------------- */

static char *refuse_file(struct ath_reading *reading, const char *path, const char *label,
			 int error)
{
	ath_error_set(reading->error, ATH_EINVAL, "%s: %s cannot be read: %s", label, path,
		      strerror(error));
	return NULL;
}

/* A pipe is read as well: its end is where it ends. True when all of it is there. */
static bool read_all(int fd, struct ath_buffer *text)
{
	char *room;
	ssize_t more;

	while ((room = ath_buffer_reserve(text, STEP)) != NULL) {
		more = read(fd, room, STEP);
		if (more == 0)
			return true;
		if (more < 0 && errno != EINTR)
			return false;
		text->length += more > 0 ? (size_t)more : 0;
	}
	return true;
}

static char *check_text(struct ath_reading *reading, struct ath_buffer *text, const char *path,
			const char *label, size_t most)
{
	if (text->failed || text->length > most)
		ath_error_set(reading->error, ATH_EINVAL, "%s: %s is larger than %zu KiB", label,
			      path, most / 1024);
	else if (text->length > 0 && memchr(text->data, '\0', text->length) != NULL)
		ath_error_set(reading->error, ATH_EINVAL, "%s: %s is no text: it holds a NUL",
			      label, path);
	return ok(reading) ? ath_reading_keep(reading, text->data, text->length) : NULL;
}

/* The whole of a text file; NULL, and error says why: label is who asked for it. */
static char *read_file(struct ath_reading *reading, const char *path, const char *label,
		       size_t most)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct ath_buffer buffer;
	char *text;

	if (fd < 0)
		return refuse_file(reading, path, label, errno);
	ath_buffer_init(&buffer, NULL, most + STEP);
	text = read_all(fd, &buffer) ? check_text(reading, &buffer, path, label, most)
				     : refuse_file(reading, path, label, errno);
	ath_buffer_free(&buffer);
	close(fd);
	return text;
}

/* One line; what ends it is not part of it. */
const char *ath_reading_secret(struct ath_reading *reading, const char *path, const char *label)
{
	char *text = read_file(reading, path, label, MAX_SECRET), *end;

	if (text == NULL)
		return NULL;
	end = text + strcspn(text, "\r\n");
	if (end[strspn(end, "\r\n")] != '\0')
		ath_error_set(reading->error, ATH_EINVAL, "%s: %s holds more than one line", label,
			      path);
	*end = '\0';
	if (*text == '\0')
		ath_error_set(reading->error, ATH_EINVAL, "%s: %s is empty", label, path);
	return ok(reading) ? text : NULL;
}

/* ---- the file ------------------------------------------------------------------------------- */

struct line {
	const char *file;
	int number;
	struct ath_text name;
	char *value;
};

static void refuse_line(struct ath_reading *reading, const struct line *line, const char *what)
{
	ath_error_set(reading->error, ATH_EINVAL, "%s:%d: %s", line->file, line->number, what);
}

static char *skip_blank(char *text)
{
	return text + strspn(text, " \t\r");
}

/* "..." with \" and \\ in it, in place; then nothing but a comment. */
static char *unquote(char *text)
{
	char *out = text, *in = text + 1;

	while (*in != '"' && *in != '\0') {
		in += *in == '\\' && (in[1] == '"' || in[1] == '\\');
		*out++ = *in++;
	}
	if (*in == '\0')
		return NULL;
	in = skip_blank(in + 1);
	if (*in != '\0' && *in != '#')
		return NULL;
	*out = '\0';
	return text;
}

/* Up to a comment, which stands behind a blank, and without the blanks at its end. */
static char *cut_value(char *text)
{
	size_t length = 0;

	while (text[length] != '\0' &&
	       (text[length] != '#' || (length > 0 && strchr(" \t", text[length - 1]) == NULL)))
		length++;
	while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
		length--;
	text[length] = '\0';
	return text;
}

/* False: it says nothing, or error says what is wrong with it. */
static bool split_line(struct ath_reading *reading, char *text, struct line *line)
{
	char *name = skip_blank(text), *equals;

	if (*name == '\0' || *name == '#')
		return false;
	line->name = (struct ath_text){ name, strcspn(name, " \t\r=") };
	equals = skip_blank(name + line->name.length);
	if (line->name.length == 0 || *equals != '=') {
		refuse_line(reading, line,
			    "a line is name = value, or a comment that begins with #");
		return false;
	}
	line->value = skip_blank(equals + 1);
	line->value = *line->value == '"' ? unquote(line->value) : cut_value(line->value);
	if (line->value == NULL)
		refuse_line(reading, line, "a value that begins with \" ends with one");
	return line->value != NULL;
}

static void refuse_name(struct ath_reading *reading, const struct line *line)
{
	char what[LABEL_SIZE], guess[ATH_GUESS_SIZE];

	snprintf(what, sizeof what, "%.*s is no option%s",
		 line->name.length > 60 ? 60 : (int)line->name.length, line->name.data,
		 ath_option_guess(guess, line->name.data, line->name.length, ATH_SPELT_LINE));
	refuse_line(reading, line, what);
}

static const struct ath_option *option_of(struct ath_reading *reading, const struct line *line,
					  bool *file)
{
	const struct ath_option *option =
		ath_option_find(line->name.data, line->name.length, ATH_SPELT_LINE, file);
	char what[ATH_SPELT_SIZE + 40];

	if (option == NULL)
		refuse_name(reading, line);
	else if (option->offset == offsetof(struct ath_configuration, config))
		refuse_line(reading, line, "a file names no other file");
	else if (reading->lines[option - ath_options] != 0) {
		snprintf(what, sizeof what, "%s is said in line %d already", option->name,
			 reading->lines[option - ath_options]);
		refuse_line(reading, line, what);
	}
	return ok(reading) ? option : NULL;
}

/* A value that is empty says nothing, as in the environment. */
static void read_line(struct ath_reading *reading, char *text, struct line *line)
{
	char who[LABEL_SIZE], label[LABEL_SIZE + ATH_SPELT_SIZE], spelt[ATH_SPELT_SIZE];
	const struct ath_option *option;
	bool file;

	if (!split_line(reading, text, line))
		return;
	option = option_of(reading, line, &file);
	if (option == NULL || *line->value == '\0')
		return;
	reading->lines[option - ath_options] = line->number;
	snprintf(who, sizeof who, "%s:%d", line->file, line->number);
	snprintf(label, sizeof label, "%s: %s", who,
		 ath_option_spell(spelt, option, ATH_SPELT_LINE, file));
	ath_reading_set(reading, option, file, line->value, label, who);
}

void ath_reading_lines(struct ath_reading *reading, const char *path)
{
	struct line line = { .file = path };
	char *text = read_file(reading, path, "the configuration", MAX_FILE), *next;

	reading->lines = ath_new(reading->configuration.memory, int, ath_option_count);
	if (reading->lines == NULL)
		ath_error_set(reading->error, ATH_ENOMEM, "out of memory");
	while (ok(reading) && *text != '\0') {
		next = text + strcspn(text, "\n");
		if (*next != '\0')
			*next++ = '\0';
		line.number++;
		read_line(reading, text, &line);
		text = next;
	}
}
