/*
 * test_listen.c - notifications: who hears what, what is lost and told so, and what becomes of
 * listeners when their fiber, their connection, their server or their engine ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "db/engine_parts.h"
#include "engine_fixture.h"
#include "orm/internal.h"
#include "proxy.h"

enum { KEPT = 64, PAYLOAD_MOST = 7999 };

static char direct_url[1024]; /* past the pooler, if there is one */

static int open_listening(const char *url)
{
	struct ath_engine_options options = { .listen_url = pooler() == NULL ? NULL : direct_url };

	return open_loop(NULL) || open_engine_with(url, options);
}

static int setup(void **state)
{
	(void)state;
	return open_listening(database_url);
}

static int setup_proxy(void **state)
{
	(void)state;
	tell_proxy(PROXY_UP);
	tell_proxy(PROXY_RELEASE);
	tell_proxy(PROXY_RESET);
	return open_listening(proxy_url);
}

/* ---- in one line ------------------------------------------------------------------------- */

static struct ath_listener *hear(const char *channel)
{
	struct ath_listener *listener;
	struct ath_error error;

	if (ath_listen(&listener, engine, channel, &error) != ATH_OK)
		fail_msg("%s", error.message);
	return listener;
}

static enum ath_status refusal(const char *channel)
{
	struct ath_listener *listener;
	struct ath_error error;
	enum ath_status status = ath_listen(&listener, engine, channel, &error);

	assert_null(listener);
	assert_int_equal(error.status, status);
	assert_true(*error.message != '\0');
	return status;
}

static void send_to(const char *channel, const char *payload)
{
	const char *values[] = { channel, payload };

	PQclear(PQexecParams(control, "select pg_notify($1, $2)", 2, NULL, values, NULL, NULL, 0));
}

/* The next one, which must come. */
static struct ath_notification next(struct ath_listener *listener)
{
	struct ath_notification news;

	assert_int_equal(ath_listen_next(listener, PATIENCE_MS, &news), ATH_OK);
	return news;
}

#define EXPECT_NEWS(listener, text, lost)                                                          \
	do {                                                                                       \
		struct ath_notification news_ = next(listener);                                    \
		assert_non_null(news_.payload);                                                    \
		assert_string_equal(news_.payload, text);                                          \
		assert_int_equal(news_.missed, lost);                                              \
	} while (0)

#define EXPECT_LOSS(listener)                                                                      \
	do {                                                                                       \
		struct ath_notification news_ = next(listener);                                    \
		assert_null(news_.payload);                                                        \
		assert_true(news_.missed > 0);                                                     \
	} while (0)

static void expect_nothing(struct ath_listener *listener)
{
	struct ath_notification news;

	assert_int_equal(ath_listen_next(listener, 0, &news), ATH_ETIMEDOUT);
	assert_null(news.payload);
	assert_int_equal(news.missed, 0);
}

static void send_numbers(const char *channel, int from, int to)
{
	char text[16];

	for (int i = from; i < to; i++) {
		snprintf(text, sizeof text, "%d", i);
		send_to(channel, text);
	}
}

static void expect_numbers(struct ath_listener *listener, int from, int to)
{
	char text[16];

	for (int i = from; i < to; i++) {
		snprintf(text, sizeof text, "%d", i);
		EXPECT_NEWS(listener, text, 0);
	}
}

/* Those that a pooler keeps are not to be told from it. */
static void expect_one_connection(void)
{
	if (pooler() == NULL)
		assert_int_equal(backends(), 1);
}

/* ---- what is heard ----------------------------------------------------------------------- */

static void test_plain(void **state)
{
	struct ath_listener *listener = hear("posts"), *none = NULL;
	struct ath_notification news;

	(void)state;
	expect_nothing(listener);
	run_sql("notify posts");
	news = next(listener);
	assert_string_equal(news.channel, "posts");
	assert_string_equal(news.payload, "");
	assert_int_equal(news.missed, 0);
	run_sql("notify posts, 'one'; notify other, 'x'; notify posts, 'tw\u00f6'");
	EXPECT_NEWS(listener, "one", 0);
	EXPECT_NEWS(listener, "tw\u00f6", 0);
	expect_nothing(listener);
	ath_listen_close(&listener);
	assert_null(listener);
	ath_listen_close(&none);
	ath_listen_close(NULL);
}

/* Before it listened nothing is its own, though another listens already. */
static void test_from_now_on(void **state)
{
	struct ath_listener *first = hear("posts"), *second;

	(void)state;
	send_to("posts", "old");
	EXPECT_NEWS(first, "old", 0);
	second = hear("posts");
	send_to("posts", "new");
	EXPECT_NEWS(second, "new", 0);
	EXPECT_NEWS(first, "new", 0);
	expect_nothing(second);
	ath_listen_close(&first);
	ath_listen_close(&second);
}

