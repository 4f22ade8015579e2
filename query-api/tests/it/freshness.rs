//! Nobody reads older than they have written.

use crate::house::{House, ids};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_reads_right_after_a_write_are_never_stale() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    for n in 0..200 {
        let id = house.raw_text(&amina, project, &format!("T{n}")).await;
        let path = format!("/raw-text/{id}");
        match n % 4 {
            0 => {
                house.get(&amina, &path).await.ok();
            }
            1 => {
                let drafts = house.get(&amina, "/my-drafts").await.ok();
                assert_eq!(ids(&drafts["raw_texts"])[0], id, "pair {n}");
            }
            2 => {
                house.submit(&amina, id).await;
                let queue = house.get(&amina, "/review?limit=200").await.ok();
                assert_eq!(ids(&queue).last(), Some(&id), "pair {n}");
            }
            _ => {
                let user = format!("/analytics/user/{}", amina.id);
                let figures = house.get(&amina, &user).await.ok();
                assert_eq!(figures["totalContributions"], n + 1, "pair {n}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_cannot_catch_up_is_refused_and_says_when_to_come_again() {
    let house = House::without_projectors(Duration::from_millis(50)).await;
    let running = house.projectors();
    let amina = house.person("amina").await;
    house.settled().await;
    house.get(&amina, "/auth/me").await.ok();
    drop(running);
    let locks = async || {
        sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'access'",
        )
        .fetch_one(&house.database.pool)
        .await
        .expect("a count")
    };
    while locks().await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    house.project(&amina, "Letters").await;
    let answer = house.get(&amina, "/projects").await;
    assert_eq!(answer.refusal(), (503, "READ_MODEL_BEHIND".into()));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let _running = house.projectors();
    house.settled().await;
    assert_eq!(
        house
            .get(&amina, "/projects")
            .await
            .ok()
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_wrote_nothing_does_not_wait_for_others() {
    let house = House::without_projectors(Duration::from_secs(10)).await;
    let running = house.projectors();
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    house.settled().await;
    drop(running);
    house.project(&amina, "Letters").await;
    let asked = tokio::time::timeout(Duration::from_secs(5), house.get(&bilal, "/projects"));
    asked.await.expect("an answer before the time-out").ok();
}
