//! What holds for every projector: the same rows however often and in whatever batches events come.

use crate::everything::everything;
use crate::random;
use crate::search::search;
use crate::story::{Story, history, rows};
use projectors::{
    Access, Analytics, ProjectionError, Projector, Remembered, ReviewQueue, Submissions, as_it_was,
    catch_up, checkpoint,
};
use serde_json::Value;
use sqlx::PgPool;

const TABLES: [&str; 17] = [
    "users",
    "projects",
    "project_members",
    "project_invitations",
    "submissions",
    "review_queue",
    "review_rounds",
    "review_comments",
    "review_reversals",
    "analytics_items",
    "analytics_status_counts",
    "analytics_contributions_daily",
    "analytics_rounds",
    "history",
    "history_values",
    "search",
    "search_lexicon",
];

async fn everything_in(pool: &PgPool) -> Vec<(&'static str, Vec<Value>)> {
    let mut tables = vec![];
    for table in TABLES {
        tables.push((table, rows(pool, table).await));
    }
    tables
}

async fn apply_all(pool: &PgPool, batch: usize) {
    let story = everything();
    story.applied(&Access, pool, batch).await;
    story.applied(&Submissions, pool, batch).await;
    story.applied(&ReviewQueue, pool, batch).await;
    story.applied(&Analytics, pool, batch).await;
    story.applied(&history(), pool, batch).await;
    story.applied(&search().0, pool, batch).await;
}

#[tokio::test]
async fn twice_is_once() {
    let pool = test_kit::postgres().await.pool;
    apply_all(&pool, usize::MAX).await;
    let once = everything_in(&pool).await;
    assert!(
        once.iter()
            .all(|(table, rows)| !rows.is_empty() || *table == "project_members")
    );
    sqlx::query("UPDATE projection_checkpoints SET position = 0")
        .execute(&pool)
        .await
        .expect("checkpoints go back");
    apply_all(&pool, usize::MAX).await;
    assert_eq!(everything_in(&pool).await, once);
}

#[tokio::test]
async fn one_by_one_is_all_at_once() {
    let pool = test_kit::postgres().await.pool;
    apply_all(&pool, usize::MAX).await;
    let at_once = everything_in(&pool).await;
    for batch in [1, 3] {
        let pool = test_kit::postgres().await.pool;
        apply_all(&pool, batch).await;
        assert_eq!(everything_in(&pool).await, at_once, "in batches of {batch}");
    }
}

#[tokio::test]
async fn newer_code_says_that_the_tables_are_outdated_and_leaves_them_alone() {
    let pool = test_kit::postgres().await.pool;
    apply_all(&pool, usize::MAX).await;
    let before = everything_in(&pool).await;
    sqlx::query("UPDATE projection_checkpoints SET version = 0 WHERE name = 'review_queue'")
        .execute(&pool)
        .await
        .expect("an old version");
    let mut connection = pool.acquire().await.expect("a connection");
    let found = checkpoint::<ReviewQueue>(&mut connection)
        .await
        .expect("a checkpoint");
    assert!(found.outdated);
    let events = everything().events;
    let written = catch_up(&ReviewQueue, &mut connection, found.position, &events).await;
    assert!(
        matches!(written, Err(ProjectionError::LeadLost)),
        "{written:?}"
    );
    assert_eq!(everything_in(&pool).await, before);
}

#[tokio::test]
async fn older_code_leaves_the_tables_of_newer_code_alone() {
    let pool = test_kit::postgres().await.pool;
    apply_all(&pool, usize::MAX).await;
    let before = everything_in(&pool).await;
    sqlx::query("UPDATE projection_checkpoints SET version = 1000 WHERE name = 'review_queue'")
        .execute(&pool)
        .await
        .expect("a newer version");
    let mut connection = pool.acquire().await.expect("a connection");
    let refused = checkpoint::<ReviewQueue>(&mut connection).await;
    assert!(
        matches!(refused, Err(ProjectionError::NewerCode(1000))),
        "{refused:?}"
    );
    assert_eq!(everything_in(&pool).await, before);
}

#[tokio::test]
async fn who_does_not_lead_any_more_writes_nothing() {
    let pool = test_kit::postgres().await.pool;
    let story = everything();
    let mut connection = pool.acquire().await.expect("a connection");
    let position = checkpoint::<Access>(&mut connection)
        .await
        .expect("a checkpoint")
        .position;
    let (first, rest) = story.events.split_at(3);
    catch_up(&Access, &mut connection, position, first)
        .await
        .expect("leads");
    let late = catch_up(&Access, &mut connection, position, rest).await;
    assert!(matches!(late, Err(ProjectionError::LeadLost)), "{late:?}");
    assert!(rows(&pool, "projects").await.is_empty());
    let at: i64 = sqlx::query_scalar("SELECT position FROM projection_checkpoints WHERE name = $1")
        .bind(Access::NAME)
        .fetch_one(&pool)
        .await
        .expect("a checkpoint");
    assert_eq!(at, 3);
}

/// What a connection sees of the queue's past that was told to it in pages of so many events.
async fn remembered(pool: &PgPool, story: &Story, page: usize) -> Vec<Vec<Value>> {
    let mut connection = pool.acquire().await.expect("a connection").detach();
    for events in story.events.chunks(page) {
        as_it_was(&mut connection, Remembered::ReviewQueue, events)
            .await
            .expect("remembered");
    }
    let mut tables = vec![];
    for table in ReviewQueue::TABLES {
        let statement = format!("SELECT to_jsonb(t) FROM {table} t ORDER BY to_jsonb(t)::text");
        let rows = sqlx::query_scalar(&statement).fetch_all(&mut connection);
        tables.push(rows.await.expect("rows"));
    }
    tables
}

#[tokio::test]
async fn a_past_told_page_by_page_is_a_past_told_at_once_and_the_present_as_it_was() {
    let pool = test_kit::postgres().await.pool;
    let story = random::story(11, 900);
    let at_once = remembered(&pool, &story, usize::MAX).await;
    assert!(at_once.iter().all(|rows| !rows.is_empty()));
    assert!(remembered(&pool, &story, 70).await == at_once);
    assert_eq!(rows(&pool, "review_queue").await, [Value::Null; 0]);
}
