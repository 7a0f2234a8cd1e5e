/*
 * context.h - changing from one stack to another, and nothing more.
 */
#ifndef ATH_LOOP_CONTEXT_H
#define ATH_LOOP_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__x86_64__) && !defined(ATH_UCONTEXT)
struct ath_context {
	void *stack; /* the registers lie on top of it */
};
#else
#include <ucontext.h>
struct ath_context {
	ucontext_t ucontext;
};
#endif

/* Prepares a context that calls entry on this stack; entry must never return. */
bool ath_context_make(struct ath_context *context, char *stack, size_t size, void (*entry)(void));
/* Goes on where to left off; returns when something switches back to from. */
void ath_context_switch(struct ath_context *from, struct ath_context *to);

#endif