/* More than fit one batch, and than there are buckets at first. */
static void test_many_channels(void **state)
{
	enum { CHANNELS = 300 };
	static struct ath_listener *listeners[CHANNELS];
	char name[16];

	(void)state;
	for (int i = 0; i < CHANNELS; i++) {
		snprintf(name, sizeof name, "channel_%d", i);
		listeners[i] = hear(name);
	}
	for (int i = CHANNELS - 1; i >= 0; i--) {
		snprintf(name, sizeof name, "channel_%d", i);
		send_to(name, name + 8);
	}
	for (int i = 0; i < CHANNELS; i++) {
		expect_numbers(listeners[i], i, i + 1);
		expect_nothing(listeners[i]);
	}
	expect_one_connection();
	for (int i = 0; i < CHANNELS; i++)
		ath_listen_close(&listeners[i]);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "",     "1a",   "a b",        "a\"b", "a'; drop table x",
					   "a-b",  "a.b",  "\xc3\xa4",   "a$",   "*",
					   "a\nb", "abc ", "select 1 --" };
	struct ath_listener *upper = hear("Posts"), *lower = hear("posts"), *word, *long_one;
	struct ath_session *db;
	char name[65];

	(void)state;
	for (size_t i = 0; i < ATH_COUNT(bad); i++) {
		assert_int_equal(refusal(bad[i]), ATH_EINVAL);
		assert_int_equal(ath_session_open(&db, engine, NULL), ATH_OK);
		assert_false(ath_notify(db, bad[i], "x"));
		assert_int_equal(ath_session_error(db)->status, ATH_EINVAL);
		ath_session_close(&db);
	}
	assert_int_equal(refusal(NULL), ATH_EINVAL);
	memset(name, 'n', 64);
	name[64] = '\0';
	assert_int_equal(refusal(name), ATH_EINVAL);
	name[63] = '\0';
	long_one = hear(name);
	word = hear("select");
	send_to("Posts", "upper");
	send_to("posts", "lower");
	send_to("select", "word");
	send_to(name, "long");
	EXPECT_NEWS(upper, "upper", 0);
	EXPECT_NEWS(lower, "lower", 0);
	EXPECT_NEWS(word, "word", 0);
	EXPECT_NEWS(long_one, "long", 0);
	expect_nothing(upper);
	expect_nothing(lower);
	ath_listen_close(&upper);
	ath_listen_close(&lower);
	ath_listen_close(&word);
	ath_listen_close(&long_one);
}

/* ---- sending ------------------------------------------------------------------------------ */

static struct ath_session *open_session(void)
{
	struct ath_session *db;

	assert_int_equal(ath_session_open(&db, engine, NULL), ATH_OK);
	return db;
}

static void test_a_transaction_sends(void **state)
{
	struct ath_listener *listener = hear("posts");
	struct ath_session *db = open_session();
	struct ath_savepoint savepoint;

	(void)state;
	assert_true(ath_notify(db, "posts", "undone"));
	ath_rollback(db);
	assert_true(ath_notify(db, "posts", "one"));
	assert_true(ath_savepoint(db, &savepoint));
	assert_true(ath_notify(db, "posts", "taken back"));
	assert_true(ath_rollback_to(db, &savepoint));
	assert_true(ath_notify(db, "posts", NULL));
	send_to("posts", "before the commit");
	assert_true(ath_commit(db));
	EXPECT_NEWS(listener, "before the commit", 0);
	EXPECT_NEWS(listener, "one", 0);
	EXPECT_NEWS(listener, "", 0);
	assert_true(ath_notify(db, "posts", "not committed"));
	ath_session_close(&db);
	send_to("posts", "last");
	EXPECT_NEWS(listener, "last", 0);
	expect_nothing(listener);
	ath_listen_close(&listener);
}

/* What is the library's own leaves nothing to reset, and says that there is something to commit. */
static void test_a_notification_is_a_write(void **state)
{
	struct ath_session *db = open_session();

	NOT_POOLED("counts round trips");
	(void)state;
	assert_true(ath_notify(db, "posts", "x"));
	assert_int_equal(proxy_counts->round_trips, 2); /* of the start, and BEGIN with it */
	assert_true(ath_session_is_uncommitted(db));
	assert_true(ath_commit(db));
	ath_session_close(&db);
	assert_int_equal(proxy_counts->round_trips, 3);
}

static void test_payloads(void **state)
{
	static char text[PAYLOAD_MOST + 2];
	struct ath_listener *listener = hear("posts");
	struct ath_session *db = open_session();
	struct ath_notification news;

	(void)state;
	for (size_t i = 0; i < sizeof text - 1; i += 2)
		memcpy(text + i, "\xc3\xa4", 2); /* 8000 bytes */
	assert_false(ath_notify(db, "posts", text));
	assert_int_equal(ath_session_error(db)->status, ATH_ETOOBIG);
	ath_clear_error(db);
	text[PAYLOAD_MOST] = '\0'; /* half a character is left */
	assert_false(ath_notify(db, "posts", text));
	assert_int_equal(ath_session_error(db)->status, ATH_ERULE);
	ath_clear_error(db);
	text[PAYLOAD_MOST - 1] = 'a';
	assert_true(ath_notify(db, "posts", text));
	assert_true(ath_commit(db));
	news = next(listener);
	assert_string_equal(news.payload, text);
	/* a value, whatever is in it */
	assert_true(ath_notify(db, "posts", "'); drop table x; -- $1 :a \\ \""));
	assert_true(ath_commit(db));
	EXPECT_NEWS(listener, "'); drop table x; -- $1 :a \\ \"", 0);
	ath_session_close(&db);
	ath_listen_close(&listener);
}

static void test_an_error_stays(void **state)
{
	struct ath_listener *listener = hear("posts");
	struct ath_session *db = open_session();

	(void)state;
	assert_false(ath_notify(db, "1", "x"));
	assert_false(ath_notify(db, "posts", "x"));
	assert_false(ath_commit(db));
	ath_session_close(&db);
	send_to("posts", "last");
	EXPECT_NEWS(listener, "last", 0);
	ath_listen_close(&listener);
}

/* ---- slow readers ------------------------------------------------------------------------- */

static void test_the_oldest_go(void **state)
{
	struct ath_listener *fast = hear("posts"), *slow = hear("posts");

	(void)state;
	send_numbers("posts", 0, KEPT);
	expect_numbers(fast, 0, KEPT);
	expect_numbers(slow, 0, KEPT); /* just so many it has room for */
	send_numbers("posts", KEPT, 2 * KEPT);
	expect_numbers(fast, KEPT, 2 * KEPT);
	send_numbers("posts", 2 * KEPT, 2 * KEPT + 7);
	expect_numbers(fast, 2 * KEPT, 2 * KEPT + 7);
	EXPECT_NEWS(slow, "71", 7); /* 64 to 70 are gone */
	expect_numbers(slow, KEPT + 8, 2 * KEPT + 7);
	expect_nothing(slow);
	expect_nothing(fast);
	ath_listen_close(&fast);
	ath_listen_close(&slow);
}

