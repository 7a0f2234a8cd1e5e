/* url.c - database URLs. */
#include <stdlib.h>

#include "base/internal.h"
#include "db/url.h"

static const struct ath_driver *const drivers[] = { &ath_postgresql };

/* The engine's options: name, place, scale to the unit of the place, bounds as written. */
static const struct {
	const char *name;
	size_t offset;
	int scale, least, most;
} known[] = {
	{ "pipelines", offsetof(struct ath_engine_options, pipelines), 1, 1, 64 },
	{ "pool_size", offsetof(struct ath_engine_options, pool_size), 1, 1, 1000 },
	{ "pool_timeout", offsetof(struct ath_engine_options, pool_timeout_ms), 1000, 1, 3600 },
};

/* "postgresql+psycopg2" is SQLAlchemy's way to name a driver as well: it makes no difference */
static const struct ath_driver *driver_of(struct ath_text scheme)
{
	const char *plus = memchr(scheme.data, '+', scheme.length);

	if (plus != NULL)
		scheme.length = (size_t)(plus - scheme.data);
	for (size_t i = 0; i < ATH_COUNT(drivers); i++)
		for (const char *const *name = drivers[i]->schemes; *name != NULL; name++)
			if (ath_text_is(scheme, *name))
				return drivers[i];
	return NULL;
}

/* Takes an option that is the engine's; false when it is not, or error is set. */
static bool take_option(struct ath_text option, struct ath_engine_options *options,
			struct ath_error *error)
{
	const char *equals = memchr(option.data, '=', option.length);
	struct ath_text name = option, value = { option.data + option.length, 0 };
	int64_t number;

	if (equals != NULL) {
		name.length = (size_t)(equals - option.data);
		value = (struct ath_text){ equals + 1, option.length - name.length - 1 };
	}
	for (size_t i = 0; i < ATH_COUNT(known); i++) {
		if (!ath_text_is(name, known[i].name))
			continue;
		if (!ath_text_int64(value, &number) || number < known[i].least ||
		    number > known[i].most)
			ath_error_set(error, ATH_EINVAL, "%s must be from %d to %d, not \"%.*s\"",
				      known[i].name, known[i].least, known[i].most,
				      (int)value.length, value.data);
		else
			*(int *)((char *)options + known[i].offset) = (int)number * known[i].scale;
		return true;
	}
	return false;
}

/* The query without the engine's options, behind what stands in rest already. */
static void copy_query(const char *query, struct ath_engine_options *options, char *rest,
		       struct ath_error *error)
{
	char separator = '?';

	while (*query != '\0') {
		struct ath_text option = { query, strcspn(query, "&") };
		size_t length = strlen(rest);

		query += option.length;
		query += *query == '&';
		if (take_option(option, options, error))
			continue;
		rest[length] = separator;
		memcpy(rest + length + 1, option.data, option.length);
		rest[length + 1 + option.length] = '\0';
		separator = '&';
	}
}

enum ath_status ath_url_read(const char *url, const struct ath_driver **driver,
			     struct ath_engine_options *options, char **rest,
			     struct ath_error *error)
{
	const char *colon = strstr(url, "://");
	const char *query = colon == NULL ? NULL : strchr(colon, '?');
	struct ath_text scheme = { url, colon == NULL ? 0 : (size_t)(colon - url) };
	struct ath_text name;
	size_t length;

	*rest = NULL;
	*driver = driver_of(scheme);
	if (colon == NULL || *driver == NULL)
		return ath_error_set(error, ATH_EINVAL,
				     "a database URL starts with postgresql://, not \"%.*s\"",
				     colon == NULL ? 16 : (int)scheme.length, url);
	/* scheme without its +driver, the middle, and the query piece by piece */
	name = (struct ath_text){ url, strcspn(url, "+:") };
	*rest = calloc(1, strlen(url) + 2);
	if (*rest == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	memcpy(*rest, url, name.length);
	length = query == NULL ? strlen(colon) : (size_t)(query - colon);
	memcpy(*rest + name.length, colon, length);
	if (query != NULL)
		copy_query(query + 1, options, *rest, error);
	if (error->status != ATH_OK) {
		free(*rest);
		*rest = NULL;
	}
	return error->status;
}
