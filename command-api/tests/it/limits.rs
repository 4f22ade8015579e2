//! Every limit of a field, at its bound and one past it.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{house::House, team::Team};

fn text(project: Uuid, field: &str, value: Value) -> Value {
    let mut body = json!({"project_id": project, "title": "A title", "content": "Some words"});
    body[field] = value;
    body
}

/// A JSON object of exactly so many bytes.
fn metadata(bytes: usize) -> Value {
    let object = json!({"a": "x".repeat(bytes - r#"{"a":""}"#.len())});
    assert_eq!(object.to_string().len(), bytes);
    object
}

/// A JSON object that nests so deep.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }))
}

fn tags(count: usize) -> Value {
    (0..count).map(|number| format!("tag {number}")).collect()
}

#[tokio::test]
async fn what_an_item_says_of_itself_may_be_so_large_and_no_larger() {
    let team = Team::new().await;
    let (house, project) = (&team.house, team.project);
    for (field, told, fits, too_much) in [
        (
            "title",
            "title",
            json!("ä".repeat(300)),
            json!("ä".repeat(301)),
        ),
        (
            "content",
            "content",
            json!("x".repeat(512 << 10)),
            json!("x".repeat((512 << 10) + 1)),
        ),
        ("tags", "tags", tags(50), tags(51)),
        (
            "tags",
            "tags[0]",
            json!(["ä".repeat(64)]),
            json!(["ä".repeat(65)]),
        ),
        (
            "extra_metadata",
            "extra_metadata",
            metadata(16 << 10),
            metadata((16 << 10) + 1),
        ),
        ("extra_metadata", "extra_metadata", nested(8), nested(9)),
    ] {
        let body = text(project, field, fits);
        house
            .post(&team.contributor, "/raw-text", body)
            .await
            .is(201);
        let body = text(project, field, too_much);
        let refused = house.post(&team.contributor, "/raw-text", body);
        let refused = house.refused(refused, 422, "VALIDATION_ERROR").await;
        let details = &refused.body["error"]["details"];
        assert!(details[told].is_array(), "{told}: {details}");
    }
}

#[tokio::test]
async fn names_of_people_may_be_so_long_and_no_longer() {
    let house = House::new().await;
    let account = |number: u8, name: String| {
        let email = format!("a{number}@example.org");
        json!({"email": email, "password": "a good long password", "name": name})
    };
    let fits = account(1, "ä".repeat(200));
    house.anonymous("/auth/register", fits).await.is(201);
    let too_much = house.anonymous("/auth/register", account(2, "ä".repeat(201)));
    let refused = house.refused(too_much, 422, "VALIDATION_ERROR").await;
    assert!(refused.body["error"]["details"]["name"].is_array());
}

#[tokio::test]
async fn what_reviewers_write_may_be_so_long_and_no_longer() {
    let team = Team::new().await;
    let house = &team.house;
    let item = house.submitted(&team.contributor, team.project).await;
    let path = format!("/review/{item}?item_type=raw_text");
    let comments = format!("/review/{item}/comments");
    let comment = |length: usize| json!({"text": "ä".repeat(length)});
    house
        .post(&team.reviewer, &comments, comment(5000))
        .await
        .is(201);
    let too_much = house.post(&team.reviewer, &comments, comment(5001));
    house.refused(too_much, 422, "VALIDATION_ERROR").await;

    let approve = |length: usize| json!({"decision": "approve", "feedback": "ä".repeat(length)});
    let decide = async |length: usize| {
        let (who, body) = (Some(&team.reviewer), approve(length));
        house.ask(Method::PATCH, &path, who, &[], Some(&body)).await
    };
    house.refused(decide(5001), 422, "VALIDATION_ERROR").await;
    decide(5000).await.is(200);
}

#[tokio::test]
async fn a_json_body_may_have_a_mebibyte_and_no_byte_more() {
    let team = Team::new().await;
    let body = text(team.project, "tags", json!(["one"])).to_string();
    let padded = |bytes: usize| {
        let body = format!("{body}{}", " ".repeat(bytes - body.len()));
        Request::post("/api/raw-text")
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", team.contributor.token),
            )
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .expect("a request")
    };
    team.house.send(padded(1 << 20)).await.is(201);
    let too_much = team.house.send(padded((1 << 20) + 1));
    team.house.refused(too_much, 413, "PAYLOAD_TOO_LARGE").await;
}
