-- Answers of requests that came with an Idempotency-Key, to be given again when the request comes again.

CREATE TABLE idempotency_keys (
    -- Whose.
    user_id uuid NOT NULL,
    -- SHA-256 of the key as it came.
    key_hash bytea NOT NULL,
    -- SHA-256 over method, path, query and body of the first request: another one under the same key is refused.
    fingerprint bytea NOT NULL,
    -- When the first one came; after IDEMPOTENCY_WINDOW_S it is forgotten.
    created_at timestamptz NOT NULL,
    -- The answer's status; null while there is no answer, and when its node died before there was one.
    status integer,
    -- The answer's headers worth giving again, as name-value pairs.
    headers jsonb,
    -- The answer's body; null with a status for what is told once only.
    body bytea,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key_hash),
    CONSTRAINT idempotency_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT idempotency_keys_hashes_check CHECK (octet_length(key_hash) = 32 AND octet_length(fingerprint) = 32),
    CONSTRAINT idempotency_keys_answer_check CHECK ((status IS NULL) = (headers IS NULL) AND (body IS NULL OR status IS NOT NULL))
);

-- How many a person has used of late.
CREATE INDEX idempotency_keys_user_id_idx ON idempotency_keys (user_id, created_at);

-- What is to be forgotten, oldest first.
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
