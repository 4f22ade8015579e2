//! Batches: one id for all their events, and taking them back by it.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    house::{House, Person, Reply},
    review::decide,
    team::Team,
};

/// Decides on raw texts in one call; each with words.
async fn batch(house: &House, who: &Person, decisions: &[(Uuid, &str)]) -> Reply {
    let items: Vec<Value> = decisions
        .iter()
        .map(|(id, decision)| {
            json!({"id": id, "item_type": "raw_text", "decision": decision, "feedback": "Too dark"})
        })
        .collect();
    let reply = house.post(who, "/review/batch", json!({"items": items}));
    let reply = reply.await.is(200);
    assert_eq!(
        reply.body["decided_count"],
        decisions.len(),
        "{}",
        reply.body
    );
    reply
}

fn revert_of(batch: &Reply) -> String {
    let id = batch.body["causation_id"].as_str().expect("an id");
    format!("/review/batch/{id}/revert")
}

/// The causation ids of all events of these types.
async fn causes(house: &House, event_types: &[&str]) -> Vec<Option<String>> {
    let types: Vec<String> = event_types.iter().map(|&word| word.to_owned()).collect();
    sqlx::query_scalar(
        "SELECT metadata ->> 'causation_id' FROM events WHERE event_type = ANY($1) ORDER BY id",
    )
    .bind(types)
    .fetch_all(house.pool())
    .await
    .expect("events")
}

/// The newest `n` events of both streams of an item.
async fn tail(house: &House, item: Uuid, n: usize) -> Vec<String> {
    let stream = house.stream(item).await;
    stream[stream.len().saturating_sub(n)..].to_vec()
}

#[tokio::test]
async fn all_events_of_a_call_over_many_items_share_one_id() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let (a, b) = (
        house.raw_text(&contributor, project).await,
        house.raw_text(&contributor, project).await,
    );
    let body = json!({"raw_text_ids": [a, b]});
    let submitted = house.post(&contributor, "/submit", body).await.is(200);
    let submit_id = submitted.body["causation_id"]
        .as_str()
        .map(ToOwned::to_owned);
    assert!(submit_id.is_some());
    let seen = causes(&house, &["SubmissionSubmitted"]).await;
    assert_eq!(seen, [submit_id.clone(), submit_id.clone()]);

    let decided = batch(&house, &reviewer, &[(a, "approve"), (b, "reject")]).await;
    let batch_id = decided.body["causation_id"].as_str().map(ToOwned::to_owned);
    assert!(batch_id.is_some() && batch_id != submit_id);
    let seen = causes(&house, &["ReviewDecided"]).await;
    assert_eq!(seen, [batch_id.clone(), batch_id.clone()]);

    house
        .post_bare(&reviewer, &revert_of(&decided))
        .await
        .is(200);
    let seen = causes(&house, &["DecisionReverted", "ReviewReopened"]).await;
    assert_eq!(seen, vec![batch_id; 4]);
}

#[tokio::test]
async fn what_nothing_has_happened_to_waits_again_and_the_rest_is_told() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let mut items = Vec::new();
    for _ in 0..7 {
        items.push(house.submitted(&contributor, project).await);
    }
    let words = [
        "approve",
        "reject",
        "request_changes",
        "request_changes",
        "reject",
        "request_changes",
        "request_changes",
    ];
    let decisions: Vec<_> = items.iter().copied().zip(words).collect();
    let decided = batch(&house, &reviewer, &decisions).await;
    let path = |item: Uuid| format!("/raw-text/{item}");
    let change = json!({"title": "Sharper"});
    house
        .put(&contributor, &path(items[3]), change.clone())
        .await
        .is(200);
    house
        .put(&contributor, &path(items[4]), change)
        .await
        .is(200);
    house.submit(&contributor, items[5]).await;
    house.delete(&contributor, &path(items[6])).await.is(200);

    let revert = revert_of(&decided);
    let reply = house.post_bare(&reviewer, &revert).await.is(200);
    let back = |item: Uuid| json!({"id": item, "type": "raw_text", "status": "pending_review"});
    let expected = items[..3].iter().map(|item| back(*item)).collect();
    let reverted = reply.body["reverted_items"].as_array().expect("a list");
    assert_eq!(sorted(reverted.clone()), sorted(expected));
    assert_eq!(reply.body["reverted_count"], 3);
    assert_eq!(reply.body["causation_id"], decided.body["causation_id"]);
    assert!(reply.header("x-alta-position").is_some());
    let failed = reply.body["failed_items"].as_array().expect("a list");
    let told: Vec<_> = failed
        .iter()
        .map(|item| {
            json!([
                item["id"],
                item["type"],
                item["code"],
                item["message"].is_string()
            ])
        })
        .collect();
    let expected: Vec<_> = items[3..]
        .iter()
        .map(|item| json!([item, "raw_text", "CHANGED_SINCE", true]))
        .collect();
    assert_eq!(sorted(told), sorted(expected));
    for item in &items[..3] {
        assert_eq!(
            tail(&house, *item, 2).await,
            ["DecisionReverted", "ReviewReopened"]
        );
    }

    // Again, and nothing happens.
    let before = house.events().await;
    let again = house.post_bare(&reviewer, &revert).await.is(200);
    assert_eq!(again.body, reply.body);
    assert_eq!(house.events().await, before);
}

