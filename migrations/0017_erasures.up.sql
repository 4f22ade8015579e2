-- Erasing a person: who may destroy keys, and what holders of released data are told.

-- Projection `submissions`: the items of people who were erased.
CREATE TABLE erasures (
    item_id    uuid        PRIMARY KEY,
    project_id uuid        NOT NULL,
    item_type  text        NOT NULL,
    -- Of the event that erased the person, and of the log.
    erased_at  timestamptz NOT NULL,
    position   bigint      NOT NULL,
    reason     text        NOT NULL CHECK (reason IN ('owner_erased', 'item_erased'))
);
CREATE INDEX erasures_project ON erasures (project_id, position, item_id);
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON erasures TO alta_projectors;
GRANT SELECT ON erasures TO alta_query, alta_audit;
INSERT INTO projection_tables (projection, table_name) VALUES ('submissions', 'erasures');

-- What an erasure looks for in histories.
CREATE INDEX history_values_owner ON history_values (owner_id);
CREATE INDEX history_invitations ON history (resource_id) WHERE event_type = 'MemberInvited';
CREATE INDEX review_comments_author ON review_comments (author_id);

-- What was destroyed stays destroyed, whoever may update the rows.
GRANT UPDATE ON vault.subject_keys TO alta_command, alta_processors;
CREATE FUNCTION vault.refuse_revival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.wrapped_key IS NULL OR NEW.subject_id <> OLD.subject_id THEN
        RAISE EXCEPTION 'an erased subject stays erased' USING ERRCODE = 'ES001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER subject_keys_stay_erased BEFORE UPDATE ON vault.subject_keys
    FOR EACH ROW EXECUTE FUNCTION vault.refuse_revival();
GRANT SELECT, DELETE ON suppressed_addresses TO alta_command;