/* What a reader has in hand stays, whatever comes and whoever goes. */
static void test_a_text_stays(void **state)
{
	struct ath_listener *holder = hear("posts"), *reader = hear("posts"), *idle = hear("posts"),
			    *fresh;
	struct ath_notification news;

	(void)state;
	send_to("posts", "mine");
	news = next(holder);
	fresh = hear("posts");
	send_numbers("posts", 0, KEPT);
	expect_numbers(fresh, 0, KEPT); /* by then "mine" has left the ring */
	EXPECT_NEWS(reader, "0", 1);
	expect_numbers(reader, 1, KEPT);
	ath_listen_close(&reader);
	assert_string_equal(news.payload, "mine");
	assert_string_equal(news.channel, "posts");
	ath_listen_close(&idle);
	ath_listen_close(&fresh);
	expect_numbers(holder, 0, KEPT);
	ath_listen_close(&holder);
}

/* ---- fibers ------------------------------------------------------------------------------ */

/* A fiber that listens, says so, and waits for one. */
struct hearer {
	const char *channel;
	int64_t timeout_ms;
	struct ath_listener *listener; /* NULL: it listens by itself */
	struct ath_listener **closes;  /* when it has heard */
	struct ath_fiber *fiber;
	struct ath_error error;
	enum ath_status listened, status;
	char payload[16];
	uint64_t missed;
	bool null, ready, done;
};

static int ready_count;

static void hear_task(void *arg)
{
	struct hearer *hearer = arg;
	struct ath_notification news = { 0 };

	if (hearer->listener == NULL)
		hearer->listened =
			ath_listen(&hearer->listener, engine, hearer->channel, &hearer->error);
	hearer->ready = hearer->listened == ATH_OK;
	ready_count += hearer->ready;
	hearer->status = hearer->listened;
	if (hearer->ready) {
		hearer->status = ath_listen_next(hearer->listener, hearer->timeout_ms, &news);
		hearer->missed = news.missed;
		hearer->null = news.payload == NULL;
		snprintf(hearer->payload, sizeof hearer->payload, "%s",
			 hearer->null ? "" : news.payload);
	}
	if (hearer->closes != NULL)
		ath_listen_close(hearer->closes);
	hearer->done = true;
}

static void start_hearer(struct hearer *hearer, int64_t deadline)
{
	if (hearer->timeout_ms == 0)
		hearer->timeout_ms = ATH_NEVER;
	hearer->fiber = start(hear_task, hearer, deadline);
}

static struct hearer *watched;

static bool is_ready(void)
{
	return watched->ready;
}

static void start_ready(struct hearer *hearer, int64_t deadline)
{
	start_hearer(hearer, deadline);
	watched = hearer;
	assert_true(turn_until(is_ready));
}

static void test_in_a_fiber(void **state)
{
	struct hearer one = { .channel = "posts" }, two = { .channel = "posts" };

	(void)state;
	start_ready(&one, ATH_NEVER);
	start_ready(&two, ATH_NEVER);
	send_to("posts", "x");
	run_fibers();
	assert_int_equal(one.status, ATH_OK);
	assert_string_equal(one.payload, "x");
	assert_string_equal(two.payload, "x");
	ath_listen_close(&one.listener);
	ath_listen_close(&two.listener);
}

/* The time of the call, and the time of the fiber; both leave the listener as it is. */
static void test_time_passes(void **state)
{
	struct hearer mine = { .channel = "posts", .timeout_ms = 5 },
		      fibers = { .channel = "posts" };

	(void)state;
	start_ready(&mine, ATH_NEVER);
	start_ready(&fibers, ATH_NEVER);
	ath_fiber_set_deadline(fibers.fiber, ath_now()); /* from its next wait on */
	run_sql("notify posts, 'x'");
	run_fibers();
	assert_int_equal(fibers.status, ATH_OK);
	assert_true(mine.status == ATH_ETIMEDOUT || mine.status == ATH_OK);
	fibers.done = fibers.ready = false;
	start_hearer(&fibers, ath_now());
	run_fibers();
	assert_int_equal(fibers.status, ATH_ETIMEDOUT);
	mine.timeout_ms = 1;
	while (mine.status == ATH_OK) {
		start_hearer(&mine, ATH_NEVER);
		run_fibers();
	}
	assert_int_equal(mine.status, ATH_ETIMEDOUT);
	send_to("posts", "y");
	if (mine.status == ATH_ETIMEDOUT)
		EXPECT_NEWS(fibers.listener, "y", 0);
	ath_listen_close(&mine.listener);
	ath_listen_close(&fibers.listener);
}

static void test_the_client_goes(void **state)
{
	struct hearer hearer = { .channel = "posts" };

	(void)state;
	start_ready(&hearer, ATH_NEVER);
	ath_fiber_cancel(hearer.fiber);
	run_fibers();
	assert_int_equal(hearer.status, ATH_ECANCELED);
	send_to("posts", "x");
	EXPECT_NEWS(hearer.listener, "x", 0);
	ath_listen_close(&hearer.listener);
}

