/*
 * main.c - the command line of every application. It prints what the others make, text or an error;
 * status alone writes by itself, again and again.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "serve/options.h"
#include "serve/scoreboard.h"

enum { FAILED = 1, USAGE = 2, MAX_OUTPUT = 16 * 1024 * 1024 };

struct invocation {
	const struct ath_app *app;
	int argc; /* the whole of it, for who starts the program again */
	char **argv;
	const char *name; /* of the command; NULL: none */
	const struct ath_command *command;
	char **words; /* behind it, and flags of its own; ends in NULL */
	int word_count;
	bool help, version, print_config;
	const char *print_options; /* in which language */
	struct ath_configuration configuration;
	struct ath_error error;
	struct ath_buffer out;
};

/* ---- saying what is wrong -------------------------------------------------------------------- */

/* A database, role or password that is wrong stays so until somebody changes something. */
static const char *remedy_of(const struct ath_error *error)
{
	static const struct {
		const char *sqlstate, *remedy;
	} rows[] = {
		{ "3D000", "create it, or correct the database URL" },
		{ "28000", "create the role or let it in (pg_hba.conf), or correct the URL" },
		{ "28P01", "correct the password" },
	};

	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		if (strcmp(error->sqlstate, rows[i].sqlstate) == 0)
			return rows[i].remedy;
	return NULL;
}

