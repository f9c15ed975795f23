-- Who may do what: users who are changed after they were made, where logins came from, and the members of apps.

ALTER TABLE users
    -- Strictly grows with every change: it is the entity tag too.
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();

UPDATE users SET updated_at = created_at;

ALTER TABLE users
    ADD CONSTRAINT users_updated_at_check CHECK (updated_at >= created_at);

ALTER TABLE sessions
    -- Where the login came from, for its owner to recognise; null where that is not known.
    ADD COLUMN address text,
    -- What the client called itself, cut.
    ADD COLUMN user_agent text,
    ADD CONSTRAINT sessions_client_check CHECK (octet_length(user_agent) <= 256 AND octet_length(address) <= 45);

-- Who works in an app, and as what. Owners and admins of the instance need no row.
CREATE TABLE members (
    -- The app.
    app_id uuid NOT NULL,
    -- The person.
    user_id uuid NOT NULL,
    -- app_admin: everything in the app; editor: scripts, routes and logs; viewer: looks.
    role text NOT NULL,
    -- When they came in.
    created_at timestamptz NOT NULL,
    -- Strictly grows with every change: it is the entity tag too.
    updated_at timestamptz NOT NULL,
    CONSTRAINT members_pkey PRIMARY KEY (app_id, user_id),
    CONSTRAINT members_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT members_role_check CHECK (role IN ('app_admin', 'editor', 'viewer')),
    CONSTRAINT members_updated_at_check CHECK (updated_at >= created_at)
);

-- The apps of a person: lists, and what goes with the person.
CREATE INDEX members_user_id_idx ON members (user_id, app_id);
