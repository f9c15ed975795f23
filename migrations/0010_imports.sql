-- What scripts import from each other.

ALTER TABLE script_versions
    -- Modules of the same app that the source imports, by name, in order of appearance. Names, not references: they are
    -- the source's own words, and what they mean is decided by the modules that are active.
    ADD COLUMN imports text[] NOT NULL DEFAULT '{}',
    -- Interfaces that the source itself can reach; capabilities has those of its modules too.
    ADD COLUMN own_capabilities text[] NOT NULL DEFAULT '{}';

UPDATE script_versions SET own_capabilities = capabilities;

ALTER TABLE script_versions ALTER COLUMN own_capabilities DROP DEFAULT;

ALTER TABLE scripts
    -- Grows when a module that its active version imports, directly or not, is published: what is held ready of the version
    -- is made anew.
    ADD COLUMN generation integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT scripts_generation_check CHECK (generation >= 0);
