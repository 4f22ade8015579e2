ALTER TABLE sequencer_state DROP COLUMN access_position;
