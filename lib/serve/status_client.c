/*
 * status_client.c - `status`: asks the processes that run what they do, and shows it; with --watch
 * again and again, until somebody has seen enough.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "serve/status_client.h"

enum { FAILED = 1, USAGE = 2, NOBODY = 3, EVERY_MS = 1000 };

static const char uri[] = "/-/status?json&full";

struct client {
	const char *name; /* of the application */
	const char *socket;
	bool json, watch;
	bool terminal; /* is shown the table */
	struct ath_look looks[2];
	size_t current;
	struct ath_error error;
};

/* ---- text goes out --------------------------------------------------------------------------- */

static bool write_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, data, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		data += written;
		length -= (size_t)written;
	}
	return true;
}

static int complain(const struct client *client, int code)
{
	struct ath_buffer out;

	ath_buffer_init(&out, NULL, 2 * sizeof client->error.message);
	ath_buffer_printf(&out, "%s: ", client->name);
	ath_put_shown(&out, ath_text(client->error.message));
	ath_buffer_append(&out, "\n", 1);
	(void)write_all(STDERR_FILENO, out.data, out.length); /* there is nowhere else */
	ath_buffer_free(&out);
	return code;
}

/* ---- a look ---------------------------------------------------------------------------------- */

static enum ath_status keep(struct ath_look *look, const struct ath_buffer *body,
			    struct ath_error *error)
{
	struct ath_error wrong = { 0 };
	const char *text;

	look->document = (struct ath_json_document){ 0 };
	ath_arena_reset(look->arena);
	text = ath_arena_copy(look->arena, body->data, body->length);
	if (text == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	if (ath_json_read(look->arena, text, body->length, &look->document, &wrong) == ATH_OK &&
	    look->document.tokens->type == ATH_JSON_OBJECT)
		return ATH_OK;
	look->document = (struct ath_json_document){ 0 };
	return ath_error_set(error, ATH_EUNAVAILABLE, "the answer is no status: %s", wrong.message);
}

/* The one before is kept, to be compared with. */
static enum ath_status take_look(struct client *client)
{
	struct ath_look *look = &client->looks[1 - client->current];
	struct ath_buffer body;
	enum ath_status status;

