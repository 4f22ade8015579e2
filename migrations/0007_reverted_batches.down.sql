ALTER TABLE history DROP COLUMN causation_id;
DROP INDEX review_queue_claimed;
DROP INDEX review_queue_free;
DROP TABLE review_reversals;
ALTER TABLE analytics_items DROP COLUMN review_version;
ALTER TABLE submissions DROP COLUMN handed_in_at, DROP COLUMN review_version;
DROP INDEX events_batch;
