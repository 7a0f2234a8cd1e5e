/*
 * pool_load.c - how long connections are lent, and whether it makes sense to wait for one.
 *
 * For a burst it does, as long as the pool's time-out says. But where somebody has been waiting all
 * the time for a while more is asked for than there is, and a long queue would only make everybody
 * late: then it is kept short, and who comes is told at once.
 */
#include "db/engine_parts.h"

enum {
	MOST_WAITING = 1000,
	SMOOTH = 32, /* leases: those that began together end together, and share unevenly */
};

/* The time of all that are lent, which leases that end share between them: so it is one's own. */
static void pass_time(struct ath_pool_load *load)
{
	int64_t now = ath_now();

	load->unshared_ms += (int64_t)load->lent * (now - load->at);
	load->at = now;
}

void ath_pool_lends(struct ath_engine *engine)
{
	pass_time(&engine->load);
	engine->load.lent++;
}

void ath_pool_takes_back(struct ath_engine *engine)
{
	struct ath_pool_load *load = &engine->load;

	pass_time(load);
	load->lent--;
	load->leases += load->leases < SMOOTH;
	load->lease_us += (load->unshared_ms * 1000 - load->lease_us) / load->leases;
	load->unshared_ms = 0;
}

void ath_pool_waits(struct ath_engine *engine, bool more)
{
	struct ath_pool_load *load = &engine->load;

	load->waiting += more ? 1 : (size_t)-1;
	if (load->waiting == 0)
		load->waited_since = ATH_NEVER;
	else if (load->waited_since == ATH_NEVER)
		load->waited_since = ath_now();
}

/* While none is given back those that are lent take that long at least. */
static int64_t lease_ms(struct ath_pool_load *load)
{
	int64_t least;

	pass_time(load);
	least = load->lent == 0 ? 0 : load->unshared_ms / (int64_t)load->lent;
	return load->lease_us > least * 1000 ? load->lease_us / 1000 : least;
}

bool ath_engine_is_overloaded(const struct ath_engine *engine)
{
	int64_t now = ath_now();

	return engine->load.waited_since <= now - ATH_STANDING_MS && engine->retry.at <= now;
}

/* In a line a second: there may be very many. */
static void log_refusals(struct ath_engine *engine)
{
	enum { A_SECOND = 1000 };
	struct ath_pool_load *load = &engine->load;
	struct ath_log_line line;

	load->refusals++;
	if (load->at - load->logged_at < A_SECOND)
		return;
	ath_log_begin(&line, ath_loop_log(engine->loop), ATH_LOG_WARNING,
		      "too many wait for a connection of the pool: others are refused");
	ath_log_int(&line, "refused", load->refusals);
	ath_log_int(&line, "waiting", (int64_t)load->waiting);
	ath_log_int(&line, "lent", (int64_t)load->lent);
	ath_log_int(&line, "lease_ms", load->lease_us / 1000);
	ath_log_end(&line);
	load->logged_at = load->at;
	load->refusals = 0;
}

static enum ath_status refuse(struct ath_engine *engine)
{
	engine->counts.pool_refused++;
	log_refusals(engine);
	return ATH_EUNAVAILABLE;
}

enum ath_status ath_pool_patience(struct ath_engine *engine, int64_t deadline, int64_t *until,
				  struct ath_error *error)
{
	struct ath_pool_load *load = &engine->load;
	int64_t lease = lease_ms(load), now = load->at;
	int64_t wait = (int64_t)(load->waiting + 1) * lease / (int64_t)ath_pool_limit(engine);
	int64_t patience = engine->options.pool_timeout_ms;

	*until = now + patience;
	if (load->waiting >= MOST_WAITING)
		return ath_error_set(error, refuse(engine), "%zu wait for a connection already",
				     load->waiting);
	if (load->waited_since > now - ATH_STANDING_MS)
		return ATH_OK;
	if (patience > ath_standing_patience(lease))
		patience = ath_standing_patience(lease);
	if (deadline != ATH_NEVER && patience > deadline - now - lease)
		patience = deadline - now - lease;
	if (wait <= patience)
		return ATH_OK;
	return ath_error_set(error, refuse(engine),
			     "%zu wait for a connection already: it would take %" PRId64 " ms",
			     load->waiting, wait);
}
