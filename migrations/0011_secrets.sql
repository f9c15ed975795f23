-- Secrets of apps, and the keys that seal them. Nothing here can be read without the master key, which is never in here.

-- Keys that seal secrets, each wrapped by a master key. One at rest, more only while keys are being rotated.
CREATE TABLE data_keys (
    -- Part of what every secret under it, and its own wrapping, is bound to.
    id uuid NOT NULL,
    -- Order of making: what is written is sealed with the last one.
    number bigint GENERATED ALWAYS AS IDENTITY,
    -- The master key that unwraps it: sixteen hex digits derived from that key one way.
    master_key_id text COLLATE "C" NOT NULL,
    -- Nonce (24 bytes), the key encrypted (32), tag (16).
    wrapped bytea NOT NULL,
    -- When it was made.
    created_at timestamptz NOT NULL,
    CONSTRAINT data_keys_pkey PRIMARY KEY (id),
    CONSTRAINT data_keys_number_key UNIQUE (number),
    CONSTRAINT data_keys_master_key_id_check CHECK (master_key_id ~ '^[0-9a-f]{16}$'),
    CONSTRAINT data_keys_wrapped_check CHECK (octet_length(wrapped) = 72)
);

-- Values that scripts read by name and nobody else reads.
CREATE TABLE secrets (
    -- The tenant; part of what sealed is bound to.
    app_id uuid NOT NULL,
    -- Bytewise order; part of what sealed is bound to.
    name text COLLATE "C" NOT NULL,
    -- The key that opens it.
    data_key_id uuid NOT NULL,
    -- Nonce (24 bytes), the value encrypted, tag (16).
    sealed bytea NOT NULL,
    -- When it was first set.
    created_at timestamptz NOT NULL,
    -- When it was last set; a rotation of keys does not count.
    updated_at timestamptz NOT NULL,
    CONSTRAINT secrets_pkey PRIMARY KEY (app_id, name),
    CONSTRAINT secrets_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT secrets_data_key_id_fkey FOREIGN KEY (data_key_id) REFERENCES data_keys (id),
    CONSTRAINT secrets_name_check CHECK (name ~ '^[A-Za-z0-9_.-]+$'),
    CONSTRAINT secrets_sealed_check CHECK (octet_length(sealed) >= 40),
    CONSTRAINT secrets_updated_at_check CHECK (updated_at >= created_at)
);

-- Sealed bytes do not compress.
ALTER TABLE secrets ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- The secrets under a key, for its rotation; also serves the foreign key.
CREATE INDEX secrets_data_key_id_idx ON secrets (data_key_id);
