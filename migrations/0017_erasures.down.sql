REVOKE SELECT, DELETE ON suppressed_addresses FROM alta_command;
DROP TRIGGER subject_keys_stay_erased ON vault.subject_keys;
DROP FUNCTION vault.refuse_revival();
REVOKE UPDATE ON vault.subject_keys FROM alta_command, alta_processors;
DROP INDEX review_comments_author, history_invitations, history_values_owner;
DELETE FROM projection_tables WHERE table_name = 'erasures';
DROP TABLE erasures;
