/* options_text.c - the table of options as text: what is in force, --help, and the manual. */
#include <ctype.h>
#include <stdio.h>

#include "serve/options.h"

enum { COLUMN = 26, NAME_WIDTH = 22, VALUE_WIDTH = 24, PAGE_WIDTH = 79 };

/* ---- what is in force ------------------------------------------------------------------------ */

/* As a file would need it. */
static void write_value(struct ath_buffer *out, const char *value)
{
	if (strpbrk(value, "\"#") == NULL && value[strspn(value, " \t")] == value[0]) {
		ath_buffer_string(out, value);
		return;
	}
	ath_buffer_string(out, "\"");
	for (; *value != '\0'; value++)
		ath_buffer_printf(out, strchr("\"\\", *value) == NULL ? "%c" : "\\%c", *value);
	ath_buffer_string(out, "\"");
}

static void print_line(const struct ath_option *option,
		       const struct ath_configuration *configuration, struct ath_buffer *out)
{
	const char *source = configuration->sources[option - ath_options];
	struct ath_buffer value, written;
	char name[ATH_SPELT_SIZE];

	ath_buffer_init(&value, NULL, 1024 * 1024);
	ath_buffer_init(&written, NULL, 2 * 1024 * 1024);
	ath_option_get(option, configuration, &value);
	write_value(&written, ath_buffer_c_string(&value));
	ath_option_spell(name, option, ATH_SPELT_LINE, option->secrecy == ATH_SECRET_FILE);
	/* a file names no other: there it is a comment */
	ath_buffer_printf(out, "%s%-*s = %-*s # %s\n",
			  option->group == ATH_GROUP_GENERAL ? "# " : "", NAME_WIDTH, name,
			  VALUE_WIDTH, ath_buffer_c_string(&written),
			  source == NULL ? "default" : source);
	ath_buffer_free(&value);
	ath_buffer_free(&written);
}

void ath_print_configuration(const struct ath_configuration *configuration, struct ath_buffer *out)
{
	for (size_t i = 0; i < ath_option_count; i++)
		print_line(&ath_options[i], configuration, out);
}

/* ---- for a person ---------------------------------------------------------------------------- */

static void write_flag(const struct ath_option *option, bool file, struct ath_buffer *out)
{
	char flag[ATH_SPELT_SIZE];

	ath_buffer_string(out, ath_option_spell(flag, option, ATH_SPELT_FLAG, file));
	if (file || option->argument != NULL)
		ath_buffer_printf(out, " %s", file ? "FILE" : option->argument);
}

/* Word by word, and a new line where one would not fit; usual stands in brackets at the end. */
static void write_words(const char *text, size_t indent, const char *usual, struct ath_buffer *out)
{
	size_t column = indent, length;
	char brackets[64];

	snprintf(brackets, sizeof brackets, "(%s)", usual == NULL ? "" : usual);
	for (; *text != '\0' || usual != NULL; text += length + (text[length] == ' ')) {
		if (*text == '\0') {
			text = brackets;
			usual = NULL;
		}
		length = strcspn(text, " ");
		if (column > indent && column + 1 + length > PAGE_WIDTH) {
			ath_buffer_printf(out, "\n%*s", (int)indent, "");
			column = indent;
		}
		ath_buffer_printf(out, "%s%.*s", column > indent ? " " : "", (int)length, text);
		column += length + (column > indent);
	}
	ath_buffer_string(out, "\n");
}

static void help_row(const struct ath_option *option, bool file, const char *text,
		     struct ath_buffer *out)
{
	struct ath_buffer flag;

	ath_buffer_init(&flag, NULL, 256);
	write_flag(option, file, &flag);
	ath_buffer_c_string(&flag);
	ath_buffer_printf(out, "  %-*s", COLUMN, ath_buffer_c_string(&flag));
	if (flag.length >= COLUMN)
		ath_buffer_printf(out, "\n  %*s", COLUMN, "");
	write_words(text, COLUMN + 2, file ? NULL : option->usual, out);
	ath_buffer_free(&flag);
}

static void help_group(size_t group, struct ath_buffer *out)
{
	ath_buffer_printf(out, "\n%s:\n", ath_option_groups[group]);
	for (size_t i = 0; i < ath_option_count; i++) {
		const struct ath_option *option = &ath_options[i];

		if (option->group != group)
			continue;
		help_row(option, option->secrecy == ATH_SECRET_FILE, option->text, out);
		if (option->secrecy == ATH_SECRET)
			help_row(option, true, "a file that holds it", out);
	}
}

void ath_print_options_help(unsigned groups, struct ath_buffer *out)
{
	for (size_t group = 0; group < ATH_GROUPS; group++)
		if (groups & 1U << group)
			help_group(group, out);
}

/* ---- for the manual -------------------------------------------------------------------------- */

/* Text as a language of markup takes it. */
typedef void write_escaped(const char *text, struct ath_buffer *out);

static void write_roff(const char *text, struct ath_buffer *out)
{
	for (; *text != '\0'; text++)
		ath_buffer_printf(out, *text == '\\' ? "\\e" : *text == '-' ? "\\-" : "%c", *text);
}

