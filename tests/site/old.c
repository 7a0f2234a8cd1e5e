/* old.c - handlers as they are in a program around FCGX_Accept_r(), mounted as they are. */
#include <fcgiapp.h>
#include <stdlib.h>

#include "site.h"

static void echo(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp)
{
	const char *length = FCGX_GetParam("CONTENT_LENGTH", envp);
	long left = length == NULL ? 0 : strtol(length, NULL, 10);
	char bytes[100000];
	int count;

	(void)err;
	FCGX_FPrintF(
		out,
		"Status: 203 Of another kind\r\nContent-Type: text/plain\r\nX-Old: yes\r\n\r\n");
	while (left > 0 && (count = FCGX_GetStr(bytes, (int)sizeof bytes, in)) > 0) {
		FCGX_PutStr(bytes, count, out);
		left -= count;
	}
}

static void complaint(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp)
{
	(void)in;
	FCGX_FPrintF(err, "old complaint of %s\n", FCGX_GetParam("REQUEST_METHOD", envp));
	FCGX_PutS("Location: /elsewhere\n\n", out);
}

static void silent(FCGX_Stream *in, FCGX_Stream *out, FCGX_Stream *err, char **envp)
{
	(void)in;
	(void)out;
	(void)err;
	(void)envp;
}

const struct ath_route old_routes[] = {
	ATH_ROUTE(POST, "/echo", ath_fcgx(echo), .max_body = 3 * 1024 * 1024),
	ATH_ROUTE(POST, "/stream", ath_fcgx(echo), .stream_body = true),
	ATH_ROUTE(GET, "/complaint", ath_fcgx(complaint)),
	ATH_ROUTE(GET, "/silent", ath_fcgx(silent)),
	{ 0 },
};
