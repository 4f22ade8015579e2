DROP TABLE jobs;
-- Made anew, the table is filled again from the events.
DELETE FROM projection_checkpoints WHERE name = 'jobs';
