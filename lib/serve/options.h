/*
 * options.h - the options of an application: one const table, and what is made of it. Whoever reads
 * a configuration, prints one, or documents what there is walks the same rows.
 */
#ifndef ATH_SERVE_OPTIONS_H
#define ATH_SERVE_OPTIONS_H

#include "serve/internal.h"

/* The C type of the member that a row fills follows from it. */
enum ath_option_type {
	ATH_OPTION_TEXT,   /* const char * */
	ATH_OPTION_FILE,   /* const char *; a path */
	ATH_OPTION_OUTPUT, /* const char *; off, on or a path */
	ATH_OPTION_SOCKET, /* const char *; unix:PATH or HOST:PORT */
	ATH_OPTION_COUNT,  /* int64_t, as all that are numbers */
	ATH_OPTION_SIZE,   /* bytes: 512M */
	ATH_OPTION_TIME,   /* milliseconds: 15s, 250ms */
	ATH_OPTION_MODE,   /* of a file: 0660 */
	ATH_OPTION_SWITCH, /* bool: on or off; --NAME alone is on */
	ATH_OPTION_WORD,   /* an enum: its words in order */
};

enum ath_option_group {
	ATH_GROUP_DATABASE,
	ATH_GROUP_SOCKETS,
	ATH_GROUP_PROCESSES,
	ATH_GROUP_REQUESTS,
	ATH_GROUP_LOGS,
	ATH_GROUP_GENERAL,
	ATH_GROUPS
};
extern const char *const ath_option_groups[ATH_GROUPS];

/* How much one may keep to himself. */
enum ath_secrecy {
	ATH_OPEN,
	ATH_SECRET,     /* not printed; NAME_file and a credential say it, too */
	ATH_SECRET_FILE /* these alone say it: no command line, no environment holds it */
};

struct ath_option {
	const char *name; /* as a file has it: stop_timeout */
	enum ath_option_group group;
	enum ath_option_type type;
	enum ath_secrecy secrecy;
	size_t offset;       /* of the member of struct ath_configuration */
	int64_t least, most; /* of numbers */
	bool zero;           /* is possible although it is below least */
	bool automatic;      /* "auto" is -1 */
	bool once;           /* counts at a start alone, not when it is read again */
	const char *const *words;
	const char *usual;    /* the default as one would write it; NULL: none */
	const char *variable; /* an older name in the environment; NULL: none */
	const char *argument; /* what it takes: "FILE" */
	const char *text;     /* one line, for --help */
	const char *more;     /* what the manual says besides; NULL: nothing */
};

extern const struct ath_option ath_options[];
extern const size_t ath_option_count;

/* ---- how a name is spelt (option_names.c) ---------------------------------------------------- */

enum ath_spelling {
	ATH_SPELT_FLAG,     /* --stop-timeout */
	ATH_SPELT_VARIABLE, /* ATHANOR_STOP_TIMEOUT */
	ATH_SPELT_LINE      /* stop_timeout, of a file */
};
enum { ATH_SPELT_SIZE = 64 };

/* file: the name of the file that holds it, stop_timeout_file. Returns spelt. */
const char *ath_option_spell(char spelt[ATH_SPELT_SIZE], const struct ath_option *option,
			     enum ath_spelling spelling, bool file);
/* Which option is it? file: whether the value is a file's name. NULL: none. */
const struct ath_option *ath_option_find(const char *name, size_t length,
					 enum ath_spelling spelling, bool *file);
/*
 * " (did you mean X?)" when an option, or one of words (which ends in NULL, or is NULL), is near;
 * else "". Returns text.
 */
enum { ATH_GUESS_SIZE = ATH_SPELT_SIZE + 32 };
const char *ath_option_guess(char text[ATH_GUESS_SIZE], const char *name, size_t length,
			     enum ath_spelling spelling);
const char *ath_word_guess(char text[ATH_GUESS_SIZE], const char *name, const char *const *words);

/* ---- values (option_values.c) ---------------------------------------------------------------- */

/*
 * Puts a value into its member. label: who says it, "--workers" or "users.conf:3: workers", for the
 * error, which says what is possible. The text is borrowed.
 */
enum ath_status ath_option_set(const struct ath_option *option,
			       struct ath_configuration *configuration, const char *value,
			       const char *label, struct ath_error *error) ATH_MUST_CHECK;
/* The value as one would write it, or "" where there is none; secrets as ****. */
void ath_option_get(const struct ath_option *option, const struct ath_configuration *configuration,
		    struct ath_buffer *out);
