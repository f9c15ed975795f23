-- Splits: a part of an app's requests is answered by another of its deployments than the one that runs. An app has one or none; a
-- deployment that is in one is kept, and one that becomes what runs ends it.

CREATE TABLE app_splits (
    -- The tenant.
    app_id uuid NOT NULL,
    -- The deployment that answers beside the one that runs.
    deployment integer NOT NULL,
    -- How many of a hundred requests, or visitors, it answers.
    percent smallint NOT NULL,
    -- Whether a visitor stays with the deployment that answered first.
    sticky boolean NOT NULL,
    -- Who set it; null once that person is gone.
    set_by uuid,
    -- When.
    set_at timestamptz NOT NULL,
    CONSTRAINT app_splits_pkey PRIMARY KEY (app_id),
    CONSTRAINT app_splits_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT app_splits_deployment_fkey FOREIGN KEY (app_id, deployment) REFERENCES deployments (app_id, number)
        ON DELETE CASCADE,
    CONSTRAINT app_splits_set_by_fkey FOREIGN KEY (set_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT app_splits_percent_check CHECK (percent BETWEEN 1 AND 99)
);

-- Found when a person is deleted.
CREATE INDEX app_splits_set_by_idx ON app_splits (set_by) WHERE set_by IS NOT NULL;
