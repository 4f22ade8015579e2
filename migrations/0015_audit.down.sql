-- Other databases of the cluster may use the role; only what this one granted goes away.
DROP OWNED BY alta_audit;
DROP INDEX history_owner, history_recorded, history_failures, history_resource_type, history_event_type;
ALTER TABLE history DROP COLUMN details, DROP COLUMN access;
