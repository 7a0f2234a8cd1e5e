/*
 * idempotency.c - a write that is sent again, under the same Idempotency-Key, is done once
 * (draft-ietf-httpapi-idempotency-key-header).
 *
 * The key's row is written in the transaction of the handler, before it is called, and waited for:
 * an equal request that comes meanwhile waits in the database for the end of the first, and then
 * either finds its answer or has the key to itself. The answer goes into the row in the round trip
 * of the COMMIT. So there is never an effect without its answer, nor an answer without its effect:
 *
 *	BEGIN, the row		the database says: new to us, or here is the answer
 *	the handler		its ath_commit() flushes
 *	UPDATE of the row, COMMIT
 *
 * That is two round trips more than a write that is one, BEGIN and COMMIT included. They cannot be
 * saved: the handler may do what no rollback takes back, and the answer holds what the database
 * has made.
 */
#include "rest/internal.h"

enum { MOST_KEY = 255, MOST_BODY = 1024 * 1024 };

struct ath_idempotency_key {
	const char *id;          /* SHA-256 of route, owner and key */
	const char *fingerprint; /* of the request: the same of method, path, query and body */
	struct ath_timestamp created_at;
	int32_t status; /* 0: not answered yet, which no other transaction ever sees */
	const char *content_type;
	struct ath_bytes headers, body;
};

ATH_MODEL(ath_idempotency_key, "idempotency_keys",
	  ATH_COLUMN(ath_idempotency_key, id, .primary_key = true),
	  ATH_COLUMN(ath_idempotency_key, fingerprint),
	  ATH_COLUMN(ath_idempotency_key, created_at, .index = true),
	  ATH_COLUMN(ath_idempotency_key, status), ATH_COLUMN(ath_idempotency_key, content_type),
	  ATH_COLUMN(ath_idempotency_key, headers), ATH_COLUMN(ath_idempotency_key, body));

/* What a request holds while its handler runs. */
struct claim {
	char id[ATH_SHA256_TEXT], fingerprint[ATH_SHA256_TEXT];
	unsigned transaction; /* in which the row is; a rollback takes it along */
};

/* ---- what is one and the same ------------------------------------------------------------- */

static void add_text(struct ath_sha256 *hash, struct ath_text text)
{
	ath_sha256_add(hash, text.data, text.length);
	ath_sha256_add(hash, "", 1); /* none of them holds a NUL, but for the body, which is last */
}

static const char *or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

/* Whose answer it is: nobody else gets it, even when he guesses the key. */
static const char *owner_of(struct ath_request *request)
{
	const struct ath_route *route = request->match.leaf->route;

	if (route->idempotency_owner != NULL)
		return or_empty(route->idempotency_owner(request));
	return or_empty(ath_header(request, "Authorization"));
}

static void identify(struct ath_request *request, const char *key, struct claim *claim)
{
	struct ath_text method = ath_text(or_empty(ath_param(request, "REQUEST_METHOD")));
	struct ath_sha256 hash;

	ath_sha256_begin(&hash);
	add_text(&hash, method);
	add_text(&hash, ath_text(request->match.leaf->path));
	add_text(&hash, ath_text(owner_of(request)));
	add_text(&hash, ath_text(key));
	ath_sha256_end(&hash, claim->id);

	ath_sha256_begin(&hash);
	add_text(&hash, method);
	add_text(&hash, request->path);
	add_text(&hash, ath_text(or_empty(ath_param(request, "QUERY_STRING"))));
	add_text(&hash, request->body);
	ath_sha256_end(&hash, claim->fingerprint);
}

static bool is_key(const char *key)
{
	size_t length = 0;

	while (key[length] > ' ' && key[length] < '\x7f')
		length++;
	return key[length] == '\0' && length > 0 && length <= MOST_KEY;
}

/* ---- the row -------------------------------------------------------------------------------- */

/* What comes of a statement's texts points into its result, which is kept with the request. */
static bool read_row(struct ath_session *session, struct ath_batch *batch,
		     struct ath_idempotency_key *row)
{
	size_t last = batch->count - 1, count;
	struct ath_target *targets =
		ath_session_targets(session, &ath_idempotency_key_model, NULL, NULL, &count);
	struct ath_error error = { 0 };
	void *object = row;

	if (targets == NULL)
		return false;
	if (batch->driver->read(batch->results[last], 0, 1, targets, count, &object, session->arena,
				&error) != ATH_OK) {
		ath_session_take_error(session, &error);
		return false;
	}
	return ath_session_keep(session, batch, last);
}

