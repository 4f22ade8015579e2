-- Files that somebody began to put into the object store for an item. Written before the first byte,
-- so that what a cut-off upload leaves behind is known and removed: an object is never taken for an
-- orphan because nothing here speaks of it, which in a shared bucket would be another's file.
CREATE TABLE uploads (
    -- The item that the file is for.
    item_id      uuid PRIMARY KEY,
    -- The object, with its store.
    uri          text NOT NULL,
    -- By which the store knows an upload in parts until it is complete.
    multipart_id text,
    begun_at     timestamptz NOT NULL
);

CREATE INDEX uploads_begun ON uploads (begun_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON uploads TO alta_command;
