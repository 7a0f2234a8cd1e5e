/*
 * arena.c - memory of one request.
 *
 * A chain of blocks, each twice the one before, cut from the front. A reset keeps the first, and of
 * the others what was used, up to MOST_KEPT: a request like the one before costs no malloc at all,
 * and the heap does not shrink and grow with each, which costs more than all else. Built with
 * ATH_ARENA_MALLOC every allocation is a block of its own, and AddressSanitizer sees each.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/internal.h"

enum {
	RESERVE = 8 * 1024,
	FIRST_BLOCK = 16 * 1024,
	LARGEST_BLOCK = 1024 * 1024,
	MOST_KEPT = 128 * 1024,
	DEFAULT_CEILING = 16 * 1024 * 1024
};

static const size_t alignment = _Alignof(max_align_t);

struct block {
	struct block *next;
	size_t size, used; /* bytes behind this header, and how many of them are taken */
	max_align_t bytes[];
};

struct cleanup {
	struct cleanup *next;
	void (*run)(void *arg);
	void *arg;
};

struct ath_arena {
	struct block *first, *current;
	struct cleanup *cleanups;
	struct block *reserve; /* for ath_arena_beyond() when the system has no memory */
	size_t ceiling, used;
	bool failed;
};

static struct block *block_new(size_t size)
{
	struct block *block = malloc(sizeof *block + size);

	if (block != NULL)
		*block = (struct block){ .size = size };
	return block;
}

enum ath_status ath_arena_open(struct ath_arena **arena, size_t ceiling)
{
	struct ath_arena *made = calloc(1, sizeof *made);

	*arena = NULL;
	if (made == NULL)
		return ATH_ENOMEM;
	made->reserve = block_new(RESERVE);
	if (made->reserve == NULL) {
		free(made);
		return ATH_ENOMEM;
	}
	/* at most half of what size_t holds, so that rounding up cannot overflow */
	made->ceiling = ceiling == 0 ? DEFAULT_CEILING : ceiling;
	if (made->ceiling > SIZE_MAX / 2)
		made->ceiling = SIZE_MAX / 2;
	*arena = made;
	return ATH_OK;
}

static void free_chain(struct block *block)
{
	while (block != NULL) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
}

static void run_cleanups(struct ath_arena *arena)
{
	while (arena->cleanups != NULL) {
		struct cleanup *cleanup = arena->cleanups;

		arena->cleanups = cleanup->next;
		cleanup->run(cleanup->arg);
	}
}

#ifndef ATH_ARENA_MALLOC
/* Frees all but the first block and those behind it that were used and are not too much. */
static void drop_blocks(struct ath_arena *arena)
{
	struct block **at = &arena->first;
	size_t kept = 0;

	for (; *at != NULL; at = &(*at)->next) {
		kept += (*at)->size;
		if (*at != arena->first && ((*at)->used == 0 || kept > MOST_KEPT))
			break;
		(*at)->used = 0;
	}
	free_chain(*at);
	*at = NULL;
}
#endif

void ath_arena_reset(struct ath_arena *arena)
{
	run_cleanups(arena);
#ifdef ATH_ARENA_MALLOC
	free_chain(arena->first);
	arena->first = NULL;
#else
	drop_blocks(arena);
#endif
	arena->current = arena->first;
	arena->reserve->used = 0;
	arena->used = 0;
	arena->failed = false;
}

void ath_arena_rewind(struct ath_arena *arena)
{
#ifdef ATH_ARENA_MALLOC
	ath_arena_reset(arena);
#else
	run_cleanups(arena);
	for (struct block *block = arena->first; block != NULL; block = block->next)
		block->used = 0;
	arena->current = arena->first;
	arena->reserve->used = 0;
	arena->used = 0;
	arena->failed = false;
#endif
}

void ath_arena_close(struct ath_arena **arena)
{
	if (arena == NULL || *arena == NULL)
		return;
	run_cleanups(*arena);
	free_chain((*arena)->first);
	free((*arena)->reserve);
	free(*arena);
	*arena = NULL;
}

bool ath_arena_failed(const struct ath_arena *arena)
{
	return arena->failed;
}

size_t ath_arena_used(const struct ath_arena *arena)
{
	return arena->used;
}

/* A new current block with room for size bytes, or one that was kept. */
static struct block *add_block(struct ath_arena *arena, size_t size)
{
	struct block *block;
#ifndef ATH_ARENA_MALLOC
	size_t usual;

	while (arena->current != NULL && arena->current->next != NULL) {
		arena->current = arena->current->next;
		if (size <= arena->current->size)
			return arena->current;
	}
	usual = arena->current == NULL ? FIRST_BLOCK - sizeof(struct block)
				       : 2 * arena->current->size;
	if (usual > LARGEST_BLOCK)
		usual = LARGEST_BLOCK;
	block = block_new(size > usual ? size : usual);
#else
	block = block_new(size);
#endif
	if (block == NULL)
		return NULL;
	if (arena->current == NULL)
		arena->first = block;
	else
		arena->current->next = block;
	arena->current = block;
	return block;
}

