-- Documents of scripts: maps, kept as jsonb so that filters run in the database.

CREATE TABLE documents (
    -- The tenant.
    app_id uuid NOT NULL,
    -- Bytewise order, whatever the database's locale.
    collection text COLLATE "C" NOT NULL,
    -- Given by the script, or a UUIDv7. Bytewise order: pages are ranges of the primary key.
    id text COLLATE "C" NOT NULL,
    -- Every number is an i64 or an f64, and only the second kind has a decimal point; 0.00 is -0.0, which numeric lacks.
    data jsonb NOT NULL,
    -- Size of data as the JSON text that was stored: pages are measured without reading what they leave out.
    bytes integer NOT NULL,
    -- The microseconds since 1970 for a new document, one more for every write over it: no number comes twice for an id.
    revision bigint NOT NULL,
    -- When it was made.
    created_at timestamptz NOT NULL,
    -- When it was last written.
    updated_at timestamptz NOT NULL,
    CONSTRAINT documents_pkey PRIMARY KEY (app_id, collection, id),
    CONSTRAINT documents_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT documents_collection_check CHECK (collection <> ''),
    CONSTRAINT documents_id_check CHECK (id <> ''),
    CONSTRAINT documents_data_check CHECK (jsonb_typeof(data) = 'object'),
    CONSTRAINT documents_bytes_check CHECK (bytes >= 2),
    CONSTRAINT documents_revision_check CHECK (revision >= 1),
    CONSTRAINT documents_updated_at_check CHECK (updated_at >= created_at)
);

-- Equality of any field. The document stands under a key of app and collection, which is then part of every hash: the index is
-- led by both, without an extension. Writes go into the index itself, not onto a list that every search would read through.
CREATE INDEX documents_data_idx ON documents
    USING gin (jsonb_set('{}', ARRAY[app_id::text || collection], data) jsonb_path_ops) WITH (fastupdate = off);
