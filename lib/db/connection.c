/*
 * connection.c - one connection: batches go out in order, outcomes come back in the same
 * order, and a ring remembers what each outcome will be for.
 *
 * Statements are prepared the first time they are used, in the batch that uses them, and
 * kept in an LRU table. With a comment behind it a statement is another one for the server, which
 * has it prepared once for each: when the table is full no more of those are made, and routes share
 * what is prepared without. If that batch fails before the server has come to the preparing, the
 * server never learns the name, and the table loses it again; a batch that was sent with it
 * meanwhile is told so (26000) and is stale.
 *
 * Behind a pooler of transactions nothing is prepared, each transaction begins with the time
 * limits, and one batch is under way at a time: with several syncs outstanding PgBouncer 1.18
 * gives the server to another client after the first, and the answers with it. The others wait
 * in a queue.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "db/engine_parts.h"

enum { PREPARED = 256, BUCKETS = 512, FIRST_RING = 64 };

struct prepared {
	struct prepared *chain;         /* in its bucket */
	struct prepared *newer, *older; /* by use */
	uint64_t hash;
	size_t length;
	unsigned number;
	char name[16];
	char text[];
};

enum kind { PREPARE, FORGET, OWN, EXECUTE, SYNC };

/* What an outcome will be for. */
struct expected {
	enum kind kind;
	uint32_t index;          /* EXECUTE: which statement; PREPARE: the number of its name */
	int64_t since;           /* SYNC: when the batch was sent */
	struct ath_batch *batch; /* NULL: nobody waits any more */
};

struct ath_connection {
	struct ath_engine *engine;
	const struct ath_driver *driver;
	void *handle;
	struct ath_watch watch;
	struct ath_turn_end flush;
	bool dead, spoilt;
	bool sync_failed;      /* an error has come where the sync of the first batch is expected */
	struct expected *ring; /* a power of two */
	size_t ring_size, head, tail;
	size_t outstanding;                    /* with those in the queue */
	struct ath_batch *queue, **queue_tail; /* not sent yet */
	int64_t head_since;                    /* when the first batch became the first */
	unsigned number;
	unsigned cancels;    /* under way */
	bool may_be_hit;     /* by one of them, or one that came late */
	bool head_cancelled; /* the first batch was sent one */
	bool used;           /* a sync has come back */
	int64_t opened_at;
	void (*heard)(struct ath_engine *engine,
		      void *handle); /* NULL: notifications are not for it */
	bool touched;                /* its session may have state */
	int64_t used_at;             /* when a batch was submitted last, or it was opened */
	struct prepared *buckets[BUCKETS];
	struct prepared *newest, *oldest;
	size_t prepared_count;
	unsigned next_name;
	struct ath_sandbox sandbox;
};

/* ---- prepared statements -------------------------------------------------------------- */

static struct prepared **bucket(struct ath_connection *connection, uint64_t hash)
{
	return &connection->buckets[hash % BUCKETS];
}

static void unlink_use(struct ath_connection *connection, struct prepared *entry)
{
	if (entry->newer != NULL)
		entry->newer->older = entry->older;
	else
		connection->newest = entry->older;
	if (entry->older != NULL)
		entry->older->newer = entry->newer;
	else
		connection->oldest = entry->newer;
}

static void link_newest(struct ath_connection *connection, struct prepared *entry)
{
	entry->newer = NULL;
	entry->older = connection->newest;
	if (entry->older != NULL)
		entry->older->newer = entry;
	else
		connection->oldest = entry;
	connection->newest = entry;
}

/* A comment of no length has no hash, and is found where there is none. */
static bool is_prepared_as(const struct prepared *entry, const struct ath_statement *statement,
			   const struct ath_comment *comment)
{
	return entry->hash == (statement->hash ^ comment->hash) &&
	       entry->length == statement->length + comment->length &&
	       memcmp(entry->text, statement->text, statement->length) == 0 &&
	       memcmp(entry->text + statement->length, comment->text, comment->length) == 0;
}