	client->error = (struct ath_error){ 0 };
	status = ath_ask(client->socket, uri, &body, &client->error);
	if (status == ATH_OK)
		status = keep(look, &body, &client->error);
	ath_buffer_free(&body);
	if (status != ATH_OK)
		return status;
	look->at = ath_now();
	client->current = 1 - client->current;
	return ATH_OK;
}

/* It was read as JSON: what JSON lets pass and a terminal would act upon is escaped here. */
static void put_json(struct ath_buffer *out, const struct ath_json_document *document)
{
	for (const unsigned char *at = (const unsigned char *)document->text; *at != '\0'; at++) {
		bool c1 = at[0] == 0xc2 && at[1] < 0xa0;

		if (c1 || *at == 0x7f)
			ath_buffer_printf(out, "\\u%04x", c1 ? *++at : *at);
		else
			ath_buffer_append(out, at, 1);
	}
	ath_buffer_append(out, "\n", 1);
}

static bool show(const struct client *client, const char *before, const char *behind)
{
	const struct ath_look *look = &client->looks[client->current];
	struct ath_buffer out;
	bool shown;

	ath_buffer_init(&out, NULL, 64 * 1024 * 1024);
	ath_buffer_string(&out, before);
	if (client->json)
		put_json(&out, &look->document);
	else
		ath_status_table(look, &client->looks[1 - client->current], &out);
	ath_buffer_string(&out, behind);
	shown = !out.failed && write_all(STDOUT_FILENO, out.data, out.length);
	ath_buffer_free(&out);
	return shown;
}

/* ---- again and again ------------------------------------------------------------------------- */

/* INT and TERM are taken as events, so that the terminal is left as it was. */
static int open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

/* True: go on. Of what is no terminal there are no keys. */
static bool wait_for_next(const struct client *client, int signals)
{
	struct pollfd fds[] = { { .fd = signals, .events = POLLIN },
				{ .fd = client->terminal ? STDIN_FILENO : -1, .events = POLLIN } };
	int64_t end = ath_now() + EVERY_MS;

	for (int64_t left = EVERY_MS; left > 0; left = end - ath_now()) {
		char key = 0;

		if (poll(fds, ATH_COUNT(fds), (int)left) <= 0)
			continue;
		if (fds[0].revents != 0)
			return false;
		if (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 3)
			return false;
	}
	return true;
}

/* On a cleared screen: the server may be about to come back. */
static bool show_failure(const struct client *client)
{
	struct ath_buffer out;
	bool shown;

	ath_buffer_init(&out, NULL, 4096);
	ath_buffer_string(&out, "\033[H\033[J");
	ath_put_shown(&out, ath_text(client->error.message));
	ath_buffer_string(&out, "\n\nq ends this\n");
	shown = !out.failed && write_all(STDOUT_FILENO, out.data, out.length);
	ath_buffer_free(&out);
	return shown;
}

static bool show_again(const struct client *client)
{
	if (client->error.status != ATH_OK)
		return show_failure(client);
	if (client->terminal)
		return show(client, "\033[H\033[J", "\nq ends this\n");
	return show(client, "", client->json ? "" : "\n");
}

static int watch(struct client *client)
{
	int signals = open_signals(), code = 0;

	if (signals < 0) {
		ath_error_set(&client->error, ATH_EIO, "signals cannot be waited for");
		return complain(client, FAILED);
	}
	do {
		if (take_look(client) != ATH_OK && !client->terminal)
			code = complain(client, NOBODY);
		else if (!show_again(client))
			code = FAILED; /* nobody reads it any more */
	} while (code == 0 && wait_for_next(client, signals));
	close(signals);
	return code;
}

/* Keys come one by one, and are not shown; the screen that was there comes back. */
static int watch_terminal(struct client *client)
{
	struct termios before, keys;
	int code;

	client->terminal = true;
	if (tcgetattr(STDIN_FILENO, &before) != 0)
		return watch(client);
	keys = before;
	keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	(void)write_all(STDOUT_FILENO, "\033[?1049h\033[?25l", 14);
	code = watch(client);
	(void)write_all(STDOUT_FILENO, "\033[?25h\033[?1049l", 14);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
	return code;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int run(struct client *client)
{
	if (client->watch)
		return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
			       ? watch_terminal(client)
			       : watch(client);
	if (take_look(client) != ATH_OK)
		return complain(client, NOBODY);
	return show(client, "", "") ? 0 : FAILED;
}

static int refuse(struct client *client, const char *format, const char *what)
{
	ath_error_set(&client->error, ATH_EINVAL, format, what);
	return complain(client, USAGE);
}

int ath_status_command(const struct ath_app *app, const struct ath_configuration *configuration,
		       int argc, char **argv)
{
	struct client client = { .name = app->name };
	const char *usual = configuration->status_listen != NULL ? configuration->status_listen
								 : configuration->listen;
	int code;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			client.json = true;
		else if (strcmp(argv[i], "--watch") == 0)
			client.watch = true;
		else if (argv[i][0] == '-' || client.socket != NULL)
			return refuse(&client, "status takes a socket, --json and --watch, not %s",
				      argv[i]);
		else
			client.socket = argv[i];
	}
	if (client.socket == NULL)
		client.socket = usual;
	if (client.socket == NULL)
		return refuse(&client,
			      "which server? Say its socket: %s status unix:PATH, or set "
			      "status-listen",
			      app->name);
	if (ath_arena_open(&client.looks[0].arena, 0) == ATH_OK &&
	    ath_arena_open(&client.looks[1].arena, 0) == ATH_OK) {
		code = run(&client);
	} else {
		ath_error_set(&client.error, ATH_ENOMEM, "out of memory");
		code = complain(&client, FAILED);
	}
	ath_arena_close(&client.looks[0].arena);
	ath_arena_close(&client.looks[1].arena);
	return code;
}
