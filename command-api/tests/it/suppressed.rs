//! Addresses to which no mail is sent, over HTTP.

use axum::http::Method;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::house::House;

const PATH: &str = "/ops/suppressed-addresses/lift";

/// As the processors leave it when a server says that there is no such mailbox.
async fn suppress(house: &House, address: &str, until: OffsetDateTime) {
    sqlx::query(
        "INSERT INTO suppressed_addresses (address_hmac, since, until) VALUES ($1, $2, $3)",
    )
    .bind(house.store.address_hmac(address))
    .bind(until - Duration::days(7))
    .bind(until)
    .execute(house.pool())
    .await
    .expect("a row");
}

async fn left(house: &House) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM suppressed_addresses");
    count.fetch_one(house.pool()).await.expect("a count")
}

#[tokio::test]
async fn an_address_is_lifted_once_and_no_other_with_it() {
    let house = House::new().await;
    let root = house.super_admin().await;
    let later = house.clock.now() + Duration::DAY;
    for address in ["amal@example.org", "badr@example.org"] {
        suppress(&house, address, later).await;
    }
    let lifted = house.post(&root, PATH, json!({"email": " Amal@Example.org"}));
    assert_eq!(lifted.await.is(200).body, json!({"lifted": true}));
    assert_eq!(left(&house).await, 1);
    let again = house.post(&root, PATH, json!({"email": "amal@example.org"}));
    house.refused(again, 404, "ADDRESS_NOT_SUPPRESSED").await;
}

#[tokio::test]
async fn one_whose_time_is_over_is_not_suppressed() {
    let house = House::new().await;
    let root = house.super_admin().await;
    suppress(
        &house,
        "amal@example.org",
        house.clock.now() - Duration::DAY,
    )
    .await;
    let lifted = house.post(&root, PATH, json!({"email": "amal@example.org"}));
    house.refused(lifted, 404, "ADDRESS_NOT_SUPPRESSED").await;
}

#[tokio::test]
async fn only_who_runs_the_service_may_and_only_for_an_address() {
    let house = House::new().await;
    let (root, somebody) = (
        house.super_admin().await,
        house.person("a@example.org").await,
    );
    let later = house.clock.now() + Duration::DAY;
    suppress(&house, "amal@example.org", later).await;
    let asked = house.post(&somebody, PATH, json!({"email": "amal@example.org"}));
    house.refused(asked, 403, "FORBIDDEN").await;
    let asked = house.post(&root, PATH, json!({"email": "amal"}));
    house.refused(asked, 422, "VALIDATION_ERROR").await;
    assert_eq!(left(&house).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_answered_was_not_lifted_and_all_repeats_hear_the_same() {
    let house = House::new().await;
    let root = house.super_admin().await;
    suppress(
        &house,
        "amal@example.org",
        house.clock.now() + Duration::DAY,
    )
    .await;
    let key = [("Idempotency-Key", "crashed")];
    let body = json!({"email": "amal@example.org"});
    let ask = || house.ask(Method::POST, PATH, Some(&root), &key, Some(&body));
    house.answers_are_kept(false).await;
    ask().await.is(500);
    assert_eq!(left(&house).await, 1, "nothing was lifted");
    house.answers_are_kept(true).await;
    for answer in futures::future::join_all((0..8).map(|_| ask())).await {
        assert_eq!(answer.is(200).body, json!({"lifted": true}));
    }
    assert_eq!(left(&house).await, 0);
}