static struct prepared *find_prepared(struct ath_connection *connection,
				      const struct ath_statement *statement,
				      const struct ath_comment *comment)
{
	struct prepared *entry = *bucket(connection, statement->hash ^ comment->hash);

	while (entry != NULL && !is_prepared_as(entry, statement, comment))
		entry = entry->chain;
	if (entry != NULL && entry != connection->newest) {
		unlink_use(connection, entry);
		link_newest(connection, entry);
	}
	return entry;
}

static void drop_prepared(struct ath_connection *connection, struct prepared *entry)
{
	struct prepared **at = bucket(connection, entry->hash);

	while (*at != entry)
		at = &(*at)->chain;
	*at = entry->chain;
	unlink_use(connection, entry);
	connection->prepared_count--;
	free(entry);
}

/* The text of a statement with its comment, and a NUL. */
static void join(char *to, const struct ath_statement *statement, const struct ath_comment *comment)
{
	memcpy(to, statement->text, statement->length);
	memcpy(to + statement->length, comment->text, comment->length);
	to[statement->length + comment->length] = '\0';
}

static struct prepared *add_prepared(struct ath_connection *connection,
				     const struct ath_statement *statement,
				     const struct ath_comment *comment)
{
	size_t length = statement->length + comment->length;
	struct prepared *entry = malloc(sizeof *entry + length + 1);
	struct prepared **at = bucket(connection, statement->hash ^ comment->hash);

	if (entry == NULL)
		return NULL;
	entry->hash = statement->hash ^ comment->hash;
	entry->length = length;
	join(entry->text, statement, comment);
	entry->number = connection->next_name++;
	snprintf(entry->name, sizeof entry->name, "ath_%u", entry->number);
	entry->chain = *at;
	*at = entry;
	link_newest(connection, entry);
	connection->prepared_count++;
	return entry;
}

/* ---- the ring ------------------------------------------------------------------------------ */

static bool expect(struct ath_connection *connection, enum kind kind, size_t index,
		   struct ath_batch *batch)
{
	size_t mask = connection->ring_size - 1;

	if (connection->tail - connection->head == connection->ring_size) {
		struct expected *grown = calloc(connection->ring_size, 2 * sizeof *grown);

		if (grown == NULL)
			return false;
		for (size_t i = connection->head; i != connection->tail; i++)
			grown[i & (2 * connection->ring_size - 1)] = connection->ring[i & mask];
		free(connection->ring);
		connection->ring = grown;
		connection->ring_size *= 2;
		mask = connection->ring_size - 1;
	}
	connection->ring[connection->tail++ & mask] =
		(struct expected){ .kind = kind, .index = (uint32_t)index, .batch = batch };
	return true;
}

static struct expected *first_expected(struct ath_connection *connection)
{
	return &connection->ring[connection->head & (connection->ring_size - 1)];
}

static struct expected *expected_at(struct ath_connection *connection, size_t i)
{
	return &connection->ring[i & (connection->ring_size - 1)];
}

/* False: it is not in the queue. */
static bool leave_queue(struct ath_connection *connection, struct ath_batch *batch)
{
	struct ath_batch **at = &connection->queue;

	while (*at != NULL && *at != batch)
		at = &(*at)->next;
	if (*at == NULL)
		return false;
	*at = batch->next;
	if (*at == NULL)
		connection->queue_tail = at;
	connection->outstanding--;
	return true;
}

void ath_connection_abandon(struct ath_connection *connection, struct ath_batch *batch)
{
	if (leave_queue(connection, batch))
		return;
	for (size_t i = connection->head; i != connection->tail; i++)
		if (expected_at(connection, i)->batch == batch)
			expected_at(connection, i)->batch = NULL;
}

/* ---- death ----------------------------------------------------------------------------------- */

