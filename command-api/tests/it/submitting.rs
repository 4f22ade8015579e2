//! Handing in and taking back.

use serde_json::json;
use uuid::Uuid;

use crate::team::Team;

#[tokio::test]
async fn each_item_stands_or_fails_alone() {
    let Team {
        house,
        project,
        admin,
        contributor,
        ..
    } = Team::new().await;
    let (a, b) = (
        house.raw_text(&contributor, project).await,
        house.raw_text(&contributor, project).await,
    );
    let admins = house.raw_text(&admin, project).await;
    let body = json!({
        "raw_text_ids": [a, b, a, admins, "rubbish", Uuid::from_u128(1)],
        "document_ids": [a],
    });
    let reply = house.post(&contributor, "/submit", body).await.is(200);
    assert_eq!(reply.body["submitted_count"], 2);
    let expected = json!([{"type": "raw_text", "id": a}, {"type": "raw_text", "id": b}]);
    assert_eq!(reply.body["submitted_items"], expected);
    let failed = reply.body["failed_items"].as_array().expect("a list");
    assert_eq!(failed.len(), 4);
    assert!(
        failed.iter().all(|item| item["code"] == "ITEM_NOT_FOUND"),
        "{failed:?}"
    );
    assert!(reply.header("x-alta-position").is_some());

    let again = house
        .post(&contributor, "/submit", json!({"raw_text_ids": [a]}))
        .await
        .is(200);
    assert_eq!(again.body["submitted_count"], 1, "a repeat is harmless");
    assert_eq!(
        house.stream(a).await,
        ["RawTextCreated", "SubmissionSubmitted"]
    );
    let null = json!({"document_ids": null, "voice_sample_ids": null, "raw_text_ids": null});
    for nothing in [json!({}), null] {
        let empty = house.post(&contributor, "/submit", nothing).await.is(200);
        assert_eq!(empty.body["submitted_count"], 0);
    }
}

#[tokio::test]
async fn only_its_owner_hands_an_item_in_and_no_more_than_500_at_once() {
    let Team {
        house,
        project,
        admin,
        contributor,
        ..
    } = Team::new().await;
    let item = house.raw_text(&contributor, project).await;
    let events = house.events().await;
    let reply = house
        .post(&admin, "/submit", json!({"raw_text_ids": [item]}))
        .await
        .is(200);
    assert_eq!(reply.body["failed_items"][0]["code"], "FORBIDDEN");
    assert_eq!(house.events().await, events);
    let many = json!({"raw_text_ids": vec![item; 500]});
    let reply = house.post(&contributor, "/submit", many).await.is(200);
    assert_eq!(reply.body["submitted_count"], 1);
    let many = json!({"raw_text_ids": vec![item; 500], "document_ids": [item]});
    house
        .refused(
            house.post(&contributor, "/submit", many),
            422,
            "VALIDATION_ERROR",
        )
        .await;
}

#[tokio::test]
async fn what_waits_cannot_be_changed_but_taken_back() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        stranger,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    let path = format!("/raw-text/{item}");
    house
        .refused(
            house.put(&contributor, &path, json!({"title": "x"})),
            409,
            "NOT_A_DRAFT",
        )
        .await;
    house
        .refused(house.delete(&contributor, &path), 409, "NOT_A_DRAFT")
        .await;

    let withdraw = format!("/submissions/{item}/withdraw");
    house
        .refused(house.post_bare(&reviewer, &withdraw), 403, "FORBIDDEN")
        .await;
    house
        .refused(house.post_bare(&stranger, &withdraw), 404, "ITEM_NOT_FOUND")
        .await;
    let back = house.post_bare(&contributor, &withdraw).await.is(200);
    assert_eq!(back.body, json!({"id": item, "status": "draft"}));
    let expected = [
        "RawTextCreated",
        "SubmissionSubmitted",
        "ReviewOpened",
        "ReviewWithdrawn",
        "SubmissionWithdrawn",
    ];
    assert_eq!(house.stream(item).await, expected);
    house.post_bare(&contributor, &withdraw).await.is(200);
    assert_eq!(
        house.stream(item).await.len(),
        5,
        "a repeat appends nothing"
    );
    house
        .put(&contributor, &path, json!({"title": "x"}))
        .await
        .is(200);
    house.submit(&contributor, item).await;

    let draft = house.raw_text(&contributor, project).await;
    let withdraw = format!("/submissions/{draft}/withdraw");
    let never = house.post_bare(&contributor, &withdraw);
    house.refused(never, 409, "NOT_PENDING").await;
}
