-- The audit trail: what was tried and read stands beside what was done.

-- Whether an entry is about an access, which belongs to no item's history, and what is told of it.
ALTER TABLE history
    ADD COLUMN access boolean NOT NULL DEFAULT false,
    ADD COLUMN details jsonb;
-- Newest first, whatever is asked for; times are turned into positions.
CREATE INDEX history_event_type ON history (event_type, position DESC);
CREATE INDEX history_resource_type ON history (resource_type, position DESC);
CREATE INDEX history_failures ON history (position DESC) WHERE status = 'failure';
CREATE INDEX history_recorded ON history (recorded_at, position);
CREATE INDEX history_owner ON history (owner_id, project_id, position DESC);

-- Reads events for auditors and records that it did; may do nothing else.
DO $$
BEGIN
    BEGIN
        CREATE ROLE alta_audit NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
    END;
    BEGIN
        EXECUTE format('GRANT alta_audit TO %I', current_user);
    EXCEPTION WHEN unique_violation OR internal_error THEN
        -- Granted by another session at this moment ("tuple concurrently updated").
        NULL;
    END;
END $$;
GRANT USAGE ON SCHEMA public, vault TO alta_audit;
GRANT SELECT, INSERT ON events TO alta_audit;
GRANT SELECT ON event_log, actor_positions, sequencer_state, projection_checkpoints TO alta_audit;
GRANT SELECT, INSERT ON vault.subject_keys TO alta_audit;
-- What was is answered by the statements that answer what is, from tables of the same shape.
GRANT SELECT ON users, projects, project_members, project_invitations, submissions, results, review_queue,
    review_rounds, review_comments, review_reversals TO alta_audit;
