/* help.c - what the commands are, and what --help says of them. */
#include "serve/options.h"

static const char serve_text[] =
	"Serves on --listen, or on the socket that spawn-fcgi or systemd passes.\n"
	"Signals to the process that was started:\n\n"
	"  TERM, INT  finish what is in flight, then end; once more: end now\n"
	"  QUIT       end now\n"
	"  HUP        read the configuration again, replace the workers one by one\n"
	"  USR1       open the logs' files anew\n"
	"  USR2       go on as the program that the file holds now, on the same sockets\n";
static const char migrate_text[] =
	"Applies the files of the directory of migrations that are not applied yet, and\n"
	"prints their names; down takes the newest one back, status lists them all:\n"
	"applied, pending, or unknown, which are applied without a file.\n";
static const char routes_text[] =
	"Prints method, path and name of every route, and what it says of itself. No\n"
	"database is needed.\n";
static const char check_text[] =
	"Looks at routes and models, the connection, the migrations, the tables as they\n"
	"are, and the number of connections that the server allows. A line for each; the\n"
	"exit status is 1 when one of them is wrong.\n";

static const char status_text[] =
	"Asks the server on SOCKET, or else on status_listen or listen, what its processes\n"
	"are doing now. --watch asks again every second, until q or Ctrl-C; --json prints\n"
	"what the server said. The exit status is 3 when nobody answers there.\n";

static const char *const migrate_words[] = { "up", "down", "status", NULL };
static const char *const json_words[] = { "--json", NULL };
static const char *const status_words[] = { "--json", "--watch", NULL };

#define GROUP(name_) (1U << ATH_GROUP_##name_)

const struct ath_command ath_commands[ATH_COMMANDS] = {
	[ATH_COMMAND_SERVE] = { .name = "serve",
				.arguments = "",
				.text = "serve FastCGI until it is told to stop",
				.more = serve_text,
				.groups = ~0U,
				.needs = ATH_NEEDS_DATABASE },
	[ATH_COMMAND_MIGRATE] = { .name = "migrate",
				  .arguments = "[up|down|status]",
				  .text = "bring the database up to date, or one step back",
				  .more = migrate_text,
				  .words = migrate_words,
				  .groups = GROUP(DATABASE) | GROUP(GENERAL),
				  .needs = ATH_NEEDS_DATABASE },
	[ATH_COMMAND_ROUTES] = { .name = "routes",
				 .arguments = "[--json]",
				 .text = "list what is answered",
				 .more = routes_text,
				 .words = json_words,
				 .groups = GROUP(GENERAL),
				 .needs = ATH_NEEDS_CONFIGURATION },
	[ATH_COMMAND_CHECK] = { .name = "check",
				.arguments = "",
				.text = "is all there that serving needs?",
				.more = check_text,
				.groups = GROUP(DATABASE) | GROUP(PROCESSES) | GROUP(GENERAL),
				.needs = ATH_NEEDS_DATABASE },
	[ATH_COMMAND_STATUS] = { .name = "status",
				 .arguments = "[SOCKET]",
				 .text = "what those that serve are doing",
				 .more = status_text,
				 .words = status_words,
				 .operand = true,
				 .groups = GROUP(SOCKETS) | GROUP(GENERAL),
				 .needs = ATH_NEEDS_CONFIGURATION },
	[ATH_COMMAND_HELP] = { .name = "help",
			       .arguments = "[COMMAND|metrics]",
			       .text = "say more of one of these",
			       .operand = true,
			       .needs = ATH_NEEDS_NOTHING },
};

const struct ath_command *ath_command_find(const char *name)
{
	for (size_t i = 0; i < ATH_COMMANDS; i++)
		if (strcmp(name, ath_commands[i].name) == 0)
			return &ath_commands[i];
	return NULL;
}

const char *ath_command_guess(char text[ATH_GUESS_SIZE], const char *name)
{
	const char *names[ATH_COMMANDS + 1] = { NULL };

	for (size_t i = 0; i < ATH_COMMANDS; i++)
		names[i] = ath_commands[i].name;
	return ath_word_guess(text, name, names);
}

static void command_help(const char *name, const struct ath_command *command,
			 struct ath_buffer *out)
{
	ath_buffer_printf(out, "Usage: %s %s [OPTION]...%s%s\n\n", name, command->name,
			  *command->arguments == '\0' ? "" : " ", command->arguments);
	ath_buffer_string(out, command->more);
	ath_print_options_help(command->groups, out);
}

void ath_print_help(const char *name, const struct ath_command *command, struct ath_buffer *out)
{
	if (command != NULL && command->more != NULL) {
		command_help(name, command, out);
		return;
	}
	ath_buffer_printf(out, "Usage: %s COMMAND [OPTION]...\n\nCommands:\n", name);
	for (size_t i = 0; i < ATH_COMMANDS; i++)
		ath_buffer_printf(out, "  %-8s %-17s %s\n", ath_commands[i].name,
				  ath_commands[i].arguments, ath_commands[i].text);
	ath_buffer_printf(
		out,
		"\nOptions come from flags (--log-level debug), else from the environment\n"
		"(ATHANOR_LOG_LEVEL=debug), else from a file (--config FILE, with lines such as\n"
		"log_level = debug). Most needed is DATABASE_URL, in the environment:\n"
		"postgresql://user@host:port/database.\n\n"
		"  COMMAND --help         the options of a command\n"
		"  --print-config         all options, and who says what they are\n"
		"  --print-options=KIND   their documentation, as man or markdown\n"
		"  --version\n\n"
		"Examples:\n"
		"  %s migrate\n"
		"  %s serve --listen unix:/run/%s/app.sock --workers auto\n"
		"  %s check --config /etc/%s/%s.conf\n"
		"  spawn-fcgi -s /run/%s/app.sock -M 0660 -- /usr/local/bin/%s serve\n\n"
		"Exit status: 0 done; 1 it failed; 2 the command line or the configuration makes\n"
		"no sense; 3, of status: nothing runs there.\n",
		name, name, name, name, name, name, name, name);
}