/* While it connects, and while LISTEN is under way: nothing of it stays. */
static void test_the_client_goes_before(void **state)
{
	struct hearer hearer = { .channel = "posts" }, late = { .channel = "posts" }, again;

	(void)state;
	start_hearer(&hearer, ATH_NEVER);
	start_hearer(&late, ath_now());
	ath_loop_turn(loop, ath_now());
	ath_fiber_cancel(hearer.fiber);
	run_fibers();
	assert_int_equal(hearer.listened, ATH_ECANCELED);
	assert_int_equal(hearer.error.status, ATH_ECANCELED);
	assert_null(hearer.listener);
	assert_int_equal(late.listened, ATH_ETIMEDOUT);
	assert_null(late.listener);
	again = (struct hearer){ .channel = "posts" };
	start_ready(&again, ATH_NEVER);
	send_to("posts", "x");
	run_fibers();
	assert_string_equal(again.payload, "x");
	ath_listen_close(&again.listener);
}

static void test_one_waits(void **state)
{
	struct hearer first = { .channel = "posts" }, second = { .channel = "posts" };
	struct ath_notification news;

	(void)state;
	start_ready(&first, ATH_NEVER);
	second.listener = first.listener;
	start_ready(&second, ATH_NEVER);
	assert_true(second.done);
	assert_int_equal(second.status, ATH_EINVAL);
	assert_int_equal(ath_listen_next(first.listener, 0, &news), ATH_EINVAL);
	send_to("posts", "x");
	run_fibers();
	assert_string_equal(first.payload, "x");
	ath_listen_close(&first.listener);
}

static void test_closed_by_another(void **state)
{
	struct hearer hearer = { .channel = "posts" };

	(void)state;
	start_ready(&hearer, ATH_NEVER);
	ath_listen_close(&hearer.listener);
	run_fibers();
	assert_int_equal(hearer.status, ATH_ECANCELED);
}

/* The same by a fiber that the same notification woke, when the other has not run yet. */
static void test_closed_behind_a_notification(void **state)
{
	struct hearer closed[2], closer[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		closed[i] = (struct hearer){ .channel = "posts" };
		closer[i] = (struct hearer){ .channel = "posts", .closes = &closed[i].listener };
		/* whichever is woken first */
		start_ready(i == 0 ? &closed[i] : &closer[i], ATH_NEVER);
		start_ready(i == 0 ? &closer[i] : &closed[i], ATH_NEVER);
		send_to("posts", "x");
		run_fibers();
		assert_string_equal(closer[i].payload, "x");
		ath_listen_close(&closer[i].listener);
	}
	assert_int_not_equal(closed[0].status, closed[1].status);
	assert_true(closed[0].status == ATH_ECANCELED || closed[1].status == ATH_ECANCELED);
}

static void open_and_close_task(void *arg)
{
	struct ath_listener *listener;
	struct ath_error error;
	int *good = arg;

	for (int i = 0; i < 20; i++) {
		if (ath_listen(&listener, engine, i % 3 == 0 ? "one" : "two", &error) != ATH_OK)
			return;
		if (i % 2 == 0 && ath_sleep(0) != ATH_OK)
			return;
		ath_listen_close(&listener);
	}
	++*good;
}

/* LISTEN and UNLISTEN of one channel overtake each other. */
static void test_coming_and_going(void **state)
{
	enum { FIBERS = 50 };
	struct ath_listener *listener;
	int good = 0;

	(void)state;
	for (int i = 0; i < FIBERS; i++)
		start(open_and_close_task, &good, ATH_NEVER);
	run_fibers();
	assert_int_equal(good, FIBERS);
	listener = hear("one");
	send_to("one", "x");
	EXPECT_NEWS(listener, "x", 0);
	ath_listen_close(&listener);
}

/* ---- very many ----------------------------------------------------------------------------- */

enum { MANY = 5000, LEAST_ROOM = 300 };

static size_t memory_in_use(void)
{
	return mallinfo2().uordblks;
}

static bool all_are_ready(void)
{
	return ready_count == MANY;
}

/* One LISTEN, one copy of the text, and each hears it. */
static void test_many_listeners(void **state)
{
	static struct hearer hearers[MANY];
	static char text[PAYLOAD_MOST + 1];
	size_t before;

	(void)state;
	ready_count = 0;
	for (int i = 0; i < MANY; i++) {
		hearers[i] = (struct hearer){ .channel = "posts" };
		start_hearer(&hearers[i], ATH_NEVER);
	}
	assert_true(turn_until(all_are_ready));
	memset(text, 'x', PAYLOAD_MOST);
	before = memory_in_use();
	send_to("posts", text);
	run_fibers();
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(hearers[i].status, ATH_OK);
		assert_int_equal(hearers[i].missed, 0);
		assert_string_equal(hearers[i].payload, "xxxxxxxxxxxxxxx");
	}
	/* all of them have it in hand */
	assert_true(memory_in_use() < before + (size_t)MANY * 8);
	expect_one_connection();
	for (int i = 0; i < MANY; i++)
		ath_listen_close(&hearers[i].listener);
}

static void test_memory(void **state)
{
	static struct ath_listener *listeners[MANY];
	size_t before;

	(void)state;
	listeners[0] = hear("posts");
	before = memory_in_use();
	for (int i = 1; i < MANY; i++)
		listeners[i] = hear("posts");
	print_message("%zu bytes for each idle listener\n", (memory_in_use() - before) / MANY);
	assert_true(memory_in_use() < before + (size_t)MANY * LEAST_ROOM);
	before = memory_in_use();
	send_numbers("posts", 0, 2 * KEPT);
	while (strcmp(next(listeners[0]).payload, "127") != 0)
		;
	for (int i = 1; i < MANY; i++)
		EXPECT_NEWS(listeners[i], "64", KEPT);
	assert_true(memory_in_use() < before + (size_t)MANY * 8);
	for (int i = 0; i < MANY; i++)
		ath_listen_close(&listeners[i]);
}

static struct ath_listener *one_more;