static void tell_lost(struct ath_batch *batch, const struct ath_error *error)
{
	if (batch == NULL)
		return;
	if (batch->error.status == ATH_OK)
		batch->error = *error;
	batch->lost = true;
	ath_wake(&batch->waiter, batch->error.status);
}

/* Everyone who still waits is told, and the engine lets go of the connection. */
static void die(struct ath_connection *connection, const struct ath_error *error)
{
	if (connection->dead)
		return;
	connection->dead = true;
	connection->engine->counts.lost++;
	if (connection->head == connection->tail) /* else it has been counted where it came */
		ath_engine_count_error(connection->engine, error);
	ath_watch_remove(connection->engine->loop, &connection->watch);
	ath_loop_forget_turn_end(connection->engine->loop, &connection->flush);
	for (; connection->head != connection->tail; connection->head++)
		if (first_expected(connection)->kind == SYNC)
			tell_lost(first_expected(connection)->batch, error);
	for (; connection->queue != NULL; connection->queue = connection->queue->next)
		tell_lost(connection->queue, error);
	connection->outstanding = 0;
	ath_engine_lost(connection->engine, connection);
}

static void die_of(struct ath_connection *connection, const char *what)
{
	struct ath_error error = { 0 };

	/* the server's last words, if there are any, say it better */
	if (connection->driver->consume(connection->handle, &error) == ATH_OK)
		ath_error_set(&error, ATH_EUNAVAILABLE, "%s", what);
	die(connection, &error);
}

bool ath_connection_is_dead(const struct ath_connection *connection)
{
	return connection->dead;
}

/* ---- sending -------------------------------------------------------------------------------- */

static enum ath_status prepare(struct ath_connection *connection, struct ath_batch *batch,
			       const struct ath_statement *statement,
			       const struct ath_comment *comment, struct prepared **entry)
{
	const struct ath_driver *driver = connection->driver;
	struct ath_statement joined = *statement;
	enum ath_status status;

	if (connection->prepared_count == PREPARED) {
		status = driver->forget(connection->handle, connection->oldest->name);
		if (status != ATH_OK || !expect(connection, FORGET, 0, batch))
			return status == ATH_OK ? ATH_ENOMEM : status;
		drop_prepared(connection, connection->oldest);
	}
	*entry = add_prepared(connection, statement, comment);
	if (*entry == NULL)
		return ATH_ENOMEM;
	joined.text = (*entry)->text;
	status = driver->prepare(connection->handle, (*entry)->name, &joined);
	if (status == ATH_OK && !expect(connection, PREPARE, (*entry)->number, batch))
		return ATH_ENOMEM;
	return status;
}

static const struct ath_comment no_comment = { .text = "" };

static const struct ath_comment *comment_of(const struct ath_batch *batch,
					    const struct ath_statement *statement)
{
	return statement->own || batch->comment == NULL ? &no_comment : batch->comment;
}

static enum ath_status send_named(struct ath_connection *connection, struct ath_batch *batch,
				  const struct ath_statement *statement)
{
	const struct ath_comment *comment = comment_of(batch, statement);
	struct prepared *entry = find_prepared(connection, statement, comment);
	enum ath_status status = ATH_OK;

	if (entry == NULL && comment != &no_comment && connection->prepared_count == PREPARED) {
		comment = &no_comment;
		entry = find_prepared(connection, statement, comment);
	}
	if (entry == NULL)
		status = prepare(connection, batch, statement, comment, &entry);
	return status == ATH_OK
		       ? connection->driver->execute(connection->handle, entry->name, statement)
		       : status;
}

/* Where there is no memory for it the comment stays away. */
static enum ath_status send_unnamed(struct ath_connection *connection, struct ath_batch *batch,
				    struct ath_statement *statement)
{
	const struct ath_comment *comment = comment_of(batch, statement);
	char *text =
		comment == &no_comment
			? NULL
			: ath_arena_alloc(batch->arena, statement->length + comment->length + 1);

