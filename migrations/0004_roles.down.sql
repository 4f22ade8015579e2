-- Other databases of the cluster may use the roles; only what this one granted goes away.
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['alta_command', 'alta_query', 'alta_relay', 'alta_projectors', 'alta_processors'] LOOP
        EXECUTE format('DROP OWNED BY %I', part);
    END LOOP;
END $$;
