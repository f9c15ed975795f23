-- What the owners of the instance keep an app from, whoever administrates it.

-- {"capabilities": [word, …], "trigger_kinds": [word, …]}: what the app may not grant, and which triggers it may not have running.
ALTER TABLE apps ADD COLUMN restrictions jsonb NOT NULL DEFAULT '{"capabilities": [], "trigger_kinds": []}';
ALTER TABLE apps ADD CONSTRAINT apps_restrictions_check CHECK (
    jsonb_typeof(restrictions -> 'capabilities') = 'array' AND jsonb_typeof(restrictions -> 'trigger_kinds') = 'array'
);
