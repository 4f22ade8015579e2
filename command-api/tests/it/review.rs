//! Claiming, deciding, commenting.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    house::{House, Person, Reply},
    team::Team,
};

pub async fn decide(house: &House, who: &Person, item: Uuid, body: Value) -> Reply {
    let path = format!("/review/{item}?item_type=raw_text");
    house
        .ask(Method::PATCH, &path, Some(who), &[], Some(&body))
        .await
}

#[tokio::test]
async fn a_decision_is_made_once() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        admin,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    let approve = json!({"decision": "approve", "feedback": "Well done"});
    let decided = decide(&house, &reviewer, item, approve.clone())
        .await
        .is(200);
    let expected = json!({
        "id": item, "type": "raw_text", "status": "approved",
        "reviewed_by": reviewer.id, "feedback": "Well done",
    });
    assert_eq!(decided.body, expected);
    house
        .refused(
            decide(&house, &admin, item, approve),
            409,
            "ALREADY_DECIDED",
        )
        .await;
    // The item does not know of it yet, and yet its owner cannot take it back or change it.
    let withdraw = house
        .post_bare(&contributor, &format!("/submissions/{item}/withdraw"))
        .await;
    assert_eq!((withdraw.status, withdraw.code()), (409, "ALREADY_DECIDED"));
    assert_eq!(
        house.stream(item).await.last().map(String::as_str),
        Some("SubmissionApproved")
    );
    let path = format!("/raw-text/{item}");
    let change = house.put(&contributor, &path, json!({"title": "x"}));
    house.refused(change, 409, "NOT_A_DRAFT").await;
}

#[tokio::test]
async fn of_two_decisions_at_once_exactly_one_wins() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        admin,
        ..
    } = Team::new().await;
    for _ in 0..5 {
        let item = house.submitted(&contributor, project).await;
        let reject = json!({"decision": "reject", "feedback": "No"});
        let (a, b) = tokio::join!(
            decide(&house, &reviewer, item, json!({"decision": "approve"})),
            decide(&house, &admin, item, reject),
        );
        let mut both = [a.status, b.status];
        both.sort_unstable();
        assert_eq!(both, [200, 409]);
    }
}

#[tokio::test]
async fn a_rejected_item_is_taken_up_again_by_a_change() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    for word in ["reject", "request_changes"] {
        let silent = decide(
            &house,
            &reviewer,
            item,
            json!({"decision": word, "feedback": "  "}),
        );
        house.refused(silent, 422, "FEEDBACK_REQUIRED").await;
    }
    let reject = json!({"decision": "reject", "feedback": "Blurred"});
    assert_eq!(
        decide(&house, &reviewer, item, reject.clone())
            .await
            .is(200)
            .body["status"],
        "rejected"
    );
    house
        .put(
            &contributor,
            &format!("/raw-text/{item}"),
            json!({"title": "Sharper"}),
        )
        .await
        .is(200);
    let events = house.stream(item).await;
    let tail: Vec<&str> = events
        .iter()
        .rev()
        .take(3)
        .rev()
        .map(String::as_str)
        .collect();
    assert_eq!(
        tail,
        [
            "SubmissionRejected",
            "SubmissionReopened",
            "SubmissionEdited"
        ]
    );
    house.submit(&contributor, item).await;
    let changes = json!({"decision": "request_changes", "feedback": "Sharper still"});
    assert_eq!(
        decide(&house, &reviewer, item, changes).await.is(200).body["status"],
        "draft"
    );
    house
        .refused(
            decide(&house, &reviewer, item, reject),
            409,
            "ALREADY_DECIDED",
        )
        .await;
    house.submit(&contributor, item).await;
}

#[tokio::test]
async fn only_reviewers_and_admins_decide_and_only_on_what_waits() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        stranger,
    } = Team::new().await;
    let (draft, item) = (
        house.raw_text(&contributor, project).await,
        house.submitted(&contributor, project).await,
    );
    let approve = || json!({"decision": "approve"});
    house
        .refused(
            decide(&house, &contributor, item, approve()),
            403,
            "FORBIDDEN",
        )
        .await;
    house
        .refused(
            decide(&house, &stranger, item, approve()),
            404,
            "ITEM_NOT_FOUND",
        )
        .await;
    house
        .refused(
            decide(&house, &reviewer, draft, approve()),
            404,
            "ITEM_NOT_FOUND",
        )
        .await;
    house
        .refused(decide(&house, &admin, draft, approve()), 409, "NOT_PENDING")
        .await;
    let unknown = decide(&house, &reviewer, item, json!({"decision": "perhaps"}));
    house.refused(unknown, 422, "VALIDATION_ERROR").await;
    let long = json!({"decision": "approve", "feedback": "x".repeat(5001)});
    house
        .refused(
            decide(&house, &reviewer, item, long),
            422,
            "VALIDATION_ERROR",
        )
        .await;
    let (path, body) = (format!("/review/{item}?item_type=document"), approve());
    let as_document = house.ask(Method::PATCH, &path, Some(&reviewer), &[], Some(&body));
    house.refused(as_document, 404, "ITEM_NOT_FOUND").await;
}

