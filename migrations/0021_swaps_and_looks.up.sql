-- A read waits for what its caller wrote, and not for the records of what they tried or read.
GRANT SELECT (aggregate_type) ON events TO alta_query;

-- Two questions at once about the trail, both of them about much, the answer perhaps nothing at all.
CREATE INDEX history_actor_type ON history (actor_user_id, event_type, position DESC);
CREATE INDEX history_project_type ON history (project_id, event_type, position DESC);

-- What an index is called says little about what it is: the copy's must be defined like the live table's.

-- The indexes of a table and the constraints that they belong to, each in words that name no table.
CREATE FUNCTION projection_indexes(indexed regclass)
RETURNS TABLE (relname name, conname name, definition text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.relname, k.conname,
           concat_ws(' ', k.contype, pg_get_constraintdef(k.oid),
               replace(pg_get_indexdef(i.indexrelid),
                   format(' ON %I.%I USING ', n.nspname, t.relname), ' USING '))
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_class t ON t.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
    WHERE i.indrelid = indexed
$$;
REVOKE ALL ON FUNCTION projection_indexes FROM PUBLIC;

-- Gives the copy the keys, or all indexes, that the live tables have and it lacks, under the same
-- names; what it has under such a name and is another goes first, and so does what the live tables do
-- not have (any more). With all of them it is complete, and what the planner goes by is gathered.
CREATE OR REPLACE FUNCTION projection_index(name text, only_keys boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    copies text := 'rebuild_' || name;
    one text;
    live regclass;
    copy regclass;
    other record;
    lacking record;
BEGIN
    FOREACH one IN ARRAY public.projection_tables_of(name) LOOP
        live := format('public.%I', one)::regclass;
        copy := format('%I.%I', copies, one)::regclass;
        FOR other IN
            SELECT c.relname, c.conname FROM public.projection_indexes(copy) c
            WHERE NOT EXISTS (SELECT 1 FROM public.projection_indexes(live) l
                              WHERE l.relname = c.relname AND l.definition = c.definition)
        LOOP
            IF other.conname IS NOT NULL THEN
                EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', copy, other.conname);
            ELSE
                EXECUTE format('DROP INDEX %I.%I', copies, other.relname);
            END IF;
        END LOOP;
        FOR lacking IN
            SELECT c.relname, pg_get_indexdef(i.indexrelid) AS index_definition, k.conname,
                   pg_get_constraintdef(k.oid) AS key_definition
            FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
            WHERE i.indrelid = live
              AND (i.indisunique OR NOT only_keys)
              AND to_regclass(format('%I.%I', copies, c.relname)) IS NULL
            ORDER BY i.indisprimary DESC, c.relname
        LOOP
            IF lacking.conname IS NOT NULL THEN
                EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', copy, lacking.conname,
                    lacking.key_definition);
            ELSE
                EXECUTE replace(lacking.index_definition, format(' ON public.%I USING ', one),
                    format(' ON %I.%I USING ', copies, one));
            END IF;
        END LOOP;
        IF NOT only_keys THEN
            EXECUTE format('ANALYZE %s', copy);
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
            OR EXISTS (SELECT 1 FROM public.projection_indexes(live) l
                       FULL JOIN public.projection_indexes(copy) c USING (relname, definition)
                       WHERE l.definition IS NULL OR c.definition IS NULL) THEN
            RAISE EXCEPTION 'the copy of % does not have its shape', one
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        PERFORM public.projection_grant(live, copy);
        EXECUTE format('DROP TABLE public.%I', one);
        EXECUTE format('ALTER TABLE %I.%I SET SCHEMA public', copies, one);
    END LOOP;
    EXECUTE format('DROP SCHEMA %I', copies);
END $$;
