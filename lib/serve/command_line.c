/* command_line.c - one argument of the command line behind the other. */
#include "serve/options.h"

/* "--reload" alone is on; what else has a value takes the next argument for it. */
static enum ath_status take_value(struct ath_arguments *arguments, struct ath_argument *argument,
				  const char *equals, struct ath_error *error)
{
	if (equals != NULL)
		argument->value = equals + 1;
	else if (argument->option->type == ATH_OPTION_SWITCH && !argument->file)
		argument->value = "on";
	else if (arguments->at < arguments->argc)
		argument->value = arguments->argv[arguments->at++];
	else
		return ath_error_set(error, ATH_EINVAL, "%s needs a value: %s %s", argument->text,
				     argument->text,
				     argument->file ? "FILE" : argument->option->argument);
	return ATH_OK;
}

bool ath_next_argument(struct ath_arguments *arguments, struct ath_argument *argument,
		       struct ath_error *error)
{
	const char *equals;
	char *text;

	*argument = (struct ath_argument){ 0 };
	if (arguments->at >= arguments->argc)
		return false;
	text = argument->text = arguments->argv[arguments->at++];
	if (!arguments->ended && strcmp(text, "--") == 0) {
		arguments->ended = true;
		return ath_next_argument(arguments, argument, error);
	}
	if (arguments->ended || text[0] != '-' || text[1] == '\0')
		return true;
	equals = strchr(text, '=');
	argument->option =
		ath_option_find(text, equals == NULL ? strlen(text) : (size_t)(equals - text),
				ATH_SPELT_FLAG, &argument->file);
	if (argument->option != NULL)
		return take_value(arguments, argument, equals, error) == ATH_OK;
	argument->flag = true;
	argument->value = equals == NULL ? NULL : equals + 1;
	return true;
}
