-- What the query side answers from. Every table belongs to one projector and can be rebuilt.

CREATE TABLE projection_checkpoints (
    name     text    PRIMARY KEY,
    version  integer NOT NULL,
    position bigint  NOT NULL
);

-- Projection `access`: who is who, and who may see what.
CREATE TABLE users (
    id          uuid        PRIMARY KEY,
    email       text,
    name        text,
    is_verified boolean     NOT NULL,
    global_role text        NOT NULL,
    suspended   boolean     NOT NULL DEFAULT false,
    deactivated boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX users_created ON users (created_at, id);

CREATE TABLE projects (
    id                uuid        PRIMARY KEY,
    name              text        NOT NULL,
    description       text,
    created_by_id     uuid        NOT NULL,
    allow_self_review boolean     NOT NULL,
    deleted           boolean     NOT NULL DEFAULT false,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL
);

CREATE TABLE project_members (
    id         uuid        NOT NULL,
    project_id uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    role       text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX project_members_user ON project_members (user_id, project_id);

CREATE TABLE project_invitations (
    id            uuid        PRIMARY KEY,
    project_id    uuid        NOT NULL,
    email         text,
    role          text        NOT NULL,
    invited_by_id uuid        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('pending', 'accepted', 'revoked')),
    expires_at    timestamptz NOT NULL,
    created_at    timestamptz NOT NULL
);
CREATE INDEX project_invitations_project ON project_invitations (project_id, created_at, id);

-- Projection `submissions`: every item as it is now.
CREATE TABLE submissions (
    id                uuid        PRIMARY KEY,
    item_type         text        NOT NULL CHECK (item_type IN ('document', 'voice_sample', 'raw_text')),
    project_id        uuid        NOT NULL,
    owner_id          uuid        NOT NULL,
    status            text        NOT NULL CHECK (status IN ('draft', 'pending_review', 'approved', 'rejected')),
    round             integer     NOT NULL DEFAULT 0,
    version           bigint      NOT NULL,
    deleted           boolean     NOT NULL DEFAULT false,
    original_filename text,
    title             text,
    content           text,
    content_key       text,
    object_key        text,
    gcs_uri           text,
    sha256            text,
    size_bytes        bigint,
    media_type        text,
    pages             integer,
    duration_seconds  double precision,
    is_raw            boolean     NOT NULL DEFAULT false,
    domain            text,
    language          text,
    tags              jsonb,
    extra_metadata    jsonb,
    -- Recognised or transcribed text: here when small, else in the store under text_key.
    processed_text    text,
    text_key          text,
    result            jsonb,
    result_key        text,
    confidence        double precision,
    detected_language text,
    processed         boolean     NOT NULL DEFAULT false,
    run_id            uuid,
    processing_state  text        CHECK (processing_state IN ('queued', 'succeeded', 'failed', 'dead')),
    attempts          integer     NOT NULL DEFAULT 0,
    error_code        text,
    last_error        text,
    engine            text,
    started_at        timestamptz,
    finished_at       timestamptz,
    submitted_at      timestamptz,
    reviewed_by_id    uuid,
    feedback          text,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL
);
CREATE INDEX submissions_created ON submissions (created_at DESC, id DESC) WHERE NOT deleted;
CREATE INDEX submissions_owner ON submissions (owner_id, created_at DESC, id DESC) WHERE NOT deleted;
CREATE INDEX submissions_project ON submissions (project_id, created_at DESC, id DESC) WHERE NOT deleted;
CREATE INDEX submissions_drafts ON submissions (owner_id, project_id, created_at DESC, id DESC)
    WHERE status = 'draft' AND NOT deleted;

-- Projection `review_queue`: what waits, and what was said and decided in each round.
CREATE TABLE review_queue (
    item_id       uuid        PRIMARY KEY,
    project_id    uuid        NOT NULL,
    item_type     text        NOT NULL,
    round         integer     NOT NULL,
    title         text,
    submitter_id  uuid        NOT NULL,
    -- NULL while the item does not wait.
    submitted_at  timestamptz,
    claimed_by_id uuid,
    claimed_until timestamptz
);
CREATE INDEX review_queue_order ON review_queue (project_id, submitted_at, item_id)
    WHERE submitted_at IS NOT NULL;

CREATE TABLE review_rounds (
    item_id      uuid        NOT NULL,
    round        integer     NOT NULL,
    project_id   uuid        NOT NULL,
    submitted_at timestamptz NOT NULL,
    outcome      text        CHECK (outcome IN ('approve', 'reject', 'request_changes', 'withdrawn')),
    reviewer_id  uuid,
    feedback     text,
    decided_at   timestamptz,
    PRIMARY KEY (item_id, round)
);

CREATE TABLE review_comments (
    id         uuid        PRIMARY KEY,
    item_id    uuid        NOT NULL,
    round      integer     NOT NULL,
    author_id  uuid        NOT NULL,
    text       text,
    created_at timestamptz NOT NULL
);
CREATE INDEX review_comments_item ON review_comments (item_id, created_at, id);

-- Projection `analytics`: one row an item, one a round, and the sums of items kept up to date.
-- People are counted from `users`.
CREATE TABLE analytics_items (
    item_id    uuid        PRIMARY KEY,
    item_type  text        NOT NULL,
    project_id uuid        NOT NULL,
    owner_id   uuid        NOT NULL,
    status     text        NOT NULL,
    deleted    boolean     NOT NULL DEFAULT false,
    created_on date        NOT NULL,
    round      integer     NOT NULL,
    -- The newest event of its own stream that was counted.
    version    bigint      NOT NULL
);
CREATE TABLE analytics_status_counts (
    project_id uuid   NOT NULL,
    owner_id   uuid   NOT NULL,
    item_type  text   NOT NULL,
    status     text   NOT NULL,
    count      bigint NOT NULL,
    PRIMARY KEY (project_id, owner_id, item_type, status)
);
CREATE INDEX analytics_status_counts_owner ON analytics_status_counts (owner_id);
CREATE TABLE analytics_contributions_daily (
    project_id uuid   NOT NULL,
    owner_id   uuid   NOT NULL,
    day        date   NOT NULL,
    count      bigint NOT NULL,
    PRIMARY KEY (project_id, day, owner_id)
);
CREATE INDEX analytics_contributions_owner ON analytics_contributions_daily (owner_id, day);
CREATE TABLE analytics_rounds (
    item_id      uuid        NOT NULL,
    round        integer     NOT NULL,
    project_id   uuid        NOT NULL,
    owner_id     uuid        NOT NULL,
    submitted_at timestamptz NOT NULL,
    outcome      text,
    reviewer_id  uuid,
    decided_at   timestamptz,
    PRIMARY KEY (item_id, round)
);
CREATE INDEX analytics_rounds_decided ON analytics_rounds (project_id, decided_at);
CREATE INDEX analytics_rounds_pending ON analytics_rounds (project_id, submitted_at) WHERE outcome IS NULL;
CREATE INDEX analytics_rounds_owner ON analytics_rounds (owner_id) WHERE outcome IS NOT NULL;

-- Projection `history`: every event, readable.
CREATE TABLE history (
    position       bigint      PRIMARY KEY,
    event_id       uuid        NOT NULL,
    event_type     text        NOT NULL,
    resource_type  text        NOT NULL,
    resource_id    text        NOT NULL,
    project_id     uuid,
    owner_id       uuid,
    actor_user_id  uuid,
    request_id     text,
    ip_address     text,
    user_agent     text,
    status         text        NOT NULL DEFAULT 'success',
    changes        jsonb       NOT NULL,
    recorded_at    timestamptz NOT NULL
);
CREATE INDEX history_resource ON history (resource_id, position);
CREATE INDEX history_project ON history (project_id, position DESC);
CREATE INDEX history_actor ON history (actor_user_id, position DESC);

-- What a history entry compares with: the last values of each resource.
CREATE TABLE history_values (
    resource_id   text  PRIMARY KEY,
    resource_type text  NOT NULL,
    project_id    uuid,
    owner_id      uuid,
    fields        jsonb NOT NULL
);
