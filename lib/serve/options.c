/*
 * options.c - who says what an option is: the default, a credential of systemd's, a file, the
 * environment, the command line. Each of them is gone through whole, and what comes later wins; so
 * a mistake is refused even where something else would have won.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "serve/options.h"

enum {
	MAX_TEXTS = 16 * 1024 * 1024,
	MAX_SECRET = 64 * 1024,
	MAX_FILE = 1024 * 1024,
	STEP = 4096,
	LABEL_SIZE = 320
};

struct reading {
	struct ath_configuration configuration;
	struct ath_error *error;
	int *lines; /* of the file: which of them says an option; 0: none yet */
};

static bool ok(const struct reading *reading)
{
	return reading->error->status == ATH_OK;
}

static char *keep(struct reading *reading, const char *text, size_t length)
{
	char *copy = ath_arena_copy(reading->configuration.memory, text, length);

	if (copy == NULL)
		ath_error_set(reading->error, ATH_ENOMEM, "out of memory");
	return copy;
}

/* ---- files ---------------------------------------------------------------------------------- */

static char *refuse_file(struct reading *reading, const char *path, const char *label, int error)
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

static char *check_text(struct reading *reading, struct ath_buffer *text, const char *path,
			const char *label, size_t most)
{
	if (text->failed || text->length > most)
		ath_error_set(reading->error, ATH_EINVAL, "%s: %s is larger than %zu KiB", label,
			      path, most / 1024);
	else if (text->length > 0 && memchr(text->data, '\0', text->length) != NULL)
		ath_error_set(reading->error, ATH_EINVAL, "%s: %s is no text: it holds a NUL",
			      label, path);
	return ok(reading) ? keep(reading, text->data, text->length) : NULL;
}

/* The whole of a text file; NULL, and error says why: label is who asked for it. */
static char *read_file(struct reading *reading, const char *path, const char *label, size_t most)
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
static const char *read_secret(struct reading *reading, const char *path, const char *label)
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

/* ---- one value ------------------------------------------------------------------------------ */

/* who: for --print-config. The value is borrowed, unless it is the name of a file. */
static void set(struct reading *reading, const struct ath_option *option, bool file,
		const char *value, const char *label, const char *who)
{
	if (file && *value == '\0')
		ath_error_set(reading->error, ATH_EINVAL, "%s has no value", label);
	if (file && ok(reading))
		value = read_secret(reading, value, label);
	if (!ok(reading) ||
	    ath_option_set(option, &reading->configuration, value, label, reading->error) != ATH_OK)
		return;
	reading->configuration.sources[option - ath_options] =
		who == NULL ? NULL : keep(reading, who, strlen(who));
}

static void set_defaults(struct reading *reading)
{
	for (size_t i = 0; ok(reading) && i < ath_option_count; i++)
		if (ath_options[i].usual != NULL)
			set(reading, &ath_options[i], false, ath_options[i].usual,
			    ath_options[i].name, NULL);
}

/* ---- credentials: systemd's LoadCredential= ----------------------------------------------------
 */

static void read_credential(struct reading *reading, const char *directory,
			    const struct ath_option *option)
{
	char path[4096], label[LABEL_SIZE];

	if (snprintf(path, sizeof path, "%s/%s", directory, option->name) >= (int)sizeof path ||
	    (access(path, F_OK) != 0 && errno == ENOENT))
		return;
	snprintf(label, sizeof label, "credential %s", option->name);
	set(reading, option, true, path, label, label);
}

static void read_credentials(struct reading *reading)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");

	for (size_t i = 0; directory != NULL && ok(reading) && i < ath_option_count; i++)
		if (ath_options[i].secrecy != ATH_OPEN)
			read_credential(reading, directory, &ath_options[i]);
}

/* ---- the file ------------------------------------------------------------------------------- */

struct line {
	const char *file;
	int number;
	struct ath_text name;
	char *value;
};

static void refuse_line(struct reading *reading, const struct line *line, const char *what)
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
static bool split_line(struct reading *reading, char *text, struct line *line)
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

