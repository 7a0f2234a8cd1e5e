/*
 * options.c - who says what an option is: the default, a credential of systemd's, a file, the
 * environment, the command line. Each of them is gone through whole, and what comes later wins; so
 * a mistake is refused even where something else would have won.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "serve/options.h"

enum { MAX_TEXTS = 16 * 1024 * 1024, LABEL_SIZE = 320 };

static bool ok(const struct ath_reading *reading)
{
	return reading->error->status == ATH_OK;
}

char *ath_reading_keep(struct ath_reading *reading, const char *text, size_t length)
{
	char *copy = ath_arena_copy(reading->configuration.memory, text, length);

	if (copy == NULL)
		ath_error_set(reading->error, ATH_ENOMEM, "out of memory");
	return copy;
}

/* ---- one value ------------------------------------------------------------------------------ */

/* who: for --print-config. The value is borrowed, unless it is the name of a file. */
void ath_reading_set(struct ath_reading *reading, const struct ath_option *option, bool file,
		     const char *value, const char *label, const char *who)
{
	if (file && *value == '\0')
		ath_error_set(reading->error, ATH_EINVAL, "%s has no value", label);
	if (file && ok(reading))
		value = ath_reading_secret(reading, value, label);
	if (!ok(reading) ||
	    ath_option_set(option, &reading->configuration, value, label, reading->error) != ATH_OK)
		return;
	reading->configuration.sources[option - ath_options] =
		who == NULL ? NULL : ath_reading_keep(reading, who, strlen(who));
}

static void set_defaults(struct ath_reading *reading)
{
	for (size_t i = 0; ok(reading) && i < ath_option_count; i++)
		if (ath_options[i].usual != NULL)
			ath_reading_set(reading, &ath_options[i], false, ath_options[i].usual,
					ath_options[i].name, NULL);
}

/* ---- credentials: systemd's LoadCredential= -------------------------------------------------- */

static void read_credential(struct ath_reading *reading, const char *directory,
			    const struct ath_option *option)
{
	char path[4096], label[LABEL_SIZE];

	if (snprintf(path, sizeof path, "%s/%s", directory, option->name) >= (int)sizeof path ||
	    (access(path, F_OK) != 0 && errno == ENOENT))
		return;
	snprintf(label, sizeof label, "credential %s", option->name);
	ath_reading_set(reading, option, true, path, label, label);
}

static void read_credentials(struct ath_reading *reading)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");

	for (size_t i = 0; directory != NULL && ok(reading) && i < ath_option_count; i++)
		if (ath_options[i].secrecy != ATH_OPEN)
			read_credential(reading, directory, &ath_options[i]);
}

/* ---- the file: of the command line, or the environment --------------------------------------- */

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

static void read_configuration_file(struct ath_reading *reading,
				    const struct ath_arguments *arguments)
{
	const char *name = file_name(arguments, reading->error);

	if (ok(reading) && name != NULL && *name != '\0')
		ath_reading_lines(reading, name);
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
static void refuse_unknown_variables(struct ath_reading *reading)
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

static void read_variable(struct ath_reading *reading, const struct ath_option *option, bool file,
			  const char *name)
{
	char who[LABEL_SIZE];
	char *value = ath_reading_keep(reading, variable(name), strlen(variable(name)));

	snprintf(who, sizeof who, "environment %s", name);
	if (value != NULL)
		ath_reading_set(reading, option, file, value, name, who);
}

static void read_variables(struct ath_reading *reading, const struct ath_option *option)
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

static void read_environment(struct ath_reading *reading)
{
	refuse_unknown_variables(reading);
	for (size_t i = 0; ok(reading) && i < ath_option_count; i++)
		read_variables(reading, &ath_options[i]);
}

/* ---- the command line ----------------------------------------------------------------------- */

/* What is none of the table is for main.c, which has refused what nobody knows. */
static void read_flags(struct ath_reading *reading, const struct ath_arguments *given)
{
	struct ath_arguments arguments = *given;
	struct ath_argument argument;
	char flag[ATH_SPELT_SIZE];

	while (ok(reading) && ath_next_argument(&arguments, &argument, reading->error)) {
		const char *value;

		if (argument.option == NULL)
			continue;
		value = ath_reading_keep(reading, argument.value, strlen(argument.value));
		ath_option_spell(flag, argument.option, ATH_SPELT_FLAG, argument.file);
		if (value != NULL)
			ath_reading_set(reading, argument.option, argument.file, value, flag, flag);
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
static void keep_old(struct ath_reading *reading, const struct ath_configuration *old)
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

static void read_all_of_it(struct ath_reading *reading, const struct ath_arguments *arguments)
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
	struct ath_reading reading = { .error = error };

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
