-- Projections are rebuilt beside the live ones: a copy of their tables in a schema of its own is
-- filled from the log and takes their place in one transaction. Making tables and putting one in the
-- place of another is the owner's right: the functions below do it for the projectors, and for the
-- tables of projections only.

-- Which tables are whose. A migration that adds a table to a projection names it here.
CREATE TABLE projection_tables (
    table_name text PRIMARY KEY,
    projection text NOT NULL
);
INSERT INTO projection_tables (projection, table_name) VALUES
    ('access', 'users'), ('access', 'projects'), ('access', 'project_members'),
    ('access', 'project_invitations'),
    ('submissions', 'submissions'), ('submissions', 'results'),
    ('review_queue', 'review_queue'), ('review_queue', 'review_rounds'),
    ('review_queue', 'review_comments'), ('review_queue', 'review_reversals'),
    ('analytics', 'analytics_items'), ('analytics', 'analytics_status_counts'),
    ('analytics', 'analytics_contributions_daily'), ('analytics', 'analytics_rounds'),
    ('history', 'history'), ('history', 'history_values'),
    ('search', 'search');

-- The newest rebuild of each projection, and how far it is.
CREATE TABLE projection_rebuilds (
    name            text        PRIMARY KEY,
    -- `interrupted`: by an operator, until somebody asks again. The others that are not `done` are
    -- taken up by whoever finds them without a worker.
    state           text        NOT NULL CHECK (state IN ('requested', 'filling', 'interrupted', 'done')),
    -- Of the code that fills the copy.
    version         integer     NOT NULL DEFAULT 0,
    -- What the copy shows.
    position        bigint      NOT NULL DEFAULT 0,
    -- What was read for it, which may stand in memory still.
    seen            bigint      NOT NULL DEFAULT 0,
    target          bigint      NOT NULL DEFAULT 0,
    requested_by_id uuid,
    requested_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at      timestamptz,
    -- Where and when the present attempt began: what its pace is reckoned from.
    resumed_from    bigint      NOT NULL DEFAULT 0,
    resumed_at      timestamptz,
    moved_at        timestamptz,
    finished_at     timestamptz,
    -- Why the last attempt stopped.
    error           text
);

GRANT SELECT ON projection_tables TO alta_projectors, alta_command;
GRANT SELECT, INSERT, UPDATE ON projection_rebuilds TO alta_projectors, alta_command;
GRANT SELECT ON projection_rebuilds TO alta_query;

-- The tables of a projection in an order of their own, which all that lock them keep.
CREATE FUNCTION projection_tables_of(name text) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tables text[] := (SELECT array_agg(t.table_name ORDER BY t.table_name)
                      FROM public.projection_tables t WHERE t.projection = name);
BEGIN
    IF tables IS NULL THEN
        RAISE EXCEPTION 'there is no projection %', name USING ERRCODE = 'undefined_object';
    END IF;
    RETURN tables;
END $$;

-- What two tables must have in common for one to stand in for the other, indexes apart.
CREATE FUNCTION projection_shape(shaped regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat_ws(E'\n',
        (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
                                     a.attnotnull, a.attgenerated, a.attstorage,
                                     pg_get_expr(d.adbin, d.adrelid)), E'\n' ORDER BY a.attnum)
         FROM pg_attribute a
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = shaped AND a.attnum > 0 AND NOT a.attisdropped),
        (SELECT string_agg(c.conname || ' ' || pg_get_constraintdef(c.oid), E'\n' ORDER BY c.conname)
         FROM pg_constraint c WHERE c.conrelid = shaped AND c.contype = 'c'))
$$;

-- Gives `copy` the rights that `live` grants, and no others.
CREATE FUNCTION projection_grant(live regclass, copy regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given record;
BEGIN
    FOR given IN SELECT DISTINCT g.grantee FROM pg_class c, aclexplode(c.relacl) g
                 WHERE c.oid = copy AND g.grantee <> c.relowner LOOP
        EXECUTE format('REVOKE ALL ON TABLE %s FROM %s', copy,
            CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(given.grantee)) END);
    END LOOP;
    FOR given IN
        SELECT g.grantee, g.privilege_type AS privilege, g.is_grantable, NULL::name AS attname
        FROM pg_class c, aclexplode(c.relacl) g WHERE c.oid = live AND g.grantee <> c.relowner
        UNION ALL
        SELECT g.grantee, g.privilege_type, g.is_grantable, a.attname
        FROM pg_attribute a, aclexplode(a.attacl) g
        WHERE a.attrelid = live AND a.attnum > 0 AND NOT a.attisdropped
    LOOP
        EXECUTE format('GRANT %s %s ON TABLE %s TO %s %s',
            given.privilege,
            CASE WHEN given.attname IS NULL THEN '' ELSE format('(%I)', given.attname) END,
            copy,
            CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(given.grantee)) END,
            CASE WHEN given.is_grantable THEN 'WITH GRANT OPTION' ELSE '' END);
    END LOOP;
END $$;

-- Throws a copy away.
CREATE FUNCTION projection_discard(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM public.projection_tables_of(name);
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', 'rebuild_' || name);
END $$;

-- Makes an empty copy without keys and indexes, unless there is one that fits. Whether it was made.
CREATE FUNCTION projection_stage(name text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tables text[] := public.projection_tables_of(name);
    copies text := 'rebuild_' || name;
    one text;
    options text;
    fits boolean := true;
BEGIN
    FOREACH one IN ARRAY tables LOOP
        fits := fits AND coalesce(
            public.projection_shape(to_regclass(format('%I.%I', copies, one)))
                = public.projection_shape(format('public.%I', one)::regclass), false);
    END LOOP;
    IF fits THEN
        RETURN false;
    END IF;
    PERFORM public.projection_discard(name);
    EXECUTE format('CREATE SCHEMA %I', copies);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO alta_projectors', copies);
    FOREACH one IN ARRAY tables LOOP
        EXECUTE format('CREATE TABLE %I.%I (LIKE public.%I INCLUDING ALL EXCLUDING INDEXES)',
            copies, one, one);
        SELECT array_to_string(c.reloptions, ', ') INTO options
        FROM pg_class c WHERE c.oid = format('public.%I', one)::regclass;
        IF options IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %I.%I SET (%s)', copies, one, options);
        END IF;
        PERFORM public.projection_grant(format('public.%I', one)::regclass,
            format('%I.%I', copies, one)::regclass);
    END LOOP;
    RETURN true;
END $$;

-- Gives the copy the keys, or all indexes, that the live tables have and it lacks, under the same
-- names; with all of them it is complete, and what the planner goes by is gathered.
CREATE FUNCTION projection_index(name text, only_keys boolean) RETURNS void
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
CREATE FUNCTION projection_swap(name text) RETURNS void
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

REVOKE ALL ON FUNCTION projection_tables_of, projection_shape, projection_grant, projection_discard,
    projection_stage, projection_index, projection_swap FROM PUBLIC;
GRANT EXECUTE ON FUNCTION projection_discard, projection_stage, projection_index, projection_swap
    TO alta_projectors;
