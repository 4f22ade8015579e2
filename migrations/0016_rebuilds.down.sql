-- See 0016_rebuilds.up.sql. Copies that are not finished go too.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT DISTINCT projection FROM projection_tables LOOP
        PERFORM projection_discard(name);
    END LOOP;
END $$;
DROP FUNCTION projection_swap, projection_index, projection_stage, projection_discard,
    projection_grant, projection_shape, projection_tables_of;
DROP TABLE projection_rebuilds, projection_tables;
