-- Projection `submissions`: what a recording is like, and where the outline of its wave is.
ALTER TABLE submissions ADD COLUMN audio jsonb, ADD COLUMN waveform_key text;
