-- See 0010_search_windows.up.sql.
DROP INDEX search_created, search_project, search_owner;
CREATE INDEX search_created ON search (created_at DESC, item_id DESC) WHERE words IS NOT NULL;
CREATE INDEX search_project ON search (project_id, created_at DESC, item_id DESC) WHERE words IS NOT NULL;
CREATE INDEX search_owner ON search (owner_id, created_at DESC, item_id DESC) WHERE words IS NOT NULL;
