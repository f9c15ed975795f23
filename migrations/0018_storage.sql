-- What each app stores, counted by the database itself: whoever writes rows of these tables, their bytes are counted in the same
-- transaction, and a write that takes the app past its quota fails.

-- Bytes that an entry counts: what a script gave, and 64 for its row, so that empty ones are not free.
CREATE FUNCTION kv_entry_use(collection text, key text, value bytea) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN octet_length(collection)::bigint + octet_length(key) + octet_length(value) + 64;

-- The same of a document: 128 for its row and its places in indexes.
CREATE FUNCTION document_use(collection text, id text, bytes integer) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN octet_length(collection)::bigint + octet_length(id) + bytes + 128;

-- The same of a file: 256 for its row and its blob's place in a directory.
CREATE FUNCTION file_use(collection text, name text, size_bytes bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN octet_length(collection)::bigint + octet_length(name) + size_bytes + 256;

-- What an app may store where its quota does not say, bytes: `DATA_BYTES_DEFAULT` and `FILE_BYTES_DEFAULT` of the binary.
CREATE FUNCTION data_bytes_default() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1073741824;
CREATE FUNCTION file_bytes_default() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 4294967296;

-- Counters, of which only the sum over an app means something: a transaction counts in one of the sixteen, by its number, so that
-- writers of one app rarely wait for each other. An app has all of them from its first moment to its last; no write adds one.
CREATE TABLE storage_use (
    -- The tenant.
    app_id uuid NOT NULL,
    -- The number of a transaction modulo 16.
    shard smallint NOT NULL,
    -- KV entries and documents that were added by such transactions, less those that were removed, bytes: may be negative.
    data_bytes bigint NOT NULL DEFAULT 0,
    -- The same of files, bytes.
    file_bytes bigint NOT NULL DEFAULT 0,
    CONSTRAINT storage_use_pkey PRIMARY KEY (app_id, shard),
    -- Deferred: the counters of an app go after what they count.
    CONSTRAINT storage_use_app_id_fkey FOREIGN KEY (app_id) REFERENCES apps (id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT storage_use_shard_check CHECK (shard BETWEEN 0 AND 15)
) WITH (fillfactor = 40); -- A new version of a row finds room beside the old one, and no index changes.

CREATE FUNCTION storage_use_begin() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO storage_use (app_id, shard) SELECT NEW.id, shard FROM generate_series(0, 15) AS shard;
    RETURN NULL;
END $$;

CREATE FUNCTION storage_use_end() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM storage_use WHERE app_id = OLD.id;
    RETURN NULL;
END $$;

-- Triggers of one event fire in the order of their names, and those of foreign keys are named RI_…: of an app that is deleted
-- the data goes first and then the counters, so that whoever deletes it takes rows in the same order as whoever writes.
CREATE TRIGGER storage_use_begin AFTER INSERT ON apps FOR EACH ROW EXECUTE FUNCTION storage_use_begin();
CREATE TRIGGER storage_use_end AFTER DELETE ON apps FOR EACH ROW EXECUTE FUNCTION storage_use_end();

-- Counts a change, and refuses what would take the app past its quota: exactly, but for what others are adding at the same
-- moment, which is not seen. What adds nothing is never refused, however full the app is. Where the app is not there any more,
-- nothing is counted. Its row is read and not locked.
--
-- Nobody waits in a circle. A counter is taken at the end of a statement, after the rows that it counts; a transaction that
-- writes data of an app that others see does so by one statement, so it takes no data after its counter; a statement that is
-- about several apps, as the sweep of expired entries, takes their counters in the order of the apps.
CREATE FUNCTION storage_use_add(app uuid, more_data bigint, more_files bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    here CONSTANT smallint := pg_current_xact_id()::text::bigint % 16;
    used bigint;
    bound bigint;
BEGIN
    IF more_data > 0 THEN
        UPDATE storage_use AS one SET data_bytes = one.data_bytes + more_data
        WHERE one.app_id = app AND one.shard = here
        RETURNING
            one.data_bytes + (SELECT sum(others.data_bytes)::bigint FROM storage_use AS others
                              WHERE others.app_id = app AND others.shard <> here),
            (SELECT coalesce((apps.quota ->> 'data_bytes')::bigint, data_bytes_default()) FROM apps WHERE apps.id = app)
        INTO used, bound;
        IF used > bound THEN
            RAISE EXCEPTION 'app % would store % bytes of data; its quota is %', app, used, bound
                USING ERRCODE = 'check_violation', TABLE = 'storage_use', CONSTRAINT = 'storage_use_data_bytes_check',
                      DETAIL = bound::text;
        END IF;
    ELSIF more_files > 0 THEN
        UPDATE storage_use AS one SET file_bytes = one.file_bytes + more_files
        WHERE one.app_id = app AND one.shard = here
        RETURNING
            one.file_bytes + (SELECT sum(others.file_bytes)::bigint FROM storage_use AS others
                              WHERE others.app_id = app AND others.shard <> here),
            (SELECT coalesce((apps.quota ->> 'file_bytes')::bigint, file_bytes_default()) FROM apps WHERE apps.id = app)
        INTO used, bound;
        IF used > bound THEN
            RAISE EXCEPTION 'app % would store % bytes of files; its quota is %', app, used, bound
                USING ERRCODE = 'check_violation', TABLE = 'storage_use', CONSTRAINT = 'storage_use_file_bytes_check',
                      DETAIL = bound::text;
        END IF;
    ELSIF more_data < 0 OR more_files < 0 THEN
        UPDATE storage_use SET data_bytes = data_bytes + more_data, file_bytes = file_bytes + more_files
        WHERE app_id = app AND shard = here;
    END IF;
END $$;

-- How the writes of a table are counted. Inserts and deletes by statement, because they may be of many rows: `new_rows` are
-- what one added, `old_rows` what it removed. Updates by row: they are of one, and cost nothing where its size stays, which is
-- all that an update changes: a row keeps its app and its names. (A condition is prepared for each statement, so it is plain.)
CREATE FUNCTION kv_entries_use() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    app uuid;
    more bigint;
    added bigint;
BEGIN
    CASE TG_OP
        WHEN 'UPDATE' THEN
            PERFORM storage_use_add(NEW.app_id, octet_length(NEW.value) - octet_length(OLD.value), 0);
        WHEN 'INSERT' THEN
            SELECT app_id, kv_entry_use(collection, key, value), (SELECT count(*) FROM new_rows)
            INTO app, more, added FROM new_rows LIMIT 1;
            IF added = 1 THEN
                PERFORM storage_use_add(app, more, 0);
            ELSIF added > 1 THEN
                PERFORM storage_use_add(app_id, used, 0) FROM (
                    SELECT app_id, sum(kv_entry_use(collection, key, value))::bigint AS used
                    FROM new_rows GROUP BY app_id ORDER BY app_id
                ) AS changed;
            END IF;
        WHEN 'DELETE' THEN
            PERFORM storage_use_add(app_id, -used, 0) FROM (
                SELECT app_id, sum(kv_entry_use(collection, key, value))::bigint AS used
                FROM old_rows GROUP BY app_id ORDER BY app_id
            ) AS changed;
    END CASE;
    RETURN NULL;
END $$;

CREATE TRIGGER kv_entries_use_insert AFTER INSERT ON kv_entries REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION kv_entries_use();
CREATE TRIGGER kv_entries_use_update AFTER UPDATE ON kv_entries FOR EACH ROW
    WHEN (octet_length(NEW.value) <> octet_length(OLD.value))
    EXECUTE FUNCTION kv_entries_use();
CREATE TRIGGER kv_entries_use_delete AFTER DELETE ON kv_entries REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION kv_entries_use();

CREATE FUNCTION documents_use() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    app uuid;
    more bigint;
    added bigint;
BEGIN
    CASE TG_OP
        WHEN 'UPDATE' THEN
            PERFORM storage_use_add(NEW.app_id, NEW.bytes - OLD.bytes, 0);
        WHEN 'INSERT' THEN
            SELECT app_id, document_use(collection, id, bytes), (SELECT count(*) FROM new_rows)
            INTO app, more, added FROM new_rows LIMIT 1;
            IF added = 1 THEN
                PERFORM storage_use_add(app, more, 0);
            ELSIF added > 1 THEN
                PERFORM storage_use_add(app_id, used, 0) FROM (
                    SELECT app_id, sum(document_use(collection, id, bytes))::bigint AS used
                    FROM new_rows GROUP BY app_id ORDER BY app_id
                ) AS changed;
            END IF;
        WHEN 'DELETE' THEN
            PERFORM storage_use_add(app_id, -used, 0) FROM (
                SELECT app_id, sum(document_use(collection, id, bytes))::bigint AS used
                FROM old_rows GROUP BY app_id ORDER BY app_id
            ) AS changed;
    END CASE;
    RETURN NULL;
END $$;

CREATE TRIGGER documents_use_insert AFTER INSERT ON documents REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION documents_use();
CREATE TRIGGER documents_use_update AFTER UPDATE ON documents FOR EACH ROW
    WHEN (NEW.bytes <> OLD.bytes)
    EXECUTE FUNCTION documents_use();
CREATE TRIGGER documents_use_delete AFTER DELETE ON documents REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION documents_use();

CREATE FUNCTION files_use() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    app uuid;
    more bigint;
    added bigint;
BEGIN
    CASE TG_OP
        WHEN 'UPDATE' THEN
            PERFORM storage_use_add(NEW.app_id, 0, NEW.size_bytes - OLD.size_bytes);
        WHEN 'INSERT' THEN
            SELECT app_id, file_use(collection, name, size_bytes), (SELECT count(*) FROM new_rows)
            INTO app, more, added FROM new_rows LIMIT 1;
            IF added = 1 THEN
                PERFORM storage_use_add(app, 0, more);
            ELSIF added > 1 THEN
                PERFORM storage_use_add(app_id, 0, used) FROM (
                    SELECT app_id, sum(file_use(collection, name, size_bytes))::bigint AS used
                    FROM new_rows GROUP BY app_id ORDER BY app_id
                ) AS changed;
            END IF;
        WHEN 'DELETE' THEN
            PERFORM storage_use_add(app_id, 0, -used) FROM (
                SELECT app_id, sum(file_use(collection, name, size_bytes))::bigint AS used
                FROM old_rows GROUP BY app_id ORDER BY app_id
            ) AS changed;
    END CASE;
    RETURN NULL;
END $$;

CREATE TRIGGER files_use_insert AFTER INSERT ON files REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION files_use();
CREATE TRIGGER files_use_update AFTER UPDATE ON files FOR EACH ROW
    WHEN (NEW.size_bytes <> OLD.size_bytes)
    EXECUTE FUNCTION files_use();
CREATE TRIGGER files_use_delete AFTER DELETE ON files REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION files_use();

-- What is there already, in the first counter of each app.
INSERT INTO storage_use (app_id, shard, data_bytes, file_bytes)
SELECT
    apps.id,
    shard,
    CASE WHEN shard = 0 THEN coalesce(kv.bytes, 0) + coalesce(docs.bytes, 0) ELSE 0 END,
    CASE WHEN shard = 0 THEN coalesce(held.bytes, 0) ELSE 0 END
FROM apps CROSS JOIN generate_series(0, 15) AS shard
LEFT JOIN (
    SELECT app_id, sum(kv_entry_use(collection, key, value))::bigint AS bytes FROM kv_entries GROUP BY app_id
) AS kv ON kv.app_id = apps.id
LEFT JOIN (
    SELECT app_id, sum(document_use(collection, id, bytes))::bigint AS bytes FROM documents GROUP BY app_id
) AS docs ON docs.app_id = apps.id
LEFT JOIN (
    SELECT app_id, sum(file_use(collection, name, size_bytes))::bigint AS bytes FROM files GROUP BY app_id
) AS held ON held.app_id = apps.id;
