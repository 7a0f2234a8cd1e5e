/*
 * test_options.c - where options come from, what each kind of value may be, what is said of what is
 * none, and what is printed of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/options.h"

enum { MAX_WORDS = 32 };

static char directory[] = "/tmp/ath-options.XXXXXX";
static struct ath_configuration configuration;
static const struct ath_configuration *old; /* of the next reading */
static struct ath_error error;

/* A file of this test; lives until the next call. */
static const char *path_of(const char *name)
{
	static char path[4200];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static const char *write_file(const char *name, const char *text, size_t length)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	return path_of(name);
}

/* Reads a command line, words parted by blanks; @ stands for the directory of the test. */
static enum ath_status read_words(const char *line)
{
	struct ath_configuration fresh;
	char text[2048], *words[MAX_WORDS] = { "users" }, *rest = NULL;
	size_t length = 0;
	int count = 1;

	for (; *line != '\0'; line++)
		length += (size_t)snprintf(text + length, sizeof text - length,
					   *line == '@' ? "%s" : "%.1s",
					   *line == '@' ? directory : line);
	text[length] = '\0';
	for (char *word = strtok_r(text, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	if (ath_configuration_read(&fresh, old, count, words, &error) != ATH_OK)
		return error.status;
	if (old == NULL)
		ath_configuration_close(&configuration);
	else
		ath_configuration_drop(&configuration);
	configuration = fresh;
	return ATH_OK;
}

static void assert_read(const char *line)
{
	if (read_words(line) != ATH_OK)
		fail_msg("%s: %s", line, error.message);
}

static void assert_refused(const char *line, const char *why)
{
	char text[sizeof error.message], *place;

	assert_int_equal(read_words(line), ATH_EINVAL);
	snprintf(text, sizeof text, "%s", error.message);
	place = strstr(text, directory);
	if (place != NULL) { /* @ in what is awaited, too */
		*place = '@';
		memmove(place + 1, place + strlen(directory),
			strlen(place + strlen(directory)) + 1);
	}
	assert_string_equal(text, why);
}

static void forget_environment(void)
{
	char spelt[ATH_SPELT_SIZE];

	for (size_t i = 0; i < ath_option_count; i++) {
		unsetenv(ath_option_spell(spelt, &ath_options[i], ATH_SPELT_VARIABLE, false));
		unsetenv(ath_option_spell(spelt, &ath_options[i], ATH_SPELT_VARIABLE, true));
		if (ath_options[i].variable != NULL)
			unsetenv(ath_options[i].variable);
	}
	unsetenv("CREDENTIALS_DIRECTORY");
}

static int start(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int end(void **state)
{
	static const char *const files[] = { "conf", "url", "password", "credentials/database_url",
					     "credentials/database_password" };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(files); i++)
		unlink(path_of(files[i]));
	rmdir(path_of("credentials"));
	return rmdir(directory);
}

static int each(void **state)
{
	(void)state;
	forget_environment();
	ath_configuration_close(&configuration);
	old = NULL;
	return 0;
}

/* ---- values --------------------------------------------------------------------------------- */

static void test_numbers(void **state)
{
	static const struct {
		const char *words;
		size_t offset;
		int64_t value;
	} rows[] = {
#define ROW(words_, member_, value_) { words_, offsetof(struct ath_configuration, member_), value_ }
		ROW("serve", workers, 1),
		ROW("--workers 0", workers, 0),
		ROW("--workers=512", workers, 512),
		ROW("--workers auto", workers, -1),
		ROW("--workers 3 --workers 4", workers, 4),
		ROW("serve", stop_timeout_ms, 15000),
		ROW("--stop-timeout 250ms", stop_timeout_ms, 250),
		ROW("--stop-timeout 2m", stop_timeout_ms, 120000),
		ROW("--stop-timeout 1H", stop_timeout_ms, 3600000),
		ROW("--deadline 1d", deadline_ms, 86400000),
		ROW("--hang-timeout 0", hang_timeout_ms, 0),
		ROW("--hang-timeout 0s", hang_timeout_ms, 0),
		ROW("serve", max_body, 1048576),
		ROW("--max-body 1", max_body, 1),
		ROW("--max-body 8k", max_body, 8192),
		ROW("--max-body 1G", max_body, 1073741824),
		ROW("--worker-memory 2G", worker_memory, 2147483648),
		ROW("--worker-memory 0", worker_memory, 0),
		ROW("serve", listen_mode, 0660),
		ROW("--listen-mode 600", listen_mode, 0600),
		ROW("--listen-mode 0777", listen_mode, 0777),
		ROW("--listen-mode 0", listen_mode, 0),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		assert_read(rows[i].words);
		assert_int_equal(*(int64_t *)(void *)((char *)&configuration + rows[i].offset),
				 rows[i].value);
	}
}

static void test_impossible_values(void **state)
{
	static const struct {
		const char *words, *why;
	} rows[] = {
		{ "--workers -1", "--workers is a number from 0 to 512, or auto, not \"-1\"" },
		{ "--workers 513", "--workers is a number from 0 to 512, or auto, not \"513\"" },
		{ "--workers 1x", "--workers is a number from 0 to 512, or auto, not \"1x\"" },
		{ "--workers=", "--workers is a number from 0 to 512, or auto, not \"\"" },
		{ "--backlog auto", "--backlog is a number from 1 to 65535, not \"auto\"" },
		{ "--backlog 99999999999999999999",
		  "--backlog is a number from 1 to 65535, not \"99999999999999999999\"" },
		{ "--stop-timeout 15",
		  "--stop-timeout is a time such as 15s or 250ms, from 100ms to 1h, not \"15\"" },
		{ "--stop-timeout s",
		  "--stop-timeout is a time such as 15s or 250ms, from 100ms to 1h, not \"s\"" },
		{ "--stop-timeout 0",
		  "--stop-timeout is a time such as 15s or 250ms, from 100ms to 1h, not \"0\"" },
		{ "--hang-timeout 2h", "--hang-timeout is a time such as 15s or 250ms, from 100ms "
				       "to 1h, or 0, not \"2h\"" },
		{ "--slow 1.5s",
		  "--slow is a time such as 15s or 250ms, from 1ms to 1d, or 0, not \"1.5s\"" },
		{ "--slow 9223372036854775807d", "--slow is a time such as 15s or 250ms, from 1ms "
						 "to 1d, or 0, not \"9223372036854775807d\"" },
		{ "--max-body 0", "--max-body is a size such as 512M, from 1 to 1G, not \"0\"" },
		{ "--max-body 1T", "--max-body is a size such as 512M, from 1 to 1G, not \"1T\"" },
		{ "--max-body -1K",
		  "--max-body is a size such as 512M, from 1 to 1G, not \"-1K\"" },
		{ "--listen-mode 0888",
		  "--listen-mode is an octal mode from 0000 to 0777, not \"0888\"" },
		{ "--listen-mode 1777",
		  "--listen-mode is an octal mode from 0000 to 0777, not \"1777\"" },
		{ "--listen-mode rw",
		  "--listen-mode is an octal mode from 0000 to 0777, not \"rw\"" },
		{ "--reload=yes", "--reload is off or on, not \"yes\"" },
		{ "--log-level loud",
		  "--log-level is error, warning, info or debug, not \"loud\"" },
		{ "--sql-comments on", "--sql-comments is off, route or request, not \"on\"" },
		{ "--access-file yes",
		  "--access-file is off, on or a path with a / in it, not \"yes\"" },
		{ "--user=", "--user has no value" },
		{ "--user", "--user needs a value: --user USER" },
		{ "--database-url-file", "--database-url-file needs a value: "
					 "--database-url-file FILE" },
		{ "--listen 80", "--listen is unix:PATH or HOST:PORT, not \"80\"" },
		{ "--listen /run/app.sock",
		  "--listen is unix:PATH or HOST:PORT, not \"/run/app.sock\"" },
		{ "--listen :80", "--listen is unix:PATH or HOST:PORT, not \":80\"" },
		{ "--listen unix:", "--listen: unix: needs the path of a socket, such as "
				    "unix:/run/users/app.sock" },
		{ "--listen unix:/run/", "--listen: unix: needs the path of a socket, such as "
					 "unix:/run/users/app.sock" },
		{ "--listen localhost:http",
		  "--listen: a port is a number from 1 to 65535, not \"http\"" },
		{ "--listen localhost:70000",
		  "--listen: a port is a number from 1 to 65535, not \"70000\"" },
		{ "--listen ::1:80",
		  "--listen: an IPv6 address stands in brackets, as in [::1]:9000" },
		{ "--listen [::1:80",
		  "--listen: an IPv6 address stands in brackets, as in [::1]:9000" },
		{ "--status-listen unix:/12345678901234567890123456789012345678901234567890123456"
		  "789012345678901234567890123456789012345678901234567890",
		  "--status-listen: the path of a unix socket has at most 107 bytes, this one has "
		  "111: take a shorter one" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		assert_refused(rows[i].words, rows[i].why);
}

static void test_other_values(void **state)
{
	(void)state;
	assert_read("serve --reload --core-dumps=off --log-level debug --sql-comments request "
		    "--listen [::1]:80 --status-listen unix:a.sock --access-file /dev/null");
	assert_true(configuration.reload);
	assert_false(configuration.core_dumps);
	assert_int_equal(configuration.log.level, ATH_LOG_DEBUG);
	assert_int_equal(configuration.sql_comments, ATH_SQL_COMMENTS_REQUEST);
	assert_string_equal(configuration.listen, "[::1]:80");
	assert_string_equal(configuration.status_listen, "unix:a.sock");
	assert_string_equal(configuration.access_file, "/dev/null");
	assert_null(configuration.user);
	/* behind -- stands no option */
	assert_read("status -- --workers 5");
	assert_int_equal(configuration.workers, 1);
}

/* ---- where they come from ---------------------------------------------------------------------
 */

static const char *source(const char *name)
{
	bool file;
	const struct ath_option *option =
		ath_option_find(name, strlen(name), ATH_SPELT_LINE, &file);
	const char *text = configuration.sources[option - ath_options];

	return text == NULL ? "default" : text;
}

static void test_who_wins(void **state)
{
	static const char text[] = "workers = 2\nbacklog = 2\ndeadline = 2s\nlog_level=error";

	(void)state;
	write_file("conf", text, strlen(text));
	setenv("ATHANOR_WORKERS", "3", 1);
	setenv("ATHANOR_BACKLOG", "3", 1);
	setenv("ATHANOR_LOG_LEVEL", "", 1); /* says nothing */
	assert_read("--config @/conf --workers 4");
	assert_int_equal(configuration.workers, 4);
	assert_string_equal(source("workers"), "--workers");
	assert_int_equal(configuration.backlog, 3);
	assert_string_equal(source("backlog"), "environment ATHANOR_BACKLOG");
	assert_int_equal(configuration.deadline_ms, 2000);
	assert_string_equal(strrchr(source("deadline"), '/'), "/conf:3");
	assert_int_equal(configuration.log.level, ATH_LOG_ERROR);
	assert_string_equal(source("streams"), "default");
	/* which file it is can be said in the environment, too */
	setenv("ATHANOR_CONFIG", path_of("conf"), 1);
	assert_read("serve");
	assert_int_equal(configuration.deadline_ms, 2000);
	/* a mistake is one even where something else wins */
	setenv("ATHANOR_WORKERS", "many", 1);
	assert_refused("--workers 4",
		       "ATHANOR_WORKERS is a number from 0 to 512, or auto, not \"many\"");
}

static void test_the_environment(void **state)
{
	(void)state;
	setenv("DATABASE_URL", "postgresql:///older", 1);
	setenv("TMPDIR", "/tmp", 1);
	setenv("ATHANOR_ACCESS_LOG", "on", 1);
	setenv("ATHANOR_TRIAL", "1", 1);
	setenv("ATHANOR_TEST_WHATEVER", "1", 1);
	setenv("ATHANOR_UPGRADE_FDS", "1", 1);
	assert_read("serve");
	assert_string_equal(configuration.database_url, "postgresql:///older");
	assert_string_equal(configuration.spool, "/tmp");
	assert_string_equal(configuration.access_file, "on");
	assert_int_equal(configuration.access.fd, 2);
	setenv("ATHANOR_DATABASE_URL", "postgresql:///own", 1);
	assert_read("serve");
	assert_string_equal(configuration.database_url, "postgresql:///own");
	unsetenv("ATHANOR_TRIAL");
	unsetenv("ATHANOR_TEST_WHATEVER");
	unsetenv("ATHANOR_UPGRADE_FDS");
	setenv("ATHANOR_WORKER", "3", 1);
	assert_refused("serve", "ATHANOR_WORKER in the environment is no option (did you mean "
				"ATHANOR_WORKERS?)");
	unsetenv("ATHANOR_WORKER");
	setenv("ATHANOR_DATABASE_PASSWORD", "3", 1);
	assert_refused("serve", "ATHANOR_DATABASE_PASSWORD in the environment is no option "
				"(did you mean ATHANOR_DATABASE_PASSWORD_FILE?)");
	unsetenv("ATHANOR_DATABASE_PASSWORD");
}

static void test_lines_of_a_file(void **state)
{
	static const struct {
		const char *line, *group;
	} rows[] = {
		{ "listen_group = www-data", "www-data" },
		{ "listen_group=www-data", "www-data" },
		{ "\t listen_group\t=  www-data \t\r", "www-data" },
		{ "listen_group = www data # the server's", "www data" },
		{ "listen_group = a#b", "a#b" },
		{ "listen_group = \"a # b\"", "a # b" },
		{ "listen_group = \" a\\\"b\\\\ \" # x", " a\"b\\ " },
		{ "listen_group = # nobody", NULL },
		{ "listen_group =", NULL },
		{ "# listen_group = a", NULL },
		{ "", NULL },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		snprintf(text, sizeof text, "# first\n\n%s\nworkers = 7\n", rows[i].line);
		write_file("conf", text, strlen(text));
		assert_read("--config @/conf");
		assert_int_equal(configuration.workers, 7);
		if (rows[i].group == NULL)
			assert_null(configuration.listen_group);
		else
			assert_string_equal(configuration.listen_group, rows[i].group);
	}
}

static void test_wrong_lines_of_a_file(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "\nworker = 3", "@/conf:2: worker is no option (did you mean workers?)" },
		{ "max-body = 3", "@/conf:1: max-body is no option (did you mean max_body?)" },
		{ "zebra = 3", "@/conf:1: zebra is no option" },
		{ "zebra =", "@/conf:1: zebra is no option" },
		{ "workers", "@/conf:1: a line is name = value, or a comment that begins with #" },
		{ "workers 3",
		  "@/conf:1: a line is name = value, or a comment that begins with #" },
		{ "= 3", "@/conf:1: a line is name = value, or a comment that begins with #" },
		{ "[serve]", "@/conf:1: a line is name = value, or a comment that begins with #" },
		{ "user = \"a", "@/conf:1: a value that begins with \" ends with one" },
		{ "user = \"a\" b", "@/conf:1: a value that begins with \" ends with one" },
		{ "workers = 2\n\nworkers = 3", "@/conf:3: workers is said in line 1 already" },
		{ "workers = x",
		  "@/conf:1: workers is a number from 0 to 512, or auto, not \"x\"" },
		{ "config = /etc/x", "@/conf:1: a file names no other file" },
		{ "database_password = x", "@/conf:1: database_password is no option (did you mean "
					   "database_password_file?)" },
		{ "database_url_file = /nonexistent", "@/conf:1: database_url_file: /nonexistent "
						      "cannot be read: No such file or directory" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		write_file("conf", rows[i].text, strlen(rows[i].text));
		assert_refused("--config @/conf", rows[i].why);
	}
	write_file("conf", "a\0b", 3);
	assert_refused("--config @/conf", "the configuration: @/conf is no text: it holds a NUL");
	assert_refused("--config /nonexistent",
		       "the configuration: /nonexistent cannot be read: No "
		       "such file or directory");
	assert_refused("--config /", "the configuration: / cannot be read: Is a directory");
}

/* ---- secrets -------------------------------------------------------------------------------- */

static void test_secrets_in_files(void **state)
{
	static char large[64 * 1024 + 1];

	(void)state;
	write_file("url", "postgresql:///file\r\n", 20);
	write_file("password", "pass word", 9);
	assert_read("--database-url-file @/url --database-password-file @/password");
	assert_string_equal(configuration.database_url, "postgresql:///file");
	assert_string_equal(configuration.database_password, "pass word");
	setenv("ATHANOR_DATABASE_URL_FILE", path_of("url"), 1);
	assert_read("serve");
	assert_string_equal(source("database_url"), "environment ATHANOR_DATABASE_URL_FILE");
	setenv("DATABASE_URL", "postgresql:///x", 1);
	assert_refused("serve", "DATABASE_URL and ATHANOR_DATABASE_URL_FILE in the environment say "
				"it twice: unset one");
	forget_environment();
	write_file("password", "one\ntwo\n", 8);
	assert_refused("--database-password-file @/password",
		       "--database-password-file: @/password holds more than one line");
	write_file("password", "\n", 1);
	assert_refused("--database-password-file @/password",
		       "--database-password-file: @/password is empty");
	memset(large, 'x', sizeof large);
	write_file("password", large, sizeof large);
	assert_refused("--database-password-file @/password",
		       "--database-password-file: @/password is larger than 64 KiB");
	write_file("password", large, sizeof large - 1);
	assert_read("--database-password-file @/password");
	assert_int_equal(strlen(configuration.database_password), sizeof large - 1);
}

static void test_credentials(void **state)
{
	(void)state;
	mkdir(path_of("credentials"), 0700);
	write_file("credentials/database_url", "postgresql:///credential\n", 25);
	write_file("credentials/database_password", "secret\n", 7);
	setenv("CREDENTIALS_DIRECTORY", path_of("credentials"), 1);
	assert_read("serve");
	assert_string_equal(configuration.database_url, "postgresql:///credential");
	assert_string_equal(configuration.database_password, "secret");
	assert_string_equal(source("database_password_file"), "credential database_password");
	setenv("DATABASE_URL", "postgresql:///environment", 1);
	assert_read("serve");
	assert_string_equal(configuration.database_url, "postgresql:///environment");
	write_file("credentials/database_password", "", 0);
	assert_refused("serve", "credential database_password: @/credentials/database_password is "
				"empty");
}

/* ---- again ---------------------------------------------------------------------------------- */

static void test_reading_again(void **state)
{
	static const char first[] = "workers = 2\ndeadline = 2s\naccess_file = on\n",
			  second[] =
				  "workers = 3\ndeadline = 3s\nlog_level = error\nlisten = a:1\n";
	const char *access_file;

	(void)state;
	write_file("conf", first, strlen(first));
	assert_read("--config @/conf");
	configuration.log.fd = 17;
	old = &configuration;
	write_file("conf", "deadline = two\n", 15);
	assert_int_equal(read_words("--config @/conf"), ATH_EINVAL);
	assert_int_equal(configuration.deadline_ms, 2000);
	access_file = configuration.access_file;
	write_file("conf", second, strlen(second));
	for (int i = 0; i < 3; i++)
		assert_read("--config @/conf");
	assert_int_equal(configuration.deadline_ms, 3000);
	assert_int_equal(configuration.log.level, ATH_LOG_ERROR);
	/* these count at a start */
	assert_int_equal(configuration.workers, 2);
	assert_null(configuration.listen);
	assert_ptr_equal(configuration.access_file, access_file);
	assert_int_equal(configuration.access.fd, 2);
	assert_int_equal(configuration.log.fd, 17);
}

/* ---- what is printed --------------------------------------------------------------------------
 */

static void assert_prints(const char *name, const char *value)
{
	struct ath_buffer out;
	const char *line;

	ath_buffer_init(&out, NULL, 1 << 20);
	ath_print_configuration(&configuration, &out);
	line = strstr(ath_buffer_c_string(&out), name);
	assert_non_null(line);
	line += strcspn(line, "=") + 2;
	if (strncmp(line, value, strlen(value)) != 0 || line[strlen(value)] != ' ')
		fail_msg("%s: %.*s", name, (int)strcspn(line, "\n"), line);
	ath_buffer_free(&out);
}

static void test_printed_values(void **state)
{
	static const struct {
		const char *url, *shown;
	} rows[] = {
		{ "postgresql:///users", "postgresql:///users" },
		{ "postgresql://u@h/users", "postgresql://u@h/users" },
		{ "postgresql://u:secret@h/users", "postgresql://u:****@h/users" },
		{ "postgresql://u:se@cr:et@h/users", "postgresql://u:****@h/users" },
		{ "postgresql://u:se/cret@h/users", "postgresql://u:****@h/users" },
		{ "postgresql://h/users?password=secret&user=u",
		  "postgresql://h/users?password=****&user=u" },
		{ "postgresql://h/users?user=u&sslpassword=secret",
		  "postgresql://h/users?user=u&sslpassword=****" },
	};

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++) {
		setenv("DATABASE_URL", rows[i].url, 1);
		assert_read("serve");
		assert_prints("database_url ", rows[i].shown);
	}
	write_file("password", "secret", 6);
	assert_read(
		"--database-password-file @/password --workers auto --stop-timeout 1500ms "
		"--slow 120s --max-body 2048 --worker-memory 1048577 --listen-mode 600 --reload "
		"--user a#b");
	assert_prints("database_password_file ", "****");
	assert_prints("workers ", "auto");
	assert_prints("stop_timeout ", "1500ms");
	assert_prints("slow ", "2m");
	assert_prints("max_body ", "2K");
	assert_prints("worker_memory ", "1048577");
	assert_prints("listen_mode ", "0600");
	assert_prints("reload ", "on");
	assert_prints("\nuser ", "\"a#b\"");
	assert_prints("streams ", "16384");
}

/* What is printed is a file that says the same. */
static void test_printed_as_a_file(void **state)
{
	struct ath_buffer first, second;

	(void)state;
	ath_buffer_init(&first, NULL, 1 << 20);
	ath_buffer_init(&second, NULL, 1 << 20);
	assert_read("--workers 3 --deadline 2s --listen unix:/x --access-file on --server-timing "
		    "--log-level debug");
	ath_print_configuration(&configuration, &first);
	write_file("conf", first.data, first.length);
	assert_read("--config @/conf");
	assert_int_equal(configuration.deadline_ms, 2000);
	assert_string_equal(strrchr(source("listen"), '/'), "/conf:6");
	ath_print_configuration(&configuration, &second);
	for (const char *a = ath_buffer_c_string(&first), *b = ath_buffer_c_string(&second);
	     *a != '\0' && *a != '#'; a += strcspn(a, "\n") + 1, b += strcspn(b, "\n") + 1) {
		assert_int_equal(strcspn(a, "#"), strcspn(b, "#"));
		assert_memory_equal(a, b, strcspn(a, "#"));
	}
	ath_buffer_free(&first);
	ath_buffer_free(&second);
}

/* All rows make sense, and everything tells of all of them. */
static void test_the_table(void **state)
{
	struct ath_buffer help, man, markdown;
	char spelt[ATH_SPELT_SIZE];

	(void)state;
	assert_read("serve");
	ath_buffer_init(&help, NULL, 1 << 20);
	ath_buffer_init(&man, NULL, 1 << 20);
	ath_buffer_init(&markdown, NULL, 1 << 20);
	ath_print_options_help(~0U, &help);
	ath_print_options_man(&man);
	ath_print_options_markdown(&markdown);
	for (size_t i = 0; i < ath_option_count; i++) {
		const struct ath_option *option = &ath_options[i];

		ath_option_spell(spelt, option, ATH_SPELT_FLAG, option->secrecy == ATH_SECRET_FILE);
		assert_non_null(strstr(ath_buffer_c_string(&help), spelt));
		assert_non_null(strstr(ath_buffer_c_string(&markdown), spelt));
		ath_option_spell(spelt, option, ATH_SPELT_VARIABLE,
				 option->secrecy == ATH_SECRET_FILE);
		assert_non_null(strstr(ath_buffer_c_string(&man), spelt));
		assert_true((option->type == ATH_OPTION_SWITCH) == (option->argument == NULL));
		assert_true((option->type == ATH_OPTION_WORD) == (option->words != NULL));
		for (size_t other = 0; other < i; other++) {
			assert_string_not_equal(option->name, ath_options[other].name);
			assert_true(option->offset != ath_options[other].offset);
		}
	}
	for (const char *line = help.data; *line != '\0'; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") > 79)
			fail_msg("wide: %.*s", (int)strcspn(line, "\n"), line);
	ath_buffer_free(&help);
	ath_buffer_free(&man);
	ath_buffer_free(&markdown);
}

static void test_what_was_meant(void **state)
{
	static const struct {
		const char *flag, *guess;
	} rows[] = {
		{ "--worker", " (did you mean --workers?)" },
		{ "--wrokers", " (did you mean --workers?)" },
		{ "--max_body", " (did you mean --max-body?)" },
		{ "--database-password", " (did you mean --database-password-file?)" },
		{ "--log", " (did you mean --log-file?)" },
		{ "--database-urlfile", " (did you mean --database-url-file?)" },
		{ "--slwo", " (did you mean --slow?)" },
		{ "--x", "" },
		{ "--", "" },
		{ "-", "" },
		{ "--something-else", "" },
	};
	char guess[ATH_GUESS_SIZE];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(rows); i++)
		assert_string_equal(
			ath_option_guess(guess, rows[i].flag, strlen(rows[i].flag), ATH_SPELT_FLAG),
			rows[i].guess);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup(name_, each)
		TEST(test_numbers),
		TEST(test_impossible_values),
		TEST(test_other_values),
		TEST(test_who_wins),
		TEST(test_the_environment),
		TEST(test_lines_of_a_file),
		TEST(test_wrong_lines_of_a_file),
		TEST(test_secrets_in_files),
		TEST(test_credentials),
		TEST(test_reading_again),
		TEST(test_printed_values),
		TEST(test_printed_as_a_file),
		TEST(test_the_table),
		TEST(test_what_was_meant),
#undef TEST
	};

	each(NULL);
	return cmocka_run_group_tests(tests, start, end);
}
