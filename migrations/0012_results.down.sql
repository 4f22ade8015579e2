-- See 0012_results.up.sql.
ALTER TABLE submissions DROP COLUMN shown_result;
DROP TABLE results;
