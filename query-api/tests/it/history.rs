//! What happened to an item.

use crate::house::{House, keys};
use domain::{ProjectRole, review::Decision, submission::SubmissionCommand};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_history_tells_in_order_who_changed_what() {
    let (house, _running) = House::new().await;
    let (amina, bilal) = (house.person("amina").await, house.person("bilal").await);
    let project = house.project(&amina, "Letters").await;
    house
        .join(&amina, project, &bilal, ProjectRole::Reviewer)
        .await;
    let id = house.raw_text(&amina, project, "Rain").await;
    house.submit(&amina, id).await;
    house
        .decide(&bilal, id, Decision::Reject, Some("Too wet"))
        .await;
    let path = format!("/submissions/{id}/history");
    let history = house.get(&bilal, &path).await.ok();
    let entries = history.as_array().expect("a list");
    let fields = [
        "actor_user_id",
        "causation_id",
        "changes",
        "event_type",
        "position",
        "recorded_at",
        "request_id",
    ];
    assert_eq!(keys(&entries[0]), fields);
    let types: Vec<_> = entries.iter().map(|entry| &entry["event_type"]).collect();
    assert_eq!(
        types,
        [
            "RawTextCreated",
            "SubmissionSubmitted",
            "ReviewOpened",
            "ReviewDecided"
        ]
    );
    assert_eq!(entries[3]["actor_user_id"], json!(bilal.id));
    assert_eq!(entries[3]["request_id"], "request-1");
    assert_eq!(
        entries[3]["changes"],
        json!({
            "status": {"old": "pending_review", "new": "rejected"},
            "reviewed_by_id": {"old": null, "new": bilal.id},
            "feedback": {"old": null, "new": "Too wet"},
        })
    );
    let first = house.get(&bilal, &format!("{path}?limit=3")).await;
    assert_eq!(first.ok().as_array().map(Vec::len), Some(3));
    let rest = house
        .get(&bilal, &first.next().expect("a next page"))
        .await
        .ok();
    assert_eq!(rest[0]["event_type"], "ReviewDecided");
    let stranger = house.person("stranger").await;
    assert_eq!(house.get(&stranger, &path).await.refusal().0, 404);
    assert_eq!(
        house
            .get(&amina, &format!("{path}?limit=0"))
            .await
            .refusal()
            .0,
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_item_still_has_its_history_for_its_owner() {
    let (house, _running) = House::new().await;
    let amina = house.person("amina").await;
    let project = house.project(&amina, "Letters").await;
    let id = house.raw_text(&amina, project, "Rain").await;
    house.item(&amina, id, SubmissionCommand::Delete).await;
    let history = house
        .get(&amina, &format!("/submissions/{id}/history"))
        .await
        .ok();
    assert_eq!(
        history[1]["changes"],
        json!({"deleted": {"old": null, "new": true}})
    );
}