#[tokio::test]
async fn deciding_on_ones_own_item_can_be_forbidden() {
    let Team {
        house,
        project,
        admin,
        ..
    } = Team::new().await;
    let (first, second) = (
        house.submitted(&admin, project).await,
        house.submitted(&admin, project).await,
    );
    decide(&house, &admin, first, json!({"decision": "approve"}))
        .await
        .is(200);
    let path = format!("/projects/{project}");
    house
        .put(&admin, &path, json!({"allow_self_review": false}))
        .await
        .is(200);
    let own = decide(&house, &admin, second, json!({"decision": "approve"}));
    house.refused(own, 403, "SELF_REVIEW").await;
    let claim = format!("/review/{second}/claim");
    let own = house.post_bare(&admin, &claim);
    house.refused(own, 403, "SELF_REVIEW").await;
    let one = json!({"id": second, "item_type": "raw_text", "decision": "approve"});
    let own = house
        .post(&admin, "/review/batch", json!({"items": [one]}))
        .await
        .is(200);
    assert_eq!(own.body["failed_items"][0]["code"], "SELF_REVIEW");
    crate::claiming::queue(&house, project, &admin, second, 0).await;
    let next = format!("/review/claim-next?project_id={project}");
    house.post_bare(&admin, &next).await.is(204);
    let root = house.super_admin().await;
    assert_eq!(house.post_bare(&root, &next).await.is(200).id(), second);
}

#[tokio::test]
async fn many_are_decided_at_once_each_for_itself() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let (a, b) = (
        house.submitted(&contributor, project).await,
        house.submitted(&contributor, project).await,
    );
    let one = |id: &str, decision: &str| json!({"id": id, "item_type": "raw_text", "decision": decision, "feedback": null});
    let (a, b) = (a.to_string(), b.to_string());
    let body = json!({"items": [one(&a, "approve"), one(&b, "reject"), one("x", "approve")]});
    let reply = house.post(&reviewer, "/review/batch", body).await.is(200);
    assert_eq!(reply.body["decided_count"], 1);
    assert_eq!(reply.body["decided_items"][0]["status"], "approved");
    let codes: Vec<&Value> = reply.body["failed_items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| &item["code"])
        .collect();
    assert_eq!(codes, ["FEEDBACK_REQUIRED", "ITEM_NOT_FOUND"]);
    let twice = json!({"items": [one(&b, "approve"), one(&b.to_uppercase(), "approve")]});
    let twice = house.post(&reviewer, "/review/batch", twice);
    house.refused(twice, 422, "VALIDATION_ERROR").await;
    let none = house.post(&reviewer, "/review/batch", json!({"items": []}));
    house.refused(none, 422, "VALIDATION_ERROR").await;
}

#[tokio::test]
async fn words_can_be_said_without_a_decision() {
    let Team {
        house,
        project,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    let path = format!("/review/{item}/comments");
    let said = house
        .post(&reviewer, &path, json!({"text": "Which year?"}))
        .await
        .is(201);
    let expected = json!({
        "id": said.id(), "item_id": item, "round": 1, "author_id": reviewer.id,
        "text": "Which year?", "created_at": said.body["created_at"],
    });
    assert_eq!(said.body, expected);
    assert!(said.body["created_at"].is_string());
    let headers = [("idempotency-key", "c1")];
    let body = json!({"text": "x".repeat(5000)});
    let send = || house.ask(Method::POST, &path, Some(&reviewer), &headers, Some(&body));
    let (first, again) = (send().await.is(201), send().await.is(201));
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    for bad in ["", " ", &"x".repeat(5001)] {
        house
            .refused(
                house.post(&reviewer, &path, json!({"text": bad})),
                422,
                "VALIDATION_ERROR",
            )
            .await;
    }
    house
        .refused(
            house.post(&contributor, &path, json!({"text": "x"})),
            403,
            "FORBIDDEN",
        )
        .await;
}

#[tokio::test]
async fn an_item_that_was_taken_back_is_a_draft_that_reviewers_do_not_know_of() {
    let Team {
        house,
        project,
        admin,
        contributor,
        reviewer,
        ..
    } = Team::new().await;
    let item = house.submitted(&contributor, project).await;
    house
        .post_bare(&reviewer, &format!("/review/{item}/claim"))
        .await
        .is(200);
    house
        .post_bare(&contributor, &format!("/submissions/{item}/withdraw"))
        .await
        .is(200);
    let claim = format!("/review/{item}/claim");
    let claimed = house.post_bare(&reviewer, &claim);
    house.refused(claimed, 404, "ITEM_NOT_FOUND").await;
    let approve = json!({"decision": "approve"});
    let decided = decide(&house, &reviewer, item, approve.clone());
    house.refused(decided, 404, "ITEM_NOT_FOUND").await;
    let decided = decide(&house, &admin, item, approve);
    house.refused(decided, 409, "NOT_PENDING").await;
    let comments = format!("/review/{item}/comments");
    for (who, status, code) in [
        (&reviewer, 404, "ITEM_NOT_FOUND"),
        (&admin, 409, "NOT_PENDING"),
    ] {
        let said = house.post(who, &comments, json!({"text": "Which year?"}));
        house.refused(said, status, code).await;
        house.refused(house.delete(who, &claim), status, code).await;
    }
}
