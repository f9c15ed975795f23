-- Tenants, and the bearer credentials that may be bound to one.

-- A tenant: owns scripts, data, routes.
CREATE TABLE apps (
    -- Sorts by time of creation.
    id uuid NOT NULL,
    -- One DNS label: the app answers at {slug}.{apps domain}.
    slug text COLLATE "C" NOT NULL,
    -- For people.
    name text NOT NULL,
    -- Origins that browsers may call from; '*' is any. Empty: no CORS headers at all.
    cors_origins text[] NOT NULL DEFAULT '{}',
    -- Who made it; null once that person is gone.
    created_by uuid,
    -- When it was made.
    created_at timestamptz NOT NULL,
    -- Strictly grows with every change: it is the entity tag too.
    updated_at timestamptz NOT NULL,
    CONSTRAINT apps_pkey PRIMARY KEY (id),
    CONSTRAINT apps_slug_key UNIQUE (slug),
    CONSTRAINT apps_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    CONSTRAINT apps_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT apps_updated_at_check CHECK (updated_at >= created_at)
);

-- A bearer credential of a person, narrower than the person.
CREATE TABLE api_keys (
    -- Sorts by time of creation.
    id uuid NOT NULL,
    -- The key acts as this person, within scopes.
    user_id uuid NOT NULL,
    -- For people.
    name text NOT NULL,
    -- The first characters of the token, in clear: the index finds the row by them.
    prefix text COLLATE "C" NOT NULL,
    -- SHA-256 of the whole token, compared in constant time.
    token_hash bytea NOT NULL,
    -- What the key may do: never more than these seven.
    scopes text[] NOT NULL,
    -- Set: the key is good for this app only.
    app_id uuid,
    -- When it was made.
    created_at timestamptz NOT NULL,
    -- Null: never.
    expires_at timestamptz,
    -- Moves forward in coarse steps; null: never used.
    last_used_at timestamptz,
    -- Set once the key was taken back.
    revoked_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_prefix_key UNIQUE (prefix),
    CONSTRAINT api_keys_token_hash_check CHECK (octet_length(token_hash) = 32),
    CONSTRAINT api_keys_scopes_check CHECK (
        cardinality(scopes) > 0
        AND scopes <@ ARRAY['script:read', 'script:write', 'route:write', 'domain:manage', 'log:read', 'app:admin', 'instance:admin']
    ),
    CONSTRAINT api_keys_expires_at_check CHECK (expires_at IS NULL OR expires_at > created_at),
    CONSTRAINT api_keys_last_used_at_check CHECK (last_used_at IS NULL OR last_used_at >= created_at),
    CONSTRAINT api_keys_revoked_at_check CHECK (revoked_at IS NULL OR revoked_at >= created_at)
);

-- A person's keys, in order of creation.
CREATE INDEX api_keys_user_id_idx ON api_keys (user_id, id);

-- The keys that go with an app.
CREATE INDEX api_keys_app_id_idx ON api_keys (app_id) WHERE app_id IS NOT NULL;
