-- The vault's master key can be changed while the service runs.

-- The name of the master key that wraps this one; absent where it was wrapped before they had names.
ALTER TABLE vault.subject_keys ADD COLUMN wrapped_by text;
-- Which master keys are in use is asked at every start.
CREATE INDEX subject_keys_wrapped_by ON vault.subject_keys (wrapped_by) WHERE wrapped_key IS NOT NULL;

-- An item that was erased has a grave, whether it had a key or not: what stood in clear in its first
-- events, before they sealed what is said about it, is shown no more.
INSERT INTO vault.subject_keys (subject_id, erased_at)
SELECT e.aggregate_id::uuid, e.recorded_at FROM events e
WHERE e.aggregate_type = 'submission' AND e.event_type = 'SubmissionErased'
ON CONFLICT (subject_id) DO NOTHING;

-- Erasures are looked for among all events: has a copy of a projection met them all?
CREATE INDEX events_erasures ON events (id) WHERE event_type IN ('UserErased', 'SubmissionErased');

-- Long texts and results are noted like uploads before they are put, several for an item: what is put
-- for one that was erased meanwhile is removed.
ALTER TABLE uploads DROP CONSTRAINT uploads_pkey, ADD CONSTRAINT uploads_pkey PRIMARY KEY (item_id, uri);
GRANT SELECT, INSERT, UPDATE ON uploads TO alta_processors;
