//! Who was refused leaves a trace.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::{House, PASSWORD};

/// The records so far, oldest first: payload, and who acted.
async fn records(house: &House) -> Vec<(Value, Option<Uuid>)> {
    let rows: Vec<(Value, Option<String>)> = sqlx::query_as(
        "SELECT payload, metadata ->> 'actor_user_id' FROM events
         WHERE aggregate_type = 'access' ORDER BY id",
    )
    .fetch_all(house.pool())
    .await
    .expect("the records");
    let actor = |id: Option<String>| id.and_then(|id| id.parse().ok());
    rows.into_iter()
        .map(|(payload, id)| (payload, actor(id)))
        .collect()
}

#[tokio::test]
async fn a_refused_command_says_who_asked_for_what() {
    let house = House::new().await;
    let (owner, stranger) = (
        house.person("o@example.org").await,
        house.person("s@example.org").await,
    );
    let project = house.project(&owner).await;
    let path = format!("/projects/{project}/invite");
    let body = json!({"email": "x@example.org", "role": "reviewer"});
    house.post(&stranger, &path, body).await.is(404);
    house
        .post_bare(&stranger, &format!("/documents?project_id={project}"))
        .await;
    let records = records(&house).await;
    let (payload, actor) = &records[0];
    assert_eq!(
        (payload, *actor),
        (
            &json!({"CommandRefused": {
                "operation": "POST /projects/{id}/invite",
                "status": 404,
                "code": "PROJECT_NOT_FOUND",
                "resource_id": project,
                "project_id": null,
            }}),
            Some(stranger.id),
        )
    );
    let (payload, _) = &records[1];
    let refused = &payload["CommandRefused"];
    assert_eq!(refused["operation"], "POST /documents");
    assert_eq!(refused["project_id"], json!(project));
    assert_eq!(records.len(), 2);
}

#[tokio::test]
async fn what_nobody_could_have_meant_is_not_recorded() {
    let house = House::new().await;
    let person = house.person("p@example.org").await;
    house
        .post(&person, "/projects", json!({"name": ""}))
        .await
        .is(422);
    house
        .post(&person, "/projects", json!({"name": "Letters"}))
        .await
        .is(201);
    house
        .ask(Method::POST, "/projects", None, &[], Some(&json!({})))
        .await
        .is(401);
    house
        .ask(Method::PUT, "/projects", Some(&person), &[], None)
        .await
        .is(405);
    assert_eq!(records(&house).await, []);
}

#[tokio::test]
async fn a_failed_sign_in_is_recorded_without_what_was_typed() {
    let house = House::new().await;
    let person = house.person("known@example.org").await;
    let sign_in = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        house.anonymous("/auth/login", body).await.status
    };
    assert_eq!(sign_in("known@example.org", "not this one").await, 401);
    assert_eq!(sign_in("nobody@example.org", "nor this one").await, 401);
    assert_eq!(sign_in("known@example.org", PASSWORD).await, 200);
    let unverified = house.register("new@example.org").await;
    assert_eq!(sign_in("new@example.org", PASSWORD).await, 403);
    let failed = |user_id: Option<Uuid>, code: &str| {
        (
            json!({"SignInFailed": {"user_id": user_id, "code": code}}),
            None,
        )
    };
    assert_eq!(
        records(&house).await,
        [
            failed(Some(person.id), "INVALID_CREDENTIALS"),
            failed(None, "INVALID_CREDENTIALS"),
            failed(Some(unverified), "EMAIL_NOT_VERIFIED"),
        ]
    );
    let told: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events
         WHERE payload::text ~ 'this one|nobody@' OR metadata::text ~ 'this one|nobody@'",
    )
    .fetch_one(house.pool())
    .await
    .expect("a count");
    assert_eq!(told, 0);
}
