-- In the order in which projectors lock: the checkpoint, then the tables. A copy that is being filled has
-- marks too.
SELECT version FROM projection_checkpoints WHERE name = 'search' FOR UPDATE;
SELECT projection_discard('search');
DELETE FROM projection_tables WHERE table_name = 'search_lexicon';
DROP TABLE search_lexicon;
ALTER TABLE search DROP COLUMN words;
ALTER TABLE search
    ADD COLUMN words tsvector GENERATED ALWAYS AS (CASE WHEN NOT deleted THEN name || body END) STORED,
    ALTER COLUMN words SET STORAGE EXTERNAL;
CREATE INDEX search_words ON search USING gin (words) WITH (fastupdate = off);
DROP FUNCTION search_marks;
UPDATE projection_checkpoints SET version = 1 WHERE name = 'search' AND version = 2;