/// The outcomes of a batch come in the order in which its decisions were made.
fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by_key(ToString::to_string);
    items
}

#[tokio::test]
async fn what_waits_again_is_decided_again_or_taken_back_by_its_owner() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let (a, b) = (
        house.submitted(&contributor, project).await,
        house.submitted(&contributor, project).await,
    );
    let decided = batch(&house, &reviewer, &[(a, "approve"), (b, "approve")]).await;
    let revert = revert_of(&decided);
    house.post_bare(&reviewer, &revert).await.is(200);
    let claim = format!("/review/{a}/claim");
    house.post_bare(&admin, &claim).await.is(200);
    let reject = json!({"decision": "reject", "feedback": "No"});
    house
        .refused(decide(&house, &reviewer, a, reject.clone()), 409, "CLAIMED")
        .await;
    decide(&house, &admin, a, reject.clone()).await.is(200);
    house
        .refused(decide(&house, &admin, a, reject), 409, "ALREADY_DECIDED")
        .await;
    let withdraw = format!("/submissions/{b}/withdraw");
    house.post_bare(&contributor, &withdraw).await.is(200);
    let reply = house.post_bare(&reviewer, &revert).await.is(200);
    assert_eq!(reply.body["reverted_count"], 0);
    let codes: Vec<&Value> = reply.body["failed_items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| &item["code"])
        .collect();
    assert_eq!(codes, ["CHANGED_SINCE", "CHANGED_SINCE"]);
    // The second decision is another batch's to take back.
    let item = house.submitted(&contributor, project).await;
    let first = batch(&house, &reviewer, &[(item, "approve")]).await;
    house.post_bare(&reviewer, &revert_of(&first)).await.is(200);
    let second = batch(&house, &reviewer, &[(item, "reject")]).await;
    let reply = house.post_bare(&reviewer, &revert_of(&first)).await.is(200);
    assert_eq!(reply.body["failed_items"][0]["code"], "CHANGED_SINCE");
    let reply = house
        .post_bare(&reviewer, &revert_of(&second))
        .await
        .is(200);
    assert_eq!(reply.body["reverted_count"], 1);
}

#[tokio::test]
async fn a_batch_is_taken_back_by_who_made_it_and_by_admins_and_is_unknown_to_others() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        stranger,
    } = Team::new().await;
    let other = house.person("other@example.org").await;
    house.join(&admin, project, &other, "reviewer").await;
    let root = house.super_admin().await;
    for who in [&reviewer, &admin, &root] {
        let item = house.submitted(&contributor, project).await;
        let revert = revert_of(&batch(&house, &reviewer, &[(item, "approve")]).await);
        let ask = |person| house.post_bare(person, &revert);
        house.refused(ask(&other), 403, "FORBIDDEN").await;
        house.refused(ask(&contributor), 403, "FORBIDDEN").await;
        house.refused(ask(&stranger), 404, "BATCH_NOT_FOUND").await;
        ask(who).await.is(200);
    }
    let unknown = format!("/review/batch/{}/revert", Uuid::from_u128(1));
    let asked = house.post_bare(&root, &unknown);
    house.refused(asked, 404, "BATCH_NOT_FOUND").await;
    let asked = house.post_bare(&root, "/review/batch/x/revert");
    house.refused(asked, 404, "NOT_FOUND").await;
    // A call that handed items in decided nothing.
    let item = house.raw_text(&contributor, project).await;
    let submitted = house.post(&contributor, "/submit", json!({"raw_text_ids": [item]}));
    let submitted = submitted.await.is(200);
    let asked = house.post_bare(&admin, &revert_of(&submitted)).await;
    assert_eq!((asked.status, asked.code()), (404, "BATCH_NOT_FOUND"));
    // Who made it and is gone does not know of it any more.
    let decided = batch(&house, &reviewer, &[(item, "approve")]).await;
    let leave = format!("/projects/{project}/leave");
    house.post_bare(&reviewer, &leave).await.is(204);
    let revert = revert_of(&decided);
    let asked = house.post_bare(&reviewer, &revert);
    house.refused(asked, 404, "BATCH_NOT_FOUND").await;
}

