-- How many requests each caller has sent in its current minute, where all replicas must agree on it.
-- Worth nothing after a crash, and so not logged.
CREATE UNLOGGED TABLE rate_limit_windows (
    -- A keyed hash of what is counted and the address: no address is kept.
    caller  bytea       PRIMARY KEY,
    taken   integer     NOT NULL,
    ends_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The edge of every part counts as a role of its own, which may do nothing else. Roles belong to the
-- whole cluster: another database of it may have made this one before, perhaps at this moment.
DO $$
BEGIN
    BEGIN
        CREATE ROLE alta_edge NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
    END;
    BEGIN
        EXECUTE format('GRANT alta_edge TO %I', current_user);
    EXCEPTION WHEN unique_violation OR internal_error THEN
        -- Granted by another session at this moment ("tuple concurrently updated").
        NULL;
    END;
END $$;
GRANT USAGE ON SCHEMA public TO alta_edge;
GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limit_windows TO alta_edge;
