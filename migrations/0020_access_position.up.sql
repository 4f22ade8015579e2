-- The newest position at which somebody's rights may have changed: a copy of the database is not read by
-- anybody before the projection `access` on it is there.
ALTER TABLE sequencer_state ADD COLUMN access_position bigint NOT NULL DEFAULT 0;
UPDATE sequencer_state SET access_position = coalesce((SELECT max(position) FROM event_log), 0);
