-- See 0023_suppressed_listed.up.sql.
REVOKE SELECT (id, since, until) ON suppressed_addresses FROM alta_query;
ALTER TABLE suppressed_addresses DROP COLUMN id;
