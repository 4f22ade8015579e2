//! Asking for a projection to be made anew, over HTTP.

use axum::http::Method;

use crate::{house::House, team::Team};

async fn row(house: &House) -> (String, i64, bool) {
    sqlx::query_as(
        "SELECT state, position, requested_by_id IS NOT NULL FROM projection_rebuilds
         WHERE name = 'review_queue'",
    )
    .fetch_one(house.pool())
    .await
    .expect("a row")
}

#[tokio::test]
async fn a_rebuild_is_asked_for_once_at_a_time_and_by_super_admins_alone() {
    let Team {
        house,
        contributor,
        admin,
        ..
    } = Team::new().await;
    let root = house.super_admin().await;
    let path = "/ops/projections/review_queue/rebuild";
    for who in [&contributor, &admin] {
        house
            .refused(house.post_bare(who, path), 403, "FORBIDDEN")
            .await;
    }
    for unknown in ["jobs", "review_rounds", "x'y"] {
        let path = format!("/ops/projections/{}/rebuild", unknown.replace('\'', "%27"));
        house
            .refused(house.post_bare(&root, &path), 404, "PROJECTION_NOT_FOUND")
            .await;
    }
    let key = [("Idempotency-Key", "once")];
    let ask = || house.ask(Method::POST, path, Some(&root), &key, None);
    let asked = ask().await.is(202);
    assert_eq!(asked.body["name"], "review_queue");
    assert_eq!(asked.body["state"], "rebuilding");
    assert_eq!(row(&house).await, ("requested".into(), 0, true));
    assert_eq!(ask().await.is(202).body, asked.body);
    house
        .refused(house.post_bare(&root, path), 409, "REBUILD_RUNNING")
        .await;
}

#[tokio::test]
async fn what_was_interrupted_keeps_its_position_and_what_is_done_begins_anew() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let path = "/ops/projections/review_queue/rebuild";
    for (state, kept) in [("interrupted", 700), ("done", 0)] {
        sqlx::query(
            "INSERT INTO projection_rebuilds (name, state, position) VALUES ('review_queue', $1, 700)
             ON CONFLICT (name) DO UPDATE SET state = $1, position = 700",
        )
        .bind(state)
        .execute(house.pool())
        .await
        .expect("a row");
        house.post_bare(&root, path).await.is(202);
        assert_eq!(row(&house).await, ("requested".into(), kept, true));
    }
}

#[tokio::test]
async fn a_request_whose_answer_could_not_be_kept_was_not_made_and_can_be_repeated() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let path = "/ops/projections/review_queue/rebuild";
    let key = [("Idempotency-Key", "crashed")];
    let ask = || house.ask(Method::POST, path, Some(&root), &key, None);
    house.answers_are_kept(false).await;
    ask().await.is(500);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM projection_rebuilds")
        .fetch_one(house.pool())
        .await
        .expect("a count");
    assert_eq!(left, 0, "nothing is asked for");
    house.answers_are_kept(true).await;
    let asked = ask().await.is(202);
    let again = ask().await.is(202);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body, asked.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_are_the_same_request_one_asks_and_all_hear_that() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let path = "/ops/projections/review_queue/rebuild";
    let key = [("Idempotency-Key", "many")];
    let asked = (0..8).map(|_| house.ask(Method::POST, path, Some(&root), &key, None));
    for answer in futures::future::join_all(asked).await {
        answer.is(202);
    }
    assert_eq!(row(&house).await, ("requested".into(), 0, true));
}
