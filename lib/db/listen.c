/*
 * listen.c - notifications (NOTIFY) for any number of listeners, by one connection of their own.
 *
 * A channel keeps its last notifications in a ring, once for all its listeners; a listener is only
 * the number of the one that it reads next. What it had not read when that left the ring is lost
 * for it, and so is everything when the connection dies: the number is then below the ring's first.
 *
 * LISTEN and UNLISTEN are what the difference asks for between the channels that have listeners
 * and those that are in force. They go out at the end of a turn, many in one transaction, one
 * transaction at a time. Nothing here waits but the listeners: what must go on by itself is done
 * when the connection was heard, was opened or was lost, and by one timer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "db/engine_parts.h"

enum {
	KEPT = 64, /* notifications of a channel; PostgreSQL lets none be longer than 7999 bytes */
	AT_ONCE = 64,
	MAX_CHANNELS = 10000, /* the server looks through all of them for every notification */
	MAX_NAME = 63,
	FIRST_BUCKETS = 64,
};

/* It lives while someone has it before him in the ring, or in his hands. */
struct note {
	size_t unread, held;
	char payload[];
};

struct channel {
	struct ath_listening *listening; /* NULL: the engine is closed */
	struct channel *chain;           /* in its bucket */
	struct channel *next_changed;
	struct channel **changed; /* what points at this one among the changed; NULL: it is not */
	struct ath_listener *listeners;
	size_t listener_count;
	bool in_force;
	bool under_way;      /* in the batch */
	struct note **ring;  /* a number's place is its rest by KEPT; NULL: none has come yet */
	uint64_t first, end; /* numbers of what the ring holds */
	char name[];
};

struct ath_listener {
	struct channel *channel;
	struct ath_listener *next, **link;
	uint64_t number;   /* of what it reads next */
	struct note *held; /* what it was given last */
	struct wait *wait;
};

/* Of a listener; on a fiber's stack. */
struct wait {
	struct ath_waiter waiter;
	bool closed;             /* the listener is gone */
	struct ath_error *error; /* for LISTEN to be in force; NULL: for news */
};

struct ath_listening {
	struct ath_engine *engine;
	struct ath_connection *connection; /* NULL: there is none */
	bool opening, closed;
	bool fruitful;          /* something came in force on this connection */
	int64_t delay;          /* of retry, before this connection was opened */
	struct ath_retry retry; /* apart from the engine's: it may lead to another server */
	struct ath_timer timer;
	struct ath_turn_end turn_end;

	struct channel **buckets; /* a power of two */
	size_t bucket_count, channel_count;
	struct channel *changed; /* those that may want LISTEN or UNLISTEN */
	int64_t empty_since;     /* of channels */

	struct ath_arena *arena; /* the batch's */
	struct ath_batch batch;
	struct ath_statement statements[AT_ONCE];
	void *results[AT_ONCE];
	struct channel *sent[AT_ONCE];
	size_t sent_count; /* 0: nothing is under way */
};

/* ---- channels ------------------------------------------------------------------------------ */

enum ath_status ath_channel_check(const char *name, struct ath_error *error)
{
	size_t length = name == NULL ? 0 : strnlen(name, MAX_NAME + 1);
	bool good = length > 0 && length <= MAX_NAME && (name[0] < '0' || name[0] > '9');

	for (size_t i = 0; good && i < length; i++)
		good = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
		       (name[i] >= '0' && name[i] <= '9') || name[i] == '_';
	if (good)
		return ATH_OK;
	return ath_error_set(error, ATH_EINVAL,
			     "a channel has 1 to %d letters, digits and _ of ASCII, and does not "
			     "begin with a digit",
			     MAX_NAME);
}

static struct channel **bucket(struct ath_listening *listening, const char *name)
{
	return &listening->buckets[ath_hash(name, strlen(name)) & (listening->bucket_count - 1)];
}

static struct channel *find(struct ath_listening *listening, const char *name)
{
	struct channel *channel = *bucket(listening, name);

	while (channel != NULL && strcmp(channel->name, name) != 0)
		channel = channel->chain;
	return channel;
}

/* Without memory the chains grow longer. */
static void grow(struct ath_listening *listening)
{
	struct channel **old = listening->buckets;
	size_t count = listening->bucket_count;
	struct channel **grown = calloc(2 * count, sizeof(struct channel *));

	if (grown == NULL)
		return;
	listening->buckets = grown;
	listening->bucket_count = 2 * count;
	for (size_t i = 0; i < count; i++) {
		for (struct channel *each = old[i], *next; each != NULL; each = next) {
			struct channel **at = bucket(listening, each->name);

			next = each->chain;
			each->chain = *at;
			*at = each;
		}
	}
	free(old);
}

