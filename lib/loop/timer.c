/*
 * timer.c - the pairing heap of timers. It is intrusive: a timer carries its own links, so
 * starting one never fails. Starting costs a comparison, stopping or firing log n amortised.
 */
#include "loop/internal.h"

/* Joins two heaps; the result's link is still the caller's to set. */
static struct ath_timer *meld(struct ath_timer *a, struct ath_timer *b)
{
	if (a == NULL)
		return b;
	if (b == NULL)
		return a;
	if (b->at < a->at) {
		struct ath_timer *swap = a;

		a = b;
		b = swap;
	}
	b->sibling = a->child;
	if (b->sibling != NULL)
		b->sibling->link = &b->sibling;
	b->link = &a->child;
	a->child = b;
	a->sibling = NULL;
	return a;
}

/* Joins a list of heaps: in pairs from the front, then all from the back. */
static struct ath_timer *meld_list(struct ath_timer *list)
{
	struct ath_timer *pairs = NULL, *heap = NULL;

	while (list != NULL) {
		struct ath_timer *a = list, *b = a->sibling;

		list = b == NULL ? NULL : b->sibling;
		a->sibling = NULL;
		if (b != NULL)
			b->sibling = NULL;
		a = meld(a, b);
		a->sibling = pairs;
		pairs = a;
	}
	while (pairs != NULL) {
		struct ath_timer *next = pairs->sibling;

		pairs->sibling = NULL;
		heap = meld(heap, pairs);
		pairs = next;
	}
	return heap;
}

static void set_root(struct ath_timer **root, struct ath_timer *timer)
{
	*root = timer;
	if (timer != NULL) {
		timer->sibling = NULL;
		timer->link = root;
	}
}

void ath_timer_heap_insert(struct ath_timer **root, struct ath_timer *timer)
{
	timer->child = timer->sibling = NULL;
	set_root(root, meld(*root, timer));
}

void ath_timer_heap_remove(struct ath_timer **root, struct ath_timer *timer)
{
	struct ath_timer *orphans = meld_list(timer->child);

	if (timer->link == root) {
		set_root(root, orphans);
	} else {
		*timer->link = timer->sibling;
		if (timer->sibling != NULL)
			timer->sibling->link = timer->link;
		set_root(root, meld(*root, orphans));
	}
	timer->child = timer->sibling = NULL;
	timer->link = NULL;
}
