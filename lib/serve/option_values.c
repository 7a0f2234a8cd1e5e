/* option_values.c - one value of an option: from text into its member, and back. */
#include <ctype.h>
#include <stdio.h>
#include <sys/un.h>

#include "base/internal.h"
#include "serve/options.h"

enum { SHOWN = 60 }; /* bytes of a wrong value that an error repeats */

struct unit {
	const char *name;
	int64_t size;
};
static const struct unit sizes[] = { { "G", 1 << 30 }, { "M", 1 << 20 }, { "K", 1 << 10 } };
static const struct unit times[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

static void *member_of(const struct ath_option *option, struct ath_configuration *configuration)
{
	return (char *)configuration + option->offset;
}

static const void *member_in(const struct ath_option *option,
			     const struct ath_configuration *configuration)
{
	return (const char *)configuration + option->offset;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* Digits, and then one of the units; without one only where bare says so, and zero. */
static bool read_with_unit(const char *text, const struct unit *units, size_t count, bool bare,
			   int64_t *number)
{
	size_t digits = strspn(text, "0123456789");

	if (!ath_text_int64((struct ath_text){ text, digits }, number))
		return false;
	if (text[digits] == '\0')
		return bare || *number == 0;
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(text + digits, units[i].name) == 0)
			return !__builtin_mul_overflow(*number, units[i].size, number);
	return false;
}

static bool read_octal(const char *text, int64_t *number)
{
	*number = 0;
	if (*text == '\0' || strlen(text) > 5 || text[strspn(text, "01234567")] != '\0')
		return false;
	for (; *text != '\0'; text++)
		*number = *number * 8 + (*text - '0');
	return true;
}

static bool read_number(const struct ath_option *option, const char *text, int64_t *number)
{
	if (option->automatic && strcmp(text, "auto") == 0) {
		*number = -1;
		return true;
	}
	switch (option->type) {
	case ATH_OPTION_SIZE:
		if (!read_with_unit(text, sizes, ATH_COUNT(sizes), true, number))
			return false;
		break;
	case ATH_OPTION_TIME:
		if (!read_with_unit(text, times, ATH_COUNT(times), false, number))
			return false;
		break;
	case ATH_OPTION_MODE:
		if (!read_octal(text, number))
			return false;
		break;
	default:
		if (!ath_text_int64(ath_text(text), number))
			return false;
	}
	return (*number >= option->least && *number <= option->most) ||
	       (option->zero && *number == 0);
}

static void write_with_unit(int64_t number, const struct unit *units, size_t count,
			    struct ath_buffer *out)
{
	size_t i = 0;

	while (i < count && (number == 0 || number % units[i].size != 0))
		i++;
	ath_buffer_printf(out, "%" PRId64 "%s", i == count ? number : number / units[i].size,
			  i == count ? "" : units[i].name);
}

void ath_option_number(enum ath_option_type type, int64_t number, struct ath_buffer *out)
{
	if (number < 0)
		ath_buffer_string(out, "auto");
	else if (type == ATH_OPTION_SIZE)
		write_with_unit(number, sizes, ATH_COUNT(sizes), out);
	else if (type == ATH_OPTION_TIME)
		write_with_unit(number, times, ATH_COUNT(times), out);
	else if (type == ATH_OPTION_MODE)
		ath_buffer_printf(out, "%04o", (unsigned)number);
	else
		ath_buffer_int64(out, number);
}

/* "--backlog is a number from 1 to 65535, not "0"": what is possible, and an example of its form */
static enum ath_status refuse_number(const struct ath_option *option, const char *value,
				     const char *label, struct ath_error *error)
{
	static const char *const kinds[] = {
		[ATH_OPTION_COUNT] = "a number from ",
		[ATH_OPTION_SIZE] = "a size such as 512M, from ",
		[ATH_OPTION_TIME] = "a time such as 15s or 250ms, from ",
		[ATH_OPTION_MODE] = "an octal mode from ",
	};
	struct ath_buffer range;

	ath_buffer_init(&range, NULL, 256);
	ath_buffer_string(&range, kinds[option->type]);
	ath_option_number(option->type, option->least, &range);
	ath_buffer_string(&range, " to ");
	ath_option_number(option->type, option->most, &range);
	ath_buffer_string(&range, option->zero ? ", or 0" : option->automatic ? ", or auto" : "");
	ath_error_set(error, ATH_EINVAL, "%s is %s, not \"%.*s\"", label,
		      ath_buffer_c_string(&range), SHOWN, value);
	ath_buffer_free(&range);
	return error->status;
}

/* ---- words ---------------------------------------------------------------------------------- */

static int find_word(const char *const *words, const char *value)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], value) == 0)
			return i;
	return -1;
}

