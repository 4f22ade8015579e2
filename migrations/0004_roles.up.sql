-- The roles that the parts run as. Roles belong to the whole cluster: another database of it may
-- have made them before, perhaps at this moment.
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['alta_command', 'alta_query', 'alta_relay', 'alta_projectors', 'alta_processors'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', part);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        BEGIN
            EXECUTE format('GRANT %I TO %I', part, current_user);
        EXCEPTION WHEN unique_violation OR internal_error THEN
            -- Granted by another session at this moment ("tuple concurrently updated").
            NULL;
        END;
        EXECUTE format('GRANT USAGE ON SCHEMA public, vault TO %I', part);
    END LOOP;
END $$;

-- Appending: the command side, and the processors with their policies and outcomes.
GRANT SELECT, INSERT ON events TO alta_command, alta_processors;
GRANT SELECT, INSERT, DELETE ON command_log TO alta_command;
GRANT SELECT, INSERT ON command_log, email_claims, address_subjects TO alta_processors;
GRANT SELECT, INSERT, DELETE ON email_claims, address_subjects TO alta_command;
GRANT SELECT, INSERT, UPDATE ON credentials, sessions, refresh_tokens TO alta_command, alta_processors;
GRANT DELETE ON sessions, refresh_tokens, credentials TO alta_command;
GRANT SELECT, INSERT ON vault.subject_keys TO alta_command, alta_processors;
GRANT SELECT ON event_log, actor_positions, sequencer_state, projection_checkpoints
    TO alta_command, alta_query, alta_processors, alta_projectors;

-- Numbering and publishing.
GRANT SELECT ON events TO alta_relay, alta_projectors;
GRANT SELECT, INSERT ON event_log TO alta_relay;
GRANT SELECT, UPDATE ON sequencer_state TO alta_relay;
GRANT SELECT, INSERT, UPDATE ON actor_positions TO alta_relay;

-- Projecting.
GRANT SELECT ON vault.subject_keys TO alta_projectors;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON projection_checkpoints, users, projects,
    project_members, project_invitations, submissions, review_queue, review_rounds, review_comments,
    analytics_items, analytics_status_counts, analytics_contributions_daily, analytics_rounds,
    history, history_values TO alta_projectors;
GRANT SELECT, INSERT, UPDATE ON projection_checkpoints TO alta_processors;

-- Reading. The newest event of the caller is looked up in the store; nothing else of it is read.
GRANT SELECT ON users, projects, project_members, project_invitations, submissions, review_queue,
    review_rounds, review_comments, analytics_items, analytics_status_counts,
    analytics_contributions_daily, analytics_rounds, history, jobs, sessions
    TO alta_query;
GRANT SELECT (id, metadata, recorded_at) ON events TO alta_query;

-- What "the next item to review" is chosen from; the item's own stream decides.
GRANT SELECT ON review_queue TO alta_command;

-- Working.
GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO alta_processors;
GRANT SELECT, UPDATE ON jobs TO alta_command;