static struct channel *add_channel(struct ath_listening *listening, const char *name)
{
	size_t size = strlen(name) + 1;
	struct channel *channel = calloc(1, sizeof *channel + size), **at;

	if (channel == NULL)
		return NULL;
	if (listening->channel_count++ == listening->bucket_count)
		grow(listening);
	memcpy(channel->name, name, size);
	channel->listening = listening;
	at = bucket(listening, name);
	channel->chain = *at;
	*at = channel;
	return channel;
}

/* It may want LISTEN or UNLISTEN. */
static void changed(struct channel *channel)
{
	struct ath_listening *listening = channel->listening;

	ath_loop_at_turn_end(listening->engine->loop, &listening->turn_end);
	if (channel->changed != NULL)
		return;
	channel->next_changed = listening->changed;
	if (channel->next_changed != NULL)
		channel->next_changed->changed = &channel->next_changed;
	channel->changed = &listening->changed;
	listening->changed = channel;
}

static void unchanged(struct channel *channel)
{
	if (channel->changed == NULL)
		return;
	*channel->changed = channel->next_changed;
	if (channel->next_changed != NULL)
		channel->next_changed->changed = channel->changed;
	channel->changed = NULL;
}

static void leave_bucket(struct ath_listening *listening, struct channel *channel)
{
	struct channel **at = bucket(listening, channel->name);

	while (*at != channel)
		at = &(*at)->chain;
	*at = channel->chain;
	if (--listening->channel_count == 0)
		listening->empty_since = ath_now();
}

/* One without listeners that is, as far as can be known, not in force. */
static void free_channel(struct channel *channel)
{
	if (channel->listening != NULL) {
		leave_bucket(channel->listening, channel);
		unchanged(channel);
	}
	free(channel->ring);
	free(channel);
}

/* ---- notes ----------------------------------------------------------------------------------- */

static void free_unless_needed(struct note *note)
{
	if (note->unread == 0 && note->held == 0)
		free(note);
}

static struct note **place(struct channel *channel, uint64_t number)
{
	return &channel->ring[number % KEPT];
}

/* The oldest leaves the ring, read or not. */
static void drop_first(struct channel *channel)
{
	struct note **at = place(channel, channel->first++);

	if (*at == NULL) /* all have read it */
		return;
	(*at)->unread = 0;
	free_unless_needed(*at);
	*at = NULL;
}

/* A listener has it before him no more. */
static struct note *pass(struct channel *channel, uint64_t number)
{
	struct note **at = place(channel, number), *note = *at;

	if (--note->unread == 0)
		*at = NULL;
	return note;
}

/* It skips what it has before it. */
static void skip_all(struct ath_listener *listener)
{
	struct channel *channel = listener->channel;

	if (listener->number < channel->first)
		listener->number = channel->first;
	while (listener->number < channel->end)
		free_unless_needed(pass(channel, listener->number++));
}

static void wake_all(struct channel *channel)
{
	for (struct ath_listener *each = channel->listeners; each != NULL; each = each->next)
		if (each->wait != NULL && each->wait->error == NULL)
			ath_wake(&each->wait->waiter, ATH_OK);
}

/* Nobody knows what: a number that none of them has read is skipped. */
static void lose(struct channel *channel)
{
	while (channel->first < channel->end)
		drop_first(channel);
	channel->first = ++channel->end;
	wake_all(channel);
}

static struct note *new_note(struct channel *channel, const char *payload)
{
	size_t size = strlen(payload) + 1;
	struct note *note = malloc(sizeof *note + size);

	if (channel->ring == NULL)
		channel->ring = calloc(KEPT, sizeof(struct note *));
	if (note == NULL || channel->ring == NULL) {
		free(note);
		return NULL;
	}
	note->unread = channel->listener_count;
	note->held = 0;
	memcpy(note->payload, payload, size);
	return note;
}

static void publish(void *arg, const char *name, const char *payload)
{
	struct channel *channel = find(arg, name);
	struct note *note;

	if (channel == NULL || !channel->in_force || channel->listener_count == 0)
		return;
	note = new_note(channel, payload);
	if (note == NULL) {
		lose(channel);
		return;
	}
	if (channel->end - channel->first == KEPT)
		drop_first(channel);
	*place(channel, channel->end++) = note;
	wake_all(channel);
}

