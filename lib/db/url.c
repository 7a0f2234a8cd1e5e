/* url.c - database URLs. */
#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "base/internal.h"
#include "db/url.h"

static const struct ath_driver *const drivers[] = { &ath_postgresql };

static const char *const echo_words[] = { "off", "on", "values", NULL };
static const char *const prepared_words[] = { "on", "off", NULL };

/*
 * The engine's options: name, place, scale to the unit of the place, bounds as written; or
 * words, the first of which is zero.
 */
static const struct known {
	const char *name;
	size_t offset;
	int scale, least, most;
	bool zero_is_never; /* where a negative number says so */
	const char *const *words;
} known[] = {
#define AT(member) offsetof(struct ath_engine_options, member)
	{ "pipelines", AT(pipelines), 1, 1, 64, false, NULL },
	{ "pool_size", AT(pool_size), 1, 1, 1000, false, NULL },
	{ "max_overflow", AT(max_overflow), 1, 0, 1000, false, NULL },
	{ "pool_timeout", AT(pool_timeout_ms), 1000, 1, 3600, false, NULL },
	{ "pool_recycle", AT(pool_recycle_s), 1, 0, 31536000, false, NULL },
	{ "statement_timeout", AT(statement_timeout_ms), 1, 0, INT_MAX, true, NULL },
	{ "lock_timeout", AT(lock_timeout_ms), 1, 0, INT_MAX, true, NULL },
	{ "idle_timeout", AT(idle_timeout_ms), 1, 0, INT_MAX, true, NULL },
	{ "echo", AT(echo), 1, 0, 0, false, echo_words },
	{ "prepared_statements", AT(prepared_statements), 1, 0, 0, false, prepared_words },
#undef AT
};

/* All of them are read and written as int. */
static_assert(sizeof(enum ath_echo) == sizeof(int), "an enum option is an int");
static_assert(sizeof(enum ath_prepared_statements) == sizeof(int), "an enum option is an int");

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

static int find_word(const char *const *words, struct ath_text value)
{
	for (int i = 0; words[i] != NULL; i++)
		if (ath_text_is(value, words[i]))
			return i;
	return -1;
}

static void refuse_word(const struct known *option, struct ath_text value, struct ath_error *error)
{
	const char *const *words = option->words;

	ath_error_set(error, ATH_EINVAL, "%s is %s%s%s or %s, not \"%.*s\"", option->name, words[0],
		      words[2] == NULL ? "" : ", ", words[2] == NULL ? "" : words[1],
		      words[2] == NULL ? words[1] : words[2], (int)value.length, value.data);
}

static int read_value(const struct known *option, struct ath_text value, struct ath_error *error)
{
	int64_t number;
	int word;

	if (option->words != NULL) {
		word = find_word(option->words, value);
		if (word < 0)
			refuse_word(option, value, error);
		return word;
	}
	if (!ath_text_int64(value, &number) || number < option->least || number > option->most) {
		ath_error_set(error, ATH_EINVAL, "%s must be from %d to %d, not \"%.*s\"",
			      option->name, option->least, option->most, (int)value.length,
			      value.data);
		return 0;
	}
	return number == 0 && option->zero_is_never ? -1 : (int)number * option->scale;
}

/* Takes an option that is the engine's; false when it is not. */
static bool take_option(struct ath_text option, struct ath_engine_options *options,
			struct ath_error *error)
{
	const char *equals = memchr(option.data, '=', option.length);
	struct ath_text name = option, value = { option.data + option.length, 0 };

	if (equals != NULL) {
		name.length = (size_t)(equals - option.data);
		value = (struct ath_text){ equals + 1, option.length - name.length - 1 };
	}
	for (size_t i = 0; i < ATH_COUNT(known); i++) {
		if (!ath_text_is(name, known[i].name))
			continue;
		*(int *)((char *)options + known[i].offset) = read_value(&known[i], value, error);
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
