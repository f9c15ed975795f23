-- Records in the order in which they may be read on, for whoever follows the log of an app.
--
-- Ids do not serve: a record with an older id may be committed after one with a newer id was read. Numbers of transactions do:
-- once every writer below a number has ended, nothing more comes below it. All records of one transaction come to light at once,
-- so beside that number their ids are order enough, and no sequence is needed. Lines of the log are found by their execution.

ALTER TABLE executions
    -- The transaction that wrote it (pg_current_xact_id), left out by who writes. 0: not followed, because it was there before this
    -- column, or came from another server, which counts otherwise.
    ADD COLUMN txid bigint NOT NULL DEFAULT 0;

-- A constant at first: then what is there is not written anew.
ALTER TABLE executions ALTER COLUMN txid SET DEFAULT pg_current_xact_id()::text::bigint;

-- An app's records, by transaction. This is the table that takes tens of thousands of rows a second: an entry costs about 2 µs and,
-- because those of one transaction share a key, 14 bytes. With the id in it, it would be 98 bytes and save whoever reads a sort of one
-- batch at most.
CREATE INDEX executions_app_id_txid_idx ON executions (app_id, txid) WHERE txid > 0;