/* ---- what is in force ---------------------------------------------------------------------- */

/* Those who wait in ath_listen(): what comes from now on is theirs. */
static void end_waits(struct channel *channel, enum ath_status status,
		      const struct ath_error *error)
{
	for (struct ath_listener *each = channel->listeners; each != NULL; each = each->next) {
		if (each->wait == NULL || each->wait->error == NULL)
			continue;
		if (error != NULL)
			*each->wait->error = *error;
		each->wait->error = NULL;
		skip_all(each);
		ath_wake(&each->wait->waiter, status);
	}
}

static void fail_waits(struct ath_listening *listening, const struct ath_error *error)
{
	for (struct channel *each = listening->changed; each != NULL; each = each->next_changed)
		end_waits(each, error->status, error);
}

static void look_later(struct ath_listening *listening, int64_t at)
{
	ath_timer_start(listening->engine->loop, &listening->timer, at);
}

static void clear_batch(struct ath_listening *listening)
{
	if (listening->batch.driver != NULL)
		ath_batch_clear(&listening->batch);
	ath_arena_reset(listening->arena);
	listening->sent_count = 0;
}

/* What was in force is to come in force again, and what was under way as well. */
static void forget_all(struct ath_listening *listening)
{
	clear_batch(listening);
	for (size_t i = 0; i < listening->bucket_count; i++) {
		for (struct channel *each = listening->buckets[i], *next; each != NULL;
		     each = next) {
			next = each->chain;
			each->in_force = each->under_way = false;
			if (each->listener_count == 0)
				free_channel(each);
			else
				changed(each);
		}
	}
}

/*
 * The connection is of no use any more. One that was, before, is replaced at once; else there is a
 * pause, and those who wait in ath_listen() are told.
 */
static void give_up(struct ath_listening *listening, const char *what,
		    const struct ath_error *error)
{
	struct ath_connection *connection = listening->connection;

	listening->connection = NULL;
	forget_all(listening);
	ath_connection_free(connection);
	if (!listening->fruitful) {
		listening->retry.delay = listening->delay;
		ath_engine_back_off(listening->engine, &listening->retry, what, error);
		fail_waits(listening, &listening->retry.error);
	}
	look_later(listening, listening->retry.at);
}

void ath_listening_lost(struct ath_engine *engine, struct ath_connection *connection)
{
	struct ath_listening *listening = engine->listening;
	struct ath_error error = { 0 };

	if (listening == NULL || listening->connection != connection)
		return;
	if (listening->sent_count > 0)
		error = listening->batch.error;
	ath_error_set(&error, ATH_EUNAVAILABLE, "the connection was lost");
	give_up(listening, "the connection that listens was lost", &error);
}

void ath_listening_leave(struct ath_engine *engine)
{
	struct ath_listening *listening = engine->listening;
	struct ath_error error = { 0 };

	if (listening == NULL || listening->connection == NULL ||
	    ath_connection_number(listening->connection) >= engine->first_good)
		return;
	ath_error_set(&error, ATH_EUNAVAILABLE, "the server has become a standby");
	give_up(listening, "the connection that listens is given up", &error);
}

/* The server has done it. */
static void turned(struct channel *channel)
{
	channel->under_way = false;
	channel->in_force = !channel->in_force;
	if (channel->in_force) {
		lose(channel); /* for those that were there before */
		end_waits(channel, ATH_OK, NULL);
	}
	if (channel->in_force != (channel->listener_count > 0))
		changed(channel);
	else if (!channel->in_force)
		free_channel(channel);
}

static void take_effect(struct ath_listening *listening)
{
	listening->fruitful = true;
	ath_echo(listening->engine, &listening->batch);
	for (size_t i = 0; i < listening->sent_count; i++)
		turned(listening->sent[i]);
	clear_batch(listening);
	if (listening->changed != NULL)
		ath_loop_at_turn_end(listening->engine->loop, &listening->turn_end);
}

/* What failed is looked at at the end of the turn, when the connection may be freed. */
static void heard(struct ath_engine *engine, void *handle)
{
	struct ath_listening *listening = engine->listening;

	if (listening->sent_count > 0 && listening->batch.waiter.done) {
		if (listening->batch.error.status == ATH_OK)
			take_effect(listening);
		else
			ath_loop_at_turn_end(engine->loop, &listening->turn_end);
	}
	engine->driver->notifications(handle, publish, listening);
}

