//! The job table as a queue: taken by one, held, given back, fair between projects.

use processors::jobs::{
    Kind,
    queue::{self, End, LEASE, Leased},
};
use sqlx::PgPool;
use std::{collections::BTreeSet, time::Duration};
use test_kit::TestDatabase;
use uuid::Uuid;

/// Less than a hold, by more than the slowest machine takes to look; twice that is more.
const MOST_OF_A_HOLD: Duration = Duration::from_secs(15);
const A_MINUTE: Duration = Duration::from_mins(1);
const ATTEMPTS: u32 = 4;

async fn put(pool: &PgPool, job: u128, project: Option<u128>, age_seconds: u32) {
    sqlx::query(
        "INSERT INTO jobs (job_id, kind, source_event_id, project_id, task, run_after, created_at)
         SELECT $1, 'ocr', $1, $2, '{}', due, due FROM (SELECT now() - make_interval(secs => $3) AS due) job",
    )
    .bind(Uuid::from_u128(job))
    .bind(project.map(Uuid::from_u128))
    .bind(f64::from(age_seconds))
    .execute(pool)
    .await
    .expect("a job");
}

/// So much time goes by: for the table, whose times are the database's, everything was that much earlier.
async fn pass(pool: &PgPool, time: Duration) {
    sqlx::query(
        "UPDATE jobs SET run_after = run_after - make_interval(secs => $1),
                leased_until = leased_until - make_interval(secs => $1)",
    )
    .bind(time.as_secs_f64())
    .execute(pool)
    .await
    .expect("the jobs");
}

async fn take(pool: &PgPool, lease: u128) -> Option<Leased> {
    queue::lease(pool, Kind::Ocr, Uuid::from_u128(lease), ATTEMPTS)
        .await
        .expect("the job table")
}

async fn taken(pool: &PgPool, lease: u128) -> u128 {
    take(pool, lease)
        .await
        .expect("one is due")
        .job_id
        .as_u128()
}