static bool there_is_room(void)
{
	struct ath_error error;

	return ath_listen(&one_more, engine, "one_more", &error) == ATH_OK;
}

static void test_the_most_channels(void **state)
{
	enum { MOST = 10000 };
	static struct hearer hearers[MOST];
	static char names[MOST][16];
	struct ath_listener *second;

	(void)state;
	ready_count = 0;
	for (int i = 0; i < MOST; i++) {
		snprintf(names[i], sizeof names[i], "c%d", i);
		hearers[i] = (struct hearer){ .channel = names[i], .timeout_ms = 1 };
		start_hearer(&hearers[i], ATH_NEVER);
		if (i % 500 == 499)
			run_fibers();
	}
	assert_int_equal(ready_count, MOST);
	assert_int_equal(refusal("one_more"), ATH_ETOOBIG);
	second = hear("c77"); /* it is there already */
	send_to("c77", "x");
	EXPECT_NEWS(second, "x", 0);
	ath_listen_close(&second);
	ath_listen_close(&hearers[0].listener);
	assert_true(turn_until(there_is_room)); /* when the server has left c0 */
	ath_listen_close(&one_more);
	for (int i = 0; i < MOST; i++)
		ath_listen_close(&hearers[i].listener);
}

/* ---- losses -------------------------------------------------------------------------------- */

static void test_the_backend_ends(void **state)
{
	struct ath_listener *one = hear("posts"), *two = hear("posts"), *other = hear("other");

	(void)state;
	send_to("posts", "unread");
	EXPECT_NEWS(two, "unread", 0);
	terminate_backends();
	EXPECT_LOSS(other); /* by then LISTEN is in force again, for all of them */
	EXPECT_LOSS(one);
	send_to("posts", "x");
	send_to("other", "y");
	EXPECT_NEWS(one, "x", 0);
	EXPECT_NEWS(two, "x", 1); /* the loss, and what came behind it */
	EXPECT_NEWS(other, "y", 0);
	send_to("posts", "z");
	EXPECT_NEWS(two, "z", 0);
	ath_listen_close(&one);
	ath_listen_close(&two);
	ath_listen_close(&other);
}

static void test_a_loss_wakes(void **state)
{
	struct hearer hearer = { .channel = "posts" };

	(void)state;
	start_ready(&hearer, ATH_NEVER);
	terminate_backends();
	run_fibers();
	assert_int_equal(hearer.status, ATH_OK);
	assert_true(hearer.missed == 1 && hearer.null);
	ath_listen_close(&hearer.listener);
}

/* More than one batch of LISTEN; and those that nobody wants any more are not among them. */
static void test_all_come_again(void **state)
{
	enum { CHANNELS = 150 };
	static struct ath_listener *listeners[CHANNELS];
	char name[16];

	NOT_POOLED("counts statements");
	(void)state;
	for (int i = 0; i < CHANNELS; i++) {
		snprintf(name, sizeof name, "channel_%d", i);
		listeners[i] = hear(name);
	}
	tell_proxy(PROXY_DOWN);
	tell_proxy(PROXY_UP);
	for (int i = 1; i < CHANNELS; i += 2)
		ath_listen_close(&listeners[i]);
	tell_proxy(PROXY_RESET);
	for (int i = 0; i < CHANNELS; i += 2)
		EXPECT_LOSS(listeners[i]);
	assert_int_equal(proxy_counts->executes, CHANNELS / 2 + 1);
	assert_int_equal(proxy_counts->connections, 1);
	for (int i = 0; i < CHANNELS; i += 2) {
		send_numbers("channel_0", i, i + 1);
		expect_numbers(listeners[0], i, i + 1);
	}
	for (int i = 0; i < CHANNELS; i++)
		ath_listen_close(&listeners[i]);
}

/* Lost when nobody looks, as between two calls of a plain program: the next one does not see it. */
static void test_a_loss_before_listen(void **state)
{
	struct ath_listener *one = hear("one"), *two;

	(void)state;
	terminate_backends();
	two = hear("two");
	send_to("two", "x");
	EXPECT_NEWS(two, "x", 0);
	EXPECT_LOSS(one);
	ath_listen_close(&one);
	ath_listen_close(&two);
}

static void test_lost_with_listen(void **state)
{
	static const enum proxy_command commands[] = { PROXY_LOSE_QUERY, PROXY_LOSE_ANSWER };
	struct ath_listener *one = hear("one"), *two;

	NOT_POOLED("cuts the connection");
	(void)state;
	for (size_t i = 0; i < ATH_COUNT(commands); i++) {
		tell_proxy(commands[i]);
		two = hear("two");
		EXPECT_LOSS(one);
		send_to("two", "x");
		EXPECT_NEWS(two, "x", 0);
		ath_listen_close(&two);
		send_to("one", "y"); /* what went before is over when it comes */
		EXPECT_NEWS(one, "y", 0);
	}
	ath_listen_close(&one);
}

/* No listener learns of it before it can be heard again; new ones are refused at once. */
static void test_away(void **state)
{
	struct ath_listener *one = hear("one"), *again;
	struct hearer hearer = { .channel = "two" };

	NOT_POOLED("cuts the connection");
	(void)state;
	tell_proxy(PROXY_DOWN);
	while (refusal("two") != ATH_EUNAVAILABLE)
		;
	assert_int_equal(refusal("one"), ATH_EUNAVAILABLE);
	expect_nothing(one);
	start_hearer(&hearer, ATH_NEVER);
	run_fibers();
	assert_int_equal(hearer.listened, ATH_EUNAVAILABLE);
	tell_proxy(PROXY_UP);
	EXPECT_LOSS(one);
	again = hear("two");
	send_to("two", "x");
	EXPECT_NEWS(again, "x", 0);
	ath_listen_close(&one);
	ath_listen_close(&again);
}

