-- See 0011_discarded_by.up.sql.
ALTER TABLE jobs DROP COLUMN discarded_by_id;