/*
 * Makes the row, or waits for the transaction that has made it, and reads it as it is then: its
 * status is 0 when it is ours. One that is too old becomes a new one.
 */
static bool take_key(struct ath_session *session, struct claim *claim,
		     struct ath_idempotency_key *row)
{
	static const char text[] =
		"insert into idempotency_keys as stored"
		" (id, fingerprint, created_at, status, content_type, headers, body)"
		" values ($1, $2, now(), 0, '', '', '')"
		" on conflict (id) do update set"
		" fingerprint = case when stored.created_at < now() - interval '24 hours'"
		" then excluded.fingerprint else stored.fingerprint end,"
		" status = case when stored.created_at < now() - interval '24 hours'"
		" then 0 else stored.status end,"
		" created_at = case when stored.created_at < now() - interval '24 hours'"
		" then now() else stored.created_at end"
		" returning id, fingerprint, created_at, status, content_type, headers, body";
	struct ath_batch *batch = ath_session_batch(session, 1);
	struct ath_value *params = ath_new(session->arena, struct ath_value, 2);
	bool good;

	if (batch == NULL || params == NULL)
		return ath_session_no_memory(session);
	params[0] = ath_value_text(claim->id);
	params[1] = ath_value_text(claim->fingerprint);
	batch->statements[0] = ath_statement_of(text);
	batch->statements[0].params = params;
	batch->statements[0].param_count = 2;
	if (!ath_session_run_begun(session, &batch))
		return false;
	claim->transaction = session->transaction;
	good = read_row(session, batch, row);
	ath_batch_clear(batch);
	return good;
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* What was done before, and is not to be done again, is rolled back: a before hook's rows. */
static struct ath_response *answer_by(struct ath_request *request, const struct claim *claim,
				      const struct ath_idempotency_key *row)
{
	bool typed = *row->content_type != '\0';
	struct ath_response *response;

	ath_rollback(request->session);
	if (strcmp(row->fingerprint, claim->fingerprint) != 0)
		return ath_problem(request, 422,
				   "this Idempotency-Key was sent with another request");
	response = ath_response_new(request, row->status, typed ? row->content_type : NULL);
	if (response == NULL)
		return NULL;
	ath_buffer_append(&response->headers, row->headers.data, row->headers.length);
	ath_buffer_append(&response->body, row->body.data, row->body.length);
	ath_response_header(response, "Idempotency-Replayed", "true");
	return response;
}

struct ath_response *ath_idempotency_claim(struct ath_request *request)
{
	const char *key = ath_header(request, "Idempotency-Key");
	struct ath_session *session;
	struct ath_idempotency_key row;
	struct claim *claim;

	if (key == NULL && request->match.leaf->route->idempotency == ATH_IDEMPOTENCY_OPTIONAL)
		return NULL;
	if (key == NULL || !is_key(key))
		return ath_problem(request, 400,
				   "the header Idempotency-Key must be there: 1 to %d visible "
				   "characters of ASCII",
				   MOST_KEY);
	session = ath_request_session(request);
	claim = ath_new(request->arena, struct claim, 1);
	if (claim == NULL) /* the arena remembers */
		return NULL;
	identify(request, key, claim);
	if (!ath_session_ok(session) || !take_key(session, claim, &row))
		return ath_response_empty(request, 500); /* the session has the last word */
	if (row.status != 0)
		return answer_by(request, claim, &row);
	session->holds_commits = true;
	request->claim = claim;
	return NULL;
}

void ath_idempotency_refuse_stream(struct ath_session *session)
{
	ath_session_fail(session, ATH_EINVAL,
			 "a stream is not stored with an Idempotency-Key: answer it whole");
}

/* An answer that is to be sent and cannot is none to commit for. */
static bool can_be_stored(struct ath_session *session, const struct ath_response *response)
{
	if (session->lost)
		ath_session_fail(session, ATH_EINVAL,
				 "the handler has rolled back what it had committed: in an "
				 "idempotent request all of it is one transaction");
	else if (response->stream) /* short ones too, or it would depend on the rows */
		ath_idempotency_refuse_stream(session);
	else if (response->body.failed || response->headers.failed ||
		 ath_arena_failed(session->arena))
		ath_session_no_memory(session);
	else if (response->body.length > MOST_BODY)
		ath_session_fail(session, ATH_ETOOBIG,
				 "an answer above %d bytes is not stored with its Idempotency-Key",
				 MOST_BODY);
	return ath_session_ok(session);
}

static struct ath_value bytes_of(const struct ath_buffer *buffer)
{
	const char *data = buffer->data == NULL ? "" : buffer->data; /* empty, and not NULL */

