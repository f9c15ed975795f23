-- Deployments: an app as a whole, as it ran or may run. A row never changes but for when it was last made what runs; the same state
-- has one row, whoever made it and how often. What stands in the tables of scripts, routes and triggers is what runs now.

CREATE TABLE deployments (
    -- The tenant.
    app_id uuid NOT NULL,
    -- 1, 2, … in the app.
    number integer NOT NULL,
    -- Lower-case hex SHA-256 over the state: sources, modules, limits, routes, triggers, grants; by names, never by ids.
    digest text COLLATE "C" NOT NULL,
    -- The state: scripts with digests of their versions and limits, routes, triggers, grants.
    state jsonb NOT NULL,
    -- What made it, in the words of the audit log: route.create, deployment.apply.
    cause text COLLATE "C" NOT NULL,
    -- What its author said of it.
    message text NOT NULL,
    -- Who made it; null once that person is gone, and for the operator.
    created_by uuid,
    -- When.
    created_at timestamptz NOT NULL,
    -- When it last became what runs; null while it never was.
    activated_at timestamptz,
    CONSTRAINT deployments_pkey PRIMARY KEY (app_id, number),
    CONSTRAINT deployments_digest_key UNIQUE (app_id, digest),
    CONSTRAINT deployments_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT deployments_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT deployments_number_check CHECK (number >= 1),
    CONSTRAINT deployments_digest_check CHECK (digest ~ '^[0-9a-f]{64}$')
);

-- Found when a person is deleted.
CREATE INDEX deployments_created_by_idx ON deployments (created_by) WHERE created_by IS NOT NULL;

-- The deployment that runs; null until the app first changes.
ALTER TABLE apps ADD COLUMN deployment integer;

-- Sources of scripts that were deleted, while a deployment holds them.
CREATE TABLE kept_sources (
    -- The tenant.
    app_id uuid NOT NULL,
    -- The digest of the version that had it.
    digest text COLLATE "C" NOT NULL,
    -- Rhai.
    source text NOT NULL,
    CONSTRAINT kept_sources_pkey PRIMARY KEY (app_id, digest),
    CONSTRAINT kept_sources_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE
);

-- What the author of a version said of it.
ALTER TABLE script_versions ADD COLUMN message text NOT NULL DEFAULT '';