static enum ath_status refuse_word(const char *const *words, const char *value, const char *label,
				   struct ath_error *error)
{
	struct ath_buffer list;

	ath_buffer_init(&list, NULL, 256);
	for (size_t i = 0; words[i] != NULL; i++)
		ath_buffer_printf(&list, "%s%s",
				  i == 0                 ? ""
				  : words[i + 1] == NULL ? " or "
							 : ", ",
				  words[i]);
	ath_error_set(error, ATH_EINVAL, "%s is %s, not \"%.*s\"", label,
		      ath_buffer_c_string(&list), SHOWN, value);
	ath_buffer_free(&list);
	return error->status;
}

/* ---- sockets -------------------------------------------------------------------------------- */

static bool is_port(const char *text)
{
	int64_t port;

	return ath_text_int64(ath_text(text), &port) && port >= 1 && port <= 65535;
}

/* The form alone: whether such a host is there is seen when it is bound. */
static enum ath_status check_socket(const char *value, const char *label, struct ath_error *error)
{
	enum { PATH_MOST = sizeof((struct sockaddr_un *)NULL)->sun_path - 1 };
	const char *colon = strrchr(value, ':'), *path = value + 5;

	if (strncmp(value, "unix:", 5) == 0) {
		if (*path == '\0' || path[strlen(path) - 1] == '/')
			return ath_error_set(error, ATH_EINVAL,
					     "%s: unix: needs the path of a socket, such as "
					     "unix:/run/users/app.sock",
					     label);
		if (strlen(path) > PATH_MOST)
			return ath_error_set(error, ATH_EINVAL,
					     "%s: the path of a unix socket has at most %d bytes, "
					     "this one has %zu: take a shorter one",
					     label, PATH_MOST, strlen(path));
		return ATH_OK;
	}
	if (colon == NULL || colon == value || strchr(value, '/') != NULL)
		return ath_error_set(error, ATH_EINVAL,
				     "%s is unix:PATH or HOST:PORT, not \"%.*s\"", label, SHOWN,
				     value);
	if (!is_port(colon + 1))
		return ath_error_set(error, ATH_EINVAL,
				     "%s: a port is a number from 1 to 65535, not \"%.*s\"", label,
				     SHOWN, colon + 1);
	if ((value[0] == '[') != (colon[-1] == ']') ||
	    (value[0] != '[' && memchr(value, ':', (size_t)(colon - value)) != NULL))
		return ath_error_set(error, ATH_EINVAL,
				     "%s: an IPv6 address stands in brackets, as in [::1]:9000",
				     label);
	return ATH_OK;
}

/* ---- into the member, and out of it ---------------------------------------------------------- */

static enum ath_status set_text(const struct ath_option *option, const char **member,
				const char *value, const char *label, struct ath_error *error)
{
	if (*value == '\0')
		return ath_error_set(error, ATH_EINVAL, "%s has no value", label);
	if (option->type == ATH_OPTION_SOCKET && check_socket(value, label, error) != ATH_OK)
		return error->status;
	/* "yes" is no file that somebody wants */
	if (option->type == ATH_OPTION_OUTPUT && strcmp(value, "off") != 0 &&
	    strcmp(value, "on") != 0 && strchr(value, '/') == NULL)
		return ath_error_set(error, ATH_EINVAL,
				     "%s is off, on or a path with a / in it, not \"%.*s\"", label,
				     SHOWN, value);
	*member = value;
	return ATH_OK;
}

