/*
 * fleet.c - the application of test_master.sh: its handlers do to their worker what no handler
 * should, and it starts as the file that FLEET_START names has it. No database is needed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <athanor.h>

#ifndef VERSION
#define VERSION "1"
#endif

static struct ath_response *say(struct ath_request *req, const char *text)
{
	struct ath_response *response = ath_response_new(req, 200, "text/plain");

	if (response != NULL)
		ath_buffer_string(ath_response_body(response), text);
	return response;
}

/* Which program, and which worker. */
static struct ath_response *who(struct ath_request *req)
{
	char text[64];

	snprintf(text, sizeof text, "%s %d", VERSION, (int)getpid());
	return say(req, text);
}

static int64_t number(struct ath_request *req, const char *name)
{
	const char *text = ath_arg(req, name);

	return text == NULL ? 0 : atoll(text);
}

/* The file tells that it has begun. */
static struct ath_response *wait_for(struct ath_request *req)
{
	const char *name = ath_arg(req, "file");
	FILE *file = name == NULL ? NULL : fopen(name, "w");

	if (file != NULL)
		fclose(file);
	if (ath_sleep(number(req, "ms")) != ATH_OK)
		return NULL;
	return who(req);
}

/* Keeps the loop. */
static struct ath_response *block(struct ath_request *req)
{
	int64_t end = ath_now() + number(req, "ms");

	while (ath_now() < end)
		;
	return who(req);
}

static struct ath_response *die(struct ath_request *req)
{
	(void)raise((int)number(req, "signal"));
	return who(req);
}

/* Takes memory, and keeps it. */
static struct ath_response *grow(struct ath_request *req)
{
	static char *kept;
	size_t size = (size_t)number(req, "mib") << 20;

	free(kept);
	kept = malloc(size);
	for (size_t i = 0; kept != NULL && i < size; i += 4096)
		kept[i] = 1;
	return who(req);
}

static const struct ath_route routes[] = {
	ATH_ROUTE(GET, "/who", who),     ATH_ROUTE(GET, "/wait", wait_for),
	ATH_ROUTE(GET, "/block", block), ATH_ROUTE(GET, "/die", die),
	ATH_ROUTE(GET, "/grow", grow),   { 0 },
};

static enum ath_status before_start(struct ath_worker *worker)
{
	const char *name = getenv("FLEET_START");
	FILE *file = name == NULL ? NULL : fopen(name, "r");
	char how[16] = "well";

	(void)worker;
	if (file != NULL) {
		if (fscanf(file, "%15s", how) != 1)
			how[0] = '\0';
		fclose(file);
	}
	if (strcmp(how, "hangs") == 0)
		return ath_sleep(3600 * 1000);
	if (strcmp(how, "dies") == 0)
		(void)raise(SIGKILL);
	return strcmp(how, "fails") == 0 ? ATH_EFORBIDDEN : ATH_OK;
}

int main(int argc, char **argv)
{
	static const struct ath_app app = {
		.name = "fleet",
		.version = VERSION,
		.routes = routes,
		.before_start = before_start,
	};

	return ath_main(&app, argc, argv);
}
