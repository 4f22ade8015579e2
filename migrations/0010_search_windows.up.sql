-- A word that many items have is looked for in a window of time: the places of the word and of the
-- window meet before any row is read. The planner lets no index into such a meeting whose own
-- condition follows from the word.
DROP INDEX search_created, search_project, search_owner;
CREATE INDEX search_created ON search (created_at DESC, item_id DESC);
CREATE INDEX search_project ON search (project_id, created_at DESC, item_id DESC);
CREATE INDEX search_owner ON search (owner_id, created_at DESC, item_id DESC);
