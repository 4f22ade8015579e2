-- Projection `search`: the words by which items are found, folded by the service. Words carry no
-- places: that a word occurs is all that is asked, and a long text stays far below what fits.
CREATE TABLE search (
    item_id    uuid        PRIMARY KEY,
    project_id uuid        NOT NULL,
    owner_id   uuid        NOT NULL,
    -- The newest events of its own stream and of its review that show.
    version        bigint  NOT NULL,
    review_version bigint  NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    deleted    boolean     NOT NULL DEFAULT false,
    -- The round in which it was handed in, while it is not its owner's draft again.
    handed_in  integer,
    -- Title or file name, and content or recognised text: each changes without the other.
    name       tsvector    NOT NULL,
    body       tsvector    NOT NULL DEFAULT '',
    -- What is searched. A deleted item has no words here; name and body wait for its restoration.
    words      tsvector    GENERATED ALWAYS AS (CASE WHEN NOT deleted THEN name || body END) STORED
) WITH (toast_tuple_target = 128, fillfactor = 90);
-- Who and when stand close together, words beside them and uncompressed: thousands of matches are
-- sorted without their words, and words are read without being unpacked.
ALTER TABLE search ALTER COLUMN words SET STORAGE EXTERNAL;
-- Without a pending list a search never pays for what was written before it.
CREATE INDEX search_words ON search USING gin (words) WITH (fastupdate = off);
-- A word that is everywhere is found by looking at the newest items first.
CREATE INDEX search_created ON search (created_at DESC, item_id DESC) WHERE words IS NOT NULL;
CREATE INDEX search_project ON search (project_id, created_at DESC, item_id DESC) WHERE words IS NOT NULL;
CREATE INDEX search_owner ON search (owner_id, created_at DESC, item_id DESC) WHERE words IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON search TO alta_projectors;
GRANT SELECT ON search TO alta_query;

-- Lists of items in every order, for everybody, for a project, for an owner. An item that was never
-- handed in stands at the beginning of time where it is sorted by that.
CREATE INDEX submissions_updated ON submissions (updated_at DESC, id DESC) WHERE NOT deleted;
CREATE INDEX submissions_submitted ON submissions
    ((coalesce(submitted_at, '1970-01-01T00:00:00Z'::timestamptz)) DESC, id DESC) WHERE NOT deleted;
CREATE INDEX submissions_status ON submissions (status, created_at DESC, id DESC) WHERE NOT deleted;
CREATE INDEX submissions_project_updated ON submissions (project_id, updated_at DESC, id DESC) WHERE NOT deleted;
CREATE INDEX submissions_project_submitted ON submissions
    (project_id, (coalesce(submitted_at, '1970-01-01T00:00:00Z'::timestamptz)) DESC, id DESC) WHERE NOT deleted;
CREATE INDEX submissions_project_status ON submissions (project_id, status, created_at DESC, id DESC) WHERE NOT deleted;
CREATE INDEX submissions_owner_updated ON submissions (owner_id, updated_at DESC, id DESC) WHERE NOT deleted;
CREATE INDEX submissions_owner_submitted ON submissions
    (owner_id, (coalesce(submitted_at, '1970-01-01T00:00:00Z'::timestamptz)) DESC, id DESC) WHERE NOT deleted;
CREATE INDEX submissions_tags ON submissions USING gin (tags jsonb_path_ops) WITH (fastupdate = off) WHERE NOT deleted;

-- What waits for review: in all projects, by kind, of one submitter, and what somebody holds.
CREATE INDEX review_queue_oldest ON review_queue (submitted_at, item_id) WHERE submitted_at IS NOT NULL;
CREATE INDEX review_queue_type ON review_queue (project_id, item_type, submitted_at, item_id)
    WHERE submitted_at IS NOT NULL;
CREATE INDEX review_queue_submitter ON review_queue (submitter_id, submitted_at, item_id)
    WHERE submitted_at IS NOT NULL;
CREATE INDEX review_queue_held ON review_queue (claimed_by_id, submitted_at, item_id)
    WHERE claimed_by_id IS NOT NULL;
