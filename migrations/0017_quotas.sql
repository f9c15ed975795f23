-- Three levels of limits: what an app may use, and the whole of what a version asks for.

-- What was set for the app, as JSON by name; what is not named is the platform's default (`GET /api/v1/limits`).
ALTER TABLE apps ADD COLUMN quota jsonb NOT NULL DEFAULT '{}';
ALTER TABLE apps ADD CONSTRAINT apps_quota_check CHECK (jsonb_typeof(quota) = 'object');

-- Everything that one invocation of the version may use, as JSON by name. Bounds that came later than a version are at their
-- default in it.
ALTER TABLE script_versions ADD COLUMN limits jsonb;
UPDATE script_versions SET limits = jsonb_build_object('fuel', fuel, 'memory_mb', memory_mb, 'timeout_ms', timeout_ms);
ALTER TABLE script_versions ALTER COLUMN limits SET NOT NULL;
ALTER TABLE script_versions DROP CONSTRAINT script_versions_limits_check;
ALTER TABLE script_versions ADD CONSTRAINT script_versions_limits_check CHECK (jsonb_typeof(limits) = 'object');
ALTER TABLE script_versions DROP COLUMN fuel, DROP COLUMN memory_mb, DROP COLUMN timeout_ms;

-- Hops of a chain of events that still reach the script: what its active version asks for, or else `usual`, and no more than its
-- app's quota.
CREATE FUNCTION event_depth_max(script uuid, usual integer) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT least(coalesce((v.limits ->> 'event_depth')::numeric, usual), (a.quota ->> 'event_depth')::numeric, 1000)::integer
        FROM scripts s
        JOIN script_versions v ON v.script_id = s.id AND v.number = s.active_version
        JOIN apps a ON a.id = s.app_id
        WHERE s.id = script
    ), usual)
$$;
