-- Projection `submissions`: every result that a run came to, numbered from 1 as they came. The item's
-- own row shows one of them.
CREATE TABLE results (
    item_id          uuid        NOT NULL,
    number           integer     NOT NULL,
    run_id           uuid        NOT NULL,
    engine           text        NOT NULL,
    engine_version   text        NOT NULL,
    parameters       jsonb,
    language         text,
    confidence       double precision,
    duration_seconds double precision,
    started_at       timestamptz NOT NULL,
    finished_at      timestamptz NOT NULL,
    -- Here when small, else in the store under the keys.
    text             text,
    text_key         text,
    result           jsonb,
    result_key       text,
    PRIMARY KEY (item_id, number),
    UNIQUE (item_id, run_id)
);
ALTER TABLE submissions ADD COLUMN shown_result integer;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON results TO alta_projectors;
GRANT SELECT ON results TO alta_query;