	if (text != NULL) {
		join(text, statement, comment);
		statement->text = text;
	}
	return connection->driver->execute(connection->handle, NULL, statement);
}

static enum ath_status send_statement(struct ath_connection *connection, struct ath_batch *batch,
				      size_t index)
{
	struct ath_statement statement = ath_sandbox_instead(&connection->sandbox, batch, index);
	bool named = !connection->engine->url.pooler && connection->heard == NULL;
	enum ath_status status;

	/* of another in its place too, which as that one has no parameters */
	statement.arguments = batch->statements[index].arguments;
	status = named ? send_named(connection, batch, &statement)
		       : send_unnamed(connection, batch, &statement);
	if (status == ATH_OK && !expect(connection, EXECUTE, index, batch))
		status = ATH_ENOMEM;
	return status;
}

/* Before anything is queued: what cannot be sent must not disturb those who share it. */
static enum ath_status bind_all(struct ath_connection *connection, struct ath_batch *batch)
{
	enum ath_status status = ATH_OK;

	/* those of a batch that has been sent before have their arguments */
	for (size_t i = 0; status == ATH_OK && i < batch->count; i++)
		if (batch->statements[i].arguments == NULL)
			status = connection->driver->bind(&batch->statements[i], batch->arena);
	if (status != ATH_OK)
		ath_error_set(&batch->error, status, "a parameter cannot be sent: %s",
			      ath_status_text(status));
	return status;
}

/* A statement that is not the batch's, and whose result nobody sees. */
static enum ath_status send_own(struct ath_connection *connection, struct ath_batch *batch,
				const char *text)
{
	struct ath_statement statement = ath_statement_of(text);
	enum ath_status status = connection->driver->bind(&statement, batch->arena);

	if (status == ATH_OK)
		status = connection->driver->execute(connection->handle, NULL, &statement);
	if (status == ATH_OK && !expect(connection, OWN, 0, batch))
		status = ATH_ENOMEM;
	return status;
}

static bool begins_with(const struct ath_statement *statement, const char *word)
{
	size_t length = strlen(word);

	return statement->length >= length && strncasecmp(statement->text, word, length) == 0;
}

/*
 * How many statements of the batch the time limits stand behind: none where the batch is the
 * transaction, its BEGIN where it has one. Inside a transaction they are set already.
 */
static size_t limits_at(struct ath_connection *connection, const struct ath_batch *batch)
{
	if (!connection->engine->url.pooler || batch->count == 0 ||
	    ath_connection_in_transaction(connection))
		return SIZE_MAX;
	return begins_with(&batch->statements[0], "begin") ||
	       begins_with(&batch->statements[0], "start transaction");
}

static enum ath_status send_for_sandbox(struct ath_connection *connection, struct ath_batch *batch,
					size_t i)
{
	const char *texts[ATH_SANDBOX_TEXTS];
	size_t count =
		ath_sandbox_before(&connection->sandbox, batch, i,
				   connection->driver->in_transaction(connection->handle), texts);
	enum ath_status status = ATH_OK;

	for (size_t each = 0; status == ATH_OK && each < count; each++)
		status = send_own(connection, batch, texts[each]);
	return status;
}

static enum ath_status send_all(struct ath_connection *connection, struct ath_batch *batch)
{
	size_t limits = limits_at(connection, batch);
	bool sandbox = connection->sandbox.on;
	enum ath_status status = ATH_OK;

	for (size_t i = 0; status == ATH_OK && i <= batch->count; i++) {
		if (sandbox)
			status = send_for_sandbox(connection, batch, i);
		if (status == ATH_OK && i == limits)
			status = send_own(connection, batch, connection->engine->limits);
		if (status == ATH_OK && i < batch->count)
			status = send_statement(connection, batch, i);
	}
	if (sandbox)
		ath_sandbox_sent(&connection->sandbox, batch);
	if (status == ATH_OK)
		status = connection->driver->sync(connection->handle);
	if (status == ATH_OK && !expect(connection, SYNC, 0, batch))
		status = ATH_ENOMEM;
	return status;
}

