-- The event store: append-only, numbered afterwards, the audit log and the outbox in one.

CREATE TABLE events (
    -- Defaults run in column order, and nextval() assigns no transaction id: xid must stand before id,
    -- or a gap in id could belong to a transaction that the sequencer cannot see yet.
    xid             xid8        NOT NULL DEFAULT pg_current_xact_id(),
    id              bigint      GENERATED ALWAYS AS IDENTITY,
    aggregate_type  text        NOT NULL,
    aggregate_id    text        NOT NULL,
    sequence        bigint      NOT NULL CHECK (sequence >= 1),
    event_type      text        NOT NULL,
    event_version   text        NOT NULL,
    payload         jsonb       NOT NULL,
    metadata        jsonb       NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT events_pkey PRIMARY KEY (aggregate_type, aggregate_id, sequence),
    CONSTRAINT events_small CHECK (pg_column_size(payload) + pg_column_size(metadata) <= 262144)
);
CREATE UNIQUE INDEX events_id ON events (id);
CREATE INDEX events_actor ON events ((metadata ->> 'actor_user_id'), id);

-- Position in the whole log, contiguous from 1, and the hash chain.
CREATE TABLE event_log (
    position bigint PRIMARY KEY CHECK (position >= 1),
    event_id bigint NOT NULL UNIQUE,
    hash     bytea  NOT NULL CHECK (octet_length(hash) = 32)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'ES001';
END $$;

CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_log_append_only BEFORE UPDATE OR DELETE ON event_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER event_log_no_truncate BEFORE TRUNCATE ON event_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- A session that sets session_replication_role must not get past them either.
ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only;
ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_truncate;
ALTER TABLE event_log ENABLE ALWAYS TRIGGER event_log_append_only;
ALTER TABLE event_log ENABLE ALWAYS TRIGGER event_log_no_truncate;

-- Where the sequencer rescans from: every id up to low_id is numbered or known to be dead.
CREATE TABLE sequencer_state (
    one                bool   PRIMARY KEY DEFAULT true CHECK (one),
    low_id             bigint NOT NULL,
    published_position bigint NOT NULL
);
INSERT INTO sequencer_state (low_id, published_position) VALUES (0, 0);

-- The newest position of each actor, moved in the statement that numbers: what reads must wait for.
CREATE TABLE actor_positions (
    actor_user_id text   PRIMARY KEY,
    position      bigint NOT NULL
) WITH (fillfactor = 70);

-- Idempotency keys with what is needed to give the first answer again.
CREATE TABLE command_log (
    identity        text        NOT NULL,
    idempotency_key text        NOT NULL,
    fingerprint     bytea       NOT NULL,
    answer          jsonb       NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT command_log_pkey PRIMARY KEY (identity, idempotency_key)
);
CREATE INDEX command_log_age ON command_log (recorded_at);

-- Uniqueness of addresses across streams: an HMAC of the lower-cased address, deleted on erasure.
CREATE TABLE email_claims (
    address_hmac bytea CONSTRAINT email_claims_pkey PRIMARY KEY,
    user_id      uuid NOT NULL
);
CREATE INDEX email_claims_user ON email_claims (user_id);

-- Which keys seal something about an address that need not have an account (invitations).
CREATE TABLE address_subjects (
    address_hmac bytea NOT NULL,
    subject_id   uuid  NOT NULL,
    PRIMARY KEY (address_hmac, subject_id)
);

-- Password hashes are no part of the history.
CREATE TABLE credentials (
    user_id       uuid        PRIMARY KEY,
    password_hash text        NOT NULL,
    changed_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A session is a family of refresh tokens, of which only the newest is unspent.
CREATE TABLE sessions (
    session_id uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id) WHERE revoked_at IS NULL;
CREATE TABLE refresh_tokens (
    token_hash bytea       PRIMARY KEY,
    session_id uuid        NOT NULL REFERENCES sessions ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL,
    spent_at   timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

-- The keys that seal personal data, wrapped by the master key; in a schema of their own, so that a
-- dump can leave them out. A row without a key is the grave of an erased subject.
CREATE SCHEMA vault;
CREATE TABLE vault.subject_keys (
    subject_id  uuid        CONSTRAINT subject_keys_pkey PRIMARY KEY,
    wrapped_key bytea,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_at   timestamptz,
    CHECK ((wrapped_key IS NULL) = (erased_at IS NOT NULL))
);