/* False: there is no memory for it. */
static bool put(struct ath_listening *listening, struct channel *channel)
{
	char *text = ath_arena_printf(listening->arena, "%s \"%s\"",
				      channel->in_force ? "unlisten" : "listen", channel->name);

	if (text == NULL)
		return false;
	unchanged(channel);
	channel->under_way = true;
	listening->statements[listening->sent_count] = ath_statement_of(text);
	listening->sent[listening->sent_count++] = channel;
	return true;
}

static bool put_changed(struct ath_listening *listening)
{
	while (listening->changed != NULL && listening->sent_count < AT_ONCE) {
		struct channel *channel = listening->changed;

		if (channel->in_force == (channel->listener_count > 0))
			unchanged(channel);
		else if (!put(listening, channel))
			return false;
	}
	return true;
}

static void send_changed(struct ath_listening *listening)
{
	struct ath_connection *connection = listening->connection;
	struct ath_error error = { 0 };
	bool good = put_changed(listening);

	if (good && listening->sent_count == 0)
		return;
	listening->batch = (struct ath_batch){ .statements = listening->statements,
					       .count = listening->sent_count,
					       .results = listening->results,
					       .arena = listening->arena };
	if (good && ath_connection_submit(connection, &listening->batch) == ATH_OK)
		return;
	if (listening->connection == NULL)
		return; /* it was lost in that */
	error = listening->batch.error;
	ath_error_set(&error, ATH_ENOMEM, "out of memory");
	give_up(listening, "LISTEN cannot be sent", &error);
}

static void end_turn(struct ath_turn_end *end)
{
	struct ath_listening *listening = container_of(end, struct ath_listening, turn_end);
	struct ath_error error;

	if (listening->connection == NULL)
		return;
	if (listening->sent_count == 0) {
		send_changed(listening);
	} else if (listening->batch.waiter.done) {
		ath_echo(listening->engine, &listening->batch);
		error = listening->batch.error;
		listening->fruitful = false; /* whatever came before: it would be refused again */
		give_up(listening, "LISTEN was refused", &error);
	}
}

/* ---- the connection ------------------------------------------------------------------------ */

/* No option of the start: a server before version 14 does not know it. */
static void declare_patient(struct ath_connection *connection)
{
	ath_connection_tell(connection, "select set_config(name, '0', false) from pg_settings "
					"where name = 'idle_session_timeout'");
}

static void opened(struct ath_engine *engine, struct ath_connection *connection)
{
	struct ath_listening *listening = engine->listening;

	listening->opening = false;
	if (listening->closed) {
		if (connection != NULL)
			ath_connection_free(connection);
		return;
	}
	listening->connection = connection;
	if (connection == NULL) {
		fail_waits(listening, &listening->retry.error);
		look_later(listening, listening->retry.at);
		return;
	}
	listening->fruitful = false;
	ath_connection_hear(connection, heard);
	look_later(listening, ath_now() + engine->listen_idle_ms);
	ath_loop_at_turn_end(engine->loop, &listening->turn_end);
	declare_patient(connection);
}

static enum ath_status open_connection(struct ath_listening *listening, struct ath_error *error)
{
	struct ath_engine *engine = listening->engine;
	enum ath_status status = ath_engine_may_connect(&listening->retry, error);

	if (status != ATH_OK || listening->opening || listening->connection != NULL)
		return status;
	listening->delay = listening->retry.delay;
	status = ath_engine_connect(engine, &engine->listen_url, &listening->retry, opened);
	if (status != ATH_OK)
		return ath_error_set(error, status, "no connection can be opened");
	listening->opening = true;
	return ATH_OK;
}

static void open_again(struct ath_listening *listening)
{
	struct ath_error error = { 0 };

	if (listening->channel_count == 0 || open_connection(listening, &error) == ATH_OK)
		return;
	if (listening->retry.at <= ath_now())
		ath_engine_back_off(listening->engine, &listening->retry,
				    "the database cannot be reached", &error);
	look_later(listening, listening->retry.at);
}

