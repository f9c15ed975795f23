-- What an app allows its scripts.

ALTER TABLE apps
    -- Patterns by capability, as the API shows them: {"kv": ["*"], "http": []}. A capability that is not named is as in a
    -- new app, so that one which comes later needs no change of rows.
    ADD COLUMN grants jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT apps_grants_check CHECK (jsonb_typeof(grants) = 'object');
