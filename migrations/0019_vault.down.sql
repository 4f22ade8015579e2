REVOKE SELECT, INSERT, UPDATE ON uploads FROM alta_processors;
DELETE FROM uploads one USING uploads other WHERE one.item_id = other.item_id AND one.uri > other.uri;
ALTER TABLE uploads DROP CONSTRAINT uploads_pkey, ADD CONSTRAINT uploads_pkey PRIMARY KEY (item_id);
DROP INDEX events_erasures;
DROP INDEX vault.subject_keys_wrapped_by;
ALTER TABLE vault.subject_keys DROP COLUMN wrapped_by;