async fn attempts(pool: &PgPool, job: u128) -> i32 {
    sqlx::query_scalar("SELECT attempts FROM jobs WHERE job_id = $1")
        .bind(Uuid::from_u128(job))
        .fetch_one(pool)
        .await
        .expect("the job")
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_never_share_a_job() {
    let TestDatabase { pool, .. } = test_kit::postgres().await;
    for job in 1..=60 {
        put(&pool, job, Some(job % 3), 0).await;
    }
    let worker = |worker: u128| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut mine = vec![];
            while let Some(job) = take(&pool, worker).await {
                mine.push(job.job_id);
            }
            mine
        })
    };
    let workers: Vec<_> = (1..=8).map(worker).collect();
    let mut all = vec![];
    for worker in workers {
        all.extend(worker.await.expect("it works"));
    }
    let distinct: BTreeSet<_> = all.iter().copied().collect();
    assert_eq!((all.len(), distinct.len()), (60, 60));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_project_with_the_fewest_running_jobs_comes_first_and_then_the_oldest() {
    let TestDatabase { pool, .. } = test_kit::postgres().await;
    for (job, age) in [(1, 50), (2, 40), (3, 30)] {
        put(&pool, job, Some(1), age).await;
    }
    put(&pool, 4, Some(2), 20).await;
    put(&pool, 5, None, 10).await;
    let mut order = vec![];
    for lease in 1..=5 {
        order.push(taken(&pool, lease).await);
    }
    assert_eq!(order, [1, 4, 5, 2, 3]);
    assert!(take(&pool, 6).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_jobs_of_one_project_keep_another_projects_job_waiting_for_one_turn() {
    let TestDatabase { pool, .. } = test_kit::postgres().await;
    sqlx::query(
        "INSERT INTO jobs (job_id, kind, source_event_id, project_id, task, run_after, created_at)
         SELECT gen_random_uuid(), 'ocr', gen_random_uuid(), $1, '{}', due, due
         FROM (SELECT now() - (60 + n) * interval '1 second' AS due FROM generate_series(1, 10000) n) jobs",
    )
    .bind(Uuid::from_u128(1))
    .execute(&pool)
    .await
    .expect("jobs");
    put(&pool, 4, Some(2), 0).await;
    let first = taken(&pool, 1).await;
    assert_eq!(taken(&pool, 2).await, 4);
    assert_ne!(taken(&pool, 3).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_workers_job_is_taken_over_and_its_attempt_counts() {
    let TestDatabase { pool, .. } = test_kit::postgres().await;
    put(&pool, 1, None, 0).await;
    let first = take(&pool, 1).await.expect("due");
    assert_eq!(first.attempt, 1);
    pass(&pool, MOST_OF_A_HOLD).await;
    assert!(take(&pool, 2).await.is_none());
    pass(&pool, MOST_OF_A_HOLD).await;
    let second = take(&pool, 2).await.expect("its hold ran out");
    assert_eq!((second.attempt, second.exhausted), (2, false));
    // The first worker comes back: it changes nothing.
    assert!(!queue::renew(&pool, &first, None).await.expect("asked"));
    queue::finish(&pool, &first, End::Failed, None)
        .await
        .expect("asked");
    queue::release(&pool, &first).await.expect("asked");
    assert!(
        queue::renew(&pool, &second, Some((1, 2)))
            .await
            .expect("asked")
    );
    assert_eq!(attempts(&pool, 1).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_kills_every_worker_is_handed_out_to_be_given_up() {
    let TestDatabase { pool, .. } = test_kit::postgres().await;
    put(&pool, 1, None, 0).await;
    for attempt in 1..=ATTEMPTS {
        let job = take(&pool, u128::from(attempt)).await.expect("due");
        assert_eq!((job.attempt, job.exhausted), (attempt, false));
        pass(&pool, LEASE).await;
    }
    let last = take(&pool, 9).await.expect("its hold ran out");
    assert_eq!((last.attempt, last.exhausted), (ATTEMPTS, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn renewing_keeps_others_away() {
    let TestDatabase { pool, .. } = test_kit::postgres().await;
    put(&pool, 1, None, 0).await;
    let job = take(&pool, 1).await.expect("due");
    pass(&pool, MOST_OF_A_HOLD).await;
    assert!(queue::renew(&pool, &job, None).await.expect("asked"));
    pass(&pool, MOST_OF_A_HOLD).await;
    assert!(take(&pool, 2).await.is_none());
    pass(&pool, MOST_OF_A_HOLD).await;
    assert!(take(&pool, 2).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_is_due_at_once_and_was_not_tried() {
    let TestDatabase { pool, .. } = test_kit::postgres().await;
    put(&pool, 1, None, 0).await;
    let job = take(&pool, 1).await.expect("due");
    queue::release(&pool, &job).await.expect("given back");
    assert_eq!(attempts(&pool, 1).await, 0);
    assert_eq!(take(&pool, 2).await.map(|job| job.attempt), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_waits_for_its_time() {
    let TestDatabase { pool, .. } = test_kit::postgres().await;
    put(&pool, 1, None, 0).await;
    let job = take(&pool, 1).await.expect("due");
    let because = ("ENGINE_FAILED", "it\0 failed");
    queue::retry_later(&pool, &job, A_MINUTE, because)
        .await
        .expect("put back");
    assert!(take(&pool, 2).await.is_none());
    pass(&pool, A_MINUTE).await;
    assert_eq!(take(&pool, 2).await.map(|job| job.attempt), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_do_not_take_from_one_another() {
    let TestDatabase { pool, .. } = test_kit::postgres().await;
    put(&pool, 1, None, 0).await;
    let other = queue::lease(&pool, Kind::Email, Uuid::from_u128(1), ATTEMPTS).await;
    assert!(other.expect("the job table").is_none());
}