/* The answer to a question that comes now and then stays out. */
static void test_no_answer(void **state)
{
	struct ath_listener *listener;

	NOT_POOLED("holds answers back");
	(void)state;
	engine->listen_idle_ms = 500;
	listener = hear("posts");
	tell_proxy(PROXY_RESET);
	tell_proxy(PROXY_HOLD);
	while (proxy_counts->connections == 0)
		ath_loop_turn(loop, ath_now() + 1);
	tell_proxy(PROXY_RELEASE);
	EXPECT_LOSS(listener);
	ath_listen_close(&listener);
}

static void test_it_is_asked(void **state)
{
	struct ath_listener *listener;

	NOT_POOLED("counts statements");
	(void)state;
	engine->listen_idle_ms = 1000;
	listener = hear("posts");
	tell_proxy(PROXY_RESET);
	while (proxy_counts->executes == 0)
		ath_loop_turn(loop, ath_now() + 1);
	expect_nothing(listener);
	assert_int_equal(proxy_counts->connections, 0);
	ath_listen_close(&listener);
}

static bool is_unwanted(void)
{
	return backends() == 0;
}

static bool one_is_left(void)
{
	return ask_number("select count(*) from pg_stat_activity where query = 'unlisten \"one\"'"
			  " and datname = current_database() and state = 'idle'") == 1;
}

/* The server forgets the channel at once, and the connection goes some time later. */
static void test_nobody_listens(void **state)
{
	struct ath_listener *one, *two;

	NOT_POOLED("counts connections");
	(void)state;
	engine->listen_idle_ms = 1000;
	one = hear("one");
	two = hear("two");
	ath_listen_close(&one);
	assert_true(turn_until(one_is_left));
	ath_listen_close(&two);
	assert_true(turn_until(is_unwanted));
	two = hear("two");
	send_to("two", "x");
	EXPECT_NEWS(two, "x", 0);
	ath_listen_close(&two);
}

static void end_idle_sessions(const char *after)
{
	char sql[128];

	snprintf(sql, sizeof sql, "alter database %s set idle_session_timeout = '%s'",
		 database_name, after);
	run_sql(sql);
}

static PGconn *other_session;

/* Somebody else's session with the same limit, begun later, was ended. */
static bool the_other_has_ended(void)
{
	return PQconsumeInput(other_session) == 0;
}

static void test_idle_for_long(void **state)
{
	struct ath_listener *listener;

	(void)state;
	end_idle_sessions("20ms");
	listener = hear("posts");
	other_session = PQconnectdb(direct_url);
	assert_true(turn_until(the_other_has_ended));
	PQfinish(other_session);
	connect_control(direct_url);
	run_sql("set idle_session_timeout = 0");
	end_idle_sessions("0");
	send_to("posts", "x");
	EXPECT_NEWS(listener, "x", 0);
	ath_listen_close(&listener);
}

/* The server has become a standby: what it would send is not what is written elsewhere. */
static void test_demoted(void **state)
{
	struct ath_listener *listener = hear("posts");
	struct ath_connection *connection;
	struct ath_error error = { 0 };

	(void)state;
	assert_int_equal(ath_engine_checkout(engine, &connection, ATH_NEVER, &error), ATH_OK);
	ath_engine_demoted(engine, connection);
	ath_engine_give_back(engine, &connection);
	EXPECT_LOSS(listener);
	send_to("posts", "x");
	EXPECT_NEWS(listener, "x", 0);
	ath_listen_close(&listener);
}

/* ---- engines ------------------------------------------------------------------------------ */

static void test_two_engines(void **state)
{
	struct ath_engine *first = engine;
	struct ath_listener *one = hear("posts"), *two;
	char name[80], url[1200], sql[128];

	(void)state;
	snprintf(name, sizeof name, "%s_2", database_name);
	snprintf(sql, sizeof sql, "create database %s", name);
	run_sql(sql);
	make_plain_url(url, sizeof url, name, PQhost(control), PQport(control));
	engine = NULL;
	assert_int_equal(open_engine_with(url, (struct ath_engine_options){ 0 }), 0);
	two = hear("posts");
	send_to("posts", "x");
	EXPECT_NEWS(one, "x", 0);
	connect_control(url);
	send_to("posts", "y");
	EXPECT_NEWS(two, "y", 0);
	ath_engine_close(&engine);
	engine = first;
	connect_control(direct_url);
	send_to("posts", "z");
	EXPECT_NEWS(one, "z", 0);
	ath_listen_close(&one);
	ath_listen_close(&two);
	snprintf(sql, sizeof sql, "drop database %s with (force)", name);
	run_sql(sql);
}

static void test_the_engine_ends_first(void **state)
{
	struct hearer hearer = { .channel = "posts" };
	struct ath_listener *listener = hear("posts"), *reader = hear("posts");
	struct ath_notification news;

	(void)state;
	send_to("posts", "x");
	news = next(reader);
	start_ready(&hearer, ATH_NEVER);
	ath_engine_close(&engine);
	assert_string_equal(news.payload, "x"); /* in hand */
	run_fibers();
	assert_int_equal(hearer.status, ATH_ECANCELED);
	assert_int_equal(ath_listen_next(listener, ATH_NEVER, &news), ATH_ECANCELED);
	ath_listen_close(&hearer.listener);
	ath_listen_close(&listener);
	assert_int_equal(ath_listen_next(reader, ATH_NEVER, &news), ATH_ECANCELED);
	ath_listen_close(&reader);
}

