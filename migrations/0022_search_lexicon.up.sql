-- In the order in which projectors lock: the checkpoint, then the tables.
SELECT version FROM projection_checkpoints WHERE name = 'search' FOR UPDATE;

-- Where an item stands is in the index beside its words, in spellings that no word has: `#` its project,
-- `^` its owner, and `@` when it was created, at nine scales of which each is eight times the one
-- before, from 64 seconds to 34 years. So one index, and one plan for whatever is asked, meets words,
-- who may see them and a stretch of time before any row is read.
CREATE FUNCTION search_marks(project_id uuid, owner_id uuid, created_at timestamptz) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(ARRAY[
        '#' || project_id::text, '^' || owner_id::text,
        '@0.' || (second >> 6)::text, '@1.' || (second >> 9)::text, '@2.' || (second >> 12)::text,
        '@3.' || (second >> 15)::text, '@4.' || (second >> 18)::text, '@5.' || (second >> 21)::text,
        '@6.' || (second >> 24)::text, '@7.' || (second >> 27)::text, '@8.' || (second >> 30)::text])
    FROM (SELECT floor(extract(epoch FROM created_at AT TIME ZONE 'UTC'))::bigint AS second) AS at
$$;

ALTER TABLE search DROP COLUMN words;
ALTER TABLE search
    ADD COLUMN words tsvector GENERATED ALWAYS AS (
        CASE WHEN NOT deleted THEN name || body || search_marks(project_id, owner_id, created_at) END) STORED,
    ALTER COLUMN words SET STORAGE EXTERNAL;
CREATE INDEX search_words ON search USING gin (words) WITH (fastupdate = off);

-- Projection `search`: every word that is searched, `#` and `^` marks too, and how many items have it.
-- In the order of their bytes, those that begin alike stand together.
CREATE TABLE search_lexicon (
    word  text   COLLATE "C" PRIMARY KEY,
    items bigint NOT NULL
) WITH (fillfactor = 70);
INSERT INTO search_lexicon (word, items)
SELECT word, count(*) FROM search CROSS JOIN unnest(tsvector_to_array(words)) AS word
WHERE word NOT LIKE '@%' GROUP BY word;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON search_lexicon TO alta_projectors;
GRANT SELECT ON search_lexicon TO alta_query;
INSERT INTO projection_tables (projection, table_name) VALUES ('search', 'search_lexicon');
-- The rows are what the code of this version makes of them: nothing needs to be filled again, and older
-- code leaves them alone.
UPDATE projection_checkpoints SET version = 2 WHERE name = 'search' AND version = 1;
