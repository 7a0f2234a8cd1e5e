/* overload.c - how long there is to wait, and how long it makes sense. */
#include "web/overload.h"

enum {
	SOON_MS = 50, /* in which a fiber that is ready begins when there is no overload */
	SMOOTH = 32,  /* places: what began together often ends together */
};

void ath_overload_queued(struct ath_overload *overload, int64_t now)
{
	if (overload->queued_since == 0)
		overload->queued_since = now;
}

void ath_overload_emptied(struct ath_overload *overload)
{
	overload->queued_since = overload->freed_at = 0;
}

void ath_overload_placed(struct ath_overload *overload, size_t queued, int64_t now)
{
	int64_t since = overload->freed_at == 0 ? overload->queued_since : overload->freed_at;

	overload->place_us += ((now - since) * 1000 - overload->place_us) / SMOOTH;
	overload->freed_at = now;
	if (queued == 0)
		ath_overload_emptied(overload);
}

int64_t ath_overload_wait(const struct ath_overload *overload, size_t queued)
{
	return (int64_t)(queued + 1) * overload->place_us / 1000;
}

/* Places that are all taken and change hands every so often are held that long each. */
bool ath_overload_is_hopeless(const struct ath_overload *overload, size_t queued, size_t in_flight,
			      int64_t now, int64_t deadline)
{
	int64_t wait = ath_overload_wait(overload, queued);
	int64_t service = (int64_t)in_flight * overload->place_us / 1000;

	if (overload->queued_since == 0 || now - overload->queued_since < ATH_STANDING_MS)
		return false;
	return wait > ath_standing_patience(service) || wait > deadline - now - service;
}

bool ath_overload_is_late(struct ath_overload *overload, int64_t ready_at, int64_t now)
{
	if (now - ready_at < SOON_MS) {
		overload->late_since = 0;
		return false;
	}
	if (overload->late_since == 0)
		overload->late_since = now;
	return now - overload->late_since >= ATH_STANDING_MS && now - ready_at >= ATH_STANDING_MS;
}
