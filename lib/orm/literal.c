/*
 * literal.c - SQL that stands in the source: its :names become parameters, and its rows the
 * structs of a model.
 *
 * A colon inside quotes of any kind ('', E'', "", $$ and $tag$) or a comment stands for itself,
 * and so does that of a cast. A name begins with a letter, so that a[1:2] is a slice.
 */
#include "orm/internal.h"

/* ---- binds ---------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static size_t name_length(const char *at)
{
	size_t length = 0;

	while (is_letter(at[length]) || (length > 0 && is_digit(at[length])))
		length++;
	return length;
}

/* A doubled quote begins a text anew, which comes to the same. */
static const char *end_of_text(const char *at, bool escapes)
{
	const char quote = *at++;

	while (*at != '\0' && *at != quote)
		at += escapes && at[0] == '\\' && at[1] != '\0' ? 2 : 1;
	return *at == '\0' ? at : at + 1;
}

/* Comments nest. */
static const char *end_of_comment(const char *at)
{
	int depth = 0;

	do {
		bool opens = at[0] == '/' && at[1] == '*', closes = at[0] == '*' && at[1] == '/';

		depth += opens - closes;
		at += opens || closes ? 2 : 1;
	} while (depth > 0 && *at != '\0');
	return at;
}

/* $$...$$ or $tag$...$tag$; NULL: it is none. */
static const char *end_of_dollars(const char *at)
{
	size_t length = 1 + name_length(at + 1);

	if (at[length] != '$')
		return NULL;
	length++;
	for (const char *end = at + length; *end != '\0'; end++)
		if (strncmp(end, at, length) == 0)
			return end + length;
	return at + strlen(at);
}

/* Is what stands before it part of the same word? */
static bool is_in_word(const char *text, const char *at)
{
	return at > text && (is_letter(at[-1]) || is_digit(at[-1]) || at[-1] == '$');
}

/* What ends what begins here, so that nothing inside is taken for a bind; NULL: nothing begins. */
static const char *end_of_quoted(const char *text, const char *at)
{
	bool in_word = is_in_word(text, at);

	if (!in_word && (*at == 'e' || *at == 'E') && at[1] == '\'')
		return end_of_text(at + 1, true);
	if (*at == '\'' || *at == '"')
		return end_of_text(at, false);
	if (at[0] == '-' && at[1] == '-')
		return at + strcspn(at, "\n");
	if (at[0] == '/' && at[1] == '*')
		return end_of_comment(at);
	if (!in_word && *at == '$')
		return end_of_dollars(at);
	return NULL;
}

struct binding {
	struct ath_sql *sql;
	const struct ath_bind *binds;
	size_t count;
	size_t *numbers; /* of the parameter that a bind has become; 0: none yet */
};

/* A name that occurs again is the same parameter. */
static void put_bind(struct binding *binding, const char *name, size_t length)
{
	for (size_t i = 0; i < binding->count; i++) {
		const char *own = binding->binds[i].name;

		if (strncmp(own, name, length) != 0 || own[length] != '\0')
			continue;
		if (binding->binds[i].value.type == ATH_TYPE_ENUM) /* whose texts nobody says */
			ath_error_set(&binding->sql->error, ATH_EINVAL,
				      "an enum is bound as its text: :%s", own);
		if (binding->numbers[i] == 0) {
			ath_sql_put_param(binding->sql, binding->binds[i].value);
			binding->numbers[i] = binding->sql->param_count;
		} else {
			ath_sql_put(binding->sql, "$");
			ath_buffer_int64(&binding->sql->text, (int64_t)binding->numbers[i]);
		}
		return;
	}
	ath_error_set(&binding->sql->error, ATH_EINVAL, "there is no ATH_BIND for :%.*s",
		      (int)length, name);
}

