-- People and their logins. Ids are UUIDv7 everywhere: they sort by time of creation.

-- A person.
CREATE TABLE users (
    -- Sorts by time of creation.
    id uuid NOT NULL,
    -- As it was given; ASCII only, so that "same name" cannot depend on a locale.
    username text NOT NULL,
    -- PHC string (argon2id, its parameters and salt included).
    password_hash text NOT NULL,
    -- What the person may do on the whole instance: owner, admin or member.
    role text NOT NULL,
    -- When the person was added.
    created_at timestamptz NOT NULL,
    -- Set while the person may not log in.
    deactivated_at timestamptz,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_username_check CHECK (username ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]*$' AND length(username) <= 64),
    CONSTRAINT users_role_check CHECK (role IN ('owner', 'admin', 'member')),
    CONSTRAINT users_deactivated_at_check CHECK (deactivated_at IS NULL OR deactivated_at >= created_at)
);

-- One person per name, whatever the case.
CREATE UNIQUE INDEX users_username_key ON users (lower(username));

-- Answers "is there an owner", at every start.
CREATE INDEX users_active_owners_idx ON users (id) WHERE role = 'owner' AND deactivated_at IS NULL;

-- A login. A row exists while the login may be used: logging out deletes it, logging in sweeps the person's expired ones.
CREATE TABLE sessions (
    -- Sorts by time of login.
    id uuid NOT NULL,
    -- Who logged in.
    user_id uuid NOT NULL,
    -- SHA-256 of the token; the token itself is shown once and kept nowhere.
    token_hash bytea NOT NULL,
    -- When.
    created_at timestamptz NOT NULL,
    -- Moves forward in coarse steps, so that a busy session is not a busy row.
    last_used_at timestamptz NOT NULL,
    -- Moves with last_used_at.
    expires_at timestamptz NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_token_hash_key UNIQUE (token_hash),
    CONSTRAINT sessions_token_hash_check CHECK (octet_length(token_hash) = 32),
    CONSTRAINT sessions_times_check CHECK (created_at <= last_used_at AND last_used_at < expires_at)
);

-- A person's logins, newest last: the bound on their number, and the sweep.
CREATE INDEX sessions_user_id_idx ON sessions (user_id, id);