	return ath_value_bytes((struct ath_bytes){ (const void *)data, buffer->length });
}

static bool store(struct ath_session *session, const struct claim *claim,
		  const struct ath_response *response)
{
	enum { PARAMS = 5 };
	struct ath_statement statement =
		ath_statement_of("update idempotency_keys set status = $2, content_type = $3,"
				 " headers = $4, body = $5 where id = $1");
	struct ath_value *params = ath_new(session->arena, struct ath_value, PARAMS);

	if (params == NULL)
		return ath_session_no_memory(session);
	params[0] = ath_value_text(claim->id);
	params[1] = ath_value_int32(response->status);
	params[2] = ath_value_text(or_empty(response->content_type));
	params[3] = bytes_of(&response->headers);
	params[4] = bytes_of(&response->body);
	statement.params = params;
	statement.param_count = PARAMS;
	return ath_session_commit_held(session, &statement);
}

/*
 * A handler that rolled back and went on has lost the key on the way, and an equal request may
 * have got it: that one's answer then counts, whatever came of this one. If not, it is taken anew.
 */
struct ath_response *ath_idempotency_finish(struct ath_request *request,
					    struct ath_response *response)
{
	struct ath_session *session = request->session;
	struct claim *claim = request->claim;
	unsigned ended = session->transaction - claim->transaction; /* since the one with the key */
	struct ath_idempotency_key row;
	struct ath_error error;
	bool good;

	request->claim = NULL;
	if (request->failure != NULL)
		return response;
	good = ath_session_ok(session) && ath_response_status(response) < 400 &&
	       can_be_stored(session, response);
	if (!good && (ended == 0 || (ended == 1 && !ath_session_ok(session))))
		return response;
	error = session->error;
	if (ended > 0 && !good)
		ath_clear_error(session);
	if (ended > 0 && take_key(session, claim, &row) && row.status != 0)
		return answer_by(request, claim, &row);
	if (!good)
		session->error = error;
	else if (ath_session_ok(session))
		(void)store(session, claim, response); /* or the session is in error */
	return response;
}

/* ---- around it ------------------------------------------------------------------------------ */

static enum ath_status check_route(const struct ath_leaf *leaf, bool listed,
				   struct ath_error *error)
{
	enum ath_method method = leaf->route->method;

	for (size_t i = 0; i < leaf->group_count; i++)
		if (leaf->groups[i]->idempotency != ATH_IDEMPOTENCY_NONE)
			return ath_error_set(error, ATH_EINVAL,
					     "group %s: .idempotency is for its routes",
					     leaf->groups[i]->path);
	if (leaf->route->idempotency == ATH_IDEMPOTENCY_NONE)
		return ATH_OK;
	if (method == ATH_METHOD_GET || method == ATH_METHOD_HEAD || method == ATH_METHOD_OPTIONS)
		return ath_error_set(error, ATH_EINVAL, "route %s: .idempotency is for what writes",
				     leaf->path);
	/* the body tells requests apart before the handler is called, and the answer is kept */
	if (leaf->route->stream_body || leaf->route->fcgx != NULL)
		return ath_error_set(error, ATH_EINVAL,
				     "route %s: .idempotency is neither for .stream_body nor for "
				     "ath_fcgx()",
				     leaf->path);
	if (!listed)
		return ath_error_set(error, ATH_EINVAL,
				     "route %s: .idempotency needs &ath_idempotency_key_model in "
				     "the list of models",
				     leaf->path);
	return ATH_OK;
}

enum ath_status ath_idempotency_check(const struct ath_web *web,
				      const struct ath_model *const *models,
				      struct ath_error *error)
{
	const struct ath_leaf *leaf = ath_router_first(web->router);

	while (*models != NULL && *models != &ath_idempotency_key_model)
		models++;
	for (; leaf != NULL; leaf = leaf->next)
		if (check_route(leaf, *models != NULL, error) != ATH_OK)
			return error->status;
	return ATH_OK;
}

int64_t ath_idempotency_clean(struct ath_session *session)
{
	return ath_execute(session, "delete from idempotency_keys where id in"
				    " (select id from idempotency_keys"
				    " where created_at < now() - interval '24 hours'"
				    " order by created_at limit 1000 for update skip locked)");
}
