/*
 * context.c - changing stacks: on x86-64 by hand, elsewhere with ucontext.
 *
 * swapcontext makes a system call for the signal mask at each switch, four of them for a request
 * that reads one row, and saves the floating-point environment: 7 % of the worker's time. By
 * hand a switch is a dozen instructions. The signal mask and the modes of floating point stay
 * the thread's, whatever fiber runs.
 */
#include "loop/context.h"

#include <stdint.h>

#if defined(__x86_64__) && !defined(ATH_UCONTEXT)

/* The System V ABI: a called function keeps these six, and the stack. */
enum { SAVED_REGISTERS = 6 };

__asm__(".text\n"
	".hidden ath_context_switch\n"
	".globl ath_context_switch\n"
	".type ath_context_switch, @function\n"
	"ath_context_switch:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq (%rsi), %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size ath_context_switch, . - ath_context_switch\n");

/*
 * As if entry had been called and had switched away at once: the registers, then where to go,
 * then a return address that ends a backtrace. At entry the stack is 8 below a multiple of 16.
 */
bool ath_context_make(struct ath_context *context, char *stack, size_t size, void (*entry)(void))
{
	uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
	uintptr_t *at = (uintptr_t *)top;

	*--at = 0;
	*--at = (uintptr_t)entry;
	for (int i = 0; i < SAVED_REGISTERS; i++)
		*--at = 0;
	context->stack = at;
	return true;
}

#else

bool ath_context_make(struct ath_context *context, char *stack, size_t size, void (*entry)(void))
{
	if (getcontext(&context->ucontext) != 0)
		return false;
	context->ucontext.uc_stack.ss_sp = stack;
	context->ucontext.uc_stack.ss_size = size;
	makecontext(&context->ucontext, entry, 0);
	return true;
}

void ath_context_switch(struct ath_context *from, struct ath_context *to)
{
	(void)swapcontext(&from->ucontext, &to->ucontext); /* fails only for want of a stack */
}

#endif
