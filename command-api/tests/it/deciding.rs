//! Decisions that meet something else: a withdrawal, a later round, a limit.

use axum::http::Method;
use domain::Submission;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{house::House, review::decide, team::Team};

#[tokio::test]
async fn a_draft_that_came_back_for_changes_is_no_reviewers_business() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    let changes = json!({"decision": "request_changes", "feedback": "Sharper"});
    decide(&house, &reviewer, item, changes).await.is(200);
    let path = format!("/raw-text/{item}");
    house
        .put(&contributor, &path, json!({"title": "Sharper"}))
        .await
        .is(200);
    let (comments, claim) = (
        format!("/review/{item}/comments"),
        format!("/review/{item}/claim"),
    );
    let said = house.post(&reviewer, &comments, json!({"text": "x"}));
    house.refused(said, 404, "ITEM_NOT_FOUND").await;
    let released = house.delete(&reviewer, &claim);
    house.refused(released, 404, "ITEM_NOT_FOUND").await;
}

async fn version(house: &House, item: Uuid) -> u64 {
    let item = house.store.load::<Submission>(item).await;
    item.expect("it is there").version
}

#[tokio::test]
async fn nobody_approves_what_they_have_not_seen() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    let withdraw = format!("/submissions/{item}/withdraw");
    house.post_bare(&contributor, &withdraw).await.is(200);
    let path = format!("/raw-text/{item}");
    let other = json!({"content": "Something else."});
    house.put(&contributor, &path, other).await.is(200);
    house.submit(&contributor, item).await;
    let version = version(&house, item).await;
    let approve = json!({"decision": "approve"});
    let path = format!("/review/{item}");
    let decide = async |tag: &str| {
        let headers = [("If-Match", tag)];
        let body = Some(&approve);
        house
            .ask(Method::PATCH, &path, Some(&reviewer), &headers, body)
            .await
    };
    let refused = decide("\"2\"").await.is(412);
    assert_eq!(refused.code(), "VERSION_MISMATCH");
    decide(&format!("\"{version}\"")).await.is(200);
}

#[tokio::test]
async fn an_item_follows_its_decision_at_once_and_old_versions_of_it_are_old() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    let seen = format!("\"{}\"", version(&house, item).await);
    let reject = json!({"decision": "reject", "feedback": "Not this."});
    decide(&house, &reviewer, item, reject).await.is(200);
    assert_eq!(
        house.stream(item).await.last().map(String::as_str),
        Some("SubmissionRejected")
    );
    let path = format!("/raw-text/{item}");
    let headers = [("If-Match", seen.as_str())];
    let body = json!({"title": "Again"});
    let stale = house
        .ask(
            Method::PUT,
            &path,
            Some(&contributor),
            &headers,
            Some(&body),
        )
        .await
        .is(412);
    assert_eq!(stale.code(), "VERSION_MISMATCH");
}

#[tokio::test]
async fn of_a_withdrawal_and_a_decision_at_once_exactly_one_wins() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    for _ in 0..6 {
        let item = house.submitted(&contributor, project).await;
        let withdraw = format!("/submissions/{item}/withdraw");
        let (withdrawn, decided) = tokio::join!(
            house.post_bare(&contributor, &withdraw),
            decide(&house, &reviewer, item, json!({"decision": "approve"})),
        );
        let outcomes = (
            withdrawn.status,
            decided.status,
            withdrawn.code(),
            decided.code(),
        );
        assert!(
            matches!(
                outcomes,
                (200, 404, _, "ITEM_NOT_FOUND") | (409, 200, "ALREADY_DECIDED", _)
            ),
            "{outcomes:?}"
        );
    }
}

#[tokio::test]
async fn a_repeated_decision_says_its_own_words_and_not_those_of_a_later_round() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    let path = format!("/review/{item}");
    let send = |key: &'static str, words: &'static str| {
        let (house, reviewer, path) = (&house, &reviewer, &path);
        async move {
            let body = json!({"decision": "request_changes", "feedback": words});
            let headers = [("idempotency-key", key)];
            let sent = house.ask(Method::PATCH, path, Some(reviewer), &headers, Some(&body));
            sent.await.is(200)
        }
    };
    let first = send("d1", "Sharper").await;
    house.submit(&contributor, item).await;
    send("d2", "Brighter").await;
    let again = send("d1", "Sharper").await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body, first.body);
}

#[tokio::test]
async fn feedback_has_at_most_5000_characters_and_a_batch_200_items() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    let long = json!({"decision": "approve", "feedback": "ä".repeat(5000)});
    decide(&house, &reviewer, item, long).await.is(200);
    let item = house.submitted(&contributor, project).await;
    let one = |id: Uuid, words: &str| json!({"id": id, "item_type": "raw_text", "decision": "reject", "feedback": words});
    let mut items: Vec<Value> = (1..200).map(|n| one(Uuid::from_u128(n), "No")).collect();
    items.push(one(item, &"x".repeat(5001)));
    let batch = json!({"items": items});
    let reply = house.post(&reviewer, "/review/batch", batch).await.is(200);
    assert_eq!(reply.body["decided_count"], 0);
    let failed = reply.body["failed_items"].as_array().expect("a list");
    assert_eq!(failed.len(), 200);
    assert_eq!(failed[0]["code"], "ITEM_NOT_FOUND");
    assert_eq!(failed[199]["code"], "VALIDATION_ERROR");
    items.push(one(Uuid::from_u128(201), "No"));
    let batch = house.post(&reviewer, "/review/batch", json!({"items": items}));
    house.refused(batch, 422, "VALIDATION_ERROR").await;
}
