DROP SCHEMA vault CASCADE;
DROP TABLE refresh_tokens, sessions, credentials, address_subjects, email_claims, command_log,
    actor_positions, sequencer_state, event_log, events;
DROP FUNCTION refuse_change();
