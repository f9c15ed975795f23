-- Events: what happened, which trigger it is for, and what became of it.
--
-- A mutation adds an event and its place in the outbox. The relay takes it out of there and adds a delivery for each trigger
-- that it is for. A delivery that succeeded is deleted, with its event once nothing else is to be done for that: the record of
-- the execution is its history. One that failed for good stays as a dead letter. Rows live for milliseconds and come by the
-- thousand, so the foreign keys and indexes are few; the sweep looks after what a rare race leaves.

-- A pattern covers a name: `*`, the name itself, or what begins like a pattern that ends in `*`.
CREATE FUNCTION pattern_covers(pattern text, name text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pattern = '*' OR pattern = name OR (right(pattern, 1) = '*' AND starts_with(name, left(pattern, -1)));

-- A new id whose order is that of the time (UUIDv7, RFC 9562 §5.7): for rows that one statement makes of others.
CREATE FUNCTION id_at(at timestamptz) RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN encode(
    set_bit(
        set_bit(
            overlay(
                uuid_send(gen_random_uuid())
                PLACING substring(int8send(floor(extract(epoch FROM at) * 1000)::bigint) FROM 3) FROM 1 FOR 6
            ),
            52, 1
        ),
        53, 1
    ),
    'hex'
)::uuid;

-- A value of kv_entries as JSON text; a blob as base64 text, null as null.
CREATE FUNCTION kv_json(encoding text, value bytea) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN value IS NULL THEN 'null'
    WHEN encoding = 'json' THEN convert_from(value, 'UTF8')
    ELSE '"' || translate(encode(value, 'base64'), E'\n', '') || '"'
END;

-- What a handler sees of a write to kv_entries, as JSON text.
CREATE FUNCTION kv_about(collection text, key text, value text, prev text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{"collection":' || to_json(collection) || ',"key":' || to_json(key) || ',"value":' || value || ',"prev":' || prev || '}';

-- The dead letter that an event tells of: what such an event begins with is written by one statement, always alike.
CREATE FUNCTION letter_of(about text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN substring(about FROM length('{"dead_letter_id":"') + 1 FOR 36)::uuid;

-- A rule: which events run which script.
CREATE TABLE triggers (
    -- Sorts by time of creation.
    id uuid NOT NULL,
    -- The tenant.
    app_id uuid NOT NULL,
    -- The script that handles.
    script_id uuid NOT NULL,
    -- The source whose events it is for.
    kind text COLLATE "C" NOT NULL,
    -- What pattern_covers: a collection, topic or queue; of dead letters the source they came from. `*` for schedules and email.
    pattern text COLLATE "C" NOT NULL,
    -- insert, update, delete: of which it is for. Empty where the kind has none.
    ops text[] NOT NULL,
    -- Of dead letters: only those of this trigger.
    about_trigger_id uuid,
    -- Of dead letters: only those of this script.
    about_script_id uuid,
    -- Six fields, seconds first.
    schedule text,
    -- IANA name of the zone that the schedule is read in.
    timezone text,
    -- The next due time that has not fired; null when there is none any more.
    next_tick_at timestamptz,
    -- Of email: the app's secret that signs what comes in.
    secret_name text COLLATE "C",
    -- Attempts of a delivery, the first included.
    max_attempts integer NOT NULL,
    -- How the wait grows: exponential, linear or constant.
    backoff text COLLATE "C" NOT NULL,
    -- The wait after the first attempt, ms.
    base_delay_ms integer NOT NULL,
    -- The longest wait, ms.
    max_delay_ms integer NOT NULL,
    -- Whether a wait is drawn from its upper half, so that what failed together does not come back together.
    jitter boolean NOT NULL,
    -- active: events run the script; disabled: a person switched it off; stopped: its principal lost the right.
    state text COLLATE "C" NOT NULL,
    -- Why it stopped.
    stopped_reason text,
    -- When it stopped.
    stopped_at timestamptz,
    -- Who registered it: it runs while this person may. Null once that person is gone.
    registered_by uuid,
    -- When it was made.
    created_at timestamptz NOT NULL,
    -- Strictly grows with every change by a person: it is the entity tag too.
    updated_at timestamptz NOT NULL,
    CONSTRAINT triggers_pkey PRIMARY KEY (id),
    CONSTRAINT triggers_script_fkey FOREIGN KEY (app_id, script_id) REFERENCES scripts (app_id, id) ON DELETE CASCADE,
    CONSTRAINT triggers_registered_by_fkey FOREIGN KEY (registered_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT triggers_kind_check CHECK (kind IN ('kv', 'docs', 'files', 'cron', 'pubsub', 'queue', 'email', 'dead_letter')),
    CONSTRAINT triggers_pattern_check CHECK (pattern <> ''),
    CONSTRAINT triggers_ops_check CHECK (
        (cardinality(ops) > 0) = (kind IN ('kv', 'docs', 'files')) AND ops <@ ARRAY['insert', 'update', 'delete']
    ),
    CONSTRAINT triggers_about_check CHECK (kind = 'dead_letter' OR (about_trigger_id IS NULL AND about_script_id IS NULL)),
    CONSTRAINT triggers_schedule_check CHECK (
        (kind = 'cron') = (schedule IS NOT NULL) AND (kind = 'cron') = (timezone IS NOT NULL)
        AND (next_tick_at IS NULL OR kind = 'cron')
    ),
    CONSTRAINT triggers_secret_name_check CHECK ((kind = 'email') = (secret_name IS NOT NULL)),
    CONSTRAINT triggers_backoff_check CHECK (backoff IN ('exponential', 'linear', 'constant')),
    CONSTRAINT triggers_retry_check CHECK (
        (max_attempts >= 1) AND (base_delay_ms >= 0) AND (max_delay_ms >= base_delay_ms)
    ),
    CONSTRAINT triggers_state_check CHECK (state IN ('active', 'disabled', 'stopped')),
    CONSTRAINT triggers_stopped_check CHECK (
        (state = 'stopped') = (stopped_at IS NOT NULL) AND (state = 'stopped') = (stopped_reason IS NOT NULL)
    ),
    CONSTRAINT triggers_updated_at_check CHECK (updated_at >= created_at)
);

-- Which triggers an event is for; an app's triggers by kind.
CREATE INDEX triggers_app_id_kind_idx ON triggers (app_id, kind, id);

-- A message of a queue goes to one consumer.
CREATE UNIQUE INDEX triggers_queue_key ON triggers (app_id, pattern) WHERE kind = 'queue';

-- The next tick of all.
CREATE INDEX triggers_next_tick_at_idx ON triggers (next_tick_at) WHERE next_tick_at IS NOT NULL AND state = 'active';

-- A script's triggers; also serves the cascade.
CREATE INDEX triggers_script_id_idx ON triggers (script_id, id);

-- What came of a trigger's deliveries so far; a row for each trigger. Apart from the rule: written by every batch that settles.
CREATE TABLE trigger_counts (
    -- The trigger.
    trigger_id uuid NOT NULL,
    -- Deliveries that succeeded.
    succeeded bigint NOT NULL,
    -- Attempts that failed, those of dead letters included.
    failed bigint NOT NULL,
    -- Deliveries that became dead letters.
    dead bigint NOT NULL,
    -- Last time that one settled; null before the first.
    last_at timestamptz,
    CONSTRAINT trigger_counts_pkey PRIMARY KEY (trigger_id),
    CONSTRAINT trigger_counts_trigger_id_fkey FOREIGN KEY (trigger_id) REFERENCES triggers (id) ON DELETE CASCADE
) WITH (fillfactor = 50);

-- An immutable fact.
CREATE TABLE events (
    -- Sorts by time; the same for every attempt and replay.
    id uuid NOT NULL,
    -- The tenant.
    app_id uuid NOT NULL,
    -- Where it is from: the kind of a trigger, or http and invoke for calls that nobody waits for.
    source text COLLATE "C" NOT NULL,
    -- What happened there.
    op text COLLATE "C" NOT NULL,
    -- When.
    at timestamptz NOT NULL,
    -- Hops of the chain of events that led here, this one included.
    depth integer NOT NULL,
    -- The request at the beginning of the chain.
    request_id uuid NOT NULL,
    -- The execution that was promised for the first attempt; null where none was.
    execution_id uuid,
    -- JSON text: what a handler sees under the name of the source. Of http and invoke: the request. Not jsonb: it may hold \u0000.
    about text NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (id),
    CONSTRAINT events_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT events_depth_check CHECK (depth >= 0)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_scale_factor = 0.5);

-- The cascade from apps.
CREATE INDEX events_app_id_idx ON events (app_id, id);

-- What was promised to a caller who does not wait.
CREATE UNIQUE INDEX events_execution_id_key ON events (execution_id) WHERE execution_id IS NOT NULL;

-- Events that no delivery was made for yet.
CREATE TABLE outbox (
    -- The event.
    event_id uuid NOT NULL,
    -- The tenant.
    app_id uuid NOT NULL,
    -- The event's source.
    source text COLLATE "C" NOT NULL,
    -- The event's op.
    op text COLLATE "C" NOT NULL,
    -- What triggers' patterns are held against: collection, topic or queue; of a dead letter the source it came from.
    name text COLLATE "C" NOT NULL,
    -- The event's depth.
    depth integer NOT NULL,
    -- Not before.
    due_at timestamptz NOT NULL,
    -- Set: for this trigger alone.
    trigger_id uuid,
    -- Set: for this script, without a trigger.
    script_id uuid,
    -- Of a dead letter: the trigger that it came from.
    about_trigger_id uuid,
    -- Of a dead letter: the script that it came from.
    about_script_id uuid,
    -- By app: the relay takes some of each.
    CONSTRAINT outbox_pkey PRIMARY KEY (app_id, event_id),
    CONSTRAINT outbox_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_scale_factor = 0.5);

-- One event for one trigger, until it has succeeded.
CREATE TABLE deliveries (
    -- Sorts by time of relaying.
    id uuid NOT NULL,
    -- The tenant.
    app_id uuid NOT NULL,
    -- What is delivered.
    event_id uuid NOT NULL,
    -- For which rule. Null for a call that nobody waits for, and for a message of a queue that has no consumer.
    trigger_id uuid,
    -- The script of a call that nobody waits for; of a dead letter the script that failed.
    script_id uuid,
    -- The queue whose message it is.
    queue text COLLATE "C",
    -- 0, and one more for each time that a person had the event delivered again.
    replay integer NOT NULL,
    -- due: waits for its time; claimed: a node has it; held: waits until its trigger is active, or there is one; dead: no
    -- attempt is left.
    state text COLLATE "C" NOT NULL,
    -- From when on a node may claim it: its time, or the end of the lease that it is claimed under. Infinity while it is held.
    due_at timestamptz NOT NULL,
    -- While it is held: its time before that.
    resume_at timestamptz,
    -- Claims so far; the current one's number is what settling it needs to know. Never given out twice.
    claims integer NOT NULL,
    -- Attempts that ended in a failure: what the retry policy counts.
    failed integer NOT NULL,
    -- Claims that were lost: their node ended, or did not renew its lease. Not counted by the policy.
    lost integer NOT NULL,
    -- The event's depth; more for one that a script deeper in the chain had delivered again.
    depth integer NOT NULL,
    -- When the first attempt was claimed.
    first_attempt_at timestamptz,
    -- When the last attempt was claimed.
    last_attempt_at timestamptz,
    -- When it became a dead letter.
    dead_at timestamptz,
    -- Why it did: attempts_exhausted, depth_exceeded, abandoned (too many claims were lost), script_gone.
    dead_reason text COLLATE "C",
    -- When someone declared a dead letter done.
    resolved_at timestamptz,
    -- Who; null for a script, and once that person is gone.
    resolved_by uuid,
    -- Why.
    resolved_reason text,
    -- The delivery that was made of it anew, the last one.
    replayed_as uuid,
    -- When a handler of dead letters failed on it for good.
    handler_failed_at timestamptz,
    -- That handler's failure, as JSON text.
    handler_error text,
    CONSTRAINT deliveries_pkey PRIMARY KEY (id),
    CONSTRAINT deliveries_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT deliveries_resolved_by_fkey FOREIGN KEY (resolved_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT deliveries_state_check CHECK (state IN ('due', 'claimed', 'held', 'dead')),
    CONSTRAINT deliveries_held_check CHECK ((state = 'held') = (resume_at IS NOT NULL) AND (state <> 'held' OR due_at = 'infinity')),
    CONSTRAINT deliveries_claims_check CHECK (claims >= 0 AND failed >= 0 AND lost >= 0 AND replay >= 0),
    CONSTRAINT deliveries_dead_check CHECK ((state = 'dead') = (dead_at IS NOT NULL) AND (state = 'dead') = (dead_reason IS NOT NULL)),
    CONSTRAINT deliveries_resolved_check CHECK (
        (resolved_at IS NULL) = (resolved_reason IS NULL) AND (resolved_at IS NULL OR state = 'dead')
    ),
    CONSTRAINT deliveries_handler_check CHECK ((handler_failed_at IS NULL) = (handler_error IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_scale_factor = 0.5);

-- One delivery of an event for each trigger, and one for an event that has none; also an event's deliveries.
CREATE UNIQUE INDEX deliveries_event_id_trigger_id_key
    ON deliveries (event_id, coalesce(trigger_id, '00000000-0000-0000-0000-000000000000'), replay);

-- What an app has to be delivered, the soonest first; a queue's messages.
CREATE INDEX deliveries_due_idx ON deliveries (app_id, due_at) WHERE state <> 'dead';

-- What is held of a trigger, or of none.
CREATE INDEX deliveries_held_idx ON deliveries (app_id, trigger_id) WHERE state = 'held';

-- An app's dead letters, in order.
CREATE INDEX deliveries_dead_idx ON deliveries (app_id, id) WHERE state = 'dead';

-- One try of a delivery that did not succeed. What succeeds leaves none.
CREATE TABLE attempts (
    -- The delivery.
    delivery_id uuid NOT NULL,
    -- 1, 2, …
    number integer NOT NULL,
    -- Its execution; null where none began.
    execution_id uuid,
    -- The version that ran; null where none did.
    version integer,
    -- How it ended, as executions say it.
    outcome text COLLATE "C" NOT NULL,
    -- Why, as JSON text.
    error text NOT NULL,
    -- What the script logged, as JSON text, as far as it fits.
    logs text NOT NULL,
    -- When it began.
    started_at timestamptz NOT NULL,
    -- Wall clock, µs.
    wall_us bigint NOT NULL,
    CONSTRAINT attempts_pkey PRIMARY KEY (delivery_id, number),
    CONSTRAINT attempts_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES deliveries (id) ON DELETE CASCADE
);

-- What was published to a topic so far, whoever listened.
CREATE TABLE topics (
    -- The tenant.
    app_id uuid NOT NULL,
    -- The topic.
    name text COLLATE "C" NOT NULL,
    -- Messages published.
    published bigint NOT NULL,
    -- Of these, messages that no trigger was for.
    unmatched bigint NOT NULL,
    -- Time of the last one.
    last_at timestamptz NOT NULL,
    CONSTRAINT topics_pkey PRIMARY KEY (app_id, name),
    CONSTRAINT topics_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE
) WITH (fillfactor = 50);

-- Keys under which a message was sent lately: a second one under the same key is not added.
CREATE TABLE queue_keys (
    -- The tenant.
    app_id uuid NOT NULL,
    -- The queue.
    queue text COLLATE "C" NOT NULL,
    -- The key.
    key text COLLATE "C" NOT NULL,
    -- The message that it was sent for.
    event_id uuid NOT NULL,
    -- Until then it counts.
    expires_at timestamptz NOT NULL,
    CONSTRAINT queue_keys_pkey PRIMARY KEY (app_id, queue, key),
    CONSTRAINT queue_keys_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE
);

-- The sweep: expired keys, oldest first.
CREATE INDEX queue_keys_expires_at_idx ON queue_keys (expires_at);

ALTER TABLE routes
    -- sync: the caller waits for the script's answer; async: the caller is told where to find it.
    ADD COLUMN dispatch_mode text COLLATE "C" NOT NULL DEFAULT 'sync',
    ADD CONSTRAINT routes_dispatch_mode_check CHECK (dispatch_mode IN ('sync', 'async'));

ALTER TABLE executions
    -- The event that it handled; null for what answers a request.
    ADD COLUMN event_id uuid,
    -- The trigger that it ran for.
    ADD COLUMN trigger_id uuid,
    -- Which attempt of the delivery it was.
    ADD COLUMN attempt integer;

-- An event's executions.
CREATE INDEX executions_event_id_idx ON executions (event_id, id) WHERE event_id IS NOT NULL;