/* One line, whatever somebody has put into a name; a worker has told its master, and is silent. */
static void complain(const struct invocation *invocation)
{
	struct ath_error shown = invocation->error;
	const char *remedy = remedy_of(&shown);

	if (*shown.message == '\0')
		return;
	for (char *c = shown.message; *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	fprintf(stderr, "%s: %s%s%s\n", invocation->app->name, shown.message,
		remedy == NULL ? "" : ": ", remedy == NULL ? "" : remedy);
}

static int failed(const struct invocation *invocation)
{
	complain(invocation);
	return remedy_of(&invocation->error) == NULL ? FAILED : USAGE;
}

static int refused(const struct invocation *invocation)
{
	complain(invocation);
	return USAGE;
}

/* Of what looks at the whole configuration by itself. */
static int failed_or_refused(const struct invocation *invocation)
{
	return invocation->error.status == ATH_EINVAL ? refused(invocation) : failed(invocation);
}

ATH_PRINTF(2, 3)
static int usage_error(struct invocation *invocation, const char *format, ...)
{
	char text[200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	ath_error_set(&invocation->error, ATH_EINVAL, "%s: see %s --help", text,
		      invocation->app->name);
	return refused(invocation);
}

/* What was made goes out at once, and whole. */
static int print(struct invocation *invocation, int code)
{
	struct ath_buffer *out = &invocation->out;

	if (out->failed)
		ath_error_set(&invocation->error, ATH_ENOMEM, "out of memory");
	else if ((out->length > 0 && fwrite(out->data, out->length, 1, stdout) != 1) ||
		 fflush(stdout) != 0)
		ath_error_set(&invocation->error, ATH_EIO, "standard output: %s", strerror(errno));
	else
		return code;
	return failed(invocation);
}

/* ---- commands ------------------------------------------------------------------------------- */

static bool has_word(const struct invocation *invocation, const char *word)
{
	for (int i = 0; i < invocation->word_count; i++)
		if (strcmp(invocation->words[i], word) == 0)
			return true;
	return false;
}

static int serve(struct invocation *invocation)
{
	struct ath_configuration *configuration = &invocation->configuration;
	struct ath_error *error = &invocation->error;

	if (ath_check_spool(configuration, error) != ATH_OK)
		return refused(invocation);
	if (ath_master_serve(invocation->app, configuration, invocation->argc, invocation->argv,
			     error) != ATH_OK)
		return failed_or_refused(invocation);
	return 0;
}

static void migrated(const char *file)
{
	printf("%s\n", file);
}

static void list_migration(const char *migration, enum ath_migration_state state, void *arg)
{
	static const char *const states[] = {
		[ATH_MIGRATION_APPLIED] = "applied",
		[ATH_MIGRATION_PENDING] = "pending",
		[ATH_MIGRATION_UNKNOWN] = "unknown",
	};
	struct invocation *invocation = arg;

	ath_buffer_printf(&invocation->out, "%s  %s\n", states[state], migration);
}

static enum ath_status run_migrations(struct invocation *invocation, struct ath_engine *engine)
{
	const char *directory = invocation->configuration.migrations;
	struct ath_error *error = &invocation->error;

	if (has_word(invocation, "status"))
		return ath_migrations_list(engine, directory, list_migration, invocation, error);
	if (has_word(invocation, "down"))
		return ath_migrate_down(engine, directory, migrated, error);
	return ath_migrate_up(engine, directory, migrated, error);
}

static int migrate(struct invocation *invocation)
{
	/* one line says what failed: failed()'s, and not the engine's log beside it */
	static const struct ath_log silent = { .fd = -1 };
	const struct ath_configuration *configuration = &invocation->configuration;
	/* a migration may take long, and so may the one that another process runs before it */
	struct ath_engine_options options = { .statement_timeout_ms = -1,
					      .lock_timeout_ms = -1,
					      .password = configuration->database_password,
					      .log = &silent };
	struct ath_error *error = &invocation->error;
	struct ath_engine *engine = NULL;
	enum ath_status status;

	if (ath_check_migrations(configuration, error) != ATH_OK ||
	    ath_engine_open(&engine, configuration->database_url, &options, error) != ATH_OK)
		return refused(invocation);
	status = run_migrations(invocation, engine);
	ath_engine_close(&engine);
	return status == ATH_OK ? print(invocation, 0) : failed(invocation);
}

static int routes(struct invocation *invocation)
{
	if (ath_print_routes(invocation->app, has_word(invocation, "--json"), &invocation->out,
			     &invocation->error) != ATH_OK)
		return refused(invocation);
	return print(invocation, 0);
}

static int check(struct invocation *invocation)
{
	bool good =
		ath_check_command(invocation->app, &invocation->configuration, &invocation->out);

	return print(invocation, good ? 0 : FAILED);
}

/* Prints by itself, and knows its own exit status. */
static int status(struct invocation *invocation)
{
	return ath_status_command(invocation->app, &invocation->configuration,
				  invocation->word_count, invocation->words);
}

static int no_such_command(struct invocation *invocation, const char *name)
{
	char guess[ATH_GUESS_SIZE];

	return usage_error(invocation, "there is no command \"%.60s\"%s", name,
			   ath_command_guess(guess, name));
}

static int help(struct invocation *invocation)
{
	const struct ath_command *command = invocation->command;

	if (command == &ath_commands[ATH_COMMAND_HELP] && has_word(invocation, "metrics")) {
		ath_metrics_document(&invocation->out);
		return print(invocation, 0);
	}
	if (command == &ath_commands[ATH_COMMAND_HELP] && invocation->word_count > 0) {
		command = ath_command_find(invocation->words[0]);
		if (command == NULL)
			return no_such_command(invocation, invocation->words[0]);
	}
	ath_print_help(invocation->app->name, command, &invocation->out);
	return print(invocation, 0);
}

static int version(struct invocation *invocation)
{
	int libpq = ath_postgresql_version();

	ath_buffer_printf(&invocation->out, "%s %s\nathanor %s, libpq %d.%d, %s\n",
			  invocation->app->name, invocation->app->version, ATH_VERSION,
			  libpq / 10000, libpq % 10000,
#ifdef __clang__
			  "clang " __clang_version__
#else
			  "gcc " __VERSION__
#endif
	);
	return print(invocation, 0);
}

static int print_options(struct invocation *invocation)
{
	if (strcmp(invocation->print_options, "man") == 0)
		ath_print_options_man(&invocation->out);
	else if (strcmp(invocation->print_options, "markdown") == 0)
		ath_print_options_markdown(&invocation->out);
	else
		return usage_error(invocation, "--print-options is man or markdown, not \"%.60s\"",
				   invocation->print_options);
	return print(invocation, 0);
}

/* ---- the command line ------------------------------------------------------------------------ */

/* False: it is none of those that go with every command. */
static bool take_general_flag(struct invocation *invocation, const struct ath_argument *argument)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "--help", &invocation->help },
		{ "-h", &invocation->help },
		{ "--version", &invocation->version },
		{ "--print-config", &invocation->print_config },
	};

	for (size_t i = 0; i < ATH_COUNT(flags); i++)
		if (strcmp(argument->text, flags[i].name) == 0)
			return *flags[i].flag = true;
	if (strncmp(argument->text, "--print-options", 15) != 0 || argument->value == NULL)
		return false;
	invocation->print_options = argument->value;
	return true;
}

/* Parts the command, its words and the flags that are no options of the table. */
static enum ath_status read_command_line(struct invocation *invocation)
{
	struct ath_arguments arguments = { .argc = invocation->argc,
					   .at = 1,
					   .argv = invocation->argv };
	struct ath_argument argument;

	invocation->words = calloc((size_t)invocation->argc + 1, sizeof *invocation->words);
	if (invocation->words == NULL)
		return ath_error_set(&invocation->error, ATH_ENOMEM, "out of memory");
	while (ath_next_argument(&arguments, &argument, &invocation->error)) {
		if (argument.option != NULL ||
		    (argument.flag && take_general_flag(invocation, &argument)))
			continue;
		if (invocation->name == NULL && !argument.flag)
			invocation->name = argument.text;
		else
			invocation->words[invocation->word_count++] = argument.text;
	}
	return invocation->error.status;
}

static int refuse_flag(struct invocation *invocation, const char *flag)
{
	static const char *const general[] = { "--help", "--version", "--print-config",
					       "--print-options=man", NULL };
	char guess[ATH_GUESS_SIZE];
	size_t length = strcspn(flag, "=");

	ath_option_guess(guess, flag, length, ATH_SPELT_FLAG);
	if (*guess == '\0')
		ath_word_guess(guess, flag, general);
	return usage_error(invocation, "%.60s is no option%s", flag, guess);
}

