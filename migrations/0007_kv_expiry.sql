-- Entries that expire.
--
-- A revision no longer begins at 1: a new entry's is the microseconds since 1970 of its first write, and each write over it adds
-- one. So a revision that was read before an entry was deleted, or had expired, never fits the entry that takes its place.

ALTER TABLE kv_entries
    -- From then on nobody sees the entry, and a sweep deletes it; null is never.
    ADD COLUMN expires_at timestamptz;

-- The sweep: expired entries, oldest first.
CREATE INDEX kv_entries_sweep_idx ON kv_entries (expires_at) WHERE expires_at IS NOT NULL;