/* While it connects; and while LISTEN is under way. */
static void test_the_engine_ends_before(void **state)
{
	struct hearer hearer = { .channel = "posts" }, second = { .channel = "other" };

	(void)state;
	start_hearer(&hearer, ATH_NEVER);
	ath_loop_turn(loop, ath_now());
	ath_engine_close(&engine);
	run_fibers();
	assert_int_equal(hearer.listened, ATH_ECANCELED);
	assert_int_equal(hearer.error.status, ATH_ECANCELED);
	assert_int_equal(open_engine_with(direct_url, (struct ath_engine_options){ 0 }), 0);
	hearer = (struct hearer){ .channel = "posts" };
	start_ready(&hearer, ATH_NEVER);
	start_hearer(&second, ATH_NEVER);
	ath_loop_turn(loop, ath_now());
	ath_engine_close(&engine);
	run_fibers();
	assert_int_equal(second.listened, ATH_ECANCELED);
	ath_listen_close(&hearer.listener);
}

/* Without a loop of the worker's, it is the engine's that is turned. */
static void test_a_plain_program(void **state)
{
	struct ath_engine_options options = { .log = &silence, .listen_url = direct_url };
	struct ath_listener *listener;
	struct ath_notification news;
	struct ath_error error;
	struct ath_engine *own;

	(void)state;
	assert_int_equal(ath_engine_open(&own, database_url, &options, &error), ATH_OK);
	assert_int_equal(ath_listen(&listener, own, "posts", &error), ATH_OK);
	send_to("posts", "x");
	assert_int_equal(ath_listen_next(listener, PATIENCE_MS, &news), ATH_OK);
	assert_string_equal(news.payload, "x");
	send_to("posts", "y");
	while (ath_listen_next(listener, 0, &news) == ATH_ETIMEDOUT) /* who only asks hears */
		;
	assert_string_equal(news.payload, "y");
	ath_engine_close(&own);
	assert_int_equal(ath_listen_next(listener, ATH_NEVER, &news), ATH_ECANCELED);
	ath_listen_close(&listener);
}

static void test_a_child(void **state)
{
	struct ath_listener *listener = hear("posts");
	int status = 0;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		struct ath_listener *other;
		struct ath_notification news;
		struct ath_error error;
		bool good = ath_listen(&other, engine, "posts", &error) == ATH_EINVAL &&
			    ath_listen_next(listener, 0, &news) == ATH_EINVAL;

		ath_listen_close(&listener);
		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	send_to("posts", "x");
	EXPECT_NEWS(listener, "x", 0);
	ath_listen_close(&listener);
}

/* ---- poolers -------------------------------------------------------------------------------- */

static void test_behind_a_pooler(void **state)
{
	struct ath_engine_options options = { .prepared_statements = ATH_PREPARED_OFF };
	struct ath_listener *listener;
	struct ath_session *db;
	struct ath_error error;

	(void)state;
	ath_engine_close(&engine);
	assert_int_equal(open_engine_with(database_url, options), 0);
	assert_int_equal(ath_listen(&listener, engine, "posts", &error), ATH_EINVAL);
	assert_non_null(strstr(error.message, "listen_url"));
	ath_engine_close(&engine);
	options.listen_url = direct_url;
	assert_int_equal(open_engine_with(database_url, options), 0);
	listener = hear("posts");
	db = open_session();
	assert_true(ath_notify(db, "posts", "x"));
	assert_true(ath_commit(db));
	ath_session_close(&db);
	EXPECT_NEWS(listener, "x", 0);
	ath_listen_close(&listener);
}

static void test_listen_urls(void **state)
{
	struct ath_engine_options options = { .loop = loop };
	struct ath_engine *other;
	struct ath_listener *listener;
	struct ath_error error;
	char url[1200];

	(void)state;
	options.listen_url = "http://here";
	assert_int_equal(ath_engine_open(&other, database_url, &options, &error), ATH_EINVAL);
	assert_non_null(strstr(error.message, "listen_url: "));
	options.listen_url = "postgresql:///x?no_such_option=1";
	assert_int_equal(ath_engine_open(&other, database_url, &options, &error), ATH_EINVAL);
	assert_non_null(strstr(error.message, "listen_url: "));
	snprintf(url, sizeof url, "%s&prepared_statements=off", direct_url);
	options.listen_url = url;
	assert_int_equal(ath_engine_open(&other, database_url, &options, &error), ATH_OK);
	assert_int_equal(ath_listen(&listener, other, "posts", &error), ATH_EINVAL);
	ath_engine_close(&other);
	/* one that is away does not keep the engine from its own */
	options.listen_url = "postgresql:///x?host=/nowhere";
	assert_int_equal(ath_engine_open(&other, database_url, &options, &error), ATH_OK);
	assert_int_equal(ath_listen(&listener, other, "posts", &error), ATH_EUNAVAILABLE);
	assert_int_equal(other->retry.at, 0);
	ath_engine_close(&other);
}

/* ---- servers -------------------------------------------------------------------------------- */

static char directory[64], standby[64];

/* sql/cluster.sh VERB DIR ...; its output, if it is wanted, goes to answer. */
static void cluster(const char *verb, const char *in, const char *rest, char *answer, size_t size)
{
	char command[512];
	FILE *output;

	snprintf(command, sizeof command, "sql/cluster.sh %s %s %s", verb, in, rest);
	output = popen(command, "r");
	if (output == NULL || (answer != NULL && fgets(answer, (int)size, output) == NULL))
		die_of(command, "no answer");
	if (answer != NULL)
		answer[strcspn(answer, "\n")] = '\0';
	if (pclose(output) != 0)
		die_of(command, "failed");
}