bool ath_arena_has_room(const struct ath_arena *arena, size_t bytes)
{
	if (bytes > arena->ceiling / 4)
		bytes = arena->ceiling / 4;
	return !arena->failed && bytes <= arena->ceiling - arena->used;
}

bool ath_arena_charge(struct ath_arena *arena, size_t bytes)
{
	if (bytes > arena->ceiling - arena->used) {
		arena->failed = true;
		return false;
	}
	arena->used += bytes;
	return true;
}

/* Of a block that has room for it, what size was rounded up to. */
static inline void *cut(struct ath_arena *arena, struct block *block, size_t size)
{
	void *memory = (char *)block->bytes + block->used;

	block->used += size;
	arena->used = size > arena->ceiling - arena->used ? arena->ceiling : arena->used + size;
	return memory;
}

/* Apart from the usual way, which then needs no frame. */
static __attribute__((noinline)) void *alloc_in_new_block(struct ath_arena *arena, size_t size)
{
	struct block *block = add_block(arena, size);

	if (block != NULL)
		return cut(arena, block, size);
	arena->failed = true;
	return NULL;
}

void *ath_arena_alloc(struct ath_arena *arena, size_t size)
{
	struct block *block = arena->current;
	size_t whole = (size + alignment - 1) & ~(alignment - 1);

	if (size > arena->ceiling - arena->used) {
		arena->failed = true;
		return NULL;
	}
#ifdef ATH_ARENA_MALLOC
	block = NULL;
#endif
	if (block == NULL || whole > block->size - block->used)
		return alloc_in_new_block(arena, whole);
	return cut(arena, block, whole);
}

void *ath_arena_zalloc(struct ath_arena *arena, size_t count, size_t size)
{
	size_t bytes;
	void *memory;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		arena->failed = true;
		return NULL;
	}
	memory = ath_arena_alloc(arena, bytes);
	if (memory != NULL)
		memset(memory, 0, bytes);
	return memory;
}

/*
 * When the system refuses, from the reserve: the first piece of it for good (a session that is
 * in error), all later ones in the same place, since nothing that they hold is used any more.
 */
static void *take_reserve(struct ath_arena *arena, size_t size)
{
	struct block *reserve = arena->reserve;
	char *memory = (char *)reserve->bytes + reserve->used;

	if (size > reserve->size - reserve->used)
		return NULL;
	memset(memory, 0, size);
	if (reserve->used == 0)
		reserve->used = (size + alignment - 1) & ~(alignment - 1);
	return memory;
}

void *ath_arena_beyond(struct ath_arena *arena, size_t size)
{
	size_t ceiling = arena->ceiling;
	void *memory;

	arena->ceiling = SIZE_MAX / 2;
	memory = ath_arena_zalloc(arena, 1, size);
	arena->ceiling = ceiling;
	if (arena->used > ceiling)
		arena->used = ceiling;
	arena->failed = true;
	return memory != NULL ? memory : take_reserve(arena, size);
}

void *ath_arena_grow(struct ath_arena *arena, void *old, size_t old_size, size_t new_size)
{
	struct block *block = arena->current;
	size_t taken = (old_size + alignment - 1) & ~(alignment - 1);
	void *memory;

	if (old != NULL && new_size <= old_size)
		return old;
	/* the newest allocation of the current block grows where it lies */
	if (old != NULL && (char *)old + taken == (char *)block->bytes + block->used &&
	    new_size <= taken + (block->size - block->used) &&
	    new_size - old_size <= arena->ceiling - arena->used) {
		size_t whole = (new_size + alignment - 1) & ~(alignment - 1);

		if (whole <= taken + (block->size - block->used)) {
			block->used += whole - taken;
			arena->used += whole - taken;
			if (arena->used > arena->ceiling)
				arena->used = arena->ceiling;
			return old;
		}
	}
	memory = ath_arena_alloc(arena, new_size);
	if (memory != NULL && old != NULL)
		memcpy(memory, old, old_size);
	return memory;
}

char *ath_arena_copy(struct ath_arena *arena, const char *data, size_t length)
{
	char *copy = length == SIZE_MAX ? NULL : ath_arena_alloc(arena, length + 1);

	if (copy != NULL) {
		if (length > 0)
			memcpy(copy, data, length);
		copy[length] = '\0';
	}
	return copy;
}

char *ath_arena_printf(struct ath_arena *arena, const char *format, ...)
{
	va_list args;
	int length;
	char *text;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
		return NULL;
	text = ath_arena_alloc(arena, (size_t)length + 1);
	if (text == NULL)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)length + 1, format, args);
	va_end(args);
	return text;
}

bool ath_arena_defer(struct ath_arena *arena, void (*run)(void *arg), void *arg)
{
	struct cleanup *cleanup = ath_arena_alloc(arena, sizeof *cleanup);

	if (cleanup == NULL)
		return false;
	*cleanup = (struct cleanup){ .next = arena->cleanups, .run = run, .arg = arg };
	arena->cleanups = cleanup;
	return true;
}
