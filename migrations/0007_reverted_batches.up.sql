-- Batches of decisions that can be taken back.

-- What a batch decided. Decisions made one by one have no causation id, and other events are not
-- looked for this way: an append pays for this index only when a batch decides.
CREATE INDEX events_batch ON events ((metadata ->> 'causation_id'))
    WHERE event_type = 'ReviewDecided' AND metadata ->> 'causation_id' IS NOT NULL;

-- A decision can be told twice, and a round can end twice: which event of the review was the last.
ALTER TABLE submissions
    ADD COLUMN review_version bigint NOT NULL DEFAULT 0,
    -- When the present round began, also while the item is a draft.
    ADD COLUMN handed_in_at timestamptz;
ALTER TABLE analytics_items ADD COLUMN review_version bigint NOT NULL DEFAULT 0;

-- Projection `review_queue`: the decisions of a round that were taken back.
CREATE TABLE review_reversals (
    item_id        uuid        NOT NULL,
    -- Of the event that took it back, in the item's own stream.
    version        bigint      NOT NULL,
    round          integer     NOT NULL,
    outcome        text        NOT NULL CHECK (outcome IN ('approve', 'reject', 'request_changes')),
    reviewer_id    uuid,
    feedback       text,
    decided_at     timestamptz NOT NULL,
    reverted_by_id uuid        NOT NULL,
    reverted_at    timestamptz NOT NULL,
    PRIMARY KEY (item_id, version)
);

-- What "the next item to review" is chosen from: those that nobody has, and those whose claims ran
-- out.
CREATE INDEX review_queue_free ON review_queue (project_id, submitted_at, item_id)
    WHERE submitted_at IS NOT NULL AND claimed_until IS NULL;
CREATE INDEX review_queue_claimed ON review_queue (project_id, claimed_until)
    WHERE submitted_at IS NOT NULL AND claimed_until IS NOT NULL;

-- Which call an event belongs to.
ALTER TABLE history ADD COLUMN causation_id uuid;

GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON review_reversals TO alta_projectors;
GRANT SELECT ON review_reversals TO alta_query;
