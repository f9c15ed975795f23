-- Every change that a person made through the platform, in one chain: each row holds the hash of the one before.

-- Rows refer to nothing: they outlast what they tell of. What they say is stored as it was hashed, byte for byte.
CREATE TABLE audit_log (
    -- 1, 2, 3 … without a gap.
    seq bigint NOT NULL,
    -- When.
    at timestamptz NOT NULL,
    -- Who; null for the operator at the machine.
    user_id uuid,
    -- Their name at the time.
    username text,
    -- What proved them: session, api_key, or operator (a command on the database).
    credential text NOT NULL,
    -- Which session or key.
    credential_id uuid,
    -- From where, as far as known.
    address text,
    -- The request that did it.
    request_id uuid,
    -- The app that it was done to, if one.
    app_id uuid,
    -- noun.verb
    action text NOT NULL,
    -- The thing.
    target text NOT NULL,
    -- JSON text of what it was; null for what is new.
    before text,
    -- JSON text of what it is; null for what is gone.
    after text,
    -- The hash of the row before; of the first, 32 zero bytes.
    previous_hash bytea NOT NULL,
    -- SHA-256 over previous_hash and every column above.
    hash bytea NOT NULL,
    CONSTRAINT audit_log_pkey PRIMARY KEY (seq),
    CONSTRAINT audit_log_seq_check CHECK (seq > 0),
    CONSTRAINT audit_log_credential_check CHECK (credential IN ('session', 'api_key', 'operator')),
    CONSTRAINT audit_log_who_check CHECK ((user_id IS NULL) = (credential = 'operator') AND (user_id IS NULL) = (username IS NULL)),
    CONSTRAINT audit_log_hashes_check CHECK (octet_length(previous_hash) = 32 AND octet_length(hash) = 32)
);

-- An app's part of it, newest first.
CREATE INDEX audit_log_app_id_idx ON audit_log (app_id, seq) WHERE app_id IS NOT NULL;

-- Where the chain ends. One row, locked by whoever appends: the chain has one order.
CREATE TABLE audit_head (
    -- Only ever true.
    is_head boolean NOT NULL,
    -- The last row's number; 0 before the first.
    seq bigint NOT NULL,
    -- The last row's hash.
    hash bytea NOT NULL,
    CONSTRAINT audit_head_pkey PRIMARY KEY (is_head),
    CONSTRAINT audit_head_is_head_check CHECK (is_head),
    CONSTRAINT audit_head_seq_check CHECK (seq >= 0),
    CONSTRAINT audit_head_hash_check CHECK (octet_length(hash) = 32)
);

INSERT INTO audit_head (is_head, seq, hash) VALUES (true, 0, decode(repeat('00', 32), 'hex'));

-- Refuses whoever would rewrite the log by accident or through the platform. Who owns the database can switch it off: the chain tells.
CREATE FUNCTION refuse_rewriting_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only';
END
$$;

CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting_audit_log();
