//! Rights that are taken away: no answer before the reading side knows it.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use crate::{
    house::{House, Person, Reply},
    team::Team,
};

async fn keyed_delete(house: &House, who: &Person, path: &str) -> Reply {
    let headers = [("idempotency-key", "k")];
    house
        .ask(Method::DELETE, path, Some(who), &headers, None)
        .await
}

#[tokio::test]
async fn a_removal_and_its_repeats_wait_for_the_reading_side() {
    let Team {
        house,
        project,
        admin,
        reviewer,
        ..
    } = Team::of(House::with_a_late_reader().await).await;
    let path = format!("/projects/{project}/members/{}", reviewer.id);
    for _ in 0..2 {
        let late = keyed_delete(&house, &admin, &path).await.is(503);
        assert_eq!(late.header("retry-after"), Some("1"));
        let last = house.stream(project).await.pop();
        assert_eq!(last.as_deref(), Some("MemberRemoved"), "the removal stands");
    }
    house.heads.projected("access", i64::MAX);
    let events = house.events().await;
    let again = keyed_delete(&house, &admin, &path).await.is(204);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(house.events().await, events);
}

#[tokio::test]
async fn a_suspension_that_changes_nothing_any_more_waits_too() {
    let house = House::with_a_late_reader().await;
    let (root, person) = (
        house.super_admin().await,
        house.person("a@example.org").await,
    );
    let path = format!("/admin/users/{}", person.id);
    for _ in 0..2 {
        let suspend = json!({"suspended": true});
        house.put(&root, &path, suspend).await.is(503);
    }
    let name = json!({"name": "Amina"});
    house.put(&root, &path, name).await.is(200);
    house.heads.projected("access", i64::MAX);
    let suspend = json!({"suspended": true});
    let done = house.put(&root, &path, suspend).await.is(200);
    assert!(done.header("x-alta-position").is_some());
}

#[tokio::test]
async fn a_removal_without_a_position_is_not_answered_with_success() {
    let Team {
        house,
        project,
        admin,
        reviewer,
        ..
    } = Team::new().await;
    house.stop_numbering();
    let path = format!("/projects/{project}/members/{}", reviewer.id);
    let removal = keyed_delete(&house, &admin, &path);
    let bounded = tokio::time::timeout(Duration::from_mins(1), removal).await;
    bounded.expect("an answer").is(503);
    let last = house.stream(project).await.pop();
    assert_eq!(last.as_deref(), Some("MemberRemoved"));
}

#[tokio::test]
async fn who_may_not_is_told_so_whatever_they_send() {
    let Team {
        house,
        project,
        contributor,
        admin,
        stranger,
        ..
    } = Team::new().await;
    let item = house.submitted(&admin, project).await;
    let wrong = json!({"no such": "thing"});
    for (method, path) in [
        (Method::POST, "/admin/users".to_owned()),
        (Method::PUT, format!("/admin/users/{}", admin.id)),
        (Method::POST, format!("/projects/{project}/invite")),
        (Method::PUT, format!("/projects/{project}")),
        (
            Method::PUT,
            format!("/projects/{project}/members/{}", admin.id),
        ),
    ] {
        let asked = house.ask(method, &path, Some(&contributor), &[], Some(&wrong));
        house.refused(asked, 403, "FORBIDDEN").await;
    }
    for (method, path) in [
        (Method::PATCH, format!("/review/{item}")),
        (Method::POST, format!("/review/{item}/comments")),
        (Method::PUT, format!("/raw-text/{item}")),
    ] {
        let asked = house.ask(method, &path, Some(&stranger), &[], Some(&wrong));
        house.refused(asked, 404, "ITEM_NOT_FOUND").await;
    }
    let path = format!("/projects/{project}");
    let asked = house.put(&stranger, &path, wrong);
    house.refused(asked, 404, "PROJECT_NOT_FOUND").await;
}
