-- See 0021_swaps_and_looks.up.sql; the functions as 0016_rebuilds made them.
-- Gives the copy the keys, or all indexes, that the live tables have and it lacks, under the same
-- names; with all of them it is complete, and what the planner goes by is gathered.
CREATE OR REPLACE FUNCTION projection_index(name text, only_keys boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    copies text := 'rebuild_' || name;
    one text;
    lacking record;
BEGIN
    FOREACH one IN ARRAY public.projection_tables_of(name) LOOP
        FOR lacking IN
            SELECT c.relname, pg_get_indexdef(i.indexrelid) AS index_definition, k.conname,
                   pg_get_constraintdef(k.oid) AS key_definition
            FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
            WHERE i.indrelid = format('public.%I', one)::regclass
              AND (i.indisunique OR NOT only_keys)
              AND to_regclass(format('%I.%I', copies, c.relname)) IS NULL
            ORDER BY i.indisprimary DESC, c.relname
        LOOP
            IF lacking.conname IS NOT NULL THEN
                EXECUTE format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', copies, one, lacking.conname,
                    lacking.key_definition);
            ELSE
                EXECUTE replace(lacking.index_definition, format(' ON public.%I USING ', one),
                    format(' ON %I.%I USING ', copies, one));
            END IF;
        END LOOP;
        IF NOT only_keys THEN
            EXECUTE format('ANALYZE %I.%I', copies, one);
        END IF;
    END LOOP;
END $$;

-- Puts the copy in the place of the live tables, which are dropped: all in the caller's transaction.
-- Refuses when the two do not have the same shape and indexes, or when something hangs on the old.
CREATE OR REPLACE FUNCTION projection_swap(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tables text[] := public.projection_tables_of(name);
    copies text := 'rebuild_' || name;
    one text;
    live regclass;
    copy regclass;
BEGIN
    EXECUTE 'LOCK TABLE ' || (SELECT string_agg(format('public.%I', t.named), ', ' ORDER BY t.named)
                              FROM unnest(tables) t(named)) || ' IN ACCESS EXCLUSIVE MODE';
    FOREACH one IN ARRAY tables LOOP
        live := format('public.%I', one)::regclass;
        copy := format('%I.%I', copies, one)::regclass;
        IF public.projection_shape(live) <> public.projection_shape(copy)
            OR (SELECT array_agg(c.relname ORDER BY c.relname)
                FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = live)
               IS DISTINCT FROM
               (SELECT array_agg(c.relname ORDER BY c.relname)
                FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = copy) THEN
            RAISE EXCEPTION 'the copy of % does not have its shape', one
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        PERFORM public.projection_grant(live, copy);
        EXECUTE format('DROP TABLE public.%I', one);
        EXECUTE format('ALTER TABLE %I.%I SET SCHEMA public', copies, one);
    END LOOP;
    EXECUTE format('DROP SCHEMA %I', copies);
END $$;

DROP FUNCTION projection_indexes;

DROP INDEX history_project_type, history_actor_type;
REVOKE SELECT (aggregate_type) ON events FROM alta_query;
