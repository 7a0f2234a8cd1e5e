/*
 * allocations.h - counts what is allocated in this program: in place of libc's functions, for the
 * libraries as well. Not for a build with AddressSanitizer, which has its own.
 */
#ifndef TESTS_ALLOCATIONS_H
#define TESTS_ALLOCATIONS_H

#include <stdlib.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern const char __executable_start, etext; /* the linker's: where the program's own code is */

static unsigned long own_allocations, all_allocations;

static inline void count_allocation(const void *caller)
{
	const char *at = caller;

	all_allocations++;
	own_allocations += at >= &__executable_start && at < &etext;
}

/* In place of libc's, for libpq as well. */
__attribute__((visibility("default"))) void *malloc(size_t size)
{
	count_allocation(__builtin_return_address(0));
	return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
	count_allocation(__builtin_return_address(0));
	return __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *realloc(void *old, size_t size)
{
	count_allocation(__builtin_return_address(0));
	return __libc_realloc(old, size);
}

#endif
