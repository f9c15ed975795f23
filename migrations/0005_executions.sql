-- Records of invocations and what they logged: append-only telemetry, written behind the answers in batches of tens of
-- thousands of rows a second. So the indexes are the few that reads need, and there are no foreign keys: a check per row
-- would lock parent rows against the people who publish and delete, and a record whose script is gone must not fail its
-- whole batch. Deleting a script deletes what is written by then; a record that comes later is found by nobody and
-- waits for the sweep.

CREATE TABLE executions (
    -- Sorts by time of start.
    id uuid NOT NULL,
    -- The tenant that ran it.
    app_id uuid NOT NULL,
    -- The script that ran.
    script_id uuid NOT NULL,
    -- The version that ran.
    version integer NOT NULL,
    -- The HTTP request that caused it, as its caller was told.
    request_id uuid NOT NULL,
    -- How it ended.
    outcome text COLLATE "C" NOT NULL,
    -- The HTTP status the caller saw.
    status smallint NOT NULL,
    -- Fuel used.
    fuel bigint NOT NULL,
    -- Highest linear memory, bytes.
    memory_peak_bytes bigint NOT NULL,
    -- Calls from guest to host.
    host_calls integer NOT NULL,
    -- Request body and what host calls brought in, bytes.
    bytes_in bigint NOT NULL,
    -- Answer body and what host calls took out, bytes.
    bytes_out bigint NOT NULL,
    -- Wall clock, µs.
    wall_us bigint NOT NULL,
    -- Null, or why it failed, as JSON text. Not jsonb: a message may hold \u0000, which jsonb refuses.
    error text,
    -- When its instance began.
    started_at timestamptz NOT NULL,
    -- Log lines that did not fit the invocation's bound.
    logs_dropped integer NOT NULL,
    CONSTRAINT executions_pkey PRIMARY KEY (id),
    CONSTRAINT executions_outcome_check CHECK (outcome IN (
        'responded', 'completed', 'script_failed', 'fuel_exhausted', 'memory_exceeded', 'deadline_exceeded', 'denied', 'host_fault'
    ))
);

-- A script's executions, newest first.
CREATE INDEX executions_script_id_idx ON executions (script_id, id);

-- One line a script logged.
CREATE TABLE logs (
    -- The tenant.
    app_id uuid NOT NULL,
    -- The script that logged it.
    script_id uuid NOT NULL,
    -- The invocation that logged it.
    execution_id uuid NOT NULL,
    -- 0, 1, … within the execution.
    seq integer NOT NULL,
    -- When it was logged.
    at timestamptz NOT NULL,
    -- trace, debug, info, warn or error.
    level text COLLATE "C" NOT NULL,
    -- NUL, which text cannot hold, is stored as U+FFFD.
    message text NOT NULL,
    -- Null, or JSON text.
    data text,
    -- Led by the script: one index serves both "a script's lines, newest first" and "an execution's lines", whose script is
    -- known from its record.
    CONSTRAINT logs_pkey PRIMARY KEY (script_id, execution_id, seq),
    CONSTRAINT logs_level_check CHECK (level IN ('trace', 'debug', 'info', 'warn', 'error'))
);
