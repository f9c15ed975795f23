-- Host names beside {slug}.{apps domain}: those that apps claim and prove, and those of slugs that apps had before.

-- A host name, or all names of one label below one, that an app claims.
CREATE TABLE domains (
    -- Sorts by time of creation.
    id uuid NOT NULL,
    -- The tenant.
    app_id uuid NOT NULL,
    -- Lower case, without the star of a wildcard.
    host text COLLATE "C" NOT NULL,
    -- Whether every name of one label below host is meant, and host itself is not.
    is_wildcard boolean NOT NULL,
    -- What whoever owns the name shows to prove it: 64 hex digits.
    token text NOT NULL,
    -- pending: claimed, which is in nobody else's way; verified: proven, and the app answers there.
    state text NOT NULL,
    -- dns, http, or operator (an administrator of the instance vouched for it); null while pending.
    proven_by text,
    -- Who claimed it; null once that person is gone.
    created_by uuid,
    -- When it was claimed.
    created_at timestamptz NOT NULL,
    -- When it was proven; null while pending.
    verified_at timestamptz,
    -- Strictly grows with every change: it is the entity tag too.
    updated_at timestamptz NOT NULL,
    CONSTRAINT domains_pkey PRIMARY KEY (id),
    CONSTRAINT domains_app_id_id_key UNIQUE (app_id, id),
    CONSTRAINT domains_app_id_host_key UNIQUE (app_id, host, is_wildcard),
    CONSTRAINT domains_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT domains_created_by_fkey FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT domains_host_check CHECK (host ~ '^[a-z0-9-]+(\.[a-z0-9-]+)+$' AND octet_length(host) <= 253),
    CONSTRAINT domains_token_check CHECK (token ~ '^[0-9a-f]{64}$'),
    CONSTRAINT domains_state_check CHECK (state IN ('pending', 'verified')),
    CONSTRAINT domains_proven_by_check CHECK (proven_by IN ('dns', 'http', 'operator')),
    CONSTRAINT domains_proof_check CHECK (
        (state = 'verified') = (verified_at IS NOT NULL) AND (state = 'verified') = (proven_by IS NOT NULL)
    ),
    CONSTRAINT domains_verified_at_check CHECK (verified_at >= created_at),
    CONSTRAINT domains_updated_at_check CHECK (updated_at >= created_at)
);

-- A name has one holder; and who that is.
CREATE UNIQUE INDEX domains_verified_key ON domains (host, is_wildcard) WHERE state = 'verified';

-- A slug that an app had and that nobody else has taken since: requests to it are sent on to the app.
CREATE TABLE former_slugs (
    -- No app's slug now.
    slug text COLLATE "C" NOT NULL,
    -- The tenant that it leads to.
    app_id uuid NOT NULL,
    -- When the app left it; strictly grows from one of an app's to the next.
    retired_at timestamptz NOT NULL,
    CONSTRAINT former_slugs_pkey PRIMARY KEY (slug),
    CONSTRAINT former_slugs_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT former_slugs_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$')
);

-- An app's, oldest first: what is forgotten when there are too many, and what goes with the app.
CREATE INDEX former_slugs_app_id_idx ON former_slugs (app_id, retired_at);
