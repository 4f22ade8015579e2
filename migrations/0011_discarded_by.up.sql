-- Who set a dead letter aside; nobody where it was done at the command line.
ALTER TABLE jobs ADD COLUMN discarded_by_id uuid;
