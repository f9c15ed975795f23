-- People name a file by its id, scripts by its name.
CREATE INDEX files_app_id_id_idx ON files (app_id, id);
