-- See 0009_refills.up.sql.
ALTER TABLE projection_checkpoints DROP COLUMN complete_at;