#[tokio::test]
async fn an_admin_takes_back_what_is_theirs_and_is_told_of_nothing_else() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        stranger,
    } = Team::new().await;
    let elsewhere = house.project(&stranger).await;
    house
        .join(&stranger, elsewhere, &reviewer, "reviewer")
        .await;
    let (here, there) = (
        house.submitted(&contributor, project).await,
        house.submitted(&stranger, elsewhere).await,
    );
    let decided = batch(&house, &reviewer, &[(here, "approve"), (there, "approve")]).await;
    let reply = house.post_bare(&admin, &revert_of(&decided)).await.is(200);
    assert_eq!(reply.body["reverted_items"][0]["id"], json!(here));
    assert_eq!(reply.body["failed_items"], json!([]));
    let reply = house
        .post_bare(&reviewer, &revert_of(&decided))
        .await
        .is(200);
    assert_eq!(reply.body["reverted_count"], 2);
}

#[tokio::test]
async fn of_a_revert_and_a_change_by_the_owner_exactly_one_wins() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    for word in ["reject", "request_changes"].repeat(4) {
        let item = house.submitted(&contributor, project).await;
        let revert = revert_of(&batch(&house, &reviewer, &[(item, word)]).await);
        let path = format!("/raw-text/{item}");
        let (reverted, changed) = tokio::join!(
            house.post_bare(&reviewer, &revert),
            house.put(&contributor, &path, json!({"title": "Sharper"})),
        );
        let reverted = reverted.is(200).body["reverted_count"] == 1;
        let outcomes = (reverted, changed.status);
        assert!(
            matches!(outcomes, (true, 409) | (false, 200)),
            "{outcomes:?}"
        );
        let stream = house.stream(item).await;
        let has = |word: &str| stream.iter().any(|event| event == word);
        assert_ne!(
            has("DecisionReverted"),
            has("SubmissionEdited"),
            "{stream:?}"
        );
    }
}

#[tokio::test]
async fn a_repeated_batch_keeps_its_id_also_when_the_first_time_was_cut_off() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    let headers = [("idempotency-key", "b1")];
    let one = json!({"id": item, "item_type": "raw_text", "decision": "reject", "feedback": "No"});
    let body = json!({"items": [one]});
    let send = || {
        let path = "/review/batch";
        house.ask(Method::POST, path, Some(&reviewer), &headers, Some(&body))
    };
    let first = send().await.is(200);
    let again = send().await.is(200);
    assert_eq!(again.body, first.body, "with its words");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    // As a crash before the answer was kept would leave it.
    sqlx::query("DELETE FROM command_log WHERE idempotency_key = 'b1'")
        .execute(house.pool())
        .await
        .expect("deleted");
    let before = house.events().await;
    let repeated = send().await.is(200);
    assert_eq!(repeated.body, first.body);
    assert_eq!(house.events().await, before);

    let revert = revert_of(&first);
    let headers = [("idempotency-key", "r1")];
    let send = || house.ask(Method::POST, &revert, Some(&reviewer), &headers, None);
    let first = send().await.is(200);
    decide(&house, &reviewer, item, json!({"decision": "approve"}))
        .await
        .is(200);
    let again = send().await.is(200);
    assert_eq!(again.body, first.body, "although it could not be done now");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}