/*
 * A batch that could not be sent whole leaves half a batch on the wire, and nothing of it may
 * take effect: the connection is given up.
 */
static enum ath_status send_batch(struct ath_connection *connection, struct ath_batch *batch)
{
	enum ath_status status;

	batch->sent = true;
	connection->engine->counts.batches++;
	connection->engine->counts.statements += batch->count;
	status = send_all(connection, batch);
	if (status != ATH_OK) {
		ath_error_set(&batch->error, status == ATH_EIO ? ATH_EUNAVAILABLE : status,
			      "a batch could not be sent: %s", ath_status_text(status));
		ath_connection_abandon(connection, batch);
		die_of(connection, "a batch could not be sent");
		return batch->error.status;
	}
	expected_at(connection, connection->tail - 1)->since = batch->submitted_at;
	ath_loop_at_turn_end(connection->engine->loop, &connection->flush);
	return ATH_OK;
}

enum ath_status ath_connection_submit(struct ath_connection *connection, struct ath_batch *batch)
{
	batch->driver = connection->driver;
	batch->connection = connection;
	batch->connection_number = connection->number;
	batch->at_fault = batch->hit = false;
	if (connection->dead)
		return ath_error_set(&batch->error, ATH_EUNAVAILABLE, "the connection was lost");
	if (bind_all(connection, batch) != ATH_OK)
		return batch->error.status;
	connection->used_at = batch->sent_at = batch->submitted_at = ath_now();
	if (connection->outstanding++ == 0)
		connection->head_since = connection->used_at;
	if (connection->engine->url.pooler && connection->outstanding > 1) {
		batch->next = NULL;
		*connection->queue_tail = batch;
		connection->queue_tail = &batch->next;
		return ATH_OK;
	}
	return send_batch(connection, batch);
}

void ath_connection_tell(struct ath_connection *connection, const char *text)
{
	struct ath_statement statement = ath_statement_of(text);
	void *result = NULL;
	struct ath_batch batch = { .statements = &statement, .count = 1, .results = &result };

	if (ath_arena_open(&batch.arena, 0) != ATH_OK)
		return;
	if (ath_connection_submit(connection, &batch) == ATH_OK)
		ath_connection_abandon(connection, &batch);
	ath_arena_close(&batch.arena);
}

/* What is expected for the batch whose sync stands at i: nobody waits for it here any more. */
static struct ath_batch *take_batch(struct ath_connection *connection, size_t i)
{
	struct ath_batch *batch = expected_at(connection, i)->batch;

	do
		expected_at(connection, i)->batch = NULL;
	while (i-- != connection->head && expected_at(connection, i)->kind != SYNC);
	return batch;
}

/* False: the other connection is gone, with all that it had. */
static bool move(struct ath_connection *to, struct ath_batch *batch)
{
	int64_t sent_at = batch->sent_at;
	enum ath_status status = ath_connection_submit(to, batch);

	batch->sent_at = sent_at;
	if (status == ATH_OK)
		return true;
	batch->lost = status == ATH_EUNAVAILABLE;
	ath_wake(&batch->waiter, status);
	return false;
}

