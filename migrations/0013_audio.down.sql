-- See 0013_audio.up.sql.
ALTER TABLE submissions DROP COLUMN audio, DROP COLUMN waveform_key;