/* Is it alive, and still wanted? Asking keeps what stands between from forgetting it, too. */
static void look_after(struct ath_timer *timer)
{
	struct ath_listening *listening = container_of(timer, struct ath_listening, timer);
	struct ath_connection *connection = listening->connection;
	int64_t now = ath_now(), before = now - listening->engine->listen_idle_ms;
	struct ath_error error = { 0 };

	if (connection == NULL) {
		open_again(listening);
	} else if (listening->channel_count == 0 && listening->empty_since <= before) {
		listening->connection = NULL;
		ath_connection_free(connection);
	} else if (ath_connection_waits_since(connection) <= before) {
		ath_error_set(&error, ATH_EUNAVAILABLE, "the server does not answer");
		give_up(listening, "the connection that listens was lost", &error);
	} else {
		look_later(listening, now + listening->engine->listen_idle_ms);
		if (ath_connection_outstanding(connection) == 0)
			ath_connection_tell(connection, "select 1");
	}
}

static struct ath_listening *listening_of(struct ath_engine *engine)
{
	struct ath_listening *made = engine->listening;

	if (made != NULL)
		return made;
	made = calloc(1, sizeof *made);
	if (made == NULL)
		return NULL;
	made->buckets = calloc(FIRST_BUCKETS, sizeof(struct channel *));
	if (made->buckets == NULL || ath_arena_open(&made->arena, 0) != ATH_OK) {
		free(made->buckets);
		free(made);
		return NULL;
	}
	made->bucket_count = FIRST_BUCKETS;
	made->engine = engine;
	made->timer.fire = look_after;
	made->turn_end.run = end_turn;
	engine->listening = made;
	return made;
}

static void end_channel(struct channel *channel)
{
	struct ath_error error = { 0 };

	channel->listening = NULL;
	ath_error_set(&error, ATH_ECANCELED, "the engine was closed");
	end_waits(channel, ATH_ECANCELED, &error);
	for (struct ath_listener *each = channel->listeners; each != NULL; each = each->next)
		if (each->wait != NULL)
			ath_wake(&each->wait->waiter, ATH_ECANCELED);
	if (channel->listener_count == 0)
		free_channel(channel);
}

void ath_listening_close(struct ath_engine *engine)
{
	struct ath_listening *listening = engine->listening;

	if (listening == NULL)
		return;
	listening->closed = true;
	ath_timer_stop(engine->loop, &listening->timer);
	ath_loop_forget_turn_end(engine->loop, &listening->turn_end);
	if (listening->connection != NULL)
		ath_connection_free(listening->connection);
	clear_batch(listening);
	ath_arena_close(&listening->arena);
	for (size_t i = 0; i < listening->bucket_count; i++)
		for (struct channel *each = listening->buckets[i], *next; each != NULL;
		     each = next) {
			next = each->chain;
			end_channel(each);
		}
	free(listening->buckets);
}

/* ---- listeners ------------------------------------------------------------------------------- */

static struct ath_listener *join(struct channel *channel)
{
	struct ath_listener *listener = calloc(1, sizeof *listener);

	if (listener == NULL)
		return NULL;
	listener->channel = channel;
	listener->number = channel->end;
	listener->next = channel->listeners;
	if (listener->next != NULL)
		listener->next->link = &listener->next;
	listener->link = &channel->listeners;
	channel->listeners = listener;
	channel->listener_count++;
	return listener;
}

static void let_go(struct ath_listener *listener)
{
	struct note *note = listener->held;

	if (note == NULL)
		return;
	listener->held = NULL;
	note->held--;
	free_unless_needed(note);
}

static void leave(struct ath_listener *listener)
{
	let_go(listener);
	skip_all(listener);
	*listener->link = listener->next;
	if (listener->next != NULL)
		listener->next->link = listener->link;
	listener->channel->listener_count--;
}

/* Nobody listens to it: it goes at once, or when the server has heard of it. */
static void tidy_channel(struct channel *channel)
{
	if (channel->listener_count > 0)
		return;
	if (channel->listening == NULL || (!channel->in_force && !channel->under_way))
		free_channel(channel);
	else
		changed(channel);
}

void ath_listen_close(struct ath_listener **listener)
{
	struct ath_listener *old = listener == NULL ? NULL : *listener;

	if (old == NULL)
		return;
	*listener = NULL;
	if (old->wait != NULL) {
		old->wait->closed = true;
		ath_wake(&old->wait->waiter, ATH_ECANCELED);
	}
	leave(old);
	tidy_channel(old->channel);
	free(old);
}

