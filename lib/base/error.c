/* error.c - status texts and the error that needs no memory. */
#include <stdio.h>

#include "base/base.h"

const char *ath_status_text(enum ath_status status)
{
	switch (status) {
#define X(name, text)                                                                              \
	case ATH_##name:                                                                           \
		return text;
		ATH_STATUS_MAP(X)
#undef X
	}
	return "unknown status";
}

enum ath_status ath_error_set(struct ath_error *error, enum ath_status status, const char *format,
			      ...)
{
	va_list args;

	if (error->status != ATH_OK)
		return error->status;
	ath_error_clear(error);
	error->status = status;
	va_start(args, format);
	vsnprintf(error->message, sizeof error->message, format, args);
	va_end(args);
	return status;
}

void ath_error_clear(struct ath_error *error)
{
	error->status = ATH_OK;
	error->sqlstate[0] = '\0';
	error->message[0] = '\0';
	error->constraint[0] = '\0';
	error->table[0] = '\0';
	error->column[0] = '\0';
}
