//! Nobody reads older than they have written.

use crate::house::{House, ids};
use projectors::{Submissions, catch_up};
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
    house.no_projector_leads().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_being_filled_anew_are_not_read_by_anybody() {
    let house = House::without_projectors(Duration::from_millis(50)).await;
    let running = house.projectors();
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let root = house.super_admin("root").await;
    let project = house.project(&amina, "Letters").await;
    for n in 0..3 {
        house.raw_text(&amina, project, &format!("T{n}")).await;
    }
    house.settled().await;
    drop(running);
    house.no_projector_leads().await;
    let ready = async || house.get(&bilal, "/health/ready").await.status.as_u16();
    let state = async || {
        let projections = house.get(&root, "/ops/projections").await.ok();
        let all = projections.as_array().expect("a list").clone();
        let one = all.into_iter().find(|row| row["name"] == "submissions");
        one.expect("it is listed")["state"].clone()
    };
    assert_eq!((ready().await, state().await), (200, "live".into()));

    let mut connection = house.database.pool.acquire().await.expect("a connection");
    // As a projector leaves them that has only just begun.
    for statement in [
        "TRUNCATE submissions, results",
        "UPDATE projection_checkpoints
         SET position = 0, complete_at = (SELECT max(position) FROM event_log)
         WHERE name = 'submissions'",
    ] {
        sqlx::query(statement)
            .execute(&mut *connection)
            .await
            .expect("begun");
    }
    let events = house.log.read(0, 1_000).await.expect("the log");
    let half = events.len() - 1;
    let position = catch_up(&Submissions, &mut connection, 0, &events[..half]).await;
    let position = position.expect("half of it is filled");
    // Bilal has written less than is there already, and gets no half answer all the same.
    for (who, path) in [
        (&amina, "/my-drafts"),
        (&bilal, "/submissions"),
        (&root, "/submissions"),
    ] {
        let answer = house.get(who, path).await;
        assert_eq!(
            answer.refusal(),
            (503, "READ_MODEL_BEHIND".into()),
            "{path}"
        );
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    house.get(&bilal, "/projects").await.ok();
    assert_eq!((ready().await, state().await), (503, "filling".into()));

    catch_up(&Submissions, &mut connection, position, &events[half..])
        .await
        .expect("the rest is filled");
    assert_eq!(
        house
            .get(&root, "/submissions")
            .await
            .ok()
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    assert_eq!((ready().await, state().await), (200, "live".into()));
}
