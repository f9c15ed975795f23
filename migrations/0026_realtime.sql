-- Realtime: topics that can be subscribed to, what was published to them lately, and the tokens of subscribers.
--
-- A topic that is not registered, or is internal, is for triggers alone. Of the others each message has a number, given under the lock
-- of the topic's row and held until the commit: they come to light in the order of their numbers, and none is left out.

CREATE TABLE registered_topics (
    -- The tenant.
    app_id uuid NOT NULL,
    -- The topic.
    name text COLLATE "C" NOT NULL,
    -- Who may subscribe. internal: nobody; public: everybody; token: who has a token of the app for it.
    access text COLLATE "C" NOT NULL,
    -- The number of the last message; 0 before the first. It goes on when a topic is registered anew.
    last_seq bigint NOT NULL,
    -- Messages published so far, bytes together: what a message's place among the bytes is measured against.
    published_bytes bigint NOT NULL,
    -- Time of the last message; of the registration before the first.
    last_at timestamptz NOT NULL,
    -- When it was registered.
    created_at timestamptz NOT NULL,
    -- When its access was last set.
    updated_at timestamptz NOT NULL,
    CONSTRAINT registered_topics_pkey PRIMARY KEY (app_id, name),
    CONSTRAINT registered_topics_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT registered_topics_access_check CHECK (access IN ('internal', 'public', 'token')),
    CONSTRAINT registered_topics_seq_check CHECK (last_seq >= 0 AND published_bytes >= 0),
    CONSTRAINT registered_topics_updated_at_check CHECK (updated_at >= created_at)
) WITH (fillfactor = 50);

-- Messages that a subscriber who comes back can still be given.
CREATE TABLE topic_messages (
    -- The tenant.
    app_id uuid NOT NULL,
    -- The topic.
    topic text COLLATE "C" NOT NULL,
    -- From 1, without a gap.
    seq bigint NOT NULL,
    -- The event that it is too.
    event_id uuid NOT NULL,
    -- JSON text. Not jsonb: it may hold \u0000.
    message text NOT NULL,
    -- Bytes of all messages of the topic before it.
    start_bytes bigint NOT NULL,
    -- When it was published. Of a later number never earlier, whatever nodes' clocks say.
    published_at timestamptz NOT NULL,
    CONSTRAINT topic_messages_pkey PRIMARY KEY (app_id, topic, seq),
    CONSTRAINT topic_messages_topic_fkey FOREIGN KEY (app_id, topic) REFERENCES registered_topics (app_id, name) ON DELETE CASCADE,
    CONSTRAINT topic_messages_seq_check CHECK (seq >= 1 AND start_bytes >= 0)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);

-- The sweep: the oldest first.
CREATE INDEX topic_messages_published_at_idx ON topic_messages (published_at);

-- Numbers of a topic that is not registered any more: it goes on after them when it is registered anew.
ALTER TABLE topics ADD COLUMN last_seq bigint NOT NULL DEFAULT 0;

-- What subscribers show: good for some topics, for a time.
CREATE TABLE subscriber_tokens (
    -- Names it; not the token.
    id uuid NOT NULL,
    -- The tenant.
    app_id uuid NOT NULL,
    -- SHA-256 of the token.
    token_hash bytea NOT NULL,
    -- Names of topics, and patterns that end in `.*`; `*` is every topic.
    topics text[] COLLATE "C" NOT NULL,
    -- When it was made.
    created_at timestamptz NOT NULL,
    -- From then on it is not good.
    expires_at timestamptz NOT NULL,
    -- The person who made it; null for a script, and once that person is gone.
    made_by uuid,
    -- The script that made it, also once that is gone; null for a person.
    made_by_script uuid,
    CONSTRAINT subscriber_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT subscriber_tokens_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT subscriber_tokens_made_by_fkey FOREIGN KEY (made_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT subscriber_tokens_token_hash_check CHECK (octet_length(token_hash) = 32),
    CONSTRAINT subscriber_tokens_topics_check CHECK (cardinality(topics) > 0),
    CONSTRAINT subscriber_tokens_expires_at_check CHECK (expires_at > created_at),
    CONSTRAINT subscriber_tokens_made_by_check CHECK (made_by IS NULL OR made_by_script IS NULL)
);

-- Which one is shown.
CREATE UNIQUE INDEX subscriber_tokens_token_hash_key ON subscriber_tokens (token_hash);

-- An app's tokens that are good still, counted; also the cascade.
CREATE INDEX subscriber_tokens_app_id_expires_at_idx ON subscriber_tokens (app_id, expires_at);

-- An app's tokens, in order.
CREATE INDEX subscriber_tokens_app_id_id_idx ON subscriber_tokens (app_id, id);

-- The sweep: expired ones, the oldest first.
CREATE INDEX subscriber_tokens_expires_at_idx ON subscriber_tokens (expires_at);

-- Found when a person is deleted.
CREATE INDEX subscriber_tokens_made_by_idx ON subscriber_tokens (made_by) WHERE made_by IS NOT NULL;
