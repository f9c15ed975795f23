-- Files of scripts: what is known of them. Their bytes are on disk, each version in a blob of its own (`host/src/blobs`).

-- Which directory below `files/` of the data directory holds this database's blobs. One row, made by the first node to start:
-- a second database with the same data directory has another, so neither takes the other's blobs for leftovers.
CREATE TABLE file_volumes (
    -- There is one row.
    one boolean NOT NULL DEFAULT true,
    -- The directory's name.
    id uuid NOT NULL,
    CONSTRAINT file_volumes_pkey PRIMARY KEY (one),
    CONSTRAINT file_volumes_one_check CHECK (one)
);

CREATE TABLE files (
    -- Sorts by time of creation; stays when the content changes.
    id uuid NOT NULL,
    -- The tenant.
    app_id uuid NOT NULL,
    -- Bytewise order, whatever the database's locale.
    collection text COLLATE "C" NOT NULL,
    -- Bytewise order: pages and prefixes are ranges of the primary key. Never a path.
    name text COLLATE "C" NOT NULL,
    -- A media type, good as the value of an HTTP header.
    content_type text COLLATE "C" NOT NULL,
    -- The blob on disk that holds this version's bytes: written whole and synced before it is named here, then never changed.
    blob_id uuid NOT NULL,
    -- Size, bytes.
    size_bytes bigint NOT NULL,
    -- SHA-256 of the bytes.
    sha256 bytea NOT NULL,
    -- SHA-256 of each piece of 256 KiB, the last of which may be shorter, one after the other: what parts are checked against.
    pieces_sha256 bytea NOT NULL,
    -- 1 for a new file, one more for every update.
    revision bigint NOT NULL,
    -- When it was created.
    created_at timestamptz NOT NULL,
    -- Time of the last update.
    updated_at timestamptz NOT NULL,
    CONSTRAINT files_pkey PRIMARY KEY (app_id, collection, name),
    CONSTRAINT files_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT files_app_id_blob_id_key UNIQUE (app_id, blob_id),
    CONSTRAINT files_collection_check CHECK (collection <> ''),
    CONSTRAINT files_name_check CHECK (name <> ''),
    CONSTRAINT files_size_bytes_check CHECK (size_bytes >= 0),
    CONSTRAINT files_sha256_check CHECK (octet_length(sha256) = 32),
    CONSTRAINT files_pieces_sha256_check CHECK (octet_length(pieces_sha256) = 32 * ((size_bytes + 262143) / 262144)),
    CONSTRAINT files_revision_check CHECK (revision >= 1),
    CONSTRAINT files_updated_at_check CHECK (updated_at >= created_at)
);

-- Hashes do not compress.
ALTER TABLE files ALTER COLUMN pieces_sha256 SET STORAGE EXTERNAL;
