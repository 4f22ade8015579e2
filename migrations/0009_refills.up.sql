-- From which position on a projection's tables may be read. While they are filled anew they hold the
-- beginning only, and nobody is to take that for all there is.
ALTER TABLE projection_checkpoints ADD COLUMN complete_at bigint NOT NULL DEFAULT 0;
