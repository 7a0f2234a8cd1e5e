/*
 * repeats.c - does a session run the same statement again and again? That is how a query inside
 * a loop looks from here, where one with IN or a loaded relation would do.
 *
 * What is counted is round trips: a flush of a hundred new rows is one. The few statements that
 * were met are looked through one by one; when there are too many, the rarest makes room.
 */
#include "orm/internal.h"

enum { MOST = 16 };

struct ath_repeats {
	size_t count;
	struct row {
		uint64_t hash;
		size_t count;
	} rows[MOST];
	uint64_t hash; /* of the first that was met too often, */
	struct ath_repeat first;
};

/* A cursor fetches as often as it must, and what is committed has been counted. */
static bool is_of_interest(const struct ath_statement *statement)
{
	return strncmp(statement->text, "FETCH ", 6) != 0 && strcmp(statement->text, "COMMIT") != 0;
}

static struct row *find(struct ath_repeats *repeats, uint64_t hash)
{
	struct row *rarest = &repeats->rows[0];

	for (size_t i = 0; i < repeats->count; i++) {
		struct row *each = &repeats->rows[i];

		if (each->hash == hash)
			return each;
		if (each->count < rarest->count)
			rarest = each;
	}
	if (repeats->count < MOST)
		rarest = &repeats->rows[repeats->count++];
	*rarest = (struct row){ .hash = hash };
	return rarest;
}

static void count(struct ath_session *session, const struct ath_statement *statement)
{
	struct ath_repeats *repeats = session->repeats;
	struct row *row;

	if (repeats == NULL)
		repeats = session->repeats = ath_new(session->arena, struct ath_repeats, 1);
	if (repeats == NULL)
		return;
	row = find(repeats, statement->hash);
	if (++row->count <= ATH_MANY_TIMES)
		return;
	if (repeats->first.text == NULL) {
		repeats->hash = row->hash;
		repeats->first.text =
			ath_arena_copy(session->arena, statement->text, statement->length);
	}
	if (repeats->hash == row->hash)
		repeats->first.count = row->count;
}

void ath_session_count(struct ath_session *session, const struct ath_batch *batch, size_t index)
{
	session->round_trips++;
	session->statement_count += batch->count;
	if (index < batch->count && is_of_interest(&batch->statements[index]))
		count(session, &batch->statements[index]);
}

struct ath_repeat ath_session_repeated(const struct ath_session *session)
{
	return session->repeats == NULL ? (struct ath_repeat){ 0 } : session->repeats->first;
}
