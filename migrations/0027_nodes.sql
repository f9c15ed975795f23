-- Nodes that share this database, and which of their versions may.

CREATE TABLE nodes (
    -- Made anew at each start of a node.
    id uuid NOT NULL,
    -- Names the lock that the node holds for as long as it is connected.
    number integer GENERATED ALWAYS AS IDENTITY,
    -- For people; two nodes may have the same.
    name text NOT NULL,
    -- Version of its binary.
    version text NOT NULL,
    -- The newest migration that its binary knows.
    schema bigint NOT NULL,
    -- What it does: words of `--roles`.
    roles text[] NOT NULL,
    -- Where its data plane listens; null without one.
    data text,
    -- Where its control plane listens.
    admin text NOT NULL,
    -- Whether it has been told to end.
    draining boolean NOT NULL,
    -- How often it has answered a roll call.
    answers bigint NOT NULL,
    -- When it started.
    started_at timestamptz NOT NULL,
    -- When it was last heard of, by its own clock: it came, answered a roll call, or began to drain.
    seen_at timestamptz NOT NULL,
    -- When somebody found it no longer connected, though it had not said that it leaves.
    gone_at timestamptz,
    CONSTRAINT nodes_pkey PRIMARY KEY (id),
    CONSTRAINT nodes_number_key UNIQUE (number)
);

CREATE TABLE schema_compat (
    -- There is one row.
    single boolean NOT NULL DEFAULT true,
    -- The newest migration that is here; 0 until a node has noted it.
    schema bigint NOT NULL,
    -- Version of the picloud that brought it.
    version text NOT NULL,
    -- The oldest schema whose binaries may go on, and start anew, beside it. A migration that takes away what they need raises it.
    oldest bigint NOT NULL,
    CONSTRAINT schema_compat_pkey PRIMARY KEY (single),
    CONSTRAINT schema_compat_single_check CHECK (single)
);

-- Older binaries ask nothing of this table: they refuse whatever they do not know.
INSERT INTO schema_compat (schema, version, oldest) VALUES (0, '', 27);