enum ath_status ath_option_set(const struct ath_option *option,
			       struct ath_configuration *configuration, const char *value,
			       const char *label, struct ath_error *error)
{
	static const char *const switch_words[] = { "off", "on", NULL };
	void *member = member_of(option, configuration);
	int64_t number;
	int word;

	switch (option->type) {
	case ATH_OPTION_SWITCH:
		word = find_word(switch_words, value);
		if (word < 0)
			return refuse_word(switch_words, value, label, error);
		*(bool *)member = word == 1;
		return ATH_OK;
	case ATH_OPTION_WORD:
		word = find_word(option->words, value);
		if (word < 0)
			return refuse_word(option->words, value, label, error);
		memcpy(member, &word, sizeof word); /* an enum */
		return ATH_OK;
	case ATH_OPTION_TEXT:
	case ATH_OPTION_FILE:
	case ATH_OPTION_OUTPUT:
	case ATH_OPTION_SOCKET:
		return set_text(option, member, value, label, error);
	default:
		if (!read_number(option, value, &number))
			return refuse_number(option, value, label, error);
		*(int64_t *)member = number;
		return ATH_OK;
	}
}

_Static_assert(sizeof(enum ath_log_level) == sizeof(int), "words are stored as int");
_Static_assert(sizeof(enum ath_sql_comments) == sizeof(int), "words are stored as int");

/* The password of a URL, between "user:" and "@" or in its query, is not for the eye. */
static void write_url(const char *url, struct ath_buffer *out)
{
	const char *start = strstr(url, "://"), *end, *colon, *at;

	start = start == NULL ? url : start + 3;
	end = start + strcspn(start, "?");
	at = memrchr(start, '@', (size_t)(end - start));
	colon = at == NULL ? NULL : memchr(start, ':', (size_t)(at - start));
	if (colon != NULL) {
		ath_buffer_append(out, url, (size_t)(colon + 1 - url));
		ath_buffer_string(out, "****");
		url = at;
	}
	while ((at = strcasestr(url, "password=")) != NULL) {
		at += strlen("password=");
		ath_buffer_append(out, url, (size_t)(at - url));
		ath_buffer_string(out, "****");
		url = at + strcspn(at, "&");
	}
	ath_buffer_string(out, url);
}

static void write_text(const struct ath_option *option, const char *text, struct ath_buffer *out)
{
	if (text == NULL)
		return;
	if (option->secrecy == ATH_SECRET_FILE)
		ath_buffer_string(out, "****");
	else if (option->secrecy == ATH_SECRET)
		write_url(text, out);
	else
		ath_buffer_string(out, text);
}

void ath_option_copy(const struct ath_option *option, struct ath_configuration *to,
		     const struct ath_configuration *from)
{
	static const size_t sizes_of_members[] = {
		[ATH_OPTION_TEXT] = sizeof(char *),   [ATH_OPTION_FILE] = sizeof(char *),
		[ATH_OPTION_OUTPUT] = sizeof(char *), [ATH_OPTION_SOCKET] = sizeof(char *),
		[ATH_OPTION_COUNT] = sizeof(int64_t), [ATH_OPTION_SIZE] = sizeof(int64_t),
		[ATH_OPTION_TIME] = sizeof(int64_t),  [ATH_OPTION_MODE] = sizeof(int64_t),
		[ATH_OPTION_SWITCH] = sizeof(bool),   [ATH_OPTION_WORD] = sizeof(int),
	};

	memcpy(member_of(option, to), member_in(option, from), sizes_of_members[option->type]);
}

void ath_option_get(const struct ath_option *option, const struct ath_configuration *configuration,
		    struct ath_buffer *out)
{
	const void *member = member_in(option, configuration);
	int word;

	switch (option->type) {
	case ATH_OPTION_SWITCH:
		ath_buffer_string(out, *(const bool *)member ? "on" : "off");
		return;
	case ATH_OPTION_WORD:
		memcpy(&word, member, sizeof word);
		ath_buffer_string(out, option->words[word]);
		return;
	case ATH_OPTION_TEXT:
	case ATH_OPTION_FILE:
	case ATH_OPTION_OUTPUT:
	case ATH_OPTION_SOCKET:
		write_text(option, *(const char *const *)member, out);
		return;
	default:
		ath_option_number(option->type, *(const int64_t *)member, out);
	}
}