static void test_the_server_restarts(void **state)
{
	static const char *const names[] = { "other", "another" };
	struct ath_listener *one, *two;
	char url[512];

	(void)state;
	make_directory(directory, sizeof directory);
	cluster("start", directory, "", NULL, 0);
	cluster("url", directory, "", url, sizeof url);
	ath_engine_close(&engine);
	assert_int_equal(open_engine_with(url, (struct ath_engine_options){ 0 }), 0);
	for (int i = 0; i < 2; i++) {
		one = hear("posts");
		cluster(i == 0 ? "kill" : "stop", directory, "", NULL, 0);
		while (refusal(names[i]) != ATH_EUNAVAILABLE)
			;
		expect_nothing(one);
		cluster("start", directory, "", NULL, 0);
		EXPECT_LOSS(one);
		two = hear(names[i]);
		connect_control(url);
		send_to(names[i], "x");
		send_to("posts", "y");
		EXPECT_NEWS(two, "x", 0);
		EXPECT_NEWS(one, "y", 0);
		PQfinish(control);
		control = NULL;
		ath_listen_close(&one);
		ath_listen_close(&two);
	}
	ath_engine_close(&engine);
	connect_control(direct_url);
}

/* A standby refuses LISTEN, with a pause that grows; when it is promoted it does not. */
static void test_a_standby(void **state)
{
	struct ath_listener *listener = NULL;
	struct ath_error error;
	int64_t end = ath_now() + PATIENCE_MS;
	char url[512];

	(void)state;
	make_directory(standby, sizeof standby);
	cluster("standby", standby, directory, NULL, 0);
	cluster("url", standby, "", url, sizeof url);
	ath_engine_close(&engine);
	assert_int_equal(open_engine_with(url, (struct ath_engine_options){ 0 }), 0);
	assert_int_equal(ath_listen(&listener, engine, "posts", &error), ATH_EUNAVAILABLE);
	assert_non_null(strstr(error.message, "recovery"));
	assert_int_equal(ath_listen(&listener, engine, "posts", &error), ATH_EUNAVAILABLE);
	assert_int_equal(read_integer("select 1::int8"), 1); /* it reads all the same */
	cluster("promote", standby, "", NULL, 0);
	while (ath_listen(&listener, engine, "posts", &error) != ATH_OK && ath_now() < end)
		ath_loop_turn(loop, ath_now() + 10);
	assert_non_null(listener);
	connect_control(url);
	send_to("posts", "x");
	EXPECT_NEWS(listener, "x", 0);
	ath_listen_close(&listener);
	ath_engine_close(&engine);
	connect_control(direct_url);
}

/* A host that is gone without a word is found out by TCP, whatever the connection is for. */
static void test_keepalive(void **state)
{
	struct ath_url url = { .connect_timeout_s = 5 };
	struct ath_error error = { 0 };
	socklen_t size = sizeof(int);
	char address[32], text[128];
	int process = (int)getpid(), value = 0;
	void *handle;

	(void)state;
	/* the port is the socket's, and the address its own */
	snprintf(address, sizeof address, "127.%d.%d.%d", 1 + (process >> 16 & 127),
		 process >> 8 & 255, process & 255);
	cluster("stop", directory, "", NULL, 0);
	snprintf(text, sizeof text, "-c listen_addresses=%s", address);
	cluster("start", directory, text, NULL, 0);
	snprintf(text, sizeof text, "postgresql://postgres@%s/postgres", address);
	url.text = text;
	if (ath_postgresql.open(&handle, &url, &error) != ATH_OK)
		fail_msg("%s", error.message);
	assert_int_equal(
		getsockopt(ath_postgresql.fd(handle), IPPROTO_TCP, TCP_KEEPIDLE, &value, &size), 0);
	assert_int_equal(value, 30);
	ath_postgresql.close(handle);
}

static int start_all(void **state)
{
	if (create_database(state) != 0)
		return -1;
	make_plain_url(direct_url, sizeof direct_url, database_name, PQhost(control),
		       PQport(control));
	start_proxy();
	return 0;
}

static int stop_all(void **state)
{
	stop_proxy();
	if (*standby != '\0')
		cluster("remove", standby, "", NULL, 0);
	if (*directory != '\0')
		cluster("remove", directory, "", NULL, 0);
	return drop_database(state);
}

#define CASE(test)    cmocka_unit_test_setup_teardown(test, setup, close_engine)
#define PROXIED(test) cmocka_unit_test_setup_teardown(test, setup_proxy, close_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_plain),
		CASE(test_from_now_on),
		CASE(test_many_channels),
		CASE(test_names),
		CASE(test_a_transaction_sends),
		PROXIED(test_a_notification_is_a_write),
		CASE(test_payloads),
		CASE(test_an_error_stays),
		CASE(test_the_oldest_go),
		CASE(test_a_text_stays),
		CASE(test_in_a_fiber),
		CASE(test_time_passes),
		CASE(test_the_client_goes),
		CASE(test_the_client_goes_before),
		CASE(test_one_waits),
		CASE(test_closed_by_another),
		CASE(test_closed_behind_a_notification),
		CASE(test_coming_and_going),
		CASE(test_many_listeners),
		CASE(test_memory),
		CASE(test_the_most_channels),
		CASE(test_the_backend_ends),
		CASE(test_a_loss_wakes),
		PROXIED(test_all_come_again),
		CASE(test_a_loss_before_listen),
		PROXIED(test_lost_with_listen),
		PROXIED(test_away),
		PROXIED(test_no_answer),
		PROXIED(test_it_is_asked),
		CASE(test_nobody_listens),
		CASE(test_idle_for_long),
		CASE(test_demoted),
		CASE(test_two_engines),
		CASE(test_the_engine_ends_first),
		CASE(test_the_engine_ends_before),
		CASE(test_a_plain_program),
		CASE(test_a_child),
		CASE(test_behind_a_pooler),
		CASE(test_listen_urls),
		CASE(test_the_server_restarts),
		CASE(test_a_standby),
		CASE(test_keepalive),
	};

	return cmocka_run_group_tests(tests, start_all, stop_all);
}
