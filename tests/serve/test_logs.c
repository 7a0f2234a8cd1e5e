/*
 * test_logs.c - where lines go: files that are opened, moved away and opened anew under the same
 * descriptors, what cannot be opened, and the form that a terminal gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/internal.h"

static char directory[] = "/tmp/athanor_logs.XXXXXX";
static char paths[4][64];
static struct ath_configuration configuration;
static struct ath_error error;

static int setup(void **state)
{
	(void)state;
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	for (size_t i = 0; i < ATH_COUNT(paths); i++)
		snprintf(paths[i], sizeof paths[i], "%s/%zu.log", directory, i);
	configuration = (struct ath_configuration){ .log = { .level = ATH_LOG_INFO },
						    .access_file = "off",
						    .slow_file = "off" };
	error = (struct ath_error){ 0 };
	return 0;
}

static int teardown(void **state)
{
	const int fds[] = { configuration.log.fd, configuration.access.fd, configuration.slow.fd };

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(fds); i++)
		if (fds[i] > STDERR_FILENO)
			close(fds[i]);
	for (size_t i = 0; i < ATH_COUNT(paths); i++)
		unlink(paths[i]);
	return rmdir(directory);
}

static void say(const struct ath_log *log, const char *message)
{
	struct ath_log_line line;

	ath_log_begin(&line, log, ATH_LOG_WARNING, message);
	ath_log_end(&line);
}

static bool holds(const char *path, const char *text)
{
	static char content[10000];
	int fd = open(path, O_RDONLY);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, content, sizeof content - 1);
	close(fd);
	assert_true(length >= 0);
	content[length] = '\0';
	return strstr(content, text) != NULL;
}

static void test_each_in_its_file(void **state)
{
	struct stat about;

	(void)state;
	configuration.log_file = paths[0];
	configuration.access_file = paths[1];
	configuration.slow_file = "on";
	umask(0);
	assert_int_equal(ath_logs_open(&configuration, &error), ATH_OK);
	say(&configuration.log, "one");
	say(&configuration.access, "two");
	say(&configuration.slow, "three");
	assert_true(holds(paths[0], "one") && holds(paths[0], "three"));
	assert_true(holds(paths[1], "two") && !holds(paths[1], "one"));
	assert_int_equal(configuration.slow.fd, configuration.log.fd);
	assert_int_equal(stat(paths[0], &about), 0);
	assert_int_equal(about.st_mode & 0777, 0640);
	assert_true(fcntl(configuration.log.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(configuration.access.level, ATH_LOG_INFO);
	assert_int_equal(configuration.slow.level, ATH_LOG_WARNING);
}

static void test_without_files(void **state)
{
	(void)state;
	configuration.access_file = "on";
	assert_int_equal(ath_logs_open(&configuration, &error), ATH_OK);
	assert_int_equal(configuration.log.fd, STDERR_FILENO);
	assert_int_equal(configuration.access.fd, STDERR_FILENO);
	assert_int_equal(configuration.slow.fd, -1);
	assert_int_equal(ath_logs_reopen(&configuration), ATH_OK);
}

static void test_moved_away_and_opened_anew(void **state)
{
	int before[2];

	(void)state;
	configuration.log_file = paths[0];
	configuration.access_file = paths[1];
	assert_int_equal(ath_logs_open(&configuration, &error), ATH_OK);
	before[0] = configuration.log.fd;
	before[1] = configuration.access.fd;
	say(&configuration.log, "before");
	assert_int_equal(rename(paths[0], paths[2]), 0);
	say(&configuration.log, "meanwhile");
	assert_int_equal(ath_logs_reopen(&configuration), ATH_OK);
	say(&configuration.log, "afterwards");
	assert_int_equal(configuration.log.fd, before[0]);
	assert_int_equal(configuration.access.fd, before[1]);
	assert_true(holds(paths[2], "before") && holds(paths[2], "meanwhile"));
	assert_false(holds(paths[2], "afterwards"));
	assert_true(holds(paths[0], "afterwards"));
	assert_true(fcntl(configuration.log.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(ath_logs_reopen(&configuration), ATH_OK); /* nothing was moved */
	say(&configuration.log, "at the end");
	assert_true(holds(paths[0], "afterwards") && holds(paths[0], "at the end"));
	/* no descriptor is left over */
	for (int fd = before[1] + 1; fd < before[1] + 4; fd++)
		assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* The old one goes on, and hears why. */
static void test_what_cannot_be_opened_anew(void **state)
{
	(void)state;
	configuration.log_file = paths[0];
	configuration.access_file = paths[1];
	assert_int_equal(ath_logs_open(&configuration, &error), ATH_OK);
	assert_int_equal(rename(paths[1], paths[3]), 0);
	assert_int_equal(mkdir(paths[1], 0700), 0); /* nobody can write to that */
	assert_int_equal(ath_logs_reopen(&configuration), ATH_EIO);
	say(&configuration.access, "goes on");
	assert_true(holds(paths[3], "goes on"));
	assert_true(holds(paths[0], "a log cannot be opened anew"));
	assert_true(holds(paths[0], paths[1]));
	assert_int_equal(rmdir(paths[1]), 0);
}

static void test_what_cannot_be_opened(void **state)
{
	char nowhere[80];

	(void)state;
	snprintf(nowhere, sizeof nowhere, "%s/none/x.log", directory);
	configuration.slow_file = nowhere;
	assert_int_equal(ath_logs_open(&configuration, &error), ATH_EIO);
	assert_non_null(strstr(error.message, "slow_file"));
	assert_non_null(strstr(error.message, nowhere));
	assert_null(strchr(error.message, '\n'));
}

static void test_the_form(void **state)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY);

	(void)state;
	assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
	unsetenv("NO_COLOR");
	configuration.log_file = ptsname(terminal);
	configuration.access_file = paths[0];
	assert_int_equal(ath_logs_open(&configuration, &error), ATH_OK);
	assert_int_equal(configuration.log.form, ATH_LOG_COLOURED);
	assert_int_equal(configuration.access.form, ATH_LOG_JSON);
	close(configuration.log.fd);
	close(configuration.access.fd);
	setenv("NO_COLOR", "1", 1);
	configuration.log_format = ATH_LOG_FORMAT_TEXT;
	assert_int_equal(ath_logs_open(&configuration, &error), ATH_OK);
	assert_int_equal(configuration.log.form, ATH_LOG_READABLE);
	assert_int_equal(configuration.access.form, ATH_LOG_READABLE);
	close(configuration.log.fd);
	close(configuration.access.fd);
	configuration.log_format = ATH_LOG_FORMAT_JSON;
	assert_int_equal(ath_logs_open(&configuration, &error), ATH_OK);
	assert_int_equal(configuration.log.form, ATH_LOG_JSON);
	unsetenv("NO_COLOR");
	close(terminal);
}

int main(void)
{
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	static const struct CMUnitTest tests[] = {
		row(test_each_in_its_file),           row(test_without_files),
		row(test_moved_away_and_opened_anew), row(test_what_cannot_be_opened_anew),
		row(test_what_cannot_be_opened),      row(test_the_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
