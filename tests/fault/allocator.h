/*
 * allocator.h - every allocation fails: first the n-th alone, then the n-th and all that follow,
 * for n = 1, 2, 3... until a run is through before its turn comes.
 *
 * The program's malloc stands in front of the C library's (or the sanitizer's), so what libpq,
 * cJSON and the thread library take fails as well. A run may end whole or be refused; it may
 * not crash, leak, or give an answer that is wrong.
 */
#ifndef TESTS_FAULT_ALLOCATOR_H
#define TESTS_FAULT_ALLOCATOR_H

#include <errno.h>
#include <stdatomic.h>

#include "base/base.h"

/* ---- the allocator ------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#ifdef ADDRESS_SANITIZER
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *old, size_t size);
void REAL(free)(void *memory);

static atomic_bool armed, struck;
static atomic_long until; /* allocations that still succeed */
static bool for_good;     /* no memory comes back before the end */
static atomic_long living;
static _Thread_local bool in_main;

/* libpq loses an outcome when it has no memory for it: where a server answers, it is spared. */
static bool libraries_are_spared;

static bool is_ours(const void *caller)
{
	extern const char __executable_start[], etext[];

	return (const char *)caller >= __executable_start && (const char *)caller < etext;
}

static bool fails(const void *caller)
{
	long left;

	if (!armed || (libraries_are_spared && !is_ours(caller)))
		return false;
#ifdef ADDRESS_SANITIZER
	if (!in_main) /* where a thread begins, the sanitizer dies of it */
		return false;
#endif
	left = until--;
	if (left > 0 || (left < 0 && !for_good))
		return false;
	struck = true;
	errno = ENOMEM;
	return true;
}

ATH_API void *malloc(size_t size)
{
	void *memory = fails(__builtin_return_address(0)) ? NULL : REAL(malloc)(size);

	living += memory != NULL;
	return memory;
}

ATH_API void *calloc(size_t count, size_t size)
{
	void *memory = fails(__builtin_return_address(0)) ? NULL : REAL(calloc)(count, size);

	living += memory != NULL;
	return memory;
}

ATH_API void *realloc(void *old, size_t size)
{
	void *memory = fails(__builtin_return_address(0)) ? NULL : REAL(realloc)(old, size);

	living += memory != NULL && old == NULL;
	return memory;
}

ATH_API void free(void *memory)
{
	living -= memory != NULL;
	REAL(free)(memory);
}

static void arm(long allocations, bool stays)
{
	until = allocations;
	for_good = stays;
	struck = false;
	armed = true;
}

/* Whether an allocation has failed since; told once. */
static bool disarm(void)
{
	armed = false;
	return atomic_exchange(&struck, false);
}

/* ---- runs ---------------------------------------------------------------------------- */

enum result { WHOLE, REFUSED, WRONG };

/* Where the memory is short is for run to say: it arms with these, unless sparing. */
struct shortage {
	bool sparing;
	long allocations;
	bool stays;
	bool struck;
	const char *wrong; /* what WRONG is about */
};

static void begin(const struct shortage *shortage)
{
	if (!shortage->sparing)
		arm(shortage->allocations, shortage->stays);
}

static void end(struct shortage *shortage)
{
	shortage->struck |= disarm();
}

static enum result wrong(struct shortage *shortage, const char *what)
{
	shortage->wrong = what;
	return WRONG;
}

typedef enum result run_function(struct shortage *shortage, const void *with);

/*
 * The sanitizer finds leaks by itself, and has a strdup that does not come by here. Threads that
 * connect leave behind what depends on how many of them there were at a time.
 */
static bool leaked(long before)
{
#ifdef ADDRESS_SANITIZER
	(void)before;
	return false;
#else
	return living != before && !libraries_are_spared;
#endif
}

static void check_run(run_function *run, const void *with, struct shortage *shortage)
{
	long before = living;
	enum result result = run(shortage, with);

	if (result == WRONG)
		fail_msg("allocation %ld%s: %s", shortage->allocations + 1,
			 shortage->stays ? " and all that follow" : "", shortage->wrong);
	if (leaked(before))
		fail_msg("allocation %ld%s: %ld leaked", shortage->allocations + 1,
			 shortage->stays ? " and all that follow" : "", living - before);
	if (!shortage->struck)
		assert_int_equal(result, WHOLE);
	else if (shortage->stays && result == WHOLE)
		fail_msg("allocation %ld and all that follow: nothing is refused",
			 shortage->allocations + 1);
}

/* What libraries allocate once and keep is there after two runs. */
static void fail_everywhere(run_function *run, const void *with)
{
	struct shortage none = { .sparing = true };

	assert_int_equal(run(&none, with), WHOLE);
	check_run(run, with, &none);
	for (int stays = 0; stays < 2; stays++) {
		struct shortage shortage = { .struck = true, .stays = stays };
		long n = 0;

		for (; shortage.struck; n++) {
			shortage.struck = false;
			shortage.allocations = n;
			check_run(run, with, &shortage);
		}
		assert_true(n > 1); /* or nothing was tried */
	}
}

#endif