/* In a cell of a table. */
static void write_markdown(const char *text, struct ath_buffer *out)
{
	for (; *text != '\0'; text++)
		ath_buffer_printf(out, strchr("|<", *text) == NULL ? "%c" : "\\%c", *text);
}

/* "the pid file" is the beginning of a sentence. */
static void write_sentences(const struct ath_option *option, write_escaped *write,
			    struct ath_buffer *out)
{
	ath_buffer_printf(out, "%c", toupper((unsigned char)option->text[0]));
	write(option->text + 1, out);
	ath_buffer_string(out, ".");
	if (option->more != NULL) {
		ath_buffer_string(out, " ");
		write(option->more, out);
	}
	if (option->once && option->group != ATH_GROUP_GENERAL)
		write(" It counts at a start, and not when HUP has the file read again.", out);
}

/* Its names in the environment, between what the markup puts around a name. */
static void write_variables(const struct ath_option *option, const char *before, const char *after,
			    struct ath_buffer *out)
{
	char variable[ATH_SPELT_SIZE];
	const char *separator = "";

	if (option->variable != NULL) {
		ath_buffer_printf(out, "%s%s%s", before, option->variable, after);
		separator = ", ";
	}
	if (option->secrecy != ATH_SECRET_FILE) {
		ath_option_spell(variable, option, ATH_SPELT_VARIABLE, false);
		ath_buffer_printf(out, "%s%s%s%s", separator, before, variable, after);
		separator = ", ";
	}
	if (option->secrecy != ATH_OPEN) {
		ath_option_spell(variable, option, ATH_SPELT_VARIABLE, true);
		ath_buffer_printf(out, "%s%s%s%s", separator, before, variable, after);
	}
}

static void man_flag(const struct ath_option *option, bool file, struct ath_buffer *out)
{
	char flag[ATH_SPELT_SIZE];

	ath_buffer_string(out, "\\fB");
	write_roff(ath_option_spell(flag, option, ATH_SPELT_FLAG, file), out);
	ath_buffer_string(out, "\\fR");
	if (file || option->argument != NULL)
		ath_buffer_printf(out, " \\fI%s\\fR", file ? "FILE" : option->argument);
}

static void man_row(const struct ath_option *option, struct ath_buffer *out)
{
	ath_buffer_string(out, ".TP\n");
	man_flag(option, option->secrecy == ATH_SECRET_FILE, out);
	if (option->secrecy == ATH_SECRET) {
		ath_buffer_string(out, ", ");
		man_flag(option, true, out);
	}
	ath_buffer_string(out, "\n");
	write_sentences(option, write_roff, out);
	if (option->usual != NULL) {
		ath_buffer_string(out, "\nThe default is ");
		write_roff(option->usual, out);
		ath_buffer_string(out, ".");
	}
	ath_buffer_string(out, "\nIn the environment: ");
	write_variables(option, "\\fB", "\\fR", out);
	ath_buffer_string(out, ".\n");
	if (option->group == ATH_GROUP_GENERAL) /* a file names no other */
		return;
	ath_buffer_printf(out, "In a file: \\fB%s%s\\fR", option->name,
			  option->secrecy == ATH_SECRET_FILE ? "_file" : "");
	if (option->secrecy == ATH_SECRET)
		ath_buffer_printf(out, ", \\fB%s_file\\fR", option->name);
	ath_buffer_string(out, ".\n");
}

void ath_print_options_man(struct ath_buffer *out)
{
	for (size_t group = 0; group < ATH_GROUPS; group++) {
		ath_buffer_printf(out, ".SS %s\n", ath_option_groups[group]);
		for (size_t i = 0; i < ath_option_count; i++)
			if (ath_options[i].group == group)
				man_row(&ath_options[i], out);
	}
}

static void markdown_flag(const struct ath_option *option, bool file, struct ath_buffer *out)
{
	struct ath_buffer flag;

	ath_buffer_init(&flag, NULL, 256);
	write_flag(option, file, &flag);
	ath_buffer_string(out, "`");
	write_markdown(ath_buffer_c_string(&flag), out);
	ath_buffer_string(out, "`");
	ath_buffer_free(&flag);
}

static void markdown_row(const struct ath_option *option, struct ath_buffer *out)
{
	ath_buffer_string(out, "| ");
	markdown_flag(option, option->secrecy == ATH_SECRET_FILE, out);
	if (option->secrecy == ATH_SECRET) {
		ath_buffer_string(out, ", ");
		markdown_flag(option, true, out);
	}
	ath_buffer_string(out, " | ");
	write_variables(option, "`", "`", out);
	ath_buffer_printf(out, option->usual == NULL ? " | " : " | `%s`", option->usual);
	ath_buffer_string(out, " | ");
	write_sentences(option, write_markdown, out);
	ath_buffer_string(out, " |\n");
}

void ath_print_options_markdown(struct ath_buffer *out)
{
	for (size_t group = 0; group < ATH_GROUPS; group++) {
		ath_buffer_printf(out,
				  "%s**%s**\n\n"
				  "| option | environment | default | what it is |\n"
				  "| --- | --- | --- | --- |\n",
				  group == 0 ? "" : "\n", ath_option_groups[group]);
		for (size_t i = 0; i < ath_option_count; i++)
			if (ath_options[i].group == group)
				markdown_row(&ath_options[i], out);
	}
}