void ath_sql_literal(struct ath_sql *sql, const char *text, const struct ath_bind *binds,
		     size_t count)
{
	struct binding binding = { .sql = sql, .binds = binds, .count = count };
	const char *at = text, *end;

	binding.numbers = ath_new(sql->text.arena, size_t, count);
	if (binding.numbers == NULL) {
		sql->text.failed = true;
		return;
	}
	while (*at != '\0') {
		size_t length = 0;

		end = end_of_quoted(text, at);
		if (end == NULL && at[0] == ':' && at[1] == ':') {
			end = at + 2; /* a cast */
		} else if (end == NULL && at[0] == ':') {
			length = name_length(at + 1);
		} else if (end == NULL && at[0] == '$' && is_digit(at[1]) &&
			   !is_in_word(text, at)) {
			ath_error_set(&sql->error, ATH_EINVAL,
				      "a value stands in literal SQL as :name, not as $1");
		}
		if (length > 0) {
			if (is_in_word(text, at)) /* not$1 would be a word of its own */
				ath_sql_put(sql, " ");
			put_bind(&binding, at + 1, length);
			at += 1 + length;
			continue;
		}
		end = end == NULL ? at + 1 : end;
		ath_buffer_append(&sql->text, at, (size_t)(end - at));
		at = end;
	}
	for (size_t i = 0; i < count; i++)
		if (binding.numbers[i] == 0)
			ath_error_set(&sql->error, ATH_EINVAL, ":%s is bound and stands nowhere",
				      binds[i].name);
}

/* ---- running ------------------------------------------------------------------------------ */

/*
 * The statement is the batch's last. On a pipeline, where it might be run twice, and where nothing
 * is to be committed, the server itself sees to it that it only reads.
 */
static struct ath_batch *make_batch(struct ath_session *session, struct ath_sql *sql)
{
	bool guarded = session->connection == NULL;
	struct ath_batch *batch = ath_session_batch(session, 1 + guarded);

	if (batch == NULL)
		return NULL;
	if (guarded)
		batch->statements[0] =
			ath_statement_of("select set_config('transaction_read_only', 'on', true)");
	if (ath_sql_finish(sql, &batch->statements[batch->count - 1]) == ATH_OK)
		return batch;
	ath_session_take_error(session, &sql->error);
	return NULL;
}

static struct ath_batch *run(struct ath_session *session, struct ath_literal sql,
			     const struct ath_bind *binds, size_t count)
{
	struct ath_sql made;
	struct ath_batch *batch;

	if (!ath_session_ready(session))
		return NULL;
	if (session->connection != NULL)
		ath_connection_touch(session->connection);
	ath_sql_open(&made, session->arena);
	ath_sql_literal(&made, sql.text, binds, count);
	batch = make_batch(session, &made);
	if (batch == NULL || !ath_session_run(session, batch))
		return NULL;
	if (session->connection != NULL &&
	    strncmp(batch->driver->tag(batch->results[0]), "SELECT", strlen("SELECT")) != 0)
		session->wrote = true;
	return batch;
}

/* Positions decide, and names confirm: two columns of one type are easily taken for each other. */
static bool has_columns_of(struct ath_session *session, const struct ath_model *model,
			   const struct ath_batch *batch)
{
	size_t at = 0;

	for (size_t i = 0; i < model->member_count; i++) {
		const char *expected, *came;

		if (model->members[i].kind != ATH_MEMBER_COLUMN)
			continue;
		expected = ath_column_name(&model->members[i]);
		came = batch->driver->column(batch->results[batch->count - 1], at++);
		if (came == NULL || strcmp(came, expected) == 0)
			continue; /* too few columns are told when they are read */
		ath_session_fail(session, ATH_EINVAL,
				 "column %zu of the result is called %s, and in %s it is %s", at,
				 came, model->name, expected);
		return false;
	}
	return true;
}

void **ath_session_sql(struct ath_session *session, const struct ath_model *model,
		       struct ath_literal sql, const struct ath_bind *binds, size_t bind_count,
		       size_t *count)
{
	struct ath_batch *batch = run(session, sql, binds, bind_count);
	void **rows;

	*count = 0;
	if (batch == NULL)
		return NULL;
	if (!has_columns_of(session, model, batch)) {
		ath_batch_clear(batch);
		return NULL;
	}
	rows = ath_session_take_rows(session, model, batch, batch->count - 1, NULL, NULL, count);
	ath_batch_clear(batch);
	return rows;
}

int64_t ath_session_execute(struct ath_session *session, struct ath_literal sql,
			    const struct ath_bind *binds, size_t bind_count)
{
	struct ath_batch *batch;
	int64_t affected;

	if (!ath_session_ready(session) || !ath_begin(session))
		return 0;
	batch = run(session, sql, binds, bind_count);
	if (batch == NULL)
		return 0;
	affected = batch->driver->affected(batch->results[0]);
	ath_batch_clear(batch);
	return affected;
}
