DROP INDEX review_queue_held, review_queue_submitter, review_queue_type, review_queue_oldest,
    submissions_tags, submissions_owner_submitted, submissions_owner_updated,
    submissions_project_status, submissions_project_submitted, submissions_project_updated,
    submissions_status, submissions_submitted, submissions_updated;
DROP TABLE search;
DELETE FROM projection_checkpoints WHERE name = 'search';
