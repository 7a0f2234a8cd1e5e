-- migrate:up
-- ath_idempotency_key_model, as ath_create_all() makes it. What is older than 24 hours counts for
-- nothing any more: ath_idempotency_clean() deletes it.
create table idempotency_keys (
	id           text constraint pk_idempotency_keys primary key,
	fingerprint  text not null,
	created_at   timestamptz not null,
	status       integer not null,
	content_type text not null,
	headers      bytea not null,
	body         bytea not null
);
create index ix_idempotency_keys_created_at on idempotency_keys (created_at);

-- migrate:down
drop table idempotency_keys;