static enum ath_status may_listen(const struct ath_engine *engine, const char *name,
				  struct ath_error *error)
{
	if (ath_engine_may_use(engine, error) != ATH_OK || ath_channel_check(name, error) != ATH_OK)
		return error->status;
	if (engine->listen_url.pooler)
		return ath_error_set(
			error, ATH_EINVAL,
			"a pooler of transactions (prepared_statements=off) passes no "
			"notifications on: the engine needs a listen_url that leads to "
			"the server itself");
	return ATH_OK;
}

static enum ath_status join_channel(struct ath_listener **listener, struct ath_engine *engine,
				    const char *name, struct ath_error *error)
{
	struct ath_listening *listening = listening_of(engine);
	struct channel *channel = listening == NULL ? NULL : find(listening, name);

	if (listening != NULL && channel == NULL) {
		if (listening->channel_count == MAX_CHANNELS)
			return ath_error_set(error, ATH_ETOOBIG,
					     "%d channels are listened to already", MAX_CHANNELS);
		channel = add_channel(listening, name);
	}
	if (channel == NULL)
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	*listener = join(channel);
	if (*listener == NULL) {
		tidy_channel(channel);
		return ath_error_set(error, ATH_ENOMEM, "out of memory");
	}
	return ATH_OK;
}

static enum ath_status wait_until_in_force(struct ath_listener *listener, struct ath_error *error)
{
	struct channel *channel = listener->channel;
	struct wait wait = { .error = error };
	enum ath_status status = open_connection(channel->listening, error);

	if (status != ATH_OK)
		return status;
	changed(channel);
	listener->wait = &wait;
	status = ath_wait(channel->listening->engine->loop, &wait.waiter, ATH_NEVER);
	listener->wait = NULL;
	if (status != ATH_OK)
		ath_error_set(error, status, "waiting for LISTEN: %s", ath_status_text(status));
	return status;
}

enum ath_status ath_listen(struct ath_listener **listener, struct ath_engine *engine,
			   const char *channel, struct ath_error *error)
{
	enum ath_status status;

	*listener = NULL;
	ath_error_clear(error);
	status = may_listen(engine, channel, error);
	if (status == ATH_OK)
		status = join_channel(listener, engine, channel, error);
	/* what is under way of one in force is UNLISTEN */
	if (status == ATH_OK &&
	    (!(*listener)->channel->in_force || (*listener)->channel->under_way))
		status = wait_until_in_force(*listener, error);
	if (status != ATH_OK)
		ath_listen_close(listener);
	return status;
}

static bool has_news(const struct ath_listener *listener)
{
	return listener->number < listener->channel->end;
}

/* The listener may be gone when this returns anything but ATH_OK. */
static enum ath_status wait_for_news(struct ath_listener *listener, int64_t timeout_ms)
{
	struct ath_loop *loop = listener->channel->listening->engine->loop;
	struct wait wait = { 0 };
	int64_t deadline;
	enum ath_status status;

	if (__builtin_add_overflow(ath_now(), timeout_ms, &deadline))
		deadline = ATH_NEVER;
	listener->wait = &wait;
	if (ath_fiber_current() == NULL) /* or who only asks would never hear */
		ath_loop_turn(loop, ath_now());
	status = ath_wait(loop, &wait.waiter, deadline);
	if (wait.closed)
		return ATH_ECANCELED;
	listener->wait = NULL;
	return status;
}

static void take_news(struct ath_listener *listener, struct ath_notification *notification)
{
	struct channel *channel = listener->channel;

	if (listener->number < channel->first) {
		notification->missed = channel->first - listener->number;
		listener->number = channel->first;
	}
	if (listener->number == channel->end)
		return;
	listener->held = pass(channel, listener->number++);
	listener->held->held++;
	notification->payload = listener->held->payload;
}

enum ath_status ath_listen_next(struct ath_listener *listener, int64_t timeout_ms,
				struct ath_notification *notification)
{
	struct channel *channel = listener->channel;
	struct ath_error error = { 0 };
	enum ath_status status = ATH_OK;

	*notification = (struct ath_notification){ .channel = channel->name };
	if (listener->wait != NULL)
		return ATH_EINVAL;
	let_go(listener);
	if (channel->listening == NULL)
		return ATH_ECANCELED;
	status = ath_engine_may_use(channel->listening->engine, &error);
	if (status == ATH_OK && !has_news(listener))
		status = wait_for_news(listener, timeout_ms);
	if (status == ATH_OK)
		take_news(listener, notification);
	return status;
}
