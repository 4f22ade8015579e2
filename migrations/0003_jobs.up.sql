-- Delivery state of background work. The facts (what was asked, what came of it) are events; these
-- rows say who works on what until when, and can be made again from the events.
CREATE TABLE jobs (
    job_id          uuid        PRIMARY KEY,
    kind            text        NOT NULL CHECK (kind IN ('ocr', 'transcription', 'email')),
    -- The event that asked for it: a job is made once per event.
    source_event_id uuid        NOT NULL,
    item_id         uuid,
    project_id      uuid,
    task            jsonb       NOT NULL,
    state           text        NOT NULL DEFAULT 'queued'
                    CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'dead', 'discarded', 'retried')),
    -- Counted when a worker takes the job, so that a worker that dies counts too.
    attempts        integer     NOT NULL DEFAULT 0,
    run_after       timestamptz NOT NULL,
    -- The hold of one worker on one attempt; new for every attempt, so that a late worker is fenced.
    leased_by       uuid,
    leased_until    timestamptz,
    error_code      text,
    last_error      text,
    progress        jsonb,
    created_at      timestamptz NOT NULL,
    started_at      timestamptz,
    finished_at     timestamptz,
    UNIQUE (kind, source_event_id)
);
-- The longest due job of each project, found without looking at the rest of a long queue.
CREATE INDEX jobs_due ON jobs
    (kind, (coalesce(project_id, '00000000-0000-0000-0000-000000000000')), run_after, job_id)
    WHERE state IN ('queued', 'running');
CREATE INDEX jobs_running ON jobs (kind, project_id) WHERE state = 'running';
CREATE INDEX jobs_dead ON jobs (finished_at) WHERE state = 'dead';
CREATE INDEX jobs_item ON jobs (item_id, created_at DESC);
