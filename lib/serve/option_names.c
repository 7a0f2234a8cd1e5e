/* option_names.c - how the name of an option is spelt where, and which one was meant. */
#include <ctype.h>
#include <stdio.h>

#include "serve/options.h"

static const char *const prefixes[] = {
	[ATH_SPELT_FLAG] = "--",
	[ATH_SPELT_VARIABLE] = "ATHANOR_",
	[ATH_SPELT_LINE] = "",
};

const char *ath_option_spell(char spelt[ATH_SPELT_SIZE], const struct ath_option *option,
			     enum ath_spelling spelling, bool file)
{
	size_t prefix = strlen(prefixes[spelling]);

	snprintf(spelt, ATH_SPELT_SIZE, "%s%s%s", prefixes[spelling], option->name,
		 file ? "_file" : "");
	for (char *c = spelt + prefix; *c != '\0'; c++) {
		if (spelling == ATH_SPELT_VARIABLE)
			*c = (char)toupper((unsigned char)*c);
		else if (spelling == ATH_SPELT_FLAG && *c == '_')
			*c = '-';
	}
	return spelt;
}

/* The two names an option may have: its own, and that of a file that holds it. */
static bool has_name(const struct ath_option *option, bool file)
{
	return file ? option->secrecy != ATH_OPEN : option->secrecy != ATH_SECRET_FILE;
}

const struct ath_option *ath_option_find(const char *name, size_t length,
					 enum ath_spelling spelling, bool *file)
{
	char spelt[ATH_SPELT_SIZE];

	for (size_t i = 0; i < 2 * ath_option_count; i++) {
		const struct ath_option *option = &ath_options[i / 2];

		*file = i % 2 != 0;
		if (has_name(option, *file) &&
		    ath_text_is((struct ath_text){ name, length },
				ath_option_spell(spelt, option, spelling, *file)))
			return option;
	}
	return NULL;
}

/* ---- what was meant ------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * How many letters must be put in, left out or changed to make b of a (Levenshtein), by one row of
 * the table of beginnings after the other.
 */
static size_t distance(const char *a, size_t length, const char *b)
{
	size_t row[ATH_SPELT_SIZE + 1], width = least(strlen(b), ATH_SPELT_SIZE);

	for (size_t i = 0; i <= width; i++)
		row[i] = i;
	for (size_t i = 0; i < length; i++) {
		size_t corner = row[0]++;

		for (size_t j = 0; j < width; j++) {
			size_t changed = corner + (a[i] != b[j]);

			corner = row[j + 1];
			row[j + 1] = least(changed, 1 + least(row[j], row[j + 1]));
		}
	}
	return row[width];
}

/* The longer a name, the more of its letters may be wrong: one to three. */
struct guess {
	const char *name;
	size_t length, nearest;
	char best[ATH_SPELT_SIZE];
};

static struct guess guess_of(const char *name, size_t length)
{
	return (struct guess){ .name = name,
			       .length = length,
			       .nearest = 2 + least(length / 4, 2) };
}

/* A beginning is near as well: who writes database_password is told of database_password_file. */
static void consider(struct guess *guess, const char *candidate)
{
	bool begins = guess->length > 2 && strncmp(guess->name, candidate, guess->length) == 0;
	size_t apart = begins ? 0 : distance(guess->name, guess->length, candidate);

	if (apart >= guess->nearest)
		return;
	guess->nearest = apart;
	snprintf(guess->best, sizeof guess->best, "%s", candidate);
}

static const char *say(const struct guess *guess, const char *prefix, char text[ATH_GUESS_SIZE])
{
	if (guess->best[0] == '\0')
		text[0] = '\0';
	else
		snprintf(text, ATH_GUESS_SIZE, " (did you mean %s%s?)", prefix, guess->best);
	return text;
}

const char *ath_option_guess(char text[ATH_GUESS_SIZE], const char *name, size_t length,
			     enum ath_spelling spelling)
{
	const char *prefix = prefixes[spelling];
	size_t skipped = least(strlen(prefix), length);
	/* all have the prefix: it says nothing of what was meant */
	struct guess guess = guess_of(name + skipped, length - skipped);
	char spelt[ATH_SPELT_SIZE];

	for (size_t i = 0; i < 2 * ath_option_count; i++)
		if (has_name(&ath_options[i / 2], i % 2 != 0))
			consider(&guess, ath_option_spell(spelt, &ath_options[i / 2], spelling,
							  i % 2 != 0) +
						 strlen(prefix));
	return say(&guess, prefix, text);
}

const char *ath_word_guess(char text[ATH_GUESS_SIZE], const char *name, const char *const *words)
{
	struct guess guess = guess_of(name, strlen(name));

	for (; *words != NULL; words++)
		consider(&guess, *words);
	return say(&guess, "", text);
}