/* The member of one configuration as it is in another, whose text it shares. */
void ath_option_copy(const struct ath_option *option, struct ath_configuration *to,
		     const struct ath_configuration *from);
/* A number's text in the unit of its type. */
void ath_option_number(enum ath_option_type type, int64_t number, struct ath_buffer *out);

/* ---- the command line (command_line.c) ------------------------------------------------------- */

/* One argument behind the other. */
struct ath_arguments {
	int argc, at;
	char **argv;
	bool ended; /* by "--" */
};

struct ath_argument {
	const struct ath_option *option; /* NULL: none of the table */
	bool file;
	bool flag;         /* of none: it begins with "-" */
	char *text;        /* as it stands there */
	const char *value; /* of an option; of another flag what stands behind =, or NULL */
};

/* False when there is none left, or error says what is wrong with it. */
bool ath_next_argument(struct ath_arguments *arguments, struct ath_argument *argument,
		       struct ath_error *error);

/* ---- reading (options.c, options_file.c) ----------------------------------------------------- */

struct ath_reading {
	struct ath_configuration configuration;
	struct ath_error *error;
	int *lines; /* of the file: which of them says an option; 0: none yet */
};

/* A copy that lives as long as the configuration; NULL, and an error: there is no memory. */
char *ath_reading_keep(struct ath_reading *reading, const char *text, size_t length);
/*
 * What an option is, as who says (label in errors, who for --print-config; NULL: the default). The
 * value is borrowed; file: it is the name of a file that holds it.
 */
void ath_reading_set(struct ath_reading *reading, const struct ath_option *option, bool file,
		     const char *value, const char *label, const char *who);
/* The one line of a file; NULL, and an error: it cannot be read, or is not one line. */
const char *ath_reading_secret(struct ath_reading *reading, const char *path, const char *label);
/* All lines of a configuration file. */
void ath_reading_lines(struct ath_reading *reading, const char *path);

/* ---- what is printed of them (options_text.c) ------------------------------------------------ */

void ath_print_configuration(const struct ath_configuration *configuration, struct ath_buffer *out);
/* For --help: the rows of some groups, bits 1 << enum ath_option_group. */
void ath_print_options_help(unsigned groups, struct ath_buffer *out);
/* For the manual: roff of man(7), and Markdown. */
void ath_print_options_man(struct ath_buffer *out);
void ath_print_options_markdown(struct ath_buffer *out);

/* ---- commands (help.c, routes.c, check.c) ---------------------------------------------------- */

enum ath_command_number {
	ATH_COMMAND_SERVE,
	ATH_COMMAND_MIGRATE,
	ATH_COMMAND_ROUTES,
	ATH_COMMAND_CHECK,
	ATH_COMMAND_STATUS,
	ATH_COMMAND_HELP,
	ATH_COMMANDS
};

struct ath_command {
	const char *name, *arguments, *text;
	const char *more;         /* for its own --help; NULL: nothing */
	const char *const *words; /* that may stand behind it; ends in NULL; NULL: none */
	bool operand;             /* any one word that is no flag may stand there, too */
	unsigned groups; /* of the options that it heeds: bits 1 << enum ath_option_group */
	enum { ATH_NEEDS_NOTHING, ATH_NEEDS_CONFIGURATION, ATH_NEEDS_DATABASE } needs;
};
extern const struct ath_command ath_commands[ATH_COMMANDS];

/* NULL: there is none. */
const struct ath_command *ath_command_find(const char *name);
const char *ath_command_guess(char text[ATH_GUESS_SIZE], const char *name);
/* Of a command, or (NULL) of the program, whose name is the first. */
void ath_print_help(const char *name, const struct ath_command *command, struct ath_buffer *out);

/* All routes, groups expanded. */
enum ath_status ath_print_routes(const struct ath_app *app, bool json, struct ath_buffer *out,
				 struct ath_error *error) ATH_MUST_CHECK;
/* Directories that must be there. ATH_EINVAL: error says what to do. */
enum ath_status ath_check_spool(const struct ath_configuration *configuration,
				struct ath_error *error) ATH_MUST_CHECK;
enum ath_status ath_check_migrations(const struct ath_configuration *configuration,
				     struct ath_error *error) ATH_MUST_CHECK;
/* Is what is needed there? A line each; false: something is wrong. */
bool ath_check_command(const struct ath_app *app, const struct ath_configuration *configuration,
		       struct ath_buffer *out);

#endif
