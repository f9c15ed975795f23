-- Key-value entries of scripts.

CREATE TABLE kv_entries (
    -- The tenant.
    app_id uuid NOT NULL,
    -- Bytewise order, whatever the database's locale.
    collection text COLLATE "C" NOT NULL,
    -- Bytewise order: pages and prefixes are ranges of the primary key.
    key text COLLATE "C" NOT NULL,
    -- How to read value: json (text, as the script wrote it) or blob.
    encoding text NOT NULL,
    -- Bytes, not jsonb: JSON may hold \u0000, and what was written is what is read.
    value bytea NOT NULL,
    -- 1 for a new entry, one more for every write over it.
    revision bigint NOT NULL,
    CONSTRAINT kv_entries_pkey PRIMARY KEY (app_id, collection, key),
    CONSTRAINT kv_entries_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT kv_entries_collection_check CHECK (collection <> ''),
    CONSTRAINT kv_entries_key_check CHECK (key <> ''),
    CONSTRAINT kv_entries_encoding_check CHECK (encoding IN ('json', 'blob')),
    CONSTRAINT kv_entries_revision_check CHECK (revision >= 1)
);
