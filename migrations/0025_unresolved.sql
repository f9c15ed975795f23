-- An app's dead letters that nobody resolved, in order: how many there are is asked at every glance, and those that are resolved
-- stay for days beside them.
CREATE INDEX deliveries_unresolved_idx ON deliveries (app_id, id) WHERE state = 'dead' AND resolved_at IS NULL;
