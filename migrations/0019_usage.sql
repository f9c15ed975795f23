-- What apps use, as their nodes counted it: for each script by the minute, by the hour and by the day (UTC), in the units of the
-- limits. Written behind the answers, at most once a second by a node. No foreign keys, as for executions: what a script used
-- outlives it, and an app that goes takes its rows with it in batches.
CREATE TABLE usage (
    -- The tenant.
    app_id uuid NOT NULL,
    -- minute, hour or day. Each holds the whole: an hour is not the sum of rows that are still there.
    period text COLLATE "C" NOT NULL,
    -- When the period began. Executions count where they began.
    started_at timestamptz NOT NULL,
    -- The script that ran, or was to run.
    script_id uuid NOT NULL,
    -- Invocations, those that were refused among them.
    calls bigint NOT NULL,
    -- Of these, the ones that ran and did not come to a good end.
    failed bigint NOT NULL,
    -- Of these, the ones that were refused before they ran: no place was free, or the app's allowance was spent.
    refused bigint NOT NULL,
    -- Fuel used.
    fuel bigint NOT NULL,
    -- Wall clock, µs.
    wall_us bigint NOT NULL,
    -- Calls from guest to host.
    host_calls bigint NOT NULL,
    -- Request bodies and what host calls brought in, bytes.
    bytes_in bigint NOT NULL,
    -- Answer bodies and what host calls took out, bytes.
    bytes_out bigint NOT NULL,
    -- Records and log lines that were kept, bytes: what counts against log_bytes_per_day.
    log_bytes bigint NOT NULL,
    -- Highest linear memory of one of them, bytes.
    memory_peak_bytes bigint NOT NULL,
    -- An app's periods in order.
    CONSTRAINT usage_pkey PRIMARY KEY (app_id, period, started_at, script_id),
    CONSTRAINT usage_period_check CHECK (period IN ('minute', 'hour', 'day')),
    CONSTRAINT usage_started_at_check CHECK (
        date_trunc(period, started_at AT TIME ZONE 'UTC') = started_at AT TIME ZONE 'UTC'
    )
) WITH (fillfactor = 50);

-- What is old.
CREATE INDEX usage_period_started_at_idx ON usage (period, started_at);