size_t ath_connection_move(struct ath_connection *from, struct ath_connection *to, size_t most)
{
	bool first = true;
	size_t moved = 0;

	for (size_t i = from->head; i != from->tail && moved < most; i++) {
		const struct expected *expected = expected_at(from, i);

		if (expected->kind != SYNC)
			continue;
		if (!first && expected->batch != NULL && !expected->batch->waiter.ended) {
			if (!move(to, take_batch(from, i)))
				return moved;
			moved++;
		}
		first = false;
	}
	while (from->queue != NULL && moved < most) {
		struct ath_batch *batch = from->queue;

		(void)leave_queue(from, batch);
		if (!move(to, batch))
			return moved;
		moved++;
	}
	return moved;
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void take_result(struct ath_connection *connection, const struct expected *expected,
			void *result)
{
	if (expected->kind == EXECUTE && expected->batch != NULL)
		expected->batch->results[expected->index] = result;
	else
		connection->driver->free(result);
}

/* The server has not prepared it. */
static void drop_number(struct ath_connection *connection, uint32_t number)
{
	struct prepared *entry = connection->newest;

	while (entry != NULL && entry->number != number)
		entry = entry->older;
	if (entry != NULL)
		drop_prepared(connection, entry);
}

/* The server's own time limit ends a statement with the same SQLSTATE, but not before its time. */
static bool is_hit(const struct ath_connection *connection, const struct ath_batch *batch,
		   int64_t now)
{
	int limit = connection->engine->url.statement_timeout_ms;

	return connection->may_be_hit && strcmp(batch->error.sqlstate, "57014") == 0 &&
	       (limit == 0 || now - connection->head_since < limit);
}

static void batch_done(struct ath_connection *connection, struct ath_batch *batch)
{
	int64_t now = ath_now();

	connection->outstanding--;
	if (batch != NULL) {
		batch->hit = is_hit(connection, batch, now);
		ath_wake(&batch->waiter, batch->error.status);
	}
	connection->head_since = now;
	connection->head_cancelled = false;
	connection->used = true;
	if (connection->outstanding == 0 && connection->cancels == 0)
		connection->may_be_hit = false;
}

/* One outcome for what is expected first; false when nothing more has arrived. */
static bool receive(struct ath_connection *connection, bool *broken)
{
	struct expected expected = *first_expected(connection);
	struct ath_error dropped, *error = &dropped;
	enum ath_outcome outcome;
	void *result = NULL;
	bool first;

	ath_error_clear(&dropped);
	if (expected.batch != NULL)
		error = &expected.batch->error;
	first = error->status == ATH_OK;
	outcome = connection->driver->receive(connection->handle, &result, error);
	if (outcome == ATH_OUTCOME_ERROR && first)
		ath_engine_count_error(connection->engine, error);
	switch (outcome) {
	case ATH_OUTCOME_NONE:
		return false;
	case ATH_OUTCOME_RESULT:
		take_result(connection, &expected, result);
		break;
	case ATH_OUTCOME_ERROR:
	case ATH_OUTCOME_SKIPPED:
		if (expected.kind == SYNC) {
			/* the transaction failed at its end, and the sync still comes: but once */
			*broken = connection->sync_failed;
			connection->sync_failed = true;
			return !*broken;
		}
		if (expected.kind == PREPARE)
			drop_number(connection, expected.index);
		connection->sandbox.failed = true;
		break;
	case ATH_OUTCOME_SYNC:
		connection->sync_failed = false;
		ath_sandbox_synced(&connection->sandbox);
		batch_done(connection, expected.batch);
		break;
	case ATH_OUTCOME_BROKEN:
		*broken = true;
		if (expected.batch != NULL)
			expected.batch->at_fault = true;
		return false;
	}
	connection->head++;
	return true;
}

/* The first of the queue. If that fails the connection is gone. */
static void send_queued(struct ath_connection *connection)
{
	struct ath_batch *batch = connection->queue;
	enum ath_status status;

	connection->queue = batch->next;
	if (connection->queue == NULL)
		connection->queue_tail = &connection->queue;
	status = send_batch(connection, batch);
	if (status != ATH_OK) {
		batch->lost = status == ATH_EUNAVAILABLE;
		ath_wake(&batch->waiter, status);
	}
}

/* All outcomes that have arrived. cause is set when the connection is dead for another reason. */
static void receive_all(struct ath_connection *connection, struct ath_error *cause)
{
	bool broken = false;

	while (connection->head != connection->tail && receive(connection, &broken))
		;
	if (connection->heard != NULL)
		connection->heard(connection->engine, connection->handle);
	if (broken)
		ath_error_set(cause, ATH_EUNAVAILABLE, "the connection was left in a COPY");
	if (cause->status != ATH_OK)
		die(connection, cause);
	else if (connection->queue != NULL && connection->head == connection->tail)
		send_queued(connection);
}

/*
 * While the socket is full the driver may read as well; what it took in then makes no event any
 * more, and is looked at here.
 */
static void flush(struct ath_turn_end *end)
{
	struct ath_connection *connection = container_of(end, struct ath_connection, flush);
	enum ath_status status = connection->driver->flush(connection->handle);
	struct ath_error none;

	if (status == ATH_EIO) {
		die_of(connection, "the connection was lost while sending");
		return;
	}
	ath_watch_change(connection->engine->loop, &connection->watch,
			 status == ATH_OK ? EPOLLIN : EPOLLIN | EPOLLOUT);
	ath_error_clear(&none);
	receive_all(connection, &none);
}

static void connection_ready(struct ath_watch *watch, uint32_t events)
{
	struct ath_connection *connection = container_of(watch, struct ath_connection, watch);
	struct ath_error error;

	if (events & EPOLLOUT)
		ath_loop_at_turn_end(connection->engine->loop, &connection->flush);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	ath_error_clear(&error);
	(void)connection->driver->consume(connection->handle, &error);
	receive_all(connection, &error);
}

/* ---- staleness ------------------------------------------------------------------------------ */

bool ath_batch_is_stale(const struct ath_batch *batch)
{
	return strcmp(batch->error.sqlstate, "26000") == 0 ||
	       (strcmp(batch->error.sqlstate, "0A000") == 0 &&
		strstr(batch->error.message, "cached plan") != NULL);
}

/* The server's copy stays behind; its name is not used again. */
static void forget(struct ath_connection *connection, const struct ath_statement *statement,
		   const struct ath_comment *comment)
{
	struct prepared *entry = find_prepared(connection, statement, comment);

	if (entry != NULL)
		drop_prepared(connection, entry);
}

void ath_connection_forget(struct ath_connection *connection, const struct ath_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct ath_statement *statement = &batch->statements[i];

		forget(connection, statement, comment_of(batch, statement));
		forget(connection, statement, &no_comment);
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

struct ath_connection *ath_connection_new(struct ath_engine *engine, void *handle)
{
	struct ath_connection *connection = calloc(1, sizeof *connection);

	if (connection == NULL)
		return NULL;
	connection->engine = engine;
	connection->driver = engine->driver;
	connection->handle = handle;
	connection->flush.run = flush;
	connection->opened_at = connection->used_at = ath_now();
	connection->number = ++engine->connections;
	connection->queue_tail = &connection->queue;
	connection->ring_size = FIRST_RING;
	connection->ring = calloc(FIRST_RING, sizeof *connection->ring);
	connection->watch = (struct ath_watch){ .fd = engine->driver->fd(handle),
						.events = EPOLLIN,
						.ready = connection_ready };
	if (connection->ring == NULL || ath_watch_add(engine->loop, &connection->watch) != ATH_OK) {
		free(connection->ring);
		free(connection);
		return NULL;
	}
	return connection;
}

void *ath_connection_release_handle(struct ath_connection *connection)
{
	void *handle = connection->handle;

	if (!connection->dead) {
		ath_watch_remove(connection->engine->loop, &connection->watch);
		ath_loop_forget_turn_end(connection->engine->loop, &connection->flush);
	}
	while (connection->oldest != NULL)
		drop_prepared(connection, connection->oldest);
	free(connection->ring);
	free(connection);
	return handle;
}

void ath_connection_free(struct ath_connection *connection)
{
	const struct ath_driver *driver = connection->driver;

	driver->close(ath_connection_release_handle(connection));
}

struct ath_sandbox *ath_connection_sandbox(struct ath_connection *connection)
{
	return &connection->sandbox;
}

bool ath_connection_in_transaction(struct ath_connection *connection)
{
	if (connection->sandbox.on)
		return connection->sandbox.state == ATH_SANDBOX_TAKEN;
	return connection->driver->in_transaction(connection->handle);
}

size_t ath_connection_outstanding(const struct ath_connection *connection)
{
	return connection->outstanding;
}

/* The sync of the first batch; NULL: there is none. */
static const struct expected *first_sync(const struct ath_connection *connection)
{
	for (size_t i = connection->head; i != connection->tail; i++) {
		const struct expected *expected =
			&connection->ring[i & (connection->ring_size - 1)];

		if (expected->kind == SYNC)
			return expected;
	}
	return NULL;
}

int64_t ath_connection_waits_since(const struct ath_connection *connection)
{
	const struct expected *sync = first_sync(connection);

	return sync == NULL ? ATH_NEVER : sync->since;
}

int64_t ath_connection_head_since(const struct ath_connection *connection)
{
	return connection->outstanding == 0 ? ATH_NEVER : connection->head_since;
}

bool ath_connection_is_used(const struct ath_connection *connection)
{
	return connection->used;
}

unsigned ath_connection_number(const struct ath_connection *connection)
{
	return connection->number;
}

int ath_connection_backend(const struct ath_connection *connection)
{
	return connection->driver->backend(connection->handle);
}

bool ath_connection_take_abandoned(struct ath_connection *connection)
{
	const struct expected *sync = first_sync(connection);

	if (sync == NULL || sync->batch != NULL || connection->head_cancelled || !connection->used)
		return false;
	connection->head_cancelled = true;
	return true;
}

void ath_connection_expect_cancel(struct ath_connection *connection)
{
	connection->cancels++;
	connection->may_be_hit = true;
}

void ath_connection_cancelled(struct ath_connection *connection)
{
	connection->cancels--;
	if (connection->outstanding == 0 && connection->cancels == 0)
		connection->may_be_hit = false;
}

int64_t ath_connection_used_at(const struct ath_connection *connection)
{
	return connection->used_at;
}

void ath_connection_spoil(struct ath_connection *connection)
{
	connection->spoilt = true;
}

/* Behind a pooler the state is in another's session, and not to be reset from here. */
void ath_connection_touch(struct ath_connection *connection)
{
	connection->touched = !connection->engine->url.pooler;
}

bool ath_connection_take_touched(struct ath_connection *connection)
{
	bool touched = connection->touched;

	connection->touched = false;
	return touched;
}

static bool is_outdated(const struct ath_connection *connection)
{
	int64_t most = (int64_t)connection->engine->options.pool_recycle_s * 1000;

	return connection->number < connection->engine->first_good ||
	       (most > 0 && ath_now() - connection->opened_at > most);
}

bool ath_connection_is_clean(struct ath_connection *connection)
{
	return !connection->dead && !connection->spoilt && connection->outstanding == 0 &&
	       !is_outdated(connection) && !ath_connection_in_transaction(connection);
}

/* One that was heard of in this very millisecond is taken for granted, and costs no system call. */
bool ath_connection_is_usable(struct ath_connection *connection)
{
	bool heard = connection->used && connection->head_since == ath_now();

	return ath_connection_is_clean(connection) &&
	       (connection->sandbox.on || heard || connection->driver->is_idle(connection->handle));
}

void ath_connection_hear(struct ath_connection *connection,
			 void (*heard)(struct ath_engine *engine, void *handle))
{
	connection->heard = heard;
}

enum ath_status ath_connection_script(struct ath_connection *connection, const char *sql,
				      struct ath_error *error)
{
	ath_connection_touch(connection);
	return connection->driver->script(connection->handle, sql, error);
}

void ath_batch_clear(struct ath_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->results[i] != NULL)
			batch->driver->free(batch->results[i]);
		batch->results[i] = NULL;
	}
}