static void refuse_name(struct reading *reading, const struct line *line)
{
	char what[LABEL_SIZE], guess[ATH_GUESS_SIZE];

	snprintf(what, sizeof what, "%.*s is no option%s",
		 line->name.length > 60 ? 60 : (int)line->name.length, line->name.data,
		 ath_option_guess(guess, line->name.data, line->name.length, ATH_SPELT_LINE));
	refuse_line(reading, line, what);
}

static const struct ath_option *option_of(struct reading *reading, const struct line *line,
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
static void read_line(struct reading *reading, char *text, struct line *line)
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
	set(reading, option, file, line->value, label, who);
}

/* Of the command line, or the environment. */
static const char *file_name(const struct ath_arguments *given, struct ath_error *error)
{
	struct ath_arguments arguments = *given;
	struct ath_argument argument;
	const char *name = getenv("ATHANOR_CONFIG");

	while (ath_next_argument(&arguments, &argument, error))
		if (argument.option != NULL &&
		    argument.option->offset == offsetof(struct ath_configuration, config))
			name = argument.value;
	return name;
}

static void read_configuration_file(struct reading *reading, const struct ath_arguments *arguments)
{
	struct line line = { .file = file_name(arguments, reading->error) };
	char *text, *next;

	if (!ok(reading) || line.file == NULL || *line.file == '\0')
		return;
	text = read_file(reading, line.file, "the configuration", MAX_FILE);
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

/* ---- the environment ------------------------------------------------------------------------ */

/* What the house says to itself. */
static bool is_own(const char *variable)
{
	static const char *const prefixes[] = { "ATHANOR_TEST_", "ATHANOR_UPGRADE_",
						"ATHANOR_TRIAL=" };

	for (size_t i = 0; i < ATH_COUNT(prefixes); i++)
		if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static bool is_older_name(const char *name, size_t length)
{
	for (size_t i = 0; i < ath_option_count; i++)
		if (ath_options[i].variable != NULL &&
		    ath_text_is((struct ath_text){ name, length }, ath_options[i].variable))
			return true;
	return false;
}

/* ATHANOR_WORKER=8 would change nothing, and nobody would know why. */
static void refuse_unknown_variables(struct reading *reading)
{
	char guess[ATH_GUESS_SIZE];
	bool file;

	for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
		size_t length = strcspn(*variable, "=");

		if (strncmp(*variable, "ATHANOR_", 8) != 0 || is_own(*variable) ||
		    ath_option_find(*variable, length, ATH_SPELT_VARIABLE, &file) != NULL ||
		    is_older_name(*variable, length))
			continue;
		ath_error_set(reading->error, ATH_EINVAL, "%.*s in the environment is no option%s",
			      length > 60 ? 60 : (int)length, *variable,
			      ath_option_guess(guess, *variable, length, ATH_SPELT_VARIABLE));
	}
}

/* An empty one says nothing. */
static const char *variable(const char *name)
{
	const char *value = name == NULL ? NULL : getenv(name);

	return value == NULL || *value == '\0' ? NULL : value;
}

static void read_variable(struct reading *reading, const struct ath_option *option, bool file,
			  const char *name)
{
	char who[LABEL_SIZE];
	char *value = keep(reading, variable(name), strlen(variable(name)));

	snprintf(who, sizeof who, "environment %s", name);
	if (value != NULL)
		set(reading, option, file, value, name, who);
}

static void read_variables(struct reading *reading, const struct ath_option *option)
{
	char own[ATH_SPELT_SIZE], file[ATH_SPELT_SIZE];
	const char *value, *path;

	value = option->secrecy == ATH_SECRET_FILE
			? NULL
			: ath_option_spell(own, option, ATH_SPELT_VARIABLE, false);
	if (variable(value) == NULL)
		value = option->variable;
	path = option->secrecy == ATH_OPEN
		       ? NULL
		       : ath_option_spell(file, option, ATH_SPELT_VARIABLE, true);
	if (variable(value) != NULL && variable(path) != NULL)
		ath_error_set(reading->error, ATH_EINVAL,
			      "%s and %s in the environment say it twice: unset one", value, path);
	else if (variable(value) != NULL)
		read_variable(reading, option, false, value);
	else if (variable(path) != NULL)
		read_variable(reading, option, true, path);
}

static void read_environment(struct reading *reading)
{
	refuse_unknown_variables(reading);
	for (size_t i = 0; ok(reading) && i < ath_option_count; i++)
		read_variables(reading, &ath_options[i]);
}

/* ---- the command line ----------------------------------------------------------------------- */

/* What is none of the table is for main.c, which has refused what nobody knows. */
static void read_flags(struct reading *reading, const struct ath_arguments *given)
{
	struct ath_arguments arguments = *given;
	struct ath_argument argument;
	char flag[ATH_SPELT_SIZE];

	while (ok(reading) && ath_next_argument(&arguments, &argument, reading->error)) {
		const char *value;

		if (argument.option == NULL)
			continue;
		value = keep(reading, argument.value, strlen(argument.value));
		ath_option_spell(flag, argument.option, ATH_SPELT_FLAG, argument.file);
		if (value != NULL)
			set(reading, argument.option, argument.file, value, flag, flag);
	}
}

/* ---- all of it ------------------------------------------------------------------------------ */

/* Until ath_logs_open() all that is written goes where errors do. */
static void set_logs(struct ath_configuration *configuration)
{
	configuration->log.fd = STDERR_FILENO;
	configuration->access = (struct ath_log){
		.fd = strcmp(configuration->access_file, "off") == 0 ? -1 : STDERR_FILENO,
		.level = ATH_LOG_INFO,
	};
	configuration->slow = (struct ath_log){
		.fd = strcmp(configuration->slow_file, "off") == 0 ? -1 : STDERR_FILENO,
		.level = ATH_LOG_WARNING,
	};
}

/* What cannot change while the process runs is as it was. */
static void keep_old(struct reading *reading, const struct ath_configuration *old)
{
	struct ath_configuration *configuration = &reading->configuration;
	enum ath_log_level level = configuration->log.level;

	for (size_t i = 0; i < ath_option_count; i++)
		if (ath_options[i].once) {
			ath_option_copy(&ath_options[i], configuration, old);
			configuration->sources[i] = old->sources[i];
		}
	configuration->log = old->log;
	configuration->log.level = level;
	configuration->access = old->access;
	configuration->slow = old->slow;
	configuration->fresh = configuration->memory;
	configuration->memory = old->memory;
}

static void read_all_of_it(struct reading *reading, const struct ath_arguments *arguments)
{
	struct ath_configuration *configuration = &reading->configuration;

	configuration->sources = ath_new(configuration->memory, const char *, ath_option_count);
	if (configuration->sources == NULL)
		ath_error_set(reading->error, ATH_ENOMEM, "out of memory");
	set_defaults(reading);
	read_credentials(reading);
	read_configuration_file(reading, arguments);
	read_environment(reading);
	read_flags(reading, arguments);
}

enum ath_status ath_configuration_read(struct ath_configuration *configuration,
				       const struct ath_configuration *old, int argc, char **argv,
				       struct ath_error *error)
{
	struct ath_arguments arguments = { .argc = argc, .at = 1, .argv = argv };
	struct reading reading = { .error = error };

	ath_error_clear(error);
	*configuration = (struct ath_configuration){ 0 };
	if (ath_arena_open(&reading.configuration.memory, MAX_TEXTS) != ATH_OK)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	read_all_of_it(&reading, &arguments);
	if (error->status != ATH_OK) {
		ath_arena_close(&reading.configuration.memory);
		return error->status;
	}
	set_logs(&reading.configuration);
	if (old != NULL)
		keep_old(&reading, old);
	*configuration = reading.configuration;
	return ATH_OK;
}

void ath_configuration_drop(struct ath_configuration *configuration)
{
	ath_arena_close(&configuration->fresh);
}

void ath_configuration_close(struct ath_configuration *configuration)
{
	ath_arena_close(&configuration->fresh);
	ath_arena_close(&configuration->memory);
}
