-- Scripts, their immutable versions and prepared forms, and the routes that lead to them.
-- Every reference carries app_id, so no row can point into another tenant.

-- A named program of an app.
CREATE TABLE scripts (
    -- Sorts by time of creation.
    id uuid NOT NULL,
    -- The tenant.
    app_id uuid NOT NULL,
    -- What imports and calls name it by, within its app.
    name text COLLATE "C" NOT NULL,
    -- endpoint: answers requests; module: holds functions for other scripts. Never changes.
    kind text NOT NULL,
    -- For people; may be empty.
    description text NOT NULL,
    -- The version that answers now.
    active_version integer NOT NULL,
    -- Who made it; null once that person is gone.
    created_by uuid,
    -- When its first version was published.
    created_at timestamptz NOT NULL,
    -- Time of the last publication or change of description.
    updated_at timestamptz NOT NULL,
    CONSTRAINT scripts_pkey PRIMARY KEY (id),
    CONSTRAINT scripts_app_id_id_key UNIQUE (app_id, id),
    CONSTRAINT scripts_app_id_name_key UNIQUE (app_id, name),
    CONSTRAINT scripts_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT scripts_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT scripts_name_check CHECK (name ~ '^[a-z0-9][a-z0-9_-]*$'),
    CONSTRAINT scripts_kind_check CHECK (kind IN ('endpoint', 'module')),
    CONSTRAINT scripts_updated_at_check CHECK (updated_at >= created_at)
);

-- An immutable checked state of a script.
CREATE TABLE script_versions (
    -- The tenant.
    app_id uuid NOT NULL,
    -- The script this is a state of.
    script_id uuid NOT NULL,
    -- 1, 2, … without gaps.
    number integer NOT NULL,
    -- Lower-case hex SHA-256 over source and limits.
    digest text COLLATE "C" NOT NULL,
    -- Rhai.
    source text NOT NULL,
    -- Fuel of one invocation.
    fuel bigint NOT NULL,
    -- Linear memory of one instance, MiB.
    memory_mb integer NOT NULL,
    -- Wall clock of one invocation, ms.
    timeout_ms integer NOT NULL,
    -- Interfaces the source can reach, sorted.
    capabilities text[] NOT NULL,
    -- Who published it; null once that person is gone.
    created_by uuid,
    -- When it was published.
    created_at timestamptz NOT NULL,
    CONSTRAINT script_versions_pkey PRIMARY KEY (script_id, number),
    CONSTRAINT script_versions_app_id_script_id_number_key UNIQUE (app_id, script_id, number),
    CONSTRAINT script_versions_script_fkey FOREIGN KEY (app_id, script_id) REFERENCES scripts (app_id, id) ON DELETE CASCADE,
    CONSTRAINT script_versions_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT script_versions_number_check CHECK (number >= 1),
    CONSTRAINT script_versions_digest_check CHECK (digest ~ '^[0-9a-f]{64}$'),
    CONSTRAINT script_versions_limits_check CHECK (fuel > 0 AND memory_mb > 0 AND timeout_ms > 0)
);

-- Deferred: a script and its first version come into being in one transaction.
ALTER TABLE scripts ADD CONSTRAINT scripts_active_version_fkey
    FOREIGN KEY (app_id, id, active_version) REFERENCES script_versions (app_id, script_id, number)
    DEFERRABLE INITIALLY DEFERRED;

-- The prepared form of a version for one component. A cache: losing a row costs a preparation, nothing else.
CREATE TABLE images (
    -- The tenant.
    app_id uuid NOT NULL,
    -- The script it was prepared from.
    script_id uuid NOT NULL,
    -- The number of the version it was prepared from.
    version integer NOT NULL,
    -- Hex hash of the warm component the image belongs to.
    component text COLLATE "C" NOT NULL,
    -- Opaque here; the sandbox seals and verifies it.
    sealed bytea NOT NULL,
    -- When it was built.
    created_at timestamptz NOT NULL,
    CONSTRAINT images_pkey PRIMARY KEY (script_id, version, component),
    CONSTRAINT images_script_version_fkey FOREIGN KEY (app_id, script_id, version)
        REFERENCES script_versions (app_id, script_id, number) ON DELETE CASCADE,
    CONSTRAINT images_component_check CHECK (component ~ '^[0-9a-f]+$')
);

-- Sealed bytes are compressed already.
ALTER TABLE images ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- A host and path pattern that leads to a script. The rules of conflict are the platform's, under a lock of the app's
-- row; the index below is their last line.
CREATE TABLE routes (
    -- Sorts by time of creation.
    id uuid NOT NULL,
    -- The tenant.
    app_id uuid NOT NULL,
    -- The script that answers.
    script_id uuid NOT NULL,
    -- Host pattern; null is any host of the app.
    host text COLLATE "C",
    -- Path pattern.
    path text COLLATE "C" NOT NULL,
    -- Upper-case HTTP method; null is any.
    method text COLLATE "C",
    -- Who made it; null once that person is gone.
    created_by uuid,
    -- When it was made.
    created_at timestamptz NOT NULL,
    CONSTRAINT routes_pkey PRIMARY KEY (id),
    CONSTRAINT routes_script_fkey FOREIGN KEY (app_id, script_id) REFERENCES scripts (app_id, id) ON DELETE CASCADE,
    CONSTRAINT routes_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT routes_path_check CHECK (path LIKE '/%'),
    CONSTRAINT routes_host_check CHECK (host <> ''),
    CONSTRAINT routes_method_check CHECK (method <> '')
);

-- One route per pattern. Nulls are spelled out because PostgreSQL 14 holds two nulls for different.
CREATE UNIQUE INDEX routes_pattern_key ON routes (app_id, coalesce(host, ''), path, coalesce(method, ''));

-- A script's routes; also serves the cascade.
CREATE INDEX routes_script_id_idx ON routes (script_id, id);