static bool is_word_of(const struct ath_command *command, const char *word)
{
	const char *const *known = command == NULL ? NULL : command->words;

	for (; known != NULL && *known != NULL; known++)
		if (strcmp(*known, word) == 0)
			return true;
	return command != NULL && command->operand && *word != '-';
}

/* 0: all of them make sense. Flags go first: what stands behind a wrong one may be its value. */
static int check_words(struct invocation *invocation)
{
	const struct ath_command *command = invocation->command;
	int plain = 0, wrong = 0;

	for (int i = 0; i < invocation->word_count; i++) {
		const char *word = invocation->words[i];
		bool known = is_word_of(command, word);

		if (*word == '-' && !known)
			return refuse_flag(invocation, word);
		plain += *word != '-';
		wrong += !known || plain > 1;
	}
	if (invocation->name != NULL && command == NULL)
		return no_such_command(invocation, invocation->name);
	if (wrong == 0)
		return 0;
	return usage_error(invocation, "%s takes %s", command->name,
			   *command->arguments == '\0' ? "no arguments" : command->arguments);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int read_configuration(struct invocation *invocation, bool needs_database)
{
	struct ath_configuration *configuration = &invocation->configuration;

	if (ath_configuration_read(configuration, NULL, invocation->argc, invocation->argv,
				   &invocation->error) == ATH_OK &&
	    needs_database && configuration->database_url == NULL)
		ath_error_set(&invocation->error, ATH_EINVAL,
			      "DATABASE_URL is not set: postgresql://user@host/database");
	return invocation->error.status == ATH_OK ? 0 : failed_or_refused(invocation);
}

static int print_configuration(struct invocation *invocation)
{
	int code = read_configuration(invocation, false);

	if (code != 0)
		return code;
	ath_print_configuration(&invocation->configuration, &invocation->out);
	return print(invocation, 0);
}

static int answer_cgi(struct invocation *invocation)
{
	struct ath_configuration *configuration = &invocation->configuration;
	struct ath_error *error = &invocation->error;
	int code = read_configuration(invocation, true);

	if (code != 0)
		return code;
	if (ath_check_spool(configuration, error) != ATH_OK ||
	    ath_logs_open(configuration, error) != ATH_OK ||
	    ath_worker_cgi(invocation->app, configuration, error) != ATH_OK)
		return failed_or_refused(invocation);
	return 0;
}

static int run_command(struct invocation *invocation)
{
	static int (*const run[])(struct invocation * invocation) = {
		[ATH_COMMAND_SERVE] = serve,   [ATH_COMMAND_MIGRATE] = migrate,
		[ATH_COMMAND_ROUTES] = routes, [ATH_COMMAND_CHECK] = check,
		[ATH_COMMAND_STATUS] = status, [ATH_COMMAND_HELP] = help,
	};
	const struct ath_command *command = invocation->command;
	int code = 0;

	_Static_assert(ATH_COUNT(run) == ATH_COMMANDS, "every command is run by a function");
	if (command->needs != ATH_NEEDS_NOTHING)
		code = read_configuration(invocation, command->needs == ATH_NEEDS_DATABASE);
	return code == 0 ? run[command - ath_commands](invocation) : code;
}

/* What asks for text comes before what does something; then a socket is served, a person helped. */
static int run(struct invocation *invocation)
{
	int code;

	if (invocation->name != NULL)
		invocation->command = ath_command_find(invocation->name);
	code = check_words(invocation);
	if (code != 0)
		return code;
	if (invocation->version)
		return version(invocation);
	if (invocation->print_options != NULL)
		return print_options(invocation);
	if (invocation->help)
		return help(invocation);
	if (invocation->print_config)
		return print_configuration(invocation);
	if (invocation->command == NULL && ath_socket_is_given())
		invocation->command = &ath_commands[ATH_COMMAND_SERVE];
	if (invocation->command != NULL)
		return run_command(invocation);
	if (invocation->argc > 1)
		return usage_error(invocation, "there is no command");
	return help(invocation);
}

int ath_main(const struct ath_app *app, int argc, char **argv)
{
	struct invocation invocation = { .app = app, .argc = argc, .argv = argv };
	int code;

	ath_buffer_init(&invocation.out, NULL, MAX_OUTPUT);
	/* web servers make arguments of a query such as "?migrate+down" (RFC 3875, 4.4) */
	if (getenv("GATEWAY_INTERFACE") != NULL)
		invocation.argc = 1;
	if (read_command_line(&invocation) != ATH_OK)
		code = failed_or_refused(&invocation);
	else if (getenv("GATEWAY_INTERFACE") != NULL && !ath_socket_is_given())
		code = answer_cgi(&invocation);
	else
		code = run(&invocation);
	ath_configuration_close(&invocation.configuration);
	ath_buffer_free(&invocation.out);
	free(invocation.words);
	return code;
}
